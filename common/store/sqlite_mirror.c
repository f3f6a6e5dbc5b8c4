/*
 * MIRROR: the tasks and queues of the configuration, as every enqueuer sees them.  The keeper, or
 * whoever creates the store.  Tasks are what the configuration says now; queues stay as long as the
 * store does, because jobs stand in them.
 */
#include "store/sqlite.h"
#include "store/sqlite_move.h"
#include "store/sqlite_tally.h"

#include "base/check.h"

static int put_task(struct rv_sqlite *s, const struct rv_task_def *task)
{
	return rv_sqlite_run(s, RV_SQL_TASK_PUT, NULL, "ttiiiiiiii", task->name, task->queue,
			     (int64_t)task->max_attempts, (int64_t)task->max_crashes,
			     task->timeout_us, (int64_t)task->backoff.kind, task->backoff.min_us,
			     task->backoff.max_us, (int64_t)task->backoff.jitter_percent,
			     (int64_t)task->durability);
}

/*
 * Another strategy: the place of each job that waits is computed again, once, from its sequence
 * (which reeve_order reads out of the old place).  Long on a long queue; it is a person's change.
 */
static int rekey(struct rv_sqlite *s, int64_t queue, enum rv_strategy strategy)
{
	static const enum rv_sqlite_stmt tables[] = {RV_SQL_REKEY_READY, RV_SQL_REKEY_SCHEDULED,
						     RV_SQL_REKEY_BLOCKED, RV_SQL_REKEY_LEASE};
	int err = rv_sqlite_run1(s, RV_SQL_QUEUE_STRATEGY, "ii", queue, (int64_t)strategy);

	PRE(strategy == RV_STRATEGY_FIFO || strategy == RV_STRATEGY_PRIORITY);
	if (err == RV_OK)
		err = rv_sqlite_run(s, RV_SQL_REKEY_MOVED, NULL, "ii", queue, (int64_t)strategy);
	for (size_t i = 0; err == RV_OK && i < RV_ARRAY_LEN(tables); i++)
		err = rv_sqlite_run(s, tables[i], NULL, "i", queue);
	return err;
}

static int put_queue(struct rv_sqlite *s, const struct rv_queue_def *def)
{
	const struct rv_sqlite_queue *queue = rv_sqlite_queue_named(s, def->name);
	int err;

	if (queue && queue->strategy != def->strategy)
		return rekey(s, queue->id, def->strategy);
	if (queue)
		return RV_OK;
	err = rv_sqlite_run(s, RV_SQL_QUEUE_NEW, NULL, "ti", def->name, (int64_t)def->strategy);
	if (err == RV_OK)
		err = rv_sqlite_run(s, RV_SQL_COUNTS_NEW, NULL, "i",
				    (int64_t)sqlite3_last_insert_rowid(s->db));
	return err;
}

int rv_sqlite_do_mirror(struct rv_sqlite *s, struct rv_req *req)
{
	const struct rv_req_mirror *mirror = &req->u.mirror;
	int err = rv_sqlite_run(s, RV_SQL_TASKS_CLEAR, NULL, "");

	PRE(mirror->tasks || mirror->ntasks == 0);
	PRE(mirror->queues || mirror->nqueues == 0);
	for (size_t i = 0; err == RV_OK && i < mirror->ntasks; i++)
		err = put_task(s, &mirror->tasks[i]);
	for (size_t i = 0; err == RV_OK && i < mirror->nqueues; i++) {
		err = put_queue(s, &mirror->queues[i]);
		if (err != RV_OK)
			break;
		s->tally.names++; /* the next one must see this one: a name may come twice */
		s->tally.dirty = true;
		err = rv_sqlite_names(s);
	}
	s->tally.names++;
	s->tally.dirty = true;
	return err;
}
