/*
 * Kept numbers and names: ids, fences, counts per queue and state.  Loaded at the start of a
 * transaction (queues: on first touch), changed in memory, written once before its COMMIT, and
 * taken back with a request or transaction that fails.  Whoever writes.  Never counts rows.
 */
#include "store/sqlite.h"
#include "store/sqlite_stats.h"
#include "store/sqlite_tally.h"

#include "base/check.h"
#include "core/admit.h"
#include "core/limit.h"
#include "core/order.h"

#include <stdlib.h>
#include <string.h>

int rv_sqlite_tally_load(struct rv_sqlite *s)
{
	struct rv_sqlite_tally *t = &s->tally;
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_TALLY, &stmt, "");

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	t->dirty = false;
	t->event = t->begun = sqlite3_column_int64(stmt, 0);
	t->job = sqlite3_column_int64(stmt, 1);
	t->fence = sqlite3_column_int64(stmt, 2);
	t->epoch = sqlite3_column_int64(stmt, 3);
	t->names = sqlite3_column_int64(stmt, 4);
	t->deps = sqlite3_column_int64(stmt, 5);
	t->waiters = sqlite3_column_int64(stmt, 6);
	t->batches = sqlite3_column_int64(stmt, 7);
	err = rv_sqlite_ended_load(s, stmt, 8);
	if (err == RV_OK)
		err = rv_sqlite_span_load(s, stmt, 9);
	rv_sqlite_end(stmt);
	if (err != RV_OK)
		return err;
	/* The next job's number is its sequence. */
	return t->job >= 0 && rv_order_sequence_sane(t->job + 1) ? RV_OK : RV_E_CORRUPT;
}

static int store_queue(struct rv_sqlite *s, struct rv_sqlite_queue *queue)
{
	const int64_t *of = queue->now.of;
	int err;

	PRE(queue->loaded == s->transaction);
	for (int i = 0; i < RV_JOB_STATES; i++) {
		if (of[i] < 0)
			return RV_E_CORRUPT; /* the rows say otherwise than the counts did */
	}
	err = rv_sqlite_run1(s, RV_SQL_COUNTS_SET, "iiiiiiiiii", queue->id, queue->now.vtime,
			     queue->now.prefetched, of[RV_JOB_SCHEDULED], of[RV_JOB_READY],
			     of[RV_JOB_BLOCKED], of[RV_JOB_RUNNING], of[RV_JOB_SUCCEEDED],
			     of[RV_JOB_DEAD], of[RV_JOB_CANCELLED]);
	if (err == RV_OK)
		queue->now.dirty = false;
	return err;
}

int rv_sqlite_tally_store(struct rv_sqlite *s)
{
	const struct rv_sqlite_tally *t = &s->tally;
	unsigned char late[RV_SPAN_LATE_SPACE];
	int err;

	PRE(s->open);
	err = rv_sqlite_span_store(s);
	if (err != RV_OK)
		return err;
	for (size_t i = 0; i < s->nqueues; i++) {
		struct rv_sqlite_queue *queue = &s->queues[i];

		if (queue->loaded != s->transaction || !queue->now.dirty)
			continue;
		err = store_queue(s, queue);
		if (err != RV_OK)
			return err;
	}
	if (!t->dirty)
		return RV_OK;
	err = rv_sqlite_ended_store(s);
	if (err != RV_OK)
		return err;
	err = rv_sqlite_run1(s, RV_SQL_TALLY_SET, "iiiiiiiibb", t->event, t->job, t->fence,
			     t->epoch, t->names, t->deps, t->waiters, t->batches, s->recent.data,
			     s->recent.size, late, rv_sqlite_span_encode(s, late));
	if (err == RV_OK)
		s->tally.dirty = false;
	return err;
}

void rv_sqlite_tally_save(struct rv_sqlite *s)
{
	PRE(s->open);
	s->request++;
	s->tally_before = s->tally;
	s->ended_before = s->nended;
	s->spans_before = s->nspans;
}

void rv_sqlite_tally_restore(struct rv_sqlite *s)
{
	PRE(s->open);
	s->tally = s->tally_before;
	s->nended = s->ended_before;
	rv_sqlite_span_restore(s);
	for (size_t i = 0; i < s->nqueues; i++) {
		if (s->queues[i].saved == s->request)
			s->queues[i].now = s->queues[i].before;
	}
}

int rv_sqlite_queue_touch(struct rv_sqlite *s, struct rv_sqlite_queue *queue)
{
	PRE(s->open);
	PRE(queue >= s->queues && queue < s->queues + s->nqueues);
	if (queue->loaded != s->transaction) {
		sqlite3_stmt *stmt;
		int err = rv_sqlite_start(s, RV_SQL_COUNTS, &stmt, "i", queue->id);

		if (err == RV_OK)
			err = rv_sqlite_step(s, stmt);
		if (err != RV_OK)
			return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
		queue->now.dirty = false;
		queue->now.vtime = sqlite3_column_int64(stmt, 0);
		queue->now.prefetched = sqlite3_column_int64(stmt, 1);
		for (int i = 0; i < RV_JOB_STATES; i++)
			queue->now.of[i] = sqlite3_column_int64(stmt, 2 + i);
		rv_sqlite_end(stmt);
		queue->loaded = s->transaction;
	}
	if (queue->saved != s->request) {
		queue->before = queue->now;
		queue->saved = s->request;
	}
	return RV_OK;
}

/* One more of ${*ret_array}, zeroed. */
static void *more(void *ret_array, size_t count, size_t size)
{
	void **array = ret_array;
	void *grown = *array;

	if (count % 16 == 0) {
		grown = realloc(*array, (count + 16) * size);
		if (!grown)
			return NULL;
		*array = grown;
	}
	memset((char *)grown + count * size, 0, size);
	return (char *)grown + count * size;
}

void rv_sqlite_names_free(struct rv_sqlite *s)
{
	free(s->queues);
	free(s->tasks);
	free(s->resources);
	free(s->task_names);
	s->task_names = NULL;
	s->queues = NULL;
	s->tasks = NULL;
	s->resources = NULL;
	s->nqueues = s->ntasks = s->nresources = s->ntask_names = 0;
	s->tasks_limited = false;
	s->blocking = false;
	s->names_seen = -1;
}

/* Six columns from ${column} on; false: they cannot be limits. */
static bool read_limits(sqlite3_stmt *stmt, int column, struct rv_limits *ret_limits)
{
	*ret_limits = (struct rv_limits){
		.concurrency = sqlite3_column_int(stmt, column),
		.key_concurrency = sqlite3_column_int(stmt, column + 1),
		.rate = {sqlite3_column_int(stmt, column + 2),
			 sqlite3_column_int64(stmt, column + 3)},
		.key_rate = {sqlite3_column_int(stmt, column + 4),
			     sqlite3_column_int64(stmt, column + 5)},
	};
	return rv_limits_sane(ret_limits);
}

static int load_queues(struct rv_sqlite *s)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_QUEUES, &stmt, "");

	if (err != RV_OK)
		return err;
	while ((err = rv_sqlite_step(s, stmt)) == RV_OK) {
		struct rv_sqlite_queue *queue = more(&s->queues, s->nqueues, sizeof *queue);
		bool sane;

		if (!queue) {
			rv_sqlite_end(stmt);
			return RV_E_NOMEM;
		}
		queue->id = sqlite3_column_int64(stmt, 0);
		rv_sqlite_text(stmt, 1, queue->name, sizeof queue->name);
		queue->gate = (enum rv_queue_gate)sqlite3_column_int(stmt, 3);
		queue->aging_us = sqlite3_column_int64(stmt, 4);
		s->nqueues++;
		sane = read_limits(stmt, 5, &queue->limits);
		queue->limited = rv_limits_any(&queue->limits);
		queue->max = sqlite3_column_int(stmt, 11);
		queue->on_full = (enum rv_on_full)sqlite3_column_int(stmt, 12);
		s->blocking = s->blocking || (queue->max > 0 && queue->on_full == RV_ON_FULL_BLOCK);
		if (!sane || queue->max < 0 || !rv_admit_on_full_sane(queue->on_full) ||
		    !rv_strategy_sane(sqlite3_column_int(stmt, 2)) || queue->aging_us < 0 ||
		    queue->aging_us > RV_AGING_MAX_US || queue->gate >= RV_QUEUE_GATES) {
			rv_sqlite_end(stmt);
			return RV_E_CORRUPT;
		}
		queue->strategy = (enum rv_strategy)sqlite3_column_int(stmt, 2);
	}
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

/* Whether core may reckon with it: what stands in a damaged store may be anything. */
static bool task_is_sane(const struct rv_task_def *task)
{
	const struct rv_backoff *backoff = &task->backoff;

	return task->max_attempts >= 1 && task->max_crashes >= 0 && task->timeout_us >= 0 &&
	       task->weight >= 0 && task->weight <= RV_WEIGHT_MAX &&
	       backoff->kind >= RV_BACKOFF_NONE && backoff->kind <= RV_BACKOFF_EXPONENTIAL &&
	       backoff->min_us >= 0 && backoff->max_us >= backoff->min_us &&
	       backoff->max_us <= INT64_MAX / 4 && backoff->jitter_percent >= 0 &&
	       backoff->jitter_percent <= 100;
}

/* false: its limits cannot be any. */
static bool read_task(sqlite3_stmt *stmt, struct rv_task_def *task)
{
	rv_sqlite_text(stmt, 0, task->name, sizeof task->name);
	rv_sqlite_text(stmt, 1, task->queue, sizeof task->queue);
	task->max_attempts = sqlite3_column_int(stmt, 2);
	task->max_crashes = sqlite3_column_int(stmt, 3);
	task->timeout_us = sqlite3_column_int64(stmt, 4);
	task->backoff.kind = (enum rv_backoff_kind)sqlite3_column_int(stmt, 5);
	task->backoff.min_us = sqlite3_column_int64(stmt, 6);
	task->backoff.max_us = sqlite3_column_int64(stmt, 7);
	task->backoff.jitter_percent = sqlite3_column_int(stmt, 8);
	task->durability = sqlite3_column_int(stmt, 9) == RV_DURABILITY_NORMAL
				   ? RV_DURABILITY_NORMAL
				   : RV_DURABILITY_FULL;
	task->weight = sqlite3_column_int(stmt, 10);
	rv_sqlite_text(stmt, 17, task->takes, sizeof task->takes);
	return read_limits(stmt, 11, &task->limits);
}

static int load_tasks(struct rv_sqlite *s)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_TASKS, &stmt, "");

	if (err != RV_OK)
		return err;
	while ((err = rv_sqlite_step(s, stmt)) == RV_OK) {
		struct rv_task_def *task = more(&s->tasks, s->ntasks, sizeof *task);

		if (!task) {
			rv_sqlite_end(stmt);
			return RV_E_NOMEM;
		}
		if (!read_task(stmt, task) || !task_is_sane(task)) {
			rv_sqlite_end(stmt);
			return RV_E_CORRUPT;
		}
		s->tasks_limited =
			s->tasks_limited || rv_limits_any(&task->limits) || task->takes[0] != '\0';
		s->ntasks++;
	}
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

static int load_resources(struct rv_sqlite *s)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_RESOURCES, &stmt, "");

	if (err != RV_OK)
		return err;
	while ((err = rv_sqlite_step(s, stmt)) == RV_OK) {
		struct rv_resource_def *def = more(&s->resources, s->nresources, sizeof *def);

		if (!def) {
			rv_sqlite_end(stmt);
			return RV_E_NOMEM;
		}
		rv_sqlite_text(stmt, 0, def->name, sizeof def->name);
		def->count = sqlite3_column_int(stmt, 1);
		s->nresources++;
	}
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

static int load_task_names(struct rv_sqlite *s)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_TASK_NAMES, &stmt, "");

	if (err != RV_OK)
		return err;
	while ((err = rv_sqlite_step(s, stmt)) == RV_OK) {
		struct rv_sqlite_task_name *named =
			more(&s->task_names, s->ntask_names, sizeof *named);

		if (!named) {
			rv_sqlite_end(stmt);
			return RV_E_NOMEM;
		}
		named->id = sqlite3_column_int64(stmt, 0);
		rv_sqlite_text(stmt, 1, named->name, sizeof named->name);
		s->ntask_names++;
	}
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

int rv_sqlite_names(struct rv_sqlite *s)
{
	int err;

	if (s->names_seen == s->tally.names)
		return RV_OK;
	rv_sqlite_names_free(s);
	err = load_queues(s);
	if (err == RV_OK)
		err = load_tasks(s);
	if (err == RV_OK)
		err = load_resources(s);
	if (err == RV_OK)
		err = load_task_names(s);
	if (err == RV_OK)
		s->names_seen = s->tally.names;
	POST(err != RV_OK || s->names_seen == s->tally.names);
	return err;
}

static int compare_queue(const void *name, const void *queue)
{
	return strcmp(name, ((const struct rv_sqlite_queue *)queue)->name);
}

static int compare_task(const void *name, const void *task)
{
	return strcmp(name, ((const struct rv_task_def *)task)->name);
}

static int compare_task_name(const void *name, const void *named)
{
	return strcmp(name, ((const struct rv_sqlite_task_name *)named)->name);
}

/* The few queues of a host are found by walking; the walk ends at the first hit. */
struct rv_sqlite_queue *rv_sqlite_queue_by_id(struct rv_sqlite *s, int64_t id)
{
	for (size_t i = 0; i < s->nqueues; i++) {
		if (s->queues[i].id == id)
			return &s->queues[i];
	}
	return NULL;
}

struct rv_sqlite_queue *rv_sqlite_queue_named(struct rv_sqlite *s, const char *name)
{
	if (s->nqueues == 0)
		return NULL;
	return bsearch(name, s->queues, s->nqueues, sizeof *s->queues, compare_queue);
}

const struct rv_task_def *rv_sqlite_task(struct rv_sqlite *s, const char *name)
{
	if (s->ntasks == 0)
		return NULL;
	return bsearch(name, s->tasks, s->ntasks, sizeof *s->tasks, compare_task);
}

int64_t rv_sqlite_task_id(struct rv_sqlite *s, const char *name)
{
	const struct rv_sqlite_task_name *named =
		s->ntask_names == 0 ? NULL
				    : bsearch(name, s->task_names, s->ntask_names,
					      sizeof *s->task_names, compare_task_name);

	return named ? named->id : 0;
}

int rv_sqlite_queue_unknown(struct rv_sqlite *s, const char *name, struct rv_why *why)
{
	const char **names = calloc(s->nqueues + 1, sizeof *names);
	int err;

	if (!names)
		return RV_E_NOMEM;
	for (size_t i = 0; i < s->nqueues; i++)
		names[i] = s->queues[i].name;
	err = rv_rules_unknown(why, "queue", name, names, s->nqueues);
	free(names);
	return err;
}
