/*
 * The calendar.  Whoever reckons with dates.  Years begin on March 1 in here, so that the day that
 * only some years have is the last of them.
 */
#include "base/civil.h"

#include "base/check.h"

#define DAYS_400 146097LL /* of 400 years */
#define TO_1970  719468LL /* days from March 1 of the year 0 to 1970-01-01 */

/* Days before the ${month}-th month from March on: 0, 31, 61, 92, ... */
static int64_t before_month(int64_t month)
{
	return (153 * month + 2) / 5;
}

int64_t rv_civil_days(int64_t year, int month, int day)
{
	int64_t from_march = (month + 9) % 12;
	int64_t y = year - (month <= 2);
	int64_t cycle = rv_floor_div(y, 400);
	int64_t of_cycle = y - cycle * 400;

	PRE(month >= 1 && month <= 12);
	return cycle * DAYS_400 + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 +
	       before_month(from_march) + day - 1 - TO_1970;
}

struct rv_civil rv_civil_of(int64_t days)
{
	int64_t since = days + TO_1970;
	int64_t cycle = rv_floor_div(since, DAYS_400);
	int64_t left = since - cycle * DAYS_400;
	/* Leap days taken out, a year has 365. */
	int64_t year = (left - left / 1460 + left / 36524 - left / 146096) / 365;
	int64_t month;

	left -= year * 365 + year / 4 - year / 100;
	month = (5 * left + 2) / 153;
	left -= before_month(month);
	POST(left >= 0 && left < 31 && month < 12);
	return (struct rv_civil){.year = year + cycle * 400 + (month >= 10),
				 .month = (int)(month < 10 ? month + 3 : month - 9),
				 .day = (int)left + 1};
}

int rv_civil_weekday(int64_t days)
{
	int64_t of_week = (days + 4) % 7; /* 1970-01-01 was a Thursday */

	return (int)(of_week < 0 ? of_week + 7 : of_week);
}

int rv_civil_month_days(int64_t year, int month)
{
	return (int)(rv_civil_days(month == 12 ? year + 1 : year, month % 12 + 1, 1) -
		     rv_civil_days(year, month, 1));
}
