#ifndef RV_CORE_FINGERPRINT_H
#define RV_CORE_FINGERPRINT_H

/*
 * What errors have in common: "cannot open spool/a7f31c: error 13" and "… spool/09be44: error 2"
 * are one.  Pure; the search, and whoever groups dead letters.
 */

#include <stddef.h>
#include <stdint.h>

#define RV_FOLD_SPACE        256
#define RV_FINGERPRINT_SPACE 9

/*
 * ${error} (NULL: "") with each number (decimal, 0x…, or six hexadecimal digits and more of which
 * one is decimal) made a #, and spaces and control characters one space; cut to the space.
 */
const char *rv_fold(char out[RV_FOLD_SPACE], const char *error);
/* Eight hexadecimal digits of a hash of that (FNV-1a, 64 bits folded to 32). */
const char *rv_fingerprint(char out[RV_FINGERPRINT_SPACE], const char *error);

#endif
