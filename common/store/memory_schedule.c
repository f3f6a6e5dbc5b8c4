/*
 * The memory backend: schedules, and what comes of their slots.  Tests only.
 */
#include "store/memory_read.h"
#include "store/rules_schedule.h"

#include "base/check.h"
#include "core/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rv_schedule_view *find(struct mem_store *m, const char *name)
{
	MEM_EACH(m, schedules, s)
	if (strcmp(s->def.name, name) == 0)
		return s;
	return NULL;
}

static const char *keep(struct mem_store *m, const char *text)
{
	return rv_memory_keep(m, rv_rules_said(text));
}

static struct rv_schedule_def keep_def(struct mem_store *m, const struct rv_schedule_def *def)
{
	struct rv_schedule_def kept = *def;

	kept.name = keep(m, def->name);
	kept.cron = keep(m, def->cron);
	kept.timezone = keep(m, def->timezone);
	kept.task = keep(m, def->task);
	kept.queue = keep(m, def->queue);
	kept.spec = keep(m, def->spec);
	return kept;
}

/* Its slots count from now on, the first of them is not known. */
static void begin(struct mem_store *m, struct rv_schedule_view *v)
{
	v->since_us = m->wall_us;
	v->next_us = 0;
	v->due_us = rv_rules_schedule_due(v->def.off, v->paused);
	rv_store_note_ring(&m->base, RV_RING_SCHEDULED, "", 0);
}

static struct rv_schedule_view *add(struct mem_store *m, const struct rv_schedule_def *def)
{
	struct rv_schedule_view *v = MEM_ADD(m, schedules);

	v->def = keep_def(m, def);
	v->id = ++m->now.schedules_given;
	begin(m, v);
	return v;
}

static void drop(struct mem_store *m, const char *name)
{
	for (size_t i = m->now.firings.n; i-- > 0;)
		if (strcmp(m->now.firings.rows[i].schedule, name) == 0)
			MEM_REMOVE(m, firings, i);
	for (size_t i = m->now.schedules.n; i-- > 0;)
		if (strcmp(m->now.schedules.rows[i].def.name, name) == 0)
			MEM_REMOVE(m, schedules, i);
}

static bool is_in(const struct rv_req_mirror *req, const char *name)
{
	for (size_t i = 0; i < req->nschedules; i++)
		if (strcmp(req->schedules[i].name, name) == 0)
			return true;
	return false;
}

void rv_memory_mirror_schedules(struct mem_store *m, const struct rv_req_mirror *req)
{
	for (size_t i = m->now.schedules.n; i-- > 0;) {
		const struct rv_schedule_view *v = &m->now.schedules.rows[i];

		if (v->conf && !is_in(req, v->def.name))
			drop(m, v->def.name);
	}
	for (size_t i = 0; i < req->nschedules; i++) {
		struct rv_schedule_view *v = find(m, req->schedules[i].name);
		bool replan = v && rv_rules_schedule_replan(&v->def, &req->schedules[i]);

		if (!v)
			v = add(m, &req->schedules[i]);
		v->def = keep_def(m, &req->schedules[i]);
		v->conf = true;
		if (replan)
			begin(m, v);
	}
}

static int add_one(struct mem_store *m, const struct rv_schedule_def *def, struct rv_why *why)
{
	const struct rv_task_def *task;
	int err = rv_rules_schedule(def, why);

	if (err == RV_OK && find(m, def->name))
		err = rv_rules_schedule_there(def->name, why);
	if (err == RV_OK)
		err = rv_memory_task(m, def->task, &task, why);
	if (err == RV_OK && rv_rules_said(def->queue) && !rv_memory_queue(m, def->queue))
		err = rv_memory_unknown_queue(m, def->queue, why);
	if (err == RV_OK)
		(void)add(m, def);
	return err;
}

int rv_memory_do_schedule(struct mem_store *m, struct rv_req_schedule *req, struct rv_why *why)
{
	bool paused = req->what == RV_SCHEDULE_PAUSE;
	struct rv_schedule_view *v;

	if (req->what == RV_SCHEDULE_ADD)
		return add_one(m, req->def, why);
	v = find(m, req->name);
	if (!v)
		return rv_rules_no_schedule(req->name, why);
	if (req->what == RV_SCHEDULE_REMOVE && v->conf)
		return rv_rules_schedule_conf(req->name, why);
	if (req->what == RV_SCHEDULE_REMOVE) {
		drop(m, req->name);
	} else if (v->paused != paused) {
		v->paused = paused;
		begin(m, v);
	}
	return RV_OK;
}

static bool was_there(struct mem_store *m, const char *name, int64_t slot_us, bool by_person)
{
	MEM_EACH(m, firings, f)
	if (strcmp(f->schedule, name) == 0 && f->view.slot_us == slot_us &&
	    f->view.by_person == by_person)
		return true;
	return false;
}

/* The newest first. */
static int by_slot(const void *a, const void *b)
{
	const struct rv_firing_view *x = a;
	const struct rv_firing_view *y = b;

	if (x->slot_us != y->slot_us)
		return x->slot_us > y->slot_us ? -1 : 1;
	return y->by_person - x->by_person;
}

/* Those of a schedule, sorted; the caller frees them. */
static struct rv_firing_view *firings_of(struct mem_store *m, const char *name, size_t *ret_n)
{
	struct rv_firing_view *list = calloc(m->now.firings.n + 1, sizeof *list);
	size_t n = 0;

	if (!list)
		IMPOSSIBLE("no memory for the oracle");
	MEM_EACH(m, firings, f)
	if (strcmp(f->schedule, name) == 0)
		list[n++] = f->view;
	qsort(list, n, sizeof *list, by_slot);
	*ret_n = n;
	return list;
}

static void forget_old(struct mem_store *m, const char *name)
{
	size_t n;
	struct rv_firing_view *list = firings_of(m, name, &n);

	for (size_t i = m->now.firings.n; n > RV_FIRINGS_MAX && i-- > 0;)
		if (strcmp(m->now.firings.rows[i].schedule, name) == 0 &&
		    by_slot(&m->now.firings.rows[i].view, &list[RV_FIRINGS_MAX - 1]) > 0)
			MEM_REMOVE(m, firings, i);
	free(list);
}

static void note(struct mem_store *m, const char *name, const struct rv_firing_view *view)
{
	struct mem_firing *f = MEM_ADD(m, firings);

	f->schedule = rv_memory_keep(m, name);
	f->view = *view;
	f->view.at_us = m->wall_us;
	f->view.error = keep(m, view->error);
	forget_old(m, name);
}

/* It makes way for the job that waits for its end. */
static void replace(struct mem_store *m, int64_t id, int64_t by)
{
	struct mem_job *j = rv_memory_job(m, id);
	char says[64];

	if (!j || j->place == MEM_DONE)
		return;
	(void)snprintf(says, sizeof says, RV_SAYS_REPLACED, (long long)by);
	if (j->place == MEM_LEASE)
		j->cancel_requested = true;
	else
		rv_memory_to_final(m, j, RV_JOB_CANCELLED, says);
}

static int enqueue(struct mem_store *m, const struct rv_schedule_view *v, struct rv_req_fire *req,
		   int64_t previous, struct rv_why *why)
{
	char meta[RV_SCHEDULE_META];
	struct rv_job_new job = rv_rules_schedule_job(&v->def, req, &previous, meta);
	struct rv_req_enqueue one = {.jobs = &job, .count = 1, .ret_ids = &req->job};
	int err = rv_memory_do_enqueue(m, &one, why);

	if (err == RV_OK && previous != 0 && v->def.overlap == RV_OVERLAP_REPLACE)
		replace(m, previous, req->job);
	return err;
}

/* The slot becomes a job, or not. */
static int fire(struct mem_store *m, struct rv_schedule_view *v, struct rv_req_fire *req,
		struct rv_why *why)
{
	struct rv_firing_view f = {.slot_us = req->slot_us, .by_person = req->id == 0};
	const struct mem_job *last = rv_memory_job(m, v->last_job);
	int64_t previous = last && last->place != MEM_DONE ? last->id : 0;
	int err = RV_OK;

	req->job = 0;
	if (previous != 0 && v->def.overlap == RV_OVERLAP_SKIP) {
		if (f.by_person)
			return rv_rules_schedule_runs(v->def.name, previous, why);
		req->became = RV_FIRED_SKIPPED;
		req->job = previous;
		v->skipped++;
	} else {
		req->became = RV_FIRED_JOB;
		rv_memory_try(m);
		err = enqueue(m, v, req, previous, why);
		v->fired += err == RV_OK;
	}
	if (err != RV_OK && (f.by_person || !rv_rules_schedule_refused(err)))
		return err;
	if (err != RV_OK) {
		rv_memory_undo(m);
		req->became = RV_FIRED_REFUSED;
		req->job = 0;
		(void)snprintf(req->error, sizeof req->error, "%s", rv_why_text(why, err));
		why->text[0] = '\0';
		v->refused++;
	}
	if (req->became == RV_FIRED_JOB) {
		v->last_us = req->slot_us;
		v->last_job = req->job;
	}
	f.became = (enum rv_fired)req->became;
	f.job = req->job;
	f.error = req->error;
	note(m, v->def.name, &f);
	return RV_OK;
}

static int by_clock(struct mem_store *m, struct rv_schedule_view *v, struct rv_req_fire *req,
		    struct rv_why *why)
{
	struct rv_firing_view missed = {
		.slot_us = req->missed_us, .missed = req->missed, .became = RV_FIRED_MISSED};
	int err = RV_OK;

	if (v->id != req->id || v->since_us != req->since_us || v->next_us != req->seen_us ||
	    v->due_us == RV_DUE_NEVER)
		return rv_rules_schedule_stale(v->def.name, why);
	/* The wall clock was set back since: what has come of a slot has. */
	if (req->slot_us != 0 && !was_there(m, v->def.name, req->slot_us, false))
		err = fire(m, v, req, why);
	if (err != RV_OK)
		return err;
	if (req->missed > 0 && !was_there(m, v->def.name, req->missed_us, false)) {
		note(m, v->def.name, &missed);
		v->missed += req->missed;
	}
	v->next_us = req->next_us;
	v->due_us = req->due_us;
	return RV_OK;
}

int rv_memory_do_fire(struct mem_store *m, struct rv_req_fire *req, struct rv_why *why)
{
	struct rv_schedule_view *v = find(m, req->schedule);

	req->became = RV_FIREDS;
	req->job = 0;
	req->error[0] = '\0';
	if (!v)
		return rv_rules_no_schedule(req->schedule, why);
	if (req->id != 0)
		return by_clock(m, v, req, why);
	req->slot_us = m->wall_us;
	while (was_there(m, req->schedule, req->slot_us, true))
		req->slot_us++;
	return fire(m, v, req, why);
}

static int by_name(const void *a, const void *b)
{
	const struct rv_schedule_view *const *x = a;
	const struct rv_schedule_view *const *y = b;

	return strcmp((*x)->def.name, (*y)->def.name);
}

static bool is_wanted(const struct rv_schedule_view *v, enum rv_schedules_of of, const char *name,
		      const struct rv_schedule_view *first)
{
	if (of == RV_SCHEDULES_NAMED)
		return strcmp(v->def.name, name) == 0;
	return of == RV_SCHEDULES_ALL || v == first;
}

int rv_memory_read_schedules(struct rv_store *store, enum rv_schedules_of of, const char *name,
			     int (*each)(void *ctx, const struct rv_schedule_view *view), void *ctx)
{
	struct mem_store *m = MEM_OF(store);
	const struct rv_schedule_view **list = calloc(m->now.schedules.n + 1, sizeof *list);
	const struct rv_schedule_view *first = NULL;
	size_t n = 0;
	int err = RV_OK;

	if (!list)
		IMPOSSIBLE("no memory for the oracle");
	MEM_EACH(m, schedules, s)
	list[n++] = s;
	qsort((void *)list, n, sizeof(const struct rv_schedule_view *), by_name);
	for (size_t i = 0; i < n; i++)
		if (list[i]->due_us != RV_DUE_NEVER && (!first || list[i]->due_us < first->due_us))
			first = list[i];
	for (size_t i = 0; err == RV_OK && i < n; i++)
		if (is_wanted(list[i], of, name, first))
			err = each(ctx, list[i]);
	free((void *)list);
	return err;
}

int rv_memory_read_firings(struct rv_store *store, const char *schedule, int64_t limit,
			   int (*each)(void *ctx, const struct rv_firing_view *view), void *ctx)
{
	size_t n;
	struct rv_firing_view *list = firings_of(MEM_OF(store), schedule, &n);
	int err = RV_OK;

	for (size_t i = 0; err == RV_OK && i < n && (limit <= 0 || i < (size_t)limit); i++)
		err = each(ctx, &list[i]);
	free(list);
	return err;
}
