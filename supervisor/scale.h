#ifndef RV_SUPERVISOR_SCALE_H
#define RV_SUPERVISOR_SCALE_H

/*
 * How many workers a pool with workers = MIN..MAX should have.  Pure: time and what is known are
 * handed in.  Up by what waits and for how long, at most doubling in a second; down by one after a
 * time in which nothing waited and somebody was idle.  Between the two nothing moves.
 */

#include <stdint.h>

struct rv_scale {
	int64_t grown_us; /* the last time it grew; 0: never */
	int64_t idle_us;  /* since when nothing waits and somebody is idle; 0: it is not so */
};

struct rv_scale_in {
	int min, max;
	int target; /* now */
	int up;     /* RUNNING */
	int idle;   /* of those, by their own word */
	uint64_t ready;
	int64_t oldest_us;  /* how long the next of them has waited */
	int64_t up_wait_us; /* the keys */
	int64_t idle_us;
	int64_t now_us; /* mono */
};

/* The target from now on, and the sentence that says why (static); the same: none. */
int rv_scale_decide(struct rv_scale *scale, const struct rv_scale_in *in, const char **ret_why);

#endif
