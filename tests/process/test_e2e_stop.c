/* Draining, stopping, reloading, losing rings: what a person does to a daemon with work in it. */
#include "process/e2e.h"

#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tier.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

#define POOL "[pool:default]\nworkers = 2\nheartbeat = 200ms\n"

static void go(void)
{
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
}

/* Interrupted, and nothing was burned or counted for it. */
static void needs_unburned(int64_t job, int runs)
{
	const struct rv_job_view *view = rv_e2e_view(e, job);

	cr_assert(eq(int, view->state, RV_JOB_READY), "%s", view->error);
	cr_assert(eq(int, view->attempt, 0));
	cr_assert(eq(int, view->crashes, 0));
	cr_assert(eq(int, view->runs, runs));
}

Test(e2e_stop, a_drain_lets_running_jobs_finish_and_begins_none)
{
	int64_t running;
	int64_t waiting;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n");
	rv_e2e_start(e);
	running = rv_e2e_job(e, "until=go");
	rv_e2e_job_says(e, "start ");
	waiting = rv_e2e_job(e, "say=x");
	rv_test_signal(&e->daemon, SIGTERM);
	rv_e2e_notified(e, "STOPPING=1");
	/* It answers a turn later: by then every worker was told. */
	(void)rv_e2e_reeve(e, "status", NULL);
	go();
	cr_assert(eq(int, rv_e2e_exit(e), 0));
	cr_assert(eq(int, rv_e2e_view(e, running)->state, RV_JOB_SUCCEEDED));
	cr_assert(eq(int, rv_e2e_view(e, waiting)->state, RV_JOB_READY));
	cr_assert(eq(int, rv_e2e_view(e, waiting)->runs, 0));
	rv_e2e_fini(e);
}

static int64_t log_bytes(void)
{
	struct stat st;

	RV_NEED(e, stat(rv_e2e_path(e, "state/reeve.db-wal"), &st) == 0, "there is a log");
	return (int64_t)st.st_size;
}

/* The keeper is the last one there: nothing stays in the log, and its file is empty. */
Test(e2e_stop, the_log_is_empty_after_a_drain)
{
	int64_t ids[200];

	rv_e2e_new(e, "[pool:default]\nworkers = 2\n");
	rv_e2e_start(e);
	rv_e2e_submit(e, "say=x", 200, ids);
	rv_e2e_wait_all(e, 0);
	cr_expect(lt(i64, 0, log_bytes()));
	rv_e2e_stop(e);
	cr_expect(eq(i64, log_bytes(), 0));
	rv_e2e_all_ran(e, ids, 200);
	rv_e2e_fini(e);
}

Test(e2e_stop, a_drain_that_takes_too_long_interrupts_and_burns_nothing)
{
	int64_t job;

	rv_e2e_new(e, POOL);
	rv_e2e_start(e);
	job = rv_e2e_job(e, "until=never");
	rv_e2e_job_says(e, "start ");
	rv_test_signal(&e->daemon, SIGTERM);
	rv_e2e_notified(e, "STOPPING=1");    /* two that are pending at once are one */
	rv_test_signal(&e->daemon, SIGTERM); /* a second one: now */
	cr_assert(eq(int, rv_e2e_exit(e), 0));
	needs_unburned(job, 1);
	rv_e2e_clean(e);
	/* The next daemon does it. */
	go();
	rv_test_write_file(rv_e2e_path(e, "never"), "%s", "");
	rv_e2e_start(e);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_view(e, job)->attempt, 1));
	rv_e2e_end(e);
}

Test(e2e_stop, shutdown_now_stops_what_runs)
{
	int64_t job;

	rv_e2e_new(e, POOL);
	rv_e2e_start(e);
	job = rv_e2e_job(e, "escape=all until=never");
	rv_e2e_job_says(e, "start ");
	cr_assert(eq(int, rv_e2e_reeve(e, "shutdown", "--now", NULL), 0));
	cr_assert(eq(int, rv_e2e_exit(e), 0));
	needs_unburned(job, 1);
	cr_assert(eq(int, rv_e2e_reeve(e, "status", NULL), 7));
	rv_e2e_fini(e);
}

/* F34: deaf to TERM, with 150 processes in sessions of their own. */
Test(e2e_stop, f34_a_deaf_job_with_150_escapees_ends_in_time)
{
	int64_t before;
	int64_t job;

	rv_e2e_new(e, POOL);
	rv_e2e_start(e);
	job = rv_e2e_job(e, "deaf count=150 escape=all note=escaped until=never");
	rv_e2e_job_says(e, "escaped ");
	before = rv_mono_us();
	rv_test_signal(&e->daemon, SIGQUIT);
	cr_assert(eq(int, rv_e2e_exit(e), 0));
	/* kill_after is 300 ms; the catalogue allows 2 s more. */
	cr_assert(lt(i64, rv_mono_us() - before,
		     300 * RV_MS_US + 2 * RV_S_US + (rv_test_all() ? 0 : 8 * RV_S_US)));
	needs_unburned(job, 1);
	rv_e2e_fini(e);
}

/* F11: storms of signals, close together; documented codes, never a hang. */
Test(e2e_stop, f11_double_and_mixed_signals)
{
	static const int all[] = {SIGHUP, SIGUSR1, SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP};
	uint64_t dice = (uint64_t)rv_wall_us();
	uint64_t count = rv_test_all() ? 200 : 6;

	(void)printf("seed %llu\n", (unsigned long long)dice);
	for (uint64_t round = 0; round < count; round++) {
		int64_t job;

		rv_e2e_new(e, POOL);
		rv_e2e_start(e);
		job = rv_e2e_job(e, "ms=100 escape=setsid");
		rv_e2e_job_says(e, "start ");
		for (uint64_t n = 3 + rv_e2e_dice(&dice, 20); n > 0; n--)
			rv_test_signal(&e->daemon, all[rv_e2e_dice(&dice, RV_ARRAY_LEN(all))]);
		rv_test_signal(&e->daemon, SIGTERM);
		cr_assert(eq(int, rv_e2e_exit(e), 0));
		if (rv_e2e_view(e, job)->state != RV_JOB_SUCCEEDED)
			needs_unburned(job, 1);
		rv_e2e_fini(e);
	}
}

/* `reeve reload`, as often as it takes: so many requests a second are answered, no more. */
static int reload(void)
{
	int code = rv_e2e_reeve(e, "reload", NULL);

	while (code == 75) {
		(void)poll(NULL, 0, 50);
		code = rv_e2e_reeve(e, "reload", NULL);
	}
	return code;
}

/* F13: a broken file under load changes nothing; a good one rolls the workers, and burns nothing.
 */
Test(e2e_stop, f13_reloads_under_load)
{
	int64_t ids[40];
	int reloads = rv_test_all() ? 300 : 15;

	rv_e2e_new(e, POOL);
	rv_e2e_start(e);
	rv_e2e_submit(e, "ms=20 say=x", 40, ids);
	for (int i = 0; i < reloads; i++) {
		rv_e2e_ini(e, POOL "[task:broken]\ncomand = x\n");
		cr_assert(eq(int, reload(), 78));
		rv_assert_has(rv_buf_text(&e->err), "comand");
		rv_test_signal(&e->daemon, SIGHUP);
		rv_e2e_ini(e, POOL "lease = %ds\n", 31 + i % 2);
		cr_assert(eq(int, reload(), 0), "%s", rv_buf_text(&e->err));
	}
	rv_e2e_wait_all(e, 0);
	rv_e2e_all_ran(e, ids, 40);
	for (int i = 0; i < 40; i++)
		cr_assert(eq(int, rv_e2e_view(e, ids[i])->attempt, 1), "nothing was burned");
	rv_e2e_end(e);
}

Test(e2e_stop, a_reload_waits_for_the_running_job)
{
	int64_t job;

	rv_e2e_new(e, POOL);
	rv_e2e_start(e);
	job = rv_e2e_job(e, "until=go");
	rv_e2e_job_says(e, "start ");
	rv_e2e_ini(e, POOL "lease = 40s\n");
	cr_assert(eq(int, rv_e2e_reeve(e, "reload", NULL), 0));
	go();
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_view(e, job)->runs, 1));
	rv_e2e_end(e);
}

/* A ring is a hint: with every second one lost everything is done, a second later at most each. */
Test(e2e_stop, half_of_all_rings_are_lost)
{
	int64_t ids[30];

	rv_e2e_new(e, POOL);
	rv_e2e_env(e, "RV_RING_DROP=2");
	rv_e2e_start(e);
	for (int i = 0; i < 30; i++) {
		rv_e2e_submit(e, i % 3 == 0 ? "ms=20 say=x" : "say=x", 1, &ids[i]);
		if (i % 10 == 0)
			rv_e2e_until(e, ids[i], RV_JOB_SUCCEEDED);
	}
	rv_e2e_wait_all(e, 0);
	rv_e2e_all_ran(e, ids, 30);
	rv_e2e_end(e);
}

/* F12: its own start under an ignored SIGCHLD does not make it lose an exit status. */
Test(e2e_stop, f12_children_that_end_at_once_are_all_collected)
{
	rv_e2e_new(e, "[pool:default]\nworkers = 16\nrestart_delay = 5ms\n"
		      "restart_delay_max = 20ms\nrestart_burst = 1000/1s\n");
	rv_e2e_start(e);
	for (int slot = 1; slot <= 16; slot++)
		(void)rv_e2e_signal(e, slot, SIGKILL);
	for (int slot = 1; slot <= 16; slot++)
		(void)rv_e2e_await_child(e, slot);
	rv_e2e_submit_noops(e, 50);
	rv_e2e_wait_all(e, 0);
	cr_assert(eq(int, rv_e2e_log_count(e, "\"child.died\""), 16));
	rv_e2e_end(e);
}
