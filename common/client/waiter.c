/*
 * A waiter's bell: a datagram socket in runtime_dir and a row in the store that names it.
 * Runs in the CLI and tests.  Must never hold a transaction while it sleeps, nor leave its socket.
 */
#include "client/waiter.h"

#include "base/check.h"
#include "base/seam.h"
#include "client/nest.h"
#include "client/submit.h"
#include "conf/conf.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/sock.h"
#include "store/request.h"

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

/* One WAITER request for each job, in one transaction; what one of them says is its own matter. */
static int post(struct rv_client *client, const char *path, const int64_t *jobs, size_t count,
		int64_t expires_us, struct rv_why *why)
{
	struct rv_req *reqs = calloc(count, sizeof(*reqs));
	struct rv_req *list[RV_WAITER_JOBS];
	int err;

	PRE(count > 0 && count <= RV_WAITER_JOBS);
	if (!reqs)
		return RV_E_NOMEM;
	for (size_t i = 0; i < count; i++) {
		list[i] = &reqs[i];
		reqs[i].kind = RV_REQ_WAITER;
		reqs[i].u.waiter.job = jobs[i];
		reqs[i].u.waiter.expires_us = expires_us;
		(void)snprintf(reqs[i].u.waiter.path, sizeof(reqs[i].u.waiter.path), "%s", path);
	}
	err = rv_submit(client, list, count, false, why);
	free(reqs);
	return err;
}

int rv_waiter_watch(struct rv_waiter *waiter, struct rv_client *client, const int64_t *jobs,
		    size_t count, struct rv_why *why)
{
	int err;

	if (count > 0 && jobs[0] != RV_WAITER_FOLLOWS)
		rv_nest_begin(&waiter->nest, client);
	if (waiter->fd < 0 || !client->writable || count == 0)
		return RV_OK;
	err = post(client, waiter->path, jobs, count, rv_wall_us() + RV_WAITER_EXPIRES_US, why);
	if (err == RV_OK)
		waiter->registered = true;
	return err == RV_E_BUSY || err == RV_E_NOSPACE ? RV_OK : err;
}

int rv_waiter_watch_queue(struct rv_waiter *waiter, struct rv_client *client, const char *queue,
			  int64_t jobs, struct rv_why *why)
{
	struct rv_req *req;
	int err;

	rv_nest_begin(&waiter->nest, client);
	if (waiter->fd < 0 || !client->writable)
		return RV_OK;
	req = calloc(1, sizeof(*req));
	if (!req)
		return RV_E_NOMEM;
	req->kind = RV_REQ_WAITER;
	req->u.waiter.expires_us = rv_wall_us() + RV_WAITER_EXPIRES_US;
	req->u.waiter.room = jobs;
	(void)snprintf(req->u.waiter.path, sizeof(req->u.waiter.path), "%s", waiter->path);
	(void)snprintf(req->u.waiter.queue, sizeof(req->u.waiter.queue), "%s", queue);
	err = rv_submit_one(client, req, why);
	free(req);
	if (err == RV_OK)
		waiter->registered = true;
	return err == RV_E_BUSY || err == RV_E_NOSPACE ? RV_OK : err;
}

void rv_waiter_done(struct rv_waiter *waiter)
{
	waiter->registered = false;
}

void rv_waiter_fini(struct rv_waiter *waiter, struct rv_client *client)
{
	static const int64_t all = 0;

	rv_nest_end(&waiter->nest, client);
	if (waiter->registered && client->store)
		(void)!post(client, waiter->path, &all, 1, 0, NULL);
	if (waiter->path[0])
		(void)!rv_file_remove(waiter->path, NULL);
	rv_fd_close(&waiter->fd);
	*waiter = (struct rv_waiter){.fd = -1};
}

void rv_waiter_sleep(struct rv_waiter *waiter, struct pollfd *others, size_t nothers,
		     int64_t timeout_us)
{
	struct pollfd fds[RV_WAITER_OTHERS + 1];
	uint64_t token;
	int64_t ms;
	int ready;

	PRE(nothers <= RV_WAITER_OTHERS);
	if (timeout_us > RV_WAITER_LOOK_US)
		timeout_us = RV_WAITER_LOOK_US;
	ms = timeout_us <= 0 ? 0 : (timeout_us + RV_MS_US - 1) / RV_MS_US;
	fds[nothers] = (struct pollfd){.fd = waiter->fd, .events = POLLIN};
	for (size_t i = 0; i < nothers; i++)
		fds[i] = others[i];
	ready = poll(fds, nothers + 1, (int)ms);
	for (size_t i = 0; i < nothers; i++)
		others[i].revents = (short)(ready > 0 ? fds[i].revents : 0);
	while (waiter->fd >= 0 && rv_sock_rung(waiter->fd, &token) == RV_OK)
		;
}
