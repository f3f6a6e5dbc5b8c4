/*
 * Time zones: the data of TZif files (RFC 8536), read by ourselves, because the C library knows one
 * zone at a time, from the environment.  Whoever reckons with schedules.  Every count and index of
 * the file is bounded before it is used: the file is input.
 */
#include "base/zone.h"

#include "base/check.h"
#include "base/civil.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_SIZE    44
#define TIMES_MAX    20000u /* changes in a file; the longest has some 250 */
#define OFFSET_MAX_S 93599  /* 25:59:59, RFC 8536 3.2 */

/* A day of the year on which the clocks change, as POSIX TZ has it. */
struct rule {
	enum { RULE_MONTH, RULE_JULIAN, RULE_ZERO } kind; /* Mm.w.d, Jn (no Feb 29), n */
	int month, week, weekday, day;
	int64_t time_s; /* on a clock that has not been changed yet */
};

struct rv_zone {
	size_t ntimes;
	int64_t *times;   /* owned; offsets[i] is in force from times[i] on */
	int32_t *offsets; /* owned */
	int32_t before;   /* in force before the first */
	bool has_tail;    /* what follows the last is by rule */
	bool has_dst;
	int32_t std, dst;
	struct rule start, end; /* of dst */
};

bool rv_zone_name_sane(const char *name)
{
	size_t size = strlen(name);

	if (size == 0 || size >= RV_ZONE_NAME_MAX || name[0] == '/' || name[size - 1] == '/' ||
	    strstr(name, "..") || strstr(name, "//"))
		return false;
	return strspn(name,
		      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-./") ==
	       size;
}

void rv_zone_free(struct rv_zone *zone)
{
	if (!zone)
		return;
	free(zone->times);
	free(zone->offsets);
	free(zone);
}

/* ---- the footer: a POSIX TZ string */

static bool skip_name(const char **at)
{
	const char *from = *at;

	if (**at == '<') {
		while (**at != '\0' && **at != '>')
			(*at)++;
		if (**at != '>')
			return false;
		(*at)++;
		return *at - from > 4;
	}
	while ((**at >= 'A' && **at <= 'Z') || (**at >= 'a' && **at <= 'z'))
		(*at)++;
	return *at - from >= 3;
}

static bool take_number(const char **at, int64_t max, int64_t *ret)
{
	int64_t value = 0;
	const char *from = *at;

	while (**at >= '0' && **at <= '9' && *at - from < 4)
		value = value * 10 + (*(*at)++ - '0');
	*ret = value;
	return *at > from && value <= max;
}

/* [+-]h[:m[:s]] */
static bool take_time(const char **at, int64_t max_hours, int64_t *ret_s)
{
	int64_t sign = **at == '-' ? -1 : 1;
	int64_t hours;
	int64_t minutes = 0;
	int64_t seconds = 0;

	if (**at == '-' || **at == '+')
		(*at)++;
	if (!take_number(at, max_hours, &hours))
		return false;
	if (**at == ':') {
		(*at)++;
		if (!take_number(at, 59, &minutes))
			return false;
	}
	if (**at == ':') {
		(*at)++;
		if (!take_number(at, 59, &seconds))
			return false;
	}
	*ret_s = sign * (hours * 3600LL + minutes * 60LL + seconds);
	return true;
}

/* Mm.w.d behind the M. */
static bool take_month(const char **at, struct rule *rule)
{
	int64_t month;
	int64_t week;
	int64_t weekday;

	if (!take_number(at, 12, &month) || month < 1 || *(*at)++ != '.' ||
	    !take_number(at, 5, &week) || week < 1 || *(*at)++ != '.' ||
	    !take_number(at, 6, &weekday))
		return false;
	rule->month = (int)month;
	rule->week = (int)week;
	rule->weekday = (int)weekday;
	return true;
}

static bool take_rule(const char **at, struct rule *rule)
{
	int64_t day = 0;

	if (**at != ',')
		return false;
	(*at)++;
	rule->time_s = 7200;
	if (**at == 'M') {
		(*at)++;
		rule->kind = RULE_MONTH;
		if (!take_month(at, rule))
			return false;
	} else {
		rule->kind = **at == 'J' ? RULE_JULIAN : RULE_ZERO;
		*at += **at == 'J';
		if (!take_number(at, 365, &day) || (rule->kind == RULE_JULIAN && day < 1))
			return false;
		rule->day = (int)day;
	}
	if (**at == '/') {
		(*at)++;
		return take_time(at, 167, &rule->time_s);
	}
	return true;
}

/* Offsets are west of UTC there.  An empty one: nothing is known of later times. */
static bool parse_tail(struct rv_zone *z, const char *text)
{
	int64_t west;

	if (*text == '\0')
		return true;
	if (!skip_name(&text) || !take_time(&text, 24, &west))
		return false;
	z->has_tail = true;
	z->std = (int32_t)-west;
	if (*text == '\0')
		return true;
	if (!skip_name(&text))
		return false;
	z->has_dst = true;
	z->dst = z->std + 3600;
	if (*text != ',') {
		if (!take_time(&text, 24, &west))
			return false;
		z->dst = (int32_t)-west;
	}
	return take_rule(&text, &z->start) && take_rule(&text, &z->end) && *text == '\0';
}

/* ---- the file */

static int64_t number_at(const unsigned char *at, int size)
{
	uint64_t value = size == 4 && (at[0] & 0x80) != 0 ? UINT64_MAX : 0;

	for (int i = 0; i < size; i++)
		value = value << 8 | at[i];
	return (int64_t)value;
}

struct head {
	size_t isut, isstd, leap, time, type, chars;
};

static bool read_head(const unsigned char *data, size_t size, struct head *h)
{
	size_t *const counts[] = {&h->isut, &h->isstd, &h->leap, &h->time, &h->type, &h->chars};

	if (size < HEAD_SIZE || memcmp(data, "TZif", 4) != 0)
		return false;
	for (size_t i = 0; i < RV_ARRAY_LEN(counts); i++) {
		int64_t count = number_at(data + 20 + i * 4, 4);

		if (count < 0 || count > (int64_t)TIMES_MAX)
			return false;
		*counts[i] = (size_t)count;
	}
	return h->type > 0 && h->type <= 256;
}

/* Bytes of the data behind a header, with times of ${width} bytes. */
static size_t body_size(const struct head *h, size_t width)
{
	return h->time * (width + 1) + h->type * 6 + h->chars + h->leap * (width + 4) + h->isstd +
	       h->isut;
}

/* The changes, which must rise; what was in force before them is the first type. */
static bool read_body(struct rv_zone *z, const unsigned char *body, const struct head *h, int width)
{
	const unsigned char *kinds = body + h->time * (size_t)width;
	const unsigned char *types = kinds + h->time;

	z->ntimes = h->time;
	z->times = calloc(h->time + 1, sizeof *z->times);
	z->offsets = calloc(h->time + 1, sizeof *z->offsets);
	if (!z->times || !z->offsets)
		return false;
	for (size_t i = 0; i < h->type; i++) {
		int64_t offset = number_at(types + i * 6, 4);

		if (offset < -OFFSET_MAX_S || offset > OFFSET_MAX_S)
			return false;
	}
	z->before = (int32_t)number_at(types, 4);
	for (size_t i = 0; i < h->time; i++) {
		z->times[i] = number_at(body + i * (size_t)width, width);
		if (kinds[i] >= h->type || (i > 0 && z->times[i] <= z->times[i - 1]))
			return false;
		z->offsets[i] = (int32_t)number_at(types + (size_t)kinds[i] * 6, 4);
	}
	return true;
}

/* What stands between the newlines at the end of a file of version 2 and later. */
static bool read_tail(struct rv_zone *z, const unsigned char *at, size_t size)
{
	char text[128] = "";
	const unsigned char *end;

	if (size < 2 || at[0] != '\n')
		return false;
	end = memchr(at + 1, '\n', size - 1);
	if (!end || (size_t)(end - at) > sizeof(text))
		return false;
	memcpy(text, at + 1, (size_t)(end - at) - 1);
	return !memchr(text, '\0', (size_t)(end - at) - 1) && parse_tail(z, text);
}

static bool read_file(struct rv_zone *z, const unsigned char *data, size_t size)
{
	struct head h;
	size_t first;

	if (!read_head(data, size, &h))
		return false;
	first = HEAD_SIZE + body_size(&h, 4);
	if (size < first)
		return false;
	if (data[4] == '\0') /* version 1 */
		return h.leap == 0 && read_body(z, data + HEAD_SIZE, &h, 4);
	data += first;
	size -= first;
	if (!read_head(data, size, &h) || h.leap != 0 || size < HEAD_SIZE + body_size(&h, 8))
		return false;
	first = HEAD_SIZE + body_size(&h, 8);
	return read_body(z, data + HEAD_SIZE, &h, 8) && read_tail(z, data + first, size - first);
}

int rv_zone_parse(const void *data, size_t size, struct rv_zone **ret_zone, struct rv_why *why)
{
	struct rv_zone *z = calloc(1, sizeof *z);

	PRE(data && ret_zone);
	if (!z)
		return RV_E_NOMEM;
	if (!read_file(z, data, size)) {
		rv_zone_free(z);
		return rv_fail(why, RV_E_PARSE,
			       "is not the file of a time zone, or one that counts leap seconds");
	}
	*ret_zone = z;
	return RV_OK;
}

/* ---- reckoning */

/* Seconds since 1970 on the zone's own clock when ${rule} comes in ${year}. */
static int64_t rule_local(const struct rule *rule, int64_t year)
{
	int64_t first = rv_civil_days(year, 1, 1);
	int64_t day;

	if (rule->kind == RULE_MONTH) {
		int64_t month = rv_civil_days(year, rule->month, 1);
		int length = rv_civil_month_days(year, rule->month);
		int ahead = (rule->weekday - rv_civil_weekday(month) + 7) % 7;
		int in = ahead + (rule->week - 1) * 7;

		day = month + (in < length ? in : in - 7);
	} else {
		day = first + rule->day;
		if (rule->kind == RULE_JULIAN) /* 1 is the first of January, 60 always of March */
			day -= !(rule->day >= 60 && rv_civil_month_days(year, 2) == 29);
	}
	return day * RV_DAY_S + rule->time_s;
}

/* Narrows ${span} by what the rules say; they are in force from ${since} on. */
static void span_of_rules(const struct rv_zone *z, int64_t utc_s, int64_t since,
			  struct rv_zone_span *span)
{
	int64_t year = rv_civil_of(rv_floor_div(utc_s, RV_DAY_S)).year;
	int64_t last = INT64_MIN;

	span->offset_s = z->std;
	span->from_s = since;
	span->to_s = INT64_MAX;
	for (int64_t y = year - 2; z->has_dst && y <= year + 2; y++) {
		for (int summer = 0; summer <= 1; summer++) {
			int64_t at = summer ? rule_local(&z->start, y) - z->std
					    : rule_local(&z->end, y) - z->dst;

			if (at <= utc_s && at >= last) {
				last = at;
				span->offset_s = summer ? z->dst : z->std;
			}
			if (at > utc_s && at < span->to_s)
				span->to_s = at;
		}
	}
	if (last > since)
		span->from_s = last;
}

struct rv_zone_span rv_zone_at(const struct rv_zone *zone, int64_t utc_s)
{
	struct rv_zone_span span = {.from_s = INT64_MIN, .to_s = INT64_MAX};
	size_t low = 0;
	size_t high;

	if (!zone)
		return span;
	high = zone->ntimes; /* how many changes are at or before utc_s */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (zone->times[middle] <= utc_s)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < zone->ntimes)
		span.to_s = zone->times[low];
	if (low > 0)
		span.from_s = zone->times[low - 1];
	span.offset_s = low > 0 ? zone->offsets[low - 1] : zone->before;
	if (low == zone->ntimes && zone->has_tail)
		span_of_rules(zone, utc_s, span.from_s, &span);
	POST(span.from_s <= utc_s && utc_s < span.to_s);
	return span;
}

int64_t rv_zone_first(const struct rv_zone *zone, int64_t local_s)
{
	/* No clock is further from UTC: what was in force then had not shown it yet. */
	struct rv_zone_span span = rv_zone_at(zone, local_s - OFFSET_MAX_S - 1);

	for (;;) {
		int64_t utc_s = local_s - span.offset_s;

		if (utc_s < span.from_s)
			return span.from_s;
		if (utc_s < span.to_s)
			return utc_s;
		span = rv_zone_at(zone, span.to_s);
	}
}
