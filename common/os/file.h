#ifndef RV_OS_FILE_H
#define RV_OS_FILE_H

/*
 * Files and folders.  Never for the database, its -wal or -shm: opening and closing those by hand
 * drops SQLite's locks (use rv_fs_identity, which only stats).  Every process.
 */

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

struct rv_buf;

#define RV_PATH_MAX 4096 /* bytes of any path we build, with its NUL */

/* "${folder}/${name}" into ${out}; ${name} alone if it is absolute or ${folder} is "" or NULL. */
int rv_path_join(char *out, size_t space, const char *folder, const char *name) RV_MUST_CHECK;
/* The folder of ${path} ("." when it names none) and the part after the last slash (borrowed). */
int rv_path_folder(char *out, size_t space, const char *path) RV_MUST_CHECK;
const char *rv_path_base(const char *path);

/*
 * Opens a regular file, O_CLOEXEC|O_NOFOLLOW|O_NOCTTY and never blocking on a fifo; ${flags} as for
 * open().  RV_E_REFUSED when it is a symlink or not a regular file.
 */
int rv_file_open(const char *path, int flags, mode_t mode, int *ret_fd,
		 struct rv_why *why) RV_MUST_CHECK;
/* The same below a folder's descriptor (AT_FDCWD allowed); ${name} has no slash. */
int rv_file_openat(int folder, const char *name, int flags, mode_t mode, int *ret_fd) RV_MUST_CHECK;

/* Appends the whole file (symlinks followed: /etc is full of them); RV_E_TOOBIG past ${max} bytes.
 */
int rv_file_read(const char *path, size_t max, struct rv_buf *buf,
		 struct rv_why *why) RV_MUST_CHECK;

/*
 * Replaces ${path} as a whole: temporary file beside it, fsync, rename, fsync of the folder.
 * Readers see the old content or the new, also after a power cut.  Nothing is left on failure.
 */
int rv_file_replace(const char *path, const void *data, size_t size, mode_t mode,
		    struct rv_why *why) RV_MUST_CHECK;

/* unlink(); absent is RV_OK. */
int rv_file_remove(const char *path, struct rv_why *why) RV_MUST_CHECK;

/*
 * mkdir -p; each folder it makes gets ${mode} exactly (the umask notwithstanding), existing ones
 * are left as they are.  RV_E_REFUSED when a component is not a folder.
 */
int rv_folder_make(const char *path, mode_t mode, struct rv_why *why) RV_MUST_CHECK;

#endif
