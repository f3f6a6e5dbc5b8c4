/*
 * The memory backend: places in a queue, and TIDY, which gives the jobs that wait their new ones
 * after a change of strategy.  Looks at the same jobs in the same batches as any other backend, for
 * until all is tidy the order is what they make of it.
 */
#include "store/memory_rows.h"

#include "base/check.h"

#include <string.h>

static struct mem_fair *fair_of(struct mem_store *m, int queue, const char *key)
{
	MEM_EACH(m, fairs, f)
	if (f->queue == queue && strcmp(f->key, key) == 0)
		return f;
	return NULL;
}

void rv_memory_order(struct mem_store *m, struct mem_job *j, int64_t since_us)
{
	const struct mem_queue *q = &m->now.queues.rows[j->queue];
	const char *key = j->key ? j->key : "";
	struct mem_fair *fair = fair_of(m, j->queue, key);
	struct rv_order job = {
		.strategy = q->strategy,
		.sequence = j->seq,
		.priority = j->priority,
		.aging_us = q->aging_us,
		.since_us = since_us,
		.deadline_us = j->deadline_us,
		.weight = j->weight,
		.virtual_now = q->vtime,
		.finish = fair ? fair->finish : 0,
	};

	j->ord = rv_order_place(&job);
	if (q->strategy != RV_STRATEGY_FAIR)
		return;
	if (!fair) {
		fair = MEM_ADD(m, fairs);
		fair->queue = j->queue;
		fair->key = key;
	}
	fair->finish = rv_order_finish(j->ord, j->weight);
}

void rv_memory_rekey(struct mem_store *m, struct mem_queue *q)
{
	int queue = (int)(q - m->now.queues.rows);

	for (size_t i = m->now.fairs.n; i-- > 0;)
		if (m->now.fairs.rows[i].queue == queue)
			MEM_REMOVE(m, fairs, i);
	q->vtime = 0;
	q->rekeying = true;
	q->rekey_at = 0;
	q->rekey_until = m->now.next_id - 1;
}

static struct mem_job *job_above(struct mem_store *m, int64_t id)
{
	struct mem_job *next = NULL;

	MEM_EACH(m, jobs, j)
	if (j->id > id && (!next || j->id < next->id))
		next = j;
	return next;
}

int rv_memory_do_tidy(struct mem_store *m, struct rv_req_tidy *req, struct rv_why *why)
{
	struct mem_queue *q = NULL;

	(void)why;
	MEM_EACH(m, queues, each)
	if (!q && each->rekeying)
		q = each;
	req->more = q != NULL;
	for (uint32_t i = 0; q && i < req->limit; i++) {
		struct mem_job *j = job_above(m, q->rekey_at);

		if (!j || j->id > q->rekey_until) {
			q->rekeying = false;
			return RV_OK;
		}
		q->rekey_at = j->id;
		if (&m->now.queues.rows[j->queue] == q && j->place != MEM_DONE)
			rv_memory_order(m, j, j->created_us);
	}
	return RV_OK;
}
