/* The adaptive K: grows and shrinks by the rule of the design, whatever it is fed with. */
#include "run/batch.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define WORKERS 8

static void feed(struct rv_batch *batch, int count, int64_t took_us)
{
	for (int i = 0; i < count; i++)
		rv_batch_note(batch, took_us, true);
}

static unsigned settle(struct rv_batch *batch, uint32_t more)
{
	unsigned k = 0;

	for (int i = 0; i < 20; i++)
		k = rv_batch_next(batch, more, WORKERS);
	return k;
}

Test(batch, begins_alone_until_it_has_seen_some)
{
	struct rv_batch batch;

	rv_batch_init(&batch, 64);
	cr_expect(eq(uint, rv_batch_next(&batch, 1000000, WORKERS), 1));
	feed(&batch, 7, 1);
	cr_expect(eq(uint, rv_batch_next(&batch, 1000000, WORKERS), 1));
	feed(&batch, 1, 1);
	cr_expect(eq(uint, rv_batch_next(&batch, 1000000, WORKERS), 2));
	cr_expect(eq(uint, rv_batch_next(&batch, 1000000, WORKERS), 4));
	cr_expect(eq(uint, settle(&batch, 1000000), 64));
}

Test(batch, stays_within_the_pools_limit)
{
	for (unsigned max = 1; max <= 64; max++) {
		struct rv_batch batch;
		unsigned k;

		rv_batch_init(&batch, max);
		feed(&batch, 100, 1);
		k = settle(&batch, UINT32_MAX);
		cr_expect(le(uint, k, max));
		cr_expect(lt(uint, max, 2 * k), "%u of %u", k, max);
	}
}

Test(batch, the_slower_jobs_decide)
{
	static const int64_t took[] = {100, 300, 1000, 4000, 9000, 15000, 30000};

	for (size_t i = 0; i < sizeof(took) / sizeof(took[0]); i++) {
		struct rv_batch batch;
		unsigned k;

		rv_batch_init(&batch, 64);
		feed(&batch, 180, 1);
		feed(&batch, 20, took[i]); /* a tenth */
		k = settle(&batch, 1000000);
		cr_expect(k == 1 || (int64_t)k * took[i] <= RV_BATCH_US, "%u of %lld us", k,
			  (long long)took[i]);
		cr_expect(ge(i64, rv_batch_p95(&batch), took[i]));
	}
}

Test(batch, a_rare_slow_job_does_not)
{
	struct rv_batch batch;

	rv_batch_init(&batch, 64);
	feed(&batch, 198, 1);
	feed(&batch, 2, 1000000);
	cr_expect(eq(uint, settle(&batch, 1000000), 64));
}

Test(batch, leaves_enough_for_the_others)
{
	struct rv_batch batch;

	rv_batch_init(&batch, 64);
	feed(&batch, 100, 1);
	for (uint32_t more = 0; more < 3000; more++) {
		unsigned k = settle(&batch, more);

		cr_expect(k == 1 || k * WORKERS < more, "K is %u with %u more", k, more);
		cr_expect(k == 64 || k * 2 * WORKERS >= more, "K is only %u with %u more", k, more);
	}
	for (uint32_t more = 3000; more-- > 0;) {
		unsigned k = settle(&batch, more);

		cr_expect(k == 1 || k * WORKERS < more, "K is still %u with %u more", k, more);
	}
}

Test(batch, forgets_the_past)
{
	struct rv_batch batch;

	rv_batch_init(&batch, 64);
	feed(&batch, 250, 50000);
	cr_expect(eq(uint, settle(&batch, 1000000), 1));
	feed(&batch, 3000, 1);
	cr_expect(eq(uint, settle(&batch, 1000000), 64));
}

Test(batch, a_job_of_another_kind_brings_it_back_to_one)
{
	struct rv_batch batch;

	rv_batch_init(&batch, 64);
	feed(&batch, 100, 1);
	cr_expect(eq(uint, settle(&batch, 1000000), 64));
	rv_batch_note(&batch, 0, false);
	cr_expect(eq(uint, rv_batch_next(&batch, 1000000, WORKERS), 1));
}

Test(batch, no_worker_is_taken_for_one)
{
	struct rv_batch batch;

	rv_batch_init(&batch, 64);
	feed(&batch, 100, 1);
	cr_expect(eq(uint, rv_batch_next(&batch, 100, 0), 2));
}
