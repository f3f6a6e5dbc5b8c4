/*
 * What is due for a handler without a job; see pipe_due.h.  Worker processes; no clock, no I/O.  A
 * handler that owes an answer is neither asked again nor ended before it has had its time for it.
 */
#include "run/pipe_due.h"

#include "base/check.h"

static int64_t left_of(int64_t since_us, int64_t length_us, int64_t now_us)
{
	return length_us > 0 ? since_us + length_us - now_us : RV_PIPE_NEVER;
}

enum rv_pipe_due rv_pipe_due(const struct rv_pipe_times *t, int64_t now_us, int64_t *ret_wait_us)
{
	int64_t end_us = left_of(t->idle_us, t->ttl_us, now_us);
	int64_t ask_us =
		left_of(t->well_us > t->idle_us ? t->well_us : t->idle_us, t->every_us, now_us);
	int64_t sick_us = t->asked_us + t->patience_us - now_us;

	PRE(t->idle_us <= now_us && t->well_us <= now_us && t->asked_us <= now_us);
	*ret_wait_us = 0;
	if (t->asked_us != 0) {
		if (sick_us <= 0)
			return RV_PIPE_DUE_SICK;
		*ret_wait_us = sick_us;
		return RV_PIPE_DUE_NOTHING;
	}
	if (end_us <= 0)
		return RV_PIPE_DUE_END;
	if (ask_us <= 0)
		return RV_PIPE_DUE_ASK;
	*ret_wait_us = end_us < ask_us ? end_us : ask_us;
	POST(*ret_wait_us > 0);
	return RV_PIPE_DUE_NOTHING;
}
