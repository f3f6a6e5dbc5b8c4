/*
 * Two backends side by side: the same random requests, in transactions that sometimes roll back,
 * must have the same answers, the same rings and the same views, and no invariant may break in
 * either. contract_differ [--seed S] [--steps N] [--until K] [--backends A B] [--verbose] A failing
 * run prints the command that repeats it.
 */
#include "differ.h"

#include "helpers/tmpdir.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MAX  4   /* requests of one transaction */
#define LOOK_EVERY 100 /* steps between two looks at everything; more as there is more to see: */
#define LOOK_SHARE 50  /* a 50th of the steps so far */

static struct world world;
static struct rv_req batch[BATCH_MAX];

static void open_side(struct world *w, struct side *side, const char *backend)
{
	struct rv_store_open how = {
		.backend = backend, .create = true, .migrate = true, .group = (gid_t)-1};
	int handles = strcmp(backend, "memory") == 0 ? 1 : 2;
	struct rv_why why = {""};

	side->name = backend;
	how.path = rv_test_path("%s/%s.db", rv_test_memdir(), backend);
	for (int h = 0; h < handles; h++)
		if (rv_store_open(&how, &side->handles[h], &why) != RV_OK)
			differ_fail(w, "%s cannot be opened: %s", backend, why.text);
	side->store = side->handles[0];
}

/* What one handle remembers must not outlive what another has committed. */
static void take_handle(struct world *w)
{
	int which = dice_below(&w->dice, 2);

	for (int s = 0; s < 2; s++)
		w->side[s].store = w->side[s].handles[which] ? w->side[s].handles[which]
							     : w->side[s].handles[0];
}

/* The same question to the other side; only where an ENQUEUE puts its ids differs. */
static void repeat(struct world *w, const struct rv_req *from, struct side *side)
{
	side->req = *from;
	if (from->kind == RV_REQ_ENQUEUE)
		side->req.u.enqueue.ret_ids = side->ids;
	memset(side->ids, 0, sizeof side->ids);
	if (rv_store_execute(side->store, &side->req) != RV_OK)
		differ_fail(w, "%s ended the transaction: %s", side->name, side->req.why.text);
}

static void begin(struct world *w)
{
	for (int s = 0; s < 2; s++)
		if (rv_store_begin(w->side[s].store, RV_DURABILITY_NORMAL, RV_S_US, NULL) != RV_OK)
			differ_fail(w, "%s cannot begin", w->side[s].name);
}

static void commit(struct world *w)
{
	for (int s = 0; s < 2; s++)
		if (rv_store_commit(w->side[s].store, NULL) != RV_OK)
			differ_fail(w, "%s cannot commit", w->side[s].name);
	same_rings(w);
	take_handle(w); /* for the reads */
}

static void execute(struct world *w, const struct rv_req *req)
{
	if (w->verbose)
		(void)printf("step %ld: %s\n", w->step, rv_req_name(req->kind));
	for (int s = 0; s < 2; s++)
		repeat(w, req, &w->side[s]);
	same_answers(w, &w->side[0].req, &w->side[1].req);
	w->asked[req->kind]++;
	w->refused[req->kind] += w->side[0].req.err != RV_OK;
}

static void move_clock(struct world *w)
{
	static const int64_t moves[] = {0, 0, 0, 1, RV_MS_US, RV_S_US, 7 * RV_S_US, 61 * RV_S_US};
	int64_t by = moves[dice_below(&w->dice, 8)];

	if (dice_below(&w->dice, 3000) == 0)
		by = 31LL * 86400 * RV_S_US; /* idempotency keys are forgotten */
	w->clock.wall_us += by;
	w->clock.mono_us += by;
}

static void step(struct world *w)
{
	int n = dice_chance(&w->dice, 70) ? 1 : 1 + dice_below(&w->dice, BATCH_MAX);

	move_clock(w);
	take_handle(w);
	w->ntouched = 0;
	begin(w);
	if (dice_chance(&w->dice,
			3)) { /* as a leader that died: the same requests are asked again */
		struct rv_req *req = &batch[0];

		choose(w, req);
		execute(w, req);
		for (int s = 0; s < 2; s++)
			rv_store_rollback(w->side[s].store);
		begin(w);
		execute(w, req);
		learn(w, &w->side[0].req, w->side[0].ids);
		learn_callbacks(w);
	}
	for (int i = 0; i < n; i++) {
		choose(w, &batch[i]);
		execute(w, &batch[i]);
		learn(w, &w->side[0].req, w->side[0].ids);
		learn_callbacks(w);
	}
	commit(w);
	for (size_t i = 0; i < w->ntouched; i++)
		same_job(w, w->touched[i]);
	if (w->step >= w->next_look) {
		same_everything(w);
		w->next_look = w->step + (w->step / LOOK_SHARE > LOOK_EVERY ? w->step / LOOK_SHARE
									    : LOOK_EVERY);
	}
}

static void start(struct world *w, uint64_t seed)
{
	static struct rv_seam seam = {
		.mono_us = still_mono, .wall_us = still_wall, .random = still_random};

	w->dice.state = seed;
	w->clock = (struct still){
		.wall_us = 1800000000 * RV_S_US, .mono_us = 1000 * RV_S_US, .dice = {seed}};
	w->start = 0x100;
	seam.ctx = &w->clock;
	rv_seam_install(&seam);
}

static void first_requests(struct world *w)
{
	struct rv_req *req = &batch[0];

	begin(w);
	memset(req, 0, sizeof *req);
	mirror_request(req);
	execute(w, req);
	memset(req, 0, sizeof *req);
	raise_request(w, req);
	execute(w, req);
	commit(w);
}

static long number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 0);

	if (*text == '\0' || *end != '\0') {
		(void)fprintf(stderr, "%s is no number\n", text);
		exit(2);
	}
	return value;
}

static uint64_t seed_told;
static bool agreed;

static void say_how_to_repeat(void)
{
	if (agreed)
		return;
	(void)fprintf(stderr,
		      "repeat with: contract_differ --backends %s %s --seed %" PRIu64
		      " --until %ld\n",
		      world.side[0].name, world.side[1].name, seed_told, world.step);
}

static void say_what_was_asked(void)
{
	for (int kind = RV_REQ_NONE + 1; kind < RV_REQ_KINDS; kind++)
		(void)printf("%-8s asked %6" PRIu64 "  refused %5" PRIu64 "\n", rv_req_name(kind),
			     world.asked[kind], world.refused[kind]);
}

int main(int argc, char **argv)
{
	const char *backends[2] = {"memory", "sqlite"};
	long steps = 20000;

	seed_told = 1;
	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;

		if (strcmp(argv[i], "--seed") == 0 && more)
			seed_told = (uint64_t)number(argv[++i]);
		else if ((strcmp(argv[i], "--steps") == 0 || strcmp(argv[i], "--until") == 0) &&
			 more)
			steps = number(argv[++i]);
		else if (strcmp(argv[i], "--verbose") == 0)
			world.verbose = true;
		else if (strcmp(argv[i], "--backends") == 0 && i + 2 < argc) {
			backends[0] = argv[++i];
			backends[1] = argv[++i];
		} else {
			(void)fprintf(stderr, "unknown: %s\n", argv[i]);
			return 2;
		}
	}
	start(&world, seed_told);
	for (int s = 0; s < 2; s++)
		open_side(&world, &world.side[s], backends[s]);
	if (atexit(say_how_to_repeat) != 0)
		return 1;
	first_requests(&world);
	world.next_look = LOOK_EVERY;
	for (world.step = 1; world.step <= steps; world.step++)
		step(&world);
	world.step = steps;
	same_everything(&world);
	agreed = true;
	say_what_was_asked();
	for (int s = 0; s < 2; s++)
		for (int h = 0; h < 2; h++)
			rv_store_close(world.side[s].handles[h]);
	(void)printf("seed %" PRIu64 ": %ld steps, %s and %s agree\n", seed_told, steps,
		     backends[0], backends[1]);
	return 0;
}
