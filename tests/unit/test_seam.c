/* The seam: the real clocks run, and a test's own are used once they are installed. */
#include "base/seam.h"
#include "helpers/assert.h"

static int64_t fake_mono(void *ctx)
{
	return *(int64_t *)ctx;
}

static int64_t fake_wall(void *ctx)
{
	return *(int64_t *)ctx * 2;
}

static void fake_random(void *ctx, void *buffer, size_t size)
{
	(void)ctx;
	memset(buffer, 0x11, size);
}

Test(seam, the_real_clocks_run)
{
	int64_t before = rv_mono_us();

	cr_assert(le(i64, before, rv_mono_us()));
	cr_assert(lt(i64, 1700000000 * RV_S_US, rv_wall_us()));
}

Test(seam, randomness_differs)
{
	cr_assert(ne(u64, rv_random_u64(), rv_random_u64()));
}

Test(seam, below_a_bound_every_value_comes)
{
	unsigned seen = 0;

	for (int i = 0; i < 10000; i++) {
		uint64_t value = rv_random_below(5);

		cr_assert(lt(u64, value, 5));
		seen |= 1U << value;
	}
	cr_assert(eq(uint, seen, 0x1f));
	cr_assert(eq(u64, rv_random_below(1), 0));
}

Test(seam, what_is_installed_is_used_and_can_be_taken_back)
{
	int64_t now = 42;
	const struct rv_seam fake = {
		.mono_us = fake_mono, .wall_us = fake_wall, .random = fake_random, .ctx = &now};

	rv_seam_install(&fake);
	cr_assert(eq(i64, rv_mono_us(), 42));
	cr_assert(eq(i64, rv_wall_us(), 84));
	cr_assert(eq(u64, rv_random_u64(), 0x1111111111111111ULL));
	rv_seam_install(NULL);
	cr_assert(lt(i64, 84, rv_wall_us()));
}

/* A program without os/ links; it cannot start processes. */
Test(seam, without_os_there_is_no_spawn)
{
	cr_assert(eq(int, rv_seam()->spawn == NULL, 1));
	cr_assert(eq(int, rv_seam()->signal == NULL, 1));
}
