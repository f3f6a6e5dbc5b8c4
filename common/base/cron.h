#ifndef RV_BASE_CRON_H
#define RV_BASE_CRON_H

/*
 * When a schedule fires, as people write it:
 *   15 2 * * *             minute hour day month weekday; with six fields, second first
 *   @daily                 also @hourly @midnight @weekly @monthly @yearly @annually
 *   every 90s              at each multiple of it since 1970, UTC
 *   at 2026-12-24T18:00    once; with a Z behind it UTC, else as the schedule's zone has it
 * A field is a list of *, A, A-B, each with /STEP (A/STEP goes on to the end); months and weekdays
 * have names (jan, mon), Sunday is 0 and 7.  As in every cron: where both day and weekday are
 * limited, and neither begins with a *, either is enough.  When that is, is for core/cron.h.
 */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RV_CRON_MAX          256 /* bytes of a text, with its NUL */
#define RV_CRON_EVERY_MIN_US 1000000LL
#define RV_CRON_EVERY_MAX_US (3660LL * 86400 * 1000000)
#define RV_CRON_HOURS_ALL    0xffffffu

enum rv_cron_kind { RV_CRON_FIELDS, RV_CRON_EVERY, RV_CRON_AT };

struct rv_cron {
	enum rv_cron_kind kind;
	/* FIELDS: bit n is n; days and months from 1, weekdays from Sunday, 0 */
	uint64_t seconds, minutes, hours, days, months, weekdays;
	bool either_day; /* a day that fits by date or by weekday, not by both */
	int64_t every_us;
	int64_t at_s; /* AT: seconds since 1970 on a clock of the zone, or */
	bool at_utc;  /* UTC */
};

/*
 * RV_E_PARSE with a sentence, and in ${ret_column} where, from 1.  What can never be (30 feb) is
 * refused as well.
 */
int rv_cron_parse(const char *text, struct rv_cron *ret_cron, size_t *ret_column,
		  struct rv_why *why) RV_MUST_CHECK;
/* As above; the sentence ends with ${text} and a caret below, each on a line of its own. */
int rv_cron_read(const char *text, struct rv_cron *ret_cron, struct rv_why *why) RV_MUST_CHECK;

/*
 * What is done about missed slots: "none", "last", "all" or a duration above 0 (RV_CATCH_UP_* of
 * base/spec.h).  RV_E_PARSE.  fmt writes RV_FMT_SPACE bytes into ${out} and returns it.
 */
int rv_catch_up_parse(const char *text, int64_t *ret_catch_up) RV_MUST_CHECK;
char *rv_catch_up_fmt(char *out, int64_t catch_up);

#endif
