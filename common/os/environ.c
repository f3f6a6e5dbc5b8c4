/*
 * Marks in environments: what a killed predecessor left behind is found by them.  Supervisor and
 * worker.  Signals only through a pidfd that was opened before the mark was read: if the process
 * has ended in between, and its number is another's by now, the pidfd says so.
 */
#include "os/environ.h"

#include "base/attr.h"
#include "base/check.h"
#include "base/err.h"
#include "os/fd.h"
#include "os/self.h"
#include "os/sweep.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define SETTLE_TRIES 20 /* milliseconds: a stopped process may stay in the middle of its exec */

/*
 * The look for one NAME=VALUE in a stream of NUL-ended texts.  at: how many bytes of the wanted
 * text have matched in this entry; -1: this entry is not it.
 */
struct match {
	const char *wanted;
	size_t length;
	bool whole;
	ssize_t at;
	bool found;
};

static void feed(struct match *match, char byte)
{
	if (byte == '\0') {
		match->found = match->found || (match->at == (ssize_t)match->length);
		match->at = 0;
		return;
	}
	if (match->at < 0)
		return;
	if ((size_t)match->at < match->length)
		match->at = byte == match->wanted[match->at] ? match->at + 1 : -1;
	else if (match->whole)
		match->at = -1;
	if (!match->whole && match->at == (ssize_t)match->length)
		match->found = true;
}

/*
 * In the middle of an exec: a process that has memory, but whose new environment is not laid out
 * yet (it lasts microseconds, and begins before its parent's vfork returns).  Fields 23 and 50 of
 * /proc/PID/stat, proc(5); kernel threads and zombies have no memory.
 */
static bool is_settling(pid_t pid)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	unsigned long env_start = 0;
	unsigned long memory = 0;
	char path[48];
	char text[1024];
	size_t got = 0;
	char *at;

	(void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || rv_fd_read_all(fd, text, sizeof text - 1, &got) != RV_OK)
		return false;
	text[got] = '\0';
	at = strrchr(text, ')');
	for (int field = 2; at && field < 50; field++) {
		at = strchr(at + 1, ' ');
		if (at && field + 1 == 23)
			memory = strtoul(at + 1, NULL, 10);
		if (at && field + 1 == 50)
			env_start = strtoul(at + 1, NULL, 10);
	}
	return at && memory > 0 && env_start == 0;
}

/* One look; ${*ret_empty}: there was nothing to be seen. */
static bool look(pid_t pid, const char *name, const char *value, bool whole, bool *ret_empty)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	char wanted[1024];
	char path[48];
	char block[4096];
	int length = snprintf(wanted, sizeof wanted, "%s=%s", name, value);
	struct match match = {.wanted = wanted, .whole = whole};

	PRE(length > 0 && (size_t)length < sizeof wanted);
	match.length = (size_t)length;
	*ret_empty = false;
	(void)snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	for (size_t total = 0;;) {
		size_t got = 0;

		if (rv_fd_read_all(fd, block, sizeof block, &got) != RV_OK || got == 0) {
			*ret_empty = total == 0;
			return match.found;
		}
		total += got;
		for (size_t i = 0; i < got && !match.found; i++)
			feed(&match, block[i]);
		if (match.found)
			return true;
	}
}

bool rv_environ_has(pid_t pid, const char *name, const char *value, bool whole)
{
	bool empty = false;

	for (int tries = 0; tries < SETTLE_TRIES; tries++) {
		if (look(pid, name, value, whole, &empty))
			return true;
		if (!empty || !is_settling(pid))
			return false;
		(void)poll(NULL, 0, 1);
	}
	return false;
}

/* By its environment, or, when it has another one by now, by its limit. */
static bool is_marked(pid_t pid, const char *name, const char *prefix)
{
	return rv_environ_has(pid, name, prefix, false) || rv_limit_has(pid, name, prefix);
}

/* Whether ${pid} bears the mark and was told to end. */
static bool kill_if_marked(pid_t pid, const char *name, const char *prefix)
{
	RV_AUTO(rv_fd_close) int pidfd = -1;
	struct rv_procstat before;
	struct rv_procstat after;

	if (!is_marked(pid, name, prefix))
		return false;
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0 || rv_procstat(pid, &before) != RV_OK || before.ppid == getpid())
		return false;
	/* A zombie has no environment any more, but its limits, and is nobody to wait for. */
	if (before.state == 'Z' || before.state == 'X' || !is_marked(pid, name, prefix))
		return false;
	if (rv_procstat(pid, &after) != RV_OK || after.start_ticks != before.start_ticks)
		return false;
	return pidfd_send_signal(pidfd, SIGKILL, NULL, 0) == 0;
}

int rv_sweep_marked(const char *name, const char *prefix, int *ret_found)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int found = 0;

	if (!proc)
		return rv_err_from_errno(errno);
	while ((entry = readdir(proc)) != NULL) {
		long pid = isdigit((unsigned char)entry->d_name[0])
				   ? strtol(entry->d_name, NULL, 10)
				   : 0;

		if (pid > 1 && pid != getpid())
			found += kill_if_marked((pid_t)pid, name, prefix);
	}
	(void)closedir(proc);
	*ret_found = found;
	return RV_OK;
}
