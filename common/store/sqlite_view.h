#ifndef RV_STORE_SQLITE_VIEW_H
#define RV_STORE_SQLITE_VIEW_H

/* Rows of the VIEW statements (sqlite_stmt.def) as structs.  Private to common/store. */

#include "base/arena.h"
#include "store/sqlite.h"

/* The row ${stmt} stands on; strings in ${arena}.  RV_E_CORRUPT: the job stands in no table. */
int rv_sqlite_view(sqlite3_stmt *stmt, struct rv_arena *arena,
		   struct rv_job_view *ret_view) RV_MUST_CHECK;

#endif
