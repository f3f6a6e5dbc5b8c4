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

/* --- sqlite_span.c: which jobs stand in which state, for lists (docs/adr/0006) -----------------
 */

#define RV_SPAN_SHIFT 6 /* a row of the table span has a bit for each of 64 ids */

/* The state that a job is found under: a running one under READY, a claim changes nothing. */
#define RV_SPAN_STATE(state) ((state) == RV_JOB_RUNNING ? RV_JOB_READY : (state))

/*
 * What one request changes of one row, gathered in memory.  It says what is so, not what is
 * different: writing it twice does no harm.
 */
struct rv_sqlite_span {
	int64_t scope, block;
	enum rv_job_state state;
	bool written;
	size_t number; /* its place in the order of the changes */
	uint64_t set, clear;
};

struct rv_sqlite_place;
/* The job has moved, RV_JOB_NONE: from or to nowhere.  Its row in job must be there. */
int rv_sqlite_span_moved(struct rv_sqlite *s, const struct rv_sqlite_place *place,
			 enum rv_job_state from, enum rv_job_state to) RV_MUST_CHECK;
/*
 * Changes of few rows stay in the store's own row of tally, which is written anyway, until they are
 * too many: what a list reads is span, and these on top of it.  In s->late, one for each row.
 */
#define RV_SPAN_LATE       RV_LIMIT(24, 2)
#define RV_SPAN_LATE_SPACE ((size_t)RV_SPAN_LATE * 41) /* bytes: numbers of 10, the state of 1 */

/* From a column; what nobody of ours wrote is RV_E_CORRUPT. */
int rv_sqlite_span_load(struct rv_sqlite *s, sqlite3_stmt *stmt, int column) RV_MUST_CHECK;
size_t rv_sqlite_span_encode(const struct rv_sqlite *s, unsigned char ret_data[RV_SPAN_LATE_SPACE]);
int rv_sqlite_span_decode(const unsigned char *data, size_t size,
			  struct rv_sqlite_span ret_late[RV_SPAN_LATE],
			  size_t *ret_n) RV_MUST_CHECK;
/* For lists, in a snapshot: s->late as it is there. */
int rv_sqlite_span_read(struct rv_sqlite *s) RV_MUST_CHECK;
/* With the kept numbers: all goes to s->late or is written; a request failed. */
int rv_sqlite_span_store(struct rv_sqlite *s) RV_MUST_CHECK;
void rv_sqlite_span_restore(struct rv_sqlite *s);
/* For whoever reads spans within the transaction: what it has changed is there now. */
int rv_sqlite_span_flush(struct rv_sqlite *s) RV_MUST_CHECK;
/* The lowest id in ${state} of ${queue} that no worker has; RV_E_NOTFOUND: none. */
int rv_sqlite_span_oldest(struct rv_sqlite *s, int64_t queue, enum rv_job_state state,
			  int64_t *ret_id) RV_MUST_CHECK;

#endif
