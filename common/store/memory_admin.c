/*
 * The memory backend: what people ask for: CANCEL, RETRY, DELETE, PAUSE, WAITER.
 * A refused one says why in words and changes nothing.
 */
#include "store/memory_rows.h"

#include "base/check.h"
#include "core/job.h"

#include <string.h>

static int no_job(struct rv_why *why, int64_t id)
{
	return rv_fail(why, RV_E_NOTFOUND, "no such job %lld", (long long)id);
}

static int wrong_state(struct rv_why *why, const struct mem_job *j)
{
	return rv_fail(why, RV_E_CONFLICT, "job %lld is %s", (long long)j->id,
		       rv_job_state_name(rv_memory_shown(j)));
}

int rv_memory_do_cancel(struct mem_store *m, struct rv_req_cancel *req, struct rv_why *why)
{
	struct mem_job *j = rv_memory_job(m, req->job);

	req->slot = -1;
	req->fence = 0;
	if (!j)
		return no_job(why, req->job);
	req->was = (int32_t)rv_memory_shown(j);
	if (rv_rules_only(req->only, j->id, req->was, why) != RV_OK)
		return RV_E_CONFLICT;
	if (j->place == MEM_DONE)
		return wrong_state(why, j);
	if (j->place == MEM_LEASE) { /* prefetched ones too: it may start at any moment */
		j->cancel_requested = true;
		req->slot = rv_memory_worker(m, j->incarnation)->slot;
		req->fence = j->fence;
		return RV_OK;
	}
	rv_memory_to_final(m, j, RV_JOB_CANCELLED, RV_SAYS_CANCELLED);
	return RV_OK;
}

/* Not a key that was to be held until the first start, which was, or for a time. */
static bool takes_key_again(const struct mem_job *j)
{
	return j->unique_key && (j->until_us == RV_UNTIL_FINISHED ||
				 (j->until_us == RV_UNTIL_STARTED && j->runs == 0));
}

int rv_memory_do_retry(struct mem_store *m, struct rv_req_retry *req, struct rv_why *why)
{
	struct mem_job *j = rv_memory_job(m, req->job);

	if (!j)
		return no_job(why, req->job);
	req->was = (int32_t)rv_memory_shown(j);
	if (rv_rules_only(req->only, j->id, req->was, why) != RV_OK)
		return RV_E_CONFLICT;
	if (j->place != MEM_DONE || j->final == RV_JOB_SUCCEEDED)
		return wrong_state(why, j);
	if (takes_key_again(j)) {
		const struct mem_unique *u = rv_memory_holder(m, j->unique_key);
		struct rv_holder holder = {0};

		if (u) {
			holder = (struct rv_holder){.id = u->id, .until_us = u->until_us};
			return rv_rules_held(why, &holder, false, m->wall_us);
		}
		*MEM_ADD(m, uniques) = (struct mem_unique){.key = j->unique_key, .id = j->id};
	}
	rv_memory_batch_count(m, j, -1);
	j->seq = m->now.next_id;
	rv_memory_order(m, j, m->wall_us);
	j->granted++;
	j->crashes = 0;
	rv_memory_to_ready(m, j);
	return RV_OK;
}

int rv_memory_do_remove(struct mem_store *m, struct rv_req_remove *req, struct rv_why *why)
{
	struct mem_job *j = rv_memory_job(m, req->job);

	if (!j)
		return no_job(why, req->job);
	if (rv_rules_only(req->only, j->id, (int32_t)rv_memory_shown(j), why) != RV_OK)
		return RV_E_CONFLICT;
	if (j->place != MEM_DONE)
		return wrong_state(why, j);
	MEM_EACH(m, deps, dep)
	if (dep->parent == j->id)
		return rv_fail(why, RV_E_CONFLICT, "job %lld waits for it", (long long)dep->child);
	if (rv_memory_batch_forget(m, j, why) != RV_OK)
		return RV_E_CONFLICT;
	INV(m->now.queues.rows[j->queue].counts[j->final] > 0);
	m->now.queues.rows[j->queue].counts[j->final]--;
	for (size_t i = m->now.attempts.n; i-- > 0;)
		if (m->now.attempts.rows[i].job == req->job)
			MEM_REMOVE(m, attempts, i);
	for (size_t i = m->now.events.n; i-- > 0;)
		if (m->now.events.rows[i].job == req->job)
			MEM_REMOVE(m, events, i);
	for (size_t i = m->now.waiters.n; i-- > 0;)
		if (m->now.waiters.rows[i].job == req->job)
			MEM_REMOVE(m, waiters, i);
	rv_memory_told_drop(m, req->job);
	MEM_REMOVE(m, jobs, (size_t)(j - m->now.jobs.rows));
	return RV_OK;
}

int rv_memory_do_pause(struct mem_store *m, struct rv_req_pause *req, struct rv_why *why)
{
	const struct mem_job *reserver = rv_memory_reserver(m);
	struct mem_queue *q = rv_memory_queue(m, req->queue);
	enum rv_queue_gate was;

	if (!q)
		return rv_memory_unknown_queue(m, req->queue, why);
	if (req->paused < 0 || req->paused >= RV_QUEUE_GATES)
		return rv_fail(why, RV_E_USAGE, "a queue is open, paused or draining");
	was = q->gate;
	q->gate = (enum rv_queue_gate)req->paused;
	if (q->gate == was)
		return RV_OK;
	rv_memory_look_again(m, reserver);
	if (q->gate == RV_QUEUE_PAUSED)
		rv_memory_yield(m, (int)(q - m->now.queues.rows));
	if (was != RV_QUEUE_PAUSED)
		return RV_OK;
	rv_store_note_ring(&m->base, RV_RING_QUEUE, q->name, 0);
	m->now.lend_due = true;
	rv_memory_reconsider(m, q->name);
	return RV_OK;
}

static void forget_path(struct mem_store *m, int64_t job, const char *path)
{
	for (size_t i = m->now.waiters.n; i-- > 0;) {
		const struct mem_waiter *w = &m->now.waiters.rows[i];

		if ((job == 0 || w->job == job) && strcmp(w->path, path) == 0)
			MEM_REMOVE(m, waiters, i);
	}
}

int rv_memory_do_waiter(struct mem_store *m, struct rv_req_waiter *req, struct rv_why *why)
{
	struct mem_queue *q = req->queue[0] ? rv_memory_queue(m, req->queue) : NULL;
	struct mem_job *j = rv_memory_job(m, req->job);
	int64_t job = q ? INT64_MIN + 1 + (q - m->now.queues.rows) : req->job;
	const struct mem_batch *b;
	struct mem_waiter *w;

	if (req->path[0] == '\0')
		return rv_fail(why, RV_E_USAGE, "a waiter has a path");
	if (req->job == INT64_MIN)
		return rv_rules_no_batch(why, 0);
	if (req->expires_us == 0) {
		forget_path(m, req->job, req->path);
		return RV_OK;
	}
	if (req->queue[0])
		b = NULL;
	else
		b = rv_memory_batch(m, -req->job);
	if (req->queue[0] && !q)
		return rv_memory_unknown_queue(m, req->queue, why);
	if (q && req->room < 1)
		return rv_fail(why, RV_E_USAGE, "who waits for room waits for one job's at least");
	if (!q && req->job < 0 && !b)
		return rv_rules_no_batch(why, -req->job);
	if (!q && !j && !b && req->job != RV_WAITER_FOLLOWS)
		return no_job(why, req->job);
	/* it came too late to be told later: tell it now */
	if (q ? rv_memory_has_room(q, req->room)
	      : (b && b->ended_us != 0) || (j && j->place == MEM_DONE)) {
		rv_store_note_ring(&m->base, RV_RING_WAITER, req->path, q ? 0 : req->job);
		return RV_OK;
	}
	forget_path(m, job, req->path);
	w = MEM_ADD(m, waiters);
	w->job = job;
	w->room = q ? req->room : 0;
	w->expires_us = req->expires_us;
	memcpy(w->path, req->path, sizeof w->path);
	return RV_OK;
}
