#ifndef RV_STORE_STATS_H
#define RV_STORE_STATS_H

/*
 * Reading what is counted of queues and tasks (core/stats.h).  It is written with the ack that it
 * counts, in the same transaction: nothing is lost, and what is rolled back is not counted.
 */

#include "core/stats.h"
#include "store/store.h"

enum rv_stats_of { RV_STATS_QUEUES, RV_STATS_TASKS };

struct rv_stats_view {
	const char
		*name;  /* of the queue or task; RV_TASK_ADHOC: jobs with a command of their own */
	int64_t minute; /* jobs that finished in the last minute */
	struct rv_stats hour, ever;
};

/*
 * Each queue (task) of which anything was counted, by name; only ${name} unless it is NULL.  One
 * snapshot, ended before the first callback; what a view points to lives as long as the call.
 */
int rv_store_statistics(struct rv_store *store, enum rv_stats_of of, const char *name,
			int (*each)(void *ctx, const struct rv_stats_view *view),
			void *ctx) RV_MUST_CHECK;

#endif
