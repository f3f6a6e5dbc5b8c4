#ifndef RV_OS_SOCK_H
#define RV_OS_SOCK_H

/*
 * Unix sockets on paths: the doorbell and the waiters' bells (datagram), the control socket
 * (stream).  A path longer than sockaddr_un's 107 bytes goes through /proc/self/fd of its folder;
 * only a file name that is too long itself is RV_E_TOOBIG.  Everything is O_CLOEXEC.
 */

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Binds a non-blocking datagram / listening stream socket at ${path} with ${mode} (0600, or 0660
 * for a group) from its first moment.  A stale socket there is replaced in one rename; anything but
 * a socket is left alone (RV_E_REFUSED).  That no living owner is robbed is the caller's matter
 * (the daemon holds the store's lock, a waiter's name is random).  Who made it unlinks it.
 */
int rv_sock_bell(const char *path, mode_t mode, int *ret_fd, struct rv_why *why) RV_MUST_CHECK;
int rv_sock_listen(const char *path, mode_t mode, int *ret_fd, struct rv_why *why) RV_MUST_CHECK;

/* Rings: sends ${token} (8 bytes) and forgets; a full or absent bell is nobody's error. */
void rv_sock_ring(const char *path, uint64_t token);
/*
 * The same of a bell whose name is never used twice (a waiter's): where its owner has died, its
 * socket is removed.
 */
void rv_sock_ring_waiter(const char *path, uint64_t token);
/* Whether ${path} has a bell that somebody holds; also true where we may not know. */
bool rv_sock_is_held(const char *path);
/* One token that has arrived; RV_E_BUSY when none; a packet of another size is skipped. */
int rv_sock_rung(int fd, uint64_t *ret_token) RV_MUST_CHECK;

/* Who is at the other end, told by the kernel at connect time. */
struct rv_sock_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

int rv_sock_who(int fd, struct rv_sock_peer *ret_peer) RV_MUST_CHECK;

/* Takes one connection (non-blocking); RV_E_BUSY when none waits or descriptors ran out. */
int rv_sock_accept(int fd, int *ret_fd, struct rv_sock_peer *ret_peer) RV_MUST_CHECK;

/*
 * Connects to a listener: a blocking descriptor.  RV_E_NOTRUN nobody listens there, RV_E_TIMEOUT
 * its backlog stayed full for ${timeout_us}, RV_E_DENIED.
 */
int rv_sock_connect(const char *path, int64_t timeout_us, int *ret_fd,
		    struct rv_why *why) RV_MUST_CHECK;

#endif
