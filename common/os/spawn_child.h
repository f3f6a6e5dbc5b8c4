#ifndef RV_OS_SPAWN_CHILD_H
#define RV_OS_SPAWN_CHILD_H

/* Private to os/: the child's half of rv_spawn(), between clone and exec. */

#include "os/spawn.h"

enum rv_spawn_step {
#define STEP(sym, text) RV_STEP_##sym,
#include "os/spawn_steps.def"
#undef STEP
	RV_STEPS
};

/* What the child leaves for the parent when it cannot exec. */
struct rv_spawn_report {
	int step; /* enum rv_spawn_step; NONE: it went well */
	int errnum;
	size_t limit; /* of LIMITS: which of them */
};

struct rv_spawn_job {
	const struct rv_spawn *how;
	pid_t parent;
	int report_fd; /* where to write the report to as well; -1: memory is shared */
	struct rv_spawn_report report;
};

/* A clone() entry; ${argument} is a struct rv_spawn_job.  Does not return. */
int rv_spawn_child(void *argument);
const char *rv_spawn_step_text(int step);

#endif
