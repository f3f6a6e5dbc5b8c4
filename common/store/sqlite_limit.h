#ifndef RV_STORE_SQLITE_LIMIT_H
#define RV_STORE_SQLITE_LIMIT_H

/*
 * Limits as the other sqlite_*.c files use them: letting jobs through (sqlite_limit.c), lines
 * (sqlite_line.c), and the gates of a request (sqlite_gate.c).  Private to them.
 */

#include "store/sqlite.h"

struct rv_sqlite_place; /* sqlite_move.h */
struct rv_needs;        /* core/limit.h */

/*
 * Marks beside those of sqlite_move.h, of a job that is ready or leased: it holds one unit of its
 * gate of this kind (core/limit.h); of resources, what the rows in hold say.
 */
#define RV_MARK_HOLDS(kind) (512 << (kind))
#define RV_MARK_HOLDS_ANY   (31 * 512) /* RV_GATE_KINDS bits */
/*
 * Of a lease: the unit of this kind is a child's until that one's run ends; never one of resources.
 * BORROWED: some of what the job holds is an ancestor's.  WAITS: how often it sleeps
 * (sqlite_lend.c).
 */
#define RV_MARK_LENT(kind) (RV_MARK_HOLDS(kind) << 5)
#define RV_MARK_LENT_ANY   (RV_MARK_HOLDS_ANY << 5)
#define RV_MARK_BORROWED   (1 << 19)
#define RV_MARK_HAS_ANY    (RV_MARK_HOLDS_ANY | RV_MARK_LENT_ANY | RV_MARK_BORROWED)
#define RV_MARK_WAITS      (1 << 20)
#define RV_MARK_WAITS_ANY  (2047 * RV_MARK_WAITS)

/* sqlite_gate.c. */
/* At the end of a request. */
int rv_sqlite_gates_store(struct rv_sqlite *s) RV_MUST_CHECK;
/* The earliest time at which a line is to be looked at, 0 none. */
int rv_sqlite_gates_due(struct rv_sqlite *s, int64_t *ret_due_us) RV_MUST_CHECK;

/* Whether any limit can concern a job of this queue and task with these marks. */
bool rv_sqlite_limited(struct rv_sqlite *s, const struct rv_sqlite_place *place, const char *task);
/* What limits ask of a job's row; "" for NULL. */
struct rv_sqlite_said {
	char task[RV_NAME_MAX], key[RV_KEY_MAX], takes[RV_TAKES_TEXT];
};
/*
 * A job taken out of ready passes all its gates, or is parked at the one that it lacks
 * (${*ret_passed} false).
 */
int rv_sqlite_pass(struct rv_sqlite *s, struct rv_sqlite_place *place,
		   const struct rv_sqlite_said *said, bool *ret_passed) RV_MUST_CHECK;
/* What a job with RV_MARK_PASSED holds is given back. */
int rv_sqlite_give_back(struct rv_sqlite *s, struct rv_sqlite_place *place) RV_MUST_CHECK;
/* A job that waits goes: what it holds is given back, or it leaves the line it stands in. */
int rv_sqlite_leave_gates(struct rv_sqlite *s, struct rv_sqlite_place *place,
			  enum rv_job_state from) RV_MUST_CHECK;
/* Before a person changes it: a parked one is ready again, none holds anything. */
int rv_sqlite_unpark(struct rv_sqlite *s, struct rv_sqlite_place *place,
		     enum rv_job_state *from) RV_MUST_CHECK;
/* sqlite_line.c. */
/* Heads of lines whose gate is open, or (due) whose time has come; how many became ready. */
int rv_sqlite_grant(struct rv_sqlite *s, uint32_t *ret_granted) RV_MUST_CHECK;
int rv_sqlite_grant_due(struct rv_sqlite *s, uint32_t limit, uint32_t *ret_granted) RV_MUST_CHECK;
/* Who waits at a gate of ${queue} (NULL: at any) is looked at anew, by the keeper. */
int rv_sqlite_reconsider(struct rv_sqlite *s, const char *queue) RV_MUST_CHECK;
/* sqlite_limit.c.  After a change of limits: what runs counts. */
int rv_sqlite_adopt(struct rv_sqlite *s) RV_MUST_CHECK;

/*
 * sqlite_reserve.c.  Who starved (0: nobody), and what is kept for it, borrowed; of this request,
 * or after s->reserver_known was set to false.
 */
int rv_sqlite_kept(struct rv_sqlite *s, int64_t *ret_id,
		   const struct rv_needs **ret_needs) RV_MUST_CHECK;
/* After rv_sqlite_kept() and a change: if it is another, both are looked at. */
int rv_sqlite_reserver_again(struct rv_sqlite *s) RV_MUST_CHECK;

#endif
