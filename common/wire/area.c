/*
 * Making and mapping the area.  The supervisor makes it and only peeks afterwards; children map it.
 * Layout: head (its own pages) | hints (64 bytes each, whole pages) | slots; sparse, so that a slot
 * that is never used costs no memory.
 */
#include "wire/area.h"

#include "base/attr.h"
#include "base/check.h"
#include "base/seam.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE     ((size_t)4096)
#define SEALS    (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define HEAD_END pages(sizeof(struct rv_area_head))

_Static_assert(sizeof(struct rv_area_hint) == 64, "a hint is one cache line");
_Static_assert(sizeof(struct rv_area_slot) % 64 == 0, "slots keep their alignment");

static size_t pages(size_t size)
{
	return (size + PAGE - 1) / PAGE * PAGE;
}

static size_t hints_end(unsigned nslots)
{
	return HEAD_END + pages(nslots * sizeof(struct rv_area_hint));
}

static size_t area_size(unsigned nslots)
{
	return hints_end(nslots) + pages(nslots * sizeof(struct rv_area_slot));
}

static int init_mutex(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attr;
	int rc = pthread_mutexattr_init(&attr);

	if (rc != 0)
		return RV_E_NOMEM;
	(void)pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	(void)pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	rc = pthread_mutex_init(mutex, &attr);
	(void)pthread_mutexattr_destroy(&attr);
	return rc == 0 ? RV_OK : RV_E_NOMEM;
}

/* The head's first content; the rest of the file is zero, which is what a fresh slot is. */
static int init_head(int fd, unsigned nslots, uint64_t id)
{
	struct rv_area_head *head = mmap(NULL, HEAD_END, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int err;

	if (head == MAP_FAILED)
		return rv_err_from_errno(errno);
	head->magic = RV_AREA_MAGIC;
	head->version = RV_AREA_VERSION;
	head->nslots = nslots;
	head->id = id;
	err = init_mutex(&head->mutex);
	(void)munmap(head, HEAD_END);
	return err;
}

int rv_area_create(unsigned nslots, int *ret_fd, uint64_t *ret_id, struct rv_why *why)
{
	uint64_t id = rv_random_u64() >> 1 | 1; /* fits SQLite's signed integers, and is never 0 */
	int err = RV_OK;
	int fd;

	PRE(nslots > 0 && nslots <= RV_AREA_SLOTS_MAX);
	fd = memfd_create("reeve-area", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return rv_fail(why, rv_err_from_errno(errno), "cannot make the shared area: %m");
	if (ftruncate(fd, (off_t)area_size(nslots)) != 0)
		err = rv_err_from_errno(errno);
	if (err == RV_OK)
		err = init_head(fd, nslots, id);
	if (err == RV_OK && fcntl(fd, F_ADD_SEALS, SEALS) != 0)
		err = rv_err_from_errno(errno);
	if (err != RV_OK) {
		(void)close(fd);
		return rv_fail(why, err, "cannot make the shared area: %s", rv_err_text(err));
	}
	*ret_fd = fd;
	*ret_id = id;
	return RV_OK;
}

/* Is ${fd} an area, whole, of this build, and of a size that nobody can change under us? */
static int examine(int fd, unsigned *ret_nslots, struct rv_why *why)
{
	struct rv_area_head head;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || (seals & SEALS) != SEALS)
		return rv_fail(why, RV_E_REFUSED, "descriptor %d is no sealed area", fd);
	if (fstat(fd, &st) != 0 || pread(fd, &head, sizeof head, 0) != (ssize_t)sizeof head)
		return rv_fail(why, RV_E_REFUSED, "the area is cut short");
	if (head.magic != RV_AREA_MAGIC || head.version != RV_AREA_VERSION)
		return rv_fail(why, RV_E_REFUSED, "the area is of another version of reeve");
	if (head.nslots == 0 || head.nslots > RV_AREA_SLOTS_MAX ||
	    (size_t)st.st_size != area_size(head.nslots))
		return rv_fail(why, RV_E_REFUSED, "the area's head and its size disagree");
	*ret_nslots = head.nslots;
	return RV_OK;
}

int rv_area_map(int fd, struct rv_area *ret_area, struct rv_why *why)
{
	unsigned nslots = 0;
	int err = examine(fd, &nslots, why);
	char *base;

	if (err != RV_OK)
		return err;
	base = mmap(NULL, area_size(nslots), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return rv_fail(why, rv_err_from_errno(errno), "cannot map the area: %m");
	*ret_area = (struct rv_area){
		.head = (void *)base,
		.hints = (void *)(base + HEAD_END),
		.slots = (void *)(base + hints_end(nslots)),
		.size = area_size(nslots),
	};
	return RV_OK;
}

void rv_area_unmap(struct rv_area *area)
{
	if (area->head)
		(void)munmap(area->head, area->size);
	*area = (struct rv_area){0};
}

int rv_area_peek(int fd, unsigned slot, struct rv_area_hint *ret_hint)
{
	unsigned char bytes[sizeof(struct rv_area_hint)];
	ssize_t n;

	PRE(slot < RV_AREA_SLOTS_MAX);
	n = pread(fd, bytes, sizeof bytes, (off_t)(HEAD_END + slot * sizeof bytes));
	if (n != (ssize_t)sizeof bytes)
		return n < 0 ? rv_err_from_errno(errno) : RV_E_NOTFOUND;
	memcpy(ret_hint, bytes, sizeof bytes);
	return RV_OK;
}
