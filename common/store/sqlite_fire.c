/*
 * FIRE: a slot becomes a job, or it is noted why it does not; the schedule moves on in the same
 * transaction, so that of two who want the same slot one comes too late.  The keeper; the CLI for a
 * person.  What an enqueue did before it was refused is undone by a savepoint of its own.
 */
#include "store/sqlite_schedule.h"

#include "store/sqlite_move.h"
#include "store/sqlite_tally.h"

#include "base/check.h"
#include "core/job.h"

#include <stdio.h>
#include <stdlib.h>

static int was_there(struct rv_sqlite *s, const char *name, int64_t slot_us, bool by_person,
		     bool *ret_there)
{
	int64_t became;
	int err = rv_sqlite_number(s, RV_SQL_FIRING_OF, &became, "tii", name, slot_us,
				   (int64_t)by_person);

	*ret_there = err == RV_OK;
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

static int forget_old(struct rv_sqlite *s, const char *name)
{
	sqlite3_stmt *stmt;
	int64_t slot;
	int64_t person;
	int err = rv_sqlite_start(s, RV_SQL_FIRING_OLD, &stmt, "ti", name, (int64_t)RV_FIRINGS_MAX);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_OK : err;
	slot = sqlite3_column_int64(stmt, 0);
	person = sqlite3_column_int64(stmt, 1);
	rv_sqlite_end(stmt);
	return rv_sqlite_run(s, RV_SQL_FIRINGS_FORGET, NULL, "tii", name, slot, person);
}

static int note(struct rv_sqlite *s, const char *name, const struct rv_firing_view *f)
{
	int err = rv_sqlite_run(s, RV_SQL_FIRING_NEW, NULL, "tiiiiiit", name, f->slot_us,
				(int64_t)f->by_person, s->now_us, (int64_t)f->became, f->job,
				f->missed, rv_rules_said(f->error));

	return err == RV_OK ? forget_old(s, name) : err;
}

/* The job before it, if it has not ended; else 0. */
static int find_previous(struct rv_sqlite *s, int64_t last_job, int64_t *ret_previous)
{
	int64_t state = 0;
	int err =
		last_job ? rv_sqlite_number(s, RV_SQL_SHOWN, &state, "i", last_job) : RV_E_NOTFOUND;

	*ret_previous = 0;
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_OK : err;
	if (state < 0 || state >= RV_JOB_STATES)
		return RV_E_CORRUPT;
	if (!rv_job_state_final((enum rv_job_state)state))
		*ret_previous = last_job;
	return RV_OK;
}

/* It makes way for the job that waits for its end. */
static int replace(struct rv_sqlite *s, int64_t id, int64_t by)
{
	struct rv_sqlite_lease lease;
	struct rv_sqlite_place place;
	enum rv_job_state from;
	char says[64];
	int err = rv_sqlite_lease(s, id, &lease);

	PRE(id != by);
	if (err == RV_OK)
		return rv_sqlite_run1(s, RV_SQL_LEASE_CANCEL, "ii", id, lease.place.fence);
	if (err == RV_E_NOTFOUND)
		err = rv_sqlite_take_waiting(s, id, &place, &from);
	if (err != RV_OK) /* its queue was full: it was dropped for the new one */
		return err == RV_E_NOTFOUND ? RV_OK : err;
	(void)snprintf(says, sizeof says, RV_SAYS_REPLACED, (long long)by);
	return rv_sqlite_to_done(s, &place, from, RV_JOB_CANCELLED, says, NULL);
}

static int enqueue(struct rv_sqlite *s, const struct rv_schedule_view *view,
		   struct rv_req_fire *fire, int64_t previous, struct rv_why *why)
{
	char meta[RV_SCHEDULE_META];
	struct rv_job_new job = rv_rules_schedule_job(&view->def, fire, &previous, meta);
	struct rv_req *one = calloc(1, sizeof *one); /* too large for a stack */
	int err = one ? RV_OK : RV_E_NOMEM;

	if (err == RV_OK) {
		one->kind = RV_REQ_ENQUEUE;
		one->u.enqueue =
			(struct rv_req_enqueue){.jobs = &job, .count = 1, .ret_ids = &fire->job};
		err = rv_sqlite_do_enqueue(s, one);
		*why = one->why;
	}
	free(one);
	if (err == RV_OK && previous != 0 && view->def.overlap == RV_OVERLAP_REPLACE)
		err = replace(s, previous, fire->job);
	return err;
}

/* What was done for the job is undone; what is wrong is about it, so the slot is over. */
static int refuse(struct rv_sqlite *s, struct rv_req_fire *fire, size_t nrings, int err,
		  struct rv_why *why)
{
	PRE(err != RV_OK);
	s->nfallen = 0;
	s->ngates = 0;
	s->lend_due = false;
	s->base.nrings = nrings;
	if (sqlite3_get_autocommit(s->db)) /* SQLite itself has given the transaction up */
		return RV_E_IO;
	fire->became = RV_FIRED_REFUSED;
	fire->job = 0;
	(void)snprintf(fire->error, sizeof fire->error, "%s", rv_why_text(why, err));
	why->text[0] = '\0';
	err = rv_sqlite_run(s, RV_SQL_ROW_ROLLBACK_TO, NULL, "");
	rv_sqlite_tally_restore(s);
	return err;
}

static int make_job(struct rv_sqlite *s, const struct rv_schedule_view *view,
		    struct rv_req_fire *fire, int64_t previous, struct rv_why *why)
{
	size_t nrings = s->base.nrings;
	int err = rv_sqlite_run(s, RV_SQL_ROW_SAVEPOINT, NULL, "");

	if (err != RV_OK)
		return err;
	rv_sqlite_tally_save(s); /* nothing has changed it in this request */
	fire->became = RV_FIRED_JOB;
	err = enqueue(s, view, fire, previous, why);
	if (err != RV_OK && fire->id != 0 && rv_rules_schedule_refused(err))
		err = refuse(s, fire, nrings, err, why);
	return err == RV_OK ? rv_sqlite_run(s, RV_SQL_ROW_RELEASE, NULL, "") : err;
}

/* The schedule's own counts of what came of the slot. */
static int count(struct rv_sqlite *s, const char *name, const struct rv_req_fire *fire)
{
	if (fire->became == RV_FIRED_JOB)
		return rv_sqlite_run1(s, RV_SQL_SCHEDULE_FIRED, "tii", name, fire->slot_us,
				      fire->job);
	return rv_sqlite_run1(s, RV_SQL_SCHEDULE_NOT, "tii", name,
			      (int64_t)(fire->became == RV_FIRED_SKIPPED),
			      (int64_t)(fire->became == RV_FIRED_REFUSED));
}

static int fire_slot(struct rv_sqlite *s, const struct rv_schedule_view *view,
		     struct rv_req_fire *fire, struct rv_why *why)
{
	struct rv_firing_view f = {.slot_us = fire->slot_us, .by_person = fire->id == 0};
	int64_t previous;
	int err = find_previous(s, view->last_job, &previous);

	if (err == RV_OK && previous != 0 && view->def.overlap == RV_OVERLAP_SKIP) {
		if (f.by_person)
			return rv_rules_schedule_runs(view->def.name, previous, why);
		fire->became = RV_FIRED_SKIPPED;
		fire->job = previous;
	} else if (err == RV_OK) {
		err = make_job(s, view, fire, previous, why);
	}
	if (err != RV_OK)
		return err;
	f.became = (enum rv_fired)fire->became;
	f.job = fire->job;
	f.error = fire->error;
	err = note(s, view->def.name, &f);
	return err == RV_OK ? count(s, view->def.name, fire) : err;
}

static int by_clock(struct rv_sqlite *s, const struct rv_schedule_view *view,
		    struct rv_req_fire *fire, struct rv_why *why)
{
	struct rv_firing_view missed = {
		.slot_us = fire->missed_us, .missed = fire->missed, .became = RV_FIRED_MISSED};
	bool slot_there = true;
	bool missed_there = true;
	int err = RV_OK;

#ifndef RV_MUTANT_FIRE_UNSEEN
	if (view->id != fire->id || view->since_us != fire->since_us ||
	    view->next_us != fire->seen_us || view->due_us == RV_DUE_NEVER)
		return rv_rules_schedule_stale(view->def.name, why);
#endif
	/* The wall clock was set back since: what has come of a slot has. */
	if (fire->slot_us != 0)
		err = was_there(s, view->def.name, fire->slot_us, false, &slot_there);
	if (err == RV_OK && !slot_there)
		err = fire_slot(s, view, fire, why);
	if (err == RV_OK && fire->missed > 0)
		err = was_there(s, view->def.name, fire->missed_us, false, &missed_there);
	if (err == RV_OK && !missed_there)
		err = note(s, view->def.name, &missed);
	if (err != RV_OK)
		return err;
	return rv_sqlite_run1(s, RV_SQL_SCHEDULE_NEXT, "tiii", view->def.name, fire->next_us,
			      fire->due_us, missed_there ? (int64_t)0 : fire->missed);
}

static int by_person(struct rv_sqlite *s, const struct rv_schedule_view *view,
		     struct rv_req_fire *fire, struct rv_why *why)
{
	bool there = true;
	int err = RV_OK;

	for (fire->slot_us = s->now_us; err == RV_OK && there;) {
		err = was_there(s, view->def.name, fire->slot_us, true, &there);
		fire->slot_us += there;
	}
	return err == RV_OK ? fire_slot(s, view, fire, why) : err;
}

int rv_sqlite_do_fire(struct rv_sqlite *s, struct rv_req *req)
{
	struct rv_req_fire *fire = &req->u.fire;
	struct rv_schedule_view view;
	struct rv_arena arena;
	int err;

	PRE(s->open);
	fire->became = RV_FIREDS;
	fire->job = 0;
	fire->error[0] = '\0';
	rv_arena_init(&arena);
	err = rv_sqlite_schedule(s, fire->schedule, &arena, &view);
	if (err == RV_E_NOTFOUND)
		err = rv_rules_no_schedule(fire->schedule, &req->why);
	else if (err == RV_OK && fire->id != 0)
		err = by_clock(s, &view, fire, &req->why);
	else if (err == RV_OK)
		err = by_person(s, &view, fire, &req->why);
	rv_arena_reset(&arena);
	return err;
}
