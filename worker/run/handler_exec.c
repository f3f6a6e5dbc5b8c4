/*
 * The exec handler: a process for each job, in a session of its own, its output read from pipes.
 * Worker processes.  A job is over when its leader has ended and no other process of it is left;
 * never may one outlive the run (R9), and never may a pipe that somebody holds keep us waiting.
 */
#include "run/handler.h"

#include "base/check.h"
#include "base/fault.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/spawn.h"
#include "os/sweep.h"
#include "run/exec_spec.h"
#include "run/turn.h"
#include "run/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTEN_US   (5 * RV_MS_US)   /* a short job is over by then: one wake-up instead of four */
#define GRACE_US    (200 * RV_MS_US) /* for what helpers of a leader that has ended still print */
#define TURN_US     (5 * RV_MS_US)   /* of one sweep */
#define AGAIN_US    RV_MS_US         /* until the next one */
#define COMPLAIN_US (5 * RV_S_US)
#define READS       16 /* of a pipe in one go, each up to RV_OUTPUT_CHUNK */

extern char **environ;

static const enum rv_output_stream streams[] = {RV_OUTPUT_STDOUT, RV_OUTPUT_STDERR,
						RV_OUTPUT_PROGRESS};

static void close_pipe(struct rv_exec *exec, unsigned i)
{
	rv_loop_io_stop(&exec->pipes[i]);
	rv_fd_close(&exec->fds[i]);
}

static bool all_closed(const struct rv_exec *exec)
{
	return exec->fds[0] < 0 && exec->fds[1] < 0 && exec->fds[2] < 0;
}

/* Keeps the end of stderr: its last line goes into the error. */
static void keep_words(struct rv_exec *exec, const char *data, size_t size)
{
	size_t space = sizeof(exec->words);

	if (size >= space) {
		data += size - space;
		size = space;
	}
	if (exec->nwords + size > space) {
		size_t drop = exec->nwords + size - space;

		memmove(exec->words, exec->words + drop, exec->nwords - drop);
		exec->nwords -= drop;
	}
	memcpy(exec->words + exec->nwords, data, size);
	exec->nwords += size;
}

/* Reads what one pipe has, up to a bound; closes it at its end. */
static void drain(struct rv_turn *turn, unsigned i)
{
	static char buffer[RV_OUTPUT_CHUNK];
	struct rv_exec *exec = &turn->of.exec;

	for (int reads = 0; exec->fds[i] >= 0 && reads < READS; reads++) {
		ssize_t n = read(exec->fds[i], buffer, sizeof(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			close_pipe(exec, i);
			return;
		}
		rv_turn_heard(turn, streams[i], buffer, (size_t)n);
		if (streams[i] == RV_OUTPUT_STDERR)
			keep_words(exec, buffer, (size_t)n);
	}
}

static void ready(struct rv_turn *turn)
{
	for (unsigned i = 0; i < RV_ARRAY_LEN(streams); i++)
		drain(turn, i);
}

/* Have we any child at all?  The common case, and cheaper to ask than to read /proc. */
static bool any_child(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

static void sweep_on(struct rv_loop_timer *timer);

/* The leader has ended: what else is left of the job goes now.  Ends the turn when nothing is. */
static void sweep(struct rv_worker *worker)
{
	struct rv_turn *turn = &worker->turn;
	struct rv_exec *exec = &turn->of.exec;
	const struct rv_sweep all = {0};
	struct rv_sweep_left left = {0};

	INV(exec->exited && !exec->swept);
	rv_loop_timer_stop(&exec->listen);
	rv_loop_timer_stop(&exec->grace);
	if (any_child() && (rv_sweep_turn(&all, TURN_US, &left) != RV_OK || left.orphans > 0)) {
		if (!exec->complained && rv_mono_us() - exec->ended_us > COMPLAIN_US) {
			exec->complained = true;
			rv_log_with(RV_LOG_WARN, RV_EV_job_leftover,
				    RV_FIELDS(RV_INT("job", turn->claim.job),
					      RV_INT("processes", left.orphans)),
				    "job %lld has ended, but %d of its processes do not die",
				    (long long)turn->claim.job, left.orphans);
		}
		ready(turn);
		rv_loop_timer_start(worker->loop, &exec->sweep, AGAIN_US, sweep_on, worker);
		return;
	}
	exec->swept = true;
	if (left.killed > 0)
		rv_log_with(
			RV_LOG_INFO, RV_EV_job_leftover,
			RV_FIELDS(RV_INT("job", turn->claim.job), RV_INT("processes", left.killed)),
			"job %lld left %d processes behind; they were killed",
			(long long)turn->claim.job, left.killed);
	ready(turn);
	for (unsigned i = 0; i < RV_ARRAY_LEN(streams); i++)
		close_pipe(exec, i);
	rv_turn_ended(worker, turn);
}

static void sweep_on(struct rv_loop_timer *timer)
{
	sweep(timer->ctx);
}

static void on_pipe(struct rv_loop_io *io, int events)
{
	struct rv_worker *worker = io->ctx;
	struct rv_exec *exec = &worker->turn.of.exec;

	(void)events;
	drain(&worker->turn, (unsigned)(io - exec->pipes));
	if (exec->exited && !exec->swept && all_closed(exec) && rv_loop_timer_active(&exec->grace))
		sweep(worker);
}

/*
 * Until now the pipes took what the job printed (64 KiB each); a job that goes on is read as it
 * prints.
 */
static void listen_to(struct rv_worker *worker)
{
	struct rv_exec *exec = &worker->turn.of.exec;

	rv_loop_timer_stop(&exec->listen);
	for (unsigned i = 0; i < RV_ARRAY_LEN(streams); i++) {
		if (exec->fds[i] >= 0)
			rv_loop_io_start(worker->loop, &exec->pipes[i], exec->fds[i], RV_LOOP_READ,
					 on_pipe, worker);
	}
}

static void on_listen(struct rv_loop_timer *timer)
{
	listen_to(timer->ctx);
}

static void on_exit(struct rv_loop_proc *watch)
{
	struct rv_worker *worker = watch->ctx;
	struct rv_exec *exec = &worker->turn.of.exec;
	int err = rv_proc_reap(&exec->proc, &exec->exit);

	if (err == RV_E_BUSY) {
		rv_loop_proc_start(worker->loop, &exec->watch, &exec->proc, on_exit, worker);
		return;
	}
	if (err != RV_OK) /* somebody reaped it: nothing is known but that it has ended */
		exec->exit = (struct rv_exit){.code = -1, .signo = SIGKILL};
	exec->exited = true;
	worker->turn.settled = true;
	exec->ended_us = rv_mono_us();
	ready(&worker->turn);
	if (all_closed(exec)) {
		sweep(worker);
		return;
	}
	if (rv_loop_timer_active(&exec->listen))
		listen_to(worker);
	rv_loop_timer_start(worker->loop, &exec->grace, GRACE_US, sweep_on, worker);
}

/* Pipes for 1, 2 and progress: ours in exec->fds, the job's in ${ends}. */
static int make_pipes(struct rv_exec *exec, int ends[3], struct rv_why *why)
{
	for (unsigned i = 0; i < RV_ARRAY_LEN(streams); i++) {
		int fds[2];
		int err = rv_fd_pipe(fds, false);

		if (err == RV_OK) {
			exec->fds[i] = fds[0];
			ends[i] = fds[1];
			err = rv_fd_nonblock(fds[0], true);
		}
		if (err != RV_OK)
			return rv_fail(why, RV_E_BUSY, "no pipes for the job: %s",
				       rv_err_text(err));
	}
	return RV_OK;
}

static int64_t deadline_of(const struct rv_turn *turn)
{
	return turn->claim.timeout_us > 0 ? turn->started_us + turn->claim.timeout_us : 0;
}

static int build(struct rv_worker *worker, struct rv_turn *turn, struct rv_exec_spec *spec,
		 struct rv_why *why)
{
	const struct rv_conf *conf = worker->child.conf;
	struct rv_exec_input input = {
		.task = turn->task,
		.adhoc = turn->adhoc,
		.adhoc_allowed = conf->reeve.adhoc,
		.claim = &turn->claim,
		.queue = turn->queue,
		.instance_name = conf->reeve.instance,
		.deadline_us = deadline_of(turn),
		.mark = worker->child.mark,
		.environment = environ,
	};
	int err = rv_turn_load(worker, turn, why);

	if (err != RV_OK)
		return err;
	input.spec = turn->spec;
	input.idem_key = turn->idem_key;
	return rv_exec_spec_build(&input, &turn->arena, spec, why);
}

static int spawn(struct rv_turn *turn, const struct rv_exec_spec *spec, int payload,
		 const int ends[3], struct rv_why *why)
{
	struct rv_spawn how;
	int err = RV_FAULT(spawn);

	if (err != RV_OK)
		return rv_fail(why, err, "fault point spawn");
	rv_exec_spec_spawn(spec, turn->task, &how);
	how.fds[0] = (struct rv_spawn_fd){.from = payload, .to = 0};
	how.fds[1] = (struct rv_spawn_fd){.from = ends[0], .to = 1};
	how.fds[2] = (struct rv_spawn_fd){.from = ends[1], .to = 2};
	how.fds[3] = (struct rv_spawn_fd){.from = ends[2], .to = RV_PROGRESS_FD};
	how.nfds = 4;
	return rv_seam()->spawn(rv_seam()->ctx, &how, &turn->of.exec.proc, why);
}

static int start(struct rv_worker *worker, struct rv_turn *turn, struct rv_why *why)
{
	struct rv_exec *exec = &turn->of.exec;
	struct rv_exec_spec spec = {0};
	int ends[3] = {-1, -1, -1};
	int payload = -1;
	int err;

	*exec = (struct rv_exec){.proc = {.pidfd = -1}, .fds = {-1, -1, -1}};
	err = build(worker, turn, &spec, why);
	if (err == RV_OK)
		err = rv_turn_payload(worker, turn, &payload, why);
	if (err == RV_OK)
		err = make_pipes(exec, ends, why);
	if (err == RV_OK)
		err = spawn(turn, &spec, payload, ends, why);
	rv_exec_spec_fini(&spec);
	rv_fd_close(&payload);
	for (unsigned i = 0; i < RV_ARRAY_LEN(streams); i++)
		rv_fd_close(&ends[i]);
	if (err != RV_OK) {
		for (unsigned i = 0; i < RV_ARRAY_LEN(streams); i++)
			rv_fd_close(&exec->fds[i]);
		return err;
	}
	rv_loop_timer_start(worker->loop, &exec->listen, LISTEN_US, on_listen, worker);
	rv_loop_proc_start(worker->loop, &exec->watch, &exec->proc, on_exit, worker);
	rv_log_with(RV_LOG_DEBUG, RV_EV_job_started,
		    RV_FIELDS(RV_INT("job", turn->claim.job), RV_INT("pid", exec->proc.pid)),
		    "job %lld runs", (long long)turn->claim.job);
	return RV_OK;
}

static void signal_group(const struct rv_exec *exec, int signo)
{
	int err = rv_seam()->signal(rv_seam()->ctx, &exec->proc, signo, 1);

	if (err != RV_OK && err != RV_E_NOTFOUND)
		rv_log(RV_LOG_WARN, RV_EV_job_leftover, "cannot send signal %d to the job: %s",
		       signo, rv_err_text(err));
}

static void stop(struct rv_worker *worker, struct rv_turn *turn, enum rv_stop_how how)
{
	struct rv_exec *exec = &turn->of.exec;

	if (exec->exited) {
		/* Its leader is gone; the grace of the others ends here. */
		if (how == RV_STOP_KILL && !exec->swept && !rv_loop_timer_active(&exec->sweep))
			sweep(worker);
		return;
	}
	if (how == RV_STOP_KILL) {
		signal_group(exec, SIGKILL);
		return;
	}
	signal_group(exec, turn->task->stop_signal);
	signal_group(exec, SIGCONT); /* a stopped process must be able to end */
}

/* The last line of stderr that is not empty, cut at its beginning if need be. */
static void last_line(const struct rv_exec *exec, char *out, size_t space)
{
	size_t end = exec->nwords;
	size_t begin;

	while (end > 0 && (unsigned char)exec->words[end - 1] <= ' ')
		end--;
	begin = end;
	while (begin > 0 && exec->words[begin - 1] != '\n' && exec->words[begin - 1] != '\r')
		begin--;
	if (end - begin >= space)
		begin = end - space + 1;
	memcpy(out, exec->words + begin, end - begin);
	out[end - begin] = '\0';
}

static int64_t time_us(const struct timeval *tv)
{
	return (int64_t)tv->tv_sec * RV_S_US + tv->tv_usec;
}

static void end(struct rv_turn *turn)
{
	struct rv_exec *exec = &turn->of.exec;
	struct rv_result *result = &turn->result;

	if (!exec->exited && exec->proc.pidfd < 0 && all_closed(exec))
		return; /* it was never started: the result is there */
	rv_loop_proc_stop(&exec->watch);
	rv_loop_timer_stop(&exec->listen);
	rv_loop_timer_stop(&exec->grace);
	rv_loop_timer_stop(&exec->sweep);
	for (unsigned i = 0; i < RV_ARRAY_LEN(streams); i++)
		close_pipe(exec, i);
	rv_fd_close(&exec->proc.pidfd);
	result->kind = RV_RESULT_EXIT;
	result->exit_code = exec->exit.code;
	result->signo = exec->exit.signo;
	result->user_us = time_us(&exec->exit.usage.ru_utime);
	result->sys_us = time_us(&exec->exit.usage.ru_stime);
	result->maxrss_bytes = (int64_t)exec->exit.usage.ru_maxrss * 1024;
	last_line(exec, result->text, sizeof(result->text) - 64);
}

const struct rv_handler rv_handler_exec = {
	.name = "exec",
	.start = start,
	.ready = ready,
	.stop = stop,
	.end = end,
};
