/*
 * Which jobs a page of a list has.  Each state of each queue (or of a batch) is walked from the
 * newest job down, by the spans that say which jobs there are (sqlite_span.c), and what is found is
 * put together: a page costs what it shows, whatever is in the store.  Only a task, and the queue
 * of a batch, are looked for job by job: so many under one snapshot, then the caller comes again.
 * Keeper and CLI; within a snapshot of the caller's.
 */
#include "store/sqlite.h"
#include "store/sqlite_tally.h"
#include "store/sqlite_view.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define LOOKED_MAX RV_LIMIT(4096, 3) /* jobs of a walk under one snapshot: some 4 ms */

#define BIT(state) (1U << RV_JOB_##state)
#define EVERY      ((1U << RV_JOB_STATES) - 1)

/* What is looked for, and the newest found so far. */
struct search {
	struct rv_sqlite *s;
	int64_t before, above; /* above: also what is older than all of a full page */
	int64_t queue, batch;  /* 0 any */
	int64_t limit, reach;
	const char *task;
	unsigned states;
	int64_t *best, *found, *merged; /* limit of them each */
	int64_t nbest, nfound, looked;  /* found, looked: of this walk */
};

/* What must be asked of each job of a walk. */
struct asked {
	bool row;  /* its row: task, queue, batch */
	bool idle; /* that no worker runs it */
};

/* What the walk has found is put among the best. */
static void merge(struct search *f)
{
	int64_t *merged = f->merged;
	int64_t a = 0;
	int64_t b = 0;
	int64_t to = 0;

	while (to < f->limit && (a < f->nbest || b < f->nfound)) {
		if (b == f->nfound || (a < f->nbest && f->best[a] > f->found[b]))
			merged[to++] = f->best[a++];
		else
			merged[to++] = f->found[b++];
	}
	f->merged = f->best;
	f->best = merged;
	f->nbest = to;
	f->nfound = f->looked = 0;
	if (to == f->limit && merged[to - 1] > f->above)
		f->above = merged[to - 1];
}

/* The next job of a walk; ${*ret_end}: it needs to go no farther. */
static void take(struct search *f, int64_t id, bool fits, bool *ret_end)
{
	INV(f->nfound < f->limit && id > f->above && id < f->before);
	if (fits)
		f->found[f->nfound++] = id;
	*ret_end = f->nfound == f->limit;
	if (*ret_end || ++f->looked < LOOKED_MAX)
		return;
	*ret_end = true; /* of other states too only what is newer can be told */
	f->above = id - 1;
	if (f->reach < id)
		f->reach = id;
}

static int fits(const struct search *f, const struct asked *asked, int64_t id, bool *ret_fits)
{
	int64_t says = 0;
	int err = RV_OK;

	*ret_fits = true;
	if (asked->idle) {
		err = rv_sqlite_number(f->s, RV_SQL_LEASE_STARTED, &says, "i", id);
		if (err != RV_OK && err != RV_E_NOTFOUND)
			return err;
		*ret_fits = err == RV_E_NOTFOUND || says == 0;
	}
	if (!*ret_fits || !asked->row)
		return RV_OK;
	err = rv_sqlite_number(f->s, RV_SQL_ID_FITS, &says, "iitii", id, (int64_t)0, f->task,
			       f->queue, f->batch);
	*ret_fits = says != 0;
	return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
}

/* The bits of ${block} that stand for jobs which are looked for. */
static uint64_t within(const struct search *f, int64_t block)
{
	const int64_t last = (1 << RV_SPAN_SHIFT) - 1;
	uint64_t jobs = UINT64_MAX;

	if (f->before >> RV_SPAN_SHIFT == block)
		jobs = (1ULL << (f->before & last)) - 1;
	if (f->above >> RV_SPAN_SHIFT == block)
		jobs &= UINT64_MAX << (f->above & last) << 1;
	return jobs;
}

static int take_block(struct search *f, const struct asked *asked, int64_t block, uint64_t jobs,
		      bool *ret_end)
{
	jobs &= within(f, block);
	while (jobs != 0 && !*ret_end) {
		int bit = 63 - __builtin_clzll(jobs);
		int64_t id = (block << RV_SPAN_SHIFT) + bit;
		bool good;
		int err = fits(f, asked, id, &good);

		if (err != RV_OK)
			return err;
		take(f, id, good, ret_end);
		jobs &= ~(1ULL << bit);
	}
	return RV_OK;
}

/* The newest of the late changes of a walk in the blocks from ${least} to ${most}, or NULL. */
static const struct rv_sqlite_span *late_of(const struct search *f, int64_t scope,
					    enum rv_job_state state, int64_t least, int64_t most)
{
	const struct rv_sqlite_span *found = NULL;

	for (size_t i = 0; !f->s->open && i < f->s->nlate; i++) {
		const struct rv_sqlite_span *span = &f->s->late[i];

		if (span->scope == scope && span->state == state && span->block >= least &&
		    span->block <= most && (!found || span->block > found->block))
			found = span;
	}
	return found;
}

/* One state of one queue, or batch: the rows of span, and the late changes on top of them. */
static int walk(struct search *f, int64_t scope, enum rv_job_state state, const struct asked *asked)
{
	int64_t most = (f->before - 1) >> RV_SPAN_SHIFT;
	int64_t least = (f->above + 1) >> RV_SPAN_SHIFT;
	const struct rv_sqlite_span *late = late_of(f, scope, state, least, most);
	sqlite3_stmt *stmt;
	bool end = false;
	int row;
	int err = rv_sqlite_start(f->s, RV_SQL_SPANS_DOWN, &stmt, "iiii", scope, (int64_t)state,
				  most, least);

	PRE(state == RV_SPAN_STATE(state));
	if (err != RV_OK)
		return err;
	row = rv_sqlite_step(f->s, stmt);
	while (err == RV_OK && !end && (row == RV_OK || (row == RV_E_NOTFOUND && late))) {
		int64_t block = row == RV_OK ? sqlite3_column_int64(stmt, 0) : -1;
		uint64_t jobs = row == RV_OK ? (uint64_t)sqlite3_column_int64(stmt, 1) : 0;
		bool on_top = late && late->block >= block;

		if (on_top) {
			jobs = late->block > block ? late->set : (jobs & ~late->clear) | late->set;
			if (late->block == block)
				row = rv_sqlite_step(f->s, stmt);
			block = late->block;
			late = late_of(f, scope, state, least, block - 1);
		} else {
			row = rv_sqlite_step(f->s, stmt);
		}
		err = take_block(f, asked, block, jobs, &end);
	}
	rv_sqlite_end(stmt);
	merge(f);
	if (err == RV_OK && row != RV_OK && row != RV_E_NOTFOUND)
		err = row;
	return err;
}

/* The rows of a statement: id, and whether it fits. */
static int list(struct search *f, enum rv_sqlite_stmt which)
{
	sqlite3_stmt *stmt;
	bool end = false;
	int err = rv_sqlite_start(f->s, which, &stmt, "iitii", f->before, f->above, f->task,
				  f->queue, f->batch);

	if (err != RV_OK)
		return err;
	while (!end && (err = rv_sqlite_step(f->s, stmt)) == RV_OK)
		take(f, sqlite3_column_int64(stmt, 0), sqlite3_column_int(stmt, 1) != 0, &end);
	rv_sqlite_end(stmt);
	merge(f);
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

static int walk_states(struct search *f, int64_t scope)
{
	int err = RV_OK;

	PRE(scope != 0);
	for (int i = 0; err == RV_OK && i < RV_JOB_STATES; i++) {
		enum rv_job_state state = (enum rv_job_state)i;
		struct asked asked = {
			.row = f->task || (scope < 0 && f->queue != 0),
			.idle = state == RV_JOB_READY && !(f->states & BIT(RUNNING)),
		};

		if ((f->states & 1U << i) && state == RV_SPAN_STATE(state))
			err = walk(f, scope, state, &asked);
	}
	return err;
}

static int walk_queues(struct search *f)
{
	int64_t queue = 0;
	int err;

	while ((err = rv_sqlite_number(f->s, RV_SQL_QUEUE_NEXT, &queue, "i", queue)) == RV_OK) {
		err = walk_states(f, queue);
		if (err != RV_OK)
			return err;
	}
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

static int look(struct search *f)
{
	int err = RV_OK;

	if (f->above >= f->before - 1 || f->batch < 0)
		return RV_OK;
	if (f->states == EVERY && f->queue == 0 && f->batch == 0)
		return list(f, RV_SQL_IDS_ALL);
	/* Those that run are found with the ready ones, or alone: they are few. */
	if ((f->states & BIT(RUNNING)) && !(f->states & BIT(READY)))
		err = list(f, RV_SQL_IDS_RUNNING);
	if (err != RV_OK)
		return err;
	if (f->batch != 0)
		return walk_states(f, -f->batch);
	return f->queue != 0 ? walk_states(f, f->queue) : walk_queues(f);
}

/* Nothing older than where a walk had to stop: the next page has it. */
static void give(const struct search *f, int64_t *ret_ids, int64_t *ret_n, int64_t *ret_reach)
{
	int64_t n = 0;

	for (; n < f->nbest && f->best[n] >= f->reach; n++)
		ret_ids[n] = f->best[n];
	*ret_n = n;
	*ret_reach = f->reach;
}

int rv_sqlite_ids(struct rv_sqlite *s, const struct rv_job_filter *filter, int64_t *ret_ids,
		  int64_t *ret_n, int64_t *ret_reach)
{
	size_t limit = (size_t)filter->limit;
	int64_t *space = calloc(limit * 3, sizeof *space);
	struct search search = {
		.s = s,
		.before = filter->before_id > 0 ? filter->before_id : INT64_MAX,
		.above = filter->above_id > 0 ? filter->above_id : 0,
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
	if (err == RV_OK) /* within a transaction none are late */
		err = s->open ? rv_sqlite_span_flush(s) : rv_sqlite_span_read(s);
	if (err == RV_OK && filter->queue)
		err = rv_sqlite_number(s, RV_SQL_QUEUE_ID, &search.queue, "t", filter->queue);
	if (err == RV_OK)
		err = look(&search);
	else if (err == RV_E_NOTFOUND)
		err = RV_OK; /* no such queue, no jobs in it */
	if (err == RV_OK)
		give(&search, ret_ids, ret_n, ret_reach);
	free(space);
	return err;
}
