/*
 * The gates that a request touches: read once, changed in memory, written at the request's end.
 * Whoever writes.  A turn that gives back and takes the same writes nothing.  A request that fails
 * forgets them; its rows are taken back by the savepoint.
 */
#include "store/sqlite.h"
#include "store/sqlite_gate.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 2166136261U;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619U;
	return hash;
}

static struct rv_sqlite_gate *another(struct rv_sqlite *s)
{
	INV(s->ngates <= s->gates_space);
	if (s->ngates == s->gates_space) {
		size_t space = s->gates_space == 0 ? RV_LIMIT(16, 1) : s->gates_space * 2;
		struct rv_sqlite_gate *grown = reallocarray(s->gates, space, sizeof *grown);

		if (!grown)
			return NULL;
		s->gates = grown;
		s->gates_space = space;
	}
	memset(&s->gates[s->ngates], 0, sizeof s->gates[0]);
	return &s->gates[s->ngates++];
}

static int load(struct rv_sqlite *s, struct rv_sqlite_gate *gate)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_GATE_OF, &stmt, "t", gate->name);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_OK : err;
	gate->known = true;
	gate->used = sqlite3_column_int64(stmt, 0);
	gate->waiting = sqlite3_column_int64(stmt, 1);
	gate->full_us = sqlite3_column_int64(stmt, 2);
	gate->due_us = sqlite3_column_int64(stmt, 3);
	rv_sqlite_end(stmt);
	return gate->used >= 0 && gate->waiting >= 0 ? RV_OK : RV_E_CORRUPT;
}

int rv_sqlite_gate(struct rv_sqlite *s, const char *name, size_t *ret_index)
{
	uint32_t hash = hash_of(name);
	struct rv_sqlite_gate *gate;
	size_t size = strlen(name);
	int err;

	PRE(s->open);
	if (size >= RV_GATE_MAX)
		return RV_E_CORRUPT;
	for (size_t i = 0; i < s->ngates; i++) {
		if (s->gates[i].hash == hash && strcmp(s->gates[i].name, name) == 0) {
			*ret_index = i;
			return RV_OK;
		}
	}
	gate = another(s);
	if (!gate)
		return RV_E_NOMEM;
	memcpy(gate->name, name, size + 1);
	gate->hash = hash;
	err = load(s, gate);
	if (err == RV_OK)
		*ret_index = s->ngates - 1;
	return err;
}

static int store_gate(struct rv_sqlite *s, const struct rv_sqlite_gate *gate)
{
	bool idle = gate->used == 0 && gate->waiting == 0 && gate->due_us == 0 &&
		    gate->full_us <= s->now_us && rv_gate_of_key(gate->name);

	INV(!gate->open);
	if (gate->used < 0 || gate->waiting < 0)
		return RV_E_CORRUPT;
	if (idle && !gate->known)
		return RV_OK;
	if (idle)
		return rv_sqlite_run1(s, RV_SQL_GATE_DROP, "t", gate->name);
	return rv_sqlite_run1(s, gate->known ? RV_SQL_GATE_SET : RV_SQL_GATE_NEW, "tiiii",
			      gate->name, gate->used, gate->waiting, gate->full_us, gate->due_us);
}

int rv_sqlite_gates_store(struct rv_sqlite *s)
{
	int err = RV_OK;

	for (size_t i = 0; err == RV_OK && i < s->ngates; i++)
		err = s->gates[i].dirty ? store_gate(s, &s->gates[i]) : RV_OK;
	s->ngates = 0;
	return err;
}

int rv_sqlite_gates_due(struct rv_sqlite *s, int64_t *ret_due_us)
{
	int err = rv_sqlite_number(s, RV_SQL_GATE_NEXT, ret_due_us, "");

	if (err != RV_E_NOTFOUND)
		return err;
	*ret_due_us = 0;
	return RV_OK;
}
