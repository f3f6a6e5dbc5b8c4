/*
 * Files that jobs have left for runs that will not come: they ended where no worker was by, or were
 * deleted.  Keeper only; some at each look, so that many cost no second.
 */
#include "keep/keeper.h"

#include "conf/conf.h"
#include "obs/resume.h"
#include "store/read.h"

#define LOOKS 100 /* of some 10 us each */

/* A dead letter may be retried: it keeps its own until it is deleted. */
static int is_over(void *ctx, int64_t job)
{
	struct rv_keeper *keeper = ctx;
	struct rv_job_view view;
	int err = rv_store_job(keeper->child.store, job, &view);

	if (err == RV_OK)
		return view.state == RV_JOB_SUCCEEDED || view.state == RV_JOB_CANCELLED;
	return err == RV_E_NOTFOUND;
}

void rv_keep_resume(struct rv_keeper *keeper)
{
	rv_resume_walk(&keeper->resume, keeper->child.conf->reeve.state_dir, LOOKS, is_over,
		       keeper);
}
