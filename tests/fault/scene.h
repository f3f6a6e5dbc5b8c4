#ifndef RV_FAULT_SCENE_H
#define RV_FAULT_SCENE_H

/*
 * What the fault tests of the store play: a small story of every kind of request on a store of its
 * own, with a ledger of what it was told.  Whatever fails on the way, what was told must be there
 * in the end, and no invariant may be broken.  Plain programs; a failure prints a sentence and
 * aborts.
 */

#include "base/attr.h"
#include "base/seam.h"
#include "store/read.h"

#include <stdio.h>
#include <stdlib.h>

#define SCENE_JOBS 64

/* What we were told of a job; ANY: a request on it has an unknown outcome. */
enum told { TOLD_NOTHING, TOLD_THERE, TOLD_SUCCEEDED, TOLD_CANCELLED, TOLD_GONE, TOLD_ANY };

struct scene {
	struct rv_store *store;
	char path[512];
	int64_t ids[SCENE_JOBS];
	enum told told[SCENE_JOBS];
	int njobs;
	uint64_t worker;
	enum rv_durability durability;
	bool unknown;    /* an ENQUEUE's outcome is not known: a job nobody knows of may be there */
	unsigned errors; /* requests and transactions that failed */
	int last_error;
	void (*acked)(struct scene *s); /* after each answer; may be NULL */
	struct rv_req req;
	struct rv_why why;
};

#define CHECK(cond, ...)                                                                           \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			(void)fprintf(stderr, "%s:%d: check failed: %s: ", __FILE__, __LINE__,     \
				      #cond);                                                      \
			(void)fprintf(stderr, __VA_ARGS__);                                        \
			(void)fputc('\n', stderr);                                                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* Before all else: temporary files go to memory where that is possible; the frozen wall clock. */
void scene_begin(void);
/* A store with tasks, queues, a daemon and worker 1, at ${path}; the handle is closed again. */
void scene_make(const char *path, enum rv_durability durability);
/* Copies a closed store (main file and log). */
void scene_copy(const char *from, const char *to);
void scene_remove(const char *path);

/* Starts anew with the store at ${path}, not open. */
void scene_start(struct scene *s, const char *path, enum rv_durability durability);
int scene_open(struct scene *s) RV_MUST_CHECK;
void scene_close(struct scene *s);
/* s->req in a transaction of its own: the transaction's error, else the request's. */
int scene_ask(struct scene *s);
/* Opens, plays and closes; false: it could not even be opened. */
bool scene_play(struct scene *s);
/* Opens again without faults and looks at everything. */
void scene_verify(struct scene *s, const char *what);
/* The same for a ledger as it was at some moment, on another file. */
void scene_verify_at(const struct scene *ledger, const char *path, const char *what);
/* How many jobs of the ledger are not what was told. */
int scene_lost(const struct scene *ledger, struct rv_store *store);

/* Parts of the story, for tests that tell another one. */
int64_t scene_add(struct scene *s, const struct rv_job_new *job);
int scene_turn(struct scene *s, uint32_t want, const struct rv_ack *acks, uint32_t nacks);

#endif
