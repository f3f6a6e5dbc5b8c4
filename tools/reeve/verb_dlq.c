/*
 * reeve dlq groups, retry, purge: dead letters by what they have in common, and what is done with
 * many of them.  Runs in the CLI.
 */
#include "cli.h"

#include "asked.h"
#include "base/seam.h"
#include "core/fingerprint.h"
#include "queues.h"
#include "store/search.h"
#include "verb.h"
#include "view.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

#define DEAD "state:dead"

struct group {
	char task[RV_NAME_MAX];
	char fingerprint[RV_FINGERPRINT_SPACE];
	char error[RV_FOLD_SPACE]; /* folded */
	int64_t count, newest, last_us;
};

struct groups {
	struct group *list; /* owned */
	size_t n, space;
	int64_t jobs;
};

/* The few kinds of failure of a host are found by walking. */
static struct group *group_of(struct groups *groups, const char *task, const char *fingerprint)
{
	struct group *group;

	for (size_t i = 0; i < groups->n; i++) {
		group = &groups->list[i];
		if (strcmp(group->fingerprint, fingerprint) == 0 && strcmp(group->task, task) == 0)
			return group;
	}
	if (groups->n == groups->space) {
		size_t space = groups->space == 0 ? 64 : groups->space * 2;

		group = reallocarray(groups->list, space, sizeof(*group));
		if (!group)
			return NULL;
		groups->list = group;
		groups->space = space;
	}
	group = &groups->list[groups->n++];
	memset(group, 0, sizeof(*group));
	(void)snprintf(group->task, sizeof(group->task), "%s", task);
	memcpy(group->fingerprint, fingerprint, sizeof(group->fingerprint));
	return group;
}

static int each_dead(void *ctx, const struct rv_job_view *view)
{
	struct groups *groups = ctx;
	char fingerprint[RV_FINGERPRINT_SPACE];
	struct group *group = group_of(groups, view->task ? view->task : "",
				       rv_fingerprint(fingerprint, view->error));

	if (!group)
		return RV_E_NOMEM;
	if (group->count++ == 0) {
		(void)rv_fold(group->error, view->error);
		group->newest = view->id;
	}
	if (view->finished_us > group->last_us)
		group->last_us = view->finished_us;
	groups->jobs++;
	return RV_OK;
}

/* The greatest first, of equals the one that failed last. */
static int by_count(const void *a, const void *b)
{
	const struct group *x = a;
	const struct group *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return (x->last_us < y->last_us) - (x->last_us > y->last_us);
}

static int print_table(struct rv_cli *cli, const struct groups *groups)
{
	static const char *const headers[] = {">COUNT", "TASK",    "FINGERPRINT",
					      "LAST",   ">NEWEST", "ERROR"};
	struct rv_table table;
	char ago[RV_VIEW_AGO_SPACE];
	int64_t now_us = rv_wall_us();
	int err = RV_OK;

	rv_table_init(&table, headers, RV_ARRAY_LEN(headers));
	for (size_t i = 0; i < groups->n; i++) {
		const struct group *group = &groups->list[i];

		rv_table_int(&table, group->count, RV_STYLE_NONE);
		rv_table_text(&table, group->task, RV_STYLE_NONE);
		rv_table_text(&table, group->fingerprint, RV_STYLE_NONE);
		rv_table_text(&table, rv_view_ago(ago, group->last_us, now_us), RV_STYLE_NONE);
		rv_table_int(&table, group->newest, RV_STYLE_NONE);
		rv_table_text(&table, group->error, RV_STYLE_NONE);
	}
	if (table.ncells > 0)
		err = rv_table_print(&table, &cli->out);
	rv_table_fini(&table);
	return err;
}

static json_t *group_json(const struct group *group)
{
	json_t *item = json_object();

	if (item && (rv_json_set_text(item, "task", group->task) ||
		     rv_json_set_text(item, "fingerprint", group->fingerprint) ||
		     rv_json_set_int(item, "count", group->count) ||
		     rv_json_set_int(item, "newest", group->newest) ||
		     rv_json_set_time(item, "last_at", group->last_us) ||
		     rv_json_set_text(item, "error", group->error))) {
		json_decref(item);
		item = NULL;
	}
	return item;
}

static int print_json(struct rv_cli *cli, const struct groups *groups)
{
	json_t *object = rv_cli_object();
	json_t *list = json_array();
	bool well = object && list;

	for (size_t i = 0; well && i < groups->n; i++)
		well = json_array_append_new(list, group_json(&groups->list[i])) == 0;
	if (!well || rv_json_set_int(object, "jobs", groups->jobs) != RV_OK ||
	    rv_json_set_new(object, "groups", json_incref(list)) != RV_OK) {
		json_decref(object);
		object = NULL;
	}
	json_decref(list);
	return rv_cli_json(cli, object);
}

int rv_verb_dlq_groups(struct rv_cli *cli)
{
	struct rv_query query;
	struct rv_search search = {.query = &query};
	struct groups groups = {.n = 0};
	char next[RV_CURSOR_SPACE];
	int code = 0;
	int err = rv_asked(cli, 0, DEAD, &query);

	if (!err)
		err = rv_cli_store(cli, RV_CLIENT_READ);
	if (!err)
		err = rv_queues_check(cli, rv_args_value(&cli->args, RV_OPT_QUEUE));
	if (err)
		return rv_asked_fail(cli, err);
	err = rv_store_search(cli->client.store, &search, each_dead, &groups, next, &cli->why);
	if (!err && groups.n > 0)
		qsort(groups.list, groups.n, sizeof(*groups.list), by_count);
	if (!err && cli->json)
		code = print_json(cli, &groups);
	else if (!err)
		err = print_table(cli, &groups);
	free(groups.list);
	return err ? rv_cli_fail(cli, err) : code;
}
