/*
 * Puts one job into the store and prints its id.
 *
 *     enqueue TASK [NAME=VALUE…]
 *
 * cc enqueue.c $(pkg-config --cflags --libs reeve)
 */
#include <reeve.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct reeve *reeve;
	struct reeve_new job;
	int64_t id;
	int err;

	if (argc < 2) {
		fprintf(stderr, "usage: enqueue TASK [NAME=VALUE...]\n");
		return 2;
	}
	if (reeve_open(NULL, &reeve) != REEVE_OK) { /* as the reeve command finds its store */
		fprintf(stderr, "enqueue: %s\n", reeve_error(NULL));
		return 1;
	}
	reeve_new_init(&job, sizeof(job));
	job.task = argv[1];
	job.args = (const char *const *)(argv + 2);
	err = reeve_enqueue(reeve, &job, &id);
	if (err)
		fprintf(stderr, "enqueue: %s\n", reeve_error(reeve));
	else
		printf("%lld\n", (long long)id);
	reeve_close(reeve);
	return err ? 1 : 0;
}
