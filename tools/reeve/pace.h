#ifndef RV_REEVE_PACE_H
#define RV_REEVE_PACE_H

/* What a bar says of how much longer it takes: of those waited for, which run and what is usual. */

#include "cli.h"
#include "eta.h"
#include "store/read.h"

#define RV_PACE_TASKS 16 /* of more nobody looks what is usual */

struct rv_pace {
	struct rv_cli *cli;
	struct rv_bar bar;
	struct rv_eta_seen seen; /* done, left and elapsed_us are up to the bar */
	int64_t next_us;         /* mono; when to look again */
	struct rv_pace_task {
		char name[RV_NAME_MAX];
		int64_t usual_us; /* 0 unknown, -1 not looked up yet */
		int64_t running;
	} tasks[RV_PACE_TASKS];
	size_t ntasks;
};

/* In place: its bar points into it.  rv_bar_fini(&pace->bar) at the end. */
void rv_pace_init(struct rv_pace *pace, struct rv_cli *cli, const char *what);

/*
 * Looks, at most once a second and on a terminal only, which jobs of ${queue} (NULL any) and
 * ${batch} (0 any) run that ${wanted} (NULL: all) says yes to.  Reads the store; what cannot be
 * read is not known.
 */
void rv_pace_look(struct rv_pace *pace, const char *queue, int64_t batch,
		  bool (*wanted)(void *ctx, int64_t id), void *ctx);

#endif
