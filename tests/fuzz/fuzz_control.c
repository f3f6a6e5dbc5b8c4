/* A line on the control socket: as the daemon reads a request, and as a client reads an answer. */
#include "fuzz.h"

#include "base/buf.h"
#include "wire/control.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIZE_MOST 32768 /* fits into a socket's buffer */

/* Sent in two pieces; the first may end anywhere. */
static void request(const uint8_t *data, size_t size)
{
	size_t cut = size > 0 ? data[0] % (size + 1) : 0;
	struct rv_why why = {.text = ""};
	const char *verb = NULL;
	json_t *json = NULL;
	struct rv_buf in;
	int fds[2];
	int err = RV_E_BUSY;

	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	rv_buf_init(&in);
	for (int piece = 0; piece < 2 && err == RV_E_BUSY; piece++) {
		const uint8_t *from = piece ? data + cut : data;
		size_t n = piece ? size - cut : cut;

		FUZZ_CHECK(send(fds[1], from, n, MSG_NOSIGNAL) == (ssize_t)n);
		err = rv_control_read(fds[0], &in, &json, &verb, &why);
	}
	if (err == RV_OK) {
		FUZZ_CHECK(json_is_object(json) && verb);
	} else {
		FUZZ_CHECK(err == RV_E_BUSY || why.text[0] != '\0');
		FUZZ_CHECK(!json);
	}
	json_decref(json);
	rv_buf_fini(&in);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void reply(const uint8_t *data, size_t size)
{
	struct rv_why why = {.text = ""};
	json_t *ask = rv_control_request("status");
	json_t *got = NULL;
	int fds[2];
	int err;

	FUZZ_CHECK(ask);
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	FUZZ_CHECK(send(fds[1], data, size, MSG_NOSIGNAL) == (ssize_t)size);
	FUZZ_CHECK(shutdown(fds[1], SHUT_WR) == 0);
	err = rv_control_call(fds[0], ask, 1000000, &got, &why);
	FUZZ_CHECK((err == RV_OK) == (got != NULL));
	FUZZ_CHECK(err == RV_OK || why.text[0] != '\0');
	FUZZ_CHECK(err == RV_OK || (err < 0 && rv_err_exit(err) > 0));
	json_decref(got);
	json_decref(ask);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size <= SIZE_MOST) {
		request(data, size);
		reply(data, size);
	}
	return 0;
}
