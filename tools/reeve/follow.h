#ifndef RV_REEVE_FOLLOW_H
#define RV_REEVE_FOLLOW_H

/* The output of a job's runs onto our own stdout and stderr; once, or until the job is final. */

#include "cli.h"
#include "client/waiter.h"
#include "core/job.h"
#include "emit.h"

struct rv_output_reader;
struct rv_pace;

struct rv_follow {
	struct rv_cli *cli;
	int64_t job;
	int run;                         /* whose output is read; 0: none yet */
	int noted;                       /* the run of which was said that another follows */
	struct rv_emit emit;             /* how it is printed */
	struct rv_pace *pace;            /* owned; its bar stands below.  NULL: none */
	struct rv_output_reader *reader; /* owned */
	struct rv_waiter waiter;
	/* How it ended, when rv_follow_job says RV_OK. */
	enum rv_job_state state;
	int exit_code, signo;
	char error[512]; /* RV_ERROR_MAX and then some */
};

/*
 * The state_dir of the daemon that has, or would have, the folder ${name} in it; ${folder}: space
 * for it (RV_PATH_MAX), the answer may lie there.
 */
const char *rv_follow_state_dir(const struct rv_cli *cli, const char *name, char *folder,
				size_t space);

void rv_follow_init(struct rv_follow *follow, struct rv_cli *cli, int64_t job);
void rv_follow_fini(struct rv_follow *follow);

/* Opens the output of ${run}; prints what is there; ${*ret_any}: whether there was a record. */
int rv_follow_run(struct rv_follow *follow, int run, bool *ret_any) RV_MUST_CHECK;

/*
 * Prints the output of the present run and of those that follow until the job is final (RV_OK).
 * ${interrupted} is called for each INT, TERM or HUP (read from ${signal_fd}); false ends it with
 * RV_E_CLOSED, as does a closed stdout.
 */
int rv_follow_job(struct rv_follow *follow, int signal_fd,
		  bool (*interrupted)(struct rv_follow *follow, int signo)) RV_MUST_CHECK;

/*
 * --- follow_bar.c: while nothing comes, a bar that says how far the job is and how much longer it
 * takes, if anything is known of that.  For `run`; without open, the others do nothing.
 */
void rv_follow_bar_open(struct rv_follow *follow);
void rv_follow_bar_show(struct rv_follow *follow);
void rv_follow_bar_hide(struct rv_follow *follow);
void rv_follow_bar_close(struct rv_follow *follow);

/* The records of a run as a JSON array: [{"stream":…,"at":…,"text":…},{"stream":"dropped",…}]. */
int rv_follow_json(struct rv_cli *cli, int64_t job, int run, json_t **ret_list) RV_MUST_CHECK;

#endif
