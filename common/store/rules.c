/*
 * What every backend does alike: the look of a new job, its hash, the words.  Workers, keeper, CLI.
 * Reads no store; must give the same answer for the same question in every process.
 */
#include "store/rules.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/fmt.h"
#include "base/near.h"
#include "core/tolerance.h"
#include "core/admit.h"
#include "core/limit.h"
#include "core/stats.h"
#include "os/self.h"
#include "store/read.h"
#include "wire/sup.h"

#include <stdio.h>
#include <string.h>

const char *rv_rules_said(const char *text)
{
	return text && text[0] != '\0' ? text : NULL;
}

const char *rv_rules_task(const struct rv_job_new *job)
{
	return job->task ? job->task : RV_TASK_ADHOC;
}

static int check_size(size_t size, int64_t limit, const char *what, struct rv_why *why)
{
	if ((uint64_t)size <= (uint64_t)limit)
		return RV_OK;
	return rv_fail(why, RV_E_TOOBIG, "%s has %zu bytes, %lld are allowed", what, size,
		       (long long)limit);
}

static int check_text(const char *text, int64_t limit, const char *what, struct rv_why *why)
{
	return text ? check_size(strlen(text), limit, what, why) : RV_OK;
}

static int check_number(int64_t value, int64_t min, int64_t max, const char *what,
			struct rv_why *why)
{
	if (value >= min && value <= max)
		return RV_OK;
	return rv_fail(why, RV_E_USAGE, "%s %lld is not within %lld and %lld", what,
		       (long long)value, (long long)min, (long long)max);
}

static int check_sizes(const struct rv_job_new *job, struct rv_why *why)
{
	int err = check_text(job->spec, RV_SPEC_MAX, "the spec", why);

	if (err == RV_OK)
		err = check_size(job->payload_size, RV_PAYLOAD_MAX, "the payload", why);
	if (err == RV_OK)
		err = check_text(job->unique_key, RV_KEY_MAX - 1, "the unique key", why);
	if (err == RV_OK)
		err = check_text(job->idem_key, RV_KEY_MAX - 1, "the idempotency key", why);
	if (err == RV_OK)
		err = check_text(job->key, RV_KEY_MAX - 1, "the key", why);
	if (err == RV_OK)
		err = check_text(job->labels, RV_LABELS_MAX, "the list of labels", why);
	if (err == RV_OK)
		err = check_text(job->meta, RV_META_MAX, "the metadata", why);
	if (err == RV_OK && job->nafter > RV_AFTER_MAX)
		err = rv_fail(why, RV_E_TOOBIG, "%zu parents, %d are allowed", job->nafter,
			      RV_AFTER_MAX);
	return err;
}

/* What goes only with something else. */
static int check_admission(const struct rv_job_new *job, struct rv_why *why)
{
	int err = check_number(job->until_us, RV_UNTIL_STARTED, INT64_MAX / 2, "until", why);

	if (err == RV_OK)
		err = check_number(job->on_held, RV_ON_HELD_REJECT, RV_ON_HELD_RESCHEDULE,
				   "on_held", why);
	if (err == RV_OK)
		err = check_number(job->on, RV_AFTER_SUCCESS, RV_AFTER_ANY, "on", why);
	if (err != RV_OK)
		return err;
	if (!rv_rules_said(job->unique_key) &&
	    (job->until_us != RV_UNTIL_FINISHED || job->on_held != RV_ON_HELD_REJECT))
		return rv_fail(why, RV_E_USAGE, "until and on conflict are of a unique key");
	if (job->nafter == 0 && job->on != RV_AFTER_SUCCESS)
		return rv_fail(why, RV_E_USAGE, "how parents must end, and no parent");
	return RV_OK;
}

int rv_rules_check(const struct rv_job_new *job, bool adhoc_refused, struct rv_why *why)
{
	bool adhoc = strcmp(rv_rules_task(job), RV_TASK_ADHOC) == 0;
	int err;

	if (adhoc && adhoc_refused)
		return rv_fail(why, RV_E_REFUSED,
			       "the configuration does not allow ad-hoc commands (reeve.adhoc)");
	if (adhoc && !rv_rules_said(job->spec))
		return rv_fail(why, RV_E_USAGE, "a job without a task needs a command");
	err = check_number(job->priority, -1, RV_PRIORITY_MAX, "priority", why);
	if (err == RV_OK)
		err = check_number(job->run_at_us, 0, INT64_MAX / 2, "time to run at", why);
	if (err == RV_OK)
		err = check_number(job->ttl_us, 0, INT64_MAX / 2, "ttl", why);
	if (err == RV_OK)
		err = check_number(job->deadline_us, 0, INT64_MAX / 2, "deadline", why);
	if (err == RV_OK)
		err = check_number(job->weight, 0, RV_WEIGHT_MAX, "weight", why);
	if (err == RV_OK)
		err = check_number(job->max_attempts, 0, 1000000, "max_attempts", why);
	if (err == RV_OK)
		err = check_number(job->timeout_us, 0, INT64_MAX / 2, "timeout", why);
	if (err == RV_OK)
		err = check_admission(job, why);
	return err == RV_OK ? check_sizes(job, why) : err;
}

/* FNV-1a over (length, bytes) of each part, so that moving a byte between parts is seen. */
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 1099511628211ULL;
	return hash;
}

static uint64_t hash_number(uint64_t hash, int64_t value)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)((uint64_t)value >> (8 * i));
	return hash_bytes(hash, bytes, sizeof bytes);
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
	size_t size = rv_rules_said(text) ? strlen(text) : 0;

	return hash_bytes(hash_number(hash, (int64_t)size), text, size);
}

uint64_t rv_rules_hash(const struct rv_job_new *job)
{
	uint64_t hash = 14695981039346656037ULL;

	PRE(job->payload || job->payload_size == 0);
	PRE(job->after || job->nafter == 0);
	hash = hash_text(hash, job->task);
	hash = hash_text(hash, job->queue);
	hash = hash_text(hash, job->spec);
	hash = hash_number(hash, (int64_t)job->payload_size);
	hash = hash_bytes(hash, job->payload, job->payload_size);
	hash = hash_number(hash, job->priority);
	hash = hash_number(hash, job->ttl_us);
	hash = hash_number(hash, job->weight);
	hash = hash_text(hash, job->takes);
	hash = hash_number(hash, job->max_attempts);
	hash = hash_number(hash, job->timeout_us);
	hash = hash_text(hash, job->unique_key);
	hash = hash_number(hash, job->until_us);
	hash = hash_number(hash, job->on_held);
	hash = hash_text(hash, job->key);
	hash = hash_text(hash, job->labels);
	hash = hash_text(hash, job->meta);
	hash = hash_number(hash, job->batch);
	hash = hash_number(hash, (int64_t)job->nafter);
	for (size_t i = 0; i < job->nafter; i++)
		hash = hash_number(hash, job->after[i]);
	return hash_number(hash, job->on);
}

unsigned rv_rules_states(const struct rv_job_filter *filter)
{
	unsigned every = (1U << RV_JOB_STATES) - 1;

	PRE(filter->state < RV_JOB_STATES);
	if (filter->states != 0)
		return filter->states & every;
	return filter->state < 0 ? every : 1U << filter->state;
}

int rv_rules_waits_not(struct rv_why *why, int64_t id, enum rv_job_state shown)
{
	if (shown == RV_JOB_READY)
		return rv_fail(why, RV_E_CONFLICT, "a worker has fetched job %lld", (long long)id);
	return rv_fail(why, RV_E_CONFLICT, "job %lld is %s", (long long)id,
		       rv_job_state_name(shown));
}

int rv_rules_only(unsigned only, int64_t id, int32_t shown, struct rv_why *why)
{
	PRE(shown >= 0 && shown < RV_JOB_STATES);
	if (only == 0 || (only & 1U << shown))
		return RV_OK;
	return rv_fail(why, RV_E_CONFLICT, "job %lld is %s now", (long long)id,
		       rv_job_state_name((enum rv_job_state)shown));
}

int rv_rules_draining(const char *queue, struct rv_why *why)
{
	return rv_fail(why, RV_E_REFUSED,
		       "queue %s is draining, it takes no new jobs: reeve queue resume %s", queue,
		       queue);
}

int rv_rules_full(struct rv_req_enqueue *req, const char *queue, int max, int64_t waiting,
		  int64_t own, struct rv_why *why)
{
	PRE(max > 0 && strlen(queue) < RV_NAME_MAX);
	(void)snprintf(req->full, sizeof req->full, "%s", queue);
	if (own >= max) {
		req->may_wait = false;
		return rv_fail(why, RV_E_FULL,
			       "queue %s is full: it takes %d jobs, and these alone are more",
			       queue, max);
	}
	return rv_fail(why, RV_E_FULL, "queue %s is full: %lld of %d jobs wait in it", queue,
		       (long long)waiting, max);
}

int rv_rules_held(struct rv_why *why, const struct rv_holder *holder, bool waits, int64_t now_us)
{
	char left[RV_FMT_SPACE] = "";
	const char *how = "";

	if (waits && holder->shown < 0)
		how = ", which is no more";
	else if (waits && holder->leased && holder->shown == RV_JOB_READY)
		how = ", which a worker has fetched";
	else if (waits)
		how = rv_job_state_name((enum rv_job_state)holder->shown);
	if (holder->until_us > 0)
		(void)rv_fmt_about(left, holder->until_us - now_us);
	return rv_fail(why, RV_E_CONFLICT, "the unique key is held by job %lld%s%s%s%s",
		       (long long)holder->id, how[0] != '\0' && how[0] != ',' ? ", which is " : "",
		       how, left[0] != '\0' ? ", for another " : "", left);
}

int rv_rules_no_parent(struct rv_why *why, int64_t parent, int64_t last)
{
	if (parent > 0 && parent <= last)
		return rv_fail(why, RV_E_NOTFOUND, "job %lld to wait for is gone: it was deleted",
			       (long long)parent);
	return rv_fail(why, RV_E_NOTFOUND, "there is no job %lld to wait for", (long long)parent);
}

int rv_rules_childless(struct rv_why *why, int64_t parent, bool there)
{
	if (!there)
		return rv_fail(why, RV_E_NOTFOUND, "there is no job %lld to be a child of",
			       (long long)parent);
	return rv_fail(why, RV_E_CONFLICT, "job %lld is cancelled: it can have no more children",
		       (long long)parent);
}

int rv_rules_parent(struct rv_why *why, int64_t parent, enum rv_job_state shown, enum rv_after on)
{
	if (!rv_job_state_final(shown) || rv_admit_after(on, shown) == RV_ADMIT_MET)
		return RV_OK;
	if (shown == RV_JOB_CANCELLED)
		return rv_fail(why, RV_E_CONFLICT, RV_SAYS_PARENT_CANCELLED, (long long)parent);
	if (shown == RV_JOB_SUCCEEDED)
		return rv_fail(why, RV_E_CONFLICT, RV_SAYS_PARENT_SUCCEEDED, (long long)parent);
	return rv_fail(why, RV_E_CONFLICT, "parent %lld is dead: reeve retry %lld first",
		       (long long)parent, (long long)parent);
}

void rv_rules_says_parent(char *out, size_t space, int64_t parent, enum rv_job_state parent_state)
{
	PRE(parent_state == RV_JOB_SUCCEEDED || parent_state == RV_JOB_CANCELLED);
	if (parent_state == RV_JOB_SUCCEEDED)
		(void)snprintf(out, space, RV_SAYS_PARENT_SUCCEEDED, (long long)parent);
	else
		(void)snprintf(out, space, RV_SAYS_PARENT_CANCELLED, (long long)parent);
}

int rv_rules_no_batch(struct rv_why *why, int64_t id)
{
	return rv_fail(why, RV_E_NOTFOUND, "no such batch %lld", (long long)id);
}

int rv_rules_closed(struct rv_why *why, int64_t id)
{
	return rv_fail(why, RV_E_CONFLICT, "batch %lld is closed", (long long)id);
}

int rv_rules_batch_over(struct rv_why *why, int64_t id, bool closed, int64_t pending)
{
	if (!closed)
		return rv_fail(why, RV_E_CONFLICT, "batch %lld is open: close or cancel it first",
			       (long long)id);
	if (pending > 0)
		return rv_fail(why, RV_E_CONFLICT,
			       "batch %lld has not ended: %lld of its jobs are not finished",
			       (long long)id, (long long)pending);
	return RV_OK;
}

int rv_rules_member(struct rv_why *why, int64_t id, int64_t batch)
{
	return rv_fail(why, RV_E_CONFLICT, "job %lld belongs to batch %lld, which is not finished",
		       (long long)id, (long long)batch);
}

int rv_rules_batch(const struct rv_req_new_batch *req, struct rv_why *why)
{
	int err = check_text(req->name, RV_KEY_MAX - 1, "the name", why);

	if (err == RV_OK)
		err = check_text(req->labels, RV_LABELS_MAX, "the list of labels", why);
	if (err == RV_OK)
		err = check_text(req->on_success.spec, RV_SPEC_MAX, "the spec", why);
	if (err == RV_OK)
		err = check_text(req->on_complete.spec, RV_SPEC_MAX, "the spec", why);
	if (err == RV_OK && req->tolerance && !rv_tolerance_sane(req->tolerance))
		return rv_fail(why, RV_E_USAGE, "a batch cannot tolerate %lld dead jobs",
			       (long long)req->tolerance->n);
	return err;
}

struct rv_job_new rv_rules_callback(const struct rv_callback *callback, uid_t uid, int64_t parent)
{
	PRE(rv_rules_said(callback->task));
	return (struct rv_job_new){.task = callback->task,
				   .spec = callback->spec,
				   .priority = -1,
				   .parent = parent,
				   .uid = uid};
}

const struct rv_task_def *rv_rules_adhoc(void)
{
	static const struct rv_task_def adhoc = {.name = RV_TASK_ADHOC,
						 .queue = RV_QUEUE_DEFAULT,
						 .max_attempts = RV_ADHOC_ATTEMPTS,
						 .max_crashes = RV_ADHOC_CRASHES,
						 .timeout_us = RV_ADHOC_TIMEOUT_US,
						 .durability = RV_DURABILITY_FULL};

	return &adhoc;
}

int rv_rules_hold(const struct rv_req_hold *req, bool held, struct rv_why *why)
{
	if (held == (req->held != 0))
		return rv_fail(why, RV_E_CONFLICT, "job %lld is %s", (long long)req->job,
			       held ? "held already" : "not held");
	return RV_OK;
}

int rv_rules_edit(const struct rv_req_edit *req, struct rv_why *why)
{
	if (req->priority < -1 || req->priority > RV_PRIORITY_MAX)
		return rv_fail(why, RV_E_USAGE, "a priority is 0 to %d", RV_PRIORITY_MAX);
	if (req->max_attempts < 0 || req->run_at_us < 0)
		return rv_fail(why, RV_E_USAGE, "a time or number of attempts below 0");
	if (req->priority == -1 && req->max_attempts == 0 && req->run_at_us == 0)
		return rv_fail(why, RV_E_USAGE, "nothing to change");
	return RV_OK;
}

int rv_rules_edit_attempts(const struct rv_req_edit *req, int attempts, struct rv_why *why)
{
	if (req->max_attempts == 0 || req->max_attempts > attempts)
		return RV_OK;
	return rv_fail(why, RV_E_CONFLICT, "job %lld has used %d %s already", (long long)req->job,
		       attempts, attempts == 1 ? "attempt" : "attempts");
}

int rv_rules_takes(const struct rv_job_new *job, const struct rv_resource_def *resources,
		   size_t count, struct rv_why *why)
{
	const char *names[64];
	struct rv_takes takes;
	size_t known = count < RV_ARRAY_LEN(names) ? count : RV_ARRAY_LEN(names);
	int err;

	if (!rv_rules_said(job->takes))
		return RV_OK;
	err = check_text(job->takes, RV_TAKES_TEXT - 1, "the list of resources", why);
	if (err == RV_OK)
		err = rv_takes_parse(job->takes, &takes, why);
	for (size_t i = 0; i < known; i++)
		names[i] = resources[i].name;
	for (size_t i = 0; err == RV_OK && i < takes.count; i++) {
		const struct rv_take *take = &takes.of[i];
		size_t r = 0;

		while (r < count && strcmp(resources[r].name, take->name) != 0)
			r++;
		if (r == count)
			err = rv_rules_unknown(why, "resource", take->name, names, known);
		else if (take->n > resources[r].count)
			err = rv_fail(why, RV_E_CONFLICT, "%d of resource %s: there are only %d",
				      take->n, take->name, resources[r].count);
	}
	return err;
}

int rv_rules_gate(const struct rv_limited *known, const char *gate, struct rv_need *ret_need)
{
	struct rv_needs needs;
	char text[RV_GATE_MAX + 8];
	struct rv_limited job = *known;
	const char *slash = strchr(gate + 1, '/');
	const char *key = slash ? strchr(slash + 1, '/') : NULL;

	job.queue = job.queue ? job.queue : "";
	job.task = job.task ? job.task : "";
	job.key = key ? key + 1 : NULL;
	(void)snprintf(text, sizeof text, "%s", slash ? slash + 1 : "");
	job.takes = gate[0] == 'r' ? text : NULL;
	rv_needs_of(&job, &needs);
	for (size_t i = 0; i < needs.count; i++) {
		if (strcmp(needs.of[i].gate, gate) == 0) {
			*ret_need = needs.of[i];
			return RV_OK;
		}
	}
	return RV_E_NOTFOUND;
}

void rv_rules_gate_owner(const char *gate, char ret_owner[RV_NAME_MAX])
{
	size_t size = 0;

	if (gate[0] != '\0' && gate[0] != 'r' && gate[1] == '/')
		size = rv_gate_of_key(gate) ? strcspn(gate + 2, "/") : strlen(gate + 2);
	if (size >= RV_NAME_MAX)
		size = 0; /* no name is so long: a damaged store */
	memcpy(ret_owner, gate + (size ? 2 : 0), size);
	ret_owner[size] = '\0';
}

int rv_rules_weight(const struct rv_job_new *job, const struct rv_task_def *task)
{
	if (job->weight > 0)
		return job->weight;
	return task->weight > 0 ? task->weight : 1;
}

int64_t rv_rules_later(int64_t wall_us, int64_t delay_us)
{
	int64_t sum;

	if (delay_us <= 0)
		return wall_us;
	return __builtin_add_overflow(wall_us, delay_us, &sum) ? INT64_MAX : sum;
}

void rv_rules_worker(char *out, const struct rv_req_join *join)
{
	PRE(out);
	if (join->name[0] != '\0')
		(void)snprintf(out, RV_WORKER_NAME_MAX, "%s", join->name);
	else if (join->pool[0] == '\0')
		(void)snprintf(out, RV_WORKER_NAME_MAX, "keeper");
	else
		(void)snprintf(out, RV_WORKER_NAME_MAX, "%s/%d", join->pool, join->slot);
}

int rv_rules_unknown(struct rv_why *why, const char *thing, const char *name,
		     const char *const *names, size_t count)
{
	const char *near;

	PRE(name && (names || count == 0));
	near = rv_near(name, names, count);
	if (near)
		return rv_fail(why, RV_E_NOTFOUND, "no such %s \"%.200s\", did you mean \"%s\"?",
			       thing, name, near);
	return rv_fail(why, RV_E_NOTFOUND, "no such %s \"%.200s\"", thing, name);
}

uint32_t rv_job_sum_said(const char *task, const char *spec)
{
	uint32_t sum = rv_crc32c(0, task, strlen(task) + 1);

	return spec ? rv_crc32c(sum, spec, strlen(spec)) : sum;
}

uint64_t rv_rules_sum(const struct rv_job_new *job, const char *task)
{
	uint32_t payload = rv_crc32c(0, job->payload, job->payload ? job->payload_size : 0);

	PRE(task);
	return RV_JOB_SUM(rv_job_sum_said(task, job->spec), payload);
}

bool rv_rules_is_crash(int died)
{
	return died == RV_DIED_CRASH || died == RV_DIED_HUNG;
}

bool rv_rules_process_gone(int64_t pid, int64_t start_ticks)
{
	struct rv_procstat stat;

	if (pid <= 0 || pid > INT32_MAX)
		return true;
	if (rv_procstat((pid_t)pid, &stat) != RV_OK)
		return true;
	return (int64_t)stat.start_ticks != start_ticks || stat.state == 'Z' || stat.state == 'X';
}

static int64_t span(int64_t from_us, int64_t to_us)
{
	return to_us > from_us ? to_us - from_us : 0;
}

void rv_rules_ended(const struct rv_run_end *run, struct rv_ended *ret_ended)
{
	bool crashed = run->outcome == RV_OUTCOME_CRASHED;
	/* Else it is the worker's, of all its life. */
	bool own = run->user_us >= 0 && (!crashed || run->sys_us < 0);
	bool failed = run->outcome == RV_OUTCOME_FAILED || run->outcome == RV_OUTCOME_FATAL;

	PRE(run->outcome >= RV_OUTCOME_SUCCEEDED && run->outcome <= RV_OUTCOME_CRASHED);
	*ret_ended = (struct rv_ended){
		.wait_us = run->due_us > 0 ? span(run->due_us, run->started_us) : -1,
		.run_us = failed || run->outcome == RV_OUTCOME_SUCCEEDED
				  ? span(run->started_us, run->ended_us)
				  : -1,
		.cpu_us = own ? run->user_us + (run->sys_us > 0 ? run->sys_us : 0) : -1,
		.maxrss_bytes = own ? run->maxrss_bytes : -1,
		.failed = failed || crashed,
		.succeeded = run->job == RV_JOB_SUCCEEDED,
		.dead = run->job == RV_JOB_DEAD,
	};
}
