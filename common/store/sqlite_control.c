/*
 * What people ask for: CANCEL, RETRY, DELETE, PAUSE, WAITER.  The CLI.
 * A refused one says why in words and changes nothing.
 */
#include "store/sqlite.h"
#include "store/sqlite_limit.h"
#include "store/sqlite_move.h"
#include "store/sqlite_order.h"
#include "store/sqlite_tally.h"

#include "base/check.h"
#include "core/job.h"

static int no_job(struct rv_req *req, int64_t id)
{
	return rv_fail(&req->why, RV_E_NOTFOUND, "no such job %lld", (long long)id);
}

int rv_sqlite_shown(struct rv_sqlite *s, struct rv_req *req, int64_t id, int32_t *ret_state)
{
	int64_t state;
	int err = rv_sqlite_number(s, RV_SQL_SHOWN, &state, "i", id);

	if (err == RV_E_NOTFOUND)
		return no_job(req, id);
	if (err == RV_OK && (state < 0 || state >= RV_JOB_STATES))
		return RV_E_CORRUPT;
	if (err == RV_OK)
		*ret_state = (int32_t)state;
	return err;
}

static int wrong_state(struct rv_req *req, int64_t id, int32_t state)
{
	PRE(state >= 0 && state < RV_JOB_STATES);
	return rv_fail(&req->why, RV_E_CONFLICT, "job %lld is %s", (long long)id,
		       rv_job_state_name((enum rv_job_state)state));
}

int rv_sqlite_do_cancel(struct rv_sqlite *s, struct rv_req *req)
{
	struct rv_req_cancel *cancel = &req->u.cancel;
	struct rv_sqlite_lease lease;
	struct rv_sqlite_place place;
	enum rv_job_state from;
	int64_t slot = -1;
	int err = rv_sqlite_shown(s, req, cancel->job, &cancel->was);

	PRE(s->open);
	cancel->slot = -1;
	cancel->fence = 0;
	if (err == RV_OK)
		err = rv_rules_only(cancel->only, cancel->job, cancel->was, &req->why);
	if (err != RV_OK)
		return err;
	if (rv_job_state_final((enum rv_job_state)cancel->was))
		return wrong_state(req, cancel->job, cancel->was);
	err = rv_sqlite_lease(s, cancel->job, &lease);
	if (err == RV_OK) { /* prefetched ones too: it may start at any moment */
		err = rv_sqlite_number(s, RV_SQL_WORKER_SLOT, &slot, "i",
				       (int64_t)lease.place.incarnation);
		if (err != RV_OK)
			return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
		cancel->slot = (int32_t)slot;
		cancel->fence = lease.place.fence;
		return rv_sqlite_run1(s, RV_SQL_LEASE_CANCEL, "ii", cancel->job, lease.place.fence);
	}
	if (err != RV_E_NOTFOUND)
		return err;
	err = rv_sqlite_take_waiting(s, cancel->job, &place, &from);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	return rv_sqlite_to_done(s, &place, from, RV_JOB_CANCELLED, RV_SAYS_CANCELLED, NULL);
}

/*
 * The unique key is taken again, if nobody else has it.  Not one that was to be held until the
 * first start, which was, or for a time.
 */
static int take_key(struct rv_sqlite *s, struct rv_req *req, struct rv_sqlite_place *place,
		    const char *key, int64_t until_us)
{
	struct rv_holder holder;
	int err;

	if (key[0] == '\0' || until_us > 0 || (until_us == RV_UNTIL_STARTED && place->runs > 0))
		return RV_OK;
	err = rv_sqlite_holder(s, key, &holder);
	if (err == RV_OK)
		return rv_rules_held(&req->why, &holder, false, s->now_us);
	if (err != RV_E_NOTFOUND)
		return err;
	return rv_sqlite_key_put(s, place, key, until_us);
}

/* The job's row, as RETRY needs it: its queue, a new place there, its key. */
static int revive_place(struct rv_sqlite *s, struct rv_req *req, struct rv_sqlite_place *place)
{
	struct rv_order job = {.sequence = s->tally.job + 1}; /* behind all that are there */
	char unique[RV_KEY_MAX];
	char key[RV_KEY_MAX];
	int64_t until;
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_JOB_PLACE, &stmt, "i", place->id);

	PRE(place->id == req->u.retry.job);
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	place->queue = rv_sqlite_queue_by_id(s, sqlite3_column_int64(stmt, 0));
	rv_sqlite_text(stmt, 1, unique, sizeof unique);
	err = rv_sqlite_order_read(stmt, 2, &job, key);
	until = sqlite3_column_int64(stmt, 7);
	rv_sqlite_end(stmt);
	if (err != RV_OK || !rv_sqlite_sane(place))
		return RV_E_CORRUPT;
	err = rv_sqlite_queue_touch(s, place->queue);
	if (err == RV_OK)
		err = take_key(s, req, place, unique, until);
	job.since_us = s->now_us;
	if (err == RV_OK)
		err = rv_sqlite_order(s, place->queue, &job, key, &place->ord);
	if (err != RV_OK)
		return err;
	place->marks |= RV_MARK_MOVED;
	return rv_sqlite_run(s, RV_SQL_MOVED_PUT, NULL, "iii", place->id, place->ord, job.sequence);
}

int rv_sqlite_do_retry(struct rv_sqlite *s, struct rv_req *req)
{
	struct rv_req_retry *retry = &req->u.retry;
	struct rv_sqlite_place place = {.id = retry->job};
	sqlite3_stmt *stmt;
	int err = rv_sqlite_shown(s, req, retry->job, &retry->was);

	if (err == RV_OK)
		err = rv_rules_only(retry->only, retry->job, retry->was, &req->why);
	if (err != RV_OK)
		return err;
	if (retry->was != RV_JOB_DEAD && retry->was != RV_JOB_CANCELLED)
		return wrong_state(req, retry->job, retry->was);
	err = rv_sqlite_start(s, RV_SQL_DONE_OF, &stmt, "i", retry->job);
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	place.runs = sqlite3_column_int(stmt, 1);
	place.attempts = sqlite3_column_int(stmt, 2);
	place.granted = sqlite3_column_int(stmt, 3) + 1;
	place.marks = sqlite3_column_int(stmt, 4);
	place.event = sqlite3_column_int64(stmt, 5);
	rv_sqlite_end(stmt);
	err = revive_place(s, req, &place);
	if (err == RV_OK)
		err = rv_sqlite_run(s, RV_SQL_DONE_RUN_KEEP, NULL, "i", retry->job);
	if (err == RV_OK)
		err = rv_sqlite_run1(s, RV_SQL_DONE_DROP, "i", retry->job);
	if (err == RV_OK && (place.marks & RV_MARK_BATCH))
		err = rv_sqlite_batch_count(s, place.id, (enum rv_job_state)retry->was, -1);
	if (err != RV_OK)
		return err;
	return rv_sqlite_to_ready(s, &place, (enum rv_job_state)retry->was, NULL);
}

/* The job's events, from the last one back. */
static int drop_events(struct rv_sqlite *s, int64_t id, int64_t seq)
{
	while (seq > 0) {
		int64_t prev;
		int err = rv_sqlite_number(s, RV_SQL_EVENT_PREV, &prev, "ii", seq, id);

		if (err == RV_E_NOTFOUND)
			return RV_OK; /* older history was purged */
		if (err == RV_OK)
			err = rv_sqlite_run1(s, RV_SQL_EVENT_DROP, "i", seq);
		if (err != RV_OK)
			return err;
		seq = prev;
	}
	return RV_OK;
}

static int drop_rows(struct rv_sqlite *s, int64_t id, int marks)
{
	int64_t gone = 0;
	int err = rv_sqlite_run1(s, RV_SQL_DONE_DROP, "i", id);

	if (err == RV_OK)
		err = rv_sqlite_run1(s, RV_SQL_JOB_DROP, "i", id);
	if (err == RV_OK)
		err = rv_sqlite_run(s, RV_SQL_ATTEMPTS_DROP, NULL, "i", id);
	if (err == RV_OK)
		err = rv_sqlite_run(s, RV_SQL_PROGRESS_DROP, NULL, "i", id);
	if (err == RV_OK)
		err = rv_sqlite_run(s, RV_SQL_RESULT_DROP, NULL, "i", id);
	if (err == RV_OK && (marks & RV_MARK_MOVED))
		err = rv_sqlite_run1(s, RV_SQL_MOVED_DROP, "i", id);
	if (err == RV_OK && s->tally.waiters > 0)
		err = rv_sqlite_run(s, RV_SQL_WAITER_DROP, &gone, "i", id);
	s->tally.waiters -= gone;
	s->tally.dirty = s->tally.dirty || gone > 0;
	return err;
}

/* The kept numbers, without the job. */
static int count_out(struct rv_sqlite *s, const struct rv_sqlite_place *place,
		     enum rv_job_state state, struct rv_why *why)
{
	int err = rv_sqlite_queue_touch(s, place->queue);

	PRE(rv_job_state_final(state));
	if (err == RV_OK)
		err = rv_sqlite_span_moved(s, place, state, RV_JOB_NONE);
	if (err == RV_OK && (place->marks & RV_MARK_BATCH))
		err = rv_sqlite_batch_forget(s, place->id, why);
	if (err != RV_OK)
		return err;
	place->queue->now.of[state]--;
	place->queue->now.dirty = true;
	return RV_OK;
}

int rv_sqlite_do_remove(struct rv_sqlite *s, struct rv_req *req)
{
	struct rv_sqlite_place place = {.id = req->u.remove.job};
	sqlite3_stmt *stmt;
	int64_t child;
	int32_t state = 0;
	int err = rv_sqlite_shown(s, req, place.id, &state);

	if (err == RV_OK)
		err = rv_rules_only(req->u.remove.only, place.id, state, &req->why);
	if (err != RV_OK)
		return err;
	if (!rv_job_state_final((enum rv_job_state)state))
		return wrong_state(req, place.id, state);
	err = rv_sqlite_number(s, RV_SQL_DEP_CHILD, &child, "i", place.id);
	if (err == RV_OK)
		return rv_fail(&req->why, RV_E_CONFLICT, "job %lld waits for it", (long long)child);
	if (err == RV_E_NOTFOUND)
		err = rv_sqlite_start(s, RV_SQL_DONE_OF, &stmt, "i", place.id);
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	place.marks = sqlite3_column_int(stmt, 4);
	place.event = sqlite3_column_int64(stmt, 5);
	place.queue = rv_sqlite_queue_by_id(s, sqlite3_column_int64(stmt, 6));
	rv_sqlite_end(stmt);
	if (!rv_sqlite_sane(&place))
		return RV_E_CORRUPT;
	err = count_out(s, &place, (enum rv_job_state)state, &req->why);
	if (err == RV_OK)
		err = drop_rows(s, place.id, place.marks);
	return err == RV_OK ? drop_events(s, place.id, place.event) : err;
}

static int yield_one(struct rv_sqlite *s, const struct rv_sqlite_queue *queue, int64_t id)
{
	struct rv_sqlite_place place;
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_READY_OF, &stmt, "i", id);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_OK : err;
	err = rv_sqlite_place_read(s, stmt, 0, id, &place);
	rv_sqlite_end(stmt);
	if (err != RV_OK || place.queue != queue)
		return err;
	err = rv_sqlite_give_back(s, &place);
	return err == RV_OK ? rv_sqlite_run1(s, RV_SQL_READY_MARKS, "iiii", queue->id, place.ord,
					     id, (int64_t)place.marks)
			    : err;
}

/* Ready jobs of a paused queue give back what they hold of limits. */
static int yield(struct rv_sqlite *s, const struct rv_sqlite_queue *queue)
{
	int64_t id = 0;
	int err;

	while ((err = rv_sqlite_number(s, RV_SQL_READY_PASSED, &id, "i", id)) == RV_OK) {
		err = yield_one(s, queue, id);
		if (err != RV_OK)
			return err;
	}
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

int rv_sqlite_do_pause(struct rv_sqlite *s, struct rv_req *req)
{
	const struct rv_req_pause *pause = &req->u.pause;
	struct rv_sqlite_queue *queue = rv_sqlite_queue_named(s, pause->queue);
	enum rv_queue_gate gate = (enum rv_queue_gate)pause->paused;
	const struct rv_needs *kept;
	enum rv_queue_gate was;
	int64_t starved;
	int err;

	if (!queue)
		return rv_sqlite_queue_unknown(s, pause->queue, &req->why);
	if (pause->paused < 0 || pause->paused >= RV_QUEUE_GATES)
		return rv_fail(&req->why, RV_E_USAGE, "a queue is open, paused or draining");
	if (queue->gate == gate)
		return RV_OK;
	err = rv_sqlite_kept(s, &starved, &kept);
	if (err == RV_OK)
		err = rv_sqlite_run1(s, RV_SQL_QUEUE_PAUSE, "ii", queue->id, (int64_t)gate);
	if (err != RV_OK)
		return err;
	s->tally.names++;
	s->tally.dirty = true;
	was = queue->gate;
	err = rv_sqlite_names(s); /* what follows must see it paused */
	if (err == RV_OK)
		err = rv_sqlite_reserver_again(s);
	if (err != RV_OK)
		return err;
	queue = rv_sqlite_queue_named(s, pause->queue);
	if (!queue)
		return RV_E_CORRUPT;
	if (gate == RV_QUEUE_PAUSED)
		return yield(s, queue);
	if (was != RV_QUEUE_PAUSED)
		return RV_OK;
	rv_store_note_ring(&s->base, RV_RING_QUEUE, queue->name, 0);
	s->lend_due = true; /* children in the lines of tasks */
	return rv_sqlite_reconsider(s, queue->name);
}

static int forget_path(struct rv_sqlite *s, int64_t of, const char *path)
{
	int64_t gone = 0;
	int err = rv_sqlite_run(s, RV_SQL_WAITER_DROP_PATH, &gone, "ti", path, of);

	if (err == RV_OK && gone > 0) {
		s->tally.waiters -= gone;
		s->tally.dirty = true;
	}
	return err;
}

/* Whether the job, or batch, has ended. */
static int is_over(struct rv_sqlite *s, struct rv_req *req, bool *ret_over)
{
	int64_t job = req->u.waiter.job;
	sqlite3_stmt *stmt;
	int32_t state = 0;
	int err;

	if (job >= 0) {
		err = rv_sqlite_shown(s, req, job, &state);
		*ret_over = err == RV_OK && rv_job_state_final((enum rv_job_state)state);
		return err;
	}
	err = rv_sqlite_start(s, RV_SQL_BATCH_OF, &stmt, "i", -job);
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? rv_rules_no_batch(&req->why, -job) : err;
	*ret_over = sqlite3_column_int64(stmt, 6) != 0;
	rv_sqlite_end(stmt);
	return RV_OK;
}

/* Whether the queue has the room that is waited for. */
static int has_room(struct rv_sqlite *s, struct rv_req *req, int64_t *ret_of, bool *ret_over)
{
	const struct rv_req_waiter *waiter = &req->u.waiter;
	struct rv_sqlite_queue *queue = rv_sqlite_queue_named(s, waiter->queue);

	if (!queue)
		return rv_sqlite_queue_unknown(s, waiter->queue, &req->why);
	if (waiter->room < 1)
		return rv_fail(&req->why, RV_E_USAGE,
			       "who waits for room waits for one job's at least");
	*ret_of = RV_SQLITE_ROOM_OF(queue);
	return rv_sqlite_has_room(s, queue, waiter->room, ret_over);
}

int rv_sqlite_do_waiter(struct rv_sqlite *s, struct rv_req *req)
{
	const struct rv_req_waiter *waiter = &req->u.waiter;
	bool room = waiter->queue[0] != '\0';
	int64_t of = waiter->job;
	bool over = false;
	int err;

	if (waiter->path[0] == '\0')
		return rv_fail(&req->why, RV_E_USAGE, "a waiter has a path");
	if (waiter->job == INT64_MIN)
		return rv_rules_no_batch(&req->why, 0);
	if (waiter->expires_us == 0)
		return forget_path(s, waiter->job, waiter->path);
	if (room)
		err = has_room(s, req, &of, &over);
	else
		err = of == RV_WAITER_FOLLOWS ? RV_OK : is_over(s, req, &over);
	if (err != RV_OK)
		return err;
	if (over) { /* it came too late to be told later: tell it now */
		rv_store_note_ring(&s->base, RV_RING_WAITER, waiter->path, room ? 0 : of);
		return RV_OK;
	}
	err = forget_path(s, of, waiter->path);
	if (err == RV_OK)
		err = rv_sqlite_run(s, RV_SQL_WAITER_PUT, NULL, "itii", of, waiter->path,
				    waiter->expires_us, room ? waiter->room : (int64_t)0);
	if (err == RV_OK) {
		s->tally.waiters++;
		s->tally.dirty = true;
	}
	return err;
}
