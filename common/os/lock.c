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
#include "os/fsinfo.h"
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
#define NS_SPACE      24  /* the same, for the inode of its PID namespace */
#define HOLDER_SPACE  (PID_SPACE + NS_SPACE)

/* What the daemon has written of itself; 0: unreadable, or not known. */
struct holder {
	pid_t pid;
	uint64_t pidns;
};

/* OFD: ours alone, not our process's: closing some other descriptor of the file changes nothing. */
static int lock_byte(int fd, int byte, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return RV_OK;
	return errno == EAGAIN || errno == EACCES ? RV_E_LOCKED : rv_err_from_errno(errno);
}

static int64_t read_number(char *text, int64_t max)
{
	int64_t number = 0;

	text[strcspn(text, " \n")] = '\0';
	return rv_parse_int(text, 1, max, &number) == RV_OK ? number : 0;
}

static struct holder read_holder(int fd)
{
	char text[HOLDER_SPACE + 1] = "";
	char pidns[NS_SPACE + 1];
	ssize_t n = pread(fd, text, HOLDER_SPACE, PID_OFFSET);
	struct holder holder;

	text[n > 0 ? n : 0] = '\0';
	memcpy(pidns, text + PID_SPACE, sizeof pidns);
	holder.pid = (pid_t)read_number(text, INT32_MAX);
	holder.pidns = (uint64_t)read_number(pidns, INT64_MAX);
	return holder;
}

static uint64_t our_pidns(void)
{
	uint64_t inode;

	return rv_fs_pidns(0, &inode) == RV_OK ? inode : 0;
}

static bool is_elsewhere(const struct holder *holder)
{
	uint64_t ours = our_pidns();

	return holder->pidns != 0 && ours != 0 && holder->pidns != ours;
}

static int refuse_elsewhere(const char *path, const struct holder *holder, struct rv_why *why)
{
	return rv_fail(why, RV_E_CONF,
		       "the reeved that uses this store runs in another PID namespace (as pid %d "
		       "there): what the two of us see of processes and locks differs; use the "
		       "store from there (%s)",
		       (int)holder->pid, path);
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
static int take_daemon_byte(int fd, struct holder *ret_holder)
{
	int err = RV_OK;

	for (int tries = 0; tries < DEAD_TRIES; tries++) {
		err = lock_byte(fd, BYTE_DAEMON, F_WRLCK);
		if (err != RV_E_LOCKED)
			return err;
		*ret_holder = read_holder(fd);
		if (!is_elsewhere(ret_holder) && is_alive(ret_holder->pid))
			return err;
		(void)poll(NULL, 0, DEAD_TRY_MS);
	}
	return err;
}

static int write_holder(int fd)
{
	char text[PID_OFFSET + HOLDER_SPACE + 1];
	int n = snprintf(text, sizeof text, "reeve lock file\n%-15d\n%-23lld\n", (int)getpid(),
			 (long long)our_pidns());
	ssize_t written;

	INV(n == PID_OFFSET + HOLDER_SPACE);
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
	struct holder holder = {0};
	int err = open_file(path, mode, &fd, why);

	if (err != RV_OK)
		return err;
	err = take_daemon_byte(fd, &holder);
	*ret_holder = holder.pid;
	if (err == RV_E_LOCKED && is_elsewhere(&holder))
		return refuse_elsewhere(path, &holder, why);
	if (err == RV_E_LOCKED)
		return rv_fail(why, err, "another reeved (pid %d) uses this store: %s is locked",
			       (int)*ret_holder, path);
	if (err == RV_OK)
		err = write_holder(fd);
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
	struct holder holder = read_holder(fd);

	if (is_elsewhere(&holder))
		return refuse_elsewhere(path, &holder, why);
	*ret_holder = holder.pid;
	return RV_OK;
}
