/*
 * The leader: one round of group commit, and the take-over of a round that a dead leader left open.
 * Runs in workers and the keeper, with the area's mutex held.  Everything posted is copied to
 * private memory before it is executed; the answers are published only after the commit (DESIGN
 * §3). Must never wait for another process, but for SQLite's write lock in rv_store_begin.
 */
#include "store/writer_private.h"

#include "base/check.h"
#include "base/fault.h"
#include "base/seam.h"
#include "store/backend.h"

#define BEGIN_MAX_US (3600 * RV_S_US) /* longer than anybody waits; keeps sums from overflowing */

struct round {
	uint64_t number; /* 0: none but our own request, which needs no mark and no row */
	enum rv_durability durability;
	bool direct; /* our own request is executed from private memory, not from a slot */
	bool committed;
	unsigned ntaken;
	uint16_t taken[RV_AREA_SLOTS_MAX];
};

static void tick(struct rv_writer *writer, enum rv_area_phase phase)
{
	atomic_store_explicit(&writer->head->phase, phase, memory_order_relaxed);
	atomic_fetch_add_explicit(&writer->head->tick, 1, memory_order_relaxed);
}

static void roll_back(struct rv_writer *writer)
{
	if (writer->how.store->in_transaction)
		rv_store_rollback(writer->how.store);
}

/* What the next transaction must be, of our own request and of those posted so far. */
static enum rv_durability wanted(const struct rv_writer *writer, const struct rv_writer_own *own)
{
	uint16_t marked[RV_AREA_SLOTS_MAX];

	if (own->durability == RV_DURABILITY_FULL)
		return RV_DURABILITY_FULL;
	unsigned count = rv_writer_slot_marked(writer, writer->how.slot, marked);

	for (unsigned i = 0; i < count; i++) {
		const struct rv_area_slot *slot = &writer->slots[marked[i]];

		if ((atomic_load(&slot->state) & RV_SLOT_STATE_MASK) == RV_SLOT_POSTED &&
		    atomic_load_explicit(&slot->full, memory_order_relaxed) != 0)
			return RV_DURABILITY_FULL;
	}
	return RV_DURABILITY_NORMAL;
}

static void flip(struct rv_area_slot *slot)
{
	if (rv_writer_slot_move(slot, RV_SLOT_TAKEN, RV_SLOT_ANSWERED))
		rv_writer_slot_wake(slot);
}

/*
 * A leader died between BEGIN and its last flip.  ${committed}, read inside our own transaction,
 * tells whether its round is in the store: then its answers hold; else nothing of it happened.
 */
static void take_over(struct rv_writer *writer, uint64_t open, uint64_t committed)
{
	uint64_t last = atomic_load(&writer->head->round);

	PRE(open != 0);
	for (unsigned i = 0; i < writer->nslots; i++) {
		struct rv_area_slot *slot = &writer->slots[i];

		if ((atomic_load(&slot->state) & RV_SLOT_STATE_MASK) != RV_SLOT_TAKEN)
			continue;
		if (committed == open && atomic_load(&slot->stamp) == open) {
			flip(slot);
			continue;
		}
		atomic_store(&slot->stamp, 0);
		if (rv_writer_slot_move(slot, RV_SLOT_TAKEN, RV_SLOT_POSTED))
			rv_writer_slot_mark(writer, i);
	}
	if (last < open)
		last = open;
	if (last < committed)
		last = committed;
	atomic_store(&writer->head->round, last);
	atomic_store(&writer->head->open, 0);
}

/* From holding the mutex to a transaction in which nothing is left of a dead leader's round. */
static int begin(struct rv_writer *writer, struct rv_writer_own *own, const struct round *round)
{
	struct rv_store *store = writer->how.store;
	uint64_t open = atomic_load(&writer->head->open);
	uint64_t committed = 0;
	int64_t left = own->deadline_us - rv_mono_us();

	if (left > BEGIN_MAX_US)
		left = BEGIN_MAX_US;
	int err = RV_FAULT(round_begin);

#ifdef RV_MUTANT_ROUND_BEFORE_BEGIN
	if (open != 0 && err == RV_OK) {
		err = rv_store_begin(store, RV_DURABILITY_NORMAL, 0, NULL);
		if (err == RV_OK)
			err = rv_store_round_get(store, writer->area_id, &committed);
		roll_back(writer);
		err = RV_OK; /* the read is a moment's; who writes does not hinder it */
	}
#endif
	if (err == RV_OK)
		err = rv_store_begin(store, round->durability, left > 0 ? left : 0,
				     &own->reqs[0]->why);
	if (err != RV_OK)
		return err;
	tick(writer, RV_PHASE_EXECUTE);
	err = RV_FAULT(round_begun);
#ifndef RV_MUTANT_ROUND_BEFORE_BEGIN
	if (err == RV_OK && open != 0)
		err = rv_store_round_get(store, writer->area_id, &committed);
#endif
	if (err != RV_OK) {
		roll_back(writer);
		return err;
	}
	if (open != 0)
		take_over(writer, open, committed);
	return RV_OK;
}

/* Puts one marked slot into the round, if there is something to take. */
static void take(struct rv_writer *writer, struct round *round, unsigned index)
{
	struct rv_area_slot *slot = &writer->slots[index];
	uint32_t state = atomic_load(&slot->state) & RV_SLOT_STATE_MASK;

	PRE(index < writer->nslots);
	if (state == RV_SLOT_CALLING)
		return;
	if (state != RV_SLOT_POSTED) {
		/* A mark left behind.  Its owner may post in this moment: look again after. */
		rv_writer_slot_unmark(writer, index);
		if ((atomic_load(&slot->state) & RV_SLOT_STATE_MASK) == RV_SLOT_POSTED)
			rv_writer_slot_mark(writer, index);
		return;
	}
	if (round->number == 0) {
		round->number = atomic_load(&writer->head->round) + 1;
		atomic_store(&writer->head->round, round->number);
		atomic_store(&writer->head->open, round->number);
	}
	if (!rv_writer_slot_move(slot, RV_SLOT_POSTED, RV_SLOT_TAKEN))
		return; /* withdrawn */
	/*
	 * Posted after the durability was chosen: the next round's.  Looked at only now, for before
	 * it was ours it might have been withdrawn and another posted.
	 */
	if (round->durability == RV_DURABILITY_NORMAL &&
	    atomic_load_explicit(&slot->full, memory_order_relaxed) != 0) {
		(void)rv_writer_slot_move(slot, RV_SLOT_TAKEN, RV_SLOT_POSTED);
		return;
	}
	rv_writer_slot_unmark(writer, index);
	INV(round->ntaken < writer->nslots);
	round->taken[round->ntaken++] = (uint16_t)index;
}

/* Decides what this round executes: our own request, unless a dead leader did, and what is posted.
 */
static void collect(struct rv_writer *writer, struct rv_writer_own *own, struct round *round)
{
	uint16_t marked[RV_AREA_SLOTS_MAX];

	round->direct = !own->posted;
	if (own->posted && (rv_writer_slot_move(writer->slot, RV_SLOT_POSTED, RV_SLOT_EMPTY) ||
			    rv_writer_slot_move(writer->slot, RV_SLOT_CALLING, RV_SLOT_EMPTY))) {
		rv_writer_slot_unmark(writer, writer->how.slot);
		own->posted = false;
		round->direct = true;
	}
	unsigned count = rv_writer_slot_marked(writer, writer->how.slot, marked);

	for (unsigned i = 0; i < count; i++)
		take(writer, round, marked[i]);
}

static int execute_own(struct rv_writer *writer, struct rv_writer_own *own)
{
	int err = RV_OK;

	PRE(own->count > 0);
	for (size_t i = 0; i < own->count && err == RV_OK; i++) {
		own->reqs[i]->why.text[0] = '\0'; /* of a BEGIN that was BUSY */
		err = RV_FAULT(round_request);
		if (err == RV_OK)
			err = rv_store_execute(writer->how.store, own->reqs[i]);
		if (err != RV_OK && i > 0) /* whose words are everybody's */
			own->reqs[0]->why = own->reqs[i]->why;
		tick(writer, RV_PHASE_EXECUTE);
	}
	return err;
}

/*
 * Executes what is in a taken slot and writes the answer back, stamped.  A request that killed its
 * leaders twice is not given to a third.  The return value ends the transaction.
 */
static int execute_slot(struct rv_writer *writer, const struct round *round,
			struct rv_area_slot *slot)
{
	struct rv_req *shared = rv_writer_slot_request(slot);
	uint32_t tries = atomic_fetch_add(&slot->tries, 1) + 1;
	int result = RV_E_INTERNAL;

	PRE(round->number != 0);
	if (tries < RV_WRITER_TRIES) {
		result = rv_req_copy(&writer->scratch, shared, RV_REQ_INPUT);
		if (result == RV_OK && !rv_req_flat(writer->scratch.kind))
			result = RV_E_USAGE;
	}
	if (result == RV_OK) {
		int err = RV_FAULT(round_request);

		if (err == RV_OK)
			err = rv_store_execute(writer->how.store, &writer->scratch);
		if (err == RV_OK && rv_req_copy(shared, &writer->scratch, RV_REQ_ANSWER) != RV_OK)
			result = RV_E_UNKNOWN; /* its owner scribbled over what it asked */
		atomic_store(&slot->tries, tries - 1);
		if (err != RV_OK)
			return err;
	}
	atomic_store(&slot->result, result);
	atomic_store(&slot->stamp, round->number);
	tick(writer, RV_PHASE_EXECUTE);
	return RV_OK;
}

static int execute(struct rv_writer *writer, struct rv_writer_own *own, const struct round *round)
{
	int err = RV_OK;

	if (round->direct)
		err = execute_own(writer, own);
	for (unsigned i = 0; i < round->ntaken && err == RV_OK; i++)
		err = execute_slot(writer, round, &writer->slots[round->taken[i]]);
	if (err == RV_OK && round->number != 0)
		err = rv_store_round_set(writer->how.store, writer->area_id, round->number);
	return err;
}

/* RV_E_UNKNOWN: nobody can say whether it is in the store.  Any other failure: it is not. */
static int commit(struct rv_writer *writer, struct rv_writer_own *own)
{
	int err = RV_FAULT(round_executed);

	if (err != RV_OK)
		return err;
	tick(writer, RV_PHASE_COMMIT);
	return rv_store_commit(writer->how.store, &own->reqs[0]->why);
}

/* Answers everybody of the round.  Nothing may be flipped before what it says is in the store. */
static void flip_all(struct rv_writer *writer, const struct round *round, int err)
{
	for (unsigned i = 0; i < round->ntaken; i++) {
		struct rv_area_slot *slot = &writer->slots[round->taken[i]];

		if (err != RV_OK)
			atomic_store(&slot->result, err);
		flip(slot);
		(void)RV_FAULT(round_flip);
	}
}

/* Everybody must see that the area is failed: all that wait look now. */
static void fail(struct rv_writer *writer)
{
	atomic_store(&writer->head->failed, 1);
	for (unsigned i = 0; i < writer->nslots; i++) {
		atomic_fetch_add(&writer->slots[i].state, RV_SLOT_WAKE_ONE);
		rv_writer_slot_wake(&writer->slots[i]);
	}
}

/* The transaction, begun: execute, commit, answer. */
static void transact(struct rv_writer *writer, struct rv_writer_own *own, struct round *round)
{
	collect(writer, own, round);
	if (!round->direct && round->number == 0) {
		roll_back(writer); /* our answer came with the take-over, and nobody else posted */
		return;
	}
	int err = execute(writer, own, round);

#ifdef RV_MUTANT_ACK_BEFORE_COMMIT
	flip_all(writer, round, err);
#endif
	if (err == RV_OK)
		err = commit(writer, own);
	if (err == RV_E_UNKNOWN)
		fail(writer);
	else if (err != RV_OK)
		roll_back(writer);
	round->committed = err == RV_OK;
	if (round->committed)
		(void)RV_FAULT(round_committed);
	flip_all(writer, round, err);
	if (round->direct) {
		own->answered = true;
		own->result = err;
	}
	(void)RV_FAULT(round_flipped);
	if (round->number != 0 && err != RV_E_UNKNOWN)
		atomic_store(&writer->head->open, 0);
}

/* Lets the mutex go and tells those who wait: the next leader, then whom the commit concerns. */
static void leave(struct rv_writer *writer, const struct round *round)
{
	const struct rv_ring *rings = NULL;
	uint32_t me = writer->how.slot + 1;

	PRE(writer->leading);
	atomic_store_explicit(&writer->head->phase, RV_PHASE_NONE, memory_order_relaxed);
	writer->leading = false;
	if (pthread_mutex_unlock(&writer->head->mutex) != 0)
		IMPOSSIBLE("the mutex is not ours");
	/* Only after: who is stopped in between must still be named.  A new leader has put its own.
	 */
	(void)atomic_compare_exchange_strong(&writer->head->leader, &me, 0);
	rv_writer_slot_nudge(writer);
	if (!round->committed || !writer->how.ring)
		return;
	size_t count = rv_store_rings(writer->how.store, &rings);

	for (size_t i = 0; i < count; i++)
		writer->how.ring(writer->how.ctx, &rings[i]);
}

int rv_writer_round(struct rv_writer *writer, struct rv_writer_own *own)
{
	struct round round = {.number = 0};

	PRE(!writer->leading && !own->answered);
	writer->leading = true;
	atomic_store(&writer->head->leader, writer->how.slot + 1);
	tick(writer, RV_PHASE_ACQUIRE);
	round.durability = wanted(writer, own);
	int err = begin(writer, own, &round);

	if (err == RV_OK)
		transact(writer, own, &round);
	if (round.committed) {
		tick(writer, RV_PHASE_CHECKPOINT);
		/* BUSY is usual (readers), and a failure is told by the next transaction. */
		(void)!rv_store_checkpoint(writer->how.store, writer->how.checkpoint_bytes, NULL);
	}
	POST(!writer->how.store->in_transaction);
	leave(writer, &round);
	return err;
}
