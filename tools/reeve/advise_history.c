/*
 * What is known of a task: the store's statistics, and its newest jobs one by one.  Runs in the CLI
 * and only reads.  Wider than others: statistics, jobs, outputs and the configuration meet here.
 */
#include "advise.h"

#include "base/crc32c.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/output.h"
#include "store/read.h"
#include "store/stats.h"
#include "view_stats.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMED_OUT "timed out after " /* how a worker's error begins */
#define SCHEDULED "\"schedule\":"    /* in the metadata of a schedule's job */

struct one {
	int64_t id, created_us;
	int run, crashes;
	enum rv_job_state state;
};

struct history {
	struct rv_cli *cli;
	struct rv_facts *facts;
	struct one *jobs; /* owned; the newest first */
	size_t njobs, space;
	int64_t *came; /* owned; when those came that no schedule made, the newest first */
	size_t ncame;
	uint32_t *keys; /* owned; sums of those that have one */
	size_t nkeys;
};

static int each_job(void *ctx, const struct rv_job_view *view)
{
	struct history *h = ctx;

	if (h->njobs == h->space)
		return RV_OK;
	h->jobs[h->njobs++] = (struct one){.id = view->id,
					   .created_us = view->created_us,
					   .run = view->runs,
					   .crashes = view->crashes,
					   .state = view->state};
	if (view->key && view->key[0] != '\0')
		h->keys[h->nkeys++] = rv_crc32c(0, view->key, strlen(view->key));
	if (view->meta && strstr(view->meta, SCHEDULED))
		h->facts->scheduled = true;
	else
		h->came[h->ncame++] = view->created_us;
	return RV_OK;
}

/* The runs of one job. */
struct runs {
	int64_t failed, attempts;
	bool first_failed, timed_out;
	int64_t started_us, ended_us; /* of the last */
};

static int each_run(void *ctx, const struct rv_attempt_view *run)
{
	struct runs *runs = ctx;
	bool failed = run->outcome == RV_OUTCOME_FAILED || run->outcome == RV_OUTCOME_FATAL;

	runs->failed += failed;
	runs->first_failed = runs->first_failed || (failed && run->attempt == 1);
	runs->timed_out =
		failed && run->error && strncmp(run->error, TIMED_OUT, strlen(TIMED_OUT)) == 0;
	if (run->attempt > runs->attempts)
		runs->attempts = run->attempt;
	runs->started_us = run->started_us;
	runs->ended_us = run->ended_us;
	return RV_OK;
}

static void add_job(struct rv_facts *facts, const struct one *job, const struct runs *runs)
{
	bool well = job->state == RV_JOB_SUCCEEDED;

	facts->jobs++;
	facts->timeouts += runs->timed_out;
	if (job->crashes > 0) {
		facts->crashed++;
		facts->crash_recovered += well;
	}
	if (!runs->first_failed || runs->attempts < 2)
		return;
	facts->again++;
	facts->recovered += well;
	facts->at_second += well && runs->attempts == 2;
	if (well && runs->attempts > facts->most_attempts)
		facts->most_attempts = runs->attempts;
}

/* The longest time in which a run that succeeded printed nothing. */
static int look_at_output(struct history *h, const struct one *job, const struct runs *runs)
{
	const struct rv_output_how how = {
		.state_dir = h->cli->client.conf->reeve.state_dir, .job = job->id, .run = job->run};
	struct rv_output_reader *reader = NULL;
	struct rv_output_record record;
	int64_t last_us = runs->started_us;
	int64_t silence_us = 0;
	int64_t count = 0;
	int err = rv_output_reader_open(&how, &reader);

	if (err)
		return err;
	while (rv_output_next(reader, &record) == RV_OK) {
		if (record.stream == RV_OUTPUT_DROPPED)
			continue;
		if (record.time_us - last_us > silence_us)
			silence_us = record.time_us - last_us;
		last_us = record.time_us;
		count++;
	}
	rv_output_reader_close(reader);
	if (runs->ended_us - last_us > silence_us)
		silence_us = runs->ended_us - last_us;
	if (count == 0)
		return RV_OK;
	h->facts->printing++;
	if (silence_us > h->facts->silence_us)
		h->facts->silence_us = silence_us;
	return RV_OK;
}

static int look_at_jobs(struct history *h)
{
	int outputs = 0;
	int err = RV_OK;

	for (size_t i = 0; !err && i < h->njobs; i++) {
		const struct one *job = &h->jobs[i];
		struct runs runs = {0};

		if (!rv_job_state_final(job->state))
			continue;
		err = rv_store_attempts(h->cli->client.store, job->id, each_run, &runs);
		if (err)
			break;
		add_job(h->facts, job, &runs);
		if (job->state == RV_JOB_SUCCEEDED && outputs++ < RV_ADVISE_OUTPUTS)
			err = look_at_output(h, job, &runs);
	}
	return err;
}

static int compare(const void *a, const void *b)
{
	const int64_t *x = a;
	const int64_t *y = b;

	return (*x > *y) - (*x < *y);
}

/* The value that ${percent} of a hundred do not exceed, by nearest rank. */
static int64_t rank(const int64_t *sorted, size_t count, size_t percent)
{
	size_t place = (count * percent + 99) / 100;

	return sorted[place > 0 ? place - 1 : 0];
}

static void look_at_gaps(struct history *h)
{
	struct rv_facts *facts = h->facts;
	size_t count = h->ncame > 0 ? h->ncame - 1 : 0;

	qsort(h->came, h->ncame, sizeof(*h->came), compare);
	for (size_t i = 0; i < count; i++) {
		h->came[i] = h->came[i + 1] - h->came[i];
		facts->bursts += h->came[i] <= RV_ADVISE_BURST_US;
	}
	facts->gaps = (int64_t)count;
	if (count == 0)
		return;
	qsort(h->came, count, sizeof(*h->came), compare);
	facts->gap05_us = rank(h->came, count, 5);
	facts->gap50_us = rank(h->came, count, 50);
	facts->gap95_us = rank(h->came, count, 95);
}

static int compare_keys(const void *a, const void *b)
{
	const uint32_t *x = a;
	const uint32_t *y = b;

	return (*x > *y) - (*x < *y);
}

/* How many different ones there are; 0 unless each job has one. */
static int64_t count_keys(struct history *h)
{
	int64_t count = 0;

	if (h->nkeys < h->njobs)
		return 0;
	qsort(h->keys, h->nkeys, sizeof(*h->keys), compare_keys);
	for (size_t i = 0; i < h->nkeys; i++)
		count += i == 0 || h->keys[i] != h->keys[i - 1];
	return count;
}

static int look_at_newest(struct rv_cli *cli, const char *task, struct rv_facts *facts)
{
	const struct rv_conf_task *conf = rv_conf_task_find(cli->client.conf, task);
	struct rv_job_filter filter = {.state = -1, .task = task, .limit = RV_ADVISE_JOBS};
	struct history h = {.cli = cli, .facts = facts, .space = RV_ADVISE_JOBS};
	int err = RV_OK;

	h.jobs = calloc(h.space, sizeof(*h.jobs));
	h.came = calloc(h.space, sizeof(*h.came));
	h.keys = calloc(h.space, sizeof(*h.keys));
	if (!h.jobs || !h.came || !h.keys)
		err = RV_E_NOMEM;
	if (!err)
		err = rv_store_jobs(cli->client.store, &filter, each_job, &h);
	if (!err)
		err = look_at_jobs(&h);
	if (!err)
		look_at_gaps(&h);
	if (!err && conf)
		rv_advise_limits(cli->client.conf, conf, count_keys(&h), facts);
	free(h.jobs);
	free(h.came);
	free(h.keys);
	return err;
}

/* Runs of which it is not known count like the others. */
static int64_t cpu_of(const struct rv_stats *of)
{
	int64_t known = rv_histogram_count(&of->cpu);
	int64_t runs = rv_histogram_count(&of->run);

	if (known >= runs)
		return of->cpu_us;
	return known > 0 ? (int64_t)((double)of->cpu_us / (double)known * (double)runs) : -1;
}

static void take_statistics(const struct rv_stats_view *view, struct rv_facts *facts)
{
	const struct rv_stats *ever = &view->ever;

	facts->runs = rv_histogram_count(&ever->run);
	facts->failed = ever->failed;
	facts->cpu_us = cpu_of(ever);
	facts->busy_us = ever->run_us;
	facts->rss_kib = ever->maxrss_kib > 0 ? ever->maxrss_kib : -1;
	facts->hour_runs = rv_histogram_count(&view->hour.run);
	facts->wait95_us = rv_histogram_quantile(&ever->wait, 950);
	facts->p50_us = rv_histogram_quantile(&ever->run, 500);
	facts->p95_us = rv_histogram_quantile(&ever->run, 950);
	facts->p99_us = rv_histogram_quantile(&ever->run, 990);
	facts->most_us = rv_histogram_quantile(&ever->run, 1000);
}

void rv_advise_place(const struct rv_cli *cli, const char *queue, struct rv_facts *facts)
{
	const struct rv_conf *conf = cli->client.conf;
	int64_t pages = sysconf(_SC_PHYS_PAGES);
	int64_t page = sysconf(_SC_PAGESIZE);

	facts->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	facts->memory_kib = pages > 0 && page > 0 ? pages * (page >> 10) : -1;
	facts->workers = 0;
	for (size_t p = 0; p < conf->npools; p++) {
		const struct rv_conf_list *queues = &conf->pools[p].queues;

		for (size_t q = 0; q < queues->count; q++) {
			if (strcmp(queues->items[q], queue) != 0)
				continue;
			facts->workers += conf->pools[p].workers.max;
			break;
		}
	}
}

static void take_configuration(const struct rv_cli *cli, const char *name, struct rv_facts *facts)
{
	const struct rv_conf *conf = cli->client.conf;
	const struct rv_conf_task *task = rv_conf_task_find(conf, name);

	rv_advise_place(cli, task ? task->queue : "default", facts);
	facts->timeout_us = task ? task->timeout_us : 0;
	facts->pipe = task && (task->handler == RV_CONF_HANDLER_PIPE ||
			       task->handler == RV_CONF_HANDLER_MODULE);
	for (size_t i = 0; i < conf->nschedules; i++) {
		if (strcmp(conf->schedules[i].task, name) == 0)
			facts->scheduled = true;
	}
}

int rv_advise_history(struct rv_cli *cli, const char *task, struct rv_facts *ret_facts)
{
	struct rv_stats_view *view = malloc(sizeof(*view));
	struct rv_facts facts = {.silence_us = -1, .gap05_us = -1, .gap50_us = -1, .gap95_us = -1};
	int err =
		view ? rv_stats_of_one(cli->client.store, RV_STATS_TASKS, task, view) : RV_E_NOMEM;

	if (!err) {
		take_statistics(view, &facts);
		take_configuration(cli, task, &facts);
		err = look_at_newest(cli, task, &facts);
	}
	free(view);
	if (!err)
		*ret_facts = facts;
	return err;
}
