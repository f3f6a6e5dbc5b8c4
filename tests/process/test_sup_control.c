/* The control socket and the doorbell: what they answer, and what they survive. */
#include "fakedaemon.h"

#include "base/buf.h"
#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "os/fd.h"
#include "os/sock.h"
#include "wire/sup.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static json_t *call(struct rv_fake *fake, const char *request)
{
	struct rv_why why = {{0}};
	int err;
	json_t *reply = rv_fake_call(fake, request, &err, &why);

	cr_assert(eq(int, err, RV_OK), "%s", why.text);
	return reply;
}

static void refused(struct rv_fake *fake, const char *request, int wanted, const char *says)
{
	struct rv_why why = {{0}};
	int err;

	cr_assert(zero(ptr, rv_fake_call(fake, request, &err, &why)));
	cr_assert(eq(int, rv_err_exit(err), wanted), "%s: %s", rv_err_name(err), why.text);
	rv_assert_has(why.text, says);
}

Test(sup_control, ping_and_status)
{
	struct rv_fake fake;
	json_t *reply;
	json_t *worker;
	json_t *daemon;

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	reply = call(&fake, "{\"v\":1,\"verb\":\"ping\"}");
	cr_assert(
		eq(long, (long)json_integer_value(json_object_get(reply, "pid")), fake.child.pid));
	json_decref(reply);
	reply = call(&fake, "{\"v\":1,\"verb\":\"status\"}");
	daemon = json_object_get(reply, "daemon");
	rv_assert_text(json_string_value(json_object_get(daemon, "state")), "ready");
	rv_assert_has(json_string_value(json_object_get(daemon, "config")), "reeve.ini");
	cr_assert(eq(sz, json_array_size(json_object_get(reply, "workers")), 2));
	worker = json_array_get(json_object_get(reply, "workers"), 0);
	rv_assert_text(json_string_value(json_object_get(worker, "id")), "default/0");
	rv_assert_text(json_string_value(json_object_get(worker, "state")), "idle");
	long pid = (long)json_integer_value(json_object_get(worker, "pid"));

	cr_assert(eq(long, pid, rv_fake_pid(&fake, 1, NULL)));
	long rss = (long)json_integer_value(json_object_get(worker, "rss_bytes"));

	cr_assert(lt(long, 0, rss));
	const json_t *job = json_object_get(worker, "job");

	cr_assert(eq(int, json_typeof(job), JSON_NULL));
	cr_assert(eq(sz, json_array_size(json_object_get(reply, "degraded")), 0));
	json_decref(reply);
	rv_fake_down(&fake);
}

Test(sup_control, a_blocked_writer_is_degraded_and_named)
{
	struct rv_fake fake;
	json_t *reply;

	rv_fake_new(&fake, 1);
	rv_fake_orders(&fake, "keeper", "ready\n");
	rv_fake_up(&fake, 1);
	rv_fake_order(&fake, 0, "notick\nblocked 4711\n");
	rv_fake_await_status(&fake, "daemon.state", "degraded");
	reply = call(&fake, "{\"v\":1,\"verb\":\"status\"}");
	rv_assert_has(json_string_value(json_array_get(json_object_get(reply, "degraded"), 0)),
		      "writer blocked by pid 4711");
	json_decref(reply);
	rv_fake_order(&fake, 0, "blocked 0\n");
	rv_fake_await_status(&fake, "daemon.state", "ready");
	rv_fake_await_err(&fake, "writer.free");
	rv_fake_down(&fake);
}

Test(sup_control, refusals_say_why)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	refused(&fake, "{\"v\":1,\"verb\":\"statsu\"}", 2, "did you mean status");
	refused(&fake, "{\"v\":1,\"verb\":\"shutdown\",\"nwo\":true}", 2, "nwo");
	refused(&fake, "{\"v\":1,\"verb\":\"shutdown\",\"now\":\"yes\"}", 2, "now");
	refused(&fake, "{\"v\":1,\"verb\":\"kick\"}", 2, "kick needs");
	refused(&fake, "{\"v\":1,\"verb\":\"kick\",\"slot\":99,\"job\":1,\"fence\":1}", 3,
		"no worker");
	refused(&fake,
		"{\"v\":1,\"verb\":\"kick\",\"slot\":1,\"job\":1,\"fence\":1,\"incarnation\":5}", 3,
		"ended");
	refused(&fake, "{\"v\":1,\"verb\":\"waits\"}", 2, "waits needs");
	refused(&fake, "{\"v\":1,\"verb\":\"waits\",\"slot\":1,\"incarnation\":1,\"job\":1}", 2,
		"waits needs");
	refused(&fake,
		"{\"v\":1,\"verb\":\"waits\",\"slot\":1,\"incarnation\":1,\"job\":1,\"on\":1}", 2,
		"on");
	refused(&fake,
		"{\"v\":1,\"verb\":\"waits\",\"slot\":99,\"incarnation\":1,\"job\":1,\"on\":true}",
		3, "no worker");
	refused(&fake,
		"{\"v\":1,\"verb\":\"waits\",\"slot\":-1,\"incarnation\":1,\"job\":1,\"on\":true}",
		3, "no worker");
	refused(&fake,
		"{\"v\":1,\"verb\":\"waits\",\"slot\":1,\"incarnation\":1,\"job\":1,\"on\":true}",
		3, "does not run");
	rv_fake_await_status(&fake, "daemon.state", "ready");
	rv_fake_down(&fake);
}

/* Who says so of a job that does not run gets nobody a worker. */
Test(sup_control, nobody_waits_for_a_job_that_does_not_run)
{
	struct rv_fake fake;
	unsigned long long incarnation;
	char request[200];

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	(void)rv_fake_pid(&fake, 1, &incarnation);
	(void)snprintf(request, sizeof request,
		       "{\"v\":1,\"verb\":\"waits\",\"slot\":1,\"incarnation\":%llu,\"job\":77,"
		       "\"on\":true}",
		       incarnation);
	refused(&fake, request, 3, "job 77 does not run there");
	rv_fake_await_status(&fake, "daemon.state", "ready");
	rv_fake_down(&fake);
}

Test(sup_control, kick_reaches_the_worker)
{
	struct rv_fake fake;
	unsigned long long incarnation;
	char request[200];

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	(void)rv_fake_pid(&fake, 2, &incarnation);
	(void)snprintf(request, sizeof request,
		       "{\"v\":1,\"verb\":\"kick\",\"slot\":2,\"incarnation\":%llu,\"job\":77,"
		       "\"fence\":8}",
		       incarnation);
	json_decref(call(&fake, request));
	rv_fake_await(&fake, "CANCEL 77 8");
	/* And by a child's own KICK. */
	rv_fake_order(&fake, 2, "kick 1 55 6\n");
	rv_fake_await(&fake, "CANCEL 55 6");
	/* One for nobody is nobody's end. */
	rv_fake_order(&fake, 2, "kick 4000000000 55 6\nkick 9 1 1\nsay done\n");
	rv_fake_await_err(&fake, "default/1: done");
	rv_fake_down(&fake);
}

/* Sends ${size} bytes as they are and gives the answer, "" when there is none. */
static void raw(struct rv_fake *fake, const char *bytes, size_t size, char *ret_text, size_t space)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	struct rv_why why = {{0}};
	struct rv_buf buf;

	(void)signal(SIGPIPE, SIG_IGN); /* it need not read all that is sent */
	cr_assert(eq(int, rv_sock_connect(fake->control, 5 * RV_S_US, &fd, &why), RV_OK), "%s",
		  why.text);
	(void)!rv_fd_write_all(fd, bytes, size);
	rv_buf_init(&buf);
	(void)!rv_fd_read_buf(fd, 1U << 20, &buf);
	(void)snprintf(ret_text, space, "%s", rv_buf_text(&buf));
	rv_buf_fini(&buf);
}

Test(sup_control, f30_garbage_is_answered_or_dropped)
{
	static const char *const texts[] = {
		"\n",
		"{}\n",
		"null\n",
		"[1,2]\n",
		"{\"v\":2,\"verb\":\"ping\"}\n",
		"{\"v\":1}\n",
		"{\"v\":1,\"verb\":7}\n",
		"{\"v\":1,\"verb\":\"ping\"}}\n",
		"GET / HTTP/1.1\r\n\r\n",
		"{\"v\":1,\"verb\":\"ping\",\"verb\":\"shutdown\"}\n",
		"\xff\xfe\n",
	};
	struct rv_fake fake;
	char answer[2000];
	char *big = malloc(3U << 20);

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	for (size_t i = 0; i < RV_ARRAY_LEN(texts); i++) {
		raw(&fake, texts[i], strlen(texts[i]), answer, sizeof answer);
		rv_assert_has(answer, "\"ok\":false");
	}
	memset(big, 'x', 3U << 20);
	raw(&fake, big, 3U << 20, answer, sizeof answer);
	memset(big, '[', 100000);
	big[100000] = '\n';
	raw(&fake, big, 100001, answer, sizeof answer);
	rv_assert_has(answer, "\"ok\":false");
	free(big);
	json_decref(call(&fake, "{\"v\":1,\"verb\":\"ping\"}"));
	rv_fake_down(&fake);
}

Test(sup_control, silent_peers_do_not_keep_others_out)
{
	enum { SILENT = 40 };
	struct rv_fake fake;
	struct rv_why why = {{0}};
	int fds[SILENT];
	json_t *reply;
	int err;

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	for (int i = 0; i < SILENT; i++)
		cr_assert(eq(int, rv_sock_connect(fake.control, RV_S_US, &fds[i], &why), RV_OK));
	/* They are put out after five seconds each batch; then there is room again. */
	reply = rv_fake_call(&fake, "{\"v\":1,\"verb\":\"ping\"}", &err, &why);
	cr_assert(eq(int, err, RV_OK), "%s", why.text);
	json_decref(reply);
	for (int i = 0; i < SILENT; i++)
		rv_fd_close(&fds[i]);
	rv_fake_await_status(&fake, "pool.alive", "1");
	rv_fake_down(&fake);
}

Test(sup_control, too_many_requests_are_told_so)
{
	struct rv_fake fake;
	struct rv_why why = {{0}};
	int refusals = 0;

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	for (int i = 0; i < 400; i++) {
		int err;
		json_t *reply = rv_fake_try(&fake, "{\"v\":1,\"verb\":\"ping\"}", &err, &why);

		if (err != RV_OK) {
			cr_assert(eq(int, rv_err_exit(err), 75), "%s", why.text);
			refusals++;
		}
		json_decref(reply);
	}
	cr_assert(lt(int, 0, refusals));
	rv_fake_down(&fake);
}

static const char submit[] = "{\"v\":1,\"verb\":\"submit\"}\n";

static void submitted(struct rv_fake *fake)
{
	json_t *reply = call(fake, submit);

	rv_assert_text(json_string_value(json_object_get(reply, "from")), "keeper");
	json_decref(reply);
}

Test(sup_control, a_connection_is_passed_on_to_a_keeper_that_ticks)
{
	enum { CROWD = 100 };
	struct rv_fake fake;
	struct rv_why why = {{0}};
	int fds[CROWD];
	char line[300] = "";

	rv_fake_new(&fake, 1);
	rv_fake_orders(&fake, "worker.1", "nostop\n");
	rv_fake_up(&fake, 1);
	submitted(&fake);
	rv_fake_await(&fake, "SUBMIT with a connection");
	refused(&fake, "{\"v\":1,\"verb\":\"submit\",\"jobs\":[]}\n", 2, "jobs");
	/* It does not read: its channel keeps room for what it has to hear. */
	rv_fake_order(&fake, 0, "stop\n");
	for (int i = 0; i < CROWD; i++) {
		cr_assert(eq(int, rv_sock_connect(fake.control, RV_S_US, &fds[i], &why), RV_OK));
		cr_assert(eq(int, rv_fd_write_all(fds[i], submit, sizeof submit - 1), RV_OK));
	}
	cr_assert(rv_test_wait_line(fds[CROWD - 1], line, sizeof line, RV_FAKE_WAIT_MS));
	rv_assert_has(line, "behind with its work");
	for (int i = 0; i < CROWD; i++)
		rv_fd_close(&fds[i]);
	rv_fake_await_err(&fake, "has not ticked for 3 seconds");
	rv_fake_await_status(&fake, "daemon.state", "ready");
	submitted(&fake);
	/* The end is told to who comes while the last job runs. */
	json_decref(call(&fake, "{\"v\":1,\"verb\":\"shutdown\"}"));
	refused(&fake, submit, 7, "reeved is ending");
	cr_assert(eq(int, rv_test_finish(&fake.child, RV_FAKE_WAIT_MS), 0));
	rv_fake_clean(&fake);
}

Test(sup_bell, one_idle_worker_of_each_pool_is_woken)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 0);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 2\nqueues = default, bulk\n"
			   "[pool:other]\nworkers = 2\nqueues = bulk\n"
			   "[pool:third]\nworkers = 1\nqueues = third\n");
	rv_fake_up(&fake, 5);
	rv_fake_ring(&fake, rv_ring_token("default"));
	rv_fake_await_count(&fake, "WAKE ping", 1);
	rv_fake_ring(&fake, rv_ring_token("bulk"));
	rv_fake_await_count(&fake, "WAKE ping", 3);
	rv_fake_ring(&fake, rv_ring_token("third"));
	rv_fake_await(&fake, "worker 5");
	rv_fake_await_count(&fake, "WAKE ping", 4);
	rv_fake_ring(&fake, rv_ring_token("nobody's"));
	rv_fake_ring(&fake, RV_RING_KEEPER);
	rv_fake_await(&fake, "WAKE 0");
	cr_assert(eq(int, rv_fake_count(&fake, "WAKE ping"), 4));
	rv_fake_ring(&fake, RV_RING_ALL);
	rv_fake_await_count(&fake, "WAKE ping", 7);
	rv_fake_down(&fake);
}

Test(sup_bell, rings_go_round)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 3);
	rv_fake_up(&fake, 3);
	for (int i = 1; i <= 6; i++) {
		rv_fake_ring(&fake, RV_RING_ALL);
		rv_fake_await_count(&fake, "WAKE ping", i);
		/* It has answered when status was asked after its STATUS arrived. */
		rv_fake_await_status(&fake, "daemon.state", "ready");
	}
	char *log = rv_test_read_file(rv_test_path("%s/fake/log", fake.dir));
	int woken[4] = {0};
	char *save = NULL;

	for (char *line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		int slot;

		if (strstr(line, "WAKE") && sscanf(line, "worker %d", &slot) == 1)
			woken[slot]++;
	}
	free(log);
	for (int slot = 1; slot <= 3; slot++)
		cr_assert(eq(int, woken[slot], 2), "worker %d: %d", slot, woken[slot]);
	rv_fake_down(&fake);
}

Test(sup_bell, the_busy_are_let_alone)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 3);
	rv_fake_orders(&fake, "worker.1", "busy\n");
	rv_fake_orders(&fake, "worker.3", "busy\n");
	rv_fake_up(&fake, 3);
	for (int i = 1; i <= 3; i++) {
		rv_fake_ring(&fake, RV_RING_ALL);
		rv_fake_await_count(&fake, "WAKE ping", i);
		rv_fake_await_status(&fake, "daemon.state", "ready");
	}
	char *log = rv_test_read_file(rv_test_path("%s/fake/log", fake.dir));

	for (char *at = log; (at = strstr(at, "WAKE ping")); at++) {
		char *line = at;

		while (line > log && line[-1] != '\n')
			line--;
		cr_assert(eq(int, strncmp(line, "worker 2", 8), 0));
	}
	free(log);
	rv_fake_down(&fake);
}

Test(sup_bell, half_of_the_rings_can_be_dropped)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 1);
	rv_fake_env(&fake, "RV_RING_DROP=2");
	rv_fake_up(&fake, 1);
	for (int i = 0; i < 10; i++)
		rv_fake_ring(&fake, RV_RING_KEEPER);
	rv_fake_await_count(&fake, "WAKE 0", 5);
	rv_fake_down(&fake);
	cr_assert(eq(int, rv_fake_count(&fake, "WAKE 0"), 5));
}

Test(sup_words, f35_a_blocked_stderr_blocks_nothing)
{
	struct rv_fake fake;
	int64_t asked_us;

	rv_fake_new(&fake, 2);
	fake.no_file = true; /* a pipe that nobody reads */
	rv_fake_start(&fake);
	rv_fake_await_count(&fake, " ready\n", 3);
	/* Far more than the pipe and the log's ring take. */
	rv_fake_order(&fake, 1, "shout 1000000\n");
	rv_fake_order(&fake, 2, "shout 1000000\n");
	for (int i = 0; i < 20; i++) {
		asked_us = rv_mono_us();
		json_decref(call(&fake, "{\"v\":1,\"verb\":\"ping\"}"));
		cr_assert(lt(long, rv_mono_us() - asked_us, RV_S_US));
	}
	rv_fake_await_count(&fake, "shouted 1000000", 2);
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 1, NULL), SIGKILL), 0));
	rv_fake_await(&fake, "DIED 1 ");
	rv_fake_await_count(&fake, " ready\n", 4);
	rv_fake_down(&fake);
}

Test(sup_words, a_child_that_writes_too_much_is_cut_not_blocked)
{
	struct rv_fake fake;
	char *log;

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	rv_fake_order(&fake, 1, "shout 10000000\nsay the end\n");
	rv_fake_await(&fake, "shouted 10000000");
	/* Lines were dropped, and that is said once it writes slowly again. */
	rv_fake_await_err(&fake, "lines of its stderr were dropped");
	log = rv_test_read_file(rv_test_path("%s/err", fake.dir));
	cr_assert(lt(sz, strlen(log), 6U << 20));
	free(log);
	rv_fake_down(&fake);
}

Test(sup_words, lines_of_the_log_pass_and_others_become_events)
{
	struct rv_fake fake;
	char *log;

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	rv_fake_order(
		&fake, 1,
		"say {\"time\":\"x\",\"message\":\"as it is\"}\nsay just \"words\" \x1b[31m\n");
	rv_fake_await_err(&fake, "child.output");
	log = rv_test_read_file(rv_test_path("%s/err", fake.dir));
	rv_assert_has(log, "\n{\"time\":\"x\",\"message\":\"as it is\"}\n");
	rv_assert_has(log, "worker default/0: just \\\"words\\\" \\u001b[31m");
	free(log);
	rv_fake_down(&fake);
}

/* What status says of the keeper, in its first words; how many sentences it has in all. */
static int degraded(struct rv_fake *fake, const char *wanted)
{
	struct rv_why why = {{0}};
	int err;
	json_t *reply = rv_fake_call(fake, "{\"v\":1,\"verb\":\"status\"}", &err, &why);
	json_t *list = json_object_get(reply, "degraded");
	int count = (int)json_array_size(list);

	cr_assert(eq(int, err, RV_OK), "%s", why.text);
	if (wanted)
		rv_assert_has(json_string_value(json_array_get(list, 0)), wanted);
	json_decref(reply);
	return count;
}

/* Long before so many deaths have come together that it counts as degraded. */
Test(sup_control, a_keeper_that_does_not_come_up_is_told_at_once)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	rv_fake_await_status(&fake, "daemon.keeper", "running");
	rv_fake_orders(&fake, "keeper", "say no licence\nexit 3\n");
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 0, NULL), SIGKILL), 0));
	rv_fake_await_status(&fake, "daemon.keeper", "missing");
	rv_fake_await_status(&fake, "daemon.state", "degraded");
	cr_assert(eq(int, degraded(&fake, "no keeper runs (jobs that are due"), 1));
	cr_assert(lt(int, rv_fake_count(&fake, "keeper 0"), 6), "it is not the tenth start");
	/* One that neither ends nor is ready. */
	rv_fake_orders(&fake, "keeper", "ready\n");
	rv_fake_await_status(&fake, "daemon.state", "ready");
	cr_assert(eq(int, degraded(&fake, NULL), 0));
	rv_fake_orders(&fake, "keeper", "noready\n");
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 0, NULL), SIGKILL), 0));
	rv_fake_await_status(&fake, "daemon.state", "degraded");
	cr_assert(eq(int, degraded(&fake, "no keeper runs"), 1));
	rv_fake_orders(&fake, "keeper", "ready\n");
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 0, NULL), SIGKILL), 0));
	rv_fake_await_status(&fake, "daemon.keeper", "running");
	rv_fake_await_status(&fake, "daemon.state", "ready");
	rv_fake_down(&fake);
}
