/*
 * reeve add: a job from the command line into the store, its id onto stdout.
 * All input is read before the transaction; the id is printed only after COMMIT.
 */
#include "enqueue.h"

#include "client/alive.h"
#include "client/submit.h"
#include "conf/conf.h"
#include "newjob.h"
#include "verb.h"
#include "wire/json.h"

#include <stdlib.h>

void rv_enqueue_note(struct rv_cli *cli)
{
	pid_t pid;

	if (rv_alive(&cli->client, &pid) == RV_E_NOTRUN)
		rv_cli_note("stored; reeved is not running");
}

/* The configuration may be newer than what the daemon has mirrored. */
static int hint(struct rv_cli *cli, int err, const struct rv_job_new *job)
{
	if (err == RV_E_NOTFOUND && job->task && *job->task &&
	    rv_conf_task_find(cli->client.conf, job->task))
		rv_cli_note("the configuration has the task %s, the store not yet: reeve reload",
			    job->task);
	return err;
}

int rv_enqueue_args(struct rv_cli *cli, bool once, struct rv_submit_jobs *one)
{
	struct rv_arena arena;
	struct rv_newjob new;
	int err = rv_cli_load(cli);

	if (err)
		return err;
	rv_arena_init(&arena);
	one->jobs = &new.job;
	one->count = 1;
	rv_newjob_init(&new, cli, &arena);
	err = rv_newjob_from_args(&new);
	if (!err && once && cli->args.command && new.job.max_attempts == 0)
		new.job.max_attempts = 1;
	if (!err)
		err = rv_cli_store(cli, RV_CLIENT_CREATE);
	if (!err)
		err = hint(cli, rv_room_submit(cli, one), &new.job);
	one->jobs = NULL;
	rv_arena_reset(&arena);
	return err;
}

static int print_id(struct rv_cli *cli, int64_t id, const struct rv_submit_jobs *one)
{
	json_t *object;

	if (!cli->json) {
		(void)printf("%lld\n", (long long)id);
		return 0;
	}
	object = rv_cli_object();
	if (!object || rv_json_set_int(object, "id", id) != RV_OK ||
	    rv_json_set_bool(object, "repeated", one->repeated > 0) != RV_OK ||
	    rv_json_set_bool(object, "skipped", one->skipped > 0) != RV_OK ||
	    rv_json_set_bool(object, "rescheduled", one->rescheduled > 0) != RV_OK ||
	    rv_json_set_bool(object, "replaced", one->replaced > 0) != RV_OK) {
		json_decref(object);
		return rv_cli_fail(cli, RV_E_NOMEM);
	}
	return rv_cli_json(cli, object);
}

int rv_verb_add(struct rv_cli *cli)
{
	const char *file = rv_args_value(&cli->args, RV_OPT_FROM_FILE);
	int64_t id;
	struct rv_submit_jobs one = {.ret_ids = &id};
	int err;
	int code;

	if (file)
		return rv_enqueue_file(cli, file);
	if (rv_args_has(&cli->args, RV_OPT_DRY_RUN))
		return rv_enqueue_dry(cli);
	err = rv_enqueue_args(cli, false, &one);
	if (err)
		return rv_cli_fail(cli, err);
	code = print_id(cli, id, &one);
	rv_enqueue_note(cli);
	return code;
}
