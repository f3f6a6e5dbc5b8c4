/* Many small allocations, freed together.  Every process. */
#include "base/arena.h"

#include "base/check.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE RV_LIMIT(4000, 64) /* with its header below one page */

struct rv_arena_block {
	struct rv_arena_block *next;
	size_t used;
	size_t space;
	alignas(max_align_t) char data[];
};

void rv_arena_init(struct rv_arena *arena)
{
	arena->blocks = NULL;
}

void rv_arena_reset(struct rv_arena *arena)
{
	struct rv_arena_block *block = arena->blocks;

	while (block) {
		struct rv_arena_block *next = block->next;

		DEEP(memset(block->data, 0xdd, block->space)); /* who still looks sees it */
		free(block);
		block = next;
	}
	arena->blocks = NULL;
}

void *rv_arena_alloc(struct rv_arena *arena, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct rv_arena_block *block = arena->blocks;
	void *place;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = size ? (size + align - 1) / align * align : align;
	if (!block || block->space - block->used < size) {
		size_t space = size > BLOCK_SIZE ? size : BLOCK_SIZE / align * align;

		block = calloc(1, sizeof *block + space);
		if (!block)
			return NULL;
		block->space = space;
		block->next = arena->blocks;
		arena->blocks = block;
	}
	place = block->data + block->used;
	block->used += size;
	return place;
}

char *rv_arena_memdup(struct rv_arena *arena, const void *data, size_t size)
{
	char *copy = size == SIZE_MAX ? NULL : rv_arena_alloc(arena, size + 1);

	if (copy && size > 0)
		memcpy(copy, data, size);
	return copy;
}

char *rv_arena_strdup(struct rv_arena *arena, const char *text)
{
	return rv_arena_memdup(arena, text, strlen(text));
}

char *rv_arena_printf(struct rv_arena *arena, const char *format, ...)
{
	va_list args;
	char *text;
	int need;

	va_start(args, format);
	need = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (need < 0)
		return NULL;
	text = rv_arena_alloc(arena, (size_t)need + 1);
	if (!text)
		return NULL;
	va_start(args, format);
	(void)vsnprintf(text, (size_t)need + 1, format, args);
	va_end(args);
	return text;
}
