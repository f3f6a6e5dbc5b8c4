/* What is counted of queues and tasks: with each run that ends, and only with it. */
#include "core/stats.h"
#include "fixture.h"
#include "store/stats.h"
#include "wire/sup.h"

#define MINUTE S(60)

static struct rv_stats_view got;
static size_t seen;

static int keep(void *ctx, const struct rv_stats_view *view)
{
	(void)ctx;
	got = *view;
	seen++;
	return RV_OK;
}

/* What is counted of one; all zero if there is nothing. */
static const struct rv_stats_view *of(struct fixture *f, enum rv_stats_of which, const char *name)
{
	memset(&got, 0, sizeof got);
	seen = 0;
	ERR(rv_store_statistics(f->store, which, name, keep, NULL), RV_OK);
	return &got;
}

/* One job from its acceptance to its end, waiting and running so long. */
static int64_t work(struct fixture *f, const char *task, int64_t wait_us, int64_t run_us,
		    enum rv_outcome outcome)
{
	int64_t id = add(f, JOB(.task = task));

	tick(f, wait_us);
	int64_t fence = claim(f, W1, id);

	tick(f, run_us);
	ERR(ack_with(f, W1,
		     ACK(.job = id, .fence = fence, .outcome = outcome, .retry_us = S(1),
			 .ended_us = f->wall_us, .user_us = 300, .sys_us = 200,
			 .maxrss_bytes = 3 << 20)),
	    RV_OK);
	return id;
}

CONTRACT(stats, nothing_is_counted_of_nothing)
{
	(void)add(f, JOB(.task = "t"));
	(void)of(f, RV_STATS_QUEUES, NULL);
	IS(seen, 0);
	(void)of(f, RV_STATS_TASKS, "nosuch");
	IS(seen, 0);
}

CONTRACT(stats, a_run_counts_for_its_queue_and_its_task)
{
	(void)work(f, "t", 100, 2000, RV_OUTCOME_SUCCEEDED);
	(void)work(f, "t", 300, 4000, RV_OUTCOME_SUCCEEDED);
	(void)work(f, "once", 500, 8000, RV_OUTCOME_FAILED);
	of(f, RV_STATS_QUEUES, "default");
	IS(seen, 1);
	IS(got.ever.succeeded, 2);
	IS(got.ever.dead, 1);
	IS(got.ever.failed, 1);
	IS(got.ever.cpu_us, 3 * 500);
	IS(got.ever.run_us, 14000);
	IS(got.ever.maxrss_kib, 3 << 10);
	IS(rv_histogram_count(&got.ever.cpu), 3);
	IS(rv_histogram_quantile(&got.ever.cpu, 950),
	   rv_histogram_middle(rv_histogram_bucket(500)));
	IS(rv_histogram_count(&got.ever.rss), 3);
	IS(rv_histogram_quantile(&got.ever.rss, 950),
	   rv_histogram_middle(rv_histogram_bucket(3 << 10)));
	IS(got.minute, 3);
	cr_assert(rv_stats_same(&got.hour, &got.ever));
	of(f, RV_STATS_TASKS, "t");
	IS(got.ever.succeeded, 2);
	IS(got.ever.failed, 0);
	IS(rv_histogram_quantile(&got.ever.wait, 500),
	   rv_histogram_middle(rv_histogram_bucket(100)));
	IS(rv_histogram_quantile(&got.ever.run, 1000),
	   rv_histogram_middle(rv_histogram_bucket(4000)));
	of(f, RV_STATS_TASKS, "once");
	IS(got.ever.dead, 1);
	of(f, RV_STATS_TASKS, NULL);
	IS(seen, 2);
	TEXT(got.name, "t");
}

/* From the time a job was to run, to its first start, whatever held it up. */
CONTRACT(stats, a_job_waits_once)
{
	int64_t id = add(f, JOB(.run_at_us = f->wall_us + S(10)));

	tick(f, S(12));
	(void)turn(f, W1, 0, "default");
	(void)promote(f, 10);
	int64_t fence = claim(f, W1, id);

	tick(f, S(1));
	ERR(ack(f, W1, id, fence, RV_OUTCOME_INTERRUPTED), RV_OK);
	of(f, RV_STATS_QUEUES, "default");
	IS(rv_histogram_count(&got.ever.wait), 1);
	IS(rv_histogram_quantile(&got.ever.wait, 500),
	   rv_histogram_middle(rv_histogram_bucket(S(2))));
	IS(rv_histogram_count(&got.ever.run), 0);
	IS(got.ever.failed, 0);
	tick(f, S(100));
	run(f, id, RV_OUTCOME_SUCCEEDED);
	of(f, RV_STATS_QUEUES, "default");
	IS(rv_histogram_count(&got.ever.wait), 1);
	IS(rv_histogram_count(&got.ever.run), 1);
	IS(rv_stats_finished(&got.ever), 1);
}

CONTRACT(stats, of_a_batch_each_job_counts_when_it_was_started)
{
	int64_t first = add(f, JOB(.priority = 1));
	int64_t second = add(f, JOB(.priority = 1));
	struct rv_req_turn *t = prefetch(f, W1, 2, "default");
	int64_t fences[2] = {t->claimed[0].fence, t->claimed[1].fence};

	IS(t->nclaimed, 2);
	tick(f, S(4));
	ERR(ack_with(f, W1,
		     ACK(.job = first, .fence = fences[0], .outcome = RV_OUTCOME_SUCCEEDED,
			 .started_us = START_US + S(1), .ended_us = START_US + S(3))),
	    RV_OK);
	ERR(ack_with(f, W1,
		     ACK(.job = second, .fence = fences[1], .outcome = RV_OUTCOME_INTERRUPTED)),
	    RV_OK);
	of(f, RV_STATS_TASKS, "t");
	IS(rv_histogram_count(&got.ever.wait), 1);
	IS(rv_histogram_quantile(&got.ever.wait, 500),
	   rv_histogram_middle(rv_histogram_bucket(S(1))));
	IS(rv_histogram_quantile(&got.ever.run, 500),
	   rv_histogram_middle(rv_histogram_bucket(S(2))));
}

CONTRACT(stats, a_crash_is_a_failed_run_without_a_length)
{
	int64_t id = add(f, JOB(.task = "frail"));

	(void)claim(f, W1, id);
	tick(f, S(5));
	IS(died(f, W1, RV_DIED_CRASH, 0, "killed by signal 9"), 1);
	STATE(id, "dead");
	of(f, RV_STATS_TASKS, "frail");
	IS(got.ever.failed, 1);
	IS(got.ever.dead, 1);
	IS(got.ever.cpu_us, 0);
	IS(rv_histogram_count(&got.ever.run), 0);
	IS(rv_histogram_count(&got.ever.wait), 1);
}

/* Of a run at a handler the CPU time is the run's, also when that crashed; unknown is not 0. */
CONTRACT(stats, what_is_not_known_of_a_run_is_not_counted)
{
	static const struct {
		int64_t user_us, sys_us, maxrss_bytes;
		enum rv_outcome outcome;
	} rows[] = {
		{-1, -1, -1, RV_OUTCOME_SUCCEEDED},
		{700, -1, 5 << 20, RV_OUTCOME_SUCCEEDED},
		{40, -1, 4 << 20, RV_OUTCOME_CRASHED},
	};

	for (size_t i = 0; i < RV_ARRAY_LEN(rows); i++) {
		int64_t id = add(f, JOB(.task = "t"));
		int64_t fence = claim(f, W1, id);

		tick(f, 9);
		ERR(ack_with(f, W1,
			     ACK(.job = id, .fence = fence, .outcome = rows[i].outcome,
				 .ended_us = f->wall_us, .user_us = rows[i].user_us,
				 .sys_us = rows[i].sys_us, .maxrss_bytes = rows[i].maxrss_bytes)),
		    RV_OK);
		of(f, RV_STATS_TASKS, "t");
		IS(rv_stats_cpu_us(&got.ever), i == 0 ? -1 : i == 1 ? 700 : 740);
		IS(rv_stats_memory_kib(&got.ever), i == 0 ? -1 : 5 << 10);
	}
	IS(rv_histogram_count(&got.ever.run), 2);
	IS(rv_histogram_count(&got.ever.cpu), 1);
	IS(rv_histogram_count(&got.ever.rss), 1);
}

/* Runs of which next to nothing is known: neither when they waited, nor how long they ran. */
CONTRACT(stats, many_crashes_are_counted)
{
	int n = 0;

	for (int i = 0; i < 12; i++)
		(void)add(f, JOB(.task = "t"));
	while (turn(f, W1, 1, "default")->nclaimed > 0) {
		struct rv_claimed job = f->req.u.turn.claimed[0];

		ERR(ack_with(f, W1,
			     ACK(.job = job.job, .fence = job.fence, .outcome = RV_OUTCOME_CRASHED,
				 .ended_us = f->wall_us, .user_us = -1, .sys_us = -1,
				 .maxrss_bytes = -1)),
		    RV_OK);
		n++;
	}
	of(f, RV_STATS_TASKS, "t");
	IS(got.ever.failed, n);
	cr_assert(gt(int, n, 12));
}

/* The shown state stays what it was, so nothing else is written of it. */
CONTRACT(stats, a_fetched_job_that_ran_and_was_lost_has_waited)
{
	int64_t id = add(f, JOB(.priority = 1));
	int64_t fence = prefetch(f, W1, 1, "default")->claimed[0].fence;

	tick(f, S(5));
	IS(died(f, W1, RV_DIED_LOST, fence, "gone"), 1);
	STATE(id, "ready");
	of(f, RV_STATS_QUEUES, "default");
	IS(rv_histogram_count(&got.ever.wait), 1);
	IS(got.ever.failed, 0);
}

CONTRACT(stats, a_cancelled_job_did_not_finish)
{
	int64_t id = add(f, JOB(.priority = 1));
	int64_t fence = claim(f, W1, id);

	ERR(cancel(f, id), RV_OK);
	ERR(ack(f, W1, id, fence, RV_OUTCOME_SUCCEEDED), RV_E_CONFLICT);
	of(f, RV_STATS_QUEUES, "default");
	IS(rv_stats_finished(&got.ever), 0);
	IS(rv_histogram_count(&got.ever.run), 1);
	ERR(cancel(f, add(f, JOB(.priority = 1))), RV_OK);
	of(f, RV_STATS_QUEUES, "default");
	IS(rv_histogram_count(&got.ever.run), 1);
}

/* S1: an ack that is not taken does not count. */
CONTRACT(stats, an_old_fence_is_not_counted)
{
	int64_t id = add(f, JOB(.priority = 1));
	int64_t old = claim(f, W1, id);

	ERR(ack(f, W1, id, old, RV_OUTCOME_INTERRUPTED), RV_OK);
	int64_t fence = claim(f, W2, id);

	ERR(ack(f, W1, id, old, RV_OUTCOME_SUCCEEDED), RV_E_STALE);
	of(f, RV_STATS_QUEUES, "default");
	IS(got.ever.succeeded, 0);
	ERR(ack(f, W2, id, fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	of(f, RV_STATS_QUEUES, "default");
	IS(got.ever.succeeded, 1);
}

CONTRACT(stats, what_is_rolled_back_is_not_counted)
{
	int64_t id = add(f, JOB(.priority = 1));
	int64_t fence = claim(f, W1, id);
	struct rv_req_turn *t = &f->req.u.turn;

	memset(&f->req, 0, sizeof f->req);
	f->req.kind = RV_REQ_TURN;
	t->incarnation = W1;
	t->nacks = 1;
	t->acks[0] = ACK(.job = id, .fence = fence, .outcome = RV_OUTCOME_SUCCEEDED);
	ERR(rv_store_begin(f->store, RV_DURABILITY_NORMAL, S(1), &f->why), RV_OK);
	ERR(rv_store_execute(f->store, &f->req), RV_OK);
	ERR(f->req.err, RV_OK);
	rv_store_rollback(f->store);
	of(f, RV_STATS_QUEUES, "default");
	IS(seen, 0);
	ERR(ack(f, W1, id, fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	of(f, RV_STATS_QUEUES, "default");
	IS(got.ever.succeeded, 1);
}

CONTRACT(stats, jobs_may_be_forgotten_what_was_counted_stays)
{
	int64_t id = work(f, "t", 0, 10, RV_OUTCOME_SUCCEEDED);

	ERR(forget(f, id), RV_OK);
	of(f, RV_STATS_QUEUES, "default");
	IS(got.ever.succeeded, 1);
}

/* More than any number of notes, over three hours, with a pause: each minute is where it belongs.
 */
CONTRACT(stats, the_hour_moves_on_and_ever_stays)
{
	int64_t hour = 0;

	for (int minute = 0; minute < 130; minute++) {
		for (int i = 0; i < 1 + minute % 3; i++)
			(void)work(f, "t", 50, 1000 + minute, RV_OUTCOME_SUCCEEDED);
		if (minute >= 70)
			hour += 1 + minute % 3;
		tick(f, MINUTE - f->wall_us % MINUTE + (minute == 129 ? -1 : 0));
	}
	of(f, RV_STATS_QUEUES, "default");
	IS(got.hour.succeeded, hour);
	IS(got.ever.succeeded, 130 + 43 * 3);
	IS(rv_histogram_count(&got.ever.run), got.ever.succeeded);
	IS(got.minute, 1);
	tick(f, 30 * MINUTE);
	of(f, RV_STATS_QUEUES, "default");
	IS(got.minute, 0);
	cr_assert(lt(i64, got.hour.succeeded, hour));
	tick(f, 60 * MINUTE);
	of(f, RV_STATS_TASKS, "t");
	IS(got.hour.succeeded, 0);
	IS(rv_histogram_quantile(&got.hour.run, 500), -1);
	IS(got.ever.succeeded, 130 + 43 * 3);
}

/* A clock that was put back loses nothing. */
CONTRACT(stats, minutes_may_come_twice)
{
	for (int i = 0; i < 300; i++) {
		(void)work(f, i % 2 ? "t" : "once", 50, 1000, RV_OUTCOME_SUCCEEDED);
		tick(f, i % 3 == 0 ? -61 * MINUTE : 31 * MINUTE);
	}
	of(f, RV_STATS_QUEUES, "default");
	IS(got.ever.succeeded, 300);
	of(f, RV_STATS_TASKS, "once");
	IS(got.ever.succeeded, 150);
}
