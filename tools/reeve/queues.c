/*
 * The names of the queues.  Runs in the CLI: a misspelt -q is an error, not an empty list.
 */
#include "queues.h"

#include "base/near.h"
#include "client/submit.h"
#include "store/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 256 /* for the nearest name */

struct names {
	const char *wanted;
	bool found;
	size_t count;
	char list[NAMES_MAX][RV_NAME_MAX];
};

static int each_queue(void *ctx, const struct rv_queue_view *view)
{
	struct names *names = ctx;

	if (strcmp(names->wanted, view->name) == 0)
		names->found = true;
	if (names->count < NAMES_MAX)
		(void)snprintf(names->list[names->count++], RV_NAME_MAX, "%s", view->name);
	return RV_OK;
}

int rv_queues_check(struct rv_cli *cli, const char *queue)
{
	struct names names = {.wanted = queue};
	const char *list[NAMES_MAX];
	const char *near;
	int err;

	if (!queue)
		return RV_OK;
	err = rv_store_queues(cli->client.store, each_queue, &names);
	if (err || names.found)
		return err;
	for (size_t i = 0; i < names.count; i++)
		list[i] = names.list[i];
	near = rv_near(queue, list, names.count);
	return rv_fail(&cli->why, RV_E_NOTFOUND, "there is no queue %s%s%s%s", queue,
		       near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

int rv_queues_gate(struct rv_cli *cli, const char *queue, enum rv_queue_gate gate)
{
	struct rv_req *req = calloc(1, sizeof(*req));
	int err;

	if (!req)
		return RV_E_NOMEM;
	req->kind = RV_REQ_PAUSE;
	req->u.pause.paused = (int32_t)gate;
	if (strlen(queue) >= sizeof(req->u.pause.queue)) {
		free(req);
		return rv_fail(&cli->why, RV_E_NOTFOUND, "there is no queue %s", queue);
	}
	(void)snprintf(req->u.pause.queue, sizeof(req->u.pause.queue), "%s", queue);
	err = rv_submit_one(&cli->client, req, &cli->why);
	free(req);
	return err;
}
