#ifndef RV_STORE_MEMORY_ROWS_H
#define RV_STORE_MEMORY_ROWS_H

/* What the files of the memory backend do for one another.  Private to them; see memory.h. */

#include "core/limit.h"
#include "core/order.h"
#include "store/memory.h"

#define MEM_OF(store) rv_container_of(store, struct mem_store, base)

/* Adds a zeroed row to table ${name} and gives it back; removes row ${i}, keeping the order. */
#define MEM_ADD(m, name)                                                                           \
	((MEM_ROW_##name *)rv_memory_add((void **)&(m)->now.name.rows, &(m)->now.name.n,           \
					 &(m)->now.name.space, sizeof *(m)->now.name.rows))
#define MEM_REMOVE(m, name, i)                                                                     \
	rv_memory_remove((m)->now.name.rows, &(m)->now.name.n, sizeof *(m)->now.name.rows, i)
#define MEM_EACH(m, name, row)                                                                     \
	for (MEM_ROW_##name *row = (m)->now.name.rows; row < (m)->now.name.rows + (m)->now.name.n; \
	     row++)

void *rv_memory_add(void **rows, size_t *n, size_t *space, size_t size);
void rv_memory_remove(void *rows, size_t *n, size_t size, size_t i);
const char *rv_memory_keep(struct mem_store *m, const char *text); /* NULL stays NULL */
const void *rv_memory_keep_bytes(struct mem_store *m, const void *data, size_t size);

/* memory_rows.c: finding rows (NULL: none), and the only functions that change where a job stands.
 */
struct mem_job *rv_memory_job(struct mem_store *m, int64_t id);
struct mem_queue *rv_memory_queue(struct mem_store *m, const char *name);
struct mem_worker *rv_memory_worker(struct mem_store *m, uint64_t incarnation);
struct mem_attempt *rv_memory_last_attempt(struct mem_store *m, int64_t id);
enum rv_job_state rv_memory_shown(const struct mem_job *j);
int rv_memory_unknown_queue(struct mem_store *m, const char *name, struct rv_why *why);
void rv_memory_created(struct mem_store *m, struct mem_job *j, bool blocked);
void rv_memory_to_ready(struct mem_store *m, struct mem_job *j);
void rv_memory_to_scheduled(struct mem_store *m, struct mem_job *j, int64_t due_us);
/* Held, to be due at ${due_us} when it is released; and what is no longer blocked goes on. */
void rv_memory_to_held(struct mem_store *m, struct mem_job *j, int64_t due_us);
void rv_memory_unblock(struct mem_store *m, struct mem_job *j);
void rv_memory_to_lease(struct mem_store *m, struct mem_job *j, uint64_t incarnation, bool started);
/* Final, with what follows from it at once: key and waiters go, children of a success are freed. */
void rv_memory_to_final(struct mem_store *m, struct mem_job *j, enum rv_job_state state,
			const char *error);
/* The blocked children of whatever is cancelled, and theirs; at the end of each request. */
void rv_memory_cancel_children(struct mem_store *m);
void rv_memory_ring_waiters(struct mem_store *m, int64_t id);
/* A run begins (its attempt row), and the end of the last one. */
void rv_memory_run_began(struct mem_store *m, struct mem_job *j, int64_t started_us);
void rv_memory_run_ended(struct mem_store *m, struct mem_job *j, int outcome,
			 const struct rv_ack *ack);

/* memory_admit.c: who holds a unique key now; NULL: nobody. */
struct mem_unique *rv_memory_holder(struct mem_store *m, const char *key);
/* The key of job ${i} is held: refused, or (${*ret_answered}) the holder is the answer. */
int rv_memory_unique(struct mem_store *m, struct rv_req_enqueue *req, size_t i, bool *ret_answered,
		     struct rv_why *why);
/* memory_full.c: room for one more in the queue of job ${i}, or FULL. */
int rv_memory_make_room(struct mem_store *m, struct rv_req_enqueue *req, struct mem_queue *q,
			struct rv_why *why);
bool rv_memory_has_room(const struct mem_queue *q, int64_t jobs);
/* At the end of a request: who waits for room is rung, as many as there is room for. */
void rv_memory_ring_room(struct mem_store *m);
void rv_memory_ring_all_room(struct mem_store *m);
/* memory_hold.c: a job that waits gets another time. */
void rv_memory_reschedule(struct mem_store *m, struct mem_job *j, int64_t run_at_us);
/* memory_told.c: the job is forgotten. */
void rv_memory_told_drop(struct mem_store *m, int64_t job);
/* memory_batch.c: NULL: none.  Whether the batch takes a job (NOTFOUND, CONFLICT). */
struct mem_batch *rv_memory_batch(struct mem_store *m, int64_t id);
int rv_memory_batch_takes(struct mem_store *m, int64_t id, struct rv_why *why);
/* A member has become final, ${by} 1, or is retried, −1. */
void rv_memory_batch_count(struct mem_store *m, const struct mem_job *j, int by);
int rv_memory_batch_forget(struct mem_store *m, const struct mem_job *j, struct rv_why *why);
/* Its run did not end it: cancelled if its batch has failed, and whether it was. */
bool rv_memory_batch_failed(struct mem_store *m, struct mem_job *j) RV_MUST_CHECK;
/* What waits in batches that have failed: up to ${limit} jobs are looked at, so many were. */
uint32_t rv_memory_sweep(struct mem_store *m, uint32_t limit);
/* At the end of each request: batches whose last job has ended, and their callbacks. */
void rv_memory_end_batches(struct mem_store *m);
/* store_memory.c: what is done from here on can be undone, rings too; rows stay where they are. */
void rv_memory_try(struct mem_store *m);
void rv_memory_undo(struct mem_store *m);
/* memory_schedule.c: those of the configuration, as they are now. */
void rv_memory_mirror_schedules(struct mem_store *m, const struct rv_req_mirror *req);
/* memory_enqueue.c: NOTFOUND with the nearest name. */
int rv_memory_task(struct mem_store *m, const char *name, const struct rv_task_def **ret_task,
		   struct rv_why *why);
/* The job of a callback; its id. */
int64_t rv_memory_call(struct mem_store *m, const struct mem_batch *b,
		       const struct rv_callback *callback);
/* memory_order.c: gives the job its place; all that waits in ${q} shall get a new one. */
void rv_memory_order(struct mem_store *m, struct mem_job *j, int64_t since_us);
void rv_memory_rekey(struct mem_store *m, struct mem_queue *q);
/* memory_limit.c: whether the job may start; else it is parked. */
bool rv_memory_pass(struct mem_store *m, struct mem_job *j) RV_MUST_CHECK;
void rv_memory_give_back(struct mem_store *m, struct mem_job *j);
void rv_memory_leave_line(struct mem_store *m, struct mem_job *j);
/* Heads of lines whose gate is open, or due, get through; how many became ready. */
uint32_t rv_memory_grant(struct mem_store *m);
uint32_t rv_memory_grant_due(struct mem_store *m, uint32_t limit);
/*
 * memory_lend.c: whether the job's parent sleeps; and has what ${need} says; it changes hands; it
 * goes back to the ancestor that it is of, if that runs.
 */
bool rv_memory_is_awaited(struct mem_store *m, const struct mem_job *j);
bool rv_memory_may_borrow(struct mem_store *m, const struct mem_job *j, const struct rv_need *need);
void rv_memory_borrow(struct mem_store *m, struct mem_job *j, const struct rv_need *need);
bool rv_memory_return(struct mem_store *m, const struct mem_job *j, struct mem_hold *hold);
/* What it holds of this kind; NULL: nothing, or resources. */
struct mem_hold *rv_memory_holds(struct mem_store *m, const struct mem_job *j,
				 enum rv_gate_kind kind);
void rv_memory_reconsider(struct mem_store *m, const char *queue);
void rv_memory_adopt(struct mem_store *m);
void rv_memory_yield(struct mem_store *m, int queue);
int64_t rv_memory_gate_due(const struct mem_store *m); /* the earliest, 0 none */
struct mem_job *rv_memory_gate_head(struct mem_store *m, const char *gate);
struct mem_job *rv_memory_reserver(struct mem_store *m); /* who starved, NULL nobody */
/* It ${was} before a change: if it is another now, both are looked at, and who stood behind. */
void rv_memory_look_again(struct mem_store *m, const struct mem_job *was);
void rv_memory_needs(struct mem_store *m, const struct mem_job *j, struct rv_needs *ret_needs);
void rv_memory_to_parked(struct mem_store *m, struct mem_job *j, const char *gate);
int rv_memory_read_gates(struct rv_store *store,
			 int (*each)(void *ctx, const struct rv_gate_view *view), void *ctx);
int rv_memory_read_holds(struct rv_store *store,
			 int (*each)(void *ctx, int64_t job, const char *gate, int64_t n),
			 void *ctx);
/* memory_claim.c, memory_workers.c, memory_admin.c: one function for each kind of request. */
#define REQ(sym, member, who, what)                                                                \
	int rv_memory_do_##member(struct mem_store *m, struct rv_req_##member *req,                \
				  struct rv_why *why);
#include "store/request.def"
#undef REQ
/* The first ${limit} jobs that are due become ready; how many did. */
uint32_t rv_memory_promote(struct mem_store *m, uint32_t limit);
bool rv_memory_overdue(const struct mem_store *m, const struct mem_job *j);

struct rv_stats;
/* memory_stats.c: the last run of the job has ended, and the job is where that took it. */
void rv_memory_counted(struct mem_store *m, const struct mem_job *j);
/* All of them, of one queue or task, added up from the first to the last. */
void rv_memory_sum(struct mem_store *m, int queue, const char *task, struct rv_stats *ret_sum);
int rv_memory_read_statistics(struct rv_store *store, int of, const char *name,
			      int (*each)(void *ctx, const struct rv_stats_view *view), void *ctx);

/* memory_check.c: R1, R2, R3, R5, R7 and R8 in C. */
int rv_memory_check(struct rv_store *store, bool full,
		    void (*broken)(void *ctx, const char *rule, const char *what), void *ctx);

#endif
