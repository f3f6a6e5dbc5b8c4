/*
 * Lines that are sent to a pipe handler before the jobs in front of them are answered: each job
 * keeps its own answer, and whatever happens to one of them happens to one.
 */
#include "process/pipe_scene.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>

static int64_t runs_of(const int64_t *ids, size_t count, int64_t *ret_crashes)
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
static void add_many(size_t count, int64_t *ret_ids, const char *(*what)(size_t i))
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

#define MANY 3000

/* Answers held back until 40 are there: only lines that were sent ahead can make that many. */
Test(e2e_pipe_ahead, each_job_gets_its_own_answer)
{
	static int64_t ids[MANY];
	int64_t crashes_seen;
	char want[24];

	begin("ahead=64 batch=40", "");
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

static const char *some_kill(size_t i)
{
	return i % 200 == 150 ? "until=go exit=9" : "";
}

/* A crash is the crash of one; what was sent ahead runs again elsewhere, and is charged nothing. */
Test(e2e_pipe_ahead, a_crash_is_that_of_one)
{
	static int64_t ids[MANY];
	int died = 0;

	begin("ahead=64", "");
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
	add_many(MANY, ids, some_kill);
	for (size_t i = 0; i < MANY; i++) {
		bool dies = i % 200 == 150;

		rv_e2e_until(e, ids[i], dies ? RV_JOB_DEAD : RV_JOB_SUCCEEDED);
		cr_assert(eq(int, rv_e2e_view(e, ids[i])->crashes, dies), "job %zu", i);
		died += dies;
	}
	cr_assert(eq(int, died, 15));
	rv_e2e_end(e);
}

/* Each hundredth answers for the next one, which is most likely sent by then, and hangs. */
static const char *out_of_order(size_t i)
{
	static char text[40];

	if (i % 100 != 50)
		return "";
	(void)snprintf(text, sizeof(text), "other=%zu hang", i + 2); /* the first id is 1 */
	return text;
}

Test(e2e_pipe_ahead, out_of_order_is_a_crash)
{
	static int64_t ids[2000];

	begin("ahead=64", "timeout = 500ms\nmax_attempts = 1\n");
	add_many(2000, ids, out_of_order);
	for (size_t i = 0; i < 2000; i++)
		rv_e2e_until(e, ids[i], i % 100 == 50 ? RV_JOB_DEAD : RV_JOB_SUCCEEDED);
	cr_assert(gt(int, rv_e2e_log_count(e, "is killed: it answers out of order"), 0));
	rv_e2e_end(e);
}

static const char *one_slow(size_t i)
{
	return i == 1500 ? "until=go" : "";
}

/*
 * A job that takes long among those that do not: what was not sent goes to the other worker, what
 * was waits 5 s, then the slow one is stopped and given back, and runs alone.
 */
Test(e2e_pipe_ahead, nobody_waits_for_long)
{
	static int64_t ids[MANY];
	const struct rv_job_view *view;

	workers = 2;
	begin("ahead=64", "");
	add_many(MANY, ids, one_slow);
	for (size_t i = 0; i < MANY; i++) {
		if (i != 1500)
			rv_e2e_until(e, ids[i], RV_JOB_SUCCEEDED);
	}
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
	rv_e2e_until(e, ids[1500], RV_JOB_SUCCEEDED);
	view = rv_e2e_view(e, ids[1500]);
	cr_assert(le(int, view->runs, 2));
	cr_assert(eq(int, view->attempt, 1));
	cr_assert(eq(int, view->crashes, 0));
	rv_e2e_end(e);
}

/* The worker is killed while lines are ahead: one of them is charged at most, all of them run. */
Test(e2e_pipe_ahead, kill_of_worker_and_of_handler)
{
	static int64_t ids[MANY];
	int64_t crashes_seen;
	uint64_t dice = 7;
	int kills = 0;

	begin("ahead=64", "max_crashes = 1000\n");
	add_many(MANY, ids, nothing);
	while (rv_e2e_count(e, RV_JOB_SUCCEEDED) < MANY) {
		int64_t before = rv_e2e_count(e, RV_JOB_SUCCEEDED);

		while (rv_e2e_count(e, RV_JOB_SUCCEEDED) < before + 64 &&
		       rv_e2e_count(e, RV_JOB_SUCCEEDED) < MANY)
			(void)poll(NULL, 0, (int)rv_e2e_dice(&dice, 3));
		kills += rv_e2e_signal(e, 1, SIGKILL);
	}
	(void)runs_of(ids, MANY, &crashes_seen);
	cr_assert(le(i64, crashes_seen, kills));
	rv_e2e_all_ran(e, ids, MANY);
	rv_e2e_end(e);
}

struct use {
	int fds, children;
	long memory_kib;
};

static int entries(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	while (dir && readdir(dir) != NULL)
		count++;
	if (dir)
		(void)closedir(dir);
	return count;
}

static struct use use_of(pid_t pid)
{
	struct use use = {.fds = entries(rv_test_path("/proc/%d/fd", (int)pid))};
	char *status = rv_test_read_file(rv_test_path("/proc/%d/status", (int)pid));
	char *list =
		rv_test_read_file(rv_test_path("/proc/%d/task/%d/children", (int)pid, (int)pid));

	for (const char *at = list; at && (at = strchr(at, ' ')) != NULL; at++)
		use.children++;
	if (status && strstr(status, "RssAnon:"))
		use.memory_kib = atol(strstr(status, "RssAnon:") + strlen("RssAnon:"));
	free(status);
	free(list);
	return use;
}

static void rounds_of(size_t rounds)
{
	static int64_t ids[1000];
	int64_t crashes_seen;

	for (size_t i = 0; i < rounds; i++) {
		add_many(1000, ids, nothing);
		(void)runs_of(ids, 1000, &crashes_seen);
	}
}

/* 10,000 jobs, and 40 handlers that die: as many descriptors, processes and, nearly, bytes. */
Test(e2e_pipe_ahead, nothing_leaks)
{
	struct use before, after;
	pid_t worker;

	begin("ahead=64", "");
	worker = rv_e2e_await_child(e, 1);
	(void)crashes("exit=1", "exit code 1");
	rounds_of(2);
	before = use_of(worker);
	cr_assert(eq(int, before.children, 1));
	rounds_of(8);
	for (int i = 0; i < 40; i++)
		(void)crashes(i % 2 ? "exit=1" : "garbage", "its handler ");
	(void)succeeds("");
	after = use_of(worker);
	cr_assert(eq(int, rv_e2e_child(e, 1), worker), "it is the same worker");
	cr_assert(eq(int, after.fds, before.fds));
	cr_assert(eq(int, after.children, before.children));
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed */
	cr_assert(le(long, after.memory_kib, before.memory_kib + 512));
#endif
	rv_e2e_end(e);
}
