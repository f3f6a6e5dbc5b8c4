/*
 * Waits for jobs and says how each of them ended.
 *
 *     wait SECONDS ID…
 *
 * Exit code: 0 all succeeded, 1 some did not, 124 the time was over.
 *
 * cc wait.c $(pkg-config --cflags --libs reeve)
 */
#include <reeve.h>
#include <stdio.h>
#include <stdlib.h>

/* 1: it did not succeed. */
static int tell(struct reeve *reeve, int64_t id)
{
	const struct reeve_job *job;
	int failed;

	if (reeve_get(reeve, id, &job) != REEVE_OK) {
		fprintf(stderr, "wait: %s\n", reeve_error(reeve));
		return 1;
	}
	printf("%lld %s%s%s\n", (long long)id, reeve_state_name(job->state), job->error ? ": " : "",
	       job->error ? job->error : "");
	if (job->result)
		printf("%.*s\n", (int)job->result_size, (const char *)job->result);
	failed = job->state != REEVE_SUCCEEDED;
	reeve_free(job);
	return failed;
}

int main(int argc, char **argv)
{
	size_t count = argc > 2 ? (size_t)argc - 2 : 0;
	int64_t *ids = calloc(count + 1, sizeof(*ids));
	struct reeve *reeve;
	int code = 0;
	int err;

	if (count == 0 || !ids) {
		fprintf(stderr, "usage: wait SECONDS ID...\n");
		return 2;
	}
	for (size_t i = 0; i < count; i++)
		ids[i] = strtoll(argv[i + 2], NULL, 10);
	if (reeve_open(NULL, &reeve) != REEVE_OK) {
		fprintf(stderr, "wait: %s\n", reeve_error(NULL));
		return 1;
	}
	err = reeve_wait(reeve, ids, count, strtoll(argv[1], NULL, 10) * 1000000);
	if (err) {
		fprintf(stderr, "wait: %s\n", reeve_error(reeve));
		code = err == REEVE_E_TIMEOUT ? 124 : 1;
	}
	for (size_t i = 0; !err && i < count; i++)
		code |= tell(reeve, ids[i]);
	reeve_close(reeve);
	free(ids);
	return code;
}
