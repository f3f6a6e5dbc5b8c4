/*
 * reeve_sqlite.so on the connection of a program: its jobs come with the program's commit and no
 * sooner, and that commit rings, without a daemon: the doorbell is ours.
 */
#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "os/fd.h"
#include "os/sock.h"
#include "store/read.h"
#include "wire/sup.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct rv_store *store;
static sqlite3 *db;    /* the program's */
static sqlite3 *other; /* somebody who looks on */
static int doorbell = -1;
static char said[512]; /* the last error */
static const char *tmp;

static int ask(const struct rv_req *what)
{
	static struct rv_req req;
	struct rv_req *reqs[] = {&req};
	struct rv_why why = {{0}};
	int err;

	req = *what;
	err = rv_store_do(store, reqs, 1, RV_DURABILITY_NORMAL, RV_S_US, &why);
	return err == RV_OK ? req.err : err;
}

/* build/tests/unit_extension -> build/lib/reeve_sqlite.so */
static const char *extension(void)
{
	static char path[4200];
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	cr_assert(lt(int, 0, (int)n));
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	(void)snprintf(path, sizeof(path), "%s/../lib/reeve_sqlite.so", self);
	return path;
}

static sqlite3 *connect_to(const char *path)
{
	sqlite3 *opened = NULL;
	char *error = NULL;

	cr_assert(eq(int, sqlite3_open(path, &opened), SQLITE_OK));
	(void)sqlite3_busy_timeout(opened, 1000);
	(void)sqlite3_db_config(opened, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
	(void)sqlite3_load_extension(opened, extension(), NULL, &error);
	cr_assert(eq(ptr, error, NULL), "%s", error);
	return opened;
}

static void set_up(void)
{
	static const struct rv_task_def task = {.name = "t", .queue = "q", .max_attempts = 3};
	static const struct rv_queue_def queue = {.name = "q"};
	struct rv_req mirror = {
		.kind = RV_REQ_MIRROR,
		.u.mirror = {.tasks = &task, .ntasks = 1, .queues = &queue, .nqueues = 1}};
	struct rv_req raise = {.kind = RV_REQ_RAISE,
			       .u.raise = {.pid = 2147480000, .boot_id = "a", .area = 1}};
	struct rv_store_open how = {.backend = "sqlite", .create = true, .group = (gid_t)-1};
	struct rv_why why = {{0}};

	tmp = rv_test_tmpdir();
	how.path = rv_test_path("%s/a.db", tmp);
	cr_assert(eq(int, rv_store_open(&how, &store, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, ask(&mirror), RV_OK));
	(void)snprintf(raise.u.raise.runtime_dir, sizeof(raise.u.raise.runtime_dir), "%s", tmp);
	cr_assert(eq(int, ask(&raise), RV_OK));
	cr_assert(eq(int, rv_sock_bell(rv_test_path("%s/doorbell", tmp), 0600, &doorbell, NULL),
		     RV_OK));
	db = connect_to(how.path);
	other = connect_to(how.path);
}

static void tear_down(void)
{
	(void)sqlite3_close(db);
	(void)sqlite3_close(other);
	rv_fd_close(&doorbell);
	rv_store_close(store);
	rv_test_tmpdir_end();
}

TestSuite(extension, .init = set_up, .fini = tear_down);

/* The first column of the first row; -1: an error, in ${said}. */
static int64_t one(sqlite3 *of, const char *text)
{
	sqlite3_stmt *stmt = NULL;
	int64_t value = -1;
	int rc = sqlite3_prepare_v2(of, text, -1, &stmt, NULL);

	said[0] = '\0';
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		value = sqlite3_column_int64(stmt, 0);
		rc = sqlite3_step(stmt); /* its transaction ends with it */
	}
	if (rc != SQLITE_DONE) {
		(void)snprintf(said, sizeof(said), "%s", sqlite3_errmsg(of));
		value = -1;
	}
	(void)sqlite3_finalize(stmt);
	return value;
}

static void run(const char *text)
{
	(void)one(db, text);
	rv_assert_text(said, "");
}

static int64_t jobs(void)
{
	return one(other, "SELECT count(*) FROM job");
}

/* "all,keeper," */
static const char *rings(void)
{
	static char text[256];
	uint64_t token;

	text[0] = '\0';
	while (rv_sock_rung(doorbell, &token) == RV_OK)
		(void)strncat(text,
			      token == RV_RING_ALL      ? "all,"
			      : token == RV_RING_KEEPER ? "keeper,"
							: "?,",
			      sizeof(text) - strlen(text) - 1);
	return text;
}

#define ADD "SELECT reeve_enqueue('t')"

Test(extension, a_job_is_seen_with_the_programs_commit_and_no_sooner)
{
	run("BEGIN IMMEDIATE");
	cr_assert(eq(i64, one(db, ADD), 1));
	cr_assert(eq(i64, jobs(), 0));
	run("ROLLBACK");
	cr_assert(eq(i64, jobs(), 0));
	run("BEGIN");
	cr_assert(eq(i64, one(db, ADD), 1));
	cr_assert(eq(i64, one(db, ADD), 2));
	cr_assert(eq(i64, jobs(), 0));
	run("COMMIT");
	cr_assert(eq(i64, jobs(), 2));
	cr_assert(eq(i64, one(db, ADD), 3)); /* in one of its own */
	cr_assert(eq(i64, jobs(), 3));
}

Test(extension, a_store_of_a_newer_reeve_is_refused)
{
	run("PRAGMA user_version = 999");
	cr_assert(eq(i64, one(db, ADD), -1));
	rv_assert_has(said, "was written by a newer reeve (schema 999");
	cr_assert(eq(i64, one(db, "SELECT reeve_ring()"), -1));
	rv_assert_has(said, "reeve_ring: the store was written by a newer reeve");
	cr_assert(eq(i64, jobs(), 0));
}

Test(extension, a_store_of_another_build_is_refused)
{
	run("UPDATE tally SET tables = 1 WHERE id = 0");
	cr_assert(eq(i64, one(db, ADD), -1));
	rv_assert_has(said, "was made by another build of reeve");
	cr_assert(eq(i64, jobs(), 0));
}

Test(extension, the_commit_rings)
{
	run("BEGIN IMMEDIATE");
	(void)one(db, ADD);
	rv_assert_text(rings(), "");
	run("COMMIT");
	rv_assert_text(rings(), "all,keeper,");
	run("CREATE TABLE app_t(a)"); /* a commit without a job */
	rv_assert_text(rings(), "");
	(void)one(db, ADD);
	rv_assert_text(rings(), "all,keeper,");
	run("BEGIN");
	for (int i = 0; i < 5; i++)
		(void)one(db, ADD);
	run("COMMIT");
	rv_assert_text(rings(), "all,keeper,"); /* once for all of them */
	run("SAVEPOINT app");
	(void)one(db, ADD);
	run("RELEASE app");
	rv_assert_text(rings(), "all,keeper,");
}

Test(extension, what_is_rolled_back_rings_nobody)
{
	run("BEGIN");
	(void)one(db, ADD);
	run("ROLLBACK");
	rv_assert_text(rings(), "");
	run("CREATE TABLE app_t(a)"); /* once too often, and no more */
	(void)rings();
	run("INSERT INTO app_t VALUES (1)");
	rv_assert_text(rings(), "");
}

Test(extension, automatic_checkpoints_stay_off)
{
	run("PRAGMA wal_autocheckpoint = 1");
	(void)one(db, ADD);
	cr_assert(eq(i64, one(db, "PRAGMA wal_autocheckpoint"), 0));
}

Test(extension, reeve_ring_is_for_what_is_committed)
{
	run("INSERT INTO reeve_inbox(task) VALUES ('t')");
	rv_assert_text(rings(), "");
	cr_assert(eq(i64, one(db, "SELECT reeve_ring()"), 1));
	rv_assert_text(rings(), "all,keeper,");
	run("BEGIN");
	cr_assert(eq(i64, one(db, "SELECT reeve_ring()"), -1));
	rv_assert_has(said, "reeve_ring: call it after COMMIT");
	run("ROLLBACK");
	run("CREATE TABLE app_t(a)");
	cr_assert(eq(i64, one(db, "INSERT INTO app_t VALUES (reeve_ring())"), -1));
	rv_assert_has(said, "call it after COMMIT");
	rv_assert_text(rings(), "");
	rv_fd_close(&doorbell); /* no daemon */
	cr_assert(eq(i64, one(db, "SELECT reeve_ring()"), 0));
	run("CREATE VIEW app_v AS SELECT reeve_ring()");
	cr_assert(eq(i64, one(db, "SELECT * FROM app_v"), -1));
	rv_assert_has(said, "unsafe use of reeve_ring");
}

Test(extension, nothing_but_a_store_is_rung_for)
{
	sqlite3 *strange = connect_to(rv_test_path("%s/app.db", tmp));

	cr_assert(eq(i64, one(strange, "SELECT reeve_ring()"), -1));
	rv_assert_has(said, "not a store of reeve");
	(void)sqlite3_close(strange);
}

Test(extension, who_follows_the_events_is_rung)
{
	struct rv_req follow = {.kind = RV_REQ_WAITER,
				.u.waiter = {.job = RV_WAITER_FOLLOWS, .expires_us = INT64_MAX}};
	const char *path = rv_test_path("%s/waiter.1", tmp);
	uint64_t token = 0;
	int bell = -1;

	cr_assert(eq(int, rv_sock_bell(path, 0600, &bell, NULL), RV_OK));
	(void)snprintf(follow.u.waiter.path, sizeof(follow.u.waiter.path), "%s", path);
	cr_assert(eq(int, ask(&follow), RV_OK));
	run("BEGIN");
	(void)one(db, ADD);
	cr_assert(eq(int, rv_sock_rung(bell, &token), RV_E_BUSY));
	run("COMMIT");
	cr_assert(eq(int, rv_sock_rung(bell, &token), RV_OK));
	cr_assert(eq(u64, token, (uint64_t)RV_WAITER_FOLLOWS));
	rv_fd_close(&bell);
}
