/* Transactions: savepoints, rollback, rounds, rings, the order of calls. */
#include "fixture.h"

#include "core/job.h"

#include <stdlib.h>
#include <unistd.h>

static struct rv_req *new_req(int kind)
{
	struct rv_req *req = calloc(1, sizeof *req);

	cr_assert(req != NULL);
	req->kind = kind;
	return req;
}

static void begin(struct fixture *f)
{
	ERR(rv_store_begin(f->store, RV_DURABILITY_FULL, S(5), &f->why), RV_OK);
}

static void commit(struct fixture *f)
{
	ERR(rv_store_commit(f->store, &f->why), RV_OK);
}

CONTRACT(transaction, a_failing_request_changes_nothing_while_others_take_effect)
{
	struct rv_job_new good = JOB(.key = "good");
	struct rv_job_new bad[3] = {JOB(.queue = "bulk", .unique_key = "u", .idem_key = "i"),
				    JOB(.queue = "bulk", .run_at_us = START_US + S(5)),
				    JOB(.task = "nobody")};
	int64_t ids[5] = {0};
	struct rv_req *a = new_req(RV_REQ_ENQUEUE);
	struct rv_req *b = new_req(RV_REQ_ENQUEUE);
	struct rv_req *c = new_req(RV_REQ_ENQUEUE);
	struct rv_req *all[] = {a, b, c};

	a->u.enqueue = (struct rv_req_enqueue){.jobs = &good, .count = 1, .ret_ids = &ids[0]};
	b->u.enqueue = (struct rv_req_enqueue){.jobs = bad, .count = 3, .ret_ids = &ids[1]};
	c->u.enqueue = (struct rv_req_enqueue){.jobs = &good, .count = 1, .ret_ids = &ids[4]};
	ERR(rv_store_do(f->store, all, 3, RV_DURABILITY_FULL, S(5), &f->why), RV_OK);
	IS(a->err, RV_OK);
	IS(b->err, RV_E_NOTFOUND);
	IS(b->u.enqueue.failed_index, 2);
	IS(c->err, RV_OK);
	TEXT(rings(f), "Q default;");
	STATE(ids[0], "ready");
	STATE(ids[4], "ready");
	IS(count_of(f, "default", RV_JOB_READY), 2);
	IS(count_of(f, "bulk", RV_JOB_READY), 0);
	IS(count_of(f, "bulk", RV_JOB_SCHEDULED), 0);
	(void)add(f, bad[0]); /* neither key was taken */
	free(a);
	free(b);
	free(c);
}

CONTRACT(transaction, every_refusal_in_the_middle)
{
	int64_t id = add_task(f, "t");
	int64_t fence = claim(f, W1, id);
	struct rv_req *one = new_req(RV_REQ_CANCEL);
	struct rv_req *two = new_req(RV_REQ_RETRY);
	struct rv_req *three = new_req(RV_REQ_TURN);
	struct rv_req *four = new_req(RV_REQ_DELETE);
	struct rv_req *five = new_req(RV_REQ_PAUSE);
	struct rv_req *all[] = {one, two, three, four, five};

	one->u.cancel.job = 4711;
	two->u.retry.job = id;
	three->u.turn.incarnation = W1;
	three->u.turn.nacks = 1;
	three->u.turn.acks[0] = ACK(.job = id, .fence = fence, .outcome = RV_OUTCOME_SUCCEEDED);
	four->u.remove.job = id;
	(void)snprintf(five->u.pause.queue, sizeof five->u.pause.queue, "nosuch");
	ERR(rv_store_do(f->store, all, 5, RV_DURABILITY_FULL, S(5), &f->why), RV_OK);
	IS(one->err, RV_E_NOTFOUND);
	IS(two->err, RV_E_CONFLICT);
	IS(three->err, RV_OK);
	IS(three->u.turn.acks[0].err, RV_OK);
	IS(four->err, RV_OK); /* the same transaction's ack made it final */
	IS(five->err, RV_E_NOTFOUND);
	ERR(rv_store_job(f->store, id, &f->seen), RV_E_NOTFOUND);
	for (size_t i = 0; i < RV_ARRAY_LEN(all); i++)
		free(all[i]);
}

CONTRACT(transaction, a_rolled_back_one_never_was)
{
	struct rv_job_new job = JOB(.unique_key = "k");
	struct rv_req *req = new_req(RV_REQ_ENQUEUE);
	struct rv_req *pause = new_req(RV_REQ_PAUSE);
	int64_t id = 0;
	uint64_t n = 99;

	begin(f);
	req->u.enqueue = (struct rv_req_enqueue){.jobs = &job, .count = 1, .ret_ids = &id};
	ERR(rv_store_execute(f->store, req), RV_OK);
	IS(req->err, RV_OK);
	(void)snprintf(pause->u.pause.queue, sizeof pause->u.pause.queue, "default");
	pause->u.pause.paused = 1;
	ERR(rv_store_execute(f->store, pause), RV_OK);
	IS(pause->err, RV_OK);
	ERR(rv_store_round_set(f->store, 5, 3), RV_OK);
	rv_store_rollback(f->store);
	TEXT(rings(f), "");
	ERR(rv_store_job(f->store, id, &f->seen), RV_E_NOTFOUND);
	IS(count_of(f, "default", RV_JOB_READY), 0);
	begin(f);
	ERR(rv_store_round_get(f->store, 5, &n), RV_OK);
	IS(n, 0);
	commit(f);
	id = add(f, job);
	(void)claim(f, W1, id); /* the queue is not paused */
	free(req);
	free(pause);
}

CONTRACT(transaction, rounds_are_per_area_and_kept)
{
	uint64_t n = 99;

	begin(f);
	ERR(rv_store_round_get(f->store, 0xfffffffffffffff0ULL, &n), RV_OK);
	IS(n, 0);
	ERR(rv_store_round_set(f->store, 0xfffffffffffffff0ULL, 41), RV_OK);
	ERR(rv_store_round_get(f->store, 0xfffffffffffffff0ULL, &n), RV_OK);
	IS(n, 41);
	ERR(rv_store_round_set(f->store, 0xfffffffffffffff0ULL, 42), RV_OK);
	ERR(rv_store_round_set(f->store, 7, 1), RV_OK);
	commit(f);
	begin(f);
	ERR(rv_store_round_get(f->store, 0xfffffffffffffff0ULL, &n), RV_OK);
	IS(n, 42);
	ERR(rv_store_round_get(f->store, 7, &n), RV_OK);
	IS(n, 1);
	ERR(rv_store_round_get(f->store, 8, &n), RV_OK);
	IS(n, 0);
	commit(f);
}

CONTRACT(transaction, a_request_can_be_executed_again_after_a_rollback)
{
	int64_t id = add_task(f, "t");
	struct rv_req *req = new_req(RV_REQ_TURN);
	int64_t fences[2];

	req->u.turn.incarnation = W1;
	req->u.turn.want = 1;
	req->u.turn.nqueues = 1;
	(void)snprintf(req->u.turn.queues[0], sizeof req->u.turn.queues[0], "default");
	for (int i = 0; i < 2; i++) {
		begin(f);
		ERR(rv_store_execute(f->store, req), RV_OK);
		IS(req->err, RV_OK);
		IS(req->u.turn.nclaimed, 1);
		IS(req->u.turn.claimed[0].job, id);
		fences[i] = req->u.turn.claimed[0].fence;
		if (i == 0)
			rv_store_rollback(f->store);
		else
			commit(f);
	}
	IS(see(f, id)->fence, fences[1]);
	IS(see(f, id)->runs, 1);
	ERR(ack(f, W1, id, fences[1], RV_OUTCOME_SUCCEEDED), RV_OK);
	free(req);
}

CONTRACT(transaction, many_requests_in_one)
{
	enum { N = 40 };
	struct rv_req *reqs[N];
	struct rv_job_new job = JOB(.key = "x");
	int64_t ids[N];

	for (int i = 0; i < N; i++) {
		reqs[i] = new_req(RV_REQ_ENQUEUE);
		reqs[i]->u.enqueue =
			(struct rv_req_enqueue){.jobs = &job, .count = 1, .ret_ids = &ids[i]};
	}
	ERR(rv_store_do(f->store, reqs, N, RV_DURABILITY_FULL, S(5), &f->why), RV_OK);
	TEXT(rings(f), "Q default;"); /* doubles are folded */
	IS(count_of(f, "default", RV_JOB_READY), N);
	for (int i = 0; i < N; i++)
		run(f, ids[i], RV_OUTCOME_SUCCEEDED);
	for (int i = 0; i < N; i++)
		free(reqs[i]);
}

CONTRACT(transaction, what_is_no_request_is_refused)
{
	f->req.kind = RV_REQ_NONE;
	ERR(ask(f, &f->req), RV_E_USAGE);
	f->req.kind = RV_REQ_KINDS;
	ERR(ask(f, &f->req), RV_E_USAGE);
}

CONTRACT(transaction, an_empty_one)
{
	ERR(rv_store_do(f->store, NULL, 0, RV_DURABILITY_NORMAL, S(1), &f->why), RV_OK);
	TEXT(rings(f), "");
}

CONTRACT(transaction, rings_say_whom_to_wake)
{
	struct rv_job_new jobs[4] = {JOB(.queue = "bulk"), JOB(.queue = "default"),
				     JOB(.run_at_us = START_US + S(9)), JOB(.queue = "bulk")};
	int64_t ids[4];

	f->req.u.enqueue = (struct rv_req_enqueue){.jobs = jobs, .count = 4, .ret_ids = ids};
	ERR(ask_kind(f, RV_REQ_ENQUEUE), RV_OK);
	TEXT(rings(f), "Q bulk;Q default;S;");
	tick(f, S(9));
	(void)promote(f, 9);
	TEXT(rings(f), "Q default;");
	(void)promote(f, 9);
	TEXT(rings(f), "");
}

/* More rings than fit become one that says: look at everything. */
CONTRACT(transaction, too_many_rings_say_look_at_all)
{
	struct rv_req *req = new_req(RV_REQ_WAITER);
	int64_t id = add_task(f, "t");
	const struct rv_ring *list = NULL;
	bool all = false;
	size_t n;

	begin(f);
	for (int i = 0; i < 1100; i++) {
		req->u.waiter = (struct rv_req_waiter){.job = id, .expires_us = START_US + S(9)};
		(void)snprintf(req->u.waiter.path, sizeof req->u.waiter.path, "/run/w%d", i);
		ERR(rv_store_execute(f->store, req), RV_OK);
		IS(req->err, RV_OK);
	}
	commit(f);
	ERR(cancel(f, id), RV_OK);
	n = rv_store_rings(f->store, &list);
	IS(n, 1024);
	for (size_t i = 0; i < n; i++)
		all = all || (list[i].kind == RV_RING_QUEUE && list[i].name[0] == '\0');
	cr_assert(all);
	free(req);
}

CONTRACT(transaction, change_moves_with_every_commit)
{
	int64_t last;
	int64_t now;

	ERR(rv_store_change(f->store, &last), RV_OK);
	ERR(rv_store_change(f->store, &now), RV_OK);
	IS(now, last);
	for (int i = 0; i < 3; i++) {
		(void)add_task(f, "t");
		ERR(rv_store_change(f->store, &now), RV_OK);
		cr_assert(ne(i64, now, last));
		last = now;
	}
}

CONTRACT(transaction, the_small_questions)
{
	int64_t pid = -1;
	int64_t bytes = -1;

	ERR(rv_store_same_file(f->store), RV_OK);
	ERR(rv_store_writer_pid(f->store, &pid), RV_OK);
	IS(pid, 0);
	begin(f);
	ERR(rv_store_writer_pid(f->store, &pid), RV_OK);
	IS(pid, getpid());
	commit(f);
	(void)add_task(f, "t");
	ERR(rv_store_checkpoint(f->store, 0, &bytes), RV_OK);
	cr_assert(ge(i64, bytes, 0));
	ERR(rv_store_checkpoint(f->store, 1 << 20, NULL), RV_OK);
	IS(count_of(f, "default", RV_JOB_READY), 1);
}

/* Another process's handle; memory has none. */
static struct rv_store *second_handle(struct fixture *f)
{
	struct rv_store_open how = {.backend = f->backend, .path = f->path, .group = (gid_t)-1};
	struct rv_store *store = NULL;

	if (strcmp(f->backend, "memory") == 0)
		return NULL;
	ERR(rv_store_open(&how, &store, &f->why), RV_OK);
	return store;
}

CONTRACT(transaction, busy_is_definite)
{
	struct rv_store *other = second_handle(f);
	struct rv_job_new job = JOB(.key = "k");
	struct rv_req *req = new_req(RV_REQ_ENQUEUE);
	struct rv_req *const reqs[] = {req};
	int64_t id = 0;

	req->u.enqueue = (struct rv_req_enqueue){.jobs = &job, .count = 1, .ret_ids = &id};
	if (other) {
		ERR(rv_store_begin(other, RV_DURABILITY_NORMAL, 0, &f->why), RV_OK);
		ERR(rv_store_begin(f->store, RV_DURABILITY_NORMAL, 0, &f->why), RV_E_BUSY);
		ERR(rv_store_do(f->store, reqs, 1, RV_DURABILITY_FULL, 20 * RV_MS_US, &f->why),
		    RV_E_BUSY);
		IS(req->err, RV_E_BUSY);
		IS(id, 0);
		IS(count_of(f, "default", RV_JOB_READY), 0); /* readers are not in its way */
		rv_store_rollback(other);
	}
	ERR(rv_store_do(f->store, reqs, 1, RV_DURABILITY_FULL, 0, &f->why), RV_OK);
	IS(req->err, RV_OK);
	STATE(id, "ready");
	rv_store_close(other);
	free(req);
}

CONTRACT(transaction, one_handle_sees_what_another_commits)
{
	struct rv_store *other = second_handle(f);
	struct rv_store *mine = f->store;
	struct rv_task_def task = {.name = "new", .queue = "fresh", .max_attempts = 1};
	struct rv_queue_def queue = {.name = "fresh", .strategy = RV_STRATEGY_FIFO};
	int64_t before = 0;
	int64_t after = 0;
	int64_t id;

	(void)add_task(f, "t"); /* both have looked at names and numbers before */
	f->store = other ? other : mine;
	(void)add_task(f, "t");
	ERR(rv_store_change(mine, &before), RV_OK);
	f->req.u.mirror =
		(struct rv_req_mirror){.tasks = &task, .ntasks = 1, .queues = &queue, .nqueues = 1};
	ERR(ask_kind(f, RV_REQ_MIRROR), RV_OK);
	ERR(rv_store_change(mine, &after), RV_OK);
	cr_assert(ne(i64, after, before));
	f->store = mine;
	id = add_task(f, "new");
	ERR(pause_queue(f, "fresh", 1), RV_OK);
	f->store = other ? other : mine;
	IS(turn(f, W1, 1, "fresh")->nclaimed, 0);
	ERR(pause_queue(f, "fresh", 0), RV_OK);
	f->store = mine;
	IS(turn(f, W1, 1, "fresh")->nclaimed, 1);
	IS(f->req.u.turn.claimed[0].job, id);
	rv_store_close(other);
}

Test(open, a_store_of_no_known_kind)
{
	struct rv_store_open how = {.backend = "clay"};
	struct rv_store *store = NULL;
	struct rv_why why = {""};

	cr_assert(eq(int, rv_store_open(&how, &store, &why), RV_E_CONF));
	cr_assert(store == NULL);
	cr_assert(strstr(why.text, "clay") != NULL);
	rv_store_close(NULL);
}
