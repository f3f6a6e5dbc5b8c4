#ifndef RV_RUN_EXEC_H
#define RV_RUN_EXEC_H

/*
 * The process of an exec job: started by exec_start.c, watched and ended by handler_exec.c.  One
 * job at a time, so there is one.
 */

#include "base/err.h"
#include "loop/loop.h"
#include "os/spawn.h"
#include "run/leaf.h"
#include "run/tmp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rv_turn;
struct rv_worker;

#define RV_EXEC_PIPES 3 /* stdout, stderr, progress */

struct rv_exec {
	struct rv_proc proc;
	struct rv_loop_proc watch;
	struct rv_loop_io pipes[RV_EXEC_PIPES];
	int fds[RV_EXEC_PIPES]; /* our ends; -1: closed */
	struct rv_loop_timer listen, grace, sweep;
	struct rv_exit exit;
	bool exited, swept, complained;
	bool shot;         /* KILL, by us */
	int64_t oom_kills; /* the kernel's count when it began to take its time */
	int state_fd;      /* -1: none */
	struct rv_tmp tmp;
	struct rv_leaf leaf;       /* gone once it was swept */
	bool leaf_knows, leaf_oom; /* what its memory.events said before */
	int killed;                /* processes that its leader left behind */
	int64_t ended_us;          /* mono, of the leader */
	char words[4096];          /* the end of stderr; at end() with a NUL */
	size_t nwords;
};

/*
 * Starts the process: ${exec} holds it and our ends of its pipes, no watcher is started.  Nothing
 * is left on failure.  BUSY and NOMEM are ours, any other error is the job's.
 */
int rv_exec_start(struct rv_worker *worker, struct rv_turn *turn, struct rv_exec *exec,
		  struct rv_why *why) RV_MUST_CHECK;

#endif
