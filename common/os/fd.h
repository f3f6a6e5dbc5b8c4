#ifndef RV_OS_FD_H
#define RV_OS_FD_H

/*
 * Descriptors: whole reads and writes (EINTR hidden), sealed memfds, waiting with a deadline.
 * errno stops here: callers see RV_E_*.  Every process.
 */

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rv_buf;

/* Closes ${*fd} unless it is -1 and makes it -1; never touches errno.  RV_AUTO(rv_fd_close) int fd.
 */
void rv_fd_close(int *fd);

/* Hands a descriptor over: its value is returned, the variable becomes -1. */
static inline int rv_fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

int rv_fd_cloexec(int fd, bool on) RV_MUST_CHECK;
/* Of the open file description: never call it on a descriptor that others share (stderr). */
int rv_fd_nonblock(int fd, bool on) RV_MUST_CHECK;

/*
 * Opens /dev/null in the place of whichever of 0, 1, 2 is closed, so that no file of ours becomes
 * somebody's stdout.  First call of every main().
 */
int rv_fd_stdio(void) RV_MUST_CHECK;

/* Until ${size} bytes or EOF; ${*ret_got} < ${size} means EOF.  A non-blocking fd: RV_E_BUSY. */
int rv_fd_read_all(int fd, void *data, size_t size, size_t *ret_got) RV_MUST_CHECK;
/* All of it.  A non-blocking fd that is full: RV_E_BUSY, with part of it written. */
int rv_fd_write_all(int fd, const void *data, size_t size) RV_MUST_CHECK;
/* Appends until EOF; RV_E_TOOBIG when more than ${max} bytes come (those so far are kept). */
int rv_fd_read_buf(int fd, size_t max, struct rv_buf *buf) RV_MUST_CHECK;
/* One read() of what is there into the buffer: RV_E_BUSY nothing, RV_E_CLOSED at EOF. */
int rv_fd_read_some(int fd, size_t max, struct rv_buf *buf) RV_MUST_CHECK;

/* poll()s ${fd} for ${events} up to ${timeout_us} (< 0: for ever); RV_E_TIMEOUT. */
int rv_fd_wait(int fd, short events, int64_t timeout_us) RV_MUST_CHECK;

/*
 * A memfd named ${name} with ${size} bytes of ${data}, sealed against every change, O_CLOEXEC, its
 * offset at 0.  How the effective configuration reaches a child (RV_CONF_FD).
 */
int rv_fd_sealed(const char *name, const void *data, size_t size, int *ret_fd) RV_MUST_CHECK;
/* Reads the whole of a memfd that must be sealed (RV_E_REFUSED if not), from its start, by pread.
 */
int rv_fd_read_sealed(int fd, size_t max, struct rv_buf *buf) RV_MUST_CHECK;

/* Both O_CLOEXEC; ${nonblock} for both ends. */
int rv_fd_pipe(int ret_fds[2], bool nonblock) RV_MUST_CHECK;
/* SOCK_SEQPACKET pair for descriptor 3, both ends O_CLOEXEC and non-blocking. */
int rv_fd_seqpair(int ret_fds[2]) RV_MUST_CHECK;

#endif
