/*
 * Batches: counts kept where a member ends, is retried or deleted; what follows when one is over,
 * in the transaction that ended it.  Whoever executes requests; reading: the CLI.  A job that is in
 * no batch never comes here: its marks say so.
 */
#include "store/batch.h"
#include "store/sqlite.h"
#include "store/sqlite_batch.h"
#include "store/sqlite_calls.h"
#include "store/sqlite_log.h"
#include "store/sqlite_move.h"

#include "base/check.h"
#include "core/job.h"

#define READ_US (5 * RV_S_US)

int rv_sqlite_batch_count(struct rv_sqlite *s, int64_t job, enum rv_job_state state, int64_t by)
{
	int err;

	PRE(rv_job_state_final(state) && (by == 1 || by == -1));
#ifdef RV_MUTANT_BATCH_NOT_OPENED
	if (by < 0)
		return RV_OK;
#endif
	s->counted = true;
	/* No row where the batch was forgotten: the job is in none. */
	err = rv_sqlite_run(s, RV_SQL_BATCH_COUNT, NULL, "iiii", job,
			    state == RV_JOB_SUCCEEDED ? by : (int64_t)0,
			    state == RV_JOB_DEAD ? by : (int64_t)0,
			    state == RV_JOB_CANCELLED ? by : (int64_t)0);
	return err == RV_OK && state == RV_JOB_DEAD && by > 0 ? rv_sqlite_batch_dies(s, job) : err;
}

int rv_sqlite_batch_forget(struct rv_sqlite *s, int64_t job, struct rv_why *why)
{
	sqlite3_stmt *stmt;
	int64_t batch;
	bool ended;
	int err = rv_sqlite_start(s, RV_SQL_BATCH_HOME, &stmt, "i", job);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_OK : err; /* it was forgotten */
	batch = sqlite3_column_int64(stmt, 0);
	ended = sqlite3_column_int64(stmt, 1) != 0;
	rv_sqlite_end(stmt);
	if (!ended)
		return rv_rules_member(why, job, batch);
	err = rv_sqlite_run1(s, RV_SQL_BATCH_LESS, "i", batch);
	return err == RV_OK ? rv_sqlite_run(s, RV_SQL_BATCH_DROP, NULL, "i", batch) : err;
}

/* A text column, NULL where it is. */
static const char *text(sqlite3_stmt *stmt, int column, struct rv_arena *arena, bool *ret_full)
{
	const char *value = (const char *)sqlite3_column_text(stmt, column);
	const char *copy = value ? rv_arena_strdup(arena, value) : NULL;

	*ret_full = *ret_full || (value && !copy) ||
		    (!value && sqlite3_column_type(stmt, column) != SQLITE_NULL);
	return copy;
}

/* The row ${stmt} stands on. */
static int read_view(sqlite3_stmt *stmt, struct rv_arena *arena, struct rv_batch_view *ret_view)
{
	bool full = false;

	*ret_view = (struct rv_batch_view){
		.id = sqlite3_column_int64(stmt, 0),
		.name = text(stmt, 1, arena, &full),
		.labels = text(stmt, 2, arena, &full),
		.uid = (uid_t)sqlite3_column_int64(stmt, 3),
		.created_us = sqlite3_column_int64(stmt, 4),
		.closed_us = sqlite3_column_int64(stmt, 5),
		.ended_us = sqlite3_column_int64(stmt, 6),
		.total = sqlite3_column_int64(stmt, 7),
		.succeeded = sqlite3_column_int64(stmt, 8),
		.dead = sqlite3_column_int64(stmt, 9),
		.cancelled = sqlite3_column_int64(stmt, 10),
		.forgotten = sqlite3_column_int64(stmt, 11),
		.on_success = {text(stmt, 12, arena, &full), text(stmt, 13, arena, &full)},
		.on_complete = {text(stmt, 14, arena, &full), text(stmt, 15, arena, &full)},
		.success_job = sqlite3_column_int64(stmt, 16),
		.complete_job = sqlite3_column_int64(stmt, 17),
		.parent = sqlite3_column_int64(stmt, 18),
		.allowed = sqlite3_column_int64(stmt, 19),
		.percent = sqlite3_column_int64(stmt, 20),
		.stops = sqlite3_column_int64(stmt, 21) != 0,
		.failed_us = sqlite3_column_int64(stmt, 22),
	};
	ret_view->pending =
		ret_view->total - ret_view->succeeded - ret_view->dead - ret_view->cancelled;
	return full ? RV_E_NOMEM : RV_OK;
}

static int view_of(struct rv_sqlite *s, enum rv_sqlite_stmt which, int64_t id,
		   struct rv_arena *arena, struct rv_batch_view *ret_view)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, which, &stmt, "i", id);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	err = read_view(stmt, arena, ret_view);
	rv_sqlite_end(stmt);
	return err;
}

/* The callbacks are noted in the row that they are read from: each once. */
static int end_one(struct rv_sqlite *s, struct rv_batch_view *b)
{
	int err = RV_OK;
	bool success = b->succeeded == b->total;

	PRE(b->closed_us != 0 && b->ended_us == 0 && b->pending == 0);
#ifdef RV_MUTANT_BATCH_CALLBACK_TWICE
	b->success_job = b->complete_job = 0;
#endif
	if (success && b->success_job == 0 && b->on_success.task)
		err = rv_sqlite_call(s, b->id, &b->on_success, b->uid, b->parent, &b->success_job);
	if (err == RV_OK && b->complete_job == 0 && b->on_complete.task)
		err = rv_sqlite_call(s, b->id, &b->on_complete, b->uid, b->parent,
				     &b->complete_job);
	if (err == RV_OK)
		err = rv_sqlite_run1(s, RV_SQL_BATCH_END, "iiii", b->id, s->now_us, b->success_job,
				     b->complete_job);
	return err == RV_OK ? rv_sqlite_ring_waiters(s, -b->id) : err;
}

int rv_sqlite_batch_end(struct rv_sqlite *s)
{
	struct rv_arena arena;
	int64_t id;
	int err;

	PRE(s->open && s->counted);
	s->counted = false;
	rv_arena_init(&arena);
	while ((err = rv_sqlite_number(s, RV_SQL_BATCH_OVER, &id, "")) == RV_OK) {
		struct rv_batch_view b;

		err = view_of(s, RV_SQL_BATCH_OF, id, &arena, &b);
		if (err == RV_OK)
			err = end_one(s, &b);
		if (err != RV_OK)
			break;
	}
	rv_arena_reset(&arena);
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

static int known(struct rv_sqlite *s, const struct rv_callback *callback, struct rv_why *why)
{
	const struct rv_task_def *task;

	return rv_rules_said(callback->task) ? rv_sqlite_task_find(s, callback->task, &task, why)
					     : RV_OK;
}

int rv_sqlite_do_new_batch(struct rv_sqlite *s, struct rv_req *req)
{
	struct rv_req_new_batch *new = &req->u.new_batch;
	int64_t allowed;
	int64_t percent;
	int err = rv_rules_batch(new, &req->why);

	PRE(s->open);
	if (err == RV_OK)
		err = known(s, &new->on_success, &req->why);
	if (err == RV_OK)
		err = known(s, &new->on_complete, &req->why);
	if (err != RV_OK)
		return err;
	rv_sqlite_batch_most(new, &allowed, &percent);
	new->id = ++s->tally.batches;
	s->tally.dirty = true;
	return rv_sqlite_run(
		s, RV_SQL_BATCH_NEW, NULL, "ittiittttiiii", new->id, rv_rules_said(new->name),
		rv_rules_said(new->labels), (int64_t) new->uid, s->now_us,
		rv_rules_said(new->on_success.task), rv_rules_said(new->on_success.spec),
		rv_rules_said(new->on_complete.task), rv_rules_said(new->on_complete.spec),
		new->parent, allowed, percent, (int64_t) new->stops);
}

int rv_sqlite_do_close(struct rv_sqlite *s, struct rv_req *req)
{
	int64_t id = req->u.close.batch;
	struct rv_batch_view b;
	struct rv_arena arena;
	int err;

	PRE(s->open);
	rv_arena_init(&arena);
	err = view_of(s, RV_SQL_BATCH_OF, id, &arena, &b);
	rv_arena_reset(&arena);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? rv_rules_no_batch(&req->why, id) : err;
	if (b.closed_us != 0)
		return rv_rules_closed(&req->why, id);
	s->counted = true;
	return rv_sqlite_batch_close(s, &b);
}

int rv_sqlite_do_drop_batch(struct rv_sqlite *s, struct rv_req *req)
{
	int64_t id = req->u.drop_batch.batch;
	struct rv_batch_view b;
	struct rv_arena arena;
	int err;

	PRE(s->open);
	rv_arena_init(&arena);
	err = view_of(s, RV_SQL_BATCH_OF, id, &arena, &b);
	rv_arena_reset(&arena);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? rv_rules_no_batch(&req->why, id) : err;
	err = rv_rules_batch_over(&req->why, id, b.closed_us != 0, b.pending);
	return err == RV_OK ? rv_sqlite_run1(s, RV_SQL_BATCH_FORGET, "i", id) : err;
}

int rv_sqlite_read_batch(struct rv_store *store, int64_t id, struct rv_batch_view *ret_view)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	rv_arena_reset(&s->strings);
	return view_of(s, RV_SQL_BATCH_OF, id, &s->strings, ret_view);
}

/* A row at a time, each a snapshot of its own: no reader is open while a callback runs. */
int rv_sqlite_read_batches(struct rv_store *store, int64_t before, int64_t limit,
			   int (*each)(void *ctx, const struct rv_batch_view *view), void *ctx)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	struct rv_batch_view view = {.id = before > 0 ? before : INT64_MAX};
	struct rv_arena arena;
	int err = RV_OK;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	rv_arena_init(&arena);
	for (int64_t n = 0; err == RV_OK && (limit <= 0 || n < limit); n++) {
		rv_arena_reset(&arena);
		err = view_of(s, RV_SQL_BATCH_BELOW, view.id, &arena, &view);
		if (err == RV_OK)
			err = each(ctx, &view);
	}
	rv_arena_reset(&arena);
	return err == RV_E_NOTFOUND ? RV_OK : err;
}
