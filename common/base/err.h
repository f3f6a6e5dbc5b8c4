#ifndef RV_BASE_ERR_H
#define RV_BASE_ERR_H

/*
 * The one error space.  Functions return int: RV_OK (0) or a negative RV_E_*.  What a person will
 * read travels beside it in a struct rv_why: a fixed buffer, so the error path allocates nothing.
 */

#include "base/attr.h"

enum rv_err_index {
#define ERR(sym, code, text) RV_ERRI_##sym,
#include "base/err.def"
#undef ERR
	RV_ERRS
};

enum rv_err {
#define ERR(sym, code, text) RV_##sym = -RV_ERRI_##sym,
#include "base/err.def"
#undef ERR
};

struct rv_why {
	char text[512]; /* NUL-terminated; empty when nothing was said */
};

/* The sentence, symbol and program exit code of ${err}; any int is accepted. */
const char *rv_err_text(int err);
const char *rv_err_name(int err);
int rv_err_exit(int err);

/*
 * Sets ${why} (may be NULL) from a format and returns ${err}, so that a failing function can say
 * `return rv_fail(why, RV_E_IO, "cannot read %s: %m", path);`.  Too long a text is cut at the end.
 */
int rv_fail(struct rv_why *why, int err, const char *format, ...) RV_PRINTF(3, 4);

/* As rv_fail, but puts the new text before what ${why} says already: "new: old". */
int rv_wrap(struct rv_why *why, int err, const char *format, ...) RV_PRINTF(3, 4);

/* ${why}'s text if it has one, else the sentence of ${err}.  Borrowed. */
const char *rv_why_text(const struct rv_why *why, int err);

/* The nearest RV_E_* for an errno value (never RV_OK). */
int rv_err_from_errno(int errnum);

#endif
