/*
 * From a schedule and a zone to the next moment.  The keeper and the CLI.  Days are looked at one
 * after the other, but months that do not fit are left out, and within a day bits are counted.
 */
#include "core/cron.h"

#include "base/check.h"
#include "base/civil.h"

#define S_US 1000000LL
/* A 29th of February that is a Sunday comes after 40 years at the latest (1892 to 1932, say). */
#define DAYS_MAX (366LL * 60)
#define LATEST_S (253402300799LL - DAYS_MAX * RV_DAY_S) /* 9999-12-31 and what is looked at */

/* The first bit of ${mask} from ${from} on, −1 none. */
static int next_bit(uint64_t mask, int from)
{
	uint64_t left = from < 64 ? mask >> from << from : 0;

	return left ? __builtin_ctzll(left) : -1;
}

/* The first second of a day that fits from ${from} on; −1 none. */
static int64_t time_of_day(const struct rv_cron *c, int64_t from)
{
	int hour = (int)(from / 3600);
	int minute = (int)(from / 60 % 60);
	int second = (int)(from % 60);

	for (int h = next_bit(c->hours, hour); h >= 0; h = next_bit(c->hours, h + 1)) {
		for (int m = next_bit(c->minutes, h == hour ? minute : 0); m >= 0;
		     m = next_bit(c->minutes, m + 1)) {
			int s = next_bit(c->seconds, h == hour && m == minute ? second : 0);

			if (s >= 0)
				return h * 3600LL + m * 60LL + s;
		}
	}
	return -1;
}

static bool day_fits(const struct rv_cron *c, int64_t day, const struct rv_civil *civil)
{
	bool date = (c->days >> civil->day & 1) != 0;
	bool weekday = (c->weekdays >> rv_civil_weekday(day) & 1) != 0;

	return c->either_day ? date || weekday : date && weekday;
}

/* The first time on a clock that fits, from ${local_s} on. */
static int next_local(const struct rv_cron *c, int64_t local_s, int64_t *ret_s)
{
	int64_t day = rv_floor_div(local_s, RV_DAY_S);
	int64_t from = local_s - day * RV_DAY_S;

	for (int64_t last = day + DAYS_MAX; day <= last; from = 0) {
		struct rv_civil civil = rv_civil_of(day);
		int64_t found;

		if ((c->months >> civil.month & 1) == 0) {
			day += rv_civil_month_days(civil.year, civil.month) - civil.day + 1;
			continue;
		}
		found = day_fits(c, day, &civil) ? time_of_day(c, from) : -1;
		if (found >= 0) {
			*ret_s = day * RV_DAY_S + found;
			return RV_OK;
		}
		day++;
	}
	return RV_E_NOTFOUND;
}

/* By what the clock shows: each time once, at its first moment. */
static int next_shown(const struct rv_cron *c, const struct rv_zone *zone, int64_t after_s,
		      int64_t *ret_s)
{
	int64_t local_s = after_s + rv_zone_at(zone, after_s).offset_s;

	for (;;) {
		int err = next_local(c, local_s + 1, &local_s);

		if (err)
			return err;
		*ret_s = rv_zone_first(zone, local_s);
#ifdef RV_MUTANT_CRON_GAP_LOST
		if (rv_zone_at(zone, *ret_s).offset_s + *ret_s != local_s)
			continue;
#endif
		/* In the second pass of an hour, the first one's are over. */
		if (*ret_s > after_s)
			return RV_OK;
	}
}

/* By the time that passes: whatever the clock shows whenever it fits. */
static int next_passed(const struct rv_cron *c, const struct rv_zone *zone, int64_t after_s,
		       int64_t *ret_s)
{
	int64_t from_s = after_s + 1;

	for (;;) {
		struct rv_zone_span span = rv_zone_at(zone, from_s);
		int64_t local_s;
		int err = next_local(c, from_s + span.offset_s, &local_s);

		if (err && span.to_s == INT64_MAX)
			return err;
		if (!err && local_s - span.offset_s < span.to_s) {
			*ret_s = local_s - span.offset_s;
			return RV_OK;
		}
		if (span.to_s - after_s > DAYS_MAX * RV_DAY_S)
			return RV_E_NOTFOUND;
		from_s = span.to_s;
	}
}

int rv_cron_next(const struct rv_cron *cron, const struct rv_zone *zone, int64_t after_us,
		 int64_t *ret_us)
{
	int64_t after_s = rv_floor_div(after_us, S_US);
	int64_t next_s = 0;
	int err = RV_OK;

	PRE(cron && ret_us);
	if (after_s > LATEST_S)
		return RV_E_NOTFOUND;
	if (cron->kind == RV_CRON_EVERY) {
		*ret_us = (rv_floor_div(after_us, cron->every_us) + 1) * cron->every_us;
		return RV_OK;
	}
	if (cron->kind == RV_CRON_AT)
		next_s = cron->at_utc ? cron->at_s : rv_zone_first(zone, cron->at_s);
	else if (cron->hours == RV_CRON_HOURS_ALL)
		err = next_passed(cron, zone, after_s, &next_s);
	else
		err = next_shown(cron, zone, after_s, &next_s);
	if (err == RV_OK && next_s * S_US <= after_us) /* AT only */
		err = RV_E_NOTFOUND;
	if (err == RV_OK)
		*ret_us = next_s * S_US;
	return err;
}
