/*
 * Counts the allocations of a process: LD_PRELOAD of a test.  The count is the first 8 bytes of the
 * file $RV_ALLOC_COUNT, shared with whoever maps it.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

static _Atomic uint64_t unmapped;
static _Atomic uint64_t *count = &unmapped;

__attribute__((constructor)) static void map_count(void)
{
	const char *path = getenv("RV_ALLOC_COUNT");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map = fd >= 0 ? mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
			    : MAP_FAILED;

	if (map != MAP_FAILED)
		count = map;
	if (fd >= 0)
		(void)close(fd);
}

void *malloc(size_t size)
{
	(void)atomic_fetch_add(count, 1);
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	(void)atomic_fetch_add(count, 1);
	return __libc_calloc(n, size);
}

void *realloc(void *memory, size_t size)
{
	(void)atomic_fetch_add(count, 1);
	return __libc_realloc(memory, size);
}
