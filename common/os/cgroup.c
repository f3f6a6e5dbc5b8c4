/*
 * Groups of processes by cgroup v2.  Supervisor only.  Must never touch a group that is not a child
 * of the folder that was delegated to us.  make, kill and remove allocate nothing.
 */
#include "os/cgroup.h"

#include "base/attr.h"
#include "base/check.h"
#include "os/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define TEXT_MAX 65536
#define DEPTH    8 /* a job may make groups within its own */

static int read_text(const char *folder, const char *name, char *out, size_t space)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	char path[PATH_MAX];
	size_t got = 0;
	int n = snprintf(path, sizeof path, "%s/%s", folder, name);

	if (n < 0 || (size_t)n >= sizeof path)
		return RV_E_TOOBIG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return rv_err_from_errno(errno);
	if (rv_fd_read_all(fd, out, space - 1, &got) != RV_OK)
		return RV_E_IO;
	out[got] = '\0';
	return RV_OK;
}

/* The path behind "0::" of proc/self/cgroup; false: none. */
static bool own_path(const char *proc, char *out, size_t space)
{
	char text[4096];
	char *at = NULL;

	if (read_text(proc, "cgroup", text, sizeof text) != RV_OK)
		return false;
	if (strncmp(text, "0::/", 4) == 0)
		at = text + 3;
	else if ((at = strstr(text, "\n0::/")) != NULL)
		at += 4;
	if (!at)
		return false;
	at[strcspn(at, "\n")] = '\0';
	return (size_t)snprintf(out, space, "%s", at) < space;
}

/* Where cgroup2 is mounted, and which folder of it that is: "ID PARENT DEV ROOT POINT … - cgroup2
 * …" */
static bool mount_of(char *text, char **ret_root, char **ret_point)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *words[5];
		char *rest = line;
		int n = 0;

		if (!strstr(line, " - cgroup2 "))
			continue;
		while (n < 5 && (words[n] = strsep(&rest, " ")) != NULL)
			n++;
		/* A path with blanks is written in octal; nobody mounts it there. */
		if (n < 5 || strchr(words[4], '\\') || strchr(words[3], '\\'))
			continue;
		*ret_root = words[3];
		*ret_point = words[4];
		return true;
	}
	return false;
}

/* systemd marks what it delegates (org.freedesktop.systemd, "Delegation"); who is not root and may
 * write there needs no mark. */
static bool is_delegated(const char *folder)
{
	static const char *const marks[] = {"trusted.delegate", "user.delegate"};
	char value[4];

	if (geteuid() != 0)
		return true;
	for (size_t i = 0; i < RV_ARRAY_LEN(marks); i++) {
		if (getxattr(folder, marks[i], value, sizeof value) == 1 && value[0] == '1')
			return true;
	}
	return false;
}

static bool may_write(const char *folder, const char *name)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof path, "%s/%s", folder, name);

	return n > 0 && (size_t)n < sizeof path && access(path, W_OK) == 0;
}

int rv_cgroup_find(const char *proc, char *out, size_t space, struct rv_why *why)
{
	static char text[TEXT_MAX];
	char own[PATH_MAX];
	char *root;
	char *point;
	size_t cut;
	int n;

	PRE(space > 0);
	out[0] = '\0';
	if (!own_path(proc, own, sizeof own) ||
	    read_text(proc, "mountinfo", text, sizeof text) != RV_OK ||
	    !mount_of(text, &root, &point))
		return rv_fail(why, RV_E_NOTFOUND, "there is no cgroup v2 here");
	cut = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (strncmp(own, root, cut) != 0 || (own[cut] != '/' && own[cut] != '\0'))
		return rv_fail(why, RV_E_NOTFOUND, "our cgroup is not in %s", point);
	n = snprintf(out, space, "%s%s", point, strcmp(own + cut, "/") == 0 ? "" : own + cut);
	if (n > 0 && (size_t)n < space && may_write(out, ".") && may_write(out, "cgroup.procs") &&
	    may_write(out, "cgroup.kill") && is_delegated(out))
		return RV_OK;
	out[0] = '\0';
	return rv_fail(why, RV_E_NOTFOUND,
		       "the cgroup %.100s is not ours to write, not delegated, or too old", own);
}

static int path_of(char *out, const char *base, const char *name, const char *file)
{
	int n = snprintf(out, PATH_MAX, "%s/%s%s", base, name, file);

	PRE(base[0] == '/' && name[0] != '\0' && name[0] != '.' && !strchr(name, '/'));
	return n < 0 || n >= PATH_MAX ? RV_E_TOOBIG : RV_OK;
}

int rv_cgroup_make(const char *base, const char *name)
{
	char path[PATH_MAX];
	int err = path_of(path, base, name, "");

	if (err != RV_OK || mkdir(path, 0755) == 0 || errno == EEXIST)
		return err;
	return rv_err_from_errno(errno);
}

int rv_cgroup_kill(const char *base, const char *name)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	char path[PATH_MAX];
	int err = path_of(path, base, name, "/cgroup.kill");

	if (err != RV_OK)
		return err;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? rv_err_from_errno(errno) : rv_fd_write_all(fd, "1", 1);
}

int rv_cgroup_remove(const char *base, const char *name)
{
	char path[PATH_MAX];
	int err = path_of(path, base, name, "");

	if (err != RV_OK || rmdir(path) == 0 || errno == ENOENT)
		return err;
	return rv_err_from_errno(errno);
}

/* rmdir, deepest first.  The files in it are the kernel's and go with it. */
static int remove_tree(const char *path, int depth)
{
	struct dirent *entry;
	DIR *dir;

	if (rmdir(path) == 0 || errno == ENOENT)
		return RV_OK;
	dir = depth > 0 ? opendir(path) : NULL;
	while (dir && (entry = readdir(dir)) != NULL) {
		char inner[PATH_MAX];
		int n = snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);

		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' && n > 0 &&
		    (size_t)n < sizeof inner && remove_tree(inner, depth - 1) != RV_OK)
			break;
	}
	if (dir)
		(void)closedir(dir);
	return rmdir(path) == 0 || errno == ENOENT ? RV_OK : rv_err_from_errno(errno);
}

int rv_cgroup_clear(const char *base, const char *prefix, int *ret_left)
{
	const struct dirent *entry;
	DIR *dir = opendir(base);
	int left = 0;

	PRE(prefix[0] != '\0' && prefix[0] != '.');
	if (!dir)
		return rv_err_from_errno(errno);
	while ((entry = readdir(dir)) != NULL) {
		char path[PATH_MAX];

		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		if (path_of(path, base, entry->d_name, "") != RV_OK ||
		    rv_cgroup_kill(base, entry->d_name) != RV_OK ||
		    remove_tree(path, DEPTH) != RV_OK)
			left++;
	}
	(void)closedir(dir);
	*ret_left = left;
	return RV_OK;
}
