/*
 * reeve stats: how much queues and tasks get done and how long it takes, from what the store has
 * counted.  The CLI; needs no daemon.
 */
#include "cli.h"

#include "base/near.h"
#include "base/seam.h"
#include "store/stats.h"
#include "verb.h"
#include "view.h"
#include "view_stats.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMANDS "(commands)" /* jobs without a task, in a table */

/* A queue or a task. */
struct scope {
	char name[RV_NAME_MAX];
	int64_t counts[RV_JOB_STATES], oldest_ready_us; /* of a queue */
	int64_t key;                                    /* of --sort */
};

struct listing {
	struct rv_cli *cli;
	enum rv_stats_of of;
	int64_t now_us;
	struct scope *scopes; /* owned */
	size_t count;
	bool ever; /* not the last hour */
	int (*sort)(const void *a, const void *b);
	int64_t (*key)(const struct rv_stats *of); /* NULL: by name */
	int64_t cpu_us;                            /* of all of them together */
	struct rv_stats_view view;                 /* of the one in question */
	json_t *list;                              /* owned; NULL: a table */
};

static struct scope *new_scope(struct listing *listing, const char *name)
{
	struct scope *grown =
		reallocarray(listing->scopes, listing->count + 1, sizeof(*listing->scopes));

	if (!grown)
		return NULL;
	listing->scopes = grown;
	grown += listing->count++;
	memset(grown, 0, sizeof(*grown));
	(void)snprintf(grown->name, sizeof(grown->name), "%s", name);
	return grown;
}

static int each_queue(void *ctx, const struct rv_queue_view *view)
{
	struct scope *scope = new_scope(ctx, view->name);

	if (!scope)
		return RV_E_NOMEM;
	memcpy(scope->counts, view->counts, sizeof(scope->counts));
	scope->oldest_ready_us = view->oldest_ready_us;
	return RV_OK;
}

static struct scope *find(const struct listing *listing, const char *name)
{
	for (size_t i = 0; i < listing->count; i++) {
		if (strcmp(listing->scopes[i].name, name) == 0)
			return &listing->scopes[i];
	}
	return NULL;
}

static const struct rv_stats *span_of(const struct listing *listing,
				      const struct rv_stats_view *view)
{
	return listing->ever ? &view->ever : &view->hour;
}

/* A task that is gone, or jobs without one, may have been counted. */
static int each_counted(void *ctx, const struct rv_stats_view *view)
{
	struct listing *listing = ctx;
	const struct rv_stats *span = span_of(listing, view);
	struct scope *scope = find(listing, view->name);

	if (!scope)
		scope = new_scope(listing, view->name);
	if (!scope)
		return RV_E_NOMEM;
	scope->key = listing->key ? listing->key(span) : 0;
	listing->cpu_us += span->cpu_us;
	return RV_OK;
}

static int each_task(void *ctx, const struct rv_task_def *task)
{
	return task->name[0] == '\0' || new_scope(ctx, task->name) ? RV_OK : RV_E_NOMEM;
}

static int gather(struct listing *listing)
{
	struct rv_store *store = listing->cli->client.store;
	int err = listing->of == RV_STATS_QUEUES ? rv_store_queues(store, each_queue, listing)
						 : rv_store_tasks(store, each_task, listing);

	if (!err)
		err = rv_store_statistics(store, listing->of, NULL, each_counted, listing);
	if (!err && listing->sort && listing->count > 0)
		qsort(listing->scopes, listing->count, sizeof(*listing->scopes), listing->sort);
	return err;
}

/* Only ${name} is left; NOTFOUND with the nearest. */
static int narrow(struct listing *listing, const char *name)
{
	const char **names = calloc(listing->count + 1, sizeof(*names));
	const char *near;

	if (!names)
		return RV_E_NOMEM;
	for (size_t i = 0; i < listing->count; i++) {
		names[i] = listing->scopes[i].name;
		if (strcmp(names[i], name) != 0)
			continue;
		listing->scopes[0] = listing->scopes[i];
		listing->count = 1;
		free(names);
		return RV_OK;
	}
	near = rv_near(name, names, listing->count);
	(void)rv_fail(&listing->cli->why, RV_E_NOTFOUND, "there is no %s %s%s%s%s",
		      listing->of == RV_STATS_QUEUES ? "queue" : "task", name,
		      near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	free(names);
	return RV_E_NOTFOUND;
}

static int add_json(struct listing *listing, const struct scope *scope)
{
	json_t *object = json_object();
	int64_t oldest_us = scope->oldest_ready_us;
	int err = object ? rv_json_set_text(object, "name", scope->name[0] ? scope->name : NULL)
			 : RV_E_NOMEM;

	for (int state = 0; !err && listing->of == RV_STATS_QUEUES && state <= RV_JOB_RUNNING;
	     state++)
		err = rv_json_set_int(object, rv_job_state_name((enum rv_job_state)state),
				      scope->counts[state]);
	if (!err && listing->of == RV_STATS_QUEUES)
		err = rv_json_set_new(
			object, "oldest_ready_s",
			oldest_us <= 0 ? json_null()
			: listing->now_us > oldest_us
				? json_integer((listing->now_us - oldest_us) / RV_S_US)
				: json_integer(0));
	if (!err)
		err = rv_stats_json(object, &listing->view);
	if (err)
		json_decref(object);
	else if (json_array_append_new(listing->list, object) != 0)
		err = RV_E_NOMEM;
	return err;
}

static void add_row(struct listing *listing, const struct scope *scope, struct rv_table *table)
{
	char ago[RV_VIEW_AGO_SPACE];

	rv_table_text(table, scope->name[0] ? scope->name : COMMANDS, RV_STYLE_NONE);
	if (listing->of == RV_STATS_QUEUES) {
		rv_table_int(table, scope->counts[RV_JOB_READY], RV_STYLE_NONE);
		rv_table_text(table, rv_view_ago(ago, scope->oldest_ready_us, listing->now_us),
			      RV_STYLE_NONE);
	}
	rv_stats_cells(table, &listing->view, listing->ever);
	if (listing->of == RV_STATS_TASKS)
		rv_stats_use_cells(table, span_of(listing, &listing->view), listing->cpu_us);
}

static int each_scope(struct listing *listing, struct rv_table *table)
{
	int err = RV_OK;

	for (size_t i = 0; !err && i < listing->count; i++) {
		const struct scope *scope = &listing->scopes[i];

		err = rv_stats_of_one(listing->cli->client.store, (int)listing->of, scope->name,
				      &listing->view);
		if (err)
			break;
		if (listing->list)
			err = add_json(listing, scope);
		else
			add_row(listing, scope, table);
	}
	return err;
}

static int print_table(struct listing *listing)
{
	static const char *const of_queues[] = {"QUEUE", ">READY", "OLDEST", RV_STATS_CELLS};
	static const char *const of_tasks[] = {"TASK", RV_STATS_CELLS, RV_STATS_USE_CELLS};
	struct rv_table table;
	int err;

	if (listing->of == RV_STATS_QUEUES)
		rv_table_init(&table, of_queues, RV_ARRAY_LEN(of_queues));
	else
		rv_table_init(&table, of_tasks, RV_ARRAY_LEN(of_tasks));
	err = each_scope(listing, &table);
	if (!err)
		err = rv_table_print(&table, &listing->cli->out);
	rv_table_fini(&table);
	return err;
}

static int print_json(struct listing *listing, int *ret_code)
{
	json_t *object;
	int err;

	listing->list = json_array();
	err = listing->list ? each_scope(listing, NULL) : RV_E_NOMEM;
	if (err)
		return err;
	object = rv_cli_object();
	if (object && rv_json_set_new(object, listing->of == RV_STATS_QUEUES ? "queues" : "tasks",
				      json_incref(listing->list)) != RV_OK) {
		json_decref(object);
		object = NULL;
	}
	*ret_code = rv_cli_json(listing->cli, object);
	return RV_OK;
}

/* One scope, everything about it. */
static int print_one(struct listing *listing)
{
	const struct scope *scope = &listing->scopes[0];
	char ago[RV_VIEW_AGO_SPACE];
	int err = rv_stats_of_one(listing->cli->client.store, (int)listing->of, scope->name,
				  &listing->view);

	if (err)
		return err;
	if (listing->of == RV_STATS_QUEUES) {
		for (int state = 0; state <= RV_JOB_RUNNING; state++)
			(void)printf("%s%lld %s", state ? ", " : "",
				     (long long)scope->counts[state],
				     rv_job_state_name((enum rv_job_state)state));
		if (scope->oldest_ready_us > 0)
			(void)printf("; the next became ready %s",
				     rv_view_ago(ago, scope->oldest_ready_us, listing->now_us));
		(void)printf("\n\n");
	}
	return rv_stats_detail(&listing->view, &listing->cli->out);
}

/* What a list can be sorted by: the most first; of equals, and by name, the alphabet decides. */
static int64_t key_cpu(const struct rv_stats *of)
{
	return rv_stats_cpu_us(of);
}

static int64_t key_memory(const struct rv_stats *of)
{
	return of->maxrss_kib;
}

static int64_t key_runs(const struct rv_stats *of)
{
	return rv_stats_runs(of);
}

static int64_t key_failed(const struct rv_stats *of)
{
	return of->failed;
}

static int64_t key_rate(const struct rv_stats *of)
{
	return rv_stats_failed_per_mille(of);
}

static int64_t key_wait(const struct rv_stats *of)
{
	return rv_histogram_quantile(&of->wait, 950);
}

static int64_t key_run(const struct rv_stats *of)
{
	return rv_histogram_quantile(&of->run, 950);
}

static const struct {
	const char *name;
	int64_t (*key)(const struct rv_stats *of);
} sorts[] = {
	{"name", NULL},         {"cpu", key_cpu},   {"memory", key_memory}, {"runs", key_runs},
	{"failed", key_failed}, {"rate", key_rate}, {"wait", key_wait},     {"run", key_run},
};

static int most_first(const void *a, const void *b)
{
	const struct scope *x = a;
	const struct scope *y = b;

	return x->key != y->key ? (x->key < y->key) - (x->key > y->key) : strcmp(x->name, y->name);
}

static int read_options(struct listing *listing)
{
	const char *by = rv_args_value(&listing->cli->args, RV_OPT_SORT);
	const char *names[RV_ARRAY_LEN(sorts)];
	const char *near;

	listing->ever = rv_args_has(&listing->cli->args, RV_OPT_EVER);
	for (size_t i = 0; by && i < RV_ARRAY_LEN(sorts); i++) {
		names[i] = sorts[i].name;
		if (strcmp(by, sorts[i].name) != 0)
			continue;
		listing->key = sorts[i].key;
		listing->sort = most_first;
		return RV_OK;
	}
	if (!by)
		return RV_OK;
	near = rv_near(by, names, RV_ARRAY_LEN(names));
	return rv_fail(
		&listing->cli->why, RV_E_USAGE,
		"--sort %s is none of name, cpu, memory, runs, failed, rate, wait, run%s%s%s", by,
		near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

int rv_verb_stats(struct rv_cli *cli)
{
	const char *task = rv_args_value(&cli->args, RV_OPT_TASK);
	const char *name = cli->args.nwords > 0 ? cli->args.words[0] : task;
	bool tasks = task || rv_args_has(&cli->args, RV_OPT_TASKS);
	struct listing *listing = calloc(1, sizeof(*listing));
	int code = 0;
	int err = RV_E_NOMEM;

	if (listing) {
		listing->cli = cli;
		listing->of = tasks ? RV_STATS_TASKS : RV_STATS_QUEUES;
		listing->now_us = rv_wall_us();
		err = read_options(listing);
	}
	if (!err)
		err = rv_cli_store(cli, RV_CLIENT_READ);
	if (!err)
		err = gather(listing);
	if (!err && name)
		err = narrow(listing, name);
	if (!err && cli->json)
		err = print_json(listing, &code);
	else if (!err)
		err = name ? print_one(listing) : print_table(listing);
	if (listing) {
		json_decref(listing->list);
		free(listing->scopes);
		free(listing);
	}
	return err ? rv_cli_fail(cli, err) : code;
}
