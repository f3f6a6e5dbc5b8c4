/* Ending: drain and now, signals twice and in storms, children that do not end. */
#include "fakedaemon.h"

#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends with code 0 within ${ms}. */
static void ends(struct rv_fake *fake, int64_t ms)
{
	int64_t began_us = rv_mono_us();

	cr_assert(eq(int, rv_test_finish(&fake->child, RV_FAKE_WAIT_MS), 0));
	cr_assert(lt(long, (rv_mono_us() - began_us) / RV_MS_US, ms));
	rv_fake_clean(fake);
}

Test(sup_stop, a_drain_ends_workers_first_the_keeper_last)
{
	struct rv_fake fake;
	char *log;

	rv_fake_new(&fake, 3);
	rv_fake_up(&fake, 3);
	rv_test_signal(&fake.child, SIGTERM);
	ends(&fake, 2000);
	log = rv_test_read_file(rv_test_path("%s/fake/log", fake.dir));
	/* The keeper had all three obituaries before its own STOP. */
	cr_assert(eq(int, rv_fake_count(&fake, "STOP 0 0"), 4));
	rv_assert_has(strstr(log, "DIED 3"), "keeper 0");
	rv_assert_has(strstr(log, "DIED 3"), "STOP 0 0");
	free(log);
}

Test(sup_stop, f34_a_worker_that_ignores_stop_is_told_again_then_killed)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 2);
	fake.stop_timeout = "300ms";
	rv_fake_ini(&fake, "[pool:default]\nworkers = 2\n");
	rv_fake_orders(&fake, "worker.1", "nostop\nnonow\nescape 3\n");
	rv_fake_orders(&fake, "worker.2", "nostop\n");
	rv_fake_up(&fake, 2);
	rv_test_signal(&fake.child, SIGTERM);
	/* 0.3 s for the job, 0.5 s of kill_after, 1 s of margin. */
	ends(&fake, 2000 + 1800);
	cr_assert(eq(int, rv_fake_count(&fake, "STOP 1 0"), 2));
	/* By our KILL, but told to end: the drain counts nothing. */
	rv_fake_await(&fake, "died=0 code=0 signal=9 slot=1 left=0");
	cr_assert(rv_fake_err_has(&fake, "it did not end in time"));
}

Test(sup_stop, f34_a_keeper_that_ignores_stop_is_killed)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 1);
	rv_fake_orders(&fake, "keeper", "nostop\nnonow\n");
	rv_fake_up(&fake, 1);
	rv_test_signal(&fake.child, SIGTERM);
	ends(&fake, 9000);
}

Test(sup_stop, f34_stopped_children_do_not_hold_up_the_end)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 2);
	fake.stop_timeout = "100ms";
	rv_fake_ini(&fake, "[pool:default]\nworkers = 2\n");
	rv_fake_up(&fake, 2);
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 1, NULL), SIGSTOP), 0));
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 2, NULL), SIGSTOP), 0));
	rv_test_signal(&fake.child, SIGTERM);
	ends(&fake, 5000);
}

Test(sup_stop, f11_a_second_term_does_not_wait)
{
	static const int seconds[] = {SIGTERM, SIGINT, SIGQUIT};

	for (size_t i = 0; i < RV_ARRAY_LEN(seconds); i++) {
		struct rv_fake fake;

		rv_fake_new(&fake, 2);
		fake.stop_timeout = "1h";
		rv_fake_ini(&fake, "[pool:default]\nworkers = 2\n");
		rv_fake_orders(&fake, "worker", "nostop\n");
		rv_fake_up(&fake, 2);
		rv_test_signal(&fake.child, SIGTERM);
		rv_fake_await_count(&fake, "STOP 0 0", 2);
		rv_fake_await_status(&fake, "daemon.state", "draining");
		rv_test_signal(&fake.child, seconds[i]);
		ends(&fake, 3000);
		cr_assert(eq(int, rv_fake_count(&fake, "STOP 1 0"), 2));
	}
}

Test(sup_stop, quit_does_not_wait_at_all)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 2);
	fake.stop_timeout = "1h";
	rv_fake_ini(&fake, "[pool:default]\nworkers = 2\n");
	rv_fake_orders(&fake, "worker", "nostop\n");
	rv_fake_up(&fake, 2);
	rv_test_signal(&fake.child, SIGQUIT);
	ends(&fake, 3000);
	cr_assert(eq(int, rv_fake_count(&fake, "STOP 1 0"), 2));
}

Test(sup_stop, the_verb_shutdown_is_term_and_quit)
{
	struct rv_fake fake;
	struct rv_why why = {{0}};
	int err;

	rv_fake_new(&fake, 1);
	fake.stop_timeout = "1h";
	rv_fake_ini(&fake, "[pool:default]\nworkers = 1\n");
	rv_fake_orders(&fake, "worker", "nostop\n");
	rv_fake_up(&fake, 1);
	json_decref(rv_fake_call(&fake, "{\"v\":1,\"verb\":\"shutdown\"}", &err, &why));
	cr_assert(eq(int, err, RV_OK), "%s", why.text);
	rv_fake_await(&fake, "STOP 0 0");
	json_decref(
		rv_fake_call(&fake, "{\"v\":1,\"verb\":\"shutdown\",\"now\":true}", &err, &why));
	cr_assert(eq(int, err, RV_OK), "%s", why.text);
	ends(&fake, 3000);
}

Test(sup_stop, a_term_before_anything_is_ready)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 3);
	rv_fake_orders(&fake, "keeper", "noready\n");
	rv_fake_start(&fake);
	rv_fake_await(&fake, "start");
	rv_test_signal(&fake.child, SIGTERM);
	ends(&fake, 3000);
	cr_assert(eq(int, rv_fake_count(&fake, "worker"), 0));
}

Test(sup_stop, a_drain_starts_nobody_again)
{
	struct rv_fake fake;
	int starts;

	rv_fake_new(&fake, 2);
	fake.stop_timeout = "1h";
	rv_fake_ini(&fake, "[pool:default]\nworkers = 2\n");
	rv_fake_orders(&fake, "worker", "nostop\n");
	rv_fake_up(&fake, 2);
	starts = rv_fake_count(&fake, " start");
	rv_test_signal(&fake.child, SIGTERM);
	rv_fake_await_count(&fake, "STOP 0 0", 2);
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 1, NULL), SIGKILL), 0));
	rv_fake_await(&fake, "DIED 1 ");
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 2, NULL), SIGKILL), 0));
	ends(&fake, 3000);
	cr_assert(eq(int, rv_fake_count(&fake, " start"), starts));
}

Test(sup_stop, f11_storms_of_signals)
{
	static const int storm[] = {SIGHUP, SIGUSR1, SIGHUP, SIGCHLD, SIGUSR1, SIGPIPE};

	for (unsigned seed = 1; seed <= 8; seed++) {
		struct rv_fake fake;

		srand(seed);
		rv_fake_new(&fake, 2);
		rv_fake_up(&fake, 2);
		for (int i = 0; i < 100; i++)
			rv_test_signal(&fake.child, storm[rand() % (int)RV_ARRAY_LEN(storm)]);
		rv_test_signal(&fake.child, rand() % 2 ? SIGTERM : SIGINT);
		for (int i = 0; i < 20; i++)
			rv_test_signal(&fake.child, SIGHUP);
		if (rand() % 2)
			rv_test_signal(&fake.child, SIGTERM);
		ends(&fake, 4000);
	}
}

Test(sup_stop, a_death_storm_leaves_no_zombie)
{
	struct rv_fake fake;
	char *text;

	rv_fake_new(&fake, 30);
	rv_fake_up(&fake, 30);
	for (int slot = 1; slot <= 30; slot++)
		cr_assert(eq(int, kill(rv_fake_pid(&fake, slot, NULL), SIGKILL), 0));
	rv_fake_await_count(&fake, " ready\n", 61);
	rv_fake_await_status(&fake, "pool.alive", "30");
	text = rv_test_read_file(rv_test_path("/proc/%d/task/%d/children", (int)fake.child.pid,
					      (int)fake.child.pid));
	int children = 0;

	for (char *at = text; *at; at++)
		children += *at == ' ';
	free(text);
	cr_assert(eq(int, children, 31));
	rv_fake_down(&fake);
}

Test(sup_stop, usr1_reopens_the_log_everywhere)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 1);
	rv_fake_ini(&fake, "[log]\ntarget = %s/log.1\n[pool:default]\nworkers = 1\n", fake.dir);
	rv_fake_start(&fake);
	rv_fake_await_count(&fake, " ready\n", 2);
	cr_assert(rv_test_wait_text(rv_test_path("%s/log.1", fake.dir), "daemon.ready",
				    RV_FAKE_WAIT_MS));
	cr_assert(eq(int,
		     rename(rv_test_path("%s/log.1", fake.dir), rv_test_path("%s/log.0", fake.dir)),
		     0));
	rv_test_signal(&fake.child, SIGUSR1);
	cr_assert(rv_test_wait_text(rv_test_path("%s/log.1", fake.dir), "log.reopened",
				    RV_FAKE_WAIT_MS));
	rv_fake_await_count(&fake, "REOPEN", 2);
	rv_fake_down(&fake);
}
