/*
 * Files and folders.  Every process.  Must never be used on the database, its -wal or -shm: closing
 * a descriptor of those drops SQLite's locks.
 */
#include "os/file.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/seam.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int rv_path_join(char *out, size_t space, const char *folder, const char *name)
{
	bool alone = !folder || folder[0] == '\0' || name[0] == '/';
	size_t length = alone ? 0 : strlen(folder);
	const char *slash = length > 0 && folder[length - 1] != '/' ? "/" : "";
	int n = snprintf(out, space, "%s%s%s", alone ? "" : folder, slash, name);

	return n < 0 || (size_t)n >= space ? RV_E_TOOBIG : RV_OK;
}

const char *rv_path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int rv_path_folder(char *out, size_t space, const char *path)
{
	size_t length = (size_t)(rv_path_base(path) - path);

	if (length == 0) {
		path = ".";
		length = 1;
	}
	while (length > 1 && path[length - 1] == '/')
		length--;
	if (length >= space)
		return RV_E_TOOBIG;
	memcpy(out, path, length);
	out[length] = '\0';
	return RV_OK;
}

int rv_file_openat(int folder, const char *name, int flags, mode_t mode, int *ret_fd)
{
	RV_AUTO(rv_fd_close)
	int fd = openat(folder, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, mode);
	struct stat st;

	if (fd < 0)
		return errno == ELOOP || errno == EISDIR || errno == ENXIO
			       ? RV_E_REFUSED
			       : rv_err_from_errno(errno);
	if (fstat(fd, &st) != 0)
		return rv_err_from_errno(errno);
	if (!S_ISREG(st.st_mode))
		return RV_E_REFUSED;
	*ret_fd = rv_fd_take(&fd);
	return RV_OK;
}

int rv_file_open(const char *path, int flags, mode_t mode, int *ret_fd, struct rv_why *why)
{
	int err = rv_file_openat(AT_FDCWD, path, flags, mode, ret_fd);

	if (err == RV_E_REFUSED)
		return rv_fail(why, err, "%s is a symlink or not a regular file", path);
	if (err != RV_OK)
		return rv_fail(why, err, "cannot open %s: %m", path);
	return RV_OK;
}

int rv_file_read(const char *path, size_t max, struct rv_buf *buf, struct rv_why *why)
{
	RV_AUTO(rv_fd_close)
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int err;

	if (fd < 0)
		return rv_fail(why, rv_err_from_errno(errno), "cannot open %s: %m", path);
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return rv_fail(why, RV_E_REFUSED, "%s is a folder", path);
	err = rv_fd_read_buf(fd, max, buf);
	if (err == RV_E_TOOBIG)
		return rv_fail(why, err, "%s is larger than %zu bytes", path, max);
	if (err != RV_OK)
		return rv_fail(why, err, "cannot read %s: %s", path, rv_err_text(err));
	return RV_OK;
}

/* Content, mode and data on the disk; the caller unlinks ${name} on failure. */
static int fill(int folder, const char *name, const void *data, size_t size, mode_t mode)
{
	RV_AUTO(rv_fd_close)
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int err;

	if (fd < 0)
		return rv_err_from_errno(errno);
	err = rv_fd_write_all(fd, data, size);
	if (err != RV_OK)
		return err;
	if (fchmod(fd, mode) != 0 || fsync(fd) != 0)
		return rv_err_from_errno(errno);
	return RV_OK;
}

int rv_file_replace(const char *path, const void *data, size_t size, mode_t mode,
		    struct rv_why *why)
{
	RV_AUTO(rv_fd_close) int folder = -1;
	const char *base = rv_path_base(path);
	char text[RV_PATH_MAX];
	char temporary[64];
	int err = rv_path_folder(text, sizeof text, path);

	if (err != RV_OK || base[0] == '\0')
		return rv_fail(why, RV_E_TOOBIG, "%s is no file name", path);
	folder = open(text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return rv_fail(why, rv_err_from_errno(errno), "cannot open the folder %s: %m",
			       text);
	(void)snprintf(temporary, sizeof temporary, ".new-%016llx",
		       (unsigned long long)rv_random_u64());
	err = fill(folder, temporary, data, size, mode);
	if (err == RV_OK && renameat(folder, temporary, folder, base) != 0)
		err = rv_err_from_errno(errno);
	if (err != RV_OK) {
		int saved = errno;

		(void)unlinkat(folder, temporary, 0);
		errno = saved;
		return rv_fail(why, err, "cannot write %s: %m", path);
	}
	if (fsync(folder) != 0)
		return rv_fail(why, rv_err_from_errno(errno), "cannot sync %s: %m", text);
	return RV_OK;
}

int rv_file_remove(const char *path, struct rv_why *why)
{
	if (unlink(path) == 0 || errno == ENOENT)
		return RV_OK;
	return rv_fail(why, rv_err_from_errno(errno), "cannot remove %s: %m", path);
}

static int make_one(const char *path, mode_t mode, struct rv_why *why)
{
	struct stat st;

	/* mkdir takes the umask away, hence the chmod; it is ours: nobody else could have made it.
	 */
	if (mkdir(path, mode & 0777) == 0) {
		if (chmod(path, mode) == 0)
			return RV_OK;
	} else if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return RV_OK;
		return rv_fail(why, RV_E_REFUSED, "%s is not a folder", path);
	}
	return rv_fail(why, rv_err_from_errno(errno), "cannot make the folder %s: %m", path);
}

int rv_folder_make(const char *path, mode_t mode, struct rv_why *why)
{
	char part[RV_PATH_MAX];
	size_t length = strlen(path);

	if (length == 0 || length >= sizeof part)
		return rv_fail(why, RV_E_TOOBIG, "%s is no folder name", path);
	memcpy(part, path, length + 1);
	for (size_t i = 1; i <= length; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		if (part[i - 1] == '/')
			continue;
		part[i] = '\0';
		int err = make_one(part, mode, why);
		if (err != RV_OK)
			return err;
		part[i] = path[i];
	}
	return RV_OK;
}
