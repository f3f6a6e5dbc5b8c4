/*
 * How a process of a pipe task ends: it is retired, killed, or dies; what it leaves behind is
 * killed before it counts as gone.  Worker processes.  Never may a handler outlive its worker, and
 * never may a sweep here kill what a running exec job has made.
 * (Wider than it should be: it is where a process of ours, the worker and the sweep meet.)
 */
#include "run/pipe.h"

#include "base/check.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/sweep.h"
#include "run/handler.h"
#include "run/pipe_keep.h"
#include "run/worker.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>

#define TURN_US     (5 * RV_MS_US) /* of one sweep */
#define AGAIN_US    RV_MS_US       /* until the next one */
#define COMPLAIN_US (5 * RV_S_US)
#define LEAVE_US    (2 * RV_S_US) /* for a handler to heed EOF when its worker ends */

static void signal_group(const struct rv_pipe_proc *p, int signo)
{
	int err = rv_seam()->signal(rv_seam()->ctx, &p->proc, signo, 1);

	if (err != RV_OK && err != RV_E_NOTFOUND)
		rv_log(RV_LOG_WARN, RV_EV_handler_ended, "cannot send signal %d to a handler: %s",
		       signo, rv_err_text(err));
}

static void on_deaf(struct rv_loop_timer *timer)
{
	rv_pipe_kill(timer->ctx, NULL);
}

void rv_pipe_retire(struct rv_pipe_proc *p)
{
	if (p->state != RV_PIPE_BOOTING && p->state != RV_PIPE_READY)
		return;
	p->state = RV_PIPE_RETIRED;
	rv_pipe_close_in(p);
	rv_loop_timer_start(p->worker->loop, &p->timer, p->task->kill_after_us, on_deaf, p);
}

void rv_pipe_kill(struct rv_pipe_proc *p, const char *why)
{
	if (p->state == RV_PIPE_KILLED || p->state == RV_PIPE_DEAD)
		return;
	p->state = RV_PIPE_KILLED;
	p->killed = true;
	rv_loop_timer_stop(&p->timer);
	rv_pipe_close_in(p);
	if (why) {
		(void)snprintf(p->why, sizeof(p->why), "%s", why);
		rv_log_with(RV_LOG_WARN, RV_EV_handler_killed,
			    RV_FIELDS(RV_STR("task", p->task->name), RV_INT("pid", p->pid)),
			    "a handler of %s is killed: %s", p->task->name, why);
	}
	signal_group(p, SIGKILL);
}

bool rv_pipe_is_oom(const struct rv_pipe_proc *p)
{
	bool oom = false;

	return !p->killed && p->exit.signo == SIGKILL && rv_leaf_knows(&p->leaf, &oom) && oom;
}

void rv_pipe_describe(const struct rv_pipe_proc *p, char *out, size_t space)
{
	char words[256];
	int n;

	if (p->why[0] != '\0')
		n = snprintf(out, space, "its handler was killed: %s", p->why);
	else if (rv_pipe_is_oom(p))
		n = snprintf(out, space, "its handler was out of memory: killed by the kernel");
	else if (p->exit.signo != 0)
		n = snprintf(out, space, "its handler was killed by signal %d", p->exit.signo);
	else
		n = snprintf(out, space, "its handler ended with exit code %d", p->exit.code);
	rv_tail_line(&p->tail, words, sizeof(words));
	if (n > 0 && (size_t)n < space && words[0] != '\0')
		(void)snprintf(out + n, space - (size_t)n, ": %s", words);
}

/* No job is there that would bear the words. */
static void tell_unready(const struct rv_pipe_proc *p)
{
	char text[RV_ERROR_MAX];

	if (rv_pipe_has_job(p) || p->killed)
		return;
	if (p->refuses)
		(void)snprintf(text, sizeof(text), "it refuses: %.300s", p->why);
	else
		rv_pipe_describe(p, text, sizeof(text));
	rv_log_with(RV_LOG_WARN, RV_EV_handler_ended,
		    RV_FIELDS(RV_STR("task", p->task->name), RV_INT("pid", p->pid)),
		    "a handler of %s is not ready: %s", p->task->name, text);
}

/* Kills and reaps what it left behind.  True: nothing of it is there any more. */
static bool swept(struct rv_pipe_proc *p)
{
	const struct rv_sweep others = {.keep = rv_pipe_keeps};
	const struct rv_worker *worker = p->worker;
	struct rv_sweep_left left = {0};
	bool done;

	/* An exec job runs: its own sweep, at its end, takes ours along. */
	if (rv_run_on(worker) && worker->turn.handler == &rv_handler_exec)
		return true;
	done = rv_sweep_turn(&others, TURN_US, &left) == RV_OK && left.orphans == 0;
	if (!done && rv_mono_us() - p->dead_us > COMPLAIN_US) {
		p->dead_us = INT64_MAX / 2; /* said once */
		rv_log_with(
			RV_LOG_WARN, RV_EV_job_leftover,
			RV_FIELDS(RV_STR("task", p->task->name), RV_INT("processes", left.orphans)),
			"a handler of %s has ended, but %d of its processes do not die",
			p->task->name, left.orphans);
	}
	return done;
}

/* Its cgroup can go: at once, as a rule, and what does not end goes with the worker's. */
static bool emptied(const struct rv_pipe_proc *p)
{
	int64_t dead = rv_mono_us() - p->dead_us;

	return dead < 0 || dead > COMPLAIN_US || rv_leaf_is_empty(&p->leaf);
}

static void on_sweep(struct rv_loop_timer *timer)
{
	struct rv_pipe_proc *p = timer->ctx;

	INV(p->state == RV_PIPE_DEAD);
	if (!swept(p) || !emptied(p) || !rv_tmp_remove(&p->tmp, TURN_US)) {
		rv_leaf_kill(&p->leaf); /* faster than a fork bomb */
		rv_loop_timer_start(p->worker->loop, &p->timer, AGAIN_US, on_sweep, p);
		return;
	}
	rv_pipe_drain(p);
	rv_pipe_gone(p);
	rv_pipe_free(p);
}

void rv_pipe_on_exit(struct rv_loop_proc *watch)
{
	struct rv_pipe_proc *p = watch->ctx;
	int err;

	if (p->worker->ending)
		return; /* all were killed and reaped: its number may be somebody's */
	rv_pipe_close_in(p);
	rv_pipe_drain_all(p);
	if (p->state != RV_PIPE_BOOTING)
		rv_pipe_heard(p, RV_OK); /* what it has answered counts, each in its turn */
	if (rv_pipe_owes(p)) {
		rv_loop_proc_start(p->worker->loop, &p->watch, &p->proc, rv_pipe_on_exit, p);
		return;
	}
	signal_group(p, SIGKILL); /* while its number is still its own */
	rv_leaf_kill(&p->leaf);   /* who has left its group */
	err = rv_proc_reap(&p->proc, &p->exit);
	if (err == RV_E_BUSY) {
		rv_loop_proc_start(p->worker->loop, &p->watch, &p->proc, rv_pipe_on_exit, p);
		return;
	}
	if (err != RV_OK) { /* somebody reaped it: nothing is known but that it has ended */
		p->exit = (struct rv_exit){.code = -1, .signo = SIGKILL};
		p->proc.pid = 0;
	}
	rv_log_with(p->state == RV_PIPE_READY ? RV_LOG_INFO : RV_LOG_DEBUG, RV_EV_handler_ended,
		    RV_FIELDS(RV_STR("task", p->task->name), RV_INT("pid", p->pid),
			      RV_INT("jobs", p->jobs)),
		    "a handler of %s has ended after %u jobs", p->task->name, p->jobs);
	p->state = RV_PIPE_DEAD;
	p->dead_us = rv_mono_us();
	rv_pipe_exited(p);
	if (!p->greeted)
		tell_unready(p);
	rv_loop_timer_start(p->worker->loop, &p->timer, 0, on_sweep, p);
}

/* Waits until each of them has ended, or ${end_us}. */
static void await_all(int64_t end_us)
{
	for (struct rv_pipe_proc *p = rv_pipe_first(); p; p = p->other) {
		int64_t left = end_us - rv_mono_us();

		if (p->proc.pid != 0 &&
		    rv_fd_wait(p->proc.pidfd, POLLIN, left > 0 ? left : 0) != RV_OK)
			return;
	}
}

void rv_pipe_end_all(struct rv_worker *worker)
{
	const struct rv_sweep all = {0};
	struct rv_sweep_left left = {0};
	int64_t patience = LEAVE_US;
	int64_t end;

	(void)worker;
	if (!rv_pipe_first())
		return;
	for (struct rv_pipe_proc *p = rv_pipe_first(); p; p = p->other) {
		rv_pipe_close_in(p);
		/* Nobody reads any more: a handler that prints its farewell must not wait for us.
		 */
		for (unsigned i = 0; i < RV_PIPE_OUTS; i++) {
			rv_loop_io_stop(&p->outs[i]);
			rv_fd_close(&p->fds[i]);
		}
		if (p->task->kill_after_us < patience)
			patience = p->task->kill_after_us;
	}
	await_all(rv_mono_us() + patience);
	for (struct rv_pipe_proc *p = rv_pipe_first(); p; p = p->other) {
		/* What a sweep has reaped already has a number that may be somebody's. */
		if (rv_proc_reap(&p->proc, &p->exit) == RV_E_BUSY)
			signal_group(p, SIGKILL);
		rv_leaf_kill(&p->leaf);
	}
	end = rv_mono_us() + COMPLAIN_US;
	while (rv_sweep_turn(&all, 50 * RV_MS_US, &left) == RV_OK && left.orphans > 0 &&
	       rv_mono_us() < end)
		continue;
	while (rv_pipe_first()) {
		rv_pipe_first()->proc.pid = 0;
		rv_pipe_free(rv_pipe_first());
	}
}
