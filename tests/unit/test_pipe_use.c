/* How what a handler takes is shared by its runs: driven with this process as the handler. */
#include "base/seam.h"
#include "os/spawn.h"
#include "os/use.h"
#include "run/pipe_use.h"
#include "run/turn.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <unistd.h>

static struct rv_pipe_use use;

static int64_t told(void)
{
	struct rv_result result = {.user_us = -1, .sys_us = -1, .maxrss_bytes = -1};

	rv_pipe_use_tell(&use, &result);
	cr_assert(eq(i64, result.sys_us, -1));
	cr_assert(ge(i64, result.maxrss_bytes, result.user_us < 0 ? -1 : 1));
	return result.user_us;
}

static void burn(int64_t us)
{
	int64_t end = rv_use_cpu_us(use.clock) + us;

	while (rv_use_cpu_us(use.clock) < end)
		continue;
}

static void hear(const char *lines)
{
	rv_pipe_use_heard(&use, lines, strlen(lines));
}

static void begin(void)
{
	rv_pipe_use_init(&use, getpid());
	rv_pipe_use_begin(&use);
}

Test(pipe_use, from_the_job_to_its_answer)
{
	int64_t took;

	begin();
	burn(20 * RV_MS_US); /* nobody's: it has no job */
	rv_pipe_use_begin(&use);
	burn(5 * RV_MS_US);
	hear("a log, and half of");
	burn(5 * RV_MS_US);
	hear(" it\nthe answer\n");
	rv_pipe_use_line(&use);
	rv_pipe_use_line(&use);
	took = use.owed_us;
	cr_assert(ge(i64, took, 10 * RV_MS_US));
	cr_assert(lt(i64, took, 20 * RV_MS_US), "but nothing from before");
	cr_assert(eq(i64, told(), took), "all of it");
	cr_assert(eq(i64, use.owed_us, 0));
}

Test(pipe_use, answers_that_come_together_share)
{
	int64_t all, sum = 0;

	begin();
	burn(4 * RV_MS_US);
	hear("1\n2\n3\n4\n");
	all = use.owed_us;
	cr_assert(ge(i64, all, 4 * RV_MS_US));
	for (int i = 0; i < 4; i++) {
		int64_t share;

		rv_pipe_use_line(&use);
		share = told();
		cr_assert(ge(i64, share, all / 4));
		cr_assert(le(i64, share, all / 4 + 1));
		sum += share;
	}
	cr_assert(eq(i64, sum, all), "nothing is lost");
	rv_pipe_use_line(&use); /* one that came before the job */
	cr_assert(eq(i64, told(), 0));
}

/* What was told is not told again; what the kernel says of its end is all there was. */
Test(pipe_use, the_end_has_the_rest)
{
	struct rv_exit end = {.usage.ru_maxrss = 100};
	struct rv_result result = {.user_us = -1, .sys_us = -1, .maxrss_bytes = -1};
	int64_t before;

	begin();
	burn(3 * RV_MS_US);
	hear("1\n");
	rv_pipe_use_line(&use);
	(void)told();
	before = use.own_us + use.children_us;
	end.usage.ru_utime.tv_sec = (before + 7) / RV_S_US;
	end.usage.ru_utime.tv_usec = (before + 7) % RV_S_US;
	rv_pipe_use_crashed(&use, &end, &result);
	cr_assert(eq(i64, result.user_us, 7));
	cr_assert(eq(i64, result.sys_us, -1));
	cr_assert(eq(i64, result.maxrss_bytes, 100 << 10));
	/* What it was owed for half a line. */
	burn(2 * RV_MS_US);
	hear("half");
	rv_pipe_use_crashed(&use, &end, &result);
	cr_assert(eq(i64, result.user_us, 7), "of what the kernel says");
	end.usage = (struct rusage){0};
	result = (struct rv_result){.user_us = -1, .sys_us = -1, .maxrss_bytes = -1};
	rv_pipe_use_crashed(&use, &end, &result);
	cr_assert(eq(i64, result.user_us, -1), "somebody else has collected it");
}

/* Of a process that nobody knows nothing is told, not 0. */
Test(pipe_use, without_a_clock)
{
	rv_pipe_use_init(&use, 0x3ffffff0);
	rv_pipe_use_begin(&use);
	hear("1\n");
	rv_pipe_use_line(&use);
	cr_assert(eq(i64, told(), -1));
}
