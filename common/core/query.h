#ifndef RV_CORE_QUERY_H
#define RV_CORE_QUERY_H

/*
 * The query language: "state:dead queue:bulk task:thumb* attempts>2 finished<1h sort:-duration".
 * Terms, all of which must hold, each FIELD OP VALUE without spaces (query.def has the fields):
 *   : or =   equal to one of VALUE[,VALUE]; in texts * is any characters, ? one, \ takes the next
 *            as it is, and "…" keeps spaces and commas
 *   !=       equal to none of them: what the other does not match
 *   < <= > >=  numbers and times; what a job does not have is neither below nor above
 * meta.NAME is a field as well, meta."NAME" one with spaces or an OP in it.
 * sort:FIELD (a number or time), sort:-FIELD the greatest first; else the newest first.
 * Pure; the store's search, the CLI and the library use it.
 */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RV_QUERY_MAX     4096 /* bytes of a query */
#define RV_QUERY_TERMS   32
#define RV_QUERY_NUMBERS 256
#define RV_QUERY_ABSENT  INT64_MIN

enum rv_query_field {
#define FIELD(sym, name, kind, help) RV_QUERY_##sym,
#include "core/query.def"
#undef FIELD
	RV_QUERY_FIELDS
};

enum rv_query_op {
	RV_QUERY_IS,
	RV_QUERY_ISNT,
	RV_QUERY_BELOW,
	RV_QUERY_AT_MOST,
	RV_QUERY_ABOVE,
	RV_QUERY_AT_LEAST,
};

struct rv_query_term {
	enum rv_query_field field;
	enum rv_query_op op;
	uint16_t name;         /* of META: NAME, in text from there */
	uint16_t first, count; /* its values: numbers[first …], or texts one after the other from
				  text + first; times are wall_us */
};

struct rv_query {
	struct rv_query_term terms[RV_QUERY_TERMS];
	size_t nterms;
	enum rv_query_field sort; /* ID descending unless the query says something else */
	bool ascending;
	int64_t now_us; /* what its ages were counted from */
	int64_t numbers[RV_QUERY_NUMBERS];
	size_t nnumbers;
	char text[RV_QUERY_MAX];
	size_t ntext;
};

/* A member of a job's metadata; a value that is no text as JSON writes it. */
struct rv_query_meta {
	const char *name, *value;
};

/* A job as a query sees it; borrowed texts.  ABSENT and NULL: it has none. */
struct rv_query_row {
	int64_t number[RV_QUERY_FIELDS]; /* of STATE: enum rv_job_state */
	const char *text[RV_QUERY_FIELDS];
	const char *const *labels;
	size_t nlabels;
	const struct rv_query_meta *meta;
	size_t nmeta;
};

/*
 * What a store can look for by itself: the job must be in one of ${states} (bits), in ${queue}, of
 * ${task} (NULL: any), its id above ${above} and below ${below}.  Never more than the query asks
 * for, maybe less: the rest is up to rv_query_match.
 */
struct rv_query_push {
	unsigned states;
	const char *queue, *task;    /* of the query */
	int64_t above, below, batch; /* batch: 0 any */
};

/*
 * ${now_us}: wall, for ages.  RV_E_USAGE with a sentence; ${ret_at} is the byte of ${text} that it
 * is about.  An empty text asks for everything.
 */
int rv_query_parse(const char *text, int64_t now_us, struct rv_query *ret_query, size_t *ret_at,
		   struct rv_why *why) RV_MUST_CHECK;
bool rv_query_match(const struct rv_query *query, const struct rv_query_row *row);
void rv_query_pushed(const struct rv_query *query, struct rv_query_push *ret_push);
/* Whether a term or the order needs ${field}: what nobody asks for need not be filled in. */
bool rv_query_uses(const struct rv_query *query, enum rv_query_field field);
/* < 0: a row with ${value} and ${id} comes before the other; absent ones last, of equals the newest
 * first. */
int rv_query_order(const struct rv_query *query, int64_t value, int64_t id, int64_t other_value,
		   int64_t other_id);
const char *rv_query_field_name(enum rv_query_field field);

/* Whether ${text} is what ${pattern} (*, ?, \) describes. */
bool rv_query_glob(const char *pattern, const char *text);

#endif
