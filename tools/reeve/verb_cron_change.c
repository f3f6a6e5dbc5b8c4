/*
 * reeve cron add, rm, run, pause, resume: what people do with schedules.  Runs in the CLI; the
 * keeper reckons the slots.  Wider than most: what is said is checked here, before it is stored.
 */
#include "crons.h"

#include "base/fmt.h"
#include "client/newjob.h"
#include "client/submit.h"
#include "conf/zone.h"
#include "core/schedule.h"
#include "newjob.h"
#include "verb.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --timezone, which must exist here: the daemon is on this machine. */
static int take_zone(struct rv_cli *cli, struct rv_schedule_def *def)
{
	const char *given = rv_args_value(&cli->args, RV_OPT_TIMEZONE);
	struct rv_zone *zone = NULL;
	int err;

	def->timezone = given ? given : RV_ZONE_UTC;
	err = rv_conf_zone(def->timezone, &zone, &cli->why);
	rv_zone_free(zone);
	return err == RV_E_CONF ? RV_E_USAGE : err;
}

static int take_policies(struct rv_cli *cli, struct rv_schedule_def *def)
{
	const char *catch_up = rv_args_value(&cli->args, RV_OPT_CATCH_UP);
	const char *overlap = rv_args_value(&cli->args, RV_OPT_OVERLAP);
	int64_t priority = -1;
	int err =
		rv_args_int(&cli->args, RV_OPT_PRIORITY, 0, RV_PRIORITY_MAX, &priority, &cli->why);

	def->priority = (int)priority;
	def->catch_up = RV_CATCH_UP_LAST;
	def->overlap = RV_OVERLAP_SKIP;
	if (!err)
		err = rv_args_duration(&cli->args, RV_OPT_JITTER, &def->jitter_us, &cli->why);
	if (!err && catch_up && rv_catch_up_parse(catch_up, &def->catch_up) != RV_OK)
		err = rv_fail(&cli->why, RV_E_USAGE,
			      "--catch-up %s: must be none, last, all or a time such as 2h",
			      catch_up);
	if (!err && overlap && rv_overlap_parse(overlap, &def->overlap) != RV_OK)
		err = rv_fail(&cli->why, RV_E_USAGE,
			      "--overlap %s: must be allow, skip, queue or replace", overlap);
	return err;
}

static int take_job(struct rv_cli *cli, struct rv_arena *arena, struct rv_schedule_def *def)
{
	RV_AUTO(rv_json_free) json_t *args = json_object();
	struct rv_newjob new;
	int err = args ? RV_OK : RV_E_NOMEM;

	rv_newjob_init(&new, cli, arena);
	memset(&new.job, 0, sizeof(new.job));
	new.job.task = def->task;
	for (size_t i = 3; !err && i < cli->args.nwords; i++)
		err = rv_newjob_pair(&new, args, cli->args.words[i], false);
	if (!err)
		err = rv_newjob_task_spec(&new, args);
	def->spec = new.job.spec;
	return err;
}

/* Strings of the request are borrowed. */
static int ask(struct rv_cli *cli, enum rv_schedule_do what, const char *name,
	       const struct rv_schedule_def *def)
{
	struct rv_req *req = calloc(1, sizeof(*req));
	int err = RV_E_NOMEM;

	if (req) {
		req->kind = RV_REQ_SCHEDULE;
		req->u.schedule =
			(struct rv_req_schedule){.what = (int32_t)what, .name = name, .def = def};
		err = rv_submit_one(&cli->client, req, &cli->why);
	}
	free(req);
	return err;
}

static int print_one(struct rv_cli *cli, const char *name)
{
	struct rv_schedule_view view;
	char text[RV_FMT_SPACE];
	int64_t next;
	json_t *object;
	int err = rv_crons_read(cli, name, &view);

	if (err)
		return rv_cli_fail(cli, err);
	if (cli->json) {
		object = rv_cli_object();
		if (object) {
			RV_AUTO(rv_json_free) json_t *schedule = rv_crons_json(&view);

			if (!schedule || json_object_update(object, schedule) != 0) {
				json_decref(object);
				object = NULL;
			}
		}
		return rv_cli_json(cli, object);
	}
	next = rv_crons_next(&view);
	if (next != 0)
		(void)printf("%s fires next at %s\n", name, rv_fmt_time(text, next));
	else
		(void)printf("%s never fires\n", name);
	return 0;
}

int rv_verb_cron_add(struct rv_cli *cli)
{
	struct rv_schedule_def def = {.name = cli->args.words[0],
				      .cron = cli->args.words[1],
				      .task = cli->args.words[2],
				      .queue = rv_args_value(&cli->args, RV_OPT_QUEUE)};
	struct rv_arena arena;
	struct rv_cron cron;
	int err = rv_cron_read(def.cron, &cron, &cli->why);

	if (err == RV_E_PARSE)
		err = RV_E_USAGE;
	rv_arena_init(&arena);
	if (!err)
		err = take_policies(cli, &def);
	if (!err)
		err = take_zone(cli, &def);
	if (!err)
		err = rv_cli_load(cli);
	if (!err)
		err = take_job(cli, &arena, &def);
	if (!err)
		err = rv_cli_store(cli, RV_CLIENT_CREATE);
	if (!err)
		err = ask(cli, RV_SCHEDULE_ADD, NULL, &def);
	rv_arena_reset(&arena);
	return err ? rv_crons_fail(cli, err) : print_one(cli, def.name);
}

/* The same with each of the words; "x is paused", or {"schedules":[{"name":"x",...}]}. */
static int each_name(struct rv_cli *cli, enum rv_schedule_do what, const char *done)
{
	json_t *list = json_array();
	json_t *object;
	int err = list ? rv_cli_store(cli, RV_CLIENT_WRITE) : RV_E_NOMEM;

	for (size_t i = 0; !err && i < cli->args.nwords; i++) {
		const char *name = cli->args.words[i];

		err = ask(cli, what, name, NULL);
		if (!err && !cli->json)
			(void)printf("%s is %s\n", name, done);
		if (!err && json_array_append_new(
				    list, json_pack("{s:s,s:s}", "name", name, "is", done)) != 0)
			err = RV_E_NOMEM;
	}
	if (err || !cli->json) {
		json_decref(list);
		return err ? rv_cli_fail(cli, err) : 0;
	}
	object = rv_cli_object();
	if (object && rv_json_set_new(object, "schedules", list) != RV_OK) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(cli, object);
}

int rv_verb_cron_pause(struct rv_cli *cli)
{
	return each_name(cli, RV_SCHEDULE_PAUSE, "paused");
}

int rv_verb_cron_resume(struct rv_cli *cli)
{
	return each_name(cli, RV_SCHEDULE_RESUME, "on");
}

int rv_verb_cron_rm(struct rv_cli *cli)
{
	return each_name(cli, RV_SCHEDULE_REMOVE, "removed");
}

int rv_verb_cron_run(struct rv_cli *cli)
{
	struct rv_req *req = calloc(1, sizeof(*req));
	const char *name = cli->args.words[0];
	json_t *object;
	int64_t id = 0;
	int err = req ? rv_cli_store(cli, RV_CLIENT_WRITE) : RV_E_NOMEM;

	if (!err && strlen(name) >= RV_NAME_MAX)
		err = rv_fail(&cli->why, RV_E_NOTFOUND, "there is no schedule %s", name);
	if (!err) {
		req->kind = RV_REQ_FIRE;
		(void)snprintf(req->u.fire.schedule, RV_NAME_MAX, "%s", name);
		req->u.fire.uid = (uint32_t)getuid();
		err = rv_submit_one(&cli->client, req, &cli->why);
	}
	if (!err)
		id = req->u.fire.job;
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
