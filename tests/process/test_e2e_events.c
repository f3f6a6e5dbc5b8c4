/*
 * Following events beside a real daemon: rung as waits are, over a daemon that is killed, by
 * several at once; one that is killed leaves nothing.
 */
#include "process/e2e.h"

#include "base/seam.h"
#include "client/reeve.h"
#include "helpers/assert.h"
#include "helpers/wait.h"
#include "store/events.h"

#include <glob.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;
static struct reeve *reeve;

static struct reeve *open_handle(void)
{
	struct reeve_open how = REEVE_OPEN_INIT;
	struct reeve *opened = NULL;

	how.config = rv_e2e_path(e, "reeve.ini");
	return reeve_open(&how, &opened) == REEVE_OK ? opened : NULL;
}

static void setup(void)
{
	rv_e2e_new(e, "[pool:default]\nworkers = 2\n");
	rv_e2e_start(e);
	reeve = open_handle();
	cr_assert(ne(ptr, reeve, NULL), "%s", reeve_error(NULL));
}

static void teardown(void)
{
	reeve_close(reeve);
	rv_e2e_end(e);
}

TestSuite(e2e_events, .init = setup, .fini = teardown);

#define OK(call)                                                                                   \
	do {                                                                                       \
		int ok_ = (call);                                                                  \
		cr_assert(eq(int, ok_, REEVE_OK), "%s", reeve_error(reeve));                       \
	} while (0)

/* Follows from ${*last} until ${id} has succeeded; how late we were told.  -1: an error. */
static int64_t follow(struct reeve *where, int64_t id, int64_t *last)
{
	for (;;) {
		const struct reeve_events *events = NULL;
		int64_t told_us = 0;
		int64_t ended_us = 0;

		if (reeve_events(where, *last, 0, 60 * RV_S_US, &events) != REEVE_OK)
			return -1;
		told_us = rv_wall_us();
		for (size_t i = 0; i < reeve_events_count(events); i++) {
			const struct reeve_event *event = reeve_events_at(events, i);

			if (event->job == id && event->to == REEVE_SUCCEEDED)
				ended_us = event->at_us;
		}
		*last = reeve_events_last(events);
		reeve_free(events);
		if (ended_us > 0)
			return told_us - ended_us;
	}
}

static int64_t now_at(struct reeve *where)
{
	const struct reeve_events *events = NULL;
	int64_t last;

	if (reeve_events(where, REEVE_EVENTS_NOW, 0, 0, &events) != REEVE_OK)
		return -1;
	last = reeve_events_last(events);
	reeve_free(events);
	return last;
}

static int64_t add(void)
{
	int64_t id = 0;

	OK(reeve_enqueue_json(reeve, "{\"task\":\"noop\"}", &id));
	return id;
}

enum { TURNS = 10 };

static int64_t late_us(void)
{
	int64_t last = now_at(reeve);
	int64_t sum = 0;

	for (int i = 0; i < TURNS; i++) {
		int64_t late = follow(reeve, add(), &last);

		cr_assert(le(i64, 0, late), "%s", reeve_error(reeve));
		sum += late;
	}
	return sum;
}

static int64_t wait_late_us(void)
{
	int64_t sum = 0;

	for (int i = 0; i < TURNS; i++) {
		const struct reeve_job *job = NULL;
		int64_t id = add();
		int64_t told_us;

		OK(reeve_wait(reeve, &id, 1, 60 * RV_S_US));
		told_us = rv_wall_us();
		OK(reeve_get(reeve, id, &job));
		sum += told_us - job->finished_at_us;
		reeve_free(job);
	}
	return sum;
}

/* A look each second would be late by half of one each time. */
Test(e2e_events, following_is_rung_as_waiting_is)
{
	int64_t followed = late_us();
	int64_t waited = wait_late_us();

	cr_log_info("%d jobs: told %lld us late by events, %lld by waits", TURNS,
		    (long long)followed, (long long)waited);
	cr_assert(lt(i64, followed, TURNS * 250 * RV_MS_US));
	cr_assert(lt(i64, waited, TURNS * 250 * RV_MS_US));
}

Test(e2e_events, a_daemon_that_is_killed_and_started_again_rings_on)
{
	int64_t last = now_at(reeve);
	int64_t waiting;
	int64_t late;

	cr_assert(le(i64, 0, follow(reeve, add(), &last)));
	rv_e2e_kill(e);
	cr_assert(rv_e2e_gone(e, RV_E2E_WAIT_MS));
	waiting = add();
	rv_e2e_start(e);
	late = follow(reeve, waiting, &last);
	cr_assert(le(i64, 0, late), "%s", reeve_error(reeve));
	late = late_us();
	cr_assert(lt(i64, late, TURNS * 250 * RV_MS_US), "%lld us late", (long long)late);
}

static int count_path(void *ctx, const char *path)
{
	(void)path;
	++*(int *)ctx;
	return RV_OK;
}

static int followers(void)
{
	int count = 0;
	int err = rv_store_followers(rv_e2e_store(e), count_path, &count);

	cr_assert(eq(int, err, RV_OK));
	return count;
}

static bool are_followers(void *ctx)
{
	return followers() == *(int *)ctx;
}

static size_t sockets(void)
{
	glob_t found;
	size_t count = 0;

	if (glob(rv_e2e_path(e, "state/run/waiter.*"), 0, NULL, &found) == 0) {
		count = found.gl_pathc;
		globfree(&found);
	}
	return count;
}

static bool are_sockets(void *ctx)
{
	return sockets() == *(size_t *)ctx;
}

enum { CROWD = 4, JOBS = 50 };

/* In a process of its own: until ${count} jobs have succeeded, or it is killed. */
static pid_t begin_follower(int64_t last, int count)
{
	pid_t child = fork();
	struct reeve *own;

	if (child != 0)
		return child;
	own = open_handle();
	while (own && count > 0) {
		const struct reeve_events *events = NULL;

		if (reeve_events(own, last, 7, 60 * RV_S_US, &events) != REEVE_OK)
			_exit(3);
		for (size_t i = 0; i < reeve_events_count(events); i++)
			count -= reeve_events_at(events, i)->to == REEVE_SUCCEEDED;
		last = reeve_events_last(events);
		reeve_free(events);
	}
	reeve_close(own);
	_exit(count == 0 ? 0 : 4);
}

Test(e2e_events, each_of_several_sees_everything)
{
	pid_t crowd[CROWD];
	int want = CROWD;
	int64_t last;

	(void)add();
	rv_e2e_wait_all(e, 0);
	last = now_at(reeve);
	for (int i = 0; i < CROWD; i++)
		crowd[i] = begin_follower(last, JOBS);
	cr_assert(rv_test_wait_until(are_followers, &want, RV_E2E_WAIT_MS));
	for (int i = 0; i < JOBS; i++)
		(void)add();
	for (int i = 0; i < CROWD; i++) {
		int status = -1;

		cr_assert(eq(int, waitpid(crowd[i], &status, 0), crowd[i]));
		cr_assert(eq(int, status, 0));
	}
	cr_assert(eq(int, followers(), 0));
	cr_assert(eq(sz, sockets(), 0));
}

/* Its socket is removed by whoever rings next, its row by the keeper. */
Test(e2e_events, one_that_is_killed_leaves_nothing)
{
	size_t none = 0;
	int one = 1;
	int zero = 0;
	int status = 0;
	int64_t last;
	pid_t child;

	(void)add();
	rv_e2e_wait_all(e, 0);
	last = now_at(reeve);
	child = begin_follower(last, 1000);
	cr_assert(rv_test_wait_until(are_followers, &one, RV_E2E_WAIT_MS));
	cr_assert(eq(sz, sockets(), 1));
	cr_assert(eq(int, kill(child, SIGKILL), 0));
	cr_assert(eq(int, waitpid(child, &status, 0), child));
	cr_assert(eq(sz, sockets(), 1));
	(void)add();
	cr_assert(rv_test_wait_until(are_sockets, &none, RV_E2E_WAIT_MS));
	cr_assert(rv_test_wait_until(are_followers, &zero, RV_E2E_WAIT_MS));
}
