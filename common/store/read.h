#ifndef RV_STORE_READ_H
#define RV_STORE_READ_H

/*
 * Reading a store.  Each call is one snapshot, ended before a callback of the caller may block;
 * callbacks must not call the store.  Strings in callbacks are borrowed for the call.
 * Used by workers (load), the keeper, and the CLI.
 */

#include "core/job.h"
#include "store/request.h"

/* A job as people see it.  Times are wall_us, 0: absent; pointers live as the call says. */
struct rv_job_view {
	int64_t id, batch, parent, parent_left; /* 0 none; left: of --after, not ended yet */
	const char *task, *queue, *spec, *unique_key, *idem_key, *key, *labels, *meta, *error,
		*worker, *takes; /* takes: resources it named itself; NULL: its task's */
	int64_t until_us;        /* of unique_key: RV_UNTIL_*, or how long from created_us on */
	const char *gate; /* BLOCKED by a limit: the gate it waits at (core/limit.h); else NULL */
	enum rv_job_state state;
	int priority, weight, attempt, max_attempts, crashes, max_crashes, runs;
	int64_t run_at_us, created_us, started_us, finished_us, expires_us, deadline_us, timeout_us;
	int exit_code, signo; /* of the last attempt; RV_EXIT_NONE or _OOM / 0 none */
	int64_t fence;
	uint64_t incarnation; /* of the worker that holds the lease */
	int slot;
	bool cancel_requested, prefetched, held, callback; /* callback: of that batch, not in it */
	uid_t uid;
	size_t payload_size;
	uint64_t sum; /* as it was enqueued: RV_JOB_SUM of request.h */
};

/* Errors of a job that was cancelled with its parent, or wanted it to fail; it forgets them all. */
#define RV_SAYS_PARENT_CANCELLED "parent %lld was cancelled"
#define RV_SAYS_PARENT_SUCCEEDED "parent %lld succeeded"

struct rv_attempt_view {
	/* usage: as in struct rv_ack; if its worker crashed, that one's in all its life */
	int64_t job, fence, started_us, ended_us, user_us, sys_us, maxrss_bytes, output_bytes;
	int run, attempt, outcome, exit_code, signo; /* outcome: enum rv_outcome; -1: it runs */
	const char *worker, *error;
};

struct rv_queue_view {
	const char *name;
	enum rv_strategy strategy;
	bool paused, draining;
	int max; /* jobs that may wait there; 0 any number */
	enum rv_on_full on_full;
	int64_t counts[RV_JOB_STATES]; /* kept, never counted */
	int64_t oldest_ready_us; /* wall creation or promotion time of the first in order; 0 none */
};

struct rv_worker_view {
	uint64_t incarnation;
	int64_t pid, beat_deadline_us;
	int slot;
	const char *pool;
	bool live;
	int64_t leases;
};

struct rv_job_filter {
	int state;       /* enum rv_job_state, -1 any */
	unsigned states; /* != 0: instead of state, any of these (1 << enum rv_job_state) */
	const char *queue, *task;
	int64_t before_id; /* keyset pagination: ids below this, newest first; 0 from the newest */
	int64_t above_id;  /* and above this */
	int64_t limit, batch; /* batch: its members only; 0 any */
};

/* RV_E_NOTFOUND when there is none.  Strings live until the next call on the store. */
int rv_store_job(struct rv_store *store, int64_t id, struct rv_job_view *ret_view) RV_MUST_CHECK;
/* The payload, copied into ${sink} piece by piece (≤ 64 KiB each); a sink error ends it. */
int rv_store_payload(struct rv_store *store, int64_t id,
		     int (*sink)(void *ctx, const void *data, size_t size),
		     void *ctx) RV_MUST_CHECK;
/* What a job says of itself: how far the run is, or the last one was, and what came out of it. */
struct rv_told {
	int percent;         /* -1: it did not say */
	const char *message; /* NULL: it did not say */
	int64_t at_us;       /* wall, of the progress; 0 none */
	const void *result;  /* NULL: none, or the job has not succeeded */
	size_t result_size;
};
/* RV_E_NOTFOUND: no such job.  What it points to lives until the next call on the store. */
int rv_store_told(struct rv_store *store, int64_t id, struct rv_told *ret_told) RV_MUST_CHECK;
/* Each ends early when the callback returns != RV_OK, and returns that. */
int rv_store_jobs(struct rv_store *store, const struct rv_job_filter *filter,
		  int (*each)(void *ctx, const struct rv_job_view *view), void *ctx) RV_MUST_CHECK;
int rv_store_attempts(struct rv_store *store, int64_t id,
		      int (*each)(void *ctx, const struct rv_attempt_view *view),
		      void *ctx) RV_MUST_CHECK;
int rv_store_queues(struct rv_store *store,
		    int (*each)(void *ctx, const struct rv_queue_view *view),
		    void *ctx) RV_MUST_CHECK;
int rv_store_tasks(struct rv_store *store, int (*each)(void *ctx, const struct rv_task_def *task),
		   void *ctx) RV_MUST_CHECK;
int rv_store_workers(struct rv_store *store,
		     int (*each)(void *ctx, const struct rv_worker_view *view),
		     void *ctx) RV_MUST_CHECK;
/* Parents that ${id} still waits for: id and state of each, and how it must end. */
int rv_store_parents(struct rv_store *store, int64_t id,
		     int (*each)(void *ctx, int64_t parent, enum rv_job_state state,
				 enum rv_after on),
		     void *ctx) RV_MUST_CHECK;
/* A gate (core/limit.h) that is in use or has jobs waiting at it. */
struct rv_gate_view {
	const char *name;
	int64_t used, max, waiting; /* units, max -1: not counted; waiting: jobs parked there */
	struct rv_rate rate;
	int64_t due_us;   /* wall: when the first of them gets a token; 0: it waits for none */
	int64_t kept_for; /* the job that starved, for which it is kept (core/limit.h); 0 none */
};
int rv_store_gates(struct rv_store *store, int (*each)(void *ctx, const struct rv_gate_view *view),
		   void *ctx) RV_MUST_CHECK;
/* Which jobs hold units of which gate, by job. */
int rv_store_holds(struct rv_store *store,
		   int (*each)(void *ctx, int64_t job, const char *gate, int64_t n),
		   void *ctx) RV_MUST_CHECK;
/* Whether cancel was requested for the job under this fence: the worker's look at each beat. */
int rv_store_cancel_wanted(struct rv_store *store, int64_t id, int64_t fence,
			   bool *ret_wanted) RV_MUST_CHECK;
/* Every lease with cancel_requested: a keeper that becomes READY KICKs them. */
int rv_store_cancels(struct rv_store *store,
		     int (*each)(void *ctx, int64_t job, int64_t fence, int slot),
		     void *ctx) RV_MUST_CHECK;
/* For the keeper's poll: all counts, and the next that is due (wall_us, 0 none). */
struct rv_store_totals {
	int64_t counts[RV_JOB_STATES];
	int64_t next_due_us, oldest_ready_us, inbox, inbox_refused, sweep; /* 1: some wait */
};
int rv_store_totals(struct rv_store *store, struct rv_store_totals *ret_totals) RV_MUST_CHECK;

/* The newest instance row: how a client finds the daemon.  NOTFOUND before the first start. */
struct rv_instance {
	int64_t pid, start_ticks, epoch;
	char boot_id[40], runtime_dir[256];
};
int rv_store_instance(struct rv_store *store, struct rv_instance *ret_instance) RV_MUST_CHECK;

/* File and log sizes, page counts, schema, ids given out: name and value for `db stats`. */
int rv_store_stats(struct rv_store *store, int (*each)(void *ctx, const char *name, int64_t value),
		   void *ctx) RV_MUST_CHECK;
/* One read-only statement of a person; RV_E_USAGE with the backend's words.  `db sql` only. */
int rv_store_sql(struct rv_store *store, const char *sql,
		 int (*row)(void *ctx, int n, const char *const *names, const char *const *values),
		 void *ctx, struct rv_why *why) RV_MUST_CHECK;

#endif
