/*
 * cgroup v2 by its files: first in a folder that only looks like one, then in the machine's own,
 * where this test may make groups there.
 */
#include "base/attr.h"
#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/child.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "os/cgroup.h"
#include "os/fd.h"
#include "os/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *folder;
static char found[4096];
static struct rv_why why;

/* proc/self of a process in the cgroup /a/b, cgroup2 being mounted at mnt, the folder ${root} of
 * it. */
static void fake(const char *root)
{
	static const char *const files[] = {"cgroup.procs", "cgroup.kill"};

	folder = rv_test_tmpdir();
	rv_test_write_file(rv_test_path("%s/cgroup", folder), "1:name=x:/\n0::/a/b\n");
	rv_test_write_file(rv_test_path("%s/mountinfo", folder),
			   "1 0 0:1 / / rw - ext4 /dev/x rw\n"
			   "30 1 0:9 %s %s/mnt rw,nosuid - cgroup2 cgroup2 rw\n",
			   root, folder);
	cr_assert(eq(int, mkdir(rv_test_path("%s/mnt", folder), 0755), 0));
	cr_assert(eq(int, mkdir(rv_test_path("%s/mnt/a", folder), 0755), 0));
	cr_assert(eq(int, mkdir(rv_test_path("%s/mnt/a/b", folder), 0755), 0));
	cr_assert(eq(int, mkdir(rv_test_path("%s/mnt/b", folder), 0755), 0));
	for (size_t i = 0; i < 2; i++) {
		rv_test_write_file(rv_test_path("%s/mnt/a/b/%s", folder, files[i]), "%s", "");
		rv_test_write_file(rv_test_path("%s/mnt/b/%s", folder, files[i]), "%s", "");
	}
}

/* As systemd does; false: this file system takes no such attributes. */
static bool delegate(const char *path)
{
	return geteuid() != 0 || setxattr(path, "trusted.delegate", "1", 1, 0) == 0 ||
	       setxattr(path, "user.delegate", "1", 1, 0) == 0;
}

Test(cgroup, the_folder_is_where_the_kernel_says)
{
	fake("/");
	if (!delegate(rv_test_path("%s/mnt/a/b", folder)))
		cr_skip("no attributes here");
	cr_assert(eq(int, rv_cgroup_find(folder, false, found, sizeof found, &why), RV_OK), "%s",
		  why.text);
	rv_assert_text(found, rv_test_path("%s/mnt/a/b", folder));
	rv_test_tmpdir_end();
}

Test(cgroup, a_mount_may_show_a_part_only)
{
	fake("/a");
	if (!delegate(rv_test_path("%s/mnt/b", folder)))
		cr_skip("no attributes here");
	cr_assert(eq(int, rv_cgroup_find(folder, false, found, sizeof found, &why), RV_OK), "%s",
		  why.text);
	rv_assert_text(found, rv_test_path("%s/mnt/b", folder));
	rv_test_write_file(rv_test_path("%s/cgroup", folder), "0::/elsewhere\n");
	cr_assert(eq(int, rv_cgroup_find(folder, false, found, sizeof found, &why), RV_E_NOTFOUND));
	rv_test_tmpdir_end();
}

Test(cgroup, what_is_not_ours_is_not_used)
{
	fake("/");
	if (geteuid() == 0) {
		cr_assert(eq(int, rv_cgroup_find(folder, false, found, sizeof found, &why),
			     RV_E_NOTFOUND));
		rv_assert_has(why.text, "not delegated");
	}
	(void)delegate(rv_test_path("%s/mnt/a/b", folder));
	cr_assert(eq(int, unlink(rv_test_path("%s/mnt/a/b/cgroup.kill", folder)), 0));
	cr_assert(eq(int, rv_cgroup_find(folder, false, found, sizeof found, &why), RV_E_NOTFOUND));
	rv_assert_text(found, "");
	rv_test_write_file(rv_test_path("%s/cgroup", folder), "4:memory:/x\n");
	cr_assert(eq(int, rv_cgroup_find(folder, false, found, sizeof found, &why), RV_E_NOTFOUND));
	rv_assert_has(why.text, "no cgroup v2");
	cr_assert(eq(int, rv_cgroup_find("/nowhere", false, found, sizeof found, &why),
		     RV_E_NOTFOUND));
	rv_test_tmpdir_end();
}

Test(cgroup, a_kill_is_one_word_in_one_file)
{
	char text[8] = "";
	size_t got = 0;
	int left = 7;
	int fd;

	fake("/");
	const char *base = rv_test_path("%s/mnt", folder);

	cr_assert(eq(int, rv_cgroup_make(base, "reeve-x"), RV_OK));
	cr_assert(eq(int, rv_cgroup_make(base, "reeve-x"), RV_OK), "there already");
	cr_assert(eq(int, rv_cgroup_kill(base, "reeve-y"), RV_E_NOTFOUND));
	cr_assert(eq(int, rv_cgroup_kill(base, "a"), RV_E_NOTFOUND), "it has no such file");
	cr_assert(eq(int, rv_cgroup_kill(base, "b"), RV_OK));
	fd = open(rv_test_path("%s/b/cgroup.kill", base), O_RDONLY | O_CLOEXEC);
	cr_assert(eq(int, rv_fd_read_all(fd, text, sizeof text - 1, &got), RV_OK));
	rv_fd_close(&fd);
	rv_assert_text(text, "1");
	cr_assert(eq(int, rv_cgroup_remove(base, "reeve-x"), RV_OK));
	cr_assert(eq(int, rv_cgroup_remove(base, "reeve-x"), RV_OK), "gone already");
	cr_assert(ne(int, rv_cgroup_remove(base, "b"), RV_OK), "not empty");
	/* One whose files are not the kernel's stays; the others' names do not begin like that. */
	cr_assert(eq(int, rv_cgroup_clear(base, "b", &left), RV_OK));
	cr_assert(eq(int, left, 1));
	cr_assert(eq(int, access(rv_test_path("%s/a/b", base), F_OK), 0));
	rv_test_tmpdir_end();
}

/* ---- limits */

static void controllers(const char *group, const char *offered, const char *enabled)
{
	rv_test_write_file(rv_test_path("%s/cgroup.controllers", group), "%s\n", offered);
	rv_test_write_file(rv_test_path("%s/cgroup.subtree_control", group), "%s\n", enabled);
}

/* What was written over the beginning of an ordinary file. */
static const char *written(const char *path)
{
	static char text[256];
	char *all = rv_test_read_file(path);

	(void)snprintf(text, sizeof text, "%s", all ? all : "(no such file)");
	free(all);
	return text;
}

Test(cgroup, what_a_machine_offers_is_told)
{
	fake("/");
	cr_assert(eq(int, rv_cgroup_offers(folder, RV_CGROUP_PIDS, &why), RV_E_NOTFOUND));
	rv_assert_has(why.text, "mnt/cgroup.controllers");
	controllers(rv_test_path("%s/mnt", folder), "cpuset cpu io memory", "");
	cr_assert(eq(int, rv_cgroup_offers(folder, RV_CGROUP_MEMORY | RV_CGROUP_CPU, &why), RV_OK));
	cr_assert(eq(int, rv_cgroup_offers(folder, RV_CGROUP_PIDS, &why), RV_E_NOTFOUND));
	rv_assert_has(why.text, "the controller pids is not in");
	rv_assert_has(why.text, "(cpuset cpu io memory)");
	/* Names are whole words. */
	controllers(rv_test_path("%s/mnt", folder), "cpuset", "");
	cr_assert(eq(int, rv_cgroup_offers(folder, RV_CGROUP_CPU, &why), RV_E_NOTFOUND));
	controllers(rv_test_path("%s/mnt", folder), "", "");
	cr_assert(eq(int, rv_cgroup_offers(folder, RV_CGROUP_CPU, &why), RV_E_NOTFOUND));
	rv_assert_has(why.text, "it has none");
	cr_assert(eq(int, rv_cgroup_offers("/nowhere", RV_CGROUP_CPU, &why), RV_E_NOTFOUND));
	rv_assert_has(why.text, "no cgroup v2");
	rv_test_tmpdir_end();
}

Test(cgroup, the_topmost_is_used_when_limits_are_asked_for)
{
	fake("/a/b");
	rv_test_write_file(rv_test_path("%s/mnt/cgroup.procs", folder), "%s", "");
	cr_assert(eq(int, rv_cgroup_find(folder, true, found, sizeof found, &why), RV_OK), "%s",
		  why.text);
	rv_assert_text(found, rv_test_path("%s/mnt", folder));
	if (geteuid() == 0)
		cr_assert(eq(int, rv_cgroup_find(folder, false, found, sizeof found, &why),
			     RV_E_NOTFOUND));
	/* From our leaf the one around it. */
	rv_test_write_file(rv_test_path("%s/cgroup", folder), "0::/a/b/reeve.daemon\n");
	cr_assert(eq(int, rv_cgroup_find(folder, false, found, sizeof found, &why), RV_OK), "%s",
		  why.text);
	rv_assert_text(found, rv_test_path("%s/mnt", folder));
	cr_assert(eq(int, rv_cgroup_own(folder, found, sizeof found, &why), RV_OK));
	rv_assert_text(found, rv_test_path("%s/mnt/reeve.daemon", folder));
	rv_test_tmpdir_end();
}

Test(cgroup, controllers_are_enabled_once)
{
	const char *base;

	fake("/");
	base = rv_test_path("%s/mnt/b", folder);
	cr_assert(ne(int, rv_cgroup_enable(base, RV_CGROUP_CPU, &why), RV_OK), "no controllers");
	controllers(base, "cpu memory pids", "memory");
	cr_assert(eq(int, rv_cgroup_enable(base, RV_CGROUP_MEMORY, &why), RV_OK));
	rv_assert_text(written(rv_test_path("%s/cgroup.subtree_control", base)), "memory\n");
	cr_assert(eq(int, rv_cgroup_enable(base, RV_CGROUP_MEMORY | RV_CGROUP_PIDS, &why), RV_OK));
	rv_assert_text(written(rv_test_path("%s/cgroup.subtree_control", base)), "+memory +pids");
	controllers(base, "memory", "");
	cr_assert(eq(int, rv_cgroup_enable(base, RV_CGROUP_PIDS, &why), RV_E_NOTFOUND));
	rv_assert_has(why.text, "pids");
	/* Not to be written: /dev/full says so at the write, as the kernel does. */
	cr_assert(eq(int, unlink(rv_test_path("%s/cgroup.subtree_control", base)), 0));
	cr_assert(
		eq(int, symlink("/dev/full", rv_test_path("%s/cgroup.subtree_control", base)), 0));
	cr_assert(ne(int, rv_cgroup_enable(base, RV_CGROUP_MEMORY, &why), RV_OK));
	rv_assert_has(why.text, "No space left");
	cr_assert(eq(int, unlink(rv_test_path("%s/cgroup.subtree_control", base)), 0));
	cr_assert(eq(int, rv_cgroup_enable(base, RV_CGROUP_MEMORY, &why), RV_E_NOTFOUND));
	rv_assert_has(why.text, "No such file");
	rv_test_tmpdir_end();
}

Test(cgroup, limits_are_written_as_the_kernel_reads_them)
{
	static const char *const files[] = {"memory.max", "memory.oom.group", "memory.swap.max",
					    "cpu.max", "pids.max"};
	const struct rv_cgroup_limits all = {512LL << 20, 500, 32};
	const struct rv_cgroup_limits little = {.cpu_milli = 1};
	const struct rv_cgroup_limits none = {0};
	const char *base;

	fake("/");
	base = rv_test_path("%s/mnt", folder);
	cr_assert(
		eq(uint, rv_cgroup_wants(&all), RV_CGROUP_MEMORY | RV_CGROUP_CPU | RV_CGROUP_PIDS));
	cr_assert(eq(uint, rv_cgroup_wants(&none), 0));
	cr_assert(eq(int, rv_cgroup_limit(base, "b", &none, &why), RV_OK), "no file is needed");
	cr_assert(ne(int, rv_cgroup_limit(base, "b", &all, &why), RV_OK));
	rv_assert_has(why.text, "memory.max");
	for (size_t i = 0; i < RV_ARRAY_LEN(files); i++)
		rv_test_write_file(rv_test_path("%s/b/%s", base, files[i]), "%s", "");
	cr_assert(eq(int, rv_cgroup_limit(base, "b", &all, &why), RV_OK), "%s", why.text);
	rv_assert_text(written(rv_test_path("%s/b/memory.max", base)), "536870912");
	rv_assert_text(written(rv_test_path("%s/b/memory.oom.group", base)), "1");
	rv_assert_text(written(rv_test_path("%s/b/memory.swap.max", base)), "0");
	rv_assert_text(written(rv_test_path("%s/b/cpu.max", base)), "50000 100000");
	rv_assert_text(written(rv_test_path("%s/b/pids.max", base)), "32");
	/* Below a quota of 1 ms the kernel refuses. */
	rv_test_write_file(rv_test_path("%s/b/cpu.max", base), "%s", "");
	cr_assert(eq(int, rv_cgroup_limit(base, "b", &little, &why), RV_OK));
	rv_assert_text(written(rv_test_path("%s/b/cpu.max", base)), "1000 1000000");
	cr_assert(eq(int, unlink(rv_test_path("%s/b/pids.max", base)), 0));
	cr_assert(ne(int, rv_cgroup_limit(base, "b", &all, &why), RV_OK), "all or none");
	rv_assert_has(why.text, "pids.max");
	rv_test_tmpdir_end();
}

Test(cgroup, one_goes_back_to_where_it_was)
{
	const char *base;
	char *procs;

	fake("/");
	base = rv_test_path("%s/mnt/b", folder);
	procs = strdup(rv_test_path("%s/" RV_CGROUP_DAEMON "/cgroup.procs", base));
	controllers(base, "pids", "");
	cr_assert(eq(int, rv_cgroup_make(base, RV_CGROUP_DAEMON), RV_OK));
	cr_assert(ne(int, rv_cgroup_enter(base, RV_CGROUP_DAEMON, 0, &why), RV_OK), "no file");
	rv_test_write_file(procs, "%s", "");
	cr_assert(eq(int, rv_cgroup_enter(base, RV_CGROUP_DAEMON, 4711, &why), RV_OK));
	rv_assert_text(written(procs), "4711");
	cr_assert(rv_cgroup_is_top(base));
	rv_test_write_file(rv_test_path("%s/cgroup.events", base), "%s", "");
	cr_assert(not(rv_cgroup_is_top(base)));
	/* Others are there. */
	rv_test_write_file(procs, "%d\n4711\n", (int)getpid());
	rv_cgroup_leave(base);
	rv_assert_text(written(rv_test_path("%s/cgroup.subtree_control", base)), "\n");
	rv_test_write_file(procs, "%d\n", (int)getpid());
	rv_cgroup_leave(base);
	rv_assert_text(written(rv_test_path("%s/cgroup.subtree_control", base)),
		       "-memory -cpu -pids");
	rv_assert_text(written(rv_test_path("%s/cgroup.procs", base)), "0");
	free(procs);
	rv_test_tmpdir_end();
}

/* Limits are in a group; what only is to be killed with it may be without. */
Test(cgroup, without_its_group_it_is_not_started)
{
	char name[] = "true";
	char *const argv[] = {name, NULL};
	struct rv_spawn how = {.path = "/bin/true", .argv = argv, .cgroup = "/nonexistent/group"};
	struct rv_proc proc;
	struct rv_exit end;

	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, rv_fd_wait(proc.pidfd, POLLIN, 20 * RV_S_US), RV_OK));
	cr_assert(eq(int, rv_proc_reap(&proc, &end), RV_OK));
	cr_assert(eq(int, end.code, 0));
	how.cgroup_must = true;
	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_E_BUSY));
	rv_assert_has(why.text, "/nonexistent/group");
}

/* ---- with the machine's own */

/* A group to test in, where the machine has a cgroup v2 that we may write; else the test ends. */
static const char *own_ground(void)
{
	static const char *const mounts[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};

	for (size_t i = 0; i < 2; i++) {
		const char *base = rv_test_path("%s/reeve-test-%d", mounts[i], (int)getpid());

		if (access(rv_test_path("%s/cgroup.procs", mounts[i]), W_OK) == 0 &&
		    mkdir(base, 0755) == 0) {
			if (access(rv_test_path("%s/cgroup.kill", base), W_OK) == 0)
				return base;
			(void)rmdir(base);
		}
	}
	cr_skip("no writable cgroup v2 on this machine");
	return NULL;
}

static bool gone(void *ctx)
{
	return rv_cgroup_remove(ctx, "reeve-real") == RV_OK;
}

Test(cgroup, nothing_runs_away_from_a_group)
{
	char *base = strdup(own_ground());
	char *up = strdup(rv_test_path("%s/up", rv_test_tmpdir()));
	char *group = strdup(rv_test_path("%s/reeve-real", base));
	int left = 7;
	pid_t pid;

	cr_assert(eq(int, rv_cgroup_make(base, "reeve-real"), RV_OK));
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/bin/sh", "sh", "-c",
		      "echo 0 >$0/cgroup.procs; trap '' TERM; mkdir $0/inner\n"
		      "for i in 1 2 3; do setsid sh -c 'setsid sleep 600 & sleep 600' & done\n"
		      "echo >$1; sleep 600",
		      group, up, (char *)NULL);
		_exit(127);
	}
	cr_assert(rv_test_wait_file(up, 20000));
	cr_assert(eq(int, rv_cgroup_remove(base, "reeve-real"), RV_E_BUSY));
	cr_assert(eq(int, rv_cgroup_kill(base, "reeve-real"), RV_OK));
	cr_assert(eq(int, waitpid(pid, NULL, 0), pid));
	cr_assert(eq(int, access(rv_test_path("%s/reeve-real/inner", base), F_OK), -1),
		  "what is empty within it has gone");
	cr_assert(rv_test_wait_until(gone, base, 20000), "all have ended");
	/* A whole tree at once. */
	cr_assert(eq(int, rv_cgroup_make(base, "reeve-real"), RV_OK));
	cr_assert(eq(int, mkdir(rv_test_path("%s/reeve-real/inner", base), 0755), 0));
	cr_assert(eq(int, mkdir(rv_test_path("%s/reeve-real/inner/most", base), 0755), 0));
	cr_assert(eq(int, rv_cgroup_clear(base, "reeve-", &left), RV_OK));
	cr_assert(eq(int, left, 0));
	cr_assert(eq(int, rmdir(base), 0));
	free(base);
	free(up);
	free(group);
	rv_test_tmpdir_end();
}
