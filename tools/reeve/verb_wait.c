/*
 * reeve wait: until jobs are final.  Rung by whoever commits the last state; looks by itself at a
 * few jobs each 100 ms while things move, else at more of them once a second.  Each job that ends
 * is worth one look, so that waiting costs next to nothing beside the work.  Leaves neither socket
 * nor row behind when it is interrupted.
 */
#include "cli.h"

#include "base/seam.h"
#include "client/waiter.h"
#include "interrupt.h"
#include "pace.h"
#include "store/read.h"
#include "queues.h"
#include "verb.h"
#include "wait.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK       64   /* jobs looked at before the clock, the bell and the bar are */
#define LOOK_MOVING 256  /* jobs looked at each MOVING_US: 2 % of a core at 10 us a job */
#define LOOK_STILL  1000 /* and each second when nothing has ended since */
#define MOVING_US   (100 * RV_MS_US)

struct waiting {
	struct rv_cli *cli;
	const char *drained; /* the queue that is; NULL: what the command line says */
	int64_t *ids;        /* owned; the pending ones, ascending */
	size_t pending, total, space;
	int64_t counts[RV_JOB_STATES]; /* of the final ones */
	size_t at;                     /* where the next look begins */
	size_t owed;                   /* how many to look at before we sleep */
	bool moving;                   /* something ended since the last time we slept it out */
	int64_t look_us;               /* mono; when to look whether or not it rings */
	int64_t watched[RV_WAITER_JOBS];
	size_t nwatched;
	struct rv_waiter waiter;
	struct rv_pace pace;
	bool begun;          /* every job was looked at, or a thousand: from here on they end */
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

/* A job that is named twice is waited for once. */
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

/*
 * Every job of ${queue} (NULL: of all) that is not final now.  All states in one list: with a list
 * for each, a job that goes back while we read, because its worker died, is in none of them.
 */
static int collect_all(struct waiting *waiting, const char *queue)
{
	struct rv_job_filter filter = {.state = -1, .queue = queue, .limit = INT64_MAX};
	int err = rv_queues_check(waiting->cli, queue);

	for (int state = 0; state < RV_JOB_STATES; state++) {
		if (!rv_job_state_final((enum rv_job_state)state))
			filter.states |= 1U << state;
	}
	if (!err)
		err = rv_store_jobs(waiting->cli->client.store, &filter, each_job, waiting);
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

/* Reads one job; a final one is counted. */
static int look_at(struct waiting *waiting, int64_t id, bool *ret_ended)
{
	struct rv_job_view view;
	int err = rv_store_job(waiting->cli->client.store, id, &view);

	if (err && err != RV_E_NOTFOUND)
		return err;
	/* One deleted meanwhile was final, nobody knows how. */
	*ret_ended = err == RV_E_NOTFOUND || rv_job_state_final(view.state);
	if (!err && *ret_ended)
		waiting->counts[view.state]++;
	waiting->moving = waiting->moving || *ret_ended;
	return RV_OK;
}

/*
 * Looks at a chunk of the pending jobs; those that have ended leave the list.  Where some have,
 * the next look begins at the same place, and goes on at once if it was worth it.
 */
static int look(struct waiting *waiting)
{
	size_t start = waiting->at < waiting->pending ? waiting->at : 0;
	size_t stop = waiting->pending - start > CHUNK ? start + CHUNK : waiting->pending;
	size_t looked = stop - start;
	size_t kept = start;

	for (size_t i = start; i < stop; i++) {
		bool ended = false;
		int err = look_at(waiting, waiting->ids[i], &ended);

		if (err)
			return err;
		if (!ended)
			waiting->ids[kept++] = waiting->ids[i];
	}
	memmove(waiting->ids + kept, waiting->ids + stop,
		(waiting->pending - stop) * sizeof(*waiting->ids));
	waiting->pending -= stop - kept;
	waiting->at = kept < stop ? start : stop;
	waiting->owed = waiting->owed > looked ? waiting->owed - looked : 0;
	if (waiting->owed == 0 && (stop - kept) * 2 >= looked)
		waiting->owed = CHUNK;
	return RV_OK;
}

/* The watched ones are few and say most: those that have ended leave both lists. */
static int look_at_watched(struct waiting *waiting)
{
	size_t kept = 0;

	for (size_t i = 0; i < waiting->nwatched; i++) {
		int64_t id = waiting->watched[i];
		int64_t *found =
			bsearch(&id, waiting->ids, waiting->pending, sizeof(id), compare_ids);
		bool ended = !found;
		int err = found ? look_at(waiting, id, &ended) : RV_OK;

		if (err)
			return err;
		if (!ended) {
			waiting->watched[kept++] = id;
		} else if (found) {
			size_t place = (size_t)(found - waiting->ids);

			waiting->pending--;
			memmove(found, found + 1, (waiting->pending - place) * sizeof(*found));
			waiting->at -= waiting->at > place;
		}
	}
	waiting->nwatched = kept;
	return RV_OK;
}

/*
 * Keeps the bell on the last few: when they have rung, little is left.  New ones only when all of
 * them have (each time is a write), and not while there is a crowd that moves: then the clock does.
 */
static int watch_some(struct waiting *waiting)
{
	size_t count = waiting->pending < RV_WAITER_JOBS ? waiting->pending : RV_WAITER_JOBS;
	int err;

	if (waiting->nwatched > 0 || (waiting->pending > LOOK_STILL && waiting->moving))
		return RV_OK;
	memcpy(waiting->watched, waiting->ids + waiting->pending - count,
	       count * sizeof(*waiting->ids));
	waiting->nwatched = count;
	err = rv_waiter_watch(&waiting->waiter, &waiting->cli->client, waiting->watched, count,
			      &waiting->cli->why);
	return err ? err : look_at_watched(waiting); /* what ended before the bell was there */
}

static bool is_late(const struct waiting *waiting)
{
	return waiting->deadline_us && rv_mono_us() >= waiting->deadline_us;
}

/* After a sleep: what is to be looked at now. */
static int wake(struct waiting *waiting)
{
	bool rung_out = waiting->nwatched > 0;
	int err = rv_cli_same_store(waiting->cli);

	if (!err)
		err = look_at_watched(waiting);
	if (err)
		return err;
	rung_out = rung_out && waiting->nwatched == 0;
	if (rv_mono_us() >= waiting->look_us || is_late(waiting)) {
		waiting->owed =
			waiting->moving && waiting->waiter.fd >= 0 ? LOOK_MOVING : LOOK_STILL;
		waiting->moving = false;
		waiting->look_us = 0;
	} else if (rung_out && waiting->pending <= LOOK_STILL) {
		waiting->owed = waiting->pending;
	}
	return RV_OK;
}

static int64_t failed_of(const struct waiting *waiting)
{
	return waiting->counts[RV_JOB_DEAD] + waiting->counts[RV_JOB_CANCELLED];
}

/* How long to sleep; 0 when there is more to look at. */
static int64_t patience_us(struct waiting *waiting)
{
	int64_t now = rv_mono_us();
	int64_t until;

	if (waiting->owed > 0 || waiting->pending == 0)
		return 0;
	until = now + (waiting->moving ? MOVING_US : RV_WAITER_LOOK_US);
	if (waiting->look_us == 0 || waiting->look_us > until)
		waiting->look_us = until;
	until = waiting->look_us;
	if (waiting->deadline_us && waiting->deadline_us < until)
		until = waiting->deadline_us;
	return until > now ? until - now : 0;
}

static int check_deadline(struct waiting *waiting)
{
	if (!is_late(waiting) || waiting->owed > 0 || waiting->pending == 0)
		return RV_OK;
	return rv_fail(&waiting->cli->why, RV_E_TIMEOUT, "%zu of %zu jobs are not finished",
		       waiting->pending, waiting->total);
}

static bool is_pending(void *ctx, int64_t id)
{
	const struct waiting *waiting = ctx;

	return bsearch(&id, waiting->ids, waiting->pending, sizeof(id), compare_ids) != NULL;
}

static void show(struct waiting *waiting)
{
	int64_t done = (int64_t)(waiting->total - waiting->pending);

	if (!waiting->begun && waiting->owed == 0) {
		waiting->begun = true;
		rv_bar_start(&waiting->pace.bar, done);
	}
	if (waiting->pending > 0)
		rv_pace_look(&waiting->pace, NULL, 0, is_pending, waiting);
	rv_bar_show(&waiting->pace.bar, done, (int64_t)waiting->total, failed_of(waiting));
}

/* RV_OK: all are final.  RV_E_TIMEOUT; ${*ret_signo}: a signal ended it. */
static int wait_for_all(struct waiting *waiting, int signal_fd, int *ret_signo)
{
	int err = RV_OK;

	waiting->owed = LOOK_STILL;
	while (!err && waiting->pending > 0) {
		struct pollfd others[1] = {{.fd = signal_fd, .events = POLLIN}};

		if (waiting->owed > 0)
			err = look(waiting);
		show(waiting);
		if (!err)
			err = check_deadline(waiting);
		if (!err && waiting->owed == 0 && waiting->pending > 0)
			err = watch_some(waiting);
		if (err)
			return err;
		rv_waiter_sleep(&waiting->waiter, others, 1, patience_us(waiting));
		if (others[0].revents && rv_interrupt_read(signal_fd, ret_signo))
			return RV_OK;
		if (waiting->owed == 0)
			err = wake(waiting);
	}
	if (!err)
		rv_waiter_done(&waiting->waiter);
	return err;
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
	if (waiting->drained)
		return collect_all(waiting, waiting->drained);
	return args->nwords > 0 ? collect_words(waiting)
				: collect_all(waiting, rv_args_value(args, RV_OPT_QUEUE));
}

static int wait_for(struct rv_cli *cli, const char *drained)
{
	struct waiting waiting = {.cli = cli, .drained = drained, .waiter = {.fd = -1}};
	RV_AUTO(rv_interrupt_close) int signal_fd = -1;
	int signo = 0;
	int code;
	int err = prepare(&waiting);

	if (!err)
		err = rv_interrupt_open(&signal_fd);
	rv_pace_init(&waiting.pace, cli, "waiting");
	if (!err) {
		rv_waiter_init(&waiting.waiter, &cli->client);
		err = wait_for_all(&waiting, signal_fd, &signo);
		rv_waiter_fini(&waiting.waiter, &cli->client);
	}
	rv_bar_fini(&waiting.pace.bar);
	free(waiting.ids);
	if (err && err != RV_E_TIMEOUT)
		return rv_cli_fail(cli, err);
	if (signo)
		return 128 + signo;
	code = report(&waiting, err == RV_E_TIMEOUT);
	if (err)
		return rv_cli_fail(cli, err);
	return code ? code : !drained && failed_of(&waiting) > 0;
}

int rv_verb_wait(struct rv_cli *cli)
{
	return wait_for(cli, NULL);
}

int rv_wait_drained(struct rv_cli *cli, const char *queue)
{
	return wait_for(cli, queue);
}
