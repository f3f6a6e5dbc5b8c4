/* libreeve without a daemon: following events is rung by whoever commits, and leaves nothing. */
#include "lib_scene.h"

#include "base/seam.h"

#include <glob.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(lib_events, .init = setup, .fini = teardown);

static int64_t add_noop(struct reeve *where)
{
	int64_t id = 0;
	int err = reeve_enqueue_json(where, "{\"task\":\"noop\"}", &id);

	cr_assert(eq(int, err, REEVE_OK), "%s", reeve_error(where));
	return id;
}

/* The bells in the runtime_dir; the name of the first. */
static size_t bells(char *name, size_t space)
{
	glob_t found;
	size_t count = 0;

	if (glob(rv_test_path("%s/waiter.*", tmp), 0, NULL, &found) == 0) {
		count = found.gl_pathc;
		if (name)
			(void)snprintf(name, space, "%s", found.gl_pathv[0]);
		globfree(&found);
	}
	return count;
}

/* Nothing happens, for so long. */
static int64_t follow_nothing(struct reeve *where, int64_t us)
{
	const struct reeve_events *events = NULL;
	int err = reeve_events(where, REEVE_EVENTS_NOW, 0, us, &events);
	int64_t last;

	cr_assert(eq(int, err, REEVE_OK), "%s", reeve_error(where));
	cr_assert(eq(sz, reeve_events_count(events), 0));
	last = reeve_events_last(events);
	reeve_free(events);
	return last;
}

static void *add_after_a_while(void *ctx)
{
	(void)poll(NULL, 0,
		   100); /* until the other one sleeps; should it not yet, the test is weaker */
	(void)add_noop(ctx);
	return NULL;
}

enum { TURNS = 6 };

/* Who looked once a second would be late by half of one each time, ten times a second by 50 ms. */
Test(lib_events, who_follows_is_rung_by_the_commit)
{
	struct reeve *other = open_again(0);
	const struct reeve_events *events = NULL;
	int64_t late_us = 0;
	int64_t last;

	(void)add_noop(reeve);
	last = follow_nothing(reeve, 1000);
	for (int i = 0; i < TURNS; i++) {
		pthread_t thread;

		cr_assert(eq(int, pthread_create(&thread, NULL, add_after_a_while, other), 0));
		OK(reeve_events(reeve, last, 0, 20 * RV_S_US, &events));
		late_us += rv_wall_us() - reeve_events_at(events, 0)->at_us;
		cr_assert(eq(sz, reeve_events_count(events), 1));
		last = reeve_events_last(events);
		reeve_free(events);
		cr_assert(eq(int, pthread_join(thread, NULL), 0));
	}
	cr_assert(lt(i64, late_us, TURNS * 250 * RV_MS_US), "%lld us late", (long long)late_us);
	cr_assert(eq(sz, bells(NULL, 0), 1)); /* kept for the next call */
	reeve_close(other);
}

Test(lib_events, the_bell_goes_with_the_handle)
{
	struct reeve *other = open_again(0);

	(void)add_noop(reeve);
	cr_assert(eq(sz, bells(NULL, 0), 0));
	(void)follow_nothing(other, 0); /* who does not wait needs none */
	cr_assert(eq(sz, bells(NULL, 0), 0));
	(void)follow_nothing(other, 1000);
	(void)follow_nothing(reeve, 1000);
	cr_assert(eq(sz, bells(NULL, 0), 2));
	reeve_close(other);
	cr_assert(eq(sz, bells(NULL, 0), 1));
}

static int64_t spent_us(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * RV_S_US + usage.ru_utime.tv_usec +
	       usage.ru_stime.tv_usec;
}

Test(lib_events, nothing_happening_costs_next_to_nothing)
{
	int64_t before_us;

	(void)add_noop(reeve);
	(void)follow_nothing(reeve, 1000); /* hangs up the bell */
	before_us = spent_us();
	(void)follow_nothing(reeve, 3 * RV_S_US);
	cr_assert(lt(i64, spent_us() - before_us, 30 * RV_MS_US));
}

/* Somebody tidied the folder up: another bell within a second. */
Test(lib_events, a_bell_that_was_removed_is_hung_up_again)
{
	char before[512] = "";
	char after[512] = "";

	(void)add_noop(reeve);
	(void)follow_nothing(reeve, 1000);
	cr_assert(eq(sz, bells(before, sizeof before), 1));
	cr_assert(eq(int, unlink(before), 0));
	(void)follow_nothing(reeve, 1000);
	cr_assert(eq(sz, bells(after, sizeof after), 1));
	cr_assert(ne(int, strcmp(before, after), 0));
}

Test(lib_events, a_child_of_a_fork_leaves_the_bell_alone)
{
	int status = 0;
	pid_t child;

	(void)add_noop(reeve);
	(void)follow_nothing(reeve, 1000);
	child = fork();
	if (child == 0) {
		reeve_close(reeve);
		_exit(0);
	}
	cr_assert(eq(int, waitpid(child, &status, 0), child));
	cr_assert(eq(int, status, 0));
	cr_assert(eq(sz, bells(NULL, 0), 1));
}

/* Each thread that waits has a bell of its own; one is kept. */
static void *follow_one(void *ctx)
{
	const struct reeve_events *events = NULL;
	int err = reeve_events(reeve, *(int64_t *)ctx, 0, 20 * RV_S_US, &events);
	bool seen = err == REEVE_OK && reeve_events_count(events) > 0;

	if (err == REEVE_OK)
		reeve_free(events);
	return seen ? ctx : NULL;
}

Test(lib_events, threads_of_one_handle_are_all_rung)
{
	struct reeve *other = open_again(0);
	pthread_t threads[4];
	int64_t last;
	int64_t begun_us;

	(void)add_noop(reeve);
	last = follow_nothing(reeve, 1000);
	for (size_t i = 0; i < 4; i++)
		cr_assert(eq(int, pthread_create(&threads[i], NULL, follow_one, &last), 0));
	(void)poll(NULL, 0, 100);
	begun_us = rv_mono_us();
	(void)add_noop(other);
	for (size_t i = 0; i < 4; i++) {
		void *seen = NULL;

		cr_assert(eq(int, pthread_join(threads[i], &seen), 0));
		cr_assert(ne(ptr, seen, NULL));
	}
	cr_assert(lt(i64, rv_mono_us() - begun_us, 700 * RV_MS_US));
	cr_assert(eq(sz, bells(NULL, 0), 1));
	reeve_close(other);
}
