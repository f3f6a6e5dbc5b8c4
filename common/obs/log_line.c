/*
 * How an event becomes a line: JSON for machines, text for people, text with a priority for the
 * journal. Every process.  Allocates nothing.  Whatever the bytes are, a line has no control byte
 * in it (nothing forges a second line or talks to a terminal), and a JSON line is valid JSON.
 */
#include "obs/log_line.h"

#include "base/attr.h"
#include "base/check.h"
#include "base/fmt.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

/* The room kept for what must follow a cut text: an ellipsis, a quote, a brace, the newline. */
#define TAIL 16

static const struct look {
	const char *priority; /* sd-daemon(3) */
	const char *colour;   /* for the level's name */
} looks[] = {
	[RV_LOG_DEBUG] = {"<7>", "\033[2m"},
	[RV_LOG_INFO] = {"<6>", "\033[32m"},
	[RV_LOG_WARN] = {"<4>", "\033[33m"},
	[RV_LOG_ERROR] = {"<3>", "\033[31m"},
};

struct line {
	char *data;
	size_t size;
	bool full; /* something was cut: nothing more but the tail goes in */
};

static void add(struct line *line, const char *text, size_t size)
{
	if (line->full || line->size + size > RV_LOG_LINE - TAIL) {
		line->full = true;
		return;
	}
	memcpy(line->data + line->size, text, size);
	line->size += size;
}

static void add_text(struct line *line, const char *text)
{
	add(line, text, strlen(text));
}

/* The tail has its own room. */
static void add_tail(struct line *line, const char *text)
{
	size_t size = strlen(text);

	INV(line->size + size <= RV_LOG_LINE);
	memcpy(line->data + line->size, text, size);
	line->size += size;
}

/* U+0080…U+009F: what a terminal takes for an escape sequence. */
static bool is_c1(const char *text, size_t length)
{
	return length == 2 && (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0;
}

/*
 * One character, escaped where need be: by JSON's rules, or as \xNN in a text.  A byte that is no
 * UTF-8 is \xNN in both (in JSON with its backslash doubled), so that it can be told.
 */
static size_t add_escaped(struct line *line, const char *text, size_t size, bool json)
{
	size_t length = rv_utf8_length(text, size);
	unsigned char c = (unsigned char)text[0];
	char escape[16];

	if (length > 1 && !is_c1(text, length)) {
		add(line, text, length);
		return length;
	}
	if (length == 1 && c >= 0x20 && c != 0x7f && !(json && (c == '"' || c == '\\'))) {
		add(line, text, 1);
		return 1;
	}
	if (json && (c == '"' || c == '\\'))
		(void)snprintf(escape, sizeof escape, "\\%c", c);
	else if (json && length == 1)
		(void)snprintf(escape, sizeof escape, "\\u%04x", c);
	else if (json && length == 2)
		(void)snprintf(escape, sizeof escape, "\\u%04x", (unsigned char)text[1]);
	else
		(void)snprintf(escape, sizeof escape, json ? "\\\\x%02x" : "\\x%02x", c);
	add_text(line, escape);
	return json && length == 2 ? 2 : 1;
}

static void add_all_escaped(struct line *line, const char *text, size_t size, bool json)
{
	for (size_t at = 0; at < size && !line->full;)
		at += add_escaped(line, text + at, size - at, json);
}

static void json_string(struct line *line, const char *text, size_t size)
{
	add_text(line, "\"");
	if (line->full)
		return;
	add_all_escaped(line, text, size, true);
	if (line->full)
		add_tail(line, "\xe2\x80\xa6"); /* … */
	add_tail(line, "\"");
}

static void json_number(struct line *line, int64_t number)
{
	char digits[24];

	(void)snprintf(digits, sizeof digits, "%lld", (long long)number);
	add_text(line, digits);
}

static void json_member(struct line *line, const char *key, const char *text, size_t size)
{
	add_text(line, line->size > 1 ? ",\"" : "\"");
	add_text(line, key);
	add_text(line, "\":");
	if (text)
		json_string(line, text, size);
}

static void as_json(struct line *line, const struct rv_log_entry *entry)
{
	char time[RV_FMT_SPACE];
	const char *level = rv_log_level_name(entry->level);

	(void)rv_fmt_time(time, entry->wall_us);
	add_text(line, "{");
	json_member(line, "time", time, strlen(time));
	json_member(line, "level", level, strlen(level));
	json_member(line, "event", entry->event, strlen(entry->event));
	if (entry->who[0] != '\0')
		json_member(line, "who", entry->who, strlen(entry->who));
	json_member(line, "pid", NULL, 0);
	json_number(line, entry->pid);
	json_member(line, "message", entry->message, entry->message_size);
	for (size_t i = 0; i < entry->nfields && !line->full; i++) {
		const struct rv_log_field *field = &entry->fields[i];
		size_t before = line->size;

		json_member(line, field->key, field->text, field->text ? strlen(field->text) : 0);
		if (!field->text)
			json_number(line, field->number);
		if (line->full)
			line->size = before; /* half a member is none */
	}
	add_tail(line, "}");
}

/* key=value, in quotes when it has a blank or is empty. */
static void text_field(struct line *line, const struct rv_log_field *field)
{
	const char *quote = "";

	add_text(line, " ");
	add_text(line, field->key);
	add_text(line, "=");
	if (!field->text) {
		json_number(line, field->number);
		return;
	}
	if (field->text[0] == '\0' || strpbrk(field->text, " \"="))
		quote = "\"";
	add_text(line, quote);
	add_all_escaped(line, field->text, strlen(field->text), false);
	add_text(line, quote);
}

static void as_text(struct line *line, const struct rv_log_entry *entry, bool journal, bool colour)
{
	const struct look *look = &looks[entry->level];
	char head[RV_FMT_SPACE + 64];
	char time[RV_FMT_SPACE];

	if (journal) {
		add_text(line, look->priority);
	} else {
		(void)snprintf(head, sizeof head, "%s %s%-5s%s ", rv_fmt_time(time, entry->wall_us),
			       colour ? look->colour : "", rv_log_level_name(entry->level),
			       colour ? "\033[0m" : "");
		add_text(line, head);
	}
	if (entry->who[0] != '\0') {
		add_all_escaped(line, entry->who, strlen(entry->who), false);
		add_text(line, ": ");
	}
	add_all_escaped(line, entry->message, entry->message_size, false);
	add_text(line, " event=");
	add_text(line, entry->event);
	for (size_t i = 0; i < entry->nfields; i++)
		text_field(line, &entry->fields[i]);
	if (line->full)
		add_tail(line, "\xe2\x80\xa6");
}

// NOLINTNEXTLINE(readability-non-const-parameter): it is written to by way of line.data
size_t rv_log_line(char *out, enum rv_log_format format, bool colour,
		   const struct rv_log_entry *entry)
{
	struct line line = {.data = out};

	PRE(format != RV_LOG_AUTO && (int)entry->level >= 0 && entry->level < RV_LOG_LEVELS);
	if (format == RV_LOG_JSON)
		as_json(&line, entry);
	else
		as_text(&line, entry, format == RV_LOG_JOURNAL, colour);
	add_tail(&line, "\n");
	return line.size;
}

bool rv_log_line_is(const char *line, size_t size, enum rv_log_format format)
{
	static const char json[] = "{\"time\":\"";

	for (size_t i = 0; i < size; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			return false;
	}
	switch (format) {
	case RV_LOG_JSON:
		return size > sizeof json && memcmp(line, json, sizeof json - 1) == 0 &&
		       line[size - 1] == '}';
	case RV_LOG_JOURNAL:
		return size > 3 && line[0] == '<' && line[1] >= '0' && line[1] <= '7' &&
		       line[2] == '>';
	case RV_LOG_TEXT: /* 2026-11-21T20:21:32.485201Z */
		return size > 28 && line[4] == '-' && line[10] == 'T' && line[26] == 'Z' &&
		       line[27] == ' ';
	case RV_LOG_AUTO:
	case RV_LOG_FORMATS:
		break;
	}
	return false;
}
