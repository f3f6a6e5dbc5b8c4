/* Work goes in at one end and comes out at the other: CLI, store, daemon, worker, job. */
#include "process/e2e.h"

#include "helpers/assert.h"
#include "helpers/tmpdir.h"

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

Test(e2e_work, a_command_runs)
{
	int64_t job;

	rv_e2e_new(e, "[pool:default]\nworkers = 2\n");
	rv_e2e_start(e);
	job = rv_e2e_job(e, "ms=10 say=hello");
	rv_e2e_wait_all(e, 0);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_reeve(e, "logs", "1", NULL), 0));
	rv_assert_text(rv_buf_text(&e->out), "hello\n");
	rv_e2e_end(e);
}
