#ifndef RV_CONTRACT_DICE_H
#define RV_CONTRACT_DICE_H

/*
 * Seeded randomness of a test, apart from the product's own (the seam), and a seam whose clocks
 * stand still until the test moves them: the same seed is the same run.
 */

#include "base/seam.h"

#include <stdbool.h>
#include <stddef.h>

struct dice {
	uint64_t state;
};

/* splitmix64 (https://prng.di.unimi.it/splitmix64.c): every seed is a good one. */
static inline uint64_t dice_u64(struct dice *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* 0 … n-1; n > 0. */
static inline int dice_below(struct dice *d, int n)
{
	return (int)(dice_u64(d) % (uint64_t)n);
}

/* True in ${percent} of a hundred. */
static inline bool dice_chance(struct dice *d, int percent)
{
	return dice_below(d, 100) < percent;
}

struct still {
	int64_t wall_us, mono_us;
	struct dice dice;
};

static inline int64_t still_wall(void *ctx)
{
	return ((struct still *)ctx)->wall_us;
}

static inline int64_t still_mono(void *ctx)
{
	return ((struct still *)ctx)->mono_us;
}

static inline void still_random(void *ctx, void *buffer, size_t size)
{
	unsigned char *bytes = buffer;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)dice_u64(&((struct still *)ctx)->dice);
}

#endif
