/*
 * F21: four readers that never leave a gap between them, and a writer that checkpoints after each
 * round: the log stays within four times the threshold, and starts anew again and again.
 */
#include "actor.h"
#include "helpers/tmpdir.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define THRESHOLD (1 << 20)
#define READERS   4

int main(int argc, char **argv)
{
	static char payload[3000];
	static struct scene scene;
	struct rv_job_new job = {
		.task = "t", .priority = -1, .payload = payload, .payload_size = sizeof payload};
	int rounds = argc > 1 && strcmp(argv[1], "--all") == 0 ? 20000 : 3000;
	struct actor readers[READERS];
	int64_t largest = 0;
	int restarts = 0;
	char path[600];
	char log[640];

	scene_begin();
	(void)snprintf(path, sizeof path, "%s/s.db", rv_test_tmpdir());
	(void)snprintf(log, sizeof log, "%s-wal", path);
	scene_make(path, RV_DURABILITY_NORMAL);
	for (int i = 0; i < READERS; i++)
		actor_start(&readers[i], path, 0);
	scene_start(&scene, path, RV_DURABILITY_NORMAL);
	CHECK(scene_open(&scene) == RV_OK, "%s", scene.why.text);
	for (int i = 0; i < READERS; i++)
		CHECK(actor_ask(&readers[i], ACTOR_LOOP) == 'y', "no reader");
	for (int i = 0; i < rounds; i++) {
		struct stat st;
		int64_t bytes = -1;
		int err;

		scene.njobs = 0;
		CHECK(scene_add(&scene, &job) > 0, "%s", scene.req.why.text);
		err = rv_store_checkpoint(scene.store, THRESHOLD, &bytes);
		CHECK(err == RV_OK || err == RV_E_BUSY, "%s", rv_err_name(err));
		restarts += err == RV_OK && bytes == 0;
		CHECK(stat(log, &st) == 0, "no log");
		largest = st.st_size > largest ? st.st_size : largest;
	}
	for (int i = 0; i < READERS; i++)
		CHECK(actor_stop(&readers[i]), "a reader failed");
	scene_close(&scene);
	(void)printf("%d rounds, the log was at most %.2f times the threshold, it started anew %d "
		     "times\n",
		     rounds, (double)largest / THRESHOLD, restarts);
	CHECK(largest <= 4LL * THRESHOLD, "the log grew to %lld bytes", (long long)largest);
	CHECK(restarts >= 3, "it started anew %d times only", restarts);
	return 0;
}
