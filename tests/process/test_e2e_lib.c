/* libreeve beside a real daemon: rung at the end, a running job cancelled, what it left. */
#include "process/e2e.h"

#include "base/seam.h"
#include "client/reeve.h"
#include "helpers/assert.h"

#include <string.h>

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;
static struct reeve *reeve;

static void setup(void)
{
	struct reeve_open how = REEVE_OPEN_INIT;
	const char *path;

	rv_e2e_new(e, "[pool:default]\nworkers = 2\n[task:tell]\nhandler = exec\nshell = yes\n"
		      "command = printf '{\"result\":{\"n\":42}}\\n' >&$REEVE_PROGRESS_FD\n");
	rv_e2e_start(e);
	path = rv_e2e_path(e, "reeve.ini");
	how.config = path;
	cr_assert(eq(int, reeve_open(&how, &reeve), REEVE_OK), "%s", reeve_error(NULL));
}

static void teardown(void)
{
	reeve_close(reeve);
	rv_e2e_end(e);
}

TestSuite(e2e_lib, .init = setup, .fini = teardown);

#define OK(call)                                                                                   \
	do {                                                                                       \
		int ok_ = (call);                                                                  \
		cr_assert(eq(int, ok_, REEVE_OK), "%s", reeve_error(reeve));                       \
	} while (0)

/* The bell, not the look of each second: ten jobs one after the other in less than that. */
Test(e2e_lib, waiting_is_rung_and_the_result_is_there)
{
	const struct reeve_job *job = NULL;
	int64_t begun_us;
	int64_t id = 0;

	OK(reeve_enqueue_json(reeve, "{\"task\":\"tell\"}", &id));
	OK(reeve_wait(reeve, &id, 1, 60 * RV_S_US));
	OK(reeve_get(reeve, id, &job));
	cr_assert(eq(int, job->state, REEVE_SUCCEEDED));
	cr_assert(eq(sz, job->result_size, strlen("{\"n\":42}")));
	cr_assert(eq(int, memcmp(job->result, "{\"n\":42}", job->result_size), 0));
	cr_assert(eq(int, job->exit_code, 0));
	reeve_free(job);
	begun_us = rv_mono_us();
	for (int i = 0; i < 10; i++) {
		OK(reeve_enqueue_json(reeve, "{\"task\":\"tell\"}", &id));
		OK(reeve_wait(reeve, &id, 1, 60 * RV_S_US));
	}
	cr_assert(lt(i64, rv_mono_us() - begun_us, 5 * RV_S_US));
}

Test(e2e_lib, a_running_job_is_cancelled)
{
	const struct reeve_job *job = NULL;
	int64_t id = rv_e2e_job(e, "ms=60000");

	rv_e2e_until(e, id, RV_JOB_RUNNING);
	OK(reeve_cancel(reeve, id));
	OK(reeve_wait(reeve, &id, 1, 30 * RV_S_US));
	OK(reeve_get(reeve, id, &job));
	cr_assert(eq(int, job->state, REEVE_CANCELLED));
	cr_assert(eq(int, job->signal, 15));
	reeve_free(job);
	OK(reeve_retry(reeve, id));
	OK(reeve_cancel(reeve, id));
	OK(reeve_wait(reeve, &id, 1, 30 * RV_S_US));
}
