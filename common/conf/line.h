#ifndef RV_CONF_LINE_H
#define RV_CONF_LINE_H

/*
 * The line reader: INI text to sections and assignments, with raw values and line numbers.
 * The modules of this folder only.
 *
 *   # or ; first on a line: a comment      [name] or [kind:name]
 *   key = value, raw to the end of line    an odd number of \ at the end of a line: the next line
 *   an indented line adds an item to the list key above it   goes on, its blanks become one
 */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* All texts are borrowed for the call; lines count from 1. */
struct rv_line_sink {
	/* A section begins; ${name} is NULL after a broken header (its keys mean nothing). */
	void (*section)(void *ctx, int line, const char *name);
	/* ${item}: an indented line, one more item for the list ${key}. */
	void (*assign)(void *ctx, int line, const char *key, const char *value, bool item);
	void (*bad)(void *ctx, int line, const char *what);
};

/*
 * Reads all of ${text}, calling ${sink} in the order of the lines.  RV_E_NOMEM (before any call).
 * Mistakes are not errors of this function: they go to sink->bad.
 */
int rv_line_read(const char *text, size_t size, const struct rv_line_sink *sink,
		 void *ctx) RV_MUST_CHECK;

#endif
