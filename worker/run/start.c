/*
 * Stage 2, start: from a claimed job to one that runs.  Worker processes.  What cannot be started
 * gets its outcome here: ours to blame (try later, nothing burned) or the job's (fatal).
 */
#include "run/handler.h"
#include "run/worker.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/fault.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/fd.h"
#include "store/read.h"
#include "wire/area.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* In a row: then it counts as a failure of the attempt after all (F16). */
#define UNSTARTABLE_MAX 5

static const struct rv_handler *const handlers[] = {
#define HANDLER(name, doc) &rv_handler_##name,
#include "run/handler.def"
#undef HANDLER
};

int rv_start_open(struct rv_worker *worker, struct rv_why *why)
{
	int err = RV_OK;

	for (size_t i = 0; err == RV_OK && i < RV_ARRAY_LEN(handlers); i++)
		err = handlers[i]->open ? handlers[i]->open(worker, why) : RV_OK;
	return err;
}

void rv_start_close(struct rv_worker *worker)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(handlers); i++) {
		if (handlers[i]->close)
			handlers[i]->close(worker);
	}
}

int rv_turn_damaged(struct rv_why *why, const char *what)
{
	return rv_fail(why, RV_E_CORRUPT,
		       "damaged in the store: the %s is not what was enqueued; nothing was run",
		       what);
}

int rv_turn_load(struct rv_worker *worker, struct rv_turn *turn, struct rv_why *why)
{
	struct rv_job_view view;
	int err = rv_store_job(worker->store, turn->claim.job, &view);

	if (err != RV_OK)
		return rv_fail(why, err == RV_E_NOTFOUND ? err : RV_E_BUSY,
			       "cannot read the job: %s", rv_err_text(err));
	/* The task as the claim had it: that is what would run. */
	if (rv_job_sum_said(turn->claim.task, view.spec) != RV_JOB_SUM_SAID(view.sum))
		return rv_turn_damaged(why, "task or its arguments");
	turn->payload_size = view.payload_size;
	turn->batch = view.batch;
	turn->payload_sum = RV_JOB_SUM_PAYLOAD(view.sum);
	turn->spec = rv_arena_strdup(&turn->arena, view.spec ? view.spec : "");
	if (view.idem_key)
		turn->idem_key = rv_arena_strdup(&turn->arena, view.idem_key);
	if (view.meta)
		turn->meta = rv_arena_strdup(&turn->arena, view.meta);
	if (!turn->spec || (view.meta && !turn->meta) || (view.idem_key && !turn->idem_key))
		return rv_fail(why, RV_E_NOMEM, "no memory for the job");
	return RV_OK;
}

struct payload {
	int fd;
	uint32_t sum;
};

static int payload_piece(void *ctx, const void *data, size_t size)
{
	struct payload *payload = ctx;

	payload->sum = rv_crc32c(payload->sum, data, size);
	return rv_fd_write_all(payload->fd, data, size);
}

int rv_turn_payload(struct rv_worker *worker, struct rv_turn *turn, int *ret_fd, struct rv_why *why)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	struct payload payload = {.fd = -1};
	int err = RV_OK;

	*ret_fd = -1;
	if (turn->payload_size > 0) {
		payload.fd = fd = memfd_create("reeve-payload", MFD_CLOEXEC);
		if (fd < 0)
			return rv_fail(why, RV_E_BUSY, "no room for the payload: %m");
		err = rv_store_payload(worker->store, turn->claim.job, payload_piece, &payload);
	}
	if (err == RV_OK && fd >= 0 && lseek(fd, 0, SEEK_SET) != 0)
		err = RV_E_IO;
	if (err != RV_OK)
		return rv_fail(why, RV_E_BUSY, "cannot read the payload: %s", rv_err_text(err));
	if (payload.sum != turn->payload_sum)
		return rv_turn_damaged(why, "payload");
	*ret_fd = rv_fd_take(&fd);
	return RV_OK;
}

/* The next claimed job becomes the turn.  Its arena is empty, its watchers stopped. */
static void begin(struct rv_worker *worker)
{
	const struct rv_conf *conf = worker->conf;
	struct rv_turn *turn = &worker->turn;
	unsigned place = worker->next++;

	PRE(turn->phase == RV_TURN_NONE && place < worker->nclaimed);
	turn->claim = worker->claimed[place];
	turn->queue = worker->queues[place];
	turn->place = place;
	turn->prefetched = worker->prefetched;
	turn->adhoc = turn->claim.task[0] == '\0';
	/* Mostly it is the task of the last job again. */
	if (turn->adhoc)
		turn->task = &conf->defaults;
	else if (!turn->task || strcmp(turn->task->name, turn->claim.task) != 0)
		turn->task = rv_conf_task_find(conf, turn->claim.task);
	turn->handler = turn->task ? handlers[turn->task->handler] : NULL;
	turn->spec = NULL;
	turn->idem_key = NULL;
	turn->meta = NULL;
	turn->batch = 0;
	turn->payload_size = 0;
	turn->reason = RV_STOP_NONE;
	turn->booting = false;
	turn->retold = false;
	turn->warned = false;
	turn->settled = false;
	turn->limit_mono_us = 0;
	turn->result = (struct rv_result){.kind = RV_RESULT_EXIT,
					  .exit_code = -1,
					  .user_us = -1,
					  .sys_us = -1,
					  .maxrss_bytes = -1};
	turn->started_us = rv_wall_us();
	turn->started_mono_us = rv_mono_us();
	turn->heard_mono_us = turn->started_mono_us;
	rv_run_begin(worker);
	rv_beat_begin(worker);
}

/* A prefetched job is ours to start unless somebody took it back. */
static bool take_word(struct rv_worker *worker)
{
	uint32_t waiting = RV_WORD_WAITING;

	return !worker->turn.prefetched || worker->turn.place < worker->sent ||
	       atomic_compare_exchange_strong(&worker->words[worker->turn.place].word, &waiting,
					      RV_WORD_STARTED);
}

static void publish(struct rv_worker *worker)
{
	struct rv_area_hint *hint = worker->hint;
	const struct rv_turn *turn = &worker->turn;

	atomic_store_explicit(&hint->started_us, turn->started_mono_us, memory_order_relaxed);
	atomic_store_explicit(&hint->limit_us, turn->limit_mono_us, memory_order_relaxed);
	atomic_store_explicit(&hint->job, turn->claim.job, memory_order_release);
}

void rv_turn_unstartable(struct rv_worker *worker, int err, const struct rv_why *why)
{
	struct rv_turn *turn = &worker->turn;
	const struct rv_claimed *claim = &turn->claim;
	/* A job of a task that we do not know: we may be one that the reload has yet to replace. */
	bool ours = err == RV_E_BUSY || err == RV_E_NOMEM || !turn->task;

	turn->result.kind = RV_RESULT_OUTCOME;
	turn->result.outcome = ours ? RV_OUTCOME_LATER : RV_OUTCOME_FATAL;
	if (ours && claim->run - claim->attempt - claim->crashes >= UNSTARTABLE_MAX)
		turn->result.outcome = RV_OUTCOME_FAILED;
	(void)snprintf(turn->result.text, sizeof(turn->result.text), "%.*s",
		       (int)sizeof(turn->result.text) - 1, rv_why_text(why, err));
	rv_log_with(RV_LOG_WARN, RV_EV_job_unstartable, RV_FIELDS(RV_INT("job", claim->job)),
		    "job %lld was not started: %s", (long long)claim->job, turn->result.text);
	turn->phase = RV_TURN_ENDED;
}

/* A job that was sent ahead cannot be taken back: it is stopped when its turn has come. */
static void stop_unwanted(struct rv_worker *worker)
{
	struct rv_turn *turn = &worker->turn;

	if (turn->phase != RV_TURN_RUNNING)
		return;
	if (worker->unwanted >> turn->place & 1)
		rv_turn_stop(worker, turn, RV_STOP_CANCEL, false);
	else if (worker->stopping)
		rv_turn_stop(worker, turn, RV_STOP_DRAIN, false);
}

void rv_start(struct rv_worker *worker)
{
	struct rv_turn *turn = &worker->turn;
	struct rv_why why = {.text = ""};
	int err;

	begin(worker);
	if (turn->prefetched && turn->handler && !turn->handler->quick) {
		/* Not one for a prefetch: all go back, and it comes again alone. */
		worker->next--;
		rv_claim_took(worker, 0, false);
		rv_claim_release(worker);
		return;
	}
	if (!take_word(worker))
		return;
	if (!turn->task || !turn->handler) {
		rv_turn_unstartable(worker,
				    rv_fail(&why, RV_E_NOTFOUND,
					    "the task %s is not configured here", turn->claim.task),
				    &why);
		return;
	}
	publish(worker);
	turn->phase = RV_TURN_RUNNING;
	err = turn->handler->start(worker, turn, &why);
	if (err != RV_OK) {
		rv_turn_unstartable(worker, err, &why);
		return;
	}
	if (RV_FAULT(worker_started) != RV_OK)
		rv_log(RV_LOG_DEBUG, RV_EV_worker_failed, "fault point worker_started");
	if (turn->phase == RV_TURN_RUNNING)
		rv_run_watch(worker);
	stop_unwanted(worker);
}
