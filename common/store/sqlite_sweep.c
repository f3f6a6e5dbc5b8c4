/*
 * Batches that fail: when too many of their jobs have died, and what becomes of the others.  What
 * waits is cancelled some at a time (PROMOTE, the keeper): a batch may be large, and the write lock
 * is everybody's.  A job that is in no batch never comes here: its marks say so.
 * (Wider than it should be: it is where batches, limits and the moves of jobs meet.)
 */
#include "store/batch.h"
#include "store/sqlite.h"
#include "store/sqlite_batch.h"
#include "store/sqlite_limit.h"
#include "store/sqlite_move.h"
#include "store/sqlite_view.h"

#include "base/check.h"
#include "core/tolerance.h"

#include <stdlib.h>

#define BIT(state) (1U << RV_JOB_##state)

/* A batch that is to be swept. */
struct sweep {
	int64_t id, below; /* looked at next: the newest job below that */
	bool stops;
	char says[RV_TOLERANCE_SAYS_MAX];
};

int rv_sqlite_batch_takes(struct rv_sqlite *s, int64_t id, struct rv_why *why)
{
	sqlite3_stmt *stmt;
	int err;

	if (id == 0)
		return RV_OK;
	err = rv_sqlite_start(s, RV_SQL_BATCH_CLOSED, &stmt, "i", id);
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err == RV_E_NOTFOUND)
		return rv_rules_no_batch(why, id);
	if (err != RV_OK)
		return err;
	if (sqlite3_column_int64(stmt, 0) != 0)
		err = rv_rules_closed(why, id);
	else if (sqlite3_column_int64(stmt, 1) != 0)
		err = rv_tolerance_refuse(why, id, sqlite3_column_int64(stmt, 2),
					  sqlite3_column_int64(stmt, 3),
					  sqlite3_column_int64(stmt, 4));
	rv_sqlite_end(stmt);
	return err;
}

void rv_sqlite_batch_most(const struct rv_req_new_batch *batch, int64_t *ret_allowed,
			  int64_t *ret_percent)
{
	const struct rv_tolerance *t = batch->tolerance;

	*ret_allowed = t ? rv_tolerance_allowed(t, 0, false) : RV_TOLERANCE_OPEN;
	*ret_percent = t && t->kind == RV_TOLERATES_PERCENT ? t->n : -1;
	POST(*ret_allowed == RV_TOLERANCE_OPEN || *ret_percent == -1);
}

/* ${dead} of its jobs are: if that is too many, it has failed. */
static int fail_if(struct rv_sqlite *s, int64_t id, int64_t allowed, int64_t dead)
{
	PRE(s->open && id > 0);
	if (!rv_tolerance_exceeded(allowed, dead))
		return RV_OK;
	rv_store_note_ring(&s->base, RV_RING_SCHEDULED, "", 0); /* the keeper sweeps */
	return rv_sqlite_run1(s, RV_SQL_BATCH_FAIL, "ii", id, s->now_us);
}

int rv_sqlite_batch_close(struct rv_sqlite *s, const struct rv_batch_view *view)
{
	int64_t allowed = rv_tolerance_closed(view->allowed, view->percent, view->total);
	int err = rv_sqlite_run1(s, RV_SQL_BATCH_CLOSE, "iii", view->id, s->now_us, allowed);

	PRE(view->closed_us == 0);
	/* A share is known only now; a number was looked at with each that died. */
	return err == RV_OK && view->failed_us == 0 && view->percent >= 0
		       ? fail_if(s, view->id, allowed, view->dead)
		       : err;
}

int rv_sqlite_batch_dies(struct rv_sqlite *s, int64_t job)
{
	sqlite3_stmt *stmt;
	int64_t id;
	int64_t allowed;
	int64_t dead;
	int err = rv_sqlite_start(s, RV_SQL_BATCH_DIES, &stmt, "i", job);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK) /* it tolerates all, has failed already, or was forgotten */
		return err == RV_E_NOTFOUND ? RV_OK : err;
	id = sqlite3_column_int64(stmt, 0);
	allowed = sqlite3_column_int64(stmt, 1);
	dead = sqlite3_column_int64(stmt, 2);
	rv_sqlite_end(stmt);
	return fail_if(s, id, allowed, dead);
}

int rv_sqlite_batch_failed(struct rv_sqlite *s, struct rv_sqlite_place *place,
			   enum rv_job_state from, const struct rv_sqlite_run *run)
{
	char says[RV_TOLERANCE_SAYS_MAX];
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_BATCH_FAILED, &stmt, "i", place->id);

	PRE(place->marks & RV_MARK_BATCH);
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	rv_tolerance_says(says, sqlite3_column_int64(stmt, 1), sqlite3_column_int64(stmt, 0),
			  sqlite3_column_int64(stmt, 2));
	rv_sqlite_end(stmt);
	err = rv_sqlite_give_back(s, place);
	return err == RV_OK ? rv_sqlite_to_done(s, place, from, RV_JOB_CANCELLED, says, run) : err;
}

/* The first batch that has failed and was not swept; NOTFOUND. */
static int next_sweep(struct rv_sqlite *s, struct sweep *ret_sweep)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_BATCH_SWEEP, &stmt, "");

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	ret_sweep->id = sqlite3_column_int64(stmt, 0);
	ret_sweep->below = sqlite3_column_int64(stmt, 1);
	ret_sweep->stops = sqlite3_column_int64(stmt, 2) != 0;
	rv_tolerance_says(ret_sweep->says, sqlite3_column_int64(stmt, 4),
			  sqlite3_column_int64(stmt, 3), sqlite3_column_int64(stmt, 5));
	rv_sqlite_end(stmt);
	return RV_OK;
}

static int sweep_one(struct rv_sqlite *s, const struct sweep *sweep, int64_t id)
{
	struct rv_sqlite_lease lease;
	struct rv_sqlite_place place;
	enum rv_job_state from;
	int err = rv_sqlite_lease(s, id, &lease);

	if (err == RV_OK) /* fetched is not started: it is cancelled as a person would */
		return sweep->stops || !lease.started
			       ? rv_sqlite_run1(s, RV_SQL_LEASE_CANCEL, "ii", id, lease.place.fence)
			       : RV_OK;
	if (err == RV_E_NOTFOUND)
		err = rv_sqlite_take_waiting(s, id, &place, &from);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	return rv_sqlite_to_done(s, &place, from, RV_JOB_CANCELLED, sweep->says, NULL);
}

/* Up to ${limit} jobs of it; ${ids} has room for them. */
static int sweep_batch(struct rv_sqlite *s, struct sweep *sweep, uint32_t limit, int64_t *ids,
		       uint32_t *ret_swept)
{
	struct rv_job_filter filter = {
		.states = BIT(SCHEDULED) | BIT(READY) | BIT(BLOCKED) |
			  (sweep->stops ? BIT(RUNNING) : 0),
		.batch = sweep->id,
	};
	uint32_t swept = 0;

	PRE(limit > 0 && ids);
	while (swept < limit && sweep->below != 0) {
		int64_t reach;
		int64_t n;
		int err;

		filter.before_id = sweep->below;
		filter.limit = limit - swept;
		err = rv_sqlite_ids(s, &filter, ids, &n, &reach);
		for (int64_t i = 0; err == RV_OK && i < n; i++)
			err = sweep_one(s, sweep, ids[i]);
		if (err != RV_OK)
			return err;
		swept += (uint32_t)n;
		sweep->below = n == filter.limit ? ids[n - 1] : reach;
	}
	POST(swept <= limit);
	*ret_swept = swept;
	return RV_OK;
}

int rv_sqlite_sweep(struct rv_sqlite *s, uint32_t limit, uint32_t *ret_swept)
{
	struct sweep sweep;
	uint32_t swept = 0;
	int64_t *ids;
	int err = next_sweep(s, &sweep);

	PRE(s->open);
	*ret_swept = 0;
	if (err != RV_OK || limit == 0)
		return err == RV_E_NOTFOUND ? RV_OK : err;
	ids = calloc(limit, sizeof *ids);
	if (!ids)
		return RV_E_NOMEM;
	while (err == RV_OK && *ret_swept < limit) {
		err = sweep_batch(s, &sweep, limit - *ret_swept, ids, &swept);
		if (err == RV_OK)
			err = rv_sqlite_run1(s, RV_SQL_BATCH_SWEPT, "ii", sweep.id, sweep.below);
		*ret_swept += swept;
		if (err == RV_OK && sweep.below == 0)
			err = next_sweep(s, &sweep);
		else
			break;
	}
	free(ids);
	return err == RV_E_NOTFOUND ? RV_OK : err;
}
