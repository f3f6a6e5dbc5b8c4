/* reeved executed anew while jobs run: they go on, and none runs twice. */
#include "process/e2e.h"

#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"

#include <poll.h>
#include <signal.h>

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

static void go(void)
{
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
}

Test(e2e_upgrade, a_running_job_goes_on_with_its_output)
{
	int64_t job;
	pid_t pid;

	rv_e2e_new(e,
		   "[pool:default]\nworkers = 2\n[task:talk]\ncommand = /bin/sh -c \"echo before; "
		   "while "
		   "! [ -e go ]; do sleep 0.01; done; echo after\"\ncwd = %s\n",
		   e->dir);
	rv_e2e_start(e);
	pid = e->daemon.pid;
	job = rv_e2e_add(e, "talk", NULL);
	rv_e2e_until(e, job, RV_JOB_RUNNING);
	cr_assert(eq(int, rv_e2e_reeve(e, "upgrade", NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), rv_test_path("reeved %d is", (int)pid));
	cr_assert(eq(int, rv_e2e_view(e, job)->state, RV_JOB_RUNNING));
	go();
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_view(e, job)->runs, 1));
	cr_assert(eq(int, rv_e2e_reeve(e, "logs", rv_test_path("%lld", (long long)job), NULL), 0));
	rv_assert_text(rv_buf_text(&e->out), "before\nafter\n");
	rv_e2e_end(e);
}

Test(e2e_upgrade, upgrades_under_load_lose_and_repeat_nothing)
{
	enum { JOBS = 200 };
	int64_t ids[JOBS];

	rv_e2e_new(e, "[pool:default]\nworkers = 2\n");
	rv_e2e_ini(e, "[pool:default]\nworkers = 3\nsurge = 1\n");
	rv_e2e_start(e);
	rv_e2e_submit(e, "ms=20", JOBS, ids);
	for (int i = 0; i < 4; i++)
		cr_assert(eq(int, rv_e2e_reeve(e, "upgrade", "--wait", NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "all workers are replaced");
	rv_e2e_wait_all(e, 0);
	rv_e2e_all_ran(e, ids, JOBS);
	for (int i = 0; i < JOBS; i++)
		cr_assert(eq(int, rv_e2e_view(e, ids[i])->runs, 1));
	rv_e2e_end(e);
}

/* Nobody holds the children's descriptors any more: they end with their jobs, and the next daemon
 * finds all as after any kill. */
Test(e2e_upgrade, killed_right_after_it_is_a_killed_supervisor)
{
	int64_t job;

	rv_e2e_new(e, "[pool:default]\nworkers = 2\n");
	rv_e2e_env(e, "RV_FAULT=sup_resumed:kill:1:reeved");
	rv_e2e_start(e);
	job = rv_e2e_job(e, "until=go");
	rv_e2e_job_says(e, "start ");
	rv_test_signal(&e->daemon, SIGUSR2);
	RV_NEED(e, rv_test_finish(&e->daemon, RV_E2E_WAIT_MS) == 128 + SIGKILL, "it is killed");
	RV_NEED(e, rv_e2e_gone(e, RV_E2E_WAIT_MS), "nothing is left");
	rv_e2e_no_env(e);
	go();
	rv_e2e_start(e);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_view(e, job)->runs, 2));
	cr_assert(eq(int, rv_e2e_view(e, job)->crashes, 0));
	rv_e2e_end(e);
}

/* The lock is the one it had: nobody gets in, before, while or after. */
Test(e2e_upgrade, a_second_daemon_stays_out)
{
	rv_e2e_new(e, "[pool:default]\nworkers = 1\n");
	rv_e2e_start(e);
	for (int i = 0; i < 3; i++) {
		char ini[400];
		const char *second[] = {rv_e2e_program("reeved"), "-c", ini, NULL};
		struct rv_test_start how = {.argv = second};
		struct rv_test_child child;

		(void)snprintf(ini, sizeof ini, "%s/reeve.ini", e->dir);
		rv_test_start(&how, &child);
		cr_assert(eq(int, rv_test_finish(&child, RV_E2E_WAIT_MS), 75));
		rv_test_end(&child);
		cr_assert(eq(int, rv_e2e_reeve(e, "upgrade", NULL), 0));
	}
	rv_e2e_end(e);
}
