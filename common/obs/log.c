/*
 * The log of a process.  Every program; libraries do not log.  Nothing is allocated, nothing waits,
 * and a failure to log is counted, not reported: there is nowhere left to report it to.
 */
#include "obs/log.h"

#include "base/attr.h"
#include "base/check.h"
#include "base/seam.h"
#include "obs/log_line.h"
#include "obs/log_sink.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MESSAGE_SPACE 3072
#define PATH_SPACE    4096

static const char *const event_names[] = {
#define EVENT(id, name, doc) [RV_EV_##id] = name,
#include "obs/events.def"
#undef EVENT
};

static const char *const level_names[] = {
	[RV_LOG_DEBUG] = "debug",
	[RV_LOG_INFO] = "info",
	[RV_LOG_WARN] = "warn",
	[RV_LOG_ERROR] = "error",
};

static const char *const format_names[] = {
	[RV_LOG_AUTO] = "auto",
	[RV_LOG_TEXT] = "text",
	[RV_LOG_JSON] = "json",
	[RV_LOG_JOURNAL] = "journal",
};

static struct state {
	bool open;
	enum rv_log_level level;
	enum rv_log_format format; /* never AUTO once open */
	bool colour;
	char who[64];
	char path[PATH_SPACE]; /* "": stderr */
	struct rv_sink sink;
	uint64_t dropped; /* since the start */
	uint64_t untold;  /* of those, not yet told by a log.dropped line */
} state = {.level = RV_LOG_INFO};

const char *rv_event_name(enum rv_event event)
{
	return (int)event >= 0 && event < RV_EVENTS ? event_names[event] : "?";
}

const char *rv_log_level_name(enum rv_log_level level)
{
	return (int)level >= 0 && level < RV_LOG_LEVELS ? level_names[level] : "?";
}

int rv_log_level_parse(const char *text, enum rv_log_level *ret_level)
{
	for (int i = 0; i < RV_LOG_LEVELS; i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*ret_level = (enum rv_log_level)i;
			return RV_OK;
		}
	}
	return RV_E_PARSE;
}

int rv_log_format_parse(const char *text, enum rv_log_format *ret_format)
{
	for (int i = 0; i < RV_LOG_FORMATS; i++) {
		if (strcmp(text, format_names[i]) == 0) {
			*ret_format = (enum rv_log_format)i;
			return RV_OK;
		}
	}
	return RV_E_PARSE;
}

/* $JOURNAL_STREAM is "device:inode" of the stream that the journal reads (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long long device;
	struct stat st;
	char *end;

	if (!text || fstat(STDERR_FILENO, &st) != 0)
		return false;
	device = strtoull(text, &end, 10);
	return *end == ':' && st.st_dev == device && st.st_ino == strtoull(end + 1, NULL, 10);
}

static bool wants_colour(int fd)
{
	const char *no_color = getenv("NO_COLOR"); /* https://no-color.org */
	const char *term = getenv("TERM");

	return isatty(fd) && !(no_color && no_color[0] != '\0') && term &&
	       strcmp(term, "dumb") != 0;
}

static enum rv_log_format choose(enum rv_log_format wanted, const struct rv_sink *sink,
				 bool is_stderr)
{
	const char *told = getenv("REEVE_LOG_FORMAT");

	if (wanted != RV_LOG_AUTO)
		return wanted;
	if (told && rv_log_format_parse(told, &wanted) == RV_OK && wanted != RV_LOG_AUTO)
		return wanted;
	if (is_stderr && stderr_is_journal())
		return RV_LOG_JOURNAL;
	return isatty(sink->fd) ? RV_LOG_TEXT : RV_LOG_JSON;
}

int rv_log_open(const struct rv_log_setup *setup, struct rv_why *why)
{
	bool is_stderr = !setup->target || strcmp(setup->target, "stderr") == 0;
	struct rv_sink sink;
	int err = RV_OK;

	PRE((int)setup->level >= 0 && setup->level < RV_LOG_LEVELS);
	PRE((int)setup->format >= 0 && setup->format < RV_LOG_FORMATS);
	if (!is_stderr && strlen(setup->target) >= sizeof state.path)
		return rv_fail(why, RV_E_TOOBIG, "the path of the log is too long");
	if (is_stderr)
		sink = rv_sink_stderr();
	else
		err = rv_sink_file(setup->target, &sink, why);
	if (err != RV_OK)
		return err;
	if (state.open) {
		rv_log_pump();
		rv_sink_close(&state.sink);
		rv_sink_rewind();
	}
	state.open = true;
	state.sink = sink;
	state.level = setup->level;
	state.format = choose(setup->format, &sink, is_stderr);
	state.colour = state.format == RV_LOG_TEXT && wants_colour(sink.fd);
	(void)snprintf(state.path, sizeof state.path, "%s", is_stderr ? "" : setup->target);
	(void)snprintf(state.who, sizeof state.who, "%s", setup->who ? setup->who : "");
	return RV_OK;
}

int rv_log_reopen(struct rv_why *why)
{
	struct rv_sink sink;
	int err;

	if (!state.open || state.path[0] == '\0')
		return RV_OK;
	err = rv_sink_file(state.path, &sink, why);
	if (err != RV_OK)
		return err;
	rv_log_pump();
	rv_sink_close(&state.sink);
	rv_sink_rewind();
	state.sink = sink;
	return RV_OK;
}

void rv_log_close(void)
{
	if (!state.open)
		return;
	rv_log_pump();
	rv_sink_close(&state.sink);
	rv_sink_rewind();
	state.open = false;
	state.path[0] = '\0';
}

bool rv_log_wants(enum rv_log_level level)
{
	return level >= state.level;
}

int rv_log_pending_fd(void)
{
	return state.open && rv_sink_pending() ? state.sink.fd : -1;
}

uint64_t rv_log_dropped(void)
{
	return state.dropped;
}

static void count_lost(uint64_t lines)
{
	state.dropped += lines;
	state.untold += lines;
}

static void put(const struct rv_log_entry *entry)
{
	char line[RV_LOG_LINE];
	size_t size = rv_log_line(line, state.format, state.colour, entry);

	if (!rv_sink_write(&state.sink, line, size))
		count_lost(1);
}

/* Once the reader reads again it is told what it has missed, before what comes next. */
static void tell_dropped(void)
{
	uint64_t lines = state.untold;
	char message[64];
	int size = snprintf(message, sizeof message, "%llu lines of the log were dropped",
			    (unsigned long long)lines);
	const struct rv_log_field fields[] = {RV_INT("dropped", lines)};
	struct rv_log_entry entry = {
		.wall_us = rv_wall_us(),
		.level = RV_LOG_WARN,
		.event = event_names[RV_EV_log_dropped],
		.who = state.who,
		.pid = getpid(),
		.message = message,
		.message_size = (size_t)size,
		.fields = fields,
		.nfields = RV_ARRAY_LEN(fields),
	};

	state.untold = 0;
	put(&entry);
	if (state.untold > 0) { /* it was dropped itself: that one is not news */
		state.dropped--;
		state.untold = lines;
	}
}

void rv_log_pump(void)
{
	if (!state.open)
		return;
	count_lost(rv_sink_pump(&state.sink));
	if (!rv_sink_pending() && state.untold > 0)
		tell_dropped();
}

static void open_default(void)
{
	const struct rv_log_setup setup = {.level = RV_LOG_INFO, .format = RV_LOG_AUTO};

	if (rv_log_open(&setup, NULL) != RV_OK)
		IMPOSSIBLE("stderr is never opened anew by force");
}

void rv_log_write(enum rv_log_level level, enum rv_event event, const struct rv_log_field *fields,
		  size_t nfields, const char *format, ...)
{
	char message[MESSAGE_SPACE];
	int saved = errno; /* %m is allowed, and the caller may look at errno afterwards */
	va_list args;
	int size;

	PRE((int)level >= 0 && level < RV_LOG_LEVELS);
	if (!rv_log_wants(level))
		return;
	if (!state.open)
		open_default();
	rv_log_pump();
	errno = saved;
	va_start(args, format);
	size = vsnprintf(message, sizeof message, format, args);
	va_end(args);
	if (size < 0)
		size = 0;
	if ((size_t)size >= sizeof message) {
		size = sizeof message - 1;
		(void)snprintf(message + size - 3, 4, "\xe2\x80\xa6"); /* … */
	}
	put(&(struct rv_log_entry){
		.wall_us = rv_wall_us(),
		.level = level,
		.event = rv_event_name(event),
		.who = state.who,
		.pid = getpid(),
		.message = message,
		.message_size = (size_t)size,
		.fields = fields,
		.nfields = nfields,
	});
	errno = saved;
}

enum rv_log_format rv_log_format(void)
{
	if (!state.open)
		open_default();
	return state.format;
}

bool rv_log_pass(const char *line, size_t size)
{
	char copy[RV_LOG_LINE];

	if (!state.open)
		open_default();
	if (size >= sizeof copy || !rv_log_line_is(line, size, state.format))
		return false;
	memcpy(copy, line, size);
	copy[size] = '\n';
	rv_log_pump();
	if (!rv_sink_write(&state.sink, copy, size + 1))
		count_lost(1);
	return true;
}
