/*
 * Group commit, the side of the poster: posts a request in the process's slot of the area and waits
 * for its answer, or leads a round itself (writer_round.c) when the mutex is free.  Runs in workers
 * and the keeper, one writer a process.  Must never wait longer than 50 ms without a beat, and
 * never answer BUSY for a request that somebody may still execute.
 */
#include "store/writer.h"

#include "base/check.h"
#include "base/seam.h"
#include "store/writer_private.h"

#include <errno.h>
#include <stdlib.h>

#define CHECKPOINT_BYTES (4LL << 20) /* perf.md §6: the best throughput with a small log */
#define STUCK_LOOKS      10          /* that many of our own: else it was we who were stopped */

/* What a waiting process knows of the leader. */
struct watch {
	int64_t nap_us;
	int64_t since_us; /* the tick has not moved since */
	uint64_t tick;
	uint32_t leader;
	unsigned looks;
};

static bool area_failed(const struct rv_writer *writer)
{
	return atomic_load(&writer->head->failed) != 0;
}

/* RV_OK: it is ours.  BUSY; FAILED: the area is, or its mutex is beyond repair. */
static int take_mutex(struct rv_writer *writer)
{
	switch (pthread_mutex_trylock(&writer->head->mutex)) {
	case 0:
		break;
	case EOWNERDEAD:
		/* What it left open, if anything, stands in head->open: the next round sees to it.
		 */
		if (pthread_mutex_consistent(&writer->head->mutex) != 0)
			IMPOSSIBLE("the mutex of a dead owner is ours and cannot be repaired");
		break;
	case EBUSY:
		return RV_E_BUSY;
	default:
		atomic_store(&writer->head->failed, 1);
		return RV_E_FAILED;
	}
	if (!area_failed(writer))
		return RV_OK;
	if (pthread_mutex_unlock(&writer->head->mutex) != 0)
		IMPOSSIBLE("the mutex is not ours");
	return RV_E_FAILED;
}

static void watch_start(const struct rv_writer *writer, struct watch *watch, int64_t now)
{
	*watch = (struct watch){
		.nap_us = RV_WRITER_NAP_MIN,
		.since_us = now,
		.tick = atomic_load_explicit(&writer->head->tick, memory_order_relaxed),
		.leader = atomic_load_explicit(&writer->head->leader, memory_order_relaxed),
	};
}

/*
 * A tick that stands still for a second in any phase: the leader is stopped or hangs, for in
 * ACQUIRE and CHECKPOINT the busy handler moves it every 50 ms.  Told once a second while it lasts.
 */
static void watch_leader(const struct rv_writer *writer, struct watch *watch, int64_t now)
{
	uint64_t tick = atomic_load_explicit(&writer->head->tick, memory_order_relaxed);
	uint32_t leader = atomic_load_explicit(&writer->head->leader, memory_order_relaxed);

	if (leader != watch->leader) {
		watch->leader = leader;
		watch->nap_us = RV_WRITER_NAP_MIN;
	}
	watch->looks++;
	if (tick != watch->tick) {
		watch->tick = tick;
		watch->since_us = now;
		watch->looks = 0;
	}
	if (now - watch->since_us < RV_WRITER_STUCK_US || watch->looks < STUCK_LOOKS)
		return;
	watch->since_us = now;
	if (leader != 0 && leader <= writer->nslots && leader - 1 != writer->how.slot &&
	    writer->how.stuck)
		writer->how.stuck(writer->how.ctx, leader - 1);
}

/* One wait, at most 50 ms, on our slot's word being other than ${word}. */
static void nap(struct rv_writer *writer, struct watch *watch, uint32_t word, int64_t now,
		int64_t deadline_us)
{
	int64_t nap_us = watch->nap_us;

	watch_leader(writer, watch, now);
	if (writer->how.beat)
		writer->how.beat(writer->how.ctx);
	if (deadline_us > now && deadline_us - now < nap_us)
		nap_us = deadline_us - now;
	rv_writer_slot_wait(writer->slot, word, nap_us);
	watch->nap_us *= 2;
	if (watch->nap_us > RV_WRITER_NAP_MAX)
		watch->nap_us = RV_WRITER_NAP_MAX;
}

/* True: the request is out of the slot and nobody has executed it.  False: a leader has taken it.
 */
static bool withdraw(struct rv_writer *writer)
{
	if (!rv_writer_slot_move(writer->slot, RV_SLOT_POSTED, RV_SLOT_EMPTY) &&
	    !rv_writer_slot_move(writer->slot, RV_SLOT_CALLING, RV_SLOT_EMPTY))
		return false;
	rv_writer_slot_unmark(writer, writer->how.slot);
	return true;
}

/* Puts the request (or, for one that does not travel, the wish for the mutex) into our slot. */
static int post(struct rv_writer *writer, struct rv_writer_own *own)
{
	struct rv_area_slot *slot = writer->slot;
	bool travels = own->count == 1 && rv_req_flat(own->reqs[0]->kind);
	enum rv_slot_state state = travels ? RV_SLOT_POSTED : RV_SLOT_CALLING;

	PRE(!own->posted);
	if (travels) {
		int err = rv_req_copy(rv_writer_slot_request(slot), own->reqs[0], RV_REQ_INPUT);

		if (err != RV_OK)
			return err;
	}
	atomic_store_explicit(&slot->size, sizeof *own->reqs[0], memory_order_relaxed);
	atomic_store_explicit(&slot->full, own->durability == RV_DURABILITY_FULL,
			      memory_order_relaxed);
	atomic_store_explicit(&slot->tries, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->stamp, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->result, RV_OK, memory_order_relaxed);
	if (!rv_writer_slot_move(slot, RV_SLOT_EMPTY, state))
		return RV_E_STALE; /* somebody else uses our slot */
	rv_writer_slot_mark(writer, writer->how.slot);
	own->posted = true;
	return RV_OK;
}

/* Our slot is ANSWERED: what the leader wrote, bounded, and the slot is free again. */
static int take_answer(struct rv_writer *writer, struct rv_req *req)
{
	struct rv_area_slot *slot = writer->slot;
	int result = atomic_load(&slot->result);

	PRE(!writer->leading);
	if (result > 0 || result <= -RV_ERRS)
		result = RV_E_FAILED; /* no leader of ours writes that */
	if (result == RV_OK &&
	    rv_req_copy(req, rv_writer_slot_request(slot), RV_REQ_ANSWER) != RV_OK)
		result = RV_E_UNKNOWN; /* scribbled over: it was executed, with what outcome? */
	if (result != RV_OK)
		req->err = result;
	(void)rv_writer_slot_move(slot, RV_SLOT_ANSWERED, RV_SLOT_EMPTY);
	return result;
}

/* We lead with a request that stands in our slot.  True: ${*ret_result} is the end of it. */
static bool lead_posted(struct rv_writer *writer, struct rv_writer_own *own, int *ret_result)
{
	int err = rv_writer_round(writer, own);

	*ret_result = own->answered ? own->result : err;
	if (own->answered || (err != RV_OK && withdraw(writer)))
		return true;
	/*
	 * The round did not begin, and a dead leader had taken our request: whether it was executed
	 * can be read only inside a transaction.  BUSY goes on waiting, whatever the deadline says.
	 */
	if (err != RV_OK && err != RV_E_BUSY) {
		*ret_result = RV_E_UNKNOWN;
		return true;
	}
	return false;
}

static int wait_answer(struct rv_writer *writer, struct rv_writer_own *own)
{
	struct watch watch;
	int64_t now = rv_mono_us();

	PRE(own->posted && !own->answered);
	for (watch_start(writer, &watch, now);; now = rv_mono_us()) {
		uint32_t word = atomic_load_explicit(&writer->slot->state, memory_order_acquire);
		uint32_t state = word & RV_SLOT_STATE_MASK;
		int err = RV_OK;

		if (state == RV_SLOT_ANSWERED)
			return take_answer(writer, own->reqs[0]);
		if (state == RV_SLOT_EMPTY ||
		    atomic_load(&writer->slot->owner) != writer->how.incarnation)
			return RV_E_STALE; /* our slot was given to another */
		err = take_mutex(writer);
		if (err == RV_E_FAILED) {
			(void)withdraw(writer);
			return err;
		}
		if (err == RV_OK) {
			if (lead_posted(writer, own, &err))
				return err;
			continue;
		}
		if (now >= own->deadline_us && withdraw(writer))
			return RV_E_BUSY;
		nap(writer, &watch, word, now, own->deadline_us);
	}
}

/* The first of them was told why, if anybody was. */
static void tell_all(const struct rv_writer_own *own, int err)
{
	PRE(err != RV_OK);
	for (size_t i = 0; i < own->count; i++) {
		own->reqs[i]->err = err;
		own->reqs[i]->why = own->reqs[0]->why;
	}
}

static int do_own(struct rv_writer *writer, struct rv_writer_own *own)
{
	int err;

	if (atomic_load(&writer->slot->owner) != writer->how.incarnation)
		return RV_E_STALE;
	err = take_mutex(writer);
	if (err == RV_OK) { /* nobody leads: ours needs no slot */
		err = rv_writer_round(writer, own);
		return own->answered ? own->result : err;
	}
	if (err == RV_E_BUSY)
		err = post(writer, own);
	return err == RV_OK ? wait_answer(writer, own) : err;
}

int rv_writer_do_all(struct rv_writer *writer, struct rv_req *const *reqs, size_t count,
		     enum rv_durability durability, int64_t timeout_us)
{
	int64_t now = rv_mono_us();
	struct rv_writer_own own = {.reqs = reqs, .count = count, .durability = durability};
	int err;

	PRE(!writer->leading && count > 0);
	own.deadline_us = timeout_us < INT64_MAX - now ? now + timeout_us : INT64_MAX;
	for (size_t i = 0; i < count; i++) {
		PRE(reqs[i]->kind > RV_REQ_NONE && reqs[i]->kind < RV_REQ_KINDS);
		reqs[i]->why.text[0] = '\0';
	}
	err = do_own(writer, &own);
	if (err != RV_OK)
		tell_all(&own, err);
	return err;
}

int rv_writer_do(struct rv_writer *writer, struct rv_req *req, enum rv_durability durability,
		 int64_t timeout_us)
{
	return rv_writer_do_all(writer, &req, 1, durability, timeout_us);
}

bool rv_writer_busy(void *ctx)
{
	struct rv_writer *writer = *(struct rv_writer **)ctx;

	if (!writer)
		return false;
	/* Only a leader's: another's wait must not hide that the leader hangs. */
	if (writer->leading)
		atomic_fetch_add_explicit(&writer->head->tick, 1, memory_order_relaxed);
	if (writer->how.beat)
		writer->how.beat(writer->how.ctx);
	return false;
}

/*
 * What the slot's last owner posted is nobody's any more.  It needs no mutex, for a leader writes
 * to a slot only while it is TAKEN, and it was the leader that made it so.  False: it is TAKEN now.
 */
static bool move_in(struct rv_writer *writer)
{
	struct rv_area_slot *slot = writer->slot;

	PRE(writer->how.slot < writer->nslots);
#ifndef RV_MUTANT_SLOT_NOT_CLEARED
	uint32_t word = atomic_load(&slot->state);

	do {
		if ((word & RV_SLOT_STATE_MASK) == RV_SLOT_TAKEN)
			return false;
	} while (!atomic_compare_exchange_weak(&slot->state, &word,
					       (word & ~RV_SLOT_STATE_MASK) | RV_SLOT_EMPTY));
	rv_writer_slot_unmark(writer, writer->how.slot);
	atomic_store(&slot->tries, 0);
	atomic_store(&slot->stamp, 0);
	atomic_store(&slot->size, 0);
#endif
	atomic_store(&slot->owner, writer->how.incarnation);
	return true;
}

/*
 * The slot is TAKEN and the mutex ours: its leader is dead, as is who asked.  Whether that round is
 * in the store is for the next leader to find out, who looks at slots that are TAKEN, no other.
 */
static void untake(struct rv_writer *writer)
{
	(void)rv_writer_slot_move(writer->slot, RV_SLOT_TAKEN, RV_SLOT_EMPTY);
	if (pthread_mutex_unlock(&writer->head->mutex) != 0)
		IMPOSSIBLE("the mutex is not ours");
	rv_writer_slot_nudge(writer);
}

static int enter(struct rv_writer *writer)
{
	struct watch watch;
	int64_t now = rv_mono_us();

	if (area_failed(writer))
		return RV_E_FAILED;
	for (watch_start(writer, &watch, now); !move_in(writer); now = rv_mono_us()) {
		uint32_t word = atomic_load(&writer->slot->state);
		int err = take_mutex(writer);

		if (err == RV_OK)
			untake(writer);
		else if (err != RV_E_BUSY)
			return err;
		else if ((word & RV_SLOT_STATE_MASK) == RV_SLOT_TAKEN)
			nap(writer, &watch, word, now, INT64_MAX);
	}
	return RV_OK;
}

/* The area's own numbers, which any child may have changed since it was mapped. */
static bool bounded(const struct rv_area *area, unsigned nslots)
{
	const char *end = (const char *)area->head + area->size;

	return nslots > 0 && nslots <= RV_AREA_SLOTS_MAX &&
	       (const char *)(area->slots + nslots) <= end;
}

int rv_writer_open(const struct rv_writer_open *how, struct rv_writer **ret_writer,
		   struct rv_why *why)
{
	unsigned nslots = how->area->head->nslots;

	PRE(how->store && how->incarnation != 0);
	if (!bounded(how->area, nslots) || how->slot >= nslots)
		return rv_fail(why, RV_E_FAILED, "the area has no slot %u", how->slot);
	struct rv_writer *writer = calloc(1, sizeof *writer);

	if (!writer)
		return rv_fail(why, RV_E_NOMEM, "no memory for the writer");
	writer->how = *how;
	if (writer->how.checkpoint_bytes <= 0)
		writer->how.checkpoint_bytes = CHECKPOINT_BYTES;
	writer->head = how->area->head;
	writer->slots = how->area->slots;
	writer->slot = &writer->slots[how->slot];
	writer->area_id = writer->head->id;
	writer->nslots = nslots;
	int err = enter(writer);

	if (err != RV_OK) {
		free(writer);
		return rv_fail(why, err, "the area cannot be used: %s", rv_err_text(err));
	}
	*ret_writer = writer;
	return RV_OK;
}

void rv_writer_close(struct rv_writer *writer)
{
	if (!writer)
		return;
	PRE(!writer->leading);
	free(writer);
}
