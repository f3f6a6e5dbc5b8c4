#ifndef RV_STORE_SQLITE_STATS_H
#define RV_STORE_SQLITE_STATS_H

/*
 * Statistics: runs that have ended are noted in the store's own row, which each of these commits
 * writes anyhow, and added up into the table stat when there are many.  sqlite_stats.c writes,
 * sqlite_stats_read.c reads; private to the sqlite_*.c files.
 */

#include "store/sqlite.h"

#define RV_RECENT_MAX RV_LIMIT(1000, 40) /* bytes of notes that stay in the row */

/* The notes in ${column} of the store's row. */
int rv_sqlite_ended_load(struct rv_sqlite *s, sqlite3_stmt *stmt, int column) RV_MUST_CHECK;
/* Before the row is written: the transaction's notes go to those before, or all are added up. */
int rv_sqlite_ended_store(struct rv_sqlite *s) RV_MUST_CHECK;

/* S1: looks whether what is counted can be, inside the check's snapshot. */
int rv_sqlite_stats_check(struct rv_sqlite *s,
			  void (*broken)(void *ctx, const char *rule, const char *what),
			  void *ctx) RV_MUST_CHECK;

#endif
