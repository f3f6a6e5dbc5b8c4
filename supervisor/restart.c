/*
 * When a dead child is started again.  Runs in the supervisor and in unit tests; pure: it reads no
 * clock, starts nothing and allocates nothing.
 */
#include "supervisor/restart.h"

#include "base/check.h"

enum counts { NO, YES, HOLD };

static const struct {
	const char *name;
	const char *text;
	enum counts counts;
} reasons[] = {
#define REASON(sym, name, counts, text) [RV_REASON_##sym] = {name, text, counts},
#include "supervisor/reasons.def"
#undef REASON
};

const char *rv_reason_name(enum rv_reason reason)
{
	PRE(reason < RV_REASONS);
	return reasons[reason].name;
}

const char *rv_reason_text(enum rv_reason reason)
{
	PRE(reason < RV_REASONS);
	return reasons[reason].text;
}

bool rv_reason_counts(enum rv_reason reason)
{
	PRE(reason < RV_REASONS);
	return reasons[reason].counts == YES;
}

void rv_restart_stable(struct rv_restart *restart)
{
	restart->in_a_row = 0;
	restart->is_degraded = false;
	restart->filled = 0;
	restart->next = 0;
}

/* Keeps the time of a counted death; is it the one that is too many? */
static bool is_burst(struct rv_restart *restart, const struct rv_restart_policy *policy,
		     int64_t now_us)
{
	unsigned count = (unsigned)policy->burst;
	unsigned first;

	PRE(policy->burst >= 1 && policy->burst <= RV_RESTART_BURST_MAX);
	/* The death that lies `count` deaths back: with this one, count + 1 in the time between. */
	first = (restart->next + RV_RESTART_BURST_MAX - count) % RV_RESTART_BURST_MAX;
	bool many = restart->filled >= count && now_us - restart->times[first] < policy->burst_us;

	restart->times[restart->next] = now_us;
	restart->next = (restart->next + 1) % RV_RESTART_BURST_MAX;
	if (restart->filled < RV_RESTART_BURST_MAX)
		restart->filled++;
	return many;
}

/* ±20 %, so that slots that died together do not come back together. */
static int64_t jittered(int64_t delay_us, uint32_t chance)
{
	int64_t fifth = delay_us / 5;

	return delay_us - fifth + (int64_t)(2.0 * (double)fifth * ((double)chance / 4294967295.0));
}

static int64_t backoff(const struct rv_restart_policy *policy, unsigned in_a_row)
{
	int64_t delay_us = policy->delay_us;

	for (unsigned i = 2; i < in_a_row && delay_us < policy->delay_max_us; i++)
		delay_us *= 2;
	return delay_us < policy->delay_max_us ? delay_us : policy->delay_max_us;
}

int64_t rv_restart_after(struct rv_restart *restart, const struct rv_restart_policy *policy,
			 const struct rv_restart_death *death)
{
	PRE(death->reason < RV_REASONS && restart->times);
	if (death->lived_us >= policy->stable_us)
		rv_restart_stable(restart);
	if (reasons[death->reason].counts == HOLD)
		return RV_RESTART_NEVER;
	if (death->reason == RV_REASON_STOPPED)
		return 0;
	restart->total++;
	if (reasons[death->reason].counts == NO)
		return 0;
	restart->in_a_row++;
	if (is_burst(restart, policy, death->now_us))
		restart->is_degraded = true;
	if (restart->is_degraded)
		return jittered(policy->delay_max_us, death->chance);
	if (restart->in_a_row == 1)
		return 0;
	int64_t delay_us = jittered(backoff(policy, restart->in_a_row), death->chance);

	POST(delay_us >= 0);
	return delay_us;
}
