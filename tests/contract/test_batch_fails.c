/* Batches that tolerate only so many dead jobs: when they fail, and what becomes of the others. */
#include "fixture.h"

#include "core/tolerance.h"
#include "wire/sup.h"

static int64_t open_batch(struct fixture *f, enum rv_tolerates kind, int64_t n, bool stops)
{
	const struct rv_tolerance tolerance = {kind, n};

	f->req.u.new_batch = (struct rv_req_new_batch){.on_success.task = "t",
						       .on_complete.task = "once",
						       .tolerance = &tolerance,
						       .stops = stops,
						       .uid = 77};
	ERR(ask_kind(f, RV_REQ_NEW_BATCH), RV_OK);
	return f->req.u.new_batch.id;
}

static int close_batch(struct fixture *f, int64_t id)
{
	f->req.u.close = (struct rv_req_close){.batch = id};
	return ask_kind(f, RV_REQ_CLOSE);
}

static struct rv_batch_view batch(struct fixture *f, int64_t id)
{
	struct rv_batch_view view;

	ERR(rv_store_batch(f->store, id, &view), RV_OK);
	return view;
}

static int64_t add_to(struct fixture *f, int64_t id)
{
	return add(f, JOB(.batch = id));
}

static int64_t swept(struct fixture *f, uint32_t limit)
{
	return promote(f, limit)->swept;
}

CONTRACT(batch_fails, with_the_first_that_is_too_much)
{
	int64_t id = open_batch(f, RV_TOLERATES_COUNT, 1, false);
	int64_t a = add_to(f, id);
	int64_t b = add_to(f, id);
	int64_t c = add_to(f, id);
	int64_t later = add(f, JOB(.batch = id, .run_at_us = START_US + S(60)));
	int64_t other = add(f, JOB(.key = "k"));
	int64_t job;

	IS(batch(f, id).allowed, 1);
	IS(batch(f, id).percent, -1);
	run(f, a, RV_OUTCOME_FATAL);
	IS(batch(f, id).failed_us, 0);
	IS(swept(f, 10), 0);
	STATE(c, "ready");
	(void)rings(f);
	tick(f, S(1));
	run(f, b, RV_OUTCOME_FATAL);
	HAS(rings(f), "S"); /* the keeper */
	IS(batch(f, id).failed_us, START_US + S(1));
	IS(batch(f, id).ended_us, 0);
	ERR(try_add(f, JOB(.batch = id), &job), RV_E_CONFLICT);
	HAS(f->why.text, "batch 1 has failed: 2 of 4 dead, 1 allowed");
	IS(swept(f, 10), 2);
	STATE(c, "cancelled");
	TEXT(see(f, c)->error, "its batch failed: 2 of 4 dead, 1 allowed");
	STATE(later, "cancelled");
	STATE(other, "ready");
	IS(swept(f, 10), 0);
	IS(batch(f, id).ended_us, 0); /* it is open */
	ERR(close_batch(f, id), RV_OK);
	IS(batch(f, id).ended_us, START_US + S(1));
	IS(batch(f, id).success_job, 0);
	IS(batch(f, id).complete_job, other + 1);
	IS(batch(f, id).failed_us, START_US + S(1));
}

CONTRACT(batch_fails, what_runs_goes_on_and_does_not_run_again)
{
	int64_t id = open_batch(f, RV_TOLERATES_COUNT, 0, false);
	int64_t a = add_to(f, id);
	int64_t good = add_to(f, id);
	int64_t bad = add_to(f, id);
	int64_t hit = add(f, JOB(.batch = id));
	int64_t fences[3];

	ERR(close_batch(f, id), RV_OK);
	fences[0] = claim(f, W1, a);
	fences[1] = claim(f, W1, good);
	fences[2] = claim(f, W1, bad);
	(void)claim(f, W2, hit);
	ERR(ack(f, W1, a, fences[0], RV_OUTCOME_FATAL), RV_OK);
	IS(swept(f, 10), 0);
	STATE(good, "running");
	IS(see(f, good)->cancel_requested, false);
	ERR(ack(f, W1, good, fences[1], RV_OUTCOME_SUCCEEDED), RV_OK);
	STATE(good, "succeeded");
	ERR(ack_with(f, W1,
		     ACK(.job = bad, .fence = fences[2], .outcome = RV_OUTCOME_FAILED,
			 .started_us = f->wall_us, .ended_us = f->wall_us + 5, .exit_code = 3,
			 .error = "exit code 3")),
	    RV_OK);
	STATE(bad, "cancelled"); /* it had two attempts left */
	TEXT(see(f, bad)->error, "its batch failed: 1 of 4 dead, 0 allowed");
	IS(see(f, bad)->exit_code, 3);
	IS(batch(f, id).ended_us, 0);
	IS(died(f, W2, RV_DIED_CRASH, 0, "killed by signal 9"), 1);
	STATE(hit, "cancelled");
	IS(batch(f, id).pending, 0);
	IS(batch(f, id).ended_us, START_US);
	IS(batch(f, id).complete_job, hit + 1);
}

CONTRACT(batch_fails, or_is_stopped_too)
{
	int64_t id = open_batch(f, RV_TOLERATES_COUNT, 0, true);
	int64_t a = add_to(f, id);
	int64_t runs = add_to(f, id);
	int64_t waits = add_to(f, id);
	int64_t fences[2];

	IS(batch(f, id).stops, true);
	fences[0] = claim(f, W1, a);
	fences[1] = claim(f, W1, runs);
	ERR(ack(f, W1, a, fences[0], RV_OUTCOME_FATAL), RV_OK);
	IS(see(f, runs)->cancel_requested, false);
	IS(swept(f, 10), 2);
	IS(see(f, runs)->cancel_requested, true);
	STATE(waits, "cancelled");
	ERR(ack(f, W1, runs, fences[1], RV_OUTCOME_CANCELLED), RV_OK);
	STATE(runs, "cancelled");
	ERR(close_batch(f, id), RV_OK);
	IS(batch(f, id).cancelled, 2);
}

/* Also before the sweep has come to it, and when nobody sweeps. */
CONTRACT(batch_fails, nothing_of_it_is_claimed)
{
	int64_t id = open_batch(f, RV_TOLERATES_COUNT, 0, false);
	int64_t a = add_to(f, id);
	int64_t b = add_to(f, id);
	int64_t c = add_to(f, id);
	int64_t other = add(f, JOB(.key = "k"));

	run(f, a, RV_OUTCOME_FATAL);
	(void)claim(f, W2, other);
	STATE(b, "cancelled");
	TEXT(see(f, b)->error, "its batch failed: 1 of 3 dead, 0 allowed");
	STATE(c, "cancelled");
	IS(swept(f, 10), 0);
	IS(batch(f, id).pending, 0);
}

/* A worker has it and may start it at any moment: it is told not to. */
CONTRACT(batch_fails, what_is_fetched_is_cancelled)
{
	int64_t id = open_batch(f, RV_TOLERATES_COUNT, 0, false);
	int64_t a = add_to(f, id);
	int64_t b = add_to(f, id);
	int64_t fence = claim(f, W1, a);
	struct rv_req_turn *t = prefetch(f, W2, 2, "default");

	IS(t->nclaimed, 1);
	IS(t->claimed[0].job, b);
	ERR(ack(f, W1, a, fence, RV_OUTCOME_FATAL), RV_OK);
	IS(swept(f, 10), 1);
	IS(see(f, b)->cancel_requested, true);
}

/* So many in each transaction, the newest first, and none is left over. */
CONTRACT(batch_fails, a_large_one_is_swept_in_steps)
{
	int64_t id = open_batch(f, RV_TOLERATES_COUNT, 0, false);
	int64_t second = open_batch(f, RV_TOLERATES_COUNT, 0, false);
	int64_t a = add_to(f, id);
	int64_t b = add_to(f, second);
	int64_t first = 0;
	int64_t last = 0;
	int64_t of_second;

	for (int i = 0; i < 150; i++) {
		last = add_to(f, id);
		first = first ? first : last;
	}
	of_second = add_to(f, second);
	run(f, a, RV_OUTCOME_FATAL);
	run(f, b, RV_OUTCOME_FATAL);
	IS(swept(f, 0), 0);
	IS(swept(f, 100), 100);
	STATE(last, "cancelled");
	STATE(first, "ready");
	IS(batch(f, id).cancelled, 100);
	STATE(of_second, "ready");
	IS(swept(f, 100), 51);
	IS(batch(f, id).pending, 0);
	STATE(of_second, "cancelled");
	IS(swept(f, 100), 0);
}

CONTRACT(batch_fails, a_share_counts_when_all_are_there)
{
	int64_t id = open_batch(f, RV_TOLERATES_PERCENT, 40, false);
	int64_t a = add_to(f, id);
	int64_t b;
	int64_t c;

	IS(batch(f, id).allowed, RV_TOLERANCE_OPEN);
	IS(batch(f, id).percent, 40);
	run(f, a, RV_OUTCOME_FATAL); /* all of one */
	IS(batch(f, id).failed_us, 0);
	b = add_to(f, id);
	c = add_to(f, id);
	ERR(close_batch(f, id), RV_OK);
	IS(batch(f, id).allowed, 1);
	IS(batch(f, id).failed_us, 0);
	run(f, b, RV_OUTCOME_FATAL);
	IS(batch(f, id).failed_us, START_US);
	IS(swept(f, 10), 1);
	STATE(c, "cancelled");
	IS(batch(f, id).ended_us, START_US);

	id = open_batch(f, RV_TOLERATES_PERCENT, 40, false);
	run(f, batch(f, 1).complete_job, RV_OUTCOME_SUCCEEDED);
	a = add_to(f, id);
	b = add_to(f, id);
	run(f, a, RV_OUTCOME_FATAL);
	ERR(close_batch(f, id), RV_OK); /* of two, none is allowed */
	IS(batch(f, id).failed_us, START_US);
	IS(swept(f, 10), 1);
	STATE(b, "cancelled");
}

CONTRACT(batch_fails, a_retry_takes_it_back_until_the_next_dies)
{
	int64_t id = open_batch(f, RV_TOLERATES_COUNT, 0, false);
	int64_t a = add_to(f, id);
	int64_t b = add_to(f, id);
	int64_t c = add_to(f, id);

	ERR(close_batch(f, id), RV_OK);
	run(f, a, RV_OUTCOME_FATAL);
	IS(swept(f, 1), 1);
	STATE(c, "cancelled");
	ERR(retry(f, c), RV_OK);
	IS(batch(f, id).failed_us, 0);
	IS(swept(f, 10), 0);
	STATE(b, "ready");
	STATE(c, "ready");
	run(f, b, RV_OUTCOME_SUCCEEDED);
	run(f, c, RV_OUTCOME_FATAL);
	IS(batch(f, id).failed_us, START_US);
	IS(batch(f, id).ended_us, START_US);
	ERR(cancel(f, batch(f, id).complete_job), RV_OK);
	ERR(retry(f, a), RV_OK);
	ERR(retry(f, c), RV_OK);
	IS(batch(f, id).failed_us, 0);
	run(f, a, RV_OUTCOME_SUCCEEDED);
	run(f, c, RV_OUTCOME_SUCCEEDED);
	IS(batch(f, id).succeeded, 3);
	cr_assert(gt(i64, batch(f, id).success_job, 0));
}

CONTRACT(batch_fails, nonsense_is_refused)
{
	f->req.u.new_batch = (struct rv_req_new_batch){
		.tolerance = &(struct rv_tolerance){RV_TOLERATES_PERCENT, 101}};
	ERR(ask_kind(f, RV_REQ_NEW_BATCH), RV_E_USAGE);
	HAS(f->why.text, "cannot tolerate 101 dead jobs");
	f->req.u.new_batch = (struct rv_req_new_batch){
		.tolerance = &(struct rv_tolerance){RV_TOLERATES_COUNT, -1}};
	ERR(ask_kind(f, RV_REQ_NEW_BATCH), RV_E_USAGE);
	IS(open_batch(f, RV_TOLERATES_ALL, 0, false), 1);
	IS(batch(f, 1).allowed, RV_TOLERANCE_OPEN);
}
