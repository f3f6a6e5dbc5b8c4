/*
 * The line reader over inih.  Whoever reads a configuration.
 *
 * Stock inih cuts a value at " ;", makes a second key of what is past 199 bytes, cuts section names
 * at 49, splits at ':' and reads a directory as empty, each without a word.  So the physical lines
 * are ours: they go into a table of records, and inih is given only "[@3]" and "key=@7", where the
 * number is that of the record with the raw text.  Never use the run-time globals that Debian added
 * to it: no other build of inih has them.
 */
#include "conf/line.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "conf/text.h"

#include <ini.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { SECTION, ASSIGN, ITEM, BAD };

struct record {
	enum kind kind;
	int line;
	const char *key;  /* of ASSIGN and ITEM; the name of SECTION, NULL when it is broken */
	const char *text; /* raw value; for BAD what is wrong */
};

struct reader {
	const char *at;
	const char *end;
	int line; /* of ${at} */
	struct rv_arena arena;
	struct rv_buf records; /* struct record */
	struct rv_buf joined;  /* the logical line */
	const char *list;      /* the key that an indented line would go on with, or NULL */
	/* while inih runs */
	size_t next;
	bool named; /* the header of record ${next} has been given out */
	const struct rv_line_sink *sink;
	void *ctx;
};

static struct record *record_at(const struct reader *r, size_t index)
{
	INV(index < r->records.size / sizeof(struct record));
	return (struct record *)(void *)r->records.data + index;
}

static int add_record(struct reader *r, enum kind kind, int line, const char *key, const char *text)
{
	struct record record = {kind, line, key, text};

	return rv_buf_add(&r->records, &record, sizeof(record));
}

static int add_bad(struct reader *r, int line, const char *format, ...) RV_PRINTF(3, 4);

static int add_bad(struct reader *r, int line, const char *format, ...)
{
	char text[256];
	const char *copy;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	copy = rv_arena_strdup(&r->arena, text);
	return copy ? add_record(r, BAD, line, NULL, copy) : RV_E_NOMEM;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static size_t trimmed(const char *text, size_t size)
{
	while (size > 0 && is_blank(text[size - 1]))
		size--;
	return size;
}

static bool is_comment(const char *text, size_t size)
{
	while (size > 0 && is_blank(*text)) {
		text++;
		size--;
	}
	return size > 0 && (*text == '#' || *text == ';');
}

/* Whether the physical line goes on: an odd number of backslashes before its end. */
static bool goes_on(const char *text, size_t size)
{
	size_t count = 0;

	while (count < size && text[size - 1 - count] == '\\')
		count++;
	return count % 2 != 0;
}

/* The next physical line without its end (LF or CRLF). */
static const char *take_physical(struct reader *r, size_t *ret_size)
{
	const char *start = r->at;
	const char *stop = memchr(start, '\n', (size_t)(r->end - start));

	r->at = stop ? stop + 1 : r->end;
	r->line++;
	if (!stop)
		stop = r->end;
	if (stop > start && stop[-1] == '\r')
		stop--;
	*ret_size = (size_t)(stop - start);
	return start;
}

/*
 * A logical line into r->joined: where a line ends in a backslash, that and the blanks around it
 * become one blank.  At most RV_TEXT_LINE_MAX + 1 bytes are kept.
 */
static int take_logical(struct reader *r, bool *ret_open)
{
	bool more = true;

	rv_buf_reset(&r->joined);
	*ret_open = false;
	for (bool first = true; more; first = false) {
		size_t size;
		const char *text;
		size_t skip = 0;
		size_t room;
		int err;

		if (r->at == r->end) {
			*ret_open = true;
			return RV_OK;
		}
		text = take_physical(r, &size);
		more = goes_on(text, size) && !(first && is_comment(text, size));
		if (more)
			size = trimmed(text, size - 1);
		while (!first && skip < size && is_blank(text[skip]))
			skip++;
		room = r->joined.size > RV_TEXT_LINE_MAX ? 0
							 : RV_TEXT_LINE_MAX + 1 - r->joined.size;
		if (size > skip + room)
			size = skip + room;
		if (skip >= size)
			continue;
		if (!first && r->joined.size > 0 && rv_buf_str(&r->joined, " ") != RV_OK)
			return RV_E_NOMEM;
		err = rv_buf_add(&r->joined, text + skip, size - skip);
		if (err)
			return err;
	}
	return RV_OK;
}

/* "[name]" or "[kind:name]", nothing behind it. */
static int take_section(struct reader *r, int line, const char *text, size_t size)
{
	const char *colon = memchr(text, ':', size);
	const char *name = colon ? colon + 1 : text + 1;
	size_t name_size = size - 1 - (size_t)(name - text);
	const char *copy;
	int err = RV_OK;

	r->list = NULL;
	if (text[size - 1] != ']')
		err = add_bad(r, line,
			      "a section is written [name] or [kind:name], alone on its line");
	else if (!rv_text_is_name(name, name_size) ||
		 (colon && !rv_text_is_name(text + 1, (size_t)(colon - text) - 1)))
		err = add_bad(r, line,
			      "%.80s: the name of a section is 1 to 40 of A-Z a-z 0-9 _ . -", text);
	else {
		copy = rv_arena_memdup(&r->arena, text + 1, size - 2);
		return copy ? add_record(r, SECTION, line, copy, NULL) : RV_E_NOMEM;
	}
	return err ? err : add_record(r, SECTION, line, NULL, NULL);
}

static int take_assign(struct reader *r, int line, const char *text, size_t size)
{
	const char *equals = memchr(text, '=', size);
	size_t key_size = trimmed(text, equals ? (size_t)(equals - text) : size);
	size_t skip = equals ? (size_t)(equals - text) + 1 : 0;
	const char *key;
	const char *value;

	r->list = NULL;
	if (!equals && !memchr(text, ':', size))
		return add_bad(r, line, "\"%.60s\" is neither [section] nor key = value", text);
	if (!equals || memchr(text, ':', key_size) != NULL)
		return add_bad(r, line, "\"%.60s\": a key ends at =, never at :", text);
	if (!rv_text_is_name(text, key_size))
		return add_bad(r, line, "\"%.*s\" is not the name of a key",
			       (int)(key_size > 60 ? 60 : key_size), text);
	while (skip < size && is_blank(text[skip]))
		skip++;
	key = rv_arena_memdup(&r->arena, text, key_size);
	value = rv_arena_memdup(&r->arena, text + skip, size - skip);
	if (!key || !value)
		return RV_E_NOMEM;
	r->list = key;
	return add_record(r, ASSIGN, line, key, value);
}

static int take_item(struct reader *r, int line, const char *text, size_t size)
{
	const char *value;

	if (!r->list)
		return add_bad(r, line, "this line is indented, but there is no list above it");
	value = rv_arena_memdup(&r->arena, text, size);
	return value ? add_record(r, ITEM, line, r->list, value) : RV_E_NOMEM;
}

/* One logical line to one record, or none. */
static int take_line(struct reader *r)
{
	int line = r->line + 1;
	struct rv_why why = {0};
	bool open = false;
	const char *text;
	size_t size;
	size_t indent;
	int err = take_logical(r, &open);

	if (err)
		return err;
	text = rv_buf_text(&r->joined);
	size = trimmed(text, r->joined.size);
	indent = 0;
	while (indent < size && is_blank(text[indent]))
		indent++;
	if (size > RV_TEXT_LINE_MAX)
		return add_bad(r, line, "the line is longer than 1 MiB");
	if (rv_text_check(text, size, &why) != RV_OK)
		return add_bad(r, line, "the line %s", why.text);
	if (size == 0 && !open)
		return RV_OK;
	if (is_comment(text, size))
		return RV_OK;
	if (open || goes_on(text, size))
		return add_bad(r, line, "it ends in a backslash, but nothing follows");
	r->joined.data[size] = '\0';
	if (indent > 0)
		return take_item(r, line, text + indent, size - indent);
	if (text[0] == '[')
		return take_section(r, line, text, size);
	return take_assign(r, line, text, size);
}

/* What inih reads: two lines for a section (so that it reports empty ones too), one for the rest.
 */
static char *next_for_inih(char *out, int space, void *ctx)
{
	struct reader *r = ctx;
	const struct record *record;

	PRE(space >= 100); /* 200 in every build of inih; ours take up to 62 */
	if (r->next == r->records.size / sizeof(struct record))
		return NULL;
	record = record_at(r, r->next);
	if (record->kind == SECTION && !r->named) {
		(void)snprintf(out, (size_t)space, "[@%zu]\n", r->next);
		r->named = true;
		return out;
	}
	(void)snprintf(out, (size_t)space, "%s=@%zu\n",
		       record->kind == ASSIGN || record->kind == ITEM ? record->key : "line",
		       r->next++);
	r->named = false;
	return out;
}

/* What inih says: the number of a record. */
static int on_inih(void *ctx, const char *section, const char *name, const char *value)
{
	struct reader *r = ctx;
	const struct record *record;

	(void)section;
	INV(value && value[0] == '@');
	record = record_at(r, strtoul(value + 1, NULL, 10));
	switch (record->kind) {
	case SECTION:
		r->sink->section(r->ctx, record->line, record->key);
		break;
	case ASSIGN:
	case ITEM:
		INV(strcmp(name, record->key) == 0);
		r->sink->assign(r->ctx, record->line, record->key, record->text,
				record->kind == ITEM);
		break;
	case BAD:
		r->sink->bad(r->ctx, record->line, record->text);
		break;
	}
	return 1;
}

int rv_line_read(const char *text, size_t size, const struct rv_line_sink *sink, void *ctx)
{
	struct reader r = {.sink = sink, .ctx = ctx};
	int err = RV_OK;

	PRE(text && sink);
	r.at = text;
	r.end = text + size;
	rv_arena_init(&r.arena);
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		r.at += 3;
	while (err == RV_OK && r.at < r.end)
		err = take_line(&r);
	if (err == RV_OK) {
		int line = ini_parse_stream(next_for_inih, &r, on_inih, &r);

		INV(line == 0); /* we gave it nothing that it could mistake */
	}
	rv_buf_fini(&r.records);
	rv_buf_fini(&r.joined);
	rv_arena_reset(&r.arena);
	return err;
}
