#ifndef RV_RUN_PIPE_USE_H
#define RV_RUN_PIPE_USE_H

/*
 * What a run used of a handler that stays (docs/QUEUES.md, Statistics).  Worker only.  The CPU time
 * that the handler took from when it was given the job to its answer; answers that come together
 * share what it took for them.  Of its memory, the most it ever had: the share of one run is not to
 * be known.  In struct rv_result user_us is both, sys_us -1.
 */

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct rv_exit;
struct rv_result;

struct rv_pipe_use {
	pid_t pid;
	clockid_t clock;     /* 0 (a clock that no process has): it has none */
	int64_t own_us;      /* what that showed when it was looked at last */
	int64_t children_us; /* as of looked_us: of children that it has collected */
	int64_t looked_us;   /* mono: at /proc */
	int64_t peak_bytes;  /* the same; -1: never looked */
	int64_t owed_us;     /* of own_us and children_us, what no run was told yet */
	unsigned lines;      /* that have come and were not taken: they share it */
};

/* It was started. */
void rv_pipe_use_init(struct rv_pipe_use *use, pid_t pid);
/* It has no job, and is given one: what it took before is nobody's. */
void rv_pipe_use_begin(struct rv_pipe_use *use);
/* It has a job, and ${data} has come from it. */
void rv_pipe_use_heard(struct rv_pipe_use *use, const char *data, size_t size);
/* One line of those was taken. */
void rv_pipe_use_line(struct rv_pipe_use *use);
/* That line was the answer of the job in front. */
void rv_pipe_use_tell(struct rv_pipe_use *use, struct rv_result *result);
/* It ended in the job: so the rest of what it took, as it was collected, is that one's. */
void rv_pipe_use_crashed(const struct rv_pipe_use *use, const struct rv_exit *exit,
			 struct rv_result *result);

#endif
