/*
 * What a module sees of a job, and what it says of it.  The runner's process.  The line is the
 * worker's and was made of strangers' texts; what the module says is bounded here, so that no line
 * of ours is larger than a worker takes.
 */
#include "runner/job.h"

#include "base/base64.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/fmt.h"
#include "base/quote.h"
#include "base/spec.h"
#include "base/utf8.h"
#include "runner/channel.h"
#include "runner/member.h"

#include <stdlib.h>
#include <string.h>

#define LOG_MAX   (64U << 10) /* of one line: six times as much when each byte is escaped */
#define AGAIN_MAX (RV_AGAIN_MAX_US / 1000)
#define LATER_MS  1000 /* what a module that does not say when is given */

/* ---- from the line */

enum kind {
	NUMBER32,
	NUMBER64, /* also as a text */
	TEXT,
	JSON, /* as it stands */
	TIME,
	PAYLOAD,
	BASE64,
};

#define AT(field) offsetof(struct reeve_run, field)

static const struct {
	const char *name;
	enum kind kind;
	size_t at;
} fields[] = {
	{"job", NUMBER64, AT(job)},         {"run", NUMBER32, AT(number)},
	{"attempt", NUMBER32, AT(attempt)}, {"max_attempts", NUMBER32, AT(max_attempts)},
	{"fence", NUMBER64, AT(fence)},     {"task", TEXT, AT(task)},
	{"queue", TEXT, AT(queue)},         {"idempotency_key", TEXT, AT(idempotency_key)},
	{"args", JSON, AT(args)},           {"labels", JSON, AT(labels)},
	{"meta", JSON, AT(meta)},           {"key", TEXT, AT(key)},
	{"batch", NUMBER64, AT(batch)},     {"deadline", TIME, AT(deadline_us)},
	{"payload", PAYLOAD, AT(payload)},  {"payload_base64", BASE64, AT(payload)},
};

static int64_t number(const struct rv_member *m)
{
	/* It ends with a '"', ',' or '}' of the line. */
	return strtoll(m->value + (*m->value == '"'), NULL, 10);
}

static int read_text(struct rv_job *job, const struct rv_member *m, const char **ret,
		     size_t *ret_size)
{
	size_t size = 0;
	char *text = NULL;
	int err = rv_member_text(m->value, m->value_size, &job->arena, &text, &size);

	if (err != RV_OK)
		return err;
	*ret = text;
	if (ret_size)
		*ret_size = size;
	return RV_OK;
}

static int read_payload(struct rv_job *job, const struct rv_member *m, enum kind kind)
{
	const char *text = NULL;
	size_t size = 0;
	int err = read_text(job, m, &text, &size);
	char *data;

	if (err != RV_OK)
		return err;
	job->run.payload = text;
	job->run.payload_size = size;
	if (kind == PAYLOAD)
		return RV_OK;
	data = rv_arena_alloc(&job->arena, size + 1); /* zeroed */
	if (!data)
		return RV_E_NOMEM;
	job->run.payload = data;
	return rv_base64_read(text, size, data, &job->run.payload_size);
}

static int read_field(struct rv_job *job, size_t which, const struct rv_member *m)
{
	void *to = (char *)&job->run + fields[which].at;
	const char *text = NULL;
	int err = RV_OK;

	switch (fields[which].kind) {
	case NUMBER32:
		*(int32_t *)to = (int32_t)number(m);
		break;
	case NUMBER64:
		*(int64_t *)to = number(m);
		break;
	case TEXT:
		err = read_text(job, m, to, NULL);
		break;
	case JSON:
		text = rv_arena_memdup(&job->arena, m->value, m->value_size);
		*(const char **)to = text;
		err = text ? RV_OK : RV_E_NOMEM;
		break;
	case TIME:
		err = read_text(job, m, &text, NULL);
		if (err == RV_OK)
			err = rv_parse_time(text, 0, to);
		break;
	case PAYLOAD:
	case BASE64:
		err = read_payload(job, m, fields[which].kind);
		break;
	}
	return err;
}

static int read_line(struct rv_job *job, const char *line, size_t size)
{
	struct rv_members members;
	struct rv_member m;
	size_t next = 0; /* they mostly come in the order of the table */
	int err;

	rv_members_init(&members, line, size);
	while ((err = rv_members_next(&members, &m)) == RV_OK) {
		size_t i = 0;

		while (i < RV_ARRAY_LEN(fields)) {
			size_t which = (next + i) % RV_ARRAY_LEN(fields);

			if (strlen(fields[which].name) == m.name_size &&
			    memcmp(fields[which].name, m.name, m.name_size) == 0) {
				err = read_field(job, which, &m);
				next = which + 1;
				break;
			}
			i++;
		}
		if (err != RV_OK)
			return err;
	}
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

/* ---- what a module calls */

static struct rv_job *job_of(struct reeve_run *run)
{
	return rv_container_of(run, struct rv_job, run);
}

/* Where what it says now is added. */
static struct rv_buf *lines_of(struct rv_job *job)
{
	return job->behind ? &job->later : &job->channel->said;
}

/* They go out at once, but for a run that nobody is to hear of before the one in front. */
static void say(struct rv_job *job, int err)
{
	if (err != RV_OK)
		rv_channel_die("no memory for a line");
	if (!job->behind)
		rv_channel_flush(job->channel);
}

static int add_begin(const struct rv_job *job, struct rv_buf *out)
{
	return rv_buf_printf(out, "{\"job\":%lld,\"run\":%d", (long long)job->run.job,
			     (int)job->run.number);
}

/* ,"name":"text" */
static int add_text(struct rv_buf *out, const char *name, const char *text, size_t size)
{
	int err = rv_buf_printf(out, ",\"%s\":", name);

	return err == RV_OK ? rv_quote_json(text, size, out) : err;
}

/* As much of ${text} as ${max} bytes hold, whole characters. */
static size_t cut(const char *text, size_t size, size_t max)
{
	if (size <= max)
		return size;
	while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
		max--;
	return max;
}

static const char *call_arg(struct reeve_run *run, const char *name)
{
	struct rv_job *job = job_of(run);
	struct rv_members members;
	struct rv_member m;

	rv_members_init(&members, run->args, strlen(run->args));
	while (rv_members_next(&members, &m) == RV_OK) {
		const char *value = NULL;
		char *text = NULL;
		size_t size;

		/* A name is quoted as well: its own quotes are beside it. */
		if (rv_member_text(m.name - 1, m.name_size + 2, &job->arena, &text, &size) ==
			    RV_OK &&
		    strcmp(text, name) == 0 && read_text(job, &m, &value, NULL) == RV_OK)
			return value;
	}
	return NULL;
}

static void call_progress(struct reeve_run *run, int percent, const char *message)
{
	struct rv_job *job = job_of(run);
	struct rv_buf *out = lines_of(job);
	int err = add_begin(job, out);

	if (err == RV_OK && percent < 0)
		err = rv_buf_str(out, ",\"heartbeat\":true");
	else if (err == RV_OK)
		err = rv_buf_printf(out, ",\"progress\":%d", percent > 100 ? 100 : percent);
	if (err == RV_OK && percent >= 0 && message)
		err = add_text(out, "message", message,
			       cut(message, strlen(message), RV_JOB_ERROR_MAX));
	say(job, err == RV_OK ? rv_buf_str(out, "}\n") : err);
}

static void call_log(struct reeve_run *run, int to_stderr, const char *text)
{
	struct rv_job *job = job_of(run);
	struct rv_buf *out = lines_of(job);
	size_t left = strlen(text);
	int err = RV_OK;

	if (left > 0 && text[left - 1] == '\n')
		left--;
	do {
		size_t size = cut(text, left, LOG_MAX);

		if (size == 0 && left > 0)
			size = left < LOG_MAX ? left : LOG_MAX; /* no characters at all */
		err = add_begin(job, out);
		if (err == RV_OK)
			err = add_text(out, "log", text, size);
		if (err == RV_OK)
			err = rv_buf_str(out, to_stderr ? ",\"stream\":\"stderr\"}\n" : "}\n");
		text += size;
		left -= size;
	} while (err == RV_OK && left > 0);
	say(job, err);
}

static int call_result(struct reeve_run *run, const char *text, size_t size)
{
	struct rv_job *job = job_of(run);
	char *copy;

	if (size > REEVE_MODULE_RESULT_MAX)
		return -1;
	for (size_t at = 0, length; at < size; at += length) {
		length = rv_utf8_length(text + at, size - at);
		if (length == 0)
			return -1;
	}
	copy = rv_arena_memdup(&job->arena, text, size);
	if (!copy)
		return -1;
	job->result = copy;
	job->result_size = size;
	return 0;
}

static void call_error(struct reeve_run *run, const char *text)
{
	struct rv_job *job = job_of(run);
	size_t size = text ? cut(text, strlen(text), RV_JOB_ERROR_MAX) : 0;

	memcpy(job->error, size ? text : "", size);
	job->error[size] = '\0';
}

static void call_again(struct reeve_run *run, int64_t after_ms)
{
	job_of(run)->again_ms = after_ms < 0 ? 0 : after_ms > AGAIN_MAX ? AGAIN_MAX : after_ms;
}

static int call_cancelled(struct reeve_run *run)
{
	return rv_channel_told(job_of(run)->channel, RV_CHANNEL_CANCEL, run->job, run->number);
}

static int call_late(struct reeve_run *run)
{
	return rv_channel_told(job_of(run)->channel, RV_CHANNEL_SOFT, run->job, run->number);
}

/* ---- a run */

void rv_job_init(struct rv_job *job, struct rv_channel *channel)
{
	*job = (struct rv_job){.channel = channel};
	rv_arena_init(&job->arena);
	rv_buf_init(&job->later);
}

void rv_job_reset(struct rv_job *job)
{
	rv_arena_reset(&job->arena);
	rv_buf_fini(&job->later);
}

int rv_job_read(struct rv_job *job, const char *line, size_t size)
{
	rv_job_reset(job);
	job->result = NULL;
	job->result_size = 0;
	job->again_ms = -1;
	job->error[0] = '\0';
	job->behind = false;
	job->run = (struct reeve_run){
		.size = sizeof(job->run),
		.outcome = REEVE_RUN_DONE,
		.task = "",
		.queue = "",
		.idempotency_key = "",
		.args = "{}",
		.arg = call_arg,
		.progress = call_progress,
		.log = call_log,
		.result = call_result,
		.error = call_error,
		.again = call_again,
		.cancelled = call_cancelled,
		.late = call_late,
	};
	return read_line(job, line, size);
}

static int add_result(const struct rv_job *job, struct rv_buf *out)
{
	int err = rv_buf_str(out, ",\"ok\":true");

	return err == RV_OK && job->result ? add_text(out, "result", job->result, job->result_size)
					   : err;
}

/* ,"name":"Nms" */
static int add_ms(struct rv_buf *out, const char *name, int64_t ms)
{
	return rv_buf_printf(out, ",\"%s\":\"%lldms\"", name, (long long)ms);
}

static int add_failure(const struct rv_job *job, struct rv_buf *out)
{
	int err = rv_buf_str(out, ",\"ok\":false");

	if (err == RV_OK && job->error[0] != '\0')
		err = add_text(out, "error", job->error, strlen(job->error));
	else if (err == RV_OK && job->run.outcome != REEVE_RUN_LATER)
		err = rv_buf_printf(out, ",\"error\":\"its module returned %d\"",
				    (int)job->run.outcome);
	if (err != RV_OK || job->run.outcome == REEVE_RUN_FATAL)
		return err == RV_OK ? rv_buf_str(out, ",\"permanent\":true") : err;
	if (job->run.outcome == REEVE_RUN_LATER)
		return add_ms(out, "snooze", job->again_ms >= 0 ? job->again_ms : LATER_MS);
	return job->again_ms >= 0 ? add_ms(out, "retry_after", job->again_ms) : RV_OK;
}

int rv_job_answer(const struct rv_job *job, struct rv_buf *out)
{
	int err = rv_buf_add(out, rv_buf_text(&job->later), job->later.size);

	if (err == RV_OK)
		err = add_begin(job, out);
	if (err == RV_OK && job->run.outcome == REEVE_RUN_DONE)
		err = add_result(job, out);
	else if (err == RV_OK)
		err = add_failure(job, out);
	return err == RV_OK ? rv_buf_str(out, "}\n") : err;
}
