#ifndef RV_SUPERVISOR_TABLE_H
#define RV_SUPERVISOR_TABLE_H

/*
 * The child table's rows: pools and children.  Allocated at start, never after: the way fork →
 * death → restart → obituary needs no memory.
 */

#include "base/spec.h"
#include "loop/loop.h"
#include "os/spawn.h"
#include "supervisor/obit.h"
#include "supervisor/plan.h"
#include "supervisor/restart.h"
#include "supervisor/scale.h"

enum rv_proc_kind {
#define PROC(sym, program, name, first, last) RV_PROC_##sym,
#include "supervisor/procs.def"
#undef PROC
	RV_PROC_KINDS
};

/* What somebody asked of a pool until he takes it back (pools.h). */
enum rv_hold {
	RV_HOLD_NONE,
	RV_HOLD_QUIET,   /* its workers claim nothing more */
	RV_HOLD_DRAINED, /* it has no workers */
	RV_HOLDS
};

#define RV_CHILD_LINE 4096               /* longest line of a child's stderr that stays whole */
#define RV_CHILD_NAME (RV_NAME_MAX + 16) /* "default/0" */
#define RV_SECOND_US  1000000LL

/* The replacement of a pool's workers (roll.h). */
enum rv_roll_state {
#define ROLL(sym, name) RV_ROLL_##sym,
#include "supervisor/roll_states.def"
	RV_ROLL_STATES
};

struct rv_roll {
	enum rv_roll_state state;
	int failures; /* newcomers that did not come up */
	int64_t began_us;
};

/* What the supervisor needs of a pool, copied out of the configuration. */
struct rv_pool {
	bool is_used; /* a place in the table that is not free */
	bool is_gone; /* from the configuration: its last workers are ending */
	char name[RV_NAME_MAX];
	int min, max;        /* workers, as the configuration said last */
	int wanted;          /* workers: the same, or what somebody scaled it to since */
	enum rv_hold hold;   /* pools.h */
	unsigned generation; /* that its workers should have: of a configuration, or of a restart */
	struct rv_roll roll;
	struct rv_scale scale; /* of use where min < max */
	int64_t scale_up_wait_us;
	int64_t scale_idle_us;
	int surge;
	int max_unavailable;
	char after[RV_NAME_MAX]; /* the pool that comes first; "": none does */
	bool has_been_up;        /* all that were wanted were there at once */
	bool is_restarted;       /* what failed is started again */
	bool is_vital;           /* the daemon ends when one of them fails */
	int64_t recycle_jobs;    /* of a worker; 0: never, as of the next two */
	int64_t recycle_age_us;
	int64_t recycle_rss_bytes;
	int64_t hang_us;
	int64_t boot_us;
	struct rv_restart_policy policy;
	uint64_t tokens[RV_QUEUES_MAX]; /* doorbell tokens of its queues */
	size_t ntokens;
	unsigned next_wake; /* slot after the last one woken */
	bool was_degraded;  /* as logged */
	bool waits;         /* it is over its bounds (admit.h) ... */
	char waits_why[80]; /* ... and why */
};

/* A child's stderr: read without waiting, passed on to the log, its last line kept. */
struct rv_child_words {
	int fd; /* -1: none */
	struct rv_loop_io io;
	size_t size;
	bool is_cut;    /* the rest of a line that was too long is skipped */
	int64_t credit; /* bytes that may still be passed on; refilled by time */
	int64_t filled_us;
	uint64_t dropped; /* lines since the last that was passed on */
	size_t nlast;
	unsigned char last[RV_LAST_WORDS];
	char line[RV_CHILD_LINE];
};

/* One slot of the child table. */
struct rv_child {
	enum rv_life life;
	int64_t deadline_us; /* of this state; 0: none */
	int pool;            /* RV_POOL_NONE: free; the keeper: RV_POOL_NONE */
	int index;           /* in its pool */
	bool is_leaving;
	bool is_unhurried; /* it was idle when it was told to leave: a job it took meanwhile runs on
			    */
	bool is_spent;     /* it has had its time: to be replaced (recycle.c) */
	uint32_t chance;   /* how much earlier than others it is */
	unsigned generation;
	char name[RV_CHILD_NAME];
	unsigned slot;

	struct rv_proc proc; /* pidfd -1: no process */
	pid_t pid;           /* of the process, also after it was reaped: for messages only */
	struct rv_loop_proc watch;
	struct rv_loop_timer traced; /* its tracer collects it first: then we look again */
	int chan;                    /* our end of its descriptor 3; -1: none */
	struct rv_loop_io chan_io;
	uint64_t incarnation;
	int64_t ready_us;     /* 0: not yet */
	int64_t closed_us;    /* its end of descriptor 3 is closed since; 0: it is not */
	enum rv_reason cause; /* why we end it; NONE: we do not */
	int credit;           /* messages that it may still send; refilled by time */
	int64_t filled_us;
	bool is_paused; /* out of credit: not read for a while */

	uint64_t ping; /* number of the WAKE that waits for its STATUS; 0: none */
	int64_t pinged_us;
	int64_t stuck_us; /* first of a row of STUCK reports about it; 0: none */
	int64_t stuck_last_us;
	uint64_t jobs_done;

	bool is_nested;    /* it runs only jobs of jobs (nest.h) */
	int waits;         /* how often its job waits for others now */
	int64_t waits_job; /* which one */

	struct rv_restart restart;
	enum rv_reason last_reason;
	struct rv_child_words words;
};

/* What the keeper's TICK last said, and since when things are as they are. */
struct rv_pulse {
	int64_t tick_us; /* of its last TICK, or of its READY; 0: no keeper */
	uint64_t depth;
	uint64_t oldest_us;
	uint64_t writer; /* pid that blocks the store's writers; 0: none */
	int64_t down_us; /* since when no keeper is ready; 0: one is, or none was yet */
	unsigned failed; /* its starts that failed since */
};

#endif
