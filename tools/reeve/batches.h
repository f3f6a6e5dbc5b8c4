#ifndef RV_REEVE_BATCHES_H
#define RV_REEVE_BATCHES_H

/* What the verbs of batches share. */

#include "cli.h"
#include "store/batch.h"

/* The batch that the command line names; RV_E_USAGE. */
int rv_batch_id(struct rv_cli *cli, int64_t *ret_id) RV_MUST_CHECK;
/* RV_E_NOTFOUND with a sentence.  Strings live until the next call on the store. */
int rv_batch_read(struct rv_cli *cli, int64_t id, struct rv_batch_view *ret_view) RV_MUST_CHECK;
/* Prints it as JSON; the program's exit code. */
int rv_batch_json(struct rv_cli *cli, const struct rv_batch_view *view,
		  bool timed_out) RV_MUST_CHECK;

#endif
