/* What people ask of pools while the daemon runs: more and fewer workers, quiet, drained. */
#include "fakedaemon.h"

#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "base/seam.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static json_t *call(struct rv_fake *fake, const char *request)
{
	struct rv_why why = {{0}};
	int err;
	json_t *reply = rv_fake_call(fake, request, &err, &why);

	cr_assert(eq(int, err, RV_OK), "%s", why.text);
	return reply;
}

static void told(struct rv_fake *fake, const char *request)
{
	json_decref(call(fake, request));
}

static void refused(struct rv_fake *fake, const char *request, int wanted, const char *says)
{
	struct rv_why why = {{0}};
	int err;

	cr_assert(zero(ptr, rv_fake_call(fake, request, &err, &why)));
	cr_assert(eq(int, rv_err_exit(err), wanted), "%s: %s", rv_err_name(err), why.text);
	rv_assert_has(why.text, says);
}

#define SCALE(fields) "{\"v\":1,\"verb\":\"scale\",\"pool\":\"default\"," fields "}"
#define VERB(name)    "{\"v\":1,\"verb\":\"" name "\"}"

Test(sup_pools, scaled_by_verb_to_any_number_and_back)
{
	struct rv_fake fake;
	json_t *reply;

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	reply = call(&fake, SCALE("\"workers\":4"));
	cr_assert(eq(int, (int)json_integer_value(json_object_get(reply, "from")), 2));
	cr_assert(eq(int, (int)json_integer_value(json_object_get(reply, "to")), 4));
	json_decref(reply);
	rv_fake_await_status(&fake, "pool.alive", "4");
	told(&fake, SCALE("\"by\":-1"));
	rv_fake_await_status(&fake, "pool.alive", "3");
	told(&fake, SCALE("\"workers\":0"));
	rv_fake_await_status(&fake, "pool.alive", "0");
	/* None is what was asked for: nothing is wrong. */
	rv_fake_await_status(&fake, "pool.state", "ok");
	rv_fake_await_status(&fake, "daemon.state", "ready");
	told(&fake, SCALE("\"by\":2"));
	rv_fake_await_status(&fake, "pool.alive", "2");
	rv_fake_down(&fake);
}

Test(sup_pools, a_scale_that_cannot_be_is_refused)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	refused(&fake, SCALE("\"workers\":200"), 6, "room for 36 workers");
	refused(&fake, SCALE("\"workers\":-1"), 2, "no number of workers");
	refused(&fake, SCALE("\"by\":-3"), 2, "no number of workers");
	refused(&fake, SCALE("\"by\":9223372036854775807"), 2, "no number of workers");
	refused(&fake, SCALE("\"workers\":\"4\""), 2, "workers");
	refused(&fake, "{\"v\":1,\"verb\":\"scale\",\"pool\":\"default\"}", 2, "workers or by");
	refused(&fake, "{\"v\":1,\"verb\":\"scale\",\"workers\":1}", 2, "which pool?");
	refused(&fake, "{\"v\":1,\"verb\":\"scale\",\"pool\":\"defualt\",\"workers\":1}", 3,
		"did you mean default?");
	refused(&fake, "{\"v\":1,\"verb\":\"quiet\",\"pool\":\"x\"}", 3, "no pool x");
	rv_fake_await_status(&fake, "pool.alive", "2");
	rv_fake_down(&fake);
}

/* A number that somebody asked for stays, until the file says another than before. */
Test(sup_pools, a_reload_keeps_what_was_scaled_unless_workers_changed)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	told(&fake, SCALE("\"workers\":3"));
	rv_fake_await_status(&fake, "pool.alive", "3");
	rv_fake_ini(&fake, "[pool:default]\nworkers = 2\nhang_timeout = 19s\n");
	told(&fake, VERB("reload"));
	rv_fake_await_status(&fake, "pool.target", "3");
	rv_fake_ini(&fake, "[pool:default]\nworkers = 1\nhang_timeout = 19s\n");
	told(&fake, VERB("reload"));
	rv_fake_await_status(&fake, "pool.target", "1");
	rv_fake_await_status(&fake, "pool.alive", "1");
	rv_fake_down(&fake);
}

Test(sup_pools, ttin_and_ttou_are_one_more_and_one_fewer_of_default)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 0);
	rv_fake_ini(&fake, "[pool:a]\nworkers = 1\nqueues = a\n[pool:default]\nworkers = 1\n");
	rv_fake_up(&fake, 2);
	rv_test_signal(&fake.child, SIGTTIN);
	rv_fake_await(&fake, " start default/1");
	rv_test_signal(&fake.child, SIGTTOU);
	rv_fake_await_err(&fake, "pool default: 1 workers, 2 before");
	rv_test_signal(&fake.child, SIGTTOU);
	rv_fake_await_err(&fake, "pool default keeps its last worker");
	rv_fake_down(&fake);
	cr_assert(eq(int, rv_fake_count(&fake, " start a/"), 1));
}

Test(sup_pools, ttin_without_a_pool_default_is_the_first_ones)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 0);
	rv_fake_ini(&fake,
		    "[pool:a]\nworkers = 1\nqueues = a\n[pool:b]\nworkers = 1\nqueues = b\n");
	rv_fake_up(&fake, 2);
	rv_test_signal(&fake.child, SIGTTIN);
	rv_fake_await(&fake, " start a/1");
	rv_fake_down(&fake);
}

Test(sup_pools, quiet_is_told_to_all_and_to_newcomers)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	rv_test_signal(&fake.child, SIGTSTP);
	rv_fake_await_count(&fake, "QUIET 0 0", 2);
	rv_fake_await_status(&fake, "pool.state", "quiet");
	rv_fake_await_status(&fake, "daemon.state", "ready");
	/* No ring wakes it, whoever comes up is quiet from the start. */
	rv_fake_ring(&fake, 0);
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 1, NULL), SIGKILL), 0));
	rv_fake_await_count(&fake, " start quiet", 1);
	told(&fake, VERB("quiet"));
	rv_test_signal(&fake.child, SIGCONT);
	rv_fake_await_count(&fake, "RESUME 0 0", 2);
	rv_fake_await_status(&fake, "pool.state", "ok");
	cr_assert(eq(int, rv_fake_count(&fake, "QUIET 0 0"), 2), "twice is once");
	cr_assert(eq(int, rv_fake_count(&fake, "WAKE"), 0));
	rv_fake_down(&fake);
}

Test(sup_pools, one_pool_can_be_quiet_alone)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 0);
	rv_fake_ini(&fake,
		    "[pool:a]\nworkers = 1\nqueues = a\n[pool:b]\nworkers = 1\nqueues = b\n");
	rv_fake_up(&fake, 2);
	told(&fake, "{\"v\":1,\"verb\":\"quiet\",\"pool\":\"b\"}");
	rv_fake_await(&fake, "worker 2 ");
	rv_fake_await_count(&fake, "QUIET 0 0", 1);
	told(&fake, VERB("resume"));
	rv_fake_await_count(&fake, "RESUME 0 0", 1);
	rv_fake_down(&fake);
}

Test(sup_pools, winch_drains_the_pools_and_keeps_the_daemon)
{
	struct rv_fake fake;
	pid_t keeper;

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	keeper = rv_fake_pid(&fake, 0, NULL);
	rv_test_signal(&fake.child, SIGWINCH);
	rv_fake_await_count(&fake, "STOP 0 0", 2);
	rv_fake_await_status(&fake, "pool.state", "drained");
	rv_fake_await_status(&fake, "pool.alive", "0");
	rv_fake_await_status(&fake, "daemon.state", "ready");
	cr_assert(eq(int, rv_fake_pid(&fake, 0, NULL), keeper));
	/* More of none is none, until it goes on. */
	told(&fake, SCALE("\"workers\":3"));
	rv_fake_await_status(&fake, "pool.target", "0");
	told(&fake, VERB("resume"));
	rv_fake_await_status(&fake, "pool.alive", "3");
	rv_fake_down(&fake);
}

Test(sup_pools, nothing_is_changed_while_it_ends)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 1);
	fake.stop_timeout = "60s";
	rv_fake_ini(&fake, "[pool:default]\nworkers = 1\n");
	rv_fake_orders(&fake, "worker", "nostop\n");
	rv_fake_up(&fake, 1);
	rv_test_signal(&fake.child, SIGTERM);
	rv_fake_await_status(&fake, "daemon.state", "draining");
	refused(&fake, SCALE("\"workers\":3"), 5, "is ending");
	refused(&fake, VERB("drain"), 5, "is ending");
	rv_test_signal(&fake.child, SIGTTIN);
	rv_test_signal(&fake.child, SIGCONT);
	rv_test_signal(&fake.child, SIGWINCH);
	rv_fake_await_err(&fake, "signal WINCH");
	cr_assert(eq(int, rv_fake_count(&fake, " start"), 2));
	rv_fake_down(&fake);
}
