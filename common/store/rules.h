#ifndef RV_STORE_RULES_H
#define RV_STORE_RULES_H

/*
 * What every backend must do alike and no backend should decide for itself: what a new job may look
 * like, when two enqueues are the same, the words people read.  Pure but for rv_rules_process_gone.
 * Private to common/store.
 */

#include "core/job.h"
#include "store/request.h"

struct rv_limited; /* core/limit.h */
struct rv_need;

#define RV_SPEC_MAX   (1LL << 20)
#define RV_LABELS_MAX (16LL << 10)
#define RV_AFTER_MAX  1000 /* parents of one job */
#define RV_IDEM_US    (30LL * 86400 * 1000000)

/* Jobs of RV_TASK_ADHOC when no task of that name is mirrored: as the configuration has them. */
#define RV_ADHOC_ATTEMPTS   5
#define RV_ADHOC_CRASHES    3
#define RV_ADHOC_TIMEOUT_US (3600LL * 1000000)

/* Of a request: heads of lines looked at, and jobs of a claim that were parked.  The rest is left
 * to the next. */
#define RV_GRANT_MAX RV_LIMIT(100u, 6u)
#define RV_PARK_MAX  RV_LIMIT(64u, 4u)

/* Errors that end up in a job's row; more in read.h. */
#define RV_SAYS_NOT_RUNNING "job %lld is not run under this fence (any more)"
#define RV_SAYS_EXPIRED     "expired: not started within its ttl"
#define RV_SAYS_CANCELLED   "cancelled"
#define RV_SAYS_REPLACED    "replaced by job %lld"
#define RV_SAYS_DROPPED     "dropped: queue full"
#define RV_SAYS_CRASHES     "crashed its %s %d times: %.320s" /* worker, or handler */

/* "" means "not said", as NULL does; never NULL. */
const char *rv_rules_task(const struct rv_job_new *job);
/* NULL when ${text} is NULL or "". */
const char *rv_rules_said(const char *text);

/*
 * What can be refused without looking into the store: REFUSED (ad-hoc forbidden), USAGE (a number
 * out of its range, an ad-hoc job without a spec), TOOBIG (spec, payload, keys, labels, metadata,
 * parents).
 */
int rv_rules_check(const struct rv_job_new *job, bool adhoc_refused,
		   struct rv_why *why) RV_MUST_CHECK;

/*
 * Equal for enqueues that ask for the same work: what was said of task, queue, spec, payload,
 * priority, ttl, weight, resources, attempts, timeout, keys, labels, metadata, batch and parents.
 * Not the time to run at: a repeat of "in five minutes" comes later and must be the same.  Not who
 * asks.
 */
uint64_t rv_rules_hash(const struct rv_job_new *job);

/* The states that a list asks for, as bits. */
struct rv_job_filter;
unsigned rv_rules_states(const struct rv_job_filter *filter);

/*
 * HOLD and EDIT.  rv_rules_waits_not: the job, shown as ${shown}, does not wait: CONFLICT.  The
 * others: USAGE or CONFLICT when it cannot be done, ${held} and ${attempts} as they are now.
 */
int rv_rules_waits_not(struct rv_why *why, int64_t id, enum rv_job_state shown);
/* CONFLICT when the job is shown otherwise than ${only} (0: any) says. */
int rv_rules_only(unsigned only, int64_t id, int32_t shown, struct rv_why *why);
int rv_rules_draining(const char *queue, struct rv_why *why);
#define RV_DROP_MAX 16 /* jobs that make way for one; more only for the next */
/* FULL: ${waiting} jobs wait, ${own} of them by this request: too many alone, it is not to wait. */
int rv_rules_full(struct rv_req_enqueue *req, const char *queue, int max, int64_t waiting,
		  int64_t own, struct rv_why *why);

/* Who holds a unique key that a new job wants. */
struct rv_holder {
	int64_t id, until_us; /* wall; 0: its job says */
	int32_t shown;        /* enum rv_job_state; -1: the job is no more */
	bool leased;
};
/* CONFLICT.  ${waits}: only a holder that waits could be replaced or given another time. */
int rv_rules_held(struct rv_why *why, const struct rv_holder *holder, bool waits, int64_t now_us);
/* NOTFOUND; CONFLICT if it ended in ${shown}, not ${on}.  ${last}: the highest id given out. */
int rv_rules_no_parent(struct rv_why *why, int64_t parent, int64_t last);
int rv_rules_parent(struct rv_why *why, int64_t parent, enum rv_job_state shown, enum rv_after on);
/* Of who submits a job.  NOTFOUND; CONFLICT, ${there}: it is cancelled, or will be. */
int rv_rules_childless(struct rv_why *why, int64_t parent, bool there);
/* Of a child that ends because its parent has ended in ${parent_state}. */
void rv_rules_says_parent(char *out, size_t space, int64_t parent, enum rv_job_state parent_state);
/* Batches: unknown, closed, not over; of DELETE, a member of one that is not finished. */
int rv_rules_no_batch(struct rv_why *why, int64_t id);
int rv_rules_closed(struct rv_why *why, int64_t id);
int rv_rules_batch_over(struct rv_why *why, int64_t id, bool closed, int64_t pending);
int rv_rules_member(struct rv_why *why, int64_t id, int64_t batch);
int rv_rules_batch(const struct rv_req_new_batch *req, struct rv_why *why);
/* What a batch enqueues when it ends. */
struct rv_job_new rv_rules_callback(const struct rv_callback *callback, uid_t uid, int64_t parent);
/* For RV_TASK_ADHOC while none is mirrored, and callbacks whose task is gone: a worker says so. */
const struct rv_task_def *rv_rules_adhoc(void);
int rv_rules_hold(const struct rv_req_hold *req, bool held, struct rv_why *why);
int rv_rules_edit(const struct rv_req_edit *req, struct rv_why *why);
int rv_rules_edit_attempts(const struct rv_req_edit *req, int attempts, struct rv_why *why);

/* The resources it names: USAGE, NOTFOUND, CONFLICT where there are fewer than it wants. */
int rv_rules_takes(const struct rv_job_new *job, const struct rv_resource_def *resources,
		   size_t count, struct rv_why *why) RV_MUST_CHECK;
/*
 * What a gate is limited to, from its name and the limits of its queue or task in ${known} (key and
 * takes are not read).  NOTFOUND: nothing limits it any more.
 */
int rv_rules_gate(const struct rv_limited *known, const char *gate,
		  struct rv_need *ret_need) RV_MUST_CHECK;
/* The name of the queue or task that a gate is of; "" of a resource. */
void rv_rules_gate_owner(const char *gate, char ret_owner[RV_NAME_MAX]);

/* The job's own weight, else its task's, else 1. */
int rv_rules_weight(const struct rv_job_new *job, const struct rv_task_def *task);

/* RV_JOB_SUM of ${job}, ${task} being what its task is called. */
uint64_t rv_rules_sum(const struct rv_job_new *job, const char *task);

/* wall + delay, without overflow; a negative delay is none. */
int64_t rv_rules_later(int64_t wall_us, int64_t delay_us);

/* What a worker is called: the name it joins with, else "pool/slot", "keeper" for the pool "". */
void rv_rules_worker(char *out, const struct rv_req_join *join);

/* "no such THING \"name\"[, did you mean \"near\"?]"; RV_E_NOTFOUND. */
int rv_rules_unknown(struct rv_why *why, const char *thing, const char *name,
		     const char *const *names, size_t count);

/* What is counted of a run that has ended. */
struct rv_run_end {
	int outcome;           /* enum rv_outcome */
	enum rv_job_state job; /* what its job is now */
	int64_t due_us;        /* of a job's first run: when it was to run; else 0 */
	int64_t started_us, ended_us, user_us, sys_us, maxrss_bytes; /* struct rv_ack */
};
struct rv_ended;
void rv_rules_ended(const struct rv_run_end *run, struct rv_ended *ret_ended);

/* Whether a worker that ended like this (enum rv_died) did it by itself (R5). */
bool rv_rules_is_crash(int died);

/* Whether no process has this pid and start time any more (a zombie is none). */
bool rv_rules_process_gone(int64_t pid, int64_t start_ticks);

#endif
