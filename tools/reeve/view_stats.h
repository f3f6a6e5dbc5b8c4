#ifndef RV_REEVE_VIEW_STATS_H
#define RV_REEVE_VIEW_STATS_H

/* What is counted of a queue or task, as people and scripts see it. */

#include "out.h"

#include <jansson.h>

struct rv_store;
struct rv_stats;      /* core/stats.h */
struct rv_stats_view; /* store/stats.h, as enum rv_stats_of */

/* What is counted of ${name}, all zero if that is nothing. */
int rv_stats_of_one(struct rv_store *store, int of, const char *name,
		    struct rv_stats_view *ret_view) RV_MUST_CHECK;

/* Sets last_minute, hour and ever of ${object}.  RV_E_NOMEM. */
int rv_stats_json(json_t *object, const struct rv_stats_view *view) RV_MUST_CHECK;

/* A line a figure, the last hour beside ever. */
int rv_stats_detail(const struct rv_stats_view *view, const struct rv_out *out) RV_MUST_CHECK;

/* The same of a queue: read, and set on ${object}, or printed below a table. */
int rv_stats_queue_json(struct rv_store *store, const char *queue, json_t *object) RV_MUST_CHECK;
int rv_stats_queue_detail(struct rv_store *store, const char *queue,
			  const struct rv_out *out) RV_MUST_CHECK;

/*
 * Cells of a row: finished in the last minute, hour, ever; failed runs and their share, quantiles
 * of wait and run, of the last hour or of ${ever}.
 */
#define RV_STATS_CELLS                                                                             \
	">MINUTE", ">HOUR", ">EVER", ">FAILED", ">RATE", ">WAIT P50", ">P95", ">P99", ">RUN P50",  \
		">P95", ">P99"
void rv_stats_cells(struct rv_table *table, const struct rv_stats_view *view, bool ever);
/* What its runs used: CPU, its share of ${cpu_us}, memory. */
#define RV_STATS_USE_CELLS ">CPU", ">SHARE", ">MEM P95", ">MOST"
void rv_stats_use_cells(struct rv_table *table, const struct rv_stats *span, int64_t cpu_us);
/* A length of time for people, "-" for -1. */
void rv_stats_time_cell(struct rv_table *table, int64_t us);

#endif
