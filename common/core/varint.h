#ifndef RV_CORE_VARINT_H
#define RV_CORE_VARINT_H

/*
 * Numbers in as few bytes as they need: seven bits a byte, the lowest first, the high bit says that
 * more follow (LEB128).  For the compact columns of statistics.  Pure.
 */

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

#define RV_VARINT_MAX 10 /* bytes of the longest */

/* Writes ${value} to ${out}; how many bytes. */
size_t rv_varint_put(unsigned char *out, uint64_t value);
/* The number at ${*at}, which moves behind it.  RV_E_CORRUPT: it does not end before ${end}. */
int rv_varint_get(const unsigned char **at, const unsigned char *end,
		  uint64_t *ret_value) RV_MUST_CHECK;
/* The same, but at most INT64_MAX. */
int rv_varint_int(const unsigned char **at, const unsigned char *end,
		  int64_t *ret_value) RV_MUST_CHECK;

#endif
