#ifndef RV_CORE_SCHEDULE_H
#define RV_CORE_SCHEDULE_H

/*
 * What a schedule does now: which slot (a moment of its cron) fires, which were missed, when it is
 * to be looked at again.  Pure: the keeper asks, the store (FIRE of request.h) does it.
 */

#include "core/cron.h"

#include "base/spec.h"

#define RV_SCHEDULE_FRESH_US (60LL * 1000000) /* late by more than this, a slot was missed */
#define RV_SCHEDULE_CATCH_UP 1000             /* slots that are made up for, at most; the newest */

struct rv_schedule_rule {
	const char *name;
	struct rv_cron cron;
	const struct rv_zone *zone; /* borrowed */
	int64_t jitter_us;
	int64_t catch_up; /* RV_CATCH_UP_* or a time, as in struct rv_schedule_def */
};

struct rv_schedule_plan {
	int64_t missed_us; /* the first of the slots that are let go; 0 none */
	int64_t missed;    /* how many */
	int64_t slot_us;   /* fires now; 0 none */
	int64_t next_us;   /* the slot after all of these; 0: never again */
	int64_t due_us;    /* when that is to be looked at */
};

/* A slot is late by design: by the same time whenever it is asked for, 0 … jitter_us. */
int64_t rv_schedule_due(const struct rv_schedule_rule *rule, int64_t slot_us);
/* The slots after ${since_us}: nothing has fired since then.  Nothing fires at once. */
void rv_schedule_begin(const struct rv_schedule_rule *rule, int64_t since_us,
		       struct rv_schedule_plan *ret_plan);
/* ${next_us}: the first slot that was not dealt with; it is due at ${now_us} or not. */
void rv_schedule_plan(const struct rv_schedule_rule *rule, int64_t next_us, int64_t now_us,
		      struct rv_schedule_plan *ret_plan);

/* The words of the configuration, for people and JSON. */
const char *rv_overlap_name(int overlap);
int rv_overlap_parse(const char *word, enum rv_overlap *ret_overlap) RV_MUST_CHECK; /* RV_E_USAGE */

#endif
