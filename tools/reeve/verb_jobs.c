/*
 * reeve jobs, dlq ls: jobs as they stand in the store.  Reads in pages, so that no snapshot
 * is held while stdout blocks; changes nothing.
 */
#include "cli.h"

#include "base/buf.h"
#include "base/seam.h"
#include "asked.h"
#include "queues.h"
#include "store/search.h"
#include "verb.h"
#include "view.h"
#include "wire/json.h"

#include <string.h>

#define LIMIT_DEFAULT 50
#define FLUSH         65536 /* bytes of JSON that go out at once */

struct page {
	struct rv_table *table;
	struct rv_buf *json; /* NULL: a table */
	int64_t now_us;
	bool first; /* no JSON item printed yet */
};

/* What a person wants to know next: when it will run, how long it has, how it failed. */
static void note_cell(const struct rv_job_view *view, struct rv_table *table, int64_t now_us)
{
	char ago[RV_VIEW_AGO_SPACE];

	if (view->cancel_requested && view->state == RV_JOB_RUNNING)
		rv_table_text(table, "cancel requested", RV_STYLE_YELLOW);
	else if (view->state == RV_JOB_SCHEDULED)
		rv_table_printf(table, RV_STYLE_NONE, "runs %s%s%s",
				rv_view_ago(ago, view->run_at_us, now_us), view->error ? ": " : "",
				view->error ? view->error : "");
	else if (view->state == RV_JOB_RUNNING)
		rv_table_printf(table, RV_STYLE_NONE, "since %s",
				rv_view_ago(ago, view->started_us, now_us));
	else
		rv_table_text(table, view->error, RV_STYLE_NONE);
}

static int table_row(struct page *page, const struct rv_job_view *view)
{
	char ago[RV_VIEW_AGO_SPACE];
	struct rv_table *table = page->table;
	int err;

	rv_table_int(table, view->id, RV_STYLE_NONE);
	rv_table_text(table, rv_job_state_name(view->state), rv_view_style(view->state));
	rv_table_text(table, view->queue, RV_STYLE_NONE);
	rv_table_printf(table, RV_STYLE_NONE, "%d/%d", view->attempt, view->max_attempts);
	rv_table_text(table, rv_view_ago(ago, view->created_us, page->now_us), RV_STYLE_NONE);
	err = rv_view_what_cell(view, table);
	if (!err)
		note_cell(view, table, page->now_us);
	return err;
}

static int json_row(struct page *page, const struct rv_job_view *view)
{
	RV_AUTO(rv_json_free) json_t *job = rv_view_job(view);
	int err;

	if (!job)
		return RV_E_NOMEM;
	err = rv_buf_str(page->json, page->first ? "" : ",\n");
	if (!err)
		err = rv_json_dump(job, false, page->json);
	page->first = false;
	if (!err && page->json->size > FLUSH) {
		(void)fwrite(rv_buf_text(page->json), 1, page->json->size, stdout);
		rv_buf_reset(page->json);
		err = rv_out_alive() ? RV_OK : RV_E_CLOSED;
	}
	return err;
}

static int each_job(void *ctx, const struct rv_job_view *view)
{
	struct page *page = ctx;

	return page->json ? json_row(page, view) : table_row(page, view);
}

static int print_end(struct rv_cli *cli, const struct page *page, const char *next)
{
	struct rv_buf text;
	int err = RV_OK;

	if (!cli->json) {
		if (page->table->ncells > 0)
			err = rv_table_print(page->table, &cli->out);
		if (!err && next[0] != '\0')
			rv_cli_note("there are more: --cursor %s", next);
		return err;
	}
	(void)fwrite(rv_buf_text(page->json), 1, page->json->size, stdout);
	rv_buf_init(&text);
	if (next[0] != '\0')
		err = rv_json_quote(next, strlen(next), &text);
	(void)printf("],\"next\":%s}\n", next[0] != '\0' ? rv_buf_text(&text) : "null");
	rv_buf_fini(&text);
	return err;
}

/* The jobs that the command line asks for, and ${terms}. */
static int list_jobs(struct rv_cli *cli, const char *terms)
{
	static const char *const headers[] = {">ID",     "STATE", "QUEUE", "ATTEMPT",
					      "CREATED", "WHAT",  "NOTE"};
	struct rv_query query;
	struct rv_search search = {.query = &query,
				   .cursor = rv_args_value(&cli->args, RV_OPT_CURSOR),
				   .limit = LIMIT_DEFAULT};
	struct rv_table table;
	struct rv_buf json = {.data = NULL};
	struct page page = {.table = &table,
			    .json = cli->json ? &json : NULL,
			    .now_us = rv_wall_us(),
			    .first = true};
	char next[RV_CURSOR_SPACE] = "";
	int err = rv_args_int(&cli->args, RV_OPT_LIMIT, 0, INT64_MAX, &search.limit, &cli->why);

	if (!err)
		err = rv_asked(cli, 0, terms, &query);
	if (!err)
		err = rv_cli_store(cli, RV_CLIENT_READ);
	if (!err)
		err = rv_queues_check(cli, rv_args_value(&cli->args, RV_OPT_QUEUE));
	if (err)
		return rv_asked_fail(cli, err);
	rv_table_init(&table, headers, RV_ARRAY_LEN(headers));
	rv_buf_init(&json);
	if (cli->json)
		(void)fputs("{\"v\":1,\"jobs\":[", stdout);
	err = rv_store_search(cli->client.store, &search, each_job, &page, next, &cli->why);
	if (!err)
		err = print_end(cli, &page, next);
	rv_table_fini(&table);
	rv_buf_fini(&json);
	return err ? rv_cli_fail(cli, err) : 0;
}

int rv_verb_jobs(struct rv_cli *cli)
{
	return list_jobs(cli, "");
}

int rv_verb_dlq_ls(struct rv_cli *cli)
{
	return list_jobs(cli, "state:dead");
}
