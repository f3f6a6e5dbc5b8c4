#ifndef RV_REEVE_OUT_H
#define RV_REEVE_OUT_H

/*
 * What reeve prints: data on stdout, everything else on stderr.  Colours only on a terminal without
 * NO_COLOR; control characters of jobs' text are made visible on a terminal, always in tables.
 */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct rv_buf;

enum rv_style {
	RV_STYLE_NONE,
	RV_STYLE_BOLD,
	RV_STYLE_DIM,
	RV_STYLE_RED,
	RV_STYLE_GREEN,
	RV_STYLE_YELLOW,
	RV_STYLE_BLUE,
	RV_STYLES
};

struct rv_out {
	bool tty;     /* stdout */
	bool tty_err; /* stderr: progress bars */
	bool colour;  /* of stdout */
	int columns;  /* of the terminal; 80 if unknown */
};

void rv_out_init(struct rv_out *out);

/* Flushes stdout.  RV_E_CLOSED: its reader is gone; RV_E_IO: it could not be written. */
int rv_out_end(struct rv_why *why) RV_MUST_CHECK;
/* Whether stdout still takes data (flushes). */
bool rv_out_alive(void);

/* The sequences around a text of ${style}; "" without colour. */
const char *rv_out_on(const struct rv_out *out, enum rv_style style);
const char *rv_out_off(const struct rv_out *out, enum rv_style style);

/*
 * Appends ${size} bytes with control characters, C1 codes and broken UTF-8 as \xNN; newline and tab
 * stay if ${lines}, else they are \n and \t.  RV_E_NOMEM.
 */
int rv_out_escape(struct rv_buf *buf, const char *text, size_t size, bool lines) RV_MUST_CHECK;
/* printf of one text (NULL: "-") escaped on one line. */
void rv_out_text(FILE *file, const char *text);
/* A line "NAME  TEXT" of a thing that is shown, on stdout; none without a text. */
void rv_out_line(const char *name, const char *text);

/* A table: fixed columns, cells added row by row, printed with aligned columns. */
#define RV_TABLE_COLUMNS 16
struct rv_table {
	size_t ncolumns;
	const char *headers[RV_TABLE_COLUMNS]; /* ">ID" is aligned to the right */
	struct rv_cell *cells;                 /* owned */
	size_t ncells;
	size_t space;
	bool failed; /* out of memory */
};

void rv_table_init(struct rv_table *table, const char *const *headers, size_t ncolumns);
void rv_table_fini(struct rv_table *table);
/* The next cell; NULL or "" is "-".  Copied and escaped. */
void rv_table_text(struct rv_table *table, const char *text, enum rv_style style);
/* ${size} bytes, only the first of them with "…" if they are more than ${width}; none is "-". */
void rv_table_cut(struct rv_table *table, const char *text, size_t size, size_t width);
void rv_table_int(struct rv_table *table, int64_t value, enum rv_style style);
void rv_table_printf(struct rv_table *table, enum rv_style style, const char *format, ...)
	RV_PRINTF(3, 4);
/* Prints header and rows; RV_E_NOMEM when cells were lost. */
int rv_table_print(const struct rv_table *table, const struct rv_out *out) RV_MUST_CHECK;

/*
 * A progress bar on stderr, on a terminal only; redrawn at most every 100 ms.  It says how much
 * longer it takes (eta.h) by what was done since the start, and by what its owner knows.
 */
struct rv_eta_seen;
struct rv_bar {
	const struct rv_out *out;
	const char *what;
	int64_t start_us, last_us, from; /* from: what was done at the start */
	const struct rv_eta_seen *known; /* borrowed; NULL: nothing */
	bool drawn;
};
void rv_bar_init(struct rv_bar *bar, const struct rv_out *out, const char *what);
/* Starts anew, ${done} are done: it is what comes now that says how fast it goes. */
void rv_bar_start(struct rv_bar *bar, int64_t done);
void rv_bar_show(struct rv_bar *bar, int64_t done, int64_t total, int64_t failed);
/* Removes it. */
void rv_bar_fini(struct rv_bar *bar);

#endif
