#ifndef RV_BASE_SEAM_H
#define RV_BASE_SEAM_H

/*
 * The seam: everything that makes a run of reeve differ from another run of it goes through this
 * one table, so that the simulator can replace it (and so that a failing seed replays).  The table
 * is per process; the real one is in force until rv_seam_install() is called.
 *
 * Units: microseconds (int64).  mono is CLOCK_MONOTONIC: leases, beats, timeouts.  wall is
 * CLOCK_REALTIME since the epoch, UTC: run_at and what people read, nothing else.
 */

#include "base/attr.h"

#include <stdint.h>
#include <sys/types.h>

struct rv_spawn;
struct rv_proc;
struct rv_why;

struct rv_seam {
	int64_t (*mono_us)(void *ctx);
	int64_t (*wall_us)(void *ctx);
	void (*random)(void *ctx, void *buffer, size_t size);
	/* Start a process as ${how} says; see os/spawn.h, which installs the real one. */
	int (*spawn)(void *ctx, const struct rv_spawn *how, struct rv_proc *ret_proc,
		     struct rv_why *why);
	/* Send ${signo} to the very process ${proc} names (by pidfd), or to its group. */
	int (*signal)(void *ctx, const struct rv_proc *proc, int signo, int to_group);
	void *ctx;
};

/* Replaces the table (NULL: back to the real one).  Borrowed until the next call.  Tests only. */
void rv_seam_install(const struct rv_seam *seam);
const struct rv_seam *rv_seam(void);

int64_t rv_mono_us(void);
int64_t rv_wall_us(void);
void rv_random(void *buffer, size_t size);
uint64_t rv_random_u64(void);
/* Uniform in [0, bound); ${bound} > 0. */
uint64_t rv_random_below(uint64_t bound);

#define RV_MS_US 1000LL
#define RV_S_US  1000000LL

#endif
