/*
 * From the end of a child to the ACK of its obituary.  Runs in the supervisor only; allocates
 * nothing and never waits for a process.
 *
 * A worker's orphans come to us, its subreaper.  The sweep kills and reaps every child that is not
 * in the table, in turns of at most 5 ms between which the loop goes on; one sweep serves all
 * deaths that have not been told.  DIED goes out only when nothing of that worker can be left:
 * never two live runs of a job.
 *
 * Wider than the budget of headers: table.h brings what the child table is made of.
 */
#include "supervisor/death.h"

#include "base/check.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/seam.h"
#include "obs/log.h"
#include "os/sweep.h"
#include "supervisor/child.h"
#include "supervisor/admit.h"
#include "supervisor/group.h"
#include "supervisor/oom.h"
#include "supervisor/roll.h"
#include "supervisor/step.h"
#include "supervisor/upgrade.h"
#include "wire/sup.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define TRACED_US   (20 * RV_MS_US) /* between two looks at a child that its tracer holds */
#define TURN_US     5000
#define AGAIN_US    20000              /* between turns when no SIGCHLD comes */
#define UNCLEAN_US  250000             /* between turns once all that is left is unclean */
#define BY_MARK_US  200000             /* before that, every orphan might be this worker's */
#define ACK_LATE_US (5 * RV_SECOND_US) /* then a keeper that ticks is told again */
#define EXIT_STORE  74
#define EXIT_CONF   78

static bool is_in_table(void *ctx, pid_t pid)
{
	const struct rv_sup *sup = ctx;

	for (size_t i = 0; i < sup->nslots; i++) {
		if (sup->children[i].proc.pidfd >= 0 && sup->children[i].proc.pid == pid)
			return true;
	}
	return rv_sup_is_stranger(sup, pid) || rv_upgrade_is_checker(sup, pid);
}

/* Why it ended, as the restart policy and status have it. */
static enum rv_reason reason_of(struct rv_sup *sup, const struct rv_child *child,
				const struct rv_exit *how)
{
	if (sup->mode != RV_MODE_RUN && how->code == EXIT_STORE)
		return RV_REASON_AREA;
	/* Told to end, and crashed on the way by itself: a crash all the same. */
	bool is_told = child->cause == RV_REASON_STOPPED && child->life != RV_LIFE_KILLING &&
		       child->life != RV_LIFE_ABORTING;

	if (child->cause != RV_REASON_NONE && (!is_told || how->code == 0))
		return child->cause;
	if (how->code == 0)
		return RV_REASON_EXITED;
	if (how->code == EXIT_STORE)
		return RV_REASON_AREA;
	if (how->code == EXIT_CONF)
		return RV_REASON_CONFIG;
	if (how->signo == SIGKILL && rv_oom_killed_since(&sup->oom_kills))
		return RV_REASON_OOM;
	return RV_REASON_CRASHED;
}

/* What its death means for the job it had STARTED (R5). */
static enum rv_died died_of(const struct rv_child *child, enum rv_reason reason)
{
	switch (reason) {
	case RV_REASON_STOPPED:
	case RV_REASON_EXITED:
		return RV_DIED_CLEAN;
	case RV_REASON_AREA:
	case RV_REASON_BOOT:
	case RV_REASON_CONFIG:
		return RV_DIED_LOST;
	case RV_REASON_HUNG:
		return RV_DIED_HUNG;
	case RV_REASON_NONE:
	case RV_REASON_CRASHED:
	case RV_REASON_OOM:
	case RV_REASON_EXEC:
	case RV_REASON_NOPROC:
	case RV_REASON_PROTOCOL:
	case RV_REASONS:
		break;
	}
	/* Before READY it cannot have had a job. */
	return child->ready_us == 0 ? RV_DIED_LOST : RV_DIED_CRASH;
}

static void log_death(const struct rv_child *child, enum rv_reason reason,
		      const struct rv_exit *how)
{
	bool is_told = reason == RV_REASON_STOPPED;
	char end[64];

	if (how->signo != 0)
		(void)snprintf(end, sizeof end, "signal %s%s", rv_sig_name(how->signo),
			       how->core ? " (core dumped)" : "");
	else
		(void)snprintf(end, sizeof end, "exit code %d", how->code);
	rv_log_with(is_told ? RV_LOG_INFO : RV_LOG_WARN,
		    is_told ? RV_EV_child_exited : RV_EV_child_died,
		    RV_FIELDS(RV_INT("pid", child->pid), RV_STR("reason", rv_reason_name(reason)),
			      RV_INT("user_ms", how->usage.ru_utime.tv_sec * 1000 +
							how->usage.ru_utime.tv_usec / 1000),
			      RV_INT("system_ms", how->usage.ru_stime.tv_sec * 1000 +
							  how->usage.ru_stime.tv_usec / 1000),
			      RV_INT("max_rss_bytes", how->usage.ru_maxrss * 1024)),
		    "%s ended: %s%s%.*s", rv_child_title(child), end,
		    !is_told && child->words.nlast > 0 ? "; its last words: " : "",
		    is_told ? 0 : (int)child->words.nlast, (const char *)child->words.last);
}

/* What depends on the keeper waits from now on: status says so when it takes longer (status.c). */
static void miss_keeper(struct rv_sup *sup, enum rv_reason reason, int64_t lived_us)
{
	PRE(reason < RV_REASONS && sup->children[RV_PLAN_KEEPER].life != RV_LIFE_RUNNING);
	if (sup->pulse.down_us == 0 && sup->has_store)
		sup->pulse.down_us = rv_mono_us();
	if (lived_us < 0 && reason != RV_REASON_STOPPED && reason != RV_REASON_AREA)
		sup->pulse.failed++;
}

/* DOWN is where it is now: back at once, later, or not before a reload. */
static void decide_restart(struct rv_sup *sup, struct rv_child *child, enum rv_reason reason,
			   int64_t lived_us)
{
	static const struct rv_restart_policy keepers = {
		.delay_us = RV_SECOND_US / 5,
		.delay_max_us = 30 * RV_SECOND_US,
		.stable_us = 60 * RV_SECOND_US,
		.burst = 10,
		.burst_us = 300 * RV_SECOND_US,
	};
	struct rv_pool *pool = rv_child_pool(sup, child);
	struct rv_restart_death death = {
		.reason = reason,
		.now_us = rv_mono_us(),
		.lived_us = lived_us,
		.chance = (uint32_t)rv_random_u64(),
	};
	int64_t delay_us =
		rv_restart_after(&child->restart, pool ? &pool->policy : &keepers, &death);

	INV(child->life == RV_LIFE_DOWN);
	rv_roll_note(sup, child, reason, lived_us);
	if (child->slot == RV_PLAN_KEEPER)
		miss_keeper(sup, reason, lived_us);
	/* A hang, a boot that took too long and a wrong configuration are failures as well. */
	bool is_over = pool && !pool->is_restarted &&
		       (rv_reason_counts(reason) || delay_us == RV_RESTART_NEVER ||
			reason == RV_REASON_BOOT || reason == RV_REASON_HUNG);

	if (is_over)
		delay_us = RV_RESTART_NEVER;
	if (reason != RV_REASON_STOPPED)
		child->last_reason = reason;
	if (sup->mode != RV_MODE_RUN || child->is_leaving)
		return;
	if (is_over && pool->is_vital) {
		(void)snprintf(sup->exit_words, sizeof sup->exit_words,
			       "%s has failed (%s), and its pool has on_exit = stop",
			       rv_child_title(child), rv_reason_text(reason));
		rv_log(RV_LOG_ERROR, RV_EV_daemon_draining, "%s", sup->exit_words);
		rv_step_end(sup, false, RV_EXIT_FAILED);
	} else if (delay_us == RV_RESTART_NEVER) {
		rv_log(RV_LOG_ERROR, RV_EV_child_restart,
		       "%s is not started again before the next reload: %s", rv_child_title(child),
		       rv_reason_text(reason));
		(void)rv_child_event(sup, child, RV_LIFE_EV_HOLD, RV_REASON_NONE);
	} else if (delay_us > 0) {
		rv_log_with(RV_LOG_INFO, RV_EV_child_restart,
			    RV_FIELDS(RV_INT("delay_ms", delay_us / 1000),
				      RV_STR("reason", rv_reason_name(reason))),
			    "%s is started again in %lld ms", rv_child_title(child),
			    (long long)(delay_us / 1000));
		(void)rv_child_event(sup, child, RV_LIFE_EV_DELAY, RV_REASON_NONE);
		child->deadline_us = death.now_us + delay_us;
	}
}

static int64_t time_us(const struct timeval *time)
{
	return (int64_t)time->tv_sec * RV_SECOND_US + time->tv_usec;
}

static void write_obituary(struct rv_sup *sup, const struct rv_child *child, enum rv_died died,
			   const struct rv_exit *how)
{
	struct rv_obit obit = {
		.incarnation = child->incarnation,
		.slot = child->slot,
		.died = died,
		.code = how->code,
		.signo = how->signo,
		.core = how->core,
		.user_us = time_us(&how->usage.ru_utime),
		.sys_us = time_us(&how->usage.ru_stime),
		.maxrss_bytes = (int64_t)how->usage.ru_maxrss * 1024,
		.died_us = rv_mono_us(),
		.nwords = child->words.nlast,
	};

	INV(obit.nwords <= sizeof obit.words);

	if (child->slot == RV_PLAN_KEEPER && rv_obits_reserve(&sup->obits) != RV_OK)
		return; /* all places are taken: it goes without one, see obit.h */
	memcpy(obit.words, child->words.last, child->words.nlast);
	(void)rv_obits_add(&sup->obits, &obit);
#ifdef RV_MUTANT_DIED_BEFORE_SWEEP
	rv_obits_first(&sup->obits, RV_OBIT_SWEEPING)->state = RV_OBIT_SWEPT;
	rv_death_tell(sup);
#endif
}

/* Before the daemon was ever ready, a store it cannot use ends the start with the same code. */
static void end_first_start(struct rv_sup *sup, const struct rv_child *child, int code)
{
	if (child->slot != RV_PLAN_KEEPER || sup->is_ready || sup->may_work ||
	    (code != EXIT_STORE && code != EXIT_CONF))
		return;
	(void)snprintf(sup->exit_words, sizeof sup->exit_words, "%.*s", (int)child->words.nlast,
		       (const char *)child->words.last);
	rv_step_end(sup, true, code);
}

/* Somebody traces it (strace, gdb): it has ended, but its tracer is told before its parent. */
static void on_traced(struct rv_loop_timer *timer)
{
	rv_death(timer->ctx, rv_container_of(timer, struct rv_child, traced));
}

void rv_death(struct rv_sup *sup, struct rv_child *child)
{
	const struct rv_seam *seam = rv_seam();
	struct rv_exit how = {.code = -1};
	int64_t lived_us;
	int err;

	PRE(rv_life_has_process(child->life) && child->proc.pidfd >= 0);
	rv_loop_proc_stop(&child->watch);
	/* While it is not reaped the number of its group is its own. */
	(void)seam->signal(seam->ctx, &child->proc, SIGKILL, true);
	err = rv_proc_reap(&child->proc, &how);
	if (err == RV_E_BUSY) {
		rv_loop_timer_start(sup->loop, &child->traced, TRACED_US, on_traced, sup);
		return;
	}
	rv_child_hear_rest(sup, child);
	rv_words_close(child);
	if (err != RV_OK)
		rv_log(RV_LOG_ERROR, RV_EV_child_died, "%s ended and cannot be collected",
		       rv_child_title(child));
	INV(child->proc.pidfd < 0);
	INV(child->chan < 0 && child->words.fd < 0);
	lived_us = child->ready_us != 0 ? rv_mono_us() - child->ready_us : -1;
	enum rv_reason reason = reason_of(sup, child, &how);

	log_death(child, reason, &how);
	write_obituary(sup, child, died_of(child, reason), &how);
	rv_death_look(sup);
	(void)rv_child_event(sup, child, RV_LIFE_EV_DIED, RV_REASON_NONE);
	child->ready_us = 0;
	if (child->slot == RV_PLAN_KEEPER)
		rv_admit_forget(sup);
	if (how.code == EXIT_STORE || how.code == EXIT_CONF)
		end_first_start(sup, child, how.code);
	if (reason == RV_REASON_AREA && sup->mode == RV_MODE_RUN)
		rv_step_reset(sup);
	decide_restart(sup, child, reason, lived_us);
}

void rv_death_unborn(struct rv_sup *sup, struct rv_child *child, enum rv_reason reason)
{
	PRE(child->proc.pidfd < 0);
	(void)rv_child_event(sup, child, RV_LIFE_EV_DIED, RV_REASON_NONE);
	decide_restart(sup, child, reason, -1);
}

void rv_death_look(struct rv_sup *sup)
{
	sup->sweep_us = rv_mono_us();
}

/* Nothing of it can be left: it may be told. */
static void swept(struct rv_sup *sup, struct rv_obit *obit)
{
	PRE(obit->state == RV_OBIT_SWEEPING || obit->state == RV_OBIT_UNCLEAN);
	if (obit->state == RV_OBIT_UNCLEAN)
		rv_log(RV_LOG_INFO, RV_EV_sweep_unclean,
		       "obituary %llu: the last process of slot %u is gone after all",
		       (unsigned long long)obit->number, obit->slot);
	(void)RV_FAULT(sup_swept);
	rv_group_remove(sup, obit->incarnation);
	obit->state = RV_OBIT_SWEPT;
}

/* Orphans are left: whose are they? */
static void judge_open(struct rv_sup *sup, const struct rv_sweep *sweep, struct rv_obit *obit,
		       int64_t now_us)
{
	char mark[RV_MARK_MAX + 16];

	if (now_us - obit->died_us >= BY_MARK_US) {
		(void)snprintf(mark, sizeof mark, "%s%016llx", sup->mark,
			       (unsigned long long)obit->incarnation);
		if (!rv_sweep_bears(sweep, "REEVE_INSTANCE", mark)) {
			swept(sup, obit);
			return;
		}
	}
	if (obit->state == RV_OBIT_SWEEPING && now_us - obit->died_us >= RV_OBIT_UNCLEAN_US) {
		obit->state = RV_OBIT_UNCLEAN;
		rv_log(RV_LOG_ERROR, RV_EV_sweep_unclean,
		       "processes of slot %u do not end although they were killed; "
		       "what it had leased waits until the lease is over",
		       obit->slot);
	}
}

void rv_death_sweep(struct rv_sup *sup, int64_t now_us)
{
	struct rv_sweep sweep = {.keep = is_in_table, .ctx = sup};
	struct rv_sweep_left left = {0};
	size_t open = 0;

	if (sup->sweep_us == 0 || now_us < sup->sweep_us)
		return;
	(void)RV_FAULT(sup_sweep);
	rv_group_kill_dead(sup);
	if (rv_sweep_turn(&sweep, TURN_US, &left) != RV_OK)
		left.orphans = 1; /* nobody knows: rather assume the worst, and look again */
	for (size_t i = 0; i < sup->obits.space; i++) {
		struct rv_obit *obit = &sup->obits.items[i];

		if (obit->state != RV_OBIT_SWEEPING && obit->state != RV_OBIT_UNCLEAN)
			continue;
		if (left.orphans == 0)
			swept(sup, obit);
		else
			judge_open(sup, &sweep, obit, rv_mono_us());
		open += obit->state == RV_OBIT_SWEEPING;
	}
	sup->sweep_us = 0;
	if (left.orphans > 0)
		sup->sweep_us = rv_mono_us() + (open > 0 ? AGAIN_US : UNCLEAN_US);
	sup->is_dirty = true;
}

static void list_living(struct rv_sup *sup)
{
	sup->nliving = 0;
	for (size_t i = 0; i < sup->nslots; i++) {
		if (rv_life_has_process(sup->children[i].life))
			sup->living[sup->nliving++] = sup->children[i].incarnation;
	}
	for (size_t i = 0; i < sup->obits.space; i++) {
		enum rv_obit_state state = sup->obits.items[i].state;

		if (state == RV_OBIT_SWEEPING || state == RV_OBIT_UNCLEAN)
			sup->living[sup->nliving++] = sup->obits.items[i].incarnation;
	}
	INV(sup->nliving <= sizeof sup->living / sizeof sup->living[0]);
	sup->living_next = 0;
	sup->living_due = true;
}

void rv_death_keeper_ready(struct rv_sup *sup)
{
	sup->may_work = true;
	sup->has_store = true;
	rv_obits_resend(&sup->obits);
	list_living(sup);
	rv_death_tell(sup);
}

static bool tell_living(struct rv_sup *sup, struct rv_child *keeper)
{
	while (sup->living_due) {
		struct rv_sup_msg msg;
		size_t next;

		rv_living_message(sup->last_incarnation, sup->living, sup->nliving,
				  sup->living_next, &msg, &next);
		if (!rv_child_send(keeper, &msg))
			return false;
		INV(next <= sup->nliving);
		sup->living_next = next;
		sup->living_due = next < sup->nliving;
	}
	return true;
}

void rv_death_tell(struct rv_sup *sup)
{
	struct rv_child *keeper = &sup->children[RV_PLAN_KEEPER];
	struct rv_obit *obit;

	if (keeper->life != RV_LIFE_RUNNING)
		return;
	/* A part of the list was sent: nothing may come between its parts. */
	if (sup->living_due && sup->living_next > 0 && !tell_living(sup, keeper))
		return;
	while ((obit = rv_obits_first(&sup->obits, RV_OBIT_SWEPT))) {
		struct rv_sup_msg msg;

		rv_obit_message(obit, &msg);
		if (!rv_child_send(keeper, &msg))
			return; /* its next message shows that it reads: then again */
		obit->state = RV_OBIT_SENT;
		obit->sent_us = rv_mono_us();
	}
	(void)tell_living(sup, keeper);
}

void rv_death_retell(struct rv_sup *sup, int64_t now_us)
{
	if (rv_obits_resend_stale(&sup->obits, now_us - ACK_LATE_US))
		rv_death_tell(sup);
}

bool rv_death_all_swept(struct rv_sup *sup)
{
	return rv_obits_count(&sup->obits, RV_OBIT_SWEEPING) == 0;
}

bool rv_death_all_told(struct rv_sup *sup)
{
	return rv_death_all_swept(sup) && rv_obits_count(&sup->obits, RV_OBIT_SWEPT) == 0 &&
	       rv_obits_count(&sup->obits, RV_OBIT_SENT) == 0;
}
