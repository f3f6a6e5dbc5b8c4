/* Histograms: where values fall, and that what comes out is near what was put in, whatever it was.
 */
#include "base/err.h"
#include "core/histogram.h"
#include "core/varint.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 88172645463325252ULL;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Any magnitude alike. */
static int64_t some_value(void)
{
	return (int64_t)(next_random() & RV_HISTOGRAM_LAST) >> next_random() % 42;
}

static int64_t off(int64_t a, int64_t b)
{
	return a > b ? a - b : b - a;
}

Test(histogram, buckets_follow_each_other_without_a_gap)
{
	int64_t last = -1;

	for (unsigned i = 0; i < RV_HISTOGRAM_BUCKETS; i++) {
		int64_t middle = rv_histogram_middle(i);

		cr_assert(lt(i64, last, middle));
		cr_assert(eq(uint, rv_histogram_bucket(middle), i));
		last = middle;
	}
	cr_assert(eq(uint, rv_histogram_bucket(-1), 0));
	cr_assert(eq(uint, rv_histogram_bucket(INT64_MIN), 0));
	cr_assert(eq(uint, rv_histogram_bucket(RV_HISTOGRAM_LAST), RV_HISTOGRAM_BUCKETS - 1));
	cr_assert(eq(uint, rv_histogram_bucket(INT64_MAX), RV_HISTOGRAM_BUCKETS - 1));
	for (int64_t value = 0; value < 32; value++)
		cr_assert(eq(i64, rv_histogram_middle(rv_histogram_bucket(value)), value));
}

Test(histogram, the_middle_is_off_by_a_32nd_at_most)
{
	for (int i = 0; i < 200000; i++) {
		int64_t value = some_value();
		int64_t middle = rv_histogram_middle(rv_histogram_bucket(value));

		cr_assert(le(i64, off(middle, value) * RV_HISTOGRAM_ERROR, value), "%lld",
			  (long long)value);
		cr_assert(le(uint, rv_histogram_bucket(value), rv_histogram_bucket(value + 1)));
	}
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Against the exact ones (nearest rank), for samples of any size and shape. */
Test(histogram, quantiles_are_the_exact_ones_but_for_the_error)
{
	static const int asked[] = {1, 10, 250, 500, 900, 950, 990, 999, 1000};
	static int64_t values[5000];

	for (int round = 0; round < 400; round++) {
		struct rv_histogram h = {0};
		size_t n = 1 + next_random() % (round % 10 == 0 ? 5000 : 50);
		int shift = (int)(next_random() % 42);

		for (size_t i = 0; i < n; i++) {
			values[i] = round % 2
					    ? some_value()
					    : (int64_t)(next_random() & RV_HISTOGRAM_LAST) >> shift;
			rv_histogram_add(&h, values[i]);
		}
		qsort(values, n, sizeof *values, by_value);
		cr_assert(eq(i64, rv_histogram_count(&h), (int64_t)n));
		for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
			size_t rank = (n * (size_t)asked[i] + 999) / 1000;
			int64_t exact = values[rank - 1];
			int64_t got = rv_histogram_quantile(&h, asked[i]);

			cr_assert(le(i64, off(got, exact) * RV_HISTOGRAM_ERROR, exact),
				  "%d of %zu: %lld, not %lld", asked[i], n, (long long)got,
				  (long long)exact);
		}
	}
}

Test(histogram, an_empty_one_has_no_quantile)
{
	struct rv_histogram h = {0};
	unsigned char data[8];

	cr_assert(eq(i64, rv_histogram_quantile(&h, 500), -1));
	cr_assert(eq(sz, rv_histogram_encode(&h, data), 0));
}

Test(histogram, what_is_encoded_comes_back_and_adds_up)
{
	static unsigned char data[RV_HISTOGRAM_SPACE];

	for (int round = 0; round < 200; round++) {
		struct rv_histogram h = {0};
		struct rv_histogram twice = {0};
		struct rv_histogram back = {0};

		for (uint64_t left = next_random() % 2000; left > 0; left--)
			rv_histogram_add(&h, some_value());
		if (round % 7 == 0)
			h.counts[next_random() % RV_HISTOGRAM_BUCKETS] += 1LL << 46;
		size_t size = rv_histogram_encode(&h, data);

		cr_assert(eq(int, rv_histogram_decode(data, size, &back), RV_OK));
		cr_assert(eq(int, memcmp(&h, &back, sizeof h), 0));
		cr_assert(eq(int, rv_histogram_decode(data, size, &back), RV_OK));
		rv_histogram_merge(&twice, &h);
		rv_histogram_merge(&twice, &h);
		cr_assert(eq(int, memcmp(&twice, &back, sizeof h), 0));
	}
}

Test(histogram, the_fullest_one_fits)
{
	static unsigned char data[RV_HISTOGRAM_SPACE];
	struct rv_histogram h;
	struct rv_histogram back = {0};

	for (unsigned i = 0; i < RV_HISTOGRAM_BUCKETS; i++)
		h.counts[i] = 1LL << 47;
	size_t size = rv_histogram_encode(&h, data);

	cr_assert(eq(int, rv_histogram_decode(data, size, &back), RV_OK));
	cr_assert(eq(int, memcmp(&h, &back, sizeof h), 0));
	cr_assert(eq(i64, rv_histogram_quantile(&h, 500),
		     rv_histogram_middle(RV_HISTOGRAM_BUCKETS / 2 - 1)));
}

/* Whatever stands in a damaged store: an error, or a histogram that can be used. */
Test(histogram, garbage_is_refused_or_harmless)
{
	unsigned char data[64];
	int refused = 0;

	for (int round = 0; round < 20000; round++) {
		struct rv_histogram h = {0};
		size_t size = 1 + next_random() % sizeof data;

		for (size_t i = 0; i < size; i++)
			data[i] = (unsigned char)next_random();
		if (rv_histogram_decode(data, size, &h) != RV_OK)
			refused++;
		cr_assert(le(i64, 0, rv_histogram_count(&h)));
	}
	cr_assert(lt(int, 0, refused));
}

Test(varint, numbers_come_back_and_ends_are_kept)
{
	static const uint64_t edges[] = {0, 1, 127, 128, 16383, 16384, INT64_MAX, UINT64_MAX};
	unsigned char data[RV_VARINT_MAX + 1];

	for (int round = 0; round < 20000; round++) {
		uint64_t value = round < 8 ? edges[round] : next_random() >> next_random() % 64;
		size_t size = rv_varint_put(data, value);
		const unsigned char *at = data;
		uint64_t back = 0;
		int64_t number = 0;

		cr_assert(eq(int, rv_varint_get(&at, data + size, &back), RV_OK));
		cr_assert(eq(u64, back, value));
		cr_assert(eq(ptr, (void *)(uintptr_t)at, data + size));
		at = data;
		cr_assert(eq(int, rv_varint_get(&at, data + size - 1, &back), RV_E_CORRUPT));
		cr_assert(eq(ptr, (void *)(uintptr_t)at, data), "it stays where it was");
		cr_assert(eq(int, rv_varint_int(&at, data + size, &number) == RV_OK,
			     value <= INT64_MAX));
	}
	memset(data, 0xff, sizeof data);
	const unsigned char *at = data;
	uint64_t back = 0;

	cr_assert(eq(int, rv_varint_get(&at, data + sizeof data, &back), RV_E_CORRUPT));
}
