/*
 * Limits through the contract: nothing starts over a limit, what waits starts when there is room,
 * nobody overtakes, nothing is held that does not run, and whatever ends a run gives back.
 */
#include "fixture.h"

#include "wire/sup.h"

#define ALL "default critical bulk prio"

static struct rv_task_def tasks[2];
static struct rv_queue_def queues[2];
static struct rv_resource_def resources[2];

static void mirror(struct fixture *f)
{
	for (size_t i = 0; i < 2; i++) {
		struct rv_task_def *task = &tasks[i];

		(void)snprintf(task->name, sizeof task->name, "%s", i ? "u" : "t");
		(void)snprintf(task->queue, sizeof task->queue, "default");
		task->max_attempts = 3;
		task->max_crashes = 2;
		(void)snprintf(queues[i].name, RV_NAME_MAX, "%s", i ? "bulk" : "default");
		(void)snprintf(resources[i].name, RV_NAME_MAX, "%s", i ? "db" : "gpu");
		if (resources[i].count == 0)
			resources[i].count = 2;
	}
	f->req.u.mirror = (struct rv_req_mirror){.tasks = tasks,
						 .ntasks = 2,
						 .queues = queues,
						 .nqueues = 2,
						 .resources = resources,
						 .nresources = 2};
	ERR(ask_kind(f, RV_REQ_MIRROR), RV_OK);
}

static void fresh(struct fixture *f)
{
	memset(tasks, 0, sizeof tasks);
	memset(queues, 0, sizeof queues);
	memset(resources, 0, sizeof resources);
	(void)f;
}

struct wanted {
	const char *gate;
	struct rv_gate_view view;
};

static int note_gate(void *ctx, const struct rv_gate_view *view)
{
	struct wanted *want = ctx;

	if (strcmp(view->name, want->gate) == 0)
		want->view = *view;
	return RV_OK;
}

static struct rv_gate_view gate(struct fixture *f, const char *name)
{
	struct wanted want = {.gate = name};

	ERR(rv_store_gates(f->store, note_gate, &want), RV_OK);
	return want.view;
}

/* Claims until nothing comes; how many.  The fences are kept. */
static int64_t jobs[512], fences[512];

static int claim_all(struct fixture *f, const char *from)
{
	int n = 0;

	for (;;) {
		struct rv_req_turn *t = turn(f, W1, 1, from);

		if (t->nclaimed == 0)
			return n;
		jobs[n] = t->claimed[0].job;
		fences[n++] = t->claimed[0].fence;
		fixture_check(f);
	}
}

static void end(struct fixture *f, int i)
{
	ERR(ack(f, W1, jobs[i], fences[i], RV_OUTCOME_SUCCEEDED), RV_OK);
	fixture_check(f);
}

CONTRACT(limit, a_queue_runs_so_many)
{
	int64_t ids[5];

	fresh(f);
	queues[0].limits.concurrency = 2;
	mirror(f);
	for (int i = 0; i < 5; i++)
		ids[i] = add_task(f, "t");
	IS(claim_all(f, ALL), 2);
	IS(gate(f, "q/default").used, 2);
	IS(gate(f, "q/default").max, 2);
	IS(gate(f, "q/default").waiting, 3);
	STATE(ids[2], "blocked");
	TEXT(see(f, ids[2])->gate, "q/default");
	IS(count_of(f, "default", RV_JOB_BLOCKED), 3);
	ERR(ack(f, W1, jobs[0], fences[0], RV_OUTCOME_SUCCEEDED), RV_OK);
	HAS(rings(f), "Q default;");
	STATE(ids[2], "ready");
	TEXT(see(f, ids[2])->gate, NULL);
	IS(gate(f, "q/default").used, 2);
	STATE(ids[3], "blocked");
	(void)claim(f, W2, ids[2]);
	IS(turn(f, W1, 1, ALL)->nclaimed, 0);
}

/* The ack makes room for the claim of the same turn. */
CONTRACT(limit, one_ends_the_next_begins)
{
	int64_t second;
	int64_t fence;
	struct rv_req_turn *t = &f->req.u.turn;

	fresh(f);
	tasks[0].limits.concurrency = 1;
	mirror(f);
	fence = claim(f, W1, add_task(f, "t"));
	second = add_task(f, "t");
	IS(turn(f, W2, 1, ALL)->nclaimed, 0);
	memset(t, 0, sizeof *t);
	t->incarnation = W1;
	t->nacks = t->want = t->nqueues = 1;
	t->acks[0] = ACK(.job = 1, .fence = fence, .outcome = RV_OUTCOME_SUCCEEDED,
			 .started_us = f->wall_us);
	(void)snprintf(t->queues[0], RV_NAME_MAX, "default");
	ERR(ask_kind(f, RV_REQ_TURN), RV_OK);
	IS(t->nclaimed, 1);
	IS(t->claimed[0].job, second);
	IS(gate(f, "t/t").used, 1);
}

/* Another key passes by those that wait, however many there are. */
CONTRACT(limit, keys_are_limited_each)
{
	int64_t other;
	int64_t none;

	fresh(f);
	queues[0].limits.key_concurrency = 1;
	mirror(f);
	for (int i = 0; i < 200; i++)
		(void)add(f, JOB(.key = "a/b"));
	other = add(f, JOB(.key = "b"));
	none = add_task(f, "t");
	IS(claim_all(f, ALL), 1);
	/* each look parks some and leaves the rest to the next, whom it rings */
	HAS(rings(f), "Q default;");
	for (int i = 0; i < 200; i++)
		if (turn(f, W2, 1, ALL)->nclaimed > 0)
			break;
	IS(f->req.u.turn.claimed[0].job, other);
	(void)claim(f, W2, none);
	IS(gate(f, "k/default/a/b").used, 1);
	IS(gate(f, "k/default/a/b").waiting, 199);
	end(f, 0);
	IS(claim_all(f, ALL), 1);
	IS(jobs[0], 2);
}

CONTRACT(limit, of_a_task_in_every_queue)
{
	fresh(f);
	tasks[0].limits.concurrency = 2;
	tasks[1].limits.key_concurrency = 1;
	mirror(f);
	for (int i = 0; i < 3; i++)
		(void)add(f, JOB(.queue = i ? "default" : "bulk"));
	(void)add(f, JOB(.task = "u", .key = "x"));
	(void)add(f, JOB(.task = "u", .key = "x", .queue = "bulk"));
	IS(claim_all(f, ALL), 3);
	IS(gate(f, "t/t").used, 2);
	IS(gate(f, "K/u/x").used, 1);
	IS(gate(f, "K/u/x").waiting, 1);
	for (int i = 0; i < 3; i++)
		end(f, i);
	IS(claim_all(f, ALL), 2);
}

/* However a run ends, its place is free again. */
CONTRACT(limit, every_end_gives_back)
{
	static const enum rv_outcome outcomes[] = {RV_OUTCOME_SUCCEEDED, RV_OUTCOME_FAILED,
						   RV_OUTCOME_FATAL,     RV_OUTCOME_LATER,
						   RV_OUTCOME_CANCELLED, RV_OUTCOME_INTERRUPTED};
	int64_t id;

	fresh(f);
	queues[0].limits.concurrency = 1;
	resources[0].count = 1;
	mirror(f);
	for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
		id = add(f, JOB(.takes = "gpu"));
		ERR(ack_with(f, W1,
			     ACK(.job = id, .fence = claim(f, W1, id),
				 .outcome = (int32_t)outcomes[i], .started_us = f->wall_us,
				 .retry_us = S(900))),
		    RV_OK);
		IS(gate(f, "q/default").used, 0);
		fixture_check(f);
	}
	id = claim_all(f, ALL); /* the interrupted one */
	IS(id, 1);
	IS(died(f, W1, RV_DIED_CRASH, 0, "killed by signal 9"), 1);
	IS(gate(f, "r/gpu").used, 0);
	fixture_check(f);
	ERR(join(f, W1 + 8, 3), RV_OK);
	IS(prefetch(f, W1 + 8, 4, ALL)->nclaimed, 1);
	IS(gate(f, "q/default").used, 1);
	ERR(leave(f, W1 + 8), RV_OK);
	IS(gate(f, "q/default").used, 0);
}

/* What is granted and never starts gives back too; what leaves a line lets the next come. */
CONTRACT(limit, who_goes_makes_room)
{
	int64_t ids[5];

	fresh(f);
	resources[0].count = 2;
	mirror(f);
	for (int i = 0; i < 5; i++)
		ids[i] =
			add(f, JOB(.takes = i == 1 ? "gpu:2" : "gpu", .ttl_us = i == 2 ? S(5) : 0));
	IS(claim_all(f, ALL), 1);
	STATE(ids[2], "blocked");
	ERR(cancel(f, ids[1]), RV_OK); /* the big one at the head */
	STATE(ids[2], "ready");
	fixture_check(f);
	tick(f, S(6));
	IS(promote(f, 10)->expired, 1);
	STATE(ids[2], "cancelled");
	STATE(ids[3], "ready");
	ERR(cancel(f, ids[3]), RV_OK);
	STATE(ids[4], "ready");
	fixture_check(f);
	IS(claim_all(f, ALL), 1);
	IS(jobs[0], ids[4]);
}

/* Small ones do not overtake a big one, nor does a big one hold what it waits beside. */
CONTRACT(limit, big_requests_do_not_starve)
{
	int64_t big;

	fresh(f);
	resources[0].count = 2;
	mirror(f);
	(void)add(f, JOB(.takes = "gpu"));
	IS(claim_all(f, ALL), 1);
	big = add(f, JOB(.takes = "gpu:2,db:1"));
	for (int i = 0; i < 4; i++)
		(void)add(f, JOB(.takes = "gpu", .queue = i % 2 ? "bulk" : "default"));
	for (int i = 0; i < 2; i++) /* a turn parks no more than RV_PARK_MAX */
		IS(turn(f, W2, 1, ALL)->nclaimed, 0);
	IS(gate(f, "r/gpu").used, 1);
	IS(gate(f, "r/gpu").waiting, 5);
	IS(gate(f, "r/db").used, 0);
	end(f, 0);
	(void)claim(f, W2, big);
	IS(gate(f, "r/gpu").used, 2);
	IS(gate(f, "r/db").used, 1);
	IS(claim_all(f, ALL), 0);
}

/* Each takes what the other waits for: whoever is first takes both, the other follows. */
CONTRACT(limit, two_resources_and_no_deadlock)
{
	fresh(f);
	mirror(f);
	for (int i = 0; i < 20; i++)
		(void)add(f, JOB(.takes = i % 2 ? "gpu:2,db:1" : "db:2,gpu:1"));
	for (int i = 0; i < 20; i++) {
		IS(claim_all(f, ALL), 1);
		IS(jobs[0], i + 1);
		end(f, 0);
	}
}

CONTRACT(limit, resources_must_exist_and_suffice)
{
	int64_t id = 0;

	fresh(f);
	mirror(f);
	ERR(try_add(f, JOB(.takes = "gqu:1"), &id), RV_E_NOTFOUND);
	HAS(f->why.text, "did you mean \"gpu\"?");
	ERR(try_add(f, JOB(.takes = "gpu:3"), &id), RV_E_CONFLICT);
	HAS(f->why.text, "there are only 2");
	ERR(try_add(f, JOB(.takes = "gpu:0"), &id), RV_E_USAGE);
	ERR(try_add(f, JOB(.takes = "gpu:1,gpu:1"), &id), RV_E_USAGE);
	TEXT(see(f, add(f, JOB(.takes = "gpu, db:2")))->takes, "gpu, db:2");
}

/* The task's resources, unless the job says its own. */
CONTRACT(limit, a_task_names_resources)
{
	fresh(f);
	(void)snprintf(tasks[0].takes, sizeof tasks[0].takes, "gpu:2");
	mirror(f);
	(void)add_task(f, "t");
	(void)add(f, JOB(.takes = "db"));
	(void)add_task(f, "t");
	IS(claim_all(f, ALL), 2);
	IS(gate(f, "r/gpu").used, 2);
	IS(gate(f, "r/db").used, 1);
}

CONTRACT(limit, tokens_come_at_their_time)
{
	int64_t ids[5];

	fresh(f);
	queues[0].limits.rate = (struct rv_rate){2, S(10)};
	mirror(f);
	for (int i = 0; i < 5; i++)
		ids[i] = add_task(f, "t");
	IS(claim_all(f, ALL), 2);
	STATE(ids[2], "blocked");
	IS(gate(f, "q/default").due_us, START_US + S(5));
	IS(gate(f, "q/default").max, -1);
	IS(promote(f, 10)->next_due_us, START_US + S(5));
	end(f, 0); /* what ends brings no token */
	IS(turn(f, W2, 1, ALL)->nclaimed, 0);
	tick(f, S(5) - 1);
	IS(turn(f, W2, 1, ALL)->nclaimed, 0);
	tick(f, 1);
	IS(promote(f, 10)->next_due_us, START_US + S(10));
	STATE(ids[2], "ready");
	STATE(ids[3], "blocked");
	(void)claim(f, W2, ids[2]);
	tick(f, S(5)); /* a claim that finds nothing looks itself */
	(void)claim(f, W2, ids[3]);
	tick(f, S(100));
	(void)claim(f, W2, ids[4]);
	tick(f, S(100)); /* the bucket holds two, not twenty */
	for (int i = 0; i < 5; i++)
		(void)add_task(f, "t");
	IS(claim_all(f, ALL), 2);
}

/* Called by its token it is ready and has passed: a limit that is new then counts it as well. */
CONTRACT(limit, a_new_limit_counts_who_has_passed)
{
	int64_t ids[3];

	fresh(f);
	queues[0].limits.rate = (struct rv_rate){1, S(10)};
	mirror(f);
	for (int i = 0; i < 3; i++)
		ids[i] = add_task(f, "t");
	IS(claim_all(f, ALL), 1);
	tick(f, S(10));
	(void)promote(f, 10);
	STATE(ids[1], "ready");
	queues[0].limits.concurrency = 1;
	mirror(f);
	IS(gate(f, "q/default").used, 2);
	fixture_check(f);
	end(f, 0);
	tick(f, S(10));
	(void)promote(f, 10);
	IS(claim_all(f, ALL), 1);
	IS(jobs[0], ids[1]);
	IS(gate(f, "q/default").used, 1);
	end(f, 0);
	(void)claim(f, W2, ids[2]);
}

CONTRACT(limit, tokens_of_keys_and_a_clock_set_back)
{
	fresh(f);
	tasks[0].limits.key_rate = (struct rv_rate){1, S(10)};
	mirror(f);
	for (int i = 0; i < 4; i++)
		(void)add(f, JOB(.key = i % 2 ? "a" : "b"));
	IS(claim_all(f, ALL), 2);
	tick(f, -S(3600));
	(void)promote(f, 10);
	tick(f, S(3620));
	IS(claim_all(f, ALL), 2);
}

/* Nothing that runs is killed, and nothing starts until there is room under the new limit. */
CONTRACT(limit, lowered_and_raised)
{
	fresh(f);
	queues[0].limits.concurrency = 4;
	mirror(f);
	for (int i = 0; i < 9; i++)
		(void)add_task(f, "t");
	IS(claim_all(f, ALL), 4);
	queues[0].limits.concurrency = 2;
	mirror(f);
	IS(gate(f, "q/default").used, 4);
	IS(gate(f, "q/default").max, 2);
	end(f, 0);
	end(f, 1);
	IS(turn(f, W2, 1, ALL)->nclaimed, 0);
	end(f, 2);
	IS(turn(f, W2, 1, ALL)->nclaimed, 1);
	IS(turn(f, W2, 1, ALL)->nclaimed, 0);
	queues[0].limits.concurrency = 3;
	mirror(f);
	HAS(rings(f), "S;");
	(void)promote(f, 10);
	IS(count_of(f, "default", RV_JOB_READY), 1);
	queues[0].limits.concurrency = 0;
	mirror(f);
	(void)promote(f, 10);
	IS(count_of(f, "default", RV_JOB_BLOCKED), 0);
	IS(claim_all(f, ALL), 4);
}

/* A limit that comes while jobs run counts those that run. */
CONTRACT(limit, a_new_limit_counts_what_runs)
{
	fresh(f);
	mirror(f);
	for (int i = 0; i < 4; i++)
		(void)add(f, JOB(.key = "a"));
	(void)turn(f, W2, 1, ALL);
	(void)turn(f, W2, 1, ALL);
	queues[0].limits = (struct rv_limits){.concurrency = 3, .key_concurrency = 2};
	mirror(f);
	IS(gate(f, "q/default").used, 2);
	IS(gate(f, "k/default/a").used, 2);
	IS(claim_all(f, ALL), 0);
	ERR(leave(f, W2), RV_OK);
	IS(claim_all(f, ALL), 2);
}

/* More than there is: all of it. */
CONTRACT(limit, fewer_units_than_asked_for)
{
	fresh(f);
	mirror(f);
	(void)add(f, JOB(.takes = "gpu:2"));
	(void)add(f, JOB(.takes = "gpu:1"));
	resources[0].count = 1;
	mirror(f);
	IS(claim_all(f, ALL), 1);
	IS(gate(f, "r/gpu").used, 1);
	end(f, 0);
	IS(claim_all(f, ALL), 1);
}

/* A paused queue holds nothing, and nobody waits behind its jobs. */
CONTRACT(limit, a_paused_queue_is_in_nobodys_way)
{
	int64_t first;

	fresh(f);
	resources[0].count = 1;
	mirror(f);
	(void)add(f, JOB(.takes = "gpu"));
	IS(claim_all(f, ALL), 1);
	first = add(f, JOB(.takes = "gpu", .queue = "bulk"));
	int64_t second = add(f, JOB(.takes = "gpu"));

	IS(turn(f, W2, 1, ALL)->nclaimed, 0);
	end(f, 0);
	STATE(first, "ready");
	STATE(second, "blocked");
	ERR(pause_queue(f, "bulk", 1), RV_OK);
	STATE(second, "ready");
	fixture_check(f);
	IS(claim_all(f, ALL), 1);
	IS(jobs[0], second);
	ERR(pause_queue(f, "bulk", 0), RV_OK);
	IS(turn(f, W2, 1, ALL)->nclaimed, 0);
	end(f, 0);
	(void)claim(f, W2, first);
}

CONTRACT(limit, a_paused_queue_keeps_its_line)
{
	fresh(f);
	queues[0].limits.concurrency = 1;
	mirror(f);
	for (int i = 0; i < 3; i++)
		(void)add_task(f, "t");
	IS(claim_all(f, ALL), 1);
	ERR(pause_queue(f, "default", 1), RV_OK);
	end(f, 0);
	IS(count_of(f, "default", RV_JOB_BLOCKED), 2);
	ERR(pause_queue(f, "default", 0), RV_OK);
	HAS(rings(f), "S;");
	(void)promote(f, 10);
	IS(count_of(f, "default", RV_JOB_READY), 1);
}

/* The line heeds the strategy: the more urgent one goes first. */
CONTRACT(limit, a_line_is_in_the_queues_order)
{
	int64_t low;
	int64_t high;

	fresh(f);
	queues[0].strategy = RV_STRATEGY_PRIORITY;
	queues[0].limits.concurrency = 1;
	mirror(f);
	(void)add_task(f, "t");
	IS(claim_all(f, ALL), 1);
	low = add(f, JOB(.priority = 50));
	IS(turn(f, W2, 1, ALL)->nclaimed, 0);
	high = add(f, JOB(.priority = 3));
	IS(turn(f, W2, 1, ALL)->nclaimed, 0);
	end(f, 0);
	STATE(low, "blocked");
	IS(ack(f, W2, high, claim(f, W2, high), RV_OUTCOME_SUCCEEDED), RV_OK);
	(void)claim(f, W2, low);
}

static int hold(struct fixture *f, int64_t id, int held)
{
	f->req.u.hold = (struct rv_req_hold){.job = id, .held = held};
	return ask_kind(f, RV_REQ_HOLD);
}

/* Held or edited, a job gives back what it has and comes to its limits anew. */
CONTRACT(limit, what_people_change_comes_anew)
{
	int64_t ids[4];

	fresh(f);
	queues[0].limits.concurrency = 1;
	queues[0].strategy = RV_STRATEGY_PRIORITY;
	mirror(f);
	for (int i = 0; i < 4; i++)
		ids[i] = add_task(f, "t");
	IS(claim_all(f, ALL), 1);
	ERR(hold(f, ids[1], 1), RV_OK);
	TEXT(see(f, ids[1])->gate, NULL);
	STATE(ids[1], "blocked");
	fixture_check(f);
	end(f, 0);
	STATE(ids[2], "ready"); /* granted */
	ERR(hold(f, ids[2], 1), RV_OK);
	fixture_check(f);
	STATE(ids[3], "ready");
	f->req.u.edit = (struct rv_req_edit){.job = ids[3], .priority = 7};
	ERR(ask_kind(f, RV_REQ_EDIT), RV_OK);
	IS(gate(f, "q/default").used, 0);
	fixture_check(f);
	(void)claim(f, W1, ids[3]);
	ERR(hold(f, ids[1], 0), RV_OK);
	IS(turn(f, W2, 1, ALL)->nclaimed, 0);
	STATE(ids[1], "blocked");
	f->req.u.edit =
		(struct rv_req_edit){.job = ids[1], .priority = -1, .run_at_us = f->wall_us + S(9)};
	ERR(ask_kind(f, RV_REQ_EDIT), RV_OK);
	STATE(ids[1], "scheduled");
	IS(gate(f, "q/default").waiting, 0);
}
