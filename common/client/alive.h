#ifndef RV_CLIENT_ALIVE_H
#define RV_CLIENT_ALIVE_H

/* Whether the daemon of a store runs, and a call to it.  CLI and tests. */

#include "client/client.h"

#include <jansson.h>
#include <sys/types.h>

/*
 * RV_OK: a daemon holds the store (${*ret_pid}: its pid as it wrote it, 0 unknown); RV_E_NOTRUN.
 * Asks the lock file; where that cannot be read, whether somebody listens on the control socket.
 */
int rv_alive(struct rv_client *client, pid_t *ret_pid) RV_MUST_CHECK;

/*
 * RV_OK: a reeved runs (${*ret_pid}) whose lock file at this store's path was removed, and with it
 * the way to its store; RV_E_NOTRUN.  Looks through /proc, so it sees our own processes only, or
 * all as root.
 */
int rv_alive_lost(struct rv_client *client, pid_t *ret_pid) RV_MUST_CHECK;

/*
 * A connection to the control socket, found through the store if one is open, else by the
 * configuration's runtime_dir.  RV_E_NOTRUN nobody listens, RV_E_TIMEOUT, RV_E_DENIED.
 */
int rv_alive_connect(struct rv_client *client, int64_t patience_us, int *ret_fd,
		     struct rv_why *why) RV_MUST_CHECK;

/*
 * One request on the control socket (see wire/control.h; ${request} borrowed), found through the
 * store if one is open, else by the configuration's runtime_dir.  RV_OK: the reply, to be
 * json_decref'ed.  RV_E_NOTRUN nobody listens, RV_E_TIMEOUT, RV_E_DENIED, and what the daemon says.
 */
int rv_alive_call(struct rv_client *client, const json_t *request, json_t **ret_reply,
		  struct rv_why *why) RV_MUST_CHECK;

#endif
