/*
 * Beats: from the area into the store, and what silence means.  Keeper only.  A worker of our own
 * area is judged by its beat there; the deadline in the store speaks for those whose area is gone.
 * Time in which we ourselves did nothing is nobody's fault.
 */
#include "keep/keeper.h"

#include "base/check.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "store/read.h"

#include <string.h>

#define TELL_AGAIN_US (5 * RV_S_US)
#define LEASE_US      (30 * RV_S_US) /* of a pool that is not configured any more */

static int take_life(void *ctx, const struct rv_worker_view *view)
{
	struct rv_keeper *keeper = ctx;
	struct rv_keep_life *life = &keeper->lives[keeper->nlives];

	if (!view->live || keeper->nlives == RV_ARRAY_LEN(keeper->lives))
		return RV_OK;
	*life = (struct rv_keep_life){
		.incarnation = view->incarnation,
		.beat_deadline_us = view->beat_deadline_us,
		.pid = (int)view->pid,
		.slot = view->slot,
		.pool = rv_conf_pool_find(keeper->child.conf, view->pool ? view->pool : ""),
	};
	keeper->nlives++;
	return RV_OK;
}

void rv_keep_read_lives(struct rv_keeper *keeper)
{
	int err;

	keeper->nlives = 0;
	err = rv_store_workers(keeper->child.store, take_life, keeper);
	(void)rv_keep_survives(keeper, err, "cannot read the workers", NULL);
}

static int64_t lease_of(const struct rv_keep_life *life)
{
	return life->pool ? life->pool->lease_us : LEASE_US;
}

static int64_t shortest_lease(const struct rv_keeper *keeper)
{
	const struct rv_conf *conf = keeper->child.conf;
	int64_t shortest = conf->pools[0].lease_us;

	for (size_t i = 1; i < conf->npools; i++) {
		if (conf->pools[i].lease_us < shortest)
			shortest = conf->pools[i].lease_us;
	}
	return shortest;
}

/* The hint of ${life} in our area, NULL when the area knows nothing of it. */
static const struct rv_area_hint *hint_of(const struct rv_keeper *keeper,
					  const struct rv_keep_life *life)
{
	const struct rv_area *area = &keeper->child.area;
	const struct rv_area_hint *hint;

	if (life->slot < 0 || (unsigned)life->slot >= area->head->nslots ||
	    (unsigned)life->slot >= RV_AREA_SLOTS_MAX)
		return NULL;
	hint = &area->hints[life->slot];
	return atomic_load(&hint->incarnation) == life->incarnation ? hint : NULL;
}

/* By its area's word it lives: it sleeps and has no lease, or has beaten within the lease. */
static bool is_alive(const struct rv_keeper *keeper, const struct rv_keep_life *life, int64_t now)
{
	const struct rv_area_hint *hint = hint_of(keeper, life);

	if (life->incarnation == keeper->child.incarnation)
		return true;
	if (!hint)
		return false;
	if (keeper->forgiving || atomic_load(&hint->idle) != 0)
		return true;
	return now - atomic_load(&hint->beat_us) <= lease_of(life);
}

/* One request for each length of lease; the living of all pools that have it. */
static bool flush_lease(struct rv_keeper *keeper, int64_t lease_us, int64_t now)
{
	struct rv_req_beats *beats = &keeper->req.u.beats;

	keeper->req.kind = RV_REQ_BEATS;
	beats->deadline_us = now + lease_us;
	beats->count = 0;
	for (unsigned i = 0; i < keeper->nlives; i++) {
		const struct rv_keep_life *life = &keeper->lives[i];

		if (lease_of(life) == lease_us && is_alive(keeper, life, now) &&
		    beats->count < RV_ARRAY_LEN(beats->incarnations))
			beats->incarnations[beats->count++] = life->incarnation;
	}
	return beats->count == 0 || rv_keep_do(keeper, RV_DURABILITY_NORMAL, "write the beats");
}

static bool is_first_of_lease(const struct rv_keeper *keeper, unsigned at)
{
	for (unsigned i = 0; i < at; i++) {
		if (lease_of(&keeper->lives[i]) == lease_of(&keeper->lives[at]))
			return false;
	}
	return true;
}

/*
 * Those whose deadline has passed and whose beat does not speak for them.  What is asked for names
 * each of them, from beats read just now: nobody is expired by a deadline that a beat outdates.
 */
static void expire_silent(struct rv_keeper *keeper)
{
	struct rv_req_expire *expire = &keeper->req.u.expire;
	int64_t now = rv_keep_note_time(keeper);

	/* We were stopped since the tick began, and perhaps not alone. */
	if (keeper->missed_us > 0)
		return;
	keeper->req.kind = RV_REQ_EXPIRE;
	memset(expire, 0, sizeof(*expire));
	for (unsigned i = 0; i < keeper->nlives && expire->count < RV_EXPIRE_MAX; i++) {
		const struct rv_keep_life *life = &keeper->lives[i];

		if (life->beat_deadline_us >= now || is_alive(keeper, life, now))
			continue;
		expire->who[expire->count++] = (struct rv_expire_one){
			.incarnation = life->incarnation,
			.died = RV_DIED_LOST,
			.words = "it gave no sign of life",
		};
	}
	if (expire->count == 0 || !rv_keep_do(keeper, RV_DURABILITY_NORMAL, "expire the silent"))
		return;
	rv_log_with(RV_LOG_WARN, RV_EV_keeper_expired, RV_FIELDS(RV_INT("lives", expire->count)),
		    "%u workers gave no sign of life for a lease: their jobs go to others",
		    expire->count);
}

bool rv_keep_flush(struct rv_keeper *keeper)
{
	int64_t now = rv_mono_us();

	if (now - keeper->flushed_us < shortest_lease(keeper) / 3 && !keeper->forgiving)
		return true;
	rv_keep_read_lives(keeper);
	for (unsigned i = 0; !keeper->ending && i < keeper->nlives; i++) {
		if (is_first_of_lease(keeper, i) &&
		    !flush_lease(keeper, lease_of(&keeper->lives[i]), now))
			return false;
	}
	if (keeper->ending)
		return false;
	keeper->flushed_us = now;
	if (!keeper->forgiving)
		expire_silent(keeper);
	return true;
}

static bool is_hung(const struct rv_keep_life *life, const struct rv_area_hint *hint, int64_t now)
{
	int64_t limit = atomic_load(&hint->limit_us);

	if (atomic_load(&hint->idle) != 0)
		return false;
	if (now - atomic_load(&hint->beat_us) > life->pool->hang_timeout_us)
		return true;
	return atomic_load(&hint->job) != 0 && limit != 0 && now > limit;
}

/* Slots that have a life which the cached rows do not know yet make them be read again. */
static bool lives_are_old(const struct rv_keeper *keeper)
{
	const struct rv_area *area = &keeper->child.area;

	for (unsigned slot = 1; slot < area->head->nslots && slot < RV_AREA_SLOTS_MAX; slot++) {
		uint64_t incarnation = atomic_load(&area->hints[slot].incarnation);
		bool known = incarnation == 0;

		for (unsigned i = 0; !known && i < keeper->nlives; i++)
			known = keeper->lives[i].incarnation == incarnation;
		if (!known && atomic_load(&area->hints[slot].idle) == 0)
			return true;
	}
	return false;
}

void rv_keep_judge(struct rv_keeper *keeper)
{
	int64_t now = rv_keep_note_time(keeper);

	if (keeper->forgiving || keeper->missed_us > 0)
		return;
	if (lives_are_old(keeper))
		rv_keep_read_lives(keeper);
	for (unsigned i = 0; !keeper->ending && i < keeper->nlives; i++) {
		struct rv_keep_life *life = &keeper->lives[i];
		const struct rv_area_hint *hint = hint_of(keeper, life);

		if (!life->pool || !hint || !is_hung(life, hint, now) ||
		    (life->told_us != 0 && now - life->told_us < TELL_AGAIN_US))
			continue;
		life->told_us = now;
		rv_log_with(RV_LOG_WARN, RV_EV_keeper_hung,
			    RV_FIELDS(RV_INT("slot", life->slot),
				      RV_INT("job", atomic_load(&hint->job))),
			    "the worker in slot %d hangs", life->slot);
		if (rv_child_send(&keeper->child, RV_SUP_HUNG, (uint64_t)life->slot,
				  life->incarnation, 0) != RV_OK)
			life->told_us = 0;
	}
}

void rv_keep_forgive(struct rv_keeper *keeper, int64_t gap_us)
{
	rv_log_with(RV_LOG_WARN, RV_EV_keeper_gap, RV_FIELDS(RV_INT("gap_ms", gap_us / RV_MS_US)),
		    "%lld ms passed without a tick: every lease is extended",
		    (long long)(gap_us / RV_MS_US));
	keeper->forgiving = true;
	if (rv_keep_flush(keeper))
		keeper->missed_us = 0;
}
