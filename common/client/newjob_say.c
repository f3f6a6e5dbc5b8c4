/*
 * A job to be as the object that a line of JSON is: the way back of newjob_json.c.  Runs in who
 * hands jobs to the daemon.  Must never change what it says: what JSON cannot hold is refused.
 */
#include "client/newjob.h"

#include "base/base64.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/fmt.h"
#include "base/seam.h"
#include "core/admit.h"
#include "core/job.h"
#include "wire/json.h"

#include <string.h>

#define PART_MAX (2U << 20)               /* of text: a spec is at most 1 MiB */
#define LAST_US  (253402300800 * RV_S_US) /* no time of ours is written with the year 10000 */

static int set_text(json_t *line, const char *name, const char *text)
{
	json_t *value;

	if (!text)
		return RV_OK;
	value = json_string(text);
	return value ? rv_json_set_new(line, name, value) : RV_E_PARSE; /* no UTF-8 */
}

/* 0: not said. */
static int set_int(json_t *line, const char *name, int64_t value)
{
	return value == 0 ? RV_OK : rv_json_set_int(line, name, value);
}

static int set_duration(json_t *line, const char *name, int64_t us)
{
	char text[RV_FMT_SPACE];

	return us == 0 ? RV_OK : set_text(line, name, rv_fmt_duration(text, us));
}

/* ${text} is JSON; without a name its members are the line's. */
static int set_parsed(json_t *line, const char *name, const char *text)
{
	RV_AUTO(rv_json_free) json_t *value = NULL;
	int err = text ? rv_json_parse(text, strlen(text), PART_MAX, &value, NULL) : RV_OK;

	if (err || !text)
		return err;
	if (name)
		return rv_json_set_new(line, name, RV_TAKE(value));
	return json_object_update(line, value) == 0 ? RV_OK : RV_E_PARSE;
}

static int set_payload(json_t *line, const struct rv_job_new *job)
{
	struct rv_buf coded;
	json_t *text;
	int err;

	if (job->payload_size == 0)
		return RV_OK;
	text = json_stringn(job->payload, job->payload_size);
	if (text)
		return rv_json_set_new(line, "payload", text);
	rv_buf_init(&coded);
	err = rv_base64_add(&coded, job->payload, job->payload_size);
	if (!err)
		err = set_text(line, "payload_base64", rv_buf_text(&coded));
	rv_buf_fini(&coded);
	return err;
}

static int set_after(json_t *line, const struct rv_job_new *job)
{
	json_t *list;

	if (job->nafter == 0)
		return RV_OK;
	list = json_array();
	if (!list || json_object_set_new(line, "after", list) != 0)
		return RV_E_NOMEM;
	for (size_t i = 0; i < job->nafter; i++) {
		if (json_array_append_new(list, json_integer(job->after[i])) != 0)
			return RV_E_NOMEM;
	}
	return set_text(line, "on", rv_admit_after_name(job->on));
}

static int set_unique(json_t *line, const struct rv_job_new *job)
{
	char text[RV_FMT_SPACE];
	int err = set_text(line, "unique", job->unique_key);

	if (err || !job->unique_key || !*job->unique_key)
		return err;
	err = set_text(line, "until", rv_job_until_name(text, job->until_us));
	return err ? err : set_text(line, "on_conflict", rv_admit_on_held_name(job->on_held));
}

static int set_time(json_t *line, const char *name, int64_t wall_us)
{
	if (wall_us == 0)
		return RV_OK;
	return wall_us > 0 && wall_us < LAST_US ? rv_json_set_time(line, name, wall_us)
						: RV_E_PARSE;
}

static int set_numbers(json_t *line, const struct rv_job_new *job)
{
	int err = job->priority < 0 ? RV_OK : rv_json_set_int(line, "priority", job->priority);

	if (!err)
		err = set_int(line, "max_attempts", job->max_attempts);
	if (!err)
		err = set_int(line, "weight", job->weight);
	if (!err)
		err = set_int(line, "batch", job->batch);
	if (!err && job->parent > 0)
		err = rv_json_set_int(line, "parent", job->parent);
	if (!err)
		err = set_duration(line, "timeout", job->timeout_us);
	if (!err)
		err = set_duration(line, "ttl", job->ttl_us);
	if (!err)
		err = set_time(line, "at", job->run_at_us);
	return err ? err : set_time(line, "deadline", job->deadline_us);
}

int rv_newjob_say(const struct rv_job_new *job, json_t **ret_object)
{
	RV_AUTO(rv_json_free) json_t *line = json_object();
	int err = line ? RV_OK : RV_E_NOMEM;

	PRE(job->task);
	if (!err && strcmp(job->task, RV_TASK_ADHOC) != 0)
		err = set_text(line, "task", job->task);
	if (!err)
		err = set_parsed(line, NULL, job->spec);
	if (!err)
		err = set_text(line, "queue", job->queue);
	if (!err)
		err = set_text(line, "key", job->key);
	if (!err)
		err = set_text(line, "idempotency_key", job->idem_key);
	if (!err)
		err = set_text(line, "resources", job->takes);
	if (!err)
		err = set_parsed(line, "labels", job->labels);
	if (!err)
		err = set_parsed(line, "meta", job->meta);
	if (!err)
		err = set_numbers(line, job);
	if (!err)
		err = set_unique(line, job);
	if (!err)
		err = set_after(line, job);
	if (!err)
		err = set_payload(line, job);
	if (!err)
		*ret_object = RV_TAKE(line);
	return err;
}
