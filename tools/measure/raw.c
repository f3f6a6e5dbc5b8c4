/*
 * Raw SQLite on the product's own schema: the statements that a claim and an ack need, written by
 * hand, without contract, combining, checks or messages.  One process (raw), or many that compete
 * with sqlite3_busy_timeout as most queues on SQLite do (busy).  Also raw inserts.
 */
#include "measure.h"

#include "base/seam.h"
#include "store/store.h"

#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCH_MAX 1000

enum statement {
	BEGIN,
	COMMIT,
	TALLY,
	COUNTS,
	PICK,
	READY_DROP,
	READY_PUT,
	LEASE_PUT,
	LEASE_DROP,
	JOB,
	JOB_PUT,
	EVENT,
	DONE,
	STATEMENTS
};

static const char *const texts[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[TALLY] = "UPDATE tally SET n = n + ?1, fence = fence + ?2 WHERE id = 0 RETURNING n, fence",
	[COUNTS] = "UPDATE tally SET ready = ready - ?1, running = running + ?1 - ?2, "
		   "succeeded = succeeded + ?2 WHERE id = 1",
	[PICK] = "SELECT ord, id FROM ready WHERE queue = 1 ORDER BY ord, id LIMIT ?1",
	[READY_DROP] = "DELETE FROM ready WHERE queue = 1 AND ord = ?1 AND id = ?2",
	[READY_PUT] =
		"INSERT INTO ready(queue, ord, id, since, runs, attempts, crashes, granted, marks, "
		"event) VALUES (1, ?1, ?1, 0, 0, 0, 0, 0, 0, ?1)",
	[LEASE_PUT] = "INSERT INTO lease(id, queue, ord, incarnation, worker, fence, started, "
		      "started_at, "
		      "cancel_requested, runs, attempts, crashes, granted, marks, event) "
		      "VALUES (?1, 1, ?2, ?3, 'default/1', ?4, 1, ?5, 0, 1, 0, 0, 0, 0, ?6)",
	[LEASE_DROP] = "DELETE FROM lease WHERE id = ?1 AND fence = ?2",
	[JOB] = "SELECT task, max_attempts, timeout, created_at, run_at FROM job WHERE id = ?1",
	[JOB_PUT] =
		"INSERT INTO job(id, task, queue, priority, ord, created_at, run_at, expires_at, "
		"max_attempts, max_crashes, timeout, deadline, weight, uid, sum, unique_until) "
		"VALUES (?1, "
		"'noop', 1, 100, ?1, ?2, ?2, 0, 5, 3, 0, 0, 1, 0, 0, 0)",
	[EVENT] = "INSERT INTO event(seq, at, job, prev, from_state, to_state, fence, incarnation) "
		  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1)",
	[DONE] = "INSERT INTO done(id, queue, state, finished_at, runs, attempts, crashes, "
		 "granted, marks, "
		 "event, fence, incarnation, worker, attempt, started_at, ended_at, outcome, "
		 "exit_code, "
		 "signo, user_us, sys_us, maxrss, output) VALUES (?1, 1, 4, ?2, 1, 1, 0, 0, 0, ?3, "
		 "?4, 1, "
		 "'default/1', 1, ?2, ?2, 0, 0, 0, 0, 0, 0, 0)",
};

struct held {
	int64_t id, fence;
};

struct raw {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS];
	struct held held[BATCH_MAX];
	int nheld;
};

static void need(struct raw *raw, int rc, const char *what)
{
	if (rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE)
		rv_measure_die(what, sqlite3_errmsg(raw->db));
}

/* As sqlite3_busy_timeout does it: 1 ms at first, up to 100 ms; but counted. */
static int count_busy(void *ctx, int tries)
{
	static const int naps_ms[] = {1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100};
	int which = tries < (int)RV_ARRAY_LEN(naps_ms) ? tries : (int)RV_ARRAY_LEN(naps_ms) - 1;

	++*(int64_t *)ctx;
	(void)poll(NULL, 0, naps_ms[which]);
	return tries < 1000;
}

static void raw_open(struct raw *raw, const char *path, const char *synchronous, int busy_ms)
{
	char pragma[64];

	*raw = (struct raw){0};
	if (sqlite3_open_v2(path, &raw->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL))
		rv_measure_die(path, "cannot be opened");
	need(raw, sqlite3_busy_timeout(raw->db, busy_ms), "busy_timeout");
	(void)snprintf(pragma, sizeof pragma, "PRAGMA synchronous = %s", synchronous);
	need(raw, sqlite3_exec(raw->db, pragma, NULL, NULL, NULL), pragma);
	for (int i = 0; i < STATEMENTS; i++)
		need(raw, sqlite3_prepare_v2(raw->db, texts[i], -1, &raw->statements[i], NULL),
		     texts[i]);
}

static void raw_close(struct raw *raw)
{
	for (int i = 0; i < STATEMENTS; i++)
		(void)sqlite3_finalize(raw->statements[i]);
	(void)sqlite3_close(raw->db);
}

/* Binds ${count} integers and steps; the row, if any, is read by the caller before the next call.
 */
static int step(struct raw *raw, enum statement which, int count, const int64_t *values)
{
	sqlite3_stmt *statement = raw->statements[which];

	(void)sqlite3_reset(statement);
	for (int i = 0; i < count; i++)
		need(raw, sqlite3_bind_int64(statement, i + 1, values[i]), texts[which]);
	int rc = sqlite3_step(statement);
	if (rc == SQLITE_DONE)
		(void)sqlite3_reset(statement);
	return rc;
}

#define STEP(raw, which, ...)                                                                      \
	step(raw, which, (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),          \
	     (const int64_t[]){__VA_ARGS__})

static void ack_held(struct raw *raw, int64_t *event, int64_t now)
{
	for (int i = 0; i < raw->nheld; i++) {
		struct held *held = &raw->held[i];

		need(raw, STEP(raw, LEASE_DROP, held->id, held->fence), "ack");
		++*event;
		need(raw, STEP(raw, DONE, held->id, now, *event, held->fence), "done");
		need(raw, STEP(raw, EVENT, *event, now, held->id, *event, 3, 4, held->fence),
		     "event");
	}
}

static int claim_next(struct raw *raw, int want, int64_t *event, int64_t *fence)
{
	static int64_t places[BATCH_MAX];
	int64_t now = rv_wall_us();
	int got = 0;

	need(raw, sqlite3_bind_int(raw->statements[PICK], 1, want), "pick");
	while (got < want && sqlite3_step(raw->statements[PICK]) == SQLITE_ROW) {
		places[got] = sqlite3_column_int64(raw->statements[PICK], 0);
		raw->held[got++].id = sqlite3_column_int64(raw->statements[PICK], 1);
	}
	(void)sqlite3_reset(raw->statements[PICK]);
	for (int i = 0; i < got; i++) {
		struct held *held = &raw->held[i];

		held->fence = ++*fence;
		need(raw, STEP(raw, READY_DROP, places[i], held->id), "claim");
		need(raw, STEP(raw, JOB, held->id), "job");
		(void)sqlite3_reset(raw->statements[JOB]);
		++*event;
		need(raw, STEP(raw, LEASE_PUT, held->id, places[i], 1, held->fence, now, *event),
		     "lease");
		need(raw, STEP(raw, EVENT, *event, now, held->id, *event, 1, 3, held->fence),
		     "event");
	}
	return got;
}

/* Acks what is held and claims ${want}, in one transaction; how many were acked, -1 when it was
 * busy. */
static int turn(struct raw *raw, int want)
{
	int acked = raw->nheld;
	int64_t event;
	int64_t fence;

	int rc = step(raw, BEGIN, 0, NULL);
	if (rc == SQLITE_BUSY)
		return -1;
	need(raw, rc, "begin");
	need(raw, STEP(raw, TALLY, want + acked, want), "tally");
	event = sqlite3_column_int64(raw->statements[TALLY], 0) - want - acked;
	fence = sqlite3_column_int64(raw->statements[TALLY], 1) - want;
	(void)sqlite3_reset(raw->statements[TALLY]);
	ack_held(raw, &event, rv_wall_us());
	raw->nheld = claim_next(raw, want, &event, &fence);
	need(raw, STEP(raw, COUNTS, raw->nheld, acked), "counts");
	need(raw, step(raw, COMMIT, 0, NULL), "commit");
	return acked;
}

static void fill(struct raw *raw, int64_t from, int64_t count, int64_t per_transaction)
{
	int64_t now = rv_wall_us();

	for (int64_t i = 0; i < count; i++) {
		if (i % per_transaction == 0)
			need(raw, step(raw, BEGIN, 0, NULL), "begin");
		need(raw, STEP(raw, JOB_PUT, from + i, now), "job");
		need(raw, STEP(raw, READY_PUT, from + i), "ready");
		need(raw, STEP(raw, EVENT, from + i, now, from + i, 0, 0, 1, 0), "event");
		if ((i + 1) % per_transaction == 0 || i + 1 == count) {
			need(raw, STEP(raw, TALLY, per_transaction, 0), "tally");
			(void)sqlite3_reset(raw->statements[TALLY]);
			need(raw, STEP(raw, COUNTS, -per_transaction, 0), "counts");
			need(raw, step(raw, COMMIT, 0, NULL), "commit");
		}
	}
}

/* A store with ${jobs} ready ones; its path. */
static void prepare(const char *dir, char *path, size_t space, int64_t jobs)
{
	struct raw raw;

	rv_store_close(rv_measure_store(dir, "reeve.db", path, space));
	raw_open(&raw, path, "OFF", 1000);
	fill(&raw, 1, jobs, BATCH_MAX);
	raw_close(&raw);
}

int rv_measure_raw(int argc, char **argv)
{
	int64_t jobs = rv_measure_number(argv[2]);
	int per = (int)rv_measure_number(argv[3]);
	char path[4096];
	struct raw raw;

	(void)argc;
	if (per < 1 || per > BATCH_MAX)
		rv_measure_die("raw", "PER_TRANSACTION is 1 to 1000");
	prepare(argv[1], path, sizeof path, jobs);
	raw_open(&raw, path, argv[4], 1000);
	int64_t began = rv_mono_us();
	int64_t done = 0;
	do {
		done += turn(&raw, per);
	} while (raw.nheld > 0);
	(void)printf("{\"rate\":%.1f}\n", (double)done * 1e6 / (double)(rv_mono_us() - began));
	raw_close(&raw);
	return 0;
}

/* ${apart}: a transaction to claim and one to ack; else the ack is one with the next claim. */
static void compete(const char *path, const char *synchronous, bool apart, int64_t until_us,
		    int64_t *ret_done, int64_t *ret_busy)
{
	struct raw raw;

	raw_open(&raw, path, synchronous, 60000);
	need(&raw, sqlite3_busy_handler(raw.db, count_busy, ret_busy), "busy handler");
	while (rv_mono_us() < until_us) {
		int acked = turn(&raw, apart && raw.nheld > 0 ? 0 : 1);

		if (acked > 0)
			*ret_done += acked;
	}
	raw_close(&raw);
	_exit(0);
}

int rv_measure_busy(int argc, char **argv)
{
	int processes = (int)rv_measure_number(argv[2]);
	int64_t seconds = rv_measure_number(argv[3]);
	bool apart = strcmp(argv[5], "apart") == 0;
	char path[4096];

	(void)argc;
	if (processes < 1 || processes > 64)
		rv_measure_die("busy", "PROCESSES is 1 to 64");
	prepare(argv[1], path, sizeof path, seconds * 30000);
	int64_t *done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (done == MAP_FAILED)
		rv_measure_die("busy", "no memory");
	int64_t began = rv_mono_us();
	for (int i = 0; i < processes; i++) {
		pid_t pid = fork(); /* no handle is open here */

		if (pid < 0)
			rv_measure_die("busy", "cannot fork");
		if (pid == 0)
			compete(path, argv[4], apart, began + seconds * RV_S_US, &done[i],
				&done[128 + i]);
	}
	while (wait(NULL) > 0)
		continue;
	int64_t took = rv_mono_us() - began;
	int64_t sum = 0;
	int64_t busy = 0;
	int64_t least = INT64_MAX;
	for (int i = 0; i < processes; i++) {
		sum += done[i];
		busy += done[128 + i];
		least = done[i] < least ? done[i] : least;
	}
	(void)printf("{\"rate\":%.1f,\"busy\":%lld,\"share\":%.3f}\n",
		     (double)sum * 1e6 / (double)took, (long long)busy,
		     sum ? (double)least * processes / (double)sum : 0.0);
	return 0;
}

int rv_measure_insert(int argc, char **argv)
{
	char path[4096];
	struct raw raw;

	(void)argc;
	rv_store_close(rv_measure_store(argv[1], "reeve.db", path, sizeof path));
	raw_open(&raw, path, "FULL", 1000);
	int64_t began = rv_mono_us();
	fill(&raw, 1, rv_measure_number(argv[2]), rv_measure_number(argv[3]));
	(void)printf("{\"rate\":%.1f}\n",
		     (double)rv_measure_number(argv[2]) * 1e6 / (double)(rv_mono_us() - began));
	raw_close(&raw);
	return 0;
}
