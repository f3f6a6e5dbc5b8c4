/*
 * Folders of runs: made before the start, removed when nothing of the run is left.  Worker
 * processes.  A mount of its own over /tmp would need root and leave what is in it somewhere all
 * the same; a folder and TMPDIR do for every user.  Must never remove one that a run still has.
 */
#include "run/tmp.h"

#include "base/check.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/tree.h"
#include "run/worker.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SWEEP_US RV_S_US /* of a worker's start; the next one goes on */

static const char *base(void)
{
	const char *folder = getenv("TMPDIR");

	return folder && folder[0] == '/' ? folder : "/tmp";
}

/* "reeve-" and the part of the mark that all processes of this store bear. */
static void prefix_of(const struct rv_worker *worker, char out[80])
{
	(void)snprintf(out, 80, "reeve-%.*s.", (int)strcspn(worker->mark, "."), worker->mark);
}

int rv_tmp_make(const struct rv_worker *worker, struct rv_tmp *ret_tmp, struct rv_why *why)
{
	struct rv_tmp tmp = {.fd = -1};
	char prefix[80];
	int n;

	prefix_of(worker, prefix);
	n = snprintf(tmp.path, sizeof(tmp.path), "%s/%sXXXXXX", base(), prefix);
	if (n < 0 || (size_t)n >= sizeof(tmp.path))
		return rv_fail(why, RV_E_TOOBIG, "private_tmp: TMPDIR is too long");
	if (!mkdtemp(tmp.path))
		return rv_fail(why, RV_E_BUSY, "private_tmp: no folder in %s: %m", base());
	tmp.fd = open(tmp.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (tmp.fd < 0 || flock(tmp.fd, LOCK_EX | LOCK_NB) != 0) {
		(void)rv_fail(why, RV_E_BUSY, "private_tmp: %s: %m", tmp.path);
		rv_fd_close(&tmp.fd);
		(void)rmdir(tmp.path);
		return RV_E_BUSY;
	}
	*ret_tmp = tmp;
	return RV_OK;
}

int rv_tmp_give(const struct rv_tmp *tmp, uid_t uid, gid_t gid, struct rv_why *why)
{
	PRE(tmp->path[0] != '\0' && tmp->fd >= 0);
	if (fchown(tmp->fd, uid, gid) == 0)
		return RV_OK;
	return rv_fail(why, RV_E_DENIED, "private_tmp: %s cannot be given away: %m", tmp->path);
}

bool rv_tmp_remove(struct rv_tmp *tmp, int64_t budget_us)
{
	int err;

	if (tmp->path[0] == '\0')
		return true;
	err = rv_tree_remove(tmp->path, budget_us);
	if (err == RV_E_BUSY)
		return false;
	if (err != RV_OK)
		rv_log(RV_LOG_WARN, RV_EV_job_leftover, "%s cannot be removed: %s", tmp->path,
		       rv_err_text(err));
	rv_fd_close(&tmp->fd);
	tmp->path[0] = '\0';
	return true;
}

/* One that nobody holds; the lock is ours while we remove it, so that nobody else does. */
static void sweep_one(const char *name, int64_t left_us)
{
	struct rv_tmp tmp = {.fd = -1};
	int n = snprintf(tmp.path, sizeof(tmp.path), "%s/%s", base(), name);

	if (n < 0 || (size_t)n >= sizeof(tmp.path))
		return;
	tmp.fd = open(tmp.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (tmp.fd >= 0 && flock(tmp.fd, LOCK_EX | LOCK_NB) == 0)
		(void)rv_tmp_remove(&tmp, left_us);
	rv_fd_close(&tmp.fd);
}

static bool is_wanted(const struct rv_conf *conf)
{
	bool any = conf->defaults.private_tmp;

	for (size_t i = 0; i < conf->ntasks && !any; i++)
		any = conf->tasks[i].private_tmp;
	return any;
}

void rv_tmp_sweep(const struct rv_worker *worker)
{
	int64_t end = rv_mono_us() + SWEEP_US;
	const struct dirent *entry;
	char prefix[80];
	DIR *dir = is_wanted(worker->conf) ? opendir(base()) : NULL;

	prefix_of(worker, prefix);
	while (dir && (entry = readdir(dir)) != NULL) {
		int64_t left = end - rv_mono_us();

		if (left <= 0)
			break;
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			sweep_one(entry->d_name, left);
	}
	if (dir)
		(void)closedir(dir);
}
