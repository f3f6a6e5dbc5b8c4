/*
 * The handler of the tests of pipe tasks (docs/PROTOCOL.md, Pipe handlers): rv_pipejob FOLDER
 * WORD…. It writes into FOLDER/jobs what it does, "start JOB RUN PID" and "end …", a line a write,
 * and holds FOLDER/locks/ID while it works: a second run that does not get the lock is a "clash".
 *
 * WORDs of the handler:
 *   ahead=N, cancel   as in its hello        hello=TEXT    instead of its hello
 *   mute              says none              dies          ends before it
 *   gone              waits for FOLDER/go before it, and ends after it
 *   slow=MS           before it              deaf          to TERM, and to EOF
 *   once              serves one job and ends before it reads another
 *   shy               says none if another process has said it before
 *   batch=N           keeps answers until it has N, or no job waits
 *   exact             reads no byte behind the line that it wants
 *   hold              leaves a child behind, which says "child JOB RUN PID"
 *   health            answers health lines; of the first process of a folder also, for good or ill:
 *   health=mute  late (after 400 ms)  garbage  sick  other (another question)  twice  dies
 *          wait (until FOLDER/well is there)  leaves (the same, and ends once it has answered)
 * words of a job, args.do, in order; after the last it answers ok:
 *   exit=N  kill  hang  deaf  ms=N  until=NAME   (hang: heeds a cancel line with "ok")
 *   say=TEXT  err=TEXT  big=N (bytes of stderr)  log=TEXT  progress=N  result=JSON  pid  fds
 *   bigresult=N  (a result of so many bytes)
 *   fail=TEXT  permanent=TEXT  retry=TEXT  snooze=D   answers that
 *   garbage  long  closeanswers  closein  twice  wrong  other=ID  after (exits once it has
 * answered) hold  (leaves a child with all descriptors)   rss=N  (MiB more of memory)   beat=N (N
 * heartbeats)   burn=MS (of CPU)  burnchild=MS (a child of its does)   and those of burden.h
 */
#include "process/burden.h"
#include "process/jobdo.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ANSWER_FD 3

static const char *folder, *health;
static int log_fd = -1, deaf, cancels, batch, exact;
static long job, run;
static char result[2048], out[1 << 16];
static size_t out_size;
static int held, lock = -1;

static void flush(void)
{
	for (size_t at = 0; at < out_size;) {
		ssize_t n = write(ANSWER_FD, out + at, out_size - at);

		if (n < 0 && errno != EINTR)
			_exit(73);
		at += n > 0 ? (size_t)n : 0;
	}
	out_size = 0;
	held = 0;
}

__attribute__((format(printf, 1, 2))) static void answer(const char *format, ...)
{
	va_list args;
	int n;

	if (out_size + 4096 > sizeof out)
		flush();
	va_start(args, format);
	n = vsnprintf(out + out_size, sizeof out - out_size, format, args);
	va_end(args);
	out_size += (size_t)n;
	if (++held >= batch)
		flush();
}

static void say(const char *what)
{
	char line[128];
	int n = snprintf(line, sizeof line, "%s %ld %ld %d\n", what, job, run, (int)getpid());

	if (n < 0 || write(log_fd, line, (size_t)n) != n)
		_exit(71);
}

static void take_lock(void)
{
	char name[24];

	(void)snprintf(name, sizeof name, "%ld", job);
	lock = rv_jobdo_lock(folder, name, O_CLOEXEC);
	if (lock < 0) {
		say("clash");
		_exit(64);
	}
}

/* A line of stdin, without its end; NULL at EOF. */
static char *read_line(void)
{
	static char buffer[1 << 20];
	static size_t begin, end;

	for (;;) {
		char *stop = memchr(buffer + begin, '\n', end - begin);
		int ready = 0;
		ssize_t n;

		if (stop) {
			char *line = buffer + begin;

			*stop = '\0';
			begin = (size_t)(stop + 1 - buffer);
			return line;
		}
		memmove(buffer, buffer + begin, end - begin);
		end -= begin;
		begin = 0;
		if (held > 0 && (!exact || ioctl(0, FIONREAD, &ready) != 0 || ready == 0))
			flush();
		n = read(0, buffer + end, exact ? 1 : sizeof buffer - end);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return NULL;
		end += (size_t)n;
	}
}

static void hang(void)
{
	const char *line;

	say("hangs");
	while (cancels && (line = read_line()) != NULL) {
		if (strncmp(line, "{\"cancel\":", 10) == 0)
			return;
	}
	for (;;)
		(void)pause();
}

static void list_fds(void)
{
	size_t used = 0;

	for (int fd = 0; fd < 1024 && used < sizeof result - 8; fd++) {
		if (fd != log_fd && fd != lock && fcntl(fd, F_GETFD) >= 0)
			used += (size_t)snprintf(result + used, sizeof result - used, "%s%d",
						 used ? "," : "\"", fd);
	}
	(void)snprintf(result + used, sizeof result - used, "\"");
}

static void leave_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)setsid();
		(void)signal(SIGTERM, SIG_IGN);
		say("child");
		for (;;)
			(void)pause();
	}
}

static void print_much(long size)
{
	char block[4096];

	memset(block, 'x', sizeof block);
	for (size_t i = 63; i < sizeof block; i += 64)
		block[i] = '\n';
	for (long left = size; left > 0; left -= (long)sizeof block)
		(void)!write(2, block, left < (long)sizeof block ? (size_t)left : sizeof block);
}

static void write_long(void)
{
	static char block[1 << 16];

	memset(block, 'x', sizeof block);
	for (int i = 0; i < 160; i++)
		(void)!write(ANSWER_FD, block, sizeof block);
	for (;;)
		(void)pause();
}

static void grow(long mib)
{
	char *memory = malloc((size_t)mib << 20);

	if (memory)
		memset(memory, 1, (size_t)mib << 20);
	(void)snprintf(result, sizeof result, "%d", memory ? memory[mib] : 0);
}

static void close_and_stay(int fd)
{
	(void)close(fd);
	say("closed");
	for (;;)
		(void)pause();
}

static void big_result(long size)
{
	char *text = malloc((size_t)size);

	flush();
	if (!text)
		_exit(71);
	memset(text, 'x', (size_t)size);
	(void)dprintf(ANSWER_FD, "{\"job\":%ld,\"run\":%ld,\"ok\":true,\"result\":\"%.*s\"}\n", job,
		      run, (int)size, text);
	free(text);
}

/* What answers the job, or ends it otherwise; 0: none of these. */
static int finish(const char *word, const char *value)
{
	if (strcmp(word, "exit") == 0)
		_exit(atoi(value));
	if (strcmp(word, "kill") == 0)
		(void)raise(SIGKILL);
	if (strcmp(word, "garbage") == 0)
		answer("this is no JSON\n");
	else if (strcmp(word, "long") == 0)
		write_long();
	else if (strcmp(word, "bigresult") == 0)
		big_result(atol(value));
	else if (strcmp(word, "closeanswers") == 0)
		close_and_stay(ANSWER_FD);
	else if (strcmp(word, "fail") == 0)
		answer("{\"job\":%ld,\"run\":%ld,\"ok\":false,\"error\":\"%s\"}\n", job, run,
		       value);
	else if (strcmp(word, "permanent") == 0)
		answer("{\"job\":%ld,\"run\":%ld,\"ok\":false,\"error\":\"%s\",\"permanent\":true}"
		       "\n",
		       job, run, value);
	else if (strcmp(word, "retry") == 0)
		answer("{\"job\":%ld,\"run\":%ld,\"ok\":false,\"error\":\"again\","
		       "\"retry_after\":\"%s\"}\n",
		       job, run, value);
	else if (strcmp(word, "snooze") == 0)
		answer("{\"job\":%ld,\"run\":%ld,\"ok\":false,\"snooze\":\"%s\"}\n", job, run,
		       value);
	else
		return 0;
	return 1;
}

/* What it says or does on the way; 0: none of these. */
static int speak(const char *word, const char *value)
{
	if (strcmp(word, "say") == 0)
		(void)dprintf(1, "%s\n", value);
	else if (strcmp(word, "err") == 0)
		(void)dprintf(2, "%s\n", value);
	else if (strcmp(word, "big") == 0)
		print_much(atol(value));
	else if (strcmp(word, "log") == 0)
		answer("{\"job\":%ld,\"run\":%ld,\"log\":\"%s\"}\n", job, run, value);
	else if (strcmp(word, "progress") == 0)
		answer("{\"job\":%ld,\"run\":%ld,\"progress\":%s}\n", job, run, value);
	else if (strcmp(word, "result") == 0)
		(void)snprintf(result, sizeof result, "%s", value);
	else if (strcmp(word, "pid") == 0)
		(void)snprintf(result, sizeof result, "%d", (int)getpid());
	else if (strcmp(word, "fds") == 0)
		list_fds();
	else if (strcmp(word, "rss") == 0)
		grow(atol(value));
	else if (strcmp(word, "burn") == 0)
		rv_jobdo_burn(atol(value));
	else if (strcmp(word, "burnchild") == 0)
		rv_jobdo_burn_child(atol(value));
	else if (strcmp(word, "wrong") == 0)
		answer("{\"job\":%ld,\"run\":%ld,\"ok\":true}\n", job + 1, run);
	else if (strcmp(word, "other") == 0)
		answer("{\"job\":%s,\"run\":1,\"ok\":true}\n", value);
	else
		return 0;
	return 1;
}

static void act(const char *word, const char *value)
{
	if (speak(word, value) || rv_burden(log_fd, job, run, word, value))
		return;
	if (strcmp(word, "deaf") == 0)
		(void)signal(SIGTERM, SIG_IGN);
	else if (strcmp(word, "ms") == 0)
		(void)poll(NULL, 0, atoi(value));
	else if (strcmp(word, "until") == 0)
		rv_jobdo_wait(folder, value);
	else if (strcmp(word, "hang") == 0)
		hang();
	else if (strcmp(word, "hold") == 0)
		leave_child();
	for (int i = strcmp(word, "beat") == 0 ? atoi(value) : 0; i > 0; i--) {
		answer("{\"job\":%ld,\"run\":%ld,\"heartbeat\":true}\n", job, run);
		(void)poll(NULL, 0, 50);
	}
}

static long number(const char *line, const char *name)
{
	const char *at = strstr(line, name);

	return at ? strtol(at + strlen(name), NULL, 10) : 0;
}

/* 1: it is to end. */
static int serve(char *line)
{
	char *what = strstr(line, "\"do\":\"");
	char *rest = NULL;
	int twice = 0, after = 0, closes = 0, answered = 0;

	job = number(line, "\"job\":");
	run = number(line, "\"run\":");
	result[0] = '\0';
	take_lock();
	say("start");
	what = what ? what + 6 : line + strlen(line);
	what[strcspn(what, "\"")] = '\0';
	for (char *word = strtok_r(what, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		twice = twice || strcmp(word, "twice") == 0;
		after = after || strcmp(word, "after") == 0;
		closes = closes || strcmp(word, "closein") == 0;
		answered = answered || finish(word, value ? value : "");
		if (!answered)
			act(word, value ? value : "");
	}
	say("end");
	(void)close(lock);
	for (int i = answered; i < 1 + twice; i++)
		answer("{\"job\":%ld,\"run\":%ld,\"ok\":true%s%s}\n", job, run,
		       result[0] ? ",\"result\":" : "", result);
	if (closes)
		close_and_stay(0);
	return after;
}

/* ${question}: "7}" of {"health":7}. */
static void be_asked(const char *question)
{
	say("asked");
	if (strcmp(health, "mute") == 0)
		return;
	if (strcmp(health, "dies") == 0)
		_exit(5);
	if (strcmp(health, "late") == 0)
		(void)poll(NULL, 0, 400);
	else if (strcmp(health, "wait") == 0 || strcmp(health, "leaves") == 0)
		rv_jobdo_wait(folder, "well");
	if (strcmp(health, "garbage") == 0)
		answer("this is no JSON\n");
	else if (strcmp(health, "sick") == 0)
		answer("{\"health\":%ld,\"ok\":false,\"error\":\"no_paper\"}\n", atol(question));
	else if (strcmp(health, "other") == 0)
		answer("{\"health\":%ld}\n", atol(question) + 1);
	else
		answer("{\"health\":%s\n", question);
	if (strcmp(health, "twice") == 0)
		answer("{\"health\":%s\n", question);
	if (strcmp(health, "leaves") == 0)
		_exit(0);
}

/* No process before this one has asked. */
static int is_first(void)
{
	char path[512];

	(void)snprintf(path, sizeof path, "%s/first", folder);
	return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) >= 0;
}

static void before_hello(const char *word)
{
	if (strcmp(word, "hold") == 0)
		leave_child();
	if (strcmp(word, "gone") != 0)
		return;
	say("waits");
	rv_jobdo_wait(folder, "go");
}

int main(int argc, char **argv)
{
	const char *hello = NULL;
	int ahead = 1, once = 0, mute = 0, gone = 0;
	char *line;

	if (argc < 2)
		return 64;
	folder = argv[1];
	log_fd = rv_jobdo_open(folder);
	if (log_fd < 0)
		return 71;
	for (int i = 2; i < argc; i++) {
		const char *value = strchr(argv[i], '=');

		value = value ? value + 1 : "";
		ahead = strncmp(argv[i], "ahead=", 6) == 0 ? atoi(value) : ahead;
		batch = strncmp(argv[i], "batch=", 6) == 0 ? atoi(value) : batch;
		hello = strncmp(argv[i], "hello=", 6) == 0 ? value : hello;
		cancels = cancels || strcmp(argv[i], "cancel") == 0;
		deaf = deaf || strcmp(argv[i], "deaf") == 0;
		exact = exact || strcmp(argv[i], "exact") == 0;
		gone = gone || strcmp(argv[i], "gone") == 0;
		once = once || strcmp(argv[i], "once") == 0;
		mute = mute || strcmp(argv[i], "mute") == 0;
		mute = mute || (strcmp(argv[i], "shy") == 0 && !is_first());
		before_hello(argv[i]);
		if (strcmp(argv[i], "health") == 0)
			health = "";
		if (strncmp(argv[i], "health=", 7) == 0)
			health = is_first() ? value : "";
		if (strncmp(argv[i], "slow=", 5) == 0)
			(void)poll(NULL, 0, atoi(value));
		if (strcmp(argv[i], "dies") == 0) {
			(void)dprintf(2, "cannot start today\n");
			return 3;
		}
	}
	if (deaf)
		(void)signal(SIGTERM, SIG_IGN);
	say("hello");
	if (hello)
		answer("%s\n", hello);
	else if (!mute)
		answer("{\"reeve\":1,\"ahead\":%d,\"cancel\":%s%s}\n", ahead,
		       cancels ? "true" : "false", health ? ",\"health\":true" : "");
	flush();
	if (gone)
		return 0;
	while ((line = read_line()) != NULL) {
		if (strncmp(line, "{\"health\":", 10) == 0)
			be_asked(line + 10);
		else if (strncmp(line, "{\"cancel\":", 10) != 0 && (serve(line) || once)) {
			flush();
			return 0;
		}
	}
	say("bye");
	while (deaf)
		(void)pause();
	return 0;
}
