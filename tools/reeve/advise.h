#ifndef RV_REEVE_ADVISE_H
#define RV_REEVE_ADVISE_H

/* What reeve advise knows before it asks the rules (core/advise.h): a task's history, or a trial.
 */

#include "cli.h"
#include "core/advise.h"

#define RV_ADVISE_JOBS    1000 /* the newest ones of a task that are looked at */
#define RV_ADVISE_OUTPUTS 50   /* of them, those whose output is read for silences */

/*
 * What the store has counted of ${task}, and of its newest jobs.  The store is open.  A task that
 * nobody knows is the caller's matter: here it has no runs.
 */
int rv_advise_history(struct rv_cli *cli, const char *task,
		      struct rv_facts *ret_facts) RV_MUST_CHECK;

/*
 * Runs ${argv} ${runs} times, one after the other, as children of ours with our environment, folder
 * and user, /dev/null as stdin, and nobody reading what they print.  Each is killed, with its
 * group, after ${timeout_us} (0: never).  RV_E_MISSING: it cannot be started.  ${*ret_signo}: the
 * signal that ended it all; 0 none.
 */
int rv_advise_trial(struct rv_cli *cli, char *const *argv, int64_t runs, int64_t timeout_us,
		    struct rv_facts *ret_facts, int *ret_signo) RV_MUST_CHECK;

/* The machine, and how many workers serve ${queue} by the configuration. */
void rv_advise_place(const struct rv_cli *cli, const char *queue, struct rv_facts *facts);

/* The limits of its jobs; ${keys}: how many keys they have, 0: not all have one. */
struct rv_conf;
struct rv_conf_task;
void rv_advise_limits(const struct rv_conf *conf, const struct rv_conf_task *task, int64_t keys,
		      struct rv_facts *facts);

#endif
