#ifndef RV_REEVE_CLI_H
#define RV_REEVE_CLI_H

/* What a verb works with: its arguments, its output, and the client, opened when first needed. */

#include "args.h"
#include "client/client.h"
#include "out.h"

#include <jansson.h>
#include <stdbool.h>

struct rv_conf_errors;

struct rv_cli {
	struct rv_args args;
	struct rv_out out;
	struct rv_client client;
	bool loaded; /* the configuration is read */
	bool json;
	json_t *findings;  /* owned; the mistakes of a configuration, for an error in JSON */
	struct rv_why why; /* of the last error; verbs pass &cli->why down */
};

/*
 * Says why on stderr ("reeve: …"; with --json an object, see reeve(1)) and gives the program's exit
 * code for ${err}.
 */
int rv_cli_fail(struct rv_cli *cli, int err) RV_MUST_CHECK;
/* The same with a sentence of its own. */
int rv_cli_say(struct rv_cli *cli, int err, const char *format, ...) RV_PRINTF(3, 4) RV_MUST_CHECK;
/* A remark on stderr; changes nothing. */
void rv_cli_note(const char *format, ...) RV_PRINTF(1, 2);

/* From now on errors and remarks are JSON, an object a line. */
void rv_cli_speak_json(void);
/* [{"where":…,"text":…,"warning":…}]; NULL when out of memory. */
json_t *rv_cli_findings(const struct rv_conf_errors *errors, bool warnings) RV_MUST_CHECK;

/* Reads the configuration; every mistake goes to stderr.  Once. */
int rv_cli_load(struct rv_cli *cli) RV_MUST_CHECK;
/* Reads the configuration and opens the store. */
int rv_cli_store(struct rv_cli *cli, enum rv_client_mode mode) RV_MUST_CHECK;
/* For those who wait: to be rung takes a row; who may not write looks once a second. */
int rv_cli_store_waiting(struct rv_cli *cli) RV_MUST_CHECK;
/* While waiting: RV_E_REPLACED with a sentence once the open store is not the one at its path. */
int rv_cli_same_store(struct rv_cli *cli) RV_MUST_CHECK;

/* Prints ${object} (taken) with "v":1 first, on stdout.  The program's exit code. */
int rv_cli_json(struct rv_cli *cli, json_t *object) RV_MUST_CHECK;
/* {"v":1} to add to; NULL when out of memory. */
json_t *rv_cli_object(void) RV_MUST_CHECK;

/* --- outputs.c */

/*
 * For whoever removes: the folder that has the output/ of this very store, perhaps in ${folder}
 * (RV_PATH_MAX).  NULL: the store was named by hand and never locked, or another one may live in
 * its folder, so that it may be a copy.
 */
const char *rv_outputs_home(const struct rv_cli *cli, char *folder, size_t space);
/*
 * The outputs of a job that was deleted, of ${runs} runs, go with it.  What we may not remove is
 * left to `reeve db cleanup` of somebody who may.  Those of a store whose home nobody can tell
 * stay.
 */
void rv_outputs_forget(const struct rv_cli *cli, int64_t job, int runs);

/* --- outputs_undone.c */

/* Calls ${each} for every entry of ${folder} but hidden ones; its error ends it.  No folder, none.
 */
int rv_each_name(struct rv_cli *cli, const char *folder,
		 int (*each)(void *ctx, const char *folder, const char *name),
		 void *ctx) RV_MUST_CHECK;
/* The job and the run of "17.2.out" or "17.2.tail"; false: another name. */
bool rv_output_of(const char *name, int64_t *ret_job, int64_t *ret_run);
/*
 * After a restore, before anybody runs anything: the outputs of runs that the store knows nothing
 * of, of jobs that it knows, go into a folder of their own (${ret_aside}, RV_PATH_MAX; "" there
 * were none): the run that is given that number again may print nothing.  ${ret_count}: how many.
 */
int rv_outputs_undone(struct rv_cli *cli, char *ret_aside, int64_t *ret_count) RV_MUST_CHECK;

#endif
