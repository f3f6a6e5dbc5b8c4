/*
 * The control socket's framing, both ends.  The daemon's half never blocks and never waits for the
 * rest of a line; the client's half waits, but not past its deadline.
 */
#include "wire/control.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/seam.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define READ_STEP ((size_t)16 << 10)

static json_t *with_version(void)
{
	json_t *json = json_object();

	if (json && rv_json_set_int(json, "v", RV_CONTROL_VERSION) != RV_OK)
		rv_json_free(&json);
	return json;
}

json_t *rv_control_request(const char *verb)
{
	json_t *json = with_version();

	if (json && rv_json_set_text(json, "verb", verb) != RV_OK)
		rv_json_free(&json);
	return json;
}

json_t *rv_control_answer(void)
{
	json_t *json = with_version();

	if (json && rv_json_set_bool(json, "ok", true) != RV_OK)
		rv_json_free(&json);
	return json;
}

int rv_control_line(const json_t *answer, struct rv_buf *out)
{
	size_t before = out->size;
	int err = rv_json_dump(answer, false, out);

	if (err == RV_OK)
		err = rv_buf_str(out, "\n");
	if (err == RV_OK && out->size - before > RV_CONTROL_MAX)
		err = RV_E_TOOBIG;
	if (err != RV_OK && out->data) {
		out->size = before;
		out->data[before] = '\0';
	}
	return err;
}

int rv_control_refusal(int err, const struct rv_why *why, struct rv_buf *out)
{
	json_t *json = with_version();
	int rc = json ? RV_OK : RV_E_NOMEM;

	PRE(err != RV_OK);
	if (rc == RV_OK)
		rc = rv_json_set_bool(json, "ok", false);
	if (rc == RV_OK)
		rc = rv_json_set_text(json, "error", rv_why_text(why, err));
	if (rc == RV_OK)
		rc = rv_json_set_int(json, "exit", rv_err_exit(err));
	if (rc == RV_OK)
		rc = rv_control_line(json, out);
	json_decref(json);
	return rc;
}

int rv_control_flush(int fd, const struct rv_buf *out, size_t *sent)
{
	PRE(*sent <= out->size);
	while (*sent < out->size) {
		ssize_t n =
			send(fd, out->data + *sent, out->size - *sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rv_err_from_errno(errno);
		*sent += (size_t)n;
	}
	return RV_OK;
}

int rv_control_get_line(int fd, struct rv_buf *in, size_t max, size_t *ret_length)
{
	for (;;) {
		const char *newline = in->size > 0 ? memchr(in->data, '\n', in->size) : NULL;
		ssize_t n;
		int err;

		if (newline) {
			*ret_length = (size_t)(newline - in->data);
			return *ret_length < max ? RV_OK : RV_E_TOOBIG;
		}
		if (in->size >= max)
			return RV_E_TOOBIG;
		err = rv_buf_reserve(in, READ_STEP);
		if (err != RV_OK)
			return err;
		n = recv(fd, in->data + in->size, READ_STEP, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rv_err_from_errno(errno);
		if (n == 0)
			return RV_E_CLOSED;
		in->size += (size_t)n;
		in->data[in->size] = '\0';
	}
}

void rv_control_drop_line(struct rv_buf *in, size_t length)
{
	PRE(length < in->size && in->data[length] == '\n');
	in->size -= length + 1;
	memmove(in->data, in->data + length + 1, in->size + 1);
}

static int parse_line(const struct rv_buf *in, size_t length, json_t **ret_json, struct rv_why *why)
{
	RV_AUTO(rv_json_free) json_t *json = NULL;
	int64_t version = 0;
	int err = rv_json_parse(in->data, length, RV_CONTROL_MAX, &json, why);

	if (err != RV_OK)
		return err;
	if (rv_json_get_int(json, "v", &version, why) != RV_OK || version != RV_CONTROL_VERSION)
		return rv_fail(why, RV_E_PARSE, "not version %d of the control protocol",
			       RV_CONTROL_VERSION);
	*ret_json = RV_TAKE(json);
	return RV_OK;
}

int rv_control_read(int fd, struct rv_buf *in, json_t **ret_request, const char **ret_verb,
		    struct rv_why *why)
{
	RV_AUTO(rv_json_free) json_t *json = NULL;
	size_t length = 0;
	int err = rv_control_get_line(fd, in, RV_CONTROL_MAX, &length);

	if (err == RV_E_TOOBIG)
		return rv_fail(why, err, "a request of more than %u bytes", RV_CONTROL_MAX);
	if (err == RV_OK)
		err = parse_line(in, length, &json, why);
	if (err != RV_OK)
		return err;
	err = rv_json_get_text(json, "verb", ret_verb, why);
	if (err != RV_OK)
		return rv_fail(why, RV_E_PARSE, "a request without a verb");
	*ret_request = RV_TAKE(json);
	return RV_OK;
}

/* Until ${fd} is ready for ${events}, or ${deadline_us}. */
static int wait_until(int fd, short events, int64_t deadline_us)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};
	int64_t left_us = deadline_us - rv_mono_us();
	int n;

	if (left_us <= 0)
		return RV_E_TIMEOUT;
	n = poll(&poll_fd, 1,
		 left_us > RV_S_US * 3600 ? 3600000 : (int)((left_us + 999) / RV_MS_US));
	return n < 0 && errno != EINTR ? rv_err_from_errno(errno) : RV_OK;
}

static int send_request(int fd, const json_t *request, int64_t deadline_us)
{
	struct rv_buf out;
	size_t sent = 0;
	int err;

	rv_buf_init(&out);
	err = rv_control_line(request, &out);
	while (err == RV_OK) {
		err = rv_control_flush(fd, &out, &sent);
		if (err != RV_E_BUSY)
			break;
		err = wait_until(fd, POLLOUT, deadline_us);
	}
	rv_buf_fini(&out);
	return err;
}

static int read_reply(int fd, int64_t deadline_us, json_t **ret_reply, struct rv_why *why)
{
	struct rv_buf in;
	size_t length = 0;
	int err;

	rv_buf_init(&in);
	for (;;) {
		err = rv_control_get_line(fd, &in, RV_CONTROL_MAX, &length);
		if (err == RV_E_BUSY)
			err = wait_until(fd, POLLIN, deadline_us);
		else
			break;
		if (err != RV_OK)
			break;
	}
	if (err == RV_OK)
		err = parse_line(&in, length, ret_reply, why);
	rv_buf_fini(&in);
	return err;
}

/*
 * The error that a program would end with ${code} for.  Several share a code; the first of the
 * table stands for them all, the sentence tells which.
 */
static int error_of_exit(int64_t code)
{
	for (int err = -1; - err < RV_ERRS; err--) {
		if (rv_err_exit(err) == code && code != 1)
			return err;
	}
	return RV_E_INTERNAL;
}

static int refusal(const json_t *reply, struct rv_why *why)
{
	const char *sentence = "refused without a reason";
	int64_t code = 1;

	if (rv_json_get_text(reply, "error", &sentence, why) == RV_E_PARSE ||
	    rv_json_get_int(reply, "exit", &code, why) == RV_E_PARSE)
		return RV_E_PARSE;
	return rv_fail(why, error_of_exit(code), "%s", sentence);
}

int rv_control_call(int fd, const json_t *request, int64_t timeout_us, json_t **ret_reply,
		    struct rv_why *why)
{
	RV_AUTO(rv_json_free) json_t *reply = NULL;
	struct rv_why detail = {{0}};
	int64_t deadline_us = rv_mono_us() + timeout_us;
	int err = send_request(fd, request, deadline_us);
	bool ok = false;

	/* A daemon that refuses before it has read all closes its end; its words may still be
	 * there. */
	if (err == RV_OK || err == RV_E_CLOSED)
		err = read_reply(fd, deadline_us, &reply, &detail);
	if (err == RV_E_TIMEOUT)
		return rv_fail(why, err, "reeved did not answer in time");
	if (err == RV_E_CLOSED)
		return rv_fail(why, err, "reeved closed the connection without an answer");
	if (err == RV_E_PARSE)
		return rv_fail(why, err, "reeved's answer cannot be read: %s", detail.text);
	if (err != RV_OK)
		return rv_fail(why, err, "cannot talk to reeved: %s", rv_err_text(err));
	if (rv_json_get_bool(reply, "ok", &ok, &detail) != RV_OK)
		return rv_fail(why, RV_E_PARSE, "reeved's answer has no \"ok\"");
	if (!ok)
		return refusal(reply, why);
	*ret_reply = RV_TAKE(reply);
	return RV_OK;
}
