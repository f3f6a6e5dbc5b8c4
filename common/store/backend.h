#ifndef RV_STORE_BACKEND_H
#define RV_STORE_BACKEND_H

/*
 * What a backend implements: one function for each of the contract (store.h, read.h), same meaning.
 * Private to common/store.  store.c finds the backend by name (store.def), checks the caller's
 * order (begin before execute, no read-back of rings during one), keeps the rings, and calls
 * through.
 */

#include "store/read.h"

#define RV_RINGS_MAX                                                                               \
	1024 /* more are dropped: a ring is a hint; then one RING_QUEUE "" says look at all */

struct rv_store_restore; /* store/backup.h */
struct rv_restored;
struct rv_event_view;    /* store/events.h */
struct rv_batch_view;    /* store/batch.h */
struct rv_schedule_view; /* store/schedule.h */
struct rv_firing_view;
/* Of a read: all by name, the one of a name, the one that is due first. */
enum rv_schedules_of { RV_SCHEDULES_ALL, RV_SCHEDULES_NAMED, RV_SCHEDULES_DUE };
struct rv_stats_view; /* stats.h, as enum rv_stats_of */

struct rv_store_ops {
	const char *name;
	int (*open)(const struct rv_store_open *how, struct rv_store **ret_store,
		    struct rv_why *why);
	void (*close)(struct rv_store *store);
	int (*begin)(struct rv_store *store, enum rv_durability durability, int64_t timeout_us,
		     struct rv_why *why);
	int (*execute)(struct rv_store *store, struct rv_req *req);
	int (*commit)(struct rv_store *store, struct rv_why *why);
	void (*rollback)(struct rv_store *store);
	int (*round_get)(struct rv_store *store, uint64_t area, uint64_t *ret_n);
	int (*round_set)(struct rv_store *store, uint64_t area, uint64_t n);
	int (*checkpoint)(struct rv_store *store, int64_t threshold, int64_t *ret_log_bytes);
	int (*backup)(struct rv_store *store, const char *path,
		      void (*told)(void *ctx, int64_t done, int64_t all), void *ctx,
		      struct rv_why *why);
	int (*restore)(const struct rv_store_restore *how, struct rv_restored *ret_restored,
		       struct rv_why *why);
	int (*same_file)(struct rv_store *store);
	int (*writer_pid)(struct rv_store *store, int64_t *ret_pid);
	void (*warnings)(struct rv_store *store, void (*each)(void *ctx, const char *text),
			 void *ctx);
	int (*change)(struct rv_store *store, int64_t *ret_value);
	int (*check)(struct rv_store *store, bool full,
		     void (*broken)(void *ctx, const char *rule, const char *what), void *ctx);
	int (*job)(struct rv_store *store, int64_t id, struct rv_job_view *ret_view);
	int (*payload)(struct rv_store *store, int64_t id,
		       int (*sink)(void *ctx, const void *data, size_t size), void *ctx);
	int (*told)(struct rv_store *store, int64_t id, struct rv_told *ret_told);
	int (*jobs)(struct rv_store *store, const struct rv_job_filter *filter,
		    int (*each)(void *ctx, const struct rv_job_view *view), void *ctx);
	int (*attempts)(struct rv_store *store, int64_t id,
			int (*each)(void *ctx, const struct rv_attempt_view *view), void *ctx);
	int (*queues)(struct rv_store *store,
		      int (*each)(void *ctx, const struct rv_queue_view *view), void *ctx);
	int (*tasks)(struct rv_store *store, int (*each)(void *ctx, const struct rv_task_def *task),
		     void *ctx);
	int (*workers)(struct rv_store *store,
		       int (*each)(void *ctx, const struct rv_worker_view *view), void *ctx);
	int (*parents)(struct rv_store *store, int64_t id,
		       int (*each)(void *ctx, int64_t parent, enum rv_job_state state,
				   enum rv_after on),
		       void *ctx);
	int (*children)(struct rv_store *store, int64_t id, int (*each)(void *ctx, int64_t child),
			void *ctx);
	int (*gates)(struct rv_store *store,
		     int (*each)(void *ctx, const struct rv_gate_view *view), void *ctx);
	int (*holds)(struct rv_store *store,
		     int (*each)(void *ctx, int64_t job, const char *gate, int64_t n), void *ctx);
	int (*batch)(struct rv_store *store, int64_t id, struct rv_batch_view *ret_view);
	int (*batches)(struct rv_store *store, int64_t before, int64_t limit,
		       int (*each)(void *ctx, const struct rv_batch_view *view), void *ctx);
	int (*schedules)(struct rv_store *store, enum rv_schedules_of of, const char *name,
			 int (*each)(void *ctx, const struct rv_schedule_view *view), void *ctx);
	int (*firings)(struct rv_store *store, const char *schedule, int64_t limit,
		       int (*each)(void *ctx, const struct rv_firing_view *view), void *ctx);
	int (*cancel_wanted)(struct rv_store *store, int64_t id, int64_t fence, bool *ret_wanted);
	int (*cancels)(struct rv_store *store,
		       int (*each)(void *ctx, int64_t job, int64_t fence, int slot), void *ctx);
	int (*events)(struct rv_store *store, int64_t after, int64_t limit,
		      int (*each)(void *ctx, const struct rv_event_view *view), void *ctx);
	int (*events_last)(struct rv_store *store, int64_t *ret_seq);
	int (*followers)(struct rv_store *store, int (*each)(void *ctx, const char *path),
			 void *ctx);
	int (*totals)(struct rv_store *store, struct rv_store_totals *ret_totals);
	int (*instance)(struct rv_store *store, struct rv_instance *ret_instance);
	int (*stats)(struct rv_store *store,
		     int (*each)(void *ctx, const char *name, int64_t value), void *ctx);
	int (*statistics)(struct rv_store *store, int of, const char *name,
			  int (*each)(void *ctx, const struct rv_stats_view *view), void *ctx);
	int (*sql)(struct rv_store *store, const char *sql,
		   int (*row)(void *ctx, int n, const char *const *names,
			      const char *const *values),
		   void *ctx, struct rv_why *why);
};

/* Every backend's own struct begins with this. */
struct rv_store {
	const struct rv_store_ops *ops;
	bool in_transaction;
	bool dead;             /* a commit's outcome is unknown */
	struct rv_ring *rings; /* owned; RV_RINGS_MAX of them */
	size_t nrings;
	int64_t locked_us; /* since when, and how, it has the write lock */
	enum rv_durability durability;
	struct rv_held held;
};

/* For backends: note whom to wake; doubles are folded. */
void rv_store_note_ring(struct rv_store *store, int kind, const char *name, int64_t job);

#define STORE(name, doc) extern const struct rv_store_ops rv_store_##name##_ops;
#include "store/store.def"
#undef STORE

#endif
