/* What a job says of itself: which lines count, in whatever pieces they come. */
#include "run/says.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rv_says says;
static char heard[4096];
static size_t biggest;

static void note(void *ctx, const struct rv_said *said)
{
	size_t used = strlen(heard);

	(void)ctx;
	if (said->result && said->result_size > biggest)
		biggest = said->result_size;
	(void)snprintf(heard + used, sizeof(heard) - used, "[%d,%s,%lld,%.*s]", said->percent,
		       said->message ? said->message : "-", (long long)said->retry_us,
		       said->result ? (int)(said->result_size < 99 ? said->result_size : 99) : 1,
		       said->result ? said->result : "-");
}

static const char *hears(bool marked, const char *text)
{
	heard[0] = '\0';
	rv_says_reset(&says, marked);
	rv_says_feed(&says, text, strlen(text), note, NULL);
	return heard;
}

#define HEARS(marked, text, want)                                                                  \
	cr_assert(strcmp(hears(marked, text), want) == 0, "%s: %s", text, heard)

Test(says, words)
{
	HEARS(false, "progress=42 page 7\n", "[42,page 7,-1,-]");
	HEARS(false, "progress=0\n", "[0,,-1,-]");
	HEARS(false, "progress= thinking\n", "[-1,thinking,-1,-]");
	HEARS(false, "retry-after=1m30s\n", "[-1,-,90000000,-]");
	HEARS(false, "result=a = b\r\n", "[-1,-,-1,a = b]");
	HEARS(false, "result=\n", "[-1,-,-1,]");
}

Test(says, objects)
{
	HEARS(false, "{\"progress\": 12.7, \"message\": \"m\"}\n", "[12,m,-1,-]");
	HEARS(false, "{\"progress\": 5}\n", "[5,,-1,-]");
	HEARS(false, "{\"retry_after\": \"5s\", \"result\": [1, 2]}\n", "[-1,-,5000000,[1,2]]");
	HEARS(false, "{\"result\": \"text\"}\n", "[-1,-,-1,text]");
	HEARS(false, "{\"other\": 1}\n", "[-1,-,-1,-]");
}

Test(says, the_mark_on_stdout)
{
	HEARS(true, "progress=1\n##reeve progress=2 x\n ##reeve progress=3\n#\n##reeve\n\n",
	      "[2,x,-1,-]");
	HEARS(true, "##reeve {\"progress\": 9}\n", "[9,,-1,-]");
}

Test(says, what_is_none)
{
	HEARS(false, "progress=101\nprogress=-1\nprogress=x y\nretry-after=5\nspeed=3\n\n=\n", "");
	HEARS(false, "retry-after=521w\n", "");
	HEARS(false, "{\"progress\": \n{]\n[1]\nnot a line without its end", "");
	HEARS(false, "{\"progress\": 101, \"retry_after\": \"soon\"}\n", "[-1,-,-1,-]");
	HEARS(false, "{\"retry_after\": \"521w\"}\n", "[-1,-,-1,-]");
}

/* Every way to cut the text into two pieces hears the same. */
Test(says, pieces)
{
	static const char text[] = "noise\n##reeve progress=7 seven\n##reeve result=r\nrest";
	char whole[256];

	(void)snprintf(whole, sizeof(whole), "%s", hears(true, text));
	cr_assert(strcmp(whole, "[7,seven,-1,-][-1,-,-1,r]") == 0, "%s", whole);
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		heard[0] = '\0';
		rv_says_reset(&says, true);
		rv_says_feed(&says, text, cut, note, NULL);
		rv_says_feed(&says, text + cut, sizeof(text) - 1 - cut, note, NULL);
		cr_assert(strcmp(heard, whole) == 0, "cut at %zu: %s", cut, heard);
	}
}

/* The largest result fits; a longer line says nothing, and the next one counts again. */
Test(says, long_lines)
{
	char *line = malloc(RV_SAYS_LINE * 2);

	cr_assert(line != NULL);
	memset(line, 'x', RV_SAYS_LINE * 2);
	memcpy(line, "result=", 7);
	line[7 + (64 << 10)] = '\n';
	line[8 + (64 << 10)] = '\0';
	(void)hears(false, line);
	cr_assert(eq(sz, biggest, 64 << 10));
	memset(line, 'x', RV_SAYS_LINE * 2);
	memcpy(line, "result=", 7);
	memcpy(line + RV_SAYS_LINE * 2 - 14, "\nprogress=3\n", 13);
	HEARS(false, line, "[3,,-1,-]");
	free(line);
}

Test(says, random_bytes_do_no_harm)
{
	static const char alphabet[] = "#reev progs=42{}\":,[]\n\r\\u00\xff\x80";
	uint64_t state = 3;
	char chunk[64];

	rv_says_reset(&says, true);
	for (int i = 0; i < 200000; i++) {
		size_t size = 1 + (size_t)(state >> 40) % sizeof(chunk);

		for (size_t k = 0; k < size; k++) {
			state = state * 6364136223846793005ULL + 1442695040888963407ULL;
			chunk[k] = alphabet[(state >> 33) % (sizeof(alphabet) - 1)];
		}
		if (i % 50 == 0)
			rv_says_reset(&says, i % 100 == 0);
		heard[0] = '\0';
		rv_says_feed(&says, chunk, size, note, NULL);
	}
}
