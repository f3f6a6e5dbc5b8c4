#ifndef RV_SUPERVISOR_SUP_H
#define RV_SUPERVISOR_SUP_H

/*
 * The supervisor's whole state: one struct rv_sup, made in start.c, changed only from callbacks of
 * its loop.  Everything lives as long as the daemon but the configuration and what follows from it
 * (conf, conf_fd, child_env), which a reload replaces.
 */

#include "supervisor/table.h"

#include <limits.h>

struct rv_conf;
struct rv_control;
struct rv_options;

#define RV_MARK_MAX       72 /* bytes of a REEVE_INSTANCE value, with its NUL */
#define RV_STRANGERS_MAX  32
#define RV_KILL_MARGIN_US RV_SECOND_US /* past kill_after: for the worker's own KILL and report */

enum rv_upgrade_state {
#define UPGRADE(sym, name) RV_UPGRADE_##sym,
#include "supervisor/upgrade_states.def"
	RV_UPGRADE_STATES
};

/* Being executed anew (upgrade.h). */
struct rv_upgrade {
	enum rv_upgrade_state state;
	bool only_check;
	int64_t attempt; /* number of the last one */
	int64_t ended;   /* of the last that came to its end, */
	char error[240]; /* and why it failed; "": it did not */
	int64_t done;    /* how often it went well */
	int64_t deadline_us;
	unsigned generation;    /* of the configuration that it was asked about */
	struct rv_proc checker; /* pidfd 0 or -1: none */
	struct rv_loop_proc watch;
	int words_fd;   /* what it says, */
	char words[64]; /* and what is yes (handover.h) */
	int64_t nonce;  /* of this question */
};

/* Exit status: a worker failed whose pool has on_exit = stop. */
#define RV_EXIT_FAILED 70

struct rv_sup {
	const struct rv_options *options;
	struct rv_conf *conf;     /* owned */
	int conf_fd;              /* its text, sealed: what children get */
	char file[PATH_MAX];      /* where it was read from; "": built-in defaults */
	char self[PATH_MAX];      /* the path of this program */
	unsigned generation;      /* of the configuration, and so of the keeper */
	unsigned last_generation; /* given to a configuration or to a restart */
	int64_t started_us;       /* mono */
	int64_t reloaded_us;      /* wall; 0: never */
	int64_t kill_after_us;    /* the longest of all tasks */

	struct rv_loop *loop;
	struct rv_loop_timer timer;
	struct rv_loop_signals signals;
	struct rv_loop_io log_io;
	int log_fd;         /* that the log waits for; -1: for none */
	int64_t wake_by_us; /* when the timer was to fire */

	enum rv_mode mode;
	bool is_dirty;      /* the plan has to be made anew */
	bool is_ready;      /* READY was announced */
	bool is_finished;   /* the loop ends */
	bool may_work;      /* the keeper has been ready since the area was made */
	bool has_store;     /* some keeper of ours has been ready: its successors make none */
	bool living_due;    /* the keeper has not got the whole list of the living */
	bool reload_failed; /* the last one was refused */
	bool is_suspended;  /* by the terminal: the CONT that comes is the shell's */
	int exit_code;
	char exit_words[RV_LAST_WORDS + 1]; /* why, when it is not 0 */

	int lock_fd;
	int area_fd;
	unsigned controllers; /* RV_CGROUP_*: by which runs can be limited in cgroup */
	int64_t area_us;      /* since when this area is in use */
	struct rv_restart area_restart;
	char mark[RV_MARK_MAX]; /* "<instance>." */
	char cgroup[PATH_MAX];  /* group.h: where workers get groups of their own; "": nowhere */
	uint64_t last_incarnation;

	struct rv_child *children; /* nslots of them; [0] is the keeper */
	size_t nslots;
	int64_t *times; /* of restarts: RV_RESTART_BURST_MAX for each slot and the area; owned */
	struct rv_pool pools[RV_PLAN_SLOTS_MAX];
	struct rv_obits obits;
	struct rv_pulse pulse;
	char program[RV_PROC_KINDS][PATH_MAX];
	char **child_env; /* owned; its first entry is the mark of the child to come */
	char child_mark[RV_MARK_MAX + 48]; /* "REEVE_INSTANCE=…" of the child to come */

	uint64_t living[RV_PLAN_SLOTS_MAX * (1 + RV_OBIT_PER_SLOT)]; /* the list for a keeper */
	size_t nliving;
	size_t living_next; /* == nliving: all sent */

	int64_t recycle_us; /* when workers are looked at next (recycle.c) */
	int64_t sweep_us;   /* when the next turn is due; 0: nothing to sweep */
	int64_t end_us;     /* ending: when no more waiting is done for the keeper's ACKs */
	int64_t retry_us;   /* a new area could not be made: when to try again */
	int64_t oom_kills;  /* of the system, as last read */
	pid_t strangers[RV_STRANGERS_MAX]; /* children that were ours before we began; 0: none */

	char doorbell[PATH_MAX];
	int bell_fd;
	struct rv_loop_io bell_io;
	uint64_t last_ping;
	unsigned rings;

	struct rv_control *control; /* owned */
	int control_fd;             /* its socket */
	struct rv_upgrade upgrade;
	int64_t watchdog_us; /* interval of pings; 0: none */
	int64_t watchdog_due_us;
	char status[300]; /* the STATUS line last sent */
	int64_t status_us;
};

/* A child that we had before we began (a shell's background job, then exec): not ours to sweep. */
static inline bool rv_sup_is_stranger(const struct rv_sup *sup, pid_t pid)
{
	for (int i = 0; i < RV_STRANGERS_MAX && sup->strangers[i] != 0; i++) {
		if (sup->strangers[i] == pid)
			return true;
	}
	return false;
}

#endif
