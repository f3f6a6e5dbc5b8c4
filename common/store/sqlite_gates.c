/*
 * Reading gates and what jobs hold of them.  The CLI.  A row at a time, each a snapshot of its own,
 * so that no reader is open while a callback runs.
 */
#include "store/sqlite.h"
#include "store/sqlite_calls.h"
#include "store/sqlite_limit.h"
#include "store/sqlite_log.h"
#include "store/sqlite_tally.h"

#include "base/check.h"
#include "core/limit.h"

#define READ_US (5 * RV_S_US)

/* What limits the gate now. */
static void limits_of(struct rv_sqlite *s, struct rv_gate_view *view)
{
	struct rv_limited known = {.resources = s->resources, .nresources = s->nresources};
	const struct rv_sqlite_queue *queue;
	const struct rv_task_def *task;
	char owner[RV_NAME_MAX];
	struct rv_need need;

	rv_rules_gate_owner(view->name, owner);
	queue = rv_sqlite_queue_named(s, owner);
	task = rv_sqlite_task(s, owner);
	known.queue = known.task = owner;
	known.queue_limits = queue ? &queue->limits : NULL;
	known.task_limits = task ? &task->limits : NULL;
	view->max = -1;
	if (rv_rules_gate(&known, view->name, &need) != RV_OK)
		return;
	view->max = need.max;
	view->rate = need.rate;
}

/* The next row in use above ${name}, which becomes its; NOTFOUND: no more. */
static int next_view(struct rv_sqlite *s, char name[RV_GATE_MAX], struct rv_gate_view *ret_view)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_GATE_VIEW, &stmt, "t", name);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	rv_sqlite_text(stmt, 0, name, RV_GATE_MAX);
	*ret_view = (struct rv_gate_view){.name = name,
					  .used = sqlite3_column_int64(stmt, 1),
					  .waiting = sqlite3_column_int64(stmt, 2),
					  .due_us = sqlite3_column_int64(stmt, 3)};
	rv_sqlite_end(stmt);
	return RV_OK;
}

int rv_sqlite_read_gates(struct rv_store *store,
			 int (*each)(void *ctx, const struct rv_gate_view *view), void *ctx)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	const struct rv_needs *kept = NULL;
	char name[RV_GATE_MAX] = "";
	struct rv_gate_view view;
	int64_t starved = 0;
	int err;

	PRE(!s->open);
	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	err = rv_sqlite_tally_load(s);
	if (err == RV_OK)
		err = rv_sqlite_names(s);
	s->reserver_known = false;
	if (err == RV_OK)
		err = rv_sqlite_kept(s, &starved, &kept);
	while (err == RV_OK && (err = next_view(s, name, &view)) == RV_OK) {
		limits_of(s, &view);
		view.kept_for = rv_need_of(kept, name) ? starved : 0;
		err = each(ctx, &view);
	}
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

/* A job that passed its gates. */
struct holder {
	int64_t job;
	int64_t marks;
	const struct rv_sqlite_queue *queue;
	char task[RV_NAME_MAX], key[RV_KEY_MAX];
};

/* The next of them above ${ret->job}; NOTFOUND: no more. */
static int next_holder(struct rv_sqlite *s, struct holder *ret)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_HOLDER_NEXT, &stmt, "i", ret->job);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	ret->job = sqlite3_column_int64(stmt, 0);
	ret->queue = rv_sqlite_queue_by_id(s, sqlite3_column_int64(stmt, 1));
	ret->marks = sqlite3_column_int64(stmt, 2);
	rv_sqlite_text(stmt, 3, ret->task, sizeof ret->task);
	rv_sqlite_text(stmt, 4, ret->key, sizeof ret->key);
	rv_sqlite_end(stmt);
	return ret->queue ? RV_OK : RV_E_CORRUPT;
}

/* The next resource that ${job} holds by the name of its gate, which becomes that of this one;
 * NOTFOUND: no more. */
static int next_hold(struct rv_sqlite *s, int64_t job, char gate[RV_GATE_MAX], int64_t *ret_n)
{
	sqlite3_stmt *stmt;
	bool any;
	int err = rv_sqlite_start(s, RV_SQL_HOLD_NEXT, &stmt, "it", job, gate);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	any = sqlite3_column_type(stmt, 0) != SQLITE_NULL;
	if (any) {
		rv_sqlite_text(stmt, 0, gate, RV_GATE_MAX);
		*ret_n = sqlite3_column_int64(stmt, 1);
	}
	rv_sqlite_end(stmt);
	return any ? RV_OK : RV_E_NOTFOUND;
}

static int tell_resources(struct rv_sqlite *s, int64_t job,
			  int (*each)(void *ctx, int64_t job, const char *gate, int64_t n),
			  void *ctx)
{
	char gate[RV_GATE_MAX] = "";
	int64_t n;
	int err = RV_OK;

	while (err == RV_OK && (err = next_hold(s, job, gate, &n)) == RV_OK)
		err = each(ctx, job, gate, n);
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

int rv_sqlite_read_holds(struct rv_store *store,
			 int (*each)(void *ctx, int64_t job, const char *gate, int64_t n),
			 void *ctx)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	struct holder h = {.job = 0};
	int err;

	PRE(!s->open);
	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	err = rv_sqlite_tally_load(s);
	if (err == RV_OK)
		err = rv_sqlite_names(s);
	while (err == RV_OK && (err = next_holder(s, &h)) == RV_OK) {
		for (enum rv_gate_kind kind = 0; err == RV_OK && kind < RV_GATE_KINDS; kind++) {
			char gate[RV_GATE_MAX];

			if (!(h.marks & RV_MARK_HOLDS(kind)))
				continue;
			if (kind == RV_GATE_RESOURCE) {
				err = tell_resources(s, h.job, each, ctx);
				continue;
			}
			rv_gate_own(kind, h.queue->name, h.task, h.key, gate);
			err = each(ctx, h.job, gate, 1);
		}
	}
	return err == RV_E_NOTFOUND ? RV_OK : err;
}
