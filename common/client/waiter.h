#ifndef RV_CLIENT_WAITER_H
#define RV_CLIENT_WAITER_H

/*
 * Waiting for jobs to become final: a socket of ours in runtime_dir, rung by whoever commits the
 * final state.  A ring is a hint: the caller looks at the store again at least once a second.
 */

#include "client/client.h"

struct rv_waiter {
	int fd; /* -1: no bell could be hung up (another user's runtime_dir); only the second counts
		 */
	char path[108]; /* "" when there is none */
	bool registered;
};

#define RV_WAITER_LOOK_US    1000000LL
#define RV_WAITER_EXPIRES_US (3600 * 1000000LL) /* rows of a waiter that died are forgotten then   \
						 */

/* Hangs up the bell.  Never fails: without one, waiting is by the second. */
void rv_waiter_init(struct rv_waiter *waiter, struct rv_client *client);
/* Takes the bell down and tells the store to forget it. */
void rv_waiter_fini(struct rv_waiter *waiter, struct rv_client *client);

/*
 * Asks for a ring when ${job} is final.  Look at the job once more after this.  RV_E_NOTFOUND: no
 * such job; RV_OK also where there is no bell, or where the store is read-only to us.
 */
int rv_waiter_watch(struct rv_waiter *waiter, struct rv_client *client, int64_t job,
		    struct rv_why *why) RV_MUST_CHECK;

/*
 * Sleeps until rung, ${other_fd} (-1: none) is readable, or min(${timeout_us}, a second) is over.
 * Swallows the rings.  Returns whether it was ${other_fd}.
 */
bool rv_waiter_sleep(struct rv_waiter *waiter, int other_fd, int64_t timeout_us);

#endif
