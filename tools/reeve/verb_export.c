/*
 * reeve dlq export: dead letters as JSON lines, which add --from-file takes as well.  Runs
 * in the CLI.  The jobs are looked for first and read one by one: no snapshot is held while stdout
 * blocks.
 */
#include "cli.h"

#include "asked.h"
#include "base/buf.h"
#include "base/fmt.h"
#include "base/base64.h"
#include "queues.h"
#include "store/search.h"
#include "verb.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

#define LABELS_MAX (64 << 10)
#define SPEC_MAX   (2 << 20)

struct ids {
	int64_t *list; /* owned */
	size_t n, space;
};

static int note_id(void *ctx, const struct rv_job_view *view)
{
	struct ids *ids = ctx;

	if (ids->n == ids->space) {
		size_t space = ids->space == 0 ? 1024 : ids->space * 2;
		int64_t *grown = reallocarray(ids->list, space, sizeof(*grown));

		if (!grown)
			return RV_E_NOMEM;
		ids->list = grown;
		ids->space = space;
	}
	ids->list[ids->n++] = view->id;
	return RV_OK;
}

static int set_parsed(json_t *line, const char *name, const char *text, size_t max)
{
	json_t *value = NULL;
	int err = text ? rv_json_parse(text, strlen(text), max, &value, NULL) : RV_OK;

	if (err || !text)
		return err;
	if (name)
		return rv_json_set_new(line, name, value);
	err = json_object_update(line, value) == 0 ? RV_OK : RV_E_NOMEM;
	json_decref(value);
	return err;
}

static int set_text(json_t *line, const char *name, const char *text)
{
	return text && *text ? rv_json_set_text(line, name, text) : RV_OK;
}

/* What it was dead of: for people; an import does not look at it. */
static int set_dead(json_t *line, const struct rv_job_view *view)
{
	json_t *dead = json_object();
	int err = dead ? rv_json_set_int(dead, "id", view->id) : RV_E_NOMEM;

	if (!err)
		err = rv_json_set_text(dead, "error", view->error);
	if (!err)
		err = rv_json_set_int(dead, "attempts", view->attempt);
	if (!err)
		err = rv_json_set_int(dead, "crashes", view->crashes);
	if (!err && view->exit_code >= 0)
		err = rv_json_set_int(dead, "exit_code", view->exit_code);
	if (!err && view->signo > 0)
		err = rv_json_set_int(dead, "signal", view->signo);
	if (!err)
		err = set_text(dead, "idempotency_key", view->idem_key);
	if (!err)
		err = rv_json_set_time(dead, "created_at", view->created_us);
	if (!err)
		err = rv_json_set_time(dead, "finished_at", view->finished_us);
	if (err) {
		json_decref(dead);
		return err;
	}
	return rv_json_set_new(line, "dead", dead);
}

static int set_fields(json_t *line, const struct rv_job_view *view)
{
	char text[RV_FMT_SPACE];
	int err = set_text(line, "task", view->task);

	if (!err)
		err = set_parsed(line, NULL, view->spec, SPEC_MAX);
	if (!err)
		err = rv_json_set_text(line, "queue", view->queue);
	if (!err)
		err = rv_json_set_int(line, "priority", view->priority);
	if (!err)
		err = rv_json_set_int(line, "weight", view->weight);
	if (!err)
		err = rv_json_set_int(line, "max_attempts", view->max_attempts);
	if (!err && view->timeout_us > 0)
		err = rv_json_set_text(line, "timeout", rv_fmt_duration(text, view->timeout_us));
	if (!err && view->deadline_us > 0)
		err = rv_json_set_time(line, "deadline", view->deadline_us);
	if (!err)
		err = set_text(line, "key", view->key);
	if (!err)
		err = set_text(line, "unique", view->unique_key);
	if (!err && view->until_us != RV_UNTIL_FINISHED)
		err = set_text(line, "until", rv_job_until_name(text, view->until_us));
	if (!err)
		err = set_text(line, "resources", view->takes);
	if (!err)
		err = set_parsed(line, "labels", view->labels, LABELS_MAX);
	if (!err)
		err = set_parsed(line, "meta", view->meta, 2UL * RV_META_MAX);
	return err ? err : set_dead(line, view);
}

static int add_piece(void *ctx, const void *data, size_t size)
{
	return rv_buf_add(ctx, data, size);
}

/* As text if it is one. */
static int set_payload(struct rv_store *store, json_t *line, int64_t id, struct rv_buf *buf)
{
	json_t *text;
	struct rv_buf coded;
	int err;

	rv_buf_reset(buf);
	err = rv_store_payload(store, id, add_piece, buf);
	if (err || buf->size == 0)
		return err;
	text = json_stringn(buf->data, buf->size);
	if (text)
		return rv_json_set_new(line, "payload", text);
	rv_buf_init(&coded);
	err = rv_base64_add(&coded, buf->data, buf->size);
	if (!err)
		err = rv_json_set_text(line, "payload_base64", rv_buf_text(&coded));
	rv_buf_fini(&coded);
	return err;
}

/* NOTFOUND: it is gone, or no dead letter any more. */
static int export_one(struct rv_store *store, int64_t id, struct rv_buf *buf)
{
	RV_AUTO(rv_json_free) json_t *line = json_object();
	struct rv_job_view view;
	bool payload;
	int err = line ? rv_store_job(store, id, &view) : RV_E_NOMEM;

	if (!err && view.state != RV_JOB_DEAD)
		err = RV_E_NOTFOUND;
	if (err)
		return err;
	payload = view.payload_size > 0;
	err = set_fields(line, &view);
	if (!err && payload)
		err = set_payload(store, line, id, buf);
	rv_buf_reset(buf);
	if (!err)
		err = rv_json_dump(line, false, buf);
	if (!err)
		err = rv_buf_str(buf, "\n");
	if (!err)
		(void)fwrite(rv_buf_text(buf), 1, buf->size, stdout);
	return err;
}

int rv_verb_dlq_export(struct rv_cli *cli)
{
	struct rv_query query;
	struct rv_search search = {.query = &query};
	struct ids ids = {.n = 0};
	struct rv_buf buf;
	char next[RV_CURSOR_SPACE];
	int err = rv_asked(cli, 0, "state:dead", &query);

	if (!err)
		err = rv_cli_store(cli, RV_CLIENT_READ);
	if (!err)
		err = rv_queues_check(cli, rv_args_value(&cli->args, RV_OPT_QUEUE));
	if (err)
		return rv_asked_fail(cli, err);
	rv_buf_init(&buf);
	err = rv_store_search(cli->client.store, &search, note_id, &ids, next, &cli->why);
	/* The oldest first: so they are added in the order they had. */
	for (size_t i = ids.n; !err && i-- > 0;) {
		err = export_one(cli->client.store, ids.list[i], &buf);
		if (err == RV_E_NOTFOUND)
			err = RV_OK;
		if (i % 256 == 0 && !rv_out_alive())
			break;
	}
	rv_buf_fini(&buf);
	free(ids.list);
	return err ? rv_cli_fail(cli, err) : 0;
}
