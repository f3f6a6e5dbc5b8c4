/*
 * A worker that is told to stop when its handler has died, and what that left behind does not go: a
 * job that no handler has had is given back and charged nothing.
 */
#include "process/pipe_scene.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static bool was_told_twice(void *ctx)
{
	(void)ctx;
	return rv_e2e_log_count(e, "signal QUIT") == 2;
}

/*
 * The worker is told to stop, ${times}, while its handler is dead and not gone: what that has left
 * behind cannot be reaped by it as long as we trace it.  The job is the next worker's.
 */
static void stopped_meanwhile(int times)
{
	int64_t job;
	pid_t child, worker;
	int status;

	begin_warm("health=wait hold",
		   "health_check = 50ms\nhealth_timeout = 1m\nmax_attempts = 1\n");
	child = pid_of("child");
	cr_assert(eq(int, (int)ptrace(PTRACE_SEIZE, child, NULL, NULL), 0));
	worker = rv_e2e_child(e, 1);
	(void)pid_of("asked");
	job = add("");
	rv_e2e_until(e, job, RV_JOB_RUNNING);
	cr_assert(rv_e2e_signal_pid(pid_of("asked"), SIGKILL));
	rv_e2e_logged(e, "has ended after 0 jobs");
	cr_assert(rv_e2e_signal_pid(worker, SIGQUIT));
	rv_e2e_logged(e, "signal QUIT");
	if (times > 1) {
		cr_assert(rv_e2e_signal_pid(worker, SIGQUIT));
		cr_assert(rv_test_wait_until(was_told_twice, NULL, RV_E2E_WAIT_MS));
	}
	cr_assert(eq(int, waitpid(child, &status, __WALL), child));
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_view(e, job)->crashes, 0));
	cr_assert(eq(int, rv_e2e_view(e, job)->attempt, 1));
	cr_assert(eq(int, rv_e2e_view(e, job)->runs, 2));
	cr_assert(eq(int, rv_e2e_job_count(e, "start "), 1));
	rv_e2e_end(e);
}

Test(e2e_pipe_stop, a_stop_between_a_death_and_its_sweep)
{
	stopped_meanwhile(1);
}

Test(e2e_pipe_stop, two_stops_between_a_death_and_its_sweep)
{
	stopped_meanwhile(2);
}

/*
 * The job was sent to a handler that dies without having read it: nobody has had it.  Told to stop
 * now the worker gives it back at once, also while what the handler left behind does not go.
 */
static void stopped_unread(int times)
{
	int64_t job;
	pid_t child, first, worker;
	int status;

	begin_warm("hold", "max_attempts = 1\n");
	child = pid_of("child");
	first = pid_of("hello");
	cr_assert(eq(int, (int)ptrace(PTRACE_SEIZE, child, NULL, NULL), 0));
	worker = rv_e2e_child(e, 1);
	cr_assert(rv_e2e_signal_pid(first, SIGSTOP));
	cr_assert(rv_test_wait_until(has_stopped, &first, RV_E2E_WAIT_MS));
	job = add("");
	rv_e2e_until(e, job, RV_JOB_RUNNING);
	cr_assert(rv_e2e_signal_pid(first, SIGKILL));
	rv_e2e_logged(e, "has ended after 1 jobs");
	cr_assert(rv_e2e_signal_pid(worker, SIGQUIT));
	rv_e2e_logged(e, "signal QUIT");
	if (times > 1) {
		cr_assert(eq(int, (int)rv_e2e_view(e, job)->state, RV_JOB_RUNNING));
		cr_assert(rv_e2e_signal_pid(worker, SIGQUIT));
		rv_e2e_until(e, job, RV_JOB_READY);
	}
	cr_assert(eq(int, waitpid(child, &status, __WALL), child));
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_view(e, job)->crashes, 0));
	cr_assert(eq(int, rv_e2e_view(e, job)->attempt, 1));
	cr_assert(eq(int, rv_e2e_view(e, job)->runs, 2));
	cr_assert(eq(int, rv_e2e_job_count(e, "start "), 1));
	rv_e2e_end(e);
}

Test(e2e_pipe_stop, a_stop_when_one_has_died_that_had_not_read_its_job)
{
	stopped_unread(1);
}

Test(e2e_pipe_stop, two_stops_when_one_has_died_that_had_not_read_its_job)
{
	stopped_unread(2);
}

/* It had read it: the stops come too late to make that an interruption. */
Test(e2e_pipe_stop, two_stops_when_one_has_died_of_its_job)
{
	int64_t job;
	pid_t child, worker;
	int status;

	begin_warm("hold", "");
	child = pid_of("child");
	cr_assert(eq(int, (int)ptrace(PTRACE_SEIZE, child, NULL, NULL), 0));
	worker = rv_e2e_child(e, 1);
	job = add("hang");
	cr_assert(rv_e2e_signal_pid(pid_of("hangs"), SIGKILL));
	rv_e2e_logged(e, "has ended after 1 jobs");
	cr_assert(rv_e2e_signal_pid(worker, SIGQUIT));
	rv_e2e_logged(e, "signal QUIT");
	cr_assert(rv_e2e_signal_pid(worker, SIGQUIT));
	cr_assert(rv_test_wait_until(was_told_twice, NULL, RV_E2E_WAIT_MS));
	cr_assert(eq(int, (int)rv_e2e_view(e, job)->state, RV_JOB_RUNNING));
	cr_assert(eq(int, waitpid(child, &status, __WALL), child));
	rv_e2e_until(e, job, RV_JOB_DEAD);
	cr_assert(eq(int, rv_e2e_view(e, job)->crashes, 1));
	cr_assert(eq(int, rv_e2e_view(e, job)->attempt, 0));
	rv_assert_has(rv_e2e_view(e, job)->error, "its handler was killed by signal 9");
	rv_e2e_end(e);
}
