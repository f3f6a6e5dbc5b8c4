/*
 * Lines in which a job speaks of itself.  Worker processes.  Pure; whatever a job prints, at worst
 * it says nothing.
 */
#include "run/says.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/fmt.h"
#include "base/spec.h"
#include "wire/json.h"

#include <string.h>

#define MARK_SIZE (sizeof(RV_SAYS_MARK) - 1)

void rv_says_reset(struct rv_says *says, bool marked)
{
	says->marked = marked;
	says->skip = false;
	says->size = 0;
}

static struct rv_said nothing(void)
{
	return (struct rv_said){.percent = -1, .retry_us = -1};
}

/* "progress=42 reading": false when it is none. */
static bool say_progress(char *text, struct rv_said *said)
{
	char *rest = text + strcspn(text, " ");
	int64_t percent = -1;

	if (*rest)
		*rest++ = '\0';
	if (*text && rv_parse_int(text, 0, 100, &percent) != RV_OK)
		return false;
	said->percent = (int)percent;
	said->message = rest + strspn(rest, " ");
	return true;
}

/* When to run it again; what is no such time is not heard. */
static bool say_again(const char *text, struct rv_said *said)
{
	int64_t again_us;

	if (rv_parse_duration(text, &again_us) != RV_OK || again_us > RV_AGAIN_MAX_US)
		return false;
	said->retry_us = again_us;
	return true;
}

static bool say_word(char *line, size_t size, struct rv_said *said)
{
	char *value = strchr(line, '=');

	if (!value)
		return false;
	*value++ = '\0';
	if (strcmp(line, "progress") == 0)
		return say_progress(value, said);
	if (strcmp(line, "retry-after") == 0)
		return say_again(value, said);
	if (strcmp(line, "result") != 0)
		return false;
	said->result = value;
	said->result_size = size - (size_t)(value - line);
	return true;
}

/* The result as text: a string as it is, anything else as JSON. */
static int json_result(const json_t *result, struct rv_buf *text, struct rv_said *said)
{
	if (json_is_string(result)) {
		said->result = json_string_value(result);
		said->result_size = json_string_length(result);
		return RV_OK;
	}
	if (rv_json_dump(result, false, text) != RV_OK)
		return RV_E_NOMEM;
	said->result = rv_buf_text(text);
	said->result_size = text->size;
	return RV_OK;
}

static void say_json(const char *line, size_t size, rv_says_fn *fn, void *ctx)
{
	RV_AUTO(rv_json_free) json_t *json = NULL;
	RV_AUTO(rv_buf_fini) struct rv_buf text;
	struct rv_said said = nothing();
	const json_t *progress;
	const char *duration;

	rv_buf_init(&text);
	if (rv_json_parse(line, size, RV_SAYS_LINE, &json, NULL) != RV_OK || !json_is_object(json))
		return;
	progress = json_object_get(json, "progress");
	if (json_is_number(progress) && json_number_value(progress) >= 0 &&
	    json_number_value(progress) <= 100)
		said.percent = (int)json_number_value(progress);
	said.message = json_string_value(json_object_get(json, "message"));
	if (said.percent >= 0 && !said.message)
		said.message = "";
	duration = json_string_value(json_object_get(json, "retry_after"));
	if (duration)
		(void)say_again(duration, &said);
	if (json_object_get(json, "result") &&
	    json_result(json_object_get(json, "result"), &text, &said) != RV_OK)
		return;
	fn(ctx, &said);
}

static void say(struct rv_says *says, rv_says_fn *fn, void *ctx)
{
	char *line = says->line;
	size_t size = says->size;
	struct rv_said said = nothing();

	if (says->marked) {
		if (size < MARK_SIZE || memcmp(line, RV_SAYS_MARK, MARK_SIZE) != 0)
			return;
		line += MARK_SIZE;
		size -= MARK_SIZE;
	}
	if (size > 0 && line[size - 1] == '\r')
		size--;
	line[size] = '\0';
	if (line[0] == '{')
		say_json(line, size, fn, ctx);
	else if (say_word(line, size, &said))
		fn(ctx, &said);
}

/* Whether the line so far can still become one that counts. */
static bool may_count(const struct rv_says *says)
{
	size_t known = says->size < MARK_SIZE ? says->size : MARK_SIZE;

	return !says->marked || memcmp(says->line, RV_SAYS_MARK, known) == 0;
}

/* Adds a part of a line; a byte of the space is for the NUL. */
static void append(struct rv_says *says, const char *data, size_t size)
{
	if (says->skip)
		return;
	if (size >= sizeof(says->line) - says->size) {
		says->skip = true;
		return;
	}
	memcpy(says->line + says->size, data, size);
	says->size += size;
	says->skip = !may_count(says);
}

void rv_says_feed(struct rv_says *says, const char *data, size_t size, rv_says_fn *fn, void *ctx)
{
	while (size > 0) {
		const char *end = memchr(data, '\n', size);
		size_t part = end ? (size_t)(end - data) : size;

		INV(says->size < sizeof(says->line));
		append(says, data, part);
		if (!end)
			return;
		if (!says->skip)
			say(says, fn, ctx);
		says->skip = false;
		says->size = 0;
		data = end + 1;
		size -= part + 1;
	}
}
