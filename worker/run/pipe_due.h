#ifndef RV_RUN_PIPE_DUE_H
#define RV_RUN_PIPE_DUE_H

/*
 * What is due for a handler that stays and has no job: that it is asked whether it is well, that it
 * is given up, that it ends.  Pure: fed with times, so that a test can drive it.  Called by
 * pipe_keep.c.
 */

#include <stdint.h>

#define RV_PIPE_NEVER INT64_MAX

enum rv_pipe_due {
	RV_PIPE_DUE_NOTHING,
	RV_PIPE_DUE_ASK,  /* a health line */
	RV_PIPE_DUE_SICK, /* it has not answered in time */
	RV_PIPE_DUE_END,  /* it had no job for too long */
};

/* Monotonic times and durations, in microseconds; 0: not, or never. */
struct rv_pipe_times {
	int64_t idle_us;     /* it has no job since */
	int64_t well_us;     /* its last answer to a health line */
	int64_t asked_us;    /* a health line that it has not answered */
	int64_t ttl_us;      /* idle_ttl */
	int64_t every_us;    /* health_check; 0 also for a handler that cannot be asked */
	int64_t patience_us; /* health_timeout */
};

/* NOTHING: ${ret_wait_us} later it may be something (> 0, RV_PIPE_NEVER); else it is 0. */
enum rv_pipe_due rv_pipe_due(const struct rv_pipe_times *times, int64_t now_us,
			     int64_t *ret_wait_us);

#endif
