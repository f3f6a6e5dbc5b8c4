#ifndef RV_OBS_LOG_SINK_H
#define RV_OBS_LOG_SINK_H

/* Private to obs/: where lines go, without ever waiting for who reads them. */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rv_sink_kind {
	RV_SINK_PLAIN,   /* a regular file, or a description of our own that is non-blocking */
	RV_SINK_SOCKET,  /* the journal's stream */
	RV_SINK_GUARDED, /* shared with others and blocking: asked by poll() before each write */
};

struct rv_sink {
	int fd;
	bool own; /* close it when done */
	enum rv_sink_kind kind;
};

/*
 * Standard error.  A pipe or terminal is opened anew through /proc/self/fd, because O_NONBLOCK
 * belongs to the description that our parent and its other children write to as well.
 */
struct rv_sink rv_sink_stderr(void);
/* A file, appended to; made with mode 0640.  fifos are allowed. */
int rv_sink_file(const char *path, struct rv_sink *ret_sink, struct rv_why *why) RV_MUST_CHECK;
void rv_sink_close(struct rv_sink *sink);

/*
 * Lines that the sink did not take yet, oldest first, in a fixed ring.  There is one per process.
 * Writes ${line} after those; false: it was dropped (ring full, or the sink is broken).
 */
bool rv_sink_write(const struct rv_sink *sink, const char *line, size_t size);
/* Writes what goes; returns how many lines were lost to a broken sink. */
unsigned rv_sink_pump(const struct rv_sink *sink);
bool rv_sink_pending(void);
/* The sink has changed: a line that was half written begins anew. */
void rv_sink_rewind(void);

#endif
