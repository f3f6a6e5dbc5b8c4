#ifndef RV_BASE_UTF8_H
#define RV_BASE_UTF8_H

/* What is UTF-8 and what is not, for everything that quotes bytes of unknown origin. */

#include <stddef.h>

/*
 * How many bytes the well-formed UTF-8 sequence at the start of ${text} has (RFC 3629: no overlong
 * forms, no surrogates, at most U+10FFFF); 0 when there is none within ${size} bytes.
 */
size_t rv_utf8_length(const char *text, size_t size);

/*
 * Adds ${text} to what stands in ${out} (${space} bytes with the NUL), as part of one line for
 * people: well-formed, no control characters; what does not fit is left out, at a character's end.
 */
void rv_utf8_add_line(char *out, size_t space, const char *text);

#endif
