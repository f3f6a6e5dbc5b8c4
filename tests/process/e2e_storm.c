/*
 * F1: kill -9 of any process at any moment.  Jobs keep coming while workers, keeper and supervisor
 * are killed, all from one row of numbers; the supervisor is started again.  In the end: no job
 * lost, none done without having run, no two live runs of one (testjob.c holds a lock), every
 * invariant.  max_crashes is raised: here it is not the jobs that kill.
 */
#include "process/e2e.h"

#include "base/seam.h"
#include "helpers/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define LIFE_KILLS   12 /* then the supervisor's turn comes at the latest */
#define KEEPER_KILLS 2  /* in one life: its restarts wait longer each time */
#define QUEUE        24 /* jobs outstanding */
#define JOBS_MAX     20000

static const char *const works[] = {
	"ms=1", "ms=20", "ms=5 escape=setsid", "ms=10 escape=bare", "deaf ms=5 escape=all",
	"ms=1", "ms=60", "say=word",           "say=word",          "say=word",
};

struct storm {
	struct rv_e2e e;
	uint64_t dice;
	int workers;
	int64_t ids[JOBS_MAX];
	size_t njobs;
	int kills, keepers, supervisors;
};

static void feed(struct storm *storm)
{
	size_t done = (size_t)rv_e2e_count(&storm->e, RV_JOB_SUCCEEDED);

	while (storm->njobs < done + QUEUE && storm->njobs + 8 < JOBS_MAX) {
		const char *what = works[rv_e2e_dice(&storm->dice, RV_ARRAY_LEN(works))];
		size_t count = (size_t)rv_e2e_dice(&storm->dice, 4) + 1;

		rv_e2e_submit(&storm->e, what, count, storm->ids + storm->njobs);
		storm->njobs += count;
	}
}

/* Until some job of them says something more, or some milliseconds have passed without. */
static void some_moment(struct storm *storm)
{
	static const char never[] = "there is no such line";
	uint64_t most = rv_e2e_dice(&storm->dice, 3) == 0 ? 120 : 25;

	(void)rv_test_wait_text(rv_e2e_path(&storm->e, "jobs"), never,
				(int64_t)rv_e2e_dice(&storm->dice, most));
}

static void start(struct storm *storm)
{
	rv_e2e_start(&storm->e);
}

/* One life of a supervisor. */
static void live(struct storm *storm, int most)
{
	int keepers = 0;
	int upto = storm->kills + 1 + (int)rv_e2e_dice(&storm->dice, LIFE_KILLS);

	if (upto > most)
		upto = most;
	start(storm);
	while (storm->kills < upto - 1) {
		int slot = (int)rv_e2e_dice(&storm->dice, (uint64_t)storm->workers + 1);

		feed(storm);
		some_moment(storm);
		if (slot == 0 && keepers == KEEPER_KILLS)
			continue;
		if (rv_e2e_signal(&storm->e, slot, SIGKILL)) {
			storm->kills++;
			keepers += slot == 0;
		}
	}
	some_moment(storm);
	rv_e2e_kill(&storm->e);
	storm->keepers += keepers;
	storm->kills++;
	storm->supervisors++;
}

static void f01_storm_of_kills(uint64_t seed, int kills)
{
	static struct storm storm;
	int64_t before = rv_mono_us();

	storm = (struct storm){.dice = seed};
	storm.workers = 2 + (int)rv_e2e_dice(&storm.dice, 5);
	rv_e2e_new(&storm.e,
		   "[pool:default]\nworkers = %d\nrestart_delay = 5ms\nrestart_delay_max = 20ms\n"
		   "restart_burst = 1000/1s\n",
		   storm.workers);
	rv_e2e_submit(&storm.e, "ms=1", 1, storm.ids);
	storm.njobs = 1;
	while (storm.kills < kills)
		live(&storm, kills);
	start(&storm);
	rv_e2e_wait_all(&storm.e, 0);
	rv_e2e_all_ran(&storm.e, storm.ids, storm.njobs);
	(void)printf("seed %llu: %d workers, %zu jobs, %d runs, %d kills (%d keepers, %d "
		     "supervisors): %lld ms\n",
		     (unsigned long long)seed, storm.workers, storm.njobs,
		     rv_e2e_job_count(&storm.e, "start "), storm.kills, storm.keepers,
		     storm.supervisors, (long long)((rv_mono_us() - before) / RV_MS_US));
	(void)fflush(stdout);
	rv_e2e_end(&storm.e);
}

/* Seeds FIRST COUNT, 50 kills each; RV_ALL=1: 20 seeds from FIRST on. */
int main(int argc, char **argv)
{
	const char *kills = getenv("RV_KILLS");
	uint64_t first;
	uint64_t count;

	rv_e2e_seeds(&first, &count, argc > 2 ? strtoull(argv[2], NULL, 10) : 2, 20);
	if (argc > 1 && !getenv("RV_SEED"))
		first = strtoull(argv[1], NULL, 10);
	for (uint64_t seed = first; seed < first + count; seed++)
		f01_storm_of_kills(seed, kills ? atoi(kills) : 50);
	return 0;
}
