/*
 * Statements: prepared on first use, kept until the handle is closed, bound from a type string; and
 * the one place where SQLite's result codes become ours.  Every process with a store.  A row of a
 * constraint that fails is our own fault (we look before we insert), so it is INTERNAL.
 */
#include "store/sqlite.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const texts[] = {
#define STMT(name, sql) sql,
#include "store/sqlite_stmt.def"
#undef STMT
};

int rv_sqlite_error(int rc)
{
	switch (rc) {
	case SQLITE_IOERR_NOMEM:
		return RV_E_NOMEM;
	case SQLITE_IOERR_SHMSIZE: /* no room for the -shm file */
		return RV_E_NOSPACE;
	case SQLITE_READONLY_DBMOVED:
		return RV_E_REPLACED;
	default:
		break;
	}
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return RV_OK;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
	case SQLITE_INTERRUPT:
		return RV_E_BUSY;
	case SQLITE_FULL:
		return RV_E_NOSPACE;
	case SQLITE_NOMEM:
		return RV_E_NOMEM;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return RV_E_CORRUPT;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return RV_E_DENIED;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return RV_E_IO;
	case SQLITE_TOOBIG:
		return RV_E_TOOBIG;
	default:
		return RV_E_INTERNAL;
	}
}

int rv_sqlite_fail(struct rv_sqlite *s, int rc, struct rv_why *why, const char *doing)
{
	int err = rv_sqlite_error(rc);

	PRE(doing);
	return rv_fail(why, err == RV_OK ? RV_E_INTERNAL : err, "%s: %s", doing,
		       s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
}

static int prepare(struct rv_sqlite *s, enum rv_sqlite_stmt which)
{
	PRE(s->db && !s->stmts[which]);
	int rc = sqlite3_prepare_v3(s->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT,
				    &s->stmts[which], NULL);

	return rv_sqlite_error(rc);
}

static int bind_one(sqlite3_stmt *stmt, int at, char type, va_list *args)
{
	const char *text;
	const void *data;

	switch (type) {
	case 'i':
		return sqlite3_bind_int64(stmt, at, va_arg(*args, int64_t));
	case 'n': /* int64_t, 0 is NULL */
	{
		int64_t value = va_arg(*args, int64_t);

		return value == 0 ? sqlite3_bind_null(stmt, at)
				  : sqlite3_bind_int64(stmt, at, value);
	}
	case 't':
		text = va_arg(*args, const char *);
		return sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
	case 'b':
		data = va_arg(*args, const void *);
		return sqlite3_bind_blob64(stmt, at, data, va_arg(*args, size_t), SQLITE_STATIC);
	default:
		IMPOSSIBLE("a bind type that is none");
	}
}

static int start(struct rv_sqlite *s, enum rv_sqlite_stmt which, sqlite3_stmt **ret_stmt,
		 const char *types, va_list *args)
{
	sqlite3_stmt *stmt;
	int err;

	PRE((unsigned)which < RV_SQLITE_STMTS);
	if (!s->stmts[which]) {
		err = prepare(s, which);
		if (err != RV_OK)
			return err;
	}
	stmt = s->stmts[which];
	INV(!sqlite3_stmt_busy(stmt));
	PRE((int)strlen(types) == sqlite3_bind_parameter_count(stmt));
	for (int i = 0; types[i] != '\0'; i++) {
		int rc = bind_one(stmt, i + 1, types[i], args);

		if (rc != SQLITE_OK)
			return rv_sqlite_error(rc);
	}
	*ret_stmt = stmt;
	return RV_OK;
}

int rv_sqlite_start(struct rv_sqlite *s, enum rv_sqlite_stmt which, sqlite3_stmt **ret_stmt,
		    const char *types, ...)
{
	va_list args;
	int err;

	va_start(args, types);
	err = start(s, which, ret_stmt, types, &args);
	va_end(args);
	return err;
}

int rv_sqlite_step(struct rv_sqlite *s, sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);

	(void)s;
	if (rc == SQLITE_ROW)
		return RV_OK;
	(void)sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? RV_E_NOTFOUND : rv_sqlite_error(rc);
}

void rv_sqlite_end(sqlite3_stmt *stmt)
{
	if (stmt)
		(void)sqlite3_reset(stmt);
}

void rv_sqlite_end_auto(sqlite3_stmt **stmt)
{
	rv_sqlite_end(*stmt);
}

static int run(struct rv_sqlite *s, enum rv_sqlite_stmt which, int64_t *ret_changed,
	       const char *types, va_list *args)
{
	sqlite3_stmt *stmt = NULL;
	int err = start(s, which, &stmt, types, args);

	if (err != RV_OK)
		return err;
	err = rv_sqlite_step(s, stmt);
	if (err == RV_OK) { /* a row nobody wanted */
		rv_sqlite_end(stmt);
		return RV_OK;
	}
	if (err != RV_E_NOTFOUND)
		return err;
	if (ret_changed)
		*ret_changed = sqlite3_changes64(s->db);
	return RV_OK;
}

int rv_sqlite_run(struct rv_sqlite *s, enum rv_sqlite_stmt which, int64_t *ret_changed,
		  const char *types, ...)
{
	va_list args;
	int err;

	va_start(args, types);
	err = run(s, which, ret_changed, types, &args);
	va_end(args);
	return err;
}

int rv_sqlite_run1(struct rv_sqlite *s, enum rv_sqlite_stmt which, const char *types, ...)
{
	va_list args;
	int64_t changed = 0;
	int err;

	va_start(args, types);
	err = run(s, which, &changed, types, &args);
	va_end(args);
	if (err != RV_OK)
		return err;
	return changed == 1 ? RV_OK : RV_E_CORRUPT;
}

int rv_sqlite_exec(struct rv_sqlite *s, const char *sql)
{
	PRE(s->db);
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return rv_sqlite_error(rc);
}

int rv_sqlite_number(struct rv_sqlite *s, enum rv_sqlite_stmt which, int64_t *ret,
		     const char *types, ...)
{
	sqlite3_stmt *stmt = NULL;
	va_list args;
	int err;

	va_start(args, types);
	err = start(s, which, &stmt, types, &args);
	va_end(args);
	if (err != RV_OK)
		return err;
	err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	*ret = sqlite3_column_int64(stmt, 0);
	rv_sqlite_end(stmt);
	return RV_OK;
}

void rv_sqlite_text(sqlite3_stmt *stmt, int column, char *out, size_t space)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	PRE(space > 0 && column < sqlite3_column_count(stmt));
	(void)snprintf(out, space, "%s", text ? text : "");
}

void rv_sqlite_finalize(struct rv_sqlite *s)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(s->stmts); i++) {
		(void)sqlite3_finalize(s->stmts[i]);
		s->stmts[i] = NULL;
	}
}
