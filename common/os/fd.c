/* Descriptors: whole reads and writes, sealed memfds, pairs.  Every process; never logs. */
#include "os/fd.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/seam.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS     (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define READ_STEP ((size_t)16 << 10)

void rv_fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = saved;
}

static int set_flag(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);

	if (flags < 0 || fcntl(fd, set, on ? flags | flag : flags & ~flag) != 0)
		return rv_err_from_errno(errno);
	return RV_OK;
}

int rv_fd_cloexec(int fd, bool on)
{
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int rv_fd_nonblock(int fd, bool on)
{
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int rv_fd_stdio(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The lowest free number is the one that is closed: those below are open by now. */
		if (open("/dev/null", O_RDWR) !=
		    fd) // NOLINT(android-cloexec-open): stdio is inherited
			return RV_E_IO;
	}
	return RV_OK;
}

int rv_fd_read_all(int fd, void *data, size_t size, size_t *ret_got)
{
	char *at = data;
	size_t got = 0;

	while (got < size) {
		ssize_t n = read(fd, at + got, size - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rv_err_from_errno(errno);
		if (n == 0)
			break;
		got += (size_t)n;
	}
	*ret_got = got;
	return RV_OK;
}

int rv_fd_write_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rv_err_from_errno(errno);
		at += n;
		size -= (size_t)n;
	}
	return RV_OK;
}

/* One read of at most ${max} bytes into the buffer's end; 0 at EOF, or a negative RV_E_*. */
static ssize_t read_into(int fd, size_t max, struct rv_buf *buf)
{
	ssize_t n;
	int err = rv_buf_reserve(buf, max);

	if (err != RV_OK)
		return err;
	do {
		n = read(fd, buf->data + buf->size, max);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return rv_err_from_errno(errno);
	buf->size += (size_t)n;
	buf->data[buf->size] = '\0';
	return n;
}

int rv_fd_read_buf(int fd, size_t max, struct rv_buf *buf)
{
	size_t total = 0;

	for (;;) {
		/* One byte past the bound tells "exactly so much" from "too much". */
		size_t step = max - total < READ_STEP ? max - total + 1 : READ_STEP;
		ssize_t n = read_into(fd, step, buf);

		if (n < 0)
			return (int)n;
		if (n == 0)
			return RV_OK;
		total += (size_t)n;
		if (total > max) {
			buf->size -= total - max;
			buf->data[buf->size] = '\0';
			return RV_E_TOOBIG;
		}
	}
}

int rv_fd_read_some(int fd, size_t max, struct rv_buf *buf)
{
	PRE(max > 0);
	ssize_t n = read_into(fd, max, buf);

	if (n < 0)
		return (int)n;
	return n == 0 ? RV_E_CLOSED : RV_OK;
}

int rv_fd_wait(int fd, short events, int64_t timeout_us)
{
	int64_t deadline = timeout_us < 0 ? 0 : rv_mono_us() + timeout_us;

	for (;;) {
		struct pollfd poll_fd = {.fd = fd, .events = events};
		struct timespec left = {0};
		int64_t us = timeout_us < 0 ? 0 : deadline - rv_mono_us();
		int n;

		if (us > 0) {
			left.tv_sec = us / RV_S_US;
			left.tv_nsec = us % RV_S_US * 1000;
		}
		n = ppoll(&poll_fd, 1, timeout_us < 0 ? NULL : &left, NULL);
		if (n > 0)
			return poll_fd.revents & POLLNVAL ? RV_E_IO : RV_OK;
		if (n == 0)
			return RV_E_TIMEOUT;
		if (errno != EINTR)
			return rv_err_from_errno(errno);
	}
}

int rv_fd_sealed(const char *name, const void *data, size_t size, int *ret_fd)
{
	RV_AUTO(rv_fd_close) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0)
		return rv_err_from_errno(errno);
	err = rv_fd_write_all(fd, data, size);
	if (err != RV_OK)
		return err;
	if (lseek(fd, 0, SEEK_SET) != 0 || fcntl(fd, F_ADD_SEALS, SEALS) != 0)
		return rv_err_from_errno(errno);
	*ret_fd = rv_fd_take(&fd);
	return RV_OK;
}

int rv_fd_read_sealed(int fd, size_t max, struct rv_buf *buf)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	size_t got = 0;
	int err;

	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) != 0)
		return RV_E_REFUSED;
	if ((size_t)st.st_size > max)
		return RV_E_TOOBIG;
	err = rv_buf_reserve(buf, (size_t)st.st_size);
	if (err != RV_OK)
		return err;
	while (got < (size_t)st.st_size) {
		ssize_t n = pread(fd, buf->data + buf->size + got, (size_t)st.st_size - got,
				  (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return RV_E_IO;
		got += (size_t)n;
	}
	buf->size += got;
	buf->data[buf->size] = '\0';
	return RV_OK;
}

int rv_fd_pipe(int ret_fds[2], bool nonblock)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | (nonblock ? O_NONBLOCK : 0)) != 0)
		return rv_err_from_errno(errno);
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return RV_OK;
}

int rv_fd_seqpair(int ret_fds[2])
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
		return rv_err_from_errno(errno);
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return RV_OK;
}
