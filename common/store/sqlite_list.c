/*
 * Reading jobs and their runs.  A page is read whole and its snapshot ended before the caller sees
 * the first row: a callback may block for as long as it likes without holding up a checkpoint.
 */
#include "store/sqlite.h"
#include "store/sqlite_calls.h"
#include "store/sqlite_log.h"
#include "store/sqlite_view.h"

#include "base/check.h"
#include "core/admit.h"
#include "core/job.h"

#include <stdlib.h>
#include <string.h>

#define READ_US (5 * RV_S_US)             /* waiting for a recovery of the log by somebody else */
#define CHUNK   RV_LIMIT(256 << 10, 4096) /* of a payload read under one snapshot */
#define PIECE   RV_LIMIT(64 << 10, 512)   /* and handed over at once */

int rv_sqlite_read_job(struct rv_store *store, int64_t id, struct rv_job_view *ret_view)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	sqlite3_stmt *stmt;
	int err;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	rv_arena_reset(&s->strings);
	err = rv_sqlite_start(s, RV_SQL_VIEW_JOB, &stmt, "i", id);
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	err = rv_sqlite_view(stmt, &s->strings, ret_view);
	rv_sqlite_end(stmt);
	return err;
}

static int read_chunk(struct rv_sqlite *s, int64_t id, int64_t offset, int64_t size, char *out)
{
	sqlite3_blob *blob = NULL;
	int rc = sqlite3_blob_open(s->db, "main", "job", "payload", id, 0, &blob);

	PRE(offset >= 0 && size > 0 && size <= CHUNK);
	if (rc == SQLITE_OK)
		rc = sqlite3_blob_read(blob, out, (int)size, (int)offset);
	(void)sqlite3_blob_close(blob);
	return rv_sqlite_error(rc);
}

/* The payload never changes, so it may be read in several snapshots. */
int rv_sqlite_read_payload(struct rv_store *store, int64_t id,
			   int (*sink)(void *ctx, const void *data, size_t size), void *ctx)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	int64_t size = 0;
	char *chunk;
	int err;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	err = rv_sqlite_number(s, RV_SQL_PAYLOAD_SIZE, &size, "i", id);
	if (err != RV_OK || size == 0)
		return err;
	chunk = malloc(size < CHUNK ? (size_t)size : CHUNK);
	if (!chunk)
		return RV_E_NOMEM;
	for (int64_t at = 0; err == RV_OK && at < size; at += CHUNK) {
		int64_t here = size - at < CHUNK ? size - at : CHUNK;

		err = read_chunk(s, id, at, here, chunk);
		for (int64_t i = 0; err == RV_OK && i < here; i += PIECE)
			err = sink(ctx, chunk + i, (size_t)(here - i < PIECE ? here - i : PIECE));
	}
	free(chunk);
	return err;
}

/* The rows of a page, in the order of ${ids}; all of one snapshot. */
static int read_views(struct rv_sqlite *s, const int64_t *ids, int64_t n, struct rv_arena *arena,
		      struct rv_job_view *views)
{
	for (int64_t i = 0; i < n; i++) {
		sqlite3_stmt *stmt;
		int err = rv_sqlite_start(s, RV_SQL_VIEW_JOB, &stmt, "i", ids[i]);

		if (err == RV_OK)
			err = rv_sqlite_step(s, stmt);
		if (err != RV_OK)
			return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
		err = rv_sqlite_view(stmt, arena, &views[i]);
		rv_sqlite_end(stmt);
		if (err != RV_OK)
			return err;
	}
	return RV_OK;
}

struct page {
	int64_t ids[RV_SQLITE_PAGE_ROWS];
	struct rv_job_view views[RV_SQLITE_PAGE_ROWS];
	int64_t n, reach;
};

/* Ids and rows are of one snapshot: a job that moves meanwhile is not listed as what it was not. */
static int read_page(struct rv_sqlite *s, const struct rv_job_filter *filter,
		     struct rv_arena *arena, struct page *page)
{
	bool ours = !s->open;
	int err = ours ? rv_sqlite_run(s, RV_SQL_READ_BEGIN, NULL, "") : RV_OK;

	PRE(filter->limit > 0 && filter->limit <= RV_SQLITE_PAGE_ROWS);
	if (err != RV_OK)
		return err;
	err = rv_sqlite_ids(s, filter, page->ids, &page->n, &page->reach);
	if (err == RV_OK)
		err = read_views(s, page->ids, page->n, arena, page->views);
	if (ours) {
		int ended = rv_sqlite_run(s, RV_SQL_ROLLBACK, NULL, "");

		err = err == RV_OK ? ended : err;
	}
	return err;
}

int rv_sqlite_read_jobs(struct rv_store *store, const struct rv_job_filter *filter,
			int (*each)(void *ctx, const struct rv_job_view *view), void *ctx)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	struct rv_job_filter list = *filter;
	int64_t left = filter->limit > 0 ? filter->limit : INT64_MAX;
	int64_t most = RV_LIMIT(64, 1); /* the first page is small: its reader may want no more */
	struct page *page = malloc(sizeof *page);
	struct rv_arena arena;
	int err = page ? RV_OK : RV_E_NOMEM;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	rv_arena_init(&arena);
	while (err == RV_OK && left > 0) {
		list.limit = left < most ? left : most;
		most = RV_SQLITE_PAGE_ROWS;
		err = read_page(s, &list, &arena, page);
		for (int64_t i = 0; err == RV_OK && i < page->n; i++)
			err = each(ctx, &page->views[i]);
		if (err != RV_OK || (page->n < list.limit && page->reach == 0))
			break;
		list.before_id = page->n == list.limit ? page->ids[page->n - 1] : page->reach;
		left -= page->n;
		rv_arena_reset(&arena);
	}
	rv_arena_reset(&arena);
	free(page);
	return err;
}

static const char *keep(struct rv_arena *arena, sqlite3_stmt *stmt, int column, bool *ret_full)
{
	const char *value = (const char *)sqlite3_column_text(stmt, column);
	const char *copy = value ? rv_arena_strdup(arena, value) : NULL;

	*ret_full = *ret_full || (value && !copy);
	return copy;
}

static int read_attempts(struct rv_sqlite *s, int64_t id, int run, struct rv_arena *arena,
			 struct rv_attempt_view *views, int *ret_n)
{
	sqlite3_stmt *stmt;
	bool full = false;
	int n = 0;
	int err = rv_sqlite_start(s, RV_SQL_ATTEMPTS, &stmt, "iii", id, (int64_t)run,
				  (int64_t)RV_SQLITE_PAGE_ROWS);

	PRE(run >= 0);
	if (err != RV_OK)
		return err;
	while (n < RV_SQLITE_PAGE_ROWS && (err = rv_sqlite_step(s, stmt)) == RV_OK)
		views[n++] = (struct rv_attempt_view){
			.job = id,
			.run = sqlite3_column_int(stmt, 0),
			.fence = sqlite3_column_int64(stmt, 1),
			.worker = keep(arena, stmt, 2, &full),
			.attempt = sqlite3_column_int(stmt, 3),
			.started_us = sqlite3_column_int64(stmt, 4),
			.ended_us = sqlite3_column_int64(stmt, 5),
			.outcome = sqlite3_column_int(stmt, 6),
			.exit_code = sqlite3_column_int(stmt, 7),
			.signo = sqlite3_column_int(stmt, 8),
			.user_us = sqlite3_column_int64(stmt, 9),
			.sys_us = sqlite3_column_int64(stmt, 10),
			.maxrss_bytes = sqlite3_column_int64(stmt, 11),
			.output_bytes = sqlite3_column_int64(stmt, 12),
			.error = keep(arena, stmt, 13, &full),
		};
	rv_sqlite_end(stmt);
	*ret_n = n;
	if (err == RV_OK || err == RV_E_NOTFOUND)
		return full ? RV_E_NOMEM : RV_OK;
	return err;
}

int rv_sqlite_read_attempts(struct rv_store *store, int64_t id,
			    int (*each)(void *ctx, const struct rv_attempt_view *view), void *ctx)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	struct rv_attempt_view *views;
	struct rv_arena arena;
	int64_t ignored;
	int run = 0;
	int n = 0;
	int err;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	err = rv_sqlite_number(s, RV_SQL_JOB_RUN_AT, &ignored, "i", id);
	if (err != RV_OK)
		return err;
	views = calloc(RV_SQLITE_PAGE_ROWS, sizeof *views);
	if (!views)
		return RV_E_NOMEM;
	rv_arena_init(&arena);
	do {
		err = read_attempts(s, id, run, &arena, views, &n);
		for (int i = 0; err == RV_OK && i < n; i++)
			err = each(ctx, &views[i]);
		run = n > 0 ? views[n - 1].run : run;
		rv_arena_reset(&arena);
	} while (err == RV_OK && n == RV_SQLITE_PAGE_ROWS);
	free(views);
	return err;
}

/* Up to ${limit} pairs of one statement, read whole; ${*ret_rows} is the caller's to free. */
struct triple {
	int64_t a, b, c;
};

static int read_triples(struct rv_sqlite *s, enum rv_sqlite_stmt which, int64_t key,
			struct triple **ret_rows, size_t *ret_n)
{
	struct triple *rows = NULL;
	sqlite3_stmt *stmt;
	size_t n = 0;
	int err = which == RV_SQL_PARENTS ? rv_sqlite_start(s, which, &stmt, "i", key)
					  : rv_sqlite_start(s, which, &stmt, "");

	if (err != RV_OK)
		return err;
	while ((err = rv_sqlite_step(s, stmt)) == RV_OK) {
		if (n % 64 == 0) {
			struct triple *grown = reallocarray(rows, n + 64, sizeof *rows);

			if (!grown) {
				err = RV_E_NOMEM;
				break;
			}
			rows = grown;
		}
		rows[n].a = sqlite3_column_int64(stmt, 0);
		rows[n].b = sqlite3_column_int64(stmt, 1);
		rows[n++].c = sqlite3_column_int64(stmt, 2);
	}
	rv_sqlite_end(stmt);
	if (err != RV_E_NOTFOUND) {
		free(rows);
		return err;
	}
	*ret_rows = rows;
	*ret_n = n;
	POST(rows || n == 0);
	return RV_OK;
}

int rv_sqlite_read_parents(struct rv_store *store, int64_t id,
			   int (*each)(void *ctx, int64_t parent, enum rv_job_state state,
				       enum rv_after on),
			   void *ctx)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	struct triple *rows = NULL;
	int64_t ignored;
	size_t n = 0;
	int err;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	err = rv_sqlite_number(s, RV_SQL_JOB_RUN_AT, &ignored, "i", id);
	if (err == RV_OK)
		err = read_triples(s, RV_SQL_PARENTS, id, &rows, &n);
	for (size_t i = 0; err == RV_OK && i < n; i++) {
		if (rows[i].b < 0 || rows[i].b >= RV_JOB_STATES || !rv_admit_after_sane(rows[i].c))
			err = RV_E_CORRUPT;
		else
			err = each(ctx, rows[i].a, (enum rv_job_state)rows[i].b,
				   (enum rv_after)rows[i].c);
	}
	free(rows);
	return err;
}

#define CHILDREN 256 /* read in one statement */

/* A page at a time: no reader is open while a callback runs. */
int rv_sqlite_read_children(struct rv_store *store, int64_t id,
			    int (*each)(void *ctx, int64_t child), void *ctx)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	int64_t page[CHILDREN];
	int64_t after = 0;
	size_t n;
	int err;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	do {
		sqlite3_stmt *stmt;

		n = 0;
		err = rv_sqlite_start(s, RV_SQL_CHILDREN, &stmt, "iii", id, after,
				      (int64_t)CHILDREN);
		if (err != RV_OK)
			return err;
		while (n < CHILDREN && (err = rv_sqlite_step(s, stmt)) == RV_OK)
			page[n++] = sqlite3_column_int64(stmt, 0);
		rv_sqlite_end(stmt);
		if (err == RV_E_NOTFOUND)
			err = RV_OK;
		for (size_t i = 0; err == RV_OK && i < n; i++)
			err = each(ctx, page[i]);
		after = n > 0 ? page[n - 1] : 0;
	} while (err == RV_OK && n == CHILDREN);
	return err;
}

int rv_sqlite_read_cancels(struct rv_store *store,
			   int (*each)(void *ctx, int64_t job, int64_t fence, int slot), void *ctx)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	struct triple *rows = NULL;
	size_t n = 0;
	int err;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	err = read_triples(s, RV_SQL_CANCELS, 0, &rows, &n);
	for (size_t i = 0; err == RV_OK && i < n; i++)
		err = each(ctx, rows[i].a, rows[i].b, (int)rows[i].c);
	free(rows);
	return err;
}
