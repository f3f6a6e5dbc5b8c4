/*
 * reeve wait: until jobs are final.  Rung by whoever commits the last state; looks by itself once a
 * second.  Leaves neither socket nor row behind when it is interrupted.
 */
#include "cli.h"

#include "base/seam.h"
#include "client/waiter.h"
#include "interrupt.h"
#include "store/read.h"
#include "queues.h"
#include "verb.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_AT 1000 /* jobs looked at before the clock and the bell are */

struct waiting {
	struct rv_cli *cli;
	int64_t *ids; /* owned; the pending ones, ascending */
	size_t pending, total, space;
	int64_t counts[RV_JOB_STATES]; /* of the final ones */
	size_t at;                     /* where the next look begins */
	int64_t watched[RV_WAITER_JOBS];
	size_t nwatched;
	struct rv_waiter waiter;
	struct rv_bar bar;
	int64_t deadline_us; /* mono; 0: none */
};

static int add_id(struct waiting *waiting, int64_t id)
{
	if (waiting->total == waiting->space) {
		size_t space = waiting->space ? waiting->space * 2 : 256;
		int64_t *ids = realloc(waiting->ids, space * sizeof(*ids));

		if (!ids)
			return RV_E_NOMEM;
		waiting->ids = ids;
		waiting->space = space;
	}
	waiting->ids[waiting->total++] = id;
	waiting->pending = waiting->total;
	return RV_OK;
}

static int each_job(void *ctx, const struct rv_job_view *view)
{
	return add_id(ctx, view->id);
}

static int compare_ids(const void *a, const void *b)
{
	const int64_t *x = a;
	const int64_t *y = b;

	return (*x > *y) - (*x < *y);
}

/* A job that changes its state while we list may be met twice. */
static void drop_doubles(struct waiting *waiting)
{
	size_t kept = 0;

	qsort(waiting->ids, waiting->total, sizeof(*waiting->ids), compare_ids);
	for (size_t i = 0; i < waiting->total; i++) {
		if (kept == 0 || waiting->ids[kept - 1] != waiting->ids[i])
			waiting->ids[kept++] = waiting->ids[i];
	}
	waiting->total = waiting->pending = kept;
}

/* Every job of ${queue} (NULL: of all) that is not final now. */
static int collect_all(struct waiting *waiting, const char *queue)
{
	struct rv_store *store = waiting->cli->client.store;
	int err = rv_queues_check(waiting->cli, queue);

	for (int state = 0; !err && state < RV_JOB_STATES; state++) {
		struct rv_job_filter filter = {.state = state, .queue = queue, .limit = INT64_MAX};

		if (!rv_job_state_final((enum rv_job_state)state))
			err = rv_store_jobs(store, &filter, each_job, waiting);
	}
	if (!err && waiting->total > 0)
		drop_doubles(waiting);
	return err;
}

static int collect_words(struct waiting *waiting)
{
	const struct rv_args *args = &waiting->cli->args;
	int err = RV_OK;

	for (size_t i = 0; !err && i < args->nwords; i++) {
		struct rv_job_view view;
		int64_t id;

		err = rv_args_id(args->words[i], &id, &waiting->cli->why);
		if (!err)
			err = rv_store_job(waiting->cli->client.store, id, &view);
		if (err == RV_E_NOTFOUND)
			return rv_fail(&waiting->cli->why, err, "there is no job %s",
				       args->words[i]);
		if (!err)
			err = add_id(waiting, id);
	}
	if (!err)
		drop_doubles(waiting);
	return err;
}

/* Looks at up to LOOK_AT pending jobs, in order; those that are final leave the list. */
static int look(struct waiting *waiting, size_t *ret_ended)
{
	size_t start = waiting->at < waiting->pending ? waiting->at : 0;
	size_t stop = waiting->pending - start > LOOK_AT ? start + LOOK_AT : waiting->pending;
	size_t kept = start;

	for (size_t i = start; i < stop; i++) {
		struct rv_job_view view;
		int err = rv_store_job(waiting->cli->client.store, waiting->ids[i], &view);

		if (err && err != RV_E_NOTFOUND)
			return err;
		if (!err && !rv_job_state_final(view.state))
			waiting->ids[kept++] = waiting->ids[i];
		else if (!err) /* deleted meanwhile: it was final, nobody knows how */
			waiting->counts[view.state]++;
	}
	memmove(waiting->ids + kept, waiting->ids + stop,
		(waiting->pending - stop) * sizeof(*waiting->ids));
	*ret_ended = stop - kept;
	waiting->pending -= stop - kept;
	waiting->at = kept;
	return RV_OK;
}

static bool is_pending(const struct waiting *waiting, int64_t id)
{
	return bsearch(&id, waiting->ids, waiting->pending, sizeof(id), compare_ids) != NULL;
}

/*
 * Keeps the bell on the last few: when they have rung, little is left.  New ones only when all of
 * them have: each time is a write.  Whether some were added.
 */
static int watch_some(struct waiting *waiting, bool *ret_new)
{
	size_t count = waiting->pending < RV_WAITER_JOBS ? waiting->pending : RV_WAITER_JOBS;

	*ret_new = false;
	for (size_t i = 0; i < waiting->nwatched; i++) {
		if (is_pending(waiting, waiting->watched[i]))
			return RV_OK;
	}
	memcpy(waiting->watched, waiting->ids + waiting->pending - count,
	       count * sizeof(*waiting->ids));
	waiting->nwatched = count;
	*ret_new = true;
	return rv_waiter_watch(&waiting->waiter, &waiting->cli->client, waiting->watched, count,
			       &waiting->cli->why);
}

static int64_t failed_of(const struct waiting *waiting)
{
	return waiting->counts[RV_JOB_DEAD] + waiting->counts[RV_JOB_CANCELLED];
}

/* RV_OK: all are final.  RV_E_TIMEOUT; ${*ret_signo}: a signal ended it. */
static int wait_for_all(struct waiting *waiting, int signal_fd, int *ret_signo)
{
	while (waiting->pending > 0) {
		struct pollfd others[1] = {{.fd = signal_fd, .events = POLLIN}};
		size_t ended = 0;
		bool added = false;
		int64_t left_us = RV_WAITER_LOOK_US;
		int err = look(waiting, &ended);

		if (err)
			return err;
		rv_bar_show(&waiting->bar, (int64_t)(waiting->total - waiting->pending),
			    (int64_t)waiting->total, failed_of(waiting));
		if (waiting->deadline_us && waiting->pending > 0) {
			left_us = waiting->deadline_us - rv_mono_us();
			if (left_us <= 0)
				return rv_fail(&waiting->cli->why, RV_E_TIMEOUT,
					       "%zu of %zu jobs are not finished", waiting->pending,
					       waiting->total);
		}
		if (ended > 0)
			left_us = 0; /* more may have ended: look again, but hear a signal */
		else if ((err = watch_some(waiting, &added)) != RV_OK)
			return err;
		rv_waiter_sleep(&waiting->waiter, others, 1, added ? 0 : left_us);
		if (others[0].revents && rv_interrupt_read(signal_fd, ret_signo))
			return RV_OK;
	}
	rv_waiter_done(&waiting->waiter);
	return RV_OK;
}

static int report(struct waiting *waiting, bool timed_out)
{
	json_t *object;

	if (!waiting->cli->json) {
		if (failed_of(waiting) > 0)
			rv_cli_note("%lld of %zu jobs did not succeed (%lld dead, %lld cancelled)",
				    (long long)failed_of(waiting), waiting->total,
				    (long long)waiting->counts[RV_JOB_DEAD],
				    (long long)waiting->counts[RV_JOB_CANCELLED]);
		return 0;
	}
	object = rv_cli_object();
	if (object && (rv_json_set_int(object, "total", (int64_t)waiting->total) ||
		       rv_json_set_int(object, "succeeded", waiting->counts[RV_JOB_SUCCEEDED]) ||
		       rv_json_set_int(object, "dead", waiting->counts[RV_JOB_DEAD]) ||
		       rv_json_set_int(object, "cancelled", waiting->counts[RV_JOB_CANCELLED]) ||
		       rv_json_set_int(object, "pending", (int64_t)waiting->pending) ||
		       rv_json_set_bool(object, "timed_out", timed_out))) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(waiting->cli, object);
}

static int prepare(struct waiting *waiting)
{
	const struct rv_args *args = &waiting->cli->args;
	int64_t timeout_us = 0;
	int err = rv_args_duration(args, RV_OPT_TIMEOUT, &timeout_us, &waiting->cli->why);

	if (!err)
		err = rv_cli_store_waiting(waiting->cli);
	if (err)
		return err;
	if (rv_args_has(args, RV_OPT_TIMEOUT))
		waiting->deadline_us = rv_mono_us() + timeout_us;
	return args->nwords > 0 ? collect_words(waiting)
				: collect_all(waiting, rv_args_value(args, RV_OPT_QUEUE));
}

int rv_verb_wait(struct rv_cli *cli)
{
	struct waiting waiting = {.cli = cli, .waiter = {.fd = -1}};
	RV_AUTO(rv_interrupt_close) int signal_fd = -1;
	int signo = 0;
	int code;
	int err = prepare(&waiting);

	if (!err)
		err = rv_interrupt_open(&signal_fd);
	rv_bar_init(&waiting.bar, &cli->out, "waiting");
	if (!err) {
		rv_waiter_init(&waiting.waiter, &cli->client);
		err = wait_for_all(&waiting, signal_fd, &signo);
		rv_waiter_fini(&waiting.waiter, &cli->client);
	}
	rv_bar_fini(&waiting.bar);
	free(waiting.ids);
	if (err && err != RV_E_TIMEOUT)
		return rv_cli_fail(cli, err);
	if (signo)
		return 128 + signo;
	code = report(&waiting, err == RV_E_TIMEOUT);
	if (err)
		return rv_cli_fail(cli, err);
	return code ? code : failed_of(&waiting) > 0;
}
