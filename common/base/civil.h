#ifndef RV_BASE_CIVIL_H
#define RV_BASE_CIVIL_H

/* The proleptic Gregorian calendar as whole days since 1970-01-01.  No zones, no leap seconds. */

#include "base/attr.h"

#include <stdint.h>

#define RV_DAY_S 86400LL

struct rv_civil {
	int64_t year;
	int month, day; /* 1 … 12, 1 … 31 */
};

/* ${month} and ${day} as above; a day past the end of its month is one of the next. */
int64_t rv_civil_days(int64_t year, int month, int day);
struct rv_civil rv_civil_of(int64_t days);
int rv_civil_weekday(int64_t days); /* 0 Sunday */
int rv_civil_month_days(int64_t year, int month);

/* Division that rounds down, also below 0; ${b} > 0. */
static inline int64_t rv_floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

#endif
