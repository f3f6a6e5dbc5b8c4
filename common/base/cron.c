/*
 * From the text of a schedule to a plain spec.  Whoever reads a configuration, the CLI, the keeper.
 * It says where a text is wrong, and refuses what can never be; it never guesses.
 */
#include "base/cron.h"

#include "base/check.h"
#include "base/civil.h"
#include "base/fmt.h"
#include "base/spec.h"

#include <stdio.h>
#include <string.h>

#define FIELDS_MAX 6

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun",
					  "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct field {
	const char *what;
	int min, max;
	const char *const *names; /* of min, min + 1, ...; NULL: none */
	int nnames;
	size_t offset; /* of its bits */
};

static const struct field fields[FIELDS_MAX] = {
	{"second", 0, 59, NULL, 0, offsetof(struct rv_cron, seconds)},
	{"minute", 0, 59, NULL, 0, offsetof(struct rv_cron, minutes)},
	{"hour", 0, 23, NULL, 0, offsetof(struct rv_cron, hours)},
	{"day", 1, 31, NULL, 0, offsetof(struct rv_cron, days)},
	{"month", 1, 12, month_names, RV_ARRAY_LEN(month_names), offsetof(struct rv_cron, months)},
	{"weekday", 0, 7, day_names, RV_ARRAY_LEN(day_names), offsetof(struct rv_cron, weekdays)},
};
enum { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY };

struct parser {
	const char *text;
	const char *at;
	struct rv_cron cron;
	struct rv_why *why;
	size_t column; /* of a mistake, from 1; 0: where ${at} stands */
};

static void skip_blanks(struct parser *p)
{
	p->at += strspn(p->at, " \t");
}

static size_t word_size(const char *at)
{
	return strcspn(at, " \t");
}

static bool is_end(char c)
{
	return c == '\0' || c == ' ' || c == '\t';
}

static int lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* Whether the letters at ${at} are ${name}, in any case, and no more. */
static bool is_name(const char *at, size_t size, const char *name)
{
	if (size != strlen(name))
		return false;
	for (size_t i = 0; i < size; i++) {
		if (lower(at[i]) != name[i])
			return false;
	}
	return true;
}

static int wrong_value(struct parser *p, const struct field *f, size_t size)
{
	int shown = (int)(size > 20 ? 20 : size);

	if (size == 0)
		return rv_fail(p->why, RV_E_PARSE, "%s: a number is missing", f->what);
	if (*p->at == '?' || *p->at == 'L' || *p->at == 'W' || *p->at == '#' || *p->at == 'H')
		return rv_fail(p->why, RV_E_PARSE, "%s: %c is not known here", f->what, *p->at);
	return rv_fail(p->why, RV_E_PARSE, "%s: %.*s is not %s%d to %d%s", f->what, shown, p->at,
		       f->names ? "a name or " : "", f->min, f->max,
		       f->names == day_names ? " (Sunday is 0 and 7)" : "");
}

/* A number or a name of ${f}. */
static int take_value(struct parser *p, const struct field *f, int *ret)
{
	size_t size = strcspn(p->at, " \t,-/");
	int value = 0;

	for (int i = 0; i < f->nnames; i++) {
		if (is_name(p->at, size, f->names[i])) {
			*ret = f->min + i;
			p->at += size;
			return RV_OK;
		}
	}
	if (size == 0 || size > 3 || strspn(p->at, "0123456789") < size)
		return wrong_value(p, f, size);
	for (size_t i = 0; i < size; i++)
		value = value * 10 + (p->at[i] - '0');
	if (value < f->min || value > f->max)
		return wrong_value(p, f, size);
	*ret = value;
	p->at += size;
	return RV_OK;
}

static int take_step(struct parser *p, const struct field *f, int *ret)
{
	size_t size = strspn(p->at, "0123456789");
	int64_t step = 0;
	char digits[8] = "";

	if (size > 0 && size < sizeof(digits))
		memcpy(digits, p->at, size);
	if (rv_parse_int(digits, 1, f->max, &step) != RV_OK)
		return rv_fail(p->why, RV_E_PARSE, "%s: a step is a number from 1 to %d", f->what,
			       f->max);
	*ret = (int)step;
	p->at += size;
	return RV_OK;
}

/* One of the list: a star, A or A-B, and a step. */
static int take_range(struct parser *p, const struct field *f, uint64_t *bits)
{
	const char *begin = p->at;
	int first = f->min;
	int last = f == &fields[WEEKDAY] ? 6 : f->max;
	int step = 1;
	bool star = *p->at == '*';
	int err = RV_OK;

	if (star)
		p->at++;
	else
		err = take_value(p, f, &first);
	if (!err && !star && *p->at == '-') {
		p->at++;
		err = take_value(p, f, &last);
	} else if (!err && !star && *p->at != '/') {
		last = first;
	}
	if (!err && last < first) {
		p->column = (size_t)(begin - p->text) + 1;
		return rv_fail(p->why, RV_E_PARSE, "%s: the range goes backwards", f->what);
	}
	if (!err && *p->at == '/') {
		p->at++;
		err = take_step(p, f, &step);
	}
	for (int i = first; !err && i <= last; i += step)
		*bits |= 1ULL << i;
	return err;
}

static int take_field(struct parser *p, const struct field *f)
{
	uint64_t *bits = (uint64_t *)(void *)((char *)&p->cron + f->offset);
	int err;

	skip_blanks(p);
	*bits = 0;
	do {
		err = take_range(p, f, bits);
	} while (!err && *p->at == ',' && *p->at++ != '\0');
	if (!err && !is_end(*p->at))
		return rv_fail(p->why, RV_E_PARSE, "%s: \"%.1s\" cannot stand here", f->what,
			       p->at);
	if (!err && f == &fields[WEEKDAY] && (*bits & 1ULL << 7) != 0)
		*bits = (*bits | 1) & 0x7f;
	return err;
}

/* Some day of some year fits: the day of the month exists in one of the months. */
static bool can_be(const struct rv_cron *cron)
{
	for (int month = 1; month <= 12; month++) {
		uint64_t there = (2ULL << rv_civil_month_days(2000, month)) - 1;

		if ((cron->months & 1ULL << month) != 0 && (cron->days & there) != 0)
			return true;
	}
	return false;
}

static int count_fields(const char *text)
{
	int n = 0;

	for (text += strspn(text, " \t"); *text != '\0'; text += strspn(text, " \t")) {
		n++;
		text += word_size(text);
	}
	return n;
}

static int parse_fields(struct parser *p)
{
	const char *begins[FIELDS_MAX];
	int n = count_fields(p->at);
	int err = RV_OK;

	if (n != 5 && n != 6)
		return rv_fail(p->why, RV_E_PARSE,
			       "it has %d field%s; it needs 5 (minute hour day month weekday) or 6 "
			       "(second first)",
			       n, n == 1 ? "" : "s");
	p->cron.kind = RV_CRON_FIELDS;
	p->cron.seconds = 1;
	for (int i = FIELDS_MAX - n; !err && i < FIELDS_MAX; i++) {
		skip_blanks(p);
		begins[i] = p->at;
		err = take_field(p, &fields[i]);
	}
	if (err)
		return err;
	p->cron.either_day = *begins[DAY] != '*' && *begins[WEEKDAY] != '*';
	if (!p->cron.either_day && !can_be(&p->cron)) {
		p->column = (size_t)(begins[DAY] - p->text) + 1;
		return rv_fail(p->why, RV_E_PARSE,
			       "no such day is in such a month: it never fires");
	}
	return RV_OK;
}

static int parse_word(struct parser *p)
{
	static const struct {
		const char *word, *means;
	} words[] = {
		{"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
		{"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
		{"@annually", "0 0 1 1 *"},
	};
	size_t size = word_size(p->at);
	const char *rest = p->at + size + strspn(p->at + size, " \t");

	if (is_name(p->at, size, "@reboot"))
		return rv_fail(
			p->why, RV_E_PARSE,
			"@reboot is not a time: what must run with the daemon is a pool or a "
			"service of its own");
	for (size_t i = 0; i < RV_ARRAY_LEN(words); i++) {
		struct parser inner = {.text = words[i].means, .at = words[i].means};
		int err;

		if (!is_name(p->at, size, words[i].word))
			continue;
		if (*rest != '\0') {
			p->at = rest;
			return rv_fail(p->why, RV_E_PARSE, "nothing can follow %s", words[i].word);
		}
		err = parse_fields(&inner);
		INV(err == RV_OK);
		p->cron = inner.cron;
		return err;
	}
	return rv_fail(p->why, RV_E_PARSE,
		       "it can be @hourly, @daily, @midnight, @weekly, @monthly, @yearly or "
		       "@annually");
}

static int parse_every(struct parser *p)
{
	p->cron.kind = RV_CRON_EVERY;
	if (rv_parse_duration(p->at, &p->cron.every_us) != RV_OK)
		return rv_fail(p->why, RV_E_PARSE, "every needs a duration such as 90s or 1h30m");
	if (p->cron.every_us < RV_CRON_EVERY_MIN_US || p->cron.every_us > RV_CRON_EVERY_MAX_US)
		return rv_fail(p->why, RV_E_PARSE, "every is from 1s to 3660d");
	return RV_OK;
}

/* Digits, exactly ${n} of them; -1: they are not there. */
static int take_digits(struct parser *p, int n)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		if (p->at[i] < '0' || p->at[i] > '9')
			return -1;
		value = value * 10 + (p->at[i] - '0');
	}
	p->at += n;
	return value;
}

/* ${c}, and ${n} digits from 0 to ${max}; -1: they are not there. */
static int take_part(struct parser *p, const char *c, int n, int max)
{
	int value;

	if (*p->at == '\0' || !strchr(c, *p->at))
		return -1;
	p->at++;
	value = take_digits(p, n);
	return value <= max ? value : -1;
}

static int parse_at(struct parser *p)
{
	static const char form[] = "at needs a time such as 2026-12-24T18:00, 2026-12-24T18:00:30 "
				   "or, in UTC, 2026-12-24T18:00Z";
	int year = take_digits(p, 4);
	int month = year < 0 ? -1 : take_part(p, "-", 2, 12);
	int day = month < 1 ? -1 : take_part(p, "-", 2, 31);
	int hour = day < 1 ? -1 : take_part(p, "T ", 2, 23);
	int minute = hour < 0 ? -1 : take_part(p, ":", 2, 59);
	int second = minute >= 0 && *p->at == ':' ? take_part(p, ":", 2, 59) : 0;

	p->cron.kind = RV_CRON_AT;
	if (minute < 0 || second < 0 || year < 1970)
		return rv_fail(p->why, RV_E_PARSE, form);
	if (day > rv_civil_month_days(year, month))
		return rv_fail(p->why, RV_E_PARSE, "that month has no day %d", day);
	p->cron.at_utc = *p->at == 'Z';
	p->at += p->cron.at_utc;
	skip_blanks(p);
	if (*p->at != '\0')
		return rv_fail(p->why, RV_E_PARSE, form);
	p->cron.at_s =
		rv_civil_days(year, month, day) * RV_DAY_S + hour * 3600LL + minute * 60LL + second;
	return RV_OK;
}

/* Whether the text begins with ${word} and a blank; then the parser stands behind them. */
static bool begins_with(struct parser *p, const char *word)
{
	size_t size = word_size(p->at);

	if (!is_name(p->at, size, word))
		return false;
	p->at += size;
	skip_blanks(p);
	return true;
}

int rv_cron_parse(const char *text, struct rv_cron *ret_cron, size_t *ret_column,
		  struct rv_why *why)
{
	struct parser p = {.text = text, .at = text, .why = why};
	int err;

	PRE(text && ret_cron && ret_column);
	skip_blanks(&p);
	if (strlen(text) >= RV_CRON_MAX)
		err = rv_fail(why, RV_E_PARSE, "it is longer than %d bytes", RV_CRON_MAX - 1);
	else if (*p.at == '@')
		err = parse_word(&p);
	else if (begins_with(&p, "every"))
		err = parse_every(&p);
	else if (begins_with(&p, "at"))
		err = parse_at(&p);
	else
		err = parse_fields(&p);
	if (err == RV_OK)
		*ret_cron = p.cron;
	else
		*ret_column = p.column ? p.column : (size_t)(p.at - text) + 1;
	return err;
}

int rv_cron_read(const char *text, struct rv_cron *ret_cron, struct rv_why *why)
{
	struct rv_why what = {.text = ""};
	size_t column = 1;
	int err = rv_cron_parse(text, ret_cron, &column, &what);

	if (err == RV_OK)
		return RV_OK;
	if (strlen(text) > 100 || strpbrk(text, "\t\n"))
		return rv_fail(why, err, "column %zu: %s", column, what.text);
	return rv_fail(why, err, "%s\n    %s\n    %*s", what.text, text, (int)column, "^");
}

static const struct {
	const char *word;
	int64_t value;
} catch_up_words[] = {
	{"none", RV_CATCH_UP_NONE}, {"last", RV_CATCH_UP_LAST}, {"all", RV_CATCH_UP_ALL}};

int rv_catch_up_parse(const char *text, int64_t *ret_catch_up)
{
	int64_t us = 0;

	PRE(text && ret_catch_up);
	for (size_t i = 0; i < RV_ARRAY_LEN(catch_up_words); i++) {
		if (strcmp(text, catch_up_words[i].word) != 0)
			continue;
		*ret_catch_up = catch_up_words[i].value;
		return RV_OK;
	}
	if (rv_parse_duration(text, &us) != RV_OK || us <= 0)
		return RV_E_PARSE;
	*ret_catch_up = us;
	return RV_OK;
}

char *rv_catch_up_fmt(char *out, int64_t catch_up)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(catch_up_words); i++) {
		if (catch_up_words[i].value == catch_up) {
			(void)snprintf(out, RV_FMT_SPACE, "%s", catch_up_words[i].word);
			return out;
		}
	}
	return rv_fmt_duration(out, catch_up);
}
