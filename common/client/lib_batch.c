/*
 * libreeve: batches.  Runs in programs of other people; must never sleep with the handle's lock
 * held.
 */
#include "client/lib.h"

#include "base/check.h"
#include "base/seam.h"
#include "client/nest.h"
#include "client/submit.h"
#include "client/waiter.h"
#include "core/tolerance.h"
#include "store/batch.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The task of ${callback} and its arguments. */
static int take_callback(struct rv_newjob *new, const char *task, const char *const *pairs,
			 struct rv_callback *ret_callback)
{
	RV_AUTO(rv_json_free) json_t *line = json_object();
	int err = line ? RV_OK : RV_E_NOMEM;

	if (!task && pairs)
		return rv_fail(new->why, RV_E_USAGE, "a batch: arguments without their task");
	if (err || !task)
		return err;
	memset(&new->job, 0, sizeof(new->job));
	new->job.task = task;
	err = rv_lib_pairs(new, line, "args", pairs);
	if (!err)
		err = rv_newjob_task_spec(new, json_object_get(line, "args"));
	if (!err)
		*ret_callback = (struct rv_callback){.task = task, .spec = new->job.spec};
	return err;
}

static int take_labels(struct rv_newjob *new, const char *const *labels, const char **ret_labels)
{
	RV_AUTO(rv_json_free) json_t *line = json_object();
	size_t size;
	int err = line ? RV_OK : RV_E_NOMEM;

	*ret_labels = NULL;
	for (size_t i = 0; !err && labels && labels[i]; i++)
		err = rv_newjob_label(new, "labels", labels[i]);
	if (!err)
		err = rv_lib_texts(new, line, "labels", labels);
	if (err || !labels)
		return err;
	return rv_newjob_keep(new, json_object_get(line, "labels"), ret_labels, &size);
}

static int make_batch(struct reeve *reeve, const struct reeve_batch_new *from,
		      struct rv_arena *arena, struct rv_req_new_batch *batch)
{
	struct rv_newjob new = {.conf = reeve->client.conf,
				.store_path = reeve->client.store_path,
				.why = &reeve->why,
				.arena = arena};
	int err = take_labels(&new, from->labels, &batch->labels);

	batch->stops = from->cancel_running != 0;
	batch->name = from->name;
	batch->uid = getuid();
	if (!err)
		err = take_callback(&new, from->on_success, from->on_success_args,
				    &batch->on_success);
	return err ? err
		   : take_callback(&new, from->on_complete, from->on_complete_args,
				   &batch->on_complete);
}

/* ${tolerance} is what ${batch} borrows. */
static int take_tolerance(struct reeve *reeve, const char *text, struct rv_tolerance *tolerance,
			  struct rv_req_new_batch *batch)
{
	if (!text)
		return RV_OK;
	batch->tolerance = tolerance;
	if (rv_tolerance_parse(text, tolerance) == RV_OK)
		return RV_OK;
	return rv_fail(&reeve->why, RV_E_USAGE,
		       "max_failures %.40s: not a number of jobs, or a percentage", text);
}

int reeve_batch_new(struct reeve *reeve, const struct reeve_batch_new *batch, int64_t *ret_batch)
{
	struct rv_tolerance tolerance;
	struct rv_arena arena;
	struct rv_req *req;
	int err;

	if (!batch || !ret_batch || batch->size != sizeof(*batch))
		return rv_lib_say(reeve, RV_E_USAGE, "reeve_batch_new: %s",
				  batch && ret_batch
					  ? "the size of struct reeve_batch_new is not set"
					  : "batch or ret_batch is NULL");
	err = rv_lib_enter(reeve, RV_CLIENT_CREATE);
	if (err)
		return err;
	rv_arena_init(&arena);
	req = calloc(1, sizeof(*req));
	err = req ? make_batch(reeve, batch, &arena, &req->u.new_batch) : RV_E_NOMEM;
	if (!err)
		err = take_tolerance(reeve, batch->max_failures, &tolerance, &req->u.new_batch);
	if (!err) {
		req->kind = RV_REQ_NEW_BATCH;
		req->u.new_batch.parent = rv_nest_job(&reeve->client);
		err = rv_submit_one(&reeve->client, req, &reeve->why);
	}
	if (!err)
		*ret_batch = req->u.new_batch.id;
	free(req);
	rv_arena_reset(&arena);
	return rv_lib_leave(reeve, err);
}

int reeve_batch_close(struct reeve *reeve, int64_t batch)
{
	int err = rv_lib_enter(reeve, RV_CLIENT_WRITE);
	struct rv_req *req;

	if (err)
		return err;
	req = calloc(1, sizeof(*req));
	if (!req)
		return rv_lib_leave(reeve, RV_E_NOMEM);
	req->kind = RV_REQ_CLOSE;
	req->u.close.batch = batch;
	err = rv_submit_one(&reeve->client, req, &reeve->why);
	free(req);
	return rv_lib_leave(reeve, err);
}

/* In a turn of ours. */
static int look(struct reeve *reeve, int64_t batch, struct rv_batch_view *ret_view)
{
	int err = rv_store_batch(reeve->client.store, batch, ret_view);

	return err == RV_E_NOTFOUND
		       ? rv_fail(&reeve->why, err, "no such batch %lld", (long long)batch)
		       : err;
}

int reeve_batch_get(struct reeve *reeve, int64_t batch, const struct reeve_batch **ret_batch)
{
	struct rv_batch_view view;
	struct rv_arena *arena;
	struct reeve_batch *given;
	int err;

	if (!ret_batch)
		return rv_lib_say(reeve, RV_E_USAGE, "reeve_batch_get: ret_batch is NULL");
	err = rv_lib_enter(reeve, RV_CLIENT_READ);
	if (err)
		return err;
	err = look(reeve, batch, &view);
	if (err)
		return rv_lib_leave(reeve, err);
	given = rv_lib_give(sizeof(*given), &arena);
	if (!given)
		return rv_lib_leave(reeve, RV_E_NOMEM);
	*given = (struct reeve_batch){.id = view.id,
				      .created_at_us = view.created_us,
				      .closed_at_us = view.closed_us,
				      .ended_at_us = view.ended_us,
				      .total = view.total,
				      .pending = view.pending,
				      .succeeded = view.succeeded,
				      .dead = view.dead,
				      .cancelled = view.cancelled,
				      .success_job = view.success_job,
				      .complete_job = view.complete_job,
				      .failed_at_us = view.failed_us};
	err = rv_lib_copy(arena, view.name, &given->name);
	if (!err)
		err = rv_lib_copy(arena, view.labels, &given->labels);
	if (err)
		reeve_free(given);
	else
		*ret_batch = given;
	return rv_lib_leave(reeve, err);
}

/* One turn: whether it has ended, and if not, that we are rung when it does. */
static int turn(struct reeve *reeve, struct rv_waiter *waiter, int64_t batch, uint64_t forgotten,
		bool *ret_ended)
{
	int64_t bell = -batch; /* RV_REQ_WAITER */
	struct rv_batch_view view;
	int err = rv_lib_enter(reeve, RV_CLIENT_WRITE);

	if (err == RV_E_DENIED) /* who may only read waits without a bell */
		err = rv_lib_enter(reeve, RV_CLIENT_READ);
	if (err)
		return err;
	if (forgotten != reeve->forgotten)
		return rv_lib_leave(reeve, rv_fail(&reeve->why, RV_E_REPLACED,
						   "the store was removed or replaced while we "
						   "waited"));
	err = look(reeve, batch, &view);
	if (!err && view.ended_us == 0) {
		err = rv_waiter_watch(waiter, &reeve->client, &bell, 1, &reeve->why);
		if (!err)
			err = look(reeve, batch, &view);
	}
	*ret_ended = !err && view.ended_us != 0;
	if (*ret_ended)
		rv_waiter_done(waiter);
	return rv_lib_leave(reeve, err);
}

int reeve_batch_wait(struct reeve *reeve, int64_t batch, int64_t timeout_us)
{
	struct rv_waiter waiter = {.fd = -1};
	int64_t deadline_us = INT64_MAX;
	uint64_t forgotten;
	bool ended = false;
	int err = rv_lib_enter(reeve, RV_CLIENT_READ);

	if (err)
		return err;
	forgotten = reeve->forgotten;
	rv_waiter_init(&waiter, &reeve->client);
	err = rv_lib_leave(reeve, RV_OK);
	if (timeout_us >= 0 && __builtin_add_overflow(rv_mono_us(), timeout_us, &deadline_us))
		deadline_us = INT64_MAX;
	while (!err && (err = turn(reeve, &waiter, batch, forgotten, &ended)) == RV_OK && !ended) {
		int64_t left_us =
			deadline_us == INT64_MAX ? RV_WAITER_LOOK_US : deadline_us - rv_mono_us();

		if (left_us <= 0)
			err = rv_lib_say(reeve, RV_E_TIMEOUT, "batch %lld has not ended",
					 (long long)batch);
		else
			rv_waiter_sleep(&waiter, NULL, 0, left_us);
	}
	(void)pthread_mutex_lock(&reeve->lock);
	rv_waiter_fini(&waiter, &reeve->client);
	(void)pthread_mutex_unlock(&reeve->lock);
	return err;
}
