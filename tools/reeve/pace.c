/*
 * Looks which of the jobs that are waited for run, what they say of themselves, and how long those
 * of their tasks usually take.  Runs in the CLI, for somebody at a terminal.  Never fails and never
 * writes: a bar that says less is no reason to stop waiting.
 */
#include "pace.h"

#include "base/seam.h"
#include "store/stats.h"
#include "view.h"
#include "view_stats.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_US  RV_S_US
#define RUNS_MIN 3 /* runs that make a usual time */

struct look {
	struct rv_pace *pace;
	bool (*wanted)(void *ctx, int64_t id);
	void *ctx;
	int64_t now_us, running, run_us, id; /* run_us: of all together; id: of the last one */
};

void rv_pace_init(struct rv_pace *pace, struct rv_cli *cli, const char *what)
{
	memset(pace, 0, sizeof(*pace));
	pace->cli = cli;
	pace->seen.percent = -1;
	rv_bar_init(&pace->bar, &cli->out, what);
	pace->bar.known = &pace->seen;
}

/* NULL: a command of its own, which is like no other; or one task too many. */
static struct rv_pace_task *task_of(struct rv_pace *pace, const char *name)
{
	struct rv_pace_task *task;

	if (!name || !*name)
		return NULL;
	for (size_t i = 0; i < pace->ntasks; i++) {
		if (strcmp(pace->tasks[i].name, name) == 0)
			return &pace->tasks[i];
	}
	if (pace->ntasks == RV_PACE_TASKS)
		return NULL;
	task = &pace->tasks[pace->ntasks++];
	*task = (struct rv_pace_task){.usual_us = -1};
	(void)snprintf(task->name, sizeof(task->name), "%s", name);
	return task;
}

static int each_running(void *ctx, const struct rv_job_view *view)
{
	struct look *look = ctx;
	struct rv_pace_task *task;

	if (view->started_us == 0 || (look->wanted && !look->wanted(look->ctx, view->id)))
		return RV_OK;
	look->running++;
	look->id = view->id;
	look->run_us += rv_view_run_us(view, look->now_us);
	task = task_of(look->pace, view->task);
	if (task)
		task->running++;
	return RV_OK;
}

/* The median of the last hour, or of all time where that says too little; 0 where both do. */
static int64_t usual_of(struct rv_store *store, const char *task)
{
	struct rv_stats_view *view = malloc(sizeof(*view));
	int64_t us = 0;

	if (view && rv_stats_of_one(store, RV_STATS_TASKS, task, view) == RV_OK) {
		const struct rv_histogram *run = rv_histogram_count(&view->hour.run) >= RUNS_MIN
							 ? &view->hour.run
							 : &view->ever.run;

		if (rv_histogram_count(run) >= RUNS_MIN)
			us = rv_histogram_quantile(run, 500);
	}
	free(view);
	return us > 0 ? us : 0;
}

/* Of those that run and of which it is known. */
static int64_t usual(struct rv_pace *pace)
{
	double sum = 0;
	int64_t n = 0;

	for (size_t i = 0; i < pace->ntasks; i++) {
		struct rv_pace_task *task = &pace->tasks[i];

		if (task->running > 0 && task->usual_us < 0)
			task->usual_us = usual_of(pace->cli->client.store, task->name);
		if (task->running > 0 && task->usual_us > 0) {
			sum += (double)task->usual_us * (double)task->running;
			n += task->running;
		}
	}
	return n > 0 ? (int64_t)(sum / (double)n) : 0;
}

void rv_pace_look(struct rv_pace *pace, const char *queue, int64_t batch,
		  bool (*wanted)(void *ctx, int64_t id), void *ctx)
{
	struct rv_job_filter filter = {
		.state = -1, .states = 1U << RV_JOB_RUNNING, .queue = queue, .batch = batch};
	struct look look = {.pace = pace, .wanted = wanted, .ctx = ctx, .now_us = rv_wall_us()};
	int64_t now_us = rv_mono_us();
	struct rv_told told;

	if (!pace->cli->out.tty_err || now_us < pace->next_us)
		return;
	pace->next_us = now_us + LOOK_US;
	for (size_t i = 0; i < pace->ntasks; i++)
		pace->tasks[i].running = 0;
	pace->seen = (struct rv_eta_seen){.percent = -1};
	if (rv_store_jobs(pace->cli->client.store, &filter, each_running, &look) != RV_OK ||
	    look.running == 0)
		return;
	pace->seen.running = look.running;
	pace->seen.run_us = look.run_us / look.running;
	pace->seen.usual_us = usual(pace);
	if (look.running == 1 && rv_store_told(pace->cli->client.store, look.id, &told) == RV_OK &&
	    told.at_us > 0)
		pace->seen.percent = told.percent;
}
