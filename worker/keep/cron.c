/*
 * Schedules: a slot that is due becomes a job.  Keeper only.  What is to be done is planned outside
 * the store (core/schedule.h) and done in it, only if nobody has done it since: the plan of a
 * keeper that was stopped, or of two of them, changes nothing.  Wider than most: configuration,
 * zones, rules and the store meet here, and nowhere else in this process.
 */
#include "keep/keeper.h"

#include "base/check.h"
#include "base/fault.h"
#include "base/fmt.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "conf/zone.h"
#include "core/schedule.h"
#include "obs/log.h"
#include "store/schedule.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TURN_MAX RV_LIMIT(16, 2)    /* slots between two looks at descriptor 3 */
#define FAR_US   (3600 * RV_S_US)   /* as in due.c */
#define AGAIN_US (100 * RV_MS_US)   /* after a round that did not happen */
#define BAD_US   (3600LL * RV_S_US) /* a schedule that cannot be understood is looked at again */

static void on_cron(struct rv_loop_timer *timer)
{
	rv_keep_cron(timer->ctx);
}

static void set_timer(struct rv_keeper *keeper, int64_t wait_us)
{
	rv_loop_timer_start(keeper->loop, &keeper->cron, wait_us < FAR_US ? wait_us : FAR_US,
			    on_cron, keeper);
}

/* Of the one that is due first; false: none, or it cannot be read. */
static bool read_due(struct rv_keeper *keeper, struct rv_schedule_view *ret_view)
{
	int err = rv_store_schedule_due(keeper->child.store, ret_view);

	keeper->cron_due_us = err == RV_OK ? ret_view->due_us : 0;
	if (err != RV_OK && err != RV_E_NOTFOUND)
		(void)rv_keep_survives(keeper, err, "cannot read the schedules", NULL);
	return err == RV_OK;
}

void rv_keep_look_cron(struct rv_keeper *keeper)
{
	struct rv_schedule_view view;
	int64_t wait;

	if (!read_due(keeper, &view)) {
		rv_loop_timer_stop(&keeper->cron);
		return;
	}
	wait = view.due_us - rv_wall_us();
	set_timer(keeper, wait > 0 ? wait : 0);
}

static int make_plan(const struct rv_schedule_view *view, int64_t now_us,
		     struct rv_schedule_plan *ret_plan, struct rv_why *why)
{
	struct rv_schedule_rule rule = {.name = view->def.name,
					.jitter_us = view->def.jitter_us,
					.catch_up = view->def.catch_up};
	struct rv_zone *zone = NULL;
	int err = rv_cron_read(view->def.cron, &rule.cron, why);

	if (err == RV_OK)
		err = rv_conf_zone(view->def.timezone, &zone, why);
	if (err != RV_OK)
		return err;
	rule.zone = zone;
	if (view->next_us == 0)
		rv_schedule_begin(&rule, view->since_us, ret_plan);
	else
		rv_schedule_plan(&rule, view->next_us, now_us, ret_plan);
	rv_zone_free(zone);
	return RV_OK;
}

/* The request for what the schedule wants now. */
static void plan(struct rv_keeper *keeper, const struct rv_schedule_view *view)
{
	struct rv_req_fire *fire = &keeper->req.u.fire;
	struct rv_schedule_plan now = {0};
	struct rv_why why = {.text = ""};
	int err = make_plan(view, rv_wall_us(), &now, &why);

	if (err != RV_OK) {
		rv_log_with(RV_LOG_WARN, RV_EV_keeper_schedule,
			    RV_FIELDS(RV_STR("schedule", view->def.name)),
			    "schedule %s does not fire: %s", view->def.name,
			    rv_why_text(&why, err));
		now.next_us = view->next_us;
		now.due_us = rv_wall_us() + BAD_US;
	}
	keeper->req.kind = RV_REQ_FIRE;
	memset(fire, 0, sizeof(*fire));
	(void)snprintf(fire->schedule, sizeof(fire->schedule), "%s", view->def.name);
	fire->id = view->id;
	fire->since_us = view->since_us;
	fire->seen_us = view->next_us;
	fire->missed_us = now.missed_us;
	fire->missed = now.missed;
	fire->slot_us = now.slot_us;
	fire->next_us = now.next_us;
	fire->due_us = now.due_us;
	fire->uid = (uint32_t)geteuid();
}

static void tell(const struct rv_req_fire *fire)
{
	char slot[RV_FMT_SPACE];

	if (fire->missed > 0)
		rv_log_with(RV_LOG_WARN, RV_EV_keeper_missed,
			    RV_FIELDS(RV_STR("schedule", fire->schedule),
				      RV_INT("slots", fire->missed)),
			    "schedule %s: %lld slots were missed, from %s on", fire->schedule,
			    (long long)fire->missed, rv_fmt_time(slot, fire->missed_us));
	if (fire->slot_us == 0 || fire->became == RV_FIREDS)
		return;
	(void)rv_fmt_time(slot, fire->slot_us);
	if (fire->became == RV_FIRED_REFUSED)
		rv_log_with(RV_LOG_WARN, RV_EV_keeper_fired,
			    RV_FIELDS(RV_STR("schedule", fire->schedule)),
			    "schedule %s: the slot %s was refused: %s", fire->schedule, slot,
			    fire->error);
	else
		rv_log_with(RV_LOG_INFO, RV_EV_keeper_fired,
			    RV_FIELDS(RV_STR("schedule", fire->schedule), RV_INT("job", fire->job)),
			    fire->became == RV_FIRED_JOB
				    ? "schedule %s: the slot %s is job %lld"
				    : "schedule %s: the slot %s is skipped, job %lld has not ended",
			    fire->schedule, slot, (long long)fire->job);
}

/* False: it is tried again later, or the keeper ends. */
static bool fire_one(struct rv_keeper *keeper, const struct rv_schedule_view *view)
{
	struct rv_why why = {.text = ""};
	bool replaces = view->def.overlap == RV_OVERLAP_REPLACE;
	int err;

	plan(keeper, view);
	err = RV_FAULT(keeper_fire);
	if (err == RV_OK)
		err = rv_child_do(&keeper->child, &keeper->req,
				  keeper->child.conf->store.durability, RV_KEEP_DO_US, &why);
	if (err == RV_OK)
		err = RV_FAULT(keeper_fired);
	if (err == RV_E_STALE || err == RV_E_NOTFOUND) /* somebody else was here */
		return true;
	if (err != RV_OK) {
		(void)rv_keep_survives(keeper, err, "cannot fire a schedule", &why);
		return false;
	}
	tell(&keeper->req.u.fire);
	if (replaces && keeper->req.u.fire.became == RV_FIRED_JOB)
		rv_keep_kick(keeper);
	return !keeper->ending;
}

void rv_keep_cron(struct rv_keeper *keeper)
{
	struct rv_schedule_view view;
	int64_t wait = AGAIN_US;

	if (keeper->ending)
		return;
	for (int i = 0; i < TURN_MAX; i++) {
		if (!read_due(keeper, &view))
			return;
		wait = view.due_us - rv_wall_us();
		if (wait > 0)
			break;
		wait = AGAIN_US;
		if (!fire_one(keeper, &view))
			break;
		wait = 0;
	}
	if (!keeper->ending)
		set_timer(keeper, wait);
}
