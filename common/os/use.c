/* What a process that goes on has used: its CPU clock, and what /proc says.  Workers. */
#include "os/use.h"

#include "base/seam.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHILDREN_USER 16 /* cutime in proc(5), cstime behind it */
#define STATUS_SPACE  4096

int rv_use_clock(pid_t pid, clockid_t *ret_clock)
{
	return clock_getcpuclockid(pid, ret_clock) == 0 ? RV_OK : RV_E_NOTFOUND;
}

int64_t rv_use_cpu_us(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) != 0)
		return -1;
	return (int64_t)now.tv_sec * RV_S_US + now.tv_nsec / 1000;
}

/* Into ${text}, with a NUL. */
static int read_proc(pid_t pid, const char *name, char *text, size_t space)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	char path[48];
	size_t got = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return rv_err_from_errno(errno);
	if (rv_fd_read_all(fd, text, space - 1, &got) != RV_OK)
		return RV_E_NOTFOUND;
	text[got] = '\0';
	return RV_OK;
}

static int64_t ticks_us(long long ticks)
{
	long hertz = sysconf(_SC_CLK_TCK);

	return hertz > 0 && ticks > 0 ? ticks * (RV_S_US / hertz) : 0;
}

static int look_at_children(const char *stat, int64_t *ret_us)
{
	const char *at = strrchr(stat, ')');
	char *end;
	long long user, sys;

	if (!at)
		return RV_E_IO;
	for (int field = 2; field < CHILDREN_USER; field++) {
		at = strchr(at + 1, ' ');
		if (!at)
			return RV_E_IO;
	}
	user = strtoll(at, &end, 10);
	sys = strtoll(end, NULL, 10);
	*ret_us = ticks_us(user) + ticks_us(sys);
	return RV_OK;
}

int rv_use_look(pid_t pid, struct rv_use *ret_use)
{
	char text[STATUS_SPACE];
	struct rv_use use = {0};
	const char *peak;
	int err = read_proc(pid, "stat", text, sizeof(text));

	if (err == RV_OK)
		err = look_at_children(text, &use.children_us);
	if (err == RV_OK)
		err = read_proc(pid, "status", text, sizeof(text));
	if (err != RV_OK)
		return err;
	peak = strstr(text, "\nVmHWM:");
	if (!peak)
		return RV_E_NOTFOUND; /* it has ended, and waits to be collected */
	use.peak_bytes = strtoll(peak + strlen("\nVmHWM:"), NULL, 10) << 10;
	*ret_use = use;
	return RV_OK;
}
