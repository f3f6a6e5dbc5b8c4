#ifndef RV_STORE_WRITER_H
#define RV_STORE_WRITER_H

/*
 * Group commit by flat combining (DESIGN §3): a child posts its request in its slot of the area;
 * who gets the robust mutex is the leader and executes all that is posted in one transaction on its
 * own connection, publishes the answers and wakes the rest.  One writer a process; workers and
 * keeper.
 */

#include "store/request.h"
#include "wire/area.h"

struct rv_writer;

struct rv_writer_open {
	struct rv_store *store; /* borrowed; opened with rv_writer_busy as its interrupt hook */
	struct rv_area *area;   /* borrowed */
	unsigned slot;
	uint64_t incarnation;
	int64_t checkpoint_bytes; /* a leader checkpoints after its round at this size (4 MiB) */
	void (*beat)(void *ctx);  /* at least every 50 ms while waiting */
	void (*stuck)(void *ctx, unsigned slot); /* the leader's tick has stood still for 1 s */
	void (*ring)(void *ctx, const struct rv_ring *ring); /* leader: after a commit */
	void *ctx;
};

/*
 * A newcomer clears the slot and writes its own incarnation; it waits only while its predecessor's
 * request is being executed.  A take-over that is due stays due, for the next leader.
 * RV_E_FAILED: the area is marked failed, exit 74.
 */
int rv_writer_open(const struct rv_writer_open *how, struct rv_writer **ret_writer,
		   struct rv_why *why) RV_MUST_CHECK;
void rv_writer_close(struct rv_writer *writer);

/*
 * Posts ${req} (kind, input) and returns when it is answered: each effect has happened exactly once
 * or not at all.  RV_OK: it was executed and committed; its own outcome and answer are in ${req}.
 * RV_E_UNKNOWN / RV_E_FAILED: exit 74.  BUSY: the write lock was not had within ${timeout_us}; a
 * request already posted was withdrawn.  INTERNAL: it has ended two leaders and was given up.
 * STALE: the slot was given to another incarnation.  These and all others: nothing of it was done,
 * and req->err says the same.
 */
int rv_writer_do(struct rv_writer *writer, struct rv_req *req, enum rv_durability durability,
		 int64_t timeout_us) RV_MUST_CHECK;

/*
 * The same for ${count} ≥ 1 requests of ours, in one transaction with what others have posted; each
 * has its own outcome.  With more than one this process leads: none of them travels.  Where it is
 * not RV_OK, each of them has err set to it.
 */
int rv_writer_do_all(struct rv_writer *writer, struct rv_req *const *reqs, size_t count,
		     enum rv_durability durability, int64_t timeout_us) RV_MUST_CHECK;

/* The store's interrupt hook (ctx: a struct rv_writer **): bumps the tick, beats, never gives up
 * early. */
bool rv_writer_busy(void *ctx);

#endif
