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
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIST_SPACE 4096 /* a page is what the kernel gives at once: some 500 children */
#define KILLED_MAX 512

int rv_subreaper(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 ? RV_OK : rv_err_from_errno(errno);
}

/* Calls ${fn} for some of our children: all that fit; false of it ends the look. */
static int each_child(bool (*fn)(void *ctx, pid_t pid), void *ctx)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	char path[64];
	char list[LIST_SPACE + 1];
	size_t got = 0;
	char *at = list;

	(void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)gettid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return rv_err_from_errno(errno);
	if (rv_fd_read_all(fd, list, LIST_SPACE, &got) != RV_OK)
		return RV_E_IO;
	list[got] = '\0';
	for (;;) {
		char *end;
		long pid = strtol(at, &end, 10);

		/* A number that the end of the buffer may have cut is not taken. */
		if (end == at || (size_t)(end - list) >= LIST_SPACE)
			return RV_OK;
		if (!fn(ctx, (pid_t)pid))
			return RV_OK;
		at = end;
	}
}

/*
 * Whom we have killed and not yet reaped, so that a later turn does not count them again.  There is
 * one list of children per process, so one of these as well.
 */
static struct {
	pid_t pids[KILLED_MAX];
	size_t count;
} killed;

/* One turn's memory. */
struct turn {
	const struct rv_sweep *sweep;
	struct rv_sweep_left *left;
	int64_t end_us;
	int reaped;  /* in this pass */
	int orphans; /* seen alive in this pass */
	pid_t last;  /* one of them */
};

static void note_killed(struct turn *turn, pid_t pid)
{
	for (size_t i = 0; i < killed.count; i++) {
		if (killed.pids[i] == pid)
			return;
	}
	if (killed.count < KILLED_MAX)
		killed.pids[killed.count++] = pid;
	turn->left->killed++;
}

static void note_reaped(struct turn *turn, pid_t pid)
{
	for (size_t i = 0; i < killed.count; i++) {
		if (killed.pids[i] == pid)
			killed.pids[i] = killed.pids[--killed.count];
	}
	turn->reaped++;
}

static bool sweep_one(void *ctx, pid_t pid)
{
	struct turn *turn = ctx;
	siginfo_t info = {0};

	if (turn->sweep->keep && turn->sweep->keep(turn->sweep->ctx, pid))
		return true;
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) != 0)
		return true; /* gone: not a child any more */
	if (info.si_pid == pid) {
		note_reaped(turn, pid);
	} else {
		/* A child of ours, just now seen alive and reaped by nobody else: the pid is its.
		 */
		if (kill(pid, SIGKILL) == 0)
			note_killed(turn, pid);
		turn->orphans++;
		turn->last = pid;
	}
	return rv_mono_us() < turn->end_us;
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
	struct turn turn = {.sweep = sweep, .left = &left, .end_us = rv_mono_us() + budget_us};

	for (;;) {
		int err;

		turn.reaped = 0;
		turn.orphans = 0;
		err = each_child(sweep_one, &turn);
		if (err != RV_OK)
			return err;
		/* What was reaped may have left children of its own to us: look again. */
		left.orphans = turn.orphans + turn.reaped;
		if (left.orphans == 0 || rv_mono_us() >= turn.end_us)
			break;
		if (turn.reaped == 0)
			wait_for_one(turn.last, turn.end_us);
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

	if (bearing->sweep->keep && bearing->sweep->keep(bearing->sweep->ctx, pid))
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
