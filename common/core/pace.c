/*
 * The pace of whoever changes very many jobs.  Pure: it is told how long a transaction took and
 * knows no clock.  It must never stand still (at least one change, an end to each pause), whatever
 * it is told.
 */
#include "core/pace.h"

#include "base/check.h"

#define PAUSE_MIN_US 1000
#define PAUSE_MAX_US 10000

uint32_t rv_pace_next(uint32_t count, int64_t took_us, uint32_t most)
{
	int64_t next;

	PRE(count > 0 && most > 0);
	if (took_us < 1)
		took_us = 1;
	next = (int64_t)count * RV_PACE_HOLD_US / took_us;
	if (next > 2 * (int64_t)count)
		next = 2 * (int64_t)count;
	if (next > most)
		next = most;
	if (next < 1)
		next = 1;
	POST(next <= most);
	return (uint32_t)next;
}

int64_t rv_pace_pause_us(int64_t took_us)
{
	if (took_us > PAUSE_MAX_US / 2)
		return PAUSE_MAX_US;
	return took_us < PAUSE_MIN_US / 2 ? PAUSE_MIN_US : 2 * took_us;
}
