#ifndef RV_PROCESS_PIPE_SCENE_H
#define RV_PROCESS_PIPE_SCENE_H

/*
 * What the tests of handlers that stay share: a daemon with [task:p], whose handler is pipejob.c or
 * a module, testmodule.c.
 */

#include "process/e2e.h"

#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

static int workers = 1;

/* Its handler has ${words}; ${keys} of the task, which win. */
static inline void begin(const char *words, const char *keys)
{
	rv_e2e_new(e, "[pool:default]\nworkers = 1\n");
	rv_e2e_ini(e,
		   "[pool:default]\nworkers = %d\nrestart_delay = 10ms\n"
		   "restart_delay_max = 50ms\nrestart_burst = 1000/1s\n"
		   "[task:p]\nhandler = pipe\ncommand = '%s' '%s' %s\n%s%s%s",
		   workers, rv_e2e_program("rv_pipejob"), e->dir, words,
		   strstr(keys, "max_attempts") ? "" : "max_attempts = 2\n",
		   strstr(keys, "max_crashes") ? "" : "max_crashes = 0\n", keys);
	rv_e2e_start(e);
}

static inline int64_t add(const char *what)
{
	char text[600];

	(void)snprintf(text, sizeof(text), "do=%s", what);
	return rv_e2e_add(e, "p", text, NULL);
}

static inline const char *id_text(int64_t job)
{
	static char text[24];

	(void)snprintf(text, sizeof text, "%lld", (long long)job);
	return text;
}

static inline const char *result(int64_t job)
{
	cr_assert(eq(int, rv_e2e_reeve(e, "result", id_text(job), NULL), 0));
	return rv_buf_text(&e->out);
}

static inline int64_t succeeds(const char *what)
{
	int64_t job = add(what);

	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	return job;
}

/* A job that dies for its only crash, with ${words} in its error. */
static inline int64_t crashes(const char *what, const char *words)
{
	int64_t job = add(what);

	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_has(rv_e2e_view(e, job)->error, words);
	cr_assert(eq(int, rv_e2e_view(e, job)->crashes, 1));
	cr_assert(eq(int, rv_e2e_view(e, job)->attempt, 0), "a crash burns no attempt");
	return job;
}

static inline pid_t handler_pid(void)
{
	return (pid_t)atoi(result(succeeds("pid")));
}

/* [task:p] with ${file} (of the tests, or a path) and ${keys}, which win. */
static inline void begin_with(const char *file, const char *keys)
{
	rv_e2e_new(e, "[pool:default]\nworkers = 1\n");
	rv_e2e_ini(e,
		   "[pool:default]\nworkers = %d\nrestart_delay = 10ms\n"
		   "restart_delay_max = 50ms\nrestart_burst = 1000/1s\n"
		   "[task:p]\nhandler = module\nmodule = %s\nenv = MODULE_FOLDER=%s\n%s%s%s",
		   workers, file[0] == '/' ? file : rv_e2e_program(file), e->dir,
		   strstr(keys, "max_attempts") ? "" : "max_attempts = 2\n",
		   strstr(keys, "max_crashes") ? "" : "max_crashes = 0\n", keys);
}

static inline void begin_module(const char *keys)
{
	begin_with("rv_module.so", keys);
	rv_e2e_start(e);
}

static inline int64_t runs_of(const int64_t *ids, size_t count, int64_t *ret_crashes)
{
	int64_t runs = 0;

	*ret_crashes = 0;
	for (size_t i = 0; i < count; i++) {
		rv_e2e_until(e, ids[i], RV_JOB_SUCCEEDED);
		runs += rv_e2e_view(e, ids[i])->runs;
		*ret_crashes += rv_e2e_view(e, ids[i])->crashes;
	}
	return runs;
}

/* ${count} jobs of the task in one transaction, each with what ${what} says of its number. */
static inline void add_many(size_t count, int64_t *ret_ids, const char *(*what)(size_t i))
{
	FILE *file = fopen(rv_e2e_path(e, "many"), "we");
	char *at;

	cr_assert(file != NULL);
	for (size_t i = 0; i < count; i++)
		(void)fprintf(file, "{\"task\":\"p\",\"args\":{\"do\":\"%s\"}}\n", what(i));
	cr_assert(eq(int, fclose(file), 0));
	cr_assert(eq(int, rv_e2e_reeve(e, "add", "--from-file", rv_e2e_path(e, "many"), NULL), 0));
	at = e->out.data;
	for (size_t i = 0; i < count; i++)
		ret_ids[i] = strtoll(at, &at, 10);
	cr_assert(gt(i64, ret_ids[count - 1], 0));
}

struct use {
	int fds, children;
	long memory_kib;
};

static inline int entries(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	while (dir && readdir(dir) != NULL)
		count++;
	if (dir)
		(void)closedir(dir);
	return count;
}

static inline struct use use_of(pid_t pid)
{
	struct use use = {.fds = entries(rv_test_path("/proc/%d/fd", (int)pid))};
	char *status = rv_test_read_file(rv_test_path("/proc/%d/status", (int)pid));
	char *list =
		rv_test_read_file(rv_test_path("/proc/%d/task/%d/children", (int)pid, (int)pid));

	for (const char *at = list; at && (at = strchr(at, ' ')) != NULL; at++)
		use.children++;
	if (status && strstr(status, "RssAnon:"))
		use.memory_kib = atol(strstr(status, "RssAnon:") + strlen("RssAnon:"));
	free(status);
	free(list);
	return use;
}

/* ${rounds} times a thousand jobs that do nothing, each to its end. */
static inline void rounds_of(size_t rounds, const char *(*what)(size_t i))
{
	static int64_t ids[1000];
	int64_t crashes_seen;

	for (size_t i = 0; i < rounds; i++) {
		add_many(1000, ids, what);
		(void)runs_of(ids, 1000, &crashes_seen);
	}
}

/* As many descriptors and children, and no more than ${kib} of memory on top. */
static inline void is_same(struct use before, struct use after, long kib, const char *who)
{
	cr_assert(eq(int, after.fds, before.fds), "%s", who);
	cr_assert(eq(int, after.children, before.children), "%s", who);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed */
	cr_assert(le(long, after.memory_kib, before.memory_kib + kib), "%s", who);
#else
	(void)kib;
#endif
}

/*
 * 10,000 jobs by one process, then 40 that die by ${deaths}: the worker and, over the jobs, the
 * process itself have no descriptor or child more, and hardly a byte.
 */
static inline void nothing_leaks(const char *(*what)(size_t i), const char *const deaths[2])
{
	struct use worker_before, before;
	pid_t worker = rv_e2e_await_child(e, 1);
	pid_t handler;

	(void)crashes(deaths[0], "its handler ");
	handler = handler_pid();
	rounds_of(2, what);
	worker_before = use_of(worker);
	before = use_of(handler);
	cr_assert(eq(int, worker_before.children, 1));
	rounds_of(8, what);
	cr_assert(eq(int, handler_pid(), handler), "one process did them all");
	is_same(before, use_of(handler), 128, "the process");
	for (int i = 0; i < 40; i++)
		(void)crashes(deaths[i % 2], "its handler ");
	(void)succeeds("");
	cr_assert(eq(int, rv_e2e_child(e, 1), worker), "it is the same worker");
	is_same(worker_before, use_of(worker), 512, "the worker");
}

#endif
