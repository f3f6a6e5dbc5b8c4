/*
 * The turn of the supervisor: after the callbacks of each turn of the loop it judges, sweeps,
 * tells, plans and acts, then sets the one timer to whatever is due next.  Runs in the supervisor
 * only.
 *
 * Wider than the budget of headers: table.h brings what the child table is made of.
 */
#include "supervisor/step.h"

#include "base/check.h"
#include "base/err.h"
#include "base/seam.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/notify.h"
#include "conf/conf.h"
#include "supervisor/child.h"
#include "supervisor/control.h"
#include "supervisor/death.h"
#include "supervisor/judge.h"
#include "supervisor/nest.h"
#include "supervisor/pools.h"
#include "supervisor/roll.h"
#include "supervisor/status.h"
#include "supervisor/upgrade.h"
#include "wire/area.h"

#include <stdio.h>

#define STARTS_TURN 8                  /* forks in one turn: the loop goes on in between */
#define ACK_WAIT_US (2 * RV_SECOND_US) /* at the end, for the keeper's last ACKs */
#define GAP_US      RV_SECOND_US       /* woken so much too late: we were held up */
#define ROUNDS_MAX  8                  /* of plan and act in one turn */

static void free_slot(struct rv_child *child)
{
	PRE(!rv_life_has_process(child->life) && child->slot != RV_PLAN_KEEPER);
	child->life = RV_LIFE_DOWN;
	child->deadline_us = 0;
	child->pool = RV_POOL_NONE;
	child->is_leaving = false;
	child->is_nested = false;
	child->last_reason = RV_REASON_NONE;
	rv_restart_stable(&child->restart);
	child->restart.total = 0;
}

static void assign(struct rv_sup *sup, struct rv_child *child, int pool)
{
	int index = 0;

	PRE(child->pool == RV_POOL_NONE && sup->pools[pool].is_used);
	for (size_t i = 1; i < sup->nslots; i++) {
		if (sup->children[i].pool == pool && sup->children[i].index == index) {
			index++;
			i = 0; /* again from the first: some other may have this one */
		}
	}
	POST(index >= 0 && (size_t)index < sup->nslots);
	child->pool = pool;
	child->index = index;
	(void)snprintf(child->name, sizeof child->name, "%s/%d", sup->pools[pool].name, index);
}

static void carry_out(struct rv_sup *sup, const struct rv_plan_act *act)
{
	struct rv_child *child = &sup->children[act->slot];

	PRE(act->slot >= 0 && (size_t)act->slot < sup->nslots);

	switch (act->what) {
	case RV_PLAN_START:
		if (act->slot != RV_PLAN_KEEPER && child->pool == RV_POOL_NONE) {
			child->is_nested = act->pool % 2 != 0;
			assign(sup, child, act->pool / 2);
		}
		(void)rv_child_event(sup, child, RV_LIFE_EV_START, RV_REASON_NONE);
		break;
	case RV_PLAN_LEAVE:
		child->is_leaving = true;
		child->is_unhurried = rv_pools_is_unhurried(sup, child);
		(void)rv_child_event(sup, child, RV_LIFE_EV_STOP, RV_REASON_STOPPED);
		break;
	case RV_PLAN_STOP:
		(void)rv_child_event(sup, child, RV_LIFE_EV_STOP, RV_REASON_STOPPED);
		break;
	case RV_PLAN_NOW:
		(void)rv_child_event(sup, child, RV_LIFE_EV_NOW,
				     sup->mode == RV_MODE_RESET ? RV_REASON_AREA
								: RV_REASON_STOPPED);
		break;
	case RV_PLAN_FREE:
		free_slot(child);
		sup->is_dirty = true;
		break;
	case RV_PLAN_RELEASE:
		(void)rv_child_event(sup, child, RV_LIFE_EV_RELEASE, RV_REASON_NONE);
		break;
	}
}

/* When everything is to end, the keeper waits for the last obituaries, but not for ever. */
static bool keeper_may_go(struct rv_sup *sup, int64_t now_us)
{
	if (sup->mode != RV_MODE_DRAIN && sup->mode != RV_MODE_NOW)
		return false;
	for (size_t i = 1; i < sup->nslots; i++) {
		if (rv_life_has_process(sup->children[i].life))
			return false;
	}
	if (sup->children[RV_PLAN_KEEPER].life != RV_LIFE_RUNNING || rv_death_all_told(sup))
		return true;
	if (sup->end_us == 0)
		sup->end_us = now_us + ACK_WAIT_US;
	return now_us >= sup->end_us;
}

static int free_starts(const struct rv_sup *sup)
{
	INV(sup->obits.used + sup->obits.reserved <= sup->obits.space);
	size_t room = sup->obits.space - sup->obits.used - sup->obits.reserved;

	return room < STARTS_TURN ? (int)room : STARTS_TURN;
}

static void forget_pools(struct rv_sup *sup)
{
	bool lives[RV_PLAN_SLOTS_MAX] = {false};

	for (size_t i = 1; i < sup->nslots; i++) {
		if (sup->children[i].pool != RV_POOL_NONE)
			lives[sup->children[i].pool] = true;
	}
	for (size_t p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		if (sup->pools[p].is_used && sup->pools[p].is_gone && !lives[p])
			sup->pools[p].is_used = false;
	}
}

static void make_plan(struct rv_sup *sup, int64_t now_us, struct rv_plan *ret_plan)
{
	static struct rv_plan_slot slots[RV_PLAN_SLOTS_MAX];
	static struct rv_plan_pool pools[RV_PLAN_POOLS_MAX];
	struct rv_plan_in in = {
		.mode = sup->mode,
		.slots = slots,
		.nslots = sup->nslots,
		.pools = pools,
		.may_work = sup->may_work,
		.keeper_may_go = keeper_may_go(sup, now_us),
		.starts = free_starts(sup),
	};

	/* For the plan the nested workers of a pool are a pool of their own, behind it. */
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		if (!sup->pools[p].is_used)
			continue;
		while (in.npools < 2 * (size_t)p)
			pools[in.npools++] = (struct rv_plan_pool){0};
		pools[in.npools++] = rv_pools_plan(sup, p);
		pools[in.npools++] = rv_nest_plan(sup, p);
	}
	for (size_t i = 0; i < sup->nslots; i++) {
		const struct rv_child *child = &sup->children[i];

		slots[i] = (struct rv_plan_slot){
			.life = child->life,
			.pool = child->pool == RV_POOL_NONE ? RV_POOL_NONE
							    : 2 * child->pool + child->is_nested,
			.is_old = i == RV_PLAN_KEEPER ? child->generation != sup->generation
						      : rv_roll_is_old(sup, child),
			.is_leaving = child->is_leaving,
			.is_idle = rv_pools_is_idle(sup, child),
		};
	}
	rv_plan_make(&in, ret_plan);
}

/* Every child of the failed area has ended: a new one, and the keeper after a while. */
static void renew_area(struct rv_sup *sup, int64_t now_us)
{
	static const struct rv_restart_policy policy = {
		.delay_us = RV_SECOND_US / 5,
		.delay_max_us = 30 * RV_SECOND_US,
		.stable_us = 60 * RV_SECOND_US,
		.burst = RV_RESTART_BURST_MAX,
		.burst_us = RV_SECOND_US,
	};
	struct rv_child *keeper = &sup->children[RV_PLAN_KEEPER];
	struct rv_restart_death death = {
		.reason = RV_REASON_CRASHED, /* one of the area's: they count among themselves */
		.now_us = now_us,
		.lived_us = now_us - sup->area_us,
		.chance = (uint32_t)rv_random_u64(),
	};
	struct rv_why why = {0};
	uint64_t id;
	int fd = -1;
	int64_t delay_us;
	int err = rv_area_create((unsigned)sup->nslots, &fd, &id, &why);

	PRE(sup->mode == RV_MODE_RESET);

	if (err != RV_OK) {
		rv_log(RV_LOG_ERROR, RV_EV_area_failed, "%s", rv_why_text(&why, err));
		sup->retry_us = now_us + RV_SECOND_US;
		return;
	}
	sup->retry_us = 0;
	rv_fd_close(&sup->area_fd);
	sup->area_fd = fd;
	delay_us = rv_restart_after(&sup->area_restart, &policy, &death);
	sup->area_us = now_us + delay_us;
	sup->mode = RV_MODE_RUN;
	sup->may_work = false;
	sup->is_dirty = true;
	if (delay_us <= 0)
		return;
	(void)rv_child_event(sup, keeper, RV_LIFE_EV_RELEASE, RV_REASON_NONE);
	(void)rv_child_event(sup, keeper, RV_LIFE_EV_DELAY, RV_REASON_NONE);
	keeper->deadline_us = now_us + delay_us;
}

static void finish(struct rv_sup *sup)
{
	PRE(sup->mode == RV_MODE_DRAIN || sup->mode == RV_MODE_NOW);
	if (!rv_death_all_swept(sup) || !rv_control_is_idle(sup) || rv_upgrade_has_checker(sup))
		return;
	sup->is_finished = true;
	rv_loop_stop(sup->loop);
}

/* Plans and acts until nothing more follows from what was done. */
static bool plan_and_act(struct rv_sup *sup, int64_t now_us)
{
	static struct rv_plan plan;
	bool has_more = false;

	for (int i = 0; i < ROUNDS_MAX && sup->is_dirty; i++) {
		sup->is_dirty = false;
		make_plan(sup, now_us, &plan);
		for (size_t a = 0; a < plan.nacts; a++)
			carry_out(sup, &plan.acts[a]);
		has_more = plan.has_more && free_starts(sup) > 0;
		if (plan.is_done && sup->mode == RV_MODE_RESET && now_us >= sup->retry_us)
			renew_area(sup, now_us);
		else if (plan.is_done)
			finish(sup);
		if (has_more)
			break; /* one turn's forks are made */
	}
	return has_more || sup->is_dirty;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return b != 0 && b < a ? b : a;
}

static void on_timer(struct rv_loop_timer *timer)
{
	(void)timer; /* what is due is done after the callbacks of the turn */
}

static void forgive_gap(struct rv_sup *sup, int64_t now_us)
{
	if (sup->wake_by_us != 0 && now_us - sup->wake_by_us > GAP_US) {
		rv_log(RV_LOG_WARN, RV_EV_daemon_waiting,
		       "reeved was held up for %lld ms; nobody is judged for that",
		       (long long)((now_us - sup->wake_by_us) / 1000));
		rv_judge_forgive(sup, now_us - sup->wake_by_us);
	}
}

/* The log's own sink was full: pump it when it can take more. */
static void on_log(struct rv_loop_io *io, int events)
{
	(void)io;
	(void)events;
	rv_log_pump();
}

void rv_step_unwatch_log(struct rv_sup *sup)
{
	rv_loop_io_stop(&sup->log_io);
	sup->log_fd = -1;
}

static void watch_log(struct rv_sup *sup)
{
	int fd = rv_log_pending_fd();

	if (fd == sup->log_fd)
		return;
	rv_step_unwatch_log(sup);
	sup->log_fd = fd;
	if (fd >= 0)
		rv_loop_io_start(sup->loop, &sup->log_io, fd, RV_LOOP_WRITE, on_log, sup);
}

void rv_step(void *ctx)
{
	struct rv_sup *sup = ctx;
	int64_t now_us = rv_mono_us();
	int64_t next_us;
	bool has_more;

	forgive_gap(sup, now_us);
	next_us = now_us + 60 * RV_SECOND_US;
	next_us = sooner(next_us, rv_child_unpause(sup, now_us));
	rv_judge(sup, now_us);
	/* Ending waits for times, not only for events. */
	if (sup->mode != RV_MODE_RUN || rv_nest_any(sup))
		sup->is_dirty = true;
	next_us = sooner(next_us, rv_recycle_look(sup, now_us));
	rv_pools_look(sup);
	has_more = plan_and_act(sup, now_us);
	/* After the forks: a newcomer boots while we clear up after who died, and the keeper, which
	   we wake by that, does not take the processor before it is there. */
	rv_death_sweep(sup, now_us);
	rv_death_tell(sup);
	rv_roll_look(sup);
	forget_pools(sup);
	next_us = sooner(next_us, rv_status_notify(sup, now_us));
	next_us = sooner(next_us, rv_control_expire(sup, now_us));
	next_us = sooner(next_us, rv_judge_next(sup, now_us));
	next_us = sooner(next_us, sup->sweep_us);
	next_us = sooner(next_us, sup->end_us > now_us ? sup->end_us : 0);
	next_us = sooner(next_us, sup->mode == RV_MODE_RESET ? sup->retry_us : 0);
	next_us = sooner(next_us, rv_upgrade_step(sup, now_us));
	if (has_more || sup->is_dirty)
		next_us = now_us;
	watch_log(sup);
	sup->wake_by_us = next_us;
	rv_loop_timer_start(sup->loop, &sup->timer, next_us - rv_mono_us(), on_timer, sup);
}

void rv_step_end(struct rv_sup *sup, bool now, int exit_code)
{
	enum rv_mode was = sup->mode;

	if (sup->exit_code == 0)
		sup->exit_code = exit_code;
	if (was == RV_MODE_NOW || (was == RV_MODE_DRAIN && !now))
		return;
	sup->mode = now ? RV_MODE_NOW : RV_MODE_DRAIN;
	rv_pools_hurry(sup, RV_POOL_NONE);
	sup->is_dirty = true;
	(void)rv_notifyf("STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld",
			 (long long)(sup->conf->reeve.stop_timeout_us + sup->kill_after_us +
				     15 * RV_SECOND_US));
	if (now)
		rv_log(RV_LOG_INFO, RV_EV_daemon_stopping, "running jobs are stopped");
	else
		rv_log(RV_LOG_INFO, RV_EV_daemon_draining,
		       "no more jobs are begun; running ones have %lld s to finish",
		       (long long)(sup->conf->reeve.stop_timeout_us / RV_SECOND_US));
}

void rv_step_reset(struct rv_sup *sup)
{
	PRE(sup->mode == RV_MODE_RUN);
	rv_log(RV_LOG_ERROR, RV_EV_area_failed,
	       "a child ended with 74: the store failed; every child begins anew");
	sup->mode = RV_MODE_RESET;
	sup->is_dirty = true;
}
