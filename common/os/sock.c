/*
 * Unix sockets on paths.  Supervisor (doorbell, control), CLI and libreeve (connect, ring,
 * waiters), leaders (ring).  Must never block but in rv_sock_connect, and there only for its
 * timeout.
 */
#include "os/sock.h"

#include "base/attr.h"
#include "base/check.h"
#include "base/seam.h"
#include "os/fd.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

/*
 * The address of ${name} in the folder ${folder}, which stays open while the address is used.  The
 * way over /proc/self/fd is as long for a deep folder as for a shallow one.
 */
static int address_at(int folder, const char *name, struct sockaddr_un *ret_address)
{
	int n;

	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(ret_address->sun_path, sizeof ret_address->sun_path, "/proc/self/fd/%d/%s",
		     folder, name);
	return n < 0 || (size_t)n >= sizeof ret_address->sun_path ? RV_E_TOOBIG : RV_OK;
}

/* The address of ${path}; ${*ret_folder} is to be closed after its use (-1: not needed). */
static int address_of(const char *path, struct sockaddr_un *ret_address, int *ret_folder)
{
	char folder[RV_PATH_MAX];

	*ret_folder = -1;
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) < sizeof ret_address->sun_path) {
		memcpy(ret_address->sun_path, path, strlen(path) + 1);
		return RV_OK;
	}
	if (rv_path_folder(folder, sizeof folder, path) != RV_OK)
		return RV_E_TOOBIG;
	*ret_folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*ret_folder < 0)
		return rv_err_from_errno(errno);
	return address_at(*ret_folder, rv_path_base(path), ret_address);
}

static const struct sockaddr *plain(const struct sockaddr_un *address)
{
	return (const struct sockaddr *)(const void *)address;
}

/*
 * Binds under a random name and renames it to ${name}: nobody meets a socket that has the wrong
 * mode or does not listen yet, and a stale one is replaced without a moment of absence.
 */
static int bind_at(int folder, const char *name, mode_t mode, int type, int *ret_fd)
{
	RV_AUTO(rv_fd_close)
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address;
	char temporary[32];
	int err = RV_OK;

	if (fd < 0)
		return rv_err_from_errno(errno);
	(void)snprintf(temporary, sizeof temporary, ".s%016llx",
		       (unsigned long long)rv_random_u64());
	err = address_at(folder, temporary, &address);
	INV(err == RV_OK); /* 32 bytes always fit */
	/* The inode takes the descriptor's mode less the umask: never wider than asked for. */
	if (fchmod(fd, mode) != 0 || bind(fd, plain(&address), sizeof address) != 0)
		return rv_err_from_errno(errno);
	if (fchmodat(folder, temporary, mode, 0) != 0 ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG) != 0) ||
	    renameat(folder, temporary, folder, name) != 0) {
		err = rv_err_from_errno(errno);
		(void)unlinkat(folder, temporary, 0);
		return err;
	}
	*ret_fd = rv_fd_take(&fd);
	return RV_OK;
}

static int bind_path(const char *path, mode_t mode, int type, int *ret_fd, struct rv_why *why)
{
	RV_AUTO(rv_fd_close) int folder = -1;
	struct sockaddr_un address;
	char text[RV_PATH_MAX];
	struct stat st;
	int err = rv_path_folder(text, sizeof text, path);

	if (err != RV_OK || rv_path_base(path)[0] == '\0')
		return rv_fail(why, RV_E_TOOBIG, "%s is no path for a socket", path);
	folder = open(text, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return rv_fail(why, rv_err_from_errno(errno), "cannot open the folder %s: %m",
			       text);
	if (fstatat(folder, rv_path_base(path), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !S_ISSOCK(st.st_mode))
		return rv_fail(why, RV_E_REFUSED, "%s is in the way: it is not a socket", path);
	/* A name that nobody could connect to is refused here, not at their end. */
	err = address_at(folder, rv_path_base(path), &address);
	if (err != RV_OK && strlen(path) >= sizeof address.sun_path)
		return rv_fail(why, err, "the name of the socket %s is too long", path);
	err = bind_at(folder, rv_path_base(path), mode, type, ret_fd);
	if (err != RV_OK)
		return rv_fail(why, err, "cannot bind the socket %s: %m", path);
	return RV_OK;
}

int rv_sock_bell(const char *path, mode_t mode, int *ret_fd, struct rv_why *why)
{
	return bind_path(path, mode, SOCK_DGRAM, ret_fd, why);
}

int rv_sock_listen(const char *path, mode_t mode, int *ret_fd, struct rv_why *why)
{
	return bind_path(path, mode, SOCK_STREAM, ret_fd, why);
}

/* ${*token} sent, NULL: only looked who is there.  Returns errno, 0 when it was taken. */
static int call_at(const char *path, const uint64_t *token)
{
	RV_AUTO(rv_fd_close) int folder = -1;
	RV_AUTO(rv_fd_close) int fd = -1;
	struct sockaddr_un address;
	ssize_t n;

	if (address_of(path, &address, &folder) != RV_OK)
		return ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno;
	n = token ? sendto(fd, token, sizeof *token, MSG_NOSIGNAL, plain(&address), sizeof address)
		  : connect(fd, plain(&address), sizeof address);
	return n < 0 ? errno : 0;
}

void rv_sock_ring(const char *path, uint64_t token)
{
	(void)call_at(path, &token);
}

/*
 * The name comes out of the store: what is looked at and what is removed must be the same, and
 * nothing but a socket that nobody holds.
 */
static void remove_dead(const char *path)
{
	RV_AUTO(rv_fd_close) int folder = -1;
	RV_AUTO(rv_fd_close) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const char *name = rv_path_base(path);
	struct sockaddr_un address;
	char text[RV_PATH_MAX];
	struct stat st;

	if (fd < 0 || rv_path_folder(text, sizeof text, path) != RV_OK)
		return;
	folder = open(text, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0 || address_at(folder, name, &address) != RV_OK ||
	    fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISSOCK(st.st_mode))
		return;
	if (connect(fd, plain(&address), sizeof address) != 0 && errno == ECONNREFUSED)
		(void)unlinkat(folder, name, 0);
}

void rv_sock_ring_waiter(const char *path, uint64_t token)
{
	if (call_at(path, &token) == ECONNREFUSED)
		remove_dead(path);
}

bool rv_sock_is_held(const char *path)
{
	int errnum = call_at(path, NULL);

	return errnum != ECONNREFUSED && errnum != ENOENT && errnum != ENOTDIR;
}

int rv_sock_rung(int fd, uint64_t *ret_token)
{
	for (;;) {
		uint64_t token;
		ssize_t n = recv(fd, &token, sizeof token, MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rv_err_from_errno(errno);
		if (n != sizeof token)
			continue;
		*ret_token = token;
		return RV_OK;
	}
}

int rv_sock_who(int fd, struct rv_sock_peer *ret_peer)
{
	struct ucred cred;
	socklen_t size = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) != 0)
		return rv_err_from_errno(errno);
	*ret_peer = (struct rv_sock_peer){.pid = cred.pid, .uid = cred.uid, .gid = cred.gid};
	return RV_OK;
}

int rv_sock_accept(int fd, int *ret_fd, struct rv_sock_peer *ret_peer)
{
	RV_AUTO(rv_fd_close) int peer = -1;
	int err;

	do {
		peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	} while (peer < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (peer < 0)
		return rv_err_from_errno(errno);
	err = rv_sock_who(peer, ret_peer);
	if (err != RV_OK)
		return err;
	*ret_fd = rv_fd_take(&peer);
	return RV_OK;
}

static int explain_connect(int errnum, const char *path, struct rv_why *why)
{
	switch (errnum) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		return rv_fail(why, RV_E_NOTRUN, "nobody listens at %s", path);
	case EAGAIN:
		return rv_fail(why, RV_E_TIMEOUT, "nobody answers at %s", path);
	default:
		errno = errnum;
		return rv_fail(why, rv_err_from_errno(errnum), "cannot connect to %s: %m", path);
	}
}

int rv_sock_connect(const char *path, int64_t timeout_us, int *ret_fd, struct rv_why *why)
{
	RV_AUTO(rv_fd_close) int folder = -1;
	RV_AUTO(rv_fd_close) int fd = -1;
	struct timeval limit = {.tv_sec = timeout_us / RV_S_US, .tv_usec = timeout_us % RV_S_US};
	struct timeval none = {0};
	struct sockaddr_un address;
	int err = address_of(path, &address, &folder);

	if (err == RV_E_TOOBIG)
		return rv_fail(why, err, "the name of the socket %s is too long", path);
	if (err != RV_OK)
		return explain_connect(errno, path, why);
	if (timeout_us <= 0)
		limit.tv_usec = 1; /* 0 would be for ever */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0)
		return rv_fail(why, rv_err_from_errno(errno), "cannot make a socket: %m");
	while (connect(fd, plain(&address), sizeof address) != 0) {
		if (errno != EINTR)
			return explain_connect(errno, path, why);
	}
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none) != 0)
		return rv_fail(why, rv_err_from_errno(errno), "cannot make a socket: %m");
	*ret_fd = rv_fd_take(&fd);
	return RV_OK;
}
