#ifndef RV_FUZZ_FUZZ_H
#define RV_FUZZ_FUZZ_H

/*
 * A fuzz target is a plain function over bytes, in a file of its own.  Built by clang for the
 * preset fuzz it is driven by libFuzzer, else by replay.c over its corpus.  A FUZZ_CHECK that does
 * not hold aborts, as do the checks of the house.
 */

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__,           \
				      #condition);                                                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The bytes as a text: up to their first NUL, with one after them.  free() it. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	FUZZ_CHECK(text);
	for (size_t i = 0; i < size; i++)
		text[i] = (char)data[i];
	text[size] = '\0';
	return text;
}

#endif
