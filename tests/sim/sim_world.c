/*
 * The store under the simulation, and the observer: it sees every answer, also those that their
 * asker never learned because it died, and knows what each run really did.
 */
#include "sim.h"

#include "helpers/tmpdir.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void sim_fail(const struct sim *s, const char *format, ...)
{
	va_list args;

	(void)fprintf(stderr, "seed %" PRIu64 ", %s, step %ld: ", s->seed, s->backend, s->step);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fprintf(stderr,
		      "\nrepeat with: sim_store --backend %s --seed %" PRIu64
		      " --steps %ld --until %ld --check-every 1 --verbose\n",
		      s->backend, s->seed, s->steps, s->step);
	exit(1);
}

void sim_note(const struct sim *s, const char *format, ...)
{
	va_list args;

	if (!s->verbose)
		return;
	(void)printf("step %ld: ", s->step);
	va_start(args, format);
	(void)vprintf(format, args);
	va_end(args);
	(void)putchar('\n');
}

static struct rv_store *open_one(struct sim *s, bool create)
{
	struct rv_store_open how = {.backend = s->backend,
				    .path = s->path,
				    .create = create,
				    .migrate = create,
				    .group = (gid_t)-1};
	struct rv_store *store = NULL;
	struct rv_why why = {""};

	if (rv_store_open(&how, &store, &why) != RV_OK)
		sim_fail(s, "the store cannot be opened: %s", why.text);
	return store;
}

static bool on_disk(const struct sim *s)
{
	return strcmp(s->backend, "memory") != 0;
}

void sim_open(struct sim *s)
{
	(void)snprintf(s->path, sizeof s->path, "%s/sim.db", rv_test_memdir());
	s->store = open_one(s, true);
	s->foreign = on_disk(s) ? open_one(s, false) : NULL;
}

void sim_reopen(struct sim *s)
{
	if (!on_disk(s))
		return;
	rv_store_close(s->store);
	s->store = open_one(s, false);
}

void sim_close(struct sim *s)
{
	rv_store_close(s->foreign);
	rv_store_close(s->store);
	s->foreign = s->store = NULL;
	rv_test_tmpdir_end();
}

struct sim_job *sim_job(struct sim *s, int64_t id)
{
	for (int i = 0; i < s->njobs; i++)
		if (s->jobs[i].id == id)
			return &s->jobs[i];
	return NULL;
}

static struct sim_job *known_job(struct sim *s, int64_t id)
{
	struct sim_job *job = sim_job(s, id);

	if (!job || job->deleted)
		sim_fail(s, "job %" PRId64 " was never accepted, or deleted", id);
	return job;
}

static void observe_ack(struct sim *s, const struct rv_ack *ack)
{
	struct sim_job *job;

	if (ack->err == RV_E_STALE) {
		s->stale++;
		return;
	}
	job = known_job(s, ack->job);
	s->taken++;
	if (ack->fence != job->newest)
		sim_fail(s,
			 "an ack of job %" PRId64 " with the old fence %" PRIx64
			 " was taken, not %" PRIx64,
			 ack->job, (uint64_t)ack->fence, (uint64_t)job->newest);
	if (ack->fence == job->settled)
		sim_fail(s, "the run of fence %" PRIx64 " of job %" PRId64 " was settled twice",
			 (uint64_t)ack->fence, ack->job);
	job->settled = ack->fence;
	if (job->cancel_fence == ack->fence) {
		bool told =
			ack->outcome == RV_OUTCOME_SUCCEEDED || ack->outcome == RV_OUTCOME_FAILED;

		if ((ack->err == RV_E_CONFLICT) != told)
			sim_fail(s,
				 "job %" PRId64
				 ": the cancel came first, the ack (outcome %d) was told %s",
				 ack->job, ack->outcome, rv_err_name(ack->err));
		return;
	}
	if (ack->err != RV_OK)
		sim_fail(s, "job %" PRId64 ": its ack was told %s", ack->job,
			 rv_err_name(ack->err));
	if (ack->outcome == RV_OUTCOME_SUCCEEDED)
		job->succeeded = true;
	if (ack->outcome == RV_OUTCOME_SUCCEEDED || ack->outcome == RV_OUTCOME_FAILED ||
	    ack->outcome == RV_OUTCOME_FATAL)
		job->burned++;
}

static void observe_claim(struct sim *s, const struct rv_claimed *claimed)
{
	struct sim_job *job = known_job(s, claimed->job);

	if (job->succeeded)
		sim_fail(s, "job %" PRId64 " has succeeded and is given out again", job->id);
	if (claimed->fence <= job->newest)
		sim_fail(s, "the fence of job %" PRId64 " did not grow", job->id);
	if (claimed->attempt != job->burned + 1)
		sim_fail(s, "job %" PRId64 " is given out as attempt %d, %d were burned", job->id,
			 claimed->attempt, job->burned);
	job->newest = claimed->fence;
	sim_note(s, "  job %" PRId64 " is claimed, fence %" PRIx64, job->id, (uint64_t)job->newest);
}

/* A callback is a new job, once and for all. */
static void observe_call(struct sim *s, struct sim_batch *batch, int which, int64_t id)
{
	if (id == batch->called[which])
		return;
	if (batch->called[which] != 0)
		sim_fail(s, "batch %" PRId64 " called back twice: jobs %" PRId64 " and %" PRId64,
			 batch->id, batch->called[which], id);
	if (s->njobs == SIM_JOBS || sim_job(s, id))
		sim_fail(s, "batch %" PRId64 " called back with the old job %" PRId64, batch->id,
			 id);
	batch->called[which] = id;
	s->jobs[s->njobs++] = (struct sim_job){.id = id};
	sim_note(s, "  batch %" PRId64 " calls back: job %" PRId64, batch->id, id);
}

static void observe_batch(struct sim *s, struct sim_batch *batch)
{
	struct rv_batch_view v;
	int err = rv_store_batch(s->store, batch->id, &v);

	batch->gone = err == RV_E_NOTFOUND;
	if (batch->gone)
		return;
	if (err != RV_OK)
		sim_fail(s, "batch %" PRId64 " cannot be read: %s", batch->id, rv_err_name(err));
	observe_call(s, batch, 0, v.success_job);
	observe_call(s, batch, 1, v.complete_job);
}

static int note_cancel(void *ctx, int64_t job, int64_t fence, int slot)
{
	(void)slot;
	known_job(ctx, job)->cancel_fence = fence;
	return RV_OK;
}

static void observe(struct sim *s, const struct rv_req *req)
{
	for (int i = 0; i < s->nbatches; i++)
		if (s->batches[i].closed && !s->batches[i].gone)
			observe_batch(s, &s->batches[i]);
	if (req->kind == RV_REQ_TURN && req->err == RV_OK) {
		const struct rv_req_turn *t = &req->u.turn;

		for (uint32_t i = 0; i < t->nacks; i++)
			observe_ack(s, &t->acks[i]);
		for (uint32_t i = 0; i < t->nclaimed; i++)
			observe_claim(s, &t->claimed[i]);
	}
	if (req->kind == RV_REQ_CANCEL && req->err == RV_OK && req->u.cancel.slot >= 0)
		known_job(s, req->u.cancel.job)->cancel_fence = req->u.cancel.fence;
	if (req->kind == RV_REQ_PROMOTE && req->err == RV_OK && req->u.promote.swept > 0 &&
	    rv_store_cancels(s->store, note_cancel, s) != RV_OK)
		sim_fail(s, "what is to be cancelled cannot be read");
	if (req->kind == RV_REQ_DELETE && req->err == RV_OK)
		known_job(s, req->u.remove.job)->deleted = true;
	if (req->kind == RV_REQ_RETRY && req->err == RV_OK &&
	    known_job(s, req->u.retry.job)->succeeded)
		sim_fail(s, "a success is run again");
}

/* A leader that dies with the transaction open: the request is as if it had never been. */
static void leader_dies(struct sim *s)
{
	if (rv_store_begin(s->store, RV_DURABILITY_NORMAL, 0, NULL) != RV_OK)
		return;
	if (rv_store_execute(s->store, &s->req) != RV_OK)
		sim_fail(s, "%s ended the transaction", rv_req_name(s->req.kind));
	rv_store_rollback(s->store);
}

bool sim_ask(struct sim *s, int kind)
{
	struct rv_req *one = &s->req;
	struct rv_why why = {""};
	int err;

	one->kind = kind;
	s->asked++;
	if (!s->calm && sim_chance(s, 3))
		leader_dies(s);
	err = rv_store_do(s->store, &one, 1, RV_DURABILITY_NORMAL, 0, &why);
	if (err == RV_E_BUSY && s->locked) {
		s->busy++;
		return false;
	}
	if (err != RV_OK)
		sim_fail(s, "%s: %s (%s)", rv_req_name(kind), rv_err_name(err), why.text);
	if (s->locked)
		sim_fail(s, "%s was done under a foreign lock", rv_req_name(kind));
	sim_note(s, "%s %s %s", rv_req_name(kind), rv_err_name(one->err), one->why.text);
	observe(s, one);
	return true;
}

/* Two processes of one job at once are allowed only while the older one's worker sleeps or slept.
 */
void sim_run_begins(struct sim *s, int worker, const struct sim_held *held)
{
	struct sim_worker *w = &s->workers[worker];

	for (int i = 0; i < s->nruns; i++) {
		const struct sim_run *run = &s->runs[i];
		const struct sim_worker *other = &s->workers[run->worker];

		if (run->live && run->job == held->job && !other->stopped && !other->overslept)
			sim_fail(s,
				 "two live runs of job %" PRId64 ": fences %" PRIx64
				 " and %" PRIx64,
				 held->job, (uint64_t)run->fence, (uint64_t)held->fence);
	}
	if (s->nruns == SIM_RUNS)
		sim_fail(s, "more runs than this program has room for");
	s->runs[s->nruns] = (struct sim_run){.job = held->job,
					     .fence = held->fence,
					     .worker = worker,
					     .who = w->incarnation,
					     .live = true};
	w->run = s->nruns++;
	sim_note(s, "worker %d runs job %" PRId64, worker, held->job);
}

void sim_run_ends(struct sim *s, int worker)
{
	struct sim_worker *w = &s->workers[worker];

	if (w->run >= 0)
		s->runs[w->run].live = false;
	w->run = -1;
}

static void broken(void *ctx, const char *rule, const char *what)
{
	sim_fail(ctx, "%s is broken: %s", rule, what);
}

void sim_check(struct sim *s)
{
	if (rv_store_check(s->store, false, broken, s) != RV_OK)
		sim_fail(s, "the store cannot be checked");
}

static bool really_ran(const struct sim *s, const struct sim_job *job)
{
	for (int i = 0; i < s->nruns; i++)
		if (s->runs[i].job == job->id && s->runs[i].fence == job->settled)
			return true;
	return false;
}

static void check_job(struct sim *s, const struct sim_job *job)
{
	struct rv_job_view v;
	int err = rv_store_job(s->store, job->id, &v);

	if (job->deleted) {
		if (err != RV_E_NOTFOUND)
			sim_fail(s, "job %" PRId64 " was deleted and is there", job->id);
		return;
	}
	if (err != RV_OK)
		sim_fail(s, "job %" PRId64 " is lost: %s", job->id, rv_err_name(err));
	if ((v.state == RV_JOB_SUCCEEDED) != job->succeeded)
		sim_fail(s, "job %" PRId64 " is %s, and its success was %sreported", job->id,
			 rv_job_state_name(v.state), job->succeeded ? "" : "never ");
	if (v.state == RV_JOB_SUCCEEDED && !really_ran(s, job))
		sim_fail(s, "job %" PRId64 " is done without having run", job->id);
	if (v.attempt != job->burned + (v.state == RV_JOB_RUNNING))
		sim_fail(s, "job %" PRId64 " (%s) shows attempt %d, %d were burned", job->id,
			 rv_job_state_name(v.state), v.attempt, job->burned);
	if (job->cancel_fence != 0 && job->cancel_fence == job->settled &&
	    job->settled == job->newest && v.runs > 0 && v.state == RV_JOB_SUCCEEDED)
		sim_fail(s, "job %" PRId64 " was cancelled first and is %s", job->id,
			 rv_job_state_name(v.state));
}

void sim_check_jobs(struct sim *s)
{
	for (int i = 0; i < s->njobs; i++)
		check_job(s, &s->jobs[i]);
}
