/*
 * The cgroup of a limited run.  Worker processes.  Must never let a run that is to have limits go
 * without, and never wait for one that does not empty.
 */
#include "run/leaf.h"

#include "base/check.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/cgroup.h"
#include "os/fd.h"
#include "os/oom.h"
#include "os/spawn.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* The group around ours, once it was found. */
static char around[PATH_MAX];
static uint64_t made; /* so many: their names */

/* Of a path its last part, and what is before it into ${base}. */
static const char *split(const struct rv_leaf *leaf, char base[PATH_MAX])
{
	const char *slash = strrchr(leaf->path, '/');

	PRE(slash && slash > leaf->path);
	(void)snprintf(base, PATH_MAX, "%.*s", (int)(slash - leaf->path), leaf->path);
	return slash + 1;
}

static int find_around(struct rv_why *why)
{
	char own[PATH_MAX];
	char *slash;
	int err;

	if (around[0] != '\0')
		return RV_OK;
	err = rv_cgroup_own(NULL, own, sizeof(own), why);
	if (err != RV_OK)
		return err;
	slash = strrchr(own, '/');
	/* The supervisor said that it could not; or this worker is of before it was asked to. */
	if (!slash || strcmp(slash + 1, RV_CGROUP_WORKER) != 0)
		return rv_fail(why, RV_E_NOTFOUND, "this worker has no group to make groups in");
	*slash = '\0';
	(void)snprintf(around, sizeof(around), "%s", own);
	return RV_OK;
}

int rv_leaf_make(const struct rv_conf_task *task, struct rv_leaf *ret_leaf, struct rv_why *why)
{
	const struct rv_cgroup_limits limits = {task->memory_max_bytes, task->cpu_max,
						task->pids_max};
	struct rv_why cause = {.text = ""};
	struct rv_leaf leaf = {.has_memory = limits.memory_bytes > 0};
	char name[32];
	int err;

	*ret_leaf = (struct rv_leaf){.path = ""};
	if (rv_cgroup_wants(&limits) == 0)
		return RV_OK;
	err = find_around(&cause);
	(void)snprintf(name, sizeof(name), "run-%llu", (unsigned long long)++made);
	(void)snprintf(leaf.path, sizeof(leaf.path), "%s/%s", around, name);
	if (err == RV_OK)
		err = rv_cgroup_make(around, name);
	if (err == RV_OK) {
		*ret_leaf = leaf;
		err = rv_cgroup_limit(around, name, &limits, &cause);
	}
	if (err == RV_OK)
		return RV_OK;
	rv_leaf_remove(ret_leaf);
	return rv_fail(why, RV_E_BUSY, "its limits cannot be had: %s", rv_why_text(&cause, err));
}

void rv_leaf_spawn(const struct rv_leaf *leaf, struct rv_spawn *how)
{
	how->cgroup = leaf->path[0] != '\0' ? leaf->path : NULL;
	how->cgroup_must = true;
}

bool rv_leaf_knows(const struct rv_leaf *leaf, bool *ret_oom)
{
	char path[sizeof(leaf->path) + 16];
	int64_t kills = 0;

#ifdef RV_MUTANT_OOM_UNTOLD
	return false;
#endif
	if (!leaf->has_memory || leaf->path[0] == '\0')
		return false;
	(void)snprintf(path, sizeof(path), "%s/memory.events", leaf->path);
	if (rv_oom_kills(path, &kills) != RV_OK)
		return false;
	*ret_oom = kills > 0;
	return true;
}

void rv_leaf_kill(const struct rv_leaf *leaf)
{
	char base[PATH_MAX];
	const char *name;

	if (leaf->path[0] == '\0')
		return;
	name = split(leaf, base);
#ifdef RV_MUTANT_LEAF_NOT_KILLED
	return;
#endif
	(void)!rv_cgroup_kill(base, name);
}

bool rv_leaf_is_empty(const struct rv_leaf *leaf)
{
	char path[sizeof(leaf->path) + 16];
	char text[256];
	size_t got = 0;
	int fd;
	int err;

	if (leaf->path[0] == '\0')
		return true;
	(void)snprintf(path, sizeof(path), "%s/cgroup.events", leaf->path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	err = rv_fd_read_all(fd, text, sizeof(text) - 1, &got);
	rv_fd_close(&fd);
	text[got] = '\0';
#ifdef RV_MUTANT_LEAF_NOT_AWAITED
	return true;
#endif
	return err != RV_OK || !strstr(text, "populated 1");
}

void rv_leaf_remove(struct rv_leaf *leaf)
{
	char base[PATH_MAX];
	const char *name;
	int err;

	if (leaf->path[0] == '\0')
		return;
	name = split(leaf, base);
#ifdef RV_MUTANT_LEAF_LEFT
	leaf->path[0] = '\0';
	return;
#endif
	err = rv_cgroup_remove(base, name);
	if (err == RV_E_BUSY) {
		(void)!rv_cgroup_kill(base, name);
		err = rv_cgroup_remove(base, name);
	}
	if (err != RV_OK)
		rv_log(RV_LOG_DEBUG, RV_EV_job_leftover, "%s is left for now: %s", leaf->path,
		       rv_err_text(err));
	leaf->path[0] = '\0';
}
