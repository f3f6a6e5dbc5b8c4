/*
 * Many jobs of each kind of handler leave no descriptor, process or memory behind, in the worker
 * and in those who look after it.  With lines ahead: test_e2e_pipe_ahead.c,
 * test_e2e_module_ahead.c.
 */
#include "helpers/tier.h"
#include "process/pipe_many.h"

#define WARM 10000
#define JOBS (rv_test_all() ? 10000 : 2000) /* of exec: each is a process */

static const char *nothing(size_t i)
{
	(void)i;
	return "";
}

struct done {
	enum rv_job_state state;
	int64_t count;
};

static bool is_done(void *ctx)
{
	const struct done *done = ctx;

	return rv_e2e_count(e, done->state) >= done->count;
}

/* ${count} jobs of ${task}, until so many more have come to ${state}. */
static void run_all(const char *task, size_t count, enum rv_job_state state)
{
	struct done done = {state, rv_e2e_count(e, state) + (int64_t)count};
	FILE *file = fopen(rv_e2e_path(e, "many"), "we");

	cr_assert(file != NULL);
	for (size_t i = 0; i < count; i++)
		(void)fprintf(file, "{\"task\":\"%s\"}\n", task);
	cr_assert(eq(int, fclose(file), 0));
	cr_assert(eq(int, rv_e2e_reeve(e, "add", "--from-file", rv_e2e_path(e, "many"), NULL), 0));
	cr_assert(rv_test_wait_until(is_done, &done, 4 * RV_E2E_WAIT_MS), "%zu of %s", count, task);
}

/* ${count} of ${task}, then 40 that fail: each process of the daemon is as it was. */
static void as_before(const char *task, size_t count)
{
	static const char *const who[] = {"the keeper", "the worker", "reeved"};
	struct use before[3];
	pid_t pids[3];

	run_all(task, count / 5, RV_JOB_SUCCEEDED);
	run_all("dies", 10, RV_JOB_DEAD);
	pids[0] = rv_e2e_await_child(e, 0);
	pids[1] = rv_e2e_await_child(e, 1);
	pids[2] = e->daemon.pid;
	for (size_t i = 0; i < 3; i++)
		before[i] = use_of(pids[i]);
	cr_assert(eq(int, before[1].children, 0));
	cr_assert(eq(int, before[2].children, 2));
	run_all(task, count - count / 5, RV_JOB_SUCCEEDED);
	run_all("dies", 40, RV_JOB_DEAD);
	cr_assert(eq(int, rv_e2e_child(e, 0), pids[0]), "it is the same keeper");
	cr_assert(eq(int, rv_e2e_child(e, 1), pids[1]), "it is the same worker");
	for (size_t i = 0; i < 3; i++)
		is_same(before[i], pids[i], 512, who[i]);
}

static void begin_leaks(const char *keys)
{
	struct done done = {RV_JOB_SUCCEEDED, WARM};

	rv_e2e_new(e,
		   "[pool:default]\nworkers = 1\n[task:p]\n%s[task:dies]\nshell = yes\n"
		   "command = kill -9 $$\nmax_attempts = 1\n",
		   keys);
	rv_e2e_start(e);
	/* What each of them keeps of the store in memory grows with it, up to its bound. */
	rv_e2e_submit_noops(e, WARM);
	cr_assert(rv_test_wait_until(is_done, &done, 4 * RV_E2E_WAIT_MS));
}

Test(e2e_leaks, exec)
{
	begin_leaks("command = /bin/true\n");
	as_before("p", (size_t)JOBS);
	rv_e2e_end(e);
}

Test(e2e_leaks, builtin)
{
	begin_leaks("handler = builtin\nbuiltin = noop\n");
	as_before("p", 10000);
	rv_e2e_end(e);
}

Test(e2e_leaks, pipe_one_by_one)
{
	const char *const deaths[] = {"exit=1", "garbage"};

	begin("", "");
	nothing_leaks(nothing, deaths);
	rv_e2e_end(e);
}
