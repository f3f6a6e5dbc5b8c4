#ifndef RV_SUPERVISOR_OBIT_H
#define RV_SUPERVISOR_OBIT_H

/*
 * Obituaries: what the supervisor knows of each child that died, numbered, kept until the keeper
 * has ACKed it.  A fixed table: a child is started only when there is a place for its obituary
 * (rv_obits_reserve), so a death never needs memory and never loses one.  Pure.
 */

#include "wire/sup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RV_OBIT_PER_SLOT 4   /* places per slot of the child table */
#define RV_LAST_WORDS    160 /* bytes of a dead child's stderr that are kept, without a NUL */

enum rv_obit_state {
	RV_OBIT_FREE,
	RV_OBIT_SWEEPING, /* processes of it may be left */
	RV_OBIT_UNCLEAN,  /* after RV_OBIT_UNCLEAN_US there still are: its leases run out by time */
	RV_OBIT_SWEPT,    /* may be told */
	RV_OBIT_SENT,     /* told, not ACKed */
};

#define RV_OBIT_UNCLEAN_US 1000000LL

struct rv_obit {
	enum rv_obit_state state;
	uint64_t number; /* 1, 2, 3… in the order of the deaths */
	uint64_t incarnation;
	unsigned slot;
	enum rv_died died;
	int code;  /* exit code, -1 by a signal */
	int signo; /* 0 by an exit */
	bool core;
	int64_t user_us, sys_us, maxrss_bytes; /* of its whole life, its jobs' included */
	int64_t died_us;                       /* CLOCK_MONOTONIC */
	int64_t sent_us;                       /* the same, when it was told last */
	unsigned char words[RV_LAST_WORDS];
	size_t nwords;
};

struct rv_obits {
	struct rv_obit *items; /* owned */
	size_t space;
	size_t used;
	size_t reserved; /* places promised to the living */
	uint64_t last;   /* number of the last death */
};

/* ${slots}: size of the child table.  RV_E_NOMEM. */
int rv_obits_init(struct rv_obits *obits, size_t slots) RV_MUST_CHECK;
void rv_obits_fini(struct rv_obits *obits);

/* Before a child is started: RV_E_BUSY when no place is left (the keeper does not ACK). */
int rv_obits_reserve(struct rv_obits *obits) RV_MUST_CHECK;
/* It was not started after all. */
void rv_obits_unreserve(struct rv_obits *obits);

/* It died: takes its place.  ${what}: incarnation, slot, died, code, signo, core, usage, died_us,
 * words.
 */
struct rv_obit *rv_obits_add(struct rv_obits *obits, const struct rv_obit *what);

/* One that a predecessor of ours had written: takes a place as it is.  RV_E_BUSY. */
int rv_obits_put(struct rv_obits *obits, const struct rv_obit *obit) RV_MUST_CHECK;

/* The first in state ${state} by number, or NULL. */
struct rv_obit *rv_obits_first(struct rv_obits *obits, enum rv_obit_state state);
size_t rv_obits_count(const struct rv_obits *obits, enum rv_obit_state state);

/* A new keeper is READY: whatever was sent is to be sent again. */
void rv_obits_resend(struct rv_obits *obits);
/* What was sent before ${before_us} and not ACKed is to be sent again: true when there is any. */
bool rv_obits_resend_stale(struct rv_obits *obits, int64_t before_us);
/* RV_E_NOTFOUND: none of that number is waiting for an ACK. */
int rv_obits_ack(struct rv_obits *obits, uint64_t number) RV_MUST_CHECK;

/* The DIED message of ${obit}. */
void rv_obit_message(const struct rv_obit *obit, struct rv_sup_msg *ret_msg);

/*
 * The LIVING list for a keeper that is READY: part ${from}… of ${ids}; ${*ret_next} is where the
 * next part begins (== count: that was the last).
 */
void rv_living_message(uint64_t highest, const uint64_t *ids, size_t count, size_t from,
		       struct rv_sup_msg *ret_msg, size_t *ret_next);

#endif
