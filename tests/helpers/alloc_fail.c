/* Allocation failure, by the linker's --wrap; see alloc_fail.h. */
#include "helpers/alloc_fail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static unsigned fail_at;
static unsigned fail_more;
static unsigned count;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);

void rv_test_alloc_fail(unsigned n, unsigned more)
{
	fail_at = n;
	fail_more = more;
	count = 0;
}

unsigned rv_test_alloc_count(void)
{
	return count;
}

static int fails(void)
{
	count++;
	if (fail_at == 0 || count < fail_at || count > fail_at + fail_more)
		return 0;
	errno = ENOMEM;
	return 1;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return fails() ? NULL : __real_realloc(memory, size);
}

char *__wrap_strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = __wrap_malloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}

void *rv_test_malloc(size_t size)
{
	return __wrap_malloc(size);
}

void rv_test_free(void *memory)
{
	free(memory);
}
