/*
 * --dry-run of add and run: what would be run, by whom, within which limits.  Runs in the CLI.
 * Looks at the configuration alone; stores nothing, opens no store.
 * (Wider than it should be: it is where a job to be, the configuration and their words meet.)
 */
#include "enqueue.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/near.h"
#include "conf/conf.h"
#include "conf/words.h"
#include "newjob.h"
#include "verb.h"
#include "view.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

/* Of a task's keys those that say how its process is run; empty ones are not shown. */
static const char *const shown[] = {
	"handler",       "user",         "group",        "cwd",         "umask",
	"timeout",       "soft_timeout", "idle_timeout", "stop_signal", "kill_after",
	"max_attempts",  "backoff",      "nice",         "ionice",      "cpus",
	"oom_score_adj", "no_new_privs", "private_tmp",  "limit_as",    "limit_cpu",
	"limit_nofile",  "limit_nproc",  "limit_fsize",  "limit_core",  "memory_max",
	"cpu_max",       "pids_max",     "output_max",   "state_max"};

struct dry {
	struct rv_cli *cli;
	const struct rv_job_new *job;
	const struct rv_conf_task *task; /* of a command the defaults */
	json_t *object;                  /* owned */
	json_t *settings, *argv, *pools; /* in it */
};

static bool is_shown(const char *key, size_t size)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(shown); i++) {
		if (strlen(shown[i]) == size && memcmp(shown[i], key, size) == 0)
			return true;
	}
	return false;
}

/* "key = value" of the configuration's own text. */
static int take_setting(struct dry *dry, const char *line, size_t size)
{
	const char *equals = memmem(line, size, " = ", 3);
	char key[64];
	size_t name = equals ? (size_t)(equals - line) : 0;

	if (!equals || name >= sizeof(key) || !is_shown(line, name))
		return RV_OK;
	memcpy(key, line, name);
	key[name] = '\0';
	return rv_json_set_new(dry->settings, key, json_stringn(equals + 3, size - name - 3));
}

/* The section of the task in the configuration as it is in force. */
static int settings_of(struct dry *dry)
{
	const char *name = dry->task->name;
	char head[RV_NAME_MAX + 16];
	struct rv_buf text;
	const char *at;
	int err;

	(void)snprintf(head, sizeof(head), *name ? "[task:%s]\n" : "[defaults]\n", name);
	rv_buf_init(&text);
	err = rv_conf_dump(dry->cli->client.conf, RV_CONF_DUMP_PLAIN, &text);
	at = err ? NULL : strstr(rv_buf_text(&text), head);
	for (at = at ? at + strlen(head) : ""; !err && *at != '\0' && *at != '[';) {
		size_t size = strcspn(at, "\n");

		err = take_setting(dry, at, size);
		at += size + (at[size] == '\n');
	}
	rv_buf_fini(&text);
	return err;
}

static const char *look_up(void *ctx, const char *name)
{
	return json_string_value(json_object_get(ctx, name));
}

static int add_word(struct dry *dry, const char *word)
{
	return json_array_append_new(dry->argv, json_string(word)) == 0 ? RV_OK : RV_E_NOMEM;
}

/* The words that the worker will execute. */
static int argv_of(struct dry *dry, struct rv_arena *arena)
{
	RV_AUTO(rv_json_free) json_t *spec = NULL;
	const struct rv_conf_task *task = dry->task;
	char **argv = NULL;
	int err = rv_json_parse(dry->job->spec, strlen(dry->job->spec), 2U << 20, &spec,
				&dry->cli->why);

	if (err || !*task->name) /* a command of one's own */
		return err ? err
		       : json_array_extend(dry->argv, json_object_get(spec, "command")) == 0
			       ? RV_OK
			       : RV_E_NOMEM;
	if (!task->command)
		return RV_OK;
	if (task->shell) {
		err = add_word(dry, "/bin/sh");
		err = err ? err : add_word(dry, "-c");
		return err ? err : add_word(dry, task->command);
	}
	err = rv_words_argv(task->command, look_up, json_object_get(spec, "args"), arena, &argv,
			    &dry->cli->why);
	for (size_t i = 0; !err && argv[i]; i++)
		err = add_word(dry, argv[i]);
	return err;
}

static int pools_of(struct dry *dry)
{
	const struct rv_conf *conf = dry->cli->client.conf;

	for (size_t p = 0; p < conf->npools; p++) {
		const struct rv_conf_list *queues = &conf->pools[p].queues;

		for (size_t q = 0; q < queues->count; q++) {
			if (strcmp(queues->items[q], dry->job->queue) == 0 &&
			    json_array_append_new(dry->pools, json_string(conf->pools[p].name)))
				return RV_E_NOMEM;
		}
	}
	return RV_OK;
}

static int make(struct dry *dry, struct rv_arena *arena)
{
	json_t *job = NULL;
	int err;

	dry->object = rv_cli_object();
	dry->settings = json_object();
	dry->argv = json_array();
	dry->pools = json_array();
	err = rv_json_set_bool(dry->object, "dry_run", true);
	if (!err)
		err = rv_newjob_say(dry->job, &job);
	if (!err)
		err = rv_json_set_new(dry->object, "job", job);
	if (!err)
		err = rv_json_set_new(dry->object, "argv", dry->argv);
	if (!err)
		err = rv_json_set_new(dry->object, "pools", dry->pools);
	if (!err)
		err = rv_json_set_new(dry->object, "settings", dry->settings);
	if (!err)
		err = argv_of(dry, arena);
	if (!err)
		err = pools_of(dry);
	return err ? err : settings_of(dry);
}

static int print_words(const struct dry *dry)
{
	struct rv_job_view view = {.task = "", .id = 1};
	const char *name;
	json_t *value;
	size_t i;
	struct rv_buf spec;
	struct rv_buf what;
	int err;

	rv_buf_init(&spec);
	rv_buf_init(&what);
	err = rv_buf_str(&spec, "{\"command\":");
	if (!err)
		err = rv_json_dump(dry->argv, false, &spec);
	if (!err)
		err = rv_buf_str(&spec, "}");
	view.spec = rv_buf_text(&spec);
	if (!err)
		err = rv_view_what(&view, &what);
	if (!err) {
		rv_out_line("task", *dry->task->name ? dry->task->name : NULL);
		rv_out_line("runs", json_array_size(dry->argv) > 0 ? rv_buf_text(&what) : NULL);
		rv_out_line("queue", dry->job->queue);
		json_array_foreach(dry->pools, i, value)
			rv_out_line("pool", json_string_value(value));
		if (!json_object_get(dry->settings, "user"))
			rv_out_line("user", "as reeved");
		json_object_foreach(dry->settings, name, value)
			rv_out_line(name, json_string_value(value));
		rv_cli_note("nothing was stored");
	}
	rv_buf_fini(&spec);
	rv_buf_fini(&what);
	return err;
}

static int unknown(struct rv_cli *cli, const char *name, struct rv_arena *arena)
{
	const struct rv_conf *conf = cli->client.conf;
	const char **names;
	const char *near;

	PRE(conf);
	names = rv_arena_alloc(arena, (conf->ntasks + 1) * sizeof(*names));
	if (!names)
		return RV_E_NOMEM;
	for (size_t i = 0; i < conf->ntasks; i++)
		names[i] = conf->tasks[i].name;
	near = rv_near(name, names, conf->ntasks);
	return rv_fail(&cli->why, RV_E_NOTFOUND, "the configuration has no task \"%s\"%s%s%s", name,
		       near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

int rv_enqueue_dry(struct rv_cli *cli)
{
	struct rv_arena arena;
	struct rv_newjob new;
	struct dry dry = {.cli = cli};
	int err = rv_cli_load(cli);
	int code;

	if (err)
		return rv_cli_fail(cli, err);
	rv_arena_init(&arena);
	rv_newjob_init(&new, cli, &arena);
	err = rv_newjob_from_args(&new);
	dry.job = &new.job;
	if (!err) {
		dry.task = cli->args.command ? &cli->client.conf->defaults
					     : rv_conf_task_find(cli->client.conf, new.job.task);
		if (!dry.task)
			err = unknown(cli, new.job.task, &arena);
	}
	if (!err && dry.task && !new.job.queue)
		new.job.queue = dry.task->queue;
	if (!err)
		err = make(&dry, &arena);
	if (!err && cli->json) {
		code = rv_cli_json(cli, json_incref(dry.object));
	} else {
		err = err ? err : print_words(&dry);
		code = err ? rv_cli_fail(cli, err) : 0;
	}
	json_decref(dry.object);
	rv_arena_reset(&arena);
	return code;
}
