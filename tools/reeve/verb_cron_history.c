/*
 * reeve cron history: what came of the slots of a schedule.  Runs in the CLI.  Collected first;
 * then what became of each job is looked up.
 */
#include "crons.h"

#include "conf/zone.h"
#include "store/schedule.h"
#include "verb.h"
#include "view.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 50

struct firing {
	struct rv_firing_view view;
	char *error;         /* owned */
	const char *job;     /* state, or NULL */
	enum rv_style style; /* of it */
};

struct history {
	struct firing *items; /* owned */
	size_t n, space;
};

static int each_firing(void *ctx, const struct rv_firing_view *view)
{
	struct history *history = ctx;
	struct firing *item;

	if (history->n == history->space) {
		size_t space = history->space ? history->space * 2 : 64;
		void *more = reallocarray(history->items, space, sizeof(*item));

		if (!more)
			return RV_E_NOMEM;
		history->items = more;
		history->space = space;
	}
	item = &history->items[history->n];
	*item = (struct firing){.view = *view};
	item->error = view->error ? strdup(view->error) : NULL;
	if (view->error && !item->error)
		return RV_E_NOMEM;
	item->view.error = item->error;
	history->n++;
	return RV_OK;
}

static int look_up_jobs(struct rv_store *store, struct history *history)
{
	int err = RV_OK;

	for (size_t i = 0; err == RV_OK && i < history->n; i++) {
		struct firing *item = &history->items[i];
		struct rv_job_view job;

		if (item->view.job == 0)
			continue;
		err = rv_store_job(store, item->view.job, &job);
		item->job = err == RV_OK ? rv_job_state_name(job.state) : "deleted";
		item->style = err == RV_OK ? rv_view_style(job.state) : RV_STYLE_DIM;
		if (err == RV_E_NOTFOUND)
			err = RV_OK;
	}
	return err;
}

static const char *const became_words[] = {
	[RV_FIRED_JOB] = "fired",
	[RV_FIRED_MISSED] = "missed",
	[RV_FIRED_SKIPPED] = "skipped",
	[RV_FIRED_REFUSED] = "refused",
};

static int print_history(struct rv_cli *cli, const struct history *history,
			 const struct rv_zone *zone)
{
	static const char *const headers[] = {"SLOT", "WHAT", ">SLOTS", ">JOB", "STATE", "ERROR"};
	struct rv_table table;
	int err;

	rv_table_init(&table, headers, RV_ARRAY_LEN(headers));
	for (size_t i = 0; i < history->n; i++) {
		const struct firing *item = &history->items[i];
		char local[RV_CRONS_LOCAL];

		rv_table_text(&table, rv_crons_local(local, zone, item->view.slot_us),
			      RV_STYLE_NONE);
		rv_table_text(&table,
			      item->view.by_person ? "by hand" : became_words[item->view.became],
			      item->view.became == RV_FIRED_JOB ? RV_STYLE_NONE : RV_STYLE_YELLOW);
		rv_table_int(&table, item->view.missed ? item->view.missed : 1, RV_STYLE_DIM);
		rv_table_int(&table, item->view.job, item->view.job ? RV_STYLE_NONE : RV_STYLE_DIM);
		rv_table_text(&table, item->job, item->style);
		rv_table_text(&table, item->error, RV_STYLE_NONE);
	}
	err = rv_table_print(&table, &cli->out);
	rv_table_fini(&table);
	return err ? rv_cli_fail(cli, err) : 0;
}

static json_t *firing_json(const struct firing *item)
{
	json_t *object = json_object();

	if (!object || rv_json_set_time(object, "slot", item->view.slot_us) ||
	    rv_json_set_text(object, "what", became_words[item->view.became]) ||
	    rv_json_set_text(object, "by", item->view.by_person ? "hand" : "clock") ||
	    rv_json_set_time(object, "at", item->view.at_us) ||
	    rv_json_set_int(object, "slots", item->view.missed ? item->view.missed : 1) ||
	    rv_json_set_new(object, "job",
			    item->view.job ? json_integer(item->view.job) : json_null()) ||
	    rv_json_set_text(object, "state", item->job) ||
	    rv_json_set_text(object, "error", item->error)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static int history_json(struct rv_cli *cli, const struct history *history)
{
	json_t *object = rv_cli_object();
	json_t *list = json_array();
	bool well = object && list;

	for (size_t i = 0; well && i < history->n; i++) {
		json_t *item = firing_json(&history->items[i]);

		well = item && json_array_append_new(list, item) == 0;
	}
	well = well && rv_json_set_new(object, "history", json_incref(list)) == RV_OK;
	json_decref(list);
	if (!well) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(cli, object);
}

int rv_verb_cron_history(struct rv_cli *cli)
{
	struct history history = {0};
	struct rv_schedule_view view;
	struct rv_zone *zone = NULL;
	int64_t limit = LIMIT_DEFAULT;
	int code;
	int err = rv_args_int(&cli->args, RV_OPT_LIMIT, 0, INT64_MAX, &limit, &cli->why);

	if (!err)
		err = rv_cli_store(cli, RV_CLIENT_READ);
	if (!err)
		err = rv_crons_read(cli, cli->args.words[0], &view);
	if (err)
		return rv_cli_fail(cli, err);
	if (rv_conf_zone(view.def.timezone, &zone, NULL) != RV_OK)
		zone = NULL; /* it is gone from this machine: UTC */
	err = rv_store_firings(cli->client.store, cli->args.words[0], limit, each_firing, &history);
	if (!err)
		err = look_up_jobs(cli->client.store, &history);
	if (err)
		code = rv_cli_fail(cli, err);
	else
		code = cli->json ? history_json(cli, &history) : print_history(cli, &history, zone);
	for (size_t i = 0; i < history.n; i++)
		free(history.items[i].error);
	free(history.items);
	rv_zone_free(zone);
	return code;
}
