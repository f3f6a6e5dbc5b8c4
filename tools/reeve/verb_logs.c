/*
 * reeve logs: the output of a job's run: head, gap, tail; with -f until the job is final.
 */
#include "follow.h"

#include "interrupt.h"
#include "pick.h"
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

static struct rv_pick *wanted(struct rv_pick *pick)
{
	return pick->is_on ? pick : NULL;
}

/* 0, or 1 when there was something to be found and was not. */
static int found(const struct rv_pick *pick)
{
	if (pick->dropped > 0)
		rv_cli_note("%lld bytes in between were not kept; their lines are not counted",
			    (long long)pick->dropped);
	return pick->has_regex && pick->fitting == 0 ? 1 : 0;
}

static int read_run(struct rv_cli *cli, int64_t id, int run, struct rv_pick *pick)
{
	struct rv_follow follow;
	bool any = false;
	int err = RV_OK;

	rv_follow_init(&follow, cli, id);
	follow.emit.raw = rv_args_has(&cli->args, RV_OPT_RAW);
	follow.emit.pick = wanted(pick);
	if (run > 0)
		err = rv_follow_run(&follow, run, &any);
	if (!err)
		err = rv_emit_flush(&follow.emit);
	rv_follow_fini(&follow);
	return err;
}

static int print_run(struct rv_cli *cli, int64_t id, int run, struct rv_pick *pick)
{
	int err = RV_OK;

	/* The last lines: how many are there? */
	pick->counting = pick->tail > 0;
	if (pick->counting)
		err = read_run(cli, id, run, pick);
	if (!err && pick->counting)
		rv_pick_again(pick);
	if (!err)
		err = read_run(cli, id, run, pick);
	if (err && err != RV_E_CLOSED)
		return rv_cli_fail(cli, err);
	if (run == 0)
		rv_cli_note("job %lld has not run yet", (long long)id);
	return err ? 0 : found(pick);
}

static int follow_job(struct rv_cli *cli, int64_t id, int run, struct rv_pick *pick)
{
	RV_AUTO(rv_interrupt_close) int signal_fd = -1;
	struct rv_follow follow;
	bool any = false;
	int err = rv_interrupt_open(&signal_fd);

	rv_follow_init(&follow, cli, id);
	follow.emit.raw = rv_args_has(&cli->args, RV_OPT_RAW);
	follow.emit.pick = wanted(pick);
	if (!err && run > 0)
		err = rv_follow_run(&follow, run, &any);
	if (!err)
		err = rv_follow_job(&follow, signal_fd, stop_at_once);
	rv_follow_fini(&follow);
	if (ended_by)
		return 128 + ended_by;
	if (err)
		return err == RV_E_CLOSED ? 0 : rv_cli_fail(cli, err);
	return found(pick);
}

int rv_verb_logs(struct rv_cli *cli)
{
	bool follows = rv_args_has(&cli->args, RV_OPT_FOLLOW);
	bool final = false;
	struct rv_pick pick;
	int64_t run = 0;
	int64_t id;
	int code;
	int err = rv_pick_args(&pick, &cli->args, &cli->why);

	if (!err)
		err = rv_args_id(cli->args.words[0], &id, &cli->why);
	if (!err && cli->json && pick.is_on)
		err = rv_fail(&cli->why, RV_E_USAGE,
			      "--json goes with none of --grep, --lines, --tail");
	if (!err && follows && pick.tail > 0)
		err = rv_fail(&cli->why, RV_E_USAGE, "-f does not go with --tail");
	if (!err && follows && (cli->json || rv_args_has(&cli->args, RV_OPT_ATTEMPT)))
		err = rv_fail(&cli->why, RV_E_USAGE, "-f goes with neither --json nor --attempt");
	if (!err)
		err = follows ? rv_cli_store_waiting(cli) : rv_cli_store(cli, RV_CLIENT_READ);
	if (!err)
		err = choose_run(cli, id, &run, &final);
	if (err)
		code = rv_cli_fail(cli, err);
	else if (cli->json)
		code = print_json(cli, id, (int)run);
	else if (follows && !final)
		code = follow_job(cli, id, (int)run, &pick);
	else
		code = print_run(cli, id, (int)run, &pick);
	rv_pick_fini(&pick);
	return code;
}
