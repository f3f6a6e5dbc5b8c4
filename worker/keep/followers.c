/*
 * Followers of the events that have died: nobody else would forget them before their time, and each
 * commit would ring them in vain.  Keeper only.
 */
#include "keep/keeper.h"

#include "base/check.h"
#include "os/sock.h"
#include "store/events.h"

#include <stdio.h>

#define FORGET_MAX 16 /* at one look: the rest has time */

struct dead {
	char paths[FORGET_MAX][108];
	unsigned n;
};

static int look(void *ctx, const char *path)
{
	struct dead *dead = ctx;

	if (dead->n < FORGET_MAX && !rv_sock_is_held(path))
		(void)snprintf(dead->paths[dead->n++], sizeof dead->paths[0], "%s", path);
	return RV_OK;
}

void rv_keep_forget_followers(struct rv_keeper *keeper)
{
	struct rv_req_waiter *waiter = &keeper->req.u.waiter;
	struct dead dead = {.n = 0};
	int err = rv_store_followers(keeper->child.store, look, &dead);

	if (!rv_keep_survives(keeper, err, "cannot read who follows", NULL))
		return;
	INV(dead.n <= FORGET_MAX);
	for (unsigned i = 0; i < dead.n && !keeper->ending; i++) {
		keeper->req.kind = RV_REQ_WAITER;
		*waiter = (struct rv_req_waiter){.job = RV_WAITER_FOLLOWS};
		(void)snprintf(waiter->path, sizeof waiter->path, "%s", dead.paths[i]);
		rv_sock_ring_waiter(dead.paths[i], 0); /* removes its socket */
		(void)rv_keep_do(keeper, RV_DURABILITY_NORMAL, "forget a follower");
	}
}
