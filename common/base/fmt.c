/* Durations, sizes and times, both ways.  Every process; no state. */
#include "base/fmt.h"

#include "base/check.h"
#include "base/err.h"
#include "base/seam.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct unit {
	const char *name;
	int64_t value;
};

/* Largest first for printing; where one name begins another ("m", "ms") the parser takes the
 * longer. */
static const struct unit time_units[] = {
	{"w", 7LL * 86400 * RV_S_US},
	{"d", 86400 * RV_S_US},
	{"h", 3600 * RV_S_US},
	{"m", 60 * RV_S_US},
	{"s", RV_S_US},
	{"ms", RV_MS_US},
	{"us", 1},
};

static const struct unit size_units[] = {
	{"T", 1LL << 40}, {"G", 1LL << 30}, {"M", 1LL << 20}, {"K", 1LL << 10}, {"B", 1},
};

static const struct unit *unit_of(const char *text, const struct unit *units, size_t count)
{
	const struct unit *best = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(units[i].name);

		if (length > longest && strncmp(text, units[i].name, length) == 0) {
			longest = length;
			best = &units[i];
		}
	}
	return best;
}

/* NUMBER UNIT, repeated; every overflow is a parse error. */
static int parse_units(const char *text, const struct unit *units, size_t count, int64_t *ret)
{
	int64_t sum = 0;

	if (strcmp(text, "0") == 0) {
		*ret = 0;
		return RV_OK;
	}
	if (*text == '\0')
		return RV_E_PARSE;
	while (*text != '\0') {
		const struct unit *unit;
		char *end;
		long long number;

		if (!isdigit((unsigned char)*text))
			return RV_E_PARSE;
		errno = 0;
		number = strtoll(text, &end, 10);
		if (errno != 0)
			return RV_E_PARSE;
		unit = unit_of(end, units, count);
		if (!unit)
			return RV_E_PARSE;
		int64_t product;
		if (__builtin_mul_overflow((int64_t)number, unit->value, &product) ||
		    __builtin_add_overflow(sum, product, &sum))
			return RV_E_PARSE;
		text = end + strlen(unit->name);
	}
	*ret = sum;
	return RV_OK;
}

int rv_parse_duration(const char *text, int64_t *ret_us)
{
	return parse_units(text, time_units, RV_ARRAY_LEN(time_units), ret_us);
}

int rv_parse_size(const char *text, int64_t *ret_bytes)
{
	return parse_units(text, size_units, RV_ARRAY_LEN(size_units), ret_bytes);
}

int rv_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret)
{
	const char *digits = *text == '-' ? text + 1 : text;
	char *end;
	long long value;

	if (!isdigit((unsigned char)*digits))
		return RV_E_PARSE;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno != 0 || *end != '\0' || value < min || value > max)
		return RV_E_PARSE;
	*ret = value;
	return RV_OK;
}

/* Reads exactly ${digits} digits; -1 when they are not there. */
static int take_digits(const char **at, int digits)
{
	int value = 0;

	for (int i = 0; i < digits; i++) {
		if (!isdigit((unsigned char)**at))
			return -1;
		value = value * 10 + (*(*at)++ - '0');
	}
	return value;
}

static int take_char(const char **at, const char *any_of)
{
	if (**at == '\0' || !strchr(any_of, **at))
		return 0;
	(*at)++;
	return 1;
}

/* HH:MM[:SS] within a day.  Leap seconds are not a time of day here. */
static int take_clock(const char **at, struct tm *tm)
{
	tm->tm_hour = take_digits(at, 2);
	if (!take_char(at, ":"))
		return 0;
	tm->tm_min = take_digits(at, 2);
	tm->tm_sec = 0;
	if (take_char(at, ":"))
		tm->tm_sec = take_digits(at, 2);
	return tm->tm_hour >= 0 && tm->tm_hour < 24 && tm->tm_min >= 0 && tm->tm_min < 60 &&
	       tm->tm_sec >= 0 && tm->tm_sec < 60;
}

static int64_t take_fraction_us(const char **at)
{
	int64_t us = 0;
	int64_t weight = 100000;

	if (!take_char(at, "."))
		return 0;
	if (!isdigit((unsigned char)**at))
		return -1;
	for (; isdigit((unsigned char)**at); (*at)++) {
		us += (**at - '0') * weight;
		weight /= 10;
	}
	return us;
}

static int take_date(const char **at, struct tm *tm)
{
	tm->tm_year = take_digits(at, 4) - 1900;
	if (!take_char(at, "-"))
		return 0;
	tm->tm_mon = take_digits(at, 2) - 1;
	if (!take_char(at, "-"))
		return 0;
	tm->tm_mday = take_digits(at, 2);
	return tm->tm_year >= 70 && tm->tm_mon >= 0 && tm->tm_mon < 12 && tm->tm_mday >= 1 &&
	       tm->tm_mday <= 31;
}

/* "Z" or "+HH:MM" or "-HH:MM"; nothing left after it.  Seconds east of UTC. */
static int take_zone(const char **at, int *ret_east_s)
{
	int sign = **at == '-' ? -1 : 1;
	int hours;
	int minutes;

	if (take_char(at, "Zz")) {
		*ret_east_s = 0;
		return 1;
	}
	if (!take_char(at, "+-"))
		return 0;
	hours = take_digits(at, 2);
	if (!take_char(at, ":"))
		return 0;
	minutes = take_digits(at, 2);
	if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
		return 0;
	*ret_east_s = sign * (hours * 3600 + minutes * 60);
	return 1;
}

static int parse_stamp(const char *text, int64_t *ret_us)
{
	struct tm tm = {.tm_isdst = -1};
	struct tm given;
	int64_t fraction;
	int east_s = 0;
	time_t seconds;

	if (!take_date(&text, &tm) || !take_char(&text, "Tt ") || !take_clock(&text, &tm))
		return RV_E_PARSE;
	fraction = take_fraction_us(&text);
	if (fraction < 0)
		return RV_E_PARSE;
	given = tm;
	if (*text == '\0')
		seconds = mktime(&tm);
	else if (take_zone(&text, &east_s) && *text == '\0')
		seconds = timegm(&tm) - east_s;
	else
		return RV_E_PARSE;
	if (tm.tm_mday != given.tm_mday) /* 30 February */
		return RV_E_PARSE;
	*ret_us = (int64_t)seconds * RV_S_US + fraction;
	return RV_OK;
}

/* HH:MM[:SS], local: the next such time after now. */
static int parse_clock(const char *text, int64_t now_us, int64_t *ret_us)
{
	time_t now = (time_t)(now_us / RV_S_US);
	struct tm tm;
	struct tm want = {0};

	if (!take_clock(&text, &want) || *text != '\0' || !localtime_r(&now, &tm))
		return RV_E_PARSE;
	tm.tm_hour = want.tm_hour;
	tm.tm_min = want.tm_min;
	tm.tm_sec = want.tm_sec;
	tm.tm_isdst = -1;
	int64_t at = (int64_t)mktime(&tm) * RV_S_US;
	if (at <= now_us) {
		tm.tm_mday++;
		tm.tm_isdst = -1;
		at = (int64_t)mktime(&tm) * RV_S_US;
	}
	*ret_us = at;
	return RV_OK;
}

static int parse_epoch(const char *text, int64_t *ret_us)
{
	char *end;
	int64_t fraction;
	long long seconds;

	if (!isdigit((unsigned char)*text))
		return RV_E_PARSE;
	errno = 0;
	seconds = strtoll(text, &end, 10);
	if (errno != 0 || seconds > INT64_MAX / RV_S_US / 2)
		return RV_E_PARSE;
	text = end;
	fraction = take_fraction_us(&text);
	if (fraction < 0 || *text != '\0')
		return RV_E_PARSE;
	*ret_us = seconds * RV_S_US + fraction;
	return RV_OK;
}

int rv_parse_time(const char *text, int64_t now_us, int64_t *ret_us)
{
	int64_t delay_us;

	if (*text == '@')
		return parse_epoch(text + 1, ret_us);
	if (*text == '+') {
		if (rv_parse_duration(text + 1, &delay_us) != RV_OK ||
		    __builtin_add_overflow(now_us, delay_us, &delay_us))
			return RV_E_PARSE;
		*ret_us = delay_us;
		return RV_OK;
	}
	if (strlen(text) > 4 && text[4] == '-')
		return parse_stamp(text, ret_us);
	return parse_clock(text, now_us, ret_us);
}

static char *fmt_units(char *out, int64_t value, const struct unit *units, size_t count)
{
	size_t used = 0;

	PRE(value >= 0);
	if (value == 0)
		return strcpy(out, "0"); /* NOLINT: two bytes into RV_FMT_SPACE */
	for (size_t i = 0; i < count; i++) {
		int64_t n = value / units[i].value;

		if (n == 0)
			continue;
		used += (size_t)snprintf(out + used, RV_FMT_SPACE - used, "%lld%s", (long long)n,
					 units[i].name);
		value -= n * units[i].value;
	}
	return out;
}

char *rv_fmt_duration(char *out, int64_t us)
{
	return fmt_units(out, us, time_units, RV_ARRAY_LEN(time_units));
}

char *rv_fmt_size(char *out, int64_t bytes)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(size_units); i++) {
		if (bytes > 0 && bytes % size_units[i].value == 0) {
			(void)snprintf(out, RV_FMT_SPACE, "%lld%s",
				       (long long)(bytes / size_units[i].value),
				       size_units[i].name);
			return out;
		}
	}
	return fmt_units(out, bytes, size_units, RV_ARRAY_LEN(size_units));
}

char *rv_fmt_about(char *out, int64_t us)
{
	const struct unit *unit = &time_units[RV_ARRAY_LEN(time_units) - 1];
	int64_t size = us < 0 ? -us : us;

	if (us == 0) {
		(void)snprintf(out, RV_FMT_SPACE, "0s");
		return out;
	}
	for (size_t i = 1; i < RV_ARRAY_LEN(time_units); i++) { /* weeks are not how people count */
		if (size >= time_units[i].value) {
			unit = &time_units[i];
			break;
		}
	}
	int64_t tenths = us * 10 / unit->value;
	if (tenths > -100 && tenths < 100 && tenths % 10 != 0)
		(void)snprintf(out, RV_FMT_SPACE, "%s%lld.%lld%s", tenths < 0 ? "-" : "",
			       (long long)llabs(tenths / 10), (long long)llabs(tenths % 10),
			       unit->name);
	else
		(void)snprintf(out, RV_FMT_SPACE, "%lld%s", (long long)(tenths / 10), unit->name);
	return out;
}

char *rv_fmt_time(char *out, int64_t wall_us)
{
	time_t seconds = (time_t)(wall_us / RV_S_US);
	struct tm tm;
	size_t used;

	if (!gmtime_r(&seconds, &tm)) {
		(void)snprintf(out, RV_FMT_SPACE, "@%lld", (long long)seconds);
		return out;
	}
	used = strftime(out, RV_FMT_SPACE, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(out + used, RV_FMT_SPACE - used, ".%06lldZ", (long long)(wall_us % RV_S_US));
	return out;
}
