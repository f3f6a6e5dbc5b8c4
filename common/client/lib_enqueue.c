/*
 * libreeve: from what a program says to a job that is stored, by way of the same object that a line
 * of `add --from-file` is.  Runs in programs of other people.
 */
#include "client/lib.h"

#include "base/check.h"
#include "base/seam.h"
#include "client/newjob.h"
#include "client/submit.h"
#include "wire/json.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The first release's struct: shorter ones are none. */
#define NEW_SIZE (offsetof(struct reeve_new, json) + sizeof(const char *))

#define JSON_MAX (32U << 20)

void reeve_new_init(struct reeve_new *job, size_t size)
{
	if (!job || size < NEW_SIZE)
		return;
	memset(job, 0, size);
	job->size = size;
	job->priority = -1;
}

/* ${from} as this library knows it; what it does not know must not be said. */
static int take_known(const struct reeve_new *from, struct reeve_new *ret_known, struct rv_why *why)
{
	const char *bytes = (const char *)from;

	if (from->size < NEW_SIZE || from->size > 65536)
		return rv_fail(why, RV_E_USAGE,
			       "the size of struct reeve_new is not set (reeve_new_init)");
	for (size_t i = sizeof(*from); i < from->size; i++) {
		if (bytes[i] != 0)
			return rv_fail(why, RV_E_USAGE,
				       "the program asks for what this libreeve (%s) does not know",
				       RV_VERSION);
	}
	reeve_new_init(ret_known, sizeof(*ret_known));
	memcpy(ret_known, from, from->size < sizeof(*from) ? from->size : sizeof(*from));
	return RV_OK;
}

static int set_text(struct rv_newjob *new, json_t *line, const char *name, const char *text)
{
	json_t *json;
	int err;

	if (!text)
		return RV_OK;
	err = rv_newjob_string(new, name, text, strlen(text), &json);
	if (!err && json_object_set_new(line, name, json) != 0)
		err = RV_E_NOMEM;
	return err;
}

int rv_lib_texts(struct rv_newjob *new, json_t *line, const char *name, const char *const *texts)
{
	json_t *list;
	int err = RV_OK;

	if (!texts)
		return RV_OK;
	list = json_array();
	if (!list || json_object_set_new(line, name, list) != 0)
		return RV_E_NOMEM;
	for (size_t i = 0; !err && texts[i]; i++) {
		json_t *json;

		err = rv_newjob_string(new, name, texts[i], strlen(texts[i]), &json);
		if (!err && json_array_append_new(list, json) != 0)
			err = RV_E_NOMEM;
	}
	return err;
}

int rv_lib_pairs(struct rv_newjob *new, json_t *line, const char *name, const char *const *pairs)
{
	json_t *object;
	int err = RV_OK;

	if (!pairs)
		return RV_OK;
	object = json_object();
	if (!object || json_object_set_new(line, name, object) != 0)
		return RV_E_NOMEM;
	for (size_t i = 0; !err && pairs[i]; i++)
		err = rv_newjob_pair(new, object, pairs[i], false);
	return err;
}

static int set_after(json_t *line, const int64_t *after, size_t count)
{
	json_t *list;

	if (count == 0)
		return RV_OK;
	list = json_array();
	if (!list || json_object_set_new(line, "after", list) != 0)
		return RV_E_NOMEM;
	for (size_t i = 0; i < count; i++) {
		if (json_array_append_new(list, json_integer(after[i])) != 0)
			return RV_E_NOMEM;
	}
	return RV_OK;
}

/* ${none}: what is not said; anything else is for the reader of the line to judge. */
static int set_int(json_t *line, const char *name, int64_t value, int64_t none)
{
	return value == none ? RV_OK : rv_json_set_int(line, name, value);
}

static int set_work(struct rv_newjob *new, const struct reeve_new *from, json_t *line)
{
	int err = set_text(new, line, "task", from->task);

	if (!err)
		err = rv_lib_pairs(new, line, "args", from->args);
	if (!err)
		err = rv_lib_texts(new, line, "command", from->command);
	if (!err)
		err = rv_lib_pairs(new, line, "env", from->env);
	return err ? err : set_text(new, line, "cwd", from->cwd);
}

static int set_options(struct rv_newjob *new, const struct reeve_new *from, json_t *line)
{
	int err = set_text(new, line, "queue", from->queue);

	if (!err)
		err = set_text(new, line, "key", from->key);
	if (!err)
		err = set_text(new, line, "unique", from->unique_key);
	if (!err)
		err = set_text(new, line, "idempotency_key", from->idempotency_key);
	if (!err)
		err = set_text(new, line, "resources", from->resources);
	if (!err)
		err = rv_lib_texts(new, line, "labels", from->labels);
	if (!err)
		err = set_after(line, from->after, from->nafter);
	if (!err)
		err = set_int(line, "priority", from->priority, -1);
	if (!err)
		err = set_int(line, "weight", from->weight, 0);
	if (!err)
		err = set_int(line, "batch", from->batch, 0);
	if (!err)
		err = set_text(new, line, "until", from->until);
	if (!err)
		err = set_text(new, line, "on_conflict", from->on_conflict);
	if (!err)
		err = set_text(new, line, "on", from->on);
	return err ? err : set_int(line, "max_attempts", from->max_attempts, 0);
}

/* Times and the payload need no JSON. */
static int take_rest(struct rv_newjob *new, const struct reeve_new *from)
{
	struct rv_job_new *job = &new->job;

	if (from->delay_us < 0 || from->run_at_us < 0 || from->deadline_at_us < 0 ||
	    from->ttl_us < 0 || from->timeout_us < 0)
		return rv_fail(new->why, RV_E_USAGE, "a time is negative");
	if (from->delay_us && from->run_at_us)
		return rv_fail(new->why, RV_E_USAGE, "delay_us and run_at_us do not go together");
	if (from->payload_size > 0 && !from->payload)
		return rv_fail(new->why, RV_E_USAGE, "payload_size without a payload");
	if (from->payload_size > RV_PAYLOAD_MAX)
		return rv_fail(new->why, RV_E_TOOBIG, "payload: more than 16 MiB");
	if (from->run_at_us)
		job->run_at_us = from->run_at_us;
	if (from->delay_us && __builtin_add_overflow(rv_wall_us(), from->delay_us, &job->run_at_us))
		return rv_fail(new->why, RV_E_USAGE, "delay_us: too long");
	job->deadline_us = from->deadline_at_us ? from->deadline_at_us : job->deadline_us;
	job->ttl_us = from->ttl_us ? from->ttl_us : job->ttl_us;
	job->timeout_us = from->timeout_us ? from->timeout_us : job->timeout_us;
	if (from->payload) {
		job->payload = from->payload;
		job->payload_size = from->payload_size;
	}
	return RV_OK;
}

static int make_job(struct rv_newjob *new, const struct reeve_new *given)
{
	RV_AUTO(rv_json_free) json_t *line = NULL;
	struct reeve_new from;
	int err = take_known(given, &from, new->why);

	if (err)
		return err;
	if (from.json)
		err = rv_json_parse(from.json, strlen(from.json), JSON_MAX, &line, new->why);
	else if (!(line = json_object()))
		err = RV_E_NOMEM;
	if (!err && !json_is_object(line))
		err = rv_fail(new->why, RV_E_USAGE, "not a JSON object");
	if (!err)
		err = set_work(new, &from, line);
	if (!err)
		err = set_options(new, &from, line);
	if (!err)
		err = rv_newjob_from_object(new, line);
	return err ? err : take_rest(new, &from);
}

/* A block, all or nothing; ${*ret_failed}: the job it is about. */
static int enqueue_block(struct reeve *reeve, const char *jobs, size_t stride,
			 struct rv_submit_jobs *block)
{
	struct rv_job_new *list = calloc(block->count, sizeof(*list));
	struct rv_arena arena;
	int err = list ? RV_OK : RV_E_NOMEM;

	rv_arena_init(&arena);
	for (size_t i = 0; !err && i < block->count; i++) {
		struct rv_newjob new = {.conf = reeve->client.conf,
					.store_path = reeve->client.store_path,
					.why = &reeve->why,
					.arena = &arena};
		const struct reeve_new *job = (const void *)(jobs + i * stride);

		block->failed = i;
		if (job->size != stride)
			err = rv_fail(&reeve->why, RV_E_USAGE,
				      "the sizes of struct reeve_new differ in a batch");
		else
			err = make_job(&new, job);
		if (!err)
			list[i] = new.job;
	}
	if (!err) {
		block->jobs = list;
		err = rv_submit_jobs(&reeve->client, block, &reeve->why);
	}
	rv_arena_reset(&arena);
	free(list);
	return err;
}

int reeve_enqueue_batch(struct reeve *reeve, const struct reeve_new *jobs, size_t count,
			int64_t *ret_ids, size_t *ret_stored, size_t *ret_failed)
{
	size_t failed = count;
	int64_t *ids = ret_ids;
	int err = RV_OK;

	if (!ret_stored)
		return rv_lib_say(reeve, RV_E_USAGE, "reeve_enqueue_batch: ret_stored is NULL");
	*ret_stored = 0;
	if (count > 0 && (!jobs || !ret_ids))
		return rv_lib_say(reeve, RV_E_USAGE, "reeve_enqueue_batch: jobs or ids are NULL");
	while (!err && *ret_stored < count) {
		size_t left = count - *ret_stored;
		struct rv_submit_jobs block = {.count = left < REEVE_BLOCK ? left : REEVE_BLOCK,
					       .ret_ids = ids};
		const char *from = (const char *)jobs + *ret_stored * jobs->size;

		block.failed = block.count;
		/* Other threads have their turn between the blocks. */
		err = rv_lib_enter(reeve, RV_CLIENT_CREATE);
		if (err)
			break;
		err = rv_lib_leave(reeve, enqueue_block(reeve, from, jobs->size, &block));
		if (!err) {
			*ret_stored += block.count;
			ids += block.count;
		} else if (block.failed < block.count) {
			failed = *ret_stored + block.failed;
		}
	}
	if (ret_failed)
		*ret_failed = failed;
	return err;
}

int reeve_enqueue(struct reeve *reeve, const struct reeve_new *job, int64_t *ret_id)
{
	int64_t id = 0;
	size_t stored;
	int err;

	if (!job || !ret_id)
		return rv_lib_say(reeve, RV_E_USAGE, "reeve_enqueue: job or ret_id is NULL");
	err = reeve_enqueue_batch(reeve, job, 1, &id, &stored, NULL);
	if (!err)
		*ret_id = id;
	return err;
}

int reeve_enqueue_json(struct reeve *reeve, const char *json, int64_t *ret_id)
{
	struct reeve_new job;

	if (!json)
		return rv_lib_say(reeve, RV_E_USAGE, "reeve_enqueue_json: json is NULL");
	reeve_new_init(&job, sizeof(job));
	job.json = json;
	return reeve_enqueue(reeve, &job, ret_id);
}
