/* ENQUEUE and MIRROR: what is accepted, what is refused and why, keys, parents; all or nothing. */
#include "fixture.h"

#include "base/crc32c.h"
#include "core/job.h"
#include "store/rules.h"

#include <stdlib.h>

CONTRACT(enqueue, a_job_takes_what_was_not_said_from_its_task)
{
	int64_t id = add(f, JOB(.uid = 1234));
	struct rv_job_view *v = see(f, id);

	TEXT(v->task, "t");
	TEXT(v->queue, "default");
	IS(v->state, RV_JOB_READY);
	IS(v->priority, RV_PRIORITY_DEFAULT);
	IS(v->attempt, 0);
	IS(v->max_attempts, 3);
	IS(v->max_crashes, 2);
	IS(v->timeout_us, S(60));
	IS(v->created_us, START_US);
	IS(v->run_at_us, START_US);
	IS(v->started_us, 0);
	IS(v->finished_us, 0);
	IS(v->expires_us, 0);
	IS(v->exit_code, -1);
	IS(v->signo, 0);
	IS(v->fence, 0);
	IS(v->slot, -1);
	IS(v->uid, 1234);
	IS(v->payload_size, 0);
	IS(v->runs, 0);
	IS(v->parent_left, 0);
	TEXT(v->unique_key, NULL);
	TEXT(v->idem_key, NULL);
	TEXT(v->key, NULL);
	TEXT(v->labels, NULL);
	TEXT(v->meta, NULL);
	TEXT(v->error, NULL);
	TEXT(v->worker, NULL);
	IS(v->cancel_requested, false);
	IS(v->prefetched, false);
}

CONTRACT(enqueue, a_job_keeps_what_was_said)
{
	int64_t id = add(f, JOB(.queue = "bulk", .spec = "{\"args\":{\"a\":\"\xc3\xa9\"}}",
				.priority = 0, .run_at_us = START_US + S(9), .ttl_us = S(30),
				.max_attempts = 7, .timeout_us = S(2), .unique_key = "u",
				.idem_key = "i", .key = "k", .labels = "[\"x\",\"y\"]",
				.meta = "{\"a\":1}"));
	struct rv_job_view *v = see(f, id);

	TEXT(v->queue, "bulk");
	TEXT(v->spec, "{\"args\":{\"a\":\"\xc3\xa9\"}}");
	IS(v->state, RV_JOB_SCHEDULED);
	IS(v->priority, 0);
	IS(v->max_attempts, 7);
	IS(v->timeout_us, S(2));
	IS(v->run_at_us, START_US + S(9));
	IS(v->expires_us, START_US + S(30));
	TEXT(v->unique_key, "u");
	TEXT(v->idem_key, "i");
	TEXT(v->key, "k");
	TEXT(v->labels, "[\"x\",\"y\"]");
	TEXT(v->meta, "{\"a\":1}");
}

CONTRACT(enqueue, a_time_that_has_come_is_now)
{
	STATE(add(f, JOB(.run_at_us = START_US)), "ready");
	STATE(add(f, JOB(.run_at_us = START_US - S(5))), "ready");
	STATE(add(f, JOB(.run_at_us = START_US + 1)), "scheduled");
}

CONTRACT(enqueue, ids_grow_and_are_never_given_twice)
{
	int64_t first = add_task(f, "t");
	int64_t second = add_task(f, "t");

	cr_assert(gt(i64, second, first));
	run(f, first, RV_OUTCOME_SUCCEEDED);
	run(f, second, RV_OUTCOME_SUCCEEDED);
	ERR(forget(f, second), RV_OK);
	cr_assert(gt(i64, add_task(f, "t"), second));
}

static const struct {
	struct rv_job_new job;
	bool adhoc_refused;
	int err;
	const char *says;
} refused[] = {
	{{.task = "urgnet", .priority = -1}, false, RV_E_NOTFOUND, "urgent"},
	{{.task = "zzzzzzzz", .priority = -1}, false, RV_E_NOTFOUND, "zzzzzzzz"},
	{{.task = "t", .queue = "defualt", .priority = -1}, false, RV_E_NOTFOUND, "default"},
	{{.task = "", .spec = "{}", .priority = -1}, true, RV_E_REFUSED, "ad-hoc"},
	{{.task = NULL, .spec = "{}", .priority = -1}, true, RV_E_REFUSED, "ad-hoc"},
	{{.task = "", .priority = -1}, false, RV_E_USAGE, "command"},
	{{.task = "t", .priority = -2}, false, RV_E_USAGE, "priority"},
	{{.task = "t", .priority = 65536}, false, RV_E_USAGE, "priority"},
	{{.task = "t", .priority = -1, .run_at_us = -1}, false, RV_E_USAGE, "time"},
	{{.task = "t", .priority = -1, .ttl_us = -1}, false, RV_E_USAGE, "ttl"},
	{{.task = "t", .priority = -1, .max_attempts = -1}, false, RV_E_USAGE, "attempts"},
	{{.task = "t", .priority = -1, .timeout_us = -1}, false, RV_E_USAGE, "timeout"},
	{{.task = "t", .priority = -1, .payload = "x", .payload_size = RV_PAYLOAD_MAX + 1},
	 false,
	 RV_E_TOOBIG,
	 "payload"},
	{{.task = "t", .priority = -1, .after = (const int64_t[]){999}, .nafter = 1},
	 false,
	 RV_E_NOTFOUND,
	 "999"},
	{{.task = "t", .priority = -1, .after = (const int64_t[]){0}, .nafter = 1},
	 false,
	 RV_E_NOTFOUND,
	 "0"},
	{{.task = "t", .priority = -1, .after = (const int64_t[]){-5}, .nafter = 1},
	 false,
	 RV_E_NOTFOUND,
	 "-5"},
};

CONTRACT(enqueue, what_is_refused_says_why_and_leaves_nothing)
{
	struct rv_store_totals totals;

	for (size_t i = 0; i < RV_ARRAY_LEN(refused); i++) {
		int64_t id = -7;

		f->req.u.enqueue =
			(struct rv_req_enqueue){.jobs = &refused[i].job,
						.count = 1,
						.ret_ids = &id,
						.failed_index = 99,
						.adhoc_refused = refused[i].adhoc_refused};
		cr_assert(eq(int, ask_kind(f, RV_REQ_ENQUEUE), refused[i].err), "row %zu", i);
		IS(f->req.u.enqueue.failed_index, 0);
		IS(id, -7);
		HAS(f->why.text, refused[i].says);
		TEXT(rings(f), "");
	}
	ERR(rv_store_totals(f->store, &totals), RV_OK);
	for (int s = 0; s < RV_JOB_STATES; s++)
		IS(totals.counts[s], 0);
}

CONTRACT(enqueue, too_long_texts_are_refused)
{
	char *text = malloc(RV_SPEC_MAX + 2);
	int64_t id = 0;

	cr_assert(text != NULL);
	memset(text, 'a', RV_SPEC_MAX + 1);
	text[RV_SPEC_MAX + 1] = '\0';
	ERR(try_add(f, JOB(.spec = text), &id), RV_E_TOOBIG);
	text[RV_SPEC_MAX] = '\0';
	ERR(try_add(f, JOB(.spec = text), &id), RV_OK);
	text[RV_META_MAX + 1] = '\0';
	ERR(try_add(f, JOB(.meta = text), &id), RV_E_TOOBIG);
	HAS(f->why.text, "the metadata");
	text[RV_KEY_MAX] = '\0';
	ERR(try_add(f, JOB(.unique_key = text), &id), RV_E_TOOBIG);
	ERR(try_add(f, JOB(.idem_key = text), &id), RV_E_TOOBIG);
	ERR(try_add(f, JOB(.key = text), &id), RV_E_TOOBIG);
	ERR(try_add(f, JOB(.task = text), &id), RV_E_NOTFOUND);
	ERR(try_add(f, JOB(.queue = text), &id), RV_E_NOTFOUND);
	text[RV_KEY_MAX - 1] = '\0';
	ERR(try_add(f, JOB(.unique_key = text, .idem_key = text, .key = text), &id), RV_OK);
	free(text);
}

CONTRACT(enqueue, an_adhoc_job_needs_no_task)
{
	int64_t id = add(f, (struct rv_job_new){.task = RV_TASK_ADHOC,
						.priority = -1,
						.spec = "{\"command\":[\"true\"]}"});
	struct rv_job_view *v = see(f, id);

	TEXT(v->task, "");
	TEXT(v->queue, "default");
	IS(v->max_attempts, RV_ADHOC_ATTEMPTS);
	IS(v->max_crashes, RV_ADHOC_CRASHES);
	IS(v->timeout_us, RV_ADHOC_TIMEOUT_US);
}

struct bytes {
	unsigned char *data;
	size_t size, pieces;
};

static int collect(void *ctx, const void *data, size_t size)
{
	struct bytes *to = ctx;

	cr_assert(le(sz, size, 65536));
	memcpy(to->data + to->size, data, size);
	to->size += size;
	to->pieces++;
	return RV_OK;
}

static int stop_at_once(void *ctx, const void *data, size_t size)
{
	(void)data;
	(void)size;
	++*(int *)ctx;
	return RV_E_CLOSED;
}

/* What the worker compares with what it has read. */
CONTRACT(enqueue, the_sum_is_of_what_was_said)
{
	int64_t id = add(f, JOB(.spec = "{\"args\":{}}", .payload = "x", .payload_size = 1));
	uint64_t sum = see(f, id)->sum;

	cr_assert(
		eq(u32, RV_JOB_SUM_SAID(sum), rv_job_sum_said(see(f, id)->task, "{\"args\":{}}")));
	cr_assert(eq(u32, RV_JOB_SUM_PAYLOAD(sum), rv_crc32c(0, "x", 1)));
	id = add_task(f, "t");
	sum = see(f, id)->sum;
	cr_assert(eq(u32, RV_JOB_SUM_SAID(sum), rv_job_sum_said("t", NULL)));
	cr_assert(eq(u32, RV_JOB_SUM_PAYLOAD(sum), 0));
	cr_assert(ne(u32, rv_job_sum_said("ta", "b"), rv_job_sum_said("t", "ab")));
}

CONTRACT(enqueue, a_payload_comes_back_byte_by_byte)
{
	size_t size = 200000;
	unsigned char *data = malloc(size);
	struct bytes back = {.data = malloc(size)};
	int calls = 0;
	int64_t id;

	cr_assert(data && back.data);
	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)(i * 7 + i / 251);
	id = add(f, JOB(.payload = data, .payload_size = size));
	IS(see(f, id)->payload_size, size);
	cr_assert(eq(u32, RV_JOB_SUM_PAYLOAD(see(f, id)->sum), rv_crc32c(0, data, size)));
	ERR(rv_store_payload(f->store, id, collect, &back), RV_OK);
	IS(back.size, size);
	cr_assert(gt(sz, back.pieces, 1));
	IS(memcmp(back.data, data, size), 0);
	ERR(rv_store_payload(f->store, id, stop_at_once, &calls), RV_E_CLOSED);
	IS(calls, 1);
	back.size = 0;
	ERR(rv_store_payload(f->store, add_task(f, "t"), collect, &back), RV_OK);
	IS(back.size, 0);
	ERR(rv_store_payload(f->store, 999, collect, &back), RV_E_NOTFOUND);
	free(data);
	free(back.data);
}

CONTRACT(enqueue, a_block_is_all_or_nothing)
{
	struct rv_job_new jobs[3] = {JOB(.key = "a"), JOB(.task = "nobody"), JOB(.key = "c")};
	int64_t ids[3] = {0};

	f->req.u.enqueue = (struct rv_req_enqueue){.jobs = jobs, .count = 3, .ret_ids = ids};
	ERR(ask_kind(f, RV_REQ_ENQUEUE), RV_E_NOTFOUND);
	IS(f->req.u.enqueue.failed_index, 1);
	IS(count_of(f, "default", RV_JOB_READY), 0);
	jobs[1].task = "once";
	f->req.u.enqueue = (struct rv_req_enqueue){.jobs = jobs, .count = 3, .ret_ids = ids};
	ERR(ask_kind(f, RV_REQ_ENQUEUE), RV_OK);
	IS(f->req.u.enqueue.repeated, 0);
	IS(count_of(f, "default", RV_JOB_READY), 3);
	cr_assert(lt(i64, ids[0], ids[1]));
	cr_assert(lt(i64, ids[1], ids[2]));
	TEXT(see(f, ids[2])->key, "c");
}

CONTRACT(enqueue, nothing_to_do_is_done)
{
	f->req.u.enqueue = (struct rv_req_enqueue){0};
	ERR(ask_kind(f, RV_REQ_ENQUEUE), RV_OK);
	TEXT(rings(f), "");
}

CONTRACT(enqueue, a_unique_key_is_held_until_its_job_is_final)
{
	int64_t first = add(f, JOB(.unique_key = "k"));
	int64_t id = 0;

	ERR(try_add(f, JOB(.unique_key = "k"), &id), RV_E_CONFLICT);
	IS(id, first);
	{
		char number[24];

		(void)snprintf(number, sizeof number, "%lld", (long long)first);
		HAS(f->why.text, number);
	}
	(void)add(f, JOB(.unique_key = "other"));
	(void)add(f, JOB(.key = "k")); /* another kind of key */
	int64_t fence = claim(f, W1, first);
	ERR(try_add(f, JOB(.unique_key = "k"), &id), RV_E_CONFLICT);
	ERR(ack(f, W1, first, fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	int64_t second = add(f, JOB(.unique_key = "k"));
	ERR(cancel(f, second), RV_OK);
	int64_t third = add(f, JOB(.task = "once", .unique_key = "k", .queue = "critical"));
	run(f, third, RV_OUTCOME_FAILED);
	STATE(third, "dead");
	(void)add(f, JOB(.unique_key = "k"));
}

CONTRACT(enqueue, a_unique_key_twice_in_a_block_is_a_conflict)
{
	struct rv_job_new jobs[2] = {JOB(.unique_key = "k"), JOB(.unique_key = "k")};
	int64_t ids[2] = {0};

	f->req.u.enqueue = (struct rv_req_enqueue){.jobs = jobs, .count = 2, .ret_ids = ids};
	ERR(ask_kind(f, RV_REQ_ENQUEUE), RV_E_CONFLICT);
	IS(f->req.u.enqueue.failed_index, 1);
	IS(count_of(f, "default", RV_JOB_READY), 0);
	(void)add(f, JOB(.unique_key = "k"));
}

CONTRACT(enqueue, the_same_idempotency_key_gives_the_same_job)
{
	struct rv_job_new job =
		JOB(.idem_key = "i", .spec = "{}", .payload = "abc", .payload_size = 3,
		    .run_at_us = START_US + S(5), .unique_key = "u");
	int64_t first = add(f, job);
	int64_t id = 0;

	tick(f, S(1));
	job.run_at_us = START_US + S(6); /* "in five seconds", said again */
	ERR(try_add(f, job, &id), RV_OK);
	IS(id, first);
	IS(f->req.u.enqueue.repeated, 1);
	TEXT(rings(f), "");
	IS(see(f, first)->run_at_us, START_US + S(5));
	IS(count_of(f, "default", RV_JOB_SCHEDULED), 1);
	tick(f, S(10));
	(void)promote(f, 10);
	run(f, first, RV_OUTCOME_SUCCEEDED);
	ERR(try_add(f, job, &id), RV_OK); /* final, and still the answer */
	IS(id, first);
	ERR(forget(f, first), RV_OK);
	ERR(try_add(f, job, &id), RV_OK); /* even deleted */
	IS(id, first);
}

CONTRACT(enqueue, an_idempotency_key_with_other_content_is_a_conflict)
{
	struct rv_job_new job =
		JOB(.idem_key = "i", .spec = "{}", .payload = "abc", .payload_size = 3, .key = "k");
	struct rv_job_new other[8];
	int64_t first = add(f, job);
	int64_t id = 0;

	for (size_t i = 0; i < RV_ARRAY_LEN(other); i++)
		other[i] = job;
	other[0].spec = "{\"a\":1}";
	other[1].payload = "abd";
	other[2].payload_size = 2;
	other[3].task = "once";
	other[4].queue = "bulk";
	other[5].priority = 5;
	other[6].key = "l";
	other[7].max_attempts = 9;
	for (size_t i = 0; i < RV_ARRAY_LEN(other); i++) {
		id = 0;
		cr_assert(eq(int, try_add(f, other[i], &id), RV_E_CONFLICT), "row %zu", i);
		IS(id, first);
	}
	IS(count_of(f, "default", RV_JOB_READY), 1);
}

CONTRACT(enqueue, an_idempotency_key_is_forgotten_after_thirty_days)
{
	int64_t first = add(f, JOB(.idem_key = "i"));
	int64_t id = 0;

	tick(f, RV_IDEM_US - 1);
	ERR(try_add(f, JOB(.idem_key = "i"), &id), RV_OK);
	IS(id, first);
	tick(f, 1);
	ERR(try_add(f, JOB(.idem_key = "i", .key = "new"), &id), RV_OK);
	cr_assert(ne(i64, id, first));
	IS(f->req.u.enqueue.repeated, 0);
}

CONTRACT(enqueue, idempotency_in_a_block)
{
	struct rv_job_new jobs[4] = {JOB(.idem_key = "a"), JOB(.idem_key = "b"),
				     JOB(.idem_key = "a"), JOB(.key = "none")};
	int64_t ids[4] = {0};
	int64_t before = add(f, JOB(.idem_key = "b"));

	f->req.u.enqueue = (struct rv_req_enqueue){.jobs = jobs, .count = 4, .ret_ids = ids};
	ERR(ask_kind(f, RV_REQ_ENQUEUE), RV_OK);
	IS(f->req.u.enqueue.repeated, 2);
	IS(ids[1], before);
	IS(ids[2], ids[0]);
	IS(count_of(f, "default", RV_JOB_READY), 3);
	jobs[0].key = "now other work";
	f->req.u.enqueue = (struct rv_req_enqueue){.jobs = jobs, .count = 4, .ret_ids = ids};
	ERR(ask_kind(f, RV_REQ_ENQUEUE), RV_E_CONFLICT);
	IS(f->req.u.enqueue.failed_index, 0);
}

static int64_t add_after(struct fixture *f, const int64_t *parents, size_t n)
{
	return add(f, JOB(.queue = "bulk", .after = parents, .nafter = n));
}

CONTRACT(enqueue, a_child_waits_for_all_its_parents)
{
	int64_t parents[3] = {add_task(f, "t"), add_task(f, "t"), 0};
	int64_t child;

	parents[2] = parents[0]; /* said twice, counted once */
	child = add_after(f, parents, 3);
	TEXT(rings(f), "");
	STATE(child, "blocked");
	IS(see(f, child)->parent_left, 2);
	IS(turn(f, W1, 1, "bulk")->nclaimed, 0);
	run(f, parents[0], RV_OUTCOME_SUCCEEDED);
	STATE(child, "blocked");
	IS(see(f, child)->parent_left, 1);
	run(f, parents[1], RV_OUTCOME_SUCCEEDED);
	TEXT(rings(f), "Q bulk;");
	STATE(child, "ready");
	IS(see(f, child)->parent_left, 0);
	run(f, child, RV_OUTCOME_SUCCEEDED);
}

CONTRACT(enqueue, a_child_of_the_finished_is_free)
{
	int64_t parent = add_task(f, "t");

	run(f, parent, RV_OUTCOME_SUCCEEDED);
	STATE(add_after(f, &parent, 1), "ready");
}

CONTRACT(enqueue, a_freed_child_may_still_have_to_wait_for_its_time)
{
	int64_t parent = add_task(f, "t");
	int64_t child = add(f, JOB(.queue = "bulk", .run_at_us = START_US + S(5), .after = &parent,
				   .nafter = 1));

	STATE(child, "blocked");
	run(f, parent, RV_OUTCOME_SUCCEEDED);
	TEXT(rings(f), "S;");
	STATE(child, "scheduled");
	IS(see(f, child)->run_at_us, START_US + S(5));
	tick(f, S(5));
	IS(promote(f, 10)->promoted, 1);
	STATE(child, "ready");
}

CONTRACT(enqueue, a_child_of_a_dead_parent_waits_for_a_person)
{
	int64_t parent = add_task(f, "once");
	int64_t early = add_after(f, &parent, 1);
	int64_t late = 0;

	run(f, parent, RV_OUTCOME_FAILED);
	STATE(parent, "dead");
	STATE(early, "blocked");
	ERR(try_add(f, JOB(.after = &parent, .nafter = 1), &late), RV_E_CONFLICT);
	HAS(f->why.text, "is dead: reeve retry");
	ERR(retry(f, parent), RV_OK);
	late = add_after(f, &parent, 1);
	STATE(late, "blocked");
	run(f, parent, RV_OUTCOME_SUCCEEDED);
	STATE(early, "ready");
	STATE(late, "ready");
}

CONTRACT(enqueue, a_child_of_a_cancelled_parent_is_refused)
{
	int64_t parent = add_task(f, "t");
	int64_t id = 0;

	ERR(cancel(f, parent), RV_OK);
	ERR(try_add(f, JOB(.after = &parent, .nafter = 1), &id), RV_E_CONFLICT);
}

CONTRACT(enqueue, cancelling_goes_down_the_whole_tree)
{
	int64_t ids[40];
	int64_t other = add_task(f, "t");
	int64_t both[2];

	ids[0] = add(f, JOB(.queue = "critical"));
	for (size_t i = 1; i < RV_ARRAY_LEN(ids); i++)
		ids[i] = add_after(f, &ids[(i - 1) / 2], 1);
	both[0] = ids[39];
	both[1] = other;
	int64_t last = add(f, JOB(.unique_key = "k", .after = both, .nafter = 2));
	ERR(wait_for(f, last, "/p", START_US + S(100)), RV_OK);
	ERR(cancel(f, ids[0]), RV_OK);
	HAS(rings(f), "W /p");
	for (size_t i = 0; i < RV_ARRAY_LEN(ids); i++)
		STATE(ids[i], "cancelled");
	STATE(last, "cancelled");
	HAS(see(f, last)->error, "was cancelled");
	STATE(other, "ready");
	(void)add(f, JOB(.unique_key = "k"));
	IS(count_of(f, "bulk", RV_JOB_CANCELLED), 39);
	IS(count_of(f, "bulk", RV_JOB_BLOCKED), 0);
	run(f, other, RV_OUTCOME_SUCCEEDED);
	STATE(last, "cancelled");
}

struct names {
	char text[512];
};

static int note_task(void *ctx, const struct rv_task_def *task)
{
	struct names *to = ctx;

	cr_assert(lt(sz, strlen(to->text) + strlen(task->name), sizeof to->text - 2));
	(void)snprintf(to->text + strlen(to->text), sizeof to->text - strlen(to->text), "%s ",
		       task->name);
	return RV_OK;
}

CONTRACT(enqueue, mirror_replaces_the_tasks_and_keeps_the_queues)
{
	struct rv_task_def task = {.name = "new",
				   .queue = "fresh",
				   .max_attempts = 2,
				   .max_crashes = 1,
				   .backoff = {RV_BACKOFF_LINEAR, S(1), S(9), 10},
				   .durability = RV_DURABILITY_NORMAL};
	struct rv_queue_def queue = {.name = "fresh", .strategy = RV_STRATEGY_PRIORITY};
	int64_t old = add_task(f, "t");
	struct names names = {""};
	int64_t id = 0;

	f->req.u.mirror =
		(struct rv_req_mirror){.tasks = &task, .ntasks = 1, .queues = &queue, .nqueues = 1};
	ERR(ask_kind(f, RV_REQ_MIRROR), RV_OK);
	ERR(rv_store_tasks(f->store, note_task, &names), RV_OK);
	TEXT(names.text, "new ");
	ERR(try_add(f, JOB(.key = "gone"), &id), RV_E_NOTFOUND);
	STATE(old, "ready");
	run(f, old, RV_OUTCOME_SUCCEEDED);
	id = add_task(f, "new");
	TEXT(see(f, id)->queue, "fresh");
	STATE(add(f, JOB(.task = "new", .queue = "default")), "ready");
}
