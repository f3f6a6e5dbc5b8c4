/* Jobs that jobs have submitted: whose they are, and a worker that runs nothing else. */
#include "fixture.h"

#include "core/job.h"

static int64_t children[8];
static size_t nchildren;

static int keep(void *ctx, int64_t child)
{
	(void)ctx;
	cr_assert(lt(sz, nchildren, RV_ARRAY_LEN(children)));
	children[nchildren++] = child;
	return RV_OK;
}

static size_t children_of(struct fixture *f, int64_t id)
{
	nchildren = 0;
	cr_assert(eq(int, rv_store_children(f->store, id, keep, NULL), RV_OK));
	return nchildren;
}

/* What a worker gets that runs children only. */
static struct rv_req_turn *nested(struct fixture *f, uint64_t who, uint32_t want, const char *queue)
{
	struct rv_req *req = &f->req;

	memset(req, 0, sizeof *req);
	req->kind = RV_REQ_TURN;
	req->u.turn.incarnation = who;
	req->u.turn.want = want;
	req->u.turn.children = 1;
	req->u.turn.nqueues = 1;
	(void)snprintf(req->u.turn.queues[0], RV_NAME_MAX, "%s", queue);
	ERR(ask_kind(f, RV_REQ_TURN), RV_OK);
	return &f->req.u.turn;
}

CONTRACT(child, has_a_parent)
{
	int64_t parent = add_task(f, "t");
	int64_t child = add(f, JOB(.parent = parent));
	int64_t other = add_task(f, "t");
	int64_t second = add(f, JOB(.parent = parent, .run_at_us = f->wall_us + S(9)));

	IS(see(f, parent)->parent, 0);
	IS(see(f, child)->parent, parent);
	IS(see(f, other)->parent, 0);
	IS(children_of(f, parent), 2);
	IS(children[0], child);
	IS(children[1], second);
	IS(children_of(f, child), 0);
	IS(children_of(f, 999), 0);
}

CONTRACT(child, of_nobody_is_refused)
{
	int64_t id;

	ERR(try_add(f, JOB(.parent = 77), &id), RV_E_NOTFOUND);
	HAS(f->why.text, "no job 77 to be a child of");
	ERR(try_add(f, JOB(.parent = -1), &id), RV_E_NOTFOUND);
}

/* Else a tree could not be cancelled while it grows. */
CONTRACT(child, of_a_cancelled_one_is_refused)
{
	int64_t parent = add_task(f, "t");
	int64_t waits = add_task(f, "t");
	int64_t fence = claim(f, W1, parent);
	int64_t id;

	ERR(try_add(f, JOB(.parent = parent), &id), RV_OK);
	ERR(cancel(f, parent), RV_OK);
	ERR(try_add(f, JOB(.parent = parent), &id), RV_E_CONFLICT);
	HAS(f->why.text, "is cancelled: it can have no more children");
	ERR(ack(f, W1, parent, fence, RV_OUTCOME_CANCELLED), RV_OK);
	ERR(try_add(f, JOB(.parent = parent), &id), RV_E_CONFLICT);
	ERR(cancel(f, waits), RV_OK);
	ERR(try_add(f, JOB(.parent = waits), &id), RV_E_CONFLICT);
	ERR(retry(f, waits), RV_OK);
	ERR(try_add(f, JOB(.parent = waits), &id), RV_OK);
}

CONTRACT(child, one_that_has_ended_may_have_more)
{
	int64_t parent = add_task(f, "t");
	int64_t id;

	run(f, parent, RV_OUTCOME_SUCCEEDED);
	ERR(try_add(f, JOB(.parent = parent), &id), RV_OK);
}

CONTRACT(child, a_nested_worker_takes_the_newest_child_and_nothing_else)
{
	int64_t parent = add_task(f, "t");
	int64_t first = add(f, JOB(.parent = parent));
	int64_t second = add(f, JOB(.parent = parent));
	int64_t grandchild;
	struct rv_req_turn *t;

	(void)claim(f, W1, parent);
	t = nested(f, W2, 1, "default");
	IS(t->nclaimed, 1);
	IS(t->claimed[0].job, second);
	grandchild = add(f, JOB(.parent = second));
	(void)add_task(f, "t");
	t = nested(f, W2, 8, "default");
	IS(t->nclaimed, 2);
	IS(t->claimed[0].job, grandchild);
	IS(t->claimed[1].job, first);
	t = nested(f, W2, 8, "default");
	IS(t->nclaimed, 0);
	IS(t->more, 1);
	IS(nested(f, W2, 8, "bulk")->nclaimed, 0);
	IS(turn(f, W1, 1, "default")->nclaimed, 1);
}

/* Whichever way it went and came back. */
CONTRACT(child, remains_one)
{
	int64_t parent = add_task(f, "t");
	int64_t child =
		add(f, JOB(.parent = parent, .run_at_us = f->wall_us + S(5), .max_attempts = 3));
	int64_t fence;
	struct rv_req_turn *t;

	(void)claim(f, W1, parent);
	tick(f, S(6));
	(void)promote(f, 10);
	t = nested(f, W2, 1, "default");
	IS(t->nclaimed, 1);
	fence = t->claimed[0].fence;
	ERR(ack(f, W2, child, fence, RV_OUTCOME_INTERRUPTED), RV_OK);
	t = nested(f, W2, 1, "default");
	IS(t->nclaimed, 1);
	fence = t->claimed[0].fence;
	ERR(ack(f, W2, child, fence, RV_OUTCOME_FATAL), RV_OK);
	STATE(child, "dead");
	ERR(retry(f, child), RV_OK);
	t = nested(f, W2, 1, "default");
	IS(t->nclaimed, 1);
	IS(t->claimed[0].job, child);
}

/* A worker of any kind takes children as well. */
CONTRACT(child, is_a_job_like_others)
{
	int64_t parent = add_task(f, "t");
	int64_t child = add(f, JOB(.parent = parent));

	(void)claim(f, W1, parent);
	(void)claim(f, W2, child);
	IS(nested(f, W2, 1, "default")->nclaimed, 0);
}

CONTRACT(child, the_callbacks_of_a_batch_are_its_makers)
{
	int64_t parent = add_task(f, "t");
	int64_t batch;
	int64_t member;
	struct rv_batch_view view;

	memset(&f->req, 0, sizeof f->req);
	f->req.u.new_batch.parent = parent;
	f->req.u.new_batch.on_success.task = "t";
	f->req.u.new_batch.on_complete.task = "t";
	ERR(ask_kind(f, RV_REQ_NEW_BATCH), RV_OK);
	batch = f->req.u.new_batch.id;
	member = add(f, JOB(.parent = parent, .batch = batch));
	memset(&f->req, 0, sizeof f->req);
	f->req.u.close.batch = batch;
	ERR(ask_kind(f, RV_REQ_CLOSE), RV_OK);
	(void)claim(f, W1, parent);
	run(f, member, RV_OUTCOME_SUCCEEDED);
	cr_assert(eq(int, rv_store_batch(f->store, batch, &view), RV_OK));
	IS(view.parent, parent);
	IS(see(f, view.success_job)->parent, parent);
	IS(see(f, view.complete_job)->parent, parent);
	IS(children_of(f, parent), 3);
}
