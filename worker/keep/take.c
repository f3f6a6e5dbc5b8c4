/*
 * Taking the store: the instance row and the epoch, tasks and queues of the configuration.  The
 * keeper's start; nothing may be claimed before.
 */
#include "keep/keeper.h"

#include "conf/conf.h"
#include "obs/log.h"
#include "os/spawn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* This daemon has the store now: the epoch for a new boot, the leases of its predecessors. */
static int raise_epoch(struct rv_keeper *keeper, struct rv_why *why)
{
	struct rv_child *child = &keeper->child;
	struct rv_req_raise *raise = &keeper->req.u.raise;
	pid_t daemon = getppid();
	uint64_t ticks;
	int err = rv_proc_start_time(daemon, &ticks);

	if (err != RV_OK)
		return rv_fail(why, err, "the supervisor is gone");
	memset(&keeper->req, 0, sizeof(keeper->req));
	keeper->req.kind = RV_REQ_RAISE;
	raise->pid = daemon;
	raise->start_ticks = (int64_t)ticks;
	err = rv_boot_id(raise->boot_id);
	if (err != RV_OK)
		return rv_fail(why, err, "cannot read the boot id");
	(void)snprintf(raise->runtime_dir, sizeof(raise->runtime_dir), "%s",
		       child->conf->reeve.runtime_dir);
	raise->area = child->area.head->id;
	raise->incarnation_base = child->incarnation;
	return rv_child_do(child, &keeper->req, RV_DURABILITY_FULL, RV_CHILD_OPEN_US, why);
}

static int mirror(struct rv_keeper *keeper, struct rv_why *why)
{
	struct rv_conf_defs defs;
	int err = rv_conf_defs(keeper->child.conf, &defs);

	if (err != RV_OK)
		return err;
	memset(&keeper->req, 0, sizeof(keeper->req));
	keeper->req.kind = RV_REQ_MIRROR;
	keeper->req.u.mirror = (struct rv_req_mirror){.tasks = defs.tasks,
						      .ntasks = defs.ntasks,
						      .queues = defs.queues,
						      .nqueues = defs.nqueues,
						      .resources = defs.resources,
						      .nresources = defs.nresources,
						      .schedules = defs.schedules,
						      .nschedules = defs.nschedules};
	err = rv_child_do(&keeper->child, &keeper->req, RV_DURABILITY_FULL, RV_CHILD_OPEN_US, why);
	rv_conf_defs_fini(&defs);
	return err;
}

static void warn(void *ctx, const char *text)
{
	(void)ctx;
	rv_log(RV_LOG_WARN, RV_EV_store_warning, "%s", text);
}

int rv_keep_take(struct rv_keeper *keeper, struct rv_why *why)
{
	int err = raise_epoch(keeper, why);

	rv_store_warnings(keeper->child.store, warn, NULL);
	return err == RV_OK ? mirror(keeper, why) : err;
}
