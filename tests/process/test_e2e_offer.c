/*
 * Jobs handed to the daemon ([client] submit = daemon), by the CLI and by libreeve: stored once and
 * told, whoever is killed, stopped or replaced on the way; and where nobody takes them, directly.
 */
#include "process/e2e.h"

#include "base/seam.h"
#include "client/reeve.h"
#include "helpers/assert.h"
#include "helpers/tier.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "os/fd.h"
#include "os/sock.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAEMON                                                                                     \
	"[client]\nsubmit = daemon\n[log]\nlevel = debug\n[pool:default]\nworkers = 2\n"           \
	"restart_delay = 10ms\nrestart_burst = 1000/1s\n"

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;
static struct reeve *reeve;

static void setup(void)
{
	rv_e2e_new(e, DAEMON);
}

static void teardown(void)
{
	reeve_close(reeve);
	reeve = NULL;
	rv_e2e_end(e);
}

TestSuite(e2e_offer, .init = setup, .fini = teardown);

#define OK(call)                                                                                   \
	do {                                                                                       \
		int ok_ = (call);                                                                  \
		cr_assert(eq(int, ok_, REEVE_OK), "%s", reeve_error(reeve));                       \
	} while (0)

static void open_reeve(void)
{
	struct reeve_open how = REEVE_OPEN_INIT;

	how.config = rv_e2e_path(e, "reeve.ini");
	cr_assert(eq(int, reeve_open(&how, &reeve), REEVE_OK), "%s", reeve_error(NULL));
}

static int64_t enqueue(const char *json)
{
	int64_t id = 0;

	OK(reeve_enqueue_json(reeve, json, &id));
	cr_assert(lt(i64, 0, id));
	return id;
}

/* How many connections were handed to the keeper so far. */
static int handed_over(void)
{
	return rv_e2e_log_count(e, "request submit");
}

/* How many jobs there are, of any state. */
static int64_t jobs(void)
{
	struct rv_store_totals totals;
	int64_t count = 0;

	cr_assert(rv_store_totals(rv_e2e_store(e), &totals) == RV_OK);
	for (int i = 0; i < RV_JOB_STATES; i++)
		count += totals.counts[i];
	return count;
}

static bool has_one(void *ctx)
{
	(void)ctx;
	return jobs() == 1;
}

/* `reeve add` that ends where it would write to the store itself. */
static void forbid_direct(bool forbid)
{
	if (forbid)
		(void)setenv("RV_FAULT", "enqueue_commit:exit:1:reeve", 1);
	else
		(void)unsetenv("RV_FAULT");
}

Test(e2e_offer, the_keeper_stores_and_the_job_runs)
{
	int64_t id;

	rv_e2e_start(e);
	forbid_direct(true);
	id = rv_e2e_job(e, "say=word");
	cr_assert(eq(int, rv_e2e_reeve(e, "run", "--", "/bin/sh", "-c", "exit 7", NULL), 7));
	cr_assert(eq(int, rv_e2e_reeve(e, "add", "nop", NULL), 3));
	rv_assert_has(rv_buf_text(&e->err), "did you mean \"noop\"");
	forbid_direct(false);
	rv_e2e_until(e, id, RV_JOB_SUCCEEDED);
	cr_assert(eq(int, handed_over(), 3));
	open_reeve();
	for (int i = 0; i < 20; i++) {
		id = enqueue("{\"task\":\"noop\"}");
		OK(reeve_wait(reeve, &id, 1, 60 * RV_S_US));
	}
	cr_assert(eq(int, handed_over(), 4), "a handle keeps its connection");
	cr_assert(eq(i64, jobs(), 22));
}

/* Too much for a line, or a block of its own: one transaction is no worse for being its own. */
Test(e2e_offer, what_is_big_goes_directly)
{
	char *big = malloc(100001);

	rv_e2e_start(e);
	memset(big, 'x', 100000);
	big[100000] = '\0';
	rv_test_write_file(rv_e2e_path(e, "big"), "%s", big);
	(void)rv_e2e_add(e, "--stdin", rv_e2e_path(e, "big"), "noop", NULL);
	free(big);
	cr_assert(eq(int, handed_over(), 0));
	rv_e2e_wait_all(e, 0);
}

Test(e2e_offer, without_a_daemon_it_is_direct)
{
	int64_t id;

	cr_assert(eq(i64, rv_e2e_add(e, "noop", NULL), 1));
	rv_assert_has(rv_buf_text(&e->err), "reeved is not running");
	open_reeve();
	id = enqueue("{\"task\":\"noop\"}");
	rv_e2e_start(e);
	OK(reeve_wait(reeve, &id, 1, 60 * RV_S_US));
	/* The next one is tried there again, a second later at most. */
	while (handed_over() == 0) {
		id = enqueue("{\"task\":\"noop\"}");
		OK(reeve_wait(reeve, &id, 1, 60 * RV_S_US));
	}
}

/* Between COMMIT and answer: it is stored, and nobody can know it. */
Test(e2e_offer, a_lost_answer_is_told_and_nothing_is_doubled)
{
	rv_e2e_env(e, "RV_FAULT=keeper_stored:kill:1:keeper");
	rv_e2e_env(e, "RV_FAULT_ONCE=%s/once", e->dir);
	rv_e2e_start(e);
	cr_assert(eq(int, rv_e2e_reeve(e, "add", "noop", NULL), 74));
	rv_assert_has(rv_buf_text(&e->err), "whether the job is stored is not known");
	rv_assert_has(rv_buf_text(&e->err), "idempotency key");
	cr_assert(eq(i64, jobs(), 1));
	rv_e2e_wait_all(e, 0);
}

Test(e2e_offer, a_lost_answer_is_asked_for_by_the_key)
{
	rv_e2e_env(e, "RV_FAULT=keeper_stored:kill:1:keeper");
	rv_e2e_env(e, "RV_FAULT_ONCE=%s/once", e->dir);
	rv_e2e_start(e);
	cr_assert(eq(i64, rv_e2e_add(e, "--idempotency-key", "k", "noop", NULL), 1));
	cr_assert(eq(int, access(rv_e2e_path(e, "once"), F_OK), 0));
	cr_assert(eq(i64, jobs(), 1));
	cr_assert(eq(i64, rv_e2e_add(e, "--idempotency-key", "k", "noop", NULL), 1));
	rv_e2e_wait_all(e, 0);
	cr_assert(eq(i64, jobs(), 1));
}

Test(e2e_offer, a_keeper_killed_before_the_commit_has_stored_nothing)
{
	rv_e2e_env(e, "RV_FAULT=keeper_offer:kill:1:keeper");
	rv_e2e_env(e, "RV_FAULT_ONCE=%s/once", e->dir);
	rv_e2e_start(e);
	/* The client cannot tell it from the other. */
	cr_assert(eq(int, rv_e2e_reeve(e, "add", "noop", NULL), 74));
	cr_assert(eq(i64, jobs(), 0));
	cr_assert(eq(i64, rv_e2e_add(e, "noop", NULL), 1));
	rv_e2e_wait_all(e, 0);
}

Test(e2e_offer, the_same_with_a_key_is_stored_directly)
{
	rv_e2e_env(e, "RV_FAULT=keeper_offer:kill:1:keeper");
	rv_e2e_env(e, "RV_FAULT_ONCE=%s/once", e->dir);
	rv_e2e_start(e);
	cr_assert(eq(i64, rv_e2e_add(e, "--idempotency-key", "k", "noop", NULL), 1));
	cr_assert(eq(int, access(rv_e2e_path(e, "once"), F_OK), 0));
	cr_assert(eq(i64, jobs(), 1));
	rv_e2e_wait_all(e, 0);
}

/* Reload replaces the keeper, which says goodbye; the end of the daemon does, too. */
Test(e2e_offer, a_connection_outlives_no_keeper_and_costs_no_job)
{
	pid_t keeper;
	int64_t id;

	rv_e2e_start(e);
	open_reeve();
	id = enqueue("{\"task\":\"noop\"}");
	keeper = rv_e2e_child(e, 0);
	rv_e2e_ini(e, DAEMON "[queue:new]\nconcurrency = 1\n");
	cr_assert(eq(int, rv_e2e_reeve(e, "reload", NULL), 0));
	cr_assert(rv_test_wait_dead(keeper, RV_E2E_WAIT_MS));
	for (int i = 0; i < 3; i++)
		id = enqueue("{\"task\":\"noop\"}");
	OK(reeve_wait(reeve, &id, 1, 60 * RV_S_US));
	/* A second after one was not to be had it is tried again. */
	while (handed_over() < 2) {
		id = enqueue("{\"task\":\"noop\"}");
		OK(reeve_wait(reeve, &id, 1, 60 * RV_S_US));
	}
	rv_e2e_stop(e);
	id = enqueue("{\"task\":\"noop\"}");
	rv_e2e_start(e);
	OK(reeve_wait(reeve, &id, 1, 60 * RV_S_US));
	OK(reeve_wait(reeve, &(int64_t){enqueue("{\"task\":\"noop\"}")}, 1, 60 * RV_S_US));
	rv_e2e_wait_all(e, 0);
}

/* A keeper that stands still is not waited for: it never had the jobs. */
Test(e2e_offer, a_keeper_that_hangs_is_gone_round)
{
	int64_t before;
	pid_t keeper;

	rv_e2e_start(e);
	keeper = rv_e2e_child(e, 0);
	cr_assert(rv_e2e_signal_pid(keeper, SIGSTOP));
	before = rv_mono_us();
	cr_assert(eq(i64, rv_e2e_add(e, "noop", NULL), 1));
	cr_assert(lt(i64, rv_mono_us() - before, 20 * RV_S_US));
	cr_assert(eq(i64, jobs(), 1));
	cr_assert(rv_test_wait_dead(keeper, RV_E2E_WAIT_MS), "the supervisor replaces it");
	rv_e2e_wait_all(e, 0);
	cr_assert(eq(i64, jobs(), 1), "what it finds on the connection later is nothing");
}

/* on_full = block: the keeper says so at once, and who adds waits where he always did. */
Test(e2e_offer, a_full_queue_is_waited_for_by_who_adds)
{
	struct rv_test_child adder;
	const char *const words[] = {rv_e2e_program("reeve"),
				     "-c",
				     rv_e2e_path(e, "reeve.ini"),
				     "add",
				     "-q",
				     "small",
				     "noop",
				     NULL};
	struct rv_test_start how = {.argv = words, .pipe_out = true, .pipe_err = true};

	rv_e2e_ini(e, DAEMON "queues = default, small\n[queue:small]\nqueue_max = 1\n"
			     "on_full = block\n");
	rv_e2e_start(e);
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "pause", "small", NULL), 0));
	(void)rv_e2e_add(e, "-q", "small", "noop", NULL);
	forbid_direct(true);
	cr_assert(eq(int,
		     rv_e2e_reeve(e, "add", "-q", "small", "--full-timeout", "50ms", "noop", NULL),
		     124));
	rv_test_start(&how, &adder);
	cr_assert(rv_test_wait_line_with(adder.err, "waiting for room", RV_E2E_WAIT_MS));
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "resume", "small", NULL), 0));
	cr_assert(eq(int, rv_test_finish(&adder, RV_E2E_WAIT_MS), 0));
	rv_test_end(&adder);
	forbid_direct(false);
	rv_e2e_wait_all(e, 0);
	cr_assert(eq(i64, jobs(), 2));
}

/* Another store with the same sockets: its jobs are not this daemon's. */
Test(e2e_offer, a_daemon_of_another_store_gets_nothing)
{
	char store[400];

	rv_e2e_start(e);
	(void)snprintf(store, sizeof(store), "store.path=%s", rv_e2e_path(e, "state/other.db"));
	cr_assert(eq(int, rv_e2e_reeve(e, "-o", store, "add", "noop", NULL), 0));
	cr_assert(eq(i64, jobs(), 0));
	cr_assert(eq(int, rv_e2e_reeve(e, "-o", store, "show", "1", NULL), 0));
	for (int i = 0; i < 5; i++) {
		static const char *const ends[] = {"", "-wal", "-shm", ".lock", ".ballast"};

		(void)unlink(rv_test_path("%s%s", rv_e2e_path(e, "state/other.db"), ends[i]));
	}
}

/* A client that is killed before it has read the answer: its job is there, once. */
Test(e2e_offer, a_client_killed_before_it_reads_has_its_job)
{
	static const char ask[] = "{\"v\":1,\"verb\":\"submit\"}\n";
	static const char job[] = "{\"v\":1,\"jobs\":[{\"task\":\"noop\"}]}\n";
	static const char soon[] = "{\"v\":1,\"verb\":\"submit\"}\n{\"v\":1,\"jobs\":[]}\n";
	struct rv_why why = {.text = ""};
	char line[600];
	int fd = -1;

	rv_e2e_start(e);
	cr_assert(eq(int, rv_sock_connect(rv_e2e_path(e, "state/run/control"), RV_S_US, &fd, &why),
		     0),
		  "%s", why.text);
	cr_assert(rv_fd_write_all(fd, ask, sizeof(ask) - 1) == RV_OK);
	cr_assert(rv_test_wait_line(fd, line, sizeof(line), RV_E2E_WAIT_MS));
	rv_assert_has(line, "\"ok\":true");
	cr_assert(rv_fd_write_all(fd, job, sizeof(job) - 1) == RV_OK);
	rv_fd_close(&fd);
	cr_assert(rv_test_wait_until(has_one, NULL, RV_E2E_WAIT_MS));
	rv_e2e_until(e, 1, RV_JOB_SUCCEEDED);
	/* Before the answer nothing may be sent: the supervisor would read it. */
	cr_assert(eq(int, rv_sock_connect(rv_e2e_path(e, "state/run/control"), RV_S_US, &fd, &why),
		     0));
	cr_assert(rv_fd_write_all(fd, soon, sizeof(soon) - 1) == RV_OK);
	cr_assert(rv_test_wait_line(fd, line, sizeof(line), RV_E2E_WAIT_MS));
	rv_assert_has(line, "\"ok\":false");
	rv_assert_has(line, "after its answer");
	rv_fd_close(&fd);
	cr_assert(eq(i64, jobs(), 1));
}

/* Eight that enqueue with keys while keepers are killed: each job once, whatever way it took. */
Test(e2e_offer, keepers_are_killed_under_enqueuers)
{
	enum { ENQUEUERS = 8, JOBS = 25 };
	struct rv_test_child children[ENQUEUERS];
	char script[ENQUEUERS][600];
	int64_t kills = rv_test_all() ? 60 : 12;

	rv_e2e_start(e);
	for (int i = 0; i < ENQUEUERS; i++) {
		const char *const words[] = {"sh", "-c", script[i], NULL};
		struct rv_test_start how = {.argv = words};

		(void)snprintf(
			script[i], sizeof(script[i]),
			"i=0; while [ $i -lt %d ]; do i=$((i+1)); '%s' -c '%s' add "
			"--busy-timeout 30s --idempotency-key %d-$i noop >/dev/null || exit 1; "
			"done",
			JOBS, rv_e2e_program("reeve"), rv_e2e_path(e, "reeve.ini"), i);
		rv_test_start(&how, &children[i]);
	}
	for (int64_t i = 0; i < kills && rv_test_running(&children[0]); i++) {
		pid_t keeper = rv_e2e_await_child(e, 0);
		int64_t seen = jobs();

		while (jobs() < seen + 5 && rv_test_running(&children[0]))
			continue;
		(void)rv_e2e_signal_pid(keeper, SIGKILL);
	}
	for (int i = 0; i < ENQUEUERS; i++) {
		cr_assert(eq(int, rv_test_finish(&children[i], RV_E2E_WAIT_MS), 0));
		rv_test_end(&children[i]);
	}
	rv_e2e_wait_all(e, 0);
	cr_assert(eq(i64, jobs(), ENQUEUERS * JOBS));
}
