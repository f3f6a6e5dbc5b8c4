/*
 * memory_max, cpu_max and pids_max with the machine's own controllers, as a plain program: it needs
 * a cgroup v2 that is its own (77: none is to be had here).
 *
 * command: of shell commands; what a reload changes, what a killed daemon leaves.
 * exec, pipe, module: the same trials for each kind of handler (burden.h).
 */
#include "process/e2e_group.h"

#include "helpers/tmpdir.h"
#include "helpers/wait.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

static void ended_with(int64_t job, const char *error)
{
	const struct rv_job_view *view;

	rv_e2e_until(e, job, RV_JOB_DEAD);
	view = rv_e2e_view(e, job);
	RV_NEED(e, strstr(view->error, error), "\"%s\", not \"%s\"", view->error, error);
}

static void begin_in(const char *base)
{
	rv_e2e_new(e, "[pool:default]\nworkers = 2\n");
	e->cgroup = base;
}

static void end_in(const char *base)
{
	rv_e2e_stop(e);
	RV_NEED(e, rv_e2e_groups(e, base) == 0, "%d groups are left", rv_e2e_groups(e, base));
	RV_NEED(e, access(rv_test_path("%s/reeve.daemon", base), F_OK) != 0, "and its own");
	rv_e2e_fini(e);
}

/* The controllers are still on: nobody can begin in the folder itself. */
static void start_after_kill(const char *base)
{
	static char leaf[256];

	rv_e2e_kill(e);
	RV_NEED(e, rv_e2e_gone(e, RV_E2E_WAIT_MS), "all of it ends");
	RV_NEED(e, rv_e2e_groups(e, base) > 0, "nobody could remove them");
	(void)snprintf(leaf, sizeof leaf, "%s/reeve.daemon", base);
	e->cgroup = leaf;
	rv_e2e_start(e);
}

/* ---- shell commands */

static void saw(const char *name, const char *want)
{
	char *text = rv_test_read_file(rv_e2e_path(e, name));

	RV_NEED(e, text && strcmp(text, want) == 0, "%s: %s", name, text ? text : "nothing");
	free(text);
}

#define LIMITED "max_attempts = 1\nmax_crashes = 9\nshell = yes\n"

static void limits_ini(const char *base, const char *more)
{
	const char *name = strrchr(base, '/') + 1;
	int cut = (int)(name - 1 - base);
	char where[256];

	(void)snprintf(where, sizeof where,
		       "g=%.*s$(sed -n \"s,^0::.*/\\(%s/.*\\),/\\1,p\" /proc/self/cgroup); ", cut,
		       base, name);
	rv_e2e_ini(e,
		   "[log]\nlevel = debug\n[pool:default]\nworkers = 2\nrestart_delay = 10ms\n"
		   "[task:see]\n" LIMITED "command = %scat $g/cpu.max $g/pids.max >%s/see\n%s"
		   "[task:eat]\n" LIMITED "memory_max = 32M\n"
		   "command = dd if=/dev/zero of=%s/eaten bs=200M count=1; echo >%s/lived\n"
		   "[task:killed]\n" LIMITED "memory_max = 32M\ncommand = kill -9 $$\n"
		   "[task:bomb]\n" LIMITED "pids_max = 20\ntimeout = 3s\nkill_after = 100ms\n"
		   "command = b() { b | b & }; b; sleep 1; "
		   "%scat $g/pids.max >%s/bomb; grep -c 'max 0' $g/pids.events >>%s/bomb; wait; "
		   "sleep 60\n"
		   "[task:hold]\n" LIMITED "pids_max = 9\n"
		   "command = setsid sleep 600 & echo >%s/held; sleep 600\n",
		   where, e->dir, more, e->dir, e->dir, where, e->dir, e->dir, e->dir);
}

static void runs_have_limits(const char *base)
{
	int64_t job;

	begin_in(base);
	limits_ini(base, "cpu_max = 0.5\npids_max = 7\n");
	rv_e2e_start(e);
	rv_e2e_logged(e, "runs can be limited in");
	rv_e2e_groups_are(e, base, 2);
	job = rv_e2e_add(e, "see", NULL);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	saw("see", "50000 100000\n7\n");
	/* The whole of it, not only the process that had the most; and a kill is no such end. */
	ended_with(rv_e2e_add(e, "eat", NULL), "out of memory: killed by the kernel");
	RV_NEED(e, access(rv_e2e_path(e, "lived"), F_OK) != 0, "its shell went with it");
	ended_with(rv_e2e_add(e, "killed", NULL), "killed by signal 9");
	ended_with(rv_e2e_add(e, "bomb", NULL), "timed out after 3s");
	saw("bomb", "20\n0\n");
	/* A reload changes them; a killed daemon's are its successor's to remove. */
	limits_ini(base, "cpu_max = 1.25\npids_max = 8\n");
	RV_NEED(e,
		rv_e2e_reeve(e, "reload", NULL) == 0 &&
			rv_e2e_reeve(e, "pool", "restart", "default", "--wait", NULL) == 0,
		"%s", rv_buf_text(&e->err));
	job = rv_e2e_add(e, "see", NULL);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	saw("see", "125000 100000\n8\n");
	(void)rv_e2e_add(e, "hold", NULL);
	RV_NEED(e, rv_test_wait_file(rv_e2e_path(e, "held"), RV_E2E_WAIT_MS), "it runs");
	start_after_kill(base);
	rv_e2e_groups_are(e, base, 2);
	end_in(base);
}

/* ---- the same for each kind of handler */

static const char *kind; /* "exec", "pipe", "module" */

static bool stays(void)
{
	return strcmp(kind, "exec") != 0;
}

/* [task:p] with ${keys}, for ${workers}; [task:job] has no limits. */
static void begin_kind(const char *base, int workers, const char *keys)
{
	char how[900];

	begin_in(base);
	if (strcmp(kind, "module") == 0)
		(void)snprintf(how, sizeof how,
			       "handler = module\nmodule = %s\nenv = MODULE_FOLDER=%s",
			       rv_e2e_program("rv_module.so"), e->dir);
	else if (strcmp(kind, "pipe") == 0)
		(void)snprintf(how, sizeof how, "handler = pipe\ncommand = '%s' '%s'",
			       rv_e2e_program("rv_pipejob"), e->dir);
	else
		(void)snprintf(how, sizeof how, "command = '%s' '%s' ${arg.do}",
			       rv_e2e_program("rv_testjob"), e->dir);
	rv_e2e_ini(e,
		   "[log]\nlevel = debug\n[pool:default]\nworkers = %d\nrestart_delay = 10ms\n"
		   "restart_delay_max = 50ms\nrestart_burst = 1000/1s\n[task:p]\n%s\n%s",
		   workers, how, keys);
	rv_e2e_start(e);
	rv_e2e_logged(e, "runs can be limited in");
	rv_e2e_groups_are(e, base, workers);
}

static int64_t add(const char *what)
{
	return rv_e2e_add(e, "p", rv_test_path("do=%s", what), NULL);
}

static void succeeds(const char *what)
{
	rv_e2e_until(e, add(what), RV_JOB_SUCCEEDED);
}

/* The last number of the last line of the jobs that begins with ${head}. */
static pid_t said_by(const char *head)
{
	char *text = rv_test_read_file(rv_e2e_path(e, "jobs"));
	int pid = 0;

	for (const char *at = text; at && (at = strstr(at, head)) != NULL; at++)
		(void)sscanf(at + strlen(head), "%*s %*s %d", &pid);
	free(text);
	RV_NEED(e, pid > 1, "nobody has said \"%s\"", head);
	return (pid_t)pid;
}

/* A number in a file of a group: behind ${word}, or its first one. */
static long number_in(const char *group, const char *file, const char *word)
{
	char *text = rv_test_read_file(rv_test_path("%s/%s", group, file));
	const char *at = text ? strstr(text, word) : NULL;
	long number;

	RV_NEED(e, at, "%s has no %s with \"%s\"", group, file, word);
	number = strtol(at + strlen(word), NULL, 10);
	free(text);
	return number;
}

static void reason_is(int64_t job, const char *want)
{
	char id[24];
	json_t *json;
	const char *reason;

	(void)snprintf(id, sizeof id, "%lld", (long long)job);
	json = rv_e2e_json(e, "show", id, NULL);
	reason = json_string_value(json_object_get(json, "reason"));
	RV_NEED(e, strcmp(reason ? reason : "", want) == 0, "%s", rv_buf_text(&e->out));
	json_decref(json);
}

static int open_of(pid_t pid)
{
	DIR *dir = opendir(rv_test_path("/proc/%d/fd", (int)pid));
	int count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		(void)closedir(dir);
	return count;
}

static void out_of_memory(int64_t job)
{
	ended_with(job, "out of memory: killed by the kernel");
	reason_is(job, "out of memory");
}

/* One worker: the job that needs too much is told so, and nobody else notices. */
static void memory_is_bounded(const char *base)
{
	int open, leaves = stays() ? 1 : 0;
	pid_t worker;
	int64_t job;

	begin_kind(base, 1, "max_attempts = 1\nmax_crashes = 0\nmemory_max = 48M\n");
	worker = rv_e2e_await_child(e, 1);
	succeeds("grow=1");
	rv_e2e_leaves_are(e, base, leaves);
	open = open_of(worker);
	out_of_memory(add("grow=200"));
	succeeds("say=again");
	/* Not only the process that had the most: all of it, and the job is told. */
	out_of_memory(add("eat=200"));
	succeeds("say=again");
	job = add("die");
	ended_with(job, "killed by signal 9");
	reason_is(job, "");
	for (int i = 0; i < 20; i++)
		ended_with(add(i % 4 == 0 ? "stay grow=200" : "stay die"), "killed by");
	succeeds("say=again");
	rv_e2e_leaves_are(e, base, leaves);
	RV_NEED(e, rv_e2e_child(e, 1) == worker, "none of it cost the worker");
	RV_NEED(e, open_of(worker) == open, "%d descriptors, %d before", open_of(worker), open);
	end_in(base);
}

static bool is_empty(void *ctx)
{
	char *text = rv_test_read_file(rv_test_path("%s/cgroup.events", (const char *)ctx));
	bool is = !text || strstr(text, "populated 0");

	free(text);
	return is;
}

/* Two workers: a fork bomb in one, work goes on in the other, nothing of the bomb outlives it. */
static void a_bomb_stays_within(const char *base)
{
	char id[24];
	int64_t bomb;
	char *group;
	pid_t pid;

	begin_kind(base, 2, "max_attempts = 1\npids_max = 20\n");
	bomb = add("bomb");
	rv_e2e_job_says(e, "full ");
	pid = said_by("full ");
	group = rv_e2e_group_of(pid, base);
	RV_NEED(e, number_in(group, "pids.max", "") == 20, "%s", group);
	RV_NEED(e, number_in(group, "pids.current", "") == 20, "%s", group);
	RV_NEED(e, number_in(group, "pids.events", "max ") > 0, "%s", group);
	for (int i = 0; i < 5; i++) {
		rv_e2e_until(e, rv_e2e_job(e, "say=x"), RV_JOB_SUCCEEDED);
		succeeds("say=x");
	}
	RV_NEED(e, number_in(group, "pids.current", "") == 20, "it goes on");
	(void)snprintf(id, sizeof id, "%lld", (long long)bomb);
	RV_NEED(e, rv_e2e_reeve(e, "cancel", id, NULL) == 0, "%s", rv_buf_text(&e->err));
	rv_e2e_until(e, bomb, RV_JOB_CANCELLED);
	RV_NEED(e, rv_test_wait_until(is_empty, group, RV_E2E_WAIT_MS), "%s", group);
	for (int i = 0; i < 4; i++)
		succeeds("say=x");
	free(group);
	end_in(base);
}

static bool is_throttled(void *ctx)
{
	return number_in(ctx, "cpu.stat", "nr_throttled ") > 0 &&
	       number_in(ctx, "cpu.stat", "throttled_usec ") > 0;
}

/* 300 ms at 10 ms in each 100 ms.  The kernel says it: a clock here measures the machine as well.
 */
static void cpu_is_shared_out(const char *base)
{
	char *group;
	int64_t job;

	begin_kind(base, 1, "cpu_max = 0.1\n");
	job = add("spin=300 stay until=go");
	rv_e2e_job_says(e, "child ");
	group = rv_e2e_group_of(said_by("child "), base);
	RV_NEED(e, number_in(group, "cpu.max", "") == 10000, "%s", group);
	RV_NEED(e, rv_test_wait_until(is_throttled, group, RV_E2E_WAIT_MS), "%s", group);
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	free(group);
	end_in(base);
}

/* The process that the last of ${head} is of has ended. */
static void is_over(pid_t pid)
{
	RV_NEED(e, rv_test_wait_dead(pid, RV_E2E_WAIT_MS), "process %d lives", (int)pid);
}

/* KILL to a worker and to the daemon, under jobs that have left their group and session. */
static void deaths_leave_nothing(const char *base)
{
	pid_t child, leader;
	int64_t jobs[2];

	begin_kind(base, 2,
		   "max_attempts = 9\nmax_crashes = 99\nmemory_max = 200M\npids_max = 9\n");
	jobs[0] = add("stay until=go");
	rv_e2e_job_says_times(e, "child ", 1);
	leader = said_by("start ");
	child = said_by("child ");
	for (int slot = 1; slot <= 2; slot++) {
		pid_t pid = rv_e2e_await_child(e, slot);
		char *group = rv_e2e_group_of(pid, base);
		char *other = rv_e2e_group_of(child, base);

		/* reeve-x/worker, reeve-x/run-1 */
		if (strncmp(group, other, (size_t)(strrchr(group, '/') - group)) == 0)
			RV_NEED(e, rv_e2e_signal_pid(pid, SIGKILL), "worker %d", slot);
		free(group);
		free(other);
	}
	rv_e2e_job_says_times(e, "child ", 2);
	is_over(leader);
	is_over(child);
	rv_e2e_groups_are(e, base, 2);
	rv_e2e_leaves_are(e, base, 1);
	/* The same process anew: what runs goes on. */
	RV_NEED(e, rv_e2e_reeve(e, "upgrade", NULL) == 0, "%s", rv_buf_text(&e->err));
	jobs[1] = add("stay until=go");
	rv_e2e_job_says_times(e, "child ", 3);
	rv_e2e_leaves_are(e, base, 2);
	leader = said_by("start ");
	child = said_by("child ");
	start_after_kill(base);
	is_over(leader);
	is_over(child);
	rv_e2e_job_says_times(e, "child ", 5);
	rv_e2e_groups_are(e, base, 2);
	rv_e2e_leaves_are(e, base, 2);
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
	for (int i = 0; i < 2; i++)
		rv_e2e_until(e, jobs[i], RV_JOB_SUCCEEDED);
	RV_NEED(e, rv_e2e_job_count(e, "start ") == 5, "no job ran more than was killed");
	end_in(base);
}

/* A handler that is replaced, or has nothing to do, takes its group along. */
static void its_group_goes_with_it(const char *base)
{
	begin_kind(base, 1, "pids_max = 9\nrecycle_jobs = 1\n");
	for (int i = 0; i < 4; i++)
		succeeds("stay");
	rv_e2e_leaves_are(e, base, 1);
	end_in(base);
	begin_kind(base, 1, "pids_max = 9\nidle_ttl = 300ms\n");
	succeeds("stay");
	rv_e2e_leaves_are(e, base, 0);
	is_over(said_by("child "));
	succeeds("stay");
	rv_e2e_leaves_are(e, base, 0);
	end_in(base);
}

static void each_kind(const char *base)
{
	memory_is_bounded(base);
	a_bomb_stays_within(base);
	cpu_is_shared_out(base);
	deaths_leave_nothing(base);
	if (stays())
		its_group_goes_with_it(base);
}

int main(int argc, char **argv)
{
	char name[40];

	if (argc < 2)
		return 64;
	kind = argv[1];
	(void)snprintf(name, sizeof name, "limits_%s", kind);
	return rv_e2e_delegated(name, true,
				strcmp(kind, "command") == 0 ? runs_have_limits : each_kind);
}
