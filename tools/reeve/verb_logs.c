/*
 * reeve logs: the output of a job's run: head, gap, tail; with -f until the job is final.
 */
#include "follow.h"

#include "interrupt.h"
#include "store/read.h"
#include "verb.h"
#include "wire/json.h"

static int ended_by; /* the signal that ended logs -f */

static bool stop_at_once(struct rv_follow *follow, int signo)
{
	(void)follow;
	ended_by = signo;
	return false;
}

/* Which run: --attempt, else the last one; 0: there is none yet. */
static int choose_run(struct rv_cli *cli, int64_t id, int64_t *ret_run, bool *ret_final)
{
	struct rv_job_view view;
	int64_t run = 0;
	int err = rv_args_int(&cli->args, RV_OPT_ATTEMPT, 1, INT32_MAX, &run, &cli->why);

	if (!err)
		err = rv_store_job(cli->client.store, id, &view);
	if (err == RV_E_NOTFOUND)
		return rv_fail(&cli->why, err, "there is no job %lld", (long long)id);
	if (err)
		return err;
	if (run > view.runs)
		return rv_fail(&cli->why, RV_E_NOTFOUND, "job %lld has run %d times, not %lld",
			       (long long)id, view.runs, (long long)run);
	*ret_final = rv_job_state_final(view.state);
	*ret_run = run ? run : view.runs;
	return RV_OK;
}

static int print_json(struct rv_cli *cli, int64_t id, int run)
{
	json_t *object = rv_cli_object();
	json_t *list = NULL;
	int err = object ? rv_follow_json(cli, id, run, &list) : RV_E_NOMEM;

	if (!err)
		err = rv_json_set_int(object, "id", id);
	if (!err)
		err = rv_json_set_int(object, "run", run);
	if (!err)
		err = rv_json_set_new(object, "output", json_incref(list));
	json_decref(list);
	if (err) {
		json_decref(object);
		return rv_cli_fail(cli, err);
	}
	return rv_cli_json(cli, object);
}

static int print_run(struct rv_cli *cli, int64_t id, int run)
{
	struct rv_follow follow;
	bool any = false;
	int err = RV_OK;

	rv_follow_init(&follow, cli, id);
	follow.emit.raw = rv_args_has(&cli->args, RV_OPT_RAW);
	if (run > 0)
		err = rv_follow_run(&follow, run, &any);
	rv_follow_fini(&follow);
	if (err && err != RV_E_CLOSED)
		return rv_cli_fail(cli, err);
	if (!any && run == 0)
		rv_cli_note("job %lld has not run yet", (long long)id);
	return 0;
}

static int follow_job(struct rv_cli *cli, int64_t id, int run)
{
	RV_AUTO(rv_interrupt_close) int signal_fd = -1;
	struct rv_follow follow;
	bool any = false;
	int err = rv_interrupt_open(&signal_fd);

	rv_follow_init(&follow, cli, id);
	follow.emit.raw = rv_args_has(&cli->args, RV_OPT_RAW);
	if (!err && run > 0)
		err = rv_follow_run(&follow, run, &any);
	if (!err)
		err = rv_follow_job(&follow, signal_fd, stop_at_once);
	rv_follow_fini(&follow);
	if (ended_by)
		return 128 + ended_by;
	return err && err != RV_E_CLOSED ? rv_cli_fail(cli, err) : 0;
}

int rv_verb_logs(struct rv_cli *cli)
{
	bool follows = rv_args_has(&cli->args, RV_OPT_FOLLOW);
	bool final = false;
	int64_t run = 0;
	int64_t id;
	int err = rv_args_id(cli->args.words[0], &id, &cli->why);

	if (!err && follows && (cli->json || rv_args_has(&cli->args, RV_OPT_ATTEMPT)))
		err = rv_fail(&cli->why, RV_E_USAGE, "-f goes with neither --json nor --attempt");
	if (!err)
		err = follows ? rv_cli_store_waiting(cli) : rv_cli_store(cli, RV_CLIENT_READ);
	if (!err)
		err = choose_run(cli, id, &run, &final);
	if (err)
		return rv_cli_fail(cli, err);
	if (cli->json)
		return print_json(cli, id, (int)run);
	return follows && !final ? follow_job(cli, id, (int)run) : print_run(cli, id, (int)run);
}
