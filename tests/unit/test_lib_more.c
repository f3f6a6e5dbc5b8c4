/* libreeve without a daemon: keys, parents and batches. */
#include "lib_scene.h"

TestSuite(lib_more, .init = setup, .fini = teardown);

/* What is done while another job holds the key, how long it is held, and how parents must end. */
Test(lib_more, keys_and_parents_are_as_said)
{
	struct reeve_new job;
	int64_t first = 0;
	int64_t id = 0;

	reeve_new_init(&job, sizeof(job));
	job.task = "noop";
	job.unique_key = "k";
	job.until = "10m";
	OK(reeve_enqueue(reeve, &job, &first));
	SAYS(reeve_enqueue(reeve, &job, &id), REEVE_E_CONFLICT, "held");
	job.on_conflict = "skip";
	OK(reeve_enqueue(reeve, &job, &id));
	cr_assert(eq(i64, id, first));
	job.on_conflict = "perhaps";
	SAYS(reeve_enqueue(reeve, &job, &id), REEVE_E_USAGE, "on_conflict");
	OK(reeve_cancel(reeve, first));
	reeve_new_init(&job, sizeof(job));
	job.task = "noop";
	job.after = &first;
	job.nafter = 1;
	SAYS(reeve_enqueue(reeve, &job, &id), REEVE_E_CONFLICT, "cancelled");
	job.on = "any";
	OK(reeve_enqueue(reeve, &job, &id));
}

/* Jobs that are counted together; what follows is stored when the last has ended. */
Test(lib_more, a_batch_ends_with_its_last_job)
{
	static const char *const args[] = {"who=all", NULL};
	static const char *const labels[] = {"night", NULL};
	struct reeve_batch_new new = REEVE_BATCH_NEW_INIT;
	const struct reeve_batch *batch;
	const struct reeve_job *got;
	struct reeve_new job;
	int64_t ids[2];
	int64_t id = 0;

	new.on_complete = "helo";
	SAYS(reeve_batch_new(reeve, &new, &id), REEVE_E_NOTFOUND, "hello");
	new.name = "nightly";
	new.labels = labels;
	new.on_complete = "hello";
	new.on_complete_args = args;
	OK(reeve_batch_new(reeve, &new, &id));
	reeve_new_init(&job, sizeof(job));
	job.task = "noop";
	job.batch = id;
	for (int i = 0; i < 2; i++)
		OK(reeve_enqueue(reeve, &job, &ids[i]));
	SAYS(reeve_batch_wait(reeve, id, 0), REEVE_E_TIMEOUT, "has not ended");
	OK(reeve_batch_close(reeve, id));
	SAYS(reeve_batch_close(reeve, id), REEVE_E_CONFLICT, "closed");
	SAYS(reeve_enqueue(reeve, &job, &ids[0]), REEVE_E_CONFLICT, "closed");
	for (int i = 0; i < 2; i++)
		OK(reeve_cancel(reeve, ids[i]));
	OK(reeve_batch_wait(reeve, id, -1));
	OK(reeve_batch_get(reeve, id, &batch));
	rv_assert_has(batch->name, "nightly");
	rv_assert_has(batch->labels, "[\"night\"]");
	cr_assert(eq(i64, batch->total, 2));
	cr_assert(eq(i64, batch->cancelled, 2));
	cr_assert(eq(i64, batch->pending, 0));
	OK(reeve_get(reeve, batch->complete_job, &got));
	rv_assert_has(got->task, "hello");
	cr_assert(eq(i64, got->batch, id));
	reeve_free(got);
	reeve_free(batch);
	SAYS(reeve_batch_get(reeve, 99, &batch), REEVE_E_NOTFOUND, "no such batch 99");
	SAYS(reeve_batch_wait(reeve, 99, -1), REEVE_E_NOTFOUND, "no such batch 99");
}
