/*
 * Reading schedules and what came of their slots: whoever executes requests, the keeper, the CLI.
 * Lists are read a row at a time, each a snapshot of its own: no reader is open in a callback.
 */
#include "store/sqlite_calls.h"
#include "store/sqlite_log.h"
#include "store/sqlite_schedule.h"

#include "base/check.h"

#define READ_US (5 * RV_S_US)

/* A text column, NULL where it is. */
static const char *text(sqlite3_stmt *stmt, int column, struct rv_arena *arena, bool *ret_full)
{
	const char *value = (const char *)sqlite3_column_text(stmt, column);
	const char *copy = value ? rv_arena_strdup(arena, value) : NULL;

	*ret_full = *ret_full || (value && !copy) ||
		    (!value && sqlite3_column_type(stmt, column) != SQLITE_NULL);
	return copy;
}

static bool is_sane(const struct rv_schedule_view *v, int64_t overlap)
{
	return v->def.name && v->def.cron && v->def.timezone && v->def.task && overlap >= 0 &&
	       overlap <= RV_OVERLAP_REPLACE && v->def.jitter_us >= 0 &&
	       v->def.catch_up >= RV_CATCH_UP_ALL;
}

/* The row ${stmt} stands on. */
static int read_view(sqlite3_stmt *stmt, struct rv_arena *arena, struct rv_schedule_view *ret_view)
{
	bool full = false;

	*ret_view = (struct rv_schedule_view){
		.id = sqlite3_column_int64(stmt, 0),
		.def = {.name = text(stmt, 1, arena, &full),
			.cron = text(stmt, 2, arena, &full),
			.timezone = text(stmt, 3, arena, &full),
			.task = text(stmt, 4, arena, &full),
			.queue = text(stmt, 5, arena, &full),
			.spec = text(stmt, 6, arena, &full),
			.priority = sqlite3_column_int(stmt, 7),
			.jitter_us = sqlite3_column_int64(stmt, 8),
			.catch_up = sqlite3_column_int64(stmt, 9),
			.overlap = (enum rv_overlap)sqlite3_column_int(stmt, 10),
			.off = sqlite3_column_int(stmt, 11) != 0},
		.conf = sqlite3_column_int(stmt, 12) != 0,
		.paused = sqlite3_column_int(stmt, 13) != 0,
		.since_us = sqlite3_column_int64(stmt, 14),
		.next_us = sqlite3_column_int64(stmt, 15),
		.due_us = sqlite3_column_int64(stmt, 16),
		.last_us = sqlite3_column_int64(stmt, 17),
		.last_job = sqlite3_column_int64(stmt, 18),
		.fired = sqlite3_column_int64(stmt, 19),
		.missed = sqlite3_column_int64(stmt, 20),
		.skipped = sqlite3_column_int64(stmt, 21),
		.refused = sqlite3_column_int64(stmt, 22),
	};
	if (full)
		return RV_E_NOMEM;
	return is_sane(ret_view, sqlite3_column_int64(stmt, 10)) ? RV_OK : RV_E_CORRUPT;
}

/* ${name} NULL: the statement has no parameter. */
static int view_of(struct rv_sqlite *s, enum rv_sqlite_stmt which, const char *name,
		   struct rv_arena *arena, struct rv_schedule_view *ret_view)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, which, &stmt, name ? "t" : "", name);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	err = read_view(stmt, arena, ret_view);
	rv_sqlite_end(stmt);
	return err;
}

int rv_sqlite_schedule_after(struct rv_sqlite *s, const char *name, struct rv_arena *arena,
			     struct rv_schedule_view *ret_view)
{
	PRE(name);
	return view_of(s, RV_SQL_SCHEDULE_AFTER, name, arena, ret_view);
}

int rv_sqlite_schedule(struct rv_sqlite *s, const char *name, struct rv_arena *arena,
		       struct rv_schedule_view *ret_view)
{
	PRE(name);
	return view_of(s, RV_SQL_SCHEDULE_OF, name, arena, ret_view);
}

static int read_one(struct rv_sqlite *s, enum rv_schedules_of of, const char *name,
		    int (*each)(void *ctx, const struct rv_schedule_view *view), void *ctx)
{
	struct rv_schedule_view view;
	int err;

	if (of == RV_SCHEDULES_NAMED)
		err = view_of(s, RV_SQL_SCHEDULE_OF, name, &s->strings, &view);
	else
		err = view_of(s, RV_SQL_SCHEDULE_DUE, NULL, &s->strings, &view);
	return err == RV_OK ? each(ctx, &view) : err;
}

int rv_sqlite_read_schedules(struct rv_store *store, enum rv_schedules_of of, const char *name,
			     int (*each)(void *ctx, const struct rv_schedule_view *view), void *ctx)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	struct rv_schedule_view view = {.def.name = ""};
	int err = RV_OK;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	rv_arena_reset(&s->strings);
	if (of != RV_SCHEDULES_ALL)
		return read_one(s, of, name, each, ctx);
	while (err == RV_OK) {
		err = view_of(s, RV_SQL_SCHEDULE_AFTER, view.def.name, &s->strings, &view);
		if (err == RV_OK)
			err = each(ctx, &view);
	}
	rv_arena_reset(&s->strings);
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

static int read_firing(struct rv_sqlite *s, const char *schedule, struct rv_firing_view *view)
{
	sqlite3_stmt *stmt;
	int64_t became;
	bool full = false;
	int err = rv_sqlite_start(s, RV_SQL_FIRING_BELOW, &stmt, "tii", schedule, view->slot_us,
				  (int64_t)view->by_person);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	rv_arena_reset(&s->strings);
	became = sqlite3_column_int64(stmt, 3);
	*view = (struct rv_firing_view){.slot_us = sqlite3_column_int64(stmt, 0),
					.by_person = sqlite3_column_int(stmt, 1) != 0,
					.at_us = sqlite3_column_int64(stmt, 2),
					.became = (enum rv_fired)became,
					.job = sqlite3_column_int64(stmt, 4),
					.missed = sqlite3_column_int64(stmt, 5),
					.error = text(stmt, 6, &s->strings, &full)};
	rv_sqlite_end(stmt);
	if (full)
		return RV_E_NOMEM;
	return became >= 0 && became < RV_FIREDS ? RV_OK : RV_E_CORRUPT;
}

int rv_sqlite_read_firings(struct rv_store *store, const char *schedule, int64_t limit,
			   int (*each)(void *ctx, const struct rv_firing_view *view), void *ctx)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	struct rv_firing_view view = {.slot_us = INT64_MAX};
	int err = RV_OK;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	for (int64_t n = 0; err == RV_OK && (limit <= 0 || n < limit); n++) {
		err = read_firing(s, schedule, &view);
		if (err == RV_OK)
			err = each(ctx, &view);
	}
	rv_arena_reset(&s->strings);
	return err == RV_E_NOTFOUND ? RV_OK : err;
}
