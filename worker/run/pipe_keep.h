#ifndef RV_RUN_PIPE_KEEP_H
#define RV_RUN_PIPE_KEEP_H

/*
 * What is done for handlers that stay while no job is at them (docs/PROTOCOL.md, Pipe handlers):
 * warm_up, idle_ttl, health_check, and replacing.  Worker only, on its loop.  handler_pipe.c has
 * the tasks and knows who has a job; pipe_keep.c does this.  A task without these keys costs
 * nothing: no timer, no line.
 */

#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rv_conf_task;
struct rv_pipe_proc;
struct rv_pipe_said;
struct rv_worker;

/* A task's handlers.  Owned by handler_pipe.c. */
struct rv_pipe_task {
	const struct rv_conf_task *task;
	struct rv_worker *worker;
	struct rv_pipe_proc *now;  /* gets the jobs; NULL none */
	struct rv_pipe_proc *next; /* is to replace it; NULL none */
	int64_t next_try_us;       /* mono: no process is started before, but for a job */
	struct rv_loop_timer again;
	bool unasked_said; /* it knows no health lines: that was logged */
};

/* ---- handler_pipe.c */

struct rv_pipe_task *rv_pipe_task(const struct rv_conf_task *task);
/* The turn's job is its, or is to be. */
bool rv_pipe_has_job(const struct rv_pipe_proc *proc);
/* It is well: the job that waited for that goes to it, unless it has ended since. */
void rv_pipe_go_on(struct rv_pipe_proc *proc);

/* ---- pipe_keep.c */

/* Once, before the first job: starts a handler of each task that is to be warm here. */
void rv_keep_warm_up(struct rv_worker *worker, struct rv_pipe_task *tasks, size_t count);
/* Stops the timers; the processes are another's. */
void rv_keep_close(struct rv_pipe_task *tasks, size_t count);

/* It has no job from now on: after its hello, after a job. */
void rv_keep_idle(struct rv_pipe_proc *proc);
/* A health line: the answer to ours, or nobody's. */
void rv_keep_answered(struct rv_pipe_proc *proc, const struct rv_pipe_said *said);
/* It owes the answer to a health line: it may be sick. */
bool rv_keep_is_asked(const struct rv_pipe_proc *proc);
/* One was tried: for restart_delay from now none is started, but for a job. */
void rv_keep_put_off(struct rv_pipe_task *task);
/* ${task} has no process now, and did not want that. */
void rv_keep_lost(struct rv_pipe_task *task);
/* After a job of ${proc}: starts the one that is to replace it, where that is due. */
void rv_keep_look_after(struct rv_pipe_proc *proc);

#endif
