#ifndef RV_RUN_SAYS_H
#define RV_RUN_SAYS_H

/*
 * What a job says of itself while it runs: lines on REEVE_PROGRESS_FD, and those lines of stdout
 * that begin with "##reeve ".  Words (the first '=' divides; unknown ones say nothing):
 *   progress=42 reading page 7     retry-after=30s     result=any text to the end of the line
 * or an object of JSON: {"progress": 42, "message": "…"}, {"retry_after": "30s"}, {"result": …},
 * of which several may stand in one.  docs/QUEUES.md has it for those who write jobs.
 */

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RV_SAYS_LINE (66U << 10) /* a result of 64 KiB and its name; a longer line says nothing */
#define RV_SAYS_MARK "##reeve "

/* A stream being cut into lines. */
struct rv_says {
	bool marked; /* only lines with the mark count */
	bool skip;   /* up to the end of this line */
	size_t size;
	char line[RV_SAYS_LINE];
};

/* What one line said; fields that it did not speak of are as below. */
struct rv_said {
	int percent;         /* -1 */
	const char *message; /* NULL; both go together: a message without a number keeps none */
	int64_t retry_us;    /* -1 */
	const char *result;  /* NULL; "" takes an earlier one back */
	size_t result_size;
};

typedef void rv_says_fn(void *ctx, const struct rv_said *said);

/* Pointers in what ${fn} gets live as long as the call. */
void rv_says_feed(struct rv_says *says, const char *data, size_t size, rv_says_fn *fn, void *ctx);
/* A new run. */
void rv_says_reset(struct rv_says *says, bool marked);

#endif
