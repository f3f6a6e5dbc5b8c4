/*
 * The end of a stream in a ring.  Worker processes.  Pure: no I/O, no memory of its own; must never
 * hold more than RV_TAIL_MAX bytes, whatever comes.
 */
#include "run/tail.h"

#include "base/check.h"

#include <string.h>

void rv_tail_add(struct rv_tail *tail, const char *data, size_t size)
{
	size_t at, first;

	if (size >= RV_TAIL_MAX) {
		memcpy(tail->data, data + size - RV_TAIL_MAX, RV_TAIL_MAX);
		tail->start = 0;
		tail->size = RV_TAIL_MAX;
		return;
	}
	at = (tail->start + tail->size) % RV_TAIL_MAX;
	first = size < RV_TAIL_MAX - at ? size : RV_TAIL_MAX - at;
	memcpy(tail->data + at, data, first);
	memcpy(tail->data, data + first, size - first);
	tail->size += size;
	if (tail->size > RV_TAIL_MAX) {
		tail->start = (tail->start + tail->size - RV_TAIL_MAX) % RV_TAIL_MAX;
		tail->size = RV_TAIL_MAX;
	}
	POST(tail->start < RV_TAIL_MAX && tail->size <= RV_TAIL_MAX);
}

size_t rv_tail_copy(const struct rv_tail *tail, char *out)
{
	size_t first =
		tail->size < RV_TAIL_MAX - tail->start ? tail->size : RV_TAIL_MAX - tail->start;

	memcpy(out, tail->data + tail->start, first);
	memcpy(out + first, tail->data, tail->size - first);
	return tail->size;
}

static char byte_at(const struct rv_tail *tail, size_t at)
{
	return tail->data[(tail->start + at) % RV_TAIL_MAX];
}

void rv_tail_line(const struct rv_tail *tail, char *out, size_t space)
{
	size_t end = tail->size;
	size_t begin;

	PRE(space > 0);
	while (end > 0 && (unsigned char)byte_at(tail, end - 1) <= ' ')
		end--;
	begin = end;
	while (begin > 0 && end - begin < space - 1 && byte_at(tail, begin - 1) != '\n' &&
	       byte_at(tail, begin - 1) != '\r')
		begin--;
	for (size_t i = begin; i < end; i++)
		out[i - begin] = byte_at(tail, i);
	out[end - begin] = '\0';
}
