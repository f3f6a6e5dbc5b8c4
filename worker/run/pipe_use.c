/*
 * What the runs of a handler that stays have used of it.  Worker processes.  It must cost a short
 * job next to nothing: one look at a clock for all answers that come together (0.3 us), and /proc
 * at most every 10 ms, finer than which the kernel does not tell of children.
 */
#include "run/pipe_use.h"

#include "base/check.h"
#include "base/seam.h"
#include "os/spawn.h"
#include "os/use.h"
#include "run/turn.h"

#include <string.h>

#define LOOK_US (10 * RV_MS_US)

static int64_t time_us(const struct timeval *time)
{
	return (int64_t)time->tv_sec * RV_S_US + time->tv_usec;
}

void rv_pipe_use_init(struct rv_pipe_use *use, pid_t pid)
{
	*use = (struct rv_pipe_use){.pid = pid, .peak_bytes = -1};
	if (rv_use_clock(pid, &use->clock) != RV_OK)
		use->clock = 0;
}

static void look_at_proc(struct rv_pipe_use *use)
{
	int64_t now_us = rv_mono_us();
	struct rv_use found;

	if (use->peak_bytes >= 0 && now_us - use->looked_us < LOOK_US)
		return;
	use->looked_us = now_us;
	if (rv_use_look(use->pid, &found) != RV_OK)
		return;
	if (found.children_us > use->children_us)
		use->owed_us += found.children_us - use->children_us;
	use->children_us = found.children_us;
	use->peak_bytes = found.peak_bytes;
}

static void look(struct rv_pipe_use *use)
{
	int64_t now_us = use->clock != 0 ? rv_use_cpu_us(use->clock) : -1;

	if (now_us > use->own_us) {
		use->owed_us += now_us - use->own_us;
		use->own_us = now_us;
	}
	look_at_proc(use);
}

void rv_pipe_use_begin(struct rv_pipe_use *use)
{
	look(use);
#ifndef RV_MUTANT_USE_OF_NOBODY
	use->owed_us = 0;
#endif
	use->lines = 0;
}

void rv_pipe_use_heard(struct rv_pipe_use *use, const char *data, size_t size)
{
	const char *end = data + size;

	while (data < end && (data = memchr(data, '\n', (size_t)(end - data))) != NULL) {
		use->lines++;
		data++;
	}
	look(use);
}

void rv_pipe_use_line(struct rv_pipe_use *use)
{
	if (use->lines > 0) /* those that came before the job are not counted */
		use->lines--;
}

void rv_pipe_use_tell(struct rv_pipe_use *use, struct rv_result *result)
{
	int64_t share_us = use->owed_us / (use->lines + 1);

#ifdef RV_MUTANT_USE_NOT_SHARED
	share_us = use->owed_us;
#endif
	INV(share_us >= 0);
	if (use->clock == 0)
		return;
	use->owed_us -= share_us;
	result->user_us = share_us;
	result->sys_us = -1;
	result->maxrss_bytes = use->peak_bytes;
}

void rv_pipe_use_crashed(const struct rv_pipe_use *use, const struct rv_exit *exit,
			 struct rv_result *result)
{
	int64_t told_us = use->own_us + use->children_us - use->owed_us;
	int64_t all_us = time_us(&exit->usage.ru_utime) + time_us(&exit->usage.ru_stime);

	if (exit->usage.ru_maxrss <= 0)
		return; /* somebody else has collected it */
	result->user_us = all_us > told_us ? all_us - told_us : 0;
	result->sys_us = -1;
	result->maxrss_bytes = (int64_t)exit->usage.ru_maxrss * 1024;
}
