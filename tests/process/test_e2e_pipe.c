/*
 * Pipe handlers through the real daemon (docs/PROTOCOL.md, Pipe handlers): what goes in and comes
 * back, and the end of each way in which a handler can misbehave.  The handler is pipejob.c.
 */
#include "process/pipe_scene.h"
#include "process/pipe_used.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

Test(e2e_pipe, one_process_serves_many_jobs)
{
	pid_t first;

	begin("", "");
	first = handler_pid();
	for (int i = 0; i < 20; i++)
		cr_assert(eq(int, handler_pid(), first));
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 1));
	rv_e2e_end(e);
	/* It was told of the end, and took its leave. */
}

Test(e2e_pipe, a_job_has_all_that_it_was_given)
{
	int64_t job;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n[task:p]\nhandler = pipe\nshell = yes\n"
		      "command = echo '{\"reeve\":1}' >&3; read -r line; "
		      "printf '{\"job\":1,\"run\":1,\"ok\":true,\"result\":%%s}\\n' "
		      "\"$line\" >&3; cat >/dev/null\n");
	rv_e2e_start(e);
	rv_test_write_file(rv_e2e_path(e, "in"), "%s", "caf\xc3\xa9 \"x\"\n");
	job = rv_e2e_add(e, "--stdin", rv_e2e_path(e, "in"), "--key", "acme", "--label", "eu",
			 "--meta", "size=9", "--timeout", "9m", "p", "in=a.png", NULL);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_assert_has(result(job),
		      "{\"job\":1,\"run\":1,\"attempt\":1,\"max_attempts\":5,\"fence\":\"");
	rv_assert_has(result(job), "\"task\":\"p\",\"queue\":\"default\",\"idempotency_key\":\"");
	rv_assert_has(result(job), "\"args\":{\"in\":\"a.png\"},\"labels\":[\"eu\"],"
				   "\"meta\":{\"size\":");
	rv_assert_has(result(job), "\"key\":\"acme\",\"deadline\":\"20");
	rv_assert_has(result(job), "\"payload\":\"caf\xc3\xa9 \\\"x\\\"\\n\"}");
	rv_e2e_end(e);
}

Test(e2e_pipe, outcomes)
{
	const struct rv_job_view *view;
	int64_t job;

	begin("", "");
	job = succeeds("result=[1,2]");
	rv_assert_text(result(job), "[1,2]");
	job = add("fail=no_paper");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	view = rv_e2e_view(e, job);
	rv_assert_text(view->error, "no_paper");
	cr_assert(eq(int, view->attempt, 2), "it was tried again");
	job = add("permanent=no_such_page");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	cr_assert(eq(int, rv_e2e_view(e, job)->attempt, 1));
	job = add("snooze=1h");
	rv_e2e_until(e, job, RV_JOB_SCHEDULED);
	cr_assert(eq(int, rv_e2e_view(e, job)->attempt, 0));
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 1), "none of it cost the handler");
	job = add("snooze=900000w");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_has(rv_e2e_view(e, job)->error, "snooze is more than 520w");
	job = add("retry=1h");
	rv_e2e_until(e, job, RV_JOB_SCHEDULED);
	cr_assert(eq(int, rv_e2e_view(e, job)->attempt, 1));
	cr_assert(gt(i64, rv_e2e_view(e, job)->run_at_us, rv_wall_us() + 3000 * RV_S_US));
	rv_e2e_end(e);
}

Test(e2e_pipe, output_is_kept_with_its_job)
{
	int64_t one, two;

	begin("", "");
	one = succeeds("say=first err=bad log=exact");
	two = succeeds("say=second progress=42");
	cr_assert(eq(int, rv_e2e_reeve(e, "logs", id_text(one), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "first\n");
	rv_assert_has(rv_buf_text(&e->out), "exact\n");
	rv_assert_has(rv_buf_text(&e->out), "bad\n");
	cr_assert(not(strstr(rv_buf_text(&e->out), "second") != NULL));
	cr_assert(eq(int, rv_e2e_reeve(e, "logs", id_text(two), NULL), 0));
	rv_assert_text(rv_buf_text(&e->out), "second\n");
	cr_assert(eq(int, rv_e2e_reeve(e, "show", id_text(two), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "42 %");
	rv_e2e_end(e);
}

/* Jobs, output, answers; no store, no area, no socket of the daemon's. */
Test(e2e_pipe, it_has_four_descriptors)
{
	begin("", "");
	rv_assert_text(result(succeeds("fds")), "0,1,2,3");
	rv_e2e_end(e);
}

/* At the bound it is kept, above it the job is done without, and the log says so. */
Test(e2e_pipe, a_result_that_is_too_large)
{
	int64_t job;

	begin("", "");
	job = succeeds("bigresult=65536");
	cr_assert(eq(sz, strlen(result(job)), 65536));
	job = succeeds("bigresult=65537");
	cr_assert(eq(int, rv_e2e_reeve(e, "result", id_text(job), NULL), 3));
	rv_e2e_logged(e, "a result has at most 65536 bytes");
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 1), "nor did it cost the handler");
	rv_e2e_end(e);
}

/* ---- what a run used */

Test(e2e_pipe, what_a_run_used_is_told)
{
	int64_t much, little, child;

	begin("", "");
	(void)succeeds("burn=100");
	much = succeeds("rss=30 burn=400");
	little = succeeds("ms=50");
	child = succeeds("burn=50 burnchild=300");
	burned(much, 400);
	burned(little, 0);
	burned(child, 330); /* a child's in steps of 10 ms, user and system */
	cr_assert(ge(i64, memory_of(much), 30 << 20));
	cr_assert(ge(i64, memory_of(little), memory_of(much)), "the same process had it");
	cr_assert(eq(int, rv_e2e_reeve(e, "show", id_text(much), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "K by handler");
	rv_e2e_end(e);
}

Test(e2e_pipe, the_rest_of_a_handler_is_that_of_the_run_that_it_died_in)
{
	int64_t job;

	begin("cancel", "max_attempts = 1\nkill_after = 500ms\n");
	(void)succeeds("burn=200");
	job = crashes("burn=100 exit=3", "its handler ended with exit code 3");
	burned(job, 100);
	cr_assert(ge(i64, memory_of(job), 100 << 10));
	job = crashes("rss=30 burn=100 kill", "its handler was killed by signal 9");
	burned(job, 100);
	cr_assert(ge(i64, memory_of(job), 30 << 20));
	cr_assert(eq(int, rv_e2e_reeve(e, "show", id_text(job), NULL), 0));
	cr_assert(not(strstr(rv_buf_text(&e->out), "by worker") != NULL), "none has died");
	rv_assert_has(rv_buf_text(&e->out), "K by handler");
	/* One that we kill, and one that heeds us. */
	job = rv_e2e_add(e, "--timeout", "300ms", "p", "do=burn=60000", NULL);
	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_has(rv_e2e_view(e, job)->error, "timed out");
	cr_assert(ge(i64, memory_of(job), 100 << 10));
	job = rv_e2e_add(e, "--timeout", "3s", "p", "do=burn=100 hang", NULL);
	rv_e2e_until(e, job, RV_JOB_DEAD);
	burned(job, 100);
	rv_e2e_end(e);
}

/* Nobody knows: of a run that was lost with its worker, of one that has not ended. */
Test(e2e_pipe, what_is_not_known_is_not_told)
{
	char of[16];
	int64_t job;

	begin("", "max_crashes = 9\n");
	job = add("until=go");
	rv_e2e_job_says(e, "start %lld 1 ", (long long)job);
	cr_assert(eq(i64, used(job, "cpu_us", of), -1));
	cr_assert(eq(i64, used(job, "maxrss_bytes", of), -1));
	rv_assert_text(of, "");
	rv_e2e_kill(e);
	rv_e2e_start(e);
	rv_e2e_job_says(e, "start %lld 2 ", (long long)job);
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_reeve(e, "--json", "show", id_text(job), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "\"outcome\":\"interrupted\"");
	rv_assert_has(rv_buf_text(&e->out),
		      "\"usage_of\":null,\"cpu_us\":null,\"user_us\":null,\"sys_us\":null,"
		      "\"maxrss_bytes\":null");
	rv_e2e_end(e);
}

/* ---- crashes */

Test(e2e_pipe, a_crash_fails_only_its_job_and_keeps_stderr)
{
	int64_t job;
	pid_t first;

	begin("", "");
	first = handler_pid();
	job = crashes("err=ouch exit=3", "its handler ended with exit code 3: ouch");
	cr_assert(ne(int, handler_pid(), first), "the next job has another");
	cr_assert(eq(int, rv_e2e_reeve(e, "logs", id_text(job), NULL), 0));
	rv_assert_text(rv_buf_text(&e->out), "ouch\n");
	(void)crashes("kill", "its handler was killed by signal 9");
	(void)crashes("exit=0", "its handler ended with exit code 0");
	(void)succeeds("");
	rv_e2e_end(e);
}

/* What it printed in jobs before is what may tell: the last 64 KiB of all. */
Test(e2e_pipe, the_end_of_stderr_goes_with_the_crash)
{
	int64_t job;

	begin("", "");
	(void)succeeds("err=warning_of_old big=65000");
	job = crashes("exit=1", "its handler ended with exit code 1");
	cr_assert(eq(int, rv_e2e_reeve(e, "logs", id_text(job), NULL), 0));
	cr_assert(gt(sz, e->out.size, 64000));
	cr_assert(le(sz, e->out.size, 65536 + 200));
	rv_assert_has(rv_buf_text(&e->out), "warning_of_old\n");
	rv_e2e_end(e);
}

Test(e2e_pipe, crashes_are_counted_apart)
{
	const struct rv_job_view *view;
	int64_t job;

	begin("", "max_crashes = 2\n");
	job = add("exit=7");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	view = rv_e2e_view(e, job);
	cr_assert(eq(int, view->crashes, 3));
	cr_assert(eq(int, view->attempt, 0));
	rv_assert_has(view->error,
		      "crashed its handler 3 times: its handler ended with exit code 7");
	rv_e2e_end(e);
}

Test(e2e_pipe, what_it_leaves_behind_dies_with_it)
{
	begin("", "");
	(void)succeeds("hold");
	(void)succeeds("hold after"); /* its children hold the answers; the answer counts */
	(void)crashes("hold exit=4", "exit code 4");
	(void)succeeds("");
	rv_e2e_end(e); /* looks for processes with our mark */
}

/* ---- protocol */

Test(e2e_pipe, garbage_costs_the_job_and_the_handler)
{
	begin("", "");
	(void)crashes("garbage", "its handler was killed: its line cannot be read: ");
	(void)crashes("long", "its handler was killed: a line of more than 1 MiB");
	(void)crashes("closeanswers", "its handler was killed: it closed its answers");
	(void)succeeds("");
	rv_e2e_end(e);
}

Test(e2e_pipe, an_answer_counts_for_its_own_job_and_once)
{
	int64_t other;
	pid_t first;

	begin("", "timeout = 400ms\n");
	first = handler_pid();
	(void)succeeds("twice");
	(void)succeeds("wrong");
	rv_e2e_logged(e, "which it does not have");
	/* Replaced, with the next one ready first. */
	while (handler_pid() == first)
		;
	other = add("hang");
	rv_e2e_job_says(e, "hangs");
	rv_e2e_until(e, other, RV_JOB_DEAD);
	rv_assert_text(rv_e2e_view(e, other)->error, "timed out after 400ms");
	rv_e2e_end(e);
}

/* It answers for another job, and never for its own. */
Test(e2e_pipe, another_jobs_answer_is_void)
{
	int64_t job;

	begin("", "timeout = 300ms\nmax_attempts = 1\n");
	job = add("other=999 hang");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_text(rv_e2e_view(e, job)->error, "timed out after 300ms");
	rv_e2e_logged(e, "speaks of job 999, run 1, which it does not have");
	rv_e2e_end(e);
}

Test(e2e_pipe, an_exit_between_jobs_costs_nothing)
{
	int64_t ids[30];

	begin("once", "");
	for (int i = 0; i < 30; i++)
		ids[i] = add("after");
	for (int i = 0; i < 30; i++)
		rv_e2e_until(e, ids[i], RV_JOB_SUCCEEDED);
	for (int i = 0; i < 30; i++)
		cr_assert(eq(int, rv_e2e_view(e, ids[i])->crashes, 0));
	rv_e2e_end(e);
}

Test(e2e_pipe, a_closed_stdin_costs_the_handler)
{
	begin("", "");
	(void)succeeds("closein");
	rv_e2e_job_says(e, "closed ");
	(void)succeeds("");
	(void)succeeds("");
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 2));
	rv_e2e_end(e);
}

/* ---- hello */

static void never_ready(const char *words, const char *says)
{
	const struct rv_job_view *view;
	int64_t job;

	begin(words, "ready_timeout = 200ms\nmax_attempts = 1\n");
	job = add("");
	rv_e2e_until(e, job, RV_JOB_SCHEDULED);
	view = rv_e2e_view(e, job);
	rv_assert_has(view->error, says);
	cr_assert(eq(int, view->attempt, 0), "not the job's fault");
	cr_assert(eq(int, view->crashes, 0));
	rv_e2e_end(e);
}

Test(e2e_pipe, a_handler_that_never_says_hello)
{
	never_ready("mute", "not ready: its handler was killed: it was not ready in time");
}

Test(e2e_pipe, a_handler_that_dies_before_it)
{
	never_ready("dies", "not ready: its handler ended with exit code 3: cannot start today");
}

Test(e2e_pipe, a_handler_of_another_version)
{
	never_ready("'hello={\"reeve\":2}'", "it speaks version 2, not 1");
}

Test(e2e_pipe, a_handler_whose_hello_is_something_else)
{
	never_ready("hello=hi", "its line cannot be read");
}

Test(e2e_pipe, a_command_that_is_not_there)
{
	int64_t job;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n[task:p]\nhandler = pipe\n"
		      "command = /nonexistent/handler\n");
	rv_e2e_start(e);
	job = rv_e2e_add(e, "p", NULL);
	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_has(rv_e2e_view(e, job)->error, "/nonexistent/handler");
	rv_e2e_end(e);
}

/* The job's clock begins with the hello. */
Test(e2e_pipe, a_slow_start_is_not_the_jobs_time)
{
	begin("slow=700", "timeout = 400ms\n");
	(void)succeeds("");
	rv_e2e_end(e);
}

/* ---- stopping */

Test(e2e_pipe, a_handler_that_heeds_cancel_lives_on)
{
	int64_t job;
	pid_t first;

	begin("cancel", "timeout = 300ms\nmax_attempts = 1\n");
	first = handler_pid();
	job = add("hang");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	/* It said ok, but late: what stopped it decides. */
	rv_assert_text(rv_e2e_view(e, job)->error, "timed out after 300ms");
	cr_assert(eq(int, handler_pid(), first));
	rv_e2e_end(e);
}

Test(e2e_pipe, cancel_by_a_person)
{
	int64_t job;

	begin("", "");
	job = add("hang");
	rv_e2e_job_says(e, "hangs");
	cr_assert(eq(int, rv_e2e_reeve(e, "cancel", id_text(job), NULL), 0));
	rv_e2e_until(e, job, RV_JOB_CANCELLED);
	(void)succeeds("");
	rv_e2e_end(e);
}

/* Neither the signal nor the line: killed kill_after (300 ms) later. */
Test(e2e_pipe, a_deaf_handler_is_killed)
{
	int64_t job;

	begin("deaf", "timeout = 300ms\nmax_attempts = 1\n");
	job = add("hang");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_text(rv_e2e_view(e, job)->error, "timed out after 300ms");
	(void)succeeds("");
	rv_e2e_end(e);
}

/* 4 MB do not fit into the pipe, and nobody reads them. */
Test(e2e_pipe, a_handler_that_never_reads)
{
	static char big[4 << 20];
	int64_t job;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n[task:p]\nhandler = pipe\nshell = yes\n"
		      "timeout = 300ms\nmax_attempts = 1\n"
		      "command = echo '{\"reeve\":1}' >&3; sleep 1000\n");
	rv_e2e_start(e);
	memset(big, 'a', sizeof(big) - 1);
	rv_test_write_file(rv_e2e_path(e, "in"), "%s", big);
	job = rv_e2e_add(e, "--stdin", rv_e2e_path(e, "in"), "p", NULL);
	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_text(rv_e2e_view(e, job)->error, "timed out after 300ms");
	rv_e2e_end(e);
}

Test(e2e_pipe, heartbeats_keep_a_silent_job)
{
	int64_t job;

	begin("", "idle_timeout = 400ms\nmax_attempts = 1\n");
	(void)succeeds("beat=20");
	job = add("ms=30000");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_text(rv_e2e_view(e, job)->error, "no output for 400ms");
	rv_e2e_end(e);
}

Test(e2e_pipe, drain_lets_it_finish_and_stop_gives_it_back)
{
	int64_t job;

	begin("", "");
	job = add("until=go");
	rv_e2e_job_says(e, "start ");
	rv_test_signal(&e->daemon, SIGTERM);
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
	cr_assert(eq(int, rv_e2e_exit(e), 0));
	cr_assert(eq(int, rv_e2e_view(e, job)->state, RV_JOB_SUCCEEDED));
	rv_e2e_start(e);
	job = add("hang");
	rv_e2e_job_says(e, "hangs");
	rv_test_signal(&e->daemon, SIGQUIT);
	cr_assert(eq(int, rv_e2e_exit(e), 0));
	cr_assert(eq(int, rv_e2e_view(e, job)->state, RV_JOB_READY));
	cr_assert(eq(int, rv_e2e_view(e, job)->attempt, 0));
	rv_e2e_fini(e);
}

/* ---- recycling */

Test(e2e_pipe, recycled_by_jobs_with_the_next_one_ready_first)
{
	begin("slow=200", "recycle_jobs = 5\nready_timeout = 5s\n");
	for (int i = 0; i < 5; i++)
		(void)succeeds("");
	rv_e2e_job_says(e, "hello ");
	/* While the second starts, the first goes on. */
	(void)succeeds("");
	cr_assert(ge(int, rv_e2e_job_count(e, "start "), 6));
	while (rv_e2e_job_count(e, "bye ") == 0)
		(void)succeeds("");
	cr_assert(ge(int, rv_e2e_job_count(e, "hello "), 2));
	rv_e2e_end(e);
}

Test(e2e_pipe, recycled_by_age_and_by_memory)
{
	begin("", "recycle_age = 300ms\n");
	while (rv_e2e_job_count(e, "bye ") == 0)
		(void)succeeds("ms=20");
	rv_e2e_end(e);
	begin("", "recycle_rss = 60M\n");
	for (int i = 0; i < 100; i++)
		(void)succeeds("ms=20");
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 1));
	(void)succeeds("rss=80");
	while (rv_e2e_job_count(e, "bye ") == 0)
		(void)succeeds("ms=20");
	rv_e2e_end(e);
}

/* The old one goes on, and it is tried again later. */
Test(e2e_pipe, a_replacement_that_never_becomes_ready)
{
	pid_t first;

	begin("shy", "recycle_jobs = 3\nready_timeout = 200ms\n");
	first = handler_pid();
	while (rv_e2e_log_count(e, "it was not ready in time") == 0)
		cr_assert(eq(int, handler_pid(), first));
	for (int i = 0; i < 20; i++)
		cr_assert(eq(int, handler_pid(), first));
	cr_assert(le(int, rv_e2e_job_count(e, "hello "), 2), "not at each job");
	rv_e2e_end(e);
}

/* It ignores EOF: kill_after, then KILL. */
Test(e2e_pipe, a_retired_handler_that_stays_is_killed)
{
	pid_t first;

	begin("deaf", "recycle_jobs = 2\n");
	first = handler_pid();
	while (handler_pid() == first)
		;
	cr_assert(rv_test_wait_dead(first, RV_E2E_WAIT_MS));
	rv_e2e_end(e);
}

/* ---- beside exec jobs */

Test(e2e_pipe, the_sweep_of_an_exec_job_spares_it)
{
	pid_t first;

	begin("", "");
	first = handler_pid();
	for (int i = 0; i < 5; i++)
		rv_e2e_until(e, rv_e2e_job(e, "escape=double"), RV_JOB_SUCCEEDED);
	cr_assert(eq(int, handler_pid(), first));
	rv_e2e_end(e);
}

/* ---- death of the others */

Test(e2e_pipe, it_dies_with_its_worker)
{
	int64_t job;
	pid_t first;

	begin("", "max_crashes = 5\n");
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

Test(e2e_pipe, it_dies_with_the_daemon)
{
	pid_t first;

	begin("deaf", "");
	first = handler_pid();
	(void)add("hang");
	rv_e2e_job_says(e, "hangs");
	rv_e2e_kill(e);
	cr_assert(rv_test_wait_dead(first, RV_E2E_WAIT_MS));
	cr_assert(rv_e2e_gone(e, RV_E2E_WAIT_MS));
	rv_e2e_start(e);
	rv_e2e_end(e);
}
