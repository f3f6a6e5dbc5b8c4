/* The line reader, texts, variables of a job, env_file. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "conf/env.h"
#include "conf/line.h"
#include "conf/text.h"
#include "helpers/tmpdir.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What was read, one line of text an event. */
static void on_section(void *ctx, int line, const char *name)
{
	cr_assert(eq(int, rv_buf_printf(ctx, "%d [%s]\n", line, name ? name : "?"), 0));
}

static void on_assign(void *ctx, int line, const char *key, const char *value, bool item)
{
	cr_assert(
		eq(int, rv_buf_printf(ctx, "%d %s%s=%s|\n", line, item ? "+" : "", key, value), 0));
}

static void on_bad(void *ctx, int line, const char *what)
{
	cr_assert(eq(int, rv_buf_printf(ctx, "%d bad %s\n", line, what), 0));
}

static const struct rv_line_sink sink = {on_section, on_assign, on_bad};

static const struct {
	const char *text;
	const char *events;
} rows[] = {
	{"", ""},
	{"\n\n# c\n; c\n  # c\n\t; c\n", ""},
	{"[a]", "1 [a]\n"},
	{"[a]\n[a:b.c-d_E9]\n", "1 [a]\n2 [a:b.c-d_E9]\n"},
	{"[a]  \nk=v", "1 [a]\n2 k=v|\n"},
	{"k =   v  w\t \n", "1 k=v  w|\n"},
	{"k = sh -c \"echo a ; echo b\" # c\n", "1 k=sh -c \"echo a ; echo b\" # c|\n"},
	{"k = a=b:c\n", "1 k=a=b:c|\n"},
	{"k =\n", "1 k=|\n"},
	{"k = a \\\n   b\\\n\\\n  c\nl = d\n", "1 k=a b c|\n5 l=d|\n"},
	{"k = a \\\n# b\nl = c\n", "1 k=a # b|\n3 l=c|\n"},
	{"k = a\\\\\nl = b\n", "1 k=a\\\\|\n2 l=b|\n"},
	{"k = a\\\\\\\nl = b\n", "1 k=a\\\\ l = b|\n"},
	{"# c \\\nk = a\n  # d \\\nl = b\n", "2 k=a|\n4 l=b|\n"},
	{"k = a\\\n", "1 bad it ends in a backslash, but nothing follows\n"},
	{"k = a\\", "1 bad it ends in a backslash, but nothing follows\n"},
	{"k =\n  a\n\n\tb\n # c\n  d \\\n  e\n", "1 k=|\n2 +k=a|\n4 +k=b|\n6 +k=d e|\n"},
	{"[a]\n k = v\n", "1 [a]\n2 bad this line is indented, but there is no list above it\n"},
	{"\xef\xbb\xbf[a]\r\nk = v\r\n", "1 [a]\n2 k=v|\n"},
	{"[\n[a\n[a]]\n[a] b\n[ a]\n",
	 "1 bad a section is written [name] or [kind:name], alone on its "
	 "line\n1 [?]\n2 bad a section is written [name] or [kind:name], "
	 "alone on its line\n2 [?]\n3 bad [a]]: the name of a section is 1 "
	 "to 40 of A-Z a-z 0-9 _ . -\n3 [?]\n4 bad a section is written "
	 "[name] or [kind:name], alone on its line\n4 [?]\n5 bad [ a]: the "
	 "name of a section is 1 to 40 of A-Z a-z 0-9 _ . -\n5 [?]\n"},
	{"k: v\nk v\n",
	 "1 bad \"k: v\": a key ends at =, never at :\n2 bad \"k v\" is neither [section] "
	 "nor key = value\n"},
};

Test(line, events)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(rows); i++) {
		struct rv_buf got = {0};

		cr_assert(
			eq(int, rv_line_read(rows[i].text, strlen(rows[i].text), &sink, &got), 0));
		cr_assert(strcmp(rv_buf_text(&got), rows[i].events) == 0, "row %zu: %s", i,
			  rv_buf_text(&got));
		rv_buf_fini(&got);
	}
}

/* inih alone would cut such a value at 199 bytes and make a key of the rest. */
Test(line, long_values_are_whole)
{
	struct rv_buf text = {0};
	struct rv_buf want = {0};
	struct rv_buf got = {0};

	for (size_t size = 180; size <= 5000; size += 7) {
		rv_buf_reset(&text);
		rv_buf_reset(&want);
		rv_buf_reset(&got);
		cr_assert(eq(int, rv_buf_str(&text, "[s]\nk = "), 0));
		cr_assert(eq(int, rv_buf_str(&want, "1 [s]\n2 k="), 0));
		for (size_t i = 0; i < size; i++) {
			const char *c = i % 50 == 25 ? "=" : i % 50 == 26 ? ";" : "x";

			cr_assert(eq(int, rv_buf_str(&text, c), 0));
			cr_assert(eq(int, rv_buf_str(&want, c), 0));
		}
		cr_assert(eq(int, rv_buf_str(&want, "|\n"), 0));
		cr_assert(eq(int, rv_line_read(text.data, text.size, &sink, &got), 0));
		cr_assert(strcmp(got.data, want.data) == 0, "size %zu", size);
	}
	rv_buf_fini(&text);
	rv_buf_fini(&want);
	rv_buf_fini(&got);
}

/* ${repeat} lines of ${size} bytes, each going on in the next. */
static void read_long(size_t size, int repeat, const char *want)
{
	struct rv_buf text = {0};
	struct rv_buf got = {0};
	char *line = malloc(size + 2);

	cr_assert(line != NULL);
	memset(line, 'x', size);
	cr_assert(eq(int, rv_buf_str(&text, "k ="), 0));
	for (int i = 0; i < repeat; i++) {
		cr_assert(eq(int, rv_buf_add(&text, line, size), 0));
		cr_assert(eq(int, rv_buf_str(&text, i + 1 < repeat ? "\\\n" : "\n"), 0));
	}
	cr_assert(eq(int, rv_buf_str(&text, "l = v\n"), 0));
	cr_assert(eq(int, rv_line_read(text.data, text.size, &sink, &got), 0));
	cr_assert(strstr(rv_buf_text(&got), want) != NULL, "%zu x %d: %.100s", size, repeat,
		  rv_buf_text(&got));
	cr_assert(strstr(rv_buf_text(&got), " l=v|") != NULL);
	free(line);
	rv_buf_fini(&text);
	rv_buf_fini(&got);
}

Test(line, a_line_has_at_most_a_mebibyte)
{
	read_long((1u << 20) - 3, 1, "1 k=xxx");
	read_long((1u << 20) - 2, 1, "1 bad the line is longer than 1 MiB");
	read_long(10u << 20, 1, "1 bad the line is longer than 1 MiB");
	read_long((1u << 19), 5, "1 bad the line is longer than 1 MiB");
	read_long(100000, 40, "1 bad the line is longer than 1 MiB");
	read_long((1u << 20) - 3, 3, "1 bad the line is longer than 1 MiB");
}

Test(line, bytes_that_are_no_text)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *what;
	} bytes[] = {
		{"k = a\0b", 7, "has a NUL byte"},
		{"k = \xc0\x80", 6, "is not valid UTF-8 (byte 0xc0)"},
		{"k = \xe0\x80\x80", 7, "is not valid UTF-8 (byte 0xe0)"},
		{"k = \xed\xa0\x80", 7, "is not valid UTF-8 (byte 0xed)"},
		{"k = \xf4\x90\x80\x80", 8, "is not valid UTF-8 (byte 0xf4)"},
		{"k = \xf8\x88\x80\x80\x80", 9, "is not valid UTF-8 (byte 0xf8)"},
		{"k = \x80", 5, "is not valid UTF-8 (byte 0x80)"},
		{"k = \xe2\x82", 6, "is not valid UTF-8 (byte 0xe2)"},
		{"k = a\x01", 6, "has a control character (0x01)"},
		{"k = a\x7f", 6, "has a control character (0x7f)"},
		{"k = a\rb", 7, "has a control character (0x0d)"},
	};

	for (size_t i = 0; i < RV_ARRAY_LEN(bytes); i++) {
		struct rv_buf got = {0};

		cr_assert(eq(int, rv_line_read(bytes[i].bytes, bytes[i].size, &sink, &got), 0));
		cr_assert(strncmp(rv_buf_text(&got), "1 bad ", 6) == 0 &&
				  strstr(rv_buf_text(&got), bytes[i].what),
			  "row %zu: %s", i, rv_buf_text(&got));
		rv_buf_fini(&got);
	}
	cr_assert(eq(int, rv_text_check("\xf4\x8f\xbf\xbf \xc3\xa4\t\xe2\x82\xac", 11, NULL), 0));
}

Test(text, expansion)
{
	static char a[] = "A=1";
	static char empty[] = "EMPTY=";
	static char *environment[] = {a, empty, NULL};
	static const struct {
		const char *text;
		const char *want; /* NULL: an error */
	} cases[] = {
		{"", ""},
		{"plain", "plain"},
		{"${A}", "1"},
		{"x${A}y${A}", "x1y1"},
		{"$$", "$"},
		{"$${A}", "${A}"},
		{"${EMPTY}", ""},
		{"${EMPTY:-d}", "d"},
		{"${B:-/a/b}", "/a/b"},
		{"${B:-}", ""},
		{"${A:-d}", "1"},
		{"${B:-$A}", "$A"},
		{"${B}", NULL},
		{"$A", NULL},
		{"$", NULL},
		{"${A", NULL},
		{"${}", NULL},
		{"${A-d}", NULL},
		{"${1}", NULL},
		{"${:-x}", NULL},
	};

	for (size_t i = 0; i < RV_ARRAY_LEN(cases); i++) {
		struct rv_arena arena;
		struct rv_why why = {0};
		const char *got = NULL;
		int err;

		rv_arena_init(&arena);
		err = rv_text_expand(cases[i].text, environment, &arena, &got, &why);
		if (cases[i].want)
			cr_assert(err == RV_OK && strcmp(got, cases[i].want) == 0, "row %zu: %s", i,
				  why.text);
		else
			cr_assert(err == RV_E_PARSE && why.text[0] != '\0' && !got, "row %zu", i);
		rv_arena_reset(&arena);
	}
}

Test(env, names)
{
	static const char *const fine[] = {"A", "_", "a1", "PATH", "LDX", "ENVIRONMENT", "LANG"};
	static const char *const denied[] = {
		"LD_PRELOAD",  "LD_",        "BASH_ENV",       "BASH_FUNC_x",  "ENV",
		"IFS",         "PYTHONPATH", "PERL5LIB",       "NODE_OPTIONS", "GCONV_PATH",
		"REEVE_FENCE", "DYLD_X",     "GLIBC_TUNABLES",
	};
	static const char *const wrong[] = {"", "1A", "A B", "A-B", "\xc3\xa4"};

	for (size_t i = 0; i < RV_ARRAY_LEN(fine); i++)
		cr_assert(eq(int, rv_env_name_check(fine[i], strlen(fine[i]), NULL), RV_OK));
	for (size_t i = 0; i < RV_ARRAY_LEN(denied); i++)
		cr_assert(rv_env_name_check(denied[i], strlen(denied[i]), NULL) == RV_E_DENIED,
			  "%s", denied[i]);
	for (size_t i = 0; i < RV_ARRAY_LEN(wrong); i++)
		cr_assert(rv_env_name_check(wrong[i], strlen(wrong[i]), NULL) == RV_E_PARSE, "%s",
			  wrong[i]);
	cr_assert(eq(int, rv_env_pair_check("A=", NULL), RV_OK));
	cr_assert(eq(int, rv_env_pair_check("A", NULL), RV_E_PARSE));
	cr_assert(eq(int, rv_env_pair_check("=A", NULL), RV_E_PARSE));
	cr_assert(eq(int, rv_env_pair_check("IFS=x", NULL), RV_E_DENIED));
}

Test(env, file)
{
	const char *path = rv_test_path("%s/env", rv_test_tmpdir());
	struct rv_conf_list list = {0};
	struct rv_why why = {0};
	struct rv_arena arena;

	rv_arena_init(&arena);
	rv_test_write_file(path, "# c\n\nA=1\nB= two # not a comment \r\nC=\n");
	cr_assert(eq(int, chmod(path, 0600), 0));
	cr_assert(eq(int, rv_env_file_read(path, &arena, &list, &why), 0), "%s", why.text);
	cr_assert(eq(sz, list.count, 3));
	cr_assert(strcmp(list.items[1], "B= two # not a comment ") == 0);
	cr_assert(list.items[3] == NULL);

	rv_test_write_file(path, "A=1\nLD_PRELOAD=x\n");
	cr_assert(eq(int, rv_env_file_read(path, &arena, &list, &why), RV_E_DENIED));
	cr_assert(strstr(why.text, "env:2: LD_PRELOAD is refused") != NULL, "%s", why.text);
	rv_test_write_file(path, "nonsense");
	cr_assert(eq(int, rv_env_file_read(path, &arena, &list, &why), RV_E_PARSE));
	cr_assert(strstr(why.text, "env:1: ") != NULL, "%s", why.text);
	cr_assert(eq(int, chmod(path, 0622), 0));
	cr_assert(eq(int, rv_env_file_read(path, &arena, &list, &why), RV_E_CONF));
	cr_assert(strstr(why.text, "others can write it") != NULL, "%s", why.text);
	cr_assert(eq(int, rv_env_file_read("/nowhere/env", &arena, &list, &why), RV_E_CONF));
	cr_assert(strstr(why.text, "does not exist") != NULL, "%s", why.text);
	cr_assert(eq(sz, list.count, 3), "untouched on failure");
	rv_arena_reset(&arena);
	rv_test_tmpdir_end();
}
