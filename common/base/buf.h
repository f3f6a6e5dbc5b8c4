#ifndef RV_BASE_BUF_H
#define RV_BASE_BUF_H

/* Growable bytes, always NUL-terminated past the end so that text can be read as a string. */

#include "base/attr.h"

#include <stddef.h>

struct rv_buf {
	char *data;   /* owned; NULL while empty and never grown */
	size_t size;  /* bytes in use, without the NUL */
	size_t space; /* bytes allocated */
};

void rv_buf_init(struct rv_buf *buf);
void rv_buf_fini(struct rv_buf *buf);
/* Forgets the content, keeps the memory. */
void rv_buf_reset(struct rv_buf *buf);

/* All return RV_OK or RV_E_NOMEM; on failure the content is unmodified. */
int rv_buf_reserve(struct rv_buf *buf, size_t more) RV_MUST_CHECK;
int rv_buf_add(struct rv_buf *buf, const void *data, size_t size) RV_MUST_CHECK;
int rv_buf_str(struct rv_buf *buf, const char *text) RV_MUST_CHECK;
int rv_buf_printf(struct rv_buf *buf, const char *format, ...) RV_PRINTF(2, 3) RV_MUST_CHECK;

/* The content as a string, "" when nothing was ever added.  Borrowed until the next change. */
const char *rv_buf_text(const struct rv_buf *buf);
/* Hands the memory over (free() it); the buffer is empty again.  NULL when out of memory. */
char *rv_buf_take(struct rv_buf *buf);

#endif
