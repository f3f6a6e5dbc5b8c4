/*
 * A worker or keeper without a store, for tests of the supervisor: linked as reeve-worker and
 * reeve-keeper into a folder that REEVE_LIBEXEC names.  It speaks descriptor 3 and does what the
 * file $RV_FAKE_DIR/worker or /keeper says (or worker.SLOT), one order a line; without the file:
 * "ready".  What happens to it stands in $RV_FAKE_DIR/log, a line an event:
 *   worker 1 INCARNATION PID start …
 * USR1 makes it carry out the file order.SLOT as well.
 *
 * Orders before READY: noready, exit N, abort, say TEXT, shout BYTES, die N (KILL itself after
 * READY is sent), garbage KIND, flood N, escape N, clean N (escapees without an environment), stop,
 * fds, env, conf, nolock, close3.
 * For its later life: notick, noack, nostop, nonow, nowake, linger, busy (idle bit off), quiet.
 * By the keeper: load POOL READY OLDEST-US.  By a worker: idle 0|1.
 * As orders by USR1: tick…: any of the above, hung SLOT INCARNATION, stuck SLOT, kick SLOT JOB
 * FENCE.
 */
#include "base/attr.h"
#include "base/buf.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/self.h"
#include "os/sig.h"
#include "os/sweep.h"
#include "wire/area.h"
#include "wire/build.h"
#include "wire/sup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct fake {
	bool is_keeper;
	unsigned slot;
	unsigned long long incarnation;
	const char *dir;
	int log;
	bool is_ready, no_ready, no_tick, no_ack, no_stop, no_now, no_wake, no_lock, lingers, busy;
	bool is_deaf; /* descriptor 3 is closed */
	struct rv_area area;
	int lock;
} fake = {.log = -1, .lock = -1};

static void note(const char *format, ...) RV_PRINTF(1, 2);

static void note(const char *format, ...)
{
	char line[1024];
	va_list args;
	int n = snprintf(line, sizeof line, "%s %u %016llx %d ",
			 fake.is_keeper ? "keeper" : "worker", fake.slot, fake.incarnation,
			 (int)getpid());

	va_start(args, format);
	n += vsnprintf(line + n, sizeof line - (size_t)n - 1, format, args);
	va_end(args);
	if ((size_t)n > sizeof line - 2)
		n = sizeof line - 2;
	line[n++] = '\n';
	if (write(fake.log, line, (size_t)n) != n)
		_exit(99);
}

static void send_up(unsigned kind, uint64_t a, uint64_t b, uint64_t c)
{
	struct rv_sup_msg msg = {
		.version = RV_SUP_VERSION, .kind = (uint16_t)kind, .a = a, .b = b, .c = c};
	int err;

	while ((err = rv_sup_send(RV_SUP_FD, &msg)) == RV_E_BUSY) {
		if (rv_fd_wait(RV_SUP_FD, POLLOUT, 10 * RV_S_US) != RV_OK)
			break;
	}
	if (err != RV_OK)
		note("send %s: %s", rv_sup_name(kind), rv_err_name(err));
}

static void garbage(const char *kind)
{
	struct rv_sup_msg msg = {.version = RV_SUP_VERSION, .kind = RV_SUP_READY};
	size_t size = sizeof msg;

	if (strcmp(kind, "version") == 0)
		msg.version = 77;
	else if (strcmp(kind, "kind") == 0)
		msg.kind = 4711;
	else if (strcmp(kind, "direction") == 0)
		msg.kind = RV_SUP_STOP;
	else if (strcmp(kind, "size") == 0)
		msg.size = 0xffffffff;
	else if (strcmp(kind, "short") == 0)
		size = 3;
	else if (strcmp(kind, "empty") == 0)
		size = 0;
	else if (strcmp(kind, "role") == 0) {
		msg.kind = RV_SUP_ACK;
		size = sizeof msg - sizeof msg.text;
	} else
		rv_random(&msg, 200);
	(void)send(RV_SUP_FD, &msg, size, MSG_NOSIGNAL);
}

/* For the keeper, who looks at DIED whether they are gone: $RV_FAKE_DIR/escapees.SLOT */
static void record_escapee(void)
{
	char path[RV_PATH_MAX];
	int fd;

	if (snprintf(path, sizeof path, "%s/escapees.%u", fake.dir, fake.slot) >= (int)sizeof path)
		_exit(92);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
		_exit(92);
}

static int living_escapees(unsigned slot)
{
	char path[RV_PATH_MAX];
	int alive = 0;
	FILE *file;
	int pid;

	if (snprintf(path, sizeof path, "%s/escapees.%u", fake.dir, slot) >= (int)sizeof path)
		return -1;
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fscanf(file, "%d", &pid) == 1) {
		struct rv_procstat stat;

		/* A zombie runs nothing any more; who reaps it is not our question. */
		alive += rv_procstat(pid, &stat) == RV_OK && stat.state != 'Z';
	}
	(void)fclose(file);
	return alive;
}

/* Each in a session of its own, its parent dead, deaf to TERM; ${clean}: without our mark. */
static void escape(int count, bool clean)
{
	static char *const words[] = {(char *)(uintptr_t) "sleep", (char *)(uintptr_t) "1000",
				      NULL};
	static char *const nothing[] = {NULL};
	int done[2];
	char byte;

	if (pipe(done) != 0)
		_exit(98);
	for (int i = 0; i < count; i++) {
		if (fork() != 0)
			continue;
		(void)setsid();
		if (fork() != 0)
			_exit(0);
		(void)signal(SIGTERM, SIG_IGN);
		(void)close_range(6, ~0U, CLOSE_RANGE_CLOEXEC);
		(void)close(RV_SUP_FD);
		record_escapee();
		if (write(done[1], "x", 1) != 1)
			_exit(91);
		if (clean)
			(void)execve("/bin/sleep", words, nothing);
		(void)execvp(words[0], words);
		_exit(97);
	}
	for (int i = 0; i < count; i++) {
		if (read(done[0], &byte, 1) != 1)
			_exit(96);
	}
	(void)close(done[0]);
	(void)close(done[1]);
	note("escaped %d", count);
}

static void shout(long bytes)
{
	char line[1000];

	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	for (long sent = 0; sent < bytes; sent += (long)sizeof line) {
		struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

		(void)poll(&out, 1, 10000);
		if (write(STDERR_FILENO, line, sizeof line) < 0 && errno != EAGAIN)
			break;
	}
	note("shouted %ld", bytes);
}

static void list_fds(void)
{
	char line[512] = "";
	size_t n = 0;

	for (int fd = 0; fd < 1024; fd++) {
		if (fd != fake.log && fd != fake.lock && fcntl(fd, F_GETFD) >= 0)
			n += (size_t)snprintf(line + n, sizeof line - n, " %d", fd);
	}
	note("fds%s", line);
}

static struct rv_conf *read_conf(void)
{
	struct rv_conf_errors errors;
	struct rv_conf *conf = NULL;

	rv_conf_errors_init(&errors);
	if (rv_conf_read(RV_CONF_FD, &conf, &errors) != RV_OK)
		note("bad configuration");
	rv_conf_errors_fini(&errors);
	return conf;
}

static void show_conf(void)
{
	struct rv_conf *conf = read_conf();

	if (conf)
		note("conf pools %zu timeout %lld store %s", conf->npools,
		     (long long)(conf->defaults.timeout_us / 1000000), conf->store.path);
	rv_conf_free(conf);
}

/* As real children do: byte 1 of the lock file tells a new daemon that we are still there. */
static void hold_lock(void)
{
	struct rv_conf *conf = read_conf();
	char path[RV_PATH_MAX];
	struct rv_why why = {0};

	if (conf && snprintf(path, sizeof path, "%s.lock", conf->store.path) < (int)sizeof path &&
	    rv_lock_child(path, &fake.lock, &why) != RV_OK)
		note("lock: %s", why.text);
	rv_conf_free(conf);
}

static void show_env(void)
{
	for (char **pair = environ; *pair; pair++)
		note("env %s", *pair);
}

static void set_idle(bool idle)
{
	if (!fake.area.head || fake.slot >= fake.area.head->nslots)
		return;
	atomic_store(&fake.area.hints[fake.slot].incarnation, fake.incarnation);
	atomic_store(&fake.area.hints[fake.slot].beat_us, rv_mono_us());
	atomic_store(&fake.area.hints[fake.slot].idle, idle ? 1 : 0);
}

static bool flag(const char *word)
{
	static const struct {
		const char *word;
		bool *flag;
	} flags[] = {
		{"noready", &fake.no_ready}, {"notick", &fake.no_tick}, {"noack", &fake.no_ack},
		{"nostop", &fake.no_stop},   {"nonow", &fake.no_now},   {"nowake", &fake.no_wake},
		{"nolock", &fake.no_lock},   {"linger", &fake.lingers}, {"busy", &fake.busy},
	};

	for (size_t i = 0; i < RV_ARRAY_LEN(flags); i++) {
		if (strcmp(word, flags[i].word) == 0) {
			*flags[i].flag = true;
			return true;
		}
	}
	return false;
}

static void get_ready(void)
{
	if (fake.is_ready)
		return;
	fake.is_ready = true;
	if (!fake.no_lock && fake.lock < 0)
		hold_lock();
	set_idle(!fake.busy && !fake.is_keeper);
	note("ready"); /* first: what follows from it stands below it */
	send_up(RV_SUP_READY, 0, 0, 0);
}

/* "POOL READY OLDEST-US" */
static void send_load(const char *text)
{
	char name[64] = "";
	unsigned long long ready = 0;
	unsigned long long oldest = 0;

	if (sscanf(text, "%63s %llu %llu", name, &ready, &oldest) == 3)
		send_up(RV_SUP_LOAD, rv_ring_token(name), ready, oldest);
}

static void carry_out(char *line)
{
	char *save = NULL;
	const char *word = strtok_r(line, " \n", &save);
	const char *rest = save ? save : "";
	unsigned long long a = 0;
	unsigned long long b = 0;
	unsigned long long c = 0;

	if (!word || flag(word))
		return;
	if (strcmp(word, "hung") == 0)
		(void)sscanf(rest, "%llu %llx", &a, &b);
	else
		(void)sscanf(rest, "%llu %llu %llu", &a, &b, &c);
	if (strcmp(word, "ready") == 0)
		get_ready();
	else if (strcmp(word, "exit") == 0)
		_exit((int)a);
	else if (strcmp(word, "abort") == 0)
		abort();
	else if (strcmp(word, "die") == 0)
		(void)kill(getpid(), (int)a);
	else if (strcmp(word, "say") == 0)
		(void)dprintf(STDERR_FILENO, "%s\n", rest);
	else if (strcmp(word, "shout") == 0)
		shout((long)a);
	else if (strcmp(word, "garbage") == 0)
		garbage(rest);
	else if (strcmp(word, "flood") == 0)
		while (a-- > 0)
			send_up(RV_SUP_STATUS, 0, a, 0);
	else if (strcmp(word, "escape") == 0)
		escape((int)a, false);
	else if (strcmp(word, "clean") == 0)
		escape((int)a, true);
	else if (strcmp(word, "stop") == 0)
		(void)raise(SIGSTOP);
	else if (strcmp(word, "fds") == 0)
		list_fds();
	else if (strcmp(word, "env") == 0)
		show_env();
	else if (strcmp(word, "conf") == 0)
		show_conf();
	else if (strcmp(word, "close3") == 0) {
		(void)close(RV_SUP_FD);
		fake.is_deaf = true;
	} else if (strcmp(word, "hung") == 0)
		send_up(RV_SUP_HUNG, a, b, 0);
	else if (strcmp(word, "stuck") == 0)
		send_up(RV_SUP_STUCK, a, 0, 0);
	else if (strcmp(word, "kick") == 0)
		send_up(RV_SUP_KICK, a, b, c);
	else if (strcmp(word, "load") == 0)
		send_load(rest);
	else if (strcmp(word, "idle") == 0)
		set_idle(a != 0);
	else if (strcmp(word, "blocked") == 0)
		send_up(RV_SUP_TICK, 0, 0, a);
	else
		note("unknown order %s", word);
}

/* True when there is such a file. */
static bool obey(const char *name)
{
	char path[RV_PATH_MAX];
	char text[4096];
	size_t got = 0;
	char *save = NULL;
	RV_AUTO(rv_fd_close) int fd = -1;

	if (snprintf(path, sizeof path, "%s/%s", fake.dir, name) >= (int)sizeof path)
		_exit(95);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || rv_fd_read_all(fd, text, sizeof text - 1, &got) != RV_OK)
		return false;
	text[got] = '\0';
	rv_fd_close(&fd);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		carry_out(line);
	return true;
}

static void on_died(const struct rv_sup_msg *msg)
{
	note("DIED %llu %016llx died=%llu code=%llu signal=%llu slot=%llu left=%d words=%.*s",
	     (unsigned long long)msg->a, (unsigned long long)msg->b, (unsigned long long)msg->c,
	     (unsigned long long)RV_SUP_END_CODE(msg->d),
	     (unsigned long long)RV_SUP_END_SIGNO(msg->d), (unsigned long long)msg->e,
	     living_escapees((unsigned)msg->e), (int)msg->size, (const char *)msg->text);
	note("USED %llu core=%d rss=%s", (unsigned long long)msg->a, RV_SUP_END_CORE(msg->d),
	     msg->h > 65536 && msg->h < 1ULL << 40 && msg->f + msg->g < 60000000 ? "some" : "?");
	if (!fake.no_ack)
		send_up(RV_SUP_ACK, msg->a, 0, 0);
}

static void on_living(const struct rv_sup_msg *msg)
{
	char list[700] = "";
	size_t n = 0;

	for (uint64_t i = 0; i < msg->b && i < RV_SUP_TEXT / 8; i++) {
		uint64_t id;

		memcpy(&id, msg->text + 8 * i, 8);
		n += (size_t)snprintf(list + n, sizeof list - n, " %llx",
				      (unsigned long long)id & 0xffff);
	}
	note("LIVING %016llx %llu of %llu c=%llu:%s", (unsigned long long)msg->a,
	     (unsigned long long)msg->b, (unsigned long long)msg->d, (unsigned long long)msg->c,
	     list);
}

/* A keeper that greets and hangs up. */
static void on_submit(int fd)
{
	static const char hello[] = "{\"v\":1,\"ok\":true,\"from\":\"keeper\"}\n";

	note("SUBMIT %s", fd >= 0 ? "with a connection" : "of nothing");
	if (fd >= 0 && write(fd, hello, sizeof hello - 1) != (ssize_t)(sizeof hello - 1))
		note("nobody reads");
}

static void hear(const struct rv_sup_msg *msg, int fd)
{
	switch (msg->kind) {
	case RV_SUP_SUBMIT:
		on_submit(fd);
		return;
	case RV_SUP_DIED:
		on_died(msg);
		return;
	case RV_SUP_LIVING:
		on_living(msg);
		return;
	case RV_SUP_WAKE:
		note("WAKE %s", msg->a != 0 ? "ping" : "0");
		if (msg->a != 0 && !fake.no_wake)
			send_up(RV_SUP_STATUS, msg->a, 0, 0);
		return;
	default:
		note("%s %llu %llu", rv_sup_name(msg->kind), (unsigned long long)msg->a,
		     (unsigned long long)msg->b);
	}
	if (msg->kind == RV_SUP_STOP && !(msg->a == 0 ? fake.no_stop : fake.no_now))
		_exit(0);
}

static void on_channel(void)
{
	struct rv_sup_msg msg;
	int fd = -1;
	int err = rv_sup_take(RV_SUP_FD, 0, &msg, &fd);

	if (err == RV_OK) {
		hear(&msg, fd);
		rv_fd_close(&fd);
		return;
	}
	if (err == RV_E_BUSY)
		return;
	note("orphaned");
	if (!fake.lingers)
		_exit(1);
	fake.is_deaf = true;
}

static void live(int signals)
{
	int64_t tick_us = rv_mono_us();

	for (;;) {
		struct pollfd fds[2] = {{.fd = fake.is_deaf ? -1 : RV_SUP_FD, .events = POLLIN},
					{.fd = signals, .events = POLLIN}};
		int64_t left_us = tick_us - rv_mono_us();
		struct rv_sig sig;
		char order[32];

		(void)poll(fds, 2,
			   fake.is_keeper ? (int)(left_us > 0 ? left_us / 1000 + 1 : 0) : -1);
		if (fake.is_keeper && rv_mono_us() >= tick_us) {
			tick_us += RV_S_US;
			if (fake.is_ready && !fake.no_tick && !fake.is_deaf)
				send_up(RV_SUP_TICK, 0, 0, 0);
		}
		if (fds[1].revents != 0 && rv_sig_read(signals, &sig) == RV_OK) {
			(void)snprintf(order, sizeof order, "order.%u", fake.slot);
			note("order %s", obey(order) ? "obeyed" : "missing");
		}
		if (fds[0].revents != 0)
			on_channel();
	}
}

int main(int argc, char **argv)
{
	const char *base = rv_path_base(argv[0]);
	static const int list[] = {SIGUSR1};
	struct rv_why why = {0};
	const char *name = "";
	bool is_quiet = false;
	char file[32];
	char path[RV_PATH_MAX];
	int signals = -1;

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		(void)printf("%s %s\n", base, rv_build_words());
		return 0;
	}
	fake.is_keeper = strcmp(base, "reeve-keeper") == 0;
	fake.dir = getenv("RV_FAKE_DIR");
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--slot") == 0)
			fake.slot = (unsigned)atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--incarnation") == 0)
			fake.incarnation = strtoull(argv[i + 1], NULL, 16);
		else if (strcmp(argv[i], "--name") == 0)
			name = argv[i + 1];
		else if (strcmp(argv[i], "--quiet") == 0)
			is_quiet = true;
	}
	if (!fake.dir || snprintf(path, sizeof path, "%s/log", fake.dir) >= (int)sizeof path)
		return 94;
	fake.log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	/* As real children are: what they leave behind becomes the supervisor's when they die. */
	if (fake.log < 0 || rv_sig_open(list, 1, &signals) != RV_OK || rv_subreaper() != RV_OK)
		return 93;
	note("start %s%s", is_quiet ? "quiet " : "", name);
	if (rv_area_map(RV_AREA_FD, &fake.area, &why) != RV_OK)
		note("area: %s", why.text);
	(void)snprintf(file, sizeof file, "%s.%u", fake.is_keeper ? "keeper" : "worker", fake.slot);
	if (!obey(file))
		(void)obey(fake.is_keeper ? "keeper" : "worker");
	if (!fake.no_ready)
		get_ready();
	live(signals);
	return 0;
}
