/*
 * The memory backend: TURN (acks, then the claim) and PROMOTE.  Nothing but the lease of the very
 * fence may decide what an ack does.
 */
#include "store/memory_rows.h"

#include "base/check.h"
#include "core/job.h"
#include "core/retry.h"

#include <stdio.h>
#include <string.h>

#define PROMOTE_MAX 100 /* what a claim that found nothing promotes itself */

bool rv_memory_overdue(const struct mem_store *m, const struct mem_job *j)
{
	return j->ttl && j->expires_us <= m->wall_us;
}

uint32_t rv_memory_promote(struct mem_store *m, uint32_t limit)
{
	for (uint32_t done = 0; done < limit; done++) {
		struct mem_job *first = NULL;

		MEM_EACH(m, jobs, j)
		if (j->place == MEM_SCHEDULED && j->due_us <= m->wall_us &&
		    (!first || j->due_us < first->due_us))
			first = j;
		if (!first)
			return done;
		rv_memory_to_ready(m, first);
	}
	return limit;
}

static uint32_t expire_ttl(struct mem_store *m, uint32_t limit)
{
	for (uint32_t done = 0; done < limit; done++) {
		struct mem_job *first = NULL;

		MEM_EACH(m, jobs, j)
		if (j->place != MEM_LEASE && rv_memory_overdue(m, j) &&
		    (!first || j->expires_us < first->expires_us))
			first = j;
		if (!first)
			return done;
		rv_memory_to_final(m, first, RV_JOB_CANCELLED, RV_SAYS_EXPIRED);
	}
	return limit;
}

int rv_memory_do_promote(struct mem_store *m, struct rv_req_promote *req, struct rv_why *why)
{
	int64_t due;

	(void)why;
	req->expired = expire_ttl(m, req->limit);
	req->swept = rv_memory_sweep(m, req->sweep);
	req->promoted = rv_memory_promote(m, req->limit);
	(void)rv_memory_grant_due(m, req->limit);
	req->next_due_us = 0;
	MEM_EACH(m, jobs, j)
	if (j->place == MEM_SCHEDULED && (req->next_due_us == 0 || j->due_us < req->next_due_us))
		req->next_due_us = j->due_us;
	due = rv_memory_gate_due(m);
	if (due != 0 && (req->next_due_us == 0 || due < req->next_due_us))
		req->next_due_us = due;
	return RV_OK;
}

/* The job was not cancelled: where its outcome takes it. */
static void settle(struct mem_store *m, struct mem_job *j, const struct rv_ack *ack)
{
	int64_t due_us = rv_rules_later(m->wall_us, ack->retry_us);
	char says[RV_ERROR_MAX];

	PRE(j->place == MEM_LEASE && !j->cancel_requested);
	switch (ack->outcome) {
	case RV_OUTCOME_SUCCEEDED:
		j->attempts++;
		rv_memory_to_final(m, j, RV_JOB_SUCCEEDED, NULL);
		return;
	case RV_OUTCOME_FATAL:
		j->attempts++;
		rv_memory_to_final(m, j, RV_JOB_DEAD, ack->error);
		return;
	case RV_OUTCOME_CANCELLED:
		rv_memory_to_final(m, j, RV_JOB_CANCELLED,
				   ack->error[0] ? ack->error : RV_SAYS_CANCELLED);
		return;
	case RV_OUTCOME_FAILED:
		j->attempts++;
		if (rv_retry_after_failure(j->attempts, j->max_attempts, j->granted) ==
		    RV_VERDICT_DEAD) {
			rv_memory_to_final(m, j, RV_JOB_DEAD, ack->error);
			return;
		}
		break;
	case RV_OUTCOME_INTERRUPTED:
		due_us = m->wall_us;
		break;
	case RV_OUTCOME_LATER:
		break;
	case RV_OUTCOME_CRASHED:
		j->crashes++;
		(void)snprintf(says, sizeof says, RV_SAYS_CRASHES, "handler", j->crashes,
			       ack->error);
		if (rv_retry_after_crash(j->crashes, j->max_crashes) != RV_VERDICT_AGAIN) {
			rv_memory_to_final(m, j, RV_JOB_DEAD, says);
			return;
		}
		due_us = m->wall_us;
		break;
	default:
		IMPOSSIBLE("an outcome that was looked at before");
	}
	if (rv_memory_batch_failed(m, j))
		return;
	if (due_us > m->wall_us)
		rv_memory_to_scheduled(m, j, due_us);
	else
		rv_memory_to_ready(m, j);
}

static int ack_one(struct mem_store *m, uint64_t who, const struct rv_ack *ack)
{
	struct mem_job *j = rv_memory_job(m, ack->job);
	bool cancelled;
	bool ran;

	if (!j || j->place != MEM_LEASE || j->fence != ack->fence || j->incarnation != who)
		return RV_E_STALE;
	if (ack->outcome < RV_OUTCOME_SUCCEEDED || ack->outcome > RV_OUTCOME_CRASHED)
		return RV_E_USAGE;
	ran = j->started || ack->started_us != 0 ||
	      (ack->outcome != RV_OUTCOME_INTERRUPTED && ack->outcome != RV_OUTCOME_CANCELLED);
	if (ran && !j->started)
		rv_memory_run_began(m, j, ack->started_us ? ack->started_us : m->wall_us);
	if (ran)
		rv_memory_run_ended(m, j, ack->outcome, ack);
	cancelled = j->cancel_requested;
	if (cancelled)
		rv_memory_to_final(m, j, RV_JOB_CANCELLED,
				   ack->error[0] ? ack->error : RV_SAYS_CANCELLED);
	else
		settle(m, j, ack);
	if (ran)
		rv_memory_counted(m, j);
	if (!cancelled)
		return RV_OK;
	return ack->outcome == RV_OUTCOME_SUCCEEDED || ack->outcome == RV_OUTCOME_FAILED
		       ? RV_E_CONFLICT
		       : RV_OK;
}

static struct mem_job *newest_child(struct mem_store *m, int queue)
{
	struct mem_job *newest = NULL;

	MEM_EACH(m, jobs, j)
	if (j->place == MEM_READY && j->queue == queue && j->parent &&
	    (!newest || j->id > newest->id))
		newest = j;
	return newest;
}

static struct mem_job *first_in(struct mem_store *m, int queue)
{
	struct mem_job *first = NULL;

	MEM_EACH(m, jobs, j)
	if (j->place == MEM_READY && j->queue == queue &&
	    (!first || j->ord < first->ord || (j->ord == first->ord && j->id < first->id)))
		first = j;
	return first;
}

static void give(struct mem_store *m, struct rv_req_turn *turn, struct mem_job *j, int queue)
{
	struct rv_claimed *c = &turn->claimed[turn->nclaimed++];
	struct mem_queue *q = &m->now.queues.rows[j->queue];

	PRE(turn->nclaimed <= turn->want);
	if (rv_order_passes(q->strategy, q->vtime, j->ord))
		q->vtime = j->ord;
	rv_memory_to_lease(m, j, turn->incarnation, turn->prefetch == 0);
	memset(c, 0, sizeof *c);
	c->job = j->id;
	c->fence = j->fence;
	c->run_at_us = j->asked_us;
	c->created_us = j->created_us;
	c->timeout_us = j->timeout_us;
	c->queue = queue;
	c->attempt = j->attempts + 1;
	c->max_attempts = j->max_attempts + j->granted;
	c->run = j->started ? j->runs : j->runs + 1;
	c->crashes = j->crashes;
	(void)snprintf(c->task, sizeof c->task, "%s", j->task);
}

static void claim(struct mem_store *m, struct rv_req_turn *turn, uint32_t *parked)
{
	for (uint32_t i = 0; i < turn->nqueues; i++) {
		struct mem_queue *q = rv_memory_queue(m, turn->queues[i]);
		struct mem_job *j;

		if (!q || q->gate == RV_QUEUE_PAUSED)
			continue;
		while (turn->nclaimed < turn->want && *parked < RV_PARK_MAX &&
		       (j = turn->children ? newest_child(m, (int)(q - m->now.queues.rows))
					   : first_in(m, (int)(q - m->now.queues.rows)))) {
			if (rv_memory_overdue(m, j))
				rv_memory_to_final(m, j, RV_JOB_CANCELLED, RV_SAYS_EXPIRED);
			else if (rv_memory_batch_failed(m, j))
				continue;
			else if (j->passed || rv_memory_pass(m, j))
				give(m, turn, j, (int)i);
			else
				++*parked;
		}
		if (*parked == RV_PARK_MAX) { /* somebody must come for the rest */
			rv_store_note_ring(&m->base, RV_RING_QUEUE, q->name, 0);
			return;
		}
	}
}

static uint32_t left(struct mem_store *m, const struct rv_req_turn *turn)
{
	int64_t sum = 0;

	MEM_EACH(m, queues, q)
	{
		bool served = false;

		for (uint32_t i = 0; i < turn->nqueues; i++)
			served = served || strcmp(turn->queues[i], q->name) == 0;
		if (!served || q->gate == RV_QUEUE_PAUSED)
			continue;
		MEM_EACH(m, jobs, j)
		sum += j->place == MEM_READY && &m->now.queues.rows[j->queue] == q;
	}
	return sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}

int rv_memory_do_turn(struct mem_store *m, struct rv_req_turn *turn, struct rv_why *why)
{
	struct mem_worker *w = rv_memory_worker(m, turn->incarnation);
	uint32_t parked = 0;

	turn->nclaimed = 0;
	turn->more = 0;
	if (turn->nacks > RV_TURN_MAX || turn->want > RV_TURN_MAX || turn->nqueues > RV_QUEUES_MAX)
		return rv_fail(why, RV_E_USAGE, "a turn has at most %d jobs", RV_TURN_MAX);
	if (!w || !w->live)
		return rv_fail(why, RV_E_STALE, "this worker's life is over for the store");
	for (uint32_t i = 0; i < turn->nacks; i++)
		turn->acks[i].err = ack_one(m, turn->incarnation, &turn->acks[i]);
	(void)rv_memory_grant(m);
	if (turn->want > 0)
		claim(m, turn, &parked);
	if (turn->want > 0 && turn->nclaimed == 0) {
		uint32_t promoted = rv_memory_promote(m, PROMOTE_MAX);

		if (promoted + rv_memory_grant_due(m, PROMOTE_MAX) > 0)
			claim(m, turn, &parked);
	}
	turn->more = left(m, turn);
	return RV_OK;
}
