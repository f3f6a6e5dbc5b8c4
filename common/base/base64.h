#ifndef RV_BASE_BASE64_H
#define RV_BASE_BASE64_H

/* Base64 (RFC 4648, section 4, with padding), for payloads that are no text. */

#include "base/attr.h"

#include <stddef.h>

struct rv_buf;

/* Appends.  RV_E_NOMEM. */
int rv_base64_add(struct rv_buf *buf, const void *data, size_t size) RV_MUST_CHECK;
/* Decodes ${text} into ${out} (3/4 of its size at least).  RV_E_PARSE: anything else. */
int rv_base64_read(const char *text, size_t size, void *out, size_t *ret_size) RV_MUST_CHECK;

#endif
