/* The rules of retries: exact delays without jitter, bounds with it, and the verdicts. */
#include "base/seam.h"
#include "core/retry.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define WEEKS(n) ((n)*7 * 86400 * RV_S_US)

static const struct {
	struct rv_backoff backoff;
	int attempt;
	int64_t want_us;
} exact[] = {
	{{RV_BACKOFF_NONE, 0, 0, 0}, 1, 0},
	{{RV_BACKOFF_NONE, 5, 9, 50}, 3, 0},
	{{RV_BACKOFF_FIXED, 5 * RV_S_US, 5 * RV_S_US, 0}, 1, 5 * RV_S_US},
	{{RV_BACKOFF_FIXED, 5 * RV_S_US, 5 * RV_S_US, 0}, 1000000, 5 * RV_S_US},
	{{RV_BACKOFF_LINEAR, 2 * RV_S_US, 7 * RV_S_US, 0}, 1, 2 * RV_S_US},
	{{RV_BACKOFF_LINEAR, 2 * RV_S_US, 7 * RV_S_US, 0}, 3, 6 * RV_S_US},
	{{RV_BACKOFF_LINEAR, 2 * RV_S_US, 7 * RV_S_US, 0}, 4, 7 * RV_S_US},
	{{RV_BACKOFF_LINEAR, WEEKS(52), WEEKS(52), 0}, INT32_MAX, WEEKS(52)},
	{{RV_BACKOFF_EXPONENTIAL, RV_S_US, 600 * RV_S_US, 0}, 1, RV_S_US},
	{{RV_BACKOFF_EXPONENTIAL, RV_S_US, 600 * RV_S_US, 0}, 2, 2 * RV_S_US},
	{{RV_BACKOFF_EXPONENTIAL, RV_S_US, 600 * RV_S_US, 0}, 10, 512 * RV_S_US},
	{{RV_BACKOFF_EXPONENTIAL, RV_S_US, 600 * RV_S_US, 0}, 11, 600 * RV_S_US},
	{{RV_BACKOFF_EXPONENTIAL, RV_S_US, 600 * RV_S_US, 0}, 63, 600 * RV_S_US},
	{{RV_BACKOFF_EXPONENTIAL, RV_S_US, 600 * RV_S_US, 0}, 64, 600 * RV_S_US},
	{{RV_BACKOFF_EXPONENTIAL, RV_S_US, 600 * RV_S_US, 0}, 65, 600 * RV_S_US},
	{{RV_BACKOFF_EXPONENTIAL, 1, WEEKS(52), 0}, INT32_MAX, WEEKS(52)},
	{{RV_BACKOFF_EXPONENTIAL, 0, 0, 0}, 70, 0},
};

Test(retry, delays_without_jitter_are_exact)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(exact); i++) {
		cr_assert(eq(i64, rv_retry_delay(&exact[i].backoff, exact[i].attempt, 0),
			     exact[i].want_us),
			  "row %zu", i);
		cr_assert(eq(i64, rv_retry_delay(&exact[i].backoff, exact[i].attempt, UINT64_MAX),
			     exact[i].want_us),
			  "row %zu", i);
	}
}

Test(retry, jitter_reaches_both_ends_and_the_middle)
{
	struct rv_backoff backoff = {RV_BACKOFF_FIXED, 1000, 1000, 20};

	cr_assert(eq(i64, rv_retry_delay(&backoff, 1, 0), 800));
	cr_assert(eq(i64, rv_retry_delay(&backoff, 1, UINT64_MAX), 1200));
	cr_assert(eq(i64, rv_retry_delay(&backoff, 1, UINT64_MAX / 2 + 1), 1000));
	backoff.jitter_percent = 100;
	cr_assert(eq(i64, rv_retry_delay(&backoff, 1, 0), 0));
	cr_assert(eq(i64, rv_retry_delay(&backoff, 1, UINT64_MAX), 2000));
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* For random backoffs: bounds hold, more random bits never give less, a later attempt never waits
 * less. */
Test(retry, properties_of_random_backoffs)
{
	uint64_t state = 88172645463325252ULL;

	for (int i = 0; i < 100000; i++) {
		struct rv_backoff b = {.kind = (enum rv_backoff_kind)(next_random(&state) % 4)};
		int attempt = 1 + (int)(next_random(&state) % 100);
		uint64_t random = next_random(&state);

		b.min_us = (int64_t)(next_random(&state) % (uint64_t)WEEKS(10));
		b.max_us =
			b.kind == RV_BACKOFF_FIXED
				? b.min_us
				: b.min_us + (int64_t)(next_random(&state) % (uint64_t)WEEKS(40));
		b.jitter_percent = (int)(next_random(&state) % 101);
		int64_t delay = rv_retry_delay(&b, attempt, random);
		int64_t least = rv_retry_delay(&b, attempt, 0);
		int64_t most = rv_retry_delay(&b, attempt, UINT64_MAX);

		cr_assert(ge(i64, delay, 0));
		cr_assert(ge(i64, delay, least));
		cr_assert(le(i64, delay, most));
		cr_assert(le(i64, most, b.max_us + b.max_us / 100 * b.jitter_percent + 100));
		b.jitter_percent = 0;
		cr_assert(le(i64, rv_retry_delay(&b, attempt, random),
			     rv_retry_delay(&b, attempt + 1, random)));
	}
}

Test(retry, jitter_spreads_evenly)
{
	struct rv_backoff backoff = {RV_BACKOFF_FIXED, 1000000, 1000000, 50};
	uint64_t state = 88172645463325252ULL;
	int buckets[10] = {0};

	for (int i = 0; i < 100000; i++) {
		int64_t delay = rv_retry_delay(&backoff, 1, next_random(&state));
		int64_t bucket = (delay - 500000) / 100001;

		cr_assert(ge(i64, bucket, 0));
		cr_assert(lt(i64, bucket, 10));
		buckets[bucket]++;
	}
	for (int i = 0; i < 10; i++) { /* 10,000 ± 5 sigma of sqrt(9000) */
		cr_assert(ge(int, buckets[i], 9525), "bucket %d", i);
		cr_assert(le(int, buckets[i], 10475), "bucket %d", i);
	}
}

Test(retry, attempts_against_the_limit_and_what_a_person_granted)
{
	cr_assert(eq(int, (int)rv_retry_after_failure(1, 1, 0), RV_VERDICT_DEAD));
	cr_assert(eq(int, (int)rv_retry_after_failure(1, 2, 0), RV_VERDICT_AGAIN));
	cr_assert(eq(int, (int)rv_retry_after_failure(2, 2, 0), RV_VERDICT_DEAD));
	cr_assert(eq(int, (int)rv_retry_after_failure(2, 2, 1), RV_VERDICT_AGAIN));
	cr_assert(eq(int, (int)rv_retry_after_failure(3, 2, 1), RV_VERDICT_DEAD));
	cr_assert(eq(int, (int)rv_retry_after_failure(INT32_MAX, INT32_MAX, INT32_MAX),
		     RV_VERDICT_AGAIN));
}

Test(retry, one_crash_more_than_the_limit_is_the_end)
{
	cr_assert(eq(int, (int)rv_retry_after_crash(1, 0), RV_VERDICT_DEAD));
	cr_assert(eq(int, (int)rv_retry_after_crash(0, 0), RV_VERDICT_AGAIN));
	cr_assert(eq(int, (int)rv_retry_after_crash(3, 3), RV_VERDICT_AGAIN));
	cr_assert(eq(int, (int)rv_retry_after_crash(4, 3), RV_VERDICT_DEAD));
}
