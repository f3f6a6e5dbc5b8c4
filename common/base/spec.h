#ifndef RV_BASE_SPEC_H
#define RV_BASE_SPEC_H

/*
 * The plain specifications that the configuration fills and the domain reads: what a queue, a task
 * and a backoff are, without a word on where they were written or where they are kept.
 * All durations are microseconds.
 */

#include <stdbool.h>
#include <stdint.h>

#define RV_NAME_MAX         64  /* bytes of a queue, task, pool or instance name, with its NUL */
#define RV_KEY_MAX          256 /* bytes of a unique, idempotency or user key, with its NUL */
#define RV_QUEUES_MAX       32  /* queues that one pool may serve */
#define RV_PRIORITY_MAX     65535
#define RV_PRIORITY_DEFAULT 100
#define RV_WEIGHT_MAX       1000
#define RV_AGING_MAX_US     (24LL * 3600 * 1000000) /* of a level of priority */
#define RV_PAYLOAD_MAX      (16LL << 20)
#define RV_AGAIN_MAX_US     (520LL * 7 * 24 * 3600 * 1000000) /* until a job is run again */
#define RV_QUEUE_DEFAULT    "default"
#define RV_TASK_ADHOC       ""      /* the task of a job that carries its own command */
#define RV_TAKES_MAX        8       /* different resources that one job may take */
#define RV_TAKES_TEXT       640     /* bytes of "gpu:1,db:2", with its NUL */
#define RV_UNITS_MAX        1000000 /* of a resource, a limit, a rate */

#define RV_EXIT_NONE (-1) /* in the place of an exit code: there is none */
#define RV_EXIT_OOM  (-2) /* the same: the kernel ended it for want of memory */

enum rv_backoff_kind {
	RV_BACKOFF_NONE,
	RV_BACKOFF_FIXED,
	RV_BACKOFF_LINEAR,
	RV_BACKOFF_EXPONENTIAL
};

struct rv_backoff {
	enum rv_backoff_kind kind;
	int64_t min_us;     /* first delay; the delay of FIXED */
	int64_t max_us;     /* cap; equal to min_us for FIXED */
	int jitter_percent; /* 0..100: the delay is spread over ± this part of it */
};

/* In which order a queue is served; the numbers stand in stores. */
enum rv_strategy {
	RV_STRATEGY_FIFO,
	RV_STRATEGY_PRIORITY,
	RV_STRATEGY_LIFO,
	RV_STRATEGY_WEIGHTED, /* by chance, in proportion to the jobs' weights */
	RV_STRATEGY_DEADLINE, /* the earliest deadline first */
	RV_STRATEGY_FAIR,     /* the keys in turn, in proportion to the jobs' weights */
};

/*
 * How long a unique key is held: until its job is final, until the job's first run starts, or (> 0)
 * so many microseconds from its acceptance on, whatever becomes of the job.
 */
#define RV_UNTIL_FINISHED 0LL
#define RV_UNTIL_STARTED  (-1LL)

/* What a new job does whose unique key is held by another one; core/admit.h has the words. */
enum rv_on_held {
	RV_ON_HELD_REJECT,
	RV_ON_HELD_SKIP,       /* the holder is the answer */
	RV_ON_HELD_REPLACE,    /* the holder, if it waits, is cancelled */
	RV_ON_HELD_RESCHEDULE, /* the holder, if it waits, gets the new time, and is the answer */
};

/* How parents must end for a job to run; the numbers stand in stores. */
enum rv_after { RV_AFTER_SUCCESS, RV_AFTER_FAILURE, RV_AFTER_ANY };

/* What becomes of a job for which its queue has no room; the numbers stand in stores. */
enum rv_on_full {
	RV_ON_FULL_REJECT,
	RV_ON_FULL_DROP_OLDEST, /* the one that waits longest makes way */
	RV_ON_FULL_BLOCK,       /* refused, but told that whoever asks is to wait for room */
};

/* What a schedule does about slots that nobody was there for; or (> 0) of so many microseconds. */
#define RV_CATCH_UP_NONE 0LL
#define RV_CATCH_UP_LAST (-1LL) /* the newest of them */
#define RV_CATCH_UP_ALL  (-2LL)

/* When the job before it has not ended; the numbers stand in stores. */
enum rv_overlap {
	RV_OVERLAP_ALLOW,
	RV_OVERLAP_SKIP,    /* this slot makes no job */
	RV_OVERLAP_QUEUE,   /* the new job waits for it */
	RV_OVERLAP_REPLACE, /* it is cancelled, and the new job waits for its end */
};

/* How sure a commit must be: NORMAL survives a crash of every process, FULL a power cut as well. */
enum rv_durability { RV_DURABILITY_NORMAL, RV_DURABILITY_FULL };

/* So many starts in a time: a bucket of ${count}, filled again in ${per_us}.  0: no limit. */
struct rv_rate {
	int count;
	int64_t per_us;
};

/* What may run, of a queue or task and of each key in it.  0: no limit. */
struct rv_limits {
	int concurrency, key_concurrency;
	struct rv_rate rate, key_rate;
};

/* Something there is a number of, which jobs take while they run. */
struct rv_resource_def {
	char name[RV_NAME_MAX];
	int count; /* 1 … RV_UNITS_MAX */
};

/* A schedule as the store keeps it.  Texts are borrowed; NULL or "": not said. */
struct rv_schedule_def {
	const char *name, *cron, *timezone; /* base/cron.h; base/zone.h */
	const char *task, *queue, *spec;    /* queue: its task's; spec: as of a job */
	int priority;                       /* -1: the default */
	int64_t jitter_us;
	int64_t catch_up; /* RV_CATCH_UP_* or a time */
	enum rv_overlap overlap;
	bool off; /* switched off where it is written */
};

/* A queue as the store mirrors it. */
struct rv_queue_def {
	char name[RV_NAME_MAX];
	enum rv_strategy strategy;
	int64_t aging_us; /* PRIORITY: a level is worth so much waiting; 0: no aging */
	struct rv_limits limits;
	int max; /* jobs that may wait there; 0: any number */
	enum rv_on_full on_full;
};

/* A task as the store mirrors it: what enqueuers and rules need; what runs stays in the INI. */
struct rv_task_def {
	char name[RV_NAME_MAX];
	char queue[RV_NAME_MAX];
	int max_attempts;   /* ≥ 1 */
	int max_crashes;    /* ≥ 0 */
	int weight;         /* 1 … RV_WEIGHT_MAX, 0 is 1: of its jobs that say none themselves */
	int64_t timeout_us; /* 0: none */
	struct rv_backoff backoff;
	enum rv_durability durability; /* of its acks */
	struct rv_limits limits;
	char takes[RV_TAKES_TEXT]; /* resources of its jobs that say none themselves: "gpu:1,db:2"
				    */
};

#endif
