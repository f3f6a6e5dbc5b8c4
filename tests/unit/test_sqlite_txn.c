/*
 * Transactions of the sqlite backend: waiting for the write lock, who holds it, what a request that
 * fails leaves behind, names that change under a transaction, another strategy, one SQL statement.
 */
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "store/read.h"
#include "store/sqlite.h"
#include "store/sqlite_place.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct rv_store *store;
static struct rv_store *other;
static struct rv_why why;
static struct rv_req req;
static const char *path;
static int hooked;
static int hook_gives_up;

static bool hook(void *ctx)
{
	hooked++;
	return hook_gives_up && ctx == &hooked;
}

static struct rv_store *open_it(void)
{
	struct rv_store_open how = {.backend = "sqlite",
				    .path = path,
				    .create = true,
				    .group = (gid_t)-1,
				    .interrupt = hook,
				    .ctx = &hooked};
	struct rv_store *opened = NULL;

	cr_assert(eq(int, rv_store_open(&how, &opened, &why), RV_OK), "%s", why.text);
	return opened;
}

static int ask_of(struct rv_store *which)
{
	struct rv_req *reqs[] = {&req};
	int err = rv_store_do(which, reqs, 1, RV_DURABILITY_NORMAL, RV_S_US, &why);

	return err == RV_OK ? req.err : err;
}

static void mirror(struct rv_store *which, enum rv_strategy strategy, const char *extra)
{
	static const struct rv_task_def task = {.name = "t", .queue = "q", .max_attempts = 3};
	struct rv_queue_def queues[2] = {{.name = "q", .strategy = strategy}};

	(void)snprintf(queues[1].name, sizeof queues[1].name, "%s", extra ? extra : "");
	req = (struct rv_req){
		.kind = RV_REQ_MIRROR,
		.u.mirror = {
			.tasks = &task, .ntasks = 1, .queues = queues, .nqueues = extra ? 2 : 1}};
	cr_assert(eq(int, ask_of(which), RV_OK), "%s", why.text);
}

static int64_t add(struct rv_store *which, struct rv_job_new job)
{
	int64_t id = 0;

	job.task = "t";
	req = (struct rv_req){.kind = RV_REQ_ENQUEUE,
			      .u.enqueue = {.jobs = &job, .count = 1, .ret_ids = &id}};
	return ask_of(which) == RV_OK ? id : 0;
}

static void broken(void *ctx, const char *rule, const char *what)
{
	(void)ctx;
	cr_assert(eq(int, 0, 1), "%s: %s", rule, what);
}

static void set_up(void)
{
	path = rv_test_path("%s/a.db", rv_test_tmpdir());
	store = open_it();
	mirror(store, RV_STRATEGY_FIFO, NULL);
	req = (struct rv_req){.kind = RV_REQ_JOIN, .u.join = {.incarnation = 7, .slot = 1}};
	cr_assert(eq(int, ask_of(store), RV_OK));
	other = open_it();
}

static void tear_down(void)
{
	hook_gives_up = 0;
	cr_assert(eq(int, rv_store_check(store, true, broken, NULL), RV_OK));
	rv_store_close(other);
	rv_store_close(store);
	rv_test_tmpdir_end();
}

TestSuite(sqlite_txn, .init = set_up, .fini = tear_down);

Test(sqlite_txn, busy_is_told_in_time_and_names_the_writer)
{
	int64_t pid = -1;
	int64_t took;

	cr_assert(eq(int, rv_store_begin(other, RV_DURABILITY_NORMAL, RV_S_US, &why), RV_OK));
	cr_assert(eq(int, rv_store_writer_pid(store, &pid), RV_OK));
	cr_assert(eq(i64, pid, (int64_t)getpid()));
	hooked = 0;
	took = rv_mono_us();
	cr_assert(eq(int, rv_store_begin(store, RV_DURABILITY_NORMAL, 300 * RV_MS_US, &why),
		     RV_E_BUSY));
	took = rv_mono_us() - took;
	cr_assert(le(i64, 300 * RV_MS_US, took));
	cr_assert(lt(i64, 6, (int64_t)hooked), "the hook was called %d times", hooked);
	rv_assert_has(why.text, "process");
	rv_store_rollback(other);
	cr_assert(eq(int, rv_store_writer_pid(store, &pid), RV_OK));
	cr_assert(eq(i64, pid, 0));
	cr_assert(eq(int, rv_store_begin(store, RV_DURABILITY_NORMAL, 0, &why), RV_OK));
	rv_store_rollback(store);
}

Test(sqlite_txn, the_hook_may_give_up)
{
	int64_t took = rv_mono_us();

	cr_assert(eq(int, rv_store_begin(other, RV_DURABILITY_NORMAL, RV_S_US, &why), RV_OK));
	hook_gives_up = 1;
	cr_assert(eq(int, rv_store_begin(store, RV_DURABILITY_NORMAL, 60 * RV_S_US, &why),
		     RV_E_BUSY));
	cr_assert(lt(i64, rv_mono_us() - took, 20 * RV_S_US));
	hook_gives_up = 0;
	rv_store_rollback(other);
}

Test(sqlite_txn, every_commit_changes_the_value)
{
	int64_t values[4];

	cr_assert(eq(int, rv_store_change(store, &values[0]), RV_OK));
	cr_assert(lt(i64, 0, add(store, (struct rv_job_new){.priority = -1})));
	cr_assert(eq(int, rv_store_change(store, &values[1]), RV_OK));
	cr_assert(lt(i64, 0, add(other, (struct rv_job_new){.priority = -1})));
	cr_assert(eq(int, rv_store_change(store, &values[2]), RV_OK));
	cr_assert(eq(int, rv_store_change(store, &values[3]), RV_OK));
	cr_assert(ne(i64, values[0], values[1]));
	cr_assert(ne(i64, values[1], values[2]));
	cr_assert(eq(i64, values[2], values[3]));
}

Test(sqlite_txn, the_numbers_go_back_with_a_request_that_fails)
{
	struct rv_job_new jobs[2] = {{.task = "t", .priority = -1},
				     {.task = "none", .priority = -1}};
	int64_t ids[2] = {0};
	struct rv_req bad = {.kind = RV_REQ_ENQUEUE,
			     .u.enqueue = {.jobs = jobs, .count = 2, .ret_ids = ids}};
	struct rv_req good = {.kind = RV_REQ_ENQUEUE,
			      .u.enqueue = {.jobs = jobs, .count = 1, .ret_ids = ids}};
	struct rv_req again = good;
	struct rv_req *reqs[] = {&good, &bad, &again};

	cr_assert(eq(int, rv_store_do(store, reqs, 3, RV_DURABILITY_FULL, RV_S_US, &why), RV_OK));
	cr_assert(eq(int, good.err, RV_OK));
	cr_assert(eq(int, bad.err, RV_E_NOTFOUND));
	cr_assert(eq(int, again.err, RV_OK));
	cr_assert(eq(i64, ids[0], 2), "an id of the refused block was kept");
}

Test(sqlite_txn, names_changed_in_the_same_transaction_and_by_others)
{
	struct rv_job_new job = {.task = "t", .queue = "late", .priority = -1};
	struct rv_task_def task = {.name = "t", .queue = "q", .max_attempts = 3};
	struct rv_queue_def queue = {.name = "late"};
	int64_t id = 0;
	struct rv_req first = {
		.kind = RV_REQ_ENQUEUE,
		.u.enqueue = {.jobs = &(struct rv_job_new){.task = "t", .priority = -1},
			      .count = 1,
			      .ret_ids = &id}};
	struct rv_req names = {
		.kind = RV_REQ_MIRROR,
		.u.mirror = {.tasks = &task, .ntasks = 1, .queues = &queue, .nqueues = 1}};
	struct rv_req second = {.kind = RV_REQ_ENQUEUE,
				.u.enqueue = {.jobs = &job, .count = 1, .ret_ids = &id}};
	struct rv_req *reqs[] = {&first, &names, &second};

	cr_assert(eq(int, rv_store_begin(store, RV_DURABILITY_NORMAL, RV_S_US, &why), RV_OK));
	for (size_t i = 0; i < RV_ARRAY_LEN(reqs); i++)
		cr_assert(eq(int, rv_store_execute(store, reqs[i]), RV_OK));
	cr_assert(eq(int, second.err, RV_OK), "%s", second.why.text);
	rv_store_rollback(store); /* and the queue is gone again */
	cr_assert(eq(i64, add(store, job), 0));
	mirror(other, RV_STRATEGY_FIFO, "late");
	cr_assert(lt(i64, 0, add(store, job)));
}

static void sql(const char *text)
{
	cr_assert(
		eq(int, sqlite3_exec(RV_SQLITE_OF(store)->db, text, NULL, NULL, NULL), SQLITE_OK));
}

static int cancel(int64_t id)
{
	req = (struct rv_req){.kind = RV_REQ_CANCEL, .u.cancel = {.job = id}};
	return ask_of(store);
}

/* What a job cannot hold where it stands is told; nobody who asks is to die of it. */
Test(sqlite_txn, marks_that_cannot_be_are_told)
{
	int64_t id = add(store, (struct rv_job_new){.priority = -1});
	int64_t later = add(store, (struct rv_job_new){.priority = -1, .run_at_us = INT64_MAX / 2});

	sql("UPDATE ready SET marks = marks | 512");
	req = (struct rv_req){.kind = RV_REQ_TURN};
	req.u.turn.incarnation = 7;
	req.u.turn.want = req.u.turn.nqueues = 1;
	(void)snprintf(req.u.turn.queues[0], RV_NAME_MAX, "q");
	cr_assert(eq(int, ask_of(store), RV_E_CORRUPT));
	cr_assert(eq(int, cancel(id), RV_E_CORRUPT));
	sql("UPDATE ready SET marks = marks & ~512");
	sql("UPDATE ready SET marks = marks | 524288"); /* it borrows, and holds nothing */
	cr_assert(eq(int, cancel(id), RV_E_CORRUPT));
	sql("UPDATE ready SET marks = marks & ~524288");
	sql("UPDATE ready SET marks = -1");
	cr_assert(eq(int, cancel(id), RV_E_CORRUPT));
	sql("UPDATE ready SET marks = 0");
	sql("UPDATE scheduled SET marks = marks | 16");
	cr_assert(eq(int, cancel(later), RV_E_CORRUPT));
	sql("UPDATE scheduled SET marks = marks & ~16");
	cr_assert(eq(int, cancel(id), RV_OK));
	cr_assert(eq(int, cancel(later), RV_OK));
}

static int count_rows(void *ctx, int n, const char *const *names, const char *const *values)
{
	cr_assert(lt(int, 0, n));
	cr_assert(ne(ptr, (void *)(uintptr_t)names[0], NULL));
	(*(int *)ctx) += values[0] != NULL;
	return RV_OK;
}

Test(sqlite_txn, one_statement_that_reads)
{
	static const char *const refused[] = {
		"DELETE FROM job",
		"UPDATE tally SET job = 0",
		"SELECT 1; DELETE FROM job",
		"PRAGMA wal_checkpoint",
		"PRAGMA journal_mode = DELETE",
		"PRAGMA user_version = 7",
		"ATTACH 'other.db' AS y",
		"VACUUM",
		"VACUUM INTO 'other.db'",
		"BEGIN IMMEDIATE",
		"SELECT load_extension('x')",
		"SELECT nonsense",
		"",
		"-- nothing",
		"CREATE TABLE mine(x)",
	};
	int rows = 0;

	cr_assert(lt(i64, 0, add(store, (struct rv_job_new){.priority = -1})));
	cr_assert(eq(int,
		     rv_store_sql(store, "SELECT id, NULL, task FROM job;  ", count_rows, &rows,
				  &why),
		     RV_OK),
		  "%s", why.text);
	cr_assert(eq(int, rows, 1));
	cr_assert(eq(int, rv_store_sql(store, "PRAGMA table_info(job)", count_rows, &rows, &why),
		     RV_OK),
		  "%s", why.text);
	cr_assert(lt(int, 10, rows));
	for (size_t i = 0; i < RV_ARRAY_LEN(refused); i++) {
		int err = rv_store_sql(store, refused[i], count_rows, &rows, &why);

		cr_assert(eq(int, err, RV_E_USAGE), "%s: %s", refused[i], why.text);
		cr_assert(ne(int, why.text[0], 0), "%s", refused[i]);
	}
}

Test(sqlite_txn, the_level_of_durability_is_the_transactions)
{
	int64_t level = -1;

	for (int i = 0; i < 4; i++) {
		enum rv_durability durability = i % 2 ? RV_DURABILITY_FULL : RV_DURABILITY_NORMAL;

		cr_assert(eq(int, rv_store_begin(store, durability, RV_S_US, &why), RV_OK));
		cr_assert(eq(int,
			     rv_sqlite_pragma(RV_SQLITE_OF(store), "PRAGMA synchronous", &level),
			     RV_OK));
		cr_assert(eq(i64, level, durability == RV_DURABILITY_FULL ? 2 : 1));
		cr_assert(eq(int, rv_store_commit(store, &why), RV_OK));
	}
}

/* The head of the log as it is on the disk, which changes when a log begins anew. */
static void head_of_log(unsigned char ret_head[32])
{
	char log[4200];
	FILE *file;

	(void)snprintf(log, sizeof log, "%s-wal", path);
	file = fopen(log, "re");
	cr_assert(ne(ptr, file, NULL));
	cr_assert(eq(sz, fread(ret_head, 1, 32, file), 32));
	(void)fclose(file);
}

/* SQLite syncs it before the first frame: nobody's deletions are to wait for that. */
Test(sqlite_txn, who_has_moved_the_log_begins_the_next)
{
	unsigned char before[32];
	unsigned char after[32];
	int64_t bytes = -1;

	mirror(store, RV_STRATEGY_FIFO, NULL);
	for (int64_t threshold = 0; threshold < 2; threshold++) {
		(void)add(store, (struct rv_job_new){.priority = -1});
		head_of_log(before);
		cr_assert(eq(int, rv_store_checkpoint(store, threshold, &bytes), RV_OK));
		cr_assert(eq(i64, bytes, 0));
		head_of_log(after);
		cr_assert(eq(int, memcmp(before, after, 32) != 0, threshold > 0));
	}
	(void)add(store, (struct rv_job_new){.priority = -1});
	head_of_log(before); /* that was it: the next commit goes on with it */
	cr_assert(eq(int, memcmp(before, after, 32), 0));
}
