/*
 * reeve_sqlite.so, a loadable extension of SQLite: reeve_enqueue(task [, args [, options]]) puts a
 * job into the store that is the main database of the connection, within its transaction, and gives
 * the job's id; its commit rings.  reeve_ring() rings for what was put into reeve_inbox.  Runs in
 * programs of other people; calls their SQLite, never one of its own.
 */
#include "client/newjob.h"
#include "store/guest.h"
#include "wire/json.h"

#include <sqlite3ext.h>

#include <string.h>

SQLITE_EXTENSION_INIT1

static void fail(sqlite3_context *context, const char *name, int err, const struct rv_why *why)
{
	struct rv_why said;

	(void)rv_fail(&said, err, "%s: %s", name, rv_why_text(why, err));
	sqlite3_result_error(context, said.text, -1);
	if (err == RV_E_BUSY)
		sqlite3_result_error_code(context, SQLITE_BUSY);
	else if (err == RV_E_NOMEM)
		sqlite3_result_error_nomem(context);
}

/* NULL for NULL; a number or a blob is no text. */
static int text_of(sqlite3_value *value, const char *what, const char **ret, struct rv_why *why)
{
	*ret = NULL;
	if (sqlite3_value_type(value) == SQLITE_NULL)
		return RV_OK;
	if (sqlite3_value_type(value) != SQLITE_TEXT)
		return rv_fail(why, RV_E_USAGE, "%s: not a text", what);
	*ret = (const char *)sqlite3_value_text(value);
	return *ret ? RV_OK : RV_E_NOMEM;
}

static void enqueue(sqlite3_context *context, int count, sqlite3_value **values)
{
	struct rv_why why = {.text = ""};
	struct rv_inbox_row row = {.priority = -1};
	struct rv_arena arena;
	struct rv_newjob new = {.why = &why, .arena = &arena};
	int64_t id = 0;
	int err = text_of(values[0], "the task", &row.task, &why);

	rv_arena_init(&arena);
	if (!err && (!row.task || !*row.task))
		err = rv_fail(&why, RV_E_USAGE, "the task is not said");
	if (!err && count > 1)
		err = text_of(values[1], "args", &row.args, &why);
	if (!err && count > 2)
		err = text_of(values[2], "options", &row.options, &why);
	if (!err)
		err = rv_newjob_from_row(&new, &row);
	if (!err)
		err = rv_guest_enqueue(sqlite3_context_db_handle(context), &new.job, &id, &why);
	if (err)
		fail(context, "reeve_enqueue", err, &why);
	else
		sqlite3_result_int64(context, id);
	rv_arena_reset(&arena);
}

static void ring(sqlite3_context *context, int count, sqlite3_value **values)
{
	struct rv_why why = {.text = ""};
	bool rung = false;
	int err = rv_guest_ring(sqlite3_context_db_handle(context), &rung, &why);

	(void)count, (void)values;
	if (err)
		fail(context, "reeve_ring", err, &why);
	else
		sqlite3_result_int(context, rung);
}

/* The name that SQLite makes of reeve_sqlite.so. */
int sqlite3_reevesqlite_init(sqlite3 *db, char **ret_error, const sqlite3_api_routines *api);

int sqlite3_reevesqlite_init(sqlite3 *db, char **ret_error, const sqlite3_api_routines *api)
{
	int rc = SQLITE_OK;

	SQLITE_EXTENSION_INIT2(api)
	if (sqlite3_libversion_number() < 3037000) {
		*ret_error = sqlite3_mprintf("reeve needs SQLite 3.37 (STRICT tables), this is %s",
					     sqlite3_libversion());
		return SQLITE_ERROR;
	}
	rv_json_be_guest();
	/* DIRECTONLY: a schema that somebody sends must not enqueue by its triggers and views. */
	for (int n = 1; rc == SQLITE_OK && n <= 3; n++)
		rc = sqlite3_create_function_v2(db, "reeve_enqueue", n,
						SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL, enqueue,
						NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_create_function_v2(db, "reeve_ring", 0,
						SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL, ring, NULL,
						NULL, NULL);
	return rc;
}
