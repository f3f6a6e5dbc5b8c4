/*
 * Removing a folder with all that is in it.  Worker processes.  The tree was made by a job, so it
 * may be of any depth, unreadable, full of links: must never follow one, nor need a descriptor for
 * each level.
 */
#include "os/tree.h"

#include "base/attr.h"
#include "base/seam.h"
#include "os/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH 32 /* below that a folder is moved up first */

struct removal {
	int top;
	int64_t end_us;
	unsigned moved; /* folders, to the top */
};

/* Our own may be closed to us; nobody's else are opened (root needs no permission). */
static int open_folder(int folder, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(folder, name, flags);

	if (fd < 0 && errno == EACCES && fchmodat(folder, name, 0700, 0) == 0)
		fd = openat(folder, name, flags);
	return fd;
}

static int empty(struct removal *removal, int fd, int depth);

static int remove_folder(struct removal *removal, int folder, const char *name, int depth)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	int err;

	if (depth >= DEPTH) {
		char up[32];

		removal->moved++;
		(void)snprintf(up, sizeof(up), ".up-%016llx", (unsigned long long)rv_random_u64());
		return renameat(folder, name, removal->top, up) == 0 ? RV_OK
								     : rv_err_from_errno(errno);
	}
	fd = open_folder(folder, name);
	if (fd < 0)
		return errno == ENOENT ? RV_OK : rv_err_from_errno(errno);
	err = empty(removal, fd, depth + 1);
	if (err == RV_OK && unlinkat(folder, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
		err = rv_err_from_errno(errno);
	return err;
}

static int remove_entry(struct removal *removal, int folder, const char *name, int depth)
{
	if (rv_mono_us() > removal->end_us)
		return RV_E_BUSY;
	if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
		return RV_OK;
	/* A folder of ours may be one that we may not write to. */
	if (errno == EACCES && fchmod(folder, 0700) == 0 && unlinkat(folder, name, 0) == 0)
		return RV_OK;
	if (errno != EISDIR)
		return rv_err_from_errno(errno);
	return remove_folder(removal, folder, name, depth);
}

/* Everything in the folder ${fd}, which stays the caller's. */
static int empty(struct removal *removal, int fd, int depth)
{
	const struct dirent *entry;
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own >= 0 ? fdopendir(own) : NULL;
	int err = RV_OK;

	if (!dir) {
		err = rv_err_from_errno(errno);
		rv_fd_close(&own);
		return err;
	}
	while (err == RV_OK && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			err = remove_entry(removal, fd, entry->d_name, depth);
	}
	(void)closedir(dir);
	return err;
}

int rv_tree_remove(const char *path, int64_t budget_us)
{
	struct removal removal = {.end_us = rv_mono_us() + budget_us};
	RV_AUTO(rv_fd_close) int fd = open_folder(AT_FDCWD, path);
	unsigned moved;
	int err;

	if (fd < 0)
		return errno == ENOENT ? RV_OK : rv_err_from_errno(errno);
	removal.top = fd;
	do {
		moved = removal.moved;
		err = empty(&removal, fd, 0);
	} while (err == RV_OK && moved != removal.moved);
	if (err == RV_OK && rmdir(path) != 0 && errno != ENOENT)
		err = errno == ENOTEMPTY ? RV_E_BUSY : rv_err_from_errno(errno);
	return err;
}
