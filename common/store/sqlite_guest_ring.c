/*
 * Whom a guest's commit wakes: the daemon of the store and who follows its events.  Runs in
 * programs of other people, by way of the loadable extension.  Must never fail, nor leave a
 * statement behind.
 */
#include "base/seam.h"
#include "os/file.h"
#include "os/sock.h"
#include "store/guest.h"
#include "wire/sup.h"

#include <stdio.h>

SQLITE_EXTENSION_INIT3

#define FOLLOWERS 64  /* rung at most: a ring is a hint */
#define PATH_MOST 256 /* runtime_dir; of a waiter 108 */

/* What ${text} selects is copied before anybody is rung: no read is open then. */
static size_t paths(sqlite3 *db, const char *text, char (*ret_paths)[PATH_MOST], size_t most)
{
	sqlite3_stmt *stmt = NULL;
	size_t n = 0;

	if (sqlite3_prepare_v2(db, text, -1, &stmt, NULL) == SQLITE_OK) {
		(void)sqlite3_bind_int64(stmt, 1, RV_WAITER_FOLLOWS);
		(void)sqlite3_bind_int64(stmt, 2, rv_wall_us());
		while (n < most && sqlite3_step(stmt) == SQLITE_ROW)
			(void)snprintf(ret_paths[n++], PATH_MOST, "%s",
				       (const char *)sqlite3_column_text(stmt, 0));
	}
	(void)sqlite3_finalize(stmt);
	return n;
}

/* Hints, all of them: whatever is wrong, the commit is done. */
bool rv_guest_rings(sqlite3 *db)
{
	char list[FOLLOWERS][PATH_MOST];
	char path[RV_PATH_MAX];
	bool held = false;
	size_t n =
		paths(db, "SELECT runtime_dir FROM main.instance ORDER BY n DESC LIMIT 1", list, 1);

	if (n == 1 && rv_path_join(path, sizeof path, list[0], "doorbell") == RV_OK) {
		held = rv_sock_is_held(path);
		rv_sock_ring(path, RV_RING_ALL);
		rv_sock_ring(path, RV_RING_KEEPER);
	}
	n = paths(db, "SELECT path FROM main.waiter WHERE job = ?1 AND expires > ?2", list,
		  FOLLOWERS);
	for (size_t i = 0; i < n; i++)
		rv_sock_ring_waiter(list[i], (uint64_t)RV_WAITER_FOLLOWS);
	return held;
}
