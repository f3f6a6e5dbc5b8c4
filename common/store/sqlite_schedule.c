/*
 * Schedules: the rows of those that the configuration or a person has made.
 * Whoever mirrors a configuration, and the CLI.  A schedule that goes takes its history along.
 * Wider than most: tasks and queues are looked up here.
 */
#include "store/sqlite_schedule.h"

#include "store/sqlite_batch.h"
#include "store/sqlite_move.h"
#include "store/sqlite_order.h"
#include "store/sqlite_tally.h"

#include "base/check.h"

#include <string.h>

/* Its slots count from now on, the first of them is not known. */
static int begin(struct rv_sqlite *s, const char *name, bool off, bool paused)
{
	rv_store_note_ring(&s->base, RV_RING_SCHEDULED, "", 0);
	return rv_sqlite_run1(s, RV_SQL_SCHEDULE_BEGIN, "tii", name, s->now_us,
			      rv_rules_schedule_due(off, paused));
}

static int add(struct rv_sqlite *s, const struct rv_schedule_def *def, bool conf)
{
	rv_store_note_ring(&s->base, RV_RING_SCHEDULED, "", 0);
	return rv_sqlite_run(s, RV_SQL_SCHEDULE_NEW, NULL, "ttttttiiiiiiii", def->name, def->cron,
			     def->timezone, def->task, rv_rules_said(def->queue),
			     rv_rules_said(def->spec), (int64_t)def->priority, def->jitter_us,
			     def->catch_up, (int64_t)def->overlap, (int64_t)def->off, (int64_t)conf,
			     s->now_us, rv_rules_schedule_due(def->off, false));
}

static int change(struct rv_sqlite *s, const struct rv_schedule_view *was,
		  const struct rv_schedule_def *def)
{
	int err = rv_sqlite_run1(s, RV_SQL_SCHEDULE_SET, "ttttttiiiii", def->name, def->cron,
				 def->timezone, def->task, rv_rules_said(def->queue),
				 rv_rules_said(def->spec), (int64_t)def->priority, def->jitter_us,
				 def->catch_up, (int64_t)def->overlap, (int64_t)def->off);

	if (err == RV_OK && rv_rules_schedule_replan(&was->def, def))
		err = begin(s, def->name, def->off, was->paused);
	return err;
}

static int drop(struct rv_sqlite *s, const char *name)
{
	int err = rv_sqlite_run(s, RV_SQL_FIRINGS_DROP, NULL, "t", name);

	return err == RV_OK ? rv_sqlite_run1(s, RV_SQL_SCHEDULE_DROP, "t", name) : err;
}

static bool is_in(const struct rv_req_mirror *mirror, const char *name)
{
	for (size_t i = 0; i < mirror->nschedules; i++) {
		if (strcmp(mirror->schedules[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Those that the configuration had and has no more. */
static int drop_gone(struct rv_sqlite *s, const struct rv_req_mirror *mirror,
		     struct rv_arena *arena)
{
	struct rv_schedule_view view = {.def.name = ""};
	int err;

	while ((err = rv_sqlite_schedule_after(s, view.def.name, arena, &view)) == RV_OK) {
		if (!view.conf || is_in(mirror, view.def.name))
			continue;
		err = drop(s, view.def.name);
		if (err != RV_OK)
			return err;
	}
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

int rv_sqlite_mirror_schedules(struct rv_sqlite *s, const struct rv_req_mirror *mirror)
{
	struct rv_arena arena;
	int err;

	PRE(mirror->schedules || mirror->nschedules == 0);
	rv_arena_init(&arena);
	err = drop_gone(s, mirror, &arena);
	for (size_t i = 0; err == RV_OK && i < mirror->nschedules; i++) {
		const struct rv_schedule_def *def = &mirror->schedules[i];
		struct rv_schedule_view view;

		err = rv_sqlite_schedule(s, def->name, &arena, &view);
		if (err == RV_E_NOTFOUND)
			err = add(s, def, true);
		else if (err == RV_OK)
			err = change(s, &view, def);
	}
	rv_arena_reset(&arena);
	return err;
}

static int do_add(struct rv_sqlite *s, const struct rv_schedule_def *def, struct rv_arena *arena,
		  struct rv_why *why)
{
	struct rv_schedule_view view;
	const struct rv_task_def *task;
	int err = rv_rules_schedule(def, why);

	if (err != RV_OK)
		return err;
	err = rv_sqlite_schedule(s, def->name, arena, &view);
	if (err != RV_E_NOTFOUND)
		return err == RV_OK ? rv_rules_schedule_there(def->name, why) : err;
	err = rv_sqlite_task_find(s, def->task, &task, why);
	if (err == RV_OK && rv_rules_said(def->queue) && !rv_sqlite_queue_named(s, def->queue))
		err = rv_sqlite_queue_unknown(s, def->queue, why);
	return err == RV_OK ? add(s, def, false) : err;
}

static int do_named(struct rv_sqlite *s, const struct rv_req_schedule *req, struct rv_arena *arena,
		    struct rv_why *why)
{
	bool paused = req->what == RV_SCHEDULE_PAUSE;
	struct rv_schedule_view view;
	int err = rv_sqlite_schedule(s, req->name, arena, &view);

	PRE(req->what > RV_SCHEDULE_ADD && req->what < RV_SCHEDULE_DOS);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? rv_rules_no_schedule(req->name, why) : err;
	if (req->what == RV_SCHEDULE_REMOVE)
		return view.conf ? rv_rules_schedule_conf(req->name, why) : drop(s, req->name);
	if (view.paused == paused)
		return RV_OK;
	err = rv_sqlite_run1(s, RV_SQL_SCHEDULE_PAUSE, "ti", req->name, (int64_t)paused);
	return err == RV_OK ? begin(s, req->name, view.def.off, paused) : err;
}

int rv_sqlite_do_schedule(struct rv_sqlite *s, struct rv_req *req)
{
	const struct rv_req_schedule *schedule = &req->u.schedule;
	struct rv_arena arena;
	int err;

	PRE(s->open);
	rv_arena_init(&arena);
	if (schedule->what == RV_SCHEDULE_ADD)
		err = do_add(s, schedule->def, &arena, &req->why);
	else
		err = do_named(s, schedule, &arena, &req->why);
	rv_arena_reset(&arena);
	return err;
}
