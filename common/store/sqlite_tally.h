#ifndef RV_STORE_SQLITE_TALLY_H
#define RV_STORE_SQLITE_TALLY_H

/*
 * Names and kept numbers: queues and tasks as this handle knows them, the counts of one
 * transaction, the store's own row.  sqlite_tally.c; private to the sqlite_*.c files.
 */

#include "store/sqlite.h"

/* A queue, known to this handle since the last change of names; the numbers of one transaction. */
struct rv_sqlite_queue {
	int64_t id;
	char name[RV_NAME_MAX];
	enum rv_strategy strategy;
	int64_t aging_us;
	enum rv_queue_gate gate;
	int max; /* jobs that may wait; 0 any number */
	enum rv_on_full on_full;
	bool limited;
	struct rv_limits limits;
	uint64_t loaded; /* transaction whose numbers these are */
	uint64_t saved;  /* request before which ${before} was taken */
	struct rv_sqlite_counts {
		bool dirty;
		int64_t vtime; /* of core/order.h: the place of the last claim */
		int64_t prefetched, of[RV_JOB_STATES];
	} now, before;
};

/* A task's number in stat and lease. */
struct rv_sqlite_task_name {
	int64_t id;
	char name[RV_NAME_MAX];
};

/* What waiters for room in a queue wait for, in the place of a job. */
#define RV_SQLITE_ROOM_OF(queue) (INT64_MIN + (queue)->id)

int rv_sqlite_tally_load(struct rv_sqlite *s) RV_MUST_CHECK;
int rv_sqlite_tally_store(struct rv_sqlite *s) RV_MUST_CHECK;
/* Before and, if it failed, after a request. */
void rv_sqlite_tally_save(struct rv_sqlite *s);
void rv_sqlite_tally_restore(struct rv_sqlite *s);
int rv_sqlite_names(struct rv_sqlite *s) RV_MUST_CHECK;
void rv_sqlite_names_free(struct rv_sqlite *s);
struct rv_sqlite_queue *rv_sqlite_queue_named(struct rv_sqlite *s, const char *name);
struct rv_sqlite_queue *rv_sqlite_queue_by_id(struct rv_sqlite *s, int64_t id);
const struct rv_task_def *rv_sqlite_task(struct rv_sqlite *s, const char *name);
/* Its number in task_name; 0: it has none. */
int64_t rv_sqlite_task_id(struct rv_sqlite *s, const char *name);
/* Its numbers loaded and saved for this request. */
int rv_sqlite_queue_touch(struct rv_sqlite *s, struct rv_sqlite_queue *queue) RV_MUST_CHECK;
int rv_sqlite_queue_unknown(struct rv_sqlite *s, const char *name, struct rv_why *why);

struct rv_sqlite_lease;
/*
 * sqlite_stats.c: what a lease keeps for statistics, in one number: the id of its task, and if it
 * is for a first run how long the job had waited since ${due_us} (else 0).
 */
int64_t rv_sqlite_waited(struct rv_sqlite *s, const char *task, int64_t due_us);
/* The run of the lease has ended as ${run} says (but due_us), and is noted. */
int rv_sqlite_ended(struct rv_sqlite *s, const struct rv_sqlite_lease *lease,
		    struct rv_run_end *run) RV_MUST_CHECK;

/* sqlite_full.c. */
/* Whether ${jobs} more would have room there, if anybody were to wait for it. */
int rv_sqlite_has_room(struct rv_sqlite *s, struct rv_sqlite_queue *queue, int64_t jobs,
		       bool *ret_room) RV_MUST_CHECK;
/* At the end of a request: who waits for room is rung, as many as there is room for. */
int rv_sqlite_ring_room(struct rv_sqlite *s) RV_MUST_CHECK;
int rv_sqlite_ring_all_room(struct rv_sqlite *s) RV_MUST_CHECK;

#endif
