#ifndef RV_STORE_MEMORY_READ_H
#define RV_STORE_MEMORY_READ_H

/* The reads of the memory backend, for its ops table only; contracts: store/read.h. */

#include "store/memory_rows.h"

int rv_memory_read_job(struct rv_store *store, int64_t id, struct rv_job_view *ret_view);
int rv_memory_read_payload(struct rv_store *store, int64_t id,
			   int (*sink)(void *ctx, const void *data, size_t size), void *ctx);
int rv_memory_read_told(struct rv_store *store, int64_t id, struct rv_told *ret_told);
int rv_memory_read_jobs(struct rv_store *store, const struct rv_job_filter *filter,
			int (*each)(void *ctx, const struct rv_job_view *view), void *ctx);
int rv_memory_read_attempts(struct rv_store *store, int64_t id,
			    int (*each)(void *ctx, const struct rv_attempt_view *view), void *ctx);
int rv_memory_read_queues(struct rv_store *store,
			  int (*each)(void *ctx, const struct rv_queue_view *view), void *ctx);
int rv_memory_read_tasks(struct rv_store *store,
			 int (*each)(void *ctx, const struct rv_task_def *task), void *ctx);
int rv_memory_read_workers(struct rv_store *store,
			   int (*each)(void *ctx, const struct rv_worker_view *view), void *ctx);
int rv_memory_read_parents(struct rv_store *store, int64_t id,
			   int (*each)(void *ctx, int64_t parent, enum rv_job_state state,
				       enum rv_after on),
			   void *ctx);
int rv_memory_read_children(struct rv_store *store, int64_t id,
			    int (*each)(void *ctx, int64_t child), void *ctx);
int rv_memory_read_batch(struct rv_store *store, int64_t id, struct rv_batch_view *ret_view);
int rv_memory_read_batches(struct rv_store *store, int64_t before, int64_t limit,
			   int (*each)(void *ctx, const struct rv_batch_view *view), void *ctx);
int rv_memory_read_schedules(struct rv_store *store, enum rv_schedules_of of, const char *name,
			     int (*each)(void *ctx, const struct rv_schedule_view *view),
			     void *ctx);
int rv_memory_read_firings(struct rv_store *store, const char *schedule, int64_t limit,
			   int (*each)(void *ctx, const struct rv_firing_view *view), void *ctx);
int rv_memory_read_cancel_wanted(struct rv_store *store, int64_t id, int64_t fence,
				 bool *ret_wanted);
int rv_memory_read_cancels(struct rv_store *store,
			   int (*each)(void *ctx, int64_t job, int64_t fence, int slot), void *ctx);
int rv_memory_read_events(struct rv_store *store, int64_t after, int64_t limit,
			  int (*each)(void *ctx, const struct rv_event_view *view), void *ctx);
int rv_memory_read_events_last(struct rv_store *store, int64_t *ret_seq);
int rv_memory_read_followers(struct rv_store *store, int (*each)(void *ctx, const char *path),
			     void *ctx);
int rv_memory_read_totals(struct rv_store *store, struct rv_store_totals *ret_totals);
int rv_memory_read_instance(struct rv_store *store, struct rv_instance *ret_instance);
int rv_memory_read_stats(struct rv_store *store,
			 int (*each)(void *ctx, const char *name, int64_t value), void *ctx);

#endif
