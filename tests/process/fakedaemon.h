#ifndef RV_PROCESS_FAKEDAEMON_H
#define RV_PROCESS_FAKEDAEMON_H

/*
 * The real reeved over fake children (helpers/fakechild.c) in a private folder:
 *   reeve.ini  state/  libexec/  fake/log (what happened to the children)  err (reeved's stderr)
 * Every wait aborts the test with a sentence and both logs when it takes too long.
 */

#include "helpers/child.h"
#include "wire/json.h"

#include <stdbool.h>

#define RV_FAKE_WAIT_MS 15000

struct rv_fake {
	char dir[512];
	char control[600];
	struct rv_test_child child;
	const char *env[16]; /* more of reeved's environment; NULL-terminated */
	size_t nenv;
	int notify;               /* socket of rv_fake_notify; -1 */
	const char *stop_timeout; /* for rv_fake_ini; "2s" */
	const char *program;      /* instead of our reeved */
	bool no_file;             /* stderr is piped to the test instead of err */
};

/* A fresh folder with the children in place and a configuration of ${workers} workers. */
void rv_fake_new(struct rv_fake *fake, int workers);
/* reeve.ini: [reeve] with the folders and stop_timeout, kill_after 500ms, then ${more}. */
void rv_fake_ini(struct rv_fake *fake, const char *more, ...) RV_PRINTF(2, 3);
/* What children named ${who} ("worker", "keeper", "worker.3") are to do when they start. */
void rv_fake_orders(struct rv_fake *fake, const char *who, const char *orders, ...) RV_PRINTF(3, 4);
void rv_fake_env(struct rv_fake *fake, const char *pair);
/* Binds a socket for sd_notify and gives it to reeved. */
void rv_fake_notify(struct rv_fake *fake);

void rv_fake_start(struct rv_fake *fake);
/* Started, and the log says that it is ready. */
void rv_fake_up(struct rv_fake *fake, int workers);
/* TERM, exit code 0, then rv_fake_clean. */
void rv_fake_down(struct rv_fake *fake);
/* No process of its children is left, no socket; forgets the folder's content. */
void rv_fake_clean(struct rv_fake *fake);

/* Waits for a line in the children's log, or in reeved's own, that has ${text}. */
void rv_fake_await(struct rv_fake *fake, const char *text, ...) RV_PRINTF(2, 3);
void rv_fake_await_err(struct rv_fake *fake, const char *text, ...) RV_PRINTF(2, 3);
/* Until ${count} lines of the children's log have ${text}. */
void rv_fake_await_count(struct rv_fake *fake, const char *text, int count);
int rv_fake_count(struct rv_fake *fake, const char *text);
bool rv_fake_err_has(struct rv_fake *fake, const char *text);
/* The next notification that has ${text}. */
void rv_fake_await_notify(struct rv_fake *fake, const char *text);

/* pid and incarnation of the last child that was started in ${slot}. */
pid_t rv_fake_pid(struct rv_fake *fake, int slot, unsigned long long *ret_incarnation);
/* Lets that child carry out ${orders} now. */
void rv_fake_order(struct rv_fake *fake, int slot, const char *orders, ...) RV_PRINTF(3, 4);

/* Rings the doorbell. */
void rv_fake_ring(struct rv_fake *fake, uint64_t token);

/* A request on the control socket: the reply (json_decref it) or NULL with the refusal in ${why}.
 */
json_t *rv_fake_try(struct rv_fake *fake, const char *request, int *ret_err, struct rv_why *why);
/* The same, again and again while the daemon says that it has too many requests. */
json_t *rv_fake_call(struct rv_fake *fake, const char *request, int *ret_err, struct rv_why *why);
/* Waits until `status` says so; ${path}: "daemon.state", "pool.alive" or "pool.state". */
void rv_fake_await_status(struct rv_fake *fake, const char *path, const char *value);

#endif
