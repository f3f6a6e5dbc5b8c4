/* Reads: lists and pages, attempts, queues, parents, totals, stats; callbacks end them. */
#include "fixture.h"

#include "core/job.h"
#include "core/order.h"
#include "wire/sup.h"

struct ids {
	int64_t id[64];
	size_t n;
	size_t stop_at; /* 0: never */
};

static int note_id(void *ctx, const struct rv_job_view *view)
{
	struct ids *to = ctx;

	cr_assert(lt(sz, to->n, RV_ARRAY_LEN(to->id)));
	to->id[to->n++] = view->id;
	return to->n == to->stop_at ? RV_E_CLOSED : RV_OK;
}

static struct ids list(struct fixture *f, struct rv_job_filter filter)
{
	struct ids ids = {.n = 0};

	ERR(rv_store_jobs(f->store, &filter, note_id, &ids), RV_OK);
	return ids;
}

CONTRACT(read, jobs_newest_first_and_by_page)
{
	int64_t ids[7];
	struct ids page;

	for (int i = 0; i < 7; i++)
		ids[i] = add(
			f, JOB(.queue = i % 2 ? "bulk" : "default", .task = i == 3 ? "once" : "t"));
	page = list(f, (struct rv_job_filter){.state = -1, .limit = 3});
	IS(page.n, 3);
	IS(page.id[0], ids[6]);
	IS(page.id[2], ids[4]);
	page = list(f, (struct rv_job_filter){.state = -1, .limit = 3, .before_id = page.id[2]});
	IS(page.n, 3);
	IS(page.id[0], ids[3]);
	page = list(f, (struct rv_job_filter){.state = -1, .limit = 3, .before_id = page.id[2]});
	IS(page.n, 1);
	IS(page.id[0], ids[0]);
	page = list(f, (struct rv_job_filter){.state = -1, .limit = 3, .before_id = page.id[0]});
	IS(page.n, 0);
	page = list(f, (struct rv_job_filter){.state = -1, .limit = 50, .queue = "bulk"});
	IS(page.n, 3);
	IS(page.id[0], ids[5]);
	page = list(f, (struct rv_job_filter){.state = -1, .limit = 50, .task = "once"});
	IS(page.n, 1);
	IS(page.id[0], ids[3]);
	page = list(f, (struct rv_job_filter){.state = -1, .limit = 50, .queue = "nosuch"});
	IS(page.n, 0);
}

CONTRACT(read, jobs_by_state)
{
	int64_t ready = add(f, JOB(.queue = "bulk"));
	int64_t later = add(f, JOB(.run_at_us = START_US + S(5)));
	int64_t blocked = add(f, JOB(.after = &later, .nafter = 1));
	int64_t running = add_task(f, "urgent");
	(void)claim(f, W1, running);
	int64_t done = add_task(f, "urgent");
	run(f, done, RV_OUTCOME_SUCCEEDED);
	int64_t dead = add_task(f, "urgent");
	run(f, dead, RV_OUTCOME_FATAL);
	int64_t cancelled = add_task(f, "t");
	ERR(cancel(f, cancelled), RV_OK);
	int64_t ahead = add_task(f, "urgent");
	IS(prefetch(f, W2, 1, "critical")->nclaimed, 1);
	int64_t want[RV_JOB_STATES] = {
		[RV_JOB_SCHEDULED] = later, [RV_JOB_BLOCKED] = blocked,
		[RV_JOB_RUNNING] = running, [RV_JOB_SUCCEEDED] = done,
		[RV_JOB_DEAD] = dead,       [RV_JOB_CANCELLED] = cancelled,
	};

	for (int s = 0; s < RV_JOB_STATES; s++) {
		struct ids got = list(f, (struct rv_job_filter){.state = s, .limit = 50});

		if (s == RV_JOB_READY) {
			IS(got.n, 2);
			IS(got.id[0], ahead);
			IS(got.id[1], ready);
			continue;
		}
		IS(got.n, 1);
		IS(got.id[0], want[s]);
	}
	IS(list(f, (struct rv_job_filter){.state = RV_JOB_READY, .limit = 50, .queue = "bulk"}).n,
	   1);
	IS(list(f, (struct rv_job_filter){.state = RV_JOB_READY, .limit = 1, .before_id = ahead})
		   .id[0],
	   ready);
}

CONTRACT(read, a_callback_ends_the_list)
{
	struct rv_job_filter all = {.state = -1, .limit = 50};
	struct ids ids = {.stop_at = 2};

	for (int i = 0; i < 4; i++)
		(void)add_task(f, "t");
	ERR(rv_store_jobs(f->store, &all, note_id, &ids), RV_E_CLOSED);
	IS(ids.n, 2);
	(void)add_task(f, "t"); /* and the store is as good as before */
}

CONTRACT(read, no_such_job)
{
	struct rv_job_view view;

	ERR(rv_store_job(f->store, 1, &view), RV_E_NOTFOUND);
	ERR(rv_store_job(f->store, 0, &view), RV_E_NOTFOUND);
	ERR(rv_store_job(f->store, -1, &view), RV_E_NOTFOUND);
}

struct runs {
	struct rv_attempt_view view[8];
	char error[8][64], worker[8][64];
	size_t n;
};

static int note_run(void *ctx, const struct rv_attempt_view *view)
{
	struct runs *to = ctx;

	cr_assert(lt(sz, to->n, RV_ARRAY_LEN(to->view)));
	to->view[to->n] = *view;
	to->view[to->n].error = to->view[to->n].worker = NULL; /* theirs until we return */
	(void)snprintf(to->error[to->n], 64, "%s", view->error ? view->error : "");
	(void)snprintf(to->worker[to->n], 64, "%s", view->worker ? view->worker : "");
	to->n++;
	return RV_OK;
}

CONTRACT(read, the_history_of_attempts)
{
	int64_t id = add_task(f, "t");
	struct runs runs = {.n = 0};
	int64_t fence;

	ERR(rv_store_attempts(f->store, id, note_run, &runs), RV_OK);
	IS(runs.n, 0);
	fence = claim(f, W1, id);
	ERR(ack_with(f, W1,
		     ACK(.job = id, .fence = fence, .outcome = RV_OUTCOME_FAILED, .exit_code = 3,
			 .started_us = START_US, .ended_us = START_US + 7, .user_us = 11,
			 .sys_us = 12, .maxrss_bytes = 13, .output_bytes = 14, .error = "one")),
	    RV_OK);
	(void)claim(f, W1, id);
	IS(died(f, W1, RV_DIED_CRASH, 0, "killed by signal 9"), 1);
	(void)claim(f, W2, id);
	(void)f->req;
	ERR(rv_store_attempts(f->store, id, note_run, &runs), RV_OK);
	IS(runs.n, 3);
	IS(runs.view[0].job, id);
	IS(runs.view[0].run, 1);
	IS(runs.view[0].attempt, 1);
	IS(runs.view[0].fence, fence);
	IS(runs.view[0].outcome, RV_OUTCOME_FAILED);
	IS(runs.view[0].exit_code, 3);
	IS(runs.view[0].signo, 0);
	IS(runs.view[0].started_us, START_US);
	IS(runs.view[0].ended_us, START_US + 7);
	IS(runs.view[0].user_us, 11);
	IS(runs.view[0].sys_us, 12);
	IS(runs.view[0].maxrss_bytes, 13);
	IS(runs.view[0].output_bytes, 14);
	TEXT(runs.error[0], "one");
	TEXT(runs.worker[0], "default/1");
	IS(runs.view[1].run, 2);
	IS(runs.view[1].attempt, 2);
	IS(runs.view[1].outcome, RV_OUTCOME_CRASHED);
	IS(runs.view[1].exit_code, -1);
	TEXT(runs.error[1], "killed by signal 9");
	IS(runs.view[2].run, 3);
	IS(runs.view[2].attempt, 2); /* the crash burned none */
	IS(runs.view[2].outcome, -1);
	IS(runs.view[2].ended_us, 0);
	TEXT(runs.worker[2], "default/2");
	cr_assert(gt(i64, runs.view[2].fence, runs.view[1].fence));
	ERR(rv_store_attempts(f->store, 999, note_run, &runs), RV_E_NOTFOUND);
}

CONTRACT(read, a_cancelled_run_keeps_its_real_outcome)
{
	int64_t id = add_task(f, "t");
	int64_t fence = claim(f, W1, id);
	struct runs runs = {.n = 0};

	ERR(cancel(f, id), RV_OK);
	ERR(ack_with(f, W1,
		     ACK(.job = id, .fence = fence, .outcome = RV_OUTCOME_SUCCEEDED, .exit_code = 0,
			 .started_us = START_US)),
	    RV_E_CONFLICT);
	ERR(rv_store_attempts(f->store, id, note_run, &runs), RV_OK);
	IS(runs.n, 1);
	IS(runs.view[0].outcome, RV_OUTCOME_SUCCEEDED);
	IS(runs.view[0].exit_code, 0);
	IS(see(f, id)->exit_code, 0);
}

struct queue_names {
	char text[256];
	int64_t oldest;
	enum rv_strategy prio;
};

static int note_queue(void *ctx, const struct rv_queue_view *view)
{
	struct queue_names *to = ctx;

	(void)snprintf(to->text + strlen(to->text), sizeof to->text - strlen(to->text), "%s ",
		       view->name);
	if (strcmp(view->name, "default") == 0)
		to->oldest = view->oldest_ready_us;
	if (strcmp(view->name, "prio") == 0)
		to->prio = view->strategy;
	return RV_OK;
}

static struct queue_names queues_of(struct fixture *f)
{
	struct queue_names names = {.text = "", .oldest = -1};

	ERR(rv_store_queues(f->store, note_queue, &names), RV_OK);
	return names;
}

CONTRACT(read, queues_by_name_and_the_oldest_ready)
{
	struct queue_names q = queues_of(f);

	TEXT(q.text, "bulk critical default prio ");
	IS(q.prio, RV_STRATEGY_PRIORITY);
	IS(q.oldest, 0);
	int64_t late = add(f, JOB(.run_at_us = START_US + S(5)));
	IS(queues_of(f).oldest, 0);
	tick(f, S(7));
	(void)add_task(f, "t");
	tick(f, S(1));
	IS(queues_of(f).oldest, START_US + S(7));
	(void)promote(f, 9);
	IS(queues_of(f).oldest, START_US + S(8)); /* first in order, ready since its promotion */
	(void)claim(f, W1, late);
	IS(queues_of(f).oldest, START_US + S(7));
}

CONTRACT(read, totals)
{
	struct rv_store_totals t;

	ERR(rv_store_totals(f->store, &t), RV_OK);
	IS(t.next_due_us, 0);
	IS(t.oldest_ready_us, 0);
	(void)add(f, JOB(.run_at_us = START_US + S(9)));
	(void)add(f, JOB(.run_at_us = START_US + S(5)));
	tick(f, S(1));
	(void)add(f, JOB(.queue = "bulk"));
	tick(f, S(1));
	(void)add(f, JOB(.queue = "default"));
	ERR(rv_store_totals(f->store, &t), RV_OK);
	IS(t.next_due_us, START_US + S(5));
	IS(t.oldest_ready_us, START_US + S(1));
	IS(t.counts[RV_JOB_SCHEDULED], 2);
	IS(t.counts[RV_JOB_READY], 2);
	IS(t.counts[RV_JOB_RUNNING], 0);
}

struct parents {
	int64_t id[8];
	enum rv_job_state state[8];
	enum rv_after on[8];
	size_t n;
};

static int note_parent(void *ctx, int64_t parent, enum rv_job_state state, enum rv_after on)
{
	struct parents *to = ctx;

	to->id[to->n] = parent;
	to->on[to->n] = on;
	to->state[to->n++] = state;
	return RV_OK;
}

CONTRACT(read, parents_that_are_waited_for)
{
	int64_t ids[3] = {add_task(f, "urgent"), add_task(f, "once"), add(f, JOB(.queue = "bulk"))};
	int64_t child = add(f, JOB(.after = ids, .nafter = 3));
	struct parents p = {.n = 0};

	run(f, ids[0], RV_OUTCOME_SUCCEEDED);
	run(f, ids[1], RV_OUTCOME_FAILED);
	ERR(rv_store_parents(f->store, child, note_parent, &p), RV_OK);
	IS(p.n, 2);
	IS(p.id[0], ids[1]);
	IS(p.state[0], RV_JOB_DEAD);
	IS(p.id[1], ids[2]);
	IS(p.state[1], RV_JOB_READY);
	IS(p.on[1], RV_AFTER_SUCCESS);
	child = add(f, JOB(.after = &ids[2], .nafter = 1, .on = RV_AFTER_ANY));
	p.n = 0;
	ERR(rv_store_parents(f->store, child, note_parent, &p), RV_OK);
	IS(p.n, 1);
	IS(p.on[0], RV_AFTER_ANY);
	p.n = 0;
	ERR(rv_store_parents(f->store, ids[2], note_parent, &p), RV_OK);
	IS(p.n, 0);
}

static int count_one(void *ctx, const char *name, int64_t value)
{
	(void)value;
	cr_assert(name[0] != '\0');
	++*(int *)ctx;
	return RV_OK;
}

CONTRACT(read, stats_say_something)
{
	int n = 0;

	ERR(rv_store_stats(f->store, count_one, &n), RV_OK);
	cr_assert(gt(int, n, 0));
}

static void never(void *ctx, const char *rule, const char *what)
{
	(void)ctx;
	cr_assert(false, "%s %s", rule, what);
}

CONTRACT(read, a_full_check_of_a_store_in_use)
{
	int64_t id = add_task(f, "t");

	(void)claim(f, W1, id);
	(void)add(f, JOB(.after = &id, .nafter = 1));
	(void)add(f, JOB(.run_at_us = START_US + S(9), .ttl_us = S(2)));
	ERR(rv_store_check(f->store, true, never, NULL), RV_OK);
}

/* Nobody knows the share of the run that crashed: it gets what its worker used, and says so by its
 * outcome.  Of a run that was only interrupted nothing is known. */
CONTRACT(read, what_a_worker_used_is_kept_with_the_run_that_crashed)
{
	struct rv_req_expire *e = &f->req.u.expire;
	static const int how[] = {RV_DIED_LOST, RV_DIED_CRASH};
	struct runs runs = {.n = 0};
	int64_t id = add_task(f, "frail");

	for (size_t i = 0; i < RV_ARRAY_LEN(how); i++) {
		ERR(join(f, W2 + 1 + i, 3), RV_OK);
		(void)claim(f, W2 + 1 + i, id);
		memset(e, 0, sizeof *e);
		e->count = 1;
		e->who[0] = (struct rv_expire_one){.incarnation = W2 + 1 + i,
						   .died = how[i],
						   .user_us = 21,
						   .sys_us = 22,
						   .maxrss_bytes = 4096,
						   .words = "killed by signal 11 (core dumped)"};
		ERR(ask_kind(f, RV_REQ_EXPIRE), RV_OK);
	}
	ERR(rv_store_attempts(f->store, id, note_run, &runs), RV_OK);
	IS(runs.n, 2);
	IS(runs.view[0].outcome, RV_OUTCOME_INTERRUPTED);
	IS(runs.view[0].user_us, -1);
	IS(runs.view[0].sys_us, -1);
	IS(runs.view[0].maxrss_bytes, -1);
	IS(runs.view[1].outcome, RV_OUTCOME_CRASHED);
	IS(runs.view[1].user_us, 21);
	IS(runs.view[1].sys_us, 22);
	IS(runs.view[1].maxrss_bytes, 4096);
	HAS(runs.error[1], "core dumped");
}
