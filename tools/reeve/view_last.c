/* How the last run of a job ended, in words for people.  Runs in the CLI. */
#include "view.h"

#include <stdio.h>

struct last {
	int run, outcome;
};

static int each_run(void *ctx, const struct rv_attempt_view *view)
{
	struct last *last = ctx;

	if (view->run > last->run)
		*last = (struct last){.run = view->run, .outcome = view->outcome};
	return RV_OK;
}

int rv_view_last(struct rv_store *store, const struct rv_job_view *view,
		 char out[RV_VIEW_LAST_SPACE])
{
	struct last last = {.outcome = -1};
	const char *error = view->error ? view->error : "";
	int err = rv_store_attempts(store, view->id, each_run, &last);

	if (err)
		return err;
	if (last.outcome == RV_OUTCOME_LATER)
		(void)snprintf(out, RV_VIEW_LAST_SPACE,
			       "it asked to be tried later%s%s%s; no attempt was used",
			       *error ? " (" : "", error, *error ? ")" : "");
	else
		(void)snprintf(out, RV_VIEW_LAST_SPACE, "attempt %d of %d failed%s%s",
			       view->attempt, view->max_attempts, *error ? ": " : "", error);
	return RV_OK;
}
