/*
 * Starting processes: what the child gets is exactly what was said (F12, F16, F36), what fails says
 * so in words, and nothing is left behind.
 */
#include "base/check.h"
#include "base/fmt.h"
#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/child.h"
#include "helpers/limit.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "os/fd.h"
#include "os/self.h"
#include "os/spawn.h"
#include "os/user.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_ENV "PATH=/usr/local/bin:/usr/bin:/bin"

static const char *probe(void)
{
	static char path[4096];
	struct rv_why why = {{0}};

	cr_assert(eq(int, rv_self_sibling("rv_testprobe", path, sizeof path, &why), RV_OK), "%s",
		  why.text);
	return path;
}

static struct rv_exit reap(struct rv_proc *proc)
{
	struct rv_exit how = {0};

	cr_assert(eq(int, rv_fd_wait(proc->pidfd, POLLIN, 30 * RV_S_US), RV_OK));
	cr_assert(eq(int, rv_proc_reap(proc, &how), RV_OK));
	return how;
}

/* Runs ${how} with its stdout in a pipe, gives what it wrote (borrowed until the next call). */
static char *output(struct rv_spawn *how)
{
	static char text[65536];
	struct rv_why why = {{0}};
	struct rv_proc proc;
	struct rv_exit end;
	size_t got = 0;
	int fds[2];

	cr_assert(eq(int, rv_fd_pipe(fds, false), RV_OK));
	how->fds[how->nfds++] = (struct rv_spawn_fd){.from = fds[1], .to = 1};
	how->fds[how->nfds++] = (struct rv_spawn_fd){.from = 2, .to = 2};
	cr_assert(eq(int, rv_spawn(how, &proc, &why), RV_OK), "%s", why.text);
	rv_fd_close(&fds[1]);
	cr_assert(eq(int, rv_fd_read_all(fds[0], text, sizeof text - 1, &got), RV_OK));
	text[got] = '\0';
	rv_fd_close(&fds[0]);
	end = reap(&proc);
	cr_assert(eq(int, end.code, 0));
	return text;
}

static char *shell(struct rv_spawn *how, const char *script)
{
	how->argv = RV_WORDS("sh", "-c", script);
	how->envp = RV_WORDS(PATH_ENV);
	return output(how);
}

Test(spawn, the_environment_is_exactly_what_was_given)
{
	char *const *envp = RV_WORDS("A=1", "B=two words", "C=");
	struct rv_spawn how = {.argv = RV_WORDS(probe(), "env"), .envp = envp};

	rv_assert_text(output(&how), "A=1\nB=two words\nC=\n");
}

Test(spawn, no_environment_is_an_empty_one)
{
	struct rv_spawn how = {.argv = RV_WORDS(probe(), "env")};

	(void)setenv("LEAKED", "1", 1);
	rv_assert_text(output(&how), "");
}

Test(spawn, f36_the_child_has_its_descriptors_and_no_other)
{
	struct rv_spawn how = {.argv = RV_WORDS(probe(), "fds")};
	int leaks[20];

	for (size_t i = 0; i < RV_ARRAY_LEN(leaks); i++)
		leaks[i] = open("/dev/null", O_RDONLY); /* not close-on-exec, on purpose */
	how.fds[how.nfds++] = (struct rv_spawn_fd){.from = leaks[3], .to = 7};
	rv_assert_text(output(&how), "0 1 2 7 \n");
	for (size_t i = 0; i < RV_ARRAY_LEN(leaks); i++)
		rv_fd_close(&leaks[i]);
}

Test(spawn, stdin_that_was_not_named_is_dev_null)
{
	struct rv_spawn how = {0};

	rv_assert_text(shell(&how, "readlink /proc/self/fd/0; wc -c"), "/dev/null\n0\n");
}

/* 20 and 21 change places; 22 goes to both 20's old user and itself. */
Test(spawn, descriptors_may_swap_their_numbers)
{
	struct rv_spawn how = {0};
	char text[2][32] = {"", ""};
	int fds[2][2];

	for (int i = 0; i < 2; i++) {
		cr_assert(eq(int, rv_fd_pipe(fds[i], false), RV_OK));
		cr_assert(eq(int, dup2(fds[i][1], 20 + i), 20 + i));
		rv_fd_close(&fds[i][1]);
		how.fds[how.nfds++] = (struct rv_spawn_fd){.from = 20 + i, .to = 21 - i};
	}
	how.fds[how.nfds++] = (struct rv_spawn_fd){.from = 20, .to = 3};
	(void)shell(&how, "echo to-twenty >/dev/fd/20; echo to-twenty-one >/dev/fd/21; "
			  "echo to-three >&3");
	(void)close(20);
	(void)close(21);
	for (int i = 0; i < 2; i++) {
		size_t got = 0;

		cr_assert(eq(int, rv_fd_read_all(fds[i][0], text[i], 31, &got), RV_OK));
		rv_fd_close(&fds[i][0]);
	}
	rv_assert_text(text[0], "to-twenty-one\nto-three\n");
	rv_assert_text(text[1], "to-twenty\n");
}

/* A pidfd is all that a parent needs to have free. */
Test(spawn, f36_under_descriptor_pressure)
{
	struct rv_test_limit limit;
	char *const *words = RV_WORDS("true");
	struct rv_spawn how = {.argv = words};
	struct rv_why why = {{0}};
	struct rv_proc proc;
	int last = -1;
	int fd;

	limit = rv_test_limit(RLIMIT_NOFILE, 64);
	while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		last = fd;
	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_E_BUSY));
	cr_assert(ne(int, why.text[0], 0));
	(void)close(last);
	for (size_t i = 0; i < RV_SPAWN_FDS; i++)
		how.fds[how.nfds++] = (struct rv_spawn_fd){.from = -1, .to = (int)i};
#ifndef __SANITIZE_THREAD__ /* fork() there needs two more */
	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, reap(&proc).code, 0));
#endif
	rv_test_limit_end(&limit);
}

struct failure {
	const char *program;
	const char *cwd;
	int err;
	const char *words;
};

static const struct failure failures[] = {
	{"/nonexistent/program", NULL, RV_E_MISSING, "No such file or directory"},
	{"no-such-program-anywhere", NULL, RV_E_MISSING, "No such file or directory"},
	{"", NULL, RV_E_MISSING, "No such file or directory"},
	{"/etc/passwd", NULL, RV_E_MISSING, "Permission denied"},
	{"/usr", NULL, RV_E_MISSING, "Permission denied"},
	{"true", "/nonexistent", RV_E_IO, "cannot enter the folder /nonexistent: No such file"},
	{"true", "/etc/passwd", RV_E_IO, "cannot enter the folder /etc/passwd: Not a directory"},
};

Test(spawn, f16_what_cannot_start_says_why_and_leaves_nothing)
{
	char *const *envp = RV_WORDS(PATH_ENV);
	int before = rv_test_count_fds();

	for (size_t i = 0; i < RV_ARRAY_LEN(failures); i++) {
		const struct failure *row = &failures[i];
		char *const *words = RV_WORDS(row->program);
		struct rv_spawn how = {.argv = words, .envp = envp, .cwd = row->cwd};
		struct rv_proc proc = {.pid = 77, .pidfd = 99};
		struct rv_why why = {{0}};

		cr_assert(eq(int, rv_spawn(&how, &proc, &why), row->err), "%s", row->program);
		rv_assert_has(why.text, row->words);
		cr_assert(eq(int, proc.pid, 77), "the answer is left alone");
		errno = 0;
		cr_assert(eq(int, waitpid(-1, NULL, WNOHANG), -1));
		cr_assert(eq(int, errno, ECHILD));
	}
	cr_assert(eq(int, rv_test_count_fds(), before));
}

Test(spawn, a_script_without_an_interpreter_is_refused_not_given_to_a_shell)
{
	const char *script = rv_test_path("%s/script", rv_test_tmpdir());
	char *const *words = RV_WORDS(script);
	struct rv_spawn how = {.argv = words};
	struct rv_why why = {{0}};
	struct rv_proc proc;

	rv_test_write_file(script, "echo hello\n");
	cr_assert(eq(int, chmod(script, 0755), 0));
	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_E_MISSING));
	rv_assert_has(why.text, "Exec format error");
}

/* The child's PATH counts, in its order; a file that may not be executed does not hide a later one.
 */
Test(spawn, the_program_is_searched_along_the_childs_path)
{
	const char *folder = rv_test_tmpdir();
	char path[1024];
	char *const *envp = RV_WORDS(path);
	char *const *words = RV_WORDS("tool");
	struct rv_spawn how = {.argv = words, .envp = envp, .cwd = folder};
	struct rv_spawn again = how;
	struct rv_spawn empty = how;
	struct rv_why why = {{0}};
	struct rv_proc proc;

	(void)snprintf(path, sizeof path, "PATH=/nonexistent:%s/one:/etc/passwd:%s/two", folder,
		       folder);
	(void)mkdir(rv_test_path("%s/one", folder), 0755);
	(void)mkdir(rv_test_path("%s/two", folder), 0755);
	rv_test_write_file(rv_test_path("%s/one/tool", folder), "#!/bin/sh\necho one\n");
	cr_assert(eq(int, chmod(rv_test_path("%s/one/tool", folder), 0644), 0));
	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_E_MISSING));
	rv_assert_has(why.text, "Permission denied");
	rv_test_write_file(rv_test_path("%s/two/tool", folder), "#!/bin/sh\necho two\n");
	cr_assert(eq(int, chmod(rv_test_path("%s/two/tool", folder), 0755), 0));
	rv_assert_text(output(&how), "two\n");
	cr_assert(eq(int, chmod(rv_test_path("%s/one/tool", folder), 0755), 0));
	rv_assert_text(output(&again), "one\n");
	/* An empty element is the folder the child is in. */
	(void)snprintf(path, sizeof path, "PATH=/nonexistent:");
	rv_test_write_file(rv_test_path("%s/tool", folder), "#!/bin/sh\necho here\n");
	cr_assert(eq(int, chmod(rv_test_path("%s/tool", folder), 0755), 0));
	rv_assert_text(output(&empty), "here\n");
}

Test(spawn, an_explicit_path_is_not_searched_and_argv0_is_free)
{
	char *const *words = RV_WORDS("some name", "-c", "echo \"$0\"");
	struct rv_spawn how = {.path = "/bin/sh", .argv = words};

	rv_assert_text(output(&how), "some name\n");
}

Test(spawn, limits_umask_priority_and_folder)
{
	const struct rv_spawn_limit limits[] = {
		{RLIMIT_NOFILE, {99, 100}, NULL},
		{RLIMIT_CORE, {0, 0}, NULL},
	};
	struct rv_spawn how = {
		.umask = 0137,
		.nice = 3,
		.oom_score_adj = 321,
		.cwd = "/usr",
		.limits = limits,
		.nlimits = RV_ARRAY_LEN(limits),
	};

	char wanted[64];

	(void)snprintf(wanted, sizeof wanted, "0137\n%d\n99\n100\n0\n/usr\n321\n",
		       getpriority(PRIO_PROCESS, 0) + 3);
	rv_assert_text(shell(&how, "umask; nice; ulimit -n; ulimit -Hn; ulimit -c; "
				   "pwd; cat /proc/self/oom_score_adj"),
		       wanted);
}

/* What was asked for and cannot be had is said, not left out. */
Test(spawn, shares_that_cannot_be_had_are_named)
{
	uint64_t cpus[RV_SPAWN_CPUS / 64] = {[15] = 1ULL << 63};
	struct rv_spawn how = {.argv = RV_WORDS("true"), .cpus = cpus};
	struct rv_why why = {{0}};
	struct rv_proc proc;
	struct rv_exit end;

	cr_assert(ne(int, rv_spawn(&how, &proc, &why), RV_OK));
	rv_assert_has(why.text, "CPUs");
	if (geteuid() != 0)
		cr_skip("the rest needs root");
	cr_assert(eq(int, setresuid(65534, 65534, 0), 0));
	how.cpus = NULL;
	how.ioprio = 1 << 13;
	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_E_DENIED));
	rv_assert_has(why.text, "priority of I/O");
	how.ioprio = 0;
	how.oom_score_adj = -900;
	how.oom_score_must = true;
	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_E_DENIED));
	rv_assert_has(why.text, "oom_score_adj");
	how.oom_score_must = false;
	how.envp = RV_WORDS(PATH_ENV);
	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_OK));
	end = reap(&proc);
	cr_assert(eq(int, end.code, 0));
	cr_assert(eq(int, setresuid(0, 0, 0), 0));
}

Test(spawn, a_zeroed_request_inherits)
{
	struct rv_spawn how = {0};
	struct rv_spawn none = {.umask = RV_SPAWN_UMASK_0};
	char wanted[32];

	(void)snprintf(wanted, sizeof wanted, "0027\n%d\n", getpriority(PRIO_PROCESS, 0));
	(void)umask(0027);
	rv_assert_text(shell(&how, "umask; nice"), wanted);
	rv_assert_text(shell(&none, "umask"), "0000\n");
}

/* A handler or mask of the parent's means nothing to the child. */
Test(spawn, f12_signals_are_as_at_birth)
{
	char *const *words = RV_WORDS(probe(), "status", "SigIgn", "SigBlk");
	struct rv_spawn how = {.argv = words};
	sigset_t set;

	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	char *text = output(&how);
	rv_assert_has(text, "SigBlk:\t0000000000000000\n");
	rv_assert_has(text, "SigIgn:\t0000000000000000\n");
	(void)sigprocmask(SIG_BLOCK, NULL, &set);
	cr_assert(sigismember(&set, SIGUSR1), "our own mask is as it was");
	cr_assert(not(sigismember(&set, SIGUSR2)));
}

Test(spawn, a_new_session_is_led_by_the_child)
{
	char *const *words = RV_WORDS("sleep", "600");
	struct rv_spawn how = {.argv = words, .new_session = true};
	struct rv_procstat stat;
	struct rv_why why = {{0}};
	struct rv_proc proc;

	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, rv_procstat(proc.pid, &stat), RV_OK));
	cr_assert(eq(int, stat.session, proc.pid));
	cr_assert(eq(int, stat.pgrp, proc.pid));
	cr_assert(eq(int, rv_proc_signal(&proc, SIGKILL, true), RV_OK));
	cr_assert(eq(int, reap(&proc).signo, SIGKILL));
}

Test(spawn, f05_the_child_dies_with_its_parent)
{
	const char *const words[] = {probe(), "parent", "9", NULL};
	struct rv_test_start how = {.argv = words, .pipe_in = true, .pipe_out = true};
	struct rv_test_child parent;
	char line[32];
	int64_t pid = 0;

	rv_test_start(&how, &parent);
	cr_assert(rv_test_wait_line(parent.out, line, sizeof line, 20000));
	cr_assert(eq(int, rv_parse_int(line, 2, INT32_MAX, &pid), RV_OK), "%s", line);
	cr_assert(eq(int, kill((pid_t)pid, 0), 0));
	rv_test_signal(&parent, SIGKILL);
	cr_assert(rv_test_wait_dead((pid_t)pid, 10000));
	rv_test_end(&parent);
}

Test(spawn, another_user_has_no_way_back)
{
	struct rv_user nobody;
	struct rv_why why = {{0}};
	const gid_t groups[] = {65534, 4711};
	struct rv_spawn how = {
		.switch_user = true, .no_new_privs = true, .groups = groups, .ngroups = 2};

	if (geteuid() != 0)
		cr_skip("needs root");
	cr_assert(eq(int, rv_user_find("nobody", &nobody, &why), RV_OK), "%s", why.text);
	how.uid = nobody.uid;
	how.gid = nobody.gid;
	how.parent_death_signal = SIGKILL;
	char *text = shell(&how, "id -u; id -ru; id -g; id -G; "
				 "grep -E '^(CapInh|CapPrm|CapEff|CapAmb|NoNewPrivs)' "
				 "/proc/self/status | tr -d '\\t'");
	rv_assert_text(text,
		       "65534\n65534\n65534\n65534 4711\n"
		       "CapInh:0000000000000000\nCapPrm:0000000000000000\nCapEff:0000000000000000\n"
		       "CapAmb:0000000000000000\nNoNewPrivs:1\n");
	rv_user_fini(&nobody);
}

/* By way of a user that is not root: one that may not become another is told so. */
/* An effective nobody whose saved id is root must not pass for nobody. */
Test(spawn, a_saved_root_is_not_taken_for_the_user)
{
	const gid_t group = 65534;
	struct rv_spawn how = {.argv = RV_WORDS("true"),
			       .switch_user = true,
			       .uid = 65534,
			       .gid = group,
			       .groups = &group,
			       .ngroups = 1};
	struct rv_why why = {{0}};
	struct rv_proc proc;

	if (geteuid() != 0)
		cr_skip("needs root");
	cr_assert(eq(int, setresgid(group, group, 0), 0));
	cr_assert(eq(int, setresuid(65534, 65534, 0), 0));
	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_E_DENIED));
	cr_assert(eq(int, setresuid(0, 0, 0), 0));
}

Test(spawn, without_root_there_is_no_other_user_but_oneself)
{
	gid_t group = 65534;
	struct rv_spawn how = {
		.switch_user = true, .uid = 65534, .gid = group, .groups = &group, .ngroups = 1};
	char *const *words = RV_WORDS("true");
	struct rv_why why = {{0}};
	struct rv_proc proc;

	if (geteuid() == 0 &&
	    (setresgid(group, group, group) != 0 || setresuid(65534, 65534, 65534)))
		cr_skip("cannot be nobody");
	how.argv = words;
	how.uid = geteuid();
	how.gid = getegid();
	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, reap(&proc).code, 0));
	how.uid = 1;
	how.user = "daemon";
	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_E_DENIED));
	rv_assert_has(why.text, "cannot become the user daemon");
	how.user = NULL;
	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_E_DENIED));
	rv_assert_has(why.text, "user 1:");
	how.uid = geteuid();
	how.gid = 1;
	how.group = "daemon";
	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_E_DENIED));
	rv_assert_has(why.text, "cannot become the group daemon:");
	cr_assert(rv_user_may_switch(1) == false);
	how.switch_user = false;
	how.nice = -5;
	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_E_DENIED));
	rv_assert_has(why.text, "priority");
	(void)close(STDERR_FILENO); /* nobody cannot write coverage, and need not say so */
}

Test(spawn, f16_no_process_to_be_had_is_busy)
{
	const gid_t group = 65534;
	/* The build may lie where another user cannot go: a copy of the probe that it can run. */
	const char *folder = rv_test_tmpdir();
	const char *copy = rv_test_path("%s/probe", folder);
	struct rv_spawn take = {.argv = RV_WORDS("/usr/bin/install", "-m", "0755", probe(), copy)};
	struct rv_spawn how = {.argv = RV_WORDS(copy, "nproc"),
			       .switch_user = true,
			       .uid = 65534,
			       .gid = 65534,
			       .groups = &group,
			       .ngroups = 1};

	if (geteuid() != 0)
		cr_skip("needs root: the limit must not be the tester's own");
	cr_assert(eq(int, chmod(folder, 0755), 0));
	rv_assert_text(output(&take), "");
	rv_assert_text(output(&how),
		       "RV_E_BUSY cannot make a process: Resource temporarily unavailable\n");
}

Test(spawn, exit_codes_signals_and_usage)
{
	struct rv_spawn how = {.argv = RV_WORDS("sh", "-c", "exit 42")};
	struct rv_exit end = {0};
	struct rv_why why = {{0}};
	struct rv_proc proc;

	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_OK), "%s", why.text);
	end = reap(&proc);
	cr_assert(eq(int, end.code, 42));
	cr_assert(eq(int, end.signo, 0));
	cr_assert(lt(long, 100, end.usage.ru_maxrss));
	cr_assert(eq(int, proc.pidfd, -1));
	cr_assert(eq(int, rv_proc_reap(&proc, &end), RV_E_NOTFOUND));
	cr_assert(eq(int, rv_proc_signal(&proc, SIGTERM, true), RV_E_NOTFOUND),
		  "F10: never by number");
	how.argv = RV_WORDS("sh", "-c", "kill -USR1 $$; sleep 600");
	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_OK), "%s", why.text);
	end = reap(&proc);
	cr_assert(eq(int, end.code, -1));
	cr_assert(eq(int, end.signo, SIGUSR1));
}

Test(spawn, a_running_child_is_busy_and_a_foreign_one_not_found)
{
	char *const *words = RV_WORDS("sleep", "600");
	struct rv_spawn how = {.argv = words};
	struct rv_exit end = {.code = 99};
	struct rv_why why = {{0}};
	struct rv_proc proc;
	struct rv_proc gone;

	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, rv_proc_reap(&proc, &end), RV_E_BUSY));
	cr_assert(eq(int, end.code, 99));
	cr_assert(eq(int, rv_proc_signal(&proc, SIGKILL, false), RV_OK));
	gone = (struct rv_proc){.pid = proc.pid, .pidfd = dup(proc.pidfd)};
	cr_assert(eq(int, reap(&proc).signo, SIGKILL));
	cr_assert(eq(int, rv_proc_signal(&gone, SIGKILL, false), RV_E_NOTFOUND));
	cr_assert(eq(int, rv_proc_reap(&gone, &end), RV_E_NOTFOUND));
	cr_assert(eq(int, gone.pidfd, -1));
}

Test(spawn, the_seam_has_it)
{
	char *const *words = RV_WORDS("sleep", "600");
	struct rv_spawn how = {.argv = words};
	struct rv_why why = {{0}};
	struct rv_proc proc;

	cr_assert(eq(int, rv_seam()->spawn(rv_seam()->ctx, &how, &proc, &why), RV_OK));
	cr_assert(eq(int, rv_seam()->signal(rv_seam()->ctx, &proc, SIGTERM, 0), RV_OK));
	cr_assert(eq(int, reap(&proc).signo, SIGTERM));
}

Test(spawn, a_thousand_starts_leave_nothing)
{
	char *const *words = RV_WORDS("/bin/true");
	struct rv_spawn how = {.argv = words};
	int before = rv_test_count_fds();
	struct rv_why why = {{0}};
	struct rv_proc proc;

	for (int i = 0; i < 1000; i++) {
		cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_OK), "%s", why.text);
		cr_assert(eq(int, reap(&proc).code, 0));
	}
	cr_assert(eq(int, rv_test_count_fds(), before));
	cr_assert(eq(int, waitpid(-1, NULL, WNOHANG), -1));
}

Test(spawn, a_process_is_named_by_pid_and_start)
{
	uint64_t mine = 0;
	uint64_t init = 0;
	uint64_t none = 5;

	cr_assert(eq(int, rv_proc_start_time(getpid(), &mine), RV_OK));
	cr_assert(eq(int, rv_proc_start_time(1, &init), RV_OK));
	cr_assert(lt(u64, init, mine));
	cr_assert(eq(int, rv_proc_start_time(0x3fffffff, &none), RV_E_NOTFOUND));
	cr_assert(eq(u64, none, 5));
}

Test(spawn, the_boot_has_an_id)
{
	char one[37] = "";
	char two[37] = "";

	cr_assert(eq(int, rv_boot_id(one), RV_OK));
	cr_assert(eq(int, rv_boot_id(two), RV_OK));
	rv_assert_text(one, two);
	cr_assert(eq(sz, strlen(one), 36));
	cr_assert(eq(int, one[8], '-'));
}
