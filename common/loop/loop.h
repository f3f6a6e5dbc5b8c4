#ifndef RV_LOOP_LOOP_H
#define RV_LOOP_LOOP_H

/*
 * The event loop of supervisor, worker and keeper: libev by ev_loop_new, never ev_default_loop (it
 * waits for every child and stole 164 of 200 exit statuses).  Watchers live in their owner's
 * structures: after rv_loop_new nothing of ours allocates.  A callback may stop and start any
 * watcher, itself included, and free the owner of its own watcher once that is stopped.
 */

#include "base/attr.h"
#include "os/sig.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rv_loop;
struct rv_proc;

int rv_loop_new(struct rv_loop **ret_loop) RV_MUST_CHECK;
/* NULL is allowed.  All watchers must be stopped before. */
void rv_loop_free(struct rv_loop *loop);
/* Until rv_loop_stop; with nothing to watch it returns at once. */
void rv_loop_run(struct rv_loop *loop);
/* One turn: waits for an event (or not, ${wait} false) and runs its callbacks.  Tests. */
void rv_loop_turn(struct rv_loop *loop, bool wait);
void rv_loop_stop(struct rv_loop *loop);

/*
 * ${hook} runs after the callbacks of each turn, before the loop sleeps again (and before its first
 * sleep): the place to act on what the whole turn has brought.  It may start watchers.  One per
 * loop; NULL takes it away.
 */
void rv_loop_hook(struct rv_loop *loop, void (*hook)(void *ctx), void *ctx);

/* A descriptor.  ${events}: RV_LOOP_READ | RV_LOOP_WRITE; errors and hang-ups come as both asked
 * for. */
#define RV_LOOP_READ  EV_READ
#define RV_LOOP_WRITE EV_WRITE

struct rv_loop_io {
	ev_io ev;
	struct rv_loop *loop;
	void (*fn)(struct rv_loop_io *io, int events);
	void *ctx;
};

typedef void rv_loop_io_fn(struct rv_loop_io *io, int events);

/* ${fd} stays the caller's; stop the watcher before closing it. */
void rv_loop_io_start(struct rv_loop *loop, struct rv_loop_io *io, int fd, int events,
		      rv_loop_io_fn *fn, void *ctx);
/* Other events from now on (0: none, but still started). */
void rv_loop_io_want(struct rv_loop_io *io, int events);
/* A zeroed or stopped watcher is allowed: nothing happens. */
void rv_loop_io_stop(struct rv_loop_io *io);

/* One shot, ${after_us} from now by the monotonic clock (≤ 0: next turn). */
struct rv_loop_timer {
	ev_timer ev;
	struct rv_loop *loop;
	void (*fn)(struct rv_loop_timer *timer);
	void *ctx;
};

typedef void rv_loop_timer_fn(struct rv_loop_timer *timer);

/* Starting a running timer sets it anew. */
void rv_loop_timer_start(struct rv_loop *loop, struct rv_loop_timer *timer, int64_t after_us,
			 rv_loop_timer_fn *fn, void *ctx);
void rv_loop_timer_stop(struct rv_loop_timer *timer);
bool rv_loop_timer_active(const struct rv_loop_timer *timer);

/* Signals through a signalfd: ${fn} runs once for each that has arrived. */
struct rv_loop_signals {
	struct rv_loop_io io;
	int fd;
	void (*fn)(struct rv_loop_signals *signals, const struct rv_sig *sig);
	void *ctx;
};

typedef void rv_loop_signals_fn(struct rv_loop_signals *signals, const struct rv_sig *sig);

/* Blocks ${signo_list}; they stay blocked after the stop.  RV_E_BUSY: out of descriptors. */
int rv_loop_signals_start(struct rv_loop *loop, struct rv_loop_signals *signals,
			  const int *signo_list, size_t count, rv_loop_signals_fn *fn,
			  void *ctx) RV_MUST_CHECK;
void rv_loop_signals_stop(struct rv_loop_signals *signals);

/*
 * The end of a process: ${fn} runs once, when ${proc}'s pidfd says it has ended; the watcher is
 * stopped by then, and ${fn} is to rv_proc_reap() it.  ${proc} is borrowed.
 */
struct rv_loop_proc {
	struct rv_loop_io io;
	struct rv_proc *proc;
	void (*fn)(struct rv_loop_proc *watch);
	void *ctx;
};

typedef void rv_loop_proc_fn(struct rv_loop_proc *watch);

void rv_loop_proc_start(struct rv_loop *loop, struct rv_loop_proc *watch, struct rv_proc *proc,
			rv_loop_proc_fn *fn, void *ctx);
void rv_loop_proc_stop(struct rv_loop_proc *watch);

#endif
