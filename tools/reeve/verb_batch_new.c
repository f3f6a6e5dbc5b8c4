/*
 * reeve batch new: a batch that jobs can be added to, and what follows when it has ended.  Runs in
 * the CLI; reads all its input before the transaction begins.
 */
#include "cli.h"

#include "client/nest.h"
#include "client/newjob.h"
#include "client/submit.h"
#include "core/tolerance.h"
#include "newjob.h"
#include "verb.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The words NAME=VALUE after ${place} of the options, up to the next callback's. */
static int callback_args(struct rv_newjob *new, size_t place, json_t *args)
{
	const struct rv_args *given = new->args;
	size_t last = given->nwords;
	int err = RV_OK;

	for (size_t i = place + 1; i < given->ngiven; i++) {
		enum rv_opt opt = given->given[i].opt;

		if (opt != RV_OPT_ON_SUCCESS && opt != RV_OPT_ON_COMPLETE)
			continue;
		last = given->given[i].word;
		break;
	}
	for (size_t i = given->given[place].word; !err && i < last; i++)
		err = rv_newjob_pair(new, args, given->words[i], false);
	return err;
}

/* --on-success TASK or --on-complete TASK, and its arguments. */
static int take_callback(struct rv_cli *cli, struct rv_arena *arena, size_t place,
			 struct rv_callback *ret_callback)
{
	RV_AUTO(rv_json_free) json_t *args = json_object();
	struct rv_newjob new;
	int err = args ? RV_OK : RV_E_NOMEM;

	rv_newjob_init(&new, cli, arena);
	memset(&new.job, 0, sizeof(new.job));
	new.job.task = cli->args.given[place].value;
	if (!err && !*new.job.task)
		err = rv_fail(&cli->why, RV_E_USAGE, "the task's name is empty");
	if (!err)
		err = callback_args(&new, place, args);
	if (!err)
		err = rv_newjob_task_spec(&new, args);
	if (!err)
		*ret_callback = (struct rv_callback){.task = new.job.task, .spec = new.job.spec};
	return err;
}

static int take_callbacks(struct rv_cli *cli, struct rv_arena *arena, struct rv_req_new_batch *new)
{
	const struct rv_args *args = &cli->args;
	size_t first = args->nwords;
	int err = RV_OK;

	for (size_t i = 0; !err && i < args->ngiven; i++) {
		enum rv_opt opt = args->given[i].opt;

		if (opt != RV_OPT_ON_SUCCESS && opt != RV_OPT_ON_COMPLETE)
			continue;
		first = args->given[i].word < first ? args->given[i].word : first;
		err = take_callback(cli, arena, i,
				    opt == RV_OPT_ON_SUCCESS ? &new->on_success
							     : &new->on_complete);
	}
	if (!err && first > 0)
		return rv_fail(&cli->why, RV_E_USAGE,
			       "%s: arguments come after the --on-success or --on-complete that "
			       "they are for",
			       args->words[0]);
	return err;
}

/* What it tolerates; without a word, everything.  ${tolerance} is what ${new} borrows. */
static int take_tolerance(struct rv_cli *cli, struct rv_req_new_batch *new,
			  struct rv_tolerance *tolerance)
{
	const char *most = rv_args_value(&cli->args, RV_OPT_MAX_FAILURES);
	bool first = rv_args_has(&cli->args, RV_OPT_FAIL_FAST);

	new->stops = rv_args_has(&cli->args, RV_OPT_CANCEL_RUNNING);
	if (first && most)
		return rv_fail(&cli->why, RV_E_USAGE,
			       "--fail-fast is --max-failures 0: say one of them");
	if (!first && !most && new->stops)
		return rv_fail(&cli->why, RV_E_USAGE,
			       "--cancel-running is for --max-failures or --fail-fast");
	if (!first && !most)
		return RV_OK;
	new->tolerance = tolerance;
	if (rv_tolerance_parse(first ? "0" : most, tolerance) == RV_OK)
		return RV_OK;
	return rv_fail(&cli->why, RV_E_USAGE,
		       "--max-failures %.40s: not a number of jobs, or a percentage such as 5%%",
		       most);
}

int rv_verb_batch_new(struct rv_cli *cli)
{
	struct rv_req *req = calloc(1, sizeof(*req));
	struct rv_tolerance tolerance;
	struct rv_arena arena;
	struct rv_newjob new;
	json_t *object;
	int64_t id = 0;
	int err = req ? rv_cli_load(cli) : RV_E_NOMEM;

	rv_arena_init(&arena);
	if (!err) {
		req->kind = RV_REQ_NEW_BATCH;
		req->u.new_batch.name = rv_args_value(&cli->args, RV_OPT_NAME);
		req->u.new_batch.uid = getuid();
		rv_newjob_init(&new, cli, &arena);
		err = rv_newjob_labels(&new);
		req->u.new_batch.labels = new.job.labels;
	}
	if (!err)
		err = take_tolerance(cli, &req->u.new_batch, &tolerance);
	if (!err)
		err = take_callbacks(cli, &arena, &req->u.new_batch);
	if (!err)
		err = rv_cli_store(cli, RV_CLIENT_CREATE);
	if (!err)
		req->u.new_batch.parent = rv_nest_job(&cli->client);
	if (!err)
		err = rv_submit_one(&cli->client, req, &cli->why);
	if (!err)
		id = req->u.new_batch.id;
	rv_arena_reset(&arena);
	free(req);
	if (err)
		return rv_cli_fail(cli, err);
	if (!cli->json) {
		(void)printf("%lld\n", (long long)id);
		return 0;
	}
	object = rv_cli_object();
	if (object && rv_json_set_int(object, "id", id) != RV_OK) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(cli, object);
}
