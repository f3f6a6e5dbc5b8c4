#ifndef RV_CLIENT_REEVE_H
#define RV_CLIENT_REEVE_H

/*
 * (Longer than a header of ours should be: it is all that a program which uses the library sees.)
 *
 * libreeve: put jobs into a store of reeve and see what becomes of them.  No daemon is needed to
 * enqueue: a job that is stored waits for one.  See reeve(3).
 *
 * Times are microseconds: of the wall clock, UTC, since 1970 in names ending in _at_us, a length in
 * others.  Texts are UTF-8 and end with a NUL; NULL is "none" or "not said".
 *
 * Errors: each function that returns int gives 0 or a negative REEVE_E_*.  On an error the outputs
 * (ret_…) are untouched, unless it says otherwise, and reeve_error() has a sentence.
 *
 * Threads: a handle may be used by any number of threads; calls on one handle take turns, but
 * nobody's turn lasts while reeve_wait or reeve_events sleeps.  reeve_close is for the last one.
 * Signals that would stop a process are held back in the calling thread while it has the store's
 * write lock.  No threads, no signal handlers, no exit() of the library's own.
 *
 * Fork: a handle does not survive it.  In the child each call on it is refused (REEVE_E_USAGE), and
 * reeve_close only forgets it; open another one there.
 *
 * Growth: structs that you fill in begin with their size (use the INIT macros or reeve_new_init),
 * and those that the library gives out are only made by it, so both can get more fields at their
 * end.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum reeve_err {
	REEVE_OK = 0,
	REEVE_E_NOMEM = -1,
	REEVE_E_IO = -2,
	REEVE_E_CORRUPT = -3,  /* the store is damaged */
	REEVE_E_REPLACED = -4, /* the store's file was replaced or removed */
	REEVE_E_UNKNOWN =
		-5,        /* whether it was committed is not known: ask, or use idempotency keys */
	REEVE_E_BUSY = -7, /* nothing was done; the write lock was not had in time */
	REEVE_E_NOTFOUND = -9, /* no such job, task, queue, or no store */
	REEVE_E_DENIED = -10,
	REEVE_E_CONFLICT = -11, /* the unique key is held; the job is not in a state for this */
	REEVE_E_REFUSED = -13,  /* commands are not allowed here; the queue is draining */
	REEVE_E_NOSPACE = -14,
	REEVE_E_NOTRUN = -15,
	REEVE_E_USAGE = -17, /* something that was given is wrong */
	REEVE_E_PARSE = -18,
	REEVE_E_TOOBIG = -19,
	REEVE_E_CONF = -20,   /* the configuration cannot be used */
	REEVE_E_SCHEMA = -21, /* no store, or one of a newer reeve or of another build */
	REEVE_E_TIMEOUT = -22,
	REEVE_E_INTERNAL = -24,
	REEVE_E_FULL = -25 /* the queue takes no more jobs now */
};

enum reeve_state {
	REEVE_SCHEDULED,
	REEVE_READY,
	REEVE_BLOCKED,
	REEVE_RUNNING,
	REEVE_SUCCEEDED,
	REEVE_DEAD,
	REEVE_CANCELLED
};

struct reeve;

#define REEVE_OPEN_EXISTING 1u /* never make a store: REEVE_E_NOTFOUND where there is none */

struct reeve_open {
	size_t size;            /* sizeof(struct reeve_open) */
	const char *config;     /* a configuration file; NULL: looked for as reeve(1) does */
	const char *store;      /* the path of the store; NULL: as the configuration says */
	const char *const *set; /* "section.key=value", …, NULL; as reeve -o */
	int64_t busy_us;        /* patience with other writers of the store; 0: 10 s */
	unsigned flags;
};
#define REEVE_OPEN_INIT                                                                            \
	{                                                                                          \
		sizeof(struct reeve_open), NULL, NULL, NULL, 0, 0                                  \
	}

/*
 * Reads the configuration; ${how} may be NULL.  The store is opened by the first call that needs
 * it, and made by the first that enqueues.  REEVE_E_CONF, REEVE_E_NOMEM.
 */
int reeve_open(const struct reeve_open *how, struct reeve **ret_reeve);
/* NULL is fine.  No other call on it may be going on. */
void reeve_close(struct reeve *reeve);

/*
 * The sentence of this thread's last failure, if it was on this handle (NULL: of reeve_open); else
 * "".  Good until the thread's next call.
 */
const char *reeve_error(const struct reeve *reeve);
/* "REEVE_E_BUSY"; of a state: "ready".  "?" for what is none.  Never freed. */
const char *reeve_error_name(int err);
const char *reeve_state_name(int state);
/* Of the library: "0.1.0". */
const char *reeve_version(void);

/* A job to be.  Everything is borrowed for the call. */
struct reeve_new {
	size_t size; /* sizeof(struct reeve_new) */
	/* what: a task and its arguments, or a command where the configuration allows them */
	const char *task;
	const char *const *args;    /* "NAME=VALUE", …, NULL */
	const char *const *command; /* words, NULL */
	const char *const *env;     /* of a command: "NAME=VALUE", …, NULL */
	const char *cwd;            /* of a command; NULL: where we are */
	const void *payload;        /* its standard input; at most 16 MiB of any bytes */
	size_t payload_size;
	const char *queue; /* NULL: the task's */
	/* when */
	int64_t delay_us;       /* from now */
	int64_t run_at_us;      /* instead of a delay; 0: now */
	int64_t deadline_at_us; /* for queues with strategy = deadline; 0 none */
	int64_t ttl_us;         /* cancelled if not started by then; 0 none */
	int64_t timeout_us;     /* 0: the task's */
	/* how */
	int priority;     /* 0 … 65535, low first; -1: 100 */
	int weight;       /* 0: the task's */
	int max_attempts; /* 0: the task's */
	const char *key;  /* for fair queues and limits by key */
	const char *unique_key, *idempotency_key;
	const char *resources;     /* "gpu:1,db:2" */
	const char *const *labels; /* …, NULL */
	const int64_t *after;      /* jobs that must end before, as on says; nafter of them */
	size_t nafter;
	/* a JSON object of further fields, as a line of `reeve add --from-file` has them; what is
	 * said above wins */
	const char *json;
	int64_t batch; /* that it joins (reeve_batch_new); 0 none */
	/* as reeve(1) has them under "add": how long unique_key is held ("finished", "started",
	 * "10m"), what is done while another job holds it ("reject", "skip", "replace",
	 * "reschedule"), and how the jobs of after must end ("success", "failure", "any") */
	const char *until, *on_conflict, *on;
};

/* Nothing said; ${size} is sizeof(struct reeve_new) of the caller. */
void reeve_new_init(struct reeve_new *job, size_t size);

/*
 * Stores the job, durably as the configuration says (by default: told is stored, a power cut
 * included), and wakes the daemon.  REEVE_E_NOTFOUND, REEVE_E_CONFLICT, REEVE_E_REFUSED,
 * REEVE_E_USAGE and others: nothing was stored, except that after REEVE_E_UNKNOWN nobody knows.
 */
int reeve_enqueue(struct reeve *reeve, const struct reeve_new *job, int64_t *ret_id);
/* The same from one JSON object, as a line of `reeve add --from-file`. */
int reeve_enqueue_json(struct reeve *reeve, const char *json, int64_t *ret_id);

#define REEVE_BLOCK 1000
/*
 * Stores ${count} jobs in transactions of REEVE_BLOCK each; ${jobs} are ${jobs}->size bytes apart.
 * On an error the blocks before it are stored and nothing of its own; ${ret_ids} (count of them)
 * has the ids of what is stored, ${*ret_stored} how many that are (always set), and
 * ${*ret_failed} (may be NULL) which job it is about, or ${count}.
 */
int reeve_enqueue_batch(struct reeve *reeve, const struct reeve_new *jobs, size_t count,
			int64_t *ret_ids, size_t *ret_stored, size_t *ret_failed);

/* A job as it stands.  Times are 0 and texts NULL where there is nothing to tell. */
struct reeve_job {
	int64_t id;
	const char *task; /* "" for a command of its own */
	const char *queue;
	const char *spec; /* JSON: {"args":{…}} or {"command":[…],…} */
	int state;        /* enum reeve_state */
	int priority, attempt, max_attempts, crashes, runs;
	int64_t created_at_us, run_at_us, started_at_us, finished_at_us, expires_at_us;
	int64_t deadline_at_us, timeout_us, fence;
	int exit_code, signal; /* of the last run; -1 / 0 none */
	int cancel_requested, held;
	const char *error, *worker, *key, *unique_key, *idempotency_key;
	const char *labels; /* JSON: ["…"] */
	size_t payload_size;
	/* of reeve_get only */
	int percent;         /* of the progress it told; -1 none */
	const char *message; /* of the same */
	const void *result;  /* of a job that succeeded; any bytes */
	size_t result_size;
	const char *meta; /* JSON: {…} */
	int64_t batch;    /* that it is in, or is a callback of; 0 none */
};

/* What the library gives out is freed by this, at once and whole.  NULL is fine. */
void reeve_free(const void *given);

/* REEVE_E_NOTFOUND. */
int reeve_get(struct reeve *reeve, int64_t id, const struct reeve_job **ret_job);

/*
 * A page of the jobs that ${query} (reeve(1), "QUERIES"; NULL: all) asks for, at most ${limit}
 * (0: 50).  ${cursor}: NULL, or what reeve_page_next said of the page before.  A query that does
 * not parse is REEVE_E_USAGE with the column in the sentence.
 */
struct reeve_page;
int reeve_list(struct reeve *reeve, const char *query, size_t limit, const char *cursor,
	       const struct reeve_page **ret_page);
size_t reeve_page_count(const struct reeve_page *page);
const struct reeve_job *reeve_page_job(const struct reeve_page *page, size_t index);
/* NULL: this was the last one.  Good until the page is freed. */
const char *reeve_page_next(const struct reeve_page *page);

/*
 * Until all of ${ids} are final: rung by whoever commits the last state, and looking once a second
 * besides.  ${timeout_us} < 0: for ever; 0: looks once.  REEVE_E_TIMEOUT; REEVE_E_NOTFOUND: one was
 * not there at the beginning (one deleted later was final).  Signals do not end it.
 */
int reeve_wait(struct reeve *reeve, const int64_t *ids, size_t count, int64_t timeout_us);

/*
 * Ends a job that is not final; a running one is stopped by its worker (state and
 * cancel_requested tell).  REEVE_E_CONFLICT: it is final.  May wait for the daemon's answer, 10 s
 * at most.
 */
int reeve_cancel(struct reeve *reeve, int64_t id);
/* A dead or cancelled job runs again.  REEVE_E_CONFLICT: it is neither, or its unique key is held.
 */
int reeve_retry(struct reeve *reeve, int64_t id);

/* Jobs that are counted together, and what follows when all have ended: reeve(1), "batch". */
struct reeve_batch_new {
	size_t size;               /* sizeof(struct reeve_batch_new) */
	const char *name;          /* for people */
	const char *const *labels; /* …, NULL */
	/* the tasks of the jobs that follow, and their "NAME=VALUE", …, NULL */
	const char *on_success; /* when all have succeeded */
	const char *const *on_success_args;
	const char *on_complete; /* whatever became of them */
	const char *const *on_complete_args;
	/* how many may die, "3" or "5%" of all; with one more it has failed: what waits is
	 * cancelled, if cancel_running is set what runs as well.  NULL: any number */
	const char *max_failures;
	int cancel_running;
};
#define REEVE_BATCH_NEW_INIT                                                                       \
	{                                                                                          \
		sizeof(struct reeve_batch_new), NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0        \
	}
/* REEVE_E_NOTFOUND: there is no such task. */
int reeve_batch_new(struct reeve *reeve, const struct reeve_batch_new *batch, int64_t *ret_batch);
/* It takes no more jobs, and ends with the last of them.  REEVE_E_CONFLICT: it is closed already.
 */
int reeve_batch_close(struct reeve *reeve, int64_t batch);

struct reeve_batch {
	int64_t id;
	const char *name, *labels;                          /* labels: JSON */
	int64_t created_at_us, closed_at_us, ended_at_us;   /* 0: it is open; has not ended */
	int64_t total, pending, succeeded, dead, cancelled; /* jobs */
	int64_t success_job, complete_job;                  /* that followed; 0: not yet */
	int64_t failed_at_us; /* more are dead than max_failures; 0: not, or not any more */
};
int reeve_batch_get(struct reeve *reeve, int64_t batch, const struct reeve_batch **ret_batch);
/*
 * Until the batch has ended, as reeve_wait.  An open one does not end.  REEVE_E_TIMEOUT,
 * REEVE_E_NOTFOUND.
 */
int reeve_batch_wait(struct reeve *reeve, int64_t batch, int64_t timeout_us);

/* Kept counts: of the store, and of each queue. */
struct reeve_queue {
	const char *name;  /* NULL: of the whole store */
	int64_t count[16]; /* by enum reeve_state; the rest is 0 */
	int paused, draining;
	int64_t oldest_ready_at_us;
};
struct reeve_stats;
int reeve_stats(struct reeve *reeve, const struct reeve_stats **ret_stats);
const struct reeve_queue *reeve_stats_total(const struct reeve_stats *stats);
size_t reeve_stats_count(const struct reeve_stats *stats);
const struct reeve_queue *reeve_stats_queue(const struct reeve_stats *stats, size_t index);

/* A change of a job's state. */
struct reeve_event {
	int64_t seq, at_us, job;
	int from, to; /* enum reeve_state; from -1: it was accepted */
	const char *reason;
};
#define REEVE_EVENTS_NOW (-1)
struct reeve_events;
/*
 * The events after ${after} (a seq; 0: from the oldest kept; REEVE_EVENTS_NOW: those from this call
 * on), at most ${limit} (0: 1000), oldest first.  Where there are none it waits for some:
 * ${timeout_us} < 0 for ever, 0 not at all; rung by whoever commits one, and looking once a second
 * besides (ten times where we may only read the store).  When that is over it gives none, with
 * REEVE_OK.  Events of deleted jobs are gone.
 */
int reeve_events(struct reeve *reeve, int64_t after, size_t limit, int64_t timeout_us,
		 const struct reeve_events **ret_events);
size_t reeve_events_count(const struct reeve_events *events);
const struct reeve_event *reeve_events_at(const struct reeve_events *events, size_t index);
/* What to give as ${after} next. */
int64_t reeve_events_last(const struct reeve_events *events);

#ifdef __cplusplus
}
#endif

#endif
