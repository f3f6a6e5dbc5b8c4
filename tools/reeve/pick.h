#ifndef RV_REEVE_PICK_H
#define RV_REEVE_PICK_H

/*
 * Some of the lines of an output: those that a pattern fits, those of a range, the last ones. Lines
 * are counted as they were written, those of stdout and stderr together; holds one line of each.
 */

#include "base/buf.h"
#include "base/err.h"

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

struct rv_args;
struct rv_output_record;

#define RV_PICK_LINE (1U << 20) /* a longer one is cut, and each piece is a line */

struct rv_pick {
	bool is_on;      /* some of these is said: */
	bool has_regex;  /* --grep */
	int64_t first;   /* --lines; 0: not said */
	int64_t last;    /* 0: to the end */
	int64_t tail;    /* --tail; 0: not said */
	bool counting;   /* nothing is shown: how many would be? */
	int64_t skip;    /* so many that fit are not shown */
	int64_t lines;   /* so far */
	int64_t fitting; /* of those */
	int64_t dropped; /* bytes that are missing in between */
	regex_t regex;
	struct rv_buf part[2]; /* a line whose end is to come, by stream */
};

typedef void rv_pick_fn(void *ctx, int stream, const char *data, size_t size);

/* From --grep, --lines and --tail; RV_E_USAGE, RV_E_PARSE with a sentence. */
int rv_pick_args(struct rv_pick *pick, const struct rv_args *args,
		 struct rv_why *why) RV_MUST_CHECK;
void rv_pick_fini(struct rv_pick *pick);
/* Calls ${show} for each line to be shown, with its end if it has one.  RV_E_NOMEM. */
int rv_pick_record(struct rv_pick *pick, const struct rv_output_record *record, rv_pick_fn *show,
		   void *ctx) RV_MUST_CHECK;
/* The lines that never got an end. */
void rv_pick_flush(struct rv_pick *pick, rv_pick_fn *show, void *ctx);
/* Begins anew, to show the last ${tail} of those that were counted. */
void rv_pick_again(struct rv_pick *pick);

#endif
