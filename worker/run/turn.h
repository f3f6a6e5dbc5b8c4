#ifndef RV_RUN_TURN_H
#define RV_RUN_TURN_H

/*
 * One run of one job, as it goes through claim → start → run → finish: each stage fills in more of
 * it, none goes back.  There is one in a worker; its memory is an arena, reset after each job.
 */

#include "base/arena.h"
#include "base/err.h"
#include "store/request.h"

#include <stdbool.h>
#include <stdint.h>

struct rv_conf_task;
struct rv_handler;
struct rv_worker;

enum rv_turn_phase {
	RV_TURN_NONE,     /* no job */
	RV_TURN_RUNNING,  /* started */
	RV_TURN_STOPPING, /* asked to stop, with ${reason} */
	RV_TURN_ENDED,    /* nothing of it is left; ${result} holds */
};

/* Why a run is stopped before its time; the first one stays. */
enum rv_stop_reason {
	RV_STOP_NONE,
	RV_STOP_TIMEOUT,
	RV_STOP_IDLE,   /* idle_timeout */
	RV_STOP_CANCEL, /* a person */
	RV_STOP_DRAIN,  /* the supervisor */
	RV_STOP_FENCED, /* we could not beat for a lease's length */
	RV_STOP_BEHIND, /* jobs that were sent ahead wait behind it */
};

/* How a run ended, as the handler saw it; finish.c makes an outcome of it. */
struct rv_result {
	enum { RV_RESULT_EXIT, RV_RESULT_OUTCOME } kind;
	enum rv_outcome outcome; /* OUTCOME: the handler has decided */
	int exit_code;           /* RV_EXIT_NONE, RV_EXIT_OOM */
	int signo;
	int64_t user_us, sys_us, maxrss_bytes; /* as in struct rv_ack */
	const char *words;       /* EXIT: the end of stderr, until the next run; NULL none */
	char text[RV_ERROR_MAX]; /* EXIT: last words of stderr; OUTCOME: the error */
};

struct rv_turn {
	/* claim */
	struct rv_claimed claim;
	const char *queue;
	unsigned place; /* index of its word in our slot */
	bool prefetched;
	/* start */
	enum rv_turn_phase phase;
	bool adhoc;
	const struct rv_conf_task *task; /* NULL: not configured */
	const struct rv_handler *handler;
	const char *spec;     /* rv_turn_load */
	const char *idem_key; /* rv_turn_load; NULL none */
	const char *meta;     /* the same */
	int64_t batch;        /* rv_turn_load; 0 none */
	size_t payload_size;  /* rv_turn_load */
	uint32_t payload_sum; /* rv_turn_load: what it must be */
	int64_t started_us;   /* wall */
	int64_t started_mono_us;
	/* run */
	enum rv_stop_reason reason;
	bool booting; /* pipe: its handler is not ready; no clock of the run ticks */
	bool retold;  /* pipe: it was given to a second handler, the first has not read it */
	bool warned;  /* of its soft_timeout */
	bool settled; /* how it ended is known, though something of it may be left: no reason now */
	int64_t limit_mono_us;             /* past it the run hangs; 0 none */
	int64_t heard_mono_us;             /* last output */
	int64_t printed_bytes, lost_bytes; /* rv_run_end */
	int lost_err;
	/* finish */
	struct rv_result result;
	struct rv_arena arena;
};

/*
 * start.c: reads spec and idempotency key of the job into the turn's arena.  RV_E_CORRUPT: they are
 * not what was enqueued; the job must not run.
 */
int rv_turn_load(struct rv_worker *worker, struct rv_turn *turn, struct rv_why *why) RV_MUST_CHECK;
/* start.c: the payload in a memfd at its start; -1 when there is none.  RV_E_CORRUPT as above. */
int rv_turn_payload(struct rv_worker *worker, struct rv_turn *turn, int *ret_fd,
		    struct rv_why *why) RV_MUST_CHECK;

/* start.c: RV_E_CORRUPT with the sentence for a ${what} that is not what was enqueued. */
int rv_turn_damaged(struct rv_why *why, const char *what);

/*
 * run.c, for handlers: the job printed something on ${stream} (enum rv_output_stream); the job is
 * at its end (turn->result is filled).
 */
void rv_turn_heard(struct rv_turn *turn, int stream, const void *data, size_t size);
void rv_turn_ended(struct rv_turn *turn);

/* run.c: asks the job to stop, kills it kill_after later; ${now}: kills it at once. */
void rv_turn_stop(struct rv_worker *worker, struct rv_turn *turn, enum rv_stop_reason reason,
		  bool now);

#endif
