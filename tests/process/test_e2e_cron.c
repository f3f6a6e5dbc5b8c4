/*
 * Schedules with a real daemon: each slot fires once, whoever is killed and however many keepers
 * there are; what comes of slots that nobody was there for; what a reload changes.
 */
#include "process/e2e.h"

#include "base/civil.h"
#include "base/seam.h"
#include "core/schedule.h"
#include "helpers/assert.h"
#include "helpers/wait.h"
#include "store/schedule.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POOL                                                                                       \
	"[pool:default]\nworkers = 2\nrestart_delay = 5ms\nrestart_delay_max = 20ms\n"             \
	"restart_burst = 1000/1s\n"
#define TICK    POOL "[schedule:tick]\ncron = every 1s\ntask = noop\noverlap = allow\ncatch_up = all\n"
#define LONG_MS 60000

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

static struct rv_schedule_view schedule(const char *name)
{
	struct rv_schedule_view view;
	int err = rv_store_schedule(rv_e2e_store(e), name, &view);

	RV_NEED(e, err == RV_OK, "schedule %s: %s", name, rv_err_text(err));
	return view;
}

struct awaited {
	const char *name;
	int64_t fired;
};

static bool has_fired(void *ctx)
{
	const struct awaited *awaited = ctx;

	return schedule(awaited->name).fired >= awaited->fired;
}

static void await_fired(const char *name, int64_t fired)
{
	struct awaited awaited = {name, fired};

	RV_NEED(e, rv_test_wait_until(has_fired, &awaited, LONG_MS),
		"%s fired %lld times, not %lld", name, (long long)schedule(name).fired,
		(long long)fired);
}

/* What came of the slots of a schedule, the oldest last. */
struct history {
	struct rv_firing_view items[256];
	char errors[256][80];
	size_t n;
};

static int note_firing(void *ctx, const struct rv_firing_view *view)
{
	struct history *history = ctx;
	size_t i = history->n++;

	RV_NEED(e, i < RV_ARRAY_LEN(history->items), "more slots than this test thought of");
	history->items[i] = *view;
	(void)snprintf(history->errors[i], sizeof history->errors[i], "%s",
		       view->error ? view->error : "");
	return RV_OK;
}

static const struct history *history(const char *name)
{
	static struct history history;

	history.n = 0;
	RV_NEED(e, rv_store_firings(rv_e2e_store(e), name, 0, note_firing, &history) == RV_OK,
		"the history of %s", name);
	return &history;
}

static int count_job(void *ctx, const struct rv_job_view *view)
{
	(void)view;
	++*(int64_t *)ctx;
	return RV_OK;
}

/* Every second from the first on became one job, and nothing else did. */
static void each_slot_once(const char *name)
{
	const struct history *all = history(name);
	struct rv_job_filter filter = {.state = -1, .task = "noop"};
	int64_t jobs = 0;

	for (size_t i = 0; i < all->n; i++) {
		cr_assert(eq(int, (int)all->items[i].became, (int)RV_FIRED_JOB));
		if (i > 0) {
			cr_assert(eq(i64, all->items[i - 1].slot_us - all->items[i].slot_us,
				     RV_S_US));
			cr_assert(lt(i64, all->items[i].job, all->items[i - 1].job));
		}
	}
	cr_assert(eq(int, rv_store_jobs(rv_e2e_store(e), &filter, count_job, &jobs), RV_OK));
	cr_assert(eq(i64, jobs, (int64_t)all->n));
	cr_assert(eq(i64, schedule(name).fired, jobs));
	cr_assert(eq(i64, schedule(name).missed, 0));
}

/* ---- killed */

static void fire_while(const char *fault)
{
	rv_e2e_new(e, TICK);
	if (fault)
		rv_e2e_env(e, "RV_FAULT=%s", fault);
	rv_e2e_start(e);
	await_fired("tick", 4);
	rv_e2e_stop(e);
	each_slot_once("tick");
	rv_e2e_fini(e);
}

/* Every keeper there is dies at the first slot that it has committed. */
Test(e2e_cron, a_keeper_that_dies_after_the_commit)
{
	fire_while("keeper_fired:kill:2:keeper");
}

/* Every keeper dies before its third one: what it has planned was not done. */
Test(e2e_cron, a_keeper_that_dies_before_it)
{
	fire_while("keeper_fire:kill:3:keeper");
}

Test(e2e_cron, a_commit_that_is_not_made)
{
	fire_while("keeper_fire:busy:2:keeper");
}

Test(e2e_cron, keeper_and_daemon_are_killed)
{
	uint64_t dice = 5;

	rv_e2e_new(e, TICK);
	for (int life = 1; life <= 3; life++) {
		rv_e2e_start(e);
		for (int kills = 0; kills < 3;) {
			await_fired("tick", (life - 1) * 3 + kills + 1);
			(void)rv_test_wait_text(rv_e2e_path(e, "jobs"), "no such line",
						(int64_t)rv_e2e_dice(&dice, 30));
			kills += rv_e2e_signal(e, 0, SIGKILL);
		}
		rv_e2e_kill(e);
	}
	rv_e2e_start(e);
	await_fired("tick", 10);
	rv_e2e_stop(e);
	each_slot_once("tick");
	rv_e2e_fini(e);
}

/* ---- a second keeper: this process */

static struct rv_store *writer;

static void open_writer(void)
{
	struct rv_store_open how = {.backend = "sqlite", .group = (gid_t)-1};
	struct rv_why why = {.text = ""};

	how.path = rv_e2e_path(e, "state/reeve.db");
	RV_NEED(e, rv_store_open(&how, &writer, &why) == RV_OK, "%s", why.text);
}

static int ask(struct rv_req *req)
{
	struct rv_why why = {.text = ""};
	int err = rv_store_do(writer, &req, 1, RV_DURABILITY_NORMAL, 10 * RV_S_US, &why);

	RV_NEED(e, err == RV_OK, "%s", why.text);
	return req->err;
}

/* What the keeper asks for, of a view and its plan. */
static int fire(const struct rv_schedule_view *view, const struct rv_schedule_plan *plan)
{
	static struct rv_req req;
	struct rv_req_fire *fire = &req.u.fire;

	memset(&req, 0, sizeof req);
	req.kind = RV_REQ_FIRE;
	(void)snprintf(fire->schedule, sizeof fire->schedule, "%s", view->def.name);
	fire->id = view->id;
	fire->since_us = view->since_us;
	fire->seen_us = view->next_us;
	fire->missed_us = plan->missed_us;
	fire->missed = plan->missed;
	fire->slot_us = plan->slot_us;
	fire->next_us = plan->next_us;
	fire->due_us = plan->due_us;
	return ask(&req);
}

static struct rv_schedule_view due;

static bool is_due(void *ctx)
{
	(void)ctx;
	due = schedule("tick");
	return due.next_us != 0 && due.due_us <= rv_wall_us();
}

Test(e2e_cron, two_keepers_want_the_same_slots)
{
	struct rv_schedule_rule rule = {.name = "tick", .catch_up = RV_CATCH_UP_ALL};
	int64_t ours = 0;
	int64_t theirs = 0;

	cr_assert(eq(int, rv_cron_read("every 1s", &rule.cron, NULL), RV_OK));
	rv_e2e_new(e, TICK);
	rv_e2e_start(e);
	open_writer();
	for (int i = 0; i < 6; i++) {
		struct rv_schedule_plan plan;
		int err;

		RV_NEED(e, rv_test_wait_until(is_due, NULL, LONG_MS), "a slot is due");
		rv_schedule_plan(&rule, due.next_us, rv_wall_us(), &plan);
		err = fire(&due, &plan);
		cr_assert(err == RV_OK || err == RV_E_STALE, "%s", rv_err_text(err));
		ours += err == RV_OK;
		theirs += err == RV_E_STALE;
		/* the plan of a moment ago, once more */
		cr_assert(eq(int, fire(&due, &plan), RV_E_STALE));
	}
	cr_assert(eq(i64, ours + theirs, 6));
	rv_store_close(writer);
	rv_e2e_stop(e);
	each_slot_once("tick");
	rv_e2e_fini(e);
}

/* ---- nobody was there */

#define HOUR_US (3600 * RV_S_US)

static bool has_caught_up(void *ctx)
{
	static const char *const names[] = {"none", "last", "all", "window"};

	(void)ctx;
	for (size_t i = 0; i < RV_ARRAY_LEN(names); i++) {
		struct rv_schedule_view view = schedule(names[i]);

		if (view.next_us == 0 || view.next_us <= rv_wall_us())
			return false;
	}
	return true;
}

static void expect_counts(const char *name, int64_t fired, int64_t missed)
{
	cr_expect(eq(i64, schedule(name).fired, fired), "%s", name);
	cr_expect(eq(i64, schedule(name).missed, missed), "%s", name);
}

/* As if the daemon had been down for four hours and a half: five slots, at half past each. */
Test(e2e_cron, a_daemon_that_was_down)
{
	int64_t now = rv_wall_us();
	int minute = (int)((now / RV_S_US / 60 + 30) % 60);
	int64_t first = (now / RV_S_US / 60 - 30) * 60 * RV_S_US - 4 * HOUR_US;
	static const char *const names[] = {"none", "last", "all", "window"};

	rv_e2e_new(e,
		   POOL "[schedule:none]\ncron = %d * * * *\ntask = noop\ncatch_up = none\n"
			"[schedule:last]\ncron = %d * * * *\ntask = noop\n"
			"[schedule:all]\ncron = %d * * * *\ntask = noop\ncatch_up = all\n"
			"overlap = queue\n"
			"[schedule:window]\ncron = %d * * * *\ntask = noop\ncatch_up = 2h\n"
			"overlap = allow\n",
		   minute, minute, minute, minute);
	rv_e2e_start(e);
	RV_NEED(e, rv_test_wait_until(has_caught_up, NULL, LONG_MS), "they know their next slot");
	rv_e2e_stop(e);
	open_writer();
	for (size_t i = 0; i < RV_ARRAY_LEN(names); i++) {
		struct rv_schedule_view view = schedule(names[i]);
		struct rv_schedule_plan plan = {.next_us = first, .due_us = first};

		cr_assert(eq(i64, view.next_us, first + 5 * HOUR_US));
		cr_assert(eq(int, fire(&view, &plan), RV_OK));
	}
	rv_store_close(writer);
	rv_e2e_start(e);
	RV_NEED(e, rv_test_wait_until(has_caught_up, NULL, LONG_MS), "they catch up");
	expect_counts("none", 0, 5);
	expect_counts("last", 1, 4);
	expect_counts("all", 5, 0);
	expect_counts("window", 2, 3);
	cr_expect(eq(i64, history("none")->items[0].missed, 5));
	cr_expect(eq(i64, history("none")->items[0].slot_us, first));
	cr_expect(eq(i64, history("last")->items[0].slot_us, first + 4 * HOUR_US));
	cr_expect(eq(i64, history("all")->items[4].slot_us, first));
	rv_e2e_logged(e, "schedule none: 5 slots were missed");
	rv_e2e_wait_all(e, 0);
	rv_e2e_end(e);
}

/* ---- overlap: a running job is stopped for the next one */

static bool two_replaced(void *ctx)
{
	(void)ctx;
	return rv_e2e_count(e, RV_JOB_CANCELLED) >= 2;
}

Test(e2e_cron, a_running_job_is_replaced)
{
	rv_e2e_new(e, POOL "[schedule:long]\ncron = every 1s\ntask = job\n"
			   "args = do=ms=60000\noverlap = replace\n");
	rv_e2e_start(e);
	RV_NEED(e, rv_test_wait_until(two_replaced, NULL, LONG_MS), "two were replaced");
	cr_assert(le(i64, rv_e2e_count(e, RV_JOB_RUNNING), 1)); /* never two at once */
	cr_assert(eq(int, rv_e2e_reeve(e, "cron", "pause", "long", NULL), 0));
	cr_assert(eq(int, rv_e2e_reeve(e, "cancel", "--query", "state:running,blocked,ready", NULL),
		     0));
	rv_e2e_end(e);
}

/* ---- reload */

#define GONE "[task:gone]\nhandler = builtin\nbuiltin = noop\n"

static bool was_refused(void *ctx)
{
	(void)ctx;
	return schedule("mine").refused > 0;
}

Test(e2e_cron, a_reload_takes_away_what_a_schedule_needs)
{
	struct rv_schedule_view view;

	rv_e2e_new(e, POOL GONE "[schedule:own]\ncron = every 1s\ntask = gone\n"
				"[schedule:other]\ncron = @yearly\ntask = noop\n");
	rv_e2e_start(e);
	cr_assert(eq(int,
		     rv_e2e_reeve(e, "cron", "add", "mine", "every 1s", "gone", "--overlap",
				  "allow", NULL),
		     0),
		  "%s", rv_buf_text(&e->err));
	await_fired("own", 1);
	await_fired("mine", 1);
	/* a schedule of the configuration cannot stay without its task */
	rv_e2e_ini(e, POOL "[schedule:own]\ncron = every 1s\ntask = gone\n");
	cr_assert(eq(int, rv_e2e_reeve(e, "reload", NULL), 78));
	rv_assert_has(rv_buf_text(&e->err), "task = gone: there is no [task:gone]");
	/* one of a person stays, and says so */
	rv_e2e_ini(e, POOL "[schedule:other]\ncron = @monthly\ntask = noop\n");
	cr_assert(eq(int, rv_e2e_reeve(e, "reload", NULL), 0), "%s", rv_buf_text(&e->err));
	RV_NEED(e, rv_test_wait_until(was_refused, NULL, LONG_MS), "a slot is refused");
	rv_assert_has(history("mine")->errors[0], "no such task \"gone\"");
	rv_e2e_logged(e, "was refused: no such task");
	cr_assert(eq(int, rv_store_schedule(rv_e2e_store(e), "own", &view), RV_E_NOTFOUND));
	cr_assert_str_eq(schedule("other").def.cron, "@monthly");
	cr_assert(eq(int, rv_e2e_reeve(e, "cron", "rm", "mine", NULL), 0));
	rv_e2e_end(e);
}
