#ifndef RV_STORE_SQLITE_PLACE_H
#define RV_STORE_SQLITE_PLACE_H

/*
 * Parts of opening: where the file lies (sqlite_place.c) and its migrations
 * (sqlite_migrate.c).  Private to the sqlite_*.c files.
 */

#include "store/sqlite.h"

/* Sets path and given; refuses file systems and links; makes an empty file when told to. */
int rv_sqlite_place(struct rv_sqlite *s, const struct rv_store_open *how, bool *ret_fresh,
		    struct rv_why *why) RV_MUST_CHECK;
/*
 * The owner and mode a new store gets (${fd}, for ${path}): root gives it to the owner of the
 * folder, so that it is of use to the daemon that runs there; a group makes it 0660.
 */
int rv_sqlite_dress(int fd, const char *path, gid_t group, struct rv_why *why) RV_MUST_CHECK;
/* "file:" and the path, its special characters escaped; free() it. */
char *rv_sqlite_uri(const char *path, const char *query);
/* Nobody but rv_sqlite_checkpoint moves the log's pages (DESIGN: the WAL-reset bug). */
int rv_sqlite_no_checkpoint(sqlite3 *db) RV_MUST_CHECK;
/* First transaction of an empty file: whose it is. */
int rv_sqlite_found(struct rv_sqlite *s, struct rv_why *why) RV_MUST_CHECK;
/* ${create}: one that was never finished may be; ${migrate}: any older one. */
int rv_sqlite_migrate(struct rv_sqlite *s, bool create, bool migrate,
		      struct rv_why *why) RV_MUST_CHECK;
/*
 * The tables are those that this build makes, of the newest version; else RV_E_SCHEMA and what to
 * do.
 */
int rv_sqlite_tables(struct rv_sqlite *s, struct rv_why *why) RV_MUST_CHECK;
int rv_sqlite_pragma(struct rv_sqlite *s, const char *sql, int64_t *ret_value) RV_MUST_CHECK;
#define RV_SQLITE_VERSION 1 /* user_version: the newest file in schema/ */

#endif
