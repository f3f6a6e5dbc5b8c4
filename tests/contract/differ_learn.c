/* What the answers to random requests teach: which jobs, leases and workers there are. */
#include "differ.h"

#include <stdio.h>
#include <string.h>

static void touch(struct world *w, int64_t id)
{
	if (w->ntouched < RV_ARRAY_LEN(w->touched))
		w->touched[w->ntouched++] = id;
}

static void learn_turn(struct world *w, const struct rv_req_turn *t)
{
	for (uint32_t i = 0; i < t->nacks; i++)
		touch(w, t->acks[i].job);
	for (uint32_t i = 0; i < t->nclaimed; i++) {
		touch(w, t->claimed[i].job);
		if (w->nleases == LEASES_MAX) {
			memmove(w->leases, w->leases + 1, sizeof w->leases[0] * (LEASES_MAX - 1));
			w->nleases--;
		}
		w->leases[w->nleases++] =
			(struct lease){t->claimed[i].job, t->claimed[i].fence, t->incarnation};
	}
}

static void add_worker(uint64_t *list, size_t *n, uint64_t who)
{
	for (size_t i = 0; i < *n; i++)
		if (list[i] == who)
			return;
	if (*n == WORKERS_MAX) {
		memmove(list, list + 1, sizeof *list * (WORKERS_MAX - 1));
		--*n;
	}
	list[(*n)++] = who;
}

static void learn_gone(struct world *w, uint64_t who)
{
	for (size_t i = 0; i < w->nworkers; i++) {
		if (w->workers[i] != who)
			continue;
		memmove(&w->workers[i], &w->workers[i + 1], sizeof who * (w->nworkers - i - 1));
		w->nworkers--;
		add_worker(w->gone, &w->ngone, who);
		return;
	}
}

static void forget_job(struct world *w, int64_t id)
{
	for (size_t i = 0; i < w->njobs; i++) {
		if (w->jobs[i] == id) {
			memmove(&w->jobs[i], &w->jobs[i + 1], sizeof id * (w->njobs - i - 1));
			w->njobs--;
			return;
		}
	}
}

/* Who is believed to live: only so that most turns are somebody's. */
static void learn_lives(struct world *w, const struct rv_req *req)
{
	switch (req->kind) {
	case RV_REQ_JOIN:
		add_worker(w->workers, &w->nworkers, req->u.join.incarnation);
		break;
	case RV_REQ_LEAVE:
		learn_gone(w, req->u.leave.incarnation);
		break;
	case RV_REQ_EXPIRE:
		for (uint32_t i = 0; i < req->u.expire.count; i++)
			learn_gone(w, req->u.expire.who[i].incarnation);
		break;
	case RV_REQ_RAISE:
		while (w->nworkers > 0)
			learn_gone(w, w->workers[0]);
		break;
	default:
		break;
	}
}

static int learn_job(void *ctx, const struct rv_job_view *view)
{
	struct world *w = ctx;

	if (w->nfresh < RV_ARRAY_LEN(w->fresh))
		w->fresh[w->nfresh++] = view->id;
	return RV_OK;
}

/* What batches have enqueued when they ended, and schedules. */
void learn_callbacks(struct world *w)
{
	struct rv_job_filter filter = {.state = -1,
				       .above_id = w->njobs > 0 ? w->jobs[w->njobs - 1] : 0};

	w->nfresh = 0;
	if (rv_store_jobs(w->side[0].store, &filter, learn_job, w) != RV_OK)
		return;
	while (w->nfresh > 0 && w->njobs < JOBS_MAX) {
		w->jobs[w->njobs++] = w->fresh[--w->nfresh];
		touch(w, w->fresh[w->nfresh]);
	}
}

static void copy(char *to, size_t space, const char *text)
{
	(void)snprintf(to, space, "%s", text ? text : "");
}

static void learn_lender(struct world *w, int64_t job)
{
	struct rv_job_view view;

	if (rv_store_job(w->side[0].store, job, &view) != RV_OK)
		return;
	w->lender = job;
	w->eager = 4;
	copy(w->lender_task, sizeof w->lender_task, view.task);
	copy(w->lender_key, sizeof w->lender_key, view.key);
	copy(w->lender_queue, sizeof w->lender_queue, view.queue);
}

void learn(struct world *w, const struct rv_req *req, const int64_t *ids)
{
	if (req->kind == RV_REQ_TURN && req->err == RV_E_STALE)
		learn_gone(w, req->u.turn.incarnation);
	if (req->err != RV_OK)
		return;
	learn_lives(w, req);
	if (req->kind == RV_REQ_ENQUEUE) {
		for (size_t i = 0; i < req->u.enqueue.count && w->njobs < JOBS_MAX; i++) {
			touch(w, ids[i]);
			if (w->njobs == 0 || ids[i] > w->jobs[w->njobs - 1])
				w->jobs[w->njobs++] = ids[i];
		}
	}
	if (req->kind == RV_REQ_TURN)
		learn_turn(w, &req->u.turn);
	if (req->kind == RV_REQ_LEND && req->u.lend.on)
		learn_lender(w, req->u.lend.job);
	if (req->kind == RV_REQ_CANCEL)
		touch(w, req->u.cancel.job);
	if (req->kind == RV_REQ_RETRY)
		touch(w, req->u.retry.job);
	if (req->kind == RV_REQ_DELETE)
		forget_job(w, req->u.remove.job);
	if (req->kind == RV_REQ_FIRE)
		touch(w, req->u.fire.job);
	if (req->kind == RV_REQ_NEW_BATCH)
		w->nbatches = req->u.new_batch.id;
}
