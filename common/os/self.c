/* Our own program's place and siblings; what /proc says of a process.  Every process. */
#include "os/self.h"

#include "base/attr.h"
#include "os/fd.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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

#define LAST_FIELD 24 /* resident pages */

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
	long long fields[LAST_FIELD + 1];
	char path[48] = "/proc/self/stat";
	char text[1024]; /* 52 numbers and a name of 16 */
	size_t got = 0;
	char *at;

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
	at = strrchr(text, ')');
	if (!at || at[1] != ' ' || at[2] == '\0')
		return RV_E_IO;
	stat.state = at[2];
	at += 3;
	for (int field = 4; field <= LAST_FIELD; field++) { /* numbered as in proc(5) */
		char *end;

		fields[field] = strtoll(at, &end, 10);
		if (end == at)
			return RV_E_IO;
		at = end;
	}
	stat.ppid = (pid_t)fields[4];
	stat.pgrp = (pid_t)fields[5];
	stat.session = (pid_t)fields[6];
	stat.start_ticks = (uint64_t)fields[22];
	stat.rss_bytes = fields[LAST_FIELD] * sysconf(_SC_PAGESIZE);
	stat.pid = pid != 0 ? pid : getpid();
	*ret_stat = stat;
	return RV_OK;
}
