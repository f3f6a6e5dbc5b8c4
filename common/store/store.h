#ifndef RV_STORE_STORE_H
#define RV_STORE_STORE_H

/*
 * The store contract.  Backends: memory (the oracle of the tests), sqlite (the product); store.def
 * lists them, tests/contract runs one suite over all.
 *
 * Every write is a request (store/request.h) executed in a transaction:
 *     begin → execute × n → commit
 * Who calls: workers and the keeper through store/writer.h (group commit); the CLI through
 * rv_store_do().  Reads (store/read.h) are a moment's snapshot and never hold one while user code
 * runs.
 *
 * Time: every function that needs "now" takes it from the seam; deadlines of other hosts' leases
 * are compared with the store's clock, which for these backends is the same. Errors that any call
 * may return: BUSY (definite: nothing was done), NOSPACE (definite), IO, CORRUPT, REPLACED (the
 * path is another file now), NOMEM.  commit adds UNKNOWN: the outcome is not known, the handle is
 * dead, nothing more may be done with it.
 */

#include "base/err.h"
#include "base/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct rv_store;
struct rv_req;

struct rv_store_open {
	const char *backend; /* "sqlite", "memory" */
	const char *path;    /* of the database; ignored by memory */
	bool create;         /* make it if it is not there (never over a file that is not ours) */
	bool migrate; /* bring an older schema up to date; without it an older one is RV_E_SCHEMA */
	bool read_only;
	gid_t group; /* (gid_t)-1: store 0600; else 0660 and this group */
	bool (*interrupt)(
		void *ctx); /* busy handler hook, called at least every 50 ms while waiting for the
			     * write lock (bumps the area's tick, beats); true: give up, BUSY */
	void *ctx;
};

/*
 * Refuses (RV_E_SCHEMA, RV_E_CORRUPT, RV_E_DENIED, RV_E_CONF) with a sentence in ${why} and without
 * changing anything: a newer schema, that of another build before a release, a file that is not
 * ours, a damaged one, NFS/CIFS/9p/FUSE, a symbolic or hard link.  Open after exec only; never
 * carry a handle over a fork.
 */
int rv_store_open(const struct rv_store_open *how, struct rv_store **ret_store,
		  struct rv_why *why) RV_MUST_CHECK;
void rv_store_close(struct rv_store *store);

/*
 * Takes the write lock (BEGIN IMMEDIATE), waiting at most ${timeout_us} with a jittered handler.
 * ${durability}: of this transaction.  Nothing of ours sleeps, forks or talks to others until the
 * end.
 */
int rv_store_begin(struct rv_store *store, enum rv_durability durability, int64_t timeout_us,
		   struct rv_why *why) RV_MUST_CHECK;

/*
 * Executes one request under a savepoint.  The request's own outcome is in req->err and its answer;
 * the return value is RV_OK unless the *transaction* is over (it was rolled back): then that error
 * is everybody's.  A request whose err is not RV_OK has changed nothing.
 */
int rv_store_execute(struct rv_store *store, struct rv_req *req) RV_MUST_CHECK;

/* After RV_OK the rings of this transaction can be read (rv_store_rings) until the next begin. */
int rv_store_commit(struct rv_store *store, struct rv_why *why) RV_MUST_CHECK;
void rv_store_rollback(struct rv_store *store);

/* The round row of ${area} inside a transaction: 0 when it was never set.  set: to ${n}. */
int rv_store_round_get(struct rv_store *store, uint64_t area, uint64_t *ret_n) RV_MUST_CHECK;
int rv_store_round_set(struct rv_store *store, uint64_t area, uint64_t n) RV_MUST_CHECK;

/*
 * Whom to wake after a commit: queues that got runnable jobs, the keeper if something is now due
 * earlier than before, waiters (paths of datagram sockets) whose job became final or
 * whose queue has room, or who follow the events and there are new ones.  Each is a hint.
 */
struct rv_ring {
	enum { RV_RING_QUEUE, RV_RING_SCHEDULED, RV_RING_WAITER } kind;
	char name[108]; /* queue name or socket path */
	int64_t job;    /* WAITER: the job; 0: its queue has room; RV_WAITER_FOLLOWS */
};
size_t rv_store_rings(struct rv_store *store, const struct rv_ring **ret_rings);

/*
 * Of the last transaction that was committed, in us: how long the write lock was held, and what of
 * it grew with the work (without the COMMIT of a FULL one, which waits for the disk).  For
 * core/pace.h.
 */
struct rv_held {
	int64_t held_us, worked_us;
};
struct rv_held rv_store_held(const struct rv_store *store);

/* begin, execute each of ${reqs}, commit; for processes without an area.  Per-request err as above.
 */
int rv_store_do(struct rv_store *store, struct rv_req *const *reqs, size_t count,
		enum rv_durability durability, int64_t timeout_us,
		struct rv_why *why) RV_MUST_CHECK;

/*
 * Checkpoints when the log is ≥ ${threshold} bytes (0: in any case).  The one function of the house
 * that may: outside a transaction; leader with the mutex held, keeper, CLI (DESIGN §3).  BUSY: not
 * now.  ret_log_bytes may be NULL.  RV_CHECKPOINT_TRUNCATE: in any case, and the log's file becomes
 * empty; only the keeper that is the last child of a daemon at its end.
 */
#define RV_CHECKPOINT_TRUNCATE (-1)
int rv_store_checkpoint(struct rv_store *store, int64_t threshold,
			int64_t *ret_log_bytes) RV_MUST_CHECK;

/* RV_OK while the path still is the file we opened (stat, never open); else RV_E_REPLACED. */
int rv_store_same_file(struct rv_store *store) RV_MUST_CHECK;

/* The process that holds the write lock: 0 nobody, else its pid (/proc/locks); ours is told as
 * ours. */
int rv_store_writer_pid(struct rv_store *store, int64_t *ret_pid) RV_MUST_CHECK;

/*
 * What works but deserves a look, a sentence each: an affected SQLite library, a file system that
 * forgets.  The keeper logs them at its start.
 */
void rv_store_warnings(struct rv_store *store, void (*each)(void *ctx, const char *text),
		       void *ctx);

/* A value that changes with every commit of anyone; the keeper's safety poll compares it. */
int rv_store_change(struct rv_store *store, int64_t *ret_value) RV_MUST_CHECK;

/*
 * Runs every invariant (INVARIANTS.sql, or the memory backend's own): ${broken} is called with the
 * rule's name ("R2") and a description for each violation.  ${full} adds the backend's own
 * integrity check.  RV_OK: looked through, whatever was found.
 */
int rv_store_check(struct rv_store *store, bool full,
		   void (*broken)(void *ctx, const char *rule, const char *what),
		   void *ctx) RV_MUST_CHECK;

#endif
