#ifndef RV_STORE_BATCH_H
#define RV_STORE_BATCH_H

/*
 * Batches: jobs that are counted together, and jobs of their own that follow when they have ended.
 * A batch takes jobs while it is open; closed, it ends with the last of its jobs.  Its callbacks
 * are enqueued in the very transaction that ends it, each once in its life: a member that is
 * retried opens the count again, but a callback that was enqueued was.  The last member that is
 * deleted takes the batch with it; DROP_BATCH forgets one that has ended and leaves its jobs.
 * One that tolerates only so many dead jobs has failed with the next: what waits is cancelled, some
 * in each PROMOTE, and nothing of it starts again.  A member that is retried takes that back: the
 * batch fails again with the next that dies.
 * Requests: NEW_BATCH, CLOSE and DROP_BATCH of request.h.  CLI, library, tests.
 */

#include "store/request.h"

struct rv_batch_view {
	int64_t id;
	const char *name, *labels; /* NULL: none */
	uid_t uid;
	int64_t created_us, closed_us, ended_us; /* wall; 0: it is open; has not ended (any more) */
	int64_t total, pending, succeeded, dead, cancelled;
	int64_t forgotten; /* of these, deleted since */
	struct rv_callback on_success, on_complete;
	int64_t success_job, complete_job; /* what they became; 0: not yet */
	int64_t parent;                    /* theirs: the job that made the batch; 0 none */
	/* of its jobs may be dead before it has failed: RV_TOLERANCE_OPEN any number, or a share,
	 * ${percent} (-1 none), of a batch that is open */
	int64_t allowed, percent;
	bool stops;        /* when it fails, what runs is cancelled too */
	int64_t failed_us; /* wall; 0: it has not (any more) */
};

/* RV_E_NOTFOUND when there is none.  Strings live until the next call on the store. */
int rv_store_batch(struct rv_store *store, int64_t id,
		   struct rv_batch_view *ret_view) RV_MUST_CHECK;
/* The newest first, ids below ${before} (0: all), at most ${limit} (0: all); ends early when the
 * callback returns != RV_OK, and returns that. */
int rv_store_batches(struct rv_store *store, int64_t before, int64_t limit,
		     int (*each)(void *ctx, const struct rv_batch_view *view),
		     void *ctx) RV_MUST_CHECK;

/* The jobs that the job ${id} submitted, by id; none when there is no such job. */
int rv_store_children(struct rv_store *store, int64_t id, int (*each)(void *ctx, int64_t child),
		      void *ctx) RV_MUST_CHECK;

#endif
