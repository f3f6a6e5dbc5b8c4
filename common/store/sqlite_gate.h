#ifndef RV_STORE_SQLITE_GATE_H
#define RV_STORE_SQLITE_GATE_H

/*
 * Gates: what is used of each, and who waits there (core/limit.h).  sqlite_gate.c keeps those that
 * a request touches in memory until its end; sqlite_limit.c lets jobs through.  Private to the
 * sqlite_*.c files.
 */

#include "core/limit.h"
#include "store/sqlite_limit.h"
#include "store/sqlite_move.h"

/* A gate as this request sees it. */
struct rv_sqlite_gate {
	char name[RV_GATE_MAX];
	uint32_t hash;
	int64_t used, waiting, full_us, due_us;
	bool known; /* has a row */
	bool dirty; /* differs from it */
	bool open;  /* the head of its line is to be looked at in this request */
};

/* sqlite_gate.c.  An index into s->gates: pointers move when another one is looked at. */
int rv_sqlite_gate(struct rv_sqlite *s, const char *name, size_t *ret_index) RV_MUST_CHECK;

#endif
