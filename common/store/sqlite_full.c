/*
 * Queues that take so many jobs and no more: room for one more, and who waits for room.  Whoever
 * enqueues; the rings are noted by every request that takes a waiting job away.  Counts are the
 * kept ones.
 */
#include "store/sqlite.h"
#include "store/sqlite_batch.h"
#include "store/sqlite_move.h"
#include "store/sqlite_tally.h"

#include "base/check.h"
#include "core/job.h"

static int64_t waiting(const struct rv_sqlite_counts *counts)
{
	return counts->of[RV_JOB_SCHEDULED] + counts->of[RV_JOB_READY] + counts->of[RV_JOB_BLOCKED];
}

/* The job that waits longest, prefetched ones left out; NOTFOUND: none. */
static int oldest(struct rv_sqlite *s, const struct rv_sqlite_queue *queue, int64_t *ret_id)
{
	bool head = queue->strategy == RV_STRATEGY_FIFO;
	bool tail = queue->strategy == RV_STRATEGY_LIFO;
	int err;

#ifdef RV_MUTANT_DROP_NEWEST
	head = false;
	tail = true;
#endif
	if (head || tail)
		err = rv_sqlite_number(s, head ? RV_SQL_READY_HEAD : RV_SQL_READY_TAIL, ret_id, "i",
				       queue->id);
	else
		err = rv_sqlite_span_oldest(s, queue->id, RV_JOB_READY, ret_id);
	if (err == RV_E_NOTFOUND)
		err = rv_sqlite_span_oldest(s, queue->id, RV_JOB_SCHEDULED, ret_id);
	if (err == RV_E_NOTFOUND)
		err = rv_sqlite_span_oldest(s, queue->id, RV_JOB_BLOCKED, ret_id);
	return err;
}

static int drop(struct rv_sqlite *s, int64_t id)
{
	struct rv_sqlite_place place;
	enum rv_job_state from;
	int err = rv_sqlite_take_waiting(s, id, &place, &from);

	PRE(s->open && id > 0);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	return rv_sqlite_to_done(s, &place, from, RV_JOB_CANCELLED, RV_SAYS_DROPPED, NULL);
}

int rv_sqlite_make_room(struct rv_sqlite *s, struct rv_req_enqueue *req,
			struct rv_sqlite_queue *queue, struct rv_why *why)
{
	int err = queue->max > 0 ? rv_sqlite_queue_touch(s, queue) : RV_OK;

	PRE(s->open && queue->max >= 0);
	for (int i = 0; err == RV_OK && queue->max > 0 && waiting(&queue->now) >= queue->max; i++) {
		int64_t id = 0;

		err = queue->on_full == RV_ON_FULL_DROP_OLDEST ? oldest(s, queue, &id)
							       : RV_E_NOTFOUND;
		if (err == RV_OK && i == RV_DROP_MAX)
			return RV_OK;
		if (err == RV_E_NOTFOUND) {
			req->may_wait = queue->on_full == RV_ON_FULL_BLOCK;
			return rv_rules_full(req, queue->name, queue->max, waiting(&queue->now),
					     waiting(&queue->now) - waiting(&queue->before), why);
		}
		if (err == RV_OK)
			err = drop(s, id);
	}
	return err;
}

int rv_sqlite_has_room(struct rv_sqlite *s, struct rv_sqlite_queue *queue, int64_t jobs,
		       bool *ret_room)
{
	int err = rv_sqlite_queue_touch(s, queue);

	PRE(jobs > 0);
	*ret_room = queue->max == 0 || queue->on_full != RV_ON_FULL_BLOCK ||
		    waiting(&queue->now) + jobs <= queue->max;
	return err;
}

/* Those who wait for room in ${queue}, as many as ${room} is enough for. */
static int ring(struct rv_sqlite *s, const struct rv_sqlite_queue *queue, int64_t room)
{
	int err = RV_OK;

	while (err == RV_OK && room > 0 && s->tally.waiters > 0) {
		char path[108];
		sqlite3_stmt *stmt;

		err = rv_sqlite_start(s, RV_SQL_WAITER_FIRST, &stmt, "iii",
				      RV_SQLITE_ROOM_OF(queue), s->now_us, room);
		if (err == RV_OK)
			err = rv_sqlite_step(s, stmt);
		if (err != RV_OK)
			break;
		rv_sqlite_text(stmt, 0, path, sizeof path);
		room -= sqlite3_column_int64(stmt, 1);
		rv_sqlite_end(stmt);
		rv_store_note_ring(&s->base, RV_RING_WAITER, path, 0);
		err = rv_sqlite_run1(s, RV_SQL_WAITER_TAKE, "it", RV_SQLITE_ROOM_OF(queue), path);
		s->tally.waiters--;
		s->tally.dirty = true;
	}
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

int rv_sqlite_ring_room(struct rv_sqlite *s)
{
	int err = RV_OK;

	PRE(s->open);
	if (!s->blocking || s->tally.waiters == 0)
		return RV_OK;
#ifdef RV_MUTANT_ROOM_NOT_RUNG
	return RV_OK;
#endif
	for (size_t i = 0; err == RV_OK && i < s->nqueues; i++) {
		const struct rv_sqlite_queue *queue = &s->queues[i];

		if (queue->max > 0 && queue->on_full == RV_ON_FULL_BLOCK &&
		    queue->saved == s->request && waiting(&queue->now) < waiting(&queue->before))
			err = ring(s, queue, queue->max - waiting(&queue->now));
	}
	return err;
}

int rv_sqlite_ring_all_room(struct rv_sqlite *s)
{
	int err = RV_OK;

	PRE(s->open);
	for (size_t i = 0; err == RV_OK && i < s->nqueues; i++)
		err = ring(s, &s->queues[i], INT64_MAX);
	return err;
}
