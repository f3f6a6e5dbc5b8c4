/* The restart policy: delays, bursts, and what does not count. */
#include "base/seam.h"
#include "helpers/assert.h"
#include "supervisor/restart.h"

#define S RV_S_US

static int64_t times[RV_RESTART_BURST_MAX];

static const struct rv_restart_policy policy = {
	.delay_us = 200 * RV_MS_US,
	.delay_max_us = 30 * S,
	.stable_us = 60 * S,
	.burst = 10,
	.burst_us = 300 * S,
};

#define MIDDLE 0x80000000u /* no jitter to speak of */

static int64_t dies(struct rv_restart *restart, enum rv_reason reason, int64_t now_us,
		    int64_t lived_us, uint32_t chance)
{
	const struct rv_restart_death death = {reason, now_us, lived_us, chance};

	return rv_restart_after(restart, &policy, &death);
}

static bool about(int64_t us, int64_t wanted_us)
{
	return us > wanted_us - 10 && us < wanted_us + 10;
}

Test(restart, the_first_is_at_once_then_it_doubles_to_the_cap)
{
	static const int64_t wanted_ms[] = {0,    200,  400,   800,   1600,
					    3200, 6400, 12800, 25600, 30000};
	struct rv_restart restart = {.times = times};
	int64_t now_us = S;

	for (size_t i = 0; i < sizeof wanted_ms / sizeof wanted_ms[0]; i++) {
		int64_t delay_us = dies(&restart, RV_REASON_CRASHED, now_us, 0, MIDDLE);

		cr_assert(about(delay_us, wanted_ms[i] * RV_MS_US), "%zu: %lld", i,
			  (long long)delay_us);
		now_us += 31 * S; /* slowly enough not to be a burst */
	}
}

Test(restart, a_stable_life_forgets)
{
	struct rv_restart restart = {.times = times};

	for (int i = 0; i < 5; i++)
		(void)!dies(&restart, RV_REASON_CRASHED, S, 0, MIDDLE);
	cr_assert(eq(long, dies(&restart, RV_REASON_CRASHED, 100 * S, 60 * S, MIDDLE), 0));
	cr_assert(about(dies(&restart, RV_REASON_CRASHED, 101 * S, S, MIDDLE), 200 * RV_MS_US));
	cr_assert(eq(uint, restart.total, 7));
}

Test(restart, jitter_is_a_fifth_either_way)
{
	for (unsigned i = 0; i <= 100; i++) {
		struct rv_restart restart = {.times = times};
		uint32_t chance = (uint32_t)(0xffffffffULL * i / 100);
		int64_t delay_us;

		(void)!dies(&restart, RV_REASON_CRASHED, S, 0, chance);
		delay_us = dies(&restart, RV_REASON_CRASHED, S, 0, chance);
		cr_assert(delay_us >= 160 * RV_MS_US && delay_us <= 240 * RV_MS_US, "%lld",
			  (long long)delay_us);
		if (i == 0)
			cr_assert(eq(long, delay_us, 160 * RV_MS_US));
		if (i == 100)
			cr_assert(about(delay_us, 240 * RV_MS_US));
	}
}

Test(restart, too_many_in_the_time_is_degraded_but_probes)
{
	struct rv_restart restart = {.times = times};
	int64_t delay_us = 0;

	for (int i = 0; i < 10; i++) {
		(void)!dies(&restart, RV_REASON_CRASHED, (1 + i) * S, 0, MIDDLE);
		cr_assert(not(restart.is_degraded), "after %d", i + 1);
	}
	delay_us = dies(&restart, RV_REASON_CRASHED, 11 * S, 0, MIDDLE);
	cr_assert(restart.is_degraded);
	cr_assert(about(delay_us, 30 * S));
	/* It goes on being probed at the cap… */
	cr_assert(about(dies(&restart, RV_REASON_CRASHED, 50 * S, 0, MIDDLE), 30 * S));
	/* …until it has lived. */
	rv_restart_stable(&restart);
	cr_assert(not(restart.is_degraded));
	cr_assert(eq(long, dies(&restart, RV_REASON_CRASHED, 60 * S, 0, MIDDLE), 0));
}

Test(restart, ten_in_five_minutes_are_no_burst_when_they_are_spread)
{
	struct rv_restart restart = {.times = times};

	for (int i = 0; i < 100; i++)
		(void)!dies(&restart, RV_REASON_CRASHED, (1 + 31 * (int64_t)i) * S, 0, MIDDLE);
	cr_assert(not(restart.is_degraded));
}

Test(restart, our_own_kills_and_the_operator_do_not_count)
{
	static const enum rv_reason own[] = {RV_REASON_BOOT, RV_REASON_HUNG, RV_REASON_AREA,
					     RV_REASON_STOPPED};
	struct rv_restart restart = {.times = times};

	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
		for (int n = 0; n < 50; n++)
			cr_assert(eq(long, dies(&restart, own[i], S, 0, MIDDLE), 0));
	}
	cr_assert(not(restart.is_degraded));
	cr_assert(eq(uint, restart.in_a_row, 0));
	cr_assert(eq(uint, restart.total, 150), "the operator's are no restarts");
}

Test(restart, failures_of_every_kind_count)
{
	static const enum rv_reason kinds[] = {RV_REASON_EXITED, RV_REASON_CRASHED,
					       RV_REASON_OOM,    RV_REASON_EXEC,
					       RV_REASON_NOPROC, RV_REASON_PROTOCOL};

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		struct rv_restart restart = {.times = times};

		cr_assert(eq(long, dies(&restart, kinds[i], S, 0, MIDDLE), 0));
		cr_assert(about(dies(&restart, kinds[i], S, 0, MIDDLE), 200 * RV_MS_US));
	}
}

Test(restart, exit_78_waits_for_a_reload)
{
	struct rv_restart restart = {.times = times};

	cr_assert(eq(long, dies(&restart, RV_REASON_CONFIG, S, 0, MIDDLE), RV_RESTART_NEVER));
	cr_assert(eq(long, dies(&restart, RV_REASON_CONFIG, S, 100 * S, MIDDLE), RV_RESTART_NEVER));
}

Test(restart, reasons_have_distinct_names)
{
	for (int a = 0; a < RV_REASONS; a++) {
		for (int b = 0; b < a; b++)
			cr_assert(ne(int,
				     strcmp(rv_reason_name((enum rv_reason)a),
					    rv_reason_name((enum rv_reason)b)),
				     0));
	}
}
