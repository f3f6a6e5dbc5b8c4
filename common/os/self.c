/* Our own program's place and siblings; what /proc says of a process.  Every process. */
#include "os/self.h"

#include "base/attr.h"
#include "os/fd.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef RV_LIBEXEC_PREFIX
#define RV_LIBEXEC_PREFIX "/usr/local/libexec/reeve"
#endif

/* From the folder of /proc/self/exe: a build tree (bin/, libexec/, tests/) and an installed prefix.
 */
static const char *const places[] = {
	"", "/../libexec", "/../libexec/reeve", "/../bin", "/../../bin",
};

static bool usable(const char *path)
{
	return access(path, X_OK) == 0;
}

int rv_self_sibling(const char *name, char *out, size_t space, struct rv_why *why)
{
	char self[RV_PATH_MAX];
	char folder[RV_PATH_MAX];
	char path[RV_PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	int length;

	if (n < 0)
		return rv_fail(why, rv_err_from_errno(errno), "cannot read /proc/self/exe: %m");
	self[n] = '\0';
	if (rv_path_folder(folder, sizeof folder, self) != RV_OK)
		return rv_fail(why, RV_E_TOOBIG, "the path of this program is too long");
	for (size_t i = 0; i <= RV_ARRAY_LEN(places); i++) {
		if (i < RV_ARRAY_LEN(places))
			length = snprintf(path, sizeof path, "%s%s/%s", folder, places[i], name);
		else
			length = snprintf(path, sizeof path, "%s/%s", RV_LIBEXEC_PREFIX, name);
		if (length < 0 || (size_t)length >= sizeof path || !usable(path))
			continue;
		if ((size_t)length >= space)
			return rv_fail(why, RV_E_TOOBIG, "the path of %s is too long", name);
		memcpy(out, path, (size_t)length + 1);
		return RV_OK;
	}
	return rv_fail(why, RV_E_MISSING, "cannot find the program %s beside %s, nor in %s", name,
		       self, RV_LIBEXEC_PREFIX);
}

int rv_procstat(pid_t pid, struct rv_procstat *ret_stat)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	struct rv_procstat stat = {0};
	unsigned long long start;
	char path[48] = "/proc/self/stat";
	char text[1024]; /* 52 numbers and a name of 16 */
	size_t got = 0;
	long pages;
	char *after;

	if (pid != 0)
		(void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return rv_err_from_errno(errno);
	/* ESRCH: it was reaped between open and read. */
	if (rv_fd_read_all(fd, text, sizeof text - 1, &got) != RV_OK)
		return RV_E_NOTFOUND;
	text[got] = '\0';
	/* The name may hold anything, parentheses and blanks too: the last one ends it. */
	after = strrchr(text, ')');
	if (!after ||
	    sscanf(after + 1,
		   " %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu "
		   "%*u %ld",
		   &stat.state, &stat.ppid, &stat.pgrp, &stat.session, &start, &pages) != 6)
		return RV_E_IO;
	stat.pid = pid != 0 ? pid : getpid();
	stat.start_ticks = start;
	stat.rss_bytes = (int64_t)pages * sysconf(_SC_PAGESIZE);
	*ret_stat = stat;
	return RV_OK;
}
