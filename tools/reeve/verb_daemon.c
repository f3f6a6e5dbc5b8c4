/*
 * reeve reload, reopen, shutdown: telling the daemon what its signals tell it too; version.
 */
#include "daemon.h"

#include "base/seam.h"
#include "client/alive.h"
#include "verb.h"
#include "wire/control.h"
#include "wire/json.h"

#include <poll.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define RELOAD_US (10 * RV_S_US) /* longer than any keeper takes; then the answer goes as it is */
#define LOOK_MS   10

#ifdef RV_FAULTS
#define HAS_FAULTS true /* fault points are compiled in: not a build to use */
#else
#define HAS_FAULTS false
#endif

/* Sends ${request} (taken; NULL: there was no memory for it). */
static int ask(struct rv_cli *cli, json_t *request, json_t **ret_reply)
{
	int err = request ? rv_daemon_find(cli) : RV_E_NOMEM;

	if (!err)
		err = rv_alive_call(&cli->client, request, ret_reply, &cli->why);
	json_decref(request);
	return err;
}

/* As ask; the answer's fields are the output of --json, ${done} is that in words. */
static int tell(struct rv_cli *cli, json_t *request, const char *done)
{
	json_t *reply = NULL;
	int code = 0;
	int err = ask(cli, request, &reply);

	if (err)
		return rv_cli_fail(cli, err);
	if (cli->json)
		return rv_cli_json(cli, reply);
	(void)puts(done);
	json_decref(reply);
	return code;
}

static const char *field(const json_t *object, const char *name, const char *absent)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : absent;
}

/* "  pool:default.workers: 2 -> 4 (live)", "  task:old is gone (roll)". */
static void print_changes(const json_t *reply)
{
	const json_t *change;
	size_t i;

	json_array_foreach(json_object_get(reply, "changes"), i, change)
	{
		const char *key = field(change, "key", NULL);
		const char *to = field(change, "to", NULL);

		(void)printf("  %s", field(change, "section", "?"));
		if (key)
			(void)printf(".%s: %s -> %s", key, field(change, "from", "(default)"),
				     to ? to : "(default)");
		else
			(void)printf(" %s", to ? "is new" : "is gone");
		(void)printf(" (%s)\n", field(change, "reload", "?"));
	}
}

/*
 * The daemon has answered; its new keeper stores the new tasks and queues next.  Who adds a job of
 * a new task after `reeve reload` must find it there.  A keeper that cannot is status' to tell.
 */
static void await_keeper(struct rv_cli *cli)
{
	int64_t until = rv_mono_us() + RELOAD_US;
	bool reloading = true;

	while (reloading && rv_mono_us() < until) {
		json_t *status = NULL;
		json_t *request = rv_control_request("status");

		if (!request || rv_alive_call(&cli->client, request, &status, NULL) != RV_OK)
			status = NULL;
		json_decref(request);
		reloading = strcmp(field(json_object_get(status, "daemon"), "state", ""),
				   "reloading") == 0;
		json_decref(status);
		if (reloading)
			(void)poll(NULL, 0, LOOK_MS); /* the daemon rings nobody for this */
	}
}

int rv_verb_reload(struct rv_cli *cli)
{
	json_t *request = rv_control_request("reload");
	json_t *reply = NULL;
	bool dry = rv_args_has(&cli->args, RV_OPT_DRY_RUN);
	bool any;
	int err;

	if (request && rv_json_set_bool(request, "dry_run", dry) != RV_OK) {
		json_decref(request);
		request = NULL;
	}
	err = ask(cli, request, &reply);
	if (err)
		return rv_cli_fail(cli, err);
	if (!dry)
		await_keeper(cli);
	if (cli->json)
		return rv_cli_json(cli, reply);
	any = json_array_size(json_object_get(reply, "changes")) > 0;
	if (dry)
		(void)puts(any ? "the configuration is good; what would change:"
			       : "the configuration is good; nothing would change");
	else
		(void)puts(any ? "reloaded; what changed:" : "reloaded; nothing changed");
	print_changes(reply);
	json_decref(reply);
	return 0;
}

int rv_verb_reopen(struct rv_cli *cli)
{
	return tell(cli, rv_control_request("reopen"), "log files are open again");
}

int rv_verb_shutdown(struct rv_cli *cli)
{
	json_t *request = rv_control_request("shutdown");
	bool now = rv_args_has(&cli->args, RV_OPT_NOW);

	if (request && rv_json_set_bool(request, "now", now) != RV_OK) {
		json_decref(request);
		request = NULL;
	}
	return tell(cli, request,
		    now ? "reeved is stopping; running jobs are stopped and run again later"
			: "reeved is stopping; running jobs may finish first");
}

int rv_verb_version(struct rv_cli *cli)
{
	json_t *object;

	if (!cli->json) {
		(void)printf("reeve %s (SQLite %s, jansson %s)\n", RV_VERSION, sqlite3_libversion(),
			     jansson_version_str());
		return 0;
	}
	object = rv_cli_object();
	if (object && (rv_json_set_text(object, "version", RV_VERSION) ||
		       rv_json_set_text(object, "sqlite", sqlite3_libversion()) ||
		       rv_json_set_text(object, "jansson", jansson_version_str()) ||
		       rv_json_set_bool(object, "faults", HAS_FAULTS))) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(cli, object);
}
