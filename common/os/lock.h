#ifndef RV_OS_LOCK_H
#define RV_OS_LOCK_H

/*
 * The lock file of a store, `<store>.lock` (DESIGN §2, F9): open file description locks on bytes of
 * a file that is never the database.
 *   byte 0   exclusive: the daemon.  OFD locks have no pid, so it writes its own into the file, and
 *            the inode of its PID namespace: whoever sees other numbers must keep off (DESIGN §3).
 *   byte 1   shared: every child of a daemon, so that a new daemon can wait for the old one's.
 * Each process opens the file itself, O_CLOEXEC: an inherited description would keep a dead
 * daemon's lock alive.  A lock ends when its descriptor is closed (rv_fd_close); the file stays.
 */

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

/*
 * The daemon: creates ${path} with ${mode} if need be, takes byte 0, writes our pid.  Does not
 * wait. RV_E_LOCKED: another daemon has it; ${*ret_holder} is the pid it wrote (0 if unreadable)
 * and
 * ${why} names it.  RV_E_CONF: that one runs in another PID namespace.
 */
int rv_lock_daemon(const char *path, mode_t mode, int *ret_fd, pid_t *ret_holder,
		   struct rv_why *why) RV_MUST_CHECK;

/*
 * The daemon, holding ${fd}: waits until no child of a predecessor holds byte 1 (takes it
 * exclusively, then lets go), at most until ${deadline_us} (CLOCK_MONOTONIC): RV_E_TIMEOUT.
 * ${between} (may be NULL) runs between the tries, for the sweep of what a killed predecessor left;
 * an error of it ends the wait.  Tries are RV_LOCK_TRY_MS apart.
 */
int rv_lock_wait(int fd, int64_t deadline_us, int (*between)(void *ctx), void *ctx) RV_MUST_CHECK;
#define RV_LOCK_TRY_MS 20

/* A child: holds byte 1 shared until ${*ret_fd} is closed.  RV_E_LOCKED while a new daemon waits.
 */
int rv_lock_child(const char *path, int *ret_fd, struct rv_why *why) RV_MUST_CHECK;

/*
 * Anyone (CLI): RV_OK and the pid when a daemon holds byte 0, RV_E_NOTRUN when none does (or there
 * is no file).  RV_E_CONF: one that runs in another PID namespace does; what we would read of
 * processes and locks is not what it reads.  Takes no lock.
 */
int rv_lock_holder(const char *path, pid_t *ret_holder, struct rv_why *why) RV_MUST_CHECK;

#endif
