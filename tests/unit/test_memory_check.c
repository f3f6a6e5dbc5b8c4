/*
 * The oracle's invariants can fail: each row breaks one thing behind the backend's back, and the
 * rule that it breaks must be named.  (What a check cannot see, every test above it cannot see
 * either.)
 */
#include "store/memory_rows.h"

#include "base/seam.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdio.h>
#include <string.h>

#define WHO 0x500000001ULL

static struct rv_req req;

static void ask(struct rv_store *store, int kind)
{
	struct rv_req *one = &req;

	req.kind = kind;
	cr_assert(eq(int, rv_store_do(store, &one, 1, RV_DURABILITY_NORMAL, 0, NULL), RV_OK));
	cr_assert(eq(int, req.err, RV_OK), "%s: %s", rv_req_name(kind), req.why.text);
}

static void add(struct rv_store *store, struct rv_job_new job)
{
	int64_t id = 0;

	job.task = "t";
	job.priority = -1;
	req.u.enqueue = (struct rv_req_enqueue){.jobs = &job, .count = 1, .ret_ids = &id};
	ask(store, RV_REQ_ENQUEUE);
}

static void take(struct rv_store *store, uint32_t want, int64_t ack_job, int64_t ack_fence)
{
	memset(&req.u.turn, 0, sizeof req.u.turn);
	req.u.turn.incarnation = WHO;
	req.u.turn.want = want;
	req.u.turn.nqueues = 1;
	(void)snprintf(req.u.turn.queues[0], RV_NAME_MAX, "q");
	req.u.turn.nacks = ack_job != 0;
	req.u.turn.acks[0] = (struct rv_ack){.job = ack_job, .fence = ack_fence};
	ask(store, RV_REQ_TURN);
}

/* Jobs 1 succeeded, 2 running, 3 blocked by 2, 4 scheduled, 5 ready with a unique key. */
static struct mem_store *make(void)
{
	static const struct rv_task_def task = {.name = "t", .queue = "q", .max_attempts = 2};
	static const struct rv_queue_def queue = {.name = "q"};
	struct rv_store_open how = {.backend = "memory"};
	struct rv_store *store = NULL;
	int64_t parent = 2;

	cr_assert(eq(int, rv_store_open(&how, &store, NULL), RV_OK));
	req.u.mirror =
		(struct rv_req_mirror){.tasks = &task, .ntasks = 1, .queues = &queue, .nqueues = 1};
	ask(store, RV_REQ_MIRROR);
	memset(&req.u.join, 0, sizeof req.u.join);
	req.u.join.incarnation = WHO;
	ask(store, RV_REQ_JOIN);
	add(store, (struct rv_job_new){.key = "first"});
	add(store, (struct rv_job_new){.key = "second"});
	take(store, 1, 0, 0);
	take(store, 1, 1, req.u.turn.claimed[0].fence);
	add(store, (struct rv_job_new){.after = &parent, .nafter = 1});
	add(store, (struct rv_job_new){.run_at_us = rv_wall_us() + 1000 * RV_S_US});
	add(store, (struct rv_job_new){.unique_key = "u"});
	return MEM_OF(store);
}

static struct mem_job *job(struct mem_store *m, int64_t id)
{
	return rv_memory_job(m, id);
}

static void twice(struct mem_store *m)
{
	job(m, 5)->id = 4;
}

static void beyond(struct mem_store *m)
{
	m->now.next_id = 5;
}

static void final_and_not(struct mem_store *m)
{
	job(m, 5)->finished_us = 1;
}

static void waits_for_nothing(struct mem_store *m)
{
	m->now.deps.n = 0;
}

static void key_lost(struct mem_store *m)
{
	m->now.uniques.n = 0;
}

static void dead_holder(struct mem_store *m)
{
	m->now.workers.rows[0].live = false;
}

static void run_goes_on(struct mem_store *m)
{
	m->now.attempts.rows[0].outcome = -1;
}

static void fence_not_given(struct mem_store *m)
{
	m->now.fence_counter = 0;
}

static void fence_back(struct mem_store *m)
{
	m->now.attempts.rows[1].fence = 0;
}

static void too_many_attempts(struct mem_store *m)
{
	job(m, 5)->attempts = 3;
}

static void too_many_crashes(struct mem_store *m)
{
	job(m, 5)->crashes = 1;
}

static void runs_lost(struct mem_store *m)
{
	job(m, 5)->runs = 1;
}

static void event_lost(struct mem_store *m)
{
	m->now.events.n--;
}

static void event_illegal(struct mem_store *m)
{
	m->now.events.rows[0].to = RV_JOB_DEAD;
}

static void miscounted(struct mem_store *m)
{
	m->now.queues.rows[0].counts[RV_JOB_READY]++;
}

static struct mem_batch *batch(struct mem_store *m)
{
	struct mem_batch *b = MEM_ADD(m, batches);

	*b = (struct mem_batch){.id = 1, .total = 1};
	job(m, 5)->batch = 1;
	return b;
}

static void batch_lost(struct mem_store *m)
{
	job(m, 5)->batch = 1;
}

static void batch_miscounted(struct mem_store *m)
{
	batch(m)->dead = 1;
}

static void batch_more(struct mem_store *m)
{
	batch(m)->total = 2;
}

static void batch_over(struct mem_store *m)
{
	batch(m)->ended_us = 1;
}

static void batch_silent(struct mem_store *m)
{
	struct mem_batch *b = batch(m);

	job(m, 5)->batch = 0;
	job(m, 1)->batch = 1;
	*b = (struct mem_batch){.id = 1,
				.total = 1,
				.succeeded = 1,
				.closed_us = 1,
				.ended_us = 1,
				.on_success.task = "t"};
}

static void batch_calls_twice(struct mem_store *m)
{
	(void)batch(m);
	job(m, 4)->batch = 1;
	job(m, 4)->callback = true;
}

static void batch_failed_and_not(struct mem_store *m)
{
	struct mem_batch *b = batch(m);

	b->failed_us = 1;
	b->sweep = 9;
}

static void batch_not_swept(struct mem_store *m)
{
	struct mem_batch *b = batch(m);

	*b = (struct mem_batch){
		.id = 1, .total = 2, .dead = 1, .forgotten = 1, .failed_us = 1, .sweep = 5};
}

static void batch_swept_by_nobody(struct mem_store *m)
{
	batch(m)->sweep = 9;
}

static const struct {
	const char *rule;
	void (*breaks)(struct mem_store *m);
} rows[] = {
	{"R1", twice},
	{"R1", beyond},
	{"R1", final_and_not},
	{"R1", waits_for_nothing},
	{"R1", key_lost},
	{"R2", dead_holder},
	{"R2", run_goes_on},
	{"R3", fence_not_given},
	{"R3", fence_back},
	{"R5", too_many_attempts},
	{"R5", too_many_crashes},
	{"R5", runs_lost},
	{"R7", event_lost},
	{"R7", event_illegal},
	{"R8", miscounted},
	{"B1", batch_lost},
	{"B1", batch_miscounted},
	{"B1", batch_more},
	{"B2", batch_over},
	{"B2", batch_silent},
	{"B2", batch_calls_twice},
	{"B9", batch_failed_and_not},
	{"B9", batch_not_swept},
	{"B9", batch_swept_by_nobody},
};

static void note_rule(void *ctx, const char *rule, const char *what)
{
	char *rules = ctx;

	cr_assert(what[0] != '\0');
	if (!strstr(rules, rule))
		(void)snprintf(rules + strlen(rules), 64 - strlen(rules), "%s ", rule);
}

Test(memory_check, a_sound_store_has_nothing_to_say)
{
	struct mem_store *m = make();
	char rules[64] = "";

	cr_assert(eq(int, rv_store_check(&m->base, true, note_rule, rules), RV_OK));
	cr_assert(eq(int, rules[0], 0), "%s", rules);
	rv_store_close(&m->base);
}

Test(memory_check, each_rule_is_named_when_it_is_broken)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(rows); i++) {
		struct mem_store *m = make();
		char rules[64] = "";

		rows[i].breaks(m);
		cr_assert(eq(int, rv_store_check(&m->base, false, note_rule, rules), RV_OK));
		cr_assert(strstr(rules, rows[i].rule) != NULL, "row %zu: \"%s\" has no %s", i,
			  rules, rows[i].rule);
		rv_store_close(&m->base);
	}
}
