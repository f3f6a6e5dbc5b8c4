/*
 * When a batch has failed.  Pure; both backends ask here, so that they agree.
 */
#include "core/tolerance.h"

#include "base/check.h"
#include "base/fmt.h"

#include <stdio.h>
#include <string.h>

int rv_tolerance_parse(const char *text, struct rv_tolerance *ret_tolerance)
{
	size_t length = strlen(text);
	bool share = length > 0 && text[length - 1] == '%';
	char digits[24];
	int64_t n;
	int err;

	if (share)
		length--;
	if (length >= sizeof digits)
		return RV_E_USAGE;
	memcpy(digits, text, length);
	digits[length] = '\0';
	err = rv_parse_int(digits, 0, share ? 100 : INT64_MAX, &n);
	if (err != RV_OK)
		return RV_E_USAGE;
	*ret_tolerance = (struct rv_tolerance){
		.kind = share ? RV_TOLERATES_PERCENT : RV_TOLERATES_COUNT, .n = n};
	return RV_OK;
}

bool rv_tolerance_sane(const struct rv_tolerance *tolerance)
{
	switch (tolerance->kind) {
	case RV_TOLERATES_ALL:
		return true;
	case RV_TOLERATES_COUNT:
		return tolerance->n >= 0;
	case RV_TOLERATES_PERCENT:
		return tolerance->n >= 0 && tolerance->n <= 100;
	default:
		return false;
	}
}

/* Without a product that overflows: the hundreds, and what is beside them. */
static int64_t share_of(int64_t percent, int64_t total)
{
	int64_t share = total / 100 * percent + total % 100 * percent / 100;

	POST(share >= 0 && share <= total);
	return share;
}

int64_t rv_tolerance_allowed(const struct rv_tolerance *tolerance, int64_t total, bool closed)
{
	PRE(rv_tolerance_sane(tolerance) && total >= 0);
	if (tolerance->kind == RV_TOLERATES_COUNT)
		return tolerance->n;
	if (tolerance->kind == RV_TOLERATES_PERCENT && closed)
		return share_of(tolerance->n, total);
	return RV_TOLERANCE_OPEN;
}

bool rv_tolerance_exceeded(int64_t allowed, int64_t dead)
{
#ifdef RV_MUTANT_BATCH_TOLERATES_ONE_MORE
	dead--;
#endif
	return allowed != RV_TOLERANCE_OPEN && dead > allowed;
}

int64_t rv_tolerance_closed(int64_t allowed, int64_t percent, int64_t total)
{
	const struct rv_tolerance share = {.kind = RV_TOLERATES_PERCENT, .n = percent};

	/* What a damaged store says is no share: nothing fails by it. */
	if (percent < 0 || !rv_tolerance_sane(&share) || total < 0)
		return allowed;
	return rv_tolerance_allowed(&share, total, true);
}

void rv_tolerance_says(char out[RV_TOLERANCE_SAYS_MAX], int64_t dead, int64_t total,
		       int64_t allowed)
{
	(void)snprintf(out, RV_TOLERANCE_SAYS_MAX,
		       "its batch failed: %lld of %lld dead, %lld allowed", (long long)dead,
		       (long long)total, (long long)allowed);
}

int rv_tolerance_refuse(struct rv_why *why, int64_t batch, int64_t dead, int64_t total,
			int64_t allowed)
{
	return rv_fail(why, RV_E_CONFLICT, "batch %lld has failed: %lld of %lld dead, %lld allowed",
		       (long long)batch, (long long)dead, (long long)total, (long long)allowed);
}
