/*
 * The inbox: rows that programs have inserted with SQL become jobs, in batches small enough that no
 * worker waits for one.  Keeper only; nobody rings for them, so the safety poll is what finds them.
 */
#include "keep/keeper.h"

#include "base/check.h"
#include "base/seam.h"
#include "client/newjob.h"
#include "conf/conf.h"
#include "obs/log.h"

#define BATCH RV_LIMIT(100, 2) /* rows: some 4 ms of the write lock */

struct making {
	const struct rv_conf *conf;
	struct rv_arena *arena;
};

static int make(void *ctx, const struct rv_inbox_row *row, struct rv_job_new *ret_job,
		struct rv_why *why)
{
	const struct making *making = ctx;
	struct rv_newjob new = {.conf = making->conf, .why = why, .arena = making->arena};
	int err;

	rv_arena_reset(making->arena); /* the row before this one is a job */
	err = rv_newjob_from_row(&new, row);
	if (!err)
		*ret_job = new.job;
	return err;
}

void rv_keep_on_inbox(struct rv_loop_timer *timer)
{
	rv_keep_inbox(timer->ctx);
}

void rv_keep_inbox(struct rv_keeper *keeper)
{
	struct rv_req_inbox *inbox = &keeper->req.u.inbox;
	struct rv_arena arena;
	struct making making = {.conf = keeper->child.conf, .arena = &arena};
	bool done;

	if (keeper->ending)
		return;
	rv_arena_init(&arena);
	keeper->req.kind = RV_REQ_INBOX;
	*inbox = (struct rv_req_inbox){
		.make = make,
		.ctx = &making,
		.limit = BATCH,
		.idem_ttl_us = keeper->child.conf->store.idempotency_ttl_us,
	};
	done = rv_keep_do(keeper, keeper->child.conf->store.durability, "inbox");
	rv_arena_reset(&arena);
	if (keeper->ending)
		return;
	if (done && inbox->refused > 0)
		rv_log_with(
			RV_LOG_WARN, RV_EV_keeper_inbox,
			RV_FIELDS(RV_INT("rows", inbox->refused), RV_INT("row", inbox->refused_id)),
			"%u rows of reeve_inbox cannot be jobs and stay; row %lld: %s",
			inbox->refused, (long long)inbox->refused_id, inbox->refused_why.text);
	/* What is left of a crowd comes in the next turn, after descriptor 3. */
	if (!done || inbox->more)
		rv_loop_timer_start(keeper->loop, &keeper->inbox, done ? 0 : 100 * RV_MS_US,
				    rv_keep_on_inbox, keeper);
	else
		rv_keep_read_totals(keeper);
}
