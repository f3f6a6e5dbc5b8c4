/* A schedule whose slots one keeper fires, or two at once; its jobs are everybody's from then on.
 */
#include "sim.h"

#include "core/schedule.h"
#include "store/schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME "tick"
#define CRON "every 20s"

static void add(struct sim *s)
{
	const struct rv_schedule_def def = {.name = NAME,
					    .cron = CRON,
					    .timezone = "UTC",
					    .task = "t",
					    .priority = -1,
					    .catch_up = sim_below(s, 3) - 2,
					    .overlap = (enum rv_overlap)sim_below(s, 4)};

	s->req.u.schedule = (struct rv_req_schedule){.what = RV_SCHEDULE_ADD, .def = &def};
	if (sim_ask(s, RV_REQ_SCHEDULE) && s->req.err != RV_OK)
		sim_fail(s, "schedule: %s", s->req.why.text);
}

static void change(struct sim *s)
{
	static const enum rv_schedule_do doings[] = {RV_SCHEDULE_PAUSE, RV_SCHEDULE_RESUME,
						     RV_SCHEDULE_RESUME, RV_SCHEDULE_REMOVE};

	s->req.u.schedule =
		(struct rv_req_schedule){.what = (int32_t)doings[sim_below(s, 4)], .name = NAME};
	if (sim_ask(s, RV_REQ_SCHEDULE) && s->req.err != RV_OK)
		sim_fail(s, "schedule: %s", s->req.why.text);
}

static void plan(struct sim *s, const struct rv_schedule_view *view)
{
	struct rv_req_fire *fire = &s->req.u.fire;
	struct rv_schedule_rule rule = {.name = NAME, .catch_up = view->def.catch_up};
	struct rv_schedule_plan now;

	if (rv_cron_read(CRON, &rule.cron, NULL) != RV_OK)
		sim_fail(s, "%s cannot be read", CRON);
	if (view->next_us == 0)
		rv_schedule_begin(&rule, view->since_us, &now);
	else
		rv_schedule_plan(&rule, view->next_us, s->clock.wall_us, &now);
	memset(fire, 0, sizeof *fire);
	(void)snprintf(fire->schedule, sizeof fire->schedule, NAME);
	fire->id = view->id;
	fire->since_us = view->since_us;
	fire->seen_us = view->next_us;
	fire->missed_us = now.missed_us;
	fire->missed = now.missed;
	fire->slot_us = now.slot_us;
	fire->next_us = now.next_us;
	fire->due_us = now.due_us;
}

/* The job of a slot is new, and no other slot's; a run that must make way is asked to end. */
static void note_job(struct sim *s, const struct rv_schedule_view *was, int64_t leased)
{
	int64_t id = s->req.u.fire.job;

	if (sim_job(s, id))
		sim_fail(s, "a slot fired as the old job %" PRId64, id);
	s->jobs[s->njobs++] = (struct sim_job){.id = id};
	if (was->def.overlap == RV_OVERLAP_REPLACE && leased != 0 && sim_job(s, was->last_job))
		sim_job(s, was->last_job)->cancel_fence = leased;
}

void sim_keeper_cron(struct sim *s)
{
	struct rv_schedule_view view;
	struct rv_job_view last;
	struct rv_req again;
	int64_t leased = 0;

	if (s->calm || s->njobs >= SIM_JOBS - 2 * SIM_BATCHES)
		return;
	if (rv_store_schedule(s->store, NAME, &view) != RV_OK) {
		add(s);
		return;
	}
	if (sim_chance(s, 2)) {
		change(s);
		return;
	}
	if (view.due_us == RV_DUE_NEVER || view.due_us > s->clock.wall_us)
		return;
	plan(s, &view);
	again = s->req;
	if (view.last_job != 0 && rv_store_job(s->store, view.last_job, &last) == RV_OK &&
	    (last.state == RV_JOB_RUNNING || last.prefetched))
		leased = last.fence;
	if (!sim_ask(s, RV_REQ_FIRE))
		return;
	if (s->req.err != RV_OK)
		sim_fail(s, "fire: %s", s->req.why.text);
	if (s->req.u.fire.became == RV_FIRED_JOB)
		note_job(s, &view, leased);
	if (again.u.fire.next_us == again.u.fire.seen_us || !sim_chance(s, 30))
		return;
	s->req.u.fire = again.u.fire; /* the other keeper, which has planned the same */
	if (sim_ask(s, RV_REQ_FIRE) && s->req.err != RV_E_STALE)
		sim_fail(s, "a slot fired twice");
}
