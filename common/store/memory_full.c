/*
 * The memory backend: queues that take so many jobs and no more, and who waits for room in them.
 * Tests only.
 */
#include "store/memory_rows.h"

#include "base/check.h"
#include "core/job.h"

#include <string.h>

static int64_t waiting(const struct mem_queue *q)
{
	return q->counts[RV_JOB_SCHEDULED] + q->counts[RV_JOB_READY] + q->counts[RV_JOB_BLOCKED];
}

bool rv_memory_has_room(const struct mem_queue *q, int64_t jobs)
{
	return q->max == 0 || q->on_full != RV_ON_FULL_BLOCK || waiting(q) + jobs <= q->max;
}

/* Whether ${j} waits longer than ${than}, by the order of its queue if that is one of age. */
static bool is_older(const struct mem_queue *q, const struct mem_job *j, const struct mem_job *than)
{
	if (j->place != MEM_READY ||
	    (q->strategy != RV_STRATEGY_FIFO && q->strategy != RV_STRATEGY_LIFO))
		return j->id < than->id;
	if (j->ord != than->ord)
		return (q->strategy == RV_STRATEGY_FIFO) == (j->ord < than->ord);
	return (q->strategy == RV_STRATEGY_FIFO) == (j->id < than->id);
}

/* Of those that are ready; without any of the scheduled, then of the blocked ones. */
static struct mem_job *oldest(struct mem_store *m, const struct mem_queue *q)
{
	static const enum mem_place places[] = {MEM_READY, MEM_SCHEDULED, MEM_BLOCKED};
	struct mem_job *found = NULL;

	for (size_t i = 0; !found && i < RV_ARRAY_LEN(places); i++)
		MEM_EACH(m, jobs, j)
	if (&m->now.queues.rows[j->queue] == q && j->place == places[i] &&
	    (!found || is_older(q, j, found)))
		found = j;
	return found;
}

int rv_memory_make_room(struct mem_store *m, struct rv_req_enqueue *req, struct mem_queue *q,
			struct rv_why *why)
{
	const struct mem_queue *before = &m->saved.queues.rows[q - m->now.queues.rows];

	for (int i = 0; q->max > 0 && waiting(q) >= q->max; i++) {
		struct mem_job *j = q->on_full == RV_ON_FULL_DROP_OLDEST ? oldest(m, q) : NULL;

		if (j && i == RV_DROP_MAX)
			return RV_OK;
		if (!j) {
			req->may_wait = q->on_full == RV_ON_FULL_BLOCK;
			return rv_rules_full(req, q->name, q->max, waiting(q),
					     waiting(q) - waiting(before), why);
		}
		rv_memory_to_final(m, j, RV_JOB_CANCELLED, RV_SAYS_DROPPED);
	}
	return RV_OK;
}

/* Those who wait for room in ${q}, as many as ${room} is enough for. */
static void ring(struct mem_store *m, const struct mem_queue *q, int64_t room)
{
	int64_t job = INT64_MIN + 1 + (q - m->now.queues.rows);

	while (room > 0) {
		struct mem_waiter *first = NULL;

		MEM_EACH(m, waiters, w)
		if (w->job == job && w->expires_us > m->wall_us && w->room <= room &&
		    (!first || strcmp(w->path, first->path) < 0))
			first = w;
		if (!first)
			return;
		rv_store_note_ring(&m->base, RV_RING_WAITER, first->path, 0);
		room -= first->room;
		MEM_REMOVE(m, waiters, (size_t)(first - m->now.waiters.rows));
	}
}

void rv_memory_ring_room(struct mem_store *m)
{
	PRE(m->saved.queues.n <= m->now.queues.n);
	for (size_t i = 0; i < m->saved.queues.n; i++) {
		const struct mem_queue *q = &m->now.queues.rows[i];

		if (q->max > 0 && q->on_full == RV_ON_FULL_BLOCK &&
		    waiting(q) < waiting(&m->saved.queues.rows[i]))
			ring(m, q, q->max - waiting(q));
	}
}

void rv_memory_ring_all_room(struct mem_store *m)
{
	MEM_EACH(m, queues, q)
	ring(m, q, INT64_MAX);
}
