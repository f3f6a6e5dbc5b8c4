/*
 * Jobs that submit jobs, and wait for them.  Runs in the CLI and in whatever program uses the
 * library, within a job.  Must never keep one from its work: without a daemon that listens it is a
 * client like any other.
 */
#include "client/nest.h"

#include "base/arena.h"
#include "base/fmt.h"
#include "base/seam.h"
#include "client/alive.h"
#include "client/submit.h"
#include "store/read.h"
#include "store/request.h"
#include "wire/control.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define TRIES    20 /* at a daemon that has too many requests: 50 a second are let in */
#define PAUSE_MS 100

int64_t rv_nest_job(const struct rv_client *client)
{
	const char *id = getenv("REEVE_JOB_ID");
	const char *store = getenv("REEVE_STORE");
	int64_t job = 0;

	if (!id || !store || strcmp(store, client->store_path) != 0 ||
	    rv_parse_int(id, 1, INT64_MAX, &job) != RV_OK)
		return 0;
	return job;
}

/* What a child takes over. */
struct legacy {
	int64_t job, deadline_us;
	const char *key, *labels;
};

static int copy(const char *text, struct rv_arena *arena, const char **ret)
{
	if (!text)
		return RV_OK;
	*ret = rv_arena_strdup(arena, text);
	return *ret ? RV_OK : RV_E_NOMEM;
}

static int read_legacy(struct rv_client *client, int64_t job, struct rv_arena *arena,
		       struct legacy *legacy)
{
	struct rv_job_view view;
	int err = rv_store_job(client->store, job, &view);

	*legacy = (struct legacy){.job = job};
	if (err)
		return err;
	legacy->deadline_us = view.deadline_us;
	err = copy(view.key, arena, &legacy->key);
	return err ? err : copy(view.labels, arena, &legacy->labels);
}

static void inherit(struct rv_job_new *job, const struct legacy *legacy)
{
	job->parent = legacy->job;
	if (job->deadline_us == 0)
		job->deadline_us = legacy->deadline_us;
	if (!job->key)
		job->key = legacy->key;
	if (!job->labels)
		job->labels = legacy->labels;
}

int rv_nest_adopt(struct rv_client *client, struct rv_job_new *jobs, size_t count,
		  struct rv_arena *arena)
{
	int64_t ours = rv_nest_job(client);
	struct legacy legacy = {0};
	int err = RV_OK;

	for (size_t i = 0; !err && i < count; i++) {
		int64_t parent = jobs[i].parent != 0 ? jobs[i].parent : ours;

		if (parent == RV_PARENT_NONE)
			jobs[i].parent = 0;
		if (parent <= 0)
			continue;
		if (legacy.job != parent)
			err = read_legacy(client, parent, arena, &legacy);
		/* One that is not there: whoever named it is told by the store. */
		if (err == RV_E_NOTFOUND && jobs[i].parent == 0) {
			ours = 0;
			legacy.job = 0;
			err = RV_OK;
			continue;
		}
		if (err == RV_E_NOTFOUND)
			err = RV_OK;
		if (!err)
			inherit(&jobs[i], &legacy);
	}
	return err;
}

static int tell(const struct rv_nest *nest, struct rv_client *client, bool on)
{
	RV_AUTO(rv_json_free) json_t *request = rv_control_request("waits");
	json_t *reply = NULL;
	int err = RV_E_NOMEM;

	if (request && rv_json_set_int(request, "slot", nest->slot) == RV_OK &&
	    rv_json_set_int(request, "incarnation", nest->incarnation) == RV_OK &&
	    rv_json_set_int(request, "job", nest->job) == RV_OK &&
	    rv_json_set_bool(request, "on", on) == RV_OK)
		err = rv_alive_call(client, request, &reply, NULL);
	if (err == RV_OK)
		json_decref(reply);
	return err;
}

/* What the job holds of limits is its children's while it sleeps.  Never in the way of waiting. */
static void lend(struct rv_nest *nest, struct rv_client *client, bool on)
{
	struct rv_req *req = client->writable ? calloc(1, sizeof(*req)) : NULL;

	if (!req)
		return;
	req->kind = RV_REQ_LEND;
	req->u.lend.job = nest->job;
	req->u.lend.fence = nest->fence;
	req->u.lend.on = on;
	nest->lends = rv_submit_one(client, req, NULL) == RV_OK && on;
	free(req);
}

void rv_nest_begin(struct rv_nest *nest, struct rv_client *client)
{
	const char *fence = getenv("REEVE_FENCE");
	int64_t job = rv_nest_job(client);
	struct rv_job_view view;
	int64_t ours = 0;
	int err = RV_E_BUSY;

	/* A store that was busy then is not now. */
	if (nest->job != 0 && !nest->lends)
		lend(nest, client, true);
	if (nest->job != 0 || job == 0 || !fence ||
	    rv_parse_int(fence, 1, INT64_MAX, &ours) != RV_OK ||
	    rv_store_job(client->store, job, &view) != RV_OK || view.state != RV_JOB_RUNNING ||
	    view.fence != ours)
		return;
	nest->slot = view.slot;
	nest->incarnation = (int64_t)view.incarnation;
	nest->job = job;
	nest->fence = ours;
	/* Nothing rings when the daemon has time again. */
	for (int i = 0; i < TRIES && (err = tell(nest, client, true)) == RV_E_BUSY; i++)
		(void)poll(NULL, 0, PAUSE_MS);
	if (err)
		nest->job = 0;
	else
		lend(nest, client, true);
}

void rv_nest_end(struct rv_nest *nest, struct rv_client *client)
{
	if (nest->job != 0 && client->conf)
		(void)!tell(nest, client, false);
	if (nest->lends && client->store)
		lend(nest, client, false);
	nest->job = 0;
}
