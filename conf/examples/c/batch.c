/*
 * Puts many jobs into the store, a transaction for each thousand, and says how many there are now.
 *
 *     batch TASK COUNT
 *
 * cc batch.c $(pkg-config --cflags --libs reeve)
 */
#include <reeve.h>
#include <stdio.h>
#include <stdlib.h>

static int enqueue(struct reeve *reeve, const char *task, size_t count)
{
	struct reeve_new *jobs = calloc(count, sizeof(*jobs));
	int64_t *ids = calloc(count, sizeof(*ids));
	size_t stored = 0;
	size_t failed = 0;
	int err = REEVE_E_NOMEM;

	for (size_t i = 0; jobs && i < count; i++) {
		reeve_new_init(&jobs[i], sizeof(jobs[i]));
		jobs[i].task = task;
		jobs[i].priority = (int)(i % 10); /* low ones run first, where the queue says so */
	}
	if (jobs && ids)
		err = reeve_enqueue_batch(reeve, jobs, count, ids, &stored, &failed);
	if (err)
		fprintf(stderr, "batch: job %zu: %s\n", failed, reeve_error(reeve));
	/* On an error the thousands before it are stored: they are not to be sent again. */
	printf("%zu stored\n", stored);
	free(jobs);
	free(ids);
	return err;
}

int main(int argc, char **argv)
{
	const struct reeve_stats *stats;
	struct reeve *reeve;
	int err;

	if (argc != 3) {
		fprintf(stderr, "usage: batch TASK COUNT\n");
		return 2;
	}
	if (reeve_open(NULL, &reeve) != REEVE_OK) {
		fprintf(stderr, "batch: %s\n", reeve_error(NULL));
		return 1;
	}
	err = enqueue(reeve, argv[1], strtoul(argv[2], NULL, 10));
	if (!err && reeve_stats(reeve, &stats) == REEVE_OK) {
		printf("%lld ready\n", (long long)reeve_stats_total(stats)->count[REEVE_READY]);
		reeve_free(stats);
	}
	reeve_close(reeve);
	return err ? 1 : 0;
}
