#ifndef RV_OS_SPAWN_H
#define RV_OS_SPAWN_H

/*
 * Starting a process (vfork-style: CLONE_VM|CLONE_VFORK|CLONE_PIDFD on a stack of its own, so
 * nothing of the parent's heap, locks or SQLite handles is inherited), signalling it and collecting
 * it, all by pidfd.  Used by the supervisor for its children and by the workers for jobs.  Called
 * through rv_seam()->spawn / ->signal by those who must be simulated.
 */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define RV_SPAWN_FDS     8
#define RV_SPAWN_CPUS    1024
#define RV_SPAWN_UMASK_0 01000 /* the kernel takes the low nine bits */

struct rv_spawn_fd {
	int from; /* a descriptor of ours, or -1 for /dev/null */
	int to;   /* its number in the child */
};

struct rv_spawn_limit {
	int resource; /* RLIMIT_* */
	struct rlimit limit;
	const char *name; /* for messages; NULL: that of the step */
};

/* All borrowed for the call.  A zeroed struct with argv set is valid: it inherits what is not said.
 */
struct rv_spawn {
	const char *path; /* executable; NULL: argv[0] searched along the PATH of ${envp} */
	char *const *argv;
	char *const *envp;                    /* NULL: an empty environment */
	struct rv_spawn_fd fds[RV_SPAWN_FDS]; /* everything else is closed in the child */
	size_t nfds;                          /* of 0, 1 and 2 those not named are /dev/null */
	bool new_session;        /* setsid: the child leads its own session and group */
	int parent_death_signal; /* PR_SET_PDEATHSIG with the getppid re-check; 0 none */
	bool no_new_privs;
	const char *cwd; /* NULL: ours */
	int umask;       /* ≤ 0: ours; RV_SPAWN_UMASK_0 for umask 000 */
	int nice;        /* added to ours */
	int ioprio;      /* as ioprio_set(2) has it; 0: ours */
	const uint64_t
		*cpus;       /* a bit for each that it may use, RV_SPAWN_CPUS of them; NULL: ours */
	int oom_score_adj;   /* written when != 0 */
	bool oom_score_must; /* else failing to is ignored */
	const char *cgroup;  /* folder of a cgroup to be in; NULL: ours */
	bool cgroup_must;    /* else failing to is ignored */
	bool switch_user; /* setgroups → setresgid → setresuid → cannot go back (reliability §4) */
	uid_t uid;
	gid_t gid;
	const char *user;    /* its name, for messages; NULL: the number is named */
	const char *group;   /* as well; NULL: the user's own, which is not named */
	const gid_t *groups; /* all of them, as os/user.h gives them */
	size_t ngroups;
	const struct rv_spawn_limit *limits;
	size_t nlimits;
};

/* A process we started.  pid is ours to use only until it was reaped; pidfd is owned by the holder.
 */
struct rv_proc {
	pid_t pid;
	int pidfd; /* O_CLOEXEC; -1: none */
};

/*
 * The child has exec'ed when this returns RV_OK.  RV_E_MISSING: exec failed (${why} has the errno
 * in words); RV_E_BUSY: no process could be made (EAGAIN, EMFILE, ENOMEM: infrastructure, retry);
 * RV_E_DENIED / RV_E_IO: a step before exec failed; ${why} names it.  Nothing is left on failure.
 */
int rv_spawn(const struct rv_spawn *how, struct rv_proc *ret_proc,
	     struct rv_why *why) RV_MUST_CHECK;

/* By pidfd; to_group: to the process group the child leads, only while it is not reaped. */
int rv_proc_signal(const struct rv_proc *proc, int signo, bool to_group);

/* How a process ended. */
struct rv_exit {
	int code;  /* exit code, -1 when ended by a signal */
	int signo; /* 0 when it exited */
	bool core;
	struct rusage usage;
};

/*
 * Collects ${proc} if it has ended (then closes its pidfd and zeroes its pid): RV_OK; RV_E_BUSY:
 * still running; RV_E_NOTFOUND: no child of ours (any more).
 */
int rv_proc_reap(struct rv_proc *proc, struct rv_exit *ret_exit) RV_MUST_CHECK;

/*
 * Start time of ${pid} in clock ticks since boot (/proc/PID/stat field 22), so that (pid, start)
 * names one process for ever.  RV_E_NOTFOUND when there is none.
 */
int rv_proc_start_time(pid_t pid, uint64_t *ret_ticks) RV_MUST_CHECK;

/* This boot's id as text (37 bytes with the NUL); from /proc/sys/kernel/random/boot_id. */
int rv_boot_id(char out[37]) RV_MUST_CHECK;

#endif
