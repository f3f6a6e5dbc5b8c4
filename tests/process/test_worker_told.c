/*
 * The real worker and what it is told: to stop, to be quiet, to cancel, to wake; by messages, by
 * signals, by the death of its supervisor, by the loss of its lease or its store.
 */
#include "process/worker_room.h"

#include "os/fd.h"
#include "os/sock.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static const char ini[] =
	"[defaults]\nmax_attempts = 1\nkill_after = 300ms\n"
	"[pool:default]\nworkers = 1\nheartbeat = 50ms\nhang_timeout = 20s\nlease = 30s\n"
	"[task:gentle]\ncommand = /bin/sh -c 'trap \"echo bye; exit 0\" TERM; echo up; "
	"while :; do sleep 0.05; done'\n"
	"[task:noop]\nhandler = builtin\nbuiltin = noop\n"
	"[task:nap]\nhandler = builtin\nbuiltin = sleep\n";

static void open_room(void)
{
	rv_fakesup_open(&sup, ini);
	rv_fakesup_store(&sup);
	rv_fakesup_start(&sup, 1, &subject);
}

TestSuite(worker_told, .init = open_room, .fini = close_room);

Test(worker_told, a_running_job_is_cancelled_when_it_is_told)
{
	int64_t job = run_shell("echo up; exec sleep 600");
	int64_t fence;

	until_printed(job, "up");
	fence = rv_fakesup_job(&sup, job)->fence;
	/* Others are not meant. */
	rv_fakesup_tell(&subject, RV_SUP_CANCEL, (uint64_t)job, (uint64_t)fence + 1, 0);
	rv_fakesup_tell(&subject, RV_SUP_CANCEL, (uint64_t)job + 1, (uint64_t)fence, 0);
	rv_fakesup_tell(&subject, RV_SUP_WAKE, 7, 0, 0);
	struct rv_sup_msg msg;

	cr_assert(rv_fakesup_hear(&subject, RV_SUP_STATUS, 20000, &msg));
	cr_expect(msg.a == 7);
	cr_expect(rv_fakesup_job(&sup, job)->state == RV_JOB_RUNNING);
	cancel(job, true);
	UNTIL(job, CANCELLED);
	cr_expect(eq(int, rv_fakesup_attempt(&sup, job)->signo, SIGTERM));
}

Test(worker_told, a_cancelled_job_is_found_at_the_next_beat)
{
	int64_t job = run_shell("echo up; exec sleep 600");

	until_printed(job, "up");
	cancel(job, false);
	UNTIL(job, CANCELLED);
}

Test(worker_told, a_stop_lets_the_job_finish)
{
	int64_t job = run_shell("echo up; sleep 0.3; echo done");
	int64_t next = run_shell("echo never");

	until_printed(job, "up");
	cr_expect(eq(int, rv_fakesup_stop(&subject), 0));
	cr_expect(rv_fakesup_job(&sup, job)->state == RV_JOB_SUCCEEDED);
	cr_expect(rv_fakesup_job(&sup, next)->state == RV_JOB_READY);
	cr_expect(eq(int, rv_fakesup_job(&sup, next)->runs, 0));
	rv_fakesup_start(&sup, 1, &subject);
	UNTIL(next, SUCCEEDED);
}

Test(worker_told, a_stop_now_interrupts_the_job_without_burning_an_attempt)
{
	int64_t job = rv_fakesup_run(&sup, &subject, "gentle", NULL);

	until_printed(job, "up");
	rv_fakesup_tell(&subject, RV_SUP_STOP, 1, 0, 0);
	cr_expect(eq(int, rv_fakesup_wait(&subject, 20000), 0));
	cr_expect(rv_fakesup_job(&sup, job)->state == RV_JOB_READY);
	cr_expect(eq(int, rv_fakesup_job(&sup, job)->attempt, 0));
	cr_expect(eq(int, rv_fakesup_job(&sup, job)->runs, 1));
	HAS(output_of(job, 0), "bye");
	cancel(job, false);
	rv_fakesup_start(&sup, 1, &subject);
}

Test(worker_told, a_second_stop_now_kills)
{
	int64_t before = rv_mono_us();
	int64_t job = run_shell("trap '' TERM; echo up; while :; do sleep 1; done");

	until_printed(job, "up");
	rv_fakesup_tell(&subject, RV_SUP_STOP, 1, 0, 0);
	rv_fakesup_tell(&subject, RV_SUP_STOP, 1, 0, 0);
	cr_expect(eq(int, rv_fakesup_wait(&subject, 20000), 0));
	cr_expect(lt(i64, rv_mono_us() - before, 10 * RV_S_US));
	cr_expect(rv_fakesup_job(&sup, job)->state == RV_JOB_READY);
	cancel(job, false);
	rv_fakesup_start(&sup, 1, &subject);
}

Test(worker_told, quiet_claims_nothing_until_it_is_resumed)
{
	struct rv_sup_msg msg;
	int64_t job;

	rv_fakesup_tell(&subject, RV_SUP_QUIET, 0, 0, 0);
	rv_fakesup_tell(&subject, RV_SUP_WAKE, 1, 0, 0);
	cr_assert(rv_fakesup_hear(&subject, RV_SUP_STATUS, 20000, &msg));
	job = run_shell("exit 0");
	rv_fakesup_tell(&subject, RV_SUP_WAKE, 2, 0, 0);
	cr_assert(rv_fakesup_hear(&subject, RV_SUP_STATUS, 20000, &msg));
	cr_expect(rv_fakesup_job(&sup, job)->state == RV_JOB_READY);
	rv_fakesup_tell(&subject, RV_SUP_RESUME, 0, 0, 0);
	UNTIL(job, SUCCEEDED);
}

Test(worker_told, f03_the_ack_of_one_that_was_stopped_past_its_lease_is_refused)
{
	int64_t job = run_shell("echo up; exec sleep 0.5");
	struct rv_fakesup_child other;

	until_printed(job, "up");
	cr_assert(rv_proc_signal(&subject.proc, SIGSTOP, false) == RV_OK);
	expire(&subject, RV_DIED_LOST);
	rv_fakesup_start(&sup, 2, &other);
	UNTIL(job, SUCCEEDED);
	cr_expect(eq(int, rv_fakesup_job(&sup, job)->runs, 2));
	cr_expect(eq(int, rv_fakesup_stop(&other), 0));
	cr_assert(rv_proc_signal(&subject.proc, SIGCONT, false) == RV_OK);
	cr_expect(eq(int, rv_fakesup_wait(&subject, 20000), 75));
	cr_expect(eq(int, rv_fakesup_job(&sup, job)->runs, 2));
	cr_expect(eq(i64, rv_fakesup_attempt(&sup, job)->run, 2));
	rv_fakesup_start(&sup, 1, &subject);
}

Test(worker_fenced, f03_one_that_could_not_beat_for_a_lease_stops_its_job)
{
	struct rv_sup_msg msg;
	int64_t job;

	rv_fakesup_open(&sup, "[pool:default]\nworkers = 1\nheartbeat = 50ms\n"
			      "hang_timeout = 1s\nlease = 2s\n");
	rv_fakesup_store(&sup);
	rv_fakesup_start(&sup, 1, &subject);
	job = run_shell("echo up; exec sleep 600");
	until_printed(job, "up");
	/* Longer than its heartbeat, shorter than its lease: nothing happens. */
	cr_assert(rv_proc_signal(&subject.proc, SIGSTOP, false) == RV_OK);
	(void)rv_fakesup_hear(&subject, RV_SUP_NONE, 200, &msg);
	cr_assert(rv_proc_signal(&subject.proc, SIGCONT, false) == RV_OK);
	rv_fakesup_tell(&subject, RV_SUP_WAKE, 1, 0, 0);
	cr_assert(rv_fakesup_hear(&subject, RV_SUP_STATUS, 20000, &msg));
	cr_expect(rv_fakesup_job(&sup, job)->state == RV_JOB_RUNNING);
	cr_assert(rv_proc_signal(&subject.proc, SIGSTOP, false) == RV_OK);
	(void)rv_fakesup_hear(&subject, RV_SUP_NONE, 2600, &msg);
	/* Quiet, or it would start the job again at once. */
	rv_fakesup_tell(&subject, RV_SUP_QUIET, 0, 0, 0);
	cr_assert(rv_proc_signal(&subject.proc, SIGCONT, false) == RV_OK);
	UNTIL(job, READY);
	HAS(rv_fakesup_attempt(&sup, job)->error, "out of time");
	cr_expect(eq(int, rv_fakesup_job(&sup, job)->attempt, 0));
	cancel(job, false);
	close_room();
}

Test(worker_told, a_worker_whose_supervisor_is_gone_kills_its_job_and_ends)
{
	int64_t job = run_shell("trap '' TERM; (setsid sleep 600 &); echo up; while :; do sleep 1; "
				"done");
	int64_t before;

	until_printed(job, "up");
	before = rv_mono_us();
	(void)close(subject.chan);
	subject.chan = -1;
	cr_expect(le(int, 0, rv_fakesup_wait(&subject, 20000)));
	cr_expect(lt(i64, rv_mono_us() - before, 2 * RV_S_US));
	cr_expect(eq(int, left_behind(), 0));
	expire(&subject, RV_DIED_LOST);
	cr_expect(rv_fakesup_job(&sup, job)->state == RV_JOB_READY);
	cancel(job, false);
	rv_fakesup_start(&sup, 1, &subject);
}

Test(worker_told, the_jobs_first_process_dies_with_its_worker)
{
	int64_t job = run_shell("echo $$; exec sleep 600");
	int pid;

	until_printed(job, "\n");
	pid = atoi(output_of(job, 0));
	cr_assert(lt(int, 1, pid));
	rv_fakesup_kill(&subject);
	cr_expect(rv_test_wait_dead(pid, 5000));
	expire(&subject, RV_DIED_CRASH);
	cr_expect(eq(int, rv_fakesup_job(&sup, job)->crashes, 1));
	cancel(job, false);
	rv_fakesup_start(&sup, 1, &subject);
}

Test(worker_told, a_signal_of_a_person_drains)
{
	int64_t job = run_shell("echo up; sleep 0.2");

	until_printed(job, "up");
	cr_assert(rv_proc_signal(&subject.proc, SIGINT, false) == RV_OK); /* not for us */
	cr_assert(rv_proc_signal(&subject.proc, SIGTERM, false) == RV_OK);
	cr_expect(eq(int, rv_fakesup_wait(&subject, 20000), 0));
	cr_expect(rv_fakesup_job(&sup, job)->state == RV_JOB_SUCCEEDED);
	rv_fakesup_start(&sup, 1, &subject);
}

/* Voluntary context switches: a process that makes no system call has no new ones. */
static long switches(pid_t pid)
{
	char *status = rv_test_read_file(rv_test_path("/proc/%d/status", (int)pid));
	char *at = status ? strstr(status, "\nvoluntary_ctxt_switches:") : NULL;
	long count = at ? atol(at + strlen("\nvoluntary_ctxt_switches:")) : -1;

	free(status);
	return count;
}

static bool is_idle(void *ctx)
{
	const struct rv_fakesup_child *child = ctx;

	return atomic_load(&sup.area.hints[child->slot].idle) == 1;
}

Test(worker_told, an_idle_worker_does_nothing_at_all)
{
	struct rv_sup_msg msg;
	long before;

	cr_assert(rv_test_wait_until(is_idle, &subject, 20000));
	/* Nothing is to be heard for a second, twenty of its heartbeats. */
	cr_expect(not(rv_fakesup_hear(&subject, RV_SUP_STATUS, 100, &msg)));
	before = switches(subject.proc.pid);
	cr_expect(not(rv_fakesup_hear(&subject, RV_SUP_STATUS, 1000, &msg)));
	cr_expect(le(long, 0, before));
	cr_expect(eq(long, switches(subject.proc.pid), before));
}

Test(worker_told, one_that_leaves_work_behind_rings_for_the_next)
{
	struct rv_fakesup_child other;
	uint64_t token = 0;
	int64_t first, second;

	rv_fakesup_start(&sup, 2, &other);
	cr_assert(rv_test_wait_until(is_idle, &subject, 20000));
	cr_assert(rv_test_wait_until(is_idle, &other, 20000));
	while (rv_sock_rung(sup.bell_fd, &token) == RV_OK)
		continue;
	first = rv_fakesup_run(&sup, NULL, "nap", "{\"args\":{\"duration\":\"500ms\"}}");
	second = rv_fakesup_run(&sup, NULL, "noop", NULL);
	rv_fakesup_tell(&subject, RV_SUP_WAKE, 0, 0, 0);
	cr_assert(rv_fd_wait(sup.bell_fd, POLLIN, 10 * RV_S_US) == RV_OK);
	cr_assert(rv_sock_rung(sup.bell_fd, &token) == RV_OK);
	cr_expect(token == rv_ring_token("default"));
	rv_fakesup_tell(&other, RV_SUP_WAKE, 0, 0, 0);
	UNTIL(second, SUCCEEDED);
	UNTIL(first, SUCCEEDED);
	cr_expect(eq(int, rv_fakesup_stop(&other), 0));
}

Test(worker_told, a_store_that_was_replaced_ends_the_worker)
{
	int64_t job = run_shell("echo up; exec sleep 600");

	until_printed(job, "up");
	cr_assert(rename(sup.path, rv_test_path("%s.away", sup.path)) == 0);
	rv_test_write_file(sup.path, "another file");
	cr_expect(eq(int, rv_fakesup_wait(&subject, 20000), 74));
	cr_expect(eq(int, left_behind(), 0));
	cr_assert(rename(rv_test_path("%s.away", sup.path), sup.path) == 0);
	expire(&subject, RV_DIED_LOST);
	cancel(job, false);
	rv_fakesup_start(&sup, 1, &subject);
}

Test(worker_told, what_is_no_message_ends_it)
{
	cr_assert(write(subject.chan, "garbage", 7) == 7);
	cr_expect(le(int, 0, rv_fakesup_wait(&subject, 20000)));
	expire(&subject, RV_DIED_LOST);
	rv_fakesup_start(&sup, 1, &subject);
	cr_expect(eq(int, rv_fakesup_stop(&subject), 0));
	rv_fakesup_start(&sup, 1, &subject);
}
