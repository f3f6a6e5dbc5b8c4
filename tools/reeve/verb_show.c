/*
 * reeve show: one job as it stands in the store, and its attempts.  Runs in the CLI; changes
 * nothing.
 */
#include "cli.h"

#include "base/buf.h"
#include "base/fmt.h"
#include "base/seam.h"
#include "left.h"
#include "verb.h"
#include "view.h"
#include "wire/json.h"

#include <string.h>

static void line_time(const char *name, int64_t wall_us, int64_t now_us)
{
	char time[RV_FMT_SPACE];
	char ago[RV_VIEW_AGO_SPACE];

	if (wall_us != 0)
		(void)printf("%-12s %s (%s)\n", name, rv_fmt_time(time, wall_us),
			     rv_view_ago(ago, wall_us, now_us));
}

static void show_head(const struct rv_cli *cli, const struct rv_job_view *view, int64_t now_us)
{
	char text[128];
	struct rv_buf what;

	rv_buf_init(&what);
	(void)printf("%-12s %lld\n", "job", (long long)view->id);
	(void)printf("%-12s %s%s%s%s\n", "state", rv_out_on(&cli->out, rv_view_style(view->state)),
		     rv_job_state_name(view->state),
		     rv_out_off(&cli->out, rv_view_style(view->state)),
		     view->cancel_requested && view->state == RV_JOB_RUNNING ? " (cancel requested)"
									     : "");
	if (rv_view_what(view, &what) == RV_OK)
		rv_out_line(view->task && *view->task ? "task" : "command", rv_buf_text(&what));
	rv_buf_fini(&what);
	rv_out_line("queue", view->queue);
	(void)printf("%-12s %d\n", "priority", view->priority);
	if (view->weight != 1)
		(void)printf("%-12s %d\n", "weight", view->weight);
	(void)printf("%-12s %d of %d\n", "attempt", view->attempt, view->max_attempts);
	if (view->crashes > 0)
		(void)printf("%-12s %d (%d allowed)\n", "crashes", view->crashes,
			     view->max_crashes);
	line_time("created", view->created_us, now_us);
	if (view->state == RV_JOB_SCHEDULED)
		line_time("runs", view->run_at_us, now_us);
	line_time("started", view->started_us, now_us);
	line_time("finished", view->finished_us, now_us);
	line_time("expires", view->expires_us, now_us);
	line_time("deadline", view->deadline_us, now_us);
	rv_out_line("result", rv_view_exit(view->exit_code, view->signo, text, sizeof(text)));
	rv_out_line("error", view->error);
	rv_out_line("worker", view->worker);
}

static void show_rest(const struct rv_job_view *view)
{
	char text[RV_FMT_SPACE];
	char made[RV_CRONS_MADE];

	if (view->timeout_us > 0)
		rv_out_line("timeout", rv_fmt_duration(text, view->timeout_us));
	if (view->payload_size > 0)
		(void)printf("%-12s %zu bytes\n", "stdin", view->payload_size);
	rv_out_line("unique", view->unique_key);
	if (view->until_us != RV_UNTIL_FINISHED)
		rv_out_line("held until", rv_job_until_name(text, view->until_us));
	rv_out_line("idempotency", view->idem_key);
	rv_out_line("key", view->key);
	rv_out_line("resources", view->takes);
	rv_out_line("limit", view->gate);
	rv_view_line_labels(view->labels);
	rv_out_line("metadata", view->meta);
	rv_crons_made(made, view->meta);
	rv_out_line("schedule", made[0] ? made : NULL);
	if (view->batch > 0)
		(void)printf("%-12s %s%lld\n", "batch", view->callback ? "callback of " : "",
			     (long long)view->batch);
	if (view->parent > 0)
		(void)printf("%-12s job %lld\n", "parent", (long long)view->parent);
	if (view->held)
		(void)printf("%-12s reeve release %lld\n", "held", (long long)view->id);
	if (view->parent_left > 0)
		(void)printf("%-12s %lld more to end\n", "waits for", (long long)view->parent_left);
}

static int attempt_row(void *ctx, const struct rv_attempt_view *view)
{
	struct rv_table *table = ctx;
	char text[RV_FMT_SPACE + 64];
	const char *of = rv_view_usage_of(view);
	/* What a run used itself is lost with its worker; of its handler's memory it is not known.
	 */
	bool by_worker = of && strcmp(of, "worker") == 0;
	bool by_handler = of && strcmp(of, "handler") == 0;

	rv_table_int(table, view->run, RV_STYLE_NONE);
	rv_table_text(table, rv_view_outcome(view->outcome), RV_STYLE_NONE);
	rv_table_text(table, rv_view_exit(view->exit_code, view->signo, text, sizeof(text)),
		      RV_STYLE_NONE);
	rv_table_text(table, view->started_us ? rv_fmt_time(text, view->started_us) : "",
		      RV_STYLE_NONE);
	rv_table_text(table,
		      view->ended_us > view->started_us
			      ? rv_fmt_about(text, view->ended_us - view->started_us)
			      : "",
		      RV_STYLE_NONE);
	if (of)
		rv_table_printf(table, RV_STYLE_NONE, "%s%s",
				rv_fmt_about(text, rv_view_cpu_us(view)),
				by_worker ? " by worker" : "");
	else
		rv_table_text(table, "", RV_STYLE_DIM);
	if (of && view->maxrss_bytes > 0)
		rv_table_printf(table, RV_STYLE_NONE, "%lldK%s",
				(long long)(view->maxrss_bytes >> 10),
				by_worker    ? " by worker"
				: by_handler ? " by handler"
					     : "");
	else
		rv_table_text(table, "", RV_STYLE_DIM);
	rv_table_text(table, view->worker, RV_STYLE_NONE);
	rv_table_text(table, view->error, RV_STYLE_NONE);
	return RV_OK;
}

static int show_attempts(struct rv_cli *cli, int64_t id)
{
	static const char *const headers[] = {">RUN", "OUTCOME", "EXIT",   "STARTED", ">TOOK",
					      ">CPU", ">MEMORY", "WORKER", "ERROR"};
	struct rv_table table;
	int err;

	rv_table_init(&table, headers, RV_ARRAY_LEN(headers));
	err = rv_store_attempts(cli->client.store, id, attempt_row, &table);
	if (!err && table.ncells > 0) {
		(void)putchar('\n');
		err = rv_table_print(&table, &cli->out);
	}
	rv_table_fini(&table);
	return err;
}

static int attempt_json(void *ctx, const struct rv_attempt_view *view)
{
	json_t *attempt = rv_view_attempt(view);

	return attempt && json_array_append_new(ctx, attempt) == 0 ? RV_OK : RV_E_NOMEM;
}

/* The job's fields at the top, then its attempts. */
static int show_json(struct rv_cli *cli, int64_t id, const struct rv_job_view *view)
{
	json_t *object = rv_cli_object();
	json_t *attempts = json_array();
	int64_t run_us = rv_view_run_us(view, 0);
	struct rv_told told;
	RV_AUTO(rv_json_free) json_t *job = rv_view_job(view);
	int err = object && attempts && job && json_object_update(object, job) == 0 ? RV_OK
										    : RV_E_NOMEM;

	if (!err)
		err = rv_store_attempts(cli->client.store, id, attempt_json, attempts);
	if (!err)
		err = rv_store_told(cli->client.store, id, &told);
	if (!err)
		err = rv_told_json(&told, run_us, object);
	if (!err)
		err = rv_json_set_int(object, "state_file_bytes",
				      rv_left_bytes(cli, view->id, view->state));
	if (!err)
		err = rv_json_set_new(object, "attempts", json_incref(attempts));
	json_decref(attempts);
	if (err) {
		json_decref(object);
		return rv_cli_fail(cli, err);
	}
	return rv_cli_json(cli, object);
}

int rv_verb_show(struct rv_cli *cli)
{
	struct rv_job_view view;
	enum rv_job_state state;
	struct rv_told told;
	int64_t id;
	int err = rv_args_id(cli->args.words[0], &id, &cli->why);

	if (!err)
		err = rv_cli_store(cli, RV_CLIENT_READ);
	if (err)
		return rv_cli_fail(cli, err);
	err = rv_store_job(cli->client.store, id, &view);
	if (err == RV_E_NOTFOUND)
		return rv_cli_say(cli, err, "there is no job %lld", (long long)id);
	if (err)
		return rv_cli_fail(cli, err);
	if (cli->json)
		return show_json(cli, id, &view);
	show_head(cli, &view, rv_wall_us());
	show_rest(&view);
	state = view.state;
	err = rv_store_told(cli->client.store, id, &told);
	if (!err) {
		rv_told_print(&told, id, rv_wall_us());
		rv_left_print(cli, id, state);
		err = show_attempts(cli, id);
	}
	return err ? rv_cli_fail(cli, err) : 0;
}
