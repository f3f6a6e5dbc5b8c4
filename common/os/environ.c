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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

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

bool rv_environ_has(pid_t pid, const char *name, const char *value, bool whole)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	char wanted[1024];
	char path[48];
	char block[4096];
	int length = snprintf(wanted, sizeof wanted, "%s=%s", name, value);
	struct match match = {.wanted = wanted, .whole = whole};

	PRE(length > 0 && (size_t)length < sizeof wanted);
	match.length = (size_t)length;
	(void)snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	for (;;) {
		size_t got = 0;

		if (rv_fd_read_all(fd, block, sizeof block, &got) != RV_OK || got == 0)
			return match.found;
		for (size_t i = 0; i < got && !match.found; i++)
			feed(&match, block[i]);
		if (match.found)
			return true;
	}
}

/* Whether ${pid} bears the mark and was told to end. */
static bool kill_if_marked(pid_t pid, const char *name, const char *prefix)
{
	RV_AUTO(rv_fd_close) int pidfd = -1;
	struct rv_procstat before;
	struct rv_procstat after;

	if (!rv_environ_has(pid, name, prefix, false))
		return false;
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0 || rv_procstat(pid, &before) != RV_OK || before.ppid == getpid())
		return false;
	if (!rv_environ_has(pid, name, prefix, false))
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
