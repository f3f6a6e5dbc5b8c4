/*
 * What happens when a check fails: one line on stderr, then abort().
 * Runs in every process; must not allocate, because memory may be what is broken.
 */
#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static struct iovec piece(const char *text)
{
	union {
		const char *from;
		void *to;
	} cast = {.from = text};

	return (struct iovec){.iov_base = cast.to, .iov_len = strlen(text)};
}

void rv_check_failed(const char *kind, const char *what, const char *file, int line)
{
	char digits[16];
	char *at = digits + sizeof digits - 1;
	unsigned rest = (unsigned)line;

	*at = '\0';
	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0);
	struct iovec line_out[] = {piece("check failed: "),
				   piece(kind),
				   piece("("),
				   piece(what),
				   piece(") at "),
				   piece(file),
				   piece(":"),
				   piece(at),
				   piece("\n")};

	(void)!writev(STDERR_FILENO, line_out, (int)RV_ARRAY_LEN(line_out));
	abort();
}
