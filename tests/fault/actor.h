#ifndef RV_FAULT_ACTOR_H
#define RV_FAULT_ACTOR_H

/*
 * Another process on the same store, told by single letters what to do next.  Forked before we open
 * anything, so it shares no handle; it ends when we do.
 */

#include "scene.h"

#include <sys/types.h>

struct actor {
	pid_t pid;
	int to, from;
};

/* Orders: each is answered with one letter, 'y' done, 'n' it could not be done (busy). */
#define ACTOR_HOLD    'h' /* takes the write lock and keeps it until FREE */
#define ACTOR_FREE    'f'
#define ACTOR_WRITE   'w' /* adds a job, waiting 20 ms at most */
#define ACTOR_READ    'r' /* opens a snapshot and keeps it until DONE */
#define ACTOR_DONE    'd'
#define ACTOR_CHECK   'c' /* a checkpoint */
#define ACTOR_LOOP    'l' /* answers at once; reads pages of jobs until the next order */
#define ACTOR_HOLD_MS 't' /* takes the write lock, answers, and gives it back after ${ms} */

void actor_start(struct actor *a, const char *path, int ms);
char actor_ask(const struct actor *a, char order);
/* Ends it; false when it did not end well. */
bool actor_stop(struct actor *a);

#endif
