#ifndef RV_SUPERVISOR_START_H
#define RV_SUPERVISOR_START_H

/* The start, in its order, and the end. */

#include "supervisor/sup.h"

/*
 * Takes ${conf} (owned from here, whatever happens): folders, lock, the leftovers of a killed
 * predecessor, area, doorbell, control socket.  Children are started by the first turn of the loop.
 * RV_E_LOCKED (75), RV_E_MISSING (69), RV_E_CONF (78)…; rv_sup_close() undoes what was done.
 */
int rv_sup_open(struct rv_sup *sup, const struct rv_options *options, struct rv_conf *conf,
		struct rv_why *why) RV_MUST_CHECK;
/*
 * resume.c: the same for an image that goes on from the state on options->resume_fd (upgrade.h). An
 * error is the end: the children see that nobody holds their descriptor 3 any more.
 */
int rv_sup_resume(struct rv_sup *sup, const struct rv_options *options,
		  struct rv_why *why) RV_MUST_CHECK;

/* Where the program ${name} of ours lies; RV_E_MISSING, or a path where there is none. */
int rv_sup_program(const char *name, char *out, size_t space, struct rv_why *why) RV_MUST_CHECK;

/* The parts that both have: an empty struct; the programs of the children; an empty child table of
 * ${nslots}; the mark of our processes, by the lock; the loop. */
void rv_sup_init(struct rv_sup *sup, const struct rv_options *options);
int rv_sup_programs(struct rv_sup *sup, struct rv_why *why) RV_MUST_CHECK;
int rv_sup_table(struct rv_sup *sup, size_t nslots, struct rv_why *why) RV_MUST_CHECK;
void rv_sup_table_free(struct rv_sup *sup);
int rv_sup_mark(struct rv_sup *sup, struct rv_why *why) RV_MUST_CHECK;
int rv_sup_loop(struct rv_sup *sup, struct rv_why *why) RV_MUST_CHECK;

/* Half-opened is allowed.  No child may be left. */
void rv_sup_close(struct rv_sup *sup);

#endif
