/*
 * Reads JSON objects without building a tree.  The runner's process.  Must never look past the text
 * it was given, nor be led deeper than a counter by what stands in it.
 */
#include "runner/member.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"

#include <stdint.h>
#include <string.h>

void rv_members_init(struct rv_members *members, const char *text, size_t size)
{
	PRE(text);
	*members = (struct rv_members){.at = text, .end = text + size};
}

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
		at++;
	return at;
}

/* Behind the quote that ends the string begun at ${at}; NULL: none does. */
static const char *skip_string(const char *at, const char *end)
{
	for (at++; at < end; at++) {
		if (*at == '"')
			return at + 1;
		if (*at == '\\')
			at++;
	}
	return NULL;
}

/* Behind the value at ${at}; NULL: it does not end. */
static const char *skip_value(const char *at, const char *end)
{
	size_t depth = 0;
	const char *begin = at;

	for (; at < end; at++) {
		if (*at == '"') {
			at = skip_string(at, end);
			if (!at || depth == 0)
				return at;
			at--;
		} else if (*at == '{' || *at == '[') {
			depth++;
		} else if (*at == '}' || *at == ']') {
			if (depth == 0)
				break;
			if (--depth == 0)
				return at + 1;
		} else if (depth == 0 && strchr(", \t\r\n", *at)) {
			break;
		}
	}
	return at > begin && at < end && depth == 0 ? at : NULL;
}

static int read_member(struct rv_members *m, struct rv_member *ret)
{
	const char *name = skip_blanks(m->at, m->end);
	const char *colon, *value, *stop;

	if (name >= m->end || *name != '"')
		return RV_E_PARSE;
	stop = skip_string(name, m->end);
	if (!stop)
		return RV_E_PARSE;
	colon = skip_blanks(stop, m->end);
	if (colon >= m->end || *colon != ':')
		return RV_E_PARSE;
	*ret = (struct rv_member){.name = name + 1, .name_size = (size_t)(stop - name) - 2};
	value = skip_blanks(colon + 1, m->end);
	stop = value < m->end ? skip_value(value, m->end) : NULL;
	if (!stop)
		return RV_E_PARSE;
	ret->value = value;
	ret->value_size = (size_t)(stop - value);
	m->at = stop;
	return RV_OK;
}

int rv_members_next(struct rv_members *m, struct rv_member *ret_member)
{
	const char *at = skip_blanks(m->at, m->end);
	bool first = !m->begun;

	if (at >= m->end)
		return RV_E_PARSE;
	if (first && *at != '{')
		return RV_E_PARSE;
	if (!first && *at == '}')
		return RV_E_NOTFOUND;
	if (!first && *at != ',')
		return RV_E_PARSE;
	m->begun = true;
	m->at = skip_blanks(at + 1, m->end);
	if (first && m->at < m->end && *m->at == '}')
		return RV_E_NOTFOUND;
	return read_member(m, ret_member);
}

/* ---- texts */

static int hex4(const char *at, uint32_t *ret)
{
	uint32_t code = 0;

	for (int i = 0; i < 4; i++) {
		char c = at[i];

		if (c >= '0' && c <= '9')
			code = code << 4 | (uint32_t)(c - '0');
		else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			code = code << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return RV_E_PARSE;
	}
	*ret = code;
	return RV_OK;
}

static char *put_utf8(char *to, uint32_t code)
{
	if (code < 0x80) {
		*to++ = (char)code;
	} else if (code < 0x800) {
		*to++ = (char)(0xc0 | code >> 6);
		*to++ = (char)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		*to++ = (char)(0xe0 | code >> 12);
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
		*to++ = (char)(0x80 | (code & 0x3f));
	} else {
		*to++ = (char)(0xf0 | code >> 18);
		*to++ = (char)(0x80 | (code >> 12 & 0x3f));
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
		*to++ = (char)(0x80 | (code & 0x3f));
	}
	return to;
}

/* \uXXXX, or two of them; ${*at} is behind the u.  Never longer than what it was. */
static int unescape_unicode(const char **at, const char *end, char **to)
{
	uint32_t code, low;

	if (end - *at < 4 || hex4(*at, &code) != RV_OK)
		return RV_E_PARSE;
	*at += 4;
	if (code >= 0xd800 && code < 0xdc00) {
		if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u' ||
		    hex4(*at + 2, &low) != RV_OK || low < 0xdc00 || low > 0xdfff)
			return RV_E_PARSE;
		code = 0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00));
		*at += 6;
	} else if (code >= 0xdc00 && code < 0xe000) {
		return RV_E_PARSE;
	}
	*to = put_utf8(*to, code);
	return RV_OK;
}

static int unescape(const char *at, const char *end, char *to, char **ret_to)
{
	static const char from[] = "\"\\/bfnrt";
	static const char meant[] = "\"\\/\b\f\n\r\t";

	while (at < end) {
		const char *stop = memchr(at, '\\', (size_t)(end - at));
		size_t plain = (size_t)((stop ? stop : end) - at);
		const char *which;

		memcpy(to, at, plain);
		to += plain;
		at += plain;
		if (!stop)
			break;
		if (end - at < 2)
			return RV_E_PARSE;
		at += 2;
		which = at[-1] ? strchr(from, at[-1]) : NULL;
		if (which)
			*to++ = meant[which - from];
		else if (at[-1] != 'u' || unescape_unicode(&at, end, &to) != RV_OK)
			return RV_E_PARSE;
	}
	*ret_to = to;
	return RV_OK;
}

int rv_member_text(const char *value, size_t size, struct rv_arena *arena, char **ret_text,
		   size_t *ret_size)
{
	bool is_string = size >= 2 && value[0] == '"';
	char *text = rv_arena_alloc(arena, size + 1);
	char *end = text;

	if (!text)
		return RV_E_NOMEM;
	if (!is_string) {
		memcpy(text, value, size);
		end = text + size;
	} else if (unescape(value + 1, value + size - 1, text, &end) != RV_OK) {
		return RV_E_PARSE;
	}
	POST((size_t)(end - text) <= size);
	*end = '\0';
	*ret_text = text;
	*ret_size = (size_t)(end - text);
	return RV_OK;
}
