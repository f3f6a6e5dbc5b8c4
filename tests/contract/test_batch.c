/* Batches: counts, what follows when one is over, and what opens it again. */
#include "fixture.h"

#include "wire/sup.h"

#define WAITER "/run/b"

static int64_t new_batch(struct fixture *f, const char *on_success, const char *on_complete)
{
	f->req.u.new_batch = (struct rv_req_new_batch){
		.on_success.task = on_success, .on_complete.task = on_complete, .uid = 77};
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

/* total pending succeeded dead cancelled forgotten */
#define COUNTS(id, t, p, s, d, c, g)                                                               \
	do {                                                                                       \
		struct rv_batch_view b_ = batch(f, id);                                            \
		IS(b_.total, t);                                                                   \
		IS(b_.pending, p);                                                                 \
		IS(b_.succeeded, s);                                                               \
		IS(b_.dead, d);                                                                    \
		IS(b_.cancelled, c);                                                               \
		IS(b_.forgotten, g);                                                               \
	} while (0)

static int64_t add_to(struct fixture *f, int64_t id)
{
	return add(f, JOB(.batch = id));
}

static int add_refused(struct fixture *f, int64_t id)
{
	int64_t job;

	return try_add(f, JOB(.batch = id), &job);
}

CONTRACT(batch, a_batch_keeps_what_was_said)
{
	struct rv_batch_view b;
	int64_t id;

	f->req.u.new_batch = (struct rv_req_new_batch){
		.name = "night",
		.labels = "[\"x\"]",
		.on_success = {.task = "t", .spec = "{\"args\":{\"a\":\"1\"}}"},
		.on_complete = {.task = "once", .spec = ""},
		.uid = 5};
	ERR(ask_kind(f, RV_REQ_NEW_BATCH), RV_OK);
	id = f->req.u.new_batch.id;
	IS(id, 1);
	b = batch(f, id);
	TEXT(b.name, "night");
	TEXT(b.labels, "[\"x\"]");
	TEXT(b.on_success.task, "t");
	TEXT(b.on_success.spec, "{\"args\":{\"a\":\"1\"}}");
	TEXT(b.on_complete.task, "once");
	TEXT(b.on_complete.spec, NULL);
	IS(b.uid, 5);
	IS(b.created_us, START_US);
	IS(b.closed_us, 0);
	IS(b.ended_us, 0);
	IS(b.success_job, 0);
	IS(b.complete_job, 0);
	IS(new_batch(f, NULL, ""), 2);
	TEXT(batch(f, 2).on_complete.task, NULL);
	ERR(rv_store_batch(f->store, 3, &b), RV_E_NOTFOUND);
}

CONTRACT(batch, a_callback_needs_a_task_that_is_known)
{
	f->req.u.new_batch = (struct rv_req_new_batch){.on_success.task = "urgnet"};
	ERR(ask_kind(f, RV_REQ_NEW_BATCH), RV_E_NOTFOUND);
	HAS(f->why.text, "urgent");
	f->req.u.new_batch = (struct rv_req_new_batch){.on_complete.task = "zzzzzzz"};
	ERR(ask_kind(f, RV_REQ_NEW_BATCH), RV_E_NOTFOUND);
	IS(new_batch(f, "t", NULL), 1);
}

CONTRACT(batch, jobs_are_counted_as_they_end)
{
	int64_t id = new_batch(f, NULL, NULL);
	int64_t a = add_to(f, id);
	int64_t b = add_to(f, id);
	int64_t c = add_to(f, id);
	int64_t other = add(f, JOB(.key = "k"));

	IS(see(f, a)->batch, id);
	IS(see(f, a)->callback, false);
	IS(see(f, other)->batch, 0);
	COUNTS(id, 3, 3, 0, 0, 0, 0);
	run(f, a, RV_OUTCOME_SUCCEEDED);
	COUNTS(id, 3, 2, 1, 0, 0, 0);
	run(f, b, RV_OUTCOME_FATAL);
	COUNTS(id, 3, 1, 1, 1, 0, 0);
	ERR(cancel(f, c), RV_OK);
	COUNTS(id, 3, 0, 1, 1, 1, 0);
	IS(batch(f, id).ended_us, 0); /* it is open */
	run(f, other, RV_OUTCOME_SUCCEEDED);
	COUNTS(id, 3, 0, 1, 1, 1, 0);
}

CONTRACT(batch, who_refuses_a_job)
{
	int64_t id = new_batch(f, NULL, NULL);
	int64_t job = 0;

	ERR(try_add(f, JOB(.batch = id + 1), &job), RV_E_NOTFOUND);
	HAS(f->why.text, "no such batch 2");
	ERR(try_add(f, JOB(.batch = -id), &job), RV_E_NOTFOUND);
	ERR(close_batch(f, id), RV_OK);
	ERR(try_add(f, JOB(.batch = id), &job), RV_E_CONFLICT);
	HAS(f->why.text, "batch 1 is closed");
	ERR(close_batch(f, id), RV_E_CONFLICT);
	ERR(close_batch(f, id + 1), RV_E_NOTFOUND);
	ERR(close_batch(f, 0), RV_E_NOTFOUND);
	ERR(close_batch(f, -id), RV_E_NOTFOUND);
	COUNTS(id, 0, 0, 0, 0, 0, 0);
}

CONTRACT(batch, a_refused_block_is_not_counted)
{
	int64_t id = new_batch(f, NULL, NULL);
	struct rv_job_new jobs[] = {JOB(.batch = id), JOB(.batch = id), JOB(.batch = 99)};
	int64_t ids[3];

	f->req.u.enqueue = (struct rv_req_enqueue){.jobs = jobs, .count = 3, .ret_ids = ids};
	ERR(ask_kind(f, RV_REQ_ENQUEUE), RV_E_NOTFOUND);
	IS(f->req.u.enqueue.failed_index, 2);
	COUNTS(id, 0, 0, 0, 0, 0, 0);
	(void)add(f, JOB(.batch = id, .idem_key = "i"));
	(void)add(f, JOB(.batch = id, .idem_key = "i"));
	COUNTS(id, 1, 1, 0, 0, 0, 0);
	ERR(try_add(f, JOB(.idem_key = "i"), ids), RV_E_CONFLICT);
}

CONTRACT(batch, the_last_success_calls_both_back)
{
	int64_t id = new_batch(f, "urgent", "once");
	int64_t a = add_to(f, id);
	int64_t b = add_to(f, id);
	struct rv_batch_view view;

	ERR(close_batch(f, id), RV_OK);
	run(f, a, RV_OUTCOME_SUCCEEDED);
	IS(batch(f, id).ended_us, 0);
	tick(f, S(1));
	run(f, b, RV_OUTCOME_SUCCEEDED);
	TEXT(rings(f), "Q critical;Q default;");
	view = batch(f, id);
	IS(view.ended_us, START_US + S(1));
	IS(view.success_job, b + 1);
	IS(view.complete_job, b + 2);
	STATE(view.success_job, "ready");
	TEXT(see(f, view.success_job)->task, "urgent");
	TEXT(see(f, view.success_job)->queue, "critical");
	IS(see(f, view.success_job)->batch, id);
	IS(see(f, view.success_job)->callback, true);
	IS(see(f, view.success_job)->uid, 77);
	IS(see(f, view.success_job)->max_attempts, 3);
	TEXT(see(f, view.complete_job)->task, "once");
	COUNTS(id, 2, 0, 2, 0, 0, 0); /* they are not in it */
	run(f, view.success_job, RV_OUTCOME_SUCCEEDED);
	run(f, view.complete_job, RV_OUTCOME_SUCCEEDED);
	COUNTS(id, 2, 0, 2, 0, 0, 0);
	IS(batch(f, id).complete_job, view.complete_job);
}

CONTRACT(batch, without_success_only_the_end_is_told)
{
	int64_t id = new_batch(f, "t", "once");
	int64_t a = add_to(f, id);
	int64_t b = add_to(f, id);

	ERR(close_batch(f, id), RV_OK);
	run(f, a, RV_OUTCOME_SUCCEEDED);
	run(f, b, RV_OUTCOME_FATAL);
	IS(batch(f, id).success_job, 0);
	IS(batch(f, id).complete_job, b + 1);
}

CONTRACT(batch, closing_one_that_is_over_calls_back_at_once)
{
	int64_t id = new_batch(f, "t", NULL);
	int64_t a = add_to(f, id);
	int64_t empty = new_batch(f, "t", "t");

	run(f, a, RV_OUTCOME_SUCCEEDED);
	IS(batch(f, id).success_job, 0);
	ERR(close_batch(f, id), RV_OK);
	IS(batch(f, id).success_job, a + 1);
	IS(batch(f, id).ended_us, START_US);
	ERR(close_batch(f, empty), RV_OK);
	IS(batch(f, empty).success_job, a + 2);
	IS(batch(f, empty).complete_job, a + 3);
}

CONTRACT(batch, every_way_to_end_counts)
{
	int64_t id = new_batch(f, NULL, "t");
	int64_t parent = add_to(f, id);
	int64_t child = add(f, JOB(.batch = id, .after = &parent, .nafter = 1));
	int64_t old = add(f, JOB(.batch = id, .ttl_us = S(1)));
	int64_t crashed = add(f, JOB(.batch = id, .task = "frail"));
	int64_t stopped = add_to(f, id);
	int64_t fence;

	ERR(close_batch(f, id), RV_OK);
	ERR(cancel(f, parent), RV_OK);
	STATE(child, "cancelled");
	COUNTS(id, 5, 3, 0, 0, 2, 0);
	tick(f, S(2));
	IS(promote(f, 10)->expired, 1);
	STATE(old, "cancelled");
	(void)claim(f, W1, crashed);
	IS(died(f, W1, RV_DIED_CRASH, 0, "killed by signal 9"), 1);
	STATE(crashed, "dead");
	COUNTS(id, 5, 1, 0, 1, 3, 0);
	fence = claim(f, W2, stopped);
	ERR(cancel(f, stopped), RV_OK);
	IS(batch(f, id).ended_us, 0);
	ERR(ack(f, W2, stopped, fence, RV_OUTCOME_CANCELLED), RV_OK);
	COUNTS(id, 5, 0, 0, 1, 4, 0);
	IS(batch(f, id).complete_job, stopped + 1);
}

CONTRACT(batch, a_retried_member_opens_the_count_again)
{
	int64_t id = new_batch(f, "t", "once");
	int64_t a = add_to(f, id);
	struct rv_batch_view first;

	ERR(close_batch(f, id), RV_OK);
	run(f, a, RV_OUTCOME_FATAL);
	first = batch(f, id);
	IS(first.success_job, 0);
	ERR(retry(f, a), RV_OK);
	COUNTS(id, 1, 1, 0, 0, 0, 0);
	IS(batch(f, id).ended_us, 0);
	ERR(cancel(f, first.complete_job), RV_OK);
	run(f, a, RV_OUTCOME_SUCCEEDED);
	COUNTS(id, 1, 0, 1, 0, 0, 0);
	IS(batch(f, id).complete_job, first.complete_job); /* told once */
	IS(batch(f, id).success_job, first.complete_job + 1);
	ERR(retry(f, first.complete_job), RV_OK); /* a callback is a job like others */
	COUNTS(id, 1, 0, 1, 0, 0, 0);
}

CONTRACT(batch, what_called_back_does_not_again)
{
	int64_t id = new_batch(f, "t", "t");
	int64_t a = add_to(f, id);
	int64_t b = add_to(f, id);
	struct rv_batch_view view;

	ERR(close_batch(f, id), RV_OK);
	run(f, a, RV_OUTCOME_SUCCEEDED);
	for (int i = 0; i < 3; i++) {
		ERR(cancel(f, b), RV_OK);
		view = batch(f, id);
		IS(view.success_job, 0);
		IS(view.complete_job, b + 1);
		ERR(retry(f, b), RV_OK);
	}
}

CONTRACT(batch, several_that_end_in_one_request_call_back_in_their_order)
{
	int64_t first = new_batch(f, NULL, "t");
	int64_t second = new_batch(f, NULL, "t");
	int64_t b = add(f, JOB(.batch = second));
	int64_t a = add(f, JOB(.batch = first, .after = &b, .nafter = 1));

	ERR(close_batch(f, first), RV_OK);
	ERR(close_batch(f, second), RV_OK);
	ERR(cancel(f, b), RV_OK);
	IS(batch(f, first).complete_job, a + 1);
	IS(batch(f, second).complete_job, a + 2);
}

CONTRACT(batch, members_of_a_batch_that_goes_on_are_kept)
{
	int64_t id = new_batch(f, NULL, "t");
	int64_t a = add_to(f, id);
	int64_t b = add_to(f, id);
	struct rv_batch_view view;

	run(f, a, RV_OUTCOME_SUCCEEDED);
	ERR(forget(f, a), RV_E_CONFLICT);
	HAS(f->why.text, "belongs to batch 1, which is not finished");
	ERR(close_batch(f, id), RV_OK);
	ERR(forget(f, a), RV_E_CONFLICT);
	run(f, b, RV_OUTCOME_FATAL);
	ERR(forget(f, a), RV_OK);
	COUNTS(id, 2, 0, 1, 1, 0, 1);
	ERR(retry(f, b), RV_OK);
	COUNTS(id, 2, 1, 1, 0, 0, 1);
	ERR(cancel(f, b), RV_OK);
	COUNTS(id, 2, 0, 1, 0, 1, 1);
	ERR(forget(f, b), RV_OK); /* the last one */
	ERR(rv_store_batch(f->store, id, &view), RV_E_NOTFOUND);
	IS(see(f, b + 1)->batch, id); /* what it called is there */
	IS(new_batch(f, NULL, NULL), id + 1);
}

CONTRACT(batch, a_waiter_is_rung_at_the_end)
{
	int64_t id = new_batch(f, NULL, NULL);
	int64_t a = add_to(f, id);

	ERR(wait_for(f, -id - 1, WAITER, START_US + S(60)), RV_E_NOTFOUND);
	ERR(wait_for(f, INT64_MIN, WAITER, START_US + S(60)), RV_E_NOTFOUND);
	ERR(wait_for(f, -id, WAITER, START_US + S(60)), RV_OK);
	TEXT(rings(f), "");
	run(f, a, RV_OUTCOME_SUCCEEDED);
	TEXT(rings(f), "");
	ERR(close_batch(f, id), RV_OK);
	TEXT(rings(f), "W /run/b -1;");
	ERR(wait_for(f, -id, WAITER, START_US + S(60)), RV_OK);
	TEXT(rings(f), "W /run/b -1;");
}

struct found {
	int64_t id[16];
	size_t n;
};

static int note(void *ctx, const struct rv_job_view *view)
{
	struct found *to = ctx;

	to->id[to->n++] = view->id;
	return RV_OK;
}

static int note_batch(void *ctx, const struct rv_batch_view *view)
{
	struct found *to = ctx;

	to->id[to->n++] = view->id;
	return to->n == 3 ? RV_E_CLOSED : RV_OK;
}

static void list_of(struct fixture *f, struct rv_job_filter filter, size_t n, const int64_t *want)
{
	struct found found = {.n = 0};

	ERR(rv_store_jobs(f->store, &filter, note, &found), RV_OK);
	IS(found.n, n);
	for (size_t i = 0; i < n; i++)
		IS(found.id[i], want[i]);
}

#define LISTS(filter_, ...)                                                                        \
	do {                                                                                       \
		const int64_t want_[] = {0, __VA_ARGS__};                                          \
		list_of(f, filter_, RV_ARRAY_LEN(want_) - 1, want_ + 1);                           \
	} while (0)
#define OF(...) ((struct rv_job_filter){.state = -1, .batch = id, __VA_ARGS__})

CONTRACT(batch, members_are_listed_by_state_and_page)
{
	int64_t id = new_batch(f, NULL, "t");
	int64_t a = add_to(f, id);
	int64_t other = add(f, JOB(.key = "k"));
	int64_t b = add(f, JOB(.batch = id, .queue = "bulk"));
	int64_t c = add(f, JOB(.batch = id, .run_at_us = START_US + S(9)));
	int64_t d = add(f, JOB(.batch = id, .after = &c, .nafter = 1, .task = "once"));

	LISTS(OF(), d, c, b, a);
	LISTS(OF(.limit = 2), d, c);
	LISTS(OF(.limit = 2, .before_id = c), b, a);
	LISTS(OF(.above_id = b), d, c);
	LISTS(OF(.state = RV_JOB_READY), b, a);
	LISTS(OF(.queue = "bulk"), b);
	LISTS(OF(.queue = "none"));
	LISTS(OF(.task = "once"), d);
	run(f, a, RV_OUTCOME_FATAL);
	ERR(forget(f, other + 100), RV_E_NOTFOUND);
	(void)turn(f, W1, 1, "bulk");
	LISTS(OF(.states = 1U << RV_JOB_DEAD | 1U << RV_JOB_RUNNING), b, a);
	LISTS(OF(.state = RV_JOB_SCHEDULED), c);
	LISTS(OF(.state = RV_JOB_BLOCKED), d);
	LISTS(((struct rv_job_filter){.state = -1, .batch = 9}));
}

CONTRACT(batch, batches_are_listed_from_the_newest_down)
{
	struct found found = {.n = 0};

	for (int i = 0; i < 5; i++)
		(void)new_batch(f, NULL, NULL);
	ERR(rv_store_batches(f->store, 0, 2, note_batch, &found), RV_OK);
	IS(found.n, 2);
	IS(found.id[0], 5);
	IS(found.id[1], 4);
	found.n = 0;
	ERR(rv_store_batches(f->store, 3, 0, note_batch, &found), RV_OK);
	IS(found.n, 2);
	IS(found.id[0], 2);
	found.n = 0;
	ERR(rv_store_batches(f->store, 0, 0, note_batch, &found), RV_E_CLOSED);
	IS(found.n, 3);
}

/* The configuration that has it no more does not hold up the job that ends the batch. */
CONTRACT(batch, a_callback_whose_task_is_gone_is_enqueued_all_the_same)
{
	static const struct rv_task_def left = {.name = "t", .queue = "default", .max_attempts = 3};
	int64_t id = new_batch(f, NULL, "urgent");
	int64_t a = add_to(f, id);

	f->req.u.mirror = (struct rv_req_mirror){.tasks = &left, .ntasks = 1};
	ERR(ask_kind(f, RV_REQ_MIRROR), RV_OK);
	ERR(close_batch(f, id), RV_OK);
	run(f, a, RV_OUTCOME_SUCCEEDED);
	TEXT(see(f, a + 1)->task, "urgent");
	TEXT(see(f, a + 1)->queue, "default");
	STATE(a + 1, "ready");
}

static int drop_batch(struct fixture *f, int64_t id)
{
	f->req.u.drop_batch = (struct rv_req_drop_batch){.batch = id};
	return ask_kind(f, RV_REQ_DROP_BATCH);
}

CONTRACT(batch, one_that_has_ended_can_be_forgotten_without_its_jobs)
{
	int64_t id = new_batch(f, NULL, "t");
	int64_t a = add_to(f, id);
	int64_t b = add_to(f, id);
	int64_t other = new_batch(f, NULL, NULL);
	int64_t call;

	ERR(drop_batch(f, 77), RV_E_NOTFOUND);
	ERR(drop_batch(f, 0), RV_E_NOTFOUND);
	ERR(drop_batch(f, id), RV_E_CONFLICT);
	HAS(f->why.text, "is open");
	ERR(close_batch(f, id), RV_OK);
	run(f, a, RV_OUTCOME_SUCCEEDED);
	ERR(drop_batch(f, id), RV_E_CONFLICT);
	HAS(f->why.text, "1 of its jobs are not finished");
	run(f, b, RV_OUTCOME_FATAL);
	call = batch(f, id).complete_job;
	ERR(retry(f, b), RV_OK); /* opens it again */
	ERR(drop_batch(f, id), RV_E_CONFLICT);
	ERR(cancel(f, b), RV_OK);
	ERR(drop_batch(f, id), RV_OK);
	ERR(drop_batch(f, id), RV_E_NOTFOUND);
	IS(see(f, a)->batch, id);
	IS(see(f, b)->batch, id);
	IS(see(f, call)->batch, id);
	ERR(add_refused(f, id), RV_E_NOTFOUND);
	/* Its jobs go on as jobs of none. */
	run(f, call, RV_OUTCOME_SUCCEEDED);
	ERR(retry(f, b), RV_OK);
	run(f, b, RV_OUTCOME_SUCCEEDED);
	ERR(forget(f, a), RV_OK);
	ERR(forget(f, b), RV_OK);
	ERR(close_batch(f, other), RV_OK); /* an empty one */
	ERR(drop_batch(f, other), RV_OK);
	IS(new_batch(f, NULL, NULL), other + 1);
}
