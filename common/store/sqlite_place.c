/*
 * Where a database may live, and making its empty file.  Every process that opens a store, before
 * SQLite sees the path.  Never opens a database file that has anything in it.
 */
#include "store/sqlite.h"
#include "store/sqlite_place.h"

#include "base/check.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folder resolved (it may be reached by links), the file's own name as it is. */
static int resolve(const char *path, char **ret_path, char **ret_given, struct rv_why *why)
{
	char folder[PATH_MAX];
	char real[PATH_MAX];
	char cwd[PATH_MAX] = "";
	char *joined;
	char *given;
	int err = rv_path_folder(folder, sizeof folder, path);

	PRE(path);
	if (err != RV_OK)
		return rv_fail(why, err, "%s: the path is too long", path);
	if (!realpath(folder, real))
		return rv_fail(why, rv_err_from_errno(errno), "cannot find the folder %s: %m",
			       folder);
	if (path[0] != '/' && !getcwd(cwd, sizeof cwd))
		return rv_fail(why, rv_err_from_errno(errno), "cannot tell where we are: %m");
	if (asprintf(&joined, "%s%s%s", real, strcmp(real, "/") == 0 ? "" : "/",
		     rv_path_base(path)) < 0)
		return RV_E_NOMEM;
	if (asprintf(&given, "%s%s%s", cwd, path[0] == '/' ? "" : "/", path) < 0) {
		free(joined);
		return RV_E_NOMEM;
	}
	*ret_path = joined;
	*ret_given = given;
	return RV_OK;
}

int rv_sqlite_dress(int fd, const char *path, gid_t group, struct rv_why *why)
{
	char folder[PATH_MAX];
	struct stat st;
	uid_t uid = (uid_t)-1;
	gid_t gid = group;

	PRE(fd >= 0);
	if (rv_path_folder(folder, sizeof folder, path) != RV_OK || stat(folder, &st) != 0)
		return rv_fail(why, RV_E_IO, "cannot look at the folder of %s: %m", path);
	if (geteuid() == 0) {
		uid = st.st_uid;
		if (gid == (gid_t)-1)
			gid = st.st_gid;
	}
	if ((uid != (uid_t)-1 || gid != (gid_t)-1) && fchown(fd, uid, gid) != 0)
		return rv_fail(why, rv_err_from_errno(errno), "cannot give %s its owner: %m", path);
	if (fchmod(fd, group == (gid_t)-1 ? 0600 : 0660) != 0)
		return rv_fail(why, rv_err_from_errno(errno), "cannot set the mode of %s: %m",
			       path);
	return RV_OK;
}

/*
 * An empty file appears under its name only when it has its owner and mode.  Two who make it at
 * once both find it made.  Nobody of this process can have it open: it did not exist.
 */
static int make_empty(const char *path, gid_t group, struct rv_why *why)
{
	char *fresh;
	int err;
	int fd;

	if (asprintf(&fresh, "%s.new-%llx", path, (unsigned long long)rv_random_u64()) < 0)
		return RV_E_NOMEM;
	fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		err = rv_fail(why, rv_err_from_errno(errno), "cannot make %s: %m", path);
		free(fresh);
		return err;
	}
	err = rv_sqlite_dress(fd, path, group, why);
	if (err == RV_OK && renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_NOREPLACE) != 0 &&
	    errno != EEXIST)
		err = rv_fail(why, rv_err_from_errno(errno), "cannot make %s: %m", path);
	(void)unlink(fresh); /* still there only if it was not needed */
	(void)close(fd);
	free(fresh);
	return err;
}

/* The words of os, but the error of a configuration that names the wrong place. */
static int plain(const char *path, struct rv_why *why)
{
	int err = rv_fs_plain_file(path, why);

	if (err == RV_E_REFUSED)
		return rv_wrap(why, RV_E_CONF, "a store must be a plain file");
	return err;
}

int rv_sqlite_place(struct rv_sqlite *s, const struct rv_store_open *how, bool *ret_fresh,
		    struct rv_why *why)
{
	struct stat st;
	struct rv_fs fs;
	int err = resolve(how->path, &s->path, &s->given, why);

	if (err == RV_OK)
		err = rv_fs_look(s->path, &fs, why);
	if (err != RV_OK)
		return err;
	if (fs.verdict == RV_FS_REFUSED)
		return rv_fail(why, RV_E_CONF,
			       "%s lies on %s, where the locks of a store do not hold: put it on a "
			       "local disk",
			       s->given, fs.name);
	err = plain(s->path, why);
	if (err == RV_E_NOTFOUND) {
		if (!how->create || how->read_only)
			return rv_fail(why, err, "there is no store at %s", s->given);
		err = make_empty(s->path, how->group, why);
		if (err == RV_OK)
			err = plain(s->path, why);
	}
	if (err != RV_OK)
		return err;
	if (stat(s->path, &st) != 0)
		return rv_fail(why, rv_err_from_errno(errno), "cannot look at %s: %m", s->given);
	if (st.st_size == 0 && (!how->create || how->read_only))
		return rv_fail(why, RV_E_SCHEMA, "%s is empty: it is not a store", s->given);
	*ret_fresh = st.st_size == 0;
	return rv_fs_identity(s->path, &s->id);
}

char *rv_sqlite_uri(const char *path, const char *query)
{
	static const char hex[] = "0123456789ABCDEF";
	struct rv_buf buf;
	int err;

	PRE(path && query);
	rv_buf_init(&buf);
	err = rv_buf_str(&buf, "file:");
	for (const char *at = path; err == RV_OK && *at != '\0'; at++) {
		unsigned char c = (unsigned char)*at;
		char escaped[4] = {'%', hex[c >> 4], hex[c & 15], '\0'};

		if (strchr("?#%", c))
			err = rv_buf_str(&buf, escaped);
		else
			err = rv_buf_add(&buf, at, 1);
	}
	if (err == RV_OK)
		err = rv_buf_str(&buf, query);
	if (err != RV_OK) {
		rv_buf_fini(&buf);
		return NULL;
	}
	return rv_buf_take(&buf);
}
