/*
 * The dead: obituaries of the supervisor become expired leases, then an ACK.  Keeper only.  An
 * obituary is never ACKed before its round is committed, and nobody is expired who may be alive.
 */
#include "keep/keeper.h"

#include "base/check.h"
#include "base/fault.h"
#include "base/seam.h"
#include "obs/log.h"

#include <stdio.h>
#include <string.h>

static void describe(const struct rv_sup_msg *msg, char *out, size_t space)
{
	unsigned signo = RV_SUP_END_SIGNO(msg->d);
	int size = msg->size <= RV_SUP_TEXT ? (int)msg->size : 0;
	const char *hung = msg->c == RV_DIED_HUNG ? "hung, " : "";
	const char *core = RV_SUP_END_CORE(msg->d) ? " (core dumped)" : "";

	if (signo != 0)
		(void)snprintf(out, space, "%skilled by signal %u%s%s%.*s", hung, signo, core,
			       size > 0 ? ": " : "", size, (const char *)msg->text);
	else
		(void)snprintf(out, space, "exit code %u%s%.*s", RV_SUP_END_CODE(msg->d),
			       size > 0 ? ": " : "", size, (const char *)msg->text);
}

/* A number from the wire that a column can hold. */
static int64_t amount(uint64_t value)
{
	return value <= INT64_MAX ? (int64_t)value : 0;
}

/*
 * Of several leased jobs only the one whose word says STARTED can have been the cause; its fence.
 * A successor leaves the words alone until they are given free.
 */
static int64_t started_fence(const struct rv_keeper *keeper, uint64_t incarnation, unsigned slot)
{
	const struct rv_area *area = &keeper->child.area;

	if (slot >= area->head->nslots || slot >= RV_AREA_SLOTS_MAX ||
	    atomic_load(&area->slots[slot].words_owner) != incarnation)
		return 0;
	for (unsigned i = 0; i < RV_AREA_WORDS; i++) {
		const struct rv_area_word *word = &area->slots[slot].words[i];

		if (atomic_load(&word->word) == RV_WORD_STARTED)
			return atomic_load(&word->fence);
	}
	return 0;
}

/* The dead are in the store: whoever has their slots now may prefetch. */
static void free_words(struct rv_keeper *keeper, const struct rv_req_expire *expire)
{
	const struct rv_area *area = &keeper->child.area;

	for (unsigned slot = 0; slot < area->head->nslots && slot < RV_AREA_SLOTS_MAX; slot++) {
		for (unsigned i = 0; i < expire->count && i < RV_EXPIRE_MAX; i++) {
			uint64_t dead = expire->who[i].incarnation;

			(void)atomic_compare_exchange_strong(&area->slots[slot].words_owner, &dead,
							     0);
		}
	}
}

void rv_keep_on_died(struct rv_keeper *keeper, const struct rv_sup_msg *msg)
{
	struct rv_keep_died *died;

	for (unsigned i = 0; i < keeper->ndied; i++) {
		if (keeper->died[i].number == msg->a)
			return; /* told twice */
	}
	if (keeper->ndied == RV_EXPIRE_MAX)
		rv_keep_bury(keeper);
	if (keeper->ndied == RV_EXPIRE_MAX)
		return; /* not ACKed: it is told again */
	died = &keeper->died[keeper->ndied++];
	*died = (struct rv_keep_died){
		.number = msg->a,
		.slot = (unsigned)(msg->e < RV_AREA_SLOTS_MAX ? msg->e : RV_AREA_SLOTS_MAX),
		.one = {.incarnation = msg->b,
			.died = (int32_t)msg->c,
			.user_us = amount(msg->f),
			.sys_us = amount(msg->g),
			.maxrss_bytes = amount(msg->h)},
	};
	died->one.started_fence = started_fence(keeper, msg->b, died->slot);
	describe(msg, died->one.words, sizeof(died->one.words));
}

void rv_keep_on_living(struct rv_keeper *keeper, const struct rv_sup_msg *msg)
{
	uint64_t count = msg->size / sizeof(uint64_t);

	if (msg->c == 0) {
		keeper->nliving = 0;
		keeper->listed = false;
	}
	if (msg->size > RV_SUP_TEXT || msg->b != count ||
	    count > RV_AREA_SLOTS_MAX * 8 - keeper->nliving)
		return; /* an incomplete list expires nobody */
	memcpy(keeper->living + keeper->nliving, msg->text, count * sizeof(uint64_t));
	keeper->nliving += (unsigned)count;
	keeper->highest = msg->a;
	keeper->listed = keeper->nliving == msg->d;
}

static bool is_listed(const struct rv_keeper *keeper, uint64_t incarnation)
{
	for (unsigned i = 0; i < keeper->nliving; i++) {
		if (keeper->living[i] == incarnation)
			return true;
	}
	return false;
}

/* Those of this daemon start that nobody mourns and nobody sees: dead, and their obituary is lost.
 */
static unsigned pick_unlisted(struct rv_keeper *keeper, struct rv_req_expire *expire)
{
	unsigned count = 0;

	for (unsigned i = 0; i < keeper->nlives && count < RV_EXPIRE_MAX; i++) {
		uint64_t incarnation = keeper->lives[i].incarnation;

		if (incarnation == keeper->child.incarnation || incarnation > keeper->highest ||
		    RV_INCARNATION_START(incarnation) !=
			    RV_INCARNATION_START(keeper->child.incarnation) ||
		    is_listed(keeper, incarnation))
			continue;
		expire->who[count] = (struct rv_expire_one){
			.incarnation = incarnation,
			.died = RV_DIED_LOST,
		};
		(void)snprintf(expire->who[count].words, sizeof(expire->who[count].words),
			       "it died while nobody kept the store");
		count++;
	}
	return count;
}

static void bury_unlisted(struct rv_keeper *keeper)
{
	struct rv_req_expire *expire = &keeper->req.u.expire;

	rv_keep_read_lives(keeper);
	if (keeper->ending)
		return;
	keeper->req.kind = RV_REQ_EXPIRE;
	memset(expire, 0, sizeof(*expire));
	expire->count = pick_unlisted(keeper, expire);
	if (expire->count == 0) {
		keeper->listed = false;
		return;
	}
	if (!rv_keep_do(keeper, RV_DURABILITY_NORMAL, "expire the unlisted"))
		return;
	free_words(keeper, expire);
	rv_log_with(RV_LOG_INFO, RV_EV_keeper_expired, RV_FIELDS(RV_INT("lives", expire->count)),
		    "%u workers were gone when this keeper came", expire->count);
	/* Another look, in case there were more of them than fit. */
	rv_keep_again(keeper, 0);
}

static void bury_died(struct rv_keeper *keeper)
{
	struct rv_req_expire *expire = &keeper->req.u.expire;
	unsigned count = keeper->ndied;
	int released = 0;

	if (RV_FAULT(keeper_died) != RV_OK)
		return;
	keeper->req.kind = RV_REQ_EXPIRE;
	memset(expire, 0, sizeof(*expire));
	expire->count = count;
	for (unsigned i = 0; i < count; i++)
		expire->who[i] = keeper->died[i].one;
	if (!rv_keep_do(keeper, RV_DURABILITY_NORMAL, "expire the dead"))
		return;
	if (RV_FAULT(keeper_expired) != RV_OK)
		return;
	free_words(keeper, expire);
	for (unsigned i = 0; i < count; i++) {
		released += expire->who[i].released;
		if (rv_child_send(&keeper->child, RV_SUP_ACK, keeper->died[i].number, 0, 0) !=
		    RV_OK)
			rv_log(RV_LOG_WARN, RV_EV_keeper_failed, "an ACK was not taken");
	}
	keeper->ndied = 0;
	if (released > 0)
		rv_log_with(RV_LOG_INFO, RV_EV_keeper_expired,
			    RV_FIELDS(RV_INT("leases", released)),
			    "%d leases of the dead were ended", released);
}

void rv_keep_bury(struct rv_keeper *keeper)
{
	if (keeper->ndied > 0)
		bury_died(keeper);
	if (keeper->ending)
		return;
	if (keeper->listed && keeper->ndied == 0)
		bury_unlisted(keeper);
	if (keeper->ndied > 0 || keeper->listed)
		rv_keep_again(keeper, 50 * RV_MS_US);
}
