/*
 * The ballast: disk space put aside next to the store, because a full disk lets SQLite not even
 * delete.  It is given back when a write of the jobs that are there fails for want of room; new
 * jobs are refused while it cannot be put aside again.  Whoever writes; made by whoever
 * checkpoints.
 */
#include "store/sqlite.h"
#include "store/sqlite_log.h"

#include "base/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BALLAST_MIN (4LL << 20) /* the default threshold; a quarter more is kept */

static int64_t room(const struct rv_sqlite *s)
{
	struct statvfs fs;

	if (statvfs(s->path, &fs) != 0)
		return INT64_MAX;
	return (int64_t)(fs.f_bavail * fs.f_frsize);
}

void rv_sqlite_ballast_free(struct rv_sqlite *s)
{
	char path[RV_SQLITE_PATH_MAX];

	(void)snprintf(path, sizeof path, "%s.ballast", s->path);
	(void)unlink(path); /* not there: then there is nothing to give */
}

void rv_sqlite_ballast_make(struct rv_sqlite *s, int64_t bytes)
{
	char path[RV_SQLITE_PATH_MAX];
	struct stat st;
	int fd;

	PRE(bytes >= 0);
	bytes = bytes > BALLAST_MIN ? bytes : BALLAST_MIN;
	bytes += bytes / 4;
	(void)snprintf(path, sizeof path, "%s.ballast", s->path);
	if (stat(path, &st) == 0 || room(s) < 4 * bytes || stat(s->path, &st) != 0)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	/* Whoever may write the store may free it; an owner that cannot be given away stays ours.
	 */
	if (geteuid() == 0 && fchown(fd, st.st_uid, st.st_gid) != 0)
		bytes = 0;
	if (bytes == 0 || fchmod(fd, st.st_mode & 0660) != 0 || posix_fallocate(fd, 0, bytes) != 0)
		(void)unlink(path);
	(void)close(fd);
}

int rv_sqlite_room(struct rv_sqlite *s, struct rv_why *why)
{
	char path[RV_SQLITE_PATH_MAX];
	struct stat st;

	(void)snprintf(path, sizeof path, "%s.ballast", s->path);
	if (stat(path, &st) == 0 || room(s) >= BALLAST_MIN)
		return RV_OK;
	return rv_fail(
		why, RV_E_NOSPACE,
		"no room for new jobs: what is left on the disk of %s is kept for those that "
		"are there",
		s->given);
}
