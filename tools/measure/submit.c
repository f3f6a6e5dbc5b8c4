/*
 * Processes that enqueue one job after the other through libreeve, each durable before the next:
 * directly or by the keeper, as the words say.
 */
#include "measure.h"

#include "base/seam.h"
#include "client/reeve.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_MAX 64
#define LEAD_US       (RV_S_US / 2) /* for all to come up and be greeted */
#define WAITS         4096          /* of each process: its last so many */

struct tally {
	int64_t jobs;
	int64_t waits[WAITS]; /* us */
};

static void enqueue_until(const char *config, const char *set, int64_t begin_us, int64_t end_us,
			  struct tally *ret_tally)
{
	const char *const sets[] = {set, NULL};
	struct reeve_open how = REEVE_OPEN_INIT;
	struct reeve *reeve;
	int64_t id;

	how.config = config;
	how.set = sets;
	how.busy_us = 60 * RV_S_US;
	if (reeve_open(&how, &reeve) != REEVE_OK)
		rv_measure_die("submit", reeve_error(NULL));
	while (rv_mono_us() < end_us) {
		int64_t began_us = rv_mono_us();

		if (reeve_enqueue_json(reeve, "{\"task\":\"noop\"}", &id) != REEVE_OK)
			rv_measure_die("submit", reeve_error(reeve));
		if (began_us < begin_us)
			continue;
		ret_tally->waits[ret_tally->jobs % WAITS] = rv_mono_us() - began_us;
		ret_tally->jobs++;
	}
	reeve_close(reeve);
	exit(0);
}

static int64_t at(int64_t *sorted, size_t count, double share)
{
	return count > 0 ? sorted[(size_t)((double)(count - 1) * share)] : 0;
}

int rv_measure_submit(int argc, char **argv)
{
	int64_t processes = rv_measure_number(argv[2]);
	int64_t seconds = rv_measure_number(argv[3]);
	char set[64];
	int64_t sum = 0;
	size_t count = 0;
	int status = 0;

	(void)argc;
	if (processes < 1 || processes > PROCESSES_MAX)
		rv_measure_die("submit", "PROCESSES is from 1 to 64");
	(void)snprintf(set, sizeof set, "client.submit=%s", argv[4]);
	struct tally *tallies = mmap(NULL, sizeof(*tallies) * PROCESSES_MAX, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int64_t *waits = calloc((size_t)processes * WAITS, sizeof(*waits));
	if (tallies == MAP_FAILED || !waits)
		rv_measure_die("submit", "no memory");
	int64_t begin_us = rv_mono_us() + LEAD_US;
	for (int64_t i = 0; i < processes; i++) {
		pid_t pid = fork(); /* no handle is open here */

		if (pid < 0)
			rv_measure_die("submit", "cannot fork");
		if (pid == 0)
			enqueue_until(argv[1], set, begin_us, begin_us + seconds * RV_S_US,
				      &tallies[i]);
	}
	while (wait(&status) > 0) {
		if (status != 0)
			rv_measure_die("submit", "a process failed");
	}
	for (int64_t i = 0; i < processes; i++) {
		int64_t kept = tallies[i].jobs < WAITS ? tallies[i].jobs : WAITS;

		sum += tallies[i].jobs;
		for (int64_t k = 0; k < kept; k++)
			waits[count++] = tallies[i].waits[k];
	}
	(void)rv_measure_median(waits, count ? count : 1); /* sorts */
	(void)printf("{\"rate\":%.1f,\"p50_us\":%lld,\"p99_us\":%lld}\n",
		     (double)sum / (double)seconds, (long long)at(waits, count, 0.5),
		     (long long)at(waits, count, 0.99));
	free(waits);
	return 0;
}
