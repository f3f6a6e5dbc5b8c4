/*
 * The names of the queues.  Runs in the CLI: a misspelt -q is an error, not an empty list.
 */
#include "queues.h"

#include "base/near.h"
#include "store/read.h"

#include <stdio.h>
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
