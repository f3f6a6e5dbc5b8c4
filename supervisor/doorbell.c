/*
 * The doorbell.  Runs in the supervisor only.  A ring is a hint: one that is lost, wrong or hostile
 * costs a wake-up or some latency, never more, so nothing here is checked beyond its size.
 *
 * Wider than the budget of headers: table.h brings what the child table is made of.
 */
#include "supervisor/doorbell.h"

#include "base/check.h"
#include "base/err.h"
#include "base/fmt.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/sock.h"
#include "supervisor/child.h"
#include "supervisor/pools.h"
#include "wire/area.h"
#include "wire/sup.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define TURN_RINGS 64 /* in one turn of the loop */

#ifdef RV_FAULTS
/* RV_RING_DROP=N: every Nth ring is lost, to show that only latency hangs on it. */
static bool is_dropped(unsigned ring)
{
	const char *text = getenv("RV_RING_DROP");
	int64_t every = 0;

	return text && rv_parse_int(text, 1, UINT_MAX, &every) == RV_OK &&
	       ring % (unsigned)every == 0;
}
#else
static bool is_dropped(unsigned ring)
{
	(void)ring;
	return false;
}
#endif

static bool serves(const struct rv_pool *pool, uint64_t token)
{
	if (token == RV_RING_ALL)
		return true;
	INV(pool->ntokens <= RV_QUEUES_MAX);
	for (size_t i = 0; i < pool->ntokens; i++) {
		if (pool->tokens[i] == token)
			return true;
	}
	return false;
}

/* Idle by its own word, which is a hint; one that has an unanswered WAKE will look anyhow. */
static bool is_idle(const struct rv_sup *sup, const struct rv_child *child)
{
	struct rv_area_hint hint;

	return child->life == RV_LIFE_RUNNING && child->ping == 0 &&
	       rv_area_peek(sup->area_fd, child->slot, &hint) == RV_OK &&
	       hint.incarnation == child->incarnation && hint.idle != 0;
}

static void wake_one(struct rv_sup *sup, int pool, bool is_nested)
{
	size_t n = sup->nslots - 1; /* the workers' slots */

	PRE(pool >= 0 && pool < RV_PLAN_SLOTS_MAX && n > 0);

	for (size_t i = 0; i < n; i++) {
		size_t slot = 1 + (sup->pools[pool].next_wake + i) % n;
		struct rv_child *child = &sup->children[slot];

		if (child->pool != pool || child->is_nested != is_nested || !is_idle(sup, child))
			continue;
		if (!rv_child_tell(child, RV_SUP_WAKE, sup->last_ping + 1, 0))
			continue;
		INV(child->slot == slot && child->chan >= 0);
		child->ping = ++sup->last_ping;
		child->pinged_us = rv_mono_us();
		sup->pools[pool].next_wake = (unsigned)(slot % n);
		return;
	}
}

static void answer(struct rv_sup *sup, int pool)
{
	if (sup->pools[pool].hold == RV_HOLD_NONE) {
		rv_pools_rung(sup, pool);
		wake_one(sup, pool, false);
	}
	/* Of a pool that is drained as well: what has begun ends with what it waits for. */
	wake_one(sup, pool, true);
}

static void ring(struct rv_sup *sup, uint64_t token)
{
	if (is_dropped(++sup->rings))
		return;
	if (token == RV_RING_KEEPER) {
		(void)rv_child_tell(&sup->children[RV_PLAN_KEEPER], RV_SUP_WAKE, 0, 0);
		return;
	}
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		if (sup->pools[p].is_used && sup->pools[p].hold != RV_HOLD_QUIET &&
		    serves(&sup->pools[p], token))
			answer(sup, p);
	}
}

static void on_bell(struct rv_loop_io *io, int events)
{
	struct rv_sup *sup = io->ctx;
	uint64_t token;

	(void)events;
	for (int i = 0; i < TURN_RINGS && rv_sock_rung(sup->bell_fd, &token) == RV_OK; i++)
		ring(sup, token);
}

static int find_path(struct rv_sup *sup, struct rv_why *why)
{
	int err = rv_path_join(sup->doorbell, sizeof sup->doorbell, sup->conf->reeve.runtime_dir,
			       "doorbell");

	return err == RV_OK ? err : rv_fail(why, err, "runtime_dir is too long a path");
}

static void listen_to(struct rv_sup *sup)
{
	rv_loop_io_start(sup->loop, &sup->bell_io, sup->bell_fd, RV_LOOP_READ, on_bell, sup);
}

int rv_doorbell_open(struct rv_sup *sup, struct rv_why *why)
{
	mode_t mode = sup->conf->reeve.group ? 0660 : 0600;
	int err = find_path(sup, why);

	PRE(sup->bell_fd < 0);
	if (err == RV_OK)
		err = rv_sock_bell(sup->doorbell, mode, &sup->bell_fd, why);
	if (err == RV_OK)
		listen_to(sup);
	return err;
}

int rv_doorbell_adopt(struct rv_sup *sup, struct rv_why *why)
{
	int err = find_path(sup, why);

	PRE(sup->bell_fd >= 0);
	if (err == RV_OK)
		listen_to(sup);
	return err;
}

void rv_doorbell_close(struct rv_sup *sup)
{
	if (sup->bell_fd < 0)
		return;
	rv_loop_io_stop(&sup->bell_io);
	rv_fd_close(&sup->bell_fd);
	/* Only the owner of the store's lock made it, and that is still us. */
	(void)unlink(sup->doorbell);
}
