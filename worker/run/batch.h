#ifndef RV_RUN_BATCH_H
#define RV_RUN_BATCH_H

/*
 * How many jobs to claim at once (K).  Pure: fed with what jobs took and how deep the queues were.
 * K grows only while K of the slower jobs (p95) fit into RV_BATCH_US and there is enough for every
 * worker of the pool; a job that is not quick brings it back to 1.  One per worker process.
 */

#include <stdbool.h>
#include <stdint.h>

#define RV_BATCH_US      20000 /* a prefetched job waits at most so long behind its companions */
#define RV_BATCH_BUCKETS 32    /* of jobs by the binary logarithm of their microseconds */

struct rv_batch {
	unsigned k, max;
	unsigned samples;
	unsigned counts[RV_BATCH_BUCKETS];
};

/* ${max}: `max_batch` of the pool, 1 … RV_TURN_MAX. */
void rv_batch_init(struct rv_batch *batch, unsigned max);
/* A job has ended after ${took_us}; ${quick}: its kind may be run from a prefetch at all. */
void rv_batch_note(struct rv_batch *batch, int64_t took_us, bool quick);
/* Below it 95 of 100 jobs end, in microseconds, rounded up to a power of two. */
int64_t rv_batch_p95(const struct rv_batch *batch);
/* The K of the next claim: ${more} jobs were left ready, ${workers} share them. */
unsigned rv_batch_next(struct rv_batch *batch, uint32_t more, unsigned workers);

#endif
