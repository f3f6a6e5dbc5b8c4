/*
 * reeve batch results: what became of each job of a batch, in the order they were added.  The jobs
 * are looked for first and read one by one: no snapshot is held while stdout blocks.  Runs in the
 * CLI.  Never shows payload or environment of a job.
 */
#include "batches.h"

#include "asked.h"
#include "base/buf.h"
#include "store/search.h"
#include "verb.h"
#include "view.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

#define FLUSH 65536 /* bytes of JSON that go out at once */
#define RESULT_WIDTH                                                                               \
	120 /* of a result or error in a table: reeve result and --json have it whole */

struct results {
	struct rv_cli *cli;
	struct rv_table table;
	struct rv_buf json;
	bool first;   /* no JSON item printed yet */
	int64_t *ids; /* owned; what to show, in its order */
	size_t n, space;
	char next[RV_CURSOR_SPACE];
};

static int note_id(void *ctx, const struct rv_job_view *view)
{
	struct results *results = ctx;

	if (results->n == results->space) {
		size_t space = results->space == 0 ? 1024 : results->space * 2;
		int64_t *grown = reallocarray(results->ids, space, sizeof(*grown));

		if (!grown)
			return RV_E_NOMEM;
		results->ids = grown;
		results->space = space;
	}
	results->ids[results->n++] = view->id;
	return RV_OK;
}

/* Those of the batch that the command line asks for. */
static int gather(struct results *results, int64_t batch)
{
	struct rv_cli *cli = results->cli;
	struct rv_query query;
	struct rv_search search = {.query = &query,
				   .cursor = rv_args_value(&cli->args, RV_OPT_CURSOR)};
	char terms[64];
	int err = rv_args_int(&cli->args, RV_OPT_LIMIT, 0, INT64_MAX, &search.limit, &cli->why);

	(void)snprintf(terms, sizeof(terms), "batch:%lld sort:id", (long long)batch);
	if (!err)
		err = rv_asked(cli, 1, terms, &query);
	return err ? err
		   : rv_store_search(cli->client.store, &search, note_id, results, results->next,
				     &cli->why);
}

/* How its last run ended: its exit code alone, or in words what is none. */
static void exit_cell(struct results *results, const struct rv_job_view *view)
{
	char text[64];

	if (view->exit_code >= 0 && view->signo == 0)
		rv_table_int(&results->table, view->exit_code,
			     view->exit_code ? RV_STYLE_RED : RV_STYLE_NONE);
	else
		rv_table_text(&results->table,
			      rv_view_exit(view->exit_code, view->signo, text, sizeof(text)),
			      RV_STYLE_RED);
}

/* The result, else how far it is, else what was wrong last. */
static void result_cell(struct results *results, const struct rv_told *told, const char *error)
{
	const char *result = told->result;
	const char *message = told->message ? told->message : "";
	size_t size = told->result_size;

	while (size > 0 && result[size - 1] == '\n')
		size--;
	if (result)
		rv_table_cut(&results->table, result, size, RESULT_WIDTH);
	else if (told->percent >= 0)
		rv_table_printf(&results->table, RV_STYLE_NONE, "%d %% %s", told->percent, message);
	else
		rv_table_cut(&results->table, *message ? message : error,
			     strlen(*message ? message : error), RESULT_WIDTH);
}

/* What the job says of itself in this state; nothing otherwise: it may be of an earlier run. */
static int read_told(struct results *results, int64_t id, enum rv_job_state state,
		     struct rv_told *ret_told)
{
	*ret_told = (struct rv_told){.percent = -1};
	if (state != RV_JOB_SUCCEEDED && state != RV_JOB_RUNNING)
		return RV_OK;
	return rv_store_told(results->cli->client.store, id, ret_told);
}

static int table_row(struct results *results, const struct rv_job_view *view)
{
	char error[512]; /* the view goes with the next look */
	enum rv_job_state state = view->state;
	struct rv_told told;
	int err;

	(void)snprintf(error, sizeof(error), "%s", view->error ? view->error : "");
	rv_table_int(&results->table, view->id, RV_STYLE_NONE);
	rv_table_text(&results->table, rv_job_state_name(state), rv_view_style(state));
	exit_cell(results, view);
	err = rv_view_what_cell(view, &results->table);
	if (!err)
		err = read_told(results, view->id, state, &told);
	if (err == RV_E_NOTFOUND) { /* deleted this very moment */
		told = (struct rv_told){.percent = -1};
		err = RV_OK;
	}
	if (!err)
		result_cell(results, &told, error);
	return err;
}

static int json_row(struct results *results, const struct rv_job_view *view)
{
	RV_AUTO(rv_json_free) json_t *job = rv_view_result(view);
	int64_t run_us = rv_view_run_us(view, 0);
	struct rv_told told;
	int err = job ? read_told(results, view->id, view->state, &told) : RV_E_NOMEM;

	if (err == RV_E_NOTFOUND)
		return RV_OK;
	if (!err)
		err = rv_told_json(&told, run_us, job);
	if (!err)
		err = rv_buf_str(&results->json, results->first ? "" : ",\n");
	if (!err)
		err = rv_json_dump(job, false, &results->json);
	results->first = false;
	if (!err && results->json.size > FLUSH) {
		(void)fwrite(rv_buf_text(&results->json), 1, results->json.size, stdout);
		rv_buf_reset(&results->json);
		err = rv_out_alive() ? RV_OK : RV_E_CLOSED;
	}
	return err;
}

static int each_row(struct results *results)
{
	int err = RV_OK;

	for (size_t i = 0; !err && i < results->n; i++) {
		struct rv_job_view view;

		err = rv_store_job(results->cli->client.store, results->ids[i], &view);
		if (err == RV_E_NOTFOUND)
			err = RV_OK; /* deleted meanwhile */
		else if (!err)
			err = results->cli->json ? json_row(results, &view)
						 : table_row(results, &view);
	}
	return err;
}

static int print_table(struct results *results)
{
	static const char *const headers[] = {">ID", "STATE", ">EXIT", "WHAT", "RESULT"};
	int err;

	rv_table_init(&results->table, headers, RV_ARRAY_LEN(headers));
	err = each_row(results);
	if (!err && results->table.ncells > 0)
		err = rv_table_print(&results->table, &results->cli->out);
	if (!err && results->next[0] != '\0')
		rv_cli_note("there are more: --cursor %s", results->next);
	rv_table_fini(&results->table);
	return err;
}

static int print_json(struct results *results, const struct rv_batch_view *batch)
{
	struct rv_buf next;
	int err;

	rv_buf_init(&next);
	rv_buf_init(&results->json);
	(void)printf("{\"v\":1,\"batch\":%lld,\"state\":\"%s\",\"total\":%lld,\"pending\":%lld,"
		     "\"deleted\":%lld,\"results\":[",
		     (long long)batch->id, rv_view_batch_state(batch), (long long)batch->total,
		     (long long)batch->pending, (long long)batch->forgotten);
	err = each_row(results);
	if (!err && results->next[0] != '\0')
		err = rv_json_quote(results->next, strlen(results->next), &next);
	if (!err) {
		(void)fwrite(rv_buf_text(&results->json), 1, results->json.size, stdout);
		(void)printf("],\"next\":%s}\n", next.size > 0 ? rv_buf_text(&next) : "null");
	}
	rv_buf_fini(&results->json);
	rv_buf_fini(&next);
	return err;
}

/* What the list may be taken for and is not. */
static void note(const struct rv_batch_view *batch)
{
	if (batch->ended_us == 0)
		rv_cli_note("batch %lld is %s: %lld of %lld jobs are not finished; "
			    "reeve batch wait %lld waits for them",
			    (long long)batch->id, rv_view_batch_state(batch),
			    (long long)batch->pending, (long long)batch->total,
			    (long long)batch->id);
	if (batch->forgotten > 0)
		rv_cli_note("%lld of its %lld jobs are deleted", (long long)batch->forgotten,
			    (long long)batch->total);
}

int rv_verb_batch_results(struct rv_cli *cli)
{
	struct results results = {.cli = cli, .first = true};
	struct rv_batch_view batch;
	int64_t id;
	int err = rv_batch_id(cli, &id);

	if (!err)
		err = rv_cli_store(cli, RV_CLIENT_READ);
	if (!err)
		err = rv_batch_read(cli, id, &batch);
	if (!err)
		err = gather(&results, id);
	if (err) {
		free(results.ids);
		return rv_asked_fail(cli, err);
	}
	if (!cli->json)
		note(&batch);
	err = cli->json ? print_json(&results, &batch) : print_table(&results);
	free(results.ids);
	return err ? rv_cli_fail(cli, err) : 0;
}
