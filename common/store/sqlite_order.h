#ifndef RV_STORE_SQLITE_ORDER_H
#define RV_STORE_SQLITE_ORDER_H

/* Places in a queue, and what must be remembered for them.  sqlite_order.c; private to the
 * sqlite_*.c files. */

#include "core/order.h"
#include "store/sqlite_tally.h"

/*
 * The place of a job that is accepted or revived: fills in what the queue knows, reckons, and
 * remembers it for the next of the same key (${key}: never NULL).  The queue is touched.
 */
int rv_sqlite_order(struct rv_sqlite *s, struct rv_sqlite_queue *queue, struct rv_order *job,
		    const char *key, int64_t *ret_ord) RV_MUST_CHECK;
/* The job at ${ord} was claimed. */
void rv_sqlite_order_passed(struct rv_sqlite_queue *queue, int64_t ord);
/* The columns from ${column} on: priority, deadline, weight, created_at, key.  CORRUPT. */
int rv_sqlite_order_read(sqlite3_stmt *stmt, int column, struct rv_order *ret_job,
			 char ret_key[RV_KEY_MAX]) RV_MUST_CHECK;
/* ${queue}, of a new strategy: what waits there gets new places, a batch with each TIDY. */
int rv_sqlite_rekey(struct rv_sqlite *s, int64_t queue) RV_MUST_CHECK;

/* sqlite_schedule.c: the schedules of the configuration, as they are now. */
int rv_sqlite_mirror_schedules(struct rv_sqlite *s,
			       const struct rv_req_mirror *mirror) RV_MUST_CHECK;

#endif
