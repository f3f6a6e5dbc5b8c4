#ifndef RV_RUN_RULING_H
#define RV_RUN_RULING_H

/* The rules of [task] outcome, asked once a run has ended.  finish.c calls this. */

#include "store/request.h"

#include <stdbool.h>

struct rv_turn;

struct rv_ruling {
	enum rv_outcome outcome;
	int64_t delay_us; /* until the next run; -1: the backoff */
	char rule[96];    /* for people, cut */
};

/* Whether a rule of the turn's task fits; a run that was cancelled or drained is judged by none. */
bool rv_ruling(const struct rv_turn *turn, struct rv_ruling *ret_ruling);

#endif
