/*
 * What tests start as "some process": shows what it was given, holds locks, leaves descendants
 * behind.  `rv_testprobe VERB ARG…`; verbs that hold something print a line and then wait until
 * their stdin ends (or, with nothing there, for a signal).
 */
#include "base/check.h"
#include "os/fd.h"
#include "os/lock.h"
#include "os/spawn.h"
#include "os/sweep.h"
#include "wire/area.h"
#include "wire/sup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define RV_WORDS(...) ((char *const *)(uintptr_t)(const char *const[]){__VA_ARGS__, NULL})

extern char **environ;

static int say(const char *line)
{
	return puts(line) < 0 || fflush(stdout) != 0;
}

static int hold(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	return 0;
}

static int verb_fds(char **args)
{
	DIR *dir = opendir("/proc/self/fd");

	(void)args;
	if (!dir)
		return 1;
	for (int fd = 0; fd < 1024; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 && fd != dirfd(dir))
			(void)printf("%d ", fd);
	}
	return say("");
}

static int verb_env(char **args)
{
	(void)args;
	for (char **entry = environ; *entry; entry++)
		(void)say(*entry);
	return 0;
}

static int verb_status(char **args)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[512];

	while (file && fgets(line, sizeof line, file)) {
		for (char **arg = args; *arg; arg++) {
			if (strncmp(line, *arg, strlen(*arg)) == 0 && line[strlen(*arg)] == ':')
				(void)fputs(line, stdout);
		}
	}
	return file ? fclose(file) : 1;
}

static int verb_lock(char **args)
{
	struct rv_why why;
	pid_t holder = 0;
	int fd = -1;

	switch (rv_lock_daemon(args[0], 0600, &fd, &holder, &why)) {
	case RV_OK:
		(void)say("won");
		return hold();
	case RV_E_LOCKED:
		(void)printf("lost %d\n", (int)holder);
		return 75;
	default:
		(void)say(why.text);
		return 1;
	}
}

static int verb_share(char **args)
{
	struct rv_why why;
	int fd = -1;

	if (rv_lock_child(args[0], &fd, &why) != RV_OK) {
		(void)say(why.text);
		return 1;
	}
	(void)say("shared");
	return hold();
}

/* posix-lock FILE FROM LENGTH */
static int verb_posix_lock(char **args)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = atol(args[1])};
	int fd = open(args[0], O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	lock.l_len = atol(args[2]);
	if (fd < 0 || fcntl(fd, F_SETLK, &lock) != 0)
		return 1;
	(void)say("locked");
	return hold();
}

/* escapees COUNT: each in a session of its own, its parent dead, deaf to TERM, in our environment.
 */
static int verb_escapees(char **args)
{
	int count = atoi(args[0]);

	for (int i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 1;
		if (pid > 0) { /* when it has ended, its child is there and somebody else's */
			if (waitpid(pid, NULL, 0) != pid)
				return 1;
			continue;
		}
		(void)setsid();
		if (fork() == 0) {
			(void)signal(SIGTERM, SIG_IGN);
			(void)alarm(120); /* a test that fails leaves nothing for ever */
			for (int fd = 0; fd <= 2; fd++)
				(void)close(fd);
			for (;;)
				(void)pause();
		}
		_exit(0);
	}
	return say("escaped");
}

/* parent SIGNAL: starts a child that has it as its parent-death signal, prints its pid. */
static int verb_parent(char **args)
{
	char *const *words = RV_WORDS("sleep", "600");
	struct rv_spawn how = {.argv = words, .parent_death_signal = atoi(args[0])};
	struct rv_proc proc;
	struct rv_why why;

	if (rv_spawn(&how, &proc, &why) != RV_OK) {
		(void)say(why.text);
		return 1;
	}
	(void)printf("%d\n", (int)proc.pid);
	(void)fflush(stdout);
	return hold();
}

/* nproc: no process may be made; what does rv_spawn say? */
static int verb_nproc(char **args)
{
	struct rlimit limit = {.rlim_cur = 0, .rlim_max = 0};
	char *const *words = RV_WORDS("true");
	struct rv_spawn how = {.argv = words};
	struct rv_proc proc;
	struct rv_why why = {{0}};
	int err;

	(void)args;
	if (setrlimit(RLIMIT_NPROC, &limit) != 0)
		return 1;
	err = rv_spawn(&how, &proc, &why);
	(void)printf("%s %s\n", rv_err_name(err), why.text);
	(void)fflush(stdout);
	_exit(0); /* a sanitizer's last look would need a process */
}

/* marked PREFIX: kills who bears the mark, prints how many; our parent reaps them. */
static int verb_marked(char **args)
{
	int found = 0;

	if (rv_sweep_marked("REEVE_INSTANCE", args[0], &found) != RV_OK)
		return 1;
	(void)printf("%d\n", found);
	return 0;
}

/* limit-marked PREFIX: bears it in a limit only, and stays. */
static int verb_limit_marked(char **args)
{
	char *const *words = RV_WORDS("sleep", "600");
	char *const *nothing = RV_WORDS("PATH=/usr/bin:/bin");

	if (rv_sweep_mark("REEVE_INSTANCE", args[0]) != RV_OK || say("marked") != 0)
		return 1;
	(void)execvpe(words[0], words, nothing);
	return 1;
}

/* area-die: takes the mutex of the area on descriptor 4 and dies with it. */
static int verb_area_die(char **args)
{
	struct rv_area area;
	struct rv_why why;

	(void)args;
	if (rv_area_map(RV_AREA_FD, &area, &why) != RV_OK ||
	    pthread_mutex_lock(&area.head->mutex) != 0)
		return 1;
	area.hints[1].beat_us = 4711;
	(void)kill(getpid(), SIGKILL);
	return 2;
}

/* area-add N: adds N to the head's tick, under the mutex, in two steps. */
static int verb_area_add(char **args)
{
	struct rv_area area;
	struct rv_why why;

	if (rv_area_map(RV_AREA_FD, &area, &why) != RV_OK)
		return 1;
	for (int i = atoi(args[0]); i > 0; i--) {
		uint64_t seen;

		if (pthread_mutex_lock(&area.head->mutex) != 0)
			return 1;
		seen = atomic_load_explicit(&area.head->tick, memory_order_relaxed);
		atomic_store_explicit(&area.head->tick, seen + 1, memory_order_relaxed);
		if (pthread_mutex_unlock(&area.head->mutex) != 0)
			return 1;
	}
	rv_area_unmap(&area);
	return 0;
}

/* stdio: with 0 and 2 closed, what does rv_fd_stdio open? */
static int verb_stdio(char **args)
{
	(void)args;
	(void)close(0);
	(void)close(2);
	if (rv_fd_stdio() != RV_OK)
		return 1;
	for (int fd = 0; fd <= 2; fd++) {
		char path[32];
		char to[256];
		ssize_t n;

		(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		n = readlink(path, to, sizeof to - 1);
		if (n < 0)
			return 1;
		to[n] = '\0';
		if (fd != 1)
			(void)say(to);
	}
	return 0;
}

static const struct verb {
	const char *name;
	int nargs;
	int (*run)(char **args);
} verbs[] = {
	{"fds", 0, verb_fds},           {"env", 0, verb_env},
	{"status", 0, verb_status},     {"lock", 1, verb_lock},
	{"share", 1, verb_share},       {"posix-lock", 3, verb_posix_lock},
	{"escapees", 1, verb_escapees}, {"parent", 1, verb_parent},
	{"nproc", 0, verb_nproc},       {"marked", 1, verb_marked},
	{"area-die", 0, verb_area_die}, {"area-add", 1, verb_area_add},
	{"stdio", 0, verb_stdio},       {"limit-marked", 1, verb_limit_marked},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < RV_ARRAY_LEN(verbs); i++) {
		if (strcmp(argv[1], verbs[i].name) == 0 && argc - 2 >= verbs[i].nargs)
			return verbs[i].run(argv + 2);
	}
	(void)fprintf(stderr, "no such verb\n");
	return 2;
}
