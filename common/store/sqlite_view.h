#ifndef RV_STORE_SQLITE_VIEW_H
#define RV_STORE_SQLITE_VIEW_H

/* What a list is made of: which jobs (sqlite_ids.c), and the rows of VIEW (sqlite_stmt.def) as
 * structs (sqlite_view.c).  Private to common/store. */

#include "base/arena.h"
#include "store/sqlite.h"

/* The row ${stmt} stands on; strings in ${arena}.  RV_E_CORRUPT: the job stands in no table. */
int rv_sqlite_view(sqlite3_stmt *stmt, struct rv_arena *arena,
		   struct rv_job_view *ret_view) RV_MUST_CHECK;

/*
 * Up to ${filter}->limit (> 0) ids into ${ret_ids}, the newest first; in a snapshot.  Fewer do not
 * mean that there are no more: ${*ret_reach} is the id down to which was looked, 0 all.
 */
int rv_sqlite_ids(struct rv_sqlite *s, const struct rv_job_filter *filter, int64_t *ret_ids,
		  int64_t *ret_n, int64_t *ret_reach) RV_MUST_CHECK;

#endif
