/*
 * The lines of jobs that wait at gates.  When a gate gets room it is open, and at the end of the
 * request the first in its line is looked at: it goes, moves to the line of another gate that it
 * lacks, or shuts this one.  Nobody overtakes in a line.  Leaders of a round, the keeper.
 */
#include "store/sqlite.h"
#include "store/sqlite_gate.h"
#include "store/sqlite_tally.h"

#include "base/check.h"

#include <string.h>

static void shut(struct rv_sqlite *s, size_t index, int64_t due_us)
{
	struct rv_sqlite_gate *gate = &s->gates[index];

	PRE(index < s->ngates);
	gate->open = false;
	gate->dirty = gate->dirty || gate->due_us != due_us;
	gate->due_us = due_us;
	if (due_us != 0)
		rv_store_note_ring(&s->base, RV_RING_SCHEDULED, "", 0);
}

static int read_caller(struct rv_sqlite *s, sqlite3_stmt *stmt, struct rv_sqlite_caller *c)
{
	int err = rv_sqlite_place_read(s, stmt, 1, sqlite3_column_int64(stmt, 0), c->place);

	rv_sqlite_words(stmt, 9, &c->said);
	if (err == RV_OK && (c->place->marks & RV_MARK_PASSED))
		return RV_E_CORRUPT; /* who waits holds nothing */
	return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
}

/* The first in the line; NOTFOUND: nobody. */
static int read_head(struct rv_sqlite *s, const char *gate, struct rv_sqlite_caller *c)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_LINE_HEAD, &stmt, "t", gate);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	return err == RV_OK ? read_caller(s, stmt, c) : err;
}

int rv_sqlite_caller(struct rv_sqlite *s, int64_t id, struct rv_sqlite_caller *c,
		     char ret_line[RV_GATE_MAX])
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_LINE_OF, &stmt, "i", id);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	rv_sqlite_text(stmt, 12, ret_line, RV_GATE_MAX);
	return read_caller(s, stmt, c);
}

/* Out of its line and ready, with all it needs (${c}) or, of a paused queue, without (NULL). */
static int let_go(struct rv_sqlite *s, const char *line, struct rv_sqlite_place *place,
		  const struct rv_sqlite_caller *c)
{
	int err = rv_sqlite_left_line(s, place->id, line);

	if (err == RV_OK)
		err = rv_sqlite_run1(s, RV_SQL_BLOCKED_DROP, "i", place->id);
	if (err == RV_OK && c)
		err = rv_sqlite_take(s, c);
	return err == RV_OK ? rv_sqlite_to_ready(s, place, RV_JOB_BLOCKED, NULL) : err;
}

static int change_line(struct rv_sqlite *s, size_t from, size_t to,
		       const struct rv_sqlite_place *place)
{
	int err;

	PRE(from < s->ngates && to < s->ngates && from != to);
	s->gates[from].waiting--;
	s->gates[from].open = s->gates[from].dirty = true;
	s->gates[to].waiting++;
	s->gates[to].open = s->gates[to].dirty = true;
	err = rv_sqlite_run1(s, RV_SQL_LINE_CHANGE, "iti", place->id, s->gates[to].name,
			     rv_gate_line(s->gates[to].name, place->ord, place->id));
	return err == RV_OK ? rv_sqlite_reserver_moved(s, place->id) : err;
}

/*
 * Who starved is called whatever line it stands in.  ${*ret_done} false: the head of this one is to
 * be looked at.
 */
static int look_at_reserver(struct rv_sqlite *s, size_t index, bool *ret_done, uint32_t *granted)
{
	struct rv_sqlite_place place = {.id = 0};
	struct rv_sqlite_caller c = {.place = &place};
	const struct rv_sqlite_reserver *reserver;
	char line[RV_GATE_MAX];
	size_t from = 0;
	int64_t lacks;
	int64_t due;
	int err = rv_sqlite_reserver(s, &reserver);

	*ret_done = false;
	if (err != RV_OK || reserver->id == 0)
		return err;
	err = rv_sqlite_caller(s, reserver->id, &c, line);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	c.needs = reserver->needs;
	if (!rv_need_of(&c.needs, s->gates[index].name) && strcmp(line, s->gates[index].name) != 0)
		return RV_OK;
	err = rv_sqlite_lack(s, &c, &lacks, &due);
	if (err != RV_OK)
		return err;
	if (lacks < 0) {
		*ret_done = true;
		++*granted;
		return let_go(s, line, &place, &c);
	}
	err = rv_sqlite_gate(s, line, &from);
	if (err == RV_OK && from != (size_t)lacks)
		err = change_line(s, from, (size_t)lacks, &place);
	if (err != RV_OK || (size_t)lacks != index || due == 0)
		return err;
	*ret_done = true;
	shut(s, index, due);
	return RV_OK;
}

/* The head of the line of an open gate: it goes, or moves to another line, or the gate is shut. */
static int look_at_head(struct rv_sqlite *s, size_t index, uint32_t *granted)
{
	const struct rv_sqlite_reserver *reserver;
	struct rv_sqlite_place place = {.id = 0};
	struct rv_sqlite_caller c = {.place = &place};
	const char *name = s->gates[index].name;
	bool paused;
	int64_t lacks;
	int64_t due;
	int err;

	if (s->gates[index].waiting == 0) {
		shut(s, index, 0);
		return RV_OK;
	}
	err = read_head(s, name, &c);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	paused = place.queue->gate == RV_QUEUE_PAUSED;
	if (paused && rv_gate_of_queue(name, place.queue->name)) {
		shut(s, index, 0);
		return RV_OK;
	}
	if (paused) { /* in nobody's way where it holds and waits for nothing */
		++*granted;
		return let_go(s, name, &place, NULL);
	}
	rv_sqlite_needs(s, &c);
	err = rv_sqlite_lack(s, &c, &lacks, &due);
	if (err == RV_OK)
		err = rv_sqlite_reserver(s, &reserver);
	if (err != RV_OK)
		return err;
	if (lacks < 0) {
		++*granted;
		return let_go(s, s->gates[index].name, &place, &c);
	}
	if ((size_t)lacks != index) {
		s->lend_due = s->lend_due || (due != 0 && (place.marks & RV_MARK_CHILD));
		return change_line(s, index, (size_t)lacks, &place);
	}
	/* A child behind this one may wait for a token. */
	if (due == 0 && s->gates[index].due_us > s->now_us)
		due = s->gates[index].due_us;
	/* Or it may take what is kept from this one. */
	s->lend_due = s->lend_due || (due == 0 && reserver->id != 0);
	shut(s, index, due);
	return RV_OK;
}

static int look(struct rv_sqlite *s, size_t index, uint32_t *granted)
{
	bool done;
	int err = look_at_reserver(s, index, &done, granted);

	return err == RV_OK && !done ? look_at_head(s, index, granted) : err;
}

/* The next child of ${lender} in the line of the gate, of no paused queue; NOTFOUND. */
static int next_child(struct rv_sqlite *s, const char *gate, const struct rv_sqlite_lender *lender,
		      struct rv_sqlite_caller *c)
{
	sqlite3_stmt *stmt;
	int64_t after = c->place->id;
	int err =
		rv_sqlite_start(s, RV_SQL_LINE_CHILD, &stmt, "tii", gate, after, lender->place.id);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	return err == RV_OK ? read_caller(s, stmt, c) : err;
}

/* To the first of its children in the line that lacks nothing but what it has there. */
static int lend_at(struct rv_sqlite *s, size_t index, const struct rv_sqlite_lender *lender,
		   uint32_t *granted)
{
	struct rv_sqlite_place place = {.id = 0};
	struct rv_sqlite_caller c = {.place = &place};
	int64_t lacks;
	int64_t due;
	int err = RV_OK;

	PRE(index < s->ngates && lender->place.id > 0);
	for (int looks = 0; s->gates[index].waiting > 0; looks++) {
		if (looks == RV_GRANT_MAX) {
			shut(s, index, s->now_us); /* the keeper goes on */
			return RV_OK;
		}
		err = next_child(s, s->gates[index].name, lender, &c);
		if (err != RV_OK)
			return err == RV_E_NOTFOUND ? RV_OK : err;
		c.lender.known = false;
		rv_sqlite_needs(s, &c);
		err = rv_sqlite_lack(s, &c, &lacks, &due);
		if (err == RV_OK && lacks < 0) {
			++*granted;
			return let_go(s, s->gates[index].name, &place, &c);
		}
		if (err == RV_OK && (size_t)lacks != index) {
			s->lend_due = s->lend_due || due != 0;
			err = change_line(s, index, (size_t)lacks, &place);
		} else if (err == RV_OK) { /* a token, or what has been lent meanwhile */
			if (due != 0)
				shut(s, index, due);
			return RV_OK;
		}
		if (err != RV_OK)
			return err;
	}
	return RV_OK;
}

/* What it holds itself; then it is read again, for it has less after that. */
static int lend_own(struct rv_sqlite *s, struct rv_sqlite_lender *lender, uint32_t *granted)
{
	int err = RV_OK;

	PRE(lender->place.queue); /* who sleeps has a lease */
	for (enum rv_gate_kind kind = 0; err == RV_OK && kind < RV_GATE_KINDS; kind++) {
		uint32_t before = *granted;
		char name[RV_GATE_MAX];
		size_t index = 0;

		if (kind == RV_GATE_RESOURCE || !(lender->place.marks & RV_MARK_HOLDS(kind)))
			continue;
		rv_gate_own(kind, lender->place.queue->name, lender->said.task, lender->said.key,
			    name);
		err = rv_sqlite_gate(s, name, &index);
		if (err == RV_OK)
			err = lend_at(s, index, lender, granted);
		if (err == RV_OK && *granted != before)
			err = rv_sqlite_next_lender(s, lender->place.id - 1, lender);
	}
	return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
}

/* What is kept for who starved is not kept from its children: that one may wait for it. */
static int lend_kept(struct rv_sqlite *s, const struct rv_sqlite_lender *lender, uint32_t *granted)
{
	const struct rv_sqlite_reserver *reserver;
	struct rv_needs kept;
	int err = rv_sqlite_reserver(s, &reserver);

	PRE(lender->place.id > 0);
	if (err != RV_OK || reserver->id == 0)
		return err;
	kept = reserver->needs;
	for (size_t i = 0; err == RV_OK && i < kept.count; i++) {
		size_t index = 0;

		err = rv_sqlite_gate(s, kept.of[i].gate, &index);
		if (err == RV_OK)
			err = lend_at(s, index, lender, granted);
	}
	return err;
}

/* Who sleeps and has something that a child of it lacks, lends it. */
static int lend(struct rv_sqlite *s, uint32_t *granted)
{
	struct rv_sqlite_lender lender = {.known = false};
	int64_t id = 0;
	int err;

	PRE(s->open);
	while ((err = rv_sqlite_next_lender(s, id, &lender)) == RV_OK) {
		id = lender.place.id;
		err = lend_own(s, &lender, granted);
		if (err == RV_OK)
			err = lend_kept(s, &lender, granted);
		if (err != RV_OK)
			return err;
	}
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

/* The first open gate by name; false: none. */
static bool open_gate(const struct rv_sqlite *s, size_t *ret_index)
{
	bool found = false;

	for (size_t i = 0; i < s->ngates; i++) {
		if (!s->gates[i].open ||
		    (found && strcmp(s->gates[i].name, s->gates[*ret_index].name) > 0))
			continue;
		*ret_index = i;
		found = true;
	}
	return found;
}

/*
 * The keeper goes on with it, at once.  Where nobody waits there is nothing to go on with, unless
 * it is kept for who starved: then it is looked at where that one stands.
 */
static int put_off(struct rv_sqlite *s, size_t index)
{
	const struct rv_sqlite_reserver *reserver;
	struct rv_sqlite_place place = {.id = 0};
	struct rv_sqlite_caller c = {.place = &place};
	char line[RV_GATE_MAX];
	size_t at = 0;
	int err = rv_sqlite_reserver(s, &reserver);

	if (err != RV_OK)
		return err;
	shut(s, index, s->gates[index].waiting > 0 ? s->now_us : 0);
	if (reserver->id == 0 || !rv_need_of(&reserver->needs, s->gates[index].name))
		return RV_OK;
	err = rv_sqlite_caller(s, reserver->id, &c, line);
	if (err == RV_OK)
		err = rv_sqlite_gate(s, line, &at);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	shut(s, at, s->now_us);
	return RV_OK;
}

int rv_sqlite_grant(struct rv_sqlite *s, uint32_t *ret_granted)
{
	uint32_t granted = 0;
	size_t index = 0;
	int err = RV_OK;

	PRE(s->open);
	for (uint32_t looks = 0;; looks++) {
		if (err == RV_OK)
			err = rv_sqlite_reserver_call(s);
		if (err != RV_OK)
			break;
		if (!open_gate(s, &index)) {
			if (!s->lend_due)
				break;
			s->lend_due = false;
			err = lend(s, &granted);
			continue;
		}
		if (looks < RV_GRANT_MAX)
			err = look(s, index, &granted);
		else
			err = put_off(s, index);
	}
	*ret_granted = granted;
	return err;
}

/* The next gate above (${at}, ${name}) whose time has come. */
static int next_due(struct rv_sqlite *s, int64_t *at, char name[RV_GATE_MAX])
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_GATE_DUE, &stmt, "iit", s->now_us, *at, name);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	*at = sqlite3_column_int64(stmt, 0);
	rv_sqlite_text(stmt, 1, name, RV_GATE_MAX);
	rv_sqlite_end(stmt);
	return RV_OK;
}

int rv_sqlite_grant_due(struct rv_sqlite *s, uint32_t limit, uint32_t *ret_granted)
{
	char name[RV_GATE_MAX] = "";
	uint32_t before = 0;
	int64_t at = 0;
	size_t index;
	int err = rv_sqlite_grant(s, &before);

	if (err == RV_OK) /* the index must know what this request did */
		err = rv_sqlite_gates_store(s);
	for (uint32_t n = 0; err == RV_OK && n < limit; n++) {
		err = next_due(s, &at, name);
		if (err == RV_OK)
			err = rv_sqlite_gate(s, name, &index);
		if (err == RV_OK)
			s->gates[index].open = s->lend_due = true;
	}
	if (err != RV_OK && err != RV_E_NOTFOUND)
		return err;
	err = rv_sqlite_grant(s, ret_granted);
	if (err == RV_OK)
		*ret_granted += before;
	return err;
}

int rv_sqlite_reconsider(struct rv_sqlite *s, const char *queue)
{
	char name[RV_GATE_MAX] = "";
	int err;

	for (;;) {
		sqlite3_stmt *stmt;
		size_t index;

		err = rv_sqlite_start(s, RV_SQL_GATE_LINES, &stmt, "t", name);
		if (err == RV_OK)
			err = rv_sqlite_step(s, stmt);
		if (err != RV_OK)
			return err == RV_E_NOTFOUND ? RV_OK : err;
		rv_sqlite_text(stmt, 0, name, sizeof name);
		rv_sqlite_end(stmt);
		if (queue && !rv_gate_of_queue(name, queue))
			continue;
		err = rv_sqlite_gate(s, name, &index);
		if (err != RV_OK)
			return err;
		shut(s, index, s->now_us);
	}
}
