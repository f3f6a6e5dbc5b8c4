/*
 * The query of a command line: its words and the options that say the same, made one text and
 * parsed; what is wrong with it is shown under the place.  Runs in the CLI.
 */
#include "asked.h"

#include "base/buf.h"
#include "base/seam.h"

#include <string.h>

/* The query that was wrong, and where: for the caret. */
static struct {
	char text[RV_QUERY_MAX];
	size_t at;
	bool wrong;
} mistake;

int rv_asked_term(struct rv_buf *buf, const char *name, const char *value)
{
	int err = value ? rv_buf_printf(buf, " %s:\"", name) : RV_OK;

	if (!value)
		return RV_OK;
	for (const char *at = value; !err && *at; at++) {
		if (strchr("*?\\\"", *at))
			err = rv_buf_str(buf, "\\");
		if (!err)
			err = rv_buf_add(buf, at, 1);
	}
	return err ? err : rv_buf_str(buf, "\"");
}

static int add_words(struct rv_buf *buf, const struct rv_args *args, int first)
{
	const char *query = rv_args_value(args, RV_OPT_QUERY);
	size_t i = first < 0 ? args->nwords : (size_t)first;
	int err = query ? rv_buf_printf(buf, " %s", query) : RV_OK;

	for (; !query && !err && i < args->nwords; i++)
		err = rv_buf_printf(buf, " %s", args->words[i]);
	return err;
}

int rv_asked(struct rv_cli *cli, int first, const char *terms, struct rv_query *ret_query)
{
	const struct rv_args *args = &cli->args;
	struct rv_buf buf;
	size_t begin;
	size_t end;
	size_t at = 0;
	int err;

	rv_buf_init(&buf);
	err = rv_buf_str(&buf, terms);
	begin = buf.size + 1;
	if (!err)
		err = add_words(&buf, args, first);
	end = buf.size;
	if (!err)
		err = rv_asked_term(&buf, "state", rv_args_value(args, RV_OPT_STATE));
	if (!err)
		err = rv_asked_term(&buf, "queue", rv_args_value(args, RV_OPT_QUEUE));
	if (!err)
		err = rv_asked_term(&buf, "task", rv_args_value(args, RV_OPT_TASK));
	if (!err)
		err = rv_query_parse(rv_buf_text(&buf), rv_wall_us(), ret_query, &at, &cli->why);
	if (err == RV_E_USAGE && at >= begin && at <= end) {
		mistake.wrong = true;
		mistake.at = at - begin;
		(void)snprintf(mistake.text, sizeof(mistake.text), "%.*s", (int)(end - begin),
			       rv_buf_text(&buf) + begin);
	}
	rv_buf_fini(&buf);
	return err;
}

int rv_asked_fail(struct rv_cli *cli, int err)
{
	int code;

	if (!mistake.wrong)
		return rv_cli_fail(cli, err);
	(void)rv_wrap(&cli->why, err, "column %zu of the query", mistake.at + 1);
	code = rv_cli_fail(cli, err);
	if (cli->json)
		return code;
	(void)fputs("  ", stderr);
	rv_out_text(stderr, mistake.text);
	(void)fputs("\n  ", stderr);
	for (size_t i = 0; i < mistake.at && mistake.text[i] != '\0'; i++) {
		if (((unsigned char)mistake.text[i] & 0xc0) != 0x80)
			(void)fputc(' ', stderr);
	}
	(void)fputs("^\n", stderr);
	return code;
}
