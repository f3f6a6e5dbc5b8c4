/* What a person asks of the pools of a daemon with work in it: more, fewer, quiet, drained. */
#include "process/e2e.h"

#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"

#include <signal.h>

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

static void go(const char *name)
{
	rv_test_write_file(rv_e2e_path(e, name), "%s", "");
}

/* The daemon has done what the signal asks for: it answers a turn later. */
static void tell(int signo)
{
	rv_test_signal(&e->daemon, signo);
	(void)rv_e2e_reeve(e, "status", NULL);
}

static bool pool_is(void *state)
{
	json_t *status = rv_e2e_json(e, "pool", "ls", NULL);
	const json_t *pool = json_array_get(json_object_get(status, "pools"), 0);
	const char *text = json_string_value(json_object_get(pool, "state"));
	bool is = text && strcmp(text, state) == 0 &&
		  json_integer_value(json_object_get(pool, "alive")) ==
			  json_integer_value(json_object_get(pool, "target"));

	json_decref(status);
	return is;
}

static void await_pool(const char *state)
{
	RV_NEED(e, rv_test_wait_until(pool_is, (void *)(uintptr_t)state, RV_E2E_WAIT_MS),
		"the pool is %s", state);
}

Test(e2e_pools, quiet_begins_nothing_and_lets_go_on_what_runs)
{
	int64_t running;
	int64_t waiting;

	rv_e2e_new(e, "[pool:default]\nworkers = 2\n");
	rv_e2e_start(e);
	running = rv_e2e_job(e, "until=go");
	rv_e2e_job_says(e, "start ");
	tell(SIGTSTP);
	waiting = rv_e2e_job(e, "say=x");
	cr_assert(
		eq(int, rv_e2e_reeve(e, "why", rv_test_path("%lld", (long long)waiting), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "pool default is quiet: reeve pool resume default");
	go("go");
	rv_e2e_until(e, running, RV_JOB_SUCCEEDED);
	cr_assert(eq(int,
		     rv_e2e_reeve(e, "wait", "--timeout", "1s",
				  rv_test_path("%lld", (long long)waiting), NULL),
		     124));
	cr_assert(eq(int, rv_e2e_view(e, waiting)->state, RV_JOB_READY));
	cr_assert(eq(int, rv_e2e_reeve(e, "status", NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "quiet");
	tell(SIGCONT);
	rv_e2e_until(e, waiting, RV_JOB_SUCCEEDED);
	rv_e2e_end(e);
}

static bool has_come_up(void *times)
{
	return rv_e2e_log_count(e, "worker default/0 is ready") > *(int *)times;
}

/* Whoever comes up in a quiet pool has not claimed once before it heard of that. */
Test(e2e_pools, a_worker_that_comes_up_in_a_quiet_pool_is_quiet)
{
	int64_t job;

	rv_e2e_new(e,
		   "[pool:default]\nworkers = 1\nrestart_delay = 1ms\nrestart_delay_max = 1ms\n");
	rv_e2e_start(e);
	cr_assert(eq(int, rv_e2e_reeve(e, "pool", "quiet", "default", NULL), 0));
	job = rv_e2e_job(e, "say=x");
	for (int i = 0; i < 5; i++) {
		int times = i + 1; /* the log may be a line behind */

		cr_assert(rv_e2e_signal(e, 1, SIGKILL));
		RV_NEED(e, rv_test_wait_until(has_come_up, &times, RV_E2E_WAIT_MS), "%d times",
			times);
		await_pool("quiet");
	}
	cr_assert(eq(int, rv_e2e_view(e, job)->runs, 0));
	cr_assert(eq(int, rv_e2e_reeve(e, "pool", "resume", NULL), 0));
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_e2e_end(e);
}

Test(e2e_pools, drained_pools_finish_what_runs_and_have_no_workers)
{
	int64_t running;
	int64_t waiting;

	rv_e2e_new(e, "[pool:default]\nworkers = 2\n");
	rv_e2e_start(e);
	running = rv_e2e_job(e, "until=go");
	rv_e2e_job_says(e, "start ");
	tell(SIGWINCH);
	waiting = rv_e2e_job(e, "say=x");
	go("go");
	await_pool("drained");
	cr_assert(eq(int, rv_e2e_view(e, running)->state, RV_JOB_SUCCEEDED));
	cr_assert(eq(int, rv_e2e_view(e, waiting)->state, RV_JOB_READY));
	cr_assert(eq(int, rv_e2e_child(e, 1), 0));
	cr_assert(
		eq(int, rv_e2e_reeve(e, "why", rv_test_path("%lld", (long long)waiting), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "pool default is drained");
	cr_assert(eq(int, rv_e2e_reeve(e, "pool", "resume", "default", NULL), 0));
	rv_e2e_until(e, waiting, RV_JOB_SUCCEEDED);
	rv_e2e_end(e);
}

/* Down to none and back under load: every job runs once, to its end. */
Test(e2e_pools, scaled_to_none_and_back_under_load)
{
	enum { JOBS = 60 };
	int64_t ids[JOBS];

	rv_e2e_new(e, "[pool:default]\nworkers = 3\n");
	rv_e2e_start(e);
	rv_e2e_submit(e, "ms=20", JOBS, ids);
	for (int i = 0; i < 3; i++) {
		cr_assert(eq(int, rv_e2e_reeve(e, "pool", "scale", "default", "0", NULL), 0));
		await_pool("ok");
		cr_assert(eq(int, rv_e2e_reeve(e, "pool", "scale", "default", "+4", NULL), 0));
		rv_assert_has(rv_buf_text(&e->out), "4 workers, 0 before");
		await_pool("ok");
	}
	cr_assert(eq(int, rv_e2e_reeve(e, "pool", "scale", "default", "-3", NULL), 0));
	rv_e2e_wait_all(e, 0);
	rv_e2e_all_ran(e, ids, JOBS);
	for (int i = 0; i < JOBS; i++)
		cr_assert(eq(int, rv_e2e_view(e, ids[i])->runs, 1));
	cr_assert(eq(int, rv_e2e_reeve(e, "pool", "scale", "default", "many", NULL), 2));
	cr_assert(eq(int, rv_e2e_reeve(e, "pool", "scale", "nobody", "1", NULL), 3));
	rv_e2e_end(e);
}

/* The same while keepers, workers and the daemon itself are killed: each job comes to its end. */
Test(e2e_pools, scaled_to_none_and_back_among_deaths)
{
	enum { JOBS = 40 };
	int64_t ids[JOBS];

	rv_e2e_new(e,
		   "[pool:default]\nworkers = 3\nrestart_delay = 1ms\nrestart_delay_max = 1ms\n");
	rv_e2e_start(e);
	rv_e2e_submit(e, "ms=20", JOBS, ids);
	for (int i = 0; i < 4; i++) {
		(void)rv_e2e_signal(e, 1 + i % 3, SIGKILL);
		cr_assert(eq(int, rv_e2e_reeve(e, "pool", "scale", "default", "0", NULL), 0));
		(void)rv_e2e_signal(e, 1 + (i + 1) % 3, SIGKILL);
		(void)rv_e2e_await_child(e, 0);
		(void)rv_e2e_signal(e, 0, SIGKILL);
		await_pool("ok");
		(void)rv_e2e_reeve(e, "pool", "scale", "default", "3", NULL);
		if (i == 2) { /* what was scaled is forgotten with the daemon */
			rv_e2e_kill(e);
			rv_e2e_start(e);
		}
	}
	rv_e2e_wait_all(e, 0);
	rv_e2e_all_ran(e, ids, JOBS);
	rv_e2e_end(e);
}

static void each_ran_once(const int64_t *ids, int count)
{
	rv_e2e_wait_all(e, 0);
	rv_e2e_all_ran(e, ids, (size_t)count);
	for (int i = 0; i < count; i++)
		cr_assert(eq(int, rv_e2e_view(e, ids[i])->runs, 1));
}

/* Old ones finish their job, new ones are there before: nothing is interrupted or begun twice. */
Test(e2e_pools, a_restart_under_load_interrupts_nothing)
{
	enum { JOBS = 120 };
	int64_t ids[JOBS];

	rv_e2e_new(e, "[pool:default]\nworkers = 3\nsurge = 1\nmax_unavailable = 0\n");
	rv_e2e_start(e);
	rv_e2e_submit(e, "ms=20", JOBS, ids);
	for (int i = 0; i < 2; i++) {
		cr_assert(eq(int, rv_e2e_reeve(e, "pool", "restart", "--wait", NULL), 0));
		rv_assert_has(rv_buf_text(&e->out), "all workers are replaced");
	}
	each_ran_once(ids, JOBS);
	rv_e2e_end(e);
}

Test(e2e_pools, workers_that_have_done_enough_are_recycled)
{
	enum { JOBS = 150 };
	int64_t ids[JOBS];

	rv_e2e_new(e, "[pool:default]\nworkers = 2\nrecycle_jobs = 10\nmax_batch = 1\n");
	rv_e2e_start(e);
	rv_e2e_submit(e, "ms=30", JOBS, ids);
	each_ran_once(ids, JOBS);
	rv_e2e_logged(e, "is replaced: it has done ");
	rv_e2e_end(e);
}

/* From none to as many as there is work for, and back to none: every job once. */
Test(e2e_pools, workers_come_and_go_with_the_work)
{
	enum { JOBS = 40 };
	int64_t ids[JOBS];
	int64_t job;

	rv_e2e_new(e, "[pool:default]\nworkers = 0..4\nscale_up_wait = 50ms\nscale_idle = 100ms\n");
	rv_e2e_start(e);
	cr_assert(eq(int, rv_e2e_child(e, 1), 0));
	job = rv_e2e_job(e, "say=x");
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_e2e_submit(e, "ms=200", JOBS, ids);
	each_ran_once(ids, JOBS);
	rv_e2e_logged(e, "workers, 1 before: jobs wait and nobody is idle");
	rv_e2e_logged(e, "pool default: 0 workers, 1 before: nothing waits and somebody is idle");
	await_pool("ok");
	cr_assert(eq(int, rv_e2e_child(e, 1), 0));
	/* What is told of a number by hand is what happens. */
	cr_assert(eq(int, rv_e2e_reeve(e, "pool", "scale", "default", "1", NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "from there it follows the work, between 0 and 4");
	cr_assert(eq(int, rv_e2e_reeve(e, "pool", "scale", "default", "0", NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "the next job brings one up again");
	/* And again, by the keeper: nobody rings for this one. */
	rv_e2e_submit(e, "say=y", 1, ids);
	each_ran_once(ids, 1);
	rv_e2e_end(e);
}
