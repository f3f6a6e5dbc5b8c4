#ifndef RV_SUPERVISOR_FIT_H
#define RV_SUPERVISOR_FIT_H

#include "base/err.h"

struct rv_conf;
struct rv_sup;

/*
 * Are the programs that lie beside us of our build?  Each is run with --version and has to say it.
 * Waits for them, some seconds each: for the process that is asked whether it can take over, never
 * for the supervisor itself.  After rv_sup_programs.  RV_E_REFUSED, RV_E_MISSING with a sentence.
 */
int rv_fit_programs(const struct rv_sup *sup, const struct rv_conf *conf,
		    struct rv_why *why) RV_MUST_CHECK;

#endif
