/*
 * How the statements of the hot path are executed: no scan of a table that grows, no sorting, and a
 * claim of at most 50 steps of SQLite's machine per queue, with 100,000 jobs queued and as many
 * finished (more by REEVE_PLAN_JOBS).
 */
#include "helpers/assert.h"
#include "base/seam.h"
#include "helpers/tmpdir.h"
#include "store/search.h"
#include "store/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STEPS_MAX 50
#define BLOCK     1000

static struct rv_store *store;
static struct rv_why why;
static struct rv_req req;

static void ask(void)
{
	struct rv_req *reqs[] = {&req};

	cr_assert(eq(int, rv_store_do(store, reqs, 1, RV_DURABILITY_NORMAL, RV_S_US, &why), RV_OK),
		  "%s", why.text);
	cr_assert(eq(int, req.err, RV_OK), "%s", req.why.text);
}

static void set_up(void)
{
	static const struct rv_task_def task = {.name = "t", .queue = "default", .max_attempts = 3};
	static const struct rv_queue_def queues[] = {
		{.name = "default"},
		{.name = "prio", .strategy = RV_STRATEGY_PRIORITY},
		{.name = "bulk"}};
	struct rv_store_open how = {.backend = "sqlite",
				    .path = rv_test_path("%s/a.db", rv_test_tmpdir()),
				    .create = true,
				    .group = (gid_t)-1};

	cr_assert(eq(int, rv_store_open(&how, &store, &why), RV_OK), "%s", why.text);
	req = (struct rv_req){
		.kind = RV_REQ_MIRROR,
		.u.mirror = {.tasks = &task, .ntasks = 1, .queues = queues, .nqueues = 3}};
	ask();
	req = (struct rv_req){.kind = RV_REQ_JOIN, .u.join = {.incarnation = 7, .slot = 1}};
	ask();
}

static void tear_down(void)
{
	rv_store_close(store);
	rv_test_tmpdir_end();
}

TestSuite(sqlite_plan, .init = set_up, .fini = tear_down);

static int64_t how_many(void)
{
	const char *said = getenv("REEVE_PLAN_JOBS");

	return said ? atoll(said) : 100000;
}

static int64_t batch; /* of the jobs that are added; 0 none */

static void add_jobs(int64_t count, const char *queue)
{
	static struct rv_job_new jobs[BLOCK];
	static int64_t ids[BLOCK];

	for (size_t i = 0; i < BLOCK; i++)
		jobs[i] = (struct rv_job_new){.task = "t",
					      .queue = queue,
					      .batch = batch,
					      .priority = (int)(i * 7919 % 1000)};
	for (int64_t i = 0; i < count; i += BLOCK) {
		req = (struct rv_req){.kind = RV_REQ_ENQUEUE,
				      .u.enqueue = {.jobs = jobs, .count = BLOCK, .ret_ids = ids}};
		ask();
	}
}

/* Claims and acks ${count} jobs. */
static void finish_jobs(int64_t count, const char *queue)
{
	struct rv_req_turn *turn = &req.u.turn;

	memset(&req, 0, sizeof req);
	req.kind = RV_REQ_TURN;
	turn->incarnation = 7;
	turn->nqueues = 1;
	(void)snprintf(turn->queues[0], sizeof turn->queues[0], "%s", queue);
	for (int64_t done = 0; done < count; done += turn->nacks) {
		turn->want = turn->nclaimed = 0;
		turn->nacks = 0;
		turn->want = RV_TURN_MAX;
		ask();
		turn->nacks = turn->nclaimed;
		turn->want = 0;
		for (uint32_t i = 0; i < turn->nacks; i++)
			turn->acks[i] = (struct rv_ack){.job = turn->claimed[i].job,
							.fence = turn->claimed[i].fence,
							.started_us = 1};
		cr_assert(lt(u32, 0, turn->nacks));
		ask();
		cr_assert(eq(int, turn->acks[0].err, RV_OK));
	}
}

/* The plan of a statement, its lines joined. */
static const char *plan_of(enum rv_sqlite_stmt which, char *out, size_t space)
{
	static const char *const texts[] = {
#define STMT(name, sql) "EXPLAIN QUERY PLAN " sql,
#include "store/sqlite_stmt.def"
#undef STMT
	};
	sqlite3_stmt *stmt = NULL;
	size_t used = 0;

	cr_assert(eq(int,
		     sqlite3_prepare_v2(RV_SQLITE_OF(store)->db, texts[which], -1, &stmt, NULL),
		     SQLITE_OK),
		  "%s", texts[which]);
	out[0] = '\0';
	while (sqlite3_step(stmt) == SQLITE_ROW)
		used += (size_t)snprintf(out + used, space - used, "%s; ",
					 (const char *)sqlite3_column_text(stmt, 3));
	(void)sqlite3_finalize(stmt);
	return out;
}

Test(sqlite_plan, no_scan_and_no_sorting_on_the_hot_path)
{
	static const enum rv_sqlite_stmt hot[] = {
		RV_SQL_CLAIM,          RV_SQL_CLAIM_TAKE,     RV_SQL_LEASE_OF,
		RV_SQL_LEASE_DROP,     RV_SQL_COUNTS,         RV_SQL_COUNTS_SET,
		RV_SQL_TALLY,          RV_SQL_TALLY_SET,      RV_SQL_WORKER_OF,
		RV_SQL_SCHEDULED_DUE,  RV_SQL_SCHEDULED_NEXT, RV_SQL_TTL_DUE,
		RV_SQL_TTL_DROP,       RV_SQL_UKEY_OF,        RV_SQL_UKEY_DROP,
		RV_SQL_IDEM_OF,        RV_SQL_DEP_CHILD,      RV_SQL_DEP_DROP,
		RV_SQL_DEP_DROP_CHILD, RV_SQL_READY_OF,       RV_SQL_READY_DROP,
		RV_SQL_WAITER_OF,      RV_SQL_JOB_LIMITS,     RV_SQL_ROUND_GET,
		RV_SQL_ROUND_SET,      RV_SQL_EVENT_PREV,     RV_SQL_ATTEMPTS_DROP,
		RV_SQL_SHOWN,          RV_SQL_CANCEL_WANTED,  RV_SQL_IDEM_EXPIRE,
		RV_SQL_UKEY_EXPIRE,    RV_SQL_DEP_NEXT,       RV_SQL_READY_HEAD,
		RV_SQL_READY_TAIL,     RV_SQL_SPAN_OF,        RV_SQL_SPAN_SET,
		RV_SQL_SPAN_DROP,      RV_SQL_SPANS_UP,       RV_SQL_JOB_BATCH,
		RV_SQL_WAITER_FIRST,   RV_SQL_WAITER_TAKE,    RV_SQL_UKEY_FORGET,
		RV_SQL_DONE_RUN_KEEP,  RV_SQL_VIEW_JOB,       RV_SQL_INSTANCE_NEWEST,
		RV_SQL_GATE_OF,        RV_SQL_GATE_SET,       RV_SQL_GATE_DUE,
		RV_SQL_GATE_NEXT,      RV_SQL_HOLDS_OF,       RV_SQL_LINE_FIRST,
		RV_SQL_LINE_HEAD,      RV_SQL_LINE_CHANGE,    RV_SQL_JOB_GATES,
		RV_SQL_BATCH_OF,       RV_SQL_BATCH_CLOSED,   RV_SQL_BATCH_MORE,
		RV_SQL_BATCH_COUNT,    RV_SQL_BATCH_HOME,     RV_SQL_BATCH_END,
		RV_SQL_BATCH_LESS,     RV_SQL_BATCH_DROP,     RV_SQL_BATCH_BELOW,
		RV_SQL_READY_PASSED,
	};
	char plan[2000];

	for (size_t i = 0; i < RV_ARRAY_LEN(hot); i++) {
		(void)plan_of(hot[i], plan, sizeof plan);
		/* "SCAN CONSTANT ROW" and the newest instance by its key scan nothing */
		if (hot[i] != RV_SQL_SHOWN && hot[i] != RV_SQL_INSTANCE_NEWEST &&
		    hot[i] != RV_SQL_SCHEDULED_NEXT && hot[i] != RV_SQL_GATE_NEXT)
			cr_assert(eq(int, strstr(plan, "SCAN") != NULL, 0), "%zu: %s", i, plan);
		cr_assert(eq(int, strstr(plan, "TEMP B-TREE") != NULL, 0), "%zu: %s", i, plan);
	}
	(void)plan_of(RV_SQL_SCHEDULED_NEXT, plan, sizeof plan);
	rv_assert_has(plan, "USING COVERING INDEX scheduled_due");
	(void)plan_of(RV_SQL_GATE_NEXT, plan, sizeof plan);
	rv_assert_has(plan, "USING COVERING INDEX gate_due");
	(void)plan_of(RV_SQL_BATCH_OVER, plan, sizeof plan);
	rv_assert_has(plan, "INDEX batch_over");
	(void)plan_of(RV_SQL_BATCH_SWEEP, plan, sizeof plan);
	rv_assert_has(plan, "INDEX batch_sweep");
}

static void claim_within_steps(const char *queue)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	int64_t claims = 100;
	int64_t steps;

	add_jobs(how_many(), queue);
	finish_jobs(BLOCK, queue);
	(void)sqlite3_stmt_status(s->stmts[RV_SQL_CLAIM], SQLITE_STMTSTATUS_VM_STEP, 1);
	(void)sqlite3_stmt_status(s->stmts[RV_SQL_CLAIM], SQLITE_STMTSTATUS_SORT, 1);
	(void)sqlite3_stmt_status(s->stmts[RV_SQL_CLAIM], SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
	for (int64_t i = 0; i < claims; i++) {
		memset(&req, 0, sizeof req);
		req.kind = RV_REQ_TURN;
		req.u.turn.incarnation = 7;
		req.u.turn.want = 1;
		req.u.turn.nqueues = 1;
		(void)snprintf(req.u.turn.queues[0], sizeof req.u.turn.queues[0], "%s", queue);
		ask();
		cr_assert(eq(u32, req.u.turn.nclaimed, 1));
	}
	steps = sqlite3_stmt_status(s->stmts[RV_SQL_CLAIM], SQLITE_STMTSTATUS_VM_STEP, 0);
	cr_assert(le(i64, steps, claims * STEPS_MAX), "%lld steps a claim",
		  (long long)(steps / claims));
	cr_assert(
		eq(int, sqlite3_stmt_status(s->stmts[RV_SQL_CLAIM], SQLITE_STMTSTATUS_SORT, 0), 0));
	cr_assert(
		eq(int,
		   sqlite3_stmt_status(s->stmts[RV_SQL_CLAIM], SQLITE_STMTSTATUS_FULLSCAN_STEP, 0),
		   0));
	steps = sqlite3_stmt_status(s->stmts[RV_SQL_CLAIM_TAKE], SQLITE_STMTSTATUS_FULLSCAN_STEP,
				    0);
	cr_assert(eq(i64, steps, 0));
}

Test(sqlite_plan, a_fifo_claim_takes_few_steps)
{
	claim_within_steps("default");
}

Test(sqlite_plan, a_priority_claim_takes_few_steps)
{
	claim_within_steps("prio");
}

Test(sqlite_plan, an_empty_queue_costs_little)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	int64_t steps;

	add_jobs(BLOCK, "default");
	memset(&req, 0, sizeof req);
	req.kind = RV_REQ_TURN;
	req.u.turn.incarnation = 7;
	req.u.turn.want = 1;
	req.u.turn.nqueues = 2;
	(void)snprintf(req.u.turn.queues[0], RV_NAME_MAX, "prio");
	(void)snprintf(req.u.turn.queues[1], RV_NAME_MAX, "default");
	ask();
	cr_assert(eq(u32, req.u.turn.nclaimed, 1));
	steps = sqlite3_stmt_status(s->stmts[RV_SQL_CLAIM], SQLITE_STMTSTATUS_VM_STEP, 0);
	cr_assert(le(i64, steps, 2 * STEPS_MAX));
}

struct listed {
	int64_t last, count;
};

static int count_listed(void *ctx, const struct rv_job_view *view)
{
	(void)view;
	++*(int64_t *)ctx;
	return RV_OK;
}

static int note_listed(void *ctx, const struct rv_job_view *view)
{
	struct listed *listed = ctx;

	cr_assert(lt(i64, view->id, listed->last));
	listed->last = view->id;
	listed->count++;
	return RV_OK;
}

static int64_t steps_of(const char *text, int64_t limit, int64_t *ret_n)
{
	static const enum rv_sqlite_stmt walks[] = {
		RV_SQL_IDS_ALL,       RV_SQL_IDS_RUNNING, RV_SQL_ID_FITS,   RV_SQL_SPANS_DOWN,
		RV_SQL_LEASE_STARTED, RV_SQL_VIEW_JOB,    RV_SQL_QUEUE_NEXT};
	static struct rv_query query;
	struct rv_search search = {.query = &query, .limit = limit};
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	char next[RV_CURSOR_SPACE];
	int64_t steps = 0;
	size_t at;

	cr_assert(eq(int, rv_query_parse(text, rv_wall_us(), &query, &at, &why), RV_OK));
	for (size_t i = 0; i < RV_ARRAY_LEN(walks); i++)
		if (s->stmts[walks[i]])
			(void)sqlite3_stmt_status(s->stmts[walks[i]], SQLITE_STMTSTATUS_VM_STEP, 1);
	*ret_n = 0;
	cr_assert(eq(int, rv_store_search(store, &search, count_listed, ret_n, next, &why), RV_OK),
		  "%s", why.text);
	for (size_t i = 0; i < RV_ARRAY_LEN(walks); i++)
		if (s->stmts[walks[i]])
			steps += sqlite3_stmt_status(s->stmts[walks[i]], SQLITE_STMTSTATUS_VM_STEP,
						     0);
	return steps;
}

/* Not one statement of theirs is so much as prepared, though there are batches. */
Test(sqlite_plan, jobs_in_no_batch_pay_nothing_for_batches)
{
	const struct rv_sqlite *s = RV_SQLITE_OF(store);

	req = (struct rv_req){.kind = RV_REQ_NEW_BATCH};
	ask();
	add_jobs(BLOCK, "default");
	finish_jobs(BLOCK, "default");
	for (int i = RV_SQL_BATCH_OF; i <= RV_SQL_BATCH_BELOW; i++)
		cr_assert(eq(ptr, s->stmts[i], NULL), "statement %d", i);
}

/* A page of what the store finds by itself costs what it shows, not what there is. */
Test(sqlite_plan, a_page_costs_what_it_shows)
{
	static const char *const pages[] = {
		"",
		"state:ready",
		"queue:default",
		"state:ready queue:default",
		"state:ready,running queue:default",
		"state:succeeded",
		"state:succeeded queue:default",
		"state:succeeded,dead,cancelled queue:prio",
		"state:cancelled",
		"state:cancelled queue:default",
		"state:dead queue:default",
		"state:scheduled",
		"state:scheduled queue:prio",
		"state:blocked",
		"state:running",
		"state!=succeeded queue:prio",
		"state!=succeeded",
		"queue:prio",
		"batch:1",
		"batch:1 state:ready",
		"batch:1 state:running",
		"batch:1 state:succeeded",
		"batch:1 queue:bulk",
		"batch:2",
	};
	char text[200];

	add_jobs(how_many(), "default");
	finish_jobs(how_many() / 2, "default");
	add_jobs(BLOCK, "prio");
	finish_jobs(10, "prio");
	req = (struct rv_req){.kind = RV_REQ_NEW_BATCH};
	ask();
	batch = req.u.new_batch.id;
	add_jobs(how_many() / 4, "bulk");
	finish_jobs(how_many() / 8, "bulk");
	batch = 0;
	add_jobs(how_many() / 4, "default");
	for (int64_t id = how_many(); id > how_many() / 2 + 64; id -= 64) { /* one a span */
		req = (struct rv_req){.kind = RV_REQ_CANCEL, .u.cancel.job = id};
		ask();
	}
	for (size_t i = 0; i < RV_ARRAY_LEN(pages) * 4; i++) {
		static const int ends[] = {100, 60, 40, 1}; /* from there down, in parts of all */
		int64_t n = 0;
		int64_t steps;

		(void)snprintf(text, sizeof text, "%s id<%lld", pages[i / 4],
			       (long long)(how_many() * 3 / 2 * ends[i % 4] / 100));
		steps = steps_of(text, 50, &n);
		cr_assert(le(i64, n, 50));
		cr_assert(le(i64, steps, 1000 + 300 * (n + 1)), "%s: %lld steps for %lld rows",
			  text, (long long)steps, (long long)n);
	}
}

/* The oldest first as well: the looks for where they begin do not grow with what there is. */
Test(sqlite_plan, a_page_of_the_oldest_costs_what_it_shows)
{
	static const char *const pages[] = {
		"batch:1",    "batch:1 state:succeeded",   "state:ready",
		"queue:bulk", "queue:default state:ready", ""};
	static const int froms[] = {0, 50, 99, 120, 124}; /* per cent of the first jobs */
	char text[200];

	add_jobs(how_many(), "default");
	finish_jobs(how_many() / 2, "default");
	req = (struct rv_req){.kind = RV_REQ_NEW_BATCH};
	ask();
	batch = req.u.new_batch.id;
	add_jobs(how_many() / 4, "bulk");
	finish_jobs(how_many() / 8, "bulk");
	batch = 0;
	for (size_t i = 0; i < RV_ARRAY_LEN(pages) * RV_ARRAY_LEN(froms); i++) {
		int64_t from = how_many() * froms[i % RV_ARRAY_LEN(froms)] / 100;
		int64_t n = 0;
		int64_t steps;

		(void)snprintf(text, sizeof text, "%s id>%lld sort:id",
			       pages[i / RV_ARRAY_LEN(froms)], (long long)from);
		steps = steps_of(text, 50, &n);
		cr_assert(le(i64, n, 50));
		cr_assert(le(i64, steps, 150000), "%s: %lld steps for %lld rows", text,
			  (long long)steps, (long long)n);
	}
}

/* A task is looked for job by job: all of them are found, and no snapshot is held for long. */
Test(sqlite_plan, a_task_is_looked_for_in_short_snapshots)
{
	static const struct rv_task_def tasks[] = {
		{.name = "rare", .queue = "default", .max_attempts = 3},
		{.name = "t", .queue = "default", .max_attempts = 3}};
	static const unsigned states[] = {0, 1 << RV_JOB_READY,
					  1 << RV_JOB_READY | 1 << RV_JOB_DEAD};
	static struct rv_job_new job = {.task = "rare", .priority = -1};
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	static int64_t id;

	req = (struct rv_req){.kind = RV_REQ_MIRROR, .u.mirror = {.tasks = tasks, .ntasks = 2}};
	ask();
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			add_jobs(5 * BLOCK, "default");
		req = (struct rv_req){.kind = RV_REQ_ENQUEUE,
				      .u.enqueue = {.jobs = &job, .count = 1, .ret_ids = &id}};
		ask();
	}
	for (size_t i = 0; i < 2 * RV_ARRAY_LEN(states); i++) {
		struct rv_job_filter filter = {.state = -1,
					       .states = states[i / 2],
					       .queue = i % 2 == 0 ? NULL : "default",
					       .task = "rare"};
		struct listed listed = {.last = INT64_MAX};

		if (s->stmts[RV_SQL_READ_BEGIN])
			(void)sqlite3_stmt_status(s->stmts[RV_SQL_READ_BEGIN],
						  SQLITE_STMTSTATUS_RUN, 1);
		cr_assert(eq(int, rv_store_jobs(store, &filter, note_listed, &listed), RV_OK));
		cr_assert(eq(i64, listed.count, 4), "filter %zu", i);
		cr_assert(lt(int, 3,
			     sqlite3_stmt_status(s->stmts[RV_SQL_READ_BEGIN], SQLITE_STMTSTATUS_RUN,
						 0)));
	}
}

Test(sqlite_plan, no_list_is_sorted)
{
	char plan[2000];

	for (int i = RV_SQL_SPANS_UP; i <= RV_SQL_ID_FITS; i++) {
		(void)plan_of((enum rv_sqlite_stmt)i, plan, sizeof plan);
		cr_assert(eq(int, strstr(plan, "TEMP B-TREE") != NULL, 0), "%d: %s", i, plan);
	}
}
