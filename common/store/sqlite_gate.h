#ifndef RV_STORE_SQLITE_GATE_H
#define RV_STORE_SQLITE_GATE_H

/*
 * Gates: what is used of each, and who waits there (core/limit.h).  sqlite_gate.c keeps those that
 * a request touches in memory until its end; sqlite_limit.c lets jobs through; sqlite_line.c calls
 * those who wait.  Private to the
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

/* The parent of a job, as what it may lend. */
struct rv_sqlite_lender {
	bool known;
	struct rv_sqlite_place place; /* id 0: there is none; queue NULL: it does not run */
	struct rv_sqlite_said said;
};

/* A job at its gates. */
struct rv_sqlite_caller {
	struct rv_sqlite_place *place;
	struct rv_needs needs;
	size_t gates[RV_NEEDS_MAX]; /* of the needs that rv_sqlite_lack() found no fault with */
	struct rv_sqlite_said said;
	struct rv_sqlite_lender lender;
	int borrows; /* RV_MARK_HOLDS that rv_sqlite_lack() found only the lender to have */
};

/* sqlite_gate.c.  An index into s->gates: pointers move when another one is looked at. */
int rv_sqlite_gate(struct rv_sqlite *s, const char *name, size_t *ret_index) RV_MUST_CHECK;

/* sqlite_limit.c, for sqlite_line.c. */
/* Task, key and resources from ${column} on; the statement is ended. */
void rv_sqlite_words(sqlite3_stmt *stmt, int column, struct rv_sqlite_said *ret_said);
/* What it needs, of task, key, resources and place. */
void rv_sqlite_needs(struct rv_sqlite *s, struct rv_sqlite_caller *c);
/*
 * ${*ret_lacks}: the first gate that does not let it pass, -1: all do; ${*ret_due}: when it has a
 * token.
 */
int rv_sqlite_lack(struct rv_sqlite *s, struct rv_sqlite_caller *c, int64_t *ret_lacks,
		   int64_t *ret_due) RV_MUST_CHECK;
/* All that it needs, after rv_sqlite_lack() found no lack. */
int rv_sqlite_take(struct rv_sqlite *s, const struct rv_sqlite_caller *c) RV_MUST_CHECK;

/* The job ${id} leaves the line of the gate; its row is still there. */
int rv_sqlite_left_line(struct rv_sqlite *s, int64_t id, const char *name) RV_MUST_CHECK;

/* sqlite_lend.c.  Whether the job's parent sleeps; and has what ${need} says. */
int rv_sqlite_is_awaited(struct rv_sqlite *s, struct rv_sqlite_caller *c,
			 bool *ret_awaited) RV_MUST_CHECK;
int rv_sqlite_may_borrow(struct rv_sqlite *s, struct rv_sqlite_caller *c,
			 const struct rv_need *need, bool *ret_may) RV_MUST_CHECK;
/* All that the caller borrows changes hands; of the gates as much is used as before. */
int rv_sqlite_borrow(struct rv_sqlite *s, const struct rv_sqlite_caller *c) RV_MUST_CHECK;
/*
 * What ${place} gives back of this kind, a unit of the gate ${name}, is that of an ancestor which
 * runs: it has it again (${*ret_returned}).
 */
int rv_sqlite_return(struct rv_sqlite *s, const struct rv_sqlite_place *place,
		     enum rv_gate_kind kind, const char *name, bool *ret_returned) RV_MUST_CHECK;
/* The next that sleeps above ${id}. */
int rv_sqlite_next_lender(struct rv_sqlite *s, int64_t id,
			  struct rv_sqlite_lender *ret_lender) RV_MUST_CHECK;

/* sqlite_line.c.  A job that waits in a line, and which. */
int rv_sqlite_caller(struct rv_sqlite *s, int64_t id, struct rv_sqlite_caller *c,
		     char ret_line[RV_GATE_MAX]) RV_MUST_CHECK;

/* sqlite_reserve.c.  Who starved: all it needs is kept for it (RV_MOVES_MAX). */
struct rv_sqlite_reserver {
	int64_t id; /* 0: nobody */
	struct rv_needs needs;
};
/* If it is another one, the gate at which it waits is open. */
int rv_sqlite_reserver_call(struct rv_sqlite *s) RV_MUST_CHECK;
/* Borrowed, until the next call of these. */
int rv_sqlite_reserver(struct rv_sqlite *s, const struct rv_sqlite_reserver **ret) RV_MUST_CHECK;
/* The job ${id} leaves its line: if all was kept for it, others are looked at. */
int rv_sqlite_reserver_leaves(struct rv_sqlite *s, int64_t id) RV_MUST_CHECK;
/* The job has changed lines after rv_sqlite_lack(): it may be the one now. */
int rv_sqlite_reserver_moved(struct rv_sqlite *s, int64_t id) RV_MUST_CHECK;

#endif
