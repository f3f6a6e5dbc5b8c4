/*
 * Stage 4, finish: from how a run ended to the ack that says so.  Worker processes.  The words made
 * here are what a person reads first: they must say what happened, on one line.
 */
#include "run/worker.h"

#include "base/check.h"
#include "base/fault.h"
#include "base/fmt.h"
#include "base/seam.h"
#include "base/utf8.h"
#include "conf/conf.h"
#include "core/retry.h"
#include "obs/log.h"
#include "run/handler.h"
#include "run/ruling.h"
#include "wire/area.h"

#include <stdio.h>
#include <string.h>

#define LATER_MIN_US RV_S_US /* try later must not become try at once, for ever */

static enum rv_outcome by_exit(const struct rv_turn *turn)
{
	const struct rv_result *result = &turn->result;

	if (result->signo != 0)
		return RV_OUTCOME_FAILED;
	if (rv_conf_codes_have(&turn->task->success_exit, result->exit_code))
		return RV_OUTCOME_SUCCEEDED;
	if (rv_conf_codes_have(&turn->task->retry_exit, result->exit_code))
		return RV_OUTCOME_LATER;
	if (rv_conf_codes_have(&turn->task->no_retry_exit, result->exit_code))
		return RV_OUTCOME_FATAL;
	return RV_OUTCOME_FAILED;
}

static enum rv_outcome outcome_of(const struct rv_turn *turn)
{
	switch (turn->reason) {
	case RV_STOP_NONE:
		break;
	case RV_STOP_TIMEOUT:
	case RV_STOP_IDLE:
		return RV_OUTCOME_FAILED;
	case RV_STOP_CANCEL:
		return RV_OUTCOME_CANCELLED;
	case RV_STOP_DRAIN:
	case RV_STOP_FENCED:
	case RV_STOP_BEHIND:
		return RV_OUTCOME_INTERRUPTED;
	}
	return turn->result.kind == RV_RESULT_OUTCOME ? turn->result.outcome : by_exit(turn);
}

static void describe_end(const struct rv_turn *turn, enum rv_outcome outcome, char *out)
{
	const struct rv_result *result = &turn->result;

	if (result->kind == RV_RESULT_OUTCOME) {
		rv_utf8_add_line(out, RV_ERROR_MAX, result->text);
		return;
	}
	if (outcome == RV_OUTCOME_SUCCEEDED)
		return;
	if (result->exit_code == RV_EXIT_OOM)
		(void)snprintf(out, RV_ERROR_MAX, "out of memory: killed by the kernel");
	else if (result->signo != 0)
		(void)snprintf(out, RV_ERROR_MAX, "killed by signal %d", result->signo);
	else
		(void)snprintf(out, RV_ERROR_MAX, "exit code %d", result->exit_code);
	if (turn->warned) {
		char text[RV_FMT_SPACE];

		rv_utf8_add_line(out, RV_ERROR_MAX, ", told after its soft timeout of ");
		rv_utf8_add_line(out, RV_ERROR_MAX,
				 rv_fmt_duration(text, turn->task->soft_timeout_us));
	}
	if (result->text[0] == '\0')
		return;
	rv_utf8_add_line(out, RV_ERROR_MAX, ": ");
	rv_utf8_add_line(out, RV_ERROR_MAX, result->text);
}

static void describe(const struct rv_turn *turn, enum rv_outcome outcome, char *out)
{
	char text[RV_FMT_SPACE];

	switch (turn->reason) {
	case RV_STOP_NONE:
		describe_end(turn, outcome, out);
		break;
	case RV_STOP_TIMEOUT:
		(void)snprintf(out, RV_ERROR_MAX, "timed out after %s",
			       rv_fmt_duration(text, turn->claim.timeout_us));
		break;
	case RV_STOP_IDLE:
		(void)snprintf(out, RV_ERROR_MAX, "no output for %s",
			       rv_fmt_duration(text, turn->task->idle_timeout_us));
		break;
	case RV_STOP_CANCEL:
		(void)snprintf(out, RV_ERROR_MAX, "cancelled while it ran");
		break;
	case RV_STOP_DRAIN:
		(void)snprintf(out, RV_ERROR_MAX, "interrupted: its worker was told to stop");
		break;
	case RV_STOP_FENCED:
		(void)snprintf(out, RV_ERROR_MAX, "interrupted: its worker was out of time");
		break;
	case RV_STOP_BEHIND:
		(void)snprintf(out, RV_ERROR_MAX,
			       "interrupted: others waited behind it; it will be alone");
		break;
	}
}

static int64_t delay_of(const struct rv_turn *turn, enum rv_outcome outcome,
			const struct rv_ruling *ruling)
{
	/* A task that is gone from the configuration has no backoff left: the defaults' one. */
	const struct rv_backoff *backoff = &turn->task->backoff;
	int64_t delay;

	if (ruling && ruling->delay_us >= 0)
		return ruling->delay_us;
	if (rv_told_retry_us() >= 0 &&
	    (outcome == RV_OUTCOME_FAILED || outcome == RV_OUTCOME_LATER))
		return rv_told_retry_us();
	if (outcome == RV_OUTCOME_FAILED)
		return rv_retry_delay(backoff, turn->claim.attempt, rv_random_u64());
	if (outcome != RV_OUTCOME_LATER)
		return 0;
	/* No attempt is burned, so the number of the run is what grows. */
	delay = rv_retry_delay(backoff, turn->claim.run, rv_random_u64());
	return delay > LATER_MIN_US ? delay : LATER_MIN_US;
}

static void log_end(const struct rv_turn *turn, const struct rv_ack *ack)
{
	static const struct {
		enum rv_log_level level;
		enum rv_event event;
		const char *text;
	} says[] = {
		[RV_OUTCOME_SUCCEEDED] = {RV_LOG_DEBUG, RV_EV_job_succeeded, "succeeded"},
		[RV_OUTCOME_FAILED] = {RV_LOG_INFO, RV_EV_job_failed, "failed"},
		[RV_OUTCOME_FATAL] = {RV_LOG_WARN, RV_EV_job_failed, "failed for good"},
		[RV_OUTCOME_LATER] = {RV_LOG_INFO, RV_EV_job_released, "is to be tried later"},
		[RV_OUTCOME_INTERRUPTED] = {RV_LOG_INFO, RV_EV_job_released, "was given back"},
		[RV_OUTCOME_CANCELLED] = {RV_LOG_INFO, RV_EV_job_cancelled, "was cancelled"},
		[RV_OUTCOME_CRASHED] = {RV_LOG_WARN, RV_EV_job_failed, "crashed"},
	};

	if (!rv_log_wants(says[ack->outcome].level))
		return;
	rv_log_with(says[ack->outcome].level, says[ack->outcome].event,
		    RV_FIELDS(RV_INT("job", ack->job), RV_STR("task", turn->claim.task),
			      RV_INT("attempt", turn->claim.attempt)),
		    "job %lld %s%s%s", (long long)ack->job, says[ack->outcome].text,
		    ack->error[0] != '\0' ? ": " : "", ack->error);
}

static void make_ack(const struct rv_turn *turn, struct rv_ack *ack)
{
	struct rv_ruling ruled;
	const struct rv_ruling *ruling = rv_ruling(turn, &ruled) ? &ruled : NULL;
	enum rv_outcome outcome = ruling ? ruling->outcome : outcome_of(turn);

	*ack = (struct rv_ack){
		.job = turn->claim.job,
		.fence = turn->claim.fence,
		.outcome = (int32_t)outcome,
		.exit_code = turn->result.exit_code,
		.signo = turn->result.signo,
		.retry_us = delay_of(turn, outcome, ruling),
		.started_us = turn->started_us,
		.ended_us = rv_wall_us(),
		.user_us = turn->result.user_us,
		.sys_us = turn->result.sys_us,
		.maxrss_bytes = turn->result.maxrss_bytes,
		.output_bytes = turn->printed_bytes,
	};
	describe(turn, outcome, ack->error);
	if (ruling) {
		rv_utf8_add_line(ack->error, sizeof(ack->error), " (rule: ");
		rv_utf8_add_line(ack->error, sizeof(ack->error), ruling->rule);
		rv_utf8_add_line(ack->error, sizeof(ack->error), ")");
	}
	POST(ack->error[RV_ERROR_MAX - 1] == '\0');
}

static void clear_hint(struct rv_worker *worker)
{
	struct rv_area_hint *hint = worker->hint;

	atomic_store_explicit(&hint->job, 0, memory_order_relaxed);
	atomic_store_explicit(&hint->limit_us, 0, memory_order_relaxed);
	if (worker->turn.prefetched)
		atomic_store_explicit(&worker->words[worker->turn.place].word, RV_WORD_NONE,
				      memory_order_release);
}

void rv_finish(struct rv_worker *worker)
{
	struct rv_turn *turn = &worker->turn;
	bool quick = turn->handler && turn->handler->quick;

	PRE(turn->phase == RV_TURN_ENDED && worker->nacks < RV_TURN_MAX);
	rv_run_end(worker);
	if (turn->handler)
		turn->handler->end(turn);
	if (!turn->task)
		turn->task = &worker->conf->defaults;
	make_ack(turn, &worker->acks[worker->nacks]);
	rv_left_look(worker, &worker->acks[worker->nacks]);
	log_end(turn, &worker->acks[worker->nacks]);
	rv_told_end(worker, worker->acks[worker->nacks].outcome == RV_OUTCOME_SUCCEEDED);
	worker->nacks++;
	if (turn->task->durability == RV_DURABILITY_FULL)
		worker->durability = RV_DURABILITY_FULL;
	if (turn->lost_bytes > 0)
		rv_log_with(RV_LOG_WARN, RV_EV_job_output_lost,
			    RV_FIELDS(RV_INT("job", turn->claim.job),
				      RV_INT("bytes", turn->lost_bytes)),
			    "job %lld: output could not be written: %s", (long long)turn->claim.job,
			    rv_err_text(turn->lost_err));
	rv_claim_took(worker, rv_mono_us() - turn->started_mono_us, quick);
	clear_hint(worker);
	rv_arena_reset(&turn->arena);
	turn->phase = RV_TURN_NONE;
	if (RV_FAULT(worker_ended) != RV_OK)
		rv_log(RV_LOG_DEBUG, RV_EV_worker_failed, "fault point worker_ended");
}
