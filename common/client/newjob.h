#ifndef RV_CLIENT_NEWJOB_H
#define RV_CLIENT_NEWJOB_H

/*
 * A job to be, from what somebody said: words of a command line, a line of JSON, fields of a
 * library.  Everything it points to lives in an arena of the caller's; the store is not needed yet.
 * CLI, library and keeper.
 */

#include "base/arena.h"
#include "store/request.h"

#include <jansson.h>

struct rv_args;
struct rv_conf;

struct rv_newjob {
	const struct rv_conf *conf; /* borrowed; NULL: no command may be given, and what a task
				       takes is not checked */
	const char *store_path;     /* borrowed; whose owner a command must be able to run as; or
				       NULL */
	const struct rv_args *args; /* borrowed; of the command line that the CLI makes it from */
	struct rv_why *why;         /* borrowed */
	struct rv_arena *arena;     /* borrowed */
	struct rv_job_new job;      /* out */
};

/*
 * An object or a line of JSON, as reeve(1) has it under "add --from-file".  RV_E_USAGE, RV_E_PARSE,
 * RV_E_TOOBIG, RV_E_REFUSED (ad-hoc commands are not allowed), RV_E_DENIED (a variable that may not
 * be set; a folder the daemon cannot enter), RV_E_NOTFOUND (a file), with the sentence in ${why}.
 */
int rv_newjob_from_object(struct rv_newjob *new, const json_t *line) RV_MUST_CHECK;
int rv_newjob_from_json(struct rv_newjob *new, const char *text, size_t size) RV_MUST_CHECK;

/*
 * The way back: an object from which rv_newjob_from_object makes the same job again, but for its
 * uid.  RV_E_PARSE: something of it cannot be said in JSON (a text that is no UTF-8).  The object
 * is the caller's.
 */
int rv_newjob_say(const struct rv_job_new *job, json_t **ret_object) RV_MUST_CHECK;

/*
 * A row of the inbox: a task's job; commands are refused, because nobody knows who inserted it.
 * RV_E_NOTFOUND never.
 */
int rv_newjob_from_row(struct rv_newjob *new, const struct rv_inbox_row *row) RV_MUST_CHECK;

/*
 * The spec of a task's arguments or of a command, checked; errors as above.  ${args} and ${env} are
 * JSON objects of strings, ${command} an array of strings; all borrowed, NULL: none.
 */
int rv_newjob_task_spec(struct rv_newjob *new, json_t *args) RV_MUST_CHECK;
int rv_newjob_command_spec(struct rv_newjob *new, json_t *command, const char *cwd,
			   json_t *env) RV_MUST_CHECK;

/*
 * How long its unique key is held, what is done when another job holds it, and how its parents must
 * end; each NULL when it was not said.  After the keys and parents are read; looks at them as well.
 * ${options}: the words are those of options, "--until", not of fields.
 */
int rv_newjob_admit(struct rv_newjob *new, const char *until, const char *on_conflict,
		    const char *on, bool options) RV_MUST_CHECK;
/* RV_E_TOOBIG, naming ${what}, when a label is longer than a key may be. */
int rv_newjob_label(struct rv_newjob *new, const char *what, const char *label) RV_MUST_CHECK;

/* "NAME=VALUE" into ${object}; a name given twice is an error unless ${again}. */
int rv_newjob_pair(struct rv_newjob *new, json_t *object, const char *pair,
		   bool again) RV_MUST_CHECK;
/* ${size} bytes of text as a JSON string; RV_E_PARSE when it is no UTF-8. */
int rv_newjob_string(struct rv_newjob *new, const char *what, const char *text, size_t size,
		     json_t **ret_json) RV_MUST_CHECK;
/* ${json} as compact text, kept in the arena, with a NUL after it. */
int rv_newjob_keep(struct rv_newjob *new, const json_t *json, const char **ret_text,
		   size_t *ret_size) RV_MUST_CHECK;

#endif
