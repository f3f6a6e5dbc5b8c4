/* JSON with bounds, and the control socket's framing, both ends; also without memory (F15, F27,
 * F30). */
#include "base/buf.h"
#include "base/check.h"
#include "base/seam.h"
#include "helpers/alloc_fail.h"
#include "helpers/assert.h"
#include "os/fd.h"
#include "wire/control.h"
#include "wire/json.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static json_t *parse(const char *text)
{
	struct rv_why why = {{0}};
	json_t *json = NULL;

	cr_assert(eq(int, rv_json_parse(text, strlen(text), 1 << 20, &json, &why), RV_OK), "%s: %s",
		  text, why.text);
	return json;
}

static void expect_dump(const json_t *json, bool indented, const char *text)
{
	struct rv_buf buf;

	rv_buf_init(&buf);
	cr_assert(eq(int, rv_json_dump(json, indented, &buf), RV_OK));
	rv_assert_text(rv_buf_text(&buf), text);
	rv_buf_fini(&buf);
}

Test(json, what_is_no_json_is_refused_with_its_place)
{
	const char *const bad[] = {"",
				   "{",
				   "{}x",
				   "{} {}",
				   "{'a':1}",
				   "{\"a\":1,}",
				   "\"text\"",
				   "5",
				   "nul",
				   "{\"a\":01}",
				   "{\"a\":1,\"a\":2}",
				   "[\"\xff\"]",
				   "[\"\xed\xa0\x80\"]",
				   "[99999999999999999999]",
				   "{\"a\\u0000b\":1}"};

	for (size_t i = 0; i < RV_ARRAY_LEN(bad); i++) {
		struct rv_why why = {{0}};
		json_t *json = NULL;

		cr_assert(eq(int, rv_json_parse(bad[i], strlen(bad[i]), 100, &json, &why),
			     RV_E_PARSE),
			  "%s", bad[i]);
		rv_assert_has(why.text, "line 1");
		cr_assert(eq(ptr, json, NULL));
	}
}

Test(json, f27_too_big_and_too_deep)
{
	static char deep[200001];
	struct rv_why why = {{0}};
	json_t *json = NULL;

	cr_assert(eq(int, rv_json_parse("[1,2]", 5, 4, &json, &why), RV_E_TOOBIG));
	memset(deep, '[', 100000);
	memset(deep + 100000, ']', 100000);
	cr_assert(eq(int, rv_json_parse(deep, 200000, 1 << 20, &json, &why), RV_E_PARSE));
	rv_assert_has(why.text, "deeper than 64");
	json = parse("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]"
		     "]]]]]]]]]]]]]]"
		     "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
	rv_json_free(&json);
	cr_assert(eq(ptr, json, NULL));
	/* Brackets in texts are no depth. */
	json = parse("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
		     "\\\"[[[\"]");
	rv_json_free(&json);
}

Test(json, written_compact_or_indented_in_order)
{
	json_t *json = parse("{\"z\":1,\"a\":[true,null,\"\\u00e9\"],\"m\":{}}");

	expect_dump(json, false, "{\"z\":1,\"a\":[true,null,\"\xc3\xa9\"],\"m\":{}}");
	expect_dump(json, true,
		    "{\n  \"z\": 1,\n  \"a\": [\n    true,\n    null,\n    \"\xc3\xa9\"\n  ],\n"
		    "  \"m\": {}\n}");
	expect_dump(json_null(), false, "null");
	json_decref(json);
}

Test(json, f27_any_bytes_can_be_quoted)
{
	struct rv_buf buf;
	char bytes[256];
	json_t *json = NULL;

	rv_buf_init(&buf);
	cr_assert(eq(int, rv_json_quote("a\"\\\n\x01\x7f\xc3\xa9\xff\0z", 11, &buf), RV_OK));
	rv_assert_text(rv_buf_text(&buf), "\"a\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\\ufffd\\u0000z\"");
	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	rv_buf_reset(&buf);
	cr_assert(eq(int, rv_buf_str(&buf, "["), RV_OK));
	cr_assert(eq(int, rv_json_quote(bytes, 256, &buf), RV_OK));
	cr_assert(eq(int, rv_buf_str(&buf, "]"), RV_OK));
	cr_assert(eq(int, rv_json_parse(buf.data, buf.size, 10000, &json, NULL), RV_OK));
	cr_assert(eq(int, memcmp(json_string_value(json_array_get(json, 0)), bytes, 128), 0));
	json_decref(json);
	rv_buf_fini(&buf);
}

Test(json, fields_by_type)
{
	json_t *json =
		parse("{\"t\":\"text\",\"i\":-5,\"b\":true,\"o\":{\"x\":1},\"l\":[1],\"n\":null,"
		      "\"z\":\"a\\u0000b\",\"r\":1.5}");
	const char *text = "untouched";
	struct rv_why why = {{0}};
	int64_t number = 77;
	json_t *inner = NULL;
	bool flag = false;
	size_t size = 0;

	cr_assert(eq(int, rv_json_get_text(json, "t", &text, &why), RV_OK));
	rv_assert_text(text, "text");
	cr_assert(eq(int, rv_json_get_int(json, "i", &number, &why), RV_OK));
	cr_assert(eq(i64, number, -5));
	cr_assert(eq(int, rv_json_get_bool(json, "b", &flag, &why), RV_OK));
	cr_assert(flag);
	cr_assert(eq(int, rv_json_get_object(json, "o", &inner, &why), RV_OK));
	cr_assert(eq(int, rv_json_get_array(json, "l", &inner, &why), RV_OK));
	cr_assert(eq(int, rv_json_get_bytes(json, "z", &text, &size, &why), RV_OK));
	cr_assert(eq(sz, size, 3));
	cr_assert(eq(int, rv_json_get_text(json, "z", &text, &why), RV_E_PARSE));
	rv_assert_has(why.text, "\"z\" must be without NUL");
	const char *const absent[] = {"n", "none"};
	for (size_t i = 0; i < 2; i++) {
		cr_assert(eq(int, rv_json_get_text(json, absent[i], &text, &why), RV_E_NOTFOUND));
		cr_assert(eq(int, rv_json_get_int(json, absent[i], &number, &why), RV_E_NOTFOUND));
		cr_assert(eq(int, rv_json_get_bool(json, absent[i], &flag, &why), RV_E_NOTFOUND));
		cr_assert(
			eq(int, rv_json_get_object(json, absent[i], &inner, &why), RV_E_NOTFOUND));
		cr_assert(eq(int, rv_json_get_array(json, absent[i], &inner, &why), RV_E_NOTFOUND));
	}
	cr_assert(eq(int, rv_json_get_text(json, "i", &text, &why), RV_E_PARSE));
	rv_assert_text(why.text, "\"i\" must be a string");
	cr_assert(eq(int, rv_json_get_int(json, "r", &number, &why), RV_E_PARSE));
	rv_assert_text(why.text, "\"r\" must be a whole number");
	cr_assert(eq(int, rv_json_get_bool(json, "i", &flag, &why), RV_E_PARSE));
	cr_assert(eq(int, rv_json_get_object(json, "l", &inner, &why), RV_E_PARSE));
	cr_assert(eq(int, rv_json_get_array(json, "o", &inner, &why), RV_E_PARSE));
	cr_assert(eq(i64, number, -5));
	json_decref(json);
}

Test(json, unknown_fields_are_named_with_the_nearest)
{
	const char *const names[] = {"queue", "priority"};
	json_t *json = parse("{\"queue\":1,\"priorty\":2}");
	struct rv_why why = {{0}};

	cr_assert(eq(int, rv_json_only(json, names, 2, &why), RV_E_PARSE));
	rv_assert_text(why.text, "unknown field \"priorty\"; did you mean \"priority\"?");
	cr_assert(eq(int, json_object_del(json, "priorty"), 0));
	cr_assert(eq(int, rv_json_only(json, names, 2, &why), RV_OK));
	cr_assert(eq(int, rv_json_set_int(json, "zebra", 1), RV_OK));
	cr_assert(eq(int, rv_json_only(json, names, 2, &why), RV_E_PARSE));
	rv_assert_text(why.text, "unknown field \"zebra\"");
	json_decref(json);
}

Test(json, fields_are_set)
{
	json_t *json = json_object();

	cr_assert(eq(int, rv_json_set_text(json, "t", "x"), RV_OK));
	cr_assert(eq(int, rv_json_set_text(json, "n", NULL), RV_OK));
	cr_assert(eq(int, rv_json_set_text(json, "bad", "a\xff\xc3\xa9"), RV_OK));
	cr_assert(eq(int, rv_json_set_int(json, "i", INT64_MIN), RV_OK));
	cr_assert(eq(int, rv_json_set_bool(json, "b", false), RV_OK));
	cr_assert(eq(int, rv_json_set_time(json, "at", 1795608000000042LL), RV_OK));
	cr_assert(eq(int, rv_json_set_time(json, "never", 0), RV_OK));
	cr_assert(eq(int, rv_json_set_new(json, "none", NULL), RV_E_NOMEM));
	expect_dump(json, false,
		    "{\"t\":\"x\",\"n\":null,\"bad\":\"a\xef\xbf\xbd\xc3\xa9\","
		    "\"i\":-9223372036854775808,\"b\":false,\"at\":\"2026-11-25T12:00:00.000042Z\","
		    "\"never\":null}");
	json_decref(json);
}

/* Every allocation fails once, in turn, until the whole thing passes: no crash, no leak, no half.
 */
Test(json, f15_each_allocation_fails_once)
{
	const char *text = "{\"a\":[1,\"two\",{\"three\":null}],\"b\":\"\\u00e9\"}";
	unsigned count = 1;
	unsigned n = 0;
	int err = RV_E_NOMEM;

	json_set_alloc_funcs(rv_test_malloc, rv_test_free);
	while (count >= n) {
		struct rv_why why = {{0}};
		json_t *json = NULL;
		struct rv_buf buf;

		rv_buf_init(&buf);
		rv_test_alloc_fail(++n, 0);
		err = rv_json_parse(text, strlen(text), 1000, &json, &why);
		if (err == RV_OK)
			err = rv_json_set_text(json, "c", "bad \xff byte");
		if (err == RV_OK)
			err = rv_json_set_int(json, "d", 5);
		if (err == RV_OK)
			err = rv_json_quote("x\"y", 3, &buf);
		if (err == RV_OK)
			err = rv_json_dump(json, true, &buf);
		count = rv_test_alloc_count();
		rv_test_alloc_fail(0, 0);
		cr_assert(err == RV_OK || err == RV_E_NOMEM, "%u: %d %s", n, err, why.text);
		json_decref(json);
		rv_buf_fini(&buf);
	}
	cr_assert(eq(int, err, RV_OK), "with all its memory it works");
	cr_assert(lt(uint, 10, n));
}

static void socket_pair(int fds[2])
{
	cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0));
}

static void put(int fd, const char *text)
{
	cr_assert(eq(int, rv_fd_write_all(fd, text, strlen(text)), RV_OK));
}

Test(control, a_request_in_pieces)
{
	json_t *request = NULL;
	const char *verb = NULL;
	struct rv_why why = {{0}};
	struct rv_buf in;
	int fds[2];

	socket_pair(fds);
	rv_buf_init(&in);
	cr_assert(eq(int, rv_control_read(fds[0], &in, &request, &verb, &why), RV_E_BUSY));
	put(fds[1], "{\"v\":1,\"ver");
	cr_assert(eq(int, rv_control_read(fds[0], &in, &request, &verb, &why), RV_E_BUSY));
	put(fds[1], "b\":\"status\",\"x\":5}\n");
	cr_assert(eq(int, rv_control_read(fds[0], &in, &request, &verb, &why), RV_OK), "%s",
		  why.text);
	rv_assert_text(verb, "status");
	json_decref(request);
	rv_buf_reset(&in);
	put(fds[1], "{\"v\":1");
	(void)close(fds[1]);
	cr_assert(eq(int, rv_control_read(fds[0], &in, &request, &verb, &why), RV_E_CLOSED));
	rv_buf_fini(&in);
}

Test(control, f30_what_is_no_request)
{
	const char *const bad[] = {"\n",
				   "hello\n",
				   "{}\n",
				   "[]\n",
				   "{\"v\":2,\"verb\":\"x\"}\n",
				   "{\"v\":\"1\",\"verb\":\"x\"}\n",
				   "{\"v\":1}\n",
				   "{\"v\":1,\"verb\":5}\n",
				   "{\"v\":1,\"verb\":\"a\\u0000b\"}\n"};

	for (size_t i = 0; i < RV_ARRAY_LEN(bad); i++) {
		json_t *request = NULL;
		const char *verb = NULL;
		struct rv_why why = {{0}};
		struct rv_buf in;
		int fds[2];

		socket_pair(fds);
		rv_buf_init(&in);
		put(fds[1], bad[i]);
		cr_assert(eq(int, rv_control_read(fds[0], &in, &request, &verb, &why), RV_E_PARSE),
			  "%s", bad[i]);
		cr_assert(ne(int, why.text[0], '\0'));
		cr_assert(eq(ptr, request, NULL));
		rv_buf_fini(&in);
		(void)close(fds[0]);
		(void)close(fds[1]);
	}
}

Test(control, f30_a_line_without_end_is_cut_off)
{
	static char flood[RV_CONTROL_MAX + 100000];
	json_t *request = NULL;
	const char *verb = NULL;
	struct rv_why why = {{0}};
	struct rv_buf in;
	size_t sent = 0;
	int fds[2];
	int err = RV_E_BUSY;

	socket_pair(fds);
	rv_buf_init(&in);
	memset(flood, ' ', sizeof flood);
	while (err == RV_E_BUSY) {
		ssize_t n = send(fds[1], flood, sizeof flood - sent, MSG_DONTWAIT);

		if (n > 0)
			sent += (size_t)n;
		err = rv_control_read(fds[0], &in, &request, &verb, &why);
	}
	cr_assert(eq(int, err, RV_E_TOOBIG));
	rv_assert_has(why.text, "1048576 bytes");
	cr_assert(lt(sz, in.space, (size_t)4 << 20));
	rv_buf_fini(&in);
}

/* The daemon's half in the same process: its answer is there before the client asks. */
static int call(const char *answer, json_t **ret_reply, struct rv_why *why, char *seen,
		size_t space)
{
	json_t *request = rv_control_request("status");
	int fds[2];
	ssize_t n;
	int err;

	socket_pair(fds);
	if (answer)
		put(fds[1], answer);
	if (answer && answer[0] == '\0')
		(void)shutdown(fds[1], SHUT_WR);
	err = rv_control_call(fds[0], request, 50000, ret_reply, why);
	n = recv(fds[1], seen, space - 1, MSG_DONTWAIT);
	seen[n > 0 ? n : 0] = '\0';
	json_decref(request);
	(void)close(fds[0]);
	(void)close(fds[1]);
	return err;
}

Test(control, a_call_and_its_answers)
{
	struct rv_why why = {{0}};
	json_t *reply = NULL;
	int64_t pid = 0;
	char seen[256];

	cr_assert(eq(int,
		     call("{\"v\":1,\"ok\":true,\"pid\":7}\n", &reply, &why, seen, sizeof seen),
		     RV_OK),
		  "%s", why.text);
	rv_assert_text(seen, "{\"v\":1,\"verb\":\"status\"}\n");
	cr_assert(eq(int, rv_json_get_int(reply, "pid", &pid, NULL), RV_OK));
	cr_assert(eq(i64, pid, 7));
	rv_json_free(&reply);
	cr_assert(eq(int,
		     call("{\"v\":1,\"ok\":false,\"error\":\"no such pool\",\"exit\":3}\n", &reply,
			  &why, seen, sizeof seen),
		     RV_E_NOTFOUND));
	rv_assert_text(why.text, "no such pool");
	cr_assert(eq(int, call("{\"v\":1,\"ok\":false}\n", &reply, &why, seen, sizeof seen),
		     RV_E_INTERNAL));
	cr_assert(eq(int,
		     call("{\"v\":1,\"ok\":false,\"error\":\"x\",\"exit\":200}\n", &reply, &why,
			  seen, sizeof seen),
		     RV_E_INTERNAL));
	cr_assert(eq(int,
		     call("{\"v\":1,\"ok\":false,\"error\":5}\n", &reply, &why, seen, sizeof seen),
		     RV_E_PARSE));
	cr_assert(eq(int, call("{\"v\":1}\n", &reply, &why, seen, sizeof seen), RV_E_PARSE));
	cr_assert(eq(int, call("nonsense\n", &reply, &why, seen, sizeof seen), RV_E_PARSE));
	rv_assert_has(why.text, "cannot be read");
	cr_assert(eq(int, call(NULL, &reply, &why, seen, sizeof seen), RV_E_TIMEOUT));
	rv_assert_has(why.text, "in time");
	cr_assert(eq(int, call("", &reply, &why, seen, sizeof seen), RV_E_CLOSED));
	cr_assert(eq(ptr, reply, NULL));
}

/* A daemon that refuses early has closed already when the client writes; its words still count. */
Test(control, a_refusal_before_the_request_was_read)
{
	json_t *request = rv_control_request("status");
	struct rv_why why = {{0}};
	json_t *reply = NULL;
	struct rv_buf out;
	size_t sent = 0;
	int fds[2];

	rv_buf_init(&out);
	socket_pair(fds);
	(void)rv_fail(&why, RV_E_DENIED, "user 5 may not stop it");
	cr_assert(eq(int, rv_control_refusal(RV_E_DENIED, &why, &out), RV_OK));
	rv_assert_text(rv_buf_text(&out),
		       "{\"v\":1,\"ok\":false,\"error\":\"user 5 may not stop it\",\"exit\":4}\n");
	cr_assert(eq(int, rv_control_flush(fds[1], &out, &sent), RV_OK));
	(void)close(fds[1]);
	why.text[0] = '\0';
	cr_assert(eq(int, rv_control_call(fds[0], request, RV_S_US, &reply, &why), RV_E_DENIED));
	rv_assert_text(why.text, "user 5 may not stop it");
	json_decref(request);
	rv_buf_fini(&out);
}

Test(control, a_large_answer_goes_out_in_pieces)
{
	json_t *answer = rv_control_answer();
	static char big[700000];
	json_t *request = NULL;
	struct rv_buf out;
	struct rv_buf in;
	size_t sent = 0;
	int busy = 0;
	int fds[2];
	int err;

	memset(big, 'x', sizeof big - 1);
	rv_buf_init(&out);
	rv_buf_init(&in);
	socket_pair(fds);
	cr_assert(eq(int, rv_json_set_text(answer, "data", big), RV_OK));
	cr_assert(eq(int, rv_control_line(answer, &out), RV_OK));
	while ((err = rv_control_flush(fds[0], &out, &sent)) == RV_E_BUSY) {
		busy++;
		cr_assert(eq(int, rv_fd_read_some(fds[1], 65536, &in), RV_OK));
	}
	cr_assert(eq(int, err, RV_OK));
	cr_assert(lt(int, 0, busy));
	(void)close(fds[0]);
	while (rv_fd_read_some(fds[1], 65536, &in) == RV_OK)
		continue;
	cr_assert(eq(sz, in.size, out.size));
	cr_assert(eq(int, memcmp(in.data, out.data, in.size), 0));
	sent = 0;
	cr_assert(eq(int, rv_control_flush(fds[1], &out, &sent), RV_E_CLOSED));
	/* One that is past the bound is not begun. */
	cr_assert(eq(int, rv_json_set_text(answer, "more", big), RV_OK));
	rv_buf_reset(&out);
	cr_assert(eq(int, rv_control_line(answer, &out), RV_E_TOOBIG));
	cr_assert(eq(sz, out.size, 0));
	json_decref(answer);
	json_decref(request);
	rv_buf_fini(&out);
	rv_buf_fini(&in);
}

Test(control, f15_each_allocation_fails_once)
{
	unsigned count = 1;
	unsigned n = 0;
	int err = RV_E_NOMEM;

	json_set_alloc_funcs(rv_test_malloc, rv_test_free);
	while (count >= n) {
		json_t *request = NULL;
		json_t *answer = NULL;
		const char *verb = NULL;
		struct rv_buf out;
		struct rv_buf in;
		size_t sent = 0;
		int fds[2];

		socket_pair(fds);
		rv_buf_init(&out);
		rv_buf_init(&in);
		rv_test_alloc_fail(++n, 0);
		request = rv_control_request("status");
		err = request ? rv_control_line(request, &out) : RV_E_NOMEM;
		json_decref(request);
		request = NULL;
		if (err == RV_OK)
			err = rv_control_flush(fds[1], &out, &sent);
		if (err == RV_OK)
			err = rv_control_read(fds[0], &in, &request, &verb, NULL);
		answer = err == RV_OK ? rv_control_answer() : NULL;
		if (err == RV_OK)
			err = answer ? rv_control_line(answer, &out) : RV_E_NOMEM;
		if (err == RV_OK)
			err = rv_control_refusal(RV_E_BUSY, NULL, &out);
		count = rv_test_alloc_count();
		rv_test_alloc_fail(0, 0);
		cr_assert(err == RV_OK || err == RV_E_NOMEM, "%u: %d", n, err);
		json_decref(request);
		json_decref(answer);
		rv_buf_fini(&out);
		rv_buf_fini(&in);
		(void)close(fds[0]);
		(void)close(fds[1]);
	}
	cr_assert(eq(int, err, RV_OK), "with all its memory it works");
	cr_assert(lt(uint, 10, n));
}
