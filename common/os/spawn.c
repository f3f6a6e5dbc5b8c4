/*
 * Starting, signalling and collecting processes.  Runs in the supervisor (its children) and in the
 * workers (jobs); the child half is spawn_child.c.  Must never leave a zombie or a descriptor
 * behind on failure, and must never signal a number: only pidfds, and groups whose leader is not
 * reaped.
 *
 * Under ThreadSanitizer the child is fork()ed: its runtime keeps a shadow stack per thread, which a
 * child that shares our memory and never returns would fill.
 */
#include "os/spawn.h"

#include "base/attr.h"
#include "base/check.h"
#include "base/seam.h"
#include "os/fd.h"
#include "os/self.h"
#include "os/spawn_child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define SPAWN_BY_FORK 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SPAWN_BY_FORK 1
#endif
#endif

/* The child's stack: a path of 4 KiB is its largest local; the lowest page is a guard. */
#define STACK_SIZE ((size_t)128 << 10)
#define GUARD_SIZE ((size_t)4096)

#ifdef SPAWN_BY_FORK

static int start(struct rv_spawn_job *job, struct rv_proc *ret_proc)
{
	struct rv_spawn_report report;
	int pipe_fds[2];
	size_t got = 0;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return errno;
	/* High, so that no number the child is to have falls on it. */
	job->report_fd = fcntl(pipe_fds[1], F_DUPFD_CLOEXEC, 200);
	rv_fd_close(&pipe_fds[1]);
	if (job->report_fd < 0) {
		rv_fd_close(&pipe_fds[0]);
		return EMFILE;
	}
	pid = fork();
	if (pid == 0)
		_exit(rv_spawn_child(job));
	int saved = errno;

	rv_fd_close(&job->report_fd);
	if (pid > 0 && rv_fd_read_all(pipe_fds[0], &report, sizeof report, &got) == RV_OK &&
	    got == sizeof report)
		job->report = report;
	rv_fd_close(&pipe_fds[0]);
	if (pid < 0)
		return saved;
	*ret_proc = (struct rv_proc){.pid = pid, .pidfd = pidfd_open(pid, 0)};
	return 0;
}

#else

/* Mapped once and kept: the way to a restart allocates nothing, and a vfork child is done with it.
 */
static char *stack_top(void)
{
	static char *stack;
	void *map;

	if (stack)
		return stack + STACK_SIZE;
	map = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (map == MAP_FAILED)
		return NULL;
	(void)mprotect(map, GUARD_SIZE, PROT_NONE);
	stack = map;
	return stack + STACK_SIZE;
}

/* 0, or the errno for which no process could be made. */
static int start(struct rv_spawn_job *job, struct rv_proc *ret_proc)
{
	char *stack = stack_top();
	int pidfd = -1;
	pid_t pid;

	if (!stack)
		return ENOMEM;
	job->report_fd = -1;
	pid = clone(rv_spawn_child, stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, job,
		    &pidfd);
	if (pid < 0)
		return errno;
	*ret_proc = (struct rv_proc){.pid = pid, .pidfd = pidfd};
	return 0;
}

#endif

/* A child that never got as far as exec has already ended: this does not wait for anyone else. */
static void discard(struct rv_proc *proc)
{
	while (waitpid(proc->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	rv_fd_close(&proc->pidfd);
}

/* Which one, and what would be possible: the child had our hard limit and no right to more. */
static int explain_limit(const struct rv_spawn *how, const char *name, int err, size_t which,
			 struct rv_why *why)
{
	const struct rv_spawn_limit *limit = &how->limits[which];
	int errnum = errno;
	struct rlimit ours;

	PRE(which < how->nlimits);
	if (!limit->name)
		return rv_fail(why, err, "cannot start %s: %s: %m", name,
			       rv_spawn_step_text(RV_STEP_LIMITS));
	if (errnum == EPERM &&
	    prlimit(0, (enum __rlimit_resource)limit->resource, NULL, &ours) == 0 &&
	    limit->limit.rlim_max > ours.rlim_max)
		return rv_fail(why, err, "cannot start %s: %s: more than the hard limit here, %llu",
			       name, limit->name, (unsigned long long)ours.rlim_max);
	errno = errnum;
	return rv_fail(why, err, "cannot start %s: %s: %m", name, limit->name);
}

/* Where the user is ours already, it is the group that cannot be had. */
static int explain_user(const struct rv_spawn *how, int err, struct rv_why *why)
{
	if (how->uid == geteuid() && how->group)
		return rv_fail(why, err, "cannot become the group %s: %m", how->group);
	if (how->user)
		return rv_fail(why, err, "cannot become the user %s: %m", how->user);
	return rv_fail(why, err, "cannot become the user %u: %m", (unsigned)how->uid);
}

static int explain(const struct rv_spawn *how, const struct rv_spawn_report *report,
		   struct rv_why *why)
{
	const char *name = how->path ? how->path : how->argv[0];
	int err;

	errno = report->errnum; /* for %m */
	switch (report->errnum) {
	case EAGAIN:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		err = RV_E_BUSY;
		break;
	case EACCES:
	case EPERM:
		err = RV_E_DENIED;
		break;
	default:
		err = RV_E_IO;
	}
	switch (report->step) {
	case RV_STEP_EXEC:
		if (err == RV_E_BUSY)
			return rv_fail(why, err, "cannot execute %s now: %m", name);
		return rv_fail(why, RV_E_MISSING, "cannot execute %s: %m", name);
	case RV_STEP_CGROUP: /* ours; the job can do nothing about it */
		return rv_fail(why, RV_E_BUSY, "cannot put %s into %s: %m", name, how->cgroup);
	case RV_STEP_CWD:
		return rv_fail(why, err, "cannot enter the folder %s: %m", how->cwd);
	case RV_STEP_USER:
		return explain_user(how, err, why);
	case RV_STEP_LIMITS:
		return explain_limit(how, name, err, report->limit, why);
	default:
		return rv_fail(why, err, "cannot start %s: %s: %m", name,
			       rv_spawn_step_text(report->step));
	}
}

int rv_spawn(const struct rv_spawn *how, struct rv_proc *ret_proc, struct rv_why *why)
{
	struct rv_spawn_job job = {.how = how, .parent = getpid()};
	struct rv_proc proc = {.pidfd = -1};
	int saved = errno;
	sigset_t all;
	sigset_t before;
	int errnum;

	PRE(how->argv && how->argv[0]);
	PRE(how->nfds <= RV_SPAWN_FDS);
	/* A handler of ours must not run in a child that shares our memory. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	errnum = start(&job, &proc);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (errnum != 0) {
		errno = errnum;
		return rv_fail(why, RV_E_BUSY, "cannot make a process: %m");
	}
	if (job.report.step != RV_STEP_NONE) {
		discard(&proc);
		return explain(how, &job.report, why);
	}
	if (proc.pidfd < 0) { /* only where it is not made by clone() */
		(void)kill(proc.pid, SIGKILL);
		discard(&proc);
		return rv_fail(why, RV_E_BUSY, "cannot make a process: no descriptor left");
	}
	errno = saved;
	*ret_proc = proc;
	return RV_OK;
}

int rv_proc_signal(const struct rv_proc *proc, int signo, bool to_group)
{
	int rc;

	if (proc->pidfd < 0)
		return RV_E_NOTFOUND;
	PRE(proc->pid > 1);
	/* The pid is ours until it is reaped, and with it the number of the group that it leads. */
	rc = to_group ? kill(-proc->pid, signo) : pidfd_send_signal(proc->pidfd, signo, NULL, 0);
	if (rc == 0)
		return RV_OK;
	return errno == ESRCH ? RV_E_NOTFOUND : rv_err_from_errno(errno);
}

int rv_proc_reap(struct rv_proc *proc, struct rv_exit *ret_exit)
{
	siginfo_t info = {0};
	struct rusage usage;

	if (proc->pidfd < 0)
		return RV_E_NOTFOUND;
	/* The system call itself, for the rusage that the library's function does not give. */
	if (syscall(SYS_waitid, P_PIDFD, proc->pidfd, &info, WEXITED | WNOHANG, &usage) != 0) {
		int err = errno == ECHILD ? RV_E_NOTFOUND : rv_err_from_errno(errno);

		if (err == RV_E_NOTFOUND) {
			rv_fd_close(&proc->pidfd);
			proc->pid = 0;
		}
		return err;
	}
	if (info.si_pid == 0)
		return RV_E_BUSY;
	rv_fd_close(&proc->pidfd);
	proc->pid = 0;
	*ret_exit = (struct rv_exit){
		.code = info.si_code == CLD_EXITED ? info.si_status : -1,
		.signo = info.si_code == CLD_EXITED ? 0 : info.si_status,
		.core = info.si_code == CLD_DUMPED,
		.usage = usage,
	};
	return RV_OK;
}

int rv_proc_start_time(pid_t pid, uint64_t *ret_ticks)
{
	struct rv_procstat stat;
	int err = rv_procstat(pid, &stat);

	if (err == RV_OK)
		*ret_ticks = stat.start_ticks;
	return err;
}

int rv_boot_id(char out[37])
{
	RV_AUTO(rv_fd_close) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[36];
	size_t got = 0;
	int err;

	if (fd < 0)
		return rv_err_from_errno(errno);
	err = rv_fd_read_all(fd, text, sizeof text, &got);
	if (err != RV_OK)
		return err;
	if (got != sizeof text)
		return RV_E_IO;
	memcpy(out, text, sizeof text);
	out[36] = '\0';
	return RV_OK;
}

/* What base/seam.c looks for: the real process slots of the seam. */
int rv_seam_real_spawn(void *ctx, const struct rv_spawn *how, struct rv_proc *ret_proc,
		       struct rv_why *why);
int rv_seam_real_signal(void *ctx, const struct rv_proc *proc, int signo, int to_group);

int rv_seam_real_spawn(void *ctx, const struct rv_spawn *how, struct rv_proc *ret_proc,
		       struct rv_why *why)
{
	(void)ctx;
	return rv_spawn(how, ret_proc, why);
}

int rv_seam_real_signal(void *ctx, const struct rv_proc *proc, int signo, int to_group)
{
	(void)ctx;
	return rv_proc_signal(proc, signo, to_group != 0);
}
