/* What a job says of itself: progress and result, under the fence of the run that says it. */
#include "fixture.h"

static int says(struct fixture *f, uint64_t who, int64_t job, int64_t fence, int percent,
		const char *message)
{
	f->req.u.progress = (struct rv_req_progress){
		.incarnation = who, .job = job, .fence = fence, .percent = percent};
	(void)snprintf(f->req.u.progress.message, RV_MESSAGE_MAX, "%s", message);
	return ask_kind(f, RV_REQ_PROGRESS);
}

static int results(struct fixture *f, uint64_t who, int64_t job, int64_t fence, const void *data,
		   size_t size)
{
	f->req.u.result = (struct rv_req_result){
		.incarnation = who, .job = job, .fence = fence, .data = data, .size = size};
	return ask_kind(f, RV_REQ_RESULT);
}

static struct rv_told told(struct fixture *f, int64_t job)
{
	struct rv_told told;

	ERR(rv_store_told(f->store, job, &told), RV_OK);
	return told;
}

CONTRACT(told, progress_is_kept_until_the_next)
{
	int64_t job = add(f, JOB(.priority = 1));
	struct rv_told none;

	IS(told(f, job).percent, -1);
	cr_assert(told(f, job).message == NULL);
	int64_t fence = claim(f, W1, job);

	ERR(says(f, W1, job, fence, 10, "reading"), RV_OK);
	tick(f, S(3));
	ERR(says(f, W1, job, fence, 42, ""), RV_OK);
	IS(told(f, job).percent, 42);
	cr_assert(told(f, job).message == NULL, "the last word counts");
	IS(told(f, job).at_us, START_US + S(3));
	ERR(says(f, W1, job, fence, -1, "thinking"), RV_OK);
	TEXT(told(f, job).message, "thinking");
	ERR(says(f, W1, job, fence, 101, ""), RV_E_USAGE);
	IS(told(f, job).percent, -1);
	ERR(rv_store_told(f->store, job + 99, &none), RV_E_NOTFOUND);
}

/* R3: an old fence, another worker, a job that is not leased: nothing is changed. */
CONTRACT(told, only_the_run_itself_may_say_it)
{
	int64_t job = add(f, JOB(.priority = 1));

	ERR(says(f, W1, job, 1, 5, ""), RV_E_STALE);
	int64_t old = claim(f, W1, job);

	ERR(says(f, W2, job, old, 5, ""), RV_E_STALE);
	ERR(results(f, W1, job, old, "old", 3), RV_OK);
	ERR(says(f, W1, job, old, 5, "old"), RV_OK);
	ERR(ack(f, W1, job, old, RV_OUTCOME_INTERRUPTED), RV_OK);
	IS(told(f, job).percent, 5);
	int64_t fence = claim(f, W1, job);

	IS(told(f, job).percent, -1);
	ERR(says(f, W1, job, old, 99, "late"), RV_E_STALE);
	ERR(results(f, W1, job, old, "late", 4), RV_E_STALE);
	ERR(ack(f, W1, job, fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	cr_assert(told(f, job).result == NULL, "the run that succeeded said nothing");
	ERR(says(f, W1, job, fence, 100, ""), RV_E_STALE);
}

CONTRACT(told, a_result_is_of_the_run_that_succeeded)
{
	static const char data[] = "\0any bytes\xff";
	static char large[RV_RESULT_MAX + 1];
	int64_t job = add(f, JOB(.priority = 1));
	int64_t fence = claim(f, W1, job);

	ERR(results(f, W1, job, fence, "first", 5), RV_OK);
	ERR(results(f, W1, job, fence, data, sizeof data), RV_OK);
	cr_assert(told(f, job).result == NULL, "it has not ended yet");
	ERR(results(f, W1, job, fence, large, sizeof large), RV_E_TOOBIG);
	ERR(ack(f, W1, job, fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	struct rv_told got = told(f, job);

	IS(got.result_size, sizeof data);
	cr_assert(memcmp(got.result, data, sizeof data) == 0);
	ERR(forget(f, job), RV_OK);
	ERR(rv_store_told(f->store, job, &got), RV_E_NOTFOUND);
}

CONTRACT(told, a_full_sized_result_fits_and_can_be_taken_back)
{
	static char large[RV_RESULT_MAX];
	int64_t job = add(f, JOB(.priority = 1));
	int64_t other = add(f, JOB(.priority = 1));
	int64_t fence = claim(f, W1, job);

	memset(large, 'x', sizeof large);
	ERR(results(f, W1, job, fence, large, sizeof large), RV_OK);
	ERR(ack(f, W1, job, fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	IS(told(f, job).result_size, RV_RESULT_MAX);
	fence = claim(f, W1, other);
	ERR(results(f, W1, other, fence, "wrong", 5), RV_OK);
	ERR(results(f, W1, other, fence, NULL, 0), RV_OK);
	ERR(ack(f, W1, other, fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	cr_assert(told(f, other).result == NULL);
}
