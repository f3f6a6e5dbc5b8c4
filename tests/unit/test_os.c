/* What the system says: signals, file systems, locks of others, users, our own program. */
#include "base/check.h"
#include "base/fmt.h"
#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/child.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "os/fd.h"
#include "os/fsinfo.h"
#include "os/proclocks.h"
#include "os/self.h"
#include "os/sig.h"
#include "os/use.h"
#include "os/user.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *probe(void)
{
	static char path[4096];

	cr_assert(eq(int, rv_self_sibling("rv_testprobe", path, sizeof path, NULL), RV_OK));
	return path;
}

Test(sig, f12_a_reset_undoes_what_was_inherited)
{
	struct sigaction now;
	sigset_t mask;

	(void)signal(SIGCHLD, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)sigfillset(&mask);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	rv_sig_reset();
	(void)sigaction(SIGCHLD, NULL, &now);
	cr_assert(eq(int, now.sa_handler == SIG_DFL, 1));
	(void)sigaction(SIGTERM, NULL, &now);
	cr_assert(eq(int, now.sa_handler == SIG_DFL, 1));
	(void)sigaction(SIGPIPE, NULL, &now);
	cr_assert(eq(int, now.sa_handler == SIG_IGN, 1));
	(void)sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int signo = 1; signo < 32; signo++)
		cr_assert(eq(int, sigismember(&mask, signo), 0));
}

Test(sig, signals_are_read_as_data)
{
	const int list[] = {SIGTERM, SIGHUP};
	struct rv_sig sig = {0};
	int fd = -1;

	cr_assert(eq(int, rv_sig_open(list, 2, &fd), RV_OK));
	cr_assert(eq(int, rv_sig_read(fd, &sig), RV_E_BUSY));
	(void)kill(getpid(), SIGTERM);
	(void)kill(getpid(), SIGHUP);
	cr_assert(eq(int, rv_sig_read(fd, &sig), RV_OK));
	cr_assert(eq(int, sig.signo, SIGHUP), "the lowest first");
	cr_assert(eq(int, sig.pid, getpid()));
	cr_assert(eq(int, rv_sig_read(fd, &sig), RV_OK));
	cr_assert(eq(int, sig.signo, SIGTERM));
	cr_assert(eq(int, rv_sig_read(fd, &sig), RV_E_BUSY));
	rv_fd_close(&fd);
	cr_assert(ne(int, rv_sig_read(fd, &sig), RV_OK));
}

Test(sig, names_both_ways)
{
	const char *const bad[] = {"", "SIG", "TERMX", "0", "99", "-1", "RTMIN+99", "?"};
	int signo = 0;

	for (int s = 1; s <= SIGRTMAX; s++) {
		if (rv_sig_name(s)[0] == '?')
			continue;
		cr_assert(eq(int, rv_sig_parse(rv_sig_name(s), &signo), RV_OK), "%s",
			  rv_sig_name(s));
		cr_assert(eq(int, signo, s));
	}
	rv_assert_text(rv_sig_name(SIGTERM), "TERM");
	rv_assert_text(rv_sig_name(SIGRTMIN + 3), "RTMIN+3");
	rv_assert_text(rv_sig_name(0), "?");
	rv_assert_text(rv_sig_name(9999), "?");
	cr_assert(eq(int, rv_sig_parse("sigterm", &signo), RV_OK));
	cr_assert(eq(int, signo, SIGTERM));
	cr_assert(eq(int, rv_sig_parse("9", &signo), RV_OK));
	cr_assert(eq(int, signo, 9));
	for (size_t i = 0; i < RV_ARRAY_LEN(bad); i++)
		cr_assert(eq(int, rv_sig_parse(bad[i], &signo), RV_E_PARSE), "%s", bad[i]);
}

Test(fsinfo, network_file_systems_are_refused_by_name)
{
	cr_assert(eq(int, (int)rv_fs_judge(0x6969).verdict, RV_FS_REFUSED));
	rv_assert_text(rv_fs_judge(0x6969).name, "nfs");
	rv_assert_text(rv_fs_judge(0xff534d42).name, "cifs");
	cr_assert(eq(int, (int)rv_fs_judge(0x01021997).verdict, RV_FS_REFUSED));
	cr_assert(eq(int, (int)rv_fs_judge(0x65735546).verdict, RV_FS_REFUSED));
	cr_assert(eq(int, (int)rv_fs_judge(0x01021994).verdict, RV_FS_VOLATILE));
	cr_assert(eq(int, (int)rv_fs_judge(0xef53).verdict, RV_FS_FINE));
	cr_assert(eq(int, (int)rv_fs_judge(0x12345678).verdict, RV_FS_FINE));
	rv_assert_text(rv_fs_judge(0x12345678).name, "0x12345678");
}

Test(fsinfo, a_path_and_one_that_is_not_there_yet)
{
	struct rv_why why = {{0}};
	char big[5000];
	struct rv_fs fs;

	cr_assert(eq(int, rv_fs_look("/dev/shm", &fs, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, (int)fs.verdict, RV_FS_VOLATILE));
	rv_assert_text(fs.name, "tmpfs");
	cr_assert(eq(int, rv_fs_look("/dev/shm/not-there-yet.db", &fs, &why), RV_OK));
	rv_assert_text(fs.name, "tmpfs");
	cr_assert(eq(int, rv_fs_look("/nonexistent/reeve.db", &fs, &why), RV_E_NOTFOUND));
	rv_assert_has(why.text, "cannot look at");
	memset(big, 'x', sizeof big);
	big[sizeof big - 1] = '\0';
	cr_assert(ne(int, rv_fs_look(big, &fs, &why), RV_OK));
}

Test(fsinfo, links_are_refused)
{
	const char *folder = rv_test_tmpdir();
	const char *file = rv_test_path("%s/file", folder);
	struct rv_why why = {{0}};
	struct rv_fs_id one;
	struct rv_fs_id two;

	cr_assert(eq(int, rv_fs_plain_file(file, &why), RV_E_NOTFOUND));
	rv_test_write_file(file, "x");
	cr_assert(eq(int, rv_fs_plain_file(file, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, symlink(file, rv_test_path("%s/sym", folder)), 0));
	cr_assert(eq(int, rv_fs_plain_file(rv_test_path("%s/sym", folder), &why), RV_E_REFUSED));
	rv_assert_has(why.text, "symlink");
	cr_assert(eq(int, rv_fs_plain_file(folder, &why), RV_E_REFUSED));
	cr_assert(eq(int, rv_fs_identity(file, &one), RV_OK));
	cr_assert(eq(int, link(file, rv_test_path("%s/hard", folder)), 0));
	cr_assert(eq(int, rv_fs_plain_file(file, &why), RV_E_REFUSED));
	rv_assert_has(why.text, "2 names");
	cr_assert(eq(int, rv_fs_identity(rv_test_path("%s/hard", folder), &two), RV_OK));
	cr_assert(rv_fs_same(&one, &two));
	/* Replaced under its name: another file. */
	rv_test_write_file(rv_test_path("%s/new", folder), "y");
	cr_assert(eq(int, rename(rv_test_path("%s/new", folder), file), 0));
	cr_assert(eq(int, rv_fs_identity(file, &two), RV_OK));
	cr_assert(not(rv_fs_same(&one, &two)));
	cr_assert(eq(int, rv_fs_identity("/nonexistent", &two), RV_E_NOTFOUND));
}

Test(fsinfo, pid_namespaces)
{
	uint64_t mine = 0;
	uint64_t same = 1;

	cr_assert(eq(int, rv_fs_pidns(0, &mine), RV_OK));
	cr_assert(eq(int, rv_fs_pidns(getpid(), &same), RV_OK));
	cr_assert(eq(u64, mine, same));
	cr_assert(eq(int, rv_fs_pidns(0x3fffffff, &same), RV_E_NOTFOUND));
}

#define DEVICE makedev(0x103, 0x2)

static const struct {
	const char *line;
	pid_t pid; /* 0: not that file's writer at byte 120 */
} lock_lines[] = {
	{"1: POSIX  ADVISORY  WRITE 1234 103:02:5678 120 120\n", 1234},
	{"1: POSIX  ADVISORY  WRITE 1234 103:02:5678 0 EOF\n", 1234},
	{"1: POSIX  ADVISORY  WRITE 1234 103:02:5678 100 121", 1234},
	{"1: OFDLCK ADVISORY  WRITE -1 103:02:5678 120 120\n", -1},
	{"1: POSIX  ADVISORY  READ  1234 103:02:5678 120 120\n", 0},
	{"1: POSIX  ADVISORY  WRITE 1234 103:02:5678 121 127\n", 0},
	{"1: POSIX  ADVISORY  WRITE 1234 103:02:5678 0 119\n", 0},
	{"1: POSIX  ADVISORY  WRITE 1234 103:02:5679 120 120\n", 0},
	{"1: POSIX  ADVISORY  WRITE 1234 103:03:5678 120 120\n", 0},
	{"1: FLOCK  ADVISORY  WRITE 1234 103:02:5678 0 EOF\n", 0},
	{"1: -> POSIX  ADVISORY  WRITE 1234 103:02:5678 120 120\n", 0},
	{"1: LEASE  ACTIVE    WRITE 1234 103:02:5678 0 EOF\n", 0},
	{"garbage\n", 0},
	{"", 0},
};

Test(proclocks, only_a_holder_of_that_byte_of_that_file)
{
	const struct rv_fs_id file = {.dev = DEVICE, .ino = 5678};

	for (size_t i = 0; i < RV_ARRAY_LEN(lock_lines); i++) {
		pid_t pid = 0;
		int err = rv_proclocks_parse(lock_lines[i].line, &file, 120, &pid);

		cr_assert(eq(int, err, lock_lines[i].pid ? RV_OK : RV_E_NOTFOUND), "row %zu", i);
		cr_assert(eq(int, pid, lock_lines[i].pid), "row %zu", i);
	}
}

/* stat() of btrfs and overlay names another anonymous device than the lock table. */
Test(proclocks, an_anonymous_device_is_matched_by_inode_when_nothing_is_better)
{
	const struct rv_fs_id file = {.dev = makedev(0, 0x30), .ino = 5678};
	pid_t pid = 0;

	cr_assert(eq(int,
		     rv_proclocks_parse("1: POSIX  ADVISORY  WRITE 11 00:2f:5678 120 120\n"
					"2: POSIX  ADVISORY  WRITE 12 08:01:5678 120 120\n",
					&file, 120, &pid),
		     RV_OK));
	cr_assert(eq(int, pid, 11));
	cr_assert(eq(int,
		     rv_proclocks_parse("1: POSIX  ADVISORY  WRITE 11 00:2f:5678 120 120\n"
					"2: POSIX  ADVISORY  WRITE 13 00:30:5678 120 120\n",
					&file, 120, &pid),
		     RV_OK));
	cr_assert(eq(int, pid, 13));
}

Test(proclocks, the_real_table_names_a_foreign_holder)
{
	const char *file = rv_test_path("%s/x.db-shm", rv_test_tmpdir());
	const char *const words[] = {probe(), "posix-lock", file, "120", "1", NULL};
	struct rv_test_start how = {.argv = words, .pipe_in = true, .pipe_out = true};
	struct rv_test_child holder;
	struct rv_fs_id id;
	char line[32];
	pid_t pid = 0;

	rv_test_start(&how, &holder);
	cr_assert(rv_test_wait_line(holder.out, line, sizeof line, 20000));
	cr_assert(eq(int, rv_fs_identity(file, &id), RV_OK));
	cr_assert(eq(int, rv_proclocks_writer(&id, RV_LOCK_WAL_WRITE, &pid), RV_OK));
	cr_assert(eq(int, pid, holder.pid));
	cr_assert(eq(int, rv_proclocks_writer(&id, 121, &pid), RV_E_NOTFOUND));
	rv_fd_close(&holder.in);
	cr_assert(eq(int, rv_test_finish(&holder, 20000), 0));
	cr_assert(eq(int, rv_proclocks_writer(&id, RV_LOCK_WAL_WRITE, &pid), RV_E_NOTFOUND));
	rv_test_end(&holder);
}

/* More lines than one read gives. */
Test(proclocks, a_long_table)
{
	const char *folder = rv_test_tmpdir();
	const char *file = rv_test_path("%s/target", folder);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
	struct rv_fs_id id;
	pid_t pid = 0;
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	for (int i = 0; i < 600; i += 2) { /* apart, so that they are not merged */
		lock.l_start = i;
		cr_assert(eq(int, fcntl(fd, F_SETLK, &lock), 0));
	}
	cr_assert(eq(int, rv_fs_identity(file, &id), RV_OK));
	for (int i = 0; i < 600; i += 2) {
		int err = RV_E_NOTFOUND;

		for (int tries = 0; tries < 50 && err == RV_E_NOTFOUND; tries++)
			err = rv_proclocks_writer(&id, i,
						  &pid); /* others lock and unlock meanwhile */
		cr_assert(eq(int, err, RV_OK), "byte %d", i);
		cr_assert(eq(int, pid, getpid()));
		cr_assert(eq(int, rv_proclocks_writer(&id, i + 1, &pid), RV_E_NOTFOUND));
	}
	(void)close(fd);
}

Test(user, names_and_numbers)
{
	struct rv_user user = {0};
	struct rv_why why = {{0}};

	cr_assert(eq(int, rv_user_find("root", &user, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, (int)user.uid, 0));
	rv_assert_text(user.name, "root");
	rv_assert_text(user.home, "/root");
	cr_assert(lt(sz, 0, user.ngroups));
	rv_user_fini(&user);
	rv_user_fini(&user);
	cr_assert(eq(int, rv_user_find("uid:0", &user, &why), RV_OK));
	rv_assert_text(user.name, "root");
	rv_user_fini(&user);
	cr_assert(eq(int, rv_user_find("uid:54321", &user, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, (int)user.uid, 54321));
	cr_assert(eq(int, (int)user.gid, 54321));
	cr_assert(eq(sz, user.ngroups, 1));
	rv_assert_text(user.name, "");
	rv_assert_text(user.home, "/");
	rv_user_fini(&user);
}

Test(user, what_does_not_resolve_never_becomes_root)
{
	const char *const bad[] = {
		"",     "0",      "0day",  "1000",           "no-such-user-here",
		"uid:", "uid:-1", "uid:x", "uid:4294967295", "uid:99999999999999999999"};
	struct rv_user user = {.uid = 77};

	for (size_t i = 0; i < RV_ARRAY_LEN(bad); i++) {
		struct rv_why why = {{0}};

		cr_assert(eq(int, rv_user_find(bad[i], &user, &why), RV_E_NOTFOUND), "%s", bad[i]);
		cr_assert(ne(int, why.text[0], '\0'));
		cr_assert(eq(int, (int)user.uid, 77));
	}
}

Test(group, names_and_numbers)
{
	struct rv_why why = {{0}};
	gid_t gid = 77;

	cr_assert(eq(int, rv_group_find("daemon", &gid, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, (int)gid, 1));
	cr_assert(eq(int, rv_group_find("gid:4711", &gid, &why), RV_OK));
	cr_assert(eq(int, (int)gid, 4711));
	cr_assert(eq(int, rv_group_find("4711", &gid, &why), RV_E_NOTFOUND));
	cr_assert(eq(int, rv_group_find("gid:x", &gid, &why), RV_E_NOTFOUND));
	cr_assert(eq(int, rv_group_find("no-such-group", &gid, &why), RV_E_NOTFOUND));
	rv_assert_has(why.text, "no-such-group");
	cr_assert(rv_group_mine(getegid()));
	cr_assert(not(rv_group_mine(4711)));
	if (geteuid() == 0) {
		const gid_t mine[] = {1, 4711};

		cr_assert(eq(int, setgroups(2, mine), 0));
		cr_assert(rv_group_mine(4711));
		cr_assert(eq(int, setgroups(0, NULL), 0));
		cr_assert(not(rv_group_mine(4711)));
	}
}

Test(self, siblings_are_found_beside_us)
{
	struct rv_why why = {{0}};
	char path[4096] = "";
	char small[8];

	cr_assert(eq(int, rv_self_sibling("rv_testprobe", path, sizeof path, &why), RV_OK), "%s",
		  why.text);
	cr_assert(eq(int, access(path, X_OK), 0));
	cr_assert(eq(int, rv_self_sibling("rv_testprobe", small, sizeof small, &why), RV_E_TOOBIG));
	cr_assert(
		eq(int, rv_self_sibling("no-such-program", path, sizeof path, &why), RV_E_MISSING));
	rv_assert_has(why.text, "no-such-program");
}

Test(self, what_proc_says_of_us)
{
	struct rv_procstat stat = {0};
	struct rv_test_child child;

	cr_assert(eq(int, rv_procstat(0, &stat), RV_OK));
	cr_assert(eq(int, stat.pid, getpid()));
	cr_assert(eq(int, stat.ppid, getppid()));
	cr_assert(eq(int, stat.state, 'R'));
	cr_assert(lt(i64, 500000, stat.rss_bytes));
	cr_assert(eq(int, rv_procstat(0x3fffffff, &stat), RV_E_NOTFOUND));
	rv_test_startl(&child, "sleep", "600", NULL);
	rv_test_signal(&child, SIGSTOP);
	cr_assert(eq(int, waitid(P_PID, (id_t)child.pid, &(siginfo_t){0}, WSTOPPED), 0));
	cr_assert(eq(int, rv_procstat(child.pid, &stat), RV_OK));
	cr_assert(eq(int, stat.state, 'T'));
	cr_assert(eq(int, stat.ppid, getpid()));
	rv_test_end(&child);
}

/* A program's name may look like the end of it. */
Test(self, a_name_with_parentheses)
{
	const char *folder = rv_test_tmpdir();
	const char *tool = rv_test_path("%s/a) R 1 (b", folder);
	const char *const copy[] = {"cp", "/bin/sleep", tool, NULL};
	const char *const words[] = {tool, "600", NULL};
	struct rv_test_start how = {.argv = words};
	struct rv_procstat stat = {0};
	struct rv_test_child child;

	cr_assert(eq(int, rv_test_output(copy, NULL, 0, 20000), 0));
	rv_test_start(&how, &child);
	cr_assert(eq(int, rv_procstat(child.pid, &stat), RV_OK));
	cr_assert(eq(int, stat.ppid, getpid()));
	rv_test_end(&child);
}

/* ---- what a process uses */

static void burn(clockid_t clock, int64_t us)
{
	int64_t end = rv_use_cpu_us(clock) + us;

	while (rv_use_cpu_us(clock) < end)
		continue;
}

/* Of a living process, of one that has ended, and of one that is gone. */
Test(use, the_clock_of_a_process)
{
	clockid_t own, its;
	pid_t pid = getpid();
	int64_t before;

	cr_assert(eq(int, rv_use_clock(pid, &own), RV_OK));
	before = rv_use_cpu_us(own);
	burn(own, 30 * RV_MS_US);
	cr_assert(ge(i64, rv_use_cpu_us(own), before + 30 * RV_MS_US));
	pid = fork();
	if (pid == 0) {
		burn(CLOCK_PROCESS_CPUTIME_ID, 50 * RV_MS_US);
		_exit(0);
	}
	cr_assert(eq(int, rv_use_clock(pid, &its), RV_OK));
	cr_assert(eq(int, waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT), 0));
	cr_assert(ge(i64, rv_use_cpu_us(its), 50 * RV_MS_US), "it still says it");
	cr_assert(eq(int, waitpid(pid, NULL, 0), pid));
	cr_assert(eq(i64, rv_use_cpu_us(its), -1));
	cr_assert(eq(int, rv_use_clock(pid, &its), RV_E_NOTFOUND));
}

Test(use, children_and_the_most_memory)
{
	struct rv_use before, after;
	size_t size = 40 << 20;
	volatile char *memory; /* else nobody needs it */
	pid_t pid;

	cr_assert(eq(int, rv_use_look(getpid(), &before), RV_OK));
	memory = malloc(size);
	cr_assert(memory != NULL);
	for (size_t i = 0; i < size; i += 4096)
		memory[i] = 1;
	free((void *)(uintptr_t)memory);
	pid = fork();
	if (pid == 0) {
		burn(CLOCK_PROCESS_CPUTIME_ID, 100 * RV_MS_US);
		_exit(0);
	}
	cr_assert(eq(int, waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT), 0));
	cr_assert(eq(int, rv_use_look(pid, &after), RV_E_NOTFOUND), "it has no memory any more");
	cr_assert(eq(int, rv_use_look(getpid(), &after), RV_OK));
	cr_assert(eq(i64, after.children_us, before.children_us), "it is not collected");
	cr_assert(eq(int, waitpid(pid, NULL, 0), pid));
	cr_assert(eq(int, rv_use_look(getpid(), &after), RV_OK));
	cr_assert(ge(i64, after.children_us, before.children_us + 80 * RV_MS_US));
	cr_assert(ge(i64, after.peak_bytes, before.peak_bytes + (30 << 20)), "what it once had");
	cr_assert(eq(int, rv_use_look(pid, &after), RV_E_NOTFOUND));
}
