/*
 * The connections by which clients hand jobs over.  Keeper only.  What comes is a stranger's: lines
 * are bounded, one at a time is read of each, and who is slow, silent or gone costs nobody but
 * himself.  Must never wait for a client, and never say goodbye to one of whom something may be
 * stored that he was not told.
 *
 * Wider than the budget of headers: keeper.h brings what the keeper is made of.
 */
#include "keep/offers.h"

#include "base/seam.h"
#include "client/offer.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/sock.h"
#include "wire/control.h"

#include <stdlib.h>

#define SLOW_US (10 * RV_S_US) /* for the rest of a line, and for reading an answer */
#define IDLE_US (60 * RV_S_US) /* between lines: it can come again */
#define KEPT    (32U << 10)    /* of a buffer that is empty; more is given back */

static void forget(struct rv_buf *buf)
{
	rv_buf_fini(buf);
	rv_buf_init(buf);
}

void rv_offers_drop(struct rv_offer_peer *peer)
{
	struct rv_offers *offers = peer->keeper->offers;

	PRE(peer->fd >= 0);
	rv_loop_io_stop(&peer->io);
	rv_fd_close(&peer->fd);
	forget(&peer->in);
	forget(&peer->out);
	if (peer->is_due) {
		INV(offers->ndue > 0);
		offers->ndue--;
	}
	peer->is_due = false;
}

static unsigned count_lively(const struct rv_offers *offers)
{
	unsigned lively = 0;

	for (unsigned i = 0; i < RV_OFFERS_MAX; i++) {
		const struct rv_offer_peer *peer = &offers->peers[i];

		lively += peer->fd >= 0 &&
			  (peer->is_due || (peer->round == offers->round && peer->out.size == 0));
	}
	return lively;
}

/* The round is at the end of the turn: timers run before what has come in it is read. */
static void on_turn(struct rv_loop_timer *timer)
{
	struct rv_keeper *keeper = timer->ctx;

	keeper->offers->is_ripe = true;
}

void rv_offers_plan(struct rv_keeper *keeper)
{
	struct rv_offers *offers = keeper->offers;
	int64_t wait_us;

	if (offers->ndue == 0 || offers->is_in_round || offers->is_ripe)
		return;
	wait_us = rv_offers_patience(offers->ndue, count_lively(offers), offers->commit_us);
	if (rv_loop_timer_active(&offers->turn) && (wait_us > 0 || !offers->is_gathering))
		return;
	offers->is_gathering = wait_us > 0;
	rv_loop_timer_start(keeper->loop, &offers->turn, wait_us, on_turn, keeper);
}

static void want(struct rv_offer_peer *peer, int events)
{
	if (peer->wants == events)
		return;
	peer->wants = events;
	rv_loop_io_want(&peer->io, events);
}

static int send_out(struct rv_offer_peer *peer)
{
	return rv_control_flush(peer->fd, &peer->out, &peer->sent);
}

/* Refused, then closed: a line that has no end, one too many, the end of ours. */
static void say_last(struct rv_offer_peer *peer, int err, const struct rv_why *why)
{
	peer->is_last = true;
	if (rv_offer_refuse(err, why, NULL, RV_OFFER_JOBS, &peer->out) != RV_OK ||
	    send_out(peer) != RV_E_BUSY)
		rv_offers_drop(peer);
	else
		want(peer, RV_LOOP_WRITE);
}

/* The next line, if it is there already. */
static void take_line(struct rv_offer_peer *peer)
{
	bool begins = peer->in.size == 0;
	struct rv_why why = {.text = ""};
	int err = rv_control_get_line(peer->fd, &peer->in, RV_OFFER_LINE, &peer->length);

	PRE(!peer->is_due && peer->out.size == 0);
	if (begins && peer->in.size > 0)
		peer->since_us = rv_mono_us();
	switch (err) {
	case RV_OK:
		peer->is_due = true;
		peer->keeper->offers->ndue++;
		rv_offers_plan(peer->keeper);
		break;
	case RV_E_BUSY:
		want(peer, RV_LOOP_READ);
		break;
	case RV_E_TOOBIG:
		(void)rv_fail(&why, err, "a line of more than %u bytes", RV_OFFER_LINE);
		say_last(peer, err, &why);
		break;
	default: /* gone, or no memory for what it says: half a line is none */
		rv_offers_drop(peer);
		break;
	}
}

static void flush(struct rv_offer_peer *peer)
{
	int err = send_out(peer);

	if (err == RV_E_BUSY) {
		want(peer, RV_LOOP_WRITE);
		return;
	}
	if (err != RV_OK || peer->is_last) {
		rv_offers_drop(peer);
		return;
	}
	peer->sent = 0;
	peer->since_us = rv_mono_us();
	rv_buf_reset(&peer->out);
	if (peer->out.space > KEPT)
		forget(&peer->out);
	if (peer->in.size == 0 && peer->in.space > KEPT)
		forget(&peer->in);
	if (peer->in.size > 0)
		take_line(peer);
	else
		want(peer, RV_LOOP_READ);
}

void rv_offers_answered(struct rv_offer_peer *peer)
{
	struct rv_offers *offers = peer->keeper->offers;

	PRE(peer->is_due && peer->out.size > 0);
	INV(offers->ndue > 0);
	offers->ndue--;
	peer->is_due = false;
	peer->since_us = rv_mono_us();
	rv_control_drop_line(&peer->in, peer->length);
	flush(peer);
}

static void on_peer(struct rv_loop_io *io, int events)
{
	struct rv_offer_peer *peer = io->ctx;

	(void)events;
	INV(peer->fd >= 0);
	if (peer->is_due) /* more, or the end: not before the line that is there is done with */
		want(peer, 0);
	else if (peer->out.size > 0)
		flush(peer);
	else
		take_line(peer);
}

static struct rv_offers *begin(struct rv_keeper *keeper)
{
	struct rv_offers *offers = calloc(1, sizeof(*offers));

	for (unsigned i = 0; offers && i < RV_OFFERS_MAX; i++) {
		offers->peers[i].keeper = keeper;
		offers->peers[i].fd = -1;
	}
	if (offers)
		rv_arena_init(&offers->arena);
	return offers;
}

static struct rv_offer_peer *free_place(struct rv_offers *offers)
{
	for (unsigned i = 0; i < RV_OFFERS_MAX; i++) {
		if (offers->peers[i].fd < 0)
			return &offers->peers[i];
	}
	return NULL;
}

/* The first line, by which the client knows that it is heard, and whose store this is. */
static int greet(struct rv_keeper *keeper, struct rv_offer_peer *peer, struct rv_why *why)
{
	const char *path = keeper->child.conf->store.path;
	char store[RV_OFFER_STORE];
	struct rv_sock_peer who;
	int err = rv_sock_who(peer->fd, &who);

	if (err != RV_OK)
		return rv_fail(why, RV_E_DENIED, "who this is cannot be told");
	peer->uid = who.uid;
	err = rv_store_same_file(keeper->child.store);
	if (err == RV_OK)
		err = rv_offer_store(path, store);
	if (err != RV_OK)
		return rv_fail(why, RV_E_NOTRUN, "the store of this daemon is not at its path");
	return rv_offer_hello(store, &peer->out);
}

/* No place: a word, if it can be had without waiting, and that was it. */
static void turn_away(int fd)
{
	struct rv_why why = {.text = ""};
	struct rv_buf out;
	size_t sent = 0;
	int err = rv_fail(&why, RV_E_BUSY, "%d programs hand jobs over already", RV_OFFERS_MAX);

	rv_log(RV_LOG_DEBUG, RV_EV_control_refused, "%s", why.text);
	rv_buf_init(&out);
	if (rv_offer_refuse(err, &why, NULL, RV_OFFER_JOBS, &out) == RV_OK)
		(void)!rv_control_flush(fd, &out, &sent);
	rv_buf_fini(&out);
}

void rv_keep_on_submit(struct rv_keeper *keeper, int fd)
{
	struct rv_offer_peer *peer = NULL;
	struct rv_why why = {.text = ""};
	int err;

	if (fd < 0)
		return; /* no descriptor was left for it */
	if (!keeper->offers)
		keeper->offers = begin(keeper);
	if (keeper->offers)
		peer = free_place(keeper->offers);
	if (!peer) {
		turn_away(fd);
		rv_fd_close(&fd);
		return;
	}
	*peer = (struct rv_offer_peer){
		.keeper = keeper, .fd = fd, .wants = RV_LOOP_READ, .since_us = rv_mono_us()};
	rv_buf_init(&peer->in);
	rv_buf_init(&peer->out);
	rv_loop_io_start(keeper->loop, &peer->io, fd, RV_LOOP_READ, on_peer, peer);
	err = greet(keeper, peer, &why);
	if (err != RV_OK)
		say_last(peer, err, &why);
	else
		flush(peer);
}

void rv_keep_offers_expire(struct rv_keeper *keeper, int64_t now_us)
{
	struct rv_offers *offers = keeper->offers;
	struct rv_why why = {.text = ""};

	for (unsigned i = 0; offers && i < RV_OFFERS_MAX; i++) {
		struct rv_offer_peer *peer = &offers->peers[i];
		int64_t age_us = now_us - peer->since_us;

		if (peer->fd < 0 || peer->is_due || age_us < SLOW_US)
			continue;
		if (peer->out.size > 0) {
			rv_offers_drop(peer);
		} else if (peer->in.size > 0) {
			(void)rv_fail(&why, RV_E_TIMEOUT, "the rest of the line did not come");
			say_last(peer, RV_E_TIMEOUT, &why);
		} else if (age_us >= IDLE_US) {
			(void)rv_fail(&why, RV_E_NOTRUN, "nothing came for a minute");
			say_last(peer, RV_E_NOTRUN, &why);
		}
	}
}

void rv_keep_offers_end(struct rv_keeper *keeper)
{
	struct rv_offers *offers = keeper->offers;
	struct rv_why why = {.text = ""};

	if (!offers)
		return;
	(void)rv_fail(&why, RV_E_NOTRUN, "reeved's keeper ends: nothing of this was stored");
	rv_loop_timer_stop(&offers->turn);
	for (unsigned i = 0; i < RV_OFFERS_MAX; i++) {
		struct rv_offer_peer *peer = &offers->peers[i];

		if (peer->fd >= 0)
			say_last(peer, RV_E_NOTRUN, &why);
		if (peer->fd >= 0)
			rv_offers_drop(peer);
	}
	INV(offers->ndue == 0);
	rv_arena_reset(&offers->arena);
	free(offers->reqs);
	free(offers);
	keeper->offers = NULL;
}
