/*
 * The memory backend: batches.  Counts where a member ends or is retried; looks at the end of each
 * request which batches are over, and enqueues what was to follow.
 */
#include "store/batch.h"
#include "store/memory_read.h"

#include "base/check.h"
#include "core/job.h"
#include "core/tolerance.h"

struct mem_batch *rv_memory_batch(struct mem_store *m, int64_t id)
{
	MEM_EACH(m, batches, b)
	if (b->id == id)
		return b;
	return NULL;
}

int rv_memory_batch_takes(struct mem_store *m, int64_t id, struct rv_why *why)
{
	const struct mem_batch *b = rv_memory_batch(m, id);

	if (id == 0)
		return RV_OK;
	if (!b)
		return rv_rules_no_batch(why, id);
	if (b->closed_us)
		return rv_rules_closed(why, id);
	return b->failed_us ? rv_tolerance_refuse(why, id, b->dead, b->total, b->allowed) : RV_OK;
}

static int64_t pending(const struct mem_batch *b)
{
	return b->total - b->succeeded - b->dead - b->cancelled;
}

static void look_whether_it_failed(struct mem_store *m, struct mem_batch *b)
{
	if (b->failed_us != 0 || !rv_tolerance_exceeded(b->allowed, b->dead))
		return;
	b->failed_us = m->wall_us;
	b->sweep = INT64_MAX;
	rv_store_note_ring(&m->base, RV_RING_SCHEDULED, "", 0);
}

void rv_memory_batch_count(struct mem_store *m, const struct mem_job *j, int by)
{
	struct mem_batch *b = rv_memory_batch(m, j->batch);

	if (!b || j->callback) /* of a batch that was forgotten: in none */
		return;
	if (j->final == RV_JOB_SUCCEEDED)
		b->succeeded += by;
	else if (j->final == RV_JOB_DEAD)
		b->dead += by;
	else
		b->cancelled += by;
	if (by < 0)
		b->ended_us = b->failed_us = b->sweep = 0;
	INV(pending(b) >= 0);
	if (by > 0 && j->final == RV_JOB_DEAD)
		look_whether_it_failed(m, b);
}

bool rv_memory_batch_failed(struct mem_store *m, struct mem_job *j)
{
	const struct mem_batch *b = rv_memory_batch(m, j->batch);
	char says[RV_TOLERANCE_SAYS_MAX];

	if (!b || j->callback || b->failed_us == 0)
		return false;
	rv_tolerance_says(says, b->dead, b->total, b->allowed);
	rv_memory_to_final(m, j, RV_JOB_CANCELLED, says);
	return true;
}

/* The newest job of ${b} that was not looked at and is not over; NULL: none. */
static struct mem_job *to_sweep(struct mem_store *m, const struct mem_batch *b)
{
	struct mem_job *newest = NULL;

	MEM_EACH(m, jobs, j)
	if (j->batch == b->id && !j->callback && j->id < b->sweep && j->place != MEM_DONE &&
	    (b->stops || j->place != MEM_LEASE || !j->started) && (!newest || j->id > newest->id))
		newest = j;
	return newest;
}

static uint32_t sweep_batch(struct mem_store *m, struct mem_batch *b, uint32_t limit)
{
	PRE(b->sweep != 0 && b->failed_us != 0);
	for (uint32_t done = 0; done < limit; done++) {
		struct mem_job *j = to_sweep(m, b);

		b->sweep = j ? j->id : 0;
		if (!j)
			return done;
		if (j->place == MEM_LEASE)
			j->cancel_requested = j->cancel_requested || b->stops || !j->started;
		else if (!rv_memory_batch_failed(m, j))
			IMPOSSIBLE("a batch is swept and has not failed");
	}
	return limit;
}

uint32_t rv_memory_sweep(struct mem_store *m, uint32_t limit)
{
	uint32_t done = 0;

	MEM_EACH(m, batches, b) /* in the order of their ids */
	if (b->sweep != 0 && done < limit)
		done += sweep_batch(m, b, limit - done);
	return done;
}

int rv_memory_batch_forget(struct mem_store *m, const struct mem_job *j, struct rv_why *why)
{
	struct mem_batch *b = rv_memory_batch(m, j->batch);

	if (!b || j->callback)
		return RV_OK;
	if (b->ended_us == 0)
		return rv_rules_member(why, j->id, b->id);
	b->forgotten++;
	if (b->forgotten == b->total)
		MEM_REMOVE(m, batches, (size_t)(b - m->now.batches.rows));
	return RV_OK;
}

static void end_batch(struct mem_store *m, struct mem_batch *b)
{
	b->ended_us = m->wall_us;
	b->sweep = 0;
	if (b->success_job == 0 && b->succeeded == b->total && rv_rules_said(b->on_success.task))
		b->success_job = rv_memory_call(m, b, &b->on_success);
	if (b->complete_job == 0 && rv_rules_said(b->on_complete.task))
		b->complete_job = rv_memory_call(m, b, &b->on_complete);
	rv_memory_ring_waiters(m, -b->id);
}

void rv_memory_end_batches(struct mem_store *m)
{
	MEM_EACH(m, batches, b) /* in the order of their ids */
	if (b->closed_us != 0 && b->ended_us == 0 && pending(b) == 0)
		end_batch(m, b);
}

static int known(struct mem_store *m, const struct rv_callback *callback, struct rv_why *why)
{
	const struct rv_task_def *task;

	return rv_rules_said(callback->task) ? rv_memory_task(m, callback->task, &task, why)
					     : RV_OK;
}

static struct rv_callback keep(struct mem_store *m, const struct rv_callback *callback)
{
	return (struct rv_callback){.task = rv_memory_keep(m, rv_rules_said(callback->task)),
				    .spec = rv_memory_keep(m, rv_rules_said(callback->spec))};
}

int rv_memory_do_new_batch(struct mem_store *m, struct rv_req_new_batch *req, struct rv_why *why)
{
	struct mem_batch *b;
	int err = rv_rules_batch(req, why);

	if (err == RV_OK)
		err = known(m, &req->on_success, why);
	if (err == RV_OK)
		err = known(m, &req->on_complete, why);
	if (err != RV_OK)
		return err;
	b = MEM_ADD(m, batches);
	b->id = ++m->now.batches_given;
	b->created_us = m->wall_us;
	b->name = rv_memory_keep(m, rv_rules_said(req->name));
	b->labels = rv_memory_keep(m, rv_rules_said(req->labels));
	b->on_success = keep(m, &req->on_success);
	b->on_complete = keep(m, &req->on_complete);
	b->uid = req->uid;
	b->parent = req->parent;
	b->allowed = b->percent = RV_TOLERANCE_OPEN;
	if (req->tolerance)
		b->allowed = rv_tolerance_allowed(req->tolerance, 0, false);
	if (req->tolerance && req->tolerance->kind == RV_TOLERATES_PERCENT)
		b->percent = req->tolerance->n;
	b->stops = req->stops;
	req->id = b->id;
	return RV_OK;
}

int rv_memory_do_close(struct mem_store *m, struct rv_req_close *req, struct rv_why *why)
{
	struct mem_batch *b = rv_memory_batch(m, req->batch);

	if (!b)
		return rv_rules_no_batch(why, req->batch);
	if (b->closed_us)
		return rv_rules_closed(why, req->batch);
	b->closed_us = m->wall_us;
	b->allowed = rv_tolerance_closed(b->allowed, b->percent, b->total);
	if (b->percent >= 0) /* only known now; a number was looked at with each that died */
		look_whether_it_failed(m, b);
	return RV_OK;
}

int rv_memory_do_drop_batch(struct mem_store *m, struct rv_req_drop_batch *req, struct rv_why *why)
{
	struct mem_batch *b = rv_memory_batch(m, req->batch);
	int err;

	if (!b)
		return rv_rules_no_batch(why, req->batch);
	err = rv_rules_batch_over(why, b->id, b->closed_us != 0, pending(b));
	if (err != RV_OK)
		return err;
	MEM_REMOVE(m, batches, (size_t)(b - m->now.batches.rows));
	return RV_OK;
}

static void view(const struct mem_batch *b, struct rv_batch_view *v)
{
	*v = (struct rv_batch_view){.id = b->id,
				    .name = b->name,
				    .labels = b->labels,
				    .uid = b->uid,
				    .created_us = b->created_us,
				    .closed_us = b->closed_us,
				    .ended_us = b->ended_us,
				    .total = b->total,
				    .pending = pending(b),
				    .succeeded = b->succeeded,
				    .dead = b->dead,
				    .cancelled = b->cancelled,
				    .forgotten = b->forgotten,
				    .on_success = b->on_success,
				    .on_complete = b->on_complete,
				    .success_job = b->success_job,
				    .complete_job = b->complete_job,
				    .parent = b->parent,
				    .allowed = b->allowed,
				    .percent = b->percent,
				    .stops = b->stops,
				    .failed_us = b->failed_us};
}

int rv_memory_read_batch(struct rv_store *store, int64_t id, struct rv_batch_view *ret_view)
{
	const struct mem_batch *b = rv_memory_batch(MEM_OF(store), id);

	if (!b)
		return RV_E_NOTFOUND;
	view(b, ret_view);
	return RV_OK;
}

int rv_memory_read_batches(struct rv_store *store, int64_t before, int64_t limit,
			   int (*each)(void *ctx, const struct rv_batch_view *view), void *ctx)
{
	struct mem_store *m = MEM_OF(store);
	int64_t given = 0;

	for (size_t i = m->now.batches.n; i-- > 0;) {
		const struct mem_batch *b = &m->now.batches.rows[i];
		struct rv_batch_view v;
		int err;

		if (before > 0 && b->id >= before)
			continue;
		if (limit > 0 && given++ == limit)
			return RV_OK;
		view(b, &v);
		err = each(ctx, &v);
		if (err != RV_OK)
			return err;
	}
	return RV_OK;
}
