#ifndef RV_STORE_SQLITE_BATCH_H
#define RV_STORE_SQLITE_BATCH_H

/*
 * What the other files need of batches (sqlite_batch.c), and it of them; and what a new job meets
 * before it is accepted.  Private to sqlite_*.c.
 */

#include "store/sqlite.h"

struct rv_batch_view;

/* At the end of each request: batches whose last job has ended, and their callbacks. */
int rv_sqlite_batch_end(struct rv_sqlite *s) RV_MUST_CHECK;

/* --- sqlite_sweep.c: batches that fail ------------------------------------------------------- */

/* Whether batch ${id} takes a job (0: none is asked for): NOTFOUND, CONFLICT. */
int rv_sqlite_batch_takes(struct rv_sqlite *s, int64_t id, struct rv_why *why) RV_MUST_CHECK;
/* The columns of a new batch that say what it tolerates. */
void rv_sqlite_batch_most(const struct rv_req_new_batch *batch, int64_t *ret_allowed,
			  int64_t *ret_percent);
/* The open batch ${view} is closed now, and may have failed by that. */
int rv_sqlite_batch_close(struct rv_sqlite *s, const struct rv_batch_view *view) RV_MUST_CHECK;
/* The member ${job} is dead, and counted. */
int rv_sqlite_batch_dies(struct rv_sqlite *s, int64_t job) RV_MUST_CHECK;
/* What waits in batches that have failed is cancelled: up to ${limit} jobs are looked at. */
int rv_sqlite_sweep(struct rv_sqlite *s, uint32_t limit, uint32_t *ret_swept) RV_MUST_CHECK;

/* --- sqlite_enqueue.c ------------------------------------------------------------------------ */

/* A task, NOTFOUND with the nearest name. */
int rv_sqlite_task_find(struct rv_sqlite *s, const char *name, const struct rv_task_def **ret_task,
			struct rv_why *why) RV_MUST_CHECK;
/* The job of a callback of ${batch}. */
int rv_sqlite_call(struct rv_sqlite *s, int64_t batch, const struct rv_callback *callback,
		   uid_t uid, int64_t parent, int64_t *ret_id) RV_MUST_CHECK;

/* --- sqlite_admit.c -------------------------------------------------------------------------- */

/* The key of job ${i} is held: refused, or (${*ret_answered}) the holder is the answer. */
int rv_sqlite_unique(struct rv_sqlite *s, struct rv_req_enqueue *req, size_t i, bool *ret_answered,
		     struct rv_why *why) RV_MUST_CHECK;

/* --- sqlite_full.c --------------------------------------------------------------------------- */

/* Room for one more in the queue, or FULL. */
int rv_sqlite_make_room(struct rv_sqlite *s, struct rv_req_enqueue *req,
			struct rv_sqlite_queue *queue, struct rv_why *why) RV_MUST_CHECK;

#endif
