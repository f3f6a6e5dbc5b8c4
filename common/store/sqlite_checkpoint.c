/*
 * The checkpoint: the one function of the house that may, and the busy handler that keeps it safe
 * on SQLite before 3.51.3 (the WAL-reset bug, DESIGN §3).  Leaders, keeper, CLI; outside a
 * transaction. RESTART takes the writer lock before it reads the wal-index header.  If it does not
 * get it, SQLite goes on as PASSIVE, which is what loses commits: so the handler never gives up on
 * that lock without an interrupt, which ends the checkpoint before it moves a page.
 */
#include "store/sqlite.h"
#include "store/sqlite_calls.h"
#include "store/sqlite_log.h"

#include "base/check.h"
#include "base/fault.h"
#include "os/proclocks.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * How long we wait for readers, the write lock being ours.  Each of them moves on as its statement
 * ends, and none comes in the way anew, so the wait is that of the longest statement: it doubles
 * with each try in vain (at a quarter more of log each), or a busy machine would let the log grow
 * for ever.
 */
#define READERS_US    (50 * RV_MS_US)
#define DOUBLINGS_MAX 3
#define WRITER_US     (2 * RV_S_US)  /* and for a writer */
#define LOOK_US       (10 * RV_S_US) /* between tries without knowing how much of the log is used */
#define FRAME_SIZE    (RV_SQLITE_PAGE + 24)
#define LOG_HEAD      32

int rv_sqlite_log_hook(void *ctx, sqlite3 *db, const char *name, int frames)
{
	struct rv_sqlite *s = ctx;

	PRE(frames >= 0);
	(void)db;
	(void)name;
	s->log_frames = frames;
	return SQLITE_OK;
}

/* Holder of the writer lock; RV_E_NOTFOUND: nobody. */
static int holder(struct rv_sqlite *s, pid_t *ret_pid)
{
	if (!s->shm_known) {
		char path[RV_SQLITE_PATH_MAX];

		(void)snprintf(path, sizeof path, "%s-shm", s->path);
		if (rv_fs_identity(path, &s->shm) != RV_OK)
			return RV_E_NOTFOUND;
		s->shm_known = true;
	}
	return rv_proclocks_writer(&s->shm, RV_LOCK_WAL_WRITE, ret_pid);
}

int rv_sqlite_writer_pid(struct rv_store *store, int64_t *ret_pid)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	pid_t pid = 0;
	int err;

	s->shm_known = false; /* made anew when the last one left */
	err = holder(s, &pid);
	if (err != RV_OK && err != RV_E_NOTFOUND)
		return err;
	*ret_pid = err == RV_OK ? pid : 0;
	return RV_OK;
}

/* 0 ends the waiting: only when the writer lock is certainly ours, or with an interrupt. */
int rv_sqlite_busy_checkpoint(struct rv_sqlite *s, int count)
{
	int64_t patience = READERS_US << s->log_doublings;
	int64_t now = rv_mono_us();
	bool give_up = s->interrupt && s->interrupt(s->ctx);
	pid_t pid = 0;

	PRE(s->wait == RV_SQLITE_WAIT_CHECKPOINT);
	INV(s->log_doublings <= DOUBLINGS_MAX);
	if (!give_up && now < s->wait_since + patience) {
		rv_sqlite_doze(count, s->wait_since + patience - now);
		return 1;
	}
	if (holder(s, &pid) == RV_OK && pid == getpid())
		return 0; /* readers are in the way: what could be moved was, under our lock */
	if (!give_up && now < s->wait_until) {
		rv_sqlite_doze(count, s->wait_until - now);
		return 1;
	}
#ifndef RV_MUTANT_CKPT_NO_INTERRUPT
	sqlite3_interrupt(s->db);
#endif
	return 0;
}

static int64_t log_size(struct rv_sqlite *s)
{
	char path[RV_SQLITE_PATH_MAX];
	struct stat st;

	(void)snprintf(path, sizeof path, "%s-wal", s->path);
	return stat(path, &st) == 0 ? st.st_size : 0;
}

/*
 * Bytes of the log in use.  The file does not shrink when the log starts anew, so its size is only
 * the bound; the truth is what SQLite said at our last commit.  Who never commits goes by the size,
 * but not more often than every 10 s unless it grows.
 */
static int64_t log_used(struct rv_sqlite *s, int64_t size)
{
	int64_t used = LOG_HEAD + s->log_frames * FRAME_SIZE;

	PRE(size >= 0);
	if (s->log_frames >= 0 && s->log_commits == s->commits)
		return used < size ? used : size;
	if (s->log_looked_us != 0 && size <= s->log_size_seen &&
	    rv_mono_us() < s->log_looked_us + LOOK_US)
		return 0;
	return size;
}

/* TRUNCATE is RESTART, and then makes the file empty, still holding the writer lock. */
static int move_pages(struct rv_sqlite *s, bool truncate, int *ret_frames)
{
	int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_RESTART;
	int log = -1;
	int moved = -1;
	int rc;

	PRE(!s->open);
	rv_sqlite_wait(s, RV_SQLITE_WAIT_CHECKPOINT, WRITER_US);
#ifdef RV_MUTANT_CKPT_PASSIVE
	mode = SQLITE_CHECKPOINT_PASSIVE;
#endif
	rc = sqlite3_wal_checkpoint_v2(s->db, "main", mode, &log, &moved);
	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, 0);
	*ret_frames = log;
	return rv_sqlite_error(rc);
}

/*
 * The log begins anew with the next commit, and whoever makes it waits for the disk with the write
 * lock held: SQLite syncs the log's head before the first frame, a NORMAL commit too.  The one who
 * has moved the pages makes it, a row that comes and goes, for nobody else has asked for that wait.
 * If somebody has the lock by now it is theirs, and a full disk needs none.
 */
static int start_log(struct rv_sqlite *s)
{
	int err = rv_sqlite_begin(&s->base, RV_DURABILITY_NORMAL, 0, NULL);

	if (err != RV_OK)
		return err == RV_E_BUSY ? RV_OK : err;
	err = rv_sqlite_run(s, RV_SQL_ROUND_NEW, NULL, "ii", INT64_MIN, (int64_t)0);
	if (err == RV_OK)
		err = rv_sqlite_run1(s, RV_SQL_ROUND_DROP, "i", INT64_MIN);
	if (err == RV_OK)
		err = rv_sqlite_commit(&s->base, NULL);
	else
		rv_sqlite_rollback(&s->base);
	return err == RV_E_NOSPACE ? RV_OK : err;
}

int rv_sqlite_checkpoint(struct rv_store *store, int64_t threshold, int64_t *ret_log_bytes)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	bool truncate = threshold == RV_CHECKPOINT_TRUNCATE;
	int64_t size = log_size(s);
	int64_t used = log_used(s, size);
	int frames = 0;
	int err;

	PRE(!s->open && sqlite3_get_autocommit(s->db));
	PRE(threshold >= 0 || truncate);
	if (s->read_only)
		return RV_E_DENIED;
	threshold = truncate ? 0 : threshold;
	if (!s->ballast_looked) {
		s->ballast_looked = true;
		rv_sqlite_ballast_make(s, threshold);
	}
	*ret_log_bytes = used;
	if (used < threshold || (threshold > 0 && used < s->log_retry))
		return RV_OK;
	err = RV_FAULT(checkpoint);
	if (err == RV_OK)
		err = move_pages(s, truncate, &frames);
	if (err == RV_E_NOSPACE) {
		rv_sqlite_ballast_free(s);
		err = move_pages(s, truncate, &frames);
	}
	s->log_looked_us = rv_mono_us();
	s->log_size_seen = size;
	if (err != RV_OK) { /* readers, or a writer: again when a quarter more is in the log */
		s->log_retry = used + used / 4;
		s->log_doublings += s->log_doublings < DOUBLINGS_MAX;
		return err;
	}
	s->log_retry = 0;
	s->log_doublings = 0;
	s->log_frames = 0;
	s->log_commits = s->commits;
	*ret_log_bytes = 0;
	rv_sqlite_ballast_make(s, threshold);
	return threshold > 0 ? start_log(s) : RV_OK;
}

int rv_sqlite_same_file(struct rv_store *store)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	struct rv_fs_id now;

	if (rv_fs_identity(s->given, &now) != RV_OK || !rv_fs_same(&now, &s->id))
		return RV_E_REPLACED;
	return RV_OK;
}

/* data_version moves with the commits of others, our own we count. */
int rv_sqlite_change(struct rv_store *store, int64_t *ret_value)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	int64_t version = 0;
	int err;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, RV_S_US);
	err = rv_sqlite_number(s, RV_SQL_DATA_VERSION, &version, "");
	if (err == RV_OK)
		*ret_value = version * 0x100000000LL + s->commits;
	return err == RV_E_NOTFOUND ? RV_E_IO : err;
}
