/* How a run of a job ended that another follows, in words for people.  Runs in the CLI. */
#include "view.h"

#include <stdio.h>

struct last {
	int run, max_attempts;
	char *out; /* empty: not found */
};

static int each_run(void *ctx, const struct rv_attempt_view *view)
{
	struct last *last = ctx;
	const char *error = view->error ? view->error : "";

	if (view->run != last->run || view->outcome < 0)
		return RV_OK;
	const char *what = view->outcome == RV_OUTCOME_LATER         ? "it asked to be tried later"
			   : view->outcome == RV_OUTCOME_INTERRUPTED ? "it was interrupted"
			   : view->outcome == RV_OUTCOME_CRASHED     ? "it crashed"
								     : NULL;

	if (what)
		(void)snprintf(last->out, RV_VIEW_LAST_SPACE, "%s%s%s%s; no attempt was used", what,
			       *error ? " (" : "", error, *error ? ")" : "");
	else
		(void)snprintf(last->out, RV_VIEW_LAST_SPACE, "attempt %d of %d failed%s%s",
			       view->attempt, last->max_attempts, *error ? ": " : "", error);
	return RV_OK;
}

int rv_view_last(struct rv_store *store, const struct rv_job_view *view, int run,
		 char out[RV_VIEW_LAST_SPACE])
{
	struct last last = {.run = run, .max_attempts = view->max_attempts, .out = out};
	int err;

	out[0] = '\0';
	err = rv_store_attempts(store, view->id, each_run, &last);
	return !err && !out[0] ? RV_E_NOTFOUND : err;
}
