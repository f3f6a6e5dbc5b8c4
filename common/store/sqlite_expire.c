/*
 * The lives of workers: JOIN, LEAVE, EXPIRE, BEATS, RAISE.  Keeper and workers.  A life that is
 * over never comes back: its row is kept dead for a day, so that what it still had posted is
 * refused.
 */
#include "store/sqlite.h"
#include "store/sqlite_log.h"
#include "store/sqlite_move.h"

#include "base/check.h"
#include "wire/sup.h"

#include <stdlib.h>
#include <string.h>

#define REMEMBER_US (86400LL * RV_S_US)

static const struct rv_expire_one lost = {.died = RV_DIED_LOST, .words = "its daemon is gone"};
static const struct rv_expire_one late = {.died = RV_DIED_LOST, .words = "it gave no sign of life"};

/* The boot of the newest daemon; "" before the first. */
static int newest_boot(struct rv_sqlite *s, char out[40])
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_INSTANCE_NEWEST, &stmt, "");

	out[0] = '\0';
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_OK : err;
	rv_sqlite_text(stmt, 3, out, 40);
	rv_sqlite_end(stmt);
	return RV_OK;
}

int rv_sqlite_do_join(struct rv_sqlite *s, struct rv_req *req)
{
	const struct rv_req_join *join = &req->u.join;
	int64_t live = 1;
	char boot[40];
	char name[RV_WORKER_NAME_MAX];
	int err;

	if (join->incarnation == 0)
		return rv_fail(&req->why, RV_E_USAGE, "an incarnation is not 0");
	err = rv_sqlite_number(s, RV_SQL_WORKER_OF, &live, "i", (int64_t)join->incarnation);
	if (err != RV_OK && err != RV_E_NOTFOUND)
		return err;
	if (!live)
		return rv_fail(&req->why, RV_E_STALE, "this worker's life is over for the store");
	err = newest_boot(s, boot);
	if (err != RV_OK)
		return err;
	if (boot[0] != '\0' && strcmp(boot, join->boot_id) != 0)
		return rv_fail(&req->why, RV_E_STALE,
			       "the store is used by a daemon of another boot");
	rv_rules_worker(name, join);
	return rv_sqlite_run(s, RV_SQL_WORKER_PUT, NULL, "iiititiit", (int64_t)join->incarnation,
			     join->pid, join->start_ticks, join->boot_id, (int64_t)join->slot,
			     join->pool, s->now_us, join->beat_deadline_us, name);
}

/* The end of one life: its row is dead, its leases are ended; how many. */
static int end_life(struct rv_sqlite *s, uint64_t incarnation, const struct rv_expire_one *how,
		    int32_t *ret_released)
{
	char worker[RV_WORKER_NAME_MAX];
	sqlite3_stmt *stmt;
	bool live;
	int err = rv_sqlite_start(s, RV_SQL_WORKER_OF, &stmt, "i", (int64_t)incarnation);

	PRE(s->open);
	*ret_released = 0;
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_OK : err; /* it never joined */
	live = sqlite3_column_int(stmt, 0) != 0;
	rv_sqlite_text(stmt, 1, worker, sizeof worker);
	rv_sqlite_end(stmt);
	if (!live)
		return RV_OK;
	err = rv_sqlite_run1(s, RV_SQL_WORKER_DIED, "ii", (int64_t)incarnation, s->now_us);
	if (err != RV_OK)
		return err;
	return rv_sqlite_release_all(s, incarnation, worker, how, ret_released);
}

int rv_sqlite_do_leave(struct rv_sqlite *s, struct rv_req *req)
{
	struct rv_expire_one how = {.died = RV_DIED_CLEAN};
	int32_t released;

	return end_life(s, req->u.leave.incarnation, &how, &released);
}

static bool same_text(sqlite3_stmt *stmt, int column, const char *text)
{
	const char *value = (const char *)sqlite3_column_text(stmt, column);

	return value && strcmp(value, text) == 0;
}

struct life {
	uint64_t incarnation;
	int64_t pid, start_ticks, beat_deadline;
	bool same_boot;
};

/* The living, newest last; ${*ret_lives} is the caller's to free. */
static int read_lives(struct rv_sqlite *s, const char *boot, struct life **ret_lives, size_t *ret_n)
{
	struct life *lives = NULL;
	size_t space = 0;
	size_t n = 0;
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_WORKERS_LIVE, &stmt, "");

	if (err != RV_OK)
		return err;
	while ((err = rv_sqlite_step(s, stmt)) == RV_OK) {
		if (n == space) {
			struct life *grown;

			space += 64;
			grown = reallocarray(lives, space, sizeof *lives);
			if (!grown) {
				err = RV_E_NOMEM;
				break;
			}
			lives = grown;
		}
		lives[n].incarnation = (uint64_t)sqlite3_column_int64(stmt, 0);
		lives[n].pid = sqlite3_column_int64(stmt, 1);
		lives[n].start_ticks = sqlite3_column_int64(stmt, 2);
		lives[n].same_boot = same_text(stmt, 3, boot);
		lives[n++].beat_deadline = sqlite3_column_int64(stmt, 4);
	}
	rv_sqlite_end(stmt);
	if (err != RV_E_NOTFOUND) {
		free(lives);
		return err;
	}
	*ret_lives = lives;
	*ret_n = n;
	POST(lives || n == 0);
	return RV_OK;
}

static int expire_many(struct rv_sqlite *s, const struct rv_req_expire *expire)
{
	struct life *lives = NULL;
	int32_t ignored;
	char boot[40];
	size_t n = 0;
	int err = newest_boot(s, boot);

	PRE(expire->all_below != 0 || expire->overdue_us != 0);
	if (err == RV_OK)
		err = read_lives(s, boot, &lives, &n);
	for (size_t i = 0; err == RV_OK && i < n; i++) {
		const struct life *life = &lives[i];

		if (expire->all_below != 0 && RV_INCARNATION_START(life->incarnation) !=
						      RV_INCARNATION_START(expire->all_below))
			err = end_life(s, life->incarnation, &lost, &ignored);
		else if (expire->overdue_us != 0 && life->beat_deadline < expire->overdue_us &&
			 boot[0] != '\0' && life->same_boot)
			err = end_life(s, life->incarnation, &late, &ignored);
	}
	free(lives);
	return err;
}

int rv_sqlite_do_expire(struct rv_sqlite *s, struct rv_req *req)
{
	struct rv_req_expire *expire = &req->u.expire;
	int err = RV_OK;

	if (expire->count > RV_EXPIRE_MAX)
		return rv_fail(&req->why, RV_E_USAGE, "at most %d lives end at once",
			       RV_EXPIRE_MAX);
	for (uint32_t i = 0; err == RV_OK && i < expire->count; i++)
		err = end_life(s, expire->who[i].incarnation, &expire->who[i],
			       &expire->who[i].released);
	if (err == RV_OK && (expire->all_below != 0 || expire->overdue_us != 0))
		err = expire_many(s, expire);
	return err == RV_OK
		       ? rv_sqlite_run(s, RV_SQL_WORKERS_FORGET, NULL, "i", s->now_us - REMEMBER_US)
		       : err;
}

int rv_sqlite_do_beats(struct rv_sqlite *s, struct rv_req *req)
{
	const struct rv_req_beats *beats = &req->u.beats;
	int err = RV_OK;

	if (beats->count > RV_ARRAY_LEN(beats->incarnations))
		return rv_fail(&req->why, RV_E_USAGE, "at most %zu beats at once",
			       RV_ARRAY_LEN(beats->incarnations));
	for (uint32_t i = 0; err == RV_OK && i < beats->count; i++)
		err = rv_sqlite_run(s, RV_SQL_WORKER_BEAT, NULL, "ii",
				    (int64_t)beats->incarnations[i], beats->deadline_us);
	return err;
}

/* The row of tally that keeps an area's round: below 0, where no queue is. */
int64_t rv_sqlite_round_id(uint64_t area)
{
	return -1 - (int64_t)(area >> 1);
}

static int drop_daemon(struct rv_sqlite *s, int64_t n, uint64_t area, uint64_t our_area)
{
	int err = rv_sqlite_run1(s, RV_SQL_INSTANCE_DROP, "i", n);

	if (err == RV_OK && area != our_area)
		err = rv_sqlite_run(s, RV_SQL_ROUND_DROP, NULL, "i", rv_sqlite_round_id(area));
	return err;
}

/* Daemons that are gone: their rows, and the rounds of their areas.  ${*ret_n}: the highest row. */
static int forget_daemons(struct rv_sqlite *s, const struct rv_req_raise *raise, int64_t *ret_n)
{
	int64_t n = 0;

	for (;;) {
		sqlite3_stmt *stmt;
		int64_t pid;
		int64_t ticks;
		uint64_t area;
		bool same;
		int err = rv_sqlite_start(s, RV_SQL_INSTANCE_NEXT, &stmt, "i", n);

		if (err == RV_OK)
			err = rv_sqlite_step(s, stmt);
		if (err != RV_OK)
			return err == RV_E_NOTFOUND ? RV_OK : err;
		*ret_n = n = sqlite3_column_int64(stmt, 0);
		pid = sqlite3_column_int64(stmt, 1);
		ticks = sqlite3_column_int64(stmt, 2);
		same = same_text(stmt, 3, raise->boot_id);
		area = (uint64_t)sqlite3_column_int64(stmt, 4);
		rv_sqlite_end(stmt);
		if (same && !rv_rules_process_gone(pid, ticks))
			continue;
		err = drop_daemon(s, n, area, raise->area);
		if (err != RV_OK)
			return err;
	}
}

static int end_other_lives(struct rv_sqlite *s, const struct rv_req_raise *raise)
{
	struct life *lives = NULL;
	int32_t ignored;
	size_t n = 0;
	int err = read_lives(s, raise->boot_id, &lives, &n);

	for (size_t i = 0; err == RV_OK && i < n; i++) {
		const struct life *life = &lives[i];
		bool other = RV_INCARNATION_START(life->incarnation) !=
			     RV_INCARNATION_START(raise->incarnation_base);

		if (!life->same_boot ||
		    (other && rv_rules_process_gone(life->pid, life->start_ticks)))
			err = end_life(s, life->incarnation, &lost, &ignored);
	}
	free(lives);
	return err;
}

int rv_sqlite_do_raise(struct rv_sqlite *s, struct rv_req *req)
{
	struct rv_req_raise *raise = &req->u.raise;
	int64_t newest = 0;
	char boot[40];
	int err = newest_boot(s, boot);

	if (err == RV_OK && strcmp(boot, raise->boot_id) != 0) {
		s->tally.epoch++;
		s->tally.dirty = true;
	}
	if (err == RV_OK)
		err = forget_daemons(s, raise, &newest);
	if (err == RV_OK)
		err = end_other_lives(s, raise);
	if (err == RV_OK)
		err = rv_sqlite_run(s, RV_SQL_WORKERS_FORGET, NULL, "i", s->now_us - REMEMBER_US);
	if (err == RV_OK)
		err = rv_sqlite_run(s, RV_SQL_INSTANCE_PUT, NULL, "iiittii", newest + 1, raise->pid,
				    raise->start_ticks, raise->boot_id, raise->runtime_dir,
				    (int64_t)raise->area, s->now_us);
	if (err == RV_OK)
		raise->epoch = s->tally.epoch;
	return err;
}
