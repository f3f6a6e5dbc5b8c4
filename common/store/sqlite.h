#ifndef RV_STORE_SQLITE_H
#define RV_STORE_SQLITE_H

/*
 * What the sqlite_*.c files share: the handle and its statements.  The rest is in sqlite_tally.h,
 * sqlite_move.h, sqlite_log.h, sqlite_place.h and sqlite_calls.h.  Private to common/store.
 * SQLite's error codes end in sqlite_stmt.c; everything else is RV_E_*.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/seam.h"
#include "os/fsinfo.h"
#include "store/backend.h"
#include "store/rules.h"

#ifdef RV_STORE_GUEST /* a guest.h: through the table of the program's own SQLite */
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT3
#else
#include <sqlite3.h>
#endif

#define RV_SQLITE_ID       0x52656576 /* application_id: "Reev" */
#define RV_SQLITE_PAGE     4096
#define RV_SQLITE_PATH_MAX 4200 /* of the database, and the longest of the endings */
/* Rows of a list collected before the caller sees the first. */
#define RV_SQLITE_PAGE_ROWS RV_LIMIT(256, 2)

enum rv_sqlite_stmt {
#define STMT(name, sql) RV_SQL_##name,
#include "store/sqlite_stmt.def"
#undef STMT
	RV_SQLITE_STMTS
};

/* The store's own row of tally; begun: its event before this transaction. */
struct rv_sqlite_tally {
	bool dirty;
	int64_t event, begun, job, fence, epoch, names, deps, waiters, batches;
};

enum rv_sqlite_wait { RV_SQLITE_WAIT_BEGIN, RV_SQLITE_WAIT_CHECKPOINT };

struct rv_sqlite_queue; /* sqlite_tally.h */
struct rv_sqlite_task_name;
struct rv_sqlite_ended; /* sqlite_stats_rows.h */
struct rv_sqlite_gate;  /* sqlite_gate.h */
struct rv_sqlite_span;  /* sqlite_tally.h */

struct rv_sqlite {
	struct rv_store base;
	sqlite3 *db;
	char *path;  /* what SQLite opened: the folder resolved, the file itself no link */
	char *given; /* what the caller named, made absolute */
	struct rv_fs_id id;
	bool read_only;
	gid_t group;
	bool (*interrupt)(void *ctx);
	void *ctx;
	sqlite3_stmt *stmts[RV_SQLITE_STMTS];

	/* busy handler */
	enum rv_sqlite_wait wait;
	int64_t wait_since, wait_until, wait_hook; /* mono */
	struct rv_fs_id shm;
	bool shm_known;

	/* transaction */
	bool open;
	bool wrote; /* a request other than ENQUEUE was in it: may use the ballast */
	int sync;   /* level in force on the connection, -1 not said yet */
	uint64_t transaction, request; /* running numbers */
	unsigned careful; /* transactions left in which every request gets a savepoint */
	int64_t now_us;   /* wall, of this request */
	struct rv_sqlite_tally tally, tally_before;
	/* sqlite_stats.c: runs that ended in this transaction; those before that are not in stat */
	struct rv_sqlite_ended *ended;
	size_t nended, ended_before, ended_space;
	struct rv_buf recent;
	struct rv_sqlite_span *spans, *late; /* what it changes in span; and others before it */
	size_t nspans, spans_before, spans_space, nlate;

	/* names */
	int64_t names_seen;             /* tally.names of what follows; -1 none */
	struct rv_sqlite_queue *queues; /* by name */
	size_t nqueues;
	bool blocking;             /* one of them has enqueuers wait for room */
	struct rv_task_def *tasks; /* by name */
	size_t ntasks;
	bool tasks_limited;                     /* one of them is */
	struct rv_sqlite_task_name *task_names; /* by name */
	size_t ntask_names;
	struct rv_resource_def *resources; /* by name */
	size_t nresources;
	/* gates that this request has touched */
	struct rv_sqlite_gate *gates;
	size_t ngates, gates_space;
	/* who starved, of this request; gone: it has left its line, the next is to be looked at */
	struct rv_sqlite_reserver *reserver;
	bool reserver_known, reserver_gone;
	/* parents cancelled in this request whose children still must be */
	int64_t *fallen;
	size_t nfallen, fallen_space;
	bool counted, lend_due; /* this request: batches may be over; who sleeps may lend */

	/* checkpoint */
	int64_t log_frames; /* frames in the log after our last commit; -1 not known */
	int64_t log_retry;  /* bytes of log at which to try again after readers were in the way */
	unsigned log_doublings;                        /* of the patience with readers */
	int64_t log_commits;                           /* commits when that was so */
	int64_t log_size_seen, log_looked_us, commits; /* commits: our own */
	bool ballast_looked;

	struct rv_arena strings; /* of rv_store_job, until the next call */
};

#define RV_SQLITE_OF(store) rv_container_of(store, struct rv_sqlite, base)
/* --- sqlite_stmt.c ------------------------------------------------------------------------- */

/* The RV_E_* of a SQLite result code (extended or not). */
int rv_sqlite_error(int rc);
/* rv_fail with SQLite's own words. */
int rv_sqlite_fail(struct rv_sqlite *s, int rc, struct rv_why *why, const char *doing);
/*
 * The statement with ${types} bound: i int64_t, t text or NULL, b blob (pointer, size_t).  A zeroed
 * or ended one only.  The caller ends it with rv_sqlite_end (RV_AUTO(rv_sqlite_end_auto)).
 */
int rv_sqlite_start(struct rv_sqlite *s, enum rv_sqlite_stmt which, sqlite3_stmt **ret_stmt,
		    const char *types, ...) RV_MUST_CHECK;
/* RV_OK: a row; RV_E_NOTFOUND: no more (ended). */
int rv_sqlite_step(struct rv_sqlite *s, sqlite3_stmt *stmt) RV_MUST_CHECK;
void rv_sqlite_end(sqlite3_stmt *stmt);
void rv_sqlite_end_auto(sqlite3_stmt **stmt);
/* Start, step to the end, end.  ${*ret_changed} (may be NULL): rows it changed. */
int rv_sqlite_run(struct rv_sqlite *s, enum rv_sqlite_stmt which, int64_t *ret_changed,
		  const char *types, ...) RV_MUST_CHECK;
/* Exactly one row must be changed, else RV_E_CORRUPT: the tables contradict each other. */
int rv_sqlite_run1(struct rv_sqlite *s, enum rv_sqlite_stmt which, const char *types,
		   ...) RV_MUST_CHECK;
int rv_sqlite_exec(struct rv_sqlite *s, const char *sql) RV_MUST_CHECK;
/* One number; RV_E_NOTFOUND without a row. */
int rv_sqlite_number(struct rv_sqlite *s, enum rv_sqlite_stmt which, int64_t *ret,
		     const char *types, ...) RV_MUST_CHECK;
/* A text column copied, cut to the space; "" for NULL. */
void rv_sqlite_text(sqlite3_stmt *stmt, int column, char *out, size_t space);
void rv_sqlite_finalize(struct rv_sqlite *s);

#endif
