#ifndef RV_PROCESS_E2E_H
#define RV_PROCESS_E2E_H

/*
 * The whole of reeve in a folder of a test: the real reeved with its keeper and workers, the real
 * CLI, jobs that write down what they do (testjob.c).  For Criterion tests and for plain mains.
 * Whatever goes wrong in the helpers, or in RV_NEED, prints a sentence and the daemon's log, ends
 * the daemon, removes the folder and aborts.
 */

#include "base/buf.h"
#include "helpers/child.h"
#include "store/read.h"
#include "wire/json.h"

#define RV_E2E_WAIT_MS 60000
#define RV_E2E_ENV     8

struct rv_e2e {
	char dir[256];
	struct rv_test_child daemon;
	int notify;         /* the NOTIFY_SOCKET */
	const char *cgroup; /* folder of the one that the daemon begins in; NULL: ours */
	char pairs[RV_E2E_ENV][320];
	const char *env[RV_E2E_ENV + 2];
	size_t nenv;
	struct rv_store *store; /* read-only, ours; opened when first asked for */
	struct rv_buf out, err; /* of the last rv_e2e_reeve */
	struct rv_job_view view;
};

#define RV_NEED(e, condition, ...)                                                                 \
	do {                                                                                       \
		if (!(condition))                                                                  \
			rv_e2e_fail(e, __FILE__, __LINE__, #condition, __VA_ARGS__);               \
	} while (0)
void rv_e2e_fail(struct rv_e2e *e, const char *file, int line, const char *condition,
		 const char *format, ...) RV_PRINTF(5, 6) __attribute__((noreturn));

/*
 * A folder with a reeve.ini: [reeve] and [defaults] of ours, [task:job] (see rv_e2e_job), then
 * ${more}, which needs a [pool:default].
 */
void rv_e2e_new(struct rv_e2e *e, const char *more, ...) RV_PRINTF(2, 3);
/* Writes reeve.ini anew. */
void rv_e2e_ini(struct rv_e2e *e, const char *more, ...) RV_PRINTF(2, 3);
/* NAME=value in the environment of the daemons started from now on. */
void rv_e2e_env(struct rv_e2e *e, const char *pair, ...) RV_PRINTF(2, 3);
void rv_e2e_no_env(struct rv_e2e *e);
const char *rv_e2e_path(const struct rv_e2e *e, const char *name);
/* The path of "reeve", "reeved", "rv_testjob" as built. */
const char *rv_e2e_program(const char *name);

/* Starts reeved; start waits for its READY=1. */
void rv_e2e_launch(struct rv_e2e *e);
void rv_e2e_start(struct rv_e2e *e);
/* Waits for a notification with ${text}. */
void rv_e2e_notified(struct rv_e2e *e, const char *text);
/* Waits for ${text} in the daemon's log; how often it is there. */
void rv_e2e_logged(struct rv_e2e *e, const char *text);
int rv_e2e_log_count(struct rv_e2e *e, const char *text);

/* SIGKILLs the supervisor and collects it; its children end by themselves. */
void rv_e2e_kill(struct rv_e2e *e);
/* TERM; it must end with 0. */
void rv_e2e_stop(struct rv_e2e *e);
/* The exit code of a daemon that ends by itself. */
int rv_e2e_exit(struct rv_e2e *e);
/*
 * What must hold when no daemon runs: no process with our mark, no job's process, sockets gone, the
 * lock free, no file that is not known, no failed check in the log, every invariant.
 */
void rv_e2e_clean(struct rv_e2e *e);
/* Waits until no process with the mark of a daemon of ours is left. */
bool rv_e2e_gone(const struct rv_e2e *e, int64_t timeout_ms);
/* clean, and the folder is removed.  end: stop before. */
void rv_e2e_fini(struct rv_e2e *e);
void rv_e2e_end(struct rv_e2e *e);

/* The pid of the child in ${slot} (0 the keeper); 0 when there is none. */
pid_t rv_e2e_child(const struct rv_e2e *e, int slot);
/* Waits until there is one. */
pid_t rv_e2e_await_child(struct rv_e2e *e, int slot);
/* Signals it; false when it is gone. */
bool rv_e2e_signal(const struct rv_e2e *e, int slot, int signo);
bool rv_e2e_signal_pid(pid_t pid, int signo);

/* `reeve WORD…`; the exit code; e->out and e->err have what it said. */
int rv_e2e_reeve(struct rv_e2e *e, const char *word, ...) __attribute__((sentinel));
int rv_e2e_reeve_words(struct rv_e2e *e, const char *const *words);
/* `reeve add WORD…`, which must succeed; the id. */
int64_t rv_e2e_add(struct rv_e2e *e, const char *word, ...) __attribute__((sentinel));
/* `reeve --json WORD…`, whatever it returns; json_decref it. */
json_t *rv_e2e_json(struct rv_e2e *e, const char *word, ...) __attribute__((sentinel));
/* `reeve wait --all` must return ${code}. */
void rv_e2e_wait_all(struct rv_e2e *e, int code);

/*
 * Adds a job of [task:job] that does ${what}, words of testjob.c: "ms=200 escape=double".  Waits
 * for nothing.  submit: ${count} at once, in this process.
 */
int64_t rv_e2e_job(struct rv_e2e *e, const char *what, ...) RV_PRINTF(2, 3);
/* Waits until the jobs have written ${text} into their log; how often it is there. */
void rv_e2e_job_says(struct rv_e2e *e, const char *text, ...) RV_PRINTF(2, 3);
int rv_e2e_job_count(struct rv_e2e *e, const char *text, ...) RV_PRINTF(2, 3);
/* Waits until ${text} is there ${count} times. */
void rv_e2e_job_says_times(struct rv_e2e *e, const char *text, int count);

struct rv_store *rv_e2e_store(struct rv_e2e *e);
/* A moment's view; texts live until the next call. */
const struct rv_job_view *rv_e2e_view(struct rv_e2e *e, int64_t job);
void rv_e2e_until(struct rv_e2e *e, int64_t job, enum rv_job_state state);
int64_t rv_e2e_count(struct rv_e2e *e, enum rv_job_state state);

/* Enqueues ${count} jobs of [task:job] in this process, in one transaction, and rings. */
void rv_e2e_submit(struct rv_e2e *e, const char *what, size_t count, int64_t *ret_ids);
/* The same with [task:noop], a builtin: what workers do fastest. */
void rv_e2e_submit_noops(struct rv_e2e *e, size_t count);

/* Each of ${ids} has succeeded, and its run has come to its end: never done without having run. */
void rv_e2e_all_ran(struct rv_e2e *e, const int64_t *ids, size_t count);

/* The next number of a row that a seed gives; below ${below}. */
uint64_t rv_e2e_dice(uint64_t *state, uint64_t below);
/* RV_SEEDS and RV_SEED of the environment: how many seeds from which on, else these. */
void rv_e2e_seeds(uint64_t *ret_first, uint64_t *ret_count, uint64_t usually, uint64_t all);

#endif
