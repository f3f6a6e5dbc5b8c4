#ifndef RV_CORE_LIMIT_H
#define RV_CORE_LIMIT_H

/*
 * Limits: what a job needs before it may start.  A limit is a gate, known by its name: q/QUEUE,
 * t/TASK, k/QUEUE/KEY, K/TASK/KEY, r/RESOURCE.  Pure; the store keeps how much of each gate is used
 * and who waits at it.
 */

#include "base/err.h"
#include "base/spec.h"

#include <stddef.h>

#define RV_GATE_MAX  (RV_NAME_MAX + RV_KEY_MAX + 4) /* bytes of a gate's name, with its NUL */
#define RV_NEEDS_MAX (4 + RV_TAKES_MAX)

/* In the order of their names.  A store keeps these numbers (what a job holds). */
enum rv_gate_kind {
	RV_GATE_TASK_KEY,
	RV_GATE_QUEUE_KEY,
	RV_GATE_QUEUE,
	RV_GATE_RESOURCE,
	RV_GATE_TASK,
	RV_GATE_KINDS
};

/* One thing a job needs. */
struct rv_need {
	enum rv_gate_kind kind;
	char gate[RV_GATE_MAX];
	int64_t n;           /* units of it, at most ${max} */
	int64_t max;         /* units there are; -1: they are not counted */
	struct rv_rate rate; /* of starts; count 0: any */
};

/* The most special first, so that a job waits where it is in nobody else's way. */
struct rv_needs {
	size_t count;
	struct rv_need of[RV_NEEDS_MAX];
};

/* What a job's needs follow from.  ${key} and ${takes}: NULL or "" none. */
struct rv_limited {
	const char *queue, *task, *key, *takes;
	const struct rv_limits *queue_limits, *task_limits;
	const struct rv_resource_def *resources;
	size_t nresources;
};

/* Resources that a job takes: "gpu:1, db:2"; a name alone is one of it. */
struct rv_takes {
	size_t count;
	struct rv_take {
		char name[RV_NAME_MAX];
		int n;
	} of[RV_TAKES_MAX];
};

/* RV_E_USAGE with words: no name, no number, twice the same, too many. */
int rv_takes_parse(const char *text, struct rv_takes *ret_takes, struct rv_why *why) RV_MUST_CHECK;

/* Whether there is any limit in it. */
bool rv_limits_any(const struct rv_limits *limits);
/* Whether it can be a limit: what stands in a damaged store may be anything. */
bool rv_limits_sane(const struct rv_limits *limits);

/*
 * What the job needs.  A resource that nobody knows has no units.  Who wants more units than there
 * are gets all of them, so that a limit that is lowered blocks no line for ever.
 */
void rv_needs_of(const struct rv_limited *job, struct rv_needs *ret_needs);

/*
 * Who needs several things changes from line to line while others take one of them at a time. After
 * RV_MOVES_MAX moves the oldest such job has all that it needs kept for it: what its gates have
 * runs out, since nobody else takes of it, and so it starts.  It is one job at a time and holds
 * nothing, so there is no deadlock.
 */
#define RV_MOVES_MAX 8

/* The need of this gate among ${needs} (NULL: none), NULL: it is not. */
const struct rv_need *rv_need_of(const struct rv_needs *needs, const char *gate);
/* Whether ${need} fits beside the ${used} units and what is ${kept} for another (NULL: nothing). */
bool rv_need_fits(const struct rv_need *need, int64_t used, const struct rv_needs *kept);

/*
 * A token bucket as one number (GCRA, ITU-T I.371): when the bucket will be full.  rv_rate_due:
 * when the next token is there, 0 now.  rv_rate_take: the number after one was taken.  A clock that
 * was set back makes nobody wait longer than for one token.
 */
int64_t rv_rate_due(const struct rv_rate *rate, int64_t full_us, int64_t now_us);
int64_t rv_rate_take(const struct rv_rate *rate, int64_t full_us, int64_t now_us);

/*
 * Jobs that wait at a gate stand in the order of their places in the queue, and of equals the
 * oldest; for a resource, which jobs of many queues want, in the order of their age, so that each
 * gets its turn.
 */
int64_t rv_gate_line(const char *gate, int64_t ord, int64_t id);
/* The name of the gate of this kind, no resource, for a job of ${queue}, ${task} and ${key}. */
void rv_gate_own(enum rv_gate_kind kind, const char *queue, const char *task, const char *key,
		 char ret_gate[RV_GATE_MAX]);
/* Whether all who wait there are of one queue. */
bool rv_gate_of_queue(const char *gate, const char *queue);
/* Whether its row may be forgotten when nobody uses it: there may be as many as there are keys. */
bool rv_gate_of_key(const char *gate);

#endif
