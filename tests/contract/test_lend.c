/*
 * A job that sleeps until its children have ended lends them what it holds of limits: the children
 * of one that has the last unit run, one after another, nobody else does, and no more is ever used
 * than there is.
 */
#include "fixture.h"

#define ALL "default bulk"

static struct rv_task_def tasks[2];
static struct rv_queue_def queues[2];

static void mirror(struct fixture *f)
{
	static const struct rv_resource_def resource = {.name = "r", .count = 1};

	f->req.u.mirror = (struct rv_req_mirror){.tasks = tasks,
						 .ntasks = 2,
						 .queues = queues,
						 .nqueues = 2,
						 .resources = &resource,
						 .nresources = 1};
	ERR(ask_kind(f, RV_REQ_MIRROR), RV_OK);
}

/* ${units} of each key in the queue "default". */
static void limit_keys(struct fixture *f, int units)
{
	memset(tasks, 0, sizeof tasks);
	memset(queues, 0, sizeof queues);
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(tasks[i].name, sizeof tasks[i].name, "%s", i ? "u" : "t");
		(void)snprintf(tasks[i].queue, sizeof tasks[i].queue, "default");
		tasks[i].max_attempts = 3;
		tasks[i].max_crashes = 2;
		(void)snprintf(queues[i].name, RV_NAME_MAX, "%s", i ? "bulk" : "default");
	}
	queues[0].limits.key_concurrency = units;
	mirror(f);
}

static int lend(struct fixture *f, int64_t job, int64_t fence, bool on)
{
	f->req.u.lend = (struct rv_req_lend){.job = job, .fence = fence, .on = on};
	return ask_kind(f, RV_REQ_LEND);
}

/* One that runs and has a unit of the key "key". */
static int64_t first_of_key(struct fixture *f, int64_t *ret_fence)
{
	int64_t id = add(f, JOB(.key = "key"));

	*ret_fence = claim(f, W1, id);
	return id;
}

struct held {
	int64_t job;
	const char *gate;
	int64_t n;
};

static int count_hold(void *ctx, int64_t job, const char *gate, int64_t n)
{
	struct held *held = ctx;

	if (job == held->job && strcmp(gate, held->gate) == 0)
		held->n += n;
	return RV_OK;
}

static int64_t holds(struct fixture *f, int64_t job, const char *gate)
{
	struct held held = {.job = job, .gate = gate};

	ERR(rv_store_holds(f->store, count_hold, &held), RV_OK);
	return held.n;
}

#define KEY "k/default/key"

CONTRACT(lend, children_run_one_after_another_and_nobody_else)
{
	int64_t parent;
	int64_t fence;
	int64_t first;
	int64_t second;
	int64_t other;
	int64_t child;

	limit_keys(f, 1);
	parent = first_of_key(f, &fence);
	other = add(f, JOB(.key = "key"));
	first = add(f, JOB(.key = "key", .parent = parent));
	second = add(f, JOB(.key = "key", .parent = parent));
	IS(turn(f, W2, 9, ALL)->nclaimed, 0); /* it does not sleep yet */
	STATE(first, "blocked");
	ERR(lend(f, parent, fence, true), RV_OK);
	HAS(rings(f), "Q default;");
	STATE(first, "ready");
	STATE(second, "blocked");
	STATE(other, "blocked");
	IS(holds(f, first, KEY), 1);
	IS(holds(f, parent, KEY), 0);
	child = claim(f, W2, first);
	IS(turn(f, W2, 9, ALL)->nclaimed, 0);
	ERR(ack(f, W2, first, child, RV_OUTCOME_SUCCEEDED), RV_OK);
	STATE(second, "ready");
	child = claim(f, W2, second);
	ERR(ack(f, W2, second, child, RV_OUTCOME_SUCCEEDED), RV_OK);
	IS(holds(f, parent, KEY), 1);
	STATE(other, "blocked");
	ERR(lend(f, parent, fence, false), RV_OK);
	ERR(ack(f, W1, parent, fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	STATE(other, "ready");
}

/* The same when it is claimed, before it was ever in a line. */
CONTRACT(lend, a_child_that_comes_later_is_claimed_at_once)
{
	int64_t parent;
	int64_t fence;
	int64_t child;

	limit_keys(f, 1);
	parent = first_of_key(f, &fence);
	ERR(lend(f, parent, fence, true), RV_OK);
	child = add(f, JOB(.key = "key", .parent = parent));
	(void)claim(f, W2, child);
	IS(holds(f, child, KEY), 1);
	(void)add(f, JOB(.key = "key", .parent = parent));
	IS(turn(f, W2, 9, ALL)->nclaimed, 0);
}

/* Units of its own come first: what is lent is for who finds none. */
CONTRACT(lend, only_what_is_lacking)
{
	int64_t parent;
	int64_t fence;
	int64_t first;
	int64_t second;

	limit_keys(f, 2);
	parent = first_of_key(f, &fence);
	ERR(lend(f, parent, fence, true), RV_OK);
	first = add(f, JOB(.key = "key", .parent = parent));
	second = add(f, JOB(.key = "key", .parent = parent));
	(void)add(f, JOB(.key = "key", .parent = parent));
	IS(turn(f, W2, 9, ALL)->nclaimed, 2);
	IS(holds(f, first, KEY) + holds(f, second, KEY), 2);
	IS(holds(f, parent, KEY), 0);
}

CONTRACT(lend, a_child_lends_on)
{
	int64_t parent;
	int64_t fence;
	int64_t child;
	int64_t child_fence;
	int64_t grandchild;
	int64_t grandchild_fence;

	limit_keys(f, 1);
	parent = first_of_key(f, &fence);
	ERR(lend(f, parent, fence, true), RV_OK);
	child = add(f, JOB(.key = "key", .parent = parent));
	child_fence = claim(f, W2, child);
	grandchild = add(f, JOB(.key = "key", .parent = child));
	IS(turn(f, W2, 9, ALL)->nclaimed, 0);
	ERR(lend(f, child, child_fence, true), RV_OK);
	grandchild_fence = claim(f, W2, grandchild);
	/* its owner has ended: it goes to the one that owner had it from */
	ERR(ack(f, W2, child, child_fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	IS(holds(f, grandchild, KEY), 1);
	ERR(ack(f, W2, grandchild, grandchild_fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	IS(holds(f, parent, KEY), 1);
}

/* A parent that ends leaves what it has lent to its child: nobody else starts before that ends. */
CONTRACT(lend, outlives_the_parent)
{
	int64_t parent;
	int64_t fence;
	int64_t child;
	int64_t child_fence;
	int64_t other;

	limit_keys(f, 1);
	parent = first_of_key(f, &fence);
	ERR(lend(f, parent, fence, true), RV_OK);
	child = add(f, JOB(.key = "key", .parent = parent));
	other = add(f, JOB(.key = "key"));
	child_fence = claim(f, W2, child);
	ERR(ack(f, W1, parent, fence, RV_OUTCOME_FATAL), RV_OK);
	IS(turn(f, W1, 9, ALL)->nclaimed, 0);
	IS(holds(f, child, KEY), 1);
	ERR(ack(f, W2, child, child_fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	IS(holds(f, child, KEY), 0);
	IS(turn(f, W1, 9, ALL)->nclaimed, 1);
	IS(f->req.u.turn.claimed[0].job, other);
}

/* Whoever kills the worker of a child gives the unit back to the parent. */
CONTRACT(lend, comes_back_when_a_worker_dies)
{
	int64_t parent;
	int64_t fence;
	int64_t child;
	int64_t child_fence;

	limit_keys(f, 1);
	parent = first_of_key(f, &fence);
	ERR(lend(f, parent, fence, true), RV_OK);
	child = add(f, JOB(.key = "key", .parent = parent));
	child_fence = claim(f, W2, child);
	ERR(lend(f, parent, fence, false), RV_OK);
	IS(died(f, W2, 1, child_fence, ""), 1);
	IS(holds(f, parent, KEY), 1);
	IS(holds(f, child, KEY), 0);
}

/* Two that it waits for at a time, and one of them has ended. */
CONTRACT(lend, who_sleeps_twice_is_awake_after_two)
{
	int64_t parent;
	int64_t fence;
	int64_t child;

	limit_keys(f, 1);
	parent = first_of_key(f, &fence);
	ERR(lend(f, parent, fence, true), RV_OK);
	ERR(lend(f, parent, fence, true), RV_OK);
	ERR(lend(f, parent, fence, false), RV_OK);
	child = add(f, JOB(.key = "key", .parent = parent));
	run(f, child, RV_OUTCOME_SUCCEEDED);
	ERR(lend(f, parent, fence, false), RV_OK);
	ERR(lend(f, parent, fence, false), RV_OK); /* once too often */
	(void)add(f, JOB(.key = "key", .parent = parent));
	IS(turn(f, W2, 9, ALL)->nclaimed, 0);
}

CONTRACT(lend, is_for_children_with_the_same_limit)
{
	int64_t parent;
	int64_t fence;
	int64_t stranger;

	limit_keys(f, 1);
	parent = add(f, JOB(.key = "key"));
	stranger = add(f, JOB(.key = "other"));
	fence = claim(f, W1, parent);
	(void)claim(f, W2, stranger);
	ERR(lend(f, parent, fence, true), RV_OK);
	(void)add(f, JOB(.key = "other", .parent = parent));
	(void)add(f, JOB(.key = "key"));
	IS(turn(f, W2, 9, ALL)->nclaimed, 0);
}

/* A child whose queue has no token yet comes when it has: the keeper is told when. */
CONTRACT(lend, a_rate_is_a_rate)
{
	int64_t parent;
	int64_t fence;
	int64_t child;

	limit_keys(f, 1);
	queues[0].limits.key_rate = (struct rv_rate){1, S(10)};
	mirror(f);
	parent = first_of_key(f, &fence);
	(void)add(f, JOB(.key = "key"));
	ERR(lend(f, parent, fence, true), RV_OK);
	child = add(f, JOB(.key = "key", .parent = parent));
	IS(turn(f, W2, 9, ALL)->nclaimed, 0);
	tick(f, S(11));
	(void)promote(f, 9);
	(void)claim(f, W2, child);
}

CONTRACT(lend, only_who_runs)
{
	int64_t parent;
	int64_t fence;

	limit_keys(f, 1);
	parent = add_task(f, "t");
	ERR(lend(f, parent, 1, true), RV_E_STALE);
	HAS(f->why.text, "is not run under this fence");
	fence = claim(f, W1, parent);
	ERR(lend(f, parent, fence + 1, true), RV_E_STALE);
	ERR(lend(f, parent, fence, true), RV_OK);
	ERR(lend(f, 99, fence, true), RV_E_STALE);
}

/* A limit that comes while it sleeps: what it has of it is its children's as well. */
CONTRACT(lend, a_limit_that_comes_while_it_sleeps)
{
	int64_t parent;
	int64_t fence;
	int64_t child;

	limit_keys(f, 0);
	parent = first_of_key(f, &fence);
	ERR(lend(f, parent, fence, true), RV_OK);
	queues[0].limits.key_concurrency = 1;
	mirror(f);
	IS(holds(f, parent, KEY), 1);
	child = add(f, JOB(.key = "key", .parent = parent));
	(void)claim(f, W2, child);
}

/* A stranger comes to the line while a child in it waits for a token: its time is not forgotten. */
CONTRACT(lend, a_token_is_not_forgotten)
{
	int64_t parent;
	int64_t fence;
	int64_t child;

	limit_keys(f, 1);
	queues[0].limits.key_rate = (struct rv_rate){1, S(10)};
	mirror(f);
	parent = first_of_key(f, &fence);
	(void)add(f, JOB(.key = "key"));
	ERR(lend(f, parent, fence, true), RV_OK);
	child = add(f, JOB(.key = "key", .parent = parent));
	IS(turn(f, W2, 9, ALL)->nclaimed, 0);
	(void)add(f, JOB(.key = "key"));
	IS(turn(f, W2, 9, ALL)->nclaimed, 0);
	tick(f, S(11));
	(void)promote(f, 9);
	(void)claim(f, W2, child);
}

/* The same of a child that comes from another line, where it lacked more. */
CONTRACT(lend, a_token_after_a_change_of_lines)
{
	int64_t parent;
	int64_t fence;
	int64_t child;
	int64_t other;
	int64_t others;

	limit_keys(f, 0);
	queues[0].limits.concurrency = 1;
	queues[0].limits.rate = (struct rv_rate){1, S(10)};
	mirror(f);
	other = add(f, JOB(.queue = "bulk", .takes = "r"));
	others = claim(f, W2, other);
	parent = add_task(f, "t");
	fence = claim(f, W1, parent);
	(void)add_task(f, "t");
	IS(turn(f, W2, 9, ALL)->nclaimed, 0);
	child = add(f, JOB(.parent = parent, .takes = "r"));
	IS(turn(f, W2, 9, ALL)->nclaimed, 0);
	ERR(lend(f, parent, fence, true), RV_OK);
	ERR(ack(f, W2, other, others, RV_OUTCOME_SUCCEEDED), RV_OK);
	STATE(child, "blocked");
	tick(f, S(11));
	(void)promote(f, 9);
	(void)claim(f, W2, child);
}

/* A child in the line of its task, of a queue that is paused and resumed. */
CONTRACT(lend, a_paused_queue_is_resumed)
{
	int64_t parent;
	int64_t fence;
	int64_t child;

	limit_keys(f, 0);
	tasks[0].limits.concurrency = 1;
	mirror(f);
	parent = add_task(f, "t");
	fence = claim(f, W1, parent);
	(void)add_task(f, "t");
	IS(turn(f, W2, 9, ALL)->nclaimed, 0);
	child = add(f, JOB(.queue = "bulk", .parent = parent));
	IS(turn(f, W2, 9, ALL)->nclaimed, 0);
	ERR(pause_queue(f, "bulk", 1), RV_OK);
	ERR(lend(f, parent, fence, true), RV_OK);
	STATE(child, "blocked");
	ERR(pause_queue(f, "bulk", 0), RV_OK);
	STATE(child, "ready");
}

/* However many children of a paused queue are in the line, the others come, and the keeper rests.
 */
CONTRACT(lend, paused_children_are_in_nobodys_way)
{
	int64_t parent;
	int64_t fence;
	int64_t child;

	limit_keys(f, 0);
	tasks[0].limits.concurrency = 1;
	mirror(f);
	parent = add_task(f, "t");
	fence = claim(f, W1, parent);
	(void)add_task(f, "t");
	for (int i = 0; i < 110; i++)
		(void)add(f, JOB(.queue = "bulk", .parent = parent));
	child = add(f, JOB(.parent = parent));
	for (int i = 0; i < 60; i++)
		IS(turn(f, W2, 9, ALL)->nclaimed, 0);
	STATE(child, "blocked");
	ERR(pause_queue(f, "bulk", 1), RV_OK);
	ERR(lend(f, parent, fence, true), RV_OK);
	for (int i = 0; i < 30 && strcmp(state(f, child), "blocked") == 0; i++)
		(void)promote(f, 100);
	STATE(child, "ready");
	(void)promote(f, 100);
	(void)promote(f, 100);
	IS(promote(f, 100)->next_due_us, 0);
}

/* Who starved waits for what the parent has: what is kept for it is not kept from the child. */
CONTRACT(lend, what_is_kept_is_not_kept_from_a_child)
{
	int64_t parent;
	int64_t fence;
	int64_t other;
	int64_t others;
	int64_t big;
	int64_t child;

	limit_keys(f, 1);
	parent = first_of_key(f, &fence);
	other = add(f, JOB(.queue = "bulk", .takes = "r"));
	others = claim(f, W2, other);
	big = add(f, JOB(.key = "key", .takes = "r"));
	IS(turn(f, W2, 9, ALL)->nclaimed, 0);
	for (int i = 0; i < 4; i++) { /* it goes from line to line */
		ERR(ack(f, W1, parent, fence, RV_OUTCOME_SUCCEEDED), RV_OK);
		parent = add(f, JOB(.key = "key"));
		fence = claim(f, W1, parent);
		ERR(ack(f, W2, other, others, RV_OUTCOME_SUCCEEDED), RV_OK);
		STATE(big, "blocked");
		if (i == 3)
			break;
		other = add(f, JOB(.queue = "bulk", .takes = "r"));
		others = claim(f, W2, other);
	}
	/* once before it sleeps, once after */
	child = add(f, JOB(.key = "key", .parent = parent, .takes = "r"));
	IS(turn(f, W2, 9, ALL)->nclaimed, 0);
	STATE(child, "blocked");
	ERR(lend(f, parent, fence, true), RV_OK);
	STATE(child, "ready");
	run(f, child, RV_OUTCOME_SUCCEEDED);
	child = add(f, JOB(.key = "key", .parent = parent, .takes = "r"));
	(void)claim(f, W2, child);
}

/* A limit that is taken away while something is lent, and a rate that stays. */
CONTRACT(lend, a_limit_that_is_taken_away)
{
	int64_t parent;
	int64_t fence;
	int64_t child;

	limit_keys(f, 1);
	queues[0].limits.key_rate = (struct rv_rate){1, S(10)};
	mirror(f);
	parent = first_of_key(f, &fence);
	(void)add(f, JOB(.key = "key"));
	IS(turn(f, W2, 9, ALL)->nclaimed, 0);
	ERR(lend(f, parent, fence, true), RV_OK);
	queues[0].limits.key_concurrency = 0;
	mirror(f);
	tick(f, S(11));
	child = add(f, JOB(.key = "key", .parent = parent));
	(void)turn(f, W2, 9, ALL);
	IS(holds(f, child, KEY) + holds(f, parent, KEY), 1);
}

/* New limits count what is lent once. */
CONTRACT(lend, a_change_of_limits_counts_it_once)
{
	int64_t parent;
	int64_t fence;
	int64_t child;

	limit_keys(f, 1);
	parent = first_of_key(f, &fence);
	ERR(lend(f, parent, fence, true), RV_OK);
	child = add(f, JOB(.key = "key", .parent = parent));
	fence = claim(f, W2, child);
	queues[0].limits.concurrency = 5;
	mirror(f);
	IS(holds(f, parent, KEY), 0);
	IS(holds(f, parent, "q/default"), 1);
	ERR(ack(f, W2, child, fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	IS(holds(f, parent, KEY), 1);
	IS(holds(f, parent, "q/default"), 1);
}
