/*
 * Handlers that stay while there is no job for them: warm_up, idle_ttl, health_check
 * (docs/PROTOCOL.md, Pipe handlers).  Whatever happens to one then, no job is lost, none waits for
 * ever, and none is charged for it.
 */
#include "process/pipe_scene.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void charged_nothing(int64_t job)
{
	const struct rv_job_view *view = rv_e2e_view(e, job);

	cr_assert(eq(int, view->crashes, 0));
	cr_assert(eq(int, view->attempt, 1));
	cr_assert(eq(int, view->runs, 1));
}

/* ---- warm-up */

Test(e2e_pipe_keep, a_worker_is_ready_when_its_handler_is)
{
	int64_t job;

	workers = 2;
	begin_warm("slow=400", "");
	/* The daemon says so once its workers do; no job has come. */
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 2));
	job = succeeds("");
	charged_nothing(job);
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 2));
	rv_e2e_end(e);
	workers = 1;
}

Test(e2e_pipe_keep, nothing_is_started_for_a_queue_of_another_pool)
{
	rv_e2e_new(e, "[pool:default]\nworkers = 1\n");
	rv_e2e_ini(e,
		   "[pool:default]\nworkers = 1\n[pool:far]\nworkers = 1\nqueues = far\n"
		   "[task:p]\nhandler = pipe\ncommand = '%s' '%s'\nwarm_up = yes\nqueue = far\n",
		   rv_e2e_program("rv_pipejob"), e->dir);
	rv_e2e_start(e);
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 1));
	(void)succeeds("");
	rv_e2e_end(e);
}

Test(e2e_pipe_keep, one_that_never_gets_ready_does_not_hold_its_worker)
{
	const struct rv_job_view *view;
	int64_t job;

	begin_warm("mute", "ready_timeout = 200ms\nmax_attempts = 1\n");
	rv_e2e_logged(e, "is killed: it was not ready in time");
	job = add("");
	rv_e2e_until(e, job, RV_JOB_SCHEDULED);
	view = rv_e2e_view(e, job);
	rv_assert_has(view->error, "not ready: its handler was killed: it was not ready in time");
	cr_assert(eq(int, view->attempt, 0));
	rv_e2e_end(e);
}

Test(e2e_pipe_keep, a_worker_waits_half_of_its_boot_timeout)
{
	rv_e2e_new(e, "[pool:default]\nworkers = 1\n");
	rv_e2e_ini(e,
		   "[pool:default]\nworkers = 1\nboot_timeout = 3s\n[task:p]\nhandler = pipe\n"
		   "command = '%s' '%s' mute\nwarm_up = yes\nready_timeout = 1h\n",
		   rv_e2e_program("rv_pipejob"), e->dir);
	rv_e2e_start(e);
	rv_e2e_logged(e, "a handler is not ready after half of boot_timeout");
	/* It serves what does not need it. */
	rv_e2e_until(e, rv_e2e_job(e, "ms=1"), RV_JOB_SUCCEEDED);
	rv_e2e_end(e);
}

/* It does not have half of it once more after a slow start: that would be its end. */
Test(e2e_pipe_keep, a_slow_start_counts_as_well)
{
	pid_t worker;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n");
	rv_e2e_ini(e,
		   "[pool:default]\nworkers = 1\nboot_timeout = 4s\n[task:p]\nhandler = pipe\n"
		   "command = '%s' '%s' mute\nwarm_up = yes\nready_timeout = 1h\n",
		   rv_e2e_program("rv_pipejob"), e->dir);
	rv_e2e_env(e, "RV_FAULT=spawn:stop:1:worker");
	rv_e2e_launch(e);
	worker = rv_e2e_await_child(e, 1);
	cr_assert(rv_test_wait_until(has_stopped, &worker, RV_E2E_WAIT_MS));
	(void)poll(NULL, 0, 2300); /* more than half */
	cr_assert(rv_e2e_signal_pid(worker, SIGCONT));
	rv_e2e_notified(e, "READY=1");
	cr_assert(eq(int, rv_e2e_child(e, 1), worker));
	rv_e2e_until(e, rv_e2e_job(e, "ms=1"), RV_JOB_SUCCEEDED);
	rv_e2e_end(e);
}

Test(e2e_pipe_keep, a_daemon_stops_while_it_waits_for_a_handler)
{
	rv_e2e_new(e, "[pool:default]\nworkers = 1\n");
	rv_e2e_ini(e,
		   "[pool:default]\nworkers = 1\n[task:p]\nhandler = pipe\n"
		   "command = '%s' '%s' mute\nwarm_up = yes\nready_timeout = 1h\n",
		   rv_e2e_program("rv_pipejob"), e->dir);
	rv_e2e_launch(e);
	rv_e2e_job_says(e, "hello ");
	rv_e2e_end(e);
}

/* Nobody else would tell. */
Test(e2e_pipe_keep, one_that_dies_before_its_hello_is_told)
{
	begin_warm("dies", "");
	rv_e2e_logged(e, "a handler of p is not ready: its handler ended with exit code 3: cannot "
			 "start today");
	rv_e2e_until(e, rv_e2e_job(e, "ms=1"), RV_JOB_SUCCEEDED);
	rv_e2e_end(e);
}

Test(e2e_pipe_keep, one_whose_command_is_not_there_is_told_once)
{
	rv_e2e_new(e, "[pool:default]\nworkers = 1\n[task:p]\nhandler = pipe\n"
		      "command = /nonexistent/handler\nwarm_up = yes\n");
	rv_e2e_start(e);
	rv_e2e_until(e, rv_e2e_job(e, "ms=1"), RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_log_count(e, "no new handler of p: "), 1));
	rv_e2e_end(e);
}

static bool has_died_often(void *ctx)
{
	return rv_e2e_log_count(e, "a handler of q is not ready: ") >= *(int *)ctx;
}

/*
 * Its words and its end are there at once.  q shows when it would have been started again: between
 * two of its deaths is more than p's restart_delay.
 */
Test(e2e_pipe_keep, one_that_refuses_and_ends_is_not_started_again)
{
	pid_t worker;
	int64_t job;
	int deaths;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n");
	rv_e2e_ini(e,
		   "[pool:default]\nworkers = 1\n[task:p]\nhandler = pipe\nwarm_up = yes\n"
		   "restart_delay = 100ms\n"
		   "command = '%s' '%s' 'hello={\"reeve\":1,\"refuse\":\"no_licence\"}' gone\n"
		   "[task:q]\nhandler = pipe\nwarm_up = yes\nrestart_delay = 200ms\ncommand = '%s' "
		   "'%s' slow=300 dies\n",
		   rv_e2e_program("rv_pipejob"), e->dir, rv_e2e_program("rv_pipejob"), e->dir);
	rv_e2e_launch(e);
	rv_e2e_logged(e, "a handler of q is not ready: ");
	worker = rv_e2e_child(e, 1);
	cr_assert(rv_e2e_signal_pid(worker, SIGSTOP));
	cr_assert(rv_test_wait_until(has_stopped, &worker, RV_E2E_WAIT_MS));
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
	cr_assert(rv_test_wait_dead(pid_of("waits"), RV_E2E_WAIT_MS));
	cr_assert(rv_e2e_signal_pid(worker, SIGCONT));
	rv_e2e_logged(e, "a handler of p is not ready: it refuses: no_licence");
	deaths = rv_e2e_log_count(e, "a handler of q is not ready: ") + 2;
	cr_assert(rv_test_wait_until(has_died_often, &deaths, RV_E2E_WAIT_MS));
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 1));
	job = add("");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_has(rv_e2e_view(e, job)->error, "its handler refuses: no_licence");
	rv_e2e_end(e);
}

/* Its replacement is not ready when it dies, and never will be. */
Test(e2e_pipe_keep, one_that_dies_idle_before_its_replacement_does)
{
	pid_t first;

	begin("shy",
	      "warm_up = yes\nrecycle_jobs = 1\nready_timeout = 600ms\nrestart_delay = 100ms\n");
	first = handler_pid();
	rv_e2e_job_says_times(e, "hello ", 2);
	cr_assert(rv_e2e_signal_pid(first, SIGKILL));
	rv_e2e_logged(e, "is killed: it was not ready in time");
	rv_e2e_job_says_times(e, "hello ", 3);
	rv_e2e_end(e);
}

static void dies_idle(const char *words, const char *keys)
{
	int64_t job;
	pid_t first;

	begin(words, keys);
	first = handler_pid();
	cr_assert(rv_e2e_signal_pid(first, SIGKILL));
	/* Another is there before a job is. */
	rv_e2e_job_says_times(e, "hello ", 2);
	job = succeeds("pid");
	charged_nothing(job);
	cr_assert(ne(int, atoi(result(job)), first));
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 2));
	rv_e2e_end(e);
}

Test(e2e_pipe_keep, a_warm_one_that_dies_idle_is_replaced)
{
	dies_idle("", "warm_up = yes\n");
}

/* Also one that cannot be asked, and that is said. */
Test(e2e_pipe_keep, one_with_a_health_check_that_dies_idle_is_replaced)
{
	dies_idle("", "health_check = 1h\n");
}

Test(e2e_pipe_keep, an_old_handler_is_not_asked)
{
	begin_warm("", "health_check = 10ms\n");
	rv_e2e_logged(e, "does not say \\\"health\\\": health_check only sees that it has ended");
	for (int i = 0; i < 20; i++)
		(void)succeeds("");
	cr_assert(eq(int, rv_e2e_job_count(e, "asked "), 0));
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 1));
	cr_assert(eq(int, rv_e2e_log_count(e, "does not say"), 1));
	rv_e2e_end(e);
}

/* ---- idle_ttl */

Test(e2e_pipe_keep, an_idle_one_is_ended_and_the_next_job_has_another)
{
	int64_t job;
	pid_t first;

	begin("", "idle_ttl = 150ms\n");
	first = handler_pid();
	rv_e2e_job_says(e, "bye ");
	rv_e2e_logged(e, "is ended: it had no job for 150ms");
	job = succeeds("pid");
	charged_nothing(job);
	cr_assert(ne(int, atoi(result(job)), first));
	rv_e2e_end(e);
}

/* It is warm at the start, and does not come back by itself when nobody wants it. */
Test(e2e_pipe_keep, a_warm_one_may_go_when_idle)
{
	begin_warm("", "idle_ttl = 150ms\n");
	rv_e2e_job_says(e, "bye ");
	(void)succeeds("");
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 2));
	rv_e2e_end(e);
}

/* Longer than its ttl: what has a job is not idle. */
Test(e2e_pipe_keep, a_job_is_left_alone)
{
	begin("health", "idle_ttl = 50ms\nhealth_check = 20ms\nhealth_timeout = 20ms\n");
	charged_nothing(succeeds("ms=600"));
	rv_e2e_end(e);
}

/* It does not heed EOF: killed kill_after later, and a job need not wait for that. */
Test(e2e_pipe_keep, a_deaf_one_is_killed)
{
	pid_t first;

	begin("deaf", "idle_ttl = 100ms\nkill_after = 300ms\n");
	first = handler_pid();
	rv_e2e_job_says(e, "bye ");
	charged_nothing(succeeds(""));
	cr_assert(rv_test_wait_dead(first, RV_E2E_WAIT_MS));
	rv_e2e_end(e);
}

/* Jobs that come just when it is ended: each runs, once. */
Test(e2e_pipe_keep, jobs_that_arrive_at_its_end)
{
	int64_t ids[120];

	begin("", "idle_ttl = 4ms\n");
	for (int i = 0; i < 120; i++) {
		ids[i] = add("");
		(void)poll(NULL, 0, i % 8);
	}
	for (int i = 0; i < 120; i++) {
		rv_e2e_until(e, ids[i], RV_JOB_SUCCEEDED);
		charged_nothing(ids[i]);
	}
	cr_assert(eq(int, rv_e2e_job_count(e, "end "), 120));
	cr_assert(gt(int, rv_e2e_job_count(e, "hello "), 1), "no end was met at all");
	rv_e2e_end(e);
}

/* ---- health */

Test(e2e_pipe_keep, one_that_is_well_stays)
{
	pid_t first;

	begin_warm("health", "health_check = 20ms\nhealth_timeout = 1m\n");
	rv_e2e_job_says_times(e, "asked ", 5);
	first = handler_pid();
	rv_e2e_job_says_times(e, "asked ", 10);
	cr_assert(eq(int, handler_pid(), first));
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 1));
	rv_e2e_end(e);
}

static void unwell(const char *words, const char *says)
{
	begin_warm(words, "health_check = 100ms\nhealth_timeout = 200ms\n");
	rv_e2e_job_says_times(e, "hello ", 2); /* no job has met the first one */
	rv_e2e_logged(e, says);
	charged_nothing(succeeds(""));
	rv_e2e_end(e);
}

Test(e2e_pipe_keep, one_that_does_not_answer)
{
	unwell("health=mute", "is killed: it did not answer a health check within 200ms");
}

Test(e2e_pipe_keep, one_that_answers_late)
{
	unwell("health=late", "is killed: it did not answer a health check within 200ms");
}

Test(e2e_pipe_keep, one_that_answers_garbage)
{
	unwell("health=garbage", "is killed: its line cannot be read");
}

Test(e2e_pipe_keep, one_that_says_that_it_is_sick)
{
	unwell("health=sick", "is killed: it says that it is not well: no_paper");
}

Test(e2e_pipe_keep, one_that_answers_another_question)
{
	unwell("health=other", "answers a health check that it does not have");
}

Test(e2e_pipe_keep, one_that_dies_of_the_question)
{
	unwell("health=dies", "has ended after 0 jobs");
}

/* It is well, but speaks out of turn: replaced after a job, as who speaks of another's job. */
Test(e2e_pipe_keep, one_that_answers_twice)
{
	begin_warm("health=twice", "health_check = 50ms\n");
	rv_e2e_logged(e, "answers a health check that it does not have");
	rv_e2e_job_says_times(e, "asked ", 4);
	cr_assert(eq(int, rv_e2e_log_count(e, "a health check that it does not have"), 1));
	while (rv_e2e_job_count(e, "bye ") == 0)
		charged_nothing(succeeds(""));
	rv_e2e_end(e);
}

/* Until it has answered nobody knows whether the job would come to a sick one. */
Test(e2e_pipe_keep, a_job_waits_for_the_answer)
{
	int64_t job;

	begin_warm("health=wait", "health_check = 50ms\nhealth_timeout = 1m\ntimeout = 10s\n");
	rv_e2e_job_says(e, "asked ");
	job = add("");
	rv_e2e_until(e, job, RV_JOB_RUNNING);
	cr_assert(eq(int, rv_e2e_job_count(e, "start "), 0));
	rv_test_write_file(rv_e2e_path(e, "well"), "%s", "");
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	charged_nothing(job);
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 1));
	rv_e2e_end(e);
}

Test(e2e_pipe_keep, a_job_never_meets_a_sick_one)
{
	int64_t job;

	/* Given to the first it would time out: that one reads nothing any more. */
	begin_warm(
		"health=wait",
		"health_check = 50ms\nhealth_timeout = 500ms\ntimeout = 10s\nmax_attempts = 1\n");
	rv_e2e_job_says(e, "asked ");
	job = add("");
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	charged_nothing(job);
	rv_e2e_logged(e, "it did not answer a health check within 500ms");
	cr_assert(ge(int, rv_e2e_job_count(e, "hello "), 2));
	rv_e2e_end(e);
}

Test(e2e_pipe_keep, one_that_is_killed_while_a_job_waits_for_it)
{
	int64_t job;
	pid_t first;

	begin_warm("health=wait", "health_check = 50ms\nhealth_timeout = 1m\n");
	first = pid_of("asked");
	job = add("");
	rv_e2e_until(e, job, RV_JOB_RUNNING);
	cr_assert(rv_e2e_signal_pid(first, SIGKILL));
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	charged_nothing(job);
	rv_e2e_end(e);
}

/* Its answer and its end are there at once: it is well, and no job can go to it. */
Test(e2e_pipe_keep, one_that_answers_and_ends)
{
	int64_t job;
	pid_t first, worker;

	begin_warm("health=leaves", "health_check = 50ms\nhealth_timeout = 1m\n");
	first = pid_of("asked");
	worker = rv_e2e_child(e, 1);
	job = add("");
	rv_e2e_until(e, job, RV_JOB_RUNNING);
	cr_assert(rv_e2e_signal_pid(worker, SIGSTOP));
	rv_test_write_file(rv_e2e_path(e, "well"), "%s", "");
	cr_assert(rv_test_wait_dead(first, RV_E2E_WAIT_MS));
	cr_assert(rv_e2e_signal_pid(worker, SIGCONT));
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	charged_nothing(job);
	cr_assert(eq(int, rv_e2e_child(e, 1), worker));
	rv_e2e_end(e);
}

Test(e2e_pipe_keep, a_job_that_waits_for_the_answer_can_be_cancelled)
{
	int64_t job;

	begin_warm("health=wait", "health_check = 50ms\nhealth_timeout = 1m\n");
	rv_e2e_job_says(e, "asked ");
	job = add("");
	rv_e2e_until(e, job, RV_JOB_RUNNING);
	cr_assert(eq(int, rv_e2e_reeve(e, "cancel", id_text(job), NULL), 0));
	rv_e2e_until(e, job, RV_JOB_CANCELLED);
	job = add("");
	rv_test_write_file(rv_e2e_path(e, "well"), "%s", "");
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_job_count(e, "start "), 1));
	rv_e2e_end(e);
}

/* ---- with the rest */

/* reeve-runner answers for its module. */
Test(e2e_pipe_keep, a_module)
{
	pid_t first;

	begin_module("warm_up = yes\nhealth_check = 10ms\nhealth_timeout = 1m\n");
	first = handler_pid();
	for (int i = 0; i < 20; i++) {
		(void)poll(NULL, 0, 15);
		cr_assert(eq(int, handler_pid(), first));
	}
	cr_assert(eq(int, rv_e2e_log_count(e, "does not say"), 0));
	cr_assert(eq(int, rv_e2e_log_count(e, "health check"), 0));
	rv_e2e_end(e);
}

/* What is warm dies with its worker, and the next one warms up again. */
Test(e2e_pipe_keep, a_worker_that_is_killed)
{
	pid_t first, worker;

	begin_warm("health", "health_check = 10ms\nidle_ttl = 1h\n");
	first = pid_of("asked");
	worker = rv_e2e_child(e, 1);
	cr_assert(rv_e2e_signal_pid(worker, SIGKILL));
	cr_assert(rv_test_wait_dead(first, RV_E2E_WAIT_MS));
	rv_e2e_job_says_times(e, "hello ", 2);
	charged_nothing(succeeds(""));
	rv_e2e_end(e);
}
