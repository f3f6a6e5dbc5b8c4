/* A task's command: words, arguments, and what is not a command. */
#include "base/arena.h"
#include "base/err.h"
#include "conf/words.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

/* ${arg.a} is "1 2", ${arg.empty} "", ${arg.evil} what a shell would love, nothing else. */
static const char *lookup(void *ctx, const char *name)
{
	(void)ctx;
	if (strcmp(name, "a") == 0)
		return "1 2";
	if (strcmp(name, "empty") == 0)
		return "";
	return strcmp(name, "evil") == 0 ? "'; rm -rf \"$HOME\" ${arg.a} `x` \\ \n" : NULL;
}

static const struct {
	const char *line;
	const char *argv[8];
} good[] = {
	{"true", {"true"}},
	{"  a  b\tc ", {"a", "b", "c"}},
	{"a 'b c' \"d e\" f\\ g", {"a", "b c", "d e", "f g"}},
	{"a '' \"\" b", {"a", "", "", "b"}},
	{"a'b'\"c\"d", {"abcd"}},
	{"a 'it'\\''s'", {"a", "it's"}},
	{"a '\\' \"\\\\\" \"\\x\" \"\\\"\" \"\\$\" \\x \\\\",
	 {"a", "\\", "\\", "\\x", "\"", "$", "x", "\\"}},
	{"a ; $HOME # *.c | & > < ~", {"a", ";", "$HOME", "#", "*.c", "|", "&"}},
	{"a ${arg.a}", {"a", "1 2"}},
	{"a --in=${arg.a}.x", {"a", "--in=1 2.x"}},
	{"a \"${arg.a}\" ${arg.a}${arg.a}", {"a", "1 2", "1 21 2"}},
	{"a ${arg.empty} b", {"a", "", "b"}},
	{"a '${arg.a}' \\${arg.a} \"\\${arg.a}\"", {"a", "${arg.a}", "${arg.a}", "${arg.a}"}},
	{"a ${arg.evil}", {"a", "'; rm -rf \"$HOME\" ${arg.a} `x` \\ \n"}},
	{"a ${HOME} $$ $ {arg.a} ${argx", {"a", "${HOME}", "$$", "$", "{arg.a}", "${argx"}},
	{"\xc3\xa4 \xe2\x82\xac", {"\xc3\xa4", "\xe2\x82\xac"}},
};

Test(words, lines_become_argv)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(good); i++) {
		struct rv_arena arena;
		struct rv_why why = {0};
		char **argv = NULL;
		size_t n = 0;

		rv_arena_init(&arena);
		cr_assert(
			eq(int, rv_words_argv(good[i].line, lookup, NULL, &arena, &argv, &why), 0),
			"row %zu: %s", i, why.text);
		for (; n < RV_ARRAY_LEN(good[i].argv) && good[i].argv[n] && argv[n]; n++) {
			const char *want = good[i].argv[n];

			cr_assert(eq(int, strcmp(argv[n], want), 0), "row %zu word %zu: %s", i, n,
				  argv[n]);
		}
		if (i != 7) /* more words than the table holds */
			cr_assert(argv[n] == NULL &&
					  (n == RV_ARRAY_LEN(good[i].argv) || !good[i].argv[n]),
				  "row %zu: number of words", i);
		rv_arena_reset(&arena);
	}
}

static const struct {
	const char *line;
	int err;
	const char *why;
} bad[] = {
	{"", RV_E_PARSE, "empty"},
	{"   \t ", RV_E_PARSE, "empty"},
	{"a 'b", RV_E_PARSE, "' is not closed"},
	{"a \"b", RV_E_PARSE, "\" is not closed"},
	{"a \"b\\", RV_E_PARSE, "\" is not closed"},
	{"a \\", RV_E_PARSE, "lone backslash"},
	{"a ${arg.", RV_E_PARSE, "without its }"},
	{"a \"${arg.x\"", RV_E_PARSE, "without its }"},
	{"a ${arg.}", RV_E_PARSE, "name of an argument"},
	{"a ${arg.x y}", RV_E_PARSE, "name of an argument"},
	{"a ${arg.nope}", RV_E_MISSING, "the job has no argument nope"},
	{"a \"x${arg.nope}\"", RV_E_MISSING, "the job has no argument nope"},
};

Test(words, mistakes_are_named)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(bad); i++) {
		static char *none[] = {NULL};
		struct rv_arena arena;
		struct rv_why why = {0};
		char **argv = none;

		rv_arena_init(&arena);
		cr_assert(eq(int, rv_words_argv(bad[i].line, lookup, NULL, &arena, &argv, &why),
			     bad[i].err),
			  "row %zu: %s", i, why.text);
		cr_assert(strstr(why.text, bad[i].why) != NULL, "row %zu: %s", i, why.text);
		cr_assert(argv == none, "row %zu: the output was touched", i);
		rv_arena_reset(&arena);
	}
}

Test(words, parts_tell_arguments_from_text)
{
	struct rv_arena arena;
	struct rv_words words = {0};

	rv_arena_init(&arena);
	cr_assert(eq(int, rv_words_split("p x${arg.a}y '${arg.b}'", &arena, &words, NULL), 0));
	cr_assert(eq(sz, words.count, 3));
	cr_assert(eq(sz, words.items[1].nparts, 3));
	cr_assert(words.items[1].parts[1].is_arg);
	cr_assert(strcmp(words.items[1].parts[1].text, "a") == 0);
	cr_assert(eq(sz, words.items[2].nparts, 1));
	cr_assert(not(words.items[2].parts[0].is_arg));
	rv_arena_reset(&arena);
}
