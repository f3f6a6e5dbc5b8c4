/*
 * The failure catalogue where it needs the whole: stopped and killed processes, a second daemon, a
 * foreign writer, a store that fails, is replaced, grows, or cannot be read.
 */
#include "process/e2e.h"

#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tier.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "os/self.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

#define QUICK                                                                                      \
	"restart_delay = 10ms\nrestart_delay_max = 50ms\nrestart_burst = 1000/1s\n"                \
	"boot_timeout = 10s\n"

static void go(const char *name)
{
	rv_test_write_file(rv_e2e_path(e, name), "%s", "");
}

static int64_t file_size(const char *name)
{
	struct stat st;

	return stat(rv_e2e_path(e, name), &st) == 0 ? (int64_t)st.st_size : -1;
}

/*
 * F3.  The supervisor stands still as well, else it would kill who does not beat.  The job itself
 * goes on, so this run is stale on purpose and holds no lock.
 */
Test(e2e_fault, f03_the_ack_of_a_worker_stopped_past_its_lease_is_void)
{
	const struct rv_job_view *view;
	int64_t other;
	int64_t job;
	pid_t worker;
	int slot;

	rv_e2e_new(e, "[pool:default]\nworkers = 2\nheartbeat = 50ms\nhang_timeout = 400ms\n"
		      "lease = 500ms\n" QUICK);
	rv_e2e_start(e);
	job = rv_e2e_job(e, "nolock until=go");
	other = rv_e2e_job(e, "until=other");
	rv_e2e_job_says_times(e, "start ", 2);
	slot = rv_e2e_view(e, job)->slot;
	worker = rv_e2e_child(e, slot);
	rv_test_signal(&e->daemon, SIGSTOP);
	cr_assert(rv_e2e_signal_pid(worker, SIGSTOP));
	rv_e2e_until(e, job, RV_JOB_READY);
	go("go");
	rv_e2e_job_says(e, "end %lld ", (long long)job);
	/* The other worker is free now and takes it again. */
	go("other");
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	cr_assert(rv_e2e_signal_pid(worker, SIGCONT));
	cr_assert(rv_test_wait_dead(worker, RV_E2E_WAIT_MS), "it learns, and ends");
	rv_test_signal(&e->daemon, SIGCONT); /* which passes its last words on */
	rv_e2e_logged(e, "this incarnation counts as dead");
	rv_e2e_until(e, other, RV_JOB_SUCCEEDED);
	view = rv_e2e_view(e, job);
	cr_assert(eq(int, view->runs, 2));
	cr_assert(eq(int, view->attempt, 1), "the lost run burned nothing");
	cr_assert(eq(int, view->crashes, 0));
	rv_e2e_end(e);
}

/* F4: own writers are held up for 3 s at most, and only the one that stands still is killed. */
Test(e2e_fault, f04_a_leader_stopped_in_its_transaction_is_killed_and_nobody_else)
{
	int64_t ids[40];
	int64_t before;
	int64_t one;

	rv_e2e_new(e, "[pool:default]\nworkers = 4\n" QUICK);
	rv_e2e_env(e, "RV_FAULT=round_executed:stop:2:worker");
	rv_e2e_env(e, "RV_FAULT_ONCE=%s/once", e->dir);
	rv_e2e_submit(e, "ms=5", 40, ids);
	rv_e2e_launch(e);
	cr_assert(rv_test_wait_file(rv_e2e_path(e, "once"), RV_E2E_WAIT_MS));
	before = rv_mono_us();
	rv_e2e_submit(e, "say=x", 1, &one);
	cr_assert(lt(i64, rv_mono_us() - before, 3 * RV_S_US), "held up for %lld ms",
		  (long long)((rv_mono_us() - before) / RV_MS_US));
	rv_e2e_wait_all(e, 0);
	rv_e2e_all_ran(e, ids, 40);
	rv_e2e_notified(e, "READY=1");
	cr_assert(eq(int, rv_e2e_log_count(e, "\"child.died\""), 1));
	rv_e2e_end(e);
}

/* A foreign `sqlite3` with a transaction of its own; ends it when it is told to. */
static struct rv_test_child foreign_writer(const char *sql)
{
	const char *const words[] = {"sqlite3", "-batch", rv_e2e_path(e, "state/reeve.db"), NULL};
	struct rv_test_start how = {.argv = words, .pipe_in = true, .pipe_out = true};
	struct rv_test_child child;
	char line[64];
	size_t size = strlen(sql);

	rv_test_start(&how, &child);
	cr_assert(eq(i64, write(child.in, sql, size), (int64_t)size));
	cr_assert(rv_test_wait_line(child.out, line, sizeof line, RV_E2E_WAIT_MS));
	return child;
}

static void end_foreign(struct rv_test_child *child)
{
	cr_assert(eq(int, close(child->in), 0));
	child->in = -1;
	cr_assert(eq(int, rv_test_finish(child, RV_E2E_WAIT_MS), 0));
	rv_test_end(child);
}

/* F4: held for longer than hang_timeout and lease, and nobody is killed or loses a job. */
Test(e2e_fault, f04_a_foreign_writer_for_seconds_under_32_busy_workers)
{
	static int64_t ids[200];
	int64_t hold_ms = rv_test_all() ? 15000 : 4000;
	struct rv_test_child writer;
	char pid[24];

	rv_e2e_new(e, "[pool:default]\nworkers = 32\nheartbeat = 200ms\nhang_timeout = 1s\n"
		      "lease = 2s\n" QUICK);
	rv_e2e_start(e);
	rv_e2e_submit(e, "ms=30", 200, ids);
	rv_e2e_job_says_times(e, "end ", 20);
	writer = foreign_writer(".timeout 60000\nBEGIN IMMEDIATE;\nSELECT 'held';\n");
	(void)snprintf(pid, sizeof pid, "%d", (int)writer.pid);
	rv_e2e_logged(e, pid);
	cr_assert(eq(int, rv_e2e_reeve(e, "status", NULL), 10), "%s", rv_buf_text(&e->out));
	rv_assert_has(rv_buf_text(&e->out), pid);
	(void)poll(NULL, 0, (int)hold_ms); /* the event is that nothing happens */
	cr_assert(eq(int, rv_e2e_log_count(e, "\"child.died\""), 0));
	end_foreign(&writer);
	rv_e2e_wait_all(e, 0);
	rv_e2e_all_ran(e, ids, 200);
	cr_assert(eq(int, rv_e2e_log_count(e, "\"child.died\""), 0), "nobody was killed");
	for (int i = 0; i < 200; i++)
		cr_assert(eq(int, rv_e2e_view(e, ids[i])->runs, 1));
	rv_e2e_end(e);
}

/* F5: everything a killed daemon left is gone before its successor gives anything out again. */
Test(e2e_fault, f05_a_killed_supervisors_tree_is_gone_before_any_job_starts_again)
{
	static const char *const kinds[] = {"setsid", "double", "term", "nohup", "bare", "all"};
	int64_t ids[6];

	rv_e2e_new(e, "[pool:default]\nworkers = 6\n" QUICK);
	rv_e2e_start(e);
	for (int i = 0; i < 6; i++) {
		char what[64];

		(void)snprintf(what, sizeof what, "deaf escape=%s until=go", kinds[i]);
		rv_e2e_submit(e, what, 1, &ids[i]);
	}
	rv_e2e_job_says_times(e, "start ", 6);
	rv_e2e_kill(e);
	rv_e2e_start(e);
	rv_e2e_job_says_times(e, "start ", 12);
	go("go");
	rv_e2e_wait_all(e, 0);
	rv_e2e_all_ran(e, ids, 6);
	for (int i = 0; i < 6; i++) {
		cr_assert(eq(int, rv_e2e_view(e, ids[i])->runs, 2));
		cr_assert(eq(int, rv_e2e_view(e, ids[i])->crashes, 0),
			  "a lost daemon counts nothing");
	}
	rv_e2e_end(e);
}

/* F8: what kills its worker is started max_crashes + 1 times, then dead with the reason. */
Test(e2e_fault, f08_a_job_that_kills_its_worker_is_dead_after_max_crashes)
{
	int count = rv_test_all() ? 200 : 4;

	rv_e2e_new(e, "[pool:default]\nworkers = 2\n" QUICK
		      "[task:poison]\ncommand = /bin/sh -c 'echo start >>\"$1\"; kill -9 $PPID; "
		      "sleep 60' sh ${arg.log}\nmax_crashes = 2\n");
	rv_e2e_start(e);
	for (int i = 0; i < count; i++) {
		char set[320];
		int64_t job;

		(void)snprintf(set, sizeof set, "log=%s/poison.%d", e->dir, i);
		job = rv_e2e_add(e, "poison", set, NULL);
		rv_e2e_until(e, job, RV_JOB_DEAD);
		rv_assert_has(rv_e2e_view(e, job)->error, "crashed its worker 3 times");
		cr_assert(eq(int, rv_e2e_view(e, job)->runs, 3));
		cr_assert(eq(int, rv_e2e_view(e, job)->attempt, 0), "no attempt was burned");
		(void)snprintf(set, sizeof set, "poison.%d", i);
		cr_assert(eq(i64, file_size(set), 3 * (int64_t)strlen("start\n")));
	}
	rv_e2e_end(e);
}

/* ---- F9 */

static struct rv_test_child other_daemon(void)
{
	static char reeved[4096];
	const char *const words[] = {reeved, "-c", rv_e2e_path(e, "reeve.ini"), NULL};
	struct rv_test_start how = {.argv = words, .pipe_err = true};
	struct rv_test_child child;
	struct rv_why why = {{0}};

	cr_assert(eq(int, rv_self_sibling("reeved", reeved, sizeof reeved, &why), RV_OK), "%s",
		  why.text);
	rv_test_start(&how, &child);
	return child;
}

Test(e2e_fault, f09_a_second_daemon_ends_with_75_and_changes_nothing)
{
	struct rv_test_child second;
	char pid[32];
	char line[1024];
	int64_t job;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n" QUICK);
	rv_e2e_start(e);
	job = rv_e2e_job(e, "until=go");
	rv_e2e_job_says(e, "start ");
	second = other_daemon();
	(void)snprintf(pid, sizeof pid, "pid %d", (int)e->daemon.pid);
	cr_assert(rv_test_wait_line(second.err, line, sizeof line, RV_E2E_WAIT_MS));
	rv_assert_has(line, pid);
	cr_assert(eq(int, rv_test_finish(&second, RV_E2E_WAIT_MS), 75));
	rv_test_end(&second);
	go("go");
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_view(e, job)->runs, 1));
	rv_e2e_end(e);
}

#define STARTERS 50

Test(e2e_fault, f09_of_fifty_daemons_one_wins_and_its_death_lets_one_in)
{
	int rounds = rv_test_all() ? 20 : 1;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n" QUICK);
	for (int round = 0; round < rounds; round++) {
		struct rv_test_child starters[STARTERS];
		struct pollfd fds[STARTERS];
		int winner = -1;
		int lost = 0;

		for (int i = 0; i < STARTERS; i++) {
			starters[i] = other_daemon();
			fds[i] = (struct pollfd){.fd = starters[i].pidfd, .events = POLLIN};
		}
		while (lost < STARTERS - 1) {
			cr_assert(lt(int, 0, poll(fds, STARTERS, RV_E2E_WAIT_MS)));
			for (int i = 0; i < STARTERS; i++) {
				if (fds[i].fd < 0 || fds[i].revents == 0)
					continue;
				fds[i].fd = -1;
				cr_assert(eq(int, rv_test_finish(&starters[i], 1000), 75));
				lost++;
			}
		}
		for (int i = 0; i < STARTERS; i++)
			winner = fds[i].fd >= 0 ? i : winner;
		cr_assert(rv_test_running(&starters[winner]));
		for (int i = 0; i < STARTERS; i++)
			rv_test_end(&starters[i]); /* the winner by SIGKILL */
		rv_e2e_start(e);
		rv_e2e_stop(e);
	}
	rv_e2e_fini(e);
}

/* ---- F16 */

static void limit_files(pid_t pid, rlim_t soft)
{
	struct rlimit limit;

	cr_assert(eq(int, prlimit(pid, RLIMIT_NOFILE, NULL, &limit), 0));
	limit.rlim_cur = soft > 0 ? soft : limit.rlim_max;
	cr_assert(eq(int, prlimit(pid, RLIMIT_NOFILE, &limit, NULL), 0));
}

Test(e2e_fault, f16_a_worker_without_descriptors_burns_no_attempt)
{
	const struct rv_job_view *view;
	int64_t job;
	pid_t worker;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n" QUICK);
	rv_e2e_start(e);
	worker = rv_e2e_await_child(e, 1);
	limit_files(worker, 4);
	job = rv_e2e_job(e, "say=x");
	rv_e2e_until(e, job, RV_JOB_SCHEDULED);
	limit_files(worker, 0);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	view = rv_e2e_view(e, job);
	cr_assert(eq(int, view->attempt, 1));
	cr_assert(le(int, 2, view->runs));
	cr_assert(eq(int, rv_e2e_log_count(e, "\"child.died\""), 0), "the worker lives");
	rv_e2e_end(e);
}

Test(e2e_fault, f16_a_supervisor_without_descriptors_lives_and_recovers)
{
	int64_t job;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n" QUICK);
	rv_e2e_start(e);
	limit_files(e->daemon.pid, 4);
	cr_assert(rv_e2e_signal(e, 1, SIGKILL));
	rv_e2e_logged(e, "no-process");
	limit_files(e->daemon.pid, 0);
	job = rv_e2e_job(e, "say=x");
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_e2e_end(e);
}

/* ---- F18 */

Test(e2e_fault, f18_a_failed_commit_fails_the_area_and_nothing_is_lost)
{
	int64_t ids[30];

	rv_e2e_new(e, "[pool:default]\nworkers = 3\n" QUICK);
	rv_e2e_env(e, "RV_FAULT=store_commit:eio:2:worker");
	rv_e2e_env(e, "RV_FAULT_ONCE=%s/once", e->dir);
	rv_e2e_submit(e, "ms=20 say=x", 30, ids);
	rv_e2e_start(e);
	rv_e2e_logged(e, "\"area.failed\"");
	rv_e2e_wait_all(e, 0);
	rv_e2e_all_ran(e, ids, 30);
	for (int i = 0; i < 30; i++)
		cr_assert(eq(int, rv_e2e_view(e, ids[i])->crashes, 0), "nobody is charged");
	cr_assert(eq(int, rv_e2e_reeve(e, "status", NULL), 0), "%s", rv_buf_text(&e->out));
	rv_e2e_end(e);
}

/* ---- F21 */

Test(e2e_fault, f21_a_reader_that_stays_does_not_stop_the_work)
{
	struct rv_test_child reader;
	int64_t log;

	rv_e2e_new(e, "[pool:default]\nworkers = 4\n" QUICK);
	rv_e2e_start(e);
	rv_e2e_submit_noops(e, 100);
	rv_e2e_wait_all(e, 0);
	reader = foreign_writer("BEGIN;\nSELECT count(*) FROM job;\n");
	for (int i = 0; i < (rv_test_all() ? 200 : 10); i++) {
		rv_e2e_submit_noops(e, 500);
		rv_e2e_wait_all(e, 0);
	}
	log = file_size("state/reeve.db-wal");
	cr_assert(lt(i64, log, 256 << 20));
	end_foreign(&reader);
	rv_e2e_submit_noops(e, 500);
	rv_e2e_wait_all(e, 0);
	cr_assert(eq(int, rv_e2e_reeve(e, "db", "checkpoint", NULL), 0), "nobody is in the way");
	rv_e2e_end(e);
}

/* ---- F22, F23, F24: the daemon's start over a store that it cannot use */

static void refused(int code, const char *words)
{
	char *before = rv_test_read_file(rv_e2e_path(e, "state/reeve.db"));
	int64_t size = file_size("state/reeve.db");
	char *after;

	rv_e2e_launch(e);
	cr_assert(eq(int, rv_e2e_exit(e), code));
	cr_assert(lt(int, 0, rv_e2e_log_count(e, words)), "the log says: %s", words);
	after = rv_test_read_file(rv_e2e_path(e, "state/reeve.db"));
	cr_assert(eq(i64, file_size("state/reeve.db"), size));
	cr_assert(eq(int, memcmp(before, after, (size_t)size), 0), "nothing was changed");
	free(before);
	free(after);
}

static void make_store(void)
{
	rv_e2e_new(e, "[pool:default]\nworkers = 1\n" QUICK);
	rv_e2e_start(e);
	(void)rv_e2e_job(e, "say=x");
	rv_e2e_wait_all(e, 0);
	rv_e2e_stop(e);
	/* So that all of it is in the file, whose beginning is going to be damaged. */
	cr_assert(eq(int, rv_e2e_reeve(e, "db", "checkpoint", NULL), 0));
}

static void overwrite(const char *name, int64_t at, const char *bytes, size_t size)
{
	int fd = open(rv_e2e_path(e, name), O_WRONLY | O_CLOEXEC);

	cr_assert(eq(i64, pwrite(fd, bytes, size, at), (int64_t)size));
	cr_assert(eq(int, close(fd), 0));
}

static void forget(void)
{
	rv_store_close(e->store);
	e->store = NULL;
	cr_assert(rv_e2e_gone(e, 1000));
	rv_e2e_kill(e);
	rv_test_tmpdir_end();
}

Test(e2e_fault, f22_a_damaged_store_is_refused_and_kept_as_it_is)
{
	make_store();
	overwrite("state/reeve.db", 0, "this is no database any more", 28);
	refused(78, "not a SQLite database");
	forget();
}

Test(e2e_fault, f23_a_newer_store_is_refused_and_kept_as_it_is)
{
	make_store();
	overwrite("state/reeve.db", 60, "\0\0\x12\x34", 4); /* user_version */
	refused(78, "newer reeve");
	forget();
}

Test(e2e_fault, f23_a_store_of_another_build_is_refused_and_kept_as_it_is)
{
	struct rv_test_child sql;

	make_store();
	sql = foreign_writer("UPDATE tally SET tables = 1 WHERE id = 0;\nSELECT 1;\n");
	end_foreign(&sql);
	refused(78, "was made by another build of reeve");
	cr_assert(eq(int, rv_e2e_reeve(e, "jobs", NULL), 78));
	rv_assert_has(rv_buf_text(&e->err), "was made by another build of reeve");
	cr_assert(eq(int, rv_e2e_reeve(e, "doctor", NULL), 10));
	rv_assert_has(rv_buf_text(&e->out), "was made by another build of reeve");
	forget();
}

Test(e2e_fault, f24_a_place_that_cannot_be_written_is_named)
{
	rv_e2e_new(e, "[pool:default]\nworkers = 1\n");
	rv_test_write_file(rv_e2e_path(e, "reeve.ini"), "[reeve]\nstate_dir = /proc/reeve-test\n");
	rv_e2e_launch(e);
	cr_assert(ne(int, rv_e2e_exit(e), 0));
	cr_assert(lt(int, 0, rv_e2e_log_count(e, "/proc/reeve-test")));
	forget();
}

/* Another file under the name of the store, while the daemon runs: nobody writes to it. */
Test(e2e_fault, f22_a_store_that_is_taken_away_is_not_made_anew)
{
	int64_t job;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\nheartbeat = 100ms\n" QUICK);
	rv_e2e_start(e);
	job = rv_e2e_job(e, "until=go");
	rv_e2e_job_says(e, "start ");
	cr_assert(
		eq(int, rename(rv_e2e_path(e, "state/reeve.db"), rv_e2e_path(e, "state/away")), 0));
	rv_e2e_logged(e, "replaced under us");
	rv_e2e_logged(e, "there is no store");
	cr_assert(eq(i64, file_size("state/reeve.db"), -1), "no new one was made");
	cr_assert(
		eq(int, rename(rv_e2e_path(e, "state/away"), rv_e2e_path(e, "state/reeve.db")), 0));
	go("go");
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_e2e_end(e);
}
