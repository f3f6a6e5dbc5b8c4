/*
 * Log-linear histograms.  Whoever counts how long things take, and whoever shows it.  Pure.  Bucket
 * i below 16 is the value i; above, each power of two has 16 buckets of equal width.
 */
#include "core/histogram.h"

#include "base/check.h"
#include "base/err.h"
#include "core/varint.h"

#define SUB_BITS 4 /* log2 of RV_HISTOGRAM_SUB */

_Static_assert(RV_HISTOGRAM_SUB == 1 << SUB_BITS, "two words for one number");
_Static_assert(RV_HISTOGRAM_SPACE >= RV_HISTOGRAM_BUCKETS * (2 + RV_VARINT_MAX),
	       "a count and what is skipped, of each bucket");
_Static_assert(RV_HISTOGRAM_BUCKETS == (42 - SUB_BITS + 1) * RV_HISTOGRAM_SUB,
	       "the last bucket ends with RV_HISTOGRAM_LAST");

unsigned rv_histogram_bucket(int64_t value)
{
	unsigned power;

	if (value < RV_HISTOGRAM_SUB)
		return value < 0 ? 0 : (unsigned)value;
	if (value > RV_HISTOGRAM_LAST)
		value = RV_HISTOGRAM_LAST;
	power = 63 - (unsigned)__builtin_clzll((unsigned long long)value) - SUB_BITS;
	return power * RV_HISTOGRAM_SUB + (unsigned)(value >> power);
}

int64_t rv_histogram_middle(unsigned bucket)
{
	unsigned power;
	int64_t first;

	PRE(bucket < RV_HISTOGRAM_BUCKETS);
	if (bucket < 2 * RV_HISTOGRAM_SUB)
		return bucket;
	power = bucket / RV_HISTOGRAM_SUB - 1;
	first = (int64_t)(bucket % RV_HISTOGRAM_SUB + RV_HISTOGRAM_SUB) << power;
	return first + ((1LL << power) >> 1);
}

void rv_histogram_add(struct rv_histogram *to, int64_t value)
{
	to->counts[rv_histogram_bucket(value)]++;
}

void rv_histogram_merge(struct rv_histogram *to, const struct rv_histogram *from)
{
	for (unsigned i = 0; i < RV_HISTOGRAM_BUCKETS; i++)
		to->counts[i] += from->counts[i];
}

int64_t rv_histogram_count(const struct rv_histogram *of)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < RV_HISTOGRAM_BUCKETS; i++)
		sum += of->counts[i];
	return sum;
}

int64_t rv_histogram_quantile(const struct rv_histogram *of, int per_mille)
{
	int64_t count = rv_histogram_count(of);
	int64_t seen = 0;
	int64_t rank; /* ⌈count × per_mille / 1000⌉, without overflow */

	PRE(per_mille >= 1 && per_mille <= 1000);
	if (count == 0)
		return -1;
	rank = count / 1000 * per_mille + (count % 1000 * per_mille + 999) / 1000;
	for (unsigned i = 0; i < RV_HISTOGRAM_BUCKETS; i++) {
		seen += of->counts[i];
		if (seen >= rank)
			return rv_histogram_middle(i);
	}
	IMPOSSIBLE("a rank beyond the last");
}

size_t rv_histogram_encode(const struct rv_histogram *of, unsigned char *out)
{
	unsigned skipped = 0;
	size_t n = 0;

	for (unsigned i = 0; i < RV_HISTOGRAM_BUCKETS; i++) {
		if (of->counts[i] == 0) {
			skipped++;
			continue;
		}
		PRE(of->counts[i] > 0);
		n += rv_varint_put(out + n, skipped);
		n += rv_varint_put(out + n, (uint64_t)of->counts[i]);
		skipped = 0;
	}
	POST(n <= RV_HISTOGRAM_SPACE);
	return n;
}

int rv_histogram_decode(const unsigned char *data, size_t size, struct rv_histogram *to)
{
	const unsigned char *end = data + size;
	int64_t bucket = -1;

	while (data < end) {
		int64_t skipped;
		int64_t count;

		if (rv_varint_int(&data, end, &skipped) != RV_OK ||
		    rv_varint_int(&data, end, &count) != RV_OK ||
		    skipped >= RV_HISTOGRAM_BUCKETS - 1 - bucket)
			return RV_E_CORRUPT;
		bucket += skipped + 1;
		if (count > INT64_MAX / RV_HISTOGRAM_BUCKETS / 64 - to->counts[bucket])
			return RV_E_CORRUPT; /* sums of it must fit */
		to->counts[bucket] += count;
	}
	return RV_OK;
}
