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

static const char *daemon_says(const struct why *why, const char *name)
{
	return json_string_value(json_object_get(json_object_get(why->status, "daemon"), name));
}

/* Its time has come, and who moves it is not there. */
static void why_overdue(struct why *why)
{
	const char *keeper = daemon_says(why, "keeper");

	if (why->view->run_at_us < why->now_us && keeper && strcmp(keeper, "running") != 0)
		add(why, "no_keeper",
		    "no keeper runs: it is overdue until one does (reeve status)");
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
		int err = rv_view_last(why->cli->client.store, view, view->runs, words);

		if (err)
			why->err = err;
		else
			add(why, "backoff", "%s; the next run is due at %s (%s)", words, when, ago);
	} else {
		add(why, "scheduled", "it is due at %s (%s)", when, ago);
	}
	why_overdue(why);
}

/* What it waits for its parents to do. */
static const char *ends(enum rv_after on)
{
	switch (on) {
	case RV_AFTER_FAILURE:
		return "to fail";
	case RV_AFTER_ANY:
		return "to end";
	case RV_AFTER_SUCCESS:
		break;
	}
	return "to succeed";
}

static int each_parent(void *ctx, int64_t parent, enum rv_job_state state, enum rv_after on)
{
	struct why *why = ctx;

	if (state == RV_JOB_DEAD)
		add(why, "parent",
		    "it waits for job %lld to succeed, which is dead: reeve retry %lld, or cancel "
		    "this one",
		    (long long)parent, (long long)parent);
	else
		add(why, "parent", "it waits for job %lld %s, which is %s", (long long)parent,
		    ends(on), rv_job_state_name(state));
	return why->err;
}

static void add_text(void *ctx, const char *code, const char *text)
{
	add(ctx, code, "%s", text);
}

/* What the store says of the job's queue. */
struct queue_look {
	const char *queue;
	enum rv_strategy strategy;
	int64_t ready;
	bool paused;
};

static const char *order_words(enum rv_strategy strategy)
{
	switch (strategy) {
	case RV_STRATEGY_FIFO:
		return "first come, first served";
	case RV_STRATEGY_LIFO:
		return "the newest goes first";
	case RV_STRATEGY_PRIORITY:
		return "the lowest priority number goes first";
	case RV_STRATEGY_WEIGHTED:
		return "drawn in proportion to their weights";
	case RV_STRATEGY_DEADLINE:
		return "the earliest deadline goes first";
	case RV_STRATEGY_FAIR:
		return "each key in its turn";
	}
	return "in an order this release does not know";
}

static int each_queue(void *ctx, const struct rv_queue_view *view)
{
	struct queue_look *look = ctx;

	if (strcmp(view->name, look->queue) == 0) {
		look->paused = view->paused;
		look->strategy = view->strategy;
		look->ready = view->counts[RV_JOB_READY];
	}
	return RV_OK;
}

static void why_depth(struct why *why, const struct queue_look *look)
{
	int64_t others = look->ready - 1;

	if (others > 0)
		add(why, "queue_depth", "%lld other %s ready in its queue %s (%s)",
		    (long long)others, others == 1 ? "job is" : "jobs are", look->queue,
		    order_words(look->strategy));
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
struct workers {
	int64_t total, running, busy;
};

static struct workers count_workers(const struct why *why, const char *queue)
{
	const struct rv_conf *conf = why->cli->client.conf;
	struct workers count = {0};
	const json_t *worker;
	size_t i;

	json_array_foreach(json_object_get(why->status, "workers"), i, worker)
	{
		const char *name = json_string_value(json_object_get(worker, "pool"));
		const char *state = json_string_value(json_object_get(worker, "state"));
		const struct rv_conf_pool *pool = name ? rv_conf_pool_find(conf, name) : NULL;

		if (!pool || !state || !serves(pool, queue))
			continue;
		count.total++;
		count.busy += strcmp(state, "busy") == 0;
		count.running += strcmp(state, "busy") == 0 || strcmp(state, "idle") == 0;
	}
	return count;
}

static int64_t number_of(const json_t *object, const char *member)
{
	return json_integer_value(json_object_get(object, member));
}

/* Pools that serve it and that somebody has made quiet, drained or empty; whether there is one. */
static bool why_held(struct why *why, const char *queue)
{
	const struct rv_conf *conf = why->cli->client.conf;
	bool any = false;
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(why->status, "pools"), i, item)
	{
		const char *name = json_string_value(json_object_get(item, "name"));
		const char *state = json_string_value(json_object_get(item, "state"));
		const struct rv_conf_pool *pool = name ? rv_conf_pool_find(conf, name) : NULL;

		if (!pool || !state || !serves(pool, queue))
			continue;
		if (strcmp(state, "quiet") == 0 || strcmp(state, "draining") == 0 ||
		    strcmp(state, "drained") == 0)
			add(why, "pool_held", "pool %s is %s: reeve pool resume %s", name, state,
			    name);
		else if (number_of(item, "target") == 0 &&
			 number_of(item, "min") == number_of(item, "max"))
			add(why, "pool_empty",
			    "pool %s is scaled to 0 workers: reeve pool scale %s N", name, name);
		else
			continue;
		any = true;
	}
	return any;
}

/* Pools that serve it and that wait for the machine to have less to do; whether there is one. */
static bool why_waits(struct why *why, const char *queue)
{
	const json_t *item;
	bool any = false;
	size_t i;

	json_array_foreach(json_object_get(why->status, "pools"), i, item)
	{
		const char *name = json_string_value(json_object_get(item, "name"));
		const char *words = json_string_value(json_object_get(item, "waits"));
		const struct rv_conf_pool *pool =
			name ? rv_conf_pool_find(why->cli->client.conf, name) : NULL;

		if (!pool || !words || !serves(pool, queue))
			continue;
		add(why, "pool_waits", "pool %s waits: %s", name, words);
		any = true;
	}
	return any;
}

static void why_degraded(struct why *why)
{
	const json_t *reason;
	size_t i;

	json_array_foreach(json_object_get(why->status, "degraded"), i, reason)
	{
		add(why, "degraded", "reeved is degraded: %s",
		    or_nothing(json_string_value(reason)));
	}
}

static void why_no_pool(struct why *why, const char *queue)
{
	const struct rv_conf *conf = why->cli->client.conf;
	bool served = false;

	for (size_t p = 0; p < conf->npools; p++)
		served = served || serves(&conf->pools[p], queue);
	if (!served)
		add(why, "no_pool",
		    "no pool of the configuration serves queue %s: add it to the queues of one, "
		    "then reeve reload",
		    queue);
}

static void why_silent(struct why *why)
{
	pid_t pid;

	if (rv_alive(&why->cli->client, &pid) == RV_E_NOTRUN)
		add(why, "not_running", "reeved is not running");
	else
		add(why, "daemon_silent", "reeved does not answer");
}

/* What keeps every job of the queue from starting, the hardest first. */
static void why_queue(struct why *why, const struct queue_look *look)
{
	const char *state = daemon_says(why, "state");
	size_t before;
	struct workers count;

	if (look->paused)
		add(why, "queue_paused", "its queue %s is paused: reeve queue resume %s",
		    look->queue, look->queue);
	before = json_array_size(why->reasons);
	why_no_pool(why, look->queue);
	if (!why->status) {
		why_silent(why);
		return;
	}
	count = count_workers(why, look->queue);
	bool held = why_held(why, look->queue);

	held = why_waits(why, look->queue) || held;

	if (state && (strcmp(state, "draining") == 0 || strcmp(state, "stopping") == 0))
		add(why, "stopping", "reeved is %s: it starts no more jobs", state);
	else if (held)
		; /* what its workers do says nothing more */
	else if (json_array_size(why->reasons) == before && count.total == 0)
		add(why, "no_worker",
		    "no worker of the running daemon serves queue %s: reeve reload, or see reeve "
		    "status",
		    look->queue);
	else if (count.total > 0 && count.running == 0)
		add(why, "no_worker", "none of the %lld workers that serve queue %s runs",
		    (long long)count.total, look->queue);
	why_degraded(why);
	if (why->view->state == RV_JOB_READY && count.running > 0 && count.busy == count.running)
		add(why, "workers_busy", "every worker that serves queue %s is busy (%lld of them)",
		    look->queue, (long long)count.busy);
}

/* The state itself is a reason only where nothing stands in the way. */
static void why_ready(struct why *why, const struct queue_look *look)
{
	const struct rv_job_view *view = why->view;
	char ago[RV_VIEW_AGO_SPACE];

	if (view->prefetched)
		add(why, "prefetched", "worker %s has fetched it and starts it next",
		    view->worker ? view->worker : "?");
	else
		why_queue(why, look);
	if (json_array_size(why->reasons) == 0)
		add(why, "ready", "it is ready to run");
	if (!view->prefetched)
		why_depth(why, look);
	if (view->runs > 0)
		add(why, "again", "it has run %d %s%s%s, and is to run again", view->runs,
		    view->runs == 1 ? "time" : "times", colon(view->error),
		    or_nothing(view->error));
	if (view->expires_us > 0)
		add(why, "ttl", "if it is not started it is cancelled %s (its ttl)",
		    rv_view_ago(ago, view->expires_us, why->now_us));
}

/* From what must change first to what comes after that. */
static int collect(struct why *why)
{
	struct rv_store *store = why->cli->client.store;
	const struct rv_job_view *view = why->view;
	struct queue_look look = {.queue = or_nothing(view->queue)};
	int err;

	if (rv_job_state_final(view->state)) {
		why_final(why);
		return why->err;
	}
	if (view->state == RV_JOB_RUNNING) {
		why_running(why);
		if (why->status)
			why_degraded(why);
		else
			why_silent(why);
		return why->err;
	}
	err = rv_store_queues(store, each_queue, &look);
	if (view->state == RV_JOB_READY) {
		why_ready(why, &look);
	} else {
		if (view->state == RV_JOB_SCHEDULED)
			why_scheduled(why);
		else if (!err && view->gate)
			err = rv_limits_why(store, view, why->now_us, add_text, why);
		else if (!err)
			err = rv_store_parents(store, view->id, each_parent, why);
		if (view->held)
			add(why, "held", "it is held: reeve release %lld", (long long)view->id);
		why_queue(why, &look);
	}
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
	char gate[2 * RV_NAME_MAX + RV_KEY_MAX];
	char made[RV_CRONS_MADE]; /* by which schedule; "" none */
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
	(void)snprintf(kept->gate, sizeof(kept->gate), "%s", or_nothing(view->gate));
	view->gate = kept->gate[0] ? kept->gate : NULL;
	rv_crons_made(kept->made, view->meta);
	view->takes = NULL;
	view->task = view->spec = view->labels = view->meta = view->key = NULL;
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
	err = why.reasons ? collect(&why) : RV_E_NOMEM;
	if (!err && !rv_job_state_final(kept.view.state)) {
		err = rv_batch_why(cli->client.store, &kept.view, add_text, &why);
		err = err ? err : why.err;
	}
	if (!err && kept.made[0])
		add(&why, "schedule", "schedule %s made it", kept.made);
	if (!err && kept.view.parent > 0)
		add(&why, "parent", "job %lld submitted it", (long long)kept.view.parent);
	if (!err)
		err = why.err;
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
