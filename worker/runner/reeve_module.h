#ifndef RV_RUNNER_REEVE_MODULE_H
#define RV_RUNNER_REEVE_MODULE_H

/*
 * A module of reeve: a shared object whose functions run the jobs of a task (reeve_module(3)).
 *
 *     [task:words]
 *     handler = module
 *     module  = /usr/local/lib/reeve/words.so
 *
 *     cc -shared -fPIC $(pkg-config --cflags reeve-module) -o words.so words.c
 *
 * It exports one symbol, `reeve_module`, and links nothing of reeve's.  It is loaded into a process
 * of its own (one for each worker that meets a job of the task), which has no store, no socket of
 * the daemon, and no thread but the one that calls.  If it crashes, the job that it had crashes and
 * no other.  It must not bring an SQLite of its own: it is refused if one can be seen.
 *
 * Texts are UTF-8 and end with a NUL; what is given lives until the function that it was given to
 * returns.  What is handed back is copied at once.  Calls on a run are for the thread that run()
 * was called in.
 *
 * Growth: both structs say how large they are; a newer reeve adds fields at their end, and takes
 * modules that were built before.  REEVE_MODULE_ABI changes only when that is not enough.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define REEVE_MODULE_ABI        1
#define REEVE_MODULE_AHEAD_MAX  64
#define REEVE_MODULE_RESULT_MAX 65536 /* bytes of a result */

/* What became of a job.  Any other value is REEVE_RUN_FAILED. */
enum reeve_run_outcome {
	REEVE_RUN_DONE = 0,
	REEVE_RUN_FAILED = 1, /* a failed attempt: tried again, as the task says */
	REEVE_RUN_FATAL = 2,  /* never again: a dead letter */
	REEVE_RUN_LATER = 3,  /* not now: it burns no attempt */
};

/* One run of one job. */
struct reeve_run {
	size_t size; /* of this struct, as reeve has it */
	int64_t job;
	int64_t fence;        /* grows with each claim of the job: give it to what must not be done
				 twice */
	int64_t deadline_us;  /* wall clock, microseconds since 1970, UTC; 0 none */
	int64_t batch;        /* that it is in; 0 none */
	int32_t number;       /* of the run: counts each start of the job, from 1 */
	int32_t attempt;      /* what its retries are counted by, from 1 */
	int32_t max_attempts; /* the last one */
	int32_t outcome;      /* run_batch: for the module to set, enum reeve_run_outcome */
	const char *task, *queue, *idempotency_key;
	const char *args;                /* a JSON object; see arg() */
	const char *key, *labels, *meta; /* labels: a JSON array; meta: an object; NULL none */
	const void *payload;             /* NULL none; a NUL behind it is not counted */
	size_t payload_size;
	void *own; /* the module's, for this run; NULL when it begins */

	/* The argument ${name}: a text as it is, anything else as JSON; NULL: there is none. */
	const char *(*arg)(struct reeve_run *run, const char *name);
	/* 0 to 100, with what it is at (NULL none).  Below 0: only that it lives (idle_timeout). */
	void (*progress)(struct reeve_run *run, int percent, const char *message);
	/* A line of output, as if printed on stdout (stderr: not 0), but surely this run's. */
	void (*log)(struct reeve_run *run, int to_stderr, const char *text);
	/* What `reeve result` prints.  -1: larger than REEVE_MODULE_RESULT_MAX, or no UTF-8. */
	int (*result)(struct reeve_run *run, const char *text, size_t size);
	/* Why it is not done, on one line; what is past 1,000 bytes is cut. */
	void (*error)(struct reeve_run *run, const char *text);
	/* FAILED, LATER: when to try again, milliseconds from now, in place of the task's backoff.
	 */
	void (*again)(struct reeve_run *run, int64_t after_ms);
	/*
	 * Not 0: it is to stop, by cancel, timeout or the end of its worker.  What it returns then
	 * changes nothing; kill_after later its process is killed.  Costs a system call.
	 */
	int (*cancelled)(struct reeve_run *run);
	/* Not 0: the task's soft_timeout has come.  It may go on; timeout comes next. */
	int (*late)(struct reeve_run *run);
};

struct reeve_module {
	uint32_t abi;     /* REEVE_MODULE_ABI */
	uint32_t size;    /* sizeof(struct reeve_module) */
	const char *name; /* for people */
	/*
	 * How many jobs may be fetched for it before the first is done: 1 to
	 * REEVE_MODULE_AHEAD_MAX, 0 is 1.  More than one for jobs that take less than a few
	 * milliseconds: they wait for each other, and what they print, other than by log(), may
	 * stand in another's output.
	 */
	uint32_t ahead;
	/*
	 * Once, before the first job; NULL: nothing to do.  The environment is the task's, with
	 * REEVE_TASK; ready_timeout is how long it may take.  0: ready, ${*ret_state} is given to
	 * the others.  REEVE_RUN_FATAL: it never will be, and the job that waited is a dead letter;
	 * else it is tried again, later.  ${error} (${space} bytes): why, for people.
	 */
	int (*open)(void **ret_state, char *error, size_t space);
	/* Runs one job; enum reeve_run_outcome. */
	int (*run)(void *state, struct reeve_run *run);
	/* Once, when there are no more jobs; NULL: nothing to do.  Not called when it is killed. */
	void (*close)(void *state);
	/*
	 * NULL, or called in place of run() with all the jobs that are there, up to ${ahead}, the
	 * oldest first: for what is cheaper done together, such as one transaction.  Sets
	 * ${outcome} of each, which is REEVE_RUN_DONE before.  All are answered when it returns:
	 * the clock that ticks until then, and what a crash in it counts against, is that of
	 * runs[0].
	 */
	void (*run_batch)(void *state, struct reeve_run *const *runs, size_t count);
};

/* What a module defines; seen also where it is compiled with -fvisibility=hidden. */
extern const struct reeve_module reeve_module __attribute__((visibility("default")));

#ifdef __cplusplus
}
#endif

#endif
