#ifndef RV_WIRE_AREA_H
#define RV_WIRE_AREA_H

/*
 * The area: the shared memory of one daemon's children, a sealed memfd on descriptor 4.  The
 * supervisor makes and initialises it before the first fork, then unmaps it: it only ever preads
 * the hints.  Everything in it may be written by any child, so every index, length and pid read
 * from it is bounded and none is trusted.  docs/PROTOCOL.md §area has the memory order.
 *
 * A slot is the index of a child in the supervisor's child table; slot 0 is the keeper.
 */

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define RV_AREA_MAGIC     0x7265657665617231ULL /* "reevear1" */
#define RV_AREA_VERSION   1u
#define RV_AREA_SLOTS_MAX 256u
#define RV_AREA_SLOT_SIZE 65536u /* request and answer of one child */
#define RV_AREA_WORDS     64u    /* jobs that one child may hold at once (RV_TURN_MAX) */

/* What the leader is doing; a tick that moves in ACQUIRE or CHECKPOINT is never stuck. */
enum rv_area_phase {
	RV_PHASE_NONE,
	RV_PHASE_ACQUIRE, /* waiting for SQLite's write lock */
	RV_PHASE_EXECUTE,
	RV_PHASE_COMMIT,
	RV_PHASE_CHECKPOINT,
};

/*
 * State of a slot's request: the low 3 bits of its word; the bits above count wakes, so that none
 * is lost.  The owner moves EMPTY→POSTED|CALLING, POSTED|CALLING→EMPTY (withdrawn), ANSWERED→EMPTY;
 * the mutex holder POSTED→TAKEN→ANSWERED, TAKEN→POSTED (take-over), and a newcomer its own slot to
 * EMPTY.
 */
enum rv_slot_state {
	RV_SLOT_EMPTY,
	RV_SLOT_POSTED,
	RV_SLOT_ANSWERED,
	RV_SLOT_TAKEN,   /* posted, and in the open round */
	RV_SLOT_CALLING, /* its owner wants the mutex: its request does not fit into a slot */
};
#define RV_SLOT_STATE_MASK 7u
#define RV_SLOT_WAKE_ONE   8u

/* A prefetched job's word: job state in the low 2 bits; CAS decides who has it. */
enum rv_word { RV_WORD_NONE, RV_WORD_WAITING, RV_WORD_STARTED, RV_WORD_TAKEN };

/* One cache line a child, in the hint pages: what others may look at without a lock. */
struct rv_area_hint {
	_Atomic uint64_t incarnation; /* whose beat this is; 0: nobody's */
	_Atomic int64_t beat_us;      /* CLOCK_MONOTONIC of the last beat */
	_Atomic uint32_t idle;        /* 1: sleeping, wants a WAKE */
	_Atomic uint32_t jobs_done;
	_Atomic int64_t job;        /* the running job, 0 none */
	_Atomic int64_t started_us; /* mono, of the running job */
	_Atomic int64_t limit_us;   /* mono deadline of the running job + grace; 0: none */
	uint64_t spare[2];          /* a whole cache line */
};

struct rv_area_word {
	_Atomic int64_t job; /* 0: unused */
	_Atomic int64_t fence;
	_Atomic uint32_t word; /* enum rv_word */
	uint32_t spare;
};

struct rv_area_slot {
	_Atomic uint64_t owner; /* incarnation of the poster */
	_Atomic uint32_t
		state; /* enum rv_slot_state and wakes; also the futex word its owner waits on */
	_Atomic uint32_t tries; /* executions begun and not finished */
	_Atomic uint64_t stamp; /* round that executed it; 0 not executed */
	_Atomic uint32_t size;  /* bytes of the request */
	_Atomic uint32_t full;  /* 1: it wants a commit that survives a power cut */
	_Atomic int32_t
		result; /* RV_OK: the answer is in body; else nothing of it was done, and why */
	uint32_t spare;
	/* whose words these are; 0: anybody's who has the slot.  Only the keeper gives them free,
	 * when it has buried their owner. */
	_Atomic uint64_t words_owner;
	uint64_t spares;
	struct rv_area_word words[RV_AREA_WORDS];
	_Alignas(64) unsigned char body[RV_AREA_SLOT_SIZE];
};

struct rv_area_head {
	uint64_t magic;
	uint32_t version;
	uint32_t nslots;
	uint64_t id; /* random, per area: the key of its row in the store's round table */
	_Atomic uint32_t
		failed; /* a COMMIT's outcome is unknown: everyone exits 74, nobody takes over */
	_Atomic uint32_t leader; /* slot of the mutex holder + 1; 0 none: a hint for STUCK */
	_Atomic uint32_t phase;  /* enum rv_area_phase, of the leader */
	_Atomic uint32_t
		epoch_ok;      /* the keeper has raised the epoch for this boot: claims may begin */
	_Atomic uint64_t tick; /* bumped by every request and every busy-handler call (≤ 50 ms) */
	_Atomic uint64_t round; /* last round opened */
	_Atomic uint64_t open;  /* round whose BEGIN…flip is open; 0: none */
	_Atomic uint64_t
		posted[RV_AREA_SLOTS_MAX / 64]; /* which slots may be POSTED: a hint for the scan */
	_Alignas(64) pthread_mutex_t mutex;     /* robust, process-shared */
};

struct rv_area {
	struct rv_area_head *head;
	struct rv_area_hint *hints; /* nslots of them */
	struct rv_area_slot *slots; /* nslots of them */
	size_t size;
};

/* Makes a sealed memfd with ${nslots} slots, initialised, unmapped.  The supervisor only. */
int rv_area_create(unsigned nslots, int *ret_fd, uint64_t *ret_id,
		   struct rv_why *why) RV_MUST_CHECK;
/* Maps ${fd} (borrowed) after checking magic, version, seals and size.  Children only. */
int rv_area_map(int fd, struct rv_area *ret_area, struct rv_why *why) RV_MUST_CHECK;
void rv_area_unmap(struct rv_area *area);
/* preads the hint of ${slot}: what the supervisor knows of beats and idleness, never trusted. */
int rv_area_peek(int fd, unsigned slot, struct rv_area_hint *ret_hint) RV_MUST_CHECK;

#endif
