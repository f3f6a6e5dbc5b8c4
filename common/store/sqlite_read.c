/*
 * Reading what is not a job: queues, tasks, workers, totals, the instance, numbers for `db stats`.
 * Keeper and CLI.  Rows are copied and the snapshot ended before a callback runs.
 */
#include "store/sqlite.h"
#include "store/sqlite_calls.h"
#include "store/sqlite_limit.h"
#include "store/sqlite_log.h"
#include "store/sqlite_place.h"
#include "store/sqlite_tally.h"

#include "base/check.h"
#include "core/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define READ_US (5 * RV_S_US)

/* A zeroed row more in ${*ret_rows} (${n} there already). */
static void *grow(void *ret_rows, size_t n, size_t size)
{
	void **rows = ret_rows;

	PRE(size > 0);
	if (n % 32 == 0) {
		void *grown = reallocarray(*rows, n + 32, size);

		if (!grown)
			return NULL;
		*rows = grown;
	}
	return (char *)*rows + n * size;
}

struct queue_row {
	char name[RV_NAME_MAX];
	struct rv_queue_view view;
};

static void read_queue(sqlite3_stmt *stmt, struct queue_row *row)
{
	PRE(sqlite3_column_count(stmt) == RV_JOB_STATES + 6);
	row->view = (struct rv_queue_view){
		.strategy = (enum rv_strategy)sqlite3_column_int(stmt, 1),
		.paused = sqlite3_column_int(stmt, 2) == RV_QUEUE_PAUSED,
		.draining = sqlite3_column_int(stmt, 2) == RV_QUEUE_DRAINING,
		.oldest_ready_us = sqlite3_column_int64(stmt, 3 + RV_JOB_STATES),
		.max = sqlite3_column_int(stmt, 4 + RV_JOB_STATES),
		.on_full = (enum rv_on_full)sqlite3_column_int(stmt, 5 + RV_JOB_STATES),
	};
	rv_sqlite_text(stmt, 0, row->name, sizeof row->name);
	for (int i = 0; i < RV_JOB_STATES; i++)
		row->view.counts[i] = sqlite3_column_int64(stmt, 3 + i);
}

static int queue_rows(struct rv_sqlite *s, struct queue_row **ret_rows, size_t *ret_n)
{
	struct queue_row *rows = NULL;
	sqlite3_stmt *stmt;
	size_t n = 0;
	int err = rv_sqlite_start(s, RV_SQL_QUEUE_VIEWS, &stmt, "");

	if (err != RV_OK)
		return err;
	while ((err = rv_sqlite_step(s, stmt)) == RV_OK) {
		struct queue_row *row = grow(&rows, n, sizeof *row);

		if (!row) {
			err = RV_E_NOMEM;
			break;
		}
		read_queue(stmt, row);
		n++;
	}
	rv_sqlite_end(stmt);
	if (err != RV_E_NOTFOUND) {
		free(rows);
		return err;
	}
	*ret_rows = rows;
	*ret_n = n;
	return RV_OK;
}

int rv_sqlite_read_queues(struct rv_store *store,
			  int (*each)(void *ctx, const struct rv_queue_view *view), void *ctx)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	struct queue_row *rows = NULL;
	size_t n = 0;
	int err;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	err = queue_rows(s, &rows, &n);
	for (size_t i = 0; err == RV_OK && i < n; i++) {
		rows[i].view.name = rows[i].name;
		err = each(ctx, &rows[i].view);
	}
	free(rows);
	return err;
}

int rv_sqlite_read_tasks(struct rv_store *store,
			 int (*each)(void *ctx, const struct rv_task_def *task), void *ctx)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	int err;

	PRE(!s->open);
	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	err = rv_sqlite_tally_load(s);
	if (err == RV_OK)
		err = rv_sqlite_names(s);
	for (size_t i = 0; err == RV_OK && i < s->ntasks; i++)
		err = each(ctx, &s->tasks[i]);
	return err;
}

struct worker_row {
	char pool[RV_NAME_MAX];
	struct rv_worker_view view;
};

static int worker_rows(struct rv_sqlite *s, struct worker_row **ret_rows, size_t *ret_n)
{
	struct worker_row *rows = NULL;
	sqlite3_stmt *stmt;
	size_t n = 0;
	int err = rv_sqlite_start(s, RV_SQL_WORKER_VIEWS, &stmt, "");

	if (err != RV_OK)
		return err;
	while ((err = rv_sqlite_step(s, stmt)) == RV_OK) {
		struct worker_row *row = grow(&rows, n, sizeof *row);

		if (!row) {
			err = RV_E_NOMEM;
			break;
		}
		row->view = (struct rv_worker_view){
			.incarnation = (uint64_t)sqlite3_column_int64(stmt, 0),
			.pid = sqlite3_column_int64(stmt, 1),
			.beat_deadline_us = sqlite3_column_int64(stmt, 2),
			.slot = sqlite3_column_int(stmt, 3),
			.live = sqlite3_column_int(stmt, 5) != 0,
			.leases = sqlite3_column_int64(stmt, 6),
		};
		rv_sqlite_text(stmt, 4, row->pool, sizeof row->pool);
		n++;
	}
	rv_sqlite_end(stmt);
	if (err != RV_E_NOTFOUND) {
		free(rows);
		return err;
	}
	*ret_rows = rows;
	*ret_n = n;
	return RV_OK;
}

int rv_sqlite_read_workers(struct rv_store *store,
			   int (*each)(void *ctx, const struct rv_worker_view *view), void *ctx)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	struct worker_row *rows = NULL;
	size_t n = 0;
	int err;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	err = worker_rows(s, &rows, &n);
	for (size_t i = 0; err == RV_OK && i < n; i++) {
		rows[i].view.pool = rows[i].pool;
		err = each(ctx, &rows[i].view);
	}
	free(rows);
	return err;
}

int rv_sqlite_read_cancel_wanted(struct rv_store *store, int64_t id, int64_t fence,
				 bool *ret_wanted)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	int64_t wanted = 0;
	int err;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	err = rv_sqlite_number(s, RV_SQL_CANCEL_WANTED, &wanted, "ii", id, fence);
	if (err == RV_OK || err == RV_E_NOTFOUND)
		*ret_wanted = err == RV_OK && wanted != 0;
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

int rv_sqlite_read_totals(struct rv_store *store, struct rv_store_totals *ret_totals)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	struct rv_store_totals totals = {0};
	int64_t gate_due = 0;
	sqlite3_stmt *stmt;
	int err;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	err = rv_sqlite_start(s, RV_SQL_TOTALS, &stmt, "");
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	INV(sqlite3_column_count(stmt) == RV_JOB_STATES + 3);
	for (int i = 0; i < RV_JOB_STATES; i++)
		totals.counts[i] = sqlite3_column_int64(stmt, i);
	totals.next_due_us = sqlite3_column_int64(stmt, RV_JOB_STATES);
	totals.oldest_ready_us = sqlite3_column_int64(stmt, RV_JOB_STATES + 1);
	totals.sweep = sqlite3_column_int(stmt, RV_JOB_STATES + 2) != 0;
	rv_sqlite_end(stmt);
	err = rv_sqlite_start(s, RV_SQL_INBOX_TOTALS, &stmt, "");
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	totals.inbox = sqlite3_column_int(stmt, 0) != 0;
	totals.inbox_refused = sqlite3_column_int64(stmt, 1);
	rv_sqlite_end(stmt);
	err = rv_sqlite_gates_due(s, &gate_due);
	if (err != RV_OK)
		return err;
	if (gate_due != 0 && (totals.next_due_us == 0 || gate_due < totals.next_due_us))
		totals.next_due_us = gate_due;
	*ret_totals = totals;
	return RV_OK;
}

int rv_sqlite_read_instance(struct rv_store *store, struct rv_instance *ret_instance)
{
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	struct rv_instance instance = {0};
	sqlite3_stmt *stmt;
	int err;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	err = rv_sqlite_start(s, RV_SQL_INSTANCE_NEWEST, &stmt, "");
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	instance.pid = sqlite3_column_int64(stmt, 1);
	instance.start_ticks = sqlite3_column_int64(stmt, 2);
	rv_sqlite_text(stmt, 3, instance.boot_id, sizeof instance.boot_id);
	rv_sqlite_text(stmt, 4, instance.runtime_dir, sizeof instance.runtime_dir);
	instance.epoch = sqlite3_column_int64(stmt, 6);
	rv_sqlite_end(stmt);
	*ret_instance = instance;
	return RV_OK;
}

static int64_t size_of(const struct rv_sqlite *s, const char *ending)
{
	char path[RV_SQLITE_PATH_MAX];
	struct stat st;

	(void)snprintf(path, sizeof path, "%s%s", s->path, ending);
	return stat(path, &st) == 0 ? st.st_size : 0;
}

int rv_sqlite_read_stats(struct rv_store *store,
			 int (*each)(void *ctx, const char *name, int64_t value), void *ctx)
{
	static const struct {
		const char *name, *sql;
	} pragmas[] = {
		{"schema", "PRAGMA user_version"},
		{"page_size", "PRAGMA page_size"},
		{"pages", "PRAGMA page_count"},
		{"free_pages", "PRAGMA freelist_count"},
		{"ids_given", "SELECT job FROM tally WHERE id = 0"},
		{"epoch", "SELECT epoch FROM tally WHERE id = 0"},
		{"fences_given", "SELECT fence FROM tally WHERE id = 0"},
		{"events", "SELECT count(*) FROM event"},
		{"inbox", "SELECT count(*) FROM reeve_inbox WHERE error IS NULL"},
		{"inbox_refused", "SELECT count(*) FROM reeve_inbox WHERE error IS NOT NULL"},
	};
	static const struct {
		const char *name, *ending;
	} files[] = {{"file_bytes", ""}, {"log_bytes", "-wal"}, {"ballast_bytes", ".ballast"}};
	struct rv_sqlite *s = RV_SQLITE_OF(store);
	int err = RV_OK;

	rv_sqlite_wait(s, RV_SQLITE_WAIT_BEGIN, READ_US);
	for (size_t i = 0; err == RV_OK && i < RV_ARRAY_LEN(pragmas); i++) {
		int64_t value = 0;

		err = rv_sqlite_pragma(s, pragmas[i].sql, &value);
		if (err == RV_OK)
			err = each(ctx, pragmas[i].name, value);
	}
	for (size_t i = 0; err == RV_OK && i < RV_ARRAY_LEN(files); i++)
		err = each(ctx, files[i].name, size_of(s, files[i].ending));
	return err;
}
