/*
 * The memory backend: opening, transactions, dispatch.  The oracle of the tests: one process, one
 * handle, nothing kept.  A transaction can always be begun, and a commit never fails.
 */
#include "store/memory_read.h"

#include "base/check.h"
#include "base/seam.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void copy_rows(void **to, size_t *to_n, size_t *to_space, const void *from, size_t n,
		      size_t size)
{
	PRE(from || n == 0);
	if (n > *to_space) {
		free(*to);
		*to = calloc(n * 2, size);
		if (!*to)
			IMPOSSIBLE("no memory for the oracle");
		*to_space = n * 2;
	}
	if (n > 0)
		memcpy(*to, from, n * size);
	*to_n = n;
}

static void copy_state(struct mem_state *to, const struct mem_state *from)
{
#define T(name)                                                                                    \
	copy_rows((void **)&to->name.rows, &to->name.n, &to->name.space, from->name.rows,          \
		  from->name.n, sizeof *from->name.rows);
	MEM_TABLES(T)
#undef T
	to->epoch = from->epoch;
	to->next_id = from->next_id;
	to->fence_counter = from->fence_counter;
	to->next_seq = from->next_seq;
	to->batches_given = from->batches_given;
	to->schedules_given = from->schedules_given;
	to->lend_due = from->lend_due;
}

void rv_memory_try(struct mem_store *m)
{
	copy_state(&m->tried, &m->now);
	m->tried_rings = m->base.nrings;
}

void rv_memory_undo(struct mem_store *m)
{
	copy_state(&m->now, &m->tried);
	m->base.nrings = m->tried_rings;
}

static void free_state(struct mem_state *state)
{
#define T(name) free(state->name.rows);
	MEM_TABLES(T)
#undef T
}

static int memory_open(const struct rv_store_open *how, struct rv_store **ret_store,
		       struct rv_why *why)
{
	struct mem_store *m = calloc(1, sizeof *m);

	(void)how;
	if (!m)
		return rv_fail(why, RV_E_NOMEM, "no memory for a store");
	rv_arena_init(&m->strings);
	m->now.epoch = 1;
	m->now.next_id = 1;
	m->now.next_seq = 1;
	*ret_store = &m->base;
	return RV_OK;
}

static void memory_close(struct rv_store *store)
{
	struct mem_store *m = MEM_OF(store);

	free_state(&m->now);
	free_state(&m->begun);
	free_state(&m->saved);
	free_state(&m->tried);
	rv_arena_reset(&m->strings);
	free(m);
}

static int memory_begin(struct rv_store *store, enum rv_durability durability, int64_t timeout_us,
			struct rv_why *why)
{
	struct mem_store *m = MEM_OF(store);

	(void)durability;
	(void)timeout_us;
	(void)why;
	copy_state(&m->begun, &m->now);
	return RV_OK;
}

static int dispatch(struct mem_store *m, struct rv_req *req)
{
	switch (req->kind) {
#define REQ(sym, member, who, what)                                                                \
	case RV_REQ_##sym:                                                                         \
		return rv_memory_do_##member(m, &req->u.member, &req->why);
#include "store/request.def"
#undef REQ
	default:
		IMPOSSIBLE("a kind that was looked at before");
	}
}

static int memory_execute(struct rv_store *store, struct rv_req *req)
{
	struct mem_store *m = MEM_OF(store);

	m->wall_us = rv_wall_us();
	copy_state(&m->saved, &m->now);
	req->err = dispatch(m, req);
	if (req->err == RV_OK) {
		rv_memory_cancel_children(m);
		rv_memory_end_batches(m);
		(void)rv_memory_grant(m);
		rv_memory_ring_room(m);
	} else {
		copy_state(&m->now, &m->saved);
	}
	return RV_OK;
}

#define DEEP_JOBS 64 /* looking at all of them for each of them is dear */

static void broken_oracle(void *ctx, const char *rule, const char *what)
{
	(void)ctx;
	(void)fprintf(stderr, "%s: %s\n", rule, what);
	IMPOSSIBLE("the oracle contradicts itself");
}

RV_UNUSED static void verify(struct mem_store *m)
{
	if (m->now.jobs.n <= DEEP_JOBS &&
	    rv_memory_check(&m->base, true, broken_oracle, NULL) != RV_OK)
		IMPOSSIBLE("the oracle cannot be checked");
}

static void ring_followers(struct mem_store *m)
{
	if (m->now.next_seq == m->begun.next_seq)
		return;
	MEM_EACH(m, waiters, w)
	if (w->job == RV_WAITER_FOLLOWS && w->expires_us > m->wall_us)
		rv_store_note_ring(&m->base, RV_RING_WAITER, w->path, RV_WAITER_FOLLOWS);
}

static int memory_commit(struct rv_store *store, struct rv_why *why)
{
	(void)why;
	ring_followers(MEM_OF(store));
	DEEP(verify(MEM_OF(store)));
	MEM_OF(store)->commits++;
	return RV_OK;
}

static void memory_rollback(struct rv_store *store)
{
	struct mem_store *m = MEM_OF(store);

	copy_state(&m->now, &m->begun);
}

static int memory_round_get(struct rv_store *store, uint64_t area, uint64_t *ret_n)
{
	uint64_t n = 0;

	MEM_EACH(MEM_OF(store), rounds, round)
	if (round->area == area)
		n = round->n;
	*ret_n = n;
	return RV_OK;
}

static int memory_round_set(struct rv_store *store, uint64_t area, uint64_t n)
{
	struct mem_store *m = MEM_OF(store);

	MEM_EACH(m, rounds, round)
	{
		if (round->area == area) {
			round->n = n;
			return RV_OK;
		}
	}
	*MEM_ADD(m, rounds) = (struct mem_round){.area = area, .n = n};
	return RV_OK;
}

static int memory_checkpoint(struct rv_store *store, int64_t threshold, int64_t *ret_log_bytes)
{
	(void)store;
	(void)threshold;
	*ret_log_bytes = 0;
	return RV_OK;
}

static int memory_backup(struct rv_store *store, const char *path,
			 void (*told)(void *ctx, int64_t done, int64_t all), void *ctx,
			 struct rv_why *why)
{
	(void)store;
	(void)path;
	(void)told;
	(void)ctx;
	return rv_fail(why, RV_E_USAGE, "the memory store has no file to copy");
}

static int memory_restore(const struct rv_store_restore *how, struct rv_restored *ret_restored,
			  struct rv_why *why)
{
	(void)how;
	(void)ret_restored;
	return rv_fail(why, RV_E_USAGE, "the memory store has no file to restore");
}

static int memory_same_file(struct rv_store *store)
{
	(void)store;
	return RV_OK;
}

static void memory_warnings(struct rv_store *store, void (*each)(void *ctx, const char *text),
			    void *ctx)
{
	(void)store;
	each(ctx, "the store is kept in memory: nothing in it survives this process");
}

static int memory_writer_pid(struct rv_store *store, int64_t *ret_pid)
{
	*ret_pid = store->in_transaction ? (int64_t)getpid() : 0;
	return RV_OK;
}

static int memory_change(struct rv_store *store, int64_t *ret_value)
{
	*ret_value = MEM_OF(store)->commits;
	return RV_OK;
}

static int memory_sql(struct rv_store *store, const char *sql,
		      int (*row)(void *ctx, int n, const char *const *names,
				 const char *const *values),
		      void *ctx, struct rv_why *why)
{
	(void)store;
	(void)sql;
	(void)row;
	(void)ctx;
	return rv_fail(why, RV_E_USAGE, "the memory store does not speak SQL");
}

const struct rv_store_ops rv_store_memory_ops = {
	.name = "memory",
	.open = memory_open,
	.close = memory_close,
	.begin = memory_begin,
	.execute = memory_execute,
	.commit = memory_commit,
	.rollback = memory_rollback,
	.round_get = memory_round_get,
	.round_set = memory_round_set,
	.checkpoint = memory_checkpoint,
	.backup = memory_backup,
	.restore = memory_restore,
	.same_file = memory_same_file,
	.writer_pid = memory_writer_pid,
	.warnings = memory_warnings,
	.change = memory_change,
	.check = rv_memory_check,
	.job = rv_memory_read_job,
	.payload = rv_memory_read_payload,
	.told = rv_memory_read_told,
	.jobs = rv_memory_read_jobs,
	.attempts = rv_memory_read_attempts,
	.queues = rv_memory_read_queues,
	.tasks = rv_memory_read_tasks,
	.workers = rv_memory_read_workers,
	.parents = rv_memory_read_parents,
	.children = rv_memory_read_children,
	.gates = rv_memory_read_gates,
	.holds = rv_memory_read_holds,
	.batch = rv_memory_read_batch,
	.batches = rv_memory_read_batches,
	.schedules = rv_memory_read_schedules,
	.firings = rv_memory_read_firings,
	.cancel_wanted = rv_memory_read_cancel_wanted,
	.cancels = rv_memory_read_cancels,
	.events = rv_memory_read_events,
	.events_last = rv_memory_read_events_last,
	.followers = rv_memory_read_followers,
	.totals = rv_memory_read_totals,
	.instance = rv_memory_read_instance,
	.stats = rv_memory_read_stats,
	.statistics = rv_memory_read_statistics,
	.sql = memory_sql,
};
