#ifndef RV_CHILD_CHILD_H
#define RV_CHILD_CHILD_H

/*
 * A child of reeved: what worker and keeper share.  Its command line, descriptors 3 to 5, its slot
 * of the area, its connection to the store, its beats and its rings.
 */

#include "base/err.h"
#include "store/writer.h"
#include "wire/area.h"
#include "wire/sup.h"

#include <stdbool.h>
#include <stdint.h>

struct rv_conf;
struct rv_conf_pool;

#define RV_CHILD_CHECKPOINT                                                                        \
	(4LL << 20) /* bytes of log at which a leader or the keeper checkpoints */
#define RV_CHILD_OPEN_US (30 * 1000000LL) /* patience of boot with a busy store */

/* What is called while a request waits; ctx is the caller's. */
struct rv_child_hooks {
	void (*beat)(void *ctx);     /* at least every 50 ms; we have beaten already */
	void (*orphaned)(void *ctx); /* the supervisor is gone: does not return */
	void *ctx;
};

struct rv_child {
	const char *program; /* "worker" or "keeper" */
	const char *name;    /* "default/0"; the keeper: "keeper" */
	const char *pool;    /* "" the keeper */
	unsigned slot;
	uint64_t incarnation;
	bool quiet;       /* a worker: claims nothing before RESUME */
	bool children;    /* a worker: claims only jobs that have a parent */
	uint64_t highest; /* the keeper: the last incarnation that was given out before it */
	char mark[64];    /* REEVE_INSTANCE: what our jobs' processes bear */
	struct rv_conf *conf;
	struct rv_area area;
	struct rv_area_hint *hint; /* ours, in the area */
	struct rv_store *store;
	struct rv_writer *writer;
	struct rv_child_hooks hooks;
	int64_t gap_us;    /* the longest between two beats, since the owner set it to 0 */
	pid_t parent;      /* the supervisor */
	int64_t parent_us; /* mono: when we last saw that it is there */
	int lock_fd;
	char doorbell[4096];
};

/* reeve-${name} --version: prints of which build it is (wire/build.h); false: it was not asked. */
bool rv_child_version(const char *name, int argc, char **argv);
/*
 * Reads the command line: --pool, --slot, --incarnation, --name, --highest, --quiet,
 * --children.  RV_E_USAGE.
 * Strings are argv's.
 */
int rv_child_parse(struct rv_child *child, int argc, char **argv, struct rv_why *why) RV_MUST_CHECK;

/*
 * Takes over descriptors 3, 4 and 5: reads the configuration, opens the log, maps the area, takes
 * the child's lock of the store, becomes a subreaper.  RV_E_CONF: exit 78.
 */
int rv_child_boot(struct rv_child *child, struct rv_why *why) RV_MUST_CHECK;

/* Opens the store (${create}: the keeper, which also migrates) and the writer on our slot. */
int rv_child_open(struct rv_child *child, bool create, const struct rv_child_hooks *hooks,
		  struct rv_why *why) RV_MUST_CHECK;

/* The second half of rv_child_open. */
int rv_child_writer_open(struct rv_child *child, const struct rv_child_hooks *hooks,
			 struct rv_why *why) RV_MUST_CHECK;

/* JOIN: from now on this incarnation is alive for ${lease_us} after its last beat. */
int rv_child_join(struct rv_child *child, int64_t lease_us, struct rv_why *why) RV_MUST_CHECK;
/* LEAVE; errors are not the caller's matter any more. */
void rv_child_leave(struct rv_child *child);

/* One request through the writer; transaction's and request's error in one.  ${why} may be NULL. */
int rv_child_do(struct rv_child *child, struct rv_req *req, enum rv_durability durability,
		int64_t timeout_us, struct rv_why *why) RV_MUST_CHECK;

/* Several in one transaction: its error; that of each is in its err and why. */
int rv_child_do_all(struct rv_child *child, struct rv_req *const *reqs, size_t count,
		    enum rv_durability durability, int64_t timeout_us) RV_MUST_CHECK;

/* Closes all of it, in order; half-booted children are allowed. */
void rv_child_close(struct rv_child *child);

/* Publishes that we live; returns the monotonic time it wrote. */
int64_t rv_child_beat(struct rv_child *child);

/* Sends one message up; waits ≤ 1 s for a full socket.  Only KICK and READY care for the result. */
int rv_child_send(struct rv_child *child, enum rv_sup_kind kind, uint64_t a, uint64_t b,
		  uint64_t c);
/* STATUS with the state as text. */
void rv_child_status(struct rv_child *child, uint64_t ping, const char *state);

/* Rings the doorbell for a queue (RV_RING_ALL: rv_child_ring_token). */
void rv_child_ring_queue(struct rv_child *child, const char *queue);
void rv_child_ring_token(struct rv_child *child, uint64_t token);

/*
 * The exit code of a child that ends with ${err}.  74 (store or area are unusable) makes the
 * supervisor begin anew with another area and all children; 78 waits for a reload; 75 is the rest.
 */
int rv_child_exit(int err);

#endif
