/*
 * reeve pool scale, restart, quiet, drain, resume: what a person asks of the pools of a running
 * daemon.
 */
#include "daemon.h"

#include "base/fmt.h"
#include "base/seam.h"
#include "client/alive.h"
#include "verb.h"
#include "wire/control.h"
#include "wire/json.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define SLOTS_MAX   256
#define LOOK_MS     50
#define PATIENCE_US (5 * RV_S_US) /* with a keeper that is missing: it may yet come up */
#define WORKERS_MAX 1000          /* the daemon knows how many it has room for */

/* Sends ${request} (taken); the answer is the caller's. */
static int ask(struct rv_cli *cli, json_t *request, json_t **ret_reply)
{
	int err = request ? RV_OK : RV_E_NOMEM;

	if (!err)
		err = rv_alive_call(&cli->client, request, ret_reply, &cli->why);
	json_decref(request);
	return err;
}

static json_t *request_for(const char *verb, const char *pool)
{
	json_t *request = rv_control_request(verb);

	if (request && pool && rv_json_set_text(request, "pool", pool) != RV_OK) {
		json_decref(request);
		request = NULL;
	}
	return request;
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

/* How long it holds: of one that follows the work, until the work says something else. */
static void say_scaled(const char *pool, const json_t *reply)
{
	long long to = (long long)int_of(reply, "to");
	long long min = (long long)int_of(reply, "min");
	long long max = (long long)int_of(reply, "max");

	(void)printf("pool %s: %lld workers, %lld before; ", pool, to,
		     (long long)int_of(reply, "from"));
	if (min >= max)
		(void)puts("until the next start, or a reload with another number");
	else if (to > 0)
		(void)printf("from there it follows the work, between %lld and %lld\n", min, max);
	else
		(void)printf("the next job brings one up again, for it follows the work, up to "
			     "%lld (reeve pool drain %s keeps it at 0)\n",
			     max, pool);
}

int rv_verb_pool_scale(struct rv_cli *cli)
{
	const char *pool = cli->args.words[0];
	const char *text = cli->args.words[1];
	bool is_step = text[0] == '+' || text[0] == '-';
	json_t *reply = NULL;
	json_t *request;
	int64_t number;
	int err;

	if (rv_parse_int(text + (text[0] == '+'), is_step ? -WORKERS_MAX : 0, WORKERS_MAX,
			 &number) != RV_OK)
		return rv_cli_say(cli, RV_E_USAGE, "%s: not a number of workers, nor +N or -N",
				  text);
	err = rv_daemon_find(cli);
	if (err)
		return rv_cli_fail(cli, err);
	request = request_for("scale", pool);
	if (request && rv_json_set_int(request, is_step ? "by" : "workers", number) != RV_OK) {
		json_decref(request);
		request = NULL;
	}
	err = ask(cli, request, &reply);
	if (err)
		return rv_cli_fail(cli, err);
	if (cli->json)
		return rv_cli_json(cli, reply);
	say_scaled(pool, reply);
	json_decref(reply);
	return 0;
}

/* What is known of a restart while it goes on. */
struct watch {
	struct rv_cli *cli;
	const char *pool; /* NULL: all */
	int64_t generation;
	int64_t said[SLOTS_MAX]; /* pids, by slot: which were told of */
	json_t *status;          /* owned */
	int64_t missed_us;       /* since when there is no keeper; 0: there is one */
	bool is_over, has_failed;
};

/* A line for each worker that has come up since the last look. */
static void say_workers(struct watch *watch)
{
	const json_t *worker;
	size_t i;

	json_array_foreach(json_object_get(watch->status, "workers"), i, worker)
	{
		const char *state = text_of(worker, "state");
		int64_t slot = int_of(worker, "slot");

		if ((watch->pool && strcmp(text_of(worker, "pool"), watch->pool) != 0) ||
		    int_of(worker, "generation") < watch->generation || slot < 0 ||
		    slot >= SLOTS_MAX || watch->said[slot] == int_of(worker, "pid") ||
		    (strcmp(state, "idle") != 0 && strcmp(state, "busy") != 0 &&
		     strcmp(state, "quiet") != 0))
			continue;
		watch->said[slot] = int_of(worker, "pid");
		if (!watch->cli->json)
			(void)printf("worker %s is new: pid %lld\n", text_of(worker, "id"),
				     (long long)int_of(worker, "pid"));
	}
	(void)fflush(stdout);
}

/* Nobody is replaced before a keeper runs: true when that has been so for too long. */
static bool lacks_keeper(struct watch *watch)
{
	const json_t *daemon = json_object_get(watch->status, "daemon");

	if (strcmp(text_of(daemon, "keeper"), "missing") != 0)
		watch->missed_us = 0;
	else if (watch->missed_us == 0)
		watch->missed_us = rv_mono_us();
	return watch->missed_us != 0 && rv_mono_us() - watch->missed_us >= PATIENCE_US;
}

/* Asks once. */
static int look(struct watch *watch)
{
	const json_t *pool;
	size_t i;
	int err;

	json_decref(watch->status);
	watch->status = NULL;
	err = rv_daemon_ask(watch->cli, "status", &watch->status);
	if (err)
		return err;
	say_workers(watch);
	watch->is_over = true;
	watch->has_failed = false;
	json_array_foreach(json_object_get(watch->status, "pools"), i, pool)
	{
		const char *roll = text_of(pool, "roll");

		if (watch->pool && strcmp(text_of(pool, "name"), watch->pool) != 0)
			continue;
		if (strcmp(roll, "on") == 0)
			watch->is_over = false;
		if (strcmp(roll, "given up") == 0)
			watch->has_failed = true;
	}
	if (watch->is_over || !lacks_keeper(watch))
		return RV_OK;
	return rv_fail(
		&watch->cli->why, RV_E_CLOSED, "workers are not replaced: %s",
		json_string_value(json_array_get(json_object_get(watch->status, "degraded"), 0)));
}

static int await(struct watch *watch, int64_t timeout_us)
{
	int64_t until = timeout_us > 0 ? rv_mono_us() + timeout_us : INT64_MAX;
	int err = RV_OK;

	while (!err && !watch->is_over) {
		err = look(watch);
		if (err == RV_E_BUSY)
			err = RV_OK; /* many ask: again a little later */
		if (!err && !watch->is_over && rv_mono_us() >= until)
			return rv_fail(&watch->cli->why, RV_E_TIMEOUT,
				       "workers are still being replaced");
		if (!err && !watch->is_over)
			(void)poll(NULL, 0, LOOK_MS); /* the daemon rings nobody for this */
	}
	return err;
}

int rv_pool_await(struct rv_cli *cli, const char *pool, int64_t generation)
{
	struct watch watch = {.cli = cli, .pool = pool, .generation = generation};
	int64_t timeout_us = 0;
	int code = 0;
	int err = rv_args_duration(&cli->args, RV_OPT_TIMEOUT, &timeout_us, &cli->why);

	if (!err)
		err = await(&watch, timeout_us);
	if (!err && watch.has_failed)
		code = rv_cli_say(cli, RV_E_CLOSED,
				  "new workers do not come up; the old ones are kept (reeve "
				  "status, and the daemon's log)");
	if (!err && !watch.has_failed && !cli->json)
		(void)puts("all workers are replaced");
	json_decref(watch.status);
	return err ? rv_cli_fail(cli, err) : code;
}

int rv_verb_pool_restart(struct rv_cli *cli)
{
	const char *pool = cli->args.nwords > 0 ? cli->args.words[0] : NULL;
	json_t *reply = NULL;
	int code = 0;
	int err = rv_daemon_find(cli);

	if (!err)
		err = ask(cli, request_for("restart", pool), &reply);
	if (err)
		return rv_cli_fail(cli, err);
	if (!cli->json)
		(void)printf("the workers of %s%s are replaced\n", pool ? "pool " : "every pool",
			     pool ? pool : "");
	if (rv_args_has(&cli->args, RV_OPT_WAIT))
		code = rv_pool_await(cli, pool, int_of(reply, "generation"));
	if (cli->json && code == 0)
		return rv_cli_json(cli, reply);
	json_decref(reply);
	return code;
}

/* The pools that are named, one after the other, or all. */
static int hold(struct rv_cli *cli, const char *verb, const char *done)
{
	size_t count = cli->args.nwords > 0 ? cli->args.nwords : 1;
	json_t *object;
	int err = rv_daemon_find(cli);

	for (size_t i = 0; !err && i < count; i++) {
		const char *pool = cli->args.nwords > 0 ? cli->args.words[i] : NULL;
		json_t *reply = NULL;

		err = ask(cli, request_for(verb, pool), &reply);
		json_decref(reply);
		if (!err && !cli->json)
			(void)printf("%s%s %s\n", pool ? "pool " : "", pool ? pool : "every pool",
				     done);
	}
	if (err)
		return rv_cli_fail(cli, err);
	if (!cli->json)
		return 0;
	object = rv_cli_object();
	if (object && rv_json_set_bool(object, "ok", true) != RV_OK) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(cli, object);
}

int rv_verb_pool_quiet(struct rv_cli *cli)
{
	return hold(cli, "quiet", "is quiet: it begins no more jobs");
}

int rv_verb_pool_drain(struct rv_cli *cli)
{
	return hold(cli, "drain", "is drained: its workers finish what they run, and end");
}

int rv_verb_pool_resume(struct rv_cli *cli)
{
	return hold(cli, "resume", "goes on");
}
