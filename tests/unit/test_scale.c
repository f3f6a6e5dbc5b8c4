/* How many workers: up by what waits, down by what is idle, and nothing in between. */
#include "helpers/assert.h"
#include "supervisor/scale.h"

#define S 1000000LL

static struct rv_scale scale;
static struct rv_scale_in in;

static void fresh(int min, int max, int target)
{
	scale = (struct rv_scale){0};
	in = (struct rv_scale_in){
		.min = min,
		.max = max,
		.target = target,
		.up = target,
		.up_wait_us = 2 * S,
		.idle_us = 60 * S,
		.now_us = 1000 * S,
	};
}

/* The decision, which is carried out at once. */
static int decide(uint64_t ready, int64_t oldest_us, int idle)
{
	const char *why;

	in.ready = ready;
	in.oldest_us = oldest_us;
	in.idle = idle;
	in.target = rv_scale_decide(&scale, &in, &why);
	in.up = in.target;
	return in.target;
}

Test(scale, the_first_of_none_is_there_at_once)
{
	fresh(0, 4, 0);
	cr_assert(eq(int, decide(0, 0, 0), 0));
	cr_assert(eq(int, decide(1, 0, 0), 1));
}

Test(scale, doubles_each_second_while_jobs_wait)
{
	fresh(1, 10, 1);
	cr_assert(eq(int, decide(100, 2 * S - 1, 0), 1), "not long enough");
	cr_assert(eq(int, decide(100, 2 * S, 0), 2));
	in.now_us += S - 1;
	cr_assert(eq(int, decide(100, 3 * S, 0), 2), "not within a second");
	in.now_us += 1;
	cr_assert(eq(int, decide(100, 3 * S, 0), 4));
	in.now_us += S;
	cr_assert(eq(int, decide(100, 4 * S, 0), 8));
	in.now_us += S;
	cr_assert(eq(int, decide(100, 5 * S, 0), 10), "the bound");
	in.now_us += S;
	cr_assert(eq(int, decide(100, 6 * S, 0), 10));
}

Test(scale, no_more_than_there_is_to_do)
{
	fresh(1, 10, 4);
	cr_assert(eq(int, decide(1, 5 * S, 0), 5));
}

Test(scale, who_is_idle_or_on_its_way_takes_it)
{
	fresh(1, 10, 2);
	cr_assert(eq(int, decide(10, 5 * S, 1), 2));
	in.up = 1;
	in.ready = 10;
	in.idle = 0;
	const char *why;

	cr_assert(eq(int, rv_scale_decide(&scale, &in, &why), 2));
}

Test(scale, one_ends_after_each_idle_time)
{
	fresh(1, 10, 3);
	cr_assert(eq(int, decide(0, 0, 3), 3));
	in.now_us += 60 * S - 1;
	cr_assert(eq(int, decide(0, 0, 1), 3));
	in.now_us += 1;
	cr_assert(eq(int, decide(0, 0, 1), 2));
	in.now_us += 59 * S;
	cr_assert(eq(int, decide(0, 0, 1), 2));
	in.now_us += S;
	cr_assert(eq(int, decide(0, 0, 1), 1));
	in.now_us += 600 * S;
	cr_assert(eq(int, decide(0, 0, 1), 1), "the bound");
}

Test(scale, work_begins_the_idle_time_anew)
{
	fresh(0, 10, 2);
	cr_assert(eq(int, decide(0, 0, 2), 2));
	in.now_us += 59 * S;
	cr_assert(eq(int, decide(0, 0, 0), 2), "all are busy");
	in.now_us += S;
	cr_assert(eq(int, decide(0, 0, 1), 2));
	in.now_us += 59 * S;
	cr_assert(eq(int, decide(1, S, 1), 2), "one waits");
	in.now_us += S;
	cr_assert(eq(int, decide(0, 0, 1), 2));
	in.now_us += 60 * S;
	cr_assert(eq(int, decide(0, 0, 1), 1));
}

Test(scale, bounds_that_are_new_hold_at_once)
{
	fresh(2, 4, 9);
	cr_assert(eq(int, decide(0, 0, 0), 4));
	fresh(2, 4, 0);
	cr_assert(eq(int, decide(0, 0, 0), 2));
}

/* A hostile keeper's numbers give a number within the bounds. */
Test(scale, any_numbers_are_bounded)
{
	static const uint64_t ready[] = {0, 1, UINT64_MAX};
	static const int64_t oldest[] = {0, INT64_MAX};

	for (int target = 0; target <= 5; target++) {
		for (int r = 0; r < 3; r++) {
			for (int o = 0; o < 2; o++) {
				int to;

				fresh(1, 4, target);
				to = decide(ready[r], oldest[o], r);
				cr_assert(le(int, 1, to));
				cr_assert(le(int, to, 4));
			}
		}
	}
}
