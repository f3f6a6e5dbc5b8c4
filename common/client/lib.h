#ifndef RV_CLIENT_LIB_H
#define RV_CLIENT_LIB_H

/* What the lib_*.c files of libreeve share; private to them. */

#include "base/arena.h"
#include "client/client.h"
#include "client/newjob.h"
#include "client/reeve.h"
#include "client/waiter.h"

#include <pthread.h>
#include <sys/types.h>

/* A bell that is rung for events.  Kept from one call to the next: to hang one up is a commit. */
struct rv_lib_bell {
	struct rv_waiter waiter;
	uint64_t forgotten; /* of the handle, when it was hung up: its row went with that store */
	int64_t asked_us;   /* mono: when it was asked for last; 0: not yet */
};

struct reeve {
	pthread_mutex_t lock; /* everything below it but pid */
	pid_t pid;            /* of the process that opened it */
	bool existing;        /* never make a store */
	struct rv_client client;
	uint64_t forgotten; /* stores, so far: who waits for jobs of one sees that it is gone */
	struct rv_lib_bell bell; /* that no call is using; waiter.fd < 0: none */
	struct rv_why why;       /* of this call */
};

/*
 * Begins a call: the handle is ours until rv_lib_leave, its store open for ${mode} and the one at
 * its path.  On an error there is nothing to leave, and it is said.
 */
int rv_lib_enter(struct reeve *reeve, enum rv_client_mode mode) RV_MUST_CHECK;
/* The end of a call: says ${err}, if it is one.  Returns what the caller of the library gets. */
int rv_lib_leave(struct reeve *reeve, int err) RV_MUST_CHECK;
/* Without a handle that was entered: of a mistake in what was given. */
int rv_lib_say(const struct reeve *reeve, int err, const char *format, ...)
	RV_PRINTF(3, 4) RV_MUST_CHECK;

/* Texts and "NAME=VALUE" pairs, both ended by NULL, NULL: none, into the object ${line}. */
int rv_lib_texts(struct rv_newjob *new, json_t *line, const char *name,
		 const char *const *texts) RV_MUST_CHECK;
int rv_lib_pairs(struct rv_newjob *new, json_t *line, const char *name,
		 const char *const *pairs) RV_MUST_CHECK;
/* A copy in the arena; NULL stays NULL. */
int rv_lib_copy(struct rv_arena *arena, const char *text, const char **ret_copy) RV_MUST_CHECK;

/* lib_events.c: the kept bell is taken down; ${ours}: this process hung it up. */
void rv_lib_bell_drop(struct reeve *reeve, bool ours);

/* ${size} zeroed bytes that reeve_free takes back with all that is in ${*ret_arena}; NULL: no
 * memory. */
void *rv_lib_give(size_t size, struct rv_arena **ret_arena) RV_MUST_CHECK;

#endif
