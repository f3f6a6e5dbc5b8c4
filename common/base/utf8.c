/* What is UTF-8.  Every process; no state.  The table is RFC 3629 section 4's ABNF. */
#include "base/utf8.h"

#include "base/attr.h"

#include <stdint.h>
#include <string.h>

/* Lead bytes [from, to] begin a sequence of length bytes whose second lies in [low, high]. */
static const struct lead {
	uint8_t from, to, length, low, high;
} leads[] = {
	{0x00, 0x7f, 1, 0, 0},       {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf},
	{0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
	{0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

static size_t check(const struct lead *lead, const char *text, size_t size)
{
	uint8_t second;

	if (lead->length > size)
		return 0;
	if (lead->length == 1)
		return 1;
	second = (uint8_t)text[1];
	if (second < lead->low || second > lead->high)
		return 0;
	for (size_t i = 2; i < lead->length; i++) {
		if (((uint8_t)text[i] & 0xc0) != 0x80)
			return 0;
	}
	return lead->length;
}

size_t rv_utf8_length(const char *text, size_t size)
{
	if (size == 0)
		return 0;
	for (size_t i = 0; i < RV_ARRAY_LEN(leads); i++) {
		uint8_t byte = (uint8_t)text[0];

		if (byte >= leads[i].from && byte <= leads[i].to)
			return check(&leads[i], text, size);
	}
	return 0;
}

void rv_utf8_add_line(char *out, size_t space, const char *text)
{
	size_t used = strlen(out);
	size_t size = strlen(text);

	for (size_t i = 0; i < size;) {
		size_t n = rv_utf8_length(text + i, size - i);

		if (used + (n ? n : 1) >= space)
			break;
		if (n == 0 || (unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
			out[used++] = n == 0 ? '?' : ' ';
			i += n ? n : 1;
			continue;
		}
		memcpy(out + used, text + i, n);
		used += n;
		i += n;
	}
	out[used] = '\0';
}
