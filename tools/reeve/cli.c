/*
 * What every verb needs: the client opened when first needed, errors said once, JSON printed.
 * Runs in the CLI.  Must never write anything but data to stdout.
 */
#include "cli.h"

#include "base/buf.h"
#include "conf/conf.h"
#include "store/store.h"
#include "wire/json.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool as_json; /* what we say on stderr: a JSON object a line */

void rv_cli_speak_json(void)
{
	as_json = true;
}

/* ${object} (taken) as a line on stderr; false when there is no memory for it. */
static bool say_json(json_t *object)
{
	struct rv_buf buf;
	bool said;

	rv_buf_init(&buf);
	said = object && rv_json_dump(object, false, &buf) == RV_OK;
	if (said)
		(void)fprintf(stderr, "%s\n", rv_buf_text(&buf));
	rv_buf_fini(&buf);
	json_decref(object);
	return said;
}

static void say_plain(const char *text)
{
	(void)fputs("reeve: ", stderr);
	rv_out_text(stderr, text);
	(void)fputc('\n', stderr);
}

/* {"v":1,"error":{"code":3,"name":"NOTFOUND","message":…}}, of a broken configuration "findings".
 */
static json_t *error_object(struct rv_cli *cli, int err)
{
	json_t *object = rv_cli_object();
	json_t *error = json_object();

	if (object && error && rv_json_set_int(error, "code", rv_err_exit(err)) == RV_OK &&
	    rv_json_set_text(error, "name", rv_err_name(err) + strlen("RV_E_")) == RV_OK &&
	    rv_json_set_text(error, "message", rv_why_text(&cli->why, err)) == RV_OK &&
	    (!cli->findings ||
	     rv_json_set_new(error, "findings", json_incref(cli->findings)) == RV_OK) &&
	    rv_json_set_new(object, "error", json_incref(error)) == RV_OK) {
		json_decref(error);
		return object;
	}
	json_decref(error);
	json_decref(object);
	return NULL;
}

int rv_cli_fail(struct rv_cli *cli, int err)
{
	(void)fflush(stdout);
	if (!as_json || !say_json(error_object(cli, err)))
		say_plain(rv_why_text(&cli->why, err));
	return rv_err_exit(err);
}

int rv_cli_say(struct rv_cli *cli, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(cli->why.text, sizeof(cli->why.text), format, args);
	va_end(args);
	return rv_cli_fail(cli, err);
}

void rv_cli_note(const char *format, ...)
{
	char text[1024];
	json_t *object;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)fflush(stdout);
	object = as_json ? rv_cli_object() : NULL;
	if (object && rv_json_set_text(object, "note", text) != RV_OK) {
		json_decref(object);
		object = NULL;
	}
	if (!object || !say_json(object))
		say_plain(text);
}

static int collect_overrides(const struct rv_args *args, const char ***ret_list)
{
	size_t at = 0;
	size_t n = 0;
	const char *value;

	*ret_list = calloc(args->ngiven + 1, sizeof(**ret_list));
	if (!*ret_list)
		return RV_E_NOMEM;
	while ((value = rv_args_next(args, RV_OPT_SET, &at)) != NULL)
		(*ret_list)[n++] = value;
	return RV_OK;
}

json_t *rv_cli_findings(const struct rv_conf_errors *errors, bool warnings)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < errors->count; i++) {
		const struct rv_conf_error *error = &errors->items[i];
		json_t *item;

		if (error->warning && !warnings)
			continue;
		item = json_object();
		if (!item || rv_json_set_text(item, "where", error->where) ||
		    rv_json_set_text(item, "text", error->text) ||
		    rv_json_set_bool(item, "warning", error->warning) ||
		    json_array_append(list, item) != 0) {
			json_decref(list);
			list = NULL;
		}
		json_decref(item);
	}
	return list;
}

/* Errors make us give up and are all shown; warnings are the daemon's and `config check`'s to tell.
 */
static void show_errors(struct rv_cli *cli, const struct rv_conf_errors *errors)
{
	if (as_json) {
		json_decref(cli->findings);
		cli->findings = rv_cli_findings(errors, false);
		return;
	}
	for (size_t i = 0; i < errors->count; i++) {
		if (!errors->items[i].warning)
			(void)fprintf(stderr, "%s: %s\n", errors->items[i].where,
				      errors->items[i].text);
	}
}

int rv_cli_load(struct rv_cli *cli)
{
	const char **overrides = NULL;
	struct rv_conf_errors errors;
	struct rv_client_how how = {.config = rv_args_value(&cli->args, RV_OPT_CONFIG),
				    .store = rv_args_value(&cli->args, RV_OPT_STORE),
				    .environment = environ};
	int err;

	if (cli->loaded)
		return RV_OK;
	err = rv_args_duration(&cli->args, RV_OPT_PATIENCE, &how.busy_us, &cli->why);
	if (err)
		return err;
	err = collect_overrides(&cli->args, &overrides);
	if (err)
		return err;
	how.overrides = overrides;
	rv_conf_errors_init(&errors);
	err = rv_client_init(&cli->client, &how, &errors, &cli->why);
	if (err)
		show_errors(cli, &errors);
	cli->loaded = err == RV_OK;
	rv_conf_errors_fini(&errors);
	free(overrides);
	return err;
}

int rv_cli_store(struct rv_cli *cli, enum rv_client_mode mode)
{
	int err = rv_cli_load(cli);

	if (!err)
		err = rv_client_store(&cli->client, mode, &cli->why);
	if (err == RV_E_DENIED)
		(void)rv_wrap(&cli->why, err,
			      mode == RV_CLIENT_READ
				      ? "you may not read this store (`reeve status` works without)"
				      : "you may not change this store");
	return err;
}

int rv_cli_store_waiting(struct rv_cli *cli)
{
	int err = rv_cli_store(cli, RV_CLIENT_WRITE);

	return err == RV_E_DENIED ? rv_cli_store(cli, RV_CLIENT_READ) : err;
}

int rv_cli_same_store(struct rv_cli *cli)
{
	int err = rv_store_same_file(cli->client.store);

	if (err == RV_E_REPLACED)
		return rv_fail(&cli->why, err,
			       "the store %s was removed or replaced while we waited; what becomes "
			       "of its jobs is not known any more",
			       cli->client.store_path);
	return err;
}

json_t *rv_cli_object(void)
{
	json_t *object = json_object();

	if (object && rv_json_set_int(object, "v", 1) != RV_OK) {
		json_decref(object);
		object = NULL;
	}
	return object;
}

int rv_cli_json(struct rv_cli *cli, json_t *object)
{
	struct rv_buf buf;
	int err = RV_E_NOMEM;

	rv_buf_init(&buf);
	if (object)
		err = rv_json_dump(object, cli->out.tty, &buf);
	if (!err)
		(void)printf("%s\n", rv_buf_text(&buf));
	rv_buf_fini(&buf);
	json_decref(object);
	return err ? rv_cli_fail(cli, err) : 0;
}
