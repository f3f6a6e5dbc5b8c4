/*
 * What a schedule does now.  The keeper asks.  The same question has the same answer whoever asks
 * it, so that two keepers want the same slot and the store gives it to one.
 */
#include "core/schedule.h"

#include "base/check.h"

#include <string.h>

#define WALK_MAX RV_LIMIT(100000, 3000) /* slots looked at in one plan: some 20 ms */

static const char *const overlaps[] = {
	[RV_OVERLAP_ALLOW] = "allow",
	[RV_OVERLAP_SKIP] = "skip",
	[RV_OVERLAP_QUEUE] = "queue",
	[RV_OVERLAP_REPLACE] = "replace",
};

const char *rv_overlap_name(int overlap)
{
	return overlap >= 0 && overlap < (int)RV_ARRAY_LEN(overlaps) ? overlaps[overlap] : "?";
}

int rv_overlap_parse(const char *word, enum rv_overlap *ret_overlap)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(overlaps); i++) {
		if (strcmp(word, overlaps[i]) != 0)
			continue;
		*ret_overlap = (enum rv_overlap)i;
		return RV_OK;
	}
	return RV_E_USAGE;
}

int64_t rv_schedule_due(const struct rv_schedule_rule *rule, int64_t slot_us)
{
	uint64_t hash = 0xcbf29ce484222325ULL; /* FNV-1a */

	PRE(rule->jitter_us >= 0);
	if (rule->jitter_us == 0)
		return slot_us;
	for (const char *c = rule->name; *c != '\0'; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3ULL;
	for (int i = 0; i < 64; i += 8)
		hash = (hash ^ ((uint64_t)slot_us >> i & 0xff)) * 0x100000001b3ULL;
	hash ^= hash >> 32; /* its low bits depend on few of the input */
	return slot_us + (int64_t)(hash % ((uint64_t)rule->jitter_us + 1));
}

/* The slot after ${slot_us}, 0 none. */
static int64_t after(const struct rv_schedule_rule *rule, int64_t slot_us)
{
	int64_t next_us;

	return rv_cron_next(&rule->cron, rule->zone, slot_us, &next_us) == RV_OK ? next_us : 0;
}

static void set_next(const struct rv_schedule_rule *rule, int64_t next_us,
		     struct rv_schedule_plan *plan)
{
	plan->next_us = next_us;
	plan->due_us = next_us ? rv_schedule_due(rule, next_us) : 0;
}

void rv_schedule_begin(const struct rv_schedule_rule *rule, int64_t since_us,
		       struct rv_schedule_plan *ret_plan)
{
	*ret_plan = (struct rv_schedule_plan){0};
	set_next(rule, after(rule, since_us), ret_plan);
}

/*
 * How many slots from ${from_us} on are due, but no more than WALK_MAX; ${*ret_more}: there are.  A
 * slot that jitter makes due before the one in front of it waits for that.
 */
static int64_t count_due(const struct rv_schedule_rule *rule, int64_t from_us, int64_t now_us,
			 bool *ret_more)
{
	int64_t n = 0;
	int64_t slot = from_us;

	while (slot && n < WALK_MAX && rv_schedule_due(rule, slot) <= now_us) {
		n++;
		slot = after(rule, slot);
	}
	*ret_more = n == WALK_MAX && slot && rv_schedule_due(rule, slot) <= now_us;
	return n;
}

/* Whether the slot is one of those that this schedule makes up for; ${left}: due ones, with it. */
static bool is_wanted(const struct rv_schedule_rule *rule, int64_t slot, int64_t left,
		      int64_t now_us)
{
	bool newest = left == 1;

	if (newest && now_us - rv_schedule_due(rule, slot) <= RV_SCHEDULE_FRESH_US)
		return true;
	if (rule->catch_up == RV_CATCH_UP_NONE || left > RV_SCHEDULE_CATCH_UP)
		return false;
	if (rule->catch_up == RV_CATCH_UP_LAST)
		return newest;
	return rule->catch_up == RV_CATCH_UP_ALL || slot >= now_us - rule->catch_up;
}

/* Of very many, those that are surely too old are let go first; the rest is for the next plan. */
void rv_schedule_plan(const struct rv_schedule_rule *rule, int64_t next_us, int64_t now_us,
		      struct rv_schedule_plan *ret_plan)
{
	int64_t slot = next_us;
	bool more;
	int64_t due;

	PRE(next_us > 0);
	*ret_plan = (struct rv_schedule_plan){0};
	due = count_due(rule, next_us, now_us, &more);
	for (int64_t left = due; left > (more ? RV_SCHEDULE_CATCH_UP : 0); left--) {
		if (!more && is_wanted(rule, slot, left, now_us)) {
			ret_plan->slot_us = slot;
			slot = after(rule, slot);
			break;
		}
		if (ret_plan->missed++ == 0)
			ret_plan->missed_us = slot;
		slot = after(rule, slot);
	}
	set_next(rule, slot, ret_plan);
	POST(due > 0 || ret_plan->next_us == next_us);
}
