#ifndef RV_CORE_ORDER_H
#define RV_CORE_ORDER_H

/*
 * A job's place in its queue (DESIGN §3): a number computed once, when the job is accepted, so that
 * every claim is one index seek whatever the strategy: the lowest place goes first, and of equals
 * the oldest.  Pure; the store calls it and keeps what must be remembered.
 */

#include "base/spec.h"

#include <stdbool.h>

#define RV_ORDER_UNIT (1LL << 20) /* virtual time that a job of weight 1 takes */
#define RV_ORDER_END  (1LL << 61) /* virtual time ends here: what is beyond is taken for it */

struct rv_order {
	enum rv_strategy strategy;
	int64_t sequence; /* 0 … 2^47-1, rises with each job accepted or revived: its id */
	int priority;     /* PRIORITY: 0 … RV_PRIORITY_MAX, the lowest goes first */
	int64_t aging_us; /* PRIORITY: a level is worth so much waiting; 0: all the waiting of the
			     world */
	int64_t since_us; /* PRIORITY with aging: wall, since when it waits */
	int64_t deadline_us; /* DEADLINE: wall; 0: none, which goes last */
	int weight;          /* WEIGHTED, FAIR: 1 … RV_WEIGHT_MAX */
	int64_t virtual_now; /* WEIGHTED, FAIR: the place of the last claim */
	int64_t finish;      /* FAIR: rv_order_finish() of the last job with the same key; 0 none */
};

/*
 * FIFO: sequence.  LIFO: −sequence.  PRIORITY: priority << 47 | sequence; with aging: since +
 * priority × aging, so that a job waits at most (its priority − p) × aging behind a newer one of
 * priority p.  DEADLINE: the deadline (earliest deadline first; Liu & Layland 1973).  WEIGHTED:
 * virtual_now + Exp(1) / weight: the next claimed is a draw without replacement with these weights
 * (Efraimidis & Spirakis 2006, A-ExpJ keys); the draw is a hash of the sequence, so that two stores
 * agree.  FAIR: max(virtual_now, finish), the start tag of start-time fair queueing (Goyal, Vin &
 * Cheng 1996).
 */
int64_t rv_order_place(const struct rv_order *job);
/* FAIR: the finish tag of the job that got ${place}: place + 1 / weight. */
int64_t rv_order_finish(int64_t place, int weight);
/*
 * The order in which a claim looks at ${count} queues with ${weights} (0 counts as 1): the first is
 * drawn in proportion to them, each next among the rest (Efraimidis & Spirakis 2006).  ${chance}:
 * random bits.
 */
void rv_order_queues(const int *weights, unsigned count, uint64_t chance, uint16_t *ret_order);
/* Whether a number can be a sequence. */
bool rv_order_sequence_sane(int64_t sequence);
/* Whether a claim at ${place} moves the queue's virtual time on from ${now}; FIFO and others: no.
 */
bool rv_order_passes(enum rv_strategy strategy, int64_t now, int64_t place);

/* ${strategy} may be any number that stood in a damaged store: "unknown". */
const char *rv_strategy_name(int strategy);
int rv_strategy_parse(const char *name, enum rv_strategy *ret_strategy);
bool rv_strategy_sane(int strategy);

#endif
