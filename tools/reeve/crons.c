/*
 * Schedules as people and scripts see them.  Runs in the CLI.  Wider than most: what the verbs need
 * of configuration, zones, rules and the store is here, so that they need not.
 */
#include "crons.h"

#include "base/civil.h"
#include "base/fmt.h"
#include "base/seam.h"
#include "conf/zone.h"
#include "core/schedule.h"
#include "store/schedule.h"
#include "view.h"
#include "wire/json.h"

#include <string.h>

int rv_crons_read(struct rv_cli *cli, const char *name, struct rv_schedule_view *ret_view)
{
	int err = rv_store_schedule(cli->client.store, name, ret_view);

	return err == RV_E_NOTFOUND ? rv_fail(&cli->why, err, "there is no schedule %s", name)
				    : err;
}

const char *rv_crons_state(const struct rv_schedule_view *view)
{
	if (view->def.off)
		return "off";
	if (view->paused)
		return "paused";
	return view->due_us == RV_DUE_NEVER ? "over" : "on";
}

int rv_crons_rule(const struct rv_schedule_view *view, struct rv_schedule_rule *ret_rule,
		  struct rv_zone **ret_zone, struct rv_why *why)
{
	int err;

	*ret_rule = (struct rv_schedule_rule){.name = view->def.name,
					      .jitter_us = view->def.jitter_us,
					      .catch_up = view->def.catch_up};
	*ret_zone = NULL;
	err = rv_cron_read(view->def.cron, &ret_rule->cron, why);
	if (!err)
		err = rv_conf_zone(view->def.timezone, ret_zone, why);
	ret_rule->zone = *ret_zone;
	return err;
}

int64_t rv_crons_next(const struct rv_schedule_view *view)
{
	struct rv_schedule_rule rule;
	struct rv_schedule_plan plan = {0};
	struct rv_zone *zone;

	if (view->next_us != 0 || view->due_us == RV_DUE_NEVER)
		return view->due_us == RV_DUE_NEVER ? 0 : view->next_us;
	if (rv_crons_rule(view, &rule, &zone, NULL) == RV_OK)
		rv_schedule_begin(&rule, view->since_us, &plan);
	rv_zone_free(zone);
	return plan.next_us;
}

int rv_crons_fail(struct rv_cli *cli, int err)
{
	struct rv_why all = cli->why;
	char *line = strchr(all.text, '\n');
	int code;

	if (line)
		cli->why.text[line - all.text] = '\0';
	code = rv_cli_fail(cli, err);
	for (char *next; line && !cli->json; line = next) {
		line++;
		next = strchr(line, '\n');
		if (next)
			*next = '\0';
		rv_out_text(stderr, line);
		(void)fputc('\n', stderr);
	}
	return code;
}

const char *rv_crons_local(char out[RV_CRONS_LOCAL], const struct rv_zone *zone, int64_t wall_us)
{
	int64_t utc_s = rv_floor_div(wall_us, RV_S_US);
	int32_t offset = rv_zone_at(zone, utc_s).offset_s;
	int32_t minutes = (offset < 0 ? -offset : offset) / 60;
	int64_t day = rv_floor_div(utc_s + offset, RV_DAY_S);
	int64_t second = utc_s + offset - day * RV_DAY_S;
	struct rv_civil date = rv_civil_of(day);

	(void)snprintf(out, RV_CRONS_LOCAL, "%04lld-%02d-%02d %02d:%02d:%02d %c%02d:%02d",
		       (long long)date.year, date.month, date.day, (int)(second / 3600),
		       (int)(second / 60 % 60), (int)(second % 60), offset < 0 ? '-' : '+',
		       minutes / 60, minutes % 60);
	return out;
}

void rv_crons_made(char out[RV_CRONS_MADE], const char *meta)
{
	json_t *object = NULL;
	const char *name = NULL;
	const char *slot = NULL;

	out[0] = '\0';
	if (!meta || rv_json_parse(meta, strlen(meta), RV_META_MAX, &object, NULL) != RV_OK)
		return;
	if (rv_json_get_text(object, "schedule", &name, NULL) == RV_OK &&
	    rv_json_get_text(object, "slot", &slot, NULL) == RV_OK)
		(void)snprintf(out, RV_CRONS_MADE, "%.64s, %s %.48s", name,
			       json_object_get(object, "by") ? "by hand at" : "slot", slot);
	json_decref(object);
}

static int set_def(json_t *object, const struct rv_schedule_def *def)
{
	char catch_up[RV_FMT_SPACE];
	char jitter[RV_FMT_SPACE];
	RV_AUTO(rv_json_free) json_t *spec = NULL;
	json_t *args = NULL;
	int err = RV_OK;

	if (def->spec && rv_json_parse(def->spec, strlen(def->spec), strlen(def->spec) + 1, &spec,
				       NULL) == RV_OK)
		args = json_object_get(spec, "args");
	if (rv_json_set_text(object, "name", def->name) ||
	    rv_json_set_text(object, "cron", def->cron) ||
	    rv_json_set_text(object, "timezone", def->timezone) ||
	    rv_json_set_text(object, "task", def->task) ||
	    rv_json_set_text(object, "queue", def->queue) ||
	    rv_json_set_new(object, "args", args ? json_incref(args) : json_object()))
		err = RV_E_NOMEM;
	if (!err && def->priority >= 0)
		err = rv_json_set_int(object, "priority", def->priority);
	if (!err &&
	    (rv_json_set_text(object, "jitter", rv_fmt_duration(jitter, def->jitter_us)) ||
	     rv_json_set_text(object, "catch_up", rv_catch_up_fmt(catch_up, def->catch_up)) ||
	     rv_json_set_text(object, "overlap", rv_overlap_name((int)def->overlap))))
		err = RV_E_NOMEM;
	return err;
}

json_t *rv_crons_json(const struct rv_schedule_view *view)
{
	json_t *object = json_object();

	if (!object || set_def(object, &view->def) ||
	    rv_json_set_text(object, "state", rv_crons_state(view)) ||
	    rv_json_set_bool(object, "configured", view->conf) ||
	    rv_json_set_time(object, "next", rv_crons_next(view)) ||
	    rv_json_set_time(object, "last", view->last_us) ||
	    rv_json_set_new(object, "last_job",
			    view->last_job ? json_integer(view->last_job) : json_null()) ||
	    rv_json_set_int(object, "fired", view->fired) ||
	    rv_json_set_int(object, "missed", view->missed) ||
	    rv_json_set_int(object, "skipped", view->skipped) ||
	    rv_json_set_int(object, "refused", view->refused)) {
		json_decref(object);
		return NULL;
	}
	return object;
}
