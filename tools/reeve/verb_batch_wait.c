/*
 * reeve batch wait: until a batch is over.  Rung by whoever ends it; looks by itself once a second,
 * more often for a progress bar.  Leaves neither socket nor row behind when it is interrupted.
 */
#include "batches.h"

#include "base/seam.h"
#include "client/waiter.h"
#include "interrupt.h"
#include "pace.h"
#include "verb.h"

#include <stdlib.h>

#define BAR_US (200 * RV_MS_US) /* between two looks while somebody watches a bar */

struct waiting {
	struct rv_cli *cli;
	int64_t id;
	struct rv_batch_view view;
	struct rv_waiter waiter;
	struct rv_pace pace;
	int64_t deadline_us; /* mono; 0 none */
	bool watched;
};

static int look(struct waiting *waiting)
{
	struct rv_batch_view *view = &waiting->view;
	int err = rv_batch_read(waiting->cli, waiting->id, view);

	if (!err) {
		rv_pace_look(&waiting->pace, NULL, waiting->id, NULL, NULL);
		rv_bar_show(&waiting->pace.bar, view->total - view->pending, view->total,
			    view->dead + view->cancelled);
	}
	return err;
}

/* Once: the row stays until the batch has ended. */
static int watch(struct waiting *waiting)
{
	int64_t batch = -waiting->id;
	int err;

	if (waiting->watched)
		return RV_OK;
	waiting->watched = true;
	err = rv_waiter_watch(&waiting->waiter, &waiting->cli->client, &batch, 1,
			      &waiting->cli->why);
	return err ? err : look(waiting); /* it may have ended before the bell was there */
}

static int64_t patience_us(const struct waiting *waiting)
{
	int64_t us = waiting->cli->out.tty_err ? BAR_US : RV_WAITER_LOOK_US;
	int64_t left = waiting->deadline_us - rv_mono_us();

	if (waiting->deadline_us == 0 || left > us)
		return us;
	return left > 0 ? left : 0;
}

static int wait_for_it(struct waiting *waiting, int signal_fd, int *ret_signo)
{
	struct pollfd others[1] = {{.fd = signal_fd, .events = POLLIN}};
	int err = look(waiting);

	rv_bar_start(&waiting->pace.bar, waiting->view.total - waiting->view.pending);
	if (!err && waiting->view.closed_us == 0)
		rv_cli_note("batch %lld is open: it ends after reeve batch close %lld",
			    (long long)waiting->id, (long long)waiting->id);
	while (!err && waiting->view.ended_us == 0) {
		err = watch(waiting);
		if (err || waiting->view.ended_us != 0)
			break;
		if (waiting->deadline_us && rv_mono_us() >= waiting->deadline_us)
			return rv_fail(&waiting->cli->why, RV_E_TIMEOUT,
				       "batch %lld is not finished: %lld of %lld jobs are pending",
				       (long long)waiting->id, (long long)waiting->view.pending,
				       (long long)waiting->view.total);
		rv_waiter_sleep(&waiting->waiter, others, 1, patience_us(waiting));
		if (others[0].revents && rv_interrupt_read(signal_fd, ret_signo))
			return RV_OK;
		err = rv_cli_same_store(waiting->cli);
		if (!err)
			err = look(waiting);
	}
	if (!err)
		rv_waiter_done(&waiting->waiter);
	return err;
}

static int prepare(struct waiting *waiting)
{
	struct rv_cli *cli = waiting->cli;
	int64_t timeout_us = 0;
	int err = rv_batch_id(cli, &waiting->id);

	if (!err)
		err = rv_args_duration(&cli->args, RV_OPT_TIMEOUT, &timeout_us, &cli->why);
	if (!err)
		err = rv_cli_store_waiting(cli);
	if (!err && rv_args_has(&cli->args, RV_OPT_TIMEOUT))
		waiting->deadline_us = rv_mono_us() + timeout_us;
	return err;
}

static int report(const struct waiting *waiting, bool timed_out)
{
	const struct rv_batch_view *view = &waiting->view;
	int64_t failed = view->dead + view->cancelled;

	if (waiting->cli->json)
		return rv_batch_json(waiting->cli, view, timed_out);
	if (view->failed_us != 0)
		rv_cli_note("batch %lld has failed: %lld of %lld dead, %lld allowed",
			    (long long)view->id, (long long)view->dead, (long long)view->total,
			    (long long)view->allowed);
	else if (failed > 0)
		rv_cli_note("%lld of %lld jobs did not succeed (%lld dead, %lld cancelled)",
			    (long long)failed, (long long)view->total, (long long)view->dead,
			    (long long)view->cancelled);
	return 0;
}

int rv_verb_batch_wait(struct rv_cli *cli)
{
	struct waiting waiting = {.cli = cli, .waiter = {.fd = -1}};
	RV_AUTO(rv_interrupt_close) int signal_fd = -1;
	int signo = 0;
	int code;
	int err = prepare(&waiting);

	if (!err)
		err = rv_interrupt_open(&signal_fd);
	rv_pace_init(&waiting.pace, cli, "waiting");
	if (!err) {
		rv_waiter_init(&waiting.waiter, &cli->client);
		err = wait_for_it(&waiting, signal_fd, &signo);
		rv_waiter_fini(&waiting.waiter, &cli->client);
	}
	rv_bar_fini(&waiting.pace.bar);
	if (err && err != RV_E_TIMEOUT)
		return rv_cli_fail(cli, err);
	if (signo)
		return 128 + signo;
	/* The texts of the view were another call's: read once more. */
	if (rv_batch_read(cli, waiting.id, &waiting.view) != RV_OK)
		return rv_cli_fail(cli, RV_E_NOTFOUND);
	code = report(&waiting, err == RV_E_TIMEOUT);
	if (err)
		return rv_cli_fail(cli, err);
	return code ? code : waiting.view.succeeded != waiting.view.total;
}
