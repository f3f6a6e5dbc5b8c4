/*
 * Descriptor 3 of the children, our end.  Runs in the supervisor only.  Every number in a message
 * is checked against the child table; what is no message, or not this sender's, ends the sender and
 * nobody else.  Must never allocate and never wait.
 *
 * Wider than the budget of headers: table.h brings what the child table is made of.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/seam.h"
#include "obs/log.h"
#include "os/fd.h"
#include "supervisor/admit.h"
#include "supervisor/child.h"
#include "supervisor/death.h"
#include "supervisor/judge.h"
#include "supervisor/pools.h"
#include "wire/sup.h"

#define TURN_MESSAGES 16   /* of one child in one turn of the loop */
#define CREDIT_MAX    1000 /* messages in a burst */
#define CREDIT_SECOND 200  /* and for long */

/* Who may send what; HUNG, TICK and ACK cost others something, or are about all. */
static bool is_keepers(unsigned kind)
{
	return kind == RV_SUP_TICK || kind == RV_SUP_LOAD || kind == RV_SUP_ADMIT ||
	       kind == RV_SUP_HUNG || kind == RV_SUP_ACK;
}

bool rv_child_send(struct rv_child *child, const struct rv_sup_msg *msg)
{
	PRE(msg->kind > RV_SUP_NONE && msg->kind < RV_SUP_KINDS && msg->size <= RV_SUP_TEXT);
	return child->chan >= 0 && rv_sup_send(child->chan, msg) == RV_OK;
}

bool rv_child_tell(struct rv_child *child, unsigned kind, uint64_t a, uint64_t b)
{
	struct rv_sup_msg msg = {.version = RV_SUP_VERSION, .kind = (uint16_t)kind, .a = a, .b = b};

	PRE(kind > RV_SUP_NONE && kind < RV_SUP_KINDS);
	return rv_child_send(child, &msg);
}

bool rv_child_pass(struct rv_child *child, unsigned kind, int passed)
{
	struct rv_sup_msg msg = {.version = RV_SUP_VERSION, .kind = (uint16_t)kind};

	PRE(kind > RV_SUP_NONE && kind < RV_SUP_KINDS && passed >= 0);
	/* What outsiders can cause must leave room for what the child has to hear. */
	return child->chan >= 0 && !rv_sup_is_behind(child->chan) &&
	       rv_sup_pass(child->chan, &msg, passed) == RV_OK;
}

static void garbage(struct rv_sup *sup, struct rv_child *child, const char *what)
{
	rv_log_with(RV_LOG_ERROR, RV_EV_child_garbage, RV_FIELDS(RV_INT("pid", child->pid)),
		    "%s sent %s on descriptor 3; it is ended", rv_child_title(child), what);
	rv_loop_io_stop(&child->chan_io);
	(void)rv_child_event(sup, child, RV_LIFE_EV_KILL, RV_REASON_PROTOCOL);
}

static void on_ready(struct rv_sup *sup, struct rv_child *child)
{
	bool is_first = child->ready_us == 0;

	if (!is_first || !rv_child_event(sup, child, RV_LIFE_EV_READY, RV_REASON_NONE)) {
		garbage(sup, child, "READY twice");
		return;
	}
	child->ready_us = rv_mono_us();
	rv_log_with(RV_LOG_INFO, RV_EV_child_ready, RV_FIELDS(RV_INT("pid", child->pid)),
		    "%s is ready", rv_child_title(child));
	if (rv_child_kind(child) == RV_PROC_KEEPER) {
		sup->pulse.tick_us = child->ready_us;
		sup->pulse.down_us = 0;
		sup->pulse.failed = 0;
		rv_death_keeper_ready(sup);
	}
}

static void on_tick(struct rv_sup *sup, struct rv_child *child, const struct rv_sup_msg *msg)
{
	uint64_t was = sup->pulse.writer;
	int64_t now_us = rv_mono_us();

	/* A keeper that boots for long (a migration) says so by its TICKs. */
	if (child->life == RV_LIFE_STARTING)
		child->deadline_us = now_us + rv_child_boot_us(sup, child);
	sup->pulse.tick_us = now_us;
	sup->pulse.depth = msg->a;
	sup->pulse.oldest_us = msg->b;
	sup->pulse.writer = msg->c;
	rv_death_retell(sup, now_us);
	if (msg->c != 0 && was != msg->c)
		rv_log_with(RV_LOG_WARN, RV_EV_writer_blocked, RV_FIELDS(RV_INT("pid", msg->c)),
			    "degraded: writer blocked by pid %llu", (unsigned long long)msg->c);
	else if (msg->c == 0 && was != 0)
		rv_log(RV_LOG_INFO, RV_EV_writer_free, "the store's write lock is free again");
}

static void on_kick(struct rv_sup *sup, const struct rv_sup_msg *msg)
{
	struct rv_child *child;

	if (msg->a >= sup->nslots)
		return;
	child = &sup->children[msg->a];
	/* Another fence than the one that runs is ignored by the worker. */
	if (rv_life_has_process(child->life))
		(void)rv_child_tell(child, RV_SUP_CANCEL, msg->b, msg->c);
}

static void on_status(struct rv_child *child, const struct rv_sup_msg *msg)
{
	child->jobs_done = msg->b;
	if (msg->a == child->ping)
		child->ping = 0;
}

static void hear(struct rv_sup *sup, struct rv_child *child, const struct rv_sup_msg *msg)
{
	if (is_keepers(msg->kind) && rv_child_kind(child) != RV_PROC_KEEPER) {
		garbage(sup, child, "what only the keeper may say");
		return;
	}
	switch (msg->kind) {
	case RV_SUP_READY:
		on_ready(sup, child);
		break;
	case RV_SUP_TICK:
		on_tick(sup, child, msg);
		break;
	case RV_SUP_LOAD:
		rv_pools_load(sup, msg->a, msg->b, msg->c);
		break;
	case RV_SUP_ADMIT:
		rv_admit_heard(sup, msg->a, msg->b != 0, msg->text, msg->size);
		break;
	case RV_SUP_STUCK:
		rv_judge_stuck(sup, msg->a);
		break;
	case RV_SUP_HUNG:
		rv_judge_hung(sup, msg->a, msg->b);
		break;
	case RV_SUP_KICK:
		on_kick(sup, msg);
		break;
	case RV_SUP_ACK:
		/* An obituary that was sent twice may be acknowledged twice. */
		if (rv_obits_ack(&sup->obits, msg->a) == RV_OK)
			sup->is_dirty = true;
		break;
	case RV_SUP_STATUS:
		on_status(child, msg);
		break;
	default:
		garbage(sup, child, "a message that is not for us");
	}
}

/* One message; false: no more for now. */
static bool hear_one(struct rv_sup *sup, struct rv_child *child)
{
	struct rv_sup_msg msg;
	int err = rv_sup_recv(child->chan, 1, &msg);

	INV(child->chan >= 0 && child->closed_us == 0);

	if (err == RV_E_BUSY)
		return false;
	if (err == RV_E_PARSE) {
		garbage(sup, child, "what is no message");
		return false;
	}
	if (err != RV_OK) {
		/* A child that ends closes it a moment before: it has a second for that. */
		rv_loop_io_stop(&child->chan_io);
		child->closed_us = rv_mono_us();
		return false;
	}
	child->credit--;
	hear(sup, child, &msg);
	return child->life != RV_LIFE_KILLING;
}

static void refill(struct rv_child *child, int64_t now_us)
{
	int64_t more = (now_us - child->filled_us) * CREDIT_SECOND / RV_SECOND_US;

	if (more <= 0)
		return;
	child->filled_us = now_us;
	INV(child->credit <= CREDIT_MAX);
	child->credit =
		child->credit + more < CREDIT_MAX ? (int)(child->credit + more) : CREDIT_MAX;
}

static void on_message(struct rv_loop_io *io, int events)
{
	struct rv_child *child = rv_container_of(io, struct rv_child, chan_io);

	(void)events;
	refill(child, rv_mono_us());
	for (int i = 0; i < TURN_MESSAGES; i++) {
		if (child->credit <= 0) {
			child->is_paused = true;
			rv_loop_io_want(io, 0);
			return;
		}
		if (!hear_one(io->ctx, child))
			return;
	}
}

void rv_child_listen(struct rv_sup *sup, struct rv_child *child)
{
	PRE(child->chan >= 0);
	rv_loop_io_start(sup->loop, &child->chan_io, child->chan, RV_LOOP_READ, on_message, sup);
}

void rv_child_hear_rest(struct rv_sup *sup, struct rv_child *child)
{
	PRE(rv_life_has_process(child->life));
	/* The ACKs and READY of a child that is dead by now still count; its socket bounds them. */
	while (child->closed_us == 0 && child->life != RV_LIFE_KILLING && hear_one(sup, child))
		continue;
	rv_loop_io_stop(&child->chan_io);
	rv_fd_close(&child->chan);
}

int64_t rv_child_unpause(struct rv_sup *sup, int64_t now_us)
{
	int64_t next_us = 0;

	for (size_t i = 0; i < sup->nslots; i++) {
		struct rv_child *child = &sup->children[i];

		if (!child->is_paused)
			continue;
		refill(child, now_us);
		if (child->credit < TURN_MESSAGES) {
			next_us = now_us + RV_SECOND_US / 10;
			continue;
		}
		child->is_paused = false;
		INV(child->chan >= 0);
		rv_loop_io_want(&child->chan_io, RV_LOOP_READ);
	}
	return next_us;
}
