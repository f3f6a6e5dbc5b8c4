/*
 * reeve queue ls, show, pause, resume: the queues as the store mirrors them.
 */
#include "cli.h"

#include "base/seam.h"
#include "core/order.h"
#include "queues.h"
#include "verb.h"
#include "view.h"
#include "view_stats.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

struct listing {
	struct rv_cli *cli;
	struct rv_table *table;
	json_t *list;     /* NULL: a table */
	const char *only; /* NULL: all */
	int64_t now_us;
};

static bool is_full(const struct rv_queue_view *view)
{
	return view->max > 0 && view->counts[RV_JOB_SCHEDULED] + view->counts[RV_JOB_READY] +
						view->counts[RV_JOB_BLOCKED] >=
					view->max;
}

static void queue_row(struct listing *listing, const struct rv_queue_view *view)
{
	struct rv_table *table = listing->table;
	char ago[RV_VIEW_AGO_SPACE];

	rv_table_text(table, view->name, RV_STYLE_NONE);
	rv_table_text(table, rv_strategy_name((int)view->strategy), RV_STYLE_NONE);
	rv_table_text(table,
		      view->paused     ? "paused"
		      : view->draining ? "draining"
		      : is_full(view)  ? "full"
				       : "active",
		      view->paused || view->draining || is_full(view) ? RV_STYLE_YELLOW
								      : RV_STYLE_NONE);
	for (int state = 0; state < RV_JOB_STATES; state++)
		rv_table_int(table, view->counts[state],
			     view->counts[state] ? rv_view_style((enum rv_job_state)state)
						 : RV_STYLE_DIM);
	rv_table_text(table, rv_view_ago(ago, view->oldest_ready_us, listing->now_us),
		      RV_STYLE_NONE);
}

static int each_queue(void *ctx, const struct rv_queue_view *view)
{
	struct listing *listing = ctx;
	json_t *object;

	if (listing->only && strcmp(listing->only, view->name) != 0)
		return RV_OK;
	if (!listing->list) {
		queue_row(listing, view);
		return RV_OK;
	}
	object = rv_view_queue(view, listing->now_us);
	return object && json_array_append_new(listing->list, object) == 0 ? RV_OK : RV_E_NOMEM;
}

/* ls: {"queues":[…]}; show: the one queue's fields at the top. */
static int print_json(struct listing *listing)
{
	json_t *object = rv_cli_object();
	bool well = object != NULL;

	if (well && listing->only)
		well = json_object_update(object, json_array_get(listing->list, 0)) == 0;
	else if (well)
		well = rv_json_set_new(object, "queues", json_incref(listing->list)) == RV_OK;
	if (!well) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(listing->cli, object);
}

static int list_queues(struct rv_cli *cli, const char *only)
{
	static const char *const headers[] = {"QUEUE",  "STRATEGY",   "STATE",    ">SCHEDULED",
					      ">READY", ">BLOCKED",   ">RUNNING", ">SUCCEEDED",
					      ">DEAD",  ">CANCELLED", "OLDEST"};
	struct rv_table table;
	struct listing listing = {
		.cli = cli, .table = &table, .only = only, .now_us = rv_wall_us()};
	int code = 0;
	int err = rv_cli_store(cli, RV_CLIENT_READ);

	if (!err)
		err = rv_queues_check(cli, only);
	if (err)
		return rv_cli_fail(cli, err);
	rv_table_init(&table, headers, RV_ARRAY_LEN(headers));
	listing.list = cli->json ? json_array() : NULL;
	err = cli->json && !listing.list ? RV_E_NOMEM
					 : rv_store_queues(cli->client.store, each_queue, &listing);
	if (!err && cli->json && only)
		err = rv_stats_queue_json(cli->client.store, only, json_array_get(listing.list, 0));
	if (!err && cli->json)
		code = print_json(&listing);
	else if (!err)
		err = rv_table_print(&table, &cli->out);
	if (!err && !cli->json && only)
		err = rv_stats_queue_detail(cli->client.store, only, &cli->out);
	json_decref(listing.list);
	rv_table_fini(&table);
	return err ? rv_cli_fail(cli, err) : code;
}

int rv_verb_queue_ls(struct rv_cli *cli)
{
	return list_queues(cli, NULL);
}

int rv_verb_queue_show(struct rv_cli *cli)
{
	return list_queues(cli, cli->args.words[0]);
}

static int set_paused(struct rv_cli *cli, bool paused)
{
	json_t *list = json_array();
	json_t *object;
	int err = rv_cli_store(cli, RV_CLIENT_WRITE);

	for (size_t i = 0; !err && i < cli->args.nwords; i++) {
		err = rv_queues_gate(cli, cli->args.words[i],
				     paused ? RV_QUEUE_PAUSED : RV_QUEUE_OPEN);
		if (!err && !cli->json)
			(void)printf("%s is %s\n", cli->args.words[i],
				     paused ? "paused" : "active");
		if (!err &&
		    json_array_append_new(list, json_pack("{s:s,s:b}", "name", cli->args.words[i],
							  "paused", paused)) != 0)
			err = RV_E_NOMEM;
	}
	if (err || !cli->json) {
		json_decref(list);
		return err ? rv_cli_fail(cli, err) : 0;
	}
	object = rv_cli_object();
	if (object && rv_json_set_new(object, "queues", list) != RV_OK) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(cli, object);
}

int rv_verb_queue_pause(struct rv_cli *cli)
{
	return set_paused(cli, true);
}

int rv_verb_queue_resume(struct rv_cli *cli)
{
	return set_paused(cli, false);
}
