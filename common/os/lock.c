/*
 * The lock file of a store.  Supervisor (byte 0, waits for byte 1), its children (byte 1), CLI
 * (looks only).  Must never be called with the database's path.  The file is never removed: two
 * daemons on two inodes of one name would both win.
 */
#include "os/lock.h"

#include "base/attr.h"
#include "base/check.h"
#include "base/fmt.h"
#include "base/seam.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/self.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTE_DAEMON   0
#define BYTE_CHILDREN 1
#define PID_OFFSET    16 /* past every byte that is ever locked */
#define DEAD_TRY_MS   5
#define DEAD_TRIES    200 /* a second in all: F9 */
#define PID_SPACE     16  /* "2147483647\n", padded so that a shorter pid covers a longer one */

/* OFD: ours alone, not our process's: closing some other descriptor of the file changes nothing. */
static int lock_byte(int fd, int byte, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return RV_OK;
	return errno == EAGAIN || errno == EACCES ? RV_E_LOCKED : rv_err_from_errno(errno);
}

static pid_t read_pid(int fd)
{
	char text[PID_SPACE + 1];
	int64_t pid = 0;
	ssize_t n = pread(fd, text, PID_SPACE, PID_OFFSET);

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, " \n")] = '\0';
	if (rv_parse_int(text, 1, INT32_MAX, &pid) != RV_OK)
		return 0;
	return (pid_t)pid;
}

static bool is_alive(pid_t pid)
{
	struct rv_procstat stat;

	return pid > 0 && rv_procstat(pid, &stat) == RV_OK && stat.state != 'Z' &&
	       stat.state != 'X';
}

/*
 * Byte 0; LOCKED with the pid of a holder that lives.  A dead holder's lock can outlive it for a
 * moment: a child that it was just starting has not come to its exec, which closes the copy.  And
 * the winner of a race writes its pid only a moment after it got the lock.  So a lock whose pid is
 * dead, or none, is tried again for a while.
 */
static int take_daemon_byte(int fd, pid_t *ret_holder)
{
	int err = RV_OK;

	for (int tries = 0; tries < DEAD_TRIES; tries++) {
		err = lock_byte(fd, BYTE_DAEMON, F_WRLCK);
		if (err != RV_E_LOCKED)
			return err;
		*ret_holder = read_pid(fd);
		if (is_alive(*ret_holder))
			return err;
		(void)poll(NULL, 0, DEAD_TRY_MS);
	}
	return err;
}

static int write_pid(int fd)
{
	char text[PID_OFFSET + PID_SPACE + 1];
	int n = snprintf(text, sizeof text, "reeve lock file\n%-15d\n", (int)getpid());
	ssize_t written;

	INV(n == PID_OFFSET + PID_SPACE);
	written = pwrite(fd, text, (size_t)n, 0);
	if (written == n)
		return RV_OK;
	return written < 0 ? rv_err_from_errno(errno) : RV_E_NOSPACE;
}

/* Opens or creates it with exactly ${mode}, whatever the umask. */
static int open_file(const char *path, mode_t mode, int *ret_fd, struct rv_why *why)
{
	int err = rv_file_open(path, O_RDWR | O_CREAT | O_EXCL, mode, ret_fd, why);

	if (err == RV_OK) {
		if (fchmod(*ret_fd, mode) == 0)
			return RV_OK;
		err = rv_fail(why, rv_err_from_errno(errno), "cannot set the mode of %s: %m", path);
		rv_fd_close(ret_fd);
		return err;
	}
	if (err != RV_E_CONFLICT)
		return err;
	return rv_file_open(path, O_RDWR, 0, ret_fd, why);
}

int rv_lock_daemon(const char *path, mode_t mode, int *ret_fd, pid_t *ret_holder,
		   struct rv_why *why)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	int err = open_file(path, mode, &fd, why);

	if (err != RV_OK)
		return err;
	err = take_daemon_byte(fd, ret_holder);
	if (err == RV_E_LOCKED)
		return rv_fail(why, err, "another reeved (pid %d) uses this store: %s is locked",
			       (int)*ret_holder, path);
	if (err == RV_OK)
		err = write_pid(fd);
	if (err != RV_OK)
		return rv_fail(why, err, "cannot lock %s: %s", path, rv_err_text(err));
	*ret_fd = rv_fd_take(&fd);
	return RV_OK;
}

int rv_lock_wait(int fd, int64_t deadline_us, int (*between)(void *ctx), void *ctx)
{
	for (;;) {
		int err = lock_byte(fd, BYTE_CHILDREN, F_WRLCK);

		if (err == RV_OK)
			return lock_byte(fd, BYTE_CHILDREN, F_UNLCK);
		if (err != RV_E_LOCKED)
			return err;
		if (between)
			err = between(ctx);
		if (between && err != RV_OK)
			return err;
		if (rv_mono_us() >= deadline_us)
			return RV_E_TIMEOUT;
		/* F_OFD_SETLKW has no deadline, and the sweep wants its turn between the tries. */
		(void)poll(NULL, 0, RV_LOCK_TRY_MS);
	}
}

int rv_lock_child(const char *path, int *ret_fd, struct rv_why *why)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	int err = rv_file_open(path, O_RDONLY, 0, &fd, why);

	if (err != RV_OK)
		return err;
	err = lock_byte(fd, BYTE_CHILDREN, F_RDLCK);
	if (err != RV_OK)
		return rv_fail(why, err, "cannot lock %s: %s", path, rv_err_text(err));
	*ret_fd = rv_fd_take(&fd);
	return RV_OK;
}

int rv_lock_holder(const char *path, pid_t *ret_holder, struct rv_why *why)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	struct flock lock = {
		.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = BYTE_DAEMON, .l_len = 1};
	int err = rv_file_open(path, O_RDONLY, 0, &fd, why);

	if (err == RV_E_NOTFOUND)
		return rv_fail(why, RV_E_NOTRUN, "reeved is not running");
	if (err != RV_OK)
		return err;
	if (fcntl(fd, F_OFD_GETLK, &lock) != 0)
		return rv_fail(why, rv_err_from_errno(errno), "cannot look at %s: %m", path);
	if (lock.l_type == F_UNLCK)
		return rv_fail(why, RV_E_NOTRUN, "reeved is not running");
	*ret_holder = read_pid(fd);
	return RV_OK;
}
