/*
 * A job as people see it: one row of the VIEW statements made into a struct.  Strings go into an
 * arena, so that the snapshot can end before anybody looks at them.  Workers (load), keeper, CLI.
 */
#include "store/sqlite.h"
#include "store/sqlite_move.h"
#include "store/sqlite_view.h"

#include "base/check.h"

#include <string.h>

/* The columns of VIEW in sqlite_stmt.def. */
enum column {
	ID,
	TASK,
	QUEUE,
	SPEC,
	UNIQUE_KEY,
	IDEM_KEY,
	KEY,
	LABELS,
	PRIORITY,
	MAX_ATTEMPTS,
	MAX_CRASHES,
	RUN_AT,
	CREATED,
	EXPIRES,
	TIMEOUT,
	UID,
	PAYLOAD,
	R_ID,
	S_RUN_AT,
	B_ID,
	RUNS,
	ATTEMPTS,
	CRASHES,
	GRANTED,
	L_FENCE,
	L_INCARNATION,
	L_SLOT,
	L_STARTED,
	L_STARTED_AT,
	L_CANCEL,
	L_WORKER,
	D_STATE,
	D_FINISHED,
	D_ERROR,
	D_FENCE,
	D_WORKER,
	D_STARTED,
	D_EXIT,
	D_SIGNO,
	A_WORKER,
	A_STARTED,
	A_EXIT,
	A_SIGNO,
	A_ERROR,
	PARENTS,
	DEADLINE,
	WEIGHT,
	SUM,
	B_MARKS,
	TAKES,
	GATE,
	META,
	UNTIL,
	BATCH,
	PARENT,
	COLUMNS,
};

/* A row being read; out_of_memory sticks. */
struct reader {
	sqlite3_stmt *stmt;
	struct rv_arena *arena;
	bool out_of_memory;
};

static const char *text(struct reader *r, int column)
{
	const char *value = (const char *)sqlite3_column_text(r->stmt, column);
	const char *copy;

	if (!value) {
		r->out_of_memory =
			r->out_of_memory || sqlite3_column_type(r->stmt, column) != SQLITE_NULL;
		return NULL;
	}
	copy = rv_arena_memdup(r->arena, value, (size_t)sqlite3_column_bytes(r->stmt, column));
	r->out_of_memory = r->out_of_memory || !copy;
	return copy;
}

static bool given(const struct reader *r, int column)
{
	return sqlite3_column_type(r->stmt, column) != SQLITE_NULL;
}

static int64_t number(const struct reader *r, int column)
{
	return sqlite3_column_int64(r->stmt, column);
}

static int small(const struct reader *r, int column)
{
	return sqlite3_column_int(r->stmt, column);
}

static void read_job(struct reader *r, struct rv_job_view *v)
{
	v->id = number(r, ID);
	v->task = text(r, TASK);
	v->queue = text(r, QUEUE);
	v->spec = text(r, SPEC);
	v->unique_key = text(r, UNIQUE_KEY);
	v->idem_key = text(r, IDEM_KEY);
	v->key = text(r, KEY);
	v->labels = text(r, LABELS);
	v->meta = text(r, META);
	v->callback = number(r, BATCH) < 0;
	v->parent = number(r, PARENT);
	v->batch = v->callback ? -number(r, BATCH) : number(r, BATCH);
	v->priority = small(r, PRIORITY);
	v->max_attempts = small(r, MAX_ATTEMPTS) + small(r, GRANTED);
	v->max_crashes = small(r, MAX_CRASHES);
	v->run_at_us = given(r, S_RUN_AT) ? number(r, S_RUN_AT) : number(r, RUN_AT);
	v->created_us = number(r, CREATED);
	v->expires_us = number(r, EXPIRES);
	v->timeout_us = number(r, TIMEOUT);
	v->deadline_us = number(r, DEADLINE);
	v->weight = small(r, WEIGHT);
	v->takes = text(r, TAKES);
	v->gate = text(r, GATE);
	v->until_us = number(r, UNTIL);
	v->uid = (uid_t)number(r, UID);
	v->payload_size = (size_t)number(r, PAYLOAD);
	v->sum = (uint64_t)number(r, SUM);
	v->runs = small(r, RUNS);
	v->crashes = small(r, CRASHES);
	v->parent_left = number(r, PARENTS);
	v->held = (number(r, B_MARKS) & RV_MARK_HELD) != 0;
}

static int read_state(const struct reader *r, enum rv_job_state *ret_state)
{
	if (given(r, R_ID))
		*ret_state = RV_JOB_READY;
	else if (given(r, S_RUN_AT))
		*ret_state = RV_JOB_SCHEDULED;
	else if (given(r, B_ID))
		*ret_state = RV_JOB_BLOCKED;
	else if (given(r, L_FENCE))
		*ret_state = small(r, L_STARTED) ? RV_JOB_RUNNING : RV_JOB_READY;
	else if (given(r, D_STATE) && small(r, D_STATE) < RV_JOB_STATES && small(r, D_STATE) >= 0)
		*ret_state = (enum rv_job_state)small(r, D_STATE);
	else
		return RV_E_CORRUPT;
	return RV_OK;
}

static void read_lease(struct reader *r, struct rv_job_view *v)
{
	v->slot = -1;
	if (!given(r, L_FENCE))
		return;
	v->fence = number(r, L_FENCE);
	v->incarnation = (uint64_t)number(r, L_INCARNATION);
	v->slot = small(r, L_SLOT);
	v->cancel_requested = small(r, L_CANCEL) != 0;
	v->prefetched = small(r, L_STARTED) == 0;
}

/* The last run: the running one, the one that ended the job, or one that did not. */
static void read_run(struct reader *r, struct rv_job_view *v)
{
	bool running = given(r, L_FENCE) && small(r, L_STARTED) != 0;

	v->exit_code = -1;
	v->finished_us = number(r, D_FINISHED);
	if (running) {
		v->worker = text(r, L_WORKER);
		v->started_us = number(r, L_STARTED_AT);
	} else if (given(r, D_FENCE)) {
		v->worker = text(r, D_WORKER);
		v->started_us = number(r, D_STARTED);
		v->exit_code = small(r, D_EXIT);
		v->signo = small(r, D_SIGNO);
	} else if (given(r, A_STARTED)) {
		v->worker = text(r, A_WORKER);
		v->started_us = number(r, A_STARTED);
		v->exit_code = small(r, A_EXIT);
		v->signo = small(r, A_SIGNO);
		v->error = text(r, A_ERROR);
	}
	if (given(r, D_STATE))
		v->error = text(r, D_ERROR);
}

int rv_sqlite_view(sqlite3_stmt *stmt, struct rv_arena *arena, struct rv_job_view *ret_view)
{
	struct reader r = {.stmt = stmt, .arena = arena};
	struct rv_job_view *v = ret_view;
	int err;

	PRE(sqlite3_column_count(stmt) == COLUMNS);
	memset(v, 0, sizeof *v);
	err = read_state(&r, &v->state);
	if (err != RV_OK)
		return err;
	read_job(&r, v);
	read_lease(&r, v);
	read_run(&r, v);
	v->attempt = small(&r, ATTEMPTS) + (v->state == RV_JOB_RUNNING);
	if (r.out_of_memory)
		return RV_E_NOMEM;
	return v->task && v->queue ? RV_OK : RV_E_CORRUPT;
}
