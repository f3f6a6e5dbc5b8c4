#ifndef RV_REEVE_DAEMON_H
#define RV_REEVE_DAEMON_H

/* Asking the daemon: what status, why, worker ls and pool ls share. */

#include "cli.h"

/*
 * Reads the configuration, and opens the store for reading if it can be: its instance row says
 * where the control socket is.  Not being able to is no error here.
 */
int rv_daemon_find(struct rv_cli *cli) RV_MUST_CHECK;

/* The control socket's answer to ${verb} without fields; owned by the caller.  After
 * rv_daemon_find. */
int rv_daemon_ask(struct rv_cli *cli, const char *verb, json_t **ret_reply) RV_MUST_CHECK;

/*
 * verb_pool.c: until the workers of ${pool} (NULL: all) are replaced, or --timeout; names those
 * that are new, of ${generation} or later, as they come.  The program's exit code.
 */
int rv_pool_await(struct rv_cli *cli, const char *pool, int64_t generation) RV_MUST_CHECK;

#endif
