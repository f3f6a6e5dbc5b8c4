/* The store's lock file: one daemon, many children, nobody else (F9). */
#include "base/fmt.h"
#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/child.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "os/fd.h"
#include "os/lock.h"
#include "os/self.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define STARTERS 50

static const char *probe(void)
{
	static char path[4096];

	cr_assert(eq(int, rv_self_sibling("rv_testprobe", path, sizeof path, NULL), RV_OK));
	return path;
}

static void start(const char *verb, const char *path, struct rv_test_child *ret_child)
{
	const char *const words[] = {probe(), verb, path, NULL};
	struct rv_test_start how = {.argv = words, .pipe_in = true, .pipe_out = true};

	rv_test_start(&how, ret_child);
}

static const char *new_path(void)
{
	return rv_test_path("%s/reeve.db.lock", rv_test_tmpdir());
}

Test(lock, the_first_daemon_gets_it_and_the_file_says_who)
{
	const char *path = new_path();
	struct rv_why why = {{0}};
	pid_t holder = 0;
	pid_t seen = 0;
	struct stat st;
	int fd = -1;

	(void)umask(077);
	cr_assert(eq(int, rv_lock_holder(path, &seen, &why), RV_E_NOTRUN));
	cr_assert(eq(int, rv_lock_daemon(path, 0660, &fd, &holder, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC));
	cr_assert(eq(int, stat(path, &st), 0));
	cr_assert(eq(int, st.st_mode & 0777, 0660), "the umask notwithstanding");
	cr_assert(eq(int, rv_lock_holder(path, &seen, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, seen, getpid()));
	rv_fd_close(&fd);
	cr_assert(eq(int, rv_lock_holder(path, &seen, &why), RV_E_NOTRUN));
}

Test(lock, f09_a_second_daemon_learns_the_pid_of_the_first)
{
	const char *path = new_path();
	struct rv_test_child first;
	struct rv_why why = {{0}};
	pid_t holder = 0;
	char line[64];
	int fd = -1;

	start("lock", path, &first);
	cr_assert(rv_test_wait_line(first.out, line, sizeof line, 20000));
	rv_assert_text(line, "won");
	cr_assert(eq(int, rv_lock_daemon(path, 0600, &fd, &holder, &why), RV_E_LOCKED));
	cr_assert(eq(int, holder, first.pid));
	(void)snprintf(line, sizeof line, "pid %d", (int)first.pid);
	rv_assert_has(why.text, line);
	cr_assert(eq(int, fd, -1));
	/* Killed, not asked: the lock ends with the process. */
	rv_test_signal(&first, SIGKILL);
	cr_assert(eq(int, rv_test_finish(&first, 20000), 137));
	cr_assert(eq(int, rv_lock_daemon(path, 0600, &fd, &holder, &why), RV_OK), "%s", why.text);
	rv_fd_close(&fd);
	rv_test_end(&first);
}

/* All at once on no file at all; the winner is killed, and again, all at once. */
Test(lock, f09_of_fifty_starters_exactly_one_wins, .timeout = 60)
{
	const char *path = new_path();

	for (int round = 0; round < 3; round++) {
		struct rv_test_child starters[STARTERS];
		char lost[64] = "";
		int winner = -1;
		int winners = 0;

		for (int i = 0; i < STARTERS; i++)
			start("lock", path, &starters[i]);
		for (int i = 0; i < STARTERS; i++) {
			char line[64];

			cr_assert(rv_test_wait_line(starters[i].out, line, sizeof line, 30000));
			if (strcmp(line, "won") == 0) {
				winners++;
				winner = i;
			} else {
				(void)snprintf(lost, sizeof lost, "%s", line);
				cr_assert(eq(int, rv_test_finish(&starters[i], 20000), 75));
			}
		}
		cr_assert(eq(int, winners, 1));
		char expected[64];
		(void)snprintf(expected, sizeof expected, "lost %d", (int)starters[winner].pid);
		rv_assert_text(lost, expected);
		for (int i = 0; i < STARTERS; i++)
			rv_test_end(&starters[i]);
	}
}

static int count_tries(void *ctx)
{
	return ++*(int *)ctx < 1000 ? RV_OK : RV_E_INTERNAL;
}

static int end_child(void *ctx)
{
	struct rv_test_child *child = ctx;

	rv_fd_close(&child->in);
	return RV_OK;
}

Test(lock, a_new_daemon_waits_for_the_children_of_the_old_one)
{
	const char *path = new_path();
	struct rv_test_child child;
	struct rv_why why = {{0}};
	pid_t holder = 0;
	char line[64];
	int tries = 0;
	int other = -1;
	int fd = -1;

	cr_assert(eq(int, rv_lock_child(path, &other, &why), RV_E_NOTFOUND), "no daemon, no file");
	cr_assert(eq(int, rv_lock_daemon(path, 0600, &fd, &holder, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, rv_lock_wait(fd, rv_mono_us(), NULL, NULL), RV_OK), "nobody to wait for");
	start("share", path, &child);
	cr_assert(rv_test_wait_line(child.out, line, sizeof line, 20000));
	rv_assert_text(line, "shared");
	cr_assert(eq(int, rv_lock_child(path, &other, &why), RV_OK), "children share");
	rv_fd_close(&other);
	cr_assert(eq(int, rv_lock_wait(fd, rv_mono_us() + 100000, count_tries, &tries),
		     RV_E_TIMEOUT));
	cr_assert(lt(int, 1, tries));
	tries = 999;
	cr_assert(eq(int, rv_lock_wait(fd, rv_mono_us() + 20 * RV_S_US, count_tries, &tries),
		     RV_E_INTERNAL),
		  "an error between the tries ends the wait");
	cr_assert(eq(int, rv_lock_wait(fd, rv_mono_us() + 20 * RV_S_US, end_child, &child), RV_OK));
	cr_assert(eq(int, rv_lock_child(path, &other, &why), RV_OK), "it let go again");
	cr_assert(eq(int, rv_test_finish(&child, 20000), 0));
	rv_test_end(&child);
}

/* A description that a child inherited would keep a dead daemon's lock. */
Test(lock, f09_the_lock_is_not_inherited)
{
	const char *path = new_path();
	struct rv_test_child child;
	struct rv_why why = {{0}};
	pid_t holder = 0;
	int fd = -1;

	cr_assert(eq(int, rv_lock_daemon(path, 0600, &fd, &holder, &why), RV_OK), "%s", why.text);
	rv_test_startl(&child, "sleep", "600", NULL);
	rv_fd_close(&fd);
	cr_assert(eq(int, rv_lock_daemon(path, 0600, &fd, &holder, &why), RV_OK), "%s", why.text);
	rv_test_end(&child);
}

/* What a daemon was just starting when it was killed still holds a copy, until its exec. */
Test(lock, f09_a_copy_that_outlives_its_daemon_is_waited_for)
{
	const char *path = new_path();
	struct rv_test_child dead;
	struct rv_test_child second;
	struct rv_why why = {{0}};
	pid_t holder = 0;
	char line[64];
	int fd = -1;
	int n;

	rv_test_startl(&dead, "true", NULL);
	cr_assert(eq(int, rv_lock_daemon(path, 0600, &fd, &holder, &why), RV_OK), "%s", why.text);
	n = snprintf(line, sizeof line, "%-15d\n", (int)dead.pid);
	cr_assert(eq(int, rv_test_finish(&dead, 20000), 0));
	cr_assert(eq(i64, pwrite(fd, line, (size_t)n, 16), n));
	start("lock", path, &second);
	cr_assert(not(rv_test_wait_line(second.out, line, sizeof line, 100)), "it waits");
	rv_fd_close(&fd);
	cr_assert(rv_test_wait_line(second.out, line, sizeof line, 20000));
	rv_assert_text(line, "won");
	rv_test_end(&second);
	rv_test_end(&dead);
}

/* Some other look at the file by the same process takes no lock away (POSIX locks would). */
Test(lock, looking_at_the_file_does_not_drop_the_lock)
{
	const char *path = new_path();
	struct rv_test_child second;
	struct rv_why why = {{0}};
	pid_t holder = 0;
	char line[64];
	int fd = -1;

	cr_assert(eq(int, rv_lock_daemon(path, 0600, &fd, &holder, &why), RV_OK), "%s", why.text);
	free(rv_test_read_file(path));
	cr_assert(eq(int, rv_lock_holder(path, &holder, &why), RV_OK));
	start("lock", path, &second);
	cr_assert(rv_test_wait_line(second.out, line, sizeof line, 20000));
	cr_assert(eq(int, strncmp(line, "lost", 4), 0), "%s", line);
	rv_test_end(&second);
}

Test(lock, what_is_no_lock_file_is_refused)
{
	const char *folder = rv_test_tmpdir();
	const char *link = rv_test_path("%s/link", folder);
	struct rv_why why = {{0}};
	pid_t holder = 0;
	int fd = -1;

	cr_assert(eq(int, symlink("/etc/passwd", link), 0));
	cr_assert(eq(int, rv_lock_daemon(link, 0600, &fd, &holder, &why), RV_E_REFUSED));
	cr_assert(eq(int,
		     rv_lock_daemon(rv_test_path("%s/no/where", folder), 0600, &fd, &holder, &why),
		     RV_E_NOTFOUND));
	rv_assert_has(why.text, "No such file or directory");
	cr_assert(eq(int, rv_lock_daemon(folder, 0600, &fd, &holder, &why), RV_E_REFUSED));
	cr_assert(eq(int, rv_lock_holder(folder, &holder, &why), RV_E_REFUSED));
}

/* What it reads of processes and of locks is not what we would read. */
Test(lock, a_daemon_of_another_pid_namespace_is_no_neighbour)
{
	const char *path = new_path();
	struct rv_test_child first;
	struct rv_why why = {{0}};
	pid_t holder = 7;
	char line[64];
	int fd = -1;

	start("lock", path, &first);
	cr_assert(rv_test_wait_line(first.out, line, sizeof line, 20000));
	rv_assert_text(line, "won");
	cr_assert(eq(int, rv_lock_holder(path, &holder, &why), RV_OK));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	cr_assert(eq(int, pwrite(fd, "12345                  \n", 24, 32), 24));
	(void)close(fd);
	fd = -1;
	cr_assert(eq(int, rv_lock_holder(path, &holder, &why), RV_E_CONF));
	rv_assert_has(why.text, "another PID namespace");
	cr_assert(eq(int, rv_lock_daemon(path, 0600, &fd, &holder, &why), RV_E_CONF));
	rv_assert_has(why.text, "another PID namespace");
	rv_test_end(&first);
	/* The lock is what counts: with nobody there, nobody is elsewhere. */
	cr_assert(eq(int, rv_lock_holder(path, &holder, &why), RV_E_NOTRUN));
	cr_assert(eq(int, rv_lock_daemon(path, 0600, &fd, &holder, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, rv_lock_holder(path, &holder, &why), RV_OK), "%s", why.text);
	rv_fd_close(&fd);
}

/* Whatever stands in the file, it is a message's pid at most. */
Test(lock, garbage_in_the_file_is_no_pid)
{
	const char *path = new_path();
	struct rv_test_child first;
	struct rv_why why = {{0}};
	pid_t holder = 7;
	char line[64];
	int fd = -1;

	rv_test_write_file(path, "0123456789abcdefgarbage and more of it\n");
	start("lock", path, &first);
	cr_assert(rv_test_wait_line(first.out, line, sizeof line, 20000));
	rv_assert_text(line, "won");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	cr_assert(eq(int, pwrite(fd, "x", 1, 16), 1));
	(void)close(fd);
	fd = -1;
	cr_assert(eq(int, rv_lock_daemon(path, 0600, &fd, &holder, &why), RV_E_LOCKED));
	cr_assert(eq(int, holder, 0));
	rv_test_end(&first);
}
