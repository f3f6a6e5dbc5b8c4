/*
 * What texts are made of: names, valid UTF-8, and the expansion of ${NAME} in the keys that are
 * marked for it.  Whoever reads a configuration.  It never expands recursively.
 */
#include "conf/text.h"

#include "base/arena.h"
#include "base/buf.h"

#include <stdint.h>
#include <string.h>

bool rv_text_is_name(const char *text, size_t size)
{
	if (size == 0 || size > RV_TEXT_NAME_MAX)
		return false;
	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '_' || c == '.' || c == '-'))
			return false;
	}
	return true;
}

/* Bytes of the UTF-8 sequence at ${s} (RFC 3629: no overlong form, no surrogate, ≤ U+10FFFF), or 0.
 */
static size_t utf8_length(const unsigned char *s, size_t size)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : 4;
	uint32_t point = length == 1 ? s[0] : s[0] & (0x7fu >> length);

	if (length > size || (length == 4 && s[0] >> 3 != 30))
		return 0;
	for (size_t i = 1; i < length; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		point = point << 6 | (s[i] & 0x3f);
	}
	if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	return length;
}

int rv_text_check(const char *text, size_t size, struct rv_why *why)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t at = 0;

	while (at < size) {
		size_t length = utf8_length(s + at, size - at);

		if (s[at] == '\0')
			return rv_fail(why, RV_E_PARSE, "has a NUL byte");
		if (length == 0)
			return rv_fail(why, RV_E_PARSE, "is not valid UTF-8 (byte 0x%02x)", s[at]);
		if ((s[at] < 0x20 && s[at] != '\t') || s[at] == 0x7f)
			return rv_fail(why, RV_E_PARSE, "has a control character (0x%02x)", s[at]);
		at += length;
	}
	return RV_OK;
}

int rv_text_check_value(const char *text, struct rv_why *why)
{
	size_t size = strlen(text);
	size_t backslashes = 0;

	if (size > RV_TEXT_LINE_MAX)
		return rv_fail(why, RV_E_PARSE, "is longer than 1 MiB");
	if (size > 0 && (strchr(" \t", text[0]) || strchr(" \t", text[size - 1])))
		return rv_fail(why, RV_E_PARSE, "begins or ends with a blank");
	while (backslashes < size && text[size - 1 - backslashes] == '\\')
		backslashes++;
	if (backslashes % 2 != 0)
		return rv_fail(why, RV_E_PARSE, "ends in a lone backslash");
	return rv_text_check(text, size, why);
}

const char *rv_text_getenv(char *const *environment, const char *name, size_t size)
{
	for (; environment && *environment; environment++) {
		if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=')
			return *environment + size + 1;
	}
	return NULL;
}

static size_t variable_length(const char *text)
{
	size_t size =
		strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");

	return size > 0 && text[0] >= '0' && text[0] <= '9' ? 0 : size;
}

/* At "${": adds the value and moves ${at} behind the brace. */
static int expand_one(const char **at, char *const *environment, struct rv_buf *out,
		      struct rv_why *why)
{
	const char *name = *at + 2;
	size_t length = variable_length(name);
	size_t size = strcspn(name, "}");
	const char *value = rv_text_getenv(environment, name, length);
	bool has_default = strncmp(name + length, ":-", 2) == 0;

	if (name[size] != '}')
		return rv_fail(why, RV_E_PARSE, "${ without its }");
	if (length == 0 || (length != size && !has_default))
		return rv_fail(why, RV_E_PARSE,
			       "${%.*s}: only ${NAME} and ${NAME:-default} are expanded",
			       (int)(size > 60 ? 60 : size), name);
	*at = name + size + 1;
	if (has_default && (!value || *value == '\0'))
		return rv_buf_add(out, name + length + 2, size - length - 2);
	if (!value)
		return rv_fail(why, RV_E_PARSE, "%.*s is not set in the environment",
			       (int)(length > 60 ? 60 : length), name);
	return rv_buf_str(out, value);
}

static int expand(const char *text, char *const *environment, struct rv_buf *out,
		  struct rv_why *why)
{
	int err = RV_OK;

	while (err == RV_OK && *text != '\0') {
		size_t plain = strcspn(text, "$");

		err = rv_buf_add(out, text, plain);
		text += plain;
		if (err || *text == '\0')
			break;
		if (text[1] == '$') {
			err = rv_buf_str(out, "$");
			text += 2;
		} else if (text[1] == '{') {
			err = expand_one(&text, environment, out, why);
		} else {
			err = rv_fail(why, RV_E_PARSE, "a lone $: write $$, or ${NAME}");
		}
	}
	return err;
}

int rv_text_expand(const char *text, char *const *environment, struct rv_arena *arena,
		   const char **ret_text, struct rv_why *why)
{
	struct rv_buf out;
	const char *copy;
	int err;

	rv_buf_init(&out);
	err = expand(text, environment, &out, why);
	copy = err ? NULL : rv_arena_memdup(arena, rv_buf_text(&out), out.size);
	rv_buf_fini(&out);
	if (err)
		return err;
	if (!copy)
		return RV_E_NOMEM;
	*ret_text = copy;
	return RV_OK;
}
