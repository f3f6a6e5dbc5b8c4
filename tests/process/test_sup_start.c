/* The start of reeved: its order, its one lock, what children are given, how it says that it is up.
 */
#include "fakedaemon.h"

#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "os/fd.h"
#include "os/lock.h"
#include "os/self.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

Test(sup_start, the_keeper_first_then_the_workers)
{
	struct rv_fake fake;
	char *log;

	rv_fake_new(&fake, 3);
	rv_fake_up(&fake, 3);
	log = rv_test_read_file(rv_test_path("%s/fake/log", fake.dir));
	cr_assert(lt(ptr, strstr(log, "keeper 0"), strstr(log, "worker 1")));
	cr_assert(lt(ptr, strstr(log, " ready"), strstr(log, "worker 1")),
		  "the keeper was ready before");
	free(log);
	/* The list of the living of a first start is the keeper itself. */
	rv_fake_await(&fake, "LIVING");
	rv_fake_await(&fake, " 1 of 1 c=0: 1");
	rv_fake_down(&fake);
}

Test(sup_start, workers_wait_for_the_keepers_ready)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 2);
	rv_fake_orders(&fake, "keeper", "noready\n");
	rv_fake_start(&fake);
	rv_fake_await(&fake, "keeper 0");
	rv_fake_await_status(&fake, "daemon.state", "starting");
	cr_assert(eq(int, rv_fake_count(&fake, "worker"), 0));
	rv_fake_order(&fake, 0, "ready\n");
	rv_fake_await_count(&fake, " ready\n", 3);
	rv_fake_down(&fake);
}

Test(sup_start, notifies_its_manager)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 2);
	rv_fake_notify(&fake);
	rv_fake_env(&fake, "WATCHDOG_USEC=1000000");
	rv_fake_start(&fake);
	rv_fake_await_notify(&fake, "WATCHDOG=1"); /* with READY=1, at once */
	rv_fake_await_notify(&fake, "STATUS=ready: 2/2 workers");
	rv_fake_await_notify(&fake, "WATCHDOG=1");
	rv_fake_await_notify(&fake, "WATCHDOG=1");
	rv_test_signal(&fake.child, SIGHUP);
	rv_fake_await_notify(&fake, "RELOADING=1");
	rv_fake_await_notify(&fake, "READY=1");
	rv_test_signal(&fake.child, SIGTERM);
	rv_fake_await_notify(&fake, "STOPPING=1");
	cr_assert(eq(int, rv_test_finish(&fake.child, RV_FAKE_WAIT_MS), 0));
	rv_fake_clean(&fake);
}

Test(sup_start, ready_and_the_first_watchdog_are_one_message)
{
	struct rv_fake fake;
	char message[1024] = "";
	ssize_t n = 0;

	rv_fake_new(&fake, 1);
	rv_fake_notify(&fake);
	rv_fake_start(&fake);
	while (!strstr(message, "READY=1")) {
		cr_assert(eq(int, rv_fd_wait(fake.notify, POLLIN, 10 * RV_S_US), RV_OK));
		n = read(fake.notify, message, sizeof message - 1);
		message[n > 0 ? n : 0] = '\0';
	}
	rv_assert_has(message, "WATCHDOG=1");
	rv_fake_down(&fake);
}

Test(sup_start, f09_the_second_daemon_ends_with_75_and_the_pid_of_the_first)
{
	struct rv_fake fake;
	struct rv_test_child first;
	char wanted[64];

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	first = fake.child;
	rv_fake_start(&fake);
	cr_assert(eq(int, rv_test_finish(&fake.child, RV_FAKE_WAIT_MS), 75));
	(void)snprintf(wanted, sizeof wanted, "another reeved (pid %d)", (int)first.pid);
	rv_fake_await_err(&fake, "%s", wanted);
	fake.child = first;
	/* Nothing of the first was disturbed. */
	rv_fake_await_status(&fake, "daemon.state", "ready");
	rv_fake_down(&fake);
}

Test(sup_start, f09_of_many_starters_one_wins)
{
	enum { STARTERS = 20 };
	struct rv_test_child children[STARTERS];
	struct rv_fake fake;
	int won = -1;

	rv_fake_new(&fake, 1);
	for (int i = 0; i < STARTERS; i++) {
		rv_fake_start(&fake);
		children[i] = fake.child;
	}
	rv_fake_await_count(&fake, " ready\n", 2);
	/* All but one end, whichever it is, and however long a busy machine takes. */
	for (int left = STARTERS; left > 1;) {
		struct pollfd fds[STARTERS];
		struct rv_exit how;

		for (int i = 0; i < STARTERS; i++)
			fds[i] = (struct pollfd){.fd = children[i].pidfd, .events = POLLIN};
		cr_assert(lt(int, 0, poll(fds, STARTERS, RV_FAKE_WAIT_MS)), "%d of them run", left);
		for (int i = 0; i < STARTERS; i++) {
			if (fds[i].revents == 0 || !rv_test_wait(&children[i], 0, &how))
				continue;
			cr_assert(eq(int, how.code, 75));
			left--;
		}
	}
	for (int i = 0; i < STARTERS; i++)
		won = children[i].pidfd >= 0 ? i : won;
	cr_assert(ne(int, won, -1));
	fake.child = children[won];
	rv_fake_down(&fake);
	cr_assert(eq(int, rv_fake_count(&fake, " start"), 2), "one keeper, one worker");
}

Test(sup_start, f09_another_stores_daemon_in_the_same_runtime_dir_is_not_robbed)
{
	struct rv_fake fake;
	struct rv_fake other;
	char pair[700];

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	rv_fake_new(&other, 1);
	(void)snprintf(pair, sizeof pair, "REEVE_REEVE__RUNTIME_DIR=%s/state/run", fake.dir);
	rv_fake_env(&other, pair);
	rv_fake_start(&other);
	cr_assert(eq(int, rv_test_finish(&other.child, RV_FAKE_WAIT_MS), 75));
	cr_assert(rv_fake_err_has(&other, "runtime_dir of its own"));
	rv_fake_await_status(&fake, "daemon.state", "ready");
	rv_fake_down(&fake);
}

Test(sup_start, too_few_descriptors_are_said_so)
{
	struct rv_fake fake;
	char reeved[4096];
	char ini[600];
	char libexec[600];
	char err[600];
	const char *words[] = {"sh",   "-c", "ulimit -n 40; exec \"$0\" -c \"$1\"",
			       reeved, ini,  NULL};
	const char *env[] = {libexec, NULL};
	struct rv_test_start how = {.argv = words, .env = env, .out_file = err};

	rv_fake_new(&fake, 1);
	cr_assert(eq(int, rv_self_sibling("reeved", reeved, sizeof reeved, NULL), RV_OK));
	(void)snprintf(ini, sizeof ini, "%s/reeve.ini", fake.dir);
	(void)snprintf(libexec, sizeof libexec, "REEVE_LIBEXEC=%s/libexec", fake.dir);
	(void)snprintf(err, sizeof err, "%s/err", fake.dir);
	rv_test_start(&how, &fake.child);
	cr_assert(eq(int, rv_test_finish(&fake.child, RV_FAKE_WAIT_MS), 69));
	cr_assert(rv_fake_err_has(&fake, "ulimit -n"));
}

Test(sup_start, f09_the_lock_of_a_dead_daemon_is_taken_at_once)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 2);
	for (int i = 0; i < 3; i++) {
		rv_fake_up(&fake, 2);
		rv_test_signal(&fake.child, SIGKILL);
		cr_assert(eq(int, rv_test_finish(&fake.child, RV_FAKE_WAIT_MS), 128 + SIGKILL));
		rv_test_end(&fake.child);
	}
	rv_fake_up(&fake, 2);
	rv_fake_down(&fake);
}

Test(sup_start, f12_an_ignored_sigchld_is_set_right)
{
	struct rv_fake fake;
	const char *words[] = {"sh", "-c", "trap '' CHLD TERM HUP; exec \"$0\" \"$@\"", NULL, "-c",
			       NULL, NULL};
	char reeved[4096];
	char ini[600];
	char libexec[600];
	char dir[600];
	char err[600];
	const char *env[] = {libexec, dir, NULL};
	struct rv_test_start how = {.argv = words, .env = env, .out_file = err};

	rv_fake_new(&fake, 3);
	cr_assert(eq(int, rv_self_sibling("reeved", reeved, sizeof reeved, NULL), RV_OK));
	(void)snprintf(ini, sizeof ini, "%s/reeve.ini", fake.dir);
	(void)snprintf(libexec, sizeof libexec, "REEVE_LIBEXEC=%s/libexec", fake.dir);
	(void)snprintf(dir, sizeof dir, "RV_FAKE_DIR=%s/fake", fake.dir);
	(void)snprintf(err, sizeof err, "%s/err", fake.dir);
	words[3] = reeved;
	words[5] = ini;
	rv_test_start(&how, &fake.child);
	rv_fake_await_count(&fake, " ready\n", 4);
	/* Its children's ends are seen, with their true codes, and its own signals work. */
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 2, NULL), SIGKILL), 0));
	rv_fake_await(&fake, "died=1 code=0 signal=9 slot=2");
	rv_fake_await_count(&fake, " ready\n", 5);
	rv_fake_down(&fake);
}

Test(sup_start, f12_children_that_we_had_before_are_left_alone)
{
	struct rv_fake fake;
	const char *words[] = {
		"sh", "-c", "sleep 1000 & echo $! >\"$1/stranger\"; shift; exec \"$@\"",
		"sh", NULL, NULL,
		"-c", NULL, NULL};
	char reeved[4096];
	char ini[600];
	char libexec[600];
	char dir[600];
	char err[600];
	const char *env[] = {libexec, dir, NULL};
	struct rv_test_start how = {.argv = words, .env = env, .out_file = err};
	char *text;
	pid_t stranger;

	rv_fake_new(&fake, 1);
	cr_assert(eq(int, rv_self_sibling("reeved", reeved, sizeof reeved, NULL), RV_OK));
	(void)snprintf(ini, sizeof ini, "%s/reeve.ini", fake.dir);
	(void)snprintf(libexec, sizeof libexec, "REEVE_LIBEXEC=%s/libexec", fake.dir);
	(void)snprintf(dir, sizeof dir, "RV_FAKE_DIR=%s/fake", fake.dir);
	(void)snprintf(err, sizeof err, "%s/err", fake.dir);
	words[4] = fake.dir;
	words[5] = reeved;
	words[7] = ini;
	rv_test_start(&how, &fake.child);
	rv_fake_await_count(&fake, " ready\n", 2);
	text = rv_test_read_file(rv_test_path("%s/stranger", fake.dir));
	stranger = (pid_t)atoi(text);
	free(text);
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 1, NULL), SIGKILL), 0));
	rv_fake_await(&fake, "DIED 1");
	cr_assert(eq(int, kill(stranger, 0), 0), "a stranger was killed");
	rv_fake_down(&fake);
	cr_assert(eq(int, kill(stranger, SIGKILL), 0));
}

Test(sup_start, f12_as_pid_1)
{
	static const char *const can[] = {"unshare", "-pf", "--mount-proc", "true", NULL};
	struct rv_fake fake;
	struct rv_why why = {{0}};
	char reeved[4096];
	char ini[600];
	char libexec[600];
	char dir[600];
	char err[600];
	const char *words[] = {"unshare", "-pf", "--kill-child", "--mount-proc", reeved, "-c",
			       ini,       NULL};
	const char *env[] = {libexec, dir, NULL};
	struct rv_test_start how = {.argv = words, .env = env, .out_file = err};
	int code;

	if (rv_test_output(can, NULL, 0, RV_FAKE_WAIT_MS) != 0)
		cr_skip_test("no PID namespace can be made here");
	rv_fake_new(&fake, 2);
	cr_assert(eq(int, rv_self_sibling("reeved", reeved, sizeof reeved, NULL), RV_OK));
	(void)snprintf(ini, sizeof ini, "%s/reeve.ini", fake.dir);
	(void)snprintf(libexec, sizeof libexec, "REEVE_LIBEXEC=%s/libexec", fake.dir);
	(void)snprintf(dir, sizeof dir, "RV_FAKE_DIR=%s/fake", fake.dir);
	(void)snprintf(err, sizeof err, "%s/err", fake.dir);
	rv_fake_orders(&fake, "worker.1", "escape 20\nexit 3\n");
	rv_test_start(&how, &fake.child);
	/* pids in the log are those of the namespace: nothing is signalled from here. */
	rv_fake_await(&fake, "code=3 signal=0 slot=1 left=0");
	rv_fake_orders(&fake, "worker.1", "ready\n");
	rv_fake_await_status(&fake, "pool.alive", "2");
	json_decref(rv_fake_call(&fake, "{\"v\":1,\"verb\":\"shutdown\"}", &code, &why));
	cr_assert(eq(int, code, RV_OK), "%s", why.text);
	cr_assert(eq(int, rv_test_finish(&fake.child, RV_FAKE_WAIT_MS), 0));
	rv_fake_clean(&fake);
}

Test(sup_start, f36_children_have_just_the_descriptors_they_should)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 2);
	rv_fake_orders(&fake, "keeper", "fds\n");
	/* signalfd of the fake child itself is 7: 6 is its log, which it does not count. */
	rv_fake_orders(&fake, "worker", "fds\n");
	rv_fake_up(&fake, 2);
	rv_fake_await_count(&fake, "fds 0 1 2 3 4 5 7\n", 3);
	rv_fake_down(&fake);
}

Test(sup_start, the_configuration_and_the_environment_of_a_child)
{
	struct rv_fake fake;
	char *log;

	rv_fake_new(&fake, 1);
	rv_fake_ini(&fake,
		    "timeout = 77s\npass_env = REEVETEST_PASS\n[pool:default]\nworkers = 1\n");
	rv_fake_env(&fake, "REEVETEST_PASS=this");
	rv_fake_env(&fake, "REEVETEST_SECRET=that");
	rv_fake_env(&fake, "LD_BIND_NOW=");
	rv_fake_env(&fake, "TZ=Europe/Berlin");
	rv_fake_orders(&fake, "worker", "conf\nenv\n");
	rv_fake_up(&fake, 1);
	rv_fake_await(&fake, "conf pools 1 timeout 77 store %s/state/reeve.db", fake.dir);
	log = rv_test_read_file(rv_test_path("%s/fake/log", fake.dir));
	rv_assert_has(log, "env REEVETEST_PASS=this");
	rv_assert_has(log, "env REEVE_INSTANCE=");
	rv_assert_has(log, "env PATH=");
	rv_assert_has(log, "env TZ=Europe/Berlin");
	cr_assert(zero(ptr, strstr(log, "REEVETEST_SECRET")));
	cr_assert(zero(ptr, strstr(log, "LD_BIND_NOW")));
	cr_assert(zero(ptr, strstr(log, "NOTIFY_SOCKET")));
	free(log);
	rv_fake_down(&fake);
}

Test(sup_start, fifty_workers)
{
	struct rv_fake fake;
	int64_t began_us;

	rv_fake_new(&fake, 50);
	began_us = rv_mono_us();
	rv_fake_up(&fake, 50);
	(void)fprintf(stderr, "50 workers up in %lld ms\n",
		      (long long)((rv_mono_us() - began_us) / RV_MS_US));
	rv_fake_await_status(&fake, "pool.alive", "50");
	rv_fake_down(&fake);
}

static void start_with(struct rv_fake *fake, const char *option, const char *value, int code)
{
	char reeved[4096];
	const char *words[] = {reeved, option, value, NULL};
	char err[600];
	struct rv_test_start how = {.argv = words, .out_file = err};

	(void)snprintf(err, sizeof err, "%s/err", fake->dir);
	cr_assert(eq(int, rv_self_sibling("reeved", reeved, sizeof reeved, NULL), RV_OK));
	rv_test_start(&how, &fake->child);
	cr_assert(eq(int, rv_test_finish(&fake->child, RV_FAKE_WAIT_MS), code));
}

Test(sup_start, wrong_usage_and_wrong_configuration_have_their_codes)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 1);
	start_with(&fake, "--no-such-option", NULL, 2);
	start_with(&fake, "word", NULL, 2);
	start_with(&fake, "--version", NULL, 0);
	start_with(&fake, "--help", NULL, 0);
	rv_test_write_file(rv_test_path("%s/bad.ini", fake.dir),
			   "[pool:default]\nworkrs = 3\nheartbeat = soon\n");
	start_with(&fake, "-c", rv_test_path("%s/bad.ini", fake.dir), 78);
	/* Every error is there, with its place, and the nearest name. */
	cr_assert(rv_fake_err_has(&fake, "bad.ini:2"));
	cr_assert(rv_fake_err_has(&fake, "did you mean workers"));
	cr_assert(rv_fake_err_has(&fake, "bad.ini:3"));
	start_with(&fake, "-c", rv_test_path("%s/none.ini", fake.dir), 78);
}

Test(sup_start, check_only_starts_nothing)
{
	struct rv_fake fake;
	char reeved[4096];
	const char *words[] = {reeved, "-t", "-c", rv_test_path("%s/reeve.ini", "x"), NULL};
	char text[256];

	rv_fake_new(&fake, 1);
	words[3] = rv_test_path("%s/reeve.ini", fake.dir);
	cr_assert(eq(int, rv_self_sibling("reeved", reeved, sizeof reeved, NULL), RV_OK));
	cr_assert(eq(int, rv_test_output(words, text, sizeof text, RV_FAKE_WAIT_MS), 0));
	rv_assert_has(text, "good");
	const char *const relative[] = {reeved, "-t", "--store", "here.db", NULL};

	cr_assert(eq(int, rv_test_output(relative, text, sizeof text, RV_FAKE_WAIT_MS), 0));
	cr_assert(eq(int, access(rv_test_path("%s/state", fake.dir), F_OK), -1),
		  "nothing was made");
}

Test(sup_start, a_missing_program_is_69)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 1);
	cr_assert(eq(int, unlink(rv_test_path("%s/libexec/reeve-worker", fake.dir)), 0));
	rv_fake_start(&fake);
	cr_assert(eq(int, rv_test_finish(&fake.child, RV_FAKE_WAIT_MS), 69));
	cr_assert(rv_fake_err_has(&fake, "reeve-worker"));
}

Test(sup_start, a_store_that_the_first_keeper_cannot_use_ends_the_start)
{
	static const int codes[] = {74, 78};

	for (size_t i = 0; i < RV_ARRAY_LEN(codes); i++) {
		struct rv_fake fake;

		rv_fake_new(&fake, 2);
		rv_fake_orders(&fake, "keeper",
			       "say the schema is newer than this reeve\nexit %d\n", codes[i]);
		rv_fake_start(&fake);
		cr_assert(eq(int, rv_test_finish(&fake.child, RV_FAKE_WAIT_MS), codes[i]));
		cr_assert(rv_fake_err_has(
			&fake, "the store cannot be used: the schema is newer than this reeve"));
		cr_assert(eq(int, rv_fake_count(&fake, "worker"), 0));
		rv_fake_clean(&fake);
	}
}

Test(sup_start, a_folder_that_everyone_may_write_is_refused)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 1);
	cr_assert(eq(int, mkdir(rv_test_path("%s/state", fake.dir), 0700), 0));
	cr_assert(eq(int, chmod(rv_test_path("%s/state", fake.dir), 0777), 0));
	rv_fake_start(&fake);
	cr_assert(eq(int, rv_test_finish(&fake.child, RV_FAKE_WAIT_MS), 78));
	cr_assert(rv_fake_err_has(&fake, "chmod o-w"));
}

Test(sup_start, what_it_makes_is_its_own)
{
	struct rv_fake fake;
	struct stat st;

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	cr_assert(eq(int, stat(rv_test_path("%s/state", fake.dir), &st), 0));
	cr_assert(eq(int, st.st_mode & 07777, 0700));
	cr_assert(eq(int, stat(fake.control, &st), 0));
	cr_assert(eq(int, st.st_mode & 07777, 0600));
	cr_assert(eq(int, stat(rv_test_path("%s/state/run/doorbell", fake.dir), &st), 0));
	cr_assert(eq(int, st.st_mode & 07777, 0600));
	cr_assert(eq(int, stat(rv_test_path("%s/state/reeve.db.lock", fake.dir), &st), 0));
	cr_assert(eq(int, st.st_mode & 07777, 0600));
	rv_fake_down(&fake);
}

/* A start that waits, as for the last child of a predecessor, until ${*ret_lock} is closed. */
static void start_and_wait(struct rv_fake *fake, int *ret_lock)
{
	struct rv_why why = {{0}};
	char path[600];

	rv_fake_new(fake, 1);
	(void)snprintf(path, sizeof path, "%s/state/reeve.db.lock", fake->dir);
	cr_assert(eq(int, mkdir(rv_test_path("%s/state", fake->dir), 0700), 0));
	rv_test_write_file(path, "%s", "");
	cr_assert(eq(int, chmod(path, 0600), 0));
	cr_assert(eq(int, rv_lock_child(path, ret_lock, &why), RV_OK), "%s", why.text);
	rv_fake_start(fake);
	rv_fake_await_err(fake, "reeved " RV_VERSION " starts");
}

/* It has no loop yet that would read them. */
Test(sup_start, a_signal_that_comes_before_the_loop_is_heeded_in_it)
{
	static const int early[] = {SIGUSR1, SIGTTIN, SIGHUP};
	struct rv_fake fake;
	int lock = -1;

	start_and_wait(&fake, &lock);
	for (size_t i = 0; i < RV_ARRAY_LEN(early); i++)
		rv_test_signal(&fake.child, early[i]);
	rv_fd_close(&lock);
	rv_fake_await_err(&fake, "signal USR1");
	rv_fake_await_err(&fake, "signal HUP");
	rv_fake_await_status(&fake, "pool.target", "2");
	rv_fake_await_status(&fake, "daemon.state", "ready");
	rv_fake_down(&fake);
}

/* And one that is to end it does not wait for whatever it waits for. */
Test(sup_start, a_term_before_the_loop_ends_the_start_at_once)
{
	struct rv_fake fake;
	int lock = -1;

	start_and_wait(&fake, &lock);
	rv_test_signal(&fake.child, SIGTERM);
	cr_assert(eq(int, rv_test_finish(&fake.child, RV_FAKE_WAIT_MS), 128 + SIGTERM));
	rv_fd_close(&lock);
	rv_fake_clean(&fake);
}
