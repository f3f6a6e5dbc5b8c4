#ifndef RV_CORE_PACE_H
#define RV_CORE_PACE_H

/*
 * How many changes go into one transaction of somebody who has very many to make, and how long the
 * lock is left to others before the next: learned from what the last one took, because what a
 * change costs depends on the disk and on what there is to change.  Pure.  The CLI, the
 * keeper and the benchmark.
 */

#include <stdint.h>

#define RV_PACE_HOLD_US 1000 /* what a transaction is to take; 5 ms is what is promised */
#define RV_PACE_FIRST   16   /* changes, before anything is known */

/*
 * ${count} changes held the write lock for ${took_us}: how many to make the next time, from 1 to
 * ${most}.  At most twice as many as before, but as few as it needs at once.
 */
uint32_t rv_pace_next(uint32_t count, int64_t took_us, uint32_t most);

/*
 * How long to leave the lock alone after ${took_us}.  Who waits naps twice as long each time (from
 * 50 us to 5 ms, spread from half to one and a half), so at the end of a hold it sleeps on for no
 * longer than it has waited, as a rule: it wakes while the lock is free.
 */
int64_t rv_pace_pause_us(int64_t took_us);

#endif
