#ifndef RV_CLIENT_WAITER_H
#define RV_CLIENT_WAITER_H

/*
 * Waiting for jobs to become final, for room in a queue, or for events: a socket of ours in
 * runtime_dir, rung by whoever commits what is waited for.  A ring is a hint: the caller looks at
 * the store again at least once a second.
 */

#include "client/client.h"

#include <poll.h>

struct rv_waiter {
	int fd; /* -1: no bell could be hung up (another user's runtime_dir); only the second counts
		 */
	char path[108]; /* "" when there is none */
	bool registered;
	struct rv_nest nest; /* while we wait, if that is in a job */
};

#define RV_WAITER_LOOK_US 1000000LL
#define RV_WAITER_EXPIRES_US                                                                       \
	(3600 * 1000000LL) /* rows of a waiter that died are forgotten then                        \
			    */

/* Hangs up the bell.  Never fails: without one, waiting is by the second. */
void rv_waiter_init(struct rv_waiter *waiter, struct rv_client *client);
/* Takes the bell down and tells the store to forget it. */
void rv_waiter_fini(struct rv_waiter *waiter, struct rv_client *client);

/*
 * Asks for a ring when each of ${jobs} (≤ RV_WAITER_JOBS) is final, in one transaction.  Look at
 * them once more after this.  Jobs that are not there are passed over; RV_OK also where there is no
 * bell, where the store is read-only to us, or busy: the second's look finds them all the same.
 *
 * RV_WAITER_FOLLOWS in the place of a job: a ring after each commit that wrote an event, until
 * fini. To be asked for again before RV_WAITER_EXPIRES_US are over.
 */
#define RV_WAITER_JOBS 16
int rv_waiter_watch(struct rv_waiter *waiter, struct rv_client *client, const int64_t *jobs,
		    size_t count, struct rv_why *why) RV_MUST_CHECK;
/*
 * The same for room for ${jobs} in a queue that is full (store/request.h: on_full = block); try
 * again when it has rung.
 */
int rv_waiter_watch_queue(struct rv_waiter *waiter, struct rv_client *client, const char *queue,
			  int64_t jobs, struct rv_why *why) RV_MUST_CHECK;
/* Every watched job is final (their rows are gone): nothing is left to be forgotten. */
void rv_waiter_done(struct rv_waiter *waiter);

/*
 * Sleeps until rung, one of ${others} (poll()ed as they are; -1 is skipped) is ready, or
 * min(${timeout_us}, a second) is over.  Swallows the rings; revents of ${others} are set.
 */
#define RV_WAITER_OTHERS 3
void rv_waiter_sleep(struct rv_waiter *waiter, struct pollfd *others, size_t nothers,
		     int64_t timeout_us);

#endif
