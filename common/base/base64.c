/*
 * Base64, both ways.  Runs in the CLI: dlq export, and add --from-file of what it wrote.
 */
#include "base64.h"

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int rv_base64_add(struct rv_buf *buf, const void *data, size_t size)
{
	const unsigned char *at = data;
	int err = rv_buf_reserve(buf, (size + 2) / 3 * 4);

	for (size_t i = 0; err == RV_OK && i < size; i += 3) {
		size_t left = size - i;
		uint32_t three = (uint32_t)at[i] << 16;
		char four[4];

		if (left > 1)
			three |= (uint32_t)at[i + 1] << 8;
		if (left > 2)
			three |= at[i + 2];
		for (int k = 0; k < 4; k++)
			four[k] = digits[three >> (18 - 6 * k) & 63];
		if (left < 3)
			four[3] = '=';
		if (left < 2)
			four[2] = '=';
		err = rv_buf_add(buf, four, sizeof(four));
	}
	return err;
}

/* Six bits, -1 for what is no digit. */
static int value_of(char c)
{
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at ? (int)(at - digits) : -1;
}

int rv_base64_read(const char *text, size_t size, void *out, size_t *ret_size)
{
	unsigned char *to = out;
	size_t padding = 0;

	while (padding < 2 && padding < size && text[size - 1 - padding] == '=')
		padding++;
	if (size % 4 != 0)
		return RV_E_PARSE;
	for (size_t i = 0; i < size; i += 4) {
		size_t there = i + 4 == size ? 4 - padding : 4;
		uint32_t four = 0;

		for (size_t k = 0; k < 4; k++) {
			int value = k < there ? value_of(text[i + k]) : 0;

			if (value < 0)
				return RV_E_PARSE;
			four = four << 6 | (uint32_t)value;
		}
		for (size_t k = 0; k + 1 < there; k++)
			*to++ = (unsigned char)(four >> (16 - 8 * k));
	}
	*ret_size = (size_t)(to - (unsigned char *)out);
	return RV_OK;
}
