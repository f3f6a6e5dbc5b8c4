/* The loop: descriptors, timers, signals, the ends of processes, the end of a turn. */
#include "base/check.h"
#include "base/err.h"
#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/child.h"
#include "helpers/limit.h"
#include "loop/loop.h"
#include "os/fd.h"
#include "os/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rv_loop *new_loop(void)
{
	struct rv_loop *loop = NULL;

	cr_assert(eq(int, rv_loop_new(&loop), RV_OK));
	return loop;
}

static void stop_it(struct rv_loop_timer *timer)
{
	(*(int *)timer->ctx)++;
	rv_loop_stop(timer->loop);
}

Test(loop, with_nothing_to_watch_it_returns)
{
	struct rv_loop *loop = new_loop();

	rv_loop_run(loop);
	rv_loop_free(loop);
	rv_loop_free(NULL);
}

Test(loop, a_timer_fires_once_and_not_early)
{
	struct rv_loop *loop = new_loop();
	struct rv_loop_timer timer = {0};
	int64_t before = rv_mono_us();
	int fired = 0;

	cr_assert(not(rv_loop_timer_active(&timer)));
	rv_loop_timer_stop(&timer);
	rv_loop_timer_start(loop, &timer, 20000, stop_it, &fired);
	cr_assert(rv_loop_timer_active(&timer));
	rv_loop_run(loop);
	cr_assert(eq(int, fired, 1));
	cr_assert(le(i64, 19000, rv_mono_us() - before));
	cr_assert(not(rv_loop_timer_active(&timer)));
	rv_loop_timer_start(loop, &timer, -5, stop_it, &fired);
	rv_loop_timer_start(loop, &timer, 0, stop_it, &fired);
	rv_loop_run(loop);
	cr_assert(eq(int, fired, 2), "started twice, set anew, fired once");
	rv_loop_timer_start(loop, &timer, 0, stop_it, &fired);
	rv_loop_timer_stop(&timer);
	rv_loop_run(loop);
	cr_assert(eq(int, fired, 2));
	rv_loop_free(loop);
}

struct reader {
	struct rv_loop_io io;
	char text[64];
	size_t size;
	int writable;
};

static void on_ready(struct rv_loop_io *io, int events)
{
	struct reader *reader = io->ctx;
	ssize_t n;

	if (events & RV_LOOP_WRITE) {
		reader->writable++;
		rv_loop_io_want(io, RV_LOOP_READ);
		return;
	}
	n = read(io->ev.fd, reader->text + reader->size, sizeof reader->text - reader->size);
	if (n > 0)
		reader->size += (size_t)n;
	else
		rv_loop_io_stop(io);
}

Test(loop, a_descriptor_is_read_and_written)
{
	struct rv_loop *loop = new_loop();
	struct reader reader = {0};
	int fds[2];

	rv_loop_io_stop(&reader.io);
	cr_assert(eq(int, rv_fd_seqpair(fds), RV_OK));
	rv_loop_io_start(loop, &reader.io, fds[0], RV_LOOP_WRITE, on_ready, &reader);
	rv_loop_turn(loop, true);
	cr_assert(eq(int, reader.writable, 1));
	rv_loop_turn(loop, false);
	cr_assert(eq(sz, reader.size, 0));
	cr_assert(eq(int, rv_fd_write_all(fds[1], "hello", 5), RV_OK));
	rv_loop_turn(loop, true);
	cr_assert(eq(sz, reader.size, 5));
	rv_loop_io_want(&reader.io, 0);
	cr_assert(eq(int, rv_fd_write_all(fds[1], " again", 6), RV_OK));
	rv_loop_turn(loop, false);
	cr_assert(eq(sz, reader.size, 5), "nothing is wanted");
	rv_loop_io_want(&reader.io, RV_LOOP_READ);
	rv_loop_turn(loop, true);
	cr_assert(eq(sz, reader.size, 11));
	(void)close(fds[1]);
	rv_loop_run(loop);
	cr_assert(eq(ptr, reader.io.loop, NULL), "it stopped itself at EOF");
	(void)close(fds[0]);
	rv_loop_free(loop);
}

struct caught {
	int count;
	int last;
};

static void on_sig(struct rv_loop_signals *signals, const struct rv_sig *sig)
{
	struct caught *caught = signals->ctx;

	caught->count++;
	caught->last = sig->signo;
	if (sig->signo == SIGTERM)
		rv_loop_stop(signals->io.loop);
}

Test(loop, signals_come_as_callbacks)
{
	const int list[] = {SIGTERM, SIGHUP, SIGUSR1};
	struct rv_loop *loop = new_loop();
	struct rv_loop_signals signals = {0};
	struct caught caught = {0};
	int before = rv_test_count_fds();

	rv_loop_signals_stop(&signals);
	cr_assert(eq(int, rv_loop_signals_start(loop, &signals, list, 3, on_sig, &caught), RV_OK));
	for (int i = 0; i < 100; i++)
		(void)kill(getpid(), SIGHUP); /* they merge */
	(void)kill(getpid(), SIGTERM);
	rv_loop_run(loop);
	cr_assert(eq(int, caught.count, 2));
	cr_assert(eq(int, caught.last, SIGTERM));
	rv_loop_signals_stop(&signals);
	rv_loop_signals_stop(&signals);
	(void)kill(getpid(), SIGUSR1); /* still blocked: it does not kill us */
	rv_loop_turn(loop, false);
	rv_loop_free(loop);
	cr_assert(le(int, rv_test_count_fds(), before));
}

#define CHILDREN 200

struct family {
	struct rv_loop *loop;
	struct rv_proc procs[CHILDREN];
	struct rv_loop_proc watches[CHILDREN];
	int ended;
	int wrong;
};

static void on_end(struct rv_loop_proc *watch)
{
	struct family *family = watch->ctx;
	struct rv_exit how = {.code = -2};
	int index = (int)(watch->proc - family->procs);

	if (rv_proc_reap(watch->proc, &how) != RV_OK || how.code != index % 100)
		family->wrong++;
	if (++family->ended == CHILDREN)
		rv_loop_stop(family->loop);
}

/* The reason for ev_loop_new: the default loop stole 164 of these 200 (reliability §0.7). */
Test(loop, f12_two_hundred_exits_at_once_and_none_is_stolen)
{
	static struct family family;
	int before = rv_test_count_fds();
	int gate[2];

	cr_assert(eq(int, rv_fd_pipe(gate, false), RV_OK));
	family.loop = new_loop();
	for (int i = 0; i < CHILDREN; i++) {
		char code[16];
		struct rv_spawn how = {.argv = RV_WORDS("sh", "-c", "read x; exit $0", code)};
		struct rv_why why = {{0}};

		(void)snprintf(code, sizeof code, "%d", i % 100);
		how.fds[how.nfds++] = (struct rv_spawn_fd){.from = gate[0], .to = 0};
		cr_assert(eq(int, rv_spawn(&how, &family.procs[i], &why), RV_OK), "%s", why.text);
		rv_loop_proc_start(family.loop, &family.watches[i], &family.procs[i], on_end,
				   &family);
	}
	rv_fd_close(&gate[0]);
	rv_fd_close(&gate[1]);
	rv_loop_run(family.loop);
	cr_assert(eq(int, family.ended, CHILDREN));
	cr_assert(eq(int, family.wrong, 0));
	cr_assert(eq(int, waitpid(-1, NULL, WNOHANG), -1), "no zombie");
	rv_loop_proc_stop(&family.watches[0]);
	rv_loop_free(family.loop);
	cr_assert(le(int, rv_test_count_fds(), before));
}

struct turns {
	struct rv_loop *loop;
	struct rv_loop_timer timer;
	int hooks;
	int timers;
};

static void on_turn_timer(struct rv_loop_timer *timer)
{
	struct turns *turns = timer->ctx;

	turns->timers++;
}

/* Acts on what the turn brought: the next timer, three of them. */
static void on_turn(void *ctx)
{
	struct turns *turns = ctx;

	turns->hooks++;
	if (!rv_loop_timer_active(&turns->timer) && turns->timers < 3)
		rv_loop_timer_start(turns->loop, &turns->timer, 1000, on_turn_timer, turns);
}

Test(loop, the_hook_runs_at_the_end_of_each_turn)
{
	struct turns turns = {.loop = new_loop()};

	rv_loop_hook(turns.loop, on_turn, &turns);
	while (turns.timers < 3)
		rv_loop_turn(turns.loop, true);
	cr_assert(le(int, 3, turns.hooks));
	rv_loop_hook(turns.loop, NULL, NULL);
	int before = turns.hooks;
	rv_loop_turn(turns.loop, false);
	cr_assert(eq(int, turns.hooks, before));
	rv_loop_hook(turns.loop, on_turn, &turns);
	rv_loop_run(turns.loop); /* the hook alone is no reason to stay */
	rv_loop_free(turns.loop);
}

struct owner {
	struct rv_loop_timer timer;
	int *freed;
};

static void free_owner(struct rv_loop_timer *timer)
{
	struct owner *owner = timer->ctx;

	rv_loop_timer_stop(timer);
	(*owner->freed)++;
	free(owner);
}

Test(loop, a_callback_may_free_its_own_watcher)
{
	struct rv_loop *loop = new_loop();
	int freed = 0;

	for (int i = 0; i < 3; i++) {
		struct owner *owner = calloc(1, sizeof *owner);

		cr_assert(ne(ptr, owner, NULL));
		owner->freed = &freed;
		rv_loop_timer_start(loop, &owner->timer, 1000, free_owner, owner);
	}
	rv_loop_run(loop);
	cr_assert(eq(int, freed, 3));
	rv_loop_free(loop);
}

Test(loop, f16_without_descriptors_it_is_busy)
{
	struct rv_test_limit limit;
	struct rv_loop_signals signals = {0};
	struct rv_loop *loop = new_loop();
	struct rv_loop *other = NULL;
	const int list[] = {SIGUSR1};

	limit = rv_test_limit(RLIMIT_NOFILE, 30);
	while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
		continue;
	cr_assert(eq(int, rv_loop_new(&other), RV_E_BUSY));
	cr_assert(eq(ptr, other, NULL));
	cr_assert(eq(int, rv_loop_signals_start(loop, &signals, list, 1, on_sig, NULL), RV_E_BUSY));
	rv_loop_free(loop);
	rv_test_limit_end(&limit);
}
