/*
 * The child between clone and exec.  It shares the parent's memory (the parent is stopped), so it
 * may write only to its own stack and to the report; it allocates nothing, takes no lock, runs no
 * handler, and leaves by exec or _exit.  Privileges are dropped in the order of the reliability
 * reference §4: what needs them first, then groups, gid, uid, a proof that there is no way back,
 * then no_new_privs, limits, the parent's death signal (a change of uid clears it), and only then
 * exec.
 */
#include "os/spawn_child.h"

#include "base/attr.h"
#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sanitizers keep state per stack; this one is not theirs and is never unwound. */
#define CHILD_SIDE __attribute__((no_sanitize("address"), no_sanitize("undefined")))

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

static const char *const step_texts[] = {
#define STEP(sym, text) [RV_STEP_##sym] = text,
#include "os/spawn_steps.def"
#undef STEP
};

const char *rv_spawn_step_text(int step)
{
	return step > 0 && step < RV_STEPS ? step_texts[step] : "?";
}

/* Ignored signals and the blocked mask survive exec: everything back to default (F12). */
CHILD_SIDE static void reset_dispositions(void)
{
	struct sigaction deflt = {.sa_handler = SIG_DFL};

	for (int signo = 1; signo < NSIG; signo++) {
		if (signo != SIGKILL && signo != SIGSTOP)
			(void)sigaction(signo, &deflt, NULL);
	}
}

CHILD_SIDE static void empty_mask(void)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Closes every descriptor but the ${count} in ${keep}; the report's is close-on-exec. */
CHILD_SIDE static void close_others(const int *keep, size_t count, int report_fd)
{
	unsigned from = 0;

	for (;;) {
		unsigned next = UINT_MAX;

		for (size_t i = 0; i <= count; i++) {
			int fd = i < count ? keep[i] : report_fd;

			if (fd >= 0 && (unsigned)fd >= from && (unsigned)fd < next)
				next = (unsigned)fd;
		}
		if (next > from)
			(void)syscall(SYS_close_range, from, next == UINT_MAX ? UINT_MAX : next - 1,
				      0);
		if (next == UINT_MAX)
			return;
		from = next + 1;
	}
}

/* Each descriptor to its number, whatever numbers overlap.  0 or an errno. */
CHILD_SIDE static int place_fds(const struct rv_spawn *how, int report_fd)
{
	struct rv_spawn_fd all[RV_SPAWN_FDS + 3];
	int numbers[RV_SPAWN_FDS + 3] = {0};
	size_t count = 0;
	int high = 3;

	for (; count < how->nfds; count++)
		all[count] = how->fds[count];
	for (int std = 0; std <= 2; std++) {
		size_t i = 0;

		while (i < how->nfds && how->fds[i].to != std)
			i++;
		if (i == how->nfds)
			all[count++] = (struct rv_spawn_fd){.from = -1, .to = std};
	}
	/* First make room: a parent that is short of descriptors can still start children (F36). */
	for (size_t i = 0; i < count; i++) {
		numbers[i] = all[i].from;
		if (all[i].to >= high)
			high = all[i].to + 1;
	}
	close_others(numbers, count, report_fd);
	if (report_fd >= high)
		high = report_fd + 1;
	for (size_t i = 0; i < count; i++) {
		int from = all[i].from;
		int null = -1;

		if (from < 0)
			from = null = open("/dev/null", O_RDWR | O_CLOEXEC);
		numbers[i] = from < 0 ? -1 : fcntl(from, F_DUPFD_CLOEXEC, high);
		if (numbers[i] < 0)
			return errno;
		if (null >= 0)
			(void)close(null);
	}
	for (size_t i = 0; i < count; i++) {
		if (dup2(numbers[i], all[i].to) < 0)
			return errno;
		numbers[i] = all[i].to;
	}
	close_others(numbers, count, report_fd);
	return 0;
}

/* 0 or an errno: a lower score needs a privilege, and /proc may be absent. */
CHILD_SIDE static int set_oom_score(int score)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	char digits[12];
	char *at = digits + sizeof digits;
	unsigned rest = score < 0 ? 0U - (unsigned)score : (unsigned)score;
	int errnum = 0;

	if (fd < 0)
		return errno;
	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0);
	if (score < 0)
		*--at = '-';
	if (write(fd, at, (size_t)(digits + sizeof digits - at)) < 0)
		errnum = errno;
	(void)close(fd);
	return errnum;
}

/* What of the machine it gets, while we may still say so.  0 or an errno. */
CHILD_SIDE static int set_shares(const struct rv_spawn *how, int *ret_step)
{
	int errnum = how->oom_score_adj != 0 ? set_oom_score(how->oom_score_adj) : 0;

	*ret_step = RV_STEP_OOM;
	if (errnum != 0 && how->oom_score_must)
		return errnum;
	*ret_step = RV_STEP_NICE;
	errno = 0;
	if (how->nice != 0 && nice(how->nice) == -1 && errno != 0)
		return errno;
	*ret_step = RV_STEP_IONICE;
	if (how->ioprio != 0 && syscall(SYS_ioprio_set, 1 /* a process */, 0, how->ioprio) != 0)
		return errno;
	*ret_step = RV_STEP_CPUS;
	if (how->cpus &&
	    syscall(SYS_sched_setaffinity, 0, (size_t)RV_SPAWN_CPUS / 8, how->cpus) != 0)
		return errno;
	return 0;
}

/* "0" is the process that writes it.  0 or an errno. */
CHILD_SIDE static int join_cgroup(const char *folder)
{
	int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = dir < 0 ? -1 : openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	int errnum = fd < 0 || write(fd, "0", 1) != 1 ? errno : 0;

	if (fd >= 0)
		(void)close(fd);
	if (dir >= 0)
		(void)close(dir);
	return errnum;
}

/* Real, effective and saved: a saved root would be a way back. */
CHILD_SIDE static int is_already(const struct rv_spawn *how)
{
	uid_t uid[3];
	gid_t gid[3];

	if (getresuid(&uid[0], &uid[1], &uid[2]) != 0 || getresgid(&gid[0], &gid[1], &gid[2]) != 0)
		return 0;
	for (int i = 0; i < 3; i++) {
		if (uid[i] != how->uid || gid[i] != how->gid)
			return 0;
	}
	return 1;
}

/* The library's functions would stop all threads of the parent first: the plain calls. */
CHILD_SIDE static int switch_user(const struct rv_spawn *how)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}, {0}};

	if (how->uid != 0 && is_already(how))
		return 0; /* and not allowed to set groups */
	if (syscall(SYS_setgroups, how->ngroups, how->groups) != 0 ||
	    syscall(SYS_setresgid, how->gid, how->gid, how->gid) != 0 ||
	    syscall(SYS_setresuid, how->uid, how->uid, how->uid) != 0)
		return errno;
	if (!is_already(how))
		return EPERM;
	if (how->uid == 0)
		return 0;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, none) != 0)
		return errno;
	if (syscall(SYS_setresuid, 0, 0, 0) == 0 || syscall(SYS_setresuid, -1, 0, -1) == 0)
		return EPERM; /* there is a way back to root: rather not at all */
	return 0;
}

CHILD_SIDE static int set_limits(const struct rv_spawn *how, size_t *ret_limit)
{
	for (size_t i = 0; i < how->nlimits; i++) {
		*ret_limit = i;
		if (syscall(SYS_prlimit64, 0, how->limits[i].resource, &how->limits[i].limit,
			    NULL) != 0)
			return errno;
	}
	return 0;
}

CHILD_SIDE static int die_with_parent(const struct rv_spawn_job *job)
{
	if (prctl(PR_SET_PDEATHSIG, job->how->parent_death_signal) != 0)
		return errno;
	if (getppid() != job->parent)
		_exit(127); /* it died before we asked: nobody reads a report */
	return 0;
}

CHILD_SIDE static const char *find_path(char *const *envp)
{
	for (; envp && *envp; envp++) {
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	}
	return DEFAULT_PATH;
}

/* The system call itself: a coverage build's execve() would write files, in the parent's memory. */
CHILD_SIDE static int execute(const char *file, char *const *argv, char *const *envp)
{
	(void)syscall(SYS_execve, file, argv, envp);
	return errno;
}

/* execvp's rules, but along the PATH the child will have, and without its fall-back to a shell. */
CHILD_SIDE static int search_and_exec(const struct rv_spawn *how, char *const *envp)
{
	const char *name = how->argv[0];
	const char *path = find_path(envp);
	size_t length = strlen(name);
	int denied = 0;

	if (length == 0)
		return ENOENT;
	for (;;) {
		size_t part = strcspn(path, ":");
		char file[PATH_MAX];

		if (part + length + 2 <= sizeof file) {
			memcpy(file, path, part);
			if (part > 0)
				file[part++] = '/';
			memcpy(file + part, name, length + 1);
			int errnum = execute(file, how->argv, envp);

			if (errnum == EACCES)
				denied = errnum;
			else if (errnum != ENOENT && errnum != ENOTDIR)
				return errnum;
		}
		path += strcspn(path, ":");
		if (*path++ == '\0')
			break;
	}
	return denied ? denied : ENOENT;
}

CHILD_SIDE static int run(const struct rv_spawn *how)
{
	static char *const empty[] = {NULL};
	char *const *envp = how->envp ? how->envp : empty;

	empty_mask();
	if (!how->path && !strchr(how->argv[0], '/'))
		return search_and_exec(how, envp);
	return execute(how->path ? how->path : how->argv[0], how->argv, envp);
}

/* The steps in their order; the errno of the one that failed, its name in ${ret_step}. */
CHILD_SIDE static int prepare(const struct rv_spawn_job *job, int *ret_step, size_t *ret_limit)
{
	const struct rv_spawn *how = job->how;
	int errnum = 0;

	*ret_step = RV_STEP_SESSION;
	if (how->new_session && setsid() < 0)
		return errno;
	*ret_step = RV_STEP_FDS;
	errnum = place_fds(how, job->report_fd);
	if (errnum != 0)
		return errnum;
	*ret_step = RV_STEP_CGROUP;
	if (how->cgroup) /* where it is for the kill only, the sweep does without */
		errnum = join_cgroup(how->cgroup);
#ifndef RV_MUTANT_GROUP_LEFT_OUT
	if (errnum != 0 && how->cgroup_must)
		return errnum;
#endif
	errnum = set_shares(how, ret_step);
	if (errnum != 0)
		return errnum;
	*ret_step = RV_STEP_USER;
	if (how->switch_user)
		errnum = switch_user(how);
	if (errnum != 0)
		return errnum;
	*ret_step = RV_STEP_PRIVS;
	if (how->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return errno;
	*ret_step = RV_STEP_LIMITS;
	errnum = set_limits(how, ret_limit);
	if (errnum != 0)
		return errnum;
	*ret_step = RV_STEP_PARENT;
	if (how->parent_death_signal != 0)
		errnum = die_with_parent(job);
	if (errnum != 0)
		return errnum;
	if (how->umask > 0)
		(void)umask((mode_t)how->umask);
	*ret_step = RV_STEP_CWD;
	return how->cwd && chdir(how->cwd) != 0 ? errno : 0;
}

CHILD_SIDE int rv_spawn_child(void *argument)
{
	struct rv_spawn_job *job = argument;
	struct rv_spawn_report report;
	int step = RV_STEP_NONE;
	size_t limit = 0;
	int errnum;

	reset_dispositions();
	errnum = prepare(job, &step, &limit);
	if (errnum == 0) {
		step = RV_STEP_EXEC;
		errnum = run(job->how);
	}
	report = (struct rv_spawn_report){.step = step, .errnum = errnum, .limit = limit};
	job->report = report;
	if (job->report_fd >= 0)
		(void)!write(job->report_fd, &report, sizeof report);
	_exit(127);
}
