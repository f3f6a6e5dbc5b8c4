/*
 * The memory backend: statistics, added up anew from every run that has ended whenever somebody
 * asks.
 */
#include "store/memory_rows.h"

#include "base/check.h"
#include "base/seam.h"
#include "store/stats.h"

#include <stdlib.h>
#include <string.h>

void rv_memory_counted(struct mem_store *m, const struct mem_job *j)
{
	const struct mem_attempt *a = rv_memory_last_attempt(m, j->id);
	int64_t due_us = j->asked_us > j->created_us ? j->asked_us : j->created_us;
	struct rv_run_end end;

	INV(a && a->outcome != -1);
	end = (struct rv_run_end){.outcome = a->outcome,
				  .job = rv_memory_shown(j),
				  .due_us = a->run == 1 ? due_us : 0,
				  .started_us = a->started_us,
				  .ended_us = a->ended_us,
				  .user_us = a->user_us,
				  .sys_us = a->sys_us,
				  .maxrss_bytes = a->maxrss_bytes};
	*MEM_ADD(m, ended) = (struct mem_ended){.queue = j->queue,
						.task = j->task,
						.minute = rv_stats_minute(m->wall_us),
						.run = end};
}

static bool belongs(const struct mem_ended *e, int queue, const char *task)
{
	return task ? strcmp(task, e->task) == 0 : queue == e->queue;
}

static void add(struct rv_stats *to, const struct mem_ended *e)
{
	struct rv_ended ended;

	rv_rules_ended(&e->run, &ended);
	rv_stats_add(to, &ended);
}

void rv_memory_sum(struct mem_store *m, int queue, const char *task, struct rv_stats *ret_sum)
{
	memset(ret_sum, 0, sizeof *ret_sum);
	MEM_EACH(m, ended, e)
	if (belongs(e, queue, task))
		add(ret_sum, e);
}

static void look_back(struct mem_store *m, int queue, const char *task, int64_t now_us,
		      struct rv_stats_view *view)
{
	int64_t now = rv_stats_minute(now_us);
	int64_t last = 0;
	int64_t before = 0;

	MEM_EACH(m, ended, e)
	{
		bool finished = e->run.job == RV_JOB_SUCCEEDED || e->run.job == RV_JOB_DEAD;

		if (!belongs(e, queue, task))
			continue;
		if (rv_stats_in_hour(e->minute, now))
			add(&view->hour, e);
		last += finished && e->minute == now;
		before += finished && e->minute == now - 1;
	}
	view->minute = rv_stats_last_minute(last, before, now_us);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of which there are runs, in order, each once; how many. */
static size_t names_of(struct mem_store *m, int of, const char **names)
{
	size_t n = 0;
	size_t once = 0;

	MEM_EACH(m, ended, e)
	names[n++] = of == RV_STATS_TASKS ? e->task : m->now.queues.rows[e->queue].name;
	if (n > 0)
		qsort(names, n, sizeof *names, by_name);
	for (size_t i = 0; i < n; i++)
		if (once == 0 || strcmp(names[once - 1], names[i]) != 0)
			names[once++] = names[i];
	return once;
}

int rv_memory_read_statistics(struct rv_store *store, int of, const char *name,
			      int (*each)(void *ctx, const struct rv_stats_view *view), void *ctx)
{
	struct mem_store *m = MEM_OF(store);
	const char **names = calloc(m->now.ended.n + 1, sizeof *names);
	struct rv_stats_view *view = malloc(sizeof *view);
	int64_t now_us = rv_wall_us();
	size_t n;
	int err = RV_OK;

	if (!names || !view)
		IMPOSSIBLE("no memory for the oracle");
	n = names_of(m, of, names);
	for (size_t i = 0; i < n && err == RV_OK; i++) {
		const char *task = of == RV_STATS_TASKS ? names[i] : NULL;
		const struct mem_queue *q = task ? NULL : rv_memory_queue(m, names[i]);
		int queue = q ? (int)(q - m->now.queues.rows) : -1;

		INV(names[i]);
		if (name && strcmp(name, names[i]) != 0)
			continue;
		memset(view, 0, sizeof *view);
		view->name = names[i];
		rv_memory_sum(m, queue, task, &view->ever);
		look_back(m, queue, task, now_us, view);
		err = each(ctx, view);
	}
	free(names);
	free(view);
	return err;
}
