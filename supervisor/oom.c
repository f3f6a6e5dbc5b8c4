/* The kernel's count of processes killed for memory.  Runs in the supervisor only. */
#include "supervisor/oom.h"

#include "base/attr.h"
#include "base/err.h"
#include "os/fd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

bool rv_oom_killed_since(int64_t *count)
{
	RV_AUTO(rv_fd_close) int fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
	char text[16384]; /* some 180 lines of at most 40 bytes */
	size_t got = 0;
	const char *at;
	int64_t now;
	bool more;

	if (fd < 0 || rv_fd_read_all(fd, text, sizeof text - 1, &got) != RV_OK)
		return false;
	text[got] = '\0';
	at = strstr(text, "\noom_kill ");
	if (!at)
		return false;
	now = strtoll(at + strlen("\noom_kill "), NULL, 10);
	more = now > *count;
	*count = now;
	return more;
}
