/*
 * The cgroups of workers.  Runs in the supervisor only; after the start it allocates nothing until
 * the end, and but for limits that were asked for a failure of it is never more than a line of the
 * log: the sweep does without.
 */
#include "supervisor/group.h"

#include "base/check.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/cgroup.h"
#include "supervisor/sup.h"
#include "supervisor/table.h"

#include <stdio.h>
#include <unistd.h>

#define GROUP_MAX (RV_MARK_MAX + 32)
#define OWN       "/" RV_CGROUP_WORKER /* beside those of its runs */

/* "reeve-" and the mark that its processes bear in REEVE_INSTANCE. */
static void name_of(const struct rv_sup *sup, uint64_t incarnation, char out[GROUP_MAX])
{
	PRE(incarnation != 0);
	(void)snprintf(out, GROUP_MAX, "reeve-%s%016llx", sup->mark,
		       (unsigned long long)incarnation);
}

static void clear(struct rv_sup *sup)
{
	char prefix[GROUP_MAX];
	int left = 0;

	if (sup->cgroup[0] == '\0')
		return;
	(void)snprintf(prefix, sizeof prefix, "reeve-%s", sup->mark);
	if (rv_cgroup_clear(sup->cgroup, prefix, &left) != RV_OK || left > 0)
		rv_log(RV_LOG_DEBUG, RV_EV_sweep_unclean, "%d groups are left in %s", left,
		       sup->cgroup);
}

/* The first key of ${conf} that needs ${controller}, for people; NULL: none does. */
static const struct rv_conf_task *who_wants(const struct rv_conf *conf, unsigned controller)
{
	for (size_t i = 0; i <= conf->ntasks; i++) {
		const struct rv_conf_task *task = i == 0 ? &conf->defaults : &conf->tasks[i - 1];
		struct rv_cgroup_limits limits = {task->memory_max_bytes, task->cpu_max,
						  task->pids_max};

		if ((rv_cgroup_wants(&limits) & controller) != 0)
			return task;
	}
	return NULL;
}

static unsigned wanted_by(const struct rv_conf *conf)
{
	unsigned wanted = 0;

	for (unsigned c = RV_CGROUP_MEMORY; c <= RV_CGROUP_PIDS; c <<= 1)
		wanted |= who_wants(conf, c) ? c : 0;
	return wanted;
}

void rv_group_adopt(struct rv_sup *sup)
{
	struct rv_why why = {.text = ""};
	bool asked = wanted_by(sup->conf) != 0;
	int err = rv_cgroup_find(NULL, asked, sup->cgroup, sizeof sup->cgroup, &why);

	PRE(sup->lock_fd >= 0 && sup->mark[0] != '\0');
	if (err != RV_OK) {
		rv_log(RV_LOG_DEBUG, RV_EV_daemon_starting, "workers get no cgroups: %s",
		       rv_why_text(&why, err));
		return;
	}
	rv_log(RV_LOG_DEBUG, RV_EV_daemon_starting, "workers get cgroups in %s", sup->cgroup);
}

void rv_group_open(struct rv_sup *sup)
{
	rv_group_adopt(sup);
	clear(sup);
}

void rv_group_close(struct rv_sup *sup)
{
	clear(sup);
	if (sup->cgroup[0] != '\0')
		rv_cgroup_leave(sup->cgroup); /* also what a refused start has begun */
}

/* ---- limits */

/* No process may be where groups with limits are. */
static int make_way(struct rv_sup *sup, struct rv_why *why)
{
	int err;

	if (rv_cgroup_is_top(sup->cgroup))
		return RV_OK;
	err = rv_cgroup_make(sup->cgroup, RV_CGROUP_DAEMON);
	if (err != RV_OK)
		return rv_fail(why, err, "no group can be made in %s: %s", sup->cgroup,
			       rv_err_text(err));
	err = rv_cgroup_enter(sup->cgroup, RV_CGROUP_DAEMON, 0, why);
	/* Workers have their own; the next keeper begins where we are. */
	if (err == RV_OK && sup->children && sup->children[0].proc.pidfd >= 0)
		err = rv_cgroup_enter(sup->cgroup, RV_CGROUP_DAEMON, sup->children[0].proc.pid,
				      why);
	return err;
}

/* Workers that began before we had a folder are in it themselves, with their jobs. */
static bool any_groupless(const struct rv_sup *sup)
{
	char path[PATH_MAX + GROUP_MAX];
	char name[GROUP_MAX];

	for (size_t i = 1; sup->children && i < sup->nslots; i++) {
		const struct rv_child *child = &sup->children[i];

		if (child->proc.pidfd < 0 || child->incarnation == 0)
			continue;
		name_of(sup, child->incarnation, name);
		(void)snprintf(path, sizeof path, "%s/%s", sup->cgroup, name);
		if (access(path, F_OK) != 0)
			return true;
	}
	return false;
}

static int enable(struct rv_sup *sup, unsigned controllers, struct rv_why *why)
{
	int err = RV_OK;

	if (sup->cgroup[0] == '\0')
		err = rv_cgroup_find(NULL, true, sup->cgroup, sizeof sup->cgroup, why);
	if (err == RV_OK)
		err = make_way(sup, why);
	if (err == RV_OK)
		err = rv_cgroup_enable(sup->cgroup, controllers, why);
	if (err == RV_E_BUSY && any_groupless(sup))
		return rv_fail(
			why, err,
			"workers of ours are still in %s: `reeve pool restart`, then reload, or "
			"restart reeved",
			sup->cgroup);
	return err;
}

int rv_group_limits(struct rv_sup *sup, const struct rv_conf *conf, struct rv_why *why)
{
	unsigned wanted = wanted_by(conf);
	struct rv_why cause = {.text = ""};
	int err;

	if ((wanted & ~sup->controllers) == 0)
		return RV_OK;
	for (unsigned c = RV_CGROUP_MEMORY; c <= RV_CGROUP_PIDS; c <<= 1) {
		char key[16];

		if ((wanted & ~sup->controllers & c) == 0)
			continue;
		err = enable(sup, c, &cause);
		if (err == RV_OK) {
			sup->controllers |= c;
			continue;
		}
		(void)snprintf(key, sizeof key, "%s_max", rv_cgroup_name(c));
		return rv_fail(why, RV_E_CONF, "%s: %s: such a limit cannot be had: %s",
			       rv_conf_task_origin(who_wants(conf, c), key), key,
			       rv_why_text(&cause, err));
	}
	rv_log(RV_LOG_DEBUG, RV_EV_daemon_starting, "runs can be limited in %s", sup->cgroup);
	return RV_OK;
}

/* Within it the runs have groups, so that the worker has one as well. */
static int make_inner(const struct rv_sup *sup, const char *path, struct rv_why *why)
{
	int err = rv_cgroup_enable(path, sup->controllers, why);

	if (err != RV_OK)
		return err;
	err = rv_cgroup_make(path, RV_CGROUP_WORKER);
	return err == RV_OK ? err : rv_fail(why, err, "%s", rv_err_text(err));
}

const char *rv_group_make(struct rv_sup *sup, uint64_t incarnation)
{
	static char path[PATH_MAX + GROUP_MAX + sizeof OWN];
	struct rv_why why = {.text = ""};
	char name[GROUP_MAX];
	int err;

	if (sup->cgroup[0] == '\0')
		return NULL;
	name_of(sup, incarnation, name);
	err = rv_cgroup_make(sup->cgroup, name);
	(void)snprintf(path, sizeof path, "%s/%s", sup->cgroup, name);
	if (err == RV_OK && sup->controllers != 0) {
		err = make_inner(sup, path, &why);
		(void)snprintf(path, sizeof path, "%s/%s" OWN, sup->cgroup, name);
	}
	if (err != RV_OK) {
		rv_log(RV_LOG_WARN, RV_EV_daemon_starting, "%s: no group can be made: %s",
		       sup->cgroup, rv_why_text(&why, err));
		return NULL;
	}
	return path;
}

void rv_group_kill_dead(struct rv_sup *sup)
{
	char name[GROUP_MAX];

	for (size_t i = 0; sup->cgroup[0] != '\0' && i < sup->obits.space; i++) {
		const struct rv_obit *obit = &sup->obits.items[i];

		if (obit->state != RV_OBIT_SWEEPING && obit->state != RV_OBIT_UNCLEAN)
			continue;
		name_of(sup, obit->incarnation, name);
		/* The keeper's has none. */
		(void)!rv_cgroup_kill(sup->cgroup, name);
	}
}

void rv_group_remove(struct rv_sup *sup, uint64_t incarnation)
{
	char name[GROUP_MAX];

	if (sup->cgroup[0] == '\0')
		return;
	name_of(sup, incarnation, name);
	/* One where something ends just now goes at our end. */
	(void)!rv_cgroup_remove(sup->cgroup, name);
}
