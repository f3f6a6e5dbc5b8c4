/*
 * Where log lines go.  Every process.  Must never wait: a full pipe, a stopped terminal or a
 * journal that does not read costs lines, not time (F35).
 */
#include "obs/log_sink.h"

#include "base/check.h"
#include "obs/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(RV_LOG_LINE <= PIPE_BUF, "a line goes into a pipe whole or not at all");

/* Records of {uint16 length, bytes}, wrapping round at the end of data. */
static struct ring {
	char data[RV_LOG_RING];
	size_t head;    /* of the oldest record */
	size_t used;    /* bytes */
	size_t written; /* of the oldest record's line */
} ring;

struct rv_sink rv_sink_stderr(void)
{
	struct rv_sink sink = {.fd = STDERR_FILENO, .kind = RV_SINK_GUARDED};
	struct stat st;
	int fd;

	if (fstat(STDERR_FILENO, &st) != 0)
		return sink;
	if (S_ISREG(st.st_mode)) {
		sink.kind = RV_SINK_PLAIN;
	} else if (S_ISSOCK(st.st_mode)) {
		sink.kind = RV_SINK_SOCKET;
	} else if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		if (fd >= 0)
			sink = (struct rv_sink){.fd = fd, .own = true, .kind = RV_SINK_PLAIN};
	}
	return sink;
}

int rv_sink_file(const char *path, struct rv_sink *ret_sink, struct rv_why *why)
{
	struct stat st;
	int err = RV_OK;
	int fd =
		open(path,
		     O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK,
		     0640);

	if (fd < 0 && errno == ELOOP)
		return rv_fail(why, RV_E_REFUSED, "the log %s is a symlink", path);
	if (fd < 0)
		return rv_fail(why, rv_err_from_errno(errno), "cannot open the log %s: %m", path);
	if (fstat(fd, &st) != 0)
		err = rv_fail(why, rv_err_from_errno(errno), "cannot look at the log %s: %m", path);
	else if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		err = rv_fail(why, RV_E_REFUSED, "the log %s is not a regular file", path);
	if (err != RV_OK) {
		(void)close(fd);
		return err;
	}
	*ret_sink = (struct rv_sink){.fd = fd, .own = true, .kind = RV_SINK_PLAIN};
	return RV_OK;
}

void rv_sink_close(struct rv_sink *sink)
{
	if (sink->own)
		(void)close(sink->fd);
	*sink = (struct rv_sink){.fd = -1};
}

static bool writable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};

	return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLOUT);
}

/* Bytes written; 0 when it takes none now; -1 when it never will. */
static ssize_t try(const struct rv_sink *sink, const char *data, size_t size)
{
	ssize_t n;

	if (sink->kind == RV_SINK_GUARDED && !writable(sink->fd))
		return 0;
	do {
		if (sink->kind == RV_SINK_SOCKET)
			n = send(sink->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		else
			n = write(sink->fd, data, size);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == EAGAIN ? 0 : -1;
}

static void ring_copy_in(size_t at, const char *data, size_t size)
{
	size_t first;

	at %= RV_LOG_RING;
	first = RV_LOG_RING - at < size ? RV_LOG_RING - at : size;
	memcpy(ring.data + at, data, first);
	memcpy(ring.data, data + first, size - first);
}

static void ring_copy_out(size_t at, char *data, size_t size)
{
	size_t first;

	at %= RV_LOG_RING;
	first = RV_LOG_RING - at < size ? RV_LOG_RING - at : size;
	memcpy(data, ring.data + at, first);
	memcpy(data + first, ring.data, size - first);
}

/* ${written}: how much of the line has gone out already; only for the first record. */
static bool ring_push(const char *line, size_t size, size_t written)
{
	uint16_t length = (uint16_t)size;

	PRE(size > 0 && size <= RV_LOG_LINE);
	if (ring.used + sizeof length + size > RV_LOG_RING)
		return false;
	if (ring.used == 0)
		ring.written = written;
	ring_copy_in(ring.head + ring.used, (const char *)&length, sizeof length);
	ring_copy_in(ring.head + ring.used + sizeof length, line, size);
	ring.used += sizeof length + size;
	return true;
}

static void ring_pop(size_t size)
{
	ring.head = (ring.head + sizeof(uint16_t) + size) % RV_LOG_RING;
	ring.used -= sizeof(uint16_t) + size;
	ring.written = 0;
}

bool rv_sink_pending(void)
{
	return ring.used > 0;
}

void rv_sink_rewind(void)
{
	ring.written = 0;
}

unsigned rv_sink_pump(const struct rv_sink *sink)
{
	unsigned lost = 0;

	while (ring.used > 0) {
		char line[RV_LOG_LINE];
		uint16_t size;
		ssize_t n;

		ring_copy_out(ring.head, (char *)&size, sizeof size);
		INV(size > 0 && size <= RV_LOG_LINE && ring.written < size);
		ring_copy_out(ring.head + sizeof size, line, size);
		n = try(sink, line + ring.written, size - ring.written);
		if (n == 0)
			break;
		if (n < 0) {
			lost++;
			ring_pop(size);
			continue;
		}
		ring.written += (size_t)n;
		if (ring.written == size)
			ring_pop(size);
	}
	return lost;
}

bool rv_sink_write(const struct rv_sink *sink, const char *line, size_t size)
{
	ssize_t n = 0;

	if (ring.used == 0) {
		n = try(sink, line, size);
		if (n == (ssize_t)size)
			return true;
		if (n < 0)
			return false;
	}
	return ring_push(line, size, (size_t)n);
}
