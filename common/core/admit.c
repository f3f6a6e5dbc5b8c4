/*
 * How a new job is admitted: parents, unique keys, and their words.  Store backends and the CLI.
 * Reads no store and no clock.
 */
#include "core/admit.h"

#include "base/check.h"
#include "base/fmt.h"

#include <string.h>

static const char *const afters[] = {
	[RV_AFTER_SUCCESS] = "success",
	[RV_AFTER_FAILURE] = "failure",
	[RV_AFTER_ANY] = "any",
};

static const char *const on_helds[] = {
	[RV_ON_HELD_REJECT] = "reject",
	[RV_ON_HELD_SKIP] = "skip",
	[RV_ON_HELD_REPLACE] = "replace",
	[RV_ON_HELD_RESCHEDULE] = "reschedule",
};

static const char *const on_fulls[] = {
	[RV_ON_FULL_REJECT] = "reject",
	[RV_ON_FULL_DROP_OLDEST] = "drop-oldest",
	[RV_ON_FULL_BLOCK] = "block",
};

enum rv_admit rv_admit_after(enum rv_after on, enum rv_job_state parent)
{
	PRE(rv_admit_after_sane(on));
	if (!rv_job_state_final(parent))
		return RV_ADMIT_WAITS;
	if (on == RV_AFTER_ANY)
		return RV_ADMIT_MET;
	if (parent == RV_JOB_CANCELLED)
		return RV_ADMIT_NEVER;
#ifdef RV_MUTANT_AFTER_FAILURE_OF_SUCCESS
	if (parent == RV_JOB_SUCCEEDED)
		return RV_ADMIT_MET;
#endif
	if (parent == RV_JOB_SUCCEEDED)
		return on == RV_AFTER_SUCCESS ? RV_ADMIT_MET : RV_ADMIT_NEVER;
	return on == RV_AFTER_FAILURE ? RV_ADMIT_MET : RV_ADMIT_WAITS;
}

bool rv_admit_after_sane(int64_t on)
{
	return on >= 0 && on < (int64_t)RV_ARRAY_LEN(afters);
}

int64_t rv_admit_held_until(int64_t until_us, int64_t now_us)
{
	int64_t sum;

	if (until_us <= 0)
		return 0;
	return __builtin_add_overflow(now_us, until_us, &sum) ? INT64_MAX : sum;
}

bool rv_admit_on_full_sane(int64_t on_full)
{
	return on_full >= 0 && on_full < (int64_t)RV_ARRAY_LEN(on_fulls);
}

const char *rv_admit_on_full_name(int on_full)
{
	return rv_admit_on_full_sane(on_full) ? on_fulls[on_full] : "unknown";
}

const char *rv_admit_after_name(enum rv_after on)
{
	PRE(rv_admit_after_sane(on));
	return afters[on];
}

const char *rv_admit_on_held_name(enum rv_on_held on_held)
{
	PRE((unsigned)on_held < RV_ARRAY_LEN(on_helds));
	return on_helds[on_held];
}

static int find(const char *word, const char *const *words, size_t count, size_t *ret_index)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(words[i], word) == 0) {
			*ret_index = i;
			return RV_OK;
		}
	}
	return RV_E_USAGE;
}

int rv_admit_after_parse(const char *word, enum rv_after *ret_on)
{
	size_t i;
	int err = find(word, afters, RV_ARRAY_LEN(afters), &i);

	if (err == RV_OK)
		*ret_on = (enum rv_after)i;
	return err;
}

int rv_admit_on_held_parse(const char *word, enum rv_on_held *ret_on_held)
{
	size_t i;
	int err = find(word, on_helds, RV_ARRAY_LEN(on_helds), &i);

	if (err == RV_OK)
		*ret_on_held = (enum rv_on_held)i;
	return err;
}

int rv_admit_until_parse(const char *word, int64_t *ret_until_us)
{
	int64_t us = 0;

	if (strcmp(word, "finished") == 0)
		us = RV_UNTIL_FINISHED;
	else if (strcmp(word, "started") == 0)
		us = RV_UNTIL_STARTED;
	else if (rv_parse_duration(word, &us) != RV_OK || us <= 0)
		return RV_E_USAGE;
	*ret_until_us = us;
	return RV_OK;
}
