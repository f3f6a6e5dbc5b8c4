/* A job's place: it keeps first-in-first-out, and priority comes before it. */
#include "base/err.h"
#include "core/order.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define LAST ((1LL << 47) - 1)

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 16;
}

Test(order, fifo_is_the_sequence)
{
	cr_assert(eq(i64, rv_order(RV_STRATEGY_FIFO, 0, 0), 0));
	cr_assert(eq(i64, rv_order(RV_STRATEGY_FIFO, RV_PRIORITY_MAX, 7), 7));
	cr_assert(eq(i64, rv_order(RV_STRATEGY_FIFO, 3, LAST), LAST));
}

Test(order, the_corners_of_priority_fit)
{
	cr_assert(eq(i64, rv_order(RV_STRATEGY_PRIORITY, 0, 0), 0));
	cr_assert(eq(i64, rv_order(RV_STRATEGY_PRIORITY, 0, LAST), LAST));
	cr_assert(eq(i64, rv_order(RV_STRATEGY_PRIORITY, 1, 0), LAST + 1));
	cr_assert(eq(i64, rv_order(RV_STRATEGY_PRIORITY, RV_PRIORITY_MAX, LAST), INT64_MAX));
}

/* Comparing places is comparing (priority, sequence), for 100,000 random pairs. */
Test(order, places_compare_as_priority_then_sequence)
{
	uint64_t state = 1;

	for (int i = 0; i < 100000; i++) {
		int pa = (int)(next_random(&state) % (RV_PRIORITY_MAX + 1));
		int pb = next_random(&state) % 2 ? pa : (int)(next_random(&state) % 65536);
		int64_t sa = (int64_t)(next_random(&state) % (1ULL << 47));
		int64_t sb = (int64_t)(next_random(&state) % (1ULL << 47));
		int want = pa != pb ? (pa < pb ? -1 : 1) : (sa < sb ? -1 : sa > sb);
		int64_t a = rv_order(RV_STRATEGY_PRIORITY, pa, sa);
		int64_t b = rv_order(RV_STRATEGY_PRIORITY, pb, sb);

		cr_assert(eq(int, a<b ? -1 : a> b, want));
		cr_assert(ge(i64, a, 0));
	}
}

Test(order, strategies_are_read_back)
{
	enum rv_strategy read = RV_STRATEGY_FIFO;

	cr_assert(eq(int, rv_strategy_parse("priority", &read), RV_OK));
	cr_assert(eq(int, (int)read, RV_STRATEGY_PRIORITY));
	cr_assert(eq(int, rv_strategy_parse("weighted", &read), RV_E_NOTFOUND));
	cr_assert(eq(int, (int)read, RV_STRATEGY_PRIORITY));
	cr_assert(eq(int, rv_strategy_parse(rv_strategy_name(RV_STRATEGY_FIFO), &read), RV_OK));
	cr_assert(eq(int, (int)read, RV_STRATEGY_FIFO));
}
