/*
 * Jobs for a queue that is full: whoever adds them waits until there is room.  Runs in the CLI.
 * Rung by whoever takes a waiting job away; looks by itself once a second.  Leaves neither socket
 * nor row behind when it is interrupted.
 */
#include "enqueue.h"

#include "base/fmt.h"
#include "base/seam.h"
#include "client/waiter.h"
#include "interrupt.h"
#include "store/read.h"

#include <signal.h>
#include <string.h>

struct room {
	struct rv_cli *cli;
	const struct rv_submit_jobs *jobs;
	struct rv_waiter waiter;
	int64_t timeout_us, deadline_us; /* mono; 0 none */
	int64_t tried_us;                /* mono */
	int signal_fd, signo;
};

static int open_room(struct room *room)
{
	int err = rv_interrupt_open(&room->signal_fd);

	if (rv_args_has(&room->cli->args, RV_OPT_FULL_TIMEOUT))
		room->deadline_us = rv_mono_us() + room->timeout_us;
	if (!err)
		rv_waiter_init(&room->waiter, &room->cli->client);
	return err;
}

/* What is known of the queue says that it is worth trying. */
struct look {
	const char *queue;
	int64_t count;
	bool fits;
};

static int each_queue(void *ctx, const struct rv_queue_view *view)
{
	struct look *look = ctx;
	int64_t waiting = view->counts[RV_JOB_SCHEDULED] + view->counts[RV_JOB_READY] +
			  view->counts[RV_JOB_BLOCKED];

	if (strcmp(view->name, look->queue) == 0)
		look->fits = view->max == 0 || waiting + look->count <= view->max;
	return RV_OK;
}

/* Until the next try: one of a block for several queues is made each second in any case. */
static int sleep_once(struct room *room, bool *ret_try)
{
	struct look look = {.queue = room->jobs->full, .count = (int64_t)room->jobs->count};
	struct pollfd others[1] = {{.fd = room->signal_fd, .events = POLLIN}};
	int64_t patience_us = RV_WAITER_LOOK_US;
	int64_t now_us = rv_mono_us();
	int err;

	if (room->deadline_us && room->deadline_us - now_us < patience_us)
		patience_us = room->deadline_us > now_us ? room->deadline_us - now_us : 0;
	rv_waiter_sleep(&room->waiter, others, 1, patience_us);
	*ret_try = false;
	if (others[0].revents && rv_interrupt_read(room->signal_fd, &room->signo))
		return RV_OK;
	err = rv_cli_same_store(room->cli);
	if (!err)
		err = rv_store_queues(room->cli->client.store, each_queue, &look);
	*ret_try = look.fits || rv_mono_us() - room->tried_us >= RV_WAITER_LOOK_US;
	return err;
}

static int wait_for_room(struct room *room)
{
	bool again = false;
	int err = RV_OK;

	room->tried_us = rv_mono_us();
	while (!err && !again && !room->signo) {
		char text[RV_FMT_SPACE];

		if (room->deadline_us && rv_mono_us() >= room->deadline_us)
			return rv_fail(&room->cli->why, RV_E_TIMEOUT,
				       "no room in queue %s within %s", room->jobs->full,
				       rv_fmt_duration(text, room->timeout_us));
		err = rv_waiter_watch_queue(&room->waiter, &room->cli->client, room->jobs->full,
					    (int64_t)room->jobs->count, &room->cli->why);
		if (!err)
			err = sleep_once(room, &again);
	}
	return err;
}

/* What was kept back is heard again: a signal that has come does now what it would have done. */
static void close_room(struct room *room)
{
	sigset_t set;

	rv_waiter_fini(&room->waiter, &room->cli->client);
	rv_interrupt_close(&room->signal_fd);
	if (room->signo)
		(void)raise(room->signo);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int rv_room_submit(struct rv_cli *cli, struct rv_submit_jobs *jobs)
{
	struct room room = {.cli = cli, .jobs = jobs, .waiter = {.fd = -1}, .signal_fd = -1};
	int err = rv_args_duration(&cli->args, RV_OPT_FULL_TIMEOUT, &room.timeout_us, &cli->why);

	if (!err)
		err = rv_submit_jobs(&cli->client, jobs, &cli->why);
	if (err != RV_E_FULL || !jobs->may_wait)
		return err;
	rv_cli_note("queue %s is full: waiting for room", jobs->full);
	err = open_room(&room);
	while (!err) {
		err = wait_for_room(&room);
		if (err || room.signo)
			break;
		err = rv_submit_jobs(&cli->client, jobs, &cli->why);
		if (err != RV_E_FULL || !jobs->may_wait)
			break;
		err = RV_OK;
	}
	close_room(&room);
	return err;
}
