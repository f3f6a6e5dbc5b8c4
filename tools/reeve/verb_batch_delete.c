/*
 * reeve batch delete: forgets a batch that has ended; its jobs with it, or left as jobs of none.
 * Runs in the CLI.
 */
#include "batches.h"

#include "change.h"
#include "client/submit.h"
#include "verb.h"
#include "view.h"
#include "wire/json.h"

#include <stdlib.h>

static int drop(struct rv_cli *cli, int64_t id)
{
	struct rv_req *req = calloc(1, sizeof(*req));
	int err = req ? RV_OK : RV_E_NOMEM;

	if (!err) {
		req->kind = RV_REQ_DROP_BATCH;
		req->u.drop_batch.batch = id;
		err = rv_submit_one(&cli->client, req, &cli->why);
	}
	free(req);
	return err;
}

/* Before any of its jobs is touched; the store looks again when it is forgotten. */
static int check_over(struct rv_cli *cli, const struct rv_batch_view *view)
{
	if (view->closed_us == 0)
		return rv_fail(&cli->why, RV_E_CONFLICT,
			       "batch %lld is open: reeve batch close %lld, or cancel, first",
			       (long long)view->id, (long long)view->id);
	if (view->pending > 0)
		return rv_fail(&cli->why, RV_E_CONFLICT,
			       "batch %lld has not ended: %lld of its %lld jobs are not finished",
			       (long long)view->id, (long long)view->pending,
			       (long long)view->total);
	return RV_OK;
}

/*
 * The last of its jobs takes the batch with it.  One that had none is still there; so is one with
 * jobs that were left alone, or that --query did not ask for.
 */
static int delete_jobs(struct rv_cli *cli, int64_t id)
{
	static const struct rv_req what = {.kind = RV_REQ_DELETE};
	struct rv_batch_view view;
	char terms[64];
	int code;
	int err;

	(void)snprintf(terms, sizeof(terms), "batch:%lld", (long long)id);
	code = rv_change_many(cli, &what, "deleted", terms);
	if (code != 0 || rv_args_has(&cli->args, RV_OPT_DRY_RUN))
		return code;
	err = rv_store_batch(cli->client.store, id, &view);
	if (!err && view.forgotten == view.total)
		err = drop(cli, id);
	return err && err != RV_E_NOTFOUND ? rv_cli_fail(cli, err) : 0;
}

static int report(struct rv_cli *cli, const struct rv_batch_view *view, bool dry)
{
	long long jobs = view->total - view->forgotten;
	json_t *object;

	if (!cli->json) {
		(void)printf(dry ? "%lld would be: deleted\n" : "%lld deleted\n",
			     (long long)view->id);
		if (jobs > 0)
			rv_cli_note("its %lld jobs %s", jobs, dry ? "would stay" : "stay");
		return 0;
	}
	object = rv_cli_object();
	if (object && (rv_json_set_int(object, "batch", view->id) ||
		       rv_json_set_int(object, "jobs_left", jobs) ||
		       rv_json_set_bool(object, "dry_run", dry))) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(cli, object);
}

int rv_verb_batch_delete(struct rv_cli *cli)
{
	bool dry = rv_args_has(&cli->args, RV_OPT_DRY_RUN);
	bool jobs = rv_args_has(&cli->args, RV_OPT_JOBS);
	struct rv_batch_view view;
	int64_t id;
	int err = rv_batch_id(cli, &id);

	if (!err && !jobs &&
	    (rv_args_has(&cli->args, RV_OPT_QUERY) || rv_args_has(&cli->args, RV_OPT_RATE)))
		err = rv_fail(&cli->why, RV_E_USAGE, "--query and --rate are for --jobs");
	if (!err)
		err = rv_cli_store(cli, RV_CLIENT_WRITE);
	if (!err)
		err = rv_batch_read(cli, id, &view);
	if (!err)
		err = check_over(cli, &view);
	if (!err && jobs)
		return delete_jobs(cli, id);
	if (!err && !dry)
		err = drop(cli, id);
	return err ? rv_cli_fail(cli, err) : report(cli, &view, dry);
}
