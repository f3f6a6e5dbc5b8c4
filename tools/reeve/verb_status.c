/*
 * reeve status, worker ls, pool ls: what the daemon says of itself, and what the store says of the
 * queues.  Works for those who may not read the store, and without a daemon.
 */
#include "daemon.h"

#include "base/fmt.h"
#include "base/seam.h"
#include "client/alive.h"
#include "verb.h"
#include "view.h"
#include "wire/control.h"
#include "wire/json.h"

#include <string.h>

#define EXIT_DEGRADED 10

int rv_daemon_find(struct rv_cli *cli)
{
	struct rv_why why; /* of the store: nobody wants to hear it here */
	int err = rv_cli_load(cli);

	if (!err && rv_client_store(&cli->client, RV_CLIENT_READ, &why) != RV_OK)
		why.text[0] = '\0';
	return err;
}

int rv_daemon_ask(struct rv_cli *cli, const char *verb, json_t **ret_reply)
{
	RV_AUTO(rv_json_free) json_t *request = rv_control_request(verb);

	return request ? rv_alive_call(&cli->client, request, ret_reply, &cli->why) : RV_E_NOMEM;
}

struct status {
	struct rv_cli *cli;
	json_t *reply;  /* owned: what the daemon said, or an empty object */
	json_t *queues; /* owned array */
	bool running;
	int64_t refused; /* rows of the inbox */
	int64_t now_us;
};

static int each_queue(void *ctx, const struct rv_queue_view *view)
{
	struct status *status = ctx;
	json_t *queue = rv_view_queue(view, status->now_us);

	return queue && json_array_append_new(status->queues, queue) == 0 ? RV_OK : RV_E_NOMEM;
}

static int add_degraded(struct status *status, const char *text)
{
	json_t *list = json_object_get(status->reply, "degraded");

	if (!list) {
		list = json_array();
		if (rv_json_set_new(status->reply, "degraded", list) != RV_OK)
			return RV_E_NOMEM;
	}
	return json_array_append_new(list, json_string(text)) == 0 ? RV_OK : RV_E_NOMEM;
}

/* No answer: is there no daemon, or one that does not answer? */
static int judge_silence(struct status *status, int err)
{
	char text[1024];
	pid_t pid = 0;
	bool held = rv_alive(&status->cli->client, &pid) == RV_OK;
	bool lost = !held && rv_alive_lost(&status->cli->client, &pid) == RV_OK;
	json_t *daemon = json_object();

	held = held || lost;
	status->running = held;
	status->reply = json_object();
	if (!status->reply || !daemon ||
	    rv_json_set_new(daemon, "pid", held && pid > 0 ? json_integer(pid) : json_null()) ||
	    rv_json_set_new(daemon, "uptime_s", json_null()) ||
	    rv_json_set_text(daemon, "state",
			     lost   ? "lost"
			     : held ? "silent"
				    : "stopped") ||
	    rv_json_set_new(status->reply, "daemon", json_incref(daemon))) {
		json_decref(daemon);
		return RV_E_NOMEM;
	}
	json_decref(daemon);
	if (err == RV_E_DENIED) {
		status->running = true;
		return err;
	}
	if (!held)
		return RV_OK;
	if (lost)
		(void)snprintf(text, sizeof(text),
			       "its store %s and its sockets were removed: what was in it is gone; "
			       "end it with kill %ld, then start it again",
			       status->cli->client.store_path, (long)pid);
	else if (err == RV_E_NOTRUN)
		(void)snprintf(text, sizeof(text),
			       "reeved (pid %ld) has no control socket: it is starting or ending",
			       (long)pid);
	else
		(void)snprintf(text, sizeof(text), "reeved (pid %ld) does not answer: %s",
			       (long)pid, rv_why_text(&status->cli->why, err));
	return add_degraded(status, text);
}

/* What the store says. */
static int look(struct status *status)
{
	struct rv_store *store = status->cli->client.store;
	struct rv_store_totals totals;

	if (rv_store_queues(store, each_queue, status) != RV_OK ||
	    rv_store_totals(store, &totals) != RV_OK)
		return add_degraded(status, "the store cannot be read");
	status->refused = totals.inbox_refused;
	return RV_OK;
}

static int gather(struct status *status)
{
	struct rv_cli *cli = status->cli;
	int err = rv_daemon_find(cli);

	if (err)
		return err;
	status->queues = json_array();
	if (!status->queues)
		return RV_E_NOMEM;
	err = rv_daemon_ask(cli, "status", &status->reply);
	status->running = err == RV_OK;
	if (err)
		err = judge_silence(status, err);
	return !err && cli->client.store ? look(status) : err;
}

static void status_fini(struct status *status)
{
	json_decref(status->reply);
	json_decref(status->queues);
}

static int exit_code(const struct status *status)
{
	if (!status->running)
		return rv_err_exit(RV_E_NOTRUN);
	return json_array_size(json_object_get(status->reply, "degraded")) > 0 ? EXIT_DEGRADED : 0;
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static int64_t int_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static void print_head(const struct status *status)
{
	const json_t *daemon = json_object_get(status->reply, "daemon");
	const struct rv_out *out = &status->cli->out;
	const json_t *reason;
	char about[RV_FMT_SPACE];
	size_t i;

	if (!status->running) {
		(void)printf("%sreeved is not running%s\n", rv_out_on(out, RV_STYLE_RED),
			     rv_out_off(out, RV_STYLE_RED));
	} else {
		(void)printf("reeved %lld: %s", (long long)int_of(daemon, "pid"),
			     text_of(daemon, "state"));
		if (int_of(daemon, "uptime_s") > 0)
			(void)printf(", up %s",
				     rv_fmt_about(about, int_of(daemon, "uptime_s") * RV_S_US));
		(void)putchar('\n');
	}
	json_array_foreach(json_object_get(status->reply, "degraded"), i, reason)
	{
		(void)printf("%sdegraded: ", rv_out_on(out, RV_STYLE_YELLOW));
		rv_out_text(stdout, json_string_value(reason));
		(void)printf("%s\n", rv_out_off(out, RV_STYLE_YELLOW));
	}
	if (status->refused > 0)
		(void)printf("%sinbox: %lld rows cannot be jobs: "
			     "reeve db sql 'SELECT id, error FROM reeve_inbox'%s\n",
			     rv_out_on(out, RV_STYLE_YELLOW), (long long)status->refused,
			     rv_out_off(out, RV_STYLE_YELLOW));
}

static int print_pools(struct rv_cli *cli, const json_t *pools)
{
	static const char *const headers[] = {"POOL", ">WORKERS", "STATE", ">RESTARTS", "REASON"};
	struct rv_table table;
	const json_t *pool;
	size_t i;
	int err;

	if (json_array_size(pools) == 0)
		return RV_OK;
	rv_table_init(&table, headers, RV_ARRAY_LEN(headers));
	json_array_foreach(pools, i, pool)
	{
		rv_table_text(&table, text_of(pool, "name"), RV_STYLE_NONE);
		rv_table_printf(&table, RV_STYLE_NONE, "%lld/%lld",
				(long long)int_of(pool, "alive"),
				(long long)int_of(pool, "target"));
		rv_table_text(&table, text_of(pool, "state"),
			      strcmp(text_of(pool, "state"), "ok") == 0 ? RV_STYLE_GREEN
									: RV_STYLE_YELLOW);
		rv_table_int(&table, int_of(pool, "restarts"), RV_STYLE_NONE);
		if (*text_of(pool, "waits"))
			rv_table_printf(&table, RV_STYLE_YELLOW, "waits: %s",
					text_of(pool, "waits"));
		else
			rv_table_text(&table, text_of(pool, "reason"), RV_STYLE_NONE);
	}
	err = rv_table_print(&table, &cli->out);
	rv_table_fini(&table);
	return err;
}

static int print_workers(struct rv_cli *cli, const json_t *workers)
{
	static const char *const headers[] = {"WORKER", ">PID",  "POOL",   "STATE",
					      ">JOB",   ">DONE", ">MEMORY"};
	struct rv_table table;
	const json_t *worker;
	size_t i;
	int err;

	if (json_array_size(workers) == 0)
		return RV_OK;
	rv_table_init(&table, headers, RV_ARRAY_LEN(headers));
	json_array_foreach(workers, i, worker)
	{
		int64_t job = int_of(worker, "job");

		rv_table_text(&table, text_of(worker, "id"), RV_STYLE_NONE);
		rv_table_int(&table, int_of(worker, "pid"), RV_STYLE_NONE);
		rv_table_text(&table, text_of(worker, "pool"), RV_STYLE_NONE);
		rv_table_text(&table, text_of(worker, "state"), RV_STYLE_NONE);
		if (job > 0)
			rv_table_int(&table, job, RV_STYLE_BLUE);
		else
			rv_table_text(&table, "", RV_STYLE_NONE);
		rv_table_int(&table, int_of(worker, "jobs_done"), RV_STYLE_NONE);
		rv_table_printf(&table, RV_STYLE_NONE, "%lldK",
				(long long)(int_of(worker, "rss_bytes") >> 10));
	}
	err = rv_table_print(&table, &cli->out);
	rv_table_fini(&table);
	return err;
}

static int print_queues(const struct status *status)
{
	static const char *const headers[] = {"QUEUE",      ">READY",   ">RUNNING",
					      ">SCHEDULED", ">BLOCKED", ">SUCCEEDED",
					      ">DEAD",      "OLDEST",   "STATE"};
	static const char *const fields[] = {"ready",   "running",   "scheduled",
					     "blocked", "succeeded", "dead"};
	struct rv_table table;
	char about[RV_FMT_SPACE];
	const json_t *queue;
	size_t i;
	int err;

	if (json_array_size(status->queues) == 0)
		return RV_OK;
	rv_table_init(&table, headers, RV_ARRAY_LEN(headers));
	json_array_foreach(status->queues, i, queue)
	{
		bool paused = json_is_true(json_object_get(queue, "paused"));

		rv_table_text(&table, text_of(queue, "name"), RV_STYLE_NONE);
		for (size_t k = 0; k < RV_ARRAY_LEN(fields); k++)
			rv_table_int(&table, int_of(queue, fields[k]), RV_STYLE_NONE);
		if (json_is_integer(json_object_get(queue, "oldest_ready_s")))
			rv_table_text(
				&table,
				rv_fmt_about(about, int_of(queue, "oldest_ready_s") * RV_S_US),
				RV_STYLE_NONE);
		else
			rv_table_text(&table, "", RV_STYLE_NONE);
		rv_table_text(&table, paused ? "paused" : "active",
			      paused ? RV_STYLE_YELLOW : RV_STYLE_NONE);
	}
	(void)putchar('\n');
	err = rv_table_print(&table, &status->cli->out);
	rv_table_fini(&table);
	return err;
}

static int print_table(const struct status *status)
{
	const json_t *workers = json_object_get(status->reply, "workers");
	const json_t *pools = json_object_get(status->reply, "pools");
	int err;

	print_head(status);
	if (json_array_size(pools) > 0)
		(void)putchar('\n');
	err = print_pools(status->cli, pools);
	if (!err && json_array_size(workers) > 0) {
		(void)putchar('\n');
		err = print_workers(status->cli, workers);
	}
	return err ? err : print_queues(status);
}

/* The daemon's lists, empty ones where it said nothing, then the queues. */
static int print_json(const struct status *status)
{
	static const char *const lists[] = {"pools", "workers", "degraded"};
	json_t *object = rv_cli_object();
	bool well = object != NULL;

	if (well)
		well = rv_json_set_new(object, "daemon",
				       json_incref(json_object_get(status->reply, "daemon"))) ==
		       RV_OK;
	for (size_t i = 0; well && i < RV_ARRAY_LEN(lists); i++) {
		json_t *list = json_object_get(status->reply, lists[i]);

		well = rv_json_set_new(object, lists[i], list ? json_incref(list) : json_array()) ==
		       RV_OK;
	}
	if (well)
		well = rv_json_set_new(object, "queues", json_incref(status->queues)) == RV_OK &&
		       rv_json_set_int(object, "inbox_refused", status->refused) == RV_OK;
	if (!well) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(status->cli, object);
}

int rv_verb_status(struct rv_cli *cli)
{
	struct status status = {.cli = cli, .now_us = rv_wall_us()};
	int code;
	int err = gather(&status);

	if (!err && cli->json) {
		code = print_json(&status);
		code = code ? code : exit_code(&status);
	} else {
		if (!err)
			err = print_table(&status);
		code = err ? rv_cli_fail(cli, err) : exit_code(&status);
	}
	status_fini(&status);
	return code;
}

/* One list of the daemon's answer: {"workers":[…]}, {"pools":[…]}. */
static int list_part(struct rv_cli *cli, const char *name,
		     int (*print)(struct rv_cli *cli, const json_t *list))
{
	json_t *reply = NULL;
	json_t *object;
	int err = rv_daemon_find(cli);
	int code = 0;

	if (!err)
		err = rv_daemon_ask(cli, "status", &reply);
	if (err)
		return rv_cli_fail(cli, err);
	if (!cli->json) {
		err = print(cli, json_object_get(reply, name));
		code = err ? rv_cli_fail(cli, err) : 0;
	} else {
		object = rv_cli_object();
		if (object && rv_json_set_new(object, name,
					      json_incref(json_object_get(reply, name))) != RV_OK) {
			json_decref(object);
			object = NULL;
		}
		code = rv_cli_json(cli, object);
	}
	json_decref(reply);
	return code;
}

int rv_verb_worker_ls(struct rv_cli *cli)
{
	return list_part(cli, "workers", print_workers);
}

int rv_verb_pool_ls(struct rv_cli *cli)
{
	return list_part(cli, "pools", print_pools);
}
