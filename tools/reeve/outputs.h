#ifndef RV_REEVE_OUTPUTS_H
#define RV_REEVE_OUTPUTS_H

/* Where the outputs of jobs lie, and forgetting them. */

#include "cli.h"

/*
 * The daemon's state_dir, as far as we know it: ours may be another one (--store names the database
 * only), so the store's own folder comes first if it has outputs.  ${folder} (of ${space}) or the
 * configuration's.
 */
const char *rv_outputs_dir(const struct rv_cli *cli, char *folder, size_t space);
/*
 * The outputs of a job that was deleted, of ${runs} runs, go with it.  What we may not remove is
 * left to `reeve db cleanup` of somebody who may.
 */
void rv_outputs_forget(const struct rv_cli *cli, int64_t job, int runs);

#endif
