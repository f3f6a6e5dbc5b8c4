/* Comparing what two stores answered and what they show; the first difference ends the process. */
#include "differ.h"

#include "store/stats.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void differ_fail(const struct world *w, const char *format, ...)
{
	va_list args;

	(void)fprintf(stderr, "step %ld: %s and %s differ: ", w->step, w->side[0].name,
		      w->side[1].name);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	exit(1);
}

#define SAME(what, a, b)                                                                           \
	do {                                                                                       \
		int64_t a_ = (int64_t)(a);                                                         \
		int64_t b_ = (int64_t)(b);                                                         \
		if (a_ != b_)                                                                      \
			differ_fail(w, "%s: %s: %" PRId64 " and %" PRId64, what, #a, a_, b_);      \
	} while (0)
#define SAME_TEXT(what, a, b) same_text(w, what, #a, a, b)

static void same_text(const struct world *w, const char *what, const char *field, const char *a,
		      const char *b)
{
	if ((a == NULL) != (b == NULL) || (a && strcmp(a, b) != 0))
		differ_fail(w, "%s: %s: \"%s\" and \"%s\"", what, field, a ? a : "(null)",
			    b ? b : "(null)");
}

static void same_turn(struct world *w, const struct rv_req_turn *a, const struct rv_req_turn *b)
{
	SAME("turn", a->nclaimed, b->nclaimed);
	SAME("turn", a->more, b->more);
	for (uint32_t i = 0; i < a->nacks; i++)
		SAME("ack", a->acks[i].err, b->acks[i].err);
	for (uint32_t i = 0; i < a->nclaimed; i++) {
		const struct rv_claimed *c = &a->claimed[i];
		const struct rv_claimed *d = &b->claimed[i];

		SAME("claim", c->job, d->job);
		SAME("claim", c->fence, d->fence);
		SAME("claim", c->run_at_us, d->run_at_us);
		SAME("claim", c->created_us, d->created_us);
		SAME("claim", c->timeout_us, d->timeout_us);
		SAME("claim", c->queue, d->queue);
		SAME("claim", c->attempt, d->attempt);
		SAME("claim", c->max_attempts, d->max_attempts);
		SAME("claim", c->run, d->run);
		SAME("claim", c->crashes, d->crashes);
		SAME_TEXT("claim", c->task, d->task);
	}
}

static void same_enqueue(struct world *w, const struct rv_req *a, const struct rv_req *b)
{
	if (a->err != RV_OK) {
		SAME("enqueue", a->u.enqueue.failed_index, b->u.enqueue.failed_index);
		SAME("enqueue", a->u.enqueue.may_wait, b->u.enqueue.may_wait);
		SAME_TEXT("enqueue", a->u.enqueue.full, b->u.enqueue.full);
		return;
	}
	SAME("enqueue", a->u.enqueue.repeated, b->u.enqueue.repeated);
	SAME("enqueue", a->u.enqueue.skipped, b->u.enqueue.skipped);
	SAME("enqueue", a->u.enqueue.rescheduled, b->u.enqueue.rescheduled);
	SAME("enqueue", a->u.enqueue.replaced, b->u.enqueue.replaced);
	for (size_t i = 0; i < a->u.enqueue.count; i++)
		SAME("enqueue", w->side[0].ids[i], w->side[1].ids[i]);
}

void same_answers(struct world *w, const struct rv_req *a, const struct rv_req *b)
{
	const char *name = rv_req_name(a->kind);

	SAME(name, a->err, b->err);
	SAME_TEXT(name, a->why.text, b->why.text);
	if (a->kind == RV_REQ_ENQUEUE)
		same_enqueue(w, a, b);
	if (a->err != RV_OK)
		return;
	if (a->kind == RV_REQ_TURN)
		same_turn(w, &a->u.turn, &b->u.turn);
	if (a->kind == RV_REQ_EXPIRE)
		for (uint32_t i = 0; i < a->u.expire.count; i++)
			SAME(name, a->u.expire.who[i].released, b->u.expire.who[i].released);
	if (a->kind == RV_REQ_PROMOTE) {
		SAME(name, a->u.promote.promoted, b->u.promote.promoted);
		SAME(name, a->u.promote.expired, b->u.promote.expired);
		SAME(name, a->u.promote.swept, b->u.promote.swept);
		SAME(name, a->u.promote.next_due_us, b->u.promote.next_due_us);
	}
	if (a->kind == RV_REQ_RAISE)
		SAME(name, a->u.raise.epoch, b->u.raise.epoch);
	if (a->kind == RV_REQ_CANCEL) {
		SAME(name, a->u.cancel.was, b->u.cancel.was);
		SAME(name, a->u.cancel.slot, b->u.cancel.slot);
		SAME(name, a->u.cancel.fence, b->u.cancel.fence);
	}
	if (a->kind == RV_REQ_FIRE) {
		SAME(name, a->u.fire.became, b->u.fire.became);
		SAME(name, a->u.fire.job, b->u.fire.job);
		SAME(name, a->u.fire.slot_us, b->u.fire.slot_us);
		SAME_TEXT(name, a->u.fire.error, b->u.fire.error);
	}
	if (a->kind == RV_REQ_NEW_BATCH)
		SAME(name, a->u.new_batch.id, b->u.new_batch.id);
	if (a->kind == RV_REQ_RETRY)
		SAME(name, a->u.retry.was, b->u.retry.was);
}

static int by_ring(const void *a, const void *b)
{
	const struct rv_ring *x = a;
	const struct rv_ring *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->job != y->job)
		return x->job < y->job ? -1 : 1;
	return strcmp(x->name, y->name);
}

void same_rings(struct world *w)
{
	struct rv_ring sorted[2][RV_TURN_MAX * 4];
	size_t n[2];

	for (int s = 0; s < 2; s++) {
		const struct rv_ring *rings = NULL;

		n[s] = rv_store_rings(w->side[s].store, &rings);
		if (n[s] > RV_ARRAY_LEN(sorted[s]))
			differ_fail(w, "more rings than this program thought of");
		memcpy(sorted[s], rings, n[s] * sizeof *rings);
		qsort(sorted[s], n[s], sizeof *rings, by_ring);
	}
	for (size_t i = 0; i < n[0] && i < n[1]; i++) {
		SAME("ring", sorted[0][i].kind, sorted[1][i].kind);
		SAME("ring", sorted[0][i].job, sorted[1][i].job);
		SAME_TEXT("ring", sorted[0][i].name, sorted[1][i].name);
	}
	SAME("rings", n[0], n[1]);
}

struct texts {
	char data[32768];
	size_t used;
};

static void add(struct texts *t, const char *format, ...) RV_PRINTF(2, 3);

static void add(struct texts *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (t->used < sizeof t->data)
		t->used += (size_t)vsnprintf(t->data + t->used, sizeof t->data - t->used, format,
					     args);
	va_end(args);
}

static const char *shown(const char *text)
{
	return text ? text : "-";
}

/* When several parents have ended at once, any of them may be named. */
static const char *shown_error(const char *text)
{
	if (text && strncmp(text, "parent ", 7) == 0)
		return "parent N was cancelled";
	return shown(text);
}

/* A job as one text: a difference names itself. */
static void describe(struct texts *t, const struct rv_job_view *v)
{
	add(t,
	    "id=%" PRId64 " task=%s queue=%s spec=%s unique=%s idem=%s key=%s labels=%s "
	    "meta=%s ",
	    v->id, v->task, v->queue, shown(v->spec), shown(v->unique_key), shown(v->idem_key),
	    shown(v->key), shown(v->labels), shown(v->meta));
	add(t,
	    "state=%s error=%s worker=%s priority=%d weight=%d attempt=%d/%d crashes=%d/%d "
	    "runs=%d ",
	    rv_job_state_name(v->state), shown_error(v->error), shown(v->worker), v->priority,
	    v->weight, v->attempt, v->max_attempts, v->crashes, v->max_crashes, v->runs);
	add(t, "run_at=%" PRId64 " created=%" PRId64 " started=%" PRId64 " finished=%" PRId64 " ",
	    v->run_at_us, v->created_us, v->started_us, v->finished_us);
	add(t,
	    "expires=%" PRId64 " deadline=%" PRId64 " timeout=%" PRId64
	    " exit=%d signo=%d fence=%" PRId64 " ",
	    v->expires_us, v->deadline_us, v->timeout_us, v->exit_code, v->signo, v->fence);
	add(t,
	    "incarnation=%" PRIx64
	    " slot=%d cancel=%d prefetched=%d held=%d uid=%d payload=%zu sum=%" PRIx64
	    " left=%" PRId64 " takes=%s gate=%s until=%" PRId64 " batch=%" PRId64
	    ",%d parent=%" PRId64 "\n",
	    v->incarnation, v->slot, v->cancel_requested, v->prefetched, v->held, (int)v->uid,
	    v->payload_size, v->sum, v->parent_left, shown(v->takes), shown(v->gate), v->until_us,
	    v->batch, v->callback, v->parent);
}

static int add_attempt(void *ctx, const struct rv_attempt_view *v)
{
	add(ctx,
	    "  run=%d attempt=%d fence=%" PRId64 " outcome=%d exit=%d signo=%d started=%" PRId64
	    " ended=%" PRId64 " user=%" PRId64 " rss=%" PRId64 " worker=%s error=%s\n",
	    v->run, v->attempt, v->fence, v->outcome, v->exit_code, v->signo, v->started_us,
	    v->ended_us, v->user_us, v->maxrss_bytes, shown(v->worker), shown(v->error));
	return RV_OK;
}

static int add_parent(void *ctx, int64_t parent, enum rv_job_state state, enum rv_after on)
{
	add(ctx, "  waits for %" PRId64 " (%s, %d)\n", parent, rv_job_state_name(state), (int)on);
	return RV_OK;
}

static int add_payload(void *ctx, const void *data, size_t size)
{
	add(ctx, "  payload %.*s\n", (int)size, (const char *)data);
	return RV_OK;
}

static void describe_job(struct world *w, int s, int64_t id, struct texts *t)
{
	struct rv_store *store = w->side[s].store;
	struct rv_job_view view;
	struct rv_told told;
	int err = rv_store_job(store, id, &view);

	t->used = 0;
	t->data[0] = '\0';
	if (err != RV_OK) {
		add(t, "job %" PRId64 ": %s\n", id, rv_err_name(err));
		return;
	}
	describe(t, &view);
	if (rv_store_told(store, id, &told) != RV_OK)
		add(t, " NOTHING TOLD");
	else
		add(t, " told=%d,%s,%" PRId64 ",%.*s", told.percent, shown(told.message),
		    told.at_us, (int)told.result_size,
		    told.result ? (const char *)told.result : "");
	if (rv_store_attempts(store, id, add_attempt, t) != RV_OK ||
	    rv_store_parents(store, id, add_parent, t) != RV_OK ||
	    rv_store_payload(store, id, add_payload, t) != RV_OK)
		differ_fail(w, "%s cannot read job %" PRId64, w->side[s].name, id);
}

static void same_described(struct world *w, const struct texts *a, const struct texts *b)
{
	if (strcmp(a->data, b->data) != 0)
		differ_fail(w, "\n--- %s\n%s--- %s\n%s", w->side[0].name, a->data, w->side[1].name,
			    b->data);
}

void same_job(struct world *w, int64_t id)
{
	struct texts t[2];

	for (int s = 0; s < 2; s++)
		describe_job(w, s, id, &t[s]);
	same_described(w, &t[0], &t[1]);
}

static int add_queue(void *ctx, const struct rv_queue_view *v)
{
	add(ctx, "queue %s strategy=%d paused=%d draining=%d oldest=%" PRId64, v->name,
	    (int)v->strategy, v->paused, v->draining, v->oldest_ready_us);
	for (int i = 0; i < RV_JOB_STATES; i++)
		add(ctx, " %" PRId64, v->counts[i]);
	add(ctx, "\n");
	return RV_OK;
}

/* In any order; and the dead are kept for as long as each store likes. */
struct lives {
	struct rv_worker_view view[256];
	char pool[256][RV_NAME_MAX];
	size_t n;
};

static int note_worker(void *ctx, const struct rv_worker_view *v)
{
	struct lives *to = ctx;

	if (!v->live || to->n == RV_ARRAY_LEN(to->view))
		return RV_OK;
	to->view[to->n] = *v;
	(void)snprintf(to->pool[to->n], RV_NAME_MAX, "%s", v->pool);
	to->view[to->n].pool = to->pool[to->n];
	to->n++;
	return RV_OK;
}

static int by_incarnation(const void *a, const void *b)
{
	const struct rv_worker_view *x = a;
	const struct rv_worker_view *y = b;

	return x->incarnation < y->incarnation ? -1 : x->incarnation > y->incarnation;
}

static int add_workers(struct rv_store *store, struct texts *t)
{
	static struct lives lives;
	int err;

	lives.n = 0;
	err = rv_store_workers(store, note_worker, &lives);
	qsort(lives.view, lives.n, sizeof lives.view[0], by_incarnation);
	for (size_t i = 0; i < lives.n; i++) {
		const struct rv_worker_view *v = &lives.view[i];

		add(t,
		    "worker %" PRIx64 " pid=%" PRId64 " slot=%d pool=%s beat=%" PRId64
		    " leases=%" PRId64 "\n",
		    v->incarnation, v->pid, v->slot, v->pool, v->beat_deadline_us, v->leases);
	}
	return err;
}

static int add_kick(void *ctx, int64_t job, int64_t fence, int slot)
{
	add(ctx, "kick %" PRId64 " %" PRId64 " %d\n", job, fence, slot);
	return RV_OK;
}

static int add_gate(void *ctx, const struct rv_gate_view *v)
{
	add(ctx,
	    "gate %s used=%" PRId64 "/%" PRId64 " waiting=%" PRId64 " rate=%d/%" PRId64
	    " due=%" PRId64 "\n",
	    v->name, v->used, v->max, v->waiting, v->rate.count, v->rate.per_us, v->due_us);
	return RV_OK;
}

static int add_hold(void *ctx, int64_t job, const char *gate, int64_t n)
{
	add(ctx, "job %" PRId64 " holds %" PRId64 " of %s\n", job, n, gate);
	return RV_OK;
}

static int add_task(void *ctx, const struct rv_task_def *task)
{
	add(ctx, "task %s %s %d %d\n", task->name, task->queue, task->max_attempts,
	    task->max_crashes);
	return RV_OK;
}

static int add_batch(void *ctx, const struct rv_batch_view *v)
{
	add(ctx,
	    "batch %" PRId64 " name=%s labels=%s uid=%d created=%" PRId64 " closed=%" PRId64
	    " ended=%" PRId64 " counts=%" PRId64 "/%" PRId64 "/%" PRId64 "/%" PRId64 "/%" PRId64
	    "/%" PRId64 " success=%s,%s,%" PRId64 " complete=%s,%s,%" PRId64 "\n",
	    v->id, shown(v->name), shown(v->labels), (int)v->uid, v->created_us, v->closed_us,
	    v->ended_us, v->total, v->pending, v->succeeded, v->dead, v->cancelled, v->forgotten,
	    shown(v->on_success.task), shown(v->on_success.spec), v->success_job,
	    shown(v->on_complete.task), shown(v->on_complete.spec), v->complete_job);
	add(ctx, "allowed=%" PRId64 " percent=%" PRId64 " stops=%d failed=%" PRId64 "\n",
	    v->allowed, v->percent, v->stops, v->failed_us);
	return RV_OK;
}

static int add_schedule(void *ctx, const struct rv_schedule_view *v)
{
	add(ctx,
	    "schedule %" PRId64
	    " %s cron=%s zone=%s task=%s queue=%s spec=%s priority=%d jitter=%" PRId64
	    " catch_up=%" PRId64 " overlap=%d off=%d conf=%d paused=%d ",
	    v->id, v->def.name, v->def.cron, v->def.timezone, v->def.task, shown(v->def.queue),
	    shown(v->def.spec), v->def.priority, v->def.jitter_us, v->def.catch_up,
	    (int)v->def.overlap, v->def.off, v->conf, v->paused);
	add(ctx,
	    "since=%" PRId64 " next=%" PRId64 " due=%" PRId64 " last=%" PRId64 ",%" PRId64
	    " counts=%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "\n",
	    v->since_us, v->next_us, v->due_us, v->last_us, v->last_job, v->fired, v->missed,
	    v->skipped, v->refused);
	return RV_OK;
}

static int add_firing(void *ctx, const struct rv_firing_view *v)
{
	add(ctx,
	    "  slot %" PRId64 " at=%" PRId64 " missed=%" PRId64 " job=%" PRId64
	    " became=%d person=%d error=%s\n",
	    v->slot_us, v->at_us, v->missed, v->job, (int)v->became, v->by_person, shown(v->error));
	return RV_OK;
}

static int add_schedules(struct rv_store *store, struct texts *t)
{
	static const char *const names[] = {"hourly", "nightly", "often", "party"};
	struct rv_schedule_view due;
	int err = rv_store_schedules(store, add_schedule, t);

	for (size_t i = 0; err == RV_OK && i < RV_ARRAY_LEN(names); i++)
		err = rv_store_firings(store, names[i], 20, add_firing, t);
	if (err == RV_OK && rv_store_schedule_due(store, &due) == RV_OK)
		add(t, "due %s\n", due.def.name);
	return err;
}

static int add_stats(void *ctx, const struct rv_stats_view *v)
{
	static const int asked[] = {500, 950, 990};
	const struct rv_stats *sums[] = {&v->hour, &v->ever};

	add(ctx, "stats %s minute=%" PRId64, v->name, v->minute);
	for (size_t i = 0; i < RV_ARRAY_LEN(sums); i++) {
		const struct rv_stats *sum = sums[i];

		add(ctx,
		    " succeeded=%" PRId64 " dead=%" PRId64 " failed=%" PRId64 " cpu=%" PRId64
		    " run=%" PRId64 " rss=%" PRId64 " n=%" PRId64 ",%" PRId64,
		    sum->succeeded, sum->dead, sum->failed, sum->cpu_us, sum->run_us,
		    sum->maxrss_kib, rv_histogram_count(&sum->wait), rv_histogram_count(&sum->run));
		for (size_t k = 0; k < RV_ARRAY_LEN(asked); k++)
			add(ctx, " %" PRId64 ",%" PRId64,
			    rv_histogram_quantile(&sum->wait, asked[k]),
			    rv_histogram_quantile(&sum->run, asked[k]));
	}
	add(ctx, "\n");
	return RV_OK;
}

static void describe_store(struct world *w, int s, struct texts *t)
{
	struct rv_store *store = w->side[s].store;
	struct rv_store_totals totals;
	struct rv_instance at;

	t->used = 0;
	t->data[0] = '\0';
	if (rv_store_queues(store, add_queue, t) != RV_OK || add_workers(store, t) != RV_OK ||
	    rv_store_cancels(store, add_kick, t) != RV_OK ||
	    rv_store_tasks(store, add_task, t) != RV_OK ||
	    rv_store_gates(store, add_gate, t) != RV_OK ||
	    rv_store_holds(store, add_hold, t) != RV_OK ||
	    rv_store_batches(store, 0, 40, add_batch, t) != RV_OK ||
	    add_schedules(store, t) != RV_OK ||
	    rv_store_statistics(store, RV_STATS_QUEUES, NULL, add_stats, t) != RV_OK ||
	    rv_store_statistics(store, RV_STATS_TASKS, NULL, add_stats, t) != RV_OK ||
	    rv_store_totals(store, &totals) != RV_OK || rv_store_instance(store, &at) != RV_OK)
		differ_fail(w, "%s cannot be read", w->side[s].name);
	add(t, "totals due=%" PRId64 " oldest=%" PRId64, totals.next_due_us,
	    totals.oldest_ready_us);
	for (int i = 0; i < RV_JOB_STATES; i++)
		add(t, " %" PRId64, totals.counts[i]);
	add(t, "\ninstance pid=%" PRId64 " boot=%s dir=%s epoch=%" PRId64 "\n", at.pid, at.boot_id,
	    at.runtime_dir, at.epoch);
}

struct listed {
	int64_t ids[JOBS_MAX];
	size_t n;
};

static int list_id(void *ctx, const struct rv_job_view *view)
{
	struct listed *to = ctx;

	to->ids[to->n++] = view->id;
	return to->n == JOBS_MAX ? RV_E_TOOBIG : RV_OK;
}

static void same_lists(struct world *w)
{
	static struct listed lists[2];

	for (int state = -1; state < RV_JOB_STATES; state++) {
		struct rv_job_filter filter = {.state = state, .limit = JOBS_MAX};

		for (int s = 0; s < 2; s++) {
			lists[s].n = 0;
			if (rv_store_jobs(w->side[s].store, &filter, list_id, &lists[s]) != RV_OK)
				differ_fail(w, "%s cannot list jobs", w->side[s].name);
		}
		for (size_t i = 0; i < lists[0].n && i < lists[1].n; i++)
			SAME("list", lists[0].ids[i], lists[1].ids[i]);
		SAME("list", lists[0].n, lists[1].n);
	}
}

/* Some states of some queue between some ids, a page of them. */
static void same_page(struct world *w)
{
	static const char *const queues[] = {"default", "bulk", "prio", "nosuch"};
	static const char *const tasks[] = {"t", "once", ""};
	static struct listed lists[2];
	struct rv_job_filter filter = {
		.state = -1,
		.states = (unsigned)dice_below(&w->dice, 1 << RV_JOB_STATES),
		.queue = dice_chance(&w->dice, 50) ? queues[dice_below(&w->dice, 4)] : NULL,
		.task = dice_chance(&w->dice, 25) ? tasks[dice_below(&w->dice, 3)] : NULL,
		.batch = w->nbatches > 0 && dice_chance(&w->dice, 25)
				 ? w->nbatches - dice_below(&w->dice, 12)
				 : 0,
		.above_id = dice_chance(&w->dice, 30) ? dice_below(&w->dice, 50) : 0,
		.before_id = dice_chance(&w->dice, 30) ? dice_below(&w->dice, 200) : 0,
		.limit = 1 + dice_below(&w->dice, 100),
	};

	for (int s = 0; s < 2; s++) {
		lists[s].n = 0;
		if (rv_store_jobs(w->side[s].store, &filter, list_id, &lists[s]) != RV_OK)
			differ_fail(w, "%s cannot list a page", w->side[s].name);
	}
	for (size_t i = 0; i < lists[0].n && i < lists[1].n; i++)
		SAME("page", lists[0].ids[i], lists[1].ids[i]);
	SAME("page", lists[0].n, lists[1].n);
}

static void broken(void *ctx, const char *rule, const char *what)
{
	differ_fail(ctx, "%s is broken: %s", rule, what);
}

void same_everything(struct world *w)
{
	struct texts t[2];

	for (int s = 0; s < 2; s++) {
		describe_store(w, s, &t[s]);
		if (rv_store_check(w->side[s].store, false, broken, w) != RV_OK)
			differ_fail(w, "%s cannot be checked", w->side[s].name);
	}
	same_described(w, &t[0], &t[1]);
	same_lists(w);
	for (int i = 0; i < 10; i++)
		same_page(w);
	for (size_t i = 0; i < w->njobs; i++)
		same_job(w, w->jobs[i]);
}
