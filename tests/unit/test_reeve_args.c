/* tools/reeve/args.c: the usage strings as a parser; every row of both registries is consistent. */
#include "helpers/assert.h"

#include "args.h"
#include "out.h"

#include "base/buf.h"

#include <string.h>

static struct rv_args args;
static struct rv_why why;

static int parse(const char *line)
{
	static char words[32][64] = {"reeve"};
	static char *argv[33];
	int argc = 0;

	argv[argc++] = words[0];
	for (const char *at = line; *at;) {
		size_t size = strcspn(at, " ");

		(void)snprintf(words[argc], sizeof(words[argc]), "%.*s", (int)size, at);
		argv[argc] = words[argc];
		argc++;
		at += size + (at[size] == ' ');
	}
	argv[argc] = NULL;
	rv_args_fini(&args);
	why.text[0] = '\0';
	return rv_args_parse(&args, argc, argv, &why);
}

Test(args, every_usage_names_options_that_there_are)
{
	for (int v = 0; v < RV_VERBS; v++) {
		const struct rv_verb *verb = &rv_verbs[v];

		for (int opt = 0; opt < RV_OPTS; opt++) /* IMPOSSIBLE inside for one that is not */
			(void)rv_args_takes(verb, (enum rv_opt)opt, NULL);
		cr_assert(verb->help[0] != '\0' && verb->examples[0] != '\0', "%s", verb->name);
	}
}

Test(args, no_option_has_the_name_of_another)
{
	for (int a = 0; a < RV_OPTS; a++) {
		for (int b = a + 1; b < RV_OPTS; b++) {
			cr_assert(ne(int, strcmp(rv_opts[a].name, rv_opts[b].name), 0));
			cr_assert(rv_opts[a].letter == 0 || rv_opts[a].letter != rv_opts[b].letter,
				  "-%c", rv_opts[a].letter);
		}
	}
}

Test(args, every_option_belongs_to_a_verb)
{
	for (int opt = 0; opt < RV_OPTS; opt++) {
		bool found = rv_opts[opt].global;

		for (int v = 0; v < RV_VERBS && !found; v++)
			found = rv_args_takes(&rv_verbs[v], (enum rv_opt)opt, NULL);
		cr_assert(found, "--%s", rv_opts[opt].name);
	}
}

static const struct {
	const char *line;
	int err;
	const char *verb;
	size_t words, command;
} rows[] = {
	{"jobs", RV_OK, "jobs", 0, 0},
	{"queue ls", RV_OK, "queue ls", 0, 0},
	{"-c f jobs --json", RV_OK, "jobs", 0, 0},
	{"-cf --json jobs -qx", RV_OK, "jobs", 0, 0},
	{"jobs -q x --state=dead", RV_OK, "jobs", 0, 0},
	{"jobs state:dead id>1", RV_OK, "jobs", 2, 0},
	{"status x", RV_E_USAGE, NULL, 0, 0},
	{"jobs -f", RV_E_USAGE, NULL, 0, 0},
	{"jobs --json=1", RV_E_USAGE, NULL, 0, 0},
	{"jobs --limit", RV_E_USAGE, NULL, 0, 0},
	{"jobs -q a -q b", RV_E_USAGE, NULL, 0, 0},
	{"cancel 1 2 3", RV_OK, "cancel", 3, 0},
	{"cancel", RV_E_USAGE, NULL, 0, 0},
	{"cancel --help", RV_OK, "cancel", 0, 0},
	{"show -- 7", RV_OK, "show", 1, 0},
	{"add t a=1 b=2", RV_OK, "add", 3, 0},
	{"add t --", RV_OK, "add", 1, 0},
	{"add --", RV_E_USAGE, NULL, 0, 0},
	{"add -- c -x --json", RV_OK, "add", 0, 3},
	{"add -q -- -- c", RV_OK, "add", 0, 1},
	{"add -e A=1 -e B=2 -- c", RV_OK, "add", 0, 1},
	{"add -e A=1 t", RV_E_USAGE, NULL, 0, 0},
	{"add t -- c", RV_E_USAGE, NULL, 0, 0},
	{"add --from-file -", RV_OK, "add", 0, 0},
	{"add --from-file - t", RV_E_USAGE, NULL, 0, 0},
	{"wait --all", RV_OK, "wait", 0, 0},
	{"wait --all -q x", RV_OK, "wait", 0, 0},
	{"wait --all 1", RV_E_USAGE, NULL, 0, 0},
	{"wait -q x", RV_OK, "wait", 0, 0},
	{"wait 1 2 --timeout 5s", RV_OK, "wait", 2, 0},
	{"wait", RV_E_USAGE, NULL, 0, 0},
	{"queue", RV_E_USAGE, NULL, 0, 0},
	{"queue purge x", RV_OK, "queue purge", 1, 0},
	{"queue drain x y", RV_E_USAGE, NULL, 0, 0},
	{"cancel --query id:1", RV_OK, "cancel", 0, 0},
	{"cancel --query id:1 2", RV_E_USAGE, NULL, 0, 0},
	{"cancel --dry-run 2", RV_E_USAGE, NULL, 0, 0},
	{"cron ls", RV_OK, "cron ls", 0, 0},
	{"cron next x -n 3", RV_OK, "cron next", 1, 0},
	{"cron next x --expr @daily", RV_E_USAGE, NULL, 0, 0},
	{"cron next x --timezone UTC", RV_E_USAGE, NULL, 0, 0},
	{"cron add x @daily", RV_E_USAGE, NULL, 0, 0},
	{"cron add x @daily t a=1", RV_OK, "cron add", 4, 0},
	{"help", RV_OK, "help", 0, 0},
	{"help queue ls", RV_OK, "help", 2, 0},
};

Test(args, lines)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(rows); i++) {
		int err = parse(rows[i].line);

		cr_assert(eq(int, err, rows[i].err), "%s: %s", rows[i].line, why.text);
		if (err)
			continue;
		rv_assert_text(args.verb->name, rows[i].verb);
		cr_assert(eq(sz, args.nwords, rows[i].words), "%s", rows[i].line);
		cr_assert(eq(sz, args.ncommand, rows[i].command), "%s", rows[i].line);
	}
	rv_args_fini(&args);
}

Test(args, repeated_options_keep_their_order)
{
	size_t at = 0;
	int err = parse("add --label a t --label b");

	cr_assert(eq(int, err, RV_OK));
	const char *first = rv_args_next(&args, RV_OPT_LABEL, &at);
	const char *second = rv_args_next(&args, RV_OPT_LABEL, &at);
	rv_assert_text(first, "a");
	rv_assert_text(second, "b");
	cr_assert(rv_args_next(&args, RV_OPT_LABEL, &at) == NULL);
	rv_args_fini(&args);
}

static const struct {
	const char *text;
	size_t size;
	bool lines;
	const char *wanted;
} escapes[] = {
	{"plain", 5, false, "plain"},
	{"\033[2J", 4, false, "\\x1b[2J"},
	{"a\nb\tc", 5, false, "a\\nb\\tc"},
	{"a\nb\tc\r", 6, true, "a\nb\tc\\x0d"},
	{"\0x", 2, false, "\\x00x"},
	{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, false, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
	{"\xc2\x9b", 2, false, "\\xc2\\x9b"},          /* C1 CSI */
	{"\xc0\xaf", 2, false, "\\xc0\\xaf"},          /* overlong */
	{"\xed\xa0\x80", 3, false, "\\xed\\xa0\\x80"}, /* a surrogate */
	{"\xe2\x82", 2, false, "\\xe2\\x82"},          /* cut */
	{"\xff", 1, false, "\\xff"},
	{"\x7f", 1, false, "\\x7f"},
};

Test(out, nothing_of_a_job_drives_the_terminal)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(escapes); i++) {
		struct rv_buf buf;

		rv_buf_init(&buf);
		int err = rv_out_escape(&buf, escapes[i].text, escapes[i].size, escapes[i].lines);
		cr_assert(eq(int, err, RV_OK));
		rv_assert_text(rv_buf_text(&buf), escapes[i].wanted);
		rv_buf_fini(&buf);
	}
}
