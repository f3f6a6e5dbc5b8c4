/*
 * The memory backend: what a job says of itself.  Under the fence of the run that said it; an older
 * run's words are not the job's.
 */
#include "store/memory_read.h"
#include "store/memory_rows.h"

static struct mem_told *told_of(struct mem_store *m, int64_t job, bool is_result)
{
	MEM_EACH(m, tolds, t)
	if (t->job == job && t->is_result == is_result)
		return t;
	return NULL;
}

static bool is_running(struct mem_store *m, uint64_t who, int64_t id, int64_t fence)
{
	const struct mem_job *j = rv_memory_job(m, id);

	return j && j->place == MEM_LEASE && j->fence == fence && j->incarnation == who;
}

static void forget(struct mem_store *m, int64_t job, bool is_result)
{
	for (size_t i = m->now.tolds.n; i-- > 0;)
		if (m->now.tolds.rows[i].job == job && m->now.tolds.rows[i].is_result == is_result)
			MEM_REMOVE(m, tolds, i);
}

void rv_memory_told_drop(struct mem_store *m, int64_t job)
{
	forget(m, job, false);
	forget(m, job, true);
}

int rv_memory_do_progress(struct mem_store *m, struct rv_req_progress *req, struct rv_why *why)
{
	if (req->percent < -1 || req->percent > 100)
		return rv_fail(why, RV_E_USAGE, "a progress is 0 to 100, not %d", req->percent);
	if (!is_running(m, req->incarnation, req->job, req->fence))
		return rv_fail(why, RV_E_STALE, RV_SAYS_NOT_RUNNING, (long long)req->job);
	forget(m, req->job, false);
	*MEM_ADD(m, tolds) =
		(struct mem_told){.job = req->job,
				  .fence = req->fence,
				  .at_us = m->wall_us,
				  .percent = req->percent,
				  .message = rv_memory_keep(m, rv_rules_said(req->message))};
	return RV_OK;
}

int rv_memory_do_result(struct mem_store *m, struct rv_req_result *req, struct rv_why *why)
{
	if (req->size > RV_RESULT_MAX)
		return rv_fail(why, RV_E_TOOBIG, "a result has at most %d bytes, not %zu",
			       RV_RESULT_MAX, req->size);
	if (!is_running(m, req->incarnation, req->job, req->fence))
		return rv_fail(why, RV_E_STALE, RV_SAYS_NOT_RUNNING, (long long)req->job);
	forget(m, req->job, true);
	if (req->size > 0)
		*MEM_ADD(m, tolds) =
			(struct mem_told){.job = req->job,
					  .fence = req->fence,
					  .is_result = true,
					  .data = rv_memory_keep_bytes(m, req->data, req->size),
					  .size = req->size};
	return RV_OK;
}

int rv_memory_read_told(struct rv_store *store, int64_t id, struct rv_told *ret_told)
{
	struct mem_store *m = MEM_OF(store);
	const struct mem_job *j = rv_memory_job(m, id);
	const struct mem_attempt *last = rv_memory_last_attempt(m, id);
	const struct mem_told *t;

	if (!j)
		return RV_E_NOTFOUND;
	*ret_told = (struct rv_told){.percent = -1};
	t = told_of(m, id, false);
	if (t && (j->place != MEM_LEASE || t->fence == j->fence)) {
		ret_told->percent = t->percent;
		ret_told->message = t->message;
		ret_told->at_us = t->at_us;
	}
	t = told_of(m, id, true);
	if (t && last && j->place == MEM_DONE && j->final == RV_JOB_SUCCEEDED &&
	    t->fence == last->fence) {
		ret_told->result = t->data;
		ret_told->result_size = t->size;
	}
	return RV_OK;
}
