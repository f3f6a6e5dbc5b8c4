/* Growable bytes.  Every process. */
#include "base/buf.h"

#include "base/check.h"
#include "base/err.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rv_buf_init(struct rv_buf *buf)
{
	*buf = (struct rv_buf){0};
}

void rv_buf_fini(struct rv_buf *buf)
{
	free(buf->data);
	rv_buf_init(buf);
}

void rv_buf_reset(struct rv_buf *buf)
{
	buf->size = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

int rv_buf_reserve(struct rv_buf *buf, size_t more)
{
	size_t space = buf->space ? buf->space : RV_LIMIT(64, 1);
	char *data;

	if (more > SIZE_MAX / 2 - buf->size - 1)
		return RV_E_NOMEM;
	if (buf->data && buf->size + more + 1 <= buf->space)
		return RV_OK;
	while (space < buf->size + more + 1)
		space *= 2;
	data = realloc(buf->data, space);
	if (!data)
		return RV_E_NOMEM;
	if (!buf->data)
		data[0] = '\0';
	buf->data = data;
	buf->space = space;
	return RV_OK;
}

int rv_buf_add(struct rv_buf *buf, const void *data, size_t size)
{
	int err = rv_buf_reserve(buf, size);

	if (err)
		return err;
	if (size > 0)
		memcpy(buf->data + buf->size, data, size);
	buf->size += size;
	buf->data[buf->size] = '\0';
	return RV_OK;
}

int rv_buf_str(struct rv_buf *buf, const char *text)
{
	return rv_buf_add(buf, text, strlen(text));
}

int rv_buf_printf(struct rv_buf *buf, const char *format, ...)
{
	va_list args;
	int need;
	int err;

	va_start(args, format);
	need = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (need < 0)
		return RV_E_NOMEM;
	err = rv_buf_reserve(buf, (size_t)need);
	if (err)
		return err;
	va_start(args, format);
	(void)vsnprintf(buf->data + buf->size, (size_t)need + 1, format, args);
	va_end(args);
	buf->size += (size_t)need;
	return RV_OK;
}

const char *rv_buf_text(const struct rv_buf *buf)
{
	return buf->data ? buf->data : "";
}

char *rv_buf_take(struct rv_buf *buf)
{
	char *data;

	if (rv_buf_reserve(buf, 0) != RV_OK)
		return NULL;
	data = RV_TAKE(buf->data);
	rv_buf_init(buf);
	return data;
}
