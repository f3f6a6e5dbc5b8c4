/*
 * What clients hand over, stored: all lines that are there on all connections, in one transaction
 * of the group commit.  Keeper only.  Nobody is told that his jobs are stored before the COMMIT,
 * what is wrong with one line is nobody else's matter, and a round is short: the keeper has other
 * duties.
 *
 * Wider than the budget of headers: keeper.h brings what the keeper is made of.
 */
#include "keep/offers.h"

#include "base/fault.h"
#include "base/seam.h"
#include "client/offer.h"
#include "conf/conf.h"

#include <stdlib.h>

/* Says why not; the line is done with. */
static void refuse(struct rv_offer_peer *peer, int err, const struct rv_why *why,
		   const struct rv_req_enqueue *done, size_t failed)
{
	if (rv_offer_refuse(err, why, done, failed, &peer->out) == RV_OK)
		rv_offers_answered(peer);
	else
		rv_offers_drop(peer);
}

/* The line of ${peer} as a request; false: it is none, and was told so. */
static bool take(struct rv_keeper *keeper, struct rv_offer_peer *peer, struct rv_req *req)
{
	struct rv_offers *offers = keeper->offers;
	struct rv_offer_jobs offer = {
		.conf = keeper->child.conf, .arena = &offers->arena, .uid = peer->uid};
	struct rv_why why = {.text = ""};
	int64_t *ids = NULL;
	int err;

	PRE(peer->is_due);
	err = rv_offer_read(peer->in.data, peer->length, &offer, &why);
	if (err == RV_OK) {
		ids = rv_arena_alloc(&offers->arena, offer.count * sizeof(*ids));
		err = ids ? RV_OK : RV_E_NOMEM;
	}
	if (err != RV_OK) {
		refuse(peer, err, &why, NULL, offer.failed);
		return false;
	}
	req->kind = RV_REQ_ENQUEUE;
	req->err = RV_OK;
	req->u.enqueue = (struct rv_req_enqueue){
		.jobs = offer.jobs,
		.count = offer.count,
		.ret_ids = ids,
		.adhoc_refused = !keeper->child.conf->reeve.adhoc,
		.idem_ttl_us = keeper->child.conf->store.idempotency_ttl_us,
	};
	return true;
}

/* The requests of this round; a line that does not fit is the first of the next one. */
static unsigned collect(struct rv_keeper *keeper)
{
	struct rv_offers *offers = keeper->offers;
	unsigned begin = offers->next;
	unsigned count = 0;
	size_t bytes = 0;
	size_t jobs = 0;

	for (unsigned i = 0; i < RV_OFFERS_MAX; i++) {
		struct rv_offer_peer *peer = &offers->peers[(begin + i) % RV_OFFERS_MAX];
		struct rv_req *req = &offers->reqs[count];

		if (peer->fd < 0 || !peer->is_due)
			continue;
		if (count == RV_OFFERS_LINES || bytes >= RV_OFFERS_BYTES || jobs >= RV_OFFERS_JOBS)
			break;
		offers->next = (begin + i + 1) % RV_OFFERS_MAX;
		bytes += peer->length;
		peer->round = offers->round;
		if (!take(keeper, peer, req))
			continue;
		jobs += req->u.enqueue.count;
		offers->list[count] = req;
		offers->who[count++] = peer;
	}
	return count;
}

/* Of an error that is everybody's: whether it is known that nothing was stored, and why. */
static int told(int err)
{
	switch (err) {
	case RV_E_UNKNOWN:
	case RV_E_BUSY:
	case RV_E_NOSPACE:
	case RV_E_NOMEM:
		return err;
	default:
		return RV_E_NOTRUN; /* ours, not the store's: the client has a way of its own */
	}
}

static void answer(struct rv_offer_peer *peer, const struct rv_req *req, int err)
{
	const struct rv_req_enqueue *done = &req->u.enqueue;

	if (err != RV_OK)
		refuse(peer, told(err), &req->why, NULL, RV_OFFER_JOBS);
	else if (req->err != RV_OK)
		refuse(peer, req->err, &req->why, done, done->failed_index);
	else if (rv_offer_answer(done, &peer->out) == RV_OK)
		rv_offers_answered(peer);
	else
		rv_offers_drop(peer);
}

static void carry_out(struct rv_keeper *keeper, unsigned count)
{
	struct rv_offers *offers = keeper->offers;
	int64_t begun_us = rv_mono_us();
	struct rv_why why = {.text = ""};
	int err = RV_FAULT(keeper_offer);

	PRE(count > 0 && count <= RV_OFFERS_LINES);
	/* What the path names now is not ours: a job stored there would be nobody's. */
	if (err == RV_OK)
		err = rv_store_same_file(keeper->child.store);
	if (err == RV_OK)
		err = rv_child_do_all(&keeper->child, offers->list, count,
				      keeper->child.conf->store.durability, RV_KEEP_DO_US);
	why = offers->list[0]->why;
	if (err == RV_OK)
		(void)RV_FAULT(keeper_stored);
	offers->commit_us = rv_mono_us() - begun_us;
	for (unsigned i = 0; i < count; i++) {
#ifdef RV_MUTANT_OFFER_TOLD_UNCOMMITTED
		answer(offers->who[i], offers->list[i], RV_OK);
#else
		answer(offers->who[i], offers->list[i], err);
#endif
	}
	(void)rv_keep_survives(keeper, err, "cannot store what was handed over", &why);
}

void rv_keep_offers_round(struct rv_keeper *keeper)
{
	struct rv_offers *offers = keeper->offers;
	unsigned count;

	if (keeper->ending || !offers || !offers->is_ripe)
		return;
	offers->is_ripe = false;
	if (offers->ndue == 0)
		return;
	if (!offers->reqs)
		offers->reqs = calloc(RV_OFFERS_LINES, sizeof(*offers->reqs));
	offers->round++;
	offers->is_in_round = true;
	count = offers->reqs ? collect(keeper) : 0;
	if (count > 0)
		carry_out(keeper, count);
	offers->is_in_round = false;
	rv_arena_reset(&offers->arena);
	if (!offers->reqs)
		rv_keep_offers_end(keeper); /* no memory */
	else
		rv_offers_plan(keeper);
}
