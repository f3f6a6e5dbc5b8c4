/*
 * The lines of the pipe protocol, made and read.  Worker processes.  Pure.  What a handler says is
 * input: nothing in it may do more than make one line void.
 */
#include "run/pipe_line.h"

#include "base/base64.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/fmt.h"
#include "base/spec.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

#define SPEC_MAX (1U << 20)

/* ---- a job */

/* ,"name":"text", when there is one. */
static int add_text(struct rv_buf *out, const char *name, const char *text)
{
	int err = text ? rv_buf_printf(out, ",\"%s\":", name) : RV_OK;

	return err == RV_OK && text ? rv_json_quote(text, strlen(text), out) : err;
}

/* ,"name":JSON as the store has it, on one line. */
static int add_json(struct rv_buf *out, const char *name, const char *text, struct rv_why *why)
{
	RV_AUTO(rv_json_free) json_t *json = NULL;
	int err;

	if (!text)
		return RV_OK;
	err = rv_json_parse(text, strlen(text), SPEC_MAX, &json, why);
	if (err == RV_OK)
		err = rv_buf_printf(out, ",\"%s\":", name);
	return err == RV_OK ? rv_json_dump(json, false, out) : err;
}

static int add_args(struct rv_buf *out, const char *spec, struct rv_why *why)
{
	RV_AUTO(rv_json_free) json_t *json = NULL;
	const json_t *args;
	int err = RV_OK;

	if (!spec || spec[0] == '\0')
		return rv_buf_str(out, ",\"args\":{}");
	err = rv_json_parse(spec, strlen(spec), SPEC_MAX, &json, why);
	if (err != RV_OK)
		return err;
	args = json_object_get(json, "args");
	if (!json_is_object(args))
		return rv_buf_str(out, ",\"args\":{}");
	err = rv_buf_str(out, ",\"args\":");
	return err == RV_OK ? rv_json_dump(args, false, out) : err;
}

/* Text that a line of JSON carries well, and people can read. */
static bool is_text(const char *data, size_t size)
{
	for (size_t at = 0; at < size;) {
		unsigned char c = (unsigned char)data[at];
		size_t length = rv_utf8_length(data + at, size - at);

		if (length == 0 || c == 0x7f || (c < ' ' && c != '\t' && c != '\n' && c != '\r'))
			return false;
		at += length;
	}
	return true;
}

static int add_payload(struct rv_buf *out, const void *data, size_t size)
{
	int err;

	if (size == 0)
		return RV_OK;
	if (is_text(data, size)) {
		err = rv_buf_str(out, ",\"payload\":");
		return err == RV_OK ? rv_json_quote(data, size, out) : err;
	}
	err = rv_buf_str(out, ",\"payload_base64\":\"");
	if (err == RV_OK)
		err = rv_base64_add(out, data, size);
	return err == RV_OK ? rv_buf_str(out, "\"") : err;
}

static int add_rest(const struct rv_pipe_job *job, struct rv_buf *out)
{
	char deadline[RV_FMT_SPACE];
	int err = add_text(out, "key", job->key);

	if (err == RV_OK && job->batch != 0)
		err = rv_buf_printf(out, ",\"batch\":%lld", (long long)job->batch);
	if (err == RV_OK && job->deadline_us != 0)
		err = add_text(out, "deadline", rv_fmt_time(deadline, job->deadline_us));
	if (err == RV_OK)
		err = add_payload(out, job->payload, job->payload_size);
	return err == RV_OK ? rv_buf_str(out, "}\n") : err;
}

static int add_job(const struct rv_pipe_job *job, struct rv_buf *out, struct rv_why *why)
{
	const struct rv_claimed *claim = job->claim;
	int err = rv_buf_printf(out,
				"{\"job\":%lld,\"run\":%d,\"attempt\":%d,\"max_attempts\":%d,"
				"\"fence\":\"%lld\"",
				(long long)claim->job, (int)claim->run, (int)claim->attempt,
				(int)claim->max_attempts, (long long)claim->fence);

	if (err == RV_OK)
		err = add_text(out, "task", job->task);
	if (err == RV_OK)
		err = add_text(out, "queue", job->queue);
	if (err == RV_OK)
		err = add_text(out, "idempotency_key", job->idem_key);
	if (err == RV_OK)
		err = add_args(out, job->spec, why);
	if (err == RV_OK)
		err = add_json(out, "labels", job->labels, why);
	if (err == RV_OK)
		err = add_json(out, "meta", job->meta, why);
	return err == RV_OK ? add_rest(job, out) : err;
}

int rv_pipe_job_line(const struct rv_pipe_job *job, struct rv_buf *out, struct rv_why *why)
{
	size_t before = out->size;
	int err = add_job(job, out, why);

	PRE(job->claim && job->task && job->queue);
	if (err != RV_OK)
		out->size = before;
	POST(err != RV_OK || out->data[out->size - 1] == '\n');
	return err;
}

int rv_pipe_cancel_line(const struct rv_claimed *claim, struct rv_buf *out)
{
	return rv_buf_printf(out, "{\"cancel\":%lld,\"run\":%d}\n", (long long)claim->job,
			     (int)claim->run);
}

int rv_pipe_soft_line(const struct rv_claimed *claim, struct rv_buf *out)
{
	return rv_buf_printf(out, "{\"soft_timeout\":%lld,\"run\":%d}\n", (long long)claim->job,
			     (int)claim->run);
}

int rv_pipe_health_line(uint64_t question, struct rv_buf *out)
{
	return rv_buf_printf(out, "{\"health\":%llu}\n", (unsigned long long)question);
}

/* ---- what a handler says */

/* A member that need not be there; RV_E_NOTFOUND is none of our errors then. */
static int optional(int err)
{
	return err == RV_E_NOTFOUND ? RV_OK : err;
}

static int read_hello(struct rv_pipe_said *said, struct rv_why *why)
{
	const char *refusal = NULL;
	int64_t version = 0;
	int64_t ahead = 1;
	int err = rv_json_get_int(said->json, "reeve", &version, why);

	if (err == RV_OK)
		err = optional(rv_json_get_text(said->json, "refuse", &refusal, why));
	if (err == RV_OK)
		err = optional(rv_json_get_int(said->json, "ahead", &ahead, why));
	if (err == RV_OK)
		err = optional(rv_json_get_bool(said->json, "cancel", &said->cancels, why));
	if (err == RV_OK)
		err = optional(rv_json_get_bool(said->json, "soft_timeout", &said->softs, why));
	if (err == RV_OK)
		err = optional(rv_json_get_bool(said->json, "health", &said->checks, why));
	if (err != RV_OK)
		return err;
	if (version != RV_PIPE_VERSION)
		return rv_fail(why, RV_E_PARSE, "it speaks version %lld, not %d",
			       (long long)version, RV_PIPE_VERSION);
	if (ahead < 1 || ahead > RV_TURN_MAX)
		return rv_fail(why, RV_E_PARSE, "ahead is 1 to %d", RV_TURN_MAX);
	said->kind = refusal ? RV_PIPE_REFUSAL : RV_PIPE_HELLO;
	said->error = refusal ? refusal : "";
	said->ahead = (unsigned)ahead;
	return RV_OK;
}

/* Our line, sent back; or with "ok": false and why. */
static int read_health(struct rv_pipe_said *said, struct rv_why *why)
{
	bool ok = true;
	int err = rv_json_get_int(said->json, "health", &said->job, why);

	if (err == RV_OK)
		err = optional(rv_json_get_bool(said->json, "ok", &ok, why));
	if (err == RV_OK)
		err = optional(rv_json_get_text(said->json, "error", &said->error, why));
	if (err != RV_OK)
		return err;
	said->kind = RV_PIPE_HEALTH;
	said->outcome = ok ? RV_OUTCOME_SUCCEEDED : RV_OUTCOME_FAILED;
	return RV_OK;
}

static int duration(const json_t *json, const char *name, int64_t *ret_us, struct rv_why *why)
{
	const char *text = NULL;
	int err = rv_json_get_text(json, name, &text, why);

	if (err != RV_OK)
		return optional(err);
	if (rv_parse_duration(text, ret_us) != RV_OK)
		return rv_fail(why, RV_E_PARSE, "%s is no duration", name);
	if (*ret_us > RV_AGAIN_MAX_US)
		return rv_fail(why, RV_E_PARSE, "%s is more than 520w", name);
	return RV_OK;
}

/* A string as it is, anything else as JSON on one line. */
static int read_result(struct rv_pipe_said *said)
{
	const json_t *result = json_object_get(said->json, "result");
	struct rv_buf text;
	int err;

	if (!result || json_is_null(result))
		return RV_OK;
	if (json_is_string(result)) {
		said->said.result = json_string_value(result);
		said->said.result_size = json_string_length(result);
		return RV_OK;
	}
	rv_buf_init(&text);
	err = rv_json_dump(result, false, &text);
	said->said.result_size = text.size;
	if (err == RV_OK)
		said->result = rv_buf_take(&text);
	rv_buf_fini(&text);
	said->said.result = said->result;
	return said->result ? RV_OK : RV_E_NOMEM;
}

static int read_failure(struct rv_pipe_said *said, struct rv_why *why)
{
	bool permanent = false;
	int64_t snooze_us = -1;
	int err = optional(rv_json_get_text(said->json, "error", &said->error, why));

	if (err == RV_OK)
		err = optional(rv_json_get_bool(said->json, "permanent", &permanent, why));
	if (err == RV_OK)
		err = duration(said->json, "retry_after", &said->said.retry_us, why);
	if (err == RV_OK)
		err = duration(said->json, "snooze", &snooze_us, why);
	said->outcome = RV_OUTCOME_FAILED;
	if (snooze_us >= 0) {
		said->outcome = RV_OUTCOME_LATER;
		said->said.retry_us = snooze_us;
	}
	if (permanent)
		said->outcome = RV_OUTCOME_FATAL;
	return err;
}

static int read_word(struct rv_pipe_said *said, struct rv_why *why)
{
	const json_t *progress = json_object_get(said->json, "progress");
	const char *stream = "stdout";
	int err = optional(rv_json_get_text(said->json, "message", &said->said.message, why));

	if (err == RV_OK)
		err = optional(rv_json_get_text(said->json, "log", &said->log, why));
	if (err == RV_OK)
		err = optional(rv_json_get_text(said->json, "stream", &stream, why));
	if (err != RV_OK)
		return err;
	said->kind = RV_PIPE_WORD;
	said->log_stderr = strcmp(stream, "stderr") == 0;
	if (!progress)
		return RV_OK;
	if (!json_is_number(progress) ||
	    !(json_number_value(progress) >= 0 && json_number_value(progress) <= 100))
		return rv_fail(why, RV_E_PARSE, "progress is a number, 0 to 100");
	said->said.percent = (int)json_number_value(progress);
	if (!said->said.message)
		said->said.message = "";
	return RV_OK;
}

static int read_line(struct rv_pipe_said *said, struct rv_why *why)
{
	bool ok = false;
	int err;

	if (!json_is_object(said->json))
		return rv_fail(why, RV_E_PARSE, "it is no JSON object");
	if (json_object_get(said->json, "reeve"))
		return read_hello(said, why);
	if (json_object_get(said->json, "health"))
		return read_health(said, why);
	err = rv_json_get_int(said->json, "job", &said->job, why);
	if (err == RV_OK)
		err = rv_json_get_int(said->json, "run", &said->run, why);
	if (err != RV_OK)
		return rv_fail(why, RV_E_PARSE, "it does not name its job and run");
	err = rv_json_get_bool(said->json, "ok", &ok, why);
	if (err == RV_E_NOTFOUND)
		return read_word(said, why);
	if (err != RV_OK)
		return err;
	said->kind = RV_PIPE_ANSWER;
	said->outcome = RV_OUTCOME_SUCCEEDED;
	return ok ? read_result(said) : read_failure(said, why);
}

int rv_pipe_said_parse(const char *line, size_t size, struct rv_pipe_said *ret_said,
		       struct rv_why *why)
{
	struct rv_pipe_said said = {
		.ahead = 1, .error = "", .said = {.percent = -1, .retry_us = -1}};
	int err = rv_json_parse(line, size, RV_PIPE_LINE_MAX, &said.json, why);

	if (err == RV_OK)
		err = read_line(&said, why);
	if (err != RV_OK) {
		rv_pipe_said_fini(&said);
		return err == RV_E_NOMEM ? err : RV_E_PARSE;
	}
	*ret_said = said;
	return RV_OK;
}

void rv_pipe_said_fini(struct rv_pipe_said *said)
{
	rv_json_free(&said->json);
	free(said->result);
	said->result = NULL;
}
