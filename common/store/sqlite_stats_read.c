/*
 * Statistics, the reading half, and whether they can be true.  The CLI.  Rows are added up in
 * memory under one snapshot, which ends before a callback runs.  Wider than others: names, numbers
 * and the contract meet here.
 */
#include "store/sqlite_calls.h"
#include "store/sqlite_log.h"
#include "store/sqlite_stats.h"
#include "store/sqlite_stats_rows.h"
#include "store/sqlite_tally.h"
#include "store/stats.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_US (5 * RV_S_US)

struct reading {
	struct rv_sqlite *s;
	enum rv_stats_of of;
	int64_t now_us;
	struct rv_sqlite_ended *notes; /* owned */
	size_t nnotes;
	struct rv_stats minute; /* scratch: one slot */
	int64_t last, before;   /* finished in this minute and in the one before */
};

static void add_minute(struct reading *r, struct rv_stats_view *view, int64_t minute,
		       const struct rv_stats *stats)
{
	int64_t now = rv_stats_minute(r->now_us);

	rv_stats_merge(&view->ever, stats);
	if (rv_stats_in_hour(minute, now))
		rv_stats_merge(&view->hour, stats);
	if (minute == now)
		r->last += rv_stats_finished(stats);
	if (minute == now - 1)
		r->before += rv_stats_finished(stats);
}

/* The notes are few, so each is looked at for each scope. */
static void add_notes(struct reading *r, struct rv_stats_view *view, int64_t scope)
{
	for (size_t i = 0; i < r->nnotes; i++) {
		const struct rv_sqlite_ended *note = &r->notes[i];

		if (scope != note->queue && scope != RV_STAT_SCOPE_TASK(note->task))
			continue;
		r->minute = (struct rv_stats){0};
		rv_stats_add(&r->minute, &note->run);
		add_minute(r, view, note->minute, &r->minute);
	}
}

/* NOTFOUND: nothing was counted of it. */
static int read_scope(struct reading *r, int64_t scope, struct rv_stats_view *view)
{
	static const struct rv_stats nothing;
	int64_t minute;
	int err;

	PRE(scope != 0);
	r->last = r->before = 0;
	for (int64_t slot = RV_STAT_OLD; slot <= RV_STATS_MINUTES; slot++) {
		r->minute = nothing;
		err = rv_sqlite_stat(r->s, slot, scope, &minute, &r->minute);
		if (err != RV_OK && err != RV_E_NOTFOUND)
			return err;
		if (err == RV_OK && slot == RV_STAT_OLD)
			rv_stats_merge(&view->ever, &r->minute);
		else if (err == RV_OK)
			add_minute(r, view, minute, &r->minute);
	}
	add_notes(r, view, scope);
	view->minute = rv_stats_last_minute(r->last, r->before, r->now_us);
	return rv_stats_same(&view->ever, &nothing) ? RV_E_NOTFOUND : RV_OK;
}

/* The i-th queue or task name; NULL: there are no more. */
static const char *name_of(const struct reading *r, size_t i, int64_t *ret_scope)
{
	const struct rv_sqlite *s = r->s;

	if (r->of == RV_STATS_QUEUES && i < s->nqueues) {
		*ret_scope = s->queues[i].id;
		return s->queues[i].name;
	}
	if (r->of == RV_STATS_TASKS && i < s->ntask_names) {
		*ret_scope = RV_STAT_SCOPE_TASK(s->task_names[i].id);
		return s->task_names[i].name;
	}
	return NULL;
}

static int read_all(struct reading *r, const char *only, struct rv_stats_view **ret_views,
		    size_t *ret_n)
{
	struct rv_stats_view *views = NULL;
	const char *name;
	int64_t scope = 0;
	size_t n = 0;
	int err = RV_OK;

	for (size_t i = 0; err == RV_OK && (name = name_of(r, i, &scope)); i++) {
		struct rv_stats_view *grown;

		if (only && strcmp(only, name) != 0)
			continue;
		grown = reallocarray(views, n + 1, sizeof *views);
		if (!grown) {
			err = RV_E_NOMEM;
			break;
		}
		views = grown;
		memset(&views[n], 0, sizeof views[n]);
		views[n].name = name;
		err = read_scope(r, scope, &views[n]);
		n += err == RV_OK;
		err = err == RV_E_NOTFOUND ? RV_OK : err;
	}
	*ret_views = views;
	*ret_n = n;
	return err;
}

/* Inside a snapshot. */
static int read_begun(struct reading *r, const char *only, struct rv_stats_view **ret_views,
		      size_t *ret_n)
{
	int err = rv_sqlite_tally_load(r->s);

	PRE(!r->s->open);
	if (err == RV_OK)
		err = rv_sqlite_names(r->s);
	if (err == RV_OK)
		err = rv_sqlite_ended_read(r->s, 0, &r->notes, &r->nnotes);
	if (err == RV_OK)
		err = read_all(r, only, ret_views, ret_n);
	free(r->notes);
	r->notes = NULL;
	return err;
}

int rv_sqlite_read_statistics(struct rv_store *store, int of, const char *name,
			      int (*each)(void *ctx, const struct rv_stats_view *view), void *ctx)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	struct reading r = {.s = s, .of = (enum rv_stats_of)of, .now_us = rv_wall_us()};
	struct rv_stats_view *views = NULL;
	size_t n = 0;
	int ended;
	int err;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	err = rv_sqlite_run(s, RV_SQL_READ_BEGIN, NULL, "");
	if (err != RV_OK)
		return err;
	err = read_begun(&r, name, &views, &n);
	ended = rv_sqlite_run(s, RV_SQL_ROLLBACK, NULL, "");
	err = err == RV_OK ? ended : err;
	for (size_t i = 0; err == RV_OK && i < n; i++)
		err = each(ctx, &views[i]);
	free(views);
	return err;
}

/* What both sides must have as much of. */
struct account {
	int64_t succeeded, dead, failed, waits, runs;
};

static void add_account(struct account *to, const struct rv_stats *stats)
{
	to->succeeded += stats->succeeded;
	to->dead += stats->dead;
	to->failed += stats->failed;
	to->waits += rv_histogram_count(&stats->wait);
	to->runs += rv_histogram_count(&stats->run);
}

static int look_at_queue(struct rv_sqlite *s, const struct rv_stats_view *view, char *what,
			 size_t space)
{
	const struct rv_sqlite_queue *queue = rv_sqlite_queue_named(s, view->name);
	sqlite3_stmt *stmt;
	int64_t succeeded;
	int64_t dead;
	int err = queue ? rv_sqlite_start(s, RV_SQL_COUNTS, &stmt, "i", queue->id) : RV_E_CORRUPT;

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	succeeded = sqlite3_column_int64(stmt, 2 + RV_JOB_SUCCEEDED);
	dead = sqlite3_column_int64(stmt, 2 + RV_JOB_DEAD);
	rv_sqlite_end(stmt);
	what[0] = '\0';
	if (view->ever.succeeded < succeeded || view->ever.dead < dead)
		(void)snprintf(what, space,
			       "queue %s has %lld succeeded and %lld dead jobs, of %lld and %lld "
			       "ever counted",
			       view->name, (long long)succeeded, (long long)dead,
			       (long long)view->ever.succeeded, (long long)view->ever.dead);
	return RV_OK;
}

int rv_sqlite_stats_check(struct rv_sqlite *s,
			  void (*broken)(void *ctx, const char *rule, const char *what), void *ctx)
{
	struct account sides[2] = {{0}};
	char what[256];
	int err = RV_OK;

	PRE(!s->open);
	for (int of = RV_STATS_QUEUES; err == RV_OK && of <= RV_STATS_TASKS; of++) {
		struct reading r = {.s = s, .of = (enum rv_stats_of)of, .now_us = rv_wall_us()};
		struct rv_stats_view *views = NULL;
		size_t n = 0;

		err = read_begun(&r, NULL, &views, &n);
		for (size_t i = 0; err == RV_OK && i < n; i++) {
			add_account(&sides[of], &views[i].ever);
			what[0] = '\0';
			if (of == RV_STATS_QUEUES)
				err = look_at_queue(s, &views[i], what, sizeof what);
			if (what[0] != '\0')
				broken(ctx, "S1", what);
		}
		free(views);
	}
	if (err == RV_OK && memcmp(&sides[0], &sides[1], sizeof sides[0]) != 0)
		broken(ctx, "S1", "by queue another number was counted than by task");
	if (err == RV_E_CORRUPT) {
		broken(ctx, "S1", "the statistics cannot be read");
		err = RV_OK;
	}
	return err;
}
