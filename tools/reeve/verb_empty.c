/*
 * reeve queue purge, drain, dlq retry, purge: ways to empty a queue, or its dead letters.  Runs in
 * the CLI.
 */
#include "change.h"

#include "asked.h"
#include "base/buf.h"
#include "queues.h"
#include "store/request.h"
#include "verb.h"
#include "wait.h"

/* What waits is cancelled; what runs goes on. */
int rv_verb_queue_purge(struct rv_cli *cli)
{
	static struct rv_req what = {.kind = RV_REQ_CANCEL};
	struct rv_buf terms;
	int code = 0;
	int err = rv_cli_store(cli, RV_CLIENT_WRITE);

	rv_buf_init(&terms);
	for (size_t i = 0; !err && i < cli->args.nwords; i++)
		err = rv_queues_check(cli, cli->args.words[i]);
	for (size_t i = 0; !err && i < cli->args.nwords && code == 0; i++) {
		rv_buf_reset(&terms);
		err = rv_buf_str(&terms, "state:scheduled,ready,blocked");
		if (!err)
			err = rv_asked_term(&terms, "queue", cli->args.words[i]);
		if (!err)
			code = rv_change_many(cli, &what, "cancelled", rv_buf_text(&terms));
	}
	rv_buf_fini(&terms);
	return err ? rv_cli_fail(cli, err) : code;
}

int rv_verb_queue_drain(struct rv_cli *cli)
{
	const char *queue = cli->args.words[0];
	int err = rv_cli_store(cli, RV_CLIENT_WRITE);

	if (!err)
		err = rv_queues_gate(cli, queue, RV_QUEUE_DRAINING);
	return err ? rv_cli_fail(cli, err) : rv_wait_drained(cli, queue);
}

static int change_dead(struct rv_cli *cli, const struct rv_req *what, const char *done)
{
	int err = rv_cli_store(cli, RV_CLIENT_WRITE);

	if (!err)
		err = rv_queues_check(cli, rv_args_value(&cli->args, RV_OPT_QUEUE));
	return err ? rv_cli_fail(cli, err) : rv_change_many(cli, what, done, "state:dead");
}

int rv_verb_dlq_retry(struct rv_cli *cli)
{
	static const struct rv_req what = {.kind = RV_REQ_RETRY};

	return change_dead(cli, &what, "ready again");
}

int rv_verb_dlq_purge(struct rv_cli *cli)
{
	static const struct rv_req what = {.kind = RV_REQ_DELETE};

	return change_dead(cli, &what, "deleted");
}
