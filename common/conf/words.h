#ifndef RV_CONF_WORDS_H
#define RV_CONF_WORDS_H

/*
 * A task's command: split into words as a shell splits quotes and backslashes, and nothing else; no
 * globbing, no pipes, no expansion but ${arg.NAME} outside single quotes.  An argument stays inside
 * the word it stands in, whatever it contains.  The configuration checks with it, the worker runs
 * with it.
 */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct rv_arena;

struct rv_word_part {
	const char *text; /* literal text, or the NAME of an argument */
	bool is_arg;
};

struct rv_word {
	const struct rv_word_part *parts;
	size_t nparts; /* 0: the empty word '' */
};

struct rv_words {
	const struct rv_word *items;
	size_t count;
};

/* All memory from ${arena}.  RV_E_PARSE with ${why} (an open quote, a bad ${arg.…}); RV_E_NOMEM. */
int rv_words_split(const char *line, struct rv_arena *arena, struct rv_words *ret_words,
		   struct rv_why *why) RV_MUST_CHECK;

/* The value of an argument (borrowed until the fill returns), NULL when the job has none such. */
typedef const char *rv_words_lookup_fn(void *ctx, const char *name);

/* One word with its arguments put in.  RV_E_MISSING: ${why} names the argument; RV_E_NOMEM. */
int rv_words_fill(const struct rv_word *word, rv_words_lookup_fn *lookup, void *ctx,
		  struct rv_arena *arena, const char **ret_text, struct rv_why *why) RV_MUST_CHECK;

/* Split and fill: a NULL-terminated argv of ≥ 1 element.  Errors of both; RV_E_PARSE when empty. */
int rv_words_argv(const char *line, rv_words_lookup_fn *lookup, void *ctx, struct rv_arena *arena,
		  char ***ret_argv, struct rv_why *why) RV_MUST_CHECK;

#endif
