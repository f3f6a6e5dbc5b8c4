/*
 * libreeve: changes of a job, and waiting for jobs to end.  Runs in programs of other people; must
 * never sleep with the handle's lock held.
 */
#include "client/lib.h"

#include "base/check.h"
#include "base/seam.h"
#include "client/submit.h"
#include "client/waiter.h"
#include "store/read.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK 256 /* jobs looked at in one turn: some 3 ms */

struct waiting {
	struct reeve *reeve;
	uint64_t forgotten; /* stores, when we began */
	int64_t *ids;       /* owned; not looked at since the beginning, and not final then */
	size_t count;
	int64_t watched[RV_WAITER_JOBS]; /* with the bell on them */
	size_t nwatched;
	struct rv_waiter waiter;
};

static bool is_final(const struct rv_job_view *view, int err)
{
	return err == RV_E_NOTFOUND || (!err && rv_job_state_final(view->state));
}

/* Begins a turn: who may only read waits without a bell. */
static int enter(struct waiting *waiting)
{
	struct reeve *reeve = waiting->reeve;
	int err = rv_lib_enter(reeve, RV_CLIENT_WRITE);

	if (err == RV_E_DENIED)
		err = rv_lib_enter(reeve, RV_CLIENT_READ);
	if (err || waiting->forgotten == reeve->forgotten)
		return err;
	return rv_lib_leave(reeve, rv_fail(&reeve->why, RV_E_REPLACED,
					   "the store was removed or replaced while we waited; "
					   "what becomes of its jobs is not known any more"));
}

/* The first look at each: those that are not final are kept. */
static int begin(struct waiting *waiting, const int64_t *ids, size_t count)
{
	int err = RV_OK;

	for (size_t at = 0; !err && at < count; at += CHUNK) {
		size_t end = count - at < CHUNK ? count : at + CHUNK;

		err = enter(waiting);
		if (err)
			return err;
		for (size_t i = at; !err && i < end; i++) {
			struct rv_job_view view;

			err = rv_store_job(waiting->reeve->client.store, ids[i], &view);
			if (err == RV_E_NOTFOUND)
				(void)rv_fail(&waiting->reeve->why, err, "there is no job %lld",
					      (long long)ids[i]);
			if (!err && !is_final(&view, err))
				waiting->ids[waiting->count++] = ids[i];
		}
		err = rv_lib_leave(waiting->reeve, err);
	}
	return err;
}

static int look_at_watched(struct waiting *waiting)
{
	size_t kept = 0;

	for (size_t i = 0; i < waiting->nwatched; i++) {
		struct rv_job_view view;
		int err = rv_store_job(waiting->reeve->client.store, waiting->watched[i], &view);

		if (err && err != RV_E_NOTFOUND)
			return err;
		if (!is_final(&view, err))
			waiting->watched[kept++] = waiting->watched[i];
	}
	waiting->nwatched = kept;
	return RV_OK;
}

/* The next few that are not final get the bell, then one more look. */
static int watch_next(struct waiting *waiting)
{
	size_t looked = 0;

	while (waiting->count > 0 && waiting->nwatched < RV_WAITER_JOBS && looked++ < CHUNK) {
		struct rv_job_view view;
		int64_t id = waiting->ids[waiting->count - 1];
		int err = rv_store_job(waiting->reeve->client.store, id, &view);

		if (err && err != RV_E_NOTFOUND)
			return err;
		waiting->count--;
		if (!is_final(&view, err))
			waiting->watched[waiting->nwatched++] = id;
	}
	if (waiting->nwatched == 0)
		return RV_OK;
	int err = rv_waiter_watch(&waiting->waiter, &waiting->reeve->client, waiting->watched,
				  waiting->nwatched, &waiting->reeve->why);
	return err ? err : look_at_watched(waiting);
}

static int look(struct waiting *waiting)
{
	int err = enter(waiting);

	if (err)
		return err;
	err = look_at_watched(waiting);
	if (!err && waiting->nwatched == 0)
		err = watch_next(waiting);
	if (!err && waiting->nwatched == 0 && waiting->count == 0)
		rv_waiter_done(&waiting->waiter);
	return rv_lib_leave(waiting->reeve, err);
}

static int wait_for_all(struct waiting *waiting, int64_t timeout_us)
{
	int64_t deadline_us = INT64_MAX;
	int err = RV_OK;

	if (timeout_us >= 0 && __builtin_add_overflow(rv_mono_us(), timeout_us, &deadline_us))
		deadline_us = INT64_MAX;
	while (!err && waiting->nwatched + waiting->count > 0) {
		int64_t left_us;

		err = look(waiting);
		if (err || waiting->nwatched + waiting->count == 0)
			return err;
		left_us = deadline_us == INT64_MAX ? RV_WAITER_LOOK_US : deadline_us - rv_mono_us();
		if (left_us <= 0)
			return rv_lib_say(waiting->reeve, RV_E_TIMEOUT, "%zu jobs are not finished",
					  waiting->nwatched + waiting->count);
		if (waiting->nwatched > 0)
			rv_waiter_sleep(&waiting->waiter, NULL, 0, left_us);
	}
	return err;
}

/* In a turn of ours, whatever became of the store. */
static void hang_up(struct waiting *waiting, bool down)
{
	struct reeve *reeve = waiting->reeve;

	(void)pthread_mutex_lock(&reeve->lock);
	if (down)
		rv_waiter_fini(&waiting->waiter, &reeve->client);
	else
		rv_waiter_init(&waiting->waiter, &reeve->client);
	(void)pthread_mutex_unlock(&reeve->lock);
}

int reeve_wait(struct reeve *reeve, const int64_t *ids, size_t count, int64_t timeout_us)
{
	struct waiting waiting = {.reeve = reeve, .waiter = {.fd = -1}};
	int err = RV_OK;

	if (count > 0 && !ids)
		return rv_lib_say(reeve, RV_E_USAGE, "reeve_wait: ids is NULL");
	err = rv_lib_enter(reeve, RV_CLIENT_READ);
	if (err)
		return err;
	waiting.forgotten = reeve->forgotten;
	waiting.ids = calloc(count ? count : 1, sizeof(*waiting.ids));
	err = rv_lib_leave(reeve, waiting.ids ? RV_OK : RV_E_NOMEM);
	if (!err && waiting.ids)
		err = begin(&waiting, ids, count);
	if (!err && waiting.count > 0) {
		hang_up(&waiting, false);
		err = wait_for_all(&waiting, timeout_us);
		hang_up(&waiting, true);
	}
	free(waiting.ids);
	return err;
}

int reeve_cancel(struct reeve *reeve, int64_t id)
{
	int err = rv_lib_enter(reeve, RV_CLIENT_WRITE);

	if (err)
		return err;
	return rv_lib_leave(reeve, rv_submit_cancel(&reeve->client, id, NULL, &reeve->why));
}

int reeve_retry(struct reeve *reeve, int64_t id)
{
	int err = rv_lib_enter(reeve, RV_CLIENT_WRITE);
	struct rv_req *req;

	if (err)
		return err;
	req = calloc(1, sizeof(*req));
	if (!req)
		return rv_lib_leave(reeve, RV_E_NOMEM);
	req->kind = RV_REQ_RETRY;
	req->u.retry.job = id;
	err = rv_submit_one(&reeve->client, req, &reeve->why);
	free(req);
	return rv_lib_leave(reeve, err);
}
