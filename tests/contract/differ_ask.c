/*
 * Random requests: mostly sensible ones, so that jobs live through everything, and some of every
 * kind of nonsense.  Knows what was given out, not what the stores think of it.
 */
#include "differ.h"

#include "core/tolerance.h"

#include <stdio.h>
#include <string.h>

static const char *const queues[] = {"default", "bulk", "prio"};
static const char *const tasks[] = {"t", "once", "frail", "ranked", ""};

static int below(struct world *w, int n)
{
	return dice_below(&w->dice, n);
}

static bool chance(struct world *w, int percent)
{
	return dice_chance(&w->dice, percent);
}

static void put(char *to, size_t space, const char *text)
{
	(void)snprintf(to, space, "%s", text);
}

static int64_t some_job(struct world *w)
{
	if (w->njobs == 0 || chance(w, 2))
		return below(w, 3) - 1;
	if (chance(w, 50)) /* mostly the newer ones: they are not final yet */
		return w->jobs[w->njobs - 1 - (size_t)below(w, w->njobs < 8 ? (int)w->njobs : 8)];
	return w->jobs[below(w, (int)w->njobs)];
}

static uint64_t some_worker(struct world *w)
{
	if (w->nworkers == 0 || chance(w, 2))
		return w->start << 32 | 999999;
	if (w->ngone > 0 && chance(w, 4))
		return w->gone[below(w, (int)w->ngone)];
	return w->workers[below(w, (int)w->nworkers)];
}

static int64_t some_delay(struct world *w)
{
	static const int64_t delays[] = {0, 1, RV_MS_US, RV_S_US, 5 * RV_S_US, 60 * RV_S_US};

	return delays[below(w, 6)];
}

/* Mostly one of the newest; sometimes one that is not there. */
static int64_t some_batch(struct world *w)
{
	int all = (int)w->nbatches;

	if (chance(w, 80) && all > 4)
		return all - below(w, 4);
	return below(w, all + 1) + (int)chance(w, 3);
}

static void new_job(struct world *w, size_t i)
{
	struct rv_job_new *job = &w->news[i];
	char(*texts)[32] = w->texts[i];

	*job = (struct rv_job_new){.task = tasks[below(w, 5)], .priority = -1, .uid = 7};
	if (chance(w, 2))
		job->task = "tt";
	if (job->task[0] == '\0' && chance(w, 90))
		job->spec = "{\"command\":[\"true\"]}";
	if (chance(w, 30))
		job->queue = chance(w, 3) ? "defautl" : queues[below(w, 3)];
	if (chance(w, 30))
		job->priority = below(w, 4) - (int)chance(w, 5) * 3;
	if (chance(w, 25))
		job->run_at_us = w->clock.wall_us + some_delay(w) - RV_MS_US;
	if (chance(w, 20))
		job->ttl_us = some_delay(w);
	if (chance(w, 20))
		job->max_attempts = below(w, 3);
	if (chance(w, 10))
		job->timeout_us = some_delay(w);
	(void)snprintf(texts[0], 32, "u%d", below(w, 12));
	(void)snprintf(texts[1], 32, "i%d", below(w, 30));
	(void)snprintf(texts[2], 32, "p%d", below(w, 5));
	if (chance(w, 15)) {
		job->unique_key = texts[0];
		job->until_us = chance(w, 40) ? 0 : some_delay(w) - 1;
		job->on_held = (enum rv_on_held)below(w, 4 + (int)chance(w, 3));
	}
	if (chance(w, 15))
		job->idem_key = texts[1];
	if (chance(w, 20)) {
		job->payload = texts[2];
		job->payload_size = strlen(texts[2]);
	}
	if (chance(w, 30))
		job->key = chance(w, 50) ? "key" : "other";
	if (chance(w, 20))
		job->weight = below(w, 5);
	if (chance(w, 20))
		job->deadline_us = w->clock.wall_us + some_delay(w);
	if (chance(w, 5))
		job->labels = "[\"l\"]";
	if (chance(w, 5))
		job->meta = "{\"m\":1}";
	if (chance(w, 30))
		job->batch = some_batch(w);
	if (chance(w, 15))
		job->takes = chance(w, 4) ? "gpu:x" : chance(w, 50) ? "gpu:1, db:2" : "gpu:2";
	if (chance(w, 30)) {
		job->after = w->parents[i];
		job->nafter = (size_t)below(w, 4);
		if (job->nafter > 0 && chance(w, 50))
			job->on = (enum rv_after)below(w, 3);
	}
	for (size_t p = 0; p < job->nafter; p++)
		w->parents[i][p] = some_job(w);
	if (chance(w, 15))
		job->parent = some_job(w);
	child_of_lender(w, job);
}

static void ask_new_batch(struct world *w, struct rv_req *req)
{
	static struct rv_tolerance tolerance;
	struct rv_req_new_batch *new = &req->u.new_batch;

	new->tolerance = chance(w, 80) ? &tolerance : NULL;
	new->name = chance(w, 20) ? "b" : NULL;
	new->uid = 8;
	if (chance(w, 60))
		new->on_success = (struct rv_callback){chance(w, 3) ? "tt" : tasks[below(w, 4)],
						       chance(w, 50) ? "{\"args\":{}}" : NULL};
	if (chance(w, 60))
		new->on_complete.task = tasks[below(w, 4)];
	if (chance(w, 20))
		new->parent = some_job(w);
	if (chance(w, 60))
		tolerance = (struct rv_tolerance){(enum rv_tolerates)below(w, 3),
						  below(w, chance(w, 50) ? 3 : 102)};
	new->stops = chance(w, 30);
}

static void ask_enqueue(struct world *w, struct rv_req *req)
{
	size_t count = chance(w, 80) ? 1 : (size_t)below(w, BLOCK_MAX + 1);

	for (size_t i = 0; i < count; i++)
		new_job(w, i);
	req->u.enqueue.jobs = w->news;
	req->u.enqueue.count = count;
	req->u.enqueue.ret_ids = w->side[0].ids;
	req->u.enqueue.adhoc_refused = chance(w, 10);
	req->u.enqueue.idem_ttl_us = chance(w, 30) ? some_delay(w) : 0;
}

static void some_ack(struct world *w, struct rv_ack *ack, const struct lease *lease)
{
	ack->job = lease->job;
	ack->fence = chance(w, 3) ? lease->fence + below(w, 3) - 1 : lease->fence;
	ack->outcome = chance(w, 2) ? below(w, 12) - 2 : below(w, RV_OUTCOME_CRASHED + 1);
	if (chance(w, 30))
		ack->outcome = RV_OUTCOME_SUCCEEDED;
	ack->exit_code = below(w, 4) - 1;
	ack->signo = below(w, 2) * 9;
	ack->retry_us = some_delay(w);
	ack->started_us = chance(w, 70) ? w->clock.wall_us - below(w, 1000) : 0;
	ack->ended_us = chance(w, 80) ? w->clock.wall_us : 0;
	ack->user_us = below(w, 4) ? below(w, 1000) : -1;
	ack->sys_us = below(w, 2) ? below(w, 1000) : -1;
	ack->maxrss_bytes = below(w, 1000);
	if (chance(w, 50))
		(void)snprintf(ack->error, sizeof ack->error, "error %d", below(w, 100));
}

static void ask_turn(struct world *w, struct rv_req *req)
{
	struct rv_req_turn *t = &req->u.turn;
	int nacks = chance(w, 60) ? below(w, 4) : 0;

	t->incarnation = some_worker(w);
	for (size_t i = w->nleases; i-- > 0 && t->nacks < (uint32_t)nacks;)
		if (w->leases[i].who == t->incarnation ? chance(w, 70) : chance(w, 1))
			some_ack(w, &t->acks[t->nacks++], &w->leases[i]);
	if (chance(w, 75)) {
		t->want =
			chance(w, 5) ? (uint32_t)below(w, RV_TURN_MAX + 2) : (uint32_t)below(w, 4);
		t->prefetch = chance(w, 40);
		t->children = chance(w, 10);
		t->nqueues = (uint32_t)below(w, 5);
		for (uint32_t q = 0; q < t->nqueues; q++)
			put(t->queues[q], RV_NAME_MAX,
			    chance(w, 3) ? "nosuch" : queues[below(w, 3)]);
	}
}

static void ask_join(struct world *w, struct rv_req *req)
{
	struct rv_req_join *j = &req->u.join;

	j->incarnation = chance(w, 85) ? w->start << 32 | ++w->next_worker : some_worker(w);
	j->pid = 2147480000;
	j->start_ticks = 5;
	if (chance(w, 50))
		(void)snprintf(j->name, sizeof j->name, "crew/%d", (int)below(w, 9));
	j->slot = (int)(j->incarnation % 8); /* the place of a life never changes */
	put(j->pool, sizeof j->pool, j->slot == 0 ? "" : "default");
	(void)snprintf(j->boot_id, sizeof j->boot_id, "boot-%d", w->boot - (int)chance(w, 3));
	j->beat_deadline_us = w->clock.mono_us + below(w, 60) * RV_S_US;
}

static void ask_expire(struct world *w, struct rv_req *req)
{
	struct rv_req_expire *e = &req->u.expire;

	e->count = (uint32_t)below(w, 3);
	for (uint32_t i = 0; i < e->count; i++) {
		e->who[i].incarnation = some_worker(w);
		e->who[i].died = below(w, 4);
		for (size_t l = w->nleases; l-- > 0 && !e->who[i].started_fence;)
			if (w->leases[l].who == e->who[i].incarnation && chance(w, 40))
				e->who[i].started_fence = w->leases[l].fence;
		e->who[i].user_us = below(w, 1000);
		e->who[i].maxrss_bytes = below(w, 1000);
		if (chance(w, 80))
			put(e->who[i].words, sizeof e->who[i].words, "killed by signal 9");
	}
	if (chance(w, 10))
		e->all_below = w->start << 32 | 5;
	if (chance(w, 20))
		e->overdue_us = w->clock.mono_us;
}

static void ask_beats(struct world *w, struct rv_req *req)
{
	req->u.beats.deadline_us = w->clock.mono_us + 30 * RV_S_US;
	req->u.beats.count = (uint32_t)below(w, 6);
	for (uint32_t i = 0; i < req->u.beats.count; i++)
		req->u.beats.incarnations[i] = some_worker(w);
}

void mirror_request(struct rv_req *req)
{
	static const struct rv_queue_def defs[] = {
		{.name = "default", .strategy = RV_STRATEGY_FIFO},
		{.name = "bulk", .strategy = RV_STRATEGY_FIFO},
		{.name = "prio", .strategy = RV_STRATEGY_PRIORITY}};
	static const struct rv_task_def known[] = {
		{.name = "t",
		 .queue = "default",
		 .max_attempts = 3,
		 .max_crashes = 2,
		 .timeout_us = 5},
		{.name = "once", .queue = "bulk", .max_attempts = 1, .max_crashes = 1},
		{.name = "frail", .queue = "default", .max_attempts = 2, .max_crashes = 0},
		{.name = "ranked", .queue = "prio", .max_attempts = 2, .max_crashes = 2}};

	req->kind = RV_REQ_MIRROR;
	req->u.mirror = (struct rv_req_mirror){.tasks = known,
					       .ntasks = RV_ARRAY_LEN(known),
					       .queues = defs,
					       .nqueues = RV_ARRAY_LEN(defs)};
}

static struct rv_rate some_rate(struct world *w)
{
	static const int64_t times[] = {1, RV_MS_US, RV_S_US, 60 * RV_S_US};

	if (chance(w, 60))
		return (struct rv_rate){0};
	return (struct rv_rate){1 + below(w, 4), times[below(w, 4)]};
}

static struct rv_limits some_limits(struct world *w)
{
	struct rv_limits limits = {.rate = some_rate(w), .key_rate = some_rate(w)};

	if (chance(w, 50))
		limits.concurrency = below(w, 5);
	if (chance(w, 50))
		limits.key_concurrency = below(w, 3);
	return limits;
}

/* Limits of everything; half of the time none at all. */
static void limit_all(struct world *w, struct rv_req_mirror *mirror)
{
	static const char *const takes[] = {"", "gpu", "gpu:2,db:1", "db:3"};
	bool free = chance(w, 40);

	memcpy(w->tasks, mirror->tasks, mirror->ntasks * sizeof w->tasks[0]);
	for (size_t i = 0; i < mirror->ntasks && !free; i++) {
		if (chance(w, 50))
			w->tasks[i].limits = some_limits(w);
		put(w->tasks[i].takes, sizeof w->tasks[i].takes,
		    takes[chance(w, 40) ? below(w, 4) : 0]);
	}
	mirror->tasks = w->tasks;
	w->turned.limits = free ? (struct rv_limits){0} : some_limits(w);
	for (size_t i = 0; i < 2 && chance(w, 90); i++) {
		put(w->resources[i].name, RV_NAME_MAX, i ? "gpu" : "db");
		w->resources[i].count = 1 + below(w, 4);
		mirror->nresources = i + 1;
	}
	mirror->resources = w->resources;
}

static const char *const schedules[] = {"hourly", "nightly", "often", "party"};

/* Any of them, now and then nonsense. */
static struct rv_schedule_def some_schedule(struct world *w, const char *name)
{
	struct rv_schedule_def def = {
		.name = name,
		.cron = chance(w, 70)   ? "0 * * * *"
			: chance(w, 95) ? "every 5s"
					: "0 0 30 2 *",
		.timezone = "UTC",
		.task = chance(w, 5) ? "tt" : tasks[below(w, 4)],
		.queue = chance(w, 30) ? queues[below(w, 3)] : NULL,
		.spec = chance(w, 50) ? "{\"args\":{}}" : NULL,
		.priority = below(w, 3) - 1,
		.jitter_us = chance(w, 20) ? RV_S_US : 0,
		.catch_up = below(w, 4) - 2,
		.overlap = (enum rv_overlap)below(w, 4),
		.off = chance(w, 10),
	};

	return def;
}

static void ask_schedule(struct world *w, struct rv_req *req)
{
	struct rv_req_schedule *s = &req->u.schedule;

	s->what = chance(w, 40) ? RV_SCHEDULE_ADD : below(w, RV_SCHEDULE_DOS);
	s->name = chance(w, 3) ? "nosuch" : schedules[below(w, 4)];
	w->schedule = some_schedule(w, s->name);
	w->schedule.off = false;
	if (chance(w, 3))
		w->schedule.queue = "prioo";
	s->def = &w->schedule;
}

/* A few slots only, so that some come again after a schedule was begun anew. */
static int64_t some_slot(struct world *w)
{
	return (w->clock.wall_us / RV_S_US - below(w, 4)) * RV_S_US;
}

static void ask_fire(struct world *w, struct rv_req *req)
{
	struct rv_req_fire *fire = &req->u.fire;
	struct rv_schedule_view view;
	const char *name = chance(w, 3) ? "nosuch" : schedules[below(w, 4)];

	put(fire->schedule, sizeof fire->schedule, name);
	fire->uid = 9;
	if (chance(w, 25) || rv_store_schedule(w->side[0].store, name, &view) != RV_OK)
		return;
	fire->id = view.id + (int)chance(w, 3);
	fire->since_us = view.since_us + (int)chance(w, 3);
	fire->seen_us = view.next_us + (int)chance(w, 3);
	if (chance(w, 80))
		fire->slot_us = some_slot(w);
	if (chance(w, 30)) {
		fire->missed_us = some_slot(w) - 10 * RV_S_US;
		fire->missed = 1 + below(w, 5);
	}
	fire->next_us = chance(w, 90) ? w->clock.wall_us + some_delay(w) : 0;
	fire->due_us = fire->next_us ? fire->next_us + 1 : 0;
}

static void ask_cron(struct world *w, struct rv_req *req)
{
	if (req->kind == RV_REQ_SCHEDULE)
		ask_schedule(w, req);
	else
		ask_fire(w, req);
}

/* One queue gets another strategy; TIDY, in batches of any size, does the rest. */
static void ask_mirror(struct world *w, struct rv_req *req)
{
	struct rv_queue_def *queue = &w->turned;

	mirror_request(req);
	*queue = (struct rv_queue_def){.strategy = (enum rv_strategy)below(w, 6)};
	put(queue->name, sizeof queue->name, queues[below(w, 3)]);
	if (chance(w, 30))
		queue->aging_us = below(w, 3) * RV_S_US;
	if (chance(w, 50))
		queue->max = 1 + below(w, 25);
	queue->on_full = (enum rv_on_full)below(w, 3);
	limit_all(w, &req->u.mirror);
	req->u.mirror.queues = queue;
	req->u.mirror.nqueues = 1;
	req->u.mirror.schedules = w->schedules;
	for (size_t i = 0; i < RV_ARRAY_LEN(schedules); i++)
		if (chance(w, 50))
			w->schedules[req->u.mirror.nschedules++] = some_schedule(w, schedules[i]);
}

void raise_request(struct world *w, struct rv_req *req)
{
	struct rv_req_raise *r = &req->u.raise;

	req->kind = RV_REQ_RAISE;
	w->start++;
	if (chance(w, 50))
		w->boot++;
	r->pid = 2147480001;
	r->start_ticks = 6;
	(void)snprintf(r->boot_id, sizeof r->boot_id, "boot-%d", w->boot);
	(void)snprintf(r->runtime_dir, sizeof r->runtime_dir, "/run/%d", below(w, 9));
	r->area = w->start;
	r->incarnation_base = w->start << 32;
}

/* Mostly of a lease that was given out, live or not. */
static void ask_told(struct world *w, struct rv_req *req)
{
	static const char data[] = "some result";
	const struct lease none = {.job = some_job(w), .fence = 1};
	const struct lease *lease = w->nleases > 0 ? &w->leases[below(w, (int)w->nleases)] : &none;

	if (req->kind == RV_REQ_PROGRESS) {
		req->u.progress = (struct rv_req_progress){.incarnation = lease->who,
							   .job = lease->job,
							   .fence = lease->fence,
							   .percent = below(w, 104) - 2};
		if (chance(w, 60))
			put(req->u.progress.message, RV_MESSAGE_MAX, "on its way");
	} else {
		req->u.result = (struct rv_req_result){.incarnation = lease->who,
						       .job = lease->job,
						       .fence = lease->fence,
						       .data = data,
						       .size = (size_t)below(w, sizeof data)};
	}
}

/* Mostly any. */
static unsigned some_states(struct world *w)
{
	return chance(w, 20) ? (unsigned)below(w, 1 << RV_JOB_STATES) : 0;
}

static void ask_waiter(struct world *w, struct rv_req *req)
{
	req->u.waiter.job = chance(w, 20)   ? RV_WAITER_FOLLOWS
			    : chance(w, 30) ? -some_batch(w)
					    : some_job(w);
	req->u.waiter.expires_us = chance(w, 20) ? 0 : w->clock.wall_us + some_delay(w);
	(void)snprintf(req->u.waiter.path, sizeof req->u.waiter.path, "/run/w%d", below(w, 5));
	if (req->u.waiter.expires_us > 0 && chance(w, 50)) {
		req->u.waiter.room = chance(w, 60) ? 1 : below(w, 6);
		put(req->u.waiter.queue, RV_NAME_MAX, chance(w, 5) ? "prioo" : queues[below(w, 3)]);
	}
}

static void ask_small(struct world *w, struct rv_req *req)
{
	switch (req->kind) {
	case RV_REQ_LEAVE:
		req->u.leave.incarnation = some_worker(w);
		break;
	case RV_REQ_PROMOTE:
		req->u.promote.limit = (uint32_t)below(w, 12);
		req->u.promote.sweep = (uint32_t)below(w, 6);
		break;
	case RV_REQ_PROGRESS:
	case RV_REQ_RESULT:
		ask_told(w, req);
		break;
	case RV_REQ_LEND:
		ask_lend(w, req);
		break;
	case RV_REQ_TIDY:
		req->u.tidy.limit = (uint32_t)below(w, 12);
		break;
	case RV_REQ_CANCEL:
		req->u.cancel.job = some_job(w);
		req->u.cancel.only = some_states(w);
		break;
	case RV_REQ_RETRY:
		req->u.retry.job = some_job(w);
		req->u.retry.only = some_states(w);
		break;
	case RV_REQ_DELETE:
		req->u.remove.job = some_job(w);
		req->u.remove.only = some_states(w);
		break;
	case RV_REQ_PAUSE:
		put(req->u.pause.queue, RV_NAME_MAX, chance(w, 5) ? "prioo" : queues[below(w, 3)]);
		req->u.pause.paused = chance(w, 30) ? below(w, RV_QUEUE_GATES + 1) : 0;
		break;
	case RV_REQ_HOLD:
		req->u.hold.job = some_job(w);
		req->u.hold.held = chance(w, 55);
		req->u.hold.only = some_states(w);
		break;
	case RV_REQ_EDIT:
		req->u.edit.job = some_job(w);
		req->u.edit.priority = chance(w, 50) ? below(w, 4) : -1 - (int)chance(w, 5);
		req->u.edit.max_attempts = chance(w, 40) ? below(w, 5) : 0;
		req->u.edit.run_at_us =
			chance(w, 40) ? w->clock.wall_us + some_delay(w) - RV_MS_US : 0;
		break;
	case RV_REQ_CLOSE:
		req->u.close.batch = some_batch(w);
		break;
	case RV_REQ_DROP_BATCH:
		req->u.drop_batch.batch = some_batch(w);
		break;
	default:
		ask_waiter(w, req);
		break;
	}
}

static const unsigned char weights[RV_REQ_KINDS] = {
	[RV_REQ_ENQUEUE] = 22, [RV_REQ_TURN] = 35,      [RV_REQ_JOIN] = 8,
	[RV_REQ_LEAVE] = 2,    [RV_REQ_EXPIRE] = 5,     [RV_REQ_PROMOTE] = 6,
	[RV_REQ_BEATS] = 2,    [RV_REQ_MIRROR] = 2,     [RV_REQ_RAISE] = 1,
	[RV_REQ_TIDY] = 5,     [RV_REQ_PROGRESS] = 6,   [RV_REQ_RESULT] = 4,
	[RV_REQ_CANCEL] = 8,   [RV_REQ_RETRY] = 8,      [RV_REQ_DELETE] = 12,
	[RV_REQ_PAUSE] = 2,    [RV_REQ_WAITER] = 4,     [RV_REQ_HOLD] = 8,
	[RV_REQ_EDIT] = 8,     [RV_REQ_NEW_BATCH] = 2,  [RV_REQ_CLOSE] = 4,
	[RV_REQ_LEND] = 14,    [RV_REQ_DROP_BATCH] = 2, [RV_REQ_SCHEDULE] = 3,
	[RV_REQ_FIRE] = 8,
};

void choose(struct world *w, struct rv_req *req)
{
	int all = 0;
	int n;

	memset(req, 0, sizeof *req);
	for (int i = 0; i < RV_REQ_KINDS; i++)
		all += weights[i];
	n = below(w, all);
	for (req->kind = 0; n >= weights[req->kind]; req->kind++)
		n -= weights[req->kind];
	if (w->eager > 0)
		req->kind = w->eager-- % 2 == 0 ? RV_REQ_ENQUEUE : RV_REQ_TURN;
	if (w->nworkers < 3 && chance(w, 40))
		req->kind = RV_REQ_JOIN;
	if (w->njobs > 120 && chance(w, 40)) { /* the oracle copies everything: keep it small */
		req->kind = chance(w, 50) ? RV_REQ_CANCEL : RV_REQ_DELETE;
		req->u.remove.job = req->u.cancel.job = w->jobs[below(w, 60)];
		return;
	}
	switch (req->kind) {
	case RV_REQ_ENQUEUE:
		ask_enqueue(w, req);
		break;
	case RV_REQ_TURN:
		ask_turn(w, req);
		break;
	case RV_REQ_JOIN:
		ask_join(w, req);
		break;
	case RV_REQ_EXPIRE:
		ask_expire(w, req);
		break;
	case RV_REQ_BEATS:
		ask_beats(w, req);
		break;
	case RV_REQ_MIRROR:
		ask_mirror(w, req);
		break;
	case RV_REQ_RAISE:
		raise_request(w, req);
		break;
	case RV_REQ_NEW_BATCH:
		ask_new_batch(w, req);
		break;
	case RV_REQ_SCHEDULE:
	case RV_REQ_FIRE:
		ask_cron(w, req);
		break;
	default:
		ask_small(w, req);
		break;
	}
}
