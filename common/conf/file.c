/*
 * Reading whole files that decide what runs: the INI files and env_file.  Whoever loads a
 * configuration, and workers.  It never follows what is not a regular file (a FIFO would block, a
 * directory reads as empty), nor believes a file that somebody else can write.
 */
#include "conf/file.h"

#include "base/buf.h"
#include "base/check.h"
#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CHUNK RV_LIMIT(65536u, 64u)

static int check_trust(const struct stat *st, struct rv_why *why)
{
	if (S_ISDIR(st->st_mode))
		return rv_fail(why, RV_E_CONF, "is a directory");
	if (!S_ISREG(st->st_mode))
		return rv_fail(why, RV_E_CONF, "is not a regular file");
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return rv_fail(why, RV_E_CONF,
			       "belongs to user %u: it must belong to root or to user %u",
			       (unsigned)st->st_uid, (unsigned)geteuid());
	if ((st->st_mode & 022) != 0)
		return rv_fail(why, RV_E_CONF, "others can write it (mode %04o): chmod go-w",
			       (unsigned)st->st_mode & 07777u);
	if (st->st_size > RV_CONF_TEXT_MAX)
		return rv_fail(why, RV_E_CONF, "is larger than 64 MiB");
	return RV_OK;
}

int rv_conf_file_open(const char *path, int *ret_fd, struct stat *ret_stat, struct rv_why *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int err;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return rv_fail(why, RV_E_CONF, "does not exist");
	if (fd < 0)
		return rv_fail(why, RV_E_IO, "cannot be opened: %m");
	if (fstat(fd, ret_stat) != 0)
		err = rv_fail(why, RV_E_IO, "cannot be looked at: %m");
	else
		err = check_trust(ret_stat, why);
	if (err) {
		(void)close(fd);
		return err;
	}
	*ret_fd = fd;
	return RV_OK;
}

int rv_conf_file_slurp(int fd, struct rv_buf *out, struct rv_why *why)
{
	size_t before = out->size;

	for (;;) {
		ssize_t got;

		if (rv_buf_reserve(out, CHUNK) != RV_OK)
			return rv_fail(why, RV_E_NOMEM, "out of memory");
		/* By our own count: children that start together share the offset of the file. */
		got = pread(fd, out->data + out->size, CHUNK, (off_t)(out->size - before));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return rv_fail(why, RV_E_IO, "cannot be read: %m");
		if (got == 0)
			return RV_OK;
		out->size += (size_t)got;
		out->data[out->size] = '\0';
		if (out->size > RV_CONF_TEXT_MAX)
			return rv_fail(why, RV_E_CONF, "is larger than 64 MiB");
	}
}

int rv_conf_file_read(const char *path, struct rv_buf *out, struct rv_why *why)
{
	struct stat st;
	int fd = -1;
	int err = rv_conf_file_open(path, &fd, &st, why);

	if (err == RV_OK) {
		err = rv_conf_file_slurp(fd, out, why);
		(void)close(fd);
	}
	return err ? rv_wrap(why, err, "%s", path) : RV_OK;
}
