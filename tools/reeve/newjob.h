#ifndef RV_REEVE_NEWJOB_H
#define RV_REEVE_NEWJOB_H

/* A job to be, from the command line; see client/newjob.h for the rest. */

#include "cli.h"
#include "client/newjob.h"

/* For jobs of this command line: ${cli} is loaded; ${arena} is the caller's. */
void rv_newjob_init(struct rv_newjob *new, struct rv_cli *cli, struct rv_arena *arena);
/* Reads standard input or a file where it is said; errors of rv_newjob_from_json. */
int rv_newjob_from_args(struct rv_newjob *new) RV_MUST_CHECK;
/* --parent, if it is said: an id, or RV_PARENT_NONE of client/nest.h. */
int rv_newjob_parent(const struct rv_args *args, int64_t *ret_parent,
		     struct rv_why *why) RV_MUST_CHECK;
/* --label, as a part of it. */
int rv_newjob_labels(struct rv_newjob *new) RV_MUST_CHECK;

#endif
