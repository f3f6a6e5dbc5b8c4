/* Jobs that wait and are held, released or edited by a person. */
#include "fixture.h"

static const struct rv_task_def task = {.name = "t", .queue = "default", .max_attempts = 3};

static int hold(struct fixture *f, int64_t id, int held)
{
	f->req.u.hold = (struct rv_req_hold){.job = id, .held = held};
	return ask_kind(f, RV_REQ_HOLD);
}

static int edit(struct fixture *f, struct rv_req_edit want)
{
	f->req.u.edit = want;
	return ask_kind(f, RV_REQ_EDIT);
}

#define EDIT(...) edit(f, (struct rv_req_edit){.priority = -1, __VA_ARGS__})

static void serve(struct fixture *f, enum rv_strategy strategy)
{
	struct rv_queue_def queue = {.name = "default", .strategy = strategy};

	f->req.u.mirror =
		(struct rv_req_mirror){.tasks = &task, .ntasks = 1, .queues = &queue, .nqueues = 1};
	ERR(ask_kind(f, RV_REQ_MIRROR), RV_OK);
}

CONTRACT(hold, a_held_job_is_not_claimed)
{
	int64_t a = add(f, JOB(.key = "a"));
	int64_t b = add(f, JOB(.key = "b"));

	ERR(hold(f, a, 1), RV_OK);
	IS(f->req.u.hold.was, RV_JOB_READY);
	STATE(a, "blocked");
	IS(see(f, a)->held, true);
	IS(see(f, a)->parent_left, 0);
	IS(count_of(f, "default", RV_JOB_READY), 1);
	IS(count_of(f, "default", RV_JOB_BLOCKED), 1);
	run(f, b, RV_OUTCOME_SUCCEEDED);
	IS(turn(f, W1, 1, "default")->nclaimed, 0);
	ERR(hold(f, a, 0), RV_OK);
	TEXT(rings(f), "Q default;");
	STATE(a, "ready");
	IS(see(f, a)->held, false);
	run(f, a, RV_OUTCOME_SUCCEEDED);
}

/* It comes back to where it was in the line. */
CONTRACT(hold, a_released_job_keeps_its_place)
{
	int64_t a = add(f, JOB(.key = "a"));
	int64_t b = add(f, JOB(.key = "b"));

	ERR(hold(f, a, 1), RV_OK);
	tick(f, S(5));
	ERR(hold(f, a, 0), RV_OK);
	run(f, a, RV_OUTCOME_SUCCEEDED);
	run(f, b, RV_OUTCOME_SUCCEEDED);
}

CONTRACT(hold, a_scheduled_job_goes_on_waiting_for_its_time)
{
	int64_t id = add(f, JOB(.run_at_us = START_US + S(60)));
	int64_t tried = add(f, JOB(.max_attempts = 3));
	int64_t fence = claim(f, W1, tried);

	ERR(ack_with(f, W1,
		     ACK(.job = tried, .fence = fence, .outcome = RV_OUTCOME_FAILED,
			 .retry_us = S(30))),
	    RV_OK);
	ERR(hold(f, id, 1), RV_OK);
	ERR(hold(f, tried, 1), RV_OK);
	STATE(tried, "blocked");
	ERR(hold(f, id, 0), RV_OK);
	ERR(hold(f, tried, 0), RV_OK);
	STATE(id, "scheduled");
	IS(see(f, id)->run_at_us, START_US + S(60));
	IS(see(f, tried)->run_at_us, START_US + S(30)); /* its backoff is not forgotten */
	ERR(hold(f, id, 1), RV_OK);
	tick(f, S(61));
	IS(promote(f, 10)->promoted, 1);
	STATE(id, "blocked");
	ERR(hold(f, id, 0), RV_OK);
	STATE(id, "ready");
}

CONTRACT(hold, a_child_waits_for_both)
{
	int64_t parent = add(f, JOB(.key = "p"));
	int64_t child = add(f, JOB(.after = &parent, .nafter = 1));
	int64_t later = add(f, JOB(.after = &parent, .nafter = 1, .run_at_us = START_US + S(60)));

	ERR(hold(f, child, 1), RV_OK);
	ERR(hold(f, later, 1), RV_OK);
	IS(see(f, child)->parent_left, 1);
	ERR(hold(f, later, 0), RV_OK);
	run(f, parent, RV_OUTCOME_SUCCEEDED);
	STATE(child, "blocked");
	STATE(later, "scheduled");
	IS(see(f, child)->parent_left, 0);
	ERR(hold(f, child, 0), RV_OK);
	STATE(child, "ready");
}

CONTRACT(hold, a_held_job_falls_with_its_parent_and_by_its_ttl)
{
	int64_t parent = add(f, JOB(.key = "p"));
	int64_t child = add(f, JOB(.after = &parent, .nafter = 1));
	int64_t brief = add(f, JOB(.ttl_us = S(10)));
	int64_t unique = add(f, JOB(.unique_key = "u"));
	int64_t other = 0;

	ERR(hold(f, child, 1), RV_OK);
	ERR(hold(f, brief, 1), RV_OK);
	ERR(hold(f, unique, 1), RV_OK);
	ERR(try_add(f, JOB(.unique_key = "u"), &other), RV_E_CONFLICT);
	ERR(cancel(f, parent), RV_OK);
	STATE(child, "cancelled");
	IS(see(f, child)->held, false);
	tick(f, S(11));
	IS(promote(f, 10)->expired, 1);
	STATE(brief, "cancelled");
	ERR(cancel(f, unique), RV_OK);
	ERR(retry(f, unique), RV_OK);
	STATE(unique, "ready");
}

CONTRACT(hold, what_cannot_be_held)
{
	int64_t id = add(f, JOB(.key = "a"));
	int64_t fetched;
	int64_t fence;

	ERR(hold(f, 999, 1), RV_E_NOTFOUND);
	ERR(hold(f, id, 0), RV_E_CONFLICT);
	HAS(f->why.text, "is not held");
	ERR(hold(f, id, 1), RV_OK);
	ERR(hold(f, id, 1), RV_E_CONFLICT);
	HAS(f->why.text, "held already");
	ERR(hold(f, id, 0), RV_OK);
	fence = claim(f, W1, id);
	ERR(hold(f, id, 1), RV_E_CONFLICT);
	HAS(f->why.text, "is running");
	IS(f->req.u.hold.was, RV_JOB_RUNNING);
	ERR(ack(f, W1, id, fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	ERR(hold(f, id, 1), RV_E_CONFLICT);
	HAS(f->why.text, "is succeeded");
	fetched = add(f, JOB(.key = "b"));
	IS(prefetch(f, W2, 1, "default")->nclaimed, 1);
	ERR(hold(f, fetched, 1), RV_E_CONFLICT);
	HAS(f->why.text, "a worker has fetched");
	ERR(EDIT(.job = fetched, .max_attempts = 9), RV_E_CONFLICT);
}

CONTRACT(hold, a_new_priority_is_a_new_place)
{
	serve(f, RV_STRATEGY_PRIORITY);
	int64_t a = add(f, JOB(.priority = 10));
	int64_t b = add(f, JOB(.priority = 20));
	int64_t c = add(f, JOB(.priority = 30));
	int64_t due = add(f, JOB(.priority = 40, .run_at_us = START_US + S(5)));

	ERR(EDIT(.job = c, .priority = 5), RV_OK);
	ERR(EDIT(.job = due, .priority = 1), RV_OK);
	IS(see(f, c)->priority, 5);
	IS(see(f, c)->max_attempts, 3);
	tick(f, S(6));
	promote(f, 10);
	run(f, due, RV_OUTCOME_SUCCEEDED);
	run(f, c, RV_OUTCOME_SUCCEEDED);
	ERR(EDIT(.job = a, .priority = 20), RV_OK); /* of equals the oldest */
	run(f, a, RV_OUTCOME_SUCCEEDED);
	run(f, b, RV_OUTCOME_SUCCEEDED);
}

/* In a queue that does not look at it, it is only kept. */
CONTRACT(hold, a_new_priority_elsewhere_moves_nothing)
{
	int64_t a = add(f, JOB(.priority = 10));
	int64_t b = add(f, JOB(.priority = 20));

	ERR(EDIT(.job = b, .priority = 0), RV_OK);
	run(f, a, RV_OUTCOME_SUCCEEDED);
	run(f, b, RV_OUTCOME_SUCCEEDED);
	IS(see(f, b)->priority, 0);
}

CONTRACT(hold, a_new_time)
{
	int64_t a = add(f, JOB(.key = "a"));
	int64_t parent = add(f, JOB(.key = "b"));
	int64_t child = add(f, JOB(.after = &parent, .nafter = 1));

	ERR(EDIT(.job = a, .run_at_us = START_US + S(60)), RV_OK);
	IS(f->req.u.edit.was, RV_JOB_READY);
	TEXT(rings(f), "S;");
	STATE(a, "scheduled");
	IS(see(f, a)->run_at_us, START_US + S(60));
	ERR(EDIT(.job = a, .run_at_us = START_US + S(30)), RV_OK);
	TEXT(rings(f), "S;");
	IS(see(f, a)->run_at_us, START_US + S(30));
	ERR(EDIT(.job = a, .run_at_us = START_US), RV_OK);
	TEXT(rings(f), "Q default;");
	STATE(a, "ready");
	ERR(EDIT(.job = child, .run_at_us = START_US + S(60)), RV_OK);
	STATE(child, "blocked");
	run(f, a, RV_OUTCOME_SUCCEEDED);
	run(f, parent, RV_OUTCOME_SUCCEEDED);
	STATE(child, "scheduled");
	ERR(hold(f, child, 1), RV_OK);
	ERR(EDIT(.job = child, .run_at_us = START_US + S(90)), RV_OK);
	ERR(hold(f, child, 0), RV_OK);
	IS(see(f, child)->run_at_us, START_US + S(90));
}

CONTRACT(hold, a_new_number_of_attempts)
{
	int64_t id = add(f, JOB(.max_attempts = 1));

	run(f, id, RV_OUTCOME_FAILED);
	STATE(id, "dead");
	ERR(EDIT(.job = id, .max_attempts = 5), RV_E_CONFLICT);
	ERR(retry(f, id), RV_OK);
	IS(see(f, id)->max_attempts, 2);
	ERR(EDIT(.job = id, .max_attempts = 1), RV_E_CONFLICT);
	HAS(f->why.text, "has used 1 attempt already");
	ERR(EDIT(.job = id, .max_attempts = 3), RV_OK);
	IS(see(f, id)->max_attempts, 3);
	run(f, id, RV_OUTCOME_FAILED);
	STATE(id, "ready");
	run(f, id, RV_OUTCOME_FAILED);
	STATE(id, "dead");
}

CONTRACT(hold, an_edit_that_is_none)
{
	int64_t id = add(f, JOB(.key = "a"));

	ERR(EDIT(.job = id, .max_attempts = 0), RV_E_USAGE);
	HAS(f->why.text, "nothing to change");
	ERR(EDIT(.job = id, .priority = RV_PRIORITY_MAX + 1), RV_E_USAGE);
	ERR(EDIT(.job = id, .max_attempts = -1), RV_E_USAGE);
	ERR(EDIT(.job = id, .run_at_us = -1), RV_E_USAGE);
	ERR(EDIT(.job = 999, .priority = 1), RV_E_NOTFOUND);
	IS(see(f, id)->priority, RV_PRIORITY_DEFAULT);
}

/* What is edited outlives a change of strategy, which gives all that waits new places. */
CONTRACT(hold, an_edited_job_is_found_again)
{
	serve(f, RV_STRATEGY_PRIORITY);
	int64_t a = add(f, JOB(.priority = 10));
	int64_t b = add(f, JOB(.priority = 20));

	ERR(EDIT(.job = b, .priority = 5), RV_OK);
	ERR(hold(f, a, 1), RV_OK);
	serve(f, RV_STRATEGY_LIFO);
	do {
		f->req.u.tidy = (struct rv_req_tidy){.limit = 1};
		ERR(ask_kind(f, RV_REQ_TIDY), RV_OK);
		fixture_check(f);
	} while (f->req.u.tidy.more);
	ERR(hold(f, a, 0), RV_OK);
	run(f, b, RV_OUTCOME_SUCCEEDED);
	run(f, a, RV_OUTCOME_SUCCEEDED);
}
