/* Schedules: a slot fires once, and moves its schedule on in the same transaction. */
#include "fixture.h"

#include "store/schedule.h"

static struct rv_schedule_def hourly(void)
{
	return (struct rv_schedule_def){.name = "hourly",
					.cron = "0 * * * *",
					.timezone = "UTC",
					.task = "t",
					.priority = -1,
					.catch_up = RV_CATCH_UP_LAST,
					.overlap = RV_OVERLAP_ALLOW};
}

static int tell(struct fixture *f, enum rv_schedule_do what, const char *name,
		const struct rv_schedule_def *def)
{
	f->req.u.schedule =
		(struct rv_req_schedule){.what = (int32_t)what, .name = name, .def = def};
	return ask_kind(f, RV_REQ_SCHEDULE);
}

static void add_schedule(struct fixture *f, enum rv_overlap overlap)
{
	struct rv_schedule_def def = hourly();

	def.overlap = overlap;
	ERR(tell(f, RV_SCHEDULE_ADD, NULL, &def), RV_OK);
}

static struct rv_schedule_view look(struct fixture *f, const char *name)
{
	struct rv_schedule_view view;

	ERR(rv_store_schedule(f->store, name, &view), RV_OK);
	return view;
}

/* As the keeper does it, from what it sees now. */
static struct rv_req_fire *planned(struct fixture *f, int64_t slot_us, int64_t next_us)
{
	struct rv_schedule_view view = look(f, "hourly");
	struct rv_req_fire *fire = &f->req.u.fire;

	memset(&f->req.u, 0, sizeof f->req.u);
	(void)snprintf(fire->schedule, sizeof fire->schedule, "hourly");
	fire->id = view.id;
	fire->since_us = view.since_us;
	fire->seen_us = view.next_us;
	fire->slot_us = slot_us;
	fire->next_us = next_us;
	fire->due_us = next_us;
	fire->uid = 77;
	return fire;
}

static int64_t fire(struct fixture *f, int64_t slot_us)
{
	(void)planned(f, slot_us, slot_us + S(3600));
	ERR(ask_kind(f, RV_REQ_FIRE), RV_OK);
	return f->req.u.fire.job;
}

static int by_hand(struct fixture *f, const char *name)
{
	memset(&f->req.u, 0, sizeof f->req.u);
	(void)snprintf(f->req.u.fire.schedule, sizeof f->req.u.fire.schedule, "%s", name);
	return ask_kind(f, RV_REQ_FIRE);
}

struct list {
	struct rv_firing_view items[16];
	char error[128]; /* of the newest; a view's texts are borrowed */
	size_t n;
};

static int collect(void *ctx, const struct rv_firing_view *view)
{
	struct list *list = ctx;

	if (list->n < RV_ARRAY_LEN(list->items))
		list->items[list->n] = *view;
	if (list->n == 0)
		(void)snprintf(list->error, sizeof list->error, "%s",
			       view->error ? view->error : "");
	list->n++;
	return RV_OK;
}

static struct list history(struct fixture *f)
{
	struct list list = {.n = 0};

	ERR(rv_store_firings(f->store, "hourly", 0, collect, &list), RV_OK);
	return list;
}

CONTRACT(schedule, keeps_what_was_said)
{
	struct rv_schedule_def def = hourly();
	struct rv_schedule_view v;

	def.queue = "bulk";
	def.spec = "{\"args\":{\"a\":\"1\"}}";
	def.priority = 7;
	def.jitter_us = S(5);
	def.catch_up = S(60);
	def.overlap = RV_OVERLAP_QUEUE;
	ERR(tell(f, RV_SCHEDULE_ADD, NULL, &def), RV_OK);
	TEXT(rings(f), "S;");
	v = look(f, "hourly");
	TEXT(v.def.name, "hourly");
	TEXT(v.def.cron, "0 * * * *");
	TEXT(v.def.timezone, "UTC");
	TEXT(v.def.task, "t");
	TEXT(v.def.queue, "bulk");
	TEXT(v.def.spec, "{\"args\":{\"a\":\"1\"}}");
	IS(v.def.priority, 7);
	IS(v.def.jitter_us, S(5));
	IS(v.def.catch_up, S(60));
	IS(v.def.overlap, RV_OVERLAP_QUEUE);
	IS(v.conf, false);
	IS(v.since_us, START_US);
	IS(v.next_us, 0);
	IS(v.due_us, RV_DUE_PLAN);
	IS(v.last_job, 0);
	ERR(rv_store_schedule(f->store, "other", &v), RV_E_NOTFOUND);
}

CONTRACT(schedule, who_refuses_one)
{
	struct rv_schedule_def def = hourly();

	def.task = "urgnet";
	ERR(tell(f, RV_SCHEDULE_ADD, NULL, &def), RV_E_NOTFOUND);
	HAS(f->why.text, "did you mean \"urgent\"");
	def = hourly();
	def.queue = "blk";
	ERR(tell(f, RV_SCHEDULE_ADD, NULL, &def), RV_E_NOTFOUND);
	def = hourly();
	def.cron = "0 25 * * *";
	ERR(tell(f, RV_SCHEDULE_ADD, NULL, &def), RV_E_USAGE);
	HAS(f->why.text, "hour: 25");
	def = hourly();
	def.name = "a b";
	ERR(tell(f, RV_SCHEDULE_ADD, NULL, &def), RV_E_USAGE);
	def = hourly();
	def.timezone = "../x";
	ERR(tell(f, RV_SCHEDULE_ADD, NULL, &def), RV_E_USAGE);
	def = hourly();
	def.priority = 70000;
	ERR(tell(f, RV_SCHEDULE_ADD, NULL, &def), RV_E_USAGE);
	add_schedule(f, RV_OVERLAP_ALLOW);
	def = hourly();
	ERR(tell(f, RV_SCHEDULE_ADD, NULL, &def), RV_E_CONFLICT);
	HAS(f->why.text, "there is a schedule \"hourly\" already");
	ERR(tell(f, RV_SCHEDULE_REMOVE, "hurly", NULL), RV_E_NOTFOUND);
	ERR(tell(f, RV_SCHEDULE_PAUSE, "hurly", NULL), RV_E_NOTFOUND);
	ERR(by_hand(f, "hurly"), RV_E_NOTFOUND);
}

CONTRACT(schedule, a_slot_becomes_a_job_and_the_schedule_moves_on)
{
	struct rv_schedule_view v;
	struct list list;
	int64_t id;

	add_schedule(f, RV_OVERLAP_ALLOW);
	(void)planned(f, 0, START_US + S(3600)); /* its first slot */
	ERR(ask_kind(f, RV_REQ_FIRE), RV_OK);
	IS(f->req.u.fire.became, RV_FIREDS);
	v = look(f, "hourly");
	IS(v.next_us, START_US + S(3600));
	IS(v.due_us, START_US + S(3600));
	IS(v.fired, 0);
	tick(f, S(3600));
	id = fire(f, START_US + S(3600));
	IS(f->req.u.fire.became, RV_FIRED_JOB);
	TEXT(rings(f), "Q default;");
	STATE(id, "ready");
	TEXT(see(f, id)->meta,
	     "{\"schedule\":\"hourly\",\"slot\":\"2027-01-15T09:00:00.000000Z\"}");
	IS(see(f, id)->uid, 77);
	v = look(f, "hourly");
	IS(v.next_us, START_US + S(7200));
	IS(v.last_us, START_US + S(3600));
	IS(v.last_job, id);
	IS(v.fired, 1);
	list = history(f);
	IS(list.n, 1);
	IS(list.items[0].slot_us, START_US + S(3600));
	IS(list.items[0].job, id);
	IS(list.items[0].became, RV_FIRED_JOB);
	IS(list.items[0].by_person, false);
	run(f, id, RV_OUTCOME_SUCCEEDED);
}

/* Two keepers have planned the same: one of them comes too late, and nothing is left of it. */
CONTRACT(schedule, a_slot_fires_once)
{
	struct rv_req late;
	struct rv_schedule_view before;

	add_schedule(f, RV_OVERLAP_ALLOW);
	(void)planned(f, START_US, START_US + S(3600));
	f->req.kind = RV_REQ_FIRE;
	late = f->req;
	ERR(ask(f, &late), RV_OK);
	before = look(f, "hourly");
	ERR(ask(f, &late), RV_E_STALE);
	IS(look(f, "hourly").fired, before.fired);
	IS(history(f).n, 1);
	IS(count_of(f, "default", RV_JOB_READY), 1);
	/* as if it had been begun anew meanwhile */
	late.u.fire.seen_us = before.next_us;
	late.u.fire.since_us++;
	ERR(ask(f, &late), RV_E_STALE);
	late.u.fire.since_us--;
	late.u.fire.id++;
	ERR(ask(f, &late), RV_E_STALE);
	/* the clock was set back: what has fired is not fired again, but the schedule moves on */
	late.u.fire.id--;
	late.u.fire.next_us = START_US + S(7200);
	ERR(ask(f, &late), RV_OK);
	IS(f->req.u.fire.became, RV_FIREDS);
	IS(look(f, "hourly").fired, 1);
	IS(look(f, "hourly").next_us, START_US + S(7200));
	IS(count_of(f, "default", RV_JOB_READY), 1);
}

CONTRACT(schedule, what_was_missed_is_noted)
{
	struct rv_req_fire *plan;
	struct list list;

	add_schedule(f, RV_OVERLAP_ALLOW);
	tick(f, S(5 * 3600));
	plan = planned(f, START_US + S(5 * 3600), START_US + S(6 * 3600));
	plan->missed_us = START_US + S(3600);
	plan->missed = 4;
	ERR(ask_kind(f, RV_REQ_FIRE), RV_OK);
	IS(look(f, "hourly").missed, 4);
	IS(look(f, "hourly").fired, 1);
	list = history(f);
	IS(list.n, 2);
	IS(list.items[0].became, RV_FIRED_JOB);
	IS(list.items[1].became, RV_FIRED_MISSED);
	IS(list.items[1].slot_us, START_US + S(3600));
	IS(list.items[1].missed, 4);
	IS(list.items[1].job, 0);
}

CONTRACT(schedule, overlap_skip)
{
	int64_t first;

	add_schedule(f, RV_OVERLAP_SKIP);
	first = fire(f, START_US);
	IS(fire(f, START_US + S(3600)), first);
	IS(f->req.u.fire.became, RV_FIRED_SKIPPED);
	IS(look(f, "hourly").skipped, 1);
	IS(look(f, "hourly").last_job, first);
	IS(history(f).items[0].became, RV_FIRED_SKIPPED);
	IS(history(f).items[0].job, first);
	ERR(by_hand(f, "hourly"), RV_E_CONFLICT);
	HAS(f->why.text, "its job 1 has not ended");
	run(f, first, RV_OUTCOME_SUCCEEDED);
	IS(fire(f, START_US + S(7200)), first + 1);
	IS(f->req.u.fire.became, RV_FIRED_JOB);
}

CONTRACT(schedule, overlap_queue)
{
	int64_t a;
	int64_t b;
	int64_t c;

	add_schedule(f, RV_OVERLAP_QUEUE);
	a = fire(f, START_US);
	b = fire(f, START_US + S(3600));
	c = fire(f, START_US + S(7200));
	STATE(a, "ready");
	STATE(b, "blocked");
	STATE(c, "blocked");
	run(f, a, RV_OUTCOME_FATAL); /* whatever becomes of it */
	STATE(b, "ready");
	STATE(c, "blocked");
	ERR(cancel(f, b), RV_OK);
	STATE(c, "ready");
}

CONTRACT(schedule, overlap_replace)
{
	int64_t a;
	int64_t b;
	int64_t c;
	int64_t fence;

	add_schedule(f, RV_OVERLAP_REPLACE);
	a = fire(f, START_US);
	b = fire(f, START_US + S(3600));
	STATE(a, "cancelled");
	TEXT(see(f, a)->error, "replaced by job 2");
	STATE(b, "ready");
	fence = claim(f, W1, b);
	c = fire(f, START_US + S(7200));
	STATE(b, "running");
	IS(see(f, b)->cancel_requested, true);
	STATE(c, "blocked");
	ERR(ack(f, W1, b, fence, RV_OUTCOME_CANCELLED), RV_OK);
	STATE(b, "cancelled");
	STATE(c, "ready");
}

CONTRACT(schedule, overlap_allow)
{
	add_schedule(f, RV_OVERLAP_ALLOW);
	STATE(fire(f, START_US), "ready");
	STATE(fire(f, START_US + S(3600)), "ready");
}

/* What is wrong with the job is what became of the slot: it does not come again and again. */
CONTRACT(schedule, a_slot_that_is_refused_is_over)
{
	static const struct rv_queue_def full = {
		.name = "default", .strategy = RV_STRATEGY_FIFO, .max = 1};
	static const struct rv_task_def t = {
		.name = "t", .queue = "default", .max_attempts = 3, .timeout_us = 5};
	struct list list;
	int64_t job;

	add_schedule(f, RV_OVERLAP_ALLOW);
	f->req.u.mirror =
		(struct rv_req_mirror){.tasks = &t, .ntasks = 1, .queues = &full, .nqueues = 1};
	ERR(ask_kind(f, RV_REQ_MIRROR), RV_OK);
	job = fire(f, START_US);
	IS(fire(f, START_US + S(3600)), 0);
	IS(f->req.u.fire.became, RV_FIRED_REFUSED);
	HAS(f->req.u.fire.error, "default");
	IS(look(f, "hourly").refused, 1);
	IS(look(f, "hourly").next_us, START_US + S(7200));
	IS(look(f, "hourly").last_job, job);
	list = history(f);
	IS(list.items[0].became, RV_FIRED_REFUSED);
	HAS(list.error, "default");
	ERR(by_hand(f, "hourly"), RV_E_FULL);
	run(f, job, RV_OUTCOME_SUCCEEDED);
	/* its task is gone from the configuration */
	f->req.u.mirror = (struct rv_req_mirror){.queues = &full, .nqueues = 1};
	ERR(ask_kind(f, RV_REQ_MIRROR), RV_OK);
	IS(fire(f, START_US + S(7200)), 0);
	HAS(f->req.u.fire.error, "no such task \"t\"");
	ERR(by_hand(f, "hourly"), RV_E_NOTFOUND);
	IS(history(f).n, 3);
	IS(count_of(f, "default", RV_JOB_READY), 0);
}

CONTRACT(schedule, by_hand_it_fires_now_and_its_slots_stay)
{
	struct rv_schedule_view v;
	int64_t id;

	add_schedule(f, RV_OVERLAP_ALLOW);
	(void)planned(f, 0, START_US + S(3600));
	ERR(ask_kind(f, RV_REQ_FIRE), RV_OK);
	ERR(by_hand(f, "hourly"), RV_OK);
	id = f->req.u.fire.job;
	TEXT(see(f, id)->meta, "{\"schedule\":\"hourly\",\"slot\":\"2027-01-15T08:00:00.000000Z\","
			       "\"by\":\"hand\"}");
	ERR(by_hand(f, "hourly"), RV_OK); /* at the same microsecond */
	v = look(f, "hourly");
	IS(v.next_us, START_US + S(3600));
	IS(v.fired, 2);
	IS(v.last_job, id + 1);
	IS(history(f).n, 2);
	IS(history(f).items[0].by_person, true);
	IS(history(f).items[0].slot_us, START_US + 1);
	IS(history(f).items[1].slot_us, START_US);
}

CONTRACT(schedule, paused_it_does_not_fire)
{
	struct rv_req late;

	add_schedule(f, RV_OVERLAP_ALLOW);
	(void)planned(f, START_US, START_US + S(3600));
	f->req.kind = RV_REQ_FIRE;
	late = f->req;
	ERR(tell(f, RV_SCHEDULE_PAUSE, "hourly", NULL), RV_OK);
	IS(look(f, "hourly").paused, true);
	IS(look(f, "hourly").due_us, RV_DUE_NEVER);
	ERR(ask(f, &late), RV_E_STALE);
	ERR(by_hand(f, "hourly"), RV_OK);
	ERR(tell(f, RV_SCHEDULE_PAUSE, "hourly", NULL), RV_OK);
	tick(f, S(10));
	ERR(tell(f, RV_SCHEDULE_RESUME, "hourly", NULL), RV_OK);
	IS(look(f, "hourly").paused, false);
	IS(look(f, "hourly").since_us, START_US + S(10)); /* what was in between was not missed */
	IS(look(f, "hourly").due_us, RV_DUE_PLAN);
	ERR(ask(f, &late), RV_E_STALE);
}

static int mirror(struct fixture *f, const struct rv_schedule_def *defs, size_t n)
{
	static const struct rv_task_def t = {
		.name = "t", .queue = "default", .max_attempts = 3, .timeout_us = 5};

	f->req.u.mirror = (struct rv_req_mirror){
		.tasks = &t, .ntasks = 1, .schedules = defs, .nschedules = n};
	return ask_kind(f, RV_REQ_MIRROR);
}

static int note_name(void *ctx, const struct rv_schedule_view *view)
{
	char *names = ctx;
	size_t size = strlen(names);

	(void)snprintf(names + size, 64 - size, "%s;", view->def.name);
	return RV_OK;
}

CONTRACT(schedule, those_of_the_configuration)
{
	struct rv_schedule_def defs[2] = {hourly(), hourly()};
	struct rv_schedule_view v;
	char names[64] = "";

	add_schedule(f, RV_OVERLAP_ALLOW);
	defs[1].name = "early";
	ERR(mirror(f, defs, 2), RV_OK);
	IS(look(f, "hourly").conf, true);
	(void)planned(f, START_US, START_US + S(3600));
	ERR(ask_kind(f, RV_REQ_FIRE), RV_OK);
	tick(f, S(60));
	/* what does not change when it fires leaves its slots alone */
	defs[0].overlap = RV_OVERLAP_SKIP;
	defs[0].catch_up = RV_CATCH_UP_ALL;
	defs[0].spec = "{\"args\":{\"x\":\"y\"}}";
	ERR(mirror(f, defs, 2), RV_OK);
	v = look(f, "hourly");
	IS(v.next_us, START_US + S(3600));
	IS(v.def.overlap, RV_OVERLAP_SKIP);
	TEXT(v.def.spec, "{\"args\":{\"x\":\"y\"}}");
	/* what does begins anew */
	defs[0].cron = "30 * * * *";
	ERR(mirror(f, defs, 2), RV_OK);
	v = look(f, "hourly");
	IS(v.next_us, 0);
	IS(v.since_us, START_US + S(60));
	IS(v.due_us, RV_DUE_PLAN);
	IS(v.fired, 1);
	ERR(tell(f, RV_SCHEDULE_REMOVE, "hourly", NULL), RV_E_CONFLICT);
	HAS(f->why.text, "is in the configuration");
	defs[0].off = true;
	ERR(mirror(f, defs, 2), RV_OK);
	IS(look(f, "hourly").due_us, RV_DUE_NEVER);
	defs[0].off = false;
	ERR(tell(f, RV_SCHEDULE_PAUSE, "hourly", NULL), RV_OK);
	ERR(mirror(f, defs, 2), RV_OK); /* a pause outlives the configuration */
	IS(look(f, "hourly").due_us, RV_DUE_NEVER);
	ERR(rv_store_schedules(f->store, note_name, names), RV_OK);
	TEXT(names, "early;hourly;");
	ERR(mirror(f, defs + 1, 1), RV_OK);
	ERR(rv_store_schedule(f->store, "hourly", &v), RV_E_NOTFOUND);
	IS(history(f).n, 0);
}

CONTRACT(schedule, one_of_a_person_outlives_the_configuration_and_goes_with_its_history)
{
	struct rv_schedule_view v;
	int64_t first;

	add_schedule(f, RV_OVERLAP_ALLOW);
	first = look(f, "hourly").id;
	ERR(by_hand(f, "hourly"), RV_OK);
	ERR(mirror(f, NULL, 0), RV_OK);
	IS(look(f, "hourly").conf, false);
	ERR(tell(f, RV_SCHEDULE_REMOVE, "hourly", NULL), RV_OK);
	ERR(rv_store_schedule(f->store, "hourly", &v), RV_E_NOTFOUND);
	IS(history(f).n, 0);
	add_schedule(f, RV_OVERLAP_ALLOW);
	cr_assert(lt(i64, first, look(f, "hourly").id)); /* no plan for the old one fits it */
}

CONTRACT(schedule, the_first_that_is_due)
{
	struct rv_schedule_def def = hourly();
	struct rv_schedule_view v;

	ERR(rv_store_schedule_due(f->store, &v), RV_E_NOTFOUND);
	add_schedule(f, RV_OVERLAP_ALLOW);
	def.name = "alpha";
	ERR(tell(f, RV_SCHEDULE_ADD, NULL, &def), RV_OK);
	ERR(rv_store_schedule_due(f->store, &v), RV_OK);
	TEXT(v.def.name, "alpha");
	(void)planned(f, 0, START_US + S(3600));
	ERR(ask_kind(f, RV_REQ_FIRE), RV_OK);
	ERR(tell(f, RV_SCHEDULE_PAUSE, "alpha", NULL), RV_OK);
	ERR(rv_store_schedule_due(f->store, &v), RV_OK);
	TEXT(v.def.name, "hourly");
	IS(v.due_us, START_US + S(3600));
	(void)planned(f, START_US + S(3600), 0); /* the last one */
	ERR(ask_kind(f, RV_REQ_FIRE), RV_OK);
	ERR(rv_store_schedule_due(f->store, &v), RV_E_NOTFOUND);
	IS(look(f, "hourly").next_us, 0);
}

CONTRACT(schedule, history_is_kept_to_a_thousand)
{
	struct list list;

	add_schedule(f, RV_OVERLAP_SKIP); /* one job only */
	(void)fire(f, START_US);
	for (int i = 1; i < RV_FIRINGS_MAX + 5; i++)
		(void)fire(f, START_US + i * S(3600));
	list = history(f);
	IS(list.n, RV_FIRINGS_MAX);
	IS(list.items[0].slot_us, START_US + (RV_FIRINGS_MAX + 4) * S(3600));
	IS(look(f, "hourly").skipped, RV_FIRINGS_MAX + 4);
}
