/*
 * The memory backend: the lives of workers (JOIN, LEAVE, EXPIRE, BEATS, RAISE) and what becomes of
 * their leases.  A life that is over never comes back.
 */
#include "store/memory_rows.h"

#include "base/check.h"
#include "base/seam.h"
#include "core/job.h"
#include "core/retry.h"
#include "wire/sup.h"

#include <stdio.h>
#include <string.h>

#define REMEMBER_US (86400 * RV_S_US)

static const struct mem_instance *newest(const struct mem_store *m)
{
	return m->now.instances.n ? &m->now.instances.rows[m->now.instances.n - 1] : NULL;
}

int rv_memory_do_join(struct mem_store *m, struct rv_req_join *req, struct rv_why *why)
{
	const struct mem_instance *daemon = newest(m);
	struct mem_worker *w = rv_memory_worker(m, req->incarnation);

	if (req->incarnation == 0)
		return rv_fail(why, RV_E_USAGE, "an incarnation is not 0");
	if (w && !w->live)
		return rv_fail(why, RV_E_STALE, "this worker's life is over for the store");
	if (daemon && strcmp(daemon->shown.boot_id, req->boot_id) != 0)
		return rv_fail(why, RV_E_STALE, "the store is used by a daemon of another boot");
	if (!w)
		w = MEM_ADD(m, workers);
	w->incarnation = req->incarnation;
	w->pid = req->pid;
	w->start_ticks = req->start_ticks;
	w->slot = req->slot;
	w->beat_deadline_us = req->beat_deadline_us;
	w->live = true;
	memcpy(w->pool, req->pool, sizeof w->pool);
	memcpy(w->boot_id, req->boot_id, sizeof w->boot_id);
	rv_rules_worker(w->name, req);
	return RV_OK;
}

static void end_lease(struct mem_store *m, struct mem_job *j, const struct rv_expire_one *how)
{
	bool ran = j->started || how->started_fence == j->fence;
	bool charged = ran && rv_rules_is_crash(how->died);
	struct rv_ack end = {.exit_code = -1, .user_us = -1, .sys_us = -1, .maxrss_bytes = -1};
	char says[RV_ERROR_MAX];

	PRE(j->place == MEM_LEASE);
	(void)snprintf(end.error, sizeof end.error, "%s", how->words);
	if (charged) {
		end.user_us = how->user_us;
		end.sys_us = how->sys_us;
		end.maxrss_bytes = how->maxrss_bytes;
	}
	if (ran && !j->started)
		rv_memory_run_began(m, j, j->leased_us);
	if (ran)
		rv_memory_run_ended(m, j, charged ? RV_OUTCOME_CRASHED : RV_OUTCOME_INTERRUPTED,
				    &end);
	if (j->cancel_requested) {
		rv_memory_to_final(m, j, RV_JOB_CANCELLED, RV_SAYS_CANCELLED);
	} else {
		j->crashes += charged;
		(void)snprintf(says, sizeof says, RV_SAYS_CRASHES, "worker", j->crashes,
			       how->words);
		if (charged && rv_retry_after_crash(j->crashes, j->max_crashes) != RV_VERDICT_AGAIN)
			rv_memory_to_final(m, j, RV_JOB_DEAD, says);
		else if (!rv_memory_batch_failed(m, j))
			rv_memory_to_ready(m, j);
	}
	if (ran)
		rv_memory_counted(m, j);
}

/* The end of one life: its row is dead, its leases are ended; how many. */
static int end_life(struct mem_store *m, struct mem_worker *w, const struct rv_expire_one *how)
{
	int released = 0;

	if (!w || !w->live)
		return 0;
	w->live = false;
	w->ended_us = m->wall_us;
	MEM_EACH(m, jobs, j)
	{
		if (j->place == MEM_LEASE && j->incarnation == w->incarnation) {
			end_lease(m, j, how);
			POST(j->place != MEM_LEASE);
			released++;
		}
	}
	return released;
}

/* The dead are remembered for a day, so that what they still had posted is refused. */
static void forget_the_long_dead(struct mem_store *m)
{
	for (size_t i = m->now.workers.n; i-- > 0;) {
		const struct mem_worker *w = &m->now.workers.rows[i];

		if (!w->live && w->ended_us < m->wall_us - REMEMBER_US)
			MEM_REMOVE(m, workers, i);
	}
}

int rv_memory_do_leave(struct mem_store *m, struct rv_req_leave *req, struct rv_why *why)
{
	struct rv_expire_one how = {.died = RV_DIED_CLEAN};

	(void)why;
	(void)end_life(m, rv_memory_worker(m, req->incarnation), &how);
	return RV_OK;
}

int rv_memory_do_expire(struct mem_store *m, struct rv_req_expire *req, struct rv_why *why)
{
	struct rv_expire_one lost = {.died = RV_DIED_LOST, .words = "its daemon is gone"};
	struct rv_expire_one late = {.died = RV_DIED_LOST, .words = "it gave no sign of life"};
	const struct mem_instance *daemon = newest(m);

	if (req->count > RV_EXPIRE_MAX)
		return rv_fail(why, RV_E_USAGE, "at most %d lives end at once", RV_EXPIRE_MAX);
	for (uint32_t i = 0; i < req->count; i++)
		req->who[i].released =
			end_life(m, rv_memory_worker(m, req->who[i].incarnation), &req->who[i]);
	MEM_EACH(m, workers, w)
	{
		if (req->all_below != 0 &&
		    RV_INCARNATION_START(w->incarnation) != RV_INCARNATION_START(req->all_below))
			(void)end_life(m, w, &lost);
		if (req->overdue_us != 0 && w->beat_deadline_us < req->overdue_us && daemon &&
		    strcmp(w->boot_id, daemon->shown.boot_id) == 0)
			(void)end_life(m, w, &late);
	}
	forget_the_long_dead(m);
	return RV_OK;
}

int rv_memory_do_beats(struct mem_store *m, struct rv_req_beats *req, struct rv_why *why)
{
	if (req->count > RV_ARRAY_LEN(req->incarnations))
		return rv_fail(why, RV_E_USAGE, "at most %zu beats at once",
			       RV_ARRAY_LEN(req->incarnations));
	for (uint32_t i = 0; i < req->count; i++) {
		struct mem_worker *w = rv_memory_worker(m, req->incarnations[i]);

		if (w && w->live)
			w->beat_deadline_us = req->deadline_us;
	}
	return RV_OK;
}

/* Daemons that are gone: their rows, and the rounds of their areas. */
static void forget_daemons(struct mem_store *m, const struct rv_req_raise *req)
{
	INV(m->now.instances.rows || m->now.instances.n == 0);
	for (size_t i = m->now.instances.n; i-- > 0;) {
		const struct mem_instance *old = &m->now.instances.rows[i];
		bool same = strcmp(old->shown.boot_id, req->boot_id) == 0;

		if (same && !rv_rules_process_gone(old->shown.pid, old->shown.start_ticks))
			continue;
		for (size_t r = m->now.rounds.n; r-- > 0;)
			if (m->now.rounds.rows[r].area == old->area && old->area != req->area)
				MEM_REMOVE(m, rounds, r);
		MEM_REMOVE(m, instances, i);
	}
}

int rv_memory_do_raise(struct mem_store *m, struct rv_req_raise *req, struct rv_why *why)
{
	struct rv_expire_one lost = {.died = RV_DIED_LOST, .words = "its daemon is gone"};
	const struct mem_instance *last = newest(m);
	struct mem_instance *mine;

	(void)why;
	if (!last || strcmp(last->shown.boot_id, req->boot_id) != 0)
		m->now.epoch++;
	forget_daemons(m, req);
	MEM_EACH(m, workers, w)
	{
		bool other = RV_INCARNATION_START(w->incarnation) !=
			     RV_INCARNATION_START(req->incarnation_base);

		if (strcmp(w->boot_id, req->boot_id) != 0 ||
		    (other && rv_rules_process_gone(w->pid, w->start_ticks)))
			(void)end_life(m, w, &lost);
	}
	forget_the_long_dead(m);
	mine = MEM_ADD(m, instances);
	mine->shown.pid = req->pid;
	mine->shown.start_ticks = req->start_ticks;
	mine->shown.epoch = m->now.epoch;
	memcpy(mine->shown.boot_id, req->boot_id, sizeof mine->shown.boot_id);
	memcpy(mine->shown.runtime_dir, req->runtime_dir, sizeof mine->shown.runtime_dir);
	mine->area = req->area;
	mine->start = RV_INCARNATION_START(req->incarnation_base);
	req->epoch = m->now.epoch;
	POST(req->epoch > 0);
	return RV_OK;
}
