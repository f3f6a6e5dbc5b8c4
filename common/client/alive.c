/*
 * Whether the daemon of a store runs, and calls on its control socket.  Runs in the CLI and tests.
 * Must never touch the database's own files, and never wait without a limit.
 */
#include "client/alive.h"

#include "conf/conf.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/sock.h"
#include "wire/control.h"

#include <string.h>

static int connect_in(const char *dir, int *ret_fd, struct rv_why *why)
{
	char path[RV_PATH_MAX];
	int err = rv_path_join(path, sizeof(path), dir, "control");

	if (err)
		return rv_fail(why, err, "the path of the control socket is too long");
	return rv_sock_connect(path, RV_CLIENT_CONTROL_US, ret_fd, why);
}

/* Where the store says, then where the configuration says: a stale instance row hides nobody. */
static int connect_control(struct rv_client *client, int *ret_fd, struct rv_why *why)
{
	char dir[RV_PATH_MAX];
	const char *other = client->conf->reeve.runtime_dir;
	int err = rv_client_runtime_dir(client, dir, sizeof(dir));

	if (err)
		return rv_fail(why, RV_E_NOTRUN, "reeved is not running");
	err = connect_in(dir, ret_fd, why);
	if (err == RV_E_NOTRUN && other && strcmp(dir, other) != 0)
		err = connect_in(other, ret_fd, why);
	if (err == RV_E_NOTRUN)
		return rv_fail(why, err, "reeved is not running");
	return err;
}

int rv_alive(struct rv_client *client, pid_t *ret_pid)
{
	char path[RV_PATH_MAX];
	RV_AUTO(rv_fd_close) int fd = -1;
	int err = rv_client_lock_path(client, path, sizeof(path));

	if (!err)
		err = rv_lock_holder(path, ret_pid, NULL);
	if (err == RV_OK || err == RV_E_NOTRUN)
		return err;
	if (connect_control(client, &fd, NULL) != RV_OK)
		return RV_E_NOTRUN;
	*ret_pid = 0;
	return RV_OK;
}

int rv_alive_call(struct rv_client *client, const json_t *request, json_t **ret_reply,
		  struct rv_why *why)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	int err = connect_control(client, &fd, why);

	return err ? err : rv_control_call(fd, request, RV_CLIENT_CONTROL_US, ret_reply, why);
}
