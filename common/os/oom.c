/*
 * The kernel's count of processes killed for want of memory.  Supervisor and workers.  Allocates
 * nothing; what it reads is the kernel's own text.
 */
#include "os/oom.h"

#include "base/attr.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

int rv_oom_kills(const char *path, int64_t *ret_count)
{
	RV_AUTO(rv_fd_close) int fd = open(path ? path : "/proc/vmstat", O_RDONLY | O_CLOEXEC);
	char text[16384]; /* some 180 lines of at most 40 bytes */
	size_t got = 0;
	const char *at;
	int err;

	if (fd < 0)
		return rv_err_from_errno(errno);
	text[0] = '\n';
	err = rv_fd_read_all(fd, text + 1, sizeof text - 2, &got);
	if (err != RV_OK)
		return err;
	text[got + 1] = '\0';
	at = strstr(text, "\noom_kill ");
	if (!at)
		return RV_E_NOTFOUND;
	*ret_count = strtoll(at + strlen("\noom_kill "), NULL, 10);
	return RV_OK;
}
