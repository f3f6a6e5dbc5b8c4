/*
 * Which jobs a page of a list has: the newest of each table that its states stand in, put together.
 * Every table is walked from its newest id down by an index, so that a page costs the same whatever
 * is in the store.  Keeper and CLI; within a snapshot of the caller's.
 */
#include "store/sqlite.h"
#include "store/sqlite_view.h"

#include "base/check.h"
#include "core/job.h"

#include <stdlib.h>
#include <string.h>

#define SORT_MAX 10000 /* ready jobs sorted for a page of their list: some 5 ms */

_Static_assert(RV_JOB_SUCCEEDED == 4, "as the index done_listed and its statements have it");

#define BIT(state) (1U << RV_JOB_##state)
#define EVERY      ((1U << RV_JOB_STATES) - 1)

/* What is looked for, and the newest found so far. */
struct search {
	int64_t before, above, queue, batch, limit; /* queue, batch: 0 any */
	const char *task;
	unsigned states;
	int64_t *best, *found, *merged; /* limit of them each */
	int64_t n;
};

/* The ${n} of search->found are put among the best. */
static void merge(struct search *search, int64_t n)
{
	int64_t *merged = search->merged;
	int64_t a = 0;
	int64_t b = 0;
	int64_t to = 0;

	while (to < search->limit && (a < search->n || b < n)) {
		if (b == n || (a < search->n && search->best[a] > search->found[b]))
			merged[to++] = search->best[a++];
		else
			merged[to++] = search->found[b++];
	}
	search->merged = search->best;
	search->best = merged;
	search->n = to;
}

/* The rows of one statement; ${types}: how many of its parameters there are. */
static int look(struct rv_sqlite *s, struct search *search, enum rv_sqlite_stmt which,
		const char *types, int64_t queue, int64_t kind)
{
	sqlite3_stmt *stmt;
	int64_t n = 0;
	int err = rv_sqlite_start(s, which, &stmt, types, search->before, search->above,
				  search->task, search->limit, queue, kind);

	if (err != RV_OK)
		return err;
	while (n < search->limit && (err = rv_sqlite_step(s, stmt)) == RV_OK)
		search->found[n++] = sqlite3_column_int64(stmt, 0);
	rv_sqlite_end(stmt);
	if (err != RV_OK && err != RV_E_NOTFOUND)
		return err;
	merge(search, n);
	return RV_OK;
}

static int look_ready(struct rv_sqlite *s, struct search *search)
{
	int64_t ready = 0;
	int err = rv_sqlite_number(s, RV_SQL_READY_COUNT, &ready, "i", search->queue);

	if (err == RV_OK)
		err = look(s, search, RV_SQL_IDS_LEASE, "iitiii", search->queue, 0);
	if (err != RV_OK)
		return err;
	if (ready > SORT_MAX)
		return look(s, search, RV_SQL_IDS_READY_MANY, "iitii", search->queue, 0);
	if (search->queue == 0)
		return look(s, search, RV_SQL_IDS_READY, "iiti", 0, 0);
	return look(s, search, RV_SQL_IDS_READY_OF, "iitii", search->queue, 0);
}

/*
 * Nearly every job ends here, so an index would cost each ack a row and a page: from the newest id
 * down, through what ended otherwise or in other queues, if there is anything to find.
 */
static int look_succeeded(struct rv_sqlite *s, struct search *search)
{
	int64_t succeeded = 0;
	int err = rv_sqlite_number(s, RV_SQL_SUCCEEDED_COUNT, &succeeded, "i", search->queue);

	if (err != RV_OK || succeeded == 0)
		return err;
	return look(s, search, RV_SQL_IDS_SUCCEEDED, "iitii", search->queue, 0);
}

/* Another final state: queue by queue, because that is how its index is ordered. */
static int look_done(struct rv_sqlite *s, struct search *search, int state)
{
	int64_t queue = 0;
	int err;

	if (search->queue != 0)
		return look(s, search, RV_SQL_IDS_DONE, "iitiii", search->queue, state);
	while ((err = rv_sqlite_number(s, RV_SQL_QUEUE_NEXT, &queue, "i", queue)) == RV_OK) {
		err = look(s, search, RV_SQL_IDS_DONE, "iitiii", queue, state);
		if (err != RV_OK)
			return err;
	}
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

/* Those of one queue, or all. */
static int look_waiting(struct rv_sqlite *s, struct search *search, enum rv_sqlite_stmt all,
			enum rv_sqlite_stmt of)
{
	if (search->queue == 0)
		return look(s, search, all, "iiti", 0, 0);
	return look(s, search, of, "iitii", search->queue, 0);
}

/* Its members, from the newest down: there is no index of them by state. */
static int look_batch(struct rv_sqlite *s, struct search *search)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_IDS_BATCH, &stmt, "iitiiii", search->before,
				  search->above, search->task, search->limit, search->batch,
				  (int64_t)search->states, search->queue);

	if (err != RV_OK)
		return err;
	while (search->n < search->limit && (err = rv_sqlite_step(s, stmt)) == RV_OK)
		search->best[search->n++] = sqlite3_column_int64(stmt, 0);
	rv_sqlite_end(stmt);
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

static int look_everywhere(struct rv_sqlite *s, struct search *search)
{
	int err = RV_OK;

	if (search->batch != 0)
		return look_batch(s, search);
	if (search->states == EVERY && search->queue == 0)
		return look(s, search, RV_SQL_IDS_ALL, "iiti", 0, 0);
	if (search->states & BIT(SCHEDULED))
		err = look_waiting(s, search, RV_SQL_IDS_SCHEDULED, RV_SQL_IDS_SCHEDULED_OF);
	if (err == RV_OK && (search->states & BIT(BLOCKED)))
		err = look_waiting(s, search, RV_SQL_IDS_BLOCKED, RV_SQL_IDS_BLOCKED_OF);
	if (err == RV_OK && (search->states & BIT(READY)))
		err = look_ready(s, search);
	if (err == RV_OK && (search->states & BIT(RUNNING)))
		err = look(s, search, RV_SQL_IDS_LEASE, "iitiii", search->queue, 1);
	for (int state = 0; err == RV_OK && state < RV_JOB_STATES; state++) {
		if (!(search->states & 1U << state) ||
		    !rv_job_state_final((enum rv_job_state)state))
			continue;
		err = state == RV_JOB_SUCCEEDED ? look_succeeded(s, search)
						: look_done(s, search, state);
	}
	return err;
}

int rv_sqlite_ids(struct rv_sqlite *s, const struct rv_job_filter *filter, int64_t *ret_ids,
		  int64_t *ret_n)
{
	size_t limit = (size_t)filter->limit;
	int64_t *space = calloc(limit * 3, sizeof *space);
	struct search search = {
		.before = filter->before_id > 0 ? filter->before_id : INT64_MAX,
		.above = filter->above_id,
		.limit = filter->limit,
		.batch = filter->batch,
		.task = filter->task,
		.states = rv_rules_states(filter),
	};
	int err = space ? RV_OK : RV_E_NOMEM;

	PRE(filter->limit > 0);
	search.best = space;
	search.found = space + limit;
	search.merged = space + 2 * limit;
	if (err == RV_OK && filter->queue)
		err = rv_sqlite_number(s, RV_SQL_QUEUE_ID, &search.queue, "t", filter->queue);
	if (err == RV_OK)
		err = look_everywhere(s, &search);
	else if (err == RV_E_NOTFOUND)
		err = RV_OK; /* no such queue, no jobs in it */
	if (err == RV_OK) {
		if (search.n > 0)
			memcpy(ret_ids, search.best, (size_t)search.n * sizeof *ret_ids);
		*ret_n = search.n;
	}
	free(space);
	return err;
}
