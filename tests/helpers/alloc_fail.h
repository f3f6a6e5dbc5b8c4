#ifndef RV_TESTHELP_ALLOC_FAIL_H
#define RV_TESTHELP_ALLOC_FAIL_H

/*
 * Allocation failure: USES testalloc replaces malloc, calloc, realloc, strdup of our own code (not
 * of shared libraries; jansson gets it by json_set_alloc_funcs) by ones that fail when they are
 * told to.
 */

#include <stddef.h>

/* The ${n}-th allocation from now (1: the next) fails, and ${more} after it as well; 0: none. */
void rv_test_alloc_fail(unsigned n, unsigned more);
/* How many allocations were made since the last rv_test_alloc_fail. */
unsigned rv_test_alloc_count(void);

/* For json_set_alloc_funcs(). */
void *rv_test_malloc(size_t size);
void rv_test_free(void *memory);

#endif
