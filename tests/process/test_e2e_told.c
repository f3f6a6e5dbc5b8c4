/* A job that speaks of itself: progress, result and when to try again, through the real daemon. */
#include "process/e2e.h"

#include "helpers/assert.h"

#include <string.h>

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

#define SH                                                                                         \
	"[pool:default]\nworkers = 1\n[task:sh]\ncommand = /bin/sh -c ${arg.do}\n"                 \
	"max_attempts = 2\nbackoff = fixed 1h\n"

static int64_t sh(const char *what)
{
	char text[600];

	(void)snprintf(text, sizeof(text), "do=%s", what);
	return rv_e2e_add(e, "sh", text, NULL);
}

static const char *id_text(int64_t job)
{
	static char text[24];

	(void)snprintf(text, sizeof text, "%lld", (long long)job);
	return text;
}

Test(e2e_told, a_result_comes_back_byte_for_byte)
{
	int64_t job;
	json_t *json;

	rv_e2e_new(e, SH);
	rv_e2e_start(e);
	job = sh("echo noise; echo '##reeve result={\"pages\": 3}'; "
		 "echo progress=100 all done >&$REEVE_PROGRESS_FD");
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_reeve(e, "result", id_text(job), NULL), 0));
	rv_assert_text(rv_buf_text(&e->out), "{\"pages\": 3}");
	json = rv_e2e_json(e, "show", id_text(job), NULL);
	cr_assert(eq(i64,
		     json_integer_value(json_object_get(json_object_get(json, "result"), "pages")),
		     3));
	cr_assert(eq(
		i64,
		json_integer_value(json_object_get(json_object_get(json, "progress"), "percent")),
		100));
	json_decref(json);
	cr_assert(eq(int, rv_e2e_reeve(e, "show", id_text(job), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "progress     100 % all done (");
	rv_assert_has(rv_buf_text(&e->out), "returned     12 bytes: reeve result");
	job = sh("true");
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_reeve(e, "result", id_text(job), NULL), 3));
	rv_assert_has(rv_buf_text(&e->err), "has left no result");
	cr_assert(eq(int, rv_e2e_reeve(e, "result", "9999", NULL), 3));
	rv_e2e_end(e);
}

/* Progress is seen while the job runs, and the newest of many soon enough. */
Test(e2e_told, progress_is_seen_while_it_runs)
{
	struct rv_told told = {.percent = -1};
	int64_t job;
	char text[512];

	rv_e2e_new(e, SH);
	rv_e2e_start(e);
	(void)snprintf(text, sizeof(text),
		       "for i in 1 2 3 4 5 6 7; do echo \"##reeve progress=$i step $i\"; done; "
		       "until [ -e %s ]; do sleep 0.05; done",
		       rv_e2e_path(e, "go"));
	job = sh(text);
	while (told.percent != 7) {
		RV_NEED(e, rv_e2e_view(e, job)->state != RV_JOB_DEAD, "%s",
			rv_e2e_view(e, job)->error);
		cr_assert(eq(int, rv_store_told(rv_e2e_store(e), job, &told), RV_OK));
	}
	rv_assert_text(told.message, "step 7");
	cr_assert(eq(int, rv_e2e_view(e, job)->state, RV_JOB_RUNNING));
	cr_assert(eq(int, rv_e2e_reeve(e, "result", id_text(job), NULL), 3));
	cr_assert(eq(int, rv_e2e_reeve(e, "cancel", id_text(job), NULL), 0));
	rv_e2e_until(e, job, RV_JOB_CANCELLED);
	rv_e2e_end(e);
}

/* The backoff of the task is an hour; the job knows better. */
Test(e2e_told, a_job_says_when_to_try_again)
{
	int64_t job;
	char text[512];

	rv_e2e_new(e, SH);
	rv_e2e_start(e);
	(void)snprintf(text, sizeof(text),
		       "[ -e %s ] && exit 0; touch %s; echo '##reeve retry-after=20ms'; exit 1",
		       rv_e2e_path(e, "tried"), rv_e2e_path(e, "tried"));
	job = sh(text);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_view(e, job)->attempt, 2));
	rv_e2e_end(e);
}
