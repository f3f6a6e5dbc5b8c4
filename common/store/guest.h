#ifndef RV_STORE_GUEST_H
#define RV_STORE_GUEST_H

/*
 * The store as a guest on a connection that somebody else has opened: the loadable SQL extension.
 * Only in the build of the store that calls SQLite through the host's table (RV_STORE_GUEST).
 */

#include "store/request.h"

#include <sqlite3ext.h>

/*
 * Accepts one job within the transaction of ${db}, or in one of its own if there is none.  Nothing
 * of it is left when it fails, except that an error of the file itself (full, I/O) ends the whole
 * transaction, as SQLite's own do.  RV_E_SCHEMA: the main database is no store, or one of another
 * version; RV_E_BUSY; RV_E_USAGE: called where it cannot be; errors of ENQUEUE.
 * Leaves nothing on the connection but that it does not checkpoint by itself any more, and until
 * the next commit a hook on its log, which rings.
 */
int rv_guest_enqueue(sqlite3 *db, const struct rv_job_new *job, int64_t *ret_id,
		     struct rv_why *why) RV_MUST_CHECK;

/*
 * Wakes the daemon of the store that is the main database of ${db}, its keeper included, and who
 * follows events.  rv_guest_enqueue sees to it for its jobs, after the commit that brings them;
 * this is for what else was put there, the inbox.  ${*ret_rung}: a daemon is there.  RV_E_USAGE:
 * within a transaction; RV_E_SCHEMA.
 */
int rv_guest_ring(sqlite3 *db, bool *ret_rung, struct rv_why *why) RV_MUST_CHECK;
/* sqlite_guest_ring.c, for sqlite_guest.c: the ringing itself, whatever is going on. */
bool rv_guest_rings(sqlite3 *db);

#endif
