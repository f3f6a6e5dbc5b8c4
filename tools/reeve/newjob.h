#ifndef RV_REEVE_NEWJOB_H
#define RV_REEVE_NEWJOB_H

/*
 * A job to be, from the command line or from a line of JSON.  Everything it points to lives in an
 * arena of the caller's; the store is not needed yet.
 */

#include "base/arena.h"
#include "cli.h"
#include "store/request.h"

struct rv_newjob {
	struct rv_cli *cli;     /* borrowed; its configuration is loaded */
	struct rv_arena *arena; /* borrowed */
	struct rv_job_new job;  /* out */
};

/*
 * RV_E_USAGE, RV_E_PARSE, RV_E_TOOBIG, RV_E_REFUSED (ad-hoc commands are not allowed), RV_E_DENIED
 * (a variable that may not be set; a folder the daemon cannot enter), RV_E_NOTFOUND (a file), with
 * the sentence in cli->why.
 */
int rv_newjob_from_args(struct rv_newjob *new) RV_MUST_CHECK;
int rv_newjob_from_json(struct rv_newjob *new, const char *text, size_t size) RV_MUST_CHECK;

/*
 * Shared by both (spec.c): the spec of a task's arguments or of a command, checked.  ${args} and
 * ${env} are JSON objects of strings, ${command} an array of strings; all borrowed, NULL: none.
 */
int rv_newjob_task_spec(struct rv_newjob *new, json_t *args) RV_MUST_CHECK;
int rv_newjob_command_spec(struct rv_newjob *new, json_t *command, const char *cwd,
			   json_t *env) RV_MUST_CHECK;

/* NULL-terminated text of ${size} bytes as a JSON string; RV_E_PARSE when it is no UTF-8. */
int rv_newjob_string(struct rv_newjob *new, const char *what, const char *text, size_t size,
		     json_t **ret_json) RV_MUST_CHECK;

#endif
