/*
 * From claimed jobs to the lines of a pipe handler, also of jobs behind the one in front.  Worker
 * processes.  A job is sent ahead only once its word says that it is ours for good, and never one
 * that is not what was enqueued.
 * (Wider than it should be: it is where store, lines and the turn meet.)
 */
#include "run/pipe.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "run/exec_spec.h"
#include "run/pipe_line.h"
#include "run/worker.h"
#include "store/read.h"
#include "wire/area.h"

#include <string.h>

#define AHEAD_BYTES (64U << 10) /* what a pipe takes: more behind it would only wait here */

struct payload {
	struct rv_buf data;
	uint32_t sum;
};

static int payload_piece(void *ctx, const void *data, size_t size)
{
	struct payload *payload = ctx;

	payload->sum = rv_crc32c(payload->sum, data, size);
	return rv_buf_add(&payload->data, data, size);
}

/* The view's texts live until the next call on the store: those that a line needs after it. */
static int keep_texts(struct rv_pipe_job *job, const struct rv_job_view *view,
		      struct rv_arena *arena)
{
	const struct {
		const char *from;
		const char **to;
	} texts[] = {
		{view->spec, &job->spec},         {view->key, &job->key},
		{view->labels, &job->labels},     {view->meta, &job->meta},
		{view->idem_key, &job->idem_key},
	};

	for (size_t i = 0; i < RV_ARRAY_LEN(texts); i++) {
		*texts[i].to = NULL;
		if (texts[i].from && !(*texts[i].to = rv_arena_strdup(arena, texts[i].from)))
			return RV_E_NOMEM;
	}
	return RV_OK;
}

/* What the store has of the job, checked against its sum. */
static int read_job(struct rv_worker *worker, struct rv_pipe_job *job, struct payload *payload,
		    struct rv_arena *arena, struct rv_why *why)
{
	const struct rv_claimed *claim = job->claim;
	struct rv_job_view view;
	int err = rv_store_job(worker->store, claim->job, &view);

	if (err != RV_OK)
		return rv_fail(why, err == RV_E_NOTFOUND ? err : RV_E_BUSY,
			       "cannot read the job: %s", rv_err_text(err));
	if (rv_job_sum_said(claim->task, view.spec) != RV_JOB_SUM_SAID(view.sum))
		return rv_turn_damaged(why, "task or its arguments");
	job->batch = view.batch;
	err = keep_texts(job, &view, arena);
	if (err == RV_OK)
		job->idem_key =
			rv_exec_idem_key(worker->conf->reeve.instance, claim, job->idem_key, arena);
	if (err == RV_OK && !job->idem_key)
		err = RV_E_NOMEM;
	if (err == RV_OK && view.payload_size > 0)
		err = rv_store_payload(worker->store, claim->job, payload_piece, payload);
	if (err != RV_OK)
		return rv_fail(why, err == RV_E_NOMEM ? err : RV_E_BUSY, "cannot read the job: %s",
			       rv_err_text(err));
	if (payload->sum != RV_JOB_SUM_PAYLOAD(view.sum))
		return rv_turn_damaged(why, "payload");
	return RV_OK;
}

static int add_line(struct rv_worker *worker, unsigned place, struct rv_pipe_proc *p,
		    struct rv_why *why)
{
	const struct rv_claimed *claim = &worker->claimed[place];
	struct payload payload = {.sum = 0};
	struct rv_pipe_job job = {
		.claim = claim,
		.task = p->task->name,
		.queue = worker->queues[place],
		.deadline_us = claim->timeout_us > 0 ? rv_wall_us() + claim->timeout_us : 0,
	};
	struct rv_arena arena;
	int err;

	rv_arena_init(&arena);
	rv_buf_init(&payload.data);
	err = read_job(worker, &job, &payload, &arena, why);
	job.payload = payload.data.data;
	job.payload_size = payload.data.size;
	if (err == RV_OK) {
		size_t before = p->lines.size;

		err = rv_pipe_job_line(&job, &p->lines, why);
		p->line_at[place] = p->added;
		p->added += p->lines.size - before;
	}
	rv_buf_fini(&payload.data);
	rv_arena_reset(&arena);
	return err;
}

/* It was given back before: whoever stood behind it waited for nothing. */
static bool is_alone(const struct rv_claimed *claim)
{
	return claim->run > claim->attempt + claim->crashes;
}

/* The next one's line may be added behind those that were sent. */
static bool may_follow(const struct rv_worker *worker, const struct rv_pipe_proc *p)
{
	unsigned place = worker->turn.place;

	return p->in_fd >= 0 && worker->prefetched && !worker->draining &&
	       worker->sent < worker->nclaimed && worker->sent - place < p->ahead &&
	       p->lines.size - p->written < AHEAD_BYTES && !is_alone(&worker->turn.claim) &&
	       !is_alone(&worker->claimed[worker->sent]) &&
	       strcmp(worker->claimed[worker->sent].task, p->task->name) == 0;
}

static void send_ahead(struct rv_worker *worker, struct rv_pipe_proc *p)
{
	while (may_follow(worker, p)) {
		struct rv_area_word *word = &worker->words[worker->sent];
		uint32_t waiting = RV_WORD_WAITING;
		size_t before = p->lines.size;

		if (add_line(worker, worker->sent, p, NULL) != RV_OK)
			return; /* it gets its error when its turn comes */
		if (!atomic_compare_exchange_strong(&word->word, &waiting, RV_WORD_STARTED)) {
			p->added -= p->lines.size - before;
			p->lines.size = before;
			return;
		}
		worker->sent++;
	}
}

int rv_pipe_send(struct rv_worker *worker, struct rv_pipe_proc *p, struct rv_why *why)
{
	const struct rv_turn *turn = &worker->turn;
	int err;

	PRE(p->state == RV_PIPE_READY && turn->place < worker->nclaimed);
	if (turn->place >= worker->sent) {
		PRE(p->in_fd >= 0);
		rv_pipe_use_begin(&p->use);
		err = add_line(worker, turn->place, p, why);
		if (err != RV_OK)
			return err;
		worker->sent = turn->place + 1;
	}
	/* Half empty: then several go at once. */
	if (worker->sent - turn->place <= (p->ahead + 1) / 2)
		send_ahead(worker, p);
	rv_pipe_write(p);
	return RV_OK;
}
