#ifndef RV_RUN_TAIL_H
#define RV_RUN_TAIL_H

/*
 * The last 64 KiB of what a handler process has printed on stderr, for when it dies.  Pure; one in
 * each process of a pipe task.  A zeroed one is empty.
 */

#include <stddef.h>

#define RV_TAIL_MAX (64U << 10)

struct rv_tail {
	size_t start, size; /* a ring */
	char data[RV_TAIL_MAX];
};

void rv_tail_add(struct rv_tail *tail, const char *data, size_t size);
/* Copies all of it, oldest first, into ${out} (RV_TAIL_MAX bytes); its size. */
size_t rv_tail_copy(const struct rv_tail *tail, char *out);
/* Its last line that is not empty, cut at its beginning if need be, into ${out} with a NUL. */
void rv_tail_line(const struct rv_tail *tail, char *out, size_t space);

#endif
