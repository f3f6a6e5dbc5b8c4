/*
 * Limits with a real daemon: nothing runs over a limit, not when workers are killed either, and
 * what waits begins the moment that there is room or a token, woken, not by looking again and
 * again.
 */
#include "process/e2e.h"

#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/wait.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define FOUR_WORKERS "[pool:default]\nworkers = 4\nrestart_burst = 1000/1s\nrestart_delay = 0s\n"
#define AT_ONCE_US   (300 * RV_MS_US) /* a poll would take a second and more */

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

static void touch(const char *name)
{
	int fd = open(rv_e2e_path(e, name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	cr_assert(ge(int, fd, 0));
	(void)close(fd);
}

/* All runs of all jobs, as the store has them. */
#define RUNS_MAX 4096
struct edge {
	int64_t at_us;
	int by;
};
static struct edge edges[2 * RUNS_MAX];
static size_t nedges;

static int note_run(void *ctx, const struct rv_attempt_view *view)
{
	(void)ctx;
	cr_assert(lt(sz, nedges, 2 * RUNS_MAX - 2));
	edges[nedges++] = (struct edge){view->started_us, 1};
	edges[nedges++] = (struct edge){view->ended_us, -1};
	return RV_OK;
}

/* What ends at a moment is over before something begins at it. */
static int compare(const void *a, const void *b)
{
	const struct edge *x = a;
	const struct edge *y = b;

	return x->at_us != y->at_us ? (x->at_us > y->at_us) - (x->at_us < y->at_us) : x->by - y->by;
}

static int most_at_once(const int64_t *ids, size_t count)
{
	int now = 0;
	int most = 0;

	nedges = 0;
	for (size_t i = 0; i < count; i++)
		cr_assert(
			eq(int, rv_store_attempts(rv_e2e_store(e), ids[i], note_run, NULL), RV_OK));
	qsort(edges, nedges, sizeof edges[0], compare);
	for (size_t i = 0; i < nedges; i++) {
		now += edges[i].by;
		most = now > most ? now : most;
	}
	return most;
}

/* The jobs themselves look as well: flock fails where another one runs. */
Test(e2e_limit, holds_while_workers_are_killed)
{
	enum { JOBS = 120, KILLS = 25 };
	int64_t one[JOBS];
	int64_t two[JOBS];
	uint64_t dice = 7;

	rv_e2e_new(e, FOUR_WORKERS);
	rv_e2e_ini(e,
		   FOUR_WORKERS
		   "[queue:default]\nconcurrency = 3\n[resource:licence]\ncount = 2\n"
		   "[task:one]\nhandler = exec\nconcurrency = 1\nmax_crashes = 100\n"
		   "command = flock --nonblock %s sleep 0.01\nmax_attempts = 1\n"
		   "[task:two]\nhandler = exec\nresources = licence\nmax_crashes = 100\n"
		   "command = sleep 0.01\n",
		   rv_e2e_path(e, "reeve.ini"));
	for (int i = 0; i < JOBS; i++) {
		one[i] = rv_e2e_add(e, "one", NULL);
		two[i] = rv_e2e_add(e, "two", NULL);
	}
	rv_e2e_start(e);
	for (int kills = 0; kills < KILLS;) {
		int slot = 1 + (int)rv_e2e_dice(&dice, 4);

		/* some milliseconds; nobody says this */
		(void)rv_test_wait_text(rv_e2e_path(e, "jobs"), "no such line",
					5 + (int64_t)rv_e2e_dice(&dice, 40));
		kills += rv_e2e_signal(e, slot, SIGKILL);
	}
	rv_e2e_wait_all(e, 0);
	cr_assert(eq(int, most_at_once(one, JOBS), 1));
	cr_assert(le(int, most_at_once(two, JOBS), 2));
	rv_e2e_end(e);
}

Test(e2e_limit, the_next_starts_when_one_ends)
{
	int64_t first;
	int64_t second;
	int64_t third;

	rv_e2e_new(e, FOUR_WORKERS "[queue:default]\nkey_concurrency = 1\n");
	rv_e2e_start(e);
	first = rv_e2e_add(e, "--key", "a", "job", "do=until=go", NULL);
	rv_e2e_until(e, first, RV_JOB_RUNNING);
	second = rv_e2e_add(e, "--key", "a", "job", "do=say=x", NULL);
	third = rv_e2e_add(e, "--key", "b", "job", "do=say=x", NULL);
	rv_e2e_until(e, second, RV_JOB_BLOCKED);
	rv_e2e_until(e, third, RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_reeve(e, "why", "2", NULL), 0));
	rv_assert_has(rv_buf_text(&e->out),
		      "it waits for the limit of key a of queue default: 1 of 1 in use, by job 1");
	cr_assert(eq(int, rv_e2e_reeve(e, "show", "2", "--json", NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "\"k/default/a\"");
	cr_assert(eq(int, rv_e2e_reeve(e, "limits", NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "key a of queue default     1   1");
	cr_assert(eq(int, rv_e2e_reeve(e, "limits", "--json", NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "{\"limit\":\"k/default/a\",\"of\":\"key a of queue "
					    "default\",\"used\":1,\"max\":1,\"waiting\":1,");
	touch("go");
	rv_e2e_wait_all(e, 0);
	cr_assert(lt(i64, rv_e2e_view(e, second)->started_us,
		     rv_e2e_view(e, first)->finished_us + AT_ONCE_US));
	cr_assert(ge(i64, rv_e2e_view(e, second)->started_us, rv_e2e_view(e, first)->finished_us));
	rv_e2e_end(e);
}

/* Two at once, then one each half second. */
Test(e2e_limit, tokens_come_at_their_time)
{
	enum { JOBS = 5 };
	int64_t started[JOBS];

	rv_e2e_new(e,
		   FOUR_WORKERS "[task:paced]\nhandler = builtin\nbuiltin = noop\nrate = 2/1s\n");
	rv_e2e_start(e);
	for (int i = 0; i < JOBS; i++)
		(void)rv_e2e_add(e, "paced", NULL);
	rv_e2e_until(e, JOBS, RV_JOB_BLOCKED);
	cr_assert(eq(int, rv_e2e_reeve(e, "why", "5", NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "it waits for the rate of task paced, 2/1s: the next");
	rv_e2e_wait_all(e, 0);
	for (int i = 0; i < JOBS; i++)
		started[i] = rv_e2e_view(e, i + 1)->started_us;
	for (int i = 2; i < JOBS; i++) {
		int64_t due = started[0] + (i - 1) * 500 * RV_MS_US;

		cr_assert(ge(i64, started[i], due), "job %d is %lld us early", i + 1,
			  (long long)(due - started[i]));
		cr_assert(lt(i64, started[i], due + AT_ONCE_US), "job %d is %lld us late", i + 1,
			  (long long)(started[i] - due));
	}
	rv_e2e_end(e);
}

/* Limits are changed while jobs run and wait: nothing is killed, what may start does. */
Test(e2e_limit, a_reload_changes_what_may_start)
{
	int64_t big;

	rv_e2e_new(e, FOUR_WORKERS "[resource:gpu]\ncount = 2\n");
	rv_e2e_start(e);
	cr_assert(eq(int, rv_e2e_reeve(e, "add", "--resource", "gqu", "job", "do=say=x", NULL), 3));
	rv_assert_has(rv_buf_text(&e->err), "no such resource \"gqu\", did you mean \"gpu\"?");
	cr_assert(
		eq(int, rv_e2e_reeve(e, "add", "--resource", "gpu:3", "job", "do=say=x", NULL), 5));
	(void)rv_e2e_add(e, "--resource", "gpu", "job", "do=until=go", NULL);
	rv_e2e_until(e, 1, RV_JOB_RUNNING);
	big = rv_e2e_add(e, "--resource", "gpu:2", "job", "do=until=go", NULL);
	rv_e2e_until(e, big, RV_JOB_BLOCKED);
	rv_e2e_ini(e, FOUR_WORKERS "[resource:gpu]\ncount = 3\n");
	cr_assert(eq(int, rv_e2e_reeve(e, "reload", NULL), 0), "%s", rv_buf_text(&e->err));
	rv_e2e_until(e, big, RV_JOB_RUNNING);
	rv_e2e_ini(e, FOUR_WORKERS "[resource:gpu]\ncount = 1\n");
	cr_assert(eq(int, rv_e2e_reeve(e, "reload", NULL), 0), "%s", rv_buf_text(&e->err));
	(void)rv_e2e_add(e, "--resource", "gpu", "job", "do=say=x", NULL);
	rv_e2e_until(e, big + 1, RV_JOB_BLOCKED);
	cr_assert(eq(int, (int)rv_e2e_view(e, big)->state, (int)RV_JOB_RUNNING));
	touch("go");
	rv_e2e_wait_all(e, 0);
	rv_e2e_end(e);
}
