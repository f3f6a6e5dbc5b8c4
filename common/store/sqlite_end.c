/*
 * How a lease ends: by its worker's ack, or because the worker did.  Leaders of a round and whoever
 * executes TURN, LEAVE, EXPIRE, RAISE.  Only the lease of the very fence may decide what an ack
 * does; the row is gone before the job stands anywhere else.
 */
#include "store/sqlite.h"
#include "store/sqlite_limit.h"
#include "store/sqlite_move.h"
#include "store/sqlite_tally.h"

#include "base/check.h"
#include "core/job.h"
#include "core/retry.h"
#include "wire/sup.h"

#include <stdio.h>
#include <stdlib.h>

int rv_sqlite_lease(struct rv_sqlite *s, int64_t id, struct rv_sqlite_lease *ret_lease)
{
	struct rv_sqlite_lease *lease = ret_lease;
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_LEASE_OF, &stmt, "i", id);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	err = rv_sqlite_place_read(s, stmt, 0, id, &lease->place);
	if (err == RV_OK) {
		lease->place.incarnation = (uint64_t)sqlite3_column_int64(stmt, 8);
		rv_sqlite_text(stmt, 9, lease->worker, sizeof lease->worker);
		lease->place.fence = sqlite3_column_int64(stmt, 10);
		lease->started = sqlite3_column_int(stmt, 11) != 0;
		lease->started_at = sqlite3_column_int64(stmt, 12);
		lease->cancel_requested = sqlite3_column_int(stmt, 13) != 0;
		lease->waited = sqlite3_column_int64(stmt, 14);
	}
	rv_sqlite_end(stmt);
	return err;
}

/* The row goes; a run that the store did not know of yet begins (prefetched, then started). */
static int take_lease(struct rv_sqlite *s, struct rv_sqlite_lease *lease, bool ran,
		      enum rv_job_state *ret_from)
{
	struct rv_sqlite_place *place = &lease->place;
	int err = rv_sqlite_run1(s, RV_SQL_LEASE_DROP, "ii", place->id, place->fence);

	PRE(s->open && place->queue);
	*ret_from = lease->started ? RV_JOB_RUNNING : RV_JOB_READY;
	if (err == RV_OK)
		err = rv_sqlite_give_back(s, place);
	if (err != RV_OK || lease->started)
		return err;
	err = rv_sqlite_queue_touch(s, place->queue);
	if (err != RV_OK)
		return err;
	place->queue->now.prefetched--;
	place->queue->now.dirty = true;
	if (!ran)
		return RV_OK;
	place->runs++;
	return rv_sqlite_started(s, place);
}

/* Not final, unless its batch has failed: the run is kept in attempt, the job waits or is ready. */
static int again(struct rv_sqlite *s, struct rv_sqlite_place *place, enum rv_job_state from,
		 int64_t run_at, const struct rv_sqlite_run *run)
{
	int err = RV_E_NOTFOUND;

	PRE(from == RV_JOB_RUNNING || from == RV_JOB_READY);
#ifndef RV_MUTANT_BATCH_FAILED_RUNS_AGAIN
	if (place->marks & RV_MARK_BATCH)
		err = rv_sqlite_batch_failed(s, place, from, run);
#endif
	if (err != RV_E_NOTFOUND)
		return err;
	err = run ? rv_sqlite_attempt(s, place, run) : RV_OK;
	if (err != RV_OK)
		return err;
	if (run_at > s->now_us)
		return rv_sqlite_to_scheduled(s, place, from, run_at);
	return rv_sqlite_to_ready(s, place, from, NULL);
}

static int after_failure(struct rv_sqlite *s, const struct rv_sqlite_place *place, bool *ret_dead)
{
	int64_t max_attempts;
	int err = rv_sqlite_number(s, RV_SQL_JOB_LIMITS, &max_attempts, "i", place->id);

	PRE(place->attempts > 0);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	if (max_attempts < 1 || max_attempts > INT32_MAX / 2)
		return RV_E_CORRUPT;
	*ret_dead = rv_retry_after_failure(place->attempts, (int)max_attempts, place->granted) ==
		    RV_VERDICT_DEAD;
	return RV_OK;
}

static int after_crash(struct rv_sqlite *s, struct rv_sqlite_place *place, enum rv_job_state from,
		       const char *what, const struct rv_sqlite_run *run)
{
	char says[RV_ERROR_MAX];
	sqlite3_stmt *stmt;
	int max_crashes;
	int err;

	PRE(run && run->error && run->outcome == RV_OUTCOME_CRASHED);
	place->crashes++;
#ifdef RV_MUTANT_CRASH_BURNS_ATTEMPT
	place->attempts++;
#endif
	err = rv_sqlite_start(s, RV_SQL_JOB_LIMITS, &stmt, "i", place->id);
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	max_crashes = sqlite3_column_int(stmt, 1);
	rv_sqlite_end(stmt);
	if (max_crashes < 0)
		return RV_E_CORRUPT;
	if (rv_retry_after_crash(place->crashes, max_crashes) == RV_VERDICT_AGAIN)
		return again(s, place, from, s->now_us, run);
	(void)snprintf(says, sizeof says, RV_SAYS_CRASHES, what, place->crashes, run->error);
	return rv_sqlite_to_done(s, place, from, RV_JOB_DEAD, says, run);
}

/* The job was not cancelled: where its outcome takes it. */
static int settle(struct rv_sqlite *s, struct rv_sqlite_place *place, enum rv_job_state from,
		  const struct rv_ack *ack, const struct rv_sqlite_run *run)
{
	bool dead = true;
	int err;

	PRE(place->id == ack->job);
	switch (ack->outcome) {
	case RV_OUTCOME_SUCCEEDED:
		place->attempts++;
		return rv_sqlite_to_done(s, place, from, RV_JOB_SUCCEEDED, NULL, run);
	case RV_OUTCOME_FATAL:
	case RV_OUTCOME_FAILED:
		place->attempts++;
		err = ack->outcome == RV_OUTCOME_FAILED ? after_failure(s, place, &dead) : RV_OK;
		if (err != RV_OK)
			return err;
		if (dead)
			return rv_sqlite_to_done(s, place, from, RV_JOB_DEAD, ack->error, run);
		return again(s, place, from, rv_rules_later(s->now_us, ack->retry_us), run);
	case RV_OUTCOME_CANCELLED:
		return rv_sqlite_to_done(s, place, from, RV_JOB_CANCELLED,
					 ack->error[0] ? ack->error : RV_SAYS_CANCELLED, run);
	case RV_OUTCOME_LATER:
		return again(s, place, from, rv_rules_later(s->now_us, ack->retry_us), run);
	case RV_OUTCOME_INTERRUPTED:
		return again(s, place, from, s->now_us, run);
	case RV_OUTCOME_CRASHED:
		return after_crash(s, place, from, "handler", run);
	default:
		IMPOSSIBLE("an outcome that was looked at before");
	}
}

static bool did_run(const struct rv_sqlite_lease *lease, const struct rv_ack *ack)
{
	return lease->started || ack->started_us != 0 ||
	       (ack->outcome != RV_OUTCOME_INTERRUPTED && ack->outcome != RV_OUTCOME_CANCELLED);
}

static struct rv_sqlite_run run_of(const struct rv_sqlite *s, const struct rv_sqlite_lease *lease,
				   const char *worker, const struct rv_ack *ack)
{
	int64_t started = ack->started_us ? ack->started_us : s->now_us;

	return (struct rv_sqlite_run){
		.worker = lease->started ? lease->worker : worker,
		.error = ack->error,
		.started = lease->started ? lease->started_at : started,
		.ended = ack->ended_us ? ack->ended_us : s->now_us,
		.user = ack->user_us,
		.sys = ack->sys_us,
		.maxrss = ack->maxrss_bytes,
		.output = ack->output_bytes,
		.attempt = lease->place.attempts + 1,
		.outcome = ack->outcome,
		.exit_code = ack->exit_code,
		.signo = ack->signo,
	};
}

/* The run has ended, and the job is where that took it. */
static int counted(struct rv_sqlite *s, const struct rv_sqlite_lease *lease,
		   const struct rv_sqlite_run *run)
{
	struct rv_run_end end = {.outcome = run->outcome,
				 .job = lease->place.state,
				 .started_us = run->started,
				 .ended_us = run->ended,
				 .user_us = run->user,
				 .sys_us = run->sys,
				 .maxrss_bytes = run->maxrss};

	return rv_sqlite_ended(s, lease, &end);
}

static int end_by_ack(struct rv_sqlite *s, struct rv_sqlite_lease *lease, const char *worker,
		      struct rv_ack *ack)
{
	bool ran = did_run(lease, ack);
	struct rv_sqlite_run run = run_of(s, lease, worker, ack);
	enum rv_job_state from;
	bool cancelled;
	int err = take_lease(s, lease, ran, &from);

	if (err != RV_OK)
		return err;
	ack->err = RV_OK;
	cancelled = lease->cancel_requested;
#ifdef RV_MUTANT_CANCEL_LOSES
	cancelled = false;
#endif
	if (!cancelled) {
		err = settle(s, &lease->place, from, ack, ran ? &run : NULL);
	} else {
		if (ack->outcome == RV_OUTCOME_SUCCEEDED || ack->outcome == RV_OUTCOME_FAILED)
			ack->err = RV_E_CONFLICT;
		err = rv_sqlite_to_done(s, &lease->place, from, RV_JOB_CANCELLED,
					ack->error[0] ? ack->error : RV_SAYS_CANCELLED,
					ran ? &run : NULL);
	}
	return err == RV_OK && ran ? counted(s, lease, &run) : err;
}

int rv_sqlite_ack(struct rv_sqlite *s, uint64_t incarnation, const char *worker, struct rv_ack *ack)
{
	struct rv_sqlite_lease lease;
	bool stale;
	int err = rv_sqlite_lease(s, ack->job, &lease);

	if (err == RV_E_NOTFOUND) {
		ack->err = RV_E_STALE;
		return RV_OK;
	}
	if (err != RV_OK)
		return err;
	stale = lease.place.fence != ack->fence;
#ifdef RV_MUTANT_ACK_IGNORES_FENCE
	stale = false;
#endif
	if (stale || lease.place.incarnation != incarnation) {
		ack->err = RV_E_STALE;
		return RV_OK;
	}
	if (ack->outcome < RV_OUTCOME_SUCCEEDED || ack->outcome > RV_OUTCOME_CRASHED) {
		ack->err = RV_E_USAGE;
		return RV_OK;
	}
	return end_by_ack(s, &lease, worker, ack);
}

/* How a worker ended. */
struct death {
	const char *worker;
	const struct rv_expire_one *how;
};

static int end_by_death(struct rv_sqlite *s, int64_t id, const struct death *death)
{
	const struct rv_expire_one *how = death->how;
	struct rv_sqlite_lease lease;
	struct rv_sqlite_run run;
	enum rv_job_state from;
	bool ran;
	bool charged;
	int err = rv_sqlite_lease(s, id, &lease);

	PRE(how && death->worker);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	ran = lease.started || how->started_fence == lease.place.fence;
	charged = ran && rv_rules_is_crash(how->died);
	run = (struct rv_sqlite_run){
		.worker = lease.started ? lease.worker : death->worker,
		.error = how->words,
		.started = lease.started_at,
		.ended = s->now_us,
		.user = charged ? how->user_us : -1,
		.sys = charged ? how->sys_us : -1,
		.maxrss = charged ? how->maxrss_bytes : -1,
		.attempt = lease.place.attempts + 1,
		.outcome = charged ? RV_OUTCOME_CRASHED : RV_OUTCOME_INTERRUPTED,
		.exit_code = -1,
	};
	err = take_lease(s, &lease, ran, &from);
	if (err != RV_OK)
		return err;
	if (lease.cancel_requested)
		err = rv_sqlite_to_done(s, &lease.place, from, RV_JOB_CANCELLED, RV_SAYS_CANCELLED,
					ran ? &run : NULL);
	else if (charged)
		err = after_crash(s, &lease.place, from, "worker", &run);
	else
		err = again(s, &lease.place, from, s->now_us, ran ? &run : NULL);
	return err == RV_OK && ran ? counted(s, &lease, &run) : err;
}

int rv_sqlite_release_all(struct rv_sqlite *s, uint64_t incarnation, const char *worker,
			  const struct rv_expire_one *how, int32_t *ret_released)
{
	struct death death = {.worker = worker, .how = how};
	int64_t id = 0;
	int32_t released = 0;
	int err;

	PRE(s->open);
	while ((err = rv_sqlite_number(s, RV_SQL_LEASE_NEXT, &id, "ii", (int64_t)incarnation,
				       id)) == RV_OK) {
		err = end_by_death(s, id, &death);
		if (err != RV_OK)
			return err;
		released++;
	}
	if (err != RV_E_NOTFOUND)
		return err;
	*ret_released = released;
	return RV_OK;
}
