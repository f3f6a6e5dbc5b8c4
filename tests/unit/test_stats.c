/* What is counted of a run, and which minutes are the last hour. */
#include "base/err.h"
#include "base/seam.h"
#include "core/stats.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#define MINUTE (60 * RV_S_US)

static uint64_t state = 1;

static int64_t next_random(int64_t below)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (int64_t)(state >> 17) % below;
}

static struct rv_ended some_run(void)
{
	int end = (int)next_random(4);

	return (struct rv_ended){.wait_us = next_random(3) ? next_random(1LL << 30) : -1,
				 .run_us = next_random(3) ? next_random(1LL << 30) : -1,
				 .cpu_us = next_random(4) ? next_random(1 << 20) : -1,
				 .maxrss_bytes = next_random(1 << 20) << 10,
				 .failed = next_random(2),
				 .succeeded = end == 1,
				 .dead = end == 2};
}

Test(stats, a_run_counts_once)
{
	static struct rv_stats s;
	struct rv_ended run = {
		.wait_us = 5, .run_us = 7, .cpu_us = 3, .maxrss_bytes = 4096, .succeeded = true};

	rv_stats_add(&s, &run);
	run = (struct rv_ended){
		.wait_us = -1, .run_us = -1, .maxrss_bytes = 1 << 20, .failed = true};
	rv_stats_add(&s, &run);
	run = (struct rv_ended){.wait_us = -1, .run_us = 0, .failed = true, .dead = true};
	rv_stats_add(&s, &run);
	cr_assert(eq(i64, s.succeeded, 1));
	cr_assert(eq(i64, s.dead, 1));
	cr_assert(eq(i64, s.failed, 2));
	cr_assert(eq(i64, s.run_us, 7));
	cr_assert(eq(i64, s.cpu_us, 3));
	cr_assert(eq(i64, s.maxrss_kib, 1024));
	cr_assert(eq(i64, rv_histogram_count(&s.wait), 1));
	cr_assert(eq(i64, rv_histogram_count(&s.run), 2));
	cr_assert(eq(i64, rv_histogram_count(&s.cpu), 2), "as long as run");
	cr_assert(eq(i64, rv_histogram_count(&s.rss), 1), "the stopped one and the one without");
	cr_assert(eq(i64, rv_histogram_quantile(&s.rss, 950), 4), "KiB");
	cr_assert(eq(i64, rv_stats_runs(&s), 3));
	cr_assert(eq(int, rv_stats_failed_per_mille(&s), 666));
	cr_assert(eq(i64, rv_stats_finished(&s), 2));
}

/* Neither 0, as if it had been measured, nor in the way of what is known. */
Test(stats, what_is_not_known_is_not_0)
{
	static struct rv_stats s;
	struct rv_ended run = {.wait_us = 1, .run_us = 7, .cpu_us = -1, .maxrss_bytes = -1};

	cr_assert(eq(i64, rv_stats_cpu_us(&s), 0));
	cr_assert(eq(i64, rv_stats_memory_kib(&s), 0));
	rv_stats_add(&s, &run);
	cr_assert(eq(i64, rv_stats_cpu_us(&s), -1));
	cr_assert(eq(i64, rv_stats_memory_kib(&s), -1));
	cr_assert(eq(i64, rv_histogram_count(&s.cpu), 0));
	run.cpu_us = 0;
	rv_stats_add(&s, &run);
	cr_assert(eq(i64, rv_stats_cpu_us(&s), 0));
	run.cpu_us = 5;
	run.maxrss_bytes = 4096;
	rv_stats_add(&s, &run);
	cr_assert(eq(i64, rv_stats_cpu_us(&s), 5));
	cr_assert(eq(i64, rv_stats_memory_kib(&s), 4));
	s = (struct rv_stats){.failed = 1}; /* it took its worker down */
	cr_assert(eq(i64, rv_stats_cpu_us(&s), -1));
}

/* Adding up in any two parts, through bytes or not, is adding up at once. */
Test(stats, parts_add_up)
{
	static unsigned char data[RV_STATS_SPACE];
	static struct rv_stats all;
	static struct rv_stats parts[2];
	static struct rv_stats back;

	for (int i = 0; i < 3000; i++) {
		struct rv_ended run = some_run();

		rv_stats_add(&all, &run);
		rv_stats_add(&parts[next_random(2)], &run);
	}
	for (int i = 0; i < 2; i++)
		cr_assert(eq(int, rv_stats_decode(data, rv_stats_encode(&parts[i], data), &back),
			     RV_OK));
	cr_assert(rv_stats_same(&back, &all));
	rv_stats_merge(&parts[0], &parts[1]);
	cr_assert(rv_stats_same(&parts[0], &all));
	all.failed++;
	cr_assert(not(rv_stats_same(&parts[0], &all)));
}

Test(stats, a_run_comes_back_from_its_bytes)
{
	unsigned char data[RV_ENDED_SPACE];

	for (int i = 0; i < 5000; i++) {
		struct rv_ended run = some_run();
		struct rv_ended back;
		size_t size = rv_ended_encode(&run, data);
		const unsigned char *at = data;

		cr_assert(eq(int, rv_ended_decode(&at, data + size, &back), RV_OK));
		cr_assert(eq(sz, (size_t)(at - data), size));
		cr_assert(eq(i64, back.wait_us, run.wait_us));
		cr_assert(eq(i64, back.run_us, run.run_us));
		cr_assert(eq(i64, back.cpu_us, run.cpu_us));
		cr_assert(eq(i64, back.maxrss_bytes, run.maxrss_bytes));
		cr_assert(eq(int, back.failed, run.failed));
		cr_assert(eq(int, back.succeeded, run.succeeded));
		cr_assert(eq(int, back.dead, run.dead));
		at = data;
		cr_assert(eq(int, rv_ended_decode(&at, data + size - 1, &back), RV_E_CORRUPT));
	}
}

Test(stats, a_rate_needs_runs)
{
	static struct rv_stats s;

	cr_assert(eq(int, rv_stats_failed_per_mille(&s), -1));
	s.succeeded = 1;
	cr_assert(eq(int, rv_stats_failed_per_mille(&s), 0));
	s = (struct rv_stats){.failed = 1};
	cr_assert(eq(int, rv_stats_failed_per_mille(&s), 1000));
	s = (struct rv_stats){.succeeded = INT64_MAX / 256, .failed = INT64_MAX / 256};
	cr_assert(eq(int, rv_stats_failed_per_mille(&s), 500));
}

/* Bytes behind the last histogram are as wrong as bytes that are missing. */
Test(stats, neither_more_nor_less)
{
	static unsigned char data[RV_STATS_SPACE + 1];
	static struct rv_stats s;
	static struct rv_stats back;
	struct rv_ended run = {
		.wait_us = 5, .run_us = 7, .cpu_us = 3, .maxrss_bytes = 4096, .succeeded = true};
	size_t size;

	rv_stats_add(&s, &run);
	size = rv_stats_encode(&s, data);
	cr_assert(eq(int, rv_stats_decode(data, size, &back), RV_OK));
	for (size_t n = 0; n < size; n++)
		cr_assert(eq(int, rv_stats_decode(data, n, &back), RV_E_CORRUPT));
	cr_assert(eq(int, rv_stats_decode(data, size + 1, &back), RV_E_CORRUPT));
}

/* What a damaged store or a lying worker says must not end a process. */
Test(stats, nonsense_is_bounded)
{
	static unsigned char data[200];
	static struct rv_stats s;
	struct rv_ended run = {.wait_us = INT64_MAX,
			       .run_us = INT64_MAX,
			       .cpu_us = INT64_MIN,
			       .maxrss_bytes = INT64_MIN,
			       .succeeded = true};

	for (int i = 0; i < 1000; i++)
		rv_stats_add(&s, &run);
	cr_assert(lt(i64, 0, s.run_us));
	cr_assert(eq(i64, s.cpu_us, 0));
	cr_assert(eq(i64, s.succeeded, 1000));
	for (int round = 0; round < 20000; round++) {
		static struct rv_stats other;
		size_t size = (size_t)next_random(sizeof data);
		struct rv_ended ended;
		const unsigned char *at = data;

		memset(&other, 0, sizeof other);
		for (size_t i = 0; i < size; i++)
			data[i] = (unsigned char)next_random(256);
		(void)!rv_stats_decode(data, size, &other);
		(void)!rv_ended_decode(&at, data + size, &ended);
		cr_assert(le(i64, 0, rv_histogram_count(&other.run)));
	}
}

Test(stats, the_last_hour_is_this_minute_and_59_before)
{
	int64_t now = rv_stats_minute(100 * MINUTE + 1);

	cr_assert(eq(i64, now, 100));
	cr_assert(rv_stats_in_hour(100, now));
	cr_assert(rv_stats_in_hour(41, now));
	cr_assert(not(rv_stats_in_hour(40, now)));
	cr_assert(not(rv_stats_in_hour(101, now)), "a clock was put back");
	cr_assert(eq(i64, rv_stats_minute(-5), 0));
}

Test(stats, the_last_minute_takes_its_share_of_the_one_before)
{
	cr_assert(eq(i64, rv_stats_last_minute(3, 60, 100 * MINUTE), 63));
	cr_assert(eq(i64, rv_stats_last_minute(3, 60, 100 * MINUTE + 30 * RV_S_US), 33));
	cr_assert(eq(i64, rv_stats_last_minute(3, 60, 101 * MINUTE - 1), 3));
	cr_assert(eq(i64, rv_stats_last_minute(0, 1, 100 * MINUTE + 29 * RV_S_US), 1));
	cr_assert(eq(i64, rv_stats_last_minute(0, INT64_MAX / 256, 100 * MINUTE), INT64_MAX / 256));
}
