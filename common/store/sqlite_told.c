/*
 * What a job says of itself: PROGRESS and RESULT, and reading them.  Leaders of a round, workers,
 * the CLI.  Said under a fence: what an older run says, or said, is not the job's (R3, R4).
 */
#include "store/sqlite.h"
#include "store/sqlite_calls.h"
#include "store/sqlite_log.h"
#include "store/sqlite_move.h"

#include "base/check.h"

#define READ_US (5 * RV_S_US) /* patience of a read with a recovery of the log */

/* RV_OK: it is the run that holds the lease. */
static int is_running(struct rv_sqlite *s, uint64_t incarnation, int64_t job, int64_t fence,
		      struct rv_why *why)
{
	int64_t one;
	int err =
		rv_sqlite_number(s, RV_SQL_LEASE_IS, &one, "iii", job, fence, (int64_t)incarnation);

#ifdef RV_MUTANT_PROGRESS_UNFENCED
	err = RV_OK;
#endif
	return err == RV_E_NOTFOUND ? rv_fail(why, RV_E_STALE, RV_SAYS_NOT_RUNNING, (long long)job)
				    : err;
}

int rv_sqlite_do_progress(struct rv_sqlite *s, struct rv_req *req)
{
	const struct rv_req_progress *progress = &req->u.progress;
	int err;

	if (progress->percent < -1 || progress->percent > 100)
		return rv_fail(&req->why, RV_E_USAGE, "a progress is 0 to 100, not %d",
			       progress->percent);
	err = is_running(s, progress->incarnation, progress->job, progress->fence, &req->why);
	return err == RV_OK ? rv_sqlite_run(s, RV_SQL_PROGRESS_PUT, NULL, "iiiti", progress->job,
					    progress->fence, (int64_t)progress->percent,
					    rv_rules_said(progress->message), s->now_us)
			    : err;
}

int rv_sqlite_do_result(struct rv_sqlite *s, struct rv_req *req)
{
	const struct rv_req_result *result = &req->u.result;
	int err;

	PRE(result->data || result->size == 0);
	if (result->size > RV_RESULT_MAX)
		return rv_fail(&req->why, RV_E_TOOBIG, "a result has at most %d bytes, not %zu",
			       RV_RESULT_MAX, result->size);
	err = is_running(s, result->incarnation, result->job, result->fence, &req->why);
	if (err != RV_OK)
		return err;
	return result->size > 0 ? rv_sqlite_run(s, RV_SQL_RESULT_PUT, NULL, "iib", result->job,
						result->fence, result->data, result->size)
				: rv_sqlite_run(s, RV_SQL_RESULT_DROP, NULL, "i", result->job);
}

/* A column copied into the handle's strings; NULL for NULL. */
static int copy(struct rv_sqlite *s, sqlite3_stmt *stmt, int column, const void **ret_data,
		size_t *ret_size)
{
	const void *data = sqlite3_column_blob(stmt, column);

	*ret_data = NULL;
	*ret_size = (size_t)sqlite3_column_bytes(stmt, column);
	if (!data)
		return RV_OK;
	*ret_data = rv_arena_memdup(&s->strings, data, *ret_size);
	return *ret_data ? RV_OK : RV_E_NOMEM;
}

int rv_sqlite_read_told(struct rv_store *store, int64_t id, struct rv_told *ret_told)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	const void *message = NULL;
	sqlite3_stmt *stmt;
	size_t size = 0;
	int err;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	rv_arena_reset(&s->strings);
	err = rv_sqlite_start(s, RV_SQL_TOLD, &stmt, "i", id);
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	*ret_told = (struct rv_told){.percent = -1};
	if (sqlite3_column_type(stmt, 0) != SQLITE_NULL)
		ret_told->percent = sqlite3_column_int(stmt, 0);
	ret_told->at_us = sqlite3_column_int64(stmt, 2);
	err = copy(s, stmt, 1, &message, &size);
	ret_told->message = message; /* rv_arena_memdup ends it with a NUL */
	if (err == RV_OK)
		err = copy(s, stmt, 3, &ret_told->result, &ret_told->result_size);
	rv_sqlite_end(stmt);
	return err;
}
