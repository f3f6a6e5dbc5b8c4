/* Pools that begin nothing while the machine has too much to do, through the real daemon. */
#include "process/e2e.h"

#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

/* The machine as the keeper sees it. */
static void machine(const char *load, long available_kib)
{
	rv_test_write_file(rv_e2e_path(e, "proc/loadavg"), "%s 0.20 0.30 1/200 4711\n", load);
	rv_test_write_file(rv_e2e_path(e, "proc/meminfo"),
			   "MemTotal: 99999999 kB\nMemFree: 12 kB\nMemAvailable: %ld kB\n",
			   available_kib);
}

static void up(const char *keys, const char *load, long available_kib)
{
	rv_e2e_new(e, "[pool:default]\nworkers = 1\nrestart_delay = 10ms\n%s", keys);
	cr_assert(eq(int, mkdir(rv_e2e_path(e, "proc"), 0700), 0));
	machine(load, available_kib);
	rv_e2e_env(e, "RV_PROC=%s/proc", e->dir);
	rv_e2e_start(e);
	/* The keeper looks before any worker begins, or a second later. */
	rv_e2e_logged(e, "pool default waits: ");
}

static void down(void)
{
	rv_e2e_no_env(e);
	rv_e2e_stop(e);
	cr_assert(eq(int, unlink(rv_e2e_path(e, "proc/loadavg")), 0));
	cr_assert(eq(int, unlink(rv_e2e_path(e, "proc/meminfo")), 0));
	cr_assert(eq(int, rmdir(rv_e2e_path(e, "proc")), 0));
	rv_e2e_fini(e);
}

static const char *id_text(int64_t job)
{
	static char text[24];

	(void)snprintf(text, sizeof text, "%lld", (long long)job);
	return text;
}

/* The job does not begin, and why says that it waits for ${words}. */
static void stays(int64_t job, const char *words)
{
	cr_assert(eq(int, rv_e2e_reeve(e, "wait", "--timeout", "1500ms", id_text(job), NULL), 124));
	cr_assert(eq(int, rv_e2e_view(e, job)->state, RV_JOB_READY));
	cr_assert(eq(int, rv_e2e_reeve(e, "why", id_text(job), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), rv_test_path("- pool default waits: %s\n", words));
	cr_assert(eq(int, rv_e2e_reeve(e, "status", NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), rv_test_path("waits: %s", words));
}

Test(e2e_admit, claims_wait_while_the_load_is_high_and_go_on_by_themselves)
{
	char words[64];
	int64_t job;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	json_t *json;

	up("max_load = 1.5\n", "640.00", 1 << 20);
	(void)snprintf(words, sizeof words, "load %ld.%ld of 1.5", 640000 / cpus / 1000,
		       640000 / cpus / 100 % 10);
	job = rv_e2e_job(e, "say=x");
	stays(job, words);
	json = rv_e2e_json(e, "status", NULL);
	rv_assert_text(json_string_value(json_object_get(
			       json_array_get(json_object_get(json, "pools"), 0), "waits")),
		       words);
	json_decref(json);
	machine("0.10", 1 << 20);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_e2e_logged(e, "pool default goes on");
	down();
}

Test(e2e_admit, claims_wait_while_memory_is_short)
{
	int64_t runs;
	int64_t job;

	rv_e2e_new(e, "[pool:default]\nworkers = 2\nmin_memory = 512M\n");
	cr_assert(eq(int, mkdir(rv_e2e_path(e, "proc"), 0700), 0));
	machine("0.10", 600 << 10);
	rv_e2e_env(e, "RV_PROC=%s/proc", e->dir);
	rv_e2e_start(e);
	runs = rv_e2e_job(e, "until=go");
	rv_e2e_until(e, runs, RV_JOB_RUNNING);
	machine("0.10", 300 << 10);
	rv_e2e_logged(e, "pool default waits: 300M of 512M memory available");
	job = rv_e2e_job(e, "say=x");
	stays(job, "300M of 512M memory available");
	/* What runs goes on. */
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
	rv_e2e_until(e, runs, RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_view(e, job)->state, RV_JOB_READY));
	machine("0.10", 512 << 10);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	down();
}

/* All below its workers counts, and a reload that takes the bound away lets it go on. */
Test(e2e_admit, claims_wait_while_the_pool_has_too_much_memory)
{
	int64_t job;

	up("max_rss_total = 1M\n", "0.10", 1 << 20);
	job = rv_e2e_job(e, "say=x");
	cr_assert(eq(int, rv_e2e_reeve(e, "wait", "--timeout", "1500ms", id_text(job), NULL), 124));
	cr_assert(eq(int, rv_e2e_reeve(e, "why", id_text(job), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "of 1M memory");
	rv_e2e_ini(e, "[pool:default]\nworkers = 1\nrestart_delay = 10ms\n");
	cr_assert(eq(int, rv_e2e_reeve(e, "reload", NULL), 0));
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	down();
}

/* One that was started meanwhile waits with the others; without a keeper nobody does. */
Test(e2e_admit, newcomers_wait_too_and_nobody_for_a_keeper_that_is_gone)
{
	int64_t job;
	pid_t first;

	up("max_load = 0.5\n", "640.00", 1 << 20);
	first = rv_e2e_await_child(e, 1);
	cr_assert(rv_e2e_signal(e, 1, SIGKILL));
	while (rv_e2e_await_child(e, 1) == first)
		continue;
	job = rv_e2e_job(e, "say=x");
	cr_assert(eq(int, rv_e2e_reeve(e, "wait", "--timeout", "1500ms", id_text(job), NULL), 124));
	cr_assert(eq(int, rv_e2e_view(e, job)->state, RV_JOB_READY));
	cr_assert(rv_e2e_signal(e, 0, SIGKILL));
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	down();
}
