#ifndef RV_STORE_EVENTS_H
#define RV_STORE_EVENTS_H

/*
 * Reading what happened: an event for each change of a shown state, in the order of the commits.
 * Those of a deleted job are gone.  Library and CLI.
 */

#include "store/read.h"

#define RV_EVENT_ACCEPTED (-1) /* from: the job came into being */

struct rv_event_view {
	int64_t seq, at_us, job; /* at: wall */
	int from, to;            /* enum rv_job_state; from also RV_EVENT_ACCEPTED */
	const char *reason;      /* borrowed for the call; NULL: none was kept */
};

/*
 * At most ${limit} events whose seq is above ${after}, oldest first.  No snapshot is held during a
 * call.  Ends early when ${each} returns != RV_OK, and returns that.
 */
int rv_store_events(struct rv_store *store, int64_t after, int64_t limit,
		    int (*each)(void *ctx, const struct rv_event_view *view),
		    void *ctx) RV_MUST_CHECK;
/*
 * The sockets that are rung for events (RV_WAITER_FOLLOWS), those that have run out as well; at
 * most RV_FOLLOWERS_SEEN.  The keeper, to forget those whose owners have died.
 */
#define RV_FOLLOWERS_SEEN 256
int rv_store_followers(struct rv_store *store, int (*each)(void *ctx, const char *path),
		       void *ctx) RV_MUST_CHECK;
/* The seq of the newest event that was ever written; 0 before the first. */
int rv_store_events_last(struct rv_store *store, int64_t *ret_seq) RV_MUST_CHECK;

#endif
