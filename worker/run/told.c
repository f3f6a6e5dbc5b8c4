/*
 * What the running job said of itself, on its way into the store.  Worker processes.  A request is
 * only made from the loop: what is heard while another request of ours waits is kept for later.
 */
#include "run/worker.h"

#include "base/seam.h"
#include "base/utf8.h"
#include "child/child.h"
#include "loop/loop.h"
#include "obs/log.h"
#include "obs/output.h"
#include "run/says.h"

#include <string.h>

#define EVERY_US RV_S_US       /* progress is for people */
#define ROUND_US (2 * RV_S_US) /* patience with a busy store */

/* One job at a time, so one of each. */
static struct {
	struct rv_says out, progress;
	struct rv_loop_timer timer;
	int64_t sent_us; /* mono: the last progress */
	bool fresh;      /* there is one that was not sent */
	int percent;
	char message[RV_MESSAGE_MAX];
	int64_t retry_us;
	char result[RV_RESULT_MAX];
	size_t result_size;
	struct rv_req req; /* too large for a stack */
} told;

void rv_told_begin(void)
{
	rv_says_reset(&told.out, true);
	rv_says_reset(&told.progress, false);
	told.fresh = false;
	told.sent_us = 0;
	told.retry_us = -1;
	told.result_size = 0;
}

static void hand_over(struct rv_worker *worker, int kind)
{
	struct rv_why why = {.text = ""};
	int err;

	told.req.kind = kind;
	err = rv_child_do(worker->child, &told.req, RV_DURABILITY_NORMAL, ROUND_US, &why);
	if (err == RV_OK)
		err = told.req.err;
	if (err != RV_OK)
		rv_log_with(RV_LOG_WARN, RV_EV_store_error,
			    RV_FIELDS(RV_INT("job", worker->turn.claim.job)),
			    "what job %lld said of itself was not kept: %s",
			    (long long)worker->turn.claim.job, rv_why_text(&why, err));
}

static void send_progress(struct rv_worker *worker)
{
	told.req.u.progress = (struct rv_req_progress){
		.incarnation = worker->child->incarnation,
		.job = worker->turn.claim.job,
		.fence = worker->turn.claim.fence,
		.percent = told.percent,
	};
	memcpy(told.req.u.progress.message, told.message, sizeof(told.message));
	told.fresh = false;
	told.sent_us = rv_mono_us();
	hand_over(worker, RV_REQ_PROGRESS);
}

static void on_timer(struct rv_loop_timer *timer)
{
	struct rv_worker *worker = timer->ctx;

	if (told.fresh && rv_run_on(worker))
		send_progress(worker);
}

void rv_told_said(struct rv_worker *worker, const struct rv_said *said)
{
	if (said->retry_us >= 0)
		told.retry_us = said->retry_us;
	if (said->result && said->result_size <= sizeof(told.result)) {
		memcpy(told.result, said->result, said->result_size);
		told.result_size = said->result_size;
	} else if (said->result) {
		rv_log_with(RV_LOG_WARN, RV_EV_job_output_lost,
			    RV_FIELDS(RV_INT("job", worker->turn.claim.job)),
			    "job %lld: a result has at most %d bytes",
			    (long long)worker->turn.claim.job, RV_RESULT_MAX);
	}
	if (!said->message)
		return;
	told.percent = said->percent;
	told.message[0] = '\0';
	rv_utf8_add_line(told.message, sizeof(told.message), said->message);
	if (!told.fresh)
		rv_loop_timer_start(worker->loop, &told.timer,
				    told.sent_us + EVERY_US - rv_mono_us(), on_timer, worker);
	told.fresh = true;
}

static void on_said(void *ctx, const struct rv_said *said)
{
	rv_told_said(ctx, said);
}

void rv_told_heard(struct rv_worker *worker, int stream, const void *data, size_t size)
{
	if (stream == RV_OUTPUT_STDOUT)
		rv_says_feed(&told.out, data, size, on_said, worker);
	else if (stream == RV_OUTPUT_PROGRESS)
		rv_says_feed(&told.progress, data, size, on_said, worker);
}

int64_t rv_told_retry_us(void)
{
	return told.retry_us;
}

void rv_told_end(struct rv_worker *worker, bool succeeded)
{
	rv_loop_timer_stop(&told.timer);
	if (told.fresh)
		send_progress(worker);
	if (!succeeded || told.result_size == 0)
		return;
	told.req.u.result = (struct rv_req_result){
		.incarnation = worker->child->incarnation,
		.job = worker->turn.claim.job,
		.fence = worker->turn.claim.fence,
		.data = told.result,
		.size = told.result_size,
	};
	hand_over(worker, RV_REQ_RESULT);
}
