/*
 * A SQLite VFS around the real one; see shim_vfs.h.  Tests only.  Whatever goes wrong in the shim
 * itself aborts: a test on top of a broken shim says nothing.
 */
#include "helpers/shim_vfs.h"

#include "helpers/shim_record.h"
#include "os/proclocks.h"

#include <sqlite3.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct shim_file {
	sqlite3_file base;
	enum rv_shim_kind kind;
	char shm_path[4200];
	bool shm;           /* has shared memory: it is in WAL mode */
	bool write_lock;    /* we have byte 120, by the calls we saw */
	sqlite3_file *real; /* in the space behind this struct */
};

static struct {
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
	uint64_t at, calls; /* fault at this call; calls so far */
	unsigned mask;
	enum rv_shim_fault fault;
	bool persistent, struck;
	bool lenient;
	uint64_t breaches;
	void (*on_write)(void *ctx);
	void *ctx;
	void (*on_checkpoint)(void *ctx);
	void *checkpoint_ctx;
} shim;

static void fail(const char *what)
{
	(void)fprintf(stderr, "shim: %s\n", what);
	abort();
}

static struct shim_file *of(sqlite3_file *file)
{
	return (struct shim_file *)(void *)file;
}

/* Counts a call; true: it is to fail. */
static bool strikes(unsigned kind)
{
	if (shim.at == 0 || !(shim.mask & kind))
		return false;
	if (shim.fault == RV_SHIM_ENOSPC &&
	    !(kind & (RV_SHIM_WRITE | RV_SHIM_TRUNCATE | RV_SHIM_SHM)))
		return false;
	if (shim.fault == RV_SHIM_SHORT && kind != RV_SHIM_WRITE)
		return false;
	shim.calls++;
	if (shim.calls != shim.at && !(shim.persistent && shim.calls > shim.at))
		return false;
	shim.struck = true;
	if (shim.fault == RV_SHIM_KILL)
		(void)kill(getpid(), SIGKILL);
	if (shim.fault == RV_SHIM_STOP) {
		(void)kill(getpid(), SIGSTOP);
		return false;
	}
	return true;
}

static int code(int io_error)
{
	return shim.fault == RV_SHIM_EIO ? io_error : SQLITE_FULL;
}

/* What the kernel says; its list is read in pieces and may miss a line when locks come and go. */
static bool kernel_agrees(const struct shim_file *file)
{
	struct rv_fs_id id;
	pid_t pid = 0;

	if (rv_fs_identity(file->shm_path, &id) != RV_OK)
		return false;
	for (int tries = 0; tries < 50; tries++) {
		if (rv_proclocks_writer(&id, RV_LOCK_WAL_WRITE, &pid) == RV_OK)
			return pid == getpid();
	}
	return false;
}

/* The rule of DESIGN §3, by what SQLite did and by what the kernel says. */
static void look_at_lock(const struct shim_file *file)
{
	if (!file->shm || (file->write_lock && kernel_agrees(file)))
		return;
	shim.breaches++;
	if (!shim.lenient)
		fail(file->write_lock
			     ? "the kernel knows no writer lock of ours"
			     : "the main database file is written without the writer lock");
}

static int shim_close(sqlite3_file *file)
{
	return of(file)->real->pMethods->xClose(of(file)->real);
}

static int shim_read(sqlite3_file *file, void *data, int size, sqlite3_int64 offset)
{
	if (strikes(RV_SHIM_READ))
		return SQLITE_IOERR_READ;
	return of(file)->real->pMethods->xRead(of(file)->real, data, size, offset);
}

static int shim_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
	struct shim_file *f = of(file);
	int rc;

	if (f->kind == RV_SHIM_DB) {
		look_at_lock(f);
		if (shim.on_write)
			shim.on_write(shim.ctx);
	}
	if (strikes(RV_SHIM_WRITE)) {
		if (shim.fault == RV_SHIM_SHORT) {
			rv_shim_note_write(f->kind, data, (size_t)size / 2, offset);
			(void)f->real->pMethods->xWrite(f->real, data, size / 2, offset);
		}
		return code(SQLITE_IOERR_WRITE);
	}
	rc = f->real->pMethods->xWrite(f->real, data, size, offset);
	if (rc == SQLITE_OK)
		rv_shim_note_write(f->kind, data, (size_t)size, offset);
	return rc;
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	int rc;

	if (strikes(RV_SHIM_TRUNCATE))
		return code(SQLITE_IOERR_TRUNCATE);
	rc = of(file)->real->pMethods->xTruncate(of(file)->real, size);
	if (rc == SQLITE_OK)
		rv_shim_note_truncate(of(file)->kind, size);
	return rc;
}

static int shim_sync(sqlite3_file *file, int flags)
{
	int rc;

	if (strikes(RV_SHIM_SYNC))
		return SQLITE_IOERR_FSYNC;
	rc = of(file)->real->pMethods->xSync(of(file)->real, flags);
	if (rc == SQLITE_OK)
		rv_shim_note_sync(of(file)->kind);
	return rc;
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
	if (strikes(RV_SHIM_SIZE))
		return SQLITE_IOERR_FSTAT;
	return of(file)->real->pMethods->xFileSize(of(file)->real, ret_size);
}

static int shim_lock(sqlite3_file *file, int level)
{
	return of(file)->real->pMethods->xLock(of(file)->real, level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
	return of(file)->real->pMethods->xUnlock(of(file)->real, level);
}

static int shim_reserved(sqlite3_file *file, int *ret_out)
{
	return of(file)->real->pMethods->xCheckReservedLock(of(file)->real, ret_out);
}

static int shim_control(sqlite3_file *file, int op, void *arg)
{
	return of(file)->real->pMethods->xFileControl(of(file)->real, op, arg);
}

static int shim_sector(sqlite3_file *file)
{
	return of(file)->real->pMethods->xSectorSize(of(file)->real);
}

static int shim_traits(sqlite3_file *file)
{
	return of(file)->real->pMethods->xDeviceCharacteristics(of(file)->real);
}

static int shim_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
	of(file)->shm = true;
	if (strikes(RV_SHIM_SHM))
		return shim.fault == RV_SHIM_EIO ? SQLITE_IOERR_SHMMAP : SQLITE_IOERR_SHMSIZE;
	return of(file)->real->pMethods->xShmMap(of(file)->real, page, size, extend, ret);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
	struct shim_file *f = of(file);
	int rc = f->real->pMethods->xShmLock(f->real, offset, n, flags);

	if (rc == SQLITE_OK && offset == 0 && (flags & SQLITE_SHM_EXCLUSIVE))
		f->write_lock = (flags & SQLITE_SHM_LOCK) != 0;
	return rc;
}

static void shim_shm_barrier(sqlite3_file *file)
{
	of(file)->real->pMethods->xShmBarrier(of(file)->real);
}

static int shim_shm_unmap(sqlite3_file *file, int delete)
{
	of(file)->shm = false;
	of(file)->write_lock = false;
	return of(file)->real->pMethods->xShmUnmap(of(file)->real, delete);
}

static int shim_fetch(sqlite3_file *file, sqlite3_int64 offset, int size, void **ret)
{
	return of(file)->real->pMethods->xFetch(of(file)->real, offset, size, ret);
}

static int shim_unfetch(sqlite3_file *file, sqlite3_int64 offset, void *page)
{
	if (shim.on_checkpoint && !page) /* sqlite3WalCheckpoint, after walIndexReadHdr */
		shim.on_checkpoint(shim.checkpoint_ctx);
	return of(file)->real->pMethods->xUnfetch(of(file)->real, offset, page);
}

static const sqlite3_io_methods methods = {
	.iVersion = 3,
	.xClose = shim_close,
	.xRead = shim_read,
	.xWrite = shim_write,
	.xTruncate = shim_truncate,
	.xSync = shim_sync,
	.xFileSize = shim_size,
	.xLock = shim_lock,
	.xUnlock = shim_unlock,
	.xCheckReservedLock = shim_reserved,
	.xFileControl = shim_control,
	.xSectorSize = shim_sector,
	.xDeviceCharacteristics = shim_traits,
	.xShmMap = shim_shm_map,
	.xShmLock = shim_shm_lock,
	.xShmBarrier = shim_shm_barrier,
	.xShmUnmap = shim_shm_unmap,
	.xFetch = shim_fetch,
	.xUnfetch = shim_unfetch,
};

static int shim_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
		     int *ret_flags)
{
	struct shim_file *f = of(file);
	int rc;

	(void)vfs;
	memset(f, 0, sizeof *f);
	f->real = (sqlite3_file *)(void *)(f + 1);
	if (strikes(RV_SHIM_OPEN))
		return SQLITE_CANTOPEN;
	f->kind = flags & SQLITE_OPEN_MAIN_DB        ? RV_SHIM_DB
		  : flags & SQLITE_OPEN_WAL          ? RV_SHIM_LOG
		  : flags & SQLITE_OPEN_MAIN_JOURNAL ? RV_SHIM_JOURNAL
						     : RV_SHIM_OTHER;
	if (f->kind == RV_SHIM_DB)
		(void)snprintf(f->shm_path, sizeof f->shm_path, "%s-shm", name);
	rc = shim.real->xOpen(shim.real, name, f->real, flags, ret_flags);
	if (rc == SQLITE_OK)
		f->base.pMethods = &methods;
	if (rc == SQLITE_OK && (flags & SQLITE_OPEN_CREATE))
		rv_shim_note_create(f->kind);
	return rc;
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	if (strikes(RV_SHIM_DELETE))
		return SQLITE_IOERR_DELETE;
	rv_shim_note_delete(name);
	return shim.real->xDelete(shim.real, name, sync);
}

static int shim_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret_out)
{
	(void)vfs;
	return shim.real->xAccess(shim.real, name, flags, ret_out);
}

static int shim_full_name(sqlite3_vfs *vfs, const char *name, int space, char *out)
{
	(void)vfs;
	return shim.real->xFullPathname(shim.real, name, space, out);
}

void rv_shim_install(void)
{
	if (shim.real)
		return;
	shim.real = sqlite3_vfs_find("unix");
	if (!shim.real)
		fail("no unix VFS");
	shim.vfs = *shim.real;
	shim.vfs.zName = "shim";
	shim.vfs.pNext = NULL;
	shim.vfs.szOsFile = (int)sizeof(struct shim_file) + shim.real->szOsFile;
	shim.vfs.xOpen = shim_open;
	shim.vfs.xDelete = shim_delete;
	shim.vfs.xAccess = shim_access;
	shim.vfs.xFullPathname = shim_full_name;
	if (sqlite3_vfs_register(&shim.vfs, 1) != SQLITE_OK)
		fail("cannot register");
}

void rv_shim_fail(uint64_t n, unsigned mask, enum rv_shim_fault fault, bool persistent)
{
	shim.at = n;
	shim.calls = 0;
	shim.mask = mask;
	shim.fault = fault;
	shim.persistent = persistent;
	shim.struck = false;
}

bool rv_shim_struck(void)
{
	return shim.struck;
}

uint64_t rv_shim_calls(void)
{
	return shim.calls;
}

void rv_shim_rule(bool abort_on_breach)
{
	shim.lenient = !abort_on_breach;
	shim.breaches = 0;
}

uint64_t rv_shim_breaches(void)
{
	return shim.breaches;
}

void rv_shim_on_write(void (*hook)(void *ctx), void *ctx)
{
	shim.on_write = hook;
	shim.ctx = ctx;
}

void rv_shim_on_checkpoint(void (*hook)(void *ctx), void *ctx)
{
	shim.on_checkpoint = hook;
	shim.checkpoint_ctx = ctx;
}
