/*
 * The memory backend: what people change of a job that waits: HOLD and EDIT.
 * A job that a worker has fetched is not touched: it may start at any moment.
 */
#include "store/memory_rows.h"

#include "base/check.h"
#include "core/job.h"

/* The job, if it waits; NULL with the error in ${*ret_err}. */
static struct mem_job *waiting(struct mem_store *m, int64_t id, unsigned only, int32_t *ret_was,
			       int *ret_err, struct rv_why *why)
{
	struct mem_job *j = rv_memory_job(m, id);

	if (!j) {
		*ret_err = rv_fail(why, RV_E_NOTFOUND, "no such job %lld", (long long)id);
		return NULL;
	}
	*ret_was = (int32_t)rv_memory_shown(j);
	*ret_err = rv_rules_only(only, id, *ret_was, why);
	if (*ret_err != RV_OK)
		return NULL;
	if (j->place == MEM_LEASE || j->place == MEM_DONE) {
		*ret_err = rv_rules_waits_not(why, id, rv_memory_shown(j));
		return NULL;
	}
	return j;
}

/* Whatever is changed of it, it comes to its gates anew. */
static void unpark(struct mem_store *m, struct mem_job *j)
{
	if (j->gate)
		rv_memory_to_ready(m, j);
	else if (j->passed)
		rv_memory_give_back(m, j);
}

int rv_memory_do_hold(struct mem_store *m, struct rv_req_hold *req, struct rv_why *why)
{
	int err = RV_OK;
	struct mem_job *j = waiting(m, req->job, req->only, &req->was, &err, why);
	bool waits = false;

	if (j)
		err = rv_rules_hold(req, j->held, why);
	if (err != RV_OK)
		return err;
	unpark(m, j);
	MEM_EACH(m, deps, dep)
	waits = waits || dep->child == j->id;
	if (req->held && j->place != MEM_BLOCKED)
		rv_memory_to_held(m, j, j->place == MEM_SCHEDULED ? j->due_us : j->asked_us);
	else
		j->held = req->held != 0;
	if (!req->held && !waits)
		rv_memory_unblock(m, j);
	return RV_OK;
}

/* To where its new time sends it. */
static void move_to(struct mem_store *m, struct mem_job *j, int64_t run_at_us)
{
	bool later = run_at_us > m->wall_us;

	j->asked_us = run_at_us;
	if (j->place == MEM_READY && later)
		rv_memory_to_scheduled(m, j, run_at_us);
	else if (j->place == MEM_SCHEDULED && !later)
		rv_memory_to_ready(m, j);
	else if (j->place != MEM_READY)
		j->due_us = run_at_us;
	if (j->place == MEM_SCHEDULED)
		rv_store_note_ring(&m->base, RV_RING_SCHEDULED, "", 0);
}

void rv_memory_reschedule(struct mem_store *m, struct mem_job *j, int64_t run_at_us)
{
	PRE(j->place != MEM_LEASE && j->place != MEM_DONE && run_at_us > 0);
	unpark(m, j);
	move_to(m, j, run_at_us);
}

int rv_memory_do_edit(struct mem_store *m, struct rv_req_edit *req, struct rv_why *why)
{
	struct mem_job *j = NULL;
	int err = rv_rules_edit(req, why);

	if (err == RV_OK)
		j = waiting(m, req->job, 0, &req->was, &err, why);
	if (err == RV_OK)
		err = rv_rules_edit_attempts(req, j->attempts, why);
	if (err != RV_OK)
		return err;
	unpark(m, j);
	if (req->max_attempts > 0) {
		j->max_attempts = req->max_attempts;
		j->granted = 0;
	}
	if (req->priority >= 0) {
		j->priority = req->priority;
		if (m->now.queues.rows[j->queue].strategy == RV_STRATEGY_PRIORITY)
			rv_memory_order(m, j, j->created_us);
	}
	if (req->run_at_us > 0)
		move_to(m, j, req->run_at_us);
	return RV_OK;
}
