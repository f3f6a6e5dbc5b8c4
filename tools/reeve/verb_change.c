/*
 * reeve cancel, retry, delete, hold, release: what a person may do to jobs.  Each id is a
 * transaction of its own, so that one that cannot be changed does not keep the others from it.
 */
#include "change.h"

#include "client/submit.h"
#include "core/job.h"
#include "store/batch.h"
#include "store/read.h"
#include "store/request.h"
#include "verb.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct change {
	struct rv_cli *cli;
	struct rv_req *req;        /* owned */
	const struct rv_req *what; /* as it was made, but for the job */
	json_t *jobs;              /* NULL: words instead */
	const char *done;          /* "retried" */
	int64_t parent;            /* of a child that is retried without it; 0 none */
	int code;                  /* of the first that failed */
};

static int64_t job_of(const struct rv_req *req)
{
	switch (req->kind) {
	case RV_REQ_CANCEL:
		return req->u.cancel.job;
	case RV_REQ_RETRY:
		return req->u.retry.job;
	case RV_REQ_HOLD:
		return req->u.hold.job;
	case RV_REQ_EDIT:
		return req->u.edit.job;
	default:
		return req->u.remove.job;
	}
}

/* The parent with which the job was cancelled; 0: it was not. */
static int64_t lost_parent(struct change *change, int64_t id)
{
	static const char says[] = RV_SAYS_PARENT_CANCELLED;
	const size_t lead = strcspn(says, "%");
	struct rv_job_view view;
	long long parent;
	char *end;

	if (change->req->kind != RV_REQ_RETRY ||
	    rv_store_job(change->cli->client.store, id, &view) != RV_OK ||
	    view.state != RV_JOB_CANCELLED || !view.error || strncmp(view.error, says, lead) != 0)
		return 0;
	parent = strtoll(view.error + lead, &end, 10);
	return strcmp(end, says + lead + strlen("%lld")) == 0 ? parent : 0;
}

/* Of a job that is to be deleted. */
static int runs_of(const struct change *change, int64_t id)
{
	struct rv_job_view view;

	if (change->req->kind != RV_REQ_DELETE ||
	    rv_store_job(change->cli->client.store, id, &view) != RV_OK)
		return 0;
	return view.runs;
}

/* Retried alone, such a child runs without its parent: that was asked for, and it is told. */
static void tell_parent(struct change *change)
{
	struct rv_job_view view;
	int err = rv_store_job(change->cli->client.store, change->parent, &view);

	rv_cli_note("job %lld does not wait for its parent %lld, which %s%s",
		    (long long)job_of(change->req), (long long)change->parent,
		    err ? "is gone" : "is ", err ? "" : rv_job_state_name(view.state));
}

static int report_json(struct change *change, int err)
{
	json_t *item = json_object();
	const struct rv_req *req = change->req;
	int failed = item ? RV_OK : RV_E_NOMEM;
	bool running = req->kind == RV_REQ_CANCEL && req->u.cancel.was == RV_JOB_RUNNING;

	if (!failed)
		failed = rv_json_set_int(item, "id", job_of(req));
	if (!failed)
		failed = rv_json_set_bool(item, "ok", err == RV_OK);
	if (!failed && !err && req->kind == RV_REQ_CANCEL)
		failed = rv_json_set_bool(item, "cancel_requested", running);
	if (!failed && !err && change->parent > 0)
		failed = rv_json_set_int(item, "without_parent", change->parent);
	if (!failed)
		failed = rv_json_set_text(item, "error",
					  err ? rv_why_text(&change->cli->why, err) : NULL);
	if (!failed && json_array_append(change->jobs, item) != 0)
		failed = RV_E_NOMEM;
	json_decref(item);
	return failed;
}

static void report(struct change *change, int err)
{
	const struct rv_req *req = change->req;
	bool running = req->kind == RV_REQ_CANCEL && req->u.cancel.was == RV_JOB_RUNNING;

	if (!err && !change->jobs)
		(void)printf("%lld %s\n", (long long)job_of(req),
			     running ? "is being cancelled" : change->done);
	if (!err && !change->jobs && change->parent > 0)
		tell_parent(change);
	if (err) {
		/* In JSON each job has its own error in the answer; the first is the program's. */
		int code = change->jobs && change->code != 0 ? change->code
							     : rv_cli_fail(change->cli, err);

		if (change->code == 0)
			change->code = code;
	}
}

void rv_change_fill(struct rv_req *req, const struct rv_req *what, int64_t id)
{
	req->kind = what->kind;
	req->err = RV_OK;
	req->why.text[0] = '\0';
	switch (what->kind) {
	case RV_REQ_CANCEL:
		req->u.cancel = (struct rv_req_cancel){.job = id};
		break;
	case RV_REQ_RETRY:
		req->u.retry = (struct rv_req_retry){.job = id};
		break;
	case RV_REQ_HOLD:
		req->u.hold = what->u.hold;
		req->u.hold.job = id;
		break;
	case RV_REQ_EDIT:
		req->u.edit = what->u.edit;
		req->u.edit.job = id;
		break;
	default:
		req->u.remove = (struct rv_req_remove){.job = id};
		break;
	}
}

static int change_one(struct change *change, int64_t id)
{
	struct rv_req *req = change->req;
	int runs;
	int err;

	change->cli->why.text[0] = '\0';
	rv_change_fill(req, change->what, id);
	change->parent = lost_parent(change, id);
	runs = runs_of(change, id);
	err = rv_submit_one(&change->cli->client, req, &change->cli->why);
	if (!err && req->kind == RV_REQ_CANCEL && req->u.cancel.was == RV_JOB_RUNNING)
		rv_submit_kick(&change->cli->client, &req->u.cancel);
	if (!err)
		rv_outputs_forget(change->cli, id, runs);
	if (change->jobs && report_json(change, err) != RV_OK)
		return RV_E_NOMEM;
	report(change, err);
	/* What is about this job is told; what is about the store ends the rest too. */
	return req->err || !err ? RV_OK : err;
}

/* Jobs that are still to be cancelled, with what they have submitted. */
struct tree {
	int64_t *ids; /* owned */
	size_t count, space;
};

static int add_id(void *ctx, int64_t id)
{
	struct tree *tree = ctx;

	if (tree->count == tree->space) {
		size_t space = tree->space ? tree->space * 2 : 64;
		int64_t *ids = reallocarray(tree->ids, space, sizeof(*ids));

		if (!ids)
			return RV_E_NOMEM;
		tree->ids = ids;
		tree->space = space;
	}
	tree->ids[tree->count++] = id;
	return RV_OK;
}

/*
 * From the root down: one that is cancelled gets no more children, so whoever comes after it finds
 * all of them.  What has ended is passed over, but not what it has submitted.
 */
static int change_tree(struct change *change, int64_t root)
{
	struct rv_store *store = change->cli->client.store;
	struct tree tree = {0};
	int err = add_id(&tree, root);

	for (size_t i = 0; !err && i < tree.count; i++) {
		struct rv_job_view view;
		int there = rv_store_job(store, tree.ids[i], &view);

		if (there != RV_OK || !rv_job_state_final(view.state))
			err = change_one(change, tree.ids[i]);
		if (!err)
			err = rv_store_children(store, tree.ids[i], add_id, &tree);
	}
	free(tree.ids);
	return err;
}

static int change_all(struct change *change)
{
	const struct rv_args *args = &change->cli->args;
	bool tree = rv_args_has(args, RV_OPT_TREE);

	for (size_t i = 0; i < args->nwords; i++) {
		int64_t id = strtoll(args->words[i], NULL, 10);
		int err = tree ? change_tree(change, id) : change_one(change, id);

		if (err)
			return err;
	}
	return RV_OK;
}

int rv_change_run(struct rv_cli *cli, const struct rv_req *what, const char *done)
{
	struct change change = {.cli = cli, .what = what, .done = done};
	json_t *object;
	int64_t id;
	int err = RV_OK;

	if (rv_args_has(&cli->args, RV_OPT_QUERY))
		return rv_change_many(cli, what, done, "");
	for (size_t i = 0; !err && i < cli->args.nwords; i++)
		err = rv_args_id(cli->args.words[i], &id, &cli->why);
	if (!err)
		err = rv_cli_store(cli, RV_CLIENT_WRITE);
	if (err)
		return rv_cli_fail(cli, err);
	change.req = calloc(1, sizeof(*change.req));
	change.jobs = cli->json ? json_array() : NULL;
	if (!change.req || (cli->json && !change.jobs)) {
		free(change.req);
		json_decref(change.jobs);
		return rv_cli_fail(cli, RV_E_NOMEM);
	}
	change.req->kind = what->kind;
	err = change_all(&change);
	free(change.req);
	if (err && change.code == 0)
		change.code = rv_err_exit(err);
	if (!cli->json)
		return change.code;
	object = rv_cli_object();
	if (object && rv_json_set_new(object, "jobs", change.jobs) == RV_OK)
		err = rv_cli_json(cli, object);
	return change.code ? change.code : err;
}

static int run_kind(struct rv_cli *cli, int kind, const char *done)
{
	static struct rv_req what;

	what.kind = kind;
	return rv_change_run(cli, &what, done);
}

int rv_verb_cancel(struct rv_cli *cli)
{
	return run_kind(cli, RV_REQ_CANCEL, "cancelled");
}

int rv_verb_retry(struct rv_cli *cli)
{
	return run_kind(cli, RV_REQ_RETRY, "is ready again");
}

int rv_verb_delete(struct rv_cli *cli)
{
	return run_kind(cli, RV_REQ_DELETE, "deleted");
}

int rv_verb_hold(struct rv_cli *cli)
{
	static struct rv_req what = {.kind = RV_REQ_HOLD, .u.hold.held = 1};

	return rv_change_run(cli, &what, "held");
}

int rv_verb_release(struct rv_cli *cli)
{
	return run_kind(cli, RV_REQ_HOLD, "released");
}
