/*
 * reeve db check, checkpoint, stats, sql: the store looked at from outside.  Only checkpoint
 * writes.
 */
#include "cli.h"

#include "base/buf.h"
#include "store/read.h"
#include "verb.h"
#include "wire/json.h"

#include <string.h>

struct findings {
	json_t *list; /* NULL: words */
	size_t count;
	int err;
};

static void broken(void *ctx, const char *rule, const char *what)
{
	struct findings *findings = ctx;
	json_t *item;

	findings->count++;
	if (!findings->list) {
		(void)printf("%s: ", rule);
		rv_out_text(stdout, what);
		(void)putchar('\n');
		return;
	}
	item = json_object();
	if (!item || rv_json_set_text(item, "rule", rule) || rv_json_set_text(item, "what", what) ||
	    json_array_append(findings->list, item) != 0)
		findings->err = RV_E_NOMEM;
	json_decref(item);
}

int rv_verb_db_check(struct rv_cli *cli)
{
	struct findings findings = {.list = NULL};
	json_t *object;
	int err = rv_cli_store(cli, RV_CLIENT_READ);
	int code;

	if (err)
		return rv_cli_fail(cli, err);
	if (cli->json && !(findings.list = json_array()))
		return rv_cli_fail(cli, RV_E_NOMEM);
	err = rv_store_check(cli->client.store, true, broken, &findings);
	if (!err)
		err = findings.err;
	if (err) {
		json_decref(findings.list);
		return rv_cli_fail(cli, err);
	}
	code = findings.count > 0 ? rv_err_exit(RV_E_CORRUPT) : 0;
	if (!cli->json) {
		if (findings.count == 0)
			(void)puts("the store is well");
		return code;
	}
	object = rv_cli_object();
	if (object && (rv_json_set_bool(object, "ok", findings.count == 0) ||
		       rv_json_set_new(object, "broken", json_incref(findings.list)))) {
		json_decref(object);
		object = NULL;
	}
	json_decref(findings.list);
	int printed = rv_cli_json(cli, object);
	return printed ? printed : code;
}

int rv_verb_db_checkpoint(struct rv_cli *cli)
{
	int64_t bytes = 0;
	json_t *object;
	int err = rv_cli_store(cli, RV_CLIENT_WRITE);

	if (!err)
		err = rv_store_checkpoint(cli->client.store, 0, &bytes);
	if (err)
		return rv_cli_fail(cli, err);
	if (!cli->json) {
		(void)printf("checkpointed; the log has %lld bytes\n", (long long)bytes);
		return 0;
	}
	object = rv_cli_object();
	if (object && rv_json_set_int(object, "log_bytes", bytes) != RV_OK) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(cli, object);
}

struct stats {
	json_t *object; /* NULL: lines */
};

static int each_stat(void *ctx, const char *name, int64_t value)
{
	const struct stats *stats = ctx;

	if (stats->object)
		return rv_json_set_int(stats->object, name, value);
	(void)printf("%-24s %lld\n", name, (long long)value);
	return RV_OK;
}

int rv_verb_db_stats(struct rv_cli *cli)
{
	struct stats stats = {.object = NULL};
	json_t *object;
	int err = rv_cli_store(cli, RV_CLIENT_READ);

	if (err)
		return rv_cli_fail(cli, err);
	if (cli->json && !(stats.object = json_object()))
		return rv_cli_fail(cli, RV_E_NOMEM);
	err = rv_store_stats(cli->client.store, each_stat, &stats);
	if (err || !cli->json) {
		json_decref(stats.object);
		return err ? rv_cli_fail(cli, err) : 0;
	}
	object = rv_cli_object();
	if (object && rv_json_set_new(object, "stats", json_incref(stats.object)) != RV_OK) {
		json_decref(object);
		object = NULL;
	}
	json_decref(stats.object);
	return rv_cli_json(cli, object);
}

/* Rows are text to us; tab-separated, or objects under "rows". */
struct rows {
	const struct rv_cli *cli;
	json_t *list; /* NULL: text */
	bool headed;
};

static void print_fields(const struct rv_cli *cli, int n, const char *const *texts)
{
	for (int i = 0; i < n; i++) {
		struct rv_buf buf;
		const char *text = texts[i] ? texts[i] : "";

		rv_buf_init(&buf);
		if (i > 0)
			(void)putchar('\t');
		if (!cli->out.tty)
			(void)fputs(text, stdout);
		else if (rv_out_escape(&buf, text, strlen(text), false) == RV_OK)
			(void)fputs(rv_buf_text(&buf), stdout);
		rv_buf_fini(&buf);
	}
	(void)putchar('\n');
}

static int each_row(void *ctx, int n, const char *const *names, const char *const *values)
{
	struct rows *rows = ctx;
	json_t *row;

	if (!rows->list) {
		if (!rows->headed)
			print_fields(rows->cli, n, names);
		rows->headed = true;
		print_fields(rows->cli, n, values);
		return RV_OK;
	}
	row = json_object();
	for (int i = 0; row && i < n; i++) {
		if (rv_json_set_text(row, names[i], values[i]) != RV_OK) {
			json_decref(row);
			return RV_E_NOMEM;
		}
	}
	return row && json_array_append_new(rows->list, row) == 0 ? RV_OK : RV_E_NOMEM;
}

int rv_verb_db_sql(struct rv_cli *cli)
{
	struct rows rows = {.cli = cli};
	json_t *object;
	int err = rv_cli_store(cli, RV_CLIENT_READ);

	if (err)
		return rv_cli_fail(cli, err);
	if (cli->json && !(rows.list = json_array()))
		return rv_cli_fail(cli, RV_E_NOMEM);
	err = rv_store_sql(cli->client.store, cli->args.words[0], each_row, &rows, &cli->why);
	if (err || !cli->json) {
		json_decref(rows.list);
		return err ? rv_cli_fail(cli, err) : 0;
	}
	object = rv_cli_object();
	if (object && rv_json_set_new(object, "rows", json_incref(rows.list)) != RV_OK) {
		json_decref(object);
		object = NULL;
	}
	json_decref(rows.list);
	return rv_cli_json(cli, object);
}
