#ifndef RV_CONF_FILE_H
#define RV_CONF_FILE_H

/* Reading whole files that decide what runs.  The modules of this folder only. */

#include "base/err.h"

#include <sys/stat.h>

struct rv_buf;

/*
 * Opens ${path} if it may be trusted: a regular file, owned by root or us, written by nobody else.
 * RV_E_CONF or RV_E_IO with ${why} (which does not repeat the path).  O_CLOEXEC; close() it.
 */
int rv_conf_file_open(const char *path, int *ret_fd, struct stat *ret_stat,
		      struct rv_why *why) RV_MUST_CHECK;
/* Reads all of ${fd}, ≤ RV_CONF_TEXT_MAX, onto ${out}; its offset is neither used nor moved. */
int rv_conf_file_slurp(int fd, struct rv_buf *out, struct rv_why *why) RV_MUST_CHECK;
/* Both, and the path in ${why}. */
int rv_conf_file_read(const char *path, struct rv_buf *out, struct rv_why *why) RV_MUST_CHECK;

#endif
