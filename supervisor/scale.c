/*
 * The number of workers that follows the work.  Runs in the supervisor and in unit tests; pure.
 */
#include "supervisor/scale.h"

#include "base/check.h"

#define GROW_US 1000000LL /* between two steps up: the last newcomers have begun by then */

static int bounded(const struct rv_scale_in *in, int target)
{
	return target < in->min ? in->min : target > in->max ? in->max : target;
}

static int grow(struct rv_scale *scale, const struct rv_scale_in *in, const char **ret_why)
{
	int more = in->target > 0 ? in->target : 1;

	/* Those that were asked for last have not begun, or somebody is about to take it. */
	if (in->up < in->target || in->idle > 0)
		return in->target;
	if (in->target > 0 && in->oldest_us < in->up_wait_us)
		return in->target;
	if (scale->grown_us != 0 && in->now_us - scale->grown_us < GROW_US)
		return in->target;
	if ((uint64_t)more > in->ready)
		more = (int)in->ready;
	scale->grown_us = in->now_us;
	*ret_why = "jobs wait and nobody is idle";
	return bounded(in, in->target + more);
}

static int shrink(struct rv_scale *scale, const struct rv_scale_in *in, const char **ret_why)
{
	if (scale->idle_us == 0)
		scale->idle_us = in->now_us;
	if (in->now_us - scale->idle_us < in->idle_us)
		return in->target;
	scale->idle_us = in->now_us;
	*ret_why = "nothing waits and somebody is idle";
	return in->target - 1;
}

int rv_scale_decide(struct rv_scale *scale, const struct rv_scale_in *in, const char **ret_why)
{
	int target = bounded(in, in->target);

	PRE(in->min >= 0 && in->min <= in->max && in->up >= 0 && in->idle >= 0);
	*ret_why = "it is out of the bounds";
	if (target != in->target)
		return target;
	if (in->ready > 0 || in->idle == 0)
		scale->idle_us = 0;
	if (in->ready > 0 && target < in->max)
		target = grow(scale, in, ret_why);
	else if (in->ready == 0 && in->idle > 0 && target > in->min)
		target = shrink(scale, in, ret_why);
	POST(target >= in->min && target <= in->max);
	return target;
}
