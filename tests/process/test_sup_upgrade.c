/* reeved executed anew in place: the same process, the same children; or nothing at all. */
#include "fakedaemon.h"

#include "base/attr.h"
#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "os/fd.h"
#include "os/self.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define UPGRADE      "{\"v\":1,\"verb\":\"upgrade\"}"
#define SAID_NOTHING "ended with exit code 0 and did not say that it can"
#define CHECK        "{\"v\":1,\"verb\":\"upgrade\",\"check\":true}"

static void told(struct rv_fake *fake, const char *request)
{
	struct rv_why why = {{0}};
	int err;
	json_t *reply = rv_fake_call(fake, request, &err, &why);

	cr_assert(eq(int, err, RV_OK), "%s", why.text);
	json_decref(reply);
}

static void refused(struct rv_fake *fake, const char *request, int wanted, const char *says)
{
	struct rv_why why = {{0}};
	int err;

	cr_assert(zero(ptr, rv_fake_call(fake, request, &err, &why)));
	cr_assert(eq(int, rv_err_exit(err), wanted), "%s: %s", rv_err_name(err), why.text);
	rv_assert_has(why.text, says);
}

/* Of the daemon's: how many descriptors. */
static int count_fds(const struct rv_fake *fake)
{
	DIR *dir = opendir(rv_test_path("/proc/%d/fd", (int)fake->child.pid));
	int count = 0;

	cr_assert(ne(ptr, dir, NULL));
	while (readdir(dir))
		count++;
	(void)closedir(dir);
	return count;
}

/* How many descriptors the daemon, or who is yet to be it (pid 0: we), may have. */
static void limit_fds(pid_t pid, int count)
{
	struct rlimit limit;

	cr_assert(eq(int, prlimit(pid, RLIMIT_NOFILE, NULL, &limit), 0));
	limit.rlim_cur = (rlim_t)count;
	cr_assert(eq(int, prlimit(pid, RLIMIT_NOFILE, &limit, NULL), 0));
}

struct fds {
	const struct rv_fake *fake;
	int count;
};

static bool has_fds(void *ctx)
{
	struct fds *fds = ctx;

	return count_fds(fds->fake) <= fds->count;
}

/* Not more than that: whoever asked, then or last, is let go a moment later. */
static void await_fds(const struct rv_fake *fake, int count)
{
	struct fds fds = {fake, count};

	if (rv_test_wait_until(has_fds, &fds, RV_FAKE_WAIT_MS))
		return;
	for (int fd = 0; fd < 256; fd++) {
		char link[200] = "";

		if (readlink(rv_test_path("/proc/%d/fd/%d", (int)fake->child.pid, fd), link,
			     sizeof link - 1) > 0)
			(void)fprintf(stderr, "%d %s\n", fd, link);
	}
	cr_assert(false, "%d descriptors, not %d", count_fds(fake), count);
}

static void all_replaced(struct rv_fake *fake, int times)
{
	char text[64];

	(void)snprintf(text, sizeof text, "%d", times);
	rv_fake_await_status(fake, "daemon.upgrades", text);
	rv_fake_await_status(fake, "pool.state", "ok");
	rv_fake_await_status(fake, "daemon.state", "ready");
}

Test(sup_upgrade, the_same_process_goes_on_and_everybody_is_replaced)
{
	struct rv_fake fake;
	int fds;

	rv_fake_new(&fake, 3);
	rv_fake_notify(&fake);
	rv_fake_up(&fake, 3);
	rv_fake_await_notify(&fake, "READY=1");
	fds = count_fds(&fake);
	for (int i = 1; i <= 3; i++) {
		rv_test_signal(&fake.child, SIGUSR2);
		rv_fake_await_notify(&fake, "RELOADING=1");
		rv_fake_await_notify(&fake, "READY=1");
		all_replaced(&fake, i);
		/* Keeper and workers, one generation after the other. */
		rv_fake_await_count(&fake, " start", 4 * (i + 1));
	}
	rv_fake_await_status(&fake, "pool.alive", "3");
	await_fds(&fake, fds);
	rv_fake_down(&fake);
}

/* Children that do not heed their STOP live on, are heard, and are buried under their own name. */
Test(sup_upgrade, children_survive_it)
{
	struct rv_fake fake;
	unsigned long long incarnation;
	pid_t keeper;
	pid_t pid;

	rv_fake_new(&fake, 2);
	fake.stop_timeout = "60s";
	rv_fake_ini(&fake, "[pool:default]\nworkers = 2\nsurge = 1\nmax_unavailable = 0\n");
	rv_fake_orders(&fake, "worker", "nostop\nready\n");
	rv_fake_up(&fake, 2);
	pid = rv_fake_pid(&fake, 1, &incarnation);
	keeper = rv_fake_pid(&fake, 0, NULL);
	told(&fake, UPGRADE);
	rv_fake_await_err(&fake, "goes on in place");
	rv_fake_await_status(&fake, "daemon.upgrades", "1");
	cr_assert(eq(int, kill(pid, 0), 0));
	/* Its stderr and its descriptor 3 are the ones it had. */
	rv_fake_order(&fake, 1, "say still here\nkick 2 55 6\n");
	rv_fake_await_err(&fake, "default/0: still here");
	rv_fake_await(&fake, "CANCEL 55 6");
	/* The keeper is another, and is told who lives and who died. */
	rv_fake_await_count(&fake, "keeper 0", 4);
	cr_assert(ne(int, keeper, rv_fake_pid(&fake, 0, NULL)));
	cr_assert(eq(int, kill(pid, SIGKILL), 0));
	rv_fake_await(&fake, "%016llx died=1 code=0 signal=9 slot=1", incarnation);
	rv_test_signal(&fake.child, SIGTERM);
	rv_fake_await_status(&fake, "daemon.state", "draining");
	rv_fake_down(&fake);
}

/* A death that nobody had looked at when the image changed. */
Test(sup_upgrade, who_dies_meanwhile_is_buried)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 4);
	rv_fake_up(&fake, 4);
	for (int round = 1; round <= 5; round++) {
		unsigned long long incarnation;
		pid_t pid = rv_fake_pid(&fake, 1 + round % 4, &incarnation);

		rv_test_signal(&fake.child, SIGUSR2);
		(void)poll(NULL, 0, 2 * round);
		(void)kill(pid, SIGKILL);
		all_replaced(&fake, round);
		rv_fake_await(&fake, "%016llx died=", incarnation);
	}
	rv_fake_down(&fake);
}

Test(sup_upgrade, what_people_asked_for_goes_on)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 0);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 2\n[pool:other]\nworkers = 1\nqueues = o\n");
	rv_fake_up(&fake, 3);
	told(&fake, "{\"v\":1,\"verb\":\"scale\",\"pool\":\"default\",\"workers\":3}");
	told(&fake, "{\"v\":1,\"verb\":\"quiet\",\"pool\":\"default\"}");
	told(&fake, UPGRADE);
	rv_fake_await_status(&fake, "daemon.upgrades", "1");
	rv_fake_await_status(&fake, "pool.target", "3");
	rv_fake_await_status(&fake, "pool.state", "quiet");
	rv_fake_await_count(&fake, " start quiet", 3);
	/* Signals and reloads work as before. */
	rv_test_signal(&fake.child, SIGCONT);
	rv_fake_await_status(&fake, "pool.state", "ok");
	rv_fake_ini(&fake, "[pool:default]\nworkers = 1\n");
	rv_test_signal(&fake.child, SIGHUP);
	rv_fake_await_status(&fake, "pool.target", "1");
	rv_fake_down(&fake);
}

static int copy(const char *from, const char *to)
{
	RV_AUTO(rv_fd_close) int in = open(from, O_RDONLY | O_CLOEXEC);
	RV_AUTO(rv_fd_close) int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	ssize_t n;

	while ((n = sendfile(out, in, NULL, 1U << 20)) > 0)
		continue;
	return (int)n;
}

/* A reeved of our own that can be replaced by another program. */
static const char *copy_of_reeved(struct rv_fake *fake)
{
	static char path[600];
	char source[1000];
	struct rv_why why = {{0}};

	cr_assert(eq(int, rv_self_sibling("reeved", source, sizeof source, &why), RV_OK));
	(void)snprintf(path, sizeof path, "%s/reeved", fake->dir);
	cr_assert(eq(int, copy(source, path), 0));
	fake->program = path;
	return path;
}

static void replace(const char *path, const char *text)
{
	char other[700];

	(void)snprintf(other, sizeof other, "%s.new", path);
	rv_test_write_file(other, "%s", text);
	cr_assert(eq(int, chmod(other, 0755), 0));
	cr_assert(eq(int, rename(other, path), 0));
}

static void nothing_changed(struct rv_fake *fake, const pid_t pids[3], int attempt)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%d", attempt);
	rv_fake_await_status(fake, "daemon.upgrade_ended", text);
	rv_fake_await_status(fake, "daemon.upgrades", "0");
	rv_fake_await_status(fake, "daemon.state", "ready");
	for (int slot = 0; slot < 3; slot++)
		cr_assert(eq(int, rv_fake_pid(fake, slot, NULL), pids[slot]));
}

Test(sup_upgrade, a_program_that_cannot_changes_nothing)
{
	struct rv_fake fake;
	const char *path;
	pid_t pids[3];
	int fds;

	rv_fake_new(&fake, 2);
	path = copy_of_reeved(&fake);
	rv_fake_up(&fake, 2);
	for (int slot = 0; slot < 3; slot++)
		pids[slot] = rv_fake_pid(&fake, slot, NULL);
	fds = count_fds(&fake);
	replace(path, "#!/bin/sh\necho this release cannot >&2\nexit 1\n");
	told(&fake, UPGRADE);
	nothing_changed(&fake, pids, 1);
	rv_fake_await_err(&fake, "it was not executed anew: this release cannot");
	replace(path, "#!/bin/sh\nkill -9 $$\n");
	rv_test_signal(&fake.child, SIGUSR2);
	nothing_changed(&fake, pids, 2);
	rv_fake_await_err(&fake, "it was ended by a signal");
	/* No program at all, then none there. */
	replace(path, "\177ELF is what it begins with\n");
	refused(&fake, UPGRADE, 69, "reeved");
	cr_assert(eq(int, unlink(path), 0));
	refused(&fake, UPGRADE, 69, "reeved");
	nothing_changed(&fake, pids, 4);
	await_fds(&fake, fds);
	rv_fake_down(&fake);
}

/* How often its own log has ${what}. */
static int count_errs(const struct rv_fake *fake, const char *what)
{
	char *text = rv_test_read_file(rv_test_path("%s/err", fake->dir));
	int count = 0;

	for (const char *at = text; (at = strstr(at, what)); at++)
		count++;
	free(text);
	return count;
}

/* An exit code of 0 is nobody's word: any program that does something else has it. */
Test(sup_upgrade, one_that_ends_with_0_and_does_not_say_that_it_can_changes_nothing)
{
	static const char *const others[] = {
		"#!/bin/sh\n",
		"#!/bin/sh\necho all is well; echo and this too\n",
		"#!/bin/sh\necho 'reeved can take over: 2.1.1 00000000'\n",
		/* Even the words of another answer: they belong to what was asked then. */
		"#!/bin/sh\ncat ${0%/*}/answer\n",
		"#!/bin/sh\nexec cat <&3\n",
	};
	struct rv_fake fake;
	const char *path;
	pid_t pids[3];
	int attempt = 1;

	rv_fake_new(&fake, 2);
	path = copy_of_reeved(&fake);
	cr_assert(eq(int, copy(path, rv_test_path("%s/real", fake.dir)), 0));
	rv_fake_up(&fake, 2);
	for (int slot = 0; slot < 3; slot++)
		pids[slot] = rv_fake_pid(&fake, slot, NULL);
	replace(path, "#!/bin/sh\nd=${0%/*}\n$d/real \"$@\" >$d/answer\ncat $d/answer\n");
	told(&fake, CHECK);
	nothing_changed(&fake, pids, attempt);
	rv_fake_await_err(&fake, "could take over");
	for (size_t i = 0; i < RV_ARRAY_LEN(others); i++) {
		replace(path, others[i]);
		told(&fake, i % 2 ? UPGRADE : CHECK);
		nothing_changed(&fake, pids, ++attempt);
		cr_assert(eq(int, count_errs(&fake, SAID_NOTHING), attempt - 1));
	}
	cr_assert(eq(int, unlink(path), 0));
	cr_assert(eq(int, copy("/bin/true", path), 0));
	rv_test_signal(&fake.child, SIGUSR2);
	nothing_changed(&fake, pids, ++attempt);
	cr_assert(eq(int, count_errs(&fake, SAID_NOTHING), attempt - 1));
	rv_fake_down(&fake);
}

/* Started by a link that leads to another release now: that is the one. */
Test(sup_upgrade, a_link_is_followed_anew)
{
	struct rv_fake fake;
	static char link[600];
	char exe[700] = "";
	const char *path;

	rv_fake_new(&fake, 1);
	path = copy_of_reeved(&fake);
	(void)snprintf(link, sizeof link, "%s/current", fake.dir);
	cr_assert(eq(int, symlink(path, link), 0));
	fake.program = link;
	rv_fake_up(&fake, 1);
	cr_assert(eq(int, copy(path, rv_test_path("%s/other", fake.dir)), 0));
	cr_assert(eq(int,
		     symlink(rv_test_path("%s/other", fake.dir), rv_test_path("%s/next", fake.dir)),
		     0));
	cr_assert(eq(int, rename(rv_test_path("%s/next", fake.dir), link), 0));
	told(&fake, UPGRADE);
	all_replaced(&fake, 1);
	cr_assert(lt(long, 0,
		     (long)readlink(rv_test_path("/proc/%d/exe", (int)fake.child.pid), exe,
				    sizeof exe - 1)));
	rv_assert_has(exe, "/other");
	rv_fake_down(&fake);
}

Test(sup_upgrade, one_that_does_not_answer_is_given_up)
{
	struct rv_fake fake;
	pid_t pids[3];

	rv_fake_new(&fake, 2);
	const char *path = copy_of_reeved(&fake);

	rv_fake_up(&fake, 2);
	for (int slot = 0; slot < 3; slot++)
		pids[slot] = rv_fake_pid(&fake, slot, NULL);
	replace(path, "#!/bin/sh\nexec sleep 1000\n");
	told(&fake, UPGRADE);
	/* A second one meanwhile, and all else goes on. */
	refused(&fake, UPGRADE, 5, "already");
	rv_fake_await_status(&fake, "daemon.upgrade", "checking");
	cr_assert(eq(int, kill(pids[1], SIGKILL), 0));
	rv_fake_await_count(&fake, " start default/0", 2);
	pids[1] = rv_fake_pid(&fake, 1, NULL);
	nothing_changed(&fake, pids, 1);
	rv_fake_await_err(&fake, "it did not answer in time");
	rv_fake_down(&fake);
}

/* What it was asked about is not what it would find: a configuration that it may not know. */
Test(sup_upgrade, a_reload_meanwhile_ends_it)
{
	struct rv_fake fake;
	const char *path;
	pid_t pid;

	rv_fake_new(&fake, 2);
	path = copy_of_reeved(&fake);
	rv_fake_up(&fake, 2);
	pid = fake.child.pid;
	cr_assert(eq(int, copy(path, rv_test_path("%s/real", fake.dir)), 0));
	/* It says yes to the configuration that it was given, and would end with any. */
	replace(path, "#!/bin/sh\nd=${0%/*}\nuntil [ -e $d/go ]; do sleep 0.01; done\n"
		      "case $* in *--resume*) echo taken over >&2; exit 1;; esac\n"
		      "exec $d/real \"$@\"\n");
	told(&fake, UPGRADE);
	rv_fake_await_status(&fake, "daemon.upgrade", "checking");
	/* One that changes nothing is none. */
	rv_test_signal(&fake.child, SIGHUP);
	rv_fake_await_err(&fake, "the configuration is unchanged");
	rv_fake_await_status(&fake, "daemon.upgrade", "checking");
	rv_fake_ini(&fake, "[pool:default]\nworkers = 3\n");
	rv_test_signal(&fake.child, SIGHUP);
	rv_fake_await_status(&fake, "pool.alive", "3");
	rv_test_write_file(rv_test_path("%s/go", fake.dir), "%s", "");
	rv_fake_await_err(&fake, "it was not executed anew: the configuration changed meanwhile");
	rv_fake_await_status(&fake, "daemon.upgrade", "none");
	rv_fake_await_status(&fake, "daemon.upgrades", "0");
	cr_assert(eq(int, kill(pid, 0), 0));
	cr_assert(not(rv_fake_err_has(&fake, "taken over")));
	rv_fake_down(&fake);
}

Test(sup_upgrade, an_exec_that_fails_changes_nothing)
{
	struct rv_fake fake;
	pid_t pids[3];
	int fds;

	rv_fake_new(&fake, 2);
	rv_fake_env(&fake, "RV_FAULT=sup_exec:eio:1:reeved");
	rv_fake_up(&fake, 2);
	for (int slot = 0; slot < 3; slot++)
		pids[slot] = rv_fake_pid(&fake, slot, NULL);
	fds = count_fds(&fake);
	told(&fake, UPGRADE);
	nothing_changed(&fake, pids, 1);
	await_fds(&fake, fds);
	/* Nothing stays open for those who come: descriptors 0 to 5 and no other. */
	rv_fake_orders(&fake, "worker", "fds\nready\n");
	cr_assert(eq(int, kill(pids[1], SIGKILL), 0));
	rv_fake_await(&fake, "fds 0 1 2 3");
	/* The next one goes well. */
	told(&fake, UPGRADE);
	rv_fake_await_status(&fake, "daemon.upgrades", "1");
	rv_fake_down(&fake);
}

Test(sup_upgrade, check_asks_and_goes_no_further)
{
	struct rv_fake fake;
	pid_t pids[3];

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	for (int slot = 0; slot < 3; slot++)
		pids[slot] = rv_fake_pid(&fake, slot, NULL);
	told(&fake, CHECK);
	nothing_changed(&fake, pids, 1);
	rv_fake_await_err(&fake, "could take over");
	rv_fake_down(&fake);
}

Test(sup_upgrade, refused_while_it_ends)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 1);
	fake.stop_timeout = "60s";
	rv_fake_ini(&fake, "[pool:default]\nworkers = 1\n");
	rv_fake_orders(&fake, "worker", "nostop\nready\n");
	rv_fake_up(&fake, 1);
	rv_test_signal(&fake.child, SIGTERM);
	rv_fake_await_status(&fake, "daemon.state", "draining");
	refused(&fake, UPGRADE, 5, "is ending");
	rv_test_signal(&fake.child, SIGUSR2);
	rv_fake_await_err(&fake, "signal USR2");
	rv_fake_down(&fake);
}

/* Signals that come while the image changes are neither lost nor deadly. */
Test(sup_upgrade, a_term_that_comes_meanwhile_is_heeded)
{
	for (int wait_ms = 0; wait_ms < 30; wait_ms += 3) {
		struct rv_fake fake;

		rv_fake_new(&fake, 2);
		rv_fake_up(&fake, 2);
		rv_test_signal(&fake.child, SIGUSR2);
		(void)poll(NULL, 0, wait_ms);
		rv_test_signal(&fake.child, SIGHUP);
		rv_test_signal(&fake.child, SIGTERM);
		cr_assert(eq(int, rv_test_finish(&fake.child, RV_FAKE_WAIT_MS), 0));
		rv_fake_clean(&fake);
	}
}

/* A table of 57 slots wants 171 descriptors at the start; its children have 39 of them later. */
Test(sup_upgrade, what_was_enough_for_the_start_is_enough)
{
	struct rv_fake fake;
	int fds;

	rv_fake_new(&fake, 12);
	limit_fds(0, 171 + 10);
	rv_fake_up(&fake, 12);
	fds = count_fds(&fake);
	for (int i = 1; i <= 2; i++) {
		told(&fake, UPGRADE);
		all_replaced(&fake, i);
	}
	rv_fake_await_status(&fake, "pool.alive", "12");
	await_fds(&fake, fds);
	rv_fake_down(&fake);
}

struct verdicts {
	const struct rv_fake *fake;
	int count;
};

/* It "goes on in place", or "goes on as it is", so many times in all. */
static bool has_verdicts(void *ctx)
{
	const struct verdicts *verdicts = ctx;

	return count_errs(verdicts->fake, " goes on ") >= verdicts->count;
}

/* Lowered under the feet of a daemon: it does it, or says that it cannot, and is there. */
Test(sup_upgrade, however_few_descriptors_are_left_nobody_is_lost)
{
	struct rv_fake fake;
	struct rlimit before;
	int fds;

	rv_fake_new(&fake, 2);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 2\n");
	rv_fake_up(&fake, 2);
	cr_assert(eq(int, prlimit(fake.child.pid, RLIMIT_NOFILE, NULL, &before), 0));
	fds = count_fds(&fake);
	for (int more = -4; more < 14; more++) {
		struct verdicts verdicts = {&fake, more + 5};

		limit_fds(fake.child.pid, fds + more);
		rv_test_signal(&fake.child, SIGUSR2);
		cr_assert(rv_test_wait_until(has_verdicts, &verdicts, RV_FAKE_WAIT_MS), "with %d",
			  more);
		limit_fds(fake.child.pid, (int)before.rlim_cur);
		rv_fake_await_status(&fake, "pool.alive", "2");
	}
	rv_fake_await_err(&fake, "it was not executed anew: cannot");
	rv_fake_await_err(&fake, "goes on in place");
	rv_fake_down(&fake);
}
