/*
 * The claim race: eight processes and 1,000 jobs that arrive one at a time, so that each is a race;
 * then 1,000 iterations at full speed over a long queue.  No job is claimed twice, none is lost.
 */
#include "crew.h"

#include "base/seam.h"
#include "helpers/tier.h"
#include "helpers/wait.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROCESSES   8
#define ARRIVALS    1000
#define ITERATIONS  1000
#define PATIENCE_US (60 * RV_S_US)

/* No more work will come: our stdin is at its end. */
static bool told_to_end(void)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&in, 1, 0) > 0;
}

/* The role: turns of one ack and one claim each, until nothing is left and no more will come. */
static int claim_until_told(int argc, char **argv)
{
	static struct rv_req req;
	struct rv_req_turn *turn = &req.u.turn;
	struct crew_self self;
	int64_t acked = 0;
	bool ending = false;

	crew_self_open(&self, argc, argv);
	req.kind = RV_REQ_TURN;
	turn->incarnation = self.incarnation;
	turn->want = 1;
	turn->nqueues = 1;
	(void)snprintf(turn->queues[0], sizeof turn->queues[0], "%s", self.word);
	for (;;) {
		bool over = told_to_end();

		if (rv_writer_do(self.writer, &req, RV_DURABILITY_NORMAL, PATIENCE_US) != RV_OK ||
		    req.err != RV_OK || (turn->nacks && turn->acks[0].err != RV_OK))
			return 72;
		acked += turn->nacks;
		turn->nacks = turn->nclaimed;
		if (turn->nclaimed == 0 && ending)
			break;
		ending = over; /* told before that turn looked: what came before was seen */
		if (turn->nclaimed == 0)
			continue;
		turn->acks[0] = (struct rv_ack){.job = turn->claimed[0].job,
						.fence = turn->claimed[0].fence,
						.outcome = RV_OUTCOME_SUCCEEDED,
						.started_us = rv_wall_us(),
						.ended_us = rv_wall_us()};
	}
	(void)dprintf(STDOUT_FILENO, "= 0 0 %" PRId64 " 0 0\n", acked);
	crew_self_close(&self);
	return 0;
}

static int one_run(void *ctx, const struct rv_job_view *view)
{
	int64_t *wrong = ctx;

	if (view->state != RV_JOB_SUCCEEDED || view->runs != 1)
		++*wrong;
	return RV_OK;
}

static void race(struct crew *crew, const char *queue, int64_t before, int64_t arriving)
{
	struct crew_hand hands[PROCESSES];
	struct rv_job_filter all = {.state = -1, .queue = queue, .limit = before + arriving + 1};
	int64_t sum = 0;
	int64_t wrong = 0;

	crew_area(crew, PROCESSES + 1);
	crew_jobs(crew, queue, (size_t)before);
	for (unsigned i = 0; i < PROCESSES; i++)
		crew_start(crew, &hands[i], "claimer", i + 1, NULL, queue);
	for (int64_t i = 0; i < arriving; i++)
		(void)crew_job(crew, queue, 0);
	for (unsigned i = 0; i < PROCESSES; i++) {
		struct crew_answer answer;

		(void)close(hands[i].child.in);
		hands[i].child.in = -1;
		(void)crew_check(crew, crew_answered(&hands[i], &answer), "claimer %u ends well",
				 i);
		sum += answer.a;
		(void)crew_check(crew, rv_test_finish(&hands[i].child, CREW_TIMEOUT_MS) == 0,
				 "claimer %u exits with 0", i);
		rv_test_end(&hands[i].child);
	}
	(void)crew_check(crew, sum == before + arriving, "each job was acked once: %" PRId64, sum);
	(void)crew_check(crew,
			 rv_store_jobs(crew->store, &all, one_run, &wrong) == RV_OK && wrong == 0,
			 "each job ran once and succeeded, but for %" PRId64, wrong);
	(void)crew_check(crew, crew_count(crew, queue, RV_JOB_SUCCEEDED) == before + arriving,
			 "the kept count says so too");
	crew_check_store(crew, false);
}

int main(int argc, char **argv)
{
	int rounds = rv_test_all() ? 10 : 1;
	int failed = 0;

	if (argc > 1 && strcmp(argv[1], "claimer") == 0)
		return claim_until_told(argc, argv);
	/* A store each: the checks at the end of a race look at all that was ever in it. */
	for (int i = 0; i < rounds; i++) {
		struct crew crew;

		crew_open(&crew);
		race(&crew, "q0", 0, ARRIVALS);
		race(&crew, "q1", (int64_t)PROCESSES * ITERATIONS, 0);
		failed += crew_close(&crew);
	}
	return failed == 0 ? 0 : 1;
}
