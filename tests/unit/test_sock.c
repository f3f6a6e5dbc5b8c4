/* Sockets on paths: bells, listeners, paths that are too long, and who is at the other end. */
#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/child.h"
#include "helpers/tmpdir.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/notify.h"
#include "os/sock.h"

#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A folder whose own path is past what a sockaddr_un holds. */
static const char *deep_folder(void)
{
	static char path[1024];

	(void)snprintf(path, sizeof path, "%s/%0100d/%0100d", rv_test_tmpdir(), 1, 2);
	cr_assert(eq(int, rv_folder_make(path, 0700, NULL), RV_OK));
	return path;
}

Test(sock, a_bell_rings)
{
	const char *path = rv_test_path("%s/bell", rv_test_tmpdir());
	struct rv_why why = {{0}};
	uint64_t token = 7;
	struct stat st;
	int fd = -1;

	(void)umask(0);
	cr_assert(eq(int, rv_sock_bell(path, 0600, &fd, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, stat(path, &st), 0));
	cr_assert(eq(int, st.st_mode & 0777, 0600));
	cr_assert(eq(int, rv_sock_rung(fd, &token), RV_E_BUSY));
	cr_assert(eq(u64, token, 7));
	rv_sock_ring(path, 4711);
	rv_sock_ring(path, UINT64_MAX);
	cr_assert(eq(int, rv_sock_rung(fd, &token), RV_OK));
	cr_assert(eq(u64, token, 4711));
	cr_assert(eq(int, rv_sock_rung(fd, &token), RV_OK));
	cr_assert(eq(u64, token, UINT64_MAX));
	cr_assert(eq(int, rv_sock_rung(fd, &token), RV_E_BUSY));
	cr_assert(eq(int, fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC));
	rv_fd_close(&fd);
}

Test(sock, the_mode_is_as_asked_whatever_the_umask)
{
	const char *path = rv_test_path("%s/bell", rv_test_tmpdir());
	struct stat st;
	int fd = -1;

	(void)umask(0077);
	cr_assert(eq(int, rv_sock_listen(path, 0660, &fd, NULL), RV_OK));
	cr_assert(eq(int, stat(path, &st), 0));
	cr_assert(eq(int, st.st_mode & 0777, 0660));
	rv_fd_close(&fd);
}

Test(sock, nobody_there_or_a_full_bell_is_nobodys_error)
{
	const char *path = rv_test_path("%s/bell", rv_test_tmpdir());
	int before = rv_test_count_fds();
	uint64_t token = 0;
	int rung = 0;
	int fd = -1;

	rv_sock_ring(path, 1);
	cr_assert(eq(int, rv_sock_bell(path, 0600, &fd, NULL), RV_OK));
	for (int i = 0; i < 5000; i++)
		rv_sock_ring(path, 2);
	while (rv_sock_rung(fd, &token) == RV_OK)
		rung++;
	cr_assert(lt(int, 0, rung));
	rv_fd_close(&fd);
	rv_sock_ring(path, 3);
	cr_assert(eq(int, rv_test_count_fds(), before));
}

Test(sock, packets_of_another_size_are_skipped)
{
	const char *path = rv_test_path("%s/bell", rv_test_tmpdir());
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int out = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t token = 0;
	int fd = -1;

	cr_assert(eq(int, rv_sock_bell(path, 0600, &fd, NULL), RV_OK));
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	cr_assert(eq(int, connect(out, (struct sockaddr *)&address, sizeof address), 0));
	cr_assert(eq(int, send(out, "abc", 3, 0), 3));
	cr_assert(eq(int, send(out, "", 0, 0), 0));
	cr_assert(eq(int, send(out, "123456789", 9, 0), 9));
	rv_sock_ring(path, 5);
	cr_assert(eq(int, rv_sock_rung(fd, &token), RV_OK));
	cr_assert(eq(u64, token, 5));
	cr_assert(eq(int, rv_sock_rung(fd, &token), RV_E_BUSY));
}

Test(sock, a_stale_socket_is_replaced_and_nothing_else)
{
	const char *folder = rv_test_tmpdir();
	const char *path = rv_test_path("%s/s", folder);
	const char *file = rv_test_path("%s/file", folder);
	struct rv_why why = {{0}};
	uint64_t token = 0;
	int old = -1;
	int fd = -1;

	cr_assert(eq(int, rv_sock_bell(path, 0600, &old, &why), RV_OK));
	cr_assert(eq(int, rv_sock_bell(path, 0600, &fd, &why), RV_OK), "%s", why.text);
	rv_sock_ring(path, 9);
	cr_assert(eq(int, rv_sock_rung(old, &token), RV_E_BUSY));
	cr_assert(eq(int, rv_sock_rung(fd, &token), RV_OK));
	rv_test_write_file(file, "precious");
	cr_assert(eq(int, rv_sock_bell(file, 0600, &fd, &why), RV_E_REFUSED));
	rv_assert_has(why.text, "not a socket");
	char *text = rv_test_read_file(file);
	rv_assert_text(text, "precious");
	free(text);
	cr_assert(eq(int, rv_sock_bell(rv_test_path("%s/no/s", folder), 0600, &fd, &why),
		     RV_E_NOTFOUND));
	cr_assert(eq(int, rv_sock_bell(rv_test_path("%s/", folder), 0600, &fd, &why), RV_E_TOOBIG));
}

Test(sock, long_paths_work_and_long_names_are_refused)
{
	const char *folder = deep_folder();
	const char *path = rv_test_path("%s/control", folder);
	const char *bell = rv_test_path("%s/bell", folder);
	struct rv_why why = {{0}};
	struct rv_sock_peer peer;
	uint64_t token = 0;
	int listener = -1;
	int client = -1;
	int server = -1;
	int fd = -1;

	cr_assert(lt(sz, 107, strlen(path)));
	cr_assert(eq(int, rv_sock_listen(path, 0600, &listener, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, rv_sock_connect(path, RV_S_US, &client, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, rv_sock_accept(listener, &server, &peer), RV_OK));
	cr_assert(eq(int, rv_sock_bell(bell, 0600, &fd, &why), RV_OK), "%s", why.text);
	rv_sock_ring(bell, 3);
	cr_assert(eq(int, rv_sock_rung(fd, &token), RV_OK));
	path = rv_test_path("%s/%0120d", folder, 3);
	cr_assert(eq(int, rv_sock_bell(path, 0600, &fd, &why), RV_E_TOOBIG));
	rv_assert_has(why.text, "too long");
	cr_assert(eq(int, rv_sock_connect(path, RV_S_US, &fd, &why), RV_E_TOOBIG));
	rv_sock_ring(path, 3);
	path = rv_test_path("%s/none/control", folder);
	cr_assert(eq(int, rv_sock_connect(path, RV_S_US, &fd, &why), RV_E_NOTRUN));
}

Test(sock, the_kernel_says_who_connects)
{
	const char *path = rv_test_path("%s/control", rv_test_tmpdir());
	struct rv_sock_peer peer = {0};
	int listener = -1;
	int client = -1;
	int server = -1;
	char byte = 0;

	cr_assert(eq(int, rv_sock_listen(path, 0600, &listener, NULL), RV_OK));
	cr_assert(eq(int, rv_sock_accept(listener, &server, &peer), RV_E_BUSY));
	cr_assert(eq(int, rv_sock_connect(path, RV_S_US, &client, NULL), RV_OK));
	cr_assert(eq(int, rv_sock_accept(listener, &server, &peer), RV_OK));
	cr_assert(eq(int, peer.pid, getpid()));
	cr_assert(eq(int, (int)peer.uid, (int)getuid()));
	cr_assert(eq(int, (int)peer.gid, (int)getgid()));
	cr_assert(eq(int, rv_fd_write_all(client, "x", 1), RV_OK));
	cr_assert(eq(int, (int)read(server, &byte, 1), 1));
	cr_assert(eq(int, (int)read(server, &byte, 1), -1), "non-blocking");
}

Test(sock, nobody_listens)
{
	const char *folder = rv_test_tmpdir();
	const char *path = rv_test_path("%s/control", folder);
	struct rv_why why = {{0}};
	int fd = -1;

	cr_assert(eq(int, rv_sock_connect(path, RV_S_US, &fd, &why), RV_E_NOTRUN));
	cr_assert(eq(int, rv_sock_listen(path, 0600, &fd, NULL), RV_OK));
	rv_fd_close(&fd);
	cr_assert(eq(int, rv_sock_connect(path, RV_S_US, &fd, &why), RV_E_NOTRUN), "stale");
	rv_assert_has(why.text, "nobody listens");
	rv_test_write_file(rv_test_path("%s/file", folder), "x");
	cr_assert(eq(int, rv_sock_connect(rv_test_path("%s/file/s", folder), 1, &fd, &why),
		     RV_E_NOTRUN));
	cr_assert(eq(int, rv_sock_connect("/", RV_S_US, &fd, &why), RV_E_NOTRUN));
}

/* A daemon that does not accept: its backlog fills, then the deadline counts. */
Test(sock, a_full_backlog_is_waited_for_so_long_and_no_longer)
{
	const char *path = rv_test_path("%s/control", rv_test_tmpdir());
	struct rv_why why = {{0}};
	int listener = -1;
	int err = RV_OK;
	int fds[300];
	int count = 0;
	int64_t before;

	cr_assert(eq(int, rv_sock_listen(path, 0600, &listener, NULL), RV_OK));
	while (err == RV_OK && count < 300) {
		before = rv_mono_us();
		err = rv_sock_connect(path, count % 2 ? 50000 : 0, &fds[count], &why);
		count += err == RV_OK;
	}
	cr_assert(eq(int, err, RV_E_TIMEOUT), "%s", why.text);
	cr_assert(lt(i64, rv_mono_us() - before, 10 * RV_S_US));
	while (count > 0)
		(void)close(fds[--count]);
}

Test(notify, without_a_manager_nothing_happens)
{
	(void)unsetenv("NOTIFY_SOCKET");
	cr_assert(not(rv_notify_wanted()));
	cr_assert(eq(int, rv_notify("READY=1"), RV_OK));
	(void)setenv("NOTIFY_SOCKET", "", 1);
	cr_assert(not(rv_notify_wanted()));
	cr_assert(eq(int, rv_notify("READY=1"), RV_OK));
	(void)setenv("NOTIFY_SOCKET", "relative/path", 1);
	cr_assert(eq(int, rv_notify("READY=1"), RV_E_PARSE));
	(void)setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	cr_assert(eq(int, rv_notify("READY=1"), RV_E_NOTFOUND));
}

static void expect_state(int fd, const char *state)
{
	char text[256];
	ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);

	cr_assert(lt(int, 0, (int)n));
	text[n] = '\0';
	rv_assert_text(text, state);
}

Test(notify, a_path_and_an_abstract_name)
{
	const char *path = rv_test_path("%s/notify", rv_test_tmpdir());
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char name[64];
	socklen_t size;
	int fd = -1;

	cr_assert(eq(int, rv_sock_bell(path, 0600, &fd, NULL), RV_OK));
	(void)setenv("NOTIFY_SOCKET", path, 1);
	cr_assert(rv_notify_wanted());
	cr_assert(eq(int, rv_notify("READY=1\nSTATUS=up"), RV_OK));
	expect_state(fd, "READY=1\nSTATUS=up");
	rv_fd_close(&fd);
	(void)snprintf(name, sizeof name, "@reeve-test-%d", (int)getpid());
	(void)setenv("NOTIFY_SOCKET", name, 1);
	memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert(eq(int, bind(fd, (struct sockaddr *)&address, size), 0));
	cr_assert(eq(int, rv_notifyf("STATUS=%d workers", 3), RV_OK));
	expect_state(fd, "STATUS=3 workers");
	for (int i = 0; i < 5000; i++) /* nobody reads: it must not wait */
		(void)rv_notify("WATCHDOG=1");
	rv_fd_close(&fd);
}

Test(notify, the_watchdog_is_ours_or_not)
{
	char pid[16];

	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	cr_assert(eq(i64, rv_notify_watchdog_us(), 0));
	(void)setenv("WATCHDOG_USEC", "15000000", 1);
	cr_assert(eq(i64, rv_notify_watchdog_us(), 15000000));
	(void)snprintf(pid, sizeof pid, "%d", (int)getpid());
	(void)setenv("WATCHDOG_PID", pid, 1);
	cr_assert(eq(i64, rv_notify_watchdog_us(), 15000000));
	(void)setenv("WATCHDOG_PID", "1", 1);
	cr_assert(eq(i64, rv_notify_watchdog_us(), 0));
	(void)unsetenv("WATCHDOG_PID");
	(void)setenv("WATCHDOG_USEC", "soon", 1);
	cr_assert(eq(i64, rv_notify_watchdog_us(), 0));
}

/* A waiter's name is never used twice: whoever rings in vain removes what is left of it. */
Test(sock, a_dead_waiters_socket_is_removed_by_who_rings)
{
	const char *path = rv_test_path("%s/bell", rv_test_tmpdir());
	uint64_t token = 0;
	int fd = -1;

	cr_assert(eq(int, rv_sock_is_held(path), 0));
	cr_assert(eq(int, rv_sock_bell(path, 0600, &fd, NULL), RV_OK));
	cr_assert(eq(int, rv_sock_is_held(path), 1));
	rv_sock_ring_waiter(path, 4);
	cr_assert(eq(int, access(path, F_OK), 0));
	cr_assert(eq(int, rv_sock_rung(fd, &token), RV_OK));
	cr_assert(eq(u64, token, 4));
	cr_assert(eq(int, rv_sock_rung(fd, &token), RV_E_BUSY));
	rv_fd_close(&fd);
	cr_assert(eq(int, rv_sock_is_held(path), 0));
	rv_sock_ring(path, 5); /* a doorbell's may be another's soon */
	cr_assert(eq(int, access(path, F_OK), 0));
	rv_sock_ring_waiter(path, 5);
	cr_assert(eq(int, access(path, F_OK), -1));
	rv_test_write_file(path, "%s", "no socket");
	rv_sock_ring_waiter(path, 6);
	cr_assert(eq(int, access(path, F_OK), 0));
}
