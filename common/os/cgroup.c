/*
 * Groups of processes by cgroup v2.  Supervisor, workers, and who checks a configuration.  Must
 * never touch a group that is not a child of the folder that was delegated to us.  Only clear
 * allocates.
 */
#include "os/cgroup.h"

#include "base/attr.h"
#include "base/check.h"
#include "base/fault.h"
#include "os/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define TEXT_MAX      65536
#define DEPTH         8       /* a job may make groups within its own */
#define CPU_PERIOD_US 100000  /* the kernel's own default */
#define CPU_LONG_US   1000000 /* a quota is at least 1 ms */

static const char *const controller_names[] = {"memory", "cpu", "pids"};

const char *rv_cgroup_name(unsigned controller)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(controller_names); i++) {
		if (controller == 1U << i)
			return controller_names[i];
	}
	IMPOSSIBLE("a controller that is none");
}

unsigned rv_cgroup_wants(const struct rv_cgroup_limits *limits)
{
	return (limits->memory_bytes > 0 ? RV_CGROUP_MEMORY : 0U) |
	       (limits->cpu_milli > 0 ? RV_CGROUP_CPU : 0U) |
	       (limits->pids > 0 ? RV_CGROUP_PIDS : 0U);
}

static const char *proc_of(const char *proc)
{
	const char *other = NULL;

#ifdef RV_FAULTS
	other = getenv("RV_CGROUP_PROC"); /* tests: a machine of their own */
#endif
	return proc ? proc : other ? other : "/proc/self";
}

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

static bool may(const char *folder, const char *name, int mode)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof path, "%s/%s", folder, name);

	return n > 0 && (size_t)n < sizeof path && access(path, mode) == 0;
}

/* Where cgroup2 is mounted, and our group as that mount shows it: "" for its topmost. */
static int own_in(const char *proc, char *out, size_t space, const char **ret_point,
		  const char **ret_inner, struct rv_why *why)
{
	static char text[TEXT_MAX];
	static char own[PATH_MAX];
	char *root;
	char *point;
	size_t cut;
	int n;

	proc = proc_of(proc);
	if (!own_path(proc, own, sizeof own) ||
	    read_text(proc, "mountinfo", text, sizeof text) != RV_OK ||
	    !mount_of(text, &root, &point))
		return rv_fail(why, RV_E_NOTFOUND, "there is no cgroup v2 here");
	cut = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (strncmp(own, root, cut) != 0 || (own[cut] != '/' && own[cut] != '\0'))
		return rv_fail(why, RV_E_NOTFOUND, "our cgroup is not in %s", point);
	*ret_point = point;
	*ret_inner = strcmp(own + cut, "/") == 0 ? "" : own + cut;
	n = snprintf(out, space, "%s%s", point, *ret_inner);
	return n > 0 && (size_t)n < space
		       ? RV_OK
		       : rv_fail(why, RV_E_NOTFOUND, "our cgroup's path is too long");
}

int rv_cgroup_own(const char *proc, char *out, size_t space, struct rv_why *why)
{
	const char *point = "";
	const char *inner = "";

	PRE(space > 0);
	return own_in(proc, out, space, &point, &inner, why);
}

/* Whether ${text}, names between blanks, has each of ${controllers}; else the first it has not. */
static bool has_all(const char *text, unsigned controllers, const char **ret_lacks)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(controller_names); i++) {
		const char *name = controller_names[i];
		size_t size = strlen(name);
		const char *at = text;

		while ((controllers >> i & 1) != 0 && *at != '\0') {
			at += strspn(at, " \n");
			if (strncmp(at, name, size) == 0 && strchr(" \n", at[size]))
				break;
			at += strcspn(at, " \n");
		}
		if ((controllers >> i & 1) != 0 && *at == '\0') {
			*ret_lacks = name;
			return false;
		}
	}
	return true;
}

static int check_controllers(const char *folder, unsigned controllers, struct rv_why *why)
{
	const char *lacks = NULL;
	char text[1024] = "";
	int err = read_text(folder, "cgroup.controllers", text, sizeof text);

	if (err != RV_OK)
		return rv_fail(why, err == RV_E_NOTFOUND ? RV_E_NOTFOUND : RV_E_DENIED,
			       "%s/cgroup.controllers cannot be read: %s", folder,
			       rv_err_text(err));
	if (has_all(text, controllers, &lacks))
		return RV_OK;
	text[strcspn(text, "\n")] = '\0';
	return rv_fail(why, RV_E_NOTFOUND, "the controller %s is not in %s/cgroup.controllers (%s)",
		       lacks, folder, text[0] != '\0' ? text : "it has none");
}

int rv_cgroup_offers(const char *proc, unsigned controllers, struct rv_why *why)
{
	char own[PATH_MAX];
	const char *point = "";
	const char *inner = "";
	int err = own_in(proc, own, sizeof own, &point, &inner, why);

	return err == RV_OK ? check_controllers(point, controllers, why) : err;
}

int rv_cgroup_has(const char *name, struct rv_why *why)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(controller_names); i++) {
		if (strcmp(controller_names[i], name) == 0)
			return rv_cgroup_offers(NULL, 1U << i, why);
	}
	return rv_fail(why, RV_E_NOTFOUND, "nothing is limited by %s", name);
}

/* From the leaf that we made for ourselves to where we made it. */
static bool cut_leaf(char *folder)
{
	char *slash = strrchr(folder, '/');

	if (!slash || strcmp(slash + 1, RV_CGROUP_DAEMON) != 0)
		return false;
	*slash = '\0';
	return true;
}

int rv_cgroup_find(const char *proc, bool asked, char *out, size_t space, struct rv_why *why)
{
	const char *what = NULL;
	const char *point = "";
	const char *inner = "";
	int err;

	PRE(space > 0);
	out[0] = '\0';
	err = own_in(proc, out, space, &point, &inner, why);
	if (err != RV_OK) {
		out[0] = '\0';
		return err;
	}
	/* We made that leaf because we might: asked then, asked now. */
	if (inner[0] != '\0' && cut_leaf(out))
		asked = true;
	if (!may(out, ".", W_OK) || !may(out, "cgroup.procs", W_OK))
		what = "not ours to write";
	/* Written in groups that we make; that of the folder itself is never delegated. */
	else if (!may(out, "cgroup.kill", F_OK) && strcmp(out, point) != 0)
		what = "of a kernel before 5.14";
	else if (!is_delegated(out) && !(asked && strcmp(out, point) == 0))
		what = "not delegated to us (Delegate=yes of a service)";
	if (!what)
		return RV_OK;
	out[0] = '\0';
	return rv_fail(why, RV_E_NOTFOUND, "the cgroup %.100s is %s",
		       inner[0] != '\0' ? inner : "/", what);
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

/* An errno, 0: written. */
static int write_text(const char *path, const char *text)
{
	RV_AUTO(rv_fd_close) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : errno;
}

static int write_file(const char *base, const char *name, const char *file, const char *text,
		      struct rv_why *why)
{
	char path[PATH_MAX];
	int errnum =
		path_of(path, base, name, file) == RV_OK ? write_text(path, text) : ENAMETOOLONG;

	if (errnum == 0)
		return RV_OK;
	errno = errnum;
	return rv_fail(why, rv_err_from_errno(errnum), "%s to %s: %m", text, path);
}

int rv_cgroup_enter(const char *base, const char *name, pid_t pid, struct rv_why *why)
{
	char text[16];

	(void)snprintf(text, sizeof text, "%d", (int)pid);
	return write_file(base, name, "/cgroup.procs", text, why);
}

/* "+memory +pids" */
static void words_of(unsigned controllers, char sign, char out[32])
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < RV_ARRAY_LEN(controller_names); i++) {
		if ((controllers >> i & 1) != 0)
			used += (size_t)snprintf(out + used, 32 - used, "%s%c%s",
						 used > 0 ? " " : "", sign, controller_names[i]);
	}
}

int rv_cgroup_enable(const char *base, unsigned controllers, struct rv_why *why)
{
	char path[PATH_MAX];
	char text[1024] = "";
	const char *lacks;
	int errnum;
	int n = snprintf(path, sizeof path, "%s/cgroup.subtree_control", base);
	int err = check_controllers(base, controllers, why);

	if (err != RV_OK)
		return err;
	err = RV_FAULT(cgroup_enable);
	if (err != RV_OK)
		return rv_fail(why, err, "fault point cgroup_enable");
	if (n < 0 || (size_t)n >= sizeof path)
		return rv_fail(why, RV_E_TOOBIG, "the path of %.100s is too long", base);
	if (read_text(base, "cgroup.subtree_control", text, sizeof text) == RV_OK &&
	    has_all(text, controllers, &lacks))
		return RV_OK;
	words_of(controllers, '+', text);
	errnum = write_text(path, text);
	if (errnum == 0)
		return RV_OK;
	errno = errnum;
	if (errnum == EBUSY)
		return rv_fail(why, RV_E_BUSY, "other processes than ours are in %s", base);
	return rv_fail(why, rv_err_from_errno(errnum), "%s to %s: %m", text, path);
}

bool rv_cgroup_is_top(const char *base)
{
	/* Every group has it but the machine's topmost. */
	return !may(base, "cgroup.events", F_OK) && errno == ENOENT;
}

void rv_cgroup_leave(const char *base)
{
	char path[PATH_MAX];
	char text[64];
	char *end;
	int n = snprintf(path, sizeof path, "%s/" RV_CGROUP_DAEMON, base);

	if (n < 0 || (size_t)n >= sizeof path ||
	    read_text(path, "cgroup.procs", text, sizeof text) != RV_OK)
		return;
	/* Another daemon, or what does not end: then it stays, and so do the limits. */
	if (strtol(text, &end, 10) != getpid() || strcmp(end, "\n") != 0)
		return;
	(void)snprintf(path, sizeof path, "%s/cgroup.subtree_control", base);
	words_of(RV_CGROUP_MEMORY | RV_CGROUP_CPU | RV_CGROUP_PIDS, '-', text);
	if (write_text(path, text) != 0)
		return;
	(void)snprintf(path, sizeof path, "%s/cgroup.procs", base);
	if (write_text(path, "0") == 0)
		(void)!rv_cgroup_remove(base, RV_CGROUP_DAEMON);
}

static int limit_memory(const char *base, const char *name, int64_t bytes, struct rv_why *why)
{
	struct rv_why none;
	char text[32];

	(void)snprintf(text, sizeof text, "%lld", (long long)bytes);
	/* A run without its largest process is no run; and swap would make it slow instead of
	 * ended. A kernel without swap has no such file. */
	(void)!write_file(base, name, "/memory.oom.group", "1", &none);
	(void)!write_file(base, name, "/memory.swap.max", "0", &none);
	return write_file(base, name, "/memory.max", text, why);
}

int rv_cgroup_limit(const char *base, const char *name, const struct rv_cgroup_limits *limits,
		    struct rv_why *why)
{
	char text[64];
	int err = RV_OK;

	if (limits->memory_bytes > 0)
		err = limit_memory(base, name, limits->memory_bytes, why);
	if (err == RV_OK && limits->cpu_milli > 0) {
		int period = limits->cpu_milli >= 10 ? CPU_PERIOD_US : CPU_LONG_US;

		(void)snprintf(text, sizeof text, "%lld %d",
			       (long long)limits->cpu_milli * (period / 1000), period);
		err = write_file(base, name, "/cpu.max", text, why);
	}
	if (err == RV_OK && limits->pids > 0) {
		(void)snprintf(text, sizeof text, "%d", limits->pids);
		err = write_file(base, name, "/pids.max", text, why);
	}
	return err;
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

/* As the kernel has it; readdir() would allocate. */
struct entry {
	uint64_t inode;
	int64_t next;
	unsigned short size;
	unsigned char type;
	char name[];
};

/* rmdir of what is in the folder ${fd}, deepest first.  The files there are the kernel's. */
static void remove_inner(int fd, int depth)
{
	union {
		struct entry first;
		char bytes[2048];
	} room;
	long got;

	while (depth > 0 && (got = syscall(SYS_getdents64, fd, &room, sizeof room)) > 0) {
		for (long at = 0; at < got;) {
			const struct entry *entry = (const void *)(room.bytes + at);
			int inner = -1;

			at += entry->size;
			if (entry->type != DT_DIR || entry->name[0] == '.' ||
			    unlinkat(fd, entry->name, AT_REMOVEDIR) == 0)
				continue;
			inner = openat(fd, entry->name,
				       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (inner < 0)
				continue;
			remove_inner(inner, depth - 1);
			rv_fd_close(&inner);
			(void)unlinkat(fd, entry->name, AT_REMOVEDIR);
		}
	}
}

static int remove_tree(const char *path)
{
	RV_AUTO(rv_fd_close) int fd = -1;

	if (rmdir(path) == 0 || errno == ENOENT)
		return RV_OK;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		remove_inner(fd, DEPTH);
	return rmdir(path) == 0 || errno == ENOENT ? RV_OK : rv_err_from_errno(errno);
}

int rv_cgroup_remove(const char *base, const char *name)
{
	char path[PATH_MAX];
	int err = path_of(path, base, name, "");

	return err == RV_OK ? remove_tree(path) : err;
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
		    rv_cgroup_kill(base, entry->d_name) != RV_OK || remove_tree(path) != RV_OK)
			left++;
	}
	(void)closedir(dir);
	*ret_left = left;
	return RV_OK;
}
