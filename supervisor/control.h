#ifndef RV_SUPERVISOR_CONTROL_H
#define RV_SUPERVISOR_CONTROL_H

/* The control socket: who may come in, and what is answered (verbs.c). */

#include "supervisor/sup.h"
#include "wire/json.h"

int rv_control_open(struct rv_sup *sup, struct rv_why *why) RV_MUST_CHECK;
/* The same with the socket of our last image. */
int rv_control_adopt(struct rv_sup *sup, struct rv_why *why) RV_MUST_CHECK;
void rv_control_close(struct rv_sup *sup);

/* Ends connections that are too slow; when to be called next (0: no need). */
int64_t rv_control_expire(struct rv_sup *sup, int64_t now_us);
/* Every answer that was begun is sent, or its reader is gone. */
bool rv_control_is_idle(const struct rv_sup *sup);

/* A request, and the connection it came by. */
struct rv_ask {
	const json_t *request;
	int fd;         /* borrowed */
	bool has_more;  /* bytes after the request have been read */
	bool is_passed; /* out: the connection is somebody else's now; nothing is answered here */
};

/*
 * verbs.c: carries out ${verb}; ${answer} gets fields.  An error becomes the refusal with ${why}'s
 * sentence, but fields that were set (reload's errors) are sent all the same.
 */
int rv_verb_run(struct rv_sup *sup, const char *verb, struct rv_ask *ask, json_t *answer,
		struct rv_why *why) RV_MUST_CHECK;

/* status.c: everything that can be said, as fields of ${answer}. */
int rv_status_fill(struct rv_sup *sup, json_t *answer) RV_MUST_CHECK;

#endif
