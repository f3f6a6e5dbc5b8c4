/* sd_notify(3)'s protocol.  The supervisor; must never block: the manager may not be reading. */
#include "os/notify.h"

#include "base/err.h"
#include "base/fmt.h"
#include "os/fd.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool rv_notify_wanted(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	return path && path[0] != '\0';
}

int rv_notify(const char *state)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length;

	if (!path || path[0] == '\0')
		return RV_OK;
	length = strlen(path);
	if ((path[0] != '/' && path[0] != '@') || length >= sizeof address.sun_path)
		return RV_E_PARSE;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0'; /* abstract: its length, not a NUL, ends it */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return rv_err_from_errno(errno);
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
		   (const struct sockaddr *)(const void *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		return rv_err_from_errno(errno);
	return RV_OK;
}

int rv_notifyf(const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return rv_notify(text);
}

int64_t rv_notify_watchdog_us(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	int64_t value = 0;
	int64_t whose = 0;

	if (!usec || rv_parse_int(usec, 1, INT64_MAX, &value) != RV_OK)
		return 0;
	if (pid && (rv_parse_int(pid, 1, INT32_MAX, &whose) != RV_OK || whose != getpid()))
		return 0;
	return value;
}
