/*
 * Transactions: the write lock with a jittered handler, requests under savepoints, COMMIT.  Whoever
 * writes.  After a COMMIT that failed and was not told definite (disk full, busy) the handle is
 * dead: a failed fsync may or may not have made the commit durable, and a second one tells nothing.
 */
#include "store/sqlite.h"
#include "store/sqlite_calls.h"
#include "store/sqlite_log.h"
#include "store/sqlite_move.h"
#include "store/sqlite_tally.h"

#include "base/check.h"
#include "base/fault.h"

#include <time.h>

#define CAREFUL      64 /* transactions with a savepoint for every request after one failed without */
#define SLEEP_MIN_US 50
#define SLEEP_MAX_US 5000

void rv_sqlite_wait(struct rv_sqlite *s, enum rv_sqlite_wait wait, int64_t timeout_us)
{
	s->wait = wait;
	s->wait_since = rv_mono_us();
	s->wait_until = rv_rules_later(s->wait_since, timeout_us);
}

/* Sleeps 50 us, doubling to 5 ms, spread from half to one and a half; at most ${left}. */
void rv_sqlite_doze(int count, int64_t left_us)
{
	int64_t base = count > 6 ? SLEEP_MAX_US : (int64_t)SLEEP_MIN_US << count;
	int64_t us = base / 2 + (int64_t)rv_random_below((uint64_t)base);
	struct timespec ts = {0};

	if (us > left_us)
		us = left_us;
	if (us <= 0)
		return;
	ts.tv_nsec = us * 1000;
	(void)nanosleep(&ts, NULL);
}

int rv_sqlite_busy(void *ctx, int count)
{
	struct rv_sqlite *s = ctx;
	int64_t now = rv_mono_us();

	if (s->wait == RV_SQLITE_WAIT_CHECKPOINT)
		return rv_sqlite_busy_checkpoint(s, count);
	if (s->interrupt && s->interrupt(s->ctx))
		return 0;
	if (now >= s->wait_until)
		return 0;
	rv_sqlite_doze(count, s->wait_until - now);
	return 1;
}

static int set_durability(struct rv_sqlite *s, enum rv_durability durability)
{
	static const char *const levels[] = {
#ifdef RV_MUTANT_SYNC_OFF
		[RV_DURABILITY_NORMAL] = "PRAGMA synchronous = OFF",
		[RV_DURABILITY_FULL] = "PRAGMA synchronous = OFF",
#else
		[RV_DURABILITY_NORMAL] = "PRAGMA synchronous = NORMAL",
		[RV_DURABILITY_FULL] = "PRAGMA synchronous = FULL",
#endif
	};
	int err;

	PRE((unsigned)durability < RV_ARRAY_LEN(levels));
	if (s->sync == (int)durability)
		return RV_OK;
	s->sync = -1;
	err = rv_sqlite_exec(s, levels[durability]); /* acts when prepared: never a kept one */
	if (err == RV_OK)
		s->sync = (int)durability;
	return err;
}

/* Prepared before the transaction began: going back must not need memory. */
void rv_sqlite_undo(struct rv_sqlite *s)
{
	sqlite3_stmt *rollback = s->stmts[RV_SQL_ROLLBACK];

	if (sqlite3_get_autocommit(s->db))
		return;
	PRE(rollback);
	(void)sqlite3_step(rollback);
	(void)sqlite3_reset(rollback);
	if (!sqlite3_get_autocommit(s->db)) /* the lock is given up with the handle */
		s->base.dead = true;
}

static void end_transaction(struct rv_sqlite *s)
{
	s->open = false;
	s->nfallen = 0;
	s->names_seen = -1; /* may have been read from what is undone */
	rv_sqlite_undo(s);
}

static int begin_failed(struct rv_sqlite *s, int err, struct rv_why *why)
{
	int64_t pid = 0;

	if (err != RV_E_BUSY)
		return rv_fail(why, err, "cannot begin: %s", sqlite3_errmsg(s->db));
	if (rv_sqlite_writer_pid(&s->base, &pid) == RV_OK && pid > 0)
		return rv_fail(why, err, "the store is being written by process %lld",
			       (long long)pid);
	return rv_fail(why, err, "the store is being written by another process");
}

int rv_sqlite_begin(struct rv_store *store, enum rv_durability durability, int64_t timeout_us,
		    struct rv_why *why)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	sqlite3_stmt *stmt;
	int err = RV_FAULT(store_begin);

	PRE(!s->open);
	if (s->read_only)
		return rv_fail(why, RV_E_DENIED, "%s is open for reading only", s->given);
	if (err == RV_OK)
		err = set_durability(s, durability);
	if (err == RV_OK) /* so that nothing can fail between the work and its COMMIT */
		err = rv_sqlite_start(s, RV_SQL_COMMIT, &stmt, "");
	if (err == RV_OK)
		err = rv_sqlite_start(s, RV_SQL_ROLLBACK, &stmt, "");
	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, timeout_us);
	if (err == RV_OK)
		err = rv_sqlite_run(s, RV_SQL_BEGIN, NULL, "");
	if (err != RV_OK)
		return begin_failed(s, err, why);
	POST(!sqlite3_get_autocommit(s->db));
	s->open = true;
	s->wrote = false;
	s->transaction++;
	err = rv_sqlite_tally_load(s);
	if (err == RV_OK)
		err = rv_sqlite_names(s);
	if (err != RV_OK) {
		(void)rv_fail(why, err, "cannot begin: %s", sqlite3_errmsg(s->db));
		end_transaction(s);
	}
	return err;
}

static int dispatch(struct rv_sqlite *s, struct rv_req *req)
{
	int err;

	PRE(s->nfallen == 0);
	s->ngates = 0;
	s->reserver_known = s->reserver_gone = s->lend_due = false;
	switch (req->kind) {
#define REQ(sym, member, who, what)                                                                \
	case RV_REQ_##sym:                                                                         \
		err = rv_sqlite_do_##member(s, req);                                               \
		break;
#include "store/request.def"
#undef REQ
	default:
		IMPOSSIBLE("a kind that was looked at before");
	}
	return err == RV_OK ? rv_sqlite_settle(s) : err;
}

/* The transaction is over; everybody gets ${err}. */
static int give_up(struct rv_sqlite *s, struct rv_req *req, int err)
{
	PRE(err != RV_OK);
	req->err = err;
	if (req->why.text[0] == '\0')
		(void)rv_fail(&req->why, err, "%s: %s", rv_req_name(req->kind),
			      sqlite3_errmsg(s->db));
	if (err == RV_E_NOSPACE && s->wrote)
		rv_sqlite_ballast_free(s);
	end_transaction(s);
	return err;
}

/*
 * A TURN looks before it writes: refused (STALE, USAGE), it has changed nothing, so it needs no
 * savepoint (2 us of 30).  If SQLite itself fails in it, the whole transaction is given up and the
 * next ones are careful, so that one worker's damaged page does not stop all.
 */
static bool needs_savepoint(const struct rv_sqlite *s, const struct rv_req *req)
{
	if (req->kind == RV_REQ_INBOX) /* each row has one of its own */
		return false;
	return req->kind != RV_REQ_TURN || s->careful > 0;
}

static int refused(struct rv_sqlite *s, struct rv_req *req, int err, bool saved)
{
	PRE(err != RV_OK);
	req->err = err;
	if (!saved && (err == RV_E_STALE || err == RV_E_USAGE)) {
		rv_sqlite_tally_restore(s);
		return RV_OK;
	}
	if (!saved) {
		s->careful = CAREFUL;
		return give_up(s, req, err);
	}
	if (req->why.text[0] == '\0')
		(void)rv_fail(&req->why, err, "%s: %s", rv_req_name(req->kind),
			      sqlite3_errmsg(s->db));
	s->nfallen = 0;
	if (sqlite3_get_autocommit(s->db) ||
	    rv_sqlite_run(s, RV_SQL_ROLLBACK_TO, NULL, "") != RV_OK ||
	    rv_sqlite_run(s, RV_SQL_RELEASE, NULL, "") != RV_OK)
		return give_up(s, req, err);
	rv_sqlite_tally_restore(s);
	if (err == RV_E_NOSPACE && req->kind != RV_REQ_ENQUEUE)
		rv_sqlite_ballast_free(s);
	return RV_OK;
}

int rv_sqlite_execute(struct rv_store *store, struct rv_req *req)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	bool saved = needs_savepoint(s, req);
	bool names = req->kind == RV_REQ_MIRROR || req->kind == RV_REQ_PAUSE;
	int err = RV_OK;

	PRE(s->open);
	s->wrote = s->wrote || req->kind != RV_REQ_ENQUEUE;
	s->now_us = rv_wall_us();
	if (names) /* the numbers in memory go with the names they belong to */
		err = rv_sqlite_tally_store(s);
	if (err == RV_OK)
		err = rv_sqlite_names(s);
	if (err == RV_OK && saved)
		err = rv_sqlite_run(s, RV_SQL_SAVEPOINT, NULL, "");
	if (err != RV_OK)
		return give_up(s, req, err);
	rv_sqlite_tally_save(s);
	err = req->kind == RV_REQ_ENQUEUE ? rv_sqlite_room(s, &req->why) : RV_OK;
	if (err == RV_OK)
		err = dispatch(s, req);
	if (err == RV_OK && saved)
		err = rv_sqlite_run(s, RV_SQL_RELEASE, NULL, "");
	if (err != RV_OK) {
		err = refused(s, req, err, saved);
		if (names)
			s->names_seen = -1;
		return err;
	}
	INV(s->nfallen == 0);
	return RV_OK;
}

/* What a failed COMMIT means: only "no room" and "busy" are known not to have happened. */
static int commit_failed(struct rv_sqlite *s, int err, struct rv_why *why)
{
	PRE(err != RV_OK);
	if (err == RV_E_NOSPACE || err == RV_E_BUSY) {
		(void)rv_fail(why, err, "cannot commit: %s", sqlite3_errmsg(s->db));
		if (err == RV_E_NOSPACE && s->wrote)
			rv_sqlite_ballast_free(s);
		end_transaction(s);
		return err;
	}
	(void)rv_fail(why, RV_E_UNKNOWN, "the outcome of the commit is not known: %s",
		      sqlite3_errmsg(s->db));
	s->base.dead = true;
	end_transaction(s);
	return RV_E_UNKNOWN;
}

int rv_sqlite_commit(struct rv_store *store, struct rv_why *why)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	int err = rv_sqlite_ring_followers(s);
	int rc;

	if (err == RV_OK)
		err = rv_sqlite_tally_store(s);
	if (err != RV_OK) { /* nothing was committed: definite */
		(void)rv_fail(why, err, "cannot commit: %s", sqlite3_errmsg(s->db));
		if (err == RV_E_NOSPACE && s->wrote)
			rv_sqlite_ballast_free(s);
		end_transaction(s);
		return err;
	}
	err = RV_FAULT(store_commit);
	if (err != RV_OK)
		return commit_failed(s, err, why);
	rc = sqlite3_step(s->stmts[RV_SQL_COMMIT]);
	(void)sqlite3_reset(s->stmts[RV_SQL_COMMIT]);
	if (rc != SQLITE_DONE) /* without room for -shm the frames may be in the log already */
		return commit_failed(s, rc == SQLITE_IOERR_SHMSIZE ? RV_E_IO : rv_sqlite_error(rc),
				     why);
	POST(sqlite3_get_autocommit(s->db));
	s->open = false;
	s->commits++;
	s->log_commits = s->commits; /* what the hook said is the log as it is now */
	if (s->careful > 0)
		s->careful--;
	return RV_OK;
}

void rv_sqlite_rollback(struct rv_store *store)
{
	end_transaction(RV_SQLITE_OF(store));
}

int rv_sqlite_round_get(struct rv_store *store, uint64_t area, uint64_t *ret_n)
{
	int64_t n = 0;
	int err = rv_sqlite_number(RV_SQLITE_OF(store), RV_SQL_ROUND_GET, &n, "i",
				   rv_sqlite_round_id(area));

	PRE(RV_SQLITE_OF(store)->open);
	if (err == RV_OK || err == RV_E_NOTFOUND)
		*ret_n = (uint64_t)n;
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

int rv_sqlite_round_set(struct rv_store *store, uint64_t area, uint64_t n)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	int64_t id = rv_sqlite_round_id(area);
	int64_t changed = 0;
	int err = rv_sqlite_run(s, RV_SQL_ROUND_SET, &changed, "ii", id, (int64_t)n);

	PRE(s->open);
	if (err == RV_OK && changed == 0)
		err = rv_sqlite_run(s, RV_SQL_ROUND_NEW, NULL, "ii", id, (int64_t)n);
	return err;
}
