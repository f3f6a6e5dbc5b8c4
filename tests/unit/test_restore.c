/* What a store that was made of a copy gives out next: above all that was given, there or here. */
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "store/backup.h"
#include "store/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

enum { EPOCH, JOB, BATCH, EVENT, GIVEN };

static char path[600], copy[600];
static struct rv_why why;

static void make(const char *at)
{
	struct rv_store_open how = {.backend = "sqlite",
				    .path = at,
				    .create = true,
				    .migrate = true,
				    .group = (gid_t)-1};
	struct rv_store *store = NULL;

	cr_assert(eq(int, rv_store_open(&how, &store, &why), RV_OK), "%s", why.text);
	rv_store_close(store);
}

static sqlite3 *open_raw(const char *at)
{
	sqlite3 *db = NULL;

	cr_assert(eq(int, sqlite3_open(at, &db), SQLITE_OK));
	return db;
}

static void gave(const char *at, const int64_t given[GIVEN])
{
	sqlite3 *db = open_raw(at);
	char sql[200];

	(void)snprintf(sql, sizeof sql,
		       "UPDATE tally SET epoch = %lld, job = %lld, batches = %lld, n = %lld"
		       " WHERE id = 0",
		       (long long)given[EPOCH], (long long)given[JOB], (long long)given[BATCH],
		       (long long)given[EVENT]);
	cr_assert(eq(int, sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK));
	cr_assert(eq(int, sqlite3_close(db), SQLITE_OK));
}

static void given_now(int64_t ret[GIVEN])
{
	sqlite3 *db = open_raw(path);
	sqlite3_stmt *stmt = NULL;

	cr_assert(eq(int,
		     sqlite3_prepare_v2(db, "SELECT epoch, job, batches, n FROM tally WHERE id = 0",
					-1, &stmt, NULL),
		     SQLITE_OK));
	cr_assert(eq(int, sqlite3_step(stmt), SQLITE_ROW));
	for (int i = 0; i < GIVEN; i++)
		ret[i] = sqlite3_column_int64(stmt, i);
	(void)sqlite3_finalize(stmt);
	cr_assert(eq(int, sqlite3_close(db), SQLITE_OK));
}

static void restore(void)
{
	const struct rv_store_restore how = {
		.backend = "sqlite", .from = copy, .path = path, .group = (gid_t)-1};
	struct rv_restored restored;

	cr_assert(eq(int, rv_store_restore(&how, &restored, &why), RV_OK), "%s", why.text);
}

static void begin(void)
{
	(void)snprintf(path, sizeof path, "%s/a.db", rv_test_tmpdir());
	(void)snprintf(copy, sizeof copy, "%s/copy.db", rv_test_tmpdir());
	make(path);
	make(copy);
}

TestSuite(restore, .init = begin);

Test(restore, the_store_that_was_there_had_given_more)
{
	int64_t now[GIVEN];

	gave(path, (int64_t[GIVEN]){7, 100, 50, 300});
	restore();
	given_now(now);
	cr_assert(eq(i64, now[EPOCH], 8));
	cr_assert(eq(i64, now[JOB], 100));
	cr_assert(eq(i64, now[BATCH], 50));
	cr_assert(eq(i64, now[EVENT], 300));
}

/* One of another store: nothing of that is given again either. */
Test(restore, the_copy_had_given_more)
{
	int64_t now[GIVEN];

	gave(copy, (int64_t[GIVEN]){9, 200, 60, 400});
	gave(path, (int64_t[GIVEN]){7, 100, 50, 300});
	restore();
	given_now(now);
	cr_assert(eq(i64, now[EPOCH], 10));
	cr_assert(eq(i64, now[JOB], 200));
	cr_assert(eq(i64, now[BATCH], 60));
	cr_assert(eq(i64, now[EVENT], 400));
}

Test(restore, nobody_can_tell_what_was_given)
{
	int64_t now[GIVEN];

	rv_test_write_file(path, "%s", "this was a store once");
	(void)unlink(rv_test_path("%s-wal", path));
	gave(copy, (int64_t[GIVEN]){9, 200, 60, 400});
	restore();
	given_now(now);
	cr_assert(lt(i64, 1000, now[EPOCH]));
	for (int i = JOB; i < GIVEN; i++)
		cr_assert(lt(i64, 1000000000, now[i]), "%d", i);
}
