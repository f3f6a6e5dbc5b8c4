/*
 * The event loop, over libev.  Supervisor, worker, keeper.  Must never make libev's default loop:
 * that one waits for every child.  What starts here lives in its owner's structures; only the loop
 * itself is allocated, once.
 */
#include "loop/loop.h"

#include "base/check.h"
#include "base/err.h"
#include "os/fd.h"
#include "os/spawn.h"

#include <stdlib.h>

struct rv_loop {
	struct ev_loop *ev;
	ev_prepare end_of_turn;
	void (*hook)(void *ctx);
	void *hook_ctx;
};

/* libev runs prepare watchers when all callbacks of a turn are done, just before it sleeps. */
static void on_end_of_turn(struct ev_loop *ev, ev_prepare *watcher, int events)
{
	struct rv_loop *loop = rv_container_of(watcher, struct rv_loop, end_of_turn);

	(void)ev;
	(void)events;
	loop->hook(loop->hook_ctx);
}

int rv_loop_new(struct rv_loop **ret_loop)
{
	struct rv_loop *loop = calloc(1, sizeof *loop);

	if (!loop)
		return RV_E_NOMEM;
	loop->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (!loop->ev) {
		free(loop);
		return RV_E_BUSY;
	}
	ev_prepare_init(&loop->end_of_turn, on_end_of_turn);
	*ret_loop = loop;
	return RV_OK;
}

void rv_loop_free(struct rv_loop *loop)
{
	if (!loop)
		return;
	rv_loop_hook(loop, NULL, NULL);
	ev_loop_destroy(loop->ev);
	free(loop);
}

void rv_loop_run(struct rv_loop *loop)
{
	(void)ev_run(loop->ev, 0);
}

void rv_loop_turn(struct rv_loop *loop, bool wait)
{
	(void)ev_run(loop->ev, wait ? EVRUN_ONCE : EVRUN_NOWAIT);
}

void rv_loop_stop(struct rv_loop *loop)
{
	ev_break(loop->ev, EVBREAK_ALL);
}

void rv_loop_hook(struct rv_loop *loop, void (*hook)(void *ctx), void *ctx)
{
	if (ev_is_active(&loop->end_of_turn)) {
		ev_ref(loop->ev);
		ev_prepare_stop(loop->ev, &loop->end_of_turn);
	}
	loop->hook = hook;
	loop->hook_ctx = ctx;
	if (hook) {
		ev_prepare_start(loop->ev, &loop->end_of_turn);
		ev_unref(loop->ev); /* the hook alone is no reason to go on */
	}
}

static void on_io(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct rv_loop_io *io = rv_container_of(watcher, struct rv_loop_io, ev);

	(void)ev;
	io->fn(io, events & (RV_LOOP_READ | RV_LOOP_WRITE));
}

void rv_loop_io_start(struct rv_loop *loop, struct rv_loop_io *io, int fd, int events,
		      rv_loop_io_fn *fn, void *ctx)
{
	PRE(fd >= 0 && (events & ~(RV_LOOP_READ | RV_LOOP_WRITE)) == 0);
	*io = (struct rv_loop_io){.loop = loop, .fn = fn, .ctx = ctx};
	ev_io_init(&io->ev, on_io, fd, events);
	ev_io_start(loop->ev, &io->ev);
}

void rv_loop_io_want(struct rv_loop_io *io, int events)
{
	PRE(io->loop && (events & ~(RV_LOOP_READ | RV_LOOP_WRITE)) == 0);
	ev_io_stop(io->loop->ev, &io->ev);
	ev_io_set(&io->ev, io->ev.fd, events);
	ev_io_start(io->loop->ev, &io->ev);
}

void rv_loop_io_stop(struct rv_loop_io *io)
{
	if (io->loop)
		ev_io_stop(io->loop->ev, &io->ev);
	io->loop = NULL;
}

static void on_timer(struct ev_loop *ev, ev_timer *watcher, int events)
{
	struct rv_loop_timer *timer = rv_container_of(watcher, struct rv_loop_timer, ev);

	(void)ev;
	(void)events;
	timer->fn(timer);
}

void rv_loop_timer_start(struct rv_loop *loop, struct rv_loop_timer *timer, int64_t after_us,
			 rv_loop_timer_fn *fn, void *ctx)
{
	rv_loop_timer_stop(timer);
	*timer = (struct rv_loop_timer){.loop = loop, .fn = fn, .ctx = ctx};
	/* libev counts from the start of the turn, which a long callback leaves behind. */
	ev_now_update(loop->ev);
	ev_timer_init(&timer->ev, on_timer, after_us > 0 ? (double)after_us / 1e6 : 0., 0.);
	ev_timer_start(loop->ev, &timer->ev);
}

void rv_loop_timer_stop(struct rv_loop_timer *timer)
{
	if (timer->loop)
		ev_timer_stop(timer->loop->ev, &timer->ev);
	timer->loop = NULL;
}

bool rv_loop_timer_active(const struct rv_loop_timer *timer)
{
	/* ev_is_active() casts the const away, which clang is told not to allow. */
	return timer->loop && timer->ev.active;
}

/* One signal a turn: the descriptor stays readable, and the callback may stop the watcher. */
static void on_signal(struct rv_loop_io *io, int events)
{
	struct rv_loop_signals *signals = rv_container_of(io, struct rv_loop_signals, io);
	struct rv_sig sig;

	(void)events;
	if (rv_sig_read(signals->fd, &sig) == RV_OK)
		signals->fn(signals, &sig);
}

int rv_loop_signals_start(struct rv_loop *loop, struct rv_loop_signals *signals,
			  const int *signo_list, size_t count, rv_loop_signals_fn *fn, void *ctx)
{
	int fd = -1;
	int err = rv_sig_open(signo_list, count, &fd);

	if (err != RV_OK)
		return err;
	*signals = (struct rv_loop_signals){.fd = fd, .fn = fn, .ctx = ctx};
	rv_loop_io_start(loop, &signals->io, fd, RV_LOOP_READ, on_signal, NULL);
	return RV_OK;
}

void rv_loop_signals_stop(struct rv_loop_signals *signals)
{
	if (!signals->io.loop)
		return;
	rv_loop_io_stop(&signals->io);
	rv_fd_close(&signals->fd);
}

static void on_end(struct rv_loop_io *io, int events)
{
	struct rv_loop_proc *watch = rv_container_of(io, struct rv_loop_proc, io);

	(void)events;
	rv_loop_io_stop(io);
	watch->fn(watch);
}

void rv_loop_proc_start(struct rv_loop *loop, struct rv_loop_proc *watch, struct rv_proc *proc,
			rv_loop_proc_fn *fn, void *ctx)
{
	PRE(proc->pidfd >= 0);
	*watch = (struct rv_loop_proc){.proc = proc, .fn = fn, .ctx = ctx};
	rv_loop_io_start(loop, &watch->io, proc->pidfd, RV_LOOP_READ, on_end, NULL);
}

void rv_loop_proc_stop(struct rv_loop_proc *watch)
{
	rv_loop_io_stop(&watch->io);
}
