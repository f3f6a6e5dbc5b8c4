/*
 * Stage 3, run: the clocks of a job and the ways to stop it.  Worker processes.  A job that was
 * asked to stop is killed kill_after later, whatever it says.
 */
#include "run/worker.h"

#include "base/check.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "loop/loop.h"
#include "obs/log.h"
#include "obs/output.h"
#include "os/sweep.h"
#include "run/batch.h"
#include "run/handler.h"
#include "wire/area.h"

#define OVERTIME_US (5 * RV_S_US) /* past its limit and kill_after a run hangs (DESIGN §3) */
#define SOON_US     RV_MS_US      /* the least time before the rest of a batch goes back */
#define BEHIND_US   (5 * RV_S_US) /* a job that was sent ahead waits at most so long */
#define END_US      (5 * RV_S_US) /* patience with processes that do not die while we end */

/* One job at a time, so one of each. */
static struct {
	struct rv_loop_timer soft, timeout, idle, kill, overdue, behind;
	struct rv_output output;
} run = {.output = {.head_fd = -1, .tail_fd = -1}};

bool rv_run_on(const struct rv_worker *worker)
{
	return worker->turn.phase == RV_TURN_RUNNING || worker->turn.phase == RV_TURN_STOPPING;
}

static void set_limit(struct rv_turn *turn)
{
	turn->limit_mono_us = 0;
	if (turn->task && turn->claim.timeout_us > 0)
		turn->limit_mono_us = turn->started_mono_us + turn->claim.timeout_us +
				      turn->task->kill_after_us + OVERTIME_US;
}

void rv_run_begin(struct rv_worker *worker)
{
	const struct rv_conf *conf = worker->conf;
	struct rv_turn *turn = &worker->turn;
	struct rv_output_how how = {
		.state_dir = conf->reeve.state_dir,
		.job = turn->claim.job,
		.run = turn->claim.run > 0 ? turn->claim.run : 1,
		.cap_bytes = turn->task ? turn->task->output_max_bytes : 0,
		.group_readable = conf->reeve.group != NULL,
	};

	rv_output_open(&run.output, &how);
	rv_told_begin();
	set_limit(turn);
}

static void shorten_limit(struct rv_worker *worker)
{
	struct rv_turn *turn = &worker->turn;
	int64_t limit = rv_mono_us() + turn->task->kill_after_us + OVERTIME_US;

	if (turn->limit_mono_us == 0 || limit < turn->limit_mono_us)
		turn->limit_mono_us = limit;
	atomic_store_explicit(&worker->hint->limit_us, turn->limit_mono_us, memory_order_relaxed);
}

static void on_kill(struct rv_loop_timer *timer)
{
	struct rv_worker *worker = timer->ctx;

	worker->turn.handler->stop(worker, &worker->turn, RV_STOP_KILL);
}

void rv_turn_stop(struct rv_worker *worker, struct rv_turn *turn, enum rv_stop_reason reason,
		  bool now)
{
	PRE(reason != RV_STOP_NONE);
	if (now && (turn->phase == RV_TURN_STOPPING || turn->settled)) {
		rv_loop_timer_stop(&run.kill);
		turn->handler->stop(worker, turn, RV_STOP_KILL);
	}
	if (turn->phase != RV_TURN_RUNNING || turn->settled)
		return;
	turn->phase = RV_TURN_STOPPING;
	turn->reason = reason;
	shorten_limit(worker);
	rv_loop_timer_stop(&run.soft);
	rv_loop_timer_stop(&run.timeout);
	rv_loop_timer_stop(&run.idle);
	if (!now)
		rv_loop_timer_start(worker->loop, &run.kill, turn->task->kill_after_us, on_kill,
				    worker);
	turn->handler->stop(worker, turn, now ? RV_STOP_KILL : RV_STOP_ASK);
}

static void on_soft(struct rv_loop_timer *timer)
{
	struct rv_worker *worker = timer->ctx;
	struct rv_turn *turn = &worker->turn;

	if (turn->phase != RV_TURN_RUNNING || turn->settled || !turn->handler->warn)
		return;
	turn->warned = turn->handler->warn(turn);
	rv_log_with(RV_LOG_INFO, RV_EV_job_soft_timeout, RV_FIELDS(RV_INT("job", turn->claim.job)),
		    "job %lld %s", (long long)turn->claim.job,
		    turn->warned ? "was told that its time runs out"
				 : "runs out of time, and has no ear for it");
}

static void on_timeout(struct rv_loop_timer *timer)
{
	struct rv_worker *worker = timer->ctx;

	rv_log_with(RV_LOG_INFO, RV_EV_job_timeout,
		    RV_FIELDS(RV_INT("job", worker->turn.claim.job)), "job %lld timed out",
		    (long long)worker->turn.claim.job);
	rv_turn_stop(worker, &worker->turn, RV_STOP_TIMEOUT, false);
}

/* Not set anew at each byte: when it runs out it looks at when the last one came. */
static void on_idle(struct rv_loop_timer *timer)
{
	struct rv_worker *worker = timer->ctx;
	struct rv_turn *turn = &worker->turn;
	int64_t left = turn->heard_mono_us + turn->task->idle_timeout_us - rv_mono_us();

	if (left > 0) {
		rv_loop_timer_start(worker->loop, &run.idle, left, on_idle, worker);
		return;
	}
	rv_log_with(RV_LOG_INFO, RV_EV_job_timeout, RV_FIELDS(RV_INT("job", turn->claim.job)),
		    "job %lld was silent for too long", (long long)turn->claim.job);
	rv_turn_stop(worker, turn, RV_STOP_IDLE, false);
}

/* What its handler has got already cannot be taken back, but the job in front can be stopped. */
static void on_behind(struct rv_loop_timer *timer)
{
	struct rv_worker *worker = timer->ctx;

	rv_turn_stop(worker, &worker->turn, RV_STOP_BEHIND, false);
}

/*
 * A batch that is not quick after all: the others shall not wait behind it.  Its age counts, not
 * that of the job that runs: 64 jobs of 19 ms each are slow as well.
 */
static void on_overdue(struct rv_loop_timer *timer)
{
	struct rv_worker *worker = timer->ctx;

	rv_claim_took(worker, 0, false);
	rv_claim_release(worker);
	if (worker->sent > worker->next)
		rv_loop_timer_start(worker->loop, &run.behind, BEHIND_US, on_behind, worker);
	if (worker->nacks > 0 && rv_claim(worker) != RV_OK)
		rv_log(RV_LOG_DEBUG, RV_EV_job_released, "prefetched jobs are given back later");
}

void rv_run_watch(struct rv_worker *worker)
{
	struct rv_turn *turn = &worker->turn;

	if (turn->task->soft_timeout_us > 0 && !turn->booting)
		rv_loop_timer_start(worker->loop, &run.soft, turn->task->soft_timeout_us, on_soft,
				    worker);
	if (turn->claim.timeout_us > 0 && !turn->booting)
		rv_loop_timer_start(worker->loop, &run.timeout, turn->claim.timeout_us, on_timeout,
				    worker);
	if (turn->task->idle_timeout_us > 0 && !turn->booting)
		rv_loop_timer_start(worker->loop, &run.idle, turn->task->idle_timeout_us, on_idle,
				    worker);
	/* Those before it wait as well: for their acks. */
	if (turn->prefetched && (worker->next < worker->nclaimed || worker->nacks > 0)) {
		int64_t left = worker->claimed_us + RV_BATCH_US - rv_mono_us();

		rv_loop_timer_start(worker->loop, &run.overdue, left > SOON_US ? left : SOON_US,
				    on_overdue, worker);
	}
}

static void stop_clocks(void)
{
	rv_loop_timer_stop(&run.soft);
	rv_loop_timer_stop(&run.timeout);
	rv_loop_timer_stop(&run.idle);
	rv_loop_timer_stop(&run.kill);
	rv_loop_timer_stop(&run.overdue);
	rv_loop_timer_stop(&run.behind);
}

void rv_run_boot(struct rv_worker *worker, int64_t timeout_us)
{
	struct rv_turn *turn = &worker->turn;

	stop_clocks();
	turn->booting = true;
	turn->limit_mono_us = rv_mono_us() + timeout_us + turn->task->kill_after_us + OVERTIME_US;
	atomic_store_explicit(&worker->hint->limit_us, turn->limit_mono_us, memory_order_relaxed);
}

void rv_run_booted(struct rv_worker *worker)
{
	struct rv_turn *turn = &worker->turn;

	turn->booting = false;
	turn->started_us = rv_wall_us();
	turn->started_mono_us = rv_mono_us();
	turn->heard_mono_us = turn->started_mono_us;
	set_limit(turn);
	atomic_store_explicit(&worker->hint->started_us, turn->started_mono_us,
			      memory_order_relaxed);
	atomic_store_explicit(&worker->hint->limit_us, turn->limit_mono_us, memory_order_relaxed);
}

void rv_turn_heard(struct rv_turn *turn, int stream, const void *data, size_t size)
{
	turn->heard_mono_us = rv_mono_us();
	rv_output_write(&run.output, (enum rv_output_stream)stream, rv_wall_us(), data, size);
	rv_told_heard(rv_container_of(turn, struct rv_worker, turn), stream, data, size);
}

void rv_turn_ended(struct rv_turn *turn)
{
	PRE(turn->phase == RV_TURN_RUNNING || turn->phase == RV_TURN_STOPPING);
	stop_clocks();
	turn->phase = RV_TURN_ENDED;
}

void rv_run_end(struct rv_worker *worker)
{
	struct rv_turn *turn = &worker->turn;

	stop_clocks();
	turn->printed_bytes = run.output.seen;
	turn->lost_bytes = run.output.lost;
	turn->lost_err = run.output.err;
	rv_output_close(&run.output);
}

void rv_run_kill(struct rv_worker *worker)
{
	const struct rv_sweep all = {0};
	struct rv_sweep_left left = {0};
	int64_t end = rv_mono_us() + END_US;

	if (rv_run_on(worker))
		worker->turn.handler->stop(worker, &worker->turn, RV_STOP_KILL);
	do {
		if (rv_sweep_turn(&all, 50 * RV_MS_US, &left) != RV_OK)
			return;
	} while (left.orphans > 0 && rv_mono_us() < end);
}
