#ifndef RV_SUPERVISOR_ENV_H
#define RV_SUPERVISOR_ENV_H

/* The environment of children: nothing but what child_env.def and the tasks' pass_env name. */

#include "conf/conf.h"

/*
 * Its first entry is ${mark} ("REEVE_INSTANCE=…", borrowed, rewritten before each start); the
 * others are borrowed from ${environment}.  One free().  NULL when out of memory.
 */
char **rv_child_env(const struct rv_conf *conf, char *const *environment, char *mark) RV_MUST_CHECK;

#endif
