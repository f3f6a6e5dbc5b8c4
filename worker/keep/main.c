/*
 * reeve-keeper: the housekeeping of one daemon's store.  Started by reeved only, in slot 0.
 *
 * At its start it makes the store or brings it up to date, raises the epoch, mirrors tasks and
 * queues, and says READY; only then are workers started.  After that, on one loop:
 *
 *   dead.c    obituaries from the supervisor: the leases of the dead end, then an ACK
 *   due.c     scheduled jobs become ready at their time; cancellations are passed on
 *   cron.c    slots of schedules become jobs at their time
 *   offers.c  jobs that clients hand over are stored, many in one transaction (offers_round.c)
 *   inbox.c   what programs have inserted with SQL becomes jobs
 *   beats.c   the beats of the living go into the store; the silent are reported and expired
 *   load.c    what waits for pools whose number of workers follows the work
 *   tick.c    each second a TICK, a look for what nobody rang for, a checkpoint, who blocks us
 *
 * It never runs a job, and nothing waits for it: without a keeper workers go on, only later.
 */
#include "base/fault.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "keep/keeper.h"
#include "obs/log.h"
#include "obs/resume.h"
#include "os/fd.h"
#include "os/sig.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void fail(struct rv_keeper *keeper, int err, const char *what, const struct rv_why *why)
{
	if (keeper->ending)
		return;
	rv_log(RV_LOG_ERROR, RV_EV_keeper_failed, "%s: %s", what, rv_why_text(why, err));
	keeper->result = err;
	keeper->ending = true;
	rv_loop_stop(keeper->loop);
}

bool rv_keep_survives(struct rv_keeper *keeper, int err, const char *what, const struct rv_why *why)
{
	switch (err) {
	case RV_OK:
		return true;
	case RV_E_BUSY:
	case RV_E_NOSPACE:
	case RV_E_NOMEM:
		rv_log(RV_LOG_WARN, RV_EV_store_error, "%s: %s; trying again", what,
		       rv_why_text(why, err));
		return true;
	default:
		fail(keeper, err, what, why);
		return false;
	}
}

bool rv_keep_do(struct rv_keeper *keeper, enum rv_durability durability, const char *what)
{
	struct rv_why why = {.text = ""};
	int err = rv_child_do(&keeper->child, &keeper->req, durability, RV_KEEP_DO_US, &why);

	(void)rv_keep_survives(keeper, err, what, &why);
	return err == RV_OK;
}

static void on_again(struct rv_loop_timer *timer)
{
	(void)timer; /* the hook follows */
}

void rv_keep_again(struct rv_keeper *keeper, int64_t after_us)
{
	rv_loop_timer_start(keeper->loop, &keeper->again, after_us, on_again, keeper);
}

static void act(void *ctx)
{
	struct rv_keeper *keeper = ctx;

	rv_child_link_log(&keeper->link);
	if (!keeper->ending && keeper->woken) {
		keeper->woken = false;
		rv_keep_read_totals(keeper);
		if (!keeper->ending)
			rv_keep_kick(keeper);
	}
	if (!keeper->ending && !rv_loop_timer_active(&keeper->again))
		rv_keep_bury(keeper);
	rv_keep_offers_round(keeper); /* clients come after what is ours to do */
}

static void stop(struct rv_keeper *keeper)
{
	int64_t how;
	int err;

	rv_keep_offers_end(keeper);
	rv_child_leave(&keeper->child);
	rv_keep_read_lives(keeper);
	/* With workers left it is not the end: the log goes on, and an empty file would only have
	 * to grow again. */
	how = !keeper->ending && keeper->nlives == 0 ? RV_CHECKPOINT_TRUNCATE : 0;
	err = rv_store_checkpoint(keeper->child.store, how, NULL);
	if (err != RV_OK && err != RV_E_BUSY)
		rv_log(RV_LOG_WARN, RV_EV_checkpoint_failed, "the last checkpoint failed: %s",
		       rv_err_text(err));
	rv_log(RV_LOG_DEBUG, RV_EV_keeper_stopped, "the keeper has ended as it was told to");
	keeper->ending = true;
	rv_loop_stop(keeper->loop);
}

static void reopen(void)
{
	struct rv_why why = {.text = ""};
	int err = rv_log_reopen(&why);

	if (err != RV_OK)
		rv_log(RV_LOG_ERROR, RV_EV_keeper_failed, "cannot reopen the log: %s",
		       rv_why_text(&why, err));
}

static void on_message(void *ctx, const struct rv_sup_msg *msg)
{
	struct rv_keeper *keeper = ctx;

	if (keeper->ending)
		return;
	switch ((enum rv_sup_kind)msg->kind) {
	case RV_SUP_STOP:
		stop(keeper);
		break;
	case RV_SUP_DIED:
		rv_keep_on_died(keeper, msg);
		break;
	case RV_SUP_LIVING:
		rv_keep_on_living(keeper, msg);
		break;
	case RV_SUP_WAKE:
		keeper->woken = true; /* many may come in one turn */
		if (msg->a != 0)
			rv_child_status(&keeper->child, msg->a, "keeping");
		break;
	case RV_SUP_SUBMIT:
		rv_keep_on_submit(keeper, rv_fd_take(&keeper->link.passed));
		break;
	case RV_SUP_REOPEN:
		reopen();
		break;
	case RV_SUP_NONE:
	case RV_SUP_QUIET:
	case RV_SUP_RESUME:
	case RV_SUP_CANCEL:
	case RV_SUP_WAIT:
	case RV_SUP_READY:
	case RV_SUP_TICK:
	case RV_SUP_ADMIT:
	case RV_SUP_LOAD:
	case RV_SUP_STUCK:
	case RV_SUP_HUNG:
	case RV_SUP_KICK:
	case RV_SUP_ACK:
	case RV_SUP_STATUS:
	case RV_SUP_KINDS:
		break; /* not for a keeper */
	}
}

static void on_gone(void *ctx)
{
	struct rv_keeper *keeper = ctx;

	rv_log(RV_LOG_ERROR, RV_EV_worker_orphaned, "the supervisor is gone: the keeper ends");
	keeper->ending = true;
	rv_loop_stop(keeper->loop);
}

static void on_signal(struct rv_loop_signals *signals, const struct rv_sig *sig)
{
	struct rv_keeper *keeper = signals->ctx;

	if (!keeper->ending && (sig->signo == SIGTERM || sig->signo == SIGQUIT))
		stop(keeper);
}

static void on_orphaned(void *ctx)
{
	(void)ctx;
	_exit(0);
}

static void on_waiting(void *ctx)
{
	rv_keep_tick_waiting(ctx);
}

static int boot(struct rv_keeper *keeper, struct rv_why *why)
{
	static const int signals[] = {SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
	struct rv_child_hooks hooks = {.beat = on_waiting, .orphaned = on_orphaned, .ctx = keeper};
	struct rv_child *child = &keeper->child;
	int err = rv_child_boot(child, why);

	if (err != RV_OK)
		return err;
	rv_log(RV_LOG_DEBUG, RV_EV_keeper_starting, "opening the store");
	err = rv_loop_new(&keeper->loop);
	if (err == RV_OK)
		err = rv_loop_signals_start(keeper->loop, &keeper->signals, signals,
					    RV_ARRAY_LEN(signals), on_signal, keeper);
	if (err != RV_OK)
		return rv_fail(why, err, "cannot make the loop");
	/* Only the first one of a daemon: a store that is gone now was taken away from under us. */
	err = rv_child_open(child, child->highest == 0, &hooks, why);
	if (err == RV_OK)
		err = rv_keep_take(keeper, why);
	if (err == RV_OK)
		err = rv_child_join(child, child->conf->pools[0].lease_us, why);
	if (err != RV_OK)
		return err;
	atomic_store(&child->area.head->epoch_ok, 1);
	return RV_FAULT(keeper_ready);
}

static void work(struct rv_keeper *keeper)
{
	rv_loop_hook(keeper->loop, act, keeper);
	keeper->link = (struct rv_child_link){
		.child = &keeper->child,
		.loop = keeper->loop,
		.message = on_message,
		.gone = on_gone,
		.ctx = keeper,
	};
	rv_child_link_start(&keeper->link);
	(void)rv_keep_note_time(keeper); /* from READY on our absence is noticed */
	if (rv_child_send(&keeper->child, RV_SUP_READY, 0, 0, 0) != RV_OK)
		return; /* nobody there: the link would say so too */
	rv_log(RV_LOG_DEBUG, RV_EV_keeper_ready, "ready");
	keeper->change = -1;
	rv_keep_tick(keeper);
	if (!keeper->ending)
		rv_keep_tidy(keeper);
	if (!keeper->ending)
		rv_loop_run(keeper->loop);
}

static void end(struct rv_keeper *keeper)
{
	rv_keep_offers_end(keeper);
	rv_resume_walk_end(&keeper->resume);
	rv_child_link_stop(&keeper->link);
	rv_loop_timer_stop(&keeper->tick);
	rv_loop_timer_stop(&keeper->due);
	rv_loop_timer_stop(&keeper->tidy);
	rv_loop_timer_stop(&keeper->inbox);
	rv_loop_timer_stop(&keeper->sweep);
	rv_loop_timer_stop(&keeper->cron);
	rv_loop_timer_stop(&keeper->again);
	rv_loop_signals_stop(&keeper->signals);
	rv_loop_free(keeper->loop);
	rv_child_close(&keeper->child);
}

int main(int argc, char **argv)
{
	static struct rv_keeper keeper;
	struct rv_why why = {.text = ""};
	int err;

	rv_sig_reset();
	if (rv_fd_stdio() != RV_OK)
		return 74;
	keeper.child.program = "keeper";
	if (rv_child_version(keeper.child.program, argc, argv))
		return 0;
	keeper.child.pool = "";
	keeper.child.name = "keeper";
	err = rv_child_parse(&keeper.child, argc, argv, &why);
	if (err != RV_OK) {
		(void)fprintf(stderr, "reeve-keeper: %s\n", rv_why_text(&why, err));
		return 2;
	}
	err = boot(&keeper, &why);
	if (err != RV_OK)
		rv_log(RV_LOG_ERROR, RV_EV_keeper_failed, "cannot start: %s",
		       rv_why_text(&why, err));
	else
		work(&keeper);
	if (err == RV_OK)
		err = keeper.result;
	end(&keeper);
	return rv_child_exit(err);
}
