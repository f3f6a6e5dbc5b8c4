#ifndef RV_WIRE_CONTROL_H
#define RV_WIRE_CONTROL_H

/*
 * The control socket: one JSON line each way, then the daemon closes.
 *   → {"v":1,"verb":"status", …}
 *   ← {"v":1,"ok":true, …}   or   {"v":1,"ok":false,"error":"sentence","exit":N}
 * docs/PROTOCOL.md §control socket is normative; verbs are the supervisor's.
 */

#include "base/err.h"
#include "wire/json.h"

#include <stddef.h>
#include <stdint.h>

struct rv_buf;

#define RV_CONTROL_VERSION 1
#define RV_CONTROL_MAX     (1U << 20) /* bytes of one line, either way, with its newline */

/* {"v":1,"verb":${verb}} to add fields to; NULL when out of memory.  The caller owns it. */
json_t *rv_control_request(const char *verb) RV_MUST_CHECK;

/*
 * The client (CLI, libreeve): writes ${request} to ${fd}, a connected blocking socket (borrowed;
 * see rv_sock_connect), reads the one reply, all within ${timeout_us}.  RV_OK: ${*ret_reply} is the
 * ok reply (owned by the caller).  A refusal gives the RV_E_* whose program exit code is its "exit"
 * (else RV_E_INTERNAL), ${why} its sentence, no reply.  RV_E_TIMEOUT, RV_E_CLOSED, RV_E_PARSE.
 */
int rv_control_call(int fd, const json_t *request, int64_t timeout_us, json_t **ret_reply,
		    struct rv_why *why) RV_MUST_CHECK;

/*
 * The daemon, for each connection a non-blocking ${fd} and a buffer of its own: reads what is
 * there. RV_OK: a request is complete in ${*ret_request} (owned by the caller), ${*ret_verb}
 * (borrowed from it) is its verb; RV_E_BUSY: not yet whole; RV_E_CLOSED, RV_E_TOOBIG, RV_E_PARSE:
 * answer with rv_control_refusal where that still makes sense, and close.
 */
int rv_control_read(int fd, struct rv_buf *in, json_t **ret_request, const char **ret_verb,
		    struct rv_why *why) RV_MUST_CHECK;

/*
 * Either end, without blocking: what is there goes into ${in}.  RV_OK: a whole line is in it, of
 * ${*ret_length} bytes without its newline; RV_E_BUSY: not yet; RV_E_CLOSED: no more comes;
 * RV_E_TOOBIG: more than ${max} bytes.  drop: the line and its newline leave the buffer.
 */
int rv_control_get_line(int fd, struct rv_buf *in, size_t max, size_t *ret_length) RV_MUST_CHECK;
void rv_control_drop_line(struct rv_buf *in, size_t length);

/* {"v":1,"ok":true} to add fields to; NULL when out of memory. */
json_t *rv_control_answer(void) RV_MUST_CHECK;
/* Appends the line of an answer, or of a refusal with ${err}'s exit code and ${why}'s sentence. */
int rv_control_line(const json_t *answer, struct rv_buf *out) RV_MUST_CHECK;
int rv_control_refusal(int err, const struct rv_why *why, struct rv_buf *out) RV_MUST_CHECK;
/* Sends the buffer from ${*sent} on, without blocking: RV_OK all gone, RV_E_BUSY, RV_E_CLOSED. */
int rv_control_flush(int fd, const struct rv_buf *out, size_t *sent) RV_MUST_CHECK;

#endif
