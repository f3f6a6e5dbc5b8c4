#ifndef RV_TESTHELP_FAKESUP_H
#define RV_TESTHELP_FAKESUP_H

/*
 * A supervisor made of a test: starts the real reeve-worker or reeve-keeper with a channel on 3, an
 * area on 4 and a configuration on 5, and hears what it says.  One a test.  Failures of the helper
 * itself print a sentence and abort.
 */

#include "base/attr.h"
#include "helpers/child.h"
#include "store/read.h"
#include "wire/area.h"
#include "wire/sup.h"

#include <stdbool.h>
#include <stdint.h>

#define RV_FAKESUP_SLOTS 8

struct rv_fakesup {
	const char *folder;     /* state_dir; all of it lies there */
	char path[256];         /* of the store */
	char log[256];          /* of the children */
	struct rv_store *store; /* our own connection */
	struct rv_area area;    /* mapped */
	int area_fd, conf_fd, bell_fd, lock_fd;
	uint64_t area_id, last_incarnation;
	const char *const
		*env; /* NAME=value for the children, beside PATH; NULL-terminated or NULL */
};

struct rv_fakesup_child {
	struct rv_proc proc;
	int chan; /* -1: closed */
	unsigned slot;
	uint64_t incarnation;
};

/* ${ini} is put after [reeve], [store] and [log] of our own; it needs a [pool:default]. */
void rv_fakesup_open(struct rv_fakesup *sup, const char *ini);
/* Another configuration for the children that are started from now on. */
void rv_fakesup_conf(struct rv_fakesup *sup, const char *ini);
/* Makes the store, takes it (RAISE), mirrors the configuration: what the keeper does. */
void rv_fakesup_store(struct rv_fakesup *sup);
/* Opens a store that a real keeper has made. */
void rv_fakesup_attach(struct rv_fakesup *sup);
/* Closes all; the folder goes with rv_test_tmpdir_end. */
void rv_fakesup_close(struct rv_fakesup *sup);

/* ${slot} 0: the keeper, else a worker of the pool default.  Returns when it has said READY. */
void rv_fakesup_start(struct rv_fakesup *sup, unsigned slot, struct rv_fakesup_child *ret);
/* The same without waiting. */
void rv_fakesup_fork(struct rv_fakesup *sup, unsigned slot, struct rv_fakesup_child *ret);
void rv_fakesup_tell(struct rv_fakesup_child *child, enum rv_sup_kind kind, uint64_t a, uint64_t b,
		     uint64_t c);
/* Tells a whole message. */
void rv_fakesup_say(struct rv_fakesup_child *child, const struct rv_sup_msg *msg);
/* Hears messages until one of ${kind}; false after ${timeout_ms}, and at its end. */
bool rv_fakesup_hear(struct rv_fakesup_child *child, enum rv_sup_kind kind, int64_t timeout_ms,
		     struct rv_sup_msg *ret_msg);
/* Waits for its end: exit code, 128 + signal, or -1 after ${timeout_ms}. */
int rv_fakesup_wait(struct rv_fakesup_child *child, int64_t timeout_ms);
/* STOP 0, wait for the end; the exit code. */
int rv_fakesup_stop(struct rv_fakesup_child *child);
/* KILL, reap, close. */
void rv_fakesup_kill(struct rv_fakesup_child *child);

/* Enqueues; the id. */
int64_t rv_fakesup_add(struct rv_fakesup *sup, const struct rv_job_new *job);
/*
 * A job of ${task} with ${spec} (JSON, may be NULL), then WAKE to ${child} unless that is NULL.
 * Ad-hoc ones (task "") have one attempt and the queue default.
 */
int64_t rv_fakesup_run(struct rv_fakesup *sup, struct rv_fakesup_child *child, const char *task,
		       const char *spec);
/* Executes one request on our own connection; its error. */
int rv_fakesup_do(struct rv_fakesup *sup, struct rv_req *req);
/* Waits until the job's state is ${state}; false after ${timeout_ms}. */
bool rv_fakesup_until(struct rv_fakesup *sup, int64_t job, enum rv_job_state state,
		      int64_t timeout_ms);
/* A copy of what is known of it; texts live until the next call. */
const struct rv_job_view *rv_fakesup_job(struct rv_fakesup *sup, int64_t job);
/* Its newest attempt. */
const struct rv_attempt_view *rv_fakesup_attempt(struct rv_fakesup *sup, int64_t job);
/* All that the job printed on ${stream} (enum rv_output_stream; 0 any), in ${out}. */
size_t rv_fakesup_output(struct rv_fakesup *sup, int64_t job, int run, int stream, char *out,
			 size_t space);
/* How many invariants of the store are broken (each is printed). */
int rv_fakesup_broken(struct rv_fakesup *sup);

#endif
