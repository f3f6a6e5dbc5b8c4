/*
 * The memory backend: reading.  A view shows what stands in the rows at that moment and changes
 * nothing.
 */
#include "store/events.h"
#include "store/memory_read.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define PIECE 65536 /* bytes handed to a payload's sink at once */

static void view_lease(struct mem_store *m, const struct mem_job *j, struct rv_job_view *v)
{
	const struct mem_worker *w;

	v->slot = -1;
	if (j->place != MEM_LEASE)
		return;
	w = rv_memory_worker(m, j->incarnation);
	INV(w && w->live);
	v->fence = j->fence;
	v->incarnation = j->incarnation;
	v->slot = w->slot;
	v->cancel_requested = j->cancel_requested;
	v->prefetched = !j->started;
}

/* What the last run left: for a job that has none, absent values. */
static void view_last_run(struct mem_store *m, const struct mem_job *j, struct rv_job_view *v)
{
	const struct mem_attempt *a = rv_memory_last_attempt(m, j->id);

	v->error = j->place == MEM_DONE ? j->error : NULL;
	v->exit_code = -1;
	if (!a)
		return;
	v->started_us = a->started_us;
	v->worker = a->worker;
	v->exit_code = a->exit_code;
	v->signo = a->signo;
	if (j->place != MEM_DONE)
		v->error = a->error;
}

static void view(struct mem_store *m, const struct mem_job *j, struct rv_job_view *v)
{
	memset(v, 0, sizeof *v);
	v->id = j->id;
	v->task = j->task;
	v->queue = m->now.queues.rows[j->queue].name;
	v->spec = j->spec;
	v->unique_key = j->unique_key;
	v->idem_key = j->idem_key;
	v->key = j->key;
	v->labels = j->labels;
	v->meta = j->meta;
	v->takes = j->takes;
	v->until_us = j->until_us;
	v->gate = j->gate;
	v->state = rv_memory_shown(j);
	v->held = j->held;
	v->batch = j->batch;
	v->parent = j->parent;
	v->callback = j->callback;
	v->priority = j->priority;
	v->weight = j->weight;
	v->deadline_us = j->deadline_us;
	v->attempt = j->attempts + (v->state == RV_JOB_RUNNING);
	v->max_attempts = j->max_attempts + j->granted;
	v->crashes = j->crashes;
	v->max_crashes = j->max_crashes;
	v->runs = j->runs;
	v->run_at_us = j->place == MEM_SCHEDULED ? j->due_us : j->asked_us;
	v->created_us = j->created_us;
	v->finished_us = j->finished_us;
	v->expires_us = j->expires_us;
	v->timeout_us = j->timeout_us;
	v->uid = j->uid;
	v->payload_size = (size_t)j->payload_size;
	v->sum = j->sum;
	MEM_EACH(m, deps, dep)
	v->parent_left += dep->child == j->id;
	view_lease(m, j, v);
	view_last_run(m, j, v);
}

int rv_memory_read_job(struct rv_store *store, int64_t id, struct rv_job_view *ret_view)
{
	struct mem_store *m = MEM_OF(store);
	struct mem_job *j = rv_memory_job(m, id);

	if (!j)
		return RV_E_NOTFOUND;
	view(m, j, ret_view);
	return RV_OK;
}

int rv_memory_read_payload(struct rv_store *store, int64_t id,
			   int (*sink)(void *ctx, const void *data, size_t size), void *ctx)
{
	struct mem_store *m = MEM_OF(store);
	struct mem_job *j = rv_memory_job(m, id);
	size_t size;
	int err = RV_OK;

	if (!j)
		return RV_E_NOTFOUND;
	size = (size_t)j->payload_size;
	for (size_t at = 0; at < size && err == RV_OK; at += PIECE) {
		size_t piece = size - at < PIECE ? size - at : PIECE;

		err = sink(ctx, (const char *)j->payload + at, piece);
	}
	return err;
}

static bool wanted(struct mem_store *m, const struct mem_job *j, const struct rv_job_filter *f)
{
	unsigned states = rv_rules_states(f);

	return (states & 1U << rv_memory_shown(j)) && j->id > f->above_id &&
	       (!f->queue || strcmp(f->queue, m->now.queues.rows[j->queue].name) == 0) &&
	       (!f->task || strcmp(f->task, j->task) == 0) &&
	       (f->batch == 0 || (j->batch == f->batch && !j->callback)) &&
	       (f->before_id <= 0 || j->id < f->before_id);
}

/* Rows are in the order of their ids, because ids grow and removal keeps the order. */
int rv_memory_read_jobs(struct rv_store *store, const struct rv_job_filter *filter,
			int (*each)(void *ctx, const struct rv_job_view *view), void *ctx)
{
	struct mem_store *m = MEM_OF(store);
	int64_t given = 0;

	for (size_t i = m->now.jobs.n; i-- > 0;) {
		struct rv_job_view v;
		int err;

		if (filter->limit > 0 && given == filter->limit)
			return RV_OK;
		if (!wanted(m, &m->now.jobs.rows[i], filter))
			continue;
		view(m, &m->now.jobs.rows[i], &v);
		given++;
		err = each(ctx, &v);
		if (err != RV_OK)
			return err;
	}
	return RV_OK;
}

/* In the order they were made, which is the order of their runs. */
int rv_memory_read_attempts(struct rv_store *store, int64_t id,
			    int (*each)(void *ctx, const struct rv_attempt_view *view), void *ctx)
{
	struct mem_store *m = MEM_OF(store);

	if (!rv_memory_job(m, id))
		return RV_E_NOTFOUND;
	MEM_EACH(m, attempts, a)
	{
		struct rv_attempt_view v = {.job = a->job,
					    .fence = a->fence,
					    .started_us = a->started_us,
					    .ended_us = a->ended_us,
					    .user_us = a->user_us,
					    .sys_us = a->sys_us,
					    .maxrss_bytes = a->maxrss_bytes,
					    .output_bytes = a->output_bytes,
					    .run = a->run,
					    .attempt = a->attempt,
					    .outcome = a->outcome,
					    .exit_code = a->exit_code,
					    .signo = a->signo,
					    .worker = a->worker,
					    .error = a->error};
		int err;

		if (a->job != id)
			continue;
		err = each(ctx, &v);
		if (err != RV_OK)
			return err;
	}
	return RV_OK;
}

static int64_t oldest_ready(struct mem_store *m, int queue)
{
	const struct mem_job *first = NULL;

	MEM_EACH(m, jobs, j)
	if (j->place == MEM_READY && j->queue == queue &&
	    (!first || j->ord < first->ord || (j->ord == first->ord && j->id < first->id)))
		first = j;
	return first ? first->since_us : 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct rv_queue_view *)a)->name,
		      ((const struct rv_queue_view *)b)->name);
}

int rv_memory_read_queues(struct rv_store *store,
			  int (*each)(void *ctx, const struct rv_queue_view *view), void *ctx)
{
	struct mem_store *m = MEM_OF(store);
	struct rv_queue_view *views = calloc(m->now.queues.n + 1, sizeof *views);
	size_t n = 0;
	int err = RV_OK;

	if (!views)
		return RV_E_NOMEM;
	MEM_EACH(m, queues, q)
	{
		struct rv_queue_view *v = &views[n];

		v->name = q->name;
		v->strategy = q->strategy;
		v->paused = q->gate == RV_QUEUE_PAUSED;
		v->draining = q->gate == RV_QUEUE_DRAINING;
		v->max = q->max;
		v->on_full = q->on_full;
		memcpy(v->counts, q->counts, sizeof v->counts);
		v->oldest_ready_us = oldest_ready(m, (int)n++);
	}
	qsort(views, n, sizeof *views, by_name);
	for (size_t i = 0; i < n && err == RV_OK; i++)
		err = each(ctx, &views[i]);
	free(views);
	return err;
}

static int by_task_name(const void *a, const void *b)
{
	return strcmp(((const struct rv_task_def *)a)->name, ((const struct rv_task_def *)b)->name);
}

int rv_memory_read_tasks(struct rv_store *store,
			 int (*each)(void *ctx, const struct rv_task_def *task), void *ctx)
{
	struct mem_store *m = MEM_OF(store);
	int err = RV_OK;

	if (m->now.tasks.n > 0)
		qsort(m->now.tasks.rows, m->now.tasks.n, sizeof *m->now.tasks.rows, by_task_name);
	for (size_t i = 0; i < m->now.tasks.n && err == RV_OK; i++)
		err = each(ctx, &m->now.tasks.rows[i]);
	return err;
}

int rv_memory_read_workers(struct rv_store *store,
			   int (*each)(void *ctx, const struct rv_worker_view *view), void *ctx)
{
	struct mem_store *m = MEM_OF(store);
	int err = RV_OK;

	for (size_t i = 0; i < m->now.workers.n && err == RV_OK; i++) {
		const struct mem_worker *w = &m->now.workers.rows[i];
		struct rv_worker_view v = {.incarnation = w->incarnation,
					   .pid = w->pid,
					   .beat_deadline_us = w->beat_deadline_us,
					   .slot = w->slot,
					   .pool = w->pool,
					   .live = w->live};

		MEM_EACH(m, jobs, j)
		v.leases += j->place == MEM_LEASE && j->incarnation == w->incarnation;
		err = each(ctx, &v);
	}
	return err;
}

int rv_memory_read_children(struct rv_store *store, int64_t id,
			    int (*each)(void *ctx, int64_t child), void *ctx)
{
	struct mem_store *m = MEM_OF(store);
	int err = RV_OK;

	for (size_t i = 0; err == RV_OK && i < m->now.jobs.n; i++) { /* in the order of their ids */
		if (m->now.jobs.rows[i].parent == id)
			err = each(ctx, m->now.jobs.rows[i].id);
	}
	return err;
}

int rv_memory_read_parents(struct rv_store *store, int64_t id,
			   int (*each)(void *ctx, int64_t parent, enum rv_job_state state,
				       enum rv_after on),
			   void *ctx)
{
	struct mem_store *m = MEM_OF(store);
	int64_t last = 0;
	int err = RV_OK;

	if (!rv_memory_job(m, id))
		return RV_E_NOTFOUND;
	while (err == RV_OK) { /* in the order of their ids */
		const struct mem_dep *next = NULL;

		MEM_EACH(m, deps, dep)
		if (dep->child == id && dep->parent > last && (!next || dep->parent < next->parent))
			next = dep;
		if (!next)
			return RV_OK;
		last = next->parent;
		err = each(ctx, last, rv_memory_shown(rv_memory_job(m, last)), next->on);
	}
	return err;
}

int rv_memory_read_cancel_wanted(struct rv_store *store, int64_t id, int64_t fence,
				 bool *ret_wanted)
{
	const struct mem_job *j = rv_memory_job(MEM_OF(store), id);

	*ret_wanted = j && j->place == MEM_LEASE && j->fence == fence && j->cancel_requested;
	return RV_OK;
}

int rv_memory_read_cancels(struct rv_store *store,
			   int (*each)(void *ctx, int64_t job, int64_t fence, int slot), void *ctx)
{
	struct mem_store *m = MEM_OF(store);
	int err = RV_OK;

	for (size_t i = 0; i < m->now.jobs.n && err == RV_OK; i++) {
		const struct mem_job *j = &m->now.jobs.rows[i];

		if (j->place == MEM_LEASE && j->cancel_requested)
			err = each(ctx, j->id, j->fence, rv_memory_worker(m, j->incarnation)->slot);
	}
	return err;
}

int rv_memory_read_totals(struct rv_store *store, struct rv_store_totals *ret_totals)
{
	int64_t gate_due;
	struct mem_store *m = MEM_OF(store);
	struct rv_store_totals t = {0};

	for (size_t i = 0; i < m->now.queues.n; i++) {
		int64_t oldest = oldest_ready(m, (int)i);

		for (int state = 0; state < RV_JOB_STATES; state++)
			t.counts[state] += m->now.queues.rows[i].counts[state];
		if (oldest && (!t.oldest_ready_us || oldest < t.oldest_ready_us))
			t.oldest_ready_us = oldest;
	}
	MEM_EACH(m, jobs, j)
	if (j->place == MEM_SCHEDULED && (!t.next_due_us || j->due_us < t.next_due_us))
		t.next_due_us = j->due_us;
	MEM_EACH(m, batches, b)
	t.sweep = t.sweep || b->sweep != 0;
	gate_due = rv_memory_gate_due(m);
	if (gate_due != 0 && (!t.next_due_us || gate_due < t.next_due_us))
		t.next_due_us = gate_due;
	*ret_totals = t;
	return RV_OK;
}

int rv_memory_read_events(struct rv_store *store, int64_t after, int64_t limit,
			  int (*each)(void *ctx, const struct rv_event_view *view), void *ctx)
{
	struct mem_store *m = MEM_OF(store);
	int err = RV_OK;

	for (size_t i = 0; err == RV_OK && limit > 0 && i < m->now.events.n; i++) {
		const struct mem_event *e = &m->now.events.rows[i];
		struct rv_event_view view = {.seq = e->seq,
					     .at_us = e->at_us,
					     .job = e->job,
					     .from = e->from == MEM_NOTHING ? RV_EVENT_ACCEPTED
									    : e->from,
					     .to = e->to};

		if (e->seq <= after)
			continue;
		limit--;
		err = each(ctx, &view);
	}
	return err;
}

int rv_memory_read_events_last(struct rv_store *store, int64_t *ret_seq)
{
	*ret_seq = MEM_OF(store)->now.next_seq - 1;
	return RV_OK;
}

int rv_memory_read_followers(struct rv_store *store, int (*each)(void *ctx, const char *path),
			     void *ctx)
{
	struct mem_store *m = MEM_OF(store);
	int err = RV_OK;
	int n = 0;

	for (size_t i = 0; err == RV_OK && i < m->now.waiters.n; i++) {
		const struct mem_waiter *w = &m->now.waiters.rows[i];

		if (w->job == RV_WAITER_FOLLOWS && n++ < RV_FOLLOWERS_SEEN)
			err = each(ctx, w->path);
	}
	return err;
}

int rv_memory_read_instance(struct rv_store *store, struct rv_instance *ret_instance)
{
	struct mem_store *m = MEM_OF(store);

	if (m->now.instances.n == 0)
		return RV_E_NOTFOUND;
	*ret_instance = m->now.instances.rows[m->now.instances.n - 1].shown;
	return RV_OK;
}

int rv_memory_read_stats(struct rv_store *store,
			 int (*each)(void *ctx, const char *name, int64_t value), void *ctx)
{
	struct mem_store *m = MEM_OF(store);
	int err = each(ctx, "ids_given", m->now.next_id - 1);

	if (err == RV_OK)
		err = each(ctx, "epoch", m->now.epoch);
	if (err == RV_OK)
		err = each(ctx, "fences_given", m->now.fence_counter);
	if (err == RV_OK)
		err = each(ctx, "events", (int64_t)m->now.events.n);
	return err;
}
