/*
 * reeve help: everything from verbs.def and options.def, so that help and parser cannot differ.
 */
#include "help.h"

#include "cli.h"
#include "verb.h"
#include "wire/json.h"

#include <string.h>

#define WRAP 92 /* columns of a usage line */

bool rv_help_form(const char **at, const char **ret_start, int *ret_size)
{
	const char *newline;

	if (!*at)
		return false;
	newline = strchr(*at, '\n');
	*ret_start = *at;
	*ret_size = newline ? (int)(newline - *at) : (int)strlen(*at);
	*at = newline ? newline + 1 : NULL;
	return true;
}

/* One form after "reeve VERB", broken between its words. */
static void print_form(FILE *file, const char *name, const char *form, int size)
{
	int column = fprintf(file, "  reeve %s", name);
	const char *end = form + size;

	while (form < end) {
		const char *word_end = form;
		int width;

		/* An option and its argument stay together: "[-q QUEUE]". */
		while (word_end < end &&
		       !(*word_end == ' ' && word_end[1] != '\0' &&
			 (form[0] != '[' || word_end[-1] == ']' || word_end[-1] == '.')))
			word_end++;
		width = (int)(word_end - form);
		if (column + 1 + width > WRAP) {
			column = fprintf(file, "\n       ") - 1;
		}
		column += fprintf(file, " %.*s", width, form);
		form = word_end < end ? word_end + 1 : end;
	}
	(void)fputc('\n', file);
}

static void print_option(FILE *file, const struct rv_opt_row *row)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s%c%s--%s%s%s", row->letter ? "-" : "  ",
		       row->letter ? row->letter : ' ', row->letter ? ", " : " ", row->name,
		       row->arg ? " " : "", row->arg ? row->arg : "");
	(void)fprintf(file, "  %-30s %s\n", name, row->help);
}

static void print_examples(FILE *file, const char *examples)
{
	const char *start;
	int size;

	while (rv_help_form(&examples, &start, &size))
		(void)fprintf(file, "  %.*s\n", size, start);
}

static void print_head(FILE *file, const struct rv_out *out, const char *text)
{
	(void)fprintf(file, "\n%s%s%s\n", rv_out_on(out, RV_STYLE_BOLD), text,
		      rv_out_off(out, RV_STYLE_BOLD));
}

void rv_help_verb(FILE *file, const struct rv_out *out, const struct rv_verb *verb)
{
	const char *forms = verb->usage;
	const char *start;
	int size;
	bool own = false;

	(void)fprintf(file, "reeve %s: %s\n", verb->name, verb->help);
	print_head(file, out, "usage");
	while (rv_help_form(&forms, &start, &size))
		print_form(file, verb->name, start, size);
	for (int i = 0; i < RV_OPTS; i++) {
		if (rv_opts[i].global || !rv_args_takes(verb, (enum rv_opt)i, NULL))
			continue;
		if (!own)
			print_head(file, out, "options");
		own = true;
		print_option(file, &rv_opts[i]);
	}
	print_head(file, out, "options of every verb");
	for (int i = 0; i < RV_OPTS; i++) {
		if (rv_opts[i].global)
			print_option(file, &rv_opts[i]);
	}
	print_head(file, out, "examples");
	print_examples(file, verb->examples);
}

void rv_help_group(FILE *file, const struct rv_out *out, const char *group)
{
	size_t size = group ? strlen(group) : 0;

	(void)fputs("usage: reeve [-c FILE] [--json] VERB …\n", file);
	print_head(file, out, group ? group : "verbs");
	for (int i = 0; i < RV_VERBS; i++) {
		const struct rv_verb *verb = &rv_verbs[i];

		if (!group || (strncmp(verb->name, group, size) == 0 && verb->name[size] == ' '))
			(void)fprintf(file, "  %-16s %s\n", verb->name, verb->help);
	}
	(void)fputs("\nreeve help VERB explains one, with examples.\n", file);
}

static int list_json(struct rv_cli *cli)
{
	json_t *object = rv_cli_object();
	json_t *list = json_array();
	bool well = object && list;

	for (int i = 0; well && i < RV_VERBS; i++) {
		json_t *item = json_object();

		well = item && rv_json_set_text(item, "name", rv_verbs[i].name) == RV_OK &&
		       rv_json_set_text(item, "usage", rv_verbs[i].usage) == RV_OK &&
		       rv_json_set_text(item, "help", rv_verbs[i].help) == RV_OK &&
		       json_array_append(list, item) == 0;
		json_decref(item);
	}
	if (well)
		well = rv_json_set_new(object, "verbs", json_incref(list)) == RV_OK;
	json_decref(list);
	if (!well) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(cli, object);
}

/* help VERB, help GROUP. */
static int help_words(struct rv_cli *cli)
{
	const struct rv_args *args = &cli->args;
	const struct rv_verb *verb;
	char name[64];
	int n = snprintf(name, sizeof(name), "%s%s%s", args->words[0], args->nwords > 1 ? " " : "",
			 args->nwords > 1 ? args->words[1] : "");

	verb = n > 0 && (size_t)n < sizeof(name) ? rv_args_verb(name) : NULL;
	if (verb)
		rv_help_verb(stdout, &cli->out, verb);
	else if (args->nwords == 1 && rv_args_is_group(args->words[0]))
		rv_help_group(stdout, &cli->out, args->words[0]);
	else
		return rv_cli_fail(cli, rv_args_unknown_verb(name, &cli->why));
	return 0;
}

int rv_verb_help(struct rv_cli *cli)
{
	const struct rv_args *args = &cli->args;

	if (!args->verb && !rv_args_has(args, RV_OPT_HELP)) { /* nothing was asked for */
		rv_help_group(stderr, &cli->out, NULL);
		return rv_err_exit(RV_E_USAGE);
	}
	if (!args->verb) { /* --help, GROUP --help */
		rv_help_group(stdout, &cli->out, args->group);
		return 0;
	}
	if (args->verb->run != rv_verb_help) { /* VERB --help */
		rv_help_verb(stdout, &cli->out, args->verb);
		return 0;
	}
	if (rv_args_has(args, RV_OPT_MAN)) {
		rv_help_manual(stdout);
		return 0;
	}
	if (cli->json)
		return list_json(cli);
	if (rv_args_has(args, RV_OPT_LIST)) {
		for (int i = 0; i < RV_VERBS; i++)
			(void)puts(rv_verbs[i].name);
		return 0;
	}
	if (args->nwords > 0)
		return help_words(cli);
	if (rv_args_has(args, RV_OPT_HELP))
		rv_help_verb(stdout, &cli->out, args->verb);
	else
		rv_help_group(stdout, &cli->out, NULL);
	return 0;
}
