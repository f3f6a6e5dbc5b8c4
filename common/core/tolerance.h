#ifndef RV_CORE_TOLERANCE_H
#define RV_CORE_TOLERANCE_H

/*
 * How many jobs of a batch may die before it has failed.  Pure.  Both backends of the store, the
 * CLI and the library.
 */

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum rv_tolerates { RV_TOLERATES_ALL, RV_TOLERATES_COUNT, RV_TOLERATES_PERCENT };

/* Zeroed: as many as there are. */
struct rv_tolerance {
	enum rv_tolerates kind;
	int64_t n; /* jobs, or percent of all, 0 … 100 */
};

#define RV_TOLERANCE_OPEN (-1) /* any number; or it is not known how many yet */

/* "3" or "5%".  RV_E_USAGE. */
int rv_tolerance_parse(const char *text, struct rv_tolerance *ret_tolerance) RV_MUST_CHECK;
/* Whether the numbers are such as parsing gives. */
bool rv_tolerance_sane(const struct rv_tolerance *tolerance);
/*
 * How many of ${total} jobs may be dead, or OPEN.  A share is one of all jobs, so it is known when
 * there can be no more of them; rounded down, for 5% of ten jobs is none that may fail.
 */
int64_t rv_tolerance_allowed(const struct rv_tolerance *tolerance, int64_t total, bool closed);
/* The same of ${percent} (-1: no share, ${allowed} holds) of a batch that is closed now. */
int64_t rv_tolerance_closed(int64_t allowed, int64_t percent, int64_t total);
/* Whether ${dead} are more than that. */
bool rv_tolerance_exceeded(int64_t allowed, int64_t dead);

/* What is cancelled because its batch has failed says so. */
#define RV_TOLERANCE_SAYS_MAX 120
void rv_tolerance_says(char out[RV_TOLERANCE_SAYS_MAX], int64_t dead, int64_t total,
		       int64_t allowed);
/* Such a batch takes no more jobs: CONFLICT. */
int rv_tolerance_refuse(struct rv_why *why, int64_t batch, int64_t dead, int64_t total,
			int64_t allowed) RV_MUST_CHECK;

#endif
