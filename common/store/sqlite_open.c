/*
 * Opening: looks at the file through SQLite's own descriptor before a statement runs, so that what
 * is not ours is refused and stays as it was; then the connection and its settings.  Every process
 * that opens a store, after exec and never before a fork.
 */
#include "store/sqlite.h"
#include "store/sqlite_calls.h"
#include "store/sqlite_log.h"
#include "store/sqlite_place.h"
#include "store/sqlite_tally.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define LENGTH_MAX (20 << 20) /* bytes of a row: a payload, a spec, labels, and room */

static uint32_t be32(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool log_is_empty(const struct rv_sqlite *s)
{
	char *path;
	struct stat st;
	bool empty;

	if (asprintf(&path, "%s-wal", s->path) < 0)
		return false;
	empty = stat(path, &st) != 0 || st.st_size == 0;
	free(path);
	return empty;
}

/* The header of a database file (https://sqlite.org/fileformat2.html#the_database_header). */
static int judge(const struct rv_sqlite *s, const unsigned char *head, int64_t size,
		 struct rv_why *why)
{
	uint32_t page = (uint32_t)head[16] << 8 | head[17];
	uint32_t version = be32(head + 60);

	PRE(size > 0);
	if (memcmp(head, "SQLite format 3", 16) != 0)
		return rv_fail(why, RV_E_SCHEMA, "%s is not a store: not a SQLite database",
			       s->given);
	if (be32(head + 68) != RV_SQLITE_ID)
		return rv_fail(why, RV_E_SCHEMA,
			       "%s is a SQLite database, but not a store of reeve", s->given);
	if (version > RV_SQLITE_VERSION || head[18] > 2 || head[19] > 2)
		return rv_fail(why, RV_E_SCHEMA,
			       "%s was written by a newer reeve (schema %u, this one knows %d)",
			       s->given, version, RV_SQLITE_VERSION);
	if (page != RV_SQLITE_PAGE || head[18] == 0 || head[19] == 0 || head[21] != 64 ||
	    head[22] != 32 || head[23] != 32)
		return rv_fail(why, RV_E_CORRUPT, "%s is damaged: its header makes no sense",
			       s->given);
	/* A kill in a checkpoint leaves a short file and the log that completes it. */
	if (be32(head + 24) == be32(head + 92) && size / page < be32(head + 28) && log_is_empty(s))
		return rv_fail(why, RV_E_CORRUPT, "%s is damaged: %lld pages are missing", s->given,
			       (long long)(be32(head + 28) - size / page));
	return RV_OK;
}

static int open_error(struct rv_sqlite *s, sqlite3 *db, int rc, struct rv_why *why)
{
	int errnum = db ? sqlite3_system_errno(db) : 0;
	int err = rv_sqlite_error(rc);

	if ((rc & 0xff) == SQLITE_CANTOPEN && errnum != 0) {
		errno = errnum;
		return rv_fail(why, rv_err_from_errno(errnum), "cannot open %s: %m", s->given);
	}
	return rv_fail(why, err, "cannot open %s: %s", s->given,
		       db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
}

/* Reads the header without taking a lock or running a statement; closing is SQLite's, too. */
static int look(struct rv_sqlite *s, bool *ret_fresh, struct rv_why *why)
{
	unsigned char head[100] = {0};
	sqlite3_file *file = NULL;
	sqlite3_int64 size = 0;
	sqlite3 *db = NULL;
	int err = RV_OK;
	int rc = sqlite3_open_v2(s->path, &db,
				 SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
				 NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	if (rc == SQLITE_OK)
		rc = file->pMethods->xFileSize(file, &size);
	*ret_fresh = size == 0;
	if (rc == SQLITE_OK && size > 0)
		rc = file->pMethods->xRead(file, head, sizeof head, 0);
	if (rc == SQLITE_IOERR_SHORT_READ) /* the rest is zeroed */
		rc = SQLITE_OK;
	if (rc != SQLITE_OK)
		err = open_error(s, db, rc, why);
	else if (size > 0)
		err = judge(s, head, size, why);
	(void)sqlite3_close(db);
	return err;
}

/* A writer needs the file and, for the log beside it, the folder. */
static int may_write(const struct rv_sqlite *s, struct rv_why *why)
{
	char *folder = strdup(s->path);
	int err = RV_OK;

	if (!folder)
		return RV_E_NOMEM;
	*strrchr(folder, '/') = '\0';
	if (faccessat(AT_FDCWD, s->path, R_OK | W_OK, AT_EACCESS) != 0)
		err = rv_fail(why, RV_E_DENIED, "cannot write %s: %m", s->given);
	else if (faccessat(AT_FDCWD, folder[0] ? folder : "/", W_OK | X_OK, AT_EACCESS) != 0)
		err = rv_fail(why, RV_E_DENIED, "cannot write the folder of %s: %m", s->given);
	free(folder);
	return err;
}

int rv_sqlite_no_checkpoint(sqlite3 *db)
{
	int rc = sqlite3_wal_autocheckpoint(db, 0);

	return rc == SQLITE_OK ? sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL)
			       : rc;
}

static int set_up(struct rv_sqlite *s)
{
	static const struct {
		int what, on;
	} configs[] = {
		{SQLITE_DBCONFIG_DEFENSIVE, 1},   {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
		{SQLITE_DBCONFIG_ENABLE_FKEY, 0}, {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
		{SQLITE_DBCONFIG_DQS_DML, 0},     {SQLITE_DBCONFIG_DQS_DDL, 0},
	};
	int rc = sqlite3_extended_result_codes(s->db, 1);

	for (size_t i = 0; rc == SQLITE_OK && i < RV_ARRAY_LEN(configs); i++)
		rc = sqlite3_db_config(s->db, configs[i].what, configs[i].on, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_handler(s->db, rv_sqlite_busy, s);
	if (rc == SQLITE_OK)
		rc = rv_sqlite_no_checkpoint(s->db);
	if (rc != SQLITE_OK)
		return rv_sqlite_error(rc);
	(void)sqlite3_wal_hook(s->db, rv_sqlite_log_hook, s);
	(void)sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
	(void)sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
	/* 16 MiB: what readers made of the log is given back when it starts anew. */
	return rv_sqlite_exec(s, "PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON;"
				 "PRAGMA secure_delete = OFF; PRAGMA temp_store = MEMORY;"
				 "PRAGMA journal_size_limit = 16777216");
}

static int connect(struct rv_sqlite *s, struct rv_why *why)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_PRIVATECACHE;
	int err;
	int rc = sqlite3_open_v2(
		s->path, &s->db,
		flags | (s->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE), NULL);

	PRE(s->path && s->given);
	if (rc != SQLITE_OK)
		return open_error(s, s->db, rc, why);
	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, 5 * RV_S_US);
	err = set_up(s);
	if (err != RV_OK)
		return rv_fail(why, err, "cannot use %s: %s", s->given, sqlite3_errmsg(s->db));
	return RV_OK;
}

/*
 * On a file system that is read-only as a whole nobody writes, so the file can be read without a
 * log or shared memory beside it, unless a log was left there.
 */
static int connect_frozen(struct rv_sqlite *s, struct rv_why *why)
{
	struct statvfs fs;
	char *uri;
	int err;
	int rc;

	if (statvfs(s->path, &fs) != 0 || !(fs.f_flag & ST_RDONLY) || !log_is_empty(s))
		return RV_E_DENIED;
	uri = rv_sqlite_uri(s->path, "?immutable=1");
	if (!uri)
		return RV_E_NOMEM;
	rv_sqlite_finalize(s);
	(void)sqlite3_close(s->db);
	s->db = NULL;
	rc = sqlite3_open_v2(uri, &s->db,
			     SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_URI |
				     SQLITE_OPEN_READONLY,
			     NULL);
	free(uri);
	err = rc == SQLITE_OK ? set_up(s) : open_error(s, s->db, rc, why);
	return err == RV_OK ? rv_sqlite_migrate(s, false, false, why) : err;
}

static int open_file(struct rv_sqlite *s, const struct rv_store_open *how, struct rv_why *why)
{
	struct rv_why first = {{0}};
	bool fresh = false;
	int err = rv_sqlite_place(s, how, &fresh, why);

	if (err == RV_OK)
		err = look(s, &fresh, why);
	if (err == RV_OK && !s->read_only)
		err = may_write(s, why);
	if (err == RV_OK)
		err = connect(s, why);
	if (err == RV_OK && !s->read_only)
		err = rv_sqlite_found(s, why);
	if (err != RV_OK)
		return err;
	err = rv_sqlite_migrate(s, !s->read_only && how->create, !s->read_only && how->migrate,
				&first);
	if (err != RV_OK && err != RV_E_SCHEMA && s->read_only && connect_frozen(s, why) == RV_OK)
		err = RV_OK;
	if (err != RV_OK) {
		if (why)
			*why = first;
		return err;
	}
	err = rv_sqlite_tally_load(s); /* also the first read, which a checkpoint needs */
	if (err != RV_OK)
		return rv_fail(why, err, "cannot read %s: %s", s->given, sqlite3_errmsg(s->db));
	return RV_OK;
}

static int open_once(const struct rv_store_open *how, struct rv_store **ret_store,
		     struct rv_why *why)
{
	struct rv_sqlite *s = calloc(1, sizeof *s);
	int err;

	PRE(how->path);
	if (!s)
		return rv_fail(why, RV_E_NOMEM, "no memory for a store");
	s->read_only = how->read_only;
	s->group = how->group;
	s->interrupt = how->interrupt;
	s->ctx = how->ctx;
	s->sync = -1;
	s->names_seen = -1;
	s->log_frames = -1;
	rv_arena_init(&s->strings);
	err = open_file(s, how, why);
	if (err != RV_OK) {
		rv_sqlite_close(&s->base);
		return err;
	}
	*ret_store = &s->base;
	return RV_OK;
}

int rv_sqlite_open(const struct rv_store_open *how, struct rv_store **ret_store, struct rv_why *why)
{
	int err = open_once(how, ret_store, why);

	/* A restore took its place before we had written anything. */
	return err == RV_E_REPLACED ? open_once(how, ret_store, why) : err;
}

void rv_sqlite_close(struct rv_store *store)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);

	PRE(!s->open);
	rv_sqlite_finalize(s);
	if (sqlite3_close(s->db) != SQLITE_OK)
		IMPOSSIBLE("a statement outlived its store");
	rv_sqlite_names_free(s);
	rv_arena_reset(&s->strings);
	free(s->fallen);
	free(s->ended);
	free(s->spans);
	free(s->late);
	rv_buf_fini(&s->recent);
	free(s->gates);
	free(s->reserver);
	free(s->path);
	free(s->given);
	free(s);
}
