/*
 * Limits in the claim.  A job passes all its gates at once or waits at the one that it lacks; who
 * waits holds nothing, so there is no deadlock.  Leaders of a round and whoever ends a lease.  Jobs
 * without limits never come here.
 */
#include "store/sqlite.h"
#include "store/sqlite_gate.h"
#include "store/sqlite_tally.h"

#include "base/check.h"
#include "core/job.h"

#include <string.h>

_Static_assert(RV_MARK_HOLDS_ANY == RV_MARK_HOLDS(RV_GATE_KINDS) - RV_MARK_HOLDS(0), "marks");

bool rv_sqlite_limited(struct rv_sqlite *s, const struct rv_sqlite_place *place, const char *task)
{
	const struct rv_task_def *def;

	if (place->queue->limited || (place->marks & RV_MARK_TAKES))
		return true;
	if (!s->tasks_limited)
		return false;
	def = rv_sqlite_task(s, task);
	return def && (rv_limits_any(&def->limits) || def->takes[0] != '\0');
}

void rv_sqlite_needs(struct rv_sqlite *s, struct rv_sqlite_caller *c)
{
	const struct rv_task_def *task = rv_sqlite_task(s, c->said.task);
	struct rv_limited job = {.queue = c->place->queue->name,
				 .task = c->said.task,
				 .key = c->said.key,
				 .takes = c->said.takes,
				 .queue_limits = &c->place->queue->limits,
				 .task_limits = task ? &task->limits : NULL,
				 .resources = s->resources,
				 .nresources = s->nresources};

	if (task && c->said.takes[0] == '\0')
		job.takes = task->takes;
	rv_needs_of(&job, &c->needs);
}

/* Whether one stands in the line of ${gate} before the job. */
static int preceded(struct rv_sqlite *s, const char *gate, const struct rv_sqlite_place *place,
		    bool *ret_preceded)
{
	int64_t line = rv_gate_line(gate, place->ord, place->id);
	sqlite3_stmt *stmt;
	int64_t first;
	int64_t id;
	int err = rv_sqlite_start(s, RV_SQL_LINE_FIRST, &stmt, "t", gate);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	id = sqlite3_column_int64(stmt, 0);
	first = sqlite3_column_int64(stmt, 1);
	rv_sqlite_end(stmt);
	*ret_preceded = id != place->id && (first < line || (first == line && id < place->id));
	return RV_OK;
}

int rv_sqlite_lack(struct rv_sqlite *s, struct rv_sqlite_caller *c, int64_t *ret_lacks,
		   int64_t *ret_due)
{
	const struct rv_sqlite_reserver *reserver;
	const struct rv_needs *kept = NULL;
	bool awaited = false;
	bool starved;
	int err = rv_sqlite_reserver(s, &reserver);

	*ret_lacks = -1;
	*ret_due = 0;
	c->borrows = 0;
	if (err != RV_OK)
		return err;
	starved = reserver->id == c->place->id;
	if (reserver->id != 0 && !starved) {
		/* Who starved may wait for the parent that waits for this one. */
		err = rv_sqlite_is_awaited(s, c, &awaited);
		if (err != RV_OK)
			return err;
		kept = awaited ? NULL : &reserver->needs;
	}
	for (size_t i = 0; i < c->needs.count; i++) {
		const struct rv_need *need = &c->needs.of[i];
		const struct rv_sqlite_gate *gate;
		bool behind = false;
		bool may = false;
		size_t index;

		err = rv_sqlite_gate(s, need->gate, &index);
		if (err != RV_OK)
			return err;
		gate = &s->gates[index];
		c->gates[i] = index;
		if (rv_need_fits(need, gate->used, kept)) {
			*ret_due = rv_rate_due(&need->rate, gate->full_us, s->now_us);
			if (*ret_due == 0 && gate->waiting > 0 && !starved)
				err = preceded(s, need->gate, c->place, &behind);
#ifdef RV_MUTANT_LIMIT_OVERTAKEN
			behind = false;
#endif
			if (err != RV_OK)
				return err;
			if (*ret_due == 0 && !behind)
				continue;
		}
		if (*ret_due == 0) {
			err = rv_sqlite_may_borrow(s, c, need, &may);
			if (err != RV_OK)
				return err;
			if (may)
				*ret_due = rv_rate_due(&need->rate, s->gates[index].full_us,
						       s->now_us);
			if (may && *ret_due == 0) {
				c->borrows |= RV_MARK_HOLDS(need->kind);
				continue;
			}
		}
		*ret_lacks = (int64_t)index;
		return RV_OK;
	}
	return RV_OK;
}

/* The job has what ${need} says; ${*ret_new} false: it had it already. */
static int hold(struct rv_sqlite *s, struct rv_sqlite_place *place, const struct rv_need *need,
		bool *ret_new)
{
	int bit = RV_MARK_HOLDS(need->kind);
	int64_t added = 1;
	int err = RV_OK;

	PRE(need->max >= 0 && need->kind < RV_GATE_KINDS);
	if (need->kind == RV_GATE_RESOURCE)
		err = rv_sqlite_run(s, RV_SQL_HOLD_ADD, &added, "iti", place->id, need->gate,
				    need->n);
	else if (place->marks & bit)
		added = 0;
#ifdef RV_MUTANT_LIMIT_HOLD_FORGOTTEN
	bit = 0;
#endif
	place->marks |= bit;
	*ret_new = added > 0;
	return err;
}

int rv_sqlite_take(struct rv_sqlite *s, const struct rv_sqlite_caller *c)
{
	for (size_t i = 0; i < c->needs.count; i++) {
		const struct rv_need *need = &c->needs.of[i];
		struct rv_sqlite_gate *gate = &s->gates[c->gates[i]];
		bool is_new;
		int err;

#ifndef RV_MUTANT_RATE_FORGOTTEN
		gate->full_us = rv_rate_take(&need->rate, gate->full_us, s->now_us);
#endif
		gate->dirty = true;
		if (need->max < 0 || (c->borrows & RV_MARK_HOLDS(need->kind)))
			continue;
		gate->used += need->n;
		err = hold(s, c->place, need, &is_new);
		if (err != RV_OK || !is_new)
			return err == RV_OK ? RV_E_CORRUPT : err;
	}
	if (c->needs.count > 0)
		c->place->marks |= RV_MARK_PASSED;
	return c->borrows ? rv_sqlite_borrow(s, c) : RV_OK;
}

void rv_sqlite_words(sqlite3_stmt *stmt, int column, struct rv_sqlite_said *ret_said)
{
	rv_sqlite_text(stmt, column, ret_said->task, sizeof ret_said->task);
	rv_sqlite_text(stmt, column + 1, ret_said->key, sizeof ret_said->key);
	rv_sqlite_text(stmt, column + 2, ret_said->takes, sizeof ret_said->takes);
	rv_sqlite_end(stmt);
}

static int read_said(struct rv_sqlite *s, int64_t id, struct rv_sqlite_said *ret_said)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_JOB_GATES, &stmt, "i", id);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	rv_sqlite_words(stmt, 0, ret_said);
	return RV_OK;
}

static int park(struct rv_sqlite *s, struct rv_sqlite_place *place, size_t index)
{
	struct rv_sqlite_gate *gate = &s->gates[index];

	gate->waiting++;
	gate->open = gate->dirty = true;
	return rv_sqlite_to_parked(s, place, gate->name,
				   rv_gate_line(gate->name, place->ord, place->id));
}

int rv_sqlite_pass(struct rv_sqlite *s, struct rv_sqlite_place *place,
		   const struct rv_sqlite_said *said, bool *ret_passed)
{
	struct rv_sqlite_caller c; /* some kilobytes that are not worth clearing */
	int64_t lacks;
	int64_t due;
	int err;

	PRE(!(place->marks & RV_MARK_PASSED));
	c.place = place;
	c.lender.known = false;
	memcpy(c.said.task, said->task, strlen(said->task) + 1);
	memcpy(c.said.key, said->key, strlen(said->key) + 1);
	memcpy(c.said.takes, said->takes, strlen(said->takes) + 1);
	rv_sqlite_needs(s, &c);
	err = rv_sqlite_lack(s, &c, &lacks, &due);
	if (err != RV_OK)
		return err;
	*ret_passed = lacks < 0;
	if (lacks >= 0 && due != 0 && (place->marks & RV_MARK_CHILD))
		s->lend_due = true; /* no head of a line may be who waits for the token */
	return lacks < 0 ? rv_sqlite_take(s, &c) : park(s, place, (size_t)lacks);
}

/* ${n} units of the gate are free again. */
static int give_one(struct rv_sqlite *s, const char *name, int64_t n)
{
	struct rv_sqlite_gate *gate;
	size_t index;
	int err = rv_sqlite_gate(s, name, &index);

	if (err != RV_OK)
		return err;
	gate = &s->gates[index];
#ifdef RV_MUTANT_LIMIT_NOT_GIVEN_BACK
	n = 0;
#endif
	gate->used -= n;
	gate->dirty = true;
#ifndef RV_MUTANT_LIMIT_NOBODY_CALLED
	gate->open = gate->open || gate->waiting > 0;
#endif
	return gate->used < 0 ? RV_E_CORRUPT : RV_OK;
}

static int give_resources(struct rv_sqlite *s, int64_t job)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_HOLDS_OF, &stmt, "i", job);

	if (err != RV_OK)
		return err;
	while ((err = rv_sqlite_step(s, stmt)) == RV_OK) {
		char name[RV_GATE_MAX];

		rv_sqlite_text(stmt, 0, name, sizeof name);
		err = give_one(s, name, sqlite3_column_int64(stmt, 1));
		if (err != RV_OK) {
			rv_sqlite_end(stmt);
			return err;
		}
	}
	return err == RV_E_NOTFOUND ? rv_sqlite_run(s, RV_SQL_HOLDS_DROP, NULL, "i", job) : err;
}

/* ${held}: its RV_MARK_HOLDS, and RV_MARK_BORROWED. */
static int give_all(struct rv_sqlite *s, const struct rv_sqlite_place *place, int held)
{
	struct rv_sqlite_said said; /* not worth clearing */
	int err = read_said(s, place->id, &said);

	PRE(!(place->marks & RV_MARK_HOLDS_ANY)); /* none is given back twice */
	for (enum rv_gate_kind kind = 0; err == RV_OK && kind < RV_GATE_KINDS; kind++) {
		bool returned = false;
		char name[RV_GATE_MAX];

		if (!(held & RV_MARK_HOLDS(kind)))
			continue;
		if (kind == RV_GATE_RESOURCE) {
			err = give_resources(s, place->id);
			continue;
		}
		rv_gate_own(kind, place->queue->name, said.task, said.key, name);
		if (held & RV_MARK_BORROWED)
			err = rv_sqlite_return(s, place, kind, name, &returned);
		if (err == RV_OK && !returned)
			err = give_one(s, name, 1);
	}
	return err;
}

int rv_sqlite_give_back(struct rv_sqlite *s, struct rv_sqlite_place *place)
{
	int held = place->marks & (RV_MARK_HOLDS_ANY | RV_MARK_BORROWED);

	place->marks &= ~(RV_MARK_PASSED | RV_MARK_HOLDS_ANY | RV_MARK_LENT_ANY | RV_MARK_BORROWED |
			  RV_MARK_WAITS_ANY);
	return held ? give_all(s, place, held) : RV_OK;
}

int rv_sqlite_left_line(struct rv_sqlite *s, int64_t id, const char *name)
{
	size_t index;
	int err = rv_sqlite_gate(s, name, &index);

	if (err != RV_OK)
		return err;
	s->gates[index].waiting--;
	s->gates[index].open = s->gates[index].dirty = true;
	if (s->gates[index].waiting < 0)
		return RV_E_CORRUPT;
	return rv_sqlite_reserver_leaves(s, id);
}

int rv_sqlite_leave_gates(struct rv_sqlite *s, struct rv_sqlite_place *place,
			  enum rv_job_state from)
{
	char gate[RV_GATE_MAX];
	sqlite3_stmt *stmt;
	int err;

	if (from != RV_JOB_BLOCKED)
		return rv_sqlite_give_back(s, place);
	err = rv_sqlite_start(s, RV_SQL_PARKED_AT, &stmt, "i", place->id);
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_OK : err;
	rv_sqlite_text(stmt, 0, gate, sizeof gate);
	rv_sqlite_end(stmt);
	return rv_sqlite_left_line(s, place->id, gate);
}

int rv_sqlite_unpark(struct rv_sqlite *s, struct rv_sqlite_place *place, enum rv_job_state *from)
{
	int64_t found;
	int err;

	if (*from != RV_JOB_BLOCKED)
		return rv_sqlite_give_back(s, place);
	err = rv_sqlite_number(s, RV_SQL_PARKED_IS, &found, "i", place->id);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_OK : err;
	err = rv_sqlite_leave_gates(s, place, *from);
	if (err == RV_OK)
		err = rv_sqlite_run1(s, RV_SQL_BLOCKED_DROP, "i", place->id);
	*from = RV_JOB_READY;
	return err == RV_OK ? rv_sqlite_to_ready(s, place, RV_JOB_BLOCKED, NULL) : err;
}

/* What the job would have taken under limits that are new, it has. */
static int adopt(struct rv_sqlite *s, struct rv_sqlite_caller *c)
{
	rv_sqlite_needs(s, c);
	for (size_t i = 0; i < c->needs.count; i++) {
		const struct rv_need *need = &c->needs.of[i];
		size_t index = 0;
		bool is_new;
		int err;

		if (need->max < 0 || (c->place->marks & RV_MARK_LENT(need->kind)))
			continue; /* what it has lent is its own */
		err = hold(s, c->place, need, &is_new);
		if (err == RV_OK && is_new)
			err = rv_sqlite_gate(s, need->gate, &index);
		if (err != RV_OK)
			return err;
		c->place->marks |= RV_MARK_PASSED;
		if (!is_new)
			continue;
		s->gates[index].used += need->n;
		s->gates[index].dirty = true;
	}
	return RV_OK;
}

static int adopt_lease(struct rv_sqlite *s, int64_t *id)
{
	struct rv_sqlite_place place;
	struct rv_sqlite_caller c = {.place = &place};
	sqlite3_stmt *stmt;
	int before;
	int err = rv_sqlite_start(s, RV_SQL_LEASE_AFTER, &stmt, "i", *id);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	*id = sqlite3_column_int64(stmt, 0);
	err = rv_sqlite_place_read(s, stmt, 1, *id, &place);
	rv_sqlite_words(stmt, 9, &c.said);
	before = place.marks;
	if (err == RV_OK)
		err = adopt(s, &c);
	if (err != RV_OK || place.marks == before)
		return err;
	return rv_sqlite_run1(s, RV_SQL_LEASE_MARKS, "ii", *id, (int64_t)place.marks);
}

static int adopt_ready(struct rv_sqlite *s, int64_t id)
{
	struct rv_sqlite_place place = {.id = id};
	struct rv_sqlite_caller c = {.place = &place};
	sqlite3_stmt *stmt;
	int before;
	int err = rv_sqlite_start(s, RV_SQL_READY_OF, &stmt, "i", id);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	err = rv_sqlite_place_read(s, stmt, 0, id, &place);
	rv_sqlite_end(stmt);
	before = place.marks;
	if (err == RV_OK)
		err = read_said(s, id, &c.said);
	if (err == RV_OK)
		err = adopt(s, &c);
	if (err != RV_OK || place.marks == before)
		return err;
	return rv_sqlite_run1(s, RV_SQL_READY_MARKS, "iiii", place.queue->id, place.ord, id,
			      (int64_t)place.marks);
}

int rv_sqlite_adopt(struct rv_sqlite *s)
{
	int64_t id = 0;
	int err;

	s->lend_due = true;
	do
		err = adopt_lease(s, &id);
	while (err == RV_OK);
	id = 0;
	while (err == RV_E_NOTFOUND &&
	       (err = rv_sqlite_number(s, RV_SQL_READY_PASSED, &id, "i", id)) == RV_OK) {
		err = adopt_ready(s, id);
		err = err == RV_OK ? RV_E_NOTFOUND : err;
	}
	return err == RV_E_NOTFOUND ? RV_OK : err;
}
