#ifndef RV_BASE_NEAR_H
#define RV_BASE_NEAR_H

/* "did you mean …": the nearest of a list of names. */

#include <stddef.h>

/*
 * The name of ${names} (${count} of them, NULLs skipped) nearest to ${word} by restricted
 * Damerau-Levenshtein distance, or NULL when none is nearer than about a third of its length.
 */
const char *rv_near(const char *word, const char *const *names, size_t count);

#endif
