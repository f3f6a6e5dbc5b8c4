#ifndef RV_OBS_LOG_LINE_H
#define RV_OBS_LOG_LINE_H

/* Private to obs/: how an event becomes a line. */

#include "obs/log.h"

#include <sys/types.h>

struct rv_log_entry {
	int64_t wall_us;
	enum rv_log_level level;
	const char *event;
	const char *who; /* "" when nobody said */
	pid_t pid;
	const char *message;
	size_t message_size;
	const struct rv_log_field *fields;
	size_t nfields;
};

/*
 * Writes the line with its newline into ${out} (RV_LOG_LINE bytes) and returns its length.  Control
 * bytes are escaped in every format; what does not fit is cut, fields first.  ${format} is not
 * AUTO.
 */
size_t rv_log_line(char *out, enum rv_log_format format, bool colour,
		   const struct rv_log_entry *entry);

/* Does ${line} (without a newline) look like one that rv_log_line wrote in ${format}? */
bool rv_log_line_is(const char *line, size_t size, enum rv_log_format format);

#endif
