/*
 * The real clocks and randomness, and the pointer that tests bend.  Every process.
 * Spawning and signalling live in os/spawn.c; that file fills these two slots of the real table
 * at link time through rv_seam_real_spawn / rv_seam_real_signal, which are weak here so that a
 * program without os/ (a unit test of core) still links.
 */
#include "base/seam.h"

#include "base/check.h"
#include "base/err.h"

#include <sys/random.h>
#include <time.h>

int rv_seam_real_spawn(void *ctx, const struct rv_spawn *how, struct rv_proc *ret_proc,
		       struct rv_why *why) __attribute__((weak));
int rv_seam_real_signal(void *ctx, const struct rv_proc *proc, int signo, int to_group)
	__attribute__((weak));

static int64_t clock_us(clockid_t which)
{
	struct timespec ts;

	if (clock_gettime(which, &ts) != 0)
		IMPOSSIBLE("clock_gettime failed");
	return (int64_t)ts.tv_sec * RV_S_US + ts.tv_nsec / 1000;
}

static int64_t real_mono_us(void *ctx)
{
	(void)ctx;
	return clock_us(CLOCK_MONOTONIC);
}

static int64_t real_wall_us(void *ctx)
{
	(void)ctx;
	return clock_us(CLOCK_REALTIME);
}

static void real_random(void *ctx, void *buffer, size_t size)
{
	(void)ctx;
	PRE(size <= 256); /* getrandom never returns short up to 256 bytes */
	if (getrandom(buffer, size, 0) != (ssize_t)size)
		IMPOSSIBLE("getrandom failed");
}

static struct rv_seam real = {
	.mono_us = real_mono_us,
	.wall_us = real_wall_us,
	.random = real_random,
};

static const struct rv_seam *current;

const struct rv_seam *rv_seam(void)
{
	if (!current) {
		real.spawn = rv_seam_real_spawn;
		real.signal = rv_seam_real_signal;
		current = &real;
	}
	return current;
}

void rv_seam_install(const struct rv_seam *seam)
{
	current = seam;
}

int64_t rv_mono_us(void)
{
	return rv_seam()->mono_us(rv_seam()->ctx);
}

int64_t rv_wall_us(void)
{
	return rv_seam()->wall_us(rv_seam()->ctx);
}

void rv_random(void *buffer, size_t size)
{
	rv_seam()->random(rv_seam()->ctx, buffer, size);
}

uint64_t rv_random_u64(void)
{
	uint64_t value;

	rv_random(&value, sizeof value);
	return value;
}

uint64_t rv_random_below(uint64_t bound)
{
	PRE(bound > 0);
	uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
	uint64_t value;

	do {
		value = rv_random_u64();
	} while (value >= limit);
	return value % bound;
}
