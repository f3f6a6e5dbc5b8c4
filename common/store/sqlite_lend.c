/*
 * A job that sleeps until its children have ended lends them what it holds of limits: else one that
 * has the last unit of its key would wait for ever for a child with the same key.  A unit changes
 * hands, so no more is ever used than before.  Leaders of a round, the keeper.
 */
#include "store/sqlite.h"
#include "store/sqlite_gate.h"
#include "store/sqlite_tally.h"

#include "base/check.h"

#include <string.h>

#define ANCESTORS_MAX                                                                              \
	64 /* looked at for the owner of a unit: parents are older, it is no circle                \
	    */

_Static_assert(RV_MARK_LENT_ANY < RV_MARK_BORROWED, "marks");

static int read_lender(struct rv_sqlite *s, sqlite3_stmt *stmt, struct rv_sqlite_lender *lender)
{
	bool runs = sqlite3_column_type(stmt, 1) != SQLITE_NULL;
	int64_t id = sqlite3_column_int64(stmt, 0);
	int err = RV_OK;

	lender->place = (struct rv_sqlite_place){.id = id};
	if (runs)
		err = rv_sqlite_place_read(s, stmt, 1, id, &lender->place);
	rv_sqlite_words(stmt, 9, &lender->said);
	return err;
}

/* place.id 0: it has none. */
static int parent_of(struct rv_sqlite *s, int64_t job, struct rv_sqlite_lender *ret_parent)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_PARENT_LEASE, &stmt, "i", job);

	PRE(job > 0);
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	ret_parent->known = true;
	ret_parent->place = (struct rv_sqlite_place){.id = 0};
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_OK : err;
	err = read_lender(s, stmt, ret_parent);
	if (ret_parent->place.id < 0) /* whoever made the batch, said: a child of nobody */
		ret_parent->place = (struct rv_sqlite_place){.id = 0};
	return err;
}

int rv_sqlite_next_lender(struct rv_sqlite *s, int64_t id, struct rv_sqlite_lender *ret_lender)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_LEASE_WAITS, &stmt, "i", id);

	PRE(id >= 0);
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	return err == RV_OK ? read_lender(s, stmt, ret_lender) : err;
}

/* Whether its unit of this kind is one of the gate ${name}. */
static bool is_of(const struct rv_sqlite_lender *lender, enum rv_gate_kind kind, const char *name)
{
	char own[RV_GATE_MAX];

	PRE(kind != RV_GATE_RESOURCE && lender->place.queue);
	rv_gate_own(kind, lender->place.queue->name, lender->said.task, lender->said.key, own);
	return strcmp(own, name) == 0;
}

int rv_sqlite_is_awaited(struct rv_sqlite *s, struct rv_sqlite_caller *c, bool *ret_awaited)
{
	int err = RV_OK;

	*ret_awaited = false;
	if (!(c->place->marks & RV_MARK_CHILD))
		return RV_OK;
	if (!c->lender.known)
		err = parent_of(s, c->place->id, &c->lender);
	*ret_awaited = err == RV_OK && c->lender.place.queue &&
		       (c->lender.place.marks & RV_MARK_WAITS_ANY) != 0;
	return err;
}

int rv_sqlite_may_borrow(struct rv_sqlite *s, struct rv_sqlite_caller *c,
			 const struct rv_need *need, bool *ret_may)
{
	const struct rv_sqlite_lender *lender = &c->lender;
	bool awaited = false;
	int err;

	*ret_may = false;
	if (need->kind == RV_GATE_RESOURCE)
		return RV_OK;
	err = rv_sqlite_is_awaited(s, c, &awaited);
#ifdef RV_MUTANT_LEND_AWAKE
	awaited = lender->known && lender->place.queue;
#endif
	if (err == RV_OK && awaited && (lender->place.marks & RV_MARK_HOLDS(need->kind)))
		*ret_may = is_of(lender, need->kind, need->gate);
	return err;
}

int rv_sqlite_borrow(struct rv_sqlite *s, const struct rv_sqlite_caller *c)
{
	int marks = c->lender.place.marks;

	PRE(c->borrows != 0 && (marks & c->borrows) == c->borrows);
	if (c->place->marks & c->borrows)
		return RV_E_CORRUPT; /* it waits and holds something */
	c->place->marks |= c->borrows | RV_MARK_BORROWED;
#ifndef RV_MUTANT_LEND_TWICE
	marks = (marks & ~c->borrows) | c->borrows << 5;
#endif
	return rv_sqlite_run1(s, RV_SQL_LEASE_MARKS, "ii", c->lender.place.id, (int64_t)marks);
}

int rv_sqlite_return(struct rv_sqlite *s, const struct rv_sqlite_place *place,
		     enum rv_gate_kind kind, const char *name, bool *ret_returned)
{
	struct rv_sqlite_lender at = {.place = {.id = place->id}};

	PRE(kind != RV_GATE_RESOURCE && !(place->marks & RV_MARK_HOLDS(kind)));
	*ret_returned = false;
	for (int i = 0; i < ANCESTORS_MAX; i++) {
		int err = parent_of(s, at.place.id, &at);
		int marks = at.place.marks;

		if (err != RV_OK || at.place.id == 0)
			return err;
		if (!at.place.queue || !(marks & RV_MARK_LENT(kind)) || !is_of(&at, kind, name))
			continue;
		if (marks & RV_MARK_HOLDS(kind))
			return RV_E_CORRUPT; /* it would have two */
		marks = (marks & ~RV_MARK_LENT(kind)) | RV_MARK_HOLDS(kind);
		if (marks & RV_MARK_WAITS_ANY)
			s->lend_due = true;
		*ret_returned = true;
		return rv_sqlite_run1(s, RV_SQL_LEASE_MARKS, "ii", at.place.id, (int64_t)marks);
	}
	return RV_OK;
}

int rv_sqlite_do_lend(struct rv_sqlite *s, struct rv_req *req)
{
	const struct rv_req_lend *lend = &req->u.lend;
	struct rv_sqlite_lease lease;
	int err = rv_sqlite_lease(s, lend->job, &lease);
	int was = err == RV_OK ? lease.place.marks : 0;
	int marks = was;

	if (err == RV_E_NOTFOUND ||
	    (err == RV_OK && (lease.place.fence != lend->fence || !lease.started)))
		return rv_fail(&req->why, RV_E_STALE, RV_SAYS_NOT_RUNNING, (long long)lend->job);
	if (err != RV_OK)
		return err;
	if (lend->on) {
		if ((was & RV_MARK_WAITS_ANY) != RV_MARK_WAITS_ANY)
			marks += RV_MARK_WAITS;
		s->lend_due = true;
	} else if (was & RV_MARK_WAITS_ANY) {
		marks -= RV_MARK_WAITS;
	}
	if (marks == was)
		return RV_OK;
	INV(marks >= 0);
	return rv_sqlite_run1(s, RV_SQL_LEASE_MARKS, "ii", lend->job, (int64_t)marks);
}
