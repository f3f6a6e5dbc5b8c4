/* Those who wait for jobs: rung at the end, cheap on the way, told when the store goes away. */
#include "process/e2e.h"

#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tier.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"

#include <signal.h>
#include <string.h>

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

static const char *id_text(int64_t job)
{
	static char texts[8][24];
	static unsigned next;
	char *text = texts[next++ % 8];

	(void)snprintf(text, sizeof texts[0], "%lld", (long long)job);
	return text;
}

/* Starts `reeve WORD…` with its output in the file ${name} of the folder. */
static struct rv_test_child begin(const char *name, const char *const *words)
{
	const char *argv[12] = {rv_e2e_program("reeve"), "-c", rv_e2e_path(e, "reeve.ini")};
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
	*(bool *)ctx = values[0] && strcmp(values[0], "0") != 0;
	return RV_OK;
}

static bool is_watched(void *ctx)
{
	bool found = false;
	struct rv_why why = {{0}};
	int err = rv_store_sql(rv_e2e_store(e), ctx, on_row, &found, &why);

	cr_assert(eq(int, err, RV_OK), "%s", why.text);
	return found;
}

/* Until somebody has hung a bell on ${job}. */
static void await_bell(int64_t job)
{
	char sql[80];

	(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM waiter WHERE job = %lld",
		       (long long)job);
	cr_assert(rv_test_wait_until(is_watched, sql, RV_E2E_WAIT_MS));
}

static int64_t spent_us(const struct rv_exit *how)
{
	return (how->usage.ru_utime.tv_sec + how->usage.ru_stime.tv_sec) * RV_S_US +
	       how->usage.ru_utime.tv_usec + how->usage.ru_stime.tv_usec;
}

#define CROWD      (rv_test_all() ? 5000 : 2000)
#define CROWD_MOST 5000

/* One look for each job that ends, and a few a tick: not a core beside the workers'. */
Test(e2e_wait, waiting_for_many_costs_little_beside_the_work)
{
	static int64_t ids[CROWD_MOST];
	struct rv_test_child waiter;
	struct rv_exit how = {0};
	int64_t start;
	int64_t wall;

	rv_e2e_new(e, "[pool:default]\nworkers = 2\n");
	rv_e2e_start(e);
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "pause", "default", NULL), 0));
	rv_e2e_submit(e, "ms=0", (size_t)CROWD, ids);
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "resume", "default", NULL), 0));
	start = rv_mono_us();
	waiter = BEGIN("waited", "wait", "--all");
	cr_assert(rv_test_wait(&waiter, RV_E2E_WAIT_MS * 4, &how));
	wall = rv_mono_us() - start;
	cr_assert(eq(int, how.code, 0));
	cr_assert(eq(i64, rv_e2e_count(e, RV_JOB_SUCCEEDED), CROWD));
	cr_assert(lt(i64, spent_us(&how) * 10, wall), "%lld us of %lld us",
		  (long long)spent_us(&how), (long long)wall);
	rv_test_end(&waiter);
	rv_e2e_end(e);
}

/* Whoever looked once a second would be late by half of one each time. */
Test(e2e_wait, the_end_is_rung_not_polled)
{
	int64_t late_us = 0;

	rv_e2e_new(e, "[pool:default]\nworkers = 2\n");
	rv_e2e_start(e);
	for (int turn = 0; turn < 6; turn++) {
		char go[32];
		int64_t jobs[2];
		struct rv_test_child waiter;

		(void)snprintf(go, sizeof go, "go%d", turn);
		for (int i = 0; i < 2; i++)
			jobs[i] = rv_e2e_job(e, "until=%s", go);
		rv_e2e_job_says(e, "start %lld ", (long long)jobs[1]);
		waiter = turn % 2 ? BEGIN("waited", "wait", id_text(jobs[0]), id_text(jobs[1]))
				  : BEGIN("waited", "wait", "--all");
		await_bell(jobs[1]);
		rv_test_write_file(rv_e2e_path(e, go), "%s", "");
		cr_assert(eq(int, rv_test_finish(&waiter, RV_E2E_WAIT_MS), 0));
		late_us += rv_wall_us() - rv_e2e_view(e, jobs[1])->finished_us;
		rv_test_end(&waiter);
	}
	cr_assert(lt(i64, late_us, 6 * 250 * RV_MS_US), "%lld us late in six turns",
		  (long long)late_us);
	rv_e2e_end(e);
}
