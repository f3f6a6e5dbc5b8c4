/*
 * The strategies of a queue, through the contract: in which order a worker gets the jobs, and what
 * happens to those that wait when the strategy changes.
 */
#include "fixture.h"

static const struct rv_task_def task = {.name = "t", .queue = "default", .max_attempts = 3};

static void serve(struct fixture *f, enum rv_strategy strategy, int64_t aging_us)
{
	struct rv_queue_def queue = {.name = "default", .strategy = strategy, .aging_us = aging_us};

	f->req.u.mirror =
		(struct rv_req_mirror){.tasks = &task, .ntasks = 1, .queues = &queue, .nqueues = 1};
	ERR(ask_kind(f, RV_REQ_MIRROR), RV_OK);
}

/* Until nothing is left to do; how many batches it took. */
static int tidy(struct fixture *f, uint32_t limit)
{
	int batches = 0;

	do {
		f->req.u.tidy = (struct rv_req_tidy){.limit = limit};
		ERR(ask_kind(f, RV_REQ_TIDY), RV_OK);
		fixture_check(f);
		batches++;
	} while (f->req.u.tidy.more);
	return batches;
}

static void in_order(struct fixture *f, const int64_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		run(f, ids[i], RV_OUTCOME_SUCCEEDED);
	IS(turn(f, W1, 1, "default")->nclaimed, 0);
}

#define IN_ORDER(...)                                                                              \
	in_order(f, (const int64_t[]){__VA_ARGS__},                                                \
		 sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

CONTRACT(order, lifo_serves_the_newest)
{
	serve(f, RV_STRATEGY_LIFO, 0);
	int64_t a = add(f, JOB(.priority = 1));
	int64_t b = add(f, JOB(.priority = 9));
	int64_t c = add(f, JOB(.priority = 5));

	IN_ORDER(c, b, a);
}

CONTRACT(order, aging_lifts_what_waits)
{
	serve(f, RV_STRATEGY_PRIORITY, S(10));
	int64_t old = add(f, JOB(.priority = 12));

	tick(f, S(19));
	int64_t before = add(f, JOB(.priority = 10));

	tick(f, S(2));
	int64_t after = add(f, JOB(.priority = 10));

	IN_ORDER(before, old, after);
}

CONTRACT(order, the_earliest_deadline_first)
{
	serve(f, RV_STRATEGY_DEADLINE, 0);
	int64_t none = add(f, JOB(.priority = 0));
	int64_t late = add(f, JOB(.deadline_us = START_US + S(50)));
	int64_t soon = add(f, JOB(.deadline_us = START_US + S(5)));
	int64_t none_too = add(f, JOB(.priority = 0));

	IS(see(f, soon)->deadline_us, START_US + S(5));
	IS(see(f, none)->deadline_us, 0);
	IN_ORDER(soon, late, none, none_too);
}

CONTRACT(order, fair_gives_each_key_its_turn)
{
	serve(f, RV_STRATEGY_FAIR, 0);
	int64_t a[3], b, c, none;

	for (int i = 0; i < 3; i++)
		a[i] = add(f, JOB(.key = "a"));
	b = add(f, JOB(.key = "b"));
	c = add(f, JOB(.key = "c"));
	none = add(f, JOB(.priority = 0));
	IN_ORDER(a[0], b, c, none, a[1], a[2]);
}

/* Weight 2 has two turns where 1 has one; a key that comes late is not owed the past. */
CONTRACT(order, fair_heeds_weights_and_the_time)
{
	serve(f, RV_STRATEGY_FAIR, 0);
	int64_t a[4], b[4], late[2];

	for (int i = 0; i < 4; i++)
		a[i] = add(f, JOB(.key = "a", .weight = 2));
	for (int i = 0; i < 4; i++)
		b[i] = add(f, JOB(.key = "b"));
	run(f, a[0], RV_OUTCOME_SUCCEEDED);
	run(f, b[0], RV_OUTCOME_SUCCEEDED);
	run(f, a[1], RV_OUTCOME_SUCCEEDED);
	run(f, a[2], RV_OUTCOME_SUCCEEDED);
	run(f, b[1], RV_OUTCOME_SUCCEEDED);
	for (int i = 0; i < 2; i++)
		late[i] = add(f, JOB(.key = "late"));
	IS(see(f, late[0])->weight, 1);
	IS(see(f, a[3])->weight, 2);
	IN_ORDER(late[0], a[3], b[2], late[1], b[3]);
}

/* Heavier jobs come earlier on the whole; every one comes. */
CONTRACT(order, weighted_draws_all_of_them)
{
	int64_t heavy_places = 0;
	int64_t light_places = 0;

	serve(f, RV_STRATEGY_WEIGHTED, 0);
	for (int i = 0; i < 40; i++)
		(void)add(f, JOB(.weight = i % 2 ? 100 : 1));
	for (int i = 0; i < 40; i++) {
		struct rv_req_turn *got = turn(f, W1, 1, "default");
		int64_t id = got->claimed[0].job;

		IS(got->nclaimed, 1);
		ERR(ack(f, W1, id, got->claimed[0].fence, RV_OUTCOME_SUCCEEDED), RV_OK);
		*(see(f, id)->weight == 100 ? &heavy_places : &light_places) += i;
	}
	cr_assert(lt(i64, heavy_places * 2, light_places));
	IS(turn(f, W1, 1, "default")->nclaimed, 0);
}

CONTRACT(order, a_job_weighs_what_its_task_does)
{
	struct rv_task_def heavy = {
		.name = "t", .queue = "default", .max_attempts = 1, .weight = 7};
	struct rv_queue_def queue = {.name = "default"};
	int64_t id = 0;

	f->req.u.mirror = (struct rv_req_mirror){
		.tasks = &heavy, .ntasks = 1, .queues = &queue, .nqueues = 1};
	ERR(ask_kind(f, RV_REQ_MIRROR), RV_OK);
	IS(see(f, add_task(f, "t"))->weight, 7);
	IS(see(f, add(f, JOB(.weight = 3)))->weight, 3);
	ERR(try_add(f, JOB(.weight = RV_WEIGHT_MAX + 1), &id), RV_E_USAGE);
	ERR(try_add(f, JOB(.deadline_us = -1), &id), RV_E_USAGE);
}

/* A retried one keeps its place; one revived by a person goes behind the others. */
CONTRACT(order, a_retry_keeps_its_place)
{
	serve(f, RV_STRATEGY_FAIR, 0);
	int64_t first = add(f, JOB(.key = "a"));
	int64_t second = add(f, JOB(.key = "a"));
	int64_t fence = claim(f, W1, first);

	ERR(ack(f, W1, first, fence, RV_OUTCOME_INTERRUPTED), RV_OK);
	run(f, first, RV_OUTCOME_FATAL);
	STATE(first, "dead");
	ERR(retry(f, first), RV_OK);
	IN_ORDER(second, first);
}

/* What already waits is served by the new strategy too, as soon as it is tidy. */
CONTRACT(order, a_new_strategy_holds_for_what_waits)
{
	int64_t low = add(f, JOB(.priority = 200));
	int64_t high = add(f, JOB(.priority = 1));
	int64_t low_too = add(f, JOB(.priority = 200));
	int64_t due = add(f, JOB(.priority = 0, .run_at_us = START_US + S(9)));
	int64_t held = claim(f, W1, low);

	serve(f, RV_STRATEGY_PRIORITY, 0);
	IS(tidy(f, 100), 2);
	int64_t highest = add(f, JOB(.priority = 0));

	run(f, highest, RV_OUTCOME_SUCCEEDED);
	ERR(ack(f, W1, low, held, RV_OUTCOME_INTERRUPTED), RV_OK);
	tick(f, S(10));
	promote(f, 10);
	run(f, due, RV_OUTCOME_SUCCEEDED);
	run(f, high, RV_OUTCOME_SUCCEEDED);
	serve(f, RV_STRATEGY_LIFO, 0);
	IS(tidy(f, 100), 2);
	IN_ORDER(low_too, low);
}

/* In small batches, with work between them: every job is claimed, none twice. */
CONTRACT(order, a_change_in_batches_loses_nothing)
{
	static const enum rv_strategy all[] = {RV_STRATEGY_FAIR,     RV_STRATEGY_LIFO,
					       RV_STRATEGY_DEADLINE, RV_STRATEGY_WEIGHTED,
					       RV_STRATEGY_PRIORITY, RV_STRATEGY_FIFO};
	int64_t last = 0;

	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
		for (int i = 0; i < 10; i++)
			last = add(f, JOB(.key = i % 2 ? "a" : "b", .priority = 10 - i));
		serve(f, all[k], 0);
		for (int i = 0; i < 3; i++) {
			struct rv_req_turn *got = turn(f, W1, 1, "default");

			IS(got->nclaimed, 1);
			ERR(ack(f, W1, got->claimed[0].job, got->claimed[0].fence,
				RV_OUTCOME_SUCCEEDED),
			    RV_OK);
			f->req.u.tidy = (struct rv_req_tidy){.limit = 4};
			ERR(ask_kind(f, RV_REQ_TIDY), RV_OK);
			fixture_check(f);
		}
		cr_assert(gt(int, tidy(f, 5), 1));
	}
	IS(count_of(f, "default", RV_JOB_READY), 6 * 7);
	for (int64_t before = 0, id; last > 0 && count_of(f, "default", RV_JOB_READY) > 0;
	     before = id) {
		struct rv_req_turn *got = turn(f, W1, 1, "default");

		id = got->claimed[0].job;
		cr_assert(gt(i64, id, before), "first in, first out at the end");
		ERR(ack(f, W1, id, got->claimed[0].fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	}
}

/* The same strategy again is no change; another aging is one. */
CONTRACT(order, only_a_change_is_one)
{
	(void)add(f, JOB(.priority = 3));
	serve(f, RV_STRATEGY_FIFO, 0);
	IS(tidy(f, 10), 1);
	serve(f, RV_STRATEGY_PRIORITY, 0);
	IS(tidy(f, 10), 2);
	serve(f, RV_STRATEGY_PRIORITY, S(1));
	IS(tidy(f, 10), 2);
}
