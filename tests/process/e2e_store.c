/* The store of an end-to-end test, and what must hold when nothing of reeve runs any more. */
#include "process/e2e.h"

#include "base/err.h"
#include "base/seam.h"
#include "client/submit.h"
#include "conf/conf.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "os/fd.h"
#include "os/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

struct rv_store *rv_e2e_store(struct rv_e2e *e)
{
	struct rv_store_open how = {.backend = "sqlite", .read_only = true, .group = (gid_t)-1};
	struct rv_why why = {{0}};

	if (!e->store) {
		how.path = rv_e2e_path(e, "state/reeve.db");
		RV_NEED(e, rv_store_open(&how, &e->store, &why) == RV_OK, "%s", why.text);
	}
	return e->store;
}

const struct rv_job_view *rv_e2e_view(struct rv_e2e *e, int64_t job)
{
	int err = rv_store_job(rv_e2e_store(e), job, &e->view);

	RV_NEED(e, err == RV_OK, "job %lld: %s", (long long)job, rv_err_text(err));
	return &e->view;
}

int64_t rv_e2e_count(struct rv_e2e *e, enum rv_job_state state)
{
	struct rv_store_totals totals = {0};
	int err = rv_store_totals(rv_e2e_store(e), &totals);

	RV_NEED(e, err == RV_OK, "%s", rv_err_text(err));
	return totals.counts[state];
}

static void submit(struct rv_e2e *e, const struct rv_job_new *like, size_t count, int64_t *ret_ids)
{
	struct rv_client_how how = {.config = rv_e2e_path(e, "reeve.ini"), .environment = environ};
	struct rv_job_new *jobs = calloc(count, sizeof *jobs);
	struct rv_req *req = calloc(1, sizeof *req);
	struct rv_conf_errors errors;
	struct rv_client client;
	struct rv_why why = {{0}};

	RV_NEED(e, jobs && req, "memory");
	how.busy_us = 60 * RV_S_US;
	for (size_t i = 0; i < count; i++)
		jobs[i] = *like;
	req->kind = RV_REQ_ENQUEUE;
	req->u.enqueue = (struct rv_req_enqueue){.jobs = jobs, .count = count, .ret_ids = ret_ids};
	rv_conf_errors_init(&errors);
	RV_NEED(e, rv_client_init(&client, &how, &errors, &why) == RV_OK, "%s", why.text);
	RV_NEED(e, rv_client_store(&client, RV_CLIENT_CREATE, &why) == RV_OK, "%s", why.text);
	RV_NEED(e, rv_submit_one(&client, req, &why) == RV_OK, "%s", why.text);
	rv_client_fini(&client);
	rv_conf_errors_fini(&errors);
	free(jobs);
	free(req);
}

void rv_e2e_submit(struct rv_e2e *e, const char *what, size_t count, int64_t *ret_ids)
{
	struct rv_job_new job = {.task = "job", .priority = -1};
	char spec[600];

	(void)snprintf(spec, sizeof spec, "{\"args\":{\"do\":\"%s\"}}", what);
	job.spec = spec;
	submit(e, &job, count, ret_ids);
}

void rv_e2e_submit_noops(struct rv_e2e *e, size_t count)
{
	struct rv_job_new job = {.task = "noop", .priority = -1};
	int64_t *ids = calloc(count, sizeof *ids);

	RV_NEED(e, ids, "memory");
	submit(e, &job, count, ids);
	free(ids);
}

/* Which jobs have a line "end ID …" in the jobs' log: ${ran}[id]. */
static void note_ends(struct rv_e2e *e, bool *ran, int64_t most)
{
	char *log = rv_test_read_file(rv_e2e_path(e, "jobs"));
	char *rest = NULL;

	for (char *line = log ? strtok_r(log, "\n", &rest) : NULL; line;
	     line = strtok_r(NULL, "\n", &rest)) {
		int64_t id = strncmp(line, "end ", 4) == 0 ? strtoll(line + 4, NULL, 10) : 0;

		if (id > 0 && id <= most)
			ran[id] = true;
	}
	free(log);
}

void rv_e2e_all_ran(struct rv_e2e *e, const int64_t *ids, size_t count)
{
	int64_t most = 0;
	bool *ran;

	for (size_t i = 0; i < count; i++)
		most = ids[i] > most ? ids[i] : most;
	ran = calloc((size_t)most + 1, sizeof *ran);
	RV_NEED(e, ran, "memory");
	note_ends(e, ran, most);
	for (size_t i = 0; i < count; i++) {
		const struct rv_job_view *view = rv_e2e_view(e, ids[i]);

		RV_NEED(e, view->state == RV_JOB_SUCCEEDED, "job %lld was lost: it is %s: %s",
			(long long)ids[i], rv_job_state_name(view->state), view->error);
		RV_NEED(e, ran[ids[i]], "job %lld is done and has not run", (long long)ids[i]);
	}
	free(ran);
}

/* ---- the end */

struct marked {
	char start[64];
	char found[256];
};

/* Is there a process that bears the mark of a daemon of this store? */
static bool any_marked(struct marked *marked)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	bool found = false;

	while (proc && !found && (entry = readdir(proc)) != NULL) {
		struct rv_buf buf;
		RV_AUTO(rv_fd_close) int fd = -1;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		fd = open(rv_test_path("/proc/%s/environ", entry->d_name), O_RDONLY | O_CLOEXEC);
		rv_buf_init(&buf);
		if (fd >= 0 && rv_fd_read_buf(fd, 1U << 20, &buf) == RV_OK) {
			for (size_t at = 0; at < buf.size; at += strlen(buf.data + at) + 1)
				found |= strncmp(buf.data + at, marked->start,
						 strlen(marked->start)) == 0;
		}
		rv_buf_fini(&buf);
		if (found)
			(void)snprintf(marked->found, sizeof marked->found, "%s", entry->d_name);
	}
	if (proc)
		(void)closedir(proc);
	return found;
}

static bool none_marked(void *ctx)
{
	return !any_marked(ctx);
}

static bool mark_of(const struct rv_e2e *e, struct marked *ret_marked)
{
	struct stat st;

	*ret_marked = (struct marked){.found = ""};
	if (stat(rv_e2e_path(e, "state/reeve.db.lock"), &st) != 0)
		return false; /* no daemon ever had it */
	(void)snprintf(ret_marked->start, sizeof ret_marked->start, "REEVE_INSTANCE=%llx-%llx.",
		       (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return true;
}

bool rv_e2e_gone(const struct rv_e2e *e, int64_t timeout_ms)
{
	struct marked marked;

	return !mark_of(e, &marked) || rv_test_wait_until(none_marked, &marked, timeout_ms);
}

static void no_process(struct rv_e2e *e)
{
	struct marked marked;

	if (mark_of(e, &marked))
		RV_NEED(e, !any_marked(&marked), "process %s is left", marked.found);
}

/* Whatever a run left holds its lock, with or without our mark. */
static void no_job_process(struct rv_e2e *e)
{
	DIR *dir = opendir(rv_e2e_path(e, "locks"));
	const struct dirent *entry;

	RV_NEED(e, dir, "%s", strerror(errno));
	while ((entry = readdir(dir)) != NULL) {
		RV_AUTO(rv_fd_close) int fd = -1;

		if (entry->d_name[0] == '.')
			continue;
		fd = open(rv_test_path("%s/locks/%s", e->dir, entry->d_name), O_RDWR | O_CLOEXEC);
		RV_NEED(e, fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0,
			"a process of job %s is left", entry->d_name);
	}
	(void)closedir(dir);
	RV_NEED(e, rv_e2e_job_count(e, "clash ") == 0, "no two live runs of a job");
}

static void only_known_files(struct rv_e2e *e, const char *folder, const char *const *known)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	if (!dir && errno == ENOENT)
		return;
	RV_NEED(e, dir, "%s: %s", folder, strerror(errno));
	while ((entry = readdir(dir)) != NULL) {
		bool found = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;

		for (size_t i = 0; known[i]; i++)
			found |= strcmp(entry->d_name, known[i]) == 0;
		RV_NEED(e, found, "%s/%s is left", folder, entry->d_name);
	}
	(void)closedir(dir);
}

static void lock_is_free(struct rv_e2e *e)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	struct rv_why why = {{0}};
	pid_t holder = 0;
	int err = rv_lock_daemon(rv_e2e_path(e, "state/reeve.db.lock"), 0600, &fd, &holder, &why);

	RV_NEED(e, err == RV_OK, "%s", why.text);
	RV_NEED(e, rv_lock_wait(fd, rv_mono_us() + RV_S_US, NULL, NULL) == RV_OK,
		"no child holds byte 1");
}

struct broken {
	int count;
	char first[512];
};

static void on_broken(void *ctx, const char *rule, const char *what)
{
	struct broken *broken = ctx;

	if (broken->count++ == 0)
		(void)snprintf(broken->first, sizeof broken->first, "%s: %s", rule, what);
	(void)fprintf(stderr, "broken: %s: %s\n", rule, what);
}

static void invariants(struct rv_e2e *e)
{
	struct broken broken = {0};
	int err = rv_store_check(rv_e2e_store(e), true, on_broken, &broken);

	RV_NEED(e, err == RV_OK, "the check runs: %s", rv_err_text(err));
	RV_NEED(e, broken.count == 0, "%d invariants are broken: %s", broken.count, broken.first);
}

void rv_e2e_clean(struct rv_e2e *e)
{
	static const char *const in_state[] = {"reeve.db",
					       "reeve.db-wal",
					       "reeve.db-shm",
					       "reeve.db.lock",
					       "reeve.db.ballast",
					       "output",
					       "resume",
					       "run",
					       NULL};
	static const char *const in_run[] = {NULL};
	static const char *const bad[] = {"check failed", "runtime error:", "Sanitizer", NULL};

	RV_NEED(e, e->daemon.pidfd < 0, "no daemon runs");
	no_process(e);
	no_job_process(e);
	only_known_files(e, rv_e2e_path(e, "state"), in_state);
	only_known_files(e, rv_e2e_path(e, "state/run"), in_run);
	for (size_t i = 0; bad[i]; i++)
		RV_NEED(e, rv_e2e_log_count(e, bad[i]) == 0, "the log has no \"%s\"", bad[i]);
	if (access(rv_e2e_path(e, "state/reeve.db"), F_OK) == 0) {
		lock_is_free(e);
		invariants(e);
	}
	rv_store_close(e->store);
	e->store = NULL;
}
