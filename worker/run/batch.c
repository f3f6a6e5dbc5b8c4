/*
 * The adaptive K of a worker's claims; see batch.h for the rule.  Worker processes; no clock, no
 * I/O, so that a test can drive it.
 */
#include "run/batch.h"

#include "base/check.h"

#include <string.h>

#define SAMPLES_MIN 8   /* jobs to have seen before K grows */
#define SAMPLES_MAX 256 /* then all counts are halved, so that the past fades */

void rv_batch_init(struct rv_batch *batch, unsigned max)
{
	PRE(max >= 1);
	memset(batch, 0, sizeof(*batch));
	batch->k = 1;
	batch->max = max;
}

static unsigned bucket_of(int64_t took_us)
{
	unsigned bucket = 0;

	while (bucket < RV_BATCH_BUCKETS - 1 && took_us >= (int64_t)1 << (bucket + 1))
		bucket++;
	return bucket;
}

static void fade(struct rv_batch *batch)
{
	batch->samples = 0;
	for (unsigned i = 0; i < RV_BATCH_BUCKETS; i++) {
		batch->counts[i] /= 2;
		batch->samples += batch->counts[i];
	}
}

void rv_batch_note(struct rv_batch *batch, int64_t took_us, bool quick)
{
	if (!quick) {
		rv_batch_init(batch, batch->max);
		return;
	}
	batch->counts[bucket_of(took_us)]++;
	if (++batch->samples >= SAMPLES_MAX)
		fade(batch);
}

int64_t rv_batch_p95(const struct rv_batch *batch)
{
	unsigned rest = batch->samples / 20;

	for (unsigned i = RV_BATCH_BUCKETS; i-- > 0;) {
		if (batch->counts[i] > rest)
			return (int64_t)1 << (i + 1);
		rest -= batch->counts[i];
	}
	return 0;
}

unsigned rv_batch_next(struct rv_batch *batch, uint32_t more, unsigned workers)
{
	int64_t p95 = rv_batch_p95(batch);
	uint64_t share = (uint64_t)batch->k * (workers > 0 ? workers : 1);

	INV(batch->k >= 1 && batch->k <= batch->max);
	if (batch->samples < SAMPLES_MIN) {
		batch->k = 1;
	} else if (batch->k * 2 <= batch->max && p95 * batch->k * 2 <= RV_BATCH_US &&
		   more > 2 * share) {
		batch->k *= 2;
	} else {
		for (; batch->k > 1 && (p95 * batch->k > RV_BATCH_US || more <= share); share /= 2)
			batch->k /= 2;
	}
	return batch->k;
}
