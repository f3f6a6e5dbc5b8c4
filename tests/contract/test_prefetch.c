/* Jobs leased ahead and not started: shown as ready, acked, given back, cancelled, overdue. */
#include "fixture.h"

#include "core/job.h"

CONTRACT(prefetch, prefetched_is_shown_as_ready)
{
	int64_t id = add_task(f, "t");
	struct rv_req_turn *t = prefetch(f, W1, 4, "default");
	struct rv_job_view *v;
	int64_t fence = t->claimed[0].fence;

	IS(t->nclaimed, 1);
	IS(t->claimed[0].run, 1);
	IS(t->claimed[0].attempt, 1);
	v = see(f, id);
	IS(v->state, RV_JOB_READY);
	IS(v->prefetched, true);
	IS(v->runs, 0);
	IS(v->attempt, 0);
	IS(v->slot, 1);
	IS(turn(f, W2, 1, "default")->nclaimed, 0);
	tick(f, S(3));
	ERR(ack_with(f, W1,
		     ACK(.job = id, .fence = fence, .outcome = RV_OUTCOME_SUCCEEDED, .exit_code = 0,
			 .started_us = START_US + S(1), .ended_us = START_US + S(2))),
	    RV_OK);
	v = see(f, id);
	IS(v->state, RV_JOB_SUCCEEDED);
	IS(v->runs, 1);
	IS(v->attempt, 1);
	IS(v->started_us, START_US + S(1));
}

CONTRACT(prefetch, prefetched_and_failed)
{
	int64_t id = add_task(f, "once");
	int64_t two = add_task(f, "t");
	struct rv_req_turn *t = prefetch(f, W1, 2, "default");
	int64_t fences[2] = {t->claimed[0].fence, t->claimed[1].fence};

	ERR(ack(f, W1, id, fences[0], RV_OUTCOME_FAILED), RV_OK);
	STATE(id, "dead");
	ERR(ack_with(f, W1,
		     ACK(.job = two, .fence = fences[1], .outcome = RV_OUTCOME_FAILED,
			 .started_us = START_US, .retry_us = S(1))),
	    RV_OK);
	STATE(two, "scheduled");
	IS(see(f, two)->attempt, 1);
}

CONTRACT(prefetch, a_prefetched_job_given_back_was_never_there)
{
	int64_t id = add(f, JOB(.ttl_us = S(10)));
	struct rv_req_turn *t = prefetch(f, W1, 4, "default");
	int64_t fence = t->claimed[0].fence;

	ERR(ack_with(f, W1, ACK(.job = id, .fence = fence, .outcome = RV_OUTCOME_INTERRUPTED)),
	    RV_OK);
	TEXT(rings(f), "Q default;");
	STATE(id, "ready");
	IS(see(f, id)->runs, 0);
	IS(see(f, id)->prefetched, false);
	ERR(ack_with(f, W1, ACK(.job = id, .fence = fence, .outcome = RV_OUTCOME_INTERRUPTED)),
	    RV_E_STALE);
	tick(f, S(10)); /* so its ttl still counts */
	IS(promote(f, 9)->expired, 1);
	STATE(id, "cancelled");
}

CONTRACT(prefetch, what_is_leased_ahead_does_not_expire_under_the_worker)
{
	int64_t id = add(f, JOB(.ttl_us = S(5)));
	struct rv_req_turn *t = prefetch(f, W1, 1, "default");
	int64_t fence = t->claimed[0].fence;

	tick(f, S(6));
	IS(promote(f, 9)->expired, 0);
	ERR(ack(f, W1, id, fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	STATE(id, "succeeded");
}

CONTRACT(prefetch, cancel_of_a_job_leased_ahead_asks_its_worker)
{
	int64_t id = add_task(f, "t");
	int64_t given_back = add_task(f, "t");
	struct rv_req_turn *t = prefetch(f, W2, 2, "default");
	int64_t fences[2] = {t->claimed[0].fence, t->claimed[1].fence};

	ERR(cancel(f, id), RV_OK);
	IS(f->req.u.cancel.was, RV_JOB_READY);
	IS(f->req.u.cancel.slot, 2);
	IS(f->req.u.cancel.fence, fences[0]);
	ERR(cancel(f, given_back), RV_OK);
	ERR(ack(f, W2, id, fences[0], RV_OUTCOME_SUCCEEDED), RV_E_CONFLICT);
	STATE(id, "cancelled");
	IS(see(f, id)->runs, 1);
	ERR(ack_with(f, W2,
		     ACK(.job = given_back, .fence = fences[1], .outcome = RV_OUTCOME_INTERRUPTED)),
	    RV_OK);
	STATE(given_back, "cancelled");
	IS(see(f, given_back)->runs, 0);
}

CONTRACT(prefetch, a_full_turn)
{
	struct rv_req_turn *t;
	struct rv_claimed got[RV_TURN_MAX];

	for (int i = 0; i < 2 * RV_TURN_MAX; i++)
		(void)add_task(f, "t");
	t = prefetch(f, W1, RV_TURN_MAX, "default");
	IS(t->nclaimed, RV_TURN_MAX);
	IS(t->more, RV_TURN_MAX);
	memcpy(got, t->claimed, sizeof got);
	memset(t, 0, sizeof *t);
	t->incarnation = W1;
	t->want = RV_TURN_MAX;
	t->prefetch = 1;
	t->nqueues = 1;
	(void)snprintf(t->queues[0], sizeof t->queues[0], "default");
	t->nacks = RV_TURN_MAX;
	for (int i = 0; i < RV_TURN_MAX; i++)
		t->acks[i] = ACK(.job = got[i].job, .fence = got[i].fence, .started_us = START_US,
				 .outcome = RV_OUTCOME_SUCCEEDED);
	ERR(ask_kind(f, RV_REQ_TURN), RV_OK);
	IS(t->nclaimed, RV_TURN_MAX);
	IS(t->more, 0);
	IS(count_of(f, "default", RV_JOB_SUCCEEDED), RV_TURN_MAX);
	IS(count_of(f, "default", RV_JOB_READY), RV_TURN_MAX); /* leased ahead: shown as ready */
}
