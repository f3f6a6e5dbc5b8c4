/*
 * CRC-32C by eight tables: eight bytes a step, some 1.5 GB/s without any instruction of its own
 * (M. Kounavis, F. Berry: "A Systematic Approach to Building High Performance, Software-based, CRC
 * Generators", 2005).  Any process.  The tables are made at the first use: there are no threads.
 */
#include "base/crc32c.h"

#define POLYNOMIAL 0x82f63b78U

static uint32_t tables[8][256];

static void make_tables(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
		tables[0][i] = crc;
	}
	for (int t = 1; t < 8; t++) {
		for (uint32_t i = 0; i < 256; i++)
			tables[t][i] = tables[t - 1][i] >> 8 ^ tables[0][tables[t - 1][i] & 0xff];
	}
}

/* Little-endian on every machine. */
static uint32_t word_at(const unsigned char *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

uint32_t rv_crc32c(uint32_t crc, const void *data, size_t size)
{
	const unsigned char *at = data;

	if (tables[0][1] == 0)
		make_tables();
	crc = ~crc;
	for (; size >= 8; size -= 8, at += 8) {
		uint32_t low = crc ^ word_at(at);
		uint32_t high = word_at(at + 4);

		crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^
		      tables[5][low >> 16 & 0xff] ^ tables[4][low >> 24] ^ tables[3][high & 0xff] ^
		      tables[2][high >> 8 & 0xff] ^ tables[1][high >> 16 & 0xff] ^
		      tables[0][high >> 24];
	}
	for (; size > 0; size--)
		crc = crc >> 8 ^ tables[0][(crc ^ *at++) & 0xff];
	return ~crc;
}
