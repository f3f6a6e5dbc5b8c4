#ifndef RV_SUPERVISOR_STATUS_H
#define RV_SUPERVISOR_STATUS_H

/* What the supervisor says of itself: to the service manager, to the log, to `status`. */

#include "supervisor/sup.h"

/* "ok", "starting", "quiet", "draining", "drained", "degraded", "failed" or "stopping";
 * ${*ret_reason}: why, RV_REASON_NONE. */
const char *rv_status_pool(const struct rv_sup *sup, int pool, enum rv_reason *ret_reason);
/* "starting", "ready", "degraded", "draining" or "stopping". */
const char *rv_status_daemon(const struct rv_sup *sup);

/* Each thing that is wrong, as a sentence: calls ${fn} (may be NULL); how many. */
typedef void rv_status_fn(void *ctx, const char *text);
int rv_status_degraded(const struct rv_sup *sup, rv_status_fn *fn, void *ctx);

/* READY once, STATUS when it changed, WATCHDOG in time; what became degraded or well is logged.
 * When to be called next. */
int64_t rv_status_notify(struct rv_sup *sup, int64_t now_us);

#endif
