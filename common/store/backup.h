#ifndef RV_STORE_BACKUP_H
#define RV_STORE_BACKUP_H

/*
 * Copies of a store, and putting one back.  The CLI.  A copy is one file, complete by itself: no
 * log belongs to it, and it may be moved and copied as any other.  Never copy a store that is in
 * use in another way (DESIGN §3: an opened and closed file drops SQLite's locks).
 */

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct rv_store;

/* Told from time to time: pages copied, of all.  May be NULL. */
typedef void rv_backup_told_fn(void *ctx, int64_t done, int64_t all);

/*
 * Writes all that is committed now to ${path}, mode 0600, while others go on reading and writing
 * (the log grows until it is done: a reader of that moment is open).  The copy is looked through,
 * synced and gets its name last: a file of that name is whole.  RV_E_CONFLICT: there is one
 * already.  Nothing is left of one that failed.
 */
int rv_store_backup(struct rv_store *store, const char *path, rv_backup_told_fn *told, void *ctx,
		    struct rv_why *why) RV_MUST_CHECK;

struct rv_store_restore {
	const char *backend; /* "sqlite" */
	const char *from;    /* the copy; it stays as it is */
	const char *path;    /* the store that is to become it; need not exist */
	gid_t group;         /* as in struct rv_store_open */
	rv_backup_told_fn *told;
	void *ctx;
};

struct rv_restored {
	char aside[4096]; /* where the store lies that was there before; "" none was */
	bool damaged;     /* that one could not be read: its log lies beside it */
	int64_t jobs;     /* in the store now */
	int64_t last_us;  /* wall: its last event; 0 none */
};

/*
 * The caller holds the daemon's lock of the store (os/lock.h) and has not opened it.  The copy is
 * looked through first (RV_E_CORRUPT, RV_E_SCHEMA); who still has the old store open is RV_E_BUSY,
 * a log without its store RV_E_CONFLICT.
 * The epoch rises above that of both, so that no fence that was ever given is given again (R3), and
 * so do the ids of jobs and batches.
 * Until the last step, a rename, the old store is in its place and complete, and can be read; who
 * would write it meanwhile waits, gives up (RV_E_BUSY) or opens what has taken its place.
 */
int rv_store_restore(const struct rv_store_restore *how, struct rv_restored *ret_restored,
		     struct rv_why *why) RV_MUST_CHECK;

#endif
