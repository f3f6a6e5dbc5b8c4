/*
 * The rules of retries: how long to wait, and when to stop.  Workers ask for the delay, the store
 * for the verdict.  Pure: the randomness comes with the question, so the same question has the same
 * answer; multiplications that could overflow are clamped before they are made.
 */
#include "core/retry.h"

#include "base/check.h"

__extension__ typedef unsigned __int128 u128; /* 64 random bits × a span, without losing any */

static int64_t times_capped(int64_t min_us, int64_t factor, int64_t max_us)
{
	int64_t product;

	if (__builtin_mul_overflow(min_us, factor, &product) || product > max_us)
		return max_us;
	return product;
}

static int64_t base_delay(const struct rv_backoff *backoff, int attempt)
{
	switch (backoff->kind) {
	case RV_BACKOFF_NONE:
		return 0;
	case RV_BACKOFF_FIXED:
		return backoff->min_us;
	case RV_BACKOFF_LINEAR:
		return times_capped(backoff->min_us, attempt, backoff->max_us);
	case RV_BACKOFF_EXPONENTIAL:
		if (attempt - 1 >= 62)
			return backoff->min_us == 0 ? 0 : backoff->max_us;
		return times_capped(backoff->min_us, (int64_t)1 << (attempt - 1), backoff->max_us);
	default:
		IMPOSSIBLE("a backoff that is none");
	}
}

int64_t rv_retry_delay(const struct rv_backoff *backoff, int attempt, uint64_t random)
{
	int64_t delay;
	int64_t spread;

	PRE(attempt >= 1);
	PRE(backoff->min_us >= 0 && backoff->max_us >= backoff->min_us);
	PRE(backoff->max_us <= INT64_MAX / 4);
	PRE(backoff->jitter_percent >= 0 && backoff->jitter_percent <= 100);
	delay = base_delay(backoff, attempt);
	spread =
		delay / 100 * backoff->jitter_percent + delay % 100 * backoff->jitter_percent / 100;
	delay += (int64_t)(((u128)random * ((u128)spread * 2 + 1)) >> 64) - spread;
	POST(delay >= 0);
	return delay;
}

enum rv_verdict rv_retry_after_failure(int attempts, int max_attempts, int granted)
{
	PRE(attempts >= 0 && max_attempts >= 1 && granted >= 0);
	return (int64_t)attempts < (int64_t)max_attempts + granted ? RV_VERDICT_AGAIN
								   : RV_VERDICT_DEAD;
}

enum rv_verdict rv_retry_after_crash(int crashes, int max_crashes)
{
	PRE(crashes >= 0 && max_crashes >= 0);
	return crashes > max_crashes ? RV_VERDICT_DEAD : RV_VERDICT_AGAIN;
}
