/*
 * The memory backend: R1, R2, R3, R5, R7, R8, B1, B2 and S1 looked through row by row
 * (docs/MODEL.md). Tests call it after each step; it changes nothing and trusts nothing that it can
 * count itself.
 */
#include "store/memory_rows.h"

#include "base/check.h"
#include "core/admit.h"
#include "core/job.h"
#include "core/stats.h"
#include "core/tolerance.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct looker {
	struct mem_store *m;
	void (*broken)(void *ctx, const char *rule, const char *what);
	void *ctx;
};

static void say(const struct looker *l, const char *rule, const char *format, ...) RV_PRINTF(3, 4);

static void say(const struct looker *l, const char *rule, const char *format, ...)
{
	char what[256];
	va_list args;

	va_start(args, format);
	/* clang-tidy 14 loses sight of va_start where it looks into a caller. */
	(void)vsnprintf(what, sizeof what, format, args); // NOLINT(clang-analyzer-valist.*)
	va_end(args);
	l->broken(l->ctx, rule, what);
}

#define ID(j) ((long long)(j)->id)

/* Here one row is one job, so R1 is: each id once, and nothing of another place clings to it. */
static void look_at_place(const struct looker *l, const struct mem_job *j)
{
	MEM_EACH(l->m, jobs, other)
	if (other != j && other->id == j->id)
		say(l, "R1", "job %lld is there twice", ID(j));
	if (j->id <= 0 || j->id >= l->m->now.next_id)
		say(l, "R1", "job %lld was never given out", ID(j));
	if ((unsigned)j->place >= MEM_PLACES)
		say(l, "R1", "job %lld stands nowhere", ID(j));
	if ((j->place == MEM_LEASE) != (j->incarnation != 0) ||
	    (j->place == MEM_LEASE) != (j->fence != 0))
		say(l, "R1", "job %lld: lease and place differ", ID(j));
	if ((j->place == MEM_DONE) != (j->finished_us != 0))
		say(l, "R1", "job %lld: final and finished differ", ID(j));
	if (j->place == MEM_DONE && !rv_job_state_final(j->final))
		say(l, "R1", "job %lld is done and not final", ID(j));
}

static void look_at_blocked(const struct looker *l, const struct mem_job *j)
{
	bool waits = false;

	MEM_EACH(l->m, deps, dep)
	{
		const struct mem_job *parent = rv_memory_job(l->m, dep->parent);

		if (dep->child != j->id)
			continue;
		waits = true;
		if (!parent || rv_admit_after(dep->on, rv_memory_shown(parent)) != RV_ADMIT_WAITS)
			say(l, "R1", "job %lld waits for job %lld in vain", ID(j),
			    (long long)dep->parent);
	}
	if (j->gate && (waits || j->held || j->place != MEM_BLOCKED))
		say(l, "R1", "job %lld stands in the line of %s", ID(j), j->gate);
	if ((waits || j->held) != (j->place == MEM_BLOCKED && !j->gate))
		say(l, "R1", "job %lld: blocked and waiting differ", ID(j));
}

static void look_at_lease(const struct looker *l, const struct mem_job *j)
{
	const struct mem_worker *w = rv_memory_worker(l->m, j->incarnation);
	const struct mem_attempt *a = rv_memory_last_attempt(l->m, j->id);

	if (j->place != MEM_LEASE) {
		if (a && a->outcome == -1)
			say(l, "R2", "job %lld: a run goes on without a lease", ID(j));
		return;
	}
	if (!w || !w->live)
		say(l, "R2", "job %lld is leased to nobody alive", ID(j));
	MEM_EACH(l->m, jobs, other)
	if (other != j && other->place == MEM_LEASE && other->fence == j->fence)
		say(l, "R2", "jobs %lld and %lld have one fence", ID(j), ID(other));
	if (j->started && (!a || a->outcome != -1 || a->fence != j->fence))
		say(l, "R2", "job %lld: its lease has no run", ID(j));
	if (!j->started && a && a->outcome == -1)
		say(l, "R2", "job %lld: a run goes on that was not started", ID(j));
}

static void look_at_fences(const struct looker *l, const struct mem_job *j)
{
	int64_t highest = l->m->now.epoch << 40 | l->m->now.fence_counter;
	int64_t last = 0;
	int runs = 0;

	MEM_EACH(l->m, attempts, a)
	{
		if (a->job != j->id)
			continue;
		if (a->run != ++runs)
			say(l, "R3", "job %lld: run %d is out of order", ID(j), a->run);
		if (a->fence <= last || a->fence > highest)
			say(l, "R3", "job %lld: the fence of run %d does not grow", ID(j), a->run);
		if (a->outcome == -1 && a->run != j->runs)
			say(l, "R2", "job %lld: run %d never ended", ID(j), a->run);
		last = a->fence;
	}
	if (runs != j->runs)
		say(l, "R5", "job %lld: %d runs, %d rows", ID(j), j->runs, runs);
	if (j->place == MEM_LEASE && (j->fence > highest || (!j->started && j->fence <= last)))
		say(l, "R3", "job %lld: the fence of its lease does not grow", ID(j));
}

static void look_at_limits(const struct looker *l, const struct mem_job *j)
{
	int burned = 0;
	int limit = j->max_crashes + (j->place == MEM_DONE && j->final == RV_JOB_DEAD);

	MEM_EACH(l->m, attempts, a)
	if (a->job == j->id && (a->outcome == RV_OUTCOME_SUCCEEDED ||
				a->outcome == RV_OUTCOME_FAILED || a->outcome == RV_OUTCOME_FATAL))
		burned++;
	if (j->attempts > j->max_attempts + j->granted)
		say(l, "R5", "job %lld: %d attempts of %d + %d", ID(j), j->attempts,
		    j->max_attempts, j->granted);
	if (j->attempts > burned)
		say(l, "R5", "job %lld: %d attempts burned by %d runs", ID(j), j->attempts, burned);
	if (j->crashes > limit)
		say(l, "R5", "job %lld: %d crashes of %d", ID(j), j->crashes, j->max_crashes);
}

/* The moves of the table; and out of ready those of a prefetched run, told when it was over. */
static bool legal(int from, int to)
{
	if (from == MEM_NOTHING)
		return to == RV_JOB_READY || to == RV_JOB_SCHEDULED || to == RV_JOB_BLOCKED;
	if (rv_job_move_legal((enum rv_job_state)from, (enum rv_job_state)to))
		return true;
	return from == RV_JOB_READY && rv_job_move_legal(RV_JOB_RUNNING, (enum rv_job_state)to);
}

static void look_at_events(const struct looker *l, const struct mem_job *j)
{
	int64_t seq = 0;
	int at = MEM_NOTHING;

	MEM_EACH(l->m, events, e)
	{
		if (e->job != j->id)
			continue;
		if (e->from != at)
			say(l, "R7", "job %lld: event %lld does not begin where the last ended",
			    ID(j), (long long)e->seq);
		if (!legal(e->from, e->to))
			say(l, "R7", "job %lld: event %lld is no legal move (%d to %d)", ID(j),
			    (long long)e->seq, e->from, e->to);
		if (e->seq <= seq)
			say(l, "R7", "job %lld: event %lld is out of order", ID(j),
			    (long long)e->seq);
		seq = e->seq;
		at = e->to;
	}
	if (at != (int)rv_memory_shown(j))
		say(l, "R7", "job %lld is %s, its events say %s", ID(j),
		    rv_job_state_name(rv_memory_shown(j)),
		    at == MEM_NOTHING ? "nothing" : rv_job_state_name((enum rv_job_state)at));
}

static void look_at_keys(const struct looker *l, const struct mem_job *j)
{
	bool holds = j->unique_key && j->place != MEM_DONE &&
		     (j->until_us == RV_UNTIL_FINISHED ||
		      (j->until_us == RV_UNTIL_STARTED && j->runs == 0));
	int held = 0;

	MEM_EACH(l->m, uniques, u)
	held += u->id == j->id && u->until_us == 0;
	if (held != holds)
		say(l, "R1", "job %lld: its unique key is held %d times", ID(j), held);
	MEM_EACH(l->m, waiters, w)
	if (w->job == j->id && j->place == MEM_DONE)
		say(l, "R1", "job %lld is final and somebody waits for it", ID(j));
}

static void look_at_counts(const struct looker *l, const struct mem_queue *q)
{
	int64_t counted[RV_JOB_STATES] = {0};

	MEM_EACH(l->m, jobs, j)
	if (&l->m->now.queues.rows[j->queue] == q)
		counted[rv_memory_shown(j)]++;
	for (int state = 0; state < RV_JOB_STATES; state++)
		if (counted[state] != q->counts[state])
			say(l, "R8", "queue %s: %lld %s are kept, %lld counted", q->name,
			    (long long)q->counts[state],
			    rv_job_state_name((enum rv_job_state)state), (long long)counted[state]);
}

/* L2: who waits at a gate could not pass it. */
static void look_at_line(const struct looker *l, const struct mem_gate *gate,
			 const struct mem_job *j, const struct mem_job *reserver)
{
	const struct mem_queue *q = &l->m->now.queues.rows[j->queue];
	struct rv_needs kept = {.count = 0};
	const struct rv_need *need;
	struct rv_needs needs;

	if (gate->due_us != 0 ||
	    (q->gate == RV_QUEUE_PAUSED && rv_gate_of_queue(gate->name, q->name)))
		return;
	if (reserver && reserver != j)
		rv_memory_needs(l->m, reserver, &kept);
	rv_memory_needs(l->m, j, &needs);
	need = rv_need_of(&needs, gate->name);
	if (!need || rv_need_fits(need, gate->used, &kept))
		say(l, "L2", "job %lld waits at gate %s for nothing", ID(j), gate->name);
}

/* S1: nothing that is there was not counted. */
static void look_at_stats(const struct looker *l, const struct mem_queue *q)
{
	struct rv_stats sum;

	rv_memory_sum(l->m, (int)(q - l->m->now.queues.rows), NULL, &sum);
	if (sum.succeeded < q->counts[RV_JOB_SUCCEEDED] || sum.dead < q->counts[RV_JOB_DEAD])
		say(l, "S1", "queue %s has more finished jobs than were ever counted", q->name);
}

/* L1: used is what is held, by jobs that run or are about to. */
static void look_at_gate(const struct looker *l, const struct mem_gate *gate)
{
	const struct mem_job *head = rv_memory_gate_head(l->m, gate->name);
	const struct mem_job *reserver = rv_memory_reserver(l->m);
	int64_t held = 0;

	MEM_EACH(l->m, holds, h)
	held += strcmp(h->gate, gate->name) == 0 ? h->n : 0;
	if (held != gate->used)
		say(l, "L1", "gate %s: %lld used, %lld held", gate->name, (long long)gate->used,
		    (long long)held);
	if (gate->open)
		say(l, "L1", "gate %s was left open", gate->name);
	if (!head && gate->due_us != 0)
		say(l, "L2", "gate %s is due for nobody", gate->name);
	if (head)
		look_at_line(l, gate, head, reserver);
	if (reserver && reserver != head && strcmp(reserver->gate, gate->name) == 0)
		look_at_line(l, gate, reserver, reserver);
}

static void look_at_hold(const struct looker *l, const struct mem_hold *h)
{
	const struct mem_job *j = rv_memory_job(l->m, h->job);

	if (!j || !j->passed || (j->place != MEM_LEASE && j->place != MEM_READY))
		say(l, "L1", "job %lld holds gate %s and does not run", (long long)h->job, h->gate);
}

/* L3: only who runs sleeps and lends, and not what it still has; only a child borrows. */
static void look_at_lender(const struct looker *l, const struct mem_job *j)
{
	bool broken = ((j->waits > 0 || j->lent != 0) && j->place != MEM_LEASE) ||
		      (j->lent != 0 && !j->passed);

	for (enum rv_gate_kind kind = 0; kind < RV_GATE_KINDS; kind++)
		broken = broken || ((j->lent & 1U << kind) && rv_memory_holds(l->m, j, kind));
	if (broken || (j->borrowed && (j->parent == 0 || !j->passed)))
		say(l, "L3", "job %lld lends or borrows what it has not", ID(j));
}

/* What a batch counts, by its jobs. */
static void look_at_batch(const struct looker *l, const struct mem_batch *b)
{
	int64_t ended[RV_JOB_STATES] = {0};
	int64_t members = 0;
	int64_t finals = b->succeeded + b->dead + b->cancelled;
	bool over = b->closed_us != 0 && finals == b->total;

	MEM_EACH(l->m, jobs, j)
	{
		if (j->batch != b->id)
			continue;
		if (j->callback && j->id != b->success_job && j->id != b->complete_job)
			say(l, "B2", "job %lld is one callback too many of batch %lld", ID(j),
			    (long long)b->id);
		members += !j->callback;
		ended[j->final] += !j->callback && j->place == MEM_DONE;
	}
	if (members != b->total - b->forgotten || ended[RV_JOB_SUCCEEDED] > b->succeeded ||
	    ended[RV_JOB_DEAD] > b->dead || ended[RV_JOB_CANCELLED] > b->cancelled ||
	    ended[RV_JOB_SUCCEEDED] + ended[RV_JOB_DEAD] + ended[RV_JOB_CANCELLED] !=
		    finals - b->forgotten)
		say(l, "B1", "batch %lld does not count what it has", (long long)b->id);
	if ((b->ended_us != 0) != over)
		say(l, "B2", "batch %lld is over and does not know, or knows and is not",
		    (long long)b->id);
	if (over && ((b->on_complete.task && b->complete_job == 0) ||
		     (b->on_success.task && b->success_job == 0 && b->succeeded == b->total)))
		say(l, "B2", "batch %lld is over and has not called back", (long long)b->id);
}

/* What a batch that has failed has cancelled so far. */
static void look_at_failed(const struct looker *l, const struct mem_batch *b)
{
	if ((b->failed_us != 0 && !rv_tolerance_exceeded(b->allowed, b->dead)) ||
	    (b->failed_us == 0 && b->sweep != 0))
		say(l, "B9", "batch %lld has failed and has not, or is swept and has not failed",
		    (long long)b->id);
	MEM_EACH(l->m, jobs, j)
	if (b->failed_us != 0 && j->batch == b->id && !j->callback && j->place != MEM_DONE &&
	    j->place != MEM_LEASE && (b->sweep == 0 || j->id >= b->sweep))
		say(l, "B9", "job %lld waits though its batch has failed", ID(j));
}

static void look_at_schedule(const struct looker *l, const struct rv_schedule_view *v)
{
	bool sleeps = v->def.off || v->paused;

	if ((sleeps && (v->due_us != RV_DUE_NEVER || v->next_us != 0)) ||
	    (v->due_us == RV_DUE_PLAN && v->next_us != 0) ||
	    (!sleeps && v->next_us != 0 && v->due_us == RV_DUE_NEVER) ||
	    (v->last_us == 0) != (v->last_job == 0))
		say(l, "C1", "schedule %s is due and must not, or must and is not", v->def.name);
}

static void look_at_firing(const struct looker *l, const struct mem_firing *f)
{
	const struct rv_firing_view *v = &f->view;
	bool known = false;

	MEM_EACH(l->m, schedules, s)
	known = known || strcmp(s->def.name, f->schedule) == 0;
	if (!known || (v->became == RV_FIRED_MISSED) != (v->missed > 0) ||
	    (v->became == RV_FIRED_JOB || v->became == RV_FIRED_SKIPPED) != (v->job > 0) ||
	    (v->became == RV_FIRED_REFUSED) != (v->error != NULL))
		say(l, "C1", "slot %lld of schedule %s has come to nothing that can be",
		    (long long)v->slot_us, f->schedule);
}

int rv_memory_check(struct rv_store *store, bool full,
		    void (*broken)(void *ctx, const char *rule, const char *what), void *ctx)
{
	struct looker l = {.m = MEM_OF(store), .broken = broken, .ctx = ctx};

	(void)full;
	MEM_EACH(l.m, jobs, j)
	{
		look_at_place(&l, j);
		look_at_blocked(&l, j);
		look_at_lease(&l, j);
		look_at_fences(&l, j);
		look_at_limits(&l, j);
		look_at_events(&l, j);
		look_at_keys(&l, j);
		if (j->batch > l.m->now.batches_given)
			say(&l, "B1", "job %lld is in a batch that never was", ID(j));
	}
	MEM_EACH(l.m, batches, b)
	{
		look_at_batch(&l, b);
		look_at_failed(&l, b);
	}
	MEM_EACH(l.m, schedules, s)
	look_at_schedule(&l, s);
	MEM_EACH(l.m, firings, f)
	look_at_firing(&l, f);
	MEM_EACH(l.m, queues, q)
	{
		look_at_counts(&l, q);
		look_at_stats(&l, q);
	}
	MEM_EACH(l.m, gates, g)
	look_at_gate(&l, g);
	MEM_EACH(l.m, holds, h)
	look_at_hold(&l, h);
	MEM_EACH(l.m, jobs, j)
	look_at_lender(&l, j);
	MEM_EACH(l.m, uniques, u)
	MEM_EACH(l.m, uniques, other)
	if (u != other && strcmp(u->key, other->key) == 0)
		say(&l, "R1", "a unique key is held by jobs %lld and %lld", (long long)u->id,
		    (long long)other->id);
	MEM_EACH(l.m, attempts, a)
	if (!rv_memory_job(l.m, a->job))
		say(&l, "R1", "a run of job %lld, which is not there", (long long)a->job);
	MEM_EACH(l.m, events, e)
	if (!rv_memory_job(l.m, e->job))
		say(&l, "R7", "an event of job %lld, which is not there", (long long)e->job);
	return RV_OK;
}
