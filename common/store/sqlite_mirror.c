/*
 * MIRROR: the tasks and queues of the configuration, as every enqueuer sees them.  The keeper, or
 * whoever creates the store.  Tasks are what the configuration says now; queues stay as long as the
 * store does, because jobs stand in them.
 */
#include "store/sqlite.h"
#include "store/sqlite_limit.h"
#include "store/sqlite_move.h"
#include "store/sqlite_order.h"

#include "base/check.h"

static int put_task(struct rv_sqlite *s, const struct rv_task_def *task)
{
	const struct rv_limits *limits = &task->limits;
	int err = rv_sqlite_run(s, RV_SQL_TASK_NAME_PUT, NULL, "t", task->name);

	if (err != RV_OK)
		return err;
	return rv_sqlite_run(s, RV_SQL_TASK_PUT, NULL, "ttiiiiiiiiiiiiiiit", task->name,
			     task->queue, (int64_t)task->max_attempts, (int64_t)task->max_crashes,
			     task->timeout_us, (int64_t)task->backoff.kind, task->backoff.min_us,
			     task->backoff.max_us, (int64_t)task->backoff.jitter_percent,
			     (int64_t)task->durability, (int64_t)task->weight,
			     (int64_t)limits->concurrency, (int64_t)limits->key_concurrency,
			     (int64_t)limits->rate.count, limits->rate.per_us,
			     (int64_t)limits->key_rate.count, limits->key_rate.per_us, task->takes);
}

static int put_limits(struct rv_sqlite *s, int64_t queue, const struct rv_queue_def *def)
{
	const struct rv_limits *limits = &def->limits;

	return rv_sqlite_run1(s, RV_SQL_QUEUE_LIMITS, "iiiiiiiii", queue,
			      (int64_t)limits->concurrency, (int64_t)limits->key_concurrency,
			      (int64_t)limits->rate.count, limits->rate.per_us,
			      (int64_t)limits->key_rate.count, limits->key_rate.per_us,
			      (int64_t)def->max, (int64_t)def->on_full);
}

static int put_queue(struct rv_sqlite *s, const struct rv_queue_def *def)
{
	struct rv_sqlite_queue *queue = rv_sqlite_queue_named(s, def->name);
	const struct rv_limits *limits = &def->limits;
	int err = RV_OK;

	PRE(rv_strategy_sane((int)def->strategy));
	if (queue)
		err = put_limits(s, queue->id, def);
	if (err != RV_OK)
		return err;
	if (queue && queue->strategy == def->strategy && queue->aging_us == def->aging_us)
		return RV_OK;
	if (queue) {
		err = rv_sqlite_run1(s, RV_SQL_QUEUE_STRATEGY, "iii", queue->id,
				     (int64_t)def->strategy, def->aging_us);
		return err == RV_OK ? rv_sqlite_rekey(s, queue->id) : err;
	}
	err = rv_sqlite_run(s, RV_SQL_QUEUE_NEW, NULL, "tiiiiiiiiii", def->name,
			    (int64_t)def->strategy, def->aging_us, (int64_t)limits->concurrency,
			    (int64_t)limits->key_concurrency, (int64_t)limits->rate.count,
			    limits->rate.per_us, (int64_t)limits->key_rate.count,
			    limits->key_rate.per_us, (int64_t)def->max, (int64_t)def->on_full);
	if (err == RV_OK)
		err = rv_sqlite_run(s, RV_SQL_COUNTS_NEW, NULL, "i",
				    (int64_t)sqlite3_last_insert_rowid(s->db));
	return err;
}

static int put_resources(struct rv_sqlite *s, const struct rv_req_mirror *mirror)
{
	int err = rv_sqlite_run(s, RV_SQL_RESOURCES_CLEAR, NULL, "");

	PRE(mirror->resources || mirror->nresources == 0);
	for (size_t i = 0; err == RV_OK && i < mirror->nresources; i++)
		err = rv_sqlite_run(s, RV_SQL_RESOURCE_PUT, NULL, "ti", mirror->resources[i].name,
				    (int64_t)mirror->resources[i].count);
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
	if (err == RV_OK)
		err = put_resources(s, mirror);
	if (err == RV_OK)
		err = rv_sqlite_mirror_schedules(s, mirror);
	if (err == RV_OK)
		err = rv_sqlite_reconsider(s, NULL);
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
	if (err == RV_OK)
		err = rv_sqlite_names(s);
	if (err == RV_OK)
		err = rv_sqlite_adopt(s);
	return err == RV_OK ? rv_sqlite_ring_all_room(s) : err;
}
