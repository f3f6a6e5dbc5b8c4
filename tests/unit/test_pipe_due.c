/* What is due for a handler without a job, and when. */
#include "run/pipe_due.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define NOW 1000000

static int64_t wait_us;

static enum rv_pipe_due due(const struct rv_pipe_times *times)
{
	wait_us = -1;
	return rv_pipe_due(times, NOW, &wait_us);
}

Test(pipe_due, without_keys_never)
{
	const struct rv_pipe_times times = {.idle_us = 1};

	cr_expect(eq(int, due(&times), RV_PIPE_DUE_NOTHING));
	cr_expect(eq(i64, wait_us, RV_PIPE_NEVER));
}

Test(pipe_due, idle_ttl_on_both_sides)
{
	struct rv_pipe_times times = {.idle_us = NOW - 100, .ttl_us = 101};

	cr_expect(eq(int, due(&times), RV_PIPE_DUE_NOTHING));
	cr_expect(eq(i64, wait_us, 1));
	times.ttl_us = 100;
	cr_expect(eq(int, due(&times), RV_PIPE_DUE_END));
	cr_expect(eq(i64, wait_us, 0));
	times.idle_us = NOW; /* a job has ended */
	cr_expect(eq(int, due(&times), RV_PIPE_DUE_NOTHING));
	cr_expect(eq(i64, wait_us, 100));
}

Test(pipe_due, a_health_check_is_counted_from_the_last_sign_of_life)
{
	struct rv_pipe_times times = {.idle_us = NOW - 300, .every_us = 100, .patience_us = 50};

	cr_expect(eq(int, due(&times), RV_PIPE_DUE_ASK));
	times.well_us = NOW - 99;
	cr_expect(eq(int, due(&times), RV_PIPE_DUE_NOTHING));
	cr_expect(eq(i64, wait_us, 1));
	times.well_us = NOW - 100;
	cr_expect(eq(int, due(&times), RV_PIPE_DUE_ASK));
	times.idle_us = NOW - 10; /* a job since */
	cr_expect(eq(int, due(&times), RV_PIPE_DUE_NOTHING));
	cr_expect(eq(i64, wait_us, 90));
}

Test(pipe_due, an_answer_has_its_time)
{
	struct rv_pipe_times times = {
		.idle_us = NOW - 300, .asked_us = NOW - 49, .every_us = 10, .patience_us = 50};

	cr_expect(eq(int, due(&times), RV_PIPE_DUE_NOTHING), "it is not asked twice");
	cr_expect(eq(i64, wait_us, 1));
	times.asked_us = NOW - 50;
	cr_expect(eq(int, due(&times), RV_PIPE_DUE_SICK));
}

/* One that is asked is not ended before it was heard: it may be that a job waits for it. */
Test(pipe_due, which_comes_first)
{
	struct rv_pipe_times times = {
		.idle_us = NOW - 300, .ttl_us = 200, .every_us = 100, .patience_us = 50};

	cr_expect(eq(int, due(&times), RV_PIPE_DUE_END));
	times.asked_us = NOW - 10;
	cr_expect(eq(int, due(&times), RV_PIPE_DUE_NOTHING));
	cr_expect(eq(i64, wait_us, 40));
	times.asked_us = 0;
	times.ttl_us = 350;
	times.well_us = NOW;
	cr_expect(eq(int, due(&times), RV_PIPE_DUE_NOTHING));
	cr_expect(eq(i64, wait_us, 50), "the ttl is sooner than the next check");
}
