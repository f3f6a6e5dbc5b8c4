#ifndef RV_BASE_CRC32C_H
#define RV_BASE_CRC32C_H

/*
 * CRC-32C (Castagnoli): what a job's work is checked by, from its enqueue to its start.  Finds
 * damage, not malice.  Parameters: RFC 3720 appendix B.4 (reflected polynomial 0x82f63b78, start
 * and end inverted); "123456789" gives 0xe3069283.
 */

#include <stddef.h>
#include <stdint.h>

/* The sum of what ${crc} is the sum of (0: of nothing) followed by ${data}. */
uint32_t rv_crc32c(uint32_t crc, const void *data, size_t size);

#endif
