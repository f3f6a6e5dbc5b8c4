#ifndef RV_KEEP_KEEPER_H
#define RV_KEEP_KEEPER_H

/*
 * The keeper: housekeeping of one daemon's store.  All of its state; the functions below are one a
 * file, called from the loop (main.c).
 */

#include "child/child.h"
#include "child/link.h"
#include "store/request.h"

#include <stdbool.h>
#include <stdint.h>

struct rv_conf_pool;
struct rv_offers;

#define RV_KEEP_TICK_US 1000000LL
#define RV_KEEP_DO_US   2000000LL /* patience of a request; what was not done is tried again */
#define RV_KEEP_KICKS   256       /* the last cancellations that were passed on */

/* One row of the living as the store has it: slot and pool of an incarnation. */
struct rv_keep_life {
	uint64_t incarnation;
	int64_t beat_deadline_us;
	int pid, slot;
	const struct rv_conf_pool *pool; /* NULL: the keeper's own, or a pool that is gone */
	int64_t told_us;                 /* mono: HUNG was said; 0 never */
};

struct rv_keep_died {
	uint64_t number;
	unsigned slot;
	struct rv_expire_one one;
};

struct rv_keeper {
	struct rv_child child;
	struct rv_child_link link;
	struct rv_loop *loop;
	struct rv_loop_signals signals;
	struct rv_loop_timer tick, due, tidy, inbox, sweep, cron, again;
	/* tick.c */
	int64_t ticked_us;        /* mono: the last TICK that was sent */
	int64_t seen_us;          /* mono: when we last knew that we run */
	int64_t missed_us;        /* the longest time since that we did not; 0 none */
	int64_t change;           /* rv_store_change at the last look */
	int64_t ready, oldest_us; /* jobs, wall time of the first in order (0 none) */
	int64_t open_jobs;        /* not final */
	uint64_t round;           /* of the area when the leader was seen acquiring */
	int64_t acquiring_us;     /* mono: since when; 0: nobody does */
	int64_t blocker;          /* pid that holds up all writers, 0 none */
	/* beats.c */
	struct rv_keep_life lives[RV_AREA_SLOTS_MAX * 4];
	unsigned nlives;
	int64_t flushed_us; /* mono */
	bool forgiving;     /* time passed without us: nobody is judged before the next look */
	/* dead.c */
	struct rv_keep_died died[RV_EXPIRE_MAX];
	unsigned ndied;
	uint64_t living[RV_AREA_SLOTS_MAX * 8]; /* the LIVING list, as it comes in */
	unsigned nliving;
	uint64_t highest;
	bool listed; /* it is complete and not dealt with */
	/* due.c */
	struct {
		int64_t job, fence;
	} kicked[RV_KEEP_KICKS];
	unsigned nkicked, sweeps; /* sweep.c: jobs of its next transaction; 0 not known */
	int64_t cron_due_us;      /* cron.c, wall: when a schedule is to be looked at; 0 never */
	struct rv_offers *offers; /* offers.c; NULL: nobody has come */
	bool waits[RV_AREA_SLOTS_MAX]; /* admit.c, by pool of the configuration */
	struct rv_resume_walk *resume; /* resume.c */
	struct rv_req req;             /* too large for a stack */
	int result;
	bool ending, woken;
	bool untidy; /* tidy.c: batches are left */
};

/* main.c: one request; false: not done, tried again later, or the keeper ends (it says so). */
bool rv_keep_do(struct rv_keeper *keeper, enum rv_durability durability, const char *what);
/* main.c: an error of a read; true when it is nothing to end for. */
bool rv_keep_survives(struct rv_keeper *keeper, int err, const char *what,
		      const struct rv_why *why);
/* main.c: the loop's hook shall run again after a while. */
void rv_keep_again(struct rv_keeper *keeper, int64_t after_us);

/* take.c: this daemon has the store now: epoch, leases of its predecessors, tasks and queues. */
int rv_keep_take(struct rv_keeper *keeper, struct rv_why *why) RV_MUST_CHECK;

/* dead.c: obituaries and the list of the living; done: nothing waits any more. */
void rv_keep_on_died(struct rv_keeper *keeper, const struct rv_sup_msg *msg);
void rv_keep_on_living(struct rv_keeper *keeper, const struct rv_sup_msg *msg);
void rv_keep_bury(struct rv_keeper *keeper);

/* due.c: promotes what is due, sets the timer for what is next, passes cancellations on. */
void rv_keep_promote(struct rv_keeper *keeper);
void rv_keep_set_due(struct rv_keeper *keeper, int64_t next_due_us);
void rv_keep_kick(struct rv_keeper *keeper);

/* tidy.c: a batch of what can wait, and the next ones in its time. */
void rv_keep_tidy(struct rv_keeper *keeper);

/* cron.c: when a schedule is due next; fires what is, some now, the others in the next turns. */
void rv_keep_look_cron(struct rv_keeper *keeper);
void rv_keep_cron(struct rv_keeper *keeper);

/* inbox.c: a batch of what SQL has put there; sweep.c: jobs of failed batches; the next ones. */
void rv_keep_inbox(struct rv_keeper *keeper);
void rv_keep_on_inbox(struct rv_loop_timer *timer);
void rv_keep_sweep(struct rv_loop_timer *timer);

/* load.c: LOAD for each pool whose number of workers follows the work. */
void rv_keep_load(struct rv_keeper *keeper);

/* followers.c: those whose owners have died are rung no more. */
void rv_keep_forget_followers(struct rv_keeper *keeper);
/* admit.c: which pools are to wait, told to the supervisor; whether this one was. */
void rv_keep_admit(struct rv_keeper *keeper);
bool rv_keep_waits(const struct rv_keeper *keeper, const struct rv_conf_pool *pool);

/* resume.c: removes some of what jobs that are over have left. */
void rv_keep_resume(struct rv_keeper *keeper);

/* offers.c: a connection (taken) that hands jobs over. */
void rv_keep_on_submit(struct rv_keeper *keeper, int fd);
/* offers_round.c: the end of a turn: one transaction with what is there, if it is time for one. */
void rv_keep_offers_round(struct rv_keeper *keeper);
/* offers.c: ends those that are slow or idle; says goodbye to all. */
void rv_keep_offers_expire(struct rv_keeper *keeper, int64_t now_us);
void rv_keep_offers_end(struct rv_keeper *keeper);

/* tick.c: the second: TICK, the safety poll, the checkpoint, who blocks the writers. */
void rv_keep_tick(struct rv_keeper *keeper);
/* tick.c: how many jobs there are, when the next one is due. */
void rv_keep_read_totals(struct rv_keeper *keeper);
/* tick.c: now; notes time in which we did not run at all: stopped, suspended, starved. */
int64_t rv_keep_note_time(struct rv_keeper *keeper);
/* tick.c: TICK alone, while a request of ours waits. */
void rv_keep_tick_waiting(struct rv_keeper *keeper);

/* beats.c: the beats of the living into the store, the silent reported and expired. */
void rv_keep_read_lives(struct rv_keeper *keeper);
bool rv_keep_flush(struct rv_keeper *keeper); /* false: not all of it, tried again */
void rv_keep_judge(struct rv_keeper *keeper);
/* beats.c: ${gap_us} passed in which we did nothing. */
void rv_keep_forgive(struct rv_keeper *keeper, int64_t gap_us);

#endif
