/*
 * The job of the end-to-end tests: rv_testjob FOLDER "WORD…".  It says in FOLDER/jobs what it does,
 * a line a write with O_APPEND, and holds FOLDER/locks/ID for as long as anything of this run
 * lives: a second run that does not get the lock at once is what must never be ("clash").
 *
 *   ms=N          works for N milliseconds
 *   until=NAME    works until FOLDER/NAME is there
 *   escape=KIND   leaves a process behind: setsid, double (fork), term (deaf to TERM), nohup,
 *                 bare (an empty environment), all; count=N of them (before the word)
 *   deaf          ignores TERM
 *   exit=N        ends with N
 *   killworker    kills the worker that runs it
 *   nolock        without the lock: for the run that is stale on purpose
 *   say=TEXT      prints TEXT
 *   note=TEXT     writes a line of its own into FOLDER/jobs
 *   and those of burden.h
 */
#include "process/burden.h"
#include "process/jobdo.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *folder, *self;
static int log_fd = -1, count = 1;

static void say(const char *what)
{
	const char *job = getenv("REEVE_JOB_ID");
	const char *fence = getenv("REEVE_FENCE");
	char line[128];
	int n = snprintf(line, sizeof line, "%s %s %s %d\n", what, job ? job : "?",
			 fence ? fence : "?", (int)getpid());

	if (n < 0 || write(log_fd, line, (size_t)n) != n)
		_exit(71);
}

static void wait_ms(int ms)
{
	(void)poll(NULL, 0, ms);
}

static void take_lock(void)
{
	const char *job = getenv("REEVE_JOB_ID");

	/* Not O_CLOEXEC: it is held by all that this run leaves, also by what it executes. */
	if (rv_jobdo_lock(folder, job ? job : "?", 0) < 0) {
		say("clash");
		_exit(64);
	}
}

static void linger(const char *kind)
{
	char *const words[] = {(char *)(size_t)self, (char *)(size_t) "", (char *)(size_t) "linger",
			       NULL};
	char *const nothing[] = {NULL};

	if (strcmp(kind, "term") == 0 || strcmp(kind, "all") == 0)
		(void)signal(SIGTERM, SIG_IGN);
	if (strcmp(kind, "nohup") == 0 || strcmp(kind, "all") == 0)
		(void)signal(SIGHUP, SIG_IGN);
	if (strcmp(kind, "bare") == 0 || strcmp(kind, "all") == 0)
		(void)execve(self, words, nothing);
	for (;;)
		(void)pause();
}

/* Each is there, out of our group, before we go on. */
static void escape(const char *kind)
{
	int twice = strcmp(kind, "double") == 0 || strcmp(kind, "bare") == 0 ||
		    strcmp(kind, "all") == 0;

	for (int i = 0; i < count; i++) {
		int ends[2];
		char byte;
		pid_t pid;

		if (pipe2(ends, O_CLOEXEC) != 0)
			_exit(71);
		pid = fork();
		if (pid < 0)
			_exit(75);
		if (pid == 0) {
			if (strcmp(kind, "term") != 0 && strcmp(kind, "nohup") != 0)
				(void)setsid();
			if (twice && fork() != 0)
				_exit(0);
			(void)!write(ends[1], "", 1);
			(void)close(ends[1]);
			linger(kind);
		}
		(void)close(ends[1]);
		(void)!read(ends[0], &byte, 1);
		(void)close(ends[0]);
	}
}

static long number(const char *name)
{
	const char *text = getenv(name);

	return text ? atol(text) : 0;
}

static int act(char *word, int *code)
{
	char *value = strchr(word, '=');

	if (value)
		*value++ = '\0';
	if (rv_burden(log_fd, number("REEVE_JOB_ID"), number("REEVE_FENCE"), word,
		      value ? value : ""))
		return 1;
	if (strcmp(word, "deaf") == 0)
		(void)signal(SIGTERM, SIG_IGN);
	else if (strcmp(word, "killworker") == 0)
		(void)kill(getppid(), SIGKILL);
	else if (!value)
		return 0;
	else if (strcmp(word, "ms") == 0)
		wait_ms(atoi(value));
	else if (strcmp(word, "until") == 0)
		rv_jobdo_wait(folder, value);
	else if (strcmp(word, "count") == 0)
		count = atoi(value);
	else if (strcmp(word, "escape") == 0)
		escape(value);
	else if (strcmp(word, "exit") == 0)
		*code = atoi(value);
	else if (strcmp(word, "note") == 0)
		say(value);
	else if (strcmp(word, "say") == 0)
		(void)printf("%s\n", value);
	else
		return 0;
	return 1;
}

int main(int argc, char **argv)
{
	char *rest = NULL;
	int code = 0;

	self = argv[0];
	if (argc == 3 && strcmp(argv[2], "linger") == 0)
		linger("");
	if (argc != 3)
		return 64;
	folder = argv[1];
	log_fd = rv_jobdo_open(folder);
	if (log_fd < 0)
		return 71;
	if (strstr(argv[2], "nolock") == NULL)
		take_lock();
	say("start");
	for (char *word = strtok_r(argv[2], " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		if (strcmp(word, "nolock") != 0 && !act(word, &code))
			return 64;
	}
	(void)fflush(stdout);
	say("end");
	return code;
}
