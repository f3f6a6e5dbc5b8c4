#ifndef RV_SIM_SIM_H
#define RV_SIM_SIM_H

/*
 * The simulator: workers, a keeper and people as objects over one store, with clocks and randomness
 * behind the seam, so that a seed is a run.  What really happened (which runs began and ended,
 * which acks were taken) is written down by an observer that sees everything; the store may never
 * contradict it.  Violations end the process with the seed that repeats them.
 */

#include "contract/dice.h"
#include "core/job.h"
#include "store/batch.h"
#include "store/read.h"

#define SIM_WORKERS 6
#define SIM_HELD    4 /* jobs that one worker holds at once */
#define SIM_JOBS    400
#define SIM_RUNS    8192
#define SIM_DEATHS  64
#define SIM_OLD     8 /* acks a worker remembers to send once more */
#define SIM_KEYS    4
#define SIM_BATCHES 16
#define LEASE_US    (30 * RV_S_US)

/* What the observer knows of a job. */
struct sim_job {
	int64_t id;
	bool deleted, succeeded;
	bool timed;           /* its unique key is held for a time */
	int burned;           /* attempts, by acks that were taken */
	int64_t newest;       /* fence of the last claim */
	int64_t settled;      /* fence of the last ack that was taken */
	int64_t cancel_fence; /* a cancel was committed for the run of this fence */
};

/* What the observer knows of a batch. */
struct sim_batch {
	int64_t id;
	bool closed, gone;
	int64_t called[2]; /* on success, on completion: the jobs, 0 not yet */
};

/* One process of a job. */
struct sim_run {
	int64_t job, fence;
	int worker; /* index */
	uint64_t who;
	bool live;
};

struct sim_held {
	int64_t job, fence;
	bool prefetched;
	bool ended; /* its run is over, the ack not yet sent */
	struct rv_ack ack;
};

struct sim_worker {
	bool alive, stopped, overslept; /* overslept: its lease may be gone without its knowing */
	int64_t wake_us, deadline_us;   /* mono; the deadline of its last beat */
	uint64_t incarnation;
	struct sim_held held[SIM_HELD];
	int nheld;
	int run; /* index of its live run, -1 */
	struct rv_ack old[SIM_OLD];
	int nold;
};

struct sim_death {
	uint64_t who;
	int died;
	int64_t started_fence;
};

struct sim {
	const char *backend;
	uint64_t seed;
	long step, steps, check_every;
	bool verbose, calm; /* calm: no more faults, everything shall finish */
	struct dice dice;
	struct still clock;
	struct rv_store *store,
		*foreign; /* foreign: another process that may hold the write lock */
	bool locked;
	char path[512];
	struct rv_req req;
	uint64_t start, next_incarnation;
	int boot;
	struct sim_worker workers[SIM_WORKERS];
	struct sim_job jobs[SIM_JOBS];
	int njobs;
	struct sim_run runs[SIM_RUNS];
	int nruns;
	struct sim_death deaths[SIM_DEATHS];
	int ndeaths;
	bool keeper_alive;
	int64_t idem[SIM_KEYS];
	struct sim_batch batches[SIM_BATCHES];
	int nbatches;
	long asked, busy, taken, stale, crashes;
};

/* sim_world.c */
void sim_fail(const struct sim *s, const char *format, ...) RV_PRINTF(2, 3) RV_NORETURN;
void sim_note(const struct sim *s, const char *format, ...) RV_PRINTF(2, 3); /* with --verbose */
void sim_open(struct sim *s);
void sim_reopen(struct sim *s);
void sim_close(struct sim *s);
/* Executes s->req in a transaction; false: BUSY, it did not happen.  The observer looks on. */
bool sim_ask(struct sim *s, int kind);
struct sim_job *sim_job(struct sim *s, int64_t id);
void sim_run_begins(struct sim *s, int worker, const struct sim_held *held);
void sim_run_ends(struct sim *s, int worker);
void sim_check(struct sim *s);      /* invariants */
void sim_check_jobs(struct sim *s); /* every job against what was observed */

static inline int sim_below(struct sim *s, int n)
{
	return dice_below(&s->dice, n);
}

static inline bool sim_chance(struct sim *s, int percent)
{
	return dice_chance(&s->dice, percent);
}

/* sim_worker.c */
void sim_worker_step(struct sim *s, int w);
void sim_worker_dies(struct sim *s, int w);

/* sim_others.c: the keeper, people, the daemon, the clock. */
void sim_daemon_starts(struct sim *s, bool other_boot);
void sim_keeper_tick(struct sim *s);
/* sim_cron.c: its part that fires schedules. */
void sim_keeper_cron(struct sim *s);
void sim_people_step(struct sim *s);
void sim_enqueue(struct sim *s);
void sim_clock_step(struct sim *s);
void sim_lock_step(struct sim *s);

#endif
