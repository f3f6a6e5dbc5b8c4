/* Durations, sizes, numbers and times, both ways: what is written is read back. */
#include "base/err.h"
#include "base/fmt.h"
#include "base/near.h"
#include "base/seam.h"
#include "base/utf8.h"
#include "helpers/assert.h"

#include <stdlib.h>
#include <time.h>

struct reading {
	const char *text;
	int64_t value;
};

static const struct reading durations[] = {
	{"0", 0},
	{"250ms", 250000},
	{"30s", 30 * RV_S_US},
	{"5m", 300 * RV_S_US},
	{"2h", 7200 * RV_S_US},
	{"1d", 86400 * RV_S_US},
	{"1w", 7 * 86400 * RV_S_US},
	{"1h30m", 5400 * RV_S_US},
	{"1m500ms7us", 60 * RV_S_US + 500007},
	{"0s", 0},
};

Test(fmt, durations_are_read)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(durations); i++) {
		int64_t us = -1;

		cr_assert(eq(int, rv_parse_duration(durations[i].text, &us), RV_OK));
		cr_assert(eq(i64, us, durations[i].value), "%s", durations[i].text);
	}
}

Test(fmt, what_is_no_duration_is_refused)
{
	const char *const bad[] = {"",
				   "5",
				   "5x",
				   "s",
				   "-5s",
				   " 5s",
				   "5s ",
				   "5 s",
				   "1.5s",
				   "5S",
				   "9223372036854775807w",
				   "99999999999999999999s",
				   "00",
				   "1h30",
				   "9000000000000s9000000000000s"};

	for (size_t i = 0; i < RV_ARRAY_LEN(bad); i++) {
		int64_t us = 77;

		cr_assert(eq(int, rv_parse_duration(bad[i], &us), RV_E_PARSE), "%s", bad[i]);
		cr_assert(eq(i64, us, 77));
	}
}

Test(fmt, what_is_written_is_read_back)
{
	const int64_t values[] = {0,
				  1,
				  999,
				  1000,
				  250000,
				  30 * RV_S_US,
				  90 * RV_S_US,
				  5400 * RV_S_US,
				  86400 * RV_S_US,
				  1234567890123LL,
				  INT64_MAX};

	for (size_t i = 0; i < RV_ARRAY_LEN(values); i++) {
		char text[RV_FMT_SPACE];
		int64_t back = -1;

		cr_assert(
			eq(int, rv_parse_duration(rv_fmt_duration(text, values[i]), &back), RV_OK),
			"%s", text);
		cr_assert(eq(i64, back, values[i]), "%s", text);
		cr_assert(eq(int, rv_parse_size(rv_fmt_size(text, values[i]), &back), RV_OK), "%s",
			  text);
		cr_assert(eq(i64, back, values[i]), "%s", text);
	}
}

Test(fmt, durations_are_written_as_people_write_them)
{
	char text[RV_FMT_SPACE];

	rv_assert_text(rv_fmt_duration(text, 250000), "250ms");
	rv_assert_text(rv_fmt_duration(text, 5400 * RV_S_US), "1h30m");
	rv_assert_text(rv_fmt_duration(text, 0), "0");
	rv_assert_text(rv_fmt_about(text, 1500000), "1.5s");
	rv_assert_text(rv_fmt_about(text, 12 * 60 * RV_S_US), "12m");
	rv_assert_text(rv_fmt_about(text, 3 * 86400 * RV_S_US + 1), "3d");
	rv_assert_text(rv_fmt_about(text, 30 * 86400 * RV_S_US), "30d");
	rv_assert_text(rv_fmt_about(text, 0), "0s");
	rv_assert_text(rv_fmt_about(text, -1500000), "-1.5s");
	rv_assert_text(rv_fmt_about(text, 42), "42us");
}

Test(fmt, sizes_are_read_and_written)
{
	const struct reading sizes[] = {
		{"0", 0},          {"512K", 512 << 10}, {"16M", 16 << 20},        {"2G", 2LL << 30},
		{"1T", 1LL << 40}, {"7B", 7},           {"1M512K", 3 * 512 << 10}};
	const char *const bad[] = {"5", "5k", "5KB", "-1K", "K", "", "9999999999T"};
	char text[RV_FMT_SPACE];
	int64_t bytes = 0;

	for (size_t i = 0; i < RV_ARRAY_LEN(sizes); i++) {
		cr_assert(eq(int, rv_parse_size(sizes[i].text, &bytes), RV_OK));
		cr_assert(eq(i64, bytes, sizes[i].value), "%s", sizes[i].text);
	}
	for (size_t i = 0; i < RV_ARRAY_LEN(bad); i++)
		cr_assert(eq(int, rv_parse_size(bad[i], &bytes), RV_E_PARSE), "%s", bad[i]);
	rv_assert_text(rv_fmt_size(text, 16 << 20), "16M");
	rv_assert_text(rv_fmt_size(text, 1000), "1000B");
}

Test(fmt, whole_numbers_within_bounds)
{
	const char *const bad[] = {
		"", "-", "+5", " 5", "5 ", "0x5", "11", "-6", "99999999999999999999", "5.0"};
	int64_t value = 77;

	for (size_t i = 0; i < RV_ARRAY_LEN(bad); i++)
		cr_assert(eq(int, rv_parse_int(bad[i], -5, 10, &value), RV_E_PARSE), "%s", bad[i]);
	cr_assert(eq(i64, value, 77));
	cr_assert(eq(int, rv_parse_int("-5", -5, 10, &value), RV_OK));
	cr_assert(eq(i64, value, -5));
	cr_assert(eq(int, rv_parse_int("10", -5, 10, &value), RV_OK));
	cr_assert(eq(i64, value, 10));
}

#define NOON_US 1795608000000000LL /* 2026-11-25T12:00:00Z */

static const struct reading times[] = {
	{"2026-11-25T12:00:00Z", NOON_US},
	{"2026-11-25t12:00:00z", NOON_US},
	{"2026-11-25T12:00:00.5Z", NOON_US + 500000},
	{"2026-11-25T12:00:00.123456789Z", NOON_US + 123456},
	{"2026-11-25T14:00:00+02:00", NOON_US},
	{"2026-11-25T06:30:00-05:30", NOON_US},
	{"2026-11-25 12:00:00", NOON_US},
	{"2026-11-25 12:00", NOON_US},
	{"1970-01-01T00:00:00Z", 0},
	{"@1795608000", NOON_US},
	{"@1795608000.25", NOON_US + 250000},
	{"+0", NOON_US - 3600 * RV_S_US},
	{"+1h", NOON_US},
	{"12:00", NOON_US},
	{"12:00:01", NOON_US + RV_S_US},
	{"10:00", NOON_US - 7200 * RV_S_US + 86400 * RV_S_US},
	{"11:00", NOON_US - 3600 * RV_S_US + 86400 * RV_S_US},
};

/* Now is 11:00 UTC of that day, and local time is UTC. */
Test(fmt, times_are_read)
{
	(void)setenv("TZ", "UTC", 1);
	tzset();
	for (size_t i = 0; i < RV_ARRAY_LEN(times); i++) {
		int64_t us = -1;

		cr_assert(
			eq(int, rv_parse_time(times[i].text, NOON_US - 3600 * RV_S_US, &us), RV_OK),
			"%s", times[i].text);
		cr_assert(eq(i64, us, times[i].value), "%s", times[i].text);
	}
}

Test(fmt, what_is_no_time_is_refused)
{
	const char *const bad[] = {"",
				   "now",
				   "2026-11-25",
				   "2026-13-25T12:00:00Z",
				   "2026-02-30T12:00:00Z",
				   "2026-11-25T24:00:00Z",
				   "2026-11-25T12:60:00Z",
				   "2026-11-25T12:00:61Z",
				   "2026-11-25T12:00:00.Z",
				   "2026-11-25T12:00:00+2:00",
				   "2026-11-25T12:00:00+24:00",
				   "2026-11-25T12:00:00Zx",
				   "2026-11-25T12:00:00 Z",
				   "26-11-25T12:00:00Z",
				   "1969-12-31T23:59:59Z",
				   "@",
				   "@x",
				   "@1x",
				   "+",
				   "+5",
				   "25:00",
				   "1:00",
				   "12:00:00:00"};

	for (size_t i = 0; i < RV_ARRAY_LEN(bad); i++) {
		int64_t us = 77;

		cr_assert(eq(int, rv_parse_time(bad[i], NOON_US, &us), RV_E_PARSE), "%s", bad[i]);
		cr_assert(eq(i64, us, 77));
	}
}

Test(fmt, a_time_written_is_read_back)
{
	char text[RV_FMT_SPACE];
	int64_t back = 0;

	rv_assert_text(rv_fmt_time(text, NOON_US + 42), "2026-11-25T12:00:00.000042Z");
	cr_assert(eq(int, rv_parse_time(text, 0, &back), RV_OK));
	cr_assert(eq(i64, back, NOON_US + 42));
}

Test(near, the_nearest_name_or_none)
{
	const char *const names[] = {"queue", NULL, "timeout", "stop_timeout", "workers", "pool"};

	rv_assert_text(rv_near("queu", names, RV_ARRAY_LEN(names)), "queue");
	rv_assert_text(rv_near("timoeut", names, RV_ARRAY_LEN(names)), "timeout");
	rv_assert_text(rv_near("worker", names, RV_ARRAY_LEN(names)), "workers");
	rv_assert_text(rv_near("stoptimeout", names, RV_ARRAY_LEN(names)), "stop_timeout");
	cr_assert(eq(ptr, (void *)(uintptr_t)rv_near("zebra", names, RV_ARRAY_LEN(names)), NULL));
	cr_assert(eq(ptr, (void *)(uintptr_t)rv_near("x", NULL, 0), NULL));
	cr_assert(eq(
		ptr,
		(void *)(uintptr_t)rv_near("a name that is much longer than any name that anybody "
					   "would ever give to a thing of theirs",
					   names, RV_ARRAY_LEN(names)),
		NULL));
}

static const struct {
	const char *text;
	size_t length;
} sequences[] = {
	{"a", 1},
	{"\xc3\xa9", 2},
	{"\xe2\x82\xac", 3},
	{"\xf0\x9f\x98\x80", 4},
	{"\xf4\x8f\xbf\xbf", 4},
	{"\xf4\x90\x80\x80", 0}, /* past U+10FFFF */
	{"\xc0\x80", 0},
	{"\xe0\x80\x80", 0}, /* overlong */
	{"\xed\xa0\x80", 0}, /* surrogate */
	{"\x80", 0},
	{"\xff", 0},
	{"\xc3", 0},
	{"\xe2\x82", 0},
	{"\xe2\x82x", 0},
	{"\xf0\x9f\x98", 0},
	{"\xc3x", 0},
};

Test(utf8, sequences_are_told_from_bytes)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(sequences); i++)
		cr_assert(eq(sz, rv_utf8_length(sequences[i].text, strlen(sequences[i].text)),
			     sequences[i].length),
			  "row %zu", i);
	cr_assert(eq(sz, rv_utf8_length("", 0), 0));
	cr_assert(eq(sz, rv_utf8_length("\0", 1), 1));
}
