#ifndef RV_PROCESS_PIPE_MANY_H
#define RV_PROCESS_PIPE_MANY_H

/* Thousands of jobs for a handler that stays, and what is left of them. */

#include "process/pipe_scene.h"
#include "process/pipe_used.h"
#include "process/use.h"

static inline int64_t runs_of(const int64_t *ids, size_t count, int64_t *ret_crashes)
{
	int64_t runs = 0;

	*ret_crashes = 0;
	for (size_t i = 0; i < count; i++) {
		rv_e2e_until(e, ids[i], RV_JOB_SUCCEEDED);
		runs += rv_e2e_view(e, ids[i])->runs;
		*ret_crashes += rv_e2e_view(e, ids[i])->crashes;
	}
	return runs;
}

/* ${count} jobs of the task in one transaction, each with what ${what} says of its number. */
static inline void add_many(size_t count, int64_t *ret_ids, const char *(*what)(size_t i))
{
	FILE *file = fopen(rv_e2e_path(e, "many"), "we");
	char *at;

	cr_assert(file != NULL);
	for (size_t i = 0; i < count; i++)
		(void)fprintf(file, "{\"task\":\"p\",\"args\":{\"do\":\"%s\"}}\n", what(i));
	cr_assert(eq(int, fclose(file), 0));
	cr_assert(eq(int, rv_e2e_reeve(e, "add", "--from-file", rv_e2e_path(e, "many"), NULL), 0));
	at = e->out.data;
	for (size_t i = 0; i < count; i++)
		ret_ids[i] = strtoll(at, &at, 10);
	cr_assert(gt(i64, ret_ids[count - 1], 0));
}

/*
 * ${count} jobs that each burn 2 ms, sent ahead and answered together: what is told of them adds up
 * to what they took, each has its share, and none has 0.
 */
static inline void shares_add_up(size_t count, const char *(*what)(size_t i))
{
	static int64_t ids[1000];
	int64_t sum_us = 0;
	int64_t crashes_seen;

	cr_assert(le(sz, count, RV_ARRAY_LEN(ids)));
	add_many(count, ids, what);
	(void)runs_of(ids, count, &crashes_seen);
	for (size_t i = 0; i < count; i++) {
		char of[16];
		int64_t us = used(ids[i], "cpu_us", of);

		rv_assert_text(of, "handler");
		cr_assert(gt(i64, us, 0));
		sum_us += us;
	}
	cr_assert(ge(i64, sum_us, (int64_t)count * 2 * RV_MS_US / 10 * 9));
	cr_assert(le(i64, sum_us, (int64_t)count * 2 * RV_MS_US * 2));
}

/* ${rounds} times a thousand jobs that do nothing, each to its end. */
static inline void rounds_of(size_t rounds, const char *(*what)(size_t i))
{
	static int64_t ids[1000];
	int64_t crashes_seen;

	for (size_t i = 0; i < rounds; i++) {
		add_many(1000, ids, what);
		(void)runs_of(ids, 1000, &crashes_seen);
	}
}

/*
 * 10,000 jobs by one process, then 40 that die by ${deaths}: the worker and, over the jobs, the
 * process itself have no descriptor or child more, and hardly a byte.
 */
static inline void nothing_leaks(const char *(*what)(size_t i), const char *const deaths[2])
{
	struct use worker_before, before;
	pid_t worker = rv_e2e_await_child(e, 1);
	pid_t handler;

	(void)crashes(deaths[0], "its handler ");
	handler = handler_pid();
	rounds_of(2, what);
	worker_before = use_of(worker);
	before = use_of(handler);
	cr_assert(eq(int, worker_before.children, 1));
	rounds_of(8, what);
	cr_assert(eq(int, handler_pid(), handler), "one process did them all");
	is_same(before, handler, 128, "the process");
	for (int i = 0; i < 40; i++)
		(void)crashes(deaths[i % 2], "its handler ");
	(void)succeeds("");
	cr_assert(eq(int, rv_e2e_child(e, 1), worker), "it is the same worker");
	is_same(worker_before, worker, 512, "the worker");
}

#endif
