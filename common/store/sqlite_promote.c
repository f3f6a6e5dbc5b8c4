/*
 * Time: due jobs become ready, jobs not started within their ttl end.  The keeper, and a worker
 * whose claim found nothing.  Bounded by a limit, so that a transaction stays short.
 */
#include "store/sqlite.h"
#include "store/sqlite_batch.h"
#include "store/sqlite_limit.h"
#include "store/sqlite_move.h"
#include "store/sqlite_tally.h"

#include "base/check.h"
#include "base/seam.h"
#include "core/job.h"

static int promote_one(struct rv_sqlite *s, int64_t id)
{
	struct rv_sqlite_place place;
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_SCHEDULED_OF, &stmt, "i", id);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	err = rv_sqlite_place_read(s, stmt, 0, id, &place);
	rv_sqlite_end(stmt);
	if (err == RV_OK)
		err = rv_sqlite_run1(s, RV_SQL_SCHEDULED_DROP, "i", id);
	return err == RV_OK ? rv_sqlite_to_ready(s, &place, RV_JOB_SCHEDULED, NULL) : err;
}

int rv_sqlite_promote(struct rv_sqlite *s, uint32_t limit, uint32_t *ret_promoted)
{
	uint32_t promoted = 0;

	PRE(s->open);
	while (promoted < limit) {
		int64_t id;
		int err = rv_sqlite_number(s, RV_SQL_SCHEDULED_DUE, &id, "i", s->now_us);

		if (err == RV_E_NOTFOUND)
			break;
		if (err == RV_OK)
			err = promote_one(s, id);
		if (err != RV_OK)
			return err;
		promoted++;
	}
	*ret_promoted = promoted;
	POST(promoted <= limit);
	return RV_OK;
}

int rv_sqlite_find_waiting(struct rv_sqlite *s, int64_t id, struct rv_sqlite_place *ret_place,
			   enum rv_job_state *ret_from)
{
	static const struct {
		enum rv_sqlite_stmt of;
		enum rv_job_state state;
	} tables[] = {
		{RV_SQL_READY_OF, RV_JOB_READY},
		{RV_SQL_SCHEDULED_OF, RV_JOB_SCHEDULED},
		{RV_SQL_BLOCKED_OF, RV_JOB_BLOCKED},
	};

	PRE(s->open);
	for (size_t i = 0; i < RV_ARRAY_LEN(tables); i++) {
		sqlite3_stmt *stmt;
		int err = rv_sqlite_start(s, tables[i].of, &stmt, "i", id);

		if (err == RV_OK)
			err = rv_sqlite_step(s, stmt);
		if (err == RV_E_NOTFOUND)
			continue;
		if (err != RV_OK)
			return err;
		err = rv_sqlite_place_read(s, stmt, 0, id, ret_place);
		rv_sqlite_end(stmt);
		*ret_from = tables[i].state;
		if (err == RV_OK && *ret_from != RV_JOB_READY &&
		    (ret_place->marks & RV_MARK_PASSED))
			return RV_E_CORRUPT; /* who waits holds nothing */
		return err;
	}
	return RV_E_NOTFOUND;
}

int rv_sqlite_drop_waiting(struct rv_sqlite *s, const struct rv_sqlite_place *place,
			   enum rv_job_state from)
{
	PRE(from == RV_JOB_READY || from == RV_JOB_SCHEDULED || from == RV_JOB_BLOCKED);
	if (from == RV_JOB_READY)
		return rv_sqlite_run1(s, RV_SQL_READY_DROP, "iii", place->queue->id, place->ord,
				      place->id);
	return rv_sqlite_run1(
		s, from == RV_JOB_SCHEDULED ? RV_SQL_SCHEDULED_DROP : RV_SQL_BLOCKED_DROP, "i",
		place->id);
}

/* The place of a job that is neither leased nor final, its row gone from its table. */
int rv_sqlite_take_waiting(struct rv_sqlite *s, int64_t id, struct rv_sqlite_place *ret_place,
			   enum rv_job_state *ret_from)
{
	int err = rv_sqlite_find_waiting(s, id, ret_place, ret_from);

	if (err == RV_OK)
		err = rv_sqlite_leave_gates(s, ret_place, *ret_from);
	return err == RV_OK ? rv_sqlite_drop_waiting(s, ret_place, *ret_from) : err;
}

/* A leased job may be running already: its ttl is looked at again when the lease has ended. */
static int expire_one(struct rv_sqlite *s, int64_t id, bool *ret_expired)
{
	struct rv_sqlite_place place;
	enum rv_job_state from;
	int err = rv_sqlite_take_waiting(s, id, &place, &from);

	*ret_expired = err == RV_OK;
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_OK : err;
	return rv_sqlite_to_done(s, &place, from, RV_JOB_CANCELLED, RV_SAYS_EXPIRED, NULL);
}

static int expire(struct rv_sqlite *s, uint32_t limit, uint32_t *ret_expired)
{
	int64_t at = 0;
	int64_t id = 0;
	uint32_t expired = 0;

	while (expired < limit) {
		sqlite3_stmt *stmt;
		bool did = false;
		int err = rv_sqlite_start(s, RV_SQL_TTL_DUE, &stmt, "iii", s->now_us, at, id);

		if (err == RV_OK)
			err = rv_sqlite_step(s, stmt);
		if (err == RV_E_NOTFOUND)
			break;
		if (err != RV_OK)
			return err;
		at = sqlite3_column_int64(stmt, 0);
		id = sqlite3_column_int64(stmt, 1);
		rv_sqlite_end(stmt);
		err = expire_one(s, id, &did);
		if (err != RV_OK)
			return err;
		expired += did;
	}
	*ret_expired = expired;
	POST(expired <= limit);
	return RV_OK;
}

static int forget_old(struct rv_sqlite *s)
{
	int64_t gone = 0;
	int err = rv_sqlite_run(s, RV_SQL_IDEM_EXPIRE, NULL, "i", s->now_us);

	if (err == RV_OK)
		err = rv_sqlite_run(s, RV_SQL_UKEY_EXPIRE, NULL, "i", s->now_us);
	if (err != RV_OK || s->tally.waiters == 0)
		return err;
	err = rv_sqlite_run(s, RV_SQL_WAITER_EXPIRE, &gone, "i", s->now_us);
	if (err == RV_OK && gone > 0) {
		s->tally.waiters -= gone;
		s->tally.dirty = true;
	}
	return err;
}

int rv_sqlite_do_promote(struct rv_sqlite *s, struct rv_req *req)
{
	struct rv_req_promote *promote = &req->u.promote;
	uint32_t granted;
	int64_t due;
	int err = expire(s, promote->limit, &promote->expired);

	promote->sweep_us = rv_mono_us();
	if (err == RV_OK)
		err = rv_sqlite_sweep(s, promote->sweep, &promote->swept);
	promote->sweep_us = rv_mono_us() - promote->sweep_us;
	if (err == RV_OK)
		err = rv_sqlite_promote(s, promote->limit, &promote->promoted);
	if (err == RV_OK)
		err = rv_sqlite_grant_due(s, promote->limit, &granted);
	if (err == RV_OK)
		err = rv_sqlite_gates_store(s);
	if (err == RV_OK)
		err = rv_sqlite_gates_due(s, &due);
	if (err == RV_OK)
		err = forget_old(s);
	if (err != RV_OK)
		return err;
	promote->next_due_us = due;
	err = rv_sqlite_number(s, RV_SQL_SCHEDULED_NEXT, &due, "");
	if (err == RV_OK && (promote->next_due_us == 0 || due < promote->next_due_us))
		promote->next_due_us = due;
	return err == RV_E_NOTFOUND ? RV_OK : err;
}
