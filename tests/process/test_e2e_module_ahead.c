/*
 * Jobs that are sent to a module before those in front of them are done, and those that it is given
 * together (run_batch): each keeps its own answer, and nothing leaks over many.
 */
#include "process/pipe_many.h"

#include <poll.h>
#include <signal.h>

#define MANY 3000

static const char *nothing(size_t i)
{
	(void)i;
	return "";
}

static const char *result_of_number(size_t i)
{
	static char text[40];

	(void)snprintf(text, sizeof(text), "result=%zu log=%zu", i, i);
	return text;
}

static void each_has_its_own(const char *file)
{
	static int64_t ids[MANY];
	int64_t crashes_seen;
	char want[24];

	begin_with(file, "");
	rv_e2e_start(e);
	add_many(MANY, ids, result_of_number);
	cr_assert(eq(i64, runs_of(ids, MANY, &crashes_seen), MANY));
	for (size_t i = 0; i < MANY; i += 171) {
		(void)snprintf(want, sizeof(want), "%zu", i);
		rv_assert_text(result(ids[i]), want);
		cr_assert(eq(int, rv_e2e_reeve(e, "logs", id_text(ids[i]), NULL), 0));
		(void)snprintf(want, sizeof(want), "%zu\n", i);
		rv_assert_text(rv_buf_text(&e->out), want);
	}
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 1));
	rv_e2e_end(e);
}

Test(e2e_module_ahead, each_job_gets_its_own_answer)
{
	each_has_its_own("rv_module_ahead.so");
}

static const char *count(size_t i)
{
	return i % 100 == 40 ? "fail=no" : "count";
}

/* Together, as many as were there, and each with its own outcome. */
Test(e2e_module_ahead, what_is_there_is_one_call)
{
	static int64_t ids[MANY];
	long most = 0;

	each_has_its_own("rv_module_batch.so");
	begin_with("rv_module_batch.so", "max_attempts = 1\n");
	rv_e2e_start(e);
	add_many(MANY, ids, count);
	for (size_t i = 0; i < MANY; i++)
		rv_e2e_until(e, ids[i], i % 100 == 40 ? RV_JOB_DEAD : RV_JOB_SUCCEEDED);
	for (size_t i = 1; i < MANY && most < 2; i += 37) {
		if (i % 100 != 40 && atol(result(ids[i])) > most)
			most = atol(result(ids[i]));
	}
	cr_assert(ge(long, most, 2));
	cr_assert(le(long, most, 64));
	rv_e2e_end(e);
}

static const char *some_crash(size_t i)
{
	return i % 300 == 150 ? "segv" : "";
}

/* A crash is that of one: those in front of it have been answered, those behind it run again
 * elsewhere, and are charged nothing. */
Test(e2e_module_ahead, a_crash_is_that_of_one)
{
	static int64_t ids[MANY];

	begin_with("rv_module_ahead.so", "");
	rv_e2e_start(e);
	add_many(MANY, ids, some_crash);
	for (size_t i = 0; i < MANY; i++) {
		bool dies = i % 300 == 150;

		rv_e2e_until(e, ids[i], dies ? RV_JOB_DEAD : RV_JOB_SUCCEEDED);
		cr_assert(eq(int, rv_e2e_view(e, ids[i])->crashes, dies), "job %zu", i);
	}
	rv_e2e_end(e);
}

/* The worker's child that lives; 0: there is none now. */
static pid_t runner_of(pid_t worker)
{
	char *list = rv_test_read_file(
		rv_test_path("/proc/%d/task/%d/children", (int)worker, (int)worker));
	pid_t pid = list ? (pid_t)atoi(list) : 0;

	free(list);
	return pid;
}

/* Killed at any moment, it has the job that it was at, and no other, on its account. */
Test(e2e_module_ahead, kill_of_the_runner)
{
	static int64_t ids[MANY];
	int64_t crashes_seen;
	uint64_t dice = 11;
	int kills = 0;

	begin_with("rv_module_ahead.so", "max_crashes = 1000\n");
	rv_e2e_start(e);
	add_many(MANY, ids, nothing);
	while (rv_e2e_count(e, RV_JOB_SUCCEEDED) < MANY) {
		int64_t before = rv_e2e_count(e, RV_JOB_SUCCEEDED);
		pid_t pid;

		while (rv_e2e_count(e, RV_JOB_SUCCEEDED) < before + 64 &&
		       rv_e2e_count(e, RV_JOB_SUCCEEDED) < MANY)
			(void)poll(NULL, 0, (int)rv_e2e_dice(&dice, 3));
		pid = runner_of(rv_e2e_await_child(e, 1));
		kills += pid > 0 && rv_e2e_signal_pid(pid, SIGKILL);
	}
	(void)runs_of(ids, MANY, &crashes_seen);
	cr_assert(gt(int, kills, 5));
	cr_assert(le(i64, crashes_seen, kills));
	rv_e2e_end(e);
}

static const char *burn_two(size_t i)
{
	(void)i;
	return "burn=2";
}

Test(e2e_module_ahead, those_that_are_answered_together_share_what_it_took)
{
	begin_with("rv_module_batch.so", "");
	rv_e2e_start(e);
	shares_add_up(200, burn_two);
	rv_e2e_end(e);
}

Test(e2e_module_ahead, nothing_leaks)
{
	const char *const deaths[] = {"exit=1", "segv"};

	begin_with("rv_module_ahead.so", "");
	rv_e2e_start(e);
	nothing_leaks(nothing, deaths);
	rv_e2e_end(e);
}
