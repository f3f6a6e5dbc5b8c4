/*
 * The one place where a job changes its state: the event, the kept counts and the row of the new
 * table together, and for a final state all that follows from it.  Whoever executes requests.
 * Never called without the row of the old table being gone already.
 */
#include "store/sqlite.h"
#include "store/sqlite_batch.h"
#include "store/sqlite_limit.h"
#include "store/sqlite_move.h"
#include "store/sqlite_tally.h"

#include "base/check.h"
#include "core/admit.h"
#include "core/job.h"

#include <stdlib.h>

bool rv_sqlite_sane(const struct rv_sqlite_place *place)
{
	const int numbers[] = {place->runs, place->attempts, place->crashes, place->granted};

	for (size_t i = 0; i < RV_ARRAY_LEN(numbers); i++) {
		if (numbers[i] < 0 || numbers[i] > INT32_MAX / 2)
			return false;
	}
	if (place->marks < 0 ||
	    ((place->marks & RV_MARK_HAS_ANY) && !(place->marks & RV_MARK_PASSED)))
		return false;
	return place->queue && place->id > 0 && place->event >= 0;
}

int rv_sqlite_place_read(struct rv_sqlite *s, sqlite3_stmt *stmt, int column, int64_t id,
			 struct rv_sqlite_place *ret_place)
{
	struct rv_sqlite_place place = {
		.id = id,
		.queue = rv_sqlite_queue_by_id(s, sqlite3_column_int64(stmt, column)),
		.ord = sqlite3_column_int64(stmt, column + 1),
		.runs = sqlite3_column_int(stmt, column + 2),
		.attempts = sqlite3_column_int(stmt, column + 3),
		.crashes = sqlite3_column_int(stmt, column + 4),
		.granted = sqlite3_column_int(stmt, column + 5),
		.marks = sqlite3_column_int(stmt, column + 6),
		.event = sqlite3_column_int64(stmt, column + 7),
	};

	PRE(column >= 0 && column + 8 <= sqlite3_column_count(stmt));
	*ret_place = place;
	return rv_sqlite_sane(&place) ? RV_OK : RV_E_CORRUPT;
}

/* The moves of the table; out of ready also those of a prefetched run, told when it was over. */
static bool legal(enum rv_job_state from, enum rv_job_state to)
{
	if (from == RV_JOB_NONE)
		return to == RV_JOB_READY || to == RV_JOB_SCHEDULED || to == RV_JOB_BLOCKED;
	return from == to || rv_job_move_legal(from, to) ||
	       (from == RV_JOB_READY && rv_job_move_legal(RV_JOB_RUNNING, to));
}

int rv_sqlite_moved(struct rv_sqlite *s, struct rv_sqlite_place *place, enum rv_job_state from,
		    enum rv_job_state to, const char *reason)
{
	int64_t prev = place->event;
	struct rv_sqlite_counts *counts;
	int err = rv_sqlite_queue_touch(s, place->queue);

	PRE(s->open && to < RV_JOB_STATES);
	PRE(legal(from, to));
	place->state = to;
	if (err == RV_OK)
		err = rv_sqlite_span_moved(s, place, from, to);
	if (err != RV_OK || from == to)
		return err;
	counts = &place->queue->now;
	if (from != RV_JOB_NONE)
		counts->of[from]--;
	counts->of[to]++;
	counts->dirty = true;
	s->tally.dirty = true;
	place->event = ++s->tally.event;
	if (from == RV_JOB_NONE)
		return rv_sqlite_run(s, RV_SQL_EVENT_FIRST, NULL, "iiii", place->event, s->now_us,
				     place->id, (int64_t)to);
	return rv_sqlite_run(s, RV_SQL_EVENT, NULL, "iiiiiinnt", place->event, s->now_us, place->id,
			     prev, (int64_t)from, (int64_t)to, place->fence,
			     (int64_t)place->incarnation, reason);
}

int rv_sqlite_to_ready(struct rv_sqlite *s, struct rv_sqlite_place *place, enum rv_job_state from,
		       const char *reason)
{
	int err = rv_sqlite_moved(s, place, from, RV_JOB_READY, reason);

	if (err != RV_OK)
		return err;
	rv_store_note_ring(&s->base, RV_RING_QUEUE, place->queue->name, 0);
	return rv_sqlite_run(s, RV_SQL_READY_PUT, NULL, "iiiiiiiiii", place->queue->id, place->ord,
			     place->id, s->now_us, (int64_t)place->runs, (int64_t)place->attempts,
			     (int64_t)place->crashes, (int64_t)place->granted,
			     (int64_t)place->marks, place->event);
}

int rv_sqlite_to_scheduled(struct rv_sqlite *s, struct rv_sqlite_place *place,
			   enum rv_job_state from, int64_t run_at)
{
	int err = rv_sqlite_moved(s, place, from, RV_JOB_SCHEDULED, NULL);

	PRE(run_at > s->now_us);
	if (err != RV_OK)
		return err;
	rv_store_note_ring(&s->base, RV_RING_SCHEDULED, "", 0);
	return rv_sqlite_run(s, RV_SQL_SCHEDULED_PUT, NULL, "iiiiiiiiii", place->id,
			     place->queue->id, place->ord, (int64_t)place->runs,
			     (int64_t)place->attempts, (int64_t)place->crashes,
			     (int64_t)place->granted, (int64_t)place->marks, place->event, run_at);
}

int rv_sqlite_to_blocked(struct rv_sqlite *s, struct rv_sqlite_place *place, enum rv_job_state from,
			 int64_t waits, int64_t due)
{
	int err = rv_sqlite_moved(s, place, from, RV_JOB_BLOCKED, NULL);

	PRE(waits > 0 || (place->marks & RV_MARK_HELD));
	if (err != RV_OK)
		return err;
	return rv_sqlite_run(
		s, RV_SQL_BLOCKED_PUT, NULL, "iiiiiiiiiii", place->id, place->queue->id, place->ord,
		(int64_t)place->runs, (int64_t)place->attempts, (int64_t)place->crashes,
		(int64_t)place->granted, (int64_t)place->marks, place->event, waits, due);
}

int rv_sqlite_unblock(struct rv_sqlite *s, struct rv_sqlite_place *place, int64_t due)
{
	PRE(!(place->marks & RV_MARK_HELD));
	if (due > s->now_us)
		return rv_sqlite_to_scheduled(s, place, RV_JOB_BLOCKED, due);
	return rv_sqlite_to_ready(s, place, RV_JOB_BLOCKED, NULL);
}

int rv_sqlite_to_parked(struct rv_sqlite *s, struct rv_sqlite_place *place, const char *gate,
			int64_t line)
{
	int err = rv_sqlite_moved(s, place, RV_JOB_READY, RV_JOB_BLOCKED, NULL);

	PRE(!(place->marks & (RV_MARK_PASSED | RV_MARK_HOLDS_ANY)));
	if (err != RV_OK)
		return err;
	return rv_sqlite_run(s, RV_SQL_PARKED_PUT, NULL, "iiiiiiiiiti", place->id, place->queue->id,
			     place->ord, (int64_t)place->runs, (int64_t)place->attempts,
			     (int64_t)place->crashes, (int64_t)place->granted,
			     (int64_t)place->marks, place->event, gate, line);
}

static int ttl_drop(struct rv_sqlite *s, struct rv_sqlite_place *place)
{
	if (!(place->marks & RV_MARK_TTL))
		return RV_OK;
	place->marks &= ~RV_MARK_TTL;
	return rv_sqlite_run1(s, RV_SQL_TTL_DROP, "i", place->id);
}

/* The unique key is free, unless it is held for a time. */
static int key_drop(struct rv_sqlite *s, struct rv_sqlite_place *place)
{
	if (!(place->marks & RV_MARK_UNIQUE))
		return RV_OK;
	place->marks &= ~(RV_MARK_UNIQUE | RV_MARK_STARTS);
	return rv_sqlite_run1(s, RV_SQL_UKEY_DROP, "i", place->id);
}

int rv_sqlite_started(struct rv_sqlite *s, struct rv_sqlite_place *place)
{
	int err = ttl_drop(s, place);

#ifndef RV_MUTANT_UNIQUE_UNTIL_STARTED_KEPT
	if (err == RV_OK && (place->marks & RV_MARK_STARTS))
		err = key_drop(s, place);
#endif
	return err;
}

int rv_sqlite_attempt(struct rv_sqlite *s, const struct rv_sqlite_place *place,
		      const struct rv_sqlite_run *run)
{
	PRE(run->worker);
	PRE(run->outcome >= RV_OUTCOME_SUCCEEDED && run->outcome <= RV_OUTCOME_CRASHED);
	return rv_sqlite_run(s, RV_SQL_ATTEMPT_PUT, NULL, "iiiitiiiiiiiiiit", place->id,
			     (int64_t)place->runs, place->fence, (int64_t)place->incarnation,
			     run->worker, (int64_t)run->attempt, run->started, run->ended,
			     (int64_t)run->outcome, (int64_t)run->exit_code, (int64_t)run->signo,
			     run->user, run->sys, run->maxrss, run->output,
			     rv_rules_said(run->error));
}

static int put_done(struct rv_sqlite *s, const struct rv_sqlite_place *place,
		    enum rv_job_state state, const char *error, const struct rv_sqlite_run *run)
{
	PRE(rv_job_state_final(state));
	if (!run)
		return rv_sqlite_run(s, RV_SQL_DONE_PUT, NULL, "iiiiiiiiiit", place->id,
				     place->queue->id, (int64_t)place->runs,
				     (int64_t)place->attempts, (int64_t)place->crashes,
				     (int64_t)place->granted, (int64_t)place->marks, place->event,
				     (int64_t)state, s->now_us, rv_rules_said(error));
	return rv_sqlite_run(
		s, RV_SQL_DONE_RUN_PUT, NULL, "iiiiiiiiiitiitiiiiiiiiiit", place->id,
		place->queue->id, (int64_t)place->runs, (int64_t)place->attempts,
		(int64_t)place->crashes, (int64_t)place->granted, (int64_t)place->marks,
		place->event, (int64_t)state, s->now_us, rv_rules_said(error), place->fence,
		(int64_t)place->incarnation, run->worker, (int64_t)run->attempt, run->started,
		run->ended, (int64_t)run->outcome, (int64_t)run->exit_code, (int64_t)run->signo,
		run->user, run->sys, run->maxrss, run->output, rv_rules_said(run->error));
}

static void ring_one(struct rv_sqlite *s, sqlite3_stmt *stmt, int64_t id)
{
	char path[108];

	rv_sqlite_text(stmt, 0, path, sizeof path);
	rv_store_note_ring(&s->base, RV_RING_WAITER, path, id);
}

/* All who wait for ${id}; their rows stay. */
static int ring_all(struct rv_sqlite *s, int64_t id)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_WAITER_OF, &stmt, "ii", id, s->now_us);

	if (err != RV_OK)
		return err;
	while ((err = rv_sqlite_step(s, stmt)) == RV_OK)
		ring_one(s, stmt, id);
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

int rv_sqlite_ring_followers(struct rv_sqlite *s)
{
	PRE(s->open && s->tally.event >= s->tally.begun);
	if (s->tally.waiters == 0 || s->tally.event == s->tally.begun)
		return RV_OK;
#ifdef RV_MUTANT_FOLLOWERS_NOT_RUNG
	return RV_OK;
#endif
	return ring_all(s, RV_WAITER_FOLLOWS);
}

int rv_sqlite_ring_waiters(struct rv_sqlite *s, int64_t id)
{
	int64_t gone = 0;
	int err;

	if (s->tally.waiters == 0)
		return RV_OK;
	err = ring_all(s, id);
	if (err == RV_OK)
		err = rv_sqlite_run(s, RV_SQL_WAITER_DROP, &gone, "i", id);
	if (err == RV_OK && gone > 0) {
		s->tally.waiters -= gone;
		s->tally.dirty = true;
	}
	return err;
}

static int drop_parents(struct rv_sqlite *s, int64_t child)
{
	int64_t gone = 0;
	int err = rv_sqlite_run(s, RV_SQL_DEP_DROP_CHILD, &gone, "i", child);

	if (err == RV_OK && gone > 0) {
		s->tally.deps -= gone;
		s->tally.dirty = true;
	}
	return err;
}

/* The child's row in blocked. */
static int blocked_of(struct rv_sqlite *s, int64_t child, struct rv_sqlite_place *ret_place,
		      int64_t *ret_waits, int64_t *ret_due)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_BLOCKED_OF, &stmt, "i", child);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	*ret_waits = sqlite3_column_int64(stmt, 8);
	*ret_due = sqlite3_column_int64(stmt, 9);
	err = rv_sqlite_place_read(s, stmt, 0, child, ret_place);
	rv_sqlite_end(stmt);
	return err;
}

/* One parent less; without any left the child may run. */
static int free_child(struct rv_sqlite *s, int64_t parent, int64_t child)
{
	struct rv_sqlite_place place;
	int64_t waits;
	int64_t due;
	int err = rv_sqlite_run1(s, RV_SQL_DEP_DROP, "ii", parent, child);

	if (err != RV_OK)
		return err;
	s->tally.deps--;
	s->tally.dirty = true;
	err = blocked_of(s, child, &place, &waits, &due);
	if (err != RV_OK)
		return err;
	if (waits > 1 || (place.marks & RV_MARK_HELD))
		return rv_sqlite_run1(s, RV_SQL_BLOCKED_LESS, "i", child);
	err = rv_sqlite_run1(s, RV_SQL_BLOCKED_DROP, "i", child);
	return err == RV_OK ? rv_sqlite_unblock(s, &place, due) : err;
}

/* The child will never run: its parent has ended in ${shown}. */
static int end_child(struct rv_sqlite *s, int64_t parent, int64_t child, enum rv_job_state shown)
{
	struct rv_sqlite_place place;
	int64_t waits;
	int64_t due;
	char says[64];
	int err = blocked_of(s, child, &place, &waits, &due);

	if (err == RV_OK)
		err = rv_sqlite_run1(s, RV_SQL_BLOCKED_DROP, "i", child);
	if (err != RV_OK)
		return err;
	rv_rules_says_parent(says, sizeof says, parent, shown);
	return rv_sqlite_to_done(s, &place, RV_JOB_BLOCKED, RV_JOB_CANCELLED, says, NULL);
}

/* What ${shown}, the end of ${parent}, means for the first child above ${*child}; NOTFOUND: none.
 */
static int resolve_child(struct rv_sqlite *s, int64_t parent, enum rv_job_state shown,
			 int64_t *child)
{
	sqlite3_stmt *stmt;
	int64_t on;
	int err = rv_sqlite_start(s, RV_SQL_DEP_NEXT, &stmt, "ii", parent, *child);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	*child = sqlite3_column_int64(stmt, 0);
	on = sqlite3_column_int64(stmt, 1);
	rv_sqlite_end(stmt);
	if (!rv_admit_after_sane(on))
		return RV_E_CORRUPT;
	switch (rv_admit_after((enum rv_after)on, shown)) {
	case RV_ADMIT_MET:
		return free_child(s, parent, *child);
	case RV_ADMIT_NEVER:
		return end_child(s, parent, *child, shown);
	case RV_ADMIT_WAITS:
	default:
		return RV_OK;
	}
}

static int resolve_children(struct rv_sqlite *s, int64_t parent, enum rv_job_state shown)
{
	int64_t child = 0;
	int err = RV_OK;

	while (err == RV_OK)
		err = resolve_child(s, parent, shown, &child);
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

static int note_fallen(struct rv_sqlite *s, int64_t id)
{
	INV(s->nfallen <= s->fallen_space);
	if (s->nfallen == s->fallen_space) {
		size_t space = s->fallen_space == 0 ? RV_LIMIT(16, 1) : s->fallen_space * 2;
		int64_t *grown = reallocarray(s->fallen, space, sizeof *grown);

		if (!grown)
			return RV_E_NOMEM;
		s->fallen = grown;
		s->fallen_space = space;
	}
	s->fallen[s->nfallen++] = id;
	return RV_OK;
}

int rv_sqlite_to_done(struct rv_sqlite *s, struct rv_sqlite_place *place, enum rv_job_state from,
		      enum rv_job_state to, const char *error, const struct rv_sqlite_run *run)
{
	int err = ttl_drop(s, place);

	PRE(rv_job_state_final(to) && !(place->marks & (RV_MARK_PASSED | RV_MARK_HOLDS_ANY)));
	place->marks &= ~RV_MARK_HELD;
#ifndef RV_MUTANT_UNIQUE_NOT_RELEASED
	if (err == RV_OK)
		err = key_drop(s, place);
#endif
	if (err == RV_OK)
		err = rv_sqlite_moved(s, place, from, to, error);
	if (err == RV_OK)
		err = put_done(s, place, to, error, run);
	if (err == RV_OK)
		err = rv_sqlite_ring_waiters(s, place->id);
	if (err == RV_OK && (place->marks & RV_MARK_BATCH))
		err = rv_sqlite_batch_count(s, place->id, to, 1);
	if (err != RV_OK || s->tally.deps == 0)
		return err;
	if (from == RV_JOB_BLOCKED)
		err = drop_parents(s, place->id);
	if (err == RV_OK && to == RV_JOB_CANCELLED)
		err = note_fallen(s, place->id);
	else if (err == RV_OK)
		err = resolve_children(s, place->id, to);
	return err;
}

int rv_sqlite_settle(struct rv_sqlite *s)
{
	uint32_t granted;
	int err = RV_OK;

	PRE(s->open);
	while (err == RV_OK && s->nfallen > 0) {
		int64_t parent = s->fallen[s->nfallen - 1];
		int64_t child = 0;

		/* A child that is cancelled is put on top and has its own children looked at first.
		 */
		err = resolve_child(s, parent, RV_JOB_CANCELLED, &child);
		if (err == RV_E_NOTFOUND) {
			s->nfallen--;
			err = RV_OK;
		}
	}
	s->nfallen = 0;
	if (err == RV_OK && s->counted)
		err = rv_sqlite_batch_end(s);
	if (err == RV_OK && (s->ngates > 0 || s->lend_due))
		err = rv_sqlite_grant(s, &granted);
	if (err == RV_OK)
		err = rv_sqlite_gates_store(s);
	return err == RV_OK ? rv_sqlite_ring_room(s) : err;
}
