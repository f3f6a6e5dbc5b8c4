/*
 * Rules of schedules that every backend must apply alike.  Pure.  Whoever executes requests.
 */
#include "store/rules_schedule.h"

#include "base/check.h"
#include "base/cron.h"
#include "base/fmt.h"
#include "base/zone.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 40u

static bool same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* As in the configuration; it is written into JSON as it is. */
static bool is_name(const char *name)
{
	size_t size = name ? strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					  "0123456789_.-")
			   : 0;

	return size > 0 && size <= NAME_MAX_BYTES && name[size] == '\0';
}

int rv_rules_schedule(const struct rv_schedule_def *def, struct rv_why *why)
{
	struct rv_cron cron;
	int err;

	if (!is_name(def->name))
		return rv_fail(why, RV_E_USAGE,
			       "the name of a schedule is 1 to %u of A-Z a-z 0-9 _ . -",
			       NAME_MAX_BYTES);
	err = rv_cron_read(def->cron ? def->cron : "", &cron, why);
	if (err)
		return err == RV_E_PARSE ? RV_E_USAGE : err;
	if (!rv_rules_said(def->timezone) || !rv_zone_name_sane(def->timezone))
		return rv_fail(why, RV_E_USAGE, "a schedule has a time zone, such as UTC");
	if (!rv_rules_said(def->task))
		return rv_fail(why, RV_E_USAGE, "a schedule has a task");
	if (def->priority < -1 || def->priority > RV_PRIORITY_MAX)
		return rv_fail(why, RV_E_USAGE, "a priority is from 0 to %d", RV_PRIORITY_MAX);
	if (def->jitter_us < 0 || def->catch_up < RV_CATCH_UP_ALL || def->overlap < 0 ||
	    def->overlap > RV_OVERLAP_REPLACE)
		return rv_fail(why, RV_E_USAGE, "jitter, catch_up or overlap is none");
	if (def->spec && strlen(def->spec) > RV_SPEC_MAX)
		return rv_fail(why, RV_E_TOOBIG, "its arguments are larger than 1 MiB");
	return RV_OK;
}

int rv_rules_no_schedule(const char *name, struct rv_why *why)
{
	return rv_fail(why, RV_E_NOTFOUND, "no such schedule \"%s\"", name);
}

int rv_rules_schedule_there(const char *name, struct rv_why *why)
{
	return rv_fail(why, RV_E_CONFLICT, "there is a schedule \"%s\" already", name);
}

int rv_rules_schedule_conf(const char *name, struct rv_why *why)
{
	return rv_fail(why, RV_E_CONFLICT,
		       "schedule \"%s\" is in the configuration: take it out there, or pause it",
		       name);
}

int rv_rules_schedule_runs(const char *name, int64_t job, struct rv_why *why)
{
	return rv_fail(why, RV_E_CONFLICT,
		       "schedule \"%s\" skips what overlaps, and its job %lld has not ended", name,
		       (long long)job);
}

int rv_rules_schedule_stale(const char *name, struct rv_why *why)
{
	return rv_fail(why, RV_E_STALE, "schedule \"%s\" is not as it was when this was planned",
		       name);
}

bool rv_rules_schedule_replan(const struct rv_schedule_def *from, const struct rv_schedule_def *to)
{
	return !same(from->cron, to->cron) || !same(from->timezone, to->timezone) ||
	       from->jitter_us != to->jitter_us || from->off != to->off;
}

int64_t rv_rules_schedule_due(bool off, bool paused)
{
	return off || paused ? RV_DUE_NEVER : RV_DUE_PLAN;
}

struct rv_job_new rv_rules_schedule_job(const struct rv_schedule_def *def,
					const struct rv_req_fire *fire, const int64_t *previous,
					char meta[RV_SCHEDULE_META])
{
	char slot[RV_FMT_SPACE];
	bool waits = *previous != 0 &&
		     (def->overlap == RV_OVERLAP_QUEUE || def->overlap == RV_OVERLAP_REPLACE);
	int size = snprintf(meta, RV_SCHEDULE_META, "{\"schedule\":\"%s\",\"slot\":\"%s\"%s}",
			    def->name, rv_fmt_time(slot, fire->slot_us),
			    fire->id == 0 ? ",\"by\":\"hand\"" : "");

	INV(size > 0 && size < RV_SCHEDULE_META);
	return (struct rv_job_new){.task = def->task,
				   .queue = def->queue,
				   .spec = def->spec,
				   .priority = def->priority,
				   .meta = meta,
				   .after = waits ? previous : NULL,
				   .nafter = waits,
				   .on = waits ? RV_AFTER_ANY : RV_AFTER_SUCCESS,
				   .uid = (uid_t)fire->uid};
}

bool rv_rules_schedule_refused(int err)
{
	return err == RV_E_NOTFOUND || err == RV_E_REFUSED || err == RV_E_FULL ||
	       err == RV_E_USAGE || err == RV_E_TOOBIG || err == RV_E_CONFLICT;
}
