/*
 * Copies of a store by SQLite's own backup calls, and a store made of one.  The CLI; restoring
 * while no daemon and nobody else has the store open.  A file gets its name when it is whole and
 * synced, and what it replaces is set aside, never removed.  Wider than most: files, connections
 * and the store meet here.
 */
#include "store/backup.h"
#include "store/sqlite.h"
#include "store/sqlite_calls.h"
#include "store/sqlite_log.h"
#include "store/sqlite_place.h"

#include "base/check.h"
#include "base/fault.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGES    1024 /* copied between two words to the caller: 4 MiB */
#define LOST     1000 /* how far the epoch rises when nobody can tell how far it had come */
#define LOST_IDS (1000000000LL) /* and the ids: more than are given between two copies */
#define PATIENCE (RV_S_US)      /* for whoever has the old store open */
#define NEW_MAX  (RV_PATH_MAX + 32)

struct copy {
	char path[NEW_MAX]; /* until it has its name; "" there is none */
	sqlite3 *db;
};

/* What a store has given out and may never give again. */
struct given {
	int64_t epoch, job, batches, event;
};

static int say(struct rv_why *why, sqlite3 *db, int rc, const char *what, const char *path)
{
	return rv_fail(why, rv_sqlite_error(rc), "cannot %s %s: %s", what, path,
		       db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
}

static int run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static void end_reading(sqlite3 *db)
{
	if (!sqlite3_get_autocommit(db))
		(void)run(db, "ROLLBACK");
}

/* The first value of the first row as a text of ${space}; SQLITE_ROW or an error. */
static int value(sqlite3 *db, const char *sql, char *out, size_t space)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(stmt, 0);

		(void)snprintf(out, space, "%s", text ? text : "");
	}
	(void)sqlite3_finalize(stmt);
	return rc;
}

static int number(sqlite3 *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	return rc;
}

static int look_given(sqlite3 *db, struct given *ret)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, "SELECT epoch, job, batches, n FROM tally WHERE id = 0", -1,
				    &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*ret = (struct given){.epoch = sqlite3_column_int64(stmt, 0),
				      .job = sqlite3_column_int64(stmt, 1),
				      .batches = sqlite3_column_int64(stmt, 2),
				      .event = sqlite3_column_int64(stmt, 3)};
	(void)sqlite3_finalize(stmt);
	return rc;
}

/* Closes what is open; removes the file if it has no name yet. */
static void drop(struct copy *copy)
{
	static const char *const beside[] = {"", "-journal", "-wal", "-shm"};

	(void)sqlite3_close(copy->db);
	copy->db = NULL;
	for (size_t i = 0; copy->path[0] != '\0' && i < RV_ARRAY_LEN(beside); i++) {
		char path[NEW_MAX + 16];

		(void)snprintf(path, sizeof path, "%s%s", copy->path, beside[i]);
		(void)unlink(path);
	}
	copy->path[0] = '\0';
}

/* An empty file beside ${path}, open for writing. */
static int begin(struct copy *copy, const char *path, struct rv_why *why)
{
	int n = snprintf(copy->path, sizeof copy->path, "%s.new-%llx", path,
			 (unsigned long long)rv_random_u64());
	int fd;
	int rc;

	PRE(path[0] != '\0');
	copy->db = NULL;
	if (n < 0 || n >= RV_PATH_MAX) {
		copy->path[0] = '\0';
		return rv_fail(why, RV_E_TOOBIG, "%s: the path is too long", path);
	}
	fd = open(copy->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		int err = rv_fail(why, rv_err_from_errno(errno), "cannot make %s: %m", copy->path);

		copy->path[0] = '\0';
		return err;
	}
	(void)close(fd);
	rc = sqlite3_open_v2(copy->path, &copy->db,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
			     NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_extended_result_codes(copy->db, 1);
	if (rc == SQLITE_OK) /* synced by us, once, at the end */
		rc = run(copy->db, "PRAGMA synchronous = OFF");
	return rc == SQLITE_OK ? RV_OK : say(why, copy->db, rc, "make", copy->path);
}

/* All pages of one moment: ${from} has a transaction open, so that no commit makes it begin anew.
 */
static int fill(struct copy *copy, sqlite3 *from, rv_backup_told_fn *told, void *ctx,
		struct rv_why *why)
{
	sqlite3_backup *backup = sqlite3_backup_init(copy->db, "main", from, "main");
	int rc = backup ? SQLITE_OK : sqlite3_errcode(copy->db);

	PRE(!sqlite3_get_autocommit(from));
	while (rc == SQLITE_OK) {
		rc = RV_FAULT(backup_step) == RV_OK ? sqlite3_backup_step(backup, PAGES)
						    : SQLITE_FULL;
		if (told && (rc == SQLITE_OK || rc == SQLITE_DONE))
			told(ctx,
			     sqlite3_backup_pagecount(backup) - sqlite3_backup_remaining(backup),
			     sqlite3_backup_pagecount(backup));
	}
	if (backup && sqlite3_backup_finish(backup) != SQLITE_OK && rc == SQLITE_DONE)
		rc = sqlite3_errcode(copy->db);
	if (rc == SQLITE_DONE)
		return RV_OK;
	return rv_fail(why, rv_sqlite_error(rc), "cannot write %s: %s", copy->path,
		       sqlite3_errstr(rc));
}

/* One file without a log, looked through by SQLite, closed and synced. */
static int seal(struct copy *copy, struct rv_why *why)
{
	char said[200] = "";
	int err = RV_OK;
	int fd;
	int rc = value(copy->db, "PRAGMA journal_mode = DELETE", said, sizeof said);

	if (rc == SQLITE_ROW && strcmp(said, "delete") == 0)
		rc = value(copy->db, "PRAGMA integrity_check(1)", said, sizeof said);
	if (rc != SQLITE_ROW)
		return say(why, copy->db, rc, "look through", copy->path);
	if (strcmp(said, "ok") != 0)
		return rv_fail(why, RV_E_CORRUPT, "the copy is damaged: %s", said);
	rc = sqlite3_close(copy->db);
	copy->db = NULL;
	if (rc != SQLITE_OK)
		IMPOSSIBLE("a statement outlived its copy");
	fd = open(copy->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || RV_FAULT(backup_sync) != RV_OK || fsync(fd) != 0)
		err = rv_fail(why, RV_E_IO, "cannot sync %s: %m", copy->path);
	if (fd >= 0)
		(void)close(fd);
	return err;
}

static int sync_folder(const char *path, struct rv_why *why)
{
	char folder[RV_PATH_MAX];
	int err = rv_path_folder(folder, sizeof folder, path);
	int fd = err == RV_OK ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd < 0 || fsync(fd) != 0)
		err = rv_fail(why, RV_E_IO, "cannot sync the folder of %s: %m", path);
	if (fd >= 0)
		(void)close(fd);
	return err;
}

/* ${flags} of renameat2: RENAME_NOREPLACE or none. */
static int name_it(struct copy *copy, const char *path, unsigned flags, struct rv_why *why)
{
	if (renameat2(AT_FDCWD, copy->path, AT_FDCWD, path, flags) != 0) {
		int err = errno == EEXIST ? RV_E_CONFLICT : rv_err_from_errno(errno);

		return rv_fail(why, err,
			       errno == EEXIST ? "%s is there already" : "cannot make %s: %m",
			       path);
	}
	copy->path[0] = '\0';
	return sync_folder(path, why);
}

int rv_sqlite_backup(struct rv_store *store, const char *path, rv_backup_told_fn *told, void *ctx,
		     struct rv_why *why)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	struct copy copy = {.path = ""};
	struct stat st;
	int64_t event;
	int err;

	PRE(!s->open && path);
	if (lstat(path, &st) == 0)
		return rv_fail(why, RV_E_CONFLICT, "%s is there already", path);
	err = begin(&copy, path, why);
	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, 5 * RV_S_US);
	if (err == RV_OK) {
		err = rv_sqlite_exec(s, "BEGIN");
		if (err == RV_OK) /* from here on it is the store of this moment */
			err = rv_sqlite_pragma(s, "SELECT n FROM tally WHERE id = 0", &event);
		if (err != RV_OK)
			err = rv_fail(why, err, "cannot read the store: %s", sqlite3_errmsg(s->db));
	}
	if (err == RV_OK)
		err = fill(&copy, s->db, told, ctx, why);
	end_reading(s->db);
	if (err == RV_OK)
		err = seal(&copy, why);
	if (err == RV_OK)
		err = name_it(&copy, path, RENAME_NOREPLACE, why);
	drop(&copy);
	return err;
}

/* ---- restoring */

static void note_broken(void *ctx, const char *rule, const char *what)
{
	struct rv_why *first = ctx;

	if (first->text[0] == '\0')
		(void)rv_fail(first, RV_E_CORRUPT, "%s: %s", rule, what);
}

/* The copy, open for reading and sound. */
static int open_copy(const struct rv_store_restore *how, struct rv_store **ret, struct rv_why *why)
{
	struct rv_store_open open = {
		.backend = "sqlite", .path = how->from, .read_only = true, .group = (gid_t)-1};
	struct rv_why broken = {.text = ""};
	int err = rv_store_open(&open, ret, why);

	if (err != RV_OK)
		return err;
	err = rv_store_check(*ret, true, note_broken, &broken);
	if (err == RV_OK && broken.text[0] == '\0')
		return RV_OK;
	rv_store_close(*ret);
	*ret = NULL;
	if (err != RV_OK)
		return rv_fail(why, err, "cannot look through %s", how->from);
	return rv_fail(why, RV_E_CORRUPT, "%s is damaged: %s", how->from, broken.text);
}

static int busy(void *ctx, int tries)
{
	int64_t until = *(const int64_t *)ctx;

	PRE(tries >= 0);
	if (rv_mono_us() >= until)
		return 0;
	rv_sqlite_doze(tries, PATIENCE);
	return 1;
}

/* One file without a log, and nobody writes it from here on; SQLITE_OK, BUSY or what is wrong. */
static int shut(sqlite3 *db)
{
	char mode[32] = "";
	int rc = value(db, "PRAGMA journal_mode = DELETE", mode, sizeof mode);

	if (rc == SQLITE_ROW && strcmp(mode, "delete") == 0)
		rc = run(db, "BEGIN IMMEDIATE");
	else
		return rc == SQLITE_ROW ? SQLITE_BUSY : rc;
	if (rc == SQLITE_OK)
		rc = value(db, "PRAGMA journal_mode", mode, sizeof mode);
	if (rc == SQLITE_ROW && strcmp(mode, "delete") == 0)
		return SQLITE_OK;
	end_reading(db); /* somebody came in between, and has made it a log again */
	return rc == SQLITE_ROW ? SQLITE_BUSY : rc;
}

/*
 * The old store becomes one file that nobody has open, and none can write until ${*ret_db} is
 * closed: what is told stored is in no file that is set aside.  Whoever opened it meanwhile and
 * waits finds then that its path is another file (RV_E_REPLACED), before it makes a log there.
 * RV_E_CORRUPT: it cannot be read and is left as it is, with no connection.
 */
static int hold_old(const char *path, sqlite3 **ret_db, struct given *ret_given, struct rv_why *why)
{
	int64_t until = rv_mono_us() + PATIENCE;
	sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(path, &db,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
				 NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_busy_handler(db, busy, &until);
	if (rc == SQLITE_OK)
		rc = look_given(db, ret_given);
	while (rc == SQLITE_ROW || (rc & 0xff) == SQLITE_BUSY) {
		rc = shut(db);
		if ((rc & 0xff) == SQLITE_BUSY && busy(&until, 10) == 0)
			break;
	}
	if (rc == SQLITE_OK)
		rc = look_given(db, ret_given);
	if (rc == SQLITE_ROW) {
		(void)sqlite3_busy_handler(db, NULL, NULL);
		*ret_db = db;
		return RV_OK;
	}
	(void)sqlite3_close(db);
	if ((rc & 0xff) == SQLITE_BUSY)
		return rv_fail(why, RV_E_BUSY, "somebody has %s open; nothing was changed", path);
	return RV_E_CORRUPT;
}

/* NULL: there is none. */
static void let_go(sqlite3 *old)
{
	if (old)
		end_reading(old);
	(void)sqlite3_close(old);
}

/* The old store is what it was before set_aside. */
static void put_back(const char *path, const struct rv_restored *restored)
{
	char log[RV_PATH_MAX + 8];
	char log_aside[RV_PATH_MAX + 64];

	(void)snprintf(log, sizeof log, "%s-wal", path);
	(void)snprintf(log_aside, sizeof log_aside, "%s-wal", restored->aside);
	(void)rename(log_aside, log);
	(void)unlink(restored->aside);
}

/* PATH.replaced-TIME for the old store, or, the second time in a second, PATH.replaced-TIME-2. */
static int name_old(const char *path, struct rv_restored *restored, struct rv_why *why)
{
	time_t now = (time_t)(rv_wall_us() / RV_S_US);
	struct tm tm;
	char when[32];

	if (!gmtime_r(&now, &tm) || strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &tm) == 0)
		return rv_fail(why, RV_E_INTERNAL, "the clock cannot be read");
	for (int i = 1; i < 100; i++) {
		char nth[8] = "";

		if (i > 1)
			(void)snprintf(nth, sizeof nth, "-%d", i);
		if ((size_t)snprintf(restored->aside, sizeof restored->aside, "%s.replaced-%s%s",
				     path, when, nth) >= sizeof restored->aside)
			return rv_fail(why, RV_E_TOOBIG, "%s: the path is too long", path);
		if (link(path, restored->aside) == 0)
			return RV_OK;
		if (errno != EEXIST)
			break;
	}
	return rv_fail(why, rv_err_from_errno(errno), "cannot set %s aside: %m", path);
}

/*
 * Another name for the old store, and what is left of its log under the same.  Whoever is killed
 * from here on leaves a store of two names, which no daemon opens: it says so.
 */
static int set_aside(const char *path, struct rv_restored *restored, struct rv_why *why)
{
	char log[RV_PATH_MAX + 8];
	char log_aside[RV_PATH_MAX + 64];
	int err = name_old(path, restored, why);

	if (err != RV_OK)
		return err;
	(void)snprintf(log, sizeof log, "%s-wal", path);
	(void)snprintf(log_aside, sizeof log_aside, "%s-wal", restored->aside);
	if (rename(log, log_aside) != 0 && errno != ENOENT)
		err = rv_fail(why, rv_err_from_errno(errno), "cannot set %s aside: %m", log);
	(void)snprintf(log, sizeof log, "%s-shm", path);
	if (err == RV_OK && unlink(log) != 0 && errno != ENOENT)
		err = rv_fail(why, rv_err_from_errno(errno), "cannot remove %s: %m", log);
	if (err != RV_OK)
		put_back(path, restored);
	return err;
}

/* Without its database it would be taken for that of the next one of this name. */
static int no_log(const char *path, struct rv_why *why)
{
	char log[RV_PATH_MAX + 8];
	struct stat st;

	PRE(strlen(path) < RV_PATH_MAX);
	(void)snprintf(log, sizeof log, "%s-wal", path);
	if (lstat(log, &st) != 0 || st.st_size == 0)
		return RV_OK;
	return rv_fail(why, RV_E_CONFLICT,
		       "%s is the log of a store that is not there: move it away first", log);
}

/*
 * What is given next is above all that the copy and the old store have given: ${old}, and if that
 * is not ${known} so far above that it can hardly have been given.
 */
static int raise_given(struct copy *copy, const struct given *old, bool known,
		       struct rv_restored *restored, struct rv_why *why)
{
	struct given floor = *old;
	long long ids = known ? 0 : LOST_IDS;
	char sql[320];
	int rc;

#if defined(RV_MUTANT_RESTORE_EPOCH)
	floor.epoch = 0;
#elif defined(RV_MUTANT_RESTORE_JOBS)
	floor.job = 0;
#elif defined(RV_MUTANT_RESTORE_BATCHES)
	floor.batches = 0;
#elif defined(RV_MUTANT_RESTORE_EVENTS)
	floor.event = 0;
#endif
	(void)snprintf(sql, sizeof sql,
		       "UPDATE tally SET epoch = max(epoch + %d, %lld) + 1,"
		       " job = max(job + %lld, %lld), batches = max(batches + %lld, %lld),"
		       " n = max(n + %lld, %lld) WHERE id = 0",
		       known ? 0 : LOST, (long long)floor.epoch, ids, (long long)floor.job, ids,
		       (long long)floor.batches, ids, (long long)floor.event);
	rc = run(copy->db, sql);
	if (rc == SQLITE_OK)
		rc = number(copy->db, "SELECT count(*) FROM job", &restored->jobs);
	if (rc == SQLITE_ROW)
		rc = number(copy->db,
			    "SELECT coalesce((SELECT at FROM event ORDER BY seq DESC LIMIT 1), 0)",
			    &restored->last_us);
	return rc == SQLITE_ROW ? RV_OK : say(why, copy->db, rc, "write", copy->path);
}

/* A file beside the store with all of ${from}. */
static int prepare(const struct rv_store_restore *how, struct rv_store *from, struct copy *copy,
		   struct rv_why *why)
{
	struct rv_sqlite *s = RV_SQLITE_OF(from);
	int err = begin(copy, how->path, why);

	if (err == RV_OK && rv_sqlite_exec(s, "BEGIN") != RV_OK)
		err = rv_fail(why, RV_E_IO, "cannot read %s: %s", how->from, sqlite3_errmsg(s->db));
	if (err == RV_OK)
		err = fill(copy, s->db, how->told, how->ctx, why);
	end_reading(s->db);
	return err;
}

static int dress(const struct copy *copy, const struct rv_store_restore *how, struct rv_why *why)
{
	int fd = open(copy->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	int err;

	PRE(!copy->db); /* it is closed: opening it by hand drops no lock of ours */
	if (fd < 0)
		return rv_fail(why, rv_err_from_errno(errno), "cannot open %s: %m", copy->path);
	err = rv_sqlite_dress(fd, how->path, how->group, why);
	(void)close(fd);
	return err;
}

/* ${old}: how the old store was set aside; NULL there was none. */
static int take_its_place(struct copy *copy, const char *path, const struct rv_restored *old,
			  struct rv_why *why)
{
	int err = RV_FAULT(restore_rename);

	if (err == RV_OK)
		err = name_it(copy, path, old ? 0 : RENAME_NOREPLACE, why);
	if (err != RV_OK && old && copy->path[0] != '\0')
		put_back(path, old);
	return err;
}

int rv_sqlite_restore(const struct rv_store_restore *how, struct rv_restored *ret_restored,
		      struct rv_why *why)
{
	struct rv_restored restored = {.damaged = false};
	struct copy copy = {.path = ""};
	struct rv_store *from = NULL;
	sqlite3 *held = NULL; /* the old store */
	struct given given = {.epoch = 0};
	struct stat st;
	bool old = lstat(how->path, &st) == 0;
	int err = rv_fs_plain_file(how->path, why);

	if (err != RV_OK && err != RV_E_NOTFOUND)
		return err;
	err = old ? RV_OK : no_log(how->path, why);
	if (err == RV_OK)
		err = open_copy(how, &from, why);
	if (err == RV_OK && old) {
		err = hold_old(how->path, &held, &given, why);
		restored.damaged = err == RV_E_CORRUPT;
		if (restored.damaged)
			err = RV_OK;
	}
	if (err == RV_OK)
		err = prepare(how, from, &copy, why);
	rv_store_close(from);
	if (err == RV_OK)
		err = raise_given(&copy, &given, held != NULL, &restored, why);
	if (err == RV_OK)
		err = seal(&copy, why);
	if (err == RV_OK)
		err = dress(&copy, how, why);
	if (err == RV_OK && old)
		err = set_aside(how->path, &restored, why);
	if (err == RV_OK)
		err = take_its_place(&copy, how->path, old ? &restored : NULL, why);
	let_go(held);
	drop(&copy);
	if (err == RV_OK)
		*ret_restored = restored;
	return err;
}
