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
#include "os/self.h"

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

/* The first process that says ${word}. */
static inline pid_t pid_of(const char *word)
{
	char *log, *at;
	long job, run;
	int pid = 0;

	rv_e2e_job_says(e, "%s ", word);
	log = rv_test_read_file(rv_e2e_path(e, "jobs"));
	at = log ? strstr(log, word) : NULL;
	cr_assert(at != NULL);
	cr_assert(eq(int, sscanf(at + strlen(word), " %ld %ld %d", &job, &run, &pid), 3));
	free(log);
	return pid;
}

static inline void begin_warm(const char *words, const char *keys)
{
	char all[400];

	(void)snprintf(all, sizeof(all), "warm_up = yes\n%s", keys);
	begin(words, all);
}

static inline bool has_stopped(void *ctx)
{
	struct rv_procstat stat;

	return rv_procstat(*(pid_t *)ctx, &stat) == RV_OK && stat.state == 'T';
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

#endif
