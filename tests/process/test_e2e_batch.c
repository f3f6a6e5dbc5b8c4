/*
 * Batches with a real daemon: the callback is enqueued exactly once, whoever is killed while the
 * last jobs end; who waits is rung; members and callbacks know their batch.
 */
#include "process/e2e.h"

#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/wait.h"
#include "store/batch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define AT_ONCE_US (300 * RV_MS_US) /* a look each second would be later */

#define TASKS                                                                                      \
	"[task:quick]\nhandler = exec\ncommand = true\nmax_crashes = 1000\n"                       \
	"[task:good]\nhandler = exec\ncommand = true\nmax_crashes = 1000\n"                        \
	"[task:end]\nhandler = exec\ncommand = true\nmax_crashes = 1000\n"                         \
	"[task:tell]\nhandler = exec\ncommand = sh -c 'echo batch=$REEVE_BATCH arg=$1' sh "        \
	"${arg.a}\n"

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

static int64_t new_batch(const char *const *words)
{
	cr_assert(eq(int, rv_e2e_reeve_words(e, words), 0), "%s", rv_buf_text(&e->err));
	return atoll(rv_buf_text(&e->out));
}
#define NEW_BATCH(...) new_batch((const char *const[]){"batch", "new", __VA_ARGS__, NULL})

static const char *text_of(int64_t number)
{
	static char texts[8][24];
	static unsigned next;
	char *text = texts[next++ % 8];

	(void)snprintf(text, sizeof texts[0], "%lld", (long long)number);
	return text;
}

static struct rv_batch_view batch(int64_t id)
{
	struct rv_batch_view view;

	cr_assert(eq(int, rv_store_batch(rv_e2e_store(e), id, &view), RV_OK));
	return view;
}

struct calls {
	int64_t batch;
	int n;
};

static int note_call(void *ctx, const struct rv_job_view *view)
{
	struct calls *calls = ctx;

	calls->n += view->callback && view->batch == calls->batch;
	return RV_OK;
}

/* Jobs of ${task} that are callbacks of the batch. */
static int calls_of(int64_t id, const char *task)
{
	struct rv_job_filter filter = {.state = -1, .task = task};
	struct calls calls = {.batch = id};

	cr_assert(eq(int, rv_store_jobs(rv_e2e_store(e), &filter, note_call, &calls), RV_OK));
	return calls.n;
}

/* Some milliseconds; nobody says this. */
static void moment(uint64_t *dice)
{
	(void)rv_test_wait_text(rv_e2e_path(e, "jobs"), "no such line",
				5 + (int64_t)rv_e2e_dice(dice, 30));
}

Test(e2e_batch, calls_back_once_while_everybody_is_killed)
{
	enum { BATCHES = 30, JOBS = 8, KILLS = 30 };
	int64_t ids[BATCHES];
	uint64_t dice = 11;

	rv_e2e_new(e, "[pool:default]\nworkers = 3\nrestart_delay = 5ms\n"
		      "restart_delay_max = 20ms\nrestart_burst = 1000/1s\n" TASKS);
	for (int b = 0; b < BATCHES; b++) {
		ids[b] = NEW_BATCH("--on-success", "good", "--on-complete", "end");
		for (int j = 0; j < JOBS; j++)
			(void)rv_e2e_add(e, "--batch", text_of(ids[b]), "quick", NULL);
		cr_assert(eq(int, rv_e2e_reeve(e, "batch", "close", text_of(ids[b]), NULL), 0));
	}
	for (int life = 0; life < 3; life++) {
		int keepers = 0;

		rv_e2e_start(e);
		for (int kills = 0; kills < KILLS / 3;) {
			int slot = (int)rv_e2e_dice(&dice, 4);

			moment(&dice);
			if (slot == 0 && ++keepers > 2)
				slot = 1;
			kills += rv_e2e_signal(e, slot, SIGKILL);
		}
		rv_e2e_kill(e);
	}
	rv_e2e_start(e);
	rv_e2e_wait_all(e, 0);
	for (int b = 0; b < BATCHES; b++) {
		struct rv_batch_view view = batch(ids[b]);

		cr_assert(eq(i64, view.succeeded, JOBS));
		cr_assert(ne(i64, view.ended_us, 0));
		cr_assert(eq(int, calls_of(ids[b], "good"), 1));
		cr_assert(eq(int, calls_of(ids[b], "end"), 1));
	}
	rv_e2e_end(e);
}

static void touch(const char *name)
{
	int fd = open(rv_e2e_path(e, name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	cr_assert(ge(int, fd, 0));
	(void)close(fd);
}

static int on_row(void *ctx, int n, const char *const *names, const char *const *values)
{
	(void)n, (void)names;
	*(bool *)ctx = values[0] && values[0][0] != '0';
	return RV_OK;
}

static bool is_watched(void *ctx)
{
	struct rv_why why = {{0}};
	bool found = false;

	(void)ctx;
	cr_assert(eq(int,
		     rv_store_sql(rv_e2e_store(e), "SELECT count(*) FROM waiter WHERE job = -1",
				  on_row, &found, &why),
		     RV_OK),
		  "%s", why.text);
	return found;
}

Test(e2e_batch, who_waits_is_rung_when_it_ends)
{
	const char *argv[7] = {NULL};
	struct rv_test_start how = {.argv = argv};
	struct rv_test_child waiter;
	int64_t late_us;
	int64_t job;

	rv_e2e_new(e, "[pool:default]\nworkers = 2\n" TASKS);
	rv_e2e_start(e);
	cr_assert(eq(i64, NEW_BATCH("--name", "one"), 1));
	job = rv_e2e_add(e, "--batch", "1", "job", "do=until=go", NULL);
	cr_assert(eq(int, rv_e2e_reeve(e, "batch", "close", "1", NULL), 0));
	argv[0] = rv_e2e_program("reeve");
	argv[1] = "-c";
	argv[2] = rv_e2e_path(e, "reeve.ini");
	argv[3] = "batch";
	argv[4] = "wait";
	argv[5] = "1";
	how.out_file = rv_e2e_path(e, "waited");
	rv_test_start(&how, &waiter);
	cr_assert(rv_test_wait_until(is_watched, NULL, RV_E2E_WAIT_MS));
	touch("go");
	cr_assert(eq(int, rv_test_finish(&waiter, RV_E2E_WAIT_MS), 0));
	late_us = rv_wall_us() - rv_e2e_view(e, job)->finished_us;
	cr_assert(lt(i64, late_us, AT_ONCE_US), "%lld us late", (long long)late_us);
	rv_test_end(&waiter);
	rv_e2e_end(e);
}

Test(e2e_batch, members_and_callbacks_know_their_batch)
{
	int64_t id;
	int64_t job;

	rv_e2e_new(e, "[pool:default]\nworkers = 2\n" TASKS);
	rv_e2e_start(e);
	id = NEW_BATCH("--on-success", "tell", "a=1 2");
	job = rv_e2e_add(e, "--batch", text_of(id), "tell", "a=x", NULL);
	cr_assert(eq(int, rv_e2e_reeve(e, "batch", "close", text_of(id), NULL), 0));
	cr_assert(eq(int, rv_e2e_reeve(e, "batch", "wait", text_of(id), NULL), 0));
	rv_e2e_wait_all(e, 0);
	cr_assert(eq(int, rv_e2e_reeve(e, "logs", text_of(job), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "batch=1 arg=x");
	cr_assert(eq(int, rv_e2e_reeve(e, "logs", text_of(batch(id).success_job), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "batch=1 arg=1 2");
	rv_e2e_end(e);
}

/* What runs is stopped as well; what follows an end follows this one. */
Test(e2e_batch, a_cancelled_batch_ends_and_calls_back)
{
	int64_t id;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n" TASKS);
	rv_e2e_start(e);
	id = NEW_BATCH("--on-success", "good", "--on-complete", "end");
	for (int i = 0; i < 3; i++)
		(void)rv_e2e_add(e, "--batch", text_of(id), "job", "do=until=never", NULL);
	rv_e2e_until(e, 1, RV_JOB_RUNNING);
	cr_assert(eq(int, rv_e2e_reeve(e, "batch", "cancel", text_of(id), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "3 cancelled");
	cr_assert(eq(int, rv_e2e_reeve(e, "batch", "wait", text_of(id), NULL), 1));
	rv_assert_has(rv_buf_text(&e->err), "3 of 3 jobs did not succeed (0 dead, 3 cancelled)");
	cr_assert(eq(i64, batch(id).cancelled, 3));
	cr_assert(eq(int, calls_of(id, "good"), 0));
	cr_assert(eq(int, calls_of(id, "end"), 1));
	rv_e2e_until(e, batch(id).complete_job, RV_JOB_SUCCEEDED);
	rv_e2e_end(e);
}

/* What waits goes at once, what runs is stopped, what follows an end follows; success does not. */
Test(e2e_batch, one_that_fails_cancels_the_rest)
{
	enum { WAIT = 300 };
	int64_t runs;
	int64_t id;

	rv_e2e_new(e, "[pool:default]\nworkers = 2\n[task:bad]\nhandler = exec\ncommand = false\n"
		      "max_attempts = 1\n" TASKS);
	id = NEW_BATCH("--max-failures", "1", "--cancel-running", "--on-success", "good",
		       "--on-complete", "end");
	runs = rv_e2e_add(e, "--batch", text_of(id), "job", "do=until=never", NULL);
	for (int i = 0; i < 2; i++)
		(void)rv_e2e_add(e, "--batch", text_of(id), "bad", NULL);
	for (int i = 0; i < WAIT; i++)
		(void)rv_e2e_add(e, "--batch", text_of(id), "--delay", "1h", "quick", NULL);
	cr_assert(eq(int, rv_e2e_reeve(e, "batch", "close", text_of(id), NULL), 0));
	rv_e2e_start(e);
	cr_assert(eq(int, rv_e2e_reeve(e, "batch", "wait", text_of(id), NULL), 1));
	rv_assert_has(rv_buf_text(&e->err), "batch 1 has failed: 2 of 303 dead, 1 allowed");
	cr_assert(eq(i64, batch(id).dead, 2));
	cr_assert(eq(i64, batch(id).cancelled, WAIT + 1));
	cr_assert(eq(int, (int)rv_e2e_view(e, runs)->state, (int)RV_JOB_CANCELLED));
	cr_assert(eq(int, rv_e2e_reeve(e, "why", text_of(runs + WAIT), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "its batch failed: 2 of 303 dead, 1 allowed");
	cr_assert(eq(int, rv_e2e_reeve(e, "batch", "show", text_of(id), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "state        failed");
	cr_assert(eq(int, calls_of(id, "good"), 0));
	cr_assert(eq(int, calls_of(id, "end"), 1));
	rv_e2e_until(e, batch(id).complete_job, RV_JOB_SUCCEEDED);
	rv_e2e_end(e);
}

/* What is running keeps it; what another job waits for keeps itself, and the batch. */
Test(e2e_batch, a_batch_is_deleted_with_its_jobs_when_it_is_over)
{
	struct rv_batch_view view;
	int64_t child;
	int64_t dead;
	int64_t id;

	rv_e2e_new(e, "[pool:default]\nworkers = 2\n[task:bad]\nhandler = exec\ncommand = false\n"
		      "max_attempts = 1\n" TASKS);
	rv_e2e_start(e);
	id = NEW_BATCH("--name", "night");
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "pause", "default", NULL), 0));
	for (int i = 0; i < 5; i++)
		(void)rv_e2e_add(e, "--batch", text_of(id), "quick", NULL);
	dead = rv_e2e_add(e, "--batch", text_of(id), "bad", NULL);
	(void)rv_e2e_add(e, "--batch", text_of(id), "job", "do=until=go", NULL);
	child = rv_e2e_add(e, "--after", text_of(dead), "quick", NULL);
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "resume", "default", NULL), 0));
	rv_e2e_until(e, dead, RV_JOB_DEAD);
	cr_assert(eq(int, rv_e2e_reeve(e, "batch", "close", text_of(id), NULL), 0));
	cr_assert(eq(int, rv_e2e_reeve(e, "batch", "delete", "--jobs", text_of(id), NULL), 5));
	rv_assert_has(rv_buf_text(&e->err), "has not ended: ");
	cr_assert(eq(i64, batch(id).forgotten, 0));
	touch("go");
	cr_assert(eq(int, rv_e2e_reeve(e, "batch", "wait", text_of(id), NULL), 1));
	cr_assert(eq(int, rv_e2e_reeve(e, "batch", "delete", "--jobs", text_of(id), NULL), 5));
	rv_assert_has(rv_buf_text(&e->out), "6 deleted");
	rv_assert_has(rv_buf_text(&e->err), "waits for it");
	cr_assert(eq(i64, batch(id).forgotten, 6));
	cr_assert(eq(int, rv_e2e_reeve(e, "cancel", text_of(child), NULL), 0));
	cr_assert(eq(int, rv_e2e_reeve(e, "batch", "delete", "--jobs", text_of(id), NULL), 0));
	cr_assert(eq(int, rv_store_batch(rv_e2e_store(e), id, &view), RV_E_NOTFOUND));
	rv_e2e_end(e);
}
