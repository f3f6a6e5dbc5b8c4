/*
 * Whether a job is what a query asks for, and in which order.  Whoever searches a store.
 * Pure: no I/O, no clock, no memory of its own.
 */
#include "core/query.h"

#include "base/check.h"
#include "core/job.h"

#include <string.h>

/* The byte after the character at ${at}. */
static const char *after(const char *at)
{
	at++;
	while (((unsigned char)*at & 0xc0) == 0x80)
		at++;
	return at;
}

/* Only the last star needs to be gone back to: what an earlier one could give, this one can. */
bool rv_query_glob(const char *pattern, const char *text)
{
	const char *star = NULL;
	const char *from = text;

	PRE(pattern && text);
	while (*text != '\0' || *pattern != '\0') {
		bool literal = *pattern == '\\' && pattern[1] != '\0';

		if (*pattern == '*') {
			star = pattern++;
			from = text;
		} else if (*text != '\0' && *pattern == '?') {
			pattern++;
			text = after(text);
		} else if (*text != '\0' && *text == pattern[literal]) {
			pattern += 1 + literal;
			text++;
		} else if (star && *from != '\0') {
			pattern = star + 1;
			text = ++from;
		} else {
			return false;
		}
	}
	return true;
}

/* The values of a term in a text are one after the other, each with its NUL. */
static bool text_is(const struct rv_query *query, const struct rv_query_term *term,
		    const char *text)
{
	const char *value = query->text + term->first;

	for (unsigned i = 0; text && i < term->count; i++) {
		if (rv_query_glob(value, text))
			return true;
		value += strlen(value) + 1;
	}
	return false;
}

static bool label_is(const struct rv_query *query, const struct rv_query_term *term,
		     const struct rv_query_row *row)
{
	for (size_t i = 0; i < row->nlabels; i++) {
		if (text_is(query, term, row->labels[i]))
			return true;
	}
	return false;
}

static bool meta_is(const struct rv_query *query, const struct rv_query_term *term,
		    const struct rv_query_row *row)
{
	for (size_t i = 0; i < row->nmeta; i++) {
		if (strcmp(row->meta[i].name, query->text + term->name) == 0)
			return text_is(query, term, row->meta[i].value);
	}
	return false;
}

static bool number_is(const struct rv_query *query, const struct rv_query_term *term,
		      int64_t number)
{
	for (unsigned i = 0; i < term->count; i++) {
		if (query->numbers[term->first + i] == number)
			return true;
	}
	return false;
}

static bool is_text(enum rv_query_field field)
{
	static const enum {
		STATE,
		TEXT,
		NUMBER,
		PAST,
		FUTURE,
		SPAN
	} kinds[] = {
#define FIELD(sym, name, kind, help) [RV_QUERY_##sym] = kind,
#include "core/query.def"
#undef FIELD
	};

	PRE((unsigned)field < RV_QUERY_FIELDS);
	return kinds[field] == TEXT;
}

static bool is(const struct rv_query *query, const struct rv_query_term *term,
	       const struct rv_query_row *row)
{
	if (term->field == RV_QUERY_LABEL)
		return label_is(query, term, row);
	if (term->field == RV_QUERY_META)
		return meta_is(query, term, row);
	if (is_text(term->field))
		return text_is(query, term, row->text[term->field]);
	return number_is(query, term, row->number[term->field]);
}

static bool compares(const struct rv_query *query, const struct rv_query_term *term, int64_t number)
{
	int64_t value = query->numbers[term->first];

	if (number == RV_QUERY_ABSENT)
		return false;
	switch (term->op) {
	case RV_QUERY_BELOW:
		return number < value;
	case RV_QUERY_AT_MOST:
		return number <= value;
	case RV_QUERY_ABOVE:
		return number > value;
	case RV_QUERY_AT_LEAST:
		return number >= value;
	case RV_QUERY_IS:
	case RV_QUERY_ISNT:
	default:
		IMPOSSIBLE("equality is no comparison");
	}
}

bool rv_query_match(const struct rv_query *query, const struct rv_query_row *row)
{
	PRE(query->nterms <= RV_QUERY_TERMS);
	for (size_t i = 0; i < query->nterms; i++) {
		const struct rv_query_term *term = &query->terms[i];
		bool holds;

		if (term->op == RV_QUERY_IS || term->op == RV_QUERY_ISNT)
			holds = is(query, term, row) == (term->op == RV_QUERY_IS);
		else
			holds = compares(query, term, row->number[term->field]);
		if (!holds)
			return false;
	}
	return true;
}

bool rv_query_uses(const struct rv_query *query, enum rv_query_field field)
{
	if (query->sort == field)
		return true;
	for (size_t i = 0; i < query->nterms; i++) {
		if (query->terms[i].field == field)
			return true;
	}
	return false;
}

static unsigned states_of(const struct rv_query *query, const struct rv_query_term *term)
{
	unsigned states = 0;

	for (unsigned i = 0; i < term->count; i++)
		states |= 1U << query->numbers[term->first + i];
	return term->op == RV_QUERY_IS ? states : ~states & ((1U << RV_JOB_STATES) - 1);
}

static void push_id(const struct rv_query *query, const struct rv_query_term *term,
		    struct rv_query_push *push)
{
	int64_t value = query->numbers[term->first];
	int64_t above = push->above;
	int64_t below = push->below;

	if (term->op == RV_QUERY_ABOVE)
		above = value;
	else if (term->op == RV_QUERY_AT_LEAST && value > INT64_MIN)
		above = value - 1;
	else if (term->op == RV_QUERY_BELOW)
		below = value;
	else if (term->op == RV_QUERY_AT_MOST && value < INT64_MAX)
		below = value + 1;
	else if (term->op == RV_QUERY_IS && term->count == 1 && value > 0 && value < INT64_MAX) {
		above = value - 1;
		below = value + 1;
	}
	push->above = above > push->above ? above : push->above;
	push->below = below < push->below ? below : push->below;
}

static void push_batch(const struct rv_query *query, const struct rv_query_term *term,
		       struct rv_query_push *push)
{
	int64_t value = query->numbers[term->first];

	if (term->op == RV_QUERY_IS && term->count == 1 && value > 0 && push->batch == 0)
		push->batch = value;
}

/* The one plain text that a term asks for, else NULL. */
static const char *plain(const struct rv_query *query, const struct rv_query_term *term)
{
	const char *value = query->text + term->first;

	return term->op == RV_QUERY_IS && term->count == 1 && !strpbrk(value, "*?\\") ? value
										      : NULL;
}

void rv_query_pushed(const struct rv_query *query, struct rv_query_push *ret_push)
{
	*ret_push = (struct rv_query_push){
		.states = (1U << RV_JOB_STATES) - 1,
		.above = 0,
		.below = INT64_MAX,
	};
	for (size_t i = 0; i < query->nterms; i++) {
		const struct rv_query_term *term = &query->terms[i];

		if (term->field == RV_QUERY_STATE)
			ret_push->states &= states_of(query, term);
		else if (term->field == RV_QUERY_ID)
			push_id(query, term, ret_push);
		else if (term->field == RV_QUERY_QUEUE && !ret_push->queue)
			ret_push->queue = plain(query, term);
		else if (term->field == RV_QUERY_TASK && !ret_push->task)
			ret_push->task = plain(query, term);
		else if (term->field == RV_QUERY_BATCH)
			push_batch(query, term, ret_push);
	}
}

int rv_query_order(const struct rv_query *query, int64_t value, int64_t id, int64_t other_value,
		   int64_t other_id)
{
	bool before = query->ascending ? value < other_value : value > other_value;

	if ((value == RV_QUERY_ABSENT) != (other_value == RV_QUERY_ABSENT))
		return value == RV_QUERY_ABSENT ? 1 : -1;
	if (value != other_value)
		return before ? -1 : 1;
	return id == other_id ? 0 : id > other_id ? -1 : 1;
}
