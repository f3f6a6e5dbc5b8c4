/* Queues that take so many jobs and no more: what is refused, what makes way, who is rung. */
#include "fixture.h"

#include "core/job.h"

#include <stdlib.h>

static void mirror(struct fixture *f, enum rv_strategy strategy, int max, enum rv_on_full on_full)
{
	struct rv_task_def task = {.name = "t", .queue = "bulk", .max_attempts = 3};
	struct rv_queue_def queue = {
		.name = "bulk", .strategy = strategy, .max = max, .on_full = on_full};

	f->req.u.mirror =
		(struct rv_req_mirror){.tasks = &task, .ntasks = 1, .queues = &queue, .nqueues = 1};
	ERR(ask_kind(f, RV_REQ_MIRROR), RV_OK);
}

static int wait_for_more(struct fixture *f, const char *queue, const char *path, int64_t room)
{
	f->req.u.waiter = (struct rv_req_waiter){.expires_us = START_US + S(100), .room = room};
	(void)snprintf(f->req.u.waiter.queue, RV_NAME_MAX, "%s", queue);
	(void)snprintf(f->req.u.waiter.path, sizeof f->req.u.waiter.path, "%s", path);
	return ask_kind(f, RV_REQ_WAITER);
}

static int wait_for_room(struct fixture *f, const char *queue, const char *path)
{
	return wait_for_more(f, queue, path, 1);
}

CONTRACT(full, what_has_no_room_is_refused)
{
	int64_t ids[3];
	int64_t id = -7;

	mirror(f, RV_STRATEGY_FIFO, 3, RV_ON_FULL_REJECT);
	ids[0] = add(f, JOB(.run_at_us = START_US + S(5)));
	ids[1] = add_task(f, "t");
	ids[2] = add(f, JOB(.after = ids, .nafter = 1)); /* scheduled, ready, blocked: all wait */
	ERR(try_add(f, JOB(.key = "x"), &id), RV_E_FULL);
	HAS(f->why.text, "queue bulk is full: 3 of 3 jobs wait in it");
	IS(id, -7);
	IS(f->req.u.enqueue.may_wait, false);
	TEXT(f->req.u.enqueue.full, "bulk");
	int64_t fence = claim(f, W1, ids[1]); /* what runs does not wait */
	int64_t third = add_task(f, "t");
	ERR(try_add(f, JOB(.key = "x"), &id), RV_E_FULL);
	/* what comes back is let in: only new jobs are refused */
	ERR(ack(f, W1, ids[1], fence, RV_OUTCOME_INTERRUPTED), RV_OK);
	ERR(try_add(f, JOB(.key = "x"), &id), RV_E_FULL);
	HAS(f->why.text, "4 of 3");
	ERR(cancel(f, third), RV_OK);
	ERR(cancel(f, ids[1]), RV_OK);
	(void)add_task(f, "t");
	STATE(add(f, JOB(.queue = "default")), "ready");
}

CONTRACT(full, what_needs_no_room_is_not_refused)
{
	int64_t first;
	int64_t id = 0;

	mirror(f, RV_STRATEGY_FIFO, 1, RV_ON_FULL_REJECT);
	first = add(f, JOB(.unique_key = "k", .idem_key = "i"));
	ERR(try_add(f, JOB(.unique_key = "k", .idem_key = "i"), &id), RV_OK);
	IS(id, first);
	ERR(try_add(f, JOB(.unique_key = "k", .on_held = RV_ON_HELD_SKIP), &id), RV_OK);
	ERR(try_add(f, JOB(.unique_key = "k", .on_held = RV_ON_HELD_RESCHEDULE), &id), RV_OK);
	IS(id, first);
	id = add(f, JOB(.unique_key = "k", .on_held = RV_ON_HELD_REPLACE));
	STATE(first, "cancelled"); /* it made room */
	ERR(try_add(f, JOB(.key = "x"), &id), RV_E_FULL);
}

CONTRACT(full, a_block_is_all_or_nothing)
{
	struct rv_job_new jobs[4] = {JOB(.key = "a"), JOB(.key = "b"), JOB(.key = "c"),
				     JOB(.key = "d")};
	int64_t ids[4] = {0};

	mirror(f, RV_STRATEGY_FIFO, 3, RV_ON_FULL_BLOCK);
	f->req.u.enqueue = (struct rv_req_enqueue){.jobs = jobs, .count = 4, .ret_ids = ids};
	ERR(ask_kind(f, RV_REQ_ENQUEUE), RV_E_FULL);
	HAS(f->why.text, "it takes 3 jobs, and these alone are more");
	IS(f->req.u.enqueue.failed_index, 3);
	IS(f->req.u.enqueue.may_wait, false); /* in vain */
	IS(count_of(f, "bulk", RV_JOB_READY), 0);
	(void)add_task(f, "t");
	f->req.u.enqueue = (struct rv_req_enqueue){.jobs = jobs, .count = 3, .ret_ids = ids};
	ERR(ask_kind(f, RV_REQ_ENQUEUE), RV_E_FULL);
	IS(f->req.u.enqueue.may_wait, true);
	IS(count_of(f, "bulk", RV_JOB_READY), 1);
}

CONTRACT(full, the_oldest_makes_way)
{
	static const enum rv_strategy strategies[] = {RV_STRATEGY_FIFO, RV_STRATEGY_LIFO,
						      RV_STRATEGY_PRIORITY, RV_STRATEGY_FAIR};
	int64_t ids[3];
	int64_t more;

	for (size_t i = 0; i < RV_ARRAY_LEN(strategies); i++) {
		mirror(f, strategies[i], 3, RV_ON_FULL_DROP_OLDEST);
		for (int j = 0; j < 3; j++)
			ids[j] = add(f, JOB(.priority = 10 - j));
		ERR(wait_for(f, ids[0], "/p", START_US + S(100)), RV_OK);
		more = add(f, JOB(.priority = 0));
		HAS(rings(f), "W /p");
		STATE(ids[0], "cancelled");
		TEXT(see(f, ids[0])->error, "dropped: queue full");
		STATE(ids[1], "ready");
		STATE(ids[2], "ready");
		STATE(more, "ready");
		IS(count_of(f, "bulk", RV_JOB_READY), 3);
		for (int j = 1; j < 3; j++)
			ERR(cancel(f, ids[j]), RV_OK);
		ERR(cancel(f, more), RV_OK);
	}
}

CONTRACT(full, without_a_ready_one_another_makes_way)
{
	int64_t parent = add(f, JOB(.queue = "critical"));
	int64_t blocked;
	int64_t late;
	int64_t soon;
	int64_t id = 0;

	mirror(f, RV_STRATEGY_FIFO, 3, RV_ON_FULL_DROP_OLDEST);
	blocked = add(f, JOB(.after = &parent, .nafter = 1));
	late = add(f, JOB(.run_at_us = START_US + S(9)));
	soon = add(f, JOB(.run_at_us = START_US + S(5)));
	(void)add(f, JOB(.run_at_us = START_US + S(7)));
	STATE(late, "cancelled");
	STATE(soon, "scheduled");
	STATE(blocked, "blocked");
	mirror(f, RV_STRATEGY_FIFO, 1, RV_ON_FULL_DROP_OLDEST);
	(void)add(f, JOB(.after = &parent, .nafter = 1));
	STATE(blocked, "cancelled");
	IS(count_of(f, "bulk", RV_JOB_BLOCKED), 1);
	IS(count_of(f, "bulk", RV_JOB_SCHEDULED), 0);
	id = add_task(f, "t"); /* and what a worker has fetched makes way for nobody */
	(void)prefetch(f, W1, 1, "bulk");
	ERR(try_add(f, JOB(.key = "x"), &id), RV_E_FULL);
	IS(f->req.u.enqueue.may_wait, false);
}

CONTRACT(full, a_lowered_number_is_reached_in_steps)
{
	for (int i = 0; i < 50; i++)
		(void)add(f, JOB(.queue = "bulk"));
	mirror(f, RV_STRATEGY_FIFO, 5, RV_ON_FULL_DROP_OLDEST);
	IS(count_of(f, "bulk", RV_JOB_READY), 50);
	(void)add_task(f, "t");
	IS(count_of(f, "bulk", RV_JOB_READY), 35);
	for (int i = 0; i < 5; i++)
		(void)add_task(f, "t");
	IS(count_of(f, "bulk", RV_JOB_READY), 5);
}

CONTRACT(full, who_waits_for_room_is_rung)
{
	int64_t ids[3];
	int64_t id = 0;

	mirror(f, RV_STRATEGY_FIFO, 2, RV_ON_FULL_BLOCK);
	ERR(wait_for_room(f, "bulk", "/early"), RV_OK);
	TEXT(rings(f), "W /early 0;"); /* there is room */
	ERR(wait_for_room(f, "bluk", "/p"), RV_E_NOTFOUND);
	for (int i = 0; i < 2; i++)
		ids[i] = add_task(f, "t");
	ERR(try_add(f, JOB(.key = "x"), &id), RV_E_FULL);
	IS(f->req.u.enqueue.may_wait, true);
	ERR(wait_for_room(f, "bulk", "/b"), RV_OK);
	ERR(wait_for_room(f, "bulk", "/a"), RV_OK);
	ERR(wait_for_room(f, "bulk", "/a"), RV_OK);
	TEXT(rings(f), "");
	run(f, add(f, JOB(.queue = "default")), RV_OUTCOME_SUCCEEDED);
	TEXT(rings(f), "");
	(void)claim(f, W1, ids[0]); /* room for one: the first is rung, and forgotten */
	TEXT(rings(f), "W /a 0;");
	ids[2] = add_task(f, "t");
	ERR(cancel(f, ids[1]), RV_OK);
	TEXT(rings(f), "W /b 0;");
	ERR(cancel(f, ids[2]), RV_OK);
	TEXT(rings(f), "");
}

CONTRACT(full, more_room_rings_more)
{
	int64_t ids[3];

	mirror(f, RV_STRATEGY_FIFO, 3, RV_ON_FULL_BLOCK);
	for (int i = 0; i < 3; i++)
		ids[i] = add_task(f, "t");
	ERR(wait_for_room(f, "bulk", "/a"), RV_OK);
	ERR(wait_for_room(f, "bulk", "/b"), RV_OK);
	ERR(wait_for_room(f, "bulk", "/c"), RV_OK);
	(void)turn(f, W1, 2, "bulk");
	TEXT(rings(f), "W /a 0;W /b 0;");
	mirror(f, RV_STRATEGY_FIFO, 9, RV_ON_FULL_BLOCK);
	HAS(rings(f), "W /c 0;");
	ERR(cancel(f, ids[2]), RV_OK);
	TEXT(rings(f), "");
}

/* A block waits for room for all of it; small ones go in meanwhile. */
CONTRACT(full, room_for_many)
{
	int64_t ids[4];

	mirror(f, RV_STRATEGY_FIFO, 4, RV_ON_FULL_BLOCK);
	for (int i = 0; i < 3; i++)
		ids[i] = add_task(f, "t");
	ERR(wait_for_more(f, "bulk", "/none", 0), RV_E_USAGE);
	ERR(wait_for_more(f, "bulk", "/a", 3), RV_OK);
	TEXT(rings(f), ""); /* there is room for one only */
	ids[3] = add_task(f, "t");
	ERR(wait_for_more(f, "bulk", "/b", 1), RV_OK);
	ERR(cancel(f, ids[0]), RV_OK);
	TEXT(rings(f), "W /b 0;");
	ERR(cancel(f, ids[1]), RV_OK);
	TEXT(rings(f), "");
	ERR(cancel(f, ids[2]), RV_OK);
	TEXT(rings(f), "W /a 0;");
	ERR(cancel(f, ids[3]), RV_OK);
	TEXT(rings(f), "");
}

CONTRACT(full, who_gave_up_is_forgotten)
{
	int64_t id;

	mirror(f, RV_STRATEGY_FIFO, 1, RV_ON_FULL_BLOCK);
	id = add_task(f, "t");
	ERR(wait_for_room(f, "bulk", "/a"), RV_OK);
	ERR(wait_for_room(f, "bulk", "/b"), RV_OK);
	ERR(wait_for(f, 0, "/a", 0), RV_OK);
	tick(f, S(100));
	ERR(wait_for_room(f, "bulk", "/b"), RV_OK); /* too late as well */
	ERR(cancel(f, id), RV_OK);
	TEXT(rings(f), "");
}

static int note_full(void *ctx, const struct rv_queue_view *view)
{
	if (strcmp(view->name, "bulk") == 0)
		*(struct rv_queue_view *)ctx = *view;
	return RV_OK;
}

CONTRACT(full, the_queue_shows_it)
{
	struct rv_queue_view view = {0};

	mirror(f, RV_STRATEGY_FIFO, 77, RV_ON_FULL_DROP_OLDEST);
	ERR(rv_store_queues(f->store, note_full, &view), RV_OK);
	IS(view.max, 77);
	IS(view.on_full, RV_ON_FULL_DROP_OLDEST);
}
