#ifndef RV_CORE_CRON_H
#define RV_CORE_CRON_H

/*
 * The moments of a schedule (base/cron.h) on the clocks of a zone.  Pure.  Wall microseconds, UTC.
 *
 * When clocks change: a schedule that has every hour (an hour field of *) goes by the time that
 * passes: in an hour that is shown twice it fires twice as often, in one that is left out not at
 * all.  Any other goes by what the clock shows, once: what falls into an hour that is left out
 * fires at the moment the clocks are put forward (all of it together, once), what falls into one
 * that is shown twice fires the first time.
 */

#include "base/cron.h"
#include "base/zone.h"

/* The first moment after ${after_us}; RV_E_NOTFOUND: it never fires again. */
int rv_cron_next(const struct rv_cron *cron, const struct rv_zone *zone, int64_t after_us,
		 int64_t *ret_us) RV_MUST_CHECK;

#endif
