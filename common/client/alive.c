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

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int connect_in(const char *dir, int64_t patience_us, int *ret_fd, struct rv_why *why)
{
	char path[RV_PATH_MAX];
	int err = rv_path_join(path, sizeof(path), dir, "control");

	if (err)
		return rv_fail(why, err, "the path of the control socket is too long");
	return rv_sock_connect(path, patience_us, ret_fd, why);
}

/* Where the store says, then where the configuration says: a stale instance row hides nobody. */
int rv_alive_connect(struct rv_client *client, int64_t patience_us, int *ret_fd, struct rv_why *why)
{
	char dir[RV_PATH_MAX];
	const char *other = client->conf->reeve.runtime_dir;
	pid_t lost = 0;
	int err = rv_client_runtime_dir(client, dir, sizeof(dir));

	if (err)
		return rv_fail(why, RV_E_NOTRUN, "reeved is not running");
	err = connect_in(dir, patience_us, ret_fd, why);
	if (err == RV_E_NOTRUN && other && strcmp(dir, other) != 0)
		err = connect_in(other, patience_us, ret_fd, why);
	if (err == RV_E_NOTRUN && rv_alive_lost(client, &lost) == RV_OK)
		return rv_fail(why, err,
			       "reeved (pid %ld) runs, but its store and its sockets were removed: "
			       "end it with kill %ld, then start it again",
			       (long)lost, (long)lost);
	if (err == RV_E_NOTRUN)
		return rv_fail(why, err, "reeved is not running");
	return err;
}

static bool is_reeved(const char *pid)
{
	char path[64];
	char name[16] = "";
	size_t got = 0;
	RV_AUTO(rv_fd_close) int fd = -1;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && rv_fd_read_all(fd, name, sizeof(name) - 1, &got) == RV_OK &&
	       strcmp(name, "reeved\n") == 0;
}

/* Whether the process has ${target} open. */
static bool has_open(const char *pid, const char *target)
{
	char path[64];
	char link[RV_PATH_MAX + 16];
	const struct dirent *entry;
	bool found = false;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir)) != NULL) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);

		link[n > 0 ? n : 0] = '\0';
		found = strcmp(link, target) == 0;
	}
	if (dir)
		(void)closedir(dir);
	return found;
}

int rv_alive_lost(struct rv_client *client, pid_t *ret_pid)
{
	char lock[RV_PATH_MAX];
	char target[RV_PATH_MAX + 16];
	const struct dirent *entry;
	pid_t pid = 0;
	DIR *proc;

	if (rv_client_lock_path(client, lock, sizeof(lock)) != RV_OK)
		return RV_E_NOTRUN;
	(void)snprintf(target, sizeof(target), "%s (deleted)", lock); /* as the kernel writes it */
	proc = opendir("/proc");
	while (proc && pid == 0 && (entry = readdir(proc)) != NULL) {
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    is_reeved(entry->d_name) && has_open(entry->d_name, target))
			pid = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	if (proc)
		(void)closedir(proc);
	if (pid == 0)
		return RV_E_NOTRUN;
	*ret_pid = pid;
	return RV_OK;
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
	if (rv_alive_connect(client, RV_CLIENT_CONTROL_US, &fd, NULL) != RV_OK)
		return RV_E_NOTRUN;
	*ret_pid = 0;
	return RV_OK;
}

int rv_alive_call(struct rv_client *client, const json_t *request, json_t **ret_reply,
		  struct rv_why *why)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	int err = rv_alive_connect(client, RV_CLIENT_CONTROL_US, &fd, why);

	return err ? err : rv_control_call(fd, request, RV_CLIENT_CONTROL_US, ret_reply, why);
}
