#ifndef RV_STORE_MEMORY_H
#define RV_STORE_MEMORY_H

/*
 * The memory backend's data: plain arrays, searched from front to back.  The oracle of the tests:
 * obviously right, not fast.  A transaction and each request start with a copy of everything; going
 * back puts it in place.  Strings live until the store is closed, pointers until the next row.
 */

#include "base/arena.h"
#include "store/backend.h"
#include "store/memory_tables.h"
#include "store/rules.h"

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
#define MEM_ROW_tolds     struct mem_told
#define MEM_ROW_waiters   struct mem_waiter
#define MEM_ROW_instances struct mem_instance
#define MEM_ROW_ended     struct mem_ended
#define MEM_ROW_gates     struct mem_gate
#define MEM_ROW_batches   struct mem_batch
#define MEM_ROW_holds     struct mem_hold
#define MEM_ROW_resources struct rv_resource_def
#define MEM_ROW_schedules struct rv_schedule_view
#define MEM_ROW_firings   struct mem_firing
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
	T(tolds)                                                                                   \
	T(waiters)                                                                                 \
	T(instances)                                                                               \
	T(ended)                                                                                   \
	T(gates)                                                                                   \
	T(batches)                                                                                 \
	T(holds)                                                                                   \
	T(resources)                                                                               \
	T(schedules)                                                                               \
	T(firings)

struct mem_state {
#define T(name)                                                                                    \
	struct {                                                                                   \
		MEM_ROW_##name *rows;                                                              \
		size_t n, space;                                                                   \
	} name;
	MEM_TABLES(T)
#undef T
	int64_t epoch, next_id, fence_counter, next_seq, batches_given, schedules_given;
	bool lend_due; /* within a request: children of who sleeps are to be looked at */
};

struct mem_store {
	struct rv_store base; /* first: store.c knows only this */
	struct mem_state now;
	struct mem_state begun, saved; /* copies: at begin, at the start of the request */
	struct mem_state tried;        /* and within one: before what may be refused */
	size_t tried_rings;
	int64_t commits;
	int64_t wall_us; /* read once a request */
	struct rv_arena strings;
};

#endif
