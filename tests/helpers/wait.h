#ifndef RV_TESTHELP_WAIT_H
#define RV_TESTHELP_WAIT_H

/* Waiting for events, never by sleeping.  All return false when ${timeout_ms} have passed. */

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Until ${path} exists (or is gone), by inotify on its folder. */
bool rv_test_wait_file(const char *path, int64_t timeout_ms);
bool rv_test_wait_gone(const char *path, int64_t timeout_ms);
/* Until the file contains ${text}; the file need not exist yet. */
bool rv_test_wait_text(const char *path, const char *text, int64_t timeout_ms);

/* One line (without its newline) from a descriptor, byte by byte; false also at EOF. */
bool rv_test_wait_line(int fd, char *ret_line, size_t space, int64_t timeout_ms);
/* Lines until one contains ${text}. */
bool rv_test_wait_line_with(int fd, const char *text, int64_t timeout_ms);

/*
 * Until ${probe} is true, for what has no event to wait on (a state in a database, /proc): asked
 * again every 2 ms by poll().  Only where nothing above fits.
 */
bool rv_test_wait_until(bool (*probe)(void *ctx), void *ctx, int64_t timeout_ms);

/* Until ${pid} is gone or a zombie (it need not be a child of ours). */
bool rv_test_wait_dead(pid_t pid, int64_t timeout_ms);

#endif
