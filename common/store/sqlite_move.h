#ifndef RV_STORE_SQLITE_MOVE_H
#define RV_STORE_SQLITE_MOVE_H

/*
 * Jobs on their way: the one place where a job changes its state (sqlite_move.c), how leases
 * end (sqlite_end.c), what becomes ready by time (sqlite_promote.c), and the requests, one
 * function each.  Private to the sqlite_*.c files.
 */

#include "store/sqlite.h"

#define RV_MARK_UNIQUE 1
#define RV_MARK_TTL    2
#define RV_MARK_MOVED  4
#define RV_MARK_TAKES  8  /* it names resources itself */
#define RV_MARK_PASSED 16 /* ready, lease: its gates let it through */
#define RV_MARK_STARTS 32 /* it gives up its unique key when it first starts */
#define RV_MARK_HELD   64 /* blocked until it is released */
#define RV_MARK_BATCH  128
#define RV_MARK_CHILD  256 /* it has a parent */

/* A job on its way from one table to another. */
struct rv_sqlite_place {
	int64_t id, ord, event;
	struct rv_sqlite_queue *queue;
	int runs, attempts, crashes, granted, marks;
	enum rv_job_state state; /* after a move: what it is shown as now */
	uint64_t incarnation;    /* of the lease it comes from or goes to; 0 none */
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
	int64_t started_at, waited; /* rv_sqlite_waited */
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
			 int64_t waits, int64_t due) RV_MUST_CHECK;
/* Nothing is in the way of the blocked job any more, its row is gone: at ${due} or at once. */
int rv_sqlite_unblock(struct rv_sqlite *s, struct rv_sqlite_place *place,
		      int64_t due) RV_MUST_CHECK;
/* Out of ready, into the line of ${gate}. */
int rv_sqlite_to_parked(struct rv_sqlite *s, struct rv_sqlite_place *place, const char *gate,
			int64_t line) RV_MUST_CHECK;
/* Final: gives up key and ttl, rings waiters, frees or (later, rv_sqlite_settle) ends children. */
int rv_sqlite_to_done(struct rv_sqlite *s, struct rv_sqlite_place *place, enum rv_job_state from,
		      enum rv_job_state to, const char *error,
		      const struct rv_sqlite_run *run) RV_MUST_CHECK;
/*
 * The end of each request: the children of all that was cancelled, and theirs; batches that are
 * over; who waits at a gate that has room now; the gates it touched are stored.
 */
int rv_sqlite_settle(struct rv_sqlite *s) RV_MUST_CHECK;
int rv_sqlite_ring_waiters(struct rv_sqlite *s, int64_t id) RV_MUST_CHECK;
/* Before a COMMIT: who follows the events is rung if there are new ones. */
int rv_sqlite_ring_followers(struct rv_sqlite *s) RV_MUST_CHECK;
/* A run that ended without ending its job. */
int rv_sqlite_attempt(struct rv_sqlite *s, const struct rv_sqlite_place *place,
		      const struct rv_sqlite_run *run) RV_MUST_CHECK;
/* The columns of ${stmt} from ${column} on: PLACE of sqlite_stmt.def. */
int rv_sqlite_place_read(struct rv_sqlite *s, sqlite3_stmt *stmt, int column, int64_t id,
			 struct rv_sqlite_place *ret_place) RV_MUST_CHECK;
/* Whether the numbers of a place can be what they say: a damaged store may hold anything. */
bool rv_sqlite_sane(const struct rv_sqlite_place *place);
/* A run of it starts: its ttl counts no longer, nor does a key that was held until then. */
int rv_sqlite_started(struct rv_sqlite *s, struct rv_sqlite_place *place) RV_MUST_CHECK;

/* --- sqlite_admit.c, sqlite_full.c; more in sqlite_admit.h --------------------------------- */

/* Who holds a unique key; RV_E_NOTFOUND: nobody (any more). */
int rv_sqlite_holder(struct rv_sqlite *s, const char *key,
		     struct rv_holder *ret_holder) RV_MUST_CHECK;
/* ${key} is the job's from now on, as its ${until_us} says. */
int rv_sqlite_key_put(struct rv_sqlite *s, struct rv_sqlite_place *place, const char *key,
		      int64_t until_us) RV_MUST_CHECK;

/* --- sqlite_hold.c --------------------------------------------------------------------------- */

/* A job that waits gets another time. */
int rv_sqlite_reschedule(struct rv_sqlite *s, struct rv_sqlite_place *place, enum rv_job_state from,
			 int64_t run_at_us) RV_MUST_CHECK;

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
/* Takes a job that waits out of its table; RV_E_NOTFOUND: leased, final, unknown. */
int rv_sqlite_take_waiting(struct rv_sqlite *s, int64_t id, struct rv_sqlite_place *ret_place,
			   enum rv_job_state *ret_from) RV_MUST_CHECK;

/* The same in two steps: where it waits, and its row out of there. */
int rv_sqlite_find_waiting(struct rv_sqlite *s, int64_t id, struct rv_sqlite_place *ret_place,
			   enum rv_job_state *ret_from) RV_MUST_CHECK;
int rv_sqlite_drop_waiting(struct rv_sqlite *s, const struct rv_sqlite_place *place,
			   enum rv_job_state from) RV_MUST_CHECK;

/* Of a job with RV_MARK_BATCH: it has become ${state}, ${by} 1, or is retried, −1. */
int rv_sqlite_batch_count(struct rv_sqlite *s, int64_t job, enum rv_job_state state,
			  int64_t by) RV_MUST_CHECK;
/* Its run did not end it: cancelled if its batch has failed; NOTFOUND: that goes on. */
int rv_sqlite_batch_failed(struct rv_sqlite *s, struct rv_sqlite_place *place,
			   enum rv_job_state from, const struct rv_sqlite_run *run) RV_MUST_CHECK;
/* It is deleted; CONFLICT while its batch is not finished. */
int rv_sqlite_batch_forget(struct rv_sqlite *s, int64_t job, struct rv_why *why) RV_MUST_CHECK;

/* --- sqlite_control.c ------------------------------------------------------------------------ */

/* The shown state; RV_E_NOTFOUND with words. */
int rv_sqlite_shown(struct rv_sqlite *s, struct rv_req *req, int64_t id,
		    int32_t *ret_state) RV_MUST_CHECK;

/* --- the requests: each sets req->why and returns req->err, or a failure of SQLite ----------- */

#define REQ(sym, member, who, what)                                                                \
	int rv_sqlite_do_##member(struct rv_sqlite *s, struct rv_req *req) RV_MUST_CHECK;
#include "store/request.def"
#undef REQ

#endif
