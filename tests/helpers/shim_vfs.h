#ifndef RV_TESTHELP_SHIM_VFS_H
#define RV_TESTHELP_SHIM_VFS_H

/*
 * A SQLite VFS around the real one (it becomes the default of the process): fails or kills at the
 * N-th call, records what was written and synced so that a power cut at any point can be played
 * back, and aborts when the main database file is written without the writer lock (DESIGN §3: what
 * loses commits on SQLite before 3.51.3).  One process, one thread; the -shm file is passed
 * through.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Kinds of calls, for masks. */
enum {
	RV_SHIM_OPEN = 1,
	RV_SHIM_READ = 2,
	RV_SHIM_WRITE = 4,
	RV_SHIM_TRUNCATE = 8,
	RV_SHIM_SYNC = 16,
	RV_SHIM_SIZE = 32,
	RV_SHIM_SHM = 64, /* xShmMap */
	RV_SHIM_DELETE = 128,
	RV_SHIM_ANY = 255,
};

enum rv_shim_fault {
	RV_SHIM_EIO,    /* the call does nothing and fails */
	RV_SHIM_ENOSPC, /* the same as a full disk; reads are well */
	RV_SHIM_SHORT,  /* a write does its first half, then the disk is full */
	RV_SHIM_KILL,   /* SIGKILL to ourselves before the call */
	RV_SHIM_STOP,   /* SIGSTOP to ourselves before the call */
};

void rv_shim_install(void);

/* The ${n}-th call of ${mask} from now on fails (1: the next), and all after it if ${persistent};
 * 0: none. */
void rv_shim_fail(uint64_t n, unsigned mask, enum rv_shim_fault fault, bool persistent);
/* Whether it struck, and how many calls of the mask were made, since then. */
bool rv_shim_struck(void);
uint64_t rv_shim_calls(void);

/* Writes of the main database file without the writer lock abort; on from the start.  With it off
 * they are counted. */
void rv_shim_rule(bool abort_on_breach);
uint64_t rv_shim_breaches(void);
/* Called before every write of the main database file (NULL: no more); tests hold locks in it. */
void rv_shim_on_write(void (*hook)(void *ctx), void *ctx);

/* Called where a checkpoint has read the header of the log and done nothing yet: the window of the
 * WAL-reset bug. */
void rv_shim_on_checkpoint(void (*hook)(void *ctx), void *ctx);

/*
 * Recording: what ${path} and its -wal and -journal are now is taken as durable; from here on every
 * write, truncation and sync of them is kept, numbered from 0.
 */
void rv_shim_record(const char *path);
void rv_shim_record_end(void);
uint64_t rv_shim_recorded(void);

enum rv_shim_cut { RV_SHIM_DROP, RV_SHIM_KEEP, RV_SHIM_RANDOM };
/*
 * Writes to ${folder}/name what a disk may hold after the power went before operation ${cut}: all
 * that was synced, and of the rest nothing, all, or each 512-byte sector by chance (${seed}).
 */
void rv_shim_image(const char *folder, const char *name, uint64_t cut, enum rv_shim_cut how,
		   uint64_t seed);

#endif
