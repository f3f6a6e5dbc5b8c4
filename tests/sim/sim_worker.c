/*
 * A simulated worker: claims, starts, finishes, acks; and crashes or is stopped between any two of
 * these, also between the commit of its turn and its learning of the answer.
 */
#include "sim.h"

#include "wire/sup.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void lives(struct sim *s, int i)
{
	struct sim_worker *w = &s->workers[i];
	struct rv_req_join *j = &s->req.u.join;

	memset(j, 0, sizeof *j);
	j->incarnation = s->start << 32 | s->next_incarnation++;
	j->pid = 2147480000;
	j->start_ticks = 3;
	j->slot = i + 1;
	(void)snprintf(j->pool, sizeof j->pool, "default");
	(void)snprintf(j->boot_id, sizeof j->boot_id, "boot-%d", s->boot);
	j->beat_deadline_us = s->clock.mono_us + LEASE_US;
	if (!sim_ask(s, RV_REQ_JOIN))
		return;
	if (s->req.err != RV_OK)
		sim_fail(s, "a worker cannot join: %s", s->req.why.text);
	*w = (struct sim_worker){.alive = true,
				 .incarnation = j->incarnation,
				 .run = -1,
				 .deadline_us = s->clock.mono_us + LEASE_US};
}

/* Its process and, by the supervisor's sweep, its job's are gone; the obituary waits for the
 * keeper. */
void sim_worker_dies(struct sim *s, int i)
{
	struct sim_worker *w = &s->workers[i];
	struct sim_death death = {.who = w->incarnation, .died = RV_DIED_CRASH};

	if (!w->alive)
		return;
	s->crashes++;
	sim_note(s, "worker %d (%" PRIx64 ") dies", i, w->incarnation);
	if (w->run >= 0)
		death.started_fence = s->runs[w->run].fence;
	if (sim_chance(s, 40))
		death.died = w->nheld == 0       ? RV_DIED_CLEAN
			     : sim_chance(s, 50) ? RV_DIED_LOST
						 : RV_DIED_HUNG;
	sim_run_ends(s, i);
	w->alive = false;
	w->stopped = false;
	w->overslept = false;
	w->nheld = 0;
	if (s->ndeaths == SIM_DEATHS)
		sim_fail(s, "more deaths than this program has room for");
	s->deaths[s->ndeaths++] = death;
}

static void drop_held(struct sim_worker *w, int at)
{
	memmove(&w->held[at], &w->held[at + 1], sizeof w->held[0] * (size_t)(w->nheld - at - 1));
	w->nheld--;
}

static void remember(struct sim_worker *w, const struct rv_ack *ack)
{
	if (w->nold == SIM_OLD) {
		memmove(w->old, w->old + 1, sizeof w->old[0] * (SIM_OLD - 1));
		w->nold--;
	}
	w->old[w->nold++] = *ack;
}

static bool holds(const struct sim_worker *w, int64_t job)
{
	for (int h = 0; h < w->nheld; h++)
		if (w->held[h].job == job && !w->held[h].ended)
			return true;
	return false;
}

/* Something that was told long ago, once more: best of a job that it has again, under a new fence.
 */
static void put_old_ack(struct sim *s, const struct sim_worker *w, struct rv_req_turn *t)
{
	int which = sim_chance(s, 15) ? sim_below(s, w->nold) : -1;

	for (int o = 0; o < w->nold; o++)
		if (holds(w, w->old[o].job) && sim_chance(s, 50))
			which = o;
	if (which < 0)
		return;
	t->acks[t->nacks] = w->old[which];
	t->acks[t->nacks++].err = 0;
}

/* What is over goes into the turn. */
static void put_acks(struct sim *s, struct sim_worker *w, struct rv_req_turn *t)
{
	for (int h = 0; h < w->nheld; h++)
		if (w->held[h].ended)
			t->acks[t->nacks++] = w->held[h].ack;
	if (w->nold > 0 && !s->calm)
		put_old_ack(s, w, t);
}

static void put_queues(struct sim *s, struct rv_req_turn *t)
{
	static const char *const names[] = {"default", "bulk", "prio"};
	int first = sim_below(s, 3);

	t->nqueues = s->calm ? 3 : 1 + (uint32_t)sim_below(s, 3);
	for (uint32_t i = 0; i < t->nqueues; i++)
		(void)snprintf(t->queues[i], RV_NAME_MAX, "%s", names[((uint32_t)first + i) % 3]);
}

static void learn(struct sim *s, struct sim_worker *w, const struct rv_req_turn *t)
{
	for (uint32_t i = 0; i < t->nacks; i++)
		for (int h = w->nheld; h-- > 0;)
			if (w->held[h].fence == t->acks[i].fence) {
				remember(w, &t->acks[i]);
				drop_held(w, h);
			}
	for (uint32_t i = 0; i < t->nclaimed; i++) {
		if (w->nheld == SIM_HELD)
			sim_fail(s, "a worker got more than it asked for");
		w->held[w->nheld++] = (struct sim_held){.job = t->claimed[i].job,
							.fence = t->claimed[i].fence,
							.prefetched = t->prefetch != 0};
	}
}

static void take_turn(struct sim *s, int i)
{
	struct sim_worker *w = &s->workers[i];
	struct rv_req_turn *t = &s->req.u.turn;
	int over = 0;

	memset(t, 0, sizeof *t);
	t->incarnation = w->incarnation;
	put_acks(s, w, t);
	for (int h = 0; h < w->nheld; h++)
		over += w->held[h].ended;
	if (w->nheld == over && sim_chance(s, 90)) {
		t->prefetch = sim_chance(s, 40);
		t->want = t->prefetch ? 1 + (uint32_t)sim_below(s, SIM_HELD) : 1;
		put_queues(s, t);
	}
	if (!sim_ask(s, RV_REQ_TURN))
		return;
	if (s->req.err == RV_E_STALE) { /* it has lost its lease: its run is stopped, it ends */
		if (!w->overslept)
			sim_fail(s, "a living worker was refused: %s", s->req.why.text);
		sim_worker_dies(s, i);
		return;
	}
	if (s->req.err != RV_OK)
		sim_fail(s, "a turn was refused: %s", s->req.why.text);
	w->overslept = false; /* its row lives, so all that it holds is still its own */
	if (!s->calm && sim_chance(s, 3)) { /* it dies before it learns the answer */
		sim_worker_dies(s, i);
		return;
	}
	learn(s, w, t);
}

static int32_t some_outcome(struct sim *s)
{
	static const unsigned char by_ten[] = {RV_OUTCOME_SUCCEEDED, RV_OUTCOME_SUCCEEDED,
					       RV_OUTCOME_SUCCEEDED, RV_OUTCOME_SUCCEEDED,
					       RV_OUTCOME_FAILED,    RV_OUTCOME_FAILED,
					       RV_OUTCOME_FATAL,     RV_OUTCOME_LATER,
					       RV_OUTCOME_LATER,     RV_OUTCOME_INTERRUPTED};

	return s->calm ? RV_OUTCOME_SUCCEEDED : by_ten[sim_below(s, 10)];
}

static void end_held(struct sim *s, struct sim_held *held, int32_t outcome, bool started)
{
	held->ended = true;
	held->ack = (struct rv_ack){.job = held->job,
				    .fence = held->fence,
				    .outcome = outcome,
				    .exit_code = -1,
				    .retry_us = sim_below(s, 3) * 5 * RV_S_US,
				    .started_us = started ? s->clock.wall_us : 0,
				    .ended_us = s->clock.wall_us};
}

static struct sim_held *running(struct sim *s, struct sim_worker *w)
{
	for (int h = 0; h < w->nheld; h++)
		if (w->run >= 0 && w->held[h].fence == s->runs[w->run].fence)
			return &w->held[h];
	return NULL;
}

static bool cancel_wanted(struct sim *s, const struct sim_held *held)
{
	bool wanted = false;

	if (rv_store_cancel_wanted(s->store, held->job, held->fence, &wanted) != RV_OK)
		sim_fail(s, "the flag of job %lld cannot be read", (long long)held->job);
	return wanted;
}

static void work_on(struct sim *s, int i)
{
	struct sim_worker *w = &s->workers[i];
	struct sim_held *held = running(s, w);

	if (held) {
		if (sim_chance(s, 30) && cancel_wanted(s, held)) {
			sim_run_ends(s, i);
			end_held(s, held, RV_OUTCOME_CANCELLED, true);
		} else if (s->calm || sim_chance(s, 50)) {
			sim_run_ends(s, i);
			end_held(s, held, some_outcome(s), true);
		}
		return;
	}
	for (int h = 0; h < w->nheld; h++) {
		if (w->held[h].ended)
			continue;
		if (w->overslept) { /* it sees that it did not beat for too long: it starts nothing
				     */
			sim_worker_dies(s, i);
			return;
		}
		/* drain, or another worker is idle: given back */
		if (!s->calm && sim_chance(s, 10))
			end_held(s, &w->held[h], RV_OUTCOME_INTERRUPTED, false);
		else
			sim_run_begins(s, i, &w->held[h]);
		return;
	}
	take_turn(s, i);
}

static void troubles(struct sim *s, int i)
{
	struct sim_worker *w = &s->workers[i];

	if (sim_chance(s, 50)) {
		sim_worker_dies(s, i);
		return;
	}
	w->stopped = true;
	sim_note(s, "worker %d is stopped", i);
	w->wake_us = s->clock.mono_us + sim_below(s, 90) * RV_S_US;
}

void sim_worker_step(struct sim *s, int i)
{
	struct sim_worker *w = &s->workers[i];
	bool some_ended = false;

	if (!w->alive) {
		lives(s, i);
		return;
	}
	if (w->stopped) {
		if (!s->calm && s->clock.mono_us < w->wake_us)
			return;
		w->stopped = false;
		sim_note(s, "worker %d goes on", i);
		w->overslept = s->clock.mono_us > w->deadline_us;
	}
	if (!s->calm && sim_chance(s, 4)) {
		troubles(s, i);
		return;
	}
	for (int h = 0; h < w->nheld; h++)
		some_ended = some_ended || w->held[h].ended;
	/* a turn in the middle of its work: what it says of the past must not touch the present */
	if ((some_ended && w->run < 0 && sim_chance(s, 60)) || (!s->calm && sim_chance(s, 5)))
		take_turn(s, i);
	else
		work_on(s, i);
}
