/*
 * Making a store out of an empty file, and bringing an older one up to date: one transaction per
 * numbered file of schema/.  Keeper and whoever creates a store.  Every step may be the last one
 * (a kill, a power cut): the next who opens goes on from there.
 */
#include "store/sqlite.h"
#include "store/sqlite_log.h"
#include "store/sqlite_place.h"
#include "store/sqlite_sql.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

#define FOUND_US (10 * RV_S_US) /* how long we wait for somebody else who makes the same store */

static const char *const versions[] = {
	[1] = rv_sql_0001_initial,
};
_Static_assert(RV_ARRAY_LEN(versions) == RV_SQLITE_VERSION + 1, "every version has its file");

/*
 * A hash of the tables that the files up to each version make, as the build has them; a store keeps
 * the one of those that it was made by.  A number alone would not do: until it is released a file
 * may change.
 */
static const uint64_t tables[] = {RV_TABLES};
_Static_assert(RV_ARRAY_LEN(tables) == RV_SQLITE_VERSION + 1, "every version has its tables");

int rv_sqlite_pragma(struct rv_sqlite *s, const char *sql, int64_t *ret_value)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? RV_OK : rc == SQLITE_DONE ? RV_E_NOTFOUND : rv_sqlite_error(rc);
}

static int in_transaction(struct rv_sqlite *s, const char *begin, int (*body)(struct rv_sqlite *))
{
	int err;

	PRE(sqlite3_get_autocommit(s->db));
	err = rv_sqlite_exec(s, begin);
	if (err == RV_OK)
		err = body(s);
	if (err == RV_OK)
		err = rv_sqlite_exec(s, "COMMIT");
	if (!sqlite3_get_autocommit(s->db))
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

/*
 * auto_vacuum writes the first page, so it stands in the transaction that makes the file ours: a
 * database without our id is somebody else's, whoever was killed while making it.
 */
static int mark_ours(struct rv_sqlite *s)
{
	char sql[64];
	int64_t pages = -1;
	int err = rv_sqlite_exec(s, "PRAGMA auto_vacuum = 2");

	if (err == RV_OK)
		err = rv_sqlite_pragma(s, "PRAGMA page_count", &pages);
	/* In a transaction an empty file counts one page already; a store has more. */
	if (err != RV_OK || pages > 1)
		return err; /* somebody else was first */
	(void)snprintf(sql, sizeof sql, "PRAGMA application_id = %d", RV_SQLITE_ID);
	return rv_sqlite_exec(s, sql);
}

/* journal_mode is kept in the file; SQLite does not wait for others while it changes it. */
static int use_wal(struct rv_sqlite *s)
{
	int err = RV_E_BUSY;

	for (int i = 0; err == RV_E_BUSY && rv_mono_us() < s->wait_until; i++) {
		sqlite3_stmt *stmt = NULL;
		int rc = sqlite3_prepare_v2(s->db, "PRAGMA journal_mode = WAL", -1, &stmt, NULL);

		if (rc == SQLITE_OK)
			rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW)
			err = strcmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0
				      ? RV_OK
				      : RV_E_BUSY;
		else
			err = rv_sqlite_error(rc);
		(void)sqlite3_finalize(stmt);
		if (err == RV_E_BUSY)
			rv_sqlite_doze(i, FOUND_US);
	}
	return err;
}

int rv_sqlite_found(struct rv_sqlite *s, struct rv_why *why)
{
	int err = RV_OK;
	int64_t pages = 0;

	PRE(!s->read_only);
	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, FOUND_US);
	err = rv_sqlite_pragma(s, "PRAGMA page_count", &pages);
	if (err == RV_OK && pages == 0) {
		err = rv_sqlite_exec(s, "PRAGMA page_size = 4096");
		if (err == RV_OK)
			err = in_transaction(s, "BEGIN", mark_ours);
	}
	if (err == RV_OK)
		err = use_wal(s);
	if (err != RV_OK)
		return rv_fail(why, err, "cannot make a store of %s: %s", s->given,
			       sqlite3_errmsg(s->db));
	return RV_OK;
}

static int compare(struct rv_sqlite *s, int64_t version)
{
	int64_t has = 0;
	int err;

	PRE(version > 0 && version <= RV_SQLITE_VERSION);
	err = rv_sqlite_pragma(s, "SELECT tables FROM main.tally WHERE id = 0", &has);
	if (err == RV_E_INTERNAL)
		return RV_E_SCHEMA; /* there is no such table, or column */
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
#ifdef RV_MUTANT_TABLES_ANY
	return RV_OK;
#endif
	return has == (int64_t)tables[version] ? RV_OK : RV_E_SCHEMA;
}

static int refuse(struct rv_sqlite *s, int err, struct rv_why *why)
{
	if (err != RV_E_SCHEMA)
		return rv_fail(why, err, "cannot read %s: %s", s->given, sqlite3_errmsg(s->db));
	return rv_fail(why, err,
		       "%s was made by another build of reeve, before a release, and has other "
		       "tables: use that build for it, or move it and its -wal away, and a new one "
		       "is made",
		       s->given);
}

int rv_sqlite_tables(struct rv_sqlite *s, struct rv_why *why)
{
	int err = compare(s, RV_SQLITE_VERSION);

	return err == RV_OK ? RV_OK : refuse(s, err, why);
}

/* The next version; in the transaction it is looked at again, others may have been first. */
static int one_version(struct rv_sqlite *s)
{
	char sql[128];
	int64_t version = 0;
	int err = rv_sqlite_pragma(s, "PRAGMA user_version", &version);

	if (err != RV_OK || version >= RV_SQLITE_VERSION)
		return err;
	PRE(version >= 0 && versions[version + 1]);
	if (version > 0)
		err = compare(s, version);
	if (err == RV_OK)
		err = rv_sqlite_exec(s, versions[version + 1]);
	(void)snprintf(sql, sizeof sql,
		       "UPDATE tally SET tables = %lld WHERE id = 0; PRAGMA user_version = %lld",
		       (long long)tables[version + 1], (long long)version + 1);
	return err == RV_OK ? rv_sqlite_exec(s, sql) : err;
}

int rv_sqlite_migrate(struct rv_sqlite *s, bool create, bool migrate, struct rv_why *why)
{
	int64_t version = 0;

	for (;;) {
		int err;

		rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, FOUND_US);
		err = rv_sqlite_pragma(s, "PRAGMA user_version", &version);
		if (err != RV_OK)
			return rv_fail(why, err, "cannot read %s: %s", s->given,
				       sqlite3_errmsg(s->db));
		if (version == RV_SQLITE_VERSION)
			return rv_sqlite_tables(s, why);
		if (version > RV_SQLITE_VERSION || version < 0)
			return rv_fail(
				why, RV_E_SCHEMA,
				"%s was written by a newer reeve (schema %lld, this one knows "
				"%d)",
				s->given, (long long)version, RV_SQLITE_VERSION);
		if (version == 0 ? !create && !migrate : !migrate)
			return rv_fail(
				why, RV_E_SCHEMA,
				"%s has an older schema (%lld, this reeve needs %d): a start "
				"of reeved brings it up to date",
				s->given, (long long)version, RV_SQLITE_VERSION);
		err = in_transaction(s, "BEGIN IMMEDIATE", one_version);
		if (err == RV_E_SCHEMA)
			return refuse(s, err, why);
		if (err != RV_OK)
			return rv_fail(why, err, "cannot bring %s up to date: %s", s->given,
				       sqlite3_errmsg(s->db));
	}
}
