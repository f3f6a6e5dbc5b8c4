#ifndef RV_SUPERVISOR_START_H
#define RV_SUPERVISOR_START_H

/* The start, in its order, and the end. */

#include "supervisor/sup.h"

/*
 * Takes ${conf} (owned from here, whatever happens): folders, lock, the leftovers of a killed
 * predecessor, area, doorbell, control socket.  Children are started by the first turn of the loop.
 * RV_E_LOCKED (75), RV_E_MISSING (69), RV_E_CONF (78)…; rv_sup_close() undoes what was done.
 */
int rv_sup_open(struct rv_sup *sup, const struct rv_options *options, struct rv_conf *conf,
		struct rv_why *why) RV_MUST_CHECK;
/* Half-opened is allowed.  No child may be left. */
void rv_sup_close(struct rv_sup *sup);

#endif
