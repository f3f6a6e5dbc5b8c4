/* What a job needs before it may start, and the arithmetic of token buckets. */
#include "core/limit.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdint.h>
#include <string.h>

#define S 1000000LL

/* Whether it is refused, with words. */
static bool refused(const char *text)
{
	static struct rv_why why;
	struct rv_takes takes;

	memset(&why, 0, sizeof why);
	if (rv_takes_parse(text, &takes, &why) == RV_OK)
		return false;
	return why.text[0] != '\0';
}

Test(limit, takes_are_names_and_numbers)
{
	struct rv_takes takes;

	cr_assert(eq(int, rv_takes_parse(" gpu:2 ,\tdb, a.b-c_9:1000000", &takes, NULL), RV_OK));
	cr_assert(eq(sz, takes.count, 3));
	cr_assert(eq(int, strcmp(takes.of[0].name, "gpu"), 0));
	cr_assert(eq(int, takes.of[0].n, 2));
	cr_assert(eq(int, strcmp(takes.of[1].name, "db"), 0));
	cr_assert(eq(int, takes.of[1].n, 1));
	cr_assert(eq(int, takes.of[2].n, 1000000));
	cr_assert(eq(int, rv_takes_parse("", &takes, NULL), RV_OK));
	cr_assert(eq(sz, takes.count, 0));
}

Test(limit, takes_that_are_none)
{
	static const char *const bad[] = {",",           "gpu:",    "gpu:0",
					  "gpu:x",       ":1",      "gpu,",
					  "gpu:1:2",     "gpu 1",   "g/u",
					  "gpu:1000001", "gpu,gpu", "a,b,c,d,e,f,g,h,i",
					  "gpu:-1",      "gpu:1 2", "gpu:99999999999999999999"};
	char longest[RV_NAME_MAX + 1];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_assert(refused(bad[i]), "%s", bad[i]);
	memset(longest, 'a', RV_NAME_MAX);
	longest[RV_NAME_MAX] = '\0';
	cr_assert(refused(longest));
	cr_assert(not(refused(longest + 1)));
}

Test(limit, needs_are_the_most_special_first)
{
	static const struct rv_limits both = {.concurrency = 4, .key_concurrency = 1};
	static const struct rv_resource_def gpu = {"gpu", 2};
	struct rv_limited job = {.queue = "q",
				 .task = "t",
				 .key = "a/b",
				 .takes = "gpu:3,db",
				 .queue_limits = &both,
				 .task_limits = &both,
				 .resources = &gpu,
				 .nresources = 1};
	static const char *const names[] = {"K/t/a/b", "k/q/a/b", "r/gpu", "r/db", "t/t", "q/q"};
	static const int64_t max[] = {1, 1, 2, 0, 4, 4};
	static const int64_t n[] = {1, 1, 2, 1, 1, 1}; /* of gpu: all there are */
	struct rv_needs needs;
	char gate[RV_GATE_MAX];

	rv_needs_of(&job, &needs);
	cr_assert(eq(sz, needs.count, 6));
	for (size_t i = 0; i < needs.count; i++) {
		cr_assert(eq(int, strcmp(needs.of[i].gate, names[i]), 0));
		cr_assert(eq(i64, needs.of[i].max, max[i]));
		cr_assert(eq(i64, needs.of[i].n, n[i]));
		if (needs.of[i].kind == RV_GATE_RESOURCE)
			continue;
		/* what was taken is found again by the job alone */
		rv_gate_own(needs.of[i].kind, job.queue, job.task, job.key, gate);
		cr_assert(eq(int, strcmp(gate, needs.of[i].gate), 0));
	}
	job.key = "";
	job.takes = NULL;
	rv_needs_of(&job, &needs);
	cr_assert(eq(sz, needs.count, 2));
	job.queue_limits = job.task_limits = NULL;
	rv_needs_of(&job, &needs);
	cr_assert(eq(sz, needs.count, 0));
}

Test(limit, a_need_fits_or_not)
{
	struct rv_need need = {.n = 2, .max = 4};

	cr_assert(rv_need_fits(&need, 2, NULL));
	cr_assert(not(rv_need_fits(&need, 3, NULL)));
	cr_assert(not(rv_need_fits(&need, 9, NULL)));
	need.max = -1;
	cr_assert(rv_need_fits(&need, 1000, NULL));
	need.max = 0;
	cr_assert(not(rv_need_fits(&need, 0, NULL)));
}

/* In any stretch of time no more start than the bucket holds and what drips into it. */
Test(limit, a_rate_is_never_exceeded)
{
	static const struct rv_rate rates[] = {{1, S}, {3, S}, {7, 10 * S}, {100, 60 * S}, {5, 1}};

	for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
		const struct rv_rate *rate = &rates[r];
		int64_t full = 0;
		int64_t now = 1800000000 * S;
		int64_t start = now;
		int64_t taken = 0;

		for (int i = 0; i < 5000; i++) {
			int64_t due = rv_rate_due(rate, full, now);

			if (due == 0) {
				full = rv_rate_take(rate, full, now);
				taken++;
			} else {
				cr_assert(gt(i64, due, now));
				now = i % 3 ? due : now + (due - now) / 2 + 1;
			}
			cr_assert(le(i64, (taken - rate->count) * rate->per_us,
				     (now - start) * rate->count));
		}
		cr_assert(eq(i64, rv_rate_due(rate, full, now + 2 * rate->per_us), 0));
	}
}

Test(limit, a_clock_set_back_costs_one_token)
{
	static const struct rv_rate rate = {2, 10 * S};
	int64_t now = 1800000000 * S;
	int64_t full = rv_rate_take(&rate, rv_rate_take(&rate, 0, now), now);

	cr_assert(eq(i64, rv_rate_due(&rate, full, now), now + 5 * S));
	cr_assert(eq(i64, rv_rate_due(&rate, full, now - 3600 * S), now - 3595 * S));
	cr_assert(eq(i64, rv_rate_due(&(struct rv_rate){0}, full, now), 0));
	cr_assert(eq(i64, rv_rate_take(&(struct rv_rate){0}, 42, now), 42));
}

Test(limit, lines_and_names)
{
	cr_assert(eq(i64, rv_gate_line("q/q", 7, 3), 7));
	cr_assert(eq(i64, rv_gate_line("r/gpu", 7, 3), 3));
	cr_assert(rv_gate_of_queue("q/bulk", "bulk"));
	cr_assert(rv_gate_of_queue("k/bulk/x/y", "bulk"));
	cr_assert(not(rv_gate_of_queue("q/bulky", "bulk")));
	cr_assert(not(rv_gate_of_queue("t/bulk", "bulk")));
	cr_assert(not(rv_gate_of_queue("K/bulk/x", "bulk")));
	cr_assert(rv_gate_of_key("K/t/x"));
	cr_assert(not(rv_gate_of_key("t/t")));
}

Test(limit, what_can_be_limits)
{
	struct rv_limits limits = {0};
	struct rv_limits other = {.key_rate = {1, S}};

	cr_assert(not(rv_limits_any(&limits)));
	cr_assert(rv_limits_any(&other));
	cr_assert(rv_limits_sane(&limits));
	cr_assert(rv_limits_sane(&other));
	other.key_rate.per_us = 0;
	cr_assert(not(rv_limits_sane(&other)));
	limits.concurrency = -1;
	cr_assert(not(rv_limits_sane(&limits)));
}
