/*
 * The store's front: finds the backend, keeps the caller's order and the rings, and calls through.
 * Every process that opens a store.  Knows no backend but by its row in store.def.
 */
#include "store/backend.h"
#include "store/backup.h"
#include "store/batch.h"
#include "store/events.h"
#include "store/schedule.h"
#include "store/stats.h"

#include "base/check.h"
#include "base/seam.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct rv_store_ops *const backends[] = {
#define STORE(name, doc) &rv_store_##name##_ops,
#include "store/store.def"
#undef STORE
};

static const struct rv_store_ops *backend_of(const char *name)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(backends); i++) {
		if (strcmp(backends[i]->name, name) == 0)
			return backends[i];
	}
	return NULL;
}

int rv_store_open(const struct rv_store_open *how, struct rv_store **ret_store, struct rv_why *why)
{
	const struct rv_store_ops *ops;
	struct rv_store *store = NULL;
	struct rv_ring *rings;
	int err;

	PRE(how->backend);
	ops = backend_of(how->backend);
	if (!ops)
		return rv_fail(why, RV_E_CONF, "no store is called \"%s\"", how->backend);
	rings = calloc(RV_RINGS_MAX, sizeof *rings);
	if (!rings)
		return rv_fail(why, RV_E_NOMEM, "no memory for a store");
	err = ops->open(how, &store, why);
	if (err != RV_OK) {
		free(rings);
		return err;
	}
	POST(store);
	store->ops = ops;
	store->in_transaction = false;
	store->dead = false;
	store->rings = rings;
	store->nrings = 0;
	store->held = (struct rv_held){0};
	*ret_store = store;
	return RV_OK;
}

void rv_store_close(struct rv_store *store)
{
	if (!store)
		return;
	if (store->in_transaction)
		rv_store_rollback(store);
	free(store->rings);
	store->rings = NULL;
	store->nrings = 0;
	store->ops->close(store);
}

int rv_store_begin(struct rv_store *store, enum rv_durability durability, int64_t timeout_us,
		   struct rv_why *why)
{
	int err;

	PRE(!store->in_transaction);
	if (store->dead)
		return rv_fail(why, RV_E_UNKNOWN, "a commit's outcome is not known");
	store->nrings = 0;
	err = store->ops->begin(store, durability, timeout_us, why);
	store->in_transaction = err == RV_OK;
	store->locked_us = rv_mono_us();
	store->durability = durability;
	return err;
}

/* The transaction is over without a commit: nobody is to be woken. */
static void ended(struct rv_store *store)
{
	store->in_transaction = false;
	store->nrings = 0;
}

int rv_store_execute(struct rv_store *store, struct rv_req *req)
{
	size_t rings = store->nrings;
	int err;

	PRE(store->in_transaction);
	req->err = RV_OK;
	req->why.text[0] = '\0';
	if (req->kind <= RV_REQ_NONE || req->kind >= RV_REQ_KINDS) {
		req->err = rv_fail(&req->why, RV_E_USAGE, "no request has the kind %d", req->kind);
		return RV_OK;
	}
	err = store->ops->execute(store, req);
	if (err != RV_OK)
		ended(store);
	else if (req->err != RV_OK)
		store->nrings = rings;
	return err;
}

int rv_store_commit(struct rv_store *store, struct rv_why *why)
{
	int64_t worked_us = rv_mono_us() - store->locked_us;
	int err;

	PRE(store->in_transaction);
	err = store->ops->commit(store, why);
	if (err != RV_OK)
		ended(store);
	store->held.held_us = rv_mono_us() - store->locked_us;
	store->held.worked_us =
		store->durability == RV_DURABILITY_FULL ? worked_us : store->held.held_us;
	if (err == RV_E_UNKNOWN)
		store->dead = true;
	store->in_transaction = false;
	return err;
}

struct rv_held rv_store_held(const struct rv_store *store)
{
	PRE(!store->in_transaction);
	return store->held;
}

void rv_store_rollback(struct rv_store *store)
{
	PRE(store->in_transaction);
	store->ops->rollback(store);
	ended(store);
}

int rv_store_round_get(struct rv_store *store, uint64_t area, uint64_t *ret_n)
{
	PRE(ret_n);
	PRE(store->in_transaction);
	return store->ops->round_get(store, area, ret_n);
}

int rv_store_round_set(struct rv_store *store, uint64_t area, uint64_t n)
{
	PRE(store->in_transaction);
	return store->ops->round_set(store, area, n);
}

size_t rv_store_rings(struct rv_store *store, const struct rv_ring **ret_rings)
{
	PRE(!store->in_transaction);
	*ret_rings = store->rings;
	return store->nrings;
}

/* One answer for everybody: the transaction did not happen, or nobody knows. */
static int answer_all(struct rv_req *const *reqs, size_t count, int err, const struct rv_why *why)
{
	for (size_t i = 0; i < count; i++) {
		reqs[i]->err = err;
		if (why)
			reqs[i]->why = *why;
		else
			reqs[i]->why.text[0] = '\0';
	}
	return err;
}

int rv_store_do(struct rv_store *store, struct rv_req *const *reqs, size_t count,
		enum rv_durability durability, int64_t timeout_us, struct rv_why *why)
{
	int err = rv_store_begin(store, durability, timeout_us, why);

	PRE(reqs || count == 0);
	if (err != RV_OK)
		return answer_all(reqs, count, err, why);
	for (size_t i = 0; i < count; i++) {
		err = rv_store_execute(store, reqs[i]);
		if (err != RV_OK) {
			(void)rv_fail(why, err, "%s", rv_why_text(&reqs[i]->why, err));
			return answer_all(reqs, count, err, why);
		}
	}
	err = rv_store_commit(store, why);
	return err == RV_OK ? RV_OK : answer_all(reqs, count, err, why);
}

void rv_store_note_ring(struct rv_store *store, int kind, const char *name, int64_t job)
{
	struct rv_ring *ring;

	INV(store->nrings <= RV_RINGS_MAX);
	PRE(store->rings);
	for (size_t i = 0; i < store->nrings; i++) {
		ring = &store->rings[i];
		if ((int)ring->kind == kind && ring->job == job && strcmp(ring->name, name) == 0)
			return;
	}
	if (store->nrings == RV_RINGS_MAX) { /* a ring is a hint: "look at all" covers the rest */
		ring = &store->rings[RV_RINGS_MAX - 1];
		*ring = (struct rv_ring){.kind = RV_RING_QUEUE};
		return;
	}
	ring = &store->rings[store->nrings++];
	*ring = (struct rv_ring){.job = job};
	ring->kind = (__typeof__(ring->kind))kind;
	(void)snprintf(ring->name, sizeof ring->name, "%s", name);
}

int rv_store_checkpoint(struct rv_store *store, int64_t threshold, int64_t *ret_log_bytes)
{
	int64_t ignored;

	PRE(!store->in_transaction);
	return store->ops->checkpoint(store, threshold, ret_log_bytes ? ret_log_bytes : &ignored);
}

int rv_store_backup(struct rv_store *store, const char *path, rv_backup_told_fn *told, void *ctx,
		    struct rv_why *why)
{
	PRE(!store->in_transaction);
	return store->ops->backup(store, path, told, ctx, why);
}

int rv_store_restore(const struct rv_store_restore *how, struct rv_restored *ret_restored,
		     struct rv_why *why)
{
	const struct rv_store_ops *ops = backend_of(how->backend);

	if (!ops)
		return rv_fail(why, RV_E_CONF, "no store is called \"%s\"", how->backend);
	return ops->restore(how, ret_restored, why);
}

int rv_store_same_file(struct rv_store *store)
{
	return store->ops->same_file(store);
}

void rv_store_warnings(struct rv_store *store, void (*each)(void *ctx, const char *text), void *ctx)
{
	PRE(each);
	store->ops->warnings(store, each, ctx);
}

int rv_store_writer_pid(struct rv_store *store, int64_t *ret_pid)
{
	PRE(ret_pid);
	return store->ops->writer_pid(store, ret_pid);
}

int rv_store_change(struct rv_store *store, int64_t *ret_value)
{
	PRE(ret_value);
	return store->ops->change(store, ret_value);
}

int rv_store_check(struct rv_store *store, bool full,
		   void (*broken)(void *ctx, const char *rule, const char *what), void *ctx)
{
	PRE(broken);
	return store->ops->check(store, full, broken, ctx);
}

int rv_store_job(struct rv_store *store, int64_t id, struct rv_job_view *ret_view)
{
	PRE(ret_view);
	return store->ops->job(store, id, ret_view);
}

int rv_store_payload(struct rv_store *store, int64_t id,
		     int (*sink)(void *ctx, const void *data, size_t size), void *ctx)
{
	PRE(sink);
	return store->ops->payload(store, id, sink, ctx);
}

int rv_store_told(struct rv_store *store, int64_t id, struct rv_told *ret_told)
{
	PRE(ret_told);
	return store->ops->told(store, id, ret_told);
}

int rv_store_jobs(struct rv_store *store, const struct rv_job_filter *filter,
		  int (*each)(void *ctx, const struct rv_job_view *view), void *ctx)
{
	PRE(filter && each);
	return store->ops->jobs(store, filter, each, ctx);
}

int rv_store_attempts(struct rv_store *store, int64_t id,
		      int (*each)(void *ctx, const struct rv_attempt_view *view), void *ctx)
{
	PRE(each);
	return store->ops->attempts(store, id, each, ctx);
}

int rv_store_queues(struct rv_store *store,
		    int (*each)(void *ctx, const struct rv_queue_view *view), void *ctx)
{
	PRE(each);
	return store->ops->queues(store, each, ctx);
}

int rv_store_tasks(struct rv_store *store, int (*each)(void *ctx, const struct rv_task_def *task),
		   void *ctx)
{
	PRE(each);
	return store->ops->tasks(store, each, ctx);
}

int rv_store_workers(struct rv_store *store,
		     int (*each)(void *ctx, const struct rv_worker_view *view), void *ctx)
{
	PRE(each);
	return store->ops->workers(store, each, ctx);
}

int rv_store_parents(struct rv_store *store, int64_t id,
		     int (*each)(void *ctx, int64_t parent, enum rv_job_state state,
				 enum rv_after on),
		     void *ctx)
{
	PRE(each);
	return store->ops->parents(store, id, each, ctx);
}

int rv_store_children(struct rv_store *store, int64_t id, int (*each)(void *ctx, int64_t child),
		      void *ctx)
{
	PRE(each);
	return store->ops->children(store, id, each, ctx);
}

int rv_store_batch(struct rv_store *store, int64_t id, struct rv_batch_view *ret_view)
{
	PRE(ret_view);
	return store->ops->batch(store, id, ret_view);
}

int rv_store_batches(struct rv_store *store, int64_t before, int64_t limit,
		     int (*each)(void *ctx, const struct rv_batch_view *view), void *ctx)
{
	PRE(each);
	return store->ops->batches(store, before, limit, each, ctx);
}

int rv_store_gates(struct rv_store *store, int (*each)(void *ctx, const struct rv_gate_view *view),
		   void *ctx)
{
	PRE(each);
	return store->ops->gates(store, each, ctx);
}

int rv_store_holds(struct rv_store *store,
		   int (*each)(void *ctx, int64_t job, const char *gate, int64_t n), void *ctx)
{
	PRE(each);
	return store->ops->holds(store, each, ctx);
}

/* The one view that was asked for. */
struct one_schedule {
	struct rv_schedule_view *view;
	bool found;
};

static int take_schedule(void *ctx, const struct rv_schedule_view *view)
{
	struct one_schedule *one = ctx;

	INV(!one->found);
	*one->view = *view;
	one->found = true;
	return RV_OK;
}

static int read_schedule(struct rv_store *store, enum rv_schedules_of of, const char *name,
			 struct rv_schedule_view *ret_view)
{
	struct one_schedule one = {.view = ret_view};
	int err = store->ops->schedules(store, of, name, take_schedule, &one);

	return err == RV_OK && !one.found ? RV_E_NOTFOUND : err;
}

int rv_store_schedule(struct rv_store *store, const char *name, struct rv_schedule_view *ret_view)
{
	PRE(name && ret_view);
	return read_schedule(store, RV_SCHEDULES_NAMED, name, ret_view);
}

int rv_store_schedule_due(struct rv_store *store, struct rv_schedule_view *ret_view)
{
	PRE(ret_view);
	return read_schedule(store, RV_SCHEDULES_DUE, "", ret_view);
}

int rv_store_schedules(struct rv_store *store,
		       int (*each)(void *ctx, const struct rv_schedule_view *view), void *ctx)
{
	PRE(each);
	return store->ops->schedules(store, RV_SCHEDULES_ALL, "", each, ctx);
}

int rv_store_firings(struct rv_store *store, const char *schedule, int64_t limit,
		     int (*each)(void *ctx, const struct rv_firing_view *view), void *ctx)
{
	PRE(schedule && each);
	return store->ops->firings(store, schedule, limit, each, ctx);
}

int rv_store_cancel_wanted(struct rv_store *store, int64_t id, int64_t fence, bool *ret_wanted)
{
	PRE(ret_wanted);
	return store->ops->cancel_wanted(store, id, fence, ret_wanted);
}

int rv_store_cancels(struct rv_store *store,
		     int (*each)(void *ctx, int64_t job, int64_t fence, int slot), void *ctx)
{
	PRE(each);
	return store->ops->cancels(store, each, ctx);
}

int rv_store_events(struct rv_store *store, int64_t after, int64_t limit,
		    int (*each)(void *ctx, const struct rv_event_view *view), void *ctx)
{
	PRE(each && limit > 0);
	return store->ops->events(store, after, limit, each, ctx);
}

int rv_store_events_last(struct rv_store *store, int64_t *ret_seq)
{
	PRE(ret_seq);
	return store->ops->events_last(store, ret_seq);
}

int rv_store_followers(struct rv_store *store, int (*each)(void *ctx, const char *path), void *ctx)
{
	PRE(each);
	return store->ops->followers(store, each, ctx);
}

int rv_store_totals(struct rv_store *store, struct rv_store_totals *ret_totals)
{
	PRE(ret_totals);
	return store->ops->totals(store, ret_totals);
}

int rv_store_instance(struct rv_store *store, struct rv_instance *ret_instance)
{
	PRE(ret_instance);
	return store->ops->instance(store, ret_instance);
}

int rv_store_stats(struct rv_store *store, int (*each)(void *ctx, const char *name, int64_t value),
		   void *ctx)
{
	PRE(each);
	return store->ops->stats(store, each, ctx);
}

int rv_store_statistics(struct rv_store *store, enum rv_stats_of of, const char *name,
			int (*each)(void *ctx, const struct rv_stats_view *view), void *ctx)
{
	PRE(each && !store->in_transaction);
	return store->ops->statistics(store, (int)of, name, each, ctx);
}

int rv_store_sql(struct rv_store *store, const char *sql,
		 int (*row)(void *ctx, int n, const char *const *names, const char *const *values),
		 void *ctx, struct rv_why *why)
{
	PRE(sql && row);
	return store->ops->sql(store, sql, row, ctx, why);
}
