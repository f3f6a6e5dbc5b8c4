#ifndef RV_STORE_RULES_SCHEDULE_H
#define RV_STORE_RULES_SCHEDULE_H

/* What every backend does alike with schedules; as rules.h.  Private to common/store. */

#include "store/rules.h"

#define RV_SCHEDULE_META 192 /* bytes of the metadata of a job that a schedule made */

/* ADD: USAGE, TOOBIG: what is wrong with it, whatever the store knows. */
int rv_rules_schedule(const struct rv_schedule_def *def, struct rv_why *why) RV_MUST_CHECK;
/* NOTFOUND; CONFLICT: there is one; it is the configuration's; the job before it runs.  STALE. */
int rv_rules_no_schedule(const char *name, struct rv_why *why);
int rv_rules_schedule_there(const char *name, struct rv_why *why);
int rv_rules_schedule_conf(const char *name, struct rv_why *why);
int rv_rules_schedule_runs(const char *name, int64_t job, struct rv_why *why);
int rv_rules_schedule_stale(const char *name, struct rv_why *why);

/* Whether ${to} has other slots than ${from}. */
bool rv_rules_schedule_replan(const struct rv_schedule_def *from, const struct rv_schedule_def *to);
/* What a schedule's due_us is while its next slot is not known. */
int64_t rv_rules_schedule_due(bool off, bool paused);

/*
 * The job of a slot.  ${previous}: the job before it if it has not ended, else 0; it and ${meta}
 * are borrowed by the answer.
 */
struct rv_job_new rv_rules_schedule_job(const struct rv_schedule_def *def,
					const struct rv_req_fire *fire, const int64_t *previous,
					char meta[RV_SCHEDULE_META]);
/* Whether an ENQUEUE's error is about that job, so that it is what became of the slot. */
bool rv_rules_schedule_refused(int err);

#endif
