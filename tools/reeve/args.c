/*
 * The command line parser of reeve: the usage strings of verbs.def say what a verb takes.
 * Runs first, opens nothing.  Must never guess: what is not in the tables is an error.
 */
#include "args.h"

#include "base/check.h"
#include "base/fmt.h"
#include "base/near.h"
#include "verb.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct rv_opt_row rv_opts[RV_OPTS] = {
#define GLOBAL(sym, letter_, name_, arg_, help_)                                                   \
	[RV_OPT_##sym] = {                                                                         \
		.name = name_, .arg = arg_, .help = help_, .letter = letter_, .global = true},
#define OPT(sym, letter_, name_, arg_, help_)                                                      \
	[RV_OPT_##sym] = {.name = name_, .arg = arg_, .help = help_, .letter = letter_},
#include "options.def"
};

const struct rv_verb rv_verbs[RV_VERBS] = {
#define VERB(name_, function, usage_, help_, examples_)                                            \
	[RV_VERB_##function] = {.name = name_,                                                     \
				.usage = usage_,                                                   \
				.help = help_,                                                     \
				.examples = examples_,                                             \
				.run = rv_verb_##function},
#include "verbs.def"
};

/* A word of a usage string, without its brackets and dots. */
struct token {
	const char *text;
	size_t size;
	bool optional; /* began with [ */
	bool repeats;  /* ended with ... */
};

static bool next_token(const char **at, const char *end, struct token *token)
{
	const char *start = *at;
	const char *stop;

	while (start < end && *start == ' ')
		start++;
	if (start >= end)
		return false;
	stop = start;
	while (stop < end && *stop != ' ')
		stop++;
	*at = stop;
	*token = (struct token){.text = start, .size = (size_t)(stop - start)};
	if (*token->text == '[') {
		token->optional = true;
		token->text++;
		token->size--;
	}
	if (token->size > 3 && memcmp(token->text + token->size - 3, "...", 3) == 0) {
		token->repeats = true;
		token->size -= 3;
	}
	if (token->size > 0 && token->text[token->size - 1] == ']') {
		token->size--;
		if (token->size > 3 && memcmp(token->text + token->size - 3, "...", 3) == 0) {
			token->repeats = true;
			token->size -= 3;
		}
	}
	return true;
}

static bool is_text(const struct token *token, const char *text)
{
	return token->size == strlen(text) && memcmp(token->text, text, token->size) == 0;
}

/* "-q" or "--queue", RV_OPTS when it is none. */
static enum rv_opt find_option(const char *text, size_t size)
{
	for (int i = 0; i < RV_OPTS; i++) {
		const struct rv_opt_row *row = &rv_opts[i];

		if (size == 2 && row->letter && text[0] == '-' && text[1] == row->letter)
			return (enum rv_opt)i;
		if (size == strlen(row->name) + 2 && memcmp(text, "--", 2) == 0 &&
		    memcmp(text + 2, row->name, size - 2) == 0)
			return (enum rv_opt)i;
	}
	return RV_OPTS;
}

/* What one form (line) of a usage allows. */
struct form {
	size_t min, max;
	bool command;
	bool has[RV_OPTS], needs[RV_OPTS], repeats[RV_OPTS];
};

static void read_option(const struct token *token, const char **at, const char *end,
			struct form *form)
{
	enum rv_opt opt = find_option(token->text, token->size);
	struct token arg = {.repeats = false};

	if (opt == RV_OPTS)
		IMPOSSIBLE("a usage names an option that options.def does not have");
	form->has[opt] = true;
	form->needs[opt] = !token->optional;
	form->repeats[opt] = token->repeats;
	if (rv_opts[opt].arg && next_token(at, end, &arg))
		form->repeats[opt] = arg.repeats;
}

static void read_form(const char *at, const char *end, struct form *form)
{
	struct token token;

	memset(form, 0, sizeof(*form));
	while (next_token(&at, end, &token)) {
		if (is_text(&token, "--")) {
			form->command = true;
			return; /* what follows is the command */
		}
		if (token.text[0] == '-') {
			read_option(&token, &at, end, form);
			continue;
		}
		form->min += token.optional ? 0 : 1;
		form->max = token.repeats           ? SIZE_MAX
			    : form->max == SIZE_MAX ? SIZE_MAX
						    : form->max + 1;
	}
}

/* The next line of a usage: its end, or NULL after the last. */
static const char *form_end(const char *usage)
{
	const char *newline = strchr(usage, '\n');

	return newline ? newline : usage + strlen(usage);
}

bool rv_args_takes(const struct rv_verb *verb, enum rv_opt opt, bool *ret_repeats)
{
	struct form form;

	for (const char *at = verb->usage;; at++) {
		const char *end = form_end(at);

		read_form(at, end, &form);
		if (form.has[opt]) {
			if (ret_repeats)
				*ret_repeats = form.repeats[opt];
			return true;
		}
		if (*end == '\0')
			return false;
		at = end;
	}
}

/* Does what was given fit this form? */
static bool fits(const struct rv_args *args, const struct form *form)
{
	if (args->nwords < form->min || args->nwords > form->max)
		return false;
	if (form->command != (args->command != NULL && args->ncommand > 0))
		return false;
	for (size_t i = 0; i < args->ngiven; i++) {
		enum rv_opt opt = args->given[i].opt;

		if (!rv_opts[opt].global && !form->has[opt])
			return false;
	}
	for (int opt = 0; opt < RV_OPTS; opt++) {
		if (form->needs[opt] && !rv_args_has(args, (enum rv_opt)opt))
			return false;
	}
	return true;
}

static int check_forms(const struct rv_args *args, struct rv_why *why)
{
	const struct rv_verb *verb = args->verb;
	struct form form;

	if (rv_args_has(args, RV_OPT_HELP))
		return RV_OK;
	for (const char *at = verb->usage;; at++) {
		const char *end = form_end(at);

		read_form(at, end, &form);
		if (fits(args, &form))
			return RV_OK;
		if (*end == '\0')
			break;
		at = end;
	}
	if (args->command && args->ncommand == 0)
		return rv_fail(why, RV_E_USAGE, "%s: no command after --", verb->name);
	if (args->nwords == 0 && !args->command)
		return rv_fail(why, RV_E_USAGE, "%s: something is missing, or does not go together",
			       verb->name);
	return rv_fail(why, RV_E_USAGE, "%s: these arguments do not go together", verb->name);
}

bool rv_args_has(const struct rv_args *args, enum rv_opt opt)
{
	return rv_args_value(args, opt) != NULL;
}

const char *rv_args_value(const struct rv_args *args, enum rv_opt opt)
{
	const char *value = NULL;

	for (size_t i = 0; i < args->ngiven; i++) {
		if (args->given[i].opt == opt)
			value = args->given[i].value;
	}
	return value;
}

const char *rv_args_next(const struct rv_args *args, enum rv_opt opt, size_t *at)
{
	while (*at < args->ngiven) {
		const struct rv_given *given = &args->given[(*at)++];

		if (given->opt == opt)
			return given->value;
	}
	return NULL;
}

int rv_args_int(const struct rv_args *args, enum rv_opt opt, int64_t min, int64_t max, int64_t *ret,
		struct rv_why *why)
{
	const char *value = rv_args_value(args, opt);

	if (!value || rv_parse_int(value, min, max, ret) == RV_OK)
		return RV_OK;
	return rv_fail(why, RV_E_USAGE, "--%s %s: not a number from %lld to %lld",
		       rv_opts[opt].name, value, (long long)min, (long long)max);
}

int rv_args_duration(const struct rv_args *args, enum rv_opt opt, int64_t *ret_us,
		     struct rv_why *why)
{
	const char *value = rv_args_value(args, opt);

	if (!value || rv_parse_duration(value, ret_us) == RV_OK)
		return RV_OK;
	return rv_fail(why, RV_E_USAGE, "--%s %s: not a duration such as 250ms, 30s or 1h30m",
		       rv_opts[opt].name, value);
}

int rv_args_id(const char *text, int64_t *ret_id, struct rv_why *why)
{
	if (rv_parse_int(text, 1, INT64_MAX, ret_id) == RV_OK)
		return RV_OK;
	return rv_fail(why, RV_E_USAGE, "%s: not the id of a job", text);
}

const struct rv_verb *rv_args_verb(const char *name)
{
	for (size_t i = 0; i < RV_VERBS; i++) {
		if (strcmp(rv_verbs[i].name, name) == 0)
			return &rv_verbs[i];
	}
	return NULL;
}

bool rv_args_is_group(const char *group)
{
	size_t size = strlen(group);

	for (size_t i = 0; i < RV_VERBS; i++) {
		if (strncmp(rv_verbs[i].name, group, size) == 0 && rv_verbs[i].name[size] == ' ')
			return true;
	}
	return false;
}

static const char *nearest_verb(const char *name)
{
	const char *names[RV_VERBS];

	for (size_t i = 0; i < RV_VERBS; i++)
		names[i] = rv_verbs[i].name;
	return rv_near(name, names, RV_VERBS);
}

int rv_args_unknown_verb(const char *name, struct rv_why *why)
{
	const char *near = nearest_verb(name);

	if (near)
		return rv_fail(why, RV_E_USAGE, "there is no verb \"%s\"; did you mean \"%s\"?",
			       name, near);
	return rv_fail(why, RV_E_USAGE, "there is no verb \"%s\"; see reeve help", name);
}

/* argv[at] (and argv[at + 1]) name a verb: how many words its name takes. */
static int find_verb(struct rv_args *args, int argc, char **argv, int at, int *ret_words,
		     struct rv_why *why)
{
	char name[64];
	bool more = at + 1 < argc && argv[at + 1][0] != '-';

	*ret_words = 1;
	if (rv_args_is_group(argv[at])) {
		int n = snprintf(name, sizeof(name), "%s %s", argv[at], more ? argv[at + 1] : "");

		args->group = argv[at];
		if (!more)
			return RV_OK; /* --help may follow; else the end of the parse says what is
					 missing */
		*ret_words = 2;
		args->verb = n > 0 && (size_t)n < sizeof(name) ? rv_args_verb(name) : NULL;
		return args->verb ? RV_OK : rv_args_unknown_verb(name, why);
	}
	args->verb = rv_args_verb(argv[at]);
	if (args->verb)
		return RV_OK;
	/* "quue ls" is nearer to "queue ls" than "quue" is to anything. */
	if (more && snprintf(name, sizeof(name), "%s %s", argv[at], argv[at + 1]) > 0 &&
	    nearest_verb(argv[at]) == NULL && nearest_verb(name) != NULL)
		return rv_args_unknown_verb(name, why);
	return rv_args_unknown_verb(argv[at], why);
}

static int unknown_option(const struct rv_args *args, const char *text, struct rv_why *why)
{
	const char *names[RV_OPTS];
	size_t count = 0;
	const char *near = NULL;

	for (int i = 0; i < RV_OPTS; i++) {
		if (rv_opts[i].global ||
		    (args->verb && rv_args_takes(args->verb, (enum rv_opt)i, NULL)))
			names[count++] = rv_opts[i].name;
	}
	if (strncmp(text, "--", 2) == 0)
		near = rv_near(text + 2, names, count);
	return rv_fail(why, RV_E_USAGE, "%s%sthere is no option %s%s%s%s",
		       args->verb ? args->verb->name : "", args->verb ? ": " : "", text,
		       near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
}

/* May ${opt} be given here, and (again) if it was given before? */
static int check_option(const struct rv_args *args, enum rv_opt opt, const char *text,
			struct rv_why *why)
{
	bool repeats = opt == RV_OPT_SET || opt == RV_OPT_JSON || opt == RV_OPT_HELP;

	if (!rv_opts[opt].global && (!args->verb || !rv_args_takes(args->verb, opt, &repeats)))
		return unknown_option(args, text, why);
	if (!repeats && rv_args_has(args, opt))
		return rv_fail(why, RV_E_USAGE, "--%s is given twice", rv_opts[opt].name);
	return RV_OK;
}

/*
 * argv[${*at}] is an option: "--name", "--name=value", "--name value", "-n", "-nvalue", "-n value".
 * Advances ${*at} past it and its value.
 */
static int take_option(struct rv_args *args, int argc, char **argv, int *at, struct rv_why *why)
{
	const char *text = argv[(*at)++];
	bool is_long = text[1] == '-';
	const char *equals = is_long ? strchr(text, '=') : NULL;
	size_t size = equals ? (size_t)(equals - text) : is_long ? strlen(text) : 2;
	const char *value = equals ? equals + 1 : !is_long && text[2] ? text + 2 : NULL;
	enum rv_opt opt = find_option(text, size);
	int err;

	if (opt == RV_OPTS)
		return unknown_option(args, text, why);
	err = check_option(args, opt, text, why);
	if (err)
		return err;
	if (!rv_opts[opt].arg && value)
		return rv_fail(why, RV_E_USAGE, "%s: --%s takes no value", text, rv_opts[opt].name);
	if (rv_opts[opt].arg && !value) {
		if (*at >= argc)
			return rv_fail(why, RV_E_USAGE, "--%s needs its %s", rv_opts[opt].name,
				       rv_opts[opt].arg);
		value = argv[(*at)++];
	}
	args->given[args->ngiven++] =
		(struct rv_given){.opt = opt, .value = value ? value : "", .word = args->nwords};
	return RV_OK;
}

static int take_word(struct rv_args *args, int argc, char **argv, int *at, struct rv_why *why)
{
	int words = 1;
	int err;

	if (args->verb || args->group) {
		args->words[args->nwords++] = argv[(*at)++];
		return RV_OK;
	}
	err = find_verb(args, argc, argv, *at, &words, why);
	*at += words;
	return err;
}

static bool takes_command(const struct rv_verb *verb)
{
	return strstr(verb->usage, " -- ") != NULL;
}

int rv_args_parse(struct rv_args *args, int argc, char **argv, struct rv_why *why)
{
	int at = 1;
	int err = RV_OK;
	bool dashes = false;

	memset(args, 0, sizeof(*args));
	args->given = calloc((size_t)argc + 1, sizeof(*args->given));
	args->words = calloc((size_t)argc + 1, sizeof(*args->words));
	if (!args->given || !args->words)
		return RV_E_NOMEM;
	while (!err && at < argc) {
		const char *text = argv[at];

		if (strcmp(text, "--") == 0 && args->verb) {
			at++;
			dashes = true;
			break;
		}
		/* No option is a digit: -1 is a number. */
		if (text[0] == '-' && text[1] != '\0' && !isdigit((unsigned char)text[1]))
			err = take_option(args, argc, argv, &at, why);
		else
			err = take_word(args, argc, argv, &at, why);
	}
	if (!err && args->group && !args->verb && !rv_args_has(args, RV_OPT_HELP))
		return rv_fail(why, RV_E_USAGE, "%s what? See reeve help %s", args->group,
			       args->group);
	if (err || !args->verb)
		return err;
	if (dashes && takes_command(args->verb)) {
		args->command = argv + at;
		args->ncommand = (size_t)(argc - at);
	} else {
		while (at < argc)
			args->words[args->nwords++] = argv[at++];
	}
	return check_forms(args, why);
}

void rv_args_fini(struct rv_args *args)
{
	free(args->given);
	free(args->words);
	memset(args, 0, sizeof(*args));
}
