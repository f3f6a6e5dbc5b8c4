/*
 * Processes for tests.  Criterion runs a test in a fork of its own with descriptors of its own
 * open: what is started from there must inherit none of them (TESTING.md).  rv_spawn gives all of
 * that but for F12, the inherited ignored SIGCHLD, which needs a child that is not reset.
 */
#include "helpers/child.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/seam.h"
#include "os/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static void give_up(const char *what, const char *detail)
{
	(void)fprintf(stderr, "test helper: %s: %s\n", what, detail);
	abort();
}

/* NAME= of two settings alike? */
static bool same_name(const char *a, const char *b)
{
	size_t length = strcspn(a, "=");

	return strncmp(a, b, length + 1) == 0;
}

static bool overridden(const char *entry, const char *const *env)
{
	if (strncmp(entry, "BXFI_MAP=", 9) == 0)
		return true;
	for (; env && *env; env++) {
		if (same_name(*env, entry))
			return true;
	}
	return false;
}

/* free() it; the texts are borrowed. */
static const char **make_env(const struct rv_test_start *how)
{
	size_t count = 1;
	size_t at = 0;
	const char **env;

	for (char **e = environ; *e; e++)
		count++;
	for (const char *const *e = how->env; e && *e; e++)
		count++;
	env = calloc(count, sizeof *env);
	if (!env)
		give_up("environment", "out of memory");
	for (char **e = environ; !how->bare_env && *e; e++) {
		if (!overridden(*e, how->env))
			env[at++] = *e;
	}
	for (const char *const *e = how->env; e && *e; e++)
		env[at++] = *e;
	return env;
}

struct ends {
	int ours, theirs;
};

static struct ends make_pipe(bool wanted, bool to_child, int otherwise)
{
	int fds[2];

	if (!wanted)
		return (struct ends){.ours = -1, .theirs = otherwise};
	if (rv_fd_pipe(fds, false) != RV_OK)
		give_up("pipe", strerror(errno));
	return to_child ? (struct ends){.ours = fds[1], .theirs = fds[0]}
			: (struct ends){.ours = fds[0], .theirs = fds[1]};
}

void rv_test_start(const struct rv_test_start *how, struct rv_test_child *ret_child)
{
	struct rv_spawn spawn = {.cwd = how->cwd, .parent_death_signal = SIGKILL, .nfds = 3};
	const char *wrapped[64] = {"sh", "-c", "trap '' CHLD; exec \"$@\"", "sh"};
	const char **env = make_env(how);
	struct rv_proc proc;
	struct rv_why why;
	RV_AUTO(rv_fd_close) int file = -1;
	struct ends in = make_pipe(how->pipe_in, true, -1);
	struct ends out = make_pipe(how->pipe_out, false, STDOUT_FILENO);
	struct ends err = make_pipe(how->pipe_err, false, STDERR_FILENO);

	if (how->out_file) {
		file = open(how->out_file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
		if (file < 0)
			give_up(how->out_file, strerror(errno));
	}
	spawn.argv = (char *const *)(uintptr_t)how->argv;
	if (how->blocked_chld) { /* a shell's ignored signals stay ignored over its exec */
		for (size_t i = 0; how->argv[i]; i++) {
			if (i + 5 >= RV_ARRAY_LEN(wrapped))
				give_up("start", "too many words");
			wrapped[4 + i] = how->argv[i];
		}
		spawn.argv = (char *const *)(uintptr_t)wrapped;
	}
	spawn.envp = (char *const *)(uintptr_t)env;
	spawn.fds[0] = (struct rv_spawn_fd){.from = in.theirs, .to = 0};
	spawn.fds[1] = (struct rv_spawn_fd){.from = file >= 0 ? file : out.theirs, .to = 1};
	spawn.fds[2] = (struct rv_spawn_fd){.from = file >= 0 ? file : err.theirs, .to = 2};
	if (rv_spawn(&spawn, &proc, &why) != RV_OK)
		give_up("start", why.text);
	free(env);
	if (how->pipe_in)
		rv_fd_close(&in.theirs);
	if (how->pipe_out)
		rv_fd_close(&out.theirs);
	if (how->pipe_err)
		rv_fd_close(&err.theirs);
	*ret_child = (struct rv_test_child){.pid = proc.pid,
					    .pidfd = proc.pidfd,
					    .in = in.ours,
					    .out = out.ours,
					    .err = err.ours};
}

void rv_test_startl(struct rv_test_child *ret_child, const char *word, ...)
{
	struct rv_test_start how = {.pipe_out = true};
	const char *words[32];
	size_t count = 0;
	va_list args;

	va_start(args, word);
	for (; word; word = va_arg(args, const char *)) {
		if (count + 1 >= RV_ARRAY_LEN(words))
			give_up("start", "too many words");
		words[count++] = word;
	}
	va_end(args);
	words[count] = NULL;
	how.argv = words;
	rv_test_start(&how, ret_child);
}

void rv_test_signal(const struct rv_test_child *child, int signo)
{
	struct rv_proc proc = {.pid = child->pid, .pidfd = child->pidfd};

	if (rv_proc_signal(&proc, signo, false) == RV_E_IO)
		give_up("signal", strerror(errno));
}

bool rv_test_running(const struct rv_test_child *child)
{
	return child->pidfd >= 0 && rv_fd_wait(child->pidfd, POLLIN, 0) == RV_E_TIMEOUT;
}

bool rv_test_wait(struct rv_test_child *child, int64_t timeout_ms, struct rv_exit *ret_exit)
{
	struct rv_proc proc = {.pid = child->pid, .pidfd = child->pidfd};
	int err;

	if (child->pidfd < 0)
		give_up("wait", "this child was waited for already");
	if (rv_fd_wait(child->pidfd, POLLIN, timeout_ms * RV_MS_US) != RV_OK)
		return false;
	err = rv_proc_reap(&proc, ret_exit);
	if (err != RV_OK)
		give_up("wait", rv_err_text(err));
	child->pidfd = -1;
	return true;
}

int rv_test_finish(struct rv_test_child *child, int64_t timeout_ms)
{
	struct rv_exit how = {0};

	if (!rv_test_wait(child, timeout_ms, &how)) {
		rv_test_end(child);
		give_up("finish", "the process did not end in time");
	}
	return how.signo ? 128 + how.signo : how.code;
}

void rv_test_end(struct rv_test_child *child)
{
	struct rv_exit how;

	if (child->pid > 0 && child->pidfd >= 0) {
		rv_test_signal(child, SIGKILL);
		if (!rv_test_wait(child, 60000, &how))
			give_up("end", "the process does not die");
	}
	if (child->pid > 0) {
		rv_fd_close(&child->in);
		rv_fd_close(&child->out);
		rv_fd_close(&child->err);
	}
	*child = (struct rv_test_child){.pidfd = -1, .in = -1, .out = -1, .err = -1};
}

int rv_test_output(const char *const *argv, char *ret_text, size_t space, int64_t timeout_ms)
{
	struct rv_test_start how = {.argv = argv, .pipe_out = true};
	struct rv_test_child child;
	int64_t deadline = rv_mono_us() + timeout_ms * RV_MS_US;
	struct rv_buf buf;
	int code;
	int err = RV_OK;

	rv_buf_init(&buf);
	rv_test_start(&how, &child);
	while (err == RV_OK) {
		err = rv_fd_wait(child.out, POLLIN, deadline - rv_mono_us());
		if (err == RV_OK)
			err = rv_fd_read_some(child.out, 65536, &buf);
	}
	code = rv_test_finish(&child, (deadline - rv_mono_us()) / RV_MS_US);
	rv_test_end(&child);
	if (ret_text && space > 0)
		(void)snprintf(ret_text, space, "%s", rv_buf_text(&buf));
	rv_buf_fini(&buf);
	return code;
}

int rv_test_count_marked(const char *name, const char *value)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char wanted[512];
	int count = 0;

	if (!proc)
		give_up("/proc", strerror(errno));
	(void)snprintf(wanted, sizeof wanted, "%s=%s", name, value);
	while ((entry = readdir(proc)) != NULL) {
		char path[300];
		struct rv_buf buf;
		RV_AUTO(rv_fd_close) int fd = -1;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		(void)snprintf(path, sizeof path, "/proc/%s/environ", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		rv_buf_init(&buf);
		if (fd >= 0 && rv_fd_read_buf(fd, 1U << 20, &buf) == RV_OK) {
			for (size_t at = 0; at < buf.size; at += strlen(buf.data + at) + 1)
				count += strcmp(buf.data + at, wanted) == 0;
		}
		rv_buf_fini(&buf);
	}
	(void)closedir(proc);
	return count;
}

int rv_test_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = -3; /* ".", ".." and the folder's own */

	if (!dir)
		give_up("/proc/self/fd", strerror(errno));
	while (readdir(dir))
		count++;
	(void)closedir(dir);
	return count;
}
