/*
 * Death → sweep → DIED (DESIGN §2): whoever dies, and whatever its jobs have left behind, no job
 * ever has two live runs, and each is done in the end.  Every run holds a lock on a file of its job
 * (testjob.c); the jobs leave processes that call setsid, fork twice, are deaf to TERM, have
 * cleared their environment.  One daemon a seed; victims by the seed: one worker, all 32 at once,
 * keeper and workers in the same moment, the supervisor, the supervisor and all its children.
 */
#include "process/e2e.h"

#include "base/seam.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define FEW  4
#define MANY 32

enum victims { ONE, MANY_AT_ONCE, KEEPER_TOO, SUPERVISOR, EVERYBODY, VICTIMS };

static const char *const names[VICTIMS] = {"one worker", "32 workers", "keeper and workers",
					   "the supervisor", "everybody"};
static const char *const kinds[] = {"setsid", "double", "term", "nohup", "bare", "all"};

static void add_jobs(struct rv_e2e *e, uint64_t *dice, int64_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char what[128];

		(void)snprintf(
			what, sizeof what, "%scount=%d escape=%s ms=%d",
			rv_e2e_dice(dice, 3) == 0 ? "deaf " : "", (int)rv_e2e_dice(dice, 2) + 1,
			kinds[rv_e2e_dice(dice, RV_ARRAY_LEN(kinds))], (int)rv_e2e_dice(dice, 120));
		rv_e2e_submit(e, what, 1, &ids[i]);
	}
}

static void kill_victims(struct rv_e2e *e, uint64_t *dice, enum victims victims, int workers)
{
	pid_t pids[MANY + 1];
	int n = 0;

	for (int slot = 0; slot <= workers; slot++) {
		if (slot == 0 && victims != KEEPER_TOO && victims != EVERYBODY)
			continue;
		if (slot > 0 && victims == ONE && slot != 1 + (int)rv_e2e_dice(dice, FEW))
			continue;
		if (victims != SUPERVISOR)
			pids[n++] = rv_e2e_child(e, slot);
	}
	if (victims == EVERYBODY)
		rv_test_signal(&e->daemon, SIGKILL);
	for (int i = 0; i < n; i++) {
		if (pids[i] > 0)
			(void)rv_e2e_signal_pid(pids[i], SIGKILL);
	}
	if (victims == SUPERVISOR || victims == EVERYBODY) {
		rv_e2e_kill(e);
		rv_e2e_start(e);
	}
}

static void f05_no_two_live_runs_whoever_dies(uint64_t seed)
{
	enum victims victims = (enum victims)(seed % VICTIMS);
	int workers = victims == MANY_AT_ONCE ? MANY : FEW;
	size_t njobs = (size_t)workers + FEW;
	int rounds = victims == MANY_AT_ONCE ? 1 : 2;
	uint64_t dice = seed;
	struct rv_e2e e;
	int64_t ids[2 * (MANY + FEW)];

	rv_e2e_new(&e,
		   "[pool:default]\nworkers = %d\nrestart_delay = 10ms\nrestart_delay_max = 50ms\n"
		   "restart_burst = 1000/1s\n",
		   workers);
	rv_e2e_start(&e);
	for (int round = 0; round < rounds; round++) {
		int had = rv_e2e_job_count(&e, "start ");

		add_jobs(&e, &dice, ids + (size_t)round * njobs, njobs);
		rv_e2e_job_says_times(&e, "start ", had + 1 + (int)rv_e2e_dice(&dice, FEW));
		kill_victims(&e, &dice, victims, workers);
	}
	rv_e2e_wait_all(&e, 0);
	rv_e2e_all_ran(&e, ids, (size_t)rounds * njobs);
	rv_e2e_end(&e);
}

int main(void)
{
	uint64_t first;
	uint64_t count;

	rv_e2e_seeds(&first, &count, 20, 1000);
	for (uint64_t seed = first; seed < first + count; seed++) {
		int64_t before = rv_mono_us();

		(void)printf("seed %llu: %s: ", (unsigned long long)seed, names[seed % VICTIMS]);
		(void)fflush(stdout);
		f05_no_two_live_runs_whoever_dies(seed);
		(void)printf("%lld ms\n", (long long)((rv_mono_us() - before) / RV_MS_US));
	}
	return 0;
}
