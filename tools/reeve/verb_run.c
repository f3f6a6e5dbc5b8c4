/*
 * reeve run: puts a job in, shows its output as it comes, and ends with the job's exit code.
 * The first ^C (or TERM) cancels the job and waits for its end; a second one, or a closed terminal,
 * leaves it running and goes.
 */
#include "enqueue.h"
#include "follow.h"

#include "client/submit.h"
#include "interrupt.h"
#include "verb.h"
#include "view.h"
#include "wire/json.h"

#include <signal.h>
#include <string.h>

#define EXIT_REEVE 125 /* reeve itself failed: no exit code of the job to give (INTERFACE) */

static int cancelled_by; /* the signal at which we cancelled */

static bool on_signal(struct rv_follow *follow, int signo)
{
	int err;

	if (cancelled_by || signo == SIGHUP) {
		rv_cli_note("job %lld goes on without us: reeve logs -f %lld",
			    (long long)follow->job, (long long)follow->job);
		cancelled_by = signo;
		return false;
	}
	cancelled_by = signo;
	rv_cli_note("cancelling job %lld; once more to leave it alone", (long long)follow->job);
	err = rv_submit_cancel(&follow->cli->client, follow->job, NULL, &follow->cli->why);
	if (err)
		rv_cli_note("%s", rv_why_text(&follow->cli->why, err));
	return true;
}

static int exit_code_of(const struct rv_follow *follow)
{
	char text[64];

	if (follow->state == RV_JOB_SUCCEEDED)
		return follow->exit_code > 0 ? follow->exit_code : 0;
	(void)rv_view_exit(follow->exit_code, follow->signo, text, sizeof(text));
	/* "exit code 7: last words" says nothing that our own exit code and stderr have not said;
	 * 137 does not tell memory that ran out from a kill. */
	if (follow->error[0] &&
	    (follow->signo > 0 || !text[0] || strncmp(follow->error, text, strlen(text)) != 0))
		rv_cli_note("job %lld: %s", (long long)follow->job, follow->error);
	if (cancelled_by)
		return 128 + cancelled_by;
	if (follow->signo > 0)
		return 128 + follow->signo;
	return follow->exit_code > 0 ? follow->exit_code : EXIT_REEVE;
}

static int attempt_json(void *ctx, const struct rv_attempt_view *view)
{
	json_t *attempt = rv_view_attempt(view);

	return attempt && json_array_append_new(ctx, attempt) == 0 ? RV_OK : RV_E_NOMEM;
}

/*
 * --json: nothing is streamed; the job, its attempts with what they used, and the output of the
 * last one are one object at the end.
 */
static int print_json(struct rv_cli *cli, const struct rv_follow *follow)
{
	struct rv_job_view view;
	json_t *object = rv_cli_object();
	json_t *output = NULL;
	RV_AUTO(rv_json_free) json_t *attempts = json_array();
	RV_AUTO(rv_json_free) json_t *job = NULL;
	int err = object ? rv_store_job(cli->client.store, follow->job, &view) : RV_E_NOMEM;

	if (!err) {
		job = rv_view_job(&view);
		err = job && json_object_update(object, job) == 0 ? RV_OK : RV_E_NOMEM;
	}
	int runs = err ? 0 : view.runs; /* the view goes with the next look */

	if (!err)
		err = attempts ? rv_store_attempts(cli->client.store, follow->job, attempt_json,
						   attempts)
			       : RV_E_NOMEM;
	if (!err)
		err = rv_json_set_new(object, "attempts", json_incref(attempts));
	if (!err)
		err = rv_follow_json(cli, follow->job, runs, &output);
	if (!err)
		err = rv_json_set_new(object, "output", output);
	if (err) {
		json_decref(object);
		return rv_cli_fail(cli, err);
	}
	return rv_cli_json(cli, object);
}

int rv_verb_run(struct rv_cli *cli)
{
	RV_AUTO(rv_interrupt_close) int signal_fd = -1;
	struct rv_follow follow;
	int64_t id = 0;
	struct rv_submit_jobs one = {.ret_ids = &id};
	int err;

	if (rv_args_has(&cli->args, RV_OPT_DRY_RUN))
		return rv_enqueue_dry(cli);
	err = rv_enqueue_args(cli, true, &one);
	if (err) /* nothing was stored: these are the codes of `add` */
		return rv_cli_fail(cli, err);
	rv_enqueue_note(cli);
	rv_follow_init(&follow, cli, id);
	follow.emit.raw = rv_args_has(&cli->args, RV_OPT_RAW);
	follow.emit.split = true;
	follow.emit.silent = cli->json;
	if (!cli->json)
		rv_follow_bar_open(&follow);
	err = rv_interrupt_open(&signal_fd);
	if (!err)
		err = rv_follow_job(&follow, signal_fd, on_signal);
	rv_follow_fini(&follow);
	if (err == RV_E_CLOSED && cancelled_by)
		return 128 + cancelled_by;
	if (err == RV_E_CLOSED) /* nobody reads us; main says so, and the job goes on */
		return EXIT_REEVE;
	if (err)
		return rv_cli_fail(cli, err) ? EXIT_REEVE : 0;
	if (cli->json && print_json(cli, &follow) != 0)
		return EXIT_REEVE;
	return exit_code_of(&follow);
}
