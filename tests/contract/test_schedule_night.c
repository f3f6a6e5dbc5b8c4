/*
 * The nights in which the clocks are changed, on a frozen clock and with two keepers: each slot
 * becomes one job, at the time that docs/PATTERNS.md says.
 */
#include "fixture.h"

#include "conf/zone.h"
#include "core/schedule.h"
#include "store/schedule.h"

#include <time.h>

#define NAME "nightly"

static int64_t utc(const char *text)
{
	struct tm tm = {0};

	cr_assert(ne(ptr, strptime(text, "%Y-%m-%dT%H:%M", &tm), NULL));
	return S((int64_t)timegm(&tm));
}

static void begin(struct fixture *f, const char *cron, const char *at)
{
	struct rv_schedule_def def = {.name = NAME,
				      .cron = cron,
				      .timezone = "Europe/Rome",
				      .task = "t",
				      .priority = -1,
				      .catch_up = RV_CATCH_UP_LAST};

	tick(f, utc(at) - f->wall_us);
	f->req.u.schedule = (struct rv_req_schedule){.what = RV_SCHEDULE_ADD, .def = &def};
	ERR(ask_kind(f, RV_REQ_SCHEDULE), RV_OK);
}

/* What a keeper asks for that looks now. */
static struct rv_req_fire planned(struct fixture *f, const struct rv_schedule_view *view)
{
	struct rv_schedule_rule rule = {.name = NAME, .catch_up = view->def.catch_up};
	struct rv_req_fire fire = {.id = view->id, .uid = 7};
	struct rv_schedule_plan now = {0};
	struct rv_zone *zone = NULL;

	ERR(rv_cron_read(view->def.cron, &rule.cron, &f->why), RV_OK);
	ERR(rv_conf_zone(view->def.timezone, &zone, &f->why), RV_OK);
	rule.zone = zone;
	if (view->next_us == 0)
		rv_schedule_begin(&rule, view->since_us, &now);
	else
		rv_schedule_plan(&rule, view->next_us, f->wall_us, &now);
	rv_zone_free(zone);
	(void)snprintf(fire.schedule, sizeof fire.schedule, NAME);
	fire.since_us = view->since_us;
	fire.seen_us = view->next_us;
	fire.slot_us = now.slot_us;
	fire.missed = now.missed;
	fire.missed_us = now.missed_us;
	fire.next_us = now.next_us;
	fire.due_us = now.due_us;
	return fire;
}

/* The clock goes on until it is ${until}; each slot, as a time, must be the next of ${want}. */
static void night(struct fixture *f, const char *until, const char *const *want)
{
	int64_t end_us = utc(until);

	for (;;) {
		struct rv_schedule_view view;
		struct rv_req_fire fire;

		ERR(rv_store_schedule(f->store, NAME, &view), RV_OK);
		if (view.due_us > end_us)
			break;
		if (view.due_us > f->wall_us)
			tick(f, view.due_us - f->wall_us);
		fire = planned(f, &view);
		f->req.u.fire = fire;
		ERR(ask_kind(f, RV_REQ_FIRE), RV_OK);
		IS(f->req.u.fire.job > 0, fire.slot_us != 0);
		if (fire.slot_us != 0) {
			cr_assert(ne(ptr, (void *)(uintptr_t)*want, NULL), "one slot too many");
			IS(fire.slot_us, utc(*want));
			IS(f->wall_us, fire.slot_us);
			want++;
		}
		f->req.u.fire = fire; /* the other keeper's, which saw the same */
		cr_assert(ne(int, ask_kind(f, RV_REQ_FIRE), RV_OK));
		HAS(f->why.text, "is not as it was when this was planned");
	}
	cr_assert(eq(ptr, (void *)(uintptr_t)*want, NULL), "%s did not come", *want);
}

CONTRACT(night, what_the_gap_leaves_out_comes_at_its_end)
{
	static const char *const slots[] = {"2027-03-27T01:30", "2027-03-28T01:00",
					    "2027-03-29T00:30", NULL};

	begin(f, "30 2 * * *", "2027-03-26T12:00");
	night(f, "2027-03-29T12:00", slots);
}

CONTRACT(night, what_comes_twice_fires_once)
{
	static const char *const slots[] = {"2027-10-30T00:30", "2027-10-31T00:30",
					    "2027-11-01T01:30", NULL};

	begin(f, "30 2 * * *", "2027-10-29T12:00");
	night(f, "2027-11-01T12:00", slots);
}

/* What is due by the hour is an interval: none is left out, none comes twice at once. */
CONTRACT(night, every_hour_is_every_hour)
{
	static const char *const spring[] = {"2027-03-28T00:00", "2027-03-28T01:00",
					     "2027-03-28T02:00", NULL};
	static const char *const autumn[] = {"2027-10-31T00:00", "2027-10-31T01:00",
					     "2027-10-31T02:00", NULL};
	int64_t since;

	begin(f, "0 * * * *", "2027-03-27T23:30");
	night(f, "2027-03-28T02:30", spring);
	f->req.u.schedule = (struct rv_req_schedule){.what = RV_SCHEDULE_REMOVE, .name = NAME};
	ERR(ask_kind(f, RV_REQ_SCHEDULE), RV_OK);
	since = f->wall_us;
	begin(f, "0 * * * *", "2027-10-30T23:30");
	IS(f->wall_us > since, true);
	night(f, "2027-10-31T02:30", autumn);
}
