/*
 * What a new job may say, with a real daemon: keys that are free when a run starts, asking again
 * and again for one job, children of failures; and queues that are full.
 */
#include "process/e2e.h"

#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"

#include <fcntl.h>
#include <signal.h>
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

#define BLOCKING   ONE_WORKER "[queue:default]\nqueue_max = 2\non_full = block\n"
#define AT_ONCE_US (700 * RV_MS_US) /* who looks by himself takes up to a second */

/* Starts `reeve WORD…` with its output in the file ${name} of the folder. */
static struct rv_test_child begin(const char *name, const char *const *words)
{
	const char *argv[16] = {rv_e2e_program("reeve"), "-c", rv_e2e_path(e, "reeve.ini")};
	struct rv_test_start how = {.argv = argv, .out_file = rv_e2e_path(e, name)};
	struct rv_test_child child;
	size_t n = 3;

	for (; *words; words++)
		argv[n++] = *words;
	rv_test_start(&how, &child);
	return child;
}
#define BEGIN(name, ...) begin(name, (const char *const[]){__VA_ARGS__, NULL})

static int on_row(void *ctx, int n, const char *const *names, const char *const *values)
{
	(void)n, (void)names;
	*(int64_t *)ctx = values[0] ? atoll(values[0]) : -1;
	return RV_OK;
}

static int64_t bells(void)
{
	struct rv_why why = {{0}};
	int64_t found = -1;
	int err = rv_store_sql(rv_e2e_store(e), "SELECT count(*) FROM waiter WHERE job < 0", on_row,
			       &found, &why);

	cr_assert(eq(int, err, RV_OK), "%s", why.text);
	return found;
}

static bool are_hung(void *ctx)
{
	return bells() == *(int64_t *)ctx;
}

static void await_bells(int64_t count)
{
	cr_assert(rv_test_wait_until(are_hung, &count, RV_E2E_WAIT_MS), "%lld bells",
		  (long long)bells());
}

Test(e2e_options, a_full_queue_refuses)
{
	rv_e2e_new(e, "%s[queue:default]\nqueue_max = 2\n", ONE_WORKER);
	(void)rv_e2e_add(e, "job", "do=ms=1", NULL);
	(void)rv_e2e_add(e, "--delay", "1ms", "job", "do=ms=1", NULL);
	cr_assert(eq(int, rv_e2e_reeve(e, "add", "job", "do=ms=1", NULL), 6));
	cr_assert(strstr(rv_buf_text(&e->err), "queue default is full: 2 of 2 jobs") != NULL, "%s",
		  rv_buf_text(&e->err));
	rv_e2e_start(e);
	rv_e2e_wait_all(e, 0);
	(void)rv_e2e_add(e, "job", "do=ms=1", NULL);
	rv_e2e_end(e);
}

/* Rung when a job is taken out of the line, not after a second. */
Test(e2e_options, who_adds_to_a_full_queue_waits_for_room)
{
	struct rv_test_child child;
	int64_t first;
	int64_t start_us;

	rv_e2e_new(e, "%s", BLOCKING);
	rv_e2e_start(e);
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "pause", "default", NULL), 0));
	first = rv_e2e_add(e, "job", "do=ms=1", NULL);
	(void)rv_e2e_add(e, "job", "do=ms=1", NULL);
	child = BEGIN("added", "add", "job", "do=note=third");
	await_bells(1);
	cr_assert(rv_test_running(&child));
	start_us = rv_mono_us();
	cr_assert(eq(int, rv_e2e_reeve(e, "cancel", rv_test_path("%lld", (long long)first), NULL),
		     0));
	cr_assert(eq(int, rv_test_finish(&child, RV_E2E_WAIT_MS), 0));
	cr_assert(lt(i64, rv_mono_us() - start_us, AT_ONCE_US));
	cr_assert(eq(i64, bells(), 0));
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "resume", "default", NULL), 0));
	rv_e2e_job_says(e, "third");
	rv_e2e_wait_all(e, 0);
	rv_e2e_end(e);
}

/* Sixteen at once through a door for two: all come in, none too many. */
Test(e2e_options, a_crowd_goes_through_a_full_queue)
{
	enum { CROWD = 16 };
	struct rv_test_child children[CROWD];

	rv_e2e_new(e, "%s", BLOCKING);
	rv_e2e_start(e);
	for (int i = 0; i < CROWD; i++)
		children[i] = BEGIN("crowd", "add", "job", "do=ms=20");
	for (int i = 0; i < CROWD; i++)
		cr_assert(eq(int, rv_test_finish(&children[i], RV_E2E_WAIT_MS), 0));
	rv_e2e_wait_all(e, 0);
	cr_assert(eq(i64, rv_e2e_count(e, RV_JOB_SUCCEEDED), CROWD));
	cr_assert(eq(i64, bells(), 0));
	rv_e2e_end(e);
}

Test(e2e_options, who_waits_for_room_may_give_up)
{
	struct rv_test_child child;

	rv_e2e_new(e, "%s", BLOCKING);
	rv_e2e_start(e);
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "pause", "default", NULL), 0));
	(void)rv_e2e_add(e, "job", "do=ms=1", NULL);
	(void)rv_e2e_add(e, "job", "do=ms=1", NULL);
	cr_assert(eq(int, rv_e2e_reeve(e, "add", "--full-timeout", "200ms", "job", "do=ms=1", NULL),
		     124));
	cr_assert(strstr(rv_buf_text(&e->err), "no room in queue default within 200ms") != NULL,
		  "%s", rv_buf_text(&e->err));
	cr_assert(eq(i64, bells(), 0));
	child = BEGIN("stopped", "add", "job", "do=ms=1");
	await_bells(1);
	rv_test_signal(&child, SIGTERM);
	cr_assert(eq(int, rv_test_finish(&child, RV_E2E_WAIT_MS), 128 + SIGTERM));
	cr_assert(eq(i64, bells(), 0));
	cr_assert(eq(i64, rv_e2e_count(e, RV_JOB_READY), 2));
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "resume", "default", NULL), 0));
	rv_e2e_wait_all(e, 0);
	rv_e2e_end(e);
}

/* A block of lines goes in as a whole, when there is room for all of it. */
Test(e2e_options, lines_wait_for_room_block_by_block)
{
	struct rv_test_child child;
	FILE *lines;

	rv_e2e_new(e, "%s[queue:default]\nqueue_max = 4\non_full = block\n", ONE_WORKER);
	rv_e2e_start(e);
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "pause", "default", NULL), 0));
	for (int i = 0; i < 3; i++)
		(void)rv_e2e_add(e, "job", "do=ms=1", NULL);
	lines = fopen(rv_e2e_path(e, "lines"), "we");
	cr_assert(lines != NULL);
	for (int i = 0; i < 3; i++)
		(void)fputs("{\"task\":\"job\",\"args\":{\"do\":\"note=line\"}}\n", lines);
	cr_assert(eq(int, fclose(lines), 0));
	child = BEGIN("added", "add", "--from-file", rv_e2e_path(e, "lines"));
	await_bells(1);
	cr_assert(eq(i64, rv_e2e_count(e, RV_JOB_READY), 3));
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "resume", "default", NULL), 0));
	cr_assert(eq(int, rv_test_finish(&child, RV_E2E_WAIT_MS), 0));
	rv_e2e_job_says_times(e, "line", 3);
	rv_e2e_wait_all(e, 0);
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "pause", "default", NULL), 0));
	lines = fopen(rv_e2e_path(e, "lines"), "ae");
	cr_assert(lines != NULL);
	for (int i = 0; i < 2; i++)
		(void)fputs("{\"task\":\"job\",\"args\":{\"do\":\"ms=1\"}}\n", lines);
	cr_assert(eq(int, fclose(lines), 0));
	cr_assert(eq(int, rv_e2e_reeve(e, "add", "--from-file", rv_e2e_path(e, "lines"), NULL), 6));
	cr_assert(strstr(rv_buf_text(&e->err), "these alone are more") != NULL, "%s",
		  rv_buf_text(&e->err));
	cr_assert(eq(i64, rv_e2e_count(e, RV_JOB_READY), 0));
	rv_e2e_end(e);
}

Test(e2e_options, the_oldest_makes_way)
{
	int64_t ids[3];

	rv_e2e_new(e, "%s[queue:default]\nqueue_max = 2\non_full = drop-oldest\n", ONE_WORKER);
	for (int i = 0; i < 3; i++)
		ids[i] = rv_e2e_add(e, "job", "do=ms=1", NULL);
	rv_e2e_start(e);
	rv_e2e_until(e, ids[2], RV_JOB_SUCCEEDED);
	rv_e2e_until(e, ids[1], RV_JOB_SUCCEEDED);
	rv_e2e_until(e, ids[0], RV_JOB_CANCELLED);
	cr_assert(eq(int, strcmp(rv_e2e_view(e, ids[0])->error, "dropped: queue full"), 0));
	rv_e2e_end(e);
}
