/*
 * The start of an image of the supervisor that goes on from where its last one was (upgrade.h): the
 * children, their descriptors, lock, area and sockets are there.  Runs in the supervisor only. Must
 * touch nothing that the last image left but what its state names.
 *
 * Wider than the budget of headers: table.h brings what the child table is made of.
 */
#include "supervisor/start.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/notify.h"
#include "supervisor/child.h"
#include "supervisor/control.h"
#include "supervisor/death.h"
#include "supervisor/doorbell.h"
#include "supervisor/group.h"
#include "supervisor/handover.h"
#include "supervisor/main.h"
#include "supervisor/reload.h"
#include "supervisor/roll.h"

#include <unistd.h>

static int read_state(struct rv_sup *sup, int fd, struct rv_why *why)
{
	struct rv_buf text;
	int err;

	rv_buf_init(&text);
	err = rv_fd_read_sealed(fd, RV_HANDOVER_MAX, &text);
	if (err == RV_OK)
		err = rv_handover_read(sup, text.data, text.size, why);
	rv_buf_fini(&text);
	rv_fd_close(&fd);
	return err;
}

static int keep_from_children(int fd, void *ctx)
{
	(void)ctx;
	return rv_fd_cloexec(fd, true);
}

static int read_conf(struct rv_sup *sup, struct rv_why *why)
{
	struct rv_conf_errors errors;
	struct rv_conf *conf = NULL;
	int err;

	rv_conf_errors_init(&errors);
	err = rv_conf_read(sup->conf_fd, &conf, &errors);
	if (err == RV_OK)
		err = rv_reload_resume(sup, conf, why);
	rv_conf_errors_fini(&errors);
	return err;
}

/* Everybody is replaced by the programs that lie there now. */
static void replace_all(struct rv_sup *sup)
{
	PRE(sup->last_generation >= sup->generation);
	sup->generation = ++sup->last_generation;
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		if (sup->pools[p].is_used && !sup->pools[p].is_gone)
			rv_roll_begin(sup, &sup->pools[p], sup->generation,
				      "reeved was executed anew");
	}
}

/* Watches all that our last image did. */
static int watch(struct rv_sup *sup, struct rv_why *why)
{
	int err = rv_sup_mark(sup, why);

	if (err == RV_OK)
		err = rv_sup_loop(sup, why);
	if (err == RV_OK)
		err = rv_doorbell_adopt(sup, why);
	if (err == RV_OK)
		err = rv_control_adopt(sup, why);
	if (err != RV_OK)
		return err;
	INV(sup->bell_fd >= 0 && sup->control && sup->area_fd >= 0 && sup->lock_fd >= 0);
	rv_group_adopt(sup);
	/* We were not refused when it was asked first; should it fail now, no run goes without. */
	err = rv_group_limits(sup, sup->conf, why);
	if (err != RV_OK)
		rv_log(RV_LOG_ERROR, RV_EV_daemon_starting, "%s", rv_why_text(why, err));
	for (size_t i = 0; i < sup->nslots; i++)
		rv_child_adopt(sup, &sup->children[i]);
	if (sup->children[RV_PLAN_KEEPER].life != RV_LIFE_RUNNING && sup->has_store)
		sup->pulse.down_us = rv_mono_us();
	return RV_OK;
}

int rv_sup_resume(struct rv_sup *sup, const struct rv_options *options, struct rv_why *why)
{
	int err;

	PRE(options->resume_fd > 2);
	rv_sup_init(sup, options);
	err = rv_sup_programs(sup, why);
	if (err == RV_OK)
		err = read_state(sup, options->resume_fd, why);
	if (err == RV_OK)
		err = rv_handover_fds(sup, keep_from_children, NULL);
	if (err == RV_OK)
		err = read_conf(sup, why);
	if (err == RV_OK)
		err = RV_FAULT(sup_resumed);
	if (err == RV_OK)
		err = watch(sup, why);
	if (err != RV_OK)
		return err;
	sup->upgrade.done++;
	sup->upgrade.ended = sup->upgrade.attempt;
	rv_log_with(RV_LOG_INFO, RV_EV_daemon_upgraded, RV_FIELDS(RV_STR("version", RV_VERSION)),
		    "reeved %s goes on in place", RV_VERSION);
	replace_all(sup);
	rv_death_look(sup);
	sup->is_dirty = true;
	sup->watchdog_us = rv_notify_watchdog_us() / 2;
	sup->watchdog_due_us = rv_mono_us() + sup->watchdog_us;
	/* With its first WATCHDOG at once. */
	if (sup->is_ready)
		(void)rv_notifyf("READY=1\nMAINPID=%d\nWATCHDOG=1", (int)getpid());
	return RV_OK;
}
