#ifndef RV_CONF_ZONE_H
#define RV_CONF_ZONE_H

/* Time zones by name, from the database of the system.  Who checks a configuration, keeper, CLI. */

#include "base/zone.h"

#define RV_ZONE_LOCAL "local"
#define RV_ZONE_UTC   "UTC"

/*
 * "UTC" (NULL, wherever there is a database), "local" (/etc/localtime; UTC without one) or a name
 * of the database.  RV_E_CONF with a sentence and the nearest name; RV_E_NOMEM.  rv_zone_free() it.
 */
int rv_conf_zone(const char *name, struct rv_zone **ret_zone, struct rv_why *why) RV_MUST_CHECK;

#endif
