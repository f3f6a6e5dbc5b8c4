/*
 * The boot of a child of reeved.  Worker and keeper.  Opens the store after exec only, through its
 * own descriptors; must never keep one that it was not given to keep.
 */
#include "child/child.h"

#include "base/fault.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/spawn.h"
#include "os/sweep.h"
#include "os/user.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_log(struct rv_child *child, struct rv_why *why)
{
	static const enum rv_log_level levels[] = {
		[RV_CONF_LEVEL_DEBUG] = RV_LOG_DEBUG,
		[RV_CONF_LEVEL_INFO] = RV_LOG_INFO,
		[RV_CONF_LEVEL_WARN] = RV_LOG_WARN,
		[RV_CONF_LEVEL_ERROR] = RV_LOG_ERROR,
	};
	static const enum rv_log_format formats[] = {
		[RV_CONF_FORMAT_AUTO] = RV_LOG_AUTO,
		[RV_CONF_FORMAT_TEXT] = RV_LOG_TEXT,
		[RV_CONF_FORMAT_JSON] = RV_LOG_JSON,
	};
	char who[128];
	struct rv_log_setup setup = {
		.level = levels[child->conf->log.level],
		.format = formats[child->conf->log.format],
		.target = child->conf->log.target,
		.who = who,
	};

	if (child->pool[0] != '\0')
		(void)snprintf(who, sizeof(who), "worker %s", child->name);
	else
		(void)snprintf(who, sizeof(who), "keeper");
	return rv_log_open(&setup, why);
}

static int read_conf(struct rv_child *child, struct rv_why *why)
{
	struct rv_conf_errors errors;
	int fd = RV_CONF_FD;
	int err;

	rv_conf_errors_init(&errors);
	err = rv_conf_read(fd, &child->conf, &errors);
	if (err != RV_OK && errors.count > 0)
		err = rv_fail(why, err, "the configuration on descriptor %d: %s: %s", fd,
			      errors.items[0].where, errors.items[0].text);
	else if (err != RV_OK)
		err = rv_fail(why, err, "cannot read the configuration on descriptor %d: %s", fd,
			      rv_err_text(err));
	rv_conf_errors_fini(&errors);
	rv_fd_close(&fd);
	return err;
}

static int map_area(struct rv_child *child, struct rv_why *why)
{
	int fd = RV_AREA_FD;
	int err = rv_area_map(fd, &child->area, why);

	rv_fd_close(&fd);
	if (err != RV_OK)
		return err;
	if (child->slot >= child->area.head->nslots)
		return rv_fail(why, RV_E_USAGE, "the area has no slot %u", child->slot);
	child->hint = &child->area.hints[child->slot];
	return RV_OK;
}

/* REEVE_INSTANCE as the supervisor set it; it looks for that when it sweeps. */
static void set_mark(struct rv_child *child)
{
	const char *mark = getenv("REEVE_INSTANCE");

	if (mark && strlen(mark) < sizeof(child->mark))
		(void)snprintf(child->mark, sizeof(child->mark), "%s", mark);
	else
		(void)snprintf(child->mark, sizeof(child->mark), "%016llx",
			       (unsigned long long)child->incarnation);
}

int rv_child_boot(struct rv_child *child, struct rv_why *why)
{
	char lock[RV_PATH_MAX];
	int err;

	rv_fault_iam(child->program);
	set_mark(child);
	child->parent = getppid();
	err = rv_fd_cloexec(RV_SUP_FD, true);
	if (err != RV_OK)
		return rv_fail(why, RV_E_USAGE,
			       "descriptor %d is no channel: reeved starts this program",
			       RV_SUP_FD);
	err = read_conf(child, why);
	if (err == RV_OK)
		err = open_log(child, why);
	if (err == RV_OK)
		err = map_area(child, why);
	if (err != RV_OK)
		return err;
	if (rv_path_join(child->doorbell, sizeof(child->doorbell), child->conf->reeve.runtime_dir,
			 "doorbell") != RV_OK ||
	    snprintf(lock, sizeof(lock), "%s.lock", child->conf->store.path) >= (int)sizeof(lock))
		return rv_fail(why, RV_E_CONF, "the paths of store or sockets are too long");
	err = rv_lock_child(lock, &child->lock_fd, why);
	if (err == RV_OK)
		err = rv_subreaper();
	return err;
}

int rv_child_open(struct rv_child *child, bool create, const struct rv_child_hooks *hooks,
		  struct rv_why *why)
{
	struct rv_store_open how = {
		.backend = "sqlite",
		.path = child->conf->store.path,
		.create = create,
		.migrate = create,
		.group = (gid_t)-1,
		.interrupt = rv_writer_busy,
		.ctx = (void *)&child->writer,
	};
	int err = RV_OK;

	if (child->conf->reeve.group)
		err = rv_group_find(child->conf->reeve.group, &how.group, why);
	if (err == RV_OK)
		err = rv_store_open(&how, &child->store, why);
	if (err != RV_OK)
		return err;
	return rv_child_writer_open(child, hooks, why);
}

int rv_child_join(struct rv_child *child, int64_t lease_us, struct rv_why *why)
{
	struct rv_req req = {.kind = RV_REQ_JOIN};
	struct rv_req_join *join = &req.u.join;
	uint64_t ticks;
	int err = rv_proc_start_time(getpid(), &ticks);

	if (err == RV_OK)
		err = rv_boot_id(join->boot_id);
	if (err != RV_OK)
		return rv_fail(why, err, "cannot read our own start time and the boot id");
	atomic_store(&child->hint->job, 0);
	atomic_store(&child->hint->limit_us, 0);
	atomic_store(&child->hint->idle, 0);
	atomic_store(&child->hint->jobs_done, 0);
	join->incarnation = child->incarnation;
	join->pid = getpid();
	join->start_ticks = (int64_t)ticks;
	join->slot = (int32_t)child->slot;
	(void)snprintf(join->pool, sizeof(join->pool), "%s", child->pool);
	(void)snprintf(join->name, sizeof(join->name), "%s", child->name);
	join->beat_deadline_us = rv_child_beat(child) + lease_us;
	atomic_store(&child->hint->incarnation, child->incarnation);
	return rv_child_do(child, &req, RV_DURABILITY_NORMAL, RV_CHILD_OPEN_US, why);
}

void rv_child_leave(struct rv_child *child)
{
	struct rv_req req = {.kind = RV_REQ_LEAVE};
	struct rv_why why = {.text = ""};
	int err;

	req.u.leave.incarnation = child->incarnation;
	err = rv_child_do(child, &req, RV_DURABILITY_NORMAL, RV_S_US, &why);
	if (err != RV_OK)
		rv_log(RV_LOG_INFO, RV_EV_store_error, "cannot say goodbye to the store: %s",
		       rv_why_text(&why, err));
}

void rv_child_close(struct rv_child *child)
{
	rv_writer_close(child->writer);
	child->writer = NULL;
	rv_store_close(child->store);
	child->store = NULL;
	if (child->area.head)
		rv_area_unmap(&child->area);
	child->hint = NULL;
	rv_conf_free(child->conf);
	child->conf = NULL;
	rv_fd_close(&child->lock_fd);
	rv_log_close();
}

int64_t rv_child_beat(struct rv_child *child)
{
	int64_t now = rv_mono_us();
	int64_t gap = now - atomic_load_explicit(&child->hint->beat_us, memory_order_relaxed);

	if (gap > child->gap_us)
		child->gap_us = gap;
	atomic_store_explicit(&child->hint->beat_us, now, memory_order_release);
	return now;
}

int rv_child_exit(int err)
{
	switch (err) {
	case RV_OK:
		return 0;
	case RV_E_IO:
	case RV_E_CORRUPT:
	case RV_E_REPLACED:
	case RV_E_UNKNOWN:
	case RV_E_FAILED:
		return 74;
	default:
		return rv_err_exit(err) == 78 ? 78 : 75;
	}
}
