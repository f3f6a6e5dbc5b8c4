/*
 * reeve result: what a job that succeeded left as its result, byte for byte; and how show prints
 * progress and result.
 */
#include "cli.h"

#include "base/seam.h"
#include "eta.h"
#include "store/read.h"
#include "verb.h"
#include "view.h"
#include "wire/json.h"

#include <stdio.h>

/* JSON as JSON, text as text; what is neither cannot stand in an object. */
static json_t *result_value(const struct rv_told *told)
{
	json_t *value = NULL;

	if (!told->result)
		return json_null();
	if (rv_json_parse(told->result, told->result_size, RV_RESULT_MAX, &value, NULL) == RV_OK)
		return value;
	value = json_stringn(told->result, told->result_size);
	return value ? value : json_null();
}

/* By what it says itself, in seconds; null: it does not run, or says too little. */
static json_t *left_value(const struct rv_told *told, int64_t run_us)
{
	struct rv_eta_seen seen = {
		.left = 1, .running = 1, .run_us = run_us, .percent = told->percent};
	int64_t us;

	if (run_us <= 0 || rv_eta(&seen, &us) != RV_ETA_LEFT)
		return json_null();
	return json_integer((us + RV_S_US / 2) / RV_S_US);
}

static json_t *progress_value(const struct rv_told *told, int64_t run_us)
{
	json_t *progress;

	if (told->at_us == 0)
		return json_null();
	progress = json_object();
	if (!progress)
		return NULL;
	if (rv_json_set_new(progress, "percent",
			    told->percent >= 0 ? json_integer(told->percent) : json_null()) ||
	    rv_json_set_text(progress, "message", told->message) ||
	    rv_json_set_time(progress, "at", told->at_us) ||
	    rv_json_set_new(progress, "left_s", left_value(told, run_us))) {
		json_decref(progress);
		return NULL;
	}
	return progress;
}

int rv_told_json(const struct rv_told *told, int64_t run_us, json_t *job)
{
	int err = rv_json_set_new(job, "progress", progress_value(told, run_us));

	return err ? err : rv_json_set_new(job, "result", result_value(told));
}

void rv_told_print(const struct rv_told *told, int64_t job, int64_t now_us)
{
	char ago[RV_VIEW_AGO_SPACE];

	if (told->at_us > 0) {
		(void)printf("%-12s ", "progress");
		if (told->percent >= 0)
			(void)printf("%d %%%s", told->percent, told->message ? " " : "");
		(void)printf("%s (%s)\n", told->message ? told->message : "",
			     rv_view_ago(ago, told->at_us, now_us));
	}
	if (told->result)
		(void)printf("%-12s %zu bytes: reeve result %lld\n", "returned", told->result_size,
			     (long long)job);
}

int rv_verb_result(struct rv_cli *cli)
{
	struct rv_told told;
	json_t *object;
	int64_t id;
	int err = rv_args_id(cli->args.words[0], &id, &cli->why);

	if (!err)
		err = rv_cli_store(cli, RV_CLIENT_READ);
	if (err)
		return rv_cli_fail(cli, err);
	err = rv_store_told(cli->client.store, id, &told);
	if (err == RV_E_NOTFOUND)
		return rv_cli_say(cli, err, "there is no job %lld", (long long)id);
	if (err)
		return rv_cli_fail(cli, err);
	if (!told.result)
		return rv_cli_say(cli, RV_E_NOTFOUND, "job %lld has left no result", (long long)id);
	if (!cli->json) {
		(void)fwrite(told.result, 1, told.result_size, stdout);
		return 0;
	}
	object = rv_cli_object();
	if (object && (rv_json_set_int(object, "id", id) || rv_told_json(&told, 0, object))) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(cli, object);
}
