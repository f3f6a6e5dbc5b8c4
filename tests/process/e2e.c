/* Starting, asking, watching and ending the whole of reeve for a test. */
#include "process/e2e.h"

#include "base/err.h"
#include "base/seam.h"
#include "helpers/tier.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/self.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOG_SHOWN 12000 /* bytes of the daemon's log in a failure */

const char *rv_e2e_program(const char *name)
{
	static char paths[4][RV_PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 4];
	struct rv_why why = {{0}};

	if (rv_self_sibling(name, path, sizeof paths[0], &why) != RV_OK) {
		(void)fprintf(stderr, "test helper: %s\n", why.text);
		abort();
	}
	return path;
}

const char *rv_e2e_path(const struct rv_e2e *e, const char *name)
{
	return rv_test_path("%s/%s", e->dir, name);
}

uint64_t rv_e2e_dice(uint64_t *state, uint64_t below)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15U); /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return (z ^ z >> 31) % below;
}

void rv_e2e_seeds(uint64_t *ret_first, uint64_t *ret_count, uint64_t usually, uint64_t all)
{
	const char *seed = getenv("RV_SEED");
	const char *seeds = getenv("RV_SEEDS");

	*ret_first = seed ? strtoull(seed, NULL, 10) : 1;
	*ret_count = rv_test_all() ? all : usually;
	if (seed)
		*ret_count = 1;
	if (seeds)
		*ret_count = strtoull(seeds, NULL, 10);
}

static void show_log(const struct rv_e2e *e)
{
	char *log = rv_test_read_file(rv_e2e_path(e, "log"));
	size_t size = log ? strlen(log) : 0;

	(void)fprintf(stderr, "---- the end of the daemon's log\n%s\n----\n",
		      log ? log + (size > LOG_SHOWN ? size - LOG_SHOWN : 0) : "(none)");
	free(log);
}

void rv_e2e_fail(struct rv_e2e *e, const char *file, int line, const char *condition,
		 const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	show_log(e);
	(void)fprintf(stderr, "%s:%d: not so: %s: %s\nlast said: %s%s\n", file, line, condition,
		      text, rv_buf_text(&e->out), rv_buf_text(&e->err));
	rv_test_end(&e->daemon);
	if (getenv("RV_KEEP"))
		(void)fprintf(stderr, "kept: %s\n", e->dir);
	else if (rv_e2e_gone(e, 10000))
		rv_test_tmpdir_end();
	abort();
}

/* ---- making */

__attribute__((format(printf, 2, 0))) static void write_ini(struct rv_e2e *e, const char *more,
							    va_list args)
{
	char text[8192];

	(void)vsnprintf(text, sizeof text, more, args);
	rv_test_write_file(rv_e2e_path(e, "reeve.ini"),
			   "[reeve]\nstate_dir = %s/state\nstop_timeout = 5s\nadhoc = yes\n"
			   "[defaults]\nkill_after = 300ms\nbackoff = none\n"
			   "[task:job]\ncommand = '%s' '%s' ${arg.do}\n"
			   "max_attempts = 50\nmax_crashes = 1000000\n"
			   "[task:noop]\nhandler = builtin\nbuiltin = noop\n%s",
			   e->dir, rv_e2e_program("rv_testjob"), e->dir, text);
}

void rv_e2e_ini(struct rv_e2e *e, const char *more, ...)
{
	va_list args;

	va_start(args, more);
	write_ini(e, more, args);
	va_end(args);
}

static void bind_notify(struct rv_e2e *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)snprintf(address.sun_path, sizeof address.sun_path, "%.90s/notify", e->dir);
	e->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	RV_NEED(e,
		e->notify >= 0 && bind(e->notify, (struct sockaddr *)&address, sizeof address) == 0,
		"%s", strerror(errno));
}

void rv_e2e_new(struct rv_e2e *e, const char *more, ...)
{
	va_list args;

	*e = (struct rv_e2e){.notify = -1};
	e->daemon.pidfd = -1;
	rv_buf_init(&e->out);
	rv_buf_init(&e->err);
	(void)snprintf(e->dir, sizeof e->dir, "%s", rv_test_tmpdir());
	RV_NEED(e, mkdir(rv_e2e_path(e, "locks"), 0700) == 0, "%s", strerror(errno));
	rv_test_write_file(rv_e2e_path(e, "jobs"), "%s", "");
	va_start(args, more);
	write_ini(e, more, args);
	va_end(args);
	bind_notify(e);
}

void rv_e2e_env(struct rv_e2e *e, const char *pair, ...)
{
	va_list args;

	RV_NEED(e, e->nenv < RV_E2E_ENV, "room for %s", pair);
	va_start(args, pair);
	(void)vsnprintf(e->pairs[e->nenv], sizeof e->pairs[0], pair, args);
	va_end(args);
	e->nenv++;
}

void rv_e2e_no_env(struct rv_e2e *e)
{
	e->nenv = 0;
}

/* ---- the daemon */

void rv_e2e_launch(struct rv_e2e *e)
{
	const char *const words[] = {"/bin/sh",
				     "-c",
				     "echo 0 >$0/cgroup.procs; exec \"$@\"",
				     e->cgroup,
				     rv_e2e_program("reeved"),
				     "-c",
				     rv_e2e_path(e, "reeve.ini"),
				     NULL};
	struct rv_test_start how = {.argv = e->cgroup ? words : words + 4, .env = e->env};
	char notify[320];
	char log[320];
	char byte[512];

	while (recv(e->notify, byte, sizeof byte, MSG_DONTWAIT) >= 0)
		continue; /* of a daemon before */
	(void)snprintf(notify, sizeof notify, "NOTIFY_SOCKET=%s/notify", e->dir);
	(void)snprintf(log, sizeof log, "%s/log", e->dir);
	how.out_file = log;
	for (size_t i = 0; i < e->nenv; i++)
		e->env[i] = e->pairs[i];
	e->env[e->nenv] = notify;
	e->env[e->nenv + 1] = NULL;
	RV_NEED(e, e->daemon.pidfd < 0, "no daemon of this test runs");
	rv_test_start(&how, &e->daemon);
}

void rv_e2e_notified(struct rv_e2e *e, const char *text)
{
	int64_t deadline = rv_mono_us() + RV_E2E_WAIT_MS * RV_MS_US;
	struct pollfd fds[2] = {{.fd = e->notify, .events = POLLIN},
				{.fd = e->daemon.pidfd, .events = POLLIN}};
	char said[2048];

	for (;;) {
		int64_t left = (deadline - rv_mono_us()) / RV_MS_US;
		ssize_t n;

		RV_NEED(e, left > 0 && poll(fds, 2, (int)left) > 0, "notified of %s", text);
		n = recv(e->notify, said, sizeof said - 1, MSG_DONTWAIT);
		if (n < 0 && fds[1].revents != 0) {
			int code = rv_e2e_exit(e);

			RV_NEED(e, false, "it ended with %d before %s", code, text);
		}
		if (n < 0)
			continue;
		said[n] = '\0';
		if (strstr(said, text))
			return;
	}
}

void rv_e2e_start(struct rv_e2e *e)
{
	rv_e2e_launch(e);
	rv_e2e_notified(e, "READY=1");
}

void rv_e2e_logged(struct rv_e2e *e, const char *text)
{
	RV_NEED(e, rv_test_wait_text(rv_e2e_path(e, "log"), text, RV_E2E_WAIT_MS), "logged: %s",
		text);
}

static int count_in(const char *path, const char *text)
{
	char *all = rv_test_read_file(path);
	int count = 0;

	for (const char *at = all; at && (at = strstr(at, text)); at++)
		count++;
	free(all);
	return count;
}

int rv_e2e_log_count(struct rv_e2e *e, const char *text)
{
	return count_in(rv_e2e_path(e, "log"), text);
}

int rv_e2e_exit(struct rv_e2e *e)
{
	struct rv_exit how = {0};

	RV_NEED(e, rv_test_wait(&e->daemon, RV_E2E_WAIT_MS, &how), "the daemon ends");
	rv_test_end(&e->daemon);
	return how.signo != 0 ? 128 + how.signo : how.code;
}

void rv_e2e_kill(struct rv_e2e *e)
{
	rv_test_end(&e->daemon);
}

void rv_e2e_stop(struct rv_e2e *e)
{
	int code;

	rv_test_signal(&e->daemon, SIGTERM);
	code = rv_e2e_exit(e);
	RV_NEED(e, code == 0, "it ends with 0 and not %d", code);
}

void rv_e2e_fini(struct rv_e2e *e)
{
	rv_e2e_clean(e);
	rv_fd_close(&e->notify);
	rv_buf_fini(&e->out);
	rv_buf_fini(&e->err);
	rv_test_tmpdir_end();
}

void rv_e2e_end(struct rv_e2e *e)
{
	rv_e2e_stop(e);
	rv_e2e_fini(e);
}

/* ---- its children */

static size_t read_file(const char *path, char *out, size_t space)
{
	RV_AUTO(rv_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t got = 0;

	if (fd < 0 || rv_fd_read_all(fd, out, space - 1, &got) != RV_OK)
		got = 0;
	out[got] = '\0';
	return got;
}

static int slot_of(pid_t pid)
{
	char words[4096];
	size_t size = read_file(rv_test_path("/proc/%d/cmdline", (int)pid), words, sizeof words);

	for (size_t at = 0; at < size; at += strlen(words + at) + 1) {
		if (strcmp(words + at, "--slot") == 0)
			return atoi(words + at + strlen("--slot") + 1);
	}
	return -1;
}

pid_t rv_e2e_child(const struct rv_e2e *e, int slot)
{
	char list[8192];
	char *at = list;
	char *end;

	if (e->daemon.pidfd < 0)
		return 0;
	(void)read_file(
		rv_test_path("/proc/%d/task/%d/children", (int)e->daemon.pid, (int)e->daemon.pid),
		list, sizeof list);
	for (long pid = strtol(at, &end, 10); end != at; pid = strtol(at, &end, 10)) {
		if (slot_of((pid_t)pid) == slot)
			return (pid_t)pid;
		at = end;
	}
	return 0;
}

struct awaited {
	struct rv_e2e *e;
	int slot;
	pid_t pid;
};

static bool has_child(void *ctx)
{
	struct awaited *awaited = ctx;

	awaited->pid = rv_e2e_child(awaited->e, awaited->slot);
	return awaited->pid != 0;
}

pid_t rv_e2e_await_child(struct rv_e2e *e, int slot)
{
	struct awaited awaited = {e, slot, 0};

	RV_NEED(e, rv_test_wait_until(has_child, &awaited, RV_E2E_WAIT_MS), "a child in slot %d",
		slot);
	return awaited.pid;
}

bool rv_e2e_signal_pid(pid_t pid, int signo)
{
	RV_AUTO(rv_fd_close) int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;

	return pidfd >= 0 && pidfd_send_signal(pidfd, signo, NULL, 0) == 0;
}

bool rv_e2e_signal(const struct rv_e2e *e, int slot, int signo)
{
	pid_t pid = rv_e2e_child(e, slot);
	RV_AUTO(rv_fd_close) int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;

	/* With the pidfd in hand: is it still who we meant? */
	return pidfd >= 0 && rv_e2e_child(e, slot) == pid &&
	       pidfd_send_signal(pidfd, signo, NULL, 0) == 0;
}

/* ---- the CLI */

static void drain(struct rv_e2e *e, struct rv_test_child *child)
{
	int64_t deadline = rv_mono_us() + 2 * RV_E2E_WAIT_MS * RV_MS_US;
	struct pollfd fds[2] = {{.fd = child->out, .events = POLLIN},
				{.fd = child->err, .events = POLLIN}};
	struct rv_buf *bufs[2] = {&e->out, &e->err};

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		int64_t left = (deadline - rv_mono_us()) / RV_MS_US;

		RV_NEED(e, left > 0 && poll(fds, 2, (int)left) > 0, "the verb ends");
		for (int i = 0; i < 2; i++) {
			if (fds[i].fd >= 0 && fds[i].revents != 0 &&
			    rv_fd_read_some(fds[i].fd, 65536, bufs[i]) != RV_OK)
				fds[i].fd = -1;
		}
	}
}

int rv_e2e_reeve_words(struct rv_e2e *e, const char *const *words)
{
	const char *all[40] = {rv_e2e_program("reeve"), "-c", rv_e2e_path(e, "reeve.ini")};
	struct rv_test_start how = {.argv = all, .pipe_out = true, .pipe_err = true};
	struct rv_test_child child;
	size_t n = 3;
	int code;

	for (size_t i = 0; words[i] && n + 1 < RV_ARRAY_LEN(all); i++)
		all[n++] = words[i];
	rv_buf_reset(&e->out);
	rv_buf_reset(&e->err);
	rv_test_start(&how, &child);
	drain(e, &child);
	code = rv_test_finish(&child, RV_E2E_WAIT_MS);
	rv_test_end(&child);
	return code;
}

/* The words of a call, after ${before} of their own. */
#define GATHER(words, first, ...)                                                                  \
	const char *words[36] = {__VA_ARGS__};                                                     \
	do {                                                                                       \
		size_t n_ = sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *);                \
		va_list args_;                                                                     \
                                                                                                   \
		va_start(args_, first);                                                            \
		for (const char *w_ = first; w_ && n_ < 35; w_ = va_arg(args_, const char *))      \
			words[n_++] = w_;                                                          \
		va_end(args_);                                                                     \
	} while (0)

int rv_e2e_reeve(struct rv_e2e *e, const char *word, ...)
{
	GATHER(words, word, "--busy-timeout", "30s");
	return rv_e2e_reeve_words(e, words);
}

int64_t rv_e2e_add(struct rv_e2e *e, const char *word, ...)
{
	int code;

	GATHER(words, word, "add");
	code = rv_e2e_reeve_words(e, words);
	RV_NEED(e, code == 0, "add returns %d", code);
	return strtoll(rv_buf_text(&e->out), NULL, 10);
}

json_t *rv_e2e_json(struct rv_e2e *e, const char *word, ...)
{
	json_t *json;

	GATHER(words, word, "--json");
	(void)rv_e2e_reeve_words(e, words);
	json = json_loads(rv_buf_text(&e->out), 0, NULL);
	RV_NEED(e, json, "%s --json prints JSON", word);
	return json;
}

void rv_e2e_wait_all(struct rv_e2e *e, int code)
{
	int got = rv_e2e_reeve(e, "wait", "--all", "--timeout", "90s", NULL);

	RV_NEED(e, got == code, "wait --all returns %d and not %d", code, got);
}

/* ---- jobs */

int64_t rv_e2e_job(struct rv_e2e *e, const char *what, ...)
{
	char text[512] = "do=";
	va_list args;

	va_start(args, what);
	(void)vsnprintf(text + 3, sizeof text - 3, what, args);
	va_end(args);
	return rv_e2e_add(e, "job", text, NULL);
}

void rv_e2e_job_says(struct rv_e2e *e, const char *text, ...)
{
	char wanted[256];
	va_list args;

	va_start(args, text);
	(void)vsnprintf(wanted, sizeof wanted, text, args);
	va_end(args);
	RV_NEED(e, rv_test_wait_text(rv_e2e_path(e, "jobs"), wanted, RV_E2E_WAIT_MS),
		"a job says %s", wanted);
}

int rv_e2e_job_count(struct rv_e2e *e, const char *text, ...)
{
	char wanted[256];
	va_list args;

	va_start(args, text);
	(void)vsnprintf(wanted, sizeof wanted, text, args);
	va_end(args);
	return count_in(rv_e2e_path(e, "jobs"), wanted);
}

struct times {
	struct rv_e2e *e;
	const char *text;
	int count;
};

static bool said_times(void *ctx)
{
	const struct times *times = ctx;

	return rv_e2e_job_count(times->e, "%s", times->text) >= times->count;
}

void rv_e2e_job_says_times(struct rv_e2e *e, const char *text, int count)
{
	struct times times = {e, text, count};

	RV_NEED(e, rv_test_wait_until(said_times, &times, RV_E2E_WAIT_MS),
		"jobs say %s %d times, not %d", text, count, rv_e2e_job_count(e, "%s", text));
}

struct until {
	struct rv_e2e *e;
	int64_t job;
	enum rv_job_state state;
};

static bool has_state(void *ctx)
{
	const struct until *until = ctx;
	struct rv_job_view view;
	int err = rv_store_job(rv_e2e_store(until->e), until->job, &view);

	RV_NEED(until->e, err == RV_OK || err == RV_E_BUSY, "job %lld: %s", (long long)until->job,
		rv_err_text(err));
	return err == RV_OK && view.state == until->state;
}

void rv_e2e_until(struct rv_e2e *e, int64_t job, enum rv_job_state state)
{
	struct until until = {e, job, state};

	RV_NEED(e, rv_test_wait_until(has_state, &until, RV_E2E_WAIT_MS),
		"job %lld is not %s but %s: %s", (long long)job, rv_job_state_name(state),
		rv_job_state_name(rv_e2e_view(e, job)->state), rv_e2e_view(e, job)->error);
}
