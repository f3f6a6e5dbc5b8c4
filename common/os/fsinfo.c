/*
 * What lies under a path.  Keeper, worker, CLI, before and while a store is open; must never open
 * the file itself (closing it would drop SQLite's locks): stat, statfs and readlink only.
 */
#include "os/fsinfo.h"

#include "base/attr.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static const struct row {
	uint64_t magic;
	const char *name;
	enum rv_fs_verdict verdict;
} rows[] = {
#define FS(number, word, judgement) {number, word, judgement},
#include "os/filesystems.def"
#undef FS
};

struct rv_fs rv_fs_judge(uint64_t magic)
{
	struct rv_fs fs = {.verdict = RV_FS_FINE};

	for (size_t i = 0; i < RV_ARRAY_LEN(rows); i++) {
		if (rows[i].magic != magic)
			continue;
		fs.verdict = rows[i].verdict;
		(void)snprintf(fs.name, sizeof fs.name, "%s", rows[i].name);
		return fs;
	}
	(void)snprintf(fs.name, sizeof fs.name, "0x%llx", (unsigned long long)magic);
	return fs;
}

int rv_fs_look(const char *path, struct rv_fs *ret_fs, struct rv_why *why)
{
	char folder[RV_PATH_MAX];
	struct statfs info;
	int rc = statfs(path, &info);

	if (rc != 0 && errno == ENOENT) {
		int err = rv_path_folder(folder, sizeof folder, path);

		if (err != RV_OK)
			return rv_fail(why, err, "%s is too long", path);
		rc = statfs(folder, &info);
	}
	if (rc != 0)
		return rv_fail(why, rv_err_from_errno(errno), "cannot look at %s: %m", path);
	/* The field is signed where the numbers are not (cifs). */
	*ret_fs = rv_fs_judge((uint64_t)info.f_type & 0xffffffffULL);
	return RV_OK;
}

int rv_fs_plain_file(const char *path, struct rv_why *why)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return rv_fail(why, rv_err_from_errno(errno), "cannot look at %s: %m", path);
	if (S_ISLNK(st.st_mode))
		return rv_fail(why, RV_E_REFUSED, "%s is a symlink", path);
	if (!S_ISREG(st.st_mode))
		return rv_fail(why, RV_E_REFUSED, "%s is not a regular file", path);
	if (st.st_nlink != 1)
		return rv_fail(why, RV_E_REFUSED, "%s has %lu names (hard links)", path,
			       (unsigned long)st.st_nlink);
	return RV_OK;
}

int rv_fs_identity(const char *path, struct rv_fs_id *ret_id)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return rv_err_from_errno(errno);
	*ret_id = (struct rv_fs_id){.dev = st.st_dev, .ino = st.st_ino};
	return RV_OK;
}

bool rv_fs_same(const struct rv_fs_id *a, const struct rv_fs_id *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

int rv_fs_pidns(pid_t pid, uint64_t *ret_inode)
{
	char path[48] = "/proc/self/ns/pid";
	struct stat st;

	if (pid != 0)
		(void)snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)pid);
	if (stat(path, &st) != 0)
		return rv_err_from_errno(errno);
	*ret_inode = st.st_ino;
	return RV_OK;
}
