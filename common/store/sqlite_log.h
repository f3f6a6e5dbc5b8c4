#ifndef RV_STORE_SQLITE_LOG_H
#define RV_STORE_SQLITE_LOG_H

/*
 * Waiting for locks, the log and its checkpoint, the reserve for a full disk: sqlite_txn.c,
 * sqlite_checkpoint.c, sqlite_ballast.c.  Private to the sqlite_*.c files.
 */

#include "store/sqlite.h"

/* Until when and for what the busy handler waits from here on. */
void rv_sqlite_wait(struct rv_sqlite *s, enum rv_sqlite_wait wait, int64_t timeout_us);
void rv_sqlite_doze(int count, int64_t left_us);
/* ROLLBACK, if a transaction is open; the statement was prepared before. */
void rv_sqlite_undo(struct rv_sqlite *s);
int rv_sqlite_busy(void *ctx, int count);
int64_t rv_sqlite_round_id(uint64_t area);

int rv_sqlite_busy_checkpoint(struct rv_sqlite *s, int count);
int rv_sqlite_log_hook(void *ctx, sqlite3 *db, const char *name, int frames);
/* The disk is full: gives the reserve back to it. */
void rv_sqlite_ballast_free(struct rv_sqlite *s);
/* Puts ${bytes} aside if they are not and there is room. */
void rv_sqlite_ballast_make(struct rv_sqlite *s, int64_t bytes);
/* RV_E_NOSPACE: what is left on the disk is kept for the jobs that are there already. */
int rv_sqlite_room(struct rv_sqlite *s, struct rv_why *why) RV_MUST_CHECK;

#endif
