/*
 * What a child says and hears: messages on descriptor 3, rings, the writer's calls back.  Worker
 * and keeper.  A message that cannot be sent is never waited for longer than a second.
 */
#include "child/link.h"

#include "base/check.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/sock.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int send_message(const struct rv_sup_msg *msg)
{
	int err = rv_sup_send(RV_SUP_FD, msg);

	if (err == RV_E_BUSY && rv_fd_wait(RV_SUP_FD, POLLOUT, RV_S_US) == RV_OK)
		err = rv_sup_send(RV_SUP_FD, msg);
	return err;
}

int rv_child_send(struct rv_child *child, enum rv_sup_kind kind, uint64_t a, uint64_t b, uint64_t c)
{
	struct rv_sup_msg msg = {
		.version = RV_SUP_VERSION, .kind = (uint16_t)kind, .a = a, .b = b, .c = c};

	(void)child;
	return send_message(&msg);
}

void rv_child_status(struct rv_child *child, uint64_t ping, const char *state)
{
	struct rv_sup_msg msg = {
		.version = RV_SUP_VERSION,
		.kind = RV_SUP_STATUS,
		.size = (uint32_t)strlen(state),
		.a = ping,
		.b = atomic_load(&child->hint->jobs_done),
	};

	PRE(msg.size < RV_SUP_TEXT);
	memcpy(msg.text, state, msg.size);
	if (send_message(&msg) != RV_OK)
		rv_log(RV_LOG_DEBUG, RV_EV_worker_failed, "the answer to a ping was not taken");
}

void rv_child_ring_token(struct rv_child *child, uint64_t token)
{
	rv_sock_ring(child->doorbell, token);
}

void rv_child_ring_queue(struct rv_child *child, const char *queue)
{
	rv_child_ring_token(child, queue[0] != '\0' ? rv_ring_token(queue) : RV_RING_ALL);
}

/* After a commit that we led, whoever asked for it. */
static void on_ring(void *ctx, const struct rv_ring *ring)
{
	struct rv_child *child = ctx;

	switch (ring->kind) {
	case RV_RING_QUEUE:
		rv_child_ring_queue(child, ring->name);
		break;
	case RV_RING_SCHEDULED:
		rv_child_ring_token(child, RV_RING_KEEPER);
		break;
	case RV_RING_WAITER:
		rv_sock_ring_waiter(ring->name, (uint64_t)ring->job);
		break;
	}
}

#define PARENT_US (50 * RV_MS_US) /* naps are shorter while a round is quick */

static void on_beat(void *ctx)
{
	struct rv_child *child = ctx;
	int64_t now = rv_child_beat(child);

	/* Descriptor 3 is not looked at while a request waits, which may be long. */
	if (now - child->parent_us > PARENT_US) {
		child->parent_us = now;
		if (getppid() != child->parent && child->hooks.orphaned)
			child->hooks.orphaned(child->hooks.ctx);
	}
	if (child->hooks.beat)
		child->hooks.beat(child->hooks.ctx);
}

static void on_stuck(void *ctx, unsigned slot)
{
	struct rv_child *child = ctx;

	rv_log_with(RV_LOG_WARN, RV_EV_leader_stuck, RV_FIELDS(RV_INT("slot", slot)),
		    "the leader in slot %u has stood still for a second", slot);
	if (rv_child_send(child, RV_SUP_STUCK, slot, 0, 0) != RV_OK)
		rv_log(RV_LOG_WARN, RV_EV_leader_stuck, "the supervisor was not told");
}

int rv_child_writer_open(struct rv_child *child, const struct rv_child_hooks *hooks,
			 struct rv_why *why)
{
	struct rv_writer_open how = {
		.store = child->store,
		.area = &child->area,
		.slot = child->slot,
		.incarnation = child->incarnation,
		.checkpoint_bytes = RV_CHILD_CHECKPOINT,
		.beat = on_beat,
		.stuck = on_stuck,
		.ring = on_ring,
		.ctx = child,
	};

	if (hooks)
		child->hooks = *hooks;
	return rv_writer_open(&how, &child->writer, why);
}

int rv_child_do(struct rv_child *child, struct rv_req *req, enum rv_durability durability,
		int64_t timeout_us, struct rv_why *why)
{
	int err;

	(void)rv_child_beat(child);
	err = rv_writer_do(child->writer, req, durability, timeout_us);
	if (err == RV_OK)
		err = req->err;
	if (err == RV_OK)
		return RV_OK;
	return rv_fail(why, err, "%s: %s", rv_req_name(req->kind), rv_why_text(&req->why, err));
}

int rv_child_do_all(struct rv_child *child, struct rv_req *const *reqs, size_t count,
		    enum rv_durability durability, int64_t timeout_us)
{
	(void)rv_child_beat(child);
	return rv_writer_do_all(child->writer, reqs, count, durability, timeout_us);
}

static void on_control(struct rv_loop_io *io, int events)
{
	struct rv_child_link *link = io->ctx;
	struct rv_sup_msg msg;
	int err;

	(void)events;
	for (;;) {
		err = rv_sup_take(RV_SUP_FD, 0, &msg, &link->passed);
		if (err != RV_OK)
			break;
		link->message(link->ctx, &msg);
		rv_fd_close(&link->passed);
	}
	if (err == RV_E_BUSY)
		return;
	rv_loop_io_stop(&link->control);
	link->gone(link->ctx);
}

void rv_child_link_start(struct rv_child_link *link)
{
	PRE(link->message && link->gone);
	rv_loop_io_start(link->loop, &link->control, RV_SUP_FD, RV_LOOP_READ, on_control, link);
}

void rv_child_link_stop(struct rv_child_link *link)
{
	rv_loop_io_stop(&link->control);
	rv_loop_io_stop(&link->log);
}

static void on_log(struct rv_loop_io *io, int events)
{
	(void)events;
	rv_log_pump();
	rv_loop_io_stop(io);
}

void rv_child_link_log(struct rv_child_link *link)
{
	int fd = rv_log_pending_fd();

	rv_loop_io_stop(&link->log);
	if (fd >= 0)
		rv_loop_io_start(link->loop, &link->log, fd, RV_LOOP_WRITE, on_log, link);
}
