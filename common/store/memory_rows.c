/*
 * The memory backend: its arrays, and the only functions that change where a job stands.
 * Every change of the shown state updates the kept counts and writes one event, here and nowhere
 * else.  Must never be used for real work: nothing outlives the process.
 */
#include "store/memory_rows.h"

#include "base/check.h"
#include "core/admit.h"
#include "core/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *rv_memory_add(void **rows, size_t *n, size_t *space, size_t size)
{
	char *row;

	INV(*n <= *space);
	if (*n == *space) {
		size_t more = *space == 0 ? 16 : *space * 2;
		void *grown = reallocarray(*rows, more, size);

		if (!grown)
			IMPOSSIBLE("no memory for the oracle");
		*rows = grown;
		*space = more;
	}
	row = (char *)*rows + (*n)++ * size;
	memset(row, 0, size);
	return row;
}

void rv_memory_remove(void *rows, size_t *n, size_t size, size_t i)
{
	char *row = (char *)rows + i * size;

	PRE(i < *n);
	memmove(row, row + size, (*n - i - 1) * size);
	(*n)--;
}

const void *rv_memory_keep_bytes(struct mem_store *m, const void *data, size_t size)
{
	char *copy = rv_arena_memdup(&m->strings, size ? data : "", size);

	if (!copy)
		IMPOSSIBLE("no memory for the oracle");
	return copy;
}

const char *rv_memory_keep(struct mem_store *m, const char *text)
{
	return text ? rv_memory_keep_bytes(m, text, strlen(text)) : NULL;
}

struct mem_job *rv_memory_job(struct mem_store *m, int64_t id)
{
	MEM_EACH(m, jobs, j)
	if (j->id == id)
		return j;
	return NULL;
}

struct mem_queue *rv_memory_queue(struct mem_store *m, const char *name)
{
	MEM_EACH(m, queues, q)
	if (strcmp(q->name, name) == 0)
		return q;
	return NULL;
}

struct mem_worker *rv_memory_worker(struct mem_store *m, uint64_t incarnation)
{
	MEM_EACH(m, workers, w)
	if (w->incarnation == incarnation)
		return w;
	return NULL;
}

struct mem_attempt *rv_memory_last_attempt(struct mem_store *m, int64_t id)
{
	struct mem_attempt *last = NULL;

	MEM_EACH(m, attempts, a)
	if (a->job == id && (!last || a->run > last->run))
		last = a;
	return last;
}

int rv_memory_unknown_queue(struct mem_store *m, const char *name, struct rv_why *why)
{
	const char **names = calloc(m->now.queues.n + 1, sizeof *names);
	size_t n = 0;
	int err;

	if (!names)
		IMPOSSIBLE("no memory for the oracle");
	MEM_EACH(m, queues, q)
	names[n++] = q->name;
	err = rv_rules_unknown(why, "queue", name, names, n);
	free(names);
	return err;
}

enum rv_job_state rv_memory_shown(const struct mem_job *j)
{
	switch (j->place) {
	case MEM_READY:
		return RV_JOB_READY;
	case MEM_SCHEDULED:
		return RV_JOB_SCHEDULED;
	case MEM_BLOCKED:
		return RV_JOB_BLOCKED;
	case MEM_LEASE:
		return j->started ? RV_JOB_RUNNING : RV_JOB_READY;
	case MEM_DONE:
		return j->final;
	case MEM_PLACES:
	default:
		IMPOSSIBLE("a job without a place");
	}
}

/* The moves of the table; out of ready also those of a prefetched run, told when it was over. */
static bool legal(int from, int to)
{
	if (from == MEM_NOTHING)
		return to == RV_JOB_READY || to == RV_JOB_SCHEDULED || to == RV_JOB_BLOCKED;
	return rv_job_move_legal((enum rv_job_state)from, (enum rv_job_state)to) ||
	       (from == RV_JOB_READY && rv_job_move_legal(RV_JOB_RUNNING, (enum rv_job_state)to));
}

static void changed(struct mem_store *m, const struct mem_job *j, int from)
{
	struct mem_queue *q = &m->now.queues.rows[j->queue];
	int to = (int)rv_memory_shown(j);
	struct mem_event *event;

	if (from == to)
		return;
	PRE(legal(from, to));
	if (from != MEM_NOTHING) {
		INV(q->counts[from] > 0);
		q->counts[from]--;
	}
	q->counts[to]++;
	event = MEM_ADD(m, events);
	*event = (struct mem_event){.seq = m->now.next_seq++,
				    .at_us = m->wall_us,
				    .job = j->id,
				    .fence = j->fence,
				    .from = from,
				    .to = to};
}

static void place(struct mem_store *m, struct mem_job *j, enum mem_place where)
{
	PRE(where < MEM_PLACES);
	rv_memory_leave_line(m, j);
	if (j->passed && !(j->place == MEM_READY && where == MEM_LEASE))
		rv_memory_give_back(m, j);
	j->place = where;
	j->incarnation = 0;
	j->leased_us = 0;
	j->started = false;
	j->cancel_requested = false;
	j->waits = 0;
	j->due_us = 0;
	j->held = false;
	j->since_us = 0;
	j->finished_us = 0;
	j->error = NULL;
	if (where == MEM_READY) {
		j->since_us = m->wall_us;
		rv_store_note_ring(&m->base, RV_RING_QUEUE, m->now.queues.rows[j->queue].name, 0);
	}
	if (where == MEM_SCHEDULED)
		rv_store_note_ring(&m->base, RV_RING_SCHEDULED, "", 0);
}

void rv_memory_created(struct mem_store *m, struct mem_job *j, bool blocked)
{
	if (blocked)
		place(m, j, MEM_BLOCKED);
	else if (j->asked_us > m->wall_us)
		place(m, j, MEM_SCHEDULED);
	else
		place(m, j, MEM_READY);
	if (j->place != MEM_READY)
		j->due_us = j->asked_us;
	changed(m, j, MEM_NOTHING);
}

void rv_memory_to_ready(struct mem_store *m, struct mem_job *j)
{
	int from = (int)rv_memory_shown(j);

	PRE(j->place != MEM_READY);
	place(m, j, MEM_READY);
	changed(m, j, from);
	j->fence = 0;
}

void rv_memory_to_parked(struct mem_store *m, struct mem_job *j, const char *gate)
{
	PRE(j->place == MEM_READY);
	place(m, j, MEM_BLOCKED);
	j->gate = gate;
	changed(m, j, RV_JOB_READY);
}

void rv_memory_to_scheduled(struct mem_store *m, struct mem_job *j, int64_t due_us)
{
	int from = (int)rv_memory_shown(j);

	PRE(j->place != MEM_SCHEDULED && due_us > m->wall_us);
	place(m, j, MEM_SCHEDULED);
	j->due_us = due_us;
	changed(m, j, from);
	j->fence = 0;
}

void rv_memory_to_held(struct mem_store *m, struct mem_job *j, int64_t due_us)
{
	int from = (int)rv_memory_shown(j);

	PRE(j->place == MEM_READY || j->place == MEM_SCHEDULED);
	place(m, j, MEM_BLOCKED);
	j->held = true;
	j->due_us = due_us;
	changed(m, j, from);
}

void rv_memory_unblock(struct mem_store *m, struct mem_job *j)
{
	PRE(j->place == MEM_BLOCKED && !j->held);
	if (j->due_us > m->wall_us)
		rv_memory_to_scheduled(m, j, j->due_us);
	else
		rv_memory_to_ready(m, j);
}

void rv_memory_to_lease(struct mem_store *m, struct mem_job *j, uint64_t incarnation, bool started)
{
	PRE(j->place == MEM_READY);
	place(m, j, MEM_LEASE);
	j->incarnation = incarnation;
	j->fence = m->now.epoch << 40 | ++m->now.fence_counter;
	j->leased_us = m->wall_us;
	if (started) {
		rv_memory_run_began(m, j, m->wall_us);
		j->started = true;
		changed(m, j, RV_JOB_READY);
	}
}

void rv_memory_ring_waiters(struct mem_store *m, int64_t id)
{
	for (size_t i = m->now.waiters.n; i-- > 0;) {
		struct mem_waiter *w = &m->now.waiters.rows[i];

		if (w->job != id)
			continue;
		if (w->expires_us > m->wall_us)
			rv_store_note_ring(&m->base, RV_RING_WAITER, w->path, id);
		MEM_REMOVE(m, waiters, i);
	}
}

static void drop_deps(struct mem_store *m, int64_t parent, int64_t child)
{
	for (size_t i = m->now.deps.n; i-- > 0;) {
		struct mem_dep *dep = &m->now.deps.rows[i];

		if (dep->parent == parent || dep->child == child)
			MEM_REMOVE(m, deps, i);
	}
}

/* Unless it is held for a time. */
static void give_up_key(struct mem_store *m, const struct mem_job *j)
{
	for (size_t i = m->now.uniques.n; i-- > 0;)
		if (m->now.uniques.rows[i].id == j->id && m->now.uniques.rows[i].until_us == 0)
			MEM_REMOVE(m, uniques, i);
}

/* The job alone, without what follows for its children. */
static void finish(struct mem_store *m, struct mem_job *j, enum rv_job_state state,
		   const char *error)
{
	int from = (int)rv_memory_shown(j);

	PRE(j->place != MEM_DONE);
	PRE(rv_job_state_final(state));
	place(m, j, MEM_DONE);
	j->final = state;
	j->finished_us = m->wall_us;
	j->error = rv_memory_keep(m, rv_rules_said(error));
	j->ttl = false;
	changed(m, j, from);
	rv_memory_batch_count(m, j, 1);
	j->fence = 0;
	give_up_key(m, j);
	rv_memory_ring_waiters(m, j->id);
	drop_deps(m, 0, j->id);
}

/* What the end of its parent, in ${shown}, means for a child; the row goes. */
static void resolve(struct mem_store *m, struct mem_dep *dep, enum rv_job_state shown)
{
	struct mem_job *child = rv_memory_job(m, dep->child);
	int64_t child_id = dep->child;
	bool met = rv_admit_after(dep->on, shown) == RV_ADMIT_MET;
	bool waits = false;
	char says[64];

	INV(child && child->place == MEM_BLOCKED);
	if (!met) {
		rv_rules_says_parent(says, sizeof says, dep->parent, shown);
		finish(m, child, RV_JOB_CANCELLED, says);
		return;
	}
	MEM_REMOVE(m, deps, (size_t)(dep - m->now.deps.rows));
	MEM_EACH(m, deps, other)
	waits = waits || other->child == child_id;
	if (!waits && !child->held)
		rv_memory_unblock(m, child);
}

/* One child of a parent that has ended, cancelled or otherwise; false when there is none. */
static bool resolve_one(struct mem_store *m, bool cancelled)
{
	MEM_EACH(m, deps, dep)
	{
		enum rv_job_state shown = rv_memory_shown(rv_memory_job(m, dep->parent));

		if ((shown == RV_JOB_CANCELLED) != cancelled ||
		    rv_admit_after(dep->on, shown) == RV_ADMIT_WAITS)
			continue;
		resolve(m, dep, shown);
		return true;
	}
	return false;
}

void rv_memory_to_final(struct mem_store *m, struct mem_job *j, enum rv_job_state state,
			const char *error)
{
	finish(m, j, state, error);
	while (resolve_one(m, false))
		;
}

void rv_memory_cancel_children(struct mem_store *m)
{
	while (resolve_one(m, true))
		;
}

void rv_memory_run_began(struct mem_store *m, struct mem_job *j, int64_t started_us)
{
	const struct mem_worker *w = rv_memory_worker(m, j->incarnation);
	struct mem_attempt *a = MEM_ADD(m, attempts);

	PRE(j->place == MEM_LEASE && !j->started);
	INV(w);
	j->ttl = false;
	if (j->until_us == RV_UNTIL_STARTED)
		give_up_key(m, j);
	*a = (struct mem_attempt){.job = j->id,
				  .fence = j->fence,
				  .started_us = started_us,
				  .run = ++j->runs,
				  .attempt = j->attempts + 1,
				  .outcome = -1,
				  .exit_code = -1,
				  .worker = rv_memory_keep(m, w->name)};
}

void rv_memory_run_ended(struct mem_store *m, struct mem_job *j, int outcome,
			 const struct rv_ack *ack)
{
	struct mem_attempt *a = rv_memory_last_attempt(m, j->id);

	PRE(outcome >= RV_OUTCOME_SUCCEEDED && outcome <= RV_OUTCOME_CRASHED);
	INV(a && a->outcome == -1 && a->run == j->runs && a->fence == j->fence);
	a->outcome = outcome;
	a->ended_us = ack->ended_us ? ack->ended_us : m->wall_us;
	a->exit_code = ack->exit_code;
	a->signo = ack->signo;
	a->user_us = ack->user_us;
	a->sys_us = ack->sys_us;
	a->maxrss_bytes = ack->maxrss_bytes;
	a->output_bytes = ack->output_bytes;
	a->error = rv_memory_keep(m, rv_rules_said(ack->error));
}
