#ifndef RV_REEVE_ARGS_H
#define RV_REEVE_ARGS_H

/*
 * The command line: verbs.def and options.def are its grammar.  Nothing is copied: every text is
 * argv's own.
 */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rv_cli;

enum rv_opt {
#define GLOBAL(sym, letter, name, arg, help) RV_OPT_##sym,
#define OPT(sym, letter, name, arg, help)    RV_OPT_##sym,
#include "options.def"
	RV_OPTS
};

struct rv_opt_row {
	const char *name;
	const char *arg; /* NULL: a flag */
	const char *help;
	char letter; /* 0: none */
	bool global;
};

struct rv_verb {
	const char *name;
	const char *usage;
	const char *help;
	const char *examples;
	int (*run)(struct rv_cli *cli); /* the program's exit code */
};

enum rv_verb_id {
#define VERB(name, function, usage, help, examples) RV_VERB_##function,
#include "verbs.def"
	RV_VERBS
};

extern const struct rv_opt_row rv_opts[RV_OPTS];
extern const struct rv_verb rv_verbs[RV_VERBS];

struct rv_given {
	enum rv_opt opt;
	const char *value; /* "" for a flag */
	size_t word;       /* words given before it */
};

struct rv_args {
	const struct rv_verb *verb; /* NULL: no verb was named (only global options) */
	const char *group;          /* then: the group that was, for its --help ("queue") */
	struct rv_given *given;     /* owned, in the order given */
	size_t ngiven;
	char **words; /* owned list: what is neither option nor command */
	size_t nwords;
	char **command; /* the words after --; argv itself */
	size_t ncommand;
};

/* RV_E_USAGE with a sentence and the nearest name.  fini in every case. */
int rv_args_parse(struct rv_args *args, int argc, char **argv, struct rv_why *why) RV_MUST_CHECK;
void rv_args_fini(struct rv_args *args);

bool rv_args_has(const struct rv_args *args, enum rv_opt opt);
/* The last value given, NULL if none. */
const char *rv_args_value(const struct rv_args *args, enum rv_opt opt);
/* All values of ${opt}, in order: start with ${*at} = 0; NULL at the end. */
const char *rv_args_next(const struct rv_args *args, enum rv_opt opt, size_t *at);

/* Whether the usage of ${verb} names ${opt}, and whether it may be repeated there (may be NULL). */
bool rv_args_takes(const struct rv_verb *verb, enum rv_opt opt, bool *ret_repeats);

/*
 * Values that must be something: ${*ret} is left alone when the option was not given.  RV_E_USAGE
 * names option and value.
 */
int rv_args_int(const struct rv_args *args, enum rv_opt opt, int64_t min, int64_t max, int64_t *ret,
		struct rv_why *why) RV_MUST_CHECK;
int rv_args_duration(const struct rv_args *args, enum rv_opt opt, int64_t *ret_us,
		     struct rv_why *why) RV_MUST_CHECK;
/* A job's id: a decimal number > 0. */
int rv_args_id(const char *text, int64_t *ret_id, struct rv_why *why) RV_MUST_CHECK;

/* The verb called ${name} ("queue ls"), NULL; whether some verb begins with the word ${group}. */
const struct rv_verb *rv_args_verb(const char *name);
bool rv_args_is_group(const char *group);
/* RV_E_USAGE with the nearest verb. */
int rv_args_unknown_verb(const char *name, struct rv_why *why) RV_MUST_CHECK;

#endif
