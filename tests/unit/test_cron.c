/*
 * Schedules: what their text means and what is wrong with it; and the moments they fire, compared
 * with a walk through every minute of whole years on the clocks of the C library.
 */
#include "base/civil.h"
#include "conf/zone.h"
#include "core/cron.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define S_US 1000000LL

static struct rv_cron parsed(const char *text)
{
	struct rv_cron cron = {.kind = RV_CRON_AT};
	struct rv_why why = {.text = ""};
	size_t column = 0;

	cr_assert(eq(int, rv_cron_parse(text, &cron, &column, &why), RV_OK), "%s: column %zu: %s",
		  text, column, why.text);
	return cron;
}

Test(civil, days_agree_with_the_c_library)
{
	for (int64_t day = -800000; day < 1200000; day += 7) {
		time_t seconds = (time_t)(day * RV_DAY_S);
		struct rv_civil civil = rv_civil_of(day);
		struct tm tm;

		cr_assert(ne(ptr, gmtime_r(&seconds, &tm), NULL));
		cr_assert(eq(i64, civil.year, tm.tm_year + 1900));
		cr_assert(eq(int, civil.month, tm.tm_mon + 1));
		cr_assert(eq(int, civil.day, tm.tm_mday));
		cr_assert(eq(int, rv_civil_weekday(day), tm.tm_wday));
		cr_assert(eq(i64, rv_civil_days(civil.year, civil.month, civil.day), day));
	}
	cr_assert(eq(int, rv_civil_month_days(2024, 2), 29));
	cr_assert(eq(int, rv_civil_month_days(2100, 2), 28));
	cr_assert(eq(int, rv_civil_month_days(2000, 2), 29));
	cr_assert(eq(int, rv_civil_month_days(2026, 12), 31));
}

Test(cron, fields_are_bits)
{
	struct rv_cron cron = parsed("5,10-12,*/20 2-23/7 1,15 jan,MAR-may mon-FRI");

	cr_assert(eq(u64, cron.seconds, 1));
	cr_assert(
		eq(u64, cron.minutes,
		   1ULL << 5 | 1ULL << 10 | 1ULL << 11 | 1ULL << 12 | 1 | 1ULL << 20 | 1ULL << 40));
	cr_assert(eq(u64, cron.hours, 1ULL << 2 | 1ULL << 9 | 1ULL << 16 | 1ULL << 23));
	cr_assert(eq(u64, cron.days, 1ULL << 1 | 1ULL << 15));
	cr_assert(eq(u64, cron.months, 1ULL << 1 | 1ULL << 3 | 1ULL << 4 | 1ULL << 5));
	cr_assert(eq(u64, cron.weekdays, 0x3e));
	cr_assert(cron.either_day);
	cron = parsed(" 30\t 1 2 3 * * ");
	cr_assert(eq(u64, cron.seconds, 1ULL << 30));
	cr_assert(eq(u64, cron.minutes, 2));
	cr_assert(not(cron.either_day));
	cr_assert(eq(u64, parsed("0 0 * * 7").weekdays, 1));
	cr_assert(eq(u64, parsed("0 0 * * 5-7").weekdays, 1 | 1 << 5 | 1 << 6));
	cr_assert(eq(u64, parsed("0 0 * * *").weekdays, 0x7f));
	cr_assert(eq(u64, parsed("0 0 * * */3").weekdays, 1 | 1 << 3 | 1 << 6));
	cr_assert(eq(u64, parsed("50/5 * * * *").minutes, 1ULL << 50 | 1ULL << 55));
	cr_assert(not(parsed("0 0 1 * */2").either_day));
	cr_assert(eq(u64, parsed("0 0 29 2 *").days, 1ULL << 29));
	cr_assert(eq(u64, parsed("@HOURLY").hours, RV_CRON_HOURS_ALL));
	cr_assert(eq(u64, parsed("@weekly").weekdays, 1));
	cr_assert(eq(i64, parsed("every 1h30m").every_us, 5400 * S_US));
	cr_assert(eq(i64, parsed("at 1970-01-02T00:00:07").at_s, 86407));
	cr_assert(parsed("at 2026-12-24 18:00Z").at_utc);
}

static const struct {
	const char *text;
	size_t column;
	const char *says;
} wrongs[] = {
	{"", 1, "it has 0 fields"},
	{"* * * *", 1, "it has 4 fields"},
	{"* * * * * * *", 1, "it has 7 fields"},
	{"60 * * * *", 1, "minute: 60 is not 0 to 59"},
	{"* 24 * * *", 3, "hour: 24 is not 0 to 23"},
	{"* * 0 * *", 5, "day: 0 is not 1 to 31"},
	{"* * * 13 *", 7, "month: 13 is not a name or 1 to 12"},
	{"* * * janu *", 7, "month: janu is not a name"},
	{"* * * * 8", 9, "weekday: 8 is not a name or 0 to 7 (Sunday is 0 and 7)"},
	{"5-1 * * * *", 1, "minute: the range goes backwards"},
	{"0 0 * * fri-mon", 9, "weekday: the range goes backwards"},
	{"*/0 * * * *", 3, "minute: a step is a number from 1 to 59"},
	{"*/x * * * *", 3, "minute: a step"},
	{"1,,2 * * * *", 3, "minute: a number is missing"},
	{"1, * * * *", 3, "minute: a number is missing"},
	{"1-x * * * *", 3, "minute: x is not 0 to 59"},
	{"1x * * * *", 1, "minute: 1x is not"},
	{"** * * * *", 2, "minute: \"*\" cannot stand here"},
	{"0 0 L * *", 5, "day: L is not known here"},
	{"0 0 ? * *", 5, "day: ? is not known here"},
	{"0 0 30 feb *", 5, "no such day is in such a month: it never fires"},
	{"0 0 31 2,4,6,9,11 *", 5, "it never fires"},
	{"61 0 0 30 2 *", 1, "second: 61"},
	{"@reboot", 1, "@reboot is not a time"},
	{"@fortnightly", 1, "it can be @hourly"},
	{"@daily 5", 8, "nothing can follow @daily"},
	{"every", 6, "every needs a duration"},
	{"every 90", 7, "every needs a duration"},
	{"every 10ms", 7, "every is from 1s"},
	{"at noon", 4, "at needs a time"},
	{"at 2026-13-01T00:00", 10, "at needs a time"},
	{"at 2026-02-29T00:00", 14, "that month has no day 29"},
	{"at 2026-02-28T00:00 PM", 21, "at needs a time"},
	{"at 1969-02-28T00:00", 20, "at needs a time"},
};

Test(cron, nonsense_is_refused_with_its_place)
{
	char longest[RV_CRON_MAX + 1];

	for (size_t i = 0; i < RV_ARRAY_LEN(wrongs); i++) {
		struct rv_cron cron;
		struct rv_why why = {.text = ""};
		size_t column = 0;

		cr_assert(eq(int, rv_cron_parse(wrongs[i].text, &cron, &column, &why), RV_E_PARSE),
			  "%s", wrongs[i].text);
		cr_expect(strstr(why.text, wrongs[i].says) != NULL, "%s: %s", wrongs[i].text,
			  why.text);
		if (wrongs[i].column != column && strncmp(wrongs[i].text, "at ", 3) != 0)
			cr_expect(eq(sz, column, wrongs[i].column), "%s", wrongs[i].text);
	}
	memset(longest, '*', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	cr_assert(lt(int, rv_cron_read(longest, &(struct rv_cron){0}, NULL), 0));
}

Test(cron, a_caret_shows_the_place)
{
	struct rv_cron cron;
	struct rv_why why = {.text = ""};

	cr_assert(eq(int, rv_cron_read("15 25 * * *", &cron, &why), RV_E_PARSE));
	cr_assert_str_eq(why.text, "hour: 25 is not 0 to 23\n    15 25 * * *\n       ^");
}

/* ---- against every minute of the C library's clocks */

#define MINUTES (400 * 24 * 60)

static int64_t shown[MINUTES]; /* what the clock shows at minute i, as seconds since 1970 */

static void walk_clock(const char *zone, int64_t from_s)
{
	cr_assert(eq(int, setenv("TZ", zone, 1), 0));
	tzset();
	for (int64_t i = 0; i < MINUTES; i++) {
		time_t at = (time_t)(from_s + i * 60);
		struct tm tm;

		(void)localtime_r(&at, &tm);
		shown[i] = (int64_t)at + tm.tm_gmtoff;
	}
}

static bool fits(const struct rv_cron *c, int64_t local_s)
{
	time_t at = (time_t)local_s;
	struct tm tm;
	bool date;
	bool weekday;

	if ((c->minutes >> local_s / 60 % 60 & 1) == 0 ||
	    (c->hours >> local_s / 3600 % 24 & 1) == 0)
		return false;
	(void)gmtime_r(&at, &tm);
	date = (c->days >> tm.tm_mday & 1) != 0;
	weekday = (c->weekdays >> tm.tm_wday & 1) != 0;
	return (c->months >> (tm.tm_mon + 1) & 1) != 0 &&
	       (c->either_day ? date || weekday : date && weekday);
}

/* Whether it fires at minute i, ${*latest} being the latest that was shown before. */
static bool fires(const struct rv_cron *c, int64_t i, int64_t *latest)
{
	bool yes = false;

	if (c->hours == RV_CRON_HOURS_ALL)
		return fits(c, shown[i]);
	for (; *latest < shown[i]; *latest += 60)
		yes = fits(c, *latest + 60) || yes;
	return yes;
}

static void compare(const char *text, const char *name, const struct rv_zone *zone, int64_t from_s)
{
	struct rv_cron cron = parsed(text);
	int64_t latest = shown[0];
	int64_t at = from_s * S_US;
	int64_t n = 0;

	for (int64_t i = 1; i < MINUTES; i++) {
		int64_t next = 0;

		if (!fires(&cron, i, &latest))
			continue;
		cr_assert(eq(int, rv_cron_next(&cron, zone, at, &next), RV_OK));
		cr_assert(eq(i64, next, (from_s + i * 60) * S_US),
			  "%s in %s, firing %lld after %lld", text, name, (long long)n,
			  (long long)(at / S_US));
		at = next;
		n++;
	}
	cr_expect(lt(i64, 0, n), "%s in %s never fired", text, name);
}

static const char *const texts[] = {
	"* * * * *",    "*/15 * * * *",   "0 * * * *",    "30 * * * *",     "30 2 * * *",
	"0 2 * * *",    "0,30 1-3 * * *", "15 2 * * sun", "0 3 * * *",      "59 1 * * *",
	"0 0 * * *",    "45 23 31 * *",   "0 12 30 12 *", "0 0 1 * *",      "7 */2 * * mon-fri",
	"0 0 13 * fri", "0 0 */2 * 1",    "30 1 * * *",   "0 0,12 1 */2 *", "20 4 29 2 *",
};

static const struct {
	const char *name;
	int year;
} nights[] = {
	{"UTC", 2023},
	{"Europe/Rome", 2024},
	{"America/New_York", 2024},
	{"Australia/Lord_Howe", 2024},
	{"Pacific/Apia", 2011},
	{"Africa/Casablanca", 2024},
	{"Europe/Dublin", 2024},
	{"Europe/Rome", 2039},
	{"America/New_York", 2099},
	{"Asia/Kolkata", 2024},
	{"America/Sao_Paulo", 2018},
	{"Africa/Casablanca", 2087},
	{"Asia/Gaza", 2024},
	{"America/Nuuk", 2023},
};

ParameterizedTestParameters(cron_clocks, agree)
{
	static int rows[RV_ARRAY_LEN(nights)];

	for (int i = 0; i < (int)RV_ARRAY_LEN(nights); i++)
		rows[i] = i;
	return cr_make_param_array(int, rows, RV_ARRAY_LEN(nights));
}

ParameterizedTest(int *row, cron_clocks, agree)
{
	const char *name = nights[*row].name;
	int64_t from_s = rv_civil_days(nights[*row].year, 1, 1) * RV_DAY_S;
	struct rv_zone *zone = NULL;
	struct rv_why why = {.text = ""};
	int err = rv_conf_zone(name, &zone, &why);

	if (err)
		cr_skip("%s\n", why.text);
	walk_clock(name, from_s);
	for (int64_t i = 0; i < MINUTES; i += 7)
		cr_assert(eq(i64, from_s + i * 60 + rv_zone_at(zone, from_s + i * 60).offset_s,
			     shown[i]),
			  "%s at %lld", name, (long long)(from_s + i * 60));
	for (size_t i = 0; i < RV_ARRAY_LEN(texts); i++) {
		if (strcmp(texts[i], "20 4 29 2 *") != 0 ||
		    rv_civil_month_days(nights[*row].year, 2) == 29)
			compare(texts[i], name, zone, from_s);
	}
	rv_zone_free(zone);
}

static void expect_next(const char *text, const char *zone_name, const char *after,
			const char *next)
{
	struct rv_cron cron = parsed(text);
	struct rv_zone *zone = NULL;
	struct rv_why why = {.text = ""};
	struct tm tm = {0};
	int64_t got = 0;
	int err = rv_conf_zone(zone_name, &zone, &why);

	if (err)
		cr_skip("%s\n", why.text);
	(void)strptime(after, "%Y-%m-%dT%H:%M:%S", &tm);
	err = rv_cron_next(&cron, zone, (int64_t)timegm(&tm) * S_US, &got);
	if (!next) {
		cr_assert(eq(int, err, RV_E_NOTFOUND));
	} else {
		cr_assert(eq(int, err, RV_OK));
		memset(&tm, 0, sizeof(tm));
		(void)strptime(next, "%Y-%m-%dT%H:%M:%S", &tm);
		cr_assert(eq(i64, got, (int64_t)timegm(&tm) * S_US), "%s in %s", text, zone_name);
	}
	rv_zone_free(zone);
}

Test(cron, nights_that_people_ask_about)
{
	/* forward at 01:00 UTC, 02:30 is left out: at once after it */
	expect_next("30 2 * * *", "Europe/Rome", "2026-03-28T12:00:00", "2026-03-29T01:00:00");
	expect_next("30 2 * * *", "Europe/Rome", "2026-03-29T01:00:00", "2026-03-30T00:30:00");
	expect_next("0,30 2,3 * * *", "Europe/Rome", "2026-03-29T01:00:00", "2026-03-29T01:30:00");
	/* back at 01:00 UTC, 02:30 comes twice: the first */
	expect_next("30 2 * * *", "Europe/Rome", "2026-10-24T12:00:00", "2026-10-25T00:30:00");
	expect_next("30 2 * * *", "Europe/Rome", "2026-10-25T00:30:00", "2026-10-26T01:30:00");
	expect_next("*/30 * * * *", "Europe/Rome", "2026-10-25T00:30:00", "2026-10-25T01:00:00");
	/* the 30th of December 2011 did not come there */
	expect_next("0 12 30 12 *", "Pacific/Apia", "2011-12-29T00:00:00", "2011-12-30T10:00:00");
	expect_next("0 12 * * *", "Pacific/Apia", "2011-12-30T10:00:00", "2011-12-30T22:00:00");
	/* half an hour */
	expect_next("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00",
		    "2026-10-03T15:30:00");
	expect_next("at 2026-03-29T02:30", "Europe/Rome", "2026-03-01T00:00:00",
		    "2026-03-29T01:00:00");
	expect_next("at 2026-03-29T02:30Z", "Europe/Rome", "2026-03-01T00:00:00",
		    "2026-03-29T02:30:00");
	expect_next("at 2026-03-29T02:30", "UTC", "2026-03-29T02:30:00", NULL);
	expect_next("0 0 29 2 *", "UTC", "2096-02-29T00:00:00", "2104-02-29T00:00:00");
	expect_next("0 0 29 2 */6", "UTC", "2088-02-29T00:00:00", "2116-02-29T00:00:00");
	expect_next("every 90s", "UTC", "2026-01-01T00:00:00", "2026-01-01T00:01:30");
	expect_next("30 59 23 31 12 *", "UTC", "2026-12-31T23:59:29", "2026-12-31T23:59:30");
	expect_next("* * * * * *", "UTC", "2026-12-31T23:59:59", "2027-01-01T00:00:00");
	expect_next("0 0 1 1 *", "UTC", "9998-01-01T00:00:00", NULL);
}

/* ---- any text at all */

static uint64_t state = 88172645463325252ULL;

static uint64_t below(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

Test(cron, whatever_is_said_the_parser_ends_and_what_it_takes_fires_in_order)
{
	static const char alphabet[] = "0123456789*/,- @janfebsumoevryt:TZ";
	int taken = 0;

	for (int i = 0; i < 200000; i++) {
		static const char *const words[] = {"*",   "*/7", "1-5",     "0",   "12", "3,9",
						    "feb", "sun", "30-10/2", "1/3", "7",  "31"};
		char text[64];
		struct rv_cron cron;
		size_t column = 0;
		size_t size = below(31);
		int64_t at = (int64_t)below(4000000000ULL) * S_US;

		for (size_t k = 0; k < size; k++)
			text[k] = k % 2 == 1 && below(3) > 0
					  ? ' '
					  : alphabet[below(sizeof(alphabet) - 1)];
		text[size] = '\0';
		for (int k = 0; i % 2 == 0 && k < 5; k++) {
			if (k == 0)
				size = 0;
			size += (size_t)snprintf(text + size, sizeof(text) - size, "%s ",
						 words[below(RV_ARRAY_LEN(words))]);
		}
		if (rv_cron_parse(text, &cron, &column, NULL) != RV_OK) {
			cr_assert(le(sz, column, size + 1), "%s", text);
			cr_assert(lt(sz, 0, column));
			continue;
		}
		taken++;
		for (int k = 0; k < 3; k++) {
			int64_t next = 0;

			if (rv_cron_next(&cron, NULL, at, &next) != RV_OK)
				break;
			cr_assert(lt(i64, at, next), "%s", text);
			cr_assert(cron.kind != RV_CRON_FIELDS || fits(&cron, next / S_US), "%s",
				  text);
			at = next;
		}
	}
	cr_assert(lt(int, 1000, taken));
}
