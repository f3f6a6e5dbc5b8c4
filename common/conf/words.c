/*
 * A task's command: splitting it into words, and putting a job's arguments in.  The configuration
 * checks with it, the worker runs with it.  It never expands anything but ${arg.NAME}, and what an
 * argument contains is never looked at.
 */
#include "conf/words.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "conf/text.h"

#include <string.h>

#define ARG_OPEN "${arg."

struct splitter {
	const char *at;
	struct rv_arena *arena;
	struct rv_buf text;  /* the literal being read */
	struct rv_buf parts; /* struct rv_word_part, of the word being read */
	struct rv_buf words; /* struct rv_word, so far */
	bool in_word;
	struct rv_why *why;
};

static int add_part(struct splitter *s, const char *text, size_t size, bool is_arg)
{
	struct rv_word_part part = {.is_arg = is_arg};

	part.text = rv_arena_memdup(s->arena, text, size);
	if (!part.text)
		return RV_E_NOMEM;
	return rv_buf_add(&s->parts, &part, sizeof(part));
}

static int end_text(struct splitter *s)
{
	int err;

	if (s->text.size == 0)
		return RV_OK;
	err = add_part(s, s->text.data, s->text.size, false);
	rv_buf_reset(&s->text);
	return err;
}

static int end_word(struct splitter *s)
{
	struct rv_word word = {0};
	int err;

	if (!s->in_word)
		return RV_OK;
	err = end_text(s);
	if (err)
		return err;
	word.nparts = s->parts.size / sizeof(struct rv_word_part);
	if (word.nparts > 0) {
		struct rv_word_part *parts = rv_arena_alloc(s->arena, s->parts.size);

		if (!parts)
			return RV_E_NOMEM;
		memcpy(parts, s->parts.data, s->parts.size);
		word.parts = parts;
	}
	rv_buf_reset(&s->parts);
	s->in_word = false;
	return rv_buf_add(&s->words, &word, sizeof(word));
}

static bool at_arg(const struct splitter *s)
{
	return strncmp(s->at, ARG_OPEN, strlen(ARG_OPEN)) == 0;
}

/* ${arg.NAME}: its own part of the word, whether in double quotes or not. */
static int take_arg(struct splitter *s)
{
	const char *name = s->at + strlen(ARG_OPEN);
	size_t size = strcspn(name, "}");
	int err;

	if (name[size] != '}')
		return rv_fail(s->why, RV_E_PARSE, "${arg. without its }");
	if (!rv_text_is_name(name, size))
		return rv_fail(
			s->why, RV_E_PARSE,
			"${arg.%.*s}: the name of an argument is 1 to 40 of A-Z a-z 0-9 _ . -",
			(int)(size > 60 ? 60 : size), name);
	err = end_text(s);
	if (err)
		return err;
	s->at = name + size + 1;
	return add_part(s, name, size, true);
}

static int take_single(struct splitter *s)
{
	size_t size = strcspn(s->at + 1, "'");
	int err;

	if (s->at[1 + size] == '\0')
		return rv_fail(s->why, RV_E_PARSE, "a ' is not closed");
	err = rv_buf_add(&s->text, s->at + 1, size);
	s->at += size + 2;
	return err;
}

/* Inside "…" a backslash escapes only what a shell lets it escape there. */
static int take_double(struct splitter *s)
{
	s->at++;
	while (*s->at != '"') {
		int err;

		if (*s->at == '\0')
			return rv_fail(s->why, RV_E_PARSE, "a \" is not closed");
		if (at_arg(s)) {
			err = take_arg(s);
		} else {
			if (*s->at == '\\' && s->at[1] != '\0' && strchr("\"\\$`", s->at[1]))
				s->at++;
			err = rv_buf_add(&s->text, s->at++, 1);
		}
		if (err)
			return err;
	}
	s->at++;
	return RV_OK;
}

static int take_one(struct splitter *s)
{
	if (*s->at == ' ' || *s->at == '\t') {
		s->at++;
		return end_word(s);
	}
	s->in_word = true;
	if (*s->at == '\'')
		return take_single(s);
	if (*s->at == '"')
		return take_double(s);
	if (at_arg(s))
		return take_arg(s);
	if (*s->at == '\\') {
		s->at++;
		if (*s->at == '\0')
			return rv_fail(s->why, RV_E_PARSE, "it ends in a lone backslash");
	}
	return rv_buf_add(&s->text, s->at++, 1);
}

int rv_words_split(const char *line, struct rv_arena *arena, struct rv_words *ret_words,
		   struct rv_why *why)
{
	struct splitter s = {.at = line, .arena = arena, .why = why};
	struct rv_word *items = NULL;
	int err = RV_OK;

	PRE(line);
	while (err == RV_OK && *s.at != '\0')
		err = take_one(&s);
	if (err == RV_OK)
		err = end_word(&s);
	if (err == RV_OK && s.words.size > 0) {
		items = rv_arena_alloc(arena, s.words.size);
		if (items)
			memcpy(items, s.words.data, s.words.size);
		else
			err = RV_E_NOMEM;
	}
	if (err == RV_OK)
		*ret_words = (struct rv_words){
			.items = items,
			.count = s.words.size / sizeof(struct rv_word),
		};
	rv_buf_fini(&s.text);
	rv_buf_fini(&s.parts);
	rv_buf_fini(&s.words);
	return err;
}

int rv_words_fill(const struct rv_word *word, rv_words_lookup_fn *lookup, void *ctx,
		  struct rv_arena *arena, const char **ret_text, struct rv_why *why)
{
	struct rv_buf text;
	int err = RV_OK;

	rv_buf_init(&text);
	for (size_t i = 0; err == RV_OK && i < word->nparts; i++) {
		const struct rv_word_part *part = &word->parts[i];
		const char *value = part->is_arg ? lookup(ctx, part->text) : part->text;

		err = value ? rv_buf_str(&text, value)
			    : rv_fail(why, RV_E_MISSING, "the job has no argument %s", part->text);
	}
	if (err == RV_OK) {
		const char *copy = rv_arena_memdup(arena, rv_buf_text(&text), text.size);

		if (copy)
			*ret_text = copy;
		else
			err = RV_E_NOMEM;
	}
	rv_buf_fini(&text);
	return err;
}

int rv_words_argv(const char *line, rv_words_lookup_fn *lookup, void *ctx, struct rv_arena *arena,
		  char ***ret_argv, struct rv_why *why)
{
	struct rv_words words = {0};
	char **argv;
	int err = rv_words_split(line, arena, &words, why);

	if (err)
		return err;
	if (words.count == 0)
		return rv_fail(why, RV_E_PARSE, "it is empty");
	argv = rv_arena_alloc(arena, (words.count + 1) * sizeof(*argv));
	if (!argv)
		return RV_E_NOMEM;
	for (size_t i = 0; err == RV_OK && i < words.count; i++) {
		const char *text = NULL;

		err = rv_words_fill(&words.items[i], lookup, ctx, arena, &text, why);
		/* The words are ours, in the arena: exec wants them without const. */
		memcpy(&argv[i], &text, sizeof(text));
	}
	if (err == RV_OK)
		*ret_argv = argv;
	return err;
}
