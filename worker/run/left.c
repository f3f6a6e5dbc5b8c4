/*
 * What a run has left for the next one (obs/resume.h), once it has ended.  Worker processes.  Must
 * not remove it before the store has said that the job is over: it may have become another's.
 */
#include "run/worker.h"

#include "base/check.h"
#include "base/fmt.h"
#include "base/utf8.h"
#include "conf/conf.h"
#include "obs/resume.h"

#include <stdio.h>

void rv_left_look(struct rv_worker *worker, struct rv_ack *ack)
{
	const struct rv_turn *turn = &worker->turn;
	char text[128];
	char size[RV_FMT_SPACE];
	char max[RV_FMT_SPACE];
	int64_t bytes = 0;

	if (turn->task->handler != RV_CONF_HANDLER_EXEC || turn->task->state_max_bytes == 0)
		return;
	if (ack->outcome == RV_OUTCOME_SUCCEEDED || ack->outcome == RV_OUTCOME_CANCELLED) {
		worker->left |= UINT64_C(1) << worker->nacks;
		return;
	}
	if (rv_resume_check(worker->conf->reeve.state_dir, ack->job, turn->task->state_max_bytes,
			    &bytes) != RV_E_TOOBIG)
		return;
	(void)snprintf(text, sizeof(text), " (its state file was dropped: %s, state_max is %s)",
		       rv_fmt_size(size, bytes), rv_fmt_size(max, turn->task->state_max_bytes));
	rv_utf8_add_line(ack->error, sizeof(ack->error), text);
}

void rv_left_acked(struct rv_worker *worker, const struct rv_ack *acks)
{
	PRE(worker->nacks <= RV_TURN_MAX);
	for (unsigned i = 0; i < worker->nacks && worker->left != 0; i++) {
		if ((worker->left >> i & 1) != 0 && acks[i].err == RV_OK)
			rv_resume_remove(worker->conf->reeve.state_dir, acks[i].job);
	}
	worker->left = 0;
}
