#ifndef RV_BASE_FMT_H
#define RV_BASE_FMT_H

/*
 * Durations, sizes and times as people write them, both ways.
 *   duration  250ms 30s 5m 2h 1d 1w, concatenable (1h30m); the unit is required, "0" is allowed
 *   size      0, 512K 16M 2G (powers of 1024); a unit is required except for 0; B is bytes
 *   time      RFC 3339 with microseconds, always UTC on output
 */

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

#define RV_FMT_SPACE 48 /* enough for any of the texts below */

/* Parse the whole of ${text}; RV_E_PARSE (nothing written) if it is anything else. */
int rv_parse_duration(const char *text, int64_t *ret_us) RV_MUST_CHECK;
int rv_parse_size(const char *text, int64_t *ret_bytes) RV_MUST_CHECK;
/* Decimal digits with an optional '-': the whole text, within [min, max]. */
int rv_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret) RV_MUST_CHECK;
/*
 * A point in time, wall microseconds: "2026-11-21T20:21:32[.frac]Z", the same with an offset
 * (+02:00), "2026-11-21 20:21[:32]" and "20:21[:32]" (local time; the latter the next such time
 * after ${now_us}), "@SECONDS[.frac]", "+DURATION" from ${now_us}.
 */
int rv_parse_time(const char *text, int64_t now_us, int64_t *ret_us) RV_MUST_CHECK;

/* Each writes into ${out} (RV_FMT_SPACE bytes) and returns it. */
char *rv_fmt_duration(char *out, int64_t us);  /* exact, as the parser reads it: 1h30m, 250ms */
char *rv_fmt_about(char *out, int64_t us);     /* for people, two digits or so: 1.5s, 12m, 3d */
char *rv_fmt_size(char *out, int64_t bytes);   /* exact, as the parser reads it: 16M, 1000B */
char *rv_fmt_time(char *out, int64_t wall_us); /* 2026-11-21T20:21:32.485201Z */

#endif
