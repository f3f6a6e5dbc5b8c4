/* Descriptors and files: whole reads and writes, sealed memfds, files replaced as a whole. */
#include "base/buf.h"
#include "base/err.h"
#include "base/seam.h"
#include "helpers/alloc_fail.h"
#include "helpers/assert.h"
#include "helpers/child.h"
#include "helpers/limit.h"
#include "helpers/tmpdir.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/self.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

Test(fd, closing_is_idempotent_and_leaves_errno)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	errno = ENOSPC;
	rv_fd_close(&fd);
	cr_assert(eq(int, fd, -1));
	rv_fd_close(&fd);
	fd = 9999; /* not open: close() fails */
	rv_fd_close(&fd);
	cr_assert(eq(int, errno, ENOSPC));
}

Test(fd, flags)
{
	int fd = dup(1);

	cr_assert(eq(int, rv_fd_cloexec(fd, true), RV_OK));
	cr_assert(eq(int, fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC));
	cr_assert(eq(int, rv_fd_cloexec(fd, false), RV_OK));
	cr_assert(eq(int, fcntl(fd, F_GETFD) & FD_CLOEXEC, 0));
	rv_fd_close(&fd);
	cr_assert(ne(int, rv_fd_cloexec(-1, true), RV_OK));
	cr_assert(ne(int, rv_fd_nonblock(-1, true), RV_OK));
}

Test(fd, closed_standard_descriptors_become_dev_null)
{
	char path[4096];
	char text[128];

	cr_assert(eq(int, rv_self_sibling("rv_testprobe", path, sizeof path, NULL), RV_OK));
	const char *const words[] = {path, "stdio", NULL};
	cr_assert(eq(int, rv_test_output(words, text, sizeof text, 20000), 0));
	rv_assert_text(text, "/dev/null\n/dev/null\n");
	cr_assert(eq(int, rv_fd_stdio(), RV_OK), "nothing to do here");
}

Test(fd, whole_reads_and_writes_over_a_pipe)
{
	char data[1000];
	char back[1000];
	size_t got = 0;
	int fds[2];

	memset(data, 'd', sizeof data);
	cr_assert(eq(int, rv_fd_pipe(fds, false), RV_OK));
	cr_assert(eq(int, fcntl(fds[0], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC));
	cr_assert(eq(int, rv_fd_write_all(fds[1], data, sizeof data), RV_OK));
	cr_assert(eq(int, rv_fd_read_all(fds[0], back, 400, &got), RV_OK));
	cr_assert(eq(sz, got, 400));
	rv_fd_close(&fds[1]);
	cr_assert(eq(int, rv_fd_read_all(fds[0], back, sizeof back, &got), RV_OK));
	cr_assert(eq(sz, got, 600), "EOF ends it");
	rv_fd_close(&fds[0]);
	cr_assert(ne(int, rv_fd_read_all(fds[0], back, 1, &got), RV_OK));
	cr_assert(ne(int, rv_fd_write_all(fds[0], back, 1), RV_OK));
}

Test(fd, a_full_pipe_is_busy_when_it_may_not_wait)
{
	static char data[1 << 20];
	struct rv_buf buf;
	int fds[2];

	rv_buf_init(&buf);
	cr_assert(eq(int, rv_fd_pipe(fds, true), RV_OK));
	cr_assert(eq(int, rv_fd_read_some(fds[0], 10, &buf), RV_E_BUSY));
	cr_assert(eq(int, rv_fd_write_all(fds[1], data, sizeof data), RV_E_BUSY));
	cr_assert(eq(int, rv_fd_wait(fds[1], POLLOUT, 1000), RV_E_TIMEOUT));
	cr_assert(eq(int, rv_fd_read_some(fds[0], 70000, &buf), RV_OK));
	cr_assert(lt(sz, 0, buf.size));
	cr_assert(eq(int, rv_fd_wait(fds[1], POLLOUT, -1), RV_OK));
	rv_fd_close(&fds[1]);
	while (rv_fd_read_some(fds[0], 70000, &buf) == RV_OK)
		continue;
	cr_assert(eq(int, rv_fd_read_some(fds[0], 70000, &buf), RV_E_CLOSED));
	rv_fd_close(&fds[0]);
	cr_assert(eq(int, rv_fd_wait(9999, POLLIN, 0), RV_E_IO));
	rv_buf_fini(&buf);
}

Test(fd, f15_reading_without_memory)
{
	struct rv_buf buf;
	int fds[2];

	rv_buf_init(&buf);
	cr_assert(eq(int, rv_fd_pipe(fds, false), RV_OK));
	cr_assert(eq(int, rv_fd_write_all(fds[1], "kept", 4), RV_OK));
	rv_fd_close(&fds[1]);
	rv_test_alloc_fail(1, 0);
	cr_assert(eq(int, rv_fd_read_some(fds[0], 100, &buf), RV_E_NOMEM));
	rv_test_alloc_fail(1, 0);
	cr_assert(eq(int, rv_fd_read_buf(fds[0], 100, &buf), RV_E_NOMEM));
	rv_test_alloc_fail(0, 0);
	cr_assert(eq(int, rv_fd_read_buf(fds[0], 100, &buf), RV_OK));
	rv_assert_text(rv_buf_text(&buf), "kept");
	rv_fd_close(&fds[0]);
	rv_buf_fini(&buf);
}

Test(fd, a_sealed_memfd_cannot_be_changed)
{
	struct rv_buf buf;
	int plain = memfd_create("plain", MFD_CLOEXEC);
	int fd = -1;

	rv_buf_init(&buf);
	cr_assert(eq(int, rv_fd_sealed("conf", "[reeve]\n", 8, &fd), RV_OK));
	cr_assert(eq(int, fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC));
	cr_assert(eq(int, (int)write(fd, "x", 1), -1));
	cr_assert(eq(int, ftruncate(fd, 0), -1));
	cr_assert(eq(int, rv_fd_read_sealed(fd, 8, &buf), RV_OK));
	cr_assert(eq(int, rv_fd_read_sealed(fd, 8, &buf), RV_OK), "from its start each time");
	rv_assert_text(rv_buf_text(&buf), "[reeve]\n[reeve]\n");
	cr_assert(eq(int, rv_fd_read_sealed(fd, 7, &buf), RV_E_TOOBIG));
	cr_assert(eq(int, rv_fd_read_sealed(plain, 100, &buf), RV_E_REFUSED));
	cr_assert(eq(int, rv_fd_read_sealed(0, 100, &buf), RV_E_REFUSED));
	rv_test_alloc_fail(1, 0);
	rv_buf_fini(&buf);
	cr_assert(eq(int, rv_fd_read_sealed(fd, 8, &buf), RV_E_NOMEM));
	rv_test_alloc_fail(0, 0);
	rv_fd_close(&fd);
	cr_assert(eq(int, rv_fd_sealed("empty", "", 0, &fd), RV_OK));
	cr_assert(eq(int, rv_fd_read_sealed(fd, 0, &buf), RV_OK));
	rv_assert_text(rv_buf_text(&buf), "");
	rv_fd_close(&fd);
	rv_fd_close(&plain);
	rv_buf_fini(&buf);
}

Test(fd, f16_without_descriptors_makers_say_so)
{
	struct rv_test_limit limit;
	int fds[2] = {7, 8};
	int fd = -1;

	limit = rv_test_limit(RLIMIT_NOFILE, 30);
	while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
		continue;
	cr_assert(eq(int, rv_fd_pipe(fds, false), RV_E_BUSY));
	cr_assert(eq(int, rv_fd_seqpair(fds), RV_E_BUSY));
	cr_assert(eq(int, rv_fd_sealed("x", "x", 1, &fd), RV_E_BUSY));
	cr_assert(eq(int, fds[0], 7));
	rv_test_limit_end(&limit);
}

Test(path, joined_and_taken_apart)
{
	char out[32];

	cr_assert(eq(int, rv_path_join(out, sizeof out, "/a", "b"), RV_OK));
	rv_assert_text(out, "/a/b");
	cr_assert(eq(int, rv_path_join(out, sizeof out, "/a/", "b"), RV_OK));
	rv_assert_text(out, "/a/b");
	cr_assert(eq(int, rv_path_join(out, sizeof out, "/a", "/b"), RV_OK));
	rv_assert_text(out, "/b");
	cr_assert(eq(int, rv_path_join(out, sizeof out, NULL, "b"), RV_OK));
	rv_assert_text(out, "b");
	cr_assert(eq(int, rv_path_join(out, sizeof out, "", "b"), RV_OK));
	rv_assert_text(out, "b");
	cr_assert(eq(int, rv_path_join(out, 4, "/a", "b"), RV_E_TOOBIG));
	cr_assert(eq(int, rv_path_folder(out, sizeof out, "/a/b"), RV_OK));
	rv_assert_text(out, "/a");
	cr_assert(eq(int, rv_path_folder(out, sizeof out, "/a"), RV_OK));
	rv_assert_text(out, "/");
	cr_assert(eq(int, rv_path_folder(out, sizeof out, "a"), RV_OK));
	rv_assert_text(out, ".");
	cr_assert(eq(int, rv_path_folder(out, sizeof out, "a//b"), RV_OK));
	rv_assert_text(out, "a");
	cr_assert(eq(int, rv_path_folder(out, 2, "/a/b"), RV_E_TOOBIG));
	rv_assert_text(rv_path_base("/a/b"), "b");
	rv_assert_text(rv_path_base("b"), "b");
	rv_assert_text(rv_path_base("/a/"), "");
}

Test(file, opening_follows_no_symlink_and_waits_for_no_fifo)
{
	const char *folder = rv_test_tmpdir();
	const char *file = rv_test_path("%s/file", folder);
	const char *link = rv_test_path("%s/link", folder);
	const char *fifo = rv_test_path("%s/fifo", folder);
	struct rv_why why = {{0}};
	int fd = -1;

	rv_test_write_file(file, "x");
	cr_assert(eq(int, symlink(file, link), 0));
	cr_assert(eq(int, mkfifo(fifo, 0600), 0));
	cr_assert(eq(int, rv_file_open(file, O_RDONLY, 0, &fd, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC));
	rv_fd_close(&fd);
	cr_assert(eq(int, rv_file_open(link, O_RDONLY, 0, &fd, &why), RV_E_REFUSED));
	rv_assert_has(why.text, "symlink");
	cr_assert(eq(int, rv_file_open(fifo, O_RDONLY, 0, &fd, &why), RV_E_REFUSED));
	cr_assert(eq(int, rv_file_open(fifo, O_WRONLY, 0, &fd, &why), RV_E_REFUSED));
	cr_assert(eq(int, rv_file_open(folder, O_RDONLY, 0, &fd, &why), RV_E_REFUSED));
	cr_assert(eq(int, rv_file_open("/dev/null", O_RDONLY, 0, &fd, &why), RV_E_REFUSED));
	cr_assert(eq(int, rv_file_open(rv_test_path("%s/none", folder), O_RDONLY, 0, &fd, &why),
		     RV_E_NOTFOUND));
	rv_assert_has(why.text, "No such file");
	cr_assert(eq(int, rv_file_openat(AT_FDCWD, file, O_RDONLY, 0, &fd), RV_OK));
	rv_fd_close(&fd);
}

Test(file, reading_is_bounded)
{
	const char *file = rv_test_path("%s/file", rv_test_tmpdir());
	struct rv_why why = {{0}};
	struct rv_buf buf;

	rv_buf_init(&buf);
	rv_test_write_file(file, "0123456789");
	cr_assert(eq(int, rv_file_read(file, 10, &buf, &why), RV_OK), "%s", why.text);
	rv_assert_text(rv_buf_text(&buf), "0123456789");
	cr_assert(eq(int, rv_file_read(file, 9, &buf, &why), RV_E_TOOBIG));
	rv_assert_has(why.text, "larger than 9 bytes");
	rv_buf_reset(&buf);
	cr_assert(eq(int, rv_file_read("/nonexistent", 9, &buf, &why), RV_E_NOTFOUND));
	cr_assert(eq(int, rv_file_read("/", 9, &buf, &why), RV_E_REFUSED));
	cr_assert(eq(int, rv_file_read("/proc/self/mem", 9, &buf, &why), RV_E_IO));
	rv_assert_has(why.text, "cannot read");
	rv_buf_fini(&buf);
}

static void expect_file(const char *path, const char *content)
{
	char *text = rv_test_read_file(path);

	cr_assert(ne(ptr, text, NULL));
	rv_assert_text(text, content);
	free(text);
}

Test(file, replacing_is_whole_and_leaves_nothing_beside)
{
	const char *folder = rv_test_tmpdir();
	const char *file = rv_test_path("%s/file", folder);
	struct rv_why why = {{0}};
	struct stat st;

	(void)umask(077);
	cr_assert(eq(int, rv_file_replace(file, "one", 3, 0640, &why), RV_OK), "%s", why.text);
	expect_file(file, "one");
	cr_assert(eq(int, stat(file, &st), 0));
	cr_assert(eq(int, st.st_mode & 07777, 0640));
	cr_assert(eq(int, rv_file_replace(file, "", 0, 0600, &why), RV_OK), "%s", why.text);
	expect_file(file, "");
	(void)mkdir(rv_test_path("%s/dir", folder), 0700);
	cr_assert(ne(int, rv_file_replace(rv_test_path("%s/dir", folder), "x", 1, 0600, &why),
		     RV_OK));
	rv_assert_has(why.text, "cannot write");
	cr_assert(eq(int, rv_file_replace(rv_test_path("%s/no/f", folder), "x", 1, 0600, &why),
		     RV_E_NOTFOUND));
	cr_assert(eq(int, rv_file_replace(rv_test_path("%s/", folder), "x", 1, 0600, &why),
		     RV_E_TOOBIG));
	const char *const words[] = {"ls", "-A", folder, NULL};
	char list[256];
	cr_assert(eq(int, rv_test_output(words, list, sizeof list, 20000), 0));
	rv_assert_text(list, "dir\nfile\n");
}

/* F14: the disk is full in the middle of it: the old content stays. */
Test(file, f14_a_full_disk_leaves_the_old_content)
{
	const char *file = rv_test_path("%s/file", rv_test_tmpdir());
	struct rv_test_limit limit;
	struct rv_why why = {{0}};

	cr_assert(eq(int, rv_file_replace(file, "one", 3, 0600, &why), RV_OK));
	(void)signal(SIGXFSZ, SIG_IGN);
	limit = rv_test_limit(RLIMIT_FSIZE, 5);
	cr_assert(eq(int, rv_file_replace(file, "0123456789", 10, 0600, &why), RV_E_TOOBIG));
	expect_file(file, "one");
	rv_test_limit_end(&limit);
}

Test(file, removing_what_is_not_there_is_fine)
{
	const char *file = rv_test_path("%s/file", rv_test_tmpdir());

	rv_test_write_file(file, "x");
	cr_assert(eq(int, rv_file_remove(file, NULL), RV_OK));
	cr_assert(eq(int, rv_file_remove(file, NULL), RV_OK));
	cr_assert(ne(int, rv_file_remove("/", NULL), RV_OK));
}

Test(folder, made_with_all_above_it)
{
	const char *folder = rv_test_tmpdir();
	const char *deep = rv_test_path("%s/a//b/c/", folder);
	struct rv_why why = {{0}};
	char big[5000];
	struct stat st;

	(void)umask(077);
	cr_assert(eq(int, rv_folder_make(deep, 02770, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, stat(rv_test_path("%s/a/b", folder), &st), 0));
	cr_assert(eq(int, st.st_mode & 07777, 02770));
	cr_assert(eq(int, rv_folder_make(deep, 0700, &why), RV_OK));
	cr_assert(eq(int, stat(deep, &st), 0));
	cr_assert(eq(int, st.st_mode & 07777, 02770), "an existing one is left as it is");
	rv_test_write_file(rv_test_path("%s/a/file", folder), "x");
	cr_assert(eq(int, rv_folder_make(rv_test_path("%s/a/file/b", folder), 0700, &why),
		     RV_E_REFUSED));
	rv_assert_has(why.text, "not a folder");
	memset(big, 'x', sizeof big);
	big[sizeof big - 1] = '\0';
	cr_assert(eq(int, rv_folder_make(big, 0700, &why), RV_E_TOOBIG));
	cr_assert(eq(int, rv_folder_make("", 0700, &why), RV_E_TOOBIG));
	cr_assert(ne(int, rv_folder_make("/proc/reeve", 0700, &why), RV_OK));
	rv_assert_has(why.text, "cannot make the folder");
}
