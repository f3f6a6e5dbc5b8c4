/*
 * A job to be, from a row of the inbox, by way of the object that a line of JSON is.  Runs in the
 * keeper, within a transaction: must look at nothing but the row and the configuration.
 */
#include "client/newjob.h"

#include "wire/json.h"

#include <string.h>

#define OPTIONS_MAX (2U << 20) /* of text: a spec is at most 1 MiB */

static int parse(struct rv_newjob *new, const char *what, const char *text, json_t **ret)
{
	int err = RV_OK;

	if (!text)
		*ret = json_object();
	else
		err = rv_json_parse(text, strlen(text), OPTIONS_MAX, ret, new->why);
	if (err)
		return rv_wrap(new->why, err, "%s", what);
	if (!*ret)
		return RV_E_NOMEM;
	return json_is_object(*ret) ? RV_OK
				    : rv_fail(new->why, RV_E_USAGE, "%s: not an object", what);
}

static int set_text(struct rv_newjob *new, json_t *line, const char *name, const char *text)
{
	json_t *json;
	int err;

	if (!text)
		return RV_OK;
	err = rv_newjob_string(new, name, text, strlen(text), &json);
	return err ? err : rv_json_set_new(line, name, json);
}

/* What a column says, options must not say again: one of them would be ignored. */
static int check_options(struct rv_newjob *new, const json_t *line, bool of_table)
{
	static const char *const columns[] = {"task",     "args",    "queue",
					      "priority", "payload", "payload_base64"};
	size_t count = of_table ? RV_ARRAY_LEN(columns) : 2; /* the parameters of the function */

	for (size_t i = 0; i < count; i++) {
		if (json_object_get(line, columns[i]))
			return rv_fail(new->why, RV_E_USAGE, "options: %s has a place of its own",
				       columns[i]);
	}
	if (json_object_get(line, "command"))
		return rv_fail(new->why, RV_E_REFUSED,
			       "options: SQL can enqueue tasks, no commands");
	return RV_OK;
}

int rv_newjob_from_row(struct rv_newjob *new, const struct rv_inbox_row *row)
{
	RV_AUTO(rv_json_free) json_t *line = NULL;
	json_t *args = NULL;
	int err = parse(new, "options", row->options, &line);

	if (!err)
		err = check_options(new, line, row->id != 0);
	if (!err)
		err = parse(new, "args", row->args, &args);
	if (!err)
		err = rv_json_set_new(line, "args", args);
	else
		json_decref(args);
	if (!err)
		err = set_text(new, line, "task", row->task);
	if (!err)
		err = set_text(new, line, "queue", row->queue);
	if (!err && row->priority >= 0)
		err = rv_json_set_int(line, "priority", row->priority);
	if (!err)
		err = rv_newjob_from_object(new, line);
	if (!err && row->payload) {
		new->job.payload = row->payload;
		new->job.payload_size = row->payload_size;
	}
	return err;
}
