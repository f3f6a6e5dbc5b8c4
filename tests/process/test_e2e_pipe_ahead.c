/*
 * Lines that are sent to a pipe handler before the jobs in front of them are answered: each job
 * keeps its own answer, and whatever happens to one of them happens to one.
 */
#include "process/pipe_many.h"

#include <poll.h>
#include <signal.h>

static const char *nothing(size_t i)
{
	(void)i;
	return "";
}

static const char *result_of_number(size_t i)
{
	static char text[40];

	(void)snprintf(text, sizeof(text), "result=%zu log=%zu", i, i);
	return text;
}

#define MANY 3000

/* Answers held back until 40 are there: only lines that were sent ahead can make that many. */
Test(e2e_pipe_ahead, each_job_gets_its_own_answer)
{
	static int64_t ids[MANY];
	int64_t crashes_seen;
	char want[24];

	begin("ahead=64 batch=40", "");
	add_many(MANY, ids, result_of_number);
	cr_assert(eq(i64, runs_of(ids, MANY, &crashes_seen), MANY));
	for (size_t i = 0; i < MANY; i += 171) {
		(void)snprintf(want, sizeof(want), "%zu", i);
		rv_assert_text(result(ids[i]), want);
		cr_assert(eq(int, rv_e2e_reeve(e, "logs", id_text(ids[i]), NULL), 0));
		(void)snprintf(want, sizeof(want), "%zu\n", i);
		rv_assert_text(rv_buf_text(&e->out), want);
	}
	cr_assert(eq(int, rv_e2e_job_count(e, "hello "), 1));
	rv_e2e_end(e);
}

static const char *some_kill(size_t i)
{
	return i % 200 == 150 ? "until=go exit=9" : "";
}

/* A crash is the crash of one; what was sent ahead runs again elsewhere, and is charged nothing. */
Test(e2e_pipe_ahead, a_crash_is_that_of_one)
{
	static int64_t ids[MANY];
	int died = 0;

	begin("ahead=64", "");
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
	add_many(MANY, ids, some_kill);
	for (size_t i = 0; i < MANY; i++) {
		bool dies = i % 200 == 150;

		rv_e2e_until(e, ids[i], dies ? RV_JOB_DEAD : RV_JOB_SUCCEEDED);
		cr_assert(eq(int, rv_e2e_view(e, ids[i])->crashes, dies), "job %zu", i);
		died += dies;
	}
	cr_assert(eq(int, died, 15));
	rv_e2e_end(e);
}

static const char *some_leave(size_t i)
{
	return i % 40 == 39 ? "after" : "";
}

/* It ends by itself between two jobs, whenever it likes: what it has answered counts, once. */
Test(e2e_pipe_ahead, a_handler_that_leaves_costs_nothing)
{
	static int64_t ids[MANY];
	int64_t crashes_seen;

	begin("ahead=64 batch=4 exact", "");
	add_many(MANY, ids, some_leave);
	cr_assert(eq(i64, runs_of(ids, MANY, &crashes_seen), MANY));
	cr_assert(eq(i64, crashes_seen, 0));
	cr_assert(eq(int, rv_e2e_job_count(e, "start "), MANY), "none has begun twice");
	rv_e2e_end(e);
}

/* Each hundredth answers for the next one, which is most likely sent by then, and hangs. */
static const char *out_of_order(size_t i)
{
	static char text[40];

	if (i % 100 != 50)
		return "";
	(void)snprintf(text, sizeof(text), "other=%zu hang", i + 2); /* the first id is 1 */
	return text;
}

Test(e2e_pipe_ahead, out_of_order_is_a_crash)
{
	static int64_t ids[2000];

	begin("ahead=64", "timeout = 500ms\nmax_attempts = 1\n");
	add_many(2000, ids, out_of_order);
	for (size_t i = 0; i < 2000; i++)
		rv_e2e_until(e, ids[i], i % 100 == 50 ? RV_JOB_DEAD : RV_JOB_SUCCEEDED);
	cr_assert(gt(int, rv_e2e_log_count(e, "is killed: it answers out of order"), 0));
	rv_e2e_end(e);
}

static const char *one_slow(size_t i)
{
	return i == 1500 ? "until=go" : "";
}

/*
 * A job that takes long among those that do not: what was not sent goes to the other worker, what
 * was waits 5 s, then the slow one is stopped and given back, and runs alone.
 */
Test(e2e_pipe_ahead, nobody_waits_for_long)
{
	static int64_t ids[MANY];
	const struct rv_job_view *view;

	workers = 2;
	begin("ahead=64", "");
	add_many(MANY, ids, one_slow);
	for (size_t i = 0; i < MANY; i++) {
		if (i != 1500)
			rv_e2e_until(e, ids[i], RV_JOB_SUCCEEDED);
	}
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
	rv_e2e_until(e, ids[1500], RV_JOB_SUCCEEDED);
	view = rv_e2e_view(e, ids[1500]);
	cr_assert(le(int, view->runs, 2));
	cr_assert(eq(int, view->attempt, 1));
	cr_assert(eq(int, view->crashes, 0));
	rv_e2e_end(e);
}

/* The worker is killed while lines are ahead: one of them is charged at most, all of them run. */
Test(e2e_pipe_ahead, kill_of_worker_and_of_handler)
{
	static int64_t ids[MANY];
	int64_t crashes_seen;
	uint64_t dice = 7;
	int kills = 0;

	begin("ahead=64", "max_crashes = 1000\n");
	add_many(MANY, ids, nothing);
	while (rv_e2e_count(e, RV_JOB_SUCCEEDED) < MANY) {
		int64_t before = rv_e2e_count(e, RV_JOB_SUCCEEDED);

		while (rv_e2e_count(e, RV_JOB_SUCCEEDED) < before + 64 &&
		       rv_e2e_count(e, RV_JOB_SUCCEEDED) < MANY)
			(void)poll(NULL, 0, (int)rv_e2e_dice(&dice, 3));
		kills += rv_e2e_signal(e, 1, SIGKILL);
	}
	(void)runs_of(ids, MANY, &crashes_seen);
	cr_assert(le(i64, crashes_seen, kills));
	rv_e2e_all_ran(e, ids, MANY);
	rv_e2e_end(e);
}

static const char *burn_two(size_t i)
{
	(void)i;
	return "burn=2";
}

Test(e2e_pipe_ahead, those_that_are_answered_together_share_what_it_took)
{
	begin("ahead=64 batch=40", "");
	shares_add_up(200, burn_two);
	rv_e2e_end(e);
}

Test(e2e_pipe_ahead, nothing_leaks)
{
	const char *const deaths[] = {"exit=1", "garbage"};

	begin("ahead=64", "");
	nothing_leaks(nothing, deaths);
	rv_e2e_end(e);
}

static const char *waits_in_front(size_t i)
{
	return i == 600 ? "until=go" : "";
}

/* Of the ten behind the one that waits, how many cannot be taken back any more. */
static int cancel_behind(const int64_t *ids)
{
	int sent = 0;

	rv_e2e_job_says(e, "start %lld 1 ", (long long)ids[600]);
	for (size_t i = 601; i < 611; i++) {
		cr_assert(eq(int, rv_e2e_reeve(e, "cancel", id_text(ids[i]), NULL), 0));
		sent += rv_e2e_view(e, ids[i])->state == RV_JOB_RUNNING;
	}
	return sent;
}

/* Its handler has its line already, and may run it: cancelled it is, all the same. */
Test(e2e_pipe_ahead, cancel_of_a_job_that_was_sent_ahead)
{
	static int64_t ids[1000];
	int sent = 0;

	for (int tries = 0; tries < 20 && sent == 0; tries++) {
		begin("ahead=64", "");
		add_many(1000, ids, waits_in_front);
		sent = cancel_behind(ids);
		rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
		for (size_t i = 0; i < 1000; i++)
			rv_e2e_until(e, ids[i],
				     i > 600 && i < 611 ? RV_JOB_CANCELLED : RV_JOB_SUCCEEDED);
		for (size_t i = 601; i < 611; i++)
			cr_assert(eq(int, rv_e2e_view(e, ids[i])->crashes, 0));
		rv_e2e_end(e);
	}
	cr_assert(gt(int, sent, 0), "none of them was ever sent ahead");
}
