/*
 * The inbox of the sqlite backend: whoever looks, at any commit or after any rollback (a kill is
 * one), sees the row or its job, never both and never neither.
 */
#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "store/read.h"

#include <sqlite3.h>

static struct rv_store *store;
static sqlite3 *db; /* somebody else */
static struct rv_why why;
static struct rv_req req;

static void sql(const char *text)
{
	int rc = sqlite3_exec(db, text, NULL, NULL, NULL);

	cr_assert(eq(int, rc, SQLITE_OK), "%s: %s", text, sqlite3_errmsg(db));
}

static int number(const char *text)
{
	sqlite3_stmt *stmt = NULL;
	int n;

	cr_assert(eq(int, sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK), "%s",
		  sqlite3_errmsg(db));
	cr_assert(eq(int, sqlite3_step(stmt), SQLITE_ROW));
	n = sqlite3_column_int(stmt, 0);
	(void)sqlite3_finalize(stmt);
	return n;
}

static void set_up(void)
{
	static const struct rv_task_def task = {.name = "t", .queue = "q", .max_attempts = 3};
	static const struct rv_queue_def queue = {.name = "q"};
	struct rv_req *reqs[] = {&req};
	const char *path = rv_test_path("%s/a.db", rv_test_tmpdir());
	struct rv_store_open how = {
		.backend = "sqlite", .path = path, .create = true, .group = (gid_t)-1};

	cr_assert(eq(int, rv_store_open(&how, &store, &why), RV_OK), "%s", why.text);
	req = (struct rv_req){
		.kind = RV_REQ_MIRROR,
		.u.mirror = {.tasks = &task, .ntasks = 1, .queues = &queue, .nqueues = 1}};
	cr_assert(eq(int, rv_store_do(store, reqs, 1, RV_DURABILITY_NORMAL, RV_S_US, &why), RV_OK));
	cr_assert(eq(int, sqlite3_open(path, &db), SQLITE_OK));
	sql("PRAGMA wal_autocheckpoint = 0");
}

static void tear_down(void)
{
	(void)sqlite3_close(db);
	rv_store_close(store);
	rv_test_tmpdir_end();
}

TestSuite(inbox, .init = set_up, .fini = tear_down);

static int make(void *ctx, const struct rv_inbox_row *row, struct rv_job_new *ret_job,
		struct rv_why *ret_why)
{
	(void)ctx;
	if (row->args)
		return rv_fail(ret_why, RV_E_USAGE, "no args here");
	*ret_job = (struct rv_job_new){.task = row->task, .priority = -1};
	return RV_OK;
}

/* Takes at most ${limit} rows in a transaction that is still to end. */
static int take(uint32_t limit)
{
	req = (struct rv_req){.kind = RV_REQ_INBOX, .u.inbox = {.make = make, .limit = limit}};
	cr_assert(eq(int, rv_store_begin(store, RV_DURABILITY_NORMAL, RV_S_US, &why), RV_OK));
	return rv_store_execute(store, &req);
}

Test(inbox, a_row_is_there_or_its_job)
{
	sql("INSERT INTO reeve_inbox(task) VALUES ('t'), ('t'), ('t')");
	cr_assert(eq(int, take(2), RV_OK));
	cr_assert(eq(int, number("SELECT count(*) FROM reeve_inbox"), 3)); /* not committed */
	cr_assert(eq(int, number("SELECT count(*) FROM job"), 0));
	rv_store_rollback(store); /* as a kill leaves it */
	cr_assert(eq(int, number("SELECT count(*) FROM reeve_inbox"), 3));
	cr_assert(eq(int, number("SELECT count(*) FROM job"), 0));
	cr_assert(eq(int, take(2), RV_OK));
	cr_assert(eq(int, rv_store_commit(store, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, (int)req.u.inbox.taken, 2));
	cr_assert(eq(int, (int)req.u.inbox.more, 1));
	cr_assert(eq(int, number("SELECT count(*) FROM reeve_inbox"), 1));
	cr_assert(eq(int, number("SELECT count(*) FROM job"), 2));
	cr_assert(eq(int, take(2), RV_OK));
	cr_assert(eq(int, rv_store_commit(store, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, number("SELECT count(*) FROM reeve_inbox"), 0));
	cr_assert(eq(int, number("SELECT count(*) FROM job"), 3));
}

Test(inbox, what_cannot_be_a_job_keeps_nobody_from_being_one)
{
	sql("INSERT INTO reeve_inbox(task, args) VALUES ('t', NULL), ('t', '{}'), ('nope', NULL), "
	    "('t', NULL)");
	cr_assert(eq(int, take(10), RV_OK));
	cr_assert(eq(int, rv_store_commit(store, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, (int)req.u.inbox.taken, 2));
	cr_assert(eq(int, (int)req.u.inbox.refused, 2));
	cr_assert(eq(int, number("SELECT count(*) FROM reeve_inbox WHERE error IS NOT NULL"), 2));
	cr_assert(eq(int, number("SELECT count(*) FROM job"), 2));
	cr_assert(eq(int, take(10), RV_OK)); /* they are not tried again by themselves */
	cr_assert(eq(int, rv_store_commit(store, &why), RV_OK));
	cr_assert(eq(int, (int)req.u.inbox.refused, 0));
	sql("UPDATE reeve_inbox SET args = NULL, task = 't', error = NULL");
	cr_assert(eq(int, take(10), RV_OK));
	cr_assert(eq(int, rv_store_commit(store, &why), RV_OK));
	cr_assert(eq(int, number("SELECT count(*) FROM job"), 4));
	cr_assert(eq(int, number("SELECT count(*) FROM reeve_inbox"), 0));
}
