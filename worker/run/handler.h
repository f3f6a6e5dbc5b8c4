#ifndef RV_RUN_HANDLER_H
#define RV_RUN_HANDLER_H

/*
 * A kind of handler: how jobs of a task are run.  One file a kind, a line in handler.def.  All in
 * the worker's process and thread; none of them may wait.
 */

#include "base/err.h"

#include <stdbool.h>

struct rv_turn;
struct rv_worker;

enum rv_stop_how {
	RV_STOP_ASK,  /* the task's stop_signal */
	RV_STOP_KILL, /* at once; what cannot be killed is waited for */
};

struct rv_handler {
	const char *name;
	/* Once a process, before the first job; and at its end, with no job running. */
	int (*open)(struct rv_worker *worker, struct rv_why *why);
	void (*close)(struct rv_worker *worker);
	bool quick; /* its jobs may run out of a prefetch: most are over in far less than
		       RV_BATCH_US */
	/*
	 * Begins the job.  RV_OK: rv_turn_ended() was or will be called.  An error has left nothing
	 * behind: BUSY and NOMEM are ours (try later), any other is the job's for good (FATAL).
	 */
	int (*start)(struct rv_worker *worker, struct rv_turn *turn, struct rv_why *why);
	/* Takes in what the job has for us, without waiting; also called while the writer waits. */
	void (*ready)(struct rv_turn *turn);
	void (*stop)(struct rv_worker *worker, struct rv_turn *turn, enum rv_stop_how how);
	/* Its soft_timeout has come: tells the job, which goes on.  False: it cannot be told. */
	bool (*warn)(struct rv_turn *turn);
	/* The turn is over: frees what start made, fills the rest of turn->result. */
	void (*end)(struct rv_turn *turn);
};

#define HANDLER(name, doc) extern const struct rv_handler rv_handler_##name;
#include "run/handler.def"
#undef HANDLER

#endif
