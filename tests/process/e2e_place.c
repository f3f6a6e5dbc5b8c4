/*
 * F14 and F10 with the real daemon, as a plain program: it needs things that only root has, or who
 * is root in a namespace of its own.
 *
 * f14: the store's disk fills up under work.  New jobs are refused in words or taken, what runs is
 * acknowledged on the reserve, work goes on by itself when there is room again, nothing is lost.
 * cgroup: in a delegated cgroup v2 each worker and its jobs have a group, and none is left behind.
 * f10: the number of a process that the daemon had is given to a stranger; nobody signals it.
 */
#include "process/e2e.h"
#include "process/e2e_group.h"

#include "base/seam.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISK "24m"

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

RV_PRINTF(2, 3) static bool write_to(const char *path, const char *format, ...)
{
	char text[64];
	va_list args;
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	(void)close(fd);
	return good;
}

/* Root here, by right or in a user namespace of ours, with ${spaces} that nobody else sees. */
static bool become_root_of(int spaces)
{
	unsigned uid = (unsigned)getuid();
	unsigned gid = (unsigned)getgid();

	if (unshare(spaces) == 0)
		return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	return unshare(CLONE_NEWUSER | spaces) == 0 && write_to("/proc/self/setgroups", "deny") &&
	       write_to("/proc/self/uid_map", "0 %u 1\n", uid) &&
	       write_to("/proc/self/gid_map", "0 %u 1\n", gid) &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* Writes until nothing more goes in. */
static void fill(const char *path)
{
	static char block[65536];
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	size_t size = sizeof block;

	RV_NEED(e, fd >= 0, "%s", strerror(errno));
	while (size > 0) {
		if (write(fd, block, size) != (ssize_t)size)
			size /= 2;
	}
	(void)close(fd);
}

static void f14_a_full_disk_under_work(void)
{
	static int64_t ids[64];
	size_t count = 4;
	char fill_path[300];
	int64_t room_us;
	int refused = 0;

	rv_e2e_new(e, "[pool:default]\nworkers = 2\nheartbeat = 200ms\nrestart_delay = 10ms\n"
		      "restart_delay_max = 200ms\nrestart_burst = 1000/1s\n");
	rv_e2e_start(e);
	rv_e2e_submit(e, "until=go say=x", count, ids);
	rv_e2e_job_says_times(e, "start ", 2);
	(void)snprintf(fill_path, sizeof fill_path, "%s/state/run/fill", e->dir);
	fill(fill_path);
	/* What runs ends, and the next ones begin and end: acknowledged on the reserve. */
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
	for (size_t i = 0; i < count; i++)
		rv_e2e_until(e, ids[i], RV_JOB_SUCCEEDED);
	RV_NEED(e, access(fill_path, F_OK) == 0, "and the disk is full all the time");
	fill(fill_path);
	/* Until the reserve is used up as well: then a new job is refused. */
	for (int i = 0; i < 40 && refused == 0; i++) {
		int code = rv_e2e_reeve(e, "add", "job", "do=say=later", NULL);

		if (code == 0)
			ids[count++] = strtoll(rv_buf_text(&e->out), NULL, 10);
		else
			refused++;
		RV_NEED(e, code == 0 || code == 6, "add returns %d: %s", code,
			rv_buf_text(&e->err));
		RV_NEED(e, code == 0 || e->err.size > 20, "it says why");
		fill(fill_path);
	}
	RV_NEED(e, refused > 0, "a full disk is seen");
	RV_NEED(e, unlink(fill_path) == 0, "%s", strerror(errno));
	room_us = rv_mono_us();
	rv_e2e_wait_all(e, 0);
	/* 5 s for one that waits, as the catalogue has it; the rest is this machine's. */
	RV_NEED(e, rv_mono_us() - room_us < 20 * RV_S_US, "it took %lld ms",
		(long long)((rv_mono_us() - room_us) / 1000));
	rv_e2e_all_ran(e, ids, count);
	ids[count] = rv_e2e_job(e, "say=x");
	rv_e2e_until(e, ids[count], RV_JOB_SUCCEEDED);
	rv_e2e_end(e);
}

static int full_disk(void)
{
	const char *base = getenv("TMPDIR");
	char dir[256];

	/* Not one of the helper's, which removes its own before the file system is gone. */
	(void)snprintf(dir, sizeof dir, "%s/reeve-disk-XXXXXX", base && base[0] ? base : "/tmp");
	if (!mkdtemp(dir))
		return 1;

	if (!become_root_of(CLONE_NEWNS) ||
	    mount("tmpfs", dir, "tmpfs", 0, "size=" DISK ",mode=0700") != 0) {
		(void)printf("f14: no file system of our own can be mounted here: %s\n",
			     strerror(errno));
		(void)rmdir(dir);
		return 77;
	}
	RV_NEED(e, setenv("TMPDIR", dir, 1) == 0, "TMPDIR");
	f14_a_full_disk_under_work();
	return umount2(dir, 0) == 0 && rmdir(dir) == 0 ? 0 : 1;
}

/* ---- F10 */

/* A process with this number, of ours: it sleeps.  -1: we may not choose numbers. */
static pid_t stranger(pid_t number)
{
	pid_t wanted[1] = {number};
	struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uintptr_t)wanted, .set_tid_size = 1};
	long pid = syscall(SYS_clone3, &args, sizeof args);

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)execlp("sleep", "sleep", "600", NULL);
		_exit(127);
	}
	return (pid_t)pid;
}

struct wanted {
	pid_t number, pid;
};

static bool is_given(void *ctx)
{
	struct wanted *wanted = ctx;

	wanted->pid = stranger(wanted->number);
	/* While somebody of its session or group is still there the number is not free. */
	return wanted->pid > 0 || errno != EEXIST;
}

/* The same as soon as the number is free. */
static pid_t await_stranger(pid_t number)
{
	struct wanted wanted = {.number = number};

	RV_NEED(e, rv_test_wait_until(is_given, &wanted, RV_E2E_WAIT_MS) && wanted.pid == number,
		"number %d is not to be had: %s", (int)number, strerror(errno));
	return wanted.pid;
}

/* The leader of the last run of ${job}. */
static pid_t last_leader(int64_t job)
{
	char *text = rv_test_read_file(rv_e2e_path(e, "jobs"));
	char head[32];
	int pid = 0;

	(void)snprintf(head, sizeof head, "start %lld ", (long long)job);
	for (const char *at = text; at && (at = strstr(at, head)) != NULL; at++)
		(void)sscanf(at, "start %*s %*s %d", &pid);
	free(text);
	RV_NEED(e, pid > 1, "job %lld has not started", (long long)job);
	return (pid_t)pid;
}

static bool lives(pid_t pid)
{
	return kill(pid, 0) == 0 && rv_test_wait_dead(pid, 0) == false;
}

static void f10_numbers_that_are_given_again(void)
{
	pid_t strangers[6];
	pid_t daemon;
	int64_t job, next;
	int n = 0;

	rv_e2e_new(e, "[pool:default]\nworkers = 2\nrestart_delay = 10ms\n"
		      "restart_delay_max = 50ms\nrestart_burst = 1000/1s\nheartbeat = 50ms\n"
		      "hang_timeout = 300ms\nlease = 500ms\n");
	rv_e2e_start(e);
	job = rv_e2e_job(e, "escape=double until=go");
	rv_e2e_job_says(e, "start ");
	/* Keeper, worker, and the daemon itself die; strangers get their numbers. */
	for (int slot = 0; slot <= 2; slot++) {
		pid_t pid = rv_e2e_await_child(e, slot);

		RV_NEED(e, rv_e2e_signal_pid(pid, SIGKILL), "slot %d", slot);
		while (rv_e2e_child(e, slot) == pid)
			(void)rv_test_wait_dead(pid, 10);
		strangers[n++] = await_stranger(pid);
	}
	rv_e2e_job_says_times(e, "start ", 2);
	daemon = e->daemon.pid;
	rv_e2e_kill(e);
	strangers[n++] = await_stranger(daemon);
	rv_e2e_start(e);
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	/* A job's leader has ended; its number is somebody's when it is cancelled, and when another
	 * one is, and at the stop. */
	strangers[n++] = await_stranger(last_leader(job));
	RV_NEED(e, rv_e2e_reeve(e, "cancel", "1", NULL) == 5, "it is over");
	next = rv_e2e_job(e, "escape=double until=never");
	rv_e2e_job_says(e, "start %lld ", (long long)next);
	RV_NEED(e, rv_e2e_reeve(e, "cancel", "2", NULL) == 0, "it runs");
	rv_e2e_until(e, next, RV_JOB_CANCELLED);
	strangers[n++] = await_stranger(last_leader(next));
	rv_e2e_stop(e);
	for (int i = 0; i < n; i++) {
		RV_NEED(e, lives(strangers[i]), "stranger %d was signalled", (int)strangers[i]);
		RV_NEED(e, rv_e2e_signal_pid(strangers[i], SIGKILL), "ours to end");
	}
	(void)printf("f10: %d numbers were given again\n", n);
	rv_e2e_fini(e);
}

/* Numbers are root's to choose, of a space of processes that is its own. */
static void reused_numbers(void)
{
	int status = 0;
	pid_t first;

	if (!become_root_of(CLONE_NEWNS | CLONE_NEWPID)) {
		(void)printf("f10: no processes can be numbered here: %s\n", strerror(errno));
		(void)fflush(stdout);
		_exit(77);
	}
	first = fork();
	if (first == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (mount("proc", "/proc", "proc", 0, NULL) != 0)
			_exit(77);
		f10_numbers_that_are_given_again();
		(void)fflush(stdout);
		_exit(0);
	}
	if (first < 0 || waitpid(first, &status, 0) != first)
		_exit(1);
	/* At once: who has let go of its space of processes can make no thread, as LSan would. */
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* ---- cgroups */

static bool is_in_group(pid_t pid, const char *base)
{
	char *group = rv_e2e_group_of(pid, base);
	bool is = strstr(group, "/reeve-") != NULL;

	free(group);
	return is;
}

static void a_worker_and_its_jobs_are_a_group(const char *base)
{
	pid_t worker;
	int64_t job;

	rv_e2e_new(e, "[log]\nlevel = debug\n[pool:default]\nworkers = 2\nrestart_delay = 10ms\n");
	e->cgroup = base;
	rv_e2e_start(e);
	rv_e2e_logged(e, "workers get cgroups in");
	rv_e2e_groups_are(e, base, 2);
	worker = rv_e2e_await_child(e, 1);
	RV_NEED(e,
		is_in_group(worker, base) && !is_in_group(e->daemon.pid, base) &&
			!is_in_group(rv_e2e_await_child(e, 0), base),
		"workers, and nobody else");
	for (int i = 0; i < 2; i++)
		job = rv_e2e_job(e, "escape=double until=go");
	rv_e2e_job_says_times(e, "start ", 2);
	RV_NEED(e, rv_e2e_signal_pid(worker, SIGKILL), "worker 1");
	rv_e2e_job_says_times(e, "start ", 3);
	rv_e2e_groups_are(e, base, 2);
	/* A killed daemon leaves its groups to its successor. */
	rv_e2e_kill(e);
	RV_NEED(e, rv_e2e_gone(e, RV_E2E_WAIT_MS), "all of it ends");
	RV_NEED(e, rv_e2e_groups(e, base) > 0, "nobody could remove them");
	rv_e2e_start(e);
	rv_e2e_groups_are(e, base, 2);
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_e2e_wait_all(e, 0);
	rv_e2e_stop(e);
	RV_NEED(e, rv_e2e_groups(e, base) == 0, "%d groups are left", rv_e2e_groups(e, base));
	rv_e2e_fini(e);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "cgroup") == 0)
		return rv_e2e_delegated("cgroup", false, a_worker_and_its_jobs_are_a_group);
	if (argc > 1 && strcmp(argv[1], "f14") == 0)
		return full_disk();
	reused_numbers();
	return 1;
}
