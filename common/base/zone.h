#ifndef RV_BASE_ZONE_H
#define RV_BASE_ZONE_H

/*
 * A time zone as RFC 8536 has it in a file (TZif) of the system's database: what its clocks show at
 * a moment, and at which moment they show something.  Seconds since 1970.  NULL is UTC everywhere.
 * Reading the file is for the caller (conf/zone.h).
 */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RV_ZONE_NAME_MAX 64 /* bytes of Europe/Rome, with its NUL */

struct rv_zone;

/* From one change of the clocks to the next. */
struct rv_zone_span {
	int64_t from_s, to_s; /* UTC; INT64_MIN and INT64_MAX where there is none */
	int32_t offset_s;     /* east of UTC */
};

/* RV_E_PARSE: no such file, or one that counts leap seconds; RV_E_NOMEM. */
int rv_zone_parse(const void *data, size_t size, struct rv_zone **ret_zone,
		  struct rv_why *why) RV_MUST_CHECK;
void rv_zone_free(struct rv_zone *zone);

/* The span that ${utc_s} is in. */
struct rv_zone_span rv_zone_at(const struct rv_zone *zone, int64_t utc_s);
/*
 * The first moment at which its clocks show ${local_s}; where they never do, because they are put
 * forward over it, the moment at which they are.
 */
int64_t rv_zone_first(const struct rv_zone *zone, int64_t local_s);

/* Whether it can be a zone's name: a relative path of plain words. */
bool rv_zone_name_sane(const char *name);

#endif
