/*
 * Fingerprints of errors: numbers folded, then hashed.  Whoever groups dead letters.
 * Pure: no I/O, no clock, no memory of its own.
 */
#include "core/fingerprint.h"

#include "base/attr.h"
#include "base/check.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Of a number in hexadecimal: shorter ones are words, such as "bad" or "dead". */
#define HEX_MIN 6

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The bytes of the number at ${at}, 0: there is none.  ${inside}: a letter goes before it. */
static size_t number_at(const char *at, bool inside)
{
	size_t decimal = strspn(at, "0123456789");
	size_t hex = 0;
	bool digit = false;

	if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X') && is_hex(at[2]))
		return 2 + strspn(at + 2, "0123456789abcdefABCDEF");
	while (is_hex(at[hex]))
		digit = is_digit(at[hex++]) || digit;
	if (!inside && digit && hex >= HEX_MIN && !is_letter(at[hex]))
		return hex;
	return decimal;
}

const char *rv_fold(char out[RV_FOLD_SPACE], const char *error)
{
	const char *at = error ? error : "";
	size_t n = 0;

	while (*at != '\0' && n < RV_FOLD_SPACE - 1) {
		bool inside = at != error && is_letter(at[-1]);
		size_t number = number_at(at, inside);

		if (number > 0) {
			at += number;
			out[n++] = '#';
		} else if ((unsigned char)*at <= ' ') {
			at++;
			if (n > 0 && out[n - 1] != ' ')
				out[n++] = ' ';
		} else {
			out[n++] = *at++;
		}
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
	POST(n < RV_FOLD_SPACE);
	return out;
}

const char *rv_fingerprint(char out[RV_FINGERPRINT_SPACE], const char *error)
{
	char folded[RV_FOLD_SPACE];
	uint64_t hash = 14695981039346656037ULL;

	for (const char *at = rv_fold(folded, error); *at != '\0'; at++)
		hash = (hash ^ (unsigned char)*at) * 1099511628211ULL;
	(void)snprintf(out, RV_FINGERPRINT_SPACE, "%08x", (unsigned)(uint32_t)(hash ^ hash >> 32));
	return out;
}
