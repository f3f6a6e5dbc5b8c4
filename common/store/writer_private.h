#ifndef RV_STORE_WRITER_PRIVATE_H
#define RV_STORE_WRITER_PRIVATE_H

/* What the three files of the writer share; nobody else includes it.  The protocol they speak with
 * the writers of other processes, and its memory order, is docs/PROTOCOL.md §Area. */

#include "store/writer.h"

#include <stdbool.h>

#define RV_WRITER_TRIES    3               /* at this execution of a request it is given up */
#define RV_WRITER_NAP_MIN  (2 * RV_MS_US)  /* first wait: a leader's round takes about so long */
#define RV_WRITER_NAP_MAX  (50 * RV_MS_US) /* how often a waiting process beats at least */
#define RV_WRITER_STUCK_US (1 * RV_S_US)

struct rv_writer {
	struct rv_writer_open how;
	struct rv_area_head *head;
	struct rv_area_slot *slots;
	struct rv_area_slot *slot; /* ours, of slots */
	uint64_t area_id;          /* copied once, as everything that must not change under us */
	unsigned nslots;           /* ≤ RV_AREA_SLOTS_MAX */
	bool leading;              /* we hold the mutex for a round */
	struct rv_req scratch;     /* the private copy that is executed */
};

/* The caller's own requests while rv_writer_do_all() runs. */
struct rv_writer_own {
	struct rv_req *const *reqs;
	size_t count;
	enum rv_durability durability;
	int64_t deadline_us; /* mono */
	bool posted;         /* it is (also) in our slot; else only in ${req} */
	bool answered;       /* by ourselves as leader: ${result} counts */
	int result;
};

/*
 * writer_round.c.  One round as leader, the mutex held at the start and released at the end. RV_OK:
 * what was posted is answered, ours too (own->answered, or, by a take-over, in the slot).  An
 * error: nothing of ours was done and nothing was taken from others; own is as it was.
 */
int rv_writer_round(struct rv_writer *writer, struct rv_writer_own *own) RV_MUST_CHECK;

/* writer_slot.c: states, the bitmap of hints, waking. */
struct rv_req *rv_writer_slot_request(struct rv_area_slot *slot);
bool rv_writer_slot_move(struct rv_area_slot *slot, enum rv_slot_state from, enum rv_slot_state to);
void rv_writer_slot_mark(struct rv_writer *writer, unsigned index);
void rv_writer_slot_unmark(struct rv_writer *writer, unsigned index);
/* The marked slots in order, beginning after ${after}; ${ret} has room for RV_AREA_SLOTS_MAX. */
unsigned rv_writer_slot_marked(const struct rv_writer *writer, unsigned after, uint16_t *ret);
void rv_writer_slot_wait(struct rv_area_slot *slot, uint32_t word, int64_t timeout_us);
void rv_writer_slot_wake(struct rv_area_slot *slot);
/* Wakes one that is POSTED and one that is CALLING, to lead next; after the mutex was released. */
void rv_writer_slot_nudge(struct rv_writer *writer);

#endif
