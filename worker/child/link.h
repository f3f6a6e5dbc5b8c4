#ifndef RV_CHILD_LINK_H
#define RV_CHILD_LINK_H

/* A child's control channel in its loop. */

#include "child/child.h"
#include "loop/loop.h"

struct rv_child_link {
	struct rv_child *child;
	struct rv_loop *loop;
	struct rv_loop_io control, log;
	void (*message)(void *ctx, const struct rv_sup_msg *msg);
	int passed; /* during message(): the descriptor that came with it, -1 none; who keeps it
		       makes this -1 */
	void (*gone)(void *ctx); /* the supervisor is gone, or sent what is no message */
	void *ctx;
};

/* child, loop, message, gone and ctx are set by the caller. */
void rv_child_link_start(struct rv_child_link *link);
void rv_child_link_stop(struct rv_child_link *link);
/* Keeps the log moving when its reader is slow; call it once a turn of the loop. */
void rv_child_link_log(struct rv_child_link *link);

#endif
