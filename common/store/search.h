#ifndef RV_STORE_SEARCH_H
#define RV_STORE_SEARCH_H

/*
 * Jobs by a query (core/query.h), in pages: what the store can find by an index is left to it, the
 * rest is looked at row by row.  CLI and library; no snapshot is held between pages.
 */

#include "core/query.h"
#include "store/read.h"

#define RV_CURSOR_SPACE 48

struct rv_search {
	const struct rv_query *query;
	const char *cursor; /* NULL: from the beginning; else the ret_next of the page before */
	int64_t limit;      /* 0: all */
};

/*
 * Calls ${each} for the jobs that the query asks for, in its order, as they stood when they were
 * read; a job that changes meanwhile is given at most once.  ${ret_next}: the cursor of the page
 * after this, "" at the end.  In the order of ids, up or down, a page costs what it shows if the
 * query asks for states, queues, batches and ids only; any other order looks at all that match.
 * Ends early when ${each} returns != RV_OK, and returns that.  RV_E_USAGE: a cursor that is none of
 * this order.
 */
int rv_store_search(struct rv_store *store, const struct rv_search *search,
		    int (*each)(void *ctx, const struct rv_job_view *view), void *ctx,
		    char ret_next[RV_CURSOR_SPACE], struct rv_why *why) RV_MUST_CHECK;

#endif
