/*
 * reeve cron next: the moments that come, of a schedule or of any expression.  Runs in the CLI; for
 * an expression it needs neither store nor daemon.  Wider than most: times on the clocks of zones.
 */
#include "crons.h"

#include "base/fmt.h"
#include "base/seam.h"
#include "conf/zone.h"
#include "core/schedule.h"
#include "verb.h"
#include "view.h"
#include "wire/json.h"

#include <string.h>

#define COUNT_DEFAULT 5
#define COUNT_MAX     10000

struct coming {
	struct rv_schedule_rule rule;
	struct rv_zone *zone; /* owned */
	int64_t now_us, count;
};

/* Of --expr and --timezone. */
static int take_expr(struct rv_cli *cli, const char *expr, struct coming *coming)
{
	const char *zone = rv_args_value(&cli->args, RV_OPT_TIMEZONE);
	int err = rv_cron_read(expr, &coming->rule.cron, &cli->why);

	if (!err)
		err = rv_conf_zone(zone ? zone : RV_ZONE_UTC, &coming->zone, &cli->why);
	coming->rule.name = "";
	coming->rule.zone = coming->zone;
	return err == RV_E_CONF || err == RV_E_PARSE ? RV_E_USAGE : err;
}

static int take_schedule(struct rv_cli *cli, struct coming *coming, char name[RV_NAME_MAX])
{
	struct rv_schedule_view view;
	int err = rv_cli_store(cli, RV_CLIENT_READ);

	if (!err)
		err = rv_crons_read(cli, cli->args.words[0], &view);
	if (err)
		return err;
	if (strcmp(rv_crons_state(&view), "on") != 0)
		rv_cli_note("%s is %s: it does not fire", view.def.name, rv_crons_state(&view));
	(void)snprintf(name, RV_NAME_MAX, "%s", view.def.name);
	err = rv_crons_rule(&view, &coming->rule, &coming->zone, &cli->why);
	coming->rule.name = name;
	return err;
}

static int take_times(struct rv_cli *cli, struct coming *coming)
{
	const char *since = rv_args_value(&cli->args, RV_OPT_SINCE);

	coming->count = COUNT_DEFAULT;
	coming->now_us = rv_wall_us();
	if (since && rv_parse_time(since, coming->now_us, &coming->now_us) != RV_OK)
		return rv_fail(&cli->why, RV_E_USAGE, "--since %s: not a time", since);
	return rv_args_int(&cli->args, RV_OPT_COUNT, 1, COUNT_MAX, &coming->count, &cli->why);
}

static int32_t offset_at(const struct rv_zone *zone, int64_t wall_us)
{
	return rv_zone_at(zone, wall_us / RV_S_US).offset_s;
}

static void add_row(struct rv_table *table, const struct coming *coming, int64_t slot_us,
		    int64_t before_us)
{
	char text[RV_CRONS_LOCAL];
	char ago[RV_VIEW_AGO_SPACE];
	int32_t change = offset_at(coming->zone, slot_us) - offset_at(coming->zone, before_us);
	int64_t late_us = rv_schedule_due(&coming->rule, slot_us) - slot_us;

	rv_table_text(table, rv_crons_local(text, coming->zone, slot_us), RV_STYLE_NONE);
	rv_table_text(table, rv_fmt_time(text, slot_us), RV_STYLE_NONE);
	rv_table_text(table, rv_view_ago(ago, slot_us, coming->now_us), RV_STYLE_NONE);
	if (late_us > 0)
		rv_table_printf(table, RV_STYLE_DIM, "fires %s later", rv_fmt_about(text, late_us));
	else if (change != 0)
		rv_table_printf(table, RV_STYLE_YELLOW, "the clocks were put %s by %s",
				change > 0 ? "forward" : "back",
				rv_fmt_about(text, (change > 0 ? change : -change) * RV_S_US));
	else
		rv_table_text(table, NULL, RV_STYLE_NONE);
}

static int add_json(json_t *list, const struct coming *coming, int64_t slot_us)
{
	char local[RV_CRONS_LOCAL];
	json_t *item = json_object();

	(void)rv_crons_local(local, coming->zone, slot_us);
	local[10] = 'T'; /* RFC 3339: 2026-03-29T03:00:00+02:00 */
	memmove(local + 19, local + 20, strlen(local + 20) + 1);
	if (!item || rv_json_set_time(item, "at", slot_us) ||
	    rv_json_set_text(item, "local", local) ||
	    rv_json_set_time(item, "due", rv_schedule_due(&coming->rule, slot_us)) ||
	    json_array_append(list, item) != 0) {
		json_decref(item);
		return RV_E_NOMEM;
	}
	json_decref(item);
	return RV_OK;
}

/* Both, and one of them is printed. */
static int collect(const struct coming *coming, struct rv_table *table, json_t *list)
{
	int64_t before = coming->now_us;
	int64_t slot;
	int err = RV_OK;

	for (int64_t i = 0; err == RV_OK && i < coming->count; i++) {
		err = rv_cron_next(&coming->rule.cron, coming->zone, before, &slot);
		if (err)
			return err == RV_E_NOTFOUND ? RV_OK : err;
		add_row(table, coming, slot, before);
		err = add_json(list, coming, slot);
		before = slot;
	}
	return err;
}

static int print(struct rv_cli *cli, const struct coming *coming)
{
	static const char *const headers[] = {"AT", "UTC", "IN", "NOTE"};
	struct rv_table table;
	json_t *list = json_array();
	json_t *object;
	int code = 0;
	int err = RV_E_NOMEM;

	rv_table_init(&table, headers, RV_ARRAY_LEN(headers));
	if (list)
		err = collect(coming, &table, list);
	if (!err && cli->json) {
		object = rv_cli_object();
		if (object && rv_json_set_new(object, "next", json_incref(list)) != RV_OK) {
			json_decref(object);
			object = NULL;
		}
		code = rv_cli_json(cli, object);
	} else if (!err && table.ncells == 0) {
		rv_cli_note("it never fires again");
	} else if (!err) {
		err = rv_table_print(&table, &cli->out);
	}
	json_decref(list);
	rv_table_fini(&table);
	return err ? rv_cli_fail(cli, err) : code;
}

int rv_verb_cron_next(struct rv_cli *cli)
{
	const char *expr = rv_args_value(&cli->args, RV_OPT_EXPR);
	struct coming coming = {.count = 0};
	char name[RV_NAME_MAX];
	int code;
	int err = take_times(cli, &coming);

	if (!err)
		err = expr ? take_expr(cli, expr, &coming) : take_schedule(cli, &coming, name);
	code = err ? rv_crons_fail(cli, err) : print(cli, &coming);
	rv_zone_free(coming.zone);
	return code;
}
