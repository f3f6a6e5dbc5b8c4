/*
 * reeve config check, show, explain: the configuration as reeved would read it.  Opens no store.
 */
#include "cli.h"

#include "base/buf.h"
#include "conf/conf.h"
#include "conf/doc.h"
#include "os/cgroup.h"
#include "os/module.h"
#include "os/user.h"
#include "verb.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char **overrides_of(const struct rv_args *args)
{
	const char **list = calloc(args->ngiven + 1, sizeof(*list));
	size_t at = 0;
	size_t n = 0;
	const char *value;

	while (list && (value = rv_args_next(args, RV_OPT_SET, &at)) != NULL)
		list[n++] = value;
	return list;
}

static int print_check(struct rv_cli *cli, const char *file, const struct rv_conf_errors *errors)
{
	json_t *object;

	if (!cli->json) {
		for (size_t i = 0; i < errors->count; i++)
			(void)printf("%s: %s%s\n", errors->items[i].where,
				     errors->items[i].warning ? "warning: " : "",
				     errors->items[i].text);
		if (errors->nerrors == 0)
			(void)printf("%s: the configuration is good\n",
				     file ? file : "no file (built-in defaults)");
		return 0;
	}
	object = rv_cli_object();
	if (object && (rv_json_set_bool(object, "ok", errors->nerrors == 0) ||
		       rv_json_set_text(object, "file", file) ||
		       rv_json_set_new(object, "findings", rv_cli_findings(errors, true)))) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(cli, object);
}

int rv_verb_config_check(struct rv_cli *cli)
{
	const char **overrides = overrides_of(&cli->args);
	struct rv_conf_errors errors;
	struct rv_conf *conf = NULL;
	char *file = NULL;
	int code;
	int err = overrides ? RV_OK : RV_E_NOMEM;

	rv_conf_errors_init(&errors);
	if (!err)
		err = rv_conf_find_file(rv_args_value(&cli->args, RV_OPT_CONFIG), environ, &file);
	if (err == RV_OK || err == RV_E_NOTFOUND) {
		struct rv_conf_source from = {
			.file = file,
			.overrides = overrides,
			.environment = environ,
			.look = rv_module_check,
			.limits = rv_cgroup_has,
			.as = rv_user_is_root() ? RV_CONF_AS_OWNER : RV_CONF_AS_NOT_ROOT,
		};

		err = rv_conf_load(&from, &conf, &errors);
	}
	if (err && err != RV_E_CONF) {
		code = rv_cli_fail(cli, err);
	} else {
		code = print_check(cli, file, &errors);
		code = code ? code : rv_err_exit(err);
	}
	rv_conf_free(conf);
	rv_conf_errors_fini(&errors);
	free(overrides);
	free(file);
	return code;
}

/* {"key":text}: what is text for people stays text in JSON. */
static int print_text(struct rv_cli *cli, const char *key, const struct rv_buf *buf)
{
	json_t *object;

	if (!cli->json) {
		(void)fwrite(rv_buf_text(buf), 1, buf->size, stdout);
		return 0;
	}
	object = rv_cli_object();
	if (object && rv_json_set_text(object, key, rv_buf_text(buf)) != RV_OK) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(cli, object);
}

int rv_verb_config_show(struct rv_cli *cli)
{
	struct rv_buf buf;
	int code;
	int err = rv_cli_load(cli);

	if (err)
		return rv_cli_fail(cli, err);
	rv_buf_init(&buf);
	err = rv_conf_dump(cli->client.conf, cli->json ? RV_CONF_DUMP_PLAIN : RV_CONF_DUMP_ORIGINS,
			   &buf);
	code = err ? rv_cli_fail(cli, err) : print_text(cli, "ini", &buf);
	rv_buf_fini(&buf);
	return code;
}

int rv_verb_config_explain(struct rv_cli *cli)
{
	struct rv_buf buf;
	int code;
	int err;

	rv_buf_init(&buf);
	err = rv_conf_explain(cli->args.words[0], &buf, &cli->why);
	code = err ? rv_cli_fail(cli, err) : print_text(cli, "text", &buf);
	rv_buf_fini(&buf);
	return code;
}
