#ifndef RV_STORE_SQLITE_H
#define RV_STORE_SQLITE_H

/*
 * What the sqlite_*.c files share: the handle, its statements, the kept numbers of a transaction.
 * Private to common/store.  SQLite's error codes end in sqlite_stmt.c; everything else is RV_E_*.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/seam.h"
#include "os/fsinfo.h"
#include "store/backend.h"
#include "store/rules.h"

#include <sqlite3.h>

#define RV_SQLITE_ID        0x52656576 /* application_id: "Reev" */
#define RV_SQLITE_PAGE      4096
#define RV_SQLITE_PATH_MAX  4200 /* of the database, and the longest of the endings */
#define RV_SQLITE_PAGE_ROWS 256  /* rows of a list collected before the caller sees the first */

enum rv_sqlite_stmt {
#define STMT(name, sql) RV_SQL_##name,
#include "store/sqlite_stmt.def"
#undef STMT
	RV_SQLITE_STMTS
};

/* A queue, known to this handle since the last change of names; the numbers of one transaction. */
struct rv_sqlite_queue {
	int64_t id;
	char name[RV_NAME_MAX];
	enum rv_strategy strategy;
	bool paused;
	uint64_t loaded; /* transaction whose numbers these are */
	uint64_t saved;  /* request before which ${before} was taken */
	struct rv_sqlite_counts {
		bool dirty;
		int64_t seq, prefetched, of[RV_JOB_STATES];
	} now, before;
};

/* The store's own row of tally. */
struct rv_sqlite_tally {
	bool dirty;
	int64_t event, job, fence, epoch, names, deps, waiters;
};

enum rv_sqlite_wait { RV_SQLITE_WAIT_BEGIN, RV_SQLITE_WAIT_CHECKPOINT };

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

	/* names */
	int64_t names_seen;             /* tally.names of what follows; -1 none */
	struct rv_sqlite_queue *queues; /* by name */
	size_t nqueues;
	struct rv_task_def *tasks; /* by name */
	size_t ntasks;

	/* parents cancelled in this request whose children still must be */
	int64_t *fallen;
	size_t nfallen, fallen_space;

	/* checkpoint */
	int64_t log_frames; /* frames in the log after our last commit; -1 not known */
	int64_t log_retry;  /* bytes of log at which to try again after readers were in the way */
	unsigned log_doublings; /* of the patience with readers */
	int64_t log_commits;    /* commits when that was so */
	int64_t log_size_seen, log_looked_us;
	int64_t commits; /* our own */
	bool ballast_looked;

	struct rv_arena strings; /* of rv_store_job, until the next call */
};

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

/* --- sqlite_tally.c: names and kept numbers -------------------------------------------------- */

int rv_sqlite_tally_load(struct rv_sqlite *s) RV_MUST_CHECK;
int rv_sqlite_tally_store(struct rv_sqlite *s) RV_MUST_CHECK;
/* Before and, if it failed, after a request. */
void rv_sqlite_tally_save(struct rv_sqlite *s);
void rv_sqlite_tally_restore(struct rv_sqlite *s);
int rv_sqlite_names(struct rv_sqlite *s) RV_MUST_CHECK;
void rv_sqlite_names_free(struct rv_sqlite *s);
struct rv_sqlite_queue *rv_sqlite_queue_named(struct rv_sqlite *s, const char *name);
struct rv_sqlite_queue *rv_sqlite_queue_by_id(struct rv_sqlite *s, int64_t id);
const struct rv_task_def *rv_sqlite_task(struct rv_sqlite *s, const char *name);
/* Its numbers loaded and saved for this request. */
int rv_sqlite_queue_touch(struct rv_sqlite *s, struct rv_sqlite_queue *queue) RV_MUST_CHECK;
int rv_sqlite_queue_unknown(struct rv_sqlite *s, const char *name, struct rv_why *why);

/* --- sqlite_move.c: the one place where a job changes its state ------------------------------ */

#define RV_MARK_UNIQUE 1
#define RV_MARK_TTL    2
#define RV_MARK_MOVED  4

/* A job on its way from one table to another. */
struct rv_sqlite_place {
	int64_t id, ord, event;
	struct rv_sqlite_queue *queue;
	int runs, attempts, crashes, granted, marks;
	uint64_t incarnation; /* of the lease it comes from or goes to; 0 none */
	int64_t fence;
};

/* A run that ended (done, attempt). */
struct rv_sqlite_run {
	const char *worker, *error;
	int64_t started, ended, user, sys, maxrss, output;
	int attempt, outcome, exit_code, signo;
};

/* What a lease row says beside the place. */
struct rv_sqlite_lease {
	struct rv_sqlite_place place;
	int64_t started_at;
	bool started, cancel_requested;
	char worker[RV_WORKER_NAME_MAX]; /* its name when it claimed */
};

#define RV_JOB_NONE ((enum rv_job_state) - 1) /* not accepted yet */

/* Event and counts; the caller moves the row. */
int rv_sqlite_moved(struct rv_sqlite *s, struct rv_sqlite_place *place, enum rv_job_state from,
		    enum rv_job_state to, const char *reason) RV_MUST_CHECK;
/* Each: the shown state changes ${from} → its own, and the row is put into its table. */
int rv_sqlite_to_ready(struct rv_sqlite *s, struct rv_sqlite_place *place, enum rv_job_state from,
		       const char *reason) RV_MUST_CHECK;
int rv_sqlite_to_scheduled(struct rv_sqlite *s, struct rv_sqlite_place *place,
			   enum rv_job_state from, int64_t run_at) RV_MUST_CHECK;
int rv_sqlite_to_blocked(struct rv_sqlite *s, struct rv_sqlite_place *place, enum rv_job_state from,
			 int64_t waits) RV_MUST_CHECK;
/* Final: gives up key and ttl, rings waiters, frees or (later, rv_sqlite_settle) ends children. */
int rv_sqlite_to_done(struct rv_sqlite *s, struct rv_sqlite_place *place, enum rv_job_state from,
		      enum rv_job_state to, const char *error,
		      const struct rv_sqlite_run *run) RV_MUST_CHECK;
/* The children of all that was cancelled, and theirs.  At the end of each request. */
int rv_sqlite_settle(struct rv_sqlite *s) RV_MUST_CHECK;
/* A run that ended without ending its job. */
int rv_sqlite_attempt(struct rv_sqlite *s, const struct rv_sqlite_place *place,
		      const struct rv_sqlite_run *run) RV_MUST_CHECK;
/* The columns of ${stmt} from ${column} on: queue, ord, runs, attempts, crashes, granted, marks,
 * event. */
int rv_sqlite_place_read(struct rv_sqlite *s, sqlite3_stmt *stmt, int column, int64_t id,
			 struct rv_sqlite_place *ret_place) RV_MUST_CHECK;
/* Whether the numbers of a place can be what they say: a damaged store may hold anything. */
bool rv_sqlite_sane(const struct rv_sqlite_place *place);
/* The ttl counts no longer (started or final). */
int rv_sqlite_ttl_drop(struct rv_sqlite *s, struct rv_sqlite_place *place) RV_MUST_CHECK;

/* --- sqlite_end.c: how leases end ------------------------------------------------------------ */

int rv_sqlite_lease(struct rv_sqlite *s, int64_t id,
		    struct rv_sqlite_lease *ret_lease) RV_MUST_CHECK;
/* The lease is deleted and the job goes where the outcome sends it. */
int rv_sqlite_ack(struct rv_sqlite *s, uint64_t incarnation, const char *worker,
		  struct rv_ack *ack) RV_MUST_CHECK;
/* Every lease of ${incarnation} ends because its worker did, as ${how} says. */
int rv_sqlite_release_all(struct rv_sqlite *s, uint64_t incarnation, const char *worker,
			  const struct rv_expire_one *how, int32_t *ret_released) RV_MUST_CHECK;

/* --- sqlite_promote.c ------------------------------------------------------------------------ */

/* The first ${limit} due jobs become ready. */
int rv_sqlite_promote(struct rv_sqlite *s, uint32_t limit, uint32_t *ret_promoted) RV_MUST_CHECK;
/* Takes a ready, scheduled or blocked job out of its table; RV_E_NOTFOUND: leased, final, unknown.
 */
int rv_sqlite_take_waiting(struct rv_sqlite *s, int64_t id, struct rv_sqlite_place *ret_place,
			   enum rv_job_state *ret_from) RV_MUST_CHECK;

/* --- the requests: each sets req->why and returns req->err, or a failure of SQLite ----------- */

#define REQ(sym, member, who, what)                                                                \
	int rv_sqlite_do_##member(struct rv_sqlite *s, struct rv_req *req) RV_MUST_CHECK;
#include "store/request.def"
#undef REQ

/* --- sqlite_txn.c ----------------------------------------------------------------------------- */

/* Until when and for what the busy handler waits from here on. */
void rv_sqlite_wait(struct rv_sqlite *s, enum rv_sqlite_wait wait, int64_t timeout_us);
void rv_sqlite_doze(int count, int64_t left_us);
int rv_sqlite_busy(void *ctx, int count);
int64_t rv_sqlite_round_id(uint64_t area);

/* --- sqlite_checkpoint.c, sqlite_ballast.c ------------------------------------------------------
 */

int rv_sqlite_busy_checkpoint(struct rv_sqlite *s, int count);
int rv_sqlite_log_hook(void *ctx, sqlite3 *db, const char *name, int frames);
/* The disk is full: gives the reserve back to it. */
void rv_sqlite_ballast_free(struct rv_sqlite *s);
/* Puts ${bytes} aside if they are not and there is room. */
void rv_sqlite_ballast_make(struct rv_sqlite *s, int64_t bytes);
/* RV_E_NOSPACE: what is left on the disk is kept for the jobs that are there already. */
int rv_sqlite_room(struct rv_sqlite *s, struct rv_why *why) RV_MUST_CHECK;

/* --- sqlite_place.c, sqlite_migrate.c: parts of opening ------------------------------------------
 */

/* Sets path and given; refuses file systems and links; makes an empty file when told to. */
int rv_sqlite_place(struct rv_sqlite *s, const struct rv_store_open *how, bool *ret_fresh,
		    struct rv_why *why) RV_MUST_CHECK;
/* "file:" and the path, its special characters escaped; free() it. */
char *rv_sqlite_uri(const char *path, const char *query);
/* First transaction of an empty file: whose it is. */
int rv_sqlite_found(struct rv_sqlite *s, struct rv_why *why) RV_MUST_CHECK;
/* ${create}: one that was never finished may be; ${migrate}: any older one. */
int rv_sqlite_migrate(struct rv_sqlite *s, bool create, bool migrate,
		      struct rv_why *why) RV_MUST_CHECK;
int rv_sqlite_pragma(struct rv_sqlite *s, const char *sql, int64_t *ret_value) RV_MUST_CHECK;
#define RV_SQLITE_VERSION 1 /* user_version: the newest file in schema/ */

/* --- the contract ------------------------------------------------------------------------------
 */

#define RV_SQLITE_OF(store) rv_container_of(store, struct rv_sqlite, base)
int rv_sqlite_open(const struct rv_store_open *how, struct rv_store **ret_store,
		   struct rv_why *why) RV_MUST_CHECK;
void rv_sqlite_close(struct rv_store *store);
int rv_sqlite_begin(struct rv_store *store, enum rv_durability durability, int64_t timeout_us,
		    struct rv_why *why) RV_MUST_CHECK;
int rv_sqlite_execute(struct rv_store *store, struct rv_req *req) RV_MUST_CHECK;
int rv_sqlite_commit(struct rv_store *store, struct rv_why *why) RV_MUST_CHECK;
void rv_sqlite_rollback(struct rv_store *store);
int rv_sqlite_round_get(struct rv_store *store, uint64_t area, uint64_t *ret_n) RV_MUST_CHECK;
int rv_sqlite_round_set(struct rv_store *store, uint64_t area, uint64_t n) RV_MUST_CHECK;
int rv_sqlite_checkpoint(struct rv_store *store, int64_t threshold,
			 int64_t *ret_log_bytes) RV_MUST_CHECK;
int rv_sqlite_same_file(struct rv_store *store) RV_MUST_CHECK;
int rv_sqlite_writer_pid(struct rv_store *store, int64_t *ret_pid) RV_MUST_CHECK;
int rv_sqlite_change(struct rv_store *store, int64_t *ret_value) RV_MUST_CHECK;
int rv_sqlite_check(struct rv_store *store, bool full,
		    void (*broken)(void *ctx, const char *rule, const char *what),
		    void *ctx) RV_MUST_CHECK;
/* sqlite_read.c, sqlite_list.c, sqlite_sql.c fill the reading half of the table. */
int rv_sqlite_read_job(struct rv_store *store, int64_t id,
		       struct rv_job_view *ret_view) RV_MUST_CHECK;
int rv_sqlite_read_payload(struct rv_store *store, int64_t id,
			   int (*sink)(void *ctx, const void *data, size_t size),
			   void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_jobs(struct rv_store *store, const struct rv_job_filter *filter,
			int (*each)(void *ctx, const struct rv_job_view *view),
			void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_attempts(struct rv_store *store, int64_t id,
			    int (*each)(void *ctx, const struct rv_attempt_view *view),
			    void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_queues(struct rv_store *store,
			  int (*each)(void *ctx, const struct rv_queue_view *view),
			  void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_tasks(struct rv_store *store,
			 int (*each)(void *ctx, const struct rv_task_def *task),
			 void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_workers(struct rv_store *store,
			   int (*each)(void *ctx, const struct rv_worker_view *view),
			   void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_parents(struct rv_store *store, int64_t id,
			   int (*each)(void *ctx, int64_t parent, enum rv_job_state state),
			   void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_cancel_wanted(struct rv_store *store, int64_t id, int64_t fence,
				 bool *ret_wanted) RV_MUST_CHECK;
int rv_sqlite_read_cancels(struct rv_store *store,
			   int (*each)(void *ctx, int64_t job, int64_t fence, int slot),
			   void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_totals(struct rv_store *store, struct rv_store_totals *ret_totals) RV_MUST_CHECK;
int rv_sqlite_read_instance(struct rv_store *store, struct rv_instance *ret_instance) RV_MUST_CHECK;
int rv_sqlite_read_stats(struct rv_store *store,
			 int (*each)(void *ctx, const char *name, int64_t value),
			 void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_sql(struct rv_store *store, const char *sql,
		       int (*row)(void *ctx, int n, const char *const *names,
				  const char *const *values),
		       void *ctx, struct rv_why *why) RV_MUST_CHECK;

#endif
