/*
 * The matrix: each signal of reeved in each state that it can find the daemon in.  The table says
 * what happens; every cell has a job, and no cell may lose it, burn an attempt of it, or leave
 * anything behind.
 */
#include "process/e2e.h"

#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "os/self.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>

enum state {
	BOOTING,   /* its one worker has not said READY */
	IDLE,      /* nothing to do */
	CLAIMING,  /* the worker has leased a job and begun nothing */
	RUNNING,   /* a job runs */
	FINISHING, /* the job has ended, its worker has not said so */
	DRAINING,  /* after a TERM, a job runs */
	REEXEC,    /* after a USR2, a job runs */
	STATES
};

static const char *const names[STATES] = {"booting",   "idle",     "claiming", "running",
					  "finishing", "draining", "re-exec"};

/*
 * What happens:
 *   d  it drains: ends with 0 when what runs has had its time to end
 *   n  it ends with 0 now; what runs is stopped and given back
 *   e  it goes on ending as it was
 *   g  it goes on
 *   q  it goes on and begins no job until CONT
 *   w  it goes on without workers until CONT
 *   +  it goes on with a worker more
 */
static const struct row {
	int signo;
	char cells[STATES + 1]; /* in the order of the states */
} rows[] = {
	{SIGTERM, "dddddnd"}, {SIGINT, "dddddnd"},  {SIGQUIT, "nnnnnnn"},  {SIGHUP, "gggggeg"},
	{SIGUSR1, "gggggeg"}, {SIGUSR2, "gggggeg"}, {SIGWINCH, "wwwwwew"}, {SIGTSTP, "qqqqqeq"},
	{SIGCONT, "gggggeg"}, {SIGTTIN, "+++++e+"}, {SIGTTOU, "gggggeg"},
};

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;
static int64_t job;
static pid_t stopped; /* the worker that stands still; 0: none does */

static void go(void)
{
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
}

/* A worker stopped itself at its fault point. */
static bool has_stopped(void *ctx)
{
	char *text = rv_test_read_file(rv_e2e_path(e, "once"));
	struct rv_procstat stat;

	(void)ctx;
	stopped = text && strchr(text, '\n') ? (pid_t)strtol(text, NULL, 10) : 0;
	free(text);
	return stopped > 0 && rv_procstat(stopped, &stat) == RV_OK && stat.state == 'T';
}

static void await_stopped(void)
{
	RV_NEED(e, rv_test_wait_until(has_stopped, NULL, RV_E2E_WAIT_MS), "it stands still");
}

static void arrange(enum state state)
{
	static const char *const points[STATES] = {[BOOTING] = "worker_ready",
						   [CLAIMING] = "worker_claimed",
						   [FINISHING] = "worker_ended"};

	rv_e2e_new(e, "[pool:default]\nworkers = 1\nhang_timeout = 20s\n");
	stopped = 0;
	job = 0;
	if (points[state]) {
		rv_e2e_env(e, "RV_FAULT=%s:stop:1:worker", points[state]);
		rv_e2e_env(e, "RV_FAULT_ONCE=%s/once", e->dir);
	}
	if (state == BOOTING) {
		job = rv_e2e_job(e, "until=go");
		rv_e2e_launch(e);
		await_stopped();
		return;
	}
	rv_e2e_start(e);
	if (state == IDLE)
		return;
	job = rv_e2e_job(e, state == FINISHING ? "say=x" : "until=go");
	if (points[state])
		await_stopped();
	else
		rv_e2e_job_says(e, "start ");
	if (state == DRAINING) {
		rv_test_signal(&e->daemon, SIGTERM);
		rv_e2e_notified(e, "STOPPING=1");
	}
}

/* The signal, at its moment; then whoever stood still goes on. */
static void send(enum state state, const struct row *row, int moment_ms)
{
	if (state == REEXEC) {
		rv_test_signal(&e->daemon, SIGUSR2);
		(void)poll(NULL, 0, moment_ms);
	}
	rv_test_signal(&e->daemon, row->signo);
	/* It answers a turn later, if it answers: by then it has done what it was told. */
	if (strchr("gqw+", row->cells[state]))
		(void)rv_e2e_reeve(e, "status", NULL);
	if (stopped > 0)
		(void)rv_e2e_signal_pid(stopped, SIGCONT);
}

static void needs_unburned(bool may_be_done)
{
	const struct rv_job_view *view = rv_e2e_view(e, job);

	RV_NEED(e, view->state == RV_JOB_READY || (may_be_done && view->state == RV_JOB_SUCCEEDED),
		"the job is given back (%d)", (int)view->state);
	RV_NEED(e, view->attempt == (view->state == RV_JOB_SUCCEEDED) && view->crashes == 0,
		"nothing is burned: attempt %d, crashes %d", view->attempt, view->crashes);
}

/* It has ended, or ends: with 0, the job whole; the next daemon does what is left. */
static void ends(enum state state, char cell)
{
	if (cell != 'n')
		go();
	RV_NEED(e, rv_e2e_exit(e) == 0, "it ends with 0");
	if (job != 0 && cell == 'n')
		needs_unburned(state == FINISHING);
	else if (job != 0 && (state == RUNNING || state == DRAINING || state == REEXEC))
		RV_NEED(e, rv_e2e_view(e, job)->state == RV_JOB_SUCCEEDED, "what ran could finish");
	else if (job != 0)
		needs_unburned(true);
	rv_e2e_clean(e);
	go();
	rv_e2e_no_env(e);
	rv_e2e_start(e);
}

struct pool {
	const char *field;
	int64_t value;
	int64_t seen;
};

static bool pool_has(void *ctx)
{
	struct pool *pool = ctx;
	json_t *reply = rv_e2e_json(e, "status", NULL);
	const json_t *first = json_array_get(json_object_get(reply, "pools"), 0);

	pool->seen = json_integer_value(json_object_get(first, pool->field));
	json_decref(reply);
	(void)poll(NULL, 0, 10); /* there is a bound on questions, too */
	return first && pool->seen == pool->value;
}

static void await_pool(const char *field, int64_t value)
{
	struct pool pool = {field, value, 0};

	RV_NEED(e, rv_test_wait_until(pool_has, &pool, RV_E2E_WAIT_MS), "%s is %lld, not %lld",
		field, (long long)pool.seen, (long long)value);
}

/* The job that had begun ends well; a new one only if it may begin. */
static void goes_on(enum state state, char cell)
{
	bool had_begun = job != 0 && state != BOOTING;
	bool holds = cell == 'q' || cell == 'w';
	char id[24];
	int64_t probe;

	go();
	if (had_begun && !(holds && state == CLAIMING))
		rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	probe = rv_e2e_job(e, "say=probe");
	(void)snprintf(id, sizeof id, "%lld", (long long)probe);
	if (holds) {
		RV_NEED(e, rv_e2e_reeve(e, "wait", "--timeout", "200ms", id, NULL) == 124,
			"nothing begins");
		RV_NEED(e, rv_e2e_view(e, probe)->runs == 0, "nothing has begun");
		if (cell == 'w')
			await_pool("alive", 0);
		rv_test_signal(&e->daemon, SIGCONT);
	}
	rv_e2e_until(e, probe, RV_JOB_SUCCEEDED);
	await_pool("target", cell == '+' ? 2 : 1);
	await_pool("alive", cell == '+' ? 2 : 1);
}

static void cell_of(enum state state, const struct row *row, int moment_ms)
{
	char cell = row->cells[state];

	(void)fprintf(stderr, "cell %s %d %c\n", names[state], row->signo, cell);
	arrange(state);
	send(state, row, moment_ms);
	if (strchr("dne", cell))
		ends(state, cell);
	else
		goes_on(state, cell);
	if (job != 0) {
		rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
		RV_NEED(e, rv_e2e_view(e, job)->attempt == 1 && rv_e2e_view(e, job)->crashes == 0,
			"one attempt, no crash");
		RV_NEED(e, rv_e2e_job_count(e, "clash") == 0, "never two runs at once");
	}
	rv_e2e_end(e);
}

static void column(enum state state)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(rows); i++)
		cell_of(state, &rows[i], (int)(i * 3 % 10));
}

Test(e2e_signals, while_booting)
{
	column(BOOTING);
}

Test(e2e_signals, while_idle)
{
	column(IDLE);
}

Test(e2e_signals, while_claiming)
{
	column(CLAIMING);
}

Test(e2e_signals, while_running)
{
	column(RUNNING);
}

Test(e2e_signals, while_finishing)
{
	column(FINISHING);
}

Test(e2e_signals, while_draining)
{
	column(DRAINING);
}

/* At several moments: asked, executed, watching again, replacing. */
Test(e2e_signals, while_executed_anew)
{
	static const int moments[] = {0, 2, 5, 9, 20};

	for (size_t i = 0; i < RV_ARRAY_LEN(rows); i++)
		cell_of(REEXEC, &rows[i], moments[i % RV_ARRAY_LEN(moments)]);
	for (size_t m = 0; m < RV_ARRAY_LEN(moments); m++) {
		cell_of(REEXEC, &rows[0], moments[m]); /* TERM and QUIT at each of them */
		cell_of(REEXEC, &rows[2], moments[m]);
	}
}
