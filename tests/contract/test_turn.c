/* TURN and PROMOTE: order, claims, each outcome, fences, cancellation against acks, prefetch, ttl.
 */
#include "fixture.h"

#include "core/job.h"
#include "store/rules.h"
#include "wire/sup.h"

CONTRACT(turn, first_in_first_out)
{
	int64_t ids[5];
	struct rv_req_turn *t;

	for (int i = 0; i < 5; i++)
		ids[i] = add(f, JOB(.priority = 100 - i)); /* which says nothing in a fifo queue */
	t = turn(f, W1, 3, "default");
	IS(t->nclaimed, 3);
	IS(t->more, 2);
	for (int i = 0; i < 3; i++)
		IS(t->claimed[i].job, ids[i]);
	t = turn(f, W2, 9, "default");
	IS(t->nclaimed, 2);
	IS(t->more, 0);
	IS(t->claimed[0].job, ids[3]);
	IS(t->claimed[1].job, ids[4]);
	IS(turn(f, W2, 9, "default")->nclaimed, 0);
}

CONTRACT(turn, priority_then_first_in)
{
	int64_t low = add(f, JOB(.task = "ranked", .priority = 65535));
	int64_t plain = add(f, JOB(.task = "ranked"));
	int64_t high = add(f, JOB(.task = "ranked", .priority = 0));
	int64_t plain2 = add(f, JOB(.task = "ranked", .priority = 100));
	struct rv_req_turn *t = turn(f, W1, 9, "prio");

	IS(t->nclaimed, 4);
	IS(t->claimed[0].job, high);
	IS(t->claimed[1].job, plain);
	IS(t->claimed[2].job, plain2);
	IS(t->claimed[3].job, low);
}

CONTRACT(turn, queues_strictly_in_the_order_asked_for)
{
	int64_t b = add(f, JOB(.queue = "bulk"));
	int64_t d = add_task(f, "t");
	int64_t c = add_task(f, "urgent");
	struct rv_req_turn *t = turn(f, W1, 2, "critical nosuch default bulk");

	IS(t->nclaimed, 2);
	IS(t->claimed[0].job, c);
	IS(t->claimed[0].queue, 0);
	IS(t->claimed[1].job, d);
	IS(t->claimed[1].queue, 2);
	IS(t->more, 1);
	t = turn(f, W1, 2, "default critical");
	IS(t->nclaimed, 0);
	IS(t->more, 0);
	t = turn(f, W1, 1, "bulk");
	IS(t->claimed[0].job, b);
	IS(t->claimed[0].queue, 0);
}

CONTRACT(turn, a_claim_tells_what_a_worker_needs)
{
	int64_t id =
		add(f, JOB(.run_at_us = START_US - S(3), .timeout_us = S(7), .max_attempts = 4));
	struct rv_req_turn *t;
	struct rv_job_view *v;

	tick(f, S(1));
	t = turn(f, W2, 1, "default");
	IS(t->nclaimed, 1);
	IS(t->claimed[0].job, id);
	IS(t->claimed[0].run_at_us, START_US - S(3));
	IS(t->claimed[0].created_us, START_US);
	IS(t->claimed[0].timeout_us, S(7));
	IS(t->claimed[0].attempt, 1);
	IS(t->claimed[0].max_attempts, 4);
	IS(t->claimed[0].run, 1);
	IS(t->claimed[0].crashes, 0);
	TEXT(t->claimed[0].task, "t");
	TEXT(rings(f), "");
	int64_t fence = t->claimed[0].fence;
	v = see(f, id);
	IS(v->state, RV_JOB_RUNNING);
	IS(v->attempt, 1);
	IS(v->runs, 1);
	IS(v->started_us, START_US + S(1));
	IS(v->fence, fence);
	IS(v->incarnation, W2);
	IS(v->slot, 2);
	TEXT(v->worker, "default/2");
	IS(v->prefetched, false);
}

CONTRACT(turn, fences_grow_with_every_claim)
{
	int64_t last = 0;

	(void)add_task(f, "t");
	(void)add_task(f, "t");
	for (int i = 0; i < 6; i++) {
		struct rv_req_turn *t = turn(f, i % 2 ? W1 : W2, 2, "default");
		struct rv_claimed two[2] = {t->claimed[0], t->claimed[1]};

		IS(t->nclaimed, 2);
		for (int n = 0; n < 2; n++) {
			cr_assert(gt(i64, two[n].fence, last));
			last = two[n].fence;
			ERR(ack(f, i % 2 ? W1 : W2, two[n].job, two[n].fence,
				RV_OUTCOME_INTERRUPTED),
			    RV_OK);
		}
	}
	cr_assert(gt(i64, last >> 40, 0)); /* the epoch stands above the counter */
}

CONTRACT(turn, a_paused_queue_is_passed_over)
{
	int64_t id = add_task(f, "t");
	int64_t other = add(f, JOB(.queue = "bulk"));
	struct rv_req_turn *t;

	ERR(pause_queue(f, "default", 1), RV_OK);
	t = turn(f, W1, 9, "default bulk");
	IS(t->nclaimed, 1);
	IS(t->more, 0); /* what is paused is not to be had */
	IS(t->claimed[0].job, other);
	STATE(id, "ready");
	ERR(pause_queue(f, "default", 0), RV_OK);
	TEXT(rings(f), "Q default;");
	(void)claim(f, W1, id);
}

CONTRACT(turn, succeeded)
{
	int64_t id = add_task(f, "t");
	int64_t fence = claim(f, W1, id);
	struct rv_job_view *v;

	tick(f, S(2));
	ERR(ack_with(f, W1,
		     ACK(.job = id, .fence = fence, .outcome = RV_OUTCOME_SUCCEEDED, .exit_code = 0,
			 .started_us = START_US, .ended_us = START_US + S(2))),
	    RV_OK);
	v = see(f, id);
	IS(v->state, RV_JOB_SUCCEEDED);
	IS(v->attempt, 1);
	IS(v->exit_code, 0);
	IS(v->started_us, START_US);
	IS(v->finished_us, START_US + S(2));
	IS(v->slot, -1);
	TEXT(v->error, NULL);
	ERR(ack(f, W1, id, fence, RV_OUTCOME_SUCCEEDED), RV_E_STALE);
	IS(count_of(f, "default", RV_JOB_RUNNING), 0);
	IS(count_of(f, "default", RV_JOB_SUCCEEDED), 1);
}

CONTRACT(turn, failed_jobs_wait_and_then_die)
{
	int64_t id = add_task(f, "t"); /* three attempts */

	for (int i = 1; i <= 3; i++) {
		int64_t fence = claim(f, W1, id);

		IS(f->req.u.turn.claimed[0].attempt, i);
		ERR(ack_with(f, W1,
			     ACK(.job = id, .fence = fence, .outcome = RV_OUTCOME_FAILED,
				 .exit_code = 10 + i, .retry_us = S(i), .started_us = f->wall_us,
				 .error = "it broke")),
		    RV_OK);
		IS(see(f, id)->attempt, i);
		IS(see(f, id)->exit_code, 10 + i);
		TEXT(see(f, id)->error, "it broke");
		if (i == 3)
			break;
		TEXT(rings(f), "S;");
		STATE(id, "scheduled");
		IS(see(f, id)->run_at_us, f->wall_us + S(i));
		tick(f, S(i) - 1);
		IS(promote(f, 10)->promoted, 0);
		IS(f->req.u.promote.next_due_us, f->wall_us + 1);
		tick(f, 1);
		IS(promote(f, 10)->promoted, 1);
		IS(f->req.u.promote.next_due_us, 0);
		TEXT(rings(f), "Q default;");
	}
	STATE(id, "dead");
	TEXT(rings(f), "");
	IS(see(f, id)->finished_us, f->wall_us);
}

CONTRACT(turn, failed_without_a_delay_is_ready_again)
{
	int64_t id = add_task(f, "t");
	int64_t other = add_task(f, "t");

	run(f, id, RV_OUTCOME_FAILED);
	TEXT(rings(f), "Q default;");
	STATE(id, "ready");
	IS(see(f, id)->attempt, 1);
	(void)claim(f, W1, id); /* at its old place, before the other */
	(void)claim(f, W1, other);
}

CONTRACT(turn, a_long_delay_does_not_run_over)
{
	int64_t id = add_task(f, "t");
	int64_t fence = claim(f, W1, id);

	ERR(ack_with(f, W1,
		     ACK(.job = id, .fence = fence, .outcome = RV_OUTCOME_FAILED,
			 .retry_us = INT64_MAX)),
	    RV_OK);
	STATE(id, "scheduled");
	IS(promote(f, 10)->promoted, 0);
	ERR(cancel(f, id), RV_OK);
	id = add_task(f, "t");
	fence = claim(f, W1, id);
	ERR(ack_with(f, W1,
		     ACK(.job = id, .fence = fence, .outcome = RV_OUTCOME_LATER, .retry_us = -5)),
	    RV_OK);
	STATE(id, "ready");
}

CONTRACT(turn, later_burns_nothing)
{
	int64_t id = add_task(f, "once");

	for (int i = 1; i <= 4; i++) {
		int64_t fence = claim(f, W1, id);

		IS(f->req.u.turn.claimed[0].attempt, 1);
		IS(f->req.u.turn.claimed[0].run, i);
		ERR(ack_with(f, W1,
			     ACK(.job = id, .fence = fence, .outcome = RV_OUTCOME_LATER,
				 .exit_code = 75, .retry_us = S(1))),
		    RV_OK);
		STATE(id, "scheduled");
		IS(see(f, id)->attempt, 0);
		IS(see(f, id)->runs, i);
		tick(f, S(1));
		(void)promote(f, 1);
	}
	run(f, id, RV_OUTCOME_FAILED);
	STATE(id, "dead");
}

CONTRACT(turn, fatal_is_dead_at_once)
{
	int64_t id = add_task(f, "t");
	int64_t fence = claim(f, W1, id);

	ERR(ack_with(f, W1,
		     ACK(.job = id, .fence = fence, .outcome = RV_OUTCOME_FATAL, .exit_code = 65,
			 .error = "bad data")),
	    RV_OK);
	STATE(id, "dead");
	IS(see(f, id)->attempt, 1);
	IS(see(f, id)->exit_code, 65);
	TEXT(see(f, id)->error, "bad data");
}

CONTRACT(turn, interrupted_goes_back_to_its_place)
{
	int64_t id = add_task(f, "once");
	int64_t other = add_task(f, "once");

	run(f, id, RV_OUTCOME_INTERRUPTED);
	TEXT(rings(f), "Q default;");
	STATE(id, "ready");
	IS(see(f, id)->attempt, 0);
	IS(see(f, id)->runs, 1);
	run(f, id, RV_OUTCOME_SUCCEEDED);
	IS(see(f, id)->runs, 2);
	run(f, other, RV_OUTCOME_SUCCEEDED);
}

CONTRACT(turn, outcomes_that_a_worker_cannot_report)
{
	static const int32_t bad[] = {RV_OUTCOME_EXPIRED, -1, 77};
	int64_t id = add_task(f, "t");
	int64_t fence = claim(f, W1, id);

	for (size_t i = 0; i < RV_ARRAY_LEN(bad); i++) {
		ERR(ack(f, W1, id, fence, (enum rv_outcome)bad[i]), RV_E_USAGE);
		STATE(id, "running");
	}
	ERR(ack(f, W1, id, fence, RV_OUTCOME_SUCCEEDED), RV_OK);
}

CONTRACT(turn, an_old_fence_changes_nothing)
{
	int64_t id = add_task(f, "t");
	int64_t old = claim(f, W1, id);
	int64_t now;

	IS(died(f, W1, RV_DIED_LOST, 0, "stopped past its lease"), 1);
	now = claim(f, W2, id);
	cr_assert(gt(i64, now, old));
	ERR(join(f, W1 + 7, 3), RV_OK);
	for (int outcome = RV_OUTCOME_SUCCEEDED; outcome <= RV_OUTCOME_CANCELLED; outcome++) {
		ERR(ack(f, W1 + 7, id, old, (enum rv_outcome)outcome), RV_E_STALE);
		STATE(id, "running");
		IS(see(f, id)->fence, now);
	}
	ERR(ack(f, W2, id, now + 1, RV_OUTCOME_SUCCEEDED), RV_E_STALE);
	ERR(ack(f, W2, id, 0, RV_OUTCOME_SUCCEEDED), RV_E_STALE);
	ERR(ack(f, W2, 999, now, RV_OUTCOME_SUCCEEDED), RV_E_STALE);
	ERR(ack(f, W2, id, now, RV_OUTCOME_SUCCEEDED), RV_OK);
	ERR(ack(f, W1 + 7, id, old, RV_OUTCOME_FAILED), RV_E_STALE);
	STATE(id, "succeeded");
}

CONTRACT(turn, one_stale_ack_does_not_spoil_the_others)
{
	struct rv_req_turn *t;
	int64_t a = add_task(f, "t");
	int64_t b = add_task(f, "t");
	int64_t c = add_task(f, "t");
	struct rv_claimed got[2];

	t = turn(f, W1, 2, "default");
	memcpy(got, t->claimed, sizeof got);
	memset(t, 0, sizeof *t);
	t->incarnation = W1;
	t->nacks = 3;
	t->want = 1;
	t->nqueues = 1;
	(void)snprintf(t->queues[0], sizeof t->queues[0], "default");
	t->acks[0] = ACK(.job = a, .fence = got[0].fence + 100, .outcome = RV_OUTCOME_FAILED);
	t->acks[1] = ACK(.job = b, .fence = got[1].fence, .outcome = RV_OUTCOME_SUCCEEDED);
	t->acks[2] = ACK(.job = b, .fence = got[1].fence, .outcome = RV_OUTCOME_FAILED);
	ERR(ask_kind(f, RV_REQ_TURN), RV_OK);
	IS(t->acks[0].err, RV_E_STALE);
	IS(t->acks[1].err, RV_OK);
	IS(t->acks[2].err, RV_E_STALE);
	IS(t->nclaimed, 1);
	IS(t->claimed[0].job, c);
	STATE(a, "running");
	STATE(b, "succeeded");
}

/* The acks of a turn are done before its claim: what they free can be claimed by it. */
CONTRACT(turn, an_ack_frees_what_the_same_turn_claims)
{
	int64_t parent = add_task(f, "t");
	int64_t child = add(f, JOB(.after = &parent, .nafter = 1));
	int64_t fence = claim(f, W1, parent);
	struct rv_req_turn *t = &f->req.u.turn;

	memset(t, 0, sizeof *t);
	t->incarnation = W1;
	t->nacks = 1;
	t->acks[0] = ACK(.job = parent, .fence = fence, .outcome = RV_OUTCOME_SUCCEEDED);
	t->want = 1;
	t->nqueues = 1;
	(void)snprintf(t->queues[0], sizeof t->queues[0], "default");
	ERR(ask_kind(f, RV_REQ_TURN), RV_OK);
	IS(t->nclaimed, 1);
	IS(t->claimed[0].job, child);
}

CONTRACT(turn, only_the_living_may_take_turns)
{
	int64_t id = add_task(f, "t");
	int64_t fence = claim(f, W1, id);
	struct rv_req_turn *t = &f->req.u.turn;

	ERR(leave(f, W1), RV_OK);
	STATE(id, "ready");
	memset(t, 0, sizeof *t);
	t->incarnation = W1;
	t->nacks = 1;
	t->acks[0] = ACK(.job = id, .fence = fence, .outcome = RV_OUTCOME_SUCCEEDED);
	t->want = 1;
	t->nqueues = 1;
	(void)snprintf(t->queues[0], sizeof t->queues[0], "default");
	ERR(ask_kind(f, RV_REQ_TURN), RV_E_STALE);
	t->incarnation = W1 + 50; /* never joined */
	ERR(ask_kind(f, RV_REQ_TURN), RV_E_STALE);
	STATE(id, "ready");
}

CONTRACT(turn, counts_beyond_their_bounds_are_refused)
{
	struct rv_req_turn *t = &f->req.u.turn;

	memset(t, 0, sizeof *t);
	t->incarnation = W1;
	t->nacks = RV_TURN_MAX + 1;
	ERR(ask_kind(f, RV_REQ_TURN), RV_E_USAGE);
	t->nacks = 0;
	t->nqueues = RV_QUEUES_MAX + 1;
	ERR(ask_kind(f, RV_REQ_TURN), RV_E_USAGE);
	t->nqueues = 0;
	t->want = RV_TURN_MAX + 1;
	ERR(ask_kind(f, RV_REQ_TURN), RV_E_USAGE);
}

CONTRACT(turn, a_claim_that_finds_nothing_promotes)
{
	int64_t ids[3];

	ids[2] = add(f, JOB(.run_at_us = START_US + S(3)));
	ids[1] = add(f, JOB(.run_at_us = START_US + S(2)));
	ids[0] = add(f, JOB(.run_at_us = START_US + S(2)));
	IS(turn(f, W1, 1, "default")->nclaimed, 0);
	tick(f, S(2));
	struct rv_req_turn *t = turn(f, W1, 1, "default");
	IS(t->nclaimed, 1);
	IS(t->claimed[0].job, ids[1]); /* it was enqueued before */
	IS(t->more, 1);
	STATE(ids[0], "ready");
	STATE(ids[2], "scheduled");
}

CONTRACT(turn, promote_takes_the_first_due_up_to_its_limit)
{
	int64_t ids[5];

	for (int i = 0; i < 5; i++)
		ids[i] = add(f, JOB(.run_at_us = START_US + S(5 - i)));
	tick(f, S(4));
	struct rv_req_promote *p = promote(f, 2);
	IS(p->promoted, 2);
	IS(p->expired, 0);
	IS(p->next_due_us, START_US + S(3));
	STATE(ids[4], "ready");
	STATE(ids[3], "ready");
	STATE(ids[2], "scheduled");
	p = promote(f, 100);
	IS(p->promoted, 2);
	IS(p->next_due_us, START_US + S(5));
	IS(promote(f, 100)->promoted, 0);
}

CONTRACT(turn, what_was_not_started_in_time_is_cancelled)
{
	int64_t ready = add(f, JOB(.ttl_us = S(5)));
	int64_t later = add(f, JOB(.ttl_us = S(5), .run_at_us = START_US + S(60)));
	int64_t parent = add_task(f, "urgent");
	int64_t blocked = add(f, JOB(.ttl_us = S(6), .after = &parent, .nafter = 1));
	int64_t child = add(f, JOB(.after = &ready, .nafter = 1));

	tick(f, S(5) - 1);
	IS(promote(f, 9)->expired, 0);
	tick(f, 1);
	IS(promote(f, 9)->expired, 2);
	STATE(ready, "cancelled");
	TEXT(see(f, ready)->error, RV_SAYS_EXPIRED);
	STATE(later, "cancelled");
	STATE(child, "cancelled");
	STATE(blocked, "blocked");
	tick(f, S(1));
	IS(promote(f, 9)->expired, 1);
	STATE(blocked, "cancelled");
}

CONTRACT(turn, a_claim_never_starts_what_is_overdue)
{
	int64_t old = add(f, JOB(.ttl_us = S(5)));
	int64_t id = add_task(f, "t");

	tick(f, S(5));
	struct rv_req_turn *t = turn(f, W1, 1, "default");
	IS(t->nclaimed, 1);
	IS(t->claimed[0].job, id);
	IS(t->more, 0);
	STATE(old, "cancelled");
	TEXT(see(f, old)->error, RV_SAYS_EXPIRED);
}

CONTRACT(turn, what_was_started_once_does_not_expire)
{
	int64_t id = add(f, JOB(.ttl_us = S(5)));

	run(f, id, RV_OUTCOME_INTERRUPTED);
	tick(f, S(50));
	IS(promote(f, 9)->expired, 0);
	run(f, id, RV_OUTCOME_SUCCEEDED);
}

CONTRACT(turn, cancel_before_the_ack_wins)
{
	static const struct {
		enum rv_outcome outcome;
		int err;
	} rows[] = {{RV_OUTCOME_SUCCEEDED, RV_E_CONFLICT},
		    {RV_OUTCOME_FAILED, RV_E_CONFLICT},
		    {RV_OUTCOME_FATAL, RV_OK},
		    {RV_OUTCOME_LATER, RV_OK},
		    {RV_OUTCOME_INTERRUPTED, RV_OK},
		    {RV_OUTCOME_CANCELLED, RV_OK}};

	for (size_t i = 0; i < RV_ARRAY_LEN(rows); i++) {
		int64_t id = add(f, JOB(.unique_key = "k"));
		int64_t child = add(f, JOB(.after = &id, .nafter = 1));
		int64_t fence = claim(f, W1, id);
		bool wanted = true;

		ERR(rv_store_cancel_wanted(f->store, id, fence, &wanted), RV_OK);
		IS(wanted, false);
		ERR(cancel(f, id), RV_OK);
		IS(f->req.u.cancel.was, RV_JOB_RUNNING);
		IS(f->req.u.cancel.slot, 1);
		IS(f->req.u.cancel.fence, fence);
		TEXT(rings(f), "");
		STATE(id, "running");
		IS(see(f, id)->cancel_requested, true);
		ERR(rv_store_cancel_wanted(f->store, id, fence, &wanted), RV_OK);
		IS(wanted, true);
		ERR(rv_store_cancel_wanted(f->store, id, fence - 1, &wanted), RV_OK);
		IS(wanted, false);
		ERR(cancel(f, id), RV_OK); /* once more: the same answer */
		IS(f->req.u.cancel.fence, fence);
		ERR(ack(f, W1, id, fence, rows[i].outcome), rows[i].err);
		STATE(id, "cancelled");
		STATE(child, "cancelled");
		ERR(ack(f, W1, id, fence, rows[i].outcome), RV_E_STALE);
	}
}

CONTRACT(turn, cancel_after_the_ack_loses)
{
	int64_t id = add_task(f, "t");

	run(f, id, RV_OUTCOME_SUCCEEDED);
	ERR(cancel(f, id), RV_E_CONFLICT);
	STATE(id, "succeeded");
}
