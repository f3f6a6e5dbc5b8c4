/*
 * JSON in and out, by jansson.  Supervisor (control socket), worker, CLI.  What comes from outside
 * is bounded before it is parsed: jansson would go 2,048 levels deep.
 */
#include "wire/json.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/fmt.h"
#include "base/near.h"
#include "base/quote.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rv_json_free(json_t **json)
{
	json_decref(*json);
	*json = NULL;
}

/*
 * jansson tells a lack of memory as whatever syntax error it meets next: its allocator is asked
 * instead.  One per process, like jansson's own.
 */
static bool out_of_memory;
static bool is_guest;

void rv_json_be_guest(void)
{
	is_guest = true;
}

static void *allocate(size_t size)
{
	void *memory = malloc(size);

	out_of_memory = out_of_memory || !memory;
	return memory;
}

/* The deepest nesting of ${text}, whatever else is wrong with it. */
static size_t depth_of(const char *text, size_t size)
{
	size_t depth = 0;
	size_t deepest = 0;
	bool quoted = false;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
			continue;
		}
		if (c == '"')
			quoted = true;
		else if (c == '[' || c == '{')
			deepest = ++depth > deepest ? depth : deepest;
		else if ((c == ']' || c == '}') && depth > 0)
			depth--;
	}
	return deepest;
}

int rv_json_parse(const char *text, size_t size, size_t max, json_t **ret_json, struct rv_why *why)
{
	json_error_t error;
	json_t *json;

	if (size > max)
		return rv_fail(why, RV_E_TOOBIG, "%zu bytes of JSON; %zu are allowed", size, max);
	if (depth_of(text, size) > RV_JSON_DEPTH)
		return rv_fail(why, RV_E_PARSE, "nested deeper than %d", RV_JSON_DEPTH);
	if (!is_guest) { /* what was allocated before came from malloc as well */
		json_set_alloc_funcs(allocate, free);
		out_of_memory = false;
	}
	json = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (json) {
		*ret_json = json;
		return RV_OK;
	}
	if (out_of_memory || json_error_code(&error) == json_error_out_of_memory)
		return rv_fail(why, RV_E_NOMEM, "out of memory");
	return rv_fail(why, RV_E_PARSE, "line %d, column %d: %s", error.line, error.column,
		       error.text);
}

/* Jansson does not look at the answer of every call: what failed once stays failed. */
struct sink {
	struct rv_buf *buf;
	int err;
};

static int add_to_buf(const char *text, size_t size, void *ctx)
{
	struct sink *sink = ctx;

	if (sink->err == RV_OK)
		sink->err = rv_buf_add(sink->buf, text, size);
	return sink->err == RV_OK ? 0 : -1;
}

int rv_json_dump(const json_t *json, bool indented, struct rv_buf *buf)
{
	struct sink sink = {.buf = buf, .err = RV_OK};
	size_t before = buf->size;

	PRE(json);
	if (json_dump_callback(json, add_to_buf, &sink,
			       JSON_ENCODE_ANY | (indented ? JSON_INDENT(2) : JSON_COMPACT)) == 0 &&
	    sink.err == RV_OK)
		return RV_OK;
	/* Values are valid by construction: what fails is memory. */
	buf->size = before;
	if (buf->data)
		buf->data[before] = '\0';
	return RV_E_NOMEM;
}

int rv_json_quote(const char *text, size_t size, struct rv_buf *buf)
{
	return rv_quote_json(text, size, buf);
}

/* The field if it is there and not null. */
static const json_t *field(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return value && !json_is_null(value) ? value : NULL;
}

static int wrong(const char *name, const char *wanted, struct rv_why *why)
{
	return rv_fail(why, RV_E_PARSE, "\"%s\" must be %s", name, wanted);
}

int rv_json_get_bytes(const json_t *object, const char *name, const char **ret, size_t *ret_size,
		      struct rv_why *why)
{
	const json_t *value = field(object, name);

	if (!value)
		return RV_E_NOTFOUND;
	if (!json_is_string(value))
		return wrong(name, "a string", why);
	*ret = json_string_value(value);
	*ret_size = json_string_length(value);
	return RV_OK;
}

int rv_json_get_text(const json_t *object, const char *name, const char **ret, struct rv_why *why)
{
	const char *text = "";
	size_t size = 0;
	int err = rv_json_get_bytes(object, name, &text, &size, why);

	if (err != RV_OK)
		return err;
	if (memchr(text, '\0', size))
		return wrong(name, "without NUL characters", why);
	*ret = text;
	return RV_OK;
}

int rv_json_get_int(const json_t *object, const char *name, int64_t *ret, struct rv_why *why)
{
	const json_t *value = field(object, name);

	if (!value)
		return RV_E_NOTFOUND;
	if (!json_is_integer(value))
		return wrong(name, "a whole number", why);
	*ret = json_integer_value(value);
	return RV_OK;
}

int rv_json_get_bool(const json_t *object, const char *name, bool *ret, struct rv_why *why)
{
	const json_t *value = field(object, name);

	if (!value)
		return RV_E_NOTFOUND;
	if (!json_is_boolean(value))
		return wrong(name, "true or false", why);
	*ret = json_is_true(value);
	return RV_OK;
}

int rv_json_get_object(const json_t *object, const char *name, json_t **ret, struct rv_why *why)
{
	json_t *value = json_object_get(object, name);

	if (!value || json_is_null(value))
		return RV_E_NOTFOUND;
	if (!json_is_object(value))
		return wrong(name, "an object", why);
	*ret = value;
	return RV_OK;
}

int rv_json_get_array(const json_t *object, const char *name, json_t **ret, struct rv_why *why)
{
	json_t *value = json_object_get(object, name);

	if (!value || json_is_null(value))
		return RV_E_NOTFOUND;
	if (!json_is_array(value))
		return wrong(name, "a list", why);
	*ret = value;
	return RV_OK;
}

/* jansson's iterators know no const. */
static json_t *without_const(const json_t *json)
{
	union {
		const json_t *from;
		json_t *to;
	} cast = {.from = json};

	return cast.to;
}

int rv_json_only(const json_t *object, const char *const *names, size_t count, struct rv_why *why)
{
	json_t *looked_at = without_const(object);
	void *at = json_object_iter(looked_at);

	for (; at; at = json_object_iter_next(looked_at, at)) {
		const char *key = json_object_iter_key(at);
		const char *near = NULL;
		size_t i = 0;

		while (i < count && strcmp(key, names[i]) != 0)
			i++;
		if (i < count)
			continue;
		near = rv_near(key, names, count);
		if (near)
			return rv_fail(why, RV_E_PARSE,
				       "unknown field \"%s\"; did you mean \"%s\"?", key, near);
		return rv_fail(why, RV_E_PARSE, "unknown field \"%s\"", key);
	}
	return RV_OK;
}

int rv_json_set_new(json_t *object, const char *name, json_t *value)
{
	return json_object_set_new(object, name, value) == 0 ? RV_OK : RV_E_NOMEM;
}

/* A text with every byte that is no UTF-8 replaced; NULL when out of memory. */
static json_t *mended(const char *text, size_t size)
{
	struct rv_buf buf;
	json_t *json = NULL;
	int err = RV_OK;

	rv_buf_init(&buf);
	for (size_t at = 0; at < size && err == RV_OK;) {
		size_t length = rv_utf8_length(text + at, size - at);

		err = length > 0 ? rv_buf_add(&buf, text + at, length)
				 : rv_buf_str(&buf, "\xef\xbf\xbd"); /* U+FFFD */
		at += length > 0 ? length : 1;
	}
	if (err == RV_OK)
		json = json_stringn(rv_buf_text(&buf), buf.size);
	rv_buf_fini(&buf);
	return json;
}

int rv_json_set_text(json_t *object, const char *name, const char *text)
{
	json_t *value;

	if (!text)
		return rv_json_set_new(object, name, json_null());
	value = json_string(text);
	if (!value)
		value = mended(text, strlen(text));
	return rv_json_set_new(object, name, value);
}

int rv_json_set_int(json_t *object, const char *name, int64_t value)
{
	return rv_json_set_new(object, name, json_integer(value));
}

int rv_json_set_bool(json_t *object, const char *name, bool value)
{
	return rv_json_set_new(object, name, json_boolean(value));
}

int rv_json_set_time(json_t *object, const char *name, int64_t wall_us)
{
	char text[RV_FMT_SPACE];

	return rv_json_set_text(object, name, wall_us != 0 ? rv_fmt_time(text, wall_us) : NULL);
}
