#ifndef RV_BASE_ARENA_H
#define RV_BASE_ARENA_H

/*
 * An arena: many small allocations, freed together.  One per job in the worker, one per control
 * request and reload in the supervisor.  Not for anything that outlives its reset.
 */

#include "base/attr.h"

#include <stddef.h>

struct rv_arena_block;

struct rv_arena {
	struct rv_arena_block *blocks; /* newest first; owned */
};

void rv_arena_init(struct rv_arena *arena);
/* Frees everything; the arena can be used again. */
void rv_arena_reset(struct rv_arena *arena);

/* Zeroed memory aligned for any type, valid until the reset; NULL when out of memory. */
void *rv_arena_alloc(struct rv_arena *arena, size_t size) RV_MUST_CHECK;
char *rv_arena_strdup(struct rv_arena *arena, const char *text) RV_MUST_CHECK;
/* ${size} bytes and a NUL after them. */
char *rv_arena_memdup(struct rv_arena *arena, const void *data, size_t size) RV_MUST_CHECK;
char *rv_arena_printf(struct rv_arena *arena, const char *format, ...)
	RV_PRINTF(2, 3) RV_MUST_CHECK;

#endif
