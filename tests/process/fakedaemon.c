/* Starting, watching and ending a reeved over fake children. */
#include "fakedaemon.h"

#include "base/buf.h"
#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "os/fd.h"
#include "os/self.h"
#include "os/sock.h"
#include "wire/control.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void show(const struct rv_fake *fake, const char *name)
{
	char *text = rv_test_read_file(rv_test_path("%s/%s", fake->dir, name));

	(void)fprintf(stderr, "---- %s\n%s\n", name, text ? text : "(none)");
	free(text);
}

static void fail(const struct rv_fake *fake, const char *what)
{
	(void)fprintf(stderr, "waited in vain for: %s\n", what);
	show(fake, "fake/log");
	show(fake, "err");
	cr_assert(false, "waited in vain for: %s", what);
}

static const char *sibling(const char *name)
{
	static char path[4096];
	struct rv_why why = {{0}};

	cr_assert(eq(int, rv_self_sibling(name, path, sizeof path, &why), RV_OK), "%s", why.text);
	return path;
}

void rv_fake_new(struct rv_fake *fake, int workers)
{
	const char *program = sibling("rv_fakechild");

	*fake = (struct rv_fake){.notify = -1, .stop_timeout = "2s"};
	fake->child.pidfd = -1;
	(void)snprintf(fake->dir, sizeof fake->dir, "%s", rv_test_tmpdir());
	cr_assert(eq(int, mkdir(rv_test_path("%s/libexec", fake->dir), 0700), 0));
	cr_assert(eq(int, mkdir(rv_test_path("%s/fake", fake->dir), 0700), 0));
	cr_assert(eq(int, symlink(program, rv_test_path("%s/libexec/reeve-worker", fake->dir)), 0));
	cr_assert(eq(int, symlink(program, rv_test_path("%s/libexec/reeve-keeper", fake->dir)), 0));
	(void)snprintf(fake->control, sizeof fake->control, "%s/state/run/control", fake->dir);
	rv_test_write_file(rv_test_path("%s/fake/log", fake->dir), "%s", "");
	rv_fake_ini(fake, "[pool:default]\nworkers = %d\n", workers);
}

void rv_fake_ini(struct rv_fake *fake, const char *more, ...)
{
	char text[8192];
	va_list args;

	va_start(args, more);
	(void)vsnprintf(text, sizeof text, more, args);
	va_end(args);
	rv_test_write_file(rv_test_path("%s/reeve.ini", fake->dir),
			   "[reeve]\nstate_dir = %s/state\nstop_timeout = %s\n"
			   "[defaults]\nkill_after = 500ms\n%s",
			   fake->dir, fake->stop_timeout, text);
}

void rv_fake_orders(struct rv_fake *fake, const char *who, const char *orders, ...)
{
	char text[4096];
	va_list args;

	va_start(args, orders);
	(void)vsnprintf(text, sizeof text, orders, args);
	va_end(args);
	/* In one rename: a child that starts just now sees the old orders or the new. */
	rv_test_write_file(rv_test_path("%s/new", fake->dir), "%s", text);
	cr_assert(eq(int,
		     rename(rv_test_path("%s/new", fake->dir),
			    rv_test_path("%s/fake/%s", fake->dir, who)),
		     0));
}

void rv_fake_env(struct rv_fake *fake, const char *pair)
{
	cr_assert(lt(sz, fake->nenv + 1, RV_ARRAY_LEN(fake->env)));
	fake->env[fake->nenv++] = pair;
}

void rv_fake_notify(struct rv_fake *fake)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	static char pair[200];

	fake->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert(ne(int, fake->notify, -1));
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%.90s/notify", fake->dir);
	cr_assert(eq(int, bind(fake->notify, (struct sockaddr *)&address, sizeof address), 0));
	(void)snprintf(pair, sizeof pair, "NOTIFY_SOCKET=%s", address.sun_path);
	rv_fake_env(fake, pair);
}

void rv_fake_start(struct rv_fake *fake)
{
	char ini[600];
	char libexec[600];
	char dir[600];
	char err[600];
	const char *const words[] = {fake->program ? fake->program : sibling("reeved"), "-c", ini,
				     NULL};
	struct rv_test_start how = {.argv = words, .env = fake->env};
	size_t had = fake->nenv;

	(void)snprintf(ini, sizeof ini, "%s/reeve.ini", fake->dir);
	(void)snprintf(libexec, sizeof libexec, "REEVE_LIBEXEC=%s/libexec", fake->dir);
	(void)snprintf(dir, sizeof dir, "RV_FAKE_DIR=%s/fake", fake->dir);
	(void)snprintf(err, sizeof err, "%s/err", fake->dir);
	rv_fake_env(fake, libexec);
	rv_fake_env(fake, dir);
	if (fake->no_file)
		how.pipe_err = true;
	else
		how.out_file = err;
	rv_test_start(&how, &fake->child);
	fake->nenv = had;
	fake->env[had] = NULL;
	fake->env[had + 1] = NULL;
}

void rv_fake_up(struct rv_fake *fake, int workers)
{
	int had = rv_fake_count(fake, " ready\n");

	rv_fake_start(fake);
	rv_fake_await_count(fake, " ready\n", had + workers + 1);
	rv_fake_await_status(fake, "daemon.state", "ready");
}

/* Processes whose environment says that they are of a daemon of ours; needs the lock file. */
static int count_marked(const struct rv_fake *fake)
{
	char wanted[100];
	struct stat st;
	struct dirent *entry;
	int count = 0;
	DIR *proc;

	if (stat(rv_test_path("%s/state/reeve.db.lock", fake->dir), &st) != 0)
		return 0;
	(void)snprintf(wanted, sizeof wanted, "REEVE_INSTANCE=%llx-%llx.",
		       (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	proc = opendir("/proc");
	cr_assert(ne(ptr, proc, NULL));
	while ((entry = readdir(proc)) != NULL) {
		struct rv_buf buf;
		RV_AUTO(rv_fd_close) int fd = -1;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		fd = open(rv_test_path("/proc/%s/environ", entry->d_name), O_RDONLY | O_CLOEXEC);
		rv_buf_init(&buf);
		if (fd >= 0 && rv_fd_read_buf(fd, 1U << 20, &buf) == RV_OK) {
			for (size_t at = 0; at < buf.size; at += strlen(buf.data + at) + 1)
				count += strncmp(buf.data + at, wanted, strlen(wanted)) == 0;
		}
		rv_buf_fini(&buf);
	}
	(void)closedir(proc);
	return count;
}

static bool is_gone(const char *path)
{
	return access(path, F_OK) != 0;
}

void rv_fake_clean(struct rv_fake *fake)
{
	cr_assert(eq(int, count_marked(fake), 0), "processes are left");
	cr_assert(is_gone(fake->control), "the control socket is left");
	cr_assert(is_gone(rv_test_path("%s/state/run/doorbell", fake->dir)));
	rv_fd_close(&fake->notify);
	rv_test_end(&fake->child);
}

void rv_fake_down(struct rv_fake *fake)
{
	struct rv_exit how = {0};

	rv_test_signal(&fake->child, SIGTERM);
	if (!rv_test_wait(&fake->child, RV_FAKE_WAIT_MS, &how))
		fail(fake, "the end of reeved");
	if (how.code != 0)
		fail(fake, "exit code 0");
	rv_fake_clean(fake);
}

static char *read_log(const struct rv_fake *fake, const char *name)
{
	char *text = rv_test_read_file(rv_test_path("%s/%s", fake->dir, name));

	return text ? text : calloc(1, 1);
}

static void __attribute__((format(printf, 3, 0)))
await(struct rv_fake *fake, const char *name, const char *format, va_list args)
{
	char text[512];

	(void)vsnprintf(text, sizeof text, format, args);
	if (!rv_test_wait_text(rv_test_path("%s/%s", fake->dir, name), text, RV_FAKE_WAIT_MS))
		fail(fake, text);
}

void rv_fake_await(struct rv_fake *fake, const char *text, ...)
{
	va_list args;

	va_start(args, text);
	await(fake, "fake/log", text, args);
	va_end(args);
}

void rv_fake_await_err(struct rv_fake *fake, const char *text, ...)
{
	va_list args;

	va_start(args, text);
	await(fake, "err", text, args);
	va_end(args);
}

int rv_fake_count(struct rv_fake *fake, const char *text)
{
	char *log = read_log(fake, "fake/log");
	int count = 0;

	for (const char *at = log; (at = strstr(at, text)); at++)
		count++;
	free(log);
	return count;
}

struct counting {
	struct rv_fake *fake;
	const char *text;
	int count;
};

static bool counted(void *ctx)
{
	struct counting *counting = ctx;

	return rv_fake_count(counting->fake, counting->text) >= counting->count;
}

void rv_fake_await_count(struct rv_fake *fake, const char *text, int count)
{
	struct counting counting = {fake, text, count};

	if (!rv_test_wait_until(counted, &counting, RV_FAKE_WAIT_MS))
		fail(fake, text);
}

bool rv_fake_err_has(struct rv_fake *fake, const char *text)
{
	char *log = read_log(fake, "err");
	bool found = strstr(log, text) != NULL;

	free(log);
	return found;
}

void rv_fake_await_notify(struct rv_fake *fake, const char *text)
{
	int64_t deadline_us = rv_mono_us() + RV_FAKE_WAIT_MS * RV_MS_US;
	char message[1024];

	while (rv_fd_wait(fake->notify, POLLIN, deadline_us - rv_mono_us()) == RV_OK) {
		ssize_t n = recv(fake->notify, message, sizeof message - 1, 0);

		message[n > 0 ? n : 0] = '\0';
		if (strstr(message, text))
			return;
	}
	fail(fake, text);
}

pid_t rv_fake_pid(struct rv_fake *fake, int slot, unsigned long long *ret_incarnation)
{
	char *log = read_log(fake, "fake/log");
	char *save = NULL;
	int pid = 0;

	for (char *line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned long long incarnation;
		char what[32];
		char kind[16];
		int at;
		int of;

		if (sscanf(line, "%15s %d %llx %d %31s", kind, &at, &incarnation, &of, what) != 5)
			continue;
		if (at != slot || strcmp(what, "start") != 0)
			continue;
		pid = of;
		if (ret_incarnation)
			*ret_incarnation = incarnation;
	}
	free(log);
	cr_assert(ne(int, pid, 0), "nothing was started in slot %d", slot);
	return (pid_t)pid;
}

void rv_fake_order(struct rv_fake *fake, int slot, const char *orders, ...)
{
	char text[4096];
	char name[32];
	va_list args;

	va_start(args, orders);
	(void)vsnprintf(text, sizeof text, orders, args);
	va_end(args);
	(void)snprintf(name, sizeof name, "order.%d", slot);
	rv_fake_orders(fake, name, "%s", text);
	cr_assert(eq(int, kill(rv_fake_pid(fake, slot, NULL), SIGUSR1), 0));
}

void rv_fake_ring(struct rv_fake *fake, uint64_t token)
{
	rv_sock_ring(rv_test_path("%s/state/run/doorbell", fake->dir), token);
}

json_t *rv_fake_try(struct rv_fake *fake, const char *request, int *ret_err, struct rv_why *why)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	json_t *json = NULL;
	json_t *reply = NULL;
	int err = rv_json_parse(request, strlen(request), 1U << 20, &json, why);

	cr_assert(eq(int, err, RV_OK), "%s", why->text);
	err = rv_sock_connect(fake->control, RV_FAKE_WAIT_MS * RV_MS_US, &fd, why);
	if (err == RV_OK)
		err = rv_control_call(fd, json, RV_FAKE_WAIT_MS * RV_MS_US, &reply, why);
	json_decref(json);
	*ret_err = err;
	return err == RV_OK ? reply : NULL;
}

json_t *rv_fake_call(struct rv_fake *fake, const char *request, int *ret_err, struct rv_why *why)
{
	int64_t deadline_us = rv_mono_us() + RV_FAKE_WAIT_MS * RV_MS_US;
	json_t *reply = rv_fake_try(fake, request, ret_err, why);

	while (*ret_err == RV_E_BUSY && rv_mono_us() < deadline_us) {
		(void)poll(NULL, 0, 20);
		reply = rv_fake_try(fake, request, ret_err, why);
	}
	return reply;
}

struct awaited {
	struct rv_fake *fake;
	const char *path;
	const char *value;
	char seen[128];
};

static void get_text(const json_t *json, const char *key, char *out, size_t space)
{
	const json_t *value = json_object_get(json, key);

	if (json_is_integer(value))
		(void)snprintf(out, space, "%lld", (long long)json_integer_value(value));
	else
		(void)snprintf(out, space, "%s",
			       json_is_string(value) ? json_string_value(value) : "");
}

static bool status_is(void *ctx)
{
	struct awaited *awaited = ctx;
	struct rv_why why = {{0}};
	int err;
	json_t *reply = rv_fake_call(awaited->fake, "{\"v\":1,\"verb\":\"status\"}", &err, &why);
	json_t *part = strncmp(awaited->path, "daemon.", 7) == 0
			       ? json_object_get(reply, "daemon")
			       : json_array_get(json_object_get(reply, "pools"), 0);

	get_text(part, strchr(awaited->path, '.') + 1, awaited->seen, sizeof awaited->seen);
	json_decref(reply);
	return strcmp(awaited->seen, awaited->value) == 0;
}

void rv_fake_await_status(struct rv_fake *fake, const char *path, const char *value)
{
	struct awaited awaited = {.fake = fake, .path = path, .value = value};
	char text[300];

	if (rv_test_wait_until(status_is, &awaited, RV_FAKE_WAIT_MS))
		return;
	(void)snprintf(text, sizeof text, "%s = %s (it is %s)", path, value, awaited.seen);
	fail(fake, text);
}
