/* The pace of many changes: exact steps, and how it settles on machines that cost what they cost.
 */
#include "core/pace.h"

#include "base/check.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define MOST 128
#define HOLD RV_PACE_HOLD_US

static const struct {
	uint32_t count;
	int64_t took_us;
	uint32_t most, want;
} steps[] = {
	{16, HOLD, MOST, 16},        /* just right */
	{16, HOLD / 2, MOST, 32},    /* twice as many in twice the time */
	{16, 1, MOST, 32},           /* but never more than twice as many at once */
	{16, 0, MOST, 32},           /* a clock that stood still */
	{16, -5, MOST, 32},          /* or went back */
	{100, HOLD / 2, MOST, MOST}, /* as many as there may be */
	{100, 100, 10, 10},          /* by a rate as well */
	{100, 2 * HOLD, MOST, 50},   /* too long: at once as few as it needs */
	{100, 10 * HOLD, MOST, 10},  /* */
	{100, 900000000, MOST, 1},   /* never none */
	{1, 900000000, MOST, 1},     /* */
	{1, INT64_MAX, 1, 1},        /* */
	{1, 1, MOST, 2},             /* and from one it grows again */
	{UINT32_MAX, 1, UINT32_MAX, UINT32_MAX},
	{UINT32_MAX, 2 * HOLD, UINT32_MAX, UINT32_MAX / 2},
};

Test(pace, each_step)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(steps); i++)
		cr_assert(eq(u32, rv_pace_next(steps[i].count, steps[i].took_us, steps[i].most),
			     steps[i].want),
			  "row %zu", i);
}

/* A transaction costs ${fixed_us} and each change ${each_us}. */
static const struct {
	int64_t fixed_us, each_us;
} machines[] = {{0, 1}, {100, 10}, {100, 20}, {300, 60}, {50, 200}, {500, 1500}, {0, 4999}};

/* From the first transaction on: none is longer than is promised, unless one change alone is. */
Test(pace, no_machine_is_held_for_long)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(machines); i++) {
		uint32_t count = RV_PACE_FIRST;
		int64_t took = 0;

		for (int round = 0; round < 100; round++) {
			took = machines[i].fixed_us + machines[i].each_us * count;
			cr_assert(round == 0 || count == 1 || took <= 5000,
				  "machine %zu, round %d: %u changes, %lld us", i, round, count,
				  (long long)took);
			count = rv_pace_next(count, took, MOST);
		}
		/* It does not creep along either. */
		cr_assert(count == MOST || count == 1 || took >= RV_PACE_HOLD_US / 2,
			  "machine %zu: %u changes, %lld us", i, count, (long long)took);
	}
}

/* One slow moment of the disk, and the pace is back after a few transactions. */
Test(pace, a_slow_moment_passes)
{
	uint32_t count = rv_pace_next(100, 50 * HOLD, MOST);
	int rounds = 0;

	cr_assert(eq(u32, count, 2));
	while (count < 100) {
		count = rv_pace_next(count, HOLD / 100 * (int64_t)count, MOST);
		cr_assert(lt(int, rounds++, 10));
	}
}

Test(pace, the_lock_is_left_to_others)
{
	cr_assert(eq(i64, rv_pace_pause_us(2000), 4000));
	cr_assert(eq(i64, rv_pace_pause_us(0), 1000));
	cr_assert(eq(i64, rv_pace_pause_us(-1), 1000));
	cr_assert(eq(i64, rv_pace_pause_us(INT64_MAX), 10000));
	for (int64_t took = 0; took < 20000; took++) {
		int64_t pause = rv_pace_pause_us(took);

		cr_assert(pause >= 1000 && pause <= 10000);
		cr_assert(pause >= took || pause == 10000);
	}
}
