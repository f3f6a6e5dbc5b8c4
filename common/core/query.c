/*
 * Reading a query: its terms into numbers and patterns, or a sentence and the place where it goes
 * wrong.  Whoever searches a store.  Pure: no I/O, no clock, no memory of its own.
 */
#include "core/query.h"

#include "base/check.h"
#include "base/fmt.h"
#include "base/near.h"
#include "core/job.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum kind { STATE, TEXT, NUMBER, PAST, FUTURE, SPAN };

static const struct {
	const char *name;
	enum kind kind;
} fields[RV_QUERY_FIELDS] = {
#define FIELD(sym, shown, what, help) [RV_QUERY_##sym] = {shown, what},
#include "core/query.def"
#undef FIELD
};

#define VALUE_MAX 512 /* bytes of one value of a number, state or time; of a word in an error */

struct parser {
	const char *text, *at;
	struct rv_query *query;
	struct rv_why *why;
	size_t *ret_at;
};

/* A sentence about the place ${at}. */
static int wrong(struct parser *p, const char *at, const char *format, ...) RV_PRINTF(3, 4);

static int wrong(struct parser *p, const char *at, const char *format, ...)
{
	char says[sizeof p->why->text];
	va_list args;

	PRE(at >= p->text);
	va_start(args, format);
	(void)vsnprintf(says, sizeof says, format, args);
	va_end(args);
	*p->ret_at = (size_t)(at - p->text);
	return rv_fail(p->why, RV_E_USAGE, "%s", says);
}

const char *rv_query_field_name(enum rv_query_field field)
{
	PRE((unsigned)field < RV_QUERY_FIELDS);
	return fields[field].name;
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
	       (c >= '0' && c <= '9');
}

static int unknown_field(struct parser *p, const char *at, const char *name)
{
	const char *names[RV_QUERY_FIELDS + 1];
	const char *near;

	for (int i = 0; i < RV_QUERY_FIELDS; i++)
		names[i] = fields[i].name;
	names[RV_QUERY_FIELDS] = "sort";
	near = rv_near(name, names, RV_QUERY_FIELDS + 1);
	return wrong(p, at, "there is no field %s%s%s%s", name, near ? "; did you mean " : "",
		     near ? near : "", near ? "?" : "");
}

static int find_field(struct parser *p, const char *at, const char *name,
		      enum rv_query_field *ret_field)
{
	for (int i = 0; i < RV_QUERY_FIELDS; i++) {
		if (strcmp(fields[i].name, name) == 0) {
			*ret_field = (enum rv_query_field)i;
			return RV_OK;
		}
	}
	return unknown_field(p, at, name);
}

/* "dead" alone: what it may have meant. */
static int no_operator(struct parser *p, const char *at, const char *word)
{
	enum rv_job_state state;

	if (rv_job_state_parse(word, &state) == RV_OK)
		return wrong(p, at, "a term is FIELD:VALUE; did you mean state:%s?", word);
	return wrong(p, at, "a term is FIELD:VALUE, such as state:dead or attempts>2");
}

static int read_op(struct parser *p, enum rv_query_op *ret_op)
{
	static const struct {
		const char *text;
		enum rv_query_op op;
	} ops[] = {{":", RV_QUERY_IS},       {"=", RV_QUERY_IS},    {"!=", RV_QUERY_ISNT},
		   {"<=", RV_QUERY_AT_MOST}, {"<", RV_QUERY_BELOW}, {">=", RV_QUERY_AT_LEAST},
		   {">", RV_QUERY_ABOVE}};

	for (size_t i = 0; i < RV_ARRAY_LEN(ops); i++) {
		size_t size = strlen(ops[i].text);

		if (strncmp(p->at, ops[i].text, size) == 0) {
			*ret_op = ops[i].op;
			p->at += size;
			return RV_OK;
		}
	}
	return RV_E_NOTFOUND;
}

static int put(struct parser *p, char c)
{
	struct rv_query *q = p->query;

	if (q->ntext == sizeof q->text)
		return wrong(p, p->at, "the query is too long");
	q->text[q->ntext++] = c;
	return RV_OK;
}

/* A backslash stays, for the match; a NUL in a query cannot be. */
static int put_escaped(struct parser *p)
{
	int err;

	if (p->at[1] == '\0')
		return wrong(p, p->at, "a backslash needs a character after it");
	err = put(p, *p->at++);
	return err == RV_OK ? put(p, *p->at++) : err;
}

/* One value up to a comma or space, or its closing quotes, put into the query's texts. */
static int read_value(struct parser *p)
{
	const char *start = p->at;
	bool quoted = false;
	int err = RV_OK;

	while (err == RV_OK && *p->at != '\0' && (quoted || !strchr(" \t\n,", *p->at))) {
		if (*p->at == '"') {
			quoted = !quoted;
			p->at++;
		} else if (*p->at == '\\') {
			err = put_escaped(p);
		} else {
			err = put(p, *p->at++);
		}
	}
	if (err == RV_OK && quoted)
		return wrong(p, start, "the quotes are not closed");
	if (err == RV_OK && p->at == start)
		return wrong(p, start, "a value is missing");
	return err == RV_OK ? put(p, '\0') : err;
}

static int parse_state(struct parser *p, const char *at, const char *value, int64_t *ret)
{
	const char *names[RV_JOB_STATES];
	enum rv_job_state state;
	const char *near;

	if (rv_job_state_parse(value, &state) == RV_OK) {
		*ret = state;
		return RV_OK;
	}
	for (int i = 0; i < RV_JOB_STATES; i++)
		names[i] = rv_job_state_name((enum rv_job_state)i);
	near = rv_near(value, names, RV_JOB_STATES);
	return wrong(p, at, "there is no state %s%s%s%s", value, near ? "; did you mean " : "",
		     near ? near : "", near ? "?" : "");
}

/* An age or a date.  Less than an hour ago is after the hour: the comparison turns round. */
static int parse_time(struct parser *p, const char *at, const char *value,
		      struct rv_query_term *term, int64_t *ret)
{
	static const enum rv_query_op turned[] = {
		[RV_QUERY_BELOW] = RV_QUERY_ABOVE,
		[RV_QUERY_AT_MOST] = RV_QUERY_AT_LEAST,
		[RV_QUERY_ABOVE] = RV_QUERY_BELOW,
		[RV_QUERY_AT_LEAST] = RV_QUERY_AT_MOST,
	};
	int64_t now = p->query->now_us;
	int64_t span;

	if (rv_parse_duration(value, &span) == RV_OK) {
		if (fields[term->field].kind == PAST) {
			term->op = turned[term->op];
			*ret = span > now ? 0 : now - span;
		} else {
			*ret = span > INT64_MAX - now ? INT64_MAX : now + span;
		}
		return RV_OK;
	}
	if (rv_parse_time(value, now, ret) == RV_OK)
		return RV_OK;
	return wrong(p, at, "%s is neither a length of time, such as 1h, nor a date", value);
}

static int parse_number(struct parser *p, const char *at, const char *value,
			struct rv_query_term *term, int64_t *ret)
{
	switch (fields[term->field].kind) {
	case STATE:
		return parse_state(p, at, value, ret);
	case PAST:
	case FUTURE:
		return parse_time(p, at, value, term, ret);
	case SPAN:
		if (rv_parse_duration(value, ret) == RV_OK)
			return RV_OK;
		return wrong(p, at, "%s is no length of time, such as 5m", value);
	case NUMBER:
	case TEXT:
	default:
		if (rv_parse_int(value, INT64_MIN + 1, INT64_MAX, ret) == RV_OK)
			return RV_OK;
		return wrong(p, at, "%s is no number", value);
	}
}

static int check_op(struct parser *p, const char *at, const struct rv_query_term *term)
{
	enum kind kind = fields[term->field].kind;
	bool equality = term->op == RV_QUERY_IS || term->op == RV_QUERY_ISNT;
	const char *name = fields[term->field].name;

	if ((kind == STATE || kind == TEXT) && !equality)
		return wrong(p, at, "%s can be compared by : and != only", name);
	if ((kind == PAST || kind == FUTURE || kind == SPAN) && equality)
		return wrong(p, at, "%s needs <, <=, > or >=", name);
	return RV_OK;
}

/* The value just read, as a number: the text is not needed any more. */
static int keep_number(struct parser *p, const char *at, size_t text, struct rv_query_term *term)
{
	struct rv_query *q = p->query;
	int64_t number = 0;
	int err;

	if (q->nnumbers == RV_QUERY_NUMBERS)
		return wrong(p, at, "more than %d numbers", RV_QUERY_NUMBERS);
	if (q->ntext - text > VALUE_MAX)
		return wrong(p, at, "the value is too long");
	err = parse_number(p, at, q->text + text, term, &number);
	q->ntext = text;
	if (err == RV_OK)
		q->numbers[q->nnumbers++] = number;
	return err;
}

static int read_values(struct parser *p, struct rv_query_term *term)
{
	struct rv_query *q = p->query;
	bool is_text = fields[term->field].kind == TEXT;
	bool one = term->op != RV_QUERY_IS && term->op != RV_QUERY_ISNT;

	term->first = (uint16_t)(is_text ? q->ntext : q->nnumbers);
	for (;;) {
		const char *at = p->at;
		size_t text = q->ntext;
		int err = read_value(p);

		if (err == RV_OK && !is_text)
			err = keep_number(p, at, text, term);
		if (err != RV_OK)
			return err;
		term->count++;
		if (*p->at != ',')
			return RV_OK;
		if (one)
			return wrong(p, p->at, "one value only");
		p->at++;
	}
}

static int read_sort(struct parser *p, const char *at, enum rv_query_op op)
{
	struct rv_query *q = p->query;
	size_t text = q->ntext;
	const char *value = p->at;
	const char *name;
	int err;

	if (op != RV_QUERY_IS)
		return wrong(p, at, "sort:FIELD or sort:-FIELD");
	err = read_value(p);
	if (err != RV_OK)
		return err;
	name = q->text + text;
	q->ascending = *name != '-';
	q->ntext = text;
	err = find_field(p, value + !q->ascending, name + !q->ascending, &q->sort);
	if (err != RV_OK)
		return err;
	if (fields[q->sort].kind == TEXT || fields[q->sort].kind == STATE)
		return wrong(p, value, "jobs cannot be sorted by %s", fields[q->sort].name);
	return RV_OK;
}

/* The NAME of meta.NAME, up to the operator. */
static int read_name(struct parser *p, struct rv_query_term *term)
{
	const char *start = p->at;
	bool quoted = false;
	int err = RV_OK;

	term->name = (uint16_t)p->query->ntext;
	if (*p->at != '.')
		return wrong(p, start, "meta needs a name: meta.NAME:VALUE");
	p->at++;
	while (err == RV_OK && *p->at != '\0' && (quoted || !strchr(" \t\n:=!<>", *p->at))) {
		if (*p->at == '"')
			quoted = !quoted;
		else
			err = put(p, *p->at);
		p->at++;
	}
	if (err == RV_OK && (quoted || p->at == start + 1))
		return wrong(p, start + 1, "%s",
			     quoted ? "the quotes are not closed" : "a name is missing");
	return err == RV_OK ? put(p, '\0') : err;
}

static int read_term(struct parser *p)
{
	struct rv_query *q = p->query;
	struct rv_query_term term = {.op = RV_QUERY_IS};
	const char *start = p->at;
	const char *at;
	char name[VALUE_MAX];
	int err = RV_OK;

	while (is_name(*p->at))
		p->at++;
	(void)snprintf(name, sizeof name, "%.*s", (int)(p->at - start), start);
	if (strcmp(name, "meta") == 0)
		err = read_name(p, &term);
	if (err != RV_OK)
		return err;
	at = p->at;
	if (at == start || read_op(p, &term.op) != RV_OK)
		return no_operator(p, start, name);
	if (strcmp(name, "sort") == 0)
		return read_sort(p, at, term.op);
	if (q->nterms == RV_QUERY_TERMS)
		return wrong(p, start, "more than %d terms", RV_QUERY_TERMS);
	err = find_field(p, start, name, &term.field);
	if (err == RV_OK)
		err = check_op(p, at, &term);
	if (err == RV_OK)
		err = read_values(p, &term);
	if (err == RV_OK)
		q->terms[q->nterms++] = term;
	return err;
}

int rv_query_parse(const char *text, int64_t now_us, struct rv_query *ret_query, size_t *ret_at,
		   struct rv_why *why)
{
	struct parser p = {.text = text, .at = text, .why = why};
	int err = RV_OK;

	PRE(now_us >= 0);
	memset(ret_query, 0, sizeof *ret_query);
	p.query = ret_query;
	p.ret_at = ret_at;
	ret_query->now_us = now_us;
	ret_query->sort = RV_QUERY_ID;
	if (strlen(text) >= RV_QUERY_MAX)
		return wrong(&p, text, "a query has at most %d bytes", RV_QUERY_MAX - 1);
	for (;;) {
		p.at += strspn(p.at, " \t\n");
		if (err != RV_OK || *p.at == '\0')
			break;
		err = read_term(&p);
	}
	POST(err != RV_OK || ret_query->nterms <= RV_QUERY_TERMS);
	return err;
}
