/*
 * Numbers in as few bytes as they need (LEB128).  Whoever reads or writes statistics.  Pure; never
 * reads past the end it was given, whatever stands there.
 */
#include "core/varint.h"

#include "base/check.h"
#include "base/err.h"

size_t rv_varint_put(unsigned char *out, uint64_t value)
{
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		out[n++] = (unsigned char)(value | 0x80);
	out[n++] = (unsigned char)value;
	POST(n <= RV_VARINT_MAX);
	return n;
}

int rv_varint_get(const unsigned char **at, const unsigned char *end, uint64_t *ret_value)
{
	const unsigned char *here = *at;
	uint64_t value = 0;

	PRE(here <= end);
	for (unsigned shift = 0; here < end && shift < 64; shift += 7) {
		unsigned char byte = *here++;

		if (shift == 63 && byte > 1)
			return RV_E_CORRUPT;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*at = here;
			*ret_value = value;
			return RV_OK;
		}
	}
	return RV_E_CORRUPT;
}

int rv_varint_int(const unsigned char **at, const unsigned char *end, int64_t *ret_value)
{
	uint64_t value;
	int err = rv_varint_get(at, end, &value);

	if (err != RV_OK || value > INT64_MAX)
		return RV_E_CORRUPT;
	*ret_value = (int64_t)value;
	return RV_OK;
}
