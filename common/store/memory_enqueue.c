/*
 * The memory backend: ENQUEUE and MIRROR.  Looks at everything before it adds a job; what a block
 * of jobs did before one of them was refused is undone by the caller's copy.
 */
#include "store/memory_rows.h"

#include "base/check.h"
#include "core/admit.h"
#include "core/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int rv_memory_task(struct mem_store *m, const char *name, const struct rv_task_def **ret_task,
		   struct rv_why *why)
{
	const char **names;
	size_t n = 0;
	int err;

	MEM_EACH(m, tasks, task)
	{
		if (strcmp(task->name, name) == 0) {
			*ret_task = task;
			return RV_OK;
		}
	}
	if (strcmp(name, RV_TASK_ADHOC) == 0) {
		*ret_task = rv_rules_adhoc();
		return RV_OK;
	}
	names = calloc(m->now.tasks.n + 1, sizeof *names);
	if (!names)
		IMPOSSIBLE("no memory for the oracle");
	MEM_EACH(m, tasks, task)
	if (task->name[0] != '\0')
		names[n++] = task->name;
	err = rv_rules_unknown(why, "task", name, names, n);
	free(names);
	return err;
}

/* Whether ${new} was asked for before: then *ret_id is the first one's. */
static int find_repeat(struct mem_store *m, const struct rv_job_new *new, int64_t *ret_id,
		       bool *ret_repeat, struct rv_why *why)
{
	*ret_repeat = false;
	if (!rv_rules_said(new->idem_key))
		return RV_OK;
	for (size_t i = m->now.idems.n; i-- > 0;) {
		struct mem_idem *idem = &m->now.idems.rows[i];

		if (idem->expires_us <= m->wall_us) {
			MEM_REMOVE(m, idems, i);
			continue;
		}
		if (strcmp(idem->key, new->idem_key) != 0)
			continue;
		*ret_id = idem->id;
		if (idem->hash != rv_rules_hash(new))
			return rv_fail(why, RV_E_CONFLICT,
				       "the idempotency key was used for other work, job %lld",
				       (long long)idem->id);
		*ret_repeat = true;
		return RV_OK;
	}
	return RV_OK;
}

static int look_at_parents(struct mem_store *m, const struct rv_job_new *new, struct rv_why *why)
{
	for (size_t i = 0; i < new->nafter; i++) {
		struct mem_job *parent = rv_memory_job(m, new->after[i]);

		int err =
			parent ? rv_rules_parent(why, parent->id, rv_memory_shown(parent), new->on)
			       : rv_rules_no_parent(why, new->after[i], m->now.next_id - 1);

		if (err != RV_OK)
			return err;
	}
	return RV_OK;
}

static bool add_parents(struct mem_store *m, const struct rv_job_new *new, int64_t id)
{
	bool blocked = false;

	for (size_t i = 0; i < new->nafter; i++) {
		enum rv_job_state shown = rv_memory_shown(rv_memory_job(m, new->after[i]));
		bool known = rv_admit_after(new->on, shown) == RV_ADMIT_MET;

		MEM_EACH(m, deps, dep)
		known = known || (dep->parent == new->after[i] && dep->child == id);
		if (!known)
			*MEM_ADD(m, deps) = (struct mem_dep){
				.parent = new->after[i], .child = id, .on = new->on};
		MEM_EACH(m, deps, dep)
		blocked = blocked || dep->child == id;
	}
	return blocked;
}

static int look_at_parent(struct mem_store *m, int64_t parent, struct rv_why *why)
{
	const struct mem_job *j = parent ? rv_memory_job(m, parent) : NULL;

	if (parent == 0)
		return RV_OK;
	if (!j)
		return rv_rules_childless(why, parent, false);
	if ((j->place == MEM_LEASE && j->cancel_requested) ||
	    (j->place == MEM_DONE && j->final == RV_JOB_CANCELLED))
		return rv_rules_childless(why, parent, true);
	return RV_OK;
}

static void remember_idem(struct mem_store *m, const struct rv_req_enqueue *req,
			  const struct rv_job_new *new, int64_t id)
{
	int64_t ttl_us = req->idem_ttl_us > 0 ? req->idem_ttl_us : RV_IDEM_US;

	if (rv_rules_said(new->idem_key))
		*MEM_ADD(m, idems) =
			(struct mem_idem){.key = rv_memory_keep(m, new->idem_key),
					  .id = id,
					  .hash = rv_rules_hash(new),
					  .expires_us = rv_rules_later(m->wall_us, ttl_us)};
}

static void remember_key(struct mem_store *m, const struct mem_job *j)
{
	if (j->unique_key)
		*MEM_ADD(m, uniques) = (struct mem_unique){
			.key = j->unique_key,
			.id = j->id,
			.until_us = rv_admit_held_until(j->until_us, m->wall_us)};
}

static int64_t add_job(struct mem_store *m, const struct rv_job_new *new,
		       const struct rv_task_def *task, struct mem_queue *q)
{
	struct mem_job *j = MEM_ADD(m, jobs);

	PRE(task && q);
	j->id = m->now.next_id++;
	j->task = rv_memory_keep(m, task->name);
	j->queue = (int)(q - m->now.queues.rows);
	j->spec = rv_memory_keep(m, rv_rules_said(new->spec));
	j->payload = rv_memory_keep_bytes(m, new->payload, new->payload_size);
	j->payload_size = (int64_t) new->payload_size;
	j->sum = rv_rules_sum(new, task->name);
	j->priority = new->priority < 0 ? RV_PRIORITY_DEFAULT : new->priority;
	j->weight = rv_rules_weight(new, task);
	j->deadline_us = new->deadline_us;
	j->seq = j->id;
	j->created_us = m->wall_us;
	j->asked_us = new->run_at_us ? new->run_at_us : m->wall_us;
	j->expires_us = new->ttl_us ? rv_rules_later(m->wall_us, new->ttl_us) : 0;
	j->ttl = new->ttl_us != 0;
	j->max_attempts = new->max_attempts ? new->max_attempts : task->max_attempts;
	j->max_crashes = task->max_crashes;
	j->timeout_us = new->timeout_us ? new->timeout_us : task->timeout_us;
	j->unique_key = rv_memory_keep(m, rv_rules_said(new->unique_key));
	j->until_us = new->until_us;
	j->idem_key = rv_memory_keep(m, rv_rules_said(new->idem_key));
	j->key = rv_memory_keep(m, rv_rules_said(new->key));
	j->labels = rv_memory_keep(m, rv_rules_said(new->labels));
	j->meta = rv_memory_keep(m, rv_rules_said(new->meta));
	j->takes = rv_memory_keep(m, rv_rules_said(new->takes));
	j->uid = new->uid;
	j->batch = new->batch;
	j->parent = new->parent;
	if (j->batch)
		rv_memory_batch(m, j->batch)->total++;
	rv_memory_order(m, j, m->wall_us);
	POST(j->id < m->now.next_id && j->max_attempts > 0);
	remember_key(m, j);
	rv_memory_created(m, j, add_parents(m, new, j->id));
	return j->id;
}

int64_t rv_memory_call(struct mem_store *m, const struct mem_batch *b,
		       const struct rv_callback *callback)
{
	struct rv_job_new new = rv_rules_callback(callback, b->uid, b->parent);
	struct rv_task_def gone = *rv_rules_adhoc();
	const struct rv_task_def *task = NULL;
	int64_t batch = b->id;
	int64_t id;
	struct mem_queue *q;

	if (rv_memory_task(m, callback->task, &task, NULL) != RV_OK) {
		(void)snprintf(gone.name, sizeof gone.name, "%s", callback->task);
		task = &gone;
	}
	q = rv_memory_queue(m, task->queue);
	MEM_EACH(m, queues, other) /* without it: the first by name */
	if (!rv_memory_queue(m, task->queue) && (!q || strcmp(other->name, q->name) < 0))
		q = other;
	id = add_job(m, &new, task, q);
	rv_memory_job(m, id)->batch = batch;
	rv_memory_job(m, id)->callback = true;
	return id;
}

static int enqueue_one(struct mem_store *m, struct rv_req_enqueue *req, size_t i, bool *ret_repeat,
		       struct rv_why *why)
{
	const struct rv_job_new *new = &req->jobs[i];
	const struct rv_task_def *task = NULL;
	const char *queue;
	bool answered = false;
	int err = rv_rules_check(new, req->adhoc_refused, why);

	if (err == RV_OK)
		err = rv_memory_task(m, rv_rules_task(new), &task, why);
	if (err != RV_OK)
		return err;
	queue = rv_rules_said(new->queue) ? new->queue : task->queue;
	if (!rv_memory_queue(m, queue))
		return rv_memory_unknown_queue(m, queue, why);
	err = rv_rules_takes(new, m->now.resources.rows, m->now.resources.n, why);
	if (err == RV_OK)
		err = find_repeat(m, new, &req->ret_ids[i], ret_repeat, why);
	if (err != RV_OK || *ret_repeat)
		return err;
	if (rv_memory_queue(m, queue)->gate == RV_QUEUE_DRAINING)
		return rv_rules_draining(queue, why);
	err = look_at_parent(m, new->parent, why);
	if (err == RV_OK)
		err = rv_memory_batch_takes(m, new->batch, why);
	if (err == RV_OK)
		err = rv_memory_unique(m, req, i, &answered, why);
	if (err == RV_OK && !answered)
		err = rv_memory_make_room(m, req, rv_memory_queue(m, queue), why);
	if (err == RV_OK && !answered)
		err = look_at_parents(m, new, why);
	if (err == RV_OK && !answered)
		req->ret_ids[i] = add_job(m, new, task, rv_memory_queue(m, queue));
	if (err == RV_OK)
		remember_idem(m, req, new, req->ret_ids[i]);
	return err;
}

int rv_memory_do_enqueue(struct mem_store *m, struct rv_req_enqueue *req, struct rv_why *why)
{
	size_t repeated = 0;

	PRE(req->count == 0 || (req->jobs && req->ret_ids));
	req->skipped = req->rescheduled = req->replaced = 0;
	req->may_wait = false;
	req->full[0] = '\0';
	for (size_t i = 0; i < req->count; i++) {
		bool repeat = false;
		int err = enqueue_one(m, req, i, &repeat, why);

		if (err != RV_OK) {
			req->failed_index = i;
			return err;
		}
		repeated += repeat;
	}
	req->repeated = repeated;
	return RV_OK;
}

/* Tasks are what the configuration says now; queues stay as long as the store does. */
int rv_memory_do_mirror(struct mem_store *m, struct rv_req_mirror *req, struct rv_why *why)
{
	(void)why;
	m->now.tasks.n = 0;
	for (size_t i = 0; i < req->ntasks; i++)
		*MEM_ADD(m, tasks) = req->tasks[i];
	for (size_t i = 0; i < req->nqueues; i++) {
		struct mem_queue *q = rv_memory_queue(m, req->queues[i].name);

		if (!q) {
			q = MEM_ADD(m, queues);
			memcpy(q->name, req->queues[i].name, sizeof q->name);
		} else if (q->strategy != req->queues[i].strategy ||
			   q->aging_us != req->queues[i].aging_us) {
			rv_memory_rekey(m, q);
		}
		q->strategy = req->queues[i].strategy;
		q->aging_us = req->queues[i].aging_us;
		q->limits = req->queues[i].limits;
		q->max = req->queues[i].max;
		q->on_full = req->queues[i].on_full;
	}
	m->now.resources.n = 0;
	for (size_t i = 0; i < req->nresources; i++)
		*MEM_ADD(m, resources) = req->resources[i];
	rv_memory_mirror_schedules(m, req);
	rv_memory_reconsider(m, NULL);
	rv_memory_adopt(m);
	rv_memory_ring_all_room(m);
	return RV_OK;
}

/* Nobody speaks SQL to this backend: its inbox is always empty. */
int rv_memory_do_inbox(struct mem_store *m, struct rv_req_inbox *req, struct rv_why *why)
{
	(void)m, (void)why;
	PRE(req->make);
	req->taken = req->refused = req->more = 0;
	return RV_OK;
}
