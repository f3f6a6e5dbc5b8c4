/*
 * The storm: 16 workers and a keeper write through one area while one of them at a time is killed
 * at a random moment and replaced by a newcomer with the next incarnation.  At the end every job
 * has succeeded exactly once, ran as often as its crashes say, never twice at the same time, and
 * none was done without having run.
 */
#include "crew.h"

#include "base/seam.h"
#include "helpers/tier.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "wire/sup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS     16u
#define HANDS       (WORKERS + 1) /* slot 0 is the keeper */
#define KILLS       500
#define KILLS_ALL   2000
#define FIRST_JOBS  2000u
#define JOBS_A_KILL 100u
#define WANT_MAX    3u
#define PATIENCE_US (60 * RV_S_US)

/* ---- the worker */

struct worker {
	struct crew_self self;
	int lock_fd; /* byte N is locked while job N runs */
	int log_fd;  /* ids of the jobs that ran */
	struct rv_req req;
};

static bool told_to_end(void)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&in, 1, 0) > 0;
}

static bool lock_byte(int fd, int64_t at, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* "Runs" what was claimed, and makes the acks of the next turn.  False: another run of it lives. */
static bool run_claimed(struct worker *worker)
{
	struct rv_req_turn *turn = &worker->req.u.turn;

	for (uint32_t i = 0; i < turn->nclaimed; i++) {
		const struct rv_claimed *claimed = &turn->claimed[i];

		if (!lock_byte(worker->lock_fd, claimed->job, F_WRLCK) ||
		    write(worker->log_fd, &claimed->job, sizeof claimed->job) !=
			    (ssize_t)sizeof claimed->job)
			return false;
		turn->acks[i] = (struct rv_ack){.job = claimed->job,
						.fence = claimed->fence,
						.outcome = RV_OUTCOME_SUCCEEDED,
						.started_us = rv_wall_us(),
						.ended_us = rv_wall_us()};
	}
	turn->nacks = turn->nclaimed;
	return true;
}

static int fail(const char *what, int a, int b)
{
	(void)fprintf(stderr, "worker: %s: %d %d\n", what, a, b);
	return 73;
}

static int work(struct worker *worker)
{
	struct rv_req_turn *turn = &worker->req.u.turn;
	bool ending = false;

	for (;;) {
		bool over = told_to_end();
		enum rv_durability durability =
			rv_random_below(4) ? RV_DURABILITY_FULL : RV_DURABILITY_NORMAL;
		uint32_t nacks = turn->nacks;

		turn->want = (uint32_t)rv_random_below(WANT_MAX) + 1;
		int err = rv_writer_do(worker->self.writer, &worker->req, durability, PATIENCE_US);

		if (err == RV_E_INTERNAL)
			continue; /* the storm ended two leaders just there: nothing was done */
		if (err != RV_OK || worker->req.err != RV_OK)
			return fail("the turn", err, worker->req.err);
		for (uint32_t i = 0; i < nacks; i++) {
			if (turn->acks[i].err != RV_OK)
				return fail("an ack", (int)i, turn->acks[i].err);
			(void)lock_byte(worker->lock_fd, turn->acks[i].job, F_UNLCK);
		}
		if (!run_claimed(worker))
			return fail("another run of this job lives", errno, 0);
		if (turn->nclaimed == 0 && ending)
			return 0;
		ending = over;
	}
}

static int worker_main(int argc, char **argv)
{
	static struct worker worker;

	crew_self_open(&worker.self, argc, argv);
	worker.lock_fd =
		open(rv_test_path("%s.locks", argv[2]), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	worker.log_fd = open(rv_test_path("%s.ran", argv[2]),
			     O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (worker.lock_fd < 0 || worker.log_fd < 0)
		return fail("open", errno, 0);
	worker.req.kind = RV_REQ_TURN;
	worker.req.u.turn.incarnation = worker.self.incarnation;
	worker.req.u.turn.nqueues = 1;
	(void)snprintf(worker.req.u.turn.queues[0], RV_NAME_MAX, "%s", worker.self.word);
	int code = work(&worker);

	crew_self_close(&worker.self);
	return code;
}

/* ---- the keeper: ends the leases of those it is told are dead */

static int keeper_main(int argc, char **argv)
{
	static struct rv_req req;
	struct crew_self self;
	char line[64];

	crew_self_open(&self, argc, argv);
	while (fgets(line, sizeof line, stdin)) {
		int err;

		do {
			memset(&req, 0, sizeof req);
			req.kind = RV_REQ_EXPIRE;
			req.u.expire.count = 1;
			req.u.expire.who[0].incarnation = strtoull(line, NULL, 10);
			req.u.expire.who[0].died = RV_DIED_CRASH;
			(void)snprintf(req.u.expire.who[0].words, 32, "killed by the storm");
			err = rv_writer_do(self.writer, &req, RV_DURABILITY_NORMAL, PATIENCE_US);
		} while (err == RV_E_INTERNAL);
		if (err != RV_OK || req.err != RV_OK)
			return fail("the expiry", err, req.err);
		(void)dprintf(STDOUT_FILENO, "expired %" PRIu64 "\n",
			      req.u.expire.who[0].incarnation);
	}
	crew_self_close(&self);
	return 0;
}

/* ---- the storm */

struct storm {
	struct crew crew;
	struct crew_hand hands[HANDS];
	uint64_t obituaries[KILLS_ALL]; /* told, and not yet answered */
	size_t nobituaries;
	int64_t jobs;
};

static void launch(struct storm *storm, unsigned slot)
{
	crew_launch(&storm->crew, &storm->hands[slot], slot == 0 ? "keeper" : "worker", slot, NULL,
		    "q0");
	for (size_t i = 0; slot == 0 && i < storm->nobituaries; i++)
		crew_order(&storm->hands[0], "%" PRIu64, storm->obituaries[i]);
}

/* What the keeper has answered so far; waits for a line if ${timeout_ms} says so. */
static bool hear_keeper(struct storm *storm, int64_t timeout_ms)
{
	char line[64];
	uint64_t incarnation = 0;

	if (!rv_test_wait_line(storm->hands[0].child.out, line, sizeof line, timeout_ms))
		return false;
	if (sscanf(line, "expired %" SCNu64, &incarnation) != 1)
		return true;
	for (size_t i = 0; i < storm->nobituaries; i++) {
		if (storm->obituaries[i] == incarnation)
			storm->obituaries[i--] = storm->obituaries[--storm->nobituaries];
	}
	return true;
}

static void strike(struct storm *storm)
{
	unsigned slot = (unsigned)rv_random_below(HANDS);
	struct crew_hand *hand = &storm->hands[slot];
	struct rv_exit how = {0};

	rv_test_signal(&hand->child, SIGKILL);
	(void)crew_check(&storm->crew,
			 rv_test_wait(&hand->child, CREW_TIMEOUT_MS, &how) && how.signo == SIGKILL,
			 "slot %u was killed, and had not ended by itself with %d", slot, how.code);
	rv_test_end(&hand->child);
	if (slot != 0) {
		storm->obituaries[storm->nobituaries++] = hand->incarnation;
		crew_order(&storm->hands[0], "%" PRIu64, hand->incarnation);
	}
	launch(storm, slot);
}

static void rage(struct storm *storm, int kills)
{
	struct pollfd keeper = {.events = POLLIN};

	for (int i = 0; i < kills; i++) {
		/* When a strike comes is what is tried; the keeper's answers are heard meanwhile.
		 */
		keeper.fd = storm->hands[0].child.out;
		if (poll(&keeper, 1, (int)rv_random_below(10)) > 0)
			(void)hear_keeper(storm, 1000);
		crew_jobs(&storm->crew, "q0", JOBS_A_KILL);
		storm->jobs += JOBS_A_KILL;
		strike(storm);
	}
}

static void calm(struct storm *storm)
{
	int64_t deadline = rv_mono_us() + 120 * RV_S_US;

	while (storm->nobituaries > 0 && rv_mono_us() < deadline)
		(void)hear_keeper(storm, 1000);
	(void)crew_check(&storm->crew, storm->nobituaries == 0, "the keeper has dealt with all");
	for (unsigned i = HANDS; i-- > 0;) {
		struct crew_hand *hand = &storm->hands[i];

		(void)close(hand->child.in);
		hand->child.in = -1;
	}
	for (unsigned i = 0; i < HANDS; i++) {
		(void)crew_check(&storm->crew,
				 rv_test_finish(&storm->hands[i].child, 2 * CREW_TIMEOUT_MS) == 0,
				 "slot %u ends well", i);
		rv_test_end(&storm->hands[i].child);
	}
}

/* ---- the reckoning */

struct reckoning {
	const unsigned char *ran; /* by id, how often */
	int64_t nran, jobs, runs, logged, wrong;
};

static int reckon(void *ctx, const struct rv_job_view *view)
{
	struct reckoning *sum = ctx;
	int logged = view->id < sum->nran ? sum->ran[view->id] : 0;

	sum->jobs++;
	sum->runs += view->runs;
	/* A worker killed between its claim and its first line has run it without a log. */
	if (view->state != RV_JOB_SUCCEEDED || view->runs != view->crashes + 1 || logged < 1 ||
	    logged > view->runs) {
		sum->wrong++;
		(void)fprintf(stderr, "job %" PRId64 ": state %d, %d runs, %d crashes, %d logged\n",
			      view->id, (int)view->state, view->runs, view->crashes, logged);
	}
	return RV_OK;
}

static void settle(struct storm *storm)
{
	struct rv_job_filter all = {.state = -1, .limit = storm->jobs + 1};
	struct reckoning sum = {.nran = storm->jobs + 1};
	unsigned char *ran = calloc((size_t)sum.nran, 1);
	FILE *log = fopen(rv_test_path("%s.ran", storm->crew.path), "re");
	int64_t id;

	while (ran && log && fread(&id, sizeof id, 1, log) == 1) {
		sum.logged++;
		if (id > 0 && id < sum.nran)
			ran[id]++;
	}
	if (log)
		(void)fclose(log);
	sum.ran = ran;
	(void)crew_check(&storm->crew,
			 rv_store_jobs(storm->crew.store, &all, reckon, &sum) == RV_OK &&
				 sum.wrong == 0,
			 "each job is right, but for %" PRId64, sum.wrong);
	(void)crew_check(&storm->crew, sum.jobs == storm->jobs, "%" PRId64 " of %" PRId64 " jobs",
			 sum.jobs, storm->jobs);
	(void)crew_check(&storm->crew, sum.logged <= sum.runs,
			 "nothing ran that the store knows not");
	(void)printf("%" PRId64 " jobs in %" PRId64 " runs\n", sum.jobs, sum.runs);
	free(ran);
}

int main(int argc, char **argv)
{
	static struct storm storm;
	int kills = rv_test_all() ? KILLS_ALL : KILLS;

	if (argc > 1 && strcmp(argv[1], "worker") == 0)
		return worker_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], "keeper") == 0)
		return keeper_main(argc, argv);
	crew_open(&storm.crew);
	crew_area(&storm.crew, HANDS);
	crew_jobs(&storm.crew, "q0", FIRST_JOBS);
	storm.jobs = FIRST_JOBS;
	for (unsigned i = 0; i < HANDS; i++)
		launch(&storm, i);
	rage(&storm, kills);
	calm(&storm);
	settle(&storm);
	return crew_close(&storm.crew);
}
