#ifndef RV_CORE_RETRY_H
#define RV_CORE_RETRY_H

/* The rules of retries: pure, no clock, no storage.  Workers (delay) and the store (verdict). */

#include "base/spec.h"

/*
 * The delay before the attempt after the ${attempt}-th (1-based).  LINEAR: min × attempt,
 * EXPONENTIAL: min × 2^(attempt-1), both at most max; then ± jitter by ${random} (any 64 bits; 0 …
 * 2^64-1 spreads evenly).  Never negative, never above max × (1 + jitter).
 */
int64_t rv_retry_delay(const struct rv_backoff *backoff, int attempt, uint64_t random);

enum rv_verdict { RV_VERDICT_AGAIN, RV_VERDICT_DEAD };
/* Attempts burned so far (this one included) against max + granted; crashes against max_crashes. */
enum rv_verdict rv_retry_after_failure(int attempts, int max_attempts, int granted);
enum rv_verdict rv_retry_after_crash(int crashes, int max_crashes);

#endif
