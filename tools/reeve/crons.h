#ifndef RV_REEVE_CRONS_H
#define RV_REEVE_CRONS_H

/* What the verbs of schedules share. */

#include "cli.h"
#include "store/request.h"

struct rv_schedule_rule; /* core/schedule.h */
struct rv_zone;

/* RV_E_NOTFOUND with a sentence.  Texts live until the next call on the store. */
int rv_crons_read(struct rv_cli *cli, const char *name,
		  struct rv_schedule_view *ret_view) RV_MUST_CHECK;
/* "on", "paused", "off" (in the configuration), "over" (it never fires again). */
const char *rv_crons_state(const struct rv_schedule_view *view);
/* Its rule, and the zone of it (rv_zone_free it).  RV_E_CONF, RV_E_PARSE with a sentence. */
int rv_crons_rule(const struct rv_schedule_view *view, struct rv_schedule_rule *ret_rule,
		  struct rv_zone **ret_zone, struct rv_why *why) RV_MUST_CHECK;
/* When its next slot is, also before the keeper has reckoned it; 0: never, or nobody can tell. */
int64_t rv_crons_next(const struct rv_schedule_view *view);
/* "2026-03-29 03:00:00 +02:00" into ${out}. */
#define RV_CRONS_LOCAL 64
const char *rv_crons_local(char out[RV_CRONS_LOCAL], const struct rv_zone *zone, int64_t wall_us);

/* As rv_cli_fail; the expression and the caret that rv_cron_read says are shown below. */
int rv_crons_fail(struct rv_cli *cli, int err) RV_MUST_CHECK;

json_t *rv_crons_json(const struct rv_schedule_view *view) RV_MUST_CHECK; /* NULL: no memory */

#endif
