/* How one job runs: its timeouts, and what it is told of them, through the real daemon. */
#include "process/e2e.h"

#include "helpers/assert.h"

#include <string.h>

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

/* [task:t] with ${keys}. */
static void up(const char *keys)
{
	rv_e2e_new(e, "[pool:default]\nworkers = 1\n[task:t]\nmax_attempts = 1\n%s", keys);
	rv_e2e_start(e);
}

static const char *id_text(int64_t job)
{
	static char text[24];

	(void)snprintf(text, sizeof text, "%lld", (long long)job);
	return text;
}

static const char *output(int64_t job)
{
	cr_assert(eq(int, rv_e2e_reeve(e, "logs", "--raw", id_text(job), NULL), 0), "%s",
		  rv_buf_text(&e->err));
	return rv_buf_text(&e->out);
}

static int64_t ends(enum rv_job_state state)
{
	int64_t job = rv_e2e_add(e, "t", NULL);

	rv_e2e_until(e, job, state);
	return job;
}

/* ---- soft_timeout */

Test(e2e_exec, a_job_is_told_that_its_time_runs_out_and_goes_on)
{
	int64_t job;

	up("shell = yes\nsoft_timeout = 200ms\nsoft_signal = USR1\n"
	   "command = trap 'echo told; sleep 0.3; echo done; exit 0' USR1; echo up; "
	   "sleep 60 & wait\n");
	job = ends(RV_JOB_SUCCEEDED);
	rv_assert_text(output(job), "up\ntold\ndone\n");
	cr_assert(eq(ptr, (void *)(size_t)rv_e2e_view(e, job)->error, NULL));
	rv_e2e_logged(e, "was told that its time runs out");
	rv_e2e_end(e);
}

Test(e2e_exec, what_does_not_heed_it_goes_on_until_its_timeout)
{
	int64_t job;

	up("shell = yes\nsoft_timeout = 100ms\ntimeout = 600ms\nkill_after = 100ms\n"
	   "command = trap '' TERM; sleep 60\n");
	job = ends(RV_JOB_DEAD);
	rv_assert_text(rv_e2e_view(e, job)->error, "timed out after 600ms");
	cr_assert(eq(int, rv_e2e_log_count(e, "was told that its time runs out"), 1));
	rv_e2e_end(e);
}

Test(e2e_exec, who_dies_of_it_has_had_its_time)
{
	int64_t job;

	up("command = sleep 60\nsoft_timeout = 100ms\n"
	   "[task:ruled]\ncommand = sleep 60\nsoft_timeout = 100ms\noutcome = timeout: snooze 1h\n"
	   "[task:quick]\ncommand = true\nsoft_timeout = 100ms\n");
	job = ends(RV_JOB_DEAD);
	rv_assert_text(rv_e2e_view(e, job)->error,
		       "killed by signal 15, told after its soft timeout of 100ms");
	job = rv_e2e_add(e, "ruled", NULL);
	rv_e2e_until(e, job, RV_JOB_SCHEDULED);
	cr_assert(eq(int, rv_e2e_view(e, job)->attempt, 0), "a snooze burns nothing");
	job = rv_e2e_add(e, "quick", NULL);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_e2e_end(e);
}

/* A handler that asked for it gets a line; one that did not keeps its peace, and its other jobs. */
Test(e2e_exec, a_pipe_handler_is_told_by_a_line)
{
	int64_t job;

	up("handler = pipe\nshell = yes\nsoft_timeout = 100ms\n"
	   "command = echo '{\"reeve\":1,\"soft_timeout\":true}' >&3; read -r job; read -r line; "
	   "printf '{\"job\":1,\"run\":1,\"ok\":true,\"result\":%s}\\n' \"$line\" >&3; "
	   "cat >/dev/null\n"
	   "[task:deaf]\nhandler = pipe\nshell = yes\nsoft_timeout = 100ms\n"
	   "command = echo '{\"reeve\":1}' >&3; read -r job; sleep 0.4; "
	   "printf '{\"job\":2,\"run\":1,\"ok\":true}\\n' >&3; cat >/dev/null\n");
	job = ends(RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_reeve(e, "result", id_text(job), NULL), 0));
	rv_assert_text(rv_buf_text(&e->out), "{\"soft_timeout\":1,\"run\":1}");
	job = rv_e2e_add(e, "deaf", NULL);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_e2e_logged(e, "runs out of time, and has no ear for it");
	rv_e2e_end(e);
}
