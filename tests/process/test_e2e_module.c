/*
 * Modules through the real daemon (reeve_module.h): what a module sees and says, what it can do to
 * its runner, and which ones are refused.  The module is testmodule.c.
 */
#include "process/pipe_scene.h"
#include "process/pipe_used.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void logs_are(int64_t job, const char *want)
{
	cr_assert(eq(int, rv_e2e_reeve(e, "logs", id_text(job), NULL), 0));
	rv_assert_text(rv_buf_text(&e->out), want);
}

Test(e2e_module, one_process_serves_many_jobs)
{
	pid_t first;

	begin_module("");
	first = handler_pid();
	for (int i = 0; i < 20; i++)
		cr_assert(eq(int, handler_pid(), first));
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 1));
	rv_e2e_stop(e);
	cr_assert(eq(int, rv_e2e_job_count(e, "bye "), 1), "it was closed");
	rv_e2e_fini(e);
}

Test(e2e_module, a_job_has_all_that_it_was_given)
{
	const char *at;
	int64_t job;

	begin_module("");
	rv_test_write_file(rv_e2e_path(e, "in"), "%s", "caf\xc3\xa9 \"x\"\n");
	job = rv_e2e_add(e, "--stdin", rv_e2e_path(e, "in"), "--key", "ac\"me", "--label", "eu",
			 "--meta", "size=9", "--timeout", "9m", "p", "do=show", NULL);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	at = result(job);
	rv_assert_has(at, "1 1 1 1 2 1 0|p|default|");
	rv_assert_has(at, "|{\"do\":\"show\"}|ac\"me|[\"eu\"]|{\"size\":");
	rv_assert_has(at, "|caf\xc3\xa9 \"x\"\n|10|1");
	/* Not text: as it was, too. */
	rv_test_write_file(rv_e2e_path(e, "in"), "%s", "a\x01\xff");
	job = rv_e2e_add(e, "--stdin", rv_e2e_path(e, "in"), "p", "do=bytes", NULL);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_assert_text(result(job), "97 1 255 ");
	rv_e2e_end(e);
}

Test(e2e_module, arguments)
{
	int64_t job;

	begin_module("");
	job = rv_e2e_add(e, "p", "do=arg=size", "size=12", "name=x", NULL);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_assert_text(result(job), "12");
	job = rv_e2e_add(e, "p", "do=arg=name", "name=caf\xc3\xa9 \"\\ \xf0\x9f\x99\x82", NULL);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_assert_text(result(job), "caf\xc3\xa9 \"\\ \xf0\x9f\x99\x82");
	rv_assert_text(result(succeeds("arg=nosuch")), "(none)");
	rv_e2e_end(e);
}

Test(e2e_module, what_a_run_used_is_told)
{
	int64_t job;

	begin_module("");
	(void)succeeds("burn=100");
	job = succeeds("rss=30 burn=300");
	burned(job, 300);
	cr_assert(ge(i64, memory_of(job), 30 << 20));
	burned(succeeds(""), 0);
	burned(crashes("burn=100 kill", "its handler was killed by signal 9"), 100);
	rv_e2e_end(e);
}

Test(e2e_module, outcomes)
{
	const struct rv_job_view *view;
	int64_t job;

	begin_module("");
	rv_assert_text(result(succeeds("result=[1,2]")), "[1,2]");
	rv_assert_text(result(succeeds("huge result=1")), "1");
	job = add("fail=no_paper");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	view = rv_e2e_view(e, job);
	rv_assert_text(view->error, "no_paper");
	cr_assert(eq(int, view->attempt, 2), "it was tried again");
	job = add("fatal=no_such_page");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	cr_assert(eq(int, rv_e2e_view(e, job)->attempt, 1));
	job = add("return=17");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_text(rv_e2e_view(e, job)->error, "its module returned 17");
	job = add("later=3600000");
	rv_e2e_until(e, job, RV_JOB_SCHEDULED);
	cr_assert(eq(int, rv_e2e_view(e, job)->attempt, 0));
	job = add("again=3600000");
	rv_e2e_until(e, job, RV_JOB_SCHEDULED);
	cr_assert(eq(int, rv_e2e_view(e, job)->attempt, 1));
	cr_assert(gt(i64, rv_e2e_view(e, job)->run_at_us, rv_wall_us() + 3000 * RV_S_US));
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 1), "none of it cost the process");
	rv_e2e_end(e);
}

Test(e2e_module, output_is_kept_with_its_job)
{
	int64_t one, two;

	begin_module("");
	one = succeeds("say=first err=bad log=exact");
	two = succeeds("say=second progress=42");
	logs_are(two, "second\n");
	cr_assert(eq(int, rv_e2e_reeve(e, "show", id_text(two), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "42 %");
	rv_assert_has(rv_buf_text(&e->out), "on the way");
	cr_assert(eq(int, rv_e2e_reeve(e, "logs", id_text(one), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "first\n");
	rv_assert_has(rv_buf_text(&e->out), "exact\n");
	rv_assert_has(rv_buf_text(&e->out), "bad\n");
	rv_e2e_end(e);
}

/* Its channel (20, 21), output, and a stdin that is at its end: no store, no area, no socket. */
Test(e2e_module, it_has_its_channel_and_no_other)
{
	begin_module("");
	rv_assert_text(result(succeeds("fds")), "0,1,2,20,21");
	rv_assert_text(result(succeeds("stdin")), "0");
	rv_e2e_end(e);
}

/* ---- crashes, blocks, leaks */

Test(e2e_module, a_crash_fails_only_its_job_and_keeps_stderr)
{
	int64_t job;
	pid_t first;

	begin_module("");
	first = handler_pid();
	job = crashes("err=ouch segv", "its handler was killed by signal 11: ouch");
	cr_assert(ne(int, handler_pid(), first), "the next job has another");
	logs_are(job, "ouch\n");
	(void)crashes("kill", "its handler was killed by signal 9");
	(void)crashes("exit=3", "its handler ended with exit code 3");
	(void)succeeds("err=warning_of_old big=65000");
	job = crashes("segv", "its handler was killed by signal 11");
	cr_assert(eq(int, rv_e2e_reeve(e, "logs", id_text(job), NULL), 0));
	cr_assert(gt(sz, e->out.size, 64000));
	cr_assert(le(sz, e->out.size, 65536 + 200));
	(void)succeeds("");
	rv_e2e_end(e);
}

Test(e2e_module, one_that_leaks_is_replaced)
{
	begin_module("recycle_rss = 60M\n");
	(void)succeeds("rss=80");
	while (rv_e2e_job_count(e, "bye ") == 0)
		(void)succeeds("ms=20");
	cr_assert(ge(int, rv_e2e_job_count(e, "hello "), 2));
	rv_e2e_end(e);
}

Test(e2e_module, one_that_heeds_a_timeout_lives_on)
{
	int64_t job;
	pid_t first;

	begin_module("timeout = 300ms\nmax_attempts = 1\n");
	first = handler_pid();
	job = add("hang");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	/* It said that it is done, but late: what stopped it decides. */
	rv_assert_text(rv_e2e_view(e, job)->error, "timed out after 300ms");
	cr_assert(eq(int, handler_pid(), first));
	rv_e2e_end(e);
}

/* Its soft timeout is a word, and nothing is stopped. */
Test(e2e_module, it_is_told_that_its_time_runs_out)
{
	begin_module("soft_timeout = 200ms\ntimeout = 1m\n");
	logs_are(succeeds("soft"), "time to save\n");
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 1));
	rv_e2e_end(e);
}

Test(e2e_module, one_that_blocks_is_killed)
{
	int64_t job;
	pid_t first;

	begin_module("timeout = 300ms\nmax_attempts = 1\n");
	first = handler_pid();
	job = add("deaf");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_text(rv_e2e_view(e, job)->error, "timed out after 300ms");
	cr_assert(rv_test_wait_dead(first, RV_E2E_WAIT_MS));
	(void)succeeds("");
	rv_e2e_end(e);
}

Test(e2e_module, cancel_by_a_person)
{
	int64_t job;
	pid_t first;

	begin_module("");
	first = handler_pid();
	job = add("hang");
	rv_e2e_job_says(e, "hangs");
	cr_assert(eq(int, rv_e2e_reeve(e, "cancel", id_text(job), NULL), 0));
	rv_e2e_until(e, job, RV_JOB_CANCELLED);
	cr_assert(eq(int, handler_pid(), first), "it heeded it");
	job = add("deaf");
	rv_e2e_job_says_times(e, "hangs", 2);
	cr_assert(eq(int, rv_e2e_reeve(e, "cancel", id_text(job), NULL), 0));
	rv_e2e_until(e, job, RV_JOB_CANCELLED);
	cr_assert(rv_test_wait_dead(first, RV_E2E_WAIT_MS), "kill_after later");
	(void)succeeds("");
	rv_e2e_end(e);
}

Test(e2e_module, heartbeats_keep_a_silent_job)
{
	int64_t job;

	begin_module("idle_timeout = 400ms\nmax_attempts = 1\n");
	(void)succeeds("beat=20");
	job = add("ms=30000");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_text(rv_e2e_view(e, job)->error, "no output for 400ms");
	rv_e2e_end(e);
}

Test(e2e_module, it_dies_with_its_worker)
{
	int64_t job;
	pid_t first;

	begin_module("max_crashes = 5\n");
	first = handler_pid();
	cr_assert(rv_e2e_signal(e, 1, SIGKILL));
	cr_assert(rv_test_wait_dead(first, RV_E2E_WAIT_MS), "idle");
	job = add("until=go");
	rv_e2e_job_says(e, "start %lld 1 ", (long long)job);
	cr_assert(rv_e2e_signal(e, 1, SIGKILL));
	rv_e2e_job_says(e, "start %lld 2 ", (long long)job);
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_view(e, job)->crashes, 1), "that of the worker");
	rv_e2e_end(e);
}

/* ---- open */

Test(e2e_module, an_open_that_fails)
{
	int64_t job;

	begin_module("env = MODULE_OPEN=fatal\n");
	job = add("");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_has(rv_e2e_view(e, job)->error, "its handler refuses: ");
	rv_assert_has(rv_e2e_view(e, job)->error, "its open returned 2: no licence");
	cr_assert(eq(int, rv_e2e_view(e, job)->crashes, 0));
	rv_e2e_end(e);
	begin_module("env = MODULE_OPEN=later\n");
	job = add("");
	rv_e2e_until(e, job, RV_JOB_SCHEDULED);
	rv_assert_has(rv_e2e_view(e, job)->error, "not ready: its handler ended with exit code 1");
	rv_assert_has(rv_e2e_view(e, job)->error, "its open returned 3: no licence");
	cr_assert(eq(int, rv_e2e_view(e, job)->attempt, 0));
	rv_e2e_end(e);
	begin_module("env = MODULE_OPEN=crash\n");
	job = add("");
	rv_e2e_until(e, job, RV_JOB_SCHEDULED);
	rv_assert_has(rv_e2e_view(e, job)->error, "not ready: its handler was killed by signal 6");
	rv_e2e_end(e);
}

/* The job's clock begins when it is ready; that it takes too long is not the job's fault. */
Test(e2e_module, an_open_that_takes_its_time)
{
	int64_t job;

	begin_module("env = MODULE_OPEN=slow\ntimeout = 400ms\n");
	(void)succeeds("");
	rv_e2e_end(e);
	begin_module("env = MODULE_OPEN=slow\nready_timeout = 200ms\n");
	job = add("");
	rv_e2e_until(e, job, RV_JOB_SCHEDULED);
	rv_assert_has(rv_e2e_view(e, job)->error, "it was not ready in time");
	rv_e2e_end(e);
}

/* ---- what is refused */

/* At the check with its line, and as the end of a job, for good. */
static void is_refused(const char *file, const char *words)
{
	const char *const check[] = {"config", "check", NULL};
	int64_t job;

	begin_with(file, "max_attempts = 5\n");
	cr_assert(eq(int, rv_e2e_reeve_words(e, check), 78), "%s", file);
	rv_assert_has(rv_buf_text(&e->out), "reeve.ini:");
	rv_assert_has(rv_buf_text(&e->out), ": module: ");
	rv_assert_has(rv_buf_text(&e->out), words);
	rv_e2e_start(e); /* what is wrong with one task stops no other */
	job = add("");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_has(rv_e2e_view(e, job)->error, "its handler refuses: ");
	rv_assert_has(rv_e2e_view(e, job)->error, words);
	cr_assert(eq(int, rv_e2e_view(e, job)->runs, 1));
	cr_assert(eq(int, rv_e2e_view(e, job)->crashes, 0));
	rv_e2e_until(e, rv_e2e_job(e, "ms=0"), RV_JOB_SUCCEEDED);
	rv_e2e_end(e);
}

Test(e2e_module, another_abi_is_refused)
{
	is_refused("rv_module_abi.so", "was built for ABI 99, this reeve has 1");
	is_refused("rv_module_size.so", "its struct reeve_module has 16 bytes");
	is_refused("rv_module_norun.so", "has no run");
}

Test(e2e_module, what_is_no_module_is_refused)
{
	is_refused("rv_module_nosymbol.so", "exports no reeve_module");
	is_refused("rv_module_undefined.so", "undefined symbol: reeve_no_such_function");
	is_refused("/etc/passwd", "/etc/passwd: ");
	is_refused("/dev/null", "/dev/null: is no file");
}

Test(e2e_module, an_sqlite_of_its_own_is_refused)
{
	is_refused("rv_module_sqlite.so", "brings an SQLite of its own (sqlite3_open in ");
	is_refused("rv_module_needs_sqlite.so", "brings an SQLite of its own (sqlite3_open_v2 in ");
	/* The system's is the one that all share. */
	begin_with("rv_module_real_sqlite.so", "");
	cr_assert(eq(int, rv_e2e_reeve(e, "config", "check", NULL), 0));
	rv_e2e_start(e);
	(void)succeeds("");
	rv_e2e_end(e);
}

static void copy_module(const char *to, mode_t mode)
{
	FILE *in = fopen(rv_e2e_program("rv_module.so"), "re");
	FILE *out = fopen(to, "we");
	char block[1 << 16];
	size_t n;

	cr_assert(in && out);
	while ((n = fread(block, 1, sizeof block, in)) > 0)
		cr_assert(eq(sz, fwrite(block, 1, n, out), n));
	cr_assert(eq(int, fclose(in), 0));
	cr_assert(eq(int, fclose(out), 0));
	cr_assert(eq(int, chmod(to, mode), 0));
}

static void refused_here(const char *path, const char *words)
{
	int64_t job;

	cr_assert(eq(int, rv_e2e_reeve(e, "config", "check", NULL), 78));
	rv_assert_has(rv_buf_text(&e->out), words);
	rv_e2e_start(e);
	job = add("");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_has(rv_e2e_view(e, job)->error, path);
	rv_assert_has(rv_e2e_view(e, job)->error, words);
	rv_e2e_stop(e);
}

/* Who may write the file may run code as the task's user. */
Test(e2e_module, a_file_that_everybody_may_write_is_refused)
{
	char folder[320], path[340];

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n");
	(void)snprintf(folder, sizeof folder, "%s/modules", e->dir);
	(void)snprintf(path, sizeof path, "%s/m.so", folder);
	cr_assert(eq(int, mkdir(folder, 0700), 0));
	rv_e2e_ini(e,
		   "[pool:default]\nworkers = 1\n[task:p]\nhandler = module\nmodule = %s\n"
		   "env = MODULE_FOLDER=%s\n",
		   path, e->dir);
	copy_module(path, 0666);
	refused_here(path, "everybody may write it");
	copy_module(path, 0644);
	cr_assert(eq(int, chmod(folder, 0777), 0));
	refused_here(path, "everybody may write its folder");
	cr_assert(eq(int, chmod(folder, 0700), 0));
	cr_assert(eq(int, rv_e2e_reeve(e, "config", "check", NULL), 0));
	rv_e2e_start(e);
	(void)succeeds("");
	rv_e2e_end(e);
}

/* Its constructors run in the check: as root, as the user that the task has. */
/* A build may lie where no other user can go. */
static bool nobody_reaches_the_runner(void)
{
	bool can = seteuid(65534) == 0 && eaccess(rv_e2e_program("reeve-runner"), X_OK) == 0;

	cr_assert(eq(int, seteuid(0), 0));
	return can;
}

Test(e2e_module, root_checks_as_the_user_of_the_task)
{
	char path[340];

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n");
	(void)snprintf(path, sizeof path, "%s/m.so", e->dir);
	copy_module(path, 0644);
	rv_e2e_ini(e, "[pool:default]\nworkers = 1\n[task:p]\nhandler = module\nmodule = %s\n",
		   path);
	cr_assert(eq(int, rv_e2e_reeve(e, "config", "check", NULL), 0));
	cr_assert(eq(int, chmod(path, 0600), 0));
	rv_e2e_ini(e,
		   "[pool:default]\nworkers = 1\n[task:p]\nhandler = module\nmodule = %s\n"
		   "user = nobody\n",
		   path);
	if (geteuid() == 0) {
		cr_assert(eq(int, rv_e2e_reeve(e, "config", "check", NULL), 78));
		rv_assert_has(rv_buf_text(&e->out),
			      nobody_reaches_the_runner()
				      ? "m.so: cannot be read: Permission denied"
				      : "reeve-runner: Permission denied");
	}
	rv_e2e_fini(e);
}

/* It may still come: the check warns, and the job says what is missing. */
Test(e2e_module, a_file_that_is_not_there)
{
	int64_t job;

	begin_with("/nonexistent/m.so", "");
	cr_assert(eq(int, rv_e2e_reeve(e, "config", "check", NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "warning: module: /nonexistent/m.so cannot be read");
	rv_e2e_start(e);
	job = add("");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_has(rv_e2e_view(e, job)->error,
		      "/nonexistent/m.so: cannot be read: No such file");
	rv_e2e_end(e);
}

/* Who checks loads it in a process that is thrown away. */
Test(e2e_module, a_module_that_crashes_while_it_is_loaded)
{
	int64_t job;

	begin_with("rv_module_crashes.so", "");
	cr_assert(eq(int, rv_e2e_reeve(e, "config", "check", NULL), 78));
	rv_assert_has(rv_buf_text(&e->out), "loading it ends in signal 6");
	rv_e2e_start(e);
	job = add("");
	rv_e2e_until(e, job, RV_JOB_SCHEDULED);
	rv_assert_has(rv_e2e_view(e, job)->error, "not ready: its handler was killed by signal 6");
	rv_e2e_end(e);
}

/* An exit code of 0 does not say that it was loaded; and no try goes on for ever. */
Test(e2e_module, a_module_that_ends_the_process_while_it_is_loaded)
{
	const struct rv_job_view *view;
	int64_t job;

	begin_with("rv_module_ends.so", "max_attempts = 1\nbackoff = none\n");
	cr_assert(eq(int, rv_e2e_reeve(e, "config", "check", NULL), 78));
	rv_assert_has(rv_buf_text(&e->out), "loading it ends with exit code 0");
	rv_e2e_start(e);
	job = add("");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	view = rv_e2e_view(e, job);
	rv_assert_has(view->error, "not ready: its handler ended with exit code 0");
	/* As for one that ends with another code: five tries are not its own. */
	cr_assert(eq(int, view->runs, 6));
	cr_assert(eq(int, view->attempt, 1));
	rv_e2e_end(e);
}
