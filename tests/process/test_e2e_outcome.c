/* What the end of a run means: the rules of [task] outcome, through the real daemon. */
#include "process/e2e.h"

#include "helpers/assert.h"

#include <string.h>

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

#define TASK                                                                                       \
	"[pool:default]\nworkers = 2\n[task:sh]\ncommand = /bin/sh -c ${arg.do}\nmax_attempts = "  \
	"2\n"                                                                                      \
	"backoff = fixed 10ms\noutcome =\n"                                                        \
	"    exit 3, 7-9: dead\n"                                                                  \
	"    stderr /slow down/: snooze 1h\n"                                                      \
	"    stderr /^ERROR/: fail\n"                                                              \
	"    exit 64: retry\n"                                                                     \
	"    signal KILL: dead\n"

static int64_t sh(const char *what)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "do=%s", what);
	return rv_e2e_add(e, "sh", text, NULL);
}

static const struct rv_job_view *ends(const char *what, enum rv_job_state state)
{
	int64_t job = sh(what);

	rv_e2e_until(e, job, state);
	return rv_e2e_view(e, job);
}

Test(e2e_outcome, rules_decide_what_a_run_was)
{
	const struct rv_job_view *view;

	rv_e2e_new(e, TASK);
	rv_e2e_start(e);
	view = ends("exit 8", RV_JOB_DEAD);
	cr_assert(eq(int, view->attempt, 1), "not tried again");
	rv_assert_text(view->error, "exit code 8 (rule: exit 3, 7-9: dead)");
	view = ends("echo please slow down >&2; exit 1", RV_JOB_SCHEDULED);
	cr_assert(eq(int, view->runs, 1));
	cr_assert(gt(i64, view->run_at_us, view->created_us + 3500LL * 1000000));
	view = ends("echo ERROR in the data >&2", RV_JOB_DEAD);
	cr_assert(eq(int, view->attempt, 2), "exit code 0, and yet it failed, twice");
	rv_assert_has(view->error, "ERROR in the data (rule: stderr /^ERROR/: fail)");
	view = ends("exit 64", RV_JOB_DEAD);
	cr_assert(eq(int, view->attempt, 2), "a code that is never tried again, but for the rule");
	view = ends("kill -9 $$", RV_JOB_DEAD);
	cr_assert(eq(int, view->attempt, 1));
	view = ends("exit 1", RV_JOB_DEAD);
	cr_assert(eq(int, view->attempt, 2), "no rule fits");
	rv_assert_text(view->error, "exit code 1");
	(void)ends("true", RV_JOB_SUCCEEDED);
	rv_e2e_end(e);
}

/* A snooze burns no attempt, as often as it comes. */
Test(e2e_outcome, a_snooze_burns_nothing)
{
	const struct rv_job_view *view;
	int64_t job;
	char text[512];

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n[task:sh]\ncommand = /bin/sh -c ${arg.do}\n"
		      "max_attempts = 1\noutcome = exit 5: snooze 20ms\n");
	rv_e2e_start(e);
	(void)snprintf(text, sizeof(text), "do=echo x >>%s; [ $(wc -l <%s) -ge 4 ] || exit 5",
		       rv_e2e_path(e, "tries"), rv_e2e_path(e, "tries"));
	job = rv_e2e_add(e, "sh", text, NULL);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	view = rv_e2e_view(e, job);
	cr_assert(eq(int, view->runs, 4));
	cr_assert(eq(int, view->attempt, 1));
	rv_e2e_end(e);
}

/* A configuration that is wrong for a while costs nobody a job at once; a command that is not there
 * is not waited for. */
Test(e2e_outcome, what_cannot_be_started_is_tried_or_not_as_it_may_get_better)
{
	const struct rv_job_view *view;
	int64_t gone;
	int64_t job;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n[task:say]\ncommand = /bin/echo\n"
		      "[task:gone]\ncommand = /no/such/program\n");
	rv_e2e_start(e);
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "pause", "default", NULL), 0));
	job = rv_e2e_add(e, "--max-attempts", "2", "say", NULL);
	gone = rv_e2e_add(e, "gone", NULL);
	rv_e2e_ini(e, "[pool:default]\nworkers = 1\n[task:say]\nbackoff = fixed 10ms\n"
		      "command = /bin/echo ${arg.who}\n"
		      "[task:gone]\ncommand = /no/such/program\n");
	cr_assert(eq(int, rv_e2e_reeve(e, "reload", NULL), 0));
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "resume", "default", NULL), 0));
	rv_e2e_until(e, gone, RV_JOB_DEAD);
	view = rv_e2e_view(e, gone);
	cr_assert(eq(int, view->runs, 1));
	rv_assert_has(view->error, "cannot execute /no/such/program");
	rv_e2e_until(e, job, RV_JOB_DEAD);
	view = rv_e2e_view(e, job);
	rv_assert_has(view->error, "the job has no argument who");
	cr_assert(eq(int, view->attempt, 2));
	cr_assert(eq(int, view->runs, 7), "five of them for nothing");
	rv_e2e_end(e);
}
