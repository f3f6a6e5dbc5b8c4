/*
 * The sweep.  Supervisor (after the death of a worker), worker (after each job).  Must never signal
 * a pid that is not an un-reaped child of ours, except through a pidfd, and must never wait for a
 * process: the bound is the caller's budget.  Children are taken from the list of our only thread.
 */
#include "os/sweep.h"

#include "base/check.h"
#include "base/err.h"
#include "base/seam.h"
#include "os/environ.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIST_SPACE 4096 /* a page is what the kernel gives at once: some 500 children */
#define KILLED_MAX 512
#define HELD_MAX   4096 /* so many dead ones are looked at again and again, at 0.5 us each */
#define HOLD_US    (300 * RV_MS_US) /* for one more to die: 60 that spin on 2 CPUs take 90 ms */

int rv_subreaper(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 ? RV_OK : rv_err_from_errno(errno);
}

/* What of ${list} can be told: a number that its end may have cut stays for the next part. */
static size_t each_in(char *list, bool (*fn)(void *ctx, pid_t pid), void *ctx, bool *go_on)
{
	char *at = list;

	while (*go_on) {
		char *end;
		long pid = strtol(at, &end, 10);

		if (end == at || *end == '\0')
			break;
		*go_on = fn(ctx, (pid_t)pid);
		at = end;
	}
	return (size_t)(at - list);
}

/*
 * Calls ${fn} for each of our children, false of it ends the look.  Those that come to us while we
 * read are at the end of the list; if meanwhile some are reaped, others may be left out.
 */
static int each_child(bool (*fn)(void *ctx, pid_t pid), void *ctx)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	char path[64];
	char list[LIST_SPACE + 1];
	size_t size = 0;
	bool go_on = true;

	(void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)gettid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return rv_err_from_errno(errno);
	while (go_on) {
		size_t got = 0;
		size_t done;

		if (rv_fd_read_all(fd, list + size, LIST_SPACE - size, &got) != RV_OK)
			return RV_E_IO;
		if (got == 0)
			break;
		size += got;
		list[size] = '\0';
		done = each_in(list, fn, ctx, &go_on);
		memmove(list, list + done, size - done);
		size -= done;
	}
	return RV_OK;
}

/*
 * Whom we have killed and not yet reaped, so that a later turn does not count them again.  There is
 * one list of children per process, so one of these as well.
 */
static struct {
	pid_t pids[KILLED_MAX];
	size_t count;
} killed;

/* The dead that are not reaped yet, and since when there are no more of them. */
static struct {
	int count;
	int64_t since_us;
} held;

/* One turn's memory. */
struct turn {
	const struct rv_sweep *sweep;
	struct rv_sweep_left *left;
	int64_t end_us;
	int reaped; /* in this pass */
	int dead;   /* seen in this pass */
	int alive;  /* as well */
	int fresh;  /* of these, those killed for the first time */
	pid_t last; /* one of them */
};

static bool note_killed(struct turn *turn, pid_t pid)
{
	for (size_t i = 0; i < killed.count; i++) {
		if (killed.pids[i] == pid)
			return false;
	}
	if (killed.count < KILLED_MAX)
		killed.pids[killed.count++] = pid;
	turn->left->killed++;
	turn->fresh++;
	return true;
}

static void note_reaped(struct turn *turn, pid_t pid)
{
	for (size_t i = 0; i < killed.count; i++) {
		if (killed.pids[i] == pid)
			killed.pids[i] = killed.pids[--killed.count];
	}
	turn->reaped++;
}

static bool is_kept(const struct rv_sweep *sweep, pid_t pid)
{
	return sweep->keep && sweep->keep(sweep->ctx, pid);
}

static bool kill_one(void *ctx, pid_t pid)
{
	struct turn *turn = ctx;
	siginfo_t info = {0};

	if (is_kept(turn->sweep, pid))
		return true;
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
		return true; /* gone: not a child any more */
	if (info.si_pid == pid) {
		turn->dead++;
		return true;
	}
	turn->alive++;
	turn->last = pid;
	/* A child of ours, just now seen alive and reaped by nobody else: the pid is its. */
	if (kill(pid, SIGKILL) == 0 && note_killed(turn, pid))
		return rv_mono_us() < turn->end_us;
	return true;
}

static bool reap_one(void *ctx, pid_t pid)
{
	struct turn *turn = ctx;
	siginfo_t info = {0};

	if (!is_kept(turn->sweep, pid) && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0 &&
	    info.si_pid == pid)
		note_reaped(turn, pid);
	return true;
}

/*
 * The dead count against the limits of their user and their cgroup until they are reaped: while
 * any of them lives, they are held, so that a fork bomb has nothing to fork with and each that we
 * kill makes it smaller for good.  Those that are killed and yet do not die do not hold the others
 * for ever, nor do more of them than any limit would allow.
 */
static bool may_reap(const struct turn *turn)
{
	int64_t now = rv_mono_us();

#ifdef RV_MUTANT_DEAD_NOT_HELD
	return turn->dead > 0;
#endif
	if (turn->dead > held.count || turn->fresh > 0) {
		held.count = turn->dead;
		held.since_us = now;
	}
	if (turn->alive > 0 && turn->dead < HELD_MAX && now - held.since_us < HOLD_US)
		return false;
	held.count = 0;
	return turn->dead > 0;
}

/* Nothing to reap just now: until one of them ends, or the budget does. */
static void wait_for_one(pid_t pid, int64_t end_us)
{
	RV_AUTO(rv_fd_close) int pidfd = pidfd_open(pid, 0);
	int64_t left = end_us - rv_mono_us();

	if (pidfd >= 0 && left > 0 && rv_fd_wait(pidfd, POLLIN, left) != RV_OK)
		return; /* the budget is spent */
}

int rv_sweep_turn(const struct rv_sweep *sweep, int64_t budget_us, struct rv_sweep_left *ret_left)
{
	struct rv_sweep_left left = {0};
	int64_t end_us = rv_mono_us() + budget_us;

	for (;;) {
		struct turn turn = {.sweep = sweep, .left = &left, .end_us = end_us};
		int err = each_child(kill_one, &turn);

		if (err == RV_OK && may_reap(&turn))
			err = each_child(reap_one, &turn);
		if (err != RV_OK)
			return err;
		/* What was reaped may have left children of its own to us: look again. */
		left.orphans = turn.alive + turn.dead;
		if (left.orphans == 0 || rv_mono_us() >= end_us)
			break;
		if (turn.reaped == 0)
			wait_for_one(turn.last, end_us);
	}
	*ret_left = left;
	return RV_OK;
}

struct bearing {
	const struct rv_sweep *sweep;
	const char *name;
	const char *value;
	bool found;
};

static bool look_for_bearer(void *ctx, pid_t pid)
{
	struct bearing *bearing = ctx;

	if (is_kept(bearing->sweep, pid))
		return true;
	if (rv_environ_has(pid, bearing->name, bearing->value, true))
		bearing->found = true;
	return !bearing->found;
}

bool rv_sweep_bears(const struct rv_sweep *sweep, const char *name, const char *value)
{
	struct bearing bearing = {.sweep = sweep, .name = name, .value = value};

	/* A list that cannot be read: rather assume the worst. */
	return each_child(look_for_bearer, &bearing) != RV_OK || bearing.found;
}
