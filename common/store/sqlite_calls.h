#ifndef RV_STORE_SQLITE_CALLS_H
#define RV_STORE_SQLITE_CALLS_H

/*
 * The calls of store/backend.h as this backend answers them; store_sqlite.c puts them into its
 * table.  Contracts: store/store.h and store/read.h.
 */

#include "store/backend.h"

int rv_sqlite_open(const struct rv_store_open *how, struct rv_store **ret_store,
		   struct rv_why *why) RV_MUST_CHECK;
void rv_sqlite_close(struct rv_store *store);
int rv_sqlite_begin(struct rv_store *store, enum rv_durability durability, int64_t timeout_us,
		    struct rv_why *why) RV_MUST_CHECK;
int rv_sqlite_execute(struct rv_store *store, struct rv_req *req) RV_MUST_CHECK;
int rv_sqlite_commit(struct rv_store *store, struct rv_why *why) RV_MUST_CHECK;
void rv_sqlite_rollback(struct rv_store *store);
int rv_sqlite_round_get(struct rv_store *store, uint64_t area, uint64_t *ret_n) RV_MUST_CHECK;
int rv_sqlite_round_set(struct rv_store *store, uint64_t area, uint64_t n) RV_MUST_CHECK;
int rv_sqlite_checkpoint(struct rv_store *store, int64_t threshold,
			 int64_t *ret_log_bytes) RV_MUST_CHECK;
int rv_sqlite_backup(struct rv_store *store, const char *path,
		     void (*told)(void *ctx, int64_t done, int64_t all), void *ctx,
		     struct rv_why *why) RV_MUST_CHECK;
int rv_sqlite_restore(const struct rv_store_restore *how, struct rv_restored *ret_restored,
		      struct rv_why *why) RV_MUST_CHECK;
int rv_sqlite_same_file(struct rv_store *store) RV_MUST_CHECK;
void rv_sqlite_warnings(struct rv_store *store, void (*each)(void *ctx, const char *text),
			void *ctx);
/* Whether this version of the library has the WAL-reset bug (sqlite3_libversion_number). */
bool rv_sqlite_affected(int version);
int rv_sqlite_writer_pid(struct rv_store *store, int64_t *ret_pid) RV_MUST_CHECK;
int rv_sqlite_change(struct rv_store *store, int64_t *ret_value) RV_MUST_CHECK;
int rv_sqlite_check(struct rv_store *store, bool full,
		    void (*broken)(void *ctx, const char *rule, const char *what),
		    void *ctx) RV_MUST_CHECK;
/* sqlite_read.c, sqlite_list.c, sqlite_sql.c fill the reading half of the table. */
int rv_sqlite_read_job(struct rv_store *store, int64_t id,
		       struct rv_job_view *ret_view) RV_MUST_CHECK;
int rv_sqlite_read_payload(struct rv_store *store, int64_t id,
			   int (*sink)(void *ctx, const void *data, size_t size),
			   void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_told(struct rv_store *store, int64_t id, struct rv_told *ret_told) RV_MUST_CHECK;
int rv_sqlite_read_jobs(struct rv_store *store, const struct rv_job_filter *filter,
			int (*each)(void *ctx, const struct rv_job_view *view),
			void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_attempts(struct rv_store *store, int64_t id,
			    int (*each)(void *ctx, const struct rv_attempt_view *view),
			    void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_queues(struct rv_store *store,
			  int (*each)(void *ctx, const struct rv_queue_view *view),
			  void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_tasks(struct rv_store *store,
			 int (*each)(void *ctx, const struct rv_task_def *task),
			 void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_workers(struct rv_store *store,
			   int (*each)(void *ctx, const struct rv_worker_view *view),
			   void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_parents(struct rv_store *store, int64_t id,
			   int (*each)(void *ctx, int64_t parent, enum rv_job_state state,
				       enum rv_after on),
			   void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_children(struct rv_store *store, int64_t id,
			    int (*each)(void *ctx, int64_t child), void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_gates(struct rv_store *store,
			 int (*each)(void *ctx, const struct rv_gate_view *view),
			 void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_holds(struct rv_store *store,
			 int (*each)(void *ctx, int64_t job, const char *gate, int64_t n),
			 void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_batch(struct rv_store *store, int64_t id,
			 struct rv_batch_view *ret_view) RV_MUST_CHECK;
int rv_sqlite_read_batches(struct rv_store *store, int64_t before, int64_t limit,
			   int (*each)(void *ctx, const struct rv_batch_view *view),
			   void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_schedules(struct rv_store *store, enum rv_schedules_of of, const char *name,
			     int (*each)(void *ctx, const struct rv_schedule_view *view),
			     void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_firings(struct rv_store *store, const char *schedule, int64_t limit,
			   int (*each)(void *ctx, const struct rv_firing_view *view),
			   void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_cancel_wanted(struct rv_store *store, int64_t id, int64_t fence,
				 bool *ret_wanted) RV_MUST_CHECK;
int rv_sqlite_read_cancels(struct rv_store *store,
			   int (*each)(void *ctx, int64_t job, int64_t fence, int slot),
			   void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_events(struct rv_store *store, int64_t after, int64_t limit,
			  int (*each)(void *ctx, const struct rv_event_view *view),
			  void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_events_last(struct rv_store *store, int64_t *ret_seq) RV_MUST_CHECK;
int rv_sqlite_read_followers(struct rv_store *store, int (*each)(void *ctx, const char *path),
			     void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_totals(struct rv_store *store, struct rv_store_totals *ret_totals) RV_MUST_CHECK;
int rv_sqlite_read_instance(struct rv_store *store, struct rv_instance *ret_instance) RV_MUST_CHECK;
int rv_sqlite_read_stats(struct rv_store *store,
			 int (*each)(void *ctx, const char *name, int64_t value),
			 void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_statistics(struct rv_store *store, int of, const char *name,
			      int (*each)(void *ctx, const struct rv_stats_view *view),
			      void *ctx) RV_MUST_CHECK;
int rv_sqlite_read_sql(struct rv_store *store, const char *sql,
		       int (*row)(void *ctx, int n, const char *const *names,
				  const char *const *values),
		       void *ctx, struct rv_why *why) RV_MUST_CHECK;

#endif
