/*
 * Who needs two things that others keep busy in turn never sees both free.  After it has changed
 * lines RV_MOVES_MAX times what it needs is kept for it; when it goes, others go on.
 */
#include "fixture.h"

#define ALL "default critical bulk prio"

static const char *const takes[2] = {"gpu", "db"};

/* What runs: one of each kind. */
static struct {
	int64_t job, fence;
} running[2];

static void mirror(struct fixture *f)
{
	static struct rv_task_def task = {.max_attempts = 3, .max_crashes = 2};
	static struct rv_queue_def queues[2];
	static struct rv_resource_def resources[2] = {{.name = "db", .count = 1},
						      {.name = "gpu", .count = 1}};

	(void)snprintf(task.name, sizeof task.name, "t");
	(void)snprintf(task.queue, sizeof task.queue, "default");
	(void)snprintf(queues[0].name, sizeof queues[0].name, "default");
	(void)snprintf(queues[1].name, sizeof queues[1].name, "bulk");
	f->req.u.mirror = (struct rv_req_mirror){.tasks = &task,
						 .ntasks = 1,
						 .queues = queues,
						 .nqueues = 2,
						 .resources = resources,
						 .nresources = 2};
	ERR(ask_kind(f, RV_REQ_MIRROR), RV_OK);
}

static int note_gate(void *ctx, const struct rv_gate_view *view)
{
	struct rv_gate_view *want = ctx;

	if (strcmp(view->name, want->name) == 0)
		*want = *view;
	return RV_OK;
}

static struct rv_gate_view gate(struct fixture *f, const char *name)
{
	struct rv_gate_view view = {.name = name};

	ERR(rv_store_gates(f->store, note_gate, &view), RV_OK);
	return view;
}

/* Claims what may start; the id of the one that takes neither "gpu" nor "db" alone, 0 none. */
static int64_t claim_some(struct fixture *f)
{
	for (;;) {
		struct rv_req_turn *t = turn(f, W1, 1, ALL);
		struct rv_job_view *view;
		int64_t id = t->claimed[0].job;
		int64_t fence = t->claimed[0].fence;

		fixture_check(f);
		if (t->nclaimed == 0)
			return 0;
		view = see(f, id);
		for (int i = 0; i < 2; i++) {
			if (strcmp(view->takes, takes[i]) != 0)
				continue;
			running[i].job = id;
			running[i].fence = fence;
			id = 0;
		}
		if (id != 0)
			return id;
	}
}

/* One of a kind ends while another of it waits; the other kind runs on. */
static int64_t one_round(struct fixture *f, int kind)
{
	(void)add(f, JOB(.takes = takes[kind]));
	if (running[kind].job != 0)
		ERR(ack(f, W1, running[kind].job, running[kind].fence, RV_OUTCOME_SUCCEEDED),
		    RV_OK);
	running[kind].job = 0;
	fixture_check(f);
	return claim_some(f);
}

/* A job that needs both, and so many rounds that all is kept for it; its id. */
static int64_t starve(struct fixture *f, const char *queue)
{
	int64_t both;

	memset(running, 0, sizeof running);
	mirror(f);
	for (int i = 0; i < 2; i++)
		(void)add(f, JOB(.takes = takes[i]));
	IS(claim_some(f), 0);
	both = add(f, JOB(.takes = "gpu,db", .queue = queue));
	for (int i = 0; i < 2; i++)
		(void)add(f, JOB(.takes = takes[i]));
	for (int round = 0; round < 50 && gate(f, "r/gpu").kept_for == 0; round++)
		IS(one_round(f, round % 2), 0);
	IS(gate(f, "r/gpu").kept_for, both);
	IS(gate(f, "r/db").kept_for, both);
	return both;
}

CONTRACT(reserve, who_needs_two_things_does_not_starve)
{
	int64_t both = starve(f, "default");
	int64_t got = 0;

	for (int round = 0; round < 3 && got == 0; round++)
		got = one_round(f, round % 2);
	IS(got, both);
	IS(gate(f, "r/gpu").kept_for, 0);
	IS(gate(f, "r/db").used, 1);
}

CONTRACT(reserve, what_was_kept_for_a_cancelled_one_is_free)
{
	int64_t both = starve(f, "default");

	IS(one_round(f, 0), 0);
	ERR(cancel(f, both), RV_OK);
	fixture_check(f);
	IS(gate(f, "r/gpu").kept_for, 0);
	for (int round = 0; round < 4; round++)
		IS(one_round(f, round % 2), 0);
	IS(gate(f, "r/gpu").used, 1);
	IS(gate(f, "r/db").used, 1);
}

CONTRACT(reserve, nothing_is_kept_for_a_paused_queue)
{
	int64_t both = starve(f, "bulk");

	ERR(pause_queue(f, "bulk", 1), RV_OK);
	fixture_check(f);
	for (int round = 0; round < 6; round++)
		IS(one_round(f, round % 2), 0);
	IS(gate(f, "r/gpu").used, 1);
	IS(gate(f, "r/db").used, 1);
	ERR(pause_queue(f, "bulk", 0), RV_OK);
	fixture_check(f);
	for (int round = 0; round < 60; round++)
		if (one_round(f, round % 2) == both)
			return;
	cr_assert(false, "job %lld starves", (long long)both);
}

/* The oldest of those that starve comes first, and then the next. */
CONTRACT(reserve, several_have_their_turns)
{
	int64_t first = starve(f, "default");
	int64_t second = add(f, JOB(.takes = "db,gpu"));
	int64_t got = 0;

	for (int round = 0; round < 4 && got == 0; round++)
		got = one_round(f, round % 2);
	IS(got, first);
	ERR(ack(f, W1, first, f->req.u.turn.claimed[0].fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	for (int round = 0; round < 60 && got == first; round++) {
		got = one_round(f, round % 2);
		got = got == 0 ? first : got;
	}
	IS(got, second);
}
