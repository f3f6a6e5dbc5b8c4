/*
 * What people change of a job that waits: HOLD and EDIT.  The CLI.
 * A job that a worker has fetched is not touched: it may start at any moment.
 */
#include "store/sqlite.h"
#include "store/sqlite_limit.h"
#include "store/sqlite_move.h"
#include "store/sqlite_order.h"

#include "base/check.h"
#include "core/job.h"

/* Where the job waits; CONFLICT with words when it does not. */
static int waiting(struct rv_sqlite *s, struct rv_req *req, unsigned only, int32_t *ret_was,
		   struct rv_sqlite_place *ret_place, enum rv_job_state *ret_from)
{
	int64_t id = req->kind == RV_REQ_HOLD ? req->u.hold.job : req->u.edit.job;
	int err = rv_sqlite_shown(s, req, id, ret_was);

	if (err != RV_OK)
		return err;
	err = rv_rules_only(only, id, *ret_was, &req->why);
	if (err == RV_OK)
		err = rv_sqlite_find_waiting(s, id, ret_place, ret_from);
	return err == RV_E_NOTFOUND
		       ? rv_rules_waits_not(&req->why, id, (enum rv_job_state) * ret_was)
		       : err;
}

/* What a blocked row says beside its place. */
static int blocked_of(struct rv_sqlite *s, int64_t id, int64_t *ret_waits, int64_t *ret_due)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_BLOCKED_OF, &stmt, "i", id);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	*ret_waits = sqlite3_column_int64(stmt, 8);
	*ret_due = sqlite3_column_int64(stmt, 9);
	rv_sqlite_end(stmt);
	return RV_OK;
}

static int hold(struct rv_sqlite *s, struct rv_sqlite_place *place, enum rv_job_state from)
{
	int64_t due;
	int err;

	place->marks |= RV_MARK_HELD;
	if (from == RV_JOB_BLOCKED)
		return rv_sqlite_run1(s, RV_SQL_BLOCKED_MARK, "ii", place->id,
				      (int64_t)place->marks);
	err = rv_sqlite_number(s,
			       from == RV_JOB_SCHEDULED ? RV_SQL_SCHEDULED_AT : RV_SQL_JOB_RUN_AT,
			       &due, "i", place->id);
	if (err == RV_OK)
		err = rv_sqlite_drop_waiting(s, place, from);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	return rv_sqlite_to_blocked(s, place, from, 0, due);
}

static int release(struct rv_sqlite *s, struct rv_sqlite_place *place)
{
	int64_t waits;
	int64_t due;
	int err = blocked_of(s, place->id, &waits, &due);

	place->marks &= ~RV_MARK_HELD;
	if (err != RV_OK)
		return err;
	if (waits > 0)
		return rv_sqlite_run1(s, RV_SQL_BLOCKED_MARK, "ii", place->id,
				      (int64_t)place->marks);
	err = rv_sqlite_drop_waiting(s, place, RV_JOB_BLOCKED);
	return err == RV_OK ? rv_sqlite_unblock(s, place, due) : err;
}

int rv_sqlite_do_hold(struct rv_sqlite *s, struct rv_req *req)
{
	struct rv_req_hold *want = &req->u.hold;
	struct rv_sqlite_place place = {.id = 0};
	enum rv_job_state from = RV_JOB_READY;
	int err = waiting(s, req, want->only, &want->was, &place, &from);

	if (err != RV_OK)
		return err;
	err = rv_rules_hold(want, (place.marks & RV_MARK_HELD) != 0, &req->why);
	if (err == RV_OK)
		err = rv_sqlite_unpark(s, &place, &from);
	if (err != RV_OK)
		return err;
	return want->held ? hold(s, &place, from) : release(s, &place);
}

/* A new place in the queue, where the priority counts for it. */
static int new_place(struct rv_sqlite *s, struct rv_sqlite_place *place)
{
	struct rv_order job = {.sequence = place->id};
	char key[RV_KEY_MAX];
	sqlite3_stmt *stmt;
	int err;

	if (place->queue->strategy != RV_STRATEGY_PRIORITY)
		return RV_OK;
	err = rv_sqlite_start(s, RV_SQL_JOB_PLACE, &stmt, "i", place->id);
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	err = rv_sqlite_order_read(stmt, 2, &job, key);
	rv_sqlite_end(stmt);
	if (err == RV_OK && (place->marks & RV_MARK_MOVED))
		err = rv_sqlite_number(s, RV_SQL_MOVED_SEQ, &job.sequence, "i", place->id);
	if (err != RV_OK || !rv_order_sequence_sane(job.sequence))
		return err == RV_OK || err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	err = rv_sqlite_queue_touch(s, place->queue);
	if (err == RV_OK)
		err = rv_sqlite_order(s, place->queue, &job, key, &place->ord);
	if (err != RV_OK)
		return err;
	place->marks |= RV_MARK_MOVED;
	return rv_sqlite_run(s, RV_SQL_MOVED_PUT, NULL, "iii", place->id, place->ord, job.sequence);
}

/* It stays in its table. */
static int put_back(struct rv_sqlite *s, const struct rv_sqlite_place *before,
		    const struct rv_sqlite_place *place, enum rv_job_state from, int64_t run_at)
{
	if (from == RV_JOB_READY)
		return rv_sqlite_run1(s, RV_SQL_READY_EDIT, "iiiiii", place->queue->id, before->ord,
				      place->id, place->ord, (int64_t)place->granted,
				      (int64_t)place->marks);
	if (from == RV_JOB_SCHEDULED && run_at > 0)
		rv_store_note_ring(&s->base, RV_RING_SCHEDULED, "", 0);
	return rv_sqlite_run1(
		s, from == RV_JOB_SCHEDULED ? RV_SQL_SCHEDULED_EDIT : RV_SQL_BLOCKED_EDIT, "iiiii",
		place->id, place->ord, (int64_t)place->granted, (int64_t)place->marks, run_at);
}

/* To where its new time sends it. */
static int settle(struct rv_sqlite *s, const struct rv_sqlite_place *before,
		  struct rv_sqlite_place *place, enum rv_job_state from, int64_t run_at)
{
	enum rv_job_state to = from;
	int err;

	if (run_at > 0 && from != RV_JOB_BLOCKED)
		to = run_at > s->now_us ? RV_JOB_SCHEDULED : RV_JOB_READY;
	if (to == from)
		return put_back(s, before, place, from, run_at);
	err = rv_sqlite_drop_waiting(s, before, from);
	if (err != RV_OK)
		return err;
	return to == RV_JOB_SCHEDULED ? rv_sqlite_to_scheduled(s, place, from, run_at)
				      : rv_sqlite_to_ready(s, place, from, NULL);
}

int rv_sqlite_reschedule(struct rv_sqlite *s, struct rv_sqlite_place *place, enum rv_job_state from,
			 int64_t run_at_us)
{
	struct rv_sqlite_place before;
	int err = rv_sqlite_unpark(s, place, &from);

	PRE(run_at_us > 0);
	if (err == RV_OK)
		err = rv_sqlite_run1(s, RV_SQL_JOB_EDIT, "iiii", place->id, (int64_t)-1, (int64_t)0,
				     run_at_us);
	before = *place;
	return err == RV_OK ? settle(s, &before, place, from, run_at_us) : err;
}

int rv_sqlite_do_edit(struct rv_sqlite *s, struct rv_req *req)
{
	struct rv_req_edit *edit = &req->u.edit;
	struct rv_sqlite_place before;
	struct rv_sqlite_place place = {.id = 0};
	enum rv_job_state from = RV_JOB_READY;
	int err = rv_rules_edit(edit, &req->why);

	if (err == RV_OK)
		err = waiting(s, req, 0, &edit->was, &place, &from);
	if (err == RV_OK)
		err = rv_rules_edit_attempts(edit, place.attempts, &req->why);
	if (err == RV_OK)
		err = rv_sqlite_unpark(s, &place, &from);
	if (err == RV_OK)
		err = rv_sqlite_run1(s, RV_SQL_JOB_EDIT, "iiii", edit->job, (int64_t)edit->priority,
				     (int64_t)edit->max_attempts, edit->run_at_us);
	if (err != RV_OK)
		return err;
	before = place;
	if (edit->max_attempts > 0)
		place.granted = 0;
	if (edit->priority >= 0)
		err = new_place(s, &place);
	return err == RV_OK ? settle(s, &before, &place, from, edit->run_at_us) : err;
}
