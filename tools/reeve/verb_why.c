/*
 * reeve why: everything that keeps a job from running, or how it ended; from the store, the
 * configuration and the daemon.  Says only what it has seen.
 */
#include "daemon.h"

#include "base/fmt.h"
#include "base/seam.h"
#include "client/alive.h"
#include "conf/conf.h"
#include "verb.h"
#include "view.h"
#include "wire/json.h"

#include <stdarg.h>
#include <string.h>

struct why {
	struct rv_cli *cli;
	const struct rv_job_view *view;
	json_t *reasons; /* owned array of {"code":…,"text":…} */
	json_t *status;  /* owned; NULL: no answer from the daemon */
	int64_t now_us;
	int err;
};

static void add(struct why *why, const char *code, const char *format, ...) RV_PRINTF(3, 4);

static void add(struct why *why, const char *code, const char *format, ...)
{
	char text[1024];
	json_t *item = json_object();
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!item || rv_json_set_text(item, "code", code) || rv_json_set_text(item, "text", text) ||
	    json_array_append(why->reasons, item) != 0)
		why->err = RV_E_NOMEM;
	json_decref(item);
}

/* ": error", "" when there is none. */
static const char *colon(const char *error)
{
	return error && *error ? ": " : "";
}

static const char *or_nothing(const char *text)
{
	return text ? text : "";
}

static void why_final(struct why *why)
{
	const struct rv_job_view *view = why->view;
	char when[RV_FMT_SPACE];
	char took[RV_FMT_SPACE];
	char ended[64];

	(void)rv_fmt_time(when, view->finished_us);
	if (view->state == RV_JOB_SUCCEEDED) {
		(void)rv_fmt_about(took,
				   view->started_us ? view->finished_us - view->started_us : 0);
		add(why, "succeeded", "finished at %s, after %s", when, took);
		return;
	}
	if (view->state == RV_JOB_CANCELLED) {
		add(why, "cancelled", "cancelled at %s%s%s", when, colon(view->error),
		    or_nothing(view->error));
	} else {
		(void)rv_view_exit(view->exit_code, view->signo, ended, sizeof(ended));
		add(why, "dead", "a dead letter since %s, after %d of %d attempts%s%s", when,
		    view->attempt, view->max_attempts, colon(view->error),
		    or_nothing(view->error && *view->error ? view->error : ended));
		if (view->crashes > 0)
			add(why, "crashes", "it took its worker down with it %d times (%d allowed)",
			    view->crashes, view->max_crashes);
	}
	add(why, "final", "it will not run again by itself: reeve retry %lld", (long long)view->id);
}

static void why_running(struct why *why)
{
	const struct rv_job_view *view = why->view;
	char about[RV_FMT_SPACE];

	add(why, "running", "it has been running for %s on worker %s, attempt %d of %d",
	    rv_fmt_about(about, why->now_us - view->started_us), view->worker ? view->worker : "?",
	    view->attempt, view->max_attempts);
	if (view->cancel_requested)
		add(why, "cancel_requested",
		    "its cancellation was requested; the worker is stopping it");
}

static void why_scheduled(struct why *why)
{
	const struct rv_job_view *view = why->view;
	char when[RV_FMT_SPACE];
	char ago[RV_VIEW_AGO_SPACE];

	(void)rv_fmt_time(when, view->run_at_us);
	(void)rv_view_ago(ago, view->run_at_us, why->now_us);
	if (view->runs > 0) {
		char words[RV_VIEW_LAST_SPACE];
		int err = rv_view_last(why->cli->client.store, view, words);

		if (err)
			why->err = err;
		else
			add(why, "backoff", "%s; the next run is due at %s (%s)", words, when, ago);
	} else {
		add(why, "scheduled", "it is due at %s (%s)", when, ago);
	}
}

static int each_parent(void *ctx, int64_t parent, enum rv_job_state state)
{
	struct why *why = ctx;

	if (state == RV_JOB_DEAD)
		add(why, "parent",
		    "it waits for job %lld, which is dead: reeve retry %lld, or cancel this one",
		    (long long)parent, (long long)parent);
	else
		add(why, "parent", "it waits for job %lld, which is %s", (long long)parent,
		    rv_job_state_name(state));
	return why->err;
}

struct queue_look {
	struct why *why;
	bool found;
};

static int each_queue(void *ctx, const struct rv_queue_view *view)
{
	struct queue_look *look = ctx;
	struct why *why = look->why;
	int64_t others = view->counts[RV_JOB_READY] - 1;

	if (strcmp(view->name, or_nothing(why->view->queue)) != 0)
		return RV_OK;
	look->found = true;
	if (view->paused)
		add(why, "queue_paused", "its queue %s is paused: reeve queue resume %s",
		    view->name, view->name);
	if (why->view->state == RV_JOB_READY && others > 0)
		add(why, "queue_depth", "%lld other %s ready in its queue %s (%s)",
		    (long long)others, others == 1 ? "job is" : "jobs are", view->name,
		    view->strategy == RV_STRATEGY_PRIORITY ? "the lowest priority number goes first"
							   : "first come, first served");
	return RV_OK;
}

static bool serves(const struct rv_conf_pool *pool, const char *queue)
{
	for (size_t i = 0; i < pool->queues.count; i++) {
		if (strcmp(pool->queues.items[i], queue) == 0)
			return true;
	}
	return false;
}

/* Workers of the pools that serve the queue, by what the daemon said. */
static void why_workers(struct why *why, const char *queue)
{
	const struct rv_conf *conf = why->cli->client.conf;
	const json_t *worker;
	int64_t total = 0;
	int64_t busy = 0;
	size_t i;

	json_array_foreach(json_object_get(why->status, "workers"), i, worker)
	{
		const char *name = json_string_value(json_object_get(worker, "pool"));
		const struct rv_conf_pool *pool = name ? rv_conf_pool_find(conf, name) : NULL;

		if (!pool || !serves(pool, queue))
			continue;
		total++;
		busy += json_is_integer(json_object_get(worker, "job"));
	}
	if (total > 0 && busy == total)
		add(why, "workers_busy", "all %lld workers that serve queue %s are busy",
		    (long long)total, queue);
	else if (total == 0 && json_array_size(json_object_get(why->status, "workers")) > 0)
		add(why, "no_worker", "no worker of the running daemon is known to serve queue %s",
		    queue);
}

static void why_daemon(struct why *why)
{
	const struct rv_conf *conf = why->cli->client.conf;
	const char *queue = or_nothing(why->view->queue);
	const json_t *reason;
	bool served = false;
	pid_t pid;
	size_t i;

	for (size_t p = 0; p < conf->npools; p++)
		served = served || serves(&conf->pools[p], queue);
	if (!served)
		add(why, "no_pool", "no pool of the configuration serves queue %s", queue);
	if (!why->status) {
		if (rv_alive(&why->cli->client, &pid) == RV_E_NOTRUN)
			add(why, "not_running", "reeved is not running");
		else
			add(why, "daemon_silent", "reeved does not answer");
		return;
	}
	json_array_foreach(json_object_get(why->status, "degraded"), i, reason)
	{
		add(why, "degraded", "reeved is degraded: %s",
		    or_nothing(json_string_value(reason)));
	}
	if (served && why->view->state == RV_JOB_READY)
		why_workers(why, queue);
}

static void why_ready(struct why *why)
{
	const struct rv_job_view *view = why->view;

	if (view->prefetched)
		add(why, "prefetched", "worker %s has fetched it and starts it next",
		    view->worker ? view->worker : "?");
	else if (view->runs > 0)
		add(why, "again", "it is ready to run again, after %d %s%s%s", view->runs,
		    view->runs == 1 ? "run" : "runs", colon(view->error), or_nothing(view->error));
	else
		add(why, "ready", "it is ready to run");
	if (view->expires_us > 0) {
		char ago[RV_VIEW_AGO_SPACE];

		add(why, "ttl", "if it is not started it is cancelled %s (its ttl)",
		    rv_view_ago(ago, view->expires_us, why->now_us));
	}
}

/* From the nearest reason to the farthest. */
static int collect(struct why *why)
{
	struct rv_store *store = why->cli->client.store;
	const struct rv_job_view *view = why->view;
	struct queue_look look = {.why = why};
	int err = RV_OK;

	if (rv_job_state_final(view->state)) {
		why_final(why);
		return why->err;
	}
	if (view->state == RV_JOB_RUNNING)
		why_running(why);
	else if (view->state == RV_JOB_SCHEDULED)
		why_scheduled(why);
	else if (view->state == RV_JOB_READY)
		why_ready(why);
	if (view->state != RV_JOB_RUNNING)
		err = rv_store_queues(store, each_queue, &look);
	why_daemon(why);
	return err ? err : why->err;
}

static void print_words(const struct why *why)
{
	const struct rv_out *out = &why->cli->out;
	enum rv_job_state state = why->view->state;
	const json_t *reason;
	size_t i;

	(void)printf("job %lld is %s%s%s\n", (long long)why->view->id,
		     rv_out_on(out, rv_view_style(state)), rv_job_state_name(state),
		     rv_out_off(out, rv_view_style(state)));
	json_array_foreach(why->reasons, i, reason)
	{
		(void)fputs("- ", stdout);
		rv_out_text(stdout, json_string_value(json_object_get(reason, "text")));
		(void)putchar('\n');
	}
}

static int print_json(const struct why *why)
{
	json_t *object = rv_cli_object();

	if (object && (rv_json_set_int(object, "id", why->view->id) ||
		       rv_json_set_text(object, "state", rv_job_state_name(why->view->state)) ||
		       rv_json_set_new(object, "reasons", json_incref(why->reasons)))) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(why->cli, object);
}

/* The view's texts live until the next call on the store: they are copied first. */
struct kept {
	struct rv_job_view view;
	char queue[RV_NAME_MAX], worker[RV_NAME_MAX * 2], error[RV_ERROR_MAX];
};

static int read_job(struct rv_cli *cli, int64_t id, struct kept *kept)
{
	struct rv_job_view *view = &kept->view;
	int err = rv_store_job(cli->client.store, id, view);

	if (err == RV_E_NOTFOUND)
		return rv_fail(&cli->why, err, "there is no job %lld", (long long)id);
	if (err)
		return err;
	(void)snprintf(kept->queue, sizeof(kept->queue), "%s", or_nothing(view->queue));
	(void)snprintf(kept->worker, sizeof(kept->worker), "%s", or_nothing(view->worker));
	(void)snprintf(kept->error, sizeof(kept->error), "%s", or_nothing(view->error));
	view->queue = kept->queue;
	view->worker = kept->worker[0] ? kept->worker : NULL;
	view->error = kept->error[0] ? kept->error : NULL;
	view->task = view->spec = view->labels = view->key = NULL;
	view->unique_key = view->idem_key = NULL;
	return RV_OK;
}

int rv_verb_why(struct rv_cli *cli)
{
	struct kept kept;
	struct why why = {.cli = cli, .view = &kept.view, .now_us = rv_wall_us()};
	struct rv_why silent = {.text = ""};
	int64_t id;
	int code;
	int err = rv_args_id(cli->args.words[0], &id, &cli->why);

	if (!err)
		err = rv_cli_store(cli, RV_CLIENT_READ);
	if (!err)
		err = read_job(cli, id, &kept);
	if (err)
		return rv_cli_fail(cli, err);
	why.reasons = json_array();
	if (!rv_job_state_final(kept.view.state) &&
	    rv_daemon_ask(cli, "status", &why.status) != RV_OK)
		cli->why = silent;
	err = why.reasons ? RV_OK : RV_E_NOMEM;
	if (!err && kept.view.state == RV_JOB_BLOCKED)
		err = rv_store_parents(cli->client.store, id, each_parent, &why);
	if (!err)
		err = collect(&why);
	if (err)
		code = rv_cli_fail(cli, err);
	else if (cli->json)
		code = print_json(&why);
	else
		code = (print_words(&why), 0);
	json_decref(why.reasons);
	json_decref(why.status);
	return code;
}
