/*
 * The sqlite backend: its table of functions.  Every process with a store.  What they do is in the
 * sqlite_*.c files, one family each.
 */
#include "store/sqlite.h"
#include "store/sqlite_calls.h"

const struct rv_store_ops rv_store_sqlite_ops = {
	.name = "sqlite",
	.open = rv_sqlite_open,
	.close = rv_sqlite_close,
	.begin = rv_sqlite_begin,
	.execute = rv_sqlite_execute,
	.commit = rv_sqlite_commit,
	.rollback = rv_sqlite_rollback,
	.round_get = rv_sqlite_round_get,
	.round_set = rv_sqlite_round_set,
	.checkpoint = rv_sqlite_checkpoint,
	.same_file = rv_sqlite_same_file,
	.writer_pid = rv_sqlite_writer_pid,
	.warnings = rv_sqlite_warnings,
	.change = rv_sqlite_change,
	.check = rv_sqlite_check,
	.job = rv_sqlite_read_job,
	.payload = rv_sqlite_read_payload,
	.told = rv_sqlite_read_told,
	.jobs = rv_sqlite_read_jobs,
	.attempts = rv_sqlite_read_attempts,
	.queues = rv_sqlite_read_queues,
	.tasks = rv_sqlite_read_tasks,
	.workers = rv_sqlite_read_workers,
	.parents = rv_sqlite_read_parents,
	.gates = rv_sqlite_read_gates,
	.holds = rv_sqlite_read_holds,
	.batch = rv_sqlite_read_batch,
	.batches = rv_sqlite_read_batches,
	.schedules = rv_sqlite_read_schedules,
	.firings = rv_sqlite_read_firings,
	.cancel_wanted = rv_sqlite_read_cancel_wanted,
	.cancels = rv_sqlite_read_cancels,
	.events = rv_sqlite_read_events,
	.events_last = rv_sqlite_read_events_last,
	.followers = rv_sqlite_read_followers,
	.totals = rv_sqlite_read_totals,
	.instance = rv_sqlite_read_instance,
	.stats = rv_sqlite_read_stats,
	.statistics = rv_sqlite_read_statistics,
	.sql = rv_sqlite_read_sql,
};
