/* CANCEL, RETRY, DELETE, PAUSE, WAITER: what people ask for, and each refusal. */
#include "fixture.h"

#include "core/job.h"
#include "wire/sup.h"

CONTRACT(admin, cancel_what_waits)
{
	int64_t ready = add_task(f, "t");
	int64_t later = add(f, JOB(.run_at_us = START_US + S(5)));
	int64_t blocked = add(f, JOB(.after = &later, .nafter = 1));

	ERR(cancel(f, ready), RV_OK);
	IS(f->req.u.cancel.was, RV_JOB_READY);
	IS(f->req.u.cancel.slot, -1);
	TEXT(rings(f), "");
	STATE(ready, "cancelled");
	IS(see(f, ready)->finished_us, START_US);
	ERR(cancel(f, blocked), RV_OK);
	IS(f->req.u.cancel.was, RV_JOB_BLOCKED);
	STATE(blocked, "cancelled");
	STATE(later, "scheduled");
	ERR(cancel(f, later), RV_OK);
	IS(f->req.u.cancel.was, RV_JOB_SCHEDULED);
	STATE(later, "cancelled");
	IS(turn(f, W1, 9, "default")->nclaimed, 0);
	tick(f, S(9));
	IS(promote(f, 9)->promoted, 0);
}

CONTRACT(admin, cancel_what_is_not_there_or_over)
{
	int64_t id = add_task(f, "once");

	ERR(cancel(f, 999), RV_E_NOTFOUND);
	HAS(f->why.text, "999");
	ERR(cancel(f, 0), RV_E_NOTFOUND);
	run(f, id, RV_OUTCOME_FAILED);
	ERR(cancel(f, id), RV_E_CONFLICT);
	HAS(f->why.text, "dead");
	ERR(retry(f, id), RV_OK);
	ERR(cancel(f, id), RV_OK);
	ERR(cancel(f, id), RV_E_CONFLICT);
	HAS(f->why.text, "cancelled");
}

CONTRACT(admin, retry_of_the_dead)
{
	int64_t id = add_task(f, "once");
	int64_t other;

	run(f, id, RV_OUTCOME_FAILED);
	other = add_task(f, "t");
	ERR(retry(f, id), RV_OK);
	IS(f->req.u.retry.was, RV_JOB_DEAD);
	TEXT(rings(f), "Q default;");
	STATE(id, "ready");
	IS(see(f, id)->finished_us, 0);
	IS(see(f, id)->attempt, 1);
	run(f, other, RV_OUTCOME_SUCCEEDED); /* it queues up again, at the end */
	(void)claim(f, W1, id);
	IS(f->req.u.turn.claimed[0].attempt, 2);
	IS(f->req.u.turn.claimed[0].run, 2);
	ERR(ack(f, W1, id, f->req.u.turn.claimed[0].fence, RV_OUTCOME_FAILED), RV_OK);
	STATE(id, "dead"); /* one more was granted, not more */
	ERR(retry(f, id), RV_OK);
	run(f, id, RV_OUTCOME_SUCCEEDED);
	STATE(id, "succeeded");
	IS(see(f, id)->attempt, 3);
}

CONTRACT(admin, retry_of_the_cancelled)
{
	int64_t id = add(f, JOB(.ttl_us = S(5)));

	tick(f, S(5));
	IS(promote(f, 9)->expired, 1);
	ERR(retry(f, id), RV_OK);
	IS(f->req.u.retry.was, RV_JOB_CANCELLED);
	tick(f, S(50));
	IS(promote(f, 9)->expired, 0); /* a person's word is above the ttl */
	run(f, id, RV_OUTCOME_SUCCEEDED);
}

CONTRACT(admin, retry_of_a_cancelled_child_does_not_wait)
{
	int64_t parent = add_task(f, "t");
	int64_t child = add(f, JOB(.queue = "bulk", .after = &parent, .nafter = 1));

	ERR(cancel(f, parent), RV_OK);
	STATE(child, "cancelled");
	ERR(retry(f, child), RV_OK);
	STATE(child, "ready");
	ERR(retry(f, parent), RV_OK);
	run(f, parent, RV_OUTCOME_SUCCEEDED);
	run(f, child, RV_OUTCOME_SUCCEEDED);
}

CONTRACT(admin, retry_keeps_the_priority)
{
	int64_t high = add(f, JOB(.task = "ranked", .priority = 1, .max_attempts = 1));
	int64_t low;

	run(f, high, RV_OUTCOME_FAILED);
	low = add(f, JOB(.task = "ranked", .priority = 2));
	ERR(retry(f, high), RV_OK);
	run(f, high, RV_OUTCOME_SUCCEEDED);
	run(f, low, RV_OUTCOME_SUCCEEDED);
}

CONTRACT(admin, retry_refused)
{
	int64_t id = add(f, JOB(.unique_key = "k"));
	int64_t second;

	ERR(retry(f, 999), RV_E_NOTFOUND);
	ERR(retry(f, id), RV_E_CONFLICT);
	HAS(f->why.text, "ready");
	int64_t fence = claim(f, W1, id);
	ERR(retry(f, id), RV_E_CONFLICT);
	ERR(ack(f, W1, id, fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	ERR(retry(f, id), RV_E_CONFLICT);
	HAS(f->why.text, "succeeded");
	id = add(f, JOB(.unique_key = "k"));
	ERR(cancel(f, id), RV_OK);
	second = add(f, JOB(.unique_key = "k"));
	ERR(retry(f, id), RV_E_CONFLICT);
	STATE(id, "cancelled");
	run(f, second, RV_OUTCOME_SUCCEEDED);
	ERR(retry(f, id), RV_OK); /* and takes its key again */
	ERR(try_add(f, JOB(.unique_key = "k"), &second), RV_E_CONFLICT);
	IS(second, id);
}

CONTRACT(admin, delete_a_final_job)
{
	int64_t id = add(f, JOB(.idem_key = "i", .unique_key = "u"));
	int64_t again = 0;
	struct rv_job_view view;

	ERR(forget(f, 999), RV_E_NOTFOUND);
	ERR(forget(f, id), RV_E_CONFLICT);
	run(f, id, RV_OUTCOME_SUCCEEDED);
	ERR(forget(f, id), RV_OK);
	ERR(rv_store_job(f->store, id, &view), RV_E_NOTFOUND);
	ERR(forget(f, id), RV_E_NOTFOUND);
	ERR(cancel(f, id), RV_E_NOTFOUND);
	ERR(retry(f, id), RV_E_NOTFOUND);
	IS(count_of(f, "default", RV_JOB_SUCCEEDED), 0);
	ERR(try_add(f, JOB(.idem_key = "i", .unique_key = "u"), &again), RV_OK);
	IS(again, id);
}

CONTRACT(admin, delete_after_many_lives)
{
	int64_t id = add_task(f, "t");

	for (int i = 0; i < 3; i++)
		run(f, id, RV_OUTCOME_FAILED);
	ERR(retry(f, id), RV_OK);
	(void)claim(f, W1, id);
	IS(died(f, W1, RV_DIED_CRASH, 0, "killed"), 1);
	ERR(join(f, W1 + 9, 1), RV_OK);
	ERR(cancel(f, id), RV_OK);
	ERR(retry(f, id), RV_OK);
	ERR(ack(f, W1 + 9, id, claim(f, W1 + 9, id), RV_OUTCOME_FATAL), RV_OK);
	ERR(forget(f, id), RV_OK);
}

CONTRACT(admin, delete_not_what_somebody_waits_for)
{
	int64_t parent = add_task(f, "once");
	int64_t child = add(f, JOB(.after = &parent, .nafter = 1));

	run(f, parent, RV_OUTCOME_FAILED);
	ERR(forget(f, parent), RV_E_CONFLICT);
	{
		char number[24];

		(void)snprintf(number, sizeof number, "%lld", (long long)child);
		HAS(f->why.text, number);
	}
	ERR(cancel(f, child), RV_OK);
	ERR(forget(f, parent), RV_OK);
	STATE(child, "cancelled");
}

#define ONLY(state) (1U << RV_JOB_##state)

/* What was seen otherwise is left alone. */
CONTRACT(admin, a_change_of_what_was_seen)
{
	int64_t id = add(f, JOB(.key = "a"));

	f->req.u.cancel = (struct rv_req_cancel){.job = id, .only = ONLY(DEAD) | ONLY(RUNNING)};
	ERR(ask_kind(f, RV_REQ_CANCEL), RV_E_CONFLICT);
	HAS(f->why.text, "is ready now");
	f->req.u.hold = (struct rv_req_hold){.job = id, .held = 1, .only = ONLY(SCHEDULED)};
	ERR(ask_kind(f, RV_REQ_HOLD), RV_E_CONFLICT);
	STATE(id, "ready");
	f->req.u.cancel = (struct rv_req_cancel){.job = id, .only = ONLY(READY)};
	ERR(ask_kind(f, RV_REQ_CANCEL), RV_OK);
	f->req.u.retry = (struct rv_req_retry){.job = id, .only = ONLY(DEAD)};
	ERR(ask_kind(f, RV_REQ_RETRY), RV_E_CONFLICT);
	f->req.u.remove = (struct rv_req_remove){.job = id, .only = ONLY(DEAD)};
	ERR(ask_kind(f, RV_REQ_DELETE), RV_E_CONFLICT);
	STATE(id, "cancelled");
	f->req.u.retry = (struct rv_req_retry){.job = id, .only = ONLY(DEAD) | ONLY(CANCELLED)};
	ERR(ask_kind(f, RV_REQ_RETRY), RV_OK);
	run(f, id, RV_OUTCOME_FATAL);
	f->req.u.remove = (struct rv_req_remove){.job = id, .only = ONLY(DEAD)};
	ERR(ask_kind(f, RV_REQ_DELETE), RV_OK);
}

/* It takes nothing new, and works off what it has. */
CONTRACT(admin, a_draining_queue)
{
	int64_t parent = add(f, JOB(.key = "a"));
	int64_t child = add(f, JOB(.after = &parent, .nafter = 1));
	int64_t again = add(f, JOB(.idem_key = "i"));
	int64_t id = 0;

	ERR(pause_queue(f, "default", RV_QUEUE_DRAINING), RV_OK);
	ERR(try_add(f, JOB(.key = "b"), &id), RV_E_REFUSED);
	HAS(f->why.text, "is draining, it takes no new jobs");
	ERR(try_add(f, JOB(.idem_key = "i"), &id), RV_OK); /* it is there already */
	IS(id, again);
	(void)add(f, JOB(.queue = "bulk"));
	run(f, parent, RV_OUTCOME_SUCCEEDED);
	run(f, child, RV_OUTCOME_SUCCEEDED);
	run(f, again, RV_OUTCOME_FATAL);
	ERR(retry(f, again), RV_OK); /* nothing new */
	ERR(pause_queue(f, "default", RV_QUEUE_GATES), RV_E_USAGE);
	ERR(pause_queue(f, "default", -1), RV_E_USAGE);
	ERR(pause_queue(f, "default", RV_QUEUE_OPEN), RV_OK);
	(void)add(f, JOB(.key = "b"));
}

struct paused {
	const char *name;
	int is;
};

static int note_paused(void *ctx, const struct rv_queue_view *view)
{
	struct paused *want = ctx;

	if (strcmp(view->name, want->name) == 0)
		want->is = view->paused;
	return RV_OK;
}

CONTRACT(admin, pause_and_resume)
{
	struct paused bulk = {"bulk", -1};

	ERR(pause_queue(f, "bulk", 1), RV_OK);
	TEXT(rings(f), "");
	ERR(rv_store_queues(f->store, note_paused, &bulk), RV_OK);
	IS(bulk.is, 1);
	ERR(pause_queue(f, "bulk", 1), RV_OK);
	ERR(pause_queue(f, "bulk", 0), RV_OK);
	TEXT(rings(f), "Q bulk;");
	ERR(rv_store_queues(f->store, note_paused, &bulk), RV_OK);
	IS(bulk.is, 0);
	ERR(pause_queue(f, "blk", 1), RV_E_NOTFOUND);
	HAS(f->why.text, "bulk");
}

CONTRACT(admin, waiters_are_rung_when_the_job_is_final)
{
	int64_t id = add_task(f, "t");
	int64_t other = add_task(f, "t");
	char want[64];

	ERR(wait_for(f, id, "/run/a", START_US + S(60)), RV_OK);
	ERR(wait_for(f, id, "/run/b", START_US + S(60)), RV_OK);
	ERR(wait_for(f, id, "/run/a", START_US + S(90)), RV_OK); /* again: longer */
	ERR(wait_for(f, id, "/run/late", START_US + S(1)), RV_OK);
	ERR(wait_for(f, id, "/run/gone", START_US + S(60)), RV_OK);
	ERR(wait_for(f, other, "/run/gone", START_US + S(60)), RV_OK);
	ERR(wait_for(f, id, "/run/gone", 0), RV_OK);
	tick(f, S(70));
	run(f, id, RV_OUTCOME_FAILED); /* ready again: not final */
	TEXT(rings(f), "Q default;");
	run(f, id, RV_OUTCOME_SUCCEEDED);
	(void)snprintf(want, sizeof want, "W /run/a %lld;", (long long)id);
	TEXT(rings(f), want);
	run(f, other, RV_OUTCOME_SUCCEEDED); /* its waiter's time was over */
	TEXT(rings(f), "");
}

CONTRACT(admin, a_waiter_of_any_job_can_be_forgotten)
{
	int64_t id = add_task(f, "t");

	ERR(wait_for(f, id, "/run/a", START_US + S(60)), RV_OK);
	ERR(wait_for(f, 0, "/run/a", 0), RV_OK);
	run(f, id, RV_OUTCOME_SUCCEEDED);
	TEXT(rings(f), "");
}

CONTRACT(admin, waiter_refused)
{
	ERR(wait_for(f, 999, "/run/a", START_US + S(60)), RV_E_NOTFOUND);
	ERR(wait_for(f, add_task(f, "t"), "", START_US + S(60)), RV_E_USAGE);
}

CONTRACT(admin, a_waiter_that_comes_too_late_is_rung_at_once)
{
	int64_t id = add_task(f, "t");
	char want[64];

	ERR(cancel(f, id), RV_OK);
	ERR(wait_for(f, id, "/run/a", START_US + S(60)), RV_OK);
	(void)snprintf(want, sizeof want, "W /run/a %lld;", (long long)id);
	TEXT(rings(f), want);
}
