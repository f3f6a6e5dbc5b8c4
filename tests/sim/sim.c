/*
 * The simulator's loop:
 *   sim_store [--seed S | --seeds N] [--steps N] [--until K] [--backend memory|sqlite]
 *       [--check-every N] [--verbose]
 * Random steps of workers, keeper and people; the invariants after each; then calm, in which every
 * job that can finish must finish (R6).  A violation prints the command that repeats it.
 */
#include "sim.h"

#include "helpers/tmpdir.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sim sim;

struct options {
	uint64_t seed;
	long seeds, steps, until, check_every;
	const char *backend;
	bool verbose;
};

static void start(struct sim *s, const struct options *o, const char *backend, uint64_t seed)
{
	static struct rv_seam seam = {
		.mono_us = still_mono, .wall_us = still_wall, .random = still_random};

	memset(s, 0, sizeof *s);
	s->backend = backend;
	s->seed = seed;
	s->steps = o->steps;
	s->verbose = o->verbose;
	s->check_every = o->check_every;
	if (s->check_every == 0) /* looking at a database costs more than a step of it */
		s->check_every = strcmp(backend, "memory") == 0 ? 1 : 20;
	s->dice.state = seed * 0x9e3779b97f4a7c15ULL + 1;
	s->clock = (struct still){
		.wall_us = 1800000000 * RV_S_US, .mono_us = 500 * RV_S_US, .dice = {seed}};
	s->start = 0x5000;
	for (int w = 0; w < SIM_WORKERS; w++)
		s->workers[w].run = -1;
	seam.ctx = &s->clock;
	rv_seam_install(&seam);
	sim_open(s);
	sim_daemon_starts(s, true);
}

static void look(struct sim *s)
{
	if (s->step % s->check_every != 0)
		return;
	sim_check(s);
	if (s->step % 25 == 0)
		sim_check_jobs(s);
}

static void step(struct sim *s)
{
	int which = sim_below(s, 1000);

	sim_clock_step(s);
	if (s->locked ? which < 200 : which < 5)
		sim_lock_step(s);
	else if (which < 620)
		sim_worker_step(s, sim_below(s, SIM_WORKERS));
	else if (which < 780)
		sim_keeper_tick(s);
	else if (which < 995)
		sim_people_step(s);
	else
		sim_daemon_starts(s, sim_chance(s, 40));
	look(s);
}

/* Jobs that are not final and not blocked; when all of them wait for a time, it is that time. */
static int64_t left(struct sim *s)
{
	struct rv_store_totals t;

	if (rv_store_totals(s->store, &t) != RV_OK)
		sim_fail(s, "the totals cannot be read");
	if (t.counts[RV_JOB_READY] + t.counts[RV_JOB_RUNNING] == 0 &&
	    t.next_due_us > s->clock.wall_us) {
		s->clock.mono_us += t.next_due_us - s->clock.wall_us;
		s->clock.wall_us = t.next_due_us;
	}
	return t.counts[RV_JOB_READY] + t.counts[RV_JOB_SCHEDULED] + t.counts[RV_JOB_RUNNING] +
	       (t.next_due_us != 0); /* somebody waits for a token */
}

/* What a blocked job waits for must itself be stuck: dead, or blocked. */
static int parent_is_stuck(void *ctx, int64_t parent, enum rv_job_state state, enum rv_after on)
{
	if (state == RV_JOB_DEAD && on != RV_AFTER_SUCCESS)
		sim_fail(ctx, "R6: a job waits for job %" PRId64 ", which has failed", parent);
	if (state != RV_JOB_DEAD && state != RV_JOB_BLOCKED)
		sim_fail(ctx, "R6: a job waits for job %" PRId64 ", which is %s", parent,
			 rv_job_state_name(state));
	return RV_OK;
}

static void all_have_finished(struct sim *s)
{
	for (int i = 0; i < s->njobs; i++) {
		struct rv_job_view v;
		int64_t id = s->jobs[i].id;

		if (s->jobs[i].deleted)
			continue;
		if (rv_store_job(s->store, id, &v) != RV_OK)
			sim_fail(s, "job %" PRId64 " is lost", id);
		if (rv_job_state_final(v.state))
			continue;
		if (v.state != RV_JOB_BLOCKED || v.parent_left == 0)
			sim_fail(s, "R6: job %" PRId64 " is %s for ever", id,
				 rv_job_state_name(v.state));
		if (rv_store_parents(s->store, id, parent_is_stuck, s) != RV_OK)
			sim_fail(s, "the parents of job %" PRId64 " cannot be read", id);
	}
}

/* A person lets go what he holds. */
static void release_all(struct sim *s)
{
	for (int i = 0; i < s->njobs; i++) {
		struct rv_job_view v;

		if (s->jobs[i].deleted || rv_store_job(s->store, s->jobs[i].id, &v) != RV_OK ||
		    !v.held)
			continue;
		s->req.u.hold = (struct rv_req_hold){.job = v.id};
		if (!sim_ask(s, RV_REQ_HOLD) || s->req.err != RV_OK)
			sim_fail(s, "a held job cannot be released");
	}
}

/* No more faults: the queues are resumed, what is held is released, time goes on, everybody works.
 */
static void calm_down(struct sim *s)
{
	static const char *const queues[] = {"default", "bulk", "prio"};
	long limit = s->step + 200000;

	s->calm = true;
	if (s->locked)
		sim_lock_step(s);
	s->keeper_alive = true;
	for (size_t i = 0; i < RV_ARRAY_LEN(queues); i++) {
		memset(&s->req.u.pause, 0, sizeof s->req.u.pause);
		(void)snprintf(s->req.u.pause.queue, RV_NAME_MAX, "%s", queues[i]);
		if (!sim_ask(s, RV_REQ_PAUSE) || s->req.err != RV_OK)
			sim_fail(s, "a queue cannot be resumed");
	}
	release_all(s);
	while (left(s) > 0) {
		if (++s->step > limit)
			sim_fail(s, "R6: %" PRId64 " jobs never finish", left(s));
		s->clock.wall_us += RV_S_US;
		s->clock.mono_us += RV_S_US;
		sim_keeper_tick(s);
		for (int w = 0; w < SIM_WORKERS; w++)
			sim_worker_step(s, w);
	}
	sim_check(s);
	sim_check_jobs(s);
	all_have_finished(s);
}

static void run_one(const struct options *o, const char *backend, uint64_t seed, long *sums)
{
	long last = o->until > 0 && o->until < o->steps ? o->until : o->steps;

	start(&sim, o, backend, seed);
	for (sim.step = 1; sim.step <= last; sim.step++)
		step(&sim);
	if (o->until == 0 || o->until > o->steps)
		calm_down(&sim);
	sums[0] += sim.asked;
	sums[1] += sim.taken;
	sums[2] += sim.stale;
	sums[3] += sim.crashes;
	sums[4] += sim.busy;
	sums[5] += sim.nruns;
	sim_close(&sim);
	rv_seam_install(NULL);
}

static long number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 0);

	if (*text == '\0' || *end != '\0' || value < 0) {
		(void)fprintf(stderr, "%s is no number\n", text);
		exit(2);
	}
	return value;
}

static void read_options(struct options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (strcmp(argv[i], "--verbose") == 0) {
			o->verbose = true;
			continue;
		}
		if (strcmp(argv[i], "--seed") == 0) {
			o->seed = (uint64_t)number(value);
			o->seeds = 1;
		} else if (strcmp(argv[i], "--seeds") == 0)
			o->seeds = number(value);
		else if (strcmp(argv[i], "--steps") == 0)
			o->steps = number(value);
		else if (strcmp(argv[i], "--until") == 0)
			o->until = number(value);
		else if (strcmp(argv[i], "--check-every") == 0)
			o->check_every = number(value);
		else if (strcmp(argv[i], "--backend") == 0)
			o->backend = value;
		else {
			(void)fprintf(stderr, "unknown: %s\n", argv[i]);
			exit(2);
		}
		i++;
	}
}

int main(int argc, char **argv)
{
	static const char *const both[] = {"memory", "sqlite"};
	struct options o = {.seed = 1, .seeds = 200, .steps = 1000};
	long sums[6] = {0};

	read_options(&o, argc, argv);
	for (uint64_t seed = o.seed; seed < o.seed + (uint64_t)o.seeds; seed++)
		run_one(&o, o.backend ? o.backend : both[seed % 2], seed, sums);
	(void)printf("%ld seeds: %ld requests, %ld runs, %ld acks taken, %ld stale, %ld deaths, "
		     "%ld busy: no "
		     "violation\n",
		     o.seeds, sums[0], sums[5], sums[1], sums[2], sums[3], sums[4]);
	return 0;
}
