/* The replacement of workers: in which order, how many at once, and what stops it. */
#include "fakedaemon.h"

#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void told(struct rv_fake *fake, const char *request)
{
	struct rv_why why = {{0}};
	int err;
	json_t *reply = rv_fake_call(fake, request, &err, &why);

	cr_assert(eq(int, err, RV_OK), "%s", why.text);
	json_decref(reply);
}

static int64_t pool_int(struct rv_fake *fake, const char *field)
{
	struct rv_why why = {{0}};
	int err;
	json_t *reply = rv_fake_call(fake, "{\"v\":1,\"verb\":\"status\"}", &err, &why);
	int64_t value;

	cr_assert(eq(int, err, RV_OK), "%s", why.text);
	value = json_integer_value(
		json_object_get(json_array_get(json_object_get(reply, "pools"), 0), field));
	json_decref(reply);
	return value;
}

#define RESTART "{\"v\":1,\"verb\":\"restart\"}"

/*
 * From the children's log: the least and the most that were up (READY, not told to STOP) at any
 * moment since ${workers} were.
 */
static void count_up(struct rv_fake *fake, int workers, int *ret_least, int *ret_most)
{
	char *log = rv_test_read_file(rv_test_path("%s/fake/log", fake->dir));
	char *save = NULL;
	int up = 0;

	*ret_least = workers;
	*ret_most = 0;
	for (char *line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *end = strrchr(line, ' ');

		if (strncmp(line, "worker", 6) != 0 || !end)
			continue;
		if (strcmp(end, " ready") == 0)
			up++;
		else if (strstr(line, " STOP 0 0"))
			up--;
		*ret_most = up > *ret_most ? up : *ret_most;
		if (*ret_most >= workers && up < *ret_least)
			*ret_least = up;
	}
	free(log);
}

Test(sup_roll, a_restart_replaces_all_but_not_the_keeper)
{
	struct rv_fake fake;
	int least;
	int most;

	rv_fake_new(&fake, 3);
	rv_fake_up(&fake, 3);
	told(&fake, RESTART);
	rv_fake_await_err(&fake, "pool default: all its workers are replaced");
	rv_fake_await_status(&fake, "pool.alive", "3");
	rv_fake_await_status(&fake, "pool.state", "ok");
	cr_assert(eq(int, rv_fake_count(&fake, " start"), 7));
	cr_assert(eq(int, rv_fake_count(&fake, "keeper"), rv_fake_count(&fake, "keeper 0")));
	count_up(&fake, 3, &least, &most);
	cr_assert(eq(int, least, 2));
	cr_assert(eq(int, most, 3));
	rv_fake_down(&fake);
}

Test(sup_roll, a_surge_has_the_new_one_up_before_the_old_one_leaves)
{
	struct rv_fake fake;
	int least;
	int most;

	rv_fake_new(&fake, 0);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 3\nsurge = 2\nmax_unavailable = 0\n");
	rv_fake_up(&fake, 3);
	/* Old ones take their time to leave; newcomers do not wait for that. */
	told(&fake, RESTART);
	rv_fake_await_err(&fake, "pool default: all its workers are replaced");
	rv_fake_await_status(&fake, "pool.alive", "3");
	cr_assert(eq(int, rv_fake_count(&fake, " start"), 7));
	count_up(&fake, 3, &least, &most);
	cr_assert(eq(int, least, 3));
	cr_assert(lt(int, 3, most));
	rv_fake_down(&fake);
}

Test(sup_roll, many_may_be_unavailable)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 0);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 4\nmax_unavailable = 4\n");
	rv_fake_up(&fake, 4);
	told(&fake, RESTART);
	rv_fake_await_err(&fake, "pool default: all its workers are replaced");
	rv_fake_await_count(&fake, " start", 9);
	rv_fake_await_status(&fake, "pool.alive", "4");
	rv_fake_down(&fake);
}

Test(sup_roll, newcomers_that_fail_end_it_and_the_old_ones_stay)
{
	struct rv_fake fake;
	pid_t pids[3];

	rv_fake_new(&fake, 0);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 2\nsurge = 1\nmax_unavailable = 0\n"
			   "restart_delay = 1ms\n");
	rv_fake_up(&fake, 2);
	for (int slot = 1; slot <= 2; slot++)
		pids[slot] = rv_fake_pid(&fake, slot, NULL);
	rv_fake_orders(&fake, "worker", "exit 1\n");
	told(&fake, RESTART);
	rv_fake_await_err(&fake, "the 2 old ones are kept");
	rv_fake_await_status(&fake, "daemon.state", "degraded");
	rv_fake_await_status(&fake, "pool.alive", "2");
	cr_assert(eq(int, (int)pool_int(&fake, "old"), 2));
	for (int slot = 1; slot <= 2; slot++) {
		cr_assert(eq(int, rv_fake_pid(&fake, slot, NULL), pids[slot]));
		cr_assert(eq(int, kill(pids[slot], 0), 0));
	}
	/* The place of the newcomer is free again: it is not tried for ever. */
	cr_assert(eq(int, rv_fake_count(&fake, " start"), 5));
	rv_fake_orders(&fake, "worker", "ready\n");
	told(&fake, RESTART);
	rv_fake_await_err(&fake, "pool default: all its workers are replaced");
	rv_fake_await_status(&fake, "daemon.state", "ready");
	rv_fake_down(&fake);
}

Test(sup_roll, a_restart_during_a_restart_replaces_the_new_ones_too)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	told(&fake, RESTART);
	told(&fake, RESTART);
	rv_fake_await_err(&fake, "pool default: all its workers are replaced");
	rv_fake_await_status(&fake, "pool.alive", "2");
	cr_assert(eq(int, (int)pool_int(&fake, "old"), 0));
	rv_fake_down(&fake);
}

Test(sup_roll, an_old_worker_is_recycled)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 0);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 2\nrecycle_age = 1s\n");
	rv_fake_up(&fake, 2);
	rv_fake_await_count(&fake, " start default/0", 2);
	rv_fake_await_count(&fake, " start default/1", 2);
	rv_fake_await_err(&fake, "worker default/1 is replaced: it is ");
	rv_fake_down(&fake);
}

Test(sup_roll, a_worker_with_too_much_memory_is_recycled)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 0);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 1\nrecycle_rss = 1K\nsurge = 1\n"
			   "max_unavailable = 0\n");
	rv_fake_up(&fake, 1);
	rv_fake_await_err(&fake, "bytes of memory");
	/* Its successor was there first. */
	rv_fake_await(&fake, " start default/1");
	rv_fake_await(&fake, "STOP 0 0");
	rv_fake_down(&fake);
}

Test(sup_roll, without_restart_a_failed_worker_stays_away)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 0);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 2\non_exit = hold\n");
	rv_fake_up(&fake, 2);
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 1, NULL), SIGKILL), 0));
	rv_fake_await_err(&fake, "is not started again before the next reload");
	rv_fake_await_status(&fake, "pool.alive", "1");
	rv_fake_await_status(&fake, "pool.state", "failed");
	told(&fake, RESTART);
	rv_fake_await_status(&fake, "pool.alive", "2");
	rv_fake_await_status(&fake, "daemon.state", "ready");
	rv_fake_down(&fake);
}

Test(sup_roll, a_pool_that_nobody_can_do_without_ends_the_daemon)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 0);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 2\non_exit = stop\n");
	rv_fake_up(&fake, 2);
	/* As told is not a failure. */
	told(&fake, RESTART);
	rv_fake_await_count(&fake, " start default", 4);
	rv_fake_await_status(&fake, "pool.alive", "2");
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 1, NULL), SIGKILL), 0));
	rv_fake_await_err(&fake, "worker default/0 has failed");
	cr_assert(eq(int, rv_test_finish(&fake.child, RV_FAKE_WAIT_MS), 70));
	rv_fake_clean(&fake);
}

/* Whatever way it fails: one that finds its configuration wrong would not be started again. */
Test(sup_roll, nor_does_a_wrong_configuration_keep_it)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 0);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 2\non_exit = stop\n");
	rv_fake_up(&fake, 2);
	rv_fake_order(&fake, 1, "exit 78\n");
	rv_fake_await_err(&fake, "worker default/0 has failed");
	cr_assert(eq(int, rv_test_finish(&fake.child, RV_FAKE_WAIT_MS), 70));
	rv_fake_clean(&fake);
}

/* By readiness, in a chain; who comes after somebody that fails waits, and keeps nobody from READY.
 */
Test(sup_roll, pools_come_one_after_the_other)
{
	struct rv_fake fake;
	char *log;

	rv_fake_new(&fake, 0);
	rv_fake_ini(&fake, "[pool:a]\nworkers = 1\nqueues = a\nafter = pool:b\n"
			   "[pool:b]\nworkers = 2\nqueues = b\nafter = pool:c\n"
			   "[pool:c]\nworkers = 1\nqueues = c\n");
	rv_fake_up(&fake, 4);
	log = rv_test_read_file(rv_test_path("%s/fake/log", fake.dir));
	cr_assert(lt(ptr, strstr(log, " start c/0"), strstr(log, " start b/0")));
	cr_assert(lt(ptr, strstr(log, " start b/1"), strstr(log, " start a/0")));
	free(log);
	/* Later deaths of the first are no matter of the others. */
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 4, NULL), SIGKILL), 0));
	rv_fake_await_count(&fake, " start", 6);
	rv_fake_down(&fake);
}

Test(sup_roll, who_comes_after_one_that_fails_waits)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 0);
	rv_fake_ini(&fake, "[pool:a]\nworkers = 1\nqueues = a\nafter = pool:b\n"
			   "[pool:b]\nworkers = 1\nqueues = b\n");
	rv_fake_orders(&fake, "worker", "exit 78\n");
	rv_fake_start(&fake);
	rv_fake_await_err(&fake, "\"ready\"");
	rv_fake_await_status(&fake, "pool.state", "waiting");
	cr_assert(eq(int, rv_fake_count(&fake, " start a/"), 0));
	rv_fake_orders(&fake, "worker", "ready\n");
	told(&fake, "{\"v\":1,\"verb\":\"reload\"}");
	rv_fake_await(&fake, " start a/0");
	rv_fake_down(&fake);
}

Test(sup_roll, the_number_follows_the_work_between_its_bounds)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 0);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 0..3\nscale_up_wait = 10ms\n"
			   "scale_idle = 50ms\n");
	rv_fake_orders(&fake, "worker", "busy\nready\n");
	rv_fake_up(&fake, 0);
	cr_assert(eq(int, (int)pool_int(&fake, "target"), 0));
	/* A ring for a pool without a worker starts one. */
	rv_fake_ring(&fake, 0);
	rv_fake_await_status(&fake, "pool.alive", "1");
	rv_fake_await_err(&fake, "pool default: 1 workers, 0 before: jobs wait and nobody is idle");
	/* Not its keeper's: nobody's.  An unknown pool: nobody's. */
	rv_fake_order(&fake, 0, "load other 100 99000000\n");
	for (int i = 0; i < 40 && pool_int(&fake, "target") < 3; i++) {
		rv_fake_order(&fake, 0, "load default 100 99000000\n");
		(void)poll(NULL, 0, 200);
	}
	rv_fake_await_status(&fake, "pool.alive", "3");
	rv_fake_await_err(&fake, "\"ready\":100");
	/* Nobody is idle: nobody ends. */
	rv_fake_order(&fake, 0, "load default 0 0\n");
	cr_assert(eq(int, (int)pool_int(&fake, "target"), 3));
	/* The one that is idle ends, not another. */
	rv_fake_order(&fake, 2, "idle 1\n");
	rv_fake_await(&fake, "order obeyed");
	for (int i = 0; i < 40 && pool_int(&fake, "target") == 3; i++) {
		rv_fake_order(&fake, 0, "load default 0 0\n");
		(void)poll(NULL, 0, 100);
	}
	rv_fake_await_status(&fake, "pool.alive", "2");
	rv_fake_await_count(&fake, "STOP 0 0", 1);
	rv_fake_await(&fake, "worker 2 ");
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 1, NULL), 0), 0));
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 3, NULL), 0), 0));
	rv_fake_down(&fake);
}

Test(sup_roll, a_worker_may_not_say_what_waits)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 0);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 1..3\n");
	rv_fake_up(&fake, 1);
	rv_fake_order(&fake, 1, "load default 100 99000000\n");
	rv_fake_await_err(&fake, "what only the keeper may say");
	rv_fake_down(&fake);
}

/* Told to leave when it was idle, it had taken a job meanwhile: that one has its time. */
Test(sup_roll, who_leaves_for_want_of_work_is_not_hurried)
{
	struct rv_fake fake;
	pid_t pid;

	rv_fake_new(&fake, 0);
	fake.stop_timeout = "50ms";
	rv_fake_ini(&fake, "[pool:default]\nworkers = 0..1\nscale_idle = 10ms\n");
	rv_fake_orders(&fake, "worker", "nostop\nready\n");
	rv_fake_up(&fake, 0);
	rv_fake_ring(&fake, 0);
	rv_fake_await_status(&fake, "pool.alive", "1");
	pid = rv_fake_pid(&fake, 1, NULL);
	for (int i = 0; i < 40 && pool_int(&fake, "target") == 1; i++) {
		rv_fake_order(&fake, 0, "load default 0 0\n");
		(void)poll(NULL, 0, 50);
	}
	rv_fake_await(&fake, "STOP 0 0");
	(void)poll(NULL, 0, 500); /* ten times as long as a stop may take */
	cr_assert(eq(int, kill(pid, 0), 0));
	cr_assert(eq(int, rv_fake_count(&fake, "STOP 1 0"), 0));
	/* The end of all is another matter. */
	rv_fake_down(&fake);
	cr_assert(eq(int, rv_fake_count(&fake, "STOP 1 0"), 1));
}

/* Exit 78 waits for a reload: there will be no second try that could be counted. */
Test(sup_roll, a_newcomer_that_is_not_started_again_ends_it_too)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 3);
	rv_fake_up(&fake, 3);
	rv_fake_orders(&fake, "worker", "exit 78\n");
	told(&fake, RESTART);
	rv_fake_await_err(&fake, "the 2 old ones are kept");
	rv_fake_await_status(&fake, "pool.alive", "2");
	rv_fake_orders(&fake, "worker", "ready\n");
	told(&fake, RESTART);
	rv_fake_await_err(&fake, "pool default: all its workers are replaced");
	rv_fake_down(&fake);
}
