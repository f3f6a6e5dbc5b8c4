#ifndef RV_OS_FSINFO_H
#define RV_OS_FSINFO_H

/*
 * What lies under a store's path: may a database live there (DESIGN §3 "Where and who")?
 * Only stats, never opens: it may be called on the database and its -shm at any time.
 */

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum rv_fs_verdict {
	RV_FS_FINE,
	RV_FS_VOLATILE, /* tmpfs, ramfs: works, but nothing survives a reboot; warn */
	RV_FS_REFUSED,  /* NFS, CIFS, 9p, FUSE…: SQLite's locks or shared memory do not hold */
};

struct rv_fs {
	enum rv_fs_verdict verdict;
	char name[24]; /* "nfs", "tmpfs", "ext4", or the magic number in hex */
};

/* The file system of ${path}, or of its folder when ${path} does not exist. */
int rv_fs_look(const char *path, struct rv_fs *ret_fs, struct rv_why *why) RV_MUST_CHECK;
/* The verdict on a statfs() magic number; the table that rv_fs_look uses. */
struct rv_fs rv_fs_judge(uint64_t magic);

/* RV_E_REFUSED: a symlink, not a regular file, or st_nlink != 1; RV_E_NOTFOUND: absent. */
int rv_fs_plain_file(const char *path, struct rv_why *why) RV_MUST_CHECK;

/* Names a file by what it is, not by where it lies. */
struct rv_fs_id {
	dev_t dev;
	ino_t ino;
};

int rv_fs_identity(const char *path, struct rv_fs_id *ret_id) RV_MUST_CHECK;
bool rv_fs_same(const struct rv_fs_id *a, const struct rv_fs_id *b);

/* The inode of ${pid}'s PID namespace (0: ours); RV_E_NOTFOUND, RV_E_DENIED. */
int rv_fs_pidns(pid_t pid, uint64_t *ret_inode) RV_MUST_CHECK;

#endif
