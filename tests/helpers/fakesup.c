/*
 * The supervisor's side of a child, for tests of worker and keeper.  Runs in test processes; must
 * leave no process behind: children have PDEATHSIG, and rv_fakesup_kill is called for each.
 */
#include "helpers/fakesup.h"

#include "base/buf.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "obs/output.h"
#include "os/fd.h"
#include "os/lock.h"
#include "os/self.h"
#include "os/sock.h"
#include "os/spawn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MUST(expr)                                                                                 \
	do {                                                                                       \
		int must_ = (expr);                                                                \
		if (must_ != RV_OK)                                                                \
			die(#expr, must_);                                                         \
	} while (0)

static struct rv_why why;

static RV_NORETURN void die(const char *what, int err)
{
	(void)fprintf(stderr, "fakesup: %s: %s (%s)\n", what, rv_err_name(err), why.text);
	abort();
}

static struct rv_conf *parse(const char *text, size_t size)
{
	struct rv_conf_errors errors;
	struct rv_conf *conf = NULL;

	rv_conf_errors_init(&errors);
	if (rv_conf_parse(text, size, &conf, &errors) != RV_OK) {
		(void)fprintf(stderr, "fakesup: %s: %s\n",
			      errors.count > 0 ? errors.items[0].where : "?",
			      errors.count > 0 ? errors.items[0].text : "?");
		abort();
	}
	rv_conf_errors_fini(&errors);
	return conf;
}

void rv_fakesup_conf(struct rv_fakesup *sup, const char *ini)
{
	struct rv_buf text;
	struct rv_buf dump;
	struct rv_conf *conf;

	rv_buf_init(&text);
	rv_buf_init(&dump);
	MUST(rv_buf_printf(&text,
			   "[reeve]\nstate_dir = %s\nruntime_dir = %s\n%s[store]\npath = %s\n"
			   "[log]\nlevel = debug\nformat = text\ntarget = %s\n%s",
			   sup->folder, sup->folder,
			   strstr(ini, "#adhoc=no") ? "adhoc = no\n" : "adhoc = yes\n", sup->path,
			   sup->log, ini));
	conf = parse(text.data, text.size);
	MUST(rv_conf_dump(conf, RV_CONF_DUMP_PLAIN, &dump));
	rv_conf_free(conf);
	rv_fd_close(&sup->conf_fd);
	MUST(rv_fd_sealed("conf", dump.data, dump.size, &sup->conf_fd));
	rv_buf_fini(&text);
	rv_buf_fini(&dump);
}

void rv_fakesup_open(struct rv_fakesup *sup, const char *ini)
{
	pid_t holder;

	*sup = (struct rv_fakesup){.folder = rv_test_tmpdir(), .bell_fd = -1, .conf_fd = -1};
	(void)snprintf(sup->path, sizeof(sup->path), "%s/reeve.db", sup->folder);
	(void)snprintf(sup->log, sizeof(sup->log), "%s/log", sup->folder);
	rv_fakesup_conf(sup, ini);
	MUST(rv_lock_daemon(rv_test_path("%s.lock", sup->path), 0600, &sup->lock_fd, &holder,
			    &why));
	MUST(rv_area_create(RV_FAKESUP_SLOTS, &sup->area_fd, &sup->area_id, &why));
	MUST(rv_area_map(sup->area_fd, &sup->area, &why));
	MUST(rv_sock_bell(rv_test_path("%s/doorbell", sup->folder), 0600, &sup->bell_fd, &why));
	do {
		sup->last_incarnation = rv_random_u64() & ~0xffffffffULL;
	} while (sup->last_incarnation == 0);
}

static void open_store(struct rv_fakesup *sup, bool create)
{
	struct rv_store_open how = {
		.backend = "sqlite",
		.path = sup->path,
		.create = create,
		.migrate = create,
		.group = (gid_t)-1,
	};

	MUST(rv_store_open(&how, &sup->store, &why));
}

void rv_fakesup_attach(struct rv_fakesup *sup)
{
	open_store(sup, false);
}

int rv_fakesup_do(struct rv_fakesup *sup, struct rv_req *req)
{
	struct rv_req *list[] = {req};

	MUST(rv_store_do(sup->store, list, 1, RV_DURABILITY_NORMAL, 10 * RV_S_US, &why));
	return req->err;
}

static void raise_epoch(struct rv_fakesup *sup)
{
	struct rv_req *req = calloc(1, sizeof(*req));
	uint64_t ticks;

	req->kind = RV_REQ_RAISE;
	MUST(rv_proc_start_time(getpid(), &ticks));
	MUST(rv_boot_id(req->u.raise.boot_id));
	req->u.raise.pid = getpid();
	req->u.raise.start_ticks = (int64_t)ticks;
	(void)snprintf(req->u.raise.runtime_dir, sizeof(req->u.raise.runtime_dir), "%s",
		       sup->folder);
	req->u.raise.area = sup->area_id;
	req->u.raise.incarnation_base = sup->last_incarnation + 1;
	MUST(rv_fakesup_do(sup, req));
	free(req);
}

static void mirror(struct rv_fakesup *sup)
{
	struct rv_req *req = calloc(1, sizeof(*req));
	struct rv_conf_errors errors;
	struct rv_conf *conf;
	struct rv_conf_defs defs;

	rv_conf_errors_init(&errors);
	MUST(rv_conf_read(sup->conf_fd, &conf, &errors));
	rv_conf_errors_fini(&errors);
	MUST(rv_conf_defs(conf, &defs));
	req->kind = RV_REQ_MIRROR;
	req->u.mirror = (struct rv_req_mirror){.tasks = defs.tasks,
					       .ntasks = defs.ntasks,
					       .queues = defs.queues,
					       .nqueues = defs.nqueues};
	MUST(rv_fakesup_do(sup, req));
	rv_conf_defs_fini(&defs);
	rv_conf_free(conf);
	free(req);
}

void rv_fakesup_store(struct rv_fakesup *sup)
{
	open_store(sup, true);
	raise_epoch(sup);
	mirror(sup);
	atomic_store(&sup->area.head->epoch_ok, 1);
}

void rv_fakesup_close(struct rv_fakesup *sup)
{
	rv_store_close(sup->store);
	rv_area_unmap(&sup->area);
	rv_fd_close(&sup->area_fd);
	rv_fd_close(&sup->conf_fd);
	rv_fd_close(&sup->bell_fd);
	rv_fd_close(&sup->lock_fd);
}

static char **make_env(struct rv_fakesup *sup, const char *mark)
{
	static char *env[32];
	static char mark_pair[64];
	size_t n = 0;

	(void)snprintf(mark_pair, sizeof(mark_pair), "REEVE_INSTANCE=%s", mark);
	env[n++] = mark_pair;
	for (char **at = environ; *at; at++) {
		if ((strncmp(*at, "PATH=", 5) == 0 || strstr(*at, "SAN_OPTIONS=") ||
		     strncmp(*at, "GCOV_", 5) == 0) &&
		    n < 16)
			env[n++] = *at;
	}
	for (const char *const *at = sup->env; at && *at && n < 31; at++)
		env[n++] = (char *)(uintptr_t)*at;
	env[n] = NULL;
	return env;
}

void rv_fakesup_fork(struct rv_fakesup *sup, unsigned slot, struct rv_fakesup_child *ret)
{
	char program[4096];
	char slot_text[16];
	char incarnation[24];
	char name[32];
	const char *const argv[] = {
		slot == 0 ? "reeve-keeper" : "reeve-worker",
		"--slot",
		slot_text,
		"--incarnation",
		incarnation,
		slot == 0 ? NULL : "--pool",
		"default",
		"--name",
		name,
		NULL,
	};
	int chan[2];

	MUST(rv_self_sibling(slot == 0 ? "reeve-keeper" : "reeve-worker", program, sizeof(program),
			     &why));
	MUST(rv_fd_seqpair(chan));
	*ret = (struct rv_fakesup_child){
		.chan = chan[0], .slot = slot, .incarnation = ++sup->last_incarnation};
	(void)snprintf(slot_text, sizeof(slot_text), "%u", slot);
	(void)snprintf(incarnation, sizeof(incarnation), "%016llx",
		       (unsigned long long)ret->incarnation);
	(void)snprintf(name, sizeof(name), "default/%u", slot);

	struct rv_spawn how = {
		.path = program,
		.argv = (char *const *)(uintptr_t)argv,
		.envp = make_env(sup, incarnation),
		.fds = {{-1, 0},
			{2, 1},
			{2, 2},
			{chan[1], 3},
			{sup->area_fd, 4},
			{sup->conf_fd, 5}},
		.nfds = 6,
		.new_session = true,
		.parent_death_signal = SIGTERM,
	};

	MUST(rv_spawn(&how, &ret->proc, &why));
	(void)close(chan[1]);
}

void rv_fakesup_start(struct rv_fakesup *sup, unsigned slot, struct rv_fakesup_child *ret)
{
	struct rv_sup_msg msg;

	rv_fakesup_fork(sup, slot, ret);
	if (!rv_fakesup_hear(ret, RV_SUP_READY, 20000, &msg)) {
		char *log = rv_test_read_file(sup->log);

		(void)fprintf(stderr, "fakesup: the child in slot %u did not get ready\n%s\n", slot,
			      log ? log : "");
		abort();
	}
}

void rv_fakesup_say(struct rv_fakesup_child *child, const struct rv_sup_msg *msg)
{
	MUST(rv_sup_send(child->chan, msg));
}

void rv_fakesup_tell(struct rv_fakesup_child *child, enum rv_sup_kind kind, uint64_t a, uint64_t b,
		     uint64_t c)
{
	struct rv_sup_msg msg = {
		.version = RV_SUP_VERSION, .kind = (uint16_t)kind, .a = a, .b = b, .c = c};

	rv_fakesup_say(child, &msg);
}

bool rv_fakesup_hear(struct rv_fakesup_child *child, enum rv_sup_kind kind, int64_t timeout_ms,
		     struct rv_sup_msg *ret_msg)
{
	int64_t end = rv_mono_us() + timeout_ms * RV_MS_US;

	for (;;) {
		int err = rv_sup_recv(child->chan, 1, ret_msg);

		if (err == RV_OK && ret_msg->kind == kind)
			return true;
		if (err == RV_OK)
			continue;
		if (err != RV_E_BUSY) {
			(void)fprintf(stderr, "fakesup: slot %u: %s\n", child->slot,
				      rv_err_name(err));
			return false;
		}
		if (rv_mono_us() >= end ||
		    rv_fd_wait(child->chan, POLLIN, end - rv_mono_us()) != RV_OK)
			return false;
	}
}

int rv_fakesup_wait(struct rv_fakesup_child *child, int64_t timeout_ms)
{
	struct rv_exit how;

	if (rv_fd_wait(child->proc.pidfd, POLLIN, timeout_ms * RV_MS_US) != RV_OK)
		return -1;
	MUST(rv_proc_reap(&child->proc, &how));
	rv_fd_close(&child->chan);
	return how.signo != 0 ? 128 + how.signo : how.code;
}

int rv_fakesup_stop(struct rv_fakesup_child *child)
{
	rv_fakesup_tell(child, RV_SUP_STOP, 0, 0, 0);
	return rv_fakesup_wait(child, 20000);
}

void rv_fakesup_kill(struct rv_fakesup_child *child)
{
	if (child->proc.pidfd >= 0 && child->proc.pid > 0) {
		(void)rv_proc_signal(&child->proc, SIGKILL, false);
		(void)rv_fakesup_wait(child, 20000);
	}
	rv_fd_close(&child->chan);
}

int64_t rv_fakesup_add(struct rv_fakesup *sup, const struct rv_job_new *job)
{
	struct rv_req *req = calloc(1, sizeof(*req));
	int64_t id = 0;
	int err;

	req->kind = RV_REQ_ENQUEUE;
	req->u.enqueue.jobs = job;
	req->u.enqueue.count = 1;
	req->u.enqueue.ret_ids = &id;
	err = rv_fakesup_do(sup, req);
	if (err != RV_OK) {
		why = req->why;
		die("enqueue", err);
	}
	free(req);
	return id;
}

int64_t rv_fakesup_run(struct rv_fakesup *sup, struct rv_fakesup_child *child, const char *task,
		       const char *spec)
{
	struct rv_job_new job = {.task = task, .spec = spec, .priority = -1};
	int64_t id;

	if (task[0] == '\0') {
		job.queue = "default";
		job.max_attempts = 1;
	}
	id = rv_fakesup_add(sup, &job);
	if (child)
		rv_fakesup_tell(child, RV_SUP_WAKE, 0, 0, 0);
	return id;
}

const struct rv_job_view *rv_fakesup_job(struct rv_fakesup *sup, int64_t job)
{
	static struct rv_job_view view;
	static char error[RV_ERROR_MAX];

	MUST(rv_store_job(sup->store, job, &view));
	(void)snprintf(error, sizeof(error), "%s", view.error ? view.error : "");
	view.error = error;
	return &view;
}

static int take_attempt(void *ctx, const struct rv_attempt_view *view)
{
	static char error[RV_ERROR_MAX];
	struct rv_attempt_view *newest = ctx;

	if (view->run < newest->run)
		return RV_OK;
	*newest = *view;
	(void)snprintf(error, sizeof(error), "%s", view->error ? view->error : "");
	newest->error = error;
	newest->worker = NULL;
	return RV_OK;
}

const struct rv_attempt_view *rv_fakesup_attempt(struct rv_fakesup *sup, int64_t job)
{
	static struct rv_attempt_view newest;

	newest = (struct rv_attempt_view){.error = ""};
	MUST(rv_store_attempts(sup->store, job, take_attempt, &newest));
	return &newest;
}

struct awaited {
	struct rv_fakesup *sup;
	int64_t job;
	enum rv_job_state state;
};

static bool has_state(void *ctx)
{
	struct awaited *awaited = ctx;

	return rv_fakesup_job(awaited->sup, awaited->job)->state == awaited->state;
}

bool rv_fakesup_until(struct rv_fakesup *sup, int64_t job, enum rv_job_state state,
		      int64_t timeout_ms)
{
	struct awaited awaited = {sup, job, state};

	if (rv_test_wait_until(has_state, &awaited, timeout_ms))
		return true;
	(void)fprintf(stderr, "fakesup: job %lld is %s (%s), not %s\n", (long long)job,
		      rv_job_state_name(rv_fakesup_job(sup, job)->state),
		      rv_fakesup_job(sup, job)->error, rv_job_state_name(state));
	return false;
}

size_t rv_fakesup_output(struct rv_fakesup *sup, int64_t job, int run, int stream, char *out,
			 size_t space)
{
	struct rv_output_how how = {.state_dir = sup->folder, .job = job, .run = run};
	struct rv_output_reader *reader;
	struct rv_output_record record;
	size_t size = 0;

	MUST(rv_output_reader_open(&how, &reader));
	while (rv_output_next(reader, &record) == RV_OK) {
		if (record.stream == RV_OUTPUT_DROPPED ||
		    (stream != 0 && (int)record.stream != stream))
			continue;
		if (size + record.size >= space)
			record.size = space - 1 - size;
		memcpy(out + size, record.data, record.size);
		size += record.size;
	}
	out[size] = '\0';
	rv_output_reader_close(reader);
	return size;
}

static void count_broken(void *ctx, const char *rule, const char *what)
{
	(void)fprintf(stderr, "fakesup: %s is broken: %s\n", rule, what);
	++*(int *)ctx;
}

int rv_fakesup_broken(struct rv_fakesup *sup)
{
	int broken = 0;

	MUST(rv_store_check(sup->store, false, count_broken, &broken));
	return broken;
}
