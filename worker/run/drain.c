/*
 * What a worker is told: messages on descriptor 3, signals of a person, the death of its
 * supervisor.  Worker processes.  A message about another job or an old fence changes nothing.
 */
#include "run/worker.h"

#include "child/child.h"
#include "loop/loop.h"
#include "obs/log.h"
#include "os/sig.h"

#include <signal.h>
#include <unistd.h>

static struct rv_loop_signals watch = {.fd = -1};

static void stop(struct rv_worker *worker, bool now)
{
	bool again = worker->stopping;

	worker->draining = true;
	rv_claim_woken(worker);
	if (!now)
		return;
	worker->stopping = true;
	rv_turn_stop(worker, &worker->turn, RV_STOP_DRAIN, again);
}

static void cancel(struct rv_worker *worker, int64_t job, int64_t fence)
{
	struct rv_turn *turn = &worker->turn;

	if (turn->phase == RV_TURN_RUNNING && turn->claim.job == job && turn->claim.fence == fence)
		rv_turn_stop(worker, turn, RV_STOP_CANCEL, false);
	else
		(void)rv_claim_cancel(worker, job, fence);
}

static const char *state_of(const struct rv_worker *worker)
{
	if (worker->draining)
		return "draining";
	if (worker->turn.phase != RV_TURN_NONE)
		return "running";
	if (worker->quiet)
		return "quiet";
	return worker->waits ? "waits" : "idle";
}

static void reopen(void)
{
	struct rv_why why = {.text = ""};
	int err = rv_log_reopen(&why);

	if (err != RV_OK)
		rv_log(RV_LOG_ERROR, RV_EV_worker_failed, "cannot reopen the log: %s",
		       rv_why_text(&why, err));
}

void rv_drain_message(void *ctx, const struct rv_sup_msg *msg)
{
	struct rv_worker *worker = ctx;

	if (worker->ending)
		return;
	switch ((enum rv_sup_kind)msg->kind) {
	case RV_SUP_STOP:
		stop(worker, msg->a != 0);
		break;
	case RV_SUP_QUIET:
		worker->quiet = true;
		rv_claim_woken(worker);
		rv_log(RV_LOG_INFO, RV_EV_worker_quiet, "no more claims");
		break;
	case RV_SUP_RESUME:
		worker->quiet = false;
		rv_claim_woken(worker);
		rv_log(RV_LOG_INFO, RV_EV_worker_resumed, "claiming again");
		break;
	case RV_SUP_WAIT:
		worker->waits = msg->a != 0;
		if (!worker->waits)
			rv_claim_woken(worker);
		break;
	case RV_SUP_REOPEN:
		reopen();
		break;
	case RV_SUP_WAKE:
		rv_claim_woken(worker);
		if (msg->a != 0)
			rv_child_status(worker->child, msg->a, state_of(worker));
		break;
	case RV_SUP_CANCEL:
		cancel(worker, (int64_t)msg->a, (int64_t)msg->b);
		break;
	case RV_SUP_NONE:
	case RV_SUP_DIED:
	case RV_SUP_LIVING:
	case RV_SUP_SUBMIT:
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
		break; /* not for a worker */
	}
}

void rv_drain_gone(void *ctx)
{
	struct rv_worker *worker = ctx;

	rv_log(RV_LOG_ERROR, RV_EV_worker_orphaned,
	       "the supervisor is gone: the job is killed and this worker ends");
	rv_run_kill(worker);
	rv_worker_end(worker);
}

void rv_drain_orphaned(void *ctx)
{
	struct rv_worker *worker = ctx;

	rv_run_kill(worker);
	_exit(0); /* the store is used to worse: nothing of it is open but a wait */
}

static void on_signal(struct rv_loop_signals *signals, const struct rv_sig *sig)
{
	struct rv_worker *worker = signals->ctx;

	if (worker->ending || (sig->signo != SIGTERM && sig->signo != SIGQUIT))
		return; /* what a terminal sends to all is the supervisor's matter */
	rv_log(RV_LOG_INFO, RV_EV_worker_stopped, "signal %s", rv_sig_name(sig->signo));
	stop(worker, sig->signo == SIGQUIT);
}

int rv_drain_signals(struct rv_worker *worker)
{
	static const int ours[] = {SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};

	return rv_loop_signals_start(worker->loop, &watch, ours, RV_ARRAY_LEN(ours), on_signal,
				     worker);
}

void rv_drain_close(void)
{
	rv_loop_signals_stop(&watch);
}
