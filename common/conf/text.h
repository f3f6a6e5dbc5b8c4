#ifndef RV_CONF_TEXT_H
#define RV_CONF_TEXT_H

/* What texts are made of: names, printable UTF-8, ${NAME}.  The modules of this folder only. */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define RV_TEXT_NAME_MAX 40 /* bytes of a name: shorter than RV_NAME_MAX and than inih's 49 */
#define RV_TEXT_LINE_MAX (1u << 20) /* bytes of a line, continuations and all */

struct rv_arena;

/* [A-Za-z0-9_.-]{1,40} */
bool rv_text_is_name(const char *text, size_t size);

/* Valid UTF-8 without NUL or other control characters but tab; else RV_E_PARSE and ${why}. */
int rv_text_check(const char *text, size_t size, struct rv_why *why) RV_MUST_CHECK;

/*
 * A whole value, from wherever: as rv_text_check, not longer than a line, not beginning or ending
 * with a blank, and not ending in an odd number of backslashes, so that it can stand in a file.
 */
int rv_text_check_value(const char *text, struct rv_why *why) RV_MUST_CHECK;

/* The value of ${name} (${size} bytes) in ${environment} (may be NULL), or NULL.  Borrowed. */
const char *rv_text_getenv(char *const *environment, const char *name, size_t size);

/*
 * Expands ${NAME}, ${NAME:-default} and $$.  RV_E_PARSE with ${why} (no such variable, a lone $, an
 * open brace); RV_E_NOMEM.  The result is in ${arena}.
 */
int rv_text_expand(const char *text, char *const *environment, struct rv_arena *arena,
		   const char **ret_text, struct rv_why *why) RV_MUST_CHECK;

#endif
