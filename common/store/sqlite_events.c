/*
 * Reading the events.  A page is read whole and its snapshot ended before the caller sees the first
 * row, so that a callback may block without holding up a checkpoint.  Library and CLI.
 */
#include "store/events.h"
#include "store/sqlite.h"
#include "store/sqlite_calls.h"
#include "store/sqlite_log.h"

#include "base/check.h"

#include <stdlib.h>

#define READ_US (5 * RV_S_US) /* patience of a read with a recovery of the log */

static int read_page(struct rv_sqlite *s, int64_t after, int64_t limit, struct rv_event_view *views,
		     struct rv_arena *strings, int64_t *ret_n)
{
	sqlite3_stmt *stmt;
	int64_t n = 0;
	int err = rv_sqlite_start(s, RV_SQL_EVENTS, &stmt, "ii", after, limit);

	if (err != RV_OK)
		return err;
	while (n < limit && (err = rv_sqlite_step(s, stmt)) == RV_OK) {
		struct rv_event_view *view = &views[n++];
		const char *reason = (const char *)sqlite3_column_text(stmt, 5);

		*view = (struct rv_event_view){.seq = sqlite3_column_int64(stmt, 0),
					       .at_us = sqlite3_column_int64(stmt, 1),
					       .job = sqlite3_column_int64(stmt, 2),
					       .from = sqlite3_column_int(stmt, 3),
					       .to = sqlite3_column_int(stmt, 4)};
		if (reason && !(view->reason = rv_arena_strdup(strings, reason))) {
			err = RV_E_NOMEM;
			break;
		}
	}
	rv_sqlite_end(stmt);
	POST(n <= limit);
	*ret_n = n;
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

int rv_sqlite_read_events(struct rv_store *store, int64_t after, int64_t limit,
			  int (*each)(void *ctx, const struct rv_event_view *view), void *ctx)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	int err = RV_OK;

	PRE(limit > 0);
	while (err == RV_OK && limit > 0) {
		int64_t size = limit < RV_SQLITE_PAGE_ROWS ? limit : RV_SQLITE_PAGE_ROWS;
		struct rv_event_view *views = calloc((size_t)size, sizeof *views);
		struct rv_arena strings;
		int64_t n = 0;

		rv_arena_init(&strings);
		rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
		err = views ? read_page(s, after, size, views, &strings, &n) : RV_E_NOMEM;
		for (int64_t i = 0; err == RV_OK && i < n; i++)
			err = each(ctx, &views[i]);
		if (n > 0)
			after = views[n - 1].seq;
		limit = n < size ? 0 : limit - n;
		rv_arena_reset(&strings);
		free(views);
	}
	return err;
}

static int read_followers(struct rv_sqlite *s, struct rv_arena *strings, const char **paths,
			  size_t *ret_n)
{
	sqlite3_stmt *stmt;
	size_t n = 0;
	int err = rv_sqlite_start(s, RV_SQL_FOLLOWERS, &stmt, "ii", RV_WAITER_FOLLOWS,
				  (int64_t)RV_FOLLOWERS_SEEN);

	if (err != RV_OK)
		return err;
	while (n < RV_FOLLOWERS_SEEN && (err = rv_sqlite_step(s, stmt)) == RV_OK) {
		const char *path = (const char *)sqlite3_column_text(stmt, 0);

		paths[n] = rv_arena_strdup(strings, path ? path : "");
		if (!paths[n++]) {
			err = RV_E_NOMEM;
			break;
		}
	}
	rv_sqlite_end(stmt);
	POST(n <= RV_FOLLOWERS_SEEN);
	*ret_n = n;
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

int rv_sqlite_read_followers(struct rv_store *store, int (*each)(void *ctx, const char *path),
			     void *ctx)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	const char *paths[RV_FOLLOWERS_SEEN];
	struct rv_arena strings;
	size_t n = 0;
	int err;

	rv_arena_init(&strings);
	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	err = read_followers(s, &strings, paths, &n);
	for (size_t i = 0; err == RV_OK && i < n; i++)
		err = each(ctx, paths[i]);
	rv_arena_reset(&strings);
	return err;
}

int rv_sqlite_read_events_last(struct rv_store *store, int64_t *ret_seq)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);

	PRE(ret_seq);
	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	return rv_sqlite_number(s, RV_SQL_TALLY, ret_seq, "");
}
