/*
 * reeve cron ls, show: the schedules.  Runs in the CLI.  Wider than most: times on the clocks of
 * their zones.
 */
#include "crons.h"

#include "base/fmt.h"
#include "base/seam.h"
#include "conf/zone.h"
#include "core/schedule.h"
#include "store/schedule.h"
#include "verb.h"
#include "view.h"
#include "wire/json.h"

#include <string.h>

struct listing {
	struct rv_table *table;
	json_t *list; /* NULL: a table */
	int64_t now_us;
};

static enum rv_style style_of(const struct rv_schedule_view *view)
{
	return strcmp(rv_crons_state(view), "on") == 0 ? RV_STYLE_NONE : RV_STYLE_YELLOW;
}

static int each_schedule(void *ctx, const struct rv_schedule_view *view)
{
	struct listing *listing = ctx;
	struct rv_table *table = listing->table;
	char ago[RV_VIEW_AGO_SPACE];
	json_t *object;

	if (listing->list) {
		object = rv_crons_json(view);
		return object && json_array_append_new(listing->list, object) == 0 ? RV_OK
										   : RV_E_NOMEM;
	}
	rv_table_text(table, view->def.name, RV_STYLE_NONE);
	rv_table_text(table, rv_crons_state(view), style_of(view));
	rv_table_text(table, view->def.cron, RV_STYLE_NONE);
	rv_table_text(table, view->def.timezone, RV_STYLE_NONE);
	rv_table_text(table, view->def.task, RV_STYLE_NONE);
	rv_table_text(table, rv_view_ago(ago, rv_crons_next(view), listing->now_us), RV_STYLE_NONE);
	rv_table_text(table, rv_view_ago(ago, view->last_us, listing->now_us), RV_STYLE_NONE);
	rv_table_int(table, view->last_job, view->last_job ? RV_STYLE_NONE : RV_STYLE_DIM);
	rv_table_int(table, view->missed, view->missed ? RV_STYLE_YELLOW : RV_STYLE_DIM);
	return RV_OK;
}

int rv_verb_cron_ls(struct rv_cli *cli)
{
	static const char *const headers[] = {"SCHEDULE", "STATE", "CRON", "ZONE",   "TASK",
					      "NEXT",     "LAST",  ">JOB", ">MISSED"};
	struct rv_table table;
	struct listing listing = {.table = &table, .now_us = rv_wall_us()};
	json_t *object = NULL;
	int code = 0;
	int err = rv_cli_store(cli, RV_CLIENT_READ);

	if (err)
		return rv_cli_fail(cli, err);
	rv_table_init(&table, headers, RV_ARRAY_LEN(headers));
	listing.list = cli->json ? json_array() : NULL;
	err = cli->json && !listing.list
		      ? RV_E_NOMEM
		      : rv_store_schedules(cli->client.store, each_schedule, &listing);
	if (!err && cli->json) {
		object = rv_cli_object();
		if (object &&
		    rv_json_set_new(object, "schedules", json_incref(listing.list)) != RV_OK) {
			json_decref(object);
			object = NULL;
		}
		code = rv_cli_json(cli, object);
	} else if (!err) {
		err = rv_table_print(&table, &cli->out);
	}
	json_decref(listing.list);
	rv_table_fini(&table);
	return err ? rv_cli_fail(cli, err) : code;
}

static void line_slot(const char *name, const struct rv_zone *zone, int64_t slot_us)
{
	char local[RV_CRONS_LOCAL];
	char ago[RV_VIEW_AGO_SPACE];

	if (slot_us != 0)
		(void)printf("%-12s %s (%s)\n", name, rv_crons_local(local, zone, slot_us),
			     rv_view_ago(ago, slot_us, 0));
}

static void print_schedule(const struct rv_schedule_view *view)
{
	char text[RV_FMT_SPACE];
	struct rv_schedule_rule rule;
	struct rv_zone *zone;
	struct rv_why why = {.text = ""};
	int err = rv_crons_rule(view, &rule, &zone, &why);

	rv_out_line("schedule", view->def.name);
	rv_out_line("state", rv_crons_state(view));
	rv_out_line("from", view->conf ? "the configuration" : "reeve cron add");
	rv_out_line("cron", view->def.cron);
	rv_out_line("timezone", view->def.timezone);
	rv_out_line("task", view->def.task);
	rv_out_line("queue", view->def.queue);
	if (view->def.spec && strcmp(view->def.spec, "{\"args\":{}}") != 0)
		rv_out_line("arguments", view->def.spec);
	if (view->def.jitter_us > 0)
		rv_out_line("jitter", rv_fmt_duration(text, view->def.jitter_us));
	rv_out_line("catch up", rv_catch_up_fmt(text, view->def.catch_up));
	rv_out_line("overlap", rv_overlap_name((int)view->def.overlap));
	if (err)
		rv_out_line("error", rv_why_text(&why, err));
	line_slot("next", zone, rv_crons_next(view));
	line_slot("last", zone, view->last_us);
	if (view->last_job > 0)
		(void)printf("%-12s %lld\n", "last job", (long long)view->last_job);
	(void)printf("%-12s %lld fired, %lld missed, %lld skipped, %lld refused\n", "slots",
		     (long long)view->fired, (long long)view->missed, (long long)view->skipped,
		     (long long)view->refused);
	rv_zone_free(zone);
}

int rv_verb_cron_show(struct rv_cli *cli)
{
	struct rv_schedule_view view;
	json_t *object;
	int err = rv_cli_store(cli, RV_CLIENT_READ);

	if (!err)
		err = rv_crons_read(cli, cli->args.words[0], &view);
	if (err)
		return rv_cli_fail(cli, err);
	if (!cli->json) {
		print_schedule(&view);
		return 0;
	}
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
