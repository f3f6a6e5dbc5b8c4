/*
 * reeve batch ls, show, close, cancel: jobs that are counted together; what why says of them.  Runs
 * in the CLI.
 */
#include "batches.h"

#include "base/fmt.h"
#include "base/seam.h"
#include "change.h"
#include "client/submit.h"
#include "core/job.h"
#include "verb.h"
#include "view.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 50

int rv_batch_id(struct rv_cli *cli, int64_t *ret_id)
{
	const char *text = cli->args.words[0];

	if (rv_parse_int(text, 1, INT64_MAX, ret_id) == RV_OK)
		return RV_OK;
	return rv_fail(&cli->why, RV_E_USAGE, "%s: not the number of a batch", text);
}

int rv_batch_read(struct rv_cli *cli, int64_t id, struct rv_batch_view *ret_view)
{
	int err = rv_store_batch(cli->client.store, id, ret_view);

	return err == RV_E_NOTFOUND
		       ? rv_fail(&cli->why, err, "there is no batch %lld", (long long)id)
		       : err;
}

int rv_batch_json(struct rv_cli *cli, const struct rv_batch_view *view, bool timed_out)
{
	json_t *object = rv_cli_object();
	RV_AUTO(rv_json_free) json_t *batch = rv_view_batch(view);

	if (object && (!batch || json_object_update(object, batch) != 0 ||
		       (timed_out && rv_json_set_bool(object, "timed_out", true) != RV_OK))) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(cli, object);
}

int rv_batch_why(struct rv_store *store, const struct rv_job_view *view, rv_limits_say_fn *say,
		 void *ctx)
{
	struct rv_batch_view batch;
	char text[160];
	int err;

	if (view->batch == 0)
		return RV_OK;
	if (view->callback) {
		(void)snprintf(text, sizeof(text),
			       "it is what batch %lld was to call when it had ended",
			       (long long)view->batch);
		say(ctx, "callback", text);
		return RV_OK;
	}
	err = rv_store_batch(store, view->batch, &batch);
	if (err) /* forgotten: the job is in none */
		return err == RV_E_NOTFOUND ? RV_OK : err;
	(void)snprintf(text, sizeof(text),
		       "it is in batch %lld, of which %lld of %lld jobs are not finished",
		       (long long)view->batch, (long long)batch.pending, (long long)batch.total);
	say(ctx, "batch", text);
	if (batch.failed_us != 0 && !rv_job_state_final(view->state)) {
		(void)snprintf(text, sizeof(text),
			       "batch %lld has failed: %lld of %lld dead, %lld allowed; %s",
			       (long long)view->batch, (long long)batch.dead,
			       (long long)batch.total, (long long)batch.allowed,
			       view->state != RV_JOB_RUNNING ? "it will be cancelled"
			       : batch.stops                 ? "it is cancelled"
							     : "it will not run again");
		say(ctx, "batch_failed", text);
	}
	return RV_OK;
}

static int close_batch(struct rv_cli *cli, int64_t id)
{
	struct rv_req *req = calloc(1, sizeof(*req));
	int err = req ? RV_OK : RV_E_NOMEM;

	if (!err) {
		req->kind = RV_REQ_CLOSE;
		req->u.close.batch = id;
		err = rv_submit_one(&cli->client, req, &cli->why);
	}
	free(req);
	return err;
}

int rv_verb_batch_close(struct rv_cli *cli)
{
	struct rv_batch_view view;
	int64_t id;
	int err = rv_batch_id(cli, &id);

	if (!err)
		err = rv_cli_store(cli, RV_CLIENT_WRITE);
	if (!err)
		err = close_batch(cli, id);
	if (!err)
		err = rv_batch_read(cli, id, &view);
	if (err)
		return rv_cli_fail(cli, err);
	if (cli->json)
		return rv_batch_json(cli, &view, false);
	if (view.pending > 0)
		(void)printf("%lld is closed, %lld of %lld jobs are not finished\n", (long long)id,
			     (long long)view.pending, (long long)view.total);
	else
		(void)printf("%lld is closed, all of its %lld jobs are finished\n", (long long)id,
			     (long long)view.total);
	return 0;
}

/* Closed first, so that nothing is added behind our back. */
int rv_verb_batch_cancel(struct rv_cli *cli)
{
	static const struct rv_req what = {.kind = RV_REQ_CANCEL};
	struct rv_batch_view view;
	char terms[64];
	int64_t id;
	int err = rv_batch_id(cli, &id);

	if (!err)
		err = rv_cli_store(cli, RV_CLIENT_WRITE);
	if (!err)
		err = rv_batch_read(cli, id, &view);
	if (!err && view.closed_us == 0 && !rv_args_has(&cli->args, RV_OPT_DRY_RUN))
		err = close_batch(cli, id);
	if (err == RV_E_CONFLICT) /* somebody else has */
		err = RV_OK;
	if (err)
		return rv_cli_fail(cli, err);
	(void)snprintf(terms, sizeof(terms), "batch:%lld state:scheduled,ready,blocked,running",
		       (long long)id);
	return rv_change_many(cli, &what, "cancelled", terms);
}

static void line_time(const char *name, int64_t wall_us)
{
	char when[RV_FMT_SPACE];
	char ago[RV_VIEW_AGO_SPACE];

	if (wall_us > 0)
		(void)printf("%-12s %s (%s)\n", name, rv_fmt_time(when, wall_us),
			     rv_view_ago(ago, wall_us, 0));
}

static void line_callback(const char *name, const struct rv_callback *callback, int64_t job)
{
	if (!callback->task)
		return;
	(void)printf("%-12s ", name);
	rv_out_text(stdout, callback->task);
	if (job > 0)
		(void)printf(": job %lld\n", (long long)job);
	else
		(void)printf("\n");
}

/* What it tolerates, if that is not everything. */
static void line_tolerance(const struct rv_batch_view *view)
{
	const char *stops = view->stops ? ", then what runs is cancelled too" : "";

	if (view->percent >= 0 && view->allowed >= 0)
		(void)printf("%-12s %lld dead (%lld%%)%s\n", "allowed", (long long)view->allowed,
			     (long long)view->percent, stops);
	else if (view->percent >= 0)
		(void)printf("%-12s %lld%% dead, from its closing on%s\n", "allowed",
			     (long long)view->percent, stops);
	else if (view->allowed >= 0)
		(void)printf("%-12s %lld dead%s\n", "allowed", (long long)view->allowed, stops);
}

static void print_batch(const struct rv_batch_view *view)
{
	(void)printf("%-12s %lld\n", "batch", (long long)view->id);
	rv_out_line("name", view->name);
	rv_out_line("state", rv_view_batch_state(view));
	rv_view_line_labels(view->labels);
	(void)printf("%-12s %lld: %lld pending, %lld succeeded, %lld dead, %lld cancelled\n",
		     "jobs", (long long)view->total, (long long)view->pending,
		     (long long)view->succeeded, (long long)view->dead, (long long)view->cancelled);
	line_tolerance(view);
	if (view->forgotten > 0)
		(void)printf("%-12s %lld of them\n", "deleted", (long long)view->forgotten);
	line_time("created", view->created_us);
	line_time("closed", view->closed_us);
	line_time("failed", view->failed_us);
	line_time("ended", view->ended_us);
	line_callback("on success", &view->on_success, view->success_job);
	line_callback("on complete", &view->on_complete, view->complete_job);
}

int rv_verb_batch_show(struct rv_cli *cli)
{
	struct rv_batch_view view;
	int64_t id;
	int err = rv_batch_id(cli, &id);

	if (!err)
		err = rv_cli_store(cli, RV_CLIENT_READ);
	if (!err)
		err = rv_batch_read(cli, id, &view);
	if (err)
		return rv_cli_fail(cli, err);
	if (cli->json)
		return rv_batch_json(cli, &view, false);
	print_batch(&view);
	return 0;
}

struct listing {
	struct rv_table *table;
	json_t *list; /* NULL: a table */
	int64_t left, last, now_us;
	bool more;
};

static int each_batch(void *ctx, const struct rv_batch_view *view)
{
	struct listing *listing = ctx;
	struct rv_table *table = listing->table;
	char ago[RV_VIEW_AGO_SPACE];
	json_t *object;

	if (listing->left == 0) {
		listing->more = true;
		return RV_E_CLOSED;
	}
	listing->left--;
	listing->last = view->id;
	if (listing->list) {
		object = rv_view_batch(view);
		return object && json_array_append_new(listing->list, object) == 0 ? RV_OK
										   : RV_E_NOMEM;
	}
	rv_table_int(table, view->id, RV_STYLE_NONE);
	rv_table_text(table, rv_view_batch_state(view), RV_STYLE_NONE);
	rv_table_int(table, view->total, RV_STYLE_NONE);
	rv_table_int(table, view->pending, view->pending ? RV_STYLE_NONE : RV_STYLE_DIM);
	rv_table_int(table, view->succeeded, view->succeeded ? RV_STYLE_GREEN : RV_STYLE_DIM);
	rv_table_int(table, view->dead, view->dead ? RV_STYLE_RED : RV_STYLE_DIM);
	rv_table_int(table, view->cancelled, view->cancelled ? RV_STYLE_YELLOW : RV_STYLE_DIM);
	rv_table_text(table, rv_view_ago(ago, view->created_us, listing->now_us), RV_STYLE_NONE);
	rv_table_text(table, view->name, RV_STYLE_NONE);
	return RV_OK;
}

static int print_list(struct rv_cli *cli, const struct listing *listing)
{
	json_t *object;
	char next[32] = "";

	if (listing->more)
		(void)snprintf(next, sizeof(next), "%lld", (long long)listing->last);
	if (!cli->json) {
		int err = rv_table_print(listing->table, &cli->out);

		if (!err && listing->more)
			rv_cli_note("there are more: --cursor %s", next);
		return err ? rv_cli_fail(cli, err) : 0;
	}
	object = rv_cli_object();
	if (object && (rv_json_set_new(object, "batches", json_incref(listing->list)) ||
		       rv_json_set_text(object, "next", listing->more ? next : NULL))) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(cli, object);
}

int rv_verb_batch_ls(struct rv_cli *cli)
{
	static const char *const headers[] = {">BATCH",     "STATE",      ">JOBS",
					      ">PENDING",   ">SUCCEEDED", ">DEAD",
					      ">CANCELLED", "CREATED",    "NAME"};
	struct rv_table table;
	struct listing listing = {.table = &table, .left = LIMIT_DEFAULT, .now_us = rv_wall_us()};
	int64_t before = 0;
	int code = 0;
	int err = rv_args_int(&cli->args, RV_OPT_LIMIT, 0, INT64_MAX, &listing.left, &cli->why);

	if (!err)
		err = rv_args_int(&cli->args, RV_OPT_CURSOR, 1, INT64_MAX, &before, &cli->why);
	if (!err)
		err = rv_cli_store(cli, RV_CLIENT_READ);
	if (err)
		return rv_cli_fail(cli, err);
	if (listing.left == 0)
		listing.left = INT64_MAX;
	rv_table_init(&table, headers, RV_ARRAY_LEN(headers));
	listing.list = cli->json ? json_array() : NULL;
	err = cli->json && !listing.list
		      ? RV_E_NOMEM
		      : rv_store_batches(cli->client.store, before, 0, each_batch, &listing);
	if (!err || listing.more)
		code = print_list(cli, &listing);
	else
		code = rv_cli_fail(cli, err);
	json_decref(listing.list);
	rv_table_fini(&table);
	return code;
}
