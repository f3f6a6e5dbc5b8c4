#ifndef RV_OBS_LOG_H
#define RV_OBS_LOG_H

/*
 * The log of a process: one line an event.  Programs log, libraries do not.  A line never waits for
 * its reader: what a full pipe or a dead journal does not take goes into a ring of RV_LOG_RING
 * bytes, and past that it is counted and dropped (F35).  Nothing is allocated after rv_log_open.
 */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RV_LOG_RING (64U << 10)
#define RV_LOG_LINE                                                                                \
	4096U /* bytes of a line at most (PIPE_BUF: whole or not at all); cut with "…" */

enum rv_log_level { RV_LOG_DEBUG, RV_LOG_INFO, RV_LOG_WARN, RV_LOG_ERROR, RV_LOG_LEVELS };

/*
 * AUTO: what $REEVE_LOG_FORMAT says (reeved sets it for its children, whose stderr it passes on),
 * JOURNAL when $JOURNAL_STREAM is our stderr, TEXT on a terminal, else JSON.
 */
enum rv_log_format { RV_LOG_AUTO, RV_LOG_TEXT, RV_LOG_JSON, RV_LOG_JOURNAL, RV_LOG_FORMATS };

/* Every event that is logged has a row in events.def; RV_EV_worker_ready is "worker.ready". */
enum rv_event {
#define EVENT(id, name, doc) RV_EV_##id,
#include "obs/events.def"
#undef EVENT
	RV_EVENTS
};

const char *rv_event_name(enum rv_event event);
const char *rv_log_level_name(enum rv_log_level level);
/* "debug" … "error"; "auto", "text", "json", "journal".  RV_E_PARSE. */
int rv_log_level_parse(const char *text, enum rv_log_level *ret_level) RV_MUST_CHECK;
int rv_log_format_parse(const char *text, enum rv_log_format *ret_format) RV_MUST_CHECK;

struct rv_log_setup {
	enum rv_log_level level; /* lesser ones are not written */
	enum rv_log_format format;
	const char *target; /* "stderr" (also NULL), or the path of a file that is appended to */
	const char *who;    /* "reeved", "worker default/3": in each line; copied */
};

/*
 * Before the first call the log goes to stderr, AUTO, INFO.  May be called again (reload): on
 * failure the old target stays.  RV_E_NOTFOUND, RV_E_DENIED, RV_E_REFUSED (not a regular file or
 * fifo).
 */
int rv_log_open(const struct rv_log_setup *setup, struct rv_why *why) RV_MUST_CHECK;
/* USR1, HUP: opens the file again after a rotation; stderr: nothing.  On failure the old one stays.
 */
int rv_log_reopen(struct rv_why *why) RV_MUST_CHECK;
/* Writes what still goes without waiting, closes the file; back to stderr.  End of main. */
void rv_log_close(void);

/* A key and its value, beside the message: RV_STR("pool", name), RV_INT("pid", pid). */
struct rv_log_field {
	const char *key;  /* [a-z_]+ */
	const char *text; /* NULL: number */
	int64_t number;
};
static inline struct rv_log_field rv_log_text_field(const char *key, const char *text)
{
	return (struct rv_log_field){.key = key, .text = text ? text : ""};
}

#define RV_STR(key, value) rv_log_text_field((key), (value))
#define RV_INT(key, value) ((struct rv_log_field){(key), NULL, (int64_t)(value)})
#define RV_FIELDS(...)                                                                             \
	(const struct rv_log_field[]){__VA_ARGS__},                                                \
		sizeof((const struct rv_log_field[]){__VA_ARGS__}) / sizeof(struct rv_log_field)

void rv_log_write(enum rv_log_level level, enum rv_event event, const struct rv_log_field *fields,
		  size_t nfields, const char *format, ...) RV_PRINTF(5, 6);

/*
 * rv_log(RV_LOG_INFO, RV_EV_worker_ready, "worker %s is ready", name);
 * rv_log_with(RV_LOG_WARN, RV_EV_child_died, RV_FIELDS(RV_INT("pid", pid)), "worker %s died",
 * name);
 */
#define rv_log(level, event, ...)      rv_log_write((level), (event), NULL, 0, __VA_ARGS__)
#define rv_log_with(level, event, ...) rv_log_write((level), (event), __VA_ARGS__)

/*
 * Passes on a line that another process of ours has written in the format in force here (reeved,
 * for its children), without its newline, as it is.  False, and nothing is written, when ${line}
 * does not look like one: log it as the text of an event then.
 */
bool rv_log_pass(const char *line, size_t size) RV_MUST_CHECK;

/* The format in force; never AUTO. */
enum rv_log_format rv_log_format(void);

/* Is a line of this level written? */
bool rv_log_wants(enum rv_log_level level);

/* For the loop: the descriptor to wait on for writing while bytes are pending, -1 when none are. */
int rv_log_pending_fd(void);
/* Writes pending lines as far as they go. */
void rv_log_pump(void);
/* Lines dropped since the start. */
uint64_t rv_log_dropped(void);

#endif
