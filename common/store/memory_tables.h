#ifndef RV_STORE_MEMORY_TABLES_H
#define RV_STORE_MEMORY_TABLES_H

/* The rows of the memory backend's tables; memory.h lists the tables.  Private to memory_*.c. */

#include "store/rules.h"

enum mem_place { MEM_READY, MEM_SCHEDULED, MEM_BLOCKED, MEM_LEASE, MEM_DONE, MEM_PLACES };

struct mem_job {
	int64_t id, seq, ord, created_us, deadline_us, asked_us, expires_us, timeout_us,
		payload_size;
	int64_t until_us; /* of unique_key */
	const char *task, *spec, *unique_key, *idem_key, *key, *labels, *meta, *takes;
	const char *gate;      /* BLOCKED: waits in the line of this one; NULL: for parents */
	int moves;             /* ... how often it changed lines */
	bool passed, borrowed; /* READY, LEASE: its gates let it through, some with an ancestor's */
	unsigned lent, waits;  /* LEASE: 1 << kind, units that are a child's; how often it sleeps */
	const void *payload;
	int64_t batch, parent;                                  /* 0 none */
	bool callback;                                          /* of that batch, not in it */
	int queue, priority, weight, max_attempts, max_crashes; /* queue: index, for good */
	uid_t uid;
	enum mem_place place;
	bool ttl; /* still counts: neither started nor final */
	int runs, attempts, crashes, granted;
	int64_t since_us;         /* READY: became so */
	int64_t due_us;           /* SCHEDULED; BLOCKED: not before */
	int64_t fence, leased_us; /* LEASE … */
	uint64_t incarnation, sum;
	bool started, cancel_requested, held; /* held: BLOCKED until it is released */
	enum rv_job_state final;              /* DONE … */
	int64_t finished_us;
	const char *error;
};

struct mem_attempt {
	int64_t job, fence, started_us, ended_us, user_us, sys_us, maxrss_bytes, output_bytes;
	int run, attempt, outcome, exit_code, signo; /* outcome -1: it runs */
	const char *worker, *error;
};

#define MEM_NOTHING (-1) /* from: the job came into being */
struct mem_event {
	int64_t seq, at_us, job, fence;
	int from, to;
};

struct mem_queue {
	char name[RV_NAME_MAX];
	enum rv_strategy strategy;
	enum rv_queue_gate gate;
	bool rekeying; /* its jobs above rekey_at, up to rekey_until, still have their old places */
	int64_t aging_us, vtime, rekey_at, rekey_until;
	int64_t counts[RV_JOB_STATES];
	struct rv_limits limits;
	int max; /* jobs that may wait; 0 any number */
	enum rv_on_full on_full;
};

/* A run that has ended: what statistics are made of. */
struct mem_ended {
	int queue;
	const char *task;
	int64_t minute;
	struct rv_run_end run;
};

struct mem_gate {
	const char *name;
	int64_t used, full_us, due_us; /* due: the head of its line is to be looked at then */
	bool open;                     /* within a request: now */
};

struct mem_hold {
	int64_t job, n;
	const char *gate;
};

struct mem_fair {
	const char *key;
	int queue;
	int64_t finish;
};

struct mem_worker {
	uint64_t incarnation;
	int64_t pid, start_ticks, beat_deadline_us, ended_us;
	int slot;
	bool live;
	char pool[RV_NAME_MAX], boot_id[40], name[RV_WORKER_NAME_MAX];
};

struct mem_unique {
	const char *key;
	int64_t id, until_us; /* 0: the job says */
};

struct mem_idem {
	const char *key;
	int64_t id, expires_us;
	uint64_t hash;
};

struct mem_dep {
	int64_t parent, child; /* the child is blocked, the parent has not ended as it must */
	enum rv_after on;
};

struct mem_batch {
	int64_t id, created_us, closed_us, ended_us, total, succeeded, dead, cancelled, forgotten;
	int64_t success_job, complete_job, parent;
	int64_t allowed, percent, failed_us, sweep; /* as the columns of the table */
	bool stops;
	const char *name, *labels;
	struct rv_callback on_success, on_complete;
	uid_t uid;
};

struct mem_round {
	uint64_t area, n;
};

struct mem_waiter {
	int64_t job, expires_us; /* job: < 0 a batch; far below, room in a queue */
	int64_t room;            /* for so many */
	char path[108];
};

struct mem_instance {
	struct rv_instance shown;
	uint64_t area, start; /* start: RV_INCARNATION_START of its daemon */
};

struct mem_firing {
	const char *schedule;
	struct rv_firing_view view;
};

/* What runs said of themselves: the last of each kind counts, if it is of the run in question. */
struct mem_told {
	int64_t job, fence, at_us;
	bool is_result;
	int percent;
	const char *message;
	const void *data;
	size_t size;
};

#endif
