#ifndef RV_SUPERVISOR_RELOAD_H
#define RV_SUPERVISOR_RELOAD_H

/* From a configuration to what the supervisor keeps of it; and again, when it is read anew. */

#include "supervisor/sup.h"
#include "wire/json.h"

/* Loads what ${options} name; every error and warning is logged.  RV_E_CONF, RV_E_NOMEM. */
int rv_reload_load(const struct rv_options *options, struct rv_conf **ret_conf,
		   struct rv_why *why) RV_MUST_CHECK;

/* Takes over ${conf} (owned from here, on RV_OK): pools, child environment, log, sealed text. */
int rv_reload_adopt(struct rv_sup *sup, struct rv_conf *conf, struct rv_why *why) RV_MUST_CHECK;

/* The same when our last image had it in force: nothing is new but our own memory of it. */
int rv_reload_resume(struct rv_sup *sup, struct rv_conf *conf, struct rv_why *why) RV_MUST_CHECK;

/*
 * Reads, checks, compares, applies: only what changed rolls.  On any error the old configuration
 * stays as it is.  ${dry}: only says what would be.  ${answer} (may be NULL) gets changes, rolls,
 * next_start, or errors.
 */
int rv_reload(struct rv_sup *sup, bool dry, json_t *answer, struct rv_why *why) RV_MUST_CHECK;

#endif
