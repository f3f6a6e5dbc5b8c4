/*
 * TURN: the acks, then the claim.  Leaders of a round.  A claim is one index seek per queue and
 * takes out of ready exactly the rows it looked at; an overdue job is never started.
 */
#include "store/sqlite.h"
#include "store/sqlite_limit.h"
#include "store/sqlite_move.h"
#include "store/sqlite_order.h"

#include "base/check.h"
#include "core/job.h"

#include <string.h>

#define PROMOTE_MAX 100 /* what a claim that found nothing promotes itself */

/* A row the claim looked at. */
struct candidate {
	struct rv_sqlite_place place;
	int64_t expires_at;
	struct rv_claimed claimed;
	bool limited;               /* a limit may concern it */
	struct rv_sqlite_said said; /* then */
};

struct claim {
	struct rv_req_turn *turn;
	const char *worker;     /* its name */
	uint32_t parked;        /* jobs that may not start now */
	struct candidate *rows; /* RV_TURN_MAX of them, not worth clearing */
};

static bool read_candidate(struct rv_sqlite *s, sqlite3_stmt *stmt, struct rv_sqlite_queue *queue,
			   struct candidate *ret_row)
{
	struct rv_sqlite_place *place = &ret_row->place;
	struct rv_claimed *claimed = &ret_row->claimed;

	*place = (struct rv_sqlite_place){
		.queue = queue,
		.ord = sqlite3_column_int64(stmt, 0),
		.id = sqlite3_column_int64(stmt, 1),
		.runs = sqlite3_column_int(stmt, 2),
		.attempts = sqlite3_column_int(stmt, 3),
		.crashes = sqlite3_column_int(stmt, 4),
		.granted = sqlite3_column_int(stmt, 5),
		.marks = sqlite3_column_int(stmt, 6),
		.event = sqlite3_column_int64(stmt, 7),
	};
	memset(claimed, 0, sizeof *claimed);
	rv_sqlite_text(stmt, 8, claimed->task, sizeof claimed->task);
	claimed->run_at_us = sqlite3_column_int64(stmt, 9);
	claimed->created_us = sqlite3_column_int64(stmt, 10);
	ret_row->expires_at = sqlite3_column_int64(stmt, 11);
	claimed->timeout_us = sqlite3_column_int64(stmt, 12);
	claimed->max_attempts = sqlite3_column_int(stmt, 13);
	if (!rv_sqlite_sane(place) || claimed->max_attempts < 1 ||
	    claimed->max_attempts > INT32_MAX / 2)
		return false;
	claimed->max_attempts += place->granted;
	ret_row->limited = rv_sqlite_limited(s, place, claimed->task);
	if (ret_row->limited) {
		rv_sqlite_text(stmt, 8, ret_row->said.task, sizeof ret_row->said.task);
		rv_sqlite_text(stmt, 14, ret_row->said.key, sizeof ret_row->said.key);
		rv_sqlite_text(stmt, 15, ret_row->said.takes, sizeof ret_row->said.takes);
	}
	return true;
}

static int look(struct rv_sqlite *s, enum rv_sqlite_stmt which, struct rv_sqlite_queue *queue,
		uint32_t limit, struct candidate *rows, uint32_t *ret_count)
{
	sqlite3_stmt *stmt;
	uint32_t n = 0;
	int err = rv_sqlite_start(s, which, &stmt, "ii", queue->id, (int64_t)limit);

	if (err != RV_OK)
		return err;
	while (n < limit && (err = rv_sqlite_step(s, stmt)) == RV_OK) {
		if (!read_candidate(s, stmt, queue, &rows[n++])) {
			err = RV_E_CORRUPT;
			break;
		}
	}
	rv_sqlite_end(stmt);
	*ret_count = n;
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

#ifdef RV_MUTANT_CLAIM_SELECT_THEN_UPDATE
/* The fault: what was seen in one transaction is taken in the next, and nobody counts the rows. */
static int take(struct rv_sqlite *s, struct rv_sqlite_queue *queue, uint32_t limit,
		struct candidate *rows, uint32_t *ret_count)
{
	static struct candidate ahead[2];
	static uint32_t nahead;
	uint32_t found = 0;
	int err;

	*ret_count = 0;
	if (nahead > 1 && ahead[1].place.queue == queue) {
		rows[0] = ahead[1];
		*ret_count = 1;
	}
	err = look(s, RV_SQL_CLAIM, queue, limit > 1 ? 2 : limit + 1, ahead, &found);
	nahead = found;
	if (err == RV_OK && *ret_count == 0 && found > 0) {
		rows[0] = ahead[0];
		*ret_count = 1;
	}
	if (err != RV_OK || *ret_count == 0)
		return err;
	return rv_sqlite_run(s, RV_SQL_READY_DROP, NULL, "iii", queue->id, rows[0].place.ord,
			     rows[0].place.id);
}
#else
/* The first ${limit} of ${queue}, taken out of ready. */
static int take(struct rv_sqlite *s, struct rv_sqlite_queue *queue, uint32_t limit,
		struct candidate *rows, uint32_t *ret_count)
{
	const struct rv_sqlite_place *last;
	int64_t gone = 0;
	int err;

	PRE(limit > 0 && limit <= RV_TURN_MAX);
	err = look(s, RV_SQL_CLAIM, queue, limit, rows, ret_count);
	if (err != RV_OK || *ret_count == 0)
		return err;
	last = &rows[*ret_count - 1].place;
	err = rv_sqlite_run(s, RV_SQL_CLAIM_TAKE, &gone, "iii", queue->id, last->ord, last->id);
	if (err != RV_OK)
		return err;
	return gone == *ret_count ? RV_OK : RV_E_CORRUPT;
}
#endif

/* The newest ${limit} of those that have a parent: what was begun last is waited for first. */
static int take_children(struct rv_sqlite *s, struct rv_sqlite_queue *queue, uint32_t limit,
			 struct candidate *rows, uint32_t *ret_count)
{
#ifdef RV_MUTANT_CLAIM_CHILD_ANY
	enum rv_sqlite_stmt which = RV_SQL_CLAIM;
#else
	enum rv_sqlite_stmt which = RV_SQL_CLAIM_CHILD;
#endif
	int err = look(s, which, queue, limit, rows, ret_count);

	PRE(limit > 0 && limit <= RV_TURN_MAX);
	for (uint32_t i = 0; err == RV_OK && i < *ret_count; i++)
		err = rv_sqlite_run1(s, RV_SQL_READY_DROP, "iii", queue->id, rows[i].place.ord,
				     rows[i].place.id);
	return err;
}

static int give(struct rv_sqlite *s, struct claim *claim, struct candidate *row, uint32_t queue)
{
	struct rv_req_turn *turn = claim->turn;
	struct rv_sqlite_place *place = &row->place;
	struct rv_claimed *claimed = &row->claimed;
	bool started = turn->prefetch == 0;
	int64_t due = 0;
	int err = rv_sqlite_queue_touch(s, place->queue);

	PRE(turn->nclaimed < turn->want && turn->want <= RV_TURN_MAX);
	if (err != RV_OK)
		return err;
	rv_sqlite_order_passed(place->queue, place->ord);
	place->incarnation = turn->incarnation;
	place->fence = s->tally.epoch << 40 | ++s->tally.fence;
	s->tally.dirty = true;
	claimed->job = place->id;
	claimed->fence = place->fence;
	claimed->queue = (int32_t)queue;
	claimed->attempt = place->attempts + 1;
	claimed->run = place->runs + 1;
	claimed->crashes = place->crashes;
	if (place->runs == 0)
		due = claimed->run_at_us > claimed->created_us ? claimed->run_at_us
							       : claimed->created_us;
	if (started) {
		place->runs++;
		err = rv_sqlite_started(s, place);
		if (err == RV_OK)
			err = rv_sqlite_moved(s, place, RV_JOB_READY, RV_JOB_RUNNING, NULL);
	} else {
		place->queue->now.prefetched++;
		place->queue->now.dirty = true;
	}
	if (err != RV_OK)
		return err;
	turn->claimed[turn->nclaimed++] = *claimed;
	return rv_sqlite_run(s, RV_SQL_LEASE_PUT, NULL, "iiiiiiiiiitiiii", place->id,
			     place->queue->id, place->ord, (int64_t)place->runs,
			     (int64_t)place->attempts, (int64_t)place->crashes,
			     (int64_t)place->granted, (int64_t)place->marks, place->event,
			     (int64_t)place->incarnation, claim->worker, place->fence,
			     (int64_t)started, s->now_us, rv_sqlite_waited(s, claimed->task, due));
}

/* A row out of ready: overdue it ends, over a limit it is parked, else it is the worker's. */
static int start(struct rv_sqlite *s, struct claim *claim, struct candidate *row, uint32_t queue)
{
	struct rv_sqlite_place *place = &row->place;
	bool passed = true;
	int err = RV_OK;

	if ((place->marks & RV_MARK_TTL) && row->expires_at <= s->now_us) {
		err = rv_sqlite_give_back(s, place);
		return err == RV_OK ? rv_sqlite_to_done(s, place, RV_JOB_READY, RV_JOB_CANCELLED,
							RV_SAYS_EXPIRED, NULL)
				    : err;
	}
	if (place->marks & RV_MARK_BATCH) {
		err = rv_sqlite_batch_failed(s, place, RV_JOB_READY, NULL);
		if (err != RV_E_NOTFOUND)
			return err; /* cancelled, before the sweep came to it */
		err = RV_OK;
	}
	if (!(place->marks & RV_MARK_PASSED) && row->limited)
		err = rv_sqlite_pass(s, place, &row->said, &passed);
	if (err == RV_OK && passed)
		return give(s, claim, row, queue);
	claim->parked++;
	return err;
}

static int claim_queue(struct rv_sqlite *s, struct claim *claim, uint32_t index)
{
	struct rv_req_turn *turn = claim->turn;
	struct rv_sqlite_queue *queue = rv_sqlite_queue_named(s, turn->queues[index]);
	uint32_t found;
	int err = RV_OK;

	PRE(index < turn->nqueues);
	if (!queue || queue->gate == RV_QUEUE_PAUSED)
		return RV_OK;
	do {
		uint32_t limit = turn->want - turn->nclaimed;

		if (limit > RV_PARK_MAX - claim->parked)
			limit = RV_PARK_MAX - claim->parked;
		if (limit == 0)
			return RV_OK;
		err = turn->children ? take_children(s, queue, limit, claim->rows, &found)
				     : take(s, queue, limit, claim->rows, &found);
		for (uint32_t i = 0; err == RV_OK && i < found; i++)
			err = start(s, claim, &claim->rows[i], index);
		if (err == RV_OK && found < limit)
			return RV_OK; /* the queue is empty */
	} while (err == RV_OK);
	return err;
}

static int claim_all(struct rv_sqlite *s, struct claim *claim)
{
	int err = RV_OK;

	for (uint32_t i = 0; err == RV_OK && i < claim->turn->nqueues; i++) {
		err = claim_queue(s, claim, i);
		if (err == RV_OK && claim->parked == RV_PARK_MAX) {
			struct rv_sqlite_queue *queue =
				rv_sqlite_queue_named(s, claim->turn->queues[i]);

			/* somebody must come for the rest */
			if (!queue || queue->gate == RV_QUEUE_PAUSED)
				continue;
			rv_store_note_ring(&s->base, RV_RING_QUEUE, queue->name, 0);
			return RV_OK;
		}
	}
	return err;
}

static int count_left(struct rv_sqlite *s, struct rv_req_turn *turn)
{
	int64_t sum = 0;

	PRE(turn->nqueues <= RV_QUEUES_MAX);
	for (uint32_t i = 0; i < turn->nqueues; i++) {
		struct rv_sqlite_queue *queue = rv_sqlite_queue_named(s, turn->queues[i]);
		bool again = false;
		int err;

		for (uint32_t j = 0; j < i; j++)
			again = again || strcmp(turn->queues[i], turn->queues[j]) == 0;
		if (!queue || queue->gate == RV_QUEUE_PAUSED || again)
			continue;
		err = rv_sqlite_queue_touch(s, queue);
		if (err != RV_OK)
			return err;
		sum += queue->now.of[RV_JOB_READY] - queue->now.prefetched;
	}
	turn->more = sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
	return RV_OK;
}

/* Whether the incarnation is alive for the store, and its name. */
static int worker_of(struct rv_sqlite *s, uint64_t incarnation, char *ret_name)
{
	sqlite3_stmt *stmt;
	bool live;
	int err = rv_sqlite_start(s, RV_SQL_WORKER_OF, &stmt, "i", (int64_t)incarnation);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_STALE : err;
	live = sqlite3_column_int(stmt, 0) != 0;
	rv_sqlite_text(stmt, 1, ret_name, RV_WORKER_NAME_MAX);
	rv_sqlite_end(stmt);
	return live ? RV_OK : RV_E_STALE;
}

static int claim_turn(struct rv_sqlite *s, struct rv_req_turn *turn, const char *worker)
{
	struct candidate rows[RV_TURN_MAX];
	struct claim claim = {.turn = turn, .worker = worker, .rows = rows};
	uint32_t promoted = 0;
	uint32_t granted = 0;
	int err;

	if (turn->want == 0)
		return RV_OK;
	err = claim_all(s, &claim);
	if (err != RV_OK || turn->nclaimed > 0)
		return err;
	err = rv_sqlite_promote(s, PROMOTE_MAX, &promoted);
	if (err == RV_OK)
		err = rv_sqlite_grant_due(s, PROMOTE_MAX, &granted);
	POST(turn->nclaimed <= turn->want);
	return err == RV_OK && promoted + granted > 0 ? claim_all(s, &claim) : err;
}

int rv_sqlite_do_turn(struct rv_sqlite *s, struct rv_req *req)
{
	struct rv_req_turn *turn = &req->u.turn;
	char worker[RV_WORKER_NAME_MAX];
	uint32_t granted;
	int err;

	turn->nclaimed = 0;
	turn->more = 0;
	if (turn->nacks > RV_TURN_MAX || turn->want > RV_TURN_MAX || turn->nqueues > RV_QUEUES_MAX)
		return rv_fail(&req->why, RV_E_USAGE, "a turn has at most %d jobs", RV_TURN_MAX);
	err = worker_of(s, turn->incarnation, worker);
	if (err == RV_E_STALE)
		return rv_fail(&req->why, err, "this worker's life is over for the store");
	for (uint32_t i = 0; err == RV_OK && i < turn->nacks; i++)
		err = rv_sqlite_ack(s, turn->incarnation, worker, &turn->acks[i]);
	if (err == RV_OK)
		err = rv_sqlite_grant(s, &granted);
	if (err == RV_OK)
		err = claim_turn(s, turn, worker);
	return err == RV_OK ? count_left(s, turn) : err;
}
