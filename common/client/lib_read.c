/*
 * libreeve: jobs, pages of them and counts, copied so that they are the caller's.  Runs in
 * programs of other people; changes nothing.
 */
#include "client/lib.h"

#include "base/check.h"
#include "base/seam.h"
#include "store/search.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_DEFAULT 50
#define LIMIT_MAX    10000

int rv_lib_copy(struct rv_arena *arena, const char *text, const char **ret_copy)
{
	*ret_copy = text ? rv_arena_strdup(arena, text) : NULL;
	return text && !*ret_copy ? RV_E_NOMEM : RV_OK;
}

static int copy_job(struct rv_arena *arena, const struct rv_job_view *view, struct reeve_job *job)
{
	*job = (struct reeve_job){
		.id = view->id,
		.state = (int)view->state,
		.priority = view->priority,
		.attempt = view->attempt,
		.max_attempts = view->max_attempts,
		.crashes = view->crashes,
		.runs = view->runs,
		.created_at_us = view->created_us,
		.run_at_us = view->run_at_us,
		.started_at_us = view->started_us,
		.finished_at_us = view->finished_us,
		.expires_at_us = view->expires_us,
		.deadline_at_us = view->deadline_us,
		.timeout_us = view->timeout_us,
		.fence = view->fence,
		.exit_code = view->exit_code >= 0 ? view->exit_code : -1,
		.signal = view->signo,
		.cancel_requested = view->cancel_requested,
		.held = view->held,
		.batch = view->batch,
		.payload_size = view->payload_size,
		.percent = -1,
	};
	int err = rv_lib_copy(arena, view->task, &job->task);

	if (!err)
		err = rv_lib_copy(arena, view->queue, &job->queue);
	if (!err)
		err = rv_lib_copy(arena, view->spec, &job->spec);
	if (!err)
		err = rv_lib_copy(arena, view->error, &job->error);
	if (!err)
		err = rv_lib_copy(arena, view->worker, &job->worker);
	if (!err)
		err = rv_lib_copy(arena, view->key, &job->key);
	if (!err)
		err = rv_lib_copy(arena, view->unique_key, &job->unique_key);
	if (!err)
		err = rv_lib_copy(arena, view->idem_key, &job->idempotency_key);
	if (!err)
		err = rv_lib_copy(arena, view->meta, &job->meta);
	return err ? err : rv_lib_copy(arena, view->labels, &job->labels);
}

static int copy_told(struct rv_arena *arena, struct rv_store *store, struct reeve_job *job)
{
	struct rv_told told;
	int err = rv_store_told(store, job->id, &told);

	if (err)
		return err == RV_E_NOTFOUND ? RV_OK : err; /* deleted between two looks */
	job->percent = told.percent;
	err = rv_lib_copy(arena, told.message, &job->message);
	if (err || !told.result)
		return err;
	job->result = rv_arena_memdup(arena, told.result, told.result_size);
	job->result_size = told.result_size;
	return job->result ? RV_OK : RV_E_NOMEM;
}

int reeve_get(struct reeve *reeve, int64_t id, const struct reeve_job **ret_job)
{
	struct rv_arena *arena;
	struct rv_job_view view;
	struct reeve_job *job;
	int err;

	if (!ret_job)
		return rv_lib_say(reeve, RV_E_USAGE, "reeve_get: ret_job is NULL");
	err = rv_lib_enter(reeve, RV_CLIENT_READ);
	if (err)
		return err;
	job = rv_lib_give(sizeof(*job), &arena);
	err = job ? rv_store_job(reeve->client.store, id, &view) : RV_E_NOMEM;
	if (err == RV_E_NOTFOUND)
		(void)rv_fail(&reeve->why, err, "there is no job %lld", (long long)id);
	if (!err)
		err = copy_job(arena, &view, job);
	if (!err)
		err = copy_told(arena, reeve->client.store, job);
	if (err)
		reeve_free(job);
	else
		*ret_job = job;
	return rv_lib_leave(reeve, err);
}

struct reeve_page {
	struct rv_arena *arena;
	size_t count, space;
	const struct reeve_job **jobs;
	char next[RV_CURSOR_SPACE];
};

static int add_job(void *ctx, const struct rv_job_view *view)
{
	struct reeve_page *page = ctx;
	struct reeve_job *job = rv_arena_alloc(page->arena, sizeof(*job));

	PRE(page->count < page->space);
	if (!job)
		return RV_E_NOMEM;
	page->jobs[page->count++] = job;
	return copy_job(page->arena, view, job);
}

static int search(struct reeve *reeve, const char *text, const char *cursor,
		  struct reeve_page *page)
{
	struct rv_query query;
	struct rv_search search = {
		.query = &query, .cursor = cursor, .limit = (int64_t)page->space};
	size_t at = 0;
	int err = rv_query_parse(text ? text : "", rv_wall_us(), &query, &at, &reeve->why);

	if (err == RV_E_USAGE)
		return rv_wrap(&reeve->why, err, "column %zu of the query", at + 1);
	if (err)
		return err;
	return rv_store_search(reeve->client.store, &search, add_job, page, page->next,
			       &reeve->why);
}

int reeve_list(struct reeve *reeve, const char *query, size_t limit, const char *cursor,
	       const struct reeve_page **ret_page)
{
	struct rv_arena *arena;
	struct reeve_page *page;
	int err;

	if (!ret_page || limit > LIMIT_MAX)
		return rv_lib_say(reeve, RV_E_USAGE, "reeve_list: %s",
				  ret_page ? "a page has at most 10000 jobs" : "ret_page is NULL");
	err = rv_lib_enter(reeve, RV_CLIENT_READ);
	if (err)
		return err;
	page = rv_lib_give(sizeof(*page), &arena);
	if (page) {
		page->arena = arena;
		page->space = limit ? limit : PAGE_DEFAULT;
		page->jobs = rv_arena_alloc(arena, page->space * sizeof(*page->jobs));
	}
	err = page && page->jobs ? search(reeve, query, cursor, page) : RV_E_NOMEM;
	if (err)
		reeve_free(page);
	else
		*ret_page = page;
	return rv_lib_leave(reeve, err);
}

size_t reeve_page_count(const struct reeve_page *page)
{
	return page->count;
}

const struct reeve_job *reeve_page_job(const struct reeve_page *page, size_t index)
{
	return index < page->count ? page->jobs[index] : NULL;
}

const char *reeve_page_next(const struct reeve_page *page)
{
	return page->next[0] ? page->next : NULL;
}

struct reeve_stats {
	struct rv_arena *arena;
	struct reeve_queue total;
	size_t count, space;
	struct reeve_queue *queues; /* owned while it grows, then the arena's */
};

static int add_queue(void *ctx, const struct rv_queue_view *view)
{
	struct reeve_stats *stats = ctx;
	struct reeve_queue *queue;

	if (stats->count == stats->space) {
		size_t space = stats->space ? stats->space * 2 : 16;
		struct reeve_queue *grown = rv_arena_alloc(stats->arena, space * sizeof(*grown));

		if (!grown)
			return RV_E_NOMEM;
		if (stats->count > 0)
			memcpy(grown, stats->queues, stats->count * sizeof(*grown));
		stats->queues = grown;
		stats->space = space;
	}
	queue = &stats->queues[stats->count++];
	*queue = (struct reeve_queue){.paused = view->paused,
				      .draining = view->draining,
				      .oldest_ready_at_us = view->oldest_ready_us};
	for (size_t i = 0; i < RV_JOB_STATES; i++)
		queue->count[i] = view->counts[i];
	return rv_lib_copy(stats->arena, view->name, &queue->name);
}

static int read_stats(struct rv_store *store, struct reeve_stats *stats)
{
	struct rv_store_totals totals;
	int err = rv_store_totals(store, &totals);

	_Static_assert(RV_JOB_STATES <= sizeof(stats->total.count) / sizeof(stats->total.count[0]),
		       "room for a count of each state");
	if (err)
		return err;
	for (size_t i = 0; i < RV_JOB_STATES; i++)
		stats->total.count[i] = totals.counts[i];
	stats->total.oldest_ready_at_us = totals.oldest_ready_us;
	return rv_store_queues(store, add_queue, stats);
}

int reeve_stats(struct reeve *reeve, const struct reeve_stats **ret_stats)
{
	struct rv_arena *arena;
	struct reeve_stats *stats;
	int err;

	if (!ret_stats)
		return rv_lib_say(reeve, RV_E_USAGE, "reeve_stats: ret_stats is NULL");
	err = rv_lib_enter(reeve, RV_CLIENT_READ);
	if (err)
		return err;
	stats = rv_lib_give(sizeof(*stats), &arena);
	if (stats) {
		stats->arena = arena;
		err = read_stats(reeve->client.store, stats);
	} else {
		err = RV_E_NOMEM;
	}
	if (err)
		reeve_free(stats);
	else
		*ret_stats = stats;
	return rv_lib_leave(reeve, err);
}

const struct reeve_queue *reeve_stats_total(const struct reeve_stats *stats)
{
	return &stats->total;
}

size_t reeve_stats_count(const struct reeve_stats *stats)
{
	return stats->count;
}

const struct reeve_queue *reeve_stats_queue(const struct reeve_stats *stats, size_t index)
{
	return index < stats->count ? &stats->queues[index] : NULL;
}
