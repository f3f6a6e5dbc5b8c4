/* Base64: the vectors of RFC 4648, both ways for any bytes, and what is none. */
#include "base/base64.h"

#include "base/buf.h"
#include "base/err.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static void both_ways(const void *data, size_t size, const char *want)
{
	struct rv_buf buf;
	char out[512];
	size_t got = 9999;

	rv_buf_init(&buf);
	cr_assert(eq(int, rv_base64_add(&buf, data, size), RV_OK));
	if (want)
		cr_assert(strcmp(rv_buf_text(&buf), want) == 0, "%s", rv_buf_text(&buf));
	cr_assert(eq(int, rv_base64_read(rv_buf_text(&buf), buf.size, out, &got), RV_OK));
	cr_assert(eq(sz, got, size));
	cr_assert(memcmp(out, data, size) == 0);
	rv_buf_fini(&buf);
}

Test(base64, vectors)
{
	both_ways("", 0, "");
	both_ways("f", 1, "Zg==");
	both_ways("fo", 2, "Zm8=");
	both_ways("foo", 3, "Zm9v");
	both_ways("foob", 4, "Zm9vYg==");
	both_ways("fooba", 5, "Zm9vYmE=");
	both_ways("foobar", 6, "Zm9vYmFy");
	both_ways("\xff\xfe\xfd", 3, "//79");
}

Test(base64, any_bytes)
{
	unsigned char data[300] = {0};

	for (size_t size = 0; size <= sizeof data; size++) {
		for (size_t i = 0; i < size; i++)
			data[i] = (unsigned char)(i * 167 + size);
		both_ways(data, size, NULL);
	}
}

Test(base64, what_is_none)
{
	static const char *const bad[] = {"Z",    "Zg",    "Zg=",  "Zg==Zg==", "Z===", "====",
					  "Zm9 ", "Zm9\n", "Zm9-", "=Zm9",     "Zm=v"};
	char out[16];
	size_t size = 77;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_assert(eq(int, rv_base64_read(bad[i], strlen(bad[i]), out, &size), RV_E_PARSE),
			  "%s", bad[i]);
	cr_assert(eq(sz, size, 77));
}
