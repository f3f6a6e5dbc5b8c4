#ifndef RV_CORE_HISTOGRAM_H
#define RV_CORE_HISTOGRAM_H

/*
 * How often which length of time: log-linear buckets, 16 to each power of two, so that what comes
 * out is off by at most 1/32 (3.2 %) from what was put in; below 32 it is exact.  (The layout is
 * that of HdrHistogram, G. Tene.)  Values are microseconds, 0 … RV_HISTOGRAM_LAST; what is outside
 * counts as the nearest of these.  Pure; the store keeps them encoded.
 */

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

#define RV_HISTOGRAM_SUB     16
#define RV_HISTOGRAM_BUCKETS 624
#define RV_HISTOGRAM_LAST    ((1LL << 42) - 1) /* 50 days */
#define RV_HISTOGRAM_ERROR   32   /* the middle of a bucket is off by at most its value / this */
#define RV_HISTOGRAM_SPACE   7488 /* bytes that suffice to encode any */

struct rv_histogram {
	int64_t counts[RV_HISTOGRAM_BUCKETS]; /* each ≥ 0; the sum of all fits an int64_t */
};

/* The bucket that ${value} belongs to, and the middle of one. */
unsigned rv_histogram_bucket(int64_t value);
int64_t rv_histogram_middle(unsigned bucket);

void rv_histogram_add(struct rv_histogram *to, int64_t value);
void rv_histogram_merge(struct rv_histogram *to, const struct rv_histogram *from);
int64_t rv_histogram_count(const struct rv_histogram *of);

/*
 * The value that at least ${per_mille} (1 … 1000) of a thousand do not exceed (nearest rank), as
 * the middle of its bucket.  -1: it is empty.
 */
int64_t rv_histogram_quantile(const struct rv_histogram *of, int per_mille);

/*
 * As bytes: for each bucket that is not empty, how many are skipped and its count, both varint.
 * decode adds what it reads to ${to}; RV_E_CORRUPT: it is no histogram, ${to} may have got some.
 */
size_t rv_histogram_encode(const struct rv_histogram *of, unsigned char *out);
int rv_histogram_decode(const unsigned char *data, size_t size,
			struct rv_histogram *to) RV_MUST_CHECK;

#endif
