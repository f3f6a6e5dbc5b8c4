/*
 * A job to be, from the command line.  Runs in the CLI; reads all its input here, before any
 * transaction begins.
 */
#include "newjob.h"

#include "base/buf.h"
#include "base/fmt.h"
#include "base/seam.h"
#include "client/nest.h"
#include "conf/env.h"
#include "os/fd.h"
#include "wire/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AFTER_MAX 1000

static const char *value_of(const struct rv_newjob *new, enum rv_opt opt)
{
	return rv_args_value(new->args, opt);
}

static int take_numbers(struct rv_newjob *new)
{
	const struct rv_args *args = new->args;
	struct rv_why *why = new->why;
	int64_t priority = -1;
	int64_t attempts = 0;
	int64_t weight = 0;
	int err = rv_args_int(args, RV_OPT_PRIORITY, 0, RV_PRIORITY_MAX, &priority, why);

	if (!err)
		err = rv_args_int(args, RV_OPT_ATTEMPTS, 1, 1000000, &attempts, why);
	if (!err)
		err = rv_args_int(args, RV_OPT_WEIGHT, 1, RV_WEIGHT_MAX, &weight, why);
	if (!err)
		err = rv_args_duration(args, RV_OPT_TIMEOUT, &new->job.timeout_us, why);
	if (!err)
		err = rv_args_duration(args, RV_OPT_TTL, &new->job.ttl_us, why);
	new->job.priority = (int)priority;
	if (!err)
		err = rv_args_int(new->args, RV_OPT_BATCH, 1, INT64_MAX, &new->job.batch, why);
	new->job.weight = (int)weight;
	new->job.max_attempts = (int)attempts;
	return err;
}

int rv_newjob_parent(const struct rv_args *args, int64_t *ret_parent, struct rv_why *why)
{
	const char *text = rv_args_value(args, RV_OPT_PARENT);
	int err;

	if (!text)
		return RV_OK;
	if (strcmp(text, "none") == 0) {
		*ret_parent = RV_PARENT_NONE;
		return RV_OK;
	}
	err = rv_args_id(text, ret_parent, why);
	return err ? rv_wrap(why, err, "--parent") : RV_OK;
}

static int take_time(struct rv_newjob *new)
{
	const char *at = value_of(new, RV_OPT_AT);
	const char *deadline = value_of(new, RV_OPT_DEADLINE);
	int64_t now_us = rv_wall_us();
	int64_t delay_us = 0;
	int err = rv_args_duration(new->args, RV_OPT_DELAY, &delay_us, new->why);

	if (err)
		return err;
	if (at && value_of(new, RV_OPT_DELAY))
		return rv_fail(new->why, RV_E_USAGE, "--at and --delay do not go together");
	if (delay_us > 0 && __builtin_add_overflow(now_us, delay_us, &new->job.run_at_us))
		return rv_fail(new->why, RV_E_USAGE, "--delay is too long");
	if (at && rv_parse_time(at, now_us, &new->job.run_at_us) != RV_OK)
		return rv_fail(new->why, RV_E_USAGE,
			       "--at %s: not a time such as 2026-11-21T20:21:32Z, 20:21 or +5m",
			       at);
	if (deadline && rv_parse_time(deadline, now_us, &new->job.deadline_us) != RV_OK)
		return rv_fail(new->why, RV_E_USAGE,
			       "--deadline %s: not a time such as 2026-11-21T20:21:32Z, 20:21 or "
			       "+5m",
			       deadline);
	return RV_OK;
}

/* "17,18" into ids; each --after adds to them. */
static int take_after(struct rv_newjob *new)
{
	size_t at = 0;
	const char *list;
	int64_t *ids;

	if (!value_of(new, RV_OPT_AFTER))
		return RV_OK;
	ids = rv_arena_alloc(new->arena, AFTER_MAX * sizeof(*ids));
	if (!ids)
		return RV_E_NOMEM;
	new->job.after = ids;
	while ((list = rv_args_next(new->args, RV_OPT_AFTER, &at)) != NULL) {
		char *copy = rv_arena_strdup(new->arena, list);
		char *rest = copy;
		char *id;

		if (!copy)
			return RV_E_NOMEM;
		while ((id = strsep(&rest, ",")) != NULL) {
			if (new->job.nafter == AFTER_MAX)
				return rv_fail(new->why, RV_E_TOOBIG, "--after: more than %d jobs",
					       AFTER_MAX);
			int err = rv_args_id(id, &ids[new->job.nafter++], new->why);
			if (err)
				return rv_wrap(new->why, err, "--after");
		}
	}
	return RV_OK;
}

/* One list of all that were named; the store knows which there are. */
static int take_resources(struct rv_newjob *new)
{
	struct rv_buf list;
	size_t at = 0;
	const char *item;
	int err = RV_OK;

	if (!value_of(new, RV_OPT_RESOURCE))
		return RV_OK;
	rv_buf_init(&list);
	while (!err && (item = rv_args_next(new->args, RV_OPT_RESOURCE, &at)) != NULL)
		err = rv_buf_printf(&list, "%s%s", list.size > 0 ? "," : "", item);
	if (!err) {
		new->job.takes = rv_arena_strdup(new->arena, rv_buf_text(&list));
		err = new->job.takes ? RV_OK : RV_E_NOMEM;
	}
	rv_buf_fini(&list);
	return err;
}

int rv_newjob_labels(struct rv_newjob *new)
{
	RV_AUTO(rv_json_free) json_t *labels = json_array();
	struct rv_buf buf;
	size_t at = 0;
	const char *label;
	int err = labels ? RV_OK : RV_E_NOMEM;

	if (!value_of(new, RV_OPT_LABEL))
		return err;
	while (!err && (label = rv_args_next(new->args, RV_OPT_LABEL, &at)) != NULL) {
		json_t *text;

		err = rv_newjob_label(new, "--label", label);
		if (!err)
			err = rv_newjob_string(new, "the label", label, strlen(label), &text);
		if (!err && json_array_append_new(labels, text) != 0)
			err = RV_E_NOMEM;
	}
	rv_buf_init(&buf);
	if (!err)
		err = rv_json_dump(labels, false, &buf);
	if (!err) {
		new->job.labels = rv_arena_strdup(new->arena, rv_buf_text(&buf));
		err = new->job.labels ? RV_OK : RV_E_NOMEM;
	}
	rv_buf_fini(&buf);
	return err;
}

/* A member: the same one twice is a slip. */
static int put_meta(struct rv_newjob *new, json_t *meta, const char *name, json_t *value)
{
	if (json_object_get(meta, name)) {
		json_decref(value);
		return rv_fail(new->why, RV_E_USAGE, "--meta: %s is given twice", name);
	}
	return json_object_set_new(meta, name, value) == 0 ? RV_OK : RV_E_NOMEM;
}

static int put_meta_object(struct rv_newjob *new, json_t *meta, const char *text)
{
	RV_AUTO(rv_json_free) json_t *object = NULL;
	const char *name;
	json_t *value;
	int err = rv_json_parse(text, strlen(text), RV_META_MAX, &object, new->why);

	if (err)
		return rv_wrap(new->why, err, "--meta");
	json_object_foreach(object, name, value)
	{
		err = put_meta(new, meta, name, json_incref(value));
		if (err)
			return err;
	}
	return RV_OK;
}

static int put_meta_pair(struct rv_newjob *new, json_t *meta, const char *pair)
{
	const char *equals = strchr(pair, '=');
	json_t *value;
	char *name;
	int err;

	if (!equals || equals == pair)
		return rv_fail(new->why, RV_E_USAGE,
			       "--meta %s: expected NAME=VALUE or a JSON object", pair);
	name = rv_arena_memdup(new->arena, pair, (size_t)(equals - pair));
	if (!name)
		return RV_E_NOMEM;
	err = rv_newjob_string(new, name, name, strlen(name), &value);
	if (err)
		return err;
	json_decref(value); /* a name that is UTF-8 */
	err = rv_newjob_string(new, name, equals + 1, strlen(equals + 1), &value);
	return err ? err : put_meta(new, meta, name, value);
}

static int take_meta(struct rv_newjob *new)
{
	RV_AUTO(rv_json_free) json_t *meta = json_object();
	size_t at = 0;
	size_t size;
	const char *text;
	int err = meta ? RV_OK : RV_E_NOMEM;

	while (!err && (text = rv_args_next(new->args, RV_OPT_META, &at)) != NULL)
		err = *text == '{' ? put_meta_object(new, meta, text)
				   : put_meta_pair(new, meta, text);
	if (err || json_object_size(meta) == 0)
		return err;
	return rv_newjob_keep(new, meta, &new->job.meta, &size);
}

/* The payload, byte for byte: any file or pipe, ≤ RV_PAYLOAD_MAX. */
static int take_stdin(struct rv_newjob *new)
{
	const char *path = value_of(new, RV_OPT_STDIN);
	struct rv_why *why = new->why;
	struct rv_buf buf;
	int fd = STDIN_FILENO;
	int err;

	if (!path)
		return RV_OK;
	if (strcmp(path, "-") != 0 && (fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) < 0)
		return rv_fail(why, errno == ENOENT ? RV_E_NOTFOUND : rv_err_from_errno(errno),
			       "cannot read %s: %s", path, strerror(errno));
	rv_buf_init(&buf);
	err = rv_fd_read_buf(fd, RV_PAYLOAD_MAX, &buf);
	if (err == RV_E_TOOBIG)
		(void)rv_fail(why, err, "%s: more than 16 MiB", path);
	else if (err)
		(void)rv_fail(why, err, "cannot read %s", path);
	if (!err) {
		new->job.payload = rv_arena_memdup(new->arena, rv_buf_text(&buf), buf.size);
		new->job.payload_size = buf.size;
		err = new->job.payload ? RV_OK : RV_E_NOMEM;
	}
	rv_buf_fini(&buf);
	if (fd != STDIN_FILENO)
		rv_fd_close(&fd);
	return err;
}

static int take_env(struct rv_newjob *new, json_t *env)
{
	size_t at = 0;
	const char *text;
	int err = RV_OK;

	while (!err && (text = rv_args_next(new->args, RV_OPT_PASS_ENV, &at)) != NULL) {
		const char *value = getenv(text);
		const char *pair = rv_arena_printf(new->arena, "%s=%s", text, value ? value : "");

		if (!pair)
			return RV_E_NOMEM;
		if (value)
			err = rv_newjob_pair(new, env, pair, true);
		else
			err = rv_env_name_check(text, strlen(text), new->why);
	}
	at = 0;
	while (!err && (text = rv_args_next(new->args, RV_OPT_ENV, &at)) != NULL)
		err = rv_newjob_pair(new, env, text, true);
	return err;
}

static int take_command(struct rv_newjob *new)
{
	RV_AUTO(rv_json_free) json_t *command = json_array();
	RV_AUTO(rv_json_free) json_t *env = json_object();
	const struct rv_args *args = new->args;
	int err = command && env ? RV_OK : RV_E_NOMEM;

	for (size_t i = 0; !err && i < args->ncommand; i++) {
		json_t *word;

		err = rv_newjob_string(new, "the command", args->command[i],
				       strlen(args->command[i]), &word);
		if (!err && json_array_append_new(command, word) != 0)
			err = RV_E_NOMEM;
	}
	if (!err)
		err = take_env(new, env);
	if (err)
		return err;
	return rv_newjob_command_spec(new, command, value_of(new, RV_OPT_CHDIR), env);
}

static int take_task(struct rv_newjob *new)
{
	RV_AUTO(rv_json_free) json_t *args = json_object();
	const struct rv_args *given = new->args;
	int err = args ? RV_OK : RV_E_NOMEM;

	new->job.task = given->words[0];
	if (!*new->job.task)
		return rv_fail(new->why, RV_E_USAGE, "the task's name is empty");
	for (size_t i = 1; !err && i < given->nwords; i++)
		err = rv_newjob_pair(new, args, given->words[i], false);
	return err ? err : rv_newjob_task_spec(new, args);
}

void rv_newjob_init(struct rv_newjob *new, struct rv_cli *cli, struct rv_arena *arena)
{
	*new = (struct rv_newjob){.conf = cli->client.conf,
				  .store_path = cli->client.store_path,
				  .args = &cli->args,
				  .why = &cli->why,
				  .arena = arena};
}

int rv_newjob_from_args(struct rv_newjob *new)
{
	int err;

	memset(&new->job, 0, sizeof(new->job));
	new->job.queue = value_of(new, RV_OPT_QUEUE);
	new->job.unique_key = value_of(new, RV_OPT_UNIQUE);
	new->job.idem_key = value_of(new, RV_OPT_IDEMPOTENCY);
	new->job.key = value_of(new, RV_OPT_KEY);
	new->job.uid = getuid();
	err = take_numbers(new);
	if (!err)
		err = rv_newjob_parent(new->args, &new->job.parent, new->why);
	if (!err)
		err = take_time(new);
	if (!err)
		err = take_after(new);
	if (!err)
		err = rv_newjob_admit(new, value_of(new, RV_OPT_UNTIL),
				      value_of(new, RV_OPT_ON_CONFLICT), value_of(new, RV_OPT_ON),
				      true);
	if (!err)
		err = rv_newjob_labels(new);
	if (!err)
		err = take_meta(new);
	if (!err)
		err = take_resources(new);
	if (!err)
		err = new->args->command ? take_command(new) : take_task(new);
	return err ? err : take_stdin(new);
}
