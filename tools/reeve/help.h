#ifndef RV_REEVE_HELP_H
#define RV_REEVE_HELP_H

/* What is written about the verbs, from verbs.def and options.def. */

#include "args.h"
#include "out.h"

/* One verb: usage, what it does, options, examples. */
void rv_help_verb(FILE *file, const struct rv_out *out, const struct rv_verb *verb);
/* The verbs that begin with ${group} (NULL: all), a line each. */
void rv_help_group(FILE *file, const struct rv_out *out, const char *group);
/* The manual page reeve(1) in scdoc (man.c). */
void rv_help_manual(FILE *file);

/* The next form of a usage (a line); false after the last.  ${*at} begins as the usage. */
bool rv_help_form(const char **at, const char **ret_start, int *ret_size);

#endif
