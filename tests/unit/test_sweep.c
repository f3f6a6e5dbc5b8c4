/*
 * The sweep: whatever a dead child leaves behind ends, within its budget, and nothing else does
 * (F5). The test's process is the subreaper.
 */
#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/child.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "os/fd.h"
#include "os/self.h"
#include "os/sweep.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define TURN_US 5000

static const char *probe(void)
{
	static char path[4096];

	cr_assert(eq(int, rv_self_sibling("rv_testprobe", path, sizeof path, NULL), RV_OK));
	return path;
}

/* A mark of this very run: others may run the same test beside it. */
static const char *mark(const char *name)
{
	return rv_test_path("sweep-%d-%s", (int)getpid(), name);
}

static const char *setting(const char *variable, const char *name)
{
	return rv_test_path("%s=%s", variable, mark(name));
}

static bool keep_one(void *ctx, pid_t pid)
{
	return pid == *(pid_t *)ctx;
}

/* Turns until nothing is left; how many were killed. */
static int sweep_all(const struct rv_sweep *sweep)
{
	int64_t deadline = rv_mono_us() + 20 * RV_S_US;
	int killed = 0;

	for (;;) {
		struct rv_sweep_left left;
		int64_t before = rv_mono_us();

		cr_assert(eq(int, rv_sweep_turn(sweep, TURN_US, &left), RV_OK));
		cr_assert(lt(i64, rv_mono_us() - before, TURN_US + 500000), "never blocks");
		killed += left.killed;
		if (left.orphans == 0)
			return killed;
		cr_assert(lt(i64, rv_mono_us(), deadline), "%d are left", left.orphans);
	}
}

static void run_escapees(const char *count, const char *mark)
{
	const char *const words[] = {probe(), "escapees", count, NULL};
	const char *const env[] = {mark, NULL};
	struct rv_test_start how = {.argv = words, .env = env, .pipe_out = true};
	struct rv_test_child child;
	char line[32];

	rv_test_start(&how, &child);
	cr_assert(rv_test_wait_line(child.out, line, sizeof line, 30000));
	cr_assert(eq(int, rv_test_finish(&child, 30000), 0));
	rv_test_end(&child);
}

Test(sweep, nothing_to_sweep)
{
	struct rv_sweep sweep = {0};
	struct rv_sweep_left left = {.orphans = 9, .killed = 9};

	cr_assert(eq(int, rv_sweep_turn(&sweep, TURN_US, &left), RV_OK));
	cr_assert(eq(int, left.orphans, 0));
	cr_assert(eq(int, left.killed, 0));
	cr_assert(not(rv_sweep_bears(&sweep, "REEVE_INSTANCE", "x")));
}

Test(sweep, f05_a_hundred_and_fifty_escapees_end_at_once)
{
	struct rv_sweep sweep = {0};
	int64_t before;

	cr_assert(eq(int, rv_subreaper(), RV_OK));
	run_escapees("150", setting("REEVE_INSTANCE", "test-150"));
	cr_assert(rv_sweep_bears(&sweep, "REEVE_INSTANCE", mark("test-150")));
	cr_assert(not(rv_sweep_bears(&sweep, "REEVE_INSTANCE", mark("test-15"))));
	before = rv_mono_us();
	cr_assert(eq(int, sweep_all(&sweep), 150));
	cr_assert(lt(i64, rv_mono_us() - before, 5 * RV_S_US));
	cr_assert(not(rv_sweep_bears(&sweep, "REEVE_INSTANCE", mark("test-150"))));
	cr_assert(eq(int, rv_test_count_marked("REEVE_INSTANCE", mark("test-150")), 0));
	cr_assert(eq(int, waitpid(-1, NULL, WNOHANG), -1));
	cr_assert(eq(int, errno, ECHILD), "no zombie is left");
}

/* A tree: who is killed leaves its own children to us, and they to us in turn. */
Test(sweep, a_tree_of_shells_that_trap_term)
{
	const char *const words[] = {"sh", "-c",
				     "trap '' TERM HUP; (setsid sh -c \"trap '' TERM; sleep 600 & "
				     "sleep 600 & echo up; wait\" &) ; sleep 600 & sleep 600",
				     NULL};
	const char *const env[] = {setting("REEVE_INSTANCE", "tree"), NULL};
	struct rv_test_start how = {.argv = words, .env = env, .pipe_out = true};
	struct rv_sweep sweep = {0};
	struct rv_test_child child;
	char line[32];

	cr_assert(eq(int, rv_subreaper(), RV_OK));
	rv_test_start(&how, &child);
	cr_assert(rv_test_wait_line(child.out, line, sizeof line, 20000));
	(void)close(child.pidfd); /* the sweep reaps it as well */
	cr_assert(le(int, 3, sweep_all(&sweep)));
	cr_assert(eq(int, rv_test_count_marked("REEVE_INSTANCE", mark("tree")), 0));
}

Test(sweep, who_is_kept_is_left_alone)
{
	struct rv_test_child kept;
	struct rv_sweep sweep = {.keep = keep_one};

	cr_assert(eq(int, rv_subreaper(), RV_OK));
	rv_test_startl(&kept, "sleep", "600", NULL);
	sweep.ctx = &kept.pid;
	run_escapees("5", setting("REEVE_INSTANCE", "kept"));
	cr_assert(eq(int, sweep_all(&sweep), 5));
	cr_assert(rv_test_running(&kept));
	rv_test_end(&kept);
}

/* What has ended by itself is reaped and not counted as killed. */
Test(sweep, zombies_are_reaped_not_killed)
{
	struct rv_sweep sweep = {0};
	struct rv_test_child child;

	rv_test_startl(&child, "true", NULL);
	cr_assert(eq(int, rv_fd_wait(child.pidfd, POLLIN, 20 * RV_S_US), RV_OK));
	cr_assert(eq(int, sweep_all(&sweep), 0));
	cr_assert(eq(int, waitpid(child.pid, NULL, WNOHANG), -1));
}

/* How many children we have, the dead among them. */
static int children(void)
{
	char *list = rv_test_read_file(rv_test_path("/proc/self/task/%d/children", (int)gettid()));
	int count = 0;

	cr_assert(list != NULL);
	for (const char *at = list; *at != '\0'; at++)
		count += *at == ' ';
	free(list);
	return count;
}

/*
 * Each turn makes some progress, however small its budget: one child at least.  And who has died
 * is not reaped while others live: till then it counts against the limit of its user, so that a
 * fork bomb cannot put another in its place.
 */
Test(sweep, a_budget_of_nothing_still_makes_one_step)
{
	struct rv_sweep sweep = {0};
	struct rv_sweep_left left = {.orphans = 1};
	siginfo_t info;
	int killed = 0;
	int turns = 0;

	cr_assert(eq(int, rv_subreaper(), RV_OK));
	run_escapees("3", setting("REEVE_INSTANCE", "zero"));
	while (left.orphans > 0 && turns++ < 1000000) {
		cr_assert(eq(int, rv_sweep_turn(&sweep, 0, &left), RV_OK));
		cr_assert(le(int, left.killed, 1));
		killed += left.killed;
		if (killed < 3)
			cr_assert(eq(int, children(), 3));
		if (killed > 0) /* one is dead when the others get their turn */
			(void)waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
	}
	cr_assert(eq(int, left.orphans, 0));
	cr_assert(eq(int, killed, 3));
	cr_assert(lt(int, 3, turns));
}

/* More of them than one look at the list of children gives. */
Test(sweep, a_thousand_are_ended_as_well)
{
	struct rv_sweep sweep = {0};

	cr_assert(eq(int, rv_subreaper(), RV_OK));
	run_escapees("1000", setting("REEVE_INSTANCE", "thousand"));
	cr_assert(le(int, 1000, sweep_all(&sweep)));
	cr_assert(eq(int, rv_test_count_marked("REEVE_INSTANCE", mark("thousand")), 0));
	cr_assert(eq(int, waitpid(-1, NULL, WNOHANG), -1));
}

/* One that we may not kill (it runs a set-user-ID program): the others are reaped all the same. */
Test(sweep, who_cannot_be_killed_does_not_hold_the_dead_for_ever)
{
	struct rv_sweep sweep = {0};
	struct rv_sweep_left left = {0};
	struct rv_test_child dead, stays;
	int64_t before = rv_mono_us();

	if (geteuid() != 0)
		cr_skip("needs root, for a child that we may not kill");
	rv_test_startl(&stays, "sleep", "600", NULL);
	rv_test_startl(&dead, "true", NULL);
	cr_assert(eq(int, rv_fd_wait(dead.pidfd, POLLIN, 20 * RV_S_US), RV_OK));
	cr_assert(eq(int, setresuid(65534, 65534, 0), 0));
	while (children() > 1) {
		cr_assert(eq(int, rv_sweep_turn(&sweep, TURN_US, &left), RV_OK));
		cr_assert(eq(int, left.killed, 0));
		cr_assert(lt(i64, rv_mono_us() - before, 20 * RV_S_US));
	}
	cr_assert(eq(int, waitpid(dead.pid, NULL, WNOHANG), -1));
	cr_assert(eq(int, setresuid(0, 0, 0), 0));
	cr_assert(rv_test_running(&stays));
	rv_test_end(&stays);
}

Test(sweep, a_stopped_process_is_killed_as_well)
{
	struct rv_sweep sweep = {0};
	struct rv_test_child child;

	rv_test_startl(&child, "sleep", "600", NULL);
	rv_test_signal(&child, SIGSTOP);
	cr_assert(eq(int, sweep_all(&sweep), 1));
}

/* rv_sweep_marked in a process whose children they are not. */
static int sweep_marked(const char *prefix)
{
	const char *const words[] = {probe(), "marked", prefix, NULL};
	char text[32];

	cr_assert(eq(int, rv_test_output(words, text, sizeof text, 20000), 0));
	return atoi(text);
}

/* What a killed predecessor left: the children of others by now, found by their mark. */
Test(sweep, f05_the_leftovers_of_a_predecessor_are_found_by_their_mark)
{
	struct rv_sweep sweep = {0};

	cr_assert(eq(int, rv_subreaper(), RV_OK), "so that somebody reaps them");
	run_escapees("20", setting("REEVE_INSTANCE", "left/7"));
	run_escapees("2", setting("REEVE_INSTANCE", "other/7"));
	cr_assert(eq(int, sweep_marked(mark("left/")), 20));
	for (int tries = 0; sweep_marked(mark("left/")) > 0; tries++)
		cr_assert(lt(int, tries, 1000));
	cr_assert(eq(int, rv_test_count_marked("REEVE_INSTANCE", mark("left/7")), 0));
	cr_assert(eq(int, rv_test_count_marked("REEVE_INSTANCE", mark("other/7")), 2));
	cr_assert(eq(int, sweep_all(&sweep), 2));
}

/* With an environment of its own, the limit that everything inherits still tells. */
Test(sweep, f05_leftovers_that_cleared_their_environment_are_found_by_their_limit)
{
	struct rv_test_child child;
	char line[32];

	rv_test_startl(&child, probe(), "limit-marked", mark("limit/"), NULL);
	cr_assert(rv_test_wait_line(child.out, line, sizeof line, 20000));
	cr_assert(eq(int, sweep_marked(mark("limi")), 0), "as a whole");
	cr_assert(eq(int, sweep_marked(mark("limit/")), 1));
	cr_assert(eq(int, rv_fd_wait(child.pidfd, POLLIN, 20 * RV_S_US), RV_OK));
	cr_assert(eq(int, sweep_marked(mark("limit/")), 0), "a zombie is nobody to wait for");
	rv_test_end(&child);
}

Test(sweep, our_own_children_and_ourselves_are_no_leftovers)
{
	const char *const words[] = {"sleep", "600", NULL};
	const char *const env[] = {setting("REEVE_INSTANCE", "own/1"), NULL};
	struct rv_test_start how = {.argv = words, .env = env};
	struct rv_test_child child;
	int found = 9;

	rv_test_start(&how, &child);
	cr_assert(eq(int, rv_sweep_marked("REEVE_INSTANCE", mark("own/"), &found), RV_OK));
	cr_assert(eq(int, found, 0));
	cr_assert(rv_test_running(&child));
	rv_test_end(&child);
}

/* A mark that only begins alike, or stands inside another variable, is none. */
Test(sweep, marks_are_whole_variables)
{
	const char *const words[] = {"sleep", "600", NULL};
	const char *const env[] = {
		setting("XREEVE_INSTANCE", "whole"), setting("OTHER=REEVE_INSTANCE", "whole"),
		setting("REEVE_INSTANCE_B", "whole"), setting("REEVE_INSTANCE", "whol"), NULL};
	struct rv_test_start how = {.argv = words, .env = env, .bare_env = true};
	struct rv_sweep sweep = {0};
	struct rv_test_child child;

	rv_test_start(&how, &child);
	cr_assert(not(rv_sweep_bears(&sweep, "REEVE_INSTANCE", mark("whole"))));
	cr_assert(rv_sweep_bears(&sweep, "REEVE_INSTANCE", mark("whol")));
	cr_assert(rv_sweep_bears(&sweep, "REEVE_INSTANCE_B", mark("whole")));
	rv_test_end(&child);
}
