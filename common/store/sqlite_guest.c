/*
 * A guest on an application's connection: ENQUEUE within the application's transaction.  Runs in
 * programs of other people, by way of the loadable extension.  Must leave no statement behind (it
 * would keep the connection from being closed) and must never commit what is not its own.
 */
#include "store/guest.h"
#include "store/sqlite.h"
#include "store/sqlite_calls.h"
#include "store/sqlite_place.h"
#include "store/sqlite_tally.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

static int sql(struct rv_sqlite *s, const char *text, struct rv_why *why)
{
	int rc = sqlite3_exec(s->db, text, NULL, NULL, NULL);

	return rc == SQLITE_OK ? RV_OK : rv_sqlite_fail(s, rc, why, "reeve");
}

/* A name that is not the store's would be met first. */
static int check_names(struct rv_sqlite *s, struct rv_why *why)
{
	int64_t shadows = 0;
	int err = rv_sqlite_pragma(
		s,
		"SELECT count(*) FROM temp.sqlite_master t JOIN main.sqlite_master "
		"m ON m.name = t.name",
		&shadows);

	if (err == RV_OK && shadows > 0)
		return rv_fail(why, RV_E_USAGE,
			       "a temporary table has the name of a table of the store");
	return err;
}

static int check_schema(struct rv_sqlite *s, struct rv_why *why)
{
	int64_t id = 0;
	int64_t version = 0;
	int err = rv_sqlite_pragma(s, "PRAGMA main.application_id", &id);

	if (err == RV_OK)
		err = rv_sqlite_pragma(s, "PRAGMA main.user_version", &version);
	if (err != RV_OK)
		return rv_fail(why, err, "cannot read the database: %s", sqlite3_errmsg(s->db));
	if (id != RV_SQLITE_ID)
		return rv_fail(why, RV_E_SCHEMA,
			       "the main database is not a store of reeve; open the store itself, "
			       "an attached one is not committed together with it");
#ifdef RV_MUTANT_GUEST_ANY_SCHEMA
	version = RV_SQLITE_VERSION;
#endif
	if (version > RV_SQLITE_VERSION)
		return rv_fail(
			why, RV_E_SCHEMA,
			"the store was written by a newer reeve (schema %lld, this extension "
			"knows %d)",
			(long long)version, RV_SQLITE_VERSION);
	if (version < RV_SQLITE_VERSION)
		return rv_fail(why, RV_E_SCHEMA,
			       "the store has an older schema (%lld, this extension needs %d): a "
			       "start of reeved brings it up to date",
			       (long long)version, RV_SQLITE_VERSION);
	err = rv_sqlite_tables(s, why);
	return err == RV_OK ? check_names(s, why) : err;
}

/* SQLite gives no savepoint to a function within a statement that writes. */
static bool is_writing(sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;

	while ((stmt = sqlite3_next_stmt(db, stmt)) != NULL) {
		if (sqlite3_stmt_busy(stmt) && !sqlite3_stmt_readonly(stmt))
			return true;
	}
	return false;
}

static int check_place(struct rv_sqlite *s, struct rv_why *why)
{
	if (!is_writing(s->db))
		return RV_OK;
	return rv_fail(why, RV_E_USAGE,
		       "call reeve_enqueue in a SELECT of its own, not within a statement that "
		       "writes (there, insert into reeve_inbox)");
}

/*
 * After the first commit since a job was stored; then the place is free again.  Nobody else's hook
 * is lost by this: to turn automatic checkpoints off, which is done before, is to clear it.
 */
static int on_commit(void *ctx, sqlite3 *db, const char *name, int frames)
{
	(void)ctx, (void)name, (void)frames;
	(void)sqlite3_wal_hook(db, NULL, NULL);
#ifndef RV_MUTANT_GUEST_RINGS_NOBODY
	(void)rv_guest_rings(db);
#endif
	return SQLITE_OK;
}

static int enqueue(struct rv_sqlite *s, struct rv_req *req, struct rv_why *why)
{
	sqlite3_stmt *stmt;
	int err;

	PRE(!s->open && !sqlite3_get_autocommit(s->db));
	/* Prepared before, so that giving up needs no memory (rv_sqlite_undo). */
	err = rv_sqlite_start(s, RV_SQL_ROLLBACK, &stmt, "");
	s->open = s->base.in_transaction = true;
	s->transaction++;
	if (err == RV_OK)
		err = rv_sqlite_tally_load(s);
	if (err == RV_OK)
		err = rv_sqlite_execute(&s->base, req);
	if (err == RV_OK)
		err = req->err;
	if (err == RV_OK)
		err = rv_sqlite_tally_store(s);
	if (err != RV_OK)
		(void)rv_fail(why, err, "%s",
			      req->why.text[0] ? req->why.text : sqlite3_errmsg(s->db));
	s->open = s->base.in_transaction = false;
	return err;
}

/* The write lock first: a snapshot taken before it could not be written to any more. */
static int within(struct rv_sqlite *s, struct rv_req *req, struct rv_why *why)
{
	bool own = sqlite3_get_autocommit(s->db);
	int err = sql(s,
		      own ? "BEGIN IMMEDIATE"
			  : "UPDATE main.tally SET n = n WHERE id IS NULL; SAVEPOINT reeve",
		      why);

	if (err != RV_OK)
		return err;
	err = enqueue(s, req, why);
	INV(!s->open);
	rv_sqlite_finalize(s);
#ifdef RV_MUTANT_GUEST_COMMITS
	own = true;
#endif
	if (err == RV_OK)
		return sql(s, own ? "COMMIT" : "RELEASE reeve", why);
	if (!sqlite3_get_autocommit(s->db))
		(void)!sql(s, own ? "ROLLBACK" : "ROLLBACK TO reeve; RELEASE reeve", NULL);
	return err;
}

static int guest(struct rv_sqlite *s, struct rv_req *req, struct rv_why *why)
{
	const char *path = sqlite3_db_filename(s->db, "main");
	int err;

	s->base.ops = &rv_store_sqlite_ops;
	s->base.rings = calloc(RV_RINGS_MAX, sizeof *s->base.rings);
	s->sync = -1;
	s->names_seen = -1;
	s->log_frames = -1;
	s->path = strdup(path ? path : "");
	s->given = strdup(path ? path : "");
	if (!s->base.rings || !s->path || !s->given)
		return RV_E_NOMEM;
	err = check_place(s, why);
	if (err == RV_OK)
		err = check_schema(s, why);
	if (err == RV_OK && rv_sqlite_no_checkpoint(s->db) != SQLITE_OK)
		err = rv_fail(why, RV_E_INTERNAL, "the connection cannot be set up");
	if (err != RV_OK)
		return err;
	(void)sqlite3_wal_hook(s->db, on_commit, NULL);
	return within(s, req, why);
}

int rv_guest_ring(sqlite3 *db, bool *ret_rung, struct rv_why *why)
{
	struct rv_sqlite s = {.db = db};
	int err;

	if (!sqlite3_get_autocommit(db) || is_writing(db))
		return rv_fail(why, RV_E_USAGE,
			       "call it after COMMIT: until then nobody can see what is there");
	err = check_schema(&s, why);
	if (err == RV_OK)
		*ret_rung = rv_guest_rings(db);
	return err;
}

int rv_guest_enqueue(sqlite3 *db, const struct rv_job_new *job, int64_t *ret_id, struct rv_why *why)
{
	struct rv_sqlite *s = calloc(1, sizeof *s);
	struct rv_req *req = calloc(1, sizeof *req);
	int64_t id = 0;
	int err = s && req ? RV_OK : RV_E_NOMEM;

	PRE(db && job && ret_id);
	if (err == RV_OK) {
		s->db = db;
		rv_arena_init(&s->strings);
		req->kind = RV_REQ_ENQUEUE;
		req->u.enqueue = (struct rv_req_enqueue){
			.jobs = job, .count = 1, .ret_ids = &id, .adhoc_refused = true};
		err = guest(s, req, why);
		rv_sqlite_finalize(s);
		rv_sqlite_names_free(s);
		rv_arena_reset(&s->strings);
		free(s->base.rings);
		free(s->fallen);
		free(s->spans);
		free(s->late);
		free(s->gates);
		free(s->path);
		free(s->given);
	}
	POST(err != RV_OK || id > 0);
	if (err == RV_OK)
		*ret_id = id;
	free(req);
	free(s);
	return err;
}
