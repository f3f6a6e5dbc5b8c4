#ifndef RV_SUPERVISOR_PLACE_H
#define RV_SUPERVISOR_PLACE_H

/* The folders of a daemon, and what of them its configured group may use.  Supervisor, at start. */

#include "base/err.h"

struct rv_conf;

/*
 * Makes state_dir, runtime_dir and the store's folder where they are not there: 0700, or 2770 with
 * [reeve] group.  RV_E_CONF: everyone may write to one, or the group is not one to use.
 */
int rv_place_make(const struct rv_conf *conf, struct rv_why *why) RV_MUST_CHECK;

/*
 * With [reeve] group: gives it what was there before (folders 2770, store 0660, outputs' folders
 * 2750) where that is ours to give; where it is not, warns with the commands for whom it belongs
 * to.  After the store's lock is ours, before anything is bound.  Only stats and changes modes.
 */
void rv_place_share(const struct rv_conf *conf);

#endif
