#ifndef RV_RUN_PIPE_H
#define RV_RUN_PIPE_H

/*
 * The processes of pipe tasks (docs/PROTOCOL.md, Pipe handlers).  Worker only.  pipe_proc.c starts
 * one and moves its bytes, pipe_end.c ends it, pipe_send.c makes its lines, handler_pipe.c knows
 * which job it has.  A process belongs to the list in pipe_proc.c until nothing of it is left; it
 * frees itself then.  All on the worker's loop.
 */

#include "base/buf.h"
#include "base/err.h"
#include "loop/loop.h"
#include "os/spawn.h"
#include "run/leaf.h"
#include "run/pipe_use.h"
#include "run/tail.h"
#include "run/tmp.h"
#include "store/request.h"

#include <stdbool.h>
#include <stdint.h>

struct rv_conf_task;
struct rv_worker;

enum rv_pipe_state {
	RV_PIPE_BOOTING, /* no hello yet */
	RV_PIPE_READY,
	RV_PIPE_RETIRED, /* has EOF: it is to end by itself */
	RV_PIPE_KILLED,
	RV_PIPE_DEAD, /* collected; what it left behind is being killed */
};

#define RV_PIPE_ANSWERS 2 /* index in fds: after stdout and stderr */
#define RV_PIPE_OUTS    3
#define RV_PIPE_CLOSED_US                                                                          \
	(200 * RV_MS_US) /* for one that has closed its stdin or its answers to end */

struct rv_pipe_proc {
	struct rv_pipe_proc *other; /* the next of this worker */
	struct rv_worker *worker;
	const struct rv_conf_task *task;
	enum rv_pipe_state state;
	struct rv_proc proc; /* pid 0 once it is collected */
	pid_t pid;           /* for people */
	struct rv_loop_proc watch;
	struct rv_loop_io in, outs[RV_PIPE_OUTS];
	int in_fd, fds[RV_PIPE_OUTS]; /* -1: closed */
	struct rv_loop_timer timer;   /* of its state: readiness, kill_after, the next sweep */
	struct rv_loop_timer due;     /* pipe_keep.c, as the next four */
	uint64_t question;            /* number of the last health line */
	int64_t idle_us, well_us, asked_us; /* mono; struct rv_pipe_times */
	struct rv_buf lines, heard;         /* to be written; answers not looked at yet */
	size_t written, taken;              /* of those */
	uint64_t added;                     /* bytes that were ever put into ${lines} */
	uint64_t line_at[RV_TURN_MAX];      /* of those, before the line of the job at this place */
	uint64_t unread;                    /* what it had not read when its stdin was closed */
	unsigned ahead;                     /* hello */
	bool cancels, softs, checks;        /* hello */
	bool greeted;                       /* that has come */
	bool void_said;                     /* it answered what it was not asked: to be replaced */
	bool refuses;                       /* it said that it can never run a job; ${why} */
	unsigned jobs, jobs_max;
	int64_t born_us, age_max_us, looked_us; /* mono; looked: at its memory */
	int64_t dead_us;                        /* mono, when it was collected */
	struct rv_exit exit;
	struct rv_pipe_use use; /* what it has used, for whom */
	bool killed;            /* by us: nothing that it says counts */
	char why[512];          /* and why; "" */
	size_t tail_job;        /* bytes of stderr of its present job */
	struct rv_tail tail;
	struct rv_tmp tmp;
	struct rv_leaf leaf;
};

/* ---- pipe_proc.c */

/* BOOTING from now on.  BUSY and NOMEM are ours, any other error is the task's. */
int rv_pipe_start(struct rv_worker *worker, const struct rv_conf_task *task,
		  struct rv_pipe_proc **ret_proc, struct rv_why *why) RV_MUST_CHECK;
/* Writes what of ${lines} the pipe takes, the rest when it takes more. */
void rv_pipe_write(struct rv_pipe_proc *proc);
/* Takes in what it has printed, without waiting; not its answers. */
void rv_pipe_drain(struct rv_pipe_proc *proc);
/* The same, and its answers. */
void rv_pipe_drain_all(struct rv_pipe_proc *proc);
void rv_pipe_close_in(struct rv_pipe_proc *proc);
/* Closes and stops all of it and takes it off the list.  Its process must be collected. */
void rv_pipe_free(struct rv_pipe_proc *proc);
/* The list. */
struct rv_pipe_proc *rv_pipe_first(void);
/* ---- pipe_end.c */

/* EOF; killed kill_after later. */
void rv_pipe_retire(struct rv_pipe_proc *proc);
/* KILL to its group at once.  ${why} NULL: nothing that it did. */
void rv_pipe_kill(struct rv_pipe_proc *proc, const char *why);
/* How it ended, for people: "exit code 3: last words". */
void rv_pipe_describe(const struct rv_pipe_proc *proc, char *out, size_t space);
/* The kernel ended it for want of memory, as its cgroup says. */
bool rv_pipe_is_oom(const struct rv_pipe_proc *proc);
/* The watcher of its end. */
void rv_pipe_on_exit(struct rv_loop_proc *watch);
/* Ends all of them, and waits for it (≤ 2 s for those that do, then KILL): the worker ends. */
void rv_pipe_end_all(struct rv_worker *worker);

/* ---- pipe_send.c */

/*
 * Adds the line of the turn's job to ${proc}->lines, unless it was sent ahead, and of those behind
 * it as many as ${proc} takes; writes.  Errors as rv_handler.start: nothing was sent.
 */
int rv_pipe_send(struct rv_worker *worker, struct rv_pipe_proc *proc,
		 struct rv_why *why) RV_MUST_CHECK;

/* ---- handler_pipe.c: what is told of them */

/* Its ${heard} has grown; RV_E_CLOSED: it closed its answers. */
void rv_pipe_heard(struct rv_pipe_proc *proc, int err);
void rv_pipe_printed(struct rv_pipe_proc *proc, int stream, const char *data, size_t size);
/* Answers of jobs that were sent ahead may be in ${heard}: their turns come first. */
bool rv_pipe_owes(const struct rv_pipe_proc *proc);
/* It has ended, its last words are in; no job goes to it any more. */
void rv_pipe_exited(struct rv_pipe_proc *proc);
/* Nothing of it is left: it is freed after the call. */
void rv_pipe_gone(struct rv_pipe_proc *proc);

#endif
