#ifndef RV_BASE_QUOTE_H
#define RV_BASE_QUOTE_H

/* Text as a string of JSON, for those who write lines of it without a tree. */

#include "base/attr.h"

#include <stddef.h>

struct rv_buf;

/*
 * Appends ${text} with quotes and escapes; bytes that are no UTF-8 become U+FFFD.  RV_E_NOMEM: the
 * content of ${buf} is unmodified.
 */
int rv_quote_json(const char *text, size_t size, struct rv_buf *buf) RV_MUST_CHECK;

#endif
