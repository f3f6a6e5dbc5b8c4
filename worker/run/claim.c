/*
 * Stage 1, claim: the round in which finished jobs are acknowledged and new ones are leased. Worker
 * processes.  Must never sleep with work that nobody else was told of, nor let a prefetched job
 * wait long behind its companions.
 */
#include "run/worker.h"

#include "base/check.h"
#include "base/fault.h"
#include "base/seam.h"
#include "child/child.h"
#include "conf/types.h"
#include "core/order.h"
#include "obs/log.h"
#include "run/batch.h"

#include <string.h>

/* A round waits so long for the write lock; then the loop looks at descriptor 3 again. */
#define ROUND_US    (2 * RV_S_US)
#define BUSY_US     (10 * RV_MS_US)
#define NO_SPACE_US RV_S_US

void rv_claim_init(struct rv_worker *worker)
{
	static struct rv_batch batch;

	rv_batch_init(&batch, (unsigned)worker->pool->max_batch);
	worker->batch = &batch;
	worker->words = worker->child->area.slots[worker->child->slot].words;
}

/*
 * The words tell the keeper which job its worker died of.  Those of a predecessor are not ours to
 * overwrite before its obituary was dealt with; until then we claim one job at a time.
 */
static bool have_words(struct rv_worker *worker)
{
	struct rv_area_slot *slot = &worker->child->area.slots[worker->child->slot];
	uint64_t nobody = 0;

	if (atomic_load(&slot->words_owner) == worker->child->incarnation)
		return true;
	if (!atomic_compare_exchange_strong(&slot->words_owner, &nobody,
					    worker->child->incarnation))
		return false;
	for (unsigned i = 0; i < RV_AREA_WORDS; i++)
		atomic_store(&worker->words[i].word, RV_WORD_NONE);
	return true;
}

void rv_claim_took(struct rv_worker *worker, int64_t took_us, bool quick)
{
	rv_batch_note(worker->batch, took_us, quick);
}

static bool may_claim(const struct rv_worker *worker)
{
	return !worker->quiet && !worker->warming && !worker->waits && !worker->draining &&
	       worker->turn.phase == RV_TURN_NONE &&
	       atomic_load(&worker->child->area.head->epoch_ok) != 0;
}

bool rv_claim_due(const struct rv_worker *worker)
{
	return worker->nacks > 0 || (!worker->idle && may_claim(worker));
}

static void set_idle(struct rv_worker *worker, bool idle)
{
	worker->idle = idle;
	/* seq_cst: the bit must be visible before the claim that looks once more. */
	atomic_store(&worker->hint->idle, idle ? 1 : 0);
	if (idle)
		rv_beat_stop();
	else
		rv_beat_start(worker);
}

void rv_claim_woken(struct rv_worker *worker)
{
	int err = RV_OK;

	(void)rv_child_beat(worker->child);
	/* We may have slept for long, without a beat that would have looked. */
	if (worker->idle)
		err = rv_store_same_file(worker->store);
	set_idle(worker, false);
	if (err == RV_E_REPLACED)
		rv_worker_fail(worker, err, "the store was replaced under us", NULL);
}

/* Somebody who sleeps and might be told of what we leave behind. */
static bool someone_idle(const struct rv_worker *worker)
{
	const struct rv_area *area = &worker->child->area;
	unsigned nslots = area->head->nslots;

	for (unsigned i = 1; i < nslots && i < RV_AREA_SLOTS_MAX; i++) {
		if (i != worker->child->slot &&
		    atomic_load_explicit(&area->hints[i].idle, memory_order_relaxed) != 0)
			return true;
	}
	return false;
}

static void note_ack(struct rv_worker *worker, const struct rv_ack *ack)
{
	atomic_fetch_add_explicit(&worker->hint->jobs_done, 1, memory_order_relaxed);
	if (ack->err == RV_E_STALE)
		rv_log_with(RV_LOG_WARN, RV_EV_job_stale, RV_FIELDS(RV_INT("job", ack->job)),
			    "job %lld: the lease was not ours any more, the result is void",
			    (long long)ack->job);
	else if (ack->err != RV_OK)
		rv_log_with(RV_LOG_INFO, RV_EV_job_cancelled, RV_FIELDS(RV_INT("job", ack->job)),
			    "job %lld: %s", (long long)ack->job, rv_err_text(ack->err));
}

static void take_acks(struct rv_worker *worker, const struct rv_req_turn *turn)
{
	for (unsigned i = 0; i < worker->nacks; i++)
		note_ack(worker, &turn->acks[i]);
	rv_left_acked(worker, turn->acks);
	if (worker->nacks > 0 && RV_FAULT(worker_acked) != RV_OK)
		rv_log(RV_LOG_DEBUG, RV_EV_worker_failed, "fault point worker_acked");
	worker->nacks = 0;
	worker->durability = RV_DURABILITY_NORMAL;
}

static void take_claims(struct rv_worker *worker, const struct rv_req_turn *turn)
{
	unsigned count = turn->nclaimed <= RV_TURN_MAX ? turn->nclaimed : RV_TURN_MAX;

	worker->next = 0;
	worker->sent = 0;
	worker->unwanted = 0;
	worker->nclaimed = count;
	worker->prefetched = turn->prefetch != 0;
	worker->more = turn->more;
	worker->claimed_us = rv_mono_us();
	for (unsigned i = 0; i < count; i++) {
		struct rv_area_word *word = &worker->words[i];
		int32_t queue = turn->claimed[i].queue;

		worker->claimed[i] = turn->claimed[i];
		if (queue < 0 || (size_t)queue >= worker->pool->queues.count)
			queue = 0;
		worker->queues[i] = worker->pool->queues.items[worker->order[queue]];
		if (!worker->prefetched)
			continue;
		atomic_store_explicit(&word->job, turn->claimed[i].job, memory_order_relaxed);
		atomic_store_explicit(&word->fence, turn->claimed[i].fence, memory_order_relaxed);
		atomic_store_explicit(&word->word, RV_WORD_WAITING, memory_order_release);
	}
	if (count > 0 && RV_FAULT(worker_claimed) != RV_OK)
		rv_worker_fail(worker, RV_E_IO, "fault point worker_claimed", NULL);
	/* We look at the same queues, but are only one: tell the next who sleeps. */
	if (count > 0 && worker->more > 0 && someone_idle(worker))
		rv_child_ring_queue(worker->child, worker->queues[0]);
}

/* Which queues they are never changes in a worker's life; with weights their order does. */
static void fill_queues(struct rv_worker *worker, struct rv_req_turn *turn)
{
	const struct rv_conf_list *queues = &worker->pool->queues;
	unsigned count = queues->count < RV_QUEUES_MAX ? (unsigned)queues->count : RV_QUEUES_MAX;

	if (turn->nqueues > 0 && !queues->weights)
		return;
	for (unsigned i = 0; i < count; i++)
		worker->order[i] = (uint16_t)i;
	if (queues->weights)
		rv_order_queues(queues->weights, count, rv_random_u64(), worker->order);
	turn->nqueues = count;
	for (unsigned i = 0; i < count; i++) {
		const char *name = queues->items[worker->order[i]];
		size_t size = strlen(name);

		PRE(size < RV_NAME_MAX);
		memcpy(turn->queues[i], name, size + 1);
	}
}

static int post(struct rv_worker *worker, unsigned want, struct rv_why *why)
{
	struct rv_req_turn *turn = &worker->req.u.turn;
	int err;

	worker->req.kind = RV_REQ_TURN;
	fill_queues(worker, turn);
	turn->incarnation = worker->child->incarnation;
	turn->want = want;
	turn->prefetch = want > 1 ? 1 : 0;
	turn->children = worker->child->children ? 1 : 0;
	turn->nacks = worker->nacks;
	for (unsigned i = 0; i < worker->nacks; i++)
		turn->acks[i] = worker->acks[i];
	err = rv_child_do(worker->child, &worker->req, worker->durability, ROUND_US, why);
	if (err == RV_OK) {
		take_acks(worker, turn);
		if (want > 0)
			take_claims(worker, turn);
	}
	return err;
}

/* What a failed round means for this process; true: try again after a pause. */
static bool survive(struct rv_worker *worker, int err, const struct rv_why *why)
{
	static bool complained;

	switch (err) {
	case RV_OK:
		complained = false;
		return false;
	case RV_E_BUSY:
		rv_worker_again(worker, BUSY_US);
		return true;
	case RV_E_NOSPACE:
	case RV_E_NOMEM:
		if (!complained)
			rv_log(RV_LOG_ERROR, RV_EV_store_error, "%s; trying on",
			       rv_why_text(why, err));
		complained = true;
		rv_worker_again(worker, NO_SPACE_US);
		return true;
	case RV_E_STALE:
		/* Somebody gave our leases away: we were taken for dead. */
		rv_worker_fail(worker, RV_E_BUSY, "this incarnation counts as dead", why);
		return true;
	default:
		rv_worker_fail(worker, err, "a round failed", why);
		return true;
	}
}

int rv_claim(struct rv_worker *worker)
{
	struct rv_why why = {.text = ""};
	unsigned want = 0;
	int err;

	if (worker->next < worker->nclaimed)
		INV(worker->turn.phase != RV_TURN_NONE);
	if (may_claim(worker))
		want = rv_batch_next(worker->batch, worker->more,
				     (unsigned)worker->pool->workers.max);
	if (want > 1 && !have_words(worker))
		want = 1;
	if (want == 0 && worker->nacks == 0)
		return RV_OK;
	err = post(worker, want, &why);
	if (survive(worker, err, &why) || want == 0 || worker->nclaimed > 0)
		return err;
	/* Nothing there: say that we sleep, and look once more for what came before that. */
	set_idle(worker, true);
	err = post(worker, 1, &why);
	if (err != RV_OK || worker->nclaimed > 0)
		set_idle(worker, false);
	(void)survive(worker, err, &why);
	return err;
}

/* An ack for a job that was never started. */
static void give_back(struct rv_worker *worker, unsigned place, enum rv_outcome outcome)
{
	const struct rv_claimed *claim = &worker->claimed[place];
	uint32_t waiting = RV_WORD_WAITING;

	INV(worker->nacks < RV_TURN_MAX);
	if (worker->prefetched)
		(void)atomic_compare_exchange_strong(&worker->words[place].word, &waiting,
						     RV_WORD_TAKEN);
	worker->acks[worker->nacks++] = (struct rv_ack){
		.job = claim->job,
		.fence = claim->fence,
		.outcome = (int32_t)outcome,
		.exit_code = -1,
	};
}

/* The first that nobody has: what was sent ahead to a handler is its, though its turn is to come.
 */
static unsigned first_waiting(const struct rv_worker *worker)
{
	return worker->sent > worker->next ? worker->sent : worker->next;
}

void rv_claim_release(struct rv_worker *worker)
{
	unsigned first = first_waiting(worker);

	for (unsigned i = first; i < worker->nclaimed; i++)
		give_back(worker, i, RV_OUTCOME_INTERRUPTED);
	if (worker->nclaimed > first)
		worker->nclaimed = first;
}

bool rv_claim_is_stale(const struct rv_worker *worker)
{
	return worker->prefetched && first_waiting(worker) < worker->nclaimed &&
	       rv_mono_us() - worker->claimed_us > RV_BATCH_US && someone_idle(worker);
}

bool rv_claim_cancel(struct rv_worker *worker, int64_t job, int64_t fence)
{
	for (unsigned i = worker->next; i < worker->nclaimed; i++) {
		unsigned last = worker->nclaimed - 1;

		if (worker->claimed[i].job != job || worker->claimed[i].fence != fence)
			continue;
		if (i < worker->sent) {
			worker->unwanted |= UINT64_C(1) << i;
			return true;
		}
		give_back(worker, i, RV_OUTCOME_CANCELLED);
		/* The words keep their places: those behind it move up one, words and all. */
		for (unsigned k = i; k < last; k++) {
			worker->claimed[k] = worker->claimed[k + 1];
			worker->queues[k] = worker->queues[k + 1];
			atomic_store(&worker->words[k].job, worker->claimed[k].job);
			atomic_store(&worker->words[k].fence, worker->claimed[k].fence);
			atomic_store(&worker->words[k].word, RV_WORD_WAITING);
		}
		atomic_store(&worker->words[last].word, RV_WORD_TAKEN);
		worker->nclaimed = last;
		return true;
	}
	return false;
}
