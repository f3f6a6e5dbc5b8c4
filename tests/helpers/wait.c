/* Waiting for events in tests: inotify, poll, pidfds; every wait has an end. */
#include "helpers/wait.h"

#include "base/err.h"
#include "base/seam.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/self.h"
#include "helpers/tmpdir.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <unistd.h>

static int64_t deadline_of(int64_t timeout_ms)
{
	return rv_mono_us() + timeout_ms * RV_MS_US;
}

/*
 * Asks ${probe} at first and after each change in the folder of ${path}.  The watch is there before
 * the first question, so no change is missed.
 */
static bool wait_folder(const char *path, bool (*probe)(const char *path, const void *ctx),
			const void *ctx, int64_t timeout_ms)
{
	RV_AUTO(rv_fd_close) int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int64_t deadline = deadline_of(timeout_ms);
	char folder[RV_PATH_MAX];

	if (fd < 0 || rv_path_folder(folder, sizeof folder, path) != RV_OK ||
	    inotify_add_watch(fd, folder,
			      IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_MODIFY |
				      IN_ATTRIB | IN_CLOSE_WRITE) < 0) {
		(void)fprintf(stderr, "test helper: cannot watch %s: %s\n", path, strerror(errno));
		abort();
	}
	while (!probe(path, ctx)) {
		char events[4096];
		int64_t left = deadline - rv_mono_us();

		if (left <= 0 || rv_fd_wait(fd, POLLIN, left) != RV_OK)
			return probe(path, ctx);
		while (read(fd, events, sizeof events) > 0)
			continue;
	}
	return true;
}

static bool is_there(const char *path, const void *ctx)
{
	(void)ctx;
	return access(path, F_OK) == 0;
}

static bool is_gone(const char *path, const void *ctx)
{
	(void)ctx;
	return access(path, F_OK) != 0;
}

static bool has_text(const char *path, const void *ctx)
{
	char *text = rv_test_read_file(path);
	bool found = text && strstr(text, ctx);

	free(text);
	return found;
}

bool rv_test_wait_file(const char *path, int64_t timeout_ms)
{
	return wait_folder(path, is_there, NULL, timeout_ms);
}

bool rv_test_wait_gone(const char *path, int64_t timeout_ms)
{
	return wait_folder(path, is_gone, NULL, timeout_ms);
}

bool rv_test_wait_text(const char *path, const char *text, int64_t timeout_ms)
{
	return wait_folder(path, has_text, text, timeout_ms);
}

bool rv_test_wait_line(int fd, char *ret_line, size_t space, int64_t timeout_ms)
{
	int64_t deadline = deadline_of(timeout_ms);
	size_t size = 0;

	for (;;) {
		int64_t left = deadline - rv_mono_us();
		char byte;

		if (rv_fd_wait(fd, POLLIN, left > 0 ? left : 0) != RV_OK || read(fd, &byte, 1) != 1)
			return false;
		if (byte == '\n')
			break;
		if (size + 1 < space)
			ret_line[size++] = byte;
	}
	if (space > 0)
		ret_line[size] = '\0';
	return true;
}

bool rv_test_wait_line_with(int fd, const char *text, int64_t timeout_ms)
{
	int64_t deadline = deadline_of(timeout_ms);
	char line[8192];

	while (rv_test_wait_line(fd, line, sizeof line, (deadline - rv_mono_us()) / RV_MS_US)) {
		if (strstr(line, text))
			return true;
	}
	return false;
}

bool rv_test_wait_until(bool (*probe)(void *ctx), void *ctx, int64_t timeout_ms)
{
	int64_t deadline = deadline_of(timeout_ms);

	while (!probe(ctx)) {
		if (rv_mono_us() >= deadline)
			return probe(ctx);
		(void)poll(NULL, 0, 2);
	}
	return true;
}

bool rv_test_wait_dead(pid_t pid, int64_t timeout_ms)
{
	RV_AUTO(rv_fd_close) int pidfd = pidfd_open(pid, 0);

	/* A pidfd is readable from the process's end on, whether it was reaped or not. */
	if (pidfd < 0)
		return errno == ESRCH;
	return rv_fd_wait(pidfd, POLLIN, timeout_ms * RV_MS_US) == RV_OK;
}
