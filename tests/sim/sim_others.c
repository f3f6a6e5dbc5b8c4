/* The keeper, the people, the daemon that starts again, the clocks and the foreign writer. */
#include "sim.h"

#include "core/tolerance.h"
#include "wire/sup.h"

#include <stdio.h>
#include <string.h>

static struct rv_limits some_limits(struct sim *s)
{
	struct rv_limits limits = {0};

	if (sim_chance(s, 25))
		limits.concurrency = 1 + sim_below(s, 4);
	if (sim_chance(s, 25))
		limits.key_concurrency = 1 + sim_below(s, 2);
	if (sim_chance(s, 15))
		limits.rate = (struct rv_rate){1 + sim_below(s, 20), RV_S_US};
	if (sim_chance(s, 15))
		limits.key_rate = (struct rv_rate){1 + sim_below(s, 20), RV_S_US};
	return limits;
}

static void mirror(struct sim *s)
{
	struct rv_queue_def queues[] = {{.name = "default", .strategy = RV_STRATEGY_FIFO},
					{.name = "bulk", .strategy = RV_STRATEGY_FIFO},
					{.name = "prio", .strategy = RV_STRATEGY_PRIORITY}};
	static const struct rv_resource_def resources[] = {{"gpu", 2}, {"db", 3}};
	struct rv_task_def tasks[] = {
		{.name = "t", .queue = "default", .max_attempts = 3, .max_crashes = 2},
		{.name = "b", .queue = "bulk", .max_attempts = 2, .max_crashes = 1},
		{.name = "p", .queue = "prio", .max_attempts = 4, .max_crashes = 0}};

	for (size_t i = 0; i < RV_ARRAY_LEN(queues) && sim_chance(s, 60); i++) {
		queues[i].strategy = (enum rv_strategy)sim_below(s, RV_STRATEGY_FAIR + 1);
		queues[i].aging_us = sim_below(s, 3) * RV_S_US;
		queues[i].limits = some_limits(s);
		queues[i].max = sim_chance(s, 30) ? 3 + sim_below(s, 30) : 0;
		queues[i].on_full = (enum rv_on_full)sim_below(s, 3);
		tasks[i].limits = some_limits(s);
		if (sim_chance(s, 30))
			(void)snprintf(tasks[i].takes, sizeof tasks[i].takes, "db:%d,gpu",
				       1 + sim_below(s, 3));
	}
	s->req.u.mirror = (struct rv_req_mirror){.tasks = tasks,
						 .ntasks = RV_ARRAY_LEN(tasks),
						 .queues = queues,
						 .nqueues = RV_ARRAY_LEN(queues),
						 .resources = resources,
						 .nresources = RV_ARRAY_LEN(resources)};
	if (sim_ask(s, RV_REQ_MIRROR) && s->req.err != RV_OK)
		sim_fail(s, "mirror: %s", s->req.why.text);
}

void sim_daemon_starts(struct sim *s, bool other_boot)
{
	struct rv_req_raise *r = &s->req.u.raise;
	int64_t epoch_before = 0;
	struct rv_instance at;

	if (s->locked)
		return;
	for (int w = 0; w < SIM_WORKERS;
	     w++) /* children that lost their parent, swept by the next */
		sim_worker_dies(s, w);
	s->ndeaths = 0;
	s->start++;
	s->next_incarnation = 1;
	if (other_boot) {
		s->boot++;
		s->clock.mono_us = (1 + sim_below(s, 100)) * RV_S_US;
	}
	if (rv_store_instance(s->store, &at) == RV_OK)
		epoch_before = at.epoch;
	sim_reopen(s);
	memset(r, 0, sizeof *r);
	r->pid = 2147480001;
	r->start_ticks = (int64_t)s->start;
	(void)snprintf(r->boot_id, sizeof r->boot_id, "boot-%d", s->boot);
	(void)snprintf(r->runtime_dir, sizeof r->runtime_dir, "/run/sim");
	r->area = s->start;
	r->incarnation_base = s->start << 32;
	if (!sim_ask(s, RV_REQ_RAISE) || s->req.err != RV_OK)
		sim_fail(s, "raise: %s", s->req.why.text);
	if (r->epoch < epoch_before + other_boot)
		sim_fail(s, "the epoch went from %lld to %lld", (long long)epoch_before,
			 (long long)r->epoch);
	mirror(s);
	s->keeper_alive = true;
}

static void tell_deaths(struct sim *s)
{
	struct rv_req_expire *e = &s->req.u.expire;

	memset(e, 0, sizeof *e);
	for (int i = 0; i < s->ndeaths; i++) {
		struct rv_expire_one *who = &e->who[e->count++];

		who->incarnation = s->deaths[i].who;
		who->died = s->deaths[i].died;
		who->started_fence = s->deaths[i].started_fence;
		(void)snprintf(who->words, sizeof who->words, "killed by signal 9");
	}
	e->overdue_us = s->clock.mono_us;
	if (!sim_ask(s, RV_REQ_EXPIRE))
		return;
	if (s->req.err != RV_OK)
		sim_fail(s, "expire: %s", s->req.why.text);
	s->ndeaths = 0;
}

/* The beats of all that are awake, before anybody is judged. */
static bool flush_beats(struct sim *s)
{
	struct rv_req_beats *b = &s->req.u.beats;

	memset(b, 0, sizeof *b);
	b->deadline_us = s->clock.mono_us + LEASE_US;
	for (int i = 0; i < SIM_WORKERS; i++)
		if (s->workers[i].alive && !s->workers[i].stopped)
			b->incarnations[b->count++] = s->workers[i].incarnation;
	if (!sim_ask(s, RV_REQ_BEATS))
		return false;
	for (int i = 0; i < SIM_WORKERS; i++)
		if (s->workers[i].alive && !s->workers[i].stopped && !s->workers[i].overslept)
			s->workers[i].deadline_us = s->clock.mono_us + LEASE_US;
	return true;
}

void sim_keeper_tick(struct sim *s)
{
	if (!s->keeper_alive) {
		s->keeper_alive = s->calm || sim_chance(s, 30);
		return;
	}
	if (!s->calm && sim_chance(s, 3)) {
		s->keeper_alive = false;
		return;
	}
	if (flush_beats(s))
		tell_deaths(s);
	if (!s->calm && sim_chance(s, 50))
		return;
	sim_keeper_cron(s);
	s->req.u.promote = (struct rv_req_promote){.limit = 1 + (uint32_t)sim_below(s, 20),
						   .sweep = 1 + (uint32_t)sim_below(s, 4)};
	if (sim_ask(s, RV_REQ_PROMOTE) && s->req.err != RV_OK)
		sim_fail(s, "promote: %s", s->req.why.text);
	s->req.u.tidy = (struct rv_req_tidy){.limit = 1 + (uint32_t)sim_below(s, 8)};
	if (sim_ask(s, RV_REQ_TIDY) && s->req.err != RV_OK)
		sim_fail(s, "tidy: %s", s->req.why.text);
}

static int64_t some_job(struct sim *s)
{
	int from = s->njobs > 20 && sim_chance(s, 70) ? s->njobs - 20 : 0;

	return s->njobs == 0 ? 1 : s->jobs[from + sim_below(s, s->njobs - from)].id;
}

static void note_new(struct sim *s, int64_t id, int key)
{
	if (s->req.u.enqueue.repeated > 0) {
		if (s->idem[key] != id)
			sim_fail(s, "key %d gave job %lld, the first was %lld", key, (long long)id,
				 (long long)s->idem[key]);
		return;
	}
	if (s->req.u.enqueue.skipped > 0) {
		if (!sim_job(s, id))
			sim_fail(s, "job %lld holds a key and was never accepted", (long long)id);
		return;
	}
	if (sim_job(s, id))
		sim_fail(s, "the id %lld was given twice", (long long)id);
	if (key >= 0)
		s->idem[key] = id;
	s->jobs[s->njobs++] =
		(struct sim_job){.id = id, .timed = s->req.u.enqueue.jobs[0].until_us > 0};
}

static void refused_new(struct sim *s, const struct rv_job_new *job, int64_t holder)
{
	struct rv_job_view v;

	if (s->req.err == RV_E_NOTFOUND && (job->nafter > 0 || job->batch > 0))
		return;
	if (s->req.err == RV_E_REFUSED || s->req.err == RV_E_FULL) /* draining; no room */
		return;
	if (s->req.err != RV_E_CONFLICT)
		sim_fail(s, "enqueue: %s", s->req.why.text);
	if (job->nafter > 0 || holder == 0) /* maybe a cancelled parent */
		return;
	if (sim_job(s, holder) && sim_job(s, holder)->timed)
		return;
	if (rv_store_job(s->store, holder, &v) != RV_OK || rv_job_state_final(v.state) ||
	    (v.until_us == RV_UNTIL_STARTED && v.runs > 0))
		sim_fail(s, "job %lld holds a unique key and is over or gone", (long long)holder);
}

static void new_batch(struct sim *s)
{
	const struct rv_tolerance tolerance = {.kind = sim_chance(s, 50) ? RV_TOLERATES_COUNT
									 : RV_TOLERATES_PERCENT,
					       .n = sim_below(s, 30)};

	s->req.u.new_batch = (struct rv_req_new_batch){.on_success.task = "t"};
	if (sim_chance(s, 70))
		s->req.u.new_batch.on_complete.task = "b";
	if (sim_chance(s, 50))
		s->req.u.new_batch.tolerance = &tolerance;
	s->req.u.new_batch.stops = sim_chance(s, 30);
	if (!sim_ask(s, RV_REQ_NEW_BATCH))
		return;
	if (s->req.err != RV_OK)
		sim_fail(s, "new batch: %s", s->req.why.text);
	s->batches[s->nbatches++] = (struct sim_batch){.id = s->req.u.new_batch.id};
}

static void close_batch(struct sim *s)
{
	struct sim_batch *batch = &s->batches[sim_below(s, s->nbatches)];
	bool was = batch->closed;

	s->req.u.close.batch = batch->id;
	batch->closed = true; /* its callbacks are looked for from now on */
	if (!sim_ask(s, RV_REQ_CLOSE))
		batch->closed = was;
	else if (s->req.err != RV_OK && !was)
		sim_fail(s, "close: %s", s->req.why.text);
}

static void drop_batch(struct sim *s)
{
	struct sim_batch *batch = &s->batches[sim_below(s, s->nbatches)];

	s->req.u.drop_batch.batch = batch->id;
	if (!sim_ask(s, RV_REQ_DROP_BATCH) || s->req.err == RV_E_CONFLICT)
		return;
	if (s->req.err != RV_OK && s->req.err != RV_E_NOTFOUND)
		sim_fail(s, "drop batch: %s", s->req.why.text);
	if (s->req.err == RV_OK && !batch->closed)
		sim_fail(s, "batch %lld was open and is forgotten", (long long)batch->id);
}

/* One of the last few. */
static int64_t some_batch(struct sim *s)
{
	int back = s->nbatches < 3 ? s->nbatches : 3;

	return s->nbatches == 0 ? 0 : s->batches[s->nbatches - 1 - sim_below(s, back)].id;
}

void sim_enqueue(struct sim *s)
{
	static const char *const tasks[] = {"t", "b", "p"};
	struct rv_job_new job = {.task = tasks[sim_below(s, 3)], .priority = -1};
	int64_t parents[2] = {some_job(s), some_job(s)};
	char unique[8];
	char idem[8];
	int64_t id = 0;
	int key = -1;

	if (s->njobs >= SIM_JOBS - 2 * SIM_BATCHES)
		return;
	if (sim_chance(s, 40))
		job.batch = some_batch(s);
	if (sim_chance(s, 15))
		job.run_at_us = s->clock.wall_us + sim_below(s, 120) * RV_S_US;
	if (sim_chance(s, 10))
		job.ttl_us = (1 + sim_below(s, 60)) * RV_S_US;
	if (sim_chance(s, 25))
		job.priority = sim_below(s, 3);
	if (sim_chance(s, 25))
		job.deadline_us = s->clock.wall_us + sim_below(s, 60) * RV_S_US;
	if (sim_chance(s, 25))
		job.weight = 1 + sim_below(s, 3);
	if (sim_chance(s, 40))
		job.key = sim_chance(s, 50) ? "one" : "two";
	if (sim_chance(s, 15))
		job.takes = sim_chance(s, 50) ? "gpu:2" : "db:2, gpu";
	if (sim_chance(s, 20)) {
		(void)snprintf(unique, sizeof unique, "u%d", sim_below(s, SIM_KEYS));
		job.unique_key = unique;
		if (sim_chance(s, 60))
			job.until_us = sim_below(s, 60) * RV_S_US - 1;
		job.on_held = (enum rv_on_held)sim_below(s, 4);
	} else if (sim_chance(s, 20)) { /* always the same content */
		key = sim_below(s, SIM_KEYS);
		(void)snprintf(idem, sizeof idem, "i%d", key);
		job = (struct rv_job_new){.task = "t", .priority = -1, .idem_key = idem};
	} else if (sim_chance(s, 25)) {
		job.after = parents;
		job.nafter = 1 + (size_t)sim_below(s, 2);
		job.on = (enum rv_after)sim_below(s, 3);
	}
	s->req.u.enqueue = (struct rv_req_enqueue){.jobs = &job, .count = 1, .ret_ids = &id};
	if (!sim_ask(s, RV_REQ_ENQUEUE))
		return;
	if (s->req.err == RV_OK)
		note_new(s, id, key);
	else
		refused_new(s, &job, id);
}

void sim_people_step(struct sim *s)
{
	static const char *const queues[] = {"default", "bulk", "prio"};
	int which = sim_below(s, 100);
	int kind;

	if (which < 3 && s->nbatches < SIM_BATCHES) {
		new_batch(s);
		return;
	}
	if (which < 6 && s->nbatches > 0) {
		close_batch(s);
		return;
	}
	if (which < 7 && s->nbatches > 0) {
		drop_batch(s);
		return;
	}
	if (which < 55) {
		sim_enqueue(s);
		return;
	}
	memset(&s->req.u.cancel, 0, sizeof s->req.u.cancel);
	if (which < 75) {
		s->req.u.cancel.job = some_job(s);
		kind = RV_REQ_CANCEL;
	} else if (which < 85) {
		s->req.u.retry.job = some_job(s);
		kind = RV_REQ_RETRY;
	} else if (which < 90) {
		s->req.u.remove.job = some_job(s);
		kind = RV_REQ_DELETE;
	} else if (which < 93) {
		memset(&s->req.u.hold, 0, sizeof s->req.u.hold);
		s->req.u.hold.job = some_job(s);
		s->req.u.hold.held = !s->calm && sim_chance(s, 40);
		kind = RV_REQ_HOLD;
	} else if (which < 95) {
		memset(&s->req.u.edit, 0, sizeof s->req.u.edit);
		s->req.u.edit.job = some_job(s);
		s->req.u.edit.priority = sim_below(s, 4) - 1;
		s->req.u.edit.run_at_us = s->clock.wall_us + (sim_below(s, 60) - 20) * RV_S_US;
		s->req.u.edit.max_attempts = sim_below(s, 5);
		kind = RV_REQ_EDIT;
	} else {
		memset(&s->req.u.pause, 0, sizeof s->req.u.pause);
		(void)snprintf(s->req.u.pause.queue, RV_NAME_MAX, "%s", queues[sim_below(s, 3)]);
		s->req.u.pause.paused = sim_chance(s, 40) ? 1 + sim_below(s, 2) : 0;
		kind = RV_REQ_PAUSE;
	}
	if (sim_ask(s, kind) && s->req.err != RV_OK && s->req.err != RV_E_CONFLICT &&
	    s->req.err != RV_E_NOTFOUND)
		sim_fail(s, "%s: %s", rv_req_name(kind), s->req.why.text);
}

/* Mostly a little; sometimes a sleep of the machine, or somebody sets the wall clock, also back. */
void sim_clock_step(struct sim *s)
{
	int64_t by = sim_below(s, 2000) * RV_MS_US;

	if (sim_chance(s, 3))
		by = sim_below(s, 600) * RV_S_US;
	s->clock.mono_us += by;
	s->clock.wall_us += by;
	if (sim_chance(s, 1))
		s->clock.wall_us += (sim_below(s, 7200) - 3600) * RV_S_US;
}

/* A foreign process takes or gives back the write lock. */
void sim_lock_step(struct sim *s)
{
	if (s->locked) {
		rv_store_rollback(s->foreign);
		s->locked = false;
	} else if (s->foreign && !s->calm) {
		if (rv_store_begin(s->foreign, RV_DURABILITY_NORMAL, 0, NULL) != RV_OK)
			sim_fail(s, "the foreign process cannot take the lock");
		s->locked = true;
	}
}
