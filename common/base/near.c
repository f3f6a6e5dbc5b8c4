/* The nearest name, for error messages.  Every program that reads what people write. */
#include "base/near.h"

#include <string.h>

#define LONGEST 64 /* names longer than this are not worth guessing */

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Optimal string alignment: insert, delete, substitute, swap of neighbours cost 1 each. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][LONGEST + 1];
	size_t la = strlen(a);
	size_t lb = strlen(b);

	if (la > LONGEST || lb > LONGEST)
		return LONGEST;
	for (size_t j = 0; j <= lb; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *now = rows[i % 3];
		const size_t *last = rows[(i + 2) % 3];
		const size_t *before = rows[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t differ = a[i - 1] != b[j - 1];

			now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + differ);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
	}
	return rows[la % 3][lb];
}

const char *rv_near(const char *word, const char *const *names, size_t count)
{
	const char *best = NULL;
	size_t least = strlen(word) / 3 + 2;

	for (size_t i = 0; i < count; i++) {
		size_t d = names[i] ? distance(word, names[i]) : LONGEST;

		if (d < least) {
			least = d;
			best = names[i];
		}
	}
	return best;
}
