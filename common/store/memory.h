#ifndef RV_STORE_MEMORY_H
#define RV_STORE_MEMORY_H

/*
 * The memory backend's data: plain arrays, searched from front to back.  The oracle of the tests:
 * obviously right, not fast.  A transaction and each request start with a copy of everything; going
 * back puts it in place.  Strings live until the store is closed, pointers until the next row.
 */

#include "base/arena.h"
#include "store/backend.h"
#include "store/rules.h"

enum mem_place { MEM_READY, MEM_SCHEDULED, MEM_BLOCKED, MEM_LEASE, MEM_DONE, MEM_PLACES };

struct mem_job {
	int64_t id, seq, ord, created_us, deadline_us, asked_us, expires_us, timeout_us,
		payload_size;
	const char *task, *spec, *unique_key, *idem_key, *key, *labels;
	const void *payload;
	int queue, priority, weight, max_attempts,
		max_crashes; /* queue: index, queues are never removed */
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
	bool paused;
	bool rekeying; /* its jobs above rekey_at, up to rekey_until, still have their old places */
	int64_t aging_us, vtime, rekey_at, rekey_until;
	int64_t counts[RV_JOB_STATES];
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
	int64_t id;
};

struct mem_idem {
	const char *key;
	int64_t id, expires_us;
	uint64_t hash;
};

struct mem_dep {
	int64_t parent, child; /* the child is blocked, the parent has not succeeded */
};

struct mem_round {
	uint64_t area, n;
};

struct mem_waiter {
	int64_t job, expires_us;
	char path[108];
};

struct mem_instance {
	struct rv_instance shown;
	uint64_t area, start; /* start: RV_INCARNATION_START of its daemon */
};

/* The tables and their rows: MEM_ROW_<table>. */
#define MEM_ROW_jobs      struct mem_job
#define MEM_ROW_attempts  struct mem_attempt
#define MEM_ROW_events    struct mem_event
#define MEM_ROW_queues    struct mem_queue
#define MEM_ROW_fairs     struct mem_fair
#define MEM_ROW_tasks     struct rv_task_def
#define MEM_ROW_workers   struct mem_worker
#define MEM_ROW_uniques   struct mem_unique
#define MEM_ROW_idems     struct mem_idem
#define MEM_ROW_deps      struct mem_dep
#define MEM_ROW_rounds    struct mem_round
#define MEM_ROW_waiters   struct mem_waiter
#define MEM_ROW_instances struct mem_instance
#define MEM_TABLES(T)                                                                              \
	T(jobs)                                                                                    \
	T(attempts)                                                                                \
	T(events)                                                                                  \
	T(queues)                                                                                  \
	T(fairs)                                                                                   \
	T(tasks)                                                                                   \
	T(workers)                                                                                 \
	T(uniques)                                                                                 \
	T(idems)                                                                                   \
	T(deps)                                                                                    \
	T(rounds)                                                                                  \
	T(waiters)                                                                                 \
	T(instances)

struct mem_state {
#define T(name)                                                                                    \
	struct {                                                                                   \
		MEM_ROW_##name *rows;                                                              \
		size_t n, space;                                                                   \
	} name;
	MEM_TABLES(T)
#undef T
	int64_t epoch, next_id, fence_counter, next_seq;
};

struct mem_store {
	struct rv_store base; /* first: store.c knows only this */
	struct mem_state now;
	struct mem_state begun, saved; /* copies: at begin, at the start of the request */
	int64_t commits;
	int64_t wall_us; /* read once a request */
	struct rv_arena strings;
};

#endif
