/*
 * What a new job may say, with a real daemon: keys that are free when a run starts, asking again
 * and again for one job, children of failures.
 */
#include "process/e2e.h"

#include "base/seam.h"
#include "helpers/assert.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

#define ONE_WORKER "[pool:default]\nworkers = 1\nmax_batch = 1\n"

static void touch(const char *name)
{
	int fd = open(rv_e2e_path(e, name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	cr_assert(ge(int, fd, 0));
	(void)close(fd);
}

/* At most one runs and one waits. */
Test(e2e_options, a_key_until_started_is_free_when_it_runs)
{
	int64_t first;
	int64_t second;

	rv_e2e_new(e, "%s", ONE_WORKER);
	rv_e2e_start(e);
	first = rv_e2e_add(e, "--unique", "k", "--until", "started", "job", "do=until=go", NULL);
	rv_e2e_until(e, first, RV_JOB_RUNNING);
	second = rv_e2e_add(e, "--unique", "k", "--until", "started", "job", "do=ms=1", NULL);
	cr_assert(ne(i64, first, second));
	cr_assert(
		eq(i64,
		   rv_e2e_add(e, "--unique", "k", "--on-conflict", "skip", "job", "do=ms=1", NULL),
		   second));
	cr_assert(eq(int, rv_e2e_reeve(e, "add", "--unique", "k", "job", "do=ms=1", NULL), 5));
	touch("go");
	rv_e2e_wait_all(e, 0);
	(void)rv_e2e_add(e, "--unique", "k", "job", "do=ms=1", NULL);
	rv_e2e_wait_all(e, 0);
	rv_e2e_end(e);
}

/* Asked for many times in a row it runs once, after the last. */
Test(e2e_options, debounce_runs_once_after_the_last)
{
	int64_t id = 0;
	int64_t last_us = 0;

	rv_e2e_new(e, "%s", ONE_WORKER);
	rv_e2e_start(e);
	for (int i = 0; i < 8; i++) {
		int64_t again =
			rv_e2e_add(e, "--unique", "k", "--until", "started", "--on-conflict",
				   "reschedule", "--delay", "2s", "job", "do=note=ran", NULL);

		cr_assert(i == 0 || again == id);
		id = again;
		last_us = rv_wall_us();
	}
	rv_e2e_until(e, id, RV_JOB_SUCCEEDED);
	cr_assert(ge(i64, rv_e2e_view(e, id)->started_us, last_us));
	cr_assert(eq(i64, rv_e2e_count(e, RV_JOB_SUCCEEDED), 1));
	cr_assert(eq(int, rv_e2e_job_count(e, "ran"), 1));
	rv_e2e_end(e);
}

Test(e2e_options, what_runs_after_a_failure)
{
	char parent[24];
	int64_t id;
	int64_t rescue;
	int64_t always;
	int64_t never;

	rv_e2e_new(e, "%s", ONE_WORKER);
	id = rv_e2e_add(e, "--max-attempts", "1", "job", "do=exit=3", NULL);
	(void)snprintf(parent, sizeof parent, "%lld", (long long)id);
	rescue = rv_e2e_add(e, "--after", parent, "--on", "failure", "job", "do=note=rescue", NULL);
	always = rv_e2e_add(e, "--after", parent, "--on", "any", "job", "do=note=always", NULL);
	never = rv_e2e_add(e, "--after", parent, "job", "do=note=never", NULL);
	rv_e2e_start(e);
	rv_e2e_until(e, rescue, RV_JOB_SUCCEEDED);
	rv_e2e_until(e, always, RV_JOB_SUCCEEDED);
	rv_e2e_until(e, id, RV_JOB_DEAD);
	rv_e2e_until(e, never, RV_JOB_BLOCKED);
	cr_assert(eq(int, rv_e2e_reeve(e, "add", "--after", parent, "job", "do=ms=1", NULL), 5));
	cr_assert(strstr(rv_buf_text(&e->err), "is dead: reeve retry") != NULL, "%s",
		  rv_buf_text(&e->err));
	cr_assert(eq(int, rv_e2e_job_count(e, "never"), 0));
	rv_e2e_end(e);
}
