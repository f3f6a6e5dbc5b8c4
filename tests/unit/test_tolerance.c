/* When a batch has failed: what is said, and both sides of each threshold. */
#include "core/tolerance.h"

#include "base/check.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static const struct {
	const char *text;
	int err;
	enum rv_tolerates kind;
	int64_t n;
} said[] = {
	{"0", RV_OK, RV_TOLERATES_COUNT, 0},
	{"17", RV_OK, RV_TOLERATES_COUNT, 17},
	{"9223372036854775807", RV_OK, RV_TOLERATES_COUNT, INT64_MAX},
	{"0%", RV_OK, RV_TOLERATES_PERCENT, 0},
	{"5%", RV_OK, RV_TOLERATES_PERCENT, 5},
	{"100%", RV_OK, RV_TOLERATES_PERCENT, 100},
	{"101%", RV_E_USAGE, RV_TOLERATES_ALL, 0},
	{"-1", RV_E_USAGE, RV_TOLERATES_ALL, 0},
	{"", RV_E_USAGE, RV_TOLERATES_ALL, 0},
	{"%", RV_E_USAGE, RV_TOLERATES_ALL, 0},
	{"5%%", RV_E_USAGE, RV_TOLERATES_ALL, 0},
	{"5 %", RV_E_USAGE, RV_TOLERATES_ALL, 0},
	{"1.5%", RV_E_USAGE, RV_TOLERATES_ALL, 0},
	{"few", RV_E_USAGE, RV_TOLERATES_ALL, 0},
	{"9223372036854775808", RV_E_USAGE, RV_TOLERATES_ALL, 0},
	{"000000000000000000000000000000000001", RV_E_USAGE, RV_TOLERATES_ALL, 0},
};

Test(tolerance, what_is_said)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(said); i++) {
		struct rv_tolerance t = {RV_TOLERATES_ALL, 0};

		cr_assert(eq(int, rv_tolerance_parse(said[i].text, &t), said[i].err), "row %zu", i);
		cr_assert(eq(int, (int)t.kind, (int)said[i].kind), "row %zu", i);
		cr_assert(eq(i64, t.n, said[i].n), "row %zu", i);
		cr_assert(rv_tolerance_sane(&t), "row %zu", i);
	}
}

static const struct {
	enum rv_tolerates kind;
	int64_t n, total;
	bool closed;
	int64_t allowed;
} rows[] = {
	{RV_TOLERATES_ALL, 0, 10, true, RV_TOLERANCE_OPEN},
	{RV_TOLERATES_COUNT, 0, 10, false, 0},
	{RV_TOLERATES_COUNT, 3, 1, false, 3},
	{RV_TOLERATES_COUNT, 3, 100, true, 3},
	{RV_TOLERATES_PERCENT, 5, 100, false, RV_TOLERANCE_OPEN},
	{RV_TOLERATES_PERCENT, 5, 100, true, 5},
	{RV_TOLERATES_PERCENT, 5, 99, true, 4},
	{RV_TOLERATES_PERCENT, 5, 19, true, 0},
	{RV_TOLERATES_PERCENT, 5, 20, true, 1},
	{RV_TOLERATES_PERCENT, 0, 1000, true, 0},
	{RV_TOLERATES_PERCENT, 100, 7, true, 7},
	{RV_TOLERATES_PERCENT, 33, 0, true, 0},
	{RV_TOLERATES_PERCENT, 99, INT64_MAX, true, INT64_MAX / 100 * 99 + 6},
};

Test(tolerance, what_is_allowed_and_what_is_too_much)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(rows); i++) {
		struct rv_tolerance t = {rows[i].kind, rows[i].n};
		int64_t allowed = rv_tolerance_allowed(&t, rows[i].total, rows[i].closed);

		cr_assert(eq(i64, allowed, rows[i].allowed), "row %zu", i);
		if (allowed == RV_TOLERANCE_OPEN) {
			cr_assert(not(rv_tolerance_exceeded(allowed, INT64_MAX)), "row %zu", i);
			continue;
		}
		cr_assert(not(rv_tolerance_exceeded(allowed, allowed)), "row %zu", i);
		cr_assert(rv_tolerance_exceeded(allowed, allowed + 1), "row %zu", i);
	}
}

Test(tolerance, nonsense_is_not_sane)
{
	struct rv_tolerance rows_[] = {{RV_TOLERATES_COUNT, -1},
				       {RV_TOLERATES_PERCENT, -1},
				       {RV_TOLERATES_PERCENT, 101},
				       {(enum rv_tolerates)7, 0}};

	for (size_t i = 0; i < RV_ARRAY_LEN(rows_); i++)
		cr_assert(not(rv_tolerance_sane(&rows_[i])), "row %zu", i);
}

Test(tolerance, what_a_batch_is_closed_with)
{
	char says[RV_TOLERANCE_SAYS_MAX];
	struct rv_why why;

	cr_assert(eq(i64, rv_tolerance_closed(3, -1, 100), 3));
	cr_assert(eq(i64, rv_tolerance_closed(RV_TOLERANCE_OPEN, -1, 100), RV_TOLERANCE_OPEN));
	cr_assert(eq(i64, rv_tolerance_closed(RV_TOLERANCE_OPEN, 10, 25), 2));
	cr_assert(eq(i64, rv_tolerance_closed(RV_TOLERANCE_OPEN, 900, 25), RV_TOLERANCE_OPEN));
	cr_assert(eq(i64, rv_tolerance_closed(7, 10, -5), 7));
	rv_tolerance_says(says, 3, 100, 2);
	cr_assert(eq(int, strcmp(says, "its batch failed: 3 of 100 dead, 2 allowed"), 0));
	rv_tolerance_says(says, INT64_MAX, INT64_MAX, INT64_MAX);
	cr_assert(eq(int, rv_tolerance_refuse(&why, 9, 3, 100, 2), RV_E_CONFLICT));
	cr_assert(eq(int, strcmp(why.text, "batch 9 has failed: 3 of 100 dead, 2 allowed"), 0));
}
