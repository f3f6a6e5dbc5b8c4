/* What a schedule does now: which slot fires, what was missed, when it is looked at again. */
#include "core/schedule.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#define S_US 1000000LL
#define M_US (60 * S_US)
#define H_US (60 * M_US)
#define T0   (1800000000LL * S_US) /* a whole hour */

static struct rv_schedule_rule rule_of(const char *text, int64_t catch_up)
{
	struct rv_schedule_rule rule = {.name = "x", .catch_up = catch_up};

	cr_assert(eq(int, rv_cron_read(text, &rule.cron, NULL), RV_OK));
	return rule;
}

static struct rv_schedule_plan plan_at(const struct rv_schedule_rule *rule, int64_t next_us,
				       int64_t now_us)
{
	struct rv_schedule_plan plan;

	rv_schedule_plan(rule, next_us, now_us, &plan);
	return plan;
}

Test(schedule, begins_after_its_beginning)
{
	struct rv_schedule_rule rule = rule_of("0 * * * *", RV_CATCH_UP_LAST);
	struct rv_schedule_plan plan;

	rv_schedule_begin(&rule, T0, &plan);
	cr_assert(eq(i64, plan.slot_us, 0));
	cr_assert(eq(i64, plan.next_us, T0 + H_US));
	cr_assert(eq(i64, plan.due_us, T0 + H_US));
	rule = rule_of("at 2020-01-01T00:00", RV_CATCH_UP_LAST);
	rv_schedule_begin(&rule, T0, &plan);
	cr_assert(eq(i64, plan.next_us, 0));
	cr_assert(eq(i64, plan.due_us, 0));
}

Test(schedule, a_slot_is_not_fired_before_its_time)
{
	struct rv_schedule_rule rule = rule_of("0 * * * *", RV_CATCH_UP_ALL);
	struct rv_schedule_plan plan = plan_at(&rule, T0, T0 - 1);

	cr_assert(eq(i64, plan.slot_us, 0));
	cr_assert(eq(i64, plan.missed, 0));
	cr_assert(eq(i64, plan.next_us, T0));
}

Test(schedule, on_time_every_policy_fires)
{
	static const int64_t policies[] = {RV_CATCH_UP_NONE, RV_CATCH_UP_LAST, RV_CATCH_UP_ALL, 1};

	for (size_t i = 0; i < RV_ARRAY_LEN(policies); i++) {
		struct rv_schedule_rule rule = rule_of("0 * * * *", policies[i]);

		for (int64_t late = 0; late <= RV_SCHEDULE_FRESH_US; late += RV_SCHEDULE_FRESH_US) {
			struct rv_schedule_plan plan = plan_at(&rule, T0, T0 + late);

			cr_assert(eq(i64, plan.slot_us, T0));
			cr_assert(eq(i64, plan.missed, 0));
			cr_assert(eq(i64, plan.next_us, T0 + H_US));
			cr_assert(eq(i64, plan.due_us, T0 + H_US));
		}
	}
}

/* Down from T0 on, up again after five hours and a half: six slots. */
Test(schedule, after_an_absence)
{
	int64_t now = T0 + 5 * H_US + 30 * M_US;
	struct rv_schedule_rule rule = rule_of("0 * * * *", RV_CATCH_UP_NONE);
	struct rv_schedule_plan plan = plan_at(&rule, T0, now);

	cr_assert(eq(i64, plan.slot_us, 0));
	cr_assert(eq(i64, plan.missed, 6));
	cr_assert(eq(i64, plan.missed_us, T0));
	cr_assert(eq(i64, plan.next_us, T0 + 6 * H_US));
	rule.catch_up = RV_CATCH_UP_LAST;
	plan = plan_at(&rule, T0, now);
	cr_assert(eq(i64, plan.slot_us, T0 + 5 * H_US));
	cr_assert(eq(i64, plan.missed, 5));
	cr_assert(eq(i64, plan.next_us, T0 + 6 * H_US));
	rule.catch_up = RV_CATCH_UP_ALL;
	plan = plan_at(&rule, T0, now);
	cr_assert(eq(i64, plan.slot_us, T0));
	cr_assert(eq(i64, plan.missed, 0));
	cr_assert(eq(i64, plan.next_us, T0 + H_US));
	rule.catch_up = 2 * H_US;
	plan = plan_at(&rule, T0, now);
	cr_assert(eq(i64, plan.slot_us, T0 + 4 * H_US));
	cr_assert(eq(i64, plan.missed, 4));
	cr_assert(eq(i64, plan.next_us, T0 + 5 * H_US));
	plan = plan_at(&rule, plan.next_us, now);
	cr_assert(eq(i64, plan.slot_us, T0 + 5 * H_US));
	cr_assert(eq(i64, plan.missed, 0));
}

/* The one that is on time fires, whatever was missed before it. */
Test(schedule, none_means_none_but_the_fresh_one)
{
	struct rv_schedule_rule rule = rule_of("* * * * *", RV_CATCH_UP_NONE);
	struct rv_schedule_plan plan = plan_at(&rule, T0, T0 + 10 * M_US + 5 * S_US);

	cr_assert(eq(i64, plan.slot_us, T0 + 10 * M_US));
	cr_assert(eq(i64, plan.missed, 10));
}

/* Every slot is dealt with exactly once, whatever the policy and however often one looks. */
Test(schedule, nothing_is_lost_and_nothing_comes_twice)
{
	static const int64_t policies[] = {RV_CATCH_UP_NONE, RV_CATCH_UP_LAST, RV_CATCH_UP_ALL,
					   3 * M_US};

	for (size_t i = 0; i < RV_ARRAY_LEN(policies); i++) {
		struct rv_schedule_rule rule = rule_of("every 7s", policies[i]);
		int64_t first = (T0 / (7 * S_US) + 1) * 7 * S_US;
		int64_t expected = first;
		int64_t next = first;
		uint64_t dice = 7 + i;

		for (int64_t now = T0; now < T0 + 4 * H_US;) {
			struct rv_schedule_plan plan = plan_at(&rule, next, now);

			if (plan.missed > 0) {
				cr_assert(eq(i64, plan.missed_us, expected));
				expected += plan.missed * 7 * S_US;
			}
			if (plan.slot_us != 0) {
				cr_assert(eq(i64, plan.slot_us, expected));
				cr_assert(le(i64, plan.slot_us, now));
				expected += 7 * S_US;
			}
			cr_assert(eq(i64, plan.next_us, expected));
			next = plan.next_us;
			dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
			if (plan.due_us > now)
				now += (int64_t)(dice >> 33) % (20 * M_US);
		}
	}
}

Test(schedule, no_more_than_a_thousand_are_made_up_for)
{
	struct rv_schedule_rule rule = rule_of("* * * * * *", RV_CATCH_UP_ALL);
	int64_t now = T0 + 10 * 24 * H_US;
	int64_t next = T0;
	int64_t missed = 0;
	int64_t fired = 0;

	for (;;) {
		struct rv_schedule_plan plan = plan_at(&rule, next, now);

		missed += plan.missed;
		fired += plan.slot_us != 0;
		next = plan.next_us;
		if (plan.due_us > now)
			break;
	}
	cr_assert(eq(i64, fired, RV_SCHEDULE_CATCH_UP));
	cr_assert(eq(i64, fired + missed, 10 * 24 * 3600 + 1));
}

Test(schedule, jitter_is_the_same_whenever_it_is_asked_for)
{
	struct rv_schedule_rule rule = rule_of("0 * * * *", RV_CATCH_UP_ALL);
	struct rv_schedule_rule other;
	int64_t sum = 0;
	int differ = 0;

	rule.jitter_us = 10 * M_US;
	other = rule;
	other.name = "y";
	for (int i = 0; i < 1000; i++) {
		int64_t slot = T0 + i * H_US;
		int64_t late = rv_schedule_due(&rule, slot) - slot;

		cr_assert(le(i64, 0, late));
		cr_assert(le(i64, late, 10 * M_US));
		cr_assert(eq(i64, rv_schedule_due(&rule, slot), slot + late));
		differ += rv_schedule_due(&other, slot) != slot + late;
		sum += late;
	}
	cr_assert(lt(int, 990, differ));
	cr_assert(lt(i64, 4 * M_US, sum / 1000));
	cr_assert(lt(i64, sum / 1000, 6 * M_US));
	/* in the order of the slots, also when the jitter is longer than the way between them */
	rule = rule_of("* * * * *", RV_CATCH_UP_ALL);
	rule.jitter_us = 30 * M_US;
	for (int64_t next = T0, now = T0; now < T0 + 5 * H_US;) {
		struct rv_schedule_plan plan = plan_at(&rule, next, now);

		cr_assert(plan.slot_us == 0 || plan.slot_us == next);
		next = plan.next_us;
		now = plan.due_us > now ? plan.due_us : now;
	}
}

Test(schedule, words)
{
	enum rv_overlap overlap = RV_OVERLAP_ALLOW;

	for (int i = 0; i <= RV_OVERLAP_REPLACE; i++) {
		cr_assert(eq(int, rv_overlap_parse(rv_overlap_name(i), &overlap), RV_OK));
		cr_assert(eq(int, (int)overlap, i));
	}
	cr_assert(eq(int, rv_overlap_parse("both", &overlap), RV_E_USAGE));
	cr_assert_str_eq(rv_overlap_name(99), "?");
}
