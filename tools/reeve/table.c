/*
 * Tables and the progress bar.  Runs in the CLI.  Must never print a job's text unescaped.
 */
#include "out.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/seam.h"
#include "eta.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct rv_cell {
	char *text; /* owned */
	enum rv_style style;
};

#define BAR_WIDTH    30
#define BAR_EVERY_US (100 * RV_MS_US)

void rv_table_init(struct rv_table *table, const char *const *headers, size_t ncolumns)
{
	PRE(ncolumns > 0 && ncolumns <= RV_TABLE_COLUMNS);
	memset(table, 0, sizeof(*table));
	table->ncolumns = ncolumns;
	for (size_t i = 0; i < ncolumns; i++)
		table->headers[i] = headers[i];
}

void rv_table_fini(struct rv_table *table)
{
	for (size_t i = 0; i < table->ncells; i++)
		free(table->cells[i].text);
	free(table->cells);
	memset(table, 0, sizeof(*table));
}

static void add_cell(struct rv_table *table, const char *text, size_t size, const char *more,
		     enum rv_style style)
{
	struct rv_buf buf;

	if (table->ncells == table->space) {
		size_t space = table->space ? table->space * 2 : 64;
		struct rv_cell *cells = realloc(table->cells, space * sizeof(*cells));

		if (!cells) {
			table->failed = true;
			return;
		}
		table->cells = cells;
		table->space = space;
	}
	rv_buf_init(&buf);
	if (rv_out_escape(&buf, text, size, false) != RV_OK || rv_buf_str(&buf, more) != RV_OK)
		table->failed = true;
	table->cells[table->ncells++] = (struct rv_cell){.text = rv_buf_take(&buf), .style = style};
}

void rv_table_text(struct rv_table *table, const char *text, enum rv_style style)
{
	if (!text || !*text)
		text = "-";
	add_cell(table, text, strlen(text), "", style);
}

void rv_table_cut(struct rv_table *table, const char *text, size_t size, size_t width)
{
	size_t cut = size > width ? width - 1 : size;

	PRE(width > 0);
	if (size == 0) {
		rv_table_text(table, NULL, RV_STYLE_NONE);
		return;
	}
	while (cut < size && cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
		cut--;
	add_cell(table, text, cut, cut < size ? "…" : "", RV_STYLE_NONE);
}

void rv_table_printf(struct rv_table *table, enum rv_style style, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	rv_table_text(table, text, style);
}

void rv_table_int(struct rv_table *table, int64_t value, enum rv_style style)
{
	rv_table_printf(table, style, "%lld", (long long)value);
}

/* Columns of the terminal a text takes: its characters, not its bytes. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; text && *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static const char *header_of(const struct rv_table *table, size_t column)
{
	const char *header = table->headers[column];

	return *header == '>' ? header + 1 : header;
}

static void print_cell(const struct rv_table *table, const struct rv_out *out, size_t column,
		       size_t width, const struct rv_cell *cell)
{
	size_t own = width_of(cell->text);
	int gap = width > own ? (int)(width - own) : 0;
	bool right = table->headers[column][0] == '>';
	bool last = column + 1 == table->ncolumns;

	(void)printf("%s%*s%s%s%s%*s", column > 0 ? "  " : "", right ? gap : 0, "",
		     rv_out_on(out, cell->style), cell->text ? cell->text : "?",
		     rv_out_off(out, cell->style), right || last ? 0 : gap, "");
}

int rv_table_print(const struct rv_table *table, const struct rv_out *out)
{
	size_t widths[RV_TABLE_COLUMNS];

	PRE(table->failed || table->ncells % table->ncolumns == 0);
	if (table->failed)
		return RV_E_NOMEM;
	for (size_t i = 0; i < table->ncolumns; i++)
		widths[i] = width_of(header_of(table, i));
	for (size_t i = 0; i < table->ncells; i++) {
		size_t width = width_of(table->cells[i].text);

		if (width > widths[i % table->ncolumns])
			widths[i % table->ncolumns] = width;
	}
	for (size_t i = 0; i < table->ncolumns; i++) {
		char header[64];
		struct rv_cell cell = {.text = header, .style = RV_STYLE_BOLD};

		(void)snprintf(header, sizeof(header), "%s", header_of(table, i));
		print_cell(table, out, i, widths[i], &cell);
	}
	(void)putchar('\n');
	for (size_t i = 0; i < table->ncells; i++) {
		size_t column = i % table->ncolumns;

		print_cell(table, out, column, widths[column], &table->cells[i]);
		if (column + 1 == table->ncolumns)
			(void)putchar('\n');
	}
	return RV_OK;
}

void rv_bar_init(struct rv_bar *bar, const struct rv_out *out, const char *what)
{
	*bar = (struct rv_bar){.out = out, .what = what, .start_us = rv_mono_us()};
}

void rv_bar_start(struct rv_bar *bar, int64_t done)
{
	bar->start_us = rv_mono_us();
	bar->from = done;
}

static void print_marks(int64_t filled)
{
	char marks[BAR_WIDTH + 1];

	for (int i = 0; i < BAR_WIDTH; i++)
		marks[i] = i < filled ? '#' : '.';
	marks[BAR_WIDTH] = '\0';
	(void)fprintf(stderr, " [%s]", marks);
}

/* One alone is as far as it says itself, if it does. */
static void print_one(int percent)
{
	if (percent < 0)
		return;
	print_marks((int64_t)percent * BAR_WIDTH / 100);
	(void)fprintf(stderr, " %d %%", percent);
}

static void print_many(int64_t done, int64_t total)
{
	print_marks(total > 0 ? done * BAR_WIDTH / total : 0);
	(void)fprintf(stderr, " %lld", (long long)done);
	if (total > 0)
		(void)fprintf(stderr, "/%lld", (long long)total);
}

void rv_bar_show(struct rv_bar *bar, int64_t done, int64_t total, int64_t failed)
{
	struct rv_eta_seen seen = {.percent = -1};
	char eta[RV_ETA_SPACE];
	int64_t now_us = rv_mono_us();

	if (!bar->out->tty_err ||
	    (bar->drawn && now_us - bar->last_us < BAR_EVERY_US && done < total))
		return;
	bar->last_us = now_us;
	bar->drawn = true;
	if (bar->known)
		seen = *bar->known;
	seen.done = done > bar->from ? done - bar->from : 0;
	seen.left = total > done ? total - done : 0;
	seen.elapsed_us = now_us - bar->start_us;
	(void)fprintf(stderr, "\r%s", bar->what);
	if (total == 1)
		print_one(seen.percent);
	else
		print_many(done, total);
	if (failed > 0)
		(void)fprintf(stderr, ", %lld failed", (long long)failed);
	if (rv_eta_text(&seen, eta)[0] != '\0')
		(void)fprintf(stderr, ", %s", eta);
	(void)fputs("\033[K", stderr);
	(void)fflush(stderr);
}

void rv_bar_fini(struct rv_bar *bar)
{
	if (bar->drawn)
		(void)fputs("\r\033[K", stderr);
	bar->drawn = false;
}
