/*
 * ENQUEUE: looks at a job's task, queue, keys and parents, then writes its row and puts it where it
 * belongs.  The CLI and whoever enqueues.  A block is all or nothing: what it did before one of its
 * jobs was refused is undone by the caller's savepoint.
 */
#include "store/sqlite.h"
#include "store/sqlite_batch.h"
#include "store/sqlite_move.h"
#include "store/sqlite_order.h"

#include "base/check.h"
#include "core/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A job being accepted. */
struct accept {
	const struct rv_job_new *new;
	const struct rv_task_def *task;
	struct rv_sqlite_place place;
	int64_t waits; /* parents that have not succeeded */
	int64_t run_at, expires_at;
	int priority, weight;
	int64_t calls; /* the batch that it is a callback of; 0 none */
};

int rv_sqlite_task_find(struct rv_sqlite *s, const char *name, const struct rv_task_def **ret_task,
			struct rv_why *why)
{
	const char **names;
	size_t n = 0;
	int err;

	*ret_task = rv_sqlite_task(s, name);
	if (*ret_task)
		return RV_OK;
	if (strcmp(name, RV_TASK_ADHOC) == 0) {
		*ret_task = rv_rules_adhoc();
		return RV_OK;
	}
	names = calloc(s->ntasks + 1, sizeof *names);
	if (!names)
		return RV_E_NOMEM;
	for (size_t i = 0; i < s->ntasks; i++) {
		if (s->tasks[i].name[0] != '\0')
			names[n++] = s->tasks[i].name;
	}
	err = rv_rules_unknown(why, "task", name, names, n);
	free(names);
	return err;
}

/* Whether the job was asked for before: then *ret_id is the first one's. */
static int find_repeat(struct rv_sqlite *s, const struct rv_job_new *new, int64_t *ret_id,
		       bool *ret_repeat, struct rv_why *why)
{
	sqlite3_stmt *stmt;
	uint64_t hash;
	int64_t expires;
	int err;

	*ret_repeat = false;
	if (!rv_rules_said(new->idem_key))
		return RV_OK;
	err = rv_sqlite_start(s, RV_SQL_IDEM_OF, &stmt, "t", new->idem_key);
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_OK : err;
	expires = sqlite3_column_int64(stmt, 2);
	hash = (uint64_t)sqlite3_column_int64(stmt, 1);
	if (expires > s->now_us) {
		*ret_id = sqlite3_column_int64(stmt, 0);
		*ret_repeat = true;
	}
	rv_sqlite_end(stmt);
	if (*ret_repeat && hash != rv_rules_hash(new))
		return rv_fail(why, RV_E_CONFLICT,
			       "the idempotency key was used for other work, job %lld",
			       (long long)*ret_id);
	return RV_OK;
}

/* Refuses parents that can never end as they must; notes those that still must. */
static int look_at_parents(struct rv_sqlite *s, struct accept *a, struct rv_why *why)
{
	PRE(a->new->nafter <= RV_AFTER_MAX);
	for (size_t i = 0; i < a->new->nafter; i++) {
		int64_t parent = a->new->after[i];
		int64_t added = 0;
		int64_t state;
		int err = rv_sqlite_number(s, RV_SQL_SHOWN, &state, "i", parent);

		if (err == RV_E_NOTFOUND)
			return rv_rules_no_parent(why, parent, s->tally.job);
		if (err == RV_OK && (state < 0 || state >= RV_JOB_STATES))
			err = RV_E_CORRUPT;
		if (err == RV_OK)
			err = rv_rules_parent(why, parent, (enum rv_job_state)state, a->new->on);
		if (err != RV_OK)
			return err;
		if (rv_job_state_final((enum rv_job_state)state))
			continue;
		err = rv_sqlite_run(s, RV_SQL_DEP_PUT, &added, "iii", parent, a->place.id,
				    (int64_t)a->new->on);
		if (err != RV_OK)
			return err;
		a->waits += added;
		s->tally.deps += added;
	}
	return RV_OK;
}

/* Who is cancelled, or will be, has no more children: --tree ends those that are there. */
static int look_at_parent(struct rv_sqlite *s, int64_t parent, struct rv_why *why)
{
	int64_t gone;
	int err;

	if (parent == 0)
		return RV_OK;
	err = rv_sqlite_number(s, RV_SQL_PARENT_GONE, &gone, "i", parent);
	if (err == RV_OK && gone != 0)
		return rv_rules_childless(why, parent, true);
	return err == RV_E_NOTFOUND ? rv_rules_childless(why, parent, false) : err;
}

static int put_job(struct rv_sqlite *s, const struct accept *a)
{
	const struct rv_job_new *new = a->new;
	const struct rv_task_def *task = a->task;

	PRE(a->priority >= 0 && a->priority <= RV_PRIORITY_MAX);
	return rv_sqlite_run(
		s, RV_SQL_JOB_NEW, NULL,
		"itiiiiiiiiiittttt"
		"biiittinn",
		a->place.id, task->name, a->place.queue->id, (int64_t)a->priority, a->place.ord,
		s->now_us, a->run_at, a->expires_at,
		(int64_t)(new->max_attempts ? new->max_attempts : task->max_attempts),
		(int64_t)task->max_crashes, new->timeout_us ? new->timeout_us : task->timeout_us,
		(int64_t) new->uid, rv_rules_said(new->unique_key), rv_rules_said(new->idem_key),
		rv_rules_said(new->key), rv_rules_said(new->labels), rv_rules_said(new->spec),
		new->payload_size ? new->payload : NULL, new->payload_size, new->deadline_us,
		(int64_t)a->weight, (int64_t)rv_rules_sum(new, task->name),
		rv_rules_said(new->takes), rv_rules_said(new->meta), new->until_us,
		a->calls ? -a->calls : new->batch, new->parent);
}

static int put_keys(struct rv_sqlite *s, struct accept *a)
{
	const struct rv_job_new *new = a->new;
	int err = RV_OK;

	if (rv_rules_said(new->unique_key))
		err = rv_sqlite_key_put(s, &a->place, new->unique_key, new->until_us);
	if (rv_rules_said(new->takes))
		a->place.marks |= RV_MARK_TAKES;
	if (new->parent)
		a->place.marks |= RV_MARK_CHILD;
	if (err == RV_OK && new->batch) {
		a->place.marks |= RV_MARK_BATCH;
		err = rv_sqlite_run1(s, RV_SQL_BATCH_MORE, "i", new->batch);
	}
	if (err == RV_OK && a->expires_at) {
		a->place.marks |= RV_MARK_TTL;
		err = rv_sqlite_run(s, RV_SQL_TTL_PUT, NULL, "ii", a->expires_at, a->place.id);
	}
	return err;
}

/* The same request again has the same answer. */
static int put_idem(struct rv_sqlite *s, const struct rv_req_enqueue *req, size_t i)
{
	const struct rv_job_new *new = &req->jobs[i];
	int64_t ttl_us = req->idem_ttl_us > 0 ? req->idem_ttl_us : RV_IDEM_US;

	if (!rv_rules_said(new->idem_key))
		return RV_OK;
	return rv_sqlite_run(s, RV_SQL_IDEM_PUT, NULL, "tiii", new->idem_key, req->ret_ids[i],
			     (int64_t)rv_rules_hash(new), rv_rules_later(s->now_us, ttl_us));
}

static int find_place(struct rv_sqlite *s, struct accept *a)
{
	struct rv_order job = {.sequence = a->place.id,
			       .priority = a->priority,
			       .since_us = s->now_us,
			       .deadline_us = a->new->deadline_us,
			       .weight = a->weight};
	const char *key = rv_rules_said(a->new->key);

	return rv_sqlite_order(s, a->place.queue, &job, key ? key : "", &a->place.ord);
}

static int accept_job(struct rv_sqlite *s, struct accept *a, struct rv_why *why)
{
	struct rv_sqlite_queue *queue = a->place.queue;
	const struct rv_job_new *new = a->new;
	int err = rv_sqlite_queue_touch(s, queue);

	PRE(a->task && queue && a->waits == 0);
	if (err != RV_OK)
		return err;
	a->place.id = s->tally.job + 1;
	err = look_at_parents(s, a, why);
	if (err != RV_OK)
		return err;
	s->tally.job++;
	s->tally.dirty = true;
	INV(a->place.id == s->tally.job);
	a->priority = new->priority < 0 ? RV_PRIORITY_DEFAULT : new->priority;
	a->run_at = new->run_at_us ? new->run_at_us : s->now_us;
	a->expires_at = new->ttl_us ? rv_rules_later(s->now_us, new->ttl_us) : 0;
	a->weight = rv_rules_weight(new, a->task);
	err = find_place(s, a);
	if (err == RV_OK)
		err = put_job(s, a);
	if (err == RV_OK)
		err = put_keys(s, a);
	if (err != RV_OK)
		return err;
	if (a->waits > 0)
		return rv_sqlite_to_blocked(s, &a->place, RV_JOB_NONE, a->waits, a->run_at);
	if (a->run_at > s->now_us)
		return rv_sqlite_to_scheduled(s, &a->place, RV_JOB_NONE, a->run_at);
	return rv_sqlite_to_ready(s, &a->place, RV_JOB_NONE, NULL);
}

int rv_sqlite_call(struct rv_sqlite *s, int64_t batch, const struct rv_callback *callback,
		   uid_t uid, int64_t parent, int64_t *ret_id)
{
	struct rv_job_new new = rv_rules_callback(callback, uid, parent);
	struct rv_task_def gone = *rv_rules_adhoc();
	struct accept a = {.new = &new, .task = rv_sqlite_task(s, callback->task), .calls = batch};
	int err;

	PRE(batch > 0);
	if (!a.task) {
		(void)snprintf(gone.name, sizeof gone.name, "%s", callback->task);
		a.task = &gone;
	}
	a.place.queue = rv_sqlite_queue_named(s, a.task->queue);
	if (!a.place.queue && s->nqueues > 0)
		a.place.queue = &s->queues[0];
	if (!a.place.queue)
		return RV_E_CORRUPT;
	err = accept_job(s, &a, NULL);
	if (err == RV_OK)
		*ret_id = a.place.id;
	return err;
}

static int enqueue_one(struct rv_sqlite *s, struct rv_req_enqueue *req, size_t i, bool *ret_repeat,
		       struct rv_why *why)
{
	struct accept a = {.new = &req->jobs[i]};
	bool answered = false;
	const char *queue;
	int err = rv_rules_check(a.new, req->adhoc_refused, why);

	if (err == RV_OK)
		err = rv_sqlite_task_find(s, rv_rules_task(a.new), &a.task, why);
	if (err != RV_OK)
		return err;
	queue = rv_rules_said(a.new->queue) ? a.new->queue : a.task->queue;
	a.place.queue = rv_sqlite_queue_named(s, queue);
	if (!a.place.queue)
		return rv_sqlite_queue_unknown(s, queue, why);
	err = rv_rules_takes(a.new, s->resources, s->nresources, why);
	if (err == RV_OK)
		err = find_repeat(s, a.new, &req->ret_ids[i], ret_repeat, why);
	if (err != RV_OK || *ret_repeat)
		return err;
	if (a.place.queue->gate == RV_QUEUE_DRAINING)
		return rv_rules_draining(queue, why);
	err = look_at_parent(s, a.new->parent, why);
	if (err == RV_OK)
		err = rv_sqlite_batch_takes(s, a.new->batch, why);
	if (err == RV_OK)
		err = rv_sqlite_unique(s, req, i, &answered, why);
	if (err == RV_OK && !answered)
		err = rv_sqlite_make_room(s, req, a.place.queue, why);
	if (err == RV_OK && !answered)
		err = accept_job(s, &a, why);
	if (err == RV_OK && !answered)
		req->ret_ids[i] = a.place.id;
#ifdef RV_MUTANT_IDEM_OF_THE_SKIPPED
	if (answered)
		return err;
#endif
	return err == RV_OK ? put_idem(s, req, i) : err;
}

int rv_sqlite_do_enqueue(struct rv_sqlite *s, struct rv_req *req)
{
	struct rv_req_enqueue *enqueue = &req->u.enqueue;
	size_t repeated = 0;

	PRE(enqueue->count == 0 || (enqueue->jobs && enqueue->ret_ids));
	enqueue->skipped = enqueue->rescheduled = enqueue->replaced = 0;
	enqueue->may_wait = false;
	enqueue->full[0] = '\0';
	for (size_t i = 0; i < enqueue->count; i++) {
		bool repeat = false;
		int err = enqueue_one(s, enqueue, i, &repeat, &req->why);

		if (err != RV_OK) {
			enqueue->failed_index = i;
			return err;
		}
		repeated += repeat;
	}
	enqueue->repeated = repeated;
	POST(repeated <= enqueue->count);
	return RV_OK;
}
