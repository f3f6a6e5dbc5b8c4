/*
 * Looking whether the store is sound: every query of INVARIANTS.sql, and SQLite's own check.  The
 * CLI (`db check`) and every test's end.  One snapshot, so that a busy store is judged fairly.
 */
#include "store/sqlite.h"
#include "store/sqlite_calls.h"
#include "store/sqlite_log.h"
#include "store/sqlite_sql.h"
#include "store/sqlite_stats.h"
#include "store/sqlite_tally.h"

#include "base/check.h"
#include "core/job.h"

#include <string.h>

struct report {
	void (*broken)(void *ctx, const char *rule, const char *what);
	void *ctx;
};

static void legal_function(sqlite3_context *context, int count, sqlite3_value **values)
{
	int from = sqlite3_value_int(values[0]);
	int to = sqlite3_value_int(values[1]);
	bool known = from >= 0 && to >= 0 && from < RV_JOB_STATES && to < RV_JOB_STATES;

	PRE(count == 2);
	sqlite3_result_int(context, known && rv_job_move_legal((enum rv_job_state)from,
							       (enum rv_job_state)to));
}

/* Of the ${values[1]}th late change: 0 scope, 1 state, 2 block, 3 set, 4 clear; NULL: no such. */
static void late_function(sqlite3_context *context, int count, sqlite3_value **values)
{
	struct rv_sqlite_span late[RV_SPAN_LATE];
	const void *data = sqlite3_value_blob(values[0]);
	int64_t i = sqlite3_value_int64(values[1]);
	size_t n = 0;

	PRE(count == 3);
	if (data && rv_sqlite_span_decode(data, (size_t)sqlite3_value_bytes(values[0]), late, &n) !=
			    RV_OK) {
		sqlite3_result_error_code(context, SQLITE_CORRUPT);
		return;
	}
	if (i < 0 || i >= (int64_t)n)
		return;
	const int64_t says[] = {late[i].scope, (int64_t)late[i].state, late[i].block,
				(int64_t)late[i].set, (int64_t)late[i].clear};
	int which = sqlite3_value_int(values[2]);

	PRE(which >= 0 && which < (int)RV_ARRAY_LEN(says));
	sqlite3_result_int64(context, says[which]);
}

/* Every row of one statement is a violation; the first column its rule, if there are two. */
static int run_one(struct rv_sqlite *s, const char *sql, const char *rule, const char **ret_tail,
		   const struct report *report)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, ret_tail);

	PRE(report->broken && rule);
	if (rc != SQLITE_OK || !stmt)
		return rv_sqlite_error(rc);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		bool named = sqlite3_column_count(stmt) > 1;
		const char *what = (const char *)sqlite3_column_text(stmt, named ? 1 : 0);

		if (!named && what && strcmp(what, "ok") == 0)
			continue;
		report->broken(report->ctx,
			       named ? (const char *)sqlite3_column_text(stmt, 0) : rule,
			       what ? what : "(nothing to say)");
	}
	(void)sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? RV_OK : rv_sqlite_error(rc);
}

int rv_sqlite_check(struct rv_store *store, bool full,
		    void (*broken)(void *ctx, const char *rule, const char *what), void *ctx)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	struct report report = {.broken = broken, .ctx = ctx};
	const char *sql = rv_sql_invariants;
	sqlite3_stmt *stmt;
	int err;

	PRE(!s->open);
	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, 5 * RV_S_US);
	err = rv_sqlite_error(sqlite3_create_function(s->db, "reeve_legal", 2, SQLITE_UTF8, NULL,
						      legal_function, NULL, NULL));
	if (err == RV_OK)
		err = rv_sqlite_error(sqlite3_create_function(s->db, "reeve_late", 3, SQLITE_UTF8,
							      NULL, late_function, NULL, NULL));
	if (err == RV_OK)
		err = rv_sqlite_start(s, RV_SQL_ROLLBACK, &stmt, "");
	if (err == RV_OK)
		err = rv_sqlite_exec(s, "BEGIN");
	while (err == RV_OK && *sql != '\0')
		err = run_one(s, sql, "", &sql, &report);
	if (err == RV_OK)
		err = rv_sqlite_stats_check(s, broken, ctx);
	if (err == RV_OK && full)
		err = run_one(s, "PRAGMA integrity_check", "file", &sql, &report);
	if (err == RV_E_CORRUPT) {
		broken(ctx, "file", sqlite3_errmsg(s->db));
		err = RV_OK;
	}
	rv_sqlite_undo(s);
	return err;
}
