/* Text as a string of JSON.  Every process. */
#include "base/quote.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/utf8.h"

#include <stdbool.h>

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* One character that is not plain; returns how many of its bytes are taken. */
static size_t quote_one(const char *text, size_t size, struct rv_buf *buf, int *ret_err)
{
	size_t length = rv_utf8_length(text, size);
	unsigned char c = (unsigned char)text[0];

	if (length == 0) {
		*ret_err = rv_buf_str(buf, "\\ufffd");
		return 1;
	}
	if (c == '"' || c == '\\')
		*ret_err = rv_buf_printf(buf, "\\%c", c);
	else if (c == '\n')
		*ret_err = rv_buf_str(buf, "\\n");
	else if (c < 0x20 || c == 0x7f)
		*ret_err = rv_buf_printf(buf, "\\u%04x", c);
	else
		*ret_err = rv_buf_add(buf, text, length);
	return length;
}

int rv_quote_json(const char *text, size_t size, struct rv_buf *buf)
{
	size_t before = buf->size;
	int err = rv_buf_str(buf, "\"");

	for (size_t at = 0; at < size && err == RV_OK;) {
		size_t plain = 0;

		while (at + plain < size && is_plain((unsigned char)text[at + plain]))
			plain++;
		if (plain > 0)
			err = rv_buf_add(buf, text + at, plain);
		at += plain;
		if (err == RV_OK && at < size && plain == 0)
			at += quote_one(text + at, size - at, buf, &err);
	}
	if (err == RV_OK)
		err = rv_buf_str(buf, "\"");
	if (err != RV_OK) {
		buf->size = before;
		if (buf->data)
			buf->data[before] = '\0';
	}
	return err;
}
