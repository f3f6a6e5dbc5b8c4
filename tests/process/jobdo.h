#ifndef RV_PROCESS_JOBDO_H
#define RV_PROCESS_JOBDO_H

/* What the jobs of the tests have in common, as commands, handlers and modules: libc only. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Waits until ${folder}/${name} is there. */
static inline void rv_jobdo_wait(const char *folder, const char *name)
{
	int fd = inotify_init1(IN_CLOEXEC);
	char path[512];
	char events[4096];

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	if (fd < 0 || inotify_add_watch(fd, folder, IN_CREATE | IN_MOVED_TO) < 0)
		_exit(71);
	while (access(path, F_OK) != 0) {
		if (read(fd, events, sizeof events) <= 0 && errno != EINTR)
			_exit(71);
	}
	(void)close(fd);
}

/*
 * Locks ${folder}/locks/${job}, for as long as the descriptor is open anywhere; ${flags}: O_CLOEXEC
 * or 0.  -1: another run has it, which must never be.
 */
static inline int rv_jobdo_lock(const char *folder, const char *job, int flags)
{
	char path[512];
	int fd;

	(void)snprintf(path, sizeof path, "%s/locks/%s", folder, job);
	fd = open(path, O_RDWR | O_CREAT | flags, 0600);
	if (fd < 0)
		_exit(71);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* FOLDER/jobs, to append lines to. */
static inline int rv_jobdo_open(const char *folder)
{
	char path[512];

	(void)snprintf(path, sizeof path, "%s/jobs", folder);
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static inline long rv_jobdo_cpu_us(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) != 0)
		_exit(71);
	return (long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Takes so much time of a CPU, however long that takes. */
static inline void rv_jobdo_burn(long ms)
{
	long end = rv_jobdo_cpu_us() + ms * 1000;

	while (rv_jobdo_cpu_us() < end)
		continue;
}

/* The same by a child, which is collected. */
static inline void rv_jobdo_burn_child(long ms)
{
	pid_t pid = fork();

	if (pid == 0) {
		rv_jobdo_burn(ms);
		_exit(0);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

#endif
