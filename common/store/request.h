#ifndef RV_STORE_REQUEST_H
#define RV_STORE_REQUEST_H

/*
 * (Longer than a header should be: it is the one list of what is said between processes and store.)
 * The requests: what can be asked of a store in a transaction, and the answers.  Requests of
 * workers and keeper are flat (no pointers), because they travel through a slot of the area;
 * ENQUEUE and MIRROR have pointers and are executed by the process that makes them.  Times: wall_us
 * for people and run_at, mono_us for deadlines.  Ids of jobs are > 0, never reused.
 */

#include "store/store.h"

#define RV_TURN_MAX        64 /* jobs of one turn */
#define RV_ERROR_MAX       384
#define RV_EXPIRE_MAX      64
#define RV_META_MAX        (16 << 10) /* bytes of a job's metadata */
#define RV_MESSAGE_MAX     256        /* of a progress, with its NUL */
#define RV_RESULT_MAX      (64 << 10) /* bytes of a result */
#define RV_WORKER_NAME_MAX (RV_NAME_MAX + 16)

enum rv_req_kind {
	RV_REQ_NONE,
#define REQ(sym, member, who, what) RV_REQ_##sym,
#include "store/request.def"
#undef REQ
	RV_REQ_KINDS
};

/* A job to accept.  All pointers borrowed; NULL or 0 means "not said": the task's value, else the
 * default. */
struct rv_job_new {
	const char *task; /* RV_TASK_ADHOC: the job carries ${command} */
	const char *queue;
	const char *spec; /* JSON: {"args":{…}} or {"command":[…],"cwd":…,"env":{…}}; ≤ 1 MiB */
	const void *payload; /* stdin of the job; ≤ RV_PAYLOAD_MAX */
	size_t payload_size;
	int priority;        /* -1: default */
	int64_t run_at_us;   /* wall; 0 now */
	int64_t ttl_us;      /* 0 none: from now, ends the job if it was not started by then */
	int64_t deadline_us; /* wall; 0 none: when it should be done; orders a queue by deadline */
	int weight;          /* 0: the task's; of its share in a weighted or fair queue */
	const char *takes;   /* resources: "gpu:1,db:2"; NULL: the task's */
	int max_attempts;    /* 0: the task's */
	int64_t timeout_us;  /* 0: the task's */
	const char *unique_key;  /* no two jobs hold it at once; ${on_held}: what the later one does
				  */
	int64_t until_us;        /* of unique_key: RV_UNTIL_* or a duration */
	enum rv_on_held on_held; /* REJECT: CONFLICT, ret id = the holder */
	const char *idem_key;    /* the same key: the same id again, for idem_ttl_us; other content:
				    CONFLICT */
	const char *key;
	const char *labels;   /* JSON array of strings */
	const char *meta;     /* JSON object; ≤ RV_META_MAX bytes */
	const int64_t *after; /* parents: run when all have ended as ${on} says */
	size_t nafter;
	enum rv_after on;
	int64_t batch; /* 0 none; unknown: NOTFOUND, closed: CONFLICT */
	/* the job that submits it, 0 none; unknown: NOTFOUND, cancelled or about to: CONFLICT */
	int64_t parent;
	uid_t uid; /* who asks */
};

/*
 * What a job's work is checked by before it runs (F22): the store keeps RV_JOB_SUM of what was
 * enqueued, the worker compares it with what it has read.  Two CRC-32C, so that who needs no
 * payload can check the rest.  ${spec} may be NULL.
 */
uint32_t rv_job_sum_said(const char *task, const char *spec);
#define RV_JOB_SUM(said, payload) ((uint64_t)(said) << 32 | (payload))
#define RV_JOB_SUM_SAID(sum)      ((uint32_t)((sum) >> 32))
#define RV_JOB_SUM_PAYLOAD(sum)   ((uint32_t)(sum))

struct rv_req_enqueue {
	const struct rv_job_new *jobs;
	size_t count;        /* all or nothing */
	int64_t *ret_ids;    /* count of them; of an idempotent repeat: the first one's */
	size_t failed_index; /* on error: which job; the sentence is in ${why} */
	bool adhoc_refused;  /* in: the configuration forbids RV_TASK_ADHOC */
	int64_t idem_ttl_us; /* in: how long idempotency keys are remembered; 0: 30 days */
	/* out: how many were already there by idempotency key; were answered by the holder of their
	 * unique key; of these, have given it their time; have replaced it */
	size_t repeated, skipped, rescheduled, replaced;
	bool may_wait;          /* out, on FULL: there may be room for these jobs later */
	char full[RV_NAME_MAX]; /* out, on FULL: the queue */
};

enum rv_outcome {
	RV_OUTCOME_SUCCEEDED,
	RV_OUTCOME_FAILED,      /* may be tried again: attempts < max decides */
	RV_OUTCOME_FATAL,       /* must not be tried again: dead */
	RV_OUTCOME_LATER,       /* try later: burns no attempt, waits retry_us */
	RV_OUTCOME_INTERRUPTED, /* drain, stop: back to ready, burns nothing */
	RV_OUTCOME_CANCELLED,   /* stopped because of cancel_requested */
	RV_OUTCOME_CRASHED, /* its worker (EXPIRE) or handler (ack) died: counts a crash alone */
	RV_OUTCOME_EXPIRED, /* ttl; set by the store only */
};

struct rv_ack {
	int64_t job, fence;
	int32_t outcome;   /* enum rv_outcome */
	int32_t exit_code; /* RV_EXIT_NONE, RV_EXIT_OOM */
	int32_t signo;
	int32_t err;      /* out: RV_OK, or STALE (0 rows: the lease is no longer ours) */
	int64_t retry_us; /* FAILED, LATER: delay before the next attempt */
	int64_t started_us, ended_us; /* wall; started 0: never started (a release) */
	/*
	 * -1: not known.  sys_us alone: user_us is both, of a run at a handler that stays, and the
	 * memory is the most that one has ever had.
	 */
	int64_t user_us, sys_us, maxrss_bytes, output_bytes;
	char error[RV_ERROR_MAX];
};

struct rv_claimed {
	int64_t job, fence, run_at_us, created_us, timeout_us;
	int32_t queue;   /* index into the turn's queues */
	int32_t attempt; /* 1-based, this run included */
	int32_t max_attempts;
	int32_t run; /* 1-based number of this run: attempts, crashes and interruptions */
	int32_t crashes;
	char task[RV_NAME_MAX];
};

/* acks first, then the claim.  Refused whole (STALE) when the incarnation's worker row is not live.
 */
struct rv_req_turn {
	uint64_t incarnation;
	uint32_t nacks;
	uint32_t want;     /* 0: claim nothing; else ≤ RV_TURN_MAX */
	uint32_t prefetch; /* 1: leased but not started (K > 1); 0: started with the claim */
	uint32_t children; /* 1: only jobs that have a parent, the newest first; 0: any */
	uint32_t nqueues;
	char queues[RV_QUEUES_MAX]
		   [RV_NAME_MAX]; /* served strictly in this order; paused ones skipped */
	struct rv_ack acks[RV_TURN_MAX];
	uint32_t nclaimed; /* out */
	uint32_t more;     /* out: ready jobs left in these queues after this claim (saturates) */
	struct rv_claimed claimed[RV_TURN_MAX]; /* out */
};

struct rv_req_join {
	uint64_t incarnation;
	int64_t pid, start_ticks;
	int32_t slot;
	char pool[RV_NAME_MAX];        /* "" the keeper */
	char name[RV_WORKER_NAME_MAX]; /* as people see it: "default/0"; "": made of pool and slot
					*/
	char boot_id[40];
	int64_t beat_deadline_us; /* mono */
};

struct rv_req_leave {
	uint64_t incarnation;
};

struct rv_expire_one {
	uint64_t incarnation;
	int32_t died;     /* enum rv_died of wire/sup.h; CRASH and HUNG count for the started job */
	int32_t released; /* out: leases ended */
	/* prefetching worker: the fence in its STARTED word, void unless it is that of a lease of
	 * its; 0: what the lease rows say */
	int64_t started_fence;
	/* of the worker in all its life: kept with the run that crashed (RV_OUTCOME_CRASHED), whose
	 * own share nobody knows */
	int64_t user_us, sys_us, maxrss_bytes;
	char words[224]; /* what killed it, in words, for the attempt's error */
};

struct rv_req_expire {
	uint32_t count;
	struct rv_expire_one who[RV_EXPIRE_MAX];
	uint64_t all_below; /* != 0: also every incarnation of another daemon start than this one's
			     */
	int64_t overdue_us; /* != 0: also live rows whose beat_deadline is < this (mono, this boot)
			     */
};

struct rv_req_promote {
	uint32_t limit;
	uint32_t sweep;      /* jobs of batches that have failed to look at; the keeper's pace */
	uint32_t promoted;   /* out */
	uint32_t expired;    /* out: ttl */
	uint32_t swept;      /* out: of ${sweep}; fewer: there are no more */
	int64_t sweep_us;    /* out: how long that took, whoever did it */
	int64_t next_due_us; /* out: wall time of the next one; 0 none */
};

/* Both: STALE, and nothing is kept, unless ${fence} is that of the job's lease. */
struct rv_req_progress {
	uint64_t incarnation;
	int64_t job, fence;
	int32_t percent; /* 0 … 100; -1: not said */
	char message[RV_MESSAGE_MAX];
};

struct rv_req_result {
	uint64_t incarnation;
	int64_t job, fence;
	const void *data; /* borrowed; any bytes */
	size_t size;      /* ≤ RV_RESULT_MAX, else TOOBIG; 0 takes it back */
};

/* A row of the inbox, as somebody's SQL has put it there.  Borrowed texts; NULL: not said. */
struct rv_inbox_row {
	int64_t id; /* 0: of the SQL function, whose options say the rest */
	const char *task, *args, *queue, *options; /* args, options: JSON objects */
	const void *payload;
	size_t payload_size;
	int priority; /* -1: not said */
};

/*
 * INBOX: rows become jobs, each wholly or not at all; one that cannot stays and has its error.
 * ${make} says what job a row is; it runs within the transaction, so it must only look at the row.
 */
struct rv_req_inbox {
	int (*make)(void *ctx, const struct rv_inbox_row *row, struct rv_job_new *ret_job,
		    struct rv_why *why);
	void *ctx;
	uint32_t limit;          /* rows looked at */
	int64_t idem_ttl_us;     /* as in ENQUEUE */
	uint32_t taken, refused; /* out */
	uint32_t more;           /* out: 1, there are more */
	int64_t refused_id;      /* out: the last of them, and why: */
	struct rv_why refused_why;
};

struct rv_req_tidy {
	uint32_t limit; /* jobs looked at */
	uint32_t more;  /* out: 1, there is more to do */
};

struct rv_req_beats {
	int64_t deadline_us; /* mono */
	uint32_t count;
	uint64_t incarnations[256];
};

struct rv_req_mirror {
	const struct rv_task_def *tasks;
	size_t ntasks;
	const struct rv_queue_def *queues;
	size_t nqueues;
	const struct rv_resource_def *resources;
	size_t nresources;
	const struct rv_schedule_def
		*schedules; /* those that are gone here go, with their history */
	size_t nschedules;
};

struct rv_req_raise {
	int64_t pid, start_ticks;
	char boot_id[40];
	char runtime_dir[256];
	uint64_t area;             /* rounds of other areas whose daemon is gone are forgotten */
	uint64_t incarnation_base; /* first incarnation of this daemon start */
	int64_t epoch;             /* out */
};

/*
 * Of CANCEL, RETRY, DELETE, HOLD: ${only}: bits (1 << enum rv_job_state); the job is changed only
 * if it is shown as one of them, else CONFLICT: what somebody has looked at may have changed.  0:
 * any.
 */

/* CANCEL: running → cancel_requested and who runs it; else cancelled at once. */
struct rv_req_cancel {
	int64_t job;
	uint32_t only;
	int32_t was;   /* out: enum rv_job_state before */
	int32_t slot;  /* out: of the worker when it runs, else -1 */
	int64_t fence; /* out */
};

struct rv_req_retry {
	int64_t job;
	uint32_t only;
	int32_t was; /* out */
};

struct rv_req_remove {
	int64_t job;
	uint32_t only;
};

/*
 * HOLD: a job that waits is blocked until it is released, whatever else it waits for; released, it
 * goes on waiting for that.  CONFLICT: it does not wait, or a worker has fetched it, or it is held
 * (released) already.
 */
struct rv_req_hold {
	int64_t job;
	uint32_t only;
	int32_t held; /* 0: release */
	int32_t was;  /* out */
};

/*
 * EDIT: of a job that waits, as if it had been accepted with these; it keeps what it has run.
 * CONFLICT as of HOLD, or it has used as many attempts.
 */
struct rv_req_edit {
	int64_t job;
	int64_t run_at_us;    /* wall; 0: as it is */
	int32_t priority;     /* -1: as it is */
	int32_t max_attempts; /* in all, what a person granted included; 0: as it is */
	int32_t was;          /* out */
};

/* A draining queue takes no new jobs (ENQUEUE: REFUSED); what it has is worked on. */
enum rv_queue_gate { RV_QUEUE_OPEN, RV_QUEUE_PAUSED, RV_QUEUE_DRAINING, RV_QUEUE_GATES };

struct rv_req_pause {
	char queue[RV_NAME_MAX];
	int32_t paused; /* enum rv_queue_gate */
};

/* A job to come when a batch has ended; with the defaults of its task. */
struct rv_callback {
	const char *task; /* NULL or "": none */
	const char *spec; /* as in struct rv_job_new */
};

/*
 * NEW_BATCH: NOTFOUND (with the nearest) when a callback's task is unknown.  When more jobs die
 * than
 * ${tolerance} allows, the batch has failed: it takes no more (CONFLICT), what waits is cancelled
 * (PROMOTE), and what runs does not run again; with ${stops} it is asked to end as well.
 */
struct rv_tolerance;
struct rv_req_new_batch {
	const char *name;   /* NULL: none */
	const char *labels; /* JSON array of strings */
	struct rv_callback on_success, on_complete;
	const struct rv_tolerance *tolerance; /* core/tolerance.h; NULL: all may die */
	bool stops;
	int64_t parent; /* of the callbacks, as in struct rv_job_new */
	uid_t uid;
	int64_t id; /* out */
};

/* CLOSE: it takes no more jobs; if all have ended, or there are none, it has.  NOTFOUND, CONFLICT.
 */
struct rv_req_close {
	int64_t batch;
};

/*
 * SCHEDULE: schedules (store/schedule.h) that no configuration has; PAUSE and RESUME of any.  ADD:
 * CONFLICT when there is one of that name, NOTFOUND (task, queue), USAGE, TOOBIG; REMOVE: CONFLICT
 * when it is the configuration's.  The others: NOTFOUND.
 */
enum rv_schedule_do {
	RV_SCHEDULE_ADD,
	RV_SCHEDULE_REMOVE,
	RV_SCHEDULE_PAUSE,
	RV_SCHEDULE_RESUME, /* its slots count from now on */
	RV_SCHEDULE_DOS
};
struct rv_req_schedule {
	int32_t what;                      /* enum rv_schedule_do */
	const struct rv_schedule_def *def; /* ADD */
	const char *name;                  /* the others */
};

/*
 * FIRE: what the keeper has planned for a schedule (core/schedule.h) from the view with this id,
 * since_us and next_us: STALE when it is not so any more: somebody else has done it.  Or a person
 * wants it now (id 0), whatever its slots: refused as an ENQUEUE is, CONFLICT when it is to skip.
 */
enum rv_fired {
	RV_FIRED_JOB,
	RV_FIRED_MISSED,
	RV_FIRED_SKIPPED, /* the job before it has not ended */
	RV_FIRED_REFUSED, /* no such task, no room: the error says it */
	RV_FIREDS
};
struct rv_req_fire {
	char schedule[RV_NAME_MAX];
	int64_t id, since_us, seen_us;
	int64_t missed_us, missed, slot_us, next_us, due_us; /* struct rv_schedule_plan */
	uint32_t uid;                                        /* who asks */
	int32_t became;                                      /* out: enum rv_fired; of the slot */
	int64_t job;              /* out: it; SKIPPED: the one before it; else 0 */
	char error[RV_ERROR_MAX]; /* out, REFUSED */
};

/* What a store shows of a schedule and its slots (store/schedule.h); a plan is made from it. */
#define RV_FIRINGS_MAX 1000 /* of a schedule that are remembered, the newest */

/* In due_us of a view. */
#define RV_DUE_NEVER 0LL /* it is off, paused, or over */
#define RV_DUE_PLAN  1LL /* its next slot is not known: at once */

struct rv_schedule_view {
	struct rv_schedule_def def; /* texts as those of the view; NULL: not said */
	int64_t id;
	bool conf, paused;
	int64_t since_us; /* slots up to that are none of its */
	int64_t next_us;  /* the first slot that was not dealt with; 0: not known, or none */
	int64_t due_us;   /* when that is to be looked at, or RV_DUE_* */
	int64_t last_us, last_job;               /* the slot that fired last, and its job; 0 none */
	int64_t fired, missed, skipped, refused; /* slots, in all its life */
};

struct rv_firing_view {
	int64_t slot_us, at_us; /* of MISSED: the first of them */
	int64_t missed;         /* of MISSED: how many; else 0 */
	int64_t job;            /* of JOB and SKIPPED, as in FIRE; it may be deleted since */
	enum rv_fired became;
	bool by_person;
	const char *error;
};

/*
 * DROP_BATCH: its row and counts go; jobs of it that are still there are in no batch from then on,
 * though they keep its number.  NOTFOUND, CONFLICT: it is open, or jobs of it have not ended.
 */
struct rv_req_drop_batch {
	int64_t batch;
};

/*
 * LEND: the running job goes to sleep until others have ended (on), or goes on.  As long as it
 * sleeps, a unit of a queue, task or key that it holds goes to the first child of it that lacks
 * just that, and comes back when that child's run ends; resources it keeps.  One that sleeps
 * several times is counted.  STALE: it does not run, or not under this fence.
 */
struct rv_req_lend {
	int64_t job, fence;
	int32_t on;
};

/* In the place of a job: after each commit that wrote an event, until it is forgotten. */
#define RV_WAITER_FOLLOWS INT64_MAX

struct rv_req_waiter {
	char queue[RV_NAME_MAX]; /* not "": instead of a job, when this queue has room for ... */
	int64_t room;            /* ... so many jobs, ≥ 1 */
	int64_t job;             /* < 0: until the batch of the number −job has ended; FOLLOWS */
	int64_t expires_us;      /* wall; 0: forget this path */
	char path[108];
};

struct rv_req {
	int32_t kind; /* enum rv_req_kind */
	int32_t err;  /* out: this request's own outcome */
	union {
#define REQ(sym, member, who, what) struct rv_req_##member member;
#include "store/request.def"
#undef REQ
	} u;
	struct rv_why why; /* out: when err != RV_OK */
};

/*
 * Copies what matters of ${from} for its kind (a turn with one ack is some 600 bytes, the struct 41
 * KiB).
 * ${from} may lie in shared memory: every count is read once and bounded in ${to}, every string
 * ends. Executing a request never changes its input fields, so it can be executed again after a
 * take-over.
 */
enum rv_req_part { RV_REQ_INPUT, RV_REQ_ANSWER };
int rv_req_copy(struct rv_req *to, const struct rv_req *from, enum rv_req_part part) RV_MUST_CHECK;
/* Whether this kind may travel through a slot (no pointers). */
bool rv_req_flat(int kind);
const char *rv_req_name(int kind);

#endif
