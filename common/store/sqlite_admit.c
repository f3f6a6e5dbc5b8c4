/*
 * Unique keys: who holds one, and what becomes of a new job that wants it.  Whoever enqueues or
 * revives.  What is done to the holder is undone by the caller's savepoint when the job is refused
 * after all.  A key that was held for a time is forgotten here when the time is over, and by the
 * keeper.
 */
#include "store/sqlite.h"
#include "store/sqlite_batch.h"
#include "store/sqlite_limit.h"
#include "store/sqlite_move.h"

#include "base/check.h"
#include "core/admit.h"
#include "core/job.h"

#include <stdio.h>

int rv_sqlite_holder(struct rv_sqlite *s, const char *key, struct rv_holder *ret_holder)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_UKEY_OF, &stmt, "t", key);

	PRE(key[0] != '\0');
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	*ret_holder = (struct rv_holder){.id = sqlite3_column_int64(stmt, 0),
					 .until_us = sqlite3_column_int64(stmt, 1),
					 .shown = -1};
	rv_sqlite_end(stmt);
	if (ret_holder->until_us == 0 || ret_holder->until_us > s->now_us)
		return RV_OK;
	err = rv_sqlite_run1(s, RV_SQL_UKEY_FORGET, "t", key);
	return err == RV_OK ? RV_E_NOTFOUND : err;
}

int rv_sqlite_key_put(struct rv_sqlite *s, struct rv_sqlite_place *place, const char *key,
		      int64_t until_us)
{
	PRE(!(place->marks & (RV_MARK_UNIQUE | RV_MARK_STARTS)));
	if (until_us <= 0)
		place->marks |= RV_MARK_UNIQUE;
	if (until_us == RV_UNTIL_STARTED)
		place->marks |= RV_MARK_STARTS;
	return rv_sqlite_run(s, RV_SQL_UKEY_PUT, NULL, "tii", key, place->id,
			     rv_admit_held_until(until_us, s->now_us));
}

/* The holder, which waits, makes way for the next job. */
static int replace(struct rv_sqlite *s, struct rv_sqlite_place *place, enum rv_job_state from,
		   const char *key)
{
	char says[64];
	int err = rv_sqlite_leave_gates(s, place, from);

	if (err == RV_OK)
		err = rv_sqlite_drop_waiting(s, place, from);
	if (err != RV_OK)
		return err;
#ifdef RV_MUTANT_UNIQUE_REPLACED_RUNS
	err = rv_sqlite_to_ready(s, place, from, NULL);
	return err == RV_OK ? rv_sqlite_run(s, RV_SQL_UKEY_FORGET, NULL, "t", key) : err;
#endif
	PRE(from != RV_JOB_RUNNING);
	(void)snprintf(says, sizeof says, RV_SAYS_REPLACED, (long long)s->tally.job + 1);
	err = rv_sqlite_to_done(s, place, from, RV_JOB_CANCELLED, says, NULL);
	/* one that was held for a time is held still */
	return err == RV_OK ? rv_sqlite_run(s, RV_SQL_UKEY_FORGET, NULL, "t", key) : err;
}

/* What the holder is, for the sentence that says it cannot be moved. */
static int refuse(struct rv_sqlite *s, struct rv_holder *holder, bool waits, struct rv_why *why)
{
	struct rv_sqlite_lease lease;
	int64_t shown = -1;
	int err = waits ? rv_sqlite_number(s, RV_SQL_SHOWN, &shown, "i", holder->id) : RV_OK;

	if (err == RV_OK && (shown < -1 || shown >= RV_JOB_STATES))
		err = RV_E_CORRUPT;
	if (err == RV_OK && waits) {
		err = rv_sqlite_lease(s, holder->id, &lease);
		holder->leased = err == RV_OK;
	}
	if (err != RV_OK && err != RV_E_NOTFOUND)
		return err;
	holder->shown = (int32_t)shown;
	return rv_rules_held(why, holder, waits, s->now_us);
}

int rv_sqlite_unique(struct rv_sqlite *s, struct rv_req_enqueue *req, size_t i, bool *ret_answered,
		     struct rv_why *why)
{
	const struct rv_job_new *new = &req->jobs[i];
	bool moves = new->on_held == RV_ON_HELD_REPLACE || new->on_held == RV_ON_HELD_RESCHEDULE;
	struct rv_sqlite_place place;
	enum rv_job_state from = RV_JOB_READY;
	struct rv_holder holder;
	int err;

	PRE(s->open && i < req->count);
	*ret_answered = false;
	if (!rv_rules_said(new->unique_key))
		return RV_OK;
	err = rv_sqlite_holder(s, new->unique_key, &holder);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_OK : err;
	req->ret_ids[i] = holder.id;
	if (new->on_held == RV_ON_HELD_REJECT)
		return refuse(s, &holder, false, why);
	if (moves) {
		err = rv_sqlite_find_waiting(s, holder.id, &place, &from);
		if (err != RV_OK)
			return err == RV_E_NOTFOUND ? refuse(s, &holder, true, why) : err;
	}
	if (new->on_held == RV_ON_HELD_REPLACE) {
		req->replaced++;
		return replace(s, &place, from, new->unique_key);
	}
	*ret_answered = true;
	req->skipped++;
	if (new->on_held != RV_ON_HELD_RESCHEDULE)
		return RV_OK;
	req->rescheduled++;
	return rv_sqlite_reschedule(s, &place, from, new->run_at_us ? new->run_at_us : s->now_us);
}
