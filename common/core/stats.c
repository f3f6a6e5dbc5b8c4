/*
 * What is counted of a queue or a task.  The store and whoever shows it.  Pure.  Sums stop at a
 * bound instead of overflowing: statistics must never end a process.
 */
#include "core/stats.h"

#include "base/check.h"
#include "base/err.h"
#include "base/seam.h"
#include "core/varint.h"

#include <string.h>

#define MINUTE_US (60 * RV_S_US)
#define SUM_MAX   (INT64_MAX / 256) /* so that an hour of minutes and what was before still fits */

/* Bits of an encoded run. */
#define FAILED    1
#define SUCCEEDED 2
#define DEAD      4
#define WAITED    8
#define RAN       16
#define NO_CPU    32 /* it is not known */

_Static_assert(RV_STATS_SPACE >= 4 * RV_HISTOGRAM_SPACE + 10 * RV_VARINT_MAX,
	       "four histograms and ten numbers");

static void sum(int64_t *to, int64_t value)
{
	PRE(*to >= 0 && value >= 0);
	if (__builtin_add_overflow(*to, value, to) || *to > SUM_MAX)
		*to = SUM_MAX;
}

static int64_t positive(int64_t value)
{
	return value > 0 ? value : 0;
}

void rv_stats_add(struct rv_stats *to, const struct rv_ended *ended)
{
	int64_t kib = positive(ended->maxrss_bytes) >> 10;

	PRE(!(ended->succeeded && ended->dead));
	to->succeeded += ended->succeeded;
	to->dead += ended->dead;
	to->failed += ended->failed;
	sum(&to->cpu_us, positive(ended->cpu_us));
	if (kib > to->maxrss_kib)
		to->maxrss_kib = kib;
	if (ended->wait_us >= 0)
		rv_histogram_add(&to->wait, ended->wait_us);
	if (ended->run_us < 0)
		return;
	rv_histogram_add(&to->run, ended->run_us);
	sum(&to->run_us, ended->run_us);
	if (ended->cpu_us >= 0)
		rv_histogram_add(&to->cpu, ended->cpu_us);
	if (kib > 0)
		rv_histogram_add(&to->rss, kib);
}

void rv_stats_merge(struct rv_stats *to, const struct rv_stats *from)
{
	sum(&to->succeeded, from->succeeded);
	sum(&to->dead, from->dead);
	sum(&to->failed, from->failed);
	sum(&to->cpu_us, from->cpu_us);
	sum(&to->run_us, from->run_us);
	if (from->maxrss_kib > to->maxrss_kib)
		to->maxrss_kib = from->maxrss_kib;
	rv_histogram_merge(&to->wait, &from->wait);
	rv_histogram_merge(&to->run, &from->run);
	rv_histogram_merge(&to->cpu, &from->cpu);
	rv_histogram_merge(&to->rss, &from->rss);
}

int64_t rv_stats_finished(const struct rv_stats *of)
{
	return of->succeeded + of->dead;
}

int64_t rv_stats_runs(const struct rv_stats *of)
{
	return of->succeeded + of->failed; /* a job succeeds once */
}

int rv_stats_failed_per_mille(const struct rv_stats *of)
{
	int64_t runs = rv_stats_runs(of);

	if (runs == 0)
		return -1;
	return (int)(runs > SUM_MAX / 1000 ? of->failed / (runs / 1000) : of->failed * 1000 / runs);
}

/* A run that crashed its worker has no length, and is a failed one. */
static bool had_runs(const struct rv_stats *of)
{
	return of->failed > 0 || rv_histogram_count(&of->run) > 0;
}

int64_t rv_stats_cpu_us(const struct rv_stats *of)
{
	bool known = of->cpu_us > 0 || rv_histogram_count(&of->cpu) > 0;

	return known || !had_runs(of) ? of->cpu_us : -1;
}

int64_t rv_stats_memory_kib(const struct rv_stats *of)
{
	return of->maxrss_kib > 0 || !had_runs(of) ? of->maxrss_kib : -1;
}

bool rv_stats_same(const struct rv_stats *a, const struct rv_stats *b)
{
	return a->succeeded == b->succeeded && a->dead == b->dead && a->failed == b->failed &&
	       a->cpu_us == b->cpu_us && a->run_us == b->run_us && a->maxrss_kib == b->maxrss_kib &&
	       memcmp(&a->wait, &b->wait, sizeof a->wait) == 0 &&
	       memcmp(&a->run, &b->run, sizeof a->run) == 0 &&
	       memcmp(&a->cpu, &b->cpu, sizeof a->cpu) == 0 &&
	       memcmp(&a->rss, &b->rss, sizeof a->rss) == 0;
}

/* Six numbers, then each histogram behind its size. */
size_t rv_stats_encode(const struct rv_stats *of, unsigned char *out)
{
	const int64_t numbers[] = {of->succeeded, of->dead,   of->failed,
				   of->cpu_us,    of->run_us, of->maxrss_kib};
	const struct rv_histogram *const parts[] = {&of->wait, &of->run, &of->cpu, &of->rss};
	unsigned char part[RV_HISTOGRAM_SPACE];
	size_t n = 0;

	for (size_t i = 0; i < RV_ARRAY_LEN(numbers); i++) {
		PRE(numbers[i] >= 0);
		n += rv_varint_put(out + n, (uint64_t)numbers[i]);
	}
	for (size_t i = 0; i < RV_ARRAY_LEN(parts); i++) {
		size_t size = rv_histogram_encode(parts[i], part);

		n += rv_varint_put(out + n, size);
		memcpy(out + n, part, size);
		n += size;
	}
	POST(n <= RV_STATS_SPACE);
	return n;
}

int rv_stats_decode(const unsigned char *data, size_t size, struct rv_stats *to)
{
	int64_t *const sums[] = {&to->succeeded, &to->dead, &to->failed, &to->cpu_us, &to->run_us};
	struct rv_histogram *const parts[] = {&to->wait, &to->run, &to->cpu, &to->rss};
	const unsigned char *end = data + size;
	int64_t number;

	for (size_t i = 0; i < RV_ARRAY_LEN(sums); i++) {
		if (rv_varint_int(&data, end, &number) != RV_OK)
			return RV_E_CORRUPT;
		sum(sums[i], number);
	}
	if (rv_varint_int(&data, end, &number) != RV_OK)
		return RV_E_CORRUPT;
	if (number > to->maxrss_kib)
		to->maxrss_kib = number;
	for (size_t i = 0; i < RV_ARRAY_LEN(parts); i++) {
		if (rv_varint_int(&data, end, &number) != RV_OK || number > end - data ||
		    rv_histogram_decode(data, (size_t)number, parts[i]) != RV_OK)
			return RV_E_CORRUPT;
		data += number;
	}
	return data == end ? RV_OK : RV_E_CORRUPT;
}

size_t rv_ended_encode(const struct rv_ended *ended, unsigned char *out)
{
	unsigned bits = (ended->failed ? FAILED : 0) | (ended->succeeded ? SUCCEEDED : 0) |
			(ended->dead ? DEAD : 0) | (ended->wait_us >= 0 ? WAITED : 0) |
			(ended->run_us >= 0 ? RAN : 0) | (ended->cpu_us < 0 ? NO_CPU : 0);
	size_t n = 0;

	out[n++] = (unsigned char)bits;
	if (bits & WAITED)
		n += rv_varint_put(out + n, (uint64_t)ended->wait_us);
	if (bits & RAN)
		n += rv_varint_put(out + n, (uint64_t)ended->run_us);
	if (!(bits & NO_CPU))
		n += rv_varint_put(out + n, (uint64_t)ended->cpu_us);
	n += rv_varint_put(out + n, (uint64_t)positive(ended->maxrss_bytes) >> 10);
	POST(n <= RV_ENDED_SPACE);
	return n;
}

int rv_ended_decode(const unsigned char **at, const unsigned char *end, struct rv_ended *ret_ended)
{
	struct rv_ended ended = {.wait_us = -1, .run_us = -1, .cpu_us = -1};
	unsigned bits;
	int64_t kib;

	if (*at == end)
		return RV_E_CORRUPT;
	bits = *(*at)++;
	if (bits > 2 * NO_CPU - 1 || (bits & (SUCCEEDED | DEAD)) == (SUCCEEDED | DEAD))
		return RV_E_CORRUPT;
	ended.failed = bits & FAILED;
	ended.succeeded = bits & SUCCEEDED;
	ended.dead = bits & DEAD;
	if (((bits & WAITED) && rv_varint_int(at, end, &ended.wait_us) != RV_OK) ||
	    ((bits & RAN) && rv_varint_int(at, end, &ended.run_us) != RV_OK) ||
	    (!(bits & NO_CPU) && rv_varint_int(at, end, &ended.cpu_us) != RV_OK) ||
	    rv_varint_int(at, end, &kib) != RV_OK || kib > INT64_MAX >> 10)
		return RV_E_CORRUPT;
	ended.maxrss_bytes = kib << 10;
	*ret_ended = ended;
	return RV_OK;
}

int64_t rv_stats_minute(int64_t wall_us)
{
	return positive(wall_us) / MINUTE_US;
}

bool rv_stats_in_hour(int64_t minute, int64_t now_minute)
{
	return minute <= now_minute && now_minute - minute < RV_STATS_MINUTES;
}

int64_t rv_stats_last_minute(int64_t this_minute, int64_t minute_before, int64_t now_us)
{
	int64_t left_s = (MINUTE_US - positive(now_us) % MINUTE_US) / RV_S_US;

	PRE(this_minute >= 0 && minute_before >= 0);
	return this_minute + minute_before / 60 * left_s + (minute_before % 60 * left_s + 30) / 60;
}
