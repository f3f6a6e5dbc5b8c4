/*
 * reeve cancel, retry, delete, hold, release --query and queue purge: a change of many jobs.  The
 * jobs are looked for first, and only those are changed, each only while it is still in the state
 * it was seen in.  Batches of a few, so that everybody else works on between them.  Runs in the
 * CLI.
 */
#include "change.h"

#include "asked.h"
#include "base/fmt.h"
#include "base/seam.h"
#include "client/submit.h"
#include "core/pace.h"
#include "store/search.h"
#include "wire/json.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define BATCH      128 /* jobs of a transaction at most; as a rule its pace says fewer */
#define ERRORS_MAX 100 /* told one by one */

struct seen {
	int64_t id;
	int state;
	int runs;
};

struct many {
	struct rv_cli *cli;
	const struct rv_req *what;
	struct seen *seen; /* owned */
	size_t nseen, space;
	struct rv_req *reqs;  /* owned; BATCH of them */
	size_t done, left;    /* changed; left alone, because they are not what they were */
	json_t *errors;       /* owned */
	int64_t rate, per_us; /* 0: as fast as it goes */
	int64_t start_us;
	struct rv_bar bar;
};

/* Whether the change is one for a job like this. */
static bool applies(const struct rv_req *what, const struct rv_job_view *view)
{
	bool waits = view->state == RV_JOB_SCHEDULED || view->state == RV_JOB_READY ||
		     view->state == RV_JOB_BLOCKED;

	switch (what->kind) {
	case RV_REQ_CANCEL:
		return !rv_job_state_final(view->state);
	case RV_REQ_RETRY:
		return view->state == RV_JOB_DEAD || view->state == RV_JOB_CANCELLED;
	case RV_REQ_HOLD:
		return what->u.hold.held ? waits && !view->held : view->held;
	default:
		return rv_job_state_final(view->state);
	}
}

static int see(void *ctx, const struct rv_job_view *view)
{
	struct many *many = ctx;

	if (!applies(many->what, view))
		return RV_OK;
	if (many->nseen == many->space) {
		size_t space = many->space == 0 ? 1024 : many->space * 2;
		struct seen *grown = reallocarray(many->seen, space, sizeof(*grown));

		if (!grown)
			return RV_E_NOMEM;
		many->seen = grown;
		many->space = space;
	}
	many->seen[many->nseen++] = (struct seen){view->id, (int)view->state, view->runs};
	return RV_OK;
}

static void only(struct rv_req *req, unsigned states)
{
	switch (req->kind) {
	case RV_REQ_CANCEL:
		req->u.cancel.only = states;
		break;
	case RV_REQ_RETRY:
		req->u.retry.only = states;
		break;
	case RV_REQ_HOLD:
		req->u.hold.only = states;
		break;
	default:
		req->u.remove.only = states;
		break;
	}
}

static int note_error(struct many *many, int64_t id, const struct rv_req *req)
{
	json_t *item;

	many->left++;
	if (json_array_size(many->errors) >= ERRORS_MAX)
		return RV_OK;
	item = json_object();
	if (!item || rv_json_set_int(item, "id", id) != RV_OK ||
	    rv_json_set_text(item, "error", rv_why_text(&req->why, req->err)) != RV_OK ||
	    json_array_append(many->errors, item) != 0) {
		json_decref(item);
		return RV_E_NOMEM;
	}
	json_decref(item);
	return RV_OK;
}

static int change_batch(struct many *many, const struct seen *seen, size_t n)
{
	struct rv_req *reqs[BATCH];
	int err;

	for (size_t i = 0; i < n; i++) {
		reqs[i] = &many->reqs[i];
		rv_change_fill(reqs[i], many->what, seen[i].id);
		only(reqs[i], 1U << seen[i].state);
	}
	err = rv_submit(&many->cli->client, reqs, n, false, &many->cli->why);
	for (size_t i = 0; !err && i < n; i++) {
		if (reqs[i]->err)
			err = note_error(many, seen[i].id, reqs[i]);
		else
			many->done++;
		if (!reqs[i]->err && reqs[i]->kind == RV_REQ_DELETE)
			rv_outputs_forget(many->cli, seen[i].id, seen[i].runs);
		if (!reqs[i]->err && reqs[i]->kind == RV_REQ_CANCEL &&
		    reqs[i]->u.cancel.was == RV_JOB_RUNNING)
			rv_submit_kick(&many->cli->client, &reqs[i]->u.cancel);
	}
	return err;
}

/* Until ${done} of them were allowed. */
static void keep_rate(const struct many *many, size_t done)
{
	int64_t due_us;
	int64_t now_us;

	if (many->rate == 0)
		return;
	due_us = many->start_us +
		 (int64_t)((double)done * (double)many->per_us / (double)many->rate);
	while ((now_us = rv_mono_us()) < due_us) {
		int64_t ms = (due_us - now_us) / 1000 + 1;

		(void)poll(NULL, 0, ms < 60000 ? (int)ms : 60000);
	}
}

/* How many come next, and a while for everybody else. */
static uint32_t keep_pace(const struct many *many, size_t n, uint32_t most)
{
	struct rv_held held = rv_store_held(many->cli->client.store);

	(void)poll(NULL, 0, (int)((rv_pace_pause_us(held.held_us) + 999) / 1000));
	return rv_pace_next((uint32_t)n, held.worked_us, most);
}

/* A rate is kept in small steps, not in bursts: what it gives in 50 ms. */
static uint32_t most_at_once(const struct many *many)
{
	int64_t most = many->rate > 0 ? many->rate * (RV_S_US / 20) / many->per_us : BATCH;

	if (most < 1)
		return 1;
	return most < BATCH ? (uint32_t)most : BATCH;
}

static int change_all(struct many *many)
{
	uint32_t most = most_at_once(many);
	uint32_t count = RV_PACE_FIRST < most ? RV_PACE_FIRST : most;
	int err = RV_OK;

	many->start_us = rv_mono_us();
	/* The oldest first: what is retried or released keeps the order it was accepted in. */
	for (size_t left = many->nseen; !err && left > 0;) {
		struct seen batch[BATCH];
		size_t n = left < count ? left : count;

		for (size_t i = 0; i < n; i++)
			batch[i] = many->seen[left - 1 - i];
		err = change_batch(many, batch, n);
		left -= n;
		rv_bar_show(&many->bar, (int64_t)(many->nseen - left), (int64_t)many->nseen,
			    (int64_t)many->left);
		if (err || left == 0)
			break;
		count = keep_pace(many, n, most);
		keep_rate(many, many->nseen - left);
	}
	return err;
}

/* "10/1s" */
static int read_rate(struct many *many)
{
	const char *said = rv_args_value(&many->cli->args, RV_OPT_RATE);
	const char *slash = said ? strchr(said, '/') : NULL;
	char number[32];

	if (!said)
		return RV_OK;
	(void)snprintf(number, sizeof(number), "%.*s", slash ? (int)(slash - said) : 0, said);
	if (!slash || rv_parse_int(number, 1, 1000000000, &many->rate) != RV_OK ||
	    rv_parse_duration(slash + 1, &many->per_us) != RV_OK || many->per_us < 1)
		return rv_fail(&many->cli->why, RV_E_USAGE,
			       "--rate %s is no rate above 0, such as 10/1s", said);
	return RV_OK;
}

static int print_json(const struct many *many, bool dry)
{
	json_t *object = rv_cli_object();

	if (object && (rv_json_set_int(object, "matched", (int64_t)many->nseen) ||
		       rv_json_set_int(object, "done", (int64_t)many->done) ||
		       rv_json_set_int(object, "left", (int64_t)many->left) ||
		       rv_json_set_bool(object, "dry_run", dry) ||
		       rv_json_set_new(object, "errors", json_incref(many->errors)))) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(many->cli, object);
}

static int report(const struct many *many, const char *done, bool dry)
{
	const json_t *item;
	size_t i;

	if (many->cli->json) {
		int code = print_json(many, dry);

		return code ? code : many->left > 0 ? rv_err_exit(RV_E_CONFLICT) : 0;
	}
	if (dry)
		(void)printf("%zu would be: %s\n", many->nseen, done);
	else
		(void)printf("%zu %s\n", many->done, done);
	json_array_foreach(many->errors, i, item)
	{
		rv_cli_note("%s", json_string_value(json_object_get(item, "error")));
	}
	if (many->left > 0)
		rv_cli_note("%zu were left alone", many->left);
	return many->left > 0 ? rv_err_exit(RV_E_CONFLICT) : 0;
}

static int look(struct many *many, const char *terms)
{
	struct rv_query query;
	struct rv_search search = {.query = &query};
	char next[RV_CURSOR_SPACE];
	int err = read_rate(many);

	if (!err)
		err = rv_asked(many->cli, -1, terms, &query);
	if (!err)
		err = rv_cli_store(many->cli, RV_CLIENT_WRITE);
	if (err)
		return err;
	return rv_store_search(many->cli->client.store, &search, see, many, next, &many->cli->why);
}

int rv_change_many(struct rv_cli *cli, const struct rv_req *what, const char *done,
		   const char *terms)
{
	struct many many = {.cli = cli, .what = what};
	bool dry = rv_args_has(&cli->args, RV_OPT_DRY_RUN);
	int code;
	int err;

	rv_bar_init(&many.bar, &cli->out, done);
	many.errors = json_array();
	many.reqs = calloc(BATCH, sizeof(*many.reqs));
	err = many.errors && many.reqs ? look(&many, terms) : RV_E_NOMEM;
	if (!err && !dry)
		err = change_all(&many);
	rv_bar_fini(&many.bar);
	if (err && many.done > 0)
		rv_cli_note("%zu %s before this:", many.done, done);
	code = err ? rv_asked_fail(cli, err) : report(&many, done, dry);
	free(many.seen);
	free(many.reqs);
	json_decref(many.errors);
	return code;
}
