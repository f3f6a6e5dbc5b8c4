/*
 * The exec handler: a process for each job, in a session of its own, its output read from pipes.
 * Worker processes.  A job is over when its leader has ended and no other process of it is left;
 * never may one outlive the run (R9), and never may a pipe that somebody holds keep us waiting.
 * (Wider than it should be: it is where a process, what it has of the machine and the turn meet.)
 */
#include "run/handler.h"

#include "base/check.h"
#include "base/seam.h"
#include "conf/types.h"
#include "obs/log.h"
#include "obs/output.h"
#include "os/fd.h"
#include "os/self.h"
#include "os/oom.h"
#include "os/sweep.h"
#include "run/exec.h"
#include "run/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTEN_US   (5 * RV_MS_US)   /* a short job is over by then: one wake-up instead of four */
#define GRACE_US    (200 * RV_MS_US) /* for what helpers of a leader that has ended still print */
#define TURN_US     (5 * RV_MS_US)   /* of one sweep */
#define AGAIN_US    RV_MS_US         /* until the next one */
#define COMPLAIN_US (5 * RV_S_US)
#define READS       RV_LIMIT(16, 1) /* of a pipe in one go, each up to RV_OUTPUT_CHUNK */

static const int streams[RV_EXEC_PIPES] = {RV_OUTPUT_STDOUT, RV_OUTPUT_STDERR, RV_OUTPUT_PROGRESS};

static struct rv_exec job; /* one at a time */

/* ---- memory that ran out */

static int64_t oom_seen; /* the kernel's count when we looked last */

static void count_ooms(void)
{
	const char *path = NULL;

#ifdef RV_FAULTS
	path = getenv("RV_VMSTAT"); /* tests: a kernel of their own */
#endif
	(void)!rv_oom_kills(path, &oom_seen); /* one that does not say stays as it was */
}

/*
 * KILL that was not ours, or what a shell makes of that of its child, while the kernel killed for
 * want of memory: that was it.  Its count is of the run's own group where there is one with a
 * limit, else of the whole machine: in a storm of such kills one by a person's hand is taken for
 * one of them.
 */
static bool ran_out_of_memory(const struct rv_exec *exec)
{
	if (exec->shot || (exec->exit.signo != SIGKILL && exec->exit.code != 128 + SIGKILL))
		return false;
#ifdef RV_MUTANT_KILL_IS_OOM
	return true;
#endif
	if (exec->leaf_knows)
		return exec->leaf_oom;
	count_ooms();
	return oom_seen > exec->oom_kills;
}

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
	size_t space = sizeof(exec->words) - 1;

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
	struct rv_exec *exec = &job;

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
	for (unsigned i = 0; i < RV_EXEC_PIPES; i++)
		drain(turn, i);
}

/* Have we any child at all?  The common case, and cheaper to ask than to read /proc. */
static bool any_child(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

static void on_sweep(struct rv_loop_timer *timer);

/* Kills and reaps what the job left behind.  True: nothing of it is there any more. */
static bool swept(const struct rv_turn *turn)
{
	const struct rv_sweep all = {.keep = rv_pipe_keeps};
	struct rv_sweep_left left = {0};
	bool done;

#ifdef RV_MUTANT_JOB_NOT_SWEPT
	return true;
#endif
	if (!any_child())
		return true;
	done = rv_sweep_turn(&all, TURN_US, &left) == RV_OK && left.orphans == 0;
	job.killed += left.killed;
	if (!done && !job.complained && rv_mono_us() - job.ended_us > COMPLAIN_US) {
		job.complained = true;
		rv_log_with(RV_LOG_WARN, RV_EV_job_leftover,
			    RV_FIELDS(RV_INT("job", turn->claim.job),
				      RV_INT("processes", left.orphans)),
			    "job %lld has ended, but %d of its processes do not die",
			    (long long)turn->claim.job, left.orphans);
	}
	return done;
}

/* The leader has ended: what else is left of the job goes now.  Ends the turn when nothing is. */
static void sweep(struct rv_worker *worker)
{
	struct rv_turn *turn = &worker->turn;

	INV(job.exited && !job.swept);
	rv_loop_timer_stop(&job.listen);
	rv_loop_timer_stop(&job.grace);
	job.swept = swept(turn) && rv_tmp_remove(&job.tmp, TURN_US);
	ready(turn);
	if (!job.swept) {
		rv_leaf_kill(&job.leaf); /* faster than a fork bomb */
		rv_loop_timer_start(worker->loop, &job.sweep, AGAIN_US, on_sweep, worker);
		return;
	}
	if (job.killed > 0)
		rv_log_with(RV_LOG_INFO, RV_EV_job_leftover,
			    RV_FIELDS(RV_INT("job", turn->claim.job)),
			    "job %lld left processes behind; they were killed",
			    (long long)turn->claim.job);
	for (unsigned i = 0; i < RV_EXEC_PIPES; i++)
		close_pipe(&job, i);
	job.leaf_knows = rv_leaf_knows(&job.leaf, &job.leaf_oom);
	rv_leaf_remove(&job.leaf);
	rv_turn_ended(turn);
}

static void on_sweep(struct rv_loop_timer *timer)
{
	sweep(timer->ctx);
}

static void on_pipe(struct rv_loop_io *io, int events)
{
	struct rv_worker *worker = io->ctx;
	struct rv_exec *exec = &job;

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
	struct rv_exec *exec = &job;

	rv_loop_timer_stop(&exec->listen);
	if (!exec->exited) {
		count_ooms();
		exec->oom_kills = oom_seen;
	}
	for (unsigned i = 0; i < RV_EXEC_PIPES; i++) {
		if (exec->fds[i] >= 0)
			rv_loop_io_start(worker->loop, &exec->pipes[i], exec->fds[i], RV_LOOP_READ,
					 on_pipe, worker);
	}
}

static void on_listen(struct rv_loop_timer *timer)
{
	listen_to(timer->ctx);
}

static void on_ended(struct rv_loop_proc *watch)
{
	struct rv_worker *worker = watch->ctx;
	struct rv_exec *exec = &job;
	int err = rv_proc_reap(&exec->proc, &exec->exit);

	if (err == RV_E_BUSY) {
		rv_loop_proc_start(worker->loop, &exec->watch, &exec->proc, on_ended, worker);
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
	rv_loop_timer_start(worker->loop, &exec->grace, GRACE_US, on_sweep, worker);
}

/* For the PATH of every kind of job. */
static void find_bin(struct rv_worker *worker)
{
	struct rv_why why;
	char *slash = NULL;

	if (rv_self_sibling("reeve", worker->bin, sizeof(worker->bin), &why) == RV_OK &&
	    !strchr(worker->bin, ':'))
		slash = strrchr(worker->bin, '/');
	(slash ? slash : worker->bin)[0] = '\0';
}

static int open_exec(struct rv_worker *worker, struct rv_why *why)
{
	(void)why;
	count_ooms();
	rv_tmp_sweep(worker);
	find_bin(worker);
	return RV_OK;
}

static int start(struct rv_worker *worker, struct rv_turn *turn, struct rv_why *why)
{
	int err = rv_exec_start(worker, turn, &job, why);

	if (err != RV_OK)
		return err;
	job.oom_kills = oom_seen;
	rv_loop_timer_start(worker->loop, &job.listen, LISTEN_US, on_listen, worker);
	rv_loop_proc_start(worker->loop, &job.watch, &job.proc, on_ended, worker);
	rv_log_with(RV_LOG_DEBUG, RV_EV_job_started,
		    RV_FIELDS(RV_INT("job", turn->claim.job), RV_INT("pid", job.proc.pid)),
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
	struct rv_exec *exec = &job;

	if (exec->exited) {
		/* Its leader is gone; the grace of the others ends here. */
		if (how == RV_STOP_KILL && !exec->swept && !rv_loop_timer_active(&exec->sweep))
			sweep(worker);
		return;
	}
	if (how == RV_STOP_KILL) {
		exec->shot = true;
		signal_group(exec, SIGKILL);
		return;
	}
	signal_group(exec, turn->task->stop_signal);
	signal_group(exec, SIGCONT); /* a stopped process must be able to end */
}

static bool warn(struct rv_turn *turn)
{
	signal_group(&job, turn->task->soft_signal);
	return true;
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
	struct rv_exec *exec = &job;
	struct rv_result *result = &turn->result;

	if (!exec->exited && exec->proc.pidfd < 0 && all_closed(exec))
		return; /* it was never started: the result is there */
	rv_loop_proc_stop(&exec->watch);
	rv_loop_timer_stop(&exec->listen);
	rv_loop_timer_stop(&exec->grace);
	rv_loop_timer_stop(&exec->sweep);
	for (unsigned i = 0; i < RV_EXEC_PIPES; i++)
		close_pipe(exec, i);
	rv_fd_close(&exec->proc.pidfd);
	result->kind = RV_RESULT_EXIT;
	result->exit_code = exec->exit.code;
	result->signo = exec->exit.signo;
	if (ran_out_of_memory(exec)) {
		result->exit_code = RV_EXIT_OOM;
		result->signo = SIGKILL;
	}
	if (exec->exit.usage.ru_maxrss > 0) { /* else somebody has reaped it: nothing is known */
		result->user_us = time_us(&exec->exit.usage.ru_utime);
		result->sys_us = time_us(&exec->exit.usage.ru_stime);
		result->maxrss_bytes = (int64_t)exec->exit.usage.ru_maxrss * 1024;
	}
	exec->words[exec->nwords] = '\0';
	result->words = exec->words;
	last_line(exec, result->text, sizeof(result->text) - 64);
}

const struct rv_handler rv_handler_exec = {
	.name = "exec",
	.open = open_exec,
	.start = start,
	.ready = ready,
	.stop = stop,
	.warn = warn,
	.end = end,
};
