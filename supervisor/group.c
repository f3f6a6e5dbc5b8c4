/*
 * The cgroups of workers.  Runs in the supervisor only; after the start it allocates nothing until
 * the end, and a failure of it is never more than a line of the log: the sweep does without.
 */
#include "supervisor/group.h"

#include "base/check.h"
#include "obs/log.h"
#include "os/cgroup.h"
#include "supervisor/sup.h"
#include "supervisor/table.h"

#include <stdio.h>

#define GROUP_MAX (RV_MARK_MAX + 32)

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

void rv_group_adopt(struct rv_sup *sup)
{
	struct rv_why why = {.text = ""};
	int err = rv_cgroup_find("/proc/self", sup->cgroup, sizeof sup->cgroup, &why);

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
}

const char *rv_group_make(struct rv_sup *sup, uint64_t incarnation)
{
	static char path[PATH_MAX + GROUP_MAX];
	char name[GROUP_MAX];
	int err;

	if (sup->cgroup[0] == '\0')
		return NULL;
	name_of(sup, incarnation, name);
	err = rv_cgroup_make(sup->cgroup, name);
	if (err != RV_OK) {
		rv_log(RV_LOG_WARN, RV_EV_daemon_starting, "%s: no group can be made: %s",
		       sup->cgroup, rv_err_text(err));
		return NULL;
	}
	(void)snprintf(path, sizeof path, "%s/%s", sup->cgroup, name);
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
	/* One that a job made groups in, or where something ends just now, goes at our end. */
	(void)!rv_cgroup_remove(sup->cgroup, name);
}
