#ifndef RV_STORE_SQLITE_ADMIT_H
#define RV_STORE_SQLITE_ADMIT_H

/*
 * What a new job meets before it is accepted: holders of its unique key (sqlite_admit.c), a queue
 * without room (sqlite_full.c).  Private to the sqlite_*.c files.
 */

#include "store/sqlite.h"

struct rv_sqlite_place; /* sqlite_move.h */
struct rv_sqlite_queue; /* sqlite_tally.h */

/* --- sqlite_admit.c -------------------------------------------------------------------------- */

/* The key of job ${i} is held: refused, or (${*ret_answered}) the holder is the answer. */
int rv_sqlite_unique(struct rv_sqlite *s, struct rv_req_enqueue *req, size_t i, bool *ret_answered,
		     struct rv_why *why) RV_MUST_CHECK;

/* --- sqlite_full.c --------------------------------------------------------------------------- */

/* Room for one more in the queue, or FULL. */
int rv_sqlite_make_room(struct rv_sqlite *s, struct rv_req_enqueue *req,
			struct rv_sqlite_queue *queue, struct rv_why *why) RV_MUST_CHECK;

#endif
