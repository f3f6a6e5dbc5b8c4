/* Reload: only what changed rolls; what is wrong changes nothing. */
#include "fakedaemon.h"

#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "os/fd.h"
#include "os/sock.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RELOAD "{\"v\":1,\"verb\":\"reload\"}"
#define DRY    "{\"v\":1,\"verb\":\"reload\",\"dry_run\":true}"

#if defined(__SANITIZE_ADDRESS__)
static const bool under_asan = true;
#elif defined(__has_feature)
static const bool under_asan = __has_feature(address_sanitizer);
#else
static const bool under_asan = false;
#endif

static json_t *reload(struct rv_fake *fake, const char *request)
{
	struct rv_why why = {{0}};
	int err;
	json_t *reply = rv_fake_call(fake, request, &err, &why);

	cr_assert(eq(int, err, RV_OK), "%s", why.text);
	return reply;
}

static void refused(struct rv_fake *fake, const char *says)
{
	struct rv_why why = {{0}};
	int err;
	json_t *reply = rv_fake_call(fake, RELOAD, &err, &why);

	cr_assert(zero(ptr, reply));
	cr_assert(eq(int, err, RV_E_CONF));
	rv_assert_has(why.text, says);
}

static int starts(struct rv_fake *fake)
{
	return rv_fake_count(fake, " start");
}

Test(sup_reload, nothing_changed_nothing_done)
{
	struct rv_fake fake;
	json_t *reply;

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	reply = reload(&fake, RELOAD);
	cr_assert(eq(sz, json_array_size(json_object_get(reply, "changes")), 0));
	cr_assert(eq(sz, json_array_size(json_object_get(reply, "rolls")), 0));
	json_decref(reply);
	rv_fake_await_status(&fake, "pool.alive", "2");
	rv_fake_down(&fake);
	cr_assert(eq(int, starts(&fake), 3));
}

Test(sup_reload, more_and_fewer_workers_touch_no_other)
{
	struct rv_fake fake;
	pid_t first;

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	first = rv_fake_pid(&fake, 1, NULL);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 4\n");
	json_decref(reload(&fake, RELOAD));
	rv_fake_await_status(&fake, "pool.alive", "4");
	rv_fake_ini(&fake, "[pool:default]\nworkers = 1\n");
	rv_test_signal(&fake.child, SIGHUP);
	rv_fake_await_status(&fake, "pool.target", "1");
	rv_fake_await_status(&fake, "pool.alive", "1");
	rv_fake_await_count(&fake, "STOP 0 0", 3);
	cr_assert(eq(int, rv_fake_pid(&fake, 1, NULL), first));
	cr_assert(eq(int, kill(first, 0), 0));
	rv_fake_down(&fake);
}

Test(sup_reload, a_roll_replaces_one_by_one_in_its_pool_only)
{
	struct rv_fake fake;
	unsigned long long other = 0;
	unsigned long long after = 0;
	json_t *reply;

	rv_fake_new(&fake, 0);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 3\nqueues = default\n"
			   "[pool:other]\nworkers = 1\nqueues = other\n");
	rv_fake_up(&fake, 4);
	(void)rv_fake_pid(&fake, 4, &other);
	rv_fake_orders(&fake, "worker", "conf\n");
	rv_fake_ini(&fake, "[pool:default]\nworkers = 3\nqueues = default\nheartbeat = 3s\n"
			   "[pool:other]\nworkers = 1\nqueues = other\n");
	reply = reload(&fake, DRY);
	cr_assert(eq(sz, json_array_size(json_object_get(reply, "rolls")), 1));
	rv_assert_text(json_string_value(json_array_get(json_object_get(reply, "rolls"), 0)),
		       "default");
	json_decref(reply);
	cr_assert(eq(int, starts(&fake), 5), "a dry run does nothing");
	json_decref(reload(&fake, RELOAD));
	/* Three workers and the keeper, which mirrors what is new. */
	rv_fake_await_count(&fake, " start", 9);
	rv_fake_await_count(&fake, " ready\n", 9);
	rv_fake_await_status(&fake, "pool.alive", "3");
	(void)rv_fake_pid(&fake, 4, &after);
	cr_assert(eq(ulong, other, after));
	rv_fake_down(&fake);
}

Test(sup_reload, a_roll_stops_at_the_first_that_does_not_come_up)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 3);
	rv_fake_up(&fake, 3);
	rv_fake_orders(&fake, "worker", "exit 1\n");
	rv_fake_ini(&fake, "[pool:default]\nworkers = 3\nheartbeat = 3s\n");
	json_decref(reload(&fake, RELOAD));
	rv_fake_await_err(&fake, "is started again in");
	/* Two of the old ones stay; one place is probed. */
	rv_fake_await_status(&fake, "pool.alive", "2");
	rv_fake_await_count(&fake, " start default/0", 4);
	cr_assert(eq(int, rv_fake_count(&fake, " start default/1"), 1));
	cr_assert(eq(int, rv_fake_count(&fake, " start default/2"), 1));
	rv_fake_await_err(&fake, "the 2 old ones are kept");
	rv_fake_await_status(&fake, "daemon.state", "degraded");
	/* Mended: the old ones go when somebody says so. */
	rv_fake_orders(&fake, "worker", "ready\n");
	rv_fake_await_status(&fake, "pool.alive", "3");
	cr_assert(eq(int, rv_fake_count(&fake, " start default/2"), 1));
	json_decref(reload(&fake, RELOAD));
	rv_fake_await_count(&fake, " start default/2", 2);
	rv_fake_await_status(&fake, "pool.alive", "3");
	rv_fake_await_status(&fake, "pool.state", "ok");
	rv_fake_down(&fake);
}

Test(sup_reload, f13_a_broken_file_changes_nothing_and_every_error_is_logged)
{
	struct rv_fake fake;
	pid_t first;
	int had;

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	first = rv_fake_pid(&fake, 1, NULL);
	had = starts(&fake);
	rv_fake_ini(&fake, "[pool:default]\nworkers = many\nheartbaet = 5s\nlease = 1\n");
	refused(&fake, "workers");
	cr_assert(rv_fake_err_has(&fake, "reeve.ini:7"));
	cr_assert(rv_fake_err_has(&fake, "did you mean heartbeat"));
	cr_assert(rv_fake_err_has(&fake, "reeve.ini:9"));
	rv_fake_await_err(&fake, "conf.rejected");
	rv_fake_await_status(&fake, "daemon.state", "degraded");
	/* The file is gone, is a folder, has a line without end, is no text. */
	cr_assert(eq(int, unlink(rv_test_path("%s/reeve.ini", fake.dir)), 0));
	refused(&fake, "reeve.ini");
	cr_assert(eq(int, mkdir(rv_test_path("%s/reeve.ini", fake.dir), 0700), 0));
	refused(&fake, "reeve.ini");
	cr_assert(eq(int, rmdir(rv_test_path("%s/reeve.ini", fake.dir)), 0));
	rv_test_write_file(rv_test_path("%s/reeve.ini", fake.dir), "[reeve\x01\n\xff\xfe = 1\n");
	refused(&fake, "reeve.ini:1");
	rv_fake_ini(&fake, "[pool:default]\nworkers = 2\n");
	json_decref(reload(&fake, RELOAD));
	rv_fake_await_status(&fake, "daemon.state", "ready");
	cr_assert(eq(int, rv_fake_pid(&fake, 1, NULL), first));
	cr_assert(eq(int, starts(&fake), had));
	rv_fake_down(&fake);
}

Test(sup_reload, what_only_a_start_changes_stays_and_is_said)
{
	struct rv_fake fake;
	json_t *reply;

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	rv_fake_orders(&fake, "worker", "conf\n");
	rv_fake_ini(
		&fake,
		"[store]\npath = %s/elsewhere.db\n[pool:default]\nworkers = 1\nheartbeat = 3s\n",
		fake.dir);
	reply = reload(&fake, RELOAD);
	cr_assert(eq(sz, json_array_size(json_object_get(reply, "changes")), 2));
	json_decref(reply);
	/* The new worker still has the old store. */
	rv_fake_await(&fake, "conf pools 1 timeout 3600 store %s/state/reeve.db", fake.dir);
	cr_assert(rv_fake_err_has(&fake, "waits for the next start"));
	rv_fake_await_status(&fake, "pool.alive", "1");
	rv_fake_down(&fake);
}

Test(sup_reload, more_workers_than_there_is_room_for_are_refused)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 100\n");
	refused(&fake, "restart reeved");
	rv_fake_await_status(&fake, "pool.target", "1");
	rv_fake_down(&fake);
}

Test(sup_reload, pools_come_and_go)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	rv_fake_ini(&fake, "[pool:fresh]\nworkers = 3\nqueues = default\n");
	json_decref(reload(&fake, RELOAD));
	rv_fake_await_count(&fake, " start fresh/", 3);
	rv_fake_await(&fake, "died=0 code=0 signal=0 slot=2");
	rv_fake_await(&fake, "died=0 code=0 signal=0 slot=1");
	/* Forgotten: the first pool is the new one. */
	rv_fake_await_status(&fake, "pool.name", "fresh");
	rv_fake_await_status(&fake, "pool.alive", "3");
	rv_fake_ini(&fake, "[pool:default]\nworkers = 1\n");
	json_decref(reload(&fake, RELOAD));
	rv_fake_await_status(&fake, "pool.name", "default");
	rv_fake_await_status(&fake, "pool.alive", "1");
	rv_fake_down(&fake);
}

static long count_fds(const struct rv_fake *fake)
{
	struct stat st;
	long count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += lstat(rv_test_path("/proc/%d/fd/%d", (int)fake->child.pid, fd), &st) == 0;
	return count;
}

static long rss_kib(const struct rv_fake *fake)
{
	char *text = rv_test_read_file(rv_test_path("/proc/%d/status", (int)fake->child.pid));
	char *line = text ? strstr(text, "VmRSS:") : NULL;
	long kib = line ? atol(line + 6) : 0;

	free(text);
	return kib;
}

#define TASKS 6000

/* Asks what a reload would change, which is a lot, and reads none of it. */
static int ask_and_read_nothing(struct rv_fake *fake)
{
	struct rv_why why = {{0}};
	FILE *file = fopen(rv_test_path("%s/reeve.ini", fake->dir), "ae");
	int fd = -1;

	cr_assert(ne(ptr, file, NULL));
	for (int i = 0; i < TASKS; i++)
		(void)fprintf(file, "[task:t%d]\nhandler = builtin\nbuiltin = noop\n", i);
	cr_assert(eq(int, fclose(file), 0));
	cr_assert(eq(int, rv_sock_connect(fake->control, RV_S_US, &fd, &why), RV_OK), "%s",
		  why.text);
	cr_assert(eq(i64, write(fd, DRY "\n", sizeof DRY), (int64_t)sizeof DRY));
	cr_assert(eq(int, rv_fd_wait(fd, POLLIN, RV_FAKE_WAIT_MS * RV_MS_US), RV_OK));
	return fd;
}

/*
 * One that may go and waits only until all answers are read: what the new program said of the old
 * configuration says nothing of this one.  (An answer that nobody reads is given up after 5 s.)
 */
Test(sup_reload, one_that_comes_just_before_an_upgrade_ends_it)
{
	struct rv_fake fake;
	pid_t first;
	int fd;

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	first = rv_fake_pid(&fake, 1, NULL);
	fd = ask_and_read_nothing(&fake);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 2\n");
	json_decref(reload(&fake, "{\"v\":1,\"verb\":\"upgrade\"}"));
	rv_fake_await_status(&fake, "daemon.upgrade", "going");
	/* One that changes nothing is none. */
	json_decref(reload(&fake, RELOAD));
	rv_fake_await_err(&fake, "the configuration is unchanged");
	rv_fake_await_status(&fake, "daemon.upgrade", "going");
	rv_fake_ini(&fake, "[pool:default]\nworkers = 3\n");
	json_decref(reload(&fake, RELOAD));
	rv_fake_await_err(&fake, "it was not executed anew: the configuration changed meanwhile");
	rv_fake_await_status(&fake, "daemon.upgrade", "none");
	rv_fake_await_status(&fake, "pool.alive", "3");
	rv_fake_await_status(&fake, "daemon.upgrades", "0");
	cr_assert(eq(int, rv_fake_pid(&fake, 1, NULL), first));
	/* When he has gone the next one goes well, with the new configuration. */
	cr_assert(eq(int, close(fd), 0));
	json_decref(reload(&fake, "{\"v\":1,\"verb\":\"upgrade\"}"));
	rv_fake_await_status(&fake, "daemon.upgrades", "1");
	rv_fake_await_status(&fake, "pool.alive", "3");
	rv_fake_down(&fake);
}

Test(sup_reload, f13_many_reloads_leak_nothing)
{
	struct rv_fake fake;
	long fds = 0;
	long kib = 0;

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	for (int i = 0; i < 300; i++) {
		/* Good, broken and effective ones in turn. */
		if (i % 3 == 1)
			rv_fake_ini(&fake, "[pool:default]\nworkers = no\n");
		else
			rv_fake_ini(&fake, "[pool:default]\nworkers = 1\nhang_timeout = %ds\n",
				    15 + i % 2);
		rv_test_signal(&fake.child, SIGHUP);
		if (i % 3 == 1) {
			struct rv_why why = {{0}};
			int err;

			cr_assert(zero(ptr, rv_fake_call(&fake, RELOAD, &err, &why)));
		} else {
			json_decref(reload(&fake, RELOAD));
		}
		if (i == 60) {
			rv_fake_await_status(&fake, "pool.alive", "1");
			fds = count_fds(&fake);
			kib = rss_kib(&fake);
		}
	}
	rv_fake_ini(&fake, "[pool:default]\nworkers = 1\n");
	json_decref(reload(&fake, RELOAD));
	rv_fake_await_status(&fake, "daemon.state", "ready");
	cr_assert(le(long, count_fds(&fake), fds + 3), "a keeper may be between two lives");
	/* A sanitizer keeps what was freed. */
	if (!under_asan)
		cr_assert(lt(long, rss_kib(&fake), kib + 2048));
	rv_fake_down(&fake);
}

Test(sup_reload, f13_mutated_files_never_end_it)
{
	static const char good[] =
		"[pool:default]\nworkers = 1\nqueues = default\nheartbeat = 5s\n";
	struct rv_fake fake;
	pid_t pid;

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	pid = rv_fake_pid(&fake, 1, NULL);
	srand(7);
	for (int i = 0; i < 150; i++) {
		char text[sizeof good];
		struct rv_why why = {{0}};
		int err;

		memcpy(text, good, sizeof good);
		/* Only such that are refused: a byte of a key's name. */
		text[16 + rand() % 6] = (char)("#!@\x7f:{"[rand() % 6]);
		rv_test_write_file(rv_test_path("%s/reeve.ini", fake.dir),
				   "[reeve]\nstate_dir = %s/state\n%s", fake.dir, text);
		cr_assert(zero(ptr, rv_fake_call(&fake, RELOAD, &err, &why)), "%s", text);
	}
	cr_assert(eq(int, rv_fake_pid(&fake, 1, NULL), pid));
	rv_fake_down(&fake);
}
