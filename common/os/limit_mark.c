/*
 * A mark that survives a cleared environment: the soft RLIMIT_LOCKS, which the kernel has not
 * looked at since 2.4 (setrlimit(2)) but hands on over fork, exec, setsid and a change of user, and
 * shows in /proc/PID/limits.  Supervisor.  Never used for anything but finding what to kill: it
 * must be wide enough that nobody bears it by chance.
 */
#include "os/environ.h"
#include "os/sweep.h"

#include "base/attr.h"
#include "base/err.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* FNV-1a of NAME=prefix; the upper bits keep it off numbers that people write and off infinity. */
static rlim_t value_of(const char *name, const char *prefix)
{
	const char *const parts[] = {name, "=", prefix};
	uint64_t hash = 0xcbf29ce484222325U;

	for (size_t i = 0; i < RV_ARRAY_LEN(parts); i++) {
		for (const char *c = parts[i]; *c; c++)
			hash = (hash ^ (unsigned char)*c) * 0x100000001b3U;
	}
	return (hash >> 2 | (uint64_t)1 << 61) & ~((uint64_t)1 << 63);
}

int rv_sweep_mark(const char *name, const char *prefix)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_LOCKS, &limit) != 0)
		return rv_err_from_errno(errno);
	limit.rlim_cur = value_of(name, prefix);
	if (limit.rlim_max < limit.rlim_cur)
		return RV_E_DENIED;
	return setrlimit(RLIMIT_LOCKS, &limit) == 0 ? RV_OK : rv_err_from_errno(errno);
}

bool rv_limit_has(pid_t pid, const char *name, const char *prefix)
{
	static const char row[] = "Max file locks";
	RV_AUTO(rv_fd_close) int fd = -1;
	char path[48];
	char text[4096];
	size_t got = 0;
	const char *at;

	(void)snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || rv_fd_read_all(fd, text, sizeof text - 1, &got) != RV_OK)
		return false;
	text[got] = '\0';
	at = strstr(text, row);
	return at && strtoull(at + strlen(row), NULL, 10) == value_of(name, prefix);
}
