/*
 * A job to be: its keys, how long it holds the unique one, and how its parents must end.  CLI and
 * library.  What goes only with something else is told by the name that was written.
 */
#include "client/newjob.h"

#include "base/fmt.h"
#include "core/admit.h"

#include <string.h>

int rv_newjob_label(struct rv_newjob *new, const char *what, const char *label)
{
	size_t size = label ? strlen(label) : 0;

	if (size < RV_KEY_MAX)
		return RV_OK;
	return rv_fail(new->why, RV_E_TOOBIG, "%s: %zu bytes, %d are allowed", what, size,
		       RV_KEY_MAX - 1);
}

static int check_keys(struct rv_newjob *new, bool options)
{
	int err = rv_newjob_label(new, options ? "--unique" : "unique", new->job.unique_key);

	if (!err)
		err = rv_newjob_label(new, options ? "--idempotency-key" : "idempotency_key",
				      new->job.idem_key);
	return err ? err : rv_newjob_label(new, options ? "--key" : "key", new->job.key);
}

/* ${word} is of ${what}, which needs ${other}. */
static int needs(struct rv_newjob *new, const char *what, const char *other, bool there)
{
	if (there)
		return RV_OK;
	return rv_fail(new->why, RV_E_USAGE, "%s says nothing without %s", what, other);
}

int rv_newjob_admit(struct rv_newjob *new, const char *until, const char *on_conflict,
		    const char *on, bool options)
{
	const char *dash = options ? "--" : "";
	const char *unique = options ? "--unique" : "unique";
	const char *conflict = options ? "--on-conflict" : "on_conflict";
	bool has_key = new->job.unique_key &&*new->job.unique_key;
	struct rv_job_new *job = &new->job;
	int err = check_keys(new, options);

	if (!err && until && rv_admit_until_parse(until, &job->until_us) != RV_OK)
		err = rv_fail(new->why, RV_E_USAGE,
			      "%suntil %.100s: finished, started, or a time such as 10m", dash,
			      until);
	if (!err && on_conflict && rv_admit_on_held_parse(on_conflict, &job->on_held) != RV_OK)
		err = rv_fail(new->why, RV_E_USAGE,
			      "%s %.100s: reject, skip, replace or reschedule", conflict,
			      on_conflict);
	if (!err && on && rv_admit_after_parse(on, &job->on) != RV_OK)
		err = rv_fail(new->why, RV_E_USAGE, "%son %.100s: success, failure or any", dash,
			      on);
	if (!err && until)
		err = needs(new, options ? "--until" : "until", unique, has_key);
	if (!err && on_conflict)
		err = needs(new, conflict, unique, has_key);
	if (!err && on)
		err = needs(new, options ? "--on" : "on", options ? "--after" : "after",
			    job->nafter > 0);
	return err;
}
