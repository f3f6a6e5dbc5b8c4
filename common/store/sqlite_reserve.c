/*
 * Who starved: the oldest job in a line that has changed lines RV_MOVES_MAX times and whose queue
 * is not paused.  Nobody else takes of what it needs.  There is no row for it: it follows from
 * those in the lines, and a request looks it up once.  Leaders of a round, the keeper, readers.
 */
#include "store/sqlite.h"
#include "store/sqlite_gate.h"
#include "store/sqlite_tally.h"

#include "base/check.h"

#include <stdlib.h>

_Static_assert(RV_MOVES_MAX == 8, "as the index blocked_moved and its statement have it");

/* The next job above ${*id} that moved often enough, with its queue. */
static int next_moved(struct rv_sqlite *s, int64_t *id, const struct rv_sqlite_queue **ret_queue)
{
	sqlite3_stmt *stmt;
	int64_t queue;
	int err = rv_sqlite_start(s, RV_SQL_MOVED_NEXT, &stmt, "i", *id);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	*id = sqlite3_column_int64(stmt, 0);
	queue = sqlite3_column_int64(stmt, 1);
	rv_sqlite_end(stmt);
	*ret_queue = rv_sqlite_queue_by_id(s, queue);
	return *ret_queue ? RV_OK : RV_E_CORRUPT;
}

static int find_needs(struct rv_sqlite *s, struct rv_sqlite_reserver *reserver)
{
	struct rv_sqlite_place place;
	struct rv_sqlite_caller c = {.place = &place};
	char line[RV_GATE_MAX];
	int err = rv_sqlite_caller(s, reserver->id, &c, line);

	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	rv_sqlite_needs(s, &c);
	reserver->needs = c.needs;
	return RV_OK;
}

int rv_sqlite_reserver(struct rv_sqlite *s, const struct rv_sqlite_reserver **ret)
{
	const struct rv_sqlite_queue *queue = NULL;
	int err;

	if (!s->reserver)
		s->reserver = calloc(1, sizeof *s->reserver);
	if (!s->reserver)
		return RV_E_NOMEM;
	*ret = s->reserver;
	if (s->reserver_known)
		return RV_OK;
	s->reserver->id = 0;
	s->reserver->needs.count = 0;
#ifdef RV_MUTANT_STARVES
	s->reserver->id = INT64_MAX;
#endif
	do
		err = next_moved(s, &s->reserver->id, &queue);
	while (err == RV_OK && queue->gate == RV_QUEUE_PAUSED);
	if (err == RV_OK)
		err = find_needs(s, s->reserver);
	else if (err == RV_E_NOTFOUND) {
		s->reserver->id = 0;
		err = RV_OK;
	}
	s->reserver_known = err == RV_OK;
	return err;
}

int rv_sqlite_kept(struct rv_sqlite *s, int64_t *ret_id, const struct rv_needs **ret_needs)
{
	const struct rv_sqlite_reserver *reserver;
	int err = rv_sqlite_reserver(s, &reserver);

	if (err != RV_OK)
		return err;
	*ret_id = reserver->id;
	*ret_needs = &reserver->needs;
	return RV_OK;
}

/* What was kept is not any more: who waits for it is looked at. */
static int open_gates(struct rv_sqlite *s, const struct rv_needs *kept)
{
	for (size_t i = 0; i < kept->count; i++) {
		size_t index;
		int err = rv_sqlite_gate(s, kept->of[i].gate, &index);

		if (err != RV_OK)
			return err;
		s->gates[index].open = s->gates[index].open || s->gates[index].waiting > 0;
	}
	return RV_OK;
}

/* Where it waits is looked at. */
static int open_line(struct rv_sqlite *s)
{
	const struct rv_sqlite_reserver *reserver;
	struct rv_sqlite_place place;
	struct rv_sqlite_caller c = {.place = &place};
	char line[RV_GATE_MAX];
	size_t index;
	int err = rv_sqlite_reserver(s, &reserver);

	if (err != RV_OK || reserver->id == 0)
		return err;
	err = rv_sqlite_caller(s, reserver->id, &c, line);
	if (err == RV_OK)
		err = rv_sqlite_gate(s, line, &index);
	if (err == RV_OK)
		s->gates[index].open = true;
	return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
}

int rv_sqlite_reserver_call(struct rv_sqlite *s)
{
	if (!s->reserver_gone)
		return RV_OK;
	s->reserver_gone = false;
	return open_line(s);
}

int rv_sqlite_reserver_leaves(struct rv_sqlite *s, int64_t id)
{
	const struct rv_sqlite_reserver *reserver;
	int err = rv_sqlite_reserver(s, &reserver);

	PRE(id > 0);
	if (err != RV_OK || reserver->id != id)
		return err;
	s->reserver_known = false;
	s->reserver_gone = true;
	return open_gates(s, &s->reserver->needs);
}

int rv_sqlite_reserver_again(struct rv_sqlite *s)
{
	struct rv_sqlite_reserver was;
	const struct rv_sqlite_reserver *now;
	int err;

	PRE(s->reserver_known);
	was = *s->reserver;
	s->reserver_known = false;
	err = rv_sqlite_reserver(s, &now);
	if (err != RV_OK || now->id == was.id)
		return err;
	err = open_gates(s, &was.needs);
	return err == RV_OK ? open_line(s) : err;
}

int rv_sqlite_reserver_moved(struct rv_sqlite *s, int64_t id)
{
	int64_t moves;
	int err = rv_sqlite_number(s, RV_SQL_LINE_MOVES, &moves, "i", id);

	return err == RV_OK && moves == RV_MOVES_MAX ? rv_sqlite_reserver_again(s) : err;
}
