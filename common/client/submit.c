/*
 * Writes of outsiders: one transaction, signals that would stop us in it held back, then the bell.
 * Runs in the CLI, in programs that use the library, and in tests.  Must never read input, wait for
 * anybody but the write lock, or run anything of a person's between BEGIN and COMMIT.
 */
#include "client/submit.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/fault.h"
#include "client/alive.h"
#include "client/bell.h"
#include "client/nest.h"
#include "client/offer.h"
#include "conf/conf.h"
#include "core/job.h"
#include "store/request.h"
#include "wire/control.h"
#include "wire/json.h"
#include "wire/sup.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const int held_signals[] = {SIGTSTP, SIGINT, SIGTERM, SIGHUP, SIGTTOU};

static void hold_signals(sigset_t *ret_before)
{
	sigset_t held;

	(void)sigemptyset(&held);
	for (size_t i = 0; i < RV_ARRAY_LEN(held_signals); i++)
		(void)sigaddset(&held, held_signals[i]);
	if (pthread_sigmask(SIG_BLOCK, &held, ret_before) != 0)
		IMPOSSIBLE("pthread_sigmask refuses a valid set");
}

static bool enqueues(struct rv_req *const *reqs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (reqs[i]->kind == RV_REQ_ENQUEUE)
			return true;
	}
	return false;
}

/*
 * Who is to be rung need not survive a power cut: no bell does, and no run that sleeps.  Nor need
 * the deletion of what had ended: after the cut it is there again, whole, as it was before, and is
 * deleted once more (docs/adr/0007).
 */
static enum rv_durability durability_of(const struct rv_client *client, struct rv_req *const *reqs,
					size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (reqs[i]->kind != RV_REQ_WAITER && reqs[i]->kind != RV_REQ_LEND &&
		    reqs[i]->kind != RV_REQ_DELETE)
			return client->conf->store.durability;
	}
	return RV_DURABILITY_NORMAL;
}

static int execute_all(struct rv_client *client, struct rv_req *const *reqs, size_t count,
		       bool *ret_all_well, struct rv_why *why)
{
	for (size_t i = 0; i < count; i++) {
		int err = rv_store_execute(client->store, reqs[i]);

		if (err)
			return rv_fail(why, err, "%s: %s", client->store_path,
				       rv_why_text(&reqs[i]->why, err));
		if (reqs[i]->err)
			*ret_all_well = false;
	}
	return RV_OK;
}

static int transact(struct rv_client *client, struct rv_req *const *reqs, size_t count,
		    bool all_or_nothing, struct rv_why *why)
{
	enum rv_durability durability = durability_of(client, reqs, count);
	bool all_well = true;
	int err = rv_store_begin(client->store, durability, client->busy_us, why);

	if (err)
		return err;
	err = execute_all(client, reqs, count, &all_well, why);
	if (err)
		return err; /* the transaction was rolled back by what ended it */
	if (!all_well && (all_or_nothing || count == 1)) {
		rv_store_rollback(client->store);
		return RV_OK;
	}
	if (enqueues(reqs, count))
		err = RV_FAULT(enqueue_commit);
	if (err) {
		rv_store_rollback(client->store);
		return rv_fail(why, err, "the commit failed (fault point)");
	}
	err = rv_store_commit(client->store, why);
	if (err)
		return err;
	if (!enqueues(reqs, count) || RV_FAULT(enqueue_ring) == RV_OK)
		rv_bell_after_commit(client);
	/* Outsiders help to keep the log short (DESIGN §3); a failure is the next one's matter. */
	(void)!rv_store_checkpoint(client->store, RV_CLIENT_WAL_MAX, NULL);
	return RV_OK;
}

int rv_submit(struct rv_client *client, struct rv_req *const *reqs, size_t count,
	      bool all_or_nothing, struct rv_why *why)
{
	sigset_t before;

	PRE(client->store && client->writable);
	hold_signals(&before);
	int err = transact(client, reqs, count, all_or_nothing, why);
	if (pthread_sigmask(SIG_SETMASK, &before, NULL) != 0)
		IMPOSSIBLE("pthread_sigmask refuses the mask it gave");
	return err;
}

int rv_submit_one(struct rv_client *client, struct rv_req *req, struct rv_why *why)
{
	int err = rv_submit(client, &req, 1, true, why);

	if (!err && req->err)
		err = rv_fail(why, req->err, "%s", rv_why_text(&req->why, req->err));
	return err;
}

static int submit_direct(struct rv_client *client, struct rv_submit_jobs *jobs, struct rv_why *why)
{
	struct rv_req *req = calloc(1, sizeof(*req));
	int err;

	jobs->failed = jobs->count;
	if (!req)
		return RV_E_NOMEM;
	req->kind = RV_REQ_ENQUEUE;
	req->u.enqueue = (struct rv_req_enqueue){
		.jobs = jobs->jobs,
		.count = jobs->count,
		.ret_ids = jobs->ret_ids,
		.adhoc_refused = !client->conf->reeve.adhoc,
		.idem_ttl_us = client->conf->store.idempotency_ttl_us,
	};
	err = rv_submit_one(client, req, why);
	if (req->err)
		jobs->failed = req->u.enqueue.failed_index;
	jobs->repeated = req->u.enqueue.repeated;
	jobs->skipped = req->u.enqueue.skipped;
	jobs->rescheduled = req->u.enqueue.rescheduled;
	jobs->replaced = req->u.enqueue.replaced;
	jobs->may_wait = err == RV_E_FULL && req->u.enqueue.may_wait;
	(void)snprintf(jobs->full, sizeof(jobs->full), "%s", req->u.enqueue.full);
	free(req);
	return err;
}

static int submit(struct rv_client *client, struct rv_submit_jobs *jobs, struct rv_why *why)
{
	int err = RV_E_NOTRUN;

	if (client->conf->client.submit == RV_CONF_SUBMIT_DAEMON && jobs->count > 0)
		err = rv_offer_jobs(client, jobs, why);
	return err == RV_E_NOTRUN ? submit_direct(client, jobs, why) : err;
}

static bool any_parent(const struct rv_submit_jobs *jobs)
{
	for (size_t i = 0; i < jobs->count; i++) {
		if (jobs->jobs[i].parent != 0)
			return true;
	}
	return false;
}

int rv_submit_jobs(struct rv_client *client, struct rv_submit_jobs *jobs, struct rv_why *why)
{
	const struct rv_job_new *given = jobs->jobs;
	struct rv_job_new *adopted;
	struct rv_arena arena;
	int err;

	PRE(client->store && client->writable);
	if (jobs->count == 0 || (rv_nest_job(client) == 0 && !any_parent(jobs)))
		return submit(client, jobs, why);
	rv_arena_init(&arena);
	adopted = rv_arena_alloc(&arena, jobs->count * sizeof(*given));
	if (adopted)
		memcpy(adopted, given, jobs->count * sizeof(*given));
	err = adopted ? rv_nest_adopt(client, adopted, jobs->count, &arena) : RV_E_NOMEM;
	jobs->failed = jobs->count;
	jobs->jobs = adopted;
	if (!err)
		err = submit(client, jobs, why);
	jobs->jobs = given;
	rv_arena_reset(&arena);
	return err;
}

/* The daemon passes it on at once; should it not answer, the worker reads the flag at its next
 * beat. */
void rv_submit_kick(struct rv_client *client, const struct rv_req_cancel *cancel)
{
	RV_AUTO(rv_json_free) json_t *request = rv_control_request("kick");
	json_t *reply = NULL;

	if (request && rv_json_set_int(request, "slot", cancel->slot) == RV_OK &&
	    rv_json_set_int(request, "job", cancel->job) == RV_OK &&
	    rv_json_set_int(request, "fence", cancel->fence) == RV_OK &&
	    rv_alive_call(client, request, &reply, NULL) == RV_OK)
		json_decref(reply);
	else
		rv_bell_ring(client, RV_RING_KEEPER);
}

int rv_submit_cancel(struct rv_client *client, int64_t id, bool *ret_running, struct rv_why *why)
{
	struct rv_req *req = calloc(1, sizeof(*req));
	bool running;
	int err;

	if (!req)
		return RV_E_NOMEM;
	req->kind = RV_REQ_CANCEL;
	req->u.cancel.job = id;
	err = rv_submit_one(client, req, why);
	running = !err && req->u.cancel.was == RV_JOB_RUNNING;
	if (running)
		rv_submit_kick(client, &req->u.cancel);
	if (!err && ret_running)
		*ret_running = running;
	free(req);
	return err;
}
