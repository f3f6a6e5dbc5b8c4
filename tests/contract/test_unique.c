/* Unique keys: how long they are held, and what a job does whose key another one holds. */
#include "fixture.h"

#include "core/job.h"
#include "store/rules.h"

static const char *number(int64_t id)
{
	static char text[24];

	(void)snprintf(text, sizeof text, "%lld", (long long)id);
	return text;
}

CONTRACT(unique, a_key_until_started_is_free_with_the_first_run)
{
	int64_t first = add(f, JOB(.unique_key = "k", .until_us = RV_UNTIL_STARTED));
	int64_t id = 0;
	int64_t fence;

	IS(see(f, first)->until_us, RV_UNTIL_STARTED);
	ERR(try_add(f, JOB(.unique_key = "k"), &id), RV_E_CONFLICT);
	IS(id, first);
	fence = claim(f, W1, first);
	int64_t second = add(f, JOB(.unique_key = "k", .until_us = RV_UNTIL_STARTED));
	/* the first one runs again: the key stays with the second */
	ERR(ack(f, W1, first, fence, RV_OUTCOME_INTERRUPTED), RV_OK);
	STATE(first, "ready");
	ERR(try_add(f, JOB(.unique_key = "k"), &id), RV_E_CONFLICT);
	IS(id, second);
	run(f, first, RV_OUTCOME_SUCCEEDED);
	run(f, second, RV_OUTCOME_SUCCEEDED);
	(void)add(f, JOB(.unique_key = "k"));
}

CONTRACT(unique, a_prefetched_job_has_not_started)
{
	int64_t first = add(f, JOB(.unique_key = "k", .until_us = RV_UNTIL_STARTED));
	struct rv_req_turn *t = prefetch(f, W1, 1, "default");
	int64_t fence = t->claimed[0].fence;
	int64_t id = 0;

	ERR(try_add(f, JOB(.unique_key = "k"), &id), RV_E_CONFLICT);
	ERR(ack_with(f, W1, ACK(.job = first, .fence = fence, .outcome = RV_OUTCOME_INTERRUPTED)),
	    RV_OK);
	ERR(try_add(f, JOB(.unique_key = "k"), &id), RV_E_CONFLICT);
	t = prefetch(f, W1, 1, "default");
	ERR(ack(f, W1, first, t->claimed[0].fence, RV_OUTCOME_LATER), RV_OK);
	(void)add(f, JOB(.unique_key = "k"));
}

CONTRACT(unique, a_key_until_started_of_a_job_that_never_starts)
{
	int64_t first = add(f, JOB(.unique_key = "k", .until_us = RV_UNTIL_STARTED));

	ERR(cancel(f, first), RV_OK);
	int64_t second = add(f, JOB(.unique_key = "k", .until_us = RV_UNTIL_STARTED));
	ERR(retry(f, first), RV_E_CONFLICT);
	HAS(f->why.text, number(second));
	run(f, second, RV_OUTCOME_SUCCEEDED);
	ERR(retry(f, first), RV_OK); /* it has not started yet: it holds its key again */
	int64_t id = 0;
	ERR(try_add(f, JOB(.unique_key = "k"), &id), RV_E_CONFLICT);
	IS(id, first);
}

CONTRACT(unique, a_revived_job_that_had_started_needs_no_key)
{
	int64_t first = add(f, JOB(.task = "once", .queue = "critical", .unique_key = "k",
				   .until_us = RV_UNTIL_STARTED));

	run(f, first, RV_OUTCOME_FAILED);
	STATE(first, "dead");
	int64_t second = add(f, JOB(.unique_key = "k"));
	ERR(retry(f, first), RV_OK);
	run(f, first, RV_OUTCOME_SUCCEEDED);
	run(f, second, RV_OUTCOME_SUCCEEDED);
}

CONTRACT(unique, a_key_for_a_time_is_held_whatever_becomes_of_the_job)
{
	int64_t first = add(f, JOB(.unique_key = "k", .until_us = S(60)));
	int64_t id = 0;

	IS(see(f, first)->until_us, S(60));
	run(f, first, RV_OUTCOME_SUCCEEDED);
	ERR(try_add(f, JOB(.unique_key = "k"), &id), RV_E_CONFLICT);
	IS(id, first);
	HAS(f->why.text, "for another");
	ERR(forget(f, first), RV_OK);
	tick(f, S(60) - 1);
	ERR(try_add(f, JOB(.unique_key = "k"), &id), RV_E_CONFLICT);
	IS(id, first);
	ERR(try_add(f, JOB(.unique_key = "k", .on_held = RV_ON_HELD_REPLACE), &id), RV_E_CONFLICT);
	HAS(f->why.text, "no more");
	tick(f, 1);
	int64_t second = add(f, JOB(.unique_key = "k", .until_us = S(60)));
	cr_assert(ne(i64, second, first));
}

CONTRACT(unique, a_time_that_is_over_frees_the_key_of_a_job_that_waits)
{
	int64_t first =
		add(f, JOB(.unique_key = "k", .until_us = S(60), .run_at_us = START_US + S(90)));

	tick(f, S(61));
	int64_t second = add(f, JOB(.unique_key = "k"));
	STATE(first, "scheduled");
	ERR(cancel(f, first), RV_OK); /* does not take the second one's key with it */
	int64_t id = 0;
	ERR(try_add(f, JOB(.unique_key = "k"), &id), RV_E_CONFLICT);
	IS(id, second);
	(void)promote(f, 10);
	ERR(retry(f, first), RV_OK);
}

CONTRACT(unique, a_time_that_is_over_is_swept)
{
	for (int i = 0; i < 250; i++) {
		char key[16];

		(void)snprintf(key, sizeof key, "k%d", i);
		(void)add(f, JOB(.unique_key = key, .until_us = S(1) + i));
	}
	tick(f, S(2));
	for (int i = 0; i < 3; i++)
		(void)promote(f, 10);
	(void)add(f, JOB(.unique_key = "k0"));
	(void)add(f, JOB(.unique_key = "k249"));
}

CONTRACT(unique, skip_answers_with_the_holder)
{
	int64_t first = add(f, JOB(.unique_key = "k"));
	int64_t id = 0;
	int64_t fence;

	ERR(try_add(f, JOB(.unique_key = "k", .on_held = RV_ON_HELD_SKIP, .idem_key = "i"), &id),
	    RV_OK);
	IS(id, first);
	IS(f->req.u.enqueue.skipped, 1);
	IS(f->req.u.enqueue.repeated, 0);
	TEXT(rings(f), "");
	IS(count_of(f, "default", RV_JOB_READY), 1);
	fence = claim(f, W1, first);
	ERR(try_add(f, JOB(.unique_key = "k", .on_held = RV_ON_HELD_SKIP), &id), RV_OK);
	IS(id, first); /* one that runs is as good */
	ERR(ack(f, W1, first, fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	/* the same request has the same answer, though nobody holds the key now */
	ERR(try_add(f, JOB(.unique_key = "k", .on_held = RV_ON_HELD_SKIP, .idem_key = "i"), &id),
	    RV_OK);
	IS(id, first);
	IS(f->req.u.enqueue.repeated, 1);
	id = add(f, JOB(.unique_key = "k", .on_held = RV_ON_HELD_SKIP));
	cr_assert(ne(i64, id, first));
	IS(f->req.u.enqueue.skipped, 0);
}

CONTRACT(unique, replace_cancels_a_holder_that_waits)
{
	static const int64_t delays[] = {0, 50};
	char says[64];

	for (size_t i = 0; i < RV_ARRAY_LEN(delays); i++) {
		int64_t first = add(f, JOB(.unique_key = "k", .on_held = RV_ON_HELD_REPLACE,
					   .run_at_us = f->wall_us + S(delays[i])));
		int64_t child = add(f, JOB(.queue = "bulk", .after = &first, .nafter = 1));
		int64_t second;

		ERR(wait_for(f, first, "/p", START_US + S(100)), RV_OK);
		second = add(f, JOB(.unique_key = "k", .on_held = RV_ON_HELD_REPLACE));
		HAS(rings(f), "W /p");
		IS(f->req.u.enqueue.replaced, 1);
		IS(f->req.u.enqueue.skipped, 0);
		STATE(first, "cancelled");
		(void)snprintf(says, sizeof says, "replaced by job %lld", (long long)second);
		TEXT(see(f, first)->error, says);
		STATE(child, "cancelled");
		run(f, second, RV_OUTCOME_SUCCEEDED);
	}
}

CONTRACT(unique, what_runs_is_not_replaced)
{
	int64_t first = add(f, JOB(.unique_key = "k"));
	int64_t id = 0;

	(void)prefetch(f, W1, 1, "default");
	ERR(try_add(f, JOB(.unique_key = "k", .on_held = RV_ON_HELD_REPLACE), &id), RV_E_CONFLICT);
	HAS(f->why.text, "which a worker has fetched");
	ERR(leave(f, W1), RV_OK);
	(void)claim(f, W2, first);
	ERR(try_add(f, JOB(.unique_key = "k", .on_held = RV_ON_HELD_REPLACE), &id), RV_E_CONFLICT);
	IS(id, first);
	HAS(f->why.text, "which is running");
	ERR(try_add(f, JOB(.unique_key = "k", .on_held = RV_ON_HELD_RESCHEDULE), &id),
	    RV_E_CONFLICT);
	HAS(f->why.text, "which is running");
	IS(count_of(f, "default", RV_JOB_RUNNING), 1);
	IS(count_of(f, "default", RV_JOB_CANCELLED), 0);
}

/* Refused after the holder was touched: it is as it was. */
CONTRACT(unique, a_refused_replacement_leaves_the_holder_alone)
{
	int64_t first = add(f, JOB(.unique_key = "k", .until_us = S(60)));
	int64_t none = 999;
	int64_t id = 0;

	ERR(try_add(f,
		    JOB(.unique_key = "k", .on_held = RV_ON_HELD_REPLACE, .after = &none,
			.nafter = 1),
		    &id),
	    RV_E_NOTFOUND);
	STATE(first, "ready");
	ERR(try_add(f,
		    JOB(.unique_key = "k", .on_held = RV_ON_HELD_REPLACE, .after = &first,
			.nafter = 1),
		    &id),
	    RV_E_CONFLICT);
	STATE(first, "ready");
	ERR(try_add(f, JOB(.unique_key = "k"), &id), RV_E_CONFLICT);
	IS(id, first);
	id = add(f, JOB(.unique_key = "k", .on_held = RV_ON_HELD_REPLACE, .after = &first,
			.nafter = 1, .on = RV_AFTER_ANY));
	STATE(id, "ready");
	STATE(first, "cancelled");
}

CONTRACT(unique, a_replaced_holder_gives_its_time_to_nobody)
{
	int64_t first = add(f, JOB(.unique_key = "k", .until_us = S(60)));
	int64_t second = add(f, JOB(.unique_key = "k", .on_held = RV_ON_HELD_REPLACE));
	int64_t id = 0;

	STATE(first, "cancelled");
	ERR(try_add(f, JOB(.unique_key = "k"), &id), RV_E_CONFLICT);
	IS(id, second);
	run(f, second, RV_OUTCOME_SUCCEEDED);
	(void)add(f, JOB(.unique_key = "k"));
}

CONTRACT(unique, reschedule_gives_the_holder_a_new_time)
{
	struct rv_job_new job = JOB(.unique_key = "k", .on_held = RV_ON_HELD_RESCHEDULE,
				    .run_at_us = START_US + S(5));
	int64_t first = add(f, job);
	int64_t id = 0;

	IS(f->req.u.enqueue.rescheduled, 0);
	for (int i = 1; i < 4; i++) {
		tick(f, S(1));
		job.run_at_us = f->wall_us + S(5);
		job.spec = "{\"args\":{}}"; /* only the time is taken over */
		ERR(try_add(f, job, &id), RV_OK);
		IS(id, first);
		IS(f->req.u.enqueue.rescheduled, 1);
		IS(f->req.u.enqueue.skipped, 1);
		TEXT(rings(f), "S;");
	}
	IS(see(f, first)->run_at_us, START_US + S(8));
	TEXT(see(f, first)->spec, NULL);
	tick(f, S(4));
	IS(promote(f, 10)->promoted, 0);
	job.run_at_us = 0; /* now */
	ERR(try_add(f, job, &id), RV_OK);
	STATE(first, "ready");
	job.run_at_us = f->wall_us + S(9);
	ERR(try_add(f, job, &id), RV_OK);
	STATE(first, "scheduled");
	IS(count_of(f, "default", RV_JOB_READY), 0);
}

CONTRACT(unique, reschedule_of_a_held_or_waiting_child)
{
	int64_t parent = add(f, JOB(.queue = "critical"));
	int64_t child = add(f, JOB(.unique_key = "k", .after = &parent, .nafter = 1));
	int64_t id = 0;

	ERR(try_add(f,
		    JOB(.unique_key = "k", .on_held = RV_ON_HELD_RESCHEDULE,
			.run_at_us = START_US + S(7)),
		    &id),
	    RV_OK);
	IS(id, child);
	STATE(child, "blocked");
	run(f, parent, RV_OUTCOME_SUCCEEDED);
	STATE(child, "scheduled");
	IS(see(f, child)->run_at_us, START_US + S(7));
}

CONTRACT(unique, a_block_may_meet_its_own_jobs)
{
	struct rv_job_new jobs[4] = {JOB(.unique_key = "k"),
				     JOB(.unique_key = "k", .on_held = RV_ON_HELD_SKIP),
				     JOB(.unique_key = "k", .on_held = RV_ON_HELD_REPLACE),
				     JOB(.unique_key = "k", .on_held = RV_ON_HELD_RESCHEDULE,
					 .run_at_us = START_US + S(3))};
	int64_t ids[4] = {0};

	f->req.u.enqueue = (struct rv_req_enqueue){.jobs = jobs, .count = 4, .ret_ids = ids};
	ERR(ask_kind(f, RV_REQ_ENQUEUE), RV_OK);
	IS(ids[1], ids[0]);
	IS(ids[3], ids[2]);
	IS(f->req.u.enqueue.skipped, 2);
	STATE(ids[0], "cancelled");
	STATE(ids[2], "scheduled");
	HAS(see(f, ids[0])->error, number(ids[2]));
}

CONTRACT(unique, an_idempotency_key_lives_as_long_as_is_said)
{
	struct rv_job_new job = JOB(.idem_key = "i");
	int64_t ids[1] = {0};
	int64_t first;

	f->req.u.enqueue = (struct rv_req_enqueue){
		.jobs = &job, .count = 1, .ret_ids = ids, .idem_ttl_us = S(10)};
	ERR(ask_kind(f, RV_REQ_ENQUEUE), RV_OK);
	first = ids[0];
	run(f, first, RV_OUTCOME_SUCCEEDED);
	ERR(forget(f, first), RV_OK);
	tick(f, S(10) - 1);
	(void)promote(f, 10);
	IS(add(f, job), first);
	IS(f->req.u.enqueue.repeated, 1);
	tick(f, 1);
	(void)promote(f, 10);
	cr_assert(ne(i64, add(f, job), first));
}

CONTRACT(unique, what_belongs_together)
{
	int64_t id = 0;

	ERR(try_add(f, JOB(.until_us = S(1)), &id), RV_E_USAGE);
	ERR(try_add(f, JOB(.on_held = RV_ON_HELD_SKIP), &id), RV_E_USAGE);
	ERR(try_add(f, JOB(.on = RV_AFTER_ANY), &id), RV_E_USAGE);
	ERR(try_add(f, JOB(.unique_key = "k", .until_us = -2), &id), RV_E_USAGE);
	ERR(try_add(f, JOB(.unique_key = "k", .on_held = (enum rv_on_held)9), &id), RV_E_USAGE);
}
