/*
 * A process of a pipe task: how it is started, and its descriptors.  Worker processes.  It gets
 * descriptors 0 to 3 and no other.  Must never wait for it: what it does not read stays with us,
 * what it prints is read as it comes.
 * (Wider than it should be: it is where a process, its lines and the worker meet.)
 */
#include "run/pipe.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/fault.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "obs/output.h"
#include "os/fd.h"
#include "run/exec_spec.h"
#include "run/pipe_keep.h"
#include "run/pipe_line.h"
#include "run/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define READS      RV_LIMIT(16, 1) /* of a pipe in one go, each up to RV_OUTPUT_CHUNK */
#define KEEP_SPACE (1U << 20)      /* a larger buffer is given back once it is empty */

static const int streams[RV_PIPE_OUTS] = {RV_OUTPUT_STDOUT, RV_OUTPUT_STDERR, 0};
static struct rv_pipe_proc *procs;

struct rv_pipe_proc *rv_pipe_first(void)
{
	return procs;
}

bool rv_pipe_keeps(void *ctx, pid_t pid)
{
	(void)ctx;
	for (const struct rv_pipe_proc *p = procs; p; p = p->other) {
		if (p->proc.pid == pid)
			return true;
	}
	return false;
}

/* ---- its descriptors */

static void close_out(struct rv_pipe_proc *p, unsigned i)
{
	rv_loop_io_stop(&p->outs[i]);
	rv_fd_close(&p->fds[i]);
}

void rv_pipe_close_in(struct rv_pipe_proc *p)
{
	int left = 0;

	if (p->in_fd >= 0 && ioctl(p->in_fd, FIONREAD, &left) == 0 && left >= 0)
		p->unread = (uint64_t)left + (p->lines.size - p->written);
	rv_loop_io_stop(&p->in);
	rv_fd_close(&p->in_fd);
}

static void drain_output(struct rv_pipe_proc *p, unsigned i)
{
	static char buffer[RV_OUTPUT_CHUNK];

	for (int reads = 0; p->fds[i] >= 0 && reads < READS; reads++) {
		ssize_t n = read(p->fds[i], buffer, sizeof(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			close_out(p, i);
			return;
		}
		if (streams[i] == RV_OUTPUT_STDERR)
			rv_tail_add(&p->tail, buffer, (size_t)n);
		rv_pipe_printed(p, streams[i], buffer, (size_t)n);
		if ((size_t)n < sizeof(buffer))
			return; /* a pipe has no more: what comes now comes later */
	}
}

void rv_pipe_drain(struct rv_pipe_proc *p)
{
	for (unsigned i = 0; i < RV_PIPE_ANSWERS; i++)
		drain_output(p, i);
}

/* RV_OK: more may be there; BUSY: not now; CLOSED. */
static int read_answers(struct rv_pipe_proc *p)
{
	size_t before;
	int err;

	if (p->taken == p->heard.size) {
		rv_buf_reset(&p->heard);
		p->taken = 0;
	} else if (p->heard.size - p->taken > RV_PIPE_LINE_MAX + RV_OUTPUT_CHUNK) {
		return RV_E_BUSY; /* enough until those were looked at */
	}
	before = p->heard.size;
	err = rv_fd_read_some(p->fds[RV_PIPE_ANSWERS], RV_OUTPUT_CHUNK, &p->heard);
	if (p->heard.size > before && rv_pipe_has_job(p))
		rv_pipe_use_heard(&p->use, p->heard.data + before, p->heard.size - before);
	return err;
}

/* What it printed before an answer is there when the answer is: answers are read first. */
static void on_answers(struct rv_loop_io *io, int events)
{
	struct rv_pipe_proc *p = io->ctx;
	int err = read_answers(p);

	(void)events;
	if (err == RV_E_BUSY)
		return;
	if (err != RV_OK)
		close_out(p, RV_PIPE_ANSWERS);
	rv_pipe_drain(p);
	rv_pipe_heard(p, err);
}

void rv_pipe_drain_all(struct rv_pipe_proc *p)
{
	for (int reads = 0; p->fds[RV_PIPE_ANSWERS] >= 0 && reads < READS; reads++) {
		int err = read_answers(p);

		if (err == RV_E_BUSY)
			break;
		if (err != RV_OK)
			close_out(p, RV_PIPE_ANSWERS);
	}
	rv_pipe_drain(p);
}

static void on_output(struct rv_loop_io *io, int events)
{
	struct rv_pipe_proc *p = io->ctx;

	(void)events;
	drain_output(p, (unsigned)(io - p->outs));
}

static void on_deaf(struct rv_loop_timer *timer)
{
	rv_pipe_kill(timer->ctx, "it closed its stdin");
}

static void on_writable(struct rv_loop_io *io, int events)
{
	(void)events;
	rv_pipe_write(io->ctx);
}

void rv_pipe_write(struct rv_pipe_proc *p)
{
	while (p->in_fd >= 0 && p->written < p->lines.size) {
		ssize_t n = write(p->in_fd, p->lines.data + p->written, p->lines.size - p->written);

		if (n > 0) {
			p->written += (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			rv_loop_io_stop(&p->in);
			rv_loop_io_start(p->worker->loop, &p->in, p->in_fd, RV_LOOP_WRITE,
					 on_writable, p);
			return;
		} else if (n == 0 || errno != EINTR) {
			rv_pipe_close_in(p);
			/* Mostly it has ended, and what it has answered counts. */
			if (p->state == RV_PIPE_READY)
				rv_loop_timer_start(p->worker->loop, &p->timer, RV_PIPE_CLOSED_US,
						    on_deaf, p);
		}
	}
	if (p->lines.space > KEEP_SPACE)
		rv_buf_fini(&p->lines);
	rv_buf_reset(&p->lines);
	p->written = 0;
	rv_loop_io_stop(&p->in);
}

/* ---- its start */

/* Ours into ${p}, its own into ${ends}: stdin, stdout, stderr, answers. */
static int make_pipes(struct rv_pipe_proc *p, int ends[RV_PIPE_OUTS + 1], struct rv_why *why)
{
	for (unsigned i = 0; i <= RV_PIPE_OUTS; i++) {
		int *ours = i == 0 ? &p->in_fd : &p->fds[i - 1];
		int fds[2];
		int err = rv_fd_pipe(fds, false);

		if (err == RV_OK) {
			*ours = fds[i == 0 ? 1 : 0];
			ends[i] = fds[i == 0 ? 0 : 1];
			err = rv_fd_nonblock(*ours, true);
		}
		if (err != RV_OK)
			return rv_fail(why, RV_E_BUSY, "no pipes for the handler: %s",
				       rv_err_text(err));
	}
	return RV_OK;
}

static int spawn(struct rv_pipe_proc *p, const struct rv_exec_spec *spec,
		 const int ends[RV_PIPE_OUTS + 1], struct rv_why *why)
{
	struct rv_spawn how;
	int err = RV_FAULT(spawn);

	if (err != RV_OK)
		return rv_fail(why, err, "fault point spawn");
	rv_exec_spec_spawn(spec, p->task, &how);
	rv_leaf_spawn(&p->leaf, &how);
	for (int i = 0; i <= RV_PIPE_OUTS; i++)
		how.fds[i] = (struct rv_spawn_fd){.from = ends[i], .to = i};
	how.nfds = RV_PIPE_OUTS + 1;
	return rv_seam()->spawn(rv_seam()->ctx, &how, &p->proc, why);
}

static int launch(struct rv_pipe_proc *p, struct rv_why *why)
{
	struct rv_exec_input input = {
		.task = p->task,
		.instance_name = p->worker->conf->reeve.instance,
		.mark = p->worker->mark,
		.store = p->worker->conf->store.path,
		.state_dir = p->worker->conf->reeve.state_dir,
		.adhoc_allowed = p->worker->conf->reeve.adhoc,
		.bin = p->worker->bin,
		.environment = environ,
	};
	struct rv_exec_spec spec = {0};
	int ends[RV_PIPE_OUTS + 1] = {-1, -1, -1, -1};
	struct rv_arena arena;
	int err = RV_OK;

	rv_arena_init(&arena);
	if (p->task->private_tmp) {
		err = rv_tmp_make(p->worker, &p->tmp, why);
		input.tmp = p->tmp.path;
	}
	if (err == RV_OK)
		err = rv_exec_spec_build(&input, &arena, &spec, why);
	if (err == RV_OK && spec.switch_user && p->tmp.fd >= 0)
		err = rv_tmp_give(&p->tmp, spec.uid, spec.gid, why);
	if (err == RV_OK)
		err = make_pipes(p, ends, why);
	if (err == RV_OK)
		err = rv_leaf_make(p->task, &p->leaf, why);
	if (err == RV_OK)
		err = spawn(p, &spec, ends, why);
	rv_exec_spec_fini(&spec);
	for (unsigned i = 0; i <= RV_PIPE_OUTS; i++)
		rv_fd_close(&ends[i]);
	rv_arena_reset(&arena);
	return err;
}

static void on_not_ready(struct rv_loop_timer *timer)
{
	struct rv_pipe_proc *p = timer->ctx;

	rv_pipe_kill(p, "it was not ready in time");
}

/* Up to a tenth less, so that the handlers of a pool do not all go at once. */
static int64_t jittered(int64_t value)
{
	return value < 10 ? value : value - (int64_t)rv_random_below((uint64_t)value / 10);
}

static void watch(struct rv_pipe_proc *p)
{
	struct rv_loop *loop = p->worker->loop;

	rv_loop_proc_start(loop, &p->watch, &p->proc, rv_pipe_on_exit, p);
	rv_loop_timer_start(loop, &p->timer, p->task->ready_timeout_us, on_not_ready, p);
	for (unsigned i = 0; i < RV_PIPE_OUTS; i++)
		rv_loop_io_start(loop, &p->outs[i], p->fds[i], RV_LOOP_READ,
				 i == RV_PIPE_ANSWERS ? on_answers : on_output, p);
}

int rv_pipe_start(struct rv_worker *worker, const struct rv_conf_task *task,
		  struct rv_pipe_proc **ret_proc, struct rv_why *why)
{
	struct rv_pipe_proc *p = calloc(1, sizeof(*p));
	int err;

	PRE(task &&
	    (task->handler == RV_CONF_HANDLER_PIPE || task->handler == RV_CONF_HANDLER_MODULE));
	if (!p)
		return rv_fail(why, RV_E_NOMEM, "no memory for a handler");
	p->worker = worker;
	p->task = task;
	p->state = RV_PIPE_BOOTING;
	p->proc.pidfd = -1;
	p->tmp.fd = -1;
	p->in_fd = -1;
	for (unsigned i = 0; i < RV_PIPE_OUTS; i++)
		p->fds[i] = -1;
	p->ahead = 1;
	p->jobs_max = (unsigned)jittered(task->recycle_jobs);
	p->age_max_us = jittered(task->recycle_age_us);
	p->born_us = rv_mono_us();
	p->looked_us = p->born_us;
	p->other = procs;
	procs = p;
	err = launch(p, why);
	if (err != RV_OK) {
		p->proc.pid = 0;
		rv_pipe_free(p);
		return err;
	}
	p->pid = p->proc.pid;
	rv_pipe_use_init(&p->use, p->pid);
	watch(p);
	rv_log_with(RV_LOG_DEBUG, RV_EV_handler_started,
		    RV_FIELDS(RV_STR("task", task->name), RV_INT("pid", p->pid)),
		    "a handler of %s was started", task->name);
	*ret_proc = p;
	return RV_OK;
}

void rv_pipe_free(struct rv_pipe_proc *p)
{
	struct rv_pipe_proc **at = &procs;

	PRE(p->proc.pid == 0);
	while (*at != p)
		at = &(*at)->other;
	*at = p->other;
	rv_loop_proc_stop(&p->watch);
	rv_loop_timer_stop(&p->timer);
	rv_loop_timer_stop(&p->due);
	rv_pipe_close_in(p);
	for (unsigned i = 0; i < RV_PIPE_OUTS; i++)
		close_out(p, i);
	rv_fd_close(&p->proc.pidfd);
	rv_buf_fini(&p->lines);
	rv_buf_fini(&p->heard);
	rv_leaf_remove(&p->leaf);
	if (!rv_tmp_remove(&p->tmp, RV_S_US)) /* mostly gone before; the rest at the next start */
		rv_fd_close(&p->tmp.fd);
	free(p);
}
