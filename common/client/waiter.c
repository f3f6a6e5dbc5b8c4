/*
 * A waiter's bell: a datagram socket in runtime_dir and a row in the store that names it.
 * Runs in the CLI and tests.  Must never hold a transaction while it sleeps, nor leave its socket.
 */
#include "client/waiter.h"

#include "base/check.h"
#include "base/seam.h"
#include "client/submit.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/sock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void rv_waiter_init(struct rv_waiter *waiter, struct rv_client *client)
{
	char dir[RV_PATH_MAX];
	struct stat st;
	int n;

	*waiter = (struct rv_waiter){.fd = -1};
	if (rv_client_runtime_dir(client, dir, sizeof(dir)) != RV_OK)
		return;
	n = snprintf(waiter->path, sizeof(waiter->path), "%s/waiter.%ld.%08lx", dir, (long)getpid(),
		     (unsigned long)(rv_random_u64() & 0xffffffffUL));
	if (n < 0 || (size_t)n >= sizeof(waiter->path) ||
	    rv_sock_bell(waiter->path, client->conf->reeve.group ? 0660 : 0600, &waiter->fd,
			 NULL)) {
		waiter->fd = -1;
		waiter->path[0] = '\0';
		return;
	}
	/* Root's bell in somebody's folder: that somebody's workers must be able to ring it. */
	if (geteuid() == 0 && stat(dir, &st) == 0 && st.st_uid != 0)
		(void)!lchown(waiter->path, st.st_uid, st.st_gid);
}

static int post(struct rv_client *client, const char *path, int64_t job, int64_t expires_us,
		struct rv_why *why)
{
	struct rv_req *req = calloc(1, sizeof(*req));
	int err;

	if (!req)
		return RV_E_NOMEM;
	req->kind = RV_REQ_WAITER;
	req->u.waiter.job = job;
	req->u.waiter.expires_us = expires_us;
	(void)snprintf(req->u.waiter.path, sizeof(req->u.waiter.path), "%s", path);
	err = rv_submit_one(client, req, why);
	free(req);
	return err;
}

int rv_waiter_watch(struct rv_waiter *waiter, struct rv_client *client, int64_t job,
		    struct rv_why *why)
{
	int err;

	if (waiter->fd < 0 || !client->writable)
		return RV_OK;
	err = post(client, waiter->path, job, rv_wall_us() + RV_WAITER_EXPIRES_US, why);
	if (err == RV_OK)
		waiter->registered = true;
	/* Without the row the second's look still finds it; only what ends the handle is an error.
	 */
	return err == RV_E_BUSY || err == RV_E_NOSPACE ? RV_OK : err;
}

void rv_waiter_fini(struct rv_waiter *waiter, struct rv_client *client)
{
	if (waiter->registered && client->store)
		(void)!post(client, waiter->path, 0, 0, NULL);
	if (waiter->path[0])
		(void)!rv_file_remove(waiter->path, NULL);
	rv_fd_close(&waiter->fd);
	*waiter = (struct rv_waiter){.fd = -1};
}

bool rv_waiter_sleep(struct rv_waiter *waiter, int other_fd, int64_t timeout_us)
{
	struct pollfd fds[2] = {{.fd = waiter->fd, .events = POLLIN},
				{.fd = other_fd, .events = POLLIN}};
	uint64_t token;
	int64_t ms;

	if (timeout_us > RV_WAITER_LOOK_US)
		timeout_us = RV_WAITER_LOOK_US;
	ms = timeout_us <= 0 ? 0 : (timeout_us + RV_MS_US - 1) / RV_MS_US;
	if (poll(fds, 2, (int)ms) <= 0)
		return false;
	while (waiter->fd >= 0 && rv_sock_rung(waiter->fd, &token) == RV_OK)
		;
	return fds[1].revents != 0;
}
