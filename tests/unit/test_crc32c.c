/* CRC-32C against published values, and cut at every place. */
#include "base/crc32c.h"
#include "helpers/assert.h"

#include <string.h>

/* RFC 3720 appendix B.4, and the check value of the algorithm's catalogue. */
Test(crc32c, the_published_values)
{
	unsigned char data[32] = {0};

	cr_assert(eq(u32, rv_crc32c(0, "123456789", 9), 0xe3069283));
	cr_assert(eq(u32, rv_crc32c(0, data, 32), 0x8a9136aa));
	memset(data, 0xff, sizeof data);
	cr_assert(eq(u32, rv_crc32c(0, data, 32), 0x62a8ab43));
	for (unsigned i = 0; i < 32; i++)
		data[i] = (unsigned char)i;
	cr_assert(eq(u32, rv_crc32c(0, data, 32), 0x46dd794e));
	for (unsigned i = 0; i < 32; i++)
		data[i] = (unsigned char)(31 - i);
	cr_assert(eq(u32, rv_crc32c(0, data, 32), 0x113fdb5c));
	cr_assert(eq(u32, rv_crc32c(0, NULL, 0), 0));
}

Test(crc32c, pieces_make_the_whole)
{
	unsigned char data[61];
	uint32_t whole;

	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 37 + 11);
	whole = rv_crc32c(0, data, sizeof data);
	for (size_t cut = 0; cut <= sizeof data; cut++)
		cr_assert(eq(u32, rv_crc32c(rv_crc32c(0, data, cut), data + cut, sizeof data - cut),
			     whole));
	for (unsigned bit = 0; bit < 8 * sizeof data; bit++) {
		data[bit / 8] ^= (unsigned char)(1U << bit % 8);
		cr_assert(ne(u32, rv_crc32c(0, data, sizeof data), whole), "bit %u", bit);
		data[bit / 8] ^= (unsigned char)(1U << bit % 8);
	}
}
