/*
 * Places in a queue: what core/order.h wants to know of queue and key, and the new places of jobs
 * that wait while their queue's strategy changes.  Enqueuers, the keeper.  A change of strategy is
 * done in batches: until it is over old and new places stand side by side, and the order is
 * neither's, but every job is claimed.
 */
#include "store/sqlite.h"
#include "store/sqlite_move.h"
#include "store/sqlite_order.h"

#include "base/check.h"

#include <string.h>

#define STALE_MAX 2 /* finish tags that are past, forgotten with each new one */

static int read_finish(struct rv_sqlite *s, int64_t queue, const char *key, int64_t *ret_finish)
{
	int err = rv_sqlite_number(s, RV_SQL_FAIR_OF, ret_finish, "it", queue, key);

	if (err != RV_E_NOTFOUND)
		return err;
	*ret_finish = 0;
	return RV_OK;
}

/* One row a key that has jobs ahead of virtual time: as many as there are tenants at work. */
static int keep_finish(struct rv_sqlite *s, const struct rv_sqlite_queue *queue, const char *key,
		       int64_t finish)
{
	int err = rv_sqlite_run(s, RV_SQL_FAIR_STALE, NULL, "iii", queue->id, queue->now.vtime,
				(int64_t)STALE_MAX);

	return err == RV_OK ? rv_sqlite_run(s, RV_SQL_FAIR_PUT, NULL, "iti", queue->id, key, finish)
			    : err;
}

int rv_sqlite_order(struct rv_sqlite *s, struct rv_sqlite_queue *queue, struct rv_order *job,
		    const char *key, int64_t *ret_ord)
{
	bool fair = queue->strategy == RV_STRATEGY_FAIR;
	int err = RV_OK;

	PRE(queue->loaded == s->transaction);
	job->strategy = queue->strategy;
	job->aging_us = queue->aging_us;
	job->virtual_now = queue->now.vtime;
	if (fair)
		err = read_finish(s, queue->id, key, &job->finish);
	if (err != RV_OK)
		return err;
	*ret_ord = rv_order_place(job);
	return fair ? keep_finish(s, queue, key, rv_order_finish(*ret_ord, job->weight)) : RV_OK;
}

void rv_sqlite_order_passed(struct rv_sqlite_queue *queue, int64_t ord)
{
	if (!rv_order_passes(queue->strategy, queue->now.vtime, ord))
		return;
	queue->now.vtime = ord;
	queue->now.dirty = true;
}

int rv_sqlite_order_read(sqlite3_stmt *stmt, int column, struct rv_order *ret_job,
			 char ret_key[RV_KEY_MAX])
{
	ret_job->priority = sqlite3_column_int(stmt, column);
	ret_job->deadline_us = sqlite3_column_int64(stmt, column + 1);
	ret_job->weight = sqlite3_column_int(stmt, column + 2);
	ret_job->since_us = sqlite3_column_int64(stmt, column + 3);
	rv_sqlite_text(stmt, column + 4, ret_key, RV_KEY_MAX);
	return ret_job->priority >= 0 && ret_job->priority <= RV_PRIORITY_MAX &&
			       ret_job->weight >= 1 && ret_job->weight <= RV_WEIGHT_MAX
		       ? RV_OK
		       : RV_E_CORRUPT;
}

/* Straight into the rows: MIRROR, which calls this, has stored all numbers and reads them anew. */
int rv_sqlite_rekey(struct rv_sqlite *s, int64_t queue)
{
	int err = rv_sqlite_run(s, RV_SQL_FAIR_CLEAR, NULL, "i", queue);

	if (err == RV_OK)
		err = rv_sqlite_run1(s, RV_SQL_VTIME_CLEAR, "i", queue);
	return err == RV_OK ? rv_sqlite_run(s, RV_SQL_REKEY_PUT, NULL, "ii", queue, s->tally.job)
			    : err;
}

/* The job's place wherever it waits; ${*ret_found}: it does, and is not done. */
static int put_place(struct rv_sqlite *s, int64_t id, int64_t ord, bool *ret_found)
{
	static const enum rv_sqlite_stmt tables[] = {RV_SQL_READY_REKEY, RV_SQL_SCHEDULED_REKEY,
						     RV_SQL_BLOCKED_REKEY, RV_SQL_LEASE_REKEY};
	int64_t changed = 0;
	int err = RV_OK;

	for (size_t i = 0; err == RV_OK && changed == 0 && i < RV_ARRAY_LEN(tables); i++)
		err = rv_sqlite_run(s, tables[i], &changed, "ii", id, ord);
	*ret_found = changed > 0;
	return err;
}

static int rekey_job(struct rv_sqlite *s, struct rv_sqlite_queue *queue, struct rv_order *job,
		     const char *key)
{
	int64_t id = job->sequence;
	int64_t ord;
	bool waits;
	int err = rv_sqlite_number(s, RV_SQL_WAITS, &ord, "i", id);

	if (err != RV_OK) /* it is done; a revived one gets its place then */
		return err == RV_E_NOTFOUND ? RV_OK : err;
	err = rv_sqlite_number(s, RV_SQL_MOVED_SEQ, &job->sequence, "i", id);
	if (err == RV_E_NOTFOUND)
		err = RV_OK;
	if (err == RV_OK && !rv_order_sequence_sane(job->sequence))
		err = RV_E_CORRUPT;
	if (err == RV_OK)
		err = rv_sqlite_order(s, queue, job, key, &ord);
	if (err == RV_OK)
		err = put_place(s, id, ord, &waits);
	if (err == RV_OK && waits)
		err = rv_sqlite_run(s, RV_SQL_MOVED_PUT, NULL, "iii", id, ord, job->sequence);
	return err;
}

/* The next job above ${*at} up to ${until}, of any queue; NOTFOUND: there is none. */
static int next_job(struct rv_sqlite *s, int64_t *at, int64_t until, struct rv_order *ret_job,
		    char ret_key[RV_KEY_MAX], int64_t *ret_queue)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_REKEY_NEXT, &stmt, "ii", *at, until);

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	*ret_job = (struct rv_order){.sequence = sqlite3_column_int64(stmt, 0)};
	*ret_queue = sqlite3_column_int64(stmt, 1);
	*at = ret_job->sequence;
	err = rv_sqlite_order_read(stmt, 2, ret_job, ret_key);
	rv_sqlite_end(stmt);
	return err;
}

static int rekey_batch(struct rv_sqlite *s, struct rv_sqlite_queue *queue, int64_t at,
		       int64_t until, uint32_t limit)
{
	char key[RV_KEY_MAX];
	struct rv_order job;
	int64_t of;
	int err = rv_sqlite_queue_touch(s, queue);

	for (uint32_t i = 0; err == RV_OK && i < limit; i++) {
		err = next_job(s, &at, until, &job, key, &of);
		if (err == RV_OK && of == queue->id)
			err = rekey_job(s, queue, &job, key);
	}
#ifdef RV_MUTANT_REKEY_ONE_BATCH
	err = RV_E_NOTFOUND;
#endif
	if (err == RV_E_NOTFOUND)
		return rv_sqlite_run1(s, RV_SQL_REKEY_DROP, "i", queue->id);
	return err == RV_OK ? rv_sqlite_run1(s, RV_SQL_REKEY_AT, "ii", queue->id, at) : err;
}

int rv_sqlite_do_tidy(struct rv_sqlite *s, struct rv_req *req)
{
	struct rv_req_tidy *tidy = &req->u.tidy;
	struct rv_sqlite_queue *queue;
	sqlite3_stmt *stmt;
	int64_t at;
	int64_t until;
	int err;

	tidy->more = 0;
	err = rv_sqlite_start(s, RV_SQL_REKEY_FIRST, &stmt, "");
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_OK : err;
	queue = rv_sqlite_queue_by_id(s, sqlite3_column_int64(stmt, 0));
	at = sqlite3_column_int64(stmt, 1);
	until = sqlite3_column_int64(stmt, 2);
	rv_sqlite_end(stmt);
	if (!queue)
		return RV_E_CORRUPT;
	tidy->more = 1;
	return rekey_batch(s, queue, at, until, tidy->limit);
}
