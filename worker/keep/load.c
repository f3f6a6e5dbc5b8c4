/*
 * What waits for the pools whose number of workers follows the work: told to the supervisor each
 * second, which opens no store.  Keeper only.  It judges nothing; the number is the supervisor's.
 */
#include "keep/keeper.h"

#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "store/read.h"

#include <string.h>

struct sum {
	const struct rv_conf_pool *pool;
	int64_t ready;
	int64_t oldest_us; /* wall; 0: none */
};

static bool serves(const struct rv_conf_pool *pool, const char *queue)
{
	for (size_t i = 0; i < pool->queues.count; i++) {
		if (strcmp(pool->queues.items[i], queue) == 0)
			return true;
	}
	return false;
}

static int each_queue(void *ctx, const struct rv_queue_view *view)
{
	struct sum *sum = ctx;

	if (view->paused || view->counts[RV_JOB_READY] <= 0 || !serves(sum->pool, view->name))
		return RV_OK;
	sum->ready += view->counts[RV_JOB_READY];
	if (view->oldest_ready_us > 0 &&
	    (sum->oldest_us == 0 || view->oldest_ready_us < sum->oldest_us))
		sum->oldest_us = view->oldest_ready_us;
	return RV_OK;
}

void rv_keep_load(struct rv_keeper *keeper)
{
	const struct rv_conf *conf = keeper->child.conf;

	for (size_t i = 0; i < conf->npools && !keeper->ending; i++) {
		struct sum sum = {.pool = &conf->pools[i]};
		int64_t age = 0;

		if (sum.pool->workers.min == sum.pool->workers.max ||
		    rv_keep_waits(keeper, sum.pool)) /* more workers would wait as well */
			continue;
		if (keeper->ready > 0 &&
		    !rv_keep_survives(keeper,
				      rv_store_queues(keeper->child.store, each_queue, &sum),
				      "cannot read the queues", NULL))
			return;
		if (sum.oldest_us != 0)
			age = rv_wall_us() - sum.oldest_us;
		if (rv_child_send(&keeper->child, RV_SUP_LOAD, rv_ring_token(sum.pool->name),
				  (uint64_t)sum.ready, age > 0 ? (uint64_t)age : 0) != RV_OK)
			rv_log(RV_LOG_DEBUG, RV_EV_keeper_failed, "a LOAD was not taken");
	}
}
