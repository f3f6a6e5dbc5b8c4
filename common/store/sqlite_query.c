/*
 * One read-only statement of a person (`reeve db sql`), on a connection of its own that cannot
 * write, attach, or reach a pragma that changes anything.  The CLI.  The rows are read whole before
 * the first is shown: a pager that stands still must not keep the log from starting anew.
 */
#include "store/sqlite.h"
#include "store/sqlite_calls.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define RESULT_MAX  (64 << 20) /* bytes of all rows together */
#define COLUMNS_MAX 200

static int allow(void *ctx, int action, const char *a, const char *b, const char *db,
		 const char *trigger)
{
	static const char *const pragmas[] = {"table_info",     "table_xinfo",     "table_list",
					      "index_list",     "index_info",      "index_xinfo",
					      "user_version",   "page_count",      "page_size",
					      "freelist_count", "integrity_check", "quick_check",
					      "application_id", "compile_options"};

	(void)ctx;
	(void)db;
	(void)trigger;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_FUNCTION:
		return b && strcmp(b, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
	case SQLITE_PRAGMA:
		for (size_t i = 0; a && i < RV_ARRAY_LEN(pragmas); i++) {
			if (sqlite3_stricmp(a, pragmas[i]) == 0)
				return SQLITE_OK;
		}
		return SQLITE_DENY;
	default:
		return SQLITE_DENY;
	}
}

/* The rows, one value after the other: a byte (NULL or not), then text with its NUL. */
struct result {
	struct rv_buf values;
	int columns;
	int64_t rows;
};

static int read_rows(sqlite3_stmt *stmt, struct result *result, struct rv_why *why)
{
	int rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		for (int i = 0; i < result->columns; i++) {
			const char *value = (const char *)sqlite3_column_text(stmt, i);
			size_t size = value ? strlen(value) + 1 : 0;
			int err = rv_buf_add(&result->values, value ? "v" : "n", 1);

			if (err == RV_OK && value)
				err = rv_buf_add(&result->values, value, size);
			if (err != RV_OK)
				return err;
		}
		result->rows++;
		if (result->values.size > RESULT_MAX)
			return rv_fail(why, RV_E_TOOBIG, "more than %d MiB of rows: use LIMIT",
				       RESULT_MAX >> 20);
	}
	if (rc != SQLITE_DONE)
		return rv_fail(why,
			       rv_sqlite_error(rc) == RV_E_INTERNAL ? RV_E_USAGE
								    : rv_sqlite_error(rc),
			       "%s", sqlite3_errmsg(sqlite3_db_handle(stmt)));
	return RV_OK;
}

static int show_rows(const struct result *result, const char *const *names,
		     int (*row)(void *ctx, int n, const char *const *names,
				const char *const *values),
		     void *ctx)
{
	const char *at = rv_buf_text(&result->values);
	const char *values[COLUMNS_MAX];
	int err = RV_OK;

	PRE(result->columns <= COLUMNS_MAX);
	for (int64_t i = 0; err == RV_OK && i < result->rows; i++) {
		for (int c = 0; c < result->columns; c++) {
			bool there = *at++ == 'v';

			values[c] = there ? at : NULL;
			at += there ? strlen(at) + 1 : 0;
		}
		err = row(ctx, result->columns, names, values);
	}
	POST(err != RV_OK || at == rv_buf_text(&result->values) + result->values.size);
	return err;
}

static int run(sqlite3_stmt *stmt,
	       int (*row)(void *ctx, int n, const char *const *names, const char *const *values),
	       void *ctx, struct rv_why *why)
{
	struct result result = {.columns = sqlite3_column_count(stmt)};
	const char *names[COLUMNS_MAX];
	int err;

	if (result.columns > COLUMNS_MAX)
		return rv_fail(why, RV_E_TOOBIG, "more than %d columns", COLUMNS_MAX);
	for (int i = 0; i < result.columns; i++)
		names[i] = sqlite3_column_name(stmt, i);
	rv_buf_init(&result.values);
	err = read_rows(stmt, &result, why);
	(void)sqlite3_reset(stmt);
	if (err == RV_OK)
		err = show_rows(&result, names, row, ctx);
	rv_buf_fini(&result.values);
	return err;
}

static int one_statement(sqlite3 *db, const char *sql, sqlite3_stmt **ret_stmt, struct rv_why *why)
{
	const char *tail = "";
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, &tail);

	if (rc != SQLITE_OK) {
		int err = rv_sqlite_error(rc);

		return rv_fail(why, err == RV_E_INTERNAL || err == RV_E_DENIED ? RV_E_USAGE : err,
			       "%s", sqlite3_errmsg(db));
	}
	if (!stmt)
		return rv_fail(why, RV_E_USAGE, "there is no statement in it");
	tail += strspn(tail, " \t\r\n;");
	if (*tail != '\0' || !sqlite3_stmt_readonly(stmt)) {
		bool more = *tail != '\0';

		(void)sqlite3_finalize(stmt);
		return rv_fail(why, RV_E_USAGE,
			       more ? "one statement at a time" : "only statements that read");
	}
	*ret_stmt = stmt;
	return RV_OK;
}

int rv_sqlite_read_sql(struct rv_store *store, const char *sql,
		       int (*row)(void *ctx, int n, const char *const *names,
				  const char *const *values),
		       void *ctx, struct rv_why *why)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db = NULL;
	int err;
	int rc = sqlite3_open_v2(s->path, &db,
				 SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
				 NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_wal_autocheckpoint(db, 0);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(db, 2000);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "PRAGMA mmap_size = 0; PRAGMA query_only = 1", NULL, NULL,
				  NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_set_authorizer(db, allow, NULL);
	if (rc != SQLITE_OK) {
		err = rv_fail(why, rv_sqlite_error(rc), "cannot read %s: %s", s->given,
			      db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
		(void)sqlite3_close(db);
		return err;
	}
	err = one_statement(db, sql, &stmt, why);
	if (err == RV_OK)
		err = run(stmt, row, ctx, why);
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
	return err;
}
