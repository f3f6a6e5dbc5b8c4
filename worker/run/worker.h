#ifndef RV_RUN_WORKER_H
#define RV_RUN_WORKER_H

/*
 * The worker: one job at a time through claim → start → run → finish.  This is all of its state;
 * the functions below are one a file, called by the loop's hook (main.c) and by each other.
 */

#include "child/child.h"
#include "child/link.h"
#include "run/batch.h"
#include "run/turn.h"
#include "store/request.h"

#include <stdbool.h>
#include <stdint.h>

struct rv_conf;
struct rv_conf_pool;

struct rv_worker {
	struct rv_child child;
	struct rv_child_link link;
	const struct rv_conf_pool *pool;
	struct rv_loop *loop;
	struct rv_loop_signals signals;
	struct rv_loop_timer beat;  /* while not idle */
	struct rv_loop_timer again; /* another turn of the loop, now or after a pause */
	/* what we were told */
	bool quiet, draining, stopping;
	/* the claim */
	bool idle; /* the bit is set and the look after it found nothing */
	struct rv_area_word *words;
	struct rv_batch batch;
	uint32_t more; /* ready jobs left after the last claim */
	struct rv_claimed claimed[RV_TURN_MAX];
	const char *queues[RV_TURN_MAX]; /* of each of those */
	unsigned nclaimed, next;
	bool prefetched;
	struct rv_ack acks[RV_TURN_MAX]; /* waiting for the next round */
	unsigned nacks;
	enum rv_durability durability; /* of those acks */
	/* the job */
	struct rv_turn turn;
	struct rv_req req; /* a turn is too large for a stack */
	int result;        /* RV_OK or why the worker ends */
	bool ending;
};

/* main.c: the worker ends with ${err}, after what is running was killed. */
void rv_worker_fail(struct rv_worker *worker, int err, const char *what, const struct rv_why *why);
/* main.c: run the hook again, after a pause or at once. */
void rv_worker_again(struct rv_worker *worker, int64_t after_us);

/* claim.c: a round: posts the acks, claims if we may.  RV_OK also when nothing was there. */
int rv_claim(struct rv_worker *worker);
/* claim.c: is there anything to say or to ask for? */
bool rv_claim_due(const struct rv_worker *worker);
/* claim.c: the claimed jobs that were not started are given back in the next round. */
void rv_claim_release(struct rv_worker *worker);
/* claim.c: one claimed job that waits is given back as cancelled; false: it does not wait. */
bool rv_claim_cancel(struct rv_worker *worker, int64_t job, int64_t fence);
/* claim.c: WAKE. */
void rv_claim_woken(struct rv_worker *worker);

/* start.c: starts the next claimed job. */
void rv_start(struct rv_worker *worker);

/* run.c: kills the job with all its processes and waits for their end: the worker is ending. */
void rv_run_kill(struct rv_worker *worker);

/* finish.c: the ack of a run that has ended, or that could not start. */
void rv_finish(struct rv_worker *worker);

/* beat.c: the timer; and what a late beat means. */
void rv_beat_gap(struct rv_worker *worker);
void rv_beat_start(struct rv_worker *worker);
void rv_beat_stop(struct rv_worker *worker);

/* drain.c: messages, signals, the end of the supervisor. */
void rv_drain_message(void *ctx, const struct rv_sup_msg *msg);
void rv_drain_gone(void *ctx);
/* drain.c: the same while a request waits: does not return. */
void rv_drain_orphaned(void *ctx);
int rv_drain_signals(struct rv_worker *worker) RV_MUST_CHECK;

#endif
