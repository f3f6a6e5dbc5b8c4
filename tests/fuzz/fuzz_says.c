/*
 * What a job says of itself: the same whatever the pieces in which it comes, and within the bounds
 * that the store has.  Both streams: the one of its own, and stdout with its marked lines.
 */
#include "fuzz.h"

#include "base/crc32c.h"
#include "run/says.h"

#include <string.h>

struct heard {
	uint32_t sum;
	unsigned lines;
};

static void note(void *ctx, const struct rv_said *said)
{
	struct heard *heard = ctx;
	char text[64];

	FUZZ_CHECK(said->percent >= -1 && said->percent <= 100);
	FUZZ_CHECK(said->retry_us >= -1);
	FUZZ_CHECK(said->result_size < RV_SAYS_LINE);
	(void)snprintf(text, sizeof(text), "%d %lld %d", said->percent, (long long)said->retry_us,
		       said->result != NULL);
	heard->sum = rv_crc32c(heard->sum, text, strlen(text) + 1);
	if (said->message)
		heard->sum = rv_crc32c(heard->sum, said->message, strlen(said->message) + 1);
	if (said->result)
		heard->sum = rv_crc32c(heard->sum, said->result, said->result_size);
	heard->lines++;
}

static struct heard hear(const uint8_t *data, size_t size, bool marked, size_t step)
{
	static struct rv_says says;
	struct heard heard = {.sum = 0};

	rv_says_reset(&says, marked);
	for (size_t at = 0; at < size; at += step) {
		size_t n = size - at < step ? size - at : step;

		rv_says_feed(&says, (const char *)data + at, n, note, &heard);
	}
	return heard;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int marked = 0; marked < 2; marked++) {
		struct heard whole = hear(data, size, marked, size ? size : 1);
		struct heard bytes = hear(data, size, marked, 1);
		struct heard pieces = hear(data, size, marked, size > 0 ? 2 + data[0] % 61 : 7);

		FUZZ_CHECK(whole.sum == bytes.sum && whole.lines == bytes.lines);
		FUZZ_CHECK(whole.sum == pieces.sum && whole.lines == pieces.lines);
	}
	return 0;
}
