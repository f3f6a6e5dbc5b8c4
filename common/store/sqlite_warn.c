/*
 * What works but deserves a person's look, said once at the start.  Keeper and CLI.  Reads only
 * what SQLite's library and the file system say; must never touch the database.
 */
#include "store/sqlite.h"
#include "store/sqlite_calls.h"

#include <stdio.h>

/* https://sqlite.org/wal.html#walresetbug: 3.7.0 to 3.51.2, mended in 3.44.6 and 3.50.7 as well. */
bool rv_sqlite_affected(int version)
{
	return version >= 3007000 && version < 3051003 &&
	       !(version >= 3044006 && version < 3045000) &&
	       !(version >= 3050007 && version < 3051000);
}

void rv_sqlite_warnings(struct rv_store *store, void (*each)(void *ctx, const char *text),
			void *ctx)
{
	const struct rv_sqlite *s = (const struct rv_sqlite *)(const void *)store;
	char text[512];
	struct rv_fs fs;

	if (rv_sqlite_affected(sqlite3_libversion_number())) {
		(void)snprintf(
			text, sizeof text,
			"SQLite %s can lose commits when two checkpoints meet (its WAL-reset "
			"bug): reeve avoids that; do not open the store with other programs, "
			"use reeve db sql",
			sqlite3_libversion());
		each(ctx, text);
	}
	if (rv_fs_look(s->path, &fs, NULL) == RV_OK && fs.verdict == RV_FS_VOLATILE) {
		(void)snprintf(
			text, sizeof text,
			"%s lies on %s: nothing in it survives a reboot, whatever the durability",
			s->given, fs.name);
		each(ctx, text);
	}
}
