/*
 * reeve pool scale, quiet, drain, resume: what a person asks of the pools of a running daemon.
 */
#include "daemon.h"

#include "base/fmt.h"
#include "client/alive.h"
#include "verb.h"
#include "wire/control.h"
#include "wire/json.h"

#include <stdio.h>

#define WORKERS_MAX 1000 /* the daemon knows how many it has room for */

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
	(void)printf("pool %s: %lld workers, %lld before; until the next start, or a reload with "
		     "another number\n",
		     pool, (long long)json_integer_value(json_object_get(reply, "to")),
		     (long long)json_integer_value(json_object_get(reply, "from")));
	json_decref(reply);
	return 0;
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
