#ifndef RV_PROCESS_BURDEN_H
#define RV_PROCESS_BURDEN_H

/*
 * Words of the tests' jobs that try the limits of a run (e2e_limits.c): as commands, handlers and
 * modules.  libc only.
 *   grow=N  N MiB more of memory    eat=N   the same in a process of its own session, awaited
 *   spin=N  N ms of CPU time        die     KILL to itself
 *   stay    leaves a process of its own session behind: "child JOB RUN PID"
 *   bomb    it and all that it forks fork for ever: "full 0 0 PID" when they cannot any more
 */

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RV_BURDEN_FORKS 300 /* what a bomb has at most, where nothing bounds it */

static inline void rv_burden_say(int log_fd, const char *what, long job, long run)
{
	char line[96];
	int n = snprintf(line, sizeof line, "%s %ld %ld %d\n", what, job, run, (int)getpid());

	if (n < 0 || write(log_fd, line, (size_t)n) != n)
		_exit(71);
}

static inline void rv_burden_grow(long mib)
{
	size_t size = (size_t)mib << 20;
	volatile char *memory = malloc(size);

	for (size_t at = 0; memory && at < size; at += 4096)
		memory[at] = 1; /* volatile: who never reads it might leave it out */
}

static inline void rv_burden_eat(long mib)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)setsid();
		rv_burden_grow(mib);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0)
		continue;
}

static inline void rv_burden_spin(long ms)
{
	struct timespec used;

	do {
		(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	} while (used.tv_sec * 1000 + used.tv_nsec / 1000000 < ms);
}

static inline void rv_burden_stay(int log_fd, long job, long run)
{
	if (fork() != 0)
		return;
	(void)setsid();
	(void)signal(SIGTERM, SIG_IGN);
	rv_burden_say(log_fd, "child", job, run);
	for (;;)
		(void)pause();
}

static inline void rv_burden_bomb(int log_fd)
{
	int *forks = mmap(NULL, sizeof *forks, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);
	pid_t first = getpid();
	int said = 0;

	if (forks == MAP_FAILED)
		_exit(71);
	for (;;) {
		int may = __atomic_add_fetch(forks, 1, __ATOMIC_RELAXED) <= RV_BURDEN_FORKS;
		pid_t pid = may ? fork() : -1;

		if (pid == 0) {
			(void)setsid();
			(void)signal(SIGTERM, SIG_IGN);
		} else if (pid < 0) {
			(void)__atomic_sub_fetch(forks, 1, __ATOMIC_RELAXED);
			if (getpid() == first && !said++)
				rv_burden_say(log_fd, "full", 0, 0);
			(void)poll(NULL, 0, 1);
		}
	}
}

/* 0: none of these. */
static inline int rv_burden(int log_fd, long job, long run, const char *word, const char *value)
{
	if (strcmp(word, "grow") == 0)
		rv_burden_grow(atol(value));
	else if (strcmp(word, "eat") == 0)
		rv_burden_eat(atol(value));
	else if (strcmp(word, "spin") == 0)
		rv_burden_spin(atol(value));
	else if (strcmp(word, "die") == 0)
		(void)raise(SIGKILL);
	else if (strcmp(word, "stay") == 0)
		rv_burden_stay(log_fd, job, run);
	else if (strcmp(word, "bomb") == 0)
		rv_burden_bomb(log_fd);
	else
		return 0;
	return 1;
}

#endif
