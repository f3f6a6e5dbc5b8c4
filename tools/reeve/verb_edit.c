/*
 * reeve edit: another priority, time or number of attempts for jobs that wait.  Runs in the CLI.
 */
#include "change.h"

#include "base/fmt.h"
#include "base/seam.h"
#include "store/request.h"
#include "verb.h"

/* --delay counts from now; only one of the two. */
static int read_time(struct rv_cli *cli, int64_t *ret_at)
{
	const char *at = rv_args_value(&cli->args, RV_OPT_AT);
	int64_t delay = -1;
	int err = rv_args_duration(&cli->args, RV_OPT_DELAY, &delay, &cli->why);

	if (err)
		return err;
	if (at && delay >= 0)
		return rv_fail(&cli->why, RV_E_USAGE, "--at or --delay, not both");
	if (delay >= 0)
		*ret_at = delay > INT64_MAX - rv_wall_us() ? INT64_MAX : rv_wall_us() + delay;
	if (at && rv_parse_time(at, rv_wall_us(), ret_at) != RV_OK)
		return rv_fail(&cli->why, RV_E_USAGE, "--at %s is no time", at);
	if (at && *ret_at <= 0)
		*ret_at = 1; /* long ago: now */
	return RV_OK;
}

int rv_verb_edit(struct rv_cli *cli)
{
	static struct rv_req what = {.kind = RV_REQ_EDIT};
	struct rv_req_edit *edit = &what.u.edit;
	int64_t priority = -1;
	int64_t attempts = 0;
	int err =
		rv_args_int(&cli->args, RV_OPT_PRIORITY, 0, RV_PRIORITY_MAX, &priority, &cli->why);

	if (!err)
		err = rv_args_int(&cli->args, RV_OPT_ATTEMPTS, 1, INT32_MAX / 4, &attempts,
				  &cli->why);
	if (!err)
		err = read_time(cli, &edit->run_at_us);
	edit->priority = (int32_t)priority;
	edit->max_attempts = (int32_t)attempts;
	if (!err && priority < 0 && attempts == 0 && edit->run_at_us == 0)
		err = rv_fail(&cli->why, RV_E_USAGE,
			      "nothing to change: say --priority, --at, --delay or --max-attempts");
	return err ? rv_cli_fail(cli, err) : rv_change_run(cli, &what, "edited");
}
