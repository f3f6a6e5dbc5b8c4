/*
 * reeve-worker: runs jobs, one at a time.  Started by reeved only.
 * (Wider than it should be: it is where all stages meet.)
 *
 * A job goes through four stages, a file each, and only forward:
 *
 *   claim.c    a round: the acks of what has ended and the lease of what is next, in one
 * transaction start.c    the claimed job finds its task and its handler, and begins run.c      its
 * clocks tick; it prints, it ends, or it is stopped finish.c   how it ended becomes an ack, which
 * waits for the next round
 *
 * All of it happens on one loop (common/loop).  After each turn of the loop act(), below, looks at
 * where the job is and takes the next step; it never waits, except in a round for its answer.  A
 * worker that finds nothing sets its idle bit, looks once more, and sleeps without any timer: it
 * makes no system call until the supervisor says WAKE.
 *
 * Never two jobs at once; never a job whose lease might be another's (beat.c); nothing of a job
 * left behind (handler_exec.c); no word with the database but through common/store.
 */
#include "base/fault.h"
#include "base/seam.h"
#include "child/link.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/fd.h"
#include "run/worker.h"

#include <stdio.h>
#include <stdlib.h>

static struct rv_child child;
static struct rv_child_link control;
static struct rv_loop_timer again; /* another turn of the loop, now or after a pause */

void rv_worker_end(struct rv_worker *worker)
{
	worker->ending = true;
	rv_loop_stop(worker->loop);
}

void rv_worker_fail(struct rv_worker *worker, int err, const char *what, const struct rv_why *why)
{
	if (worker->ending)
		return;
	rv_log(RV_LOG_ERROR, RV_EV_worker_failed, "%s: %s", what, rv_why_text(why, err));
	worker->result = err;
	rv_worker_end(worker);
}

static void on_again(struct rv_loop_timer *timer)
{
	(void)timer; /* the hook follows */
}

void rv_worker_again(struct rv_worker *worker, int64_t after_us)
{
	rv_loop_timer_start(worker->loop, &again, after_us, on_again, worker);
}

static bool round_due(const struct rv_worker *worker)
{
	if (rv_loop_timer_active(&again))
		return false; /* a pause after a failure, or the next turn of the loop */
	return rv_claim_due(worker);
}

/* Runs what was claimed until one of them takes its time. */
static void run_claimed(struct rv_worker *worker)
{
	while (!worker->ending && worker->turn.phase == RV_TURN_NONE &&
	       worker->next < worker->nclaimed) {
		if (worker->draining || worker->quiet || rv_claim_is_stale(worker))
			rv_claim_release(worker); /* not what a handler has already */
		if (worker->next < worker->nclaimed)
			rv_start(worker);
		if (worker->turn.phase == RV_TURN_ENDED)
			rv_finish(worker);
	}
}

static void leave(struct rv_worker *worker)
{
	rv_child_leave(worker->child);
	rv_log(RV_LOG_DEBUG, RV_EV_worker_stopped, "this worker has ended as it was told to");
	rv_worker_end(worker);
}

/* False: nobody is there to hear it; the link says so too. */
static bool say_ready(struct rv_worker *worker)
{
	if (rv_child_send(worker->child, RV_SUP_READY, 0, 0, 0) != RV_OK)
		return false;
	rv_log(RV_LOG_DEBUG, RV_EV_worker_ready, "ready");
	return true;
}

/* READY as soon as its handlers are; what it was told meanwhile comes before its first claim. */
static void look_whether_warm(struct rv_worker *worker)
{
	if (rv_keep_warming())
		return;
	worker->warming = false;
	if (say_ready(worker))
		rv_worker_again(worker, 0);
	else
		rv_worker_end(worker);
}

static void act(void *ctx)
{
	struct rv_worker *worker = ctx;

	rv_child_link_log(&control);
	if (worker->ending)
		return;
	if (worker->warming)
		look_whether_warm(worker);
	if (worker->turn.phase == RV_TURN_ENDED)
		rv_finish(worker);
	if (worker->turn.phase != RV_TURN_NONE)
		return;
	run_claimed(worker);
	if (!worker->ending && worker->turn.phase == RV_TURN_NONE && round_due(worker) &&
	    rv_claim(worker) == RV_OK)
		run_claimed(worker);
	if (worker->ending || worker->turn.phase != RV_TURN_NONE)
		return;
	if (worker->draining && worker->nacks == 0)
		leave(worker);
	else if (round_due(worker))
		rv_worker_again(worker, 0); /* descriptor 3 first */
}

static int boot(struct rv_worker *worker, struct rv_why *why)
{
	struct rv_child_hooks hooks = {
		.beat = rv_beat_waiting, .orphaned = rv_drain_orphaned, .ctx = worker};
	const struct rv_conf_pool *pool;
	int err;

	worker->booted_us = rv_mono_us();
	err = rv_child_boot(&child, why);

	if (err != RV_OK)
		return err;
	rv_log(RV_LOG_DEBUG, RV_EV_worker_starting, "opening the store");
	worker->conf = child.conf;
	worker->hint = child.hint;
	worker->mark = child.mark;
	pool = rv_conf_pool_find(child.conf, child.pool);
	if (!pool || pool->queues.count == 0) {
		(void)rv_fail(why, RV_E_CONF, "the configuration has no pool %s with queues",
			      child.pool);
		return RV_E_CONF;
	}
	worker->pool = pool;
	worker->quiet = child.quiet;
	rv_claim_init(worker);
	err = rv_loop_new(&worker->loop);
	if (err == RV_OK)
		err = rv_drain_signals(worker);
	if (err != RV_OK)
		return rv_fail(why, err, "cannot make the loop");
	err = rv_child_open(&child, false, &hooks, why);
	worker->store = child.store;
	if (err == RV_OK)
		err = rv_child_join(&child, pool->lease_us, why);
	if (err == RV_OK)
		err = rv_start_open(worker, why);
	if (err == RV_OK)
		err = RV_FAULT(worker_ready);
	return err;
}

static void work(struct rv_worker *worker)
{
	control = (struct rv_child_link){
		.child = &child,
		.loop = worker->loop,
		.message = rv_drain_message,
		.gone = rv_drain_gone,
		.ctx = worker,
	};
	rv_child_link_start(&control);
	rv_beat_start(worker);
	worker->warming = rv_keep_warming();
	if (!worker->warming && !say_ready(worker))
		return;
	/* What it was told while it booted comes before its first claim. */
	rv_loop_turn(worker->loop, false);
	if (worker->ending)
		return;
	rv_loop_hook(worker->loop, act, worker);
	rv_loop_run(worker->loop);
}

static void end(struct rv_worker *worker)
{
	if (worker->turn.phase != RV_TURN_NONE) {
		rv_run_kill(worker);
		rv_run_end(worker);
	}
	rv_arena_reset(&worker->turn.arena);
	rv_start_close(worker);
	rv_child_link_stop(&control);
	rv_beat_stop();
	rv_loop_timer_stop(&again);
	rv_drain_close();
	rv_loop_free(worker->loop);
	rv_child_close(&child);
}

int main(int argc, char **argv)
{
	static struct rv_worker worker = {.child = &child}; /* 160 KiB */
	struct rv_why why = {.text = ""};
	int err;

	rv_sig_reset();
	if (rv_fd_stdio() != RV_OK)
		return 74;
	child.program = "worker";
	if (rv_child_version(child.program, argc, argv))
		return 0;
	err = rv_child_parse(&child, argc, argv, &why);
	if (err == RV_OK && (!child.pool || !child.name))
		err = rv_fail(&why, RV_E_USAGE, "--pool and --name are needed");
	if (err != RV_OK) {
		(void)fprintf(stderr, "reeve-worker: %s\n", rv_why_text(&why, err));
		return 2;
	}
	err = boot(&worker, &why);
	if (err != RV_OK)
		rv_log(RV_LOG_ERROR, RV_EV_worker_failed, "cannot start: %s",
		       rv_why_text(&why, err));
	else
		work(&worker);
	if (err == RV_OK)
		err = worker.result;
	end(&worker);
	return rv_child_exit(err);
}
