#ifndef RV_RUN_WORKER_H
#define RV_RUN_WORKER_H

/*
 * The worker: one job at a time through claim → start → run → finish.  This is its state; what only
 * one stage needs (timers, pipes) is static in that stage's file.  The functions below are called
 * by the loop's hook (main.c) and by each other.
 */

#include "run/turn.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct rv_area_hint;
struct rv_area_word;
struct rv_batch;
struct rv_child;
struct rv_conf;
struct rv_conf_pool;
struct rv_loop;
struct rv_said;
struct rv_store;
struct rv_sup_msg;

struct rv_worker {
	struct rv_child *child;
	const struct rv_conf *conf;
	const struct rv_conf_pool *pool;
	const char *mark; /* REEVE_INSTANCE of our jobs */
	char bin[1024];   /* the folder of the reeve that they may call; "" in no PATH */
	struct rv_loop *loop;
	struct rv_store *store;
	struct rv_area_hint *hint;  /* ours, in the area */
	struct rv_area_word *words; /* the same: of prefetched jobs */
	/* what we were told */
	bool quiet, draining, stopping;
	bool warming; /* main.c: it has not said READY, its handlers are not */
	bool waits;   /* its pool is over its bounds: nothing is claimed for now */
	/* claim.c */
	bool idle; /* the bit is set and the look after it found nothing */
	struct rv_batch *batch;
	uint32_t more; /* ready jobs left after the last claim */
	struct rv_claimed claimed[RV_TURN_MAX];
	uint16_t order[RV_QUEUES_MAX];   /* in which the last claim looked at the pool's queues */
	const char *queues[RV_TURN_MAX]; /* of each of those */
	unsigned nclaimed, next;
	unsigned sent;     /* pipe: those at places below it have gone to their handler */
	uint64_t unwanted; /* of those behind the turn's, by place: cancel was asked for */
	bool prefetched;
	int64_t booted_us, claimed_us;   /* mono: of its start; of those */
	struct rv_ack acks[RV_TURN_MAX]; /* waiting for the next round */
	unsigned nacks;
	uint64_t left; /* of those, by place: ended, and what they left for a next run goes */
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
/* main.c: the loop ends after this turn. */
void rv_worker_end(struct rv_worker *worker);

/* claim.c: once, with pool and area known. */
void rv_claim_init(struct rv_worker *worker);
/* claim.c: a round: posts the acks, claims if we may.  RV_OK also when nothing was there. */
int rv_claim(struct rv_worker *worker);
/* claim.c: is there anything to say or to ask for? */
bool rv_claim_due(const struct rv_worker *worker);
/* claim.c: the claimed jobs that were not started are given back in the next round. */
void rv_claim_release(struct rv_worker *worker);
/* claim.c: some wait for longer than they may, and somebody is there who could run them. */
bool rv_claim_is_stale(const struct rv_worker *worker);
/* claim.c: one claimed job that waits is given back as cancelled; false: it does not wait. */
bool rv_claim_cancel(struct rv_worker *worker, int64_t job, int64_t fence);
/* claim.c: WAKE. */
void rv_claim_woken(struct rv_worker *worker);
/* claim.c: a job of the last claim took ${took_us}; not ${quick}: K begins anew at 1. */
void rv_claim_took(struct rv_worker *worker, int64_t took_us, bool quick);

/* start.c: every handler's open and close. */
int rv_start_open(struct rv_worker *worker, struct rv_why *why) RV_MUST_CHECK;
void rv_start_close(struct rv_worker *worker);
/* start.c: starts the next claimed job. */
void rv_start(struct rv_worker *worker);
/* start.c: the job's handler could not be had, as if its start had returned ${err}. */
void rv_turn_unstartable(struct rv_worker *worker, int err, const struct rv_why *why);

/* run.c: works out when the run is over at the latest; opens its output, without a file yet. */
void rv_run_begin(struct rv_worker *worker);
/* run.c: the clocks of a run that goes on. */
void rv_run_watch(struct rv_worker *worker);
/*
 * run.c, for a handler that has yet to become ready, which takes at most ${timeout_us}: the run's
 * clocks stand until rv_run_booted, and begin then.
 */
void rv_run_boot(struct rv_worker *worker, int64_t timeout_us);
void rv_run_booted(struct rv_worker *worker);
/* run.c: stops them, closes the output and notes how much there was. */
void rv_run_end(struct rv_worker *worker);
/* run.c: kills the job with all its processes and waits for their end: the worker is ending. */
void rv_run_kill(struct rv_worker *worker);
/* run.c: is there a job that has not ended? */
bool rv_run_on(const struct rv_worker *worker);

/*
 * told.c: what the running job said of itself (says.h), on its way into the store: its progress at
 * most once a second and at its end, its result just before a successful end.  begin: a job begins;
 * heard: it printed something on ${stream} (enum rv_output_stream); retry_us: how long it wants to
 * wait for its next attempt, -1 not said; end: its ack comes next.  What fails here is logged: a
 * job's end is more than its words.  said: the same from a handler that has its own protocol.
 */
void rv_told_begin(void);
void rv_told_heard(struct rv_worker *worker, int stream, const void *data, size_t size);
void rv_told_said(struct rv_worker *worker, const struct rv_said *said);
int64_t rv_told_retry_us(void);
void rv_told_end(struct rv_worker *worker, bool succeeded);

/* pipe_proc.c, for rv_sweep: this child of ours is a handler that lives. */
bool rv_pipe_keeps(void *ctx, pid_t pid);
/* pipe_keep.c: before READY, a handler that is to be warm is not; ≤ half of boot_timeout. */
bool rv_keep_warming(void);
/* left.c: what the run left for the next one: kept, dropped (its ack says so), or to go; goes. */
void rv_left_look(struct rv_worker *worker, struct rv_ack *ack);
void rv_left_acked(struct rv_worker *worker, const struct rv_ack *acks);
/* finish.c: the ack of a run that has ended, or that could not start. */
void rv_finish(struct rv_worker *worker);

/* beat.c: the timer; and what is to be done while a request of ours waits. */
void rv_beat_start(struct rv_worker *worker);
void rv_beat_stop(void);
void rv_beat_waiting(void *ctx);
/* beat.c: a job begins: gaps between earlier beats were nobody's. */
void rv_beat_begin(struct rv_worker *worker);

/* drain.c: messages, signals, the end of the supervisor (orphaned: does not return). */
void rv_drain_message(void *ctx, const struct rv_sup_msg *msg);
void rv_drain_gone(void *ctx);
void rv_drain_orphaned(void *ctx);
int rv_drain_signals(struct rv_worker *worker) RV_MUST_CHECK;
void rv_drain_close(void);

#endif
