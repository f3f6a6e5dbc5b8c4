#ifndef RV_OS_PROCLOCKS_H
#define RV_OS_PROCLOCKS_H

/*
 * Who holds a file's lock, from /proc/locks: how the keeper names the foreign process that blocks
 * SQLite's writer (byte 120 of the -shm file) and how a checkpoint's busy handler knows that the
 * holder is ourselves (reliability §0.4, DESIGN §3).  Opens nothing but /proc/locks.
 */

#include "base/attr.h"
#include "os/fsinfo.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RV_LOCK_WAL_WRITE 120 /* SQLite's WAL_WRITE_LOCK in the -shm file (wal.c) */

/*
 * The process with an exclusive POSIX lock on byte ${byte} of ${file}; RV_E_NOTFOUND when none.
 * A hint: a lock that is held may be missed while others come and go in a long table.
 * ${*ret_pid} is 0 for a holder outside our PID namespace, -1 for an OFD lock.  Allocates nothing.
 */
int rv_proclocks_writer(const struct rv_fs_id *file, int64_t byte, pid_t *ret_pid) RV_MUST_CHECK;

/* The same on a text in the format of /proc/locks (the parser alone; for tests). */
int rv_proclocks_parse(const char *text, const struct rv_fs_id *file, int64_t byte,
		       pid_t *ret_pid) RV_MUST_CHECK;

#endif
