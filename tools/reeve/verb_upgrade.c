/*
 * reeve upgrade: the daemon executes its program anew, in place.
 */
#include "daemon.h"

#include "base/seam.h"
#include "client/alive.h"
#include "verb.h"
#include "wire/control.h"
#include "wire/json.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define LOOK_MS 20
#define LONG_US (30 * RV_S_US) /* the daemon gives the new program 10 s */

/* The part of status that tells of it; owned by the caller.  What is being executed does not answer
 * for a moment. */
static int ask(struct rv_cli *cli, json_t **ret_daemon)
{
	json_t *status = NULL;
	int err = rv_daemon_ask(cli, "status", &status);

	if (!err)
		*ret_daemon = json_incref(json_object_get(status, "daemon"));
	json_decref(status);
	return err == RV_E_CLOSED || err == RV_E_BUSY ? RV_OK : err;
}

/* Until the attempt ${number} has come to its end: its error, or NULL in ${ret_daemon}'s words. */
static int await(struct rv_cli *cli, int64_t number, json_t **ret_daemon)
{
	int64_t until = rv_mono_us() + LONG_US;

	for (;;) {
		json_t *daemon = NULL;
		int err = ask(cli, &daemon);

		if (err)
			return err;
		if (json_integer_value(json_object_get(daemon, "upgrade_ended")) >= number) {
			*ret_daemon = daemon;
			return RV_OK;
		}
		json_decref(daemon);
		if (rv_mono_us() >= until)
			return rv_fail(&cli->why, RV_E_TIMEOUT, "reeved does not say how it went");
		(void)poll(NULL, 0, LOOK_MS); /* the daemon rings nobody for this */
	}
}

static int tell(struct rv_cli *cli, bool check, int64_t *ret_number)
{
	json_t *request = rv_control_request("upgrade");
	json_t *reply = NULL;
	int err = request ? RV_OK : RV_E_NOMEM;

	if (!err)
		err = rv_json_set_bool(request, "check", check);
	if (!err)
		err = rv_alive_call(&cli->client, request, &reply, &cli->why);
	json_decref(request);
	if (!err)
		*ret_number = json_integer_value(json_object_get(reply, "try"));
	json_decref(reply);
	return err;
}

static int say(struct rv_cli *cli, const json_t *daemon, bool check)
{
	const char *version = json_string_value(json_object_get(daemon, "version"));
	int64_t pid = json_integer_value(json_object_get(daemon, "pid"));
	json_t *object;

	if (!cli->json) {
		if (check)
			(void)puts("the program that lies there can take over");
		else
			(void)printf("reeved %lld is %s now; its workers are replaced\n",
				     (long long)pid, version ? version : "?");
		return 0;
	}
	object = rv_cli_object();
	if (object && (rv_json_set_bool(object, "ok", true) != RV_OK ||
		       rv_json_set_text(object, "version", version) != RV_OK ||
		       rv_json_set_int(object, "pid", pid) != RV_OK)) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(cli, object);
}

int rv_verb_upgrade(struct rv_cli *cli)
{
	bool check = rv_args_has(&cli->args, RV_OPT_CHECK);
	json_t *daemon = NULL;
	int64_t number = 0;
	const char *error;
	int code;
	int err = rv_daemon_find(cli);

	if (!err)
		err = tell(cli, check, &number);
	if (!err)
		err = await(cli, number, &daemon);
	if (err)
		return rv_cli_fail(cli, err);
	error = json_string_value(json_object_get(daemon, "upgrade_error"));
	if (error)
		code = rv_cli_say(cli, RV_E_REFUSED, "nothing has changed: %s", error);
	else
		code = say(cli, daemon, check);
	if (code == 0 && rv_args_has(&cli->args, RV_OPT_WAIT))
		code = rv_pool_await(cli, NULL,
				     json_integer_value(json_object_get(daemon, "generation")));
	json_decref(daemon);
	return code;
}
