/*
 * A job to be, from a line of JSON (add --from-file).  Runs in the CLI, the library and the keeper.
 * Strict: what it does not know is an error, so that a misspelt field is not silently ignored for
 * ten thousand jobs.
 */
#include "client/newjob.h"

#include "base/base64.h"
#include "base/buf.h"
#include "base/fmt.h"
#include "base/seam.h"
#include "client/nest.h"
#include "wire/json.h"

#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES (128U << 20) /* 16 MiB of payload, each byte as \u00XX, and a spec */

static const char *const fields[] = {
	"task",         "args",        "command",
	"cwd",          "env",         "queue",
	"priority",     "payload",     "delay",
	"at",           "after",       "labels",
	"meta",         "key",         "idempotency_key",
	"unique",       "timeout",     "ttl",
	"max_attempts", "weight",      "deadline",
	"resources",    "dead",        "payload_base64",
	"until",        "on_conflict", "on",
	"batch",        "parent",
};

/* Absent is fine. */
static int optional(int err)
{
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

/* Copied: the line's JSON is gone before the block is enqueued. */
static int get_text(struct rv_newjob *new, const json_t *line, const char *name, const char **ret)
{
	const char *text;
	int err = rv_json_get_text(line, name, &text, new->why);

	if (err)
		return optional(err);
	*ret = rv_arena_strdup(new->arena, text);
	return *ret ? RV_OK : RV_E_NOMEM;
}

static int get_int(struct rv_newjob *new, const json_t *line, const char *name, int64_t max,
		   int64_t *ret)
{
	int err = rv_json_get_int(line, name, ret, new->why);

	if (!err && (*ret < 0 || *ret > max))
		return rv_fail(new->why, RV_E_USAGE, "%s: not a number from 0 to %lld", name,
			       (long long)max);
	return optional(err);
}

static int get_duration(struct rv_newjob *new, const json_t *line, const char *name,
			int64_t *ret_us)
{
	const char *text = NULL;
	int err = get_text(new, line, name, &text);

	if (!err && text && rv_parse_duration(text, ret_us) != RV_OK)
		return rv_fail(new->why, RV_E_USAGE,
			       "%s: \"%s\" is not a duration such as 250ms or 1h30m", name, text);
	return err;
}

static int get_numbers(struct rv_newjob *new, const json_t *line)
{
	int64_t priority = -1;
	int64_t attempts = 0;
	int64_t weight = 0;
	int err = get_int(new, line, "priority", RV_PRIORITY_MAX, &priority);

	if (!err)
		err = get_int(new, line, "max_attempts", 1000000, &attempts);
	if (!err)
		err = get_int(new, line, "weight", RV_WEIGHT_MAX, &weight);
	if (!err)
		err = get_int(new, line, "batch", INT64_MAX, &new->job.batch);
	if (!err)
		err = get_int(new, line, "parent", INT64_MAX, &new->job.parent);
	if (!err && new->job.parent == 0 && json_object_get(line, "parent"))
		new->job.parent = RV_PARENT_NONE;
	if (!err)
		err = get_duration(new, line, "timeout", &new->job.timeout_us);
	if (!err)
		err = get_duration(new, line, "ttl", &new->job.ttl_us);
	new->job.priority = (int)priority;
	new->job.weight = (int)weight;
	new->job.max_attempts = (int)attempts;
	return err;
}

static int get_time(struct rv_newjob *new, const json_t *line)
{
	struct rv_why *why = new->why;
	const char *at = NULL;
	const char *deadline = NULL;
	int64_t delay_us = 0;
	int64_t now_us = rv_wall_us();
	int err = get_duration(new, line, "delay", &delay_us);

	if (!err)
		err = get_text(new, line, "at", &at);
	if (!err)
		err = get_text(new, line, "deadline", &deadline);
	if (err)
		return err;
	if (at && delay_us > 0)
		return rv_fail(why, RV_E_USAGE, "at and delay do not go together");
	if (delay_us > 0 && __builtin_add_overflow(now_us, delay_us, &new->job.run_at_us))
		return rv_fail(why, RV_E_USAGE, "delay: too long");
	if (at && rv_parse_time(at, now_us, &new->job.run_at_us) != RV_OK)
		return rv_fail(why, RV_E_USAGE, "at: \"%s\" is not a time", at);
	if (deadline && rv_parse_time(deadline, now_us, &new->job.deadline_us) != RV_OK)
		return rv_fail(why, RV_E_USAGE, "deadline: \"%s\" is not a time", deadline);
	return RV_OK;
}

static int get_after(struct rv_newjob *new, const json_t *line)
{
	json_t *list;
	const json_t *item;
	size_t i;
	int64_t *ids;
	int err = rv_json_get_array(line, "after", &list, new->why);

	if (err || json_array_size(list) == 0)
		return optional(err);
	ids = rv_arena_alloc(new->arena, json_array_size(list) * sizeof(*ids));
	if (!ids)
		return RV_E_NOMEM;
	json_array_foreach(list, i, item)
	{
		ids[i] = json_integer_value(item);
		if (ids[i] <= 0)
			return rv_fail(new->why, RV_E_USAGE, "after: not a list of ids");
	}
	new->job.after = ids;
	new->job.nafter = json_array_size(list);
	return RV_OK;
}

static int get_admission(struct rv_newjob *new, const json_t *line)
{
	const char *until = NULL;
	const char *on_conflict = NULL;
	const char *on = NULL;
	int err = get_text(new, line, "until", &until);

	if (!err)
		err = get_text(new, line, "on_conflict", &on_conflict);
	if (!err)
		err = get_text(new, line, "on", &on);
	return err ? err : rv_newjob_admit(new, until, on_conflict, on, false);
}

static int get_labels(struct rv_newjob *new, const json_t *line)
{
	json_t *list;
	const json_t *item;
	size_t size;
	size_t i;
	int err = rv_json_get_array(line, "labels", &list, new->why);

	if (err)
		return optional(err);
	json_array_foreach(list, i, item)
	{
		if (!json_is_string(item))
			return rv_fail(new->why, RV_E_USAGE, "labels: not a list of texts");
		err = rv_newjob_label(new, "labels", json_string_value(item));
		if (err)
			return err;
	}
	return rv_newjob_keep(new, list, &new->job.labels, &size);
}

static int get_meta(struct rv_newjob *new, const json_t *line)
{
	json_t *meta;
	size_t size;
	int err = rv_json_get_object(line, "meta", &meta, new->why);

	return err ? optional(err) : rv_newjob_keep(new, meta, &new->job.meta, &size);
}

/* What is no text: as dlq export writes it. */
static int get_base64(struct rv_newjob *new, const json_t *line)
{
	const char *text = NULL;
	char *data;
	int err = rv_json_get_text(line, "payload_base64", &text, new->why);

	if (err)
		return optional(err);
	if (json_object_get(line, "payload"))
		return rv_fail(new->why, RV_E_USAGE,
			       "payload and payload_base64 do not go together");
	if (strlen(text) > RV_PAYLOAD_MAX / 3 * 4 + 4)
		return rv_fail(new->why, RV_E_TOOBIG, "payload: more than 16 MiB");
	data = rv_arena_memdup(new->arena, text, strlen(text) + 1);
	if (!data)
		return RV_E_NOMEM;
	if (rv_base64_read(text, strlen(text), data, &new->job.payload_size) != RV_OK)
		return rv_fail(new->why, RV_E_USAGE, "payload_base64: this is no base64");
	new->job.payload = data;
	return RV_OK;
}

/* A text is its bytes; any other JSON is its compact text. */
static int get_payload(struct rv_newjob *new, const json_t *line)
{
	const json_t *payload = json_object_get(line, "payload");
	const char *data = NULL;
	int err = RV_OK;

	if (!payload || json_is_null(payload))
		return RV_OK;
	if (json_is_string(payload)) {
		new->job.payload_size = json_string_length(payload);
		data = rv_arena_memdup(new->arena, json_string_value(payload),
				       new->job.payload_size);
		err = data ? RV_OK : RV_E_NOMEM;
	} else {
		err = rv_newjob_keep(new, payload, &data, &new->job.payload_size);
	}
	if (!err && new->job.payload_size > RV_PAYLOAD_MAX)
		return rv_fail(new->why, RV_E_TOOBIG, "payload: more than 16 MiB");
	new->job.payload = data;
	return err;
}

/* Values become text: numbers and booleans as JSON writes them.  A new object. */
static int texts_of(struct rv_newjob *new, const json_t *line, const char *name, json_t **ret)
{
	json_t *from = NULL;
	const char *key;
	json_t *value;
	int err = optional(rv_json_get_object(line, name, &from, new->why));

	*ret = json_object();
	if (!*ret)
		return RV_E_NOMEM;
	if (err || !from)
		return err;
	json_object_foreach(from, key, value)
	{
		json_t *text = NULL;

		if (json_is_string(value)) {
			text = json_incref(value);
		} else if (json_is_number(value) || json_is_boolean(value)) {
			const char *dump = NULL;
			size_t size;

			err = rv_newjob_keep(new, value, &dump, &size);
			text = err ? NULL : json_stringn(dump, size);
		} else {
			return rv_fail(new->why, RV_E_USAGE, "%s: %s is not a text", name, key);
		}
		if (json_string_value(text) &&
		    strlen(json_string_value(text)) != json_string_length(text)) {
			json_decref(text);
			return rv_fail(new->why, RV_E_USAGE, "%s: %s has a NUL in it", name, key);
		}
		if (json_object_set_new(*ret, key, text) != 0)
			return err ? err : RV_E_NOMEM;
	}
	return RV_OK;
}

static int get_command(struct rv_newjob *new, const json_t *line, json_t *command)
{
	RV_AUTO(rv_json_free) json_t *env = NULL;
	const char *cwd = NULL;
	const json_t *word;
	size_t i;
	int err = texts_of(new, line, "env", &env);

	if (!err)
		err = get_text(new, line, "cwd", &cwd);
	if (err)
		return err;
	if (json_object_get(line, "args"))
		return rv_fail(new->why, RV_E_USAGE, "args and command do not go together");
	json_array_foreach(command, i, word)
	{
		const char *text = json_string_value(word);

		if (!text || strlen(text) != json_string_length(word))
			return rv_fail(new->why, RV_E_USAGE, "command: not a list of texts");
	}
	return rv_newjob_command_spec(new, command, cwd, env);
}

static int get_work(struct rv_newjob *new, const json_t *line)
{
	RV_AUTO(rv_json_free) json_t *args = NULL;
	json_t *command = NULL;
	int err = rv_json_get_array(line, "command", &command, new->why);

	if (optional(err))
		return err;
	err = get_text(new, line, "task", &new->job.task);
	if (err)
		return err;
	if (!command == !new->job.task)
		return rv_fail(new->why, RV_E_USAGE, "either task or command is needed");
	if (command)
		return get_command(new, line, command);
	if (!*new->job.task || json_object_get(line, "cwd") || json_object_get(line, "env"))
		return rv_fail(new->why, RV_E_USAGE, "task: %s",
			       *new->job.task ? "cwd and env are for commands" : "empty");
	err = texts_of(new, line, "args", &args);
	return err ? err : rv_newjob_task_spec(new, args);
}

static int get_texts(struct rv_newjob *new, const json_t *line)
{
	int err = get_text(new, line, "queue", &new->job.queue);

	if (!err)
		err = get_text(new, line, "unique", &new->job.unique_key);
	if (!err)
		err = get_text(new, line, "idempotency_key", &new->job.idem_key);
	if (!err)
		err = get_text(new, line, "key", &new->job.key);
	if (!err)
		err = get_text(new, line, "resources", &new->job.takes);
	return err;
}

int rv_newjob_from_object(struct rv_newjob *new, const json_t *line)
{
	int err = RV_OK;

	memset(&new->job, 0, sizeof(new->job));
	new->job.uid = getuid();
	if (!json_is_object(line))
		err = rv_fail(new->why, RV_E_USAGE, "not a JSON object");
	if (!err)
		err = rv_json_only(line, fields, RV_ARRAY_LEN(fields), new->why);
	if (!err)
		err = get_numbers(new, line);
	if (!err)
		err = get_time(new, line);
	if (!err)
		err = get_texts(new, line);
	if (!err)
		err = get_after(new, line);
	if (!err)
		err = get_admission(new, line);
	if (!err)
		err = get_labels(new, line);
	if (!err)
		err = get_meta(new, line);
	if (!err)
		err = get_payload(new, line);
	if (!err)
		err = get_base64(new, line);
	return err ? err : get_work(new, line);
}

int rv_newjob_from_json(struct rv_newjob *new, const char *text, size_t size)
{
	RV_AUTO(rv_json_free) json_t *line = NULL;
	int err = rv_json_parse(text, size, LINE_MAX_BYTES, &line, new->why);

	return err ? err : rv_newjob_from_object(new, line);
}
