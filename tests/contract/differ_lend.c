/* Requests that make parents lend: one that runs goes to sleep, and there are more of its kind. */
#include "differ.h"

/* Mostly one of the newest: it runs. */
static const struct lease *some_lease(struct world *w)
{
	int n = (int)w->nleases;

	return &w->leases[n - 1 - dice_below(&w->dice, dice_chance(&w->dice, 50) && n > 3 ? 3 : n)];
}

void child_of_lender(struct world *w, struct rv_job_new *job)
{
	if (w->lender == 0 || !dice_chance(&w->dice, w->eager > 0 ? 90 : 30))
		return;
	job->parent = w->lender;
	job->task = w->lender_task;
	job->queue = w->lender_queue;
	job->key = w->lender_key[0] ? w->lender_key : NULL;
	job->spec = w->lender_task[0] ? NULL : "{\"command\":[\"true\"]}";
}

void ask_lend(struct world *w, struct rv_req *req)
{
	const struct lease none = {.job = 1};
	const struct lease *lease = w->nleases > 0 ? some_lease(w) : &none;
	struct rv_job_view view;

	/* mostly one that lives */
	for (int i = 0; i < 8 && w->nleases > 0 && dice_chance(&w->dice, 95); i++) {
		if (rv_store_job(w->side[0].store, lease->job, &view) == RV_OK &&
		    view.state == RV_JOB_RUNNING && view.fence == lease->fence)
			break;
		lease = some_lease(w);
	}
	req->u.lend.job = lease->job;
	req->u.lend.fence = lease->fence + (int)dice_chance(&w->dice, 3);
	req->u.lend.on = dice_chance(&w->dice, 75);
}
